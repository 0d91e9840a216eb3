-- stream.sql: how the processes of the stream are.

-- name: stream_status_put
WITH gone AS (DELETE FROM stream_status WHERE at < now() - interval '1 hour')
INSERT INTO stream_status (instance, started_at, at, status, detail, stats)
VALUES (:instance, now(), now(), :status, :detail, :stats::jsonb)
ON CONFLICT (instance) DO UPDATE
SET at = excluded.at, status = excluded.status, detail = excluded.detail, stats = excluded.stats

-- name: stream_status_end
DELETE FROM stream_status WHERE instance = :instance
