-- quarantine.sql: events that were kept apart, and what becomes of them. Which: one by its id, else all of a reason, a field
-- and up to a row, each where it is given.

-- name: quarantine_drop
UPDATE activity_quarantine SET decided_at = now(), decision = 'dropped'
WHERE decided_at IS NULL AND (:id::bigint IS NULL OR quarantine_id = :id::bigint) AND (:reason::text IS NULL OR reason = :reason)
  AND (:field::text IS NULL OR field = :field) AND (:until::bigint IS NULL OR quarantine_id <= :until::bigint)

-- name: quarantine_claim
-- The next of them, a piece at a time.
SELECT quarantine_id, payload
FROM activity_quarantine
WHERE decided_at IS NULL AND (:id::bigint IS NULL OR quarantine_id = :id::bigint) AND (:reason::text IS NULL OR reason = :reason)
  AND (:field::text IS NULL OR field = :field) AND (:until::bigint IS NULL OR quarantine_id <= :until::bigint)
  AND quarantine_id > :after::bigint
ORDER BY quarantine_id LIMIT 1000
FOR UPDATE

-- name: quarantine_stored
UPDATE activity_quarantine SET decided_at = now(), decision = 'stored' WHERE quarantine_id = ANY (:ids::bigint[])

-- name: quarantine_decided
SELECT decision FROM activity_quarantine WHERE quarantine_id = :id::bigint AND decided_at IS NOT NULL

-- name: quarantine_list
-- The newest of those nobody has decided on, without what a terminal would obey, and without who it is.
SELECT quarantine_id, to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS received, source,
       regexp_replace(event_type, '[[:cntrl:]]', '?', 'g') AS event_type, reason, regexp_replace(field, '[[:cntrl:]]', '?', 'g') AS field,
       regexp_replace(detail, '[[:cntrl:]]', '?', 'g') AS detail, count(*) OVER () AS n
FROM activity_quarantine
WHERE decided_at IS NULL AND (:reason::text IS NULL OR reason = :reason)
ORDER BY quarantine_id DESC LIMIT 20
