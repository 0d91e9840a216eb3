-- doctor.sql: questions of takings-batch doctor.

-- name: doctor_role
SELECT current_user AS role,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       has_schema_privilege('public', 'CREATE') AS creates,
       has_database_privilege(current_database(), 'TEMPORARY') AS temporary

-- name: doctor_last_run
SELECT status, started_at, error FROM batch_run ORDER BY run_id DESC LIMIT 1

-- name: doctor_forecast
SELECT status, detail, at FROM heartbeat WHERE component = 'forecast'

-- name: doctor_inbox
-- What is tried again in vain is dead after some two minutes: what waits longer, nobody takes.
SELECT (SELECT count(*) FROM event_log WHERE NOT processed AND dead_at IS NOT NULL) AS dead,
       (SELECT count(*) FROM event_log WHERE NOT processed AND dead_at IS NULL AND next_attempt_at < now() - interval '5 minutes') AS late

-- name: doctor_replication
-- In order_db, as who follows it: what its user may, and which tables of the orders it is not told of.
SELECT current_user AS role,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS replicates,
       (SELECT string_agg(n.name, ', ') FROM (VALUES ('orders'), ('order_items'), ('order_refunds')) n(name)
        WHERE has_any_column_privilege(to_regclass(n.name)::oid, 'INSERT')
           OR has_any_column_privilege(to_regclass(n.name)::oid, 'UPDATE')
           OR has_table_privilege(to_regclass(n.name)::oid, 'DELETE, TRUNCATE')) AS writes,
       (SELECT string_agg(n.name, ', ') FROM (VALUES ('orders'), ('order_items'), ('order_refunds')) n(name)
        WHERE to_regclass(n.name) IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_publication_tables p
                          WHERE p.pubname = :publication AND p.tablename = n.name)) AS untold
