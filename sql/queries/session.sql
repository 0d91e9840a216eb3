-- session.sql: who asks: sessions of browsers, users of tokens, API keys; and what the
-- watching thread of the web program does.

-- name: session_find
-- The user of a cookie, while the session counts. `stale`: it should be noted that it was used.
SELECT s.session_id, u.user_id, u.username, u.role,
       s.last_seen_at < now() - interval '1 minute' AS stale
FROM web_session s JOIN app_user u USING (user_id)
WHERE s.token_hash = decode(:hash, 'hex') AND u.enabled AND s.expires_at > now()
  AND s.last_seen_at > now() - make_interval(mins => :idle_minutes::int)

-- name: session_touch
UPDATE web_session SET last_seen_at = now() WHERE session_id = :session_id::bigint

-- name: session_add
INSERT INTO web_session (token_hash, user_id, expires_at, address, agent)
SELECT decode(:hash, 'hex'), :user_id::bigint, now() + make_interval(hours => :hours::int), :address, left(:agent, 200)
RETURNING session_id

-- name: session_end
DELETE FROM web_session WHERE session_id = :session_id::bigint

-- name: session_sweep
-- Sessions that are over, and wrong passwords nobody waits for any more.
WITH over AS (DELETE FROM web_session WHERE expires_at < now() - interval '1 day')
DELETE FROM login_failure WHERE last_at < now() - interval '1 day'

-- name: session_user
-- The user of a token; the caller compares the version.
SELECT user_id, username, role, token_version FROM app_user WHERE username = :username AND enabled

-- name: session_key
-- The API key of this hash, while it counts. `stale` as of session_find.
SELECT key_id, name, scope, origins IS NOT NULL AS is_public, coalesce(array_to_string(origins, ','), '') AS origins,
       coalesce(last_used_at < now() - interval '1 minute', true) AS stale
FROM api_key
WHERE key_hash = decode(:hash, 'hex') AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())

-- name: session_key_touch
UPDATE api_key SET last_used_at = now() WHERE key_id = :key_id::bigint

-- name: login_state
-- Whom a name and an address mean: the user, if there is one, and how long to wait.
SELECT u.user_id, u.username, u.password_hash, u.enabled, u.token_version, u.role,
       coalesce(ceil(extract(epoch FROM f.blocked_until - now())), 0)::bigint AS wait_s
FROM (SELECT) one
LEFT JOIN app_user u ON u.username = :username
LEFT JOIN login_failure f ON f.username = :username AND f.address = :address

-- name: login_failed
-- From the fifth failure on the wait doubles from 1 s to 15 minutes. Nobody else can lock
-- a user out: it counts for the name together with the address.
INSERT INTO login_failure AS f (username, address) VALUES (:username, :address)
ON CONFLICT (username, address) DO UPDATE
SET failures = least(f.failures + 1, 1000), last_at = now(),
    blocked_until = CASE WHEN f.failures + 1 >= 5
                         THEN now() + make_interval(secs => least(2 ^ least(f.failures + 1 - 5, 20), 900)) END

-- name: login_succeeded
WITH forget AS (DELETE FROM login_failure WHERE username = :username AND address = :address)
UPDATE app_user SET last_login_at = now() WHERE user_id = :user_id::bigint

-- name: watch_version
-- 0 before the first run.
SELECT coalesce(max(data_version), 0) AS data_version FROM site

-- name: watch_beat
INSERT INTO heartbeat (component, status, detail, at) VALUES (:component, 'ok', '', now())
ON CONFLICT (component) DO UPDATE SET status = excluded.status, detail = excluded.detail, at = excluded.at

-- name: session_tag
-- Names the request in pg_stat_activity and the server's log until the transaction ends.
SELECT set_config('application_name', :name, true)
