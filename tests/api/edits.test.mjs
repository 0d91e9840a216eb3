// Orders change after their day was computed: what the next run does about it, and what it leaves alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { mariadb } from '../lib/servers.mjs'
import { copyOrders, daysAgo, openSmallShop, orderTables } from '../lib/shop.mjs'

const UPDATED = { more: 'updated_at timestamptz' }
// The orders of n days ago have ids from this on (see someOrders).
const first = (days, n) => (days - n) * 100

const KINDS = ['postgresql', 'mysql']

async function moveToMaria(shop) {
	const copy = await (await mariadb()).create()
	await copy.exec(orderTables('mysql', { clock: 'timestamptz' }))
	await shop.orders.exec(`ALTER TABLE orders ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC'`)
	await copyOrders(shop.orders, copy)
	shop.orders = copy
	shop.settings.DATABASE_URL = copy.url()
}

async function assertFreshIsSame(shop) {
	const whole = await shop.fresh()
	await whole.expectRun(0)
	assert.equal(await shop.dump(), await whole.dump())
}

// Exactly these days were written by the last run.
async function assertRewritten(shop, before, days) {
	const after = await shop.runOfDays()
	const changed = Object.keys(after).filter((d) => after[d] !== before[d])
	assert.deepEqual(changed, days.map((n) => daysAgo(n)))
}

const restated = (shop) => shop.cache.query(`
	SELECT business_date::text AS day, money(revenue_was_minor, 'EUR')::text AS was, money(revenue_now_minor, 'EUR')::text AS now,
	       orders_was, orders_now, served_was, served_now FROM restatement ORDER BY restatement_id`)

describe('late edits', () => {
	it('restate the days they belong to, and no other', async () => {
		const shop = await openSmallShop(50, { ...UPDATED, BATCH_LOOKBACK_DAYS: '35' })
		await shop.expectRun(0)
		const before = await shop.runOfDays()
		await shop.orders.exec(`
			UPDATE orders SET status = 'CANCELLED', updated_at = now() WHERE id = ${first(50, 3) + 1};
			UPDATE orders SET total_amount = 100, updated_at = now() WHERE id = ${first(50, 10) + 2};
			UPDATE orders SET status = 'SERVED', updated_at = now() WHERE id = ${first(50, 35) + 5};
			DELETE FROM orders WHERE id = ${first(50, 20) + 3};
			UPDATE orders SET status = 'CANCELLED', updated_at = now() WHERE id IN (${first(50, 36) + 1}, ${first(50, 49) + 1});`)
		const done = await shop.expectRun(0)
		assert.match(done.stdout, /^4 day\(s\) written, 31 unchanged, 0 kept$/m)
		await assertRewritten(shop, before, [35, 20, 10, 3])
		assert.deepEqual(await restated(shop), [
			{ day: daysAgo(35), was: '127.25', now: '146.00', orders_was: 8, orders_now: 8, served_was: 7, served_now: 8 },
			{ day: daysAgo(20), was: '153.50', now: '133.00', orders_was: 8, orders_now: 7, served_was: 7, served_now: 6 },
			{ day: daysAgo(10), was: '171.00', now: '249.00', orders_was: 8, orders_now: 8, served_was: 7, served_now: 7 },
			{ day: daysAgo(3), was: '183.25', now: '160.50', orders_was: 8, orders_now: 8, served_was: 7, served_now: 6 },
		])
		await shop.expectRun(2)
		assert.equal((await restated(shop)).length, 4)

		// What lies further back is found when it is asked for.
		const again = await shop.runOfDays()
		await shop.expectRun(0, '--from', daysAgo(50), '--to', daysAgo(36))
		await assertRewritten(shop, again, [49, 36])
		await assertFreshIsSame(shop)
	})

	it('of the day an order belongs to restate both days', async () => {
		const shop = await openSmallShop(20, UPDATED)
		await shop.expectRun(0)
		const before = await shop.runOfDays()
		await shop.orders.exec(`UPDATE orders SET created_at = created_at - interval '5 days', updated_at = now() WHERE id = ${first(20, 4) + 1}`)
		await shop.expectRun(0)
		await assertRewritten(shop, before, [9, 4])
		assert.deepEqual((await restated(shop)).map((r) => [r.day, r.orders_was, r.orders_now]), [[daysAgo(9), 8, 9], [daysAgo(4), 8, 7]])
		await assertFreshIsSame(shop)
	})

	it('and late orders of an old day, of a new location too', async () => {
		const shop = await openSmallShop(20, { more: 'updated_at timestamptz, location_id int' })
		await shop.expectRun(0)
		await shop.orders.exec(`
			INSERT INTO orders SELECT id + 9000, status, total_amount, created_at, now(), 7 FROM orders WHERE id IN (${first(20, 12) + 1}, ${first(20, 6) + 1});`)
		await shop.expectRun(0)
		// The new series has a row for every day since it began.
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache WHERE location_id = 7'), 12)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM hourly_order_cache WHERE location_id = 7'), 12 * 24)
		assert.equal(await shop.cache.value('SELECT first_date::text FROM series WHERE location_id = 7'), daysAgo(12))
		await assertFreshIsSame(shop)
	})

	it('that change no figure are no restatement', async () => {
		const shop = await openSmallShop(10, UPDATED)
		await shop.expectRun(0)
		const dump = await shop.dump(['source_hash'])
		await shop.orders.exec(`UPDATE orders SET updated_at = now() WHERE id = ${first(10, 4) + 1}`)
		await shop.run()
		assert.deepEqual(await restated(shop), [])
		assert.equal(await shop.dump(['source_hash']), dump)
	})

	it('of items restate the day where orders say that they were edited', async () => {
		const shop = await openSmallShop(10, UPDATED)
		await shop.expectRun(0)
		const before = await shop.runOfDays()
		const order = first(10, 4) + 1
		await shop.orders.exec(`UPDATE order_items SET quantity = 40 WHERE order_id = ${order}; UPDATE orders SET updated_at = now() WHERE id = ${order}`)
		await shop.expectRun(0)
		await assertRewritten(shop, before, [4])
		await assertFreshIsSame(shop)
	})
})

// Sums of all time on both bases, in cents.
const bases = (shop) => shop.cache.one(
	'SELECT sum(revenue_minor)::int AS by_order, sum(booked_minor)::int AS by_transaction FROM daily_revenue_cache')

describe('what happens to an order long after its day', () => {
	const MORE = { more: 'updated_at timestamptz, cancelled_at timestamptz', BATCH_LOOKBACK_DAYS: '5' }
	const REFUNDS = 'CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,2), created_at timestamptz);'

	for (const kind of KINDS)
		it(`as a cancellation or a refund changes that day, on ${kind}`, async () => {
			const shop = await openSmallShop(60, MORE)
			await shop.orders.exec(REFUNDS + `INSERT INTO order_refunds SELECT id, id, 1, created_at FROM orders WHERE id = ${first(60, 30) + 2}`)
			// An hour of the day before yesterday.
			const late = await shop.orders.value(`SELECT (created_at AT TIME ZONE 'UTC')::timestamp(0)::text FROM orders WHERE id = ${first(60, 2) + 1}`)
			if (kind === 'mysql') {
				const copy = await (await mariadb()).create()
				await copy.exec(orderTables('mysql', { clock: 'timestamptz', more: 'updated_at DATETIME(6), cancelled_at DATETIME(6)' })
					+ 'CREATE TABLE order_refunds (id BIGINT PRIMARY KEY, order_id BIGINT, amount DECIMAL(12,2), created_at DATETIME(6));')
				await shop.orders.exec(`ALTER TABLE orders ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC'`)
				await shop.orders.exec(`ALTER TABLE order_refunds ALTER created_at TYPE timestamp USING created_at AT TIME ZONE 'UTC'`)
				await copyOrders(shop.orders, copy, ['orders', 'order_items', 'order_refunds'])
				shop.orders = copy
				shop.settings.DATABASE_URL = copy.url()
			}
			await shop.expectRun(0)
			const before = await shop.runOfDays()
			await shop.orders.exec(`
				UPDATE orders SET status = 'CANCELLED', cancelled_at = '${late}${kind === 'mysql' ? '' : 'Z'}' WHERE id = ${first(60, 50) + 1};
				INSERT INTO order_refunds VALUES (1, ${first(60, 40) + 3}, 2.50, '${late}${kind === 'mysql' ? '' : 'Z'}');`)
			await shop.expectRun(0)
			await assertRewritten(shop, before, [50, 40, 2])
			const sums = await bases(shop)
			assert.equal(sums.by_order, sums.by_transaction)
			await assertFreshIsSame(shop)
			await shop.expectRun(2)
		})

	it('is found by updated_at alone where that has an index', async () => {
		const shop = await openSmallShop(60, { ...UPDATED, BATCH_LOOKBACK_DAYS: '5' })
		await shop.expectRun(0)
		const before = await shop.runOfDays()
		const edit = (n) => `UPDATE orders SET total_amount = total_amount + 1, updated_at = now() WHERE id = ${first(60, n) + 1};`
		await shop.orders.exec(edit(50))
		await shop.expectRun(2)
		await shop.orders.exec('CREATE INDEX orders_updated ON orders (updated_at);' + edit(30))
		await shop.expectRun(0)
		await assertRewritten(shop, before, [50, 30])
		await assertFreshIsSame(shop)
	})
})

describe('a restatement', () => {
	it('names a series that is new on the day, and one that is gone from it', async () => {
		const shop = await openSmallShop(9, { more: 'location_id int DEFAULT 1' })
		await shop.expectRun(0)
		await shop.orders.exec(`UPDATE orders SET location_id = 2 WHERE id BETWEEN ${first(9, 4)} AND ${first(9, 4) + 99}`)
		await shop.expectRun(0)
		const rows = await shop.cache.query(`
			SELECT location_id, business_date::text AS day, orders_was, orders_now FROM restatement ORDER BY 1, 2`)
		assert.deepEqual(rows, [
			{ location_id: 1, day: daysAgo(4), orders_was: 8, orders_now: 0 },
			{ location_id: 2, day: daysAgo(4), orders_was: 0, orders_now: 8 },
		])
	})
})

describe('late edits without updated_at', () => {
	for (const kind of KINDS)
		it(`are found by comparing, items included, on ${kind}`, async () => {
			const shop = await openSmallShop(12)
			if (kind === 'mysql') await moveToMaria(shop)
			await shop.expectRun(0)
			await shop.expectRun(2)
			const before = await shop.runOfDays()
			await shop.orders.exec(`
				UPDATE order_items SET quantity = quantity + 1 WHERE id = ${first(12, 8) + 1}1;
				UPDATE order_items SET name = 'Renamed' WHERE id = ${first(12, 6) + 1}1;
				UPDATE order_items SET quantity = 99 WHERE order_id = ${first(12, 5) + 5};
				UPDATE orders SET total_amount = total_amount + 0.01 WHERE id = ${first(12, 3) + 1};
				DELETE FROM order_items WHERE id = ${first(12, 2) + 1}1;`)
			await shop.expectRun(0)
			// 5 days ago only the items of a cancelled order changed
			await assertRewritten(shop, before, [8, 6, 3, 2])
			await shop.expectRun(2)
			await assertFreshIsSame(shop)
		})
})

describe('orders that are gone from order_db', () => {
	it('leave the days they were computed from, with a warning; --force replaces them', async () => {
		const shop = await openSmallShop(60)
		await shop.expectRun(0)
		const before = await shop.dump()
		const runs = await shop.runOfDays()
		// up to the middle of the 31st day
		await shop.orders.exec(`DELETE FROM orders WHERE id < ${first(60, 30) + 4}`)
		const done = await shop.expectRun(0, '--from', daysAgo(60), '--to', daysAgo(20))
		assert.match(done.stdout, /^0 day\(s\) written, 10 unchanged, 31 kept$/m)
		assert.equal(await shop.dump(), before)
		assert.deepEqual(await shop.runOfDays(), runs)
		const warned = (await shop.warnings()).filter((w) => w.code === 'source_gone')
		assert.equal(warned.length, 1)
		assert.match(warned[0].text, new RegExp(`^31 day\\(s\\) from ${daysAgo(60)} to ${daysAgo(30)} stay as they are`))
		assert.equal((await shop.lastRun()).days_kept, 31)

		const forced = await shop.expectRun(0, '--from', daysAgo(60), '--to', daysAgo(25), '--force')
		assert.match(forced.stdout, /, 0 kept$/m)
		assert.deepEqual(await shop.cache.query(`SELECT DISTINCT order_count, revenue_minor, item_qty FROM daily_revenue_cache WHERE business_date < '${daysAgo(30)}'`),
			[{ order_count: 0, revenue_minor: 0, item_qty: 0 }])
		assert.equal(await shop.cache.value(`SELECT order_count::int FROM daily_revenue_cache WHERE business_date = '${daysAgo(30)}'`), 5)
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM daily_revenue_cache`), 60)
	})

	it('in the nightly run too', async () => {
		const shop = await openSmallShop(20)
		await shop.expectRun(0)
		const before = await shop.dump()
		await shop.orders.exec(`DELETE FROM orders WHERE id < ${first(20, 10)}; UPDATE orders SET status = 'CANCELLED' WHERE id = ${first(20, 5) + 1}`)
		await shop.expectRun(0)
		const runs = await shop.runOfDays()
		assert.deepEqual(Object.keys(runs).filter((d) => runs[d] === 2), [daysAgo(5)])
		await shop.expectRun(2)
		await shop.orders.exec(`UPDATE orders SET status = 'SERVED' WHERE id = ${first(20, 5) + 1}`)
		await shop.expectRun(0)
		assert.equal(await shop.dump(), before)
	})

	it('all of them: an empty order_db wipes nothing', async () => {
		const shop = await openSmallShop(20)
		await shop.expectRun(0)
		const before = await shop.dump()
		await shop.orders.exec('TRUNCATE orders, order_items')
		await shop.expectRun(2)
		assert.equal(await shop.dump(), before)
		assert.equal((await shop.warnings()).filter((w) => w.code === 'source_gone').length, 1)
		await shop.expectRun(0, '--from', daysAgo(20), '--to', daysAgo(1), '--force')
		assert.equal(await shop.cache.value('SELECT sum(order_count)::int FROM daily_revenue_cache'), 0)
	})

	it('in the middle: the day becomes zeros', async () => {
		const shop = await openSmallShop(20)
		await shop.expectRun(0)
		const before = await shop.runOfDays()
		await shop.orders.exec(`DELETE FROM orders WHERE id BETWEEN ${first(20, 7)} AND ${first(20, 7) + 99}`)
		await shop.expectRun(0)
		await assertRewritten(shop, before, [7])
		const day = await shop.day(daysAgo(7), 'revenue_minor, booked_minor, order_count, served_count, item_qty, item_minor, orders_by_status, first_order_at')
		assert.deepEqual(day, { revenue_minor: 0, booked_minor: 0, order_count: 0, served_count: 0, item_qty: 0, item_minor: 0, orders_by_status: {}, first_order_at: null })
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM hourly_order_cache WHERE business_date = '${daysAgo(7)}' AND order_count = 0`), 24)
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM item_sales_cache WHERE business_date = '${daysAgo(7)}'`), 0)
		assert.deepEqual((await restated(shop)).map((r) => [r.day, r.orders_was, r.orders_now]), [[daysAgo(7), 8, 0]])
		await assertFreshIsSame(shop)
	})
})

describe('a snapshot', () => {
	// Whatever is written while the run reads, it sees one state of order_db.
	for (const kind of KINDS)
		it(`is what a run sees, on ${kind}`, async () => {
			const shop = await openSmallShop(10)
			if (kind === 'mysql') await moveToMaria(shop)
			const whole = await shop.fresh()
			await whole.expectRun(0)
			const want = await whole.cache.one('SELECT sum(order_count)::int AS n, sum(item_qty)::int AS items FROM daily_revenue_cache')
			const blocked = await shop.fresh()
			await blocked.batch(['migrate'])
			const gate = blocked.cache.session()
			await gate.ask('BEGIN; LOCK TABLE daily_revenue_cache IN ACCESS EXCLUSIVE MODE')
			const running = blocked.run()
			// It has opened its snapshot and now wants to know which days there are.
			await until(async () => Number(await blocked.cache.value(
				`SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)) > 0)
			await shop.orders.exec(`INSERT INTO orders SELECT id + 50000, status, total_amount, created_at FROM orders`)
			await gate.ask('COMMIT')
			await gate.close()
			assert.equal((await running).code, 0)
			assert.deepEqual(await blocked.cache.one('SELECT sum(order_count)::int AS n, sum(item_qty)::int AS items FROM daily_revenue_cache'), want)
		})
})
