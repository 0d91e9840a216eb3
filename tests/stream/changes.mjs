// changes.mjs: random changes of orders, and what they add up to: worked out here from the set of changes
// alone, without a thought of how takings-stream does it.

export const ROW = 1n << 62n
const WORDS = ['pending', 'paid', 'processing', 'completed', 'cancelled', 'failed', 'Odd one', '']
const COUNTED = new Set(['pending', 'paid', 'processing', 'completed'])
const EXPONENT = { JPY: 0, KWD: 3 }
const exponent = (currency) => EXPONENT[currency] ?? 2

const ORDER_FIELDS = ['total', 'currency', 'location', 'customer', 'discount', 'tax', 'shipping', 'tip', 'placed']
const STATUS_FIELDS = ['status_word', 'cancelled']
const FIELDS = { line: ['order_id', 'item', 'name', 'quantity', 'price', 'amount'], refund: ['order_id', 'amount', 'refunded'] }

// ---- random changes -------------------------------------------------------------

// Both changes of the clock of 2025 in Berlin, and a day without one; hours around the cutoff.
const DAYS = [Date.UTC(2025, 2, 29, 20), Date.UTC(2025, 9, 25, 20), Date.UTC(2025, 5, 1, 20)]

class Maker {
	constructor(random, orders) {
		this.random = random
		this.orders = orders
		this.clock = 0
		this.changes = []
	}

	int(n) { return Math.floor(this.random() * n) }
	pick(list) { return list[this.int(list.length)] }
	chance(p) { return this.random() < p }
	some(p, value, other = null) { return this.chance(p) ? value : other }

	time() { return this.pick(DAYS) * 1000 + this.int(16 * 3600) * 1e6 + this.int(1e6) }

	// Versions in the order of making; rows outrank events.
	version(row) {
		this.clock += 1 + this.int(3)
		return row ? [String(ROW + BigInt(this.clock)), String(this.clock * 2048)] : [0, String(this.clock * 2048)]
	}

	decimal(digits) { return (this.int(20000) / 10 ** this.int(digits + 1)).toFixed(this.int(digits + 1)) }

	orderFields() {
		return { total: this.some(0.95, this.int(100000)), currency: this.pick(['EUR', 'EUR', 'JPY', 'KWD']), location: this.int(3),
			customer: this.some(0.8, `c${this.int(5)}`), discount: this.some(0.5, this.int(300)), tax: this.some(0.5, this.int(900)),
			shipping: this.some(0.3, this.int(500)), tip: this.some(0.2, this.int(200)), placed: this.some(0.95, this.time()) }
	}

	// Now and then not all of them.
	part(fields) {
		if (this.chance(0.7)) return fields
		return Object.fromEntries(Object.entries(fields).filter(() => this.chance(0.6)))
	}

	statusFields() { return { status_word: this.pick(WORDS), cancelled: this.some(0.3, this.time()) } }

	lineFields(order) {
		return { order_id: order, item: this.some(0.95, `p${this.int(6)}`), name: this.some(0.9, `Name ${this.int(4)}`),
			quantity: this.some(0.95, this.decimal(3)), price: this.some(0.9, this.decimal(4)), amount: this.some(0.2, this.decimal(4)) }
	}

	put(change) { this.changes.push(change) }

	created(id) {
		const birth = this.version(false)
		const fields = this.orderFields()
		delete fields.tip
		this.put({ kind: 'order', id, birth, status: birth, status_word: 'pending', ...fields })
		for (let i = this.int(4); i > 0; i--)
			this.put({ kind: 'line', id: `event:${id}#${i}`, birth, event: true, ...this.lineFields(id) })
	}

	statusEvent(id) {
		const cancelled = this.chance(0.3)
		this.put({ kind: 'order', id, status: this.version(false), ...(cancelled ? { status_word: 'cancelled', cancelled: this.time() }
			: { status_word: this.pick(WORDS) }) })
	}

	row(id) {
		const birth = this.version(true)
		if (this.chance(0.1)) this.put({ kind: 'order', id, birth, status: birth, deleted: true })
		else this.put({ kind: 'order', id, birth, status: birth, ...this.part({ ...this.orderFields(), ...this.statusFields() }) })
	}

	lineRow(order) {
		const change = { kind: 'line', id: `line${this.int(this.orders * 2)}`, birth: this.version(true) }
		if (this.chance(0.15)) this.put({ ...change, deleted: true })
		else this.put({ ...change, ...this.part(this.lineFields(order)) })
	}

	refund(order) {
		const change = { kind: 'refund', id: `refund${this.int(this.orders)}`, birth: this.version(true) }
		if (this.chance(0.1)) this.put({ ...change, deleted: true })
		else this.put({ ...change, ...this.part({ order_id: order, amount: this.some(0.95, this.decimal(4)), refunded: this.some(0.9, this.time()) }) })
	}

	make(n) {
		const kinds = ['created', 'statusEvent', 'statusEvent', 'row', 'row', 'lineRow', 'lineRow', 'refund']
		while (this.changes.length < n) this[this.pick(kinds)](`order${this.int(this.orders)}`)
		return this.changes
	}
}

export const makeChanges = (random, orders, n) => new Maker(random, orders).make(n)

export function shuffled(random, list) {
	const out = [...list]
	for (let i = out.length - 1; i > 0; i--) {
		const k = Math.floor(random() * (i + 1))
		;[out[i], out[k]] = [out[k], out[i]]
	}
	return out
}

// ---- the state: each field from the newest change that says it -------------------------

const key = (version) => (BigInt(version[0]) << 64n) + BigInt(version[1])

function newest(changes, register, field) {
	let best = null
	for (const c of changes)
		if (c[register] && (c.deleted || field in c) && (!best || key(c[register]) > key(best[register]))) best = c
	return best === null ? undefined : best.deleted ? null : best[field] ?? null
}

function latest(changes, register) {
	return changes.filter((c) => c[register]).sort((a, b) => (key(a[register]) < key(b[register]) ? 1 : -1))[0]
}

function grouped(changes, kind) {
	const found = new Map()
	for (const c of changes) if (c.kind === kind) found.set(c.id, [...(found.get(c.id) ?? []), c])
	return found
}

function stateOf(id, changes, fields) {
	const state = { id }
	for (const f of fields) state[f] = newest(changes, STATUS_FIELDS.includes(f) ? 'status' : 'birth', f) ?? null
	const birth = latest(changes, 'birth')
	state.born = birth !== undefined
	state.deleted = birth?.deleted ?? false
	state.event = birth?.event ?? false
	state.version = birth ? key(birth.birth) : null
	return state
}

// ---- the figures ---------------------------------------------------------------------

const SCALE = 12
function scaled(text) {
	const [whole, part = ''] = text.replace('-', '').split('.')
	const n = BigInt(whole + part.padEnd(SCALE, '0'))
	return text.startsWith('-') ? -n : n
}

function plain(n) {
	const text = (n < 0n ? -n : n).toString().padStart(SCALE + 1, '0')
	const out = `${text.slice(0, -SCALE)}.${text.slice(-SCALE)}`.replace(/\.?0+$/, '')
	return n < 0n ? `-${out}` : out
}

function minor(amount, currency) {
	const unit = 10n ** BigInt(SCALE - exponent(currency))
	const n = scaled(amount)
	const down = n / unit
	const rest = (n - down * unit) * 2n
	return rest > unit || (rest === unit && down % 2n === 1n) ? down + 1n : down
}

const format = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Berlin', hourCycle: 'h23', year: 'numeric', month: '2-digit',
	day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })

// The wall clock as milliseconds that would read so in UTC.
function wall(us) {
	const p = Object.fromEntries(format.formatToParts(Math.floor(us / 1000)).map((x) => [x.type, Number(x.value)]))
	return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second)
}
const businessDate = (us, cutoff) => new Date(wall(us) - cutoff * 3600e3).toISOString().slice(0, 10)

class Table {
	rows = new Map()

	add(keys, measures) {
		const k = keys.join('|')
		const was = this.rows.get(k) ?? measures.map(() => 0n)
		this.rows.set(k, was.map((v, i) => v + BigInt(measures[i])))
	}

	// Columns in `decimals` are scaled.
	text(decimals = []) {
		return [...this.rows].filter(([, m]) => m.some((v) => v !== 0n))
			.map(([k, m]) => `${k}|${m.map((v, i) => (decimals.includes(i) ? plain(v) : v)).join('|')}`).sort()
	}
}

function lineAmount(l) {
	if (l.amount !== null) return scaled(l.amount)
	return l.quantity !== null && l.price !== null ? scaled(l.quantity) * scaled(l.price) / 10n ** BigInt(SCALE) : 0n
}

function addLines(t, o, day, lines) {
	const seen = new Set()
	for (const l of lines) {
		if (l.order_id !== o.id || l.deleted || (l.event && l.version !== o.version)) continue
		const item = l.item ?? ''
		const measures = [l.quantity === null ? 0n : scaled(l.quantity), lineAmount(l), seen.has(item) ? 0 : 1]
		seen.add(item)
		t.live_item.add([o.location, day, o.currency, item], measures)
		t.live_product.add([o.currency, item], measures)
	}
}

function addOrder(t, o, refunds, lines, { cutoff, counts }) {
	if (!o.born || o.deleted || o.placed === null || o.currency === null || o.location === null) return
	const day = businessDate(o.placed, cutoff)
	const counted = counts(o.status_word ?? '')
	const n = counted ? 1 : 0
	const total = BigInt(o.total ?? 0)
	const own = refunds.filter((r) => counted && r.order_id === o.id && !r.deleted && r.refunded !== null)
		.map((r) => [businessDate(r.refunded, cutoff), r.amount === null ? 0n : minor(r.amount, o.currency)])
	const refund = own.reduce((sum, [, m]) => sum + m, 0n)
	const gross = counted ? total : 0n
	const booked = counted || o.cancelled !== null ? total : 0n
	const extra = [o.discount, o.tax, o.shipping, o.tip].map((v) => (counted ? v ?? 0 : 0))
	t.live_day.add([o.location, day, o.currency], [1, n, gross, refund, booked, ...extra])
	const book = (date, m) => t.live_day.add([o.location, date, o.currency], [0, 0, 0, 0, m, 0, 0, 0, 0])
	for (const [date, m] of own) book(date, -m)
	if (!counted && o.cancelled !== null) book(businessDate(o.cancelled, cutoff), -total)
	t.live_status.add([o.location, day, o.currency, o.status_word ?? ''], [1])
	const local = wall(o.placed)
	t.live_hour.add([o.location, Math.floor(o.placed / 1e6) - (local / 1000) % 3600, o.currency, day, (local / 3600e3) % 24 | 0], [1, n, gross, refund])
	t.live_minute.add([o.location, Math.floor(o.placed / 60e6) * 60, o.currency], [1, total, n, gross])
	if (o.customer !== null) t.live_customer.add([o.currency, o.customer], [1, n, gross - refund])
	if (counted) addLines(t, o, day, lines)
}

function names(changes) {
	const best = new Map()
	for (const c of changes)
		if (c.kind === 'line' && !c.deleted && c.item && c.name && !(key(best.get(c.item)?.birth ?? [-1, -1]) >= key(c.birth))) best.set(c.item, c)
	return [...best].map(([item, c]) => `${item}|${c.name}`).sort()
}

// The live tables as lines of text, by table.
export function figures(changes, { cutoff = 4, counts = (word) => COUNTED.has(word) } = {}) {
	const t = Object.fromEntries(['live_day', 'live_status', 'live_hour', 'live_minute', 'live_item', 'live_product', 'live_customer']
		.map((name) => [name, new Table()]))
	const all = (kind, fields) => [...grouped(changes, kind)].map(([id, list]) => stateOf(id, list, fields))
	const orders = all('order', [...ORDER_FIELDS, ...STATUS_FIELDS]), lines = all('line', FIELDS.line), refunds = all('refund', FIELDS.refund)
	for (const o of orders) addOrder(t, o, refunds, lines, { cutoff, counts })
	const out = Object.fromEntries(Object.entries(t).map(([name, table]) => [name, table.text(/item|product/.test(name) ? [0, 1] : [])]))
	out.live_item_name = names(changes)
	return out
}

const FIGURES = {
	live_day: 'location_id, business_date, currency, placed, counted, gross_minor, refund_minor, booked_minor, discount_minor, tax_minor, shipping_minor, tip_minor',
	live_status: 'location_id, business_date, currency, status, orders',
	live_hour: 'location_id, extract(epoch FROM hour_at)::bigint, currency, business_date, hour, placed, counted, gross_minor, refund_minor',
	live_minute: 'location_id, extract(epoch FROM minute_at)::bigint, currency, placed, placed_minor, counted, counted_minor',
	live_item: 'location_id, business_date, currency, item_id, quantity, amount, orders',
	live_product: 'currency, item_id, quantity, amount, orders',
	live_customer: 'currency, customer_id, placed, counted, revenue_minor',
	live_item_name: 'item_id, name',
}
export const FIGURE_TABLES = Object.keys(FIGURES)
export const STATE_TABLES = ['order_state', 'order_line_state', 'order_refund_state']

// The same out of the database: one query each.
export const figureSql = Object.entries(FIGURES).map(([name, columns]) =>
	`SELECT '${name}' AS name, concat_ws('|', ${columns}) AS line FROM ${name}`).join(' UNION ALL ')

// All that is the same whatever the way, in one text.
export const digestSql = `SELECT md5(string_agg(t || ' ' || line, E'\\n' ORDER BY t COLLATE "C", line COLLATE "C")) FROM (` +
	STATE_TABLES.map((name) => `SELECT '${name}' AS t, (to_jsonb(x) - 'updated_at')::text AS line FROM ${name} x`).join(' UNION ALL ') +
	' UNION ALL ' + FIGURE_TABLES.map((name) => `SELECT '${name}', (to_jsonb(x) - 'changed_at')::text FROM ${name} x`).join(' UNION ALL ') + ') x'
