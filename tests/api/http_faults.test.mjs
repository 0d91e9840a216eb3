// What takings-web says and how soon, where the database is slow, locked, full, old or not configured.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sleep, until } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'
import { batch, emptyCwd, openSmallShop } from '../lib/shop.mjs'
import { Web, refusedStart } from '../lib/web.mjs'

const HOURLY = '/api/admin/analytics/hourly'

describe('a request', () => {
	const LIMIT_S = 2
	let shop, web

	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), QUERY_TIMEOUT: String(LIMIT_S) })
	})
	after(() => web?.stop())

	it('of several slow statements has QUERY_TIMEOUT for all of them', async () => {
		// Every statement about a scope reads this table; each now takes 0.3 s each time.
		await shop.cache.exec(`ALTER TABLE site RENAME TO site_fast;
			CREATE VIEW site AS SELECT s.* FROM site_fast s, LATERAL (SELECT pg_sleep(0.3 + 0 * s.rules_id) OFFSET 0) z`)
		const page = await web.get('/admin/')
		assert.equal(page.status, 504)
		assert.ok(page.ms >= LIMIT_S * 1000 - 300 && page.ms < (LIMIT_S + 1) * 1000, `${page.ms} ms`)
		// A few statements fit.
		assert.equal((await web.get(HOURLY)).status, 200)
		await shop.cache.exec('DROP VIEW site; ALTER TABLE site_fast RENAME TO site')
		const quick = await web.get('/admin/')
		assert.equal(quick.status, 200)
	})

	it('that meets a locked table is answered within QUERY_TIMEOUT and a second', async () => {
		const holder = shop.cache.session()
		await holder.ask('BEGIN; LOCK TABLE daily_revenue_cache')
		for (const target of ['/admin/', '/api/admin/analytics/summary', '/api/admin/analytics/top-items']) {
			const answer = await web.get(target)
			assert.ok([503, 504].includes(answer.status), `${answer.status}`)
			assert.ok(answer.ms < (LIMIT_S + 1) * 1000, `${target}: ${answer.ms} ms`)
		}
		await holder.close()
		assert.equal((await web.get('/admin/')).status, 200)
	})
})

describe('health', () => {
	let shop, web
	const health = async () => (await web.get('/health'))
	const part = async (name) => (await health()).json.checks[name]

	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), WORKER_THREADS: '1', QUERY_TIMEOUT: '10' })
	})
	after(() => web?.stop())

	it('is ok after a run', async () => {
		const { status, json } = await health()
		assert.deepEqual([status, json.status], [200, 'ok'])
	})

	it('is degraded, not down, while every connection is at work', async () => {
		const holder = shop.cache.session()
		await holder.ask('BEGIN; LOCK TABLE site')
		const waiting = web.get(HOURLY)
		await until(async () => (await shop.cache.value('SELECT count(*)::int FROM pg_locks WHERE NOT granted')) > 0)
		const busy = await health()
		await holder.close()
		assert.deepEqual([busy.status, busy.json.status, busy.json.checks.analytics_db],
			[200, 'degraded', { status: 'degraded', detail: 'every connection is at work' }])
		assert.ok(busy.ms < 2000, `${busy.ms} ms`)
		assert.ok(web.events.some((e) => e.event === 'health' && /no database connection was free/.test(e.error)), web.log)
		assert.equal((await waiting).status, 200)
		assert.equal((await health()).json.status, 'ok')
	})

	it('knows from the last run and its age whether order_db is well', async () => {
		const judge = async (sql) => {
			await shop.cache.exec(`CREATE TABLE kept AS TABLE batch_run; CREATE TABLE beats AS TABLE heartbeat; ${sql}`)
			const found = await part('order_db')
			await shop.cache.exec(`TRUNCATE batch_run, heartbeat; INSERT INTO heartbeat TABLE beats; DROP TABLE beats;
				INSERT INTO batch_run OVERRIDING SYSTEM VALUE TABLE kept; DROP TABLE kept`)
			return `${found.status} ${found.detail ?? ''}`
		}
		assert.equal(await judge(''), 'ok ')
		assert.match(await judge(`UPDATE batch_run SET status = 'failed'`), /^degraded the last run that read it did not end well/)
		assert.match(await judge(`UPDATE batch_run SET status = 'interrupted'`), /^degraded /)
		assert.equal(await judge(`UPDATE batch_run SET status = 'nothing'`), 'ok ')
		assert.match(await judge(`UPDATE heartbeat SET at = now() - interval '27 hours' WHERE component = 'order_db'`), /^degraded has not been read/)
		assert.match(await judge(`UPDATE heartbeat SET status = 'down' WHERE component = 'order_db'`), /^degraded could not be read/)
		assert.equal(await judge('DELETE FROM heartbeat'), 'degraded not asked yet')
	})

	it('says that the schema does not fit, and what to do', async () => {
		await shop.cache.exec('DELETE FROM schema_migration WHERE version = (SELECT max(version) FROM schema_migration)')
		await shop.cache.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'takings-web' AND datname = current_database()`)
		await sleep(100)
		const { status, json } = await health()
		assert.deepEqual([status, json.checks.analytics_db], [503, { status: 'down', detail: 'its schema does not fit: run takings-batch migrate' }])
		assert.ok(web.events.some((e) => e.event === 'health' && /this program needs/.test(e.error)), web.log)
		assert.equal((await web.get('/health/ready')).status, 503)
		assert.equal((await web.get('/health/live')).status, 200)
	})
})

describe('passwords that everybody knows', () => {
	const cases = [
		[{}, 'ANALYTICS_DATABASE__PASSWORD'],
		[{ DB_PASSWORD: 'password' }, 'ANALYTICS_DATABASE__PASSWORD'],
		[{ ANALYTICS_DB_PASSWORD: 'changeme', DB_HOST: '127.0.0.1' }, 'ANALYTICS_DATABASE__PASSWORD'],
		[{ ANALYTICS_DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/none' }, 'ANALYTICS_DATABASE_URL'],
	]
	for (const [env, field] of cases)
		it(`stop both programs: ${JSON.stringify(env)}`, async () => {
			const web = await refusedStart(env, emptyCwd())
			const night = await batch(['run'], { DATABASE_URL: 'postgresql://me@127.0.0.1:1/none', ...env })
			for (const done of [web, night]) {
				assert.equal(done.code, 1)
				const told = done.stderr.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find((e) => e.field === field)
				assert.match(told?.error ?? done.stderr, /sample password|everybody knows/)
			}
		})

	it('are the ones of .env.example, uncommented', async () => {
		const dir = path.join(scratch(), 'sample')
		mkdirSync(dir)
		writeFileSync(path.join(dir, '.env'), 'ANALYTICS_DATABASE__USER=root\nANALYTICS_DATABASE__PASSWORD=password\n')
		const done = await refusedStart({}, dir)
		assert.equal(done.code, 1)
		assert.match(done.stderr, /sample password/)
	})

	it('are accepted with DEV=1', async () => {
		const shop = await openSmallShop(1)
		await shop.expectRun(0)
		const { env } = shop.cache.server
		const web = await Web.start({ DEV: '1', DB_HOST: env.PGHOST, DB_PORT: env.PGPORT, DB_USER: 'postgres', DB_NAME: shop.cache.name })
		assert.equal((await web.get(HOURLY)).status, 200)
		await web.stop()
	})
})
