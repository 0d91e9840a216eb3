-- migrate.sql: the schema's version table.

-- name: schema_version
SELECT coalesce(max(version), 0) AS version FROM schema_migration

-- name: schema_table
CREATE TABLE IF NOT EXISTS schema_migration (
	version integer PRIMARY KEY,
	name text NOT NULL,
	checksum text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: schema_grant
-- Every program checks the version, so every role may read it.
GRANT SELECT ON schema_migration TO PUBLIC

-- name: schema_rights
-- Rights of the roles of sql/roles.sql, where they exist: the batch writes, the web
-- program reads. Neither may change the schema. Looked at after every migration, as
-- the roles may have come later; given only where something lacks.
DO $$
DECLARE
	own text[] := ARRAY(SELECT relname::text FROM pg_class
	                    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r');
	written text[] := '{rules, site, batch_run, series, daily_revenue_cache, hourly_order_cache,
	                    item_sales_cache, restatement, heartbeat}';
	word text;
BEGIN
	FOREACH word IN ARRAY '{analytics_rw, analytics_ro}'::text[] LOOP
		CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = word);
		IF EXISTS (SELECT FROM unnest(own) t WHERE NOT has_table_privilege(word, t, 'SELECT')) THEN
			EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', word);
			EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA public TO %I', word);
		END IF;
		IF word = 'analytics_rw' AND EXISTS (SELECT FROM unnest(written) t WHERE NOT has_table_privilege(word, t, 'INSERT')) THEN
			EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO analytics_rw', array_to_string(written, ', '));
		END IF;
	END LOOP;
END
$$

-- name: schema_lock
-- One migrator at a time, others wait; a transaction lock, so a crash frees it.
SELECT pg_advisory_xact_lock(hashtext('takings'), hashtext('migrate'))

-- name: schema_exists
SELECT to_regclass('schema_migration') IS NOT NULL AS exists

-- name: schema_applied
SELECT version, name, checksum, applied_at FROM schema_migration ORDER BY version

-- name: schema_add
INSERT INTO schema_migration (version, name, checksum) VALUES (:version::int, :name, md5(:text))

-- name: schema_verify
SELECT checksum = md5(:text) AS same FROM schema_migration WHERE version = :version::int
