// What happens on the site, on the page of what happens now.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityInsert } from '../lib/activity.mjs'
import { applied, day, session, visitor } from '../lib/activity_now.mjs'
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
	const isSaid = (state) => page.waitForSelector(`#state[data-state="${state}"]`, { timeout: 20_000 })
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/\s+/g, (t) => t === NNBSP ? t : ' ').trim()
	const happens = (sql, events = []) => live.db.exec(`${applied}; ${sql}; ${events.length ? activityInsert(events) : ''}; NOTIFY takings_live, '1'`)

	before(async () => {
		await signIn(null)
		live = await Live.start()
		browser = await launch()
	}, { timeout: 120_000 })

	after(async () => {
		await browser?.close()
		await live?.stop()
	})

	it('is not there before anything was tracked, and there with the first event', async () => {
		await open()
		await isSaid('live')
		assert.equal(await page.locator('#feed').count(), 0)
		await happens(`${visitor(1, 'user', 'anna', 0)}; ${session(1, 1, 0, { page: '/shoes', cart: '30.10' })};
			INSERT INTO activity_session_sum VALUES ('day', false, 0, ${day}, '', 4, 1, 0, 9, 90)`, [{ at: Date.now(), type: 'page_view', user_id: 'anna', dims: { page: '/shoes' } }])
		await page.waitForSelector('#feed [data-entry]', { timeout: 10_000 })
		assert.equal(await textOf('#active-users'), '1')
		assert.equal(await textOf('#cart'), `€${NNBSP}30.10`)
		assert.equal(await textOf('#conversion'), `25.0${NNBSP}%`)
		await close()
	})

	it('shows within two seconds what happens', async () => {
		await open()
		await isSaid('live')
		const begun = Date.now()
		await happens(`${visitor(2, 'anonymous', 'a-2', 0)}; ${session(2, 2, 0, { page: '/<b>', cart: '10.00' })}`,
			[{ at: Date.now(), type: 'add_to_cart', anonymous_id: 'a-2', dims: { page: '/<b>', product: 'P&1' } }, { at: Date.now(), type: 'page_view', user_id: 'bot', flags: 16 }])
		await page.waitForFunction(() => document.querySelectorAll('#feed [data-entry]').length === 2, null, { timeout: 5000 })
		assert.ok(Date.now() - begun < 2000, `${Date.now() - begun} ms`)
		assert.match(await textOf('#feed tr'), /^\d s agoadd_to_cartP&1a-2$/)
		assert.deepEqual([await textOf('#active-users'), await textOf('#active-users-5m'), await textOf('#active-sessions'), await textOf('#carts')], ['2', '2', '2', '2'])
		assert.equal(await textOf('#cart'), `€${NNBSP}20.05`)
		assert.deepEqual(await page.$$eval('#pages th', (list) => list.map((e) => e.textContent)), ['/<b>', '/shoes'])
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
		await happens(visitor(3, 'user', 'carl', 0))
		await until(async () => await textOf('#active-users') === '3', { what: 'the third' })
		await live.startStream()
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
