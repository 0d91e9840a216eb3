// The answers of /metrics/... and /reconciliation over live tables that are filled by SQL.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { LiveTables } from '../lib/live_tables.mjs'
import { Shop, daysAgo, noonZone, openSmallShop, orderTables } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const sum = (list) => list.reduce((a, b) => a + b, 0)
// A number as it stands in the text: JSON.parse would take 12.5 for 12.50.
const literal = (text, name) => new RegExp(`"${name}":([^,}]*)`).exec(text)[1]
const start = (shop, more) => Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), REALTIME_WINDOW_SECONDS: '60', ...more })
const AGO = (s) => `now() - interval '${s} seconds'`

describe('/metrics/orders', () => {
	let shop, web, live
	const get = (query = '') => web.get(`/metrics/orders${query}`)

	before(async () => {
		shop = await openSmallShop(10)
		await shop.expectRun(0)
		web = await start(shop)
		live = new LiveTables(shop.cache)
	})
	after(() => web?.stop())

	it('is 404 of days nobody knows, and closed days are there all the same', async () => {
		const today = await get()
		assert.deepEqual([today.status, today.json.detail], [404, 'no figures for these days'])
		const { status, json } = await get(`?from=${daysAgo(2)}&to=${daysAgo(1)}`)
		assert.equal(status, 200)
		assert.deepEqual([json.total_orders, json.orders_by_status], [16, { SERVED: 14, CANCELLED: 2 }])
		assert.deepEqual([json.range.complete, json.range.partial, json.range.elapsed_s], [true, false, null])
	})

	it('is 0 and 0.00 of a day on which nothing happened yet', async () => {
		await live.rebuild()
		const { status, json, text } = await get()
		assert.equal(status, 200, text)
		assert.deepEqual([json.total_orders, json.orders_by_status, json.counted_orders], [0, {}, 0])
		assert.equal(literal(text, 'total_revenue'), '0.00')
		assert.equal(literal(text, 'avg_order_value'), '0.00')
		assert.equal(Object.keys(json.orders_per_hour).length, 24)
		assert.equal(sum(Object.values(json.orders_per_hour)), 0)
	})

	it('has today: every field, unknown statuses under their own name, refunds taken off, money exact', async () => {
		await live.orders([
			{ id: 1, total: 1210, at: AGO(30), refund: 2.05, customer: 'a' }, { id: 2, total: 10_00, at: AGO(600) }, { id: 3, total: 333, at: AGO(3700) },
			{ id: 4, total: 9900, status: 'CANCELLED', counted: false, at: AGO(40) }, { id: 5, total: 100, status: 'Nyt "tila"', counted: false, at: AGO(50) },
			{ id: 6, total: 555, at: AGO(50), location: 2 }, { id: 7, total: 777, at: AGO(50), currency: 'JPY' }, { id: 8, total: 1, at: AGO(50), deleted: true },
			{ id: 9, at: AGO(45), status: null, counted: false },
		])
		const { json, text } = await get()
		assert.deepEqual(Object.keys(json).sort(), ['as_of', 'avg_order_value', 'basis', 'counted_orders', 'currency', 'orders_by_status', 'orders_per_hour',
			'range', 'total_orders', 'total_revenue', 'tz'])
		assert.equal(json.total_orders, 7)
		assert.equal(literal(text, 'total_revenue'), '28.93') // 12.10 - 2.05 + 10.00 + 3.33 + 5.55
		assert.equal(literal(text, 'avg_order_value'), '7.23') // / 4 = 7.2325
		assert.deepEqual(json.orders_by_status, { SERVED: 4, '': 1, CANCELLED: 1, 'Nyt "tila"': 1 })
		assert.equal(sum(Object.values(json.orders_by_status)), json.total_orders)
		assert.equal(sum(Object.values(json.orders_per_hour)), json.total_orders)
		assert.deepEqual([json.currency, json.tz, json.basis], ['EUR', noonZone(), 'order_date'])
		assert.deepEqual([json.range.from_date, json.range.to_date, json.range.partial, json.range.complete], [daysAgo(0), daysAgo(0), true, false])
		assert.ok(Math.abs(json.range.elapsed_s - (Date.parse(json.as_of) - Date.parse(json.range.from)) / 1000) <= 1)
		for (const key of Object.keys(json.orders_per_hour)) assert.match(key, new RegExp(`^${daysAgo(0)}T\\d\\d:00[+-]\\d\\d:00$`))
		const hours = Object.entries(json.orders_per_hour).filter(([, n]) => n > 0)
		assert.ok(hours.length >= 2 && hours.length <= 3, JSON.stringify(hours))
		for (const [at] of hours) assert.ok(Date.parse(at) <= Date.now() && Date.parse(at) > Date.now() - 2.1 * 3600_000, at)
	})

	it('keeps currencies and places apart', async () => {
		const yen = await get('?currency=JPY')
		assert.deepEqual([yen.json.total_orders, literal(yen.text, 'total_revenue'), literal(yen.text, 'avg_order_value'), yen.json.currency], [1, '777', '777', 'JPY'])
		const place = await get('?location_id=2')
		assert.deepEqual([place.json.total_orders, literal(place.text, 'total_revenue'), sum(Object.values(place.json.orders_per_hour))], [1, '5.55', 1])
		assert.equal((await get('?currency=USD')).json.total_orders, 0)
	})

	it('has only the orders of one status where it is asked for', async () => {
		const served = await get('?status=SERVED')
		assert.deepEqual([served.json.total_orders, served.json.orders_by_status, literal(served.text, 'total_revenue'), sum(Object.values(served.json.orders_per_hour))],
			[4, { SERVED: 4 }, '28.93', 4])
		const cancelled = await get('?status=CANCELLED')
		assert.deepEqual([cancelled.json.total_orders, literal(cancelled.text, 'total_revenue'), literal(cancelled.text, 'avg_order_value')], [1, '0.00', '0.00'])
		assert.deepEqual((await get('?status=served')).json.orders_by_status, {}) // as it is written
		// Of closed days the stream was not there: how many is known, what they came to is not.
		const before = await get(`?status=SERVED&from=${daysAgo(1)}&to=${daysAgo(1)}`)
		assert.deepEqual([before.json.total_orders, before.json.total_revenue, before.json.avg_order_value, before.json.orders_per_hour], [7, null, null, null])
	})

	it('takes closed days from the batch, whatever the stream says of them, and adds today', async () => {
		const closed = (await get(`?from=${daysAgo(1)}&to=${daysAgo(1)}`)).json
		await live.orders([{ id: 100, total: 123456, at: `now() - interval '1 day'` }])
		assert.deepEqual({ ...(await get(`?from=${daysAgo(1)}&to=${daysAgo(1)}`)).json, as_of: 0 }, { ...closed, as_of: 0 })
		const both = await get(`?from=${daysAgo(1)}&to=${daysAgo(0)}`)
		assert.equal(both.json.total_orders, closed.total_orders + 7)
		assert.equal(both.json.total_revenue, Number((closed.total_revenue + 28.93).toFixed(2)))
		assert.equal(Object.keys(both.json.orders_per_hour).length, 48)
		assert.deepEqual([both.json.range.partial, both.json.range.complete], [true, false])
	})

	it('fills the day that the batch has not closed yet', async () => {
		await shop.cache.exec(`DELETE FROM daily_revenue_cache WHERE business_date = '${daysAgo(1)}'; DELETE FROM hourly_order_cache WHERE business_date = '${daysAgo(1)}'`)
		const { json } = await get(`?from=${daysAgo(1)}&to=${daysAgo(1)}`)
		assert.deepEqual([json.total_orders, json.total_revenue], [1, 1234.56])
		assert.equal((await get(`?from=${daysAgo(2)}&to=${daysAgo(1)}`)).json.total_orders, 9)
	})

	it('refuses what is no range, too long, or in another zone, by name', async () => {
		for (const [query, status, field] of [['?from=2026-01-01', 422, 'to'], ['?from=2026-02-30&to=2026-03-01', 422, 'from'], ['?from=2024-01-01&to=2025-01-01', 422, 'to'],
			['?tz=Asia/Tokyo', 404, 'tz'], ['?status=', 422, 'status'], ['?currency=eur', 422, 'currency'], ['?basis=order_date', 422, 'basis']]) {
			const { status: got, json } = await get(query)
			assert.deepEqual([got, json.field], [status, field], query)
		}
		assert.equal((await get(`?tz=${encodeURIComponent(noonZone())}`)).status, 200)
		assert.equal((await get('?from=2023-01-01&to=2024-01-01')).status, 404) // 366 days, of which none is known
	})

	it('does not say 0 of today when the stream stopped yesterday, or works under other rules', async () => {
		await shop.cache.exec(live.beat(86_400))
		assert.equal((await get()).status, 404)
		await shop.cache.exec(live.beat(0))
		assert.equal((await get()).status, 200)
		await shop.cache.exec('UPDATE live_site SET rules_id = NULL')
		assert.equal((await get()).status, 404)
	})
})

describe('hours where the clock is changed', () => {
	let shop, web, live
	before(async () => {
		shop = await Shop.open({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF_HOURS: '0', REVENUE_PROFILE: 'commerce' })
		await shop.orders.exec(orderTables('postgresql', { clock: 'timestamptz' }) + `
			INSERT INTO orders VALUES (1, 'paid', 10, '2026-03-29T00:30Z'), (2, 'paid', 10, '2026-03-29T01:30Z'),
				(3, 'paid', 10, '2026-10-24T22:30Z'), (4, 'paid', 11, '2026-10-25T00:30Z'), (5, 'paid', 12, '2026-10-25T01:30Z'), (6, 'paid', 13, '2026-10-25T01:40Z'), (7, 'paid', 1, now() - interval '2 days')`)
		await shop.expectRun(0)
		web = await start(shop)
		live = new LiveTables(shop.cache, 400)
	})
	after(() => web?.stop())
	const perHour = async (day) => (await web.get(`/metrics/orders?from=${day}&to=${day}`)).json.orders_per_hour

	it('are 23 in spring, with the offsets before and after', async () => {
		const hours = await perHour('2026-03-29')
		assert.deepEqual(Object.keys(hours).slice(0, 4), ['2026-03-29T00:00+01:00', '2026-03-29T01:00+01:00', '2026-03-29T03:00+02:00', '2026-03-29T04:00+02:00'])
		assert.deepEqual([Object.keys(hours).length, hours['2026-03-29T01:00+01:00'], hours['2026-03-29T03:00+02:00']], [23, 1, 1])
	})

	it('are 25 in autumn; what is one hour to the batch is split as the stream has it, where both agree', async () => {
		const first = '2026-10-25T02:00+02:00', second = '2026-10-25T02:00+01:00'
		let hours = await perHour('2026-10-25')
		assert.deepEqual([Object.keys(hours).length, hours['2026-10-25T00:00+02:00'], hours[first], hours[second]], [25, 1, 3, 0])
		assert.deepEqual(Object.keys(hours).slice(2, 4), [first, second])
		await live.copyShop(shop.orders, 'now()')
		hours = await perHour('2026-10-25')
		assert.deepEqual([hours[first], hours[second]], [1, 2])
		const rows = (await web.get('/metrics/revenue/hourly?from=2026-10-25&to=2026-10-25')).json.hours
		assert.deepEqual([rows.length, rows[2], rows[3]], [25, { hour: first, revenue: 11, orders: 1, partial: false }, { hour: second, revenue: 25, orders: 2, partial: false }])
		await live.orders([{ id: 99, total: 500, at: `'2026-10-25T00:35Z'` }]) // which the batch does not know
		hours = await perHour('2026-10-25')
		assert.deepEqual([hours[first], hours[second]], [3, 0])
	})
})

describe('/metrics/realtime', () => {
	let shop, web, live
	const get = (query = '') => web.get(`/metrics/realtime${query}`)
	before(async () => {
		shop = await openSmallShop(3)
		await shop.expectRun(0)
		web = await start(shop)
		live = new LiveTables(shop.cache)
	})
	after(() => web?.stop())

	it('is 404 while the stream never ran', async () => {
		const { status, json } = await get()
		assert.equal(status, 404)
		assert.match(json.detail, /takings-stream/)
	})

	it('is all zeros and empty lists where nothing happens', async () => {
		await live.rebuild()
		const { json, text } = await get()
		assert.deepEqual([literal(text, 'current_orders_per_minute'), literal(text, 'revenue_per_minute'), json.active_users, json.top_products, json.recent_orders],
			['0.0', '0.00', 0, [], []])
	})

	it('measures orders of the trailing window to its edges; cancelled money stands apart', async () => {
		await live.orders([
			{ id: 1, total: 1000, at: AGO(5), customer: 'a' }, { id: 2, total: 500, status: 'CANCELLED', counted: false, at: AGO(10), cancelled: AGO(2), customer: 'a' },
			{ id: 3, total: 250, at: AGO(50), customer: 'b' }, { id: 4, total: 9900, at: AGO(61), customer: 'c' }, { id: 5, total: 4400, at: AGO(-120), customer: 'z' },
			{ id: 6, total: 70, at: AGO(1700), customer: 'd' }, { id: 7, total: 70, at: AGO(1801), customer: 'e' }, { id: 8, total: 600, currency: 'JPY', at: AGO(8), customer: 'j' },
			{ id: 9, total: -300, at: AGO(4) }, { id: 10, total: 900, status: 'CANCELLED', counted: false, at: AGO(4000), cancelled: AGO(55) },
			{ id: 11, total: 900, status: 'CANCELLED', counted: false, at: AGO(4001), cancelled: AGO(62) },
		])
		const { json, text } = await get()
		assert.equal(literal(text, 'current_orders_per_minute'), '5.0') // 1, 2, 3, 9, and 8 in yen
		assert.equal(literal(text, 'revenue_per_minute'), '17.50')
		assert.deepEqual([literal(text, 'cancelled_per_minute'), literal(text, 'cancelled_revenue_per_minute')], ['2.0', '14.00'])
		assert.deepEqual([json.active_users, json.active_users_basis, json.window_s, json.late], [5, 'customers', 60, false])
		assert.deepEqual(json.recent_orders.map((o) => o.order_id), ['9', '1', '8', '2', '3', '4', '6', '7', '10', '11'])
		assert.deepEqual(Object.keys(json.recent_orders[0]), ['order_id', 'status', 'total', 'currency', 'customer_id', 'created_at'])
		const yen = await get('?currency=JPY')
		assert.deepEqual([literal(yen.text, 'current_orders_per_minute'), literal(yen.text, 'revenue_per_minute'), yen.json.recent_orders.map((o) => o.order_id)], ['1.0', '600', ['8']])
		assert.deepEqual([json.recent_orders[2].total, json.recent_orders[2].currency], [600, 'JPY'])
	})

	it('rounds to one decimal over another window', async () => {
		const wide = await start(shop, { REALTIME_WINDOW_SECONDS: '3600' })
		const { json, text } = await wide.get('/metrics/realtime').finally(() => wide.stop())
		assert.equal(json.window_s, 3600)
		assert.equal(literal(text, 'current_orders_per_minute'), '0.1') // 8 in 60 minutes
		assert.equal(literal(text, 'revenue_per_minute'), '1.96') // 117.90 / 60 = 1.965, to the even neighbour
	})

	it('lists as many recent orders as are asked for', async () => {
		await live.clear()
		await live.orders(Array.from({ length: 101 }, (_, i) => ({ id: 1000 + i, total: 100, at: AGO(100 + i) })))
		assert.equal((await get()).json.recent_orders.length, 10)
		for (const n of [1, 99, 100]) assert.equal((await get(`?limit=${n}`)).json.recent_orders.length, n)
		for (const n of [0, 101, 'x']) assert.deepEqual([(await get(`?limit=${n}`)).status, (await get(`?limit=${n}`)).json.field], [422, 'limit'])
		assert.deepEqual((await get('?limit=2')).json.recent_orders.map((o) => o.order_id), ['1000', '1001'])
	})

	it('has the ten best products of today by revenue; of equals the one sold more, then the smaller id', async () => {
		await live.clear()
		const line = (item, quantity, amount, name) => ({ item, quantity, amount, name })
		await live.orders([
			{ id: 1, total: 100, at: AGO(5), lines: [line('b', 2, 10), line('a', 2, 10), line('c', 3, 10), line('top', 1, 99.995, 'Top')] },
			{ id: 2, total: 100, at: AGO(6), lines: Array.from({ length: 9 }, (_, i) => line(`x${i}`, 1, 1)) },
			{ id: 3, total: 100, at: AGO(7), status: 'CANCELLED', counted: false, lines: [line('never', 100, 1000)] },
			{ id: 4, total: 100, at: AGO(86_400), lines: [line('yesterday', 100, 1000)] },
		])
		const { json, text } = await get()
		assert.deepEqual(json.top_products.map((p) => p.product_id), ['top', 'c', 'a', 'b', 'x0', 'x1', 'x2', 'x3', 'x4', 'x5'])
		assert.deepEqual(json.top_products[0], { product_id: 'top', name: 'Top', quantity: 1, revenue: 100, orders: 1 })
		assert.match(text, /"product_id":"c","name":"c","quantity":3,"revenue":10.00,"orders":1/)
	})

	it('says when the stream is late', async () => {
		await shop.cache.exec(live.beat(14))
		assert.equal((await get()).json.late, false)
		await shop.cache.exec(live.beat(17))
		assert.equal((await get()).json.late, true)
		await shop.cache.exec(live.beat(0, 'degraded'))
		assert.equal((await get()).json.late, true)
		await shop.cache.exec(live.beat(0) + `INSERT INTO stream_status VALUES ('a', now(), now(), 'ok', '', '{"stream_lag_ms": 15001}')`)
		assert.equal((await get()).json.late, true)
		await shop.cache.exec(`UPDATE stream_status SET stats = '{"stream_lag_ms": 900}'`)
		assert.equal((await get()).json.late, false)
	})
})

describe('/metrics/revenue/hourly', () => {
	let shop, web, live
	const get = (query = '') => web.get(`/metrics/revenue/hourly${query}`)
	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await start(shop)
		live = new LiveTables(shop.cache)
		await live.orders([{ id: 1, total: 1250, at: AGO(1), refund: 1 }, { id: 2, total: 100, at: AGO(1), status: 'CANCELLED', counted: false }])
	})
	after(() => web?.stop())

	it('is the last 24 hours up to the one that runs, each of them, oldest first', async () => {
		const { json, text } = await get()
		assert.equal(json.hours.length, 24)
		const last = json.hours[23]
		assert.deepEqual([last.partial, last.orders], [true, 2])
		assert.match(text, /"revenue":11.50,"orders":2,"partial":true/)
		assert.deepEqual(json.hours.slice(0, 23).map((h) => h.partial), Array(23).fill(false))
		json.hours.slice(1).forEach((h, i) => assert.equal(Date.parse(h.hour) - Date.parse(json.hours[i].hour), 3600_000))
		assert.ok(Date.parse(last.hour) <= Date.now() && Date.parse(last.hour) > Date.now() - 3600_000)
		assert.deepEqual([Date.parse(json.range.from), Date.parse(json.range.to)], [Date.parse(json.hours[0].hour), Date.parse(last.hour) + 3600_000])
	})

	it('has the batch for closed days, with today after them', async () => {
		const { json } = await get(`?from=${daysAgo(1)}&to=${daysAgo(0)}`)
		assert.equal(json.hours.length, 48)
		const cache = await shop.cache.query(`SELECT hour, order_count AS orders, (revenue_minor / 100.0)::float AS revenue FROM hourly_order_cache
			WHERE business_date = '${daysAgo(1)}' AND currency = 'EUR' ORDER BY hour`)
		assert.deepEqual(json.hours.slice(0, 24).map((h) => [Number(h.hour.slice(11, 13)), h.orders, h.revenue]), cache.map((h) => [h.hour, h.orders, h.revenue]))
		assert.equal(json.hours.filter((h) => h.partial).length, 1)
	})

	it('has no figures for hours nobody knows', async () => {
		const { json } = await get(`?from=${daysAgo(1)}&to=${daysAgo(-1)}`)
		assert.deepEqual(json.hours.slice(48).map((h) => [h.revenue, h.orders]), Array(24).fill([null, null]))
		assert.equal((await get(`?from=${daysAgo(-1)}&to=${daysAgo(-2)}`)).status, 404)
	})

	it('is saved as CSV', async () => {
		const { text, headers } = await get('?format=csv')
		assert.match(headers['content-type'], /text\/csv/)
		assert.equal(text.trim().split(/\r?\n/).length, 25)
	})
})

describe('/metrics/products/top', () => {
	let shop, web, live
	const get = (query = '') => web.get(`/metrics/products/top${query}`)
	before(async () => {
		shop = await openSmallShop(40)
		await shop.expectRun(0)
		web = await start(shop)
		live = new LiveTables(shop.cache)
	})
	after(() => web?.stop())

	const oracle = (order, from, limit = 10) => shop.cache.query(`SELECT item_id AS product_id, (max(name)) AS name, sum(quantity)::float AS quantity,
		(sum(revenue_minor) / 100.0)::float AS revenue, sum(order_count)::int AS orders FROM item_sales_cache
		WHERE business_date >= '${from}' GROUP BY 1 ORDER BY ${order}, item_id LIMIT ${limit}`)

	it('is the last thirty days, with today as the thirtieth', async () => {
		assert.deepEqual((await get()).json.products, await oracle('sum(revenue_minor) DESC, sum(quantity) DESC', daysAgo(29)))
		await live.orders([{ id: 1, total: 1, at: AGO(5), lines: [{ item: 'new', quantity: 7, amount: 99999.5 }, { item: 'dish1', quantity: 1, amount: 0.25, name: 'Dish one' }] }])
		const { json } = await get()
		assert.deepEqual([json.range.from_date, json.range.to_date], [daysAgo(29), daysAgo(0)])
		assert.deepEqual(json.products[0], { product_id: 'new', name: 'new', quantity: 7, revenue: 99999.5, orders: 1 })
		const was = (await oracle('sum(revenue_minor) DESC', daysAgo(29))).find((p) => p.product_id === 'dish1')
		assert.deepEqual(json.products.find((p) => p.product_id === 'dish1'),
			{ product_id: 'dish1', name: 'Dish one', quantity: was.quantity + 1, revenue: was.revenue + 0.25, orders: was.orders + 1 })
	})

	it('is ordered by what is asked for', async () => {
		const range = `from=${daysAgo(9)}&to=${daysAgo(1)}`
		assert.deepEqual((await get(`?by=quantity&${range}`)).json.products, await oracle('sum(quantity) DESC, sum(revenue_minor) DESC', daysAgo(9)))
		assert.deepEqual((await get(`?by=orders&${range}`)).json.products, await oracle('sum(order_count) DESC, sum(revenue_minor) DESC', daysAgo(9)))
		assert.equal((await get('?by=name')).status, 422)
	})

	it('lists no more than are asked for', async () => {
		for (const [limit, n] of [[1, 1], [7, 7], [8, 8], [9, 8], [100, 8]]) assert.equal((await get(`?limit=${limit}`)).json.products.length, n, `limit ${limit}`) // 7 dishes and the new one
		for (const n of [0, 101]) assert.equal((await get(`?limit=${n}`)).status, 422)
	})
})

describe('/reconciliation', () => {
	let shop, web
	const get = (query = '') => web.get(`/reconciliation${query}`)
	before(async () => {
		shop = await openSmallShop(3)
		await shop.expectRun(0)
		await shop.cache.exec(`
			TRUNCATE reconciliation CASCADE;
			INSERT INTO reconciliation SELECT '${daysAgo(0)}'::date - n, CASE n WHEN 1 THEN 'different' ELSE 'equal' END, 10, 10 + (n = 1)::int,
				'{"JPY": {"batch_minor": 500, "stream_minor": 500}, "EUR": {"batch_minor": 1250, "stream_minor": 1305}}', (n = 1)::int * 2, 1, now() FROM generate_series(1, 40) n;
			INSERT INTO reconciliation_order VALUES ('${daysAgo(1)}', '11', 'missing_in_order_db', NULL, '{"status": "SERVED", "total": "12.50", "customer_id": "c1"}'),
				('${daysAgo(1)}', '10', 'amount', '{"total": "1.00"}', '{"total": "2.00"}')`)
		web = await start(shop)
	})
	after(() => web?.stop())

	it('has the last 35 days that were compared, newest first', async () => {
		const { json, text } = await get()
		assert.equal(json.days.length, 35)
		assert.deepEqual(json.days.slice(0, 2).map((d) => [d.date, d.status, d.orders_batch, d.orders_stream, d.orders_differing]),
			[[daysAgo(1), 'different', 10, 11, 2], [daysAgo(2), 'equal', 10, 10, 0]])
		assert.match(text, /"revenue":\[\{"currency":"EUR","batch":12.50,"stream":13.05\},\{"currency":"JPY","batch":500,"stream":500\}\]/)
		assert.deepEqual(json.orders, [])
	})

	it('has one day with its orders and why', async () => {
		const { json } = await get(`?date=${daysAgo(1)}`)
		assert.equal(json.days.length, 1)
		assert.deepEqual(json.orders, [{ order_id: '10', reason: 'amount', batch: { total: '1.00' }, stream: { total: '2.00' } },
			{ order_id: '11', reason: 'missing_in_order_db', batch: null, stream: { status: 'SERVED', total: '12.50', customer_id: 'c1' } }])
		assert.equal((await get(`?date=${daysAgo(1)}&limit=1`)).json.orders.length, 1)
		assert.equal((await get(`?date=${daysAgo(41)}`)).status, 404)
	})
})

describe('ENABLE_REALTIME_ANALYTICS=0', () => {
	it('takes the addresses away, and leaves /metrics', async () => {
		const shop = await openSmallShop(2)
		await shop.expectRun(0)
		const web = await start(shop, { ENABLE_REALTIME_ANALYTICS: '0' })
		for (const target of ['/metrics/orders', '/metrics/realtime', '/metrics/revenue/hourly', '/metrics/products/top', '/reconciliation']) {
			const { status, json } = await web.get(target)
			assert.deepEqual([status, json.code], [404, 'feature_disabled'], target)
		}
		assert.match((await web.get('/metrics')).headers['content-type'], /text\/plain/)
		await web.stop()
	})
})
