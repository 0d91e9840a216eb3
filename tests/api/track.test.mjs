// POST /events/track and /events/batch, GET /events/{event_id}: what is stored, once, and what is not and why.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { must, root, until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { batch as program } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const TRACK = '/events/track', BATCH = '/events/batch', SHOP = 'https://shop.example'

let serial = 0
const event = (more = {}) => ({ event_type: 'product_view', event_id: randomUUID(), user_id: `u-${++serial}`, session_id: `s-${serial}`,
	timestamp: new Date().toISOString(), properties: { page: '/p/401?x=1', product_id: '401', category: 'electronics', price: '89.90', quantity: 2, currency: 'EUR' }, ...more })
const daysAgo = (n) => new Date(Date.now() - n * 86400e3).toISOString()

describe('tracked events', () => {
	let server, cache, web, second
	const who = {}, keys = {}

	const run = (args) => program(args, { ANALYTICS_DATABASE_URL: cache.url('analytics_rw'), MIGRATE_DATABASE_URL: cache.url('analytics_owner') })
	const addKey = async (name, scope, ...more) => {
		const made = await run(['key', 'add', name, '--scope', scope, ...more])
		assert.equal(made.code, 0, made.stderr)
		keys[name] = /tk_[\w-]+/.exec(made.stdout)[0]
		who[name] = { authorization: `Bearer ${keys[name]}` }
	}
	const settings = (more = {}) => ({ ANALYTICS_DATABASE_URL: cache.url('analytics_web'), AUTH_MODE: 'required', RATE_LIMIT_KEYS: '0',
		RATE_LIMIT_ADDRESSES: '0', HTTP_THREADS: '24', EVENT_BATCH_SIZE: '100', ...more })

	before(async () => {
		server = await ownPostgres('track-pg', 'fsync = off\nshared_buffers = 128MB\nautovacuum = off\nmax_connections = 60\n') // commits are written when they are answered
		await must('psql', ['-X', '-q', '-f', path.join(root, 'sql/roles.sql'), server.url('postgres')], { env: server.env })
		cache = server.database('analytics_db')
		assert.equal((await run(['migrate'])).code, 0)
		web = await Web.start(settings())
		second = await Web.start(settings())
		for (const scope of ['ingest', 'read', 'admin']) await addKey(scope, scope)
		await addKey('public', 'ingest', '--origin', SHOP, '--origin', 'http://localhost:8080')
	})
	after(async () => {
		await web?.stop()
		await second?.stop()
		await server?.stop()
	})

	const post = (target, body, headers = {}, at = web) => at.get(target, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
		headers: { 'content-type': 'application/json', ...who.ingest, ...headers } })
	const track = (body, headers, at) => post(TRACK, body, headers, at)
	const batch = (body, headers, at) => post(BATCH, body, headers, at)
	const row = (id) => cache.one(`SELECT e.*, i.digest, b.batch_id IS NOT NULL AS open FROM activity_id i JOIN activity_event e USING (event_id)
		LEFT JOIN activity_batch b ON b.batch_id = e.seq >> 16 WHERE i.event_id = '${id}' AND e.seq = i.seq AND e.occurred_at = i.occurred_at`)
	const stored = () => cache.value('SELECT count(*)::int FROM activity_event')
	const accounts = () => cache.one(`SELECT coalesce(sum(received), 0)::int AS received, coalesce(sum(stored), 0)::int AS stored, coalesce(sum(duplicate), 0)::int AS duplicate,
		coalesce(sum(quarantined), 0)::int AS quarantined, coalesce(sum(refused), 0)::int AS refused FROM activity_account`)
	const since = (now, was) => Object.fromEntries(Object.keys(now).map((k) => [k, now[k] - was[k]]))

	it('stores an event before it says so, with all it says', async () => {
		const one = event({ anonymous_id: 'a-1' })
		const answer = await track(one)
		assert.deepEqual([answer.status, answer.json], [202, { event_id: one.event_id, status: 'accepted' }], answer.text)
		const is = await row(one.event_id)
		assert.deepEqual([is.event_type, is.user_id, is.anonymous_id, is.session_id, Number(is.price), is.quantity, is.currency, is.flags & 1, is.open],
			['product_view', one.user_id, 'a-1', one.session_id, 89.9, 2, 'EUR', 1, true])
		assert.deepEqual([is.dims[0], is.dims[5], is.dims[6], is.dims.length], ['/p/401', 'electronics', '401', 8])
		assert.equal(new Date(is.occurred_at).getTime(), new Date(one.timestamp).getTime())
		const read = await web.get(`/events/${one.event_id}`, { headers: who.admin })
		assert.equal(read.status, 200, read.text)
		assert.deepEqual([read.json.event_id, read.json.user_id, read.json.trusted, read.json.dimensions.page, read.json.properties.product_id],
			[one.event_id, one.user_id, true, '/p/401', '401'])
		const masked = await web.get(`/events/${one.event_id}`, { headers: who.read })
		assert.deepEqual([masked.json.user_id, masked.json.anonymous_id, masked.json.session_id, masked.json.properties, masked.json.dimensions.page], [null, null, null, null, '/p/401'])
		assert.equal((await web.get(`/events/${randomUUID()}`, { headers: who.read })).status, 404)
		assert.equal((await web.get('/events/none', { headers: who.read })).status, 422)
		assert.equal((await web.get(`/events/${one.event_id}`, { headers: who.ingest })).status, 403)
	})

	it('makes an id where there is none, and takes prices as they are', async () => {
		for (const [price, is] of [['0', '0'], ['0.5', '0.5'], ['12345678901234.123456', '12345678901234.123456'], ['10000', '10000'], ['0.0001', '0.0001'], ['99999999', '99999999'], [null, null]]) {
			const one = event({ event_id: undefined, properties: price === null ? {} : { price, currency: 'EUR' } })
			const answer = await track(one)
			assert.equal(answer.status, 202, `${price}: ${answer.text}`)
			assert.equal(await cache.value(`SELECT price::text FROM activity_event WHERE event_id = '${answer.json.event_id}'`), is)
		}
	})

	it('counts an event once, in one request and over many, and refuses another one of its id', async () => {
		const was = await accounts(), n = await stored(), one = event(), two = event()
		assert.equal((await track(one)).json.status, 'accepted')
		const again = await track(one)
		assert.deepEqual([again.status, again.json.status], [202, 'duplicate'])
		assert.equal((await track({ ...one, sent_at: new Date().toISOString() }, {}, second)).json.status, 'duplicate')
		const other = await track({ ...one, event_type: 'add_to_cart' })
		assert.deepEqual([other.status, other.json.code, other.json.field], [409, 'conflict', 'event_id'], other.text)
		const many = await batch([two, one, two, { ...two, user_id: 'somebody' }, { ...one, event_type: 'search' }])
		assert.equal(many.status, 200, many.text)
		assert.deepEqual(many.json.results.map((r) => [r.index, r.status, r.reason ?? '']),
			[[0, 'accepted', ''], [1, 'duplicate', ''], [2, 'duplicate', ''], [3, 'rejected', 'conflict'], [4, 'rejected', 'conflict']])
		assert.deepEqual([many.json.accepted, many.json.duplicates, many.json.rejected, many.json.quarantined], [1, 2, 2, 0])
		assert.equal(await stored(), n + 2)
		assert.deepEqual(since(await accounts(), was), { received: 9, stored: 2, duplicate: 4, quarantined: 0, refused: 3 })
	})

	it('keeps what is good of a batch whatever becomes of the rest', async () => {
		const was = await accounts(), good = event(), old = event({ timestamp: daysAgo(200) })
		const answer = await batch({ events: [good, event({ event_type: 'No Good' }), old, 17, event({ user_id: 'undefined', session_id: undefined })] })
		assert.equal(answer.status, 200, answer.text)
		assert.deepEqual(answer.json.results.map((r) => [r.status, r.reason ?? '', r.field ?? '']),
			[['accepted', '', ''], ['rejected', 'invalid', 'event_type'], ['quarantined', 'too_old', 'timestamp'], ['rejected', 'invalid', ''], ['rejected', 'invalid', 'user_id']])
		assert.equal(answer.json.results[0].event_id, good.event_id)
		assert.deepEqual(since(await accounts(), was), { received: 5, stored: 1, duplicate: 0, quarantined: 1, refused: 3 })
		const apart = await cache.one(`SELECT * FROM activity_quarantine WHERE event_id = '${old.event_id}'`)
		assert.deepEqual([apart.reason, apart.field, apart.event_type, apart.decision, JSON.parse(apart.payload).user_id], ['too_old', 'timestamp', 'product_view', null, old.user_id])
		assert.equal((await track(old)).json.status, 'quarantined')
	})

	it('refuses what cannot be read, is too much, or of the wrong kind', async () => {
		const n = await stored()
		for (const [target, body, status, field] of [[TRACK, '{"event_type":', 400, 'body'], [BATCH, '[{]', 400, 'body'], [TRACK, event({ event_type: 'A b' }), 422, 'event_type'],
			[TRACK, event({ surprise: 1 }), 422, 'surprise'], [TRACK, event({ properties: { price: '-1' } }), 422, 'properties.price'], [TRACK, '[]', 422, ''],
			[BATCH, { events: [] }, 422, 'events'], [BATCH, [], 422, 'events'], [BATCH, event(), 422, 'events'], [BATCH, Array.from({ length: 101 }, () => event()), 413, 'events']]) {
			const answer = await post(target, body)
			assert.deepEqual([answer.status, answer.json.field ?? ''], [status, field], `${JSON.stringify(body).slice(0, 100)} ${answer.text}`)
			assert.match(answer.headers['content-type'], /problem\+json/)
		}
		assert.equal((await batch(Array.from({ length: 100 }, () => event()))).json.accepted, 100)
		assert.equal((await track(event(), { 'content-type': 'application/xml' })).status, 415)
		assert.equal((await post(BATCH, `["${'x'.repeat(600 * 1024)}"]`)).status, 413)
		assert.equal((await track(event({ properties: { a: 'x'.repeat(70 * 1024) } }))).status, 413)
		assert.equal((await web.get(TRACK, { method: 'POST', body: JSON.stringify(event()), headers: { 'content-type': 'application/json' } })).status, 401)
		assert.equal((await track(event(), who.read)).status, 403)
		assert.equal((await track(event(), who.admin)).status, 202)
		assert.equal(await stored(), n + 101)
	})

	it('stores an event once, however many send it at once to two programs', async () => {
		const events = Array.from({ length: 50 }, () => event()), n = await stored()
		const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => batch(i & 1 ? events : [...events].reverse(), {}, i & 2 ? web : second)))
		assert.deepEqual([...new Set(answers.map((a) => a.status))], [200])
		assert.equal(answers.reduce((sum, a) => sum + a.json.accepted, 0), 50)
		assert.equal(answers.reduce((sum, a) => sum + a.json.duplicates, 0), 350)
		const singles = Array.from({ length: 200 }, (_, i) => events[i % 50]).concat(Array.from({ length: 200 }, () => event()))
		const each = await Promise.all(singles.map((e, i) => track(e, {}, i % 2 ? web : second)))
		assert.deepEqual([each.filter((a) => a.json.status === 'accepted').length, each.filter((a) => a.json.status === 'duplicate').length], [200, 200])
		assert.equal(await stored(), n + 250)
		const places = await cache.one('SELECT count(*)::int AS n, count(DISTINCT seq)::int AS seqs FROM activity_event')
		assert.equal(places.n, places.seqs)
		assert.equal(await cache.value('SELECT sum(events)::int FROM activity_batch'), places.n)
	})

	it('lets a public key in from pages of its origins only, and trusts it in nothing', async () => {
		const safari = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'
		const one = event({ event_type: 'purchase' }), headers = { ...who.public, origin: SHOP, 'user-agent': safari }
		const answer = await track(one, headers)
		assert.deepEqual([answer.status, answer.json.status], [202, 'accepted'], answer.text)
		assert.deepEqual([answer.headers['access-control-allow-origin'], answer.headers['access-control-allow-credentials']], [SHOP, undefined])
		assert.match(answer.headers.vary, /Origin/)
		const is = await row(one.event_id)
		assert.deepEqual([is.flags & 1, is.dims[3], is.dims[4]], [0, 'mobile', 'Safari'])
		const refused = await track(event({ event_type: 'No' }), headers)
		assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [422, SHOP], 'the page may read why')
		for (const origin of ['https://evil.example', 'https://shop.example.evil.example', 'http://shop.example', 'null', undefined]) {
			const none = await track(event(), { ...who.public, ...(origin && { origin }) })
			assert.deepEqual([none.status, none.headers['access-control-allow-origin']], [403, origin], 'a page may read that it is of no use')
		}
		const bot = event()
		await track(bot, { ...headers, 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' })
		assert.equal((await row(bot.event_id)).flags & 16, 16)
		assert.equal((await web.get(`/events/${one.event_id}`, { headers: { ...who.public, origin: SHOP } })).status, 403)
		assert.equal((await web.get('/api/v1/ingest', { method: 'POST', body: '[]', headers: { 'content-type': 'application/json', ...who.public, origin: SHOP } })).status, 403)
	})

	it('answers what a browser asks before it sends', async () => {
		for (const target of [TRACK, BATCH]) {
			const answer = await web.get(target, { method: 'OPTIONS', headers: { origin: SHOP, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-write-key,content-type' } })
			assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [204, SHOP])
			assert.match(answer.headers['access-control-allow-methods'], /POST/)
			assert.match(answer.headers['access-control-allow-headers'], /X-Write-Key/)
			assert.equal(answer.headers['access-control-allow-credentials'], undefined)
		}
		const other = await web.get('/api/v1/ingest', { method: 'OPTIONS', headers: { origin: SHOP, 'access-control-request-method': 'POST' } })
		assert.equal(other.headers['access-control-allow-origin'], undefined)
	})

	it('takes what navigator.sendBeacon sends, and keys where headers cannot be set, and logs none', async () => {
		const plain = { 'content-type': 'text/plain;charset=UTF-8', origin: SHOP, authorization: undefined }
		const send = (target, headers, one = event()) => web.get(target, { method: 'POST', body: JSON.stringify(one), headers: { 'content-type': 'application/json', ...headers } })
		assert.equal((await web.get(`${TRACK}?key=${keys.public}`, { method: 'POST', body: JSON.stringify(event()), headers: { 'content-type': plain['content-type'], origin: SHOP } })).status, 202)
		assert.equal((await web.get(`${BATCH}?key=${keys.public}`, { method: 'POST', body: JSON.stringify([event()]), headers: { 'content-type': plain['content-type'], origin: SHOP } })).json.accepted, 1)
		assert.equal((await send(TRACK, { 'x-write-key': keys.ingest })).status, 202)
		assert.equal((await send(`${TRACK}?key=tk_wrong`, {})).status, 401)
		assert.equal((await send(`${TRACK}?kei=${keys.ingest}`, {})).status, 401)
		assert.equal((await web.get(`/api/admin/analytics/summary?key=${keys.admin}`)).status, 401, 'a key in an address counts nowhere else')
		const access = readFileSync(path.join(web.dir, 'log/access.log'), 'utf8')
		for (const key of Object.values(keys)) assert.equal((web.log + access).includes(key), false)
	})

	it('refuses a secret in an address', async () => {
		const n = await stored()
		for (const target of [TRACK, BATCH])
			for (const key of [keys.ingest, keys.admin]) {
				const answer = await web.get(`${target}?key=${key}`, { method: 'POST', body: JSON.stringify(target === TRACK ? event() : [event()]), headers: { 'content-type': 'application/json' } })
				assert.deepEqual([answer.status, answer.json.code, answer.json.field], [403, 'forbidden', 'key'], answer.text)
			}
		assert.equal(await stored(), n)
		assert.equal((await post(`${TRACK}?key=whatever`, event())).status, 202, 'a header comes first')
	})

	it('lets a page read that its key is good for nothing any more, and that alone', async () => {
		const send = () => web.get(`${BATCH}?key=${keys.shortlived}`, { method: 'POST', body: JSON.stringify([event()]), headers: { 'content-type': 'text/plain', origin: SHOP } })
		await addKey('shortlived', 'ingest', '--origin', SHOP)
		assert.equal((await send()).status, 200)
		assert.equal((await run(['key', 'revoke', String(await cache.value("SELECT key_id FROM api_key WHERE name = 'shortlived'"))])).code, 0)
		const answer = await until(async () => { const got = await send(); return got.status !== 200 && got }, { what: 'a refusal' })
		assert.deepEqual([answer.status, answer.headers['access-control-allow-origin'], answer.headers['access-control-allow-credentials']], [401, SHOP, undefined])
		const other = await web.get('/api/admin/analytics/summary', { headers: { origin: SHOP, authorization: `Bearer ${keys.shortlived}` } })
		assert.deepEqual([other.status, other.headers['access-control-allow-origin']], [401, undefined])
	})

	it('limits what comes from an address by public keys, and by a secret key', async () => {
		const small = await Web.start(settings({ RATE_LIMIT_TRACK: '20', RATE_LIMIT_INGEST: '30', BOT_EVENTS_PER_MINUTE: '5' }))
		try {
			const many = (n, more) => Array.from({ length: n }, () => event(more))
			const page = { ...who.public, origin: SHOP }
			const first = many(15, { user_id: 'busy' })
			assert.equal((await batch(first, page, small)).json.accepted, 15)
			assert.deepEqual(await Promise.all([first[0], first[4], first[5], first[14]].map(async (e) => (await row(e.event_id)).flags & 64)), [0, 0, 64, 64])
			const over = await batch(many(6), page, small)
			assert.deepEqual([over.status, over.json.code, over.headers['access-control-allow-origin']], [429, 'too_many_requests', SHOP], over.text)
			assert.ok(Number(over.headers['retry-after']) >= 1 && Number(over.headers['retry-after']) <= 60)
			assert.equal((await batch(many(5), page, small)).json.accepted, 5)
			assert.equal((await track(event(), page, small)).status, 429)
			assert.equal((await batch(many(30, { user_id: 'imported' }), {}, small)).json.accepted, 30)
			assert.equal((await track(event(), {}, small)).status, 429)
			assert.equal(await cache.value("SELECT count(*)::int FROM activity_event WHERE user_id = 'imported' AND flags & 64 <> 0"), 0)
		} finally {
			await small.stop()
		}
	})

	it('refuses sessions: what a page sends comes with a key', async () => {
		assert.equal((await web.get(TRACK, { method: 'POST', body: JSON.stringify(event()), headers: { 'content-type': 'text/plain', cookie: 'sid=whatever' } })).status, 401)
	})

	it('keeps apart what does not fit the schema of its type, where that is enforced', async () => {
		const schema = (enforce) => cache.exec(`INSERT INTO activity_type (event_type, schema, enforce) VALUES ('quiz', '{"required": ["score"]}', ${enforce})
			ON CONFLICT (event_type) DO UPDATE SET schema = excluded.schema, enforce = excluded.enforce`)
		await schema(true)
		await pause(1200)
		const bad = event({ event_type: 'quiz', properties: {} })
		assert.equal((await track(bad)).json.status, 'quarantined')
		assert.equal(await cache.value(`SELECT reason FROM activity_quarantine WHERE event_id = '${bad.event_id}'`), 'schema')
		await schema(false)
		await pause(1200)
		const loose = event({ event_type: 'quiz', properties: {} })
		assert.equal((await track(loose)).json.status, 'accepted')
		assert.equal(await cache.value("SELECT sum(events)::int FROM activity_warning WHERE event_type = 'quiz' AND reason = 'schema'"), 2)
	})

	it('refuses what comes of a person who was erased, also of what would be kept apart', async () => {
		await cache.exec("INSERT INTO activity_secret (key) VALUES (decode(repeat('ab', 32), 'hex')) ON CONFLICT DO NOTHING")
		await cache.exec("INSERT INTO activity_suppressed (id_hash, mark) SELECT person_hash(key, 'user', 'gone'), 'm' FROM activity_secret")
		const n = await cache.value('SELECT count(*)::int FROM activity_quarantine')
		const answer = await batch([event({ user_id: 'gone' }), event(), event({ user_id: 'gone', timestamp: daysAgo(200) }), event({ user_id: undefined, anonymous_id: 'gone' })])
		assert.deepEqual(answer.json.results.map((r) => r.reason ?? r.status), ['suppressed', 'accepted', 'too_old', 'accepted'], answer.text)
		assert.equal(await cache.value('SELECT count(*)::int FROM activity_quarantine'), n)
		assert.equal((await track(event({ user_id: 'gone' }))).status, 422)
	})

	it('lets one event the database will not have cost no other its place', async () => {
		await cache.exec(`CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.user_id = 'poison' THEN RAISE check_violation; END IF; RETURN NEW; END $$;
			CREATE TRIGGER poison BEFORE INSERT ON activity_event FOR EACH ROW EXECUTE FUNCTION poison()`)
		try {
			const was = await accounts(), events = Array.from({ length: 60 }, (_, i) => event(i === 17 ? { user_id: 'poison' } : {}))
			const both = await Promise.all([batch(events), ...Array.from({ length: 20 }, () => track(event()))])
			assert.deepEqual(both.slice(1).map((a) => a.status), Array(20).fill(202))
			assert.deepEqual(both[0].json.results.map((r) => r.reason ?? ''), events.map((e) => e.user_id === 'poison' ? 'database' : ''))
			assert.equal((await track(event({ user_id: 'poison' }))).status, 422)
			assert.deepEqual(since(await accounts(), was), { received: 81, stored: 79, duplicate: 0, quarantined: 0, refused: 2 })
		} finally {
			await cache.exec('DROP TRIGGER poison ON activity_event')
		}
	})

	it('stores the first event of a day while somebody reads all of them', async () => {
		const reader = cache.exec('BEGIN; SELECT count(*) FROM activity_event; SELECT pg_sleep(4); COMMIT')
		await until(() => cache.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), { what: 'the reader' })
		const parts = () => cache.value("SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'activity_event'::regclass")
		const n = await parts(), answers = await Promise.all([40, 41, 0].map((ago) => track(event({ timestamp: daysAgo(ago) }))))
		assert.deepEqual(answers.map((a) => a.status), [202, 202, 202])
		assert.equal(await parts(), n + 2)
		assert.equal(await cache.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), 1, 'it reads still')
		const indexes = (name) => cache.query(`SELECT regexp_replace(indexdef, '\\S*activity_event\\S*', '', 'g') AS made FROM pg_indexes WHERE tablename = '${name}' ORDER BY 1`).then((rows) => rows.map((r) => r.made.replace('ONLY ', '')))
		assert.deepEqual(await indexes(`activity_event_${daysAgo(40).slice(0, 10).replaceAll('-', '')}`), await indexes('activity_event'))
		await reader
	})

	it('leaves threads for others while the database stands still', async () => {
		const small = await Web.start(settings({ HTTP_THREADS: '8', EVENT_FLUSH_INTERVAL: '5' })), holder = cache.session()
		try {
			assert.equal((await track(event(), {}, small)).status, 202)
			await holder.ask('BEGIN; LOCK TABLE activity_id')
			const sent = Array.from({ length: 30 }, () => event()), answers = Promise.all(sent.map((e) => track(e, {}, small)))
			await pause(1000)
			for (const [what, ask, status] of [['health', () => small.get('/health/ready'), 200], ['an event', () => track(event(), {}, small), 503]]) {
				const begun = Date.now(), answer = await ask()
				assert.equal(answer.status, status, answer.text)
				assert.ok(Date.now() - begun < 500, `${what}: ${Date.now() - begun} ms`)
				if (status === 503) assert.ok(answer.headers['retry-after'], answer.text)
			}
			await holder.ask('ROLLBACK')
			const statuses = (await answers).map((a) => a.status)
			const kept = new Set((await cache.query('SELECT event_id FROM activity_event')).map((r) => r.event_id))
			assert.deepEqual([statuses, sent.map((e) => kept.has(e.event_id))], [sent.map(() => 202), sent.map(() => true)], 'they waited')
			assert.equal((await track(event(), {}, small)).status, 202)
		} finally {
			await holder.close()
			await small.stop()
		}
	})

	it('says 503 to events whose transaction does not begin within EVENT_FLUSH_INTERVAL', async () => {
		const slow = ['activity_id', 'activity_event', 'activity_batch'], small = await Web.start(settings({ EVENT_FLUSH_INTERVAL: '1' }))
		try {
			assert.equal((await track(event(), {}, small)).status, 202)
			await cache.exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
				${slow.map((table) => `CREATE TRIGGER slow BEFORE INSERT ON ${table} EXECUTE FUNCTION slow();`).join('')}`)
			const first = event(), late = event(), going = track(first, {}, small)
			await until(() => cache.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), { what: 'its transaction' })
			const begun = Date.now(), answer = await track(late, {}, small), took = Date.now() - begun
			assert.deepEqual([answer.status, answer.json.code], [503, 'busy'], answer.text)
			assert.ok(took >= 1000 && took < 1400, `${took} ms`)
			assert.equal((await going).status, 202)
			assert.equal(await cache.value(`SELECT count(*)::int FROM activity_id WHERE event_id = '${late.event_id}'`), 0)
			assert.ok(await row(first.event_id))
		} finally {
			await cache.exec(slow.map((table) => `DROP TRIGGER IF EXISTS slow ON ${table};`).join(''))
			await small.stop()
		}
	})

	it('says 503 while the database is away, and loses nothing it said 202 to', async () => {
		const sent = new Map()
		let on = true
		const senders = Array.from({ length: 8 }, async () => {
			while (on) {
				const one = event(), answer = await track(one).catch(() => ({ status: 0 }))
				sent.set(one.event_id, answer.status)
				if (answer.status === 503) assert.ok(answer.headers['retry-after'], answer.text)
				await pause(5)
			}
		})
		await pause(300)
		await server.crash()
		await pause(1500)
		await server.start()
		await until(async () => (await track(event())).status === 202, { what: 'events are stored again' })
		await pause(300)
		on = false
		await Promise.all(senders)
		const statuses = [...new Set(sent.values())].sort()
		assert.deepEqual(statuses, [202, 503])
		const kept = new Set((await cache.query('SELECT event_id FROM activity_event')).map((r) => r.event_id))
		for (const [id, status] of sent) if (status === 202) assert.ok(kept.has(id), `${id} was accepted and is gone`)
	})
})
