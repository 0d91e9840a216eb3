-- activity_base() of 015_activity_answers.sql, for ranges that begin or end in an hour that occurs twice.

-- The time of the wall clock so much earlier. Of two such times the one with the offset of the first: a range stays as long as it is.
CREATE FUNCTION wall_clock_back(at timestamptz, back interval, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN near AT TIME ZONE zone = wall THEN near ELSE wall AT TIME ZONE zone END
	FROM (SELECT wall, (wall AT TIME ZONE 'UTC') - ((at AT TIME ZONE zone) - (at AT TIME ZONE 'UTC')) AS near
	      FROM (SELECT (at AT TIME ZONE zone) - back AS wall) w) n
$$;

CREATE OR REPLACE FUNCTION activity_base(range_from timestamptz, range_to timestamptz, compare text, step text, zone text, cutoff_hours int)
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
	RETURN QUERY SELECT CASE WHEN from_day THEN business_day_start(zone, cutoff_hours, (a - back)::date) ELSE wall_clock_back(range_from, back, zone) END,
	                    CASE WHEN whole_days THEN business_day_start(zone, cutoff_hours, (z - back)::date) ELSE wall_clock_back(range_to, back, zone) END;
END
$$;
