-- behaviour_page.sql: what the pages of behaviour ask beside the answers of funnel.h and cohort.h.

-- name: behaviour_types
-- Types of events that came, to choose from.
SELECT event_type FROM activity_type WHERE first_at IS NOT NULL ORDER BY event_type LIMIT 200

-- name: behaviour_times
-- Instants as the site's clock says them, in their order.
SELECT (t.at AT TIME ZONE k.tz)::date AS date, to_char(t.at AT TIME ZONE k.tz, 'HH24:MI') AS time, (now() AT TIME ZONE k.tz)::date AS today
FROM unnest(:times::timestamptz[]) WITH ORDINALITY t(at, n)
CROSS JOIN (SELECT coalesce((SELECT zone FROM activity_clock()), 'UTC') AS tz) k
ORDER BY t.n

-- name: behaviour_state
-- Whether days are still put in order, the latest first, and back to which that is done.
SELECT sequenced_from > '-infinity' AS is_making, CASE WHEN isfinite(sequenced_from) THEN sequenced_from END AS made_from FROM activity_site
