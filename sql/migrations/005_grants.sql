-- Rights of the roles of sql/roles.sql, where they exist: the batch writes, the web
-- program reads. Neither may change the schema.
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_rw') THEN
		GRANT USAGE ON SCHEMA public TO analytics_rw;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO analytics_rw;
		GRANT INSERT, UPDATE, DELETE ON rules, site, batch_run, series, daily_revenue_cache,
			hourly_order_cache, item_sales_cache, restatement, heartbeat TO analytics_rw;
	END IF;
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_ro') THEN
		GRANT USAGE ON SCHEMA public TO analytics_ro;
		GRANT SELECT ON ALL TABLES IN SCHEMA public TO analytics_ro;
	END IF;
END
$$;
