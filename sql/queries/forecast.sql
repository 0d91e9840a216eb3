-- forecast.sql: what will be, what came of it, what was unusual, and where things go.

-- name: forecast_missing
-- Why there is no forecast of the night, or which parameter nobody has figures of.
WITH scope AS (
	SELECT * FROM report_scope(NULL, NULL, NULL, 1, :currency)
), run AS (
	SELECT f.* FROM scope s, LATERAL forecast_of_night(:metric, :granularity, s.currency, :location_id::int,
	                                                   s.today + coalesce(:days::int, 1) - 1) f
)
SELECT CASE WHEN NOT EXISTS (SELECT FROM site) THEN 'the batch has not run yet: takings-batch run'
            WHEN x.field IS NOT NULL THEN 'no figures for this ' || replace(x.field, '_id', '')
            WHEN NOT x.is_known THEN format('location %s has no figures in %s: ask for its currency', :location_id::text, x.currency)
            WHEN x.is_quiet
            THEN format('there is no forecast: nothing was sold at location %s in %s within four weeks', :location_id::text, x.currency)
            WHEN NOT EXISTS (SELECT FROM run) THEN 'there is no forecast yet: the nightly run makes it'
            WHEN (SELECT status FROM run) = 'refused' THEN 'there is no forecast: ' || (SELECT reason FROM run)
            ELSE 'the newest forecast, of ' || (SELECT made_at::date FROM run)
                 || ', speaks of no day that is still to come: the batch has to run' END AS detail, x.field
FROM (SELECT CASE WHEN NOT EXISTS (SELECT FROM series) THEN NULL
                  WHEN NOT EXISTS (SELECT FROM series WHERE currency = coalesce(:currency, currency)) THEN 'currency'
                  WHEN NOT EXISTS (SELECT FROM series WHERE location_id = coalesce(:location_id::int, location_id)) THEN 'location_id'
                  WHEN NOT EXISTS (SELECT FROM series WHERE currency = coalesce(:currency, currency)
                                     AND location_id = coalesce(:location_id::int, location_id)) THEN 'currency'
             END AS field,
             (SELECT currency FROM scope) AS currency,
             :location_id::int IS NULL OR NOT EXISTS (SELECT FROM series)
             OR EXISTS (SELECT FROM series v, scope c WHERE v.currency = c.currency AND v.location_id = :location_id::int) AS is_known,
             night_location(:location_id::int) IS NOT NULL
             AND NOT EXISTS (SELECT FROM daily_revenue_cache d, scope c
                             WHERE d.location_id = :location_id::int AND d.currency = c.currency AND d.business_date > c.newest_day - 28
                               AND (d.order_count > 0 OR d.revenue_minor <> 0)) AS is_quiet) x

-- name: forecast_daily
-- The night's forecast of a metric for the next :days days, without its points. A total is given
-- where all points of the forecast are: its bands are its own, not the sum of theirs.
SELECT now() AS as_of, s.timezone AS tz, s.cutoff_hours AS cutoff, s.currency, :location_id::int AS location_id,
       :metric::text AS metric, s.today, b.first_day,
       CASE WHEN b.first_day = s.today THEN 'today' ELSE 'tomorrow' END AS first_day_is, b.reason AS first_day_reason,
       :days::int AS days_asked, d.from_day, d.to_day, d.to_day - d.from_day + 1 AS days_n,
       CASE WHEN w.words IS NULL THEN 'ok' ELSE 'stale' END AS status, w.words AS stale_reason,
       r.forecast_id, r.made_at, r.horizon, r.model, r.weights, r.flags, r.train_from, r.train_to, r.train_n,
       forecast_backtest(r) AS backtest,
       CASE WHEN d.is_all THEN forecast_band(r.total, r.total_lo80, r.total_hi80, r.total_lo95, r.total_hi95, :metric, s.currency)
            END AS total,
       CASE WHEN NOT d.is_all THEN format('known for all %s days from %s only: bands of days do not add up',
                                          r.horizon, r.first_target) END AS total_reason,
       json_build_object('n', a.n, 'wape', round(a.wape, 4), 'naive_wape', round(a.naive_wape, 4),
                         'naive_wins', a.naive_wape < a.wape,
                         'words', forecast_record_words(a.n, 91, a.wape, a.naive_wape, a.won, 'day')) AS track,
       (SELECT f.forecast_id FROM forecast_of_night('revenue', 'day', s.currency, :location_id::int, d.to_day) f) AS revenue_id,
       (SELECT f.forecast_id FROM forecast_of_night('orders', 'day', s.currency, :location_id::int, d.to_day) f) AS orders_id
FROM report_scope(NULL, NULL, NULL, 1, :currency) s,
     LATERAL forecast_first_day(now(), s.today, s.timezone, s.cutoff_hours, s.currency, :location_id::int) b,
     LATERAL forecast_of_night(:metric, 'day', s.currency, :location_id::int, b.first_day + :days::int - 1) r,
     LATERAL (SELECT x.from_day, x.to_day, x.to_day - x.from_day + 1 = r.horizon AS is_all
              FROM (SELECT greatest(b.first_day, r.first_target) AS from_day,
                           least(b.first_day + :days::int, r.first_target + r.horizon) - 1 AS to_day) x) d,
     LATERAL (SELECT forecast_staleness(r.train_to, s.newest_day, s.today) AS words) w,
     LATERAL forecast_record(:metric, 'day', s.currency, night_location(:location_id::int), NULL, 91, d.to_day - d.from_day + 1) a
WHERE r.status = 'ready' AND d.to_day >= d.from_day

-- name: forecast_daily_days
-- Its days, of revenue and of orders; the parts are those of the metric.
SELECT h.target_date AS date, to_char(h.target_date, 'FMDay') AS weekday, h.lead, h.closed,
       forecast_value(r.value, 'revenue', :currency) AS revenue,
       forecast_value(r.lo80, 'revenue', :currency) AS revenue_lo80, forecast_value(r.hi80, 'revenue', :currency) AS revenue_hi80,
       forecast_value(r.lo95, 'revenue', :currency) AS revenue_lo95, forecast_value(r.hi95, 'revenue', :currency) AS revenue_hi95,
       forecast_value(o.value, 'orders', :currency) AS orders,
       forecast_value(o.lo80, 'orders', :currency) AS orders_lo80, forecast_value(o.hi80, 'orders', :currency) AS orders_hi80,
       forecast_value(o.lo95, 'orders', :currency) AS orders_lo95, forecast_value(o.hi95, 'orders', :currency) AS orders_hi95,
       forecast_value(h.base, :metric, :currency) AS base, forecast_value(h.season, :metric, :currency) AS season_effect,
       forecast_value(h.trend, :metric, :currency) AS trend_effect, forecast_value(h.holiday, :metric, :currency) AS holiday_effect,
       h.holiday_name AS holiday,
       forecast_why('day', h.target_date, h.target_hour, h.closed, h.base, h.season, h.trend, h.holiday, h.holiday_name) AS why
FROM forecast_history h
LEFT JOIN forecast_history r ON r.forecast_id = :revenue_id::bigint AND r.target_date = h.target_date
LEFT JOIN forecast_history o ON o.forecast_id = :orders_id::bigint AND o.target_date = h.target_date
WHERE h.forecast_id = :forecast_id::bigint AND h.target_date BETWEEN :from_day::date AND :to_day::date
ORDER BY h.lead

-- name: forecast_track
-- What came of forecasts of the last 91 days, by how many days ahead they spoke.
SELECT a.lead, a.n, round(a.wape, 4) AS wape, round(a.bias, 4) AS bias, round(a.mase, 4) AS mase,
       round(a.coverage80, 4) AS coverage80, round(a.coverage95, 4) AS coverage95,
       round(a.naive_wape, 4) AS naive_wape, round(a.naive_mase, 4) AS naive_mase, a.naive_wape < a.wape AS naive_wins
FROM forecast_accuracy(:metric, 'day', :currency, night_location(:location_id::int), NULL, 91) a
WHERE a.lead <= :days_n::int ORDER BY a.lead

-- name: forecast_hourly
-- Which of the next 24 hours have a forecast, and how new it is. No row where none has.
WITH scope AS MATERIALIZED (
	SELECT * FROM report_scope(NULL, NULL, NULL, 1, :currency)
), hour AS MATERIALIZED (
	SELECT h.*, f.forecast_id
	FROM scope s, LATERAL hours_ahead(now(), s.timezone, s.cutoff_hours, 24) h
	LEFT JOIN LATERAL forecast_of_hour('orders', s.currency, :location_id::int, h.business_date, h.hour) f ON true
), known AS (
	SELECT min(starts_at) AS from_at, max(starts_at) + interval '1 hour' AS to_at, count(forecast_id)::int AS n,
	       count(*)::int AS all_n, max(forecast_id) AS forecast_id
	FROM hour
)
SELECT now() AS as_of, s.timezone AS tz, s.cutoff_hours AS cutoff, s.currency, :location_id::int AS location_id,
       k.from_at AS from, k.to_at AS to, (k.from_at AT TIME ZONE s.timezone)::date AS from_day,
       (k.from_at AT TIME ZONE s.timezone)::date AS to_day, k.n AS hours_known,
       CASE WHEN x.words IS NULL THEN 'ok' ELSE 'stale' END AS status, x.words AS stale_reason
FROM scope s, known k, forecast_run r,
     LATERAL (SELECT coalesce(forecast_staleness(r.train_to, s.newest_day, s.today),
                              CASE WHEN k.n < k.all_n THEN format('%s of the hours are beyond the newest forecast', k.all_n - k.n)
                                   END) AS words) x
WHERE r.forecast_id = k.forecast_id

-- name: forecast_hourly_hours
-- The next 24 hours from the next full one; values are NULL where no forecast reaches. An hour that
-- occurs twice has half of what is expected of both.
SELECT t.starts_at, t.business_date, (t.starts_at AT TIME ZONE s.timezone)::date AS date, t.hour,
       to_char(t.starts_at AT TIME ZONE s.timezone, 'FMDay') AS weekday, h.closed, forecast_value(h.value * t.part, 'orders', s.currency) AS orders,
       forecast_value(h.lo80 * t.part, 'orders', s.currency) AS orders_lo80,
       forecast_value(h.hi80 * t.part, 'orders', s.currency) AS orders_hi80,
       forecast_value(h.lo95 * t.part, 'orders', s.currency) AS orders_lo95,
       forecast_value(h.hi95 * t.part, 'orders', s.currency) AS orders_hi95, h.forecast_id,
       CASE WHEN h.forecast_id IS NOT NULL
            THEN forecast_why('hour', h.target_date, h.target_hour, h.closed, h.base, h.season, h.trend, h.holiday, h.holiday_name) END AS why
FROM report_scope(NULL, NULL, NULL, 1, :currency) s
CROSS JOIN LATERAL hours_ahead(now(), s.timezone, s.cutoff_hours, 24) t
LEFT JOIN LATERAL forecast_of_hour('orders', s.currency, :location_id::int, t.business_date, t.hour) h ON true
ORDER BY t.starts_at

-- name: forecast_hourly_runs
-- The forecasts that these hours come from, the newest first.
SELECT f.forecast_id, f.made_at, count(*)::int AS hours_n, f.model, f.weights, f.flags, f.train_from, f.train_to,
       f.train_n, forecast_backtest(f) AS backtest
FROM report_scope(NULL, NULL, NULL, 1, :currency) s
CROSS JOIN LATERAL hours_ahead(now(), s.timezone, s.cutoff_hours, 24) t
CROSS JOIN LATERAL forecast_of_hour('orders', s.currency, :location_id::int, t.business_date, t.hour) h
JOIN forecast_run f USING (forecast_id)
GROUP BY f.forecast_id ORDER BY f.made_at DESC, f.forecast_id DESC

-- ---- forecasts that somebody asks for ----

-- name: forecast_question
-- What a forecast would be made of now, and the one that was made of the same already. Weeks are
-- whole ones. Beside it how many were made when somebody asked within 24 hours, and when these get
-- fewer. No row where nothing was computed of the currency, the location or the item.
WITH scope AS MATERIALIZED (
	SELECT s.currency, s.cutoff_hours, s.newest_day, t.data_version, t.rules_id,
	       CASE :granularity WHEN 'weekly' THEN date_trunc('week', (s.newest_day + 1)::timestamp)::date - 1
	                         ELSE s.newest_day END AS train_to
	FROM report_scope(NULL, NULL, NULL, 1, :currency) s, site t
)
SELECT s.currency, s.cutoff_hours, s.train_to, s.train_to + 1 AS first_target, s.data_version, s.rules_id,
       (SELECT r.forecast_id FROM forecast_run r
        WHERE r.origin = 'asked' AND r.status = 'ready' AND r.data_version = s.data_version AND r.rules_id = s.rules_id
          AND r.metric = :stored_metric AND r.granularity = :stored_granularity AND r.currency = s.currency
          AND r.location_id IS NOT DISTINCT FROM :location_id::int AND r.item_id IS NOT DISTINCT FROM :item_id
          AND r.horizon = :horizon::int AND r.first_target = s.train_to + 1
          AND NOT EXISTS (SELECT FROM special_day WHERE added_at > r.made_at)
        ORDER BY r.forecast_id LIMIT 1) AS forecast_id,
       a.n AS asked_n, a.wait_s AS asked_wait_s
FROM scope s
CROSS JOIN (SELECT count(*) AS n, ceil(extract(epoch FROM min(made_at) + interval '24 hours' - now()))::bigint AS wait_s
            FROM forecast_run WHERE origin = 'asked' AND made_at > now() - interval '24 hours') a
WHERE EXISTS (SELECT FROM series x WHERE x.currency = s.currency AND (:location_id::int IS NULL OR x.location_id = :location_id::int))
  AND (:item_id IS NULL OR EXISTS (SELECT FROM item_sales_cache i
                                   WHERE i.item_id = :item_id AND i.currency = s.currency
                                     AND (:location_id::int IS NULL OR i.location_id = :location_id::int)))

-- name: forecast_series
-- The figures it learns from: a day or a week a row, oldest first.
SELECT f.day, f.day - '1970-01-01'::date AS day_n, f.value
FROM report_scope(NULL, NULL, NULL, 1, :currency) s,
     LATERAL (SELECT * FROM figure_days(:stored_metric, s.currency, :location_id::int, :item_id, s.newest_day - 3999, s.newest_day)
              WHERE :granularity = 'daily'
              UNION ALL
              SELECT * FROM figure_weeks(:stored_metric, s.currency, :location_id::int, :item_id, '1970-01-01', s.newest_day)
              WHERE :granularity = 'weekly') f
ORDER BY f.day

-- name: forecast_series_hours
-- The same for hours: those of the last 112 business days, each from its cutoff on.
SELECT f.day, f.day - '1970-01-01'::date AS day_n, f.value
FROM report_scope(NULL, NULL, NULL, 1, :currency) s,
     LATERAL figure_hours(:stored_metric, s.currency, :location_id::int, s.newest_day - 111, s.newest_day) WITH ORDINALITY
         AS f(day, hour, value, n)
ORDER BY f.n

-- name: forecast_special
-- Named days of a location or of all; those of a shop's only location are of all.
SELECT day - '1970-01-01'::date AS day_n, name FROM special_day
WHERE night_location(location_id) IS NOT DISTINCT FROM night_location(:location_id::int) OR location_id IS NULL
ORDER BY day, name

-- name: forecast_lock
-- One at a time stores what was asked: whoever waited finds what the other stored.
SELECT pg_advisory_xact_lock(hashtext('takings'), hashtext('forecast'))

-- name: forecast_add
INSERT INTO forecast_run (origin, rules_id, data_version, metric, granularity, location_id, item_id, currency, horizon,
                          status, first_target, train_from, train_to, train_n, model, weights, flags, folds, wape, mase, bias,
                          coverage80, coverage95, naive_wape, naive_mase, total, total_lo80, total_hi80, total_lo95, total_hi95)
SELECT 'asked', q.rules_id, q.data_version, q.metric, q.granularity, q.location_id, q.item_id, q.currency, q.horizon,
       'ready', q.train_to + 1, q.train_from, q.train_to, q.train_n, q.model, q.weights, q.flags, q.folds, q.wape, q.mase, q.bias,
       q.coverage80, q.coverage95, q.naive_wape, q.naive_mase, q.total, q.total_lo80, q.total_hi80, q.total_lo95, q.total_hi95
FROM jsonb_populate_record(NULL::forecast_run, :run::jsonb) q
RETURNING forecast_id

-- name: forecast_add_points
-- Of an hour that the clock repeats or leaves out, as much as it lasts.
WITH run AS MATERIALIZED (
	SELECT r.*, u.timezone, u.cutoff_hours FROM forecast_run r JOIN rules u USING (rules_id) WHERE r.forecast_id = :forecast_id::bigint
), hour AS MATERIALIZED (
	SELECT b.* FROM run r, LATERAL business_hours(r.timezone, r.cutoff_hours, r.first_target, r.first_target + r.horizon / 24) b
	WHERE r.granularity = 'hour'
), point AS (
	SELECT p.*, r.forecast_id AS id,
	       CASE r.granularity WHEN 'hour' THEN r.first_target + (p.lead - 1) / 24
	                          WHEN 'week' THEN r.first_target + 7 * (p.lead - 1)
	                          ELSE r.first_target + (p.lead - 1) END AS day,
	       CASE r.granularity WHEN 'hour' THEN ((p.lead - 1 + r.cutoff_hours) % 24)::smallint ELSE -1 END AS at_hour
	FROM run r, jsonb_populate_recordset(NULL::forecast_history, :points::jsonb) p
)
INSERT INTO forecast_history (forecast_id, lead, target_date, target_hour, value, lo80, hi80, lo95, hi95, naive, closed, base,
                              season, trend, holiday, holiday_name)
SELECT p.id, p.lead, p.day, p.at_hour, p.value * x.part, p.lo80 * x.part, p.hi80 * x.part, p.lo95 * x.part, p.hi95 * x.part,
       p.naive * x.part, p.closed, p.base * x.part, p.season * x.part, p.trend * x.part, p.holiday * x.part, p.holiday_name
FROM point p
LEFT JOIN hour h ON h.business_date = p.day AND h.hour = p.at_hour
CROSS JOIN LATERAL (SELECT coalesce(h.seconds / 3600.0, 1) AS part) x

-- name: forecast_one
-- One forecast that was made, by its id, and how good it was as far as its steps are over.
SELECT now() AS as_of, f.forecast_id, f.made_at, f.origin, CASE f.metric WHEN 'quantity' THEN 'items_sold' ELSE f.metric END AS metric,
       CASE f.granularity WHEN 'hour' THEN 'hourly' WHEN 'week' THEN 'weekly' ELSE 'daily' END AS granularity,
       f.location_id, f.item_id, f.currency, u.timezone AS tz, u.cutoff_hours AS cutoff,
       CASE f.granularity WHEN 'hour' THEN f.horizon / 24 WHEN 'week' THEN f.horizon * 7 ELSE f.horizon END AS horizon_days,
       f.horizon, CASE WHEN f.status = 'refused' THEN 'refused' WHEN w.words IS NULL THEN 'ok' ELSE 'stale' END AS status,
       coalesce(f.reason, w.words) AS reason, f.first_target, f.model, f.weights, f.flags, f.train_from, f.train_to, f.train_n,
       forecast_backtest(f) AS backtest,
       CASE WHEN f.total IS NOT NULL THEN forecast_band(f.total, f.total_lo80, f.total_hi80, f.total_lo95, f.total_hi95, f.metric, f.currency)
            END AS total,
       json_build_object('n', e.n, 'wape', round(e.wape, 4), 'bias', round(e.bias, 4), 'coverage80', round(e.coverage80, 4),
                         'coverage95', round(e.coverage95, 4), 'naive_wape', round(e.naive_wape, 4),
                         'naive_wins', e.naive_wape < e.wape) AS errors
FROM forecast_run f
JOIN rules u USING (rules_id)
CROSS JOIN (SELECT max(business_date) AS newest_day FROM daily_revenue_cache) n
CROSS JOIN LATERAL (SELECT business_date(now(), u.timezone, u.cutoff_hours) AS today OFFSET 0) t
CROSS JOIN LATERAL (SELECT forecast_staleness(CASE f.granularity WHEN 'week' THEN greatest(f.train_to, least(n.newest_day, f.train_to + 6))
                                                                 ELSE f.train_to END, n.newest_day, t.today) AS words) w
CROSS JOIN LATERAL (SELECT count(p.actual) AS n, sum(abs(p.value - p.actual)) / nullif(sum(abs(p.actual)), 0) AS wape,
                           sum(p.value - p.actual) FILTER (WHERE p.actual IS NOT NULL) / nullif(sum(abs(p.actual)), 0) AS bias,
                           avg((p.actual BETWEEN p.lo80 AND p.hi80)::int) FILTER (WHERE NOT p.closed) AS coverage80,
                           avg((p.actual BETWEEN p.lo95 AND p.hi95)::int) FILTER (WHERE NOT p.closed) AS coverage95,
                           sum(abs(p.naive - p.actual)) / nullif(sum(abs(p.actual)), 0) AS naive_wape
                    FROM forecast_history p WHERE p.forecast_id = f.forecast_id) e
WHERE f.forecast_id = :forecast_id::bigint

-- name: forecast_one_points
-- Its points, with what came of them.
SELECT p.lead, p.target_date AS date, nullif(p.target_hour, -1) AS hour, p.closed,
       forecast_value(p.value, f.metric, f.currency) AS value,
       forecast_value(p.lo80, f.metric, f.currency) AS lo80, forecast_value(p.hi80, f.metric, f.currency) AS hi80,
       forecast_value(p.lo95, f.metric, f.currency) AS lo95, forecast_value(p.hi95, f.metric, f.currency) AS hi95,
       forecast_value(p.naive, f.metric, f.currency) AS naive,
       forecast_value(p.base, f.metric, f.currency) AS base, forecast_value(p.season, f.metric, f.currency) AS season_effect,
       forecast_value(p.trend, f.metric, f.currency) AS trend_effect, forecast_value(p.holiday, f.metric, f.currency) AS holiday_effect,
       p.holiday_name AS holiday,
       forecast_why(f.granularity, p.target_date, p.target_hour, p.closed, p.base, p.season, p.trend, p.holiday, p.holiday_name) AS why,
       forecast_value(p.actual, f.metric, f.currency) AS actual, forecast_value(p.value - p.actual, f.metric, f.currency) AS error
FROM forecast_run f JOIN forecast_history p USING (forecast_id)
WHERE f.forecast_id = :forecast_id::bigint ORDER BY p.lead

-- ---- what was unusual ----

-- name: anomaly_scope
-- Which complete steps of the last :lookback_hours hours were judged: those that ended in them.
WITH ask AS MATERIALIZED (
	SELECT s.*, CASE coalesce(:granularity, CASE WHEN :metric = 'orders' AND :lookback_hours::int <= 168 THEN 'hourly' ELSE 'daily' END)
	            WHEN 'hourly' THEN 'hour' ELSE 'day' END AS grain,
	       now() - make_interval(hours => :lookback_hours::int) AS since
	FROM report_scope(NULL, NULL, NULL, 1, :currency) s
), step AS (
	SELECT x.starts_at, x.ends_at, e.flagged
	FROM ask a, expected_cache e,
	     LATERAL (SELECT step_start(e.target_date, e.target_hour, a.timezone, a.cutoff_hours) AS starts_at,
	                     step_end(e.target_date, e.target_hour, a.timezone, a.cutoff_hours) AS ends_at) x
	WHERE e.metric = :metric AND e.granularity = a.grain AND e.location_id = coalesce(night_location(:location_id::int), -1)
	  AND e.currency = a.currency AND e.target_date >= (a.since AT TIME ZONE a.timezone)::date - 2
	  AND x.ends_at > a.since AND x.ends_at <= now()
), judged AS (
	SELECT min(starts_at) AS from_at, max(ends_at) AS to_at, count(*)::int AS n, (count(*) FILTER (WHERE flagged))::int AS flagged_n
	FROM step
)
SELECT now() AS as_of, a.timezone AS tz, a.cutoff_hours AS cutoff, a.currency, :location_id::int AS location_id,
       :metric::text AS metric, CASE a.grain WHEN 'hour' THEN 'hourly' ELSE 'daily' END AS granularity, a.grain,
       :lookback_hours::int AS lookback_hours, a.since, CASE WHEN j.n = 0 THEN 'no_data' ELSE 'ok' END AS status,
       CASE WHEN j.n = 0 AND a.grain = 'hour' AND :metric <> 'orders' THEN 'hours are judged by their orders; ask for metric=orders, or granularity=daily'
            WHEN j.n = 0 THEN format('nothing that ended since %s is judged; the newest computed day is %s',
                                     to_char(a.since AT TIME ZONE a.timezone, 'YYYY-MM-DD HH24:MI'), coalesce(a.newest_day::text, 'none'))
            END AS reason,
       j.from_at AS evaluated_from, j.to_at AS evaluated_to, j.n AS steps_judged, j.flagged_n AS steps_flagged,
       :sensitivity::numeric AS sensitivity
FROM ask a, judged j

-- name: anomaly_incidents
-- What was unusual in them, the newest first.
SELECT a.anomaly_id, a.kind, x.starts_at AS from, x.ends_at AS to, a.first_date, nullif(a.first_hour, -1) AS first_hour,
       a.last_date, nullif(a.last_hour, -1) AS last_hour, a.worst_date, nullif(a.worst_hour, -1) AS worst_hour, a.steps,
       forecast_value(a.actual, a.metric, a.currency) AS actual, forecast_value(a.expected, a.metric, a.currency) AS expected,
       forecast_value(a.lo, a.metric, a.currency) AS lo, forecast_value(a.hi, a.metric, a.currency) AS hi,
       round((a.actual - a.expected) / nullif(a.expected, 0) * 100, 2) AS deviation, round(a.score, 2) AS score,
       round(a.p, 6) AS p, anomaly_why(a) AS reason, c.contribution, a.special_name AS holiday,
       a.alert, a.noticed_at
FROM anomaly a,
     LATERAL (SELECT step_start(a.first_date, a.first_hour, :tz, :cutoff::int) AS starts_at,
                     step_end(a.last_date, a.last_hour, :tz, :cutoff::int) AS ends_at) x,
     LATERAL (SELECT (SELECT json_build_object('dimension', r.dimension, 'id', r.id, 'name', r.name,
                                               'actual', forecast_value(r.actual, a.metric, a.currency),
                                               'expected', forecast_value(r.expected, a.metric, a.currency), 'share', round(r.share, 4))
                      FROM jsonb_to_recordset(a.contribution)
                           AS r(dimension text, id text, name text, actual numeric, expected numeric, share numeric)
                      ORDER BY r.share DESC NULLS LAST LIMIT 1) AS contribution) c
WHERE a.metric = :metric AND a.granularity = :grain AND a.location_id = coalesce(night_location(:location_id::int), -1) AND a.currency = :currency
  AND a.last_date >= (:since::timestamptz AT TIME ZONE :tz)::date - 2 AND x.ends_at > :since::timestamptz
ORDER BY x.ends_at DESC, a.anomaly_id DESC

-- ---- where things go ----

-- name: trend_series
-- The figures of the days asked for, a day or a week a row, oldest first. No row where there are none.
SELECT f.day, f.day - '1970-01-01'::date AS day_n, f.value
FROM report_scope(NULL, :from::date, :to::date, :days::int, :currency) s,
     LATERAL (SELECT * FROM figure_days(:metric, s.currency, :location_id::int, NULL, s.from_day, least(s.to_day, s.newest_day))
              WHERE :granularity = 'daily'
              UNION ALL
              SELECT * FROM figure_weeks(:metric, s.currency, :location_id::int, NULL, s.from_day, least(s.to_day, s.newest_day))
              WHERE :granularity = 'weekly') f
ORDER BY f.day

-- name: trend_answer
-- What was found in them. Slopes come a step, and go as a step, a week and in percent of the mean.
SELECT now() AS as_of, s.timezone AS tz, s.cutoff_hours AS cutoff, s.currency, :location_id::int AS location_id,
       :metric::text AS metric, :granularity::text AS granularity, :first_step::date AS from_date,
       :last_step::date + t.step_days - 1 AS to_date,
       :steps::int AS steps, :direction::text AS direction,
       CASE :direction
       WHEN 'none' THEN 'no clear trend'
       ELSE format('%s by %s %% a week', :direction, abs(round(x.week * 100, 2))) END AS words,
       forecast_value(t.slope, :metric, s.currency) AS slope, forecast_value(t.lo, :metric, s.currency) AS slope_lo,
       forecast_value(t.hi, :metric, s.currency) AS slope_hi,
       forecast_value(t.slope * t.per_week, :metric, s.currency) AS slope_week,
       forecast_value(t.lo * t.per_week, :metric, s.currency) AS slope_week_lo,
       forecast_value(t.hi * t.per_week, :metric, s.currency) AS slope_week_hi,
       round(x.week * 100, 2) AS slope_week_percent,
       round(t.lo * t.per_week / nullif(t.mean, 0) * 100, 2) AS slope_week_percent_lo,
       round(t.hi * t.per_week / nullif(t.mean, 0) * 100, 2) AS slope_week_percent_hi,
       round(x.week / t.per_week * 100, 2) AS slope_percent, forecast_value(t.mean, :metric, s.currency) AS mean,
       round(:p::numeric, 6) AS p
FROM report_scope(NULL, NULL, NULL, 1, :currency) s,
     LATERAL (SELECT :slope::numeric AS slope, :slope_lo::numeric AS lo, :slope_hi::numeric AS hi, :mean::numeric AS mean,
                     CASE :granularity WHEN 'weekly' THEN 1 ELSE 7 END AS per_week,
                     CASE :granularity WHEN 'weekly' THEN 7 ELSE 1 END AS step_days) t,
     LATERAL (SELECT t.slope * t.per_week / nullif(t.mean, 0) AS week) x

-- name: trend_changes
-- Where the level changed, oldest first.
SELECT (:first_step::date + c.at * CASE :granularity WHEN 'weekly' THEN 7 ELSE 1 END) AS date,
       forecast_value(c.before, :metric, s.currency) AS before, forecast_value(c.after, :metric, s.currency) AS after,
       CASE WHEN c.before > 0 THEN round((c.after - c.before) / c.before * 100, 2) END AS change
FROM report_scope(NULL, NULL, NULL, 1, :currency) s,
     jsonb_to_recordset(:changes::jsonb) AS c(at int, before numeric, after numeric)
ORDER BY c.at
