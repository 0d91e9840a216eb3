-- track.sql: what POST /events/... needs to know, and one event.

-- name: activity_setup_dimensions
SELECT dimension_id, name, property FROM activity_dimension ORDER BY dimension_id

-- name: activity_setup_types
-- Sorted as strcmp sorts.
SELECT event_type, schema, enforce FROM activity_type WHERE schema IS NOT NULL ORDER BY event_type COLLATE "C"

-- name: activity_event_get
-- Without :personal what tells who it is, and properties, which may, are null.
SELECT e.event_id, e.event_type, e.occurred_at, e.claimed_at, e.received_at,
       e.flags & 1 <> 0 AS trusted, e.flags & 112 <> 0 AS bot, e.flags & 2 <> 0 AS clamped, e.flags & 4 <> 0 AS skewed,
       e.flags & 8 <> 0 AS late, coalesce('key:' || e.key_id, '') AS source,
       CASE WHEN :personal::boolean THEN e.user_id END AS user_id,
       CASE WHEN :personal::boolean THEN e.anonymous_id END AS anonymous_id,
       CASE WHEN :personal::boolean THEN e.session_id END AS session_id,
       coalesce((SELECT jsonb_object_agg(d.name, e.dims[d.dimension_id]) FROM activity_dimension d
                 WHERE e.dims[d.dimension_id] IS NOT NULL), '{}') AS dimensions,
       e.price, e.quantity, e.currency,
       CASE WHEN :personal::boolean THEN e.properties::jsonb END AS properties
FROM activity_id i
JOIN activity_event e ON e.seq = i.seq AND e.occurred_at = i.occurred_at
WHERE i.event_id = :event_id::uuid

-- name: activity_event_missing
-- Why there is none: no more is known.
SELECT NULL::text AS detail, NULL::text AS field
