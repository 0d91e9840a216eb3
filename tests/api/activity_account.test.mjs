// What becomes of every tracked event that comes is counted: random mixes by several keys, against a model of them; and
// whoever is killed leaves accounts that add up.
//
// SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { liveShop } from '../lib/stream.mjs'
import { accountErrors, generator } from '../lib/trackers.mjs'
import { Web } from '../lib/web.mjs'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const DAY = 86_400_000
const none = () => ({ received: 0, stored: 0, duplicate: 0, quarantined: 0, refused: 0 })
const SERVER = `fsync = off\nsynchronous_commit = on\nfull_page_writes = off\nshared_buffers = 64MB\nmax_connections = 60\nautovacuum = off\ntimezone = 'Asia/Kolkata'\n`

describe(`accounts of tracked events (SEED=${seed})`, () => {
	const random = generator(seed)
	const pick = (list) => list[Math.floor(random() * list.length)]
	let server, shop, web
	const keys = [] // { token, source }

	before(async () => {
		server = await ownPostgres('account-pg', SERVER)
		shop = await liveShop({}, { server })
		for (const [i, more] of [[0, []], [1, []], [2, ['--origin', 'https://shop.example']]]) {
			const token = /tk_[\w-]+/.exec((await shop.batch(['key', 'add', `k${i}`, '--scope', 'ingest', ...more])).stdout)[0]
			keys.push({ token, id: await shop.cache.value(`SELECT max(key_id)::int FROM api_key`), headers: more.length ? { origin: 'https://shop.example' } : {} })
		}
		for (const key of keys) key.source = `key:${key.id}`
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), AUTH_MODE: 'required', RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', RATE_LIMIT_TRACK: '0', HTTP_THREADS: '16' })
		await shop.cache.exec(`INSERT INTO activity_type (event_type, schema, enforce) VALUES ('strict', '{"required": ["plan"]}', true), ('lenient', '{"required": ["plan"]}', false)`)
		// Somebody who was erased.
		await send(keys[0], [good({ user_id: 'gone' })])
		const done = await shop.batch(['person', 'erase', '--user', 'gone', '--yes'])
		assert.equal(done.code, 0, done.stderr)
		await new Promise((done) => setTimeout(done, 1500)) // schemas are read once a second
	})
	after(async () => {
		await web?.stop()
		await server?.stop()
	})

	const good = (more = {}) => ({ event_type: pick(['page_view', 'search', 'my.own']), event_id: randomUUID(), user_id: `u${Math.floor(random() * 40)}`,
		timestamp: new Date().toISOString(), properties: { n: Math.floor(random() * 1e9) }, ...more })
	const post = (key, path, body) => web.get(path, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${key.token}`, 'content-type': 'application/json', ...key.headers } })
	const send = (key, list) => post(key, '/events/batch', list)

	const stored = [] // what is, with its words
	// An event and what must become of it.
	const KINDS = {
		good: () => [good(), 'stored'],
		lenient: () => [good({ event_type: 'lenient' }), 'stored'],
		duplicate: () => stored.length ? [pick(stored), 'duplicate'] : KINDS.good(),
		conflict: () => stored.length ? [{ ...pick(stored), properties: { other: true } }, 'refused'] : KINDS.good(),
		invalid: () => [pick([good({ user_id: 'null' }), good({ event_type: 'No Type' }), good({ event_id: 'x' }), good({ surprise: 1 }), good({ properties: { price: '-1' } }), good({ user_id: undefined }), 7, null, []]), 'refused'],
		old: () => [good({ timestamp: new Date(Date.now() - (95 + random() * 100) * DAY).toISOString() }), 'quarantined'],
		strict: () => [good({ event_type: 'strict' }), 'quarantined'],
		suppressed: () => [good({ user_id: 'gone' }), 'refused'],
		// It is answered before it is known whose it is.
		suppressedOld: () => [good({ user_id: 'gone', timestamp: new Date(Date.now() - 120 * DAY).toISOString() }), 'refused', 'quarantined'],
	}
	const WORD = { stored: 'accepted', duplicate: 'duplicate', quarantined: 'quarantined', refused: 'rejected' }

	// As a list, in which one may stand twice; what was stored by it can be repeated from then on.
	function mix() {
		const list = []
		for (let n = 1 + Math.floor(random() * 30); n > 0; n--) list.push(KINDS[pick(Object.keys(KINDS))]())
		for (const [e, fate] of [...list]) {
			if (fate !== 'stored' || random() > 0.1) continue
			list.push([e, 'duplicate'])
			if (random() < 0.5) list.push([{ ...e, properties: { other: 1 } }, 'refused'])
		}
		return list
	}

	const refused = () => Array.from({ length: 20 }, () => KINDS[pick(['conflict', 'invalid', 'suppressed'])]())

	const accounts = async () => Object.fromEntries((await shop.cache.query(`SELECT source, sum(received)::int AS received, sum(stored)::int AS stored, sum(duplicate)::int AS duplicate, sum(quarantined)::int AS quarantined,
		sum(refused)::int AS refused FROM activity_account GROUP BY 1`)).map(({ source, ...counts }) => [source, counts]))
	// What differs between two looks, of each source.
	const since = (now, was) => Object.fromEntries(keys.map(({ source }) => [source, Object.fromEntries(Object.keys(none()).map((k) => [k, (now[source]?.[k] ?? 0) - (was[source]?.[k] ?? 0)]))]))
	const wrongAccounts = () => shop.cache.query(`SELECT * FROM activity_account WHERE received <> stored + duplicate + quarantined + refused`)

	it('are exact for each key, of any mix', async () => {
		const was = await accounts(), model = Object.fromEntries(keys.map((k) => [k.source, none()]))
		for (let round = 0; round < 60; round++) {
			const sent = keys.map((key) => ({ key, list: mix() }))
			const answers = await Promise.all(sent.map(({ key, list }) => list.length === 1 ? post(key, '/events/track', list[0][0]) : send(key, list.map(([e]) => e))))
			for (const [i, { key, list }] of sent.entries()) {
				const counts = model[key.source]
				for (const [k, [e, fate, word]] of list.entries()) {
					counts.received++
					counts[fate]++
					if (list.length > 1) assert.equal(answers[i].json?.results?.[k]?.status, word ?? WORD[fate], `${JSON.stringify(e)}: ${answers[i].text.slice(0, 400)}`)
					if (fate === 'stored') stored.push(e)
				}
			}
		}
		const did = since(await accounts(), was)
		assert.deepEqual(did, model)
		for (const counts of Object.values(model)) for (const [name, n] of Object.entries(counts)) assert.ok(n > 20, `${n} ${name}`)
	})

	it('say of each hour and key what is stored, and of what was kept apart that it is there', async () => {
		// The one event of before that was erased is still counted.
		const errors = (await accountErrors(shop.cache)).filter((e) => !(e.source === keys[0].source && e.stored === e.rows + 1))
		assert.deepEqual(errors, [])
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM activity_quarantine'), await shop.cache.value('SELECT sum(quarantined)::int FROM activity_account'))
		assert.deepEqual(await wrongAccounts(), [])
	})

	it('are told why, as often as it was so', async () => {
		const why = await shop.cache.one(`SELECT sum(events) FILTER (WHERE reason IN ('too_old', 'schema') AND event_type <> 'lenient')::int AS quarantined,
			sum(events) FILTER (WHERE reason IN ('invalid', 'conflict', 'suppressed'))::int AS refused FROM activity_warning`)
		const all = Object.values(await accounts()).reduce((sum, a) => ({ quarantined: sum.quarantined + a.quarantined, refused: sum.refused + a.refused }), none())
		assert.deepEqual(why, { quarantined: all.quarantined, refused: all.refused })
	})

	it('hold although takings-web is killed right behind an answer, or before it', async () => {
		const was = await accounts(), least = Object.fromEntries(keys.map((k) => [k.source, none()])), most = structuredClone(least)
		for (let round = 0; round < 14; round++) {
			const sent = keys.map((key) => ({ key, list: round % 2 ? refused() : mix() }))
			const answers = sent.map(({ key, list }) => send(key, list.map(([e]) => e)).catch(() => ({ status: 0 })))
			if (round % 3 === 0) await new Promise((done) => setTimeout(done, random() * 6))
			else await Promise.race(answers)
			const gone = new Promise((done) => web.program.once('close', done))
			web.program.kill('SIGKILL')
			await gone
			for (const [i, { key, list }] of sent.entries()) {
				const answer = await answers[i]
				for (const [k, [e, fate, word]] of list.entries()) {
					most[key.source].received++
					most[key.source][fate]++
					// What nobody was told may be stored all the same, and nobody can say so.
					if (answer.status === 200) {
						assert.equal(answer.json.results[k].status, word ?? WORD[fate])
						if (fate !== 'refused') least[key.source][fate]++
						if (fate === 'stored') stored.push(e)
					}
				}
			}
			web.startProgram()
			await until(async () => (await web.get('/health/live').catch(() => ({}))).status === 200, { what: 'takings-web' })
		}
		const did = since(await accounts(), was)
		for (const { source } of keys)
			for (const fate of ['stored', 'duplicate', 'quarantined', 'refused'])
				assert.ok(did[source][fate] >= least[source][fate] && did[source][fate] <= most[source][fate], `${source} ${fate}: ${least[source][fate]} <= ${did[source][fate]} <= ${most[source][fate]}`)
		assert.deepEqual(await wrongAccounts(), [])
		assert.deepEqual((await accountErrors(shop.cache)).filter((e) => !(e.source === keys[0].source && e.stored === e.rows + 1)), [])
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM activity_quarantine'), await shop.cache.value('SELECT sum(quarantined)::int FROM activity_account'))
	})

	it('do not depend on who meets the first event of a day first', async () => {
		const [one, other] = [shop.cache.session(), shop.cache.session()]
		await one.ask(`BEGIN; SELECT activity_partition_make('{2031-01-01}')`)
		const second = other.ask(`SELECT activity_partition_make('{2031-01-01}')`)
		await until(() => shop.cache.value(`SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%activity_partition_make%'`), { what: 'the second to wait' })
		await one.ask('COMMIT')
		await second
		await Promise.all([one.close(), other.close()])
	})
})
