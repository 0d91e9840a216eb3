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

-- name: schema_lock
-- One migrator at a time, others wait; a transaction lock, so a crash frees it.
SELECT pg_advisory_xact_lock(hashtext('takings'), hashtext('migrate'))

-- name: schema_applied
SELECT version, name, checksum, applied_at FROM schema_migration ORDER BY version

-- name: schema_add
INSERT INTO schema_migration (version, name, checksum) VALUES (:version::int, :name, md5(:text))

-- name: schema_verify
SELECT checksum = md5(:text) AS same FROM schema_migration WHERE version = :version::int
