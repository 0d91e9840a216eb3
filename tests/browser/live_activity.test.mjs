// What happens on the site, on the page of what happens now.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityInsert } from '../lib/activity.mjs'
import { Live } from '../lib/live.mjs'
import { until } from '../lib/process.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, launch, openPage, signIn } from './browser.mjs'

const NNBSP = '\u202f'

describe('activity on the live page', () => {
	let live, browser, page

	const open = async (options) => {
		page = await openPage(browser, `http://127.0.0.1:${live.port}`, options)
		await page.goto(`http://127.0.0.1:${live.port}/admin/live`)
		return page
	}
	const close = async (allowed = /^$/) => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles.filter((t) => !allowed.test(t)), [])
	}
	const isSaid = (state) => page.waitForSelector(`#state[data-state="${state}"]`)
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/\s+/g, (t) => t === NNBSP ? t : ' ').trim()
	const happens = (...events) => live.db.exec(activityInsert(events.map((e) => ({ at: Date.now(), currency: 'EUR', ...e }))))

	before(async () => {
		await signIn(null)
		live = await Live.start()
		browser = await launch()
	})

	after(async () => {
		await browser?.close()
		await live?.stop()
	})

	it('is not there before anything was tracked, and there with the first event', async () => {
		await open()
		await isSaid('live')
		assert.equal(await page.locator('#feed').count(), 0)
		await happens({ type: 'page_view', user_id: 'anna', dims: { page: '/shoes' } }, { type: 'add_to_cart', user_id: 'anna', price: '15.05', quantity: 2, dims: { page: '/shoes', product: '7' } })
		await page.waitForSelector('#feed [data-entry]')
		assert.equal(await textOf('#active-users'), '1')
		assert.equal(await textOf('#cart'), `€${NNBSP}30.10`)
		assert.equal(await textOf('#conversion'), `0.0${NNBSP}%`)
		await close()
	})

	it('shows within two seconds what happens', async () => {
		await open()
		await isSaid('live')
		const begun = Date.now()
		await happens({ type: 'purchase', user_id: 'bob', dims: { page: '/paid' } }, { type: 'add_to_cart', anonymous_id: 'a-2', price: '10.00', dims: { page: '/<b>', product: 'P&1' } }, { user_id: 'bot', flags: 16 })
		await page.waitForFunction(() => document.querySelectorAll('#feed [data-entry]').length === 4)
		assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`)
		assert.match(await textOf('#feed tr'), /^\d s agoadd_to_cartP&1a-2$/)
		assert.deepEqual([await textOf('#active-users'), await textOf('#active-users-5m'), await textOf('#active-sessions'), await textOf('#carts')], ['3', '3', '3', '2'])
		assert.equal(await textOf('#cart'), `€${NNBSP}20.05`)
		assert.equal(await textOf('#conversion'), `33.3${NNBSP}%`)
		assert.deepEqual(await page.$$eval('#pages th', (list) => list.map((e) => e.textContent)), ['/<b>', '/paid', '/shoes'])
		await until(async () => /^[1-9]/.test(await textOf('#feed time')), { what: 'time to go by' })
		await close()
	})

	it('has the same words with and without script, but for how long ago', async () => {
		const read = () => page.$$eval('#active-users, #active-users-5m, #active-sessions, #sessions-today, #cart, #carts, #conversion, #pages, #feed th, #feed td.name',
			(list) => list.map((e) => e.textContent.replace(/\s+/g, '')))
		await open({ javaScriptEnabled: false })
		const plain = await read()
		assert.match(await textOf('#feed time'), /^\d\d:\d\d:\d\d$/)
		await close()
		await open()
		await isSaid('live')
		assert.deepEqual(await read(), plain)
		await close()
	})

	it('goes on where there is no stream', async () => {
		await open()
		await isSaid('live')
		await live.endStream('SIGKILL')
		await isSaid('polling')
		await happens({ user_id: 'carl', type: 'page_view' })
		await until(async () => /page_view/.test(await textOf('#feed tr')), { what: 'the event' })
		await live.startStream()
		await until(async () => await textOf('#active-users') === '4', { what: 'the fourth' })
		await close(/WebSocket|Failed to load resource|net::/)
	})

	for (const [size, viewport, colorScheme] of [['1440', WIDE, 'light'], ['1440', WIDE, 'dark'], ['390', PHONE, 'light'], ['390', PHONE, 'dark']])
		it(`is accessible at ${size} px, ${colorScheme}`, async () => {
			await open({ viewport, colorScheme, reducedMotion: 'reduce' })
			await isSaid('live')
			await assertAccessible(page, 'live')
			await assertNoSidewaysScroll(page)
			if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/live-${size}-${colorScheme}.png`, fullPage: true })
			await close()
		})
})
