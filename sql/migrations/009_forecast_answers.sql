-- What answers about forecasts, anomalies and trends share.

-- ---- figures as series ---------------------------------------------------------

-- A metric of each business day from where it begins, oldest first; value is NULL on days that are
-- not computed. Money is in minor units. metric: revenue, orders, placed_orders, items_sold; of an
-- item revenue, orders, quantity. location NULL: all of them together; item NULL: not of one item.
CREATE FUNCTION figure_days(of_metric text, code text, location int, item text, first_day date, last_day date)
RETURNS TABLE (day date, value numeric)
LANGUAGE sql STABLE AS $$
	WITH begun AS (
		SELECT CASE WHEN item IS NULL
		            THEN (SELECT min(s.first_date) FROM series s
		                  WHERE s.currency = code AND (location IS NULL OR s.location_id = location))
		            ELSE (SELECT min(i.business_date) FROM item_sales_cache i
		                  WHERE i.item_id = item AND i.currency = code AND (location IS NULL OR i.location_id = location))
		       END AS day
	), computed AS (
		SELECT d.business_date,
		       sum(CASE of_metric WHEN 'revenue' THEN d.revenue_minor
		                          WHEN 'placed_orders' THEN d.order_count
		                          WHEN 'items_sold' THEN d.item_qty
		                          ELSE orders_shown(r.revenue_profile, d.served_count, d.order_count) END) AS value
		FROM site JOIN rules r USING (rules_id), begun b, daily_revenue_cache d
		WHERE d.business_date BETWEEN greatest(first_day, b.day) AND last_day AND d.currency = code
		  AND (location IS NULL OR d.location_id = location)
		GROUP BY d.business_date
	), sold AS (
		SELECT i.business_date,
		       sum(CASE of_metric WHEN 'revenue' THEN i.revenue_minor WHEN 'quantity' THEN i.quantity ELSE i.order_count END) AS value
		FROM item_sales_cache i
		WHERE item IS NOT NULL AND i.item_id = item AND i.business_date BETWEEN first_day AND last_day AND i.currency = code
		  AND (location IS NULL OR i.location_id = location)
		GROUP BY i.business_date
	)
	SELECT d::date, CASE WHEN item IS NULL OR c.value IS NULL THEN c.value ELSE coalesce(s.value, 0) END
	FROM begun b
	CROSS JOIN generate_series(greatest(first_day, b.day)::timestamp, last_day::timestamp, interval '1 day') d
	LEFT JOIN computed c ON c.business_date = d::date
	LEFT JOIN sold s ON s.business_date = d::date
	ORDER BY 1
$$;

-- The same for weeks from Monday, whole ones only; NULL where a day is not computed.
CREATE FUNCTION figure_weeks(of_metric text, code text, location int, item text, first_day date, last_day date)
RETURNS TABLE (day date, value numeric)
LANGUAGE sql STABLE AS $$
	SELECT date_trunc('week', f.day::timestamp)::date, CASE WHEN count(f.value) = 7 THEN sum(f.value) END
	FROM figure_days(of_metric, code, location, item, first_day, last_day) f
	GROUP BY 1 HAVING count(*) = 7 ORDER BY 1
$$;

-- The 24 hours of each business day, from the cutoff on; what an hour of 3600 s would have had, so
-- that days of 23 and 25 hours are like others. NULL where it is not computed or was left out.
CREATE FUNCTION figure_hours(of_metric text, code text, location int, first_day date, last_day date)
RETURNS TABLE (day date, hour smallint, value numeric)
LANGUAGE sql STABLE AS $$
	WITH here AS (
		SELECT r.cutoff_hours, r.revenue_profile,
		       greatest(first_day, (SELECT min(s.first_date) FROM series s
		                            WHERE s.currency = code AND (location IS NULL OR s.location_id = location))) AS first
		FROM site JOIN rules r USING (rules_id)
	), computed AS (
		SELECT c.business_date, c.hour, max(c.seconds) AS seconds,
		       sum(CASE of_metric WHEN 'revenue' THEN c.revenue_minor
		                          WHEN 'placed_orders' THEN c.order_count
		                          ELSE orders_shown(h.revenue_profile, c.served_count, c.order_count) END) AS value
		FROM here h, hourly_order_cache c
		WHERE c.business_date BETWEEN h.first AND last_day AND c.currency = code
		  AND (location IS NULL OR c.location_id = location)
		GROUP BY c.business_date, c.hour
	)
	SELECT d::date, n::smallint, c.value * 3600 / nullif(c.seconds, 0)
	FROM here h
	CROSS JOIN generate_series(h.first::timestamp, last_day::timestamp, interval '1 day') d
	CROSS JOIN generate_series(0, 23) n
	LEFT JOIN computed c ON c.business_date = d::date AND c.hour = n
	ORDER BY 1, (n - h.cutoff_hours + 24) % 24
$$;

-- ---- clocks --------------------------------------------------------------------

-- `n` hours of 3600 s from the next full hour of the wall clock: which hour of which business day
-- each is, and which part of that hour: a half where the clock repeats it.
CREATE FUNCTION hours_ahead(at timestamptz, zone text, cutoff_hours int, n int)
RETURNS TABLE (starts_at timestamptz, business_date date, hour smallint, part numeric)
LANGUAGE sql STABLE AS $$
	WITH today AS MATERIALIZED (
		SELECT business_date(at, zone, cutoff_hours) AS day
	), piece AS MATERIALIZED (
		SELECT p.* FROM today t, LATERAL business_pieces(zone, cutoff_hours, t.day - 1, t.day + 3 + n / 24) p
	), first AS (
		SELECT at_s + 3600 - (at_s + shift_s) % 3600 AS at_s
		FROM (SELECT floor(extract(epoch FROM at))::bigint AS at_s) x JOIN piece p ON x.at_s >= p.start_s AND x.at_s < p.end_s
	), step AS (
		SELECT f.at_s + 3600 * i AS at_s FROM first f, generate_series(0, n - 1) i
	), hour AS (
		SELECT s.at_s, (s.at_s + p.shift_s) / 3600 * 3600 AS wall_s FROM step s JOIN piece p ON s.at_s >= p.start_s AND s.at_s < p.end_s
	)
	SELECT to_timestamp(at_s), (to_timestamp(wall_s - cutoff_hours * 3600) AT TIME ZONE 'UTC')::date, (wall_s / 3600 % 24)::smallint,
	       3600.0 / greatest(3600, (SELECT sum(least(p.end_s + p.shift_s, wall_s + 3600) - greatest(p.start_s + p.shift_s, wall_s))
	                                FROM piece p WHERE p.start_s + p.shift_s < wall_s + 3600 AND p.end_s + p.shift_s > wall_s))
	FROM hour ORDER BY at_s
$$;

-- When a step of expected_cache begins and ends; of an hour that occurs twice, its second time.
CREATE FUNCTION step_start(day date, hour smallint, zone text, cutoff_hours int) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN hour < 0 THEN business_day_start(zone, cutoff_hours, day)
	            ELSE (day + (hour < cutoff_hours)::int + make_interval(hours => hour)) AT TIME ZONE zone END
$$;
CREATE FUNCTION step_end(day date, hour smallint, zone text, cutoff_hours int) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT CASE WHEN hour < 0 THEN business_day_start(zone, cutoff_hours, day + 1)
	            ELSE step_start(day, hour, zone, cutoff_hours) + interval '1 hour' END
$$;

-- ---- which forecast ------------------------------------------------------------

-- The location nights know these figures by: that of a shop with one location is all of it.
CREATE FUNCTION night_location(location int) RETURNS int
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN EXISTS (SELECT FROM series WHERE location_id <> location)
	              OR NOT EXISTS (SELECT FROM series WHERE location_id = location) THEN location END
$$;

CREATE INDEX forecast_run_asked ON forecast_run (made_at) WHERE origin = 'asked';
CREATE INDEX forecast_run_night ON forecast_run
	(metric, granularity, currency, coalesce(location_id, -1), coalesce(item_id, ''), first_target, made_at) WHERE origin = 'night';

-- What the last night says: of the newest forecast of each horizon the shortest that reaches
-- final_day, else the longest. It may be a refused one. location NULL: all of them together.
CREATE FUNCTION forecast_of_night(of_metric text, of_granularity text, code text, location int, final_day date)
RETURNS SETOF forecast_run
LANGUAGE sql STABLE AS $$
	WITH scope AS MATERIALIZED (
		SELECT coalesce(night_location(location), -1) AS location_id
	), last AS MATERIALIZED (
		SELECT s.location_id, (SELECT max(f.first_target) FROM forecast_run f
		                       WHERE f.origin = 'night' AND coalesce(f.item_id, '') = '' AND f.metric = of_metric AND f.granularity = of_granularity
		                         AND f.currency = code AND coalesce(f.location_id, -1) = s.location_id) AS first_target
		FROM scope s
	), newest AS (
		SELECT DISTINCT ON (f.horizon) f.* FROM last l, forecast_run f
		WHERE f.origin = 'night' AND coalesce(f.item_id, '') = '' AND f.metric = of_metric AND f.granularity = of_granularity
		  AND f.currency = code AND coalesce(f.location_id, -1) = l.location_id AND f.first_target = l.first_target
		ORDER BY f.horizon, f.made_at DESC, f.forecast_id DESC
	)
	SELECT n.* FROM newest n
	ORDER BY n.first_target + n.horizon > final_day DESC,
	         CASE WHEN n.first_target + n.horizon > final_day THEN n.horizon ELSE -n.horizon END
	LIMIT 1
$$;

-- What the newest night that spoke of an hour says of it. location NULL: all of them together.
CREATE FUNCTION forecast_of_hour(of_metric text, code text, location int, day date, at_hour smallint)
RETURNS SETOF forecast_history
LANGUAGE sql STABLE ROWS 1 AS $$
	SELECT h.*
	FROM forecast_run f
	CROSS JOIN LATERAL (SELECT * FROM forecast_history x
	                    WHERE x.forecast_id = f.forecast_id AND x.target_date = day AND x.target_hour = at_hour) h
	WHERE f.origin = 'night' AND coalesce(f.item_id, '') = '' AND f.metric = of_metric AND f.granularity = 'hour' AND f.currency = code
	  AND coalesce(f.location_id, -1) = (SELECT coalesce(night_location(location), -1))
	  AND f.first_target BETWEEN day - 14 AND day
	ORDER BY f.first_target DESC, f.made_at DESC, f.forecast_id DESC LIMIT 1
$$;

-- The first day a forecast of the next days speaks of: today until the last hour that is usually
-- open has passed, then tomorrow; the rest of a day without open hours, or of a shop whose hours
-- nobody knows, is today's too.
CREATE FUNCTION forecast_first_day(at timestamptz, today date, zone text, cutoff_hours int, code text, location int)
RETURNS TABLE (first_day date, reason text)
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN is_over THEN today + 1 ELSE today END,
	       CASE WHEN is_over THEN format('today is over: its last open hour was %s:00', lpad(last_hour::text, 2, '0'))
	            WHEN last_place IS NULL THEN format('today is not over before %s:00', lpad(cutoff_hours::text, 2, '0'))
	            ELSE format('today is not over: its last open hour is %s:00', lpad(last_hour::text, 2, '0')) END
	FROM (SELECT max((h.target_hour - cutoff_hours + 24) % 24) AS last_place
	      FROM forecast_of_night('orders', 'hour', code, location, today) f
	      JOIN forecast_history h USING (forecast_id)
	      WHERE h.target_date = today AND NOT h.closed) o,
	     LATERAL (SELECT (last_place + cutoff_hours) % 24 AS last_hour,
	                     coalesce((extract(hour FROM at AT TIME ZONE zone)::int - cutoff_hours + 24) % 24 > last_place, false)
	                         AS is_over) x
$$;

-- Why a forecast is not as new as it could be; NULL where it is.
CREATE FUNCTION forecast_staleness(train_to date, newest_day date, today date) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN train_to < newest_day THEN format('it was made before the figures of %s were there', newest_day)
	            WHEN newest_day < today - 1 THEN format('the figures after %s are not computed yet', newest_day) END
$$;

-- ---- numbers and words -----------------------------------------------------------

-- A stored value as answers have it: money with the currency's digits, counts with two decimals.
CREATE FUNCTION forecast_value(value numeric, of_metric text, code text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT CASE of_metric WHEN 'revenue' THEN money(value, code) ELSE round(value, 2) END
$$;

-- A value and its bands, as one object.
CREATE FUNCTION forecast_band(value numeric, lo80 numeric, hi80 numeric, lo95 numeric, hi95 numeric, of_metric text, code text)
RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('value', forecast_value(value, of_metric, code),
	                         'lo80', forecast_value(lo80, of_metric, code), 'hi80', forecast_value(hi80, of_metric, code),
	                         'lo95', forecast_value(lo95, of_metric, code), 'hi95', forecast_value(hi95, of_metric, code))
$$;

-- How the same would have gone before, as one object.
CREATE FUNCTION forecast_backtest(f forecast_run) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('folds', f.folds, 'wape', round(f.wape, 4), 'mase', round(f.mase, 4), 'bias', round(f.bias, 4),
	                         'coverage80', round(f.coverage80, 4), 'coverage95', round(f.coverage95, 4),
	                         'naive_wape', round(f.naive_wape, 4), 'naive_mase', round(f.naive_mase, 4),
	                         'naive_wins', f.naive_wape < f.wape)
$$;

-- A part of 1 in percent: 9.1 %.
CREATE FUNCTION percent_words(part numeric) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT round(part * 100, 1) || ' %'
$$;

-- What a part adds to a whole: +18 %, −40 %; NULL below 1 %, or where there is no whole.
CREATE FUNCTION effect_words(part numeric, whole numeric) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN whole > 0 AND abs(part / whole) >= 0.005
	            THEN CASE WHEN part < 0 THEN '−' ELSE '+' END || abs(round(part / whole * 100)) || ' %' END
$$;

-- Why a step is expected to be what it is, in one sentence: "a usual Saturday, +18 % for the
-- weekday, Christmas Eve −40 %". hour: -1 where the step is not an hour.
CREATE FUNCTION forecast_why(of_granularity text, day date, hour smallint, closed boolean, base numeric, season numeric,
                             trend numeric, holiday numeric, holiday_name text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN closed AND of_granularity = 'hour' THEN 'closed at this hour'
	            WHEN closed THEN 'closed on ' || to_char(day, 'FMDay') || 's'
	            ELSE concat_ws(', ',
	                'a usual ' || CASE of_granularity WHEN 'week' THEN 'week'
	                                                  WHEN 'hour' THEN to_char(day, 'FMDay') || ' at ' || lpad(hour::text, 2, '0') || ':00'
	                                                  ELSE to_char(day, 'FMDay') END,
	                effect_words(season, base) || CASE of_granularity WHEN 'day' THEN ' for the weekday'
	                                                                  WHEN 'hour' THEN ' for the hour' ELSE ' for the season' END,
	                effect_words(trend, base) || ' for the trend',
	                holiday_name || coalesce(' ' || effect_words(holiday, base + season + trend), '')) END
$$;

-- How good forecasts were, in one sentence; row: of forecast_record.
CREATE FUNCTION forecast_record_words(n bigint, days int, wape numeric, naive_wape numeric, won boolean, of_granularity text)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN n = 0 THEN 'No forecast has come due yet.'
	            WHEN wape IS NULL THEN 'Nothing was sold on the days that forecasts have come due.'
	            ELSE format('Over the last %s days forecasts were off by %s; repeating the %s before would have been off by %s: %s.',
	                        days, percent_words(wape), CASE of_granularity WHEN 'hour' THEN 'day' ELSE 'week' END,
	                        percent_words(naive_wape),
	                        CASE WHEN won THEN 'the forecast was better'
	                             WHEN wape = naive_wape THEN 'both were equally good'
	                             ELSE 'that would have been better' END) END
$$;

-- What was unusual, in one sentence.
CREATE FUNCTION anomaly_why(a anomaly) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT format('%s of %s%s: %s, where %s was expected (%s to %s)%s%s', initcap(a.metric),
	              to_char(a.worst_date, 'FMDay, FMDD Mon'),
	              CASE WHEN a.worst_hour >= 0 THEN format(', %s:00', lpad(a.worst_hour::text, 2, '0')) ELSE '' END,
	              w.words[1], w.words[2], w.words[3], w.words[4], coalesce(', ' || effect_words(a.actual - a.expected, a.expected), ''),
	              coalesce(', on ' || a.special_name, ''))
	FROM (SELECT array_agg(CASE a.metric WHEN 'revenue' THEN forecast_value(v, a.metric, a.currency) ELSE trim_scale(round(v, 1)) END::text
	                       ORDER BY n) AS words
	      FROM unnest(ARRAY[a.actual, a.expected, a.lo, a.hi]) WITH ORDINALITY AS x(v, n)) w
$$;
