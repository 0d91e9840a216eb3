// What all days of a forecast come to: the same on the page, in the answer and in the table, also where one day was wild.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { daysAgo, noonZone, openSmallShop } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const sum = (list) => list.reduce((a, b) => a + b, 0)
let shop, web

before(async () => {
	shop = await openSmallShop(90)
	await shop.orders.exec(`UPDATE orders SET total_amount = total_amount * (1 + id % 13 / 20.0);
		UPDATE orders SET total_amount = total_amount * 15 WHERE (created_at AT TIME ZONE '${noonZone()}')::date = '${daysAgo(5)}'`)
	await shop.expectRun(0)
	web = await Web.start(shop.settings)
})
after(() => web?.stop())

describe('what the days to come are together', () => {
	it('is no less sure than all days are by themselves', async () => {
		const { json } = await web.get('/api/admin/analytics/forecast/daily')
		assert.equal(json.days.length, 7)
		assert.ok(Math.abs(json.total.value - sum(json.days.map((d) => d.revenue))) < 0.1)
		for (const [of_all, of_day] of [['hi80', 'revenue_hi80'], ['hi95', 'revenue_hi95']])
			assert.ok(json.total[of_all] - json.total.value <= sum(json.days.map((d) => d[of_day] - d.revenue)) + 0.1, of_all)
	})

	it('has one band, wherever it is told', async () => {
		const { json } = await web.get('/api/admin/analytics/forecast/daily')
		const stored = await shop.cache.one(`SELECT total_lo80::float / 100 AS lo80, total_hi80::float / 100 AS hi80 FROM forecast_run WHERE forecast_id = ${json.forecast_id}`)
		assert.deepEqual([json.total.lo80, json.total.hi80], [stored.lo80, stored.hi80])
		const text = (await web.get('/admin/forecast')).text.replace(/<[^>]+>/g, ' ').replace(/[,\s]+/g, ' ')
		const band = /figures beside it\. € ([\d ]+?) € ([\d ]+?) – € ([\d ]+?) in 8 of 10/.exec(text)
		assert.ok(band, text.slice(0, 2000))
		const [, lo, hi] = band.slice(1).map((n) => Number(n.replaceAll(' ', '')))
		assert.ok(Math.abs(lo - stored.lo80) <= 1 && Math.abs(hi - stored.hi80) <= 1, `${lo} – ${hi} instead of ${stored.lo80} – ${stored.hi80}`)
	})
})
