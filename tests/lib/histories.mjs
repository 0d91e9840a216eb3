// histories.mjs: orders and what becomes of them, told in three ways: as SQL, as order events, and as
// Debezium's envelopes.

// mulberry32: the same seed, the same numbers.
export function randomOf(seed) {
	let a = seed >>> 0
	return () => {
		a = (a + 0x6d2b79f5) >>> 0
		let t = Math.imul(a ^ (a >>> 15), a | 1)
		t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
	}
}

export function shuffled(list, random) {
	const all = [...list]
	for (let i = all.length - 1; i > 0; i--) {
		const k = Math.floor(random() * (i + 1));
		[all[i], all[k]] = [all[k], all[i]]
	}
	return all
}

const DIGITS = { EUR: 2, USD: 2, JPY: 0, KWD: 3 }
const CURRENCIES = ['EUR', 'EUR', 'EUR', 'USD', 'JPY', 'KWD']

export const TABLES = `
	CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL, total_amount numeric(14,3), created_at timestamptz, updated_at timestamptz,
		cancelled_at timestamptz, location_id int, currency text, customer_id text, tax numeric(12,3));
	CREATE INDEX orders_created ON orders (created_at);
	CREATE TABLE order_items (id bigint PRIMARY KEY, order_id bigint NOT NULL, item_id text, name text, quantity numeric, unit_price numeric(12,4));
	CREATE INDEX items_order ON order_items (order_id);
	CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,3), created_at timestamptz);`

const iso = (ms) => (ms === null ? null : new Date(ms).toISOString())

// One step of an order: what it was and is, with its lines and refunds, numbered within the order.
// Steps of all orders in the order of their time. `ranges`: [[from, to], ...] in ms, of when orders are placed.
export function histories({ seed, count, ranges, refunds = false }) {
	const random = randomOf(seed)
	const pick = (list) => list[Math.floor(random() * list.length)]
	const steps = []
	const total = (digits) => (1 + random() * 90).toFixed(digits)
	const lineOf = (id) => ({ id, item_id: `dish${Math.floor(random() * 9)}`, quantity: pick(['1', '2', '3', '0.5', '12']), unit_price: (random() * 20).toFixed(pick([2, 2, 3, 4])) })
	for (let i = 0; i < count; i++) {
		const [from, to] = ranges[i % ranges.length]
		const placed = from + Math.floor(random() * (to - from))
		const currency = pick(CURRENCIES), digits = DIGITS[currency]
		let now = { id: 1000 + i, status: 'PLACED', total: total(digits), placed, updated: placed, cancelled: null, location: 1 + Math.floor(random() * 3),
			currency, customer: `c${Math.floor(random() * 40)}`, tax: (random() * 3).toFixed(digits), lines: [], refunds: [] }
		for (let k = 1 + Math.floor(random() * 3); k > 0; k--) now.lines.push(lineOf(now.id * 100 + k))
		let at = placed, n = 0
		const step = (kind, changes) => {
			const was = n ? now : null
			now = { ...now, ...changes, updated: at }
			steps.push({ kind, at, nth: ++n, was, now: kind === 'delete' ? null : now })
		}
		step('create', {})
		const later = () => { at += 60_000 + Math.floor(random() * (random() < 0.2 ? 3 * 86_400_000 : 3_600_000)) }
		if (random() < 0.5) { later(); step('status', { status: 'PREPARING' }) }
		if (random() < 0.15) {
			later()
			const lines = now.lines.slice(random() < 0.4 ? 1 : 0).map((l) => ({ ...l, quantity: pick(['4', '5']) }))
			step('edit', { total: total(digits), lines: random() < 0.5 ? [...lines, lineOf(now.id * 100 + 50)] : lines })
		}
		later()
		if (random() < 0.15) step('cancel', { status: 'CANCELLED', cancelled: at })
		else if (random() < 0.9) step('status', { status: 'SERVED' })
		if (refunds && random() < 0.2) { later(); step('refund', { refunds: [{ id: now.id * 10, amount: (random() * 5).toFixed(digits), at }] }) }
		if (random() < 0.04) { later(); step('delete', {}) }
	}
	return steps.sort((a, b) => a.at - b.at || a.nth - b.nth)
}

// ---- SQL ------------------------------------------------------------------------

const q = (v) => (v === null ? 'NULL' : `'${v}'`)

function sqlOfLines(was, now) {
	const before = new Map((was?.lines ?? []).map((l) => [l.id, l])), after = new Map((now?.lines ?? []).map((l) => [l.id, l]))
	const order = (now ?? was).id
	let sql = ''
	for (const id of before.keys()) if (!after.has(id)) sql += `DELETE FROM order_items WHERE id = ${id};\n`
	for (const [id, l] of after) {
		if (!before.has(id)) sql += `INSERT INTO order_items VALUES (${id}, ${order}, '${l.item_id}', 'Dish ${l.item_id}', ${l.quantity}, ${l.unit_price});\n`
		else if (before.get(id).quantity !== l.quantity) sql += `UPDATE order_items SET quantity = ${l.quantity} WHERE id = ${id};\n`
	}
	return sql
}

export function sqlOf({ was, now }) {
	const lines = sqlOfLines(was, now)
	if (!now) return `BEGIN;\n${lines}DELETE FROM order_refunds WHERE order_id = ${was.id}; DELETE FROM orders WHERE id = ${was.id};\nCOMMIT;\n`
	const order = was
		? `UPDATE orders SET status = '${now.status}', total_amount = ${now.total}, updated_at = '${iso(now.updated)}', cancelled_at = ${q(iso(now.cancelled))} WHERE id = ${now.id};\n`
		: `INSERT INTO orders VALUES (${now.id}, '${now.status}', ${now.total}, '${iso(now.placed)}', '${iso(now.updated)}', NULL, ${now.location}, '${now.currency}', '${now.customer}', ${now.tax});\n`
	const refunds = now.refunds.filter((r) => !was?.refunds.includes(r)).map((r) => `INSERT INTO order_refunds VALUES (${r.id}, ${now.id}, ${r.amount}, '${iso(r.at)}');\n`)
	return `BEGIN;\n${order}${lines}${refunds.join('')}COMMIT;\n`
}

// ---- order events: { key, value } -------------------------------------------------

export function eventOf({ kind, at, nth, was, now }) {
	const id = String((now ?? was).id)
	const base = { order_id: id, version: nth, occurred_at: iso(at) }
	const value = kind === 'delete' ? { event_type: 'OrderDeletedEvent', ...base }
		: kind === 'status' ? { event_type: 'OrderStatusChangedEvent', ...base, old_status: was.status, new_status: now.status }
			: kind === 'cancel' ? { event_type: 'OrderCancelledEvent', ...base, cancelled_at: iso(now.cancelled), reason: 'guest left' }
				: { event_type: 'OrderCreatedEvent', ...base, created_at: iso(now.placed), status: now.status, total_amount: now.total, currency: now.currency,
					location_id: now.location, customer_id: now.customer, tax_amount: now.tax,
					items: now.lines.map((l) => ({ product_id: l.item_id, name: `Dish ${l.item_id}`, quantity: l.quantity, unit_price: l.unit_price })) }
	return { key: id, value }
}

// ---- Debezium's envelopes: [{ table, key, value }] ----------------------------------

const rowOfOrder = (o) => ({ id: o.id, status: o.status, total_amount: o.total, created_at: iso(o.placed), updated_at: iso(o.updated), cancelled_at: iso(o.cancelled),
	location_id: o.location, currency: o.currency, customer_id: o.customer, tax: o.tax })
const rowOfLine = (o, l) => ({ id: l.id, order_id: o.id, item_id: l.item_id, name: `Dish ${l.item_id}`, quantity: l.quantity, unit_price: l.unit_price })
const rowOfRefund = (o, r) => ({ id: r.id, order_id: o.id, amount: r.amount, created_at: iso(r.at) })

export function envelope(table, op, row, lsn, ms) {
	const gone = op === 'd'
	return { table, key: { id: row.id }, value: { op, before: gone ? row : null, after: gone ? null : row, ts_ms: ms,
		source: { connector: 'postgresql', schema: 'public', table, lsn, ts_ms: ms } } }
}

// `lsn`: of the step's transaction; those of its rows follow it closely.
export function envelopesOf({ was, now, at }, lsn) {
	const rows = [] // [table, row before, row after]
	const push = (table, list, before, after, row) => {
		for (const x of before) if (!after.some((y) => y.id === x.id)) rows.push([table, row(was, x), null])
		for (const x of after) {
			const old = before.find((y) => y.id === x.id)
			if (JSON.stringify(old) !== JSON.stringify(x)) rows.push([table, old ? row(was, old) : null, row(now, x)])
		}
	}
	if (now) rows.push(['orders', was ? rowOfOrder(was) : null, rowOfOrder(now)])
	push('order_items', 'lines', was?.lines ?? [], now?.lines ?? [], rowOfLine)
	push('order_refunds', 'refunds', was?.refunds ?? [], now?.refunds ?? [], rowOfRefund)
	if (!now) rows.push(['orders', rowOfOrder(was), null])
	return rows.map(([table, before, after], i) => envelope(table, after ? (before ? 'u' : 'c') : 'd', after ?? before, lsn + i, at))
}

// Of the orders that are there at the end, what a snapshot would read.
export function snapshotOf(steps, lsn, ms) {
	const last = new Map(steps.map((s) => [(s.now ?? s.was).id, s.now]))
	const found = []
	for (const o of last.values()) {
		if (!o) continue
		found.push(envelope('orders', 'r', rowOfOrder(o), lsn, ms))
		for (const l of o.lines) found.push(envelope('order_items', 'r', rowOfLine(o, l), lsn, ms))
		for (const r of o.refunds) found.push(envelope('order_refunds', 'r', rowOfRefund(o, r), lsn, ms))
	}
	return found
}
