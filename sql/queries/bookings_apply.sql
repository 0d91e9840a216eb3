-- bookings_apply.sql: rows of the inbox take effect. What they do to states and figures is said by the functions of
-- migration 011; here stands which rows, and what becomes of them.

-- name: bookings_session
-- The statements below are planned each time: an index that was small when a plan was made may have grown since. (The
-- functions they call plan once, by settings of their own.) Open rows are read by their index, in order: statistics are of
-- a moment with another number of them, and each batch would collect and sort all that wait.
SET plan_cache_mode = force_custom_plan;
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET idle_in_transaction_session_timeout = '10s';
SET lock_timeout = '15s';
SET statement_timeout = '5min'

-- name: bookings_lock
-- One processor works at a time.
SELECT pg_try_advisory_xact_lock(booking_lock_key()) AS mine

-- name: bookings_lock_wait
SELECT pg_advisory_xact_lock(booking_lock_key())

-- name: bookings_fits
-- Whether the figures were made by the clock and the currency of now: those of the rules in force, else these settings.
SELECT (s.timezone, s.cutoff_hours, s.currency, s.capacity_unlimited)
       IS NOT DISTINCT FROM (coalesce(r.timezone, :timezone), coalesce(r.cutoff_hours, :cutoff::int),
                             coalesce(r.default_currency, :currency), :unlimited::bigint) AS fits
FROM booking_site s LEFT JOIN (site JOIN rules r USING (rules_id)) ON true

-- name: bookings_settle
-- They are from now on; then everything is to be made anew.
UPDATE booking_site s
SET timezone = coalesce(w.timezone, :timezone), cutoff_hours = coalesce(w.cutoff_hours, :cutoff::int),
    currency = coalesce(w.default_currency, :currency), capacity_unlimited = :unlimited::bigint
FROM (SELECT r.* FROM booking_site LEFT JOIN (site JOIN rules r USING (rules_id)) ON true) w

-- name: bookings_rebuild
SELECT bookings_rebuild()

-- name: bookings_claim
-- The next rows that are due. Those up to :after were open a moment ago and are taken by a look from 0 on.
SELECT id, event_type, event_data
FROM event_log
WHERE NOT processed AND dead_at IS NULL AND next_attempt_at <= now() AND id > :after::bigint
ORDER BY id LIMIT :most::bigint
FOR UPDATE SKIP LOCKED

-- name: bookings_claim_again
-- Some rows of a batch that failed.
SELECT id, event_type, event_data
FROM event_log
WHERE id = ANY (:ids::bigint[]) AND NOT processed AND dead_at IS NULL
ORDER BY id
FOR UPDATE SKIP LOCKED

-- name: bookings_states
-- Its columns are the parameters of bookings_figures.
SELECT c.* FROM booking_states_take(:messages::json) c

-- name: bookings_figures
SELECT booking_figures_take(ROW(:old_bookings::booking_state[], :new_bookings::booking_state[], :old_events::event_state[],
                                :new_events::event_state[], :old_user_days::date[], :new_user_days::date[])::booking_change),
       booking_version_up()

-- name: bookings_done
WITH done AS (
	UPDATE event_log SET processed = true, processed_at = clock_timestamp(), last_error = '', error_field = ''
	WHERE id = ANY (:ids::bigint[])
)
UPDATE booking_site SET processed_at = clock_timestamp()

-- name: bookings_dead
-- Rows that cannot be read.
UPDATE event_log e SET dead_at = now(), last_error = d.error, error_field = d.field
FROM json_to_recordset(:rows::json) d(id bigint, error text, field text)
WHERE e.id = d.id

-- name: bookings_failed
-- A row whose effect the database refused. Waits double, and are not all the same.
UPDATE event_log
SET attempts = attempts + 1, last_error = :error, error_field = '',
    next_attempt_at = now() + make_interval(secs => least(0.5 * 2 ^ attempts, 300) * (0.75 + 0.5 * random())),
    dead_at = CASE WHEN attempts + 1 >= :tries::int THEN now() END
WHERE id = :id::bigint AND NOT processed AND dead_at IS NULL
RETURNING attempts, dead_at IS NOT NULL AS dead

-- name: bookings_stale
-- Whether ranks and system_metrics are of an older version, or of another day.
SELECT s.timezone IS NOT NULL
       AND (s.ranked_version <> s.version
            OR m.today IS DISTINCT FROM business_date(now(), s.timezone, s.cutoff_hours)) AS stale
FROM booking_site s LEFT JOIN system_metrics m ON true

-- name: bookings_ranks
SELECT booking_ranks_make()

-- name: bookings_look
-- How the inbox is. More than a hundred thousand are not counted.
SELECT (SELECT count(*) FROM (SELECT FROM event_log WHERE NOT processed AND dead_at IS NULL LIMIT 100000) o) AS open,
       (SELECT count(*) FROM (SELECT FROM event_log WHERE NOT processed AND dead_at IS NOT NULL LIMIT 100000) d) AS dead,
       coalesce((SELECT greatest(extract(epoch FROM clock_timestamp() - created_at) * 1000, 0)::bigint
                 FROM event_log WHERE NOT processed AND dead_at IS NULL ORDER BY id LIMIT 1), 0) AS lag_ms
