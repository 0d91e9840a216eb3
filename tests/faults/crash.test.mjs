// takings-web dies of a bug in the midst of a request: it says where, and is there again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { until } from '../lib/process.mjs'

describe('a web program that crashes', () => {
	const AT = 40
	let site
	before(async () => { site = await startInstance({ TAKINGS_FAILPOINT: `web_request=abort@${AT}` }) })
	after(() => site?.destroy())

	it('leaves no core, names the request and the place, and is back within 2 s', async () => {
		const [pid] = site.pids('takings-web')
		assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size +[01] /)
		let lost
		for (let i = 0; i < AT && !lost; i++) {
			const answer = await site.get('/health/live', { anonymous: true })
			if (answer.status !== 200) lost = answer
		}
		const begun = Date.now()
		assert.deepEqual([lost.status, lost.json.status, lost.headers['retry-after']], [502, 502, '1'])
		assert.equal(lost.headers['content-type'], 'application/problem+json')
		assert.equal((await site.get('/static/favicon.svg')).status, 200)
		await until(async () => (await site.get('/health/live')).status === 200, { limit: 2000 - (Date.now() - begun), every: 100, what: 'the program' })
		const lines = readFileSync(path.join(site.env.INSTANCE_DIR, 'log/web.log'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line))
		const said = lines.filter((line) => line.event === 'crash')
		assert.equal(said.length, 1)
		assert.deepEqual([said[0].program, said[0].signal, said[0].request_id], ['takings-web', 'SIGABRT', lost.json.request_id])
		assert.ok(said[0].backtrace.some((frame) => frame.startsWith('gate_handle+0x')), said[0].backtrace.join())
		// For about 15 requests more it stays.
		for (let i = 0; i < 15; i++) assert.equal((await site.get('/health/live')).status, 200)
	})
})
