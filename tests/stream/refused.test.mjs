// What analytics_db will have nothing of, and other messages made to stop the stream: each becomes a dead
// letter, and all others count.
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { postgres, scratch } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop, positions } from '../lib/stream.mjs'

const order = (id, more) => ({ event_type: 'OrderCreatedEvent', order_id: id, status: 'SERVED', total_amount: '1.00',
	created_at: '2026-03-02T12:00:00Z', currency: 'EUR', ...more })

describe('messages nobody can write', () => {
	let server, template
	before(async () => {
		server = await postgres()
		template = (await liveShop({}, { server })).cache
	})

	async function scene(t, settings = {}) {
		const kafka = await Kafka.start({ t: 2 })
		const cache = await server.create(template.name)
		const stream = await Stream.start(cache, kafka.settings({ KAFKA_TOPICS: 't', ...settings }))
		t.after(async () => {
			await stream.kill()
			await kafka.stop()
		})
		const done = (n, limit = 30_000) => until(async () => (await positions(cache)).reduce((sum, p) => sum + Number(p.next), 0) === n,
			{ limit, every: 50, what: `${n} messages` })
		return { kafka, cache, stream, done }
	}

	it('a time that no calendar has', async (t) => {
		const { kafka, cache, done } = await scene(t)
		const times = ['1772452800000000', '10000000000000000', '9223372036854775807', '4102444800000']
		for (const at of times) kafka.put('t', 0, 'k', 'nonsense', at)
		for (const [i, at] of times.entries()) kafka.put('t', 1, 'k', order(`o${i}`), at)
		await done(8)
		assert.equal(await cache.value('SELECT sum(counted)::int FROM live_day'), 4)
		assert.equal(await cache.value('SELECT count(*)::int FROM dead_letter WHERE message_at IS NULL'), 4)
	})

	it('sums greater than a number may be', async (t) => {
		const reports = mkdtempSync(path.join(scratch(), 'reports'))
		const { kafka, cache, stream, done } = await scene(t, { REPORT_DIR: reports, FLUSH_INTERVAL: '2' })
		const huge = (id, more) => order(id, { currency: 'CLF', total_amount: '99999999999999.9999', ...more }) // 10^18 minor units
		for (let i = 0; i < 12; i++) kafka.put('t', 0, 'k', huge(`a${i}`, { location_id: 1, customer_id: 'a' }))
		for (let i = 0; i < 9; i++) kafka.put('t', 0, 'k', huge(`b${i}`, { location_id: 2, customer_id: 'b' }))
		for (let i = 0; i < 100; i++) kafka.put('t', i % 2, 'k', order(`o${i}`))
		const items = Array(1000).fill({ product_id: 'gold', quantity: 1, unit_price: '99999999999999.99' }) // 10^19 together
		kafka.put('t', 1, 'k', order('gold', { items, created_at: new Date().toISOString() }))
		await done(122, 90_000)
		assert.equal(await cache.value("SELECT sum(counted)::int FROM live_day WHERE currency = 'EUR'"), 101)
		assert.deepEqual(await cache.query("SELECT location_id, counted FROM live_day WHERE currency = 'CLF' ORDER BY 1"),
			[{ location_id: 1, counted: 9 }, { location_id: 2, counted: 9 }])
		assert.equal(await cache.value('SELECT count(*)::int FROM order_state'), 119)
		const letters = await cache.query("SELECT reason, detail, convert_from(payload, 'UTF8') AS payload FROM dead_letter")
		assert.equal(letters.length, 3)
		for (const letter of letters) {
			assert.equal(letter.reason, 'db')
			assert.match(letter.detail, /out of range/)
			assert.equal(JSON.parse(letter.payload).location_id, 1)
		}
		await until(async () => Number(await stream.stat('stream_dead_letters_total')) === 3, { what: 'the count of dead letters' })
		// Pictures and reports are made of it, too.
		await until(async () => await cache.value('SELECT l.live_version = (SELECT max(live_version) FROM report_flush WHERE done_at IS NOT NULL) FROM live_site l'),
			{ every: 500, what: 'reports' })
		const { status, detail } = await stream.status()
		assert.deepEqual({ status, detail }, { status: 'ok', detail: '' })
	})

	it('a line of more than 10^14', async (t) => {
		const { kafka, cache, done } = await scene(t)
		kafka.put('t', 0, 'k', order('o', { items: [{ product_id: 'x', quantity: '10000000', unit_price: '10000000.01' }] }))
		kafka.put('t', 0, 'k', order('p', { items: [{ product_id: 'x', quantity: '-10000000', unit_price: '9999999.99' }] }))
		await done(2)
		assert.deepEqual(await cache.query('SELECT reason, field FROM dead_letter'), [{ reason: 'invalid', field: 'items[0].unit_price' }])
		assert.equal(await cache.value('SELECT amount::text FROM live_item'), '-99999999900000')
	})

	it('a letter whose reason ends within a character is read again like any other', async (t) => {
		const { kafka, cache, done } = await scene(t)
		kafka.put('t', 0, 'k', order('o', { total_amount: 'a' + 'ü'.repeat(60) }))
		await done(1)
		await cache.exec('UPDATE dead_letter SET replay_wanted_at = now()')
		await until(async () => await cache.value('SELECT count(*)::int FROM dead_letter WHERE replay_wanted_at IS NULL') === 1,
			{ what: 'a second reading' })
	})
})
