// What nginx does before a request reaches the program: limits, errors, headers, compression.
import assert from 'node:assert/strict'
import net from 'node:net'
import zlib from 'node:zlib'
import http from 'node:http'
import { after, before, describe, it } from 'node:test'
import { openSmallShop } from '../lib/shop.mjs'
import { OPEN, Web } from '../lib/web.mjs'

const SECURITY = ['content-security-policy', 'x-content-type-options', 'referrer-policy', 'cross-origin-opener-policy',
	'cross-origin-resource-policy', 'permissions-policy']

// Bytes to nginx, and what comes back until it hangs up: { status, headers, json }.
function raw(port, text) {
	return new Promise((resolve, reject) => {
		let got = ''
		const socket = net.connect(port, '127.0.0.1', () => socket.write(text))
		socket.setTimeout(60_000, () => { socket.destroy(); reject(new Error(`no answer to ${text.slice(0, 80)}`)) })
		socket.on('data', (d) => { got += d })
		socket.on('error', () => {}) // it may hang up on what it does not want to read
		socket.on('close', () => {
			const [head, body] = got.split('\r\n\r\n', 2)
			const headers = Object.fromEntries(head.split('\r\n').slice(1).map((line) => [line.split(':')[0].toLowerCase(), line.slice(line.indexOf(':') + 2)]))
			try {
				resolve({ status: Number(head.split(' ')[1]), headers, json: body ? JSON.parse(body) : undefined, text: got })
			} catch (e) {
				reject(new Error(`${e.message}: ${got}`))
			}
		})
	})
}

const ask = (line, headers = 'Host: localhost\r\n') => `${line}\r\n${headers}Connection: close\r\n\r\n`

describe('nginx', () => {
	let web, shop
	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: shop.cache.url() })
	})
	after(() => web?.stop())

	it('answers what is no request of ours as the program would', async () => {
		const cases = [
			[400, 'garbage\r\n\r\n'], [400, ask('GET / HTTP/1.1', '')], [400, ask('GET / HTTP/1.1', 'Host: a\r\nHost: b\r\n')],
			[414, ask(`GET /${'a'.repeat(9000)} HTTP/1.1`)], [431, ask('GET / HTTP/1.1', `Host: localhost\r\nX-Long: ${'a'.repeat(9000)}\r\n`)],
			[413, ask('POST /auth/token HTTP/1.1', 'Host: localhost\r\nContent-Length: 70000\r\n')], [405, ask('TRACE / HTTP/1.1')],
			[404, ask('GET /static/nothing.css HTTP/1.1')], [404, ask('GET /static/../takings-problem HTTP/1.1')], [404, ask('GET /takings-problem HTTP/1.1')],
			[403, ask('GET /static/css/ HTTP/1.1')], [421, ask('GET /health HTTP/1.1', 'Host: elsewhere.example\r\n')],
			[400, ask('POST /auth/token HTTP/1.1', 'Host: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n')],
			[400, ask('GET /%00 HTTP/1.1')], [505, ask('GET / HTTP/2.0')],
			[501, ask('POST /auth/token HTTP/1.1', 'Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n')],
		]
		const answers = await Promise.all(cases.map(([, text]) => raw(web.port, text))) // nginx lingers on some for 5 s
		for (const [i, [status, text]] of cases.entries()) {
			const answer = answers[i]
			const what = text.slice(0, 60)
			assert.equal(answer.status, status, `${what}: ${answer.text.slice(0, 300)}`)
			assert.equal(answer.headers['content-type'], 'application/problem+json', what)
			assert.deepEqual([answer.json.status, answer.json.type, typeof answer.json.detail], [status, 'about:blank', 'string'], what)
			assert.equal(answer.json.request_id, answer.headers['x-request-id'], what)
			assert.equal(answer.headers['cache-control'], 'no-store', what)
			assert.ok(SECURITY.every((name) => answer.headers[name]), what)
		}
	})

	it('lets a caller name its request, by a plain name', async () => {
		for (const target of ['/health/live', '/nothing', '/static/nothing', '/static/css/frame.css']) {
			const named = await web.get(target, { headers: { 'x-request-id': 'till-7_2026-11-21' } })
			assert.equal(named.headers['x-request-id'], 'till-7_2026-11-21', target)
			if (named.json?.request_id) assert.equal(named.json.request_id, 'till-7_2026-11-21', target)
			for (const odd of ['short', 'a"b\\c-and-more', 'x'.repeat(65), 'with blanks in it']) {
				const made = (await web.get(target, { headers: { 'x-request-id': odd } })).headers['x-request-id']
				assert.match(made, /^[0-9a-f]{32}$/, `${target} ${odd}`)
			}
		}
	})

	it('has the same security headers for its own answers as the program has', async () => {
		const { headers: want } = await web.get('/health')
		for (const target of ['/static/css/frame.css', '/static/nothing', '/admin/']) {
			const { headers } = await web.get(target)
			for (const name of SECURITY) assert.equal(headers[name], want[name], `${target}: ${name}`)
			assert.equal(headers['strict-transport-security'], undefined) // there is no TLS here
		}
	})

	it('compresses JSON and pages into the same text, and HEAD has the same headers', async () => {
		for (const target of ['/api/admin/analytics/hourly', '/admin/', '/static/css/frame.css']) {
			const plain = await web.get(target)
			const packed = await new Promise((resolve, reject) => {
				http.get({ port: web.port, host: '127.0.0.1', path: target, headers: { 'accept-encoding': 'gzip' } }, (res) => {
					const parts = []
					res.on('data', (d) => parts.push(d))
					res.on('end', () => resolve({ headers: res.headers, body: Buffer.concat(parts) }))
				}).on('error', reject)
			})
			assert.equal(packed.headers['content-encoding'], 'gzip', target)
			assert.match(packed.headers.vary, /Accept-Encoding/)
			assert.match(plain.headers.vary, /Accept-Encoding/)
			assert.equal(plain.headers['content-encoding'], undefined)
			// Each answer has a request id, and says when it was made.
			const steady = (text) => text.replaceAll(/[0-9a-f]{32}/g, '').replaceAll(/\d\d:\d\d:\d\d\.\d+/g, '')
			assert.equal(steady(zlib.gunzipSync(packed.body).toString()), steady(plain.text), target)
			const head = await web.get(target, { method: 'HEAD' })
			assert.equal(head.text, '')
			assert.equal(head.headers['content-type'], plain.headers['content-type'])
		}
	})

	it('says 502 and when to come back while the program is away', async () => {
		const gone = new Promise((done) => web.program.once('close', done))
		web.program.kill('SIGTERM')
		await gone
		for (const method of ['GET', 'POST']) {
			const answer = await web.get('/auth/token', { method })
			assert.deepEqual([answer.status, answer.json.status, answer.headers['retry-after']], [502, 502, '1'])
		}
		// not that it is too large: whoever sent it would not send it again
		for (const [bytes, status] of [[100_000, 502], [500_000, 502], [600_000, 413]]) {
			const answer = await web.get('/events/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: 'x'.repeat(bytes) })
			assert.deepEqual([answer.status, answer.json?.status], [status, status], `${bytes} bytes`)
		}
		assert.equal((await web.get('/static/css/frame.css')).status, 200)
	})
})

describe('readers who do not read', () => {
	it('hold no thread of the program', async () => {
		const shop = await openSmallShop(5)
		await shop.expectRun(0)
		const web = await Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: shop.cache.url(), HTTP_THREADS: '2' })
		const year = new Date().getUTCFullYear()
		const page = (i) => `/admin/revenue?step=day&from=${year - 10}-0${i + 1}-01&to=${year}-12-31`
		const one = await web.get(page(0))
		assert.equal(one.status, 200)
		assert.ok(one.text.length > 900_000, `${one.text.length} bytes are kept by sockets alone`)
		// How much of the last one the sockets hold is chance: each reader has pages of a size of its own.
		const readers = Array.from({ length: 4 }, (_, i) => {
			const socket = net.connect(web.port, '127.0.0.1').on('error', () => {})
			socket.pause().write(`GET ${page(i)} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(8)) // more than all their buffers
			return socket
		})
		try {
			for (const end = Date.now() + 25_000; Date.now() < end;) {
				const asked = Date.now()
				assert.equal((await web.get('/health/live')).status, 200)
				assert.ok(Date.now() - asked < 3500, `${Date.now() - asked} ms`)
				await new Promise((done) => { setTimeout(done, 100) })
			}
		} finally {
			for (const socket of readers) socket.destroy()
			await web.stop()
		}
	})
})

describe('the outer limits', () => {
	const base = { ...OPEN, ANALYTICS_DATABASE_URL: 'postgresql://me@/none?host=/nowhere&port=1', DEV: '1' }
	const many = async (web, n, target, method = 'GET') => {
		const answers = await Promise.all(Array.from({ length: n }, () => web.get(target, { method })))
		const refused = answers.filter((a) => a.status === 429)
		for (const { headers, json } of refused) {
			assert.equal(headers['content-type'], 'application/problem+json')
			assert.ok(Number(headers['retry-after']) >= 1 && json.status === 429)
		}
		return refused.length
	}

	it('hold one address to 50 requests a second, 200 at once, and 30 logins a minute, 10 at once', async () => {
		const web = await Web.start(base, { limited: true })
		try {
			const began = Date.now()
			const refused = await many(web, 600, '/health/live')
			const refilled = (Date.now() - began) / 1000 * 50 + 60
			assert.ok(refused >= 600 - 201 - refilled && refused < 600 - 100, `${refused} refused`)
			for (const target of ['/admin/login', '/auth/token']) {
				const login = await many(web, 20, target, 'POST')
				assert.ok(target === '/auth/token' ? login >= 15 : login >= 7 && login <= 9, `${target}: ${login}`)
			}
		} finally {
			await web.stop()
		}
	})

	it('leave this machine alone unless told otherwise', async () => {
		const web = await Web.start({ ...base, RATE_LIMIT_LOGIN: '0' })
		try {
			assert.equal(await many(web, 600, '/health/live'), 0)
			assert.equal(await many(web, 50, '/auth/token'), 0)
		} finally {
			await web.stop()
		}
	})
})
