-- activity_dimension.sql: dimensions of tracked events, and declaring further ones (lib/domain/activity_dimension.c).

-- name: dimension_list
SELECT dimension_id, name, CASE property WHEN '' THEN '-' ELSE property END AS property, meaning FROM activity_dimension ORDER BY dimension_id

-- name: dimension_lock
-- One declares at a time.
SELECT pg_advisory_xact_lock(hashtext('takings'), hashtext('activity_dimension'))

-- name: dimension_there
-- Whether the name, or the property, is one of a dimension already, and the next free place; NULL: there is none.
SELECT EXISTS (SELECT FROM activity_dimension WHERE name = :name) AS has_name,
       (SELECT max(name) FROM activity_dimension WHERE property = :property) AS same,
       (SELECT min(n) FROM generate_series(9, 16) n WHERE NOT EXISTS (SELECT FROM activity_dimension WHERE dimension_id = n)) AS place

-- name: dimension_add
INSERT INTO activity_dimension (dimension_id, name, property, meaning, declared_by)
VALUES (:place::smallint, :name, :property, :meaning, :by)
RETURNING pg_notify('takings_activity_rules', '')::text AS told
