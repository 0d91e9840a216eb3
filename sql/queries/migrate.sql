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
-- Rights of the roles of sql/roles.sql, where they exist: the batch and the web program write
-- what is theirs, reports only read and see nothing of users, sessions and keys. None may change
-- the schema. Looked at after every migration, as the roles may have come later; only what
-- lacks is given. `*` stands for every table, `-` for all but those about access, those with
-- messages as they came, those that say who did what, and partitions, which are read by way of the whole.
DO $$
DECLARE
	access text[] := '{app_user, web_session, api_key, login_failure, audit_log, activity_funnel, dead_letter, event_log, activity_event, activity_id,
	                   activity_quarantine, activity_warning, activity_visitor, activity_session, activity_question, activity_suppressed,
	                   activity_secret, activity_erasure, activity_sequence, activity_first_moved}';
	-- what the owner's rights are lent for; dropping is for the batch alone
	lent text[] := '{person_suppress, person_forget, activity_partition_make, activity_partition_drop}';
	lack record;
BEGIN
	FOR lack IN
		WITH granted (role, words, tables, columns) AS (VALUES
			('analytics_rw', 'SELECT', '*', NULL),
			('analytics_rw', 'INSERT UPDATE DELETE', 'rules site batch_run series daily_revenue_cache
			  hourly_order_cache item_sales_cache restatement heartbeat app_user api_key
			  special_day expected_cache anomaly stream_position dead_letter order_state order_line_state
			  order_refund_state live_day live_status live_hour live_minute live_item live_product
			  live_item_name live_customer live_site stream_status cohort_state cohort_cache cohort_nobody report_flush report_outbox report_day
			  reconciliation reconciliation_order event_log redis_gap redis_listening booking_message booking_state event_field
			  event_state event_capacity user_state event_day category_day booking_day booking_day_more booking_hour
			  booking_lead event_stats top_events system_metrics booking_site probe_minute uptime_day uptime_site
			  activity_site activity_dimension activity_batch activity_event activity_id activity_quarantine activity_account
			  activity_warning activity_type activity_property activity_visitor activity_session activity_person_day
			  activity_value activity_sum activity_session_sum activity_user_sum activity_product location_region
			  activity_suppressed activity_secret activity_question activity_sequence activity_first_moved', NULL),
			('analytics_rw', 'USAGE', 'activity_batch_id activity_visitor_visitor_id_seq activity_sequence_part', NULL),
			('analytics_web', 'USAGE', 'activity_batch_id', NULL),
			('analytics_web', 'INSERT', 'activity_batch activity_event activity_id activity_quarantine', NULL),
			('analytics_web', 'INSERT UPDATE', 'activity_account activity_warning', NULL),
			('analytics_web', 'INSERT UPDATE DELETE', 'activity_question activity_funnel', NULL),
			('analytics_rw', 'INSERT UPDATE DELETE', 'activity_funnel', NULL), -- where a person is forgotten
			('analytics_web', 'INSERT', 'activity_dimension', NULL),
			('analytics_web', 'INSERT UPDATE', 'activity_type', NULL),
			('analytics_web', 'UPDATE', 'activity_quarantine', 'decided_at decision'),
			('analytics_web', 'INSERT UPDATE', 'event_log', NULL),
			('analytics_rw', 'INSERT UPDATE DELETE', 'storage_day', NULL),
			('analytics_rw', 'INSERT UPDATE DELETE', 'conversion_model conversion_cell', NULL),
			('analytics_rw', 'INSERT UPDATE', 'forecast_run forecast_history', NULL),
			('analytics_web', 'INSERT', 'forecast_run forecast_history', NULL),
			('analytics_rw', 'INSERT', 'audit_log', NULL),
			('analytics_rw', 'DELETE', 'web_session', NULL),
			('analytics_web', 'SELECT', '*', NULL),
			('analytics_web', 'INSERT UPDATE DELETE', 'web_session login_failure heartbeat', NULL),
			('analytics_web', 'INSERT', 'audit_log api_key', NULL),
			('analytics_web', 'UPDATE', 'api_key', NULL),
			-- users are made on the command line only
			('analytics_web', 'UPDATE', 'app_user',
			 'enabled role token_version password_hash password_changed_at last_login_at'),
			('analytics_ro', 'SELECT', '-', NULL)
		), own AS (
			SELECT oid, relname::text AS name, relkind = 'S' AS counter, relispartition AS part FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
		), wanted AS MATERIALIZED (
			SELECT r.oid AS role_id, r.rolname AS role, t.oid AS table_id, t.name AS tbl, t.counter, w AS word, c AS col
			FROM granted g
			JOIN pg_roles r ON r.rolname = g.role
			CROSS JOIN regexp_split_to_table(g.words, '\s+') w
			JOIN own t ON CASE g.tables WHEN '*' THEN NOT t.counter WHEN '-' THEN NOT t.counter AND NOT t.part AND t.name <> ALL (access)
			              ELSE t.name = ANY (regexp_split_to_array(g.tables, '\s+')) END
			LEFT JOIN regexp_split_to_table(g.columns, '\s+') c ON true
		)
		SELECT role, tbl, word, col, counter FROM wanted
		WHERE CASE WHEN counter THEN NOT has_sequence_privilege(role_id, table_id, word)
		           WHEN col IS NULL THEN NOT has_table_privilege(role_id, table_id, word)
		           ELSE NOT has_column_privilege(role_id, table_id, col, word) END
	LOOP
		IF NOT has_schema_privilege(lack.role, 'public', 'USAGE') THEN
			EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', lack.role);
		END IF;
		EXECUTE format('GRANT %s%s ON %s %I TO %I', lack.word, '(' || quote_ident(lack.col) || ')',
		               CASE WHEN lack.counter THEN 'SEQUENCE' ELSE 'TABLE' END, lack.tbl, lack.role);
	END LOOP;
	FOR lack IN
		SELECT r.rolname AS role, p.oid::regprocedure AS routine
		FROM pg_proc p, pg_roles r
		WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (lent)
		  AND (r.rolname = 'analytics_rw' OR r.rolname = 'analytics_web' AND p.proname <> 'activity_partition_drop')
		  AND NOT has_function_privilege(r.oid, p.oid, 'EXECUTE')
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', lack.routine, lack.role);
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
