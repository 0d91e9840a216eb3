// Cohorts of customers: what the nightly run makes of order_db, beside the orders themselves, and what GET /cohort/analysis says of them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PERIODS, dateOf, dayOf, periodsOf } from '../lib/cohorts.mjs'
import { DIGITS, customerCohorts, makeOrders } from '../lib/customers.mjs'
import { until } from '../lib/process.mjs'
import { mariadb } from '../lib/servers.mjs'
import { Shop, copyOrders, orderTables } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const ZONE = 'Europe/Berlin', CUTOFF = 4
const SETTINGS = { BUSINESS_TIMEZONE: ZONE, BUSINESS_DAY_CUTOFF: String(CUTOFF), ORDER_DB_TIMEZONE: 'UTC', DEFAULT_CURRENCY: 'EUR' }
const REFUNDS = (clock) => `CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,3), created_at ${clock});`
const amount = (minor, currency) => (minor / 10 ** DIGITS[currency]).toFixed(DIGITS[currency])
const stamp = (ms) => new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
const text = (v) => (v === null ? 'NULL' : `'${v}'`)

async function fill(db, orders) {
	await db.exec(`SET timezone = 'UTC';
		INSERT INTO orders (id, status, total_amount, created_at, currency, customer_id) VALUES ${orders.map((o) =>
			`(${o.id}, '${o.status}', ${amount(o.minor, o.currency)}, '${stamp(o.at)}', '${o.currency}', ${text(o.customer)})`)};
		INSERT INTO order_refunds SELECT * FROM (VALUES ${orders.filter((o) => o.refunds).map((o) =>
			`(${o.id}::bigint, ${o.id}::bigint, ${amount(o.refunds, o.currency)}::numeric, '${stamp(o.at + 3 * 86_400_000)}'::timestamp)`)}) v;`)
}

async function cellsOf(shop) {
	const rows = await shop.cache.query(`SELECT cohort_type, currency, cohort::text AS cohort, period, customers::int, orders::int, revenue_minor::int FROM cohort_cache`)
	return Object.fromEntries(rows.map(({ cohort_type, currency, cohort, period, ...cell }) => [`${cohort_type} ${currency} ${dayOf(cohort)} ${period}`, cell]))
}

async function assertCells(shop, orders) {
	const state = await shop.cache.one('SELECT through::text AS through, has_customers, first_day::text AS first FROM cohort_state')
	const want = customerCohorts(orders, { zone: ZONE, cutoff: CUTOFF, through: dayOf(state.through), counted: ['SERVED'] })
	assert.deepEqual(await cellsOf(shop), want.cells)
	assert.deepEqual(Object.fromEntries((await shop.cache.query('SELECT currency, orders::int, revenue_minor::int FROM cohort_nobody')).map(({ currency, ...n }) => [currency, n])), want.nobody)
	assert.equal(state.first, dateOf(want.first))
	// All the money there is, in each kind of cohort.
	const sums = await shop.cache.query(`
		SELECT t AS type, currency, (coalesce((SELECT sum(revenue_minor) FROM cohort_cache c WHERE c.cohort_type = t AND c.currency = d.currency), 0)
			+ coalesce((SELECT revenue_minor FROM cohort_nobody n WHERE n.currency = d.currency), 0))::int AS cells, sum(revenue_minor)::int AS days
		FROM daily_revenue_cache d, unnest('{acquisition_day,acquisition_week,acquisition_month}'::text[]) t GROUP BY 1, 2`)
	assert.equal(sums.length, 9)
	for (const sum of sums) assert.equal(sum.cells, sum.days, JSON.stringify(sum))
	return want
}

for (const kind of ['postgresql', 'mysql'])
	describe(`customers of order_db on ${kind}`, () => {
		const orders = makeOrders({ seed: 7, count: 3000, days: 240, end: Date.now() - 3_600_000 })
		let shop, pg
		before(async () => {
			shop = await Shop.open(SETTINGS)
			pg = shop.orders
			await pg.exec(orderTables('postgresql', { amount: 'numeric(14,3)', more: 'currency text, customer_id text' }) + REFUNDS('timestamp'))
			await fill(pg, orders)
			if (kind === 'mysql') {
				const copy = await (await mariadb()).create()
				await copy.exec(orderTables('mysql', { amount: 'DECIMAL(14,3)', more: 'currency CHAR(3), customer_id VARCHAR(40)' }) + REFUNDS('DATETIME(6)'))
				await copyOrders(pg, copy, ['orders', 'order_refunds'])
				shop.orders = copy
				shop.settings.DATABASE_URL = copy.url()
			}
		})

		it('have the cells that their orders add up to, and the revenue of the days', async () => {
			await shop.expectRun(0)
			assert.deepEqual((await shop.warnings()).filter((w) => /cohort/.test(w.code)), [])
			const want = await assertCells(shop, orders)
			assert.ok(Object.keys(want.cells).some((k) => / 90$/.test(k)) && Object.keys(want.cells).length > 1500)
		})

		it('are made again only where figures moved, and then only what changed is written', async () => {
			const rows = () => shop.cache.query('SELECT ctid::text || xmin AS row FROM cohort_cache')
			const computed = async () => (await shop.cache.one('SELECT computed_at::text AS at FROM cohort_state')).at
			const [before, at] = [new Set((await rows()).map((r) => r.row)), await computed()]
			await shop.run()
			assert.equal(await computed(), at)
			const order = orders.filter((o) => o.customer && o.status === 'SERVED').sort((a, b) => b.at - a.at)[40]
			order.status = 'CANCELLED'
			await shop.orders.exec(`UPDATE orders SET status = 'CANCELLED' WHERE id = ${order.id}`)
			await shop.expectRun(0, '--date', (await shop.cache.one(`SELECT business_date(timestamptz '${new Date(order.at).toISOString()}', '${ZONE}', ${CUTOFF})::text AS d`)).d)
			await assertCells(shop, orders)
			assert.notEqual(await computed(), at)
			const fresh = (await rows()).filter((r) => !before.has(r.row))
			assert.ok(fresh.length >= 1 && fresh.length < 40, String(fresh.length))
		})

		it('leave no ids behind', async () => {
			const dump = (await shop.cache.query(`SELECT c::text AS t FROM cohort_cache c UNION ALL SELECT s::text FROM cohort_state s UNION ALL SELECT n::text FROM cohort_nobody n`)).map((r) => r.t).join('\n')
			assert.ok(!/\bc\d+\b/.test(dump))
		})
	})

// Half-even, of whole numbers.
function divide(a, b) {
	const n = Math.floor(a / b), rest = a - n * b
	return n + (rest * 2 > b || (rest * 2 === b && n % 2 !== 0) ? 1 : 0)
}

describe('GET /cohort/analysis of customers', () => {
	const orders = makeOrders({ seed: 11, count: 2500, days: 200, end: Date.now() - 3_600_000 })
	let shop, web, golden, through
	before(async () => {
		shop = await Shop.open(SETTINGS)
		await shop.orders.exec(orderTables('postgresql', { amount: 'numeric(14,3)', more: 'currency text, customer_id text' }) + REFUNDS('timestamp'))
		await fill(shop.orders, orders)
		await shop.expectRun(0)
		through = dayOf((await shop.cache.one('SELECT through::text AS d FROM cohort_state')).d)
		golden = customerCohorts(orders, { zone: ZONE, cutoff: CUTOFF, through, counted: ['SERVED'] }).cells
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), DATABASE_URL: shop.orders.url(), ANALYTICS_CACHE_TTL: undefined })
	})
	after(() => web?.stop())

	for (const [cohort_type, back] of [['acquisition_day', 197], ['acquisition_week', 198], ['acquisition_month', 230]])
		for (const metric of ['revenue', 'orders', 'ltv'])
			for (const currency of ['EUR', 'JPY', 'KWD'])
				it(`has ${metric} of ${cohort_type} in ${currency}`, async () => {
					const start = through - back, periods = 9, { next } = PERIODS[cohort_type]
					const { status, json, text } = await web.get(`/cohort/analysis?metric=${metric}&cohort_type=${cohort_type}&currency=${currency}&start_date=${dateOf(start)}&periods=${periods}`)
					assert.equal(status, 200, text)
					const unit = metric === 'orders' ? 1 : 10 ** DIGITS[currency]
					const want = periodsOf(cohort_type, start, dayOf(json.end_date)).map((cohort) => {
						const row = { cohort: dateOf(cohort), size: golden[`${cohort_type} ${currency} ${cohort} 0`]?.customers ?? 0, values: [], counts: [], complete: [] }
						const raw = []
						for (let k = 0, p = cohort, sum = 0; k < periods && p <= through; k++, p = next(p)) {
							const cell = golden[`${cohort_type} ${currency} ${cohort} ${k}`] ?? { customers: 0, orders: 0, revenue_minor: 0 }
							sum += cell.revenue_minor
							raw.push(metric === 'orders' ? cell.orders : metric === 'ltv' ? sum : cell.revenue_minor)
							row.values.push(metric === 'ltv' ? row.size ? divide(sum, row.size) / unit : null : raw.at(-1) / unit)
							row.counts.push(cell.customers)
							row.complete.push(next(p) <= through + 1)
						}
						return { row, raw }
					})
					assert.deepEqual(json.cohorts, want.map((w) => w.row))
					assert.deepEqual(json.average, Array.from({ length: periods }, (_, k) => {
						const over = want.filter((w) => w.row.complete[k] && w.row.size)
						const sum = over.reduce((n, w) => n + w.raw[k], 0), n = metric === 'ltv' ? over.reduce((m, w) => m + w.row.size, 0) : over.length
						return n === 0 ? null : metric === 'orders' ? divide(sum * 10, n) / 10 : divide(sum, n) / unit
					}))
					assert.deepEqual([json.unit, json.currency, json.mode, json.through, json.known_from], [metric === 'orders' ? 'count' : 'money', currency, null, dateOf(through), null])
					assert.ok(want.some((w) => w.row.size > 0 && w.row.counts.slice(1).some((n) => n > 0)))
				})

	it('hears of a new night at once', async () => {
		const target = `/cohort/analysis?metric=revenue`
		let first
		await until(async () => /^hit/.test((first = await web.get(target)).headers['x-cache']), { what: 'an answer that is kept' })
		await shop.orders.exec(`UPDATE orders SET total_amount = total_amount + 1`)
		await shop.expectRun(0)
		await until(async () => /^miss/.test((await web.get(target)).headers['x-cache']), { what: 'another answer' })
		assert.notDeepEqual((await web.get(target)).json.cohorts, first.json.cohorts)
	})
})

describe('where order_db does not say whose an order is', () => {
	it('there are none, and it is known why', async () => {
		const shop = await Shop.open(SETTINGS)
		await shop.orders.exec(orderTables('postgresql', { more: 'currency text' }))
		await shop.orders.exec(`INSERT INTO orders (id, status, total_amount, created_at, currency) VALUES (1, 'SERVED', 5, now() - interval '3 days', 'EUR')`)
		await shop.expectRun(0)
		assert.deepEqual(await shop.cache.one('SELECT has_customers, (SELECT count(*)::int FROM cohort_cache) AS n FROM cohort_state'), { has_customers: false, n: 0 })
		assert.deepEqual((await shop.warnings()).filter((w) => /cohort/.test(w.code)), [])
		const web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), DATABASE_URL: shop.orders.url() })
		const { status, json } = await web.get('/cohort/analysis?metric=ltv')
		await web.stop()
		assert.deepEqual([status, json.detail], [404, 'order_db does not say whose an order is: orders has no customer_id that may be read'])
	})

	it('or keeps it from us', async () => {
		const shop = await Shop.open(SETTINGS)
		await shop.orders.exec(orderTables('postgresql', { more: 'currency text, customer_id text' }) + `
			INSERT INTO orders (id, status, total_amount, created_at, currency, customer_id) VALUES (1, 'SERVED', 5, now() - interval '3 days', 'EUR', 'c1');
			DROP ROLE IF EXISTS cohort_ro; CREATE ROLE cohort_ro LOGIN;
			GRANT SELECT (id, status, total_amount, created_at, currency) ON orders TO cohort_ro; GRANT SELECT ON order_items TO cohort_ro`)
		shop.settings.DATABASE_URL = shop.orders.url('cohort_ro')
		await shop.expectRun(0)
		assert.deepEqual(await shop.cache.one('SELECT has_customers, (SELECT count(*)::int FROM cohort_cache) AS n FROM cohort_state'), { has_customers: false, n: 0 })
		assert.deepEqual((await shop.warnings()).filter((w) => /cohort/.test(w.code)), [])
		assert.equal((await shop.cache.one('SELECT sum(order_count)::int AS n FROM daily_revenue_cache')).n, 1)
	})
})
