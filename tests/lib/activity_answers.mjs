// activity_answers.mjs: what a question of POST /dashboard/metrics is to be answered, worked out from the rows of events and
// orders in plain JavaScript by docs/ACTIVITY.md: no figure, function or clock of the database has a part in it.
import { BUILT_IN } from './activity.mjs'
import { Clock, DAY, HOUR, addDays } from './activity_questions.mjs'

const OF_TYPE = { page_views: 'page_view', product_views: 'product_view', adds_to_cart: 'add_to_cart', removes_from_cart: 'remove_from_cart',
	checkouts: 'checkout_start', purchases: 'purchase', searches: 'search', filters: 'filter' }
export const METRICS = {
	events: ['events', ...Object.keys(OF_TYPE)],
	sessions: ['sessions', 'converted_sessions', 'bounced_sessions', 'session_events', 'session_seconds', 'conversion_rate', 'bounce_rate', 'events_per_session', 'seconds_per_session'],
	users: ['users', 'new_users', 'returning_users'],
	orders: ['revenue', 'orders', 'avg_order_value', 'items_sold', 'item_sales'],
}
export const familyOf = (metric) => Object.keys(METRICS).find((f) => METRICS[f].includes(metric))
export const DIMENSIONS = [...BUILT_IN, 'plan']
const idOf = (name) => DIMENSIONS.indexOf(name) + 1

// num / den with so many decimals, ties to the even neighbour; null by 0.
export function ratio(num, den, digits) {
	if (den === 0) return null
	const scale = 10n ** BigInt(digits)
	const n = BigInt(num) * scale
	const d = BigInt(den)
	let whole = n / d
	const twice = 2n * (n % d)
	if (twice > d || (twice === d && whole % 2n === 1n)) whole += 1n
	return Number(whole) / Number(scale)
}

export class Oracle {
	constructor({ events, people, values, orders, regions, zone, cutoff, gap }) {
		Object.assign(this, { orders, regions, site: new Clock(zone, cutoff), gap, zone, cutoff })
		this.values = new Set(values.map((v) => `${v.dimension_id}:${v.value}`))
		const person = new Map(people.map((p) => [`${p.kind}:${p.id}`, p.person_id]))
		this.events = events.map((e) => {
			const [kind, id] = e.user_id ? ['user', e.user_id] : e.anonymous_id ? ['anonymous', e.anonymous_id] : ['session', e.session_id]
			return { at: e.at, type: e.type, bot: (e.flags & 112) !== 0, person: person.get(`${kind}:${id}`), key: e.session_id ? `s ${e.session_id}` : `${kind} ${id}`,
				given: Boolean(e.session_id), values: DIMENSIONS.map((_, i) => this.value(e, i + 1)), product: e.dims[6], category: e.dims[5] }
		})
		this.first = new Map()
		for (const e of this.events) if (!e.bot) this.first.set(e.person, Math.min(this.first.get(e.person) ?? Infinity, e.at))
		this.categories = new Map()
		for (const e of [...this.events].sort((a, b) => a.at - b.at)) if (e.product && e.category) this.categories.set(e.product, e.category)
		this.sessions = this.makeSessions()
	}

	// '' not set; undefined: the dimension was not there yet.
	value(e, id) {
		if (id > 8 && e.dims.length < id) return undefined
		const said = e.dims[id - 1] ?? ''
		return said === '' || this.values.has(`${id}:${said}`) ? said : '(other)'
	}

	makeSessions() {
		const found = []
		const open = new Map()
		for (const e of [...this.events].sort((a, b) => a.at - b.at)) {
			const key = `${e.bot} ${e.key}`
			const last = open.get(key)
			if (last && (e.given || (e.at - last.end <= this.gap && e.at - last.start <= DAY))) {
				last.events.push(e)
				last.end = e.at
			} else {
				const session = { start: e.at, end: e.at, bot: e.bot, events: [e] }
				open.set(key, session)
				found.push(session)
			}
		}
		return found
	}

	// ---- time ----------------------------------------------------------------------

	clock(q) { return q.timezone && q.timezone !== this.zone ? new Clock(q.timezone, 0) : this.site }

	instant(q, text) { return /^\d{4}-\d\d-\d\d$/.test(text) ? this.clock(q).start(text) : Date.parse(text) }

	// [{ name, from }] of a range, oldest first.
	buckets(q, from, to) {
		const step = q.granularity ?? 'none'
		const clock = this.clock(q)
		if (step === 'none') return [{ from }]
		const found = [{ name: clock.bucket(from, step), from }]
		const next = (at) => (step === 'hour' ? at + HOUR - ((clock.wall(at) % HOUR) + HOUR) % HOUR : clock.start(addDays(clock.date(at), 1)))
		for (let at = next(from); at < to; at = next(at)) {
			const name = clock.bucket(at, step)
			if (name !== found.at(-1).name) found.push({ name, from: at })
		}
		return found
	}

	// The range compared with, as the sentences of the documentation have it.
	base(q, from, to) {
		const clock = this.clock(q)
		if ((q.compare ?? 'none') === 'none') return null
		const [a, z] = [clock.date(from), clock.date(to)]
		const begins = clock.start(a) === from
		const days = begins && clock.start(z) === to
		const back = (at, n) => { const wall = clock.wall(at) - n * DAY; return wall - clock.offset(wall - clock.offset(at)) }
		const months = (Number(z.slice(0, 4)) - Number(a.slice(0, 4))) * 12 + Number(z.slice(5, 7)) - Number(a.slice(5, 7))
		const monthsBack = (date, n) => {
			const at = Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)) - 1 - n
			return `${Math.floor(at / 12)}-${String(at % 12 + 1).padStart(2, '0')}-01`
		}
		if (q.granularity === 'month' && days && a.endsWith('-01') && z.endsWith('-01')) {
			const n = q.compare === 'year' ? Math.ceil(months / 12) * 12 : months
			return [clock.start(monthsBack(a, n)), clock.start(monthsBack(z, n))]
		}
		if (q.compare === 'year') {
			const n = Math.ceil(Math.ceil((to - from) / DAY) / 364) * 364
			if (days) return [clock.start(addDays(a, -n)), clock.start(addDays(z, -n))]
			return [begins ? clock.start(addDays(a, -n)) : back(from, n), back(to, n)]
		}
		if (!begins) return [from - (to - from), from]
		const n = Math.round((Date.parse(z) - Date.parse(a)) / DAY) + !days
		if (!days) return [clock.start(addDays(a, -n)), back(to, n)]
		return [clock.start(addDays(a, -n)), clock.start(addDays(z, -n))]
	}

	// ---- counting --------------------------------------------------------------------

	fits(e, q) {
		for (const [name, want] of Object.entries(q.filters ?? {})) {
			const wanted = [want].flat()
			if (name === 'event_type' ? !wanted.includes(e.type) : !wanted.includes(shown(e.values[idOf(name) - 1]))) return false
		}
		return true
	}

	// Of each bucket and group that has anything: { bucket, g, types, sessions, people, n }.
	find(q, bounds, names) {
		const cells = new Map()
		const bots = q.bots === 'only'
		const bucketOf = (at) => { let i = bounds.length - 1; while (i >= 0 && bounds[i] > at) i--; return i }
		const inside = (at) => at >= bounds[0] && at < bounds.at(-1)
		const cell = (bucket, g) => {
			const key = JSON.stringify([bucket, g])
			if (!cells.has(key)) cells.set(key, { bucket, g, types: {}, sessions: new Set(), people: new Set(), revenue: 0, orders: 0, counted: 0, quantity: 0, minor: 0 })
			return cells.get(key)
		}
		const groupOf = (e) => {
			const g = names.map((name) => e.values[idOf(name) - 1])
			return g.includes(undefined) ? null : g
		}
		const families = new Set(q.metrics.map(familyOf))
		for (const e of this.events) {
			if (e.bot !== bots || !inside(e.at) || !this.fits(e, q)) continue
			const g = groupOf(e)
			if (!g) continue
			const c = (families.has('events') || families.has('users')) && cell(bucketOf(e.at), g)
			if (families.has('events')) c.types[e.type] = (c.types[e.type] ?? 0) + 1
			if (families.has('users')) c.people.add(e.person)
		}
		for (const s of families.has('sessions') ? this.sessions : []) {
			if (s.bot !== bots || !inside(s.start)) continue
			for (const e of s.events) {
				const g = this.fits(e, q) && groupOf(e)
				if (g) cell(bucketOf(s.start), g).sessions.add(s)
			}
		}
		if (families.has('orders')) this.findOrders(q, bounds, names, inside, (at, g) => cell(bucketOf(at), g))
		return [...cells.values()]
	}

	findOrders(q, bounds, names, inside, cell) {
		const has = (used) => used.includes('category') || used.includes('product')
		const items = has([...names, ...Object.keys(q.filters ?? {})])
		const byDay = has([...(q.dimensions ?? []), ...Object.keys(q.filters ?? {})]) || q.metrics.includes('items_sold') || q.metrics.includes('item_sales')
		const isDay = (at) => this.site.start(this.site.date(at)) === at
		const isHour = (at) => this.site.wall(at) % HOUR === 0
		const days = bounds.every(isDay)
		const hours = !days && !byDay && bounds.every(isHour)
		const middle = (date) => (this.site.start(date) + this.site.start(addDays(date, 1))) / 2
		const facts = items ? this.orders.items.map((i) => ({ at: middle(i.date), location: i.location, category: this.categories.get(i.item) ?? '', product: i.item,
			revenue: i.minor, orders: i.orders, counted: i.orders, quantity: i.quantity, minor: i.minor }))
			: hours ? this.orders.hours.map((h) => ({ at: this.hourStart(h), location: h.location, revenue: h.revenue, orders: h.placed, counted: h.counted, quantity: 0, minor: 0 }))
				: this.orders.days.map((d) => ({ at: middle(d.date), location: d.location, revenue: d.revenue, orders: d.placed, counted: d.counted, quantity: d.quantity, minor: d.minor }))
		for (const f of facts) {
			f.region = this.regions[f.location] ?? ''
			if (!inside(f.at) || !Object.entries(q.filters ?? {}).every(([name, want]) => [want].flat().includes(shown(f[name])))) continue
			const c = cell(f.at, names.map((name) => f[name]))
			for (const n of ['revenue', 'orders', 'counted', 'quantity', 'minor']) c[n] += f[n]
		}
	}

	// The first instant of an hour of a business day; hours before the cutoff are of the next morning. One that the
	// clock left out has no orders.
	hourStart({ date, hour }) {
		if (!this.hourStarts) this.hourStarts = new Map()
		if (!this.hourStarts.has(date)) {
			const start = this.site.start(date)
			const hours = {}
			for (let at = start; at < this.site.start(addDays(date, 1)); at += HOUR) hours[new Date(this.site.wall(at)).getUTCHours()] ??= at
			this.hourStarts.set(date, hours)
		}
		return this.hourStarts.get(date)[hour]
	}

	// A metric of a cell; undefined cell: nothing is there. `rest`: of `(other groups)`.
	figure(metric, cell, bounds, rest) {
		const family = familyOf(metric)
		if (rest && (family === 'sessions' || family === 'users')) return null
		const c = cell ?? { types: {}, sessions: new Set(), people: new Set(), revenue: 0, orders: 0, counted: 0, quantity: 0, minor: 0 }
		if (metric === 'events') return Object.values(c.types).reduce((n, x) => n + x, 0)
		if (OF_TYPE[metric]) return c.types[OF_TYPE[metric]] ?? 0
		if (family === 'users') {
			const fresh = [...c.people].filter((p) => this.first.get(p) >= bounds[c.bucket] && this.first.get(p) < bounds[c.bucket + 1]).length
			return metric === 'users' ? c.people.size : metric === 'new_users' ? fresh : c.people.size - fresh
		}
		if (family === 'sessions') {
			const all = [...c.sessions]
			const n = { sessions: all.length, converted_sessions: all.filter((s) => s.events.some((e) => e.type === 'purchase')).length,
				bounced_sessions: all.filter((s) => s.events.length === 1).length, session_events: all.reduce((k, s) => k + s.events.length, 0),
				session_seconds: all.reduce((k, s) => k + Math.floor((s.end - s.start) / 1000), 0) }
			const part = { conversion_rate: [n.converted_sessions * 100], bounce_rate: [n.bounced_sessions * 100], events_per_session: [n.session_events],
				seconds_per_session: [n.session_seconds] }[metric]
			return part ? ratio(part[0], n.sessions, 1) : n[metric]
		}
		return { revenue: c.revenue / 100, orders: c.orders, avg_order_value: c.counted ? ratio(c.revenue, c.counted * 100, 2) : null,
			items_sold: c.quantity, item_sales: c.minor / 100 }[metric]
	}

	// { rows, totals, base_totals, group_count }
	answer(q) {
		const [from, to] = [this.instant(q, q.start_date), this.instant(q, q.end_date)]
		const names = q.dimensions ?? []
		const buckets = this.buckets(q, from, to)
		const bounds = [...buckets.map((b) => b.from), to]
		const figures = (cell, at, rest) => Object.fromEntries(q.metrics.map((m) => [m, this.figure(m, cell, at, rest)]))
		const total = (a, z) => figures(this.find(q, [a, z], [])[0], [a, z])
		const order = typeof q.order === 'string' ? { metric: q.order } : q.order ?? { metric: q.metrics[0] }
		const whole = names.length ? this.find(q, [from, to], names).map((c) => ({ g: c.g, key: JSON.stringify(c.g), figure: this.figure(order.metric, c, [from, to]) }))
			: [{ g: [], key: '[]', figure: 0 }]
		const sign = order.desc === false ? 1 : -1
		whole.sort((a, b) => (a.figure === null) - (b.figure === null) || (a.figure === null ? 0 : sign * (a.figure - b.figure)) || byText(a.g, b.g))
		const kept = whole.slice(0, Math.min(q.limit ?? 100, Math.max(1, Math.floor(100000 / buckets.length))))
		const keptKeys = new Set(kept.map((k) => k.key))
		const cells = this.find(q, bounds, names)
		const at = new Map(cells.map((c) => [`${c.bucket} ${JSON.stringify(c.g)}`, c]))
		const base = this.base(q, from, to)
		const baseBuckets = base && this.buckets(q, ...base)
		const baseBounds = base && [...baseBuckets.map((b) => b.from), base[1]]
		const baseAt = new Map((base ? this.find(q, baseBounds, names) : []).map((c) => [`${c.bucket} ${JSON.stringify(c.g)}`, c]))
		const head = (b) => (b.name ? { bucket: b.name } : {})
		const rows = buckets.flatMap((b, i) => {
			const list = kept.map(({ g, key }) => ({ ...head(b), ...group(names, g), ...figures(at.get(`${i} ${key}`), bounds),
				...(base ? { compare: baseBuckets[i] ? { ...head(baseBuckets[i]), ...figures(baseAt.get(`${i} ${key}`), baseBounds) } : null } : {}) }))
			if (whole.length > kept.length) {
				const rest = sum(cells.filter((c) => c.bucket === i && !keptKeys.has(JSON.stringify(c.g))), i)
				list.push({ ...head(b), ...group(names, names.map(() => '(other groups)')), ...figures(rest, bounds, true), ...(base ? { compare: null } : {}) })
			}
			return list
		})
		return { rows, totals: total(from, to), base_totals: base && total(...base), group_count: whole.length }
	}
}

const shown = (value) => (value === '' ? '(not set)' : value)
const group = (names, g) => Object.fromEntries(names.map((name, i) => [name, shown(g[i])]))
const byText = (a, b) => { for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return Buffer.compare(Buffer.from(a[i]), Buffer.from(b[i])); return 0 }

function sum(cells, bucket) {
	const all = { bucket, types: {}, sessions: new Set(), people: new Set(), revenue: 0, orders: 0, counted: 0, quantity: 0, minor: 0 }
	for (const c of cells) {
		for (const [type, n] of Object.entries(c.types)) all.types[type] = (all.types[type] ?? 0) + n
		for (const n of ['revenue', 'orders', 'counted', 'quantity', 'minor']) all[n] += c[n]
	}
	return all
}
