// orders.mjs: events of made-up orders, with duplicates, late ones, deletes and poison, and what must
// come of them. Nothing here knows how the program does it: as each order's events are made one after
// the other, the last word about it is known without looking at any version.
import { field } from '../lib/data.mjs'

export const ZONE = 'Europe/Berlin'
export const CUTOFF_H = 4
const FROM_MS = Date.UTC(2025, 9, 20), DAYS = 14 // an hour is there twice in it
const DIGITS = { EUR: 2, JPY: 0, KWD: 3 }
const SHARE = { duplicate: 0.05, late: 0.02, delete: 0.01, poison: 0.005, lostBirth: 0.004 }

export function generator(state) { // mulberry32
	return () => {
		state = (state + 0x6d2b79f5) | 0
		let t = Math.imul(state ^ (state >>> 15), 1 | state)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
}

const decimal = (minor, digits) => (digits === 0 ? String(minor)
	: `${Math.trunc(minor / 10 ** digits)}.${String(minor % 10 ** digits).padStart(digits, '0')}`)

// ---- events -----------------------------------------------------------------------

// Two ways in which applications write the same.
const SNAKE = { type: 'event_type', id: 'order_id', at: 'occurred_at', placed: 'created_at', status: 'new_status', total: 'total_amount',
	customer: 'customer_id', location: 'location_id', item: 'product_id', price: 'unit_price', line: 'line_total', cancelled: 'cancelled_at' }
const CAMEL = { type: 'eventType', id: 'orderId', at: 'timestamp', placed: 'createdAt', status: 'newStatus', total: 'totalAmount',
	customer: 'customerId', location: 'locationId', item: 'productId', price: 'unitPrice', line: 'lineTotal', cancelled: 'cancelledAt' }

// Microseconds since 1970 as ISO 8601.
const iso = (us) => new Date(Math.trunc(us / 1000)).toISOString().replace('Z', `${String(us % 1000).padStart(3, '0')}Z`)

export class Orders {
	// As many events of orders as that, and duplicates and poison besides. Iterated once, then `truth` has it all.
	constructor({ seed, events, partitions = 8 }) {
		this.random = generator(seed)
		this.events = events
		this.partitions = partitions
		this.truth = [] // orders, as all their events leave them
		this.poison = [] // { partition, offset }
		this.counts = { duplicate: 0, late: 0, delete: 0, poison: 0, lostBirth: 0 }
	}

	int(n) { return Math.floor(this.random() * n) }
	pick(list) { return list[this.int(list.length)] }
	chance(what) {
		const hit = this.random() < SHARE[what]
		if (hit) this.counts[what]++
		return hit
	}

	newOrder(serial) {
		const currency = this.random() < 0.9 ? 'EUR' : this.pick(['JPY', 'KWD'])
		const placed = FROM_MS * 1000 + this.int(DAYS * 86_400_000) * 1000 + this.int(1000)
		const lines = []
		for (let n = this.int(5); n > 0; n--) {
			const quantity = this.random() < 0.9 ? String(1 + this.int(4)) : '0.5'
			const price = decimal(1 + this.int(20_000), DIGITS[currency])
			lines.push({ item: `p${this.int(300)}`, name: `Dish ${this.int(300)}`, quantity,
				...(this.random() < 0.8 ? { price } : { line: price }) })
		}
		return { id: `o${serial}`, partition: serial % this.partitions, names: this.pick([SNAKE, CAMEL]), versioned: this.random() < 0.5,
			version: 0, at: placed, placed, currency, location: 1 + this.int(4), customer: this.random() < 0.9 ? `c${this.int(4000)}` : null,
			total: this.int(30_000), tax: this.int(500), tip: this.int(300), lines, born: false, deleted: false, status: null, cancelled: null }
	}

	event(o, type, more) {
		const n = o.names
		const value = { [n.type]: type, [n.id]: o.id, [n.at]: iso(o.at), ...more }
		if (o.versioned) value.version = ++o.version
		return { partition: o.partition, key: o.id, text: JSON.stringify(value) }
	}

	created(o) {
		const n = o.names, digits = DIGITS[o.currency]
		Object.assign(o, { born: true, status: 'CREATED' })
		return this.event(o, 'OrderCreatedEvent', { [n.placed]: iso(o.placed), status: o.status, currency: o.currency, [n.location]: o.location,
			...(o.customer ? { [n.customer]: o.customer } : {}), [n.total]: decimal(o.total, digits), tax: decimal(o.tax, digits),
			tip: decimal(o.tip, digits), items: o.lines.map((l) => ({ [n.item]: l.item, name: l.name, quantity: Number(l.quantity),
				...(l.price ? { [n.price]: l.price } : { [n.line]: l.line }) })) })
	}

	// What happens next to an order; null: nothing more.
	next(o) {
		o.at += 1000 + this.int(3_600_000_000)
		if (this.random() < 1.5 * SHARE.delete) { // of all events: the first of an order is none
			this.counts.delete++
			Object.assign(o, { deleted: true, over: true })
			return this.event(o, 'OrderDeletedEvent', {})
		}
		if (this.random() < 0.12) {
			if (this.random() < 0.3) o.at += 86_400_000_000 * (1 + this.int(3))
			Object.assign(o, { status: 'CANCELLED', cancelled: o.at, over: this.random() < 0.7 })
			return this.event(o, 'OrderCancelledEvent', { reason: 'changed my mind' })
		}
		o.status = this.pick(['PREPARING', 'READY', 'SERVED', 'SERVED'])
		o.cancelled = null
		o.over = o.status === 'SERVED' && this.random() < 0.8
		return this.event(o, 'OrderStatusChangedEvent', { [o.names.status]: o.status })
	}

	poisoned() {
		const id = `bad${this.poison.length}`
		const text = this.pick([`{"event_type":"OrderCreatedEvent","order_id":"${id}"`,
			'{"event_type":"OrderCreatedEvent","occurred_at":"2025-10-21T10:00:00Z","total_amount":"1.00"}',
			`{"event_type":"OrderStatusChangedEvent","order_id":"${id}","occurred_at":"2025-10-21T10:00:00Z"}`,
			`{"event_type":"OrderCreatedEvent","order_id":"${id}","created_at":"2025-10-21T10:00:00Z","total_amount":"a lot"}`,
			`{"event_type":"OrderCreatedEvent","order_id":"${id}","created_at":"some day","total_amount":"1.00"}`])
		return { partition: this.int(this.partitions), key: id, text, poison: true }
	}

	* made() {
		let open = []
		for (let made = 0, serial = 0; made < this.events; made++) {
			if (this.chance('poison')) yield this.poisoned()
			if (open.length < 50 || this.random() < 0.35) {
				const o = this.newOrder(serial++)
				this.truth.push(o)
				open.push(o)
				const birth = this.created(o)
				if (!this.chance('lostBirth')) yield birth
				else o.born = false
				continue
			}
			const i = this.int(Math.min(open.length, 400))
			yield this.next(open[i])
			if (open[i].over) {
				open[i] = open.at(-1)
				open.pop()
			}
		}
	}

	// Messages as they come: some of them twice, some late, a few of these in another partition.
	* [Symbol.iterator]() {
		const offsets = new Array(this.partitions).fill(0)
		const held = new Map() // by the number of the message after which they come
		let n = 0
		const out = (m) => {
			const offset = offsets[m.partition]++
			if (m.poison) this.poison.push({ partition: m.partition, offset })
			n++
			return m
		}
		const hold = (m) => {
			const when = n + 1 + this.int(1000)
			held.set(when, [...held.get(when) ?? [], this.random() < 0.2 ? { ...m, partition: this.int(this.partitions) } : m])
		}
		for (const m of this.made()) {
			if (!m.poison && this.chance('duplicate')) hold(m)
			if (!m.poison && this.chance('late')) hold(m)
			else yield out(m)
			for (; held.has(n); ) {
				const due = held.get(n)
				held.delete(n)
				for (const h of due) yield out(h)
			}
		}
		for (const due of held.values()) for (const h of due) yield out(h)
		this.ends = offsets
		this.messages = n
	}
}

// ---- what must be in the tables ---------------------------------------------------

const shifts = new Map()
// The wall clock of the site, as if it were UTC, in milliseconds.
function wallMs(us) {
	const ms = Math.trunc(us / 1000), hour = Math.trunc(ms / 3_600_000)
	if (!shifts.has(hour)) {
		const text = new Date(hour * 3_600_000).toLocaleString('sv-SE', { timeZone: ZONE })
		shifts.set(hour, Date.parse(`${text.replace(' ', 'T')}Z`) - hour * 3_600_000)
	}
	return ms + shifts.get(hour)
}

const dayOf = (us) => new Date(wallMs(us) - CUTOFF_H * 3_600_000).toISOString().slice(0, 10)
const MILLIONTH = 1_000_000n
function millionths(text) {
	const [whole, part = ''] = text.split('.')
	return BigInt(whole) * MILLIONTH + BigInt(part.padEnd(6, '0'))
}
const exact = (n) => `${n / MILLIONTH}.${String(n % MILLIONTH).padStart(6, '0')}`

class Sums {
	rows = new Map()

	// Adds numbers to the row of this key.
	add(key, numbers) {
		const at = key.join('\t')
		const row = this.rows.get(at) ?? this.rows.set(at, { key, sums: numbers.map((n) => (typeof n === 'bigint' ? 0n : 0)) }).get(at)
		numbers.forEach((n, i) => { row.sums[i] += n })
	}

	* lines() {
		for (const { key, sums } of this.rows.values()) {
			if (sums.every((n) => !n)) continue
			yield [...key, ...sums.map((n) => (typeof n === 'bigint' ? exact(n) : n))]
		}
	}
}

// Tables with the columns of which we know what must be in them.
const TABLES = {
	order_state: ['order_id', 'born', 'deleted', 'status', 'counted', 'currency', 'location_id', 'customer_id', 'total_minor', 'tax_minor',
		'tip_minor', 'placed_at', 'placed_local', 'cancelled_at', 'cancelled_local'],
	order_line_state: ['order_id', 'item_id', 'name', 'quantity', 'price', 'amount'],
	live_day: ['location_id', 'business_date', 'currency', 'placed', 'counted', 'gross_minor', 'refund_minor', 'booked_minor',
		'discount_minor', 'tax_minor', 'shipping_minor', 'tip_minor'],
	live_status: ['location_id', 'business_date', 'currency', 'status', 'orders'],
	live_hour: ['location_id', 'hour_at', 'currency', 'business_date', 'hour', 'placed', 'counted', 'gross_minor', 'refund_minor'],
	live_minute: ['location_id', 'minute_at', 'currency', 'placed', 'placed_minor', 'counted', 'counted_minor'],
	live_item: ['location_id', 'business_date', 'currency', 'item_id', 'quantity', 'amount', 'orders'],
	live_product: ['currency', 'item_id', 'quantity', 'amount', 'orders'],
	live_customer: ['currency', 'customer_id', 'placed', 'counted', 'revenue_minor'],
}

// The rows that count: what is said of orders that are gone or were never born is nobody's business.
const COUNTS = {
	order_state: 'SELECT $ FROM order_state WHERE born AND NOT deleted',
	order_line_state: `SELECT ${TABLES.order_line_state.map((c) => `l.${c}`)} FROM order_line_state l JOIN order_state o USING (order_id)
		WHERE o.born AND NOT o.deleted AND NOT l.deleted`,
}

function countOrder(o, sums) {
	const counted = o.status === 'SERVED' ? 1 : 0
	const day = dayOf(o.placed), where = [o.location, day, o.currency]
	const ms = Math.trunc(o.placed / 1000), money = counted * o.total
	const booked = counted || o.cancelled !== null ? o.total : 0
	sums.live_day.add(where, [1, counted, money, 0, booked, 0, counted * o.tax, 0, counted * o.tip])
	if (!counted && o.cancelled !== null) sums.live_day.add([o.location, dayOf(o.cancelled), o.currency], [0, 0, 0, 0, -o.total, 0, 0, 0, 0])
	sums.live_status.add([...where, o.status], [1])
	const hour = new Date(ms - ms % 3_600_000).toISOString(), minute = new Date(ms - ms % 60_000).toISOString()
	sums.live_hour.add([o.location, hour, o.currency, day, new Date(wallMs(o.placed)).getUTCHours()], [1, counted, money, 0])
	sums.live_minute.add([o.location, minute, o.currency], [1, o.total, counted, money])
	if (o.customer) sums.live_customer.add([o.currency, o.customer], [1, counted, money])
	if (counted) countLines(o, where, sums)
}

function countLines(o, where, sums) {
	const items = new Map()
	for (const l of o.lines) {
		const sum = items.get(l.item) ?? items.set(l.item, [0n, 0n, 1]).get(l.item)
		sum[0] += millionths(l.quantity)
		sum[1] += l.line ? millionths(l.line) : millionths(l.quantity) * millionths(l.price) / MILLIONTH
	}
	for (const [item, sum] of items) {
		sums.live_item.add([...where, item], sum)
		sums.live_product.add([o.currency, item], sum)
	}
}

// Lines of COPY of each table.
function expected(orders) {
	const sums = Object.fromEntries(Object.keys(TABLES).filter((t) => t.startsWith('live_')).map((t) => [t, new Sums()]))
	const states = [], lines = []
	const local = (us) => new Date(wallMs(us)).toISOString().slice(0, 19) // whole seconds, see below
	for (const o of orders.truth) {
		if (!o.born || o.deleted) continue
		countOrder(o, sums)
		states.push([o.id, 't', 'f', o.status, o.status === 'SERVED' ? 't' : 'f', o.currency, o.location, o.customer, o.total, o.tax, o.tip,
			iso(o.placed), local(o.placed), o.cancelled && iso(o.cancelled), o.cancelled && local(o.cancelled)])
		for (const l of o.lines) lines.push([o.id, l.item, l.name, l.quantity, l.price, l.line])
	}
	const rows = { order_state: states, order_line_state: lines }
	for (const [table, sum] of Object.entries(sums)) rows[table] = [...sum.lines()]
	return rows
}

// What differs between the tables and what must be in them: [] where nothing does.
export async function differences(cache, orders) {
	const found = []
	await cache.exec('DROP SCHEMA IF EXISTS oracle CASCADE; CREATE SCHEMA oracle')
	for (const [table, rows] of Object.entries(expected(orders))) {
		const columns = TABLES[table].join(', ')
		await cache.exec(`CREATE TABLE oracle.${table} AS SELECT ${columns} FROM ${table} WHERE false`)
		await cache.copyIn(`oracle.${table}`, rows.map((r) => r.map(field).join('\t') + '\n').join(''))
		// The fraction of a second is in placed_at; the wall clock may or may not have it.
		const seen = (COUNTS[table] ?? 'SELECT $ FROM ' + table).replace('$', columns)
			.replace(/(\w+_local)/g, (c) => `date_trunc('second', ${c}) AS ${c}`)
		for (const [what, a, b] of [['too much', seen, `SELECT * FROM oracle.${table}`], ['missing', `SELECT * FROM oracle.${table}`, seen]]) {
			const rest = await cache.query(`SELECT count(*) OVER () AS n, to_jsonb(q) AS row FROM (${a} EXCEPT ALL ${b}) q LIMIT 3`)
			if (rest.length) found.push(`${table}: ${rest[0].n} rows ${what}: ${rest.map((r) => JSON.stringify(r.row)).join(' ')}`)
		}
	}
	const dead = await cache.query('SELECT partition, position AS offset FROM dead_letter ORDER BY 1, 2')
	const poison = [...orders.poison].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
	if (JSON.stringify(dead) !== JSON.stringify(poison)) found.push(`dead letters: ${dead.length} instead of ${poison.length}, or others`)
	return found
}

// ---- putting them into the brokers ------------------------------------------------

const BUDGET = 3_500_000 // bytes in a partition that may wait for their reader

// Puts all messages, as the readers get on; `limit` says how many may be out by now. Resolves with the last.
export class Feed {
	constructor(kafka, topic, orders, cache, limit = Infinity) {
		Object.assign(this, { kafka, topic, orders, cache, put: 0, limit, done: false })
		this.sizes = Array.from({ length: orders.partitions }, () => [0]) // bytes up to each offset
		this.read = new Array(orders.partitions).fill(0)
		this.finished = this.run()
		this.finished.catch(() => {})
	}

	// One question at a time: a session keeps its answers in order, not apart.
	look() {
		this.asked = (this.asked ?? Promise.resolve()).then(() => this.ask())
		return this.asked
	}

	async ask() {
		for (const p of await this.session.rows(`SELECT partition, next FROM stream_position WHERE topic = '${this.topic}'`)) this.read[p.partition] = p.next
	}

	waiting(partition) {
		const sizes = this.sizes[partition]
		return sizes.at(-1) - sizes[this.read[partition]]
	}

	async run() {
		this.session = this.cache.session()
		let lines = []
		for (const m of this.orders) {
			const sizes = this.sizes[m.partition]
			sizes.push(sizes.at(-1) + m.text.length + 100)
			lines.push(`put\t${this.topic}\t${m.partition}\t${m.key}\t${m.text}\n`)
			this.put++
			if (lines.length < 500 && this.put < this.limit) continue
			await this.kafka.putLines(lines.splice(0).join(''))
			for (; this.put >= this.limit || this.waiting(m.partition) > BUDGET; await this.look()) await new Promise((r) => setTimeout(r, 25))
		}
		await this.kafka.putLines(lines.join(''))
		await this.kafka.flush()
		this.done = true
	}

	// How many messages are written, by what the database says.
	async written() {
		await this.look()
		return this.read.reduce((a, b) => a + b, 0)
	}

	async drained() { return this.done && await this.written() === this.orders.messages }

	close() { return this.session.close() }
}
