-- What answers about activity are asked with. docs/ACTIVITY.md says what a figure means.
--
-- A question is answered by the coarsest figures that can: months, days and hours of activity_sum and its like
-- where it is about one dimension at most, and stored events only for what they leave over, the ragged ends of a
-- range. People are counted as sets, never added up.

-- ---- time ------------------------------------------------------------------------

-- Whether an hour of the wall clock begins and another ends there.
CREATE FUNCTION activity_is_hour(at timestamptz, zone text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT date_trunc('hour', at AT TIME ZONE zone) = at AT TIME ZONE zone
	       AND extract(epoch FROM (at - interval '1 microsecond') AT TIME ZONE zone + interval '1 microsecond')::numeric % 3600 = 0
$$;

-- The buckets of a range, oldest first, the first and the last cut to it.
CREATE FUNCTION activity_buckets(range_from timestamptz, range_to timestamptz, step text, zone text, cutoff_hours int, week_start int)
RETURNS TABLE (n int, name text, from_at timestamptz, to_at timestamptz, whole boolean)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	first_day date := (range_from AT TIME ZONE 'UTC')::date - 2;
	final_day date := (range_to AT TIME ZONE 'UTC')::date + 2;
BEGIN
	IF step = 'none' THEN
		RETURN QUERY SELECT 1, to_char(range_from AT TIME ZONE zone, 'YYYY-MM-DD"T"HH24:MI:SS'), range_from, range_to, true;
	ELSIF step = 'hour' THEN
		RETURN QUERY
		SELECT (row_number() OVER (ORDER BY h.starts))::int, h.label, greatest(h.starts, range_from), least(h.ends, range_to),
		       h.starts >= range_from AND h.ends <= range_to
		FROM (SELECT greatest(to_timestamp(w - p.shift_s), to_timestamp(p.start_s)) AS starts, least(to_timestamp(w - p.shift_s + 3600), to_timestamp(p.end_s)) AS ends,
		             to_char(to_timestamp(w - p.shift_s + o.s) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI')
		             || CASE WHEN o.s < 0 THEN '-' ELSE '+' END || to_char(make_interval(secs => abs(o.s)), 'HH24:MI') AS label
		      FROM business_pieces(zone, cutoff_hours, first_day, final_day) p,
		           LATERAL (SELECT zone_offset_s(zone, p.start_s) AS s OFFSET 0) o,
		           LATERAL generate_series((p.start_s + p.shift_s) / 3600 * 3600, p.end_s + p.shift_s - 1, 3600) w) h
		WHERE h.ends > range_from AND h.starts < range_to;
	ELSE
		RETURN QUERY
		SELECT (row_number() OVER (ORDER BY u.unit))::int, u.unit::text, greatest(u.starts, range_from), least(u.ends, range_to),
		       u.starts >= range_from AND u.ends <= range_to
		FROM (SELECT booking_unit(d.business_date, step, week_start) AS unit, min(d.starts_at) AS starts, max(d.ends_at) AS ends
		      FROM business_days(zone, cutoff_hours, first_day, final_day) d WHERE d.ends_at > d.starts_at GROUP BY 1) u
		WHERE u.ends > range_from AND u.starts < range_to;
	END IF;
END
$$;

-- The range that another is compared with: `previous`, as long and just before it, or, where it begins with a day that
-- is not over when it ends, as many days before as it has, so that both end at the same time of day; `year`, 364 days
-- before, or a multiple, so that weekdays meet. Whole months are compared with whole months.
CREATE FUNCTION activity_base(range_from timestamptz, range_to timestamptz, compare text, step text, zone text, cutoff_hours int)
RETURNS TABLE (base_from timestamptz, base_to timestamptz)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
	a date := business_date(range_from, zone, cutoff_hours);
	z date := business_date(range_to, zone, cutoff_hours);
	from_day boolean := business_day_start(zone, cutoff_hours, a) = range_from;
	whole_days boolean := from_day AND business_day_start(zone, cutoff_hours, z) = range_to;
	months int := (extract(year FROM age(z, a)) * 12 + extract(month FROM age(z, a)))::int;
	back interval;
BEGIN
	IF compare = 'none' THEN
		RETURN;
	END IF;
	IF step = 'month' AND whole_days AND extract(day FROM a) = 1 AND extract(day FROM z) = 1 THEN
		back := make_interval(months => CASE compare WHEN 'year' THEN (months + 11) / 12 * 12 ELSE months END);
	ELSIF compare = 'year' THEN
		back := make_interval(days => (ceil(extract(epoch FROM range_to - range_from) / 86400)::int + 363) / 364 * 364);
	ELSIF from_day THEN
		back := make_interval(days => z - a + (NOT whole_days)::int);
	ELSE
		RETURN QUERY SELECT range_from - (range_to - range_from), range_from;
		RETURN;
	END IF;
	IF whole_days THEN
		RETURN QUERY SELECT business_day_start(zone, cutoff_hours, (a - back)::date), business_day_start(zone, cutoff_hours, (z - back)::date);
	ELSE
		RETURN QUERY SELECT CASE WHEN from_day THEN business_day_start(zone, cutoff_hours, (a - back)::date)
		                         ELSE ((range_from AT TIME ZONE zone) - back) AT TIME ZONE zone END, ((range_to AT TIME ZONE zone) - back) AT TIME ZONE zone;
	END IF;
END
$$;

-- What answers for which part of each bucket bounds[n] to bounds[n + 1]: the figures of a grain, which are all
-- within, or (grain NULL) single rows. Days are those of the pieces of days and months.
CREATE TYPE activity_piece AS (bucket int, grain activity_grain, from_at timestamptz, to_at timestamptz, from_day date, to_day date);
CREATE FUNCTION activity_pieces(bounds timestamptz[], zone text, cutoff_hours int) RETURNS SETOF activity_piece
LANGUAGE plpgsql STABLE AS $$
DECLARE
	tick constant interval := '1 microsecond';
	last int := cardinality(bounds);
	days date[];
	starts timestamptz[];
	months timestamptz[];
BEGIN
	SELECT array_agg(d.business_date ORDER BY d.business_date), array_agg(d.starts_at ORDER BY d.business_date),
	       array_agg(d.starts_at ORDER BY d.business_date) FILTER (WHERE extract(day FROM d.business_date) = 1)
	INTO days, starts, months
	FROM business_days(zone, cutoff_hours, (bounds[1] AT TIME ZONE 'UTC')::date - 2, (bounds[last] AT TIME ZONE 'UTC')::date + 2) d
	WHERE d.ends_at > d.starts_at;
	months := coalesce(months, '{}');
	RETURN QUERY
	WITH part AS (
		SELECT i, bounds[i] AS a, bounds[i + 1] AS z, width_bucket(bounds[i] - tick, starts) + 1 AS d0, width_bucket(bounds[i + 1], starts) AS d1
		FROM generate_series(1, last - 1) i
	), day AS (
		SELECT i, a, z, CASE WHEN d1 > d0 THEN starts[d0] END AS da, CASE WHEN d1 > d0 THEN starts[d1] END AS dz FROM part
	), month AS (
		SELECT d.*, m0, m1 FROM day d,
		LATERAL (SELECT CASE WHEN months = '{}' THEN 0 ELSE width_bucket(da - tick, months) END + 1 AS m0,
		                CASE WHEN months = '{}' THEN 0 ELSE width_bucket(dz, months) END AS m1) m
	), coarse AS (
		SELECT i, x.* FROM month, LATERAL (VALUES
			(NULL::activity_grain, a, CASE WHEN da IS NULL THEN z ELSE da END),
			('day', da, CASE WHEN m1 > m0 THEN months[m0] ELSE dz END),
			('month', CASE WHEN m1 > m0 THEN months[m0] END, CASE WHEN m1 > m0 THEN months[m1] END),
			('day', CASE WHEN m1 > m0 THEN months[m1] END, dz),
			(NULL, dz, z)) x(grain, a, z)
		WHERE x.a < x.z
	), hour AS (
		SELECT c.*, h.* FROM coarse c,
		LATERAL (SELECT activity_hour(c.a, zone) AS fa, activity_hour(c.z, zone) AS hz) f,
		LATERAL (SELECT CASE WHEN fa = c.a THEN fa ELSE fa + interval '1 hour' END AS ha) g,
		LATERAL (SELECT CASE WHEN ha < hz AND activity_is_hour(ha, zone) AND activity_is_hour(hz, zone) THEN ha END AS ha, hz) h(h0, h1)
		WHERE c.grain IS NULL
	)
	SELECT c.i, c.grain, c.a, c.z, days[width_bucket(c.a, starts)], days[width_bucket(c.z - tick, starts)] FROM coarse c WHERE c.grain IS NOT NULL
	UNION ALL
	SELECT h.i, x.grain, x.a, x.z, NULL, NULL
	FROM hour h, LATERAL (VALUES (NULL::activity_grain, h.a, coalesce(h.h0, h.z)), ('hour', h.h0, h.h1), (NULL, CASE WHEN h.h0 IS NOT NULL THEN h.h1 END, h.z)) x(grain, a, z)
	WHERE x.a < x.z;
END
$$;

-- Neighbours that the same figures answer for, as one. With `hours` those of hours count as single rows.
CREATE FUNCTION activity_spans(pieces activity_piece[], hours boolean)
RETURNS TABLE (grain activity_grain, from_at timestamptz, to_at timestamptz)
LANGUAGE sql STABLE ROWS 5 AS $$
	WITH piece AS (
		SELECT CASE WHEN NOT hours OR p.grain <> 'hour' THEN p.grain END AS grain, p.from_at, p.to_at FROM unnest(pieces) p
	), mark AS (
		SELECT x.*, lag(x.to_at) OVER (PARTITION BY x.grain ORDER BY x.from_at) IS DISTINCT FROM x.from_at AS fresh FROM piece x
	), island AS (
		SELECT m.*, count(*) FILTER (WHERE m.fresh) OVER (PARTITION BY m.grain ORDER BY m.from_at) AS k FROM mark m
	)
	SELECT i.grain, min(i.from_at), max(i.to_at) FROM island i GROUP BY i.grain, i.k
$$;

-- ---- questions --------------------------------------------------------------------

-- A question as the tables are asked it. Keys are 'dimension_id:value', '' where a value is not set.
CREATE TYPE activity_asked AS (
	bot boolean,
	types text[],                        -- NULL: of any type
	groups smallint[],                   -- dimensions, at most 3
	filters smallint[],                  -- dimensions, at most 10
	keys text[],                         -- what they may be
	raw_keys text[],                     -- those of them that events count under by their own name
	others smallint[],                   -- filters that let '(other)' through,
	known text[],                        -- and the keys of what is not '(other)' there
	zone text,                           -- the site's: of the buckets of figures
	cutoff_hours int,
	currency text,
	by_day boolean                       -- money and orders by days, not by hours: items are known by days only
);

-- What an event of a value counts under; `known`: the same value in the dictionary, NULL where it is not there.
CREATE FUNCTION activity_value_of(said text, known text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN coalesce(said, '') = '' THEN '' ELSE coalesce(known, '(other)') END $$;

-- One of the filters, on an event. A dimension that was declared after the event came says nothing of it.
CREATE FUNCTION activity_fits(id smallint, dims text[], q activity_asked) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT (id <= 8 OR cardinality(dims) >= id)
	       AND (id || ':' || coalesce(dims[id], '') = ANY (q.raw_keys)
	            OR id = ANY (q.others) AND coalesce(dims[id], '') <> '' AND id || ':' || dims[id] <> ALL (q.known))
$$;

-- The dimensions a question is about.
CREATE FUNCTION activity_dimensions_of(q activity_asked) RETURNS smallint[]
LANGUAGE sql STABLE AS $$ SELECT coalesce(array_agg(DISTINCT d), '{}') FROM unnest(q.groups || q.filters) d $$;

-- Whether the rows of one dimension tell it for each group: the group is one value, or all there are.
CREATE FUNCTION activity_is_simple(q activity_asked) RETURNS boolean
LANGUAGE sql STABLE AS $$
	SELECT q.types IS NULL AND cardinality(activity_dimensions_of(q)) <= 1 AND (cardinality(q.groups) = 1 OR cardinality(q.keys) <= 1)
$$;

-- The values of a row's groups that a question of one dimension at most asks for; of none: '' where it fits.
CREATE FUNCTION activity_values_of(groups text[], q activity_asked) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
	SELECT '' WHERE q.groups = '{}' AND (q.filters = '{}' OR groups && q.keys)
	UNION ALL
	SELECT substr(k, length(q.groups[1]::text) + 2) FROM unnest(groups) k
	WHERE q.groups <> '{}' AND starts_with(k, q.groups[1] || ':') AND (q.filters = '{}' OR k = ANY (q.keys))
$$;

CREATE FUNCTION activity_group(value text, q activity_asked) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN q.groups = '{}' THEN '{}'::text[] ELSE ARRAY[value] END $$;

-- Events of a type in a bucket and group, and the three values of the group.
CREATE FUNCTION activity_event_sums(q activity_asked, bounds timestamptz[], pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], event_type text, n bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
	SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	id smallint := coalesce((activity_dimensions_of(q))[1], 0);
	wanted text[] := (SELECT array_agg(substr(k, strpos(k, ':') + 1)) FROM unnest(q.keys) k);
BEGIN
	RETURN QUERY
	SELECT width_bucket(s.bucket_at, bounds), activity_group(CASE WHEN q.groups <> '{}' THEN s.value END, q), s.event_type, sum(s.events)::bigint
	FROM activity_spans(pieces, false) p
	JOIN activity_sum s ON s.grain = p.grain AND s.bot = q.bot AND s.dimension_id = id AND s.bucket_at >= p.from_at AND s.bucket_at < p.to_at
	WHERE (q.types IS NULL OR s.event_type = ANY (q.types)) AND (q.filters = '{}' OR s.value = ANY (wanted))
	GROUP BY 1, 2, 3;
END
$$;

-- The same from the events themselves, in the spans given, which begin and end within buckets or at their ends.
-- What has not taken effect yet counts nowhere.
CREATE FUNCTION activity_event_rows(q activity_asked, bounds timestamptz[], froms timestamptz[], tos timestamptz[])
RETURNS TABLE (bucket int, g text[], event_type text, n bigint)
LANGUAGE plpgsql STABLE SET enable_sort = off SET work_mem = '64MB' SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	open_seq bigint := coalesce((SELECT min(b.batch_id) FROM activity_batch b), 9223372036854775807 >> 16) << 16;
	g1 smallint := q.groups[1];
	g2 smallint := q.groups[2];
	g3 smallint := q.groups[3];
	f1 smallint := q.filters[1];
	f2 smallint := q.filters[2];
BEGIN
	RETURN QUERY
	SELECT x.i, (ARRAY[activity_value_of(x.v1, d1.value), activity_value_of(x.v2, d2.value), activity_value_of(x.v3, d3.value)])[1:cardinality(q.groups)], x.t, x.n
	FROM (SELECT width_bucket(e.occurred_at, bounds) AS i, e.event_type AS t, e.dims[g1] AS v1, e.dims[g2] AS v2, e.dims[g3] AS v3, count(*) AS n
	      FROM unnest(froms, tos) p(a, z)
	      JOIN activity_event e ON e.occurred_at >= p.a AND e.occurred_at < p.z
	      WHERE (e.flags & 112 <> 0) = q.bot AND (q.types IS NULL OR e.event_type = ANY (q.types))
	        AND (e.seq < open_seq OR NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16))
	        AND coalesce(g1 <= 8 OR cardinality(e.dims) >= g1, true) AND coalesce(g2 <= 8 OR cardinality(e.dims) >= g2, true)
	        AND coalesce(g3 <= 8 OR cardinality(e.dims) >= g3, true)
	        AND (f1 IS NULL OR activity_fits(f1, e.dims, q)) AND (f2 IS NULL OR activity_fits(f2, e.dims, q))
	        AND (cardinality(q.filters) <= 2 OR NOT EXISTS (SELECT FROM unnest(q.filters[3:]) f WHERE NOT activity_fits(f, e.dims, q)))
	      GROUP BY 1, 2, 3, 4, 5) x
	LEFT JOIN activity_value d1 ON d1.dimension_id = g1 AND d1.value = x.v1
	LEFT JOIN activity_value d2 ON d2.dimension_id = g2 AND d2.value = x.v2
	LEFT JOIN activity_value d3 ON d3.dimension_id = g3 AND d3.value = x.v3;
END
$$;

-- What is left for single rows.
CREATE FUNCTION activity_left(pieces activity_piece[], hours boolean)
RETURNS TABLE (froms timestamptz[], tos timestamptz[])
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT coalesce(array_agg(s.from_at ORDER BY s.from_at), '{}'), coalesce(array_agg(s.to_at ORDER BY s.from_at), '{}')
	FROM activity_spans(pieces, hours) s WHERE s.grain IS NULL
$$;

CREATE FUNCTION activity_events_of(q activity_asked, bounds timestamptz[], pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], event_type text, n bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	froms timestamptz[] := bounds[1:1];
	tos timestamptz[] := bounds[cardinality(bounds):];
BEGIN
	IF cardinality(activity_dimensions_of(q)) <= 1 THEN
		RETURN QUERY SELECT * FROM activity_event_sums(q, bounds, pieces);
		SELECT l.froms, l.tos INTO froms, tos FROM activity_left(pieces, false) l;
	END IF;
	IF froms <> '{}' THEN
		RETURN QUERY SELECT * FROM activity_event_rows(q, bounds, froms, tos);
	END IF;
END
$$;

-- ---- sessions ------------------------------------------------------------------------

-- n: sessions, with a purchase, with one event, their events, their seconds.
CREATE FUNCTION activity_session_sums(q activity_asked, bounds timestamptz[], pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
	SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	id smallint := coalesce((activity_dimensions_of(q))[1], 0);
	wanted text[] := (SELECT array_agg(substr(k, strpos(k, ':') + 1)) FROM unnest(q.keys) k);
BEGIN
	RETURN QUERY
	SELECT width_bucket(s.bucket_at, bounds), activity_group(CASE WHEN q.groups <> '{}' THEN s.value END, q),
	       ARRAY[sum(s.sessions), sum(s.converted), sum(s.bounced), sum(s.events), sum(s.seconds)]::bigint[]
	FROM activity_spans(pieces, false) p
	JOIN activity_session_sum s ON s.grain = p.grain AND s.bot = q.bot AND s.dimension_id = id AND s.bucket_at >= p.from_at AND s.bucket_at < p.to_at
	WHERE q.filters = '{}' OR s.value = ANY (wanted)
	GROUP BY 1, 2;
END
$$;

-- By the groups each session has.
CREATE FUNCTION activity_session_rows(q activity_asked, bounds timestamptz[], froms timestamptz[], tos timestamptz[])
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
BEGIN
	RETURN QUERY
	SELECT width_bucket(s.started_at, bounds), activity_group(v, q),
	       ARRAY[count(*), count(*) FILTER (WHERE s.steps & 8 <> 0), count(*) FILTER (WHERE s.events = 1), sum(s.events),
	             sum(floor(extract(epoch FROM s.last_at - s.started_at)))]::bigint[]
	FROM unnest(froms, tos) p(a, z)
	JOIN activity_session s ON s.started_at >= p.a AND s.started_at < p.z
	                       AND s.business_date BETWEEN (p.a AT TIME ZONE 'UTC')::date - 2 AND (p.z AT TIME ZONE 'UTC')::date + 2
	CROSS JOIN LATERAL activity_values_of(s.groups, q) v
	WHERE s.bot = q.bot
	GROUP BY 1, 2;
END
$$;

-- By their events: a session is in the group of each that fits all that is asked.
CREATE FUNCTION activity_session_events(q activity_asked, bounds timestamptz[])
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
		SELECT DISTINCT s.activity_session_id AS id, e.dims[g1] AS v1, e.dims[g2] AS v2, e.dims[g3] AS v3
		FROM activity_session s
		JOIN activity_event e ON e.session_key = s.session_key AND e.session_id IS NOT DISTINCT FROM s.session_id
		                     AND e.occurred_at BETWEEN s.started_at AND s.last_at
		WHERE s.business_date BETWEEN first_day AND final_day AND s.started_at >= range_from AND s.started_at < range_to AND s.bot = q.bot
		  AND e.occurred_at >= range_from AND e.occurred_at <= until
		  AND (e.flags & 112 <> 0) = q.bot AND (q.types IS NULL OR e.event_type = ANY (q.types))
		  AND (e.seq < open_seq OR NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16))
		  AND coalesce(g1 <= 8 OR cardinality(e.dims) >= g1, true) AND coalesce(g2 <= 8 OR cardinality(e.dims) >= g2, true)
		  AND coalesce(g3 <= 8 OR cardinality(e.dims) >= g3, true)
		  AND (f1 IS NULL OR activity_fits(f1, e.dims, q)) AND (f2 IS NULL OR activity_fits(f2, e.dims, q))
		  AND (cardinality(q.filters) <= 2 OR NOT EXISTS (SELECT FROM unnest(q.filters[3:]) f WHERE NOT activity_fits(f, e.dims, q)))
	), own AS (
		SELECT DISTINCT m.id, (ARRAY[activity_value_of(m.v1, d1.value), activity_value_of(m.v2, d2.value), activity_value_of(m.v3, d3.value)])[1:cardinality(q.groups)] AS g FROM met m
		LEFT JOIN activity_value d1 ON d1.dimension_id = g1 AND d1.value = m.v1
		LEFT JOIN activity_value d2 ON d2.dimension_id = g2 AND d2.value = m.v2
		LEFT JOIN activity_value d3 ON d3.dimension_id = g3 AND d3.value = m.v3
	)
	SELECT width_bucket(s.started_at, bounds), o.g,
	       ARRAY[count(*), count(*) FILTER (WHERE s.steps & 8 <> 0), count(*) FILTER (WHERE s.events = 1), sum(s.events),
	             sum(floor(extract(epoch FROM s.last_at - s.started_at)))]::bigint[]
	FROM own o JOIN activity_session s ON s.activity_session_id = o.id
	GROUP BY 1, 2;
END
$$;

CREATE FUNCTION activity_sessions_of(q activity_asked, bounds timestamptz[], pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
	froms timestamptz[] := bounds[1:1];
	tos timestamptz[] := bounds[cardinality(bounds):];
BEGIN
	IF q.types IS NOT NULL OR cardinality(activity_dimensions_of(q)) > 1 THEN
		RETURN QUERY SELECT * FROM activity_session_events(q, bounds);
		RETURN;
	END IF;
	IF activity_is_simple(q) THEN
		RETURN QUERY SELECT * FROM activity_session_sums(q, bounds, pieces);
		SELECT l.froms, l.tos INTO froms, tos FROM activity_left(pieces, false) l;
	END IF;
	IF froms <> '{}' THEN
		RETURN QUERY SELECT * FROM activity_session_rows(q, bounds, froms, tos);
	END IF;
END
$$;

-- ---- people ---------------------------------------------------------------------------

-- People of a business day each.
CREATE FUNCTION activity_user_sums(q activity_asked, pieces activity_piece[])
RETURNS TABLE (bucket int, g text[], n bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
	SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	id smallint := coalesce((activity_dimensions_of(q))[1], 0);
	wanted text[] := (SELECT array_agg(substr(k, strpos(k, ':') + 1)) FROM unnest(q.keys) k);
BEGIN
	RETURN QUERY
	SELECT p.bucket, activity_group(CASE WHEN q.groups <> '{}' THEN s.value END, q), s.users
	FROM unnest(pieces) p
	JOIN activity_user_sum s ON s.bot = q.bot AND s.dimension_id = id AND s.business_date = p.from_day
	WHERE q.filters = '{}' OR s.value = ANY (wanted);
END
$$;

-- Sets of people, of whole days by their groups, of the spans given by events. n: how many, and of them those
-- whose first event ever is in the bucket.
CREATE FUNCTION activity_user_sets(q activity_asked, bounds timestamptz[], pieces activity_piece[], by_day boolean, froms timestamptz[], tos timestamptz[], news boolean)
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE SET enable_sort = off SET work_mem = '64MB' SET plan_cache_mode = force_custom_plan AS $$
DECLARE
	open_seq bigint := coalesce((SELECT min(b.batch_id) FROM activity_batch b), 9223372036854775807 >> 16) << 16;
	g1 smallint := q.groups[1];
	g2 smallint := q.groups[2];
	g3 smallint := q.groups[3];
	f1 smallint := q.filters[1];
	f2 smallint := q.filters[2];
BEGIN
	RETURN QUERY
	WITH days AS (
		SELECT p.bucket, activity_group(v, q) AS g, d.person_id
		FROM unnest(pieces) p
		JOIN activity_person_day d ON d.business_date BETWEEN p.from_day AND p.to_day AND d.bot = q.bot
		CROSS JOIN LATERAL activity_values_of(d.groups, q) v
		WHERE by_day AND p.grain IN ('day', 'month')
	), met AS (
		SELECT DISTINCT width_bucket(e.occurred_at, bounds) AS i, v.person_id, e.dims[g1] AS v1, e.dims[g2] AS v2, e.dims[g3] AS v3
		FROM unnest(froms, tos) p(a, z)
		JOIN activity_event e ON e.occurred_at >= p.a AND e.occurred_at < p.z
		JOIN activity_visitor v ON v.kind = CASE WHEN e.user_id IS NOT NULL THEN 'user' WHEN e.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END
		                       AND v.id = coalesce(e.user_id, e.anonymous_id, e.session_id) COLLATE "C"
		WHERE (e.flags & 112 <> 0) = q.bot AND (q.types IS NULL OR e.event_type = ANY (q.types))
		  AND (e.seq < open_seq OR NOT EXISTS (SELECT FROM activity_batch b WHERE b.batch_id = e.seq >> 16))
		  AND coalesce(g1 <= 8 OR cardinality(e.dims) >= g1, true) AND coalesce(g2 <= 8 OR cardinality(e.dims) >= g2, true)
		  AND coalesce(g3 <= 8 OR cardinality(e.dims) >= g3, true)
		  AND (f1 IS NULL OR activity_fits(f1, e.dims, q)) AND (f2 IS NULL OR activity_fits(f2, e.dims, q))
		  AND (cardinality(q.filters) <= 2 OR NOT EXISTS (SELECT FROM unnest(q.filters[3:]) f WHERE NOT activity_fits(f, e.dims, q)))
	), seen AS (
		SELECT * FROM days
		UNION
		SELECT m.i, (ARRAY[activity_value_of(m.v1, d1.value), activity_value_of(m.v2, d2.value), activity_value_of(m.v3, d3.value)])[1:cardinality(q.groups)], m.person_id FROM met m
		LEFT JOIN activity_value d1 ON d1.dimension_id = g1 AND d1.value = m.v1
		LEFT JOIN activity_value d2 ON d2.dimension_id = g2 AND d2.value = m.v2
		LEFT JOIN activity_value d3 ON d3.dimension_id = g3 AND d3.value = m.v3
	)
	SELECT s.bucket, s.g, ARRAY[count(*), count(*) FILTER (WHERE f.first_at >= bounds[s.bucket] AND f.first_at < bounds[s.bucket + 1])]
	FROM seen s LEFT JOIN (SELECT v.visitor_id, v.first_at FROM activity_visitor v WHERE news) f ON f.visitor_id = s.person_id
	GROUP BY 1, 2;
END
$$;

-- n: people, and those who are new; where `news` is false these are 0.
CREATE FUNCTION activity_users_of(q activity_asked, bounds timestamptz[], pieces activity_piece[], news boolean)
RETURNS TABLE (bucket int, g text[], n bigint[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
	last int := cardinality(bounds);
	by_day boolean := q.types IS NULL AND cardinality(activity_dimensions_of(q)) <= 1;
	whole boolean := by_day AND q.groups = '{}' AND q.filters = '{}';
	froms timestamptz[] := bounds[1:1];
	tos timestamptz[] := bounds[last:];
	single boolean;
BEGIN
	IF by_day THEN
		SELECT l.froms, l.tos INTO froms, tos FROM activity_left(pieces, true) l;
		SELECT count(*) = last - 1 AND bool_and(p.grain IN ('day', 'month') AND p.from_day = p.to_day) INTO single
		FROM unnest(pieces) p;
	END IF;
	IF single AND activity_is_simple(q) AND (whole OR NOT news) THEN
		RETURN QUERY SELECT s.bucket, s.g, ARRAY[s.n, 0] FROM activity_user_sums(q, pieces) s;
	ELSE
		RETURN QUERY SELECT * FROM activity_user_sets(q, bounds, pieces, by_day, froms, tos, news AND NOT whole);
	END IF;
	IF whole AND news AND NOT q.bot THEN
		RETURN QUERY
		SELECT width_bucket(v.first_at, bounds), '{}'::text[], ARRAY[0, count(*)]
		FROM activity_visitor v
		WHERE v.first_day BETWEEN (bounds[1] AT TIME ZONE 'UTC')::date - 2 AND (bounds[last] AT TIME ZONE 'UTC')::date + 2
		  AND v.first_at >= bounds[1] AND v.first_at < bounds[last] AND v.person_id = v.visitor_id
		GROUP BY 1;
	END IF;
END
$$;

-- ---- what goes on at this moment ----------------------------------------------------

-- What carts are in: before anything took effect, what they will be in.
CREATE FUNCTION activity_currency() RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT currency FROM activity_site), (SELECT default_currency FROM site JOIN rules USING (rules_id)), 'EUR')
$$;

-- One row, or none before anything took effect. Active is who was heard of in the last user_s seconds, by our clock;
-- an active session's last event is at most session_s old and is no session_end. A cart is open while it is worth
-- anything. Bots are in none of it but the last column. The ways to the rows are by indexes whatever the planner
-- thinks of a time it does not know yet.
CREATE FUNCTION activity_now(user_s int, session_s int)
RETURNS TABLE (today date, starts_at timestamptz, timezone text, currency text, active_users bigint, active_users_5m bigint, active_sessions bigint,
               carts bigint, cart_value_avg numeric, carts_unpriced bigint, sessions_today bigint, converted_today bigint, conversion_rate numeric,
               bot_sessions bigint)
LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	a activity_site;
	d date;
	b timestamptz;
	c text;
BEGIN
	SELECT * INTO a FROM activity_site WHERE applied_at IS NOT NULL AND timezone IS NOT NULL;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	d := booking_date(now(), a.timezone, a.cutoff_hours);
	b := business_day_start(a.timezone, a.cutoff_hours, d);
	c := activity_currency();
	RETURN QUERY
	SELECT d, b, a.timezone, c, u.n, u.n_5m, s.n, s.carts, half_even(s.worth / nullif(s.carts, 0), money_exponent(c)), s.unpriced,
	       coalesce(t.sessions, 0), coalesce(t.converted, 0), half_even(100 * t.converted::numeric / nullif(t.sessions, 0), 1), s.bots
	FROM (SELECT count(*) AS n, count(*) FILTER (WHERE last_received_at > now() - interval '5 minutes') AS n_5m
	      FROM activity_visitor WHERE last_received_at > now() - make_interval(secs => user_s)) u,
	     (SELECT count(*) FILTER (WHERE NOT bot) AS n, count(*) FILTER (WHERE bot) AS bots,
	             count(*) FILTER (WHERE NOT bot AND cart > 0) AS carts, sum(cart) FILTER (WHERE NOT bot AND cart > 0) AS worth,
	             coalesce(sum(cart_unpriced) FILTER (WHERE NOT bot), 0)::bigint AS unpriced
	      FROM activity_session WHERE last_at > now() - make_interval(secs => session_s) AND NOT ended) s,
	     (SELECT) one
	LEFT JOIN activity_session_sum t ON t.grain = 'day' AND NOT t.bot AND t.dimension_id = 0 AND t.bucket_at = b AND t.value = '';
END
$$;
