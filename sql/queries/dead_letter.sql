-- dead_letter.sql: messages that were refused, and their second reading.

-- name: dead_letter_counts
SELECT reason, field, source, topic, count(*) AS n, count(*) FILTER (WHERE replay_wanted_at IS NOT NULL) AS wanted,
       to_char(min(received_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS first_at,
       to_char(max(received_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_at
FROM dead_letter
WHERE replayed_at IS NULL AND (:reason::text IS NULL OR reason = :reason)
GROUP BY 1, 2, 3, 4
ORDER BY n DESC, 1, 2, 3, 4
LIMIT 100

-- name: dead_letter_newest
-- What came in a message is shown without what a terminal would obey.
SELECT dead_letter_id, source, regexp_replace(topic, '[[:cntrl:]]', '?', 'g') AS topic, partition, position, reason,
       regexp_replace(field, '[[:cntrl:]]', '?', 'g') AS field, regexp_replace(detail, '[[:cntrl:]]', '?', 'g') AS detail,
       to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS received
FROM dead_letter
WHERE replayed_at IS NULL AND (:reason::text IS NULL OR reason = :reason)
ORDER BY dead_letter_id DESC
LIMIT 10

-- name: replay_tables
CREATE TEMP TABLE replay_mine (dead_letter_id bigint PRIMARY KEY)

-- name: replay_want
-- Those that were not accepted yet. Without id and reason: all of them.
WITH wanted AS (
	UPDATE dead_letter SET replay_wanted_at = now()
	WHERE replayed_at IS NULL AND (:id::bigint IS NULL OR dead_letter_id = :id::bigint)
	  AND (:reason::text IS NULL OR reason = :reason)
	RETURNING dead_letter_id
)
INSERT INTO replay_mine SELECT dead_letter_id FROM wanted

-- name: replay_progress
SELECT count(*) AS n, count(*) FILTER (WHERE replay_wanted_at IS NOT NULL) AS waiting,
       count(*) FILTER (WHERE replayed_at IS NOT NULL) AS accepted,
       count(*) FILTER (WHERE replay_wanted_at IS NULL AND replayed_at IS NULL) AS refused,
       stream_works()
FROM dead_letter JOIN replay_mine USING (dead_letter_id)

-- name: replay_claim
-- The next one that is to be read again, and that no other process reads now.
SELECT dead_letter_id, source, topic, partition, position, encode(message_key, 'hex') AS message_key,
       encode(payload, 'hex') AS payload, (extract(epoch FROM message_at) * 1000000)::bigint AS message_us
FROM dead_letter
WHERE replay_wanted_at IS NOT NULL
ORDER BY dead_letter_id
LIMIT 1
FOR UPDATE SKIP LOCKED

-- name: replay_accepted
UPDATE dead_letter SET replayed_at = now(), replay_wanted_at = NULL WHERE dead_letter_id = :id::bigint

-- name: replay_refused
UPDATE dead_letter SET replay_wanted_at = NULL, reason = :reason, field = :field, detail = person_scrub(:detail::text)
WHERE dead_letter_id = :id::bigint
