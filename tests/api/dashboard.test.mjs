// POST /dashboard/metrics and the answers beside it: figures worked out by hand from a few events and orders, what is
// refused and by which name, every limit, and thousands of questions that mean harm. HOSTILE=10000 for more of these.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityInsert } from '../lib/activity.mjs'
import { Chance } from '../lib/activity_questions.mjs'
import { postgres } from '../lib/servers.mjs'
import { batch } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const HOSTILE = Number(process.env.HOSTILE ?? (process.env.FAULTS === 'long' ? 10000 : 1000))
let db, web, settings
const post = (body, headers = {}) => web.get('/dashboard/metrics',
	{ method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) })
const ask = async (body) => {
	const answer = await post(body)
	assert.equal(answer.status, 200, answer.text)
	return answer.json
}
const get = async (target) => {
	const answer = await web.get(`/dashboard/${target}`)
	assert.equal(answer.status, 200, answer.text)
	return answer.json
}

const category = (name, product, region) => ({ category: name, product, region })
const EVENTS = [
	// anna, whom we know from October, buys on a phone; late at night: the business day ends at 4
	{ at: '2025-10-20T10:00:00Z', type: 'page_view', user_id: 'anna' },
	{ at: '2025-11-03T20:00:00Z', type: 'product_view', user_id: 'anna', session_id: 's1', dims: { ...category('electronics', '401', 'north'), device: 'mobile' } },
	{ at: '2025-11-03T20:10:00Z', type: 'add_to_cart', user_id: 'anna', session_id: 's1', dims: { ...category('electronics', '401', 'north'), device: 'mobile' } },
	{ at: '2025-11-04T02:30:00Z', type: 'purchase', user_id: 'anna', session_id: 's1', dims: category('books', '402', 'north') },
	// a visitor who is new looks once, and comes back the next day as ben
	{ at: '2025-11-03T21:00:00Z', type: 'product_view', anonymous_id: 'a-1', dims: category('electronics', '401', 'south') },
	{ at: '2025-11-04T12:00:00Z', type: 'page_view', anonymous_id: 'a-1', user_id: 'ben' },
	{ at: '2025-11-03T22:00:00Z', type: 'page_view', anonymous_id: 'bot', flags: 16, dims: category('electronics') },
]

before(async () => {
	db = await (await postgres()).create()
	settings = { ANALYTICS_DATABASE_URL: db.url() }
	const done = await batch(['migrate'], settings)
	assert.equal(done.code, 0, done.stderr)
	web = await Web.start(settings)
})
after(async () => { await web?.stop(); await db?.drop() })

const NOVEMBER = { start_date: '2025-11-01T00:00:00Z', end_date: '2025-12-01T00:00:00Z' }

it('nothing is known before anything has begun', async () => {
	const answer = await post({ ...NOVEMBER, metrics: ['events'] })
	assert.equal(answer.status, 404, answer.text)
})

describe('answers', () => {
	before(async () => {
		await db.exec(`INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
			VALUES ('Europe/Berlin', 4, 'UTC', 'retail', '', 'EUR', 0);
			INSERT INTO site (rules_id) SELECT rules_id FROM rules;
			INSERT INTO series VALUES (0, 'EUR', '2025-10-01'), (1, 'EUR', '2025-10-01');
			UPDATE activity_site SET timezone = 'Europe/Berlin', cutoff_hours = 4, session_timeout_s = 3600, currency = 'EUR';
			${activityInsert(EVENTS)}
			DELETE FROM activity_batch;
			SELECT activity_rebuild();
			INSERT INTO daily_revenue_cache SELECT l, d::date, 'EUR', r, r, r, 0, 0, 0, 0, 0, p, c, 0, q, m, s::jsonb, NULL, NULL, '', 1, 1, now()
			FROM (VALUES (0, '2025-11-03', 10000, 4, 3, 6, 9000, '{"done": 3, "open": 1}'), (1, '2025-11-03', 5000, 1, 1, 1, 5000, '{"done": 1}'),
			             (0, '2025-11-04', 2000, 1, 1, 1, 2000, '{"done": 1}'), (0, '2025-10-05', 700, 1, 1, 1, 700, '{"done": 1}')) v(l, d, r, p, c, q, m, s);
			INSERT INTO item_sales_cache SELECT l, d::date, i, 'EUR', i, q, m, o, 1, now()
			FROM (VALUES (0, '2025-11-03', '401', 2, 4000, 2), (0, '2025-11-03', '402', 4, 5000, 3), (1, '2025-11-03', '401', 1, 5000, 1), (0, '2025-11-04', '999', 1, 2000, 1)) v(l, d, i, q, m, o);
			INSERT INTO hourly_order_cache SELECT 0, '2025-11-03', h, 'EUR', p, c, r, 3600, 1, now() FROM (VALUES (12, 3, 2, 6000), (20, 1, 1, 4000)) v(h, p, c, r);`)
		for (const [location, region] of [[1, 'north'], [7, 'south']]) {
			const done = await batch(['region', 'set', String(location), region], settings)
			assert.equal(done.code, 0, done.stderr)
		}
	})

	it('the example of the documentation: revenue, orders and conversion of a category by region', async () => {
		const a = await ask({ ...NOVEMBER, metrics: ['revenue', 'orders', 'conversion_rate'], dimensions: ['category', 'region'], filters: { category: 'electronics' } })
		assert.deepEqual(a.metrics, [{ id: 'revenue', label: 'Revenue', unit: 'money' }, { id: 'orders', label: 'Orders', unit: 'count' },
			{ id: 'conversion_rate', label: 'Conversion', unit: 'percent' }])
		assert.deepEqual(a.rows, [
			{ category: 'electronics', region: 'north', revenue: 50, orders: 1, conversion_rate: 100 },
			{ category: 'electronics', region: '(not set)', revenue: 40, orders: 2, conversion_rate: null },
			{ category: 'electronics', region: 'south', revenue: 0, orders: 0, conversion_rate: 0 }])
		assert.deepEqual(a.totals, { revenue: 90, orders: 3, conversion_rate: 50 })
		assert.deepEqual([a.range, a.tz, a.currency, a.granularity, a.dimensions], [{ from: '2025-11-01T00:00:00+00:00', to: '2025-12-01T00:00:00+00:00',
			tz: 'Europe/Berlin', cutoff: 4 }, 'Europe/Berlin', 'EUR', 'none', ['category', 'region']])
		assert.equal(a.exact, false, 'items are known by business day, and the range begins at midnight of Greenwich')
	})

	it('days: what has nothing is 0, averages are null, a session is of the day it began, people are sets', async () => {
		const metrics = ['events', 'sessions', 'converted_sessions', 'seconds_per_session', 'users', 'new_users', 'returning_users', 'revenue', 'avg_order_value', 'items_sold']
		const a = await ask({ start_date: '2025-11-02', end_date: '2025-11-05', metrics, granularity: 'day' })
		assert.deepEqual(a.rows.map((r) => Object.values(r)), [
			['2025-11-02', 0, 0, 0, null, 0, 0, 0, 0, null, 0],
			// s1 lasts 6.5 hours; the purchase at half past three is of the same business day; the other session is one event
			['2025-11-03', 4, 2, 1, 11700, 2, 1, 1, 150, 37.5, 7],
			['2025-11-04', 1, 1, 0, 0, 1, 0, 1, 20, 20, 1]])
		assert.deepEqual(a.totals, { events: 5, sessions: 3, converted_sessions: 1, seconds_per_session: 7800, users: 2, new_users: 1, returning_users: 1,
			revenue: 170, avg_order_value: 34, items_sold: 8 })
		assert.deepEqual(a.buckets[1], { bucket: '2025-11-03', from: '2025-11-03T03:00:00+00:00', to: '2025-11-04T03:00:00+00:00', whole: true })
		assert.deepEqual(a.source, { events: ['day'], sessions: ['day'], users: ['person_day'], orders: ['day'] })
		assert.equal(a.exact, true)
	})

	it('a session and a person are in every group one of their events is in', async () => {
		const a = await ask({ ...NOVEMBER, metrics: ['sessions', 'users', 'events'], dimensions: ['category'], order: 'events' })
		assert.deepEqual(a.rows.map((r) => Object.values(r)), [['electronics', 2, 2, 3], ['(not set)', 1, 1, 1], ['books', 1, 1, 1]])
		assert.deepEqual(a.totals, { sessions: 3, users: 2, events: 5 })
	})

	it('bots are in no figure unless it is asked for', async () => {
		assert.deepEqual((await ask({ ...NOVEMBER, metrics: ['events', 'users'], bots: 'only' })).totals, { events: 1, users: 1 })
	})

	it('hours of another zone, compared with those before', async () => {
		const a = await ask({ start_date: '2025-11-04T01:30:00+05:30', end_date: '2025-11-04T03:30:00+05:30', metrics: ['events'], granularity: 'hour', timezone: 'Asia/Kolkata', compare: 'previous' })
		assert.deepEqual(a.rows, [
			{ bucket: '2025-11-04T01:00+05:30', events: 2, compare: { bucket: '2025-11-03T23:00+05:30', events: 0 } },
			{ bucket: '2025-11-04T02:00+05:30', events: 1, compare: { bucket: '2025-11-04T00:00+05:30', events: 0 } },
			{ bucket: '2025-11-04T03:00+05:30', events: 0, compare: { bucket: '2025-11-04T01:00+05:30', events: 0 } }])
	})

	it('whole months are compared with whole months, and a running day with yesterday up to the same time', async () => {
		const month = await ask({ start_date: '2025-11-01', end_date: '2025-12-01', metrics: ['revenue', 'users'], granularity: 'month', compare: 'previous' })
		assert.deepEqual(month.rows, [{ bucket: '2025-11-01', revenue: 170, users: 2, compare: { bucket: '2025-10-01', revenue: 7, users: 1 } }])
		const day = await ask({ start_date: '2025-11-04', end_date: '2025-11-04T21:05:00Z', metrics: ['events'], compare: 'previous' })
		assert.deepEqual([day.comparison.from, day.comparison.to, day.comparison.totals], ['2025-11-03T03:00:00+00:00', '2025-11-03T21:05:00+00:00', { events: 3 }])
	})

	it('groups over the limit are one, where they can be added up', async () => {
		const a = await ask({ ...NOVEMBER, metrics: ['events', 'users'], dimensions: ['product'], limit: 1, order: { metric: 'events', desc: true } })
		assert.deepEqual(a.rows, [{ product: '401', events: 3, users: 2 }, { product: '(other groups)', events: 2, users: null }])
		assert.equal(a.group_count, 3)
	})

	it('revenue, orders and users have answers of their own', async () => {
		const days = 'from=2025-11-03&to=2025-11-04'
		const revenue = await get(`revenue?${days}`)
		assert.deepEqual(revenue.series.map((r) => [r.bucket, r.revenue, r.orders]), [['2025-11-03', 150, 5], ['2025-11-04', 20, 1]])
		assert.deepEqual([revenue.total.revenue, revenue.comparison.totals.revenue], [170, 0])
		assert.deepEqual(revenue.by_category.map((r) => [r.category, r.revenue]), [['electronics', 90], ['books', 50], ['(not set)', 20]])
		assert.deepEqual(revenue.by_region.map((r) => [r.region, r.revenue]), [['(not set)', 120], ['north', 50]])
		assert.deepEqual(revenue.by_product.map((r) => r.product), ['401', '402', '999'])
		const orders = await get(`orders?${days}`)
		assert.deepEqual([orders.total, orders.orders_by_status, orders.items_per_order], [{ orders: 6, revenue: 170, avg_order_value: 34 }, { done: 5, open: 1 }, 1.6])
		const users = await get(`users?${days}`)
		assert.deepEqual(users.series.map((r) => [r.users, r.new_users, r.returning_users]), [[2, 1, 1], [1, 0, 1]])
		assert.deepEqual([users.daily_users, users.weekly_users, users.monthly_users, users.stickiness], [0.1, 2, 2, 6.7]) // 4 in 30 days: 0.133 of 2
		assert.equal((await get('revenue')).series.length, 30)
	})

	it('an answer from single events says where some are not kept any more', async () => {
		const two = { start_date: '2025-11-02', end_date: '2025-11-05', metrics: ['events'], dimensions: ['category', 'region'] }
		assert.equal((await ask(two)).exact, true)
		await db.exec("UPDATE activity_site SET raw_from = '2025-11-03'")
		assert.deepEqual([(await ask(two)).exact, (await ask({ ...two, dimensions: ['category'] })).exact], [false, true])
		await db.exec("UPDATE activity_site SET raw_from = '-infinity'")
	})

	it('the catalogue says what can be asked', async () => {
		const added = await batch(['dimension', 'add', 'plan', '--property', 'plan'], settings)
		assert.equal(added.code, 0, added.stderr)
		assert.match((await batch(['dimension', 'list'], settings)).stdout, /^9 +plan +plan/m)
		for (const [name, property, why] of [['plan', 'other', /of this name already/], ['tariff', 'plan', /plan is read from this property/], ['Plan!', 'x', /begins with a letter/], ['revenue', 'x', /another meaning/]]) {
			const refused = await batch(['dimension', 'add', name, '--property', property], settings)
			assert.equal(refused.code, 1, name)
			assert.match(refused.stderr, why)
		}
		const c = await get('catalogue')
		assert.deepEqual(c.dimensions.map((d) => [d.name, d.value_count]), [['page', 0], ['source', 0], ['campaign', 0], ['device', 1], ['browser', 0], ['category', 2],
			['product', 2], ['region', 2], ['plan', 0]])
		const find = (id) => c.metrics.find((m) => m.id === id)
		assert.deepEqual([find('revenue').dimensions, find('avg_order_value').dimensions, find('users').dimensions.length], [['category', 'product', 'region'], ['region'], 9])
		assert.deepEqual([find('events').additive, find('users').additive, find('conversion_rate').unit], [true, false, 'percent'])
		for (const m of c.metrics.filter((x) => !['new_users', 'returning_users'].includes(x.id))) await ask({ ...NOVEMBER, metrics: [m.id] })
	})

	it('regions are listed, changed and taken away', async () => {
		assert.match((await batch(['region', 'list'], settings)).stdout, /^1 +north\n7 +south/m)
		assert.equal((await batch(['region', 'remove', '7'], settings)).code, 0)
		assert.doesNotMatch((await batch(['region', 'list'], settings)).stdout, /south/)
		assert.notEqual((await batch(['region', 'set', '-1', 'north'], settings)).code, 0)
	})

	it('an answer is kept until activity changes', async () => {
		const kept = await Web.start({ ...settings, ANALYTICS_CACHE_TTL: '300' })
		const again = () => kept.get('/dashboard/metrics', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ ...NOVEMBER, metrics: ['events'] }) })
		try {
			const met = async (what) => {
				for (let i = 0; i < 100; i++) {
					if ((await again()).headers['x-cache'].startsWith(what)) return
					await new Promise((done) => setTimeout(done, 50))
				}
				assert.fail(`never a ${what}`)
			}
			await met('hit') // (it listens a moment after it began)
			for (let i = 0; i < 30; i++) await met('hit')
			await db.exec("UPDATE activity_site SET version = version + 1; SELECT pg_notify('takings_activity', version::text) FROM activity_site")
			await met('miss')
			await met('hit')
		} finally {
			await kept.stop()
		}
	})
})

describe('what is refused', () => {
	const base = { ...NOVEMBER, metrics: ['events'] }
	const many = (n, f) => Array.from({ length: n }, (_, i) => f(i))
	const METRICS = ['events', 'page_views', 'product_views', 'adds_to_cart', 'removes_from_cart', 'checkouts', 'purchases', 'searches', 'filters', 'sessions', 'users']
	for (const [field, change, words] of [
		['metrics', { metrics: ['revenu'] }, /there is no metric revenu: events, .*item_sales/],
		['metrics', { metrics: [] }, /1 to 10/],
		['metrics', { metrics: 'events' }, /list/],
		['metrics', { metrics: ['events', 'events'] }, /twice/],
		['metrics', { metrics: METRICS.slice(0, 11) }, /at most 10/],
		['dimensions', { dimensions: ['colour'] }, /there is no dimension colour: page, source/],
		['dimensions', { metrics: ['revenue'], dimensions: ['device'] }, /revenue cannot be told apart by device, but by category, product, region/],
		['dimensions', { dimensions: ['page', 'source', 'device', 'browser'] }, /at most 3/],
		['dimensions', { dimensions: ['page', 'page'] }, /twice/],
		['filters.colour', { filters: { colour: 'red' } }, /there is no dimension colour/],
		['filters.device', { metrics: ['orders'], filters: { device: 'mobile' } }, /cannot be told apart/],
		['filters.event_type', { metrics: ['orders'], filters: { event_type: 'purchase' } }, /event_type/],
		['filters.page', { filters: { page: many(101, String) } }, /1 to 100/],
		['filters.page', { filters: { page: [] } }, /1 to 100/],
		['filters.page', { filters: { page: 7 } }, /text/],
		['filters.page', { filters: { page: 'x'.repeat(201) } }, /200 bytes/],
		['filters', { filters: Object.fromEntries(many(11, (i) => [`d${i}`, 'x'])) }, /at most 10/],
		['granularity', { granularity: 'minute' }, /none\|hour\|day\|week\|month/],
		['granularity', { end_date: '2026-11-01', granularity: 'hour' }, /at most 2000/],
		['granularity', { metrics: ['revenue'], dimensions: ['category'], end_date: '2025-11-02', granularity: 'hour' }, /by day/],
		['timezone', { timezone: 'Mars/Base' }, /Mars/],
		['timezone', { timezone: "x'; SELECT" }, /IANA/],
		['compare', { compare: 'never' }, /none\|previous\|year/],
		['limit', { limit: 0 }, /1 to 1000/],
		['limit', { limit: 1001 }, /1 to 1000/],
		['order', { order: 'users' }, /asked for/],
		['bots', { metrics: ['revenue'], bots: 'only' }, /of people/],
		['start_date', { start_date: 'yesterday' }, /2025-11-01T00:00:00Z/],
		['start_date', { start_date: undefined }, /start_date/],
		['end_date', { end_date: NOVEMBER.start_date }, /after/],
		['end_date', { end_date: '2099-01-01' }, /3700 days/],
		['colour', { colour: 'red' }, /there is no field colour/],
	])
		it(`${field}: ${JSON.stringify(change).slice(0, 60)}`, async () => {
			const answer = await post({ ...base, ...change })
			assert.equal(answer.status, 422, answer.text)
			assert.equal(answer.json.field, field)
			assert.match(answer.json.detail, words)
		})

	it('what is just within is answered', async () => {
		for (const change of [{ metrics: METRICS.slice(0, 10) }, { dimensions: ['page', 'source', 'device'] }, { filters: { page: many(100, String) } }, { limit: 1000 },
			{ filters: { page: 'x'.repeat(200) } }, { end_date: '2026-01-23T08:00:00Z', granularity: 'hour' }])
			await ask({ ...base, ...change })
		const hours = await ask({ ...base, end_date: '2026-01-23T08:00:00Z', granularity: 'hour' })
		assert.equal(hours.buckets.length, 2000)
		assert.equal((await post({ ...base, end_date: '2026-01-23T09:00:00Z', granularity: 'hour' })).status, 422)
	})

	it('what is no JSON object', async () => {
		for (const body of ['', '{', '[]', '"x"', '{"metrics":["events"],"metrics":["users"]}', '\u0000', '{"a":{"b":{"c":{"d":{"e":1}}}}}'])
			assert.ok([400, 422].includes((await post(body)).status), body)
		assert.equal((await post('{}', { 'Content-Type': 'text/plain' })).status, 415)
	})
})

it(`${HOSTILE} questions that mean harm are answered or refused, and nothing breaks`, async () => {
	const chance = new Chance(17)
	const WORDS = ["'", '"', '\\', "'; DROP TABLE activity_event; --", '{}', '{"', 'NULL', '$1', '%s%n', '../../etc/passwd', '\u202e', '\ud83d\ude00', '<script>', '(not set)', '(other)', '',
		'9'.repeat(199), '-1', '1e309', '2025-13-45', '0000-00-00', 'infinity', '2025-11-01T00:00:00+99:99', 'page', 'category', 'plan', 'events', 'users', 'revenue', 'hour', 'month', 'UTC', 'posixrules']
	const value = (depth) => {
		switch (chance.below(depth > 2 ? 5 : 8)) {
		case 0: return chance.below(2 ** 31) * (chance.is(50) ? 1 : -1)
		case 1: return chance.one([null, true, false, 1e308, 0.1])
		case 5: return Array.from({ length: chance.below(5) }, () => value(depth + 1))
		case 6: return Object.fromEntries(Array.from({ length: chance.below(4) }, () => [chance.one(WORDS), value(depth + 1)]))
		default: return chance.one(WORDS)
		}
	}
	const FIELDS = ['start_date', 'end_date', 'metrics', 'dimensions', 'filters', 'granularity', 'timezone', 'compare', 'limit', 'order', 'bots', 'currency']
	const found = {}
	for (let i = 0; i < HOSTILE; i++) {
		const q = { ...NOVEMBER, end_date: '2025-11-09', metrics: [chance.one(['events', 'users', 'sessions'])] }
		for (let k = chance.below(4) - 1; k > 0; k--) q[chance.one(FIELDS)] = value(0)
		if (chance.is(50)) q.filters = { [chance.one(['page', 'category', 'region'])]: chance.one(WORDS) }
		let body = JSON.stringify(q)
		if (chance.is(10)) body = body.slice(0, chance.below(body.length))
		const { status } = await post(body)
		found[status] = (found[status] ?? 0) + 1
		assert.ok([200, 400, 422].includes(status), `${status}: ${body}`)
	}
	assert.ok(found[200] > HOSTILE / 20 && found[422] > HOSTILE / 5, JSON.stringify(found))
	assert.ok(await db.value('SELECT count(*) FROM activity_event') > 0)
})
