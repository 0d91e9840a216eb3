// Dead letters that are read again: by whom, under which settings, and never twice.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'

let shop, stream
before(async () => { shop = await liveShop() })
after(() => stream?.stop())

const TABLES = ['dead_letter', 'order_state', 'order_line_state', 'order_refund_state', 'live_day', 'live_status', 'live_hour', 'live_minute', 'live_item',
	'live_product', 'live_customer', 'live_item_name']
beforeEach(async () => {
	await stream?.stop()
	await shop.cache.exec(`TRUNCATE ${TABLES}, stream_status`)
})

const quoted = (text) => (text === null ? 'NULL' : `convert_to('${text.replaceAll("'", "''")}', 'UTF8')`)

async function bury(value, { source = 'kafka', topic = 'orders', position = 7, reason = 'invalid', key = null } = {}) {
	const text = value === null || typeof value === 'string' ? value : JSON.stringify(value)
	await shop.cache.exec(`
		INSERT INTO dead_letter (source, topic, partition, position, message_key, payload, reason, field, detail, message_at)
		VALUES ('${source}', '${topic}', 0, ${position}, ${quoted(key)}, ${quoted(text)}, '${reason}', 'was', 'said before', '2026-03-01T10:00:00Z')`)
}

const start = async (settings) => { stream = await Stream.start(shop.cache, settings) }
const replay = (...args) => shop.batch(['replay', ...args])
const letters = () => shop.cache.query(`
	SELECT replayed_at IS NOT NULL AS accepted, replay_wanted_at IS NOT NULL AS wanted, reason, field FROM dead_letter ORDER BY dead_letter_id`)
const ACCEPTED = { accepted: true, wanted: false, reason: 'invalid', field: 'was' }
const order = (id) => shop.cache.query(`SELECT status, currency, total_minor, birth_major::text AS major, birth_minor::text AS minor FROM order_state WHERE order_id = '${id}' AND born`)
const day = () => shop.cache.query('SELECT placed, counted, gross_minor FROM live_day')

const created = (id, more = {}) => ({ event_type: 'OrderCreatedEvent', order_id: id, occurred_at: '2026-03-01T10:00:00Z', status: 'SERVED', total_amount: '12.50',
	items: [{ product_id: 'tea', quantity: 2, unit_price: '3.00' }], ...more })
const row = (id, more = {}) => ({ id, status: 'SERVED', total_amount: '8.00', created_at: '2026-03-01T09:00:00Z', ...more })

describe('a dead letter that is read again', () => {
	it('counts where it is accepted', async () => {
		await bury(created('a1'))
		await start()
		const done = await replay('--all')
		assert.equal(done.code, 0, done.stderr)
		assert.match(done.stdout, /^1 accepted, 0 refused again, 0 waiting$/m)
		assert.deepEqual(await letters(), [ACCEPTED])
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1250 }])
		assert.equal(await shop.cache.value(`SELECT quantity::int FROM live_item WHERE item_id = 'tea'`), 2)
		// It is not read a third time.
		assert.equal((await replay('--all')).code, 1)
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1250 }])
	})

	it('keeps waiting unless somebody asks', async () => {
		await bury(created('a1'))
		await bury(created('a2'), { position: 8 })
		await start()
		const second = await shop.cache.value('SELECT max(dead_letter_id) FROM dead_letter')
		assert.equal((await replay('--id', String(second))).code, 0)
		assert.deepEqual((await letters()).map((l) => l.accepted), [false, true])
		assert.deepEqual(await order('a1'), [])
	})

	it('is refused with the reason of now', async () => {
		await bury('{"event_type": "OrderCreatedEvent", "order_id": "b1"')
		await bury(created('b2', { total_amount: 'much' }), { position: 8, reason: 'malformed' })
		await bury(created('b3'), { position: 9 })
		await start()
		const done = await replay('--all')
		assert.equal(done.code, 1)
		assert.match(done.stdout, /^1 accepted, 2 refused again, 0 waiting$/m)
		assert.deepEqual(await letters(), [{ accepted: false, wanted: false, reason: 'malformed', field: '' },
			{ accepted: false, wanted: false, reason: 'invalid', field: 'total_amount' }, ACCEPTED])
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1250 }])
	})

	it('is read under the settings of now', async () => {
		await bury({ op: 'c', before: null, after: row(31, { total_amount: 'A+g=' }), source: { table: 'orders', lsn: 5 }, ts_ms: 1772355600000 }, { topic: 'x.orders' })
		await bury(row(32), { topic: 'x.Bestellungen', position: 8 })
		await start({ CDC_DECIMAL_SCALE: '-1', KAFKA_TOPIC_TABLES: 'other=order_items, x.Bestellungen=orders' })
		await replay('--all')
		assert.deepEqual((await letters()).map((l) => l.accepted), [false, true])
		assert.equal((await order('32'))[0].total_minor, 800)
		await stream.stop()
		await start({ CDC_DECIMAL_SCALE: '2' })
		assert.equal((await replay('--all')).code, 0)
		assert.equal((await order('31'))[0].total_minor, 1000)
	})

	it('of a replication slot names its own table and place', async () => {
		await bury({ after: row('41'), op: 'u', source: { lsn: 1234, ts_ms: 1772355600000, schema: 'public', table: 'orders' } }, { source: 'postgresql', topic: 'takings' })
		await start()
		assert.equal((await replay('--all')).code, 0)
		const [one] = await order('41')
		assert.equal(one.total_minor, 800)
		assert.equal(BigInt(one.major), 2n ** 62n + 1234n)
	})

	it('has its old place in time, and undoes nothing that is newer', async () => {
		await bury(created('c1', { total_amount: '99.00', occurred_at: undefined, created_at: undefined, version: 2 }), { position: 5 })
		await bury(created('c1', { total_amount: '11.00', version: 3 }), { position: 6 })
		await start()
		const [older, newer] = (await shop.cache.query('SELECT dead_letter_id AS id FROM dead_letter ORDER BY 1')).map((r) => String(r.id))
		assert.equal((await replay('--id', newer)).code, 0)
		assert.equal((await replay('--id', older)).code, 0)
		assert.deepEqual((await letters()).map((l) => l.accepted), [true, true])
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1100 }])
	})

	it('that says nothing about orders is done with', async () => {
		await bury({ event_type: 'StockChanged', item: 'tea' }, { topic: 'stock' })
		await bury(null, { position: 8, key: '{"id":1}' })
		await start()
		assert.equal((await replay('--all')).code, 0)
		assert.deepEqual((await letters()).map((l) => l.accepted), [true, true])
		assert.deepEqual(await day(), [])
	})

	it('counts once where the stream dies over it', async () => {
		await bury(created('d1'))
		await start({ TAKINGS_FAILPOINT: 'stream_replayed=kill' })
		const going = replay('--all')
		assert.equal(await stream.program.ended, 'SIGKILL')
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1250 }]) // applied, and not yet said so
		assert.deepEqual((await letters()).map((l) => [l.accepted, l.wanted]), [[false, true]])
		await start()
		assert.equal((await going).code, 0)
		assert.deepEqual(await letters(), [ACCEPTED])
		assert.deepEqual(await day(), [{ placed: 1, counted: 1, gross_minor: 1250 }])
	})

	it('counts once where two streams are at work', async () => {
		await shop.cache.exec(`
			INSERT INTO dead_letter (source, topic, partition, position, payload, reason, field, detail)
			SELECT 'kafka', 'orders', 0, i, convert_to('{"event_type":"OrderCreatedEvent","order_id":"e' || i || '","occurred_at":"2026-03-01T10:00:00Z","status":"SERVED","total_amount":"1.00"}', 'UTF8'),
				'invalid', '', '' FROM generate_series(1, 300) i`)
		const other = await Stream.start(shop.cache)
		await start()
		const done = await replay('--reason', 'invalid')
		assert.equal(done.code, 0, done.stderr)
		assert.match(done.stdout, /^300 accepted, 0 refused again, 0 waiting$/m)
		assert.deepEqual(await day(), [{ placed: 300, counted: 300, gross_minor: 30000 }])
		const by = (s) => s.events.filter((e) => e.event === 'dead_letter_replayed').length
		await until(() => by(stream) + by(other) === 300, { what: 'the log' })
		assert.ok(by(stream) > 0 && by(other) > 0)
		await other.stop()
	})
})
