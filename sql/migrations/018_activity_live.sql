-- What goes on at this moment, of the tables of 013_activity.sql: the same figures in /realtime/... and in the live picture.

-- One row, or none before anything took effect. Active is who was heard of in the last user_s seconds, by our clock;
-- an active session's last event is at most session_s old and is no session_end. A cart is open while it is worth
-- anything. Bots are in none of it but the last column. The ways to the rows are by indexes whatever the planner
-- thinks of a time it does not know yet.
CREATE FUNCTION activity_now(user_s int, session_s int)
RETURNS TABLE (today date, starts_at timestamptz, timezone text, currency text, active_users bigint, active_users_5m bigint, active_sessions bigint,
               carts bigint, cart_value_avg numeric, carts_unpriced bigint, sessions_today bigint, converted_today bigint, conversion_rate numeric,
               bot_sessions bigint)
LANGUAGE plpgsql STABLE ROWS 1 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
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

-- The site's currency: what carts are in.
CREATE FUNCTION activity_currency() RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT coalesce((SELECT default_currency FROM site JOIN rules USING (rules_id)), (SELECT currency FROM booking_site), 'EUR')
$$;
