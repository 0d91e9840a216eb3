// live_tables.mjs: the live tables of an analytics_db, filled by SQL as the stream would fill them: states are
// put in, figures are what they add up to.

const text = (v) => (v === null || v === undefined ? 'NULL' : `'${String(v).replaceAll("'", "''")}'`)

export class LiveTables {
	// `days`: how long ago orders may have been placed.
	constructor(db, days = 45) { Object.assign(this, { db, days }) }

	// Orders: { id, status, counted, total (minor), at (SQL of an instant), currency, location, customer,
	// cancelled (SQL of an instant), lines: [{ item, name, quantity, amount }], refund (major) }.
	async orders(list) {
		let sql = ''
		for (const o of list) {
			const of = { status: 'SERVED', counted: true, currency: 'EUR', location: 0, customer: null, lines: [], ...o }
			sql += `INSERT INTO order_state (order_id, born, status, counted, currency, location_id, customer_id, total_minor, placed_at, cancelled_at, deleted)
				VALUES (${text(of.id)}, true, ${text(of.status)}, ${of.counted}, ${text(of.currency)}, ${of.location}, ${text(of.customer)},
				        ${of.total ?? 'NULL'}, ${of.at}, ${of.cancelled ?? 'NULL'}, ${of.deleted ?? false});\n`
			for (const [i, l] of of.lines.entries())
				sql += `INSERT INTO order_line_state (line_id, order_id, major, minor, said, item_id, name, quantity, amount)
					VALUES ('${of.id}-${i}', ${text(of.id)}, 0, 0, 0, ${text(l.item)}, ${text(l.name ?? l.item)}, ${l.quantity}, ${l.amount});\n`
			if (of.refund) sql += `INSERT INTO order_refund_state (refund_id, order_id, major, minor, said, amount, refunded_at, refunded_local)
				VALUES ('r${of.id}', ${text(of.id)}, 0, 0, 0, ${of.refund}, now(), now() AT TIME ZONE 'UTC');\n`
		}
		await this.db.exec(sql)
		await this.rebuild()
	}

	// All orders of a shop's order_db (tests/lib/shop.mjs) that were placed before `until`.
	async copyShop(orders, until, counted = "status <> 'CANCELLED'") {
		await this.db.copyIn('order_state (order_id, born, status, counted, currency, location_id, total_minor, placed_at)', await orders.text(`
			SELECT id, true, status, ${counted}, 'EUR', 0, (total_amount * 100)::bigint, created_at FROM orders WHERE created_at < ${until}`))
		await this.rebuild()
	}

	async clear() {
		await this.db.exec('TRUNCATE order_state, order_line_state, order_refund_state')
		await this.rebuild()
	}

	// Figures out of the states, said to be of now.
	async rebuild() {
		await this.db.exec(`SET jit = off; BEGIN;
			CREATE TEMP TABLE shift ON COMMIT DROP AS SELECT s.* FROM site JOIN rules r USING (rules_id),
				LATERAL business_shifts(r.timezone, r.cutoff_hours, 'UTC', current_date - ${this.days}, current_date + 2) s;
			UPDATE order_state o SET placed_local = (o.placed_at AT TIME ZONE 'UTC') + make_interval(secs => s.shift_s)
			FROM shift s
			WHERE o.placed_at AT TIME ZONE 'UTC' >= s.clock_from AND o.placed_at AT TIME ZONE 'UTC' < s.clock_to;
			TRUNCATE live_day, live_status, live_hour, live_minute, live_item, live_item_name;
			CREATE TEMP TABLE own AS
			SELECT o.*, (placed_local - make_interval(hours => r.cutoff_hours))::date AS day, date_trunc('hour', placed_local) AS local_hour,
			       coalesce(total_minor, 0) AS total,
			       coalesce((SELECT sum(f.amount) * 10::numeric ^ money_exponent(currency) FROM order_refund_state f WHERE f.order_id = o.order_id), 0)::bigint AS refund
			FROM order_state o, site JOIN rules r USING (rules_id)
			WHERE born AND NOT deleted AND placed_local IS NOT NULL;
			INSERT INTO live_day SELECT location_id, day, currency, count(*), count(*) FILTER (WHERE counted), coalesce(sum(total) FILTER (WHERE counted), 0),
				coalesce(sum(refund) FILTER (WHERE counted), 0), coalesce(sum(total - refund) FILTER (WHERE counted), 0) + 7, 0, 0, 0, 0, now()
			FROM own GROUP BY 1, 2, 3;
			INSERT INTO live_status SELECT location_id, day, currency, coalesce(status, ''), count(*) FROM own GROUP BY 1, 2, 3, 4;
			INSERT INTO live_hour SELECT location_id, placed_at - (placed_local - local_hour), currency, day, extract(hour FROM local_hour), count(*),
				count(*) FILTER (WHERE counted), coalesce(sum(total) FILTER (WHERE counted), 0), coalesce(sum(refund) FILTER (WHERE counted), 0), now()
			FROM own GROUP BY 1, 2, 3, 4, 5;
			INSERT INTO live_item SELECT location_id, day, currency, l.item_id, sum(l.quantity), sum(l.amount), count(DISTINCT l.order_id)
			FROM own JOIN order_line_state l USING (order_id) WHERE own.counted GROUP BY 1, 2, 3, 4;
			INSERT INTO live_item_name SELECT DISTINCT ON (item_id) item_id, name, 0, 0 FROM order_line_state ORDER BY item_id, line_id DESC;
			DROP TABLE own;
			${this.touch()} COMMIT`)
	}

	touch() {
		return `UPDATE live_site SET rules_id = (SELECT rules_id FROM site), live_version = live_version + 1, changed_at = now();
			SELECT pg_notify('takings_live', live_version::text) FROM live_site; ${this.beat()}`
	}

	// The stream's sign of life, so many seconds ago.
	beat(ago = 0, status = 'ok') {
		return `INSERT INTO heartbeat VALUES ('stream', '${status}', 'a secret of the machine', now() - interval '${ago} seconds')
			ON CONFLICT (component) DO UPDATE SET status = excluded.status, at = excluded.at;`
	}
}
