// bookings.mjs: what messages about bookings come to, worked out from the set of messages alone, without a thought of how
// takings-stream does it; random messages; and rows for the inbox.
import { createHash } from 'node:crypto'

const TYPES = ['booking.created', 'booking.confirmed', 'booking.cancelled', 'event.created', 'event.updated', 'event.published',
	'event.cancelled', 'user.created']
const DAY_MS = 86_400_000
const EXPONENTS = { JPY: 0, KWD: 3, CLF: 4 }

// ---- the inbox ----------------------------------------------------------------------

// JSON with sorted names and no spaces; of texts that JSON writes without escapes.
function canonical(value) {
	if (Array.isArray(value)) return `[${value.map(canonical)}]`
	if (value === null || typeof value !== 'object') return JSON.stringify(value)
	return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)}}`
}

const sha256 = (text) => createHash('sha256').update(text).digest()

const quoted = (text) => `'${text.replaceAll("'", "''")}'`

// Rows of event_log as the values of an INSERT.
export const inboxRow = (m) => `(${quoted(m.type)}, ${m.event_id ?? 'NULL'}, ${quoted(JSON.stringify(m))}, '\\x${sha256(canonical(m)).toString('hex')}', 'http')`

export function inboxInsert(messages) {
	return `INSERT INTO event_log (event_type, event_id, event_data, dedup_key, source) VALUES ${messages.map(inboxRow).join(', ')} ON CONFLICT (dedup_key) DO NOTHING; NOTIFY takings_inbox`
}

// ---- the calendar ---------------------------------------------------------------------

// A site's clock. Changes of clocks lie at quarters of an hour.
export function siteClock(tz, cutoff) {
	const format = new Intl.DateTimeFormat('en-US', { timeZone: tz, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
	const wall = (ms) => {
		const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
		return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second)
	}
	const starts = new Map()
	// The earliest instant whose wall clock reads the day's cutoff or later.
	const start = (day) => {
		if (!starts.has(day)) {
			const at = day * DAY_MS + cutoff * 3_600_000
			let ms = at - 30 * 3_600_000
			while (wall(ms) < at) ms += 900_000
			starts.set(day, ms)
		}
		return starts.get(day)
	}
	return {
		day(ms) {
			let day = Math.floor(wall(ms) / DAY_MS) + 1
			while (start(day) > ms) day--
			return day
		},
		hour: (ms) => new Date(wall(ms)).getUTCHours(),
		start,
	}
}

const dateText = (day) => new Date(day * DAY_MS).toISOString().slice(0, 10)
const timeText = (ms) => ms === null || ms === undefined ? null : new Date(ms).toISOString()

// ---- numbers ----------------------------------------------------------------------------

function divideHalfEven(n, d) {
	const negative = n < 0n !== d < 0n
	const a = n < 0n ? -n : n, b = d < 0n ? -d : d
	let q = a / b
	const twice = a % b * 2n
	if (twice > b || (twice === b && q % 2n === 1n)) q += 1n
	return negative ? -q : q
}

// "12.345" in minor units.
function minorUnits(amount, currency) {
	const [whole, decimals = ''] = String(amount).split('.')
	const exponent = EXPONENTS[currency] ?? 2
	return Number(divideHalfEven(BigInt(whole + decimals) * 10n ** BigInt(exponent), 10n ** BigInt(decimals.length)))
}

const decimal2 = (hundredths) => Number(hundredths) / 100
const percent = (n, d) => d ? decimal2(divideHalfEven(BigInt(n) * 10000n, BigInt(d))) : null

function meanPercent(pairs) {
	if (pairs.length === 0) return null
	const scale = 10n ** 30n
	const sum = pairs.reduce((s, [n, d]) => s + BigInt(n) * 100n * scale / BigInt(d), 0n)
	const nine = divideHalfEven(sum, BigInt(pairs.length) * 10n ** 21n)
	return decimal2(divideHalfEven(nine, 10n ** 7n))
}

// ---- states -------------------------------------------------------------------------------

function read(m) {
	const kind = TYPES.indexOf(m.type)
	const bytes = Buffer.concat([Buffer.from([kind]), sha256(canonical(m)).subarray(0, 7)])
	return { m, kind, version: m.version ?? 0, at: Date.parse(m.occurred_at), seq: m.seq ?? 0, digest: bytes.readBigInt64BE() }
}

const compare = (a, b) => a.version - b.version || a.at - b.at || a.seq - b.seq || (a.row ?? 0) - (b.row ?? 0)
	|| (a.digest < b.digest ? -1 : Number(a.digest > b.digest))

const group = (list, key) => {
	const out = new Map()
	for (const x of list) {
		const k = key(x)
		if (!out.has(k)) out.set(k, [])
		out.get(k).push(x)
	}
	return out
}

function eventFields({ m, kind, at }) {
	const out = {}
	for (const name of ['name', 'category', 'currency']) if (m[name] !== undefined) out[name] = m[name]
	if (m.capacity !== undefined) out.capacity = m.capacity
	for (const name of ['starts_at', 'ends_at', 'sales_from', 'sales_until'])
		if (m[name] !== undefined) out[name] = m[name] === null ? null : Date.parse(m[name])
	const status = kind === 5 ? 'published' : kind === 6 ? 'cancelled' : m.status ?? (kind === 3 ? 'draft' : undefined)
	if (status !== undefined) out.status = status
	if (status === 'published') out.published_at = at
	return out
}

function makeEvent(id, about, heard, site, clock) {
	const f = {}
	for (const one of about.sort(compare)) Object.assign(f, eventFields(one))
	const first_seen = Math.min(...heard.map((x) => x.at))
	const span = (from, to) => from === undefined ? undefined
		: { from: clock.day(from), to: to === undefined ? Infinity : clock.day(Math.max(from, to - 1)) }
	const some = (...list) => list.find((x) => x !== null && x !== undefined)
	const hasSale = some(f.sales_from, f.sales_until) !== undefined
	const capacity = f.capacity ?? null
	return {
		event_id: id, name: f.name ?? `Event ${id}`, category: f.category ?? '', capacity, currency: f.currency ?? site.currency,
		unlimited: capacity === null || capacity === 0 || capacity === site.unlimited,
		starts_at: f.starts_at ?? null, ends_at: f.ends_at ?? null, status: f.status ?? 'unknown', first_seen,
		windows: [hasSale ? span(some(f.sales_from, f.published_at, first_seen), some(f.sales_until, f.ends_at, f.starts_at)) : undefined,
			span(some(f.starts_at, f.ends_at), some(f.ends_at, f.starts_at))].filter(Boolean),
	}
}

// Of each kind the newest, then what the newest of these says that says it.
function makeBooking(id, messages, events, site, clock) {
	const rows = messages.flatMap((x) => x.kind === 0 && x.m.status === 'confirmed' ? [{ ...x, row: 0 }, { ...x, row: 1 }] : [{ ...x, row: x.kind }])
	const kinds = [...group(rows, (x) => x.row).values()].map((list) => list.sort(compare).at(-1)).sort(compare).reverse()
	const said = (name) => kinds.map(({ m }) => m[name]).find((v) => v !== undefined)
	const at = (row) => kinds.find((x) => x.row === row)?.at
	const event_id = said('event_id')
	if (event_id === undefined) return []
	const currency = said('currency') ?? events.get(event_id).currency
	const status = ['pending', 'confirmed', 'cancelled'][kinds[0].row]
	const created = at(0) ?? Math.min(...kinds.map((x) => x.at))
	const confirmed = status === 'pending' ? undefined : at(1)
	const cancelled = status === 'cancelled' ? at(2) : undefined
	return [{
		booking_id: id, event_id, user_id: said('user_id') ?? null, status, seats: said('seats') ?? 1,
		amount_minor: minorUnits(said('amount') ?? '0', currency), currency, created, confirmed, cancelled,
		created_day: clock.day(created), hour: clock.hour(created),
		confirmed_day: confirmed === undefined ? undefined : clock.day(confirmed),
		cancelled_day: cancelled === undefined ? undefined : clock.day(cancelled),
	}]
}

function makeUsers(read, clock) {
	return [...group(read.filter((x) => x.kind < 3 || x.kind === 7).filter((x) => x.m.user_id !== undefined), (x) => x.m.user_id)]
		.map(([user_id, list]) => {
			const first = Math.min(...list.map((x) => x.at))
			const registered = list.filter((x) => x.kind === 7).map((x) => x.at)
			return { user_id, first, first_day: clock.day(first), registered: registered.length ? Math.min(...registered) : null }
		})
}

// ---- figures -----------------------------------------------------------------------------

const MEASURES = ['touched', 'new', 'new_seats', 'confirmed', 'confirmed_seats', 'cancelled', 'cancelled_seats', 'counted', 'revenue_minor', 'booked_minor']

class Sums {
	rows = new Map()

	add(keys, values) {
		const key = JSON.stringify(keys)
		const row = this.rows.get(key) ?? { ...keys }
		for (const [name, n] of Object.entries(values)) row[name] = (row[name] ?? 0) + n
		this.rows.set(key, row)
	}

	list() { return [...this.rows.values()] }
}

function measures(b) {
	const zero = Object.fromEntries(MEASURES.map((name) => [name, 0]))
	const days = new Map()
	const add = (day, values) => {
		if (day === undefined) return
		const row = days.get(day) ?? { ...zero, touched: 1 }
		for (const [name, n] of Object.entries(values)) row[name] += n
		days.set(day, row)
	}
	const counts = b.status === 'confirmed'
	add(b.created_day, { new: 1, new_seats: b.seats, counted: Number(counts), revenue_minor: counts ? b.amount_minor : 0 })
	add(b.confirmed_day, { confirmed: 1, confirmed_seats: b.seats, booked_minor: b.amount_minor })
	const was = b.confirmed_day !== undefined
	add(b.cancelled_day, { cancelled: 1, cancelled_seats: was ? b.seats : 0, booked_minor: was ? -b.amount_minor : 0 })
	return days
}

function eventStats(e, bookings) {
	const of = (status) => bookings.filter((b) => status === undefined || b.status === status)
	const seats = (list) => list.reduce((n, b) => n + b.seats, 0)
	const money = (list) => list.reduce((n, b) => n + b.amount_minor, 0)
	const confirmed = of('confirmed')
	const own = confirmed.filter((b) => b.currency === e.currency)
	const others = [...group(confirmed.filter((b) => b.currency !== e.currency), (b) => b.currency)].sort()
	const made = bookings.map((b) => b.created)
	return {
		event_id: e.event_id, event_name: e.name, category: e.category, status: e.status, starts_at: timeText(e.starts_at),
		ends_at: timeText(e.ends_at), total_capacity: e.capacity, unlimited: e.unlimited, currency: e.currency,
		total_bookings: bookings.length, confirmed_bookings: confirmed.length, cancelled_bookings: of('cancelled').length,
		total_seats: seats(bookings), confirmed_seats: seats(confirmed), cancelled_seats: seats(of('cancelled')),
		revenue_minor: money(own), counted: own.length,
		other_money: others.length ? Object.fromEntries(others.map(([c, list]) => [c, { counted: list.length, revenue_minor: money(list) }])) : null,
		capacity_utilization: e.unlimited ? null : percent(seats(confirmed), e.capacity),
		cancellation_rate: percent(of('cancelled').length, bookings.length),
		overbooked: !e.unlimited && seats(confirmed) > e.capacity,
		first_booking: made.length ? timeText(Math.min(...made)) : null, last_booking: made.length ? timeText(Math.max(...made)) : null,
	}
}

const denseRanks = (list, value, set) => {
	const values = [...new Set(list.map(value))].sort((a, b) => b - a)
	for (const x of list) set(x, values.indexOf(value(x)) + 1)
}

function topEvents(stats) {
	const ranked = stats.filter((s) => s.total_bookings > 0).map((s) => ({
		event_id: s.event_id, event_name: s.event_name, category: s.category, currency: s.currency, total_bookings: s.total_bookings,
		revenue_minor: s.revenue_minor, capacity_utilization: s.capacity_utilization, booking_rank: 0, revenue_rank: 0, utilization_rank: null }))
	denseRanks(ranked, (t) => t.total_bookings, (t, n) => { t.booking_rank = n })
	for (const list of group(ranked, (t) => t.currency).values()) denseRanks(list, (t) => t.revenue_minor, (t, n) => { t.revenue_rank = n })
	denseRanks(ranked.filter((t) => t.capacity_utilization !== null), (t) => t.capacity_utilization, (t, n) => { t.utilization_rank = n })
	return ranked
}

function systemMetrics(stats, bookingDay, users, events, today, clock) {
	const sum = (list, name) => list.reduce((n, x) => n + x[name], 0)
	const within = (from, to) => bookingDay.filter((d) => d.day >= from && d.day < to)
	const recent = within(today - 30, today), previous = within(today - 60, today - 30)
	const limited = stats.filter((s) => !s.unlimited), booked = stats.filter((s) => s.total_bookings > 0)
	const of = (list, currency) => list.filter((d) => d.currency === currency)
	const money = Object.fromEntries([...new Set(bookingDay.map((d) => d.currency))].sort().map((c) => [c, { counted: sum(of(bookingDay, c), 'counted'),
		total_minor: sum(of(bookingDay, c), 'revenue_minor'), recent_minor: sum(of(recent, c), 'revenue_minor'), previous_minor: sum(of(previous, c), 'revenue_minor') }]))
	return [{
		today: dateText(today), total_events: stats.length, total_bookings: sum(bookingDay, 'new'), total_users: users.length,
		confirmed_bookings: sum(stats, 'confirmed_bookings'), cancelled_bookings: sum(stats, 'cancelled_bookings'),
		recent_bookings: sum(recent, 'new'), previous_bookings: sum(previous, 'new'),
		recent_events: events.filter((e) => e.first_seen >= clock.start(today - 30) && e.first_seen < clock.start(today)).length,
		avg_capacity_utilization: meanPercent(limited.map((s) => [s.confirmed_seats, s.total_capacity])),
		weighted_capacity_utilization: percent(sum(limited, 'confirmed_seats'), sum(limited, 'total_capacity')),
		avg_cancellation_rate: meanPercent(booked.map((s) => [s.cancelled_bookings, s.total_bookings])),
		weighted_cancellation_rate: percent(sum(stats, 'cancelled_bookings'), sum(stats, 'total_bookings')), money,
	}]
}

function daysMore(events, eventDay, users, bookingDay, today) {
	const sums = new Sums()
	for (const u of users) sums.add({ day: u.first_day }, { new_users: 1, active_events: 0 })
	const first = Math.min(...bookingDay.map((d) => d.day))
	const made = group(eventDay.filter((d) => d.new > 0), (d) => d.event_id)
	for (const e of events.filter((x) => x.status === 'published')) {
		const days = new Set(e.windows.length ? [] : (made.get(e.event_id) ?? []).map((d) => d.day).filter((d) => d <= today))
		for (const w of e.windows) for (let day = Math.max(w.from, first); day <= Math.min(w.to, today); day++) days.add(day)
		for (const day of days) sums.add({ day }, { new_users: 0, active_events: 1 })
	}
	return sums.list()
}

// What these messages come to: { table: rows }, as `bookingTables` reads them. Times have milliseconds at most, values no
// spaces around them. `now`: ms since 1970.
export function oracle(messages, { tz = 'UTC', cutoff = 0, currency = 'EUR', unlimited = 9999, now = Date.now() } = {}) {
	const site = { currency, unlimited }, clock = siteClock(tz, cutoff), today = clock.day(now)
	const all = [...new Map(messages.map((m) => [canonical(m), m])).values()].map(read)
	const about = group(all.filter((x) => x.kind > 2 && x.kind < 7), (x) => x.m.event_id)
	const heard = group(all.filter((x) => x.kind < 7 && x.m.event_id !== undefined), (x) => x.m.event_id)
	const events = new Map([...heard].map(([id, list]) => [id, makeEvent(id, about.get(id) ?? [], list, site, clock)]))
	const bookings = [...group(all.filter((x) => x.kind < 3), (x) => x.m.booking_id)].flatMap(([id, list]) => makeBooking(id, list, events, site, clock))
	const users = makeUsers(all, clock)
	const eventDay = new Sums(), categoryDay = new Sums(), bookingDay = new Sums(), hour = new Sums(), lead = new Sums()
	for (const b of bookings) {
		const e = events.get(b.event_id)
		for (const [day, row] of measures(b)) {
			eventDay.add({ event_id: b.event_id, day, currency: b.currency }, row)
			categoryDay.add({ category: e.category, day, currency: b.currency }, row)
			bookingDay.add({ day, currency: b.currency }, row)
		}
		hour.add({ day: b.created_day, hour: b.hour }, { new: 1, new_seats: b.seats })
		const ahead = e.starts_at === null ? -1 : Math.max(0, Math.min(365, clock.day(e.starts_at) - b.created_day))
		lead.add({ category: e.category, lead_days: ahead }, { new: 1, new_seats: b.seats })
	}
	const byEvent = group(bookings, (b) => b.event_id)
	const stats = [...events.values()].map((e) => eventStats(e, byEvent.get(e.event_id) ?? []))
	const dated = (list) => list.map(({ day, ...row }) => ({ business_date: dateText(day), ...row }))
	return {
		booking_state: bookings.map((b) => ({ booking_id: b.booking_id, event_id: b.event_id, user_id: b.user_id, status: b.status, seats: b.seats,
			amount_minor: b.amount_minor, currency: b.currency, created_at: timeText(b.created), confirmed_at: timeText(b.confirmed),
			cancelled_at: timeText(b.cancelled), created_day: dateText(b.created_day) })),
		user_state: users.map((u) => ({ user_id: u.user_id, first_seen_at: timeText(u.first), first_day: dateText(u.first_day), registered_at: timeText(u.registered) })),
		event_day: dated(eventDay.list()), category_day: dated(categoryDay.list()), booking_day: dated(bookingDay.list()),
		booking_day_more: dated(daysMore([...events.values()], eventDay.list(), users, bookingDay.list(), today)),
		booking_hour: dated(hour.list()), booking_lead: lead.list(), event_stats: stats, top_events: topEvents(stats),
		system_metrics: systemMetrics(stats, bookingDay.list(), users, [...events.values()], today, clock),
	}
}

// ---- the tables ------------------------------------------------------------------------------

const time = (name) => `to_char(${name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${name}`
const day = 'business_date::text'
const COLUMNS = {
	booking_state: ['booking_id, event_id, user_id, status, seats, amount_minor, currency', time('created_at'), time('confirmed_at'), time('cancelled_at'), 'created_day::text'],
	user_state: ['user_id', time('first_seen_at'), 'first_day::text', time('registered_at')],
	event_day: ['event_id, currency', day, ...MEASURES],
	category_day: ['category, currency', day, ...MEASURES],
	booking_day: ['currency', day, ...MEASURES],
	booking_day_more: [day, 'new_users, active_events'],
	booking_hour: [day, 'hour, new, new_seats'],
	booking_lead: ['category, lead_days, new, new_seats'],
	event_stats: ['event_id, event_name, category, status', time('starts_at'), time('ends_at'), `total_capacity, unlimited, currency, total_bookings,
		confirmed_bookings, cancelled_bookings, total_seats, confirmed_seats, cancelled_seats, revenue_minor, counted, other_money, capacity_utilization,
		cancellation_rate, overbooked`, time('first_booking'), time('last_booking')],
	top_events: ['event_id, event_name, category, currency, total_bookings, revenue_minor, capacity_utilization, booking_rank, revenue_rank, utilization_rank'],
	system_metrics: [`today::text, total_events, total_bookings, total_users, confirmed_bookings, cancelled_bookings, recent_bookings, previous_bookings,
		recent_events, avg_capacity_utilization, weighted_capacity_utilization, avg_cancellation_rate, weighted_cancellation_rate, money`],
}
export const FIGURES = ['event_day', 'category_day', 'booking_day', 'booking_day_more', 'booking_hour', 'booking_lead', 'event_stats']
export const BOOKING_TABLES = [...FIGURES, 'top_events', 'system_metrics', 'booking_message', 'booking_state', 'event_field', 'event_state',
	'event_capacity', 'user_state']

// The same out of a database.
export async function bookingTables(database, names = Object.keys(COLUMNS)) {
	const rows = await database.query(names.map((name) => `SELECT '${name}' AS t, (SELECT coalesce(json_agg(x), '[]') FROM (SELECT ${COLUMNS[name].join(', ')} FROM ${name}) x) AS rows`).join(' UNION ALL '))
	return Object.fromEntries(rows.map(({ t, rows: list }) => [t, list]))
}

// As sorted lines, to compare by.
export const sortedLines = (tables) => Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.map(canonical).sort()]))

// ---- random messages -----------------------------------------------------------------------------

// Days around both changes of the clock in Berlin, and the last weeks; hours around the cutoff.
export class Maker {
	constructor(random, { events = 4, bookings = 12, users = 5, now = Date.now() } = {}) {
		Object.assign(this, { random, events, bookings, users, days: [Date.UTC(2026, 2, 28, 20), Date.UTC(2025, 9, 25, 20), now - 3 * DAY_MS, now - 20 * DAY_MS, now - 45 * DAY_MS] })
	}

	int(n) { return Math.floor(this.random() * n) }
	pick(list) { return list[this.int(list.length)] }
	chance(p) { return this.random() < p }
	time() { return new Date(this.pick(this.days) + this.int(16 * 3600) * 1000 + this.pick([0, 0, 123])).toISOString() }

	// Some of these, each with its likelihood.
	some(fields) {
		return Object.fromEntries(Object.entries(fields).filter(([, [p]]) => this.chance(p)).map(([name, [, value]]) => [name, value()]))
	}

	order() { return this.some({ version: [0.4, () => this.int(4)], seq: [0.3, () => this.int(3)] }) }

	event() {
		const type = this.pick(TYPES.slice(3, 7).concat('event.published'))
		const when = () => this.chance(0.1) ? null : new Date(Date.parse(this.time()) + this.int(40) * DAY_MS).toISOString()
		return { type, event_id: 1 + this.int(this.events), occurred_at: this.time(), ...this.order(), ...this.some({
			name: [0.4, () => `Event ${'ABC'[this.int(3)]}`], category: [0.4, () => this.pick(['music', 'sport', 'food'])],
			capacity: [0.5, () => this.pick([null, 0, 3, 10, 40, 9999])], currency: [0.2, () => this.pick(['EUR', 'JPY', 'KWD'])],
			starts_at: [0.3, when], ends_at: [0.3, when], sales_from: [0.2, when], sales_until: [0.2, when],
			...(type === 'event.updated' || type === 'event.created' ? { status: [0.3, () => this.pick(['draft', 'published', 'cancelled'])] } : {}) }) }
	}

	booking() {
		const type = this.pick(TYPES.slice(0, 3).concat('booking.created', 'booking.confirmed'))
		const created = type === 'booking.created'
		return { type, booking_id: `b${this.int(this.bookings)}`, occurred_at: this.time(), ...this.order(), ...this.some({
			event_id: [created ? 1 : 0.3, () => 1 + this.int(this.events)], user_id: [0.6, () => `u${this.int(this.users)}`],
			seats: [0.6, () => this.int(5)], amount: [0.8, () => this.pick(['10.00', '12.345', '0.125', '99', '7.5', '1000.0005'])],
			currency: [0.3, () => this.pick(['EUR', 'USD', 'JPY', 'KWD'])], ...(created ? { status: [0.4, () => this.pick(['pending', 'confirmed'])] } : {}) }) }
	}

	message() {
		const n = this.random()
		if (n < 0.2) return this.event()
		if (n < 0.25) return { type: 'user.created', user_id: `u${this.int(this.users + 2)}`, occurred_at: this.time() }
		return this.booking()
	}

	messages(n) { return Array.from({ length: n }, () => this.message()) }
}
