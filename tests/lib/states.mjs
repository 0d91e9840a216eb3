// states.mjs: what takings-stream would have made of a shop's orders, put there by plain SQL.

// The orders, lines and refunds of a PostgreSQL order_db (with currency, location_id, tax, cancelled_at and order_refunds) as states.
export async function putStates(orders, cache, { timezone, cutoff = 0 }) {
	const columns = `o.id, o.status, o.currency, o.location_id, o.total_amount, o.tax, o.created_at, o.cancelled_at`
	await cache.exec(`
		TRUNCATE order_state, order_line_state, order_refund_state;
		DROP TABLE IF EXISTS o, l, r;
		CREATE TABLE o (id text, status text, currency text, location_id int, total numeric, tax numeric, placed timestamptz, cancelled timestamptz);
		CREATE TABLE l (id text, order_id text, item_id text, name text, quantity numeric, price numeric);
		CREATE TABLE r (id text, order_id text, amount numeric, refunded timestamptz);`)
	await cache.copyIn('o', await orders.text(`SELECT ${columns} FROM orders o`))
	await cache.copyIn('l', await orders.text('SELECT id, order_id, item_id, name, quantity, unit_price FROM order_items'))
	await cache.copyIn('r', await orders.text('SELECT id, order_id, amount, created_at FROM order_refunds'))
	await cache.exec(`
		INSERT INTO order_state (order_id, born, birth_major, birth_minor, status_major, status_minor, status, counted, currency,
			location_id, total_minor, tax_minor, placed_at, placed_local, cancelled_at, cancelled_local)
		SELECT id, true, 1, 1, 1, 1, status, status = 'SERVED', currency, location_id, money_minor(total, currency),
			money_minor(tax, currency), placed, placed AT TIME ZONE '${timezone}', cancelled, cancelled AT TIME ZONE '${timezone}' FROM o;
		INSERT INTO order_line_state (line_id, order_id, major, minor, said, item_id, name, quantity, price)
		SELECT id, order_id, 1, 1, 0, item_id, name, quantity, price FROM l;
		INSERT INTO order_refund_state (refund_id, order_id, major, minor, said, amount, refunded_at, refunded_local)
		SELECT id, order_id, 1, 1, 0, amount, refunded, refunded AT TIME ZONE '${timezone}' FROM r;
		UPDATE live_site SET rules_id = (SELECT rules_id FROM site);
		DROP TABLE o, l, r;`)
	await rollUp(cache, { cutoff })
}

// The live tables of days, from the states that are there: what they say by definition.
export async function rollUp(cache, { cutoff = 0 } = {}) {
	const day = (column) => `(${column} - interval '${cutoff} hours')::date`
	await cache.exec(`
		TRUNCATE live_day, live_status, live_hour, live_item;
		CREATE TEMP VIEW placed AS SELECT *, ${day('placed_local')} AS day, extract(hour FROM placed_local)::int AS hour
		FROM order_state WHERE born AND NOT deleted AND placed_local IS NOT NULL;
		CREATE TEMP VIEW refund AS SELECT p.*, ${day('r.refunded_local')} AS refunded_on, money_minor(r.amount, p.currency) AS minor
		FROM placed p JOIN order_refund_state r USING (order_id) WHERE NOT r.deleted AND r.refunded_local IS NOT NULL;
		INSERT INTO live_day
		SELECT location_id, day, currency, sum(placed), sum(counted), sum(gross), sum(refund), sum(booked), 0, sum(tax), 0, 0, now()
		FROM (SELECT location_id, day, currency, 1 AS placed, counted::int AS counted, CASE WHEN counted THEN total_minor ELSE 0 END AS gross, 0 AS refund,
				CASE WHEN counted OR cancelled_local IS NOT NULL THEN total_minor ELSE 0 END AS booked,
				CASE WHEN counted THEN coalesce(tax_minor, 0) ELSE 0 END AS tax FROM placed
			UNION ALL SELECT location_id, ${day('cancelled_local')}, currency, 0, 0, 0, 0, -total_minor, 0 FROM placed WHERE NOT counted AND cancelled_local IS NOT NULL
			UNION ALL SELECT location_id, day, currency, 0, 0, 0, minor, 0, 0 FROM refund WHERE counted
			UNION ALL SELECT location_id, refunded_on, currency, 0, 0, 0, 0, -minor, 0 FROM refund WHERE counted) x
		GROUP BY 1, 2, 3
		HAVING (sum(placed), sum(counted), sum(gross), sum(refund), sum(booked), sum(tax)) <> (0, 0, 0, 0, 0, 0);
		INSERT INTO live_status SELECT location_id, day, currency, status, count(*) FROM placed GROUP BY 1, 2, 3, 4;
		INSERT INTO live_hour
		SELECT location_id, date_trunc('hour', placed_at), currency, day, hour, count(*), count(*) FILTER (WHERE counted),
			coalesce(sum(total_minor) FILTER (WHERE counted), 0),
			coalesce(sum((SELECT sum(minor) FROM refund r WHERE r.order_id = p.order_id)) FILTER (WHERE counted), 0), now()
		FROM placed p GROUP BY 1, 2, 3, 4, 5;
		INSERT INTO live_item
		SELECT location_id, day, currency, item_id, sum(quantity), sum(coalesce(l.amount, quantity * price)), count(DISTINCT order_id)
		FROM placed JOIN order_line_state l USING (order_id)
		WHERE counted AND NOT l.deleted AND (NOT l.event OR (l.major, l.minor) = (birth_major, birth_minor))
		GROUP BY 1, 2, 3, 4;`)
}
