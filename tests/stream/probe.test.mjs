// The measure of uptime: a probe a minute, what becomes of it, and what it comes to.
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { until } from '../lib/process.mjs'
import { Redis } from '../lib/redis.mjs'
import { freePort, ownPostgres } from '../lib/servers.mjs'
import { liveShop, Stream } from '../lib/stream.mjs'

let server
before(async () => { server = await ownPostgres('probe-pg') })
after(() => server?.stop())

// A site that answers with `status`.
async function site() {
	const s = { status: 200, asked: [], port: await freePort() }
	s.server = http.createServer((req, res) => {
		s.asked.push(Date.now())
		res.writeHead(s.status).end('{}')
	})
	await new Promise((done) => s.server.listen(s.port, '127.0.0.1', done))
	s.url = `http://127.0.0.1:${s.port}/health/ready`
	return s
}

describe('probes', () => {
	it('are made each minute and each quarter of one that is down; what the database could not be told is told later', async () => {
		const shop = await liveShop({}, { server })
		const own = await site()
		const settings = { PROBE_URL: own.url, BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }
		const stream = await Stream.start(shop.cache, settings)
		const minutes = () => shop.cache.query('SELECT minute_at, up, took_ms, error FROM probe_minute ORDER BY minute_at')
		const minuteOf = (ms) => ms - ms % 60_000
		const count = () => shop.cache.value('SELECT coalesce(sum(minutes_up), 0)::int FROM uptime_day')
		try {
			const [first] = await until(async () => { const m = await minutes(); return m.length && m }, { what: 'the first minute' })
			assert.ok(first.up && first.took_ms >= 0 && first.error === '')
			assert.equal(await count(), 1)
			assert.equal(own.asked.length, 1)

			// A whole minute down, of which the database hears when it is back.
			own.status = 503
			await server.stop()
			const begun = own.asked.length
			const down = await until(() => own.asked[begun], { limit: 70_000, what: 'the next probe' })
			assert.ok(down % 60_000 < 10_000, 'on the minute')
			await until(() => own.asked.find((at) => minuteOf(at) > minuteOf(down)), { limit: 70_000, what: 'the minute after' })
			assert.equal(own.asked.filter((at) => minuteOf(at) === minuteOf(down)).length, 4)
			assert.ok(!stream.ended())
			own.status = 200
			await server.start()
			const all = await until(async () => { const m = await minutes(); return m.some((one) => one.up && Date.parse(one.minute_at) > down) && m }, { what: 'a good one' })
			const bad = all.find((m) => Date.parse(m.minute_at) === minuteOf(down))
			assert.deepEqual([bad.up, bad.error], [false, 'answered with 503'])
			assert.ok(all.at(-1).up, 'one good probe makes a good minute')
			assert.equal(await count(), all.filter((m) => m.up).length)
			await until(async () => await stream.stat('probe_up') === 1)
		} finally {
			await stream.stop()
			own.server.close()
		}
	})

	it('add up between processes, and say nothing where none are wanted', async () => {
		const shop = await liveShop({}, { server })
		const [good, bad] = [await site(), await site()]
		bad.status = 500
		const streams = [await Stream.start(shop.cache, { PROBE_URL: good.url })]
		await until(async () => (await shop.cache.query('SELECT FROM probe_minute WHERE up')).length)
		streams.push(await Stream.start(shop.cache, { PROBE_URL: bad.url }), await Stream.start(shop.cache))
		await until(() => bad.asked.length, { what: 'the other one' })
		await until(async () => await streams[1].stat('probe_up') === 0)
		assert.ok((await shop.cache.query('SELECT up FROM probe_minute')).some((m) => m.up))
		assert.equal(await streams[2].stat('probe_up'), -1)
		for (const s of streams) await s.stop()
		good.server.close()
		bad.server.close()
	})
})

describe('uptime(first_day, last_day)', () => {
	let cache
	const zone = `'Europe/Berlin', 4`
	before(async () => { ({ cache } = await liveShop({}, { server })) })
	beforeEach(() => cache.exec(`TRUNCATE probe_minute, uptime_day; UPDATE uptime_site SET first_minute_at = NULL, timezone = ''`))
	const fill = (from, to, where = 'true') => cache.exec(`INSERT INTO probe_minute (minute_at, up)
		SELECT m, ${where} FROM generate_series(timestamptz '${from}', timestamptz '${to}' - interval '1 minute', interval '1 minute') m;
		SELECT uptime_count(${zone}, (SELECT min(minute_at) FROM probe_minute))`)
	const uptime = (a, b = a) => cache.value(`SELECT uptime('${a}', '${b}')::text`)

	it('is nothing before the first probe, and counts the first day from it on', async () => {
		assert.deepEqual(await cache.query(`SELECT uptime('2026-01-01', '2026-01-02') AS u`).then((r) => r[0]?.u ?? null), null)
		// Business days of 4 to 4 in Berlin: 1 March begins at 03:00 UTC. First probe at 10:00 UTC: 17 hours of it.
		await fill('2026-03-01 10:00Z', '2026-03-03 03:00Z', `m NOT BETWEEN '2026-03-01 12:00Z' AND '2026-03-01 12:16Z'`)
		assert.equal(await uptime('2026-02-28'), null)
		assert.equal(await uptime('2026-03-01'), (100 * (1020 - 17) / 1020).toFixed(3)) // 98.333
		assert.equal(await uptime('2026-03-02'), '100.000')
		assert.equal(await uptime('2026-02-01', '2026-03-02'), (100 * (2460 - 17) / 2460).toFixed(3))
	})

	it('takes minutes nobody probed in for down, and long days as long as they are', async () => {
		await fill('2026-03-28 03:00Z', '2026-03-29 02:00Z') // 4 to 4 across the change of the clock: 23 hours
		assert.equal(await uptime('2026-03-28'), '100.000')
		await fill('2026-03-29 02:00Z', '2026-03-29 14:00Z')
		assert.equal(await uptime('2026-03-29'), '50.000')
		assert.equal(await uptime('2026-03-30'), '0.000')
		assert.equal(await uptime('2026-03-28', '2026-03-30'), (100 * (1380 + 720) / (1380 + 1440 + 1440)).toFixed(3))
	})

	it('counts today up to now, without the minute that runs', async () => {
		await fill('2026-05-01 02:00Z', '2026-05-01 02:01Z')
		await cache.exec(`TRUNCATE probe_minute, uptime_day; UPDATE uptime_site SET first_minute_at = NULL;
			INSERT INTO probe_minute (minute_at, up) SELECT date_trunc('minute', now()) - n * interval '1 minute', n <> 2 FROM generate_series(0, 4) n;
			SELECT uptime_count(${zone}, (SELECT min(minute_at) FROM probe_minute))`)
		const got = await cache.one(`SELECT uptime(business_date(now() - interval '5 minutes', ${zone}), business_date(now(), ${zone}))::text AS u,
			(SELECT count(*)::int FROM probe_minute WHERE up AND minute_at < date_trunc('minute', now())) AS up,
			(extract(epoch FROM date_trunc('minute', now()) - (SELECT min(minute_at) FROM probe_minute)) / 60)::int AS of`)
		assert.equal(got.u, (100 * got.up / got.of).toFixed(3))
		assert.equal(await cache.value(`SELECT uptime(business_date(now(), ${zone}) + 2, business_date(now(), ${zone}) + 3)::text`), null)
	})

	it('is counted anew where the business day is another', async () => {
		await fill('2026-06-01 00:00Z', '2026-06-03 00:00Z', `m < '2026-06-02 00:00Z'`)
		assert.equal(await uptime('2026-06-01'), (100 * 1320 / 1440).toFixed(3)) // 02:00 UTC to 02:00 UTC
		await cache.exec(`SELECT uptime_count('UTC', 0, '2026-06-02 12:00Z')`)
		assert.equal(await uptime('2026-06-01'), '100.000')
		assert.equal(await uptime('2026-06-02'), '0.000')
	})

	it('is cheap over a month', async () => {
		await fill('2026-07-01 02:00Z', '2026-08-01 02:00Z')
		assert.equal(await uptime('2026-07-01', '2026-07-31'), '100.000')
		const begun = Date.now()
		await cache.query(`SELECT count(uptime('2026-07-01', '2026-07-31')) FROM generate_series(1, 100)`)
		assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms for a hundred`)
	})
})

describe('an instance', () => {
	it('probes itself through its nginx; /health knows Redis, and is not down without', async () => {
		const redis = await Redis.start()
		const own = await startInstance({ STREAM: '1', REDIS_URL: redis.url() })
		const health = async () => (await own.get('/health', { anonymous: true })).json
		const minutes = (where) => own.psql('ANALYTICS_DATABASE_URL', `SELECT count(*) FROM probe_minute WHERE ${where}`)
		try {
			await until(async () => (await health()).checks.redis.status === 'ok', { what: 'Redis' })
			await until(async () => await minutes('up') > 0, { what: 'a good minute' })
			await until(async () => /^analytics_probe_up 1$/m.test((await own.get('/metrics')).text), { what: 'the measure' })
			await redis.kill()
			const without = await until(async () => { const h = await health(); return h.checks.redis.status === 'degraded' && h }, { what: 'no Redis' })
			assert.equal(without.checks.redis.detail, 'Redis cannot be reached: Connection refused')
			assert.equal(without.status, 'degraded')
			assert.equal((await own.get('/health', { anonymous: true })).status, 200)
			assert.equal((await own.get('/health/ready', { anonymous: true })).status, 200)
			assert.equal((await own.get('/admin/system')).status, 200)
			await redis.restart()
			await until(async () => (await health()).checks.redis.status === 'ok', { what: 'Redis again' })

			// nginx hangs: nothing else is amiss, and still nobody is served.
			for (const pid of own.pids('nginx')) process.kill(pid, 'SIGSTOP')
			await until(async () => await minutes(`NOT up AND error <> '' AND took_ms IS NULL`) > 0, { limit: 80_000, every: 200, what: 'a bad minute' })
			for (const pid of own.pids('nginx')) process.kill(pid, 'SIGCONT')
			await until(async () => /^analytics_probe_up 1$/m.test((await own.get('/metrics')).text), { limit: 40_000, what: 'the measure again' })
		} finally {
			for (const pid of own.pids('nginx')) process.kill(pid, 'SIGCONT')
			await own.destroy()
			await redis.stop()
		}
	})

	it('says that Redis is disabled where none is set', async () => {
		const own = await startInstance({ STREAM: '1' })
		try {
			await until(async () => (await own.get('/health', { anonymous: true })).json.checks.stream.status !== 'disabled')
			assert.deepEqual((await own.get('/health', { anonymous: true })).json.checks.redis, { status: 'disabled' })
		} finally {
			await own.destroy()
		}
	})
})
