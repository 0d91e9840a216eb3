-- activity_store.sql: tracked events are stored, each once (lib/domain/activity_store.c).

-- name: activity_store_begin
-- The key, where somebody was erased. It is asked before anything is written: who erases somebody locks the list for
-- a moment, and so waits for all who have read it as it was.
SELECT nextval('activity_batch_id') AS batch_id,
       (SELECT encode(key, 'hex') FROM activity_secret WHERE EXISTS (SELECT FROM activity_suppressed)) AS key

-- name: activity_store_days
SELECT activity_partition_make(:days::date[])

-- name: activity_store_suppressed
SELECT n - 1 AS at FROM unnest(:hashes::bytea[]) WITH ORDINALITY AS h (id_hash, n) JOIN activity_suppressed USING (id_hash)

-- name: activity_store_ids
-- Ids are sorted, so that two who store the same wait for each other and not in a circle.
WITH added AS (
	INSERT INTO activity_id (event_id, seq, occurred_at, digest)
	SELECT event_id, :seq::bigint + place, timestamptz 'epoch' + occurred_us * interval '1 microsecond', digest
	FROM unnest(:ids::uuid[], :places::integer[], :occurred::bigint[], :digests::bigint[])
	     AS p (event_id, place, occurred_us, digest)
	ON CONFLICT (event_id) DO NOTHING
	RETURNING 1
)
SELECT count(*) AS added FROM added

-- name: activity_store_known
-- A statement of its own: what somebody else added meanwhile is seen by the next one only.
SELECT p.place, i.seq = :seq::bigint + p.place AS ours, i.digest
FROM unnest(:ids::uuid[], :places::integer[]) AS p (event_id, place)
JOIN activity_id i USING (event_id)

-- name: activity_store_batch
WITH batch AS (
	INSERT INTO activity_batch (batch_id, events, from_at, to_at)
	VALUES (:batch_id::bigint, :events::integer, timestamptz 'epoch' + :from_us::bigint * interval '1 microsecond',
	        timestamptz 'epoch' + :to_us::bigint * interval '1 microsecond')
	RETURNING batch_id
)
SELECT pg_notify('takings_activity_stored', '') FROM batch

-- name: activity_store_quarantine
INSERT INTO activity_quarantine (received_at, source, key_id, event_id, event_type, reason, field, detail, payload)
SELECT timestamptz 'epoch' + received_us * interval '1 microsecond', source, key_id, event_id, type, reason, field, detail,
       payload
FROM jsonb_to_recordset(:rows::jsonb)
     AS q (received_us bigint, source text, key_id bigint, event_id uuid, type text, reason text, field text, detail text,
           payload text)

-- name: activity_store_accounts
-- Sorted, as the ids are.
INSERT INTO activity_account AS a (hour_at, source, received, stored, duplicate, quarantined, refused)
SELECT timestamptz 'epoch' + hour_us * interval '1 microsecond', source, stored + duplicate + quarantined + refused, stored,
       duplicate, quarantined, refused
FROM jsonb_to_recordset(:rows::jsonb)
     AS r (hour_us bigint, source text, stored bigint, duplicate bigint, quarantined bigint, refused bigint)
ORDER BY hour_us, source
ON CONFLICT (hour_at, source) DO UPDATE
SET received = a.received + excluded.received, stored = a.stored + excluded.stored,
    duplicate = a.duplicate + excluded.duplicate, quarantined = a.quarantined + excluded.quarantined,
    refused = a.refused + excluded.refused

-- name: activity_store_warnings
-- What a sender can make up does not make rows without end: types nobody has seen yet are '', and so are fields once
-- an hour of a source has 500 rows. Names of properties may be ids: also of what is refused because somebody was erased.
WITH said AS (
	SELECT timestamptz 'epoch' + hour_us * interval '1 microsecond' AS hour_at, source, coalesce(t.event_type, '') AS event_type,
	       reason, CASE WHEN starts_with(field, 'properties.') THEN 'properties.' || person_scrub(substr(field, 12)) ELSE person_scrub(field) END AS field,
	       events, person_scrub(sample) AS sample
	FROM jsonb_to_recordset(:rows::jsonb)
	     AS r (hour_us bigint, source text, type text, reason text, field text, events bigint, sample text)
	LEFT JOIN activity_type t ON t.event_type = r.type
), crowded AS (
	SELECT hour_at, source FROM (SELECT DISTINCT hour_at, source FROM said) s
	WHERE (SELECT count(*) FROM activity_warning w WHERE w.hour_at = s.hour_at AND w.source = s.source) >= 500
)
INSERT INTO activity_warning AS w (hour_at, source, event_type, reason, field, events, sample)
SELECT s.hour_at, s.source, s.event_type, s.reason, CASE WHEN c.source IS NULL THEN s.field ELSE '' END, sum(s.events), min(s.sample)
FROM said s
LEFT JOIN crowded c ON (c.hour_at, c.source) = (s.hour_at, s.source)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (hour_at, source, event_type, reason, field) DO UPDATE SET events = w.events + excluded.events, sample = excluded.sample
