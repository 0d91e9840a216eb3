// activity_oracle.mjs: what tracked events come to by docs/ACTIVITY.md, worked out one event after another, without a thought
// of how takings-stream does it.
import { BUILT_IN, isBot } from './activity.mjs'
import { siteClock } from './bookings.mjs'

const HOUR_MS = 3_600_000, DAY_MS = 86_400_000

const dateText = (day) => new Date(day * DAY_MS).toISOString().slice(0, 10)
const timeText = (ms) => ms === undefined ? null : new Date(ms).toISOString()

// When hours of the wall clock, business days and their months begin.
export function activityClock(tz, cutoff) {
	const days = siteClock(tz, cutoff)
	const format = new Intl.DateTimeFormat('en-US', { timeZone: tz, minute: 'numeric', second: 'numeric' })
	const quarters = new Map() // of a quarter of an hour: how far into the hour it begins, and its day
	const quarter = (ms) => {
		const at = Math.floor(ms / 900_000) * 900_000
		if (!quarters.has(at)) {
			const [minute, second] = format.format(at).split(':').map(Number)
			quarters.set(at, { hour: at - (minute * 60 + second) * 1000, day: days.day(at) })
		}
		return quarters.get(at)
	}
	const month = (day) => {
		const date = new Date(day * DAY_MS)
		return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS
	}
	return {
		day: (ms) => quarter(ms).day,
		buckets(ms) {
			const { hour, day } = quarter(ms)
			return [['hour', hour], ['day', days.start(day)], ['month', days.start(month(day))]]
		},
	}
}

const dim = (e, name) => Array.isArray(e.dims) ? e.dims[BUILT_IN.indexOf(name)] : e.dims?.[name]

export const by = (e) => e.user_id ? `user ${e.user_id}` : e.anonymous_id ? `anonymous ${e.anonymous_id}` : `session ${e.session_id}`

// Whose each id is, after all events in their order of arrival.
export function links(events) {
	const owner = new Map() // id -> the id it was linked to, or undefined
	for (const e of events) {
		for (const kind of ['user', 'anonymous', 'session']) if (e[`${kind}_id`] && !owner.has(`${kind} ${e[`${kind}_id`]}`)) owner.set(`${kind} ${e[`${kind}_id`]}`, undefined)
		const anonymous = `anonymous ${e.anonymous_id}`, session = `session ${e.session_id}`
		if (e.anonymous_id && e.user_id && !owner.get(anonymous)) owner.set(anonymous, `user ${e.user_id}`)
		if (e.session_id && by(e) !== session && !owner.get(session)) owner.set(session, by(e))
	}
	const person = (id) => owner.get(id) ? person(owner.get(id)) : id
	return { ids: [...owner.keys()], person }
}

// Of each event the groups it is in.
export function groupsOf(events) {
	const known = Array.from({ length: 17 }, () => new Set())
	return new Map(events.map((e) => {
		const dims = Array.isArray(e.dims) ? e.dims : BUILT_IN.map((name) => e.dims?.[name])
		return [e, Array.from({ length: Math.max(8, dims.length) }, (_, i) => {
			const value = dims[i] ?? '', set = known[i + 1]
			if (value === '' || set.has(value)) return `${i + 1}:${value}`
			if (set.size >= 1000 || value === '(other)') return `${i + 1}:(other)`
			set.add(value)
			return `${i + 1}:${value}`
		})]
	}))
}

function split(list, timeout) {
	const out = []
	for (const e of list) {
		const now = out.at(-1)
		if (now && e.at - now.at(-1).at <= timeout && e.at - now[0].at <= DAY_MS) now.push(e)
		else out.push([e])
	}
	return out
}

function session(list, { currency }) {
	const first = (pick) => list.map(pick).find(Boolean) ?? ''
	const bought = list.findLastIndex((e) => e.type === 'purchase')
	const carted = list.slice(bought + 1).filter((e) => e.type === 'add_to_cart' || e.type === 'remove_from_cart')
	const priced = carted.filter((e) => e.price !== undefined && (e.currency ?? currency) === currency)
	const cents = priced.reduce((n, e) => n + (e.type === 'add_to_cart' ? 1 : -1) * Math.round(Number(e.price) * 100) * (e.quantity ?? 1), 0)
	const steps = { product_view: 1, add_to_cart: 2, checkout_start: 4, purchase: 8 }
	return {
		bot: isBot(list[0]), session_id: list[0].session_id ?? null, started: list[0].at, last: list.at(-1).at,
		received: Math.max(...list.map((e) => e.received_at ?? e.at)), ended: list.at(-1).type === 'session_end', events: list.length,
		page_views: list.filter((e) => (e.type ?? 'page_view') === 'page_view').length,
		steps: list.reduce((n, e) => n | (steps[e.type] ?? 0), 0), landing: first((e) => dim(e, 'page')), source: first((e) => dim(e, 'source')),
		device: first((e) => dim(e, 'device')), leaving: list.map((e) => dim(e, 'page')).findLast(Boolean) ?? '', cents, cart_unpriced: carted.length - priced.length,
	}
}

const grouped = (list, key) => Map.groupBy ? Map.groupBy(list, key) : list.reduce((m, x) => (m.get(key(x))?.push(x) ?? m.set(key(x), [x]), m), new Map())

class Sums {
	rows = new Map()
	add(keys, values) {
		const key = JSON.stringify(keys)
		this.rows.set(key, (this.rows.get(key) ?? values.map(() => 0)).map((n, i) => n + values[i]))
	}
	list() { return [...this.rows].map(([key, values]) => [...JSON.parse(key), ...values]) }
}

const cut = (g) => [Number(g.slice(0, g.indexOf(':'))), g.slice(g.indexOf(':') + 1)]
const sorted = (set) => [...set].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

// Tables as activityTables() reads them. `events` in their order of arrival, as of activityInsert(), with times in milliseconds
// and with `seq`.
export function activityOracle(events, { tz, cutoff, timeout_s, currency = 'EUR' }) {
	const clock = activityClock(tz, cutoff)
	const { ids, person } = links(events)
	const groups = groupsOf(events)
	const inOrder = [...events].sort((a, b) => a.at - b.at || a.seq - b.seq)

	const people = grouped(events.filter((e) => !isBot(e)), (e) => person(by(e)))
	const visitors = ids.map((id) => {
		const own = person(id) === id ? people.get(id) ?? [] : []
		const least = own.length ? Math.min(...own.map((e) => e.at)) : undefined
		return [id, person(id), timeText(least), least === undefined ? null : dateText(clock.day(least)),
			timeText(own.length ? Math.max(...own.map((e) => e.at)) : undefined), timeText(own.length ? Math.max(...own.map((e) => e.received_at ?? e.at)) : undefined)]
	})

	const sum = new Sums(), sessionSum = new Sums(), userSum = new Sums()
	for (const e of events)
		for (const g of [...groups.get(e), '0:'])
			for (const [grain, at] of clock.buckets(e.at)) sum.add([grain, isBot(e), cut(g)[0], timeText(at), e.type ?? 'page_view', cut(g)[1]], [1])

	const sessions = [...grouped(inOrder, (e) => `${isBot(e)} ${e.session_id ? `session ${e.session_id}` : by(e)}`).values()]
		.flatMap((list) => list[0].session_id ? [list] : split(list, timeout_s * 1000))
		.map((list) => {
			const s = session(list, { currency })
			const all = new Set(list.flatMap((e) => groups.get(e)))
			for (const g of [...all, '0:'])
				for (const [grain, at] of clock.buckets(s.started))
					sessionSum.add([grain, s.bot, cut(g)[0], timeText(at), cut(g)[1]],
						[1, s.steps & 8 ? 1 : 0, s.events === 1 ? 1 : 0, s.events, Math.floor((s.last - s.started) / 1000)])
			return [person(s.session_id ? `session ${s.session_id}` : by(list[0])), s.session_id, s.bot, timeText(s.started), timeText(s.last), timeText(s.received), s.ended,
				dateText(clock.day(s.started)), timeText(clock.buckets(s.started)[0][1]), s.events, s.page_views, s.steps, s.landing, s.leaving, s.source,
				s.device, s.cents, s.cart_unpriced, sorted(all)]
		})

	const personDay = [...grouped(events, (e) => JSON.stringify([dateText(clock.day(e.at)), isBot(e), person(by(e))]))].map(([key, list]) => {
		const all = new Set(list.flatMap((e) => groups.get(e)))
		const [date, bot] = JSON.parse(key)
		for (const g of [...all, '0:']) userSum.add([bot, cut(g)[0], date, cut(g)[1]], [1])
		return [...JSON.parse(key), sorted(all)]
	})

	const product = new Map(inOrder.filter((e) => dim(e, 'product') && dim(e, 'category')).map((e) => [dim(e, 'product'), [dim(e, 'product'), dim(e, 'category'), timeText(e.at)]]))
	const types = [...grouped(inOrder, (e) => e.type ?? 'page_view')].map(([type, list]) => [type, timeText(list[0].at), timeText(list.at(-1).at)])
	return { activity_visitor: visitors, activity_session: sessions, activity_person_day: personDay, activity_sum: sum.list(), activity_session_sum: sessionSum.list(),
		activity_user_sum: userSum.list(), activity_product: [...product.values()], activity_type: types }
}

const at = (column) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

// Columns, and where from.
const QUERIES = {
	activity_visitor: [`v.kind || ' ' || v.id, p.kind || ' ' || p.id, ${at('v.first_at')}, v.first_day, ${at('v.last_at')}, ${at('v.last_received_at')}`,
		'activity_visitor v JOIN activity_visitor p ON p.visitor_id = v.person_id'],
	activity_session: [`p.kind || ' ' || p.id, s.session_id, s.bot, ${at('s.started_at')}, ${at('s.last_at')}, ${at('s.last_received_at')}, s.ended, s.business_date,
		${at('s.hour_at')}, s.events, s.page_views, s.steps, s.landing, s.leaving, s.source, s.device, trim_scale(s.cart * 100), s.cart_unpriced, s.groups`,
		'activity_session s JOIN activity_visitor p ON p.visitor_id = s.person_id'],
	activity_person_day: ["business_date, bot, p.kind || ' ' || p.id, groups", 'activity_person_day d JOIN activity_visitor p ON p.visitor_id = d.person_id'],
	activity_sum: [`grain, bot, dimension_id, ${at('bucket_at')}, event_type, value, events`, 'activity_sum'],
	activity_session_sum: [`grain, bot, dimension_id, ${at('bucket_at')}, value, sessions, converted, bounced, events, seconds`, 'activity_session_sum'],
	activity_user_sum: ['bot, dimension_id, business_date, value, users', 'activity_user_sum'],
	activity_product: [`product_id, category, ${at('said_at')}`, 'activity_product'],
	activity_type: [`event_type, ${at('first_at')}, ${at('last_at')}`, 'activity_type WHERE first_at IS NOT NULL'],
}

// The tables that events take effect on, as lists of values; people by the id that stands for them.
export const activityTables = (database) => database.one(`SELECT ${Object.entries(QUERIES).map(([name, [columns, from]]) =>
	`(SELECT coalesce(json_agg(json_build_array(${columns})), '[]') FROM ${from}) AS ${name}`).join(', ')}`)

// Each table as its lines in order.
export const tableLines = (tables) => Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rows.map((row) => JSON.stringify(row)).sort()]))
