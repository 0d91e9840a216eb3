// Broken bodies through nginx: each gets an answer of its own, nothing falls, and what was accepted is what is stored. With SAN=1
// under the sanitizers. FAULTS=long: a million of them.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { it } from 'node:test'
import { accessDatabase, takings } from '../lib/access.mjs'
import { Web } from '../lib/web.mjs'

const BROKEN = process.env.FAULTS === 'long' ? 1_000_000 : 3000

const event = (more = {}) => ({ event_type: 'page_view', event_id: randomUUID(), user_id: 'u-1', ...more })

// A whole number below n; the same ones for the same seed.
function chance(seed) {
	let a = seed
	return (n) => {
		a = (a + 0x6d2b79f5) | 0
		let t = Math.imul(a ^ (a >>> 15), 1 | a)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) % n
	}
}

const VALUES = ['null', 'true', '0', '-1', '1.5', '1e400', '1e9999', '9223372036854775808', '""', '"null"', '"undefined"', '"\\ud83d\\ude00"', '{}', '[]', '[{}]',
	'4111111111111111', '"4111 1111 1111 1111"', '"9999-12-31T23:59:59Z"', '"1970-01-01T00:00:00Z"', '"2020-01-01T00:00:00Z"', '"99999999999999.99"', '"usd"',
	'"https://a.example//b?page=1#"', '"//a"', '{"a":{"b":[1]}}', '{"mail":1,"a.b":2}', '"\\u0000"', '"\\ud83d"', '1795197845120', '"0198c0de-7a10-7c3e-9b1f-2f6f3c1d9a44"']
const BYTES = ['[[[[', ']]]]', '{"a":', '"email":1,', ',', ':', '"', '\\', '\xff', '\xc3\xa4', '\xed\xa0\x80', '0000', '\0', '\n', '{"events":', '}']

const whole = () => {
	const at = Date.now() - 1000
	return [
		event({ anonymous_id: 'a-5f1c', session_id: 's-4', timestamp: new Date(at).toISOString(), sent_at: new Date(at + 500).toISOString(),
			properties: { page: 'https://shop.example/p?color=red#top', referrer: 'https://www.google.com/search?q=x', product_id: '401', category: 'electronics', price: '89.90', quantity: 1, currency: 'EUR' } }),
		event({ event_id: undefined, event_type: 'search', anonymous_id: 7, timestamp: at, properties: { query: 'Kopfh\u00f6rer', hits: [1, 2.5, { id: '4' }], email: 'a@b.example', utm_source: 'letter' } }),
		event({ properties: { a: { b: { c: null, d: true } } } }),
	]
}

function broken(below, batch) {
	const events = whole()
	let text = JSON.stringify(batch ? (below(2) ? events : { events }) : events[below(3)])
	const values = below(4) > 0
	for (let k = below(3); k < 3; k++) {
		const at = below(text.length + 1)
		if (values) {
			const colons = [...text.matchAll(/:(?="(?:[^"\\]|\\.)*"|[^",}\]]+[,}\]])/g)], colon = colons[below(colons.length || 1)]
			if (colon) {
				const from = colon.index + 1, length = /^("(?:[^"\\]|\\.)*"|[^",}\]]+)/.exec(text.slice(from))[0].length
				text = text.slice(0, from) + VALUES[below(VALUES.length)] + text.slice(from + length)
			}
		} else {
			const to = Math.min(text.length, at + below(40)), bytes = BYTES[below(BYTES.length)]
			text = [() => text.slice(0, at) + text.slice(to), () => text.slice(0, at) + bytes + text.slice(at), () => text.slice(0, at),
				() => text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1), () => text.slice(0, to) + text.slice(at)][below(5)]()
		}
	}
	return Buffer.from(text, below(2) ? 'latin1' : 'utf8')
}

it(`${BROKEN} broken bodies: each is answered, and what was accepted is stored`, { timeout: 3_500_000 }, async (t) => {
	const seed = Math.floor(Math.random() * 2 ** 31), below = chance(seed), agent = new http.Agent({ keepAlive: true, maxSockets: 12 })
	const { db, settings, web: program } = await accessDatabase('track-broken-pg'), counts = {}
	const web = await Web.start({ ...program, RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', HTTP_THREADS: '24', LOG_LEVEL: 'WARNING' })
	t.after(() => web.stop())
	const key = { authorization: `Bearer ${/tk_[\w-]+/.exec(await takings(settings, ['key', 'add', 'shop', '--scope', 'ingest']))[0]}` }
	const stored = () => db.value('SELECT count(*)::int FROM activity_event')
	t.after(() => agent.destroy())
	let accepted = 0, left = BROKEN
	const send = (target, body) => new Promise((resolve, reject) => {
		const req = http.request({ host: '127.0.0.1', port: web.port, path: target, method: 'POST', agent,
			headers: { 'content-type': 'application/json', 'content-length': body.length, ...key } }, (res) => {
			const parts = []
			res.on('data', (d) => parts.push(d)).on('error', reject).on('end', () => resolve({ status: res.statusCode, text: Buffer.concat(parts).toString() }))
		})
		req.on('error', reject)
		req.end(body)
	})
	const worker = async () => {
		while (left-- > 0) {
			const batch = below(3) === 0, body = broken(below, batch)
			const { status, text } = await send(batch ? '/events/batch' : '/events/track', body)
			counts[status] = (counts[status] ?? 0) + 1
			assert.ok([200, 202, 400, 409, 413, 422, 503].includes(status), `seed ${seed}: ${status} for ${body}: ${text}`)
			if (status === 413) continue // nginx says it where a body is too long
			const said = JSON.parse(text)
			if (status === 200) assert.equal(said.accepted + said.duplicates + said.rejected + said.quarantined, said.results.length)
			accepted += status === 200 ? said.accepted : status === 202 && said.status === 'accepted' ? 1 : 0
		}
	}
	await Promise.all(Array.from({ length: 12 }, worker))
	assert.equal(web.program.exitCode ?? web.program.signalCode, null, `seed ${seed}: ${web.log.slice(-4000)}`)
	assert.doesNotMatch(web.log, /Sanitizer|runtime error/, `seed ${seed}`)
	for (const status of [200, 202, 400, 422]) assert.ok(counts[status] > BROKEN / 100, `seed ${seed}: ${JSON.stringify(counts)}`)
	assert.ok((counts[503] ?? 0) < BROKEN / 100, JSON.stringify(counts))
	assert.equal(await stored(), accepted, `seed ${seed}: ${JSON.stringify(counts)}`)
	const open = await db.value('SELECT count(*)::int FROM activity_account WHERE received <> stored + duplicate + quarantined + refused')
	assert.equal(open, 0)
	assert.equal((await send('/events/track', Buffer.from(JSON.stringify(event())))).status, 202)
})
