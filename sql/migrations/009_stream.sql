-- What takings-stream keeps: the state of each order, line and refund as the newest news has it, and
-- figures that change by f(new state) - f(old state) in the same transaction. State, figures,
-- positions and dead letters always move together.

-- Where each partition of a source stands. The row is the fence, too: whoever moves it names the
-- place it moves from, and does nothing at all if that is not so any more.
CREATE TABLE stream_position (
	source text NOT NULL,                -- kafka, postgresql
	topic text NOT NULL,                 -- a topic; of postgresql the slot
	partition integer NOT NULL,
	next bigint NOT NULL,                -- the offset or LSN to go on from
	detail text NOT NULL DEFAULT '',     -- of postgresql: the system it is a position of, and the state of
	                                     -- the first copy
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (source, topic, partition)
);

-- Messages that will never be accepted, with the reason; `takings-batch replay` has them read again.
CREATE TABLE dead_letter (
	dead_letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source text NOT NULL,
	topic text NOT NULL,
	partition integer NOT NULL,
	position bigint NOT NULL,
	message_key bytea,
	payload bytea,
	reason text NOT NULL,                -- a short stable word
	field text NOT NULL,                 -- what it is about; '' where nothing can be named
	detail text NOT NULL,                -- a sentence for a person
	message_at timestamptz,
	received_at timestamptz NOT NULL DEFAULT now(),
	replay_wanted_at timestamptz,        -- asked for; the stream clears it when it has tried
	replayed_at timestamptz,             -- accepted after all
	UNIQUE (source, topic, partition, position)
);
CREATE INDEX dead_letter_wanted ON dead_letter (dead_letter_id) WHERE replay_wanted_at IS NOT NULL;

-- One row for each order ever heard of; a row of which only lines or refunds are known is not `born`.
-- Versions are pairs, compared major first (stream/change.h).
CREATE TABLE order_state (
	order_id text COLLATE "C" PRIMARY KEY,
	born boolean NOT NULL,
	deleted boolean NOT NULL DEFAULT false,
	birth_major bigint NOT NULL DEFAULT -1,
	birth_minor bigint NOT NULL DEFAULT -1,
	status_major bigint NOT NULL DEFAULT -1,
	status_minor bigint NOT NULL DEFAULT -1,
	status text,
	counted boolean NOT NULL DEFAULT false, -- by the rules of live_site
	currency text,
	location_id integer,
	customer_id text,
	total_minor bigint,
	discount_minor bigint,
	tax_minor bigint,
	shipping_minor bigint,
	tip_minor bigint,
	placed_at timestamptz,               -- NULL: none, or none that can be believed
	placed_local timestamp,              -- on the site's wall clock, such that (local - cutoff)::date is
	                                     -- the business day and its hour the hour of the day
	cancelled_at timestamptz,
	cancelled_local timestamp,
	cancel_reason text,
	updated_at timestamptz NOT NULL DEFAULT now() -- when it last took a new state
) WITH (fillfactor = 80);
CREATE INDEX order_state_placed ON order_state (placed_at DESC) WHERE born AND NOT deleted;
CREATE INDEX order_state_cancelled ON order_state (cancelled_at) WHERE cancelled_at IS NOT NULL;

CREATE TABLE order_line_state (
	line_id text COLLATE "C" PRIMARY KEY,
	order_id text COLLATE "C" NOT NULL,
	deleted boolean NOT NULL DEFAULT false,
	event boolean NOT NULL DEFAULT false, -- came inside an order event: counts only while the order's
	                                      -- birth has this version
	major bigint NOT NULL,
	minor bigint NOT NULL,
	item_id text,
	name text,
	quantity numeric,
	price numeric,
	amount numeric,                      -- given by the message; else quantity * price
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX order_line_state_order ON order_line_state (order_id);

CREATE TABLE order_refund_state (
	refund_id text COLLATE "C" PRIMARY KEY,
	order_id text COLLATE "C" NOT NULL,
	deleted boolean NOT NULL DEFAULT false,
	major bigint NOT NULL,
	minor bigint NOT NULL,
	amount numeric,
	refunded_at timestamptz,
	refunded_local timestamp,
	updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX order_refund_state_order ON order_refund_state (order_id);

-- The figures. A row whose measures are all 0 is not there, so that the same state always makes the
-- same rows. `changed_at` is of the last real change and no figure.

-- Business days, with the measures of daily_revenue_cache. Item sales come from live_item, statuses
-- from live_status.
CREATE TABLE live_day (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	placed bigint NOT NULL,
	counted bigint NOT NULL,
	gross_minor bigint NOT NULL,
	refund_minor bigint NOT NULL,        -- of this day's counted orders
	booked_minor bigint NOT NULL,        -- the same money by transaction date
	discount_minor bigint NOT NULL,
	tax_minor bigint NOT NULL,
	shipping_minor bigint NOT NULL,
	tip_minor bigint NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (location_id, business_date, currency)
);
CREATE INDEX live_day_date ON live_day (business_date);

CREATE TABLE live_status (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	status text NOT NULL,
	orders bigint NOT NULL,
	PRIMARY KEY (location_id, business_date, currency, status)
);
CREATE INDEX live_status_date ON live_status (business_date);

-- Real hours: the instant at which an hour of the wall clock begins, so that a repeated hour is two rows.
CREATE TABLE live_hour (
	location_id integer NOT NULL,
	hour_at timestamptz NOT NULL,
	currency text NOT NULL,
	business_date date NOT NULL,
	hour smallint NOT NULL,              -- of the wall clock
	placed bigint NOT NULL,
	counted bigint NOT NULL,
	gross_minor bigint NOT NULL,
	refund_minor bigint NOT NULL,
	changed_at timestamptz NOT NULL,
	PRIMARY KEY (location_id, hour_at, currency, business_date, hour)
);
CREATE INDEX live_hour_at ON live_hour (hour_at);
CREATE INDEX live_hour_date ON live_hour (business_date);

-- Minutes, by when the order was placed, whatever became of it.
CREATE TABLE live_minute (
	location_id integer NOT NULL,
	minute_at timestamptz NOT NULL,
	currency text NOT NULL,
	placed bigint NOT NULL,
	placed_minor bigint NOT NULL,        -- total of all orders placed
	counted bigint NOT NULL,
	counted_minor bigint NOT NULL,
	PRIMARY KEY (location_id, minute_at, currency)
);
CREATE INDEX live_minute_at ON live_minute (minute_at);

CREATE TABLE live_item (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	item_id text NOT NULL,
	quantity numeric NOT NULL,
	amount numeric NOT NULL,             -- exact, in major units: rounded when it is read, as the batch does
	orders bigint NOT NULL,              -- counted orders with the item
	PRIMARY KEY (location_id, business_date, currency, item_id)
);
CREATE INDEX live_item_date ON live_item (business_date);

-- Since ever, over all locations.
CREATE TABLE live_product (
	currency text NOT NULL,
	item_id text NOT NULL,
	quantity numeric NOT NULL,
	amount numeric NOT NULL,
	orders bigint NOT NULL,
	PRIMARY KEY (currency, item_id)
);

-- The newest name of each item; not a figure.
CREATE TABLE live_item_name (
	item_id text PRIMARY KEY,
	name text NOT NULL,
	major bigint NOT NULL,
	minor bigint NOT NULL
);

CREATE TABLE live_customer (
	currency text NOT NULL,
	customer_id text NOT NULL,
	placed bigint NOT NULL,
	counted bigint NOT NULL,
	revenue_minor bigint NOT NULL,       -- counted orders less their refunds
	PRIMARY KEY (currency, customer_id)
);

-- One row: under which rules the live tables were made, and a number that grows with each
-- transaction that changed a figure (NOTIFY takings_live says the new one).
CREATE TABLE live_site (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	rules_id integer REFERENCES rules,
	live_version bigint NOT NULL DEFAULT 0,
	minutes_from timestamptz NOT NULL DEFAULT '-infinity', -- older minutes were dropped and get no rows
	changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO live_site DEFAULT VALUES;

-- Each process of takings-stream, for health, measures and the page of the system.
CREATE TABLE stream_status (
	instance text PRIMARY KEY,           -- host:pid:start
	started_at timestamptz NOT NULL,
	at timestamptz NOT NULL,
	status text NOT NULL CHECK (status IN ('ok', 'degraded', 'down')),
	detail text NOT NULL DEFAULT '',
	stats jsonb NOT NULL DEFAULT '{}'    -- numbers by name; measures print them
);

-- ---- reports -----------------------------------------------------------------

-- One flush is one moment and five reports; what was not stored yet waits here.
CREATE TABLE report_flush (
	flush_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	stamp text NOT NULL UNIQUE,          -- YYYYMMDD_HHMMSS in UTC, with _NNN where that was taken
	made_at timestamptz NOT NULL,
	live_version bigint NOT NULL,        -- what the reports show
	totals jsonb NOT NULL,               -- by currency, for the next flush's window
	done_at timestamptz                  -- all five are stored
);

CREATE TABLE report_outbox (
	flush_id bigint NOT NULL REFERENCES report_flush ON DELETE CASCADE,
	ordinal smallint NOT NULL,           -- the summary is the last
	report_type text NOT NULL,
	key text NOT NULL,                   -- analytics/daily_sales/20250115_103000.json
	body text NOT NULL,
	attempts integer NOT NULL DEFAULT 0,
	error text NOT NULL DEFAULT '',
	PRIMARY KEY (flush_id, ordinal)
);

-- ---- reconciliation -------------------------------------------------------------

-- Each closed day, as the batch and as the stream have it.
CREATE TABLE reconciliation (
	business_date date PRIMARY KEY,
	status text NOT NULL CHECK (status IN ('equal', 'different', 'no_stream')),
	orders_batch bigint NOT NULL,
	orders_stream bigint NOT NULL,
	revenue jsonb NOT NULL,              -- by currency: {"EUR": {"batch_minor": 1, "stream_minor": 1}}
	orders_differing integer NOT NULL,
	run_id bigint NOT NULL,
	checked_at timestamptz NOT NULL
);

CREATE TABLE reconciliation_order (
	business_date date NOT NULL REFERENCES reconciliation ON DELETE CASCADE,
	order_id text NOT NULL,
	reason text NOT NULL CHECK (reason IN ('missing_in_stream', 'missing_in_order_db', 'status', 'amount', 'day',
	                                       'currency', 'location', 'lines', 'refunds')),
	batch jsonb,                         -- the order as order_db has it; NULL: it is not there
	stream jsonb,
	PRIMARY KEY (business_date, order_id)
);
