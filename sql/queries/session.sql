-- session.sql: what a connection is told about its user.

-- name: session_tag
-- Names the request in pg_stat_activity and the server's log until the transaction ends.
SELECT set_config('application_name', :name, true)
