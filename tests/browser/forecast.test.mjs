// The pages of forecasts and of unusual days, over the rows of forecasts.sql.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { readFileSync } from 'node:fs'
import { startInstance } from '../lib/instance.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'

const TARGETS = ['forecast', 'forecast?metric=orders&days=30&ahead=7', 'anomalies', 'anomalies?metric=orders&granularity=day&period=28d']
const rows = readFileSync(new URL('forecasts.sql', import.meta.url), 'utf8')

describe('forecasts and unusual days', () => {
	let instance, browser, origin, page, newest

	const sql = (text) => instance.psql('MIGRATE_DATABASE_URL', text)
	const numbers = async (text) => (await sql(text)).split('\n').map((line) => line.split('|').map(Number))
	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		await page.goto(instance.url(`/admin/${target}`))
		return page
	}
	const close = async () => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles, [])
	}
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/\s+/g, ' ').trim()
	const valueOf = async (selector) => Number(await page.getAttribute(selector, 'value'))
	const column = (selector, i) => page.$$eval(selector, (list, k) => list.map((r) => (r.cells[k]?.dataset.value === undefined ? null : Number(r.cells[k].dataset.value))), i)
	const sum = (list) => list.reduce((n, x) => n + x, 0)
	const run = (metric, horizon) => `(SELECT forecast_id FROM forecast_run WHERE metric = '${metric}' AND granularity = 'day' AND item_id IS NULL AND horizon = ${horizon}
		ORDER BY first_target DESC LIMIT 1)`

	before(async () => {
		instance = await startInstance({ ANALYTICS_CACHE_TTL: '0' })
		origin = instance.url('')
		await signIn(instance)
		browser = await launch()
		newest = await sql('SELECT max(business_date) FROM daily_revenue_cache')
		await sql(rows)
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	// ---- looks, for everybody

	for (const [size, viewport, colorScheme] of [['1440', WIDE, 'light'], ['1440', WIDE, 'dark'], ['390', PHONE, 'light'], ['390', PHONE, 'dark']])
		it(`are accessible and quiet at ${size} px, ${colorScheme}`, async () => {
			for (const target of TARGETS) {
				await open(target, { viewport, colorScheme, hasTouch: viewport === PHONE })
				await drawn(page)
				await assertNoSidewaysScroll(page)
				for (const summary of await page.$$('details.data summary, details.fold summary')) await summary.click()
				await assertNoSidewaysScroll(page)
				await assertAccessible(page, target)
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
		for (const target of TARGETS)
			assert.doesNotMatch((await instance.get(`/admin/${target}`)).text, /<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/, target)
	})

	it('say all of it without script', async () => {
		for (const target of TARGETS) {
			await open(target, { javaScriptEnabled: false })
			assert.equal(await page.locator('[data-chart]:visible').count(), 0, target)
			assert.equal(await page.locator('details.data table:visible').count(), await page.locator('details.data').count(), target)
			await close()
		}
	})

	// ---- the figures

	it('show totals that are the sum of their rows, and rows that are the sum of their parts', async () => {
		for (const [metric, unit] of [['revenue', 100], ['orders', 1]])
			for (const days of [7, 30]) {
				await open(`forecast?metric=${metric}&days=${days}`)
				const points = await numbers(`SELECT round(value / ${unit}), round(lo80 / ${unit}), round(hi80 / ${unit}) FROM forecast_history WHERE forecast_id = ${run(metric, days)} ORDER BY lead`)
				const shown = await column('#ahead tr[data-date]', 1)
				assert.deepEqual(shown, points.map(([v]) => v))
				assert.equal(await valueOf('#expected'), sum(shown))
				assert.deepEqual(await column('#ahead .sum tr', 1), [sum(shown)])
				const parts = await page.$$eval('#ahead tr[data-date]:not([data-state])', (list) => list.map((tr) => [...tr.querySelectorAll('data')].reduce((n, d) => n + Number(d.value), 0)))
				assert.ok(parts.length > 5)
				assert.deepEqual(parts, shown.filter((v) => v !== 0))
				const plotted = await page.$$eval('details[data-of="days"] tr[data-ahead]', (list) => list.map((tr) => [1, 2, 3, 4].map((i) => tr.cells[i].dataset.value)).reverse())
				assert.deepEqual(plotted.map(([, ...v]) => v.map(Number)), points)
				assert.ok(plotted.every(([actual]) => actual === undefined))
				const [[low, high]] = await numbers(`SELECT total_lo80 / ${unit}, total_hi80 / ${unit} FROM forecast_run WHERE forecast_id = ${run(metric, days)}`)
				const band = (await textOf('#expected-band')).split('–').map((t) => Number(t.replace(/[^\d]/g, '')))
				assert.ok(Math.abs(band[0] - low) <= 1 && Math.abs(band[1] - high) <= 1, `${band} ${low} ${high}`)
				assert.equal(await valueOf('#tomorrow'), points[1][0])
				await close()
			}
	})

	it('show the band of a part of the horizon narrower than the sum of its days and wider than one of them', async () => {
		await sql(`UPDATE forecast_run SET horizon = 99 WHERE horizon = 7 AND granularity = 'day' AND item_id IS NULL AND forecast_id = ${run('revenue', 7)}`)
		await sql(`UPDATE forecast_run SET first_target = first_target - 50 WHERE horizon = 99`)
		await open('forecast')
		const [low, high] = (await textOf('#expected-band')).split('–').map((t) => Number(t.replace(/[^\d]/g, '')))
		const [[widest, together]] = await numbers(`SELECT max(hi80 - lo80) / 100, sum(hi80 - lo80) / 100 FROM forecast_history WHERE forecast_id = ${run('revenue', 30)} AND lead <= 7`)
		assert.ok(high - low > widest && high - low < together, `${high - low} ${widest} ${together}`)
		assert.match(await textOf('.figure.is-main dt'), /next 7 days/)
		await close()
		await sql(rows)
	})

	it('show what was forecast of days that are over', async () => {
		for (const ahead of [1, 7]) {
			await open(`forecast?ahead=${ahead}`)
			const shown = await page.$$eval('details[data-of="days"] tr:not([data-ahead])', (list) => list.filter((tr) => tr.cells[7]?.dataset.value).map((tr) => [tr.dataset.date, Number(tr.cells[7].dataset.value)]))
			const said = (await sql(`SELECT target_date, round(value / 100) FROM forecast_judged('revenue', 'day', 'EUR', NULL, NULL, 35) WHERE lead = ${ahead} AND NOT closed ORDER BY 1 DESC`)).split('\n').map((l) => l.split('|'))
			assert.ok(said.length > 20)
			assert.deepEqual(shown, said.map(([d, v]) => [d, Number(v)]))
			await close()
		}
	})

	it('show the busiest day, tomorrow by hour, and items', async () => {
		await open('forecast')
		const best = await sql(`SELECT target_date FROM forecast_history WHERE forecast_id = ${run('revenue', 7)} ORDER BY value DESC LIMIT 1`)
		assert.equal(await page.getAttribute('#busiest', 'value'), best)
		const hours = await numbers(`SELECT round(value, 1) FROM forecast_history JOIN forecast_run USING (forecast_id) WHERE granularity = 'hour' AND target_date = first_target + 1 ORDER BY lead`)
		assert.deepEqual(await column('details[data-of="hours"] tbody tr', 1), hours.map(([v]) => v))
		const items = await numbers(`SELECT round(sum(value)) FROM forecast_history JOIN forecast_run USING (forecast_id) WHERE metric = 'quantity' GROUP BY item_id ORDER BY 1 DESC LIMIT 12`)
		assert.deepEqual(await column('#items tbody tr', 1), items.map(([v]) => v))
		await close()
	})

	it('say how good it was, and where last week’s day is better', async () => {
		await open('forecast')
		const record = await numbers(`SELECT lead, round(wape * 100, 1), round(naive_wape * 100, 1), round(coverage80 * 100, 1), round(coverage95 * 100, 1), n, won::int
			FROM forecast_accuracy('revenue', 'day', 'EUR', NULL, NULL, 90) WHERE lead <= 7`)
		const shown = await page.$$eval('#record tbody tr', (list) => list.map((tr) => [...tr.cells].map((c) => Number(c.dataset.value))))
		for (const [i, row] of record.entries())
			for (const k of [0, 1, 2, 3, 4, 5]) assert.ok(Math.abs(shown[i][k] - row[k]) < 0.11, `${shown[i]} ${row}`)
		const lost = record.filter((r) => r[6] === 0).map((r) => String(r[0]))
		assert.ok(lost.length > 0 && lost.length < 7)
		const said = await textOf('#verdict')
		assert.match(said, /One day ahead, forecasts were off by [\d.]+ % over 40 days; taking last week’s same day would have been off by [\d.]+ %/)
		assert.deepEqual(said.match(/did better ([\d, and]+) days? ahead/)[1].match(/\d+/g), lost)
		assert.deepEqual(await page.$$eval('#record tr[data-lost] th', (list) => list.map((th) => th.dataset.value)), lost)
		assert.equal(await valueOf('#off'), shown[0][1])
		await page.click('#made summary')
		assert.ok(Math.abs(sum(await column('#weights tbody tr', 1)) - 100) < 0.2)
		assert.match(await textOf('#made'), /301 days/)
		await close()
	})

	// ---- ways through them

	it('are reached and used by keyboard, and keep what was chosen', async () => {
		await open('revenue?period=28d')
		await page.keyboard.press('/')
		await page.keyboard.type('forec')
		await page.keyboard.press('Enter')
		await page.waitForURL('**/admin/forecast?period=28d')
		await drawn(page)
		await page.focus('.switch >> text=Orders')
		await page.keyboard.press('Enter')
		await page.waitForURL('**metric=orders*')
		await page.focus('.switch >> text=30 days')
		await page.keyboard.press('Enter')
		await page.waitForURL('**days=30*')
		const query = new URL(page.url()).searchParams
		assert.deepEqual([query.get('metric'), query.get('days'), query.get('period')], ['orders', '30', '28d'])
		await page.focus('#made summary')
		await page.keyboard.press('Enter')
		assert.ok(await page.locator('#weights').isVisible())
		await page.click('.nav >> text=Anomalies')
		await page.waitForURL('**/admin/anomalies?period=28d')
		await page.keyboard.press('3')
		await page.waitForURL('**period=91d*')
		await close()
	})

	it('save their tables', async () => {
		await open('forecast?metric=orders')
		const [file] = await Promise.all([page.waitForEvent('download'), page.click('section:has(#ahead) >> text=Save as CSV')])
		const lines = readFileSync(await file.path(), 'utf8').replace('\ufeff', '').trimEnd().split('\r\n').map((l) => l.split(','))
		assert.deepEqual(lines.slice(1).map((l) => Number(l[lines[0].indexOf('expected')])), await column('#ahead tr[data-date]', 1))
		await close()
		for (const target of ['forecast?table=days', 'forecast?table=hours', 'forecast?table=items', 'forecast?table=record', 'forecast?table=weights', 'anomalies?table=incidents', 'anomalies?table=days']) {
			const { status, text } = await instance.get(`/admin/${target}&format=csv`)
			assert.equal(status, 200, target)
			assert.ok(text.split('\r\n').length > 3, target)
		}
	})

	it('print with their figures', async () => {
		for (const [target, selectors] of [['forecast', ['#expected', '#ahead', '#record']], ['anomalies', ['#incidents']]]) {
			await open(target)
			await drawn(page)
			await page.emulateMedia({ media: 'print' })
			for (const selector of [...selectors, '[data-chart="days"]']) assert.ok(await page.locator(selector).isVisible(), selector)
			for (const selector of ['.switch', '.save', '.nav']) assert.equal(await page.locator(selector).first().isVisible(), false, selector)
			await close()
		}
	})

	it('read out what is expected, a special day, and why a day has a ring', async () => {
		const told = async (date) => {
			const [i, n] = await page.$$eval('details[data-of="days"] tbody tr', (list, d) => [list.length - 1 - list.findIndex((tr) => tr.dataset.date === d), list.length], date)
			const box = await page.locator('[data-chart="days"] canvas').boundingBox()
			for (let x = box.x + 40; x < box.x + box.width; x += box.width / n / 3) {
				await page.mouse.move(x, box.y + 120)
				const said = await textOf('[data-chart="days"] .tip')
				const label = await page.$eval(`details[data-of="days"] tr[data-date="${date}"] th`, (th) => th.textContent.replace(/\s+/g, ' ').trim())
				if (said.startsWith(label)) return said
			}
			return `nothing at ${i} of ${n}`
		}
		await open('forecast')
		await drawn(page)
		const special = await sql(`SELECT target_date FROM forecast_history WHERE forecast_id = ${run('revenue', 7)} AND holiday_name IS NOT NULL`)
		assert.match(await told(special), /St\. Testing’s Day.*Expected€/)
		await close()
		const flagged = await sql(`SELECT max(target_date) FROM expected_cache WHERE flagged AND metric = 'revenue'`)
		for (const target of ['anomalies', 'revenue', '?period=28d']) {
			await open(target)
			await drawn(page)
			assert.match(await told(flagged), /\d+ % under what was expected/, target)
			await close()
		}
		await open('orders')
		assert.match(await page.locator(`.unusual [data-date="${flagged}"]`).textContent(), /orders on .* were \d+\s%\sunder what was expected/)
		await close()
	})

	// ---- unusual days

	it('say in words what was unusual', async () => {
		await open('anomalies')
		const [[actual, expected, lo, hi]] = await numbers(`SELECT actual / 100, round(expected / 100), round(lo / 100), round(hi / 100) FROM anomaly WHERE metric = 'revenue' AND kind = 'drop'`)
		const said = await textOf('#incidents tr[data-kind="drop"]:has-text("Revenue")')
		assert.match(said, new RegExp(`was ${Math.round((1 - actual / expected) * 100)} % under what was expected`))
		assert.deepEqual(said.match(/\((.*)\)/)[1].match(/[\d,.]+/g).map((t) => Number(t.replaceAll(',', ''))), [Math.round(actual * 100) / 100, expected, lo, hi])
		assert.match(said, /drop alert ?Margherita item, 44\s%/)
		assert.match(await textOf('#incidents tr[data-kind="outage"]'), /^No orders on \w+ \d+ \w+, 19:00–20:00/)
		assert.match(await textOf('#incidents tr[data-kind="outage"]'), /the worst of 2 hours, 19:00–21:00/)
		assert.equal(await page.locator('#incidents tbody tr').count(), 5)
		await page.click('.switch >> text=Orders')
		await page.waitForURL('**metric=orders*')
		assert.equal(await page.locator('#incidents tbody tr').count(), 3)
		await page.click('.switch >> text=/^Days$/')
		await page.waitForURL('**granularity=day*')
		assert.equal(await page.locator('#incidents tbody tr').count(), 2)
		assert.match(await textOf('#days-title'), /^Orders/)
		assert.equal(await page.locator('details[data-of="days"] tr[data-flag]').count(), 2)
		await close()
		await open('anomalies?period=7d')
		assert.match(await textOf('#incidents tbody'), /Nothing unusual in 7 days judged/)
		await assertAccessible(page, 'nothing unusual')
		await close()
	})

	// ---- states

	it('show when there is none, too little, an old one, and none that came true', async () => {
		const state = async (change, selector, words, target = 'forecast') => {
			await sql(change)
			await open(target, { viewport: PHONE })
			assert.match(await textOf(selector), words)
			await assertAccessible(page, String(words))
			await assertNoSidewaysScroll(page)
			await close()
		}
		await state(`UPDATE forecast_run SET first_target = first_target - 3, made_at = made_at - interval '3 days' WHERE origin = 'night' AND first_target = '${newest}'::date + 1`,
			'.notice', /not of last night/)
		assert.match((await instance.get('/admin/forecast')).text, /class="fresh is-late"/)
		await sql(rows)
		await state('ALTER TABLE forecast_history DISABLE TRIGGER USER; UPDATE forecast_history SET actual = NULL', '#verdict', /None|backtest: the same method on past days, 8 times.*off by 8\.1 %, last week’s same day by 12\.4 %/)
		await state(`INSERT INTO forecast_run (made_at, origin, rules_id, data_version, metric, granularity, currency, horizon, status, reason, first_target)
			SELECT now(), 'night', rules_id, data_version, 'revenue', 'day', 'EUR', 30, 'refused', '30 days need 28 days of history', first_target + 1 FROM forecast_run ORDER BY first_target DESC LIMIT 1`,
			'.message', /Too little history yet.*30 days need 28 days of history.*from \w+ \d+ \w+/, 'forecast?days=30')
		await state('TRUNCATE forecast_history, forecast_run', '.message', /No forecast yet.*takings-batch run/)
		await state('TRUNCATE expected_cache, anomaly', '.message', /Nothing was judged yet/, 'anomalies')
		assert.match((await instance.get('/admin/forecast?location_id=77')).text, /Location 77 sold nothing in EUR/)
		assert.equal((await instance.get('/admin/anomalies?location_id=77')).status, 404)
		await sql('ALTER TABLE forecast_history ENABLE TRIGGER USER')
		await sql(rows)
	})

	it('take the only location for all of it, and each of several by itself', async () => {
		const only = await sql('SELECT DISTINCT location_id FROM series')
		for (const target of ['forecast', 'anomalies'])
			assert.match((await instance.get(`/admin/${target}?location_id=${only}`)).text, target === 'forecast' ? /id="ahead"/ : /data-kind="drop"/)
		await sql(`INSERT INTO series SELECT location_id + 1, currency, first_date FROM series`)
		await open('forecast')
		await page.click('[data-menu="location"] summary')
		await assertAccessible(page, 'locations')
		await page.click(`[data-menu="location"] >> text=Location ${Number(only) + 1}`)
		await page.waitForURL(`**location_id=${Number(only) + 1}*`)
		assert.match(await textOf('.message'), /Nothing to forecast/)
		await page.click('.filters a')
		await page.waitForURL((url) => !url.searchParams.has('location_id'))
		assert.equal(await page.locator('#ahead').count(), 1)
		await close()
		await sql(`DELETE FROM series WHERE location_id = ${Number(only) + 1}`)
	})

	it('show the hours of today where the forecast reaches no further', async () => {
		await sql(`ALTER TABLE forecast_history DISABLE TRIGGER USER;
			DELETE FROM forecast_history h USING forecast_run r WHERE r.forecast_id = h.forecast_id AND r.granularity = 'hour' AND lead > 24;
			ALTER TABLE forecast_history ENABLE TRIGGER USER`)
		await open('forecast')
		assert.equal(await textOf('#hours-title'), 'Orders expected today, by hour')
		assert.equal(await page.locator('details[data-of="hours"] tbody tr').count(), 24)
		await close()
		await sql(rows)
	})

	it('are not there where they are switched off', async () => {
		const off = await startInstance({ ENABLE_FORECASTING: '0', ENABLE_ANOMALY_DETECTION: '0' })
		try {
			for (const target of ['forecast', 'anomalies']) {
				const { status, text } = await off.get(`/admin/${target}`)
				assert.equal(status, 404)
				assert.match(text, /switched off here/)
			}
			const { text } = await off.get('/admin/')
			assert.doesNotMatch(text, /admin\/(forecast|anomalies)/)
		} finally {
			await off.destroy()
		}
		assert.match((await instance.get('/admin/')).text, /admin\/forecast.*admin\/anomalies/s)
	})
})
