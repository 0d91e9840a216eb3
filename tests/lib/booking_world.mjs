// booking_world.mjs: messages of made-up events, bookings and users, with duplicates, disorder, versions and poison, and
// what must come of them. The oracle works from the set of messages alone and knows nothing of the program's SQL:
// docs/BOOKINGS.md and the comments of sql/migrations/010_bookings.sql are what it is written from.
import { field } from './data.mjs'

export const SITE = { zone: 'Europe/Berlin', cutoffH: 4, currency: 'EUR', unlimited: 9999 }
export const SETTINGS = { BUSINESS_TIMEZONE: SITE.zone, BUSINESS_DAY_CUTOFF: String(SITE.cutoffH), DEFAULT_CURRENCY: SITE.currency }
const DIGITS = { EUR: 2, USD: 2, JPY: 0, KWD: 3 }
const DAY_US = 86_400_000_000
const SHARE = { duplicate: 0.05, late: 0.03, poison: 0.004, ghost: 0.03, lostBirth: 0.01 }

export function generator(state) { // mulberry32
	return () => {
		state = (state + 0x6d2b79f5) | 0
		let t = Math.imul(state ^ (state >>> 15), 1 | state)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
}

export const iso = (us) => new Date(Math.floor(us / 1000)).toISOString().replace('Z', `${String(us % 1000).padStart(3, '0')}Z`)
const decimal = (minor, digits) => (digits === 0 ? String(minor)
	: `${Math.trunc(minor / 10 ** digits)}.${String(minor % 10 ** digits).padStart(digits, '0')}`)

// ---- what is said -------------------------------------------------------------------

// A message says { type, at, version, seq } and of these what it has: event, booking, user, seats, amount, currency,
// status, name, category, capacity, starts, ends, salesFrom, salesUntil. Times are microseconds since 1970.
// In the order of their rank: of messages of one moment a later one is newer.
const KINDS = ['booking.created', 'booking.confirmed', 'booking.cancelled', 'event.created', 'event.updated', 'event.published',
	'event.cancelled', 'user.created']
const SNAKE = { type: 'type', at: 'occurred_at', event: 'event_id', booking: 'booking_id', user: 'user_id', salesFrom: 'sales_from',
	salesUntil: 'sales_until', starts: 'starts_at', ends: 'ends_at' }
const CAMEL = { type: 'eventType', at: 'timestamp', event: 'eventId', booking: 'bookingId', user: 'userId', seats: 'quantity',
	amount: 'totalAmount', name: 'title', capacity: 'totalCapacity', salesFrom: 'salesStart', salesUntil: 'salesEnd', starts: 'startTime', ends: 'endTime' }
const TIMES = new Set(['at', 'starts', 'ends', 'salesFrom', 'salesUntil'])

// The same in one of the ways in which applications write it; `style`: 0 to 3.
export function written(m, style = 0) {
	const names = style & 1 ? CAMEL : SNAKE
	const out = {}, body = style === 3 ? {} : out
	for (const [name, value] of Object.entries(m)) {
		if (value === undefined) continue
		const time = TIMES.has(name) && value !== null
		const at = time ? (style === 2 && value % 1000 === 0 ? value / 1000 : iso(value)) : value
		;(name === 'type' || name === 'at' || name === 'version' || name === 'seq' ? out : body)[names[name] ?? name] =
			name === 'event' && style === 2 ? String(value) : at
	}
	if (body !== out) out.data = body
	return JSON.stringify(out)
}

// The same message once more, its names in another order.
const reordered = (text) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()), null, 1)

export class Bookings {
	// About so many messages, and duplicates and poison besides; the things they tell of happen in 75 days up to `now`,
	// a few around a night in which the clock is set back. Iterated, it gives { text, poison } in the order in which they come.
	constructor({ seed, messages, now = Date.now() }) {
		this.random = generator(seed)
		this.now = now * 1000
		this.said = []
		this.poison = new Set() // of each its mark
		this.counts = { duplicate: 0, late: 0 }
		this.events = Math.max(8, Math.round(messages / 150))
		this.users = Math.max(10, Math.round(messages / 15))
		this.make(messages)
	}

	int(n) { return Math.floor(this.random() * n) }
	pick(list) { return list[this.int(list.length)] }
	hit(share) { return this.random() < share }

	moment(old = this.hit(0.01)) {
		const at = old ? Date.UTC(2025, 9, 25, 20) * 1000 + this.int(DAY_US / 2) : this.now - 3_600_000_000 - this.int(75 * DAY_US)
		return this.hit(0.5) ? at : at - at % 1_000_000
	}

	make(messages) {
		for (let id = 1; id <= this.events; id++) if (!this.hit(SHARE.ghost)) this.makeEvent(id)
		for (let u = 0; u < this.users; u++) if (this.hit(0.6)) this.said.push({ type: 'user.created', user: `u-${u}`, at: this.moment() })
		for (let n = 1; this.said.length < messages; n++) this.makeBooking(n)
		this.said.sort((a, b) => a.at - b.at)
	}

	// Says one thing after another about one thing, each later, or of the same moment and greater in another way.
	teller(base, at) {
		const versioned = this.hit(0.5), numbered = this.hit(0.3)
		let version = 0, seq = 0
		return (type, more, gapUs = 1 + this.int(2 * DAY_US)) => {
			at += at + gapUs < this.now - 60_000_000 || gapUs === 0 ? gapUs : 1 + this.int(1000) // nothing of tomorrow
			const m = { type, ...base, at, ...more }
			if (versioned) m.version = ++version
			if (numbered) m.seq = ++seq
			this.said.push(m)
			return m
		}
	}

	makeEvent(id) {
		const born = this.moment()
		const say = this.teller({ event: id }, born)
		const capacity = () => this.pick([null, 0, 9999, 5, 20, 60, 120, 1000, 33])
		const currency = this.pick(['EUR', 'EUR', 'EUR', 'JPY', 'KWD', undefined])
		const starts = born + this.int(40) * DAY_US + 3_600_000_000
		const times = this.hit(0.2) ? {} : { starts, ends: starts + 7_200_000_000, ...(this.hit(0.7) ? { salesFrom: born, salesUntil: starts } : {}) }
		say('event.created', { name: `Event no. ${id}`, category: this.pick(['music', 'sport', 'course', 'Über "x"', undefined]),
			...(this.hit(0.9) ? { capacity: capacity() } : {}), currency, ...times, ...(this.hit(0.1) ? { status: 'published' } : {}) }, 0)
		// Of one moment with its creation, as where an application does both at once: published is newer.
		if (this.hit(0.85)) say('event.published', {}, this.hit(0.3) ? 0 : 1 + this.int(DAY_US))
		for (let n = this.int(4); n > 0; n--)
			say('event.updated', this.pick([{ capacity: capacity() }, { capacity: 40 + this.int(100) }, { name: `Renamed ${id}.${n}` },
				{ category: 'moved' }, { starts: starts + DAY_US, ends: null }, { salesUntil: null }, { currency: 'USD' }]))
		if (this.hit(0.05)) say('event.cancelled', {})
	}

	makeBooking(n) {
		const event = 1 + Math.floor(this.events * this.random() ** 2)
		const base = { booking: `B-${n}`, event }
		const user = this.hit(0.9) ? `u-${this.int(this.users)}` : undefined
		const currency = this.hit(0.3) ? this.pick(['EUR', 'JPY', 'USD', 'KWD']) : undefined
		const amount = decimal(this.int(30_000), this.hit(0.05) ? 3 : DIGITS[currency] ?? 2)
		const seats = this.hit(0.1) ? undefined : this.int(6)
		const say = this.teller(base, this.moment(event % 20 === 3 && this.hit(0.3)))
		const confirmed = this.hit(0.15)
		const born = { user, currency, amount, seats, ...(confirmed ? { status: 'confirmed' } : {}) }
		if (!this.hit(SHARE.lostBirth)) say('booking.created', born, 0)
		const same = !confirmed && this.hit(0.1) ? 0 : undefined // of one moment: confirmed is newer
		if (!confirmed && this.hit(0.8)) say('booking.confirmed', this.hit(0.7) ? { amount, seats, event: undefined } : {}, same)
		if (this.hit(0.02)) say('booking.created', { ...born, seats: 7 }) // said anew
		for (let turn = 0; turn < 3 && this.hit(0.2); turn++) {
			say('booking.cancelled', this.hit(0.5) ? { event: undefined } : {}, turn === 0 && this.hit(0.1) ? 1 : undefined)
			if (this.hit(0.3)) say('booking.confirmed', this.hit(0.2) ? { event: 1 + this.int(this.events) } : {})
		}
	}

	poisoned() {
		const mark = `poison-${this.poison.size + 1}.`
		this.poison.add(mark)
		return this.pick([`{"type":"booking.created","booking_id":"${mark}"`, `${mark} is no JSON`, `[1,"${mark}"]`,
			`{"type":"booking.created","booking_id":"${mark}","occurred_at":"2026-01-01T10:00:00Z"}`,
			`{"type":"booking.created","booking_id":"${mark}","event_id":1,"occurred_at":"some day"}`,
			`{"type":"booking.created","booking_id":"${mark}","event_id":1,"seats":-1,"occurred_at":"2026-01-01T10:00:00Z"}`,
			`{"type":"booking.created","booking_id":"${mark}","event_id":1,"amount":"a lot","occurred_at":"2026-01-01T10:00:00Z"}`,
			`{"type":"booking.created","booking_id":"${mark}","event_id":0,"occurred_at":"2026-01-01T10:00:00Z"}`,
			`{"type":"event.updated","name":"${mark}","occurred_at":"2026-01-01T10:00:00Z"}`,
			`{"type":"booking.created","booking_id":"${mark}","event_id":1,"currency":"money","occurred_at":"2026-01-01T10:00:00Z"}`])
	}

	// In the order of what happened, but for a window in which they are shuffled; some far too late, some twice.
	arranged() {
		const all = [], window = 60
		const put = (at, text) => all.push({ at, text })
		this.said.forEach((m, i) => {
			const text = written(m, this.int(4))
			const late = this.hit(SHARE.late)
			if (late) this.counts.late++
			put(i + this.random() * window + (late ? this.int(20_000) : 0), text)
			if (this.hit(SHARE.duplicate)) {
				this.counts.duplicate++
				put(i + this.random() * window + (this.hit(0.5) ? this.int(5000) : 0), this.hit(0.3) ? reordered(text) : text)
			}
			if (this.hit(SHARE.poison)) {
				const bad = this.poisoned()
				put(i, bad)
				if (this.hit(0.2)) put(i + this.int(1000), bad)
			}
		})
		return all.sort((a, b) => a.at - b.at).map((m) => m.text)
	}

	// Texts, made once.
	get texts() { return this.list ??= this.arranged() }
}

// ---- the oracle: states -----------------------------------------------------------

const shifts = new Map()
// The wall clock of the site, as if it were UTC, in milliseconds.
function wallMs(us, zone) {
	const ms = Math.floor(us / 1000), slot = Math.floor(ms / 900_000), key = `${zone} ${slot}`
	if (!shifts.has(key)) {
		const text = new Date(slot * 900_000).toLocaleString('sv-SE', { timeZone: zone })
		shifts.set(key, Date.parse(`${text.replace(' ', 'T')}Z`) - slot * 900_000)
	}
	return ms + shifts.get(key)
}
const dayOf = (us, site) => new Date(wallMs(us, site.zone) - site.cutoffH * 3_600_000).toISOString().slice(0, 10)
const hourOf = (us, site) => new Date(wallMs(us, site.zone)).getUTCHours()
const dayNumber = (day) => Date.parse(day) / 86_400_000
const dayText = (number) => new Date(number * 86_400_000).toISOString().slice(0, 10)

const rank = (m) => KINDS.indexOf(m.type)
// Below 0: a is older than b. Two that are equal and not the same are the generator's fault.
function older(a, b) {
	const by = (a.version ?? 0) - (b.version ?? 0) || a.at - b.at || (a.seq ?? 0) - (b.seq ?? 0) || rank(a) - rank(b)
	if (by === 0 && a !== b) throw new Error(`equally new: ${JSON.stringify([a, b])}`)
	return by
}
const newest = (list) => list.reduce((a, b) => (a && older(a, b) > 0 ? a : b), undefined)
const grouped = (list, of) => {
	const map = new Map()
	for (const m of list) if (of(m) !== undefined) map.has(of(m)) ? map.get(of(m)).push(m) : map.set(of(m), [m])
	return map
}
// What the newest that says it says; undefined: nobody does.
const newestSaying = (list, name) => newest(list.filter((m) => m[name] !== undefined))?.[name]

// An amount as whole minor units of its currency, half to even.
function minorOf(text, currency) {
	const [whole, part = ''] = text.split('.'), digits = DIGITS[currency]
	const kept = BigInt(whole + part.slice(0, digits).padEnd(digits, '0')), rest = part.slice(digits)
	if (!/[1-9]/.test(rest)) return Number(kept)
	const half = /^50*$/.test(rest) ? 0 : rest >= '5' ? 1 : -1
	return Number(kept + (half > 0 || half === 0 && kept % 2n ? 1n : 0n))
}

// num / den * 100 or so, with two decimals, half to even; texts of numerics.
export function rounded(num, den) {
	const scaled = num * 100n, whole = scaled / den, twice = 2n * (scaled % den)
	const up = twice > den || twice === den && whole % 2n ? 1n : 0n
	return decimalBig(whole + up)
}
const decimalBig = (n) => `${n / 100n}.${String(n % 100n).padStart(2, '0')}`

function eventState(id, about, bookings, site) {
	const says = (name) => newestSaying(about, name)
	const status = newest(about.filter((m) => statusOf(m)))
	const published = newest(about.filter((m) => statusOf(m) === 'published'))
	const capacity = says('capacity') ?? null
	return { event: id, name: says('name') ?? `Event ${id}`, category: says('category') ?? '', capacity,
		unlimited: capacity === null || capacity === 0 || capacity === site.unlimited, currency: says('currency') ?? site.currency,
		starts: says('starts') ?? null, ends: says('ends') ?? null, salesFrom: says('salesFrom') ?? null, salesUntil: says('salesUntil') ?? null,
		status: status ? statusOf(status) : 'unknown', published: published?.at ?? null,
		seen: Math.min(...about.map((m) => m.at), ...bookings.map((m) => m.at)) }
}
const statusOf = (m) => ({ 'event.created': m.status ?? 'draft', 'event.published': 'published', 'event.cancelled': 'cancelled' })[m.type] ?? m.status

function bookingState(id, all, events, site) {
	// Of each kind the newest; one that is created as confirmed is of both kinds.
	const created = newest(all.filter((m) => m.type === 'booking.created'))
	const confirmed = newest([...all.filter((m) => m.type === 'booking.confirmed'),
		...all.filter((m) => m.type === 'booking.created' && m.status === 'confirmed').map((m) => ({ ...m, type: 'booking.confirmed' }))])
	const cancelled = newest(all.filter((m) => m.type === 'booking.cancelled'))
	const kept = [created, confirmed, cancelled].filter(Boolean)
	const event = newestSaying(kept, 'event')
	if (event === undefined) return null
	const status = { 'booking.created': 'pending', 'booking.confirmed': 'confirmed', 'booking.cancelled': 'cancelled' }[newest(kept).type]
	const currency = newestSaying(kept, 'currency') ?? events.get(event).currency
	return { booking: id, event, user: newestSaying(kept, 'user') ?? null, status, seats: newestSaying(kept, 'seats') ?? 1,
		minor: minorOf(newestSaying(kept, 'amount') ?? '0', currency), currency,
		created: created?.at ?? Math.min(...kept.map((m) => m.at)), confirmed: status === 'pending' ? null : confirmed?.at ?? null,
		cancelled: status === 'cancelled' ? cancelled.at : null }
}

// { events, bookings, users } of a set of messages.
export function states(said, site = SITE) {
	const ofEvent = grouped(said.filter((m) => m.type.startsWith('event.')), (m) => m.event)
	const ofBooking = grouped(said, (m) => m.booking)
	const naming = grouped(said.filter((m) => m.booking !== undefined), (m) => m.event)
	const events = new Map()
	for (const id of new Set([...ofEvent.keys(), ...naming.keys()])) events.set(id, eventState(id, ofEvent.get(id) ?? [], naming.get(id) ?? [], site))
	const bookings = []
	for (const [id, all] of ofBooking) {
		const state = bookingState(id, all, events, site)
		if (state) bookings.push(state)
	}
	const users = [...grouped(said, (m) => m.user)].map(([id, all]) => ({ user: id, seen: Math.min(...all.map((m) => m.at)),
		registered: all.find((m) => m.type === 'user.created')?.at ?? null }))
	return { events, bookings, users }
}

// ---- the oracle: figures ----------------------------------------------------------

const MEASURES = ['touched', 'new', 'new_seats', 'confirmed', 'confirmed_seats', 'cancelled', 'cancelled_seats', 'counted', 'revenue_minor', 'booked_minor']

class Sums {
	rows = new Map()

	// Adds numbers, by their names, to the row of this key.
	add(key, numbers) {
		const at = key.join('\t')
		const row = this.rows.get(at) ?? this.rows.set(at, { key, sums: {} }).get(at)
		for (const name in numbers) row.sums[name] = (row.sums[name] ?? 0) + numbers[name]
	}

	lines(names) { return [...this.rows.values()].map(({ key, sums }) => [...key, ...names.map((n) => sums[n] ?? 0)]) }
}

function* measuresOf(b, site) {
	const created = dayOf(b.created, site), confirmed = b.confirmed === null ? null : dayOf(b.confirmed, site)
	const cancelled = b.cancelled === null ? null : dayOf(b.cancelled, site)
	const counted = b.status === 'confirmed' ? 1 : 0, was = b.confirmed === null ? 0 : 1
	for (const day of new Set([created, confirmed, cancelled])) if (day !== null) yield [day, { touched: 1 }]
	yield [created, { new: 1, new_seats: b.seats, counted, revenue_minor: counted * b.minor }]
	if (confirmed) yield [confirmed, { confirmed: 1, confirmed_seats: b.seats, booked_minor: b.minor }]
	if (cancelled) yield [cancelled, { cancelled: 1, cancelled_seats: was * b.seats, booked_minor: -was * b.minor }]
}

function addBooking(b, e, sums, site) {
	for (const [day, measures] of measuresOf(b, site)) {
		sums.event_day.add([b.event, day, b.currency], measures)
		sums.category_day.add([e.category, day, b.currency], measures)
		sums.booking_day.add([day, b.currency], measures)
	}
	const day = dayOf(b.created, site), once = { new: 1, new_seats: b.seats }
	sums.booking_hour.add([day, hourOf(b.created, site)], once)
	const lead = e.starts === null ? -1 : Math.max(0, Math.min(365, dayNumber(dayOf(e.starts, site)) - dayNumber(day)))
	sums.booking_lead.add([e.category, lead], once)
}

function statsOf(e, list) {
	const of = (status) => list.filter((b) => b.status === status)
	const seats = (some) => some.reduce((n, b) => n + b.seats, 0)
	const money = new Sums()
	for (const b of of('confirmed')) money.add([b.currency], { revenue_minor: b.minor, counted: 1 })
	const own = money.rows.get(e.currency)?.sums ?? { revenue_minor: 0, counted: 0 }
	const others = [...money.rows.values()].filter((r) => r.key[0] !== e.currency).map((r) => [r.key[0], r.sums])
	const times = list.map((b) => b.created)
	return { event: e, bookings: list.length, confirmed: of('confirmed').length, cancelled: of('cancelled').length, seats: seats(list),
		confirmedSeats: seats(of('confirmed')), cancelledSeats: seats(of('cancelled')), ...own,
		other: others.length ? JSON.stringify(Object.fromEntries(others)) : null,
		utilization: e.unlimited ? null : rounded(100n * BigInt(seats(of('confirmed'))), BigInt(e.capacity)),
		cancellation: list.length ? rounded(100n * BigInt(of('cancelled').length), BigInt(list.length)) : null,
		first: times.length ? times.reduce((a, b) => Math.min(a, b)) : null, last: times.length ? times.reduce((a, b) => Math.max(a, b)) : null }
}

// Dense ranks, from 1, of the greatest first: of each thing its rank.
function ranks(list, value) {
	const places = new Map([...new Set(list.map(value))].sort((a, b) => b - a).map((v, i) => [v, i + 1]))
	return new Map(list.map((s) => [s.event.event, places.get(value(s))]))
}

function topOf(stats) {
	const booked = stats.filter((s) => s.bookings > 0)
	const by = ranks(booked, (s) => s.bookings)
	const full = ranks(booked.filter((s) => s.utilization !== null), (s) => Number(s.utilization))
	const rich = new Map()
	for (const list of grouped(booked, (s) => s.event.currency).values()) for (const [id, n] of ranks(list, (s) => s.revenue_minor)) rich.set(id, n)
	return booked.map(({ event: e, ...s }) => [e.event, e.name, e.category, e.currency, s.bookings, s.revenue_minor, s.utilization,
		by.get(e.event), rich.get(e.event), full.get(e.event) ?? null])
}

// The mean of the exact ratios, as a percentage; of none null.
function mean(ratios) {
	if (!ratios.length) return null
	const one = 10n ** 40n
	return rounded(100n * ratios.reduce((sum, [a, b]) => sum + BigInt(a) * one / BigInt(b), 0n), one * BigInt(ratios.length))
}
const whole = (ratios) => (ratios.length ? rounded(100n * ratios.reduce((n, r) => n + BigInt(r[0]), 0n), ratios.reduce((n, r) => n + BigInt(r[1]), 0n)) : null)

function systemOf({ events, bookings, users }, stats, site, today) {
	const ago = (day) => dayNumber(today) - dayNumber(day)
	const recent = (day) => ago(day) >= 1 && ago(day) <= 30, previous = (day) => ago(day) >= 31 && ago(day) <= 60
	const days = bookings.map((b) => dayOf(b.created, site))
	const limited = stats.filter((s) => !s.event.unlimited).map((s) => [s.confirmedSeats, s.event.capacity])
	const cancelled = stats.filter((s) => s.bookings > 0).map((s) => [s.cancelled, s.bookings])
	const money = new Sums()
	bookings.forEach((b, i) => {
		if (b.status === 'confirmed') money.add([b.currency], { total_minor: b.minor, counted: 1,
			recent_minor: recent(days[i]) ? b.minor : 0, previous_minor: previous(days[i]) ? b.minor : 0 })
	})
	const status = (word) => bookings.filter((b) => b.status === word).length
	return [today, events.size, bookings.length, users.length, status('confirmed'), status('cancelled'), days.filter(recent).length,
		days.filter(previous).length, [...events.values()].filter((e) => recent(dayOf(e.seen, site))).length,
		mean(limited), whole(limited), mean(cancelled), whole(cancelled),
		JSON.stringify(Object.fromEntries([...money.rows.values()].map((r) => [r.key[0], r.sums])))]
}

// On how many events that are published somebody could book, or go to, on each day from the first with a booking to
// today. On sale: from its sales' start, else from when it was published or first heard of, to their end, else the
// event's, else for ever. A window's last instant belongs to the day before. Without any times: on days it is booked.
function activeDays({ events, bookings }, site, today) {
	const sums = new Sums(), booked = grouped(bookings, (b) => b.event)
	const touched = bookings.flatMap((b) => [b.created, b.confirmed, b.cancelled]).filter((t) => t !== null)
	const begin = dayNumber(dayOf(touched.reduce((a, b) => Math.min(a, b), Infinity), site)), end = dayNumber(today)
	for (const e of events.values()) {
		if (e.status !== 'published') continue
		const days = new Set()
		const cover = (from, until) => {
			const first = dayNumber(dayOf(from, site)), last = until === null ? end : dayNumber(dayOf(Math.max(from, until - 1), site))
			for (let d = Math.max(first, begin); d <= Math.min(last, end); d++) days.add(d)
		}
		const sold = e.salesFrom ?? e.salesUntil, run = e.starts ?? e.ends
		if (sold !== null) cover(e.salesFrom ?? e.published ?? e.seen, e.salesUntil ?? e.ends ?? e.starts)
		if (run !== null) cover(run, e.ends ?? e.starts)
		if (sold === null && run === null) for (const b of booked.get(e.event) ?? []) days.add(dayNumber(dayOf(b.created, site)))
		for (const day of days) if (day <= end) sums.add([dayText(day)], { active_events: 1 })
	}
	return sums
}

// ---- the oracle: tables -----------------------------------------------------------

const TABLES = {
	booking_state: ['booking_id', 'event_id', 'user_id', 'status', 'seats', 'amount_minor', 'currency', 'created_at', 'confirmed_at',
		'cancelled_at', 'created_day', 'created_hour', 'confirmed_day', 'cancelled_day'],
	event_state: ['event_id', 'name', 'category', 'capacity', 'unlimited', 'currency', 'starts_at', 'ends_at', 'sales_from', 'sales_until',
		'status', 'published_at', 'first_seen_at'],
	event_capacity: ['event_id', 'version', 'occurred_at', 'seq', 'capacity'],
	user_state: ['user_id', 'first_seen_at', 'first_day', 'registered_at'],
	event_day: ['event_id', 'business_date', 'currency', ...MEASURES],
	category_day: ['category', 'business_date', 'currency', ...MEASURES],
	booking_day: ['business_date', 'currency', ...MEASURES],
	booking_day_more: ['business_date', 'new_users', 'active_events'],
	booking_hour: ['business_date', 'hour', 'new', 'new_seats'],
	booking_lead: ['category', 'lead_days', 'new', 'new_seats'],
	event_stats: ['event_id', 'event_name', 'category', 'status', 'starts_at', 'ends_at', 'total_capacity', 'unlimited', 'currency', 'total_bookings',
		'confirmed_bookings', 'cancelled_bookings', 'total_seats', 'confirmed_seats', 'cancelled_seats', 'revenue_minor', 'counted', 'other_money',
		'capacity_utilization', 'cancellation_rate', 'overbooked', 'first_booking', 'last_booking'],
	top_events: ['event_id', 'event_name', 'category', 'currency', 'total_bookings', 'revenue_minor', 'capacity_utilization', 'booking_rank',
		'revenue_rank', 'utilization_rank'],
	system_metrics: ['today', 'total_events', 'total_bookings', 'total_users', 'confirmed_bookings', 'cancelled_bookings', 'recent_bookings',
		'previous_bookings', 'recent_events', 'avg_capacity_utilization', 'weighted_capacity_utilization', 'avg_cancellation_rate',
		'weighted_cancellation_rate', 'money'],
}

const at = (us) => (us === null ? null : iso(us))
const dayOr = (us, site) => (us === null ? null : dayOf(us, site))

// Of each table its rows.
export function expected(said, today, site = SITE) {
	const world = states(said, site)
	const { events, bookings, users } = world
	const sums = Object.fromEntries(['event_day', 'category_day', 'booking_day', 'booking_hour', 'booking_lead'].map((t) => [t, new Sums()]))
	for (const b of bookings) addBooking(b, events.get(b.event), sums, site)
	const more = activeDays(world, site, today)
	for (const u of users) more.add([dayOf(u.seen, site)], { new_users: 1 })
	const of = grouped(bookings, (b) => b.event)
	const stats = [...events.values()].map((e) => statsOf(e, of.get(e.event) ?? []))
	return {
		booking_state: bookings.map((b) => [b.booking, b.event, b.user, b.status, b.seats, b.minor, b.currency, at(b.created), at(b.confirmed),
			at(b.cancelled), dayOf(b.created, site), hourOf(b.created, site), dayOr(b.confirmed, site), dayOr(b.cancelled, site)]),
		event_state: [...events.values()].map((e) => [e.event, e.name, e.category, e.capacity, e.unlimited, e.currency, at(e.starts), at(e.ends),
			at(e.salesFrom), at(e.salesUntil), e.status, at(e.published), at(e.seen)]),
		event_capacity: said.filter((m) => m.capacity !== undefined).map((m) => [m.event, m.version ?? 0, at(m.at), m.seq ?? 0, m.capacity]),
		user_state: users.map((u) => [u.user, at(u.seen), dayOf(u.seen, site), at(u.registered)]),
		...Object.fromEntries(['event_day', 'category_day', 'booking_day'].map((t) => [t, sums[t].lines(MEASURES)])),
		booking_day_more: more.lines(['new_users', 'active_events']),
		...Object.fromEntries(['booking_hour', 'booking_lead'].map((t) => [t, sums[t].lines(['new', 'new_seats'])])),
		event_stats: stats.map(({ event: e, ...s }) => [e.event, e.name, e.category, e.status, at(e.starts), at(e.ends), e.capacity, e.unlimited, e.currency,
			s.bookings, s.confirmed, s.cancelled, s.seats, s.confirmedSeats, s.cancelledSeats, s.revenue_minor, s.counted, s.other, s.utilization,
			s.cancellation, !e.unlimited && s.confirmedSeats > e.capacity, at(s.first), at(s.last)]),
		top_events: topOf(stats),
		system_metrics: [systemOf(world, stats, site, today)],
	}
}

// What differs between the tables and what must be in them: [] where nothing does.
export async function differences(cache, said, { site = SITE, only = Object.keys(TABLES) } = {}) {
	const found = []
	const [metrics] = await cache.query('SELECT today FROM system_metrics')
	await cache.exec('DROP SCHEMA IF EXISTS oracle CASCADE; CREATE SCHEMA oracle')
	for (const [table, rows] of Object.entries(expected(said, metrics?.today ?? '1970-01-01', site))) {
		if (!only.includes(table)) continue
		const columns = TABLES[table].join(', ')
		await cache.exec(`CREATE TABLE oracle.${table} AS SELECT ${columns} FROM ${table} WHERE false`)
		await cache.copyIn(`oracle.${table}`, rows.map((r) => r.map(field).join('\t') + '\n').join(''))
		for (const [what, a, b] of [['too much', table, `oracle.${table}`], ['missing', `oracle.${table}`, table]]) {
			const rest = await cache.query(`SELECT count(*) OVER () AS n, to_jsonb(q) AS row FROM
				(SELECT ${columns} FROM ${a} EXCEPT ALL SELECT ${columns} FROM ${b}) q ORDER BY q LIMIT 3`)
			if (rest.length) found.push(`${table}: ${rest[0].n} rows ${what}: ${rest.map((r) => JSON.stringify(r.row)).join(' ')}`)
		}
	}
	return found
}

// The inbox: each message once and in effect, the poison dead and nothing else.
export async function inboxDifferences(cache, bookings) {
	const found = []
	const distinct = new Set(bookings.said.map((m) => m)).size
	const good = await cache.value("SELECT count(*) FROM event_log WHERE processed AND dead_at IS NULL")
	if (good !== distinct) found.push(`event_log: ${good} rows in effect instead of ${distinct}`)
	const rows = await cache.query(`SELECT coalesce(event_data, convert_from(raw, 'UTF8')) AS text, last_error FROM event_log WHERE NOT processed`)
	const marks = rows.map((r) => /poison-\d+\./.exec(r.text)?.[0] ?? r.text).sort()
	if (JSON.stringify(marks) !== JSON.stringify([...bookings.poison].sort())) found.push(`dead rows: ${marks.length} instead of ${bookings.poison.size}, or others`)
	for (const r of rows.filter((row) => !row.last_error).slice(0, 3)) found.push(`dead without a reason: ${r.text}`)
	return found
}
