// Growth compares computed days with as many computed days, or says why it cannot.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { daysAgo, openSmallShop } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

describe('growth', () => {
	const DAYS = 40
	let shop, web, revenue
	const ask = async (from, to, more = '') => (await web.get(`/api/admin/analytics/summary?from=${daysAgo(from)}&to=${daysAgo(to)}${more}`)).json
	// Cents of the days from..to days ago, by the tables.
	const sum = (from, to) => revenue.filter((r) => r.day >= daysAgo(from) && r.day <= daysAgo(to)).reduce((s, r) => s + r.minor, 0)
	const percent = (now, base) => Math.round((now - base) / base * 10000) / 100

	before(async () => {
		shop = await openSmallShop(DAYS)
		await shop.expectRun(0)
		revenue = await shop.cache.query('SELECT business_date::text AS day, revenue_minor AS minor FROM daily_revenue_cache')
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url() })
	})
	after(() => web?.stop())

	it('has a base of exactly as many days', async () => {
		const json = await ask(20, 1)
		assert.equal(json.vs_previous_day_status, 'ok')
		assert.ok(Math.abs(json.vs_previous_day - percent(sum(20, 1), sum(40, 21))) < 0.011)
		assert.equal(Math.round(json.previous_day.total_revenue * 100), sum(40, 21))
		assert.deepEqual([json.previous_day.from_date, json.previous_day.to_date, json.previous_day.days_computed], [daysAgo(40), daysAgo(21), 20])
	})

	it('is null where the base is one day short', async () => {
		for (const [from, to, computed] of [[21, 2, 19], [21, 1, 19], [30, 1, 10]]) {
			const json = await ask(from, to)
			assert.equal(json.vs_previous_day, null)
			assert.equal(json.vs_previous_day_status, 'incomplete_base')
			assert.equal(json.previous_day.days_computed, computed)
		}
		const none = await ask(40, 1)
		assert.deepEqual([none.vs_previous_day, none.vs_previous_day_status, none.previous_day.days_computed], [null, 'no_base', 0])
	})

	it('is cut at the newest computed day, and its base with it', async () => {
		const [cut, whole] = [await ask(20, -10), await ask(20, 1)]
		assert.equal(cut.range.complete, false)
		for (const field of ['vs_previous_day', 'vs_previous_day_status', 'previous_day', 'vs_same_weekday', 'same_weekday', 'total_revenue'])
			assert.deepEqual(cut[field], whole[field], field)
		const short = await ask(21, -10)
		assert.deepEqual([short.vs_previous_day, short.vs_previous_day_status], [null, 'incomplete_base'])
	})

	it('meets weekdays by going back whole weeks', async () => {
		const week = await ask(19, 10) // 10 days, so 14 back
		assert.equal(week.same_weekday.from_date, daysAgo(33))
		assert.ok(Math.abs(week.vs_same_weekday - percent(sum(19, 10), sum(33, 24))) < 0.011)
		assert.equal((await ask(26, 17)).vs_same_weekday_status, 'ok') // back to the very first day
		const short = await ask(27, 18)
		assert.deepEqual([short.vs_same_weekday, short.vs_same_weekday_status], [null, 'incomplete_base'])
	})

	it('is null where a day of the window itself is not computed', async () => {
		await shop.cache.exec(`DELETE FROM daily_revenue_cache WHERE business_date = '${daysAgo(5)}'`)
		const gap = await ask(10, 1)
		assert.deepEqual([gap.vs_previous_day, gap.vs_previous_day_status], [null, 'incomplete'])
		const base = await ask(4, 1)
		assert.deepEqual([base.vs_previous_day, base.vs_previous_day_status], [null, 'incomplete_base'])
		assert.equal((await ask(4, 2)).vs_previous_day_status, 'incomplete_base')
		assert.equal((await ask(2, 1)).vs_previous_day_status, 'ok')
	})

	it('of a location that began later has its base there only', async () => {
		await shop.cache.exec(`INSERT INTO daily_revenue_cache SELECT (jsonb_populate_record(d, '{"location_id": 7}')).* FROM daily_revenue_cache d
			WHERE business_date >= '${daysAgo(3)}'`)
		assert.equal((await ask(1, 1, '&location_id=7')).vs_previous_day_status, 'ok')
		assert.equal((await ask(2, 1, '&location_id=7')).vs_previous_day_status, 'incomplete_base')
		assert.equal((await ask(3, 1, '&location_id=7')).vs_previous_day_status, 'no_base')
	})
})
