-- cohort.sql: cohorts of customers, made by the batch (cohort_...) and asked for by the API (cohort_orders...).

-- name: cohort_due
-- What they are computed from: which orders, by which rules; by the hashes of the days.
SELECT h.hash, h.hash IS DISTINCT FROM (SELECT source_hash FROM cohort_state) AS due
FROM (SELECT md5(concat_ws('|', :recipe::text, :last::date, string_agg(source_hash, '' ORDER BY business_date))) AS hash
      FROM (SELECT business_date, min(source_hash) AS source_hash FROM daily_revenue_cache GROUP BY 1) d) h

-- name: cohort_tables
CREATE TEMP TABLE stage_customer (
	business_date date NOT NULL, currency text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL,
	customer text COLLATE "C" NOT NULL, orders int NOT NULL, amount numeric NOT NULL
);
CREATE TEMP TABLE cohort_status (status text COLLATE "C" PRIMARY KEY, counted boolean NOT NULL);
CREATE TEMP TABLE next_cohort (
	cohort_type text, currency text, cohort date, period integer, customers bigint, orders bigint, revenue_minor bigint
)

-- name: cohort_statuses
SELECT DISTINCT status FROM stage_customer

-- name: cohort_status_put
INSERT INTO cohort_status VALUES (:status, :counted::boolean)

-- name: cohort_ready
DELETE FROM stage_customer s USING cohort_status t WHERE t.status = s.status AND NOT t.counted;
ANALYZE stage_customer

-- name: cohort_unfit
SELECT currency FROM stage_customer WHERE currency !~ '^[A-Z]{3}$' OR abs(amount) >= 1e14 LIMIT 1

-- name: cohort_cells
-- Days of a customer in order, by one sort: of each its periods since the customer's first, and whether it is the customer's first
-- in that cell. What depends on the date alone is computed once a date.
INSERT INTO next_cohort
WITH calendar AS MATERIALIZED (
	SELECT d AS day, d - extract(isodow FROM d)::int + 1 AS week, date_trunc('month', d::timestamp)::date AS month,
	       (extract(year FROM d) * 12 + extract(month FROM d))::int AS month_n
	FROM (SELECT DISTINCT business_date AS d FROM stage_customer) x
), since AS (
	SELECT currency, customer, day, week, month_n, orders, amount, first_value(day) OVER one AS first, first_value(week) OVER one AS first_week,
	       first_value(month) OVER one AS first_month, first_value(month_n) OVER one AS first_month_n
	FROM stage_customer s JOIN calendar c ON c.day = s.business_date
	WHERE customer <> ''
	WINDOW one AS (PARTITION BY customer, currency ORDER BY day)
), counted AS (
	SELECT currency, customer, day, orders, amount, first, first_week AS week, first_month AS month, least(day - first, 90) AS days,
	       least((week - first_week) / 7, 90) AS weeks, least(month_n - first_month_n, 90) AS months
	FROM since
), told AS MATERIALIZED (
	SELECT currency, first, week, month, days, weeks, months, orders, amount,
	       (lag(days) OVER one IS DISTINCT FROM days)::int AS new_day, (lag(weeks) OVER one IS DISTINCT FROM weeks)::int AS new_week,
	       (lag(months) OVER one IS DISTINCT FROM months)::int AS new_month
	FROM counted WINDOW one AS (PARTITION BY customer, currency ORDER BY day)
), cell AS (
	SELECT 'acquisition_day' AS cohort_type, currency, first AS cohort, days AS period, sum(new_day) AS customers, sum(orders) AS orders, sum(amount) AS amount
	FROM told GROUP BY 2, 3, 4
	UNION ALL
	SELECT 'acquisition_week', currency, week, weeks, sum(new_week), sum(orders), sum(amount) FROM told GROUP BY 2, 3, 4
	UNION ALL
	SELECT 'acquisition_month', currency, month, months, sum(new_month), sum(orders), sum(amount) FROM told GROUP BY 2, 3, 4
)
SELECT cohort_type, currency, cohort, period, customers, orders, (amount * 10::numeric ^ money_exponent(currency))::bigint FROM cell

-- name: cohort_drop
-- Only rows that changed are written: most stay as they are.
DELETE FROM cohort_cache c
WHERE NOT EXISTS (SELECT FROM next_cohort n WHERE (n.cohort_type, n.currency, n.cohort, n.period) = (c.cohort_type, c.currency, c.cohort, c.period))

-- name: cohort_write
INSERT INTO cohort_cache AS c
SELECT n.* FROM next_cohort n
ON CONFLICT (cohort_type, currency, cohort, period)
DO UPDATE SET customers = excluded.customers, orders = excluded.orders, revenue_minor = excluded.revenue_minor
WHERE (c.customers, c.orders, c.revenue_minor) <> (excluded.customers, excluded.orders, excluded.revenue_minor)

-- name: cohort_nobody_drop
DELETE FROM cohort_nobody

-- name: cohort_nobody_write
INSERT INTO cohort_nobody
SELECT currency, sum(orders), (sum(amount) * 10::numeric ^ money_exponent(currency))::bigint FROM stage_customer WHERE customer = '' GROUP BY 1

-- name: cohort_state_write
-- Readers hear of it with the commit.
WITH done AS (
	INSERT INTO cohort_state AS s (has_customers, first_day, through, source_hash, run_id)
	SELECT :has_customers::boolean, (SELECT min(business_date) FROM stage_customer), :last::date, :hash::text, :run_id::bigint
	ON CONFLICT (one) DO UPDATE SET has_customers = excluded.has_customers, first_day = excluded.first_day, through = excluded.through,
	                                source_hash = excluded.source_hash, run_id = excluded.run_id, computed_at = now()
	RETURNING 1
)
SELECT pg_notify('takings_data', s.data_version::text) FROM site s, done

-- name: cohort_tables_drop
DROP TABLE IF EXISTS stage_customer, cohort_status, next_cohort

-- name: cohort_scope
-- Of a question about events: the business day of as_of, codes of types, the first day of which anything is kept; and since which day all
-- is known, of days alone and of their events, NULL where that is from the beginning. Days are numbers since 1970-01-01. known: what has no code is
-- there, and one too many.
SELECT business_date(:as_of::timestamptz, c.zone, c.cutoff) - date '1970-01-01' AS last_day,
       (SELECT code FROM activity_type WHERE event_type = :first_event) AS first_code,
       (SELECT code FROM activity_type WHERE event_type = :return_event) AS return_code,
       (SELECT coalesce(max(code), 0) FROM activity_type) = 65534
           AND NOT EXISTS (SELECT FROM unnest(ARRAY[:first_event, :return_event]::text[]) e
                           WHERE e IS NOT NULL AND e NOT IN (SELECT event_type FROM activity_type)) AS known,
       k.days_from - date '1970-01-01' AS days_from, greatest(k.days_from, k.raw_from) - date '1970-01-01' AS events_from,
       d.first_day - date '1970-01-01' AS first_day
FROM activity_site s, activity_clock() c,
     LATERAL (SELECT CASE s.sequenced_from WHEN 'infinity' THEN business_date(now(), c.zone, c.cutoff) + 1 WHEN '-infinity' THEN NULL ELSE s.sequenced_from END AS days_from,
                     CASE WHEN s.raw_from > '-infinity' THEN business_date(s.raw_from - interval '1 microsecond', c.zone, c.cutoff) + 1 END AS raw_from OFFSET 0) k,
     LATERAL (SELECT min(a.business_date) AS first_day FROM generate_series(0, 31) n(shard),
                     LATERAL (SELECT business_date FROM activity_sequence WHERE shard = n.shard ORDER BY business_date LIMIT 1) a) d

-- name: cohort_days
-- When business days begin, from the first to the last number since 1970-01-01, in microseconds since then.
SELECT (extract(epoch FROM business_day_start(c.zone, c.cutoff, date '1970-01-01' + n)) * 1000000)::bigint AS day_us
FROM activity_clock() c, generate_series(:from::int, :to::int) n ORDER BY n

-- name: cohort_orders_state
-- No row before the first run; without `through` they were never computed.
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS as_of, r.timezone AS tz, r.cutoff_hours AS cutoff, u.currency, money_exponent(u.currency) AS digits,
       s.has_customers, s.through, s.through - date '1970-01-01' AS through_n,
       business_date(now(), r.timezone, r.cutoff_hours) - date '1970-01-01' AS today_n
FROM site JOIN rules r USING (rules_id) LEFT JOIN cohort_state s ON true,
     LATERAL (SELECT activity_order_currency(:currency) AS currency OFFSET 0) u

-- name: cohort_orders_cells
SELECT cohort - date '1970-01-01' AS cohort_n, period, customers, orders, revenue_minor
FROM cohort_cache
WHERE cohort_type = :cohort_type AND currency = :currency AND cohort >= :from::date AND cohort < :to::date AND period < :periods::int
