-- Privacy: what is held about a person is shown, taken away, or given to nobody; what was taken away does not come
-- back. docs/OPERATIONS.md says what that means. All of it stands here, so that the web program may do it by these
-- functions without a right to delete anything.
--
-- An id of the kind 'user' is user_id of events and bookings and customer_id of orders; 'anonymous' and 'session' are
-- what events say. A person is all that is linked (activity_visitor).

-- ---- where ids of people stand -----------------------------------------------------

-- Each column in which one can stand, and what becomes of it when a person is forgotten:
--   holds   user, anonymous, session: an id of that kind; visitor: one of the kind in column `kind`; text, texts, bytes:
--           words that may name one; own: of our own operators, or no id at all: never touched
--   change  mark: it becomes the person's mark; null: NULL (with anonymise: the mark); row: the row goes (with
--           anonymise, of text and bytes too: the mark); keep
-- A new column with such a name that is not here makes a test fail.
CREATE FUNCTION person_columns()
RETURNS TABLE (tbl text, col text, holds text, change text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	VALUES
	-- rows that are by the person go before these are looked at
	('activity_event', 'user_id', 'user', 'mark'),
	('activity_event', 'anonymous_id', 'anonymous', 'mark'),
	('activity_event', 'session_id', 'session', 'mark'),
	('activity_event', 'properties', 'text', 'mark'),
	('activity_event', 'dims', 'texts', 'mark'),
	('activity_quarantine', 'payload', 'text', 'row'),
	('activity_quarantine', 'field', 'text', 'row'),
	('activity_quarantine', 'detail', 'text', 'row'),
	('activity_warning', 'field', 'text', 'mark'),
	('activity_warning', 'sample', 'text', 'mark'),
	('activity_property', 'property', 'text', 'mark'),
	('activity_product', 'product_id', 'text', 'mark'),
	('activity_product', 'category', 'text', 'mark'),
	('activity_visitor', 'id', 'visitor', 'null'),
	('activity_session', 'session_id', 'session', 'null'),
	('activity_session', 'landing', 'text', 'mark'),
	('activity_session', 'leaving', 'text', 'mark'),
	('activity_session', 'source', 'text', 'mark'),
	('activity_session', 'groups', 'texts', 'mark'),
	('activity_person_day', 'groups', 'texts', 'mark'),
	('activity_value', 'value', 'text', 'mark'),
	('activity_sum', 'value', 'text', 'mark'),
	('activity_session_sum', 'value', 'text', 'mark'),
	('activity_user_sum', 'value', 'text', 'mark'),
	('activity_question', 'question', 'json', 'mark'),
	('booking_message', 'user_id', 'user', 'mark'),
	('booking_state', 'user_id', 'user', 'mark'),
	('user_state', 'user_id', 'user', 'mark'),
	('event_log', 'event_data', 'text', 'mark'),
	('event_log', 'raw', 'bytes', 'mark'),
	('event_log', 'last_error', 'text', 'mark'),
	('event_log', 'source_position', 'text', 'mark'),
	('order_state', 'customer_id', 'user', 'mark'),
	('live_customer', 'customer_id', 'user', 'mark'),
	('dead_letter', 'message_key', 'bytes', 'mark'),
	('dead_letter', 'payload', 'bytes', 'mark'),
	('dead_letter', 'detail', 'text', 'mark'),
	('report_outbox', 'body', 'text', 'mark'),
	('app_user', 'user_id', 'own', 'keep'),
	('app_user', 'username', 'own', 'keep'),
	('web_session', 'user_id', 'own', 'keep'),
	('web_session', 'session_id', 'own', 'keep'),
	('login_failure', 'username', 'own', 'keep'),
	('activity_session', 'activity_session_id', 'own', 'keep')
$$;

-- ---- what was erased -----------------------------------------------------------------

-- What stands in the place of the id from now on, in what comes of it later, too.
ALTER TABLE activity_suppressed ADD COLUMN mark text NOT NULL;

-- What was done, by whom, and what is left to do; about whom, only the hash says.
CREATE TABLE activity_erasure (
	erasure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL,
	how text NOT NULL CHECK (how IN ('erase', 'anonymise')),
	id_hash bytea NOT NULL,
	certificate jsonb NOT NULL
);

-- ---- hashes and marks ------------------------------------------------------------------

-- NULL of NULL. Twice, so that nobody who knows one hash makes that of a longer id.
CREATE FUNCTION person_hash(key bytea, kind text, id text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT sha256(key || sha256(key || convert_to(kind, 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')))
$$;

-- Of an id that was erased what stands in its place; else NULL.
CREATE FUNCTION person_mark(kind text, id text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT s.mark FROM activity_secret k JOIN activity_suppressed s ON s.id_hash = person_hash(k.key, kind, id)
$$;

-- As it stands in a regular expression.
CREATE FUNCTION person_quoted(id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT regexp_replace(id, '([^[:alnum:]_])', '\\\1', 'g')
$$;

-- The ways in which an id stands in a text: as it is, as JSON writes it, as an address does.
CREATE FUNCTION person_spellings(id text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT array_agg(DISTINCT s)
	FROM unnest(ARRAY[id, btrim(to_json(id)::text, '"'),
		(SELECT string_agg(CASE WHEN b BETWEEN 48 AND 57 OR b BETWEEN 65 AND 90 OR b BETWEEN 97 AND 122 OR b IN (45, 46, 95, 126)
		                        THEN chr(b) ELSE '%' || upper(lpad(to_hex(b), 2, '0')) END, '' ORDER BY i)
		 FROM (SELECT i, get_byte(convert_to(id, 'UTF8'), i) AS b FROM generate_series(0, octet_length(id) - 1) i) x)]) s
	WHERE s <> ''
$$;

-- `t` with each id replaced by its mark; t itself where none is in it. An id of digits or of letters alone is one only
-- where a name before it says that it is a person's: every number, or every `page` of other people's words, would be
-- one else. `anywhere`: words need not end where it does.
CREATE FUNCTION person_text(t text, ids text[], marks text[], anywhere boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
	said constant text := '((?:[Uu][Ss][Ee][Rr]|[Cc][Uu][Ss][Tt][Oo][Mm][Ee][Rr]|[Aa]nonymous|[Ss]ession)[A-Za-z_]*\\*"?\s*[:=]\s*(?:\{\s*\\*"id\\*"\s*:\s*)?)';
	spelling text;
BEGIN
	FOR i IN 1 .. coalesce(cardinality(ids), 0) LOOP
		FOREACH spelling IN ARRAY person_spellings(ids[i]) LOOP
			CONTINUE WHEN strpos(t, spelling) = 0;
			IF spelling ~ '^([0-9]+|[[:alpha:]]+)$' THEN
				t := regexp_replace(t, said || '(\\*")' || spelling || '(?=\\*")', '\1\2' || marks[i], 'g');
				t := regexp_replace(t, said || spelling || '(?=\s*[,}])', '\1"' || marks[i] || '"', 'g');
				t := regexp_replace(t, said || spelling || '(?![[:alnum:]_.-])', '\1' || marks[i], 'g');
			ELSIF anywhere AND length(spelling) >= 8 THEN
				t := replace(t, spelling, marks[i]);
			ELSE
				t := regexp_replace(t, '(?<![[:alnum:]_-])' || person_quoted(spelling) || '(?![[:alnum:]_-])', marks[i], 'g');
			END IF;
		END LOOP;
	END LOOP;
	RETURN t;
END
$$;

-- Bytes, which need be no text.
CREATE FUNCTION person_bytes(b bytea, ids text[], marks text[]) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT decode(person_text(encode(b, 'escape'), (SELECT array_agg(encode(convert_to(i, 'UTF8'), 'escape') ORDER BY n)
	                                                FROM unnest(ids) WITH ORDINALITY u(i, n)), marks, true), 'escape')
$$;

CREATE FUNCTION person_texts(t text[], ids text[], marks text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT coalesce(array_agg(person_text(v, ids, marks) ORDER BY n), '{}') FROM unnest(t) WITH ORDINALITY u(v, n)
$$;

-- ---- what comes later ---------------------------------------------------------------------

-- What JSON writes as `t` between quotes; NULL where it cannot be.
CREATE FUNCTION person_unescaped(t text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	RETURN ('"' || t || '"')::json #>> '{}';
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END
$$;

-- Of words in which anything may stand, the ids of people who were erased replaced by their marks.
CREATE FUNCTION person_scrub(t text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	ids text[];
	marks text[];
BEGIN
	IF t IS NULL OR NOT EXISTS (SELECT FROM activity_suppressed) THEN
		RETURN t;
	END IF;
	SELECT array_agg(w.word), array_agg(s.mark) INTO ids, marks
	FROM (SELECT btrim(m[1], ':.') AS word FROM regexp_matches(t, '[^[:space:]"'',;&=?/{}()<>\[\]\\|]+', 'g') m
	      UNION
	      SELECT CASE WHEN m[1] LIKE '%\\%' THEN person_unescaped(m[1]) ELSE m[1] END
	      FROM regexp_matches(t, '"((?:[^"\\]|\\.)+)"', 'g') m) w
	CROSS JOIN activity_secret k
	JOIN activity_suppressed s ON s.id_hash IN (person_hash(k.key, 'user', w.word), person_hash(k.key, 'anonymous', w.word));
	RETURN person_text(t, ids, marks);
END
$$;

CREATE FUNCTION person_scrub(b bytea) RETURNS bytea
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF b IS NULL OR NOT EXISTS (SELECT FROM activity_suppressed) THEN
		RETURN b;
	END IF;
	BEGIN
		RETURN convert_to(person_scrub(convert_from(b, 'UTF8')), 'UTF8');
	EXCEPTION WHEN character_not_in_repertoire THEN -- no text, or with a zero byte
		RETURN decode(person_scrub(encode(b, 'escape')), 'escape');
	END;
END
$$;

-- Messages about bookings (booking_states_take) with the marks of those who were erased.
CREATE FUNCTION person_bookings(messages json) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM activity_suppressed) THEN
		RETURN messages;
	END IF;
	RETURN (SELECT coalesce(json_agg(CASE WHEN g.mark IS NULL THEN m ELSE (m::jsonb || jsonb_build_object('user_id', g.mark))::json END ORDER BY n), '[]')
	        FROM json_array_elements(messages) WITH ORDINALITY u(m, n), LATERAL (SELECT person_mark('user', m ->> 'user_id') AS mark) g);
END
$$;

-- ---- who somebody is ---------------------------------------------------------------------

-- Every id of the person that has this one, itself first. Events that have not taken effect yet count, too: they are
-- few. An id that is somebody else's already is not the person's, whatever an event says.
CREATE FUNCTION person_ids(asked_kind text, asked_id text) RETURNS TABLE (kind text, id text)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	-- 'kind id': a kind has no space
	found text[] := ARRAY[asked_kind || ' ' || asked_id];
	known int := 0;
	people bigint[];
BEGIN
	WHILE cardinality(found) > known LOOP
		known := cardinality(found);
		SELECT coalesce(array_agg(DISTINCT v.person_id), '{}') INTO people
		FROM unnest(found) f JOIN activity_visitor v ON v.kind = split_part(f, ' ', 1) AND v.id = substr(f, strpos(f, ' ') + 1);
		SELECT found || coalesce(array_agg(DISTINCT n.named), '{}') INTO found
		FROM (SELECT v.kind || ' ' || v.id AS named FROM activity_visitor v WHERE v.person_id = ANY (people) AND v.id IS NOT NULL
		      UNION SELECT 'session ' || s.session_id FROM activity_session s WHERE s.person_id = ANY (people) AND s.session_id IS NOT NULL
		      UNION
		      SELECT x.kind || ' ' || x.id
		      FROM activity_batch b
		      JOIN activity_event e ON e.seq >= b.batch_id << 16 AND e.seq < (b.batch_id + 1) << 16
		                           AND e.occurred_at BETWEEN b.from_at AND b.to_at
		      CROSS JOIN LATERAL (VALUES ('user', e.user_id), ('anonymous', e.anonymous_id), ('session', e.session_id)) x(kind, id)
		      WHERE x.id IS NOT NULL
		        AND CASE WHEN e.user_id IS NOT NULL THEN 'user ' || e.user_id = ANY (found)
		                      OR x.kind = 'user' AND 'anonymous ' || e.anonymous_id = ANY (found)
		                 WHEN e.anonymous_id IS NOT NULL THEN 'anonymous ' || e.anonymous_id = ANY (found)
		                 ELSE 'session ' || e.session_id = ANY (found) END
		        AND NOT EXISTS (SELECT FROM activity_visitor v WHERE v.kind = x.kind AND v.id = x.id AND v.person_id <> ALL (people))) n
		WHERE n.named <> ALL (found);
	END LOOP;
	RETURN QUERY SELECT split_part(f, ' ', 1), substr(f, strpos(f, ' ') + 1) FROM unnest(found) WITH ORDINALITY u(f, n) ORDER BY n;
END
$$;

-- The ids by kind; those that are looked for in texts (not sessions': they are many, and nobody else's words), with
-- their marks ('' where there is none); and as patterns of LIKE.
CREATE TYPE person AS (
	users text[], anonymous text[], sessions text[], people bigint[], ids text[], marks text[], likes text[]
);
CREATE FUNCTION person_of(asked_kind text, asked_id text) RETURNS person
LANGUAGE sql STABLE AS $$
	WITH i AS MATERIALIZED (SELECT kind, id FROM person_ids(asked_kind, asked_id))
	SELECT coalesce(array_agg(id) FILTER (WHERE kind = 'user'), '{}'), coalesce(array_agg(id) FILTER (WHERE kind = 'anonymous'), '{}'),
	       coalesce(array_agg(id) FILTER (WHERE kind = 'session'), '{}'),
	       (SELECT coalesce(array_agg(DISTINCT v.person_id), '{}') FROM i JOIN activity_visitor v USING (kind, id)),
	       coalesce(array_agg(id ORDER BY kind DESC, id) FILTER (WHERE kind <> 'session' OR asked_kind = 'session' AND id = asked_id), '{}'),
	       coalesce(array_agg(coalesce(person_mark(kind, id), '') ORDER BY kind DESC, id)
	                FILTER (WHERE kind <> 'session' OR asked_kind = 'session' AND id = asked_id), '{}'),
	       (SELECT coalesce(array_agg('%' || regexp_replace(s, '([%_\\])', '\\\1', 'g') || '%'), '{}')
	        FROM i, unnest(person_spellings(id)) s WHERE kind <> 'session' OR asked_kind = 'session' AND id = asked_id)
	FROM i
$$;

-- Whether a row of a table is about the person, by one of its columns: an expression with $1, a person.
CREATE FUNCTION person_match(col text, holds text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE holds
	WHEN 'user' THEN format('%I = ANY ($1.users)', col)
	WHEN 'anonymous' THEN format('%I = ANY ($1.anonymous)', col)
	WHEN 'session' THEN format('%I = ANY ($1.sessions)', col)
	WHEN 'visitor' THEN format('%I = ANY (CASE kind WHEN ''user'' THEN $1.users WHEN ''anonymous'' THEN $1.anonymous ELSE $1.sessions END)', col)
	WHEN 'text' THEN format('(%1$I LIKE ANY ($1.likes) AND person_text(%1$I, $1.ids, array_fill(''?''::text, ARRAY[cardinality($1.ids)])) <> %1$I)', col)
	WHEN 'json' THEN format('(%1$I::text LIKE ANY ($1.likes) AND person_text(%1$I::text, $1.ids, array_fill(''?''::text, ARRAY[cardinality($1.ids)])) <> %1$I::text)', col)
	WHEN 'texts' THEN format('(array_to_string(%1$I, E''\n'') LIKE ANY ($1.likes) AND person_texts(%1$I, $1.ids, array_fill(''?''::text, ARRAY[cardinality($1.ids)])) <> %1$I)', col)
	WHEN 'bytes' THEN format('(encode(%1$I, ''escape'') LIKE ANY ($1.likes) AND person_bytes(%1$I, $1.ids, array_fill(''?''::text, ARRAY[cardinality($1.ids)])) <> %1$I)', col)
	END
$$;

-- What such a column becomes.
CREATE FUNCTION person_becomes(col text, holds text, change text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN change = 'null' THEN 'NULL' ELSE CASE holds
	WHEN 'user' THEN format('person_mark(''user'', %I)', col)
	WHEN 'anonymous' THEN format('person_mark(''anonymous'', %I)', col)
	WHEN 'session' THEN format('person_mark(''session'', %I)', col)
	WHEN 'visitor' THEN format('person_mark(kind, %I)', col)
	WHEN 'text' THEN format('person_text(%I, $1.ids, $1.marks)', col)
	WHEN 'json' THEN format('person_text(%I::text, $1.ids, $1.marks)::jsonb', col)
	WHEN 'texts' THEN format('person_texts(%I, $1.ids, $1.marks)', col)
	WHEN 'bytes' THEN format('person_bytes(%I, $1.ids, $1.marks)', col) END END
$$;

-- The same of all columns of a table, and of those that are more than words.
CREATE FUNCTION person_where(of_table text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(person_match(col, holds), ' OR ') || CASE of_table
	       WHEN 'activity_session' THEN ' OR person_id = ANY ($1.people)'
	       WHEN 'activity_visitor' THEN ' OR person_id = ANY ($1.people)'
	       WHEN 'activity_person_day' THEN ' OR person_id = ANY ($1.people)'
	       WHEN 'activity_quarantine' THEN ' OR substring(payload FROM ''"session_id"\s*:\s*"([^"]*)"'') = ANY ($1.sessions)'
	       ELSE '' END
	FROM person_columns() WHERE tbl = of_table AND holds <> 'own'
$$;

-- ---- what is held ---------------------------------------------------------------------------

-- Rows of each table.
CREATE FUNCTION person_holdings(asked_kind text, asked_id text) RETURNS TABLE (tbl text, held bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
	p person := person_of(asked_kind, asked_id);
BEGIN
	FOR tbl IN SELECT c.tbl FROM person_columns() c WHERE c.holds <> 'own' GROUP BY 1 ORDER BY 1 LOOP
		EXECUTE format('SELECT count(*) FROM %I WHERE %s', tbl, person_where(tbl)) INTO held USING p;
		RETURN NEXT;
	END LOOP;
END
$$;

-- All of it, table by table; what was erased about the same id, and what the audit log says of that.
CREATE FUNCTION person_export(asked_kind text, asked_id text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
	p person := person_of(asked_kind, asked_id);
	subject bytea := (SELECT person_hash(key, asked_kind, asked_id) FROM activity_secret);
	of_table text;
	readable text;
	part jsonb;
	held jsonb := '{}';
BEGIN
	FOR of_table IN SELECT c.tbl FROM person_columns() c WHERE c.holds <> 'own' GROUP BY 1 ORDER BY 1 LOOP
		SELECT string_agg(format(' || jsonb_build_object(%1$L, encode(%1$I, ''escape''))', col), '') INTO readable
		FROM person_columns() WHERE tbl = of_table AND holds = 'bytes';
		EXECUTE format('SELECT coalesce(jsonb_agg(to_jsonb(t)%s), ''[]'') FROM %I t WHERE %s', readable, of_table, person_where(of_table))
		INTO part USING p;
		held := held || jsonb_build_object(of_table, part);
	END LOOP;
	RETURN jsonb_build_object(
		'asked', jsonb_build_object('kind', asked_kind, 'id', asked_id), 'made_at', now(),
		'ids', (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'id', id)) FROM person_ids(asked_kind, asked_id)),
		'held', held,
		'erased', (SELECT coalesce(jsonb_agg(certificate ORDER BY erasure_id), '[]') FROM activity_erasure WHERE id_hash = subject),
		'audit', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', at, 'actor', actor, 'action', action) ORDER BY audit_id), '[]')
		          FROM audit_log WHERE object = 'person:' || encode(subject, 'hex')));
END
$$;

-- ---- forgetting ------------------------------------------------------------------------------

-- First, in a transaction of its own: from its COMMIT on nothing new comes in about the person. The lock waits for all
-- that have read the list as it was, and is held for a moment. Answers with how many ids there are.
CREATE FUNCTION person_suppress(asked_kind text, asked_id text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	n integer;
BEGIN
	-- behind it all who store events wait, and for 2 s only: a backup that reads the list is not waited for so long
	PERFORM set_config('lock_timeout', '1s', true);
	LOCK TABLE activity_suppressed IN ACCESS EXCLUSIVE MODE;
	INSERT INTO activity_secret (key) VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
	ON CONFLICT DO NOTHING;
	INSERT INTO activity_suppressed (id_hash, mark)
	SELECT person_hash(k.key, i.kind, i.id), 'erased-' || replace(gen_random_uuid()::text, '-', '')
	FROM activity_secret k, person_ids(asked_kind, asked_id) i
	ON CONFLICT DO NOTHING;
	SELECT count(*) INTO n FROM person_ids(asked_kind, asked_id);
	RETURN n;
END
$$;

-- Reports that were stored outside while there was a customer by that id: nobody here can tell which of them name it.
CREATE FUNCTION person_files(p person) RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT coalesce(jsonb_agg('analytics/customer_metrics/' || stamp || '.json' ORDER BY flush_id), '[]')
	FROM report_flush f
	WHERE f.made_at >= (SELECT min(least(placed_at, updated_at)) FROM order_state WHERE customer_id = ANY (p.users))
	  AND NOT EXISTS (SELECT FROM report_outbox o WHERE o.flush_id = f.flush_id AND o.report_type = 'customer_metrics')
$$;

-- Then all of the rest, in one transaction. With 'anonymise' events and sessions stay, as somebody's whom nobody knows.
-- NULL: an id turned up that is not suppressed yet: again from the beginning. Else the certificate, which is kept. Nothing
-- takes effect meanwhile: each of the three processors waits.
CREATE FUNCTION person_forget(asked_kind text, asked_id text, asked_how text, by_actor text, by_address text, by_request text)
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

-- ---- days that are old ---------------------------------------------------------------------------

-- Drops the raw events of a UTC day; figures, sessions and days of people stay, and are not made anew from before then.
-- False: some of them have not taken effect yet. Whoever stores is waited for before that is looked at: else what is
-- acknowledged meanwhile would go with the day.
CREATE FUNCTION activity_partition_drop(day date) RETURNS boolean
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
	RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION activity_partition_drop(date) FROM PUBLIC;

-- How large what is kept is, each night.
CREATE TABLE storage_day (
	day date NOT NULL,
	part text NOT NULL,                  -- as of storage_now()
	bytes bigint NOT NULL,
	PRIMARY KEY (day, part)
);

-- The same now: tables by what they are about, partitions with the whole.
CREATE FUNCTION storage_now() RETURNS TABLE (part text, bytes bigint)
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN c.relname ~ '^activity_event' THEN 'events'
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

-- The programs get it with their rights on tables (sql/queries/migrate.sql).
REVOKE EXECUTE ON FUNCTION person_suppress(text, text), person_forget(text, text, text, text, text, text) FROM PUBLIC;
