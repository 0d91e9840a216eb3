-- The same functions, cheaper: what an answer asks of them for each row is a plain
-- expression, which PostgreSQL puts in the place of the call. It does so only where the
-- body is one expression without FROM, not STRICT, and names a costly argument once.

-- The list of currency_exponent, which a test compares with this.
CREATE OR REPLACE FUNCTION money_exponent(code text) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN code IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
	                          'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
	            WHEN code IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3
	            WHEN code IN ('CLF', 'UYW') THEN 4
	            ELSE 2
	       END
$$;

-- The minor unit in major ones, with the currency's digits: 0.01 for EUR, 1 for JPY.
CREATE FUNCTION money_unit(code text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE money_exponent(code) WHEN 2 THEN 0.01 WHEN 0 THEN 1 WHEN 3 THEN 0.001 ELSE 0.0001 END
$$;

-- A tie is where rounding and cutting off are equally far away.
CREATE OR REPLACE FUNCTION half_even(value numeric, digits int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN round(value, digits) + trunc(value, digits) = 2 * value
	             AND mod(trunc(value, digits) * 10::numeric ^ digits, 2) = 0
	            THEN trunc(value, digits)
	            ELSE round(value, digits)
	       END
$$;

CREATE OR REPLACE FUNCTION money(minor numeric, code text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT round(minor, 0) * money_unit(code)
$$;

CREATE OR REPLACE FUNCTION money_ratio(minor numeric, n numeric, code text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN n = 0 THEN 0 ELSE half_even(minor / n, 0) END * money_unit(code)
$$;

-- Where a business day starts, for one day. business_days says what that means; between
-- changes of the clock the answer is plain, and then it costs a tenth of asking there.
CREATE FUNCTION business_day_start(zone text, cutoff_hours int, day date) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
	wall timestamp := day + make_interval(hours => cutoff_hours);
	start timestamptz := wall AT TIME ZONE zone;
BEGIN
	-- the same offset two days before and after: the clock reads this once
	IF start - interval '48 hours' = (wall - interval '48 hours') AT TIME ZONE zone
	   AND start + interval '48 hours' = (wall + interval '48 hours') AT TIME ZONE zone THEN
		RETURN start;
	END IF;
	RETURN (SELECT starts_at FROM business_days(zone, cutoff_hours, day, day));
END
$$;

-- The same for the day of an instant.
CREATE OR REPLACE FUNCTION business_date(at timestamptz, zone text, cutoff_hours int) RETURNS date
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
	wall timestamp := at AT TIME ZONE zone;
BEGIN
	IF (at - interval '48 hours') AT TIME ZONE zone = wall - interval '48 hours'
	   AND (at + interval '48 hours') AT TIME ZONE zone = wall + interval '48 hours' THEN
		RETURN (wall - make_interval(hours => cutoff_hours))::date;
	END IF;
	RETURN (SELECT max(business_date)
	        FROM business_days(zone, cutoff_hours, (at AT TIME ZONE 'UTC')::date - 2, (at AT TIME ZONE 'UTC')::date + 2)
	        WHERE starts_at <= at AND ends_at > at);
END
$$;

-- As before, but for how it looks up where days begin: one edge at a time, and today only
-- where it is asked for (OFFSET keeps it from being worked out once for each use).
CREATE OR REPLACE FUNCTION report_scope(one_day date, first_day date, final_day date, days int, code text)
RETURNS TABLE (
	from_day date, to_day date,          -- both included
	starts_at timestamptz, ends_at timestamptz, -- the same as half-open instants
	complete boolean,                    -- every one of these days is computed
	days_n int,
	currency text, timezone text, cutoff_hours int, revenue_profile text, counted_statuses text,
	newest_day date, due_day date,       -- last computed, last that should be
	computed_at timestamptz, today date, today_elapsed_s int
)
LANGUAGE sql STABLE AS $$
	WITH base AS MATERIALIZED (
		SELECT r.timezone, r.cutoff_hours::int, r.revenue_profile, r.counted_statuses, n.newest,
		       coalesce(one_day, first_day, coalesce(final_day, n.newest) - days + 1) AS a,
		       coalesce(one_day, final_day, n.newest) AS z,
		       coalesce(code,
		                (SELECT x.currency FROM series x WHERE x.currency = r.default_currency LIMIT 1),
		                (SELECT x.currency FROM series x ORDER BY first_date, x.currency LIMIT 1),
		                r.default_currency) AS cur
		FROM site s JOIN rules r USING (rules_id), (SELECT max(business_date) AS newest FROM daily_revenue_cache) n
	)
	SELECT a, z, business_day_start(timezone, cutoff_hours, a), business_day_start(timezone, cutoff_hours, z + 1),
	       c.n = z - a + 1, z - a + 1, cur, timezone, cutoff_hours, revenue_profile, counted_statuses, newest,
	       today - 1, c.computed_at, today,
	       extract(epoch FROM now() - business_day_start(timezone, cutoff_hours, today))::int
	FROM base,
	     LATERAL (SELECT business_date(now(), timezone, cutoff_hours) AS today OFFSET 0) t,
	     LATERAL (SELECT count(DISTINCT business_date)::int AS n, max(computed_at) AS computed_at
	              FROM daily_revenue_cache WHERE business_date BETWEEN a AND z) c
$$;
