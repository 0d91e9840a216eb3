// From a page to the page: a shop of another origin with tracker.js, and what the live page shows of it.
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Live } from '../lib/live.mjs'
import { root, run, sleep, until } from '../lib/process.mjs'
import { freePort } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { launch, openPage, signIn } from './browser.mjs'

const NNBSP = '\u202f', AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript' }

// The demo shop, on a server of its own.
async function openShop(takings, key) {
	const files = Object.fromEntries(['index.html', 'shop.js', 'shop.css'].map((name) => [name, readFileSync(path.join(root, 'nginx/demo-shop', name), 'utf8')]))
	files['index.html'] = files['index.html'].replace('/static/tracker.js', `${takings}/static/tracker.js`).replace('/static/favicon.svg', 'data:,')
	const server = http.createServer((req, res) => {
		const name = new URL(req.url, 'http://x').pathname.replace('/demo-shop/', '') || 'index.html'
		res.writeHead(name in files ? 200 : 404, { 'content-type': TYPES[name.split('.').pop()] ?? 'text/plain' })
		res.end(files[name]?.replace('@KEY@', key()))
	})
	const port = await freePort()
	await new Promise((done) => server.listen(port, '127.0.0.1', done))
	return { origin: `http://127.0.0.1:${port}`, url: `http://127.0.0.1:${port}/demo-shop/`, close: () => { server.close(); server.closeAllConnections?.() } }
}

describe('tracker.js', () => {
	let live, browser, shop, takings, key, page

	const rows = (types = '%') => live.db.query(`SELECT event_type AS type, dims[1] AS page, dims[7] AS product, user_id, anonymous_id, session_id FROM activity_event
		WHERE event_type LIKE '${types}' ORDER BY seq`)
	const visit = async (more = {}, init = null) => {
		page = await openPage(browser, shop.origin, { userAgent: AGENT, ...more })
		if (init) await page.addInitScript(init)
		page.sent = []
		page.on('request', (r) => { if (r.url().includes('/events/')) page.sent.push(r.url()) })
		await page.goto(shop.url)
		return page
	}
	const leave = () => page.context().close()
	const arrived = (n) => until(async () => (await rows()).length === n, { what: `${n} events` })
	const clear = () => live.db.exec('TRUNCATE activity_event, activity_id, activity_account, activity_warning')

	before(async () => {
		await signIn(null)
		live = await Live.start()
		takings = `http://127.0.0.1:${live.port}`
		shop = await openShop(takings, () => key)
		const made = await run(program, ['key', 'add', 'shop', '--scope', 'ingest', '--origin', shop.origin], { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd() })
		key = /tk_[\w-]+/.exec(made.stdout)[0]
		browser = await launch()
	})

	after(async () => {
		await browser?.close()
		shop?.close()
		await live?.stop()
	})

	it('is under two kilobytes, may be loaded from anywhere and is looked for again within the hour', async () => {
		const { headers, text } = await live.web.get('/static/tracker.js')
		assert.ok(Buffer.byteLength(text) < 2048, `${Buffer.byteLength(text)} bytes`)
		assert.equal(statSync(path.join(root, 'static/tracker.js')).size, Buffer.byteLength(text))
		assert.equal(headers['cross-origin-resource-policy'], 'cross-origin')
		assert.equal(headers['cache-control'], 'public, max-age=3600')
		assert.ok(headers.etag)
		assert.equal((await live.web.get('/static/tracker.js', { headers: { 'if-none-match': headers.etag } })).status, 304)
		assert.equal((await live.web.get('/static/js/live.js')).headers['cross-origin-resource-policy'], 'same-origin')
	})

	it('shows on the live page within a second what is done in a shop', async () => {
		const watch = await openPage(browser, takings)
		await watch.goto(`${takings}/admin/live`)
		await watch.waitForSelector('#state[data-state="live"]')
		await visit()
		await watch.waitForSelector('#feed [data-entry]') // the page is loaded anew with the first
		await watch.waitForSelector('#state[data-state="live"]')
		const shown = async (what, selector, text) => {
			const begun = Date.now()
			await what()
			await watch.waitForFunction(([s, t]) => document.querySelector(s)?.textContent.includes(t), [selector, text], { polling: 20 })
			return Date.now() - begun
		}
		const took = []
		await sleep(1100) // after a calm a picture comes at once
		took.push(await shown(() => page.click('text=Headphones'), '#feed', 'product_view'))
		await sleep(1100)
		took.push(await shown(() => page.click('#add'), '#cart', `€${NNBSP}89.90`))
		const text = (selector) => watch.textContent(selector)
		assert.deepEqual([await text('#active-users'), await text('#active-users-5m'), await text('#active-sessions'), await text('#carts'), await text('#conversion')],
			['1', '1', '1', '1', `0.0${NNBSP}%`])
		await sleep(1100)
		took.push(await shown(() => page.click('#buy'), '#conversion', `100.0${NNBSP}%`))
		assert.equal(await text('#carts'), '0')
		assert.match(await text('#feed tr'), /purchase/)
		assert.match(await text('#pages tr'), /\/demo-shop\/1$/)
		assert.ok(took.sort((a, b) => a - b)[1] < 1000 && took[2] < 2500, `${took} ms`)
		const { json } = await live.web.get('/realtime/conversions')
		assert.deepEqual([json.purchases_in_window, json.sessions_today, json.conversion_rate, json.funnel.map((f) => f.sessions).join()], [1, 1, 100, '1,1,1,1'])
		assert.deepEqual((await rows()).map((e) => e.type), ['page_view', 'page_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase'])
		const ids = await rows()
		assert.equal(new Set(ids.map((e) => e.anonymous_id)).size, 1)
		assert.equal(new Set(ids.map((e) => e.session_id)).size, 1)
		assert.match(ids[0].anonymous_id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
		assert.deepEqual(watch.troubles, [])
		assert.deepEqual(page.troubles.filter((t) => !t.includes(`request: ${takings}/`)), [])
		await watch.context().close()
	})

	it('goes on with the visitor and session, and knows who it is once it is told', async () => {
		const [{ anonymous_id: id, session_id: session }] = await rows()
		await clear()
		await page.goto(shop.url)
		await arrived(1)
		await page.evaluate(() => window.takings.identify('user_1'))
		await page.evaluate(() => { window.takings('search', { query: 'mug' }); history.pushState(null, '', '?q=1'); history.replaceState(null, '', '?q=1#there') })
		await arrived(3)
		await page.reload()
		await arrived(4)
		assert.deepEqual((await rows()).map((e) => [e.type, e.user_id]), [['page_view', null], ['search', 'user_1'], ['page_view', 'user_1'], ['page_view', 'user_1']])
		assert.ok((await rows()).every((e) => e.anonymous_id === id && e.session_id === session))
		// Half an hour later it is another session.
		await page.evaluate(() => { const [s, at] = JSON.parse(sessionStorage.takings_s); sessionStorage.takings_s = JSON.stringify([s, at - 1_800_000]); window.takings('search') })
		await arrived(5)
		assert.notEqual((await rows())[4].session_id, session)
		await leave()
	})

	it('sends many large events, which a browser refuses to send behind a page', async () => {
		await clear()
		await visit()
		await arrived(1)
		await page.evaluate(() => { for (let n = 0; n < 20; n++) window.takings('large', { n, a: 'x'.repeat(1000), b: 'y'.repeat(1000), c: 'z'.repeat(1000), d: 'w'.repeat(1000) }) })
		await arrived(21)
		await leave()
	})

	it('takes calls from before it was there, and sends what is left behind with the page', async () => {
		await clear()
		await visit({}, () => { window.takings = function () { (window.takings.q = window.takings.q || []).push(arguments) }; window.takings('early', { n: 1 }) })
		await arrived(2)
		assert.deepEqual((await rows()).map((e) => e.type), ['page_view', 'early'])
		await page.evaluate(() => { window.takings('last'); location.href = 'about:blank' })
		await arrived(3)
		await page.goto(shop.url)
		await arrived(5)
		assert.deepEqual((await rows()).map((e) => e.type).slice(2), ['last', 'page_view', 'early'])
		assert.equal((await live.db.one('SELECT sum(duplicate)::int AS n FROM activity_account')).n, 0)
		await leave()
	})

	for (const [what, init] of [['DNT', () => Object.defineProperty(navigator, 'doNotTrack', { value: '1' })],
		['GPC', () => Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })]])
		it(`neither sends nor stores with ${what}`, async () => {
			await clear()
			await visit({}, init)
			await page.click('text=Notebook')
			await page.click('#add')
			await page.evaluate(() => window.takings.identify('user_1'))
			await page.click('#buy')
			await sleep(500)
			assert.deepEqual(await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)]), [[], []])
			await page.goto('about:blank')
			await sleep(300)
			assert.deepEqual(page.sent, [])
			assert.deepEqual(await rows(), [])
			await leave()
		})

	it('sends later, and once, what could not be sent', async () => {
		await clear()
		await visit()
		await arrived(1)
		await page.context().setOffline(true)
		await page.click('text=Coffee mug')
		await page.click('#add')
		await until(async () => page.troubles.some((t) => /ERR_INTERNET_DISCONNECTED/.test(t)), { what: 'a failed attempt' })
		assert.equal((await rows()).length, 1)
		assert.equal(await page.evaluate(() => JSON.parse(localStorage.takings_q).length), 3)
		await page.context().setOffline(false)
		await arrived(4)
		await until(() => page.evaluate(() => localStorage.takings_q === '[]'), { what: 'an empty queue' })
		// The server is away while one page is left for another.
		await page.route('**/events/**', (route) => route.abort())
		await page.click('#add')
		await until(() => page.sent.length > 2, { what: 'an attempt' })
		await sleep(200)
		await page.goto('about:blank')
		await page.unroute('**/events/**')
		await page.goto(shop.url)
		await arrived(6)
		await sleep(500)
		assert.deepEqual((await rows()).map((e) => e.type), ['page_view', 'page_view', 'product_view', 'add_to_cart', 'add_to_cart', 'page_view'])
		assert.equal((await live.db.one('SELECT sum(duplicate)::int AS n FROM activity_account')).n, 0)
		await leave()
	})

	it('keeps a hundred events at most, and no blocked storage stops it', async () => {
		await clear()
		await visit({}, () => Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked') } }))
		await page.evaluate(() => window.takings('search'))
		await arrived(2)
		assert.equal(new Set((await rows()).map((e) => e.anonymous_id)).size, 1)
		await leave()
		await visit()
		await arrived(3)
		await page.route('**/events/**', (route) => route.abort())
		const left = await page.evaluate(() => { for (let n = 0; n < 150; n++) window.takings('n', { n }); return JSON.parse(localStorage.takings_q).map((e) => e.properties.n) })
		assert.deepEqual([left.length, left[0], left[99]], [100, 50, 149])
		await leave()
	})

	it('gives up, for this page, once its key is refused', async () => {
		await clear()
		const made = await run(program, ['key', 'add', 'gone', '--scope', 'ingest', '--origin', shop.origin], { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd() })
		const was = key
		key = /tk_[\w-]+/.exec(made.stdout)[0]
		const id = await live.db.value("SELECT key_id FROM api_key WHERE name = 'gone'")
		await run(program, ['key', 'revoke', String(id)], { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd() })
		await visit({}, () => { const { setTimeout } = window; window.setTimeout = (f, ms) => setTimeout(f, ms / 20) })
		await until(() => page.sent.length, { what: 'an attempt' })
		await sleep(3000) // 20 s of the page's are one
		await page.click('text=Headphones')
		await page.evaluate(() => { window.takings('search'); dispatchEvent(new Event('online')) })
		await page.goto('about:blank')
		await sleep(300)
		assert.equal(page.sent.length, 1)
		key = was
		await leave()
	})

	it('is of no use to another site', async () => {
		await clear()
		const other = await openShop(takings, () => key)
		page = await openPage(browser, other.origin, { userAgent: AGENT })
		const sent = page.waitForRequest((r) => r.url().includes('/events/batch'))
		await page.goto(other.url)
		const request = await sent
		await until(() => request.failure() ?? request.response(), { what: 'the answer' })
		assert.deepEqual(await rows(), [])
		const post = (origin) => live.web.get(`/events/batch?key=${key}`, { method: 'POST', headers: { origin, 'content-type': 'text/plain' }, body: request.postData() })
		assert.deepEqual([(await post(other.origin)).status, (await post(shop.origin)).status], [403, 200])
		await leave()
		other.close()
	})
})
