-- Questions about activity: money and orders beside it, metrics, and whole answers (POST /dashboard/metrics).

-- ---- orders ------------------------------------------------------------------------------

-- Orders are known by business day, and without items by hour. How they are laid over a range: where its bounds are
-- those of days, by days; where they are those of hours, and no item is asked for, by hours; else by the days
-- that lie in it with their middles, which is not `exact`.
CREATE FUNCTION activity_order_grain(pieces activity_piece[], by_day boolean)
RETURNS TABLE (grain text, exact boolean)
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT CASE WHEN NOT days AND hours AND NOT by_day THEN 'hour' ELSE 'day' END, days OR (hours AND NOT by_day)
	FROM (SELECT bool_and(p.grain IS NOT NULL AND p.grain <> 'hour') AS days, bool_and(p.grain IS NOT NULL) AS hours
	      FROM unnest(pieces) p) x
$$;

-- n: revenue in minor units, orders placed, orders counted, items, item sales in minor units.
CREATE FUNCTION activity_order_days(code text, first_day date, final_day date)
RETURNS TABLE (location_id int, business_date date, n numeric[])
LANGUAGE sql STABLE AS $$
	SELECT c.location_id, c.business_date, ARRAY[c.revenue_minor, c.order_count, c.served_count, c.item_qty, c.item_minor]
	FROM daily_revenue_cache c WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code
	UNION ALL
	SELECT x.location_id, x.business_date, ARRAY[x.gross_minor - x.refund_minor, x.placed, x.counted, coalesce(i.qty, 0), coalesce(i.minor, 0)]
	FROM live_reach() r
	JOIN live_day x ON x.business_date BETWEEN greatest(first_day, r.newest_day + 1) AND least(final_day, r.last_day) AND x.currency = code
	CROSS JOIN LATERAL (SELECT sum(l.quantity) AS qty, sum(half_even(l.amount * 10::numeric ^ money_exponent(code), 0)) AS minor FROM live_item l
	                    WHERE l.location_id = x.location_id AND l.business_date = x.business_date AND l.currency = code) i
	WHERE r.last_day IS NOT NULL
$$;

-- An hour that occurs twice is one to the batch: all of it is in the first.
CREATE FUNCTION activity_order_hours(code text, first_day date, final_day date)
RETURNS TABLE (location_id int, hour_at timestamptz, n numeric[])
LANGUAGE sql STABLE AS $$
	SELECT c.location_id, h.hour_at, ARRAY[c.revenue_minor, c.order_count, c.served_count, 0, 0]
	FROM site JOIN rules r USING (rules_id)
	CROSS JOIN LATERAL (SELECT min(x.hour_at) AS hour_at, x.business_date, x.hour FROM real_hours(r.timezone, r.cutoff_hours, first_day, final_day) x
	                    GROUP BY x.business_date, x.hour) h
	JOIN hourly_order_cache c ON c.business_date = h.business_date AND c.hour = h.hour
	WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code
	UNION ALL
	SELECT x.location_id, x.hour_at, ARRAY[x.gross_minor - x.refund_minor, x.placed, x.counted, 0, 0]
	FROM live_reach() r
	JOIN live_hour x ON x.business_date BETWEEN greatest(first_day, r.newest_day + 1) AND least(final_day, r.last_day) AND x.currency = code
	WHERE r.last_day IS NOT NULL
$$;

-- Of items revenue is what they were sold for, and an order is there once for each item in it.
CREATE FUNCTION activity_order_items(code text, first_day date, final_day date)
RETURNS TABLE (location_id int, business_date date, item_id text, n numeric[])
LANGUAGE sql STABLE AS $$
	SELECT c.location_id, c.business_date, c.item_id, ARRAY[c.revenue_minor, c.order_count, c.order_count, c.quantity, c.revenue_minor]
	FROM item_sales_cache c WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code
	UNION ALL
	SELECT x.location_id, x.business_date, x.item_id, ARRAY[m.minor, x.orders, x.orders, x.quantity, m.minor]
	FROM live_reach() r
	JOIN live_item x ON x.business_date BETWEEN greatest(first_day, r.newest_day + 1) AND least(final_day, r.last_day) AND x.currency = code
	CROSS JOIN LATERAL (SELECT half_even(x.amount * 10::numeric ^ money_exponent(code), 0) AS minor) m
	WHERE r.last_day IS NOT NULL
$$;

CREATE FUNCTION activity_orders_of(q activity_asked, bounds timestamptz[], pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], n numeric[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
	last int := cardinality(bounds);
	first_day date := (bounds[1] AT TIME ZONE 'UTC')::date - 2;
	final_day date := (bounds[last] AT TIME ZONE 'UTC')::date + 2;
	profile text := (SELECT r.revenue_profile FROM site JOIN rules r USING (rules_id));
	items boolean := q.groups || q.filters && ARRAY[6, 7]::smallint[];
	by_hour boolean := (SELECT o.grain = 'hour' FROM activity_order_grain(pieces, q.by_day) o);
BEGIN
	RETURN QUERY
	WITH fact AS (
		SELECT o.location_id, d.starts_at + (d.ends_at - d.starts_at) / 2 AS at, '' AS category, '' AS item_id, o.n
		FROM activity_order_days(q.currency, first_day, final_day) o JOIN business_days(q.zone, q.cutoff_hours, first_day, final_day) d USING (business_date)
		WHERE NOT items AND NOT by_hour
		UNION ALL
		SELECT o.location_id, o.hour_at, '', '', o.n FROM activity_order_hours(q.currency, first_day, final_day) o WHERE NOT items AND by_hour
		UNION ALL
		SELECT o.location_id, d.starts_at + (d.ends_at - d.starts_at) / 2, coalesce(c.category, ''), o.item_id, o.n
		FROM activity_order_items(q.currency, first_day, final_day) o JOIN business_days(q.zone, q.cutoff_hours, first_day, final_day) d USING (business_date)
		LEFT JOIN activity_product c ON c.product_id = o.item_id
		WHERE items
	), told AS (
		SELECT f.at, f.n, ARRAY[NULL, NULL, NULL, NULL, NULL, f.category, f.item_id, coalesce(r.region, '')] AS dims
		FROM fact f LEFT JOIN location_region r USING (location_id)
		WHERE f.at >= bounds[1] AND f.at < bounds[last]
	)
	SELECT width_bucket(t.at, bounds), (ARRAY[t.dims[q.groups[1]], t.dims[q.groups[2]], t.dims[q.groups[3]]])[1:cardinality(q.groups)],
	       ARRAY[sum(t.n[1]), CASE WHEN items OR profile = 'restaurant' THEN sum(t.n[3]) ELSE sum(t.n[2]) END, sum(t.n[3]), sum(t.n[4]), sum(t.n[5])]
	FROM told t
	WHERE NOT EXISTS (SELECT FROM unnest(q.filters) f WHERE f || ':' || t.dims[f] <> ALL (q.keys))
	GROUP BY 1, 2;
END
$$;

-- ---- figures --------------------------------------------------------------------------------

-- All that was asked for of one bucket and group: NULL is a family that was not, or has nothing there.
--   e  events, and those of the built-in types    s  as activity_sessions_of    u  as activity_users_of
--   o  as activity_orders_of
CREATE TYPE activity_found AS (bucket int, g text[], e bigint[], s bigint[], u bigint[], o numeric[]);

-- `families`: events, sessions, users, new_users, orders.
CREATE FUNCTION activity_find(q activity_asked, bounds timestamptz[], families text[]) RETURNS SETOF activity_found
LANGUAGE plpgsql STABLE ROWS 1000 AS $$
DECLARE
	pieces activity_piece[] := ARRAY(SELECT p FROM activity_pieces(bounds, q.zone, q.cutoff_hours) p);
BEGIN
	-- each family only where it is wanted: what is false from the start is not even begun
	RETURN QUERY
	WITH part AS (
		SELECT bucket, g, ARRAY[sum(n), sum(n) FILTER (WHERE event_type = 'page_view'), sum(n) FILTER (WHERE event_type = 'product_view'),
		                        sum(n) FILTER (WHERE event_type = 'add_to_cart'), sum(n) FILTER (WHERE event_type = 'remove_from_cart'),
		                        sum(n) FILTER (WHERE event_type = 'checkout_start'), sum(n) FILTER (WHERE event_type = 'purchase'),
		                        sum(n) FILTER (WHERE event_type = 'search'), sum(n) FILTER (WHERE event_type = 'filter')]::bigint[] AS e,
		       NULL::bigint[] AS s, NULL::bigint[] AS u, NULL::numeric[] AS o
		FROM activity_events_of(q, bounds, pieces) WHERE 'events' = ANY (families) GROUP BY bucket, g
		UNION ALL
		SELECT bucket, g, NULL, ARRAY[sum(n[1]), sum(n[2]), sum(n[3]), sum(n[4]), sum(n[5])]::bigint[], NULL, NULL
		FROM activity_sessions_of(q, bounds, pieces) WHERE 'sessions' = ANY (families) GROUP BY bucket, g
		UNION ALL
		SELECT bucket, g, NULL, NULL, ARRAY[sum(n[1]), sum(n[2])]::bigint[], NULL
		FROM activity_users_of(q, bounds, pieces, 'new_users' = ANY (families)) WHERE 'users' = ANY (families) GROUP BY bucket, g
		UNION ALL
		SELECT bucket, g, NULL, NULL, NULL, n FROM activity_orders_of(q, bounds, pieces) WHERE 'orders' = ANY (families)
	)
	SELECT bucket, g, max(e), max(s), max(u), max(o) FROM part GROUP BY bucket, g;
END
$$;

-- One metric. Counts of what is not there are 0, averages of nothing are NULL; `(other groups)` says {NULL} of
-- what cannot be added up.
CREATE FUNCTION activity_figure(id text, f activity_found, digits int) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE id
		WHEN 'events' THEN coalesce(f.e[1], 0)
		WHEN 'page_views' THEN coalesce(f.e[2], 0)
		WHEN 'product_views' THEN coalesce(f.e[3], 0)
		WHEN 'adds_to_cart' THEN coalesce(f.e[4], 0)
		WHEN 'removes_from_cart' THEN coalesce(f.e[5], 0)
		WHEN 'checkouts' THEN coalesce(f.e[6], 0)
		WHEN 'purchases' THEN coalesce(f.e[7], 0)
		WHEN 'searches' THEN coalesce(f.e[8], 0)
		WHEN 'filters' THEN coalesce(f.e[9], 0)
		WHEN 'sessions' THEN CASE WHEN f.s IS NULL THEN 0 ELSE f.s[1] END
		WHEN 'converted_sessions' THEN CASE WHEN f.s IS NULL THEN 0 ELSE f.s[2] END
		WHEN 'bounced_sessions' THEN CASE WHEN f.s IS NULL THEN 0 ELSE f.s[3] END
		WHEN 'session_events' THEN CASE WHEN f.s IS NULL THEN 0 ELSE f.s[4] END
		WHEN 'session_seconds' THEN CASE WHEN f.s IS NULL THEN 0 ELSE f.s[5] END
		WHEN 'conversion_rate' THEN half_even(f.s[2] * 100::numeric / nullif(f.s[1], 0), 1)
		WHEN 'bounce_rate' THEN half_even(f.s[3] * 100::numeric / nullif(f.s[1], 0), 1)
		WHEN 'events_per_session' THEN half_even(f.s[4]::numeric / nullif(f.s[1], 0), 1)
		WHEN 'seconds_per_session' THEN half_even(f.s[5]::numeric / nullif(f.s[1], 0), 1)
		WHEN 'users' THEN CASE WHEN f.u IS NULL THEN 0 ELSE f.u[1] END
		WHEN 'new_users' THEN CASE WHEN f.u IS NULL THEN 0 ELSE f.u[2] END
		WHEN 'returning_users' THEN CASE WHEN f.u IS NULL THEN 0 ELSE f.u[1] - f.u[2] END
		WHEN 'revenue' THEN money_of(coalesce(f.o[1], 0), digits)
		WHEN 'orders' THEN coalesce(f.o[2], 0)
		WHEN 'avg_order_value' THEN CASE WHEN f.o[3] > 0 THEN money_ratio_of(f.o[1], f.o[3], digits) END
		WHEN 'items_sold' THEN trim_scale(coalesce(f.o[4], 0))
		WHEN 'item_sales' THEN money_of(coalesce(f.o[5], 0), digits)
	END
$$;

-- The metrics as members of a JSON object.
CREATE FUNCTION activity_members(metrics text[], f activity_found, digits int) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg('"' || m || '":' || coalesce(activity_figure(m, f, digits)::text, 'null'), ',' ORDER BY i) FROM unnest(metrics) WITH ORDINALITY x(m, i)
$$;

-- The group's values as members, each behind it a comma.
CREATE FUNCTION activity_group_members(names text[], g text[]) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT coalesce(string_agg(to_json(name)::text || ':' || to_json(CASE value WHEN '' THEN '(not set)' ELSE value END)::text || ',', '' ORDER BY i), '')
	FROM unnest(names, g) WITH ORDINALITY x(name, value, i)
$$;

-- What answered for a family, for whoever wants to know.
CREATE FUNCTION activity_sources(q activity_asked, pieces activity_piece[], family text) RETURNS text[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
	flat boolean := cardinality(activity_dimensions_of(q)) <= 1;
	grains text[];
BEGIN
	IF family = 'orders' THEN
		RETURN ARRAY[(SELECT o.grain FROM activity_order_grain(pieces, q.by_day) o)];
	ELSIF NOT flat OR (q.types IS NOT NULL AND family <> 'events') THEN
		RETURN ARRAY['raw'];
	ELSIF family = 'sessions' AND NOT activity_is_simple(q) THEN
		RETURN ARRAY['session'];
	END IF;
	SELECT array_agg(DISTINCT CASE WHEN family = 'sessions' THEN coalesce(p.grain::text, 'session')
	                               WHEN family = 'events' THEN coalesce(p.grain::text, 'raw')
	                               WHEN p.grain IN ('day', 'month') THEN 'person_day' ELSE 'raw' END) INTO grains
	FROM unnest(pieces) p;
	RETURN grains;
END
$$;

CREATE FUNCTION activity_bounds(range_from timestamptz, range_to timestamptz, step text, zone text, cutoff_hours int, week_start int) RETURNS timestamptz[]
LANGUAGE sql STABLE AS $$
	SELECT array_agg(from_at ORDER BY n) || range_to FROM activity_buckets(range_from, range_to, step, zone, cutoff_hours, week_start)
$$;

-- By which clock the figures were made: no row before anything has begun.
CREATE FUNCTION activity_clock() RETURNS TABLE (zone text, cutoff int)
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT coalesce(a.timezone, r.timezone), coalesce(a.cutoff_hours, r.cutoff_hours)::int
	FROM activity_site a LEFT JOIN (site JOIN rules r USING (rules_id)) ON true
	WHERE coalesce(a.timezone, r.timezone) IS NOT NULL
$$;

-- What money is asked for in: as asked, else that of the site if orders came in it, else that of the first that came.
CREATE FUNCTION activity_order_currency(code text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT coalesce(code, (SELECT s.currency FROM series s WHERE s.currency = r.default_currency LIMIT 1),
	                (SELECT s.currency FROM series s ORDER BY s.first_date, s.currency LIMIT 1), r.default_currency, 'EUR')
	FROM (SELECT max(default_currency) AS default_currency FROM site JOIN rules USING (rules_id)) r
$$;

-- The question as the tables are asked it, with what the dictionary knows of its values.
CREATE FUNCTION activity_ask_of(question jsonb) RETURNS activity_asked
LANGUAGE sql STABLE AS $$
	SELECT ((question ->> 'bots')::boolean, w.types, w.groups, w.filters, w.keys,
	        ARRAY(SELECT k FROM unnest(w.keys) k
	              WHERE substr(k, strpos(k, ':') + 1) IN ('', '(other)')
	                 OR EXISTS (SELECT FROM activity_value v WHERE v.dimension_id = split_part(k, ':', 1)::smallint AND v.value = substr(k, strpos(k, ':') + 1))),
	        w.others, ARRAY(SELECT v.dimension_id || ':' || v.value FROM activity_value v WHERE v.dimension_id = ANY (w.others)),
	        c.zone, c.cutoff, question ->> 'currency', (question ->> 'by_day')::boolean)::activity_asked
	FROM activity_clock() c,
	     LATERAL (SELECT CASE WHEN question -> 'types' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(question -> 'types')) END AS types,
	                     ARRAY(SELECT jsonb_array_elements_text(question -> 'groups')::smallint) AS groups,
	                     ARRAY(SELECT jsonb_array_elements_text(question -> 'filters')::smallint) AS filters,
	                     ARRAY(SELECT jsonb_array_elements_text(question -> 'keys')) AS keys,
	                     ARRAY(SELECT split_part(k, ':', 1)::smallint FROM jsonb_array_elements_text(question -> 'keys') k
	                           WHERE substr(k, strpos(k, ':') + 1) = '(other)') AS others OFFSET 0) w
$$;

CREATE FUNCTION activity_range(question jsonb) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('from', (question ->> 'from')::timestamptz, 'to', (question ->> 'to')::timestamptz,
	                         'tz', question ->> 'step_zone', 'cutoff', (question ->> 'step_cutoff')::int)
$$;

-- A whole answer. The question, whose words the web program has checked:
--   from, to            instants                   step, step_zone, step_cutoff, week_start   the buckets, and by whose clock
--   metrics, families   names, see activity_find   names, groups, filters, keys, types        as of activity_asked; types may be null
--   compare             none, previous, year       most, order, desc                          which groups, and how many
--   bots, currency, by_day
-- The answer:
--   rows, totals        JSON as the API shows it; with `compare` a row has the bucket of the base with the same place
--   groups_n            groups there are, of which the first are shown, and the rest as `(other groups)`
CREATE FUNCTION activity_answer(question jsonb)
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
	whole := CASE WHEN groups = '{}' THEN ARRAY[(1, '{}', total.e, total.s, total.u, total.o)::activity_found]
	              ELSE (SELECT coalesce(array_agg(f), '{}') FROM activity_find(q, ARRAY[range_from, range_to], families) f) END;
	cells := CASE WHEN step = 'none' THEN whole ELSE (SELECT coalesce(array_agg(f), '{}') FROM activity_find(q, bounds, families) f) END;
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

-- ---- fixed questions --------------------------------------------------------------------------

-- Orders placed on the business days of a range by the status they have now, and how many items a counted one has.
CREATE FUNCTION activity_order_statuses(range_from timestamptz, range_to timestamptz, code text)
RETURNS TABLE (by_status json, items_per_order numeric)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
	clock record;
	first_day date;
	final_day date;
BEGIN
	SELECT * INTO clock FROM activity_clock();
	first_day := business_date(range_from, clock.zone, clock.cutoff);
	final_day := business_date(range_to - interval '1 microsecond', clock.zone, clock.cutoff);
	RETURN QUERY
	SELECT (SELECT coalesce(json_object_agg(s.status, s.n ORDER BY s.status), '{}')
	        FROM (SELECT x.status, sum(x.n) AS n
	              FROM (SELECT o.key AS status, o.value::bigint AS n FROM daily_revenue_cache c, jsonb_each_text(c.orders_by_status) o
	                    WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code
	                    UNION ALL
	                    SELECT l.status, l.orders FROM live_reach() r
	                    JOIN live_status l ON l.business_date BETWEEN greatest(first_day, r.newest_day + 1) AND least(final_day, r.last_day) AND l.currency = code
	                    WHERE r.last_day IS NOT NULL) x GROUP BY x.status) s),
	       (SELECT half_even(sum(d.n[4]) / nullif(sum(d.n[3]), 0), 2) FROM activity_order_days(code, first_day, final_day) d);
END
$$;

-- Mean of the people of each of the last 30 business days before `until`, and the people of the last 7 and 30.
CREATE FUNCTION activity_active(until timestamptz)
RETURNS TABLE (daily_exact numeric, daily numeric, weekly bigint, monthly bigint)
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT d.mean, half_even(d.mean, 1),
	       (SELECT count(DISTINCT person_id) FROM activity_person_day WHERE NOT bot AND business_date BETWEEN l.day - 6 AND l.day),
	       (SELECT count(DISTINCT person_id) FROM activity_person_day WHERE NOT bot AND business_date BETWEEN l.day - 29 AND l.day)
	FROM activity_clock() c,
	     LATERAL (SELECT business_date(until - interval '1 microsecond', c.zone, c.cutoff) AS day OFFSET 0) l,
	     LATERAL (SELECT coalesce(sum(users), 0) / 30 AS mean FROM activity_user_sum
	              WHERE NOT bot AND dimension_id = 0 AND business_date BETWEEN l.day - 29 AND l.day OFFSET 0) d
$$;
