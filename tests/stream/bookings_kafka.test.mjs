// Messages about bookings in topics of Kafka: rows of the inbox, each once, whatever happens on the way.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { Kafka, Stream, liveShop, positions } from '../lib/stream.mjs'

const AT = '2026-11-05T20:14:03Z'
const booking = (id, more = {}) => ({ type: 'booking.created', booking_id: id, event_id: 17, seats: 2, amount: '58.00', occurred_at: AT, ...more })
const order = (id) => ({ event_type: 'OrderCreatedEvent', order_id: id, total_amount: '5.00', created_at: AT, status: 'completed', data: { type: 'booking.created' } })

let kafka, topics = 0
before(async () => { kafka = await Kafka.start() })
after(() => kafka?.stop())

describe('bookings in Kafka', () => {
	let shop, stream, topic, sent = 0
	const open = async (settings) => {
		stream = await Stream.start(shop.cache, kafka.settings({ KAFKA_TOPICS: topic, KAFKA_GROUP_ID: topic, ...settings }))
	}
	before(async () => {
		shop = await liveShop()
		topic = `bookings${++topics}.public.orders` // rows of a table, where a message does not say more
		await kafka.ask('topic', topic, 2)
		await open()
	})
	after(() => stream?.stop())

	const put = async (...values) => {
		for (const value of values) { kafka.put(topic, 0, null, value); sent++ }
		await kafka.flush()
	}
	const allRead = () => until(async () => (await positions(shop.cache)).reduce((n, p) => n + p.next, 0) === sent, { what: `${sent} messages read`, limit: 60_000 })
	const rows = (columns, where = 'true') => shop.cache.query(`SELECT ${columns} FROM event_log WHERE ${where} ORDER BY id`)
	const letters = () => shop.cache.value('SELECT count(*)::int FROM dead_letter')

	it('go to the inbox, good and bad, and nothing else does', async () => {
		await put(booking('B-1'), order('A-1'), booking('B-1'), booking('B-2', { seats: -1 }),
			{ payload: { event_type: 'EVENT_PUBLISHED', event_id: '5', timestamp: 1793909643000 } }, null, booking('B-4', { note: 'x'.repeat(64 * 1024) }))
		await allRead()
		const found = await rows('event_type, event_id, event_data, length(raw) AS raw, source, source_position, dead_at IS NOT NULL AS dead, last_error, error_field')
		const at = (row) => Number(row.source_position.split('/')[2])
		found.sort((a, b) => at(a) - at(b))
		const row = (offset, more) => ({ event_type: 'booking.created', event_id: 17, raw: null, source: 'kafka', source_position: `${topic}/0/${offset}`, dead: false, last_error: '', error_field: '', ...more })
		assert.deepEqual(found, [row(0, { event_data: JSON.stringify(booking('B-1')) }),
			row(3, { event_data: JSON.stringify(booking('B-2', { seats: -1 })), dead: true, last_error: 'seats is not a whole number from 0 to 1000000', error_field: 'seats' }),
			row(4, { event_type: 'event.published', event_id: 5, event_data: '{"payload":{"event_type":"EVENT_PUBLISHED","event_id":"5","timestamp":1793909643000}}' }),
			row(6, { event_type: '', event_id: null, event_data: null, raw: JSON.stringify(booking('B-4', { note: 'x'.repeat(64 * 1024) })).length, dead: true,
				last_error: found[3]?.last_error, error_field: '' })])
		assert.match(found[3].last_error, /^the message has \d+ bytes, more than 65536$/)
		assert.equal(await letters(), 0)
		assert.deepEqual(await shop.cache.query('SELECT order_id FROM order_state'), [{ order_id: 'A-1' }])
	})

	it('and what is no JSON, or of another kind, goes where it always went', async () => {
		await put('{"type":"booking.created"', '[]', { id: 'x', status: [] }, { type: 'booking.moved', booking_id: 'B-3' })
		await allRead()
		assert.equal(await letters(), 4)
		assert.equal((await rows('id')).length, 4)
	})

	it('are told to whom listens', async () => {
		const session = shop.cache.session()
		await session.ask('LISTEN takings_inbox')
		const heard = async () => /notification "takings_inbox"/.test(await session.ask('SELECT 1'))
		assert.equal(await heard(), false)
		await put(booking('B-5'))
		await until(heard, { what: 'the notification' })
		await session.close()
	})

	it('are there once, with the positions, wherever the program dies', async () => {
		await allRead()
		const before = (await rows('id')).length
		let n = 0
		for (const place of ['stream_copied', 'stream_fenced', 'stream_committing', 'stream_committed']) {
			await stream.stop()
			await open({ TAKINGS_FAILPOINT: `${place}=kill` })
			await put(...Array.from({ length: 50 }, () => booking(`K-${++n}`)), booking('K-1', { seats: 'many', n }))
			await stream.program.ended
			// rows and positions, or neither
			const [{ written, read }] = await shop.cache.query(`SELECT (SELECT count(*)::int FROM event_log WHERE source_position <> '') AS written, (SELECT sum(next)::int FROM stream_position) AS read`)
			assert.equal(written > before + (n - 50) / 50 * 51, read > sent - 51, `${place}: ${written} rows, ${read} of ${sent} read`)
			await open()
			await allRead()
			assert.equal((await rows('id')).length, before + n + n / 50, place)
		}
		assert.equal((await rows('id', 'dead_at IS NOT NULL AND error_field = \'seats\'')).length, 1 + 4)
	})

	it('wait while the same message is being written elsewhere, and are not written again', async () => {
		const before = (await rows('id')).length
		await put(booking('W-1'))
		await allRead()
		const [{ dedup_key: key }] = await rows('dedup_key', `event_data LIKE '%W-1%'`)
		await shop.cache.exec(`DELETE FROM event_log WHERE dedup_key = '${key}'`)
		const session = shop.cache.session()
		await session.ask(`BEGIN; INSERT INTO event_log (event_type, event_data, dedup_key, source) VALUES ('booking.created', '${JSON.stringify(booking('W-1'))}', '${key}', 'http')`)
		await put(booking('W-1'), booking('W-2'))
		await sleep(1500)
		await session.ask('COMMIT')
		await session.close()
		await allRead()
		assert.equal((await rows('id')).length, before + 2)
		assert.deepEqual(await rows('source', `dedup_key = '${key}'`), [{ source: 'http' }])
	})
})
