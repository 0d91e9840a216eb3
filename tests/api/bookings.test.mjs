// Figures of events and bookings over HTTP: each number worked out by hand from a few messages.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PASSWORD, accessDatabase, addUser, takings } from '../lib/access.mjs'
import { bookingSql, KIND } from '../lib/booking_tables.mjs'
import { daysAgo, noonZone, Shop } from '../lib/shop.mjs'
import { until } from '../lib/process.mjs'
import { Web } from '../lib/web.mjs'

const API = '/api/v1/analytics'
const zone = noonZone()
const ahead = 12 - new Date().getUTCHours()
const offset = `${ahead < 0 ? '-' : '+'}${String(Math.abs(ahead)).padStart(2, '0')}:00`
// So many days ago, at an hour of the site's clock; now it is about noon.
const at = (days, hour = 9) => `${daysAgo(days)}T${String(hour).padStart(2, '0')}:00:00${offset}`
const utc = (text) => new Date(text).toISOString().replace('.000Z', '.000000Z')

const event = (event_id, days, fields) => ({ kind: KIND.event, event_id, at: at(days), fields: { status: 'published', ...fields } })
const booked = (booking_id, event_id, days, more) => ({ kind: KIND.created, booking_id, event_id, at: at(days), ...more })
const MESSAGES = [
	event(17, 45, { name: 'Winter concert', category: 'music', capacity: '8', starts_at: at(-20, 19), ends_at: at(-20, 22), sales_from: at(44), published_at: at(44) }),
	{ kind: KIND.updated, event_id: 17, at: at(20), fields: { capacity: '10' } },
	event(18, 45, { name: 'Pottery course', category: 'course', capacity: '4', starts_at: at(-5), sales_from: at(44) }),
	event(19, 60, { name: 'Open day' }),
	event(20, 4, { name: 'Tasting', category: 'food', currency: 'USD', capacity: '5', starts_at: at(-3), sales_from: at(4) }),
	event(21, 45, { name: 'Empty hall', category: 'music', capacity: '100', starts_at: at(-10), sales_from: at(-1) }),
	booked('a1', 17, 40, { seats: 2, amount: '50.00', user_id: 'u1' }),
	{ kind: KIND.confirmed, booking_id: 'a1', event_id: 17, at: at(39) },
	booked('a2', 17, 10, { seats: 3, amount: '75.00', user_id: 'u1', confirmed: true }),
	booked('a3', 17, 10, { seats: 4, amount: '100.00', user_id: 'u2' }),
	{ kind: KIND.confirmed, booking_id: 'a3', event_id: 17, at: at(9) },
	{ kind: KIND.cancelled, booking_id: 'a3', event_id: 17, at: at(2) },
	booked('a4', 17, 0, { seats: 1, amount: '25.00' }),
	booked('a5', 17, 0, { seats: 2, amount: '50.00', confirmed: true }),
	booked('b1', 18, 10, { seats: 3, amount: '30.00', confirmed: true }),
	booked('b2', 18, 9, { seats: 2, amount: '20.00', confirmed: true }),
	booked('c1', 19, 50, { amount: '10.00', confirmed: true }),
	booked('c2', 19, 5, { confirmed: true }),
	booked('d1', 20, 3, { seats: 5, amount: '100.00', confirmed: true }),
	booked('e1', 22, 1, { amount: '7.00' }),
]

let shop, web
const sql = (text) => shop.cache.exec(text)
const get = async (target, options) => web.get(`${API}/${target}`, options)
const json = async (target) => {
	const answer = await get(target)
	assert.equal(answer.status, 200, `${target}: ${answer.text}`)
	return answer.json
}
const pick = (row, ...names) => names.map((name) => row[name])

before(async () => {
	shop = await Shop.open()
	const migrated = await shop.batch(['migrate'])
	assert.equal(migrated.code, 0, migrated.stderr)
	web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
})
after(() => web?.stop())

describe('before the first message', () => {
	it('everything is a 404 that says what to do', async () => {
		for (const target of ['dashboard', 'events', 'events/17', 'daily', 'revenue', 'capacity', 'top-events', 'system', 'patterns']) {
			const answer = await get(target)
			assert.deepEqual([answer.status, answer.json.code], [404, 'not_found'], target)
			assert.match(answer.json.detail, /POST \/api\/v1\/ingest/, target)
		}
	})
})

describe('figures of bookings', () => {
	before(() => sql(bookingSql(MESSAGES, { timezone: zone })))

	it('of one event', async () => {
		const e = await json('events/17')
		assert.deepEqual(pick(e, 'event_id', 'event_name', 'category', 'status', 'total_capacity', 'unlimited'), [17, 'Winter concert', 'music', 'published', 10, false])
		assert.deepEqual(pick(e, 'total_bookings', 'confirmed_bookings', 'cancelled_bookings', 'pending_bookings'), [5, 3, 1, 1])
		assert.deepEqual(pick(e, 'total_seats', 'confirmed_seats', 'cancelled_seats', 'seats_left'), [12, 7, 4, 3])
		assert.deepEqual(pick(e, 'capacity_utilization', 'cancellation_rate', 'seat_cancellation_rate'), [70, 20, 33.33])
		assert.deepEqual(pick(e, 'currency', 'total_revenue', 'avg_booking_value', 'overbooked', 'sold_out'), ['EUR', 175, 58.33, false, false])
		assert.deepEqual(pick(e, 'first_booking', 'last_booking', 'starts_at', 'ends_at', 'published_at'), [at(40), at(0), at(-20, 19), at(-20, 22), at(44)].map(utc))
		assert.deepEqual(pick(e, 'booking_rank', 'revenue_rank', 'utilization_rank'), [1, 1, 3])
		assert.deepEqual(e.capacities, [{ since: utc(at(45)), total_capacity: 8 }, { since: utc(at(20)), total_capacity: 10 }])
		assert.deepEqual(e.other_currencies, [])
		assert.match((await get('events/17')).text, /"capacity_utilization":70\.00,.*"total_revenue":175\.00,"cancellation_rate":20\.00,"avg_booking_value":58\.33,/)
	})

	it('of its days, complete, and of how it filled up', async () => {
		const e = await json('events/17')
		assert.deepEqual(pick(e.range, 'from_date', 'to_date', 'partial', 'complete'), [daysAgo(40), daysAgo(0), true, false])
		assert.equal(e.series.length, 41)
		const days = Object.fromEntries(e.series.map((d) => [d.date, pick(d, 'total_bookings', 'new_bookings', 'confirmed_bookings', 'cancelled_bookings', 'net_seats', 'total_revenue')]))
		assert.deepEqual(days[daysAgo(40)], [1, 1, 0, 0, 0, 50])
		assert.deepEqual(days[daysAgo(10)], [2, 2, 1, 0, 3, 75])
		assert.deepEqual(days[daysAgo(9)], [1, 0, 1, 0, 4, 0])
		assert.deepEqual(days[daysAgo(2)], [1, 0, 0, 1, -4, 0])
		assert.deepEqual(days[daysAgo(0)], [2, 2, 1, 0, 2, 50])
		assert.deepEqual(days[daysAgo(20)], [0, 0, 0, 0, 0, 0])
		assert.deepEqual(e.booking_curve.map((c) => pick(c, 'date', 'days_to_event', 'confirmed_seats', 'capacity_utilization')),
			[[39, 2, 20], [10, 5, 50], [9, 9, 90], [2, 5, 50], [0, 7, 70]].map(([n, seats, percent]) => [daysAgo(n), n + 20, seats, percent]))
		const months = (await json(`events/17?from=${daysAgo(40)}&to=${daysAgo(0)}&step=month`)).series
		assert.equal(months.reduce((n, m) => n + m.new_bookings, 0), 5)
		assert.ok(months.every((m) => m.total_bookings === null), 'a booking may be of several days')
	})

	it('of an event without a limit, a start or a category', async () => {
		const e = await json('events/19')
		assert.deepEqual(pick(e, 'total_capacity', 'unlimited', 'capacity_utilization', 'seats_left', 'sold_out', 'overbooked', 'utilization_rank', 'starts_at', 'category'),
			[null, true, null, null, false, false, null, null, ''])
		assert.deepEqual(pick(e, 'total_revenue', 'avg_booking_value', 'cancellation_rate'), [10, 5, 0])
		assert.deepEqual(e.booking_curve.map((c) => pick(c, 'date', 'days_to_event', 'confirmed_seats', 'capacity_utilization')),
			[[daysAgo(50), null, 1, null], [daysAgo(5), null, 2, null]])
	})

	it('of an event nobody has booked: nothing is divided by 0', async () => {
		const e = await json('events/21')
		assert.deepEqual(pick(e, 'total_bookings', 'cancellation_rate', 'seat_cancellation_rate', 'avg_booking_value', 'capacity_utilization', 'booking_rank', 'first_booking'),
			[0, null, null, 0, 0, null, null])
		assert.deepEqual([e.booking_curve, e.series.length], [[], 1])
	})

	it('of an event that has more bookings than seats', async () => {
		const e = await json('events/18')
		assert.deepEqual(pick(e, 'capacity_utilization', 'overbooked', 'sold_out', 'seats_left'), [125, true, true, 0])
	})

	it('of an event that is not there', async () => {
		const answer = await get('events/4711')
		assert.deepEqual([answer.status, answer.headers['content-type'], answer.json.detail], [404, 'application/problem+json', 'there is no such event'])
		for (const wrong of ['0', '-1', 'abc', '99999999999999999999']) assert.equal((await get(`events/${wrong}`)).status, 422, wrong)
	})

	it('of the whole system', async () => {
		const s = await json('system')
		assert.deepEqual(pick(s, 'id', 'total_events', 'total_bookings', 'total_users', 'confirmed_bookings', 'cancelled_bookings'), [1, 6, 11, 2, 8, 1])
		assert.deepEqual(pick(s, 'total_revenue', 'recent_bookings', 'recent_revenue', 'recent_events'), [235, 7, 125, 2])
		assert.deepEqual(pick(s, 'recent_from', 'recent_to'), [daysAgo(30), daysAgo(1)])
		assert.deepEqual(pick(s, 'avg_capacity_utilization', 'weighted_capacity_utilization'), [73.75, 14.29]) // (70+125+100+0)/4, 17 of 119 seats
		assert.deepEqual(pick(s, 'avg_cancellation_rate', 'weighted_cancellation_rate'), [4, 9.09]) // 20 % of one of five events, 1 of 11 bookings
		assert.deepEqual(pick(s, 'booking_growth_rate', 'booking_growth_status', 'revenue_growth_rate', 'revenue_growth_status'), [250, 'ok', 108.33, 'ok'])
	})

	it('of growth: from nothing to something is new, from nothing to nothing is none', async () => {
		assert.deepEqual(pick(await json('system?currency=USD'), 'recent_revenue', 'revenue_growth_rate', 'revenue_growth_status'), [100, null, 'new'])
		assert.deepEqual(pick(await json('system?currency=GBP'), 'recent_revenue', 'revenue_growth_rate', 'revenue_growth_status'), [0, 0, 'ok'])
		assert.deepEqual(pick(await json('revenue?currency=USD'), 'total_revenue', 'revenue_growth_rate', 'revenue_growth_status'), [100, null, 'new'])
		assert.deepEqual(pick(await json('revenue?currency=GBP'), 'total_revenue', 'revenue_growth_rate', 'revenue_growth_status', 'by_category'), [0, 0, 'ok', []])
	})

	it('of days, today with them, each complete', async () => {
		const { days, range, basis } = await json('daily')
		assert.deepEqual([days.length, days[0].date, days.at(-1).date, basis], [31, daysAgo(30), daysAgo(0), 'order_date'])
		assert.deepEqual(pick(range, 'from_date', 'to_date', 'complete', 'partial', 'tz'), [daysAgo(30), daysAgo(0), false, true, zone])
		const day = (n) => pick(days.find((d) => d.date === daysAgo(n)), 'total_bookings', 'new_bookings', 'confirmed_bookings', 'cancelled_bookings',
			'total_revenue', 'counted_bookings', 'avg_booking_value', 'new_users', 'partial')
		assert.deepEqual(day(10), [3, 3, 2, 0, 105, 2, 52.5, 1, false])
		assert.deepEqual(day(9), [2, 1, 2, 0, 20, 1, 20, 0, false])
		assert.deepEqual(day(2), [1, 0, 0, 1, 0, 0, 0, 0, false])
		assert.deepEqual(day(3), [1, 1, 1, 0, 0, 0, 0, 0, false]) // dollars
		assert.deepEqual(day(20), [0, 0, 0, 0, 0, 0, 0, 0, false])
		assert.deepEqual(day(0), [2, 2, 1, 0, 50, 1, 50, 0, true])
		// On sale are 17, 18 and 20, and 19 has no times: a booking five days ago.
		assert.deepEqual([5, 6, 4, 0].map((n) => days.find((d) => d.date === daysAgo(n)).active_events), [3, 2, 3, 3])
		assert.match((await get('daily')).text, /"total_revenue":105\.00,"counted_bookings":2,"avg_booking_value":52\.50,/)
	})

	it('of days by when money moved: both ways have the same sum', async () => {
		const range = `from=${daysAgo(60)}&to=${daysAgo(0)}`
		const { days } = await json(`daily?${range}&basis=transaction_date`)
		const day = (n) => pick(days.find((d) => d.date === daysAgo(n)), 'total_revenue', 'counted_bookings', 'avg_booking_value')
		assert.deepEqual([day(40), day(39), day(9), day(2)], [[0, 0, 0], [50, 1, 50], [120, 2, 60], [-100, 0, 0]])
		const sum = (list) => list.reduce((n, d) => n + d.total_revenue, 0)
		assert.deepEqual([sum(days), sum((await json(`daily?${range}`)).days)], [235, 235])
	})

	it('of weeks and months', async () => {
		const { days } = await json(`daily?from=${daysAgo(60)}&to=${daysAgo(0)}&step=week`)
		for (const week of days.slice(1, -1)) assert.deepEqual([new Date(week.date).getUTCDay(), week.days_n], [1, 7])
		assert.deepEqual([days[0].date, days.at(-1).to_date, days.reduce((n, w) => n + w.days_n, 0)], [daysAgo(60), daysAgo(0), 61])
		assert.equal(days.reduce((n, w) => n + w.new_bookings, 0), 11)
		assert.ok(days.every((w) => w.total_bookings === null && w.active_events === null))
		const months = (await json(`daily?from=${daysAgo(60)}&to=${daysAgo(0)}&step=month`)).days
		for (const month of months.slice(1)) assert.match(month.date, /-01$/)
	})

	it('of days to come: none', async () => {
		const { days, range } = await json(`daily?from=${daysAgo(-3)}&to=${daysAgo(-5)}`)
		assert.deepEqual([days, range.complete, range.partial], [[], false, false])
		assert.deepEqual(pick(await json(`revenue?from=${daysAgo(-3)}&to=${daysAgo(-5)}`), 'total_revenue', 'revenue_growth_rate', 'revenue_growth_status'), [0, null, 'incomplete'])
	})

	it('of revenue', async () => {
		const r = await json('revenue')
		assert.deepEqual(pick(r, 'currency', 'total_revenue', 'counted_bookings', 'avg_booking_value', 'revenue_growth_rate', 'revenue_growth_status'), ['EUR', 175, 5, 35, 108.33, 'ok'])
		assert.deepEqual(r.growth, { from_date: daysAgo(30), to_date: daysAgo(1), days_n: 30, total_revenue: 125, base_from_date: daysAgo(60), base_to_date: daysAgo(31), base_revenue: 60 })
		assert.deepEqual(r.by_category.map((c) => pick(c, 'category', 'total_revenue', 'counted_bookings', 'revenue_share')),
			[['music', 125, 2, 71.43], ['course', 50, 2, 28.57], ['', 0, 1, 0]])
		assert.deepEqual(r.by_currency, [{ currency: 'EUR', total_revenue: 175, counted_bookings: 5 }, { currency: 'USD', total_revenue: 100, counted_bookings: 1 }])
		assert.deepEqual([r.series.length, r.series.reduce((n, d) => n + d.total_revenue, 0)], [31, 175])
		const today = await json(`revenue?from=${daysAgo(0)}&to=${daysAgo(0)}`)
		assert.deepEqual(pick(today, 'total_revenue', 'revenue_growth_rate', 'revenue_growth_status'), [50, null, 'incomplete'])
		const booked_ = await json(`revenue?from=${daysAgo(2)}&to=${daysAgo(2)}&basis=transaction_date`)
		assert.deepEqual(pick(booked_, 'total_revenue', 'by_category')[0], -100)
		const after_ = await json(`revenue?from=${daysAgo(1)}&to=${daysAgo(1)}&basis=transaction_date`) // after a day below 0
		assert.deepEqual(pick(after_, 'revenue_growth_rate', 'revenue_growth_status', 'growth').slice(0, 2), [null, 'negative_base'])
		assert.equal(after_.growth.base_revenue, -100)
	})

	it('of capacity', async () => {
		const c = await json('capacity')
		assert.deepEqual(pick(c, 'avg_capacity_utilization', 'weighted_capacity_utilization', 'total_events', 'unlimited_events', 'sold_out_events', 'overbooked_events'),
			[73.75, 14.29, 6, 2, 2, 1])
		assert.deepEqual(c.events.map((e) => [e.event_id, e.capacity_utilization]), [[18, 125], [20, 100], [17, 70], [21, 0], [19, null], [22, null]])
		assert.deepEqual([c.sold_out, c.overbooked, c.low_fill].map((l) => l.map((e) => e.event_id)), [[20, 18], [18], [21]])
		assert.deepEqual((await json('capacity?below=71')).low_fill.map((e) => e.event_id), [21, 17])
		assert.deepEqual((await json('capacity?within=9')).low_fill, [])
		assert.deepEqual((await json('capacity?category=music')).events.map((e) => e.event_id), [17, 21])
	})

	it('of the best events: equals share a rank', async () => {
		const top = async (query) => (await json(`top-events?${query}`)).events
		assert.deepEqual((await top('')).map((e) => [e.event_id, e.booking_rank]), [[17, 1], [18, 2], [19, 2], [20, 3], [22, 3]])
		assert.deepEqual((await top('by=revenue')).map((e) => [e.event_id, e.revenue_rank, e.total_revenue]), [[17, 1, 175], [18, 2, 50], [19, 3, 10], [22, 4, 0]])
		assert.deepEqual((await top('by=revenue&currency=USD')).map((e) => [e.event_id, e.revenue_rank, e.currency]), [[20, 1, 'USD']])
		assert.deepEqual((await top('by=utilization&limit=2')).map((e) => [e.event_id, e.utilization_rank, e.capacity_utilization]), [[18, 1, 125], [20, 2, 100]])
		assert.deepEqual([(await get('top-events?limit=101')).status, (await get('top-events?by=name')).status], [422, 422])
	})

	it('at a glance', async () => {
		const d = await json('dashboard')
		assert.deepEqual(pick(d.system, 'total_events', 'total_revenue', 'booking_growth_rate'), [6, 235, 250])
		assert.deepEqual(pick(d.today, 'date', 'partial', 'new_bookings', 'confirmed_bookings', 'total_bookings', 'total_revenue', 'avg_booking_value', 'active_events'),
			[daysAgo(0), true, 2, 1, 2, 50, 50, 3])
		assert.ok(d.today.elapsed_s > 11 * 3600 && d.today.elapsed_s < 14 * 3600)
		assert.deepEqual([d.trend.length, d.trend[0].date, d.trend.at(-1).date, d.trend.reduce((n, t) => n + t.new_bookings, 0)], [30, daysAgo(30), daysAgo(1), 7])
		assert.deepEqual([d.top_by_bookings.map((e) => e.event_id), d.top_by_revenue.map((e) => e.event_id)], [[17, 18, 19, 20, 22], [17, 18, 19, 22]])
		assert.deepEqual(pick(d.freshness, 'pipeline_lag_seconds'), [0])
		assert.ok(Date.now() - new Date(d.freshness.processed_at) < 600_000)
	})

	it('of patterns: when people book, and how long before', async () => {
		const { heatmap, lead_times } = await json(`patterns?from=${daysAgo(13)}&to=${daysAgo(0)}`)
		assert.equal(heatmap.length, 7 * 24)
		assert.ok(heatmap.every((h) => h.days_n === 2))
		assert.deepEqual([heatmap.reduce((n, h) => n + h.new_bookings, 0), heatmap.filter((h) => h.hour !== 9).reduce((n, h) => n + h.new_bookings, 0)], [9, 0])
		const tenth = heatmap.find((h) => h.hour === 9 && h.weekday_n === (new Date(daysAgo(10)).getUTCDay() || 7))
		assert.deepEqual(pick(tenth, 'new_bookings', 'new_seats', 'bookings_a_day'), [4, 15, 2]) // a2, a3 and b1 ten days ago, d1 three
		assert.deepEqual(lead_times.map((l) => pick(l, 'from_days', 'to_days', 'new_bookings', 'share_of_bookings')).filter((l) => l[2]),
			[[4, 7, 1, 9.09], [8, 14, 1, 9.09], [15, 30, 5, 45.45], [31, 60, 1, 9.09], [null, null, 3, 27.27]])
		assert.equal((await json('patterns?category=food')).lead_times.reduce((n, l) => n + l.new_bookings, 0), 1)
	})
})

describe('the list of events', () => {
	before(() => sql(bookingSql(MESSAGES, { timezone: zone })))
	const ids = async (query) => (await json(`events?${query}`)).events.map((e) => e.event_id)

	it('is sorted by anything either way; what has none of it comes last', async () => {
		const { total, next_cursor, currency, events } = await json('events')
		assert.deepEqual([total, next_cursor, currency, events.length], [6, null, 'EUR', 6])
		assert.deepEqual(pick(events[0], 'event_id', 'total_bookings', 'confirmed_seats', 'capacity_utilization', 'total_revenue', 'avg_booking_value', 'cancellation_rate'),
			[17, 5, 7, 70, 175, 58.33, 20])
		for (const [sort, wanted] of Object.entries({ bookings: [17, 18, 19, 20, 22, 21], bookings_up: [21, 22, 20, 19, 18, 17], revenue: [17, 18, 19, 21, 22],
			revenue_up: [22, 21, 19, 18, 17], utilization: [18, 20, 17, 21, 19, 22], utilization_up: [21, 17, 20, 18, 19, 22], name: [21, 22, 19, 18, 20, 17],
			name_down: [17, 20, 18, 19, 22, 21], starts_at: [19, 22, 20, 18, 21, 17], starts_at_down: [17, 21, 18, 20, 22, 19],
			cancellation_rate: [17, 18, 19, 20, 22, 21], cancellation_rate_up: [22, 20, 19, 18, 17, 21], last_booking: [17, 22, 20, 19, 18, 21],
			last_booking_up: [18, 19, 20, 22, 17, 21] }))
			assert.deepEqual(await ids(`sort=${sort}`), wanted, sort)
		assert.deepEqual(await ids('sort=revenue&currency=USD'), [20])
		assert.equal((await get('events?sort=id')).status, 422)
	})

	it('is the same page by page, whatever it is sorted by', async () => {
		const { parameters } = JSON.parse((await web.get('/openapi.json')).text).paths[`${API}/events`].get
		const sorts = parameters.find((p) => p.name === 'sort').schema.enum
		assert.equal(sorts.length, 14)
		for (const sort of sorts)
			for (const limit of [1, 2, 4]) {
				const whole = await ids(`sort=${sort}`), found = []
				let cursor = ''
				do {
					const page = await json(`events?sort=${sort}&limit=${limit}${cursor && `&cursor=${cursor}`}`)
					assert.equal(page.total, whole.length, sort)
					found.push(...page.events.map((e) => e.event_id))
					cursor = page.next_cursor
				} while (cursor && found.length < 20)
				assert.deepEqual(found, whole, `${sort} by ${limit}`)
			}
	})

	it('goes on where it was, although events move meanwhile', async () => {
		const first = await json('events?limit=2')
		await sql("UPDATE event_stats SET total_bookings = 9 WHERE event_id = 22") // from behind to the front
		const second = await json(`events?limit=10&cursor=${first.next_cursor}`)
		assert.deepEqual([first, second].map((p) => p.events.map((e) => e.event_id)), [[17, 18], [19, 20, 21]])
		await sql("DELETE FROM event_stats WHERE event_id = 18") // it went on behind this one
		assert.deepEqual(await ids(`limit=10&cursor=${first.next_cursor}`), [19, 20, 21])
		await sql(bookingSql(MESSAGES, { timezone: zone }))
	})

	it('refuses a cursor that is none of this list', async () => {
		const { next_cursor } = await json('events?limit=2')
		const make = (text) => Buffer.from(text).toString('base64url')
		for (const cursor of ['x', '!', make(''), make('bookings'), make('bookings:'), make('bookings:x:1'), make('bookings:17:x'), make('bookings:17:1.5'), make('bookings:-1:5'),
			make('bookings:99999999999999999999:5'), make('bookings:17:-99999999999999999999'), make('last_booking:17:-2305843009213693951'), make('name:17:a'), Buffer.from('626f6f6b696e67733a31373a00', 'hex').toString('base64url'),
			'x'.repeat(3000)]) {
			const answer = await get(`events?cursor=${encodeURIComponent(cursor)}`)
			assert.deepEqual([answer.status, answer.json.field], [422, 'cursor'], cursor)
		}
		assert.equal((await get(`events?sort=name&cursor=${next_cursor}`)).status, 422)
		assert.equal((await get(`events?sort=name&cursor=${Buffer.from('name:1:\xff', 'latin1').toString('base64url')}`)).status, 422)
		for (const key of ['2305843009213693951', '-100000000000000000', '0']) // times far away
			for (const sort of ['last_booking', 'utilization', 'revenue']) assert.equal((await get(`events?sort=${sort}&cursor=${make(`${sort}:1:${key}`)}`)).status, 200, `${sort} ${key}`)
		assert.deepEqual(await ids(`sort=name&cursor=${make("name:1:o'; DROP TABLE event_stats; --")}`), [19, 18, 20, 17])
	})

	it('is narrowed by category, name or id, status, days and currency', async () => {
		const found = async (query) => {
			const list = await json(`events?${query}`)
			assert.equal(list.total, list.events.length, query)
			return list.events.map((e) => e.event_id)
		}
		assert.deepEqual(await found('category=music'), [17, 21])
		assert.deepEqual(await found('q=CON'), [17])
		assert.deepEqual(await found('q=20'), [20])
		assert.deepEqual(await found(`q=${encodeURIComponent("'; DROP TABLE event_stats; --")}`), [])
		assert.deepEqual(await found('q=%25'), [])
		assert.deepEqual(await found('q='), [17, 18, 19, 20, 22, 21])
		assert.deepEqual(await found('status=unknown'), [22])
		assert.deepEqual(await found('currency=USD'), [20])
		assert.deepEqual(await found(`from=${daysAgo(-3)}&to=${daysAgo(-5)}&sort=starts_at`), [20, 18])
		assert.deepEqual(await found(`from=${daysAgo(50)}&to=${daysAgo(50)}`), [19]) // no start: its first booking
		assert.deepEqual(await found('category=music&q=hall&status=published'), [21])
		assert.equal((await get(`events?from=${daysAgo(3)}`)).status, 422)
		assert.deepEqual([(await get('events?limit=0')).status, (await get('events?limit=201')).status, (await get('events?limit=200')).status], [422, 422, 200])
	})

	it('is saved as CSV, and so are the others', async () => {
		const answer = await get('events?format=csv&limit=2')
		assert.deepEqual([answer.status, answer.headers['content-type'].split(';')[0]], [200, 'text/csv'])
		assert.match(answer.headers['content-disposition'], /filename="takings-events-/)
		const lines = answer.text.trimEnd().split('\r\n')
		assert.match(lines[0], /^event_id,event_name,category,status,/)
		assert.match(lines[1], /^17,Winter concert,music,published,/)
		assert.equal(lines.length, 3)
		for (const [target, first] of [['daily', 'date,to_date'], ['revenue', 'date,to_date'], ['capacity', 'event_id'], ['top-events', 'id,event_id'], ['events/17', 'date,to_date'], ['patterns', 'weekday_n']])
			assert.equal((await get(`${target}?format=csv`)).text.slice(0, first.length), first, target)
	})
})

describe('alerts', () => {
	before(() => sql(bookingSql(MESSAGES, { timezone: zone })))
	const alerts = async () => (await json('dashboard')).alerts
	const put = (id, more) => `INSERT INTO event_log (event_type, event_data, dedup_key, source, ${Object.keys(more)})
		VALUES ('booking.created', '{}', '${id}', 'http', ${Object.values(more)});`

	it('tell of events that are full, and of a stream that is silent', async () => {
		assert.deepEqual((await alerts()).map((a) => [a.alert, a.level, a.n, a.events.map((e) => e.event_id)]),
			[['overbooked', 'error', 1, [18]], ['sold_out', 'info', 1, [20]], ['stream_silent', 'error', 1, []]])
		await sql("INSERT INTO heartbeat VALUES ('stream', 'ok', '', now())")
		assert.deepEqual((await alerts()).map((a) => a.alert), ['overbooked', 'sold_out'])
	})

	it('tell no more of events that are over or cancelled', async () => {
		await sql("UPDATE event_stats SET starts_at = now() - interval '1 hour', ends_at = NULL WHERE event_id = 18; UPDATE event_stats SET status = 'cancelled' WHERE event_id = 20")
		assert.deepEqual(await alerts(), [])
		await sql(bookingSql(MESSAGES, { timezone: zone }))
	})

	it('tell of messages that are dead or late, and of what Redis may have lost', async () => {
		await sql(`${put('a', { processed: true })} ${put('b', { created_at: "now() - interval '50 seconds'" })}
			INSERT INTO redis_gap (from_at, until_at, reason) VALUES (now() - interval '26 hours', now() - interval '25 hours', 'lost')`)
		assert.deepEqual((await alerts()).map((a) => a.alert), ['overbooked', 'sold_out'])
		const { pipeline_lag_seconds } = (await json('dashboard')).freshness
		assert.ok(pipeline_lag_seconds >= 50 && pipeline_lag_seconds < 58, String(pipeline_lag_seconds))
		await sql(`${put('c', { dead_at: 'now()' })} ${put('d', { created_at: "now() - interval '70 seconds'" })}
			INSERT INTO redis_gap (from_at, reason) VALUES (now() - interval '25 hours', 'lost')`)
		assert.deepEqual((await alerts()).slice(2).map((a) => [a.alert, a.level, a.n, a.detail]), [['dead_messages', 'error', 1, '1 message could not be read or put into effect'],
			['late_messages', 'warning', 1, '1 message has waited for over a minute'], ['redis_gaps', 'warning', 1, 'messages of Redis may have been missed once in the last 24 hours']])
		await sql('TRUNCATE event_log, redis_gap')
	})
})

describe('the time the system was up', () => {
	before(() => sql(bookingSql(MESSAGES, { timezone: zone })))

	it('is not known before the first probe', async () => {
		assert.deepEqual(pick(await json('system'), 'system_uptime', 'downtime_minutes'), [null, null])
		assert.ok((await json('daily')).days.every((d) => d.system_uptime === null))
	})

	it('is minutes with a good probe, of all since the first; minutes without any count as down', async () => {
		// First at 9 o'clock two days ago: 15 hours of that day; yesterday one minute is bad and 71 have none.
		await sql(`INSERT INTO probe_minute (minute_at, up) VALUES ('${at(2)}', true);
			INSERT INTO uptime_day VALUES ('${daysAgo(2)}', 900), ('${daysAgo(1)}', 1368);
			UPDATE uptime_site SET first_minute_at = '${at(2)}', timezone = '${zone}'`)
		const { days } = await json('daily')
		assert.deepEqual([3, 2, 1].map((n) => days.find((d) => d.date === daysAgo(n)).system_uptime), [null, 100, 95])
		assert.equal((await json('dashboard')).today.system_uptime, 0)
		const { downtime_minutes, system_uptime } = await json('system')
		const minutes = 900 + 1440 + Math.floor((Date.now() - new Date(at(0, 0))) / 60_000)
		assert.ok(Math.abs(downtime_minutes - (minutes - 2268)) <= 1, String(downtime_minutes))
		assert.ok(Math.abs(system_uptime - 226800 / minutes) < 0.1, String(system_uptime))
		await sql('TRUNCATE probe_minute, uptime_day; UPDATE uptime_site SET first_minute_at = NULL')
	})
})

describe('what is kept of answers', () => {
	let keeping
	before(async () => {
		await sql(bookingSql(MESSAGES, { timezone: zone }))
		keeping = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), ANALYTICS_CACHE_TTL: '300' })
		await until(async () => (await keeping.get(`${API}/system`)).headers['x-cache']?.startsWith('hit'), { what: 'an answer that is kept' })
	})
	after(() => keeping?.stop())

	it('goes with the first booking after it', async () => {
		for (let n = 1; n <= 5; n++) {
			const { headers } = await keeping.get(`${API}/events/22`)
			await sql(bookingSql([booked(`f${n}`, 22, 0)], { timezone: zone, clear: false }))
			const answer = await until(async () => {
				const found = await keeping.get(`${API}/events/22`, { headers: { 'if-none-match': headers.etag } })
				return found.status === 200 && found
			}, { what: 'the new booking' })
			assert.equal(answer.json.total_bookings, 1 + n)
		}
	})

	it('is known again by its tag while nothing changed', async () => {
		const first = await keeping.get(`${API}/events`)
		await new Promise((done) => setTimeout(done, 1200)) // asked anew after a second
		const second = await keeping.get(`${API}/events`, { headers: { 'if-none-match': first.headers.etag } })
		assert.deepEqual([second.status, second.headers['x-cache']], [304, 'miss'])
	})
})

describe('weeks', () => {
	it('begin on the day that the settings say', async () => {
		const other = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), WEEK_START: 'sunday' })
		const { days } = (await other.get(`${API}/daily?from=${daysAgo(40)}&to=${daysAgo(0)}&step=week`)).json
		await other.stop()
		for (const week of days.slice(1)) assert.equal(new Date(week.date).getUTCDay(), 0)
	})
})

describe('who may read', () => {
	let db, settings, web_, tokens
	before(async () => {
		({ db, settings, web: web_ } = await accessDatabase('bookings-role'))
		await db.exec(bookingSql(MESSAGES, { timezone: zone }))
		tokens = { anonymous: undefined }
		for (const role of ['viewer', 'analyst', 'admin']) {
			await addUser(settings, role, role, PASSWORD)
			tokens[role] = await takings(settings, ['user', 'token', role])
		}
		for (const scope of ['ingest', 'read', 'admin']) tokens[`key:${scope}`] = /tk_[\w-]+/.exec(await takings(settings, ['key', 'add', scope, '--scope', scope]))[0]
	})

	for (const [role, wanted] of Object.entries({ '': 'login no no in no no in', admin: 'login no no in no no in', analyst: 'login no in in no no in', viewer: 'login in in in no in in' }))
		it(`is what BOOKINGS_ROLE says: ${role || 'nothing'}`, async () => {
			const site = await Web.start({ ...web_, ...(role && { BOOKINGS_ROLE: role }) })
			for (const target of ['dashboard', 'events', 'events/17', 'daily', 'revenue', 'capacity', 'top-events', 'system', 'patterns']) {
				const words = []
				for (const token of Object.values(tokens)) {
					const { status } = await site.get(`${API}/${target}`, { headers: token ? { authorization: `Bearer ${token}` } : {} })
					words.push({ 200: 'in', 401: 'login', 403: 'no' }[status] ?? status)
				}
				assert.equal(words.join(' '), wanted, target)
			}
			await site.stop()
		})
})
