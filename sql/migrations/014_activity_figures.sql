-- Activity: what events do to people, sessions and figures. stream/activity.c calls for each of its transactions
-- activity_claim(), activity_people_take(), activity_sessions_take(), activity_figures_take(), activity_done(), in this
-- order; activity_rebuild() makes everything anew by the same functions and is the definition.
--
-- They hand rows to each other in temporary tables (w_...), which belong to a connection. Plans are made each time
-- (activity_fill() forgets those there are), by the settings of these functions: what was small a minute ago may have
-- grown. OFFSET 0 keeps look-ups look-ups.

-- In whose currency carts are; and before when raw events may be gone: whoever drops partitions raises raw_from in
-- the same transaction, and a rebuild leaves business days that began before it as they are.
ALTER TABLE activity_site ADD COLUMN currency text, ADD COLUMN raw_from timestamptz NOT NULL DEFAULT '-infinity';

CREATE INDEX activity_person_day_person ON activity_person_day (person_id);

-- Who changes people, sessions, figures or stored events of activity holds this until the end of the transaction.
CREATE FUNCTION activity_lock_key() RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT hashtext('takings activity')::bigint $$;

-- The groups an event is in, by its dims: 'dimension_id:value', '' not set. Of the dimensions 1 to 8 always, of
-- others where the event knows them. In the order of "C", as all lists of groups.
CREATE FUNCTION activity_groups(dims text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN cardinality(dims) > 8
	            THEN ARRAY(SELECT d || ':' || coalesce(dims[d], '') FROM generate_series(1, cardinality(dims)) d
	                       ORDER BY (d || ':') COLLATE "C")
	            ELSE ARRAY['1:' || coalesce(dims[1], ''), '2:' || coalesce(dims[2], ''), '3:' || coalesce(dims[3], ''),
	                       '4:' || coalesce(dims[4], ''), '5:' || coalesce(dims[5], ''), '6:' || coalesce(dims[6], ''),
	                       '7:' || coalesce(dims[7], ''), '8:' || coalesce(dims[8], '')] END
$$;
CREATE FUNCTION activity_group_dimension(g text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT split_part(g, ':', 1)::smallint $$;
CREATE FUNCTION activity_group_value(g text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT substr(g, strpos(g, ':') + 1) $$;

-- The temporary tables, where the connection has none yet.
CREATE FUNCTION activity_work_make() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF to_regclass('pg_temp.w_event') IS NOT NULL THEN
		RETURN;
	END IF;
	-- the events
	CREATE TEMP TABLE w_event (
		seq bigint, event_type text, occurred_at timestamptz, received_at timestamptz, bot boolean,
		user_id text, anonymous_id text, session_id text, session_key bigint, by_kind text, by_id text,
		dims text[], price numeric, quantity integer, currency text,
		properties text,                 -- of the first 200
		business_date date, hour_at timestamptz, groups text[],
		person_id bigint                 -- NULL until activity_people_take()
	);
	-- every id in them, and whom it was first seen with
	CREATE TEMP TABLE w_who (
		kind text, id text, to_kind text, to_id text,
		visitor_id bigint, person_id bigint, linked boolean, fresh boolean, PRIMARY KEY (kind, id)
	);
	-- people who turned out to be others
	CREATE TEMP TABLE w_move (old_id bigint, new_id bigint);
	-- whose sessions are touched: by client's id, or found by gaps (session_id NULL)
	CREATE TEMP TABLE w_key (
		k integer, session_key bigint, session_id text, bot boolean, person_id bigint,
		from_at timestamptz, to_at timestamptz, -- what has to be looked at
		after_at timestamptz,            -- events up to here are left out (rebuild: of sessions that are kept)
		appended boolean                 -- all is later than what is known: raw events are not needed
	);
	CREATE TEMP TABLE w_was (LIKE activity_session, k integer);
	CREATE TEMP TABLE w_is (LIKE activity_session, k integer);
	ALTER TABLE w_was ALTER activity_session_id DROP NOT NULL;
	ALTER TABLE w_is ALTER activity_session_id DROP NOT NULL;
	-- what sessions are put together from, in the order of first_at, seq: events, and what was a session before
	CREATE TEMP TABLE w_piece (
		k integer, first_at timestamptz, last_at timestamptz, seq bigint, received_at timestamptz, ended boolean,
		events integer, page_views integer, steps integer, landing text, leaving text, source text, device text,
		cart numeric, cart_unpriced integer, groups text[],
		begin_at timestamptz             -- of its session
	);
	-- what is added to activity_session_sum and activity_user_sum
	CREATE TEMP TABLE w_session_sum (LIKE activity_session_sum);
	CREATE TEMP TABLE w_user_sum (LIKE activity_user_sum);
END
$$;

-- Empties them. What is deleted stays in their files, which are cut off when that takes less time than to read them.
CREATE FUNCTION activity_work_clear() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF pg_relation_size('w_event') > 1000000 OR pg_relation_size('w_session_sum') > 1000000 THEN
		TRUNCATE w_event, w_who, w_move, w_key, w_was, w_is, w_piece, w_session_sum, w_user_sum;
	ELSE
		WITH a AS (DELETE FROM w_event), b AS (DELETE FROM w_who), c AS (DELETE FROM w_move), d AS (DELETE FROM w_key),
		     e AS (DELETE FROM w_was), f AS (DELETE FROM w_is), g AS (DELETE FROM w_piece), h AS (DELETE FROM w_session_sum)
		DELETE FROM w_user_sum;
	END IF;
END
$$;

-- ---- events --------------------------------------------------------------------------

-- The first 1,000 values of a dimension count as themselves, in order of arrival; others in w_event as '(other)'.
CREATE FUNCTION activity_values_take() RETURNS void
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
		INSERT INTO activity_value (dimension_id, value, first_at) SELECT d, v, at FROM place WHERE place <= 1000
	)
	SELECT array_agg(g) INTO others FROM place WHERE place > 1000;
	PERFORM activity_others('w_event', others);
END
$$;

-- In groups of a table of the above, these count as '(other)'.
CREATE FUNCTION activity_others(work text, others text[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF others IS NULL THEN
		RETURN;
	END IF;
	EXECUTE format($sql$
		WITH other AS MATERIALIZED (SELECT g FROM unnest($1) g
		), hit AS MATERIALIZED (SELECT DISTINCT w.ctid AS row FROM %1$I w, unnest(w.groups) x(g) JOIN other USING (g))
		UPDATE %1$I w
		SET groups = (SELECT array_agg(CASE WHEN o.g IS NULL THEN x.g ELSE activity_group_dimension(x.g) || ':(other)' END ORDER BY x.n)
		              FROM unnest(w.groups) WITH ORDINALITY x(g, n) LEFT JOIN other o ON o.g = x.g)
		FROM hit WHERE w.ctid = hit.row $sql$, work) USING others;
END
$$;

-- Events of a stretch of time and of arrival, of these batches; NULL: all that have taken effect.
CREATE FUNCTION activity_fill(from_at timestamptz, to_at timestamptz, from_seq bigint, to_seq bigint, batches bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	site activity_site;
BEGIN
	EXECUTE 'DISCARD PLANS';
	PERFORM activity_work_clear();
	SELECT * INTO STRICT site FROM activity_site;
	-- (with constants: only the partitions they are in are thought of)
	EXECUTE format($sql$
		INSERT INTO w_event
		SELECT seq, event_type, occurred_at, received_at, flags & 112 <> 0, user_id, anonymous_id, session_id, session_key,
		       CASE WHEN user_id IS NOT NULL THEN 'user' WHEN anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END,
		       coalesce(user_id, anonymous_id, session_id), dims, price, quantity, currency,
		       CASE WHEN $1 IS NOT NULL AND row_number() OVER (ORDER BY seq) <= 200 THEN properties END,
		       booking_date(occurred_at, $2, $3),
		       activity_hour(occurred_at, $2),
		       activity_groups(dims), NULL
		FROM activity_event
		WHERE occurred_at >= %L AND occurred_at <= %L AND seq BETWEEN %s AND %s
		  AND CASE WHEN $1 IS NULL THEN NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = seq >> 16)
		           ELSE seq >> 16 = ANY ($1) END $sql$,
		from_at, to_at, from_seq, to_seq) USING batches, site.timezone, site.cutoff_hours::int;
	PERFORM activity_values_take();
END
$$;

-- Takes the next batches, as many as have so many events and one that may have more, but for these; NULL: there is none.
CREATE FUNCTION activity_claim(most integer, but bigint[]) RETURNS TABLE (batches bigint[], events bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
#variable_conflict use_column
DECLARE
	from_at timestamptz;
	to_at timestamptz;
BEGIN
	SELECT array_agg(w.batch_id ORDER BY w.batch_id), sum(w.events), min(w.from_at), max(w.to_at)
	INTO batches, events, from_at, to_at
	FROM (SELECT b.*, sum(b.events) OVER (ORDER BY b.batch_id) - b.events AS before
	      FROM (SELECT * FROM activity_batch WHERE batch_id <> ALL (but) ORDER BY batch_id LIMIT most) b) w
	WHERE w.before < most;
	IF batches IS NOT NULL THEN
		PERFORM activity_fill(from_at, to_at, batches[1] << 16, (batches[cardinality(batches)] + 1 << 16) - 1, batches);
	END IF;
	RETURN NEXT;
END
$$;

-- ---- people ----------------------------------------------------------------------------

-- Ids of w_event, and whose they are.
CREATE FUNCTION activity_who_take() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO w_who
	SELECT s.kind, s.id, s.with_whom[1][1], s.with_whom[1][2], coalesce(v.visitor_id, nextval('activity_visitor_visitor_id_seq')), v.person_id,
	       coalesce(v.linked_at IS NOT NULL, false), v.visitor_id IS NULL
	FROM (SELECT 'user' AS kind, user_id AS id, NULL::text[] AS with_whom FROM w_event WHERE user_id IS NOT NULL GROUP BY user_id
	      UNION ALL
	      SELECT 'anonymous', anonymous_id,
	             array_agg(ARRAY['user', user_id] ORDER BY seq) FILTER (WHERE user_id IS NOT NULL)
	      FROM w_event WHERE anonymous_id IS NOT NULL GROUP BY anonymous_id
	      UNION ALL
	      SELECT 'session', session_id,
	             array_agg(ARRAY[by_kind, by_id] ORDER BY seq) FILTER (WHERE by_kind <> 'session')
	      FROM w_event WHERE session_id IS NOT NULL GROUP BY session_id) s
	LEFT JOIN LATERAL (SELECT * FROM activity_visitor v WHERE v.kind = s.kind AND v.id = s.id OFFSET 0) v ON true;
END
$$;

-- What a person who turned out to be another has done is the other's.
CREATE FUNCTION activity_move() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE activity_session s SET person_id = m.new_id FROM w_move m WHERE s.person_id = m.old_id;
	UPDATE activity_visitor v SET person_id = m.new_id FROM w_move m WHERE v.person_id = m.old_id AND v.visitor_id <> m.old_id;
	WITH was AS (
		SELECT m.new_id, v.* FROM w_move m JOIN activity_visitor v ON v.visitor_id = m.old_id
	), emptied AS (
		UPDATE activity_visitor v
		SET person_id = w.new_id, linked_at = now(), first_at = NULL, first_day = NULL, last_at = NULL, last_received_at = NULL
		FROM was w WHERE v.visitor_id = w.visitor_id
	)
	UPDATE activity_visitor v
	SET first_at = least(v.first_at, w.first_at), first_day = least(v.first_day, w.first_day),
	    last_at = greatest(v.last_at, w.last_at), last_received_at = greatest(v.last_received_at, w.last_received_at)
	FROM (SELECT new_id, min(first_at) AS first_at, min(first_day) AS first_day, max(last_at) AS last_at,
	             max(last_received_at) AS last_received_at
	      FROM was GROUP BY new_id) w
	WHERE v.visitor_id = w.new_id AND w.first_at IS NOT NULL;
END
$$;

-- When people of w_event were there. Bots are nobody.
CREATE FUNCTION activity_people_seen()
RETURNS TABLE (person_id bigint, first_at timestamptz, first_day date, last_at timestamptz, last_received_at timestamptz)
LANGUAGE plpgsql ROWS 200 AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT person_id, min(occurred_at), min(business_date), max(occurred_at), max(received_at)
	             FROM w_event WHERE NOT bot GROUP BY person_id;
END
$$;

-- Says of each event of w_event whose it is: new ids, links, and when people were first and last there.
CREATE FUNCTION activity_people_take() RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
BEGIN
	PERFORM activity_who_take();
	UPDATE w_who SET person_id = visitor_id WHERE fresh;
	-- an anonymous visitor becomes the user; then a session's id the one it was seen with
	INSERT INTO w_move
	SELECT w.visitor_id, u.visitor_id FROM w_who w JOIN w_who u ON u.kind = 'user' AND u.id = w.to_id
	WHERE w.kind = 'anonymous' AND w.to_kind = 'user' AND NOT w.linked;
	UPDATE w_who w SET person_id = m.new_id FROM w_move m WHERE w.person_id = m.old_id;
	INSERT INTO w_move
	SELECT w.visitor_id, t.person_id FROM w_who w JOIN w_who t ON t.kind = w.to_kind AND t.id = w.to_id
	WHERE w.kind = 'session' AND w.to_kind IS NOT NULL AND NOT w.linked;
	UPDATE w_who w SET person_id = m.new_id FROM w_move m WHERE w.person_id = m.old_id;

	UPDATE w_event e SET person_id = w.person_id FROM w_who w WHERE w.kind = e.by_kind AND w.id = e.by_id;
	INSERT INTO activity_visitor (visitor_id, kind, id, person_id, linked_at, first_at, first_day, last_at, last_received_at)
	OVERRIDING SYSTEM VALUE
	SELECT w.visitor_id, w.kind, w.id, w.person_id, CASE WHEN w.person_id <> w.visitor_id THEN now() END,
	       e.first_at, e.first_day, e.last_at, e.last_received_at
	FROM w_who w LEFT JOIN activity_people_seen() e ON e.person_id = w.visitor_id
	WHERE w.fresh ORDER BY w.kind, w.id COLLATE "C";
	DELETE FROM w_move m USING w_who w WHERE w.visitor_id = m.old_id AND w.fresh;
	IF EXISTS (SELECT FROM w_move) THEN
		PERFORM activity_move();
	END IF;
	UPDATE activity_visitor v
	SET first_at = least(v.first_at, e.first_at), first_day = least(v.first_day, e.first_day),
	    last_at = greatest(v.last_at, e.last_at), last_received_at = greatest(v.last_received_at, e.last_received_at)
	FROM activity_people_seen() e
	WHERE v.visitor_id = e.person_id
	  AND (v.first_at IS NULL OR e.first_at < v.first_at OR e.last_at > v.last_at OR e.last_received_at > v.last_received_at);
END
$$;

-- ---- sessions --------------------------------------------------------------------------

-- Which sessions the events touch, and what has to be looked at for them. Later events change nothing of sessions
-- that end before them, so that what comes in order needs the last session alone; what comes late needs its session, or
-- the one before it, up to the next true gap.
CREATE FUNCTION activity_keys_take(rebuilding boolean, timeout interval) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO w_key
	SELECT row_number() OVER (), e.session_key, e.session_id, e.bot, coalesce(w.person_id, e.person_id), e.from_at, e.to_at,
	       CASE WHEN rebuilding THEN s.last_at END, coalesce(s.last_at < e.from_at, true)
	FROM (SELECT session_key, session_id, bot, min(person_id) AS person_id, min(occurred_at) AS from_at, max(occurred_at) AS to_at
	      FROM w_event GROUP BY session_key, session_id, bot) e
	LEFT JOIN w_who w ON w.kind = 'session' AND w.id = e.session_id
	LEFT JOIN LATERAL (SELECT * FROM activity_session s
	                   WHERE s.session_key = e.session_key AND s.bot = e.bot AND s.session_id IS NOT DISTINCT FROM e.session_id
	                   ORDER BY s.started_at DESC LIMIT 1) s ON true;
	IF rebuilding THEN
		DELETE FROM w_key WHERE to_at <= after_at;
		UPDATE w_key SET appended = true;
	END IF;

	-- to the left: the session that holds it or might, whose beginning stays whatever comes after
	UPDATE w_key k SET from_at = p.started_at
	FROM w_key x, LATERAL (SELECT * FROM activity_session s
	                       WHERE s.session_key = x.session_key AND s.bot = x.bot AND s.session_id IS NOT DISTINCT FROM x.session_id
	                         AND s.started_at <= x.from_at
	                       ORDER BY s.started_at DESC LIMIT 1) p
	WHERE k.k = x.k AND (x.session_id IS NOT NULL OR p.last_at >= x.from_at - timeout);
	-- to the right
	LOOP
		UPDATE w_key k SET to_at = p.last_at
		FROM w_key x, LATERAL (SELECT max(s.last_at) AS last_at FROM activity_session s
		                       WHERE s.session_key = x.session_key AND s.bot = x.bot AND s.session_id IS NOT DISTINCT FROM x.session_id
		                         AND s.started_at >= x.from_at
		                         AND (x.session_id IS NOT NULL OR s.started_at <= x.to_at + timeout)) p
		WHERE k.k = x.k AND NOT x.appended AND p.last_at > x.to_at;
		EXIT WHEN NOT FOUND;
	END LOOP;

	INSERT INTO w_was
	SELECT s.*, k.k
	FROM w_key k, LATERAL (SELECT * FROM activity_session s
	                       WHERE s.session_key = k.session_key AND s.bot = k.bot AND s.session_id IS NOT DISTINCT FROM k.session_id
	                         AND s.started_at BETWEEN k.from_at AND k.to_at OFFSET 0) s;
END
$$;

-- Events as pieces of sessions, of w_event or of activity_event joined with w_key k. Its price counts where it is in the
-- site's currency, or in none.
CREATE FUNCTION activity_piece_columns() RETURNS text
LANGUAGE sql IMMUTABLE AS $fn$ SELECT $sql$
	k.k, e.occurred_at, e.occurred_at, e.seq, e.received_at, e.event_type = 'session_end', 1, (e.event_type = 'page_view')::int,
	CASE e.event_type WHEN 'product_view' THEN 1 WHEN 'add_to_cart' THEN 2 WHEN 'checkout_start' THEN 4 WHEN 'purchase' THEN 8
	                  ELSE 0 END,
	coalesce(e.dims[1], ''), coalesce(e.dims[1], ''), coalesce(e.dims[2], ''), coalesce(e.dims[4], ''),
	CASE WHEN e.event_type IN ('add_to_cart', 'remove_from_cart') AND e.price IS NOT NULL AND coalesce(e.currency, $1) = $1
	     THEN CASE e.event_type WHEN 'add_to_cart' THEN 1 ELSE -1 END * e.price * coalesce(e.quantity, 1) ELSE 0 END,
	(e.event_type IN ('add_to_cart', 'remove_from_cart') AND (e.price IS NULL OR coalesce(e.currency, $1) <> $1))::int
$sql$ $fn$;

-- Fills w_piece. Sessions of which raw events are gone, by age or because somebody was erased, are left alone (the number of
-- their events shows it), and so are ones of more than 20,000 events: what comes late for them is in no session.
CREATE FUNCTION activity_pieces_take(code text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	span record;
	others text[];
BEGIN
	DELETE FROM w_key k WHERE NOT appended AND (SELECT sum(w.events) FROM w_was w WHERE w.k = k.k) > 20000;
	SELECT min(from_at) AS from_at, max(to_at) AS to_at INTO span FROM w_key WHERE NOT appended;
	IF span.from_at IS NOT NULL THEN
		EXECUTE format($sql$
			INSERT INTO w_piece
			SELECT %s, activity_groups(e.dims), NULL
			FROM w_key k, LATERAL (SELECT * FROM activity_event e
			                       WHERE e.session_key = k.session_key AND e.occurred_at BETWEEN k.from_at AND k.to_at
			                         AND e.occurred_at >= %L AND e.occurred_at <= %L
			                         AND e.session_id IS NOT DISTINCT FROM k.session_id AND (e.flags & 112 <> 0) = k.bot
			                         AND NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16)
			                       OFFSET 0) e
			WHERE NOT k.appended $sql$,
			activity_piece_columns(), span.from_at, span.to_at) USING code;
		DELETE FROM w_key k
		WHERE NOT appended AND (SELECT count(*) FROM w_piece p WHERE p.k = k.k)
		                       <> (SELECT coalesce(sum(w.events), 0) FROM w_was w WHERE w.k = k.k);
		DELETE FROM w_piece p WHERE NOT EXISTS (SELECT FROM w_key k WHERE k.k = p.k);
		SELECT array_agg(g) INTO others
		FROM (SELECT DISTINCT g FROM w_piece, unnest(groups) g) x
		WHERE activity_group_value(g) NOT IN ('', '(other)')
		  AND NOT EXISTS (SELECT FROM activity_value o
		                  WHERE o.dimension_id = activity_group_dimension(g) AND o.value = activity_group_value(g));
		PERFORM activity_others('w_piece', others);
	END IF;
	DELETE FROM w_was w WHERE NOT EXISTS (SELECT FROM w_key k WHERE k.k = w.k);
	INSERT INTO w_piece
	SELECT k, started_at, w.last_at, -1, last_received_at, ended, events, page_views, steps, landing, leaving, source, device,
	       cart, cart_unpriced, groups, NULL
	FROM w_was w JOIN w_key USING (k) WHERE appended;
	EXECUTE format($sql$
		INSERT INTO w_piece
		SELECT %s, e.groups, NULL
		FROM w_event e JOIN w_key k ON k.session_key = e.session_key AND k.session_id IS NOT DISTINCT FROM e.session_id AND k.bot = e.bot
		WHERE e.occurred_at > k.after_at OR k.after_at IS NULL $sql$, activity_piece_columns()) USING code;
END
$$;

-- Where the sessions of pieces begin: with a client's id there is one; else after each gap, and where a session
-- would be of more than 24 hours.
CREATE FUNCTION activity_pieces_split(timeout interval) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE w_piece p SET begin_at = s.begin_at
	FROM (SELECT row, min(first_at) OVER (PARTITION BY k, n) AS begin_at
	      FROM (SELECT row, k, first_at, count(*) FILTER (WHERE gap) OVER (PARTITION BY k ORDER BY first_at, seq) AS n
	            FROM (SELECT w.ctid AS row, w.k, w.first_at, w.seq,
	                         q.session_id IS NULL AND w.first_at - lag(w.last_at) OVER (PARTITION BY w.k ORDER BY w.first_at, w.seq) > timeout AS gap
	                  FROM w_piece w JOIN w_key q USING (k)) g) c) s
	WHERE p.ctid = s.row;
	LOOP
		UPDATE w_piece p SET begin_at = n.next_at
		FROM (SELECT k, begin_at, min(first_at) AS next_at FROM w_piece JOIN w_key USING (k)
		      WHERE session_id IS NULL AND last_at > begin_at + interval '24 hours' GROUP BY k, begin_at) n
		WHERE p.k = n.k AND p.begin_at = n.begin_at AND p.first_at >= n.next_at;
		EXIT WHEN NOT FOUND;
	END LOOP;
END
$$;

-- Fills w_is: the sessions that the pieces make.
CREATE FUNCTION activity_sessions_make(site activity_site) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO w_is
	SELECT w.activity_session_id, k.session_key, k.session_id, k.bot, k.person_id, p.begin_at, p.last_at, p.received_at, p.ended,
	       booking_date(p.begin_at, site.timezone, site.cutoff_hours),
	       activity_hour(p.begin_at, site.timezone),
	       p.events, p.page_views, p.steps, coalesce(p.landing, ''), coalesce(p.leaving, ''), coalesce(p.source, ''),
	       coalesce(p.device, ''), p.cart, p.cart_unpriced, coalesce(g.groups, p.groups), k.k
	FROM (SELECT k, begin_at, max(last_at) AS last_at, max(received_at) AS received_at,
	             (array_agg(ended ORDER BY first_at DESC, seq DESC))[1] AS ended,
	             sum(events)::int AS events, sum(page_views)::int AS page_views, bit_or(steps) AS steps,
	             (array_agg(landing ORDER BY first_at, seq) FILTER (WHERE landing <> ''))[1] AS landing,
	             (array_agg(leaving ORDER BY first_at DESC, seq DESC) FILTER (WHERE leaving <> ''))[1] AS leaving,
	             (array_agg(source ORDER BY first_at, seq) FILTER (WHERE source <> ''))[1] AS source,
	             (array_agg(device ORDER BY first_at, seq) FILTER (WHERE device <> ''))[1] AS device,
	             coalesce(sum(cart) FILTER (WHERE bought_later IS NOT TRUE), 0) AS cart,
	             coalesce(sum(cart_unpriced) FILTER (WHERE bought_later IS NOT TRUE), 0) AS cart_unpriced, min(groups) AS groups
	      FROM (SELECT *, bool_or(steps & 8 <> 0) OVER (PARTITION BY k, begin_at ORDER BY first_at DESC, seq DESC
	                                                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bought_later
	            FROM w_piece) x
	      GROUP BY k, begin_at) p
	LEFT JOIN (SELECT k, begin_at, array_agg(DISTINCT x.g COLLATE "C") AS groups
	           FROM (SELECT k, begin_at, groups, min(groups) OVER s <> max(groups) OVER s AS differ
	                 FROM w_piece WINDOW s AS (PARTITION BY k, begin_at)) w, unnest(groups) x(g)
	           WHERE differ GROUP BY k, begin_at) g USING (k, begin_at)
	JOIN w_key k USING (k)
	LEFT JOIN w_was w ON w.k = p.k AND (w.started_at = p.begin_at OR k.session_id IS NOT NULL);
END
$$;

-- The sessions that events of w_event are in. rebuilding: events come in order of time, and sessions that are there
-- already stay as they are but for what comes after them.
CREATE FUNCTION activity_sessions_take(rebuilding boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
DECLARE
	site activity_site;
	timeout interval;
BEGIN
	SELECT * INTO STRICT site FROM activity_site;
	timeout := make_interval(secs => site.session_timeout_s);
	PERFORM activity_keys_take(rebuilding, timeout);
	PERFORM activity_pieces_take(site.currency);
	PERFORM activity_pieces_split(timeout);
	PERFORM activity_sessions_make(site);

	DELETE FROM activity_session s USING w_was w
	WHERE s.activity_session_id = w.activity_session_id
	  AND NOT EXISTS (SELECT FROM w_is i WHERE i.activity_session_id = w.activity_session_id);
	UPDATE activity_session s
	SET started_at = i.started_at, last_at = i.last_at, last_received_at = i.last_received_at, ended = i.ended,
	    business_date = i.business_date, hour_at = i.hour_at, events = i.events, page_views = i.page_views, steps = i.steps,
	    landing = i.landing, leaving = i.leaving, source = i.source, device = i.device, cart = i.cart,
	    cart_unpriced = i.cart_unpriced, groups = i.groups
	FROM w_is i WHERE s.activity_session_id = i.activity_session_id;
	INSERT INTO activity_session (session_key, session_id, bot, person_id, started_at, last_at, last_received_at, ended,
	    business_date, hour_at, events, page_views, steps, landing, leaving, source, device, cart, cart_unpriced, groups)
	SELECT session_key, session_id, bot, person_id, started_at, last_at, last_received_at, ended,
	    business_date, hour_at, events, page_views, steps, landing, leaving, source, device, cart, cart_unpriced, groups
	FROM w_is WHERE activity_session_id IS NULL ORDER BY session_key, started_at;
	PERFORM activity_session_sums_take(site);
END
$$;

-- ---- figures ---------------------------------------------------------------------------

-- When business days and their months begin.
CREATE FUNCTION activity_days(days date[], site activity_site)
RETURNS TABLE (business_date date, day_at timestamptz, month_at timestamptz)
LANGUAGE sql STABLE AS $$
	SELECT d, business_day_start(site.timezone, site.cutoff_hours, d),
	       business_day_start(site.timezone, site.cutoff_hours, date_trunc('month', d)::date)
	FROM (SELECT DISTINCT d FROM unnest(days) d) x
$$;

-- activity_session_sum follows from w_was to w_is.
CREATE FUNCTION activity_session_sums_take(site activity_site) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	WITH moved AS (
		SELECT -1 AS sign, * FROM w_was UNION ALL SELECT 1, * FROM w_is
	), summed AS MATERIALIZED (
		SELECT bot, business_date, hour_at, g, sum(sign) AS sessions, sum(sign * (steps & 8 <> 0)::int) AS converted,
		       sum(sign * (events = 1)::int) AS bounced, sum(sign * events) AS events,
		       sum(sign * floor(extract(epoch FROM last_at - started_at))::bigint) AS seconds
		FROM moved, unnest(groups || '0:'::text) g GROUP BY bot, business_date, hour_at, g
	), day AS MATERIALIZED (
		SELECT * FROM activity_days(ARRAY(SELECT business_date FROM summed), site)
	)
	INSERT INTO w_session_sum
	SELECT grain, bot, activity_group_dimension(g), at, activity_group_value(g), sum(sessions), sum(converted), sum(bounced), sum(events),
	       sum(seconds)
	FROM summed JOIN day USING (business_date),
	     LATERAL (VALUES ('hour'::activity_grain, hour_at), ('day', day_at), ('month', month_at)) b(grain, at)
	GROUP BY grain, bot, g, at
	HAVING (sum(sessions), sum(converted), sum(bounced), sum(events), sum(seconds)) <> (0, 0, 0, 0, 0);

	INSERT INTO activity_session_sum AS s SELECT * FROM w_session_sum ORDER BY grain, bot, dimension_id, bucket_at, value
	ON CONFLICT (grain, bot, dimension_id, bucket_at, value) DO UPDATE
	SET sessions = s.sessions + excluded.sessions, converted = s.converted + excluded.converted,
	    bounced = s.bounced + excluded.bounced, events = s.events + excluded.events, seconds = s.seconds + excluded.seconds;
	DELETE FROM activity_session_sum
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM w_session_sum w,
		     LATERAL (SELECT ctid FROM activity_session_sum s
		              WHERE s.grain = w.grain AND s.bot = w.bot AND s.dimension_id = w.dimension_id AND s.bucket_at = w.bucket_at
		                AND s.value = w.value AND s.sessions = 0 OFFSET 0) z
		WHERE w.sessions < 0));
END
$$;

-- On which days people did something, and activity_user_sum with it.
CREATE FUNCTION activity_days_take() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	WITH gone AS (
		DELETE FROM activity_person_day p USING w_move m
		WHERE p.person_id = m.old_id
		  AND p.ctid = ANY (ARRAY(SELECT z.ctid
		                          FROM w_move o, LATERAL (SELECT ctid FROM activity_person_day d WHERE d.person_id = o.old_id OFFSET 0) z))
		RETURNING p.business_date, p.bot, m.new_id AS person_id, p.groups
	), wanted AS (
		SELECT business_date, bot, person_id, array_agg(DISTINCT x.g COLLATE "C") AS groups
		FROM (SELECT business_date, bot, person_id, groups FROM w_event UNION ALL SELECT * FROM gone) e, unnest(e.groups) x(g)
		GROUP BY business_date, bot, person_id
	), change AS MATERIALIZED (
		SELECT w.business_date, w.bot, w.person_id, p.groups AS was,
		       CASE WHEN p.groups IS NULL THEN w.groups ELSE ARRAY(SELECT unnest(w.groups) EXCEPT SELECT unnest(p.groups)) END AS more
		FROM wanted w
		LEFT JOIN LATERAL (SELECT groups FROM activity_person_day p
		                   WHERE p.business_date = w.business_date AND p.bot = w.bot AND p.person_id = w.person_id OFFSET 0) p ON true
		WHERE p.groups IS NULL OR NOT w.groups <@ p.groups
	), put AS (
		INSERT INTO activity_person_day AS p
		SELECT business_date, bot, person_id, ARRAY(SELECT g COLLATE "C" FROM unnest(was || more) x(g) ORDER BY 1)
		FROM change ORDER BY business_date, bot, person_id
		ON CONFLICT (business_date, bot, person_id) DO UPDATE SET groups = excluded.groups
	)
	INSERT INTO w_user_sum
	SELECT bot, activity_group_dimension(g), business_date, activity_group_value(g), sum(n)
	FROM (SELECT -1 AS n, bot, business_date, g FROM gone, unnest(groups || '0:'::text) g
	      UNION ALL
	      SELECT 1, bot, business_date, g FROM change, unnest(CASE WHEN was IS NULL THEN more || '0:'::text ELSE more END) g) x
	GROUP BY bot, business_date, g HAVING sum(n) <> 0;

	INSERT INTO activity_user_sum AS u SELECT * FROM w_user_sum ORDER BY bot, dimension_id, business_date, value
	ON CONFLICT (bot, dimension_id, business_date, value) DO UPDATE SET users = u.users + excluded.users;
	DELETE FROM activity_user_sum
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM w_user_sum w,
		     LATERAL (SELECT ctid FROM activity_user_sum u
		              WHERE u.bot = w.bot AND u.dimension_id = w.dimension_id AND u.business_date = w.business_date
		                AND u.value = w.value AND u.users = 0 OFFSET 0) z
		WHERE w.users < 0));
END
$$;

-- What the events add to the figures, to the dictionary, and to what is known of products.
CREATE FUNCTION activity_figures_take() RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan SET jit = off SET random_page_cost = 1.1 AS $$
DECLARE
	site activity_site;
BEGIN
	SELECT * INTO STRICT site FROM activity_site;
	PERFORM activity_days_take();
	WITH summed AS MATERIALIZED (
		SELECT bot, business_date, hour_at, event_type, g, count(*) AS events
		FROM w_event, unnest(groups || '0:'::text) g GROUP BY bot, business_date, hour_at, event_type, g
	), day AS MATERIALIZED (
		SELECT * FROM activity_days(ARRAY(SELECT DISTINCT business_date FROM summed), site)
	)
	INSERT INTO activity_sum AS s
	SELECT grain, bot, activity_group_dimension(g), at, event_type, activity_group_value(g), sum(events)
	FROM summed JOIN day USING (business_date),
	     LATERAL (VALUES ('hour'::activity_grain, hour_at), ('day', day_at), ('month', month_at)) b(grain, at)
	GROUP BY grain, bot, g, at, event_type
	ORDER BY 1, 2, 3, 4, 5, 6
	ON CONFLICT (grain, bot, dimension_id, bucket_at, event_type, value) DO UPDATE SET events = s.events + excluded.events;

	INSERT INTO activity_type AS t (event_type, first_at, last_at)
	SELECT event_type, min(occurred_at), max(occurred_at) FROM w_event GROUP BY event_type ORDER BY event_type
	ON CONFLICT (event_type) DO UPDATE
	SET first_at = least(t.first_at, excluded.first_at), last_at = greatest(t.last_at, excluded.last_at)
	WHERE t.first_at IS NULL OR excluded.first_at < t.first_at OR excluded.last_at > t.last_at;

	INSERT INTO activity_property AS p (event_type, property, kind, first_at, last_at, events)
	SELECT event_type, left(key, 200), json_typeof(value), min(occurred_at), max(occurred_at), count(*)
	FROM w_event, json_each(properties::json) WHERE properties IS NOT NULL
	GROUP BY event_type, left(key, 200), json_typeof(value) ORDER BY 1, 2, 3
	ON CONFLICT (event_type, property, kind) DO UPDATE
	SET first_at = least(p.first_at, excluded.first_at), last_at = greatest(p.last_at, excluded.last_at),
	    events = p.events + excluded.events;

	INSERT INTO activity_product AS p (product_id, category, said_at, seq)
	SELECT DISTINCT ON (dims[7]) dims[7], dims[6], occurred_at, seq FROM w_event WHERE dims[6] <> '' AND dims[7] <> ''
	ORDER BY dims[7], occurred_at DESC, seq DESC
	ON CONFLICT (product_id) DO UPDATE SET category = excluded.category, said_at = excluded.said_at, seq = excluded.seq
	WHERE (excluded.said_at, excluded.seq) > (p.said_at, p.seq);
END
$$;

-- The batches are over; says so.
CREATE FUNCTION activity_done(batches bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	up bigint;
BEGIN
	DELETE FROM activity_batch WHERE batch_id = ANY (batches);
	UPDATE activity_site SET version = version + 1, applied_at = clock_timestamp() RETURNING version INTO STRICT up;
	PERFORM pg_notify('takings_activity', up::text), pg_notify('takings_live', '');
	RETURN up;
END
$$;

-- ---- everything anew ---------------------------------------------------------------------

-- Takes away what activity_rebuild() makes, from a business day on.
CREATE FUNCTION activity_clear(from_day date, site activity_site) RETURNS void
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
END
$$;

-- All that raw events still say, made anew from them: what a clock that changed asks for, and the definition of what
-- the tables should be. Who is whom stays as it was found, and so do the values that dimensions count, and all
-- days before raw_from. Events of people who were erased are not there any more and count no longer.
CREATE FUNCTION activity_rebuild() RETURNS void
LANGUAGE plpgsql SET work_mem = '64MB' AS $$
DECLARE
	site activity_site;
	from_day date := '-infinity';
	from_at timestamptz := '-infinity';
	part_at timestamptz;
	step interval;
	n bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(activity_lock_key()), activity_work_make();
	SELECT * INTO STRICT site FROM activity_site;
	IF site.raw_from > '-infinity' THEN -- the first day of which all is there
		from_day := booking_date(site.raw_from - interval '1 microsecond', site.timezone, site.cutoff_hours) + 1;
		from_at := business_day_start(site.timezone, site.cutoff_hours, from_day);
	END IF;
	PERFORM activity_clear(from_day, site);
	FOR part_at IN
		SELECT x[1]::date::timestamp AT TIME ZONE 'UTC'
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, regexp_match(c.relname, '_(\d{8})$') x
		WHERE i.inhparent = 'activity_event'::regclass ORDER BY 1
	LOOP
		EXECUTE format('SELECT count(*) FROM activity_event WHERE occurred_at >= %L AND occurred_at < %L', part_at,
		               part_at + interval '24 hours') INTO n;
		step := interval '24 hours' / (n / 20000 + 1)::int;
		FOR i IN 0 .. n / 20000 LOOP
			PERFORM activity_fill(greatest(part_at + i * step, from_at),
			                      CASE i WHEN n / 20000 THEN part_at + interval '24 hours' ELSE part_at + (i + 1) * step END
			                          - interval '1 microsecond', 0, 9223372036854775807, NULL);
			PERFORM activity_people_take(), activity_sessions_take(true), activity_figures_take();
		END LOOP;
	END LOOP;
	PERFORM activity_done('{}');
END
$$;
