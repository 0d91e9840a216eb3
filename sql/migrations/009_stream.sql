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
-- Versions are pairs, compared major first (stream/change.h). `said` has a bit for each field that any
-- change ever said (enum change_field). Where all of them were said with the version of their register,
-- as is usual, `said_at` is NULL; else it has a pair for each field, {-1,-1} for what was never said.
CREATE TABLE order_state (
	order_id text COLLATE "C" PRIMARY KEY,
	born boolean NOT NULL,
	deleted boolean NOT NULL DEFAULT false,
	birth_major bigint NOT NULL DEFAULT -1,
	birth_minor bigint NOT NULL DEFAULT -1,
	status_major bigint NOT NULL DEFAULT -1,
	status_minor bigint NOT NULL DEFAULT -1,
	said integer NOT NULL DEFAULT 0,
	said_at bigint[],
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
	order_id text COLLATE "C",           -- NULL: nobody has said it, or the line is deleted
	deleted boolean NOT NULL DEFAULT false,
	event boolean NOT NULL DEFAULT false, -- came inside an order event: counts only while the order's
	                                      -- birth has this version
	major bigint NOT NULL,
	minor bigint NOT NULL,
	said integer NOT NULL,
	said_at bigint[],
	item_id text,
	name text,
	quantity numeric,
	price numeric,
	amount numeric,                      -- given by the message; else quantity * price
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
CREATE INDEX order_line_state_order ON order_line_state (order_id);

CREATE TABLE order_refund_state (
	refund_id text COLLATE "C" PRIMARY KEY,
	order_id text COLLATE "C",
	deleted boolean NOT NULL DEFAULT false,
	major bigint NOT NULL,
	minor bigint NOT NULL,
	said integer NOT NULL,
	said_at bigint[],
	amount numeric,
	refunded_at timestamptz,
	refunded_local timestamp,
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);
CREATE INDEX order_refund_state_order ON order_refund_state (order_id);

-- The figures. A row whose measures are all 0 is not there, so that the same state always makes the
-- same rows. `changed_at` is of the last real change and no figure. Pages have room for the next version of
-- their rows, so that no index needs to know of it.

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
) WITH (fillfactor = 70);
CREATE INDEX live_day_date ON live_day (business_date);

CREATE TABLE live_status (
	location_id integer NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	status text NOT NULL,
	orders bigint NOT NULL,
	PRIMARY KEY (location_id, business_date, currency, status)
) WITH (fillfactor = 70);
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
) WITH (fillfactor = 70);
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
) WITH (fillfactor = 70);
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
) WITH (fillfactor = 70);
CREATE INDEX live_item_date ON live_item (business_date);

-- Since ever, over all locations.
CREATE TABLE live_product (
	currency text NOT NULL,
	item_id text NOT NULL,
	quantity numeric NOT NULL,
	amount numeric NOT NULL,
	orders bigint NOT NULL,
	PRIMARY KEY (currency, item_id)
) WITH (fillfactor = 70);

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
) WITH (fillfactor = 70);

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

-- ---- what is newer ---------------------------------------------------------------

-- What stream/change.h says in C, compared with it by a test. These are constants to the planner: a name
-- costs nothing when a statement runs, and a wrong one is refused.

-- enum change_field, in the order of its bits.
CREATE TYPE change_field AS ENUM (
	'placed', 'total', 'currency', 'location', 'customer', 'discount', 'tax', 'shipping', 'tip', 'status', 'cancelled',
	'order_id', 'item', 'name', 'quantity', 'price', 'amount', 'refunded'
);

CREATE FUNCTION change_fields() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT cardinality(enum_range(NULL::change_field)) $$;

CREATE FUNCTION field_bit(field change_field) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1 << (array_position(enum_range(NULL::change_field), field) - 1) $$;

-- The fields of an order's status register; all others go with its birth. A line and a refund have only that.
CREATE FUNCTION status_fields() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT field_bit('status') | field_bit('cancelled') $$;

-- WRITES_BIRTH: the register was said.
CREATE FUNCTION writes_birth() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1 $$;

-- VERSION_ROW: the least major version of a row.
CREATE FUNCTION version_row() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1::bigint << 62 $$;

-- Two bits beside those of the fields, of said_news alone: that register's version is newer.
CREATE FUNCTION newer_birth() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1 << change_fields() $$;

CREATE FUNCTION newer_status() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 2 << change_fields() $$;

-- When a field was said last; fields are counted from 0.
CREATE FUNCTION said_when(said integer, said_at bigint[], birth bigint[], status bigint[], field integer) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN said >> field & 1 = 0 THEN '{-1,-1}'
	            WHEN said_at IS NOT NULL THEN said_at[2 * field + 1 : 2 * field + 2]
	            WHEN status_fields() >> field & 1 = 1 THEN status
	            ELSE birth END
$$;

-- Of what `n` says, the fields that it says later than `s` does.
CREATE FUNCTION said_later(n_said integer, n_at bigint[], n_birth bigint[], n_status bigint[],
                           s_said integer, s_at bigint[], s_birth bigint[], s_status bigint[]) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(bit_or(1 << f), 0)
	FROM generate_series(0, change_fields() - 1) f
	WHERE said_when(n_said, n_at, n_birth, n_status, f) > said_when(s_said, s_at, s_birth, s_status, f)
$$;

-- said_at of both together.
CREATE FUNCTION said_both(n_said integer, n_at bigint[], n_birth bigint[], n_status bigint[],
                          s_said integer, s_at bigint[], s_birth bigint[], s_status bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN bool_or(at <> '{-1,-1}' AND at <> CASE WHEN status_fields() >> f & 1 = 1 THEN greatest(n_status, s_status)
	                                                        ELSE greatest(n_birth, s_birth) END)
	            THEN array_agg(part ORDER BY f, i) END
	FROM (SELECT f, greatest(said_when(n_said, n_at, n_birth, n_status, f), said_when(s_said, s_at, s_birth, s_status, f)) AS at
	      FROM generate_series(0, change_fields() - 1) f) x,
	     unnest(at) WITH ORDINALITY u(part, i)
$$;

-- What of `n` is news to `s`: the bits of the fields to take from it, with newer_birth() and newer_status();
-- 0: nothing. Where one of both says all that the other says, its versions decide.
CREATE FUNCTION said_news(n_said integer, n_at bigint[], n_birth_major bigint, n_birth_minor bigint, n_status_major bigint,
                          n_status_minor bigint, s_said integer, s_at bigint[], s_birth_major bigint, s_birth_minor bigint,
                          s_status_major bigint, s_status_minor bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN (n_birth_major, n_birth_minor) > (s_birth_major, s_birth_minor) THEN newer_birth() ELSE 0 END
	     | CASE WHEN (n_status_major, n_status_minor) > (s_status_major, s_status_minor) THEN newer_status() ELSE 0 END
	     | CASE WHEN n_at IS NULL AND s_at IS NULL
	             AND CASE WHEN (n_birth_major, n_birth_minor) > (s_birth_major, s_birth_minor)
	                      THEN s_said & ~n_said ELSE n_said & ~s_said END & ~status_fields() = 0
	             AND CASE WHEN (n_status_major, n_status_minor) > (s_status_major, s_status_minor)
	                      THEN s_said & ~n_said ELSE n_said & ~s_said END & status_fields() = 0
	            THEN CASE WHEN (n_birth_major, n_birth_minor) > (s_birth_major, s_birth_minor) THEN n_said & ~status_fields() ELSE 0 END
	               | CASE WHEN (n_status_major, n_status_minor) > (s_status_major, s_status_minor) THEN n_said & status_fields() ELSE 0 END
	            ELSE said_later(n_said, n_at, ARRAY[n_birth_major, n_birth_minor], ARRAY[n_status_major, n_status_minor],
	                            s_said, s_at, ARRAY[s_birth_major, s_birth_minor], ARRAY[s_status_major, s_status_minor])
	       END
$$;

-- ---- what an order adds to the figures ---------------------------------------------

-- One row for each order that counts for anything, by the rules of live_site. What is booked on another
-- day than the order's, its cancellation and its refunds, is not in here.
CREATE VIEW order_part AS
SELECT s.order_id, s.birth_major, s.birth_minor, s.location_id, (s.placed_local - cutoff)::date AS business_date, s.currency,
       s.placed_at - (s.placed_local - date_trunc('hour', s.placed_local)) AS hour_at,
       extract(hour FROM s.placed_local)::smallint AS hour, date_trunc('minute', s.placed_at) AS minute_at,
       coalesce(s.status, '') AS status, s.customer_id, s.counted, coalesce(s.total_minor, 0) AS total,
       coalesce(r.refund, 0) AS refund, coalesce(r.refunds, 0) AS refunds, coalesce(s.discount_minor, 0) AS discount,
       coalesce(s.tax_minor, 0) AS tax, coalesce(s.shipping_minor, 0) AS shipping, coalesce(s.tip_minor, 0) AS tip,
       (s.cancelled_local - cutoff)::date AS cancelled_date
FROM (SELECT *, (SELECT make_interval(hours => u.cutoff_hours) FROM live_site JOIN rules u USING (rules_id)) AS cutoff
      FROM order_state) s
LEFT JOIN LATERAL (SELECT sum(money_minor(f.amount, s.currency))::bigint AS refund, count(*) AS refunds
                   FROM order_refund_state f
                   WHERE f.order_id = s.order_id AND NOT f.deleted AND f.refunded_local IS NOT NULL) r ON s.counted
WHERE s.born AND NOT s.deleted AND s.placed_local IS NOT NULL AND s.currency IS NOT NULL AND s.location_id IS NOT NULL;

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

-- What the reports told last of each day: those that differ from it are told anew, one that is gone as zeros.
CREATE TABLE report_day (
	business_date date NOT NULL,
	currency text NOT NULL,
	placed bigint NOT NULL,
	revenue_minor numeric NOT NULL,      -- of all locations
	PRIMARY KEY (business_date, currency)
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

-- ---- what answers take from the live tables -------------------------------------

-- In PL/pgSQL with one plan each: planned anew in every answer they would cost more than they do.

-- One row once the batch has run. Business days up to newest_day are the batch's; days after it, up
-- to last_day, are the stream's: the last day it was seen on. last_day is NULL where the stream has
-- never run under the rules in force. `late`: it has not been heard of for 15 s, or says that
-- something is wrong, or that what it reads is older than that.
CREATE FUNCTION live_reach()
RETURNS TABLE (today date, elapsed_s int, timezone text, newest_day date, last_day date, seen_at timestamptz, late boolean)
LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT d.business_date, extract(epoch FROM now() - d.starts_at)::int, r.timezone, (SELECT max(business_date) FROM daily_revenue_cache),
	       CASE WHEN l.rules_id IS DISTINCT FROM s.rules_id THEN NULL
	            WHEN h.at >= d.starts_at THEN d.business_date
	            ELSE business_date(h.at, r.timezone, r.cutoff_hours) END,
	       h.at, coalesce(h.at < now() - interval '15 seconds' OR h.status <> 'ok', true)
	             OR EXISTS (SELECT FROM stream_status t WHERE t.at > now() - interval '15 seconds'
	                          AND (t.stats ->> 'stream_lag_ms')::numeric > 15000)
	FROM site s JOIN rules r USING (rules_id) CROSS JOIN live_site l
	LEFT JOIN heartbeat h ON h.component = 'stream'
	CROSS JOIN LATERAL (SELECT * FROM business_days(r.timezone, r.cutoff_hours, (now() AT TIME ZONE 'UTC')::date - 2,
	                                                (now() AT TIME ZONE 'UTC')::date + 1) b
	                    WHERE b.starts_at <= now() AND b.ends_at > now()) d;
END
$$;

-- Figures of whole days as report_days has them, and of the days after those as the stream has them.
CREATE FUNCTION live_days(first_day date, final_day date, code text, location int, by_transaction boolean)
RETURNS TABLE (business_date date, revenue_minor numeric, placed numeric, counted numeric, gross_minor numeric,
               refund_minor numeric, item_minor numeric, item_qty numeric, live boolean)
LANGUAGE plpgsql STABLE ROWS 30 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT d.*, false FROM report_days(first_day, final_day, code, location, by_transaction) d
	UNION ALL
	SELECT g.day::date, coalesce(l.revenue, 0), coalesce(l.placed, 0), coalesce(l.counted, 0), coalesce(l.gross, 0),
	       coalesce(l.refund, 0), coalesce(i.minor, 0), coalesce(i.qty, 0), true
	FROM live_reach() r
	CROSS JOIN LATERAL generate_series(greatest(first_day, r.newest_day + 1)::timestamp, least(final_day, r.last_day)::timestamp,
	                                   interval '1 day') g(day)
	CROSS JOIN LATERAL (SELECT sum(CASE WHEN by_transaction THEN x.booked_minor ELSE x.gross_minor - x.refund_minor END) AS revenue,
	                           sum(x.placed) AS placed, sum(x.counted) AS counted, sum(x.gross_minor) AS gross, sum(x.refund_minor) AS refund
	                    FROM live_day x
	                    WHERE x.business_date = g.day::date AND x.currency = code AND (location IS NULL OR x.location_id = location)) l
	CROSS JOIN LATERAL (SELECT sum(half_even(x.amount * 10::numeric ^ money_exponent(code), 0)) AS minor, sum(x.quantity) AS qty
	                    FROM live_item x
	                    WHERE x.business_date = g.day::date AND x.currency = code AND (location IS NULL OR x.location_id = location)) i
	WHERE r.last_day IS NOT NULL;
END
$$;

-- The real hours of business days, oldest first: 23 or 25 on a day on which the clock is changed.
-- `name` is the hour's beginning on the wall clock with its offset: 2025-01-15T10:00+01:00.
CREATE FUNCTION real_hours(zone text, cutoff_hours int, first_day date, final_day date)
RETURNS TABLE (hour_at timestamptz, business_date date, hour smallint, name text)
LANGUAGE sql STABLE AS $$
	WITH piece AS MATERIALIZED (
		SELECT start_s, end_s, shift_s, zone_offset_s(zone, start_s) AS offset_s
		FROM business_pieces(zone, cutoff_hours, first_day, final_day)
	)
	SELECT to_timestamp(h - shift_s), (to_timestamp(start_s + shift_s - cutoff_hours * 3600) AT TIME ZONE 'UTC')::date,
	       (h / 3600 % 24)::smallint,
	       to_char(to_timestamp(h - shift_s + offset_s) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI')
	       || CASE WHEN offset_s < 0 THEN '-' ELSE '+' END || to_char(make_interval(secs => abs(offset_s)), 'HH24:MI')
	FROM piece, LATERAL generate_series((start_s + shift_s) / 3600 * 3600, end_s + shift_s - 1, 3600) h
	ORDER BY 1
$$;

-- Figures of real hours, by when orders were placed; NULL on days that neither the batch nor the
-- stream knows. An hour that occurs twice is one to the batch: it is split as the stream has it where
-- both agree on the whole, else all of it is in the first.
CREATE FUNCTION live_hours(first_day date, final_day date, code text, location int)
RETURNS TABLE (hour_at timestamptz, name text, placed numeric, revenue_minor numeric)
LANGUAGE plpgsql STABLE ROWS 24 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH hour AS MATERIALIZED (
		SELECT h.* FROM site JOIN rules r USING (rules_id), LATERAL real_hours(r.timezone, r.cutoff_hours, first_day, final_day) h
	), closed AS MATERIALIZED (
		SELECT DISTINCT d.business_date FROM daily_revenue_cache d WHERE d.business_date BETWEEN first_day AND final_day
	), batch AS MATERIALIZED (
		SELECT c.business_date, c.hour, sum(c.order_count) AS placed, sum(c.revenue_minor) AS minor
		FROM hourly_order_cache c
		WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code AND (location IS NULL OR c.location_id = location)
		GROUP BY 1, 2
	), stream AS MATERIALIZED (
		SELECT l.business_date, l.hour, l.hour_at, sum(l.placed) AS placed, sum(l.gross_minor - l.refund_minor) AS minor
		FROM live_hour l
		WHERE l.business_date BETWEEN first_day AND final_day AND l.currency = code AND (location IS NULL OR l.location_id = location)
		GROUP BY 1, 2, 3
	), pair AS (
		SELECT h.hour_at, h.name, h.business_date, c.business_date IS NOT NULL AS closed,
		       coalesce(b.placed, 0) AS b_placed, coalesce(b.minor, 0) AS b_minor, coalesce(s.placed, 0) AS s_placed, coalesce(s.minor, 0) AS s_minor,
		       row_number() OVER (PARTITION BY h.business_date, h.hour ORDER BY h.hour_at) AS nth, count(*) OVER w AS n,
		       sum(s.placed) OVER w IS NOT DISTINCT FROM b.placed AND sum(s.minor) OVER w IS NOT DISTINCT FROM b.minor AS agree
		FROM hour h
		LEFT JOIN closed c USING (business_date)
		LEFT JOIN batch b USING (business_date, hour)
		LEFT JOIN stream s USING (business_date, hour, hour_at)
		WINDOW w AS (PARTITION BY h.business_date, h.hour)
	)
	SELECT p.hour_at, p.name,
	       CASE WHEN p.closed AND p.n > 1 AND p.agree THEN p.s_placed
	            WHEN p.closed THEN CASE WHEN p.nth = 1 THEN p.b_placed ELSE 0 END
	            WHEN p.business_date > coalesce(r.newest_day, '-infinity') AND p.business_date <= r.last_day THEN p.s_placed END,
	       CASE WHEN p.closed AND p.n > 1 AND p.agree THEN p.s_minor
	            WHEN p.closed THEN CASE WHEN p.nth = 1 THEN p.b_minor ELSE 0 END
	            WHEN p.business_date > coalesce(r.newest_day, '-infinity') AND p.business_date <= r.last_day THEN p.s_minor END
	FROM pair p CROSS JOIN live_reach() r
	ORDER BY p.hour_at;
END
$$;

-- The 24 hours of the wall clock of a day that the stream knows and the batch does not.
CREATE FUNCTION live_clock_hours(day date, code text, location int)
RETURNS TABLE (hour smallint, seconds int, placed numeric, counted numeric, revenue_minor numeric)
LANGUAGE plpgsql STABLE ROWS 24 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT b.hour, b.seconds, coalesce(l.placed, 0), coalesce(l.counted, 0), coalesce(l.minor, 0)
	FROM live_reach() k
	CROSS JOIN site JOIN rules r USING (rules_id)
	CROSS JOIN LATERAL business_hours(r.timezone, r.cutoff_hours, day, day) b
	LEFT JOIN LATERAL (SELECT sum(x.placed) AS placed, sum(x.counted) AS counted, sum(x.gross_minor - x.refund_minor) AS minor
	                   FROM live_hour x
	                   WHERE x.business_date = day AND x.hour = b.hour AND x.currency = code
	                     AND (location IS NULL OR x.location_id = location)) l ON true
	WHERE day > k.newest_day AND day <= k.last_day;
END
$$;

-- Items as report_items_ranked has them, with those of the stream's days.
CREATE FUNCTION live_items_ranked(first_day date, final_day date, code text, location int, measure text)
RETURNS TABLE (rank bigint, item_id text, name text, quantity numeric, minor numeric, orders bigint)
LANGUAGE plpgsql STABLE ROWS 100 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT row_number() OVER (ORDER BY
	           CASE measure WHEN 'quantity' THEN i.quantity WHEN 'orders' THEN i.orders ELSE i.minor END DESC,
	           CASE measure WHEN 'revenue' THEN i.quantity ELSE i.minor END DESC, i.item_id), i.*
	FROM (SELECT c.item_id, (array_agg(c.name ORDER BY c.business_date DESC, c.location_id))[1] AS name,
	             sum(c.quantity) AS quantity, sum(c.minor) AS minor, sum(c.orders)::bigint AS orders
	      FROM (SELECT s.item_id, s.name, s.business_date, s.location_id, s.quantity, s.revenue_minor::numeric AS minor, s.order_count AS orders
	            FROM item_sales_cache s
	            WHERE s.business_date BETWEEN first_day AND final_day AND s.currency = code AND (location IS NULL OR s.location_id = location)
	            UNION ALL
	            SELECT l.item_id, coalesce(n.name, l.item_id), l.business_date, l.location_id, trim_scale(l.quantity),
	                   half_even(l.amount * 10::numeric ^ money_exponent(code), 0), l.orders
	            FROM live_reach() r
	            JOIN live_item l ON l.business_date BETWEEN greatest(first_day, r.newest_day + 1) AND least(final_day, r.last_day)
	            LEFT JOIN live_item_name n USING (item_id)
	            WHERE r.last_day IS NOT NULL AND l.currency = code AND (location IS NULL OR l.location_id = location)) c
	      GROUP BY c.item_id) i;
END
$$;

-- What a closed day had come to when so many seconds of it were over, by the orders the stream knows.
-- No row where these are not all that the batch counted on that day.
CREATE FUNCTION live_until(day date, elapsed_s int, code text, location int)
RETURNS TABLE (revenue_minor numeric, placed numeric, counted numeric)
LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH own AS MATERIALIZED (
		SELECT o.placed_at < d.starts_at + make_interval(secs => elapsed_s) AS early, p.counted, p.total - p.refund AS minor
		FROM site JOIN rules r USING (rules_id)
		CROSS JOIN LATERAL business_days(r.timezone, r.cutoff_hours, day, day) d
		JOIN order_state o ON o.born AND NOT o.deleted AND o.placed_at >= d.starts_at AND o.placed_at < d.ends_at
		JOIN order_part p USING (order_id)
		WHERE p.currency = code AND (location IS NULL OR p.location_id = location)
	), whole AS (
		SELECT coalesce(sum(minor) FILTER (WHERE counted), 0) AS minor, count(*) AS placed, count(*) FILTER (WHERE counted) AS counted
		FROM own
	)
	SELECT coalesce(sum(o.minor) FILTER (WHERE o.counted AND o.early), 0), (count(*) FILTER (WHERE o.early))::numeric,
	       (count(*) FILTER (WHERE o.counted AND o.early))::numeric
	FROM own o
	HAVING EXISTS (SELECT FROM whole w, report_days(day, day, code, location, false) b
	               WHERE w.minor = b.revenue_minor AND w.placed = b.placed AND w.counted = b.counted);
END
$$;

-- Today as the stream knows it, and what other days had come to at the same time of theirs. One row
-- once the batch has run, without figures unless `wanted` and known.
CREATE FUNCTION live_today(wanted boolean, code text, location int, by_transaction boolean)
RETURNS TABLE (today date, elapsed_s int, timezone text, currency text, known boolean, seen_at timestamptz, late boolean,
               revenue_minor numeric, placed numeric, counted numeric, item_qty numeric, previous_minor numeric, weekday_minor numeric)
LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	r record;
	d record;
	cur text;
	previous numeric;
	weekday numeric;
BEGIN
	SELECT * INTO r FROM live_reach();
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF wanted AND r.last_day >= r.today THEN
		SELECT s.currency INTO cur FROM report_scope(r.today, NULL, NULL, 1, code) s;
		SELECT * INTO d FROM live_days(r.today, r.today, cur, location, by_transaction);
		IF NOT by_transaction THEN
			SELECT u.revenue_minor INTO previous FROM live_until(r.today - 1, r.elapsed_s, cur, location) u;
			SELECT u.revenue_minor INTO weekday FROM live_until(r.today - 7, r.elapsed_s, cur, location) u;
		END IF;
		RETURN QUERY SELECT r.today, r.elapsed_s, r.timezone, cur, true, r.seen_at, r.late, d.revenue_minor, d.placed, d.counted,
		                    d.item_qty, previous, weekday;
	ELSE
		RETURN QUERY SELECT r.today, r.elapsed_s, r.timezone, code, false, NULL::timestamptz, NULL::boolean, NULL::numeric, NULL::numeric,
		                    NULL::numeric, NULL::numeric, NULL::numeric, NULL::numeric;
	END IF;
END
$$;
