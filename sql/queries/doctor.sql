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
