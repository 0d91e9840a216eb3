-- Which days a page is about, and which it compares them with.

-- A date, or a range, or a word for one: newest, today, yesterday, week, 7d, 28d, 91d, month,
-- last_month, year, all. Weeks begin on Monday. The days that can have figures end with
-- last_day, the newest computed one; where it is before from_day there are none yet. As
-- long as the days are not over (running), the base is cut to as many days. It has
-- always as many days as there are with figures:
--   previous  the days just before; of a running week, month or year the first days of the one before
--   weekdays  whole weeks before, so that weekdays meet
--   year      364 days before, or a multiple, so that weekdays meet
--   none      no base
-- No row before the first run.
CREATE FUNCTION report_period(word text, one_day date, first_day date, final_day date, compare text)
RETURNS TABLE (from_day date, to_day date, last_day date, days_n int, running boolean,
               base_from date, base_to date, oldest_day date, newest_day date, today date)
LANGUAGE sql STABLE AS $$
	WITH here AS MATERIALIZED (
		SELECT d.newest, d.oldest, business_date(now(), r.timezone, r.cutoff_hours) AS today,
		       CASE WHEN word IN ('week', 'month', 'year') THEN word END AS unit,
		       CASE WHEN word ~ '^[0-9]+d$' THEN rtrim(word, 'd')::int END AS n
		FROM site JOIN rules r USING (rules_id),
		     LATERAL (SELECT max(business_date) AS newest, min(business_date) AS oldest FROM daily_revenue_cache) d
		WHERE d.newest IS NOT NULL
	), span AS (
		SELECT h.*, coalesce(one_day, first_day, CASE
		           WHEN n IS NOT NULL THEN newest - n + 1
		           WHEN unit IS NOT NULL THEN date_trunc(unit, today::timestamp)::date
		           WHEN word = 'today' THEN today
		           WHEN word = 'yesterday' THEN today - 1
		           WHEN word = 'last_month' THEN (date_trunc('month', today::timestamp) - interval '1 month')::date
		           WHEN word = 'all' THEN oldest
		           ELSE newest END) AS a,
		       coalesce(one_day, final_day, CASE
		           WHEN unit IS NOT NULL THEN (date_trunc(unit, today::timestamp) + ('1 ' || unit)::interval)::date - 1
		           WHEN word = 'today' THEN today
		           WHEN word = 'yesterday' THEN today - 1
		           WHEN word = 'last_month' THEN date_trunc('month', today::timestamp)::date - 1
		           ELSE newest END) AS z
		FROM here h
	), reach AS (
		SELECT s.*, least(z, newest) AS last, greatest(least(z, newest) - a + 1, 0) AS len,
		       coalesce(one_day, first_day) IS NULL AND unit IS NOT NULL AND z >= s.today AS grows
		FROM span s
	), base AS (
		SELECT r.*, CASE
		           WHEN len = 0 THEN NULL
		           WHEN compare = 'previous' AND grows THEN least((a - ('1 ' || unit)::interval)::date, a - len)
		           WHEN compare = 'previous' THEN a - len
		           WHEN compare = 'weekdays' THEN a - (len + 6) / 7 * 7
		           WHEN compare = 'year' THEN a - (len + 363) / 364 * 364 END AS b
		FROM reach r
	)
	SELECT a, z, last, len, z >= base.today, b, b + len - 1, oldest, newest, base.today FROM base
$$;

-- money() and money_ratio() where the currency's digits are known: the planner takes them
-- into the statement, which it cannot do with a function that reads a table.
CREATE FUNCTION money_of(minor numeric, digits int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT round(minor / 10::numeric ^ digits, digits)
$$;

CREATE FUNCTION money_ratio_of(minor numeric, n numeric, digits int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN n = 0 THEN round(0::numeric, digits) ELSE half_even(minor / n / 10::numeric ^ digits, digits) END
$$;

-- The days of one item.
CREATE INDEX item_sales_cache_item ON item_sales_cache (item_id, business_date);
