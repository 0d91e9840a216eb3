// The overview as people meet it: the same figures as the API, with and without script, by keyboard,
// on a phone, in the dark, and in every state it can be in.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startInstance } from '../lib/instance.mjs'
import { must, root, until } from '../lib/process.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const NNBSP = '\u202f'
const money = (n) => `${n < 0 ? '\u2212' : ''}€${NNBSP}${Math.abs(n).toLocaleString('en-US', { minimumFractionDigits: 2 })}`
const count = (n) => n.toLocaleString('en-US')
const hour = (h) => `${String(h).padStart(2, '0')}:00–${String((h + 1) % 24).padStart(2, '0')}:00`

describe('overview', () => {
	let instance, browser, origin, day, closedDay, changedDay, page

	const sql = (text) => instance.psql('MIGRATE_DATABASE_URL', text)
	const api = async (name, date = day) => (await instance.get(`/api/admin/analytics/${name}?date=${date}`)).json
	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		await page.goto(instance.url(target))
		return page
	}
	const close = async (expected = []) => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles, expected)
	}
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).trim()
	const values = (selector) => page.$$eval(selector, (cells) => cells.map((c) => Number(c.dataset.value ?? c.value)))

	before(async () => {
		instance = await startInstance({ ANALYTICS_CACHE_TTL: '0' }) // the tests change figures behind the program's back
		origin = instance.url('')
		await signIn(instance)
		browser = await launch()
		// The newest day with sales whose neighbours are computed too: the newest day may be a closed one.
		day = await sql(`SELECT max(business_date) FROM daily_revenue_cache WHERE served_count > 0
			AND business_date < (SELECT max(business_date) FROM daily_revenue_cache)`)
		closedDay = await sql('SELECT max(business_date) FROM daily_revenue_cache WHERE order_count = 0')
		changedDay = await sql('SELECT max(business_date) FROM hourly_order_cache WHERE seconds <> 3600')
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	// ---- looks, for everybody

	for (const [size, viewport] of [['1440', WIDE], ['390', PHONE]])
		for (const colorScheme of ['light', 'dark'])
			it(`is accessible and quiet at ${size} px, ${colorScheme}`, async () => {
				await open(`/admin/?date=${day}`, { viewport, colorScheme })
				await drawn(page)
				await assertNoSidewaysScroll(page)
				await assertAccessible(page, 'folded')
				for (const details of await page.$$('details summary')) await details.click()
				await assertAccessible(page, 'unfolded')
				await assertNoSidewaysScroll(page)
				for (const button of await page.$$('.term button')) {
					await button.focus()
					await assertNoSidewaysScroll(page)
				}
				await close()
			})

	for (const width of [320, 719, 720, 768, 1024, 1920])
		it(`fits ${width} px`, async () => {
			await open(`/admin/?date=${day}`, { viewport: { width, height: 800 } })
			await drawn(page)
			await assertNoSidewaysScroll(page)
			await close()
		})

	it('gives a finger 40 px or more to hit', async () => {
		await open(`/admin/?date=${day}`, { viewport: PHONE, hasTouch: true })
		await drawn(page)
		for (const details of await page.$$('details summary')) await details.click()
		const small = await page.$$eval('a:not(.skip), button, input:not([type="hidden"]), summary', (list) => list
			.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40 && !e.closest('.scroll')).map((e) => e.outerHTML))
		assert.deepEqual(small, [])
		await close()
	})

	it('takes no motion, and keeps the height of its charts', async () => {
		page = await openPage(browser, origin, { reducedMotion: 'reduce' })
		await page.route('**/echarts.min.js*', async (route) => { await new Promise((done) => setTimeout(done, 700)); await route.continue() })
		await page.goto(instance.url(`/admin/?date=${day}`), { waitUntil: 'domcontentloaded' })
		const height = () => page.evaluate(() => document.documentElement.scrollHeight)
		const before = await height()
		assert.equal(await page.locator('canvas').count(), 0)
		assert.equal(await textOf('#orders'), count((await api('summary')).total_orders))
		await drawn(page)
		assert.equal(await height(), before)
		assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.button, a')).transitionDuration), '0s')
		await close()
	})

	it('has no inline script or style, and scripts within the budget', async () => {
		const { text } = await instance.get('/admin/')
		assert.doesNotMatch(text, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/)
		let bytes = 0
		for (const [, src] of text.matchAll(/<script src="([^"]+)"/g)) bytes += (await instance.get(src)).text.length
		assert.ok(bytes > 0 && bytes < 150_000, `${bytes} bytes of script`)
	})

	it('names the ECharts it has', async () => {
		const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
		assert.match((await instance.get('/admin/')).text, new RegExp(`echarts\\.min\\.js\\?v=${dependencies.echarts.replaceAll('.', '\\.')}"`))
	})

	// ---- the figures

	for (const javaScriptEnabled of [true, false])
		it(`shows the figures of the API ${javaScriptEnabled ? 'with' : 'without'} script`, async () => {
			const [summary, top, hourly] = await Promise.all([api('summary'), api('top-items'), api('hourly')])
			await open(`/admin/?date=${day}`, { javaScriptEnabled })
			assert.equal(await textOf('#revenue'), money(summary.total_revenue))
			assert.equal(await page.getAttribute('#revenue', 'value'), summary.total_revenue.toFixed(2))
			assert.equal(await textOf('#orders'), count(summary.total_orders))
			assert.equal(await textOf('#average'), money(summary.avg_order_value))
			assert.equal(await textOf('#peak'), hour(summary.peak_hour))

			const rows = await page.$$eval('table.items tbody:first-of-type tr', (list) => list.map((tr) =>
				[tr.dataset.item, tr.querySelector('.name').textContent, ...[...tr.querySelectorAll('td')].map((td) => Number(td.dataset.value))]))
			assert.deepEqual(rows, top.items.map((i) => [i.item_id, i.name, i.quantity, i.orders, i.revenue, i.share]))
			const [items, rest, total] = await values('#reconciliation td[data-value]')
			assert.deepEqual([items, rest, total], [top.item_sales, top.unallocated, top.total_revenue])
			assert.equal(Math.round(items * 100) + Math.round(rest * 100), Math.round(total * 100))
			assert.equal(total, summary.total_revenue)

			const hours = await page.$$eval('details[data-of="hours"] tbody tr', (list) => list.map((tr) => ({
				hour: Number(tr.dataset.hour), orders: Number(tr.cells[1].dataset.value), revenue: Number(tr.cells[2].dataset.value) })))
			const start = hourly.cutoff
			assert.deepEqual(hours, [...hourly.hours.slice(start), ...hourly.hours.slice(0, start)]
				.map((h) => ({ hour: h.hour, orders: h.orders, revenue: h.revenue })))

			const series = await page.$$eval('details[data-of="series"] tbody tr', (list) => list.map((tr) => [tr.dataset.date, Number(tr.cells[1].dataset.value)]))
			assert.equal(series.length, 56)
			assert.deepEqual(series[0], [day, summary.total_revenue])
			assert.deepEqual(series[1], [summary.previous_day.from_date, summary.previous_day.total_revenue])
			assert.deepEqual(series[7], [summary.same_weekday.from_date, summary.same_weekday.total_revenue])
			for (const name of ['series', 'hours'])
				assert.equal(await page.locator(`details[data-of="${name}"] table`).isVisible(), !javaScriptEnabled)
			await close()
		})

	it('says in words how the day compares', async () => {
		const summary = await api('summary')
		await open(`/admin/?date=${day}`)
		const said = await page.$$eval('.compare', (list) => list.map((e) => e.textContent.trim()))
		for (const [i, change, status] of [[0, summary.vs_same_weekday, summary.vs_same_weekday_status],
			[1, summary.vs_previous_day, summary.vs_previous_day_status]]) {
			if (status === 'ok' && change !== 0)
				assert.ok(said[i].startsWith(change > 0 ? '+' : '\u2212') && said[i].includes(`${NNBSP}% on `), said[i])
			if (status === 'new') assert.match(said[i], /^new: no revenue on /)
		}
		assert.match(said[0], /on (last|the) [A-Z][a-z]+day( before)?, \d+ [A-Z][a-z]{2}/)
		await close()
	})

	it('opens on the newest day', async () => {
		await open('/admin/')
		assert.equal(await page.inputValue('#date'), await sql('SELECT max(business_date) FROM daily_revenue_cache'))
		assert.equal(await page.locator('a[rel="next"]').count(), 0)
		assert.match(await textOf('.fresh'), /^Closed day, computed (\w{3} \d+ \w{3}, )?\d\d:\d\d$/)
		const text = await page.textContent('main')
		assert.equal(text.split('Europe/Berlin').length, 2, 'the zone is printed once')
		assert.equal(text.split('begins at 04:00').length, 2, 'the cutoff is printed once')
		await close()
	})

	it('keeps to one day in all its parts', async () => {
		await open('/admin/')
		try {
			const [, , total] = await values('#reconciliation td[data-value]')
			assert.equal(total, Number(await page.getAttribute('#revenue', 'value')))
		} finally {
			await close()
		}
	})

	// ---- charts

	it('reads a chart out, and a click goes to the day', async () => {
		await open(`/admin/?date=${day}`)
		await drawn(page)
		const rows = await page.$$eval('details[data-of="series"] tbody tr', (list) => list.map((tr) => [tr.dataset.date, tr.cells[0].textContent, tr.cells[1].textContent]))
		const box = await page.locator('[data-chart="series"]').boundingBox()
		await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2)
		const told = await textOf('[data-chart="series"] .tip')
		const [date, , revenue] = rows.find(([, label]) => told.startsWith(label))
		assert.notEqual(date, day)
		assert.ok(told.includes(revenue) || told.endsWith('closed'), `${told} / ${revenue}`)
		await page.mouse.click(box.x + box.width * 0.6, box.y + box.height / 2)
		await page.waitForURL(`**/admin/?date=${date}`)
		await close()
	})

	it('shows the tables where ECharts does not come', async () => {
		page = await openPage(browser, origin)
		await page.route('**/echarts.min.js*', (route) => route.abort())
		await page.goto(instance.url(`/admin/?date=${day}`))
		await page.locator('details[data-of="series"] table').waitFor({ state: 'visible' })
		assert.equal(await page.locator('[data-chart="hours"]').isVisible(), false)
		await close(['console: Failed to load resource: net::ERR_FAILED'])
	})

	it('saves what is seen', async () => {
		await open(`/admin/?date=${day}`)
		await drawn(page)
		await page.click('details[data-of="hours"] summary')
		const [csv] = await Promise.all([page.waitForEvent('download'), page.click('details[data-of="hours"] >> text=Save as CSV')])
		assert.equal(csv.suggestedFilename(), `takings-hours-${day}.csv`)
		const lines = readFileSync(await csv.path(), 'utf8').trimEnd().split('\r\n')
		assert.equal(lines[0], '\ufeffhour,orders,revenue,seconds')
		const { hours } = await api('hourly')
		assert.deepEqual(lines.slice(1).map((l) => l.split(',').map(Number)).sort((a, b) => a[0] - b[0]), hours.map((h) => [h.hour, h.orders, h.revenue, h.seconds]))
		const [png] = await Promise.all([page.waitForEvent('download'), page.click('details[data-of="hours"] >> text=Save as PNG')])
		assert.equal(readFileSync(await png.path()).subarray(1, 4).toString(), 'PNG')
		await close()
	})

	// ---- ways through it

	it('is used by keyboard', async () => {
		await open(`/admin/?date=${day}`)
		const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.rel || document.activeElement.textContent.trim())
		await page.keyboard.press('Tab')
		assert.equal(await focused(), 'Skip to content')
		assert.ok((await page.locator('.skip').boundingBox()).x >= 0, 'the skip link is seen')
		await page.keyboard.press('Enter')
		assert.equal(await focused(), 'main')
		const order = []
		for (let i = 0; i < 12 && order.at(-1) !== 'Revenue'; i++) {
			await page.keyboard.press('Tab')
			const at = await focused()
			if (order.at(-1) !== at) order.push(at)
		}
		assert.deepEqual([...order.slice(0, 2), order[2].startsWith('Days: '), ...order.slice(3)], ['prev', 'next', true, 'Revenue'])
		assert.equal(await page.locator('#about-revenue').isVisible(), true)
		await page.keyboard.press('Escape')
		assert.equal(await page.locator('#about-revenue').isVisible(), false)

		await page.keyboard.press('?')
		assert.equal(await page.locator('#keys').isVisible(), true)
		await assertAccessible(page, 'keys')
		await page.keyboard.press('[')
		await page.keyboard.press('Escape')
		assert.equal(await page.locator('#keys').isVisible(), false)
		assert.equal(await page.inputValue('#date'), day, 'keys do nothing behind the dialog')

		const link = (rel) => page.locator(`a[rel="${rel}"]`).getAttribute('href')
		for (const [key, rel] of [['[', 'prev'], [']', 'next'], ['ArrowLeft', 'prev'], ['ArrowRight', 'next']]) {
			const target = await link(rel)
			await page.keyboard.press(key)
			await page.waitForURL(`**${target}`)
		}
		await page.keyboard.press('d')
		assert.equal(await focused(), 'date')
		await page.keyboard.press('ArrowLeft')
		assert.ok(page.url().includes(`date=${day}`), 'arrows in the date field stay there')
		await close()
	})

	it('goes to another day by link and by form, and keeps what was asked for', async () => {
		await open(`/admin/?date=${day}&location_id=0&currency=EUR&basis=transaction_date`, { javaScriptEnabled: false })
		await page.click('a[rel="prev"]')
		const url = new URL(page.url())
		assert.deepEqual(Object.fromEntries(url.searchParams), { date: url.searchParams.get('date'), location_id: '0', currency: 'EUR', basis: 'transaction_date' })
		assert.ok(url.searchParams.get('date') < day)
		await page.click('[data-menu="period"] summary')
		await page.fill('#date', day)
		await page.click('form:has(#date) button')
		assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { date: day, location_id: '0', currency: 'EUR', basis: 'transaction_date' })
		assert.match(await textOf('.facts'), /on the day they happened.*Location 0 only/)
		await page.click('[data-menu="period"] summary')
		await page.click('a[data-newest]')
		assert.equal(await page.locator('#revenue').count(), 1)
		await close()
	})

	it('remembers the theme and redraws in it', async () => {
		await open(`/admin/?date=${day}`)
		await drawn(page)
		const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
		const chart = () => page.evaluate(() => document.querySelector('canvas').toDataURL())
		const [light, lightChart] = [await ground(), await chart()]
		await page.click('[data-theme-switch]')
		await page.click('[data-theme-switch]')
		assert.equal(await textOf('[data-theme-name]'), 'dark')
		assert.notEqual(await ground(), light)
		await until(async () => (await chart()) !== lightChart, { what: 'the chart to be redrawn' })
		await page.reload()
		assert.equal(await textOf('[data-theme-name]'), 'dark')
		assert.notEqual(await ground(), light)
		await page.click('[data-theme-switch]')
		assert.equal(await ground(), light)
		await drawn(page)
		await page.emulateMedia({ colorScheme: 'dark' })
		assert.notEqual(await ground(), light)
		await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
		assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()), '#1f1c18')
		assert.equal(await page.locator('.days').isVisible(), false)
		await close()
	})

	// ---- states

	it('says that a day was closed', async () => {
		await open(`/admin/?date=${closedDay}`, { viewport: PHONE })
		await drawn(page)
		assert.equal(await textOf('.figure .tag'), 'closed')
		assert.equal(await textOf('.figure .compare'), 'No orders were placed on this day.')
		assert.equal(await textOf('#peak'), '–')
		await assertAccessible(page, 'closed')
		await close()
	})

	it('says that the clock was changed', async () => {
		await open(`/admin/?date=${changedDay}`)
		assert.match(await textOf('.facts'), /The clock was changed: this day had 2[35] hours\./)
		assert.equal(await page.locator('details[data-of="hours"] thead th').count(), 4)
		await close()
	})

	it('shows hostile names as text', async () => {
		const names = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '{{scope.tz}}</td>&amp;\'']
		for (const [i, name] of names.entries())
			await sql(`INSERT INTO item_sales_cache SELECT location_id, business_date, 'x${i}" onclick="alert(1)', currency,
				'${name.replaceAll("'", "''")}', 1, ${9_000_000 + i}, 1, run_id, computed_at FROM item_sales_cache WHERE business_date = '${day}' LIMIT 1`)
		await open(`/admin/?date=${day}`)
		await drawn(page)
		assert.deepEqual(await page.$$eval('.name', (list) => list.slice(0, 3).map((e) => e.textContent)), names.toReversed?.() ?? [...names].reverse())
		assert.equal(await page.locator('main script, main img, main [onclick]').count(), 0)
		await assertNoSidewaysScroll(page)
		await close()
		await open(`/admin/?date=${encodeURIComponent('"><script>alert(1)</script>')}`)
		assert.equal(await page.locator('main script').count(), 0)
		await close(['console: Failed to load resource: the server responded with a status of 422 ()'])
		await sql(`DELETE FROM item_sales_cache WHERE item_id LIKE 'x%'`)
	})

	it('tells of restated days', async () => {
		await sql(`INSERT INTO restatement (location_id, business_date, currency, revenue_was_minor, revenue_now_minor, orders_was, orders_now,
			served_was, served_now, run_id, noticed_at) VALUES (0, '${day}', 'EUR', 123450, 120000, 41, 40, 41, 40, 1, now())`)
		await open('/admin/')
		const said = await textOf('[data-restated]')
		assert.ok(said.includes(`was ${money(1234.5)}, is ${money(1200)}; 41 orders were 40.`), said)
		await assertAccessible(page, 'restated')
		await close()
	})

	for (const [query, status, words] of [['date=2030-01-01', 404, 'no figures for these days'], ['date=14.11.2025', 422, 'date must be a date YYYY-MM-DD'],
		['day=1', 422, 'there is no parameter day here'], [() => `date=${day}&location_id=4711`, 404, 'no figures for these days']])
		it(`explains ${typeof query === 'string' ? query : 'an unknown location'}: ${status}`, async () => {
			const target = `/admin/?${typeof query === 'string' ? query : query()}`
			const reply = await instance.get(target)
			assert.equal(reply.status, status)
			assert.match(reply.headers['content-type'], /^text\/html/)
			assert.ok(reply.text.includes(reply.headers['x-request-id']), 'the request id is on the page')
			for (const viewport of [WIDE, PHONE]) {
				await open(target, { viewport, colorScheme: viewport === PHONE ? 'dark' : 'light' })
				assert.equal(await textOf('h1'), words)
				await assertAccessible(page, 'error')
				await assertNoSidewaysScroll(page)
				if (viewport === PHONE) {
					await page.click('text=Show the newest day')
					await page.waitForSelector('#revenue') // a click does not wait for the page it leads to
				}
				await close([`console: Failed to load resource: the server responded with a status of ${status} ()`])
			}
		})

	it('says that it is late, and what to do', async () => {
		await sql(`DELETE FROM daily_revenue_cache WHERE business_date >
			(SELECT max(business_date) FROM daily_revenue_cache WHERE served_count > 0 AND business_date < '${day}')`)
		await open('/admin/', { colorScheme: 'dark' })
		assert.match(await textOf('.fresh'), /^Late: newest day is /)
		assert.match(await textOf('.notice.is-warn'), /is over but not computed yet.*takings-batch run/)
		await assertAccessible(page, 'late')
		await close()
	})

	it('leaves a gap where a day is not computed', async () => {
		const shown = await sql('SELECT max(business_date) FROM daily_revenue_cache')
		await sql(`DELETE FROM daily_revenue_cache WHERE business_date IN ('${shown}'::date - 1, '${shown}'::date - 7)`)
		await open('/admin/')
		await drawn(page)
		assert.equal(await page.locator('details[data-of="series"] td[data-state="uncomputed"]').count(), 2)
		assert.match(await textOf('.compare'), /^no figures for /)
		assert.equal(await page.locator('table.weekdays td[colspan]').count(), 1)
		assert.ok(!(await page.getAttribute('a[rel="prev"]', 'href')).endsWith(await sql(`SELECT '${shown}'::date - 1`)), 'previous day skips the gap')
		await assertAccessible(page, 'gap')
		await close()
	})

	it('helps before the first run', async () => {
		await sql('TRUNCATE daily_revenue_cache, hourly_order_cache, item_sales_cache, series, restatement')
		for (const table of ['series', 'site']) {
			await sql(`TRUNCATE ${table}`)
			for (const [target, viewport] of [['/admin/', WIDE], [`/admin/?date=${day}`, PHONE]]) {
				await open(target, { viewport })
				assert.equal(await textOf('h1'), 'No figures yet')
				assert.match(await textOf('.steps'), /takings-batch run/)
				await assertAccessible(page, 'first run')
				await assertNoSidewaysScroll(page)
				await close()
			}
		}
	})

	it('says so when the database is gone', async () => {
		await must(path.join(root, 'tools/instance.sh'), ['pg-stop', instance.env.INSTANCE_DIR], { env: instance.env })
		await open('/admin/')
		assert.equal(await textOf('h1'), 'The figures cannot be read right now')
		assert.match(await textOf('.message'), /takings-batch doctor/)
		await assertAccessible(page, '503')
		await close(['console: Failed to load resource: the server responded with a status of 503 ()'])
	})
})
