-- info.sql: what /info tells about the site.

-- name: info_site
-- No row before the first run.
SELECT timezone, default_currency AS currency FROM site JOIN rules USING (rules_id)
