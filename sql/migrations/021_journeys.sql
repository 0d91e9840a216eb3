-- Journeys: what the nights found out about the probability of a purchase within 7 days (docs/BEHAVIOUR.md, "Journeys").
-- Nothing of a person stands here.

-- One row a night that there was activity. Where there was too little of it, `reason` says so and there are no cells.
CREATE TABLE conversion_model (
	model_date date PRIMARY KEY,         -- the last closed business day: what came later was not known
	made_at timestamptz NOT NULL DEFAULT now(),
	reason text,                         -- NULL: there is a table
	from_day date,                       -- the days that were counted, NULL: none
	to_day date,
	days integer NOT NULL,
	people bigint NOT NULL,
	n bigint NOT NULL,                   -- people and days
	converted bigint NOT NULL,
	-- how a table of the first two thirds of the days did on the others; NULL: too few days
	judged_from date,
	judged_n bigint,
	judged_converted bigint,
	brier numeric,
	brier_base numeric,                  -- of always saying base_rate
	base_rate numeric,                   -- of the first two thirds
	deciles jsonb NOT NULL DEFAULT '[]'  -- [{decile, n, converted, said, came}]
);

-- Of each cell, and of those without their last properties, which are NULL.
CREATE TABLE conversion_cell (
	model_date date NOT NULL REFERENCES conversion_model ON DELETE CASCADE,
	step smallint CHECK (step BETWEEN 0 AND 3),
	recency smallint CHECK (recency BETWEEN 0 AND 5),
	buyer boolean,
	n bigint NOT NULL,
	converted bigint NOT NULL,
	p numeric NOT NULL CHECK (p BETWEEN 0 AND 1),
	UNIQUE NULLS NOT DISTINCT (model_date, step, recency, buyer)
);

-- Sessions in which a person did something: the own ones, and others' with these keys, in which several people were (one
-- after the other in the same tab). Bots are not looked for there.
CREATE FUNCTION journey_sessions(person bigint, keys bigint[]) RETURNS SETOF activity_session
LANGUAGE sql STABLE AS $$
	SELECT * FROM activity_session WHERE person_id = person
	UNION ALL
	SELECT s.* FROM unnest(keys) k, LATERAL (SELECT * FROM activity_session x WHERE x.session_key = k AND NOT x.bot AND x.person_id <> person OFFSET 0) s
$$;
