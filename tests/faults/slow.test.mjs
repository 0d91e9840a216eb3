// A thousand clients that send a byte now and then, and peers of the program that send half a record:
// honest requests are answered all the same, and no thread of the program is lost.
import assert from 'node:assert/strict'
import net from 'node:net'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { parseMetrics, sample } from '../lib/prom.mjs'
import { openSmallShop } from '../lib/shop.mjs'
import { OPEN, Web } from '../lib/web.mjs'

const CLIENTS = 1000
const SECONDS = process.env.FAULTS === 'long' ? 60 : 8
const BODY = 'POST /auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n'

// Connections that drip; each that is hung up on comes again. { opened, open, stop() }
function drip(target, count, first, next) {
	const all = { opened: 0, open: new Set(), stopped: false }
	const connect = (i) => {
		if (all.stopped) return
		const socket = net.connect(target, () => socket.write(first(i)))
		all.opened++
		all.open.add(socket)
		socket.on('error', () => {})
		socket.on('data', () => {})
		socket.on('close', () => { all.open.delete(socket); setTimeout(() => connect(i), 50) })
	}
	for (let i = 0; i < count; i++) connect(i)
	const timer = setInterval(() => { for (const socket of all.open) if (socket.writable) socket.write(next()) }, 500)
	all.stop = () => {
		all.stopped = true
		clearInterval(timer)
		for (const socket of all.open) socket.destroy()
	}
	return all
}

const THREADS = 32

describe('slow clients', () => {
	let web, shop
	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: shop.cache.url(), HTTP_THREADS: String(THREADS) })
	})
	after(() => web?.stop())

	const threads = async () => {
		const m = parseMetrics((await web.get('/metrics')).text)
		return { alive: sample(m, 'takings_http_threads'), busy: sample(m, 'takings_http_threads_busy') }
	}

	// Honest requests for a while; how many there were of each status.
	async function honest(seconds) {
		const counts = {}
		let most = 0
		for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
			for (const target of ['/api/admin/analytics/hourly', '/health/live', '/static/favicon.svg']) {
				const { status } = await web.get(target)
				counts[status] = (counts[status] ?? 0) + 1
			}
			most = Math.max(most, (await threads()).busy)
		}
		return { counts, most }
	}

	it(`of nginx, ${CLIENTS} in headers and bodies, cost the program nothing`, async (t) => {
		const slow = drip({ host: '127.0.0.1', port: web.port }, CLIENTS,
			(i) => (i % 2 ? 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-' : BODY), () => 'a')
		try {
			await until(() => slow.open.size >= CLIENTS * 0.9, { what: 'the slow clients' })
			const { counts, most } = await honest(SECONDS)
			t.diagnostic(`${slow.opened} slow connections, honest answers: ${JSON.stringify(counts)}`)
			assert.ok(slow.opened > CLIENTS, 'nginx hung up on none')
			assert.deepEqual(Object.keys(counts), ['200'])
			assert.ok(counts[200] > 10 * SECONDS)
			assert.ok(most <= 2, `${most} threads busy`) // nginx passes on whole requests only
			assert.equal((await threads()).alive, THREADS)
		} finally {
			slow.stop()
		}
	})

	it('of the program itself, which send half a record, take no thread for long', async (t) => {
		const half = Buffer.from([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 4, 0, 1, 1]) // BEGIN, and a PARAMS cut off
		const slow = drip({ path: path.join(web.dir, 'web.sock') }, 20, (i) => half.subarray(0, 1 + i), () => Buffer.from([0]))
		try {
			const { counts } = await honest(4)
			t.diagnostic(`${slow.opened} halves, honest answers: ${JSON.stringify(counts)}`)
			assert.ok(slow.opened > 40, 'none was hung up on')
			assert.deepEqual(Object.keys(counts), ['200'])
		} finally {
			slow.stop()
		}
		await until(async () => { const now = await threads(); return now.alive === THREADS && now.busy === 1 }, { what: 'all threads to be free' })
		assert.equal(web.program.exitCode, null)
	})
})
