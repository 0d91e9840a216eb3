-- What answers and pages about events and bookings take from their figures (010_bookings.sql).
--
-- In PL/pgSQL where they would be planned anew in every answer, which would cost more than they do.

-- Whether a process of the stream was heard of lately: then what is asked of it will be done.
CREATE FUNCTION stream_works() RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM stream_status WHERE at > now() - interval '15 seconds') $$;

-- What an answer is about: business days, both included, and a currency. Without days the last `days`
-- complete ones and today. No row before anything was processed.
--   last_day        the last of them that has begun; before from_day: none has
--   full_day        the last of them that is over
--   base_from       as many days before from_day as there are up to full_day
CREATE FUNCTION booking_scope(first_day date, final_day date, days int, code text)
RETURNS TABLE (timezone text, cutoff_hours int, currency text, money_digits int, today date, elapsed_s int,
               from_day date, to_day date, starts_at timestamptz, ends_at timestamptz,
               last_day date, full_day date, full_n int, base_from date, base_to date)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_variable
BEGIN
	SELECT b.timezone, b.cutoff_hours, coalesce(code, b.currency) INTO timezone, cutoff_hours, currency FROM booking_site b;
	IF timezone IS NULL THEN
		RETURN;
	END IF;
	money_digits := money_exponent(currency);
	today := business_date(now(), timezone, cutoff_hours);
	elapsed_s := extract(epoch FROM now() - business_day_start(timezone, cutoff_hours, today))::int;
	to_day := coalesce(final_day, today);
	from_day := coalesce(first_day, to_day - days);
	starts_at := business_day_start(timezone, cutoff_hours, from_day);
	ends_at := business_day_start(timezone, cutoff_hours, to_day + 1);
	last_day := least(to_day, today);
	full_day := least(to_day, today - 1);
	full_n := greatest(full_day - from_day + 1, 0);
	base_from := from_day - full_n;
	base_to := from_day - 1;
	RETURN NEXT;
END
$$;

-- The first day of the day's week or month. Weeks begin with `week_start`: 1 Monday ... 7 Sunday.
CREATE FUNCTION booking_unit(day date, step text, week_start int) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE step WHEN 'week' THEN day - (extract(isodow FROM day)::int - week_start + 7) % 7
	                 WHEN 'month' THEN date_trunc('month', day::timestamp)::date
	                 ELSE day END
$$;

-- A page of the list of events: the ids in their order, how many events there are, and from where to go on
-- (NULL at the end). It goes on behind an event as it was when its page was read, whatever moves meanwhile.
-- Events without what they are sorted by come last. Sorted by revenue they are those of one currency, which
-- has to be given. `after_key` NULL with an `after_id`: among those that come last.
-- Keys are whole numbers or the name: of rates hundredths, of times microseconds.
CREATE FUNCTION booking_page(of_category text, part text, of_status text, of_currency text, held_from timestamptz, held_until timestamptz,
                             sort text, after_key text, after_id bigint, most int)
RETURNS TABLE (ids bigint[], total bigint, next_cursor text)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
	word text := regexp_replace(sort, '_(up|down)$', '');
	-- by what, as the index has it; a key as text, and back
	expr text := CASE word WHEN 'bookings' THEN '-total_bookings' WHEN 'revenue' THEN '-revenue_minor'
	                     WHEN 'utilization' THEN '-capacity_utilization' WHEN 'cancellation_rate' THEN '-cancellation_rate'
	                     WHEN 'starts_at' THEN 'held_at' WHEN 'last_booking' THEN 'last_booking' ELSE 'name_key' END;
	rate boolean := word IN ('utilization', 'cancellation_rate');
	instant boolean := word IN ('starts_at', 'last_booking');
	key text := CASE WHEN rate THEN format('(%s * 100)::bigint', expr) WHEN instant THEN format('(extract(epoch FROM %s) * 1000000)::bigint', expr) ELSE expr END;
	given text := CASE WHEN rate THEN '($7::bigint / 100.0)' WHEN instant THEN
	                   $x$('epoch'::timestamptz + $7::bigint / 1000000 * interval '1 second' + $7::bigint % 1000000 * interval '1 microsecond')$x$
	                   WHEN word = 'name' THEN '$7' ELSE '$7::bigint' END;
	back boolean := (sort <> word) <> (word = 'last_booking'); -- against the index
	way text := CASE WHEN back THEN 'DESC' ELSE 'ASC' END;
	wanted text := concat_ws(' AND ', CASE WHEN of_category IS NOT NULL THEN 'category = $1' END,
	                         CASE WHEN part ~ '^[0-9]{1,18}$' THEN '(name_key LIKE $2 OR event_id = $10)' WHEN part IS NOT NULL THEN 'name_key LIKE $2' END,
	                         CASE WHEN of_status IS NOT NULL THEN 'status = $3' END, CASE WHEN of_currency IS NOT NULL THEN 'currency = $4' END,
	                         CASE WHEN held_from IS NOT NULL THEN 'held_at >= $5' END, CASE WHEN held_until IS NOT NULL THEN 'held_at < $6' END);
	pattern text := '%' || regexp_replace(lower(part), '([%_\\])', '\\\1', 'g') || '%';
	id bigint := CASE WHEN part ~ '^[0-9]{1,18}$' THEN part::bigint END;
	hits bigint[];
	last_ids bigint[];
	last_key text;
BEGIN
	IF wanted = '' THEN
		wanted := 'true';
		SELECT m.total_events INTO total FROM system_metrics m;
	ELSIF part IS NOT NULL OR of_category IS NOT NULL OR held_from IS NOT NULL THEN
		EXECUTE 'SELECT coalesce(array_agg(event_id), ''{}''), count(*) FROM event_stats WHERE ' || wanted INTO hits, total
			USING of_category, pattern, of_status, of_currency, held_from, held_until, NULL::text, NULL::bigint, NULL::int, id;
		wanted := CASE WHEN total <= 500 THEN 'event_id = ANY ($11)' ELSE wanted END; -- of more, a page is soon full in any order
	END IF;
	IF total IS NULL THEN
		EXECUTE 'SELECT count(*) FROM event_stats WHERE ' || wanted INTO total USING NULL::text, NULL::text, of_status, of_currency;
	END IF;
	ids := '{}';
	IF after_id IS NULL OR after_key IS NOT NULL THEN
		EXECUTE format('SELECT coalesce(array_agg(event_id), ''{}''), (array_agg(k))[$9] FROM (SELECT event_id, (%s)::text AS k FROM event_stats WHERE %s AND %s %s'
		               ' ORDER BY %s %s, event_id %s LIMIT $9 + 1) x', key, wanted, CASE WHEN rate OR instant THEN expr || ' IS NOT NULL' ELSE 'true' END,
		               CASE WHEN after_id IS NOT NULL THEN format('AND (%s, event_id) %s (%s, $8)', expr, CASE WHEN back THEN '<' ELSE '>' END, given) ELSE '' END, expr, way, way)
			INTO ids, last_key USING of_category, pattern, of_status, of_currency, held_from, held_until, after_key, after_id, most, id, hits;
	END IF;
	IF (rate OR instant) AND cardinality(ids) <= most THEN
		EXECUTE format('SELECT coalesce(array_agg(event_id), ''{}'') FROM (SELECT event_id FROM event_stats WHERE %s AND %s IS NULL %s ORDER BY %s, event_id LIMIT $9) x',
		               wanted, expr, CASE WHEN after_id IS NOT NULL AND after_key IS NULL THEN 'AND event_id > $8' ELSE '' END, expr)
			INTO last_ids USING of_category, pattern, of_status, of_currency, held_from, held_until, after_key, after_id, most + 1 - cardinality(ids), id, hits;
		ids := ids || last_ids;
	END IF;
	IF cardinality(ids) > most THEN
		ids := ids[1:most];
		next_cursor := rtrim(translate(encode(convert_to(concat_ws(':', sort, ids[most], last_key), 'UTF8'), 'base64'), E'+/\n', '-_'), '=');
	END IF;
	RETURN NEXT;
END
$$;

-- What somebody should look after: of events that are to come and not cancelled, and of how messages get here.
-- `n` is not counted beyond 1000 messages; `events` are the next ten.
CREATE FUNCTION booking_alerts()
RETURNS TABLE (alert text, level text, n bigint, detail text, events json)
LANGUAGE plpgsql STABLE ROWS 5 AS $$
#variable_conflict use_column
DECLARE
	none json := '[]';
	seen timestamptz;
BEGIN
	SELECT count(*) INTO n FROM event_stats s WHERE s.overbooked AND s.status <> 'cancelled' AND s.over_at > now();
	IF n > 0 THEN
		RETURN QUERY SELECT 'overbooked'::text, 'error'::text, n, n || CASE n WHEN 1 THEN ' event has' ELSE ' events have' END || ' more seats confirmed than there are',
			(SELECT json_agg(json_build_object('event_id', x.event_id, 'event_name', x.event_name))
			 FROM (SELECT s.event_id, s.event_name FROM event_stats s WHERE s.overbooked AND s.status <> 'cancelled' AND s.over_at > now()
			       ORDER BY s.over_at, s.event_id LIMIT 10) x);
	END IF;
	SELECT count(*) - n INTO n FROM event_stats s WHERE s.sold_out AND s.status <> 'cancelled' AND s.over_at > now();
	IF n > 0 THEN
		RETURN QUERY SELECT 'sold_out'::text, 'info'::text, n, n || CASE n WHEN 1 THEN ' event is' ELSE ' events are' END || ' sold out',
			(SELECT json_agg(json_build_object('event_id', x.event_id, 'event_name', x.event_name))
			 FROM (SELECT s.event_id, s.event_name FROM event_stats s WHERE s.sold_out AND s.status <> 'cancelled' AND s.over_at > now() AND NOT s.overbooked
			       ORDER BY s.over_at, s.event_id LIMIT 10) x);
	END IF;
	SELECT count(*) INTO n FROM (SELECT FROM event_log l WHERE l.dead_at IS NOT NULL AND NOT l.processed LIMIT 1000) x;
	IF n > 0 THEN
		RETURN QUERY SELECT 'dead_messages'::text, 'error'::text, n, n || CASE n WHEN 1 THEN ' message' ELSE ' messages' END || ' could not be read or put into effect', none;
	END IF;
	SELECT count(*) INTO n FROM (SELECT l.created_at FROM event_log l WHERE NOT l.processed AND l.dead_at IS NULL ORDER BY l.id LIMIT 1000) x
	WHERE x.created_at < now() - interval '1 minute';
	IF n > 0 THEN
		RETURN QUERY SELECT 'late_messages'::text, 'warning'::text, n, n || CASE n WHEN 1 THEN ' message has' ELSE ' messages have' END || ' waited for over a minute', none;
	END IF;
	SELECT count(*) INTO n FROM redis_gap g WHERE coalesce(g.until_at, now()) > now() - interval '24 hours';
	IF n > 0 THEN
		RETURN QUERY SELECT 'redis_gaps'::text, 'warning'::text, n, 'messages of Redis may have been missed ' || CASE n WHEN 1 THEN 'once' ELSE n || ' times' END || ' in the last 24 hours', none;
	END IF;
	SELECT max(h.at) INTO seen FROM heartbeat h WHERE h.component = 'stream';
	IF seen IS NULL OR seen < now() - interval '15 seconds' THEN
		RETURN QUERY SELECT 'stream_silent'::text, 'error'::text, 1::bigint, 'takings-stream does not run: messages are kept, and nothing is done with them'::text, none;
	END IF;
END
$$;

-- Minutes of each business day since the first probe ever, as far as they are over, and those of them in
-- which one went well.
CREATE FUNCTION uptime_days(first_day date, last_day date)
RETURNS TABLE (business_date date, minutes_up int, minutes int)
LANGUAGE plpgsql STABLE ROWS 31 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
	site uptime_site;
	running_at timestamptz := date_trunc('minute', now()); -- the minute that runs is not over, but may be counted
	running_up int;
BEGIN
	SELECT * INTO site FROM uptime_site;
	IF site.first_minute_at IS NULL THEN
		RETURN;
	END IF;
	SELECT count(*) INTO running_up FROM probe_minute p WHERE p.up AND p.minute_at >= running_at;
	RETURN QUERY
	SELECT d.business_date, least(coalesce(u.minutes_up, 0) - CASE WHEN d.starts_at <= running_at AND d.ends_at > running_at THEN running_up ELSE 0 END, m.n), m.n
	FROM business_days(site.timezone, site.cutoff_hours,
	                   greatest(first_day, business_date(site.first_minute_at, site.timezone, site.cutoff_hours)), last_day) d
	CROSS JOIN LATERAL (SELECT greatest(0, extract(epoch FROM least(running_at, d.ends_at) - greatest(site.first_minute_at, d.starts_at)) / 60)::int AS n) m
	LEFT JOIN uptime_day u ON u.business_date = d.business_date;
END
$$;

-- Percent of the minutes of these days, three decimals. NULL: there are none.
CREATE FUNCTION uptime(first_day date, last_day date) RETURNS numeric LANGUAGE sql STABLE AS $$
	SELECT half_even(sum(minutes_up) * 100::numeric / nullif(sum(minutes), 0), 3) FROM uptime_days(first_day, last_day)
$$;

-- The same of the days from that one up to now together; NULL before the first probe.
CREATE FUNCTION uptime_since(first_day date)
RETURNS TABLE (minutes_up int, minutes int)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_column
DECLARE
	site uptime_site;
	running_at timestamptz := date_trunc('minute', now());
BEGIN
	SELECT * INTO site FROM uptime_site;
	IF site.first_minute_at < running_at THEN -- before the first probe there is no clock either
		minutes := extract(epoch FROM running_at - greatest(site.first_minute_at, business_day_start(site.timezone, site.cutoff_hours, first_day))) / 60;
		minutes_up := (SELECT coalesce(sum(u.minutes_up), 0) FROM uptime_day u WHERE u.business_date >= first_day)
		              - (SELECT count(*) FROM probe_minute p WHERE p.up AND p.minute_at >= running_at);
	END IF;
	RETURN NEXT;
END
$$;

-- A row for each day, week or month, oldest first, sums of counts and of one currency's money. `touched` and
-- `active` of days only: a booking, and an event, may be of several.
CREATE FUNCTION booking_days(first_day date, final_day date, code text, step text, week_start int, by_transaction boolean)
RETURNS TABLE (from_day date, to_day date, days_n bigint, touched bigint, new bigint, cancelled bigint, confirmed bigint, minor numeric, counted bigint,
               active bigint, users bigint, uptime numeric, updated_at timestamptz)
LANGUAGE plpgsql STABLE ROWS 31 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT min(x.day), max(x.day), count(*), CASE WHEN step = 'day' THEN sum(x.touched)::bigint END, sum(x.new)::bigint, sum(x.cancelled)::bigint,
	       sum(x.confirmed)::bigint, sum(x.minor), sum(x.n)::bigint, CASE WHEN step = 'day' THEN sum(x.active)::bigint END, sum(x.users)::bigint,
	       half_even(sum(x.minutes_up) * 100::numeric / nullif(sum(x.minutes), 0), 3), max(x.updated_at)
	FROM (SELECT booking_unit(g.day::date, step, week_start) AS unit, g.day::date AS day, coalesce(b.touched, 0) AS touched, coalesce(b.new, 0) AS new,
	             coalesce(b.cancelled, 0) AS cancelled, coalesce(b.confirmed, 0) AS confirmed, coalesce(b.minor, 0) AS minor, coalesce(b.n, 0) AS n,
	             coalesce(m.active_events, 0) AS active, coalesce(m.new_users, 0) AS users, u.minutes_up, u.minutes, b.updated_at
	      FROM generate_series(first_day::timestamp, final_day::timestamp, interval '1 day') g(day)
	      LEFT JOIN (SELECT d.business_date, sum(d.touched) AS touched, sum(d.new) AS new, sum(d.cancelled) AS cancelled, sum(d.confirmed) AS confirmed,
	                        sum(CASE WHEN by_transaction THEN d.booked_minor ELSE d.revenue_minor END) FILTER (WHERE d.currency = code) AS minor,
	                        sum(CASE WHEN by_transaction THEN d.confirmed ELSE d.counted END) FILTER (WHERE d.currency = code) AS n, max(d.updated_at) AS updated_at
	                 FROM booking_day d WHERE d.business_date BETWEEN first_day AND final_day GROUP BY d.business_date) b ON b.business_date = g.day::date
	      LEFT JOIN booking_day_more m ON m.business_date = g.day::date
	      LEFT JOIN uptime_days(first_day, final_day) u ON u.business_date = g.day::date) x
	GROUP BY x.unit ORDER BY 1;
END
$$;

-- The first of one order; equals share a rank and stand in the order of their ids.
CREATE FUNCTION booking_top(by_what text, code text, most int) RETURNS SETOF top_events
LANGUAGE plpgsql STABLE ROWS 10 AS $$
BEGIN
	IF by_what = 'bookings' THEN
		RETURN QUERY SELECT * FROM top_events t ORDER BY t.booking_rank, t.event_id LIMIT most;
	ELSIF by_what = 'revenue' THEN
		RETURN QUERY SELECT * FROM top_events t WHERE t.currency = code ORDER BY t.revenue_rank, t.event_id LIMIT most;
	ELSE
		RETURN QUERY SELECT * FROM top_events t WHERE t.utilization_rank IS NOT NULL ORDER BY t.utilization_rank, t.event_id LIMIT most;
	END IF;
END
$$;

-- Which days the pages are about: report_period (007_period.sql), of whatever has figures from `oldest` to `newest`;
-- running_day is the business day that runs. Weeks begin with week_start: 1 Monday ... 7 Sunday.
CREATE FUNCTION period_of(word text, one_day date, first_day date, final_day date, compare text,
                          oldest date, newest date, running_day date, week_start int)
RETURNS TABLE (from_day date, to_day date, last_day date, days_n int, running boolean,
               base_from date, base_to date, oldest_day date, newest_day date, today date)
LANGUAGE sql STABLE AS $$
	WITH here AS MATERIALIZED (
		SELECT newest, oldest, running_day AS today,
		       CASE WHEN word IN ('week', 'month', 'year') THEN word END AS unit,
		       CASE WHEN word ~ '^[0-9]+d$' THEN rtrim(word, 'd')::int END AS n
	), span AS (
		SELECT h.*, coalesce(one_day, first_day, CASE
		           WHEN n IS NOT NULL THEN newest - n + 1
		           WHEN unit = 'week' THEN booking_unit(h.today, unit, week_start)
		           WHEN unit IS NOT NULL THEN date_trunc(unit, h.today::timestamp)::date
		           WHEN word = 'today' THEN h.today
		           WHEN word = 'yesterday' THEN h.today - 1
		           WHEN word = 'last_month' THEN (date_trunc('month', h.today::timestamp) - interval '1 month')::date
		           WHEN word = 'all' THEN oldest
		           ELSE newest END) AS a,
		       coalesce(one_day, final_day, CASE
		           WHEN unit = 'week' THEN booking_unit(h.today, unit, week_start) + 6
		           WHEN unit IS NOT NULL THEN (date_trunc(unit, h.today::timestamp) + ('1 ' || unit)::interval)::date - 1
		           WHEN word = 'today' THEN h.today
		           WHEN word = 'yesterday' THEN h.today - 1
		           WHEN word = 'last_month' THEN date_trunc('month', h.today::timestamp)::date - 1
		           ELSE newest END) AS z
		FROM here h
	), reach AS (
		SELECT s.*, least(z, newest) AS last, greatest(least(z, newest) - a + 1, 0) AS len,
		       coalesce(one_day, first_day) IS NULL AND unit IS NOT NULL AND z >= s.today AS grows
		FROM span s
	), base AS (
		SELECT r.*, CASE
		           WHEN len = 0 THEN NULL
		           WHEN compare = 'previous' AND grows THEN least((a - ('1 ' || unit)::interval)::date, a - len)
		           WHEN compare = 'previous' THEN a - len
		           WHEN compare = 'weekdays' THEN a - (len + 6) / 7 * 7
		           WHEN compare = 'year' THEN a - (len + 363) / 364 * 364 END AS b
		FROM reach r
	)
	SELECT a, z, last, len, z >= base.today, b, b + len - 1, oldest, newest, base.today FROM base
$$;

CREATE OR REPLACE FUNCTION report_period(word text, one_day date, first_day date, final_day date, compare text)
RETURNS TABLE (from_day date, to_day date, last_day date, days_n int, running boolean,
               base_from date, base_to date, oldest_day date, newest_day date, today date)
LANGUAGE sql STABLE AS $$
	SELECT p.*
	FROM site JOIN rules r USING (rules_id),
	     LATERAL (SELECT max(business_date) AS newest, min(business_date) AS oldest FROM daily_revenue_cache) d,
	     LATERAL period_of(word, one_day, first_day, final_day, compare, d.oldest, d.newest,
	                       business_date(now(), r.timezone, r.cutoff_hours), 1) p
	WHERE d.newest IS NOT NULL
$$;
