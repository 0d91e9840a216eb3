// Today beside the figures of closed days: in the batch's own answers, on the overview, and how long
// answers with live figures are kept.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { LiveTables } from '../lib/live_tables.mjs'
import { daysAgo, noonZone, openSmallShop } from '../lib/shop.mjs'
import { sleep, until } from '../lib/process.mjs'
import { Web } from '../lib/web.mjs'

const API = '/api/admin/analytics'
const AGO = (s) => `now() - interval '${s} seconds'`
const NULLS = { total_revenue: null, total_orders: null, avg_order_value: null, placed_orders: null, counted_orders: null, items_sold: null, vs_previous_day: null,
	vs_previous_day_status: null, previous_day_revenue: null, vs_same_weekday: null, vs_same_weekday_status: null, same_weekday_revenue: null, source: null, seen_at: null, late: null }

describe('today', () => {
	let shop, web, live
	const get = (target) => web.get(`${API}/${target}`)
	before(async () => {
		shop = await openSmallShop(10)
		// And one in the evening of each day, which is not yet at this time of it.
		await shop.orders.exec(`INSERT INTO orders SELECT 90000 + n, 'SERVED', 50, date_trunc('day', now() AT TIME ZONE '${noonZone()}') AT TIME ZONE '${noonZone()}'
			+ interval '21 hours' - n * interval '1 day' FROM generate_series(1, 9) n`)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
		live = new LiveTables(shop.cache)
	})
	after(() => web?.stop())

	it('has no figures where the stream never ran', async () => {
		for (const name of ['summary', 'daily', 'hourly', 'top-items']) {
			const { status, json } = await get(name)
			const { elapsed_s, ...today } = json.today
			assert.deepEqual([status, today], [200, { date: daysAgo(0), partial: true, ...NULLS }], name)
			assert.ok(elapsed_s > 11 * 3600 && elapsed_s < 14 * 3600, String(elapsed_s)) // it is about noon
			assert.equal((await get(`${name}?date=${daysAgo(0)}`)).status, 404, name)
		}
		assert.equal((await get(`daily?from=${daysAgo(2)}&to=${daysAgo(0)}`)).json.days.length, 2)
		const { text } = await web.get('/admin/')
		assert.doesNotMatch(text, /so far/)
		assert.match((await web.get('/admin/?period=today')).text, /No closed day yet/)
	})

	it('stands beside the newest closed days once it runs, and not beside days long ago', async () => {
		await live.orders([{ id: 't1', total: 1250, at: AGO(5), refund: 0.5, lines: [{ item: 'dish1', quantity: 2, amount: 11.25, name: 'Dish one' }] },
			{ id: 't2', total: 900, at: AGO(3), status: 'CANCELLED', counted: false }])
		for (const query of ['summary', 'daily', 'hourly', 'top-items', `summary?date=${daysAgo(1)}`, `daily?from=${daysAgo(3)}&to=${daysAgo(1)}`]) {
			const { json, text } = await get(query)
			assert.match(text, /"today":\{.*"total_revenue":12.00,"total_orders":1,"avg_order_value":12.00,"placed_orders":2,"counted_orders":1,"items_sold":2,/, query)
			assert.deepEqual([json.today.source, json.today.late, json.today.partial], ['stream', false, true])
		}
		const { json } = await get(`summary?date=${daysAgo(2)}`)
		assert.deepEqual({ ...json.today, elapsed_s: 0 }, { date: daysAgo(0), elapsed_s: 0, partial: true, ...NULLS })
		assert.equal((await get('summary?basis=transaction_date')).json.today.total_revenue, 12.07) // the booked money is its own
	})

	it('is compared with other days at the same time, where the stream knows all of these', async () => {
		assert.deepEqual([(await get('summary')).json.today.vs_same_weekday_status, (await get('summary')).json.today.vs_same_weekday], ['no_base', null])
		await live.copyShop(shop.orders, 'now()')
		const early = (n) => shop.orders.value(`SELECT coalesce(sum(total_amount), 0)::float FROM orders WHERE status = 'SERVED'
			AND created_at >= now() - interval '${n} days 14 hours' AND created_at < now() - interval '${n} days'`)
		const { today } = (await get('summary')).json
		const [yesterday, weekday] = [await early(1), await early(7)]
		assert.ok(yesterday > 0 && weekday > 0)
		assert.deepEqual([today.previous_day_revenue, today.same_weekday_revenue], [yesterday, weekday])
		assert.deepEqual([today.vs_previous_day_status, today.vs_previous_day], ['ok', Number(((12 - yesterday) / yesterday * 100).toFixed(2))])
		assert.equal(today.vs_same_weekday, Number(((12 - weekday) / weekday * 100).toFixed(2)))
		// An order that the batch counted and the stream does not know: there is no honest base.
		await shop.cache.exec(`DELETE FROM order_state WHERE order_id = (SELECT min(order_id) FROM order_state WHERE placed_at::date = current_date - 7)`)
		assert.deepEqual((({ vs_same_weekday_status: s, same_weekday_revenue: r, vs_previous_day_status: p }) => [s, r, p])((await get('summary')).json.today), ['no_base', null, 'ok'])
	})

	it('can be asked for itself', async () => {
		const { json, text } = await get(`summary?date=${daysAgo(0)}`)
		assert.match(text, /"total_revenue":12.00,"total_orders":1,"avg_order_value":12.00/)
		assert.deepEqual([json.date, json.placed_orders, json.counted_orders, json.gross, json.refunds, json.item_sales, json.items_sold], [daysAgo(0), 2, 1, 12.5, 0.5, 11.25, 2])
		assert.deepEqual([json.range.partial, json.range.complete, json.range.elapsed_s], [true, false, json.today.elapsed_s])
		assert.deepEqual([json.vs_previous_day, json.vs_previous_day_status, json.previous_day.total_revenue], [json.today.vs_previous_day, 'ok', json.today.previous_day_revenue])
		const whole = (await get(`summary?date=${daysAgo(1)}`)).json
		assert.ok(json.previous_day.total_orders > 0 && json.previous_day.total_orders < whole.total_orders)
		assert.ok(json.previous_day.total_revenue <= whole.total_revenue - 50)
		assert.ok(json.peak_hour >= 11 && json.peak_hour <= 13)
		const hours = (await get(`hourly?date=${daysAgo(0)}`)).json.hours
		assert.deepEqual([hours.length, hours.reduce((n, h) => n + h.placed, 0), hours.reduce((n, h) => n + h.revenue, 0), hours.every((h) => h.seconds === 3600)], [24, 2, 12, true])
		const items = (await get(`top-items?date=${daysAgo(0)}`)).json
		assert.deepEqual(items.items, [{ item_id: 'dish1', name: 'Dish one', quantity: 2, revenue: 11.25, orders: 1, share: 100 }])
		assert.deepEqual([items.item_sales, items.unallocated, items.total_revenue], [11.25, 0.75, 12])
	})

	it('is the last row of the days, and a part of the items, of a range that has it', async () => {
		const { json } = await get(`daily?from=${daysAgo(2)}&to=${daysAgo(0)}`)
		assert.deepEqual(json.days.map((d) => [d.date, d.partial]), [[daysAgo(2), false], [daysAgo(1), false], [daysAgo(0), true]])
		assert.deepEqual([json.days[2].total_revenue, json.days[2].placed_orders, json.days[2].items_sold], [12, 2, 2])
		const closed = (await get(`top-items?from=${daysAgo(2)}&to=${daysAgo(1)}&limit=100`)).json, all = (await get(`top-items?from=${daysAgo(2)}&to=${daysAgo(0)}&limit=100`)).json
		assert.deepEqual([all.item_sales, all.total_revenue], [closed.item_sales + 11.25, closed.total_revenue + 12])
		assert.equal(all.items.find((i) => i.item_id === 'dish1').quantity, closed.items.find((i) => i.item_id === 'dish1').quantity + 2)
		// Averages, weekdays and what else is of whole days only stays so.
		assert.equal((await get(`weekdays?from=${daysAgo(2)}&to=${daysAgo(0)}`)).json.days_computed, 2)
	})

	it('is on the overview: so far, how fresh, and amber when that is not so', async () => {
		for (const query of ['', '?period=today', '?period=28d', `?date=${daysAgo(1)}`]) {
			const { text, status } = await web.get(`/admin/${query}`)
			assert.equal(status, 200)
			assert.match(text, /so far, \d\d:\d\d/, query)
			assert.match(text, /id="today-revenue" value="12.00"/, query)
			assert.match(text, /class="fresh is-live">Live, \d+ s ago/, query)
		}
		assert.doesNotMatch((await web.get(`/admin/?date=${daysAgo(2)}`)).text, /so far/)
		assert.match((await web.get('/admin/?period=today')).text, /Dish one/)
		await shop.cache.exec(live.beat(40))
		assert.match((await web.get('/admin/')).text, /fresh is-live is-late"><span><strong>Late:<\/strong> live figures may be behind, last heard of 4\d s ago/)
		await shop.cache.exec(live.beat())
	})
})

describe('an answer with live figures', () => {
	let shop, web, live
	before(async () => {
		shop = await openSmallShop(4)
		await shop.expectRun(0)
		live = new LiveTables(shop.cache)
		await live.rebuild()
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), ANALYTICS_CACHE_TTL: undefined })
		await until(() => web.log.includes('"listening"'), { what: 'takings-web to listen' })
	})
	after(() => web?.stop())
	const get = (target, headers = {}) => web.get(target, { headers })
	let serial = 0
	const sell = () => live.orders([{ id: `s${++serial}`, total: 100, at: AGO(1) }])

	it('is made anew as soon as the stream has changed something', async () => {
		for (const [target, value] of [['/metrics/orders', (j) => j.total_orders], [`${API}/summary`, (j) => j.today.total_orders], [`${API}/daily?from=${daysAgo(1)}&to=${daysAgo(0)}`, (j) => j.days[1].total_orders]])
			for (let i = 0; i < 5; i++) {
				const was = value((await get(target)).json)
				await sell()
				await until(async () => value((await get(target)).json) === was + 1, { what: target })
			}
	})

	it('is kept for a moment, and is 304 to who has it as long as its figures are the same', async () => {
		const first = await until(async () => { const a = await get('/metrics/orders'); return a.headers['x-cache'].startsWith('hit') && a })
		const { etag } = first.headers
		assert.match(etag, /^W\/"[0-9a-f]{32}"$/)
		await sleep(1300) // it is made anew by now, and says another time
		const again = await get('/metrics/orders')
		assert.equal(again.headers['x-cache'], 'miss')
		assert.notEqual(again.json.as_of, first.json.as_of)
		assert.equal(again.headers.etag, etag)
		assert.deepEqual([(await get('/metrics/orders', { 'if-none-match': etag })).status, (await get('/metrics/orders', { 'if-none-match': '"other"' })).status], [304, 200])
		await sell()
		const changed = await until(async () => { const a = await get('/metrics/orders', { 'if-none-match': etag }); return a.status === 200 && a })
		assert.notEqual(changed.headers.etag, etag)
	})

	it('forgets orders that leave the window, without anything happening', async () => {
		await live.clear()
		await live.orders([{ id: 'w', total: 100, at: AGO(56) }])
		assert.equal((await get('/metrics/realtime')).json.current_orders_per_minute, 1)
		await until(async () => (await get('/metrics/realtime')).json.current_orders_per_minute === 0, { limit: 6000 })
	})

	it('leaves the answers of closed days where they are', async () => {
		const targets = [`${API}/summary?date=${daysAgo(3)}`, `${API}/daily?from=${daysAgo(4)}&to=${daysAgo(2)}`, `${API}/heatmap`, `/metrics/orders?from=${daysAgo(2)}&to=${daysAgo(1)}`, `/admin/?date=${daysAgo(3)}`]
		for (const target of targets) await get(target)
		await sell()
		await sleep(1200)
		for (const target of targets) assert.match((await get(target)).headers['x-cache'], /^hit/, target)
	})

	it('is not kept from before a time of deafness', async () => {
		const was = (await get('/metrics/orders')).json.total_orders
		await shop.cache.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'takings-web watch' AND datname = current_database()`)
		await sell() // unheard
		await until(async () => (await get('/metrics/orders')).json.total_orders === was + 1, { limit: 3000 })
	})
})
