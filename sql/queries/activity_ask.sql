-- activity_ask.sql: questions about activity and what orders came to beside it (docs/ACTIVITY.md). Whatever is asked,
-- these are the statements: a question is a value to them.

-- name: ask_scope
-- The range that is meant, and by which clock its buckets go: the site's, or that of another zone from midnight to
-- midnight. Days are their beginnings; without any the last 30 business days with today. No row before anything is known.
SELECT k.zone_known, z.zone AS step_zone, z.cutoff AS step_cutoff, t.from_at, t.to_at,
       (extract(epoch FROM t.from_at) * 1000000)::bigint AS from_us, (extract(epoch FROM t.to_at) * 1000000)::bigint AS to_us,
       activity_order_currency(:code) AS currency
FROM activity_clock() c,
     LATERAL (SELECT :timezone::text IS NULL OR :timezone::text = c.zone OR EXISTS (SELECT FROM pg_timezone_names WHERE name = :timezone::text) AS zone_known OFFSET 0) k,
     LATERAL (SELECT CASE WHEN k.zone_known THEN coalesce(:timezone::text, c.zone) ELSE c.zone END AS zone,
                     CASE WHEN coalesce(:timezone::text, c.zone) = c.zone THEN c.cutoff ELSE 0 END AS cutoff OFFSET 0) z,
     LATERAL (SELECT business_date(now(), z.zone, z.cutoff) AS today OFFSET 0) d,
     LATERAL (SELECT coalesce(:from_at::timestamptz, business_day_start(z.zone, z.cutoff, coalesce(:from_day::date, d.today - 29))) AS from_at,
                     coalesce(:to_at::timestamptz, business_day_start(z.zone, z.cutoff, coalesce(:to_day::date + :to_more::int, d.today + 1))) AS to_at OFFSET 0) t

-- name: ask_dimensions
SELECT dimension_id, name FROM activity_dimension ORDER BY dimension_id

-- name: ask_catalogue
SELECT now() AS as_of, :metrics::json AS metrics,
       (SELECT coalesce(json_agg(event_type ORDER BY event_type), '[]') FROM activity_type WHERE first_at IS NOT NULL) AS event_types, true AS is_live

-- name: ask_catalogue_dimensions
SELECT d.name, d.meaning, d.property, (SELECT count(*) FROM activity_value v WHERE v.dimension_id = d.dimension_id AND v.value NOT IN ('', '(other)')) AS value_count
FROM activity_dimension d ORDER BY d.dimension_id

-- name: ask_answer
SELECT now() AS as_of,
       activity_range(q.question) AS range,
       q.question ->> 'step_zone' AS tz, q.question ->> 'currency' AS currency, q.question ->> 'step' AS granularity, :metrics::json AS metrics, :dimensions::json AS dimensions,
       a.rows, a.totals, CASE WHEN a.base IS NOT NULL THEN json_build_object('from', a.base -> 'from', 'to', a.base -> 'to', 'totals', a.base_totals) END AS comparison,
       coalesce(a.buckets, '[]') AS buckets, a.groups_n AS group_count, a.sources AS source, a.exact, a.is_live
FROM (SELECT :question::jsonb AS question OFFSET 0) q, activity_answer(q.question) a

-- name: ask_revenue
-- Revenue day by day, in all, and by what orders are told apart by.
SELECT now() AS as_of,
       activity_range(q.question) AS range,
       q.question ->> 'step_zone' AS tz, q.question ->> 'currency' AS currency, q.question ->> 'step' AS granularity,
       a.rows AS series, a.totals AS total, CASE WHEN a.base IS NOT NULL THEN json_build_object('from', a.base -> 'from', 'to', a.base -> 'to', 'totals', a.base_totals) END AS comparison,
       c.rows AS by_category, p.rows AS by_product, r.rows AS by_region, a.is_live
FROM (SELECT :question::jsonb AS question, '{"step": "none", "metrics": ["revenue", "orders"], "by_day": true}'::jsonb AS part OFFSET 0) q,
     activity_answer(q.question) a,
     activity_answer(q.question || q.part || '{"names": ["category"], "groups": [6]}') c,
     activity_answer(q.question || q.part || '{"names": ["product"], "groups": [7]}') p,
     activity_answer(q.question || q.part || '{"names": ["region"], "groups": [8]}') r

-- name: ask_orders
-- Orders by the status they have now are all that were placed.
SELECT now() AS as_of,
       activity_range(q.question) AS range,
       q.question ->> 'step_zone' AS tz, q.question ->> 'currency' AS currency, q.question ->> 'step' AS granularity,
       a.rows AS series, a.totals AS total, CASE WHEN a.base IS NOT NULL THEN json_build_object('from', a.base -> 'from', 'to', a.base -> 'to', 'totals', a.base_totals) END AS comparison,
       s.by_status AS orders_by_status, s.items_per_order, a.is_live
FROM (SELECT :question::jsonb AS question OFFSET 0) q, activity_answer(q.question) a,
     activity_order_statuses((q.question ->> 'from')::timestamptz, (q.question ->> 'to')::timestamptz, q.question ->> 'currency') s

-- name: ask_users
-- People are counted as sets: of each day, of the last 7 and of the last 30 days of the range.
SELECT now() AS as_of,
       activity_range(q.question) AS range,
       q.question ->> 'step_zone' AS tz, q.question ->> 'step' AS granularity,
       a.rows AS series, a.totals AS total, CASE WHEN a.base IS NOT NULL THEN json_build_object('from', a.base -> 'from', 'to', a.base -> 'to', 'totals', a.base_totals) END AS comparison,
       u.daily AS daily_users, u.weekly AS weekly_users, u.monthly AS monthly_users, half_even(u.daily_exact * 100 / nullif(u.monthly, 0), 1) AS stickiness, a.is_live
FROM (SELECT :question::jsonb AS question OFFSET 0) q, activity_answer(q.question) a, activity_active((q.question ->> 'to')::timestamptz) u

-- name: region_list
SELECT location_id, region FROM location_region ORDER BY location_id

-- name: region_set
-- Answers about orders change with it: whoever remembers them hears of it.
INSERT INTO location_region (location_id, region) VALUES (:location::int, :region)
ON CONFLICT (location_id) DO UPDATE SET region = excluded.region
RETURNING pg_notify('takings_activity', (SELECT version::text FROM activity_site))

-- name: region_remove
DELETE FROM location_region WHERE location_id = :location::int RETURNING pg_notify('takings_activity', (SELECT version::text FROM activity_site))
