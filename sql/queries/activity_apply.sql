-- activity_apply.sql: events that are stored take effect. What they do is said by the functions of migration 014; here
-- stands which events, and in what order.

-- name: activity_apply_session
-- Events are read and summed in memory; what is stuck ends.
SET work_mem = '64MB';
SET idle_in_transaction_session_timeout = '10s';
SET lock_timeout = '15s';
SET statement_timeout = '5min';
SELECT activity_work_make()

-- name: activity_apply_lock
-- One process works at a time.
SELECT pg_try_advisory_xact_lock(activity_lock_key()) AS mine

-- name: activity_apply_lock_wait
SELECT pg_advisory_xact_lock(activity_lock_key())

-- name: activity_apply_fits
-- Whether sessions and figures were made by the clock, the gap and the currency of now: those of the rules in force,
-- else these settings.
SELECT (s.timezone, s.cutoff_hours, s.session_timeout_s, s.currency)
       IS NOT DISTINCT FROM (coalesce(r.timezone, :timezone), coalesce(r.cutoff_hours, :cutoff::int), :timeout::int,
                             coalesce(r.default_currency, :currency)) AS fits
FROM activity_site s LEFT JOIN (site JOIN rules r USING (rules_id)) ON true

-- name: activity_apply_settle
-- They are from now on; then everything is to be made anew.
UPDATE activity_site s
SET timezone = coalesce(w.timezone, :timezone), cutoff_hours = coalesce(w.cutoff_hours, :cutoff::int),
    session_timeout_s = :timeout::int, currency = coalesce(w.default_currency, :currency)
FROM (SELECT r.* FROM activity_site LEFT JOIN (site JOIN rules r USING (rules_id)) ON true) w

-- name: activity_apply_rebuild
SELECT activity_rebuild()

-- name: activity_apply_claim
-- The next batches, but for those that cannot take effect; NULL: there is none.
SELECT batches, events FROM activity_claim(:most::int, :but::bigint[])

-- name: activity_apply_people
SELECT activity_people_take()

-- name: activity_apply_sessions
SELECT activity_sessions_take()

-- name: activity_apply_figures
SELECT activity_figures_take()

-- name: activity_apply_done
SELECT activity_done(:batches::bigint[])

-- name: activity_apply_look
-- How much waits. More than a hundred thousand batches are not counted.
SELECT coalesce(sum(events), 0) AS open,
       coalesce(greatest(extract(epoch FROM clock_timestamp() - min(stored_at)) * 1000, 0)::bigint, 0) AS lag_ms
FROM (SELECT events, stored_at FROM activity_batch ORDER BY batch_id LIMIT 100000) b
