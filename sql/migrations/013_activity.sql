-- Activity: what users do on a site. Tracked events come in over HTTP or Kafka and are stored once, in the
-- transaction whose COMMIT is answered; takings-stream turns them into sessions, people and figures
-- (014_activity_figures.sql). docs/ACTIVITY.md says what an event and a figure mean.
--
-- What can be booked is an "event" of 010_bookings.sql, and has nothing to do with these.

-- ---- what comes in ---------------------------------------------------------------

-- One row: by which clock and gap the figures below were made, and a number that grows with each transaction that
-- changed one (NOTIFY takings_activity says the new one).
CREATE TABLE activity_site (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	timezone text,                       -- NULL, as the next two: the stream has not looked yet
	cutoff_hours smallint,
	session_timeout_s integer,
	version bigint NOT NULL DEFAULT 0,
	applied_at timestamptz               -- when events last took effect
);
INSERT INTO activity_site DEFAULT VALUES;

-- What events can be told apart by. dimension_id is the place in activity_event.dims; up to 16, of which the
-- first 8 are always there. One that is declared later counts from then on.
CREATE TABLE activity_dimension (
	dimension_id smallint PRIMARY KEY CHECK (dimension_id BETWEEN 1 AND 16),
	name text NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9_]{0,31}$'),
	property text NOT NULL,              -- the property it is read from; '' where it takes more than that
	meaning text NOT NULL DEFAULT '',
	declared_by text NOT NULL DEFAULT '',
	declared_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO activity_dimension (dimension_id, name, property, meaning) VALUES
	(1, 'page', '', 'Path of the page, without its query'),
	(2, 'source', '', 'Where the visit came from: utm_source, else the host of the referrer; none from the site itself'),
	(3, 'campaign', 'utm_campaign', 'Campaign of the link that was followed'),
	(4, 'device', '', 'desktop, mobile, tablet or other, by the browser''s name'),
	(5, 'browser', '', 'Family of the browser'),
	(6, 'category', 'category', 'Category of the product it is about'),
	(7, 'product', 'product_id', 'The product it is about'),
	(8, 'region', 'region', 'Region, as the site says it');

-- One transaction of events: a row is there until they have taken effect.
CREATE SEQUENCE activity_batch_id AS bigint MAXVALUE 140737488355327; -- << 16 fits a bigint
CREATE TABLE activity_batch (
	batch_id bigint PRIMARY KEY DEFAULT nextval('activity_batch_id'),
	events integer NOT NULL CHECK (events BETWEEN 1 AND 65536),
	from_at timestamptz NOT NULL,        -- the earliest and the latest occurred_at among them: their partitions
	to_at timestamptz NOT NULL,
	stored_at timestamptz NOT NULL DEFAULT now()
);

-- Partitioned by the UTC day of occurred_at; activity_partition_make() makes what is missing. Nothing of a row is
-- ever changed; whole days are dropped when they are old, single rows when a person is erased.
CREATE TABLE activity_event (
	seq bigint NOT NULL,                 -- batch_id << 16 | place in the batch: the order of arrival
	event_id uuid NOT NULL,
	event_type text NOT NULL,
	occurred_at timestamptz NOT NULL,    -- corrected: see docs/ACTIVITY.md
	claimed_at timestamptz,              -- as the sender said; NULL: it did not
	received_at timestamptz NOT NULL,
	flags smallint NOT NULL,             -- enum activity_flag of lib/domain/activity_event.h
	key_id bigint,                       -- the write key it came with; NULL: another way
	user_id text,
	anonymous_id text,
	session_id text,
	session_key bigint NOT NULL,         -- SipHash of session_id, else of whom it is by: looks it up, proves nothing
	dims text[] NOT NULL,                -- by dimension_id; NULL or missing: not set
	price numeric,                       -- of one piece; NULL: not said
	quantity integer,                    -- NULL: not said
	currency text,
	properties text NOT NULL             -- JSON object
) PARTITION BY RANGE (occurred_at);
ALTER TABLE activity_event ADD PRIMARY KEY (seq, occurred_at);
CREATE INDEX activity_event_session ON activity_event (session_key, occurred_at);
-- Rows lie in the order in which they came in: what came in lately is found for next to nothing.
CREATE INDEX activity_event_received ON activity_event USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);

-- Every id that was ever stored: what makes it stored once, and finds it. Goes with the partition.
CREATE TABLE activity_id (
	event_id uuid PRIMARY KEY,
	seq bigint NOT NULL,
	occurred_at timestamptz NOT NULL,
	digest bigint NOT NULL               -- of what it says: the same id with another is refused
);

-- Makes the partitions of the UTC days given, in any order. Whoever asks needs no right to make tables.
CREATE FUNCTION activity_partition_make(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	day date;
	part text;
	lent record;
BEGIN
	FOR day IN SELECT DISTINCT d FROM unnest(days) d WHERE to_regclass('activity_event_' || to_char(d, 'YYYYMMDD')) IS NULL ORDER BY d LOOP
		PERFORM pg_advisory_xact_lock(hashtextextended('activity_partition', 0));
		part := 'activity_event_' || to_char(day, 'YYYYMMDD');
		-- to_regclass would still say what it said before the wait: nothing has told it otherwise
		CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = part AND c.relnamespace = 'public'::regnamespace);
		-- attached, and not made as a partition: that would wait for all who read events, a backup for example
		EXECUTE format('CREATE TABLE %I (LIKE activity_event INCLUDING ALL)', part);
		EXECUTE format('ALTER TABLE activity_event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
		               day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
		-- who asks for a partition by its name needs rights on it: those on the whole
		FOR lent IN SELECT r.rolname AS role, a.privilege_type AS word FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
		            WHERE c.oid = 'activity_event'::regclass AND a.grantee <> c.relowner LOOP
			EXECUTE format('GRANT %s ON %I TO %I', lent.word, part, lent.role);
		END LOOP;
	END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION activity_partition_make(date[]) FROM PUBLIC; -- lent by sql/queries/migrate.sql

-- What was not stored although it could be read, with the reason; `takings-batch activity` stores it after all.
CREATE TABLE activity_quarantine (
	quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	received_at timestamptz NOT NULL DEFAULT now(),
	source text NOT NULL,                -- as activity_account.source
	key_id bigint,
	event_id uuid,                       -- NULL: it says none, or none that can be read
	event_type text NOT NULL,            -- '' where it does not say
	reason text NOT NULL,                -- a short stable word: too_old, schema, ...
	field text NOT NULL,
	detail text NOT NULL,                -- a sentence
	payload text NOT NULL,               -- the event as it came, JSON, with what is needed to store it as if now it were then
	decided_at timestamptz,              -- when somebody stored or dropped it
	decision text CHECK (decision IN ('stored', 'dropped'))
);
CREATE INDEX activity_quarantine_open ON activity_quarantine (quarantine_id) WHERE decided_at IS NULL;

-- What became of all that came: received = stored + duplicate + quarantined + refused, for each source and hour.
CREATE TABLE activity_account (
	hour_at timestamptz NOT NULL,
	source text NOT NULL,                -- key:3, kafka, demo, user:anna, ...
	received bigint NOT NULL DEFAULT 0,
	stored bigint NOT NULL DEFAULT 0,
	duplicate bigint NOT NULL DEFAULT 0, -- the same id with the same words
	quarantined bigint NOT NULL DEFAULT 0,
	refused bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (hour_at, source)
) WITH (fillfactor = 70);

-- Why, of refused and quarantined ones, and what was strange about stored ones (clamped, skewed, bot, late).
CREATE TABLE activity_warning (
	hour_at timestamptz NOT NULL,
	source text NOT NULL,
	event_type text NOT NULL,            -- '' where it is none of those known
	reason text NOT NULL,
	field text NOT NULL,
	events bigint NOT NULL,
	sample text NOT NULL,                -- one of them, shortened, without what tells who it is
	PRIMARY KEY (hour_at, source, event_type, reason, field)
) WITH (fillfactor = 70);

-- The event dictionary. Types and properties are there from the first event on; the rest somebody wrote.
CREATE TABLE activity_type (
	event_type text PRIMARY KEY,
	first_at timestamptz,                -- NULL, as the next: described, but never seen
	last_at timestamptz,
	owner text NOT NULL DEFAULT '',
	description text NOT NULL DEFAULT '',
	schema jsonb,                        -- JSON Schema (a part of it) for properties; NULL: none
	enforce boolean NOT NULL DEFAULT false -- what does not fit is quarantined; else only counted
);
CREATE TABLE activity_property (
	event_type text NOT NULL,
	property text NOT NULL,
	kind text NOT NULL,                  -- string, number, boolean, object, array, null
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	events bigint NOT NULL,              -- among those looked at
	PRIMARY KEY (event_type, property, kind)
) WITH (fillfactor = 70);

-- A public key, which stands in a page, counts only from pages of these origins, and what it brings is not
-- trusted; NULL: a secret key of a server.
ALTER TABLE api_key ADD COLUMN origins text[];

-- ---- people and sessions ----------------------------------------------------------

-- Each id anything was ever by. person_id is whose it is: the own visitor_id, or that of the user an anonymous
-- id was seen together with first. Two users are never one.
CREATE TABLE activity_visitor (
	visitor_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('user', 'anonymous', 'session')),
	id text COLLATE "C",                 -- NULL: erased
	person_id bigint NOT NULL,
	linked_at timestamptz,               -- when it became another's; NULL: it did not
	-- Of a person (person_id = visitor_id), over all its ids, without bots; NULL of others.
	first_at timestamptz,
	first_day date,                      -- business day of first_at
	last_at timestamptz,
	last_received_at timestamptz,
	UNIQUE (kind, id)
) WITH (fillfactor = 80);
CREATE INDEX activity_visitor_person ON activity_visitor (person_id);
CREATE INDEX activity_visitor_active ON activity_visitor (last_received_at) WHERE last_received_at IS NOT NULL;
CREATE INDEX activity_visitor_new ON activity_visitor (first_day) WHERE first_day IS NOT NULL;

-- A session is a function of the set of its events. Bots have sessions of their own.
CREATE TABLE activity_session (
	activity_session_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	session_key bigint NOT NULL,         -- as of its events
	session_id text,                     -- as the client says; NULL: found by the gaps between events
	bot boolean NOT NULL,
	person_id bigint NOT NULL,           -- activity_visitor
	started_at timestamptz NOT NULL,     -- the first and the last event
	last_at timestamptz NOT NULL,
	last_received_at timestamptz NOT NULL,
	ended boolean NOT NULL,              -- a session_end is its last event
	business_date date NOT NULL,         -- of started_at
	hour_at timestamptz NOT NULL,        -- the hour of the wall clock started_at is in
	events integer NOT NULL,
	page_views integer NOT NULL,
	steps smallint NOT NULL,             -- 1 product_view, 2 add_to_cart, 4 checkout_start, 8 purchase
	landing text NOT NULL,               -- page of the first event that has one; ''
	leaving text NOT NULL,               -- of the last one
	source text NOT NULL,                -- of the first event that has one; ''
	device text NOT NULL,
	cart numeric NOT NULL,               -- what was added less what was removed since the last purchase, in the
	                                     -- site's currency
	cart_unpriced integer NOT NULL,      -- events left out of it for want of a price or another currency
	groups text[] NOT NULL,              -- 'dimension_id:value' of each value of its events; 'dimension_id:' not set
	UNIQUE (session_key, bot, started_at)
) WITH (fillfactor = 80);
CREATE INDEX activity_session_active ON activity_session (last_at);
CREATE INDEX activity_session_person ON activity_session (person_id, started_at);
CREATE INDEX activity_session_day ON activity_session (business_date);

-- On which business days somebody did something.
CREATE TABLE activity_person_day (
	business_date date NOT NULL,
	bot boolean NOT NULL,
	person_id bigint NOT NULL,
	groups text[] NOT NULL,              -- as of a session
	PRIMARY KEY (business_date, bot, person_id)
) WITH (fillfactor = 80);

-- ---- figures -----------------------------------------------------------------------

-- dimension_id 0 is the whole, with value ''. Of the others '' is not set, and '(other)' what came after the first
-- 1,000 values of a dimension. A bucket is an hour of the wall clock, a business day, or a month of business
-- days, and bucket_at the instant at which it begins. A row whose measures are all 0 is not there.
CREATE TABLE activity_value (
	dimension_id smallint NOT NULL,
	value text NOT NULL,
	first_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (dimension_id, value)
);
CREATE TYPE activity_grain AS ENUM ('hour', 'day', 'month');

-- The first instant of the hour of the wall clock.
CREATE FUNCTION activity_hour(at timestamptz, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT at - ((at AT TIME ZONE zone) - date_trunc('hour', at AT TIME ZONE zone))
$$;

CREATE TABLE activity_sum (
	grain activity_grain NOT NULL,
	bot boolean NOT NULL,
	dimension_id smallint NOT NULL,
	bucket_at timestamptz NOT NULL,
	event_type text NOT NULL,
	value text NOT NULL,
	events bigint NOT NULL,
	PRIMARY KEY (grain, bot, dimension_id, bucket_at, event_type, value)
) WITH (fillfactor = 80);

-- Sessions, in the bucket they started in, and in each group one of their events is in.
CREATE TABLE activity_session_sum (
	grain activity_grain NOT NULL,
	bot boolean NOT NULL,
	dimension_id smallint NOT NULL,
	bucket_at timestamptz NOT NULL,
	value text NOT NULL,
	sessions bigint NOT NULL,
	converted bigint NOT NULL,           -- with a purchase
	bounced bigint NOT NULL,             -- with one event
	events bigint NOT NULL,              -- of those sessions
	seconds bigint NOT NULL,             -- from first to last event, rounded down
	PRIMARY KEY (grain, bot, dimension_id, bucket_at, value)
) WITH (fillfactor = 80);

-- People of a business day. Of more days they are counted in activity_person_day: no sum is right.
CREATE TABLE activity_user_sum (
	bot boolean NOT NULL,
	dimension_id smallint NOT NULL,
	business_date date NOT NULL,
	value text NOT NULL,
	users bigint NOT NULL,
	PRIMARY KEY (bot, dimension_id, business_date, value)
) WITH (fillfactor = 80);

-- Of each product the category that its newest event says: what items of orders are in.
CREATE TABLE activity_product (
	product_id text PRIMARY KEY,
	category text NOT NULL,
	said_at timestamptz NOT NULL,
	seq bigint NOT NULL
);

-- Which region a location is in; one that is not here is in none.
CREATE TABLE location_region (
	location_id integer PRIMARY KEY,
	region text NOT NULL CHECK (region <> '')
);

-- ---- privacy ------------------------------------------------------------------------

-- Keyed hashes of ids that were erased: what comes of them later is refused. The key is one row that only the
-- programs read.
CREATE TABLE activity_suppressed (
	id_hash bytea PRIMARY KEY CHECK (octet_length(id_hash) = 32),
	at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE activity_secret (
	only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
	key bytea NOT NULL CHECK (octet_length(key) = 32)
);

-- ---- questions that were kept -------------------------------------------------------

CREATE TABLE activity_question (
	question_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL CHECK (name <> '' AND length(name) <= 100),
	owner text NOT NULL,                 -- user:anna
	shared_with text CHECK (shared_with IN ('viewer', 'analyst', 'admin')), -- least role; NULL: the owner alone
	question jsonb NOT NULL,             -- {"query": ...}: what stands behind the ? of the explorer's address
	made_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (owner, name)
);

