// cors.test.mjs: pages of other origins: those of CORS_ORIGINS may read answers they ask for with a token.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openSmallShop } from '../lib/shop.mjs'
import { until } from '../lib/process.mjs'
import { SettingsFile } from '../lib/reload.mjs'
import { Web, refusedStart } from '../lib/web.mjs'

const SUMMARY = '/api/admin/analytics/summary'
const GOOD = 'https://till.example.com'

describe('CORS_ORIGINS', () => {
	let shop, web, file
	before(async () => {
		shop = await openSmallShop(3)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
		file = new SettingsFile(web)
		await file.set({ CORS_ORIGINS: `https://a.example, ${GOOD}` })
	})
	after(() => web?.stop())

	const get = (origin, target = SUMMARY, options = {}) => web.get(target, { ...options, headers: { ...(origin && { origin }), ...options.headers } })

	it('lets the origins it lists read answers, errors too, and never with cookies', async () => {
		for (const target of [SUMMARY, `${SUMMARY}?x=1`, '/info']) {
			const { headers } = await get(GOOD, target)
			assert.equal(headers['access-control-allow-origin'], GOOD, target)
			assert.equal(headers['access-control-allow-credentials'], undefined)
			assert.match(headers.vary, /Origin/)
			assert.match(headers['access-control-expose-headers'], /X-Data-Version/)
		}
	})

	it('says nothing to others, however much they look like one', async () => {
		for (const origin of [undefined, 'https://evil.example', `${GOOD}.evil.example`, 'http://till.example.com', 'https://TILL.example.com', `${GOOD}/`, 'null', '*'])
			assert.equal((await get(origin)).headers['access-control-allow-origin'], undefined, String(origin))
	})

	it('says nothing about pages', async () => {
		assert.equal((await get(GOOD, '/admin/')).headers['access-control-allow-origin'], undefined)
	})

	it('answers a preflight with what may be sent', async () => {
		const yes = await get(GOOD, SUMMARY, { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } })
		assert.deepEqual([yes.status, yes.headers['access-control-allow-methods'], yes.text], [204, 'GET, HEAD', ''])
		assert.match(yes.headers['access-control-allow-headers'], /Authorization/)
		assert.equal((await get('https://evil.example', SUMMARY, { method: 'OPTIONS' })).headers['access-control-allow-methods'], undefined)
		assert.equal((await get(GOOD, '/nothing', { method: 'OPTIONS' })).status, 404)
	})

	it('is read again on SIGHUP; what is wrong changes nothing', async () => {
		await file.set({ CORS_ORIGINS: '*' }, { refused: true })
		assert.equal((await get(GOOD)).headers['access-control-allow-origin'], GOOD)
		await file.set({ CORS_ORIGINS: 'https://b.example' })
		assert.equal((await get(GOOD)).headers['access-control-allow-origin'], undefined)
		assert.equal((await get('https://b.example')).headers['access-control-allow-origin'], 'https://b.example')
	})

	it('does not take *', async () => {
		const done = await refusedStart({ CORS_ORIGINS: '*', ANALYTICS_DATABASE_URL: shop.cache.url() })
		assert.equal(done.code, 1)
		assert.match(done.stderr, /CORS_ORIGINS/)
	})
})

describe('a list of origins', () => {
	it('with what is none stops the start', async () => {
		const none = ['till.example.com', `${GOOD}/`, 'https://', 'https://Till.example.com', 'ftp://till.example.com', `${GOOD},https://a.example/x`, 'https://me@a.example']
		for (const name of ['CORS_ORIGINS', 'PUBLIC_ORIGIN'])
			for (const list of none) {
				const done = await refusedStart({ ANALYTICS_DATABASE_URL: 'postgresql://me@127.0.0.1:1/none', [name]: list })
				assert.equal(done.code, 1, `${name}=${list}`)
				assert.match(done.stderr, new RegExp(`config_refused.*"field":"${name}"`), list)
			}
	})
})

describe('SIGHUP', () => {
	it('leaves what is read at start as it was, and says so', async () => {
		const shop = await openSmallShop(3)
		const web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
		const file = new SettingsFile(web)
		await file.set({ HTTP_THREADS: '3', LOG_LEVEL: 'DEBUG' })
		const said = web.events.find((e) => e.event === 'setting_needs_restart')
		assert.equal(said.name, 'HTTP_THREADS')
		await web.get('/health/live')
		await until(() => web.events.some((e) => e.level === 'DEBUG'), { what: 'a line of the new level' })
		await web.stop()
	})

	it('a hundred times in a row costs no request', async () => {
		const shop = await openSmallShop(3)
		await shop.expectRun(0)
		const web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
		let going = true
		const statuses = new Set()
		const asking = (async () => { while (going) statuses.add((await web.get(SUMMARY)).status) })()
		for (let i = 0; i < 100; i++) await new SettingsFile(web).set({ RATE_LIMIT_BURST: String(i + 1) })
		going = false
		await asking
		assert.deepEqual([...statuses], [200])
		await web.stop()
	})
})
