// PostgreSQL itself dies (kill -9) while the batch works: the batch says so and fails, and when the
// server is back, the next run leaves the tables as if nothing had happened.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ownPostgres } from '../lib/servers.mjs'
import { until } from '../lib/process.mjs'
import { Shop, batch, noonZone } from '../lib/shop.mjs'

describe('a crash of PostgreSQL', () => {
	it('in the midst of a run costs nothing but time', async (t) => {
		const server = await ownPostgres('crash-pg', '') // durable, as a real one is
		const orders = await server.create()
		const settings = { BUSINESS_TIMEZONE: noonZone(), BUSINESS_DAY_CUTOFF: '4' }
		const demo = await batch(['demo', '--seed', '3', '--days', '120'],
			{ ...settings, DEMO_DATABASE_URL: orders.url(), ANALYTICS_DATABASE_URL: orders.url() })
		assert.equal(demo.code, 0, demo.stderr)
		const whole = new Shop(orders, await server.create(), settings)
		await whole.expectRun(0)
		const want = await whole.dump()

		let during = 0
		for (let i = 0; i < (process.env.FAULTS === 'long' ? 10 : 2); i++) {
			const shop = new Shop(orders, await server.create(), settings)
			// The first days are there, the others are not.
			const running = shop.run()
			const session = shop.cache.session()
			await until(async () => Number(await session.ask('SELECT count(*) FROM daily_revenue_cache').catch(() => 0)) >= 5 + (i * 20) % 80,
				{ every: 2, what: 'the first days' })
			await server.crash()
			const done = await running
			await session.close()
			if (done.code !== 0) {
				during++
				assert.equal(done.code, 1)
				const failed = done.events.find((e) => e.event === 'run_failed')
				assert.match(failed.error, /connection|server|terminat/i)
			}
			await server.start()
			const days = Number(await shop.cache.value('SELECT count(*) FROM daily_revenue_cache'))
			t.diagnostic(`crash ${i + 1}: exit ${done.code}, ${days} days survived`)
			const again = await shop.run()
			assert.ok([0, 2].includes(again.code), again.stderr)
			assert.equal(await shop.dump(), want)
			assert.deepEqual(await shop.cache.query(`SELECT * FROM batch_run WHERE status = 'running'`), [])
		}
		assert.ok(during > 0, 'every run was over before the crash')
	})
})
