// What takings-stream does while Kafka or analytics_db is away, slow or wrong: it waits without work, says
// so, and goes on by itself with nothing lost; and where only a person can know what to do, it stops.
//
// FAULTS=long: a minute of each instead of a few seconds.
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { Proxy } from '../lib/proxy.mjs'
import { ownPostgres, postgres } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop, positions } from '../lib/stream.mjs'

const LONG = process.env.FAULTS === 'long'
const SECONDS = LONG ? 60 : 4
const FETCH = 1, METADATA = 3, OFFSET_COMMIT = 8, HEARTBEAT = 12
const NOT_LEADER = 6, REQUEST_TIMED_OUT = 7, COORDINATOR_LOADING = 14, NOT_COORDINATOR = 16

let serial = 0
const order = () => ({ event_type: 'OrderCreatedEvent', order_id: `f${++serial}`, status: 'SERVED', total_amount: '1.00',
	created_at: new Date(Date.now() - 1000).toISOString(), currency: 'EUR' })

describe('takings-stream when something is wrong', () => {
	let server, template
	before(async () => {
		server = await postgres()
		template = (await liveShop({}, { server })).cache
	})

	// A topic of two partitions and a stream that has read its first message.
	async function scene(t, { own, url, settings = {} } = {}) {
		const kafka = await Kafka.start({ t: 2 })
		const cache = own ?? await server.create(template.name)
		const s = { kafka, cache, sent: 0 }
		s.settings = kafka.settings({ KAFKA_TOPICS: 't', ...(url ? { ANALYTICS_DATABASE_URL: url } : {}), ...settings })
		s.send = (n = 1) => { for (let i = 0; i < n; i++) kafka.put('t', s.sent++ % 2, 'k', order()) }
		s.counted = () => cache.value('SELECT coalesce(sum(counted), 0)::int FROM live_day')
		// All that was sent is in the figures, once.
		s.arrived = (limit) => until(async () => await s.counted().catch(() => -1) === s.sent, { limit, every: 30, what: `${s.sent} orders` })
		// The part of a processor that it takes for a while.
		s.load = async (seconds) => {
			const from = s.stream.cpu()
			await sleep(seconds * 1000)
			return (s.stream.cpu() - from) / seconds
		}
		t.after(async () => {
			await s.stream?.kill()
			await kafka.stop()
		})
		s.send()
		s.stream = await Stream.start(cache, s.settings)
		await s.arrived(20_000)
		return s
	}

	const well = (s) => until(async () => (await s.stream.status())?.status === 'ok', { every: 100, what: 'health' })

	it('a lone message is seen at once, and waiting costs nothing', async (t) => {
		const s = await scene(t)
		const took = []
		for (let i = 0; i < 20; i++) {
			await sleep(50 + 13 * i)
			const begun = Date.now()
			s.send()
			await s.arrived(10_000)
			took.push(Date.now() - begun)
		}
		took.sort((a, b) => a - b)
		t.diagnostic(`in figures after ${took[10]} ms, at most ${took.at(-1)} ms`)
		assert.ok(took[10] < 300 * (process.env.SAN ? 3 : 1), `${took}`)
		const load = await s.load(4)
		assert.ok(load < 0.05, `${load} of a processor`)
	})

	it('no broker', async (t) => {
		const s = await scene(t)
		await s.kafka.ask('down', 1)
		s.send(50)
		await until(async () => (await s.stream.status()).status === 'degraded', { what: 'being told' })
		assert.match((await s.stream.status()).detail, /^kafka: no Kafka broker can be reached/)
		const load = await s.load(SECONDS)
		await s.kafka.ask('up', 1)
		await s.arrived(15_000)
		assert.ok(load < 0.05, `${load} of a processor`)
		await well(s)
	})

	it('brokers that answer with errors', async (t) => {
		const s = await scene(t)
		for (const [what, error] of [[FETCH, NOT_LEADER], [FETCH, REQUEST_TIMED_OUT], [METADATA, REQUEST_TIMED_OUT],
			[OFFSET_COMMIT, COORDINATOR_LOADING], [HEARTBEAT, NOT_COORDINATOR]]) await s.kafka.ask('errors', what, error, 5)
		const load = s.load(SECONDS)
		for (let i = 0; i < SECONDS * 4; i++) {
			s.send(5)
			await sleep(200)
		}
		await s.arrived(20_000)
		assert.ok(await load < 0.1, `${await load} of a processor`)
		await well(s)
	})

	it('brokers that take their time', async (t) => {
		const s = await scene(t)
		await s.kafka.ask('rtt', 1, 700)
		for (let i = 0; i < SECONDS; i++) {
			s.send(5)
			await sleep(300)
		}
		await s.kafka.ask('rtt', 1, 0)
		await s.arrived(20_000)
	})

	it('a topic that comes later', async (t) => {
		const s = await scene(t, { settings: { KAFKA_TOPICS: 't,orders.later' } })
		await s.kafka.ask('topic', 'orders.later', 1).catch(() => {}) // these brokers make it when asked about
		s.kafka.put('orders.later', 0, 'k', order())
		s.sent++
		await s.arrived(30_000)
		await well(s)
	})

	it('a place that is not there any more: it stops, says which, and skips nothing', async (t) => {
		const s = await scene(t)
		s.send(9)
		await s.arrived(10_000)
		assert.equal(await s.stream.stop(), 0)
		await s.cache.exec("UPDATE stream_position SET next = 5000 WHERE partition = 1 AND topic = 't'")
		s.send(10)
		s.stream = await Stream.start(s.cache, s.settings)
		await until(async () => (await s.stream.status())?.status === 'down', { what: 'being told' })
		assert.match((await s.stream.status()).detail, /^kafka: topic t, partition 1: the next message has offset 5000, but the brokers have 0 to 10:/)
		await sleep(3000)
		assert.equal((await s.stream.status()).status, 'down')
		assert.equal((await positions(s.cache)).find((p) => p.partition === 1 && p.topic === 't').next, 5000)
		// A person says where to go on, and it does, without being started anew.
		await s.cache.exec("UPDATE stream_position SET next = 5 WHERE partition = 1 AND topic = 't'")
		await s.arrived(60_000)
	})

	it('begins where it is told to, and says so before anything comes', async (t) => {
		const kafka = await Kafka.start({ t: 1 })
		t.after(() => kafka.stop())
		for (let i = 0; i < 7; i++) kafka.put('t', 0, 'k', order())
		await kafka.flush()
		const cache = await server.create(template.name)
		const stream = await Stream.start(cache, kafka.settings({ KAFKA_TOPICS: 't', KAFKA_START: 'latest' }))
		t.after(() => stream.kill())
		await until(async () => (await positions(cache))[0]?.next === 7, { what: 'the place' })
		await stream.kill()
		kafka.put('t', 0, 'k', order()) // while nobody reads
		await kafka.flush()
		const again = await Stream.start(cache, kafka.settings({ KAFKA_TOPICS: 't', KAFKA_START: 'latest', KAFKA_GROUP_ID: 'again' }))
		t.after(() => again.kill())
		await until(async () => (await positions(cache))[0].next === 8, { what: 'the message' })
		assert.equal(await cache.value('SELECT sum(counted)::int FROM live_day'), 1)
	})

	it('a partition that a topic got later begins with its first message, whatever the setting', async (t) => {
		const kafka = await Kafka.start({ t: 2, other: 1 })
		t.after(() => kafka.stop())
		for (const [topic, partition] of [['t', 1], ['t', 1], ['other', 0]]) kafka.put(topic, partition, 'k', order())
		await kafka.flush()
		const cache = await server.create(template.name)
		await cache.exec("INSERT INTO stream_position (source, topic, partition, next) VALUES ('kafka', 't', 0, 0)")
		const stream = await Stream.start(cache, kafka.settings({ KAFKA_TOPICS: 't,other', KAFKA_START: 'latest' }))
		t.after(() => stream.kill())
		const places = async () => (await positions(cache)).filter((p) => p.topic !== 'takings.activity').map((p) => `${p.topic}/${p.partition} ${p.next}`).join(', ')
		await until(async () => await places() === 'other/0 1, t/0 0, t/1 2', { what: 'the places' })
		assert.equal(await cache.value('SELECT sum(counted)::int FROM live_day'), 2)
	})

	it('members that leave while messages come, end well', async (t) => {
		const kafka = await Kafka.start({ t: 8 })
		t.after(() => kafka.stop())
		const cache = await server.create(template.name)
		let sent = 0
		const pace = setInterval(() => { for (let i = 0; i < 40; i++) kafka.put('t', sent++ % 8, 'k', order()) }, 20)
		t.after(() => clearInterval(pace))
		for (let turn = 0; turn < (LONG ? 20 : 2); turn++) {
			const members = await Promise.all(Array.from({ length: 4 }, () => Stream.start(cache, kafka.settings({ KAFKA_TOPICS: 't' }))))
			t.after(() => Promise.all(members.map((m) => m.kill())))
			await until(() => members.every((m) => m.events.some((e) => e.event === 'kafka_rebalance' && e.partitions > 0)), { what: 'shares for all' })
			await sleep(500)
			assert.deepEqual(await Promise.all(members.map((m) => m.stop())), [0, 0, 0, 0])
		}
	})

	it('settings that cannot be', async () => {
		for (const [settings, word] of [[{ KAFKA_TOPICS: ' ,' }, /KAFKA_TOPICS names no topic/],
			[{ KAFKA_TOPIC_TABLES: 'other=orders' }, /KAFKA_TOPIC_TABLES: 'other'/]]) {
			const stream = await Stream.start(template, { KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1', ...settings })
			await until(() => word.test(stream.log), { what: `${word}` })
			assert.equal(await stream.stop(), 0)
		}
	})

	describe('analytics_db', () => {
		let own, ownTemplate
		before(async () => {
			own = await ownPostgres('stream-pg')
			ownTemplate = (await liveShop({}, { server: own })).cache
		})
		after(() => own?.stop())

		it('stopped and started', async (t) => {
			const s = await scene(t, { own: await own.create(ownTemplate.name) })
			await own.stop()
			s.send(50)
			const load = await s.load(SECONDS)
			await own.start()
			await s.arrived(30_000)
			assert.ok(load < 0.05, `${load} of a processor`)
			assert.ok(s.stream.events.some((e) => e.event === 'part' && e.part === 'kafka' && e.status === 'degraded'))
			await well(s)
		})

		it('crashed in the middle of it', async (t) => {
			const s = await scene(t, { own: await own.create(ownTemplate.name) })
			for (let turn = 0; turn < (LONG ? 10 : 2); turn++) {
				for (let i = 0; i < 20; i++) {
					s.send(100)
					await sleep(10)
				}
				await own.crash()
				s.send(100)
				await until(() => own.start().then(() => true, () => false), { every: 500, what: 'PostgreSQL' })
				await s.arrived(30_000)
			}
		})

		it('hung', async (t) => {
			const cache = await own.create(ownTemplate.name)
			const { PGHOST, PGPORT } = own.env
			const proxy = await Proxy.before({ path: path.join(PGHOST, `.s.PGSQL.${PGPORT}`) })
			t.after(() => proxy.close())
			const s = await scene(t, { own: cache, url: `postgresql://postgres@127.0.0.1:${proxy.port}/${cache.name}` })
			proxy.frozen = true
			s.send(50)
			const load = await s.load(SECONDS)
			assert.ok(load < 0.05, `${load} of a processor`)
			proxy.thaw()
			await s.arrived(40_000)
		})

		it('whose connection is cut at COMMIT, before it gets there and after', async (t) => {
			const cache = await own.create(ownTemplate.name)
			const { PGHOST, PGPORT } = own.env
			const proxy = await Proxy.before({ path: path.join(PGHOST, `.s.PGSQL.${PGPORT}`) })
			t.after(() => proxy.close())
			const s = await scene(t, { own: cache, url: `postgresql://postgres@127.0.0.1:${proxy.port}/${cache.name}` })
			for (let turn = 0; turn < (LONG ? 50 : 4); turn++) {
				if (turn % 2) proxy.cutAt = 'COMMIT'
				else proxy.cutBehind = 'COMMIT'
				s.send(20)
				await s.arrived(20_000)
				assert.deepEqual([proxy.cutAt, proxy.cutBehind], [null, null])
			}
		})
	})
})
