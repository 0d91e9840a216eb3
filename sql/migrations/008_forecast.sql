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

-- What each closed step should have been, judged by the steps before it; replaced by
-- every run for the days it looks at.
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
