// GET /metrics, Server-Timing, and what the log says of requests.
import assert from 'node:assert/strict'
import path from 'node:path'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { parseMetrics, sample } from '../lib/prom.mjs'
import { scratch } from '../lib/servers.mjs'
import { emptyCwd, openSmallShop } from '../lib/shop.mjs'
import { OPEN, Web, refusedStart } from '../lib/web.mjs'

const HOURLY = '/api/admin/analytics/hourly'
const PROMISED = ['analytics_events_total', 'analytics_events_processed_per_second', 'analytics_query_duration_seconds',
	'analytics_queries_total', 'analytics_pipeline_lag_seconds']

describe('the strict reader of these tests', () => {
	const head = '# HELP a b\n# TYPE a gauge\n'
	for (const [why, text] of [['no TYPE', 'a 1\n'], ['a sample twice', `${head}a 1\na 1\n`], ['a family twice', `${head}a 1\n${head}`],
		['a bad value', `${head}a one\n`], ['a stray quote', `${head}a{b="c"d"} 1\n`], ['no end of line', `${head}a 1`],
		['falling buckets', '# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n'],
		['+Inf that is not the count', '# HELP h x\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n']])
		it(`refuses ${why}`, () => { assert.throws(() => parseMetrics(text)) })
})

describe('/metrics', () => {
	let shop, web
	const read = async (headers) => {
		const answer = await web.get('/metrics', { headers })
		assert.equal(answer.status, 200, answer.text)
		return parseMetrics(answer.text)
	}

	before(async () => {
		shop = await openSmallShop(5)
		await shop.expectRun(0)
		web = await Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: shop.cache.url(), LOG_LEVEL: 'DEBUG', ANALYTICS_CACHE_TTL: '300' })
	})
	after(() => web?.stop())

	it('counts requests by route, method and status, and statements', async () => {
		const was = await read()
		for (let i = 0; i < 3; i++) assert.equal((await web.get(HOURLY)).status, 200)
		await web.get(HOURLY, { method: 'HEAD' })
		await web.get(`${HOURLY}?x=1`)
		await web.get('/nothing/at/all')
		const is = await read()
		const more = (labels, name = 'takings_http_requests_total') => sample(is, name, labels) - (sample(was, name, labels) ?? 0)
		assert.equal(more({ route: HOURLY, method: 'GET', status: '200' }), 3)
		assert.equal(more({ route: HOURLY, method: 'HEAD', status: '200' }), 1)
		assert.equal(more({ route: HOURLY, method: 'GET', status: '422' }), 1)
		assert.equal(more({ route: 'none', method: 'GET', status: '404' }), 1)
		assert.equal(more({ route: HOURLY }, 'takings_http_request_duration_seconds_count'), 5)
		assert.ok(sample(is, 'takings_http_request_duration_seconds_sum', { route: HOURLY }) > 0)
		assert.ok(more({ statement: 'report_hours' }, 'takings_statement_duration_seconds_count') >= 1)
	})

	it('has the promised names', async () => {
		const m = await read()
		for (const name of PROMISED) assert.ok(m[name], name)
		const types = m.analytics_events_total.samples.map((s) => s.labels.type)
		assert.ok(types.includes('purchase') && types.includes('other'), types)
		assert.deepEqual([...new Set(m.analytics_events_total.samples.map((s) => s.value))], [0])
		const quantiles = ['0.5', '0.95', '0.99'].map((quantile) => sample(m, 'analytics_query_duration_seconds', { quantile }))
		assert.ok(quantiles[0] > 0 && quantiles[0] <= quantiles[1] && quantiles[1] <= quantiles[2], quantiles)
		assert.equal(sample(m, 'analytics_query_duration_seconds_count'), sample(m, 'analytics_queries_total'))
	})

	it('knows how fresh the figures are, and how the last run ended', async () => {
		const m = await read()
		const row = await shop.cache.one(`SELECT data_version::int AS version, (SELECT max(business_date) FROM daily_revenue_cache)::text AS day FROM site`)
		assert.equal(sample(m, 'takings_data_version'), row.version)
		assert.equal(sample(m, 'takings_newest_day') * 1000, Date.parse(row.day))
		const lag = sample(m, 'analytics_pipeline_lag_seconds', { source: 'batch' })
		const midnight = 12 * 3600 // about noon in the shop's zone
		assert.ok(Math.abs(lag - midnight) < 3700, `${lag}`)
		assert.ok(sample(m, 'analytics_pipeline_lag_seconds', { source: 'order_db' }) < 600)
		assert.deepEqual(['ok', 'failed', 'interrupted'].map((status) => sample(m, 'takings_batch_run_status', { status })), [1, 0, 0])
		assert.ok(sample(m, 'takings_batch_run_duration_seconds') > 0 && sample(m, 'takings_batch_run_age_seconds') < 600)
		assert.ok(sample(m, 'takings_table_bytes', { table: 'daily_revenue_cache' }) > 8000)
	})

	it('knows its own process', async () => {
		const m = await read()
		const pid = web.program.pid
		const status = readFileSync(`/proc/${pid}/status`, 'utf8')
		const rss = Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024
		assert.ok(Math.abs(sample(m, 'process_resident_memory_bytes') - rss) < 8e6)
		assert.ok(Math.abs(sample(m, 'process_start_time_seconds') - Date.now() / 1000) < 120)
		assert.equal(sample(m, 'takings_http_threads'), 96)
		assert.equal(sample(m, 'takings_pool_size'), 4)
		assert.ok(sample(m, 'takings_pool_open') >= 1 && sample(m, 'process_open_fds') > 5)
		assert.equal(sample(m, 'takings_analytics_db_up'), 1)
		assert.match(m.takings_build_info.samples[0].labels.version, /^\d+\.\d+\.\d+$/)
	})

	it('has the same series however many addresses and queries are asked for', async () => {
		const series = (m) => Object.values(m).reduce((n, f) => n + f.samples.length, 0)
		const was = series(await read())
		for (let i = 0; i < 30; i++) await web.get(`/nothing/${i}?q=${i}`, { method: i % 2 ? 'GET' : `ODD${i}` })
		const is = await read()
		assert.ok(series(is) - was <= 6, `${was} -> ${series(is)}`)
		assert.ok(sample(is, 'takings_http_requests_total', { route: 'none', method: 'GET' }) >= 15)
	})

	it('is for this machine, not for what a proxy passes on; and for keys that may read', async () => {
		const through = (authorization) => web.get('/metrics', { headers: { 'X-Forwarded-For': '192.0.2.1', ...(authorization && { authorization }) } })
		const keyOf = async (scope) => `Bearer ${/tk_[\w-]+/.exec((await shop.batch(['key', 'add', scope, '--scope', scope])).stdout)[0]}`
		const failures = async () => sample(await read(), 'takings_auth_failures_total')
		const was = await failures()
		for (const [authorization, status] of [[undefined, 401], ['Bearer nonsense', 401], [await keyOf('ingest'), 403], [await keyOf('read'), 200]]) {
			const answer = await through(authorization)
			assert.equal(answer.status, status)
			assert.equal(/takings_http/.test(answer.text), status === 200)
		}
		assert.equal(await failures() - was, 1)
	})

	it('every answer has Server-Timing', async () => {
		for (const target of [HOURLY, '/admin/', '/health', '/nothing', `${HOURLY}?x=1`]) {
			const { headers } = await web.get(target)
			assert.match(headers['server-timing'], /^queue;dur=\d+\.\d, db;dur=\d+\.\d, render;dur=\d+\.\d, total;dur=\d+\.\d(, cache;desc=hit)?$/, target)
		}
		const ms = (name, text) => Number(new RegExp(`${name};dur=([0-9.]+)`).exec(text)[1])
		const { headers: { 'server-timing': timing }, ms: took } = await web.get('/admin/?location_id=0')
		assert.ok(ms('db', timing) > 0 && ms('queue', timing) + ms('db', timing) + ms('render', timing) <= ms('total', timing) + 0.3, timing)
		assert.ok(ms('total', timing) <= took + 1)
		// Nothing is kept until the program listens for changes.
		const hits = sample(await read(), 'takings_cache_hits_total')
		const kept = await until(async () => {
			const { headers } = await web.get(HOURLY)
			return /, cache;desc=hit$/.test(headers['server-timing']) && headers
		})
		assert.equal(ms('db', kept['server-timing']), 0)
		assert.ok(sample(await read(), 'takings_cache_hits_total') > hits)
	})

	it('a slow request is a warning that says where the time went', async () => {
		await shop.cache.exec(`ALTER TABLE site RENAME TO site_fast;
			CREATE VIEW site AS SELECT s.* FROM site_fast s, LATERAL (SELECT pg_sleep(1.1 + 0 * s.rules_id) OFFSET 0) z`)
		const answer = await web.get(`${HOURLY}?location_id=0`)
		await shop.cache.exec('DROP VIEW site; ALTER TABLE site_fast RENAME TO site')
		assert.equal(answer.status, 200)
		const said = await until(() => web.events.find((e) => e.event === 'request_slow'))
		assert.deepEqual([said.level, said.route, said.status, said.request_id], ['WARNING', HOURLY, 200, answer.headers['x-request-id']])
		assert.ok(said.db_us > 1_000_000 && said.us >= said.db_us && said.queue_us >= 0)
		assert.equal(sample(await read(), 'takings_http_requests_slow_total'), 1)
	})

	it('no log holds a query, a cookie, a token or a body', async () => {
		const canary = 'CANARY0815'
		await web.get(`${HOURLY}?date=${canary}`, { headers: { cookie: `session=${canary}`, authorization: `Bearer ${canary}`, referer: `http://x/?${canary}` } })
		const { headers: { 'x-request-id': id } } = await web.get(`/nothing?token=${canary}`)
		await until(() => web.log.includes(id))
		const nginx = ['access.log', 'nginx.log'].map((name) => readFileSync(path.join(web.dir, 'log', name), 'utf8')).join('')
		assert.ok(nginx.includes(id))
		assert.ok(!web.log.includes(canary), web.log)
		assert.ok(!nginx.includes(canary), nginx)
	})
})

describe('/metrics without a database', () => {
	let web
	before(async () => {
		web = await Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: `postgresql://me@/none?host=${scratch()}&port=1`, METRICS_ALLOW: '192.0.2.0/24, 127.0.0.1' })
	})
	after(() => web?.stop())

	it('has what the process knows', async () => {
		const { status, text, ms } = await web.get('/metrics')
		assert.equal(status, 200)
		assert.ok(ms < 2000)
		const m = parseMetrics(text)
		assert.equal(sample(m, 'takings_analytics_db_up'), 0)
		assert.equal(m.takings_data_version, undefined)
		assert.ok(Number.isNaN(sample(m, 'analytics_query_duration_seconds', { quantile: '0.5' })))
	})

	it('is for the addresses of METRICS_ALLOW, whoever they ask for', async () => {
		assert.equal((await web.get('/metrics', { headers: { 'X-Forwarded-For': '198.51.100.7' } })).status, 200)
	})

	it('refuses to start with a METRICS_ALLOW that is none', async () => {
		for (const list of ['10.0.0.0/33', 'localhost', '10.0.0', '::1/129', '10.0.0.1/']) {
			const done = await refusedStart({ ...OPEN, ANALYTICS_DATABASE_URL: 'postgresql://me@127.0.0.1:1/none', METRICS_ALLOW: list }, emptyCwd())
			assert.equal(done.code, 1)
			assert.match(done.stderr, /"field":"METRICS_ALLOW"/, list)
		}
	})
})
