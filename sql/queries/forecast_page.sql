-- forecast_page.sql: what the pages of forecasts and of unusual days ask. Money that is expected
-- is shown in whole units: its band is hundreds wide. A total is the sum of the rows shown, and
-- the parts of a row add up to it.

-- name: forecast_scope
-- The newest forecast of the night for what is asked, refused ones too, and the days of it that
-- are to come. A shop's only location is all of it. No row before the first run of the batch;
-- forecast_id NULL where there is none.
SELECT :metric::text AS metric, :metric = 'revenue' AS is_revenue, s.currency, money_exponent(s.currency) AS money_digits,
       s.timezone AS tz, s.revenue_profile, s.cutoff_hours, p.today, p.newest_day,
       to_char(make_interval(hours => s.cutoff_hours), 'HH24:MI') AS day_begins,
       l.id AS location_id, l.id IS NULL AS has_items, :currency::text AS currency_asked, :ahead::int AS ahead_n, :ahead = '1' AS is_one_ahead, false AS by_transaction,
       (SELECT count(DISTINCT location_id) > 1 FROM series x WHERE x.currency = s.currency) AS has_locations,
       f.forecast_id, f.status = 'ready' AS is_ready, f.status = 'refused' AS is_refused, f.reason, f.horizon, f.first_target,
       f.train_from, f.train_to, f.train_n, f.model, f.folds,
       half_even(f.wape * 100, 1) AS off_by, half_even(f.naive_wape * 100, 1) AS naive_off_by, f.naive_wape < f.wape AS naive_was_better,
       half_even(f.coverage80 * 100, 1) AS in_band80, half_even(f.coverage95 * 100, 1) AS in_band95, half_even(f.mase, 2) AS mase, half_even(f.bias * 100, 1) AS bias,
       f.flags ? 'short_history' AS is_short, f.flags ? 'intermittent' AS is_intermittent, f.flags ? 'holidays' AS knows_holidays,
       f.flags ? 'closed_slots' AS knows_closed, f.flags ? 'level_shift' AS is_shifted, f.flags ? 'constant' AS is_constant, f.flags ? 'filled' AS is_filled,
       f.run_id AS made_by_run, (f.made_at AT TIME ZONE s.timezone)::date AS made_date, to_char(f.made_at AT TIME ZONE s.timezone, 'HH24:MI') AS made_time,
       (f.made_at AT TIME ZONE s.timezone)::date = (now() AT TIME ZONE s.timezone)::date AS made_today,
       a.from_day, least(a.from_day + :days::int, f.first_target + f.horizon) - 1 AS to_day,
       least(a.from_day + :days::int, f.first_target + f.horizon) - a.from_day AS days_n,
       f.status = 'ready' AND least(a.from_day + :days::int, f.first_target + f.horizon) > a.from_day AS has_days,
       f.status = 'ready' AND f.first_target < p.today AS is_stale, f.status = 'ready' AND f.first_target <= p.newest_day AS is_overtaken,
       o.hours_id, d.hours_day, d.hours_day IS NOT NULL AS has_hours, d.hours_day = p.today AS has_hours_today,
       f.status IS DISTINCT FROM 'refused' AND l.id IS NOT NULL
       AND NOT EXISTS (SELECT FROM daily_revenue_cache c
                       WHERE c.location_id = l.id AND c.currency = s.currency AND c.business_date > p.newest_day - 28
                         AND (c.order_count > 0 OR c.revenue_minor <> 0)) AS is_quiet,
       w.first_day AS sold_since, w.first_day + CASE WHEN :days::int > 7 THEN 28 ELSE 14 END AS enough_on,
       CASE WHEN :days::int > 7 THEN 28 ELSE 14 END AS days_needed, :days::int > 7 AS is_long
FROM report_period('newest', NULL, NULL, NULL, 'none') p
CROSS JOIN report_scope(NULL, p.newest_day, p.newest_day, 1, :currency) s
CROSS JOIN LATERAL (SELECT CASE WHEN NOT EXISTS (SELECT FROM series WHERE location_id = :location_id::int) OR (SELECT count(DISTINCT location_id) > 1 FROM series)
                                THEN :location_id::int END AS id) l
CROSS JOIN LATERAL (SELECT min(first_date) AS first_day FROM series x
                    WHERE x.currency = s.currency AND (l.id IS NULL OR x.location_id = l.id)) w
LEFT JOIN LATERAL (
	SELECT * FROM forecast_run r
	WHERE r.origin = 'night' AND r.metric = :metric AND r.granularity = 'day' AND r.item_id IS NULL
	  AND r.location_id IS NOT DISTINCT FROM l.id AND r.currency = s.currency
	ORDER BY r.first_target DESC, CASE WHEN r.horizon = :days::int THEN 0 WHEN r.horizon > :days::int THEN 1 ELSE 2 END, r.horizon DESC, r.made_at DESC
	LIMIT 1) f ON true
LEFT JOIN LATERAL (
	SELECT r.forecast_id AS hours_id FROM forecast_run r
	WHERE r.origin = 'night' AND r.metric = 'orders' AND r.granularity = 'hour' AND r.item_id IS NULL AND r.status = 'ready'
	  AND r.location_id IS NOT DISTINCT FROM l.id AND r.currency = s.currency
	ORDER BY r.first_target DESC, r.made_at DESC
	LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT max(h.target_date) AS hours_day FROM forecast_history h
                   WHERE h.forecast_id = o.hours_id AND h.target_date BETWEEN p.today AND p.today + 1) d ON true
CROSS JOIN LATERAL (SELECT greatest(p.today, f.first_target) AS from_day) a

-- name: forecast_locations
SELECT location_id, location_id = :location_id::int AS is_shown FROM series WHERE currency = :currency ORDER BY location_id

-- name: forecast_days
-- Five weeks of what it came to and what was forecast of it :ahead days before, and the days to
-- come; newest first.
WITH figure AS MATERIALIZED (
	SELECT business_date, sum(CASE :metric WHEN 'revenue' THEN revenue_minor ELSE orders_shown(:revenue_profile, served_count, order_count) END) AS value,
	       sum(order_count) AS placed
	FROM daily_revenue_cache
	WHERE business_date BETWEEN :newest_day::date - 34 AND :newest_day::date AND currency = :currency
	  AND (:location_id::int IS NULL OR location_id = :location_id::int)
	GROUP BY business_date
), said AS MATERIALIZED (
	SELECT j.target_date, j.value, h.holiday_name, j.closed
	FROM forecast_judged(:metric, 'day', :currency, :location_id::int, NULL, 35) j
	JOIN forecast_history h USING (forecast_id, lead)
	WHERE j.lead = :ahead::int
), ahead AS MATERIALIZED (
	SELECT * FROM forecast_history WHERE forecast_id = :forecast_id::bigint AND target_date > :newest_day::date AND target_date <= :to_day::date
)
SELECT :metric::text AS metric, d::date AS date, d::date > :newest_day::date AS is_ahead, d::date = :today::date AS is_today,
       f.value IS NULL AND a.value IS NULL AS uncomputed, coalesce(f.placed = 0, a.closed, false) AS closed,
       CASE WHEN :metric = 'revenue' THEN money_of(f.value, :money_digits::int) ELSE f.value END AS actual,
       round(a.value / u.unit) AS expected, round(a.lo80 / u.unit) AS expected_from, round(a.hi80 / u.unit) AS expected_to,
       round(a.lo95 / u.unit) AS expected_least, round(a.hi95 / u.unit) AS expected_most,
       CASE WHEN NOT s.closed THEN round(s.value / u.unit) END AS expected_then,
       CASE WHEN f.value > 0 THEN half_even((s.value - f.value) * 100 / f.value, 1) END AS expected_miss,
       coalesce(a.holiday_name, s.holiday_name, (SELECT max(name) FROM special_day x
           WHERE x.day = d::date AND (x.location_id IS NULL OR x.location_id = :location_id::int))) AS holiday_name
FROM generate_series((:newest_day::date - 34)::timestamp, greatest(:to_day::date, :newest_day::date)::timestamp, interval '1 day') d
CROSS JOIN (SELECT CASE WHEN :metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u
LEFT JOIN figure f ON f.business_date = d::date
LEFT JOIN said s ON s.target_date = d::date
LEFT JOIN ahead a ON a.target_date = d::date
ORDER BY 2 DESC

-- name: forecast_ahead
-- The days to come, the next one first, and what each is made of.
SELECT :metric::text AS metric, target_date AS date, to_char(target_date, 'FMDay') AS weekday, target_date = :today::date AS is_today,
       target_date = :today::date + 1 AS is_tomorrow, closed, holiday_name,
       r.value AS expected, round(lo80 / u.unit) AS expected_from, round(hi80 / u.unit) AS expected_to,
       round(lo95 / u.unit) AS expected_least, round(hi95 / u.unit) AS expected_most,
       r.value - r.season - r.trend - r.holiday AS usual_level, r.season AS weekday_part, r.trend AS trend_part, r.holiday AS holiday_part,
       r.season > 0 AS has_more_weekday, r.trend > 0 AS has_more_trend, r.holiday > 0 AS has_more_holiday,
       r.season <> 0 AS has_weekday, r.trend <> 0 AS has_trend, r.holiday <> 0 AS has_holiday, target_date > :today::date + 27 AS is_far
FROM forecast_history h
CROSS JOIN (SELECT CASE WHEN :metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u
CROSS JOIN LATERAL (SELECT round(h.value / u.unit) AS value, round(h.season / u.unit) AS season, round(h.trend / u.unit) AS trend, round(h.holiday / u.unit) AS holiday) r
WHERE forecast_id = :forecast_id::bigint AND target_date BETWEEN :from_day::date AND :to_day::date
ORDER BY target_date

-- name: forecast_totals
-- The days to come together, the busiest of them and tomorrow, and as many days before. The band
-- of all of the horizon is its own, that of a part has the same correlation between its days.
WITH point AS MATERIALIZED (
	SELECT h.*, round(h.value / u.unit) AS shown, u.unit, h.target_date BETWEEN :from_day::date AND :to_day::date AS is_shown
	FROM forecast_history h, (SELECT CASE WHEN :metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u
	WHERE h.forecast_id = :forecast_id::bigint
), side AS (
	SELECT v.name, v.reach, bool_and(p.is_shown) AS is_all, sum(v.w) AS s1, sum(v.w * v.w) AS s2, coalesce(sum(v.w) FILTER (WHERE p.is_shown), 0) AS n1,
	       coalesce(sum(v.w * v.w) FILTER (WHERE p.is_shown), 0) AS n2
	FROM point p, forecast_run r,
	     LATERAL (VALUES ('lo80', value - lo80, r.total - r.total_lo80), ('hi80', hi80 - value, r.total_hi80 - r.total)) v(name, w, reach)
	WHERE r.forecast_id = :forecast_id::bigint
	GROUP BY v.name, v.reach
), width AS (
	SELECT max(w) FILTER (WHERE name = 'lo80') AS lo80, max(w) FILTER (WHERE name = 'hi80') AS hi80
	FROM (SELECT name, CASE WHEN is_all THEN reach ELSE sqrt((1 - c.together) * n2 + c.together * n1 * n1) END AS w
	      FROM side, LATERAL (SELECT CASE WHEN s1 * s1 > s2 THEN least(greatest((reach * reach - s2) / (s1 * s1 - s2), 0), 1) ELSE 0 END AS together) c) x
), before AS (
	SELECT sum(CASE :metric WHEN 'revenue' THEN revenue_minor ELSE orders_shown(:revenue_profile, served_count, order_count) END) AS value,
	       count(DISTINCT business_date) AS n
	FROM daily_revenue_cache
	WHERE business_date BETWEEN :newest_day::date - :days_n::int + 1 AND :newest_day::date AND currency = :currency
	  AND (:location_id::int IS NULL OR location_id = :location_id::int)
), total AS (
	SELECT sum(shown) AS shown, sum(value) AS value, count(*) AS n, max(unit) AS unit, count(*) FILTER (WHERE closed) AS closed_n FROM point WHERE is_shown
)
SELECT :metric::text AS metric, t.shown AS expected, greatest(round((t.value - w.lo80) / t.unit), 0) AS expected_from, round((t.value + w.hi80) / t.unit) AS expected_to,
       g.rate AS expected_change, g.status = 'ok' AS has_change, t.closed_n, t.closed_n > 0 AS has_closed, t.closed_n = 1 AS is_one_closed
FROM total t CROSS JOIN width w CROSS JOIN before b
CROSS JOIN LATERAL growth(t.value, t.n, b.value, b.n, t.n::int) g
WHERE t.n > 0

-- name: forecast_peak
-- The busiest day to come and, where they are another, tomorrow and its weekday before.
SELECT :metric::text AS metric, target_date AS date, to_char(target_date, 'FMDay') AS weekday, holiday_name, closed,
       round(value / u.unit) AS expected, round(lo80 / u.unit) AS expected_from, round(hi80 / u.unit) AS expected_to,
       nth = 1 AS is_busiest, target_date = :today::date + 1 AS is_tomorrow
FROM (SELECT h.*, row_number() OVER (ORDER BY value DESC, target_date) AS nth FROM forecast_history h
      WHERE forecast_id = :forecast_id::bigint AND target_date BETWEEN :from_day::date AND :to_day::date) p
CROSS JOIN (SELECT CASE WHEN :metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u
WHERE nth = 1 OR target_date = :today::date + 1
ORDER BY nth

-- name: forecast_hours
-- Orders of tomorrow by hour, or of today where the forecast reaches no further, in the order of the business day.
SELECT h.target_hour AS hour, trim_scale(round(sum(h.value), 1)) AS orders_expected,
       trim_scale(round(sum(h.lo80), 1)) AS orders_from, trim_scale(round(sum(h.hi80), 1)) AS orders_to
FROM forecast_history h
WHERE h.forecast_id = :hours_id::bigint AND h.target_date = :hours_day::date AND h.target_hour >= 0
GROUP BY h.target_hour ORDER BY (h.target_hour - :cutoff_hours::int + 24) % 24

-- name: forecast_items
-- What will be sold of each item in the week to come, the most first, beside the week before.
WITH newest AS (
	SELECT DISTINCT ON (r.item_id) r.forecast_id, r.item_id
	FROM forecast_run r
	WHERE r.origin = 'night' AND r.metric = 'quantity' AND r.granularity = 'day' AND r.item_id IS NOT NULL AND r.status = 'ready'
	  AND r.location_id IS NOT DISTINCT FROM :location_id::int AND r.currency = :currency
	  AND r.first_target > :newest_day::date - 7
	ORDER BY r.item_id, r.first_target DESC, r.made_at DESC
), week AS (
	SELECT n.item_id, round(sum(h.value)) AS quantity, round(sum(h.naive)) AS naive, count(*) AS n
	FROM newest n JOIN forecast_history h USING (forecast_id)
	WHERE h.target_date BETWEEN :from_day::date AND :from_day::date + 6
	GROUP BY n.item_id
), sold AS (
	SELECT item_id, (array_agg(name ORDER BY business_date DESC, location_id))[1] AS name,
	       sum(quantity) FILTER (WHERE business_date > :newest_day::date - 7) AS quantity
	FROM item_sales_cache
	WHERE business_date > :newest_day::date - 90 AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)
	  AND item_id IN (SELECT item_id FROM newest)
	GROUP BY item_id
)
SELECT w.item_id, coalesce(s.name, w.item_id) AS name, w.quantity AS quantity_expected, coalesce(s.quantity, 0) AS quantity
FROM week w LEFT JOIN sold s USING (item_id)
WHERE w.n = 7
ORDER BY w.quantity DESC, lower(s.name), w.item_id LIMIT 12

-- name: forecast_record
-- How what was published came out, by how many days ahead it was said: of the last 90 days. Beside
-- it in every row what is said of all of them: where last week's day does better, and whether the
-- bands hold what they say: of fewer than forty days that would be chance.
SELECT lead, lead = min(lead) OVER () AS is_first, lead = max(lead) OVER () AS is_last, lead = 1 AS is_one_ahead, n AS days_n, n = 1 AS is_one_day, half_even(wape * 100, 1) AS off_by, half_even(naive_wape * 100, 1) AS naive_off_by,
       NOT won AS naive_wins, half_even(coverage80 * 100, 1) AS in_band80, half_even(coverage95 * 100, 1) AS in_band95,
       bool_and(won) OVER () AS has_no_loss, NOT bool_or(won) OVER () AS has_no_win, max(lead) FILTER (WHERE NOT won) OVER () > 1 AS is_lost_days,
       regexp_replace(string_agg(lead::text, ', ') FILTER (WHERE NOT won) OVER (ORDER BY lead ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING),
                      ', (\d+)$', ' and \1') AS lost_leads,
       max(n) OVER () < 28 AS is_young, half_even(part * 100, 0) AS held80, max(n) OVER () >= 40 AND part < 0.7 AS is_too_narrow, max(n) OVER () >= 40 AND part > 0.92 AS is_too_wide
FROM (SELECT a.*, sum(coverage80 * n) OVER () / nullif(sum(n) FILTER (WHERE coverage80 IS NOT NULL) OVER (), 0) AS part
      FROM forecast_accuracy(:metric, 'day', :currency, :location_id::int, NULL, 90) a WHERE lead <= :days::int) r
ORDER BY lead

-- name: forecast_weights
SELECT w.model AS name, half_even(w.weight * 100, 1) AS share
FROM forecast_run r, jsonb_to_recordset(r.weights) w(model text, weight numeric)
WHERE r.forecast_id = :forecast_id::bigint ORDER BY w.weight DESC

-- name: anomaly_state
-- What was judged of the days shown. No row before anything was.
SELECT count(*) FILTER (WHERE target_date BETWEEN :from_day::date AND :to_day::date) AS days_judged,
       count(*) FILTER (WHERE target_date BETWEEN :from_day::date AND :to_day::date) = 1 AS is_one_day,
       count(*) FILTER (WHERE target_date BETWEEN :from_day::date AND :to_day::date) > 0 AS has_days,
       max(target_date) AS last_judged, max(target_date) < :newest_day::date AS is_behind
FROM expected_cache
WHERE metric = CASE :metric WHEN 'orders' THEN 'orders' ELSE 'revenue' END AND granularity = 'day' AND currency = :currency
  AND location_id = CASE WHEN (SELECT count(DISTINCT s.location_id) > 1 FROM series s) THEN coalesce(:location_id::int, -1) ELSE -1 END
HAVING count(*) > 0

-- name: anomaly_list
-- Incidents of the days shown, the newest first. A deviation is in percent of what was expected.
SELECT a.anomaly_id, a.metric, a.metric = 'revenue' AS is_revenue, a.granularity, a.granularity = 'hour' AS is_hourly,
       a.worst_date AS date, a.worst_date, to_char(a.worst_date, 'FMDay') AS weekday, a.first_date, a.last_date, a.steps, a.steps > 1 AS has_more_steps, a.actual = 0 AS is_none,
       a.granularity = 'hour' AND a.first_date = a.last_date AS is_within_day, to_char(a.first_hour, 'FM00') || ':00–' || to_char((a.last_hour + 1) % 24, 'FM00') || ':00' AS hours_words,
       CASE WHEN a.worst_hour >= 0 THEN a.worst_hour END AS worst_hour, to_char(a.worst_hour, 'FM00') || ':00–' || to_char((a.worst_hour + 1) % 24, 'FM00') || ':00' AS hour_words,
       a.kind, a.kind = 'spike' AS is_spike, a.kind = 'drop' AS is_drop, a.kind = 'outage' AS is_outage, a.kind = 'level_shift' AS is_shift,
       CASE WHEN a.metric = 'revenue' THEN money_of(a.actual, :money_digits::int) ELSE round(a.actual) END AS actual,
       round(a.expected / u.unit, u.places) AS expected, round(a.lo / u.unit, u.places) AS expected_from, round(a.hi / u.unit, u.places) AS expected_to,
       CASE WHEN a.expected > 0 THEN half_even(abs(a.actual - a.expected) * 100 / a.expected, 0) END AS deviation_whole,
       CASE WHEN a.expected > 0 THEN half_even((a.actual - a.expected) * 100 / a.expected, 1) END AS deviation,
       a.expected > 0 AND round(a.expected / u.unit, u.places) > 0 AS has_expected, a.actual > a.expected AS is_over, a.alert, a.special_name, half_even(a.score, 1) AS score,
       t.c ->> 'dimension' AS top_dimension, coalesce(t.c ->> 'name', t.c ->> 'id') AS top_name, half_even(abs((t.c ->> 'share')::numeric) * 100, 0) AS top_percent,
       t.c IS NOT NULL AS has_top
FROM anomaly a
CROSS JOIN LATERAL (SELECT CASE WHEN a.metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit,
                           CASE WHEN a.metric = 'orders' AND a.granularity = 'hour' THEN 1 ELSE 0 END AS places) u
CROSS JOIN LATERAL (SELECT a.contribution -> 0 AS c) t
WHERE a.last_date >= :from_day::date AND a.first_date <= :to_day::date AND a.currency = :currency AND a.location_id = CASE WHEN (SELECT count(DISTINCT s.location_id) > 1 FROM series s) THEN coalesce(:location_id::int, -1) ELSE -1 END
  AND (:metric = 'all' OR a.metric = :metric) AND (:granularity = 'all' OR a.granularity = :granularity)
ORDER BY a.worst_date DESC, a.worst_hour DESC, a.anomaly_id DESC LIMIT 500

-- name: anomaly_days
-- The days judged, newest first, beside what was expected of each.
SELECT e.metric, d::date AS date, e.target_date IS NULL AS uncomputed, f.placed = 0 AS closed,
       CASE WHEN e.metric = 'revenue' THEN money_of(e.actual, :money_digits::int) ELSE round(e.actual) END AS actual,
       round(e.expected / u.unit) AS expected, round(e.lo / u.unit) AS expected_from, round(e.hi / u.unit) AS expected_to, coalesce(e.flagged, false) AS flagged,
       CASE WHEN e.expected > 0 THEN half_even(abs(e.actual - e.expected) * 100 / e.expected, 0) END AS deviation_whole, e.expected > 0 AS has_expected,
       CASE WHEN e.expected > 0 THEN half_even((e.actual - e.expected) * 100 / e.expected, 1) END AS deviation, e.actual > e.expected AS is_over
FROM generate_series(:from_day::timestamp, :last_day::timestamp, interval '1 day') d
LEFT JOIN expected_cache e ON e.target_date = d::date AND e.metric = CASE :metric WHEN 'orders' THEN 'orders' ELSE 'revenue' END AND e.granularity = 'day'
                           AND e.currency = :currency AND e.location_id = CASE WHEN (SELECT count(DISTINCT s.location_id) > 1 FROM series s) THEN coalesce(:location_id::int, -1) ELSE -1 END
LEFT JOIN LATERAL (SELECT CASE WHEN e.metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u ON true
LEFT JOIN LATERAL (SELECT sum(order_count) AS placed FROM daily_revenue_cache
                   WHERE business_date = d::date AND currency = :currency AND (:location_id::int IS NULL OR location_id = :location_id::int)) f ON true
ORDER BY 2 DESC

-- name: page_unusual
-- Days of a chart of days that were not what was expected: what its rings are drawn from.
SELECT e.metric, e.metric = 'revenue' AS is_revenue, e.target_date AS date,
       CASE WHEN e.metric = 'revenue' THEN money_of(e.actual, :money_digits::int) ELSE round(e.actual) END AS actual,
       round(e.expected / u.unit) AS expected, round(e.lo / u.unit) AS expected_from, round(e.hi / u.unit) AS expected_to,
       half_even(abs(e.actual - e.expected) * 100 / e.expected, 0) AS deviation_whole, e.actual > e.expected AS is_over
FROM expected_cache e, LATERAL (SELECT CASE WHEN e.metric = 'revenue' THEN 10 ^ :money_digits::int ELSE 1 END::numeric AS unit) u
WHERE e.flagged AND e.metric = :by AND e.granularity = 'day' AND e.currency = :currency AND e.location_id = CASE WHEN (SELECT count(DISTINCT s.location_id) > 1 FROM series s) THEN coalesce(:location_id::int, -1) ELSE -1 END AND e.expected > 0
  AND e.target_date BETWEEN CASE WHEN :is_day::boolean THEN :to_day::date - 55 ELSE :from_day::date END AND :to_day::date
ORDER BY e.target_date DESC LIMIT 100
