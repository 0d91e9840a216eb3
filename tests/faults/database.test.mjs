// The database stops, is killed, and hangs while requests come in: every answer is right or says when to
// come back, soon after its return all are right, and no thread is lost. FAULTS=long: ten times each.
import assert from 'node:assert/strict'
import http from 'node:http'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { root, run, sleep, until } from '../lib/process.mjs'

const ROUNDS = process.env.FAULTS === 'long' ? 10 : 1
const CLIENTS = 16, RETURN_MS = 2000
const slow = process.env.SAN ? 3 : 1
const TARGETS = ['/api/admin/analytics/summary', '/api/admin/analytics/hourly', '/api/admin/analytics/daily', '/admin/']

// Asks without a pause; notes every answer that is neither right nor an honest 503.
class Load {
	wrong = []
	counts = {}
	stopped = false

	constructor(site, right, refusals) {
		Object.assign(this, { site, right, refusals })
		this.agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS })
		this.clients = Array.from({ length: CLIENTS }, (_, i) => this.client(i))
	}

	ask(target) {
		return new Promise((resolve) => {
			const req = http.request({ agent: this.agent, host: '127.0.0.1', port: this.site.port, path: target }, (res) => {
				const parts = []
				res.on('data', (d) => parts.push(d))
				res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, text: Buffer.concat(parts).toString() }))
				res.on('error', (e) => resolve({ status: e.code }))
			})
			req.on('error', (e) => resolve({ status: e.code }))
			req.end()
		})
	}

	async client(n) {
		for (let i = n; !this.stopped; i++) {
			const target = TARGETS[i % TARGETS.length]
			const answer = await this.ask(target)
			this.counts[answer.status] = (this.counts[answer.status] ?? 0) + 1
			const right = answer.status === 200 ? figures(target, answer.text) === this.right[target]
				: this.refusals.includes(answer.status) && /^[1-5]$/.test(answer.headers['retry-after'])
			if (!right) this.wrong.push(`${target}: ${answer.status} ${answer.text?.slice(0, 200)}`)
			if (answer.status !== 200) await sleep(10)
		}
	}

	async stop() {
		this.stopped = true
		await Promise.all(this.clients)
		this.agent.destroy()
	}
}

// What must not differ between two right answers: not the instant, not the request's number.
function figures(target, text) {
	if (target === '/admin/') return [...text.matchAll(/<data[^>]* value="([^"]*)"/g)].map((m) => m[1]).join(' ')
	const { as_of: _, today: __, ...rest } = JSON.parse(text)
	return JSON.stringify(rest)
}

for (const ttl of ['0', '300'])
	describe(`requests while the database fails, answers kept for ${ttl} s`, () => {
		let site, right

		before(async () => {
			site = await startInstance({ AUTH_MODE: 'open', ANALYTICS_CACHE_TTL: ttl, QUERY_TIMEOUT: '3' })
			right = Object.fromEntries(await Promise.all(TARGETS.map(async (t) => [t, figures(t, (await site.get(t, { anonymous: true })).text)])))
		})
		after(() => site?.destroy())

		const server = async (command) => {
			const done = await run(path.join(root, 'tools/instance.sh'), [command, site.env.INSTANCE_DIR], { env: site.env })
			assert.equal(done.code, 0, done.stderr)
		}
		const postmaster = () => Number(readFileSync(path.join(site.env.INSTANCE_DIR, 'pg/postmaster.pid'), 'utf8').split('\n')[0])
		const family = (pid) => readdirSync('/proc').filter((p) => /^\d+$/.test(p)).map(Number).filter((p) => {
			try { return p === pid || Number(/^\d+ \(.*\) \S (\d+)/.exec(readFileSync(`/proc/${p}/stat`, 'utf8'))[1]) === pid } catch { return false }
		})
		const threads = async () => Number(/^takings_http_threads (\d+)$/m.exec((await site.get('/metrics', { anonymous: true })).text)[1])
		const answers = async () => (await site.get(TARGETS[0], { anonymous: true })).status === 200

		// `fail`, some time without, `mend`; then answers must come soon.
		async function around(fail, mend, away_ms, refusals = [503]) {
			const [web] = site.pids('takings-web'), alive = await threads()
			for (let i = 0; i < ROUNDS; i++) {
				const load = new Load(site, right, refusals)
				await sleep(300)
				await fail()
				await sleep(away_ms)
				const live = await site.get('/health/live', { anonymous: true })
				assert.equal(live.status, 200)
				await mend()
				await until(answers, { limit: RETURN_MS * slow, what: 'a right answer after the return' })
				await sleep(300)
				await load.stop()
				assert.deepEqual(load.wrong, [], JSON.stringify(load.counts))
				assert.ok(load.counts[200] > 0)
			}
			assert.deepEqual([await threads(), site.pids('takings-web')], [alive, [web]])
		}

		it('stops and starts', () => around(() => server('pg-stop'), () => server('pg-start'), 1000))

		it('is killed and starts', () => around(() => server('pg-crash'), () => server('pg-start'), 1000))

		it('loses a session to kill -9, and recovers by itself', () => around(async () => {
			// The postmaster ends all sessions and starts anew when one dies like this.
			const session = family(postmaster()).find((p) => /^postgres: .*takings-web|analytics_web/.test(readFileSync(`/proc/${p}/cmdline`, 'utf8')))
			process.kill(session, 'SIGKILL')
		}, () => until(async () => await site.psql('ANALYTICS_DATABASE_URL', 'SELECT 1').catch(() => 0) === '1'), 100))

		it('hangs, and goes on', () => {
			let stopped = []
			return around(() => {
				stopped = family(postmaster())
				for (const p of stopped) process.kill(p, 'SIGSTOP')
				// A server that goes on just when the time of a request is over has made it wait, and no more: 504.
			}, () => { for (const p of stopped) process.kill(p, 'SIGCONT') }, 6000, [503, 504])
		})
	})
