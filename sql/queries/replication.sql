-- replication.sql: following order_db by logical replication. First what order_db is asked, then where we
-- stand, which is kept in analytics_db.

-- name: replication_setup
-- LSNs as numbers. `restart`: no transaction that the slot streams has a record before it.
SELECT current_setting('wal_level') AS wal_level,
       pg_is_in_recovery() AS standby,
       EXISTS (SELECT FROM pg_publication WHERE pubname = :publication) AS published,
       current_setting('max_slot_wal_keep_size') AS keep_size,
       s.slot_name IS NOT NULL AS found,
       s.plugin = 'pgoutput' AND s.database = current_database() AS fits,
       s.active,
       s.wal_status,
       (s.restart_lsn - '0/0')::bigint AS restart,
       (s.confirmed_flush_lsn - '0/0')::bigint AS confirmed,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE (pg_current_wal_lsn() - s.confirmed_flush_lsn)::bigint END AS behind
FROM (VALUES (1)) one
LEFT JOIN pg_replication_slots s ON s.slot_name = :slot

-- name: replication_tables
-- The published tables of the orders. `keyed`: an update or a delete says of which row it is.
SELECT p.schemaname AS schema, p.tablename AS table,
       has_table_privilege(c.oid, 'SELECT') AS readable,
       CASE c.relreplident
            WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
            WHEN 'n' THEN false
            ELSE true END AS keyed
FROM pg_publication_tables p
JOIN pg_namespace n ON n.nspname = p.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE p.pubname = :publication AND p.tablename IN ('orders', 'order_items', 'order_refunds')
ORDER BY array_position(array['orders', 'order_items', 'order_refunds']::name[], p.tablename), p.schemaname

-- name: replication_drop_slot
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :slot

-- name: replication_lock
-- One process at a time sees to the slot and the first copy.
SELECT pg_try_advisory_lock(hashtextextended('takings replication ' || :slot, 0)) AS ok

-- name: replication_position
-- The first copy is whole once `next` has reached `start`.
SELECT next, d.j ->> 'system' AS system, (d.j ->> 'start')::bigint AS start, (d.j ->> 'base')::bigint AS base
FROM stream_position p, LATERAL (SELECT nullif(p.detail, '')::jsonb AS j) d
WHERE source = 'postgresql' AND topic = :slot AND partition = 0

-- name: replication_position_put
INSERT INTO stream_position (source, topic, partition, next, detail)
VALUES ('postgresql', :slot, 0, :next::bigint,
        jsonb_build_object('system', :system::text, 'start', :start::bigint, 'base', :base::bigint)::text)
ON CONFLICT (source, topic, partition) DO UPDATE
SET next = excluded.next, detail = excluded.detail, updated_at = now()

-- name: replication_newest
-- The greatest position of a row that is known, whichever system it came from; 0: none.
SELECT greatest((SELECT max(greatest(birth_major, status_major)) FROM order_state),
                (SELECT max(major) FROM order_line_state), (SELECT max(major) FROM order_refund_state),
                version_row()) - version_row() AS newest
