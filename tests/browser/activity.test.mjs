// The pages of activity as people use them: with and without script, by keyboard, in the light and in the dark.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activitySql } from '../lib/activity_tables.mjs'
import { batch } from '../lib/callers.mjs'
import { startInstance } from '../lib/instance.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const PAGES = ['/admin/explorer', '/admin/explorer?by=source&metric=sessions,conversion_rate', '/admin/explorer?by=device,source&step=day&metric=users', '/admin/sessions',
	'/admin/dictionary', '/admin/dictionary/types/product_view', '/admin/quality', '/admin/questions?ask=by%3Dsource']

describe('pages of activity', () => {
	let instance, browser, origin, page, session

	before(async () => {
		instance = await startInstance()
		origin = instance.url('')
		browser = await launch()
		await signIn(instance)
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	const open = async (target, options) => {
		page = await openPage(browser, origin, { reducedMotion: 'reduce', ...options })
		page.reply = await page.goto(origin + target)
		return page
	}
	const close = async (allowed = /^$/) => {
		const { troubles } = page
		await page.context().close()
		assert.deepEqual(troubles.filter((t) => !allowed.test(t)), [])
	}
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/\s+/g, ' ').trim()
	const unfold = () => page.evaluate(() => { for (const d of document.querySelectorAll('main details:not(.menu)')) d.open = true })

	it('say what to do before the first event', async () => {
		for (const target of ['/admin/explorer', '/admin/sessions', '/admin/dictionary', '/admin/quality']) {
			await open(target)
			assert.match(await textOf('main'), /No events yet.*tracker\.js.*events\/track|No event came yet|Nothing came yet/)
			for (const viewport of [WIDE, PHONE]) {
				await page.setViewportSize(viewport)
				await assertNoSidewaysScroll(page)
			}
			await assertAccessible(page, target)
			await close()
		}
	})

	it('are filled', async () => {
		await instance.psql('MIGRATE_DATABASE_URL', activitySql({ days: 32, sessions: 40 }))
		session = await instance.psql('MIGRATE_DATABASE_URL', 'SELECT activity_session_id FROM activity_session WHERE steps & 8 <> 0 AND NOT bot ORDER BY started_at DESC LIMIT 1')
	})

	it('are accessible and quiet, wide and narrow, light and dark, folded and unfolded', async () => {
		for (const target of [...PAGES, `/admin/sessions/${session}`]) {
			await open(target)
			await drawn(page)
			await assertAccessible(page, target)
			await unfold()
			for (const viewport of [WIDE, PHONE])
				for (const colorScheme of ['light', 'dark']) {
					await page.setViewportSize(viewport)
					await page.emulateMedia({ colorScheme })
					await assertNoSidewaysScroll(page)
					await assertAccessible(page, `${target}, unfolded, ${viewport.width} px, ${colorScheme}`)
				}
			await close()
		}
	})

	it('can be read without script', async () => {
		for (const target of [...PAGES, `/admin/sessions/${session}`]) {
			await open(target, { javaScriptEnabled: false })
			assert.equal(page.reply.status(), 200)
			for (const table of await page.locator('main table:not(details.ask table)').all())
				if (await table.locator('xpath=ancestor::details[not(@open)]').count() === 0) assert.ok(await table.isVisible(), target)
			await close()
		}
	})

	it('lead from days to a day, its hours, a source and back, by the keyboard alone', async () => {
		await open('/admin/explorer?period=7d&metric=sessions')
		await drawn(page)
		const whole = Number(await page.getAttribute('[data-metric="sessions"] data', 'value'))
		await page.locator('summary', { hasText: 'Show the figures' }).focus()
		await page.keyboard.press('Enter')
		await page.locator('#answer tbody tr:nth-child(2) th a').focus()
		await page.keyboard.press('Enter')
		await page.waitForURL(/date=.*step=hour/)
		await drawn(page)
		const day = Number(await page.getAttribute('[data-metric="sessions"] data', 'value'))
		assert.ok(day > 0 && day < whole)
		assert.equal(await page.locator('#answer tbody tr').count(), 24)
		await page.locator('[data-menu="by"] summary').focus()
		await page.keyboard.press('Enter')
		await page.locator('[data-menu="by"] a', { hasText: 'source' }).focus()
		await page.keyboard.press('Enter')
		await page.waitForURL(/by=source/)
		await page.locator('#answer a', { hasText: 'google.com' }).first().focus()
		await page.keyboard.press('Enter')
		await page.waitForURL(/filter=source/)
		const narrowed = Number(await page.getAttribute('[data-metric="sessions"] data', 'value'))
		assert.ok(narrowed > 0 && narrowed < day)
		await page.locator('.filters a').focus()
		await page.keyboard.press('Enter')
		await page.waitForFunction((n) => document.querySelector('[data-metric="sessions"] data').value === String(n), day)
		const here = page.url()
		await page.keyboard.press('ArrowLeft') // the day before
		await page.waitForURL((url) => url.href !== here && /date=/.test(url.search))
		await close()
	})

	it('draw a line for each group, and bars for groups', async () => {
		await open('/admin/explorer?by=source&step=day&metric=sessions')
		await drawn(page)
		assert.deepEqual(await page.$$eval('[data-of="answer"] thead th.n', (list) => list.map((th) => [th.dataset.plot, th.dataset.series])), [1, 2, 3, 4].map((n) => ['line', String(n)]))
		await close()
		await open('/admin/explorer?by=source&metric=sessions')
		await drawn(page)
		assert.equal(await page.locator('#answer th[data-plot]').getAttribute('data-plot'), 'bar')
		assert.ok(await page.locator('#answer').isVisible(), 'the table of groups is open')
		await close()
	})

	it('keep a question, and a refused one says why', async () => {
		await open('/admin/explorer?by=source&metric=sessions')
		await page.fill('#question-name', 'By source')
		await page.selectOption('#question-shared', 'viewer')
		await page.click('button:has-text("Keep it")')
		assert.match(await textOf('[role="status"]'), /is kept/)
		await page.click('a:has-text("By source")')
		assert.match(page.url(), /\/admin\/explorer\?.*by=source/)
		await page.goto(`${origin}/admin/explorer?metric=revenue&by=source`)
		assert.match(await textOf('[role="alert"]'), /cannot be told apart by source/)
		await assertAccessible(page, 'a refused question')
		await close(/422/)
	})

	it('show a session’s way, and hide who it was from viewers', async () => {
		await batch(instance, ['user', 'add', 'vera', '--role', 'viewer'], 'a password of tests\n')
		await open(`/admin/sessions/${session}`)
		assert.deepEqual(await page.locator('#timeline .timeline-type').allTextContents(), ['page_view', 'page_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase'])
		await close()
		await signIn(instance, 'vera', 'a password of tests')
		await open('/admin/sessions')
		assert.doesNotMatch(await textOf('main table'), /user_\d|a-\d/)
		await close()
		await signIn(instance)
	})
})
