-- Sequences: what people did in order, as compact as a column store has it, for questions that go through everybody's
-- events: funnels, retention, paths. docs/BEHAVIOUR.md says what is asked of them, lib/behaviour/sequence.h how the
-- columns are read. Bots have none.
--
-- The stream appends parts in the transaction in which events take effect (activity_sequences_take()), and merges the
-- parts of a day and shard when there are many. Nothing of a part is ever changed.

-- A part has some of the people of a shard (person_id modulo 32) with their events of one business day, by person_id,
-- occurred_at, seq. Words of a column are big-endian and of one width; events, seqs, sessions, amounts and d1 to d16 have one
-- for each event, in the same order.
CREATE SEQUENCE activity_sequence_part AS bigint;
CREATE TABLE activity_sequence (
	shard smallint NOT NULL,
	business_date date NOT NULL,
	part_id bigint NOT NULL DEFAULT nextval('activity_sequence_part'),
	made_at timestamptz NOT NULL DEFAULT now(),
	people bytea NOT NULL,               -- 8: person_id << 24 | 1 << 23: the first day this person was ever seen
	                                     -- | 1 << 22: not the first day any more | 1 << 21: gone, all of that day counts as
	                                     -- another's, or as nobody's | number of events (0: a word about the person alone)
	events bytea,                        -- 8: microseconds since the day began << 24 | 1 << 16 where the client
	                                     -- said a session_id | activity_type.code; NULL: not kept any more, and a number of
	                                     -- events above 0 says no more than that there were some
	seqs bytea,                          -- 8: activity_event.seq
	sessions bytea,                      -- 8: activity_event.session_key
	amounts bytea,                       -- 8: price times quantity, minor units of the site's currency; -1: not said
	-- 2, by dimension_id: activity_value.code; 0 not set, 65535 (other); NULL: none of them has any
	d1 bytea, d2 bytea, d3 bytea, d4 bytea, d5 bytea, d6 bytea, d7 bytea, d8 bytea,
	d9 bytea, d10 bytea, d11 bytea, d12 bytea, d13 bytea, d14 bytea, d15 bytea, d16 bytea,
	PRIMARY KEY (shard, business_date, part_id)
);
-- What each question reads is not compressed, the rest quickly.
ALTER TABLE activity_sequence ALTER people SET STORAGE EXTERNAL, ALTER events SET STORAGE EXTERNAL,
	ALTER seqs SET COMPRESSION lz4, ALTER sessions SET COMPRESSION lz4, ALTER amounts SET COMPRESSION lz4,
	ALTER d1 SET COMPRESSION lz4, ALTER d2 SET COMPRESSION lz4, ALTER d3 SET COMPRESSION lz4, ALTER d4 SET COMPRESSION lz4,
	ALTER d5 SET COMPRESSION lz4, ALTER d6 SET COMPRESSION lz4, ALTER d7 SET COMPRESSION lz4, ALTER d8 SET COMPRESSION lz4,
	ALTER d9 SET COMPRESSION lz4, ALTER d10 SET COMPRESSION lz4, ALTER d11 SET COMPRESSION lz4, ALTER d12 SET COMPRESSION lz4,
	ALTER d13 SET COMPRESSION lz4, ALTER d14 SET COMPRESSION lz4, ALTER d15 SET COMPRESSION lz4, ALTER d16 SET COMPRESSION lz4;

-- Numbers in the place of words, in the order in which they were first seen; NULL: there were more than fit (65535 says it).
ALTER TABLE activity_type ADD COLUMN code integer UNIQUE CHECK (code BETWEEN 1 AND 65534);
UPDATE activity_type t SET code = n.n
FROM (SELECT event_type, row_number() OVER (ORDER BY first_at NULLS LAST, event_type) AS n FROM activity_type) n
WHERE n.event_type = t.event_type AND n.n <= 65534;
ALTER TABLE activity_value ADD COLUMN code integer CHECK (code BETWEEN 1 AND 65534);
UPDATE activity_value v SET code = n.n
FROM (SELECT dimension_id, value, row_number() OVER (PARTITION BY dimension_id ORDER BY first_at, value) AS n FROM activity_value
      WHERE value NOT IN ('', '(other)')) n
WHERE n.dimension_id = v.dimension_id AND n.value = v.value;
CREATE UNIQUE INDEX activity_value_code ON activity_value (dimension_id, code);

-- Business days before it have no sequences yet; the stream makes them, the latest first. What a rebuild or an earlier version
-- leaves behind is 'infinity'.
ALTER TABLE activity_site ADD COLUMN sequenced_from date NOT NULL DEFAULT '-infinity';
UPDATE activity_site SET sequenced_from = 'infinity' WHERE EXISTS (SELECT FROM activity_visitor) OR EXISTS (SELECT FROM activity_batch);

-- A person's first day turned out to be an earlier one: activity_sequences_take() tells the sequences in the same transaction.
CREATE TABLE activity_first_moved (
	person_id bigint NOT NULL,
	was date NOT NULL
);
CREATE FUNCTION activity_first_moved() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO activity_first_moved VALUES (old.visitor_id, old.first_day);
	RETURN NULL;
END
$$;
CREATE TRIGGER activity_first_moved AFTER UPDATE OF first_day ON activity_visitor
	FOR EACH ROW WHEN (old.first_day IS NOT NULL AND new.first_day IS NOT NULL AND new.first_day <> old.first_day)
	EXECUTE FUNCTION activity_first_moved();

-- ---- codes -----------------------------------------------------------------------------

-- The first 1,000 values of a dimension count as themselves, in order of arrival, which is their code; others in w_event as
-- '(other)'.
CREATE OR REPLACE FUNCTION activity_values_take() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	others text[];
BEGIN
	WITH said AS (
		SELECT g, min(seq) AS seq, min(received_at) AS at FROM w_event, unnest(groups) g GROUP BY g
	), fresh AS (
		SELECT g, seq, at, activity_group_dimension(g) AS d, activity_group_value(g) AS v FROM said
		WHERE activity_group_value(g) NOT IN ('', '(other)')
		  AND NOT EXISTS (SELECT FROM activity_value o
		                  WHERE o.dimension_id = activity_group_dimension(g) AND o.value = activity_group_value(g))
	), place AS (
		SELECT f.*, row_number() OVER (PARTITION BY d ORDER BY seq, v)
		            + (SELECT count(*) FROM activity_value o WHERE o.dimension_id = f.d) AS place
		FROM fresh f
	), put AS (
		INSERT INTO activity_value (dimension_id, value, first_at, code) SELECT d, v, at, place FROM place WHERE place <= 1000
	)
	SELECT array_agg(g) INTO others FROM place WHERE place > 1000;
	PERFORM activity_others('w_event', others);
END
$$;

-- Types that people's events of w_event are of, and that have no code yet.
CREATE FUNCTION activity_types_take() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO activity_type AS t (event_type, first_at, last_at, code)
	SELECT event_type, first_at, last_at, CASE WHEN code <= 65534 THEN code END
	FROM (SELECT e.*, row_number() OVER (ORDER BY e.seq) + (SELECT coalesce(max(code), 0) FROM activity_type) AS code
	      FROM (SELECT event_type, min(seq) AS seq, min(occurred_at) AS first_at, max(occurred_at) AS last_at
	            FROM w_event WHERE NOT bot GROUP BY event_type) e
	      WHERE NOT EXISTS (SELECT FROM activity_type k WHERE k.event_type = e.event_type AND k.code IS NOT NULL)) n
	WHERE code <= 65534 OR NOT EXISTS (SELECT FROM activity_type k WHERE k.event_type = n.event_type)
	ORDER BY event_type
	ON CONFLICT (event_type) DO UPDATE SET code = excluded.code;
END
$$;

-- ---- parts -------------------------------------------------------------------------------

-- Appends events as parts, one for each shard and business day. `source` is a query of people's events (w_event's columns, and
-- said: whether there is a session_id) of these days. Its rows are ordered as they shall lie, and numbered; what a word says is
-- looked up before. Joins are made as they are written: planning must not take longer than a few events do.
CREATE FUNCTION activity_sequences_put(source text, days date[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 SET join_collapse_limit = 1 AS $$
DECLARE
	site activity_site;
	exponent int;
	d record;
BEGIN
	SELECT * INTO STRICT site FROM activity_site;
	exponent := money_exponent(site.currency);
	-- a code above 32,767 is a negative smallint
	SELECT coalesce(string_agg(format(', d%s', dimension_id), '' ORDER BY dimension_id), '') AS names,
	       coalesce(string_agg(format(', CASE WHEN bool_or(d%1$s <> 0) AND bool_and(kept) THEN string_agg(int2send(d%1$s), '''') END',
	                                  dimension_id), '' ORDER BY dimension_id), '') AS columns,
	       coalesce(string_agg(format(', CASE WHEN coalesce(e.dims[%1$s], '''') = '''' THEN 0 WHEN v%1$s.code IS NULL THEN -1
	                                     ELSE v%1$s.code - CASE WHEN v%1$s.code > 32767 THEN 65536 ELSE 0 END END::smallint AS d%1$s',
	                                  dimension_id), '' ORDER BY dimension_id), '') AS codes,
	       coalesce(string_agg(format(' LEFT JOIN activity_value v%1$s ON v%1$s.dimension_id = %1$s AND v%1$s.value = e.dims[%1$s]',
	                                  dimension_id), '' ORDER BY dimension_id), '') AS joins
	INTO STRICT d FROM activity_dimension;
	EXECUTE format($sql$
		WITH day AS MATERIALIZED (
			SELECT business_date, day_at, day_at >= $2 AS kept FROM activity_days($1, $3)
		)
		INSERT INTO activity_sequence (shard, business_date, people, events, seqs, sessions, amounts%1$s)
		SELECT shard, business_date,
		       string_agg(CASE WHEN (place - 1) %% 2097151 = 0 THEN int8send(person_id << 24 | least(n - place + 1, 2097151)
		           | CASE WHEN (SELECT first_day FROM activity_visitor v WHERE v.visitor_id = x.person_id) = business_date THEN 8388608 ELSE 0 END) END, ''),
		       CASE WHEN bool_and(kept) THEN string_agg(int8send(event), '') END,
		       CASE WHEN bool_and(kept) THEN string_agg(int8send(seq), '') END,
		       CASE WHEN bool_and(kept) THEN string_agg(int8send(session_key), '') END,
		       CASE WHEN bool_and(kept) THEN string_agg(int8send(amount), '') END%2$s
		FROM (SELECT (e.person_id %% 32)::smallint AS shard, e.business_date, e.person_id, e.seq, e.session_key, day.kept,
		             row_number() OVER (PARTITION BY (e.person_id %% 32)::smallint, e.business_date, e.person_id ORDER BY e.occurred_at, e.seq) AS place,
		             count(*) OVER (PARTITION BY (e.person_id %% 32)::smallint, e.business_date, e.person_id) AS n,
		             (date_part('epoch', e.occurred_at - day.day_at) * 1000000)::bigint << 24 | CASE WHEN e.said THEN 65536 ELSE 0 END
		                 | coalesce(t.code, 65535) AS event,
		             CASE WHEN e.price * coalesce(e.quantity, 1) < $5 AND coalesce(e.currency, $6) = $6
		                  THEN half_even(e.price * coalesce(e.quantity, 1) * $4, 0)::bigint ELSE -1 END AS amount%3$s
		      FROM (%4$s) e JOIN day ON day.business_date = e.business_date LEFT JOIN activity_type t ON t.event_type = e.event_type%5$s
		      ORDER BY 1, e.business_date, e.person_id, e.occurred_at, e.seq) x
		GROUP BY shard, business_date $sql$, d.names, d.columns, d.codes, source, d.joins)
	USING days, site.raw_from, site, 10::numeric ^ exponent, (10::numeric ^ 17 - 0.5) / 10::numeric ^ exponent, site.currency;
END
$$;

-- Appends words about people alone.
CREATE FUNCTION activity_sequences_say(people bigint[], days date[], words integer[]) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO activity_sequence (shard, business_date, people, events)
	SELECT person_id % 32, business_date, string_agg(int8send(person_id << 24 | word), '' ORDER BY person_id),
	       CASE WHEN business_day_start(timezone, cutoff_hours, business_date) >= raw_from THEN ''::bytea END
	FROM (SELECT person_id, business_date, bit_or(word) AS word FROM unnest(people, days, words) u(person_id, business_date, word) GROUP BY 1, 2) w,
	     activity_site
	GROUP BY 1, 2, timezone, cutoff_hours, raw_from
$$;

-- Of each person of w_move the days of which there are sequences; before activity_figures_take().
CREATE FUNCTION activity_sequences_moved() RETURNS TABLE (shard smallint, business_date date, old_id bigint, new_id bigint)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
#variable_conflict use_column
BEGIN
	IF EXISTS (SELECT FROM w_move) THEN
		RETURN QUERY
		SELECT (old_id % 32)::smallint, business_date, old_id, new_id
		FROM w_move m, LATERAL (SELECT business_date FROM activity_person_day d WHERE d.person_id = m.old_id AND NOT d.bot OFFSET 0) d
		WHERE business_date >= (SELECT sequenced_from FROM activity_site)
		ORDER BY 1, 2, 3;
	END IF;
END
$$;

-- Appends pieces of parts, counts[i] events from the offsets[i]-th on, as people's to whom they belong now. One who gets several of
-- a day has each in a part of its own.
CREATE FUNCTION activity_sequences_move(shards smallint[], days date[], parts bigint[], offsets integer[], counts integer[], people bigint[])
RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
DECLARE
	d record;
BEGIN
	SELECT string_agg(format(', d%s', i), '' ORDER BY i) AS names,
	       string_agg(format(', substring(s.d%1$s FROM u.at * 2 + 1 FOR u.n * 2) AS d%1$s', i), '' ORDER BY i) AS cut,
	       string_agg(format(', CASE WHEN bool_or(d%1$s IS NOT NULL)
	                            THEN string_agg(coalesce(d%1$s, decode(repeat(''0000'', n), ''hex'')), '''' ORDER BY person_id) END', i), ''
	                  ORDER BY i) AS columns
	INTO STRICT d FROM generate_series(1, 16) i;
	EXECUTE format($sql$
		INSERT INTO activity_sequence (shard, business_date, people, events, seqs, sessions, amounts%1$s)
		SELECT person_id %% 32, business_date, string_agg(int8send(person_id << 24 | n | first), '' ORDER BY person_id),
		       string_agg(events, '' ORDER BY person_id), string_agg(seqs, '' ORDER BY person_id), string_agg(sessions, '' ORDER BY person_id),
		       string_agg(amounts, '' ORDER BY person_id)%2$s
		FROM (SELECT u.person_id, u.day AS business_date, u.n,
		             row_number() OVER (PARTITION BY u.person_id, u.day ORDER BY u.part, u.at) AS layer,
		             CASE WHEN v.first_day = u.day THEN 8388608 ELSE 0 END AS first,
		             substring(s.events FROM u.at * 8 + 1 FOR u.n * 8) AS events, substring(s.seqs FROM u.at * 8 + 1 FOR u.n * 8) AS seqs,
		             substring(s.sessions FROM u.at * 8 + 1 FOR u.n * 8) AS sessions,
		             substring(s.amounts FROM u.at * 8 + 1 FOR u.n * 8) AS amounts%3$s
		      FROM unnest($1, $2, $3, $4, $5, $6) u(shard, day, part, at, n, person_id)
		      JOIN activity_sequence s ON s.shard = u.shard AND s.business_date = u.day AND s.part_id = u.part
		      JOIN activity_visitor v ON v.visitor_id = u.person_id) x
		GROUP BY person_id %% 32, business_date, layer $sql$, d.names, d.columns, d.cut)
	USING shards, days, parts, offsets, counts, people;
END
$$;

-- What is in w_event, and what else was found out about people; after activity_people_take() and activity_sequences_move(), before
-- activity_figures_take(). Events of days that are still to be made are only given codes.
CREATE FUNCTION activity_sequences_take() RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
DECLARE
	made_from date := (SELECT sequenced_from FROM activity_site);
	people bigint[];
	days date[];
	words integer[];
BEGIN
	PERFORM activity_types_take();
	IF EXISTS (SELECT FROM w_move) THEN
		PERFORM activity_sequences_say(array_agg(old_id), array_agg(business_date), array_agg(2097152)) FROM activity_sequences_moved();
	END IF;
	IF EXISTS (SELECT FROM activity_first_moved) THEN
		WITH moved AS (
			DELETE FROM activity_first_moved RETURNING person_id, was
		), said AS (
			SELECT m.person_id, x.business_date, x.word
			FROM moved m JOIN activity_visitor v ON v.visitor_id = m.person_id,
			     LATERAL (VALUES (m.was, 4194304), (v.first_day, 8388608)) x(business_date, word)
			WHERE v.first_day <> m.was AND x.business_date >= made_from
		)
		SELECT array_agg(person_id), array_agg(business_date), array_agg(word) INTO people, days, words FROM said;
		PERFORM activity_sequences_say(people, days, words);
	END IF;
	days := ARRAY(SELECT DISTINCT business_date FROM w_event WHERE NOT bot AND business_date >= made_from);
	IF days <> '{}' THEN
		PERFORM activity_sequences_put(format($sql$SELECT person_id, business_date, occurred_at, seq, event_type, session_id IS NOT NULL AS said,
			session_key, dims, price, quantity, currency FROM w_event WHERE NOT bot AND business_date >= %L$sql$, made_from), days);
	END IF;
END
$$;

-- ---- days made anew -----------------------------------------------------------------------

-- All parts of a business day, of the raw events that have taken effect; of a day of which some are gone, who was there. It is the
-- definition of what they should be.
CREATE FUNCTION activity_sequences_make(day date) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
DECLARE
	site activity_site;
	day_at timestamptz;
BEGIN
	PERFORM pg_advisory_xact_lock(activity_lock_key());
	SELECT * INTO STRICT site FROM activity_site;
	day_at := business_day_start(site.timezone, site.cutoff_hours, day);
	DELETE FROM activity_sequence WHERE shard = ANY (ARRAY(SELECT generate_series(0, 31)::smallint)) AND business_date = day;
	IF day_at < site.raw_from THEN
		INSERT INTO activity_sequence (shard, business_date, people)
		SELECT person_id % 32, day, string_agg(int8send(person_id << 24 | 1 | CASE WHEN first_day = day THEN 8388608 ELSE 0 END), '' ORDER BY person_id)
		FROM (SELECT d.person_id, v.first_day FROM activity_person_day d JOIN activity_visitor v ON v.visitor_id = d.person_id
		      WHERE d.business_date = day AND NOT d.bot) p
		GROUP BY 1;
	ELSE
		-- (a day that is a constant would be no part of the order, and another sort might undo it; "< 1" is thought to be many)
		PERFORM activity_sequences_put(format($sql$
			SELECT v.person_id, %1$L::date + (e.flags & 0)::int AS business_date, e.occurred_at, e.seq, e.event_type, e.session_id IS NOT NULL AS said, e.session_key, e.dims,
			       e.price, e.quantity, e.currency
			FROM activity_event e
			JOIN activity_visitor v
			  ON v.kind = CASE WHEN e.user_id IS NOT NULL THEN 'user' WHEN e.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END
			 AND v.id = coalesce(e.user_id, e.anonymous_id, e.session_id)
			WHERE e.occurred_at >= %2$L AND e.occurred_at < %3$L AND e.flags & 112 < 1
			  AND NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16) $sql$,
			day, day_at, business_day_start(site.timezone, site.cutoff_hours, day + 1)), ARRAY[day]);
	END IF;
END
$$;

-- Makes the latest day that has no sequences yet, and answers with it; NULL: there is none any more.
CREATE FUNCTION activity_sequences_catch() RETURNS date
LANGUAGE plpgsql AS $$
DECLARE
	day date;
BEGIN
	PERFORM pg_advisory_xact_lock(activity_lock_key());
	SELECT max(business_date) INTO day FROM activity_person_day WHERE business_date < (SELECT sequenced_from FROM activity_site);
	IF day IS NOT NULL THEN
		PERFORM activity_sequences_make(day);
	END IF;
	UPDATE activity_site SET sequenced_from = coalesce(day, '-infinity');
	PERFORM activity_done('{}');
	RETURN day;
END
$$;

-- Takes away what activity_rebuild() makes, from a business day on, and all sequences: the stream makes them day by day.
CREATE OR REPLACE FUNCTION activity_clear(from_day date, site activity_site) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	day_at timestamptz := '-infinity';
	month_at timestamptz := '-infinity';
BEGIN
	IF from_day > '-infinity' THEN
		SELECT d.day_at, d.month_at INTO day_at, month_at FROM activity_days(ARRAY[from_day], site) d;
	END IF;
	DELETE FROM activity_session WHERE started_at >= day_at;
	DELETE FROM activity_person_day WHERE business_date >= from_day;
	DELETE FROM activity_user_sum WHERE business_date >= from_day;
	-- (a month by another clock may have begun a little earlier)
	DELETE FROM activity_sum WHERE bucket_at >= CASE grain WHEN 'month' THEN month_at - interval '2 days' ELSE day_at END;
	DELETE FROM activity_session_sum WHERE bucket_at >= CASE grain WHEN 'month' THEN month_at - interval '2 days' ELSE day_at END;
	INSERT INTO activity_sum
	SELECT 'month', bot, dimension_id, month_at, event_type, value, sum(events) FROM activity_sum
	WHERE grain = 'day' AND bucket_at >= month_at GROUP BY bot, dimension_id, event_type, value;
	INSERT INTO activity_session_sum
	SELECT 'month', bot, dimension_id, month_at, value, sum(sessions), sum(converted), sum(bounced), sum(events), sum(seconds)
	FROM activity_session_sum WHERE grain = 'day' AND bucket_at >= month_at GROUP BY bot, dimension_id, value;
	IF from_day = '-infinity' THEN
		DELETE FROM activity_product;
	END IF;
	UPDATE activity_visitor v
	SET first_day = CASE WHEN v.first_at < day_at THEN booking_date(v.first_at, site.timezone, site.cutoff_hours) END,
	    first_at = CASE WHEN v.first_at < day_at THEN v.first_at END,
	    last_at = CASE WHEN v.first_at < day_at THEN v.last_at END,
	    last_received_at = CASE WHEN v.first_at < day_at THEN v.last_received_at END
	WHERE v.first_at IS NOT NULL;
	-- all of them, also of days that stay: moves of people are not told to days that are still to be made
	DELETE FROM activity_sequence;
	DELETE FROM activity_first_moved;
	UPDATE activity_site SET sequenced_from = 'infinity';
END
$$;

-- ---- privacy -------------------------------------------------------------------------------

-- People whose events were erased (shift NULL) or given to nobody. Sequences have numbers alone, and what a number stands for is
-- forgotten where it says so (activity_visitor, activity_value, activity_type): but erased events go from here, too, at once from answers and
-- from the disk with the next merging; and session keys, which are made of ids, change as those of the raw events do.
CREATE FUNCTION activity_sequences_forget(of_people bigint[], shift bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	part record;
	piece record;
BEGIN
	IF shift IS NULL THEN
		PERFORM activity_sequences_say(array_agg(d.person_id), array_agg(d.business_date), array_agg(2097152))
		FROM activity_person_day d, activity_site
		WHERE d.person_id = ANY (of_people) AND NOT d.bot AND d.business_date >= sequenced_from
		  AND business_day_start(timezone, cutoff_hours, d.business_date) >= raw_from;
		RETURN;
	END IF;
	FOR part IN
		SELECT s.shard, s.business_date, s.part_id, s.people || ''::bytea AS people, s.sessions || ''::bytea AS sessions
		FROM (SELECT DISTINCT (person_id % 32)::smallint AS shard, business_date FROM activity_person_day
		      WHERE person_id = ANY (of_people) AND NOT bot) d
		JOIN activity_sequence s ON s.shard = d.shard AND s.business_date = d.business_date
		WHERE s.sessions IS NOT NULL
	LOOP
		FOR piece IN
			SELECT at, n
			FROM (SELECT word >> 24 AS person_id, (word & 2097151)::int AS n,
			             (sum(word & 2097151) OVER (ORDER BY i))::int - (word & 2097151)::int AS at
			      FROM (SELECT i, ('x' || encode(substring(part.people FROM i * 8 + 1 FOR 8), 'hex'))::bit(64)::bigint AS word
			            FROM generate_series(0, octet_length(part.people) / 8 - 1) i) w) x
			WHERE person_id = ANY (of_people) AND n > 0
		LOOP
			part.sessions := overlay(part.sessions PLACING (
				SELECT string_agg(int8send(('x' || encode(substring(part.sessions FROM i * 8 + 1 FOR 8), 'hex'))::bit(64)::bigint # shift), '' ORDER BY i)
				FROM generate_series(piece.at, piece.at + piece.n - 1) i) FROM piece.at * 8 + 1);
		END LOOP;
		UPDATE activity_sequence s SET sessions = part.sessions
		WHERE s.shard = part.shard AND s.business_date = part.business_date AND s.part_id = part.part_id AND s.sessions <> part.sessions;
	END LOOP;
END
$$;

-- As it was in 016_activity_privacy.sql, with sequences.
CREATE OR REPLACE FUNCTION person_forget(asked_kind text, asked_id text, asked_how text, by_actor text, by_address text, by_request text)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	p person;
	subject bytea;
	shift bigint := hashtextextended(gen_random_uuid()::text, 0);
	erases boolean := asked_how = 'erase';
	c record;
	n bigint;
	done jsonb := '[]';
	paper jsonb;
	files jsonb;
	number bigint;
BEGIN
	IF asked_how NOT IN ('erase', 'anonymise') OR asked_kind NOT IN ('user', 'anonymous', 'session') OR asked_id = '' THEN
		RAISE EXCEPTION 'nobody can be forgotten like that' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM pg_advisory_xact_lock(hashtext('takings live figures')), pg_advisory_xact_lock(booking_lock_key()),
	        pg_advisory_xact_lock(activity_lock_key());
	SELECT person_hash(key, asked_kind, asked_id) INTO subject FROM activity_secret;
	p := person_of(asked_kind, asked_id);
	IF EXISTS (SELECT FROM person_ids(asked_kind, asked_id) i WHERE person_mark(i.kind, i.id) IS NULL) THEN
		RETURN NULL;
	END IF;
	files := person_files(p);

	IF erases THEN
		WITH gone AS (
			DELETE FROM activity_event
			WHERE user_id = ANY (p.users) OR user_id IS NULL AND anonymous_id = ANY (p.anonymous)
			   OR user_id IS NULL AND anonymous_id IS NULL AND session_id = ANY (p.sessions)
			RETURNING event_id
		), ids AS (DELETE FROM activity_id WHERE event_id IN (SELECT event_id FROM gone))
		SELECT count(*) INTO n FROM gone;
		done := done || jsonb_build_object('table', 'activity_event', 'rows', n, 'what', 'deleted');
	ELSE
		UPDATE activity_event SET session_key = session_key # shift
		WHERE user_id = ANY (p.users) OR user_id IS NULL AND anonymous_id = ANY (p.anonymous)
		   OR user_id IS NULL AND anonymous_id IS NULL AND session_id = ANY (p.sessions);
	END IF;
	PERFORM activity_sequences_forget(p.people, CASE WHEN erases THEN NULL ELSE shift END);
	-- it is made of the id; moved alike, what was one session stays one
	UPDATE activity_session SET session_key = session_key # shift WHERE person_id = ANY (p.people);

	FOR c IN
		SELECT tbl, bool_or(change = 'row') AND erases AS goes,
		       string_agg(format('%1$I = CASE WHEN %2$s THEN %3$s ELSE %1$I END', col, person_match(col, holds),
		                         person_becomes(col, holds, CASE WHEN erases THEN change ELSE 'mark' END)), ', ') AS sets,
		       CASE WHEN bool_or(change = 'row') THEN person_where(tbl) ELSE string_agg(person_match(col, holds), ' OR ') END AS wanted
		FROM person_columns() WHERE holds <> 'own' GROUP BY tbl ORDER BY tbl
	LOOP
		IF c.goes THEN
			EXECUTE format('DELETE FROM %I WHERE %s', c.tbl, c.wanted) USING p;
		ELSE
			EXECUTE format('UPDATE %I SET %s WHERE %s', c.tbl, c.sets, c.wanted) USING p;
		END IF;
		GET DIAGNOSTICS n = ROW_COUNT;
		done := done || jsonb_build_object('table', c.tbl, 'rows', n, 'what', CASE WHEN c.goes THEN 'deleted' ELSE 'id replaced' END);
	END LOOP;

	paper := jsonb_build_object('how', asked_how, 'at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'by', by_actor,
		'subject', encode(subject, 'hex'),
		'ids', jsonb_build_object('user', cardinality(p.users), 'anonymous', cardinality(p.anonymous), 'session', cardinality(p.sessions)),
		'tables', done, 'files', files,
		'note', 'Figures are unchanged. Backups still hold what they held when they were made: let them expire, or do this again after one is restored.');
	INSERT INTO activity_erasure (actor, how, id_hash, certificate) VALUES (by_actor, asked_how, subject, paper)
	RETURNING erasure_id INTO number;
	paper := jsonb_build_object('certificate', number) || paper;
	UPDATE activity_erasure SET certificate = paper WHERE erasure_id = number;
	INSERT INTO audit_log (actor, action, object, address, request_id, detail)
	VALUES (by_actor, 'person_' || asked_how, 'person:' || encode(subject, 'hex'), by_address, by_request,
	        jsonb_build_object('certificate', number));
	-- pictures of orders that are remembered name customers
	UPDATE live_site SET live_version = live_version + 1 RETURNING live_version INTO n;
	PERFORM pg_notify('takings_live', n::text);
	RETURN paper;
END
$$;

-- Drops the raw events of a UTC day; figures, sessions and days of people stay, and are not made anew from before then; of the
-- sequences of business days that lose some, who was there. False: some of them have not taken effect yet. Whoever stores is
-- waited for before that is looked at: else what is acknowledged meanwhile would go with the day.
CREATE OR REPLACE FUNCTION activity_partition_drop(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	ends timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
	PERFORM pg_advisory_xact_lock(activity_lock_key());
	LOCK TABLE ONLY activity_event IN ACCESS EXCLUSIVE MODE;
	IF EXISTS (SELECT FROM activity_batch WHERE from_at < ends AND to_at >= day::timestamp AT TIME ZONE 'UTC') THEN
		RETURN false;
	END IF;
	EXECUTE format('DROP TABLE IF EXISTS %I', 'activity_event_' || to_char(day, 'YYYYMMDD'));
	UPDATE activity_site SET raw_from = greatest(raw_from, ends);
	UPDATE activity_sequence s
	SET events = NULL, seqs = NULL, sessions = NULL, amounts = NULL, d1 = NULL, d2 = NULL, d3 = NULL, d4 = NULL, d5 = NULL, d6 = NULL,
	    d7 = NULL, d8 = NULL, d9 = NULL, d10 = NULL, d11 = NULL, d12 = NULL, d13 = NULL, d14 = NULL, d15 = NULL, d16 = NULL
	FROM activity_site
	WHERE s.events IS NOT NULL AND s.business_date <= booking_date(raw_from - interval '1 microsecond', timezone, cutoff_hours);
	RETURN true;
END
$$;

-- How large what is kept is: tables by what they are about, partitions with the whole.
CREATE OR REPLACE FUNCTION storage_now() RETURNS TABLE (part text, bytes bigint)
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN c.relname ~ '^activity_event' THEN 'events'
	            WHEN c.relname = 'activity_sequence' THEN 'sequences'
	            WHEN c.relname ~ '^activity_' THEN 'activity'
	            WHEN c.relname ~ '^(booking|event|category|user_state|top_events|redis)' THEN 'bookings'
	            WHEN c.relname ~ '^(order_|live_|dead_letter|stream_|report_|reconciliation)' THEN 'orders'
	            WHEN c.relname ~ '_cache$|^(series|restatement|forecast|anomaly|rules|batch_run|site|special_day)' THEN 'figures'
	            ELSE 'other' END,
	       sum(pg_total_relation_size(c.oid))::bigint
	FROM pg_class c
	WHERE c.relkind IN ('r', 'm') AND c.relnamespace = 'public'::regnamespace
	GROUP BY 1
$$;
