// Nothing is lost and nothing is there twice, wherever the process dies and however the bucket behaves.
// FAULTS=long: outages of a minute, of every kind, and 100 kills.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fillLive, numbers } from '../lib/fill.mjs'
import { sleep, until } from '../lib/process.mjs'
import { S3 } from '../lib/s3.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'

const LONG = process.env.FAULTS === 'long'
const FOLDERS = ['daily_sales', 'product_sales', 'customer_metrics', 'order_status', 'summary']
const random = numbers(Number(process.env.SEED ?? 11))

let shop, s3, stream, orders
before(async () => { shop = await liveShop({ REVENUE_PROFILE: 'commerce' }) })
beforeEach(async () => {
	await shop.cache.exec('TRUNCATE report_outbox, report_flush, report_day, live_day, live_status, live_customer, live_product; UPDATE live_site SET live_version = 0')
	s3 = await S3.start()
	orders = []
})
afterEach(async () => {
	await stream?.kill()
	stream = undefined
	await s3.stop()
})
after(() => shop.cache.drop())

// One more order.
function sell() {
	const id = orders.length
	orders.push({ id, day: `2025-03-${String(1 + random(28)).padStart(2, '0')}`, currency: 'EUR', status: 'completed', counted: true, total: 100 + id,
		customer: `c${random(9)}`, items: [[`p${random(9)}`, '1', '1.00']] })
	return shop.cache.exec(fillLive(orders))
}

const start = async (settings = {}, options) => {
	stream = await Stream.start(shop.cache, s3.settings({ FLUSH_INTERVAL: '1', ...settings }), options)
	return stream
}
const event = (name) => stream.events.filter((e) => e.event === name)
const waiting = () => shop.cache.value('SELECT count(*) FROM report_outbox')
const emptied = (limit = 30_000) => until(async () => await waiting() === 0, { limit, every: 100, what: 'the outbox to be empty' })

// What must hold of all that was ever stored, once the outbox is empty.
async function assertWhole() {
	const first = new Map()
	for (const { key, body } of s3.stored) {
		const text = String(body)
		if (first.has(key)) assert.equal(text, first.get(key), `${key} was stored again with other bytes`)
		else first.set(key, text)
	}
	const flushes = await shop.cache.query('SELECT stamp, done_at, live_version FROM report_flush ORDER BY flush_id')
	assert.deepEqual([...first.keys()], flushes.flatMap(({ stamp }) => FOLDERS.map((folder) => `analytics/${folder}/${stamp}.json`)),
		'each flush five times, in order, the summary last')
	assert.ok(flushes.every((f) => f.done_at))
	const summaries = flushes.map(({ stamp }) => JSON.parse(first.get(`analytics/summary/${stamp}.json`)))
	let sold = 0
	for (const [i, { window, metrics }] of summaries.entries()) {
		assert.equal(window.from, i ? summaries[i - 1].window.to : null, 'windows follow each other')
		sold += window.orders
		assert.equal(metrics.total_orders, sold, 'and add up')
	}
	assert.equal(sold, orders.length, 'the last one knows every order')
	const days = new Map()
	for (const { stamp } of flushes)
		for (const [day, row] of Object.entries(JSON.parse(first.get(`analytics/daily_sales/${stamp}.json`)).data)) days.set(day, row.order_count)
	assert.equal([...days.values()].reduce((n, count) => n + count, 0), orders.length, 'who keeps the last word on each day has every order')
	return flushes.length
}

describe('a process that is killed', () => {
	it('at any moment, with a bucket that fails half the time', async () => {
		s3.mode = ({ method }) => (method === 'PUT' && random(2) ? ['500', 'reset', 'lost', '403', 'wrong'][random(5)] : 'ok')
		for (let n = 0; n < (LONG ? 100 : 12); n++) {
			await sell()
			await start({}, { ready: false })
			const end = Date.now() + 100 + random(1400)
			while (Date.now() < end) {
				await sleep(random(250))
				await sell()
			}
			await stream.kill()
		}
		// Chance may have stored them all: the last to be killed leaves some for certain.
		s3.mode = '503'
		await sell()
		await start({}, { ready: false })
		await until(async () => await waiting() > 0, { what: 'some to be left to be stored' })
		await stream.kill()
		s3.mode = 'ok'
		await start()
		await sleep(1500)
		await stream.stop()
		await emptied()
		assert.ok(await assertWhole() > 5)
		assert.deepEqual(s3.refusals, [])
	})

	// The fifth report is the last of its flush.
	for (const [place, passes] of [['stream_reports_made', [1, 2]], ['stream_reports_committed', [1, 2]], ['stream_report_put', [1, 5]],
		['stream_report_stored', [1, 5]]])
		it(`at ${place}`, async () => {
			for (const pass of LONG ? [1, 2, 5] : passes) {
				await sell()
				await start({ TAKINGS_FAILPOINT: `${place}=kill@${pass}` }, { ready: false })
				const end = Date.now() + 6000
				while (!stream.ended() && Date.now() < end) {
					await sleep(300)
					if (!stream.ended()) await sell()
				}
				assert.equal(await stream.program.ended, 'SIGKILL')
			}
			await start()
			await until(async () => event('reports_begin').length > 0, { what: 'the lock' })
			await stream.stop()
			assert.equal(await waiting(), 0)
			await assertWhole()
		})
})

describe('a bucket that', () => {
	const outage = LONG ? 60_000 : 4_000
	for (const mode of ['503', 'reset', '403', 'skew', ...(LONG ? ['500', 'wrong'] : [])])
		it(`answers ${mode} is waited for`, async () => {
			await start()
			await sell()
			await until(() => s3.stored.length === 5, { what: 'the first reports' })
			await until(async () => (await stream.status()).status === 'ok')
			s3.mode = mode
			await sell()
			const cpu = stream.cpu(), begun = Date.now()
			while (Date.now() - begun < outage) {
				await sleep(500)
				await sell()
			}
			const used = (stream.cpu() - cpu) / (Date.now() - begun) * 1000
			assert.ok(used < (process.env.SAN ? 0.2 : 0.05), `${used} of a processor`)
			const { status, detail, stats } = await until(async () => {
				const now = await stream.status() // said every two seconds
				return now.stats.report_outbox >= 15 && now.stats.report_errors_total === event('report_not_stored').length && now
			}, { what: 'reports to go on being made' })
			assert.equal(status, 'degraded')
			assert.match(detail, /^reports: 127\.0\.0\.1/)
			if (mode === 'skew') assert.match(detail, /clock is wrong/)
			if (mode === '403') assert.match(detail, /s3:PutObject and s3:ListBucket/)
			const failed = event('report_not_stored')
			assert.ok(failed.length >= 4 && failed.length < outage / 300, `${failed.length} tries`)
			assert.equal(failed.at(-1).attempts, failed.length)
			assert.equal(stats.report_errors_total, failed.length)
			if (/^\d+$/.test(mode)) assert.equal(failed[0].status, Number(mode))
			if (/^\d+$/.test(mode)) assert.match(failed[0].request_id, /^REQ\d+$/)
			s3.mode = 'ok'
			await emptied()
			await until(async () => (await stream.status()).status === 'ok', { what: 'the good news' })
			await stream.stop()
			await assertWhole()
		})

	it('says nothing holds up neither the end nor the start', async () => {
		s3.mode = 'hang'
		await sell()
		await start({ SHUTDOWN_TIMEOUT: '4' })
		await sleep(500)
		const begun = Date.now()
		assert.equal(await stream.stop(), 0)
		assert.ok(Date.now() - begun < 5000)
		s3.mode = 'ok'
		await start()
		await emptied()
		await stream.stop()
		await assertWhole()
	})

	it('comes back within the end of a process has all of it', async () => {
		s3.mode = ({ n }) => (n < 6 ? '500' : 'ok')
		await sell()
		await start()
		await sell()
		assert.equal(await stream.stop(), 0)
		assert.equal(await waiting(), 0)
		await assertWhole()
	})

	it('does not let us in is said, not died of', async () => {
		s3.mode = '403'
		await start()
		await until(async () => (await stream.status()).status === 'degraded', { what: 'the bad news' })
		assert.match((await stream.status()).detail, /HTTP 403 AccessDenied \(request REQ\d+\)/)
		await sleep(1000)
		assert.ok(!stream.ended())
		assert.equal(s3.requests.length, 1, 'asked once, not in a loop')
	})

	it('cannot be meant is said, not died of', async () => {
		await start({ S3_BUCKET: 's3://bucket/path' })
		await until(async () => (await stream.status()).status === 'degraded', { what: 'the bad news' })
		assert.match((await stream.status()).detail, /S3_BUCKET='s3:\/\/bucket\/path' is no name of a bucket/)
		assert.equal(await stream.stop(), 0)
	})
})

describe('a database that goes away', () => {
	it('is waited for', async () => {
		const cut = () => shop.cache.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'takings-stream reports'")
		await start()
		await sell()
		await until(() => s3.stored.length === 5, { what: 'the first reports' })
		for (let n = 0; n < 5; n++) {
			await cut()
			await sell()
			await sleep(random(1200))
		}
		await until(async () => (await stream.status())?.status === 'ok' && s3.stored.length > 5, { what: 'more reports' })
		await sell()
		await cut() // and then nobody notices before the end
		await stream.stop()
		assert.equal(await waiting(), 0)
		await assertWhole()
	})
})
