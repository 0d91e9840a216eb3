// EVENTS_SINK=kafka: takings-web acknowledges what Kafka has, takings-stream stores it once, whoever dies on the way.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { Kafka, Stream, liveShop, positions } from '../lib/stream.mjs'
import { Web } from '../lib/web.mjs'

const TOPIC = 'takings.activity'
const SETTINGS = { AUTH_MODE: 'required', RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', EVENT_FLUSH_INTERVAL: '2' }
const event = (more = {}) => ({ event_type: 'page_view', event_id: randomUUID(), user_id: 'anna', properties: { page: '/a' }, ...more })

describe('tracked events by way of Kafka', () => {
	let shop, kafka, web, stream, settings
	const who = {}
	before(async () => {
		shop = await liveShop()
		kafka = await Kafka.start({ [TOPIC]: 3 })
		settings = { ...kafka.settings({ KAFKA_TOPICS: '', EVENTS_TOPIC: TOPIC }), EVENTS_SINK: 'kafka' }
		for (const scope of ['ingest', 'read']) who[scope] = `Bearer ${/tk_[\w-]+/.exec((await shop.batch(['key', 'add', scope, '--scope', scope])).stdout)[0]}`
		web = await Web.start({ ...SETTINGS, ...settings, ANALYTICS_DATABASE_URL: shop.cache.url() })
		stream = await Stream.start(shop.cache, settings)
	})
	after(async () => {
		await web?.stop()
		await stream?.kill()
		await kafka?.stop()
	})

	const send = (path, body) => web.get(path, { method: 'POST', body: JSON.stringify(body), headers: { authorization: who.ingest, 'content-type': 'application/json' } })
	const track = (body) => send('/events/track', body)
	const get = (id) => web.get(`/events/${id}`, { headers: { authorization: who.read } })
	const stored = (ids) => shop.cache.value(`SELECT count(*)::int FROM activity_event WHERE event_id = ANY('{${ids}}')`)
	const allStored = (ids) => until(async () => await stored(ids) === ids.length, { what: `${ids.length} events` })
	const account = () => shop.cache.one(`SELECT coalesce(sum(received), 0)::int AS received, coalesce(sum(stored), 0)::int AS stored, coalesce(sum(duplicate), 0)::int AS duplicate, coalesce(sum(quarantined), 0)::int AS quarantined,
		coalesce(sum(refused), 0)::int AS refused, bool_and(received = stored + duplicate + quarantined + refused) AS equal, min(source) AS source, count(DISTINCT source)::int AS sources FROM activity_account`)
	const idle = () => until(async () => (await shop.cache.value('SELECT count(*)::int FROM activity_id')) === (await shop.cache.value('SELECT count(*)::int FROM activity_event')), { what: 'rest' })

	it('are acknowledged, and there soon, as they were sent', async () => {
		const one = event({ session_id: 's-1', properties: { page: '/a?x=1', product_id: '401', price: '12.50', quantity: 2 } })
		const answer = await track(one)
		assert.deepEqual([answer.status, answer.json], [202, { event_id: one.event_id, status: 'accepted' }])
		const read = await until(async () => { const r = await get(one.event_id); return r.status === 200 && r }, { what: 'the event' })
		assert.equal(read.json.event_type ?? read.json.event?.event_type, 'page_view')
		assert.deepEqual(await shop.cache.one(`SELECT user_id, session_id, dims[1] AS page, dims[7] AS product, price::text AS price, quantity, key_id IS NOT NULL AS by_key, flags & 1 AS trusted FROM activity_event WHERE event_id = '${one.event_id}'`),
			{ user_id: 'anna', session_id: 's-1', page: '/a', product: '401', price: '12.50', quantity: 2, by_key: true, trusted: 1 })
	})

	it('are counted for the key they came with, whatever becomes of them', async () => {
		const before = await account(), good = event(), twice = event()
		const answer = await send('/events/batch', [good, twice, event({ user_id: 'undefined' }), event({ timestamp: new Date(Date.now() - 200 * 86_400_000).toISOString() }), twice])
		assert.equal(answer.status, 200, answer.text)
		assert.deepEqual([answer.json.accepted, answer.json.rejected, answer.json.quarantined], [3, 1, 1])
		assert.equal((await track(good)).json.status, 'accepted') // which is found out later
		assert.equal((await track({ ...twice, event_type: 'other' })).json.status, 'accepted')
		await until(async () => (await account()).received === before.received + 7, { what: 'all to be counted' })
		const a = await account()
		assert.deepEqual({ stored: a.stored - before.stored, duplicate: a.duplicate - before.duplicate, quarantined: a.quarantined - before.quarantined, refused: a.refused - before.refused },
			{ stored: 2, duplicate: 2, quarantined: 1, refused: 2 })
		assert.ok(a.equal && a.sources === 1 && /^key:\d+$/.test(a.source), JSON.stringify(a))
		assert.deepEqual(await shop.cache.query('SELECT reason, field, source FROM activity_quarantine'), [{ reason: 'too_old', field: 'timestamp', source: a.source }])
	})

	it('are there once, with the positions, wherever the stream dies', async () => {
		for (const place of ['stream_copied', 'stream_fenced', 'stream_committing', 'stream_committed']) {
			await stream.stop()
			const list = Array.from({ length: 60 }, (_, i) => event({ user_id: `u-${i}` })), ids = list.map((e) => e.event_id)
			stream = await Stream.start(shop.cache, { ...settings, TAKINGS_FAILPOINT: `${place}=kill` })
			assert.equal((await send('/events/batch', list)).json.accepted, 60)
			await stream.program.ended
			stream = await Stream.start(shop.cache, settings)
			await allStored(ids)
			assert.equal(await shop.cache.value(`SELECT count(*)::int FROM activity_event WHERE event_id = ANY('{${ids}}')`), 60, place)
		}
		await idle()
		assert.equal((await account()).equal, true)
	})

	it('are there where takings-web died before it could say so, and once where they are sent again', async () => {
		await web.stop()
		const own = await Web.start({ ...SETTINGS, ...settings, ANALYTICS_DATABASE_URL: shop.cache.url(), TAKINGS_FAILPOINT: 'web_sink_sent=kill' })
		const one = event()
		web = own
		assert.equal((await track(one)).status, 502)
		await until(() => own.program.signalCode === 'SIGKILL', { what: 'its death' })
		own.settings = { ...own.settings, TAKINGS_FAILPOINT: '' }
		own.startProgram()
		await until(async () => (await track(one)).status === 202, { what: 'the answer' })
		await allStored([one.event_id])
		await idle()
	})

	it('were acknowledged, and takings-web is killed at once: nothing is lost', async () => {
		const ids = []
		for (let round = 0; round < 4; round++) {
			const list = Array.from({ length: 50 }, () => event())
			assert.equal((await send('/events/batch', list)).status, 200)
			ids.push(...list.map((e) => e.event_id))
			const gone = new Promise((done) => web.program.once('close', done))
			web.program.kill(round % 2 ? 'SIGKILL' : 'SIGTERM')
			await gone
			web.startProgram()
			await until(async () => (await web.get('/health/live')).status === 200, { what: 'takings-web' })
		}
		await allStored(ids)
	})

	it('are refused with 503 in bounded time while no broker is there, and taken when one is', async () => {
		await kafka.ask('down', 1)
		const one = event(), begun = Date.now()
		const answer = await track(one)
		assert.equal(answer.status, 503, answer.text)
		assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`)
		assert.ok(answer.headers['retry-after'])
		await Promise.all(Array.from({ length: 8 }, () => track(event())))
		const quick = Date.now()
		assert.equal((await track(one)).status, 503) // nobody waits for what is known to be away
		assert.ok(Date.now() - quick < 1000, `${Date.now() - quick} ms`)
		await kafka.ask('up', 1)
		await until(async () => (await track(one)).status === 202, { every: 300, what: 'the broker' })
		await allStored([one.event_id])
	})

	it('that are none are buried, and those the database would not have are stored when they are read again', async () => {
		const letters = () => shop.cache.query(`SELECT topic, reason, field, replayed_at IS NOT NULL AS accepted FROM dead_letter ORDER BY dead_letter_id`)
		kafka.put(TOPIC, 0, null, '{"event_id": 5}')
		kafka.put(TOPIC, 1, null, 'nonsense')
		kafka.put(TOPIC, 2, null, null)
		await kafka.flush()
		await until(async () => (await letters()).length === 2, { what: 'dead letters' })
		await shop.cache.exec(`CREATE FUNCTION no_cats() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no cats' USING ERRCODE = '23514'; END $$;
			CREATE TRIGGER no_cats BEFORE INSERT ON activity_event FOR EACH ROW WHEN (NEW.event_type = 'cat') EXECUTE FUNCTION no_cats()`)
		const cat = event({ event_type: 'cat' }), others = Array.from({ length: 40 }, () => event()), list = [...others.slice(0, 20), cat, ...others.slice(20)]
		assert.equal((await send('/events/batch', list)).json.accepted, 41)
		await allStored(others.map((e) => e.event_id))
		await until(async () => (await letters()).length === 3, { what: 'the third dead letter' })
		assert.equal(await stored([cat.event_id]), 0)
		await shop.cache.exec('DROP TRIGGER no_cats ON activity_event')
		const done = await shop.batch(['replay', '--all'])
		assert.match(done.stdout, /1 accepted, 2 refused again/)
		await allStored([cat.event_id])
		assert.deepEqual((await letters()).map((l) => l.accepted).sort(), [false, false, true])
	})

	it('begin with the first one, whatever other topics do', async () => {
		const other = await liveShop(), topic = 'other.activity'
		await kafka.ask('topic', topic, 1)
		const to = { ...settings, EVENTS_TOPIC: topic, KAFKA_START: 'latest', KAFKA_GROUP_ID: 'other' }
		const key = /tk_[\w-]+/.exec((await other.batch(['key', 'add', 'ingest', '--scope', 'ingest'])).stdout)[0]
		const first = await Web.start({ ...SETTINGS, ...to, ANALYTICS_DATABASE_URL: other.cache.url() })
		const answer = await first.get('/events/track', { method: 'POST', body: JSON.stringify(event()), headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } })
		assert.equal(answer.status, 202, answer.text)
		const late = await Stream.start(other.cache, to)
		await until(async () => await other.cache.value('SELECT count(*)::int FROM activity_event') === 1, { what: 'the event' })
		assert.deepEqual((await positions(other.cache)).filter((p) => p.next).map((p) => [p.topic, p.next]), [[topic, 1]])
		await first.stop()
		await late.stop()
	})

	it('are refused at the start where there are no brokers to send them to', async () => {
		const { refusedStart } = await import('../lib/web.mjs')
		const done = await refusedStart({ ANALYTICS_DATABASE_URL: shop.cache.url(), EVENTS_SINK: 'kafka' })
		assert.equal(done.code, 1)
		assert.match(done.stderr, /EVENTS_SINK is kafka, but KAFKA_BOOTSTRAP_SERVERS is empty/)
	})

	it('and the stream ends in good order', async () => {
		await sleep(100)
		assert.equal(await stream.stop(), 0)
	})
})
