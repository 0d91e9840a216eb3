-- health.sql: what /health is judged by, and how many connections the server lends.

-- name: health_state
-- Heartbeats say that the batch lives and whether it could open order_db; how the
-- newest run that opened it ended says whether it was also read to the end.
SELECT b.status AS batch_status, extract(epoch FROM now() - b.at)::bigint AS batch_age_s,
       o.status AS order_status, extract(epoch FROM now() - o.at)::bigint AS order_age_s,
       (SELECT status FROM batch_run WHERE snapshot IS NOT NULL AND status <> 'running'
        ORDER BY run_id DESC LIMIT 1) AS order_run_status,
       current_setting('max_connections')::int AS connections_limit,
       (SELECT max(version) FROM schema_migration) AS schema_version,
       extract(epoch FROM now() - w.at)::bigint AS web_age_s,
       t.status AS stream_status, extract(epoch FROM now() - t.at)::bigint AS stream_age_s,
       r.status AS redis_status, r.detail AS redis_detail, extract(epoch FROM now() - r.at)::bigint AS redis_age_s
FROM (SELECT) one
LEFT JOIN heartbeat b ON b.component = 'batch'
LEFT JOIN heartbeat o ON o.component = 'order_db'
LEFT JOIN heartbeat w ON w.component = 'web'
LEFT JOIN heartbeat t ON t.component = 'stream'
LEFT JOIN heartbeat r ON r.component = 'redis'
