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

-- name: doctor_activity
-- late: events that wait to take effect for over 5 minutes; apart: kept apart and undecided, today's among them; ages in days
-- of the oldest raw events; ahead: whether the partition of today is there while events come.
SELECT (SELECT coalesce(sum(events), 0) FROM activity_batch WHERE stored_at < now() - interval '5 minutes') AS late,
       (SELECT count(*) FROM activity_quarantine WHERE decided_at IS NULL) AS apart,
       (SELECT count(*) FROM activity_quarantine WHERE decided_at IS NULL AND received_at > now() - interval '1 day') AS apart_today,
       (SELECT coalesce(sum(stored), 0) FROM activity_account WHERE hour_at > now() - interval '1 day') AS stored_today,
       (SELECT current_date - min(substr(c.relname, 16)::date) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'activity_event'::regclass AND c.relname ~ '^activity_event_\d{8}$') AS oldest_days,
       (SELECT count(*) FROM generate_series((SELECT min(from_at) FROM activity_batch), (SELECT max(to_at) FROM activity_batch), interval '1 day') d
        WHERE to_regclass('activity_event_' || to_char(d AT TIME ZONE 'UTC', 'YYYYMMDD')) IS NULL) AS missing

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
