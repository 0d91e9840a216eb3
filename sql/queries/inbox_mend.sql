-- inbox_mend.sql: messages of the inbox that are dead: looked at, replayed, replaced, dropped.

-- name: inbox_replay
-- Dead rows as they are: open again, and tried as often as new ones. Of one id, or of one reason, or of all
-- (all NULL); up to the row `until`, if any. What they died of stays to be read until they do better.
WITH back AS (
	UPDATE event_log SET dead_at = NULL, attempts = 0, next_attempt_at = now()
	WHERE NOT processed AND dead_at IS NOT NULL
	  AND (:id::bigint IS NULL OR id = :id::bigint)
	  AND (:field::text IS NULL OR error_field = :field)
	  AND (:error::text IS NULL OR last_error = :error)
	  AND (:reason::text IS NULL OR last_error = :reason OR error_field = :reason)
	  AND (:until::bigint IS NULL OR id <= :until::bigint)
	RETURNING id
)
SELECT count(*) AS n, coalesce(array_agg(id), '{}')::text AS ids, pg_notify('takings_inbox', '')::text AS told FROM back

-- name: inbox_drop
-- Dead rows that shall count for nothing; which, as of inbox_replay.
WITH gone AS (
	UPDATE event_log SET processed = true, processed_at = now(), dropped_at = now()
	WHERE NOT processed AND dead_at IS NOT NULL
	  AND (:id::bigint IS NULL OR id = :id::bigint)
	  AND (:field::text IS NULL OR error_field = :field)
	  AND (:error::text IS NULL OR last_error = :error)
	  AND (:until::bigint IS NULL OR id <= :until::bigint)
	RETURNING 1
)
SELECT count(*) AS n FROM gone

-- name: inbox_lock
SELECT event_type, NOT processed AND dead_at IS NOT NULL AS dead FROM event_log WHERE id = :id::bigint FOR UPDATE

-- name: inbox_replace
UPDATE event_log SET processed = true, processed_at = now(), replaced_by = :by::bigint
WHERE id = :id::bigint AND NOT processed AND dead_at IS NOT NULL

-- name: inbox_revive
-- A correction can say what a row says that is there already. If that one is without effect, it is open again.
UPDATE event_log SET processed = false, processed_at = NULL, replaced_by = NULL, dropped_at = NULL, dead_at = NULL,
       attempts = 0, next_attempt_at = now()
WHERE id = :id::bigint AND (NOT processed AND dead_at IS NOT NULL OR replaced_by IS NOT NULL OR dropped_at IS NOT NULL)
RETURNING pg_notify('takings_inbox', '')::text AS told

-- name: inbox_progress
-- What became of these rows: `retried` will be tried again later.
SELECT count(*) AS n, count(*) FILTER (WHERE processed) AS accepted,
       count(*) FILTER (WHERE NOT processed AND dead_at IS NOT NULL) AS refused,
       count(*) FILTER (WHERE NOT processed AND dead_at IS NULL AND attempts > 0) AS retried,
       count(*) FILTER (WHERE NOT processed AND dead_at IS NULL AND attempts = 0) AS waiting,
       stream_works()
FROM event_log
WHERE id = ANY (:ids::bigint[])

-- name: inbox_text
-- A message as it came: `text`, or where that is no JSON its bytes.
SELECT event_data AS text, encode(raw, 'hex') AS raw FROM event_log WHERE id = :message_id::bigint
