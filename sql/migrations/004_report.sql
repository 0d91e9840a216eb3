-- What every answer shares: which days are meant, in which currency, how sure.

-- The days an answer is about and what must be printed with it. A date means that
-- business day; without dates it is the last `days` computed days. No row before
-- the first run.
CREATE FUNCTION report_scope(one_day date, first_day date, final_day date, days int, code text)
RETURNS TABLE (
	from_day date, to_day date,          -- both included
	starts_at timestamptz, ends_at timestamptz, -- the same as half-open instants
	complete boolean,                    -- every one of these days is computed
	days_n int,
	currency text, timezone text, cutoff_hours int, revenue_profile text, counted_statuses text,
	newest_day date, due_day date,       -- last computed, last that should be
	computed_at timestamptz, today date, today_elapsed_s int
)
LANGUAGE sql STABLE AS $$
	WITH base AS MATERIALIZED (
		SELECT r.*, (SELECT max(business_date) FROM daily_revenue_cache) AS newest,
		       coalesce(code,
		                (SELECT x.currency FROM series x WHERE x.currency = r.default_currency LIMIT 1),
		                (SELECT x.currency FROM series x ORDER BY first_date, x.currency LIMIT 1),
		                r.default_currency) AS cur
		FROM site s JOIN rules r USING (rules_id)
	), clock AS MATERIALIZED (
		SELECT d.* FROM base b,
		       LATERAL business_days(b.timezone, b.cutoff_hours, (now() AT TIME ZONE 'UTC')::date - 3,
		                             (now() AT TIME ZONE 'UTC')::date + 1) d
	), span AS MATERIALIZED (
		SELECT coalesce(one_day, first_day, coalesce(final_day, newest) - days + 1) AS a,
		       coalesce(one_day, final_day, newest) AS z
		FROM base
	), edge AS (
		SELECT min(d.starts_at) AS starts_at, max(d.ends_at) AS ends_at
		FROM base b, span,
		     LATERAL (SELECT * FROM business_days(b.timezone, b.cutoff_hours, a, a)
		              UNION ALL SELECT * FROM business_days(b.timezone, b.cutoff_hours, z, z)) d
	), cached AS (
		SELECT count(DISTINCT business_date)::int AS n, max(computed_at) AS computed_at
		FROM daily_revenue_cache, span WHERE business_date BETWEEN a AND z
	)
	SELECT a, z, e.starts_at, e.ends_at, c.n = z - a + 1, z - a + 1, b.cur, b.timezone, b.cutoff_hours::int,
	       b.revenue_profile, b.counted_statuses, b.newest,
	       (SELECT max(business_date) FROM clock WHERE ends_at <= now()),
	       c.computed_at, t.business_date, extract(epoch FROM now() - t.starts_at)::int
	FROM base b, span, edge e, cached c,
	     LATERAL (SELECT * FROM clock k WHERE k.starts_at <= now() AND k.ends_at > now()) t
$$;

-- Growth in percent against a base, two decimals, where both are sums over days_n
-- computed days. NULL where a percentage would mislead, and why:
--   no_base          none of the base's days is computed
--   incomplete       some of the days themselves are not computed
--   incomplete_base  some of the base's days are not computed
--   negative_base    only the absolute change means something
--   new              the base is 0, these days are not
CREATE FUNCTION growth(current numeric, current_n bigint, base numeric, base_n bigint, days_n int)
RETURNS TABLE (rate numeric, status text)
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN word <> 'ok' THEN NULL
	            WHEN base = 0 THEN 0.00
	            ELSE half_even((current - base) / base * 100, 2) END, word
	FROM (SELECT CASE WHEN coalesce(base_n, 0) = 0 THEN 'no_base'
	                  WHEN coalesce(current_n, 0) < days_n THEN 'incomplete'
	                  WHEN base_n < days_n THEN 'incomplete_base'
	                  WHEN base < 0 THEN 'negative_base'
	                  WHEN base = 0 AND current <> 0 THEN 'new'
	                  ELSE 'ok' END AS word) w
$$;

-- What "orders" means: a restaurant's are those served, other profiles' those placed.
CREATE FUNCTION orders_shown(profile text, counted numeric, placed numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT (CASE WHEN profile = 'restaurant' THEN counted ELSE placed END)::bigint
$$;

-- Figures of whole days, over all locations or one.
CREATE FUNCTION report_days(first_day date, final_day date, code text, location int, by_transaction boolean)
RETURNS TABLE (business_date date, revenue_minor numeric, placed numeric, counted numeric, gross_minor numeric,
               refund_minor numeric, item_minor numeric, item_qty numeric)
LANGUAGE sql STABLE AS $$
	SELECT business_date, sum(CASE WHEN by_transaction THEN booked_minor ELSE revenue_minor END), sum(order_count),
	       sum(served_count), sum(gross_minor), sum(refund_minor), sum(item_minor), sum(item_qty)
	FROM daily_revenue_cache
	WHERE business_date BETWEEN first_day AND final_day AND currency = code
	  AND (location IS NULL OR location_id = location)
	GROUP BY business_date
$$;

-- Items from the best, by revenue, quantity or orders; ties by the other measures, then
-- by id. The newest name counts.
CREATE FUNCTION report_items_ranked(first_day date, final_day date, code text, location int, measure text)
RETURNS TABLE (rank bigint, item_id text, name text, quantity numeric, minor numeric, orders bigint)
LANGUAGE sql STABLE AS $$
	SELECT row_number() OVER (ORDER BY
	           CASE measure WHEN 'quantity' THEN i.quantity WHEN 'orders' THEN i.orders ELSE i.minor END DESC,
	           CASE measure WHEN 'revenue' THEN i.quantity ELSE i.minor END DESC, i.item_id), i.*
	FROM (SELECT c.item_id, (array_agg(c.name ORDER BY c.business_date DESC, c.location_id))[1] AS name,
	             sum(c.quantity) AS quantity, sum(c.revenue_minor) AS minor, sum(c.order_count)::bigint AS orders
	      FROM item_sales_cache c
	      WHERE c.business_date BETWEEN first_day AND final_day AND c.currency = code
	        AND (location IS NULL OR c.location_id = location)
	      GROUP BY c.item_id) i
$$;
