// The pages of funnels and cohorts as people use them: with and without script, by keyboard, wide and narrow, light and dark.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { behaviourSql } from '../lib/behaviour_tables.mjs'
import { batch } from '../lib/callers.mjs'
import { startInstance } from '../lib/instance.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const SMALL = { width: 320, height: 640 }
const PAGES = ['/admin/funnel', '/admin/funnel?by=source&compare=none', '/admin/funnel?funnel=long&order=any', '/admin/funnel/people?step=2&state=dropped', '/admin/funnels', '/admin/funnels/long',
	'/admin/cohorts', '/admin/cohorts?cohort_type=acquisition_day&period=28d&show=people', '/admin/cohorts?metric=ltv&cohort_type=acquisition_month&period=year']

describe('pages of behaviour', () => {
	let instance, browser, origin, page

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
	const press = async (selector) => {
		await page.locator(selector).first().focus()
		await page.keyboard.press('Enter')
	}

	it('say what to do before the first event', async () => {
		for (const target of ['/admin/funnel', '/admin/cohorts']) {
			await open(target)
			assert.match(await textOf('main'), /No events yet.*tracker\.js.*events\/track/)
			for (const viewport of [WIDE, PHONE, SMALL]) {
				await page.setViewportSize(viewport)
				await assertNoSidewaysScroll(page)
			}
			await assertAccessible(page, target)
			await close()
		}
	})

	it('are filled, and a funnel is added without script', async () => {
		await instance.psql('MIGRATE_DATABASE_URL', behaviourSql({ days: 50, sessions: 40 }))
		await open('/admin/funnels', { javaScriptEnabled: false })
		await page.fill('#funnel-name', 'long')
		await page.locator('.more-steps > summary').click()
		for (let i = 1; i <= 10; i++) {
			await page.fill(`[name="type_${i}"]`, i % 2 ? 'product_view' : 'add_to_cart')
			await page.fill(`[name="name_${i}"]`, `Something with a long name, number ${i}`)
		}
		await page.fill('[name="where_1"]', 'page=/p/1|/p/2|/p/3 & device=mobile|desktop')
		await page.click('button:has-text("Add it")')
		assert.match(await textOf('[role="status"]'), /is kept/)
		assert.match(await textOf('[data-funnel="long"]'), /number 1 .*number 10/)
		await close()
	})

	it('are accessible and quiet, wide and narrow, light and dark, folded and unfolded', async () => {
		for (const target of PAGES) {
			await open(target)
			assert.equal(page.reply.status(), 200, target)
			await drawn(page)
			await assertAccessible(page, target)
			await unfold()
			for (const viewport of [WIDE, PHONE, SMALL])
				for (const colorScheme of ['light', 'dark']) {
					await page.setViewportSize(viewport)
					await page.emulateMedia({ colorScheme })
					await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth).catch(() => {}) // charts are drawn anew
					await assertNoSidewaysScroll(page)
					await assertAccessible(page, `${target}, unfolded, ${viewport.width} px, ${colorScheme}`)
				}
			await close()
		}
	})

	it('can be read without script', async () => {
		for (const target of PAGES) {
			await open(target, { javaScriptEnabled: false })
			assert.equal(page.reply.status(), 200)
			for (const table of await page.locator('main table').all()) assert.ok(await table.isVisible(), target)
			await close()
		}
	})

	it('lead from a funnel to one by source, by session, and the people behind a figure, by the keyboard alone', async () => {
		await open('/admin/funnel')
		const all = Number(await page.getAttribute('#began', 'value'))
		await press('[data-menu="by"] summary')
		await press('[data-menu="by"] a:has-text("source")')
		await page.waitForURL(/by=source/)
		assert.ok(await page.locator('#groups tbody tr').count() >= 3)
		await press('a:has-text("Sessions"):not(.nav a)')
		await page.waitForURL(/unit=session/)
		assert.ok(Number(await page.getAttribute('#began', 'value')) > all, 'people come more than once')
		await page.goBack()
		await page.waitForURL((url) => !url.search.includes('unit='))
		const lost = Number((await page.locator('[data-step="2"] a[href*="state=dropped"]').first().innerText()).match(/[\d,]+/)[0].replaceAll(',', ''))
		await press('[data-step="2"] a[href*="state=dropped"]')
		await page.waitForURL(/funnel\/people/)
		const shown = await page.locator('[data-person]').count()
		assert.equal(shown, Math.min(lost, 50))
		await press('.eyebrow a')
		await page.waitForURL(/admin\/funnel\?.*by=source/)
		await page.keyboard.press('x') // no comparison
		await page.waitForURL(/compare=none/)
		assert.equal(await page.locator('.change').count(), 0)
		await close()
	})

	it('bars are as long as their shares, side by side or, where it is narrow, one below the other', async () => {
		await open('/admin/funnel?compare=none')
		const rates = await page.$$eval('.funnel-step', (list) => list.map((li) => Number(li.querySelector('.funnel-bar .is-full').getAttribute('height').replace('%', ''))))
		const box = (i, selector) => page.locator(`[data-step="${i + 1}"] ${selector}`).first().boundingBox()
		for (const [i, rate] of rates.entries()) {
			const [bar, whole] = [await box(i, '.funnel-bar .is-full'), await box(i, '.funnel-bar')]
			assert.ok(Math.abs(bar.height - whole.height * rate / 100) < 2, `step ${i + 1}`)
			if (i) assert.ok((await box(i, '.funnel-bar')).x > (await box(i - 1, '.funnel-bar')).x)
		}
		await page.setViewportSize(PHONE)
		for (const [i, rate] of rates.entries()) {
			const [bar, whole] = [await box(i, '.funnel-row .is-full'), await box(i, '.funnel-row')]
			assert.ok(Math.abs(bar.width - whole.width * rate / 100) < 2, `step ${i + 1}`)
			if (i) assert.ok((await box(i, '.funnel-row')).y > (await box(i - 1, '.funnel-row')).y)
		}
		await close()
	})

	it('a table of cohorts scrolls in a box of its own, and the cohorts stay in view', async () => {
		await open('/admin/cohorts', { viewport: PHONE })
		const region = page.locator('.scroll.is-heat')
		assert.ok(await region.evaluate((e) => e.scrollWidth > e.clientWidth))
		await region.focus()
		for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowRight')
		await page.waitForFunction(() => document.querySelector('.scroll.is-heat').scrollLeft > 40)
		const [frame, head] = [await region.boundingBox(), await page.locator('#cohorts tbody th').first().boundingBox()]
		assert.ok(Math.abs(head.x - frame.x) < 4)
		await close()
	})

	it('the figures in the cells stand out from their colours', async () => {
		for (const colorScheme of ['light', 'dark']) {
			await open('/admin/cohorts', { colorScheme })
			const worst = await page.evaluate(() => {
				const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
				const rgb = (color) => {
					canvas.clearRect(0, 0, 1, 1)
					canvas.fillStyle = color
					canvas.fillRect(0, 0, 1, 1)
					return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
				}
				const light = (color) => rgb(color).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
				const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05) }
				return [...document.querySelectorAll('#cohorts td[data-value]')].map((td) => {
					const style = getComputedStyle(td)
					const grounds = style.backgroundImage === 'none' ? [style.backgroundColor] : style.backgroundImage.match(/(?:rgb|oklab|color)\([^)]*\)/g)
					return Math.min(...grounds.filter((g) => !/, 0\)$/.test(g)).map((g) => contrast(style.color, g)))
				}).reduce((a, b) => Math.min(a, b), 99)
			})
			assert.ok(worst >= 4.5 && worst < 99, `${colorScheme}: ${worst}`)
			await close()
		}
	})

	it('a refused form says why, where it is', async () => {
		await open('/admin/funnels')
		await page.fill('#funnel-name', 'other')
		await page.fill('[name="type_1"]', 'page_view')
		await page.fill('[name="where_1"]', 'colour=red')
		await page.fill('[name="type_2"]', 'purchase')
		await page.click('button:has-text("Add it")')
		assert.match(await textOf('#form-problem'), /no dimension colour/)
		assert.equal(await page.inputValue('[name="where_1"]'), 'colour=red')
		await assertAccessible(page, 'a refused form')
		await close(/422/)
	})

	it('hide people from viewers', async () => {
		await batch(instance, ['user', 'add', 'vera', '--role', 'viewer'], 'a password of tests\n')
		await signIn(instance, 'vera', 'a password of tests')
		await open('/admin/funnel')
		assert.equal(await page.locator('a[href*="funnel/people"]').count(), 0)
		await assertAccessible(page, 'a viewer’s funnel')
		await close()
		await signIn(instance)
	})
})
