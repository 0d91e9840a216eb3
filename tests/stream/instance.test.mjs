// takings-stream in the local instance: it follows order_db, is kept alive, and sees no more than it needs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { until } from '../lib/process.mjs'

describe('the stream of an instance', () => {
	let site
	before(async () => { site = await startInstance({ STREAM: '1' }) })
	after(() => site?.destroy())

	const states = (where = 'true') => site.psql('ANALYTICS_DATABASE_URL', `SELECT count(*) FROM order_state WHERE ${where}`)

	it('has the orders of the demo, and news of them', async () => {
		const orders = await site.psql('DEMO_DATABASE_URL', 'SELECT count(*) FROM orders')
		await until(async () => await states() === orders, { limit: 90_000, every: 200, what: `${orders} orders` })
		await site.psql('DEMO_DATABASE_URL', `UPDATE orders SET status = 'NEWS' WHERE id = (SELECT max(id) FROM orders)`)
		await until(async () => await states(`status = 'NEWS'`) === '1', { what: 'the news' })
	})

	it('knows neither how to write orders nor how to change tables; the web program cannot follow', async () => {
		const sees = (name) => readFileSync(`/proc/${site.pids(name)[0]}/environ`, 'utf8').split('\0').map((line) => line.split('=')[0])
		for (const name of ['DATABASE_URL', 'MIGRATE_DATABASE_URL', 'DEMO_DATABASE_URL', 'WEB_DATABASE_URL']) assert.ok(!sees('takings-stream').includes(name), name)
		assert.ok(sees('takings-stream').includes('ORDER_REPLICATION_URL'))
		assert.ok(!sees('takings-web').includes('ORDER_REPLICATION_URL'))
		assert.match((await site.settings()).ORDER_REPLICATION_URL, /order_stream@/)
	})

	it('comes back when it is killed, and a reload replaces it', async () => {
		const [first] = site.pids('takings-stream')
		process.kill(first, 'SIGKILL')
		const second = await until(() => site.pids('takings-stream').find((pid) => pid !== first), { what: 'another process' })
		assert.equal((await site.tool('reload')).code, 0)
		await until(() => site.pids('takings-stream').some((pid) => pid !== second && pid !== first), { what: 'a third' })
		await site.psql('DEMO_DATABASE_URL', `UPDATE orders SET status = 'LATER' WHERE status = 'NEWS'`)
		await until(async () => await states(`status = 'LATER'`) === '1', { what: 'the news' })
		assert.match((await site.tool('status')).stdout, /^takings-stream +pid \d+$/m)
	})

	it('stops with the others', async () => {
		assert.equal((await site.tool('down')).code, 0)
		assert.deepEqual(site.pids('takings-stream'), [])
	})
})
