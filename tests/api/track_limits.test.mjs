// POST /events/track and /events/batch at every limit: one less, just that, one more.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { accessDatabase, takings } from '../lib/access.mjs'
import { Web } from '../lib/web.mjs'

const KiB = 1024, MOST = 100

const event = (more = {}) => ({ event_type: 'page_view', event_id: randomUUID(), user_id: 'u-1', ...more })
const having = (properties) => event({ properties })

// The event as JSON of exactly n bytes, most of them in its properties.
function ofBytes(n) {
	const properties = {}
	for (let i = 0; i < Math.min(60, Math.floor(n / 1100)); i++) properties[`text${i}`] = 'x'.repeat(KiB)
	const text = JSON.stringify(having(properties))
	return text.slice(0, -1) + ' '.repeat(n - text.length) + '}'
}

describe('limits of tracked events', () => {
	let db, web, key

	before(async () => {
		const made = await accessDatabase('track-limits-pg')
		db = made.db
		web = await Web.start({ ...made.web, RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', EVENT_BATCH_SIZE: String(MOST), HTTP_THREADS: '24', LOG_LEVEL: 'WARNING' })
		key = { authorization: `Bearer ${/tk_[\w-]+/.exec(await takings(made.settings, ['key', 'add', 'shop', '--scope', 'ingest']))[0]}` }
	})
	after(() => web?.stop())

	const post = (target, body) => web.get(target, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body),
		headers: { 'content-type': 'application/json', ...key } })
	const stored = () => db.value('SELECT count(*)::int FROM activity_event')

	// By itself and among others, which are stored all the same; `due` is how many events must be there at the end of a test.
	let due = 0
	async function expect(one, status, field) {
		const text = typeof one === 'string' ? one : JSON.stringify(one)
		const alone = await post('/events/track', text)
		assert.deepEqual([alone.status, alone.json.field ?? null], [status, field], `${text.slice(0, 200)}: ${alone.text}`)
		const again = text.replace(/"event_id":"[^"]*"/, `"event_id":"${randomUUID()}"`)
		const batch = await post('/events/batch', `[${JSON.stringify(event())},${again},${JSON.stringify(event())}]`)
		assert.equal(batch.status, 200, batch.text)
		const fine = status === 202
		assert.deepEqual(batch.json.results.map((r) => r.status), ['accepted', fine ? 'accepted' : 'rejected', 'accepted'], `${text.slice(0, 200)}: ${batch.text}`)
		if (!fine && field !== null) assert.equal(batch.json.results[1].field, field)
		due += fine ? 4 : 2
	}
	async function counted(test) {
		due = await stored()
		await test()
		assert.equal(await stored(), due)
	}

	async function edge(n, make, field) {
		await expect(make(n - 1), 202, null)
		await expect(make(n), 202, null)
		await expect(make(n + 1), 422, field)
	}

	it('the event: 64 KiB', async () => {
		for (const n of [64 * KiB - 1, 64 * KiB]) await expect(ofBytes(n), 202, null)
		const was = await stored(), over = ofBytes(64 * KiB + 1)
		assert.equal((await post('/events/track', over)).status, 413)
		const among = await post('/events/batch', `[${over},${JSON.stringify(event())}]`)
		assert.deepEqual(among.json.results.map((r) => r.status), ['rejected', 'accepted'], among.text)
		assert.equal(await stored(), was + 1)
	})

	it('the request: 512 KiB', async () => {
		const of = (n) => {
			const list = Array.from({ length: 10 }, () => ofBytes(50 * KiB)).join(',')
			return `[${list}${' '.repeat(n - list.length - 2)}]`
		}
		for (const n of [512 * KiB - 1, 512 * KiB]) {
			const answer = await post('/events/batch', of(n))
			assert.deepEqual([answer.status, answer.json.accepted], [200, 10], answer.text)
		}
		const was = await stored()
		assert.equal((await post('/events/batch', of(512 * KiB + 1))).status, 413)
		assert.equal(await stored(), was)
	})

	it('the batch: EVENT_BATCH_SIZE events, and at least one', async () => {
		for (const wrap of [(list) => list, (events) => ({ events })]) {
			for (const n of [1, MOST - 1, MOST]) {
				const answer = await post('/events/batch', wrap(Array.from({ length: n }, () => event())))
				assert.deepEqual([answer.status, answer.json.accepted], [200, n], answer.text)
			}
			const was = await stored()
			assert.equal((await post('/events/batch', wrap(Array.from({ length: MOST + 1 }, () => event())))).status, 413)
			assert.equal((await post('/events/batch', wrap([]))).status, 422)
			assert.equal(await stored(), was)
		}
	})

	it('names, levels, texts and numbers of properties', () => counted(async () => {
		await edge(64, (n) => having(Object.fromEntries(Array.from({ length: n }, (_, i) => [`n${i}`, i]))), 'properties')
		await edge(64, (n) => having({ list: [Object.fromEntries(Array.from({ length: n - 1 }, (_, i) => [`n${i}`, i]))] }), 'properties')
		await edge(100, (n) => having({ ['n'.repeat(n)]: 1 }), 'properties')
		await edge(3, (n) => having([0, { a: 1 }, { a: { b: 1 } }, { a: { b: { c: 1 } } }, { a: { b: { c: {} } } }][n]), 'properties.a.b.c')
		await edge(1024, (n) => having({ a: 'x'.repeat(n) }), 'properties.a')
		await edge(1024, (n) => having({ a: `${'x'.repeat(n - 3)}\u20ac` }), 'properties.a')
		await edge(64, (n) => JSON.stringify(having({ a: 1 })).replace('"a":1', `"a":1.${'5'.repeat(n - 2)}`), 'properties.a')
	}))

	it('what is left out may have any name', () => counted(async () => {
		for (const n of [1, 40, 41, 47]) for (const letter of ['\u00e4', '\u20ac', 'x']) {
			const name = `email${letter.repeat(n)}`
			if (Buffer.byteLength(name) <= 100) await expect(having({ [name]: 'a@b.example', list: [{ [name]: 1 }] }), 202, null)
		}
	}))

	it('type and ids', () => counted(async () => {
		await edge(64, (n) => event({ event_type: 't'.repeat(n) }), 'event_type')
		for (const field of ['user_id', 'anonymous_id', 'session_id']) {
			await edge(128, (n) => event({ [field]: 'i'.repeat(n) }), field)
			await edge(128, (n) => event({ [field]: `\u00e4${'i'.repeat(n - 2)}` }), field)
			for (const blank of ['', 'null', 'undefined', 'NaN', '0', 0, 'anonymous', '[object Object]']) await expect(event({ [field]: blank }), 422, field)
		}
		await expect({ ...event(), event_type: '' }, 422, 'event_type')
		await expect({ ...event(), user_id: null }, 422, 'user_id')
		await expect({ ...event(), userId: 'u' }, 422, 'userId')
	}))

	it('price and quantity', () => counted(async () => {
		for (const price of ['0', 0, '0.000001', '99999999999999.99', null]) await expect(having({ price }), 202, null)
		for (const price of ['-0.01', -1, '100000000000000', 'x', '', true, [1]]) await expect(having({ price }), 422, 'properties.price')
		for (const quantity of [1, '1', 999_999, 1_000_000, null]) await expect(having({ quantity }), 202, null)
		for (const quantity of [0, -1, 1_000_001, 1.5, 'x', '']) await expect(having({ quantity }), 422, 'properties.quantity')
		for (const currency of ['EUR', 'usd', null]) await expect(having({ currency }), 202, null)
		for (const currency of ['EU', 'EURO', '\u20ac\u20ac\u20ac', 978]) await expect(having({ currency }), 422, 'properties.currency')
	}))
})
