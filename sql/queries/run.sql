-- run.sql: the nightly run: its lock, its record, its plan. Staging and writing are in
-- stage.sql and day.sql.

-- name: run_lock
-- A session lock: held until the connection closes, so a crash frees it.
SELECT pg_try_advisory_lock(hashtext('takings'), hashtext('batch')) AS locked

-- name: run_begin
INSERT INTO batch_run (mode, code_version, server_version)
VALUES (:mode, :code_version, current_setting('server_version'))
RETURNING run_id

-- name: run_sweep
-- Whoever holds the lock knows that no other run is alive.
UPDATE batch_run SET status = 'interrupted', finished_at = now()
WHERE status = 'running' AND run_id <> :run_id

-- name: run_end
UPDATE batch_run
SET finished_at = clock_timestamp(), status = :status, first_day = :first_day::date, last_day = :last_day::date,
    days_planned = :planned, days_written = :written, days_unchanged = :unchanged, days_kept = :kept,
    orders_read = :orders, snapshot = :snapshot, warnings = :warnings::jsonb, error = :error
WHERE run_id = :run_id

-- name: run_forget
DELETE FROM batch_run WHERE run_id = :run_id::bigint

-- name: heartbeat_put
INSERT INTO heartbeat (component, status, detail, at) VALUES (:component, :status, :detail, clock_timestamp())
ON CONFLICT (component) DO UPDATE SET status = excluded.status, detail = excluded.detail, at = excluded.at

-- name: rules_current
SELECT r.*, s.data_version,
       r.timezone = :timezone AND r.cutoff_hours = :cutoff::int AND r.order_db_timezone = :order_db_timezone
       AND r.revenue_profile = :profile AND r.counted_statuses = :counted
       AND r.default_currency = :currency AND r.default_location_id = :location::int AS same
FROM site s JOIN rules r USING (rules_id)

-- name: rules_add
-- Where the newest rules are these already, but a run failed before they came into
-- force, they are taken up again.
WITH newest AS (
	SELECT * FROM rules ORDER BY rules_id DESC LIMIT 1
), same AS (
	SELECT rules_id FROM newest
	WHERE (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
	      = (:timezone, :cutoff::int, :order_db_timezone, :profile, :counted, :currency, :location::int)
), added AS (
	INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses,
	                   default_currency, default_location_id)
	SELECT :timezone, :cutoff::int, :order_db_timezone, :profile, :counted, :currency, :location::int
	WHERE NOT EXISTS (SELECT FROM same)
	RETURNING rules_id
)
SELECT rules_id FROM same UNION ALL SELECT rules_id FROM added

-- name: rules_use
INSERT INTO site (rules_id) VALUES (:rules_id::int)
ON CONFLICT (only_row) DO UPDATE SET rules_id = excluded.rules_id, data_version = site.data_version + 1

-- name: zone_known
-- PostgreSQL also takes offsets and POSIX rules as zones; only names of the tz
-- database know when clocks change. Names that are abbreviations as well (CET, EET)
-- mean a fixed offset to it. Three names are no places: what the server's own machine
-- or its packager says, and "not set yet".
SELECT (:zone = 'UTC' OR EXISTS (SELECT FROM pg_timezone_names WHERE name = :zone)) -- which reads hundreds of files
       AND :zone NOT IN ('posixrules', 'localtime', 'Factory')
       AND (:zone IN ('UTC', 'GMT') OR NOT EXISTS (SELECT FROM pg_timezone_abbrevs WHERE abbrev = upper(:zone))) AS known

-- name: day_last_closed
-- The newest business day that ended at least :delay_s seconds ago.
SELECT max(business_date) AS day, max(business_date) + 1 AS next_day
FROM business_days(:timezone, :cutoff::int, (now() AT TIME ZONE 'UTC')::date - 4, (now() AT TIME ZONE 'UTC')::date + 1)
WHERE ends_at <= now() - make_interval(secs => :delay_s::int)

-- name: day_of_clock
-- The business day of the earliest order, read on order_db's clock.
SELECT business_date(:clock::timestamp AT TIME ZONE :clock_zone, :timezone, :cutoff::int) AS day

-- name: day_is_cached
SELECT EXISTS (SELECT FROM daily_revenue_cache WHERE business_date = :day::date) AS cached

-- name: plan_tables
CREATE TEMP TABLE plan_day (
	business_date date PRIMARY KEY,
	reason text NOT NULL,              -- new, requested, look-back, late, rules
	cached boolean NOT NULL,           -- has rows now
	kept boolean NOT NULL DEFAULT false,    -- order_db no longer holds it
	changed boolean NOT NULL DEFAULT true   -- must be written
)

-- name: plan_requested
INSERT INTO plan_day
SELECT d::date, 'requested', EXISTS (SELECT FROM daily_revenue_cache c WHERE c.business_date = d::date)
FROM generate_series(:from::date::timestamp, :to::date::timestamp, interval '1 day') d
ON CONFLICT DO NOTHING

-- name: plan_closed
-- Every closed day without rows since :from, and the look-back.
INSERT INTO plan_day
SELECT d::date, CASE WHEN c.business_date IS NULL THEN 'new' ELSE 'look-back' END, c.business_date IS NOT NULL
FROM generate_series(:from::date::timestamp, :to::date::timestamp, interval '1 day') d
LEFT JOIN (SELECT DISTINCT business_date FROM daily_revenue_cache) c ON c.business_date = d::date
WHERE c.business_date IS NULL OR d::date > :to::date - :lookback::int
ON CONFLICT DO NOTHING

-- name: plan_rules
-- New rules: every day there is.
INSERT INTO plan_day
SELECT DISTINCT business_date, 'rules', true FROM daily_revenue_cache WHERE business_date <= :last::date
ON CONFLICT DO NOTHING

-- name: plan_late_window
-- The days before those of the plan, to be asked about what happened late; no row
-- where there are none.
SELECT c.first_day AS from_day, p.first_day - 1 AS to_day, p.first_day AS since_day
FROM (SELECT min(business_date) AS first_day FROM plan_day) p,
     (SELECT min(business_date) AS first_day FROM daily_revenue_cache) c
WHERE c.first_day < p.first_day

-- name: plan_late
INSERT INTO plan_day
SELECT DISTINCT business_date, 'late', true FROM daily_revenue_cache WHERE business_date = :day::date
ON CONFLICT DO NOTHING

-- name: plan_keep
-- Days that hold orders older than the oldest order_db still has: their source is
-- (at least partly) gone, so what was computed then is all there is. Compared on
-- order_db's clock, as it was read then: ORDER_DB_TIMEZONE may be a new one.
UPDATE plan_day p SET kept = true, changed = false
FROM (SELECT business_date FROM daily_revenue_cache JOIN rules USING (rules_id)
      GROUP BY business_date
      HAVING min(first_order_at AT TIME ZONE CASE WHEN :clock_local::boolean THEN order_db_timezone ELSE 'UTC' END)
             < coalesce(:first_clock::timestamp, 'infinity')) c
WHERE c.business_date = p.business_date

-- name: plan_spans
-- Neighbouring days are read from order_db together; a gap of up to a week is read
-- along rather than asked for apart.
WITH mark AS (
	SELECT business_date, (business_date - lag(business_date) OVER (ORDER BY business_date) <= 8) IS NOT TRUE AS fresh
	FROM plan_day WHERE NOT kept AND (changed OR NOT :only_changed::boolean)
), span AS (
	SELECT business_date, count(*) FILTER (WHERE fresh) OVER (ORDER BY business_date) AS n FROM mark
)
SELECT min(business_date) AS from_day, max(business_date) AS to_day FROM span GROUP BY n ORDER BY 1

-- name: plan_counts
SELECT count(*) AS planned, count(*) FILTER (WHERE kept) AS kept, count(*) FILTER (WHERE changed) AS changed,
       count(*) FILTER (WHERE NOT changed AND NOT kept) AS unchanged,
       min(business_date) AS first_day, max(business_date) AS last_day,
       count(*) FILTER (WHERE reason = 'new') AS new_days
FROM plan_day

-- name: plan_days
SELECT business_date AS day FROM plan_day WHERE changed ORDER BY 1

-- name: plan_kept_days
SELECT business_date AS day FROM plan_day WHERE kept ORDER BY 1

-- name: shifts
SELECT clock_from, clock_to, shift_s FROM business_shifts(:timezone, :cutoff::int, :clock_zone, :from::date, :to::date)

-- name: currencies
SELECT currency, exponent FROM currency_exponent ORDER BY exponent, currency
