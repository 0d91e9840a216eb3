// activity_questions.mjs: what people did in a few weeks, with orders beside it, and what a question about it is to be
// answered: worked out in plain JavaScript from the rows of events and orders by what docs/ACTIVITY.md says, without any
// of the figures, functions and clocks of the database.
import { BUILT_IN, activityInsert, isBot } from './activity.mjs'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
const SESSION_GAP = HOUR

// ---- chance, the same for the same seed ---------------------------------------------------

export class Chance {
	constructor(seed) { this.at = seed | 0 }

	// A whole number below n (mulberry32).
	below(n) {
		this.at = (this.at + 0x6d2b79f5) | 0
		let x = Math.imul(this.at ^ (this.at >>> 15), 1 | this.at)
		x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
		return Math.floor(((x ^ (x >>> 14)) >>> 0) / 4294967296 * n)
	}

	one(list) { return list[this.below(list.length)] }

	is(percent) { return this.below(100) < percent }

	some(list, n) {
		const left = [...list]
		return Array.from({ length: Math.min(n, left.length) }, () => left.splice(this.below(left.length), 1)[0])
	}
}

// ---- the world -----------------------------------------------------------------------------

const CATEGORIES = ['electronics', 'books', 'toys', 'garden']
const REGIONS = ['north', 'south', 'west']
const TYPES = ['page_view', 'page_view', 'product_view', 'product_view', 'add_to_cart', 'remove_from_cart', 'checkout_start', 'purchase', 'search', 'filter', 'note.read']
const PRODUCTS = Array.from({ length: 12 }, (_, i) => String(400 + i))

// { events, orders: { days, hours, items }, regions, products }; from `start` on, so many days.
export function makeWorld({ seed = 1, start, days = 40, visits = 500, zone, cutoff }) {
	const chance = new Chance(seed)
	const events = []
	for (let i = 0; i < visits; i++) {
		const who = chance.below(60)
		const user = chance.is(40) ? { user_id: `user_${who % 25}` } : {}
		const anonymous = chance.is(80) || !user.user_id ? { anonymous_id: `a-${who}` } : {}
		const session = chance.is(60) ? { session_id: `s-${i}` } : {}
		const flags = chance.is(6) ? 16 : 0
		const steady = { device: chance.one(['desktop', 'mobile', null]), source: chance.one(['google.com', 'newsletter', null, null]) }
		let at = start + chance.below(days * 24 * 60) * 60_000 + chance.below(60_000)
		for (let k = chance.below(7); k >= 0; k--) {
			const product = chance.is(60) ? chance.one(PRODUCTS) : null
			events.push({ at, type: chance.one(TYPES), flags, ...user, ...anonymous, ...session,
				dims: [chance.is(90) ? `/p/${chance.below(30)}` : null, steady.source, chance.is(10) ? 'winter' : null, steady.device, 'Firefox',
					product ? CATEGORIES[Number(product) % 4] : chance.is(5) ? `rare ${chance.below(20)}` : null, product, chance.is(70) ? chance.one(REGIONS) : null,
					...(chance.is(50) ? [chance.one(['gold', 'silver', null])] : [])] })
			// now and then across midnight, and longer than the gap
			at += chance.is(4) ? 70 * 60_000 + chance.below(HOUR) : chance.below(25 * 60_000)
		}
	}
	events.sort((a, b) => a.at - b.at)
	return { events, zone, cutoff, ...makeOrders(chance, { start, days, zone, cutoff }) }
}

// Figures of closed days, as the nightly batch leaves them.
function makeOrders(chance, { start, days, zone, cutoff }) {
	const clock = new Clock(zone, cutoff)
	const order = { days: [], hours: [], items: [] }
	for (let d = 0; d < days; d++) {
		const date = clock.date(start + d * DAY + 12 * HOUR)
		for (const location of [0, 1, 2]) {
			const day = { location, date, revenue: 0, placed: 0, counted: 0, quantity: 0, minor: 0 }
			for (let hour = 0; hour < 24; hour++) {
				if (!chance.is(15)) continue
				const placed = 1 + chance.below(4)
				const counted = Math.max(0, placed - chance.below(2))
				const revenue = counted * (500 + chance.below(4000))
				order.hours.push({ location, date, hour, placed, counted, revenue })
				for (const [name, n] of Object.entries({ placed, counted, revenue })) day[name] += n
			}
			for (const item of chance.some([...PRODUCTS, '999'], chance.below(6))) {
				const row = { location, date, item, quantity: 1 + chance.below(5), minor: 100 + chance.below(9000), orders: 1 + chance.below(3) }
				order.items.push(row)
				day.quantity += row.quantity
				day.minor += row.minor
			}
			order.days.push(day)
		}
	}
	return { orders: order, regions: { 1: 'north', 2: 'elsewhere' } }
}

const list = (rows) => rows.map((r) => `(${r.map((v) => (typeof v === 'string' ? `'${v}'` : v)).join(',')})`).join(',\n')

// SQL that fills an empty, migrated analytics_db with it. `values`: how many values a dimension has room for is
// tried by taking away all of category's but so many.
export function worldSql(world) {
	const { days, hours, items } = world.orders
	return `INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
		VALUES ('${world.zone}', ${world.cutoff}, 'UTC', 'retail', '', 'EUR', 0);
	INSERT INTO site (rules_id) SELECT rules_id FROM rules;
	INSERT INTO series SELECT l, 'EUR', '${days[0].date}' FROM generate_series(0, 2) l;
	UPDATE activity_site SET timezone = '${world.zone}', cutoff_hours = ${world.cutoff}, session_timeout_s = ${SESSION_GAP / 1000}, currency = 'EUR';
	INSERT INTO activity_dimension (dimension_id, name, property) VALUES (9, 'plan', 'plan');
	INSERT INTO activity_value (dimension_id, value) SELECT 6, 'room ' || i FROM generate_series(1, 990) i;
	${activityInsert(world.events)}
	DELETE FROM activity_batch;
	SELECT activity_rebuild();
	INSERT INTO location_region VALUES ${Object.entries(world.regions).map(([id, region]) => `(${id}, '${region}')`).join(', ')};
	INSERT INTO daily_revenue_cache SELECT l, d::date, 'EUR', r, r, r, 0, 0, 0, 0, 0, p, c, 0, q, m, '{}', NULL, NULL, '', 1, 1, now()
	FROM (VALUES ${list(days.map((d) => [d.location, d.date, d.revenue, d.placed, d.counted, d.quantity, d.minor]))}) v(l, d, r, p, c, q, m);
	INSERT INTO hourly_order_cache SELECT l, d::date, h, 'EUR', p, c, r, 3600, 1, now()
	FROM (VALUES ${list(hours.map((h) => [h.location, h.date, h.hour, h.placed, h.counted, h.revenue]))}) v(l, d, h, p, c, r);
	INSERT INTO item_sales_cache SELECT l, d::date, i, 'EUR', i, q, m, o, 1, now()
	FROM (VALUES ${list(items.map((i) => [i.location, i.date, i.item, i.quantity, i.minor, i.orders]))}) v(l, d, i, q, m, o);`
}

// ---- clocks, without the database's --------------------------------------------------------

export class Clock {
	constructor(zone, cutoff = 0) {
		this.cutoff = cutoff
		this.format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
			hour: '2-digit', minute: '2-digit', second: '2-digit' })
		this.offsets = new Map()
	}

	// Milliseconds the wall clock is ahead of UTC. Clocks are changed at full quarters of an hour.
	offset(at) {
		const quarter = Math.floor(at / 900_000)
		if (!this.offsets.has(quarter)) {
			const p = Object.fromEntries(this.format.formatToParts(quarter * 900_000).map((x) => [x.type, Number(x.value)]))
			this.offsets.set(quarter, Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - quarter * 900_000)
		}
		return this.offsets.get(quarter)
	}

	wall(at) { return at + this.offset(at) }

	date(at) { return new Date(this.wall(at) - this.cutoff * HOUR).toISOString().slice(0, 10) }

	// The first instant of a business day, where no clock is changed at the cutoff.
	start(date) {
		const wall = Date.parse(`${date}T00:00:00Z`) + this.cutoff * HOUR
		for (const at of [wall - this.offset(wall - 14 * HOUR), wall - this.offset(wall + 14 * HOUR)]) if (this.wall(at) === wall) return at
		throw new Error(`no start of ${date}`)
	}

	// The name of the bucket an instant is in, and its first instant.
	bucket(at, step) {
		if (step === 'hour') {
			const wall = Math.floor(this.wall(at) / HOUR) * HOUR
			const offset = this.offset(at)
			const sign = offset < 0 ? '-' : '+'
			return `${new Date(wall).toISOString().slice(0, 16)}${sign}${new Date(Math.abs(offset)).toISOString().slice(11, 16)}`
		}
		const date = this.date(at)
		if (step === 'month') return `${date.slice(0, 7)}-01`
		if (step === 'week') {
			const day = Date.parse(date)
			return new Date(day - (new Date(day).getUTCDay() + 6) % 7 * DAY).toISOString().slice(0, 10)
		}
		return date
	}
}

export const addDays = (date, n) => new Date(Date.parse(date) + n * DAY).toISOString().slice(0, 10)

// ---- questions ---------------------------------------------------------------------------------

const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC']
const UNIT = { hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY }

// A question that can be answered, about the days from `start` on.
export function makeQuestion(chance, { start, days, zone, cutoff, metrics, dimensions, values }) {
	const q = { metrics: chance.some(chance.is(40) ? metrics.all : chance.one(metrics.families), 1 + chance.below(4)) }
	const of = (family) => q.metrics.some((m) => metrics[family].includes(m))
	const orders = of('orders')
	const allowed = q.metrics.includes('avg_order_value') ? ['region'] : orders ? ['category', 'product', 'region'] : dimensions
	q.dimensions = chance.some(allowed, chance.one([0, 0, 1, 1, 2, 3]))
	const filters = chance.some(allowed, chance.one([0, 0, 0, 1, 1, 2]))
	if (filters.length) q.filters = {}
	for (const name of filters) q.filters[name] = chance.is(50) ? chance.one(values[name]) : chance.some(values[name], 1 + chance.below(4))
	if (!orders && chance.is(15)) q.filters = { ...q.filters, event_type: chance.some(['page_view', 'purchase', 'note.read', 'never'], 1 + chance.below(2)) }
	const byItem = orders && ([...q.dimensions, ...filters].some((d) => d !== 'region') || q.metrics.some((m) => ['items_sold', 'item_sales'].includes(m)))
	q.granularity = chance.one(['none', 'none', 'hour', 'day', 'day', 'week', 'month'].filter((g) => g !== 'hour' || !byItem))
	if (chance.is(25)) q.timezone = chance.one(ZONES)
	const clock = q.timezone && q.timezone !== zone ? new Clock(q.timezone, 0) : new Clock(zone, cutoff)
	const long = q.granularity === 'hour' ? chance.below(3) : chance.below(days + 10)
	const from = start - 5 * DAY + chance.below(days * DAY / 1000) * 1000
	const [a, z] = [clock.date(from), clock.date(from + (long + 1) * DAY)]
	switch (chance.below(5)) {
	case 0: // any instants
		q.start_date = new Date(from).toISOString()
		q.end_date = new Date(from + long * DAY + 1000 + chance.below(UNIT.day)).toISOString()
		break
	case 1: // midnights of Greenwich
		q.start_date = `${a}T00:00:00Z`
		q.end_date = `${z}T00:00:00Z`
		break
	case 2: // months
		q.start_date = `${a.slice(0, 8)}01`
		q.end_date = `${z < '2026-12' && z.slice(0, 7) > a.slice(0, 7) ? z.slice(0, 8) : addDays(`${a.slice(0, 8)}28`, 5).slice(0, 8)}01`
		if (q.granularity === 'hour') [q.start_date, q.end_date] = [a, addDays(a, 1)]
		break
	case 3: // a day that goes on
		q.start_date = a
		q.end_date = new Date(from + long * DAY + DAY).toISOString()
		break
	default:
		q.start_date = a
		q.end_date = z
	}
	if (chance.is(40)) q.compare = chance.one(['previous', 'year'])
	if (chance.is(30)) q.limit = 1 + chance.below(5)
	if (chance.is(30)) q.order = chance.is(50) ? chance.one(q.metrics) : { metric: chance.one(q.metrics), desc: chance.is(50) }
	if (chance.is(15) && !orders && !q.metrics.some((m) => ['new_users', 'returning_users'].includes(m))) q.bots = 'only'
	return q
}
