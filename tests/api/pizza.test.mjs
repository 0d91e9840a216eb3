// A real pizza place's year: every total equals what independent programs computed from the files.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { copyLines, golden, missing, rows } from '../lib/data.mjs'
import { mariadb } from '../lib/servers.mjs'
import { Shop, copyOrders, orderTables } from '../lib/shop.mjs'

const SET = 'pizza_maven'
const ZONE = { BUSINESS_TIMEZONE: 'America/New_York', ORDER_DB_TIMEZONE: 'America/New_York', DEFAULT_CURRENCY: 'USD' }
const YEAR = ['--from', '2015-01-01', '--to', '2015-12-31']

async function loadYear(db) {
	const menu = new Map(rows(SET, 'pizzas.csv').map((p) => [p.pizza_id, p]))
	const names = new Map(rows(SET, 'pizza_types.csv').map((t) => [t.pizza_type_id, t.name]))
	const cents = new Map()
	const items = rows(SET, 'order_details.csv').map((d) => {
		const pizza = menu.get(d.pizza_id)
		const quantity = Number(d.quantity)
		cents.set(d.order_id, (cents.get(d.order_id) ?? 0) + quantity * Math.round(Number(pizza.price) * 100))
		return [d.order_details_id, d.order_id, d.pizza_id, `${names.get(pizza.pizza_type_id)} ${pizza.size}`, quantity, pizza.price]
	})
	const orders = rows(SET, 'orders.csv').map((o) =>
		[o.order_id, 'SERVED', (cents.get(o.order_id) / 100).toFixed(2), `${o.date} ${o.time}`])
	await db.exec(orderTables('postgresql'))
	await db.copyIn('orders', copyLines(orders))
	await db.copyIn('order_items', copyLines(items))
}

describe('pizza year', { skip: missing(SET) }, () => {
	let shop, want, run
	const list = async (sql) => (await shop.cache.query(sql)).map((r) => Object.values(r))

	before(async () => {
		want = golden(SET)
		shop = await Shop.open(ZONE)
		await loadYear(shop.orders)
		run = await shop.expectRun(0, ...YEAR)
	})

	it('has the revenue, orders, items and average of the year', async () => {
		assert.deepEqual(await shop.cache.one(`
			SELECT money(sum(revenue_minor), 'USD')::text AS revenue, sum(served_count)::int AS served,
			       sum(order_count)::int AS placed, sum(item_qty)::int AS items, money(sum(item_minor), 'USD')::text AS item_sales,
			       round(sum(revenue_minor) / sum(served_count) / 100, 4)::text AS average
			FROM daily_revenue_cache`), {
			revenue: want.revenue, served: want.orders, placed: want.orders, items: want.items_sold,
			item_sales: want.revenue, average: want.avg_order_value })
		assert.match(run.stdout, /^365 day\(s\) written, 0 unchanged, 0 kept$/m)
	})

	it('has a row for each of 365 days, zeros on the closed ones', async () => {
		assert.deepEqual(await shop.cache.one('SELECT count(*)::int AS n, min(business_date)::text AS a, max(business_date)::text AS z FROM daily_revenue_cache'),
			{ n: 365, a: want.orders_per_day.first_day, z: want.orders_per_day.last_day })
		const closed = await shop.cache.query('SELECT business_date::text AS day, revenue_minor, booked_minor, served_count, aov::text, item_qty FROM daily_revenue_cache WHERE order_count = 0 ORDER BY 1')
		assert.deepEqual(closed, want.closed_days.map((day) => ({ day, revenue_minor: 0, booked_minor: 0, served_count: 0, aov: '0.00', item_qty: 0 })))
	})

	it('knows the busiest and the quietest day', async () => {
		const { max, max_days, min, min_days } = want.orders_per_day
		assert.deepEqual(await list(`SELECT business_date::text, order_count FROM daily_revenue_cache WHERE order_count = (SELECT max(order_count) FROM daily_revenue_cache)`), max_days.map((d) => [d, max]))
		assert.deepEqual(await list(`SELECT business_date::text, order_count FROM daily_revenue_cache WHERE order_count = (SELECT min(order_count) FROM daily_revenue_cache WHERE order_count > 0)`), min_days.map((d) => [d, min]))
		assert.deepEqual(await list(`SELECT business_date::text, money(revenue_minor, 'USD')::text FROM daily_revenue_cache ORDER BY revenue_minor DESC LIMIT 3`), want.top3_days_by_revenue)
	})

	it('has exactly 24 hours on every day, which add up to the day', async () => {
		assert.deepEqual(await list(`SELECT count(*)::int, min(n)::int AS a, max(n)::int AS z FROM (SELECT count(*) AS n FROM hourly_order_cache GROUP BY business_date) d`), [[365, 24, 24]])
		assert.deepEqual(await list(`
			SELECT d.business_date FROM daily_revenue_cache d JOIN
			       (SELECT business_date, sum(order_count) AS o, sum(served_count) AS s, sum(revenue_minor) AS r FROM hourly_order_cache GROUP BY 1) h USING (business_date)
			WHERE (o, s, r) IS DISTINCT FROM (d.order_count, d.served_count, d.revenue_minor)`), [])
	})

	it('has the orders of each hour, weekday and month', async () => {
		assert.deepEqual(Object.fromEntries(await list('SELECT hour, sum(order_count)::int FROM hourly_order_cache GROUP BY 1 HAVING sum(order_count) > 0 ORDER BY 1')), want.orders_by_hour)
		assert.deepEqual(Object.fromEntries(await list('SELECT extract(isodow FROM business_date) - 1, sum(served_count)::int FROM daily_revenue_cache GROUP BY 1 ORDER BY 1')), want.orders_by_weekday_mon0)
		assert.deepEqual(Object.fromEntries(await list(`SELECT to_char(business_date, 'YYYY-MM'), money(sum(revenue_minor), 'USD')::text FROM daily_revenue_cache GROUP BY 1 ORDER BY 1`)), want.revenue_by_month)
	})

	it('counts the clock changes of New York', async () => {
		assert.deepEqual(await list('SELECT business_date::text, hour, seconds FROM hourly_order_cache WHERE seconds <> 3600 ORDER BY 1'),
			[['2015-03-08', 2, 0], ['2015-11-01', 1, 7200]])
	})

	it('knows what was sold', async () => {
		assert.deepEqual(await list('SELECT item_id, sum(quantity)::int FROM item_sales_cache GROUP BY 1 ORDER BY 2 DESC LIMIT 5'), want.top5_pizza_ids_by_qty)
		assert.equal(await shop.cache.value('SELECT count(DISTINCT item_id)::int FROM item_sales_cache'), want.distinct_pizza_ids_sold)
		const types = `SELECT regexp_replace(name, ' [A-Z]+$', '') AS type, quantity, revenue_minor FROM item_sales_cache`
		assert.deepEqual(await list(`SELECT type, sum(quantity)::int FROM (${types}) t GROUP BY 1 ORDER BY 2 DESC LIMIT 5`), want.top5_types_by_qty)
		assert.deepEqual(await list(`SELECT type, sum(quantity)::int FROM (${types}) t GROUP BY 1 ORDER BY 2 LIMIT 1`), [want.bottom_type_by_qty])
		const money = (list) => list.map(([name, amount]) => [name, Number(amount).toFixed(2)])
		assert.deepEqual(await list(`SELECT type, money(sum(revenue_minor), 'USD')::text FROM (${types}) t GROUP BY 1 ORDER BY sum(revenue_minor) DESC LIMIT 5`), money(want.top5_types_by_revenue))
		assert.deepEqual(Object.fromEntries(await list(`SELECT substring(name FROM '[A-Z]+$'), sum(quantity)::int FROM item_sales_cache GROUP BY 1 ORDER BY 1`)), want.qty_by_size)
	})

	it('keeps first and last order as instants', async () => {
		assert.deepEqual(await list(`SELECT to_char(min(first_order_at) AT TIME ZONE 'America/New_York', 'YYYY-MM-DD"T"HH24:MI:SS') AS a, to_char(max(last_order_at) AT TIME ZONE 'America/New_York', 'YYYY-MM-DD"T"HH24:MI:SS') AS z FROM daily_revenue_cache`),
			[[want.first_order, want.last_order]])
	})

	it('comes out the same from MariaDB, row for row', async () => {
		const orders = await (await mariadb()).create()
		await orders.exec(orderTables('mysql'))
		await copyOrders(shop.orders, orders)
		const other = await Shop.open({ ...ZONE, orders })
		await other.expectRun(0, ...YEAR)
		assert.equal(await other.dump(['source_hash']), await shop.dump(['source_hash']))
		assert.match((await other.lastRun()).snapshot, /connection \d+/)
	})

	it('comes out the same again, and changes nothing', async () => {
		const before = await shop.dump()
		const days = await shop.runOfDays()
		await shop.expectRun(0, ...YEAR)
		assert.deepEqual(await shop.runOfDays(), days)
		assert.equal(await shop.dump(), before)
		const again = await shop.fresh()
		await again.expectRun(0, ...YEAR)
		assert.equal(await again.dump(), before)
	})
})
