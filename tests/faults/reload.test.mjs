// A new web program takes the place of the old one, again and again, while requests come in: none is
// lost. FAULTS=long: 20 times.
import assert from 'node:assert/strict'
import http from 'node:http'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { binDir, sleep } from '../lib/process.mjs'

const ROUNDS = process.env.FAULTS === 'long' ? 20 : 5
const LINES = 16, PER_SECOND = 1000
const API = '/api/admin/analytics'

// Asks the targets in turn on connections that are kept, at a steady rate as far as the machine keeps up.
class Load {
	counts = {} // 'GET /path 200' -> how often
	asked = 0
	stopped = false

	constructor(port, targets) {
		Object.assign(this, { port, targets })
		this.lines = Array.from({ length: LINES }, (_, i) => this.line(i))
	}

	ask(agent, { method = 'GET', path: target, headers, body }) {
		return new Promise((resolve) => {
			const req = http.request({ agent, host: '127.0.0.1', port: this.port, method, path: target, headers }, (res) => {
				res.resume()
				res.on('end', () => resolve(res.statusCode))
				res.on('error', (e) => resolve(e.code))
			})
			req.on('error', (e) => resolve(e.code))
			req.end(body)
		})
	}

	async line(n) {
		const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
		const begun = performance.now()
		for (let i = 0; !this.stopped; i++) {
			const target = this.targets[(n + i) % this.targets.length]
			const status = await this.ask(agent, target)
			const key = `${target.method ?? 'GET'} ${target.path} ${status}`
			this.counts[key] = (this.counts[key] ?? 0) + 1
			this.asked++
			const ahead = begun + (i + 1) * 1000 * LINES / PER_SECOND - performance.now()
			if (ahead > 1) await sleep(ahead)
		}
		agent.destroy()
	}

	async stop() {
		this.stopped = true
		await Promise.all(this.lines)
	}
}

describe('a reload', () => {
	let site, programs
	before(async () => {
		programs = mkdtempSync(path.join(os.tmpdir(), 'tk-bin-'))
		chmodSync(programs, 0o755)
		for (const name of ['takings-web', 'takings-batch']) copyFileSync(path.join(binDir, name), path.join(programs, name))
		site = await startInstance({ BIN_DIR: programs, RATE_LIMIT_USERS: '0', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_ADDRESSES: '0' })
	})
	after(async () => {
		await site?.destroy()
		rmSync(programs, { recursive: true, force: true })
	})

	it(`${ROUNDS} times under load loses no request, GET or POST`, async (t) => {
		const authorization = `Bearer ${await site.token()}`
		const json = { 'content-type': 'application/json' }
		const targets = [{ path: '/health/live' }, { path: `${API}/hourly`, headers: { authorization } },
			{ method: 'POST', path: '/auth/token', headers: json, body: '{"username":""}' }, { path: '/static/favicon.svg' }]
		const wanted = [200, 200, 422, 200]
		const load = new Load(site.port, targets)
		const before = site.pids('takings-web')
		const seen = new Set(before)
		for (let round = 0; round < ROUNDS; round++) {
			await sleep(300)
			const done = await site.tool('reload')
			assert.equal(done.code, 0, done.stdout + done.stderr)
			const [pid, ...more] = site.pids('takings-web')
			assert.deepEqual(more, [])
			seen.add(pid)
		}
		await sleep(300)
		await load.stop()
		t.diagnostic(`${load.asked} requests`)
		assert.equal(seen.size, ROUNDS + 1)
		assert.ok(load.asked > ROUNDS * 100, `${load.asked} requests`)
		assert.deepEqual(Object.keys(load.counts).sort(), targets.map((x, i) => `${x.method ?? 'GET'} ${x.path} ${wanted[i]}`).sort())
	})

	it('to a program that does not start says so, and the old one goes on', async () => {
		const was = site.pids('takings-web')
		rmSync(path.join(programs, 'takings-web'))
		writeFileSync(path.join(programs, 'takings-web'), '#!/bin/sh\nexit 7\n', { mode: 0o755 })
		const done = await site.tool('reload')
		assert.equal(done.code, 1)
		assert.match(done.stderr, /did not start, the old one goes on/)
		assert.deepEqual(site.pids('takings-web'), was)
		assert.equal((await site.get('/health/live')).status, 200)
	})
})
