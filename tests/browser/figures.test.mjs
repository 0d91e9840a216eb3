// The pages of figures over a range: looks, the same figures as the tables, ways through them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readFileSync } from 'node:fs'
import { startInstance } from '../lib/instance.mjs'
import { fiveYears } from '../lib/years.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const RANGES = ['?period=28d', 'revenue', 'orders', 'items', 'hours', 'revenue?period=newest', 'orders?period=newest', 'hours?period=newest', 'hours?by=revenue',
	'revenue?period=all', 'orders?period=91d&compare=year&step=week']

describe('pages of figures', () => {
	let instance, browser, origin, page, item, newest

	const sql = (text) => instance.psql('MIGRATE_DATABASE_URL', text)
	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		await page.goto(instance.url(`/admin/${target}`))
		return page
	}
	const close = async (expected = []) => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles, expected)
	}
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).trim()
	const valueOf = async (selector) => Number(await page.getAttribute(selector, 'value'))
	const column = (table, i) => page.$$eval(`${table} tbody tr`, (rows, k) => rows.map((r) => (r.cells[k]?.dataset.value === undefined ? null : Number(r.cells[k].dataset.value))), i)
	const minor = (n) => Math.round(n * 100)
	const sum = (list) => list.reduce((n, x) => n + x, 0)

	before(async () => {
		instance = await startInstance({ ANALYTICS_CACHE_TTL: '0' })
		origin = instance.url('')
		await signIn(instance)
		browser = await launch()
		newest = await sql('SELECT max(business_date) FROM daily_revenue_cache')
		item = await sql(`SELECT item_id FROM item_sales_cache WHERE business_date > '${newest}'::date - 28 GROUP BY 1 ORDER BY sum(revenue_minor) DESC LIMIT 1`)
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	// ---- looks, for everybody

	for (const [size, viewport, colorScheme] of [['1440', WIDE, 'light'], ['390', PHONE, 'dark']])
		it(`are accessible and quiet at ${size} px, ${colorScheme}`, async () => {
			for (const target of [...RANGES, `items/${item}`]) {
				await open(target, { viewport, colorScheme, hasTouch: viewport === PHONE })
				await drawn(page)
				await assertNoSidewaysScroll(page)
				for (const details of await page.$$('details.data summary')) await details.click()
				await assertAccessible(page, target)
				for (const menu of await page.$$('details.menu summary')) {
					await menu.click()
					await assertNoSidewaysScroll(page)
					await menu.click()
				}
				if (viewport === PHONE) {
					const small = await page.$$eval('a:not(.skip), button, input:not([type="hidden"]), summary', (list) => list
						.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40 && !e.closest('.scroll')).map((e) => e.outerHTML))
					assert.deepEqual(small, [], target)
				}
				for (const button of await page.$$('.term button')) {
					await button.focus()
					await assertNoSidewaysScroll(page)
				}
				await close()
			}
		})

	it('have nothing inline', async () => {
		for (const target of [...RANGES, `items/${item}`])
			assert.doesNotMatch((await instance.get(`/admin/${target}`)).text, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/, target)
	})

	it('say all of it without script', async () => {
		for (const target of [...RANGES, `items/${item}`]) {
			await open(target, { javaScriptEnabled: false })
			for (const details of await page.$$('details.data')) assert.ok(await details.$eval('table', (t) => t.checkVisibility()).catch(() => true))
			assert.equal(await page.locator('[data-chart]:visible').count(), 0, target)
			assert.equal(await page.locator('details.data table:visible').count(), await page.locator('details.data').count(), target)
			await close()
		}
	})

	// ---- the figures

	const days = () => `business_date > '${newest}'::date - 28`

	it('show the totals of the table', async () => {
		const [revenue, gross, counted, placed, sold] = (await sql(`SELECT sum(revenue_minor), sum(gross_minor), sum(served_count), sum(order_count), sum(item_qty)
			FROM daily_revenue_cache WHERE ${days()}`)).split('|').map(Number)
		await open('?period=28d')
		assert.deepEqual([minor(await valueOf('#revenue')), await valueOf('#orders'), minor(await valueOf('#average')), await valueOf('#sold')],
			[revenue, counted, Math.round(revenue / counted), sold])
		assert.equal(sum((await column('details[data-of="days"] table', 1)).map(minor)), revenue)
		const [items, rest, total] = await page.$$eval('#reconciliation td[data-value]', (cells) => cells.map((c) => Number(c.dataset.value)))
		assert.deepEqual([minor(items) + minor(rest), minor(total)], [revenue, revenue])
		await close()
		await open('revenue')
		assert.deepEqual([minor(await valueOf('#revenue')), minor(await valueOf('#gross'))], [revenue, gross])
		const lines = await page.$$eval('#bridge tr', (list) => list.map((tr) => [tr.dataset.line, tr.className, Number(tr.cells[1].dataset.value)]))
		assert.equal(minor(lines.find(([l]) => l === 'total_revenue')[2]), revenue)
		let at = 0
		for (const [line, kind, amount] of lines) {
			if (kind === 'total' && at) assert.equal(minor(amount), at, line)
			at = kind === 'total' ? minor(amount) : at + minor(amount)
		}
		await close()
		await open('orders')
		assert.deepEqual([await valueOf('#placed'), await valueOf('#counted')], [placed, counted])
		assert.equal(sum(await column('#statuses', 1)), placed)
		assert.equal(sum(await column('details[data-of="days"] table', 1)), counted)
		await close()
		await open(`items/${item}`)
		assert.deepEqual([minor(await valueOf('#sales')), await valueOf('#quantity')],
			(await sql(`SELECT sum(revenue_minor), sum(quantity) FROM item_sales_cache WHERE item_id = '${item}' AND ${days()}`)).split('|').map(Number))
		await close()
	})

	it('say what figures are compared with', async () => {
		const [now, before] = (await sql(`SELECT sum(revenue_minor) FILTER (WHERE ${days()}), sum(revenue_minor) FILTER (WHERE NOT ${days()})
			FROM daily_revenue_cache WHERE business_date > '${newest}'::date - 56`)).split('|').map(Number)
		await open('revenue')
		const said = await textOf('.compare')
		const percent = Math.abs((now - before) / before * 100)
		assert.ok(Math.abs(Number(said.match(/([\d.]+)/)[1]) - percent) <= 0.051, said)
		assert.match(said, now < before ? /^\u2212/ : /^\+/)
		assert.match(said, /on the 28 days before/)
		await page.click('[data-menu="compare"] summary')
		await page.click('text=No comparison')
		await page.waitForURL('**compare=none*')
		assert.equal(await page.locator('.compare').count(), 0)
		assert.equal(await page.locator('[data-plot="base"]').count(), 0)
		await close()
	})

	it('show the hours that are busiest, as the table has them', async () => {
		await open('hours')
		const most = await sql(`SELECT max(n) FROM (SELECT sum(served_count) * 3600.0 / sum(seconds) AS n FROM hourly_order_cache
			WHERE ${days()} GROUP BY extract(isodow FROM business_date), hour) h`)
		const cells = await page.$$eval('#heat td[data-value]', (list) => list.map((td) => [td.className, Number(td.dataset.value)]))
		const top = cells.reduce((a, b) => (b[1] > a[1] ? b : a))
		assert.ok(Math.abs(top[1] - Number(most)) <= 0.0501)
		assert.equal(top[0], 'l7')
		assert.match(await textOf('section:has(#busy-title) tbody tr'), /^[A-Z][a-z]+day, \d\d:00–\d\d:00/)
		await page.click('.switch >> text=Revenue')
		await page.waitForURL('**by=revenue*')
		assert.match(await textOf('#heat-title button'), /Revenue an hour/)
		await close()
	})

	// ---- ways through them

	it('go down from months to days to hours', async () => {
		await open('revenue?period=all&step=month')
		await drawn(page)
		assert.match(await textOf('#days-title'), /Revenue by month/)
		const box = await page.locator('[data-chart="days"]').boundingBox()
		await page.mouse.move(box.x + box.width * 0.5, box.y + 100)
		const [label] = (await textOf('[data-chart="days"] .tip p')).split(' so far')
		assert.match(label, /^[A-Z][a-z]+ \d{4}$/)
		const shown = await page.$$eval('[data-chart="days"] .tip tr', (rows) => rows.map((r) => [r.cells[0].textContent, r.cells[1].textContent + r.cells[2].textContent]))
		const row = await page.locator(`details[data-of="days"] tr:has-text("${label}")`).evaluate((tr) => [...tr.querySelectorAll('td')].map((td) => td.textContent))
		for (const [name, text] of shown) assert.ok(row.includes(text), `${name} ${text}`)
		await page.mouse.click(box.x + box.width * 0.5, box.y + 100)
		await page.waitForURL('**from=*')
		await drawn(page)
		assert.match(await textOf('#days-title'), /Revenue by business day/)
		await page.click('details[data-of="days"] summary')
		await page.click('details[data-of="days"] tbody tr:not([data-state]) th a')
		await page.waitForURL('**date=*')
		assert.match(await textOf('#by-hour-title'), /Revenue by hour/)
		await page.goBack()
		assert.match(await textOf('#days-title'), /Revenue by business day/)
		await close()
	})

	it('sort by their headers, and say so', async () => {
		await open('orders')
		await page.click('details[data-of="days"] summary')
		const table = 'details[data-of="days"] table'
		const falls = (list) => list.filter((x) => x !== null).every((x, i, all) => i === 0 || all[i - 1] >= x)
		await page.click(`${table} th >> text=Orders`)
		assert.equal(await page.getAttribute(`${table} th:nth-child(2)`, 'aria-sort'), 'descending')
		assert.ok(falls(await column(table, 1)))
		await page.focus(`${table} th:nth-child(2) button`)
		await page.keyboard.press('Enter')
		assert.equal(await page.getAttribute(`${table} th:nth-child(2)`, 'aria-sort'), 'ascending')
		assert.ok(falls((await column(table, 1)).reverse()))
		await page.click(`${table} th >> text=Days`)
		assert.equal(await page.locator(`${table} [aria-sort]`).count(), 1)
		const dates = await page.$$eval(`${table} tbody tr`, (rows) => rows.map((r) => r.dataset.date))
		assert.deepEqual(dates, [...dates].sort())
		await close()
	})

	it('list items by what is asked for, with script and without', async () => {
		for (const javaScriptEnabled of [true, false]) {
			await open('items?limit=10', { javaScriptEnabled })
			const first = await page.$$eval('table.items tbody tr', (rows) => rows.map((r) => r.dataset.item))
			assert.equal(first.length, 10)
			await page.click('.pager >> text=More')
			await page.waitForURL('**cursor=10*')
			const second = await page.$$eval('table.items tbody tr', (rows) => rows.map((r) => r.dataset.item))
			assert.equal(new Set([...first, ...second]).size, 20)
			await page.click('.pager >> text=Before')
			await page.waitForURL('**cursor=0*')
			await page.click('thead >> text=Quantity')
			await page.waitForURL('**sort=quantity*')
			assert.equal(await page.getAttribute('table.items th:nth-child(2)', 'aria-sort'), 'descending')
			const quantities = await column('table.items', 1)
			assert.deepEqual(quantities, [...quantities].sort((a, b) => b - a))
			await page.fill('#q', 'salad')
			await page.click('form[role="search"] button')
			await page.waitForURL('**q=salad*')
			assert.ok(new URL(page.url()).searchParams.get('sort') === 'quantity', 'the order stays')
			for (const name of await page.$$eval('table.items .name', (list) => list.map((e) => e.textContent))) assert.match(name, /salad/i)
			assert.match(await textOf('#found'), /^\d+ items? found$/)
			await page.fill('#q', 'nothing is called so')
			await page.click('form[role="search"] button')
			await page.waitForURL('**q=nothing*')
			assert.match(await textOf('table.items tbody'), /No item sold on these days is called so/)
			await page.click('text=Show all')
			await page.click('table.items .name >> nth=0')
			await page.waitForURL('**/admin/items/*')
			assert.equal(await page.locator('#sales').count(), 1)
			await close()
		}
	})

	it('take an item with any id and name', async () => {
		const id = 'x y?&#%<b>\'"'
		await sql(`INSERT INTO item_sales_cache SELECT location_id, business_date, '${id.replaceAll("'", "''")}', currency, '<img src=x onerror=alert(1)>', 1, 99000000, 1, run_id, computed_at
			FROM item_sales_cache WHERE business_date = (SELECT max(business_date) FROM item_sales_cache) LIMIT 1`)
		await open('items')
		await page.click('table.items .name >> nth=0')
		await page.waitForURL('**/admin/items/*')
		assert.equal(await textOf('h1'), '<img src=x onerror=alert(1)>')
		assert.equal(await textOf('.sold code'), id)
		await close()
		await sql(`DELETE FROM item_sales_cache WHERE item_id LIKE 'x y%'`)
	})

	it('are used by keyboard: days, comparison, search', async () => {
		await open('revenue')
		for (const [key, url] of [['1', 'period=7d'], ['m', 'period=month'], ['a', 'period=all'], ['2', 'period=28d'], ['x', 'compare=none']]) {
			await page.keyboard.press(key)
			await page.waitForURL(`**${url}*`)
		}
		await page.keyboard.press('[')
		await page.waitForURL('**from=*')
		assert.equal(new URL(page.url()).searchParams.get('compare'), 'none', 'the comparison stays')
		await page.focus('[data-menu="period"] summary')
		await page.keyboard.press('Enter')
		await page.keyboard.press('Tab')
		assert.equal(await page.evaluate(() => document.activeElement.dataset.key), 'n')
		await page.keyboard.press('Escape')
		assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY')
		await page.keyboard.press('/')
		await page.keyboard.type('hours')
		await assertAccessible(page, 'search')
		await page.keyboard.press('Enter')
		await page.waitForURL('**/admin/hours*')
		await page.keyboard.press('/')
		await page.keyboard.type('salad')
		await page.waitForSelector('#search-list a[href*="/admin/items/"]')
		await page.keyboard.press('Enter')
		await page.waitForURL('**/admin/items/*')
		await close()
	})

	it('save what is seen', async () => {
		await open('orders?period=7d')
		await drawn(page)
		await page.click('details[data-of="days"] summary')
		const [file] = await Promise.all([page.waitForEvent('download'), page.click('details[data-of="days"] >> text=Save as CSV')])
		const lines = readFileSync(await file.path(), 'utf8').trimEnd().split('\r\n')
		assert.deepEqual(lines.slice(1).map((l) => Number(l.split(',')[4])), await column('details[data-of="days"] table', 1))
		const [png] = await Promise.all([page.waitForEvent('download'), page.click('details[data-of="days"] >> text=Save as PNG')])
		assert.match(png.suggestedFilename(), /^takings-days-[\d-]+\.png$/)
		assert.equal(readFileSync(await png.path()).subarray(1, 4).toString(), 'PNG')
		await close()
	})

	it('print with their figures', async () => {
		await open('revenue')
		await drawn(page)
		await page.emulateMedia({ media: 'print' })
		for (const [selector, seen] of [['#revenue', true], ['#bridge', true], ['[data-chart="days"]', true], ['.switch', false], ['.save', false], ['.nav', false]])
			assert.equal(await page.locator(selector).first().isVisible(), seen, selector)
		await close()
	})

	// ---- states

	it('show a range without closed days, an item never sold, and no right', async () => {
		await open('revenue?period=today')
		assert.match(await textOf('.message h2'), /No closed day yet/)
		await assertAccessible(page, 'today')
		await close()
		await open('items/nothing')
		assert.equal(await textOf('h1'), 'this item was never sold')
		await close(['console: Failed to load resource: the server responded with a status of 404 ()'])
	})

	it('draw five years of days, and show a day that is not computed as a gap', async () => {
		await sql(fiveYears(newest))
		await sql(`DELETE FROM daily_revenue_cache WHERE business_date = '${newest}'::date - 5`)
		await open('revenue?period=all&step=day&compare=none')
		await drawn(page)
		assert.ok(await page.locator('details[data-of="days"] tbody tr').count() > 1820)
		const first = await page.getAttribute('[data-chart="days"]', 'data-drawn')
		assert.ok(Number(first) > 0, 'it says how long it took') // make bench-pages judges it
		await close()
		await open('orders')
		assert.equal(await page.locator('details[data-of="days"] tr[data-state="uncomputed"]').count(), 1)
		await drawn(page)
		await assertAccessible(page, 'a gap')
		await close()
	})
})
