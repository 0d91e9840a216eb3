// takings-stream is killed, stopped, woken and joined by others anywhere, and what it makes of a topic
// is what the events say, to the last row: nothing is lost, nothing counts twice.
//
// FAULTS=long: a million events and 100 kills; else 60,000 and 12. SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { postgres } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop } from '../lib/stream.mjs'
import { CUTOFF_H, Feed, Orders, ZONE, differences, generator } from '../stream/orders.mjs'

const long = process.env.FAULTS === 'long'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const TOPIC = 'orders.events', PARTITIONS = 8
const RULES = { BUSINESS_TIMEZONE: ZONE, BUSINESS_DAY_CUTOFF: String(CUTOFF_H) }

// Every row of what the stream keeps, with who wrote it last: the same text means that nothing was touched.
const TABLES = ['order_state', 'order_line_state', 'order_refund_state', 'live_day', 'live_status', 'live_hour', 'live_minute', 'live_item',
	'live_product', 'live_item_name', 'live_customer', 'live_site', 'dead_letter']
const untouched = async (cache) => Object.fromEntries(await Promise.all(TABLES.map(async (t) =>
	[t, await cache.value(`SELECT count(*) || ' ' || coalesce(md5(string_agg(r, E'\\n' ORDER BY r)), '') FROM (SELECT xmin::text || ' ' || q::text AS r FROM ${t} q) x`)])))

describe(`takings-stream and a topic (SEED=${seed})`, () => {
	let server, template

	before(async () => {
		server = await postgres()
		template = (await liveShop(RULES, { server })).cache
		await template.exec("UPDATE live_site SET minutes_from = '-infinity'") // the events are of long ago
	})

	// A topic of so many events, somebody who fills it with `limit` of them for now, and empty tables to
	// read it into.
	async function scene(events, salt, limit = Infinity) {
		const kafka = await Kafka.start({ [TOPIC]: PARTITIONS })
		const cache = await server.create(template.name)
		const orders = new Orders({ seed: seed + salt, events, partitions: PARTITIONS })
		const feed = new Feed(kafka, TOPIC, orders, cache, limit)
		const settings = kafka.settings({ KAFKA_TOPICS: TOPIC, BUFFER_MAX_EVENTS: '20000' })
		const streams = []
		return { kafka, cache, orders, feed, streams,
			start: async (more) => {
				const stream = await Stream.start(cache, { ...settings, ...more })
				streams.push(stream)
				return stream
			},
			drain: (limit) => until(() => feed.drained(), { limit, every: 100, what: 'the end of the topic' }),
			end: async () => {
				for (const s of streams) await s.kill()
				await feed.close()
				await kafka.stop()
				await cache.drop()
			} }
	}

	it('killed again and again', async (t) => {
		const events = long ? 1_000_000 : 60_000, kills = long ? 100 : 12
		const random = generator(seed)
		const s = await scene(events, 1, 0)
		t.after(s.end)
		for (let killed = 0; killed < kills; killed++) {
			// A group of its own each time: nobody waits for the dead, and only the database can say where to go on.
			const stream = await s.start({ KAFKA_GROUP_ID: `g${killed}` })
			const from = await s.feed.written()
			s.feed.limit = events * (killed + 1) / kills
			await until(async () => await s.feed.written() > from, { every: 5, what: 'progress' })
			await sleep(50 + random() * 750)
			assert.equal(stream.ended(), false, stream.log)
			await stream.kill()
		}
		s.feed.limit = Infinity
		const last = await s.start()
		await s.drain(long ? 600_000 : 90_000)
		assert.deepEqual(await differences(s.cache, s.orders), [])
		assert.equal((await last.status()).status, 'ok')
		assert.equal(await last.stop(), 0)
		t.diagnostic(`${kills} kills, ${s.orders.messages} messages, ${s.orders.poison.length} dead letters`)
	})

	it('two of them, one coming and going, the other asleep while its work is done by others', async (t) => {
		const events = long ? 300_000 : 60_000
		const s = await scene(events, 2, 1000)
		t.after(s.end)
		const group = { KAFKA_GROUP_ID: 'two' }
		// It falls asleep in the middle of a transaction: only then is there something to be refused.
		const sleeper = await s.start({ ...group, TAKINGS_FAILPOINT: `stream_state=stop@${long ? 200 : 40}` })
		await until(async () => await s.feed.written() > 0, { limit: 60_000, what: 'progress' })
		// So many a second that there is always something under way, and something left.
		const pace = setInterval(() => { s.feed.limit += events / 6000 }, 20)
		t.after(() => clearInterval(pace))
		for (let turn = 0; turn < (long ? 12 : 2); turn++) {
			const guest = await s.start(group)
			await sleep(5000)
			assert.equal(await (turn % 2 ? guest.kill() : guest.stop()), turn % 2 ? 'SIGKILL' : 0)
			await sleep(5000)
		}
		const other = await s.start(group)
		await until(() => sleeper.asleep(), { limit: 60_000, what: 'the sleeper to fall asleep' })
		await sleep(15_000)
		// What it had in hand is refused when it wakes: by the fence, or as the server has ended its transaction.
		sleeper.signal('SIGCONT')
		const refused = async () => (await sleeper.stat('stream_batches_fenced_total')) + (await sleeper.stat('stream_batch_retries_total'))
		await until(async () => await refused() > 0, { what: 'a refusal' })
		s.feed.limit = Infinity
		await s.drain(long ? 300_000 : 60_000)
		assert.deepEqual(await differences(s.cache, s.orders), [])
		t.diagnostic(`${await refused()} batches of the sleeper were refused`)
		for (const stream of [sleeper, other]) assert.equal(await stream.stop(), 0)
	})

	it('the whole topic read again changes not one row', async (t) => {
		const s = await scene(long ? 20_000 : 10_000, 3)
		t.after(s.end)
		let stream = await s.start()
		await s.drain(60_000)
		assert.equal(await stream.stop(), 0)
		assert.deepEqual(await differences(s.cache, s.orders), [])
		const was = await untouched(s.cache)
		await s.cache.exec('UPDATE stream_position SET next = 0')
		stream = await s.start()
		await s.drain(60_000)
		assert.equal(await stream.stop(), 0)
		assert.deepEqual(await untouched(s.cache), was)
	})
})
