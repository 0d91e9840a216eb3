// takings-stream following order_db through a replication slot: what it makes is what SQL says of order_db.
import assert from 'node:assert/strict'
import path from 'node:path'
import { afterEach, before, describe, it } from 'node:test'
import { must, root, sleep, until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'
import { rollUp } from '../lib/states.mjs'
import { Shop } from '../lib/shop.mjs'

const ZONE = 'Europe/Berlin'
const TABLES = `
	CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL, total_amount numeric(12,2) NOT NULL, created_at timestamptz NOT NULL,
		customer_id bigint, location_id int NOT NULL DEFAULT 0, currency char(3) NOT NULL DEFAULT 'EUR', tax numeric(12,2), cancelled_at timestamptz);
	CREATE TABLE order_items (id bigint PRIMARY KEY, order_id bigint NOT NULL, item_id bigint, name text, quantity numeric, unit_price numeric(12,2));
	CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint NOT NULL, amount numeric(12,2), created_at timestamptz);
	INSERT INTO orders (id, status, total_amount, created_at) VALUES (0, 'MARK', 0, '2024-01-01Z');`

const ORDERS = (from, to) => `
	INSERT INTO orders (id, status, total_amount, created_at, customer_id, tax, cancelled_at)
	SELECT g, CASE WHEN g % 7 = 0 THEN 'CANCELLED' ELSE 'SERVED' END, g % 90 + 0.25, '2024-05-01Z'::timestamptz + g * interval '7 min', g % 50, 1.05,
		CASE WHEN g % 7 = 0 THEN '2024-05-02Z'::timestamptz + g * interval '7 min' END
	FROM generate_series(${from}, ${to}) g;
	INSERT INTO order_items SELECT g * 10 + i, g, g % 9, 'Dish ' || g % 9, i, 3.5 FROM generate_series(${from}, ${to}) g, generate_series(1, 2) i;
	INSERT INTO order_refunds SELECT g, g, 1.5, '2024-05-03Z'::timestamptz + g * interval '5 min' FROM generate_series(${from}, ${to}) g WHERE g % 11 = 0;`

describe('order_db, followed', () => {
	let server, serial = 0
	const open = new Set(), sessions = new Set()
	before(async () => { server = await ownPostgres('orders') })
	// What a failed test leaves must not stand in the way of the next.
	afterEach(async () => {
		for (const s of sessions) s.child.kill()
		for (const s of open) await s.kill()
		sessions.clear()
		open.clear()
	})

	const session = (db) => {
		const s = db.session()
		sessions.add(s)
		return s
	}

	const publish = (orders) => must('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', path.join(root, 'sql/order_db/replication.sql'),
		orders.url()], { env: server.env })

	// A shop with these tables whose changes are published; analytics_db is on another server.
	async function shopOf(sql = '') {
		const base = await liveShop({ BUSINESS_TIMEZONE: ZONE })
		const orders = await server.create()
		await orders.exec(TABLES + sql)
		await publish(orders)
		const shop = new Shop(orders, base.cache, base.settings)
		shop.slot = `slot_${++serial}`
		return shop
	}

	async function follow(shop, settings = {}, options) {
		const stream = await Stream.start(shop.cache, { ORDER_REPLICATION_URL: shop.orders.url('order_stream'), ORDER_REPLICATION_SLOT: shop.slot,
			...settings }, options)
		open.add(stream)
		return stream
	}

	// All that is committed by now has arrived.
	async function settle(shop, limit = 30_000) {
		const mark = `MARK${++serial}`
		await shop.orders.exec(`UPDATE orders SET status = '${mark}' WHERE id = 0`)
		await until(async () => (await shop.cache.query(`SELECT status FROM order_state WHERE order_id = '0'`))[0]?.status === mark, { limit, what: mark })
	}

	async function close(shop, ...streams) {
		for (const s of streams) { await s.stop(); open.delete(s) }
		await until(async () => await server.database('postgres').value(`SELECT count(*) FROM pg_replication_slots WHERE slot_name = '${shop.slot}' AND active`) === 0)
		await server.database('postgres').exec(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${shop.slot}'`)
	}

	const LIVE = ['live_day', 'live_status', 'live_hour', 'live_item']
	async function live(cache) {
		let text = ''
		for (const table of LIVE) {
			const columns = await cache.value(`SELECT string_agg(CASE data_type WHEN 'numeric' THEN format('trim_scale(%I)', column_name) ELSE column_name END, ', ' ORDER BY ordinal_position) FROM information_schema.columns
				WHERE table_name = '${table}' AND column_name <> 'changed_at'`)
			text += `${table}\n` + await cache.text(`SELECT ${columns} FROM ${table} ORDER BY (${columns})::text COLLATE "C"`)
		}
		return text
	}

	// States are what order_db has now; live tables are what the states say.
	async function expectSame(shop) {
		const what = [
			[`SELECT id, status, currency, location_id, customer_id, (total_amount * 100)::bigint, (tax * 100)::bigint, extract(epoch FROM created_at)::bigint,
				extract(epoch FROM cancelled_at)::bigint FROM orders`,
			`SELECT order_id, status, currency, location_id, customer_id, total_minor, tax_minor, extract(epoch FROM placed_at)::bigint,
				extract(epoch FROM cancelled_at)::bigint FROM order_state WHERE born AND NOT deleted`],
			['SELECT id, order_id, item_id, name, trim_scale(quantity), trim_scale(unit_price) FROM order_items',
				'SELECT line_id, order_id, item_id, name, trim_scale(quantity), trim_scale(price) FROM order_line_state WHERE NOT deleted'],
			['SELECT id, order_id, trim_scale(amount), extract(epoch FROM created_at)::bigint FROM order_refunds',
				'SELECT refund_id, order_id, trim_scale(amount), extract(epoch FROM refunded_at)::bigint FROM order_refund_state WHERE NOT deleted'],
		]
		for (const [theirs, ours] of what) {
			const sorted = async (db, sql) => (await db.text(sql)).split('\n').sort()
			assert.deepEqual(await sorted(shop.cache, ours), await sorted(shop.orders, theirs))
		}
		const made = await live(shop.cache)
		await rollUp(shop.cache)
		assert.deepEqual(made.split('\n'), (await live(shop.cache)).split('\n'))
	}

	// Changes of all kinds, again and again, until told to stop; one transaction each.
	function writer(shop, from) {
		let on = true, n = from
		const done = (async () => {
			const writing = session(shop.orders)
			for (; on; n++) {
				await writing.ask(`BEGIN; ${ORDERS(n, n)} UPDATE orders SET status = 'OPEN' WHERE id = ${n} - 3;
					UPDATE orders SET status = 'SERVED', total_amount = total_amount + 1 WHERE id = ${n} - 5;
					DELETE FROM order_items WHERE order_id = ${n} - 8 AND id % 2 = 0; DELETE FROM orders WHERE id = ${n} - 9 AND id % 4 = 0;
					UPDATE order_refunds SET amount = amount + 0.25 WHERE id = ${n} - 4; ${n % 10 ? 'COMMIT' : 'ROLLBACK'}`)
				await sleep(1)
			}
			await writing.close()
		})()
		return { stop: async () => { on = false; await done; return n - from } }
	}

	it('is copied as it is and followed from there, while it changes', async (t) => {
		const shop = await shopOf(ORDERS(1, 20_000))
		const busy = writer(shop, 100_000)
		const begun = Date.now()
		const stream = await follow(shop, {}, { ready: false })
		await until(() => stream.log.includes('"following"'), { limit: 60_000, what: 'the stream' })
		const ms = Date.now() - begun
		await sleep(300)
		assert.ok(await busy.stop() > 20)
		await settle(shop)
		await expectSame(shop)
		const read = stream.events.find((e) => e.event === 'first_copy_read')
		assert.ok(read.rows >= 60_000, `${read.rows} rows`)
		t.diagnostic(`first copy: ${read.rows} rows, ${Math.round(read.rows / ms * 1000)} a second`)
		const { stats } = await stream.status()
		assert.equal(stats.stream_batches_fenced_total, 0)
		await close(shop, stream)
	})

	it('updates, deletes, keys that change, long texts that are not sent again, columns that come and go', async () => {
		const shop = await shopOf(`ALTER TABLE order_items ALTER name SET STORAGE EXTERNAL; ALTER TABLE orders ADD note text; ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;` +
			ORDERS(1, 40))
		const stream = await follow(shop)
		await shop.orders.exec(`UPDATE order_items SET name = repeat('n', 900) || id, quantity = 7 WHERE order_id = 3; UPDATE orders SET note = repeat('x', 20000)`)
		await settle(shop)
		await shop.orders.exec(`UPDATE order_items SET quantity = 8 WHERE order_id = 3; UPDATE orders SET status = 'OPEN' WHERE id = 9;
			UPDATE orders SET id = 1000 WHERE id = 10; UPDATE order_items SET order_id = 1000 WHERE order_id = 10; UPDATE order_items SET id = 7777 WHERE id = 121;
			DELETE FROM order_items WHERE order_id = 12; DELETE FROM orders WHERE id = 12; DELETE FROM order_refunds WHERE id = 22;
			INSERT INTO orders (id, status, total_amount, created_at) VALUES (12, 'SERVED', 5, '2024-05-07Z'); UPDATE order_refunds SET order_id = 13 WHERE id = 33`)
		await settle(shop)
		await expectSame(shop)
		await shop.orders.exec(`BEGIN; ALTER TABLE orders ADD extra numeric DEFAULT 5; ${ORDERS(41, 45)} ALTER TABLE orders DROP note; ${ORDERS(46, 50)} COMMIT;
			ALTER TABLE order_items ALTER quantity TYPE numeric(20,6); UPDATE order_items SET quantity = 2.5 WHERE order_id = 41;
			ALTER TABLE orders ALTER total_amount TYPE numeric(14,2); UPDATE orders SET total_amount = 99.5 WHERE id = 42`)
		await settle(shop)
		await expectSame(shop)
		assert.equal(await shop.cache.value('SELECT count(*) FROM dead_letter'), 0)
		await shop.orders.exec(`ALTER TABLE orders RENAME status TO state; UPDATE orders SET total_amount = 1 WHERE id = 5; ALTER TABLE orders RENAME state TO status`)
		await settle(shop)
		assert.deepEqual(await shop.cache.query('SELECT source, topic, reason, field FROM dead_letter'),
			[{ source: 'postgresql', topic: shop.slot, reason: 'invalid', field: 'status' }])
		await close(shop, stream)
	})

	it('a truncated table, rows that cannot be read: dead letters, and the others are taken', async () => {
		const shop = await shopOf(ORDERS(1, 10) + `ALTER TABLE orders ALTER total_amount TYPE numeric; UPDATE orders SET total_amount = 'NaN' WHERE id IN (1, 2)`)
		const stream = await follow(shop)
		await settle(shop)
		const dead = (columns) => shop.cache.query(`SELECT ${columns} FROM dead_letter ORDER BY dead_letter_id`)
		assert.deepEqual(await dead('reason, field'), [{ reason: 'invalid', field: 'total_amount' }, { reason: 'invalid', field: 'total_amount' }])
		assert.match((await dead(`convert_from(payload, 'UTF8') AS text`))[0].text, /"total_amount":"NaN".*"table":"orders"/)
		// One record of the log inserts many rows; each is a letter of its own.
		await shop.orders.copyIn('orders (id, status, total_amount, created_at)', [21, 22, 23, 24].map((n) => `${n}\tSERVED\t${n === 24 ? 5 : 'NaN'}\t2024-05-05Z\n`).join(''))
		await shop.orders.exec('TRUNCATE order_refunds')
		await settle(shop)
		assert.equal((await dead('*')).length, 6)
		assert.equal(await shop.cache.value(`SELECT status FROM order_state WHERE order_id = '24'`), 'SERVED')
		assert.match((await dead('detail'))[5].detail, /truncated/)
		await close(shop, stream)
	})

	it('killed at any moment, nothing is lost and nothing counts twice', async () => {
		const shop = await shopOf(ORDERS(1, 3000))
		const busy = writer(shop, 100_000)
		let kills = 0
		for (; kills < 20; kills++) {
			const stream = await follow(shop, {}, { ready: false })
			await sleep(30 + Math.random() * 500)
			await stream.kill()
			open.delete(stream)
		}
		await busy.stop()
		const stream = await follow(shop)
		await settle(shop, 60_000)
		await expectSame(shop)
		await close(shop, stream)
	})

	it('a long transaction is written in pieces, and its place moves when it has ended', async () => {
		const shop = await shopOf()
		let stream = await follow(shop)
		await settle(shop)
		const place = () => shop.cache.value(`SELECT next FROM stream_position WHERE topic = '${shop.slot}'`)
		await shop.orders.exec(`BEGIN; ${ORDERS(1, 20_000)} COMMIT`)
		const end = await shop.orders.value(`SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
		await until(async () => await shop.cache.value('SELECT count(*) FROM order_state') > 1, { every: 5, what: 'a piece' })
		const orders = await shop.cache.one(`SELECT count(*)::int AS n, (SELECT next FROM stream_position WHERE topic = '${shop.slot}') AS next FROM order_state`)
		await stream.kill()
		// It may stand anywhere before the commit: what has not ended by then is told from its beginning.
		if (orders.n < 20_001) assert.ok(orders.next < end, `${orders.n} orders at ${orders.next}, before ${end}`)
		stream = await follow(shop)
		await settle(shop)
		await expectSame(shop)
		assert.ok(await place() >= end)
		await close(shop, stream)
	})

	it('a copy that was cut off begins again, with a slot of its own', async () => {
		const shop = await shopOf(ORDERS(1, 20_000))
		const first = await follow(shop)
		await until(async () => await shop.cache.value('SELECT count(*) FROM order_state') > 0, { every: 5, what: 'a part of a copy' })
		await first.kill()
		assert.ok(!first.log.includes('"following"'))
		assert.ok(await shop.cache.value('SELECT next < (detail::jsonb ->> \'start\')::bigint FROM stream_position'))
		await shop.orders.exec('DELETE FROM orders WHERE id = 77; UPDATE orders SET total_amount = 3 WHERE id = 78')
		const second = await follow(shop)
		await settle(shop)
		assert.equal(second.events.filter((e) => e.event === 'first_copy_begun').length, 1)
		await shop.orders.exec('INSERT INTO orders (id, status, total_amount, created_at) VALUES (77, \'OPEN\', 2, now())')
		await settle(shop)
		await expectSame(shop)
		await close(shop, second)
	})

	it('what was under way when the slot was made is not lost', async () => {
		const shop = await shopOf(ORDERS(1, 50))
		const [a, b, c] = [1, 2, 3].map(() => session(shop.orders))
		await a.ask('BEGIN; UPDATE orders SET status = \'A\' WHERE id = 1')
		const stream = await follow(shop)
		await until(() => stream.log.includes('"first_copy_prepared"'), { what: 'the slot to be waited for' })
		await sleep(200)
		await b.ask('BEGIN; UPDATE orders SET status = \'B\' WHERE id = 2')
		await a.ask('COMMIT')
		await shop.orders.exec('CHECKPOINT') // tells the slot who is under way; else it learns that every 15 s
		await sleep(300)
		await c.ask('BEGIN; UPDATE orders SET status = \'C\' WHERE id = 3') // its record is older than the slot's first position
		await b.ask('COMMIT')
		await shop.orders.exec('CHECKPOINT')
		await until(() => stream.log.includes('"following"'), { what: 'the stream' })
		assert.equal(await shop.cache.value(`SELECT status FROM order_state WHERE order_id = '3'`), 'SERVED')
		await c.ask('COMMIT')
		await settle(shop)
		await expectSame(shop)
		await close(shop, stream)
	})

	it('another process waits, and takes over', async () => {
		const shop = await shopOf(ORDERS(1, 100))
		const one = await follow(shop)
		await settle(shop)
		const two = await follow(shop)
		await sleep(1500)
		assert.ok(!two.log.includes('"following"'))
		assert.equal((await two.status()).status, 'ok')
		await one.kill()
		const begun = Date.now()
		await shop.orders.exec(ORDERS(200, 210))
		await settle(shop)
		assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`)
		assert.ok(two.log.includes('"following"'))
		await expectSame(shop)
		assert.equal((await two.status()).stats.stream_batches_fenced_total, 0)
		await close(shop, one, two)
	})

	it('is away and comes back', async () => {
		const shop = await shopOf(ORDERS(1, 100))
		const stream = await follow(shop)
		await settle(shop)
		const begun = Date.now()
		await server.stop() // not held up by whoever follows
		assert.ok(Date.now() - begun < 8000, `${Date.now() - begun} ms`)
		await until(async () => (await stream.status()).status === 'degraded', { what: 'a word about it' })
		const before = stream.cpu()
		await sleep(3000)
		assert.ok(stream.cpu() - before < 0.15, `${stream.cpu() - before} s of processor time in 3 s`)
		await server.start()
		await shop.orders.exec(ORDERS(200, 220))
		await settle(shop)
		await expectSame(shop)
		await until(async () => (await stream.status()).status === 'ok', { what: 'health' })
		await close(shop, stream)
	})

	it('a slot that is gone stops it, until a person says to begin anew', async () => {
		const shop = await shopOf(ORDERS(1, 100))
		let stream = await follow(shop)
		await settle(shop)
		await stream.stop()
		await server.database('postgres').exec(`SELECT pg_drop_replication_slot('${shop.slot}')`)
		await shop.orders.exec(ORDERS(200, 210) + 'UPDATE orders SET status = \'OPEN\' WHERE id = 50')
		stream = await follow(shop)
		await until(async () => (await stream.status()).status === 'down', { what: 'an alarm' })
		const { detail } = await stream.status()
		assert.match(detail, /replication slot is gone.*Following order_db anew/)
		assert.equal(await shop.cache.value('SELECT count(*) FROM order_state'), 101)
		await stream.stop()
		await shop.cache.exec(`DELETE FROM stream_position WHERE source = 'postgresql' AND topic = '${shop.slot}'`)
		stream = await follow(shop)
		await settle(shop)
		await expectSame(shop)
		await close(shop, stream)
	})

	it('a position that fits neither the slot nor the server stops it, and nothing is skipped', async () => {
		const shop = await shopOf(ORDERS(1, 20))
		let stream = await follow(shop)
		await settle(shop)
		await stream.stop()
		const { next, detail } = await shop.cache.one(`SELECT next::text, detail FROM stream_position WHERE topic = '${shop.slot}'`)
		const refused = async (sql, why) => {
			await shop.cache.exec(`UPDATE stream_position SET ${sql} WHERE topic = '${shop.slot}'`)
			stream = await follow(shop)
			await until(async () => why.test((await stream.status()).detail), { what: String(why) })
			assert.equal((await stream.status()).status, 'down')
			await stream.stop()
			await shop.cache.exec(`UPDATE stream_position SET next = ${next}, detail = '${detail}' WHERE topic = '${shop.slot}'`)
		}
		await refused('next = next - 5000, detail = jsonb_set(detail::jsonb, \'{start}\', \'1\')::text', /slot has moved past what analytics_db knows/)
		await refused(`detail = jsonb_set(detail::jsonb, '{system}', '"1"')::text`, /another server than the one followed so far/)
		await shop.cache.exec(`DELETE FROM stream_position WHERE topic = '${shop.slot}'`)
		stream = await follow(shop)
		await until(async () => /knows nothing of/.test((await stream.status()).detail), { what: 'the foreign slot' })
		assert.ok(await server.database('postgres').value(`SELECT count(*) FROM pg_replication_slots WHERE slot_name = '${shop.slot}'`) === 1)
		await close(shop, stream)
	})

	it('what is not set up is said, and tried again', async () => {
		const shop = await shopOf()
		await shop.orders.exec('DROP PUBLICATION takings')
		const stream = await follow(shop)
		await until(async () => /publication is not there; sql\/order_db\/replication.sql/.test((await stream.status()).detail), { what: 'a word' })
		await publish(shop.orders)
		await settle(shop)
		// A source that stopped is believed once it has gone well for 15 s.
		await until(async () => (await stream.status()).status === 'ok', { what: 'health' })
		await close(shop, stream)
	})

	it('arrives within a second, and its log is not held back', async (t) => {
		const shop = await shopOf(ORDERS(1, 1000) + 'CREATE TABLE other (a text)')
		const stream = await follow(shop)
		await settle(shop)
		const [theirs, ours] = [session(shop.orders), session(shop.cache)]
		const took = []
		for (let i = 0; i < 30; i++) {
			await theirs.ask(`UPDATE orders SET status = 'S${i}' WHERE id = 5`)
			const begun = performance.now()
			while (await ours.ask(`SELECT status FROM order_state WHERE order_id = '5'`) !== `S${i}`) await sleep(1)
			took.push(performance.now() - begun)
			await sleep(Math.random() * 30)
		}
		took.sort((x, y) => x - y)
		t.diagnostic(`commit to figures: median ${took[15].toFixed(1)} ms, slowest ${took[29].toFixed(1)} ms`)
		assert.ok(took[15] < 300 && took[29] < 1000, took.join(' '))
		await theirs.ask(`INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 30000)`)
		const behind = () => server.database('postgres').value(`SELECT (pg_current_wal_lsn() - confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = '${shop.slot}'`)
		await until(async () => await behind() < 16 * 1024 * 1024, { what: 'the log to be let go' })
		await theirs.close()
		await ours.close()
		await close(shop, stream)
	})
})
