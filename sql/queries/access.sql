-- access.sql: users, keys and the audit log, as the command line changes them. Each change answers
-- with one row, or with none where there is nothing of that name; its audit_add stands in the same
-- transaction.

-- name: audit_add
INSERT INTO audit_log (actor, action, object, address, request_id, detail)
VALUES (:actor, :action, :object, :address, :request_id, :detail::jsonb)

-- name: user_add
-- No row: the name is taken.
INSERT INTO app_user (username, role, password_hash) VALUES (:username, :role, :password_hash)
ON CONFLICT (username) DO NOTHING
RETURNING user_id

-- name: user_get
SELECT user_id, username, role, enabled, token_version FROM app_user WHERE username = :username

-- name: user_list
SELECT username, role, enabled, to_char(created_at, 'YYYY-MM-DD') AS created,
       coalesce(to_char(last_login_at, 'YYYY-MM-DD HH24:MI'), 'never') AS last_login,
       (SELECT count(*) FROM web_session s WHERE s.user_id = u.user_id AND s.expires_at > now()) AS sessions
FROM app_user u
ORDER BY username

-- name: user_role_set
UPDATE app_user SET role = :role WHERE username = :username RETURNING user_id

-- name: user_password_set
-- Whoever had the old one is out: tokens and sessions end.
UPDATE app_user SET password_hash = :password_hash, password_changed_at = now(), token_version = token_version + 1
WHERE username = :username
RETURNING user_id

-- name: user_enabled_set
UPDATE app_user SET enabled = :enabled::boolean, token_version = token_version + 1
WHERE username = :username
RETURNING user_id

-- name: user_sessions_end
DELETE FROM web_session WHERE user_id = (SELECT user_id FROM app_user WHERE username = :username)

-- name: user_delete
DELETE FROM app_user WHERE username = :username RETURNING user_id

-- name: key_add
-- A key with a last day is good until that day has ended in UTC. Origins make it a public one.
INSERT INTO api_key (name, prefix, key_hash, scope, created_by, expires_at, origins)
VALUES (:name, :prefix, decode(:key_hash, 'hex'), :scope, :created_by, ((:last_day::date + 1)::timestamp AT TIME ZONE 'UTC'),
        regexp_split_to_array(nullif(btrim(:origins, ', '), ''), '[, ]+'))
RETURNING key_id

-- name: key_last_day
-- Whether a day is still to come to its end.
SELECT (:last_day::date + 1)::timestamp AT TIME ZONE 'UTC' > now() AS future

-- name: key_list
SELECT key_id, prefix, name, scope || CASE WHEN origins IS NULL THEN '' ELSE ' from ' || array_to_string(origins, ', ') END AS scope,
       to_char(created_at, 'YYYY-MM-DD') AS created,
       coalesce(to_char(last_used_at, 'YYYY-MM-DD HH24:MI'), 'never') AS last_used,
       CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
            WHEN expires_at <= now() THEN 'expired'
            WHEN expires_at IS NOT NULL THEN 'until ' || to_char(expires_at - interval '1 microsecond', 'YYYY-MM-DD')
            ELSE 'good' END AS state
FROM api_key
ORDER BY key_id

-- name: key_revoke
-- No row: there is no such key, or it was revoked before.
UPDATE api_key SET revoked_at = now() WHERE key_id = :key_id::bigint AND revoked_at IS NULL
RETURNING prefix, name
