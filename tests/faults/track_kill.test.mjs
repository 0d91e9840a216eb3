// takings-web and PostgreSQL are killed again and again while clients send events and send again what was not acknowledged:
// what was acknowledged is stored, once, as it was sent; the accounts add up; the figures are those of the rows.
//
// FAULTS=long: 200,000 events, takings-web killed every 2 s and PostgreSQL every 20 s, and the same through Kafka; else
// 8,000 events in about 10 s. EVENTS=n: so many; SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop } from '../lib/stream.mjs'
import { FINE, Tracker, account, accountErrors, addUp, generator, verdict } from '../lib/trackers.mjs'
import { Web } from '../lib/web.mjs'

const long = process.env.FAULTS === 'long'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const CLIENTS = 8, KEYS = 3
const events = Number(process.env.EVENTS ?? (long ? 200_000 : 8000)), pace = long ? 1500 : 1300 // all clients together, a second
const webEvery = long ? 2000 : 1200, serverEvery = long ? 20_000 : 4500, streamEvery = 7000

// What is committed must be on its way to the disk before it is said so, as everywhere but in the other tests.
const SERVER = `fsync = off\nsynchronous_commit = on\nfull_page_writes = off\nshared_buffers = 128MB\nmax_connections = 60\nautovacuum = off\ntimezone = 'Asia/Kolkata'\n`
const SETTINGS = { RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', RATE_LIMIT_USERS: '0', AUTH_MODE: 'required' }

describe(`tracked events and kills (SEED=${seed})`, () => {
	let server

	before(async () => { server = await ownPostgres('track-pg', SERVER) })

	async function open() {
		const shop = await liveShop({}, { server })
		const keys = []
		for (let i = 0; i < KEYS; i++) {
			const done = await shop.batch(['key', 'add', `k${i}`, '--scope', 'ingest'])
			assert.equal(done.code, 0, done.stderr)
			keys.push(/tk_[\w-]+/.exec(done.stdout)[0])
		}
		return { shop, keys }
	}

	// Every `ms` until it is over; returns how often.
	function often(ms, over, act) {
		let n = 0
		const done = (async () => {
			for (;;) {
				for (const until = Date.now() + ms; Date.now() < until && !over(); ) await sleep(50)
				if (over()) return n
				await act()
				n++
			}
		})()
		return done
	}

	async function killWeb(web) {
		const gone = new Promise((done) => web.program.once('close', done))
		web.program.kill('SIGKILL')
		await gone
		await sleep(100)
		web.startProgram()
	}

	async function killServer() {
		await server.crash()
		await sleep(500)
		await server.start()
	}

	// All clients at work, and everything killed on and on; then what is to be said of it.
	async function storm(web, keys, random, more = []) {
		let over = false
		const trackers = Array.from({ length: CLIENTS }, (_, i) => new Tracker({ port: web.port, key: keys[i % KEYS], name: `c${i}`, sends: events / CLIENTS,
			random, pace: pace / CLIENTS, most: long ? 150 : 60 }))
		const begun = Date.now()
		const calm = () => over || (!long && Date.now() - begun > 12_000) // then they come to an end, however slow the machine is
		const kills = [often(webEvery, calm, () => killWeb(web)), often(serverEvery, calm, killServer), ...more.map(([ms, act]) => often(ms, calm, act))]
		await Promise.race([Promise.all(trackers.map((t) => t.run())), sleep(long ? 1_200_000 : 100_000).then(() => { for (const t of trackers) t.stopped = true })])
		over = true
		return { trackers, kills: await Promise.all(kills), seconds: (Date.now() - begun) / 1000 }
	}

	const applied = async (cache) => {
		await until(async () => (await cache.value('SELECT NOT EXISTS (SELECT FROM activity_batch)')), { limit: long ? 600_000 : 60_000, every: 200, what: 'the figures' })
		return cache.query(`SELECT grain, sum(events)::int AS events FROM activity_sum WHERE dimension_id = 0 AND NOT bot GROUP BY 1 ORDER BY 1`)
	}

	function say(t, what, { trackers, kills, seconds }, rows, accounts) {
		const sums = addUp(trackers)
		t.diagnostic(`${what}: ${sums.events} events in ${sums.requests} requests by ${CLIENTS} clients in ${seconds.toFixed(0)} s; killed: takings-web ${kills[0]} times, ` +
			`PostgreSQL ${kills[1]}${kills[2] === undefined ? '' : `, takings-stream ${kills[2]}`}; ${sums.resent} sent again, ${sums.duplicates} answered duplicate, refused or unanswered requests ${JSON.stringify(sums.failures)}; ` +
			`stored ${rows}, lost 0, twice 0; accounts ${JSON.stringify(accounts)}`)
	}

	it('takings-web and PostgreSQL', async (t) => {
		const random = generator(seed)
		const { shop, keys } = await open()
		const web = await Web.start({ ...SETTINGS, ANALYTICS_DATABASE_URL: shop.cache.url() })
		t.after(() => web.stop())
		const did = await storm(web, keys, random)
		assert.ok(did.kills[0] >= 3 && did.kills[1] >= 1, `${did.kills} kills`)
		const found = await verdict(shop.cache, did.trackers)
		assert.deepEqual(found.wrong, FINE)
		assert.equal(found.rows, events)
		assert.equal(found.ids, events)
		assert.deepEqual(await accountErrors(shop.cache), [])
		const accounts = await account(shop.cache), sums = addUp(did.trackers)
		assert.equal(accounts.stored, events)
		assert.ok(accounts.duplicate >= sums.duplicates, `${accounts.duplicate} duplicates, ${sums.duplicates} answered`)
		assert.equal(accounts.quarantined + accounts.refused, 0)
		const stream = await Stream.start(shop.cache, {})
		t.after(() => stream.kill())
		assert.deepEqual(await applied(shop.cache), ['hour', 'day', 'month'].map((grain) => ({ grain, events })))
		say(t, 'PostgreSQL', did, found.rows, accounts)
	})

	it('takings-web, takings-stream and PostgreSQL, with Kafka between them', { skip: long ? false : 'FAULTS=long only' }, async (t) => {
		const random = generator(seed + 1)
		const { shop, keys } = await open()
		const kafka = await Kafka.start({ 'takings.activity': 8 })
		t.after(() => kafka.stop())
		const settings = { ...kafka.settings({ KAFKA_TOPICS: '' }), EVENTS_SINK: 'kafka' }
		const web = await Web.start({ ...SETTINGS, ...settings, ANALYTICS_DATABASE_URL: shop.cache.url() })
		t.after(() => web.stop())
		let stream = await Stream.start(shop.cache, settings)
		t.after(() => stream.kill())
		const killStream = async () => {
			await stream.kill()
			stream = await Stream.start(shop.cache, settings, { ready: false })
		}
		const did = await storm(web, keys, random, [[streamEvery, killStream]])
		await until(async () => await shop.cache.value('SELECT count(*)::int FROM activity_id') >= events, { limit: 300_000, every: 500, what: 'what is in Kafka' })
		await sleep(3000) // duplicates behind it
		const found = await verdict(shop.cache, did.trackers, { once: false })
		assert.deepEqual(found.wrong, FINE)
		assert.equal(found.rows, events)
		assert.equal(found.ids, events)
		assert.deepEqual(await accountErrors(shop.cache), [])
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM dead_letter'), 0)
		assert.deepEqual(await applied(shop.cache), ['hour', 'day', 'month'].map((grain) => ({ grain, events })))
		say(t, 'Kafka', did, found.rows, await account(shop.cache))
	})
})
