-- What is expected, and what came of it. Amounts of money are minor units here as
-- everywhere; counts may have decimals, as an expected value has.
--
-- Who reads: the newest made_at of a scope (metric, granularity, location, item, currency) and
-- horizon is what is expected now. What came of older ones is asked of
--   forecast_judged(...)    each step that is over, once a target and lead
--   forecast_accuracy(...)  how good that was, a row for each lead
--   forecast_record(...)    the same in one row, for the first so many leads
-- An hour's value is what is expected of that wall-clock hour: twice as much where the clock
-- repeats it, 0 where the clock leaves it out.

-- Days people behave differently on, besides the public holidays the program knows:
-- a fair, a strike, the shop's birthday. One name is one effect, learned over its years.
CREATE TABLE special_day (
	day date NOT NULL,
	name text NOT NULL CHECK (name <> ''),
	location_id integer,                 -- NULL: everywhere
	added_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX special_day_once ON special_day (day, name, coalesce(location_id, -1));

-- One forecast: what it is of, what it learned from, how the same did in its backtest.
CREATE TABLE forecast_run (
	forecast_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	origin text NOT NULL CHECK (origin IN ('night', 'asked')),
	run_id bigint,                       -- the batch run of a night
	rules_id integer NOT NULL REFERENCES rules,
	data_version bigint NOT NULL,        -- of the figures it was made from
	metric text NOT NULL,                -- revenue, orders, placed_orders, items_sold; of an item revenue, orders, quantity; by order date
	granularity text NOT NULL CHECK (granularity IN ('hour', 'day', 'week')),
	location_id integer,                 -- NULL: all of them
	item_id text,                        -- NULL: not of one item
	currency text NOT NULL,
	horizon integer NOT NULL CHECK (horizon > 0),
	status text NOT NULL CHECK (status IN ('ready', 'refused')),
	reason text,                         -- why it was refused
	first_target date NOT NULL,          -- the first day it speaks of
	train_from date, train_to date,      -- both included
	train_n integer NOT NULL DEFAULT 0,
	model text,
	weights jsonb NOT NULL DEFAULT '[]', -- [{"model": "...", "weight": 0.31}, ...], heaviest first
	flags jsonb NOT NULL DEFAULT '[]',   -- ["short_history", ...]
	folds integer NOT NULL DEFAULT 0,
	-- parts of 1; NULL without a backtest
	wape numeric, mase numeric, bias numeric, coverage80 numeric, coverage95 numeric,
	naive_wape numeric, naive_mase numeric,
	scale numeric,                       -- the unit of mase: mean |y - y a season before| of what it learned from
	total numeric, total_lo80 numeric, total_hi80 numeric, total_lo95 numeric, total_hi95 numeric,
	CHECK (status = 'refused' OR (model IS NOT NULL AND train_from IS NOT NULL AND total IS NOT NULL)),
	CHECK (status = 'ready' OR reason IS NOT NULL)
);
CREATE INDEX forecast_run_of ON forecast_run (metric, granularity, currency, made_at);
CREATE INDEX forecast_run_asked ON forecast_run (made_at) WHERE origin = 'asked';
CREATE INDEX forecast_run_night ON forecast_run
	(metric, granularity, currency, coalesce(location_id, -1), coalesce(item_id, ''), first_target, made_at) WHERE origin = 'night';

-- Its points. They only grow: what was said stays, what came of it is filled in.
CREATE TABLE forecast_history (
	forecast_id bigint NOT NULL REFERENCES forecast_run,
	lead smallint NOT NULL CHECK (lead > 0), -- 1: the first step
	target_date date NOT NULL,           -- business day; of a week its Monday
	target_hour smallint NOT NULL DEFAULT -1 CHECK (target_hour BETWEEN -1 AND 23), -- wall clock; -1: the whole day
	value numeric NOT NULL,
	lo80 numeric NOT NULL, hi80 numeric NOT NULL, lo95 numeric NOT NULL, hi95 numeric NOT NULL,
	naive numeric NOT NULL,              -- what the same slot a season before would say
	closed boolean NOT NULL DEFAULT false,
	-- value = base + season + trend + holiday, to rounding
	base numeric NOT NULL, season numeric NOT NULL, trend numeric NOT NULL, holiday numeric NOT NULL,
	holiday_name text,
	actual numeric,                      -- once the step is over
	error numeric,                       -- value - actual
	filled_at timestamptz,
	PRIMARY KEY (forecast_id, lead)
);
CREATE INDEX forecast_history_target ON forecast_history (target_date);
CREATE INDEX forecast_history_open ON forecast_history (target_date) WHERE actual IS NULL;

CREATE FUNCTION forecast_history_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		new.actual := coalesce(new.actual, old.actual);
		new.error := new.value - new.actual;
		IF (new.forecast_id, new.lead, new.target_date, new.target_hour, new.value, new.lo80, new.hi80, new.lo95,
		    new.hi95, new.naive, new.closed, new.base, new.season, new.trend, new.holiday, new.holiday_name)
		   IS NOT DISTINCT FROM
		   (old.forecast_id, old.lead, old.target_date, old.target_hour, old.value, old.lo80, old.hi80, old.lo95,
		    old.hi95, old.naive, old.closed, old.base, old.season, old.trend, old.holiday, old.holiday_name) THEN
			RETURN new;
		END IF;
	END IF;
	RAISE EXCEPTION 'forecast_history only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER forecast_history_keep BEFORE UPDATE OR DELETE ON forecast_history
	FOR EACH ROW EXECUTE FUNCTION forecast_history_keep();
CREATE TRIGGER forecast_history_keep_all BEFORE TRUNCATE ON forecast_history
	FOR EACH STATEMENT EXECUTE FUNCTION forecast_history_keep();

-- What came of one step, by the rules in force; NULL as long as a day of it is not computed. Of an
-- item nobody bought that is 0.
CREATE FUNCTION forecast_actual(of_metric text, of_granularity text, code text, location int, item text, first_day date,
                                at_hour smallint, profile text) RETURNS numeric
LANGUAGE plpgsql STABLE AS $$
DECLARE
	days int := CASE of_granularity WHEN 'week' THEN 7 ELSE 1 END;
	last_day date := first_day + days - 1;
	computed int;
	found numeric;
BEGIN
	-- A branch for each shape, so that each has the plan it needs.
	IF of_granularity = 'hour' AND location IS NULL THEN
		SELECT sum(CASE of_metric WHEN 'revenue' THEN revenue_minor WHEN 'placed_orders' THEN order_count
		                          ELSE orders_shown(profile, served_count, order_count) END)
		INTO found FROM hourly_order_cache WHERE business_date = first_day AND hour = at_hour AND currency = code;
		RETURN found;
	ELSIF of_granularity = 'hour' THEN
		SELECT CASE of_metric WHEN 'revenue' THEN revenue_minor WHEN 'placed_orders' THEN order_count
		                      ELSE orders_shown(profile, served_count, order_count) END
		INTO found FROM hourly_order_cache
		WHERE business_date = first_day AND hour = at_hour AND currency = code AND location_id = location;
		RETURN found;
	ELSIF location IS NULL THEN
		SELECT count(DISTINCT business_date),
		       sum(CASE of_metric WHEN 'revenue' THEN revenue_minor WHEN 'placed_orders' THEN order_count WHEN 'items_sold' THEN item_qty
		                          ELSE orders_shown(profile, served_count, order_count) END)
		INTO computed, found FROM daily_revenue_cache WHERE business_date BETWEEN first_day AND last_day AND currency = code;
	ELSE
		SELECT count(DISTINCT business_date),
		       sum(CASE of_metric WHEN 'revenue' THEN revenue_minor WHEN 'placed_orders' THEN order_count WHEN 'items_sold' THEN item_qty
		                          ELSE orders_shown(profile, served_count, order_count) END)
		INTO computed, found FROM daily_revenue_cache
		WHERE business_date BETWEEN first_day AND last_day AND currency = code AND location_id = location;
	END IF;
	IF computed < days THEN
		RETURN NULL;
	ELSIF item IS NULL THEN
		RETURN found;
	END IF;
	SELECT coalesce(sum(CASE of_metric WHEN 'revenue' THEN revenue_minor WHEN 'quantity' THEN quantity ELSE order_count END), 0)
	INTO found FROM item_sales_cache
	WHERE item_id = item AND business_date BETWEEN first_day AND last_day AND currency = code
	  AND (location IS NULL OR location_id = location);
	RETURN found;
END
$$;

-- What nights said about steps of the last `days` computed days, and what came of it: each target
-- and lead once, by the shortest horizon that reaches so far (its models were weighed for that),
-- the newest of equals. location NULL: all of them together; item NULL: not of one item.
CREATE FUNCTION forecast_judged(of_metric text, of_granularity text, code text, location int, item text, days int)
RETURNS TABLE (target_date date, target_hour smallint, lead smallint, forecast_id bigint, made_at timestamptz, value numeric,
               lo80 numeric, hi80 numeric, lo95 numeric, hi95 numeric, naive numeric, closed boolean, actual numeric,
               error numeric, scale numeric)
LANGUAGE sql STABLE AS $$
	SELECT DISTINCT ON (h.target_date, h.target_hour, h.lead)
	       h.target_date, h.target_hour, h.lead, r.forecast_id, r.made_at, h.value, h.lo80, h.hi80, h.lo95, h.hi95, h.naive,
	       h.closed, h.actual, h.error, r.scale
	FROM forecast_run r JOIN forecast_history h USING (forecast_id)
	WHERE r.origin = 'night' AND r.status = 'ready' AND r.metric = of_metric AND r.granularity = of_granularity
	  AND r.currency = code AND coalesce(r.location_id, -1) = coalesce(location, -1) AND coalesce(r.item_id, '') = coalesce(item, '')
	  AND r.first_target > (SELECT max(business_date) FROM daily_revenue_cache) - days - r.horizon
	  AND h.actual IS NOT NULL
	  AND h.target_date > (SELECT max(business_date) FROM daily_revenue_cache) - days
	ORDER BY h.target_date, h.target_hour, h.lead, r.horizon, r.forecast_id DESC
$$;

-- How good that was. Parts of 1; bias is positive where forecasts were too high; mase is the mean
-- error in units of the seasonal naive's in-sample error; coverage is of steps not forecast as
-- closed; won: less error than the naive had. NULL where there is nothing to divide by.
CREATE FUNCTION forecast_accuracy(of_metric text, of_granularity text, code text, location int, item text, days int)
RETURNS TABLE (lead smallint, n bigint, wape numeric, bias numeric, coverage80 numeric, coverage95 numeric,
               naive_wape numeric, mase numeric, naive_mase numeric, won boolean)
LANGUAGE sql STABLE AS $$
	SELECT j.lead, count(*), sum(abs(error)) / nullif(sum(abs(actual)), 0), sum(error) / nullif(sum(abs(actual)), 0),
	       avg((actual BETWEEN lo80 AND hi80)::int) FILTER (WHERE NOT closed),
	       avg((actual BETWEEN lo95 AND hi95)::int) FILTER (WHERE NOT closed),
	       sum(abs(naive - actual)) / nullif(sum(abs(actual)), 0), avg(abs(error) / nullif(scale, 0)),
	       avg(abs(naive - actual) / nullif(scale, 0)), sum(abs(error)) < sum(abs(naive - actual))
	FROM forecast_judged(of_metric, of_granularity, code, location, item, days) j
	GROUP BY j.lead ORDER BY j.lead
$$;

-- The same in one row, of leads up to `leads` (NULL: all); n is 0 where nothing is over yet.
CREATE FUNCTION forecast_record(of_metric text, of_granularity text, code text, location int, item text, days int, leads int)
RETURNS TABLE (n bigint, first_date date, last_date date, wape numeric, bias numeric, coverage80 numeric,
               coverage95 numeric, naive_wape numeric, mase numeric, naive_mase numeric, won boolean)
LANGUAGE sql STABLE AS $$
	SELECT count(*), min(target_date), max(target_date), sum(abs(error)) / nullif(sum(abs(actual)), 0),
	       sum(error) / nullif(sum(abs(actual)), 0),
	       avg((actual BETWEEN lo80 AND hi80)::int) FILTER (WHERE NOT closed),
	       avg((actual BETWEEN lo95 AND hi95)::int) FILTER (WHERE NOT closed),
	       sum(abs(naive - actual)) / nullif(sum(abs(actual)), 0), avg(abs(error) / nullif(scale, 0)),
	       avg(abs(naive - actual) / nullif(scale, 0)), sum(abs(error)) < sum(abs(naive - actual))
	FROM forecast_judged(of_metric, of_granularity, code, location, item, days) j
	WHERE leads IS NULL OR j.lead <= leads
$$;

-- What each step should have been, by those before and after it; replaced by every run for the
-- days it looks at.
CREATE TABLE expected_cache (
	metric text NOT NULL,                -- revenue, orders
	granularity text NOT NULL CHECK (granularity IN ('hour', 'day')),
	location_id integer NOT NULL,        -- -1: all of them
	currency text NOT NULL,
	target_date date NOT NULL,
	target_hour smallint NOT NULL DEFAULT -1 CHECK (target_hour BETWEEN -1 AND 23),
	actual numeric NOT NULL,
	expected numeric NOT NULL, lo numeric NOT NULL, hi numeric NOT NULL,
	score numeric NOT NULL,              -- robust z, signed
	p numeric NOT NULL,
	flagged boolean NOT NULL,
	run_id bigint NOT NULL,
	PRIMARY KEY (metric, granularity, location_id, currency, target_date, target_hour)
);

-- Steps that were not what they should have been, one row an incident.
CREATE TABLE anomaly (
	anomaly_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	metric text NOT NULL,
	granularity text NOT NULL CHECK (granularity IN ('hour', 'day')),
	location_id integer NOT NULL,        -- -1: all of them
	currency text NOT NULL,
	first_date date NOT NULL, first_hour smallint NOT NULL DEFAULT -1,
	last_date date NOT NULL, last_hour smallint NOT NULL DEFAULT -1,
	worst_date date NOT NULL, worst_hour smallint NOT NULL DEFAULT -1,
	steps integer NOT NULL CHECK (steps > 0),
	kind text NOT NULL CHECK (kind IN ('spike', 'drop', 'outage', 'level_shift')),
	-- of the worst step
	actual numeric NOT NULL, expected numeric NOT NULL, lo numeric NOT NULL, hi numeric NOT NULL,
	score numeric NOT NULL, p numeric NOT NULL,
	alert boolean NOT NULL,              -- worth a message
	contribution jsonb NOT NULL DEFAULT '[]', -- [{"dimension": "item", "id", "name", "actual", "expected", "share"}, ...]
	special_name text,                   -- the named day it fell on
	run_id bigint NOT NULL,
	noticed_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (metric, granularity, location_id, currency, first_date, first_hour)
);
CREATE INDEX anomaly_last ON anomaly (last_date);

-- How far the nights have come: figures of which version forecasts were made from and judged, and
-- the run up to whose days forecasts have their actual values.
ALTER TABLE site ADD forecast_version bigint, ADD anomaly_version bigint, ADD filled_run bigint NOT NULL DEFAULT 0;

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
