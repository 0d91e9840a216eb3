-- Bookings: from messages to states (booking_states_take), from states to figures (booking_figures_take), from figures to
-- ranks (booking_ranks_make). Each batch of stream/bookings.c calls the first two; what they cost goes with the batch.
--
-- Plans must be right for millions of rows from the first batch on, when all tables are empty: they are driven by a
-- batch's rows, with a look-up in an index for each (OFFSET 0 keeps the planner from turning that around).

-- ---- from messages to states --------------------------------------------------------

-- Look-ups, for each row of something else.
CREATE FUNCTION event_of(id bigint) RETURNS SETOF event_state
LANGUAGE sql STABLE ROWS 1 AS $$ SELECT * FROM event_state WHERE event_id = id OFFSET 0 $$;

CREATE FUNCTION event_days_of(id bigint) RETURNS SETOF event_day
LANGUAGE sql STABLE ROWS 100 AS $$ SELECT * FROM event_day WHERE event_id = id OFFSET 0 $$;

-- A booking as its messages have it; no row where none says the event.
CREATE FUNCTION booking_now(id text, site booking_site) RETURNS SETOF booking_state
LANGUAGE sql STABLE AS $$
	SELECT s.booking_id, s.event_id, s.user_id, s.status, coalesce(s.seats, 1),
	       coalesce(money_minor(s.amount, s.code), 0), s.code, s.created_at, s.confirmed_at, s.cancelled_at,
	       booking_date(s.created_at, site.timezone, site.cutoff_hours),
	       extract(hour FROM s.created_at AT TIME ZONE site.timezone)::smallint,
	       booking_date(s.confirmed_at, site.timezone, site.cutoff_hours),
	       booking_date(s.cancelled_at, site.timezone, site.cutoff_hours)
	FROM (SELECT t.*, coalesce(t.currency, e.currency, site.currency) AS code,
	             (ARRAY['pending', 'confirmed', 'cancelled'])[1 + t.kind] AS status,
	             CASE WHEN t.kind > 0 THEN t.confirmed END AS confirmed_at,
	             CASE WHEN t.kind = 2 THEN t.cancelled END AS cancelled_at
	      -- (a sorted list is aggregated in its order as long as nothing else wants it sorted)
	      FROM (SELECT id AS booking_id, (array_agg(m.kind))[1] AS kind,
	                   (array_agg(m.event_id) FILTER (WHERE m.event_id IS NOT NULL))[1] AS event_id,
	                   (array_agg(m.user_id) FILTER (WHERE m.user_id IS NOT NULL))[1] AS user_id,
	                   (array_agg(m.seats) FILTER (WHERE m.seats IS NOT NULL))[1] AS seats,
	                   (array_agg(m.amount) FILTER (WHERE m.amount IS NOT NULL))[1] AS amount,
	                   (array_agg(m.currency) FILTER (WHERE m.currency IS NOT NULL))[1] AS currency,
	                   coalesce(max(m.occurred_at) FILTER (WHERE m.kind = 0), min(m.occurred_at)) AS created_at,
	                   max(m.occurred_at) FILTER (WHERE m.kind = 1) AS confirmed,
	                   max(m.occurred_at) FILTER (WHERE m.kind = 2) AS cancelled
	            FROM (SELECT * FROM booking_message WHERE booking_id = id
	                  ORDER BY version DESC, occurred_at DESC, seq DESC, kind DESC, digest DESC) m) t
	      LEFT JOIN LATERAL event_of(t.event_id) e ON true
	      WHERE t.event_id IS NOT NULL) s
$$;

-- An event as its messages have it. A window's last instant belongs to the day before it ends.
CREATE FUNCTION event_now(id bigint, first_seen timestamptz, site booking_site) RETURNS SETOF event_state
LANGUAGE sql STABLE AS $$
	SELECT id, coalesce(f.name, 'Event ' || id), coalesce(f.category, ''), f.capacity,
	       coalesce(f.capacity, 0) IN (0, site.capacity_unlimited), coalesce(f.currency, site.currency),
	       f.starts_at, f.ends_at, f.sales_from, f.sales_until, coalesce(f.status, 'unknown'), f.published_at, first_seen,
	       booking_date(w.sale_from, site.timezone, site.cutoff_hours),
	       CASE WHEN w.sale_to IS NOT NULL -- of NULLs greatest thinks nothing
	            THEN booking_date(greatest(w.sale_from, w.sale_to - interval '1 microsecond'), site.timezone, site.cutoff_hours) END,
	       booking_date(w.run_from, site.timezone, site.cutoff_hours),
	       booking_date(greatest(w.run_from, w.run_to - interval '1 microsecond'), site.timezone, site.cutoff_hours)
	FROM (SELECT max(value) FILTER (WHERE field = 'name') AS name,
	             max(value) FILTER (WHERE field = 'category') AS category,
	             max(value) FILTER (WHERE field = 'capacity')::bigint AS capacity,
	             max(value) FILTER (WHERE field = 'currency') AS currency,
	             max(value) FILTER (WHERE field = 'starts_at')::timestamptz AS starts_at,
	             max(value) FILTER (WHERE field = 'ends_at')::timestamptz AS ends_at,
	             max(value) FILTER (WHERE field = 'sales_from')::timestamptz AS sales_from,
	             max(value) FILTER (WHERE field = 'sales_until')::timestamptz AS sales_until,
	             max(value) FILTER (WHERE field = 'status') AS status,
	             max(value) FILTER (WHERE field = 'published_at')::timestamptz AS published_at
	      FROM event_field WHERE event_id = id) f,
	     LATERAL (SELECT CASE WHEN f.sales_from IS NOT NULL OR f.sales_until IS NOT NULL
	                          THEN coalesce(f.sales_from, f.published_at, first_seen) END AS sale_from,
	                     CASE WHEN f.sales_from IS NOT NULL OR f.sales_until IS NOT NULL
	                          THEN coalesce(f.sales_until, f.ends_at, f.starts_at) END AS sale_to,
	                     coalesce(f.starts_at, f.ends_at) AS run_from, coalesce(f.ends_at, f.starts_at) AS run_to) w
$$;

-- ---- from states to figures -----------------------------------------------------------

-- What a booking adds to the days it touches: the measures of event_day.
CREATE FUNCTION booking_measures(b booking_state)
RETURNS TABLE (business_date date, touched int, new int, new_seats int, confirmed int, confirmed_seats int,
               cancelled int, cancelled_seats int, counted int, revenue_minor bigint, booked_minor bigint)
LANGUAGE sql IMMUTABLE AS $$
	SELECT * FROM (VALUES
		(b.created_day, 1, 1, b.seats, 0, 0, 0, 0, (b.status = 'confirmed')::int,
		 CASE WHEN b.status = 'confirmed' THEN b.amount_minor ELSE 0 END, 0::bigint),
		(b.confirmed_day, (b.confirmed_day <> b.created_day)::int, 0, 0, 1, b.seats, 0, 0, 0, 0, b.amount_minor),
		(b.cancelled_day, (b.cancelled_day <> b.created_day AND b.cancelled_day IS DISTINCT FROM b.confirmed_day)::int,
		 0, 0, 0, 0, 1, CASE WHEN b.confirmed_day IS NULL THEN 0 ELSE b.seats END, 0, 0,
		 CASE WHEN b.confirmed_day IS NULL THEN 0 ELSE -b.amount_minor END)) m
	WHERE m.column1 IS NOT NULL
$$;

-- booking_lead.lead_days of a booking made on a day.
CREATE FUNCTION lead_days(starts_at timestamptz, run_from_day date, day date) RETURNS smallint
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN starts_at IS NULL THEN -1 ELSE greatest(least(run_from_day - day, 365), 0) END::smallint
$$;

-- Adds to new_users and active_events; both belong to days, and either may be NULL.
CREATE FUNCTION booking_days_add(days date[], users bigint[], active bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO booking_day_more AS m (business_date, new_users, active_events)
	SELECT day, coalesce(sum(u), 0), coalesce(sum(a), 0) FROM unnest(days, users, active) x(day, u, a)
	GROUP BY day HAVING sum(u) <> 0 OR sum(a) <> 0 ORDER BY day
	ON CONFLICT (business_date) DO UPDATE
	SET new_users = m.new_users + excluded.new_users, active_events = m.active_events + excluded.active_events;
	DELETE FROM booking_day_more WHERE business_date = ANY (days) AND new_users = 0 AND active_events = 0;
END
$$;

-- Adds to active_events what begins and ends: from each of these days on so many more or, below 0, fewer events are active.
-- A span may be of decades, so its days are only counted where the sum of all has changed.
CREATE FUNCTION booking_active_add(edges date[], ns bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM booking_days_add(array_agg(s.day + g), NULL, array_agg(s.active))
	FROM (SELECT day, (sum(sum(n)) OVER (ORDER BY day))::bigint AS active, lead(day) OVER (ORDER BY day) - day AS len
	      FROM unnest(edges, ns) e(day, n) GROUP BY day) s,
	     LATERAL generate_series(0, s.len - 1) g
	WHERE s.active <> 0;
END
$$;

-- active_events has to be there from the first day of booking_day to today; true: something changed.
CREATE FUNCTION booking_days_keep() RETURNS boolean
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_memoize = off AS $$
DECLARE
	site booking_site;
	first date := (SELECT min(business_date) FROM booking_day);
	today date;
BEGIN
	SELECT * INTO site FROM booking_site;
	today := booking_date(now(), site.timezone, site.cutoff_hours);
	IF first IS NULL OR first > today THEN
		first := NULL;
		today := NULL;
	END IF;
	IF (site.days_from, site.days_to) IS NOT DISTINCT FROM (first, today) THEN
		RETURN false;
	END IF;
	IF first IS NULL OR first > site.days_from OR today < site.days_to THEN
		UPDATE booking_day_more SET active_events = 0
		WHERE active_events <> 0 AND (first IS NULL OR business_date < first OR business_date > today);
		DELETE FROM booking_day_more WHERE new_users = 0 AND active_events = 0;
	END IF;
	PERFORM booking_active_add(array_agg(d.first_day) || array_agg(d.final_day + 1), array_agg(1::bigint) || array_agg(-1::bigint))
	FROM (SELECT first AS a, least(today, coalesce(site.days_from - 1, today)) AS z
	      UNION ALL SELECT greatest(first, site.days_to + 1), today WHERE site.days_to IS NOT NULL) r,
	     event_state e, LATERAL active_spans(e, r.a, r.z) d
	WHERE first IS NOT NULL AND e.status = 'published';
	UPDATE booking_site SET days_from = first, days_to = today;
	RETURN true;
END
$$;

-- Who changes states or figures of bookings holds this until the end of the transaction.
CREATE FUNCTION booking_lock_key() RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT hashtext('takings bookings')::bigint $$;

-- What a batch changed: rows as they were and as they are; of the same keys where both exist.
CREATE TYPE booking_change AS (
	old_bookings booking_state[],
	new_bookings booking_state[],
	old_events event_state[],
	new_events event_state[],
	old_user_days date[],
	new_user_days date[]
);

CREATE FUNCTION event_states_put(events event_state[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO event_state SELECT * FROM unnest(events) ORDER BY event_id
	ON CONFLICT (event_id) DO UPDATE
	SET name = excluded.name, category = excluded.category, capacity = excluded.capacity, unlimited = excluded.unlimited,
	    currency = excluded.currency, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
	    sales_from = excluded.sales_from, sales_until = excluded.sales_until, status = excluded.status,
	    published_at = excluded.published_at, first_seen_at = excluded.first_seen_at, sale_from_day = excluded.sale_from_day,
	    sale_to_day = excluded.sale_to_day, run_from_day = excluded.run_from_day, run_to_day = excluded.run_to_day;
END
$$;

CREATE FUNCTION booking_states_put(bookings booking_state[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO booking_state SELECT * FROM unnest(bookings) ORDER BY booking_id
	ON CONFLICT (booking_id) DO UPDATE
	SET event_id = excluded.event_id, user_id = excluded.user_id, status = excluded.status, seats = excluded.seats,
	    amount_minor = excluded.amount_minor, currency = excluded.currency, created_at = excluded.created_at,
	    confirmed_at = excluded.confirmed_at, cancelled_at = excluded.cancelled_at, created_day = excluded.created_day,
	    created_hour = excluded.created_hour, confirmed_day = excluded.confirmed_day, cancelled_day = excluded.cancelled_day;
END
$$;

-- Messages take effect on the states. Each is an object: kind (enum booking_kind), version, at, seq, digest, and what
-- it says of event_id, booking_id, user_id, confirmed, seats, amount, currency; of an event fields:
-- {"name": "...", "capacity": null}. Nobody else may be at it: the caller holds booking_lock_key().
CREATE FUNCTION booking_states_take(messages json) RETURNS booking_change
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_memoize = off AS $$
DECLARE
	site booking_site;
	ids text[];
	events bigint[];
	change booking_change;
BEGIN
	SELECT * INTO STRICT site FROM booking_site;
	messages := person_bookings(messages); -- of 016

	WITH said AS (
		SELECT user_id, min(at) AS first_at, min(at) FILTER (WHERE kind = 7) AS registered_at
		FROM json_to_recordset(messages) m(kind int, at timestamptz, user_id text)
		WHERE user_id IS NOT NULL AND kind IN (0, 1, 2, 7) GROUP BY user_id
	), was AS (
		SELECT s.user_id, u.first_day
		FROM said s, LATERAL (SELECT first_day FROM user_state u WHERE u.user_id = s.user_id OFFSET 0) u
	), put AS (
		INSERT INTO user_state AS u (user_id, first_seen_at, first_day, registered_at)
		SELECT user_id, first_at, booking_date(first_at, site.timezone, site.cutoff_hours), registered_at
		FROM said ORDER BY user_id
		ON CONFLICT (user_id) DO UPDATE
		SET first_seen_at = least(u.first_seen_at, excluded.first_seen_at),
		    first_day = CASE WHEN excluded.first_seen_at < u.first_seen_at THEN excluded.first_day ELSE u.first_day END,
		    registered_at = least(u.registered_at, excluded.registered_at)
		WHERE excluded.first_seen_at < u.first_seen_at
		   OR excluded.registered_at < coalesce(u.registered_at, 'infinity')
		RETURNING user_id, first_day
	)
	SELECT array_agg(w.first_day) FILTER (WHERE w.user_id IS NOT NULL), array_agg(p.first_day)
	INTO change.old_user_days, change.new_user_days
	FROM put p LEFT JOIN was w USING (user_id) WHERE w.first_day IS DISTINCT FROM p.first_day;

	WITH said AS (
		SELECT DISTINCT ON (m.event_id, f.key) m.*, f.key, f.value
		FROM json_to_recordset(messages) m(kind smallint, version bigint, at timestamptz, seq bigint, digest bigint,
		                                   event_id bigint, fields json), json_each_text(m.fields) f
		WHERE m.kind BETWEEN 3 AND 6
		ORDER BY m.event_id, f.key, m.version DESC, m.at DESC, m.seq DESC, m.digest DESC
	), capacities AS (
		INSERT INTO event_capacity (event_id, version, occurred_at, seq, digest, capacity)
		SELECT event_id, version, at, seq, digest, (fields ->> 'capacity')::bigint
		FROM json_to_recordset(messages) m(kind smallint, version bigint, at timestamptz, seq bigint, digest bigint,
		                                   event_id bigint, fields json)
		WHERE kind BETWEEN 3 AND 6 AND json_typeof(fields -> 'capacity') IS NOT NULL
		ON CONFLICT DO NOTHING
	), put AS (
		INSERT INTO event_field AS e (event_id, field, version, occurred_at, seq, digest, value)
		SELECT event_id, key, version, at, seq, digest, value FROM said ORDER BY event_id, key
		ON CONFLICT (event_id, field) DO UPDATE
		SET version = excluded.version, occurred_at = excluded.occurred_at, seq = excluded.seq, digest = excluded.digest,
		    value = excluded.value
		WHERE (excluded.version, excluded.occurred_at, excluded.seq, excluded.digest)
		    > (e.version, e.occurred_at, e.seq, e.digest)
		RETURNING event_id
	)
	SELECT array_agg(DISTINCT event_id) INTO events FROM put;

	WITH heard AS (
		SELECT event_id, min(at) AS at FROM json_to_recordset(messages) m(kind int, at timestamptz, event_id bigint)
		WHERE event_id IS NOT NULL AND kind < 7 GROUP BY event_id
	), now AS (
		SELECT s.was, n AS becomes
		FROM heard h LEFT JOIN LATERAL (SELECT e AS was, e.first_seen_at FROM event_of(h.event_id) e) s ON true,
		     LATERAL event_now(h.event_id, least(h.at, s.first_seen_at), site) n
		WHERE s.first_seen_at IS NULL OR h.at < s.first_seen_at OR h.event_id = ANY (events)
	)
	SELECT array_agg(was) FILTER (WHERE NOT was IS NULL), array_agg(becomes)
	INTO change.old_events, change.new_events FROM now WHERE was IS DISTINCT FROM becomes;

	PERFORM event_states_put(change.new_events);

	WITH said AS (
		SELECT DISTINCT ON (m.booking_id, k) m.*, k
		FROM json_to_recordset(messages) m(kind smallint, version bigint, at timestamptz, seq bigint, digest bigint,
		                                   event_id bigint, booking_id text, user_id text,
		                                   confirmed boolean, seats int, amount numeric, currency text),
		     unnest(CASE WHEN m.kind = 0 AND m.confirmed THEN '{0,1}' ELSE ARRAY[m.kind] END) k
		WHERE m.kind BETWEEN 0 AND 2
		ORDER BY m.booking_id, k, m.version DESC, m.at DESC, m.seq DESC, m.digest DESC
	), put AS (
		INSERT INTO booking_message AS b (booking_id, kind, version, occurred_at, seq, digest, event_id, user_id, seats, amount,
		                                  currency)
		SELECT booking_id, k, version, at, seq, digest, event_id, user_id, seats, amount, currency
		FROM said ORDER BY booking_id, k
		ON CONFLICT (booking_id, kind) DO UPDATE
		SET version = excluded.version, occurred_at = excluded.occurred_at, seq = excluded.seq, digest = excluded.digest,
		    event_id = excluded.event_id, user_id = excluded.user_id, seats = excluded.seats,
		    amount = excluded.amount, currency = excluded.currency
		WHERE (excluded.version, excluded.occurred_at, excluded.seq, excluded.digest)
		    > (b.version, b.occurred_at, b.seq, b.digest)
		RETURNING booking_id
	)
	SELECT array_agg(DISTINCT booking_id) INTO ids FROM put;

	-- an event's new currency is that of those of its bookings that say none
	SELECT ids || array_agg(b.booking_id) INTO ids
	FROM unnest(change.old_events) o JOIN unnest(change.new_events) n USING (event_id),
	     LATERAL (SELECT booking_id FROM booking_state b WHERE b.event_id = o.event_id OFFSET 0) b
	WHERE o.currency <> n.currency AND b.booking_id <> ALL (coalesce(ids, '{}'));

	WITH now AS (
		SELECT s.was, n AS becomes
		FROM unnest(ids) id LEFT JOIN LATERAL (SELECT b AS was FROM booking_state b WHERE b.booking_id = id OFFSET 0) s ON true
		LEFT JOIN LATERAL booking_now(id, site) n ON true
	)
	-- (of a row, IS NOT NULL is true only where each of its columns is there)
	SELECT array_agg(was) FILTER (WHERE NOT was IS NULL), array_agg(becomes) FILTER (WHERE NOT becomes IS NULL)
	INTO change.old_bookings, change.new_bookings FROM now WHERE was IS DISTINCT FROM becomes;

	DELETE FROM booking_state
	WHERE booking_id = ANY (ARRAY(SELECT booking_id FROM unnest(change.old_bookings)
	                              EXCEPT SELECT booking_id FROM unnest(change.new_bookings)));
	PERFORM booking_states_put(change.new_bookings);
	RETURN change;
END
$$;

-- Days on which unchanged events without times are active, of those on which bookings of this change were made.
CREATE FUNCTION booking_days_active(change booking_change, added event_day[], site booking_site) RETURNS SETOF date
LANGUAGE sql STABLE AS $$
	SELECT a.business_date
	FROM (SELECT event_id, business_date FROM unnest(added) WHERE new <> 0
	      EXCEPT SELECT n.event_id, x.business_date FROM unnest(change.new_events) n JOIN unnest(added) x USING (event_id)) a
	CROSS JOIN event_of(a.event_id) e, LATERAL active_spans(e, a.business_date, a.business_date)
	WHERE e.sale_from_day IS NULL AND e.run_from_day IS NULL AND a.business_date BETWEEN site.days_from AND site.days_to
$$;

-- category_day and booking_lead: event_day is as before, event_state as it is now; moved: events as they were.
CREATE FUNCTION booking_categories_take(moved event_state[], added event_day[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO category_day AS c (category, business_date, currency, touched, new, new_seats, confirmed, confirmed_seats, cancelled,
	                               cancelled_seats, counted, revenue_minor, booked_minor)
	SELECT x.category, business_date, currency,
	       sum(sign * touched)::bigint, sum(sign * new)::bigint, sum(sign * new_seats)::bigint,
	       sum(sign * confirmed)::bigint, sum(sign * confirmed_seats)::bigint, sum(sign * cancelled)::bigint,
	       sum(sign * cancelled_seats)::bigint, sum(sign * counted)::bigint,
	       sum(sign * revenue_minor)::bigint, sum(sign * booked_minor)::bigint
	FROM (SELECT e.category, 1 AS sign, a.* FROM unnest(added) a, event_of(a.event_id) e
	      UNION ALL
	      SELECT v.category, v.sign, d.*
	      FROM unnest(moved) m, event_of(m.event_id) e, event_days_of(m.event_id) d,
	           LATERAL (VALUES (m.category, -1), (e.category, 1)) v(category, sign)
	      WHERE m.category <> e.category) x
	GROUP BY x.category, business_date, currency ORDER BY business_date, x.category, currency
	ON CONFLICT (business_date, category, currency) DO UPDATE SET
	    touched = c.touched + excluded.touched, new = c.new + excluded.new,
	    new_seats = c.new_seats + excluded.new_seats, confirmed = c.confirmed + excluded.confirmed,
	    confirmed_seats = c.confirmed_seats + excluded.confirmed_seats,
	    cancelled = c.cancelled + excluded.cancelled,
	    cancelled_seats = c.cancelled_seats + excluded.cancelled_seats,
	    counted = c.counted + excluded.counted, revenue_minor = c.revenue_minor + excluded.revenue_minor,
	    booked_minor = c.booked_minor + excluded.booked_minor;
	DELETE FROM category_day
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM (SELECT e.category, a.business_date, a.currency FROM unnest(added) a, event_of(a.event_id) e
		      UNION SELECT m.category, d.business_date, d.currency FROM unnest(moved) m, event_days_of(m.event_id) d) x,
		     LATERAL (SELECT ctid FROM category_day c
		              WHERE c.category = x.category AND c.business_date = x.business_date AND c.currency = x.currency
		                AND c.touched = 0 OFFSET 0) z));
	INSERT INTO booking_lead AS l (category, lead_days, new, new_seats)
	SELECT x.category, lead_days(x.starts_at, x.run_from_day, business_date), sum(sign * new), sum(sign * new_seats)
	FROM (SELECT e.category, e.starts_at, e.run_from_day, 1 AS sign, a.business_date, a.new, a.new_seats
	      FROM unnest(added) a, event_of(a.event_id) e
	      UNION ALL
	      SELECT v.category, v.starts_at, v.run_from_day, v.sign, d.business_date, d.new, d.new_seats
	      FROM unnest(moved) m, event_of(m.event_id) e, event_days_of(m.event_id) d,
	           LATERAL (VALUES (m.category, m.starts_at, m.run_from_day, -1),
	                           (e.category, e.starts_at, e.run_from_day, 1)) v(category, starts_at, run_from_day, sign)) x
	GROUP BY 1, 2 HAVING sum(sign * new) <> 0 OR sum(sign * new_seats) <> 0 ORDER BY 1, 2
	ON CONFLICT (category, lead_days) DO UPDATE SET new = l.new + excluded.new, new_seats = l.new_seats + excluded.new_seats;
	DELETE FROM booking_lead
	WHERE new = 0 AND category = ANY (ARRAY(SELECT category FROM unnest(moved)
	                                        UNION SELECT e.category FROM unnest(added) a, event_of(a.event_id) e));
END
$$;

CREATE FUNCTION event_stats_take(change booking_change) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	odd bigint[]; -- events with money that is not of their currency, now or before
BEGIN
	INSERT INTO event_stats (event_id, event_name, category, status, starts_at, ends_at, total_capacity, unlimited, currency)
	SELECT event_id, name, category, status, starts_at, ends_at, capacity, unlimited, currency
	FROM unnest(change.new_events) ORDER BY event_id
	ON CONFLICT (event_id) DO UPDATE
	SET event_name = excluded.event_name, category = excluded.category, status = excluded.status, starts_at = excluded.starts_at,
	    ends_at = excluded.ends_at, total_capacity = excluded.total_capacity, unlimited = excluded.unlimited,
	    currency = excluded.currency, updated_at = now();
	WITH delta AS (
		SELECT b.event_id, sum(sign) AS total, sum(sign * seats) AS seats,
		       coalesce(sum(sign) FILTER (WHERE b.status = 'confirmed'), 0) AS confirmed,
		       coalesce(sum(sign * seats) FILTER (WHERE b.status = 'confirmed'), 0) AS confirmed_seats,
		       coalesce(sum(sign) FILTER (WHERE b.status = 'cancelled'), 0) AS cancelled,
		       coalesce(sum(sign * seats) FILTER (WHERE b.status = 'cancelled'), 0) AS cancelled_seats,
		       coalesce(sum(sign) FILTER (WHERE b.status = 'confirmed' AND b.currency = e.currency), 0) AS counted,
		       coalesce(sum(sign * amount_minor) FILTER (WHERE b.status = 'confirmed' AND b.currency = e.currency), 0) AS revenue
		FROM (SELECT -1 AS sign, o.* FROM unnest(change.old_bookings) o
		      UNION ALL SELECT 1, n.* FROM unnest(change.new_bookings) n) b, event_of(b.event_id) e
		GROUP BY b.event_id
	)
	UPDATE event_stats s
	SET total_bookings = total_bookings + total, confirmed_bookings = confirmed_bookings + d.confirmed,
	    cancelled_bookings = cancelled_bookings + d.cancelled, total_seats = total_seats + seats,
	    confirmed_seats = s.confirmed_seats + d.confirmed_seats, cancelled_seats = s.cancelled_seats + d.cancelled_seats,
	    counted = s.counted + d.counted, revenue_minor = (revenue_minor + revenue)::bigint,
	    -- (>= and <=: with = another index, of created_at alone, would seem to do as well)
	    first_booking = (SELECT b.created_at FROM booking_state b WHERE b.event_id >= s.event_id AND b.event_id <= s.event_id
	                     ORDER BY b.event_id, b.created_at LIMIT 1),
	    last_booking = (SELECT b.created_at FROM booking_state b WHERE b.event_id >= s.event_id AND b.event_id <= s.event_id
	                    ORDER BY b.event_id DESC, b.created_at DESC LIMIT 1), updated_at = now()
	FROM delta d, LATERAL (SELECT t.ctid FROM event_stats t WHERE t.event_id = d.event_id OFFSET 0) t
	WHERE s.ctid = t.ctid;

	SELECT array_agg(event_id) INTO odd
	FROM (SELECT event_id FROM unnest(change.old_events) o JOIN unnest(change.new_events) n USING (event_id)
	      WHERE o.currency <> n.currency UNION
	      SELECT e.event_id
	      FROM (SELECT event_id, currency FROM unnest(change.old_bookings)
	            UNION SELECT event_id, currency FROM unnest(change.new_bookings)) b, event_of(b.event_id) e
	      WHERE b.currency <> e.currency) x;
	UPDATE event_stats s
	SET (revenue_minor, counted, other_money) = (
		SELECT coalesce(sum(revenue) FILTER (WHERE m.currency = s.currency), 0)::bigint,
		       coalesce(sum(n) FILTER (WHERE m.currency = s.currency), 0),
		       json_object_agg(m.currency, json_build_object('revenue_minor', revenue, 'counted', n) ORDER BY m.currency)
		           FILTER (WHERE m.currency <> s.currency AND n <> 0)
		FROM (SELECT currency, sum(d.revenue_minor) AS revenue, sum(d.counted) AS n
		      FROM event_day d WHERE d.event_id = s.event_id GROUP BY currency) m)
	WHERE odd IS NOT NULL AND s.event_id = ANY (odd);
END
$$;

-- The figures follow. What a booking adds to days (event_day) is summed first; category_day and booking_lead are sums of
-- event_day by what its event is like, so they move with all of it where that changes.
CREATE FUNCTION booking_figures_take(change booking_change) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
SET enable_memoize = off AS $$
DECLARE
	site booking_site;
	added event_day[];
	moved event_state[]; -- as they were
	day date[];
	active bigint[];
BEGIN
	SELECT * INTO STRICT site FROM booking_site;

	SELECT array_agg(ROW(x.event_id, x.business_date, x.currency, x.touched, x.new, x.new_seats, x.confirmed, x.confirmed_seats,
	                     x.cancelled, x.cancelled_seats, x.counted, x.revenue_minor, x.booked_minor)::event_day) INTO added
	FROM (SELECT b.event_id, m.business_date, b.currency,
	             sum(b.sign * m.touched)::bigint AS touched, sum(b.sign * m.new)::bigint AS new,
	             sum(b.sign * m.new_seats)::bigint AS new_seats, sum(b.sign * m.confirmed)::bigint AS confirmed,
	             sum(b.sign * m.confirmed_seats)::bigint AS confirmed_seats, sum(b.sign * m.cancelled)::bigint AS cancelled,
	             sum(b.sign * m.cancelled_seats)::bigint AS cancelled_seats, sum(b.sign * m.counted)::bigint AS counted,
	             sum(b.sign * m.revenue_minor)::bigint AS revenue_minor, sum(b.sign * m.booked_minor)::bigint AS booked_minor
	      FROM (SELECT -1 AS sign, o AS booking, o.* FROM unnest(change.old_bookings) o
	            UNION ALL SELECT 1, n, n.* FROM unnest(change.new_bookings) n) b, LATERAL booking_measures(b.booking) m
	      GROUP BY b.event_id, m.business_date, b.currency) x
	WHERE (x.touched, x.new, x.new_seats, x.confirmed, x.confirmed_seats, x.cancelled, x.cancelled_seats, x.counted,
	       x.revenue_minor, x.booked_minor) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	SELECT array_agg(o) INTO moved FROM unnest(change.old_events) o JOIN unnest(change.new_events) n USING (event_id)
	WHERE o.category <> n.category OR o.starts_at IS DISTINCT FROM n.starts_at;

	-- days on which events were active: of changed ones all, of the others those that a booking may have made one
	SELECT array_agg(d.first_day) || array_agg(d.final_day + 1), array_agg(-1) || array_agg(1) INTO day, active
	FROM unnest(change.old_events) e, LATERAL active_spans(e, site.days_from, site.days_to) d;
	SELECT day || array_agg(x.d) || array_agg(x.d + 1), active || array_agg(-1) || array_agg(1) INTO day, active
	FROM booking_days_active(change, added, site) x(d);

	PERFORM booking_categories_take(moved, added);
	INSERT INTO event_day AS d SELECT * FROM unnest(added) ORDER BY event_id, business_date, currency
	ON CONFLICT (event_id, business_date, currency) DO UPDATE SET
	    touched = d.touched + excluded.touched, new = d.new + excluded.new,
	    new_seats = d.new_seats + excluded.new_seats, confirmed = d.confirmed + excluded.confirmed,
	    confirmed_seats = d.confirmed_seats + excluded.confirmed_seats,
	    cancelled = d.cancelled + excluded.cancelled,
	    cancelled_seats = d.cancelled_seats + excluded.cancelled_seats,
	    counted = d.counted + excluded.counted, revenue_minor = d.revenue_minor + excluded.revenue_minor,
	    booked_minor = d.booked_minor + excluded.booked_minor;
	DELETE FROM event_day
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM unnest(added) a,
		     LATERAL (SELECT ctid FROM event_day d
		              WHERE d.event_id = a.event_id AND d.business_date = a.business_date AND d.currency = a.currency AND d.touched = 0 OFFSET 0) z));

	INSERT INTO booking_day AS d (business_date, currency, touched, new, new_seats, confirmed, confirmed_seats, cancelled,
	                              cancelled_seats, counted, revenue_minor, booked_minor)
	SELECT business_date, currency,
	       sum(touched)::bigint, sum(new)::bigint, sum(new_seats)::bigint, sum(confirmed)::bigint,
	       sum(confirmed_seats)::bigint, sum(cancelled)::bigint, sum(cancelled_seats)::bigint,
	       sum(counted)::bigint, sum(revenue_minor)::bigint, sum(booked_minor)::bigint
	FROM unnest(added) GROUP BY business_date, currency ORDER BY business_date, currency
	ON CONFLICT (business_date, currency) DO UPDATE SET
	    touched = d.touched + excluded.touched, new = d.new + excluded.new,
	    new_seats = d.new_seats + excluded.new_seats, confirmed = d.confirmed + excluded.confirmed,
	    confirmed_seats = d.confirmed_seats + excluded.confirmed_seats,
	    cancelled = d.cancelled + excluded.cancelled,
	    cancelled_seats = d.cancelled_seats + excluded.cancelled_seats,
	    counted = d.counted + excluded.counted, revenue_minor = d.revenue_minor + excluded.revenue_minor,
	    booked_minor = d.booked_minor + excluded.booked_minor, updated_at = now();
	DELETE FROM booking_day
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM (SELECT DISTINCT business_date, currency FROM unnest(added)) a,
		     LATERAL (SELECT ctid FROM booking_day d
		              WHERE d.business_date = a.business_date AND d.currency = a.currency AND d.touched = 0 OFFSET 0) z));

	INSERT INTO booking_hour AS h (business_date, hour, new, new_seats)
	SELECT created_day, created_hour, sum(sign), sum(sign * seats)
	FROM (SELECT -1 AS sign, created_day, created_hour, seats FROM unnest(change.old_bookings)
	      UNION ALL SELECT 1, created_day, created_hour, seats FROM unnest(change.new_bookings)) b
	GROUP BY created_day, created_hour HAVING sum(sign) <> 0 OR sum(sign * seats) <> 0 ORDER BY created_day, created_hour
	ON CONFLICT (business_date, hour) DO UPDATE SET new = h.new + excluded.new, new_seats = h.new_seats + excluded.new_seats;
	DELETE FROM booking_hour
	WHERE ctid = ANY (ARRAY(
		SELECT z.ctid
		FROM (SELECT DISTINCT created_day, created_hour FROM unnest(change.old_bookings)) b,
		     LATERAL (SELECT ctid FROM booking_hour h
		              WHERE h.business_date = b.created_day AND h.hour = b.created_hour AND h.new = 0 OFFSET 0) z));

	PERFORM event_stats_take(change);

	SELECT day || array_agg(d.first_day) || array_agg(d.final_day + 1), active || array_agg(1) || array_agg(-1) INTO day, active
	FROM unnest(change.new_events) e, LATERAL active_spans(e, site.days_from, site.days_to) d;
	SELECT day || array_agg(x.d) || array_agg(x.d + 1), active || array_agg(1) || array_agg(-1) INTO day, active
	FROM booking_days_active(change, added, site) x(d);
	PERFORM booking_active_add(day, active);
	PERFORM booking_days_add(array_agg(u.d), array_agg(u.n), NULL)
	FROM (SELECT d, -1 AS n FROM unnest(change.old_user_days) d UNION ALL SELECT d, 1 FROM unnest(change.new_user_days) d) u;
	PERFORM booking_days_keep();
END
$$;

-- A new version, said to those who listen.
CREATE FUNCTION booking_version_up() RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	up bigint;
BEGIN
	UPDATE booking_site SET version = version + 1, changed_at = now() RETURNING version INTO STRICT up;
	PERFORM pg_notify('takings_bookings', up::text), pg_notify('takings_live', '');
	RETURN up;
END
$$;

-- All figures, and the days in the states, made anew from what the messages say: what a clock or a currency that changed
-- asks for, and the definition of what the figures should be.
CREATE FUNCTION bookings_rebuild() RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
	site booking_site;
	ids text[];
	differ booking_state[];
	change booking_change;
BEGIN
	PERFORM pg_advisory_xact_lock(booking_lock_key());
	UPDATE booking_site SET days_from = NULL, days_to = NULL RETURNING * INTO STRICT site;
	DELETE FROM event_day;
	DELETE FROM category_day;
	DELETE FROM booking_day;
	DELETE FROM booking_day_more;
	DELETE FROM booking_hour;
	DELETE FROM booking_lead;
	DELETE FROM event_stats;
	UPDATE user_state u SET first_day = d.day
	FROM (SELECT user_id, booking_date(first_seen_at, site.timezone, site.cutoff_hours) AS day FROM user_state) d
	WHERE u.user_id = d.user_id AND u.first_day <> d.day;
	PERFORM booking_days_add(array_agg(first_day), array_agg(n), NULL)
	FROM (SELECT first_day, count(*) AS n FROM user_state GROUP BY first_day) d;
	SELECT array_agg(n) INTO change.new_events FROM event_state e, LATERAL event_now(e.event_id, e.first_seen_at, site) n;
	PERFORM event_states_put(change.new_events);
	PERFORM booking_figures_take(change);
	change.new_events := NULL;
	LOOP -- in few steps: each leaves a version of every figure's row until the end
		SELECT array_agg(booking_id) INTO ids
		FROM (SELECT DISTINCT booking_id FROM booking_message WHERE booking_id > coalesce(ids[cardinality(ids)], '')
		      ORDER BY booking_id LIMIT 100000) m;
		EXIT WHEN ids IS NULL;
		SELECT array_agg(n), array_agg(n) FILTER (WHERE s.was IS DISTINCT FROM n) INTO change.new_bookings, differ
		FROM unnest(ids) id CROSS JOIN LATERAL booking_now(id, site) n
		LEFT JOIN LATERAL (SELECT b AS was FROM booking_state b WHERE b.booking_id = id OFFSET 0) s ON true;
		PERFORM booking_states_put(differ);
		PERFORM booking_figures_take(change);
	END LOOP;
	PERFORM booking_version_up();
END
$$;

-- ---- ranks and the whole system ---------------------------------------------------------

-- top_events and system_metrics as of now, and the days that are kept up to today; true: something changed.
-- Wants SERIALIZABLE: all ranks are of one moment.
CREATE FUNCTION booking_ranks_make() RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = on SET enable_hashjoin = on SET enable_mergejoin = on SET enable_bitmapscan = on AS $$
DECLARE
	site booking_site;
	running date;
	changed boolean := booking_days_keep();
	n bigint;
BEGIN
	SELECT * INTO STRICT site FROM booking_site;
	running := booking_date(now(), site.timezone, site.cutoff_hours);
	WITH wanted AS MATERIALIZED (
		SELECT event_id, event_name, category, currency, total_bookings, revenue_minor, capacity_utilization,
		       dense_rank() OVER (ORDER BY total_bookings DESC)::int AS booking_rank,
		       dense_rank() OVER (PARTITION BY currency ORDER BY revenue_minor DESC)::int AS revenue_rank,
		       CASE WHEN capacity_utilization IS NOT NULL
		            THEN dense_rank() OVER (ORDER BY capacity_utilization DESC NULLS LAST)::int END AS utilization_rank
		FROM event_stats WHERE total_bookings > 0
	), gone AS (
		DELETE FROM top_events WHERE event_id NOT IN (SELECT event_id FROM wanted) RETURNING 1
	), moved AS (
		UPDATE top_events t
		SET event_name = w.event_name, category = w.category, currency = w.currency, total_bookings = w.total_bookings,
		    revenue_minor = w.revenue_minor, capacity_utilization = w.capacity_utilization, booking_rank = w.booking_rank,
		    revenue_rank = w.revenue_rank, utilization_rank = w.utilization_rank, updated_at = now()
		FROM wanted w
		WHERE t.event_id = w.event_id
		  AND (t.event_name, t.category, t.currency, t.total_bookings, t.revenue_minor, t.capacity_utilization, t.booking_rank,
		       t.revenue_rank, t.utilization_rank)
		      IS DISTINCT FROM (w.event_name, w.category, w.currency, w.total_bookings, w.revenue_minor, w.capacity_utilization,
		                        w.booking_rank, w.revenue_rank, w.utilization_rank)
		RETURNING 1
	), added AS (
		INSERT INTO top_events (event_id, event_name, category, currency, total_bookings, revenue_minor, capacity_utilization,
		                        booking_rank, revenue_rank, utilization_rank)
		SELECT * FROM wanted w WHERE w.event_id NOT IN (SELECT event_id FROM top_events) ORDER BY event_id
		RETURNING 1
	)
	SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM moved) + (SELECT count(*) FROM added) INTO n;
	changed := changed OR n > 0;

	WITH wanted AS (
		SELECT e.*, d.*, u.*, r.recent_events
		FROM (SELECT count(*) AS total_events, coalesce(sum(confirmed_bookings), 0) AS confirmed_bookings,
		             coalesce(sum(cancelled_bookings), 0) AS cancelled_bookings,
		             half_even(round(avg(confirmed_seats * 100::numeric / total_capacity) FILTER (WHERE NOT unlimited), 9), 2)
		                 AS avg_capacity_utilization,
		             half_even(sum(confirmed_seats) FILTER (WHERE NOT unlimited) * 100::numeric
		                       / sum(total_capacity) FILTER (WHERE NOT unlimited), 2) AS weighted_capacity_utilization,
		             half_even(round(avg(cancelled_bookings * 100::numeric / total_bookings) FILTER (WHERE total_bookings > 0), 9), 2)
		                 AS avg_cancellation_rate,
		             half_even(sum(cancelled_bookings) * 100::numeric / nullif(sum(total_bookings), 0), 2)
		                 AS weighted_cancellation_rate
		      FROM event_stats) e,
		     (SELECT coalesce(sum(new), 0) AS total_bookings, coalesce(sum(recent), 0) AS recent_bookings,
		             coalesce(sum(previous), 0) AS previous_bookings,
		             coalesce(jsonb_object_agg(currency, jsonb_build_object('total_minor', total_minor, 'counted', counted,
		                 'recent_minor', recent_minor, 'previous_minor', previous_minor)) FILTER (WHERE currency <> ''), '{}') AS money
		      FROM (SELECT currency, sum(new) AS new, sum(revenue_minor) AS total_minor, sum(counted) AS counted,
		                   sum(new) FILTER (WHERE business_date >= running - 30 AND business_date < running) AS recent,
		                   sum(new) FILTER (WHERE business_date >= running - 60 AND business_date < running - 30) AS previous,
		                   coalesce(sum(revenue_minor) FILTER (WHERE business_date >= running - 30
		                                                         AND business_date < running), 0) AS recent_minor,
		                   coalesce(sum(revenue_minor) FILTER (WHERE business_date >= running - 60
		                                                         AND business_date < running - 30), 0) AS previous_minor
		            FROM booking_day GROUP BY currency) c) d,
		     (SELECT coalesce(sum(new_users), 0) AS total_users FROM booking_day_more) u,
		     (SELECT count(*) AS recent_events FROM event_state
		      WHERE first_seen_at >= business_day_start(site.timezone, site.cutoff_hours, running - 30)
		        AND first_seen_at < business_day_start(site.timezone, site.cutoff_hours, running)) r
	), put AS (
		INSERT INTO system_metrics AS m (id, today, total_events, total_bookings, total_users, confirmed_bookings, cancelled_bookings,
		                                 recent_bookings, previous_bookings, recent_events, avg_capacity_utilization,
		                                 weighted_capacity_utilization, avg_cancellation_rate, weighted_cancellation_rate, money)
		SELECT 1, running, total_events, total_bookings, total_users, confirmed_bookings, cancelled_bookings, recent_bookings,
		       previous_bookings, recent_events, avg_capacity_utilization, weighted_capacity_utilization, avg_cancellation_rate,
		       weighted_cancellation_rate, money
		FROM wanted
		ON CONFLICT (id) DO UPDATE
		SET today = excluded.today, total_events = excluded.total_events, total_bookings = excluded.total_bookings,
		    total_users = excluded.total_users, confirmed_bookings = excluded.confirmed_bookings,
		    cancelled_bookings = excluded.cancelled_bookings, recent_bookings = excluded.recent_bookings,
		    previous_bookings = excluded.previous_bookings, recent_events = excluded.recent_events,
		    avg_capacity_utilization = excluded.avg_capacity_utilization,
		    weighted_capacity_utilization = excluded.weighted_capacity_utilization,
		    avg_cancellation_rate = excluded.avg_cancellation_rate,
		    weighted_cancellation_rate = excluded.weighted_cancellation_rate, money = excluded.money, updated_at = now()
		WHERE (m.today, m.total_events, m.total_bookings, m.total_users, m.confirmed_bookings, m.cancelled_bookings,
		       m.recent_bookings, m.previous_bookings, m.recent_events, m.avg_capacity_utilization,
		       m.weighted_capacity_utilization, m.avg_cancellation_rate, m.weighted_cancellation_rate, m.money)
		      IS DISTINCT FROM
		      (excluded.today, excluded.total_events, excluded.total_bookings, excluded.total_users, excluded.confirmed_bookings,
		       excluded.cancelled_bookings, excluded.recent_bookings, excluded.previous_bookings, excluded.recent_events,
		       excluded.avg_capacity_utilization, excluded.weighted_capacity_utilization, excluded.avg_cancellation_rate,
		       excluded.weighted_cancellation_rate, excluded.money)
		RETURNING 1
	)
	SELECT count(*) INTO n FROM put;
	changed := changed OR n > 0;
	IF changed THEN
		PERFORM booking_version_up();
	END IF;
	UPDATE booking_site SET ranked_version = version WHERE ranked_version <> version;
	RETURN changed;
END
$$;
