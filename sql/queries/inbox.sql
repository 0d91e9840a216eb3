-- inbox.sql: messages go into event_log, each once.

-- name: inbox_add
-- Sorted by their keys, so that two who write the same messages wait for each other and not in a circle. What is
-- dead at once cannot be read, and says why.
WITH put AS (
	SELECT DISTINCT ON (dedup_key) *
	FROM unnest(:types::text[], :events::bigint[], :data::text[], :raws::bytea[], :keys::bytea[], :sources::text[],
	            :positions::text[], :errors::text[], :fields::text[])
	     WITH ORDINALITY AS p (event_type, event_id, event_data, raw, dedup_key, source, source_position, error, field, n)
	ORDER BY dedup_key, n
), added AS (
	INSERT INTO event_log (event_type, event_id, event_data, raw, dedup_key, source, source_position, last_error,
	                       error_field, dead_at)
	SELECT event_type, event_id, person_scrub(event_data), person_scrub(raw), dedup_key, source, person_scrub(source_position),
	       coalesce(person_scrub(error), ''), field, CASE WHEN error IS NOT NULL THEN now() END
	FROM put ORDER BY dedup_key
	ON CONFLICT (dedup_key) DO NOTHING
	RETURNING id
), counted AS (
	SELECT count(*) AS added, coalesce(max(id), 0) AS last_id FROM added
)
SELECT added, last_id, CASE WHEN added > 0 THEN pg_notify('takings_inbox', '') END AS told FROM counted

-- name: inbox_effect
-- Whether all rows up to :id have taken effect, or never will; the version of the figures now, and the one of the ranks.
SELECT NOT EXISTS (SELECT FROM event_log WHERE NOT processed AND dead_at IS NULL AND id <= :id::bigint) AS done,
       version, ranked_version
FROM booking_site

-- name: inbox_last
-- Of messages that are there. A statement of its own: what somebody else added meanwhile is seen by the next one only.
SELECT coalesce(max(id), 0) AS last_id FROM event_log WHERE dedup_key = ANY (:keys::bytea[])
