-- probe.sql: whether the site was up.

-- name: probe_put
-- A minute is up if anybody found it so.
INSERT INTO probe_minute (minute_at, up, took_ms, error)
SELECT minute_at, up, took_ms, error
FROM jsonb_to_recordset(:minutes::jsonb) AS m (minute_at timestamptz, up boolean, took_ms int, error text)
ORDER BY minute_at
ON CONFLICT (minute_at) DO UPDATE
SET up = probe_minute.up OR excluded.up,
    took_ms = CASE WHEN probe_minute.up THEN probe_minute.took_ms ELSE excluded.took_ms END,
    error = CASE WHEN probe_minute.up OR excluded.up THEN '' ELSE excluded.error END

-- name: probe_count
-- By the clock of the rules in force, else by these settings.
SELECT uptime_count(coalesce(r.timezone, :timezone), coalesce(r.cutoff_hours, :cutoff::int), :first_at::timestamptz)
FROM uptime_site LEFT JOIN (site JOIN rules r USING (rules_id)) ON true
