-- Cohorts of customers: what those bought whose first counted order was in the same period, by the batch, from all of order_db.
-- Nothing here says who anybody is. docs/BEHAVIOUR.md, "Cohorts", is the definition.

-- One row, once they were computed.
CREATE TABLE cohort_state (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	has_customers boolean NOT NULL,      -- whether order_db says whose an order is
	first_day date,                      -- business day of the first counted order, of whomever; NULL: there is none
	through date NOT NULL,               -- last business day of the orders
	source_hash text NOT NULL,           -- of the days and rules they were computed from
	run_id bigint NOT NULL,
	computed_at timestamptz NOT NULL DEFAULT now()
);

-- Each currency by itself: its first order is the first one in that currency. Cells that are not there are 0.
CREATE TABLE cohort_cache (
	cohort_type text NOT NULL CHECK (cohort_type IN ('acquisition_day', 'acquisition_week', 'acquisition_month')),
	currency text NOT NULL,
	cohort date NOT NULL,                -- first day of the period
	period integer NOT NULL CHECK (period BETWEEN 0 AND 90), -- after it; 90 is that one and all later ones
	customers bigint NOT NULL,           -- with a counted order in it; of period 0 all of the cohort
	orders bigint NOT NULL,
	revenue_minor bigint NOT NULL,       -- as daily_revenue_cache has it
	PRIMARY KEY (cohort_type, currency, cohort, period)
);

-- Counted orders that say nobody's: with the cells of a type they are all there are.
CREATE TABLE cohort_nobody (
	currency text PRIMARY KEY,
	orders bigint NOT NULL,
	revenue_minor bigint NOT NULL
);
