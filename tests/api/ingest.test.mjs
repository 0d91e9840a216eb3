// POST /api/v1/ingest: what is stored, what is refused and by which name, once, and when a read sees it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { parseMetrics, sample } from '../lib/prom.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { daysAgo, openSmallShop } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const INGEST = '/api/v1/ingest', SUMMARY = `/api/admin/analytics/summary?date=${daysAgo(2)}`
const MiB = 1024 * 1024, KiB = 1024

let serial = 0
const booking = (more = {}) => ({ type: 'booking.created', booking_id: `B-${++serial}`, event_id: 17, seats: 2, amount: '58.00', occurred_at: '2026-11-05T20:14:03Z', ...more })

describe('POST /api/v1/ingest', () => {
	let server, shop, web
	const who = {}

	before(async () => {
		server = await ownPostgres('ingest-pg')
		shop = await openSmallShop(4, { cache: await server.create() })
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), AUTH_MODE: 'required', ANALYTICS_CACHE_TTL: '300',
			RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', HTTP_THREADS: '16' })
		for (const scope of ['ingest', 'read', 'admin'])
			who[scope] = { authorization: `Bearer ${/tk_[\w-]+/.exec((await shop.batch(['key', 'add', scope, '--scope', scope])).stdout)[0]}` }
	})
	after(async () => {
		await web?.stop()
		await server?.stop()
	})

	const sendText = (body, headers = {}) => web.get(INGEST, { method: 'POST', body, headers: { 'content-type': 'application/json', ...who.ingest, ...headers } })
	const send = (body, headers) => sendText(JSON.stringify(body), headers)
	const stored = () => shop.cache.value('SELECT count(*)::int FROM event_log')
	const refused = async (body, status, field) => {
		const was = await stored()
		const answer = await (typeof body === 'string' ? sendText(body) : send(body))
		assert.deepEqual([answer.status, answer.json.field], [status, field], `${JSON.stringify(body).slice(0, 200)}: ${answer.text}`)
		assert.equal(answer.headers['content-type'], 'application/problem+json')
		assert.ok(answer.json.detail && answer.json.request_id)
		assert.equal(await stored(), was)
		return answer
	}

	it('stores one message, a list, and an object with a list, as they came', async () => {
		const bodies = [booking(), [booking(), booking()], { messages: [booking({ note: 'Ünï "quoted" \\ {NULL}\n' }), booking()] }]
		let n = 0
		for (const body of bodies) {
			const messages = body.messages ?? [body].flat()
			const answer = await send(body)
			assert.equal(answer.status, 202, answer.text)
			assert.deepEqual([answer.json.accepted, answer.json.duplicates], [messages.length, 0])
			n += messages.length
			assert.equal(await stored(), n)
			for (const [i, message] of messages.entries()) {
				const row = await shop.cache.one(`SELECT * FROM event_log WHERE event_data::jsonb ->> 'booking_id' = '${message.booking_id}'`)
				assert.equal(row.event_data, JSON.stringify(message))
				assert.deepEqual([row.event_type, row.event_id, row.raw, row.source, row.processed, row.attempts, row.dead_at, row.last_error],
					['booking.created', 17, null, 'http', false, 0, null, ''])
				assert.equal(row.source_position, `${answer.headers['x-request-id']}/${i}`)
				assert.ok(row.id <= Number(answer.json.write_token.slice(1)))
			}
		}
	})

	it('says that it is there, to whom listens', async () => {
		const session = shop.cache.session()
		await session.ask('LISTEN takings_inbox')
		const heard = async () => /notification "takings_inbox"/.test(await session.ask('SELECT 1'))
		assert.equal(await heard(), false)
		await send(booking())
		await until(heard, { what: 'the notification' })
		await session.close()
	})

	it('counts what was there before, and twice in one request, however it is written', async () => {
		const one = booking()
		const first = await send(one)
		assert.deepEqual([first.json.accepted, first.json.duplicates], [1, 0])
		const was = await stored()
		const turned = `{ "occurred_at": "${one.occurred_at}",\n "amount":"58.00", "seats" : 2,"event_id":17,"booking_id":"${one.booking_id}", "type":"booking\\u002ecreated"}`
		for (const again of [JSON.stringify(one), turned]) {
			const answer = await sendText(again)
			assert.deepEqual([answer.status, answer.json], [202, { accepted: 0, duplicates: 1, write_token: first.json.write_token }])
		}
		assert.equal(await stored(), was)
		const two = booking()
		const both = await send([two, one, two])
		assert.deepEqual([both.json.accepted, both.json.duplicates], [1, 2])
		assert.equal(await stored(), was + 1)
	})

	it('stores a message once, however many send it at once, and in whatever order', async () => {
		const messages = Array.from({ length: 200 }, () => booking())
		const was = await stored()
		const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send(i % 2 ? messages : [...messages].reverse())))
		assert.deepEqual([...new Set(answers.map((a) => a.status))], [202])
		assert.equal(answers.reduce((n, a) => n + a.json.accepted, 0), 200)
		assert.equal(answers.reduce((n, a) => n + a.json.duplicates, 0), 7 * 200)
		assert.equal(await stored(), was + 200)
		assert.equal(new Set(answers.map((a) => a.json.write_token)).size, 1)
	})

	it('refuses what is wrong by its name, and stores nothing of the request', async () => {
		const good = booking()
		for (const [wrong, field] of [[{ seats: -1 }, 'seats'], [{ quantity: 1000001, seats: null }, 'seats'], [{ amount: '-0.01' }, 'amount'], [{ event_id: 0 }, 'event_id'],
			[{ event_id: null }, 'event_id'], [{ booking_id: 'x'.repeat(201) }, 'booking_id'], [{ occurred_at: null }, 'occurred_at'],
			[{ occurred_at: '2100-01-01' }, 'occurred_at'], [{ currency: 'EURO' }, 'currency'], [{ type: 'order.created' }, 'type'], [{ type: null }, 'type'], [{ status: 'maybe' }, 'status']]) {
			await refused(booking(wrong), 422, field)
			await refused([good, good, good, booking(wrong)], 422, `messages[3].${field}`)
			await refused({ messages: [booking(wrong), good] }, 422, `messages[0].${field}`)
		}
		for (const nothing of [1, 'text', null, [good], true]) await refused([good, nothing], 422, 'messages[1]')
		await refused([], 422, 'messages')
		await refused({ messages: [] }, 422, 'messages')
		await refused({ messages: [good], more: 1 }, 422, 'type')
		await refused({ messages: good }, 422, 'type')
		for (const text of ['1', '"text"', 'null']) await refused(text, 422, 'body')
		for (const text of ['', '{', 'hello', '[{}', `${JSON.stringify(good)} x`, '{"type":"user.created","type":"user.created"}', '{"type":"user.created","user_id":"\\u0000"}',
			Buffer.from([0x7b, 0xff, 0x7d])]) {
			const answer = await sendText(text)
			assert.deepEqual([answer.status, answer.json.field], [400, 'body'], String(text))
		}
		assert.equal((await send(good)).json.accepted, 1) // none of it was stored before
	})

	it('takes 1000 messages, 64 KiB each and 1 MiB in all, and no more', async () => {
		for (const n of [999, 1000]) assert.equal((await send(Array.from({ length: n }, () => booking()))).json.accepted, n)
		await refused(Array.from({ length: 1001 }, () => booking()), 422, 'messages')
		const sized = (n, more = {}) => { const m = booking({ x: '', ...more }); m.x = 'x'.repeat(n - JSON.stringify(m).length); return m }
		for (const n of [64 * KiB - 1, 64 * KiB]) assert.equal((await send(sized(n))).status, 202)
		await refused(sized(64 * KiB + 1), 422, 'body')
		await refused([booking(), sized(64 * KiB + 1)], 422, 'messages[1]')
		const whole = (n) => { const list = Array.from({ length: 16 }, () => sized(60 * KiB)); const text = JSON.stringify(list); return text + ' '.repeat(n - text.length) }
		for (const n of [MiB - 1, MiB]) assert.equal((await sendText(whole(n))).status, 202)
		const answer = await sendText(whole(MiB + 1))
		assert.deepEqual([answer.status, answer.headers['content-type']], [413, 'application/problem+json'])
		// here only
		const login = await web.get('/auth/token', { method: 'POST', body: 'x'.repeat(64 * KiB + 1), headers: { 'content-type': 'application/json' } })
		assert.equal(login.status, 413)
		const nested = (depth) => sendText(JSON.stringify(booking()).replace(/}$/, `,"x":${'['.repeat(depth)}${']'.repeat(depth)}}`))
		assert.equal((await nested(15)).status, 202)
		assert.equal((await nested(16)).status, 422)
		assert.equal((await nested(10000)).status, 422)
	})

	it('is for keys that send and for admins', async () => {
		const was = await stored()
		for (const [headers, status] of [[{ authorization: '' }, 401], [{ authorization: 'Bearer tk_nonsense' }, 401], [who.read, 403]]) {
			const answer = await send(booking(), headers)
			assert.equal(answer.status, status)
			if (status === 401) assert.ok(answer.headers['www-authenticate'])
		}
		assert.equal((await send(booking(), { 'content-type': 'text/plain' })).status, 415)
		assert.equal((await send(booking(), { 'content-type': '' })).status, 415)
		assert.equal((await web.get(`${INGEST}?x=1`, { method: 'POST', body: JSON.stringify(booking()), headers: { 'content-type': 'application/json', ...who.ingest } })).status, 422)
		assert.equal(await stored(), was)
		assert.equal((await send(booking(), who.admin)).status, 202)
	})

	it('is counted', async () => {
		const count = async () => {
			const m = parseMetrics((await web.get('/metrics')).text)
			return ['accepted', 'duplicate', 'refused'].map((result) => sample(m, 'takings_ingest_messages_total', { result }))
		}
		const was = await count(), one = booking()
		await send([one, booking(), one])
		await refused([booking(), booking({ seats: -1 })], 422, 'messages[1].seats')
		assert.deepEqual((await count()).map((n, i) => n - was[i]), [2, 1, 2])
	})

	describe('a read with its write_token', () => {
		const day = daysAgo(2)
		const read = (token, headers = who.read) => web.get(SUMMARY, { headers: { ...headers, 'x-read-after': token } })
		// What the processor does: figures, the row, and later the ranks.
		const takeEffect = (id) => shop.cache.exec(`BEGIN; UPDATE event_log SET processed = true WHERE id <= ${id}; UPDATE booking_site SET version = version + 1;
			UPDATE daily_revenue_cache SET revenue_minor = revenue_minor + 100 WHERE business_date = '${day}'; COMMIT`)
		const rank = () => shop.cache.exec('UPDATE booking_site SET ranked_version = version')

		it('waits for the effect, and sees it though an older answer was kept', async () => {
			const { write_token: token } = (await send(booking())).json
			await rank()
			const { json: { total_revenue: was } } = await web.get(SUMMARY, { headers: who.read })
			assert.match((await web.get(SUMMARY, { headers: who.read })).headers['x-cache'], /^hit/)
			const waiting = read(token)
			await new Promise((done) => setTimeout(done, 300))
			await takeEffect(Number(token.slice(1)))
			await new Promise((done) => setTimeout(done, 200))
			await rank()
			const answer = await waiting
			assert.deepEqual([answer.status, answer.json.total_revenue], [200, was + 1])
			assert.ok(answer.ms >= 450, String(answer.ms))
			assert.ok((await read(token)).ms < 1000)
		})

		it('is told when it is not there after two seconds', async () => {
			const { write_token: token } = (await send(booking())).json
			const late = await read(token)
			assert.deepEqual([late.status, late.json.code, late.json.field], [409, 'not_yet', 'X-Read-After'])
			assert.ok(late.ms >= 1900 && late.ms < 4000, String(late.ms))
			await takeEffect(Number(token.slice(1))) // ranks are still those of before
			assert.equal((await read(token)).status, 409)
			await rank()
			assert.equal((await read(token)).status, 200)
			// what is dead never takes effect, and nobody waits for it
			const { write_token: dead } = (await send(booking())).json
			await shop.cache.exec('UPDATE event_log SET dead_at = now() WHERE NOT processed')
			assert.equal((await read(dead)).status, 200)
			for (const wrong of ['i', 'ix', 'i-1', 'i1.5', 'x1', 'i99999999999999999999']) assert.equal((await read(wrong)).status, 422, wrong)
		})

		it('never holds all threads', async () => {
			const { write_token: token } = (await send(booking())).json
			const late = Promise.all(Array.from({ length: 30 }, () => read(token)))
			await new Promise((done) => setTimeout(done, 200))
			const other = await web.get(SUMMARY, { headers: who.read })
			assert.ok(other.status === 200 && other.ms < 1500, `${other.status} ${other.ms}`)
			assert.deepEqual([...new Set((await late).map((a) => a.status))], [409])
		})
	})

	it('acknowledges nothing while the database is away, and goes on after', async () => {
		const before = booking(), during = booking()
		assert.equal((await send(before)).status, 202)
		await server.stop()
		for (let i = 0; i < 8; i++) {
			const answer = await send(during)
			assert.equal(answer.status, 503)
			assert.match(answer.headers['retry-after'], /^[1-9]\d*$/)
			assert.equal(answer.headers['content-type'], 'application/problem+json')
		}
		await server.start()
		const answer = await until(async () => { const a = await send([before, during]); return a.status === 202 && a })
		assert.deepEqual([answer.json.accepted, answer.json.duplicates], [1, 1])
		assert.equal((await web.get('/health')).json.checks.ingest.status, 'ok')
	})
})
