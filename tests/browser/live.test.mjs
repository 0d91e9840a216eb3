// The page of what happens now: what it shows and how soon, and what it says when it cannot know.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Live } from '../lib/live.mjs'
import { until } from '../lib/process.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const NNBSP = '\u202f'
const money = (n) => `€${NNBSP}${n.toLocaleString('en-US', { minimumFractionDigits: 2 })}`

describe('live', () => {
	let live, browser, origin, page, serial = 0

	const open = async (options, target = '/admin/live') => {
		page = await openPage(browser, origin, options)
		await page.goto(origin + target)
		return page
	}
	const close = async (allowed = /^$/) => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles.filter((t) => !allowed.test(t)), [])
	}
	const isSaid = (state, limit = 10_000) => page.waitForSelector(`#state[data-state="${state}"]`, { timeout: limit })
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/ +/g, ' ').trim()
	const order = async (more) => {
		const id = `n${++serial}`
		await live.put({ id, item: '7', name: 'Soup & bread', ...more })
		return id
	}
	const isShown = (id, limit = 5000) => page.waitForSelector(`#recent [data-order="${id}"]`, { timeout: limit })
	const network = /WebSocket|Failed to load resource|net::/ // what the browser says of a loss

	before(async () => {
		await signIn(null)
		live = await Live.start({}, { streaming: false })
		origin = `http://127.0.0.1:${live.port}`
		browser = await launch()
	})

	after(async () => {
		await browser?.close()
		await live?.stop()
	})

	it('says what to do where no stream runs, and shows the empty day', async () => {
		await open()
		await isSaid('polling')
		assert.match(await textOf('#source'), /No stream runs.*takings-batch doctor/)
		assert.match(await textOf('#recent'), /No orders yet/)
		assert.equal(await textOf('#revenue'), money(0))
		await assertAccessible(page, 'empty')
		await close(network)
	})

	it('shows an order within two seconds', async () => {
		await live.startStream()
		for (let i = 0; i < 12; i++) await order({ agoS: 120 * i, status: ['pending', 'done'][i % 2] })
		await until(async () => (await live.db.query('SELECT count(*)::int AS n FROM order_state'))[0].n === serial, { what: 'the orders before it' })
		await open()
		await isSaid('live')
		assert.equal(await textOf('#source'), '')
		const orders = Number(await page.getAttribute('#orders', 'value')), begun = Date.now()
		const id = await order({ total: 123456, item: '8', name: '<b>Wine</b>', status: 'brand new' })
		await isShown(id)
		assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`)
		assert.equal(await textOf('#orders'), String(orders + 1))
		const { json } = await live.web.get('/api/admin/analytics/live')
		assert.equal(await textOf('#revenue'), money(json.today.revenue))
		assert.equal(await textOf('#average'), money(json.today.avg_order_value))
		assert.equal(await textOf('#products tr'), `<b>Wine</b>1${money(1234.56)}`)
		assert.match(await textOf('#statuses'), /brand new1/)
		assert.equal(await textOf('#recent tr td.n'), money(1234.56))
		assert.equal(await page.locator('#minutes tr').count(), 60)
		await close()
	})

	it('has the same words with and without script', async () => {
		const read = () => page.$$eval('#revenue, #compare, #orders, #orders-before, #average, #rate, #rate-revenue, #rate-cancelled, #recent, #products, #statuses',
			(list) => list.map((e) => e.textContent.replace(/\s*\n\s*/g, '').replace(/ +/g, ' ').trim()))
		await live.db.exec(`INSERT INTO live_day SELECT 0, current_date - 7, 'EUR', 40, 40, 99000, 0, 99000, 0, 0, 0, 0, now();
			INSERT INTO live_minute VALUES (0, (current_date - 7)::timestamp AT TIME ZONE 'UTC', 'EUR', 5, 4000, 5, 4000); NOTIFY takings_live, '1'`)
		await open({ javaScriptEnabled: false })
		const plain = await read()
		assert.equal(await page.locator('.live-hint a:visible').count(), 1)
		assert.equal(await page.locator('details.data table:visible').count(), 1)
		await close()
		await open()
		await isSaid('live')
		// The first picture may be of the moment before.
		await until(async () => /at the same time/.test(await textOf('#compare')), { what: 'the picture of both days' })
		const lively = await read()
		// The minute's rates may have moved on in between.
		for (const i of [0, 1, 2, 3, 4, 8, 9, 10]) assert.equal(lively[i], plain[i])
		assert.match(plain[1], /% on last \w+day at the same time \(€\u202f40\.00\)$/)
		assert.match(plain[3], /^5 last \w+day by now$/)
		await close()
	})

	for (const [size, viewport, colorScheme] of [['1440', WIDE, 'light'], ['1440', WIDE, 'dark'], ['390', PHONE, 'light'], ['390', PHONE, 'dark']])
		it(`is accessible and quiet at ${size} px, ${colorScheme}`, async () => {
			await open({ viewport, colorScheme, hasTouch: viewport === PHONE, reducedMotion: 'reduce' }, '/admin/live?by=revenue')
			await isSaid('live')
			await drawn(page)
			await isShown(await order())
			assert.equal(await page.$eval('#recent tr', (r) => getComputedStyle(r.cells[0]).animationName), 'none')
			await assertNoSidewaysScroll(page)
			await assertAccessible(page, 'folded')
			await page.click('details.data summary')
			await assertAccessible(page, 'unfolded')
			await assertNoSidewaysScroll(page)
			if (viewport === PHONE) {
				const small = await page.$$eval('a:not(.skip), button, summary', (list) => list
					.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40 && !e.closest('.scroll')).map((e) => e.outerHTML))
				assert.deepEqual(small, [])
			}
			await close()
		})

	it('is reached by its word in the navigation, and redraws its chart', async () => {
		await open({}, '/admin/live')
		assert.equal(await textOf('.nav a[aria-current="page"]'), 'Live')
		await drawn(page)
		const now = () => page.$eval('#minutes tr:last-child td', (c) => Number(c.dataset.value))
		const orders = await now()
		await order()
		await until(async () => (await now()) !== orders, { what: 'the minute that runs' })
		assert.equal(await page.locator('.chart.is-off').count(), 0)
		await close()
	})

	it('asks every five seconds while there is no stream, and goes on by itself', async () => {
		await open()
		await isSaid('live')
		await live.endStream('SIGKILL')
		await isSaid('away', 2000)
		await isSaid('polling')
		assert.equal(await textOf('#state-words'), 'Polling every 5 s')
		await isShown(await order(), 7000)
		await live.startStream()
		await isSaid('live', 30_000)
		await isShown(await order())
		await close(network)
	})

	it('says since when it knows nothing new, and heals', async () => {
		await open()
		await isSaid('live')
		const gone = new Promise((done) => live.web.nginx.once('close', done))
		live.web.nginx.kill('SIGTERM')
		await gone
		await isSaid('stale', 25_000)
		assert.match(await textOf('#state-words'), /^Stale since \d\d:\d\d$/)
		assert.ok(await page.locator('main.is-stale').count())
		await assertAccessible(page, 'stale')
		const id = await order()
		live.web.startNginx()
		await isShown(id, 35_000)
		await isSaid('live', 35_000)
		assert.equal(await page.locator('main.is-stale').count(), 0)
		await close(network)
	})

	it('is stale where the figures are, however lively the connection is', async () => {
		await open()
		await isSaid('live')
		live.child.kill('SIGSTOP')
		await page.route('**/api/admin/analytics/live', (route) => route.abort())
		await isSaid('stale', 25_000)
		live.child.kill('SIGCONT')
		await isSaid('live', 35_000)
		await close(network)
	})
})
