-- The same answers as of 015_activity_answers.sql and 017_activity_questions.sql, sooner: where single events or days of people are
-- read, rows are told apart once, by plain columns, and once for the buckets and the whole.

-- By their events: a session is in the group of each that fits all that is asked.
CREATE OR REPLACE FUNCTION activity_session_events(q activity_asked, bounds timestamptz[])
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE SET enable_nestloop = off SET enable_sort = off SET work_mem = '64MB' SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	range_from timestamptz := bounds[1];
	range_to timestamptz := bounds[cardinality(bounds)];
	first_day date := (range_from AT TIME ZONE 'UTC')::date - 2;
	final_day date := (range_to AT TIME ZONE 'UTC')::date + 2;
	until timestamptz := (SELECT max(s.last_at) FROM activity_session s WHERE s.business_date BETWEEN first_day AND final_day);
	open_seq bigint := coalesce((SELECT min(b.batch_id) FROM activity_batch b), 9223372036854775807 >> 16) << 16;
	g1 smallint := q.groups[1];
	g2 smallint := q.groups[2];
	g3 smallint := q.groups[3];
	f1 smallint := q.filters[1];
	f2 smallint := q.filters[2];
BEGIN
	RETURN QUERY
	WITH met AS (
		SELECT DISTINCT s.activity_session_id AS id, CASE WHEN g1 IS NOT NULL THEN activity_value_of(e.dims[g1], d1.value) END AS v1,
		       CASE WHEN g2 IS NOT NULL THEN activity_value_of(e.dims[g2], d2.value) END AS v2,
		       CASE WHEN g3 IS NOT NULL THEN activity_value_of(e.dims[g3], d3.value) END AS v3
		FROM activity_session s
		JOIN activity_event e ON e.session_key = s.session_key AND e.session_id IS NOT DISTINCT FROM s.session_id
		                     AND e.occurred_at BETWEEN s.started_at AND s.last_at
		LEFT JOIN activity_value d1 ON d1.dimension_id = g1 AND d1.value = e.dims[g1]
		LEFT JOIN activity_value d2 ON d2.dimension_id = g2 AND d2.value = e.dims[g2]
		LEFT JOIN activity_value d3 ON d3.dimension_id = g3 AND d3.value = e.dims[g3]
		WHERE s.business_date BETWEEN first_day AND final_day AND s.started_at >= range_from AND s.started_at < range_to AND s.bot = q.bot
		  AND e.occurred_at >= range_from AND e.occurred_at <= until
		  AND (e.flags & 112 <> 0) = q.bot AND (q.types IS NULL OR e.event_type = ANY (q.types))
		  AND (e.seq < open_seq OR NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16))
		  AND coalesce(g1 <= 8 OR cardinality(e.dims) >= g1, true) AND coalesce(g2 <= 8 OR cardinality(e.dims) >= g2, true)
		  AND coalesce(g3 <= 8 OR cardinality(e.dims) >= g3, true)
		  AND (f1 IS NULL OR activity_fits(f1, e.dims, q)) AND (f2 IS NULL OR activity_fits(f2, e.dims, q))
		  AND (cardinality(q.filters) <= 2 OR NOT EXISTS (SELECT FROM unnest(q.filters[3:]) f WHERE NOT activity_fits(f, e.dims, q)))
	)
	SELECT width_bucket(s.started_at, bounds), (ARRAY[m.v1, m.v2, m.v3])[1:cardinality(q.groups)],
	       ARRAY[count(*), count(*) FILTER (WHERE s.steps & 8 <> 0), count(*) FILTER (WHERE s.events = 1), sum(s.events),
	             sum(floor(extract(epoch FROM s.last_at - s.started_at)))]::bigint[]
	FROM met m JOIN activity_session s ON s.activity_session_id = m.id
	GROUP BY 1, m.v1, m.v2, m.v3;
END
$$;

-- Sets of people, of whole days by their groups, of the spans given by events. n: how many, and of them those
-- whose first event ever is in the bucket.
CREATE OR REPLACE FUNCTION activity_user_sets(q activity_asked, bounds timestamptz[], pieces activity_piece[], by_day boolean, froms timestamptz[], tos timestamptz[], news boolean)
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE SET enable_nestloop = on SET enable_sort = off SET work_mem = '64MB' SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	open_seq bigint := coalesce((SELECT min(b.batch_id) FROM activity_batch b), 9223372036854775807 >> 16) << 16;
	g1 smallint := q.groups[1];
	g2 smallint := q.groups[2];
	g3 smallint := q.groups[3];
	f1 smallint := q.filters[1];
	f2 smallint := q.filters[2];
	prefix text := q.groups[1] || ':';
BEGIN
	-- (for this call alone) the planner takes the events of a long range for a few
	IF (SELECT sum(z - a) FROM unnest(froms, tos) p(a, z)) > interval '1 day' THEN
		PERFORM set_config('enable_nestloop', 'off', true);
	END IF;
	RETURN QUERY
	WITH seen AS (
		SELECT p.bucket AS i, substr(k, length(prefix) + 1) AS v1, NULL::text AS v2, NULL::text AS v3, d.person_id
		FROM unnest(pieces) p
		JOIN activity_person_day d ON d.business_date BETWEEN p.from_day AND p.to_day AND d.bot = q.bot
		CROSS JOIN LATERAL unnest(CASE WHEN g1 IS NULL THEN ARRAY[NULL::text] ELSE d.groups END) k
		WHERE by_day AND p.grain IN ('day', 'month')
		  AND CASE WHEN g1 IS NULL THEN q.filters = '{}' OR d.groups && q.keys
		           ELSE starts_with(k, prefix) AND (q.filters = '{}' OR k = ANY (q.keys)) END
		UNION
		SELECT width_bucket(e.occurred_at, bounds), CASE WHEN g1 IS NOT NULL THEN activity_value_of(e.dims[g1], d1.value) END,
		       CASE WHEN g2 IS NOT NULL THEN activity_value_of(e.dims[g2], d2.value) END,
		       CASE WHEN g3 IS NOT NULL THEN activity_value_of(e.dims[g3], d3.value) END,
		       v.person_id
		FROM unnest(froms, tos) p(a, z)
		JOIN activity_event e ON e.occurred_at >= p.a AND e.occurred_at < p.z
		JOIN activity_visitor v ON v.kind = CASE WHEN e.user_id IS NOT NULL THEN 'user' WHEN e.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END
		                       AND v.id = coalesce(e.user_id, e.anonymous_id, e.session_id) COLLATE "C"
		LEFT JOIN activity_value d1 ON d1.dimension_id = g1 AND d1.value = e.dims[g1]
		LEFT JOIN activity_value d2 ON d2.dimension_id = g2 AND d2.value = e.dims[g2]
		LEFT JOIN activity_value d3 ON d3.dimension_id = g3 AND d3.value = e.dims[g3]
		WHERE e.occurred_at >= froms[1] AND e.occurred_at < tos[cardinality(tos)] AND (e.flags & 112 <> 0) = q.bot AND (q.types IS NULL OR e.event_type = ANY (q.types))
		  AND (e.seq < open_seq OR NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16))
		  AND coalesce(g1 <= 8 OR cardinality(e.dims) >= g1, true) AND coalesce(g2 <= 8 OR cardinality(e.dims) >= g2, true)
		  AND coalesce(g3 <= 8 OR cardinality(e.dims) >= g3, true)
		  AND (f1 IS NULL OR activity_fits(f1, e.dims, q)) AND (f2 IS NULL OR activity_fits(f2, e.dims, q))
		  AND (cardinality(q.filters) <= 2 OR NOT EXISTS (SELECT FROM unnest(q.filters[3:]) f WHERE NOT activity_fits(f, e.dims, q)))
	)
	SELECT s.i, (ARRAY[s.v1, s.v2, s.v3])[1:cardinality(q.groups)],
	       ARRAY[count(*), count(*) FILTER (WHERE f.first_at >= bounds[s.i] AND f.first_at < bounds[s.i + 1])]
	FROM seen s LEFT JOIN (SELECT v.visitor_id, v.first_at FROM activity_visitor v WHERE news) f ON f.visitor_id = s.person_id
	GROUP BY s.i, s.v1, s.v2, s.v3;
END
$$;

CREATE OR REPLACE FUNCTION activity_answer(question jsonb)
RETURNS TABLE (rows json, totals json, base_totals json, buckets json, base json, groups_n int, sources json, exact boolean, is_live boolean)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
	range_from timestamptz := question ->> 'from';
	range_to timestamptz := question ->> 'to';
	step text := question ->> 'step';
	step_zone text := question ->> 'step_zone';
	step_cutoff int := question ->> 'step_cutoff';
	week_start int := question ->> 'week_start';
	metrics text[] := ARRAY(SELECT jsonb_array_elements_text(question -> 'metrics'));
	families text[] := ARRAY(SELECT jsonb_array_elements_text(question -> 'families'));
	names text[] := ARRAY(SELECT jsonb_array_elements_text(question -> 'names'));
	groups smallint[] := ARRAY(SELECT jsonb_array_elements_text(question -> 'groups')::smallint);
	digits int := money_exponent(question ->> 'currency');
	bounds timestamptz[] := activity_bounds(range_from, range_to, step, step_zone, step_cutoff, week_start);
	q activity_asked := activity_ask_of(question);
	flat activity_asked := activity_ask_of(question || '{"groups": []}');
	pieces activity_piece[] := ARRAY(SELECT p FROM activity_pieces(bounds, q.zone, q.cutoff_hours) p);
	parts text[];                         -- families whose figures of the whole range are those of its buckets
	whole activity_found[];
	cells activity_found[];
	total activity_found;
	base_cells activity_found[] := '{}';
	base_total activity_found;
	b record;
	shown int;
	other text[] := array_fill('(other groups)'::text, ARRAY[cardinality(groups)]);
	text_of text;
BEGIN
	SELECT * INTO total FROM activity_find(flat, ARRAY[range_from, range_to], families);
	-- single events are read once: what can be added up is, over the buckets
	parts := CASE WHEN step <> 'none' AND groups <> '{}' AND (q.types IS NOT NULL OR cardinality(activity_dimensions_of(q)) > 1)
	              THEN '{events,sessions}'::text[] ELSE '{}' END;
	IF step <> 'none' THEN
		cells := (SELECT coalesce(array_agg(f), '{}') FROM activity_find(q, bounds, families) f);
	END IF;
	whole := CASE WHEN groups = '{}' THEN ARRAY[(1, '{}', total.e, total.s, total.u, total.o)::activity_found]
	              ELSE (SELECT coalesce(array_agg((1, x.g, x.e, x.s, x.u, x.o)::activity_found), '{}')
	                    FROM (SELECT y.g, max(y.e) AS e, max(y.s) AS s, max(y.u) AS u, max(y.o) AS o
	                          FROM (SELECT f.g, f.e, f.s, f.u, f.o FROM activity_find(q, ARRAY[range_from, range_to], ARRAY(SELECT unnest(families) EXCEPT SELECT unnest(parts))) f
	                                UNION ALL
	                                SELECT f.g, CASE WHEN count(f.e) > 0 THEN ARRAY[sum(f.e[1]), sum(f.e[2]), sum(f.e[3]), sum(f.e[4]), sum(f.e[5]), sum(f.e[6]), sum(f.e[7]), sum(f.e[8]), sum(f.e[9])]::bigint[] END,
	                                       CASE WHEN count(f.s) > 0 THEN ARRAY[sum(f.s[1]), sum(f.s[2]), sum(f.s[3]), sum(f.s[4]), sum(f.s[5])]::bigint[] END, NULL, NULL
	                                FROM unnest(cells) f WHERE parts <> '{}' GROUP BY f.g HAVING count(f.e) + count(f.s) > 0) y
	                          GROUP BY y.g) x) END;
	cells := CASE WHEN step = 'none' THEN whole ELSE cells END;
	totals := ('{' || activity_members(metrics, total, digits) || '}')::json;
	SELECT * INTO b FROM activity_base(range_from, range_to, question ->> 'compare', step, step_zone, step_cutoff);
	IF b.base_from IS NOT NULL THEN
		SELECT * INTO base_total FROM activity_find(flat, ARRAY[b.base_from, b.base_to], families);
		base_cells := (SELECT coalesce(array_agg(f), '{}') FROM activity_find(q, activity_bounds(b.base_from, b.base_to, step, step_zone, step_cutoff, week_start), families) f);
		base_totals := ('{' || activity_members(metrics, base_total, digits) || '}')::json;
		base := json_build_object('from', b.base_from, 'to', b.base_to);
	END IF;
	groups_n := cardinality(whole);
	shown := least((question ->> 'most')::int, greatest(100000 / (cardinality(bounds) - 1), 1));
	WITH bucket AS MATERIALIZED (
		SELECT x.n, CASE WHEN step <> 'none' THEN '"bucket":' || to_json(x.name)::text || ',' ELSE '' END AS head
		FROM activity_buckets(range_from, range_to, step, step_zone, step_cutoff, week_start) x
	), base_bucket AS MATERIALIZED (
		SELECT x.n, CASE WHEN step <> 'none' THEN '"bucket":' || to_json(x.name)::text || ',' ELSE '' END AS head
		FROM activity_buckets(b.base_from, b.base_to, step, step_zone, step_cutoff, week_start) x WHERE b.base_from IS NOT NULL
	), ranked AS MATERIALIZED (
		SELECT w.g, row_number() OVER (ORDER BY CASE WHEN (question ->> 'desc')::boolean THEN -v.figure ELSE v.figure END NULLS LAST, w.g COLLATE "C") AS rank
		FROM unnest(whole) w, LATERAL (SELECT activity_figure(question ->> 'order', w, digits) AS figure OFFSET 0) v
	), kept AS MATERIALIZED (
		SELECT r.g, r.rank, activity_group_members(names, r.g) AS members FROM ranked r WHERE r.rank <= shown
		UNION ALL
		SELECT other, shown + 1, activity_group_members(names, other) WHERE groups_n > shown
	), said AS MATERIALIZED (
		SELECT f.bucket, r.rank, f.e, f.s, f.u, f.o FROM unnest(cells) f JOIN ranked r ON r.g = f.g WHERE r.rank <= shown
		UNION ALL
		SELECT f.bucket, shown + 1, ARRAY[sum(f.e[1]), sum(f.e[2]), sum(f.e[3]), sum(f.e[4]), sum(f.e[5]), sum(f.e[6]), sum(f.e[7]), sum(f.e[8]), sum(f.e[9])]::bigint[],
		       NULL::bigint[], NULL::bigint[], ARRAY[sum(f.o[1]), sum(f.o[2]), sum(f.o[3]), sum(f.o[4]), sum(f.o[5])]
		FROM unnest(cells) f JOIN ranked r ON r.g = f.g WHERE r.rank > shown GROUP BY f.bucket
	)
	SELECT '[' || string_agg('{' || c.head || k.members
	       || activity_members(metrics, (c.n, k.g, f.e, CASE WHEN k.rank > shown THEN '{NULL}' ELSE f.s END, CASE WHEN k.rank > shown THEN '{NULL}' ELSE f.u END, f.o)::activity_found, digits)
	       || CASE WHEN b.base_from IS NULL THEN ''
	               WHEN x.n IS NULL OR k.rank > shown THEN ',"compare":null'
	               ELSE ',"compare":{' || x.head || activity_members(metrics, (x.n, k.g, p.e, p.s, p.u, p.o)::activity_found, digits) || '}' END || '}',
	       ',' ORDER BY c.n, k.rank) || ']'
	INTO text_of
	FROM bucket c CROSS JOIN kept k
	LEFT JOIN said f ON f.bucket = c.n AND f.rank = k.rank
	LEFT JOIN base_bucket x ON x.n = c.n
	LEFT JOIN unnest(base_cells) p ON p.bucket = c.n AND p.g = k.g;
	rows := coalesce(text_of, '[]')::json;
	SELECT json_agg(json_build_object('bucket', x.name, 'from', x.from_at, 'to', x.to_at, 'whole', x.whole) ORDER BY x.n) INTO buckets
	FROM activity_buckets(range_from, range_to, step, step_zone, step_cutoff, week_start) x WHERE step <> 'none';
	SELECT json_object_agg(u.family, to_json(activity_sources(q, pieces, u.family)) ORDER BY u.i) INTO sources
	FROM unnest(families) WITH ORDINALITY u(family, i) WHERE u.family <> 'new_users';
	-- (single events that retention took away are in no answer any more)
	exact := (NOT 'orders' = ANY (families) OR (SELECT o.exact FROM activity_order_grain(pieces, q.by_day) o))
	         AND (sources::text !~ '"raw"' OR range_from >= (SELECT s.raw_from FROM activity_site s));
	is_live := range_to > business_day_start(q.zone, q.cutoff_hours, business_date(now(), q.zone, q.cutoff_hours));
	RETURN NEXT;
END
$$;
