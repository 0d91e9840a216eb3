// What a run finds out about the stream: days that are the same there, and by which orders others differ.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { sleep } from '../lib/process.mjs'
import { mariadb } from '../lib/servers.mjs'
import { Shop, copyOrders, daysAgo, noonZone, orderTables, someOrders } from '../lib/shop.mjs'
import { putStates, rollUp } from '../lib/states.mjs'

const DAYS = 12
const id = (n, order) => (DAYS - n) * 100 + order // the order-th order of n days ago (see someOrders)
const timezone = noonZone()
const MORE = 'currency text, location_id int, tax numeric(12,2), cancelled_at timestamp'
const REFUNDS = (clock) => `CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,2), created_at ${clock});`

// Two currencies, two locations, cancelled orders, refunds on a later day.
async function fill(orders) {
	await orders.exec(`
		SET timezone = 'UTC';
		${orderTables('postgresql', { clock: 'timestamp', more: MORE })} ${REFUNDS('timestamp')}
		${someOrders(DAYS, daysAgo(1), timezone)}
		UPDATE orders SET currency = CASE WHEN id % 4 = 1 THEN 'JPY' ELSE 'EUR' END, location_id = 1 + (id % 2)::int,
			total_amount = CASE WHEN id % 4 = 1 THEN trunc(total_amount) ELSE total_amount END, tax = 1.25,
			cancelled_at = CASE WHEN status = 'CANCELLED' THEN created_at + interval '1 day' END;
		UPDATE orders SET tax = 1 WHERE currency = 'JPY';
		INSERT INTO order_refunds SELECT id, id, 3, created_at + interval '2 days' FROM orders WHERE id % 100 = 3 AND created_at < now() - interval '4 days';`)
}

async function openShop(kind) {
	const shop = await Shop.open({ BUSINESS_TIMEZONE: timezone, ORDER_DB_TIMEZONE: 'UTC' })
	await fill(shop.orders)
	shop.pg = shop.orders
	if (kind === 'mysql') {
		const copy = await (await mariadb()).create()
		await copy.exec(orderTables('mysql', { more: 'currency CHAR(3), location_id INT, tax DECIMAL(12,2), cancelled_at DATETIME(6)' })
			+ REFUNDS('DATETIME(6)'))
		await copyOrders(shop.orders, copy, ['orders', 'order_items', 'order_refunds'])
		shop.orders = copy
		shop.settings.DATABASE_URL = copy.url()
	}
	return shop
}

const restore = (shop) => putStates(shop.pg, shop.cache, { timezone })

// Days that do not stand as `status` says most do, and the orders that are named.
const verdicts = (shop) => shop.cache.query(`
	SELECT business_date::text AS day, status, orders_differing AS n FROM reconciliation ORDER BY 1`)
const named = (shop) => shop.cache.query(`
	SELECT business_date::text AS day, order_id AS id, reason FROM reconciliation_order ORDER BY 1, 2`)
const warned = async (shop, code = 'stream_differs') => (await shop.warnings()).filter((w) => w.code === code)

async function assertEqual(shop) {
	assert.deepEqual(await named(shop), [])
	assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'equal'), [])
	assert.deepEqual(await warned(shop), [])
}

// Each row: what happens to the stream's states, and which orders are to be named where.
const CASES = [
	['orders it never heard of', `DELETE FROM order_state WHERE order_id IN ('${id(3, 1)}', '${id(3, 7)}', '${id(5, 2)}')`,
		[[5, id(5, 2), 'missing_in_stream'], [3, id(3, 1), 'missing_in_stream'], [3, id(3, 7), 'missing_in_stream']]],
	['an order that it thinks deleted', `UPDATE order_state SET deleted = true WHERE order_id = '${id(2, 2)}'`, [[2, id(2, 2), 'missing_in_stream']]],
	['an order of which it knows only lines', `UPDATE order_state SET born = false WHERE order_id = '${id(2, 2)}'`, [[2, id(2, 2), 'missing_in_stream']]],
	['an order that order_db does not have', `INSERT INTO order_state SELECT (jsonb_populate_record(o, '{"order_id": "ghost"}')).* FROM order_state o WHERE order_id = '${id(4, 2)}'`,
		[[4, 'ghost', 'missing_in_order_db']]],
	['a status', `UPDATE order_state SET status = 'CANCELLED', counted = false WHERE order_id = '${id(6, 2)}'`, [[6, id(6, 2), 'status']]],
	['a status that changes no sum', `UPDATE order_state SET status = 'NO_SHOW' WHERE order_id = '${id(6, 5)}'`, [[6, id(6, 5), 'status']]],
	['the day of a cancellation', `UPDATE order_state SET cancelled_local = cancelled_local + interval '2 days' WHERE order_id = '${id(9, 5)}'`,
		[[8, id(9, 5), 'status'], [6, id(9, 5), 'status']]],
	['an amount', `UPDATE order_state SET total_minor = total_minor + 1 WHERE order_id = '${id(2, 3)}'`, [[2, id(2, 3), 'amount']]],
	['a tax', `UPDATE order_state SET tax_minor = 7 WHERE order_id = '${id(2, 4)}'`, [[2, id(2, 4), 'amount']]],
	['a currency', `UPDATE order_state SET currency = 'USD' WHERE order_id = '${id(2, 6)}'`, [[2, id(2, 6), 'currency']]],
	['a location', `UPDATE order_state SET location_id = 9 WHERE order_id = '${id(2, 6)}'`, [[2, id(2, 6), 'location']]],
	['a day', `UPDATE order_state SET placed_at = placed_at - interval '3 days', placed_local = placed_local - interval '3 days' WHERE order_id = '${id(2, 6)}'`,
		[[5, id(2, 6), 'day'], [2, id(2, 6), 'day']]],
	['an hour', `UPDATE order_state SET placed_at = placed_at - interval '2 hours', placed_local = placed_local - interval '2 hours' WHERE order_id = '${id(2, 6)}'`,
		[[2, id(2, 6), 'day']]],
	['a line', `UPDATE order_line_state SET quantity = quantity + 1 WHERE line_id = '${id(2, 6) * 10 + 1}'`, [[2, id(2, 6), 'lines']]],
	['the item of a line', `UPDATE order_line_state SET item_id = 'other' WHERE line_id = '${id(2, 6) * 10 + 1}'`, [[2, id(2, 6), 'lines']]],
	['a line that is gone', `UPDATE order_line_state SET deleted = true WHERE line_id = '${id(2, 6) * 10 + 1}'`, [[2, id(2, 6), 'lines']]],
	['a refund', `UPDATE order_refund_state SET amount = 4 WHERE refund_id = '${id(8, 3)}'`, [[8, id(8, 3), 'refunds'], [6, id(8, 3), 'refunds']]],
	['the day of a refund', `UPDATE order_refund_state SET refunded_local = refunded_local + interval '1 day' WHERE refund_id = '${id(8, 3)}'`,
		[[6, id(8, 3), 'refunds'], [5, id(8, 3), 'refunds']]],
]

for (const kind of ['postgresql', 'mysql'])
	describe(`the stream beside order_db on ${kind}`, () => {
		let shop
		before(async () => {
			shop = await openShop(kind)
			await shop.expectRun(0)
		})

		it('is none where it never ran', async () => {
			const days = await verdicts(shop)
			assert.equal(days.length, DAYS)
			assert.deepEqual(days.filter((d) => d.status !== 'no_stream'), [])
			assert.deepEqual(await shop.warnings(), [])
		})

		it('is the same, day by day and to the cent', async () => {
			await restore(shop)
			await shop.run()
			await assertEqual(shop)
			const days = await shop.cache.query(`
				SELECT r.*, c.revenue_minor::int AS cents, c.order_count::int AS orders FROM reconciliation r
				JOIN (SELECT business_date, sum(revenue_minor) AS revenue_minor, sum(order_count) AS order_count
				      FROM daily_revenue_cache WHERE currency = 'EUR' GROUP BY 1) c USING (business_date) ORDER BY 1`)
			assert.equal(days.length, DAYS)
			for (const day of days) {
				assert.deepEqual(day.revenue.EUR, { batch_minor: day.cents, stream_minor: day.cents })
				assert.deepEqual(Object.keys(day.revenue).sort(), ['EUR', 'JPY'])
				assert.deepEqual([day.orders_batch, day.orders_stream], [8, 8])
			}
		})

		// What order_db answers is in its dialect; how it is compared is not.
		const few = /never heard|day of|an amount|^a line$|^a refund|an hour/
		for (const [what, sql, expected] of CASES.filter(([what]) => kind !== 'mysql' || few.test(what)))
			it(`differs by ${what}`, async () => {
				await restore(shop)
				await shop.cache.exec(sql)
				await rollUp(shop.cache)
				await shop.run()
				assert.deepEqual(await named(shop), expected.map(([n, order, reason]) => ({ day: daysAgo(n), id: String(order), reason }))
					.sort((a, b) => (a.day + a.id < b.day + b.id ? -1 : 1)))
				const days = new Map()
				for (const [n] of expected) days.set(daysAgo(n), (days.get(daysAgo(n)) ?? 0) + 1)
				assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'equal'),
					[...days].sort().map(([day, n]) => ({ day, status: 'different', n })))
				assert.equal((await warned(shop)).length, 1)
			})

		it('shows both sides of an order', async () => {
			await restore(shop)
			await shop.cache.exec(`UPDATE order_state SET total_minor = 77 WHERE order_id = '${id(2, 2)}'; DELETE FROM order_state WHERE order_id = '${id(2, 4)}'`)
			await rollUp(shop.cache)
			await shop.run()
			const [changed, missing] = await shop.cache.query('SELECT order_id, batch, stream FROM reconciliation_order ORDER BY 1')
			assert.equal(changed.stream.total_minor, 77)
			assert.equal(changed.batch.total_minor, await shop.cache.value(`SELECT ${1000 + 200 + (DAYS - 2) * 25}`))
			assert.deepEqual([changed.batch.currency, changed.batch.status], ['EUR', 'SERVED'])
			assert.equal(missing.stream, null)
			await restore(shop)
			await shop.run()
			await assertEqual(shop)
		})
	})

describe('reconciliation', () => {
	let shop
	before(async () => {
		shop = await openShop('postgresql')
		await shop.expectRun(0)
	})
	const spoil = async (n = 2) => {
		await restore(shop)
		await shop.cache.exec(`DELETE FROM order_state WHERE order_id = '${id(n, 1)}'`)
		await rollUp(shop.cache)
	}

	it('finds figures that are not what the orders add up to', async () => {
		await restore(shop)
		await shop.cache.exec(`UPDATE live_day SET tax_minor = tax_minor + 1 WHERE business_date = '${daysAgo(3)}' AND location_id = 1 AND currency = 'EUR'`)
		await shop.run()
		assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'equal'), [{ day: daysAgo(3), status: 'different', n: 0 }])
		assert.deepEqual(await named(shop), [])
	})

	it('does not miss what the stream is never told', async () => {
		await restore(shop)
		await shop.cache.exec('UPDATE order_state SET tax_minor = NULL')
		await rollUp(shop.cache)
		await shop.run()
		await assertEqual(shop)
	})

	it('says nothing of days before the stream began', async () => {
		await restore(shop)
		await shop.cache.exec(`DELETE FROM order_state WHERE placed_local < '${daysAgo(4)}'`)
		await rollUp(shop.cache)
		await shop.run()
		const days = await verdicts(shop)
		assert.deepEqual(days.filter((d) => d.status === 'no_stream').map((d) => d.day), Array.from({ length: DAYS - 4 }, (_, i) => daysAgo(DAYS - i)))
		// On the first days orders from before it began were cancelled or refunded.
		assert.deepEqual(days.filter((d) => d.status === 'equal').map((d) => d.day), [daysAgo(2), daysAgo(1)])
		assert.ok((await named(shop)).every((r) => r.reason === 'missing_in_stream' && [3, 5].includes(r.id % 100)))
	})

	it('says nothing where the stream works by other rules', async () => {
		await restore(shop)
		await shop.cache.exec(`INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
			SELECT 'UTC', 5, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id FROM rules LIMIT 1;
			UPDATE live_site SET rules_id = (SELECT max(rules_id) FROM rules)`)
		await shop.run()
		assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'no_stream'), [])
		assert.deepEqual(await warned(shop), [])
	})

	it('looks only at the days of its run', async () => {
		await restore(shop)
		await shop.run()
		await spoil(2)
		await shop.expectRun(0, '--date', daysAgo(3))
		await assertEqual(shop)
		await shop.expectRun(0, '--date', daysAgo(2))
		assert.deepEqual(await named(shop), [{ day: daysAgo(2), id: String(id(2, 1)), reason: 'missing_in_stream' }])
	})

	it('does not call an order different that the stream moved since', async () => {
		await spoil(2)
		await shop.run()
		const before = await named(shop)
		await shop.cache.exec(`
			UPDATE order_state SET total_minor = 1, updated_at = now() + interval '1 hour' WHERE order_id IN ('${id(2, 2)}', '${id(5, 2)}')`)
		await rollUp(shop.cache)
		await shop.run()
		assert.deepEqual(await named(shop), before) // of one day the other order still, of the other none
		assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'equal'), [{ day: daysAgo(2), status: 'different', n: 1 }])
		await shop.cache.exec(`UPDATE order_state SET updated_at = now() - interval '1 hour'`)
		await shop.run()
		assert.deepEqual((await named(shop)).map((r) => r.id), [id(5, 2), id(2, 1), id(2, 2)].map(String))
	})

	it('waits for a stream that is behind', async () => {
		await spoil(2)
		await shop.cache.exec(`INSERT INTO stream_status VALUES ('here:1:1', now(), now(), 'ok', '', '{"stream_lag_messages": 3}')`)
		const begun = Date.now()
		const run = shop.run()
		await sleep(3000)
		await restore(shop)
		await shop.cache.exec(`UPDATE stream_status SET at = now() + interval '5 seconds', stats = '{"stream_lag_messages": 0}'`)
		assert.ok([0, 2].includes((await run).code))
		assert.ok(Date.now() - begun < 20_000)
		await assertEqual(shop)
		await shop.cache.exec('DELETE FROM stream_status')
	})

	it('keeps at most 10,000 orders of a day and says how many there are', async () => {
		await restore(shop)
		await shop.cache.exec(`
			INSERT INTO order_state SELECT (jsonb_populate_record(o, jsonb_build_object('order_id', 'ghost' || n))).*
			FROM order_state o, generate_series(1, 10500) n WHERE order_id = '${id(4, 2)}'`)
		await rollUp(shop.cache)
		await shop.run()
		assert.deepEqual((await verdicts(shop)).filter((v) => v.status !== 'equal'), [{ day: daysAgo(4), status: 'different', n: 10500 }])
		assert.equal((await named(shop)).length, 10000)
	})

	it('writes all or nothing, however it ends', async () => {
		await restore(shop)
		await shop.run()
		await spoil(2)
		for (const name of ['reconcile_read', 'reconcile_written']) {
			const done = await shop.batch(['run'], { TAKINGS_FAILPOINT: `${name}=kill` })
			assert.equal(done.signal, 'SIGKILL')
			assert.deepEqual(await named(shop), [])
		}
		await shop.run()
		const found = [{ day: daysAgo(2), id: String(id(2, 1)), reason: 'missing_in_stream' }]
		assert.deepEqual(await named(shop), found)
		await shop.run()
		assert.deepEqual(await named(shop), found)
	})

	it('that fails is a warning, and the figures stand', async () => {
		await shop.cache.exec('ALTER TABLE live_item RENAME TO away')
		await shop.expectRun(0, '--force', '--date', daysAgo(1))
		assert.equal((await warned(shop, 'reconciliation_failed')).length, 1)
		assert.equal((await shop.lastRun()).status, 'ok')
		await shop.cache.exec('ALTER TABLE away RENAME TO live_item')
	})
})
