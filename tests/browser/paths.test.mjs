// The page of paths as people use it: with and without script, by keyboard, wide and narrow, in the light and in the dark.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startInstance } from '../lib/instance.mjs'
import { makeWorld, worldSql } from '../lib/paths_world.mjs'
import { must } from '../lib/process.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, launch, openPage, signIn } from './browser.mjs'

const SMALL = { width: 320, height: 640 }, MIDDLE = { width: 1000, height: 800 }
const PAGES = ['/admin/paths', '/admin/paths?start=%2Fc%2Faudio&depth=10', '/admin/paths?end=purchase&by=type', '/admin/paths?by=page&collapse=no&period=7d']

describe('page of paths', () => {
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
	const press = async (selector) => {
		await page.locator(selector).first().focus()
		await page.keyboard.press('Enter')
	}

	it('says what to do before the first event', async () => {
		await open('/admin/paths')
		assert.match(await textOf('main'), /No events yet.*tracker\.js.*events\/track/)
		for (const viewport of [WIDE, PHONE, SMALL]) {
			await page.setViewportSize(viewport)
			await assertNoSidewaysScroll(page)
		}
		await assertAccessible(page, 'no events')
		await close()
	})

	it('is filled', async () => {
		const now = Date.now()
		const world = makeWorld({ seed: 7, people: 500, from: now - 20 * 86_400_000, to: now - 86_400_000 }).filter((e) => e.at / 1000 < now)
		const { MIGRATE_DATABASE_URL: url } = await instance.settings()
		await must('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', url], { input: worldSql(world) })
	})

	it('is accessible and quiet, wide and narrow, light and dark', async () => {
		for (const target of PAGES) {
			await open(target)
			assert.equal(page.reply.status(), 200)
			for (const viewport of [WIDE, MIDDLE, PHONE, SMALL])
				for (const colorScheme of ['light', 'dark']) {
					await page.setViewportSize(viewport)
					await page.emulateMedia({ colorScheme })
					await assertNoSidewaysScroll(page)
					assert.deepEqual([await page.locator('.sankey').isVisible(), await page.locator('.path-steps').isVisible()], [viewport.width >= 900, viewport.width < 900])
					await assertAccessible(page, `${target}, ${viewport.width} px, ${colorScheme}`)
				}
			await close()
		}
	})

	it('has one figure in the diagram, the steps, the tables and the data, without script', async () => {
		const same = { by: 'event', depth: '5', top: '6' }
		for (const [target, more] of [['/admin/paths?from=2000-01-01&to=2000-01-02', null], ['/admin/paths?period=28d', same], ['/admin/paths?period=28d&end=purchase&by=type', { ...same, by: 'type', end: 'purchase' }]]) {
			await open(target, { javaScriptEnabled: false })
			if (!more) {
				assert.match(await textOf('main'), /These days are not there yet|No session began on these days/)
				await close()
				continue
			}
			const links = await page.$$eval('.ribbons title', (list) => list.map((t) => Number(/: ([\d,]+)$/.exec(t.textContent)[1].replaceAll(',', ''))))
			const nodes = await page.$$eval('#nodes tbody tr', (list) => list.map((tr) => [Number(tr.cells[0].dataset.value), tr.cells[1].textContent, Number(tr.cells[2].dataset.value)]))
			const ways = await page.$$eval('#ways tbody tr', (list) => list.map((tr) => Number(tr.cells[3].dataset.value)))
			const narrow = await page.$$eval('.path-node .n', (list) => list.map((n) => Number(n.firstChild.textContent.trim().replaceAll(',', ''))))
			const drawn = await page.$$eval('.sankey-node', (list) => list.map((n) => Number(/^([\d,]+) ·/.exec(n.querySelector('span').textContent)[1].replaceAll(',', ''))))
			const [from, until] = (await instance.psql('MIGRATE_DATABASE_URL', `SELECT business_day_start(c.zone, c.cutoff, d - 27), business_day_start(c.zone, c.cutoff, d + 1)
				FROM activity_clock() c, LATERAL (SELECT business_date(now(), c.zone, c.cutoff) AS d) x`)).split('|').map((t) => new Date(t).toISOString())
			const answer = await page.context().request.get(`${origin}/path/analysis?${new URLSearchParams({ ...more, start_date: from, end_date: until })}`)
			const json = await answer.json()
			assert.equal(answer.status(), 200, JSON.stringify(json))
			assert.ok(json.sessions > 20)
			const figures = json.steps.flatMap((s) => s.nodes.map((n) => n.sessions)), sorted = (list) => [...list].sort((a, b) => a - b)
			assert.deepEqual(nodes.map(([, , n]) => n), figures)
			assert.deepEqual(narrow, figures)
			assert.deepEqual(sorted(drawn), sorted(figures))
			assert.deepEqual(ways, json.links.map((l) => l.sessions))
			assert.deepEqual(sorted(links), sorted(ways))
			assert.deepEqual(await page.$$eval('#frequent tbody tr', (list) => list.map((tr) => Number(tr.cells[1].dataset.value))), json.paths.map((p) => p.sessions))
			await close()
		}
	})

	it('leads from a page to the paths that start there, to those that end there, and back, by the keyboard alone', async () => {
		await open('/admin/paths')
		await press('.sankey-node a:text-is("/c/audio")')
		await page.waitForURL(/start=%2Fc%2Faudio/)
		assert.match(await textOf('#paths-title'), /^What comes after \/c\/audio$/)
		assert.deepEqual(await page.$$eval('#frequent .path', (list) => [...new Set(list.map((p) => p.querySelector('.path-label').textContent))]), ['/c/audio'])
		await press('[data-menu="end"] summary')
		const label = await textOf('[data-menu="end"] li:nth-child(3) a')
		await press('[data-menu="end"] li:nth-child(3) a')
		await page.waitForURL((url) => url.searchParams.get('end') === label && !url.searchParams.has('start'))
		assert.deepEqual(await page.$$eval('#frequent .path', (list) => [...new Set(list.map((p) => [...p.querySelectorAll('.path-label')].at(-1).textContent))]), [label])
		await press('[data-menu="depth"] summary')
		await press('[data-menu="depth"] a:text-is("3 steps")')
		await page.waitForURL(/depth=3/)
		assert.equal(await page.locator('.sankey-step').count(), 3)
		await press('.filters a')
		await page.waitForURL((url) => !url.searchParams.has('end'))
		assert.match(await textOf('#paths-title'), /^How sessions go on/)
		await close()
	})

	it('saves what it shows, and refuses what cannot be asked', async () => {
		await open('/admin/paths?period=28d')
		for (const [table, head, rows] of [['steps', 'step,label,kind,sessions,share', '#nodes'], ['links', 'step,from,to,sessions', '#ways'], ['paths', 'sessions,share,step_1,step_2,step_3,step_4,step_5', '#frequent']]) {
			const n = await page.locator(`${rows} tbody tr`).count()
			const [file] = await Promise.all([page.waitForEvent('download'), page.locator(`a[href*="table=${table}"]`).click()])
			assert.match(file.suggestedFilename(), new RegExp(`^takings-paths-${table}-\\d{4}-\\d\\d-\\d\\d-\\d{4}-\\d\\d-\\d\\d\\.csv$`))
			const text = (await (await file.createReadStream()).toArray()).join('')
			assert.equal(text.split('\r\n')[0].replace('\ufeff', ''), head)
			assert.equal(text.trimEnd().split('\r\n').length, n + 1)
		}
		await close()
		await open('/admin/paths?start=%2F&end=purchase')
		assert.equal(page.reply.status(), 422)
		assert.match(await textOf('[role="alert"]'), /Ask for start or for end, not for both/)
		await assertAccessible(page, 'a refused question')
		await close(/422/)
		await open('/admin/paths?start=never')
		assert.match(await textOf('.notice'), /No session of these days has never/)
		await assertNoSidewaysScroll(page)
		await close()
	})
})
