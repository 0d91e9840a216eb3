-- Forecasts of 41 nights, and what came of them, in place of those a night would make: the mean of
-- the same weekday of four weeks. What is asserted of the pages is computed from these rows.
TRUNCATE expected_cache, anomaly;
ALTER TABLE forecast_history DISABLE TRIGGER USER;
TRUNCATE forecast_history, forecast_run;
ALTER TABLE forecast_history ENABLE TRIGGER USER;

CREATE TEMP TABLE day AS
SELECT m.metric, m.location_id, business_date AS day, sum(CASE m.metric WHEN 'revenue' THEN revenue_minor ELSE served_count END)::numeric AS value
FROM daily_revenue_cache d, (VALUES ('revenue', NULL::int), ('orders', NULL)) m(metric, location_id)
GROUP BY 1, 2, 3;

CREATE TEMP TABLE night AS SELECT max(day) - k AS last_day FROM day, generate_series(0, 40) k GROUP BY k;

INSERT INTO forecast_run (made_at, origin, run_id, rules_id, data_version, metric, granularity, location_id, item_id, currency, horizon, status, first_target,
	train_from, train_to, train_n, model, weights, flags, folds, wape, mase, bias, coverage80, coverage95, naive_wape, naive_mase, scale,
	total, total_lo80, total_hi80, total_lo95, total_hi95)
SELECT now() - make_interval(days => (max(n.last_day) OVER () - n.last_day)), 'night', 1, rules_id, data_version, m.metric, g.granularity, NULL::int, m.item, 'EUR',
	h.horizon, 'ready', n.last_day + 1, n.last_day - 300, n.last_day, 301, 'ensemble',
	'[{"model": "HWT on a log scale", "weight": 0.41}, {"model": "weekday mean", "weight": 0.35}, {"model": "regression on a calendar", "weight": 0.24}]'::jsonb,
	'["holidays", "closed_slots"]'::jsonb, 8, 0.081, 0.72, 0.011, 0.79, 0.94, 0.124, 1.02, 100, 0, 0, 0, 0, 0
FROM site, night n,
	(VALUES ('revenue', NULL::text), ('orders', NULL)) m(metric, item),
	(VALUES ('day')) g(granularity), (VALUES (7), (30)) h(horizon)
UNION ALL
SELECT now(), 'night', 1, rules_id, data_version, 'orders', 'hour', NULL, NULL, 'EUR', 168, 'ready', n.last_day + 1, n.last_day - 111, n.last_day, 2688, 'ensemble',
	'[]', '[]', 8, 0.2, 0.8, 0, 0.8, 0.95, 0.3, 1, 1, 0, 0, 0, 0, 0 FROM site, (SELECT max(last_day) AS last_day FROM night) n
UNION ALL
SELECT now(), 'night', 1, rules_id, data_version, 'quantity', 'day', NULL, i.item_id, 'EUR', 7, 'ready', n.last_day + 1, n.last_day - 300, n.last_day, 301, 'ensemble',
	'[]', '[]', 8, 0.2, 0.8, 0, 0.8, 0.95, 0.3, 1, 1, 0, 0, 0, 0, 0
FROM site, (SELECT max(last_day) AS last_day FROM night) n,
	(SELECT item_id FROM item_sales_cache GROUP BY 1 ORDER BY sum(quantity) DESC LIMIT 15) i;

INSERT INTO forecast_history (forecast_id, lead, target_date, target_hour, value, lo80, hi80, lo95, hi95, naive, closed, base, season, trend, holiday, holiday_name, actual, error, filled_at)
SELECT r.forecast_id, l, t.day, -1, v.value, v.value - w.s, v.value + w.s, greatest(v.value - 1.6 * w.s, 0), v.value + 1.6 * w.s, coalesce(n.value, 0), v.value = 0,
	CASE WHEN v.value = 0 THEN 0 ELSE b.value END, CASE WHEN v.value = 0 THEN 0 ELSE v.value - b.value - l * b.value / 1000 - x.holiday END,
	CASE WHEN v.value = 0 THEN 0 ELSE l * b.value / 1000 END, CASE WHEN v.value = 0 THEN 0 ELSE x.holiday END, x.name, a.value, v.value - a.value, CASE WHEN a.value IS NOT NULL THEN now() END
FROM forecast_run r CROSS JOIN generate_series(1, r.horizon) l
CROSS JOIN LATERAL (SELECT r.first_target + l - 1 AS day) t
CROSS JOIN LATERAL (SELECT CASE WHEN l = 4 AND r.train_to = (SELECT max(last_day) FROM night) THEN 'St. Testing’s Day' END AS name,
                    CASE WHEN l = 4 THEN 30.0 ELSE 0 END AS holiday) x
CROSS JOIN LATERAL (SELECT coalesce(avg(value), 0) AS value FROM day d WHERE d.metric = r.metric AND d.day BETWEEN r.train_to - 27 AND r.train_to AND (t.day - d.day) % 7 = 0) m
CROSS JOIN LATERAL (SELECT avg(value) AS value FROM day d WHERE d.metric = r.metric AND d.day BETWEEN r.train_to - 27 AND r.train_to) b
CROSS JOIN LATERAL (SELECT CASE WHEN m.value = 0 THEN 0 ELSE m.value * (1 + CASE WHEN l IN (5, 6) THEN 0.4 ELSE 0 END * sin(l + extract(day FROM t.day)::int)) END::numeric AS value) v
CROSS JOIN LATERAL (SELECT v.value * (0.12 + 0.004 * l) AS s) w
LEFT JOIN day n ON n.metric = r.metric AND n.day = t.day - 7 * ((l + 6) / 7)
LEFT JOIN day a ON a.metric = r.metric AND a.day = t.day
WHERE r.granularity = 'day' AND r.item_id IS NULL;

INSERT INTO forecast_history (forecast_id, lead, target_date, target_hour, value, lo80, hi80, lo95, hi95, naive, base, season, trend, holiday)
SELECT r.forecast_id, l, r.first_target + (l - 1) / 24, (4 + l - 1) % 24, m.v, m.v * 0.7, m.v * 1.4, m.v * 0.5, m.v * 1.7, m.v, m.v, 0, 0, 0
FROM forecast_run r CROSS JOIN generate_series(1, r.horizon) l
CROSS JOIN LATERAL (SELECT coalesce(avg(served_count), 0) AS v FROM hourly_order_cache h
                    WHERE h.hour = (4 + l - 1) % 24 AND h.business_date > r.train_to - 28 AND (r.first_target + (l - 1) / 24 - h.business_date) % 7 = 0) m
WHERE r.granularity = 'hour';

INSERT INTO forecast_history (forecast_id, lead, target_date, value, lo80, hi80, lo95, hi95, naive, base, season, trend, holiday)
SELECT r.forecast_id, l, r.first_target + l - 1, m.v, m.v * 0.7, m.v * 1.4, m.v * 0.5, m.v * 1.7, m.v, m.v, 0, 0, 0
FROM forecast_run r CROSS JOIN generate_series(1, r.horizon) l
CROSS JOIN LATERAL (SELECT coalesce(sum(quantity), 0) / 4.0 AS v FROM item_sales_cache i
                    WHERE i.item_id = r.item_id AND i.business_date > r.train_to - 28 AND (r.first_target + l - 1 - i.business_date) % 7 = 0) m
WHERE r.item_id IS NOT NULL;

UPDATE forecast_run r SET total = h.v, total_lo80 = h.v - 2 * w, total_hi80 = h.v + 2 * w, total_lo95 = h.v - 3 * w, total_hi95 = h.v + 3 * w
FROM (SELECT forecast_id, sum(value) AS v, sqrt(sum((hi80 - value) * (hi80 - value))) AS w FROM forecast_history GROUP BY 1) h WHERE h.forecast_id = r.forecast_id;

-- What each day should have been; two that were not.
INSERT INTO expected_cache (metric, granularity, location_id, currency, target_date, actual, expected, lo, hi, score, p, flagged, run_id)
SELECT d.metric, 'day', -1, 'EUR', d.day, d.value * f.k, e.v, e.v * 0.75, e.v * 1.3, (d.value * f.k - e.v) / greatest(e.v, 1) * 5, 0.5, f.k <> 1, 1
FROM day d
CROSS JOIN LATERAL (SELECT coalesce(avg(value), 0) AS v FROM day x WHERE x.metric = d.metric AND x.day BETWEEN d.day - 28 AND d.day - 1 AND (d.day - x.day) % 7 = 0) e
CROSS JOIN LATERAL (SELECT CASE (SELECT max(day) FROM day) - d.day WHEN 13 THEN 0.39 WHEN 34 THEN 1.8 ELSE 1 END AS k) f
WHERE d.day > (SELECT max(day) FROM day) - 120;

INSERT INTO anomaly (metric, granularity, location_id, currency, first_date, last_date, worst_date, steps, kind, actual, expected, lo, hi, score, p, alert, contribution, run_id)
SELECT metric, granularity, location_id, currency, target_date, target_date, target_date, 1, CASE WHEN actual > expected THEN 'spike' ELSE 'drop' END,
	actual, expected, lo, hi, score, 0.001, actual < expected, '[{"dimension": "item", "id": "401", "name": "Margherita", "actual": 12, "expected": 31, "share": 0.44}]', 1
FROM expected_cache WHERE flagged;

INSERT INTO anomaly (metric, granularity, location_id, currency, first_date, first_hour, last_date, last_hour, worst_date, worst_hour, steps, kind, actual, expected, lo, hi, score, p, alert, run_id)
SELECT 'orders', 'hour', -1, 'EUR', max(day) - 8, 19, max(day) - 8, 20, max(day) - 8, 19, 2, 'outage', 0, 14.4, 8.2, 20.1, -6.1, 0.0001, true, 1 FROM day;
