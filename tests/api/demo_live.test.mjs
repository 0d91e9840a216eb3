// takings-batch demo --live: orders that happen, in the tables of the demo and in Kafka.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { postgres } from '../lib/servers.mjs'
import { Shop, batch } from '../lib/shop.mjs'
import { sleep, until } from '../lib/process.mjs'
import { Kafka, Stream, liveShop } from '../lib/stream.mjs'

describe('demo --live', () => {
	let shop, settings
	before(async () => {
		shop = await Shop.open({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' })
		settings = { ...shop.settings, DEMO_DATABASE_URL: shop.orders.url() }
	})

	// Plays for a while and is then asked to stop, as by Ctrl-C.
	const play = (ms, ...args) => batch(['demo', '--live', ...args], settings,
		{ started: (child) => sleep(ms).then(() => child.kill('SIGINT')) })

	it('wants the demo to be there', async () => {
		const done = await play(5000)
		assert.equal(done.code, 1)
		assert.match(done.stderr, /there is no demo data yet/)
	})

	it('lets orders arrive and go their way, beside those that were there', async () => {
		assert.equal((await batch(['demo', '--days', '5'], settings)).code, 0)
		const old = await shop.orders.one('SELECT count(*)::int AS n, max(id) AS last FROM orders')
		const done = await play(6000, '--rate', '50', '--speed', '1000', '--seed', '3')
		assert.equal(done.code, 0, done.stderr)
		assert.match(done.stdout, /^Playing .*\n(.*\n)*\d+ orders, \d+ of them served, \d+ cancelled, \d+ refunds, in \d+ s\n$/)
		const live = await shop.orders.one(`SELECT count(*)::int AS n, min(id) > ${old.last} AS above, count(*) FILTER (WHERE status = 'SERVED')::int AS served,
			count(*) FILTER (WHERE status = 'CANCELLED' AND cancelled_at IS NOT NULL)::int AS cancelled, count(DISTINCT status)::int AS statuses,
			bool_and(created_at BETWEEN now() - interval '2 minutes' AND now() AND updated_at >= created_at) AS of_now FROM orders WHERE id >= 10000000000000`)
		assert.ok(live.n > 150 && live.n < 450, `${live.n} orders`)
		assert.ok(live.served > 10 && live.statuses >= 3, JSON.stringify(live))
		assert.equal(live.above, true)
		assert.equal(live.of_now, true)
		assert.equal(Number(/(\d+) orders, /.exec(done.stdout)[1]), live.n)
		// Each has its lines, and they make its total but for discount and delivery.
		assert.equal(await shop.orders.value(`SELECT count(*)::int FROM orders o WHERE id >= 10000000000000 AND
			NOT EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id)`), 0)
		assert.equal(await shop.orders.value(`SELECT count(*)::int FROM orders o WHERE id >= 10000000000000 AND
			total_amount + discount - (SELECT sum(quantity * unit_price) FROM order_items i WHERE i.order_id = o.id) NOT IN (0, 2.50)`), 0)
	})

	it('has events on sale booked, too', async () => {
		const own = await Shop.open({ orders: shop.orders, BUSINESS_TIMEZONE: 'Europe/Berlin' })
		const env = { ...own.settings, DEMO_DATABASE_URL: shop.orders.url() }
		for (const job of [['migrate'], ['demo', '--bookings']]) assert.equal((await batch(job, env)).code, 0)
		const event = await own.cache.value(`SELECT min(event_id)::int FROM event_log WHERE event_type = 'booking.created' AND (event_data::jsonb->>'amount')::numeric > 0`)
		const state = (id, more) => `INSERT INTO event_state (event_id, name, category, unlimited, currency, status, first_seen_at, starts_at) VALUES (${id}, 'x', '', true, 'EUR', ${more});
			INSERT INTO event_stats (event_id, event_name, category, status, unlimited, currency) VALUES (${id}, 'x', '', 'published', true, 'EUR')`
		await own.cache.exec(`${state(event, `'published', now(), now() + interval '9 days'`)}; ${state(event + 10, `'cancelled', now(), now() + interval '9 days'`)}`)
		const done = await batch(['demo', '--live', '--speed', '100', '--seed', '3'], env, { started: (child) => sleep(5000).then(() => child.kill('SIGINT')) })
		assert.equal(done.code, 0, done.stderr)
		const booked = Number(/ (\d+) bookings, in/.exec(done.stdout)[1])
		const live = await own.cache.one(`SELECT count(*) FILTER (WHERE event_type = 'booking.created')::int AS created, count(*) FILTER (WHERE event_type = 'booking.confirmed')::int AS confirmed,
			count(*) FILTER (WHERE dead_at IS NOT NULL OR event_id <> ${event})::int AS odd, bool_and((event_data::jsonb->>'occurred_at')::timestamptz BETWEEN now() - interval '1 minute' AND now()) AS of_now
			FROM event_log WHERE source_position = 'live'`)
		assert.ok(live.created > 10 && live.confirmed > 5 && live.confirmed <= live.created, JSON.stringify(live))
		assert.deepEqual([live.created, live.odd, live.of_now], [booked, 0, true])
	})

	it('goes on above what it left, and the demo itself goes on beside it', async () => {
		const before = await shop.orders.value('SELECT max(id) FROM orders')
		const done = await play(1500, '--rate', '40')
		assert.equal(done.code, 0, done.stderr)
		assert.ok(await shop.orders.value(`SELECT count(*)::int FROM orders WHERE id > ${before}`) > 20)
		const again = await batch(['demo', '--continue'], settings)
		assert.ok([0, 2].includes(again.code), again.stderr)
		assert.equal(await shop.orders.value('SELECT count(*)::int FROM (SELECT FROM orders GROUP BY id HAVING count(*) > 1) q'), 0)
	})

	it('comes by the hour of the day, faster at a higher speed', async () => {
		const hourly = async (...args) => Number(/about (\d+) orders an hour/.exec((await play(300, '--seed', '5', ...args)).stdout)[1])
		const one = await hourly()
		assert.ok(one >= 1 && one < 200, `${one} an hour`)
		const ten = await hourly('--speed', '10')
		assert.ok(ten >= one * 9 && ten <= one * 11 + 10, `${one} and ${ten}`)
	})

	it('refuses what it does not understand, and tables that are none of the demo', async () => {
		for (const args of [['--speed', '0'], ['--rate', 'x'], ['--to', 'mars'], ['--days', '3'], ['--minutes']]) {
			const done = await batch(['demo', '--live', ...args], settings)
			assert.equal(done.code, 1)
			assert.match(done.stderr, /is not understood; usage: takings-batch demo --live/)
		}
		assert.match((await batch(['demo', '--live', '--to', 'kafka'], settings)).stderr, /KAFKA_BOOTSTRAP_SERVERS is empty/)
		await shop.orders.exec('DELETE FROM takings_demo')
		assert.match((await batch(['demo', '--live'], settings)).stderr, /orders that demo did not make/)
	})

	it('goes to Kafka as events, which the stream takes', async () => {
		const kafka = await Kafka.start({ orders: 2 })
		const live = await liveShop({ BUSINESS_TIMEZONE: 'Europe/Berlin' })
		const to = kafka.settings({ KAFKA_TOPICS: 'orders' })
		const done = await batch(['demo', '--live', '--to', 'kafka', '--rate', '40', '--speed', '1000'], { ...settings, ...to },
			{ started: (child) => sleep(5000).then(() => child.kill('SIGINT')) })
		assert.equal(done.code, 0, done.stderr)
		const [, orders, served, cancelled] = /(\d+) orders, (\d+) of them served, (\d+) cancelled.*\n$/.exec(done.stdout).map(Number)
		assert.ok(orders > 100 && served > 5, done.stdout)
		const stream = await Stream.start(live.cache, to)
		const count = (where) => live.cache.value(`SELECT count(*)::int FROM order_state WHERE born AND placed_at > now() - interval '5 minutes' AND ${where}`)
		await until(async () => await count('true') === orders, { what: `${orders} orders` })
		await until(async () => await count(`status = 'SERVED'`) === served, { what: `${served} served` })
		assert.equal(await count(`status ILIKE 'cancelled' AND cancelled_at IS NOT NULL`), cancelled)
		assert.equal(await live.cache.value('SELECT count(*)::int FROM dead_letter'), 0)
		assert.ok(await live.cache.value('SELECT count(*)::int FROM order_line_state') > orders)
		await stream.stop()
		await kafka.stop()
	})

	it('is played once at a time', async () => {
		const server = await postgres()
		const other = await Shop.open({ orders: await server.create(), BUSINESS_TIMEZONE: 'Europe/Berlin' })
		const own = { ...other.settings, DEMO_DATABASE_URL: other.orders.url() }
		await batch(['demo', '--days', '3'], own)
		let second
		await batch(['demo', '--live'], own, { started: (child) => sleep(700).then(async () => {
			second = await batch(['demo', '--live'], own)
			child.kill('SIGTERM')
		}) })
		assert.equal(second.code, 3)
		assert.match(second.stderr, /another process is playing already/)
	})
})
