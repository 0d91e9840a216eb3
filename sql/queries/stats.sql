-- stats.sql: what /metrics tells of the tables.

-- name: stats_state
-- One row; NULL where there is nothing yet.
SELECT s.data_version, extract(epoch FROM n.day::timestamp)::bigint AS newest_day,
       (SELECT greatest(0, extract(epoch FROM now() - ends_at))::bigint
        FROM business_days(r.timezone, r.cutoff_hours, n.day, n.day)) AS days_lag_s,
       greatest(0, extract(epoch FROM now() - coalesce(o.at, p.at)))::bigint AS order_lag_s,
       (b.status IN ('ok', 'nothing'))::int AS run_ok, (b.status = 'failed')::int AS run_failed,
       (b.status = 'interrupted')::int AS run_interrupted,
       extract(epoch FROM b.finished_at - b.started_at)::numeric(12, 3) AS run_seconds,
       greatest(0, extract(epoch FROM now() - b.finished_at))::bigint AS run_age_s
FROM (SELECT max(business_date) AS day FROM daily_revenue_cache) n
LEFT JOIN site s ON true
LEFT JOIN rules r USING (rules_id)
LEFT JOIN heartbeat o ON o.component = 'order_db' AND o.status = 'ok'
LEFT JOIN (SELECT max(started_at) AS at FROM batch_run WHERE snapshot IS NOT NULL AND status = 'ok') p ON true
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
