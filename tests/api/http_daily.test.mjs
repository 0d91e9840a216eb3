// The answer of a row a day against plain SQL over the same rows.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { daysAgo, openSmallShop } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const COLUMNS = 'location_id, business_date, currency, revenue_minor, booked_minor, gross_minor, refund_minor, discount_minor, tax_minor,' +
	' shipping_minor, tip_minor, order_count, served_count, aov, item_qty, item_minor, orders_by_status, source_hash, rules_id, run_id, computed_at'

describe('daily', () => {
	const DAYS = 45, GAP = 12
	let shop, web
	const get = (query = '') => web.get(`/api/admin/analytics/daily${query}`)

	// Figures as texts with the digits they must have; `where` picks the rows of one answer.
	const plain = (where, { column = 'revenue_minor', unit = 100, digits = 2 } = {}) => shop.cache.query(`
		SELECT business_date::text AS date, round(sum(${column}) / ${unit}::numeric, ${digits})::text AS total_revenue,
		       CASE WHEN sum(served_count) = 0 THEN round(0, ${digits})
		            WHEN mod(sum(${column}) / sum(served_count), 1) IN (0.5, -0.5) -- a tie goes to the even neighbour
		            THEN round(2 * round(sum(${column}) / sum(served_count) / 2) / ${unit}::numeric, ${digits})
		            ELSE round(sum(${column}) / sum(served_count) / ${unit}::numeric, ${digits}) END::text AS avg_order_value,
		       sum(order_count)::int AS placed_orders, sum(served_count)::int AS counted_orders,
		       round(sum(gross_minor) / ${unit}::numeric, ${digits})::text AS gross, round(sum(refund_minor) / ${unit}::numeric, ${digits})::text AS refunds,
		       round(sum(item_minor) / ${unit}::numeric, ${digits})::text AS item_sales, sum(item_qty)::text AS items_sold
		FROM daily_revenue_cache WHERE ${where} GROUP BY business_date ORDER BY business_date`)

	// The literals themselves: JSON.parse would take 12.5 for 12.50.
	const MONEY = ['total_revenue', 'avg_order_value', 'gross', 'refunds', 'item_sales', 'items_sold']
	function literals(text) {
		const rows = [...text.match(/"days":\[(.*?)\]/)[1].matchAll(/\{(.*?)\}/g)]
		return rows.map(([, row]) => Object.fromEntries([...row.matchAll(/"(\w+)":("[^"]*"|[^,]+)/g)]
			.filter(([, name]) => !['total_orders', 'partial'].includes(name))
			.map(([, name, value]) => [name, MONEY.includes(name) ? value : JSON.parse(value)])))
	}

	before(async () => {
		shop = await openSmallShop(DAYS)
		await shop.expectRun(0)
		// Days without figures, without orders, with money that was given back another day, another place and other currencies.
		await shop.cache.exec(`
			DELETE FROM daily_revenue_cache WHERE business_date = '${daysAgo(GAP)}';
			UPDATE daily_revenue_cache SET booked_minor = revenue_minor + extract(day FROM business_date)::int * 7 - 50;
			UPDATE daily_revenue_cache SET revenue_minor = 0, booked_minor = -250, gross_minor = 0, order_count = 0, served_count = 0, item_minor = 0, item_qty = 0
			WHERE business_date = '${daysAgo(5)}';
			INSERT INTO daily_revenue_cache (${COLUMNS})
			SELECT ${COLUMNS.replace('location_id', '2').replace(' revenue_minor', ' revenue_minor / 3').replace('served_count', 'served_count + 1')
		.replace('order_count', 'order_count + 2').replace('item_qty', 'item_qty + 0.5')}
			FROM daily_revenue_cache WHERE currency = 'EUR' AND business_date > '${daysAgo(20)}';
			INSERT INTO daily_revenue_cache (${COLUMNS}) SELECT ${COLUMNS.replace('currency', "'JPY'")} FROM daily_revenue_cache WHERE location_id = 2;
			INSERT INTO series VALUES (2, 'EUR', '${daysAgo(19)}'), (2, 'JPY', '${daysAgo(19)}')`)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
	})
	after(() => web?.stop())

	it('gives the last thirty days when nothing is asked for', async () => {
		const { status, json, text } = await get()
		assert.equal(status, 200)
		assert.deepEqual([json.range.from_date, json.range.to_date], [daysAgo(30), daysAgo(1)])
		assert.equal(json.days.length, 29) // and one that is not computed
		assert.deepEqual(literals(text), await plain(`currency = 'EUR' AND business_date BETWEEN '${daysAgo(30)}' AND '${daysAgo(1)}'`))
		assert.deepEqual([json.currency, json.basis, json.tz], ['EUR', 'order_date', await shop.cache.value('SELECT timezone FROM rules')])
		assert.ok(json.as_of && json.range.from && json.cutoff !== undefined)
	})

	it('leaves out a day that is not computed, and says so; a day without orders has zeros', async () => {
		const { json } = await get()
		assert.equal(json.days.some((d) => d.date === daysAgo(GAP)), false)
		assert.equal(json.range.complete, false)
		const first = await shop.cache.value('SELECT min(location_id) FROM daily_revenue_cache')
		const [empty] = (await get(`?date=${daysAgo(5)}&location_id=${first}`)).json.days
		assert.deepEqual([empty.total_revenue, empty.total_orders, empty.avg_order_value], [0, 0, 0])
		assert.equal((await get(`?from=${daysAgo(10)}&to=${daysAgo(1)}`)).json.range.complete, true)
	})

	it('takes a range with both its ends, and a single date', async () => {
		const { json } = await get(`?from=${daysAgo(10)}&to=${daysAgo(7)}`)
		assert.deepEqual(json.days.map((d) => d.date), [10, 9, 8, 7].map((n) => daysAgo(n)))
		assert.deepEqual((await get(`?date=${daysAgo(7)}`)).json.days, json.days.slice(3))
		const beyond = await get(`?from=${daysAgo(3)}&to=${daysAgo(-30)}`)
		assert.deepEqual(beyond.json.days.map((d) => d.date), [3, 2, 1].map((n) => daysAgo(n)))
	})

	it('counts money by transaction date where asked to, orders as before', async () => {
		const { text, json } = await get('?basis=transaction_date')
		const where = `currency = 'EUR' AND business_date BETWEEN '${daysAgo(30)}' AND '${daysAgo(1)}'`
		assert.deepEqual(literals(text), await plain(where, { column: 'booked_minor' }))
		assert.equal(json.basis, 'transaction_date')
	})

	it('gives one place, and one currency with its digits', async () => {
		const range = `business_date BETWEEN '${daysAgo(30)}' AND '${daysAgo(1)}'`
		assert.deepEqual(literals((await get('?location_id=2')).text), await plain(`currency = 'EUR' AND location_id = 2 AND ${range}`))
		const yen = await get('?currency=JPY')
		assert.deepEqual(literals(yen.text), await plain(`currency = 'JPY' AND ${range}`, { unit: 1, digits: 0 }))
		assert.equal(yen.json.currency, 'JPY')
	})

	it('is 404 where there are no figures, and names what there never was', async () => {
		for (const [query, field] of [[`date=${daysAgo(GAP)}`], ['date=2030-01-01'], ['currency=USD', 'currency'], ['location_id=99', 'location_id'],
			['location_id=99&currency=USD', 'currency']]) {
			const { status, json } = await get(`?${query}`)
			assert.deepEqual([status, json.field], [404, field], query)
		}
	})
})
