-- The business calendar: where days and hours begin. Nothing else in Takings
-- computes a time boundary; the batch hands the shifts below to order_db, so that
-- even another server's idea of time zones cannot move an order to another day.
--
-- Business day d starts at the earliest instant whose wall clock reads d + cutoff
-- or later, and ends where d + 1 starts. On days without that wall-clock time it
-- starts at the jump; where the clock is set back across the cutoff, the repeated
-- time stays in the day that has begun.

-- Offset from UTC in seconds.
CREATE FUNCTION zone_offset_s(zone text, at_s bigint) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT extract(epoch FROM (to_timestamp(at_s) AT TIME ZONE zone)
	                        - (to_timestamp(at_s) AT TIME ZONE 'UTC'))::bigint
$$;

-- Stretches of constant offset between two instants (seconds since 1970), gapless,
-- the first cut at from_s and the last at to_s. PostgreSQL does not list
-- transitions, so they are found by probing every six hours and halving.
CREATE FUNCTION zone_stretches(zone text, from_s bigint, to_s bigint)
RETURNS TABLE (start_s bigint, end_s bigint, offset_s bigint)
LANGUAGE sql STABLE AS $$
	WITH RECURSIVE probe AS (
		SELECT at_s, zone_offset_s(zone, at_s) AS o
		FROM (SELECT generate_series(from_s, to_s - 1, 21600) AS at_s UNION SELECT to_s) p
	), pair AS (
		SELECT at_s AS lo, o AS lo_o, lead(at_s) OVER w AS hi, lead(o) OVER w AS hi_o
		FROM probe WINDOW w AS (ORDER BY at_s)
	), narrow AS (
		SELECT lo, lo_o, hi, hi_o FROM pair WHERE lo_o <> hi_o
		UNION ALL
		SELECT CASE WHEN mid_o = lo_o THEN mid ELSE lo END, lo_o,
		       CASE WHEN mid_o = lo_o THEN hi ELSE mid END,
		       CASE WHEN mid_o = lo_o THEN hi_o ELSE mid_o END
		FROM narrow,
		     LATERAL (SELECT (lo + hi) / 2 AS mid) m,
		     LATERAL (SELECT zone_offset_s(zone, mid) AS mid_o) n
		WHERE hi - lo > 1
	), start AS (
		SELECT from_s AS at_s, zone_offset_s(zone, from_s) AS o
		UNION ALL
		SELECT hi, hi_o FROM narrow WHERE hi - lo = 1
	)
	SELECT at_s, lead(at_s, 1, to_s) OVER (ORDER BY at_s), o FROM start
$$;

-- Business days of a range, ends included. A day that a zone left out (Samoa,
-- 2011-12-30) has length zero.
CREATE FUNCTION business_days(zone text, cutoff_hours int, from_day date, to_day date)
RETURNS TABLE (business_date date, starts_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
	WITH wall AS (
		SELECT d::date AS day, extract(epoch FROM d)::bigint + cutoff_hours * 3600 AS wall_s
		FROM generate_series(from_day::timestamp, to_day::timestamp + interval '1 day', interval '1 day') d
	), stretch AS MATERIALIZED (
		SELECT * FROM zone_stretches(zone, extract(epoch FROM from_day)::bigint - 3 * 86400,
		                             extract(epoch FROM to_day)::bigint + 4 * 86400)
	), start AS (
		SELECT day, min(greatest(start_s, wall_s - offset_s)) AS at_s
		FROM wall JOIN stretch ON wall_s - offset_s < end_s
		GROUP BY day
	), span AS (
		SELECT day, to_timestamp(at_s) AS starts_at, to_timestamp(lead(at_s) OVER (ORDER BY day)) AS ends_at
		FROM start
	)
	SELECT day, starts_at, ends_at FROM span WHERE day <= to_day ORDER BY day
$$;

-- The business day an instant belongs to.
CREATE FUNCTION business_date(at timestamptz, zone text, cutoff_hours int) RETURNS date
LANGUAGE sql STABLE AS $$
	SELECT max(business_date)
	FROM business_days(zone, cutoff_hours, (at AT TIME ZONE 'UTC')::date - 2, (at AT TIME ZONE 'UTC')::date + 2)
	WHERE starts_at <= at AND ends_at > at
$$;

-- Pieces of time in which "instant + shift" gives a local time whose hour is the
-- wall-clock hour and whose date, after taking off the cutoff, is the business day.
-- The shift is the zone's offset, plus a day where a clock set back across the
-- cutoff shows yesterday's time in a day that has begun.
CREATE FUNCTION business_pieces(zone text, cutoff_hours int, from_day date, to_day date)
RETURNS TABLE (start_s bigint, end_s bigint, shift_s bigint)
LANGUAGE sql STABLE AS $$
	WITH day AS MATERIALIZED (
		SELECT extract(epoch FROM business_date)::bigint + cutoff_hours * 3600 AS wall_s,
		       extract(epoch FROM starts_at)::bigint AS start_s,
		       extract(epoch FROM ends_at)::bigint AS end_s
		FROM business_days(zone, cutoff_hours, from_day, to_day)
	), stretch AS MATERIALIZED (
		SELECT * FROM zone_stretches(zone, extract(epoch FROM from_day)::bigint - 3 * 86400,
		                             extract(epoch FROM to_day)::bigint + 4 * 86400)
	), part AS (
		SELECT greatest(d.start_s, z.start_s) AS start_s, least(d.end_s, z.end_s) AS end_s,
		       z.offset_s, d.wall_s - z.offset_s AS turn_s
		FROM day d JOIN stretch z ON z.start_s < d.end_s AND z.end_s > d.start_s
	)
	SELECT start_s, least(end_s, turn_s), offset_s + 86400 FROM part WHERE turn_s > start_s
	UNION ALL
	SELECT greatest(start_s, turn_s), end_s, offset_s FROM part WHERE turn_s < end_s
$$;

-- The same for a clock of order_db: UTC, or the wall clock of clock_zone where a
-- timestamp carries no zone. A wall-clock time that occurs twice means the later
-- one, a time that does not occur is read with the offset before the jump: both as
-- PostgreSQL's AT TIME ZONE reads them. Neighbours with one shift are joined.
CREATE FUNCTION business_shifts(zone text, cutoff_hours int, clock_zone text, from_day date, to_day date)
RETURNS TABLE (clock_from timestamp, clock_to timestamp, shift_s bigint)
LANGUAGE sql STABLE AS $$
	WITH stretch AS MATERIALIZED (
		SELECT z.start_s, z.offset_s,
		       z.end_s + lead(z.offset_s, 1, z.offset_s) OVER (ORDER BY z.start_s) - z.offset_s AS end_s
		FROM zone_stretches(clock_zone, extract(epoch FROM from_day)::bigint - 4 * 86400,
		                    extract(epoch FROM to_day)::bigint + 5 * 86400) z
	), piece AS MATERIALIZED (
		SELECT * FROM business_pieces(zone, cutoff_hours, from_day, to_day)
	), part AS (
		SELECT greatest(p.start_s, s.start_s) + s.offset_s AS from_s,
		       least(p.end_s, s.end_s) + s.offset_s AS to_s,
		       p.shift_s - s.offset_s AS shift_s
		FROM piece p JOIN stretch s ON s.start_s < p.end_s AND s.end_s > p.start_s
	), mark AS (
		SELECT *, (lag(to_s) OVER w = from_s AND lag(part.shift_s) OVER w = part.shift_s) IS NOT TRUE AS fresh
		FROM part WINDOW w AS (ORDER BY from_s)
	), island AS (
		SELECT *, count(*) FILTER (WHERE fresh) OVER (ORDER BY from_s) AS n FROM mark
	)
	SELECT to_timestamp(min(from_s)) AT TIME ZONE 'UTC', to_timestamp(max(to_s)) AT TIME ZONE 'UTC', i.shift_s
	FROM island i GROUP BY n, i.shift_s ORDER BY min(from_s)
$$;

-- The 24 wall-clock hours of each business day and how many seconds of them were
-- lived: 3600, 7200 for an hour that occurs twice, 0 for one that is left out.
CREATE FUNCTION business_hours(zone text, cutoff_hours int, from_day date, to_day date)
RETURNS TABLE (business_date date, hour smallint, seconds int)
LANGUAGE sql STABLE AS $$
	WITH piece AS (
		SELECT start_s + shift_s AS from_s, end_s + shift_s AS to_s
		FROM business_pieces(zone, cutoff_hours, from_day, to_day)
	), bucket AS (
		SELECT h AS hour_s, sum(least(to_s, h + 3600) - greatest(from_s, h)) AS seconds
		FROM piece, generate_series(from_s / 3600 * 3600, to_s - 1, 3600) h
		GROUP BY h
	), lived AS (
		SELECT (to_timestamp(hour_s - cutoff_hours * 3600) AT TIME ZONE 'UTC')::date AS day,
		       (hour_s / 3600 % 24)::smallint AS hour, seconds::int AS seconds
		FROM bucket
	)
	SELECT d::date, h::smallint, coalesce(l.seconds, 0)
	FROM generate_series(from_day::timestamp, to_day::timestamp, interval '1 day') d
	CROSS JOIN generate_series(0, 23) h
	LEFT JOIN lived l ON l.day = d::date AND l.hour = h
$$;
