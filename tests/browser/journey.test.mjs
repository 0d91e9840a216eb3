// The page of a person and that of the probability as people use them: with and without script, by keyboard, in the light
// and in the dark.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activitySql } from '../lib/activity_tables.mjs'
import { startInstance } from '../lib/instance.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, launch, openPage, signIn } from './browser.mjs'

const NARROW = { width: 320, height: 640 }
const MODEL = `INSERT INTO conversion_model (model_date, from_day, to_day, days, people, n, converted, judged_from, judged_n, judged_converted, brier, brier_base, base_rate, deciles)
	SELECT current_date - 2, current_date - 98, current_date - 9, 90, 1204, 20110, 1310, current_date - 38, 6703, 441, 0.0514, 0.0601, 0.0644,
		(SELECT jsonb_agg(jsonb_build_object('decile', d, 'n', 670, 'converted', d * d * 2, 'said', d * d * 0.0028, 'came', d * d * 2 / 670.0)) FROM generate_series(2, 10) d);
	INSERT INTO conversion_cell SELECT current_date - 2, s, r, b, (4 - s) * 150 + r, (4 - s) * 8, 0.02 + s * 0.06 + (b::int * 0.03) - r * 0.003
	FROM generate_series(0, 3) s, generate_series(0, 5) r, unnest(ARRAY[true, false]) b`

describe('the page of a person', () => {
	let instance, browser, origin, page, person, longest

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

	const sql = (text) => instance.psql('MIGRATE_DATABASE_URL', text)
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
	async function looksRight(target) {
		await open(target)
		assert.equal(page.reply.status(), 200)
		await page.evaluate(() => { for (const d of document.querySelectorAll('main details')) d.open = true })
		for (const viewport of [WIDE, PHONE, NARROW])
			for (const colorScheme of ['light', 'dark']) {
				await page.setViewportSize(viewport)
				await page.emulateMedia({ colorScheme })
				await assertNoSidewaysScroll(page)
				await assertAccessible(page, `${target}, ${viewport.width} px, ${colorScheme}`)
			}
	}

	it('says what it takes before there is a table', async () => {
		await looksRight('/admin/conversion')
		assert.match(await textOf('main'), /There is no table yet.*takings-batch run.*37 business days by 100 people/)
		await close()
		await open('/admin/person/1')
		assert.equal(page.reply.status(), 404)
		await close(/404/)
	})

	it('is filled', async () => {
		await sql(activitySql({ days: 32, sessions: 40 }))
		person = await sql(`SELECT s.person_id FROM activity_session s JOIN activity_visitor v ON v.visitor_id = s.person_id AND v.id IS NOT NULL
			WHERE NOT s.bot GROUP BY 1 ORDER BY bool_or(s.steps & 8 <> 0) DESC, sum(s.events) DESC LIMIT 1`)
		longest = await sql(`SELECT sum(events) FROM activity_session WHERE person_id = ${person} AND NOT bot`)
		await open(`/admin/person/${person}`)
		assert.match(await textOf('main'), /nobody can tell: no table had been made before that day/)
		await close()
		await sql(MODEL)
	})

	it('is accessible and quiet, wide and narrow, light and dark', async () => {
		for (const target of [`/admin/person/${person}`, '/admin/conversion']) {
			await looksRight(target)
			await close()
		}
	})

	it('can be read without script', async () => {
		for (const target of [`/admin/person/${person}`, '/admin/conversion']) {
			await open(target, { javaScriptEnabled: false })
			assert.equal(page.reply.status(), 200)
			for (const table of await page.locator('main table:not(details:not([open]) table)').all()) assert.ok(await table.isVisible(), target)
			await close()
		}
	})

	it('says how likely a purchase is, and why', async () => {
		await open(`/admin/person/${person}`)
		assert.match(await textOf('[aria-labelledby="chance-title"]'), /\d+ in 1?,?\d00 like this bought within 7 days\..*Last seen.*Made on/)
		const points = await page.$$eval('[data-part] td:last-child', (list) => list.map((td) => Number(td.textContent)))
		assert.ok(points.length > 0)
		assert.deepEqual(points, [...points].sort((a, b) => b - a))
		assert.ok(Number(await page.getAttribute('#score', 'value')) > 0)
		await close()
	})

	it('leads from sessions to a person, to older ones, and to how good that is, by the keyboard alone', async () => {
		await open('/admin/sessions?period=all')
		await page.locator('a[href^="/admin/person/"]').first().focus()
		await page.keyboard.press('Enter')
		await page.waitForURL(/\/admin\/person\/\d+$/)
		await page.goto(`${origin}/admin/person/${person}`)
		let seen = await page.locator('[data-event]').count()
		while (await page.locator('a[rel="next"]').count()) {
			await page.locator('a[rel="next"]').focus()
			const here = page.url()
			await page.keyboard.press('Enter')
			await page.waitForURL((url) => url.href !== here)
			seen += await page.locator('[data-event]').count()
		}
		assert.equal(seen, Number(longest))
		await page.locator('a', { hasText: 'How good is that?' }).focus()
		await page.keyboard.press('Enter')
		await page.waitForURL(/\/admin\/conversion$/)
		assert.equal(await page.locator('#deciles tbody tr').count(), 9)
		assert.equal(await page.locator('.said-dot').count(), 9)
		assert.equal(await page.locator('#cells tbody tr').count(), 48)
		await close()
	})
})
