-- night.sql: what a night makes of the days it has: series out of the cache tables, forecasts
-- and unusual days into their tables, and what came of earlier forecasts.

-- name: night_state
-- No row before there is a day with sales. `recently` keeps a run that cron starts every ten minutes
-- from failing at the same thing each time.
SELECT n.newest, n.newest - date '1970-01-01' AS newest_day, s.data_version,
       s.forecast_version IS DISTINCT FROM s.data_version AS forecasts_due,
       s.anomaly_version IS DISTINCT FROM s.data_version AS anomalies_due,
       EXISTS (SELECT FROM heartbeat WHERE component = 'forecast' AND status <> 'ok' AND at > now() - interval '1 hour') AS recently
FROM site s, (SELECT max(business_date) AS newest FROM daily_revenue_cache) n
WHERE n.newest IS NOT NULL AND EXISTS (SELECT FROM series)

-- name: night_tables
CREATE TEMP TABLE night_scope (n int PRIMARY KEY, location_id int, currency text NOT NULL, first_date date NOT NULL);
CREATE TEMP TABLE night_run (
	metric text, granularity text, location_id int, item_id text, currency text, horizon int, status text, reason text,
	first_target date, train_from date, train_to date, train_n int, model text, weights jsonb, flags jsonb, folds int,
	wape numeric, mase numeric, bias numeric, coverage80 numeric, coverage95 numeric, naive_wape numeric, naive_mase numeric,
	scale numeric, total numeric, total_lo80 numeric, total_hi80 numeric, total_lo95 numeric, total_hi95 numeric, n bigint);
CREATE TEMP TABLE night_point (
	n bigint, lead int, target_date date, target_hour int, value numeric, lo80 numeric, hi80 numeric, lo95 numeric,
	hi95 numeric, naive numeric, closed boolean, base numeric, season numeric, trend numeric, holiday numeric, holiday_name text);
CREATE TEMP TABLE night_expected (
	metric text, granularity text, location_id int, currency text, target_date date, target_hour int, actual numeric,
	expected numeric, lo numeric, hi numeric, score numeric, p numeric, flagged boolean);
CREATE TEMP TABLE night_anomaly (
	metric text, granularity text, location_id int, currency text, first_date date, first_hour int, last_date date,
	last_hour int, worst_date date, worst_hour int, steps int, kind text, actual numeric, expected numeric, lo numeric,
	hi numeric, score numeric, p numeric, alert boolean, special_name text, contribution jsonb DEFAULT '[]')

-- name: night_scopes
-- Each currency over all locations, and each location that sold in it within four weeks where there
-- are several.
INSERT INTO night_scope
SELECT row_number() OVER (ORDER BY location_id NULLS FIRST, currency) - 1, location_id, currency, first_date
FROM (SELECT NULL::int AS location_id, currency, min(first_date) AS first_date FROM series GROUP BY currency
      UNION ALL
      SELECT s.location_id, s.currency, s.first_date FROM series s
      WHERE (SELECT count(DISTINCT location_id) FROM series) > 1
        AND EXISTS (SELECT FROM daily_revenue_cache c
                    WHERE c.location_id = s.location_id AND c.currency = s.currency AND c.business_date > :newest::date - 28
                      AND (c.order_count > 0 OR c.revenue_minor <> 0))) s

-- name: night_days
-- The days of some scopes since their first sale, as lists; a day that is not computed is NaN. The
-- calendar stands among the facts rather than being joined with them: whatever the planner thinks
-- of their number, each row is touched once.
WITH scope AS MATERIALIZED (
	SELECT n, location_id, currency, greatest(first_date, :newest::date - 3999) AS first_date FROM night_scope
	WHERE n BETWEEN :first::int AND :last::int
), fact AS (
	SELECT s.n, d::date AS day, NULL::numeric AS minor, NULL::numeric AS orders
	FROM scope s, LATERAL generate_series(s.first_date::timestamp, :newest::date::timestamp, interval '1 day') d
	UNION ALL
	SELECT s.n, c.business_date, c.revenue_minor, orders_shown(:profile, c.served_count, c.order_count)
	FROM scope s JOIN daily_revenue_cache c ON c.currency = s.currency
	WHERE s.location_id IS NULL AND c.business_date BETWEEN s.first_date AND :newest::date
	UNION ALL
	SELECT s.n, c.business_date, c.revenue_minor, orders_shown(:profile, c.served_count, c.order_count)
	FROM scope s JOIN daily_revenue_cache c ON c.location_id = s.location_id AND c.currency = s.currency
	WHERE c.business_date BETWEEN s.first_date AND :newest::date
), step AS (
	SELECT n, day, coalesce(sum(minor)::text, 'NaN') AS minor, coalesce(sum(orders)::text, 'NaN') AS orders FROM fact GROUP BY n, day
)
SELECT s.location_id, s.currency, s.first_date - date '1970-01-01' AS first_day, x.n, x.revenue, x.orders
FROM (SELECT n AS scope, count(*) AS n, string_agg(minor, ',' ORDER BY day) AS revenue, string_agg(orders, ',' ORDER BY day) AS orders
      FROM step GROUP BY n) x
JOIN scope s ON s.n = x.scope
ORDER BY s.n

-- name: night_hours
-- The same of the hours of the last 112 days, 24 a day in the order of the business day. An hour
-- that the clock leaves out is unknown; of one that it repeats, half is taken.
WITH scope AS MATERIALIZED (
	SELECT n, location_id, currency, greatest(first_date, :newest::date - 111) AS first_date FROM night_scope
	WHERE n BETWEEN :first::int AND :last::int
), fact AS (
	SELECT s.n, d::date AS day, h AS hour, NULL::numeric AS orders, NULL::int AS seconds
	FROM scope s, LATERAL generate_series(s.first_date::timestamp, :newest::date::timestamp, interval '1 day') d, generate_series(0, 23) h
	UNION ALL
	SELECT s.n, c.business_date, c.hour, orders_shown(:profile, c.served_count, c.order_count), c.seconds
	FROM scope s JOIN hourly_order_cache c ON c.currency = s.currency
	WHERE s.location_id IS NULL AND c.business_date BETWEEN s.first_date AND :newest::date
	UNION ALL
	SELECT s.n, c.business_date, c.hour, orders_shown(:profile, c.served_count, c.order_count), c.seconds
	FROM scope s JOIN hourly_order_cache c ON c.location_id = s.location_id AND c.currency = s.currency
	WHERE c.business_date BETWEEN s.first_date AND :newest::date
), step AS (
	SELECT n, day, (hour - :cutoff::int + 24) % 24 AS at,
	       coalesce(round(sum(orders) * 3600.0 / nullif(max(seconds), 0), 4)::text, 'NaN') AS orders
	FROM fact GROUP BY n, day, hour
)
SELECT s.location_id, s.currency, s.first_date - date '1970-01-01' AS first_day, x.n, x.orders
FROM (SELECT n AS scope, count(*) AS n, string_agg(orders, ',' ORDER BY day, at) AS orders FROM step GROUP BY n) x
JOIN scope s ON s.n = x.scope
ORDER BY s.n

-- name: night_odd_hours
-- Hours of those days, and of the two to come, that are not 3600 seconds long.
SELECT business_date - date '1970-01-01' AS day, hour, seconds
FROM business_hours(:timezone, :cutoff::int, :newest::date - 111, :newest::date + 2)
WHERE seconds <> 3600

-- name: night_items
-- The best items of four weeks, each since its first sale; a computed day without it is 0.
WITH best AS MATERIALIZED (
	SELECT s.currency, i.item_id, f.first_date
	FROM night_scope s,
	     LATERAL report_items_ranked(:newest::date - 27, :newest::date, s.currency, NULL, 'revenue') i,
	     LATERAL (SELECT min(c.business_date) AS first_date FROM item_sales_cache c
	              WHERE c.item_id = i.item_id AND c.currency = s.currency AND c.business_date > :newest::date - 4000) f
	WHERE s.location_id IS NULL AND i.rank <= :items::int
), fact AS (
	SELECT b.currency, b.item_id, c.business_date AS day, c.revenue_minor AS minor, c.quantity, false AS computed
	FROM best b JOIN item_sales_cache c ON c.item_id = b.item_id AND c.currency = b.currency
	WHERE c.business_date BETWEEN b.first_date AND :newest::date
	UNION ALL
	SELECT b.currency, b.item_id, d::date, 0, 0, false
	FROM best b, LATERAL generate_series(b.first_date::timestamp, :newest::date::timestamp, interval '1 day') d
	UNION ALL
	SELECT b.currency, b.item_id, c.business_date, 0, 0, true
	FROM (SELECT DISTINCT currency, business_date FROM daily_revenue_cache WHERE business_date >= (SELECT min(first_date) FROM best)) c
	JOIN best b ON b.currency = c.currency AND c.business_date BETWEEN b.first_date AND :newest::date
), step AS (
	SELECT currency, item_id, day, CASE WHEN bool_or(computed) THEN sum(minor)::text ELSE 'NaN' END AS minor,
	       CASE WHEN bool_or(computed) THEN sum(quantity)::text ELSE 'NaN' END AS quantity
	FROM fact GROUP BY currency, item_id, day
)
SELECT currency, item_id, min(day) - date '1970-01-01' AS first_day, count(*) AS n,
       string_agg(minor, ',' ORDER BY day) AS revenue, string_agg(quantity, ',' ORDER BY day) AS quantity
FROM step GROUP BY currency, item_id ORDER BY currency, item_id

-- name: night_special
-- Of a shop with one location, the days of that location are days of the whole.
SELECT day - date '1970-01-01' AS day, name,
       CASE WHEN (SELECT count(DISTINCT location_id) FROM series) > 1 THEN location_id END AS location_id
FROM special_day ORDER BY 1, 2

-- name: night_forecasts_count
-- Nobody else tells the planner how much is in temporary tables.
ANALYZE night_run; ANALYZE night_point

-- name: night_anomalies_count
ANALYZE night_scope; ANALYZE night_expected; ANALYZE night_anomaly

-- name: night_write_runs
INSERT INTO forecast_run (made_at, origin, run_id, rules_id, data_version, metric, granularity, location_id, item_id, currency,
                          horizon, status, reason, first_target, train_from, train_to, train_n, model, weights, flags, folds,
                          wape, mase, bias, coverage80, coverage95, naive_wape, naive_mase, scale, total, total_lo80,
                          total_hi80, total_lo95, total_hi95)
SELECT now(), 'night', :run_id::bigint, s.rules_id, s.data_version, r.metric, r.granularity, r.location_id, r.item_id, r.currency,
       r.horizon, r.status, r.reason, r.first_target, r.train_from, r.train_to, r.train_n, r.model, r.weights, r.flags, r.folds,
       r.wape, r.mase, r.bias, r.coverage80, r.coverage95, r.naive_wape, r.naive_mase, r.scale, r.total, r.total_lo80,
       r.total_hi80, r.total_lo95, r.total_hi95
FROM night_run r, site s ORDER BY r.n

-- name: night_write_points
INSERT INTO forecast_history (forecast_id, lead, target_date, target_hour, value, lo80, hi80, lo95, hi95, naive, closed,
                              base, season, trend, holiday, holiday_name)
SELECT f.forecast_id, p.lead, p.target_date, p.target_hour, p.value, p.lo80, p.hi80, p.lo95, p.hi95, p.naive, p.closed,
       p.base, p.season, p.trend, p.holiday, p.holiday_name
FROM night_point p
JOIN (SELECT r.n, f.forecast_id
      FROM night_run r
      JOIN forecast_run f ON f.metric = r.metric AND f.granularity = r.granularity AND f.currency = r.currency AND f.horizon = r.horizon
       AND coalesce(f.location_id, -1) = coalesce(r.location_id, -1) AND coalesce(f.item_id, '') = coalesce(r.item_id, '')
       AND (f.item_id IS NULL) = (r.item_id IS NULL)
      WHERE f.run_id = :run_id::bigint AND f.origin = 'night' AND f.made_at = now()) f USING (n)
ORDER BY f.forecast_id, p.lead

-- name: night_forecasts_done
WITH done AS (UPDATE site SET forecast_version = data_version RETURNING data_version)
SELECT pg_notify('takings_data', data_version::text) FROM done

-- name: night_fill
-- What came of steps that are computed by now, and of those whose days were written again since the
-- last time. Made by other rules, a forecast is of other days and stays as it is.
WITH here AS MATERIALIZED (
	SELECT s.rules_id, s.filled_run, r.revenue_profile FROM site s JOIN rules r USING (rules_id)
), moved AS MATERIALIZED (
	SELECT DISTINCT c.business_date AS day FROM here, daily_revenue_cache c
	WHERE c.run_id > here.filled_run AND c.business_date >= (SELECT min(target_date) FROM forecast_history)
), look AS MATERIALIZED (
	SELECT forecast_id, lead FROM forecast_history
	WHERE actual IS NULL AND target_date <= (SELECT max(business_date) FROM daily_revenue_cache)
	UNION
	SELECT h.forecast_id, h.lead
	FROM (SELECT day FROM moved UNION SELECT date_trunc('week', day::timestamp)::date FROM moved) m
	JOIN forecast_history h ON h.target_date = m.day
), step AS MATERIALIZED (
	SELECT f.metric, f.granularity, f.currency, f.location_id, f.item_id, h.target_date, h.target_hour, here.revenue_profile,
	       array_agg(h.forecast_id ORDER BY h.forecast_id, h.lead) AS ids, array_agg(h.lead ORDER BY h.forecast_id, h.lead) AS leads
	FROM here, look JOIN forecast_history h USING (forecast_id, lead) JOIN forecast_run f USING (forecast_id)
	WHERE f.rules_id = here.rules_id
	GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), found AS MATERIALIZED (
	SELECT ids, leads, forecast_actual(metric, granularity, currency, location_id, item_id, target_date, target_hour, revenue_profile) AS actual
	FROM step
)
UPDATE forecast_history h SET actual = x.actual, filled_at = now()
FROM (SELECT unnest(ids) AS forecast_id, unnest(leads) AS lead, actual FROM found WHERE actual IS NOT NULL) x
WHERE h.forecast_id = x.forecast_id AND h.lead = x.lead AND h.actual IS DISTINCT FROM x.actual

-- name: night_filled
UPDATE site SET filled_run = :run_id::bigint

-- name: night_says
SELECT pg_notify('takings_data', data_version::text) FROM site

-- name: night_expected_drop
-- Steps of the days looked at that are no longer judged.
DELETE FROM expected_cache e USING night_scope s
WHERE e.location_id = coalesce(s.location_id, -1) AND e.currency = s.currency
  AND e.target_date >= :newest::date - CASE e.granularity WHEN 'day' THEN :days::int ELSE :hour_days::int END + 1
  AND NOT EXISTS (SELECT FROM night_expected n
                  WHERE (n.metric, n.granularity, n.location_id, n.currency, n.target_date, n.target_hour)
                      = (e.metric, e.granularity, e.location_id, e.currency, e.target_date, e.target_hour))

-- name: night_expected_put
INSERT INTO expected_cache (metric, granularity, location_id, currency, target_date, target_hour, actual, expected, lo, hi, score,
                            p, flagged, run_id)
SELECT *, :run_id::bigint FROM night_expected
ON CONFLICT (metric, granularity, location_id, currency, target_date, target_hour) DO UPDATE
SET actual = excluded.actual, expected = excluded.expected, lo = excluded.lo, hi = excluded.hi, score = excluded.score,
    p = excluded.p, flagged = excluded.flagged, run_id = excluded.run_id
WHERE (expected_cache.actual, expected_cache.expected, expected_cache.lo, expected_cache.hi, expected_cache.score, expected_cache.p,
       expected_cache.flagged)
      IS DISTINCT FROM (excluded.actual, excluded.expected, excluded.lo, excluded.hi, excluded.score, excluded.p, excluded.flagged)

-- name: night_anomaly_cut
-- The first step of the window may be the midst of an incident that is known as a whole.
DELETE FROM night_anomaly n USING anomaly a
WHERE n.first_date = :newest::date - CASE n.granularity WHEN 'day' THEN :days::int ELSE :hour_days::int END + 1
  AND (a.metric, a.granularity, a.location_id, a.currency) = (n.metric, n.granularity, n.location_id, n.currency)
  AND a.first_date < n.first_date AND a.last_date >= n.first_date

-- name: night_contribution
-- Which items, and which locations, moved most in the way of the whole, against the mean of the same
-- weekday in the eight weeks before; for incidents that are new or were something else. What is
-- expected of a day moves a little with every night: that is not worth the reading.
WITH fresh AS MATERIALIZED (
	SELECT n.metric, n.location_id, n.currency, n.first_date, n.worst_date, n.actual - n.expected AS off,
	       (SELECT array_agg(n.worst_date - 7 * g) FROM generate_series(1, 8) g) AS before,
	       (SELECT count(DISTINCT c.business_date) FROM generate_series(1, 8) g
	        JOIN daily_revenue_cache c ON c.business_date = n.worst_date - 7 * g AND c.currency = n.currency) AS weeks
	FROM night_anomaly n
	WHERE n.granularity = 'day' AND n.actual <> n.expected
	  AND NOT EXISTS (SELECT FROM anomaly a
	                  WHERE (a.metric, a.granularity, a.location_id, a.currency, a.first_date, a.worst_date, a.actual)
	                      = (n.metric, n.granularity, n.location_id, n.currency, n.first_date, n.worst_date, n.actual)
	                    AND abs(a.expected - n.expected) <= abs(n.actual - n.expected) / 20)
), part AS (
	SELECT f.metric, f.location_id, f.currency, f.first_date, 'item' AS dimension, c.item_id AS id,
	       (array_agg(c.name ORDER BY c.business_date DESC, c.location_id))[1] AS name, f.off,
	       coalesce(sum(v.value) FILTER (WHERE c.business_date = f.worst_date), 0) AS actual,
	       coalesce(sum(v.value) FILTER (WHERE c.business_date < f.worst_date), 0) / f.weeks AS expected
	FROM fresh f
	JOIN item_sales_cache c ON c.business_date = ANY (f.before || f.worst_date) AND c.currency = f.currency
	 AND (f.location_id = -1 OR c.location_id = f.location_id),
	LATERAL (SELECT CASE f.metric WHEN 'revenue' THEN c.revenue_minor ELSE c.order_count END AS value) v
	WHERE f.weeks > 0
	GROUP BY f.metric, f.location_id, f.currency, f.first_date, c.item_id, f.off, f.weeks
	UNION ALL
	SELECT f.metric, f.location_id, f.currency, f.first_date, 'location', c.location_id::text, c.location_id::text, f.off,
	       coalesce(sum(v.value) FILTER (WHERE c.business_date = f.worst_date), 0),
	       coalesce(sum(v.value) FILTER (WHERE c.business_date < f.worst_date), 0) / f.weeks
	FROM fresh f
	JOIN daily_revenue_cache c ON c.business_date = ANY (f.before || f.worst_date) AND c.currency = f.currency,
	LATERAL (SELECT CASE f.metric WHEN 'revenue' THEN c.revenue_minor ELSE orders_shown(:profile, c.served_count, c.order_count) END AS value) v
	WHERE f.weeks > 0 AND f.location_id = -1 AND (SELECT count(DISTINCT location_id) FROM series) > 1
	GROUP BY f.metric, f.location_id, f.currency, f.first_date, c.location_id, f.off, f.weeks
), ranked AS (
	SELECT *, round((actual - expected) / off, 4) AS share,
	       row_number() OVER (PARTITION BY metric, location_id, currency, first_date, dimension ORDER BY (actual - expected) / off DESC, id) AS place
	FROM part WHERE (actual - expected) / off > 0.005
), said AS (
	SELECT metric, location_id, currency, first_date,
	       jsonb_agg(jsonb_build_object('dimension', dimension, 'id', id, 'name', name, 'actual', actual, 'expected', round(expected, 2),
	                                    'share', share) ORDER BY dimension, place) AS contribution
	FROM ranked WHERE place <= 3 GROUP BY 1, 2, 3, 4
)
UPDATE night_anomaly n SET contribution = s.contribution
FROM said s
WHERE n.granularity = 'day' AND (n.metric, n.location_id, n.currency, n.first_date) = (s.metric, s.location_id, s.currency, s.first_date)

-- name: night_anomaly_drop
-- Incidents within the window that are none any more.
DELETE FROM anomaly a USING night_scope s
WHERE a.location_id = coalesce(s.location_id, -1) AND a.currency = s.currency
  AND a.first_date >= :newest::date - CASE a.granularity WHEN 'day' THEN :days::int ELSE :hour_days::int END + 1
  AND NOT EXISTS (SELECT FROM night_anomaly n
                  WHERE (n.metric, n.granularity, n.location_id, n.currency, n.first_date, n.first_hour)
                      = (a.metric, a.granularity, a.location_id, a.currency, a.first_date, a.first_hour))

-- name: night_anomaly_put
-- What is the same keeps what was said of it.
INSERT INTO anomaly (metric, granularity, location_id, currency, first_date, first_hour, last_date, last_hour, worst_date, worst_hour,
                     steps, kind, actual, expected, lo, hi, score, p, alert, special_name, contribution, run_id)
SELECT *, :run_id::bigint FROM night_anomaly
ON CONFLICT (metric, granularity, location_id, currency, first_date, first_hour) DO UPDATE
SET last_date = excluded.last_date, last_hour = excluded.last_hour, worst_date = excluded.worst_date, worst_hour = excluded.worst_hour,
    steps = excluded.steps, kind = excluded.kind, lo = excluded.lo, hi = excluded.hi, score = excluded.score, p = excluded.p,
    contribution = CASE WHEN (anomaly.worst_date, anomaly.actual) = (excluded.worst_date, excluded.actual) AND excluded.contribution = '[]'
                        THEN anomaly.contribution ELSE excluded.contribution END,
    actual = excluded.actual, expected = excluded.expected, alert = excluded.alert, special_name = excluded.special_name,
    run_id = excluded.run_id
WHERE (anomaly.last_date, anomaly.last_hour, anomaly.worst_date, anomaly.worst_hour, anomaly.steps, anomaly.kind, anomaly.actual,
       anomaly.expected, anomaly.lo, anomaly.hi, anomaly.score, anomaly.p, anomaly.alert, anomaly.special_name)
      IS DISTINCT FROM
      (excluded.last_date, excluded.last_hour, excluded.worst_date, excluded.worst_hour, excluded.steps, excluded.kind, excluded.actual,
       excluded.expected, excluded.lo, excluded.hi, excluded.score, excluded.p, excluded.alert, excluded.special_name)

-- name: night_anomalies_done
WITH done AS (UPDATE site SET anomaly_version = data_version RETURNING data_version)
SELECT pg_notify('takings_data', data_version::text) FROM done
