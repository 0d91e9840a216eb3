-- Which days the pages of bookings are about.

-- report_period (007_period.sql), of whatever has figures from `oldest` to `newest`; running_day is
-- the business day that runs. Weeks begin with week_start: 1 Monday ... 7 Sunday.
CREATE FUNCTION period_of(word text, one_day date, first_day date, final_day date, compare text,
                          oldest date, newest date, running_day date, week_start int)
RETURNS TABLE (from_day date, to_day date, last_day date, days_n int, running boolean,
               base_from date, base_to date, oldest_day date, newest_day date, today date)
LANGUAGE sql STABLE AS $$
	WITH here AS MATERIALIZED (
		SELECT newest, oldest, running_day AS today,
		       CASE WHEN word IN ('week', 'month', 'year') THEN word END AS unit,
		       CASE WHEN word ~ '^[0-9]+d$' THEN rtrim(word, 'd')::int END AS n
	), span AS (
		SELECT h.*, coalesce(one_day, first_day, CASE
		           WHEN n IS NOT NULL THEN newest - n + 1
		           WHEN unit = 'week' THEN booking_unit(h.today, unit, week_start)
		           WHEN unit IS NOT NULL THEN date_trunc(unit, h.today::timestamp)::date
		           WHEN word = 'today' THEN h.today
		           WHEN word = 'yesterday' THEN h.today - 1
		           WHEN word = 'last_month' THEN (date_trunc('month', h.today::timestamp) - interval '1 month')::date
		           WHEN word = 'all' THEN oldest
		           ELSE newest END) AS a,
		       coalesce(one_day, final_day, CASE
		           WHEN unit = 'week' THEN booking_unit(h.today, unit, week_start) + 6
		           WHEN unit IS NOT NULL THEN (date_trunc(unit, h.today::timestamp) + ('1 ' || unit)::interval)::date - 1
		           WHEN word = 'today' THEN h.today
		           WHEN word = 'yesterday' THEN h.today - 1
		           WHEN word = 'last_month' THEN date_trunc('month', h.today::timestamp)::date - 1
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

CREATE OR REPLACE FUNCTION report_period(word text, one_day date, first_day date, final_day date, compare text)
RETURNS TABLE (from_day date, to_day date, last_day date, days_n int, running boolean,
               base_from date, base_to date, oldest_day date, newest_day date, today date)
LANGUAGE sql STABLE AS $$
	SELECT p.*
	FROM site JOIN rules r USING (rules_id),
	     LATERAL (SELECT max(business_date) AS newest, min(business_date) AS oldest FROM daily_revenue_cache) d,
	     LATERAL period_of(word, one_day, first_day, final_day, compare, d.oldest, d.newest,
	                       business_date(now(), r.timezone, r.cutoff_hours), 1) p
	WHERE d.newest IS NOT NULL
$$;
