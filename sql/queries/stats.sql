-- stats.sql: what /metrics tells of the tables.

-- name: stats_state
-- One row; NULL where there is nothing yet.
SELECT s.data_version, extract(epoch FROM n.day::timestamp)::bigint AS newest_day,
       (SELECT greatest(0, extract(epoch FROM now() - ends_at))::bigint
        FROM business_days(r.timezone, r.cutoff_hours, n.day, n.day)) AS days_lag_s,
       greatest(0, extract(epoch FROM now() - coalesce(o.at, p.at)))::bigint AS order_lag_s,
       (SELECT greatest(0, extract(epoch FROM now() - min(stored_at)))::bigint FROM activity_batch) AS activity_lag_s,
       (SELECT greatest(0, extract(epoch FROM now() - min(created_at)))::bigint
        FROM event_log WHERE NOT processed AND dead_at IS NULL) AS inbox_lag_s,
       (SELECT greatest(0, extract(epoch FROM now() - max(last_at)))::bigint FROM activity_type) AS activity_age_s,
       (SELECT greatest(0, extract(epoch FROM now() - placed_at))::bigint FROM order_state
        WHERE born AND NOT deleted AND placed_at IS NOT NULL ORDER BY placed_at DESC LIMIT 1) AS orders_age_s,
       (SELECT greatest(0, extract(epoch FROM now() - created_at))::bigint FROM event_log ORDER BY id DESC LIMIT 1) AS bookings_age_s,
       (SELECT greatest(0, extract(epoch FROM now() - max(at)))::bigint FROM stream_status) AS stream_age_s,
       a.received, a.stored, a.duplicate, a.quarantined, a.refused,
       (b.status IN ('ok', 'nothing'))::int AS run_ok, (b.status = 'failed')::int AS run_failed,
       (b.status = 'interrupted')::int AS run_interrupted,
       extract(epoch FROM b.finished_at - b.started_at)::numeric(12, 3) AS run_seconds,
       greatest(0, extract(epoch FROM now() - b.finished_at))::bigint AS run_age_s
FROM (SELECT max(business_date) AS day FROM daily_revenue_cache) n
LEFT JOIN site s ON true
LEFT JOIN rules r USING (rules_id)
LEFT JOIN heartbeat o ON o.component = 'order_db' AND o.status = 'ok'
LEFT JOIN (SELECT max(started_at) AS at FROM batch_run WHERE snapshot IS NOT NULL AND status = 'ok') p ON true
CROSS JOIN (SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
                   coalesce(sum(quarantined), 0)::bigint AS quarantined, coalesce(sum(refused), 0)::bigint AS refused FROM activity_account) a
LEFT JOIN (SELECT * FROM batch_run WHERE status <> 'running' ORDER BY run_id DESC LIMIT 1) b ON true

-- name: stats_stream
-- The numbers of the processes of the stream that live, together: of lags, delays, the probe, and the inbox,
-- which all of them see, the greatest; -1 where none of them knows; and how many they are.
SELECT name, CASE WHEN name IN ('stream_lag_ms', 'inbox_open', 'inbox_dead', 'inbox_lag_ms', 'probe_up', 'live_delay_ms') THEN max(n)
                 ELSE coalesce(sum(n) FILTER (WHERE n >= 0), -1) END::bigint AS n
FROM (SELECT e.key AS name, e.value::numeric AS n
      FROM stream_status s, LATERAL jsonb_each_text(s.stats) e
      WHERE s.at > now() - interval '15 seconds' AND jsonb_typeof(s.stats -> e.key) = 'number') x
GROUP BY name
UNION ALL
SELECT 'stream_instances', count(*) FROM stream_status WHERE at > now() - interval '15 seconds'

-- name: stats_tables
-- A partitioned table is the sum of its parts.
SELECT c.relname AS name,
       coalesce((SELECT sum(pg_total_relation_size(t.relid))::bigint FROM pg_partition_tree(c.oid) t),
                pg_total_relation_size(c.oid)) AS bytes
FROM pg_class c
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'batch_run'::regclass)
ORDER BY 1
LIMIT 200

-- name: stats_stages
-- What went well and what did not: of the stream since its processes were started, else since ever.
WITH stream AS (
	SELECT e.key, sum(e.value::numeric)::bigint AS n
	FROM stream_status s, LATERAL jsonb_each_text(s.stats) e
	WHERE s.at > now() - interval '15 seconds' AND jsonb_typeof(s.stats -> e.key) = 'number'
	GROUP BY 1
), pair (stage, well, badly) AS (
	VALUES ('orders', 'stream_messages_total', 'stream_dead_letters_total'), ('bookings', 'inbox_processed_total', 'inbox_retries_total'),
	       ('reports', 'reports_stored_total', 'report_errors_total')
)
SELECT stage, (SELECT n FROM stream WHERE key = well) - CASE WHEN stage = 'orders' THEN coalesce((SELECT n FROM stream WHERE key = badly), 0) ELSE 0 END AS well,
       (SELECT n FROM stream WHERE key = badly) AS badly
FROM pair WHERE (SELECT n FROM stream WHERE key = well) IS NOT NULL
UNION ALL
SELECT 'tracking', coalesce(sum(stored + duplicate), 0)::bigint, coalesce(sum(quarantined + refused), 0)::bigint FROM activity_account
UNION ALL
SELECT 'batch', count(*) FILTER (WHERE status IN ('ok', 'nothing')), count(*) FILTER (WHERE status IN ('failed', 'interrupted')) FROM batch_run

-- name: stats_storage
SELECT part, bytes FROM storage_now() ORDER BY 1

-- name: stats_growth
-- By the straight line through the last 30 nights; NULL with less than two of them, or where it does not grow.
SELECT daily::bigint AS daily, CASE WHEN :limit_gb::bigint > 0 AND daily >= 1 THEN greatest(0, (:limit_gb::bigint * 1000000000 - bytes) / daily)::bigint END AS days_to_full
FROM (SELECT regr_slope(bytes, day - current_date)::numeric AS daily
      FROM (SELECT day, sum(bytes) AS bytes FROM storage_day WHERE day > current_date - 30 GROUP BY day) d) g,
     (SELECT sum(bytes) AS bytes FROM storage_now()) n
