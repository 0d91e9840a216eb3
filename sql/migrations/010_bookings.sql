-- Bookings of events: messages become rows of an inbox (event_log), the inbox's rows become states, and
-- states become figures, in one transaction with the row (011_booking_figures.sql). docs/BOOKINGS.md says what a
-- message means.
--
-- An "event" is something that can be booked (a concert, a course); what users do on a site is activity.

-- ---- the inbox -------------------------------------------------------------------

-- Every message that was accepted, once: dedup_key is the SHA-256 of what it says.
-- Open: NOT processed AND dead_at IS NULL. What cannot be read is dead at once; what cannot be put into
-- effect is tried 8 times, further and further apart, and then dead. Of a dead row somebody decides: it is
-- replayed (open again), replaced by a corrected one (a row of source 'replay' whose source_position is the
-- old id) or dropped; both are processed then, without an effect, and say so. Nothing of the row is changed.
CREATE TABLE event_log (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	event_type text NOT NULL,            -- booking.created; '' where it does not say
	event_id bigint,                     -- the event it is about; NULL: none, or not readable
	event_data text,                     -- the message, JSON; NULL where it is none: see raw
	raw bytea,                           -- its bytes where they are no JSON
	dedup_key bytea NOT NULL UNIQUE,
	source text NOT NULL CHECK (source IN ('http', 'kafka', 'redis_stream', 'redis_pubsub', 'demo', 'replay')),
	source_position text NOT NULL DEFAULT '', -- where in its source: topic/partition/offset, stream/id, channel, key
	processed boolean NOT NULL DEFAULT false,
	attempts integer NOT NULL DEFAULT 0,
	next_attempt_at timestamptz NOT NULL DEFAULT now(),
	last_error text NOT NULL DEFAULT '', -- a sentence
	error_field text NOT NULL DEFAULT '',-- what it is about
	dead_at timestamptz,
	processed_at timestamptz,
	replaced_by bigint,                  -- the row with what it should have said; NULL: none
	dropped_at timestamptz,              -- when somebody decided that it counts for nothing; NULL: nobody did
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_log_open ON event_log (id) WHERE NOT processed AND dead_at IS NULL;
CREATE INDEX event_log_dead ON event_log (dead_at DESC, id DESC) WHERE dead_at IS NOT NULL AND NOT processed;
CREATE INDEX event_log_type ON event_log (event_type, id);
CREATE INDEX event_log_event ON event_log (event_id, id);
CREATE INDEX event_log_created ON event_log USING brin (created_at);
CREATE INDEX event_log_processed ON event_log USING brin (processed_at);
CREATE INDEX event_log_replaced ON event_log (replaced_by) WHERE replaced_by IS NOT NULL;

-- When a process of the stream listened to Redis's pub/sub and stored what it heard.
CREATE TABLE redis_listening (
	instance text NOT NULL,
	since timestamptz NOT NULL,
	until_at timestamptz NOT NULL,       -- as far as it is proven
	ended text NOT NULL,                 -- why it does no more, a sentence; '': it does, or could not say
	PRIMARY KEY (instance, since)
);

-- When nobody listened, and so messages may have been missed: nobody keeps them for us.
CREATE TABLE redis_gap (
	redis_gap_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	from_at timestamptz NOT NULL UNIQUE,
	until_at timestamptz,                -- NULL: still
	reason text NOT NULL
);

-- ---- states ----------------------------------------------------------------------

-- A state is a function of the set of messages. Which of two is newer is compared by
-- (version, occurred_at, seq, digest): a message without a version has 0, digest is of its kind (enum booking_kind
-- of lib/domain/booking_message.h), then of what it says.

-- Of each booking the newest message of each kind: 0 created, 1 confirmed, 2 cancelled. A booking.created
-- that says it is confirmed is both 0 and 1.
CREATE TABLE booking_message (
	booking_id text COLLATE "C" NOT NULL,
	kind smallint NOT NULL CHECK (kind BETWEEN 0 AND 2),
	version bigint NOT NULL,
	occurred_at timestamptz NOT NULL,
	seq bigint NOT NULL,
	digest bigint NOT NULL,
	event_id bigint,                     -- NULL, here and below: it does not say
	user_id text,
	seats integer,
	amount numeric,                      -- as it says: in which currency may turn out later
	currency text,
	PRIMARY KEY (booking_id, kind)
) WITH (fillfactor = 90);

-- What they come to. Its status is that of the newest; each other field what the newest that says it says.
-- A booking of which nobody said the event is not here.
CREATE TABLE booking_state (
	booking_id text COLLATE "C" PRIMARY KEY,
	event_id bigint NOT NULL,
	user_id text,
	status text NOT NULL CHECK (status IN ('pending', 'confirmed', 'cancelled')),
	seats integer NOT NULL,              -- 1 where nobody says
	amount_minor bigint NOT NULL,        -- 0 where nobody says
	currency text NOT NULL,              -- the event's, else the site's, where nobody says
	created_at timestamptz NOT NULL,     -- of the message that created it, else the earliest of the others
	confirmed_at timestamptz,            -- NULL: never, or its status is pending (again)
	cancelled_at timestamptz,            -- NULL unless that is its status
	created_day date NOT NULL,           -- business days of booking_site
	created_hour smallint NOT NULL,      -- of the wall clock
	confirmed_day date,
	cancelled_day date
) WITH (fillfactor = 90);
CREATE INDEX booking_state_event ON booking_state (event_id, created_at);
CREATE INDEX booking_state_created ON booking_state (created_at DESC);

-- Of each event each field as the newest message that says it has it; value NULL: it says that there is none.
CREATE TABLE event_field (
	event_id bigint NOT NULL,
	field text NOT NULL CHECK (field IN ('name', 'category', 'capacity', 'currency', 'starts_at', 'ends_at',
	                                     'sales_from', 'sales_until', 'status', 'published_at')),
	version bigint NOT NULL,
	occurred_at timestamptz NOT NULL,
	seq bigint NOT NULL,
	digest bigint NOT NULL,
	value text,
	PRIMARY KEY (event_id, field)
);

-- What they come to, and events that only bookings name.
CREATE TABLE event_state (
	event_id bigint PRIMARY KEY,
	name text NOT NULL,                  -- 'Event 17' where nobody says
	category text NOT NULL,              -- '' where nobody says
	capacity bigint,                     -- seats as the message says; NULL: not limited, or not said
	unlimited boolean NOT NULL,          -- by capacity: NULL, 0, or what CAPACITY_UNLIMITED says
	currency text NOT NULL,              -- the site's where nobody says
	starts_at timestamptz,
	ends_at timestamptz,
	sales_from timestamptz,
	sales_until timestamptz,
	status text NOT NULL CHECK (status IN ('draft', 'published', 'cancelled', 'unknown')),
	published_at timestamptz,            -- of the newest message that says so
	first_seen_at timestamptz NOT NULL,  -- the earliest time any message about it is of
	-- Business days on which it is on sale and on which it is held, ends included; from NULL: it says
	-- neither, to NULL: no end is known. A time it does not say is taken from the others.
	sale_from_day date,
	sale_to_day date,
	run_from_day date,
	run_to_day date
);

-- Each capacity an event was ever said to have.
CREATE TABLE event_capacity (
	event_id bigint NOT NULL,
	version bigint NOT NULL,
	occurred_at timestamptz NOT NULL,
	seq bigint NOT NULL,
	digest bigint NOT NULL,
	capacity bigint,
	PRIMARY KEY (event_id, version, occurred_at, seq, digest)
);

-- When a user was first heard of; survives the inbox's rows.
CREATE TABLE user_state (
	user_id text COLLATE "C" PRIMARY KEY,
	first_seen_at timestamptz NOT NULL,
	first_day date NOT NULL,
	registered_at timestamptz            -- of the earliest user.created; NULL: known by bookings only
);
CREATE INDEX user_state_day ON user_state (first_day);

-- ---- figures ---------------------------------------------------------------------

-- They change by f(new state) - f(old state). A row whose measures are all 0 is not there.
-- The measures, of a booking b, each on its day:
--   created_day:    new 1, new_seats b.seats; where it is confirmed now counted 1, revenue_minor b.amount
--   confirmed_day:  confirmed 1, confirmed_seats, booked_minor +amount
--   cancelled_day:  cancelled 1; where it was confirmed before cancelled_seats, booked_minor -amount
--   touched 1 on each day that is one of these, once
-- So revenue_minor restates the day of the booking, booked_minor books each change on its own day, and both
-- have the same sum over all time.
CREATE TABLE event_day (
	event_id bigint NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	touched bigint NOT NULL,
	new bigint NOT NULL,
	new_seats bigint NOT NULL,
	confirmed bigint NOT NULL,
	confirmed_seats bigint NOT NULL,
	cancelled bigint NOT NULL,
	cancelled_seats bigint NOT NULL,
	counted bigint NOT NULL,
	revenue_minor bigint NOT NULL,
	booked_minor bigint NOT NULL,
	PRIMARY KEY (event_id, business_date, currency)
) WITH (fillfactor = 70);

-- The same over all events of a category.
CREATE TABLE category_day (
	category text NOT NULL,
	business_date date NOT NULL,
	currency text NOT NULL,
	touched bigint NOT NULL,
	new bigint NOT NULL,
	new_seats bigint NOT NULL,
	confirmed bigint NOT NULL,
	confirmed_seats bigint NOT NULL,
	cancelled bigint NOT NULL,
	cancelled_seats bigint NOT NULL,
	counted bigint NOT NULL,
	revenue_minor bigint NOT NULL,
	booked_minor bigint NOT NULL,
	PRIMARY KEY (business_date, category, currency)
) WITH (fillfactor = 70);

-- The same over all events.
CREATE TABLE booking_day (
	business_date date NOT NULL,
	currency text NOT NULL,
	touched bigint NOT NULL,
	new bigint NOT NULL,
	new_seats bigint NOT NULL,
	confirmed bigint NOT NULL,
	confirmed_seats bigint NOT NULL,
	cancelled bigint NOT NULL,
	cancelled_seats bigint NOT NULL,
	counted bigint NOT NULL,
	revenue_minor bigint NOT NULL,
	booked_minor bigint NOT NULL,
	updated_at timestamptz NOT NULL DEFAULT now(), -- when it last changed; no figure
	PRIMARY KEY (business_date, currency)
) WITH (fillfactor = 70);

-- What stands beside them on each day.
CREATE TABLE booking_day_more (
	business_date date PRIMARY KEY,
	new_users bigint NOT NULL,
	active_events bigint NOT NULL        -- published, not cancelled, on sale or running that day; of those
	                                     -- without any times, with a booking made that day. Of the days from
	                                     -- the first of booking_day to today, see booking_site
);

-- When people book: wall clock hours of business days.
CREATE TABLE booking_hour (
	business_date date NOT NULL,
	hour smallint NOT NULL,
	new bigint NOT NULL,
	new_seats bigint NOT NULL,
	PRIMARY KEY (business_date, hour)
) WITH (fillfactor = 70);

-- How long before the event's first day: 0 that day or later, 365 a year or more; -1: no time is known.
CREATE TABLE booking_lead (
	category text NOT NULL,
	lead_days smallint NOT NULL,
	new bigint NOT NULL,
	new_seats bigint NOT NULL,
	PRIMARY KEY (category, lead_days)
) WITH (fillfactor = 70);

-- One row for each row of event_state, over all time and all currencies; money in the event's own currency.
CREATE TABLE event_stats (
	event_id bigint PRIMARY KEY,
	event_name text NOT NULL,
	category text NOT NULL,
	status text NOT NULL,
	starts_at timestamptz,
	ends_at timestamptz,
	total_capacity bigint,
	unlimited boolean NOT NULL,
	currency text NOT NULL,
	total_bookings bigint NOT NULL DEFAULT 0,     -- ever
	confirmed_bookings bigint NOT NULL DEFAULT 0, -- by their status now, and so cancelled_; the others are pending
	cancelled_bookings bigint NOT NULL DEFAULT 0,
	total_seats bigint NOT NULL DEFAULT 0,
	confirmed_seats bigint NOT NULL DEFAULT 0,
	cancelled_seats bigint NOT NULL DEFAULT 0,    -- of cancelled bookings, confirmed before or not
	revenue_minor bigint NOT NULL DEFAULT 0,      -- of confirmed bookings in that currency
	counted bigint NOT NULL DEFAULT 0,            -- how many these are
	other_money jsonb,                            -- {"USD": {"revenue_minor": 1, "counted": 1}}; NULL: none
	capacity_utilization numeric GENERATED ALWAYS AS
		(CASE WHEN NOT unlimited THEN half_even(confirmed_seats * 100::numeric / total_capacity, 2) END) STORED,
	cancellation_rate numeric GENERATED ALWAYS AS
		(CASE WHEN total_bookings > 0 THEN half_even(cancelled_bookings * 100::numeric / total_bookings, 2) END) STORED,
	overbooked boolean GENERATED ALWAYS AS (NOT unlimited AND confirmed_seats > total_capacity) STORED,
	sold_out boolean GENERATED ALWAYS AS (NOT unlimited AND confirmed_seats >= total_capacity) STORED, -- overbooked, too
	over_at timestamptz GENERATED ALWAYS AS (coalesce(ends_at, starts_at, 'infinity')) STORED,
	held_at timestamptz GENERATED ALWAYS AS (coalesce(starts_at, first_booking)) STORED, -- where it stands in lists by time
	name_key text GENERATED ALWAYS AS (lower(event_name)) STORED,
	first_booking timestamptz,
	last_booking timestamptz,
	updated_at timestamptz NOT NULL DEFAULT now(),
	CHECK (unlimited OR total_capacity > 0)
) WITH (fillfactor = 70);
CREATE INDEX event_stats_category ON event_stats (category, event_id);
CREATE INDEX event_stats_status ON event_stats (status, currency);
-- One for each order of the list: booking_page.
CREATE INDEX event_stats_name ON event_stats (name_key, event_id);
CREATE INDEX event_stats_bookings ON event_stats ((-total_bookings), event_id);
CREATE INDEX event_stats_revenue ON event_stats (currency, (-revenue_minor), event_id);
CREATE INDEX event_stats_utilization ON event_stats ((-capacity_utilization), event_id);
CREATE INDEX event_stats_cancellation ON event_stats ((-cancellation_rate), event_id);
CREATE INDEX event_stats_held ON event_stats (held_at, event_id);
CREATE INDEX event_stats_last ON event_stats (last_booking, event_id);
-- What somebody should know of, as long as the event is to come.
CREATE INDEX event_stats_sold_out ON event_stats (over_at, event_id) WHERE sold_out AND status <> 'cancelled';
CREATE INDEX event_stats_overbooked ON event_stats (over_at, event_id) WHERE overbooked AND status <> 'cancelled';
CREATE INDEX event_stats_on_sale ON event_stats (starts_at, event_id) WHERE NOT unlimited AND status = 'published';
CREATE INDEX event_stats_unlimited ON event_stats (event_id) WHERE unlimited;

-- Events with a booking, ranked: dense, from 1, ties share a rank. Revenue is ranked among events of one currency.
CREATE TABLE top_events (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	event_id bigint NOT NULL UNIQUE,
	event_name text NOT NULL,
	category text NOT NULL,
	currency text NOT NULL,
	total_bookings bigint NOT NULL,
	revenue_minor bigint NOT NULL,
	capacity_utilization numeric,
	booking_rank integer NOT NULL,
	revenue_rank integer NOT NULL,
	utilization_rank integer,            -- NULL: its capacity is not limited
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX top_events_booking ON top_events (booking_rank, event_id);
CREATE INDEX top_events_revenue ON top_events (currency, revenue_rank, event_id);
CREATE INDEX top_events_utilization ON top_events (utilization_rank, event_id);

-- One row. "Recent" are the last 30 complete business days, "previous" the 30 before them.
CREATE TABLE system_metrics (
	id integer PRIMARY KEY CHECK (id = 1),
	today date NOT NULL,                 -- the business day that runs
	total_events bigint NOT NULL,
	total_bookings bigint NOT NULL,
	total_users bigint NOT NULL,
	confirmed_bookings bigint NOT NULL,
	cancelled_bookings bigint NOT NULL,
	recent_bookings bigint NOT NULL,     -- created
	previous_bookings bigint NOT NULL,
	recent_events bigint NOT NULL,       -- first heard of
	avg_capacity_utilization numeric,    -- mean over events with one; NULL: there is none
	weighted_capacity_utilization numeric, -- all their seats by all their capacity
	avg_cancellation_rate numeric,
	weighted_cancellation_rate numeric,
	money jsonb NOT NULL,                -- {"EUR": {"total_minor": 1, "counted": 1, "recent_minor": 1, "previous_minor": 1}}
	updated_at timestamptz NOT NULL DEFAULT now()
);

-- One row: by which clock the figures were made (changed settings have them made anew), and a number that
-- grows with each transaction that changes one (NOTIFY takings_bookings says it, takings_live follows).
CREATE TABLE booking_site (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	timezone text,                       -- NULL: nothing was ever processed
	cutoff_hours integer,
	currency text,                       -- the site's
	capacity_unlimited bigint,           -- 0: none
	days_from date,                      -- of these days active_events is kept; NULL: of none
	days_to date,
	version bigint NOT NULL DEFAULT 0,
	ranked_version bigint NOT NULL DEFAULT -1, -- of which top_events and system_metrics are
	processed_at timestamptz,            -- the last time a row of the inbox took effect
	changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO booking_site DEFAULT VALUES;

-- The days of a range on which an event is active, as spans without a common day.
CREATE FUNCTION active_spans(e event_state, from_day date, to_day date) RETURNS TABLE (first_day date, final_day date)
LANGUAGE sql STABLE ROWS 2 AS $$
	SELECT w.a, w.z
	FROM (SELECT greatest(e.sale_from_day, from_day) AS sale_a, least(e.sale_to_day, to_day) AS sale_z,
	             greatest(e.run_from_day, from_day) AS run_a, least(e.run_to_day, to_day) AS run_z) d,
	     LATERAL (SELECT e.sale_from_day IS NOT NULL AND sale_a <= sale_z AS sold, e.run_from_day IS NOT NULL AND run_a <= run_z AS held) x,
	     LATERAL (VALUES (CASE WHEN x.sold AND x.held AND run_a <= sale_z AND sale_a <= run_z THEN least(sale_a, run_a) WHEN x.sold THEN sale_a END,
	                      CASE WHEN x.sold AND x.held AND run_a <= sale_z AND sale_a <= run_z THEN greatest(sale_z, run_z) WHEN x.sold THEN sale_z END),
	                     (CASE WHEN x.held AND NOT (x.sold AND run_a <= sale_z AND sale_a <= run_z) THEN run_a END, run_z)) w(a, z)
	WHERE e.status = 'published' AND from_day <= to_day AND w.a IS NOT NULL
	UNION ALL
	SELECT DISTINCT d.business_date, d.business_date FROM event_day d
	WHERE e.status = 'published' AND e.sale_from_day IS NULL AND e.run_from_day IS NULL
	  AND d.event_id = e.event_id AND d.business_date BETWEEN from_day AND to_day AND d.new > 0
$$;

-- ---- whether the system was up ----------------------------------------------------

-- A probe through nginx to the database and back, once a minute, by any process of the stream.
CREATE TABLE probe_minute (
	minute_at timestamptz PRIMARY KEY,
	up boolean NOT NULL,                 -- one went well
	took_ms integer,
	error text NOT NULL DEFAULT ''
);
CREATE INDEX probe_minute_down ON probe_minute (minute_at) WHERE NOT up;

-- Minutes of each business day in which one went well; how many there were since the first probe ever
-- is computed: minutes nobody probed in count as down.
CREATE TABLE uptime_day (
	business_date date PRIMARY KEY,
	minutes_up integer NOT NULL
);

-- One row: the first minute that was ever probed, and by which clock uptime_day was counted.
CREATE TABLE uptime_site (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	first_minute_at timestamptz,         -- NULL: none yet
	timezone text NOT NULL DEFAULT '',
	cutoff_hours integer NOT NULL DEFAULT 0
);
INSERT INTO uptime_site DEFAULT VALUES;

-- Counts the days from that of from_at on, one process at a time; where the clock is another, all of which the
-- minutes are still there.
CREATE FUNCTION uptime_count(zone text, cutoff int, from_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	site uptime_site;
	since timestamptz := from_at;
BEGIN
	SELECT * INTO site FROM uptime_site FOR UPDATE;
	IF site.timezone <> zone OR site.cutoff_hours <> cutoff THEN
		SELECT min(minute_at) INTO since FROM probe_minute;
		DELETE FROM uptime_day WHERE business_date >= business_date(since, zone, cutoff);
	END IF;
	UPDATE uptime_site SET timezone = zone, cutoff_hours = cutoff,
	                       first_minute_at = least(first_minute_at, from_at, since)
	WHERE (timezone, cutoff_hours) <> (zone, cutoff) OR first_minute_at IS NULL OR first_minute_at > from_at;
	INSERT INTO uptime_day (business_date, minutes_up)
	SELECT d.business_date, (SELECT count(*) FROM probe_minute m WHERE m.up AND m.minute_at >= d.starts_at AND m.minute_at < d.ends_at)
	FROM business_days(zone, cutoff, business_date(since, zone, cutoff), business_date(now(), zone, cutoff)) d
	ON CONFLICT (business_date) DO UPDATE SET minutes_up = excluded.minutes_up
	WHERE uptime_day.minutes_up <> excluded.minutes_up;
END
$$;

-- ---- the day of an instant --------------------------------------------------------

-- 1 where the clock was set back across the end of the day it shows, in the last 26 hours; else 0.
CREATE FUNCTION booking_day_begun(at timestamptz, zone text, cutoff_hours int) RETURNS int
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
	cutoff interval := make_interval(hours => cutoff_hours);
	next timestamp := (at AT TIME ZONE zone - cutoff)::date + 1 + cutoff;
	reached timestamptz := at + (next - ((at - interval '26 hours') AT TIME ZONE zone + interval '26 hours'));
BEGIN
	RETURN (reached <= at AND reached AT TIME ZONE zone = next)::int;
END
$$;

-- business_date, at a tenth of its cost near changes of the clock. A day has begun once the wall clock read its start,
-- whatever it reads since: near a clock that was set back it is asked whether, by the offset before, it did.
CREATE FUNCTION booking_date(at timestamptz, zone text, cutoff_hours int) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT (at AT TIME ZONE zone - make_interval(hours => cutoff_hours))::date + CASE
		WHEN (at - interval '26 hours') AT TIME ZONE zone + interval '26 hours' <= at AT TIME ZONE zone THEN 0
		ELSE booking_day_begun(at, zone, cutoff_hours) END
$$;
