// A real wholesaler's year: half a million lines, cancellations, prices with three decimals.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { copyLines, golden, missing, rows } from '../lib/data.mjs'
import { mariadb } from '../lib/servers.mjs'
import { Shop, copyOrders, orderTables } from '../lib/shop.mjs'

const SET = 'online_retail_uci'
const ZONE = { BUSINESS_TIMEZONE: 'Europe/London', ORDER_DB_TIMEZONE: 'Europe/London', DEFAULT_CURRENCY: 'GBP' }
const YEAR = ['--from', '2010-12-01', '--to', '2011-12-09']

// Decimal text to thousandths.
function thousandths(text) {
	const [, sign, whole, part = ''] = /^(-?)(\d+)(?:\.(\d{1,3})0*)?$/.exec(text)
	const n = Number(whole) * 1000 + Number(part.padEnd(3, '0'))
	return sign ? -n : n
}

// Thousandths to cents, ties to even.
function cents(n) {
	const down = Math.floor(n / 10), rest = n - down * 10
	return rest > 5 || (rest === 5 && down % 2 !== 0) ? down + 1 : down
}

const decimal = (n, digits) => `${n < 0 ? '-' : ''}${Math.floor(Math.abs(n) / 10 ** digits)}.${String(Math.abs(n) % 10 ** digits).padStart(digits, '0')}`
const kindOf = (invoice) => ({ C: 'CANCELLED', A: 'ADJUSTMENT' })[invoice[0]] ?? 'SERVED'

function readInvoices() {
	const invoices = new Map()
	const items = []
	for (const row of rows(SET, 'online_retail.csv.gz')) {
		let invoice = invoices.get(row.InvoiceNo)
		if (!invoice) invoices.set(row.InvoiceNo, (invoice = { id: invoices.size + 1, status: kindOf(row.InvoiceNo), at: row.InvoiceDate, total: 0 }))
		if (row.InvoiceDate < invoice.at) invoice.at = row.InvoiceDate
		const quantity = Number(row.Quantity), price = thousandths(row.UnitPrice)
		if (invoice.status === 'SERVED' && !(quantity > 0 && price > 0)) continue
		invoice.total += quantity * price
		items.push([items.length + 1, invoice.id, row.StockCode, row.Description || null, quantity, decimal(price, 3)])
	}
	return { invoices: [...invoices.values()], items }
}

describe('wholesale year', { skip: missing(SET) }, () => {
	let shop, want, invoices, monthly, rounded, warned
	const list = async (sql) => (await shop.cache.query(sql)).map((r) => Object.values(r))

	before(async () => {
		want = golden(SET)
		shop = await Shop.open(ZONE)
		const read = readInvoices()
		invoices = read.invoices
		await shop.orders.exec(orderTables('postgresql', { amount: 'numeric', price: 'numeric' }))
		await shop.orders.copyIn('orders', copyLines(invoices.map((i) => [i.id, i.status, decimal(i.total, 3), i.at])))
		await shop.orders.copyIn('order_items', copyLines(read.items))
		monthly = {}
		rounded = 0
		for (const i of invoices) {
			rounded += i.total % 10 !== 0
			if (i.status === 'SERVED') monthly[i.at.slice(0, 7)] = (monthly[i.at.slice(0, 7)] ?? 0) + cents(i.total)
		}
		await shop.expectRun(0, ...YEAR)
		warned = await shop.warnings()
	})

	it('has the revenue, each order rounded once', async () => {
		const got = Object.fromEntries(await list(`SELECT to_char(business_date, 'YYYY-MM'), sum(revenue_minor)::bigint FROM daily_revenue_cache GROUP BY 1 ORDER BY 1`))
		assert.deepEqual(got, monthly)
		for (const [month, amount] of Object.entries(want.sales_revenue_by_month))
			assert.ok(Math.abs(got[month] - thousandths(amount) / 10) <= 2, `${month}: ${got[month]}, ${amount}`)
		assert.equal(await shop.cache.value(`SELECT money(sum(revenue_minor), 'GBP')::text FROM daily_revenue_cache`), '10655622.48')
		assert.equal(Number(want.sales_revenue).toFixed(2), '10655622.48')
	})

	it('warns of amounts that had to be rounded', () => {
		assert.ok(rounded > 0)
		assert.deepEqual(warned.filter((w) => w.code === 'amount_rounded').map((w) => Number.parseInt(w.text)), [rounded])
	})

	it('has the orders of every kind', async () => {
		assert.deepEqual(await list(`SELECT key, sum(value::int)::int FROM daily_revenue_cache, jsonb_each_text(orders_by_status) GROUP BY 1 ORDER BY 1`),
			[['ADJUSTMENT', want.adjust_A_invoices.length], ['CANCELLED', want.cancel_invoices], ['SERVED', want.sale_invoices]])
		assert.equal(await shop.cache.value('SELECT sum(order_count)::int FROM daily_revenue_cache'), want.distinct_invoices)
		assert.deepEqual(warned.filter((w) => w.code === 'status_unknown').map((w) => w.text.slice(0, 40)), [`3 order(s) have status 'ADJUSTMENT', whi`])
	})

	it('has the orders of each day, hour and weekday', async () => {
		const per = want.sale_invoices_per_day
		assert.deepEqual(await list(`SELECT count(*)::int, count(*) FILTER (WHERE served_count > 0)::int AS open, min(business_date)::text AS a, max(business_date)::text AS z FROM daily_revenue_cache`),
			[[per.calendar_days, per.days_with_data, per.first_day, per.last_day]])
		assert.deepEqual(await list('SELECT business_date::text, served_count FROM daily_revenue_cache WHERE served_count = (SELECT max(served_count) FROM daily_revenue_cache) ORDER BY 1'), per.max_days.map((d) => [d, per.max]))
		assert.deepEqual(await list('SELECT business_date::text, served_count FROM daily_revenue_cache WHERE served_count = (SELECT min(served_count) FROM daily_revenue_cache WHERE served_count > 0)'), per.min_days.map((d) => [d, per.min]))
		assert.deepEqual(Object.fromEntries(await list('SELECT hour, sum(served_count)::int FROM hourly_order_cache GROUP BY 1 HAVING sum(served_count) > 0 ORDER BY 1')), want.sale_invoices_by_hour)
		assert.deepEqual(Object.fromEntries(await list('SELECT extract(isodow FROM business_date) - 1, sum(served_count)::int FROM daily_revenue_cache GROUP BY 1 HAVING sum(served_count) > 0 ORDER BY 1')), want.sale_invoices_by_weekday_mon0)
	})

	it('knows what was sold', async () => {
		assert.deepEqual(await list('SELECT item_id, sum(quantity)::int FROM item_sales_cache GROUP BY 1 ORDER BY 2 DESC LIMIT 5'), want.top5_stock_by_qty)
		assert.deepEqual(await list(`SELECT item_id, money(sum(revenue_minor), 'GBP')::text FROM item_sales_cache GROUP BY 1 ORDER BY sum(revenue_minor) DESC LIMIT 5`), want.top5_stock_by_revenue)
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM item_sales_cache WHERE name = '' OR item_id = ''`), 0)
	})

	it('comes out the same from MariaDB, row for row', async () => {
		const orders = await (await mariadb()).create()
		await orders.exec(orderTables('mysql', { amount: 'numeric', price: 'numeric' }))
		await copyOrders(shop.orders, orders)
		const other = await Shop.open({ ...ZONE, orders })
		await other.expectRun(0, ...YEAR)
		assert.deepEqual(await other.warnings(), warned)
		const [a, b] = [(await shop.dump(['source_hash'])).split('\n'), (await other.dump(['source_hash'])).split('\n')]
		const at = a.findIndex((line, i) => line !== b[i])
		assert.ok(at < 0 && a.length === b.length, `first difference in line ${at}:\n${a[at]}\n${b[at]}\n${a.length} and ${b.length} lines`)
	})
})
