// cache.test.mjs: answers that are kept: until when, for whom, and what is said about them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SettingsFile } from '../lib/reload.mjs'
import { daysAgo, openSmallShop } from '../lib/shop.mjs'
import { sleep, until } from '../lib/process.mjs'
import { Web } from '../lib/web.mjs'

const SUMMARY = '/api/admin/analytics/summary'

describe('an answer', () => {
	let shop, web, file
	const day = daysAgo(2)

	before(async () => {
		shop = await openSmallShop(4)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), ANALYTICS_CACHE_TTL: undefined })
		file = new SettingsFile(web)
		await until(() => web.log.includes('"listening"'), { what: 'takings-web to listen' })
	})
	after(() => web?.stop())

	// What writers do: figures and version in one transaction.
	const change = (add) => shop.cache.exec(`BEGIN; UPDATE daily_revenue_cache SET revenue_minor = revenue_minor + ${add} WHERE business_date = '${day}';
		UPDATE site SET data_version = data_version + 1; SELECT pg_notify('takings_data', data_version::text) FROM site; COMMIT`)
	const get = (target = `${SUMMARY}?date=${day}`, headers = {}) => web.get(target, { headers })

	it('is kept: the second is the first, to the byte', async () => {
		const first = await get(), second = await get()
		assert.equal(first.headers['x-cache'], 'miss')
		assert.match(second.headers['x-cache'], /^hit; age=\d+$/)
		assert.equal(second.text, first.text)
		assert.equal(second.headers.etag, first.headers.etag)
		assert.match(first.headers['x-data-version'], /^[1-9]\d*$/)
		assert.equal(first.headers['cache-control'], 'private, no-cache')
	})

	it('is the same however the question was written', async () => {
		await get(`${SUMMARY}?date=${day}&basis=order_date`)
		assert.match((await get(`${SUMMARY}?basis=order_date&date=${day}`)).headers['x-cache'], /^hit/)
		assert.match((await get(`${SUMMARY}?date=${day}`)).headers['x-cache'], /^hit/) // the default, said or not
		assert.equal((await get(`${SUMMARY}?date=${day}&basis=transaction_date`)).headers['x-cache'], 'miss')
	})

	it('is made anew as soon as figures changed', async () => {
		const was = (await get()).json.total_revenue
		for (let i = 1; i <= 20; i++) {
			await change(100)
			const now = await until(async () => { const a = await get(); return a.json.total_revenue !== was + i - 1 && a })
			assert.equal(now.json.total_revenue, was + i)
		}
	})

	it('is not sent again to who has it', async () => {
		const { headers: { etag } } = await get()
		for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
			const answer = await get(undefined, { 'if-none-match': known })
			assert.deepEqual([answer.status, answer.text, answer.headers.etag], [304, '', etag], known)
		}
		for (const other of ['"other"', etag.slice(0, -2) + '"', etag.replace(/^"/, '"x')]) assert.equal((await get(undefined, { 'if-none-match': other })).status, 200, other)
		await change(100)
		const changed = await until(async () => { const a = await get(undefined, { 'if-none-match': etag }); return a.status === 200 && a })
		assert.notEqual(changed.headers.etag, etag)
	})

	it('is as new as X-Read-After asks, or 409', async () => {
		await change(100)
		const version = Number(await shop.cache.value('SELECT data_version::int FROM site'))
		const now = Number(await shop.cache.value(`SELECT revenue_minor::int FROM daily_revenue_cache WHERE business_date = '${day}'`)) / 100
		const answer = await get(undefined, { 'x-read-after': String(version) })
		assert.deepEqual([answer.status, answer.json.total_revenue], [200, now])
		assert.ok(Number(answer.headers['x-data-version']) >= version)
		const later = get(undefined, { 'x-read-after': String(version + 1) })
		setTimeout(() => change(100), 300)
		assert.equal((await later).json.total_revenue, now + 1)
		const never = await get(undefined, { 'x-read-after': String(version + 1000) })
		assert.deepEqual([never.status, never.json.code, never.json.field], [409, 'not_yet', 'X-Read-After'])
		assert.equal((await get(undefined, { 'x-read-after': 'soon' })).status, 422)
	})

	it('is not kept while nobody listens, and never wrong after', async () => {
		await get()
		const listener = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'takings-web watch' AND datname = current_database()`
		for (let i = 0; i < 5; i++) {
			const was = (await get()).json.total_revenue
			await shop.cache.exec(listener)
			await change(100) // unheard
			await until(async () => (await get()).json.total_revenue === was + 1, { what: 'the new figure' })
		}
		await until(async () => /^hit/.test((await get()).headers['x-cache']), { what: 'answers to be kept again' })
	})

	it('is older than ANALYTICS_CACHE_TTL never, and with 0 it is not kept', async () => {
		await file.set({ ANALYTICS_CACHE_TTL: '1' })
		await get()
		await until(async () => (await get()).headers['x-cache'] === 'miss', { what: 'the end of a second' })
		await file.set({ ANALYTICS_CACHE_TTL: '0' })
		await get()
		assert.equal((await get()).headers['x-cache'], 'miss')
	})
})

describe('a wait that used up the time of its request', () => {
	it('ends, and nobody else waits for it', async () => {
		const shop = await openSmallShop(3)
		await shop.expectRun(0)
		const web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), WORKER_THREADS: '1', QUERY_TIMEOUT: '1' })
		await until(() => web.log.includes('"listening"'))
		const version = Number(await shop.cache.value('SELECT data_version::int FROM site'))
		// 1.5 s after it began the first may go on, and finds the one connection at work.
		const late = web.get(SUMMARY, { headers: { 'x-read-after': String(version + 1) } })
		const holder = shop.cache.exec('BEGIN; LOCK TABLE daily_revenue_cache; SELECT pg_sleep(2.5); COMMIT')
		await sleep(1100)
		const slow = web.get(`${SUMMARY}?basis=transaction_date`)
		await sleep(400)
		await shop.cache.exec('BEGIN; UPDATE site SET data_version = data_version + 1; SELECT pg_notify(\'takings_data\', data_version::text) FROM site; COMMIT')
		assert.ok([409, 503, 504].includes((await late).status)) // 409: the machine was too busy to try
		assert.ok([503, 504].includes((await slow).status))
		await holder
		assert.equal((await web.get(SUMMARY)).status, 200)
		await web.stop()
	})
})

describe('figures behind the back of the program', () => {
	it('are seen after the time to live at the latest', async () => {
		const shop = await openSmallShop(3)
		await shop.expectRun(0)
		const web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), ANALYTICS_CACHE_TTL: '1' })
		await until(() => web.log.includes('"listening"'))
		const was = (await web.get(SUMMARY)).json.total_revenue
		await shop.cache.exec(`UPDATE daily_revenue_cache SET revenue_minor = revenue_minor + 100`)
		await until(async () => (await web.get(SUMMARY)).json.total_revenue !== was)
		await web.stop()
	})
})
