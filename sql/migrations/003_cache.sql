-- The cache tables of the nightly batch. Keys begin with the location, so that the
-- tables can be distributed by it. A day's rows are always replaced together, in
-- one transaction; a series (location and currency) that has begun has rows for
-- every day since, zeros where nothing was sold.

-- What decides which order counts on which day. A change makes a new row and a
-- rebuild of every day, which becomes visible in one transaction.
CREATE TABLE rules (
	rules_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	timezone text NOT NULL,
	cutoff_hours smallint NOT NULL CHECK (cutoff_hours BETWEEN 0 AND 12),
	order_db_timezone text NOT NULL,
	revenue_profile text NOT NULL,
	counted_statuses text NOT NULL, -- as configured; '' leaves it to the profile
	default_currency text NOT NULL CHECK (default_currency ~ '^[A-Z]{3}$'),
	default_location_id integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);

-- One row: the rules in force and a number that grows with every change of the
-- cache tables. Readers take zone, cutoff and currency from here, never from settings.
CREATE TABLE site (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	rules_id integer NOT NULL REFERENCES rules,
	data_version bigint NOT NULL DEFAULT 0
);

CREATE TABLE batch_run (
	run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	status text NOT NULL DEFAULT 'running'
		CHECK (status IN ('running', 'ok', 'nothing', 'failed', 'interrupted')),
	mode text NOT NULL,              -- due, closed days, or the days asked for
	first_day date,
	last_day date,
	days_planned integer NOT NULL DEFAULT 0,
	days_written integer NOT NULL DEFAULT 0,
	days_unchanged integer NOT NULL DEFAULT 0,
	days_kept integer NOT NULL DEFAULT 0, -- not touched: order_db no longer holds them
	orders_read bigint NOT NULL DEFAULT 0,
	snapshot text,                   -- what order_db said about its snapshot
	warnings jsonb NOT NULL DEFAULT '[]',
	error text,
	code_version text NOT NULL,
	server_version text NOT NULL
);

CREATE TABLE series (
	location_id integer NOT NULL,
	currency text NOT NULL,
	first_date date NOT NULL,
	PRIMARY KEY (location_id, currency)
);

CREATE TABLE daily_revenue_cache (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	revenue_minor bigint NOT NULL,       -- counted orders less their refunds, by order date
	booked_minor bigint NOT NULL,        -- the same money by transaction date
	gross_minor bigint NOT NULL,         -- total_amount of counted orders
	refund_minor bigint NOT NULL,        -- refunds of this day's counted orders
	discount_minor bigint NOT NULL,
	tax_minor bigint NOT NULL,
	shipping_minor bigint NOT NULL,
	tip_minor bigint NOT NULL,
	order_count bigint NOT NULL CHECK (order_count >= 0),   -- placed, any status
	served_count bigint NOT NULL CHECK (served_count BETWEEN 0 AND order_count), -- counted
	aov numeric NOT NULL,                -- revenue / served_count, major units; 0 without orders
	item_qty numeric NOT NULL,           -- items of counted orders
	item_minor bigint NOT NULL,          -- item sales of counted orders
	orders_by_status jsonb NOT NULL,
	first_order_at timestamptz,          -- first and last order placed
	last_order_at timestamptz,
	source_hash text NOT NULL,           -- of all that was read from order_db for the day
	rules_id integer NOT NULL REFERENCES rules,
	run_id bigint NOT NULL,
	computed_at timestamptz NOT NULL,
	PRIMARY KEY (location_id, business_date, currency)
);
CREATE INDEX daily_revenue_cache_date ON daily_revenue_cache (business_date);

CREATE TABLE hourly_order_cache (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	hour smallint NOT NULL CHECK (hour BETWEEN 0 AND 23), -- wall clock
	currency text NOT NULL,
	order_count bigint NOT NULL,
	served_count bigint NOT NULL,
	revenue_minor bigint NOT NULL,
	seconds integer NOT NULL,            -- 3600; 7200 and 0 where the clock is changed
	run_id bigint NOT NULL,
	computed_at timestamptz NOT NULL,
	PRIMARY KEY (location_id, business_date, hour, currency)
);
CREATE INDEX hourly_order_cache_date ON hourly_order_cache (business_date);

CREATE TABLE item_sales_cache (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	item_id text NOT NULL,
	currency text NOT NULL,
	name text NOT NULL,
	quantity numeric NOT NULL,
	revenue_minor bigint NOT NULL,
	order_count bigint NOT NULL,         -- counted orders with the item
	run_id bigint NOT NULL,
	computed_at timestamptz NOT NULL,
	PRIMARY KEY (location_id, business_date, item_id, currency)
);
CREATE INDEX item_sales_cache_date ON item_sales_cache (business_date);

-- A closed day that changed after it was first computed: was, now.
CREATE TABLE restatement (
	restatement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	revenue_was_minor bigint NOT NULL,
	revenue_now_minor bigint NOT NULL,
	orders_was bigint NOT NULL,
	orders_now bigint NOT NULL,
	served_was bigint NOT NULL,
	served_now bigint NOT NULL,
	run_id bigint NOT NULL,
	noticed_at timestamptz NOT NULL
);
CREATE INDEX restatement_noticed ON restatement (noticed_at);

-- Each program says that it lives; /health reads it.
CREATE TABLE heartbeat (
	component text PRIMARY KEY,
	status text NOT NULL CHECK (status IN ('ok', 'degraded', 'down')),
	detail text NOT NULL DEFAULT '',
	at timestamptz NOT NULL
);
