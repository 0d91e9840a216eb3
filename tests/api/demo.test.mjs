// The demo data comes with the truth, counted in memory while it is drawn: the cache must agree with
// it on every day, hour and item.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { mariadb, scratch } from '../lib/servers.mjs'
import { Shop, daysAgo, noonZone } from '../lib/shop.mjs'

const TABLES = ['orders', 'order_items', 'order_refunds']
let files = 0

async function demo(shop, ...args) {
	const file = path.join(scratch(), `truth${++files}.json`)
	const done = await shop.batch(['demo', '--truth', file, ...args], { DEMO_DATABASE_URL: shop.orders.url() })
	assert.equal(done.code, 0, done.stderr)
	return JSON.parse(readFileSync(file))
}

async function orders(db) {
	let text = ''
	for (const table of TABLES) text += await db.text(`SELECT * FROM ${table} ORDER BY id`)
	return text
}

async function assertTruth(shop, truth) {
	const currency = truth.currency
	const days = await shop.cache.query(`
		SELECT business_date::text AS date, order_count AS placed, served_count AS served, revenue_minor, gross_minor, refund_minor,
		       discount_minor, tip_minor, item_minor AS items_minor, item_qty, coalesce((orders_by_status->>'CANCELLED')::int, 0) AS cancelled
		FROM daily_revenue_cache WHERE currency = '${currency}' ORDER BY 1`)
	const want = truth.days.map((d) => Object.fromEntries(Object.keys(days[0]).map((k) => [k, d[k]])))
	assert.deepEqual(days, want)
	assert.ok(truth.days.length > 3 && truth.totals.served > 100, 'the demo drew hardly anything')

	const hours = await shop.cache.query(`
		SELECT business_date::text AS date, hour, order_count AS placed, served_count AS served, revenue_minor
		FROM hourly_order_cache WHERE currency = '${currency}' ORDER BY 1, 2`)
	assert.deepEqual(hours, truth.days.flatMap((d) => d.hours.map((h) => ({ date: d.date, hour: h.hour, placed: h.placed, served: h.served, revenue_minor: h.revenue_minor }))))

	const items = await shop.cache.query(`
		SELECT item_id::int, (array_agg(name ORDER BY business_date DESC))[1] AS name, sum(quantity)::int AS quantity,
		       sum(revenue_minor)::bigint AS revenue_minor, sum(order_count)::int AS orders
		FROM item_sales_cache GROUP BY 1 ORDER BY 1`)
	assert.deepEqual(items, truth.items)
}

describe('the cache agrees with the truth of the demo', () => {
	const cases = [
		// with both clock changes of the zone, or the day without midnight
		{ zone: 'Europe/Berlin', cutoff: '4', until: '2024-11-03', days: '40', changes: { '2024-10-26': [2, 7200] } },
		{ zone: 'Europe/Berlin', cutoff: '0', until: '2024-04-03', days: '10', changes: { '2024-03-31': [2, 0] } },
		{ zone: 'America/Santiago', cutoff: '0', until: '2024-09-12', days: '20', changes: { '2024-09-08': [0, 0] } },
		{ zone: 'America/Santiago', cutoff: '4', until: '2024-04-10', days: '10', changes: { '2024-04-06': [23, 7200] } },
		{ zone: 'Australia/Lord_Howe', cutoff: '4', until: '2024-10-09', days: '10', changes: { '2024-10-05': [2, 1800] } },
		{ zone: 'Australia/Lord_Howe', cutoff: '0', until: '2024-04-10', days: '10', changes: { '2024-04-07': [1, 5400] } },
		{ zone: 'Asia/Tokyo', cutoff: '12', until: '2024-05-10', days: '10', currency: 'JPY', changes: {} },
	]
	for (const { zone, cutoff, until, days, currency = 'EUR', changes } of cases)
		it(`in ${zone} with cutoff ${cutoff}, ${currency}`, async () => {
			const shop = await Shop.open({ BUSINESS_TIMEZONE: zone, BUSINESS_DAY_CUTOFF: cutoff, DEFAULT_CURRENCY: currency })
			const truth = await demo(shop, '--seed', '11', '--days', days, '--until', until)
			assert.equal(truth.days.length, Number(days))
			await shop.expectRun(0, '--from', truth.from, '--to', truth.until)
			await assertTruth(shop, truth)
			const odd = await shop.cache.query(`SELECT business_date::text AS day, hour, seconds FROM hourly_order_cache WHERE seconds <> 3600`)
			assert.deepEqual(Object.fromEntries(odd.map((r) => [r.day, [r.hour, r.seconds]])), changes)
		})

	it('from MariaDB, whose TIMESTAMP is an instant', async () => {
		const shop = await Shop.open({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' })
		const truth = await demo(shop, '--seed', '12', '--days', '30', '--until', '2024-11-03')
		const copy = await (await mariadb()).create()
		await copy.exec(`
			CREATE TABLE orders (id BIGINT PRIMARY KEY, status VARCHAR(20), total_amount DECIMAL(12,2), created_at TIMESTAMP(6) NULL,
				updated_at TIMESTAMP(6) NULL, location_id INT, currency CHAR(3), discount DECIMAL(12,2), tax DECIMAL(12,2),
				tip DECIMAL(12,2), cancelled_at TIMESTAMP(6) NULL);
			CREATE TABLE order_items (id BIGINT PRIMARY KEY, order_id BIGINT, item_id BIGINT, name VARCHAR(200), quantity INT, unit_price DECIMAL(10,2));
			CREATE INDEX items_order ON order_items (order_id);
			CREATE TABLE order_refunds (id BIGINT PRIMARY KEY, order_id BIGINT, amount DECIMAL(12,2), created_at TIMESTAMP(6) NULL);`)
		const utc = (c) => `${c} AT TIME ZONE 'UTC'`
		await copy.copyIn('orders', await shop.orders.text(`SELECT id, status, total_amount, ${utc('created_at')}, ${utc('updated_at')}, location_id, currency, discount, tax, tip, ${utc('cancelled_at')} FROM orders`))
		await copy.copyIn('order_items', await shop.orders.text('SELECT id, order_id, item_id, name, quantity, unit_price FROM order_items'))
		await copy.copyIn('order_refunds', await shop.orders.text(`SELECT id, order_id, amount, ${utc('created_at')} FROM order_refunds`))
		const other = new Shop(copy, shop.cache, shop.settings)
		other.settings = { ...shop.settings, DATABASE_URL: copy.url() }
		await other.expectRun(0, '--from', truth.from, '--to', truth.until)
		await assertTruth(other, truth)
		const dump = await other.dump(['source_hash'])
		const same = await shop.fresh()
		await same.expectRun(0, '--from', truth.from, '--to', truth.until)
		assert.equal(await same.dump(['source_hash']), dump)
	})
})

describe('the demo data', () => {
	const settings = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }
	const made = async (...args) => {
		const shop = await Shop.open(settings)
		const truth = await demo(shop, ...args)
		return { shop, truth, text: await orders(shop.orders) }
	}

	it('is the same for the same seed, and another for another', async () => {
		const args = ['--days', '12', '--until', '2024-06-30']
		const [a, b, c] = [await made('--seed', '5', ...args), await made('--seed', '5', ...args), await made('--seed', '6', ...args)]
		assert.ok(a.text.length > 10_000)
		assert.equal(a.text, b.text)
		assert.deepEqual(a.truth, b.truth)
		assert.notEqual(a.text, c.text)
	})

	it('continued is the same as made at once', async () => {
		const once = await made('--seed', '5', '--days', '20', '--until', '2024-06-30')
		const twice = await made('--seed', '5', '--days', '12', '--until', '2024-06-22')
		const truth = await demo(twice.shop, '--continue', '--until', '2024-06-30')
		assert.equal(await orders(twice.shop.orders), once.text)
		assert.deepEqual(truth, once.truth)
	})

	it('never touches orders it did not make', async () => {
		const shop = await Shop.open(settings)
		await shop.orders.exec(`CREATE TABLE orders (id bigint); INSERT INTO orders VALUES (1)`)
		for (const args of [[], ['--continue'], ['--replace']]) {
			const done = await shop.batch(['demo', ...args], { DEMO_DATABASE_URL: shop.orders.url() })
			assert.equal(done.code, 1)
			assert.equal(await shop.orders.value('SELECT count(*)::int FROM orders'), 1)
		}
	})

	it('wants a database of its own to be named', async () => {
		const shop = await Shop.open(settings)
		const done = await shop.batch(['demo'])
		assert.equal(done.code, 1)
		assert.match(done.stderr, /DEMO_DATABASE_URL/)
		assert.equal(await shop.orders.value(`SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`), 0)
	})

	it('can be followed night by night: late cancellations and refunds restate days', async () => {
		const shop = await Shop.open({ BUSINESS_TIMEZONE: noonZone(), BUSINESS_DAY_CUTOFF: '4' })
		let truth = await demo(shop, '--seed', '5', '--days', '20', '--until', daysAgo(6))
		for (const night of [6, 4, 3, 1]) {
			if (night < 6) truth = await demo(shop, '--continue', '--until', daysAgo(night))
			await shop.expectRun(0, '--from', truth.from, '--to', daysAgo(night))
		}
		await assertTruth(shop, truth)
		assert.ok(await shop.cache.value('SELECT count(*)::int FROM restatement') > 0)
		const whole = await shop.fresh()
		await whole.expectRun(0, '--from', truth.from, '--to', daysAgo(1))
		assert.equal(await shop.dump(), await whole.dump())
	})
})
