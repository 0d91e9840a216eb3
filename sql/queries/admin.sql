-- admin.sql: the pages of administration. Times are texts in the site's zone (UTC before the
-- first run). What the pages change is in access.sql and session.sql, but for what only they do.

-- name: account_me
-- No row where nobody has logged in (AUTH_MODE=open).
SELECT u.username, u.role, to_char(u.password_changed_at AT TIME ZONE z.tz, 'FMDD Mon YYYY') AS password_changed,
       z.tz
FROM app_user u, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
WHERE u.user_id = :user_id::bigint

-- name: account_sessions
-- Those that count, the asking one first.
SELECT s.session_id, s.session_id = :session_id::bigint AS is_this, s.address, s.agent,
       to_char(s.created_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS begun,
       CASE WHEN s.last_seen_at > now() - interval '2 minutes' THEN 'just now'
            ELSE to_char(s.last_seen_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') END AS seen,
       CASE WHEN s.agent ~ '(Edg|EdgA|EdgiOS)/' THEN 'Edge' WHEN s.agent ~ '(OPR|Opera)/' THEN 'Opera'
            WHEN s.agent ~ '(Firefox|FxiOS)/' THEN 'Firefox' WHEN s.agent ~ '(Chrome|Chromium|CriOS)/' THEN 'Chrome'
            WHEN s.agent ~ 'Safari/' THEN 'Safari' WHEN s.agent ~* '^curl/' THEN 'curl' END AS browser,
       CASE WHEN s.agent ~ 'iPhone' THEN 'iPhone' WHEN s.agent ~ 'iPad' THEN 'iPad' WHEN s.agent ~ 'Android' THEN 'Android'
            WHEN s.agent ~ 'Windows' THEN 'Windows' WHEN s.agent ~ 'CrOS' THEN 'ChromeOS'
            WHEN s.agent ~ 'Mac OS X|Macintosh' THEN 'macOS' WHEN s.agent ~ 'Linux|X11' THEN 'Linux' END AS system
FROM web_session s, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
WHERE s.user_id = :user_id::bigint AND s.expires_at > now()
  AND s.last_seen_at > now() - make_interval(mins => :idle_minutes::int)
ORDER BY s.session_id = :session_id::bigint DESC, s.last_seen_at DESC, s.session_id DESC
LIMIT 100

-- name: session_end_own
-- No row: it is not theirs, or has ended.
DELETE FROM web_session WHERE session_id = :session_id::bigint AND user_id = :user_id::bigint
RETURNING session_id

-- name: session_end_others
-- Always one row.
WITH gone AS (
	DELETE FROM web_session WHERE user_id = :user_id::bigint AND session_id <> :session_id::bigint RETURNING 1
)
SELECT count(*) AS ended_n FROM gone

-- name: admin_users
SELECT u.user_id, u.username, u.role, u.enabled, u.user_id = :user_id::bigint AS is_self,
       u.role = 'viewer' AS is_viewer, u.role = 'analyst' AS is_analyst, u.role = 'admin' AS is_admin,
       to_char(u.created_at AT TIME ZONE z.tz, 'FMDD Mon YYYY') AS made,
       to_char(u.last_login_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS last_login,
       nullif((SELECT count(*) FROM web_session s WHERE s.user_id = u.user_id AND s.expires_at > now()
                 AND s.last_seen_at > now() - make_interval(mins => :idle_minutes::int)), 0) AS sessions
FROM app_user u, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
ORDER BY u.username
LIMIT 1000

-- name: admin_keys
-- Those that count first, then the newest.
SELECT k.key_id, k.prefix, k.name, k.scope, array_to_string(k.origins, ', ') AS origins, k.created_by, k.revoked_at IS NULL AND NOT coalesce(k.expires_at <= now(), false) AS counts,
       to_char(k.created_at AT TIME ZONE z.tz, 'FMDD Mon YYYY') AS made,
       to_char(k.last_used_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS last_used,
       CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked ' || to_char(k.revoked_at AT TIME ZONE z.tz, 'FMDD Mon YYYY')
            WHEN k.expires_at <= now() THEN 'expired'
            WHEN k.expires_at IS NOT NULL THEN 'until ' || to_char(k.expires_at - interval '1 microsecond', 'FMDD Mon YYYY')
            ELSE 'no end' END AS state
FROM api_key k, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
ORDER BY counts DESC, k.key_id DESC
LIMIT 1000

-- name: admin_lock
-- Who changes a user waits for whoever changes an admin, so that one stays.
SELECT user_id FROM app_user WHERE role = 'admin' AND enabled ORDER BY user_id FOR UPDATE

-- name: admin_user
SELECT username, role, enabled,
       NOT EXISTS (SELECT FROM app_user o WHERE o.role = 'admin' AND o.enabled AND o.user_id <> u.user_id) AS is_last
FROM app_user u
WHERE user_id = :user_id::bigint
FOR UPDATE

-- name: admin_key
SELECT name FROM api_key WHERE key_id = :key_id::bigint

-- name: audit_page
-- Newest first. `is_last`: the last of a full page, where older ones follow.
WITH page AS (
	SELECT a.*, z.tz, row_number() OVER (ORDER BY a.audit_id DESC) AS n
	FROM audit_log a, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
	WHERE (:before::bigint IS NULL OR a.audit_id < :before::bigint)
	  AND (:actor = '' OR a.actor IN (:actor, 'user:' || lower(:actor)))
	  AND (:action = '' OR a.action = :action)
	  AND (:since::date IS NULL OR a.at >= :since::date::timestamp AT TIME ZONE z.tz)
	  AND (:until::date IS NULL OR a.at < (:until::date + 1)::timestamp AT TIME ZONE z.tz)
	ORDER BY a.audit_id DESC
	LIMIT :page_rows::int + 1
)
SELECT audit_id, to_char(at AT TIME ZONE tz, 'FMDD Mon YYYY, HH24:MI:SS') AS done_at, actor, action, object, address, request_id,
       (SELECT string_agg(d.key || ': ' || d.value, ', ')
        FROM jsonb_each_text(CASE jsonb_typeof(detail) WHEN 'object' THEN detail END) d) AS detail,
       n = :page_rows::int AND (SELECT count(*) FROM page) > n AS is_last
FROM page
WHERE n <= :page_rows::int
ORDER BY n

-- name: audit_scope
-- What the filters say.
SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz,
       :actor AS actor, :since::date AS since, :until::date AS until, :before::bigint IS NOT NULL AS is_older,
       :actor <> '' OR :action <> '' OR :since::date IS NOT NULL OR :until::date IS NOT NULL AS is_filtered

-- name: audit_actions
SELECT action, action = :action AS is_chosen
FROM (SELECT DISTINCT action FROM (SELECT action FROM audit_log ORDER BY audit_id DESC LIMIT 10000) newest
      UNION SELECT :action WHERE :action <> '') a
ORDER BY action

-- name: system_state
SELECT (SELECT data_version FROM site) AS data_version,
       (SELECT max(version) FROM schema_migration) AS schema_version,
       (SELECT to_char(max(applied_at) AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') FROM schema_migration) AS schema_since,
       to_char(now() AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS looked_at,
       pg_size_pretty(pg_database_size(current_database())) AS database_size, split_part(version(), ' ', 2) AS server_version, z.tz,
       (SELECT max((stats ->> 'live_delay_ms')::bigint) FROM stream_status WHERE at > now() - interval '15 seconds' AND (stats ->> 'live_delay_ms')::bigint >= 0) AS live_delay_ms
FROM (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z

-- name: system_since
-- When what does not work now was first seen not to: the first run since the last good one.
SELECT to_char(min(started_at) AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS failing_since,
       (SELECT to_char(max(at) AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') FROM heartbeat WHERE component = 'batch') AS batch_seen,
       (SELECT to_char(max(at) AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') FROM heartbeat WHERE component = 'order_db') AS order_seen
FROM (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
LEFT JOIN batch_run ON status IN ('failed', 'interrupted')
     AND run_id > coalesce((SELECT max(run_id) FROM batch_run WHERE status IN ('ok', 'nothing')), 0)
GROUP BY z.tz

-- name: system_runs
SELECT r.run_id, to_char(r.started_at AT TIME ZONE z.tz, 'FMDD Mon YYYY, HH24:MI') AS started, r.mode, r.first_day, r.last_day,
       CASE r.status WHEN 'ok' THEN 'well' WHEN 'nothing' THEN 'nothing to do' ELSE r.status END AS ended,
       r.status IN ('failed', 'interrupted') AS is_bad, r.days_written, r.days_unchanged, r.error,
       CASE WHEN r.finished_at IS NOT NULL
            THEN round(extract(epoch FROM r.finished_at - r.started_at)::numeric, 1) || ' s' END AS took,
       (SELECT string_agg(coalesce(w ->> 'text', w ->> 'message', w #>> '{}'), '; ') FROM jsonb_array_elements(r.warnings) w) AS warning_words
FROM batch_run r, (SELECT coalesce((SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
ORDER BY r.run_id DESC
LIMIT 20

-- name: system_tables
-- The largest; a partitioned table is the sum of its parts.
SELECT c.relname AS table_name, pg_size_pretty(s.bytes) AS size, greatest(c.reltuples, 0)::bigint AS row_estimate
FROM pg_class c,
     LATERAL (SELECT coalesce((SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(c.oid) t),
                              pg_total_relation_size(c.oid))::bigint AS bytes) s
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
ORDER BY s.bytes DESC, c.relname
LIMIT 30
