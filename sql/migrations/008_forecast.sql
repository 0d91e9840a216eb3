-- What is expected, and what came of it. Amounts of money are minor units here as
-- everywhere; counts may have decimals, as an expected value has.

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
	metric text NOT NULL,                -- revenue, orders, quantity; by order date
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

CREATE FUNCTION forecast_history_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		new.actual := coalesce(new.actual, old.actual);
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
