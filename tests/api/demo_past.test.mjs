// The past that the first start of an instance gives the demo: forecasts of its last evenings.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'

import { startInstance } from '../lib/instance.mjs'

const EVENINGS = 3

describe('a demo with a past', () => {
	let site
	before(async () => { site = await startInstance({ DEMO_EVENINGS: String(EVENINGS), HOLIDAYS: 'DE' }) })
	after(() => site?.destroy())
	const ask = (query) => site.psql('ANALYTICS_DATABASE_URL', query)
	const state = () => ask(`SELECT (SELECT count(*) FROM forecast_run), (SELECT md5(string_agg(h::text, '' ORDER BY forecast_id, lead)) FROM forecast_history h),
		(SELECT count(*) FROM special_day), (SELECT sum(revenue_minor) FROM daily_revenue_cache), data_version FROM site`)

	it('has a forecast of each evening, from the days up to it and none after', async () => {
		assert.equal(await ask(`SELECT string_agg(DISTINCT first_target - train_to::date || '', ','), count(DISTINCT train_to), max(train_to) = (SELECT max(business_date) FROM daily_revenue_cache)
			FROM forecast_run WHERE granularity = 'day' AND item_id IS NULL AND origin = 'night'`), `1|${EVENINGS + 1}|t`)
	})

	it('has all of its figures', async () => {
		const { totals } = site.truth()
		assert.equal(await ask('SELECT count(*), sum(revenue_minor), sum(order_count) FROM daily_revenue_cache'), [totals.days, totals.revenue_minor, totals.placed].join('|'))
	})

	it('shows what came of them', async () => {
		const { json } = await site.get('/api/admin/analytics/forecast/daily')
		assert.deepEqual(json.track_record.map((r) => [r.lead, r.n]), Array.from({ length: EVENINGS }, (_, i) => [i + 1, EVENINGS - i]))
		assert.match(json.track.words, /forecasts were off by/)
	})

	it('knows the days of the country and of the house', async () => {
		assert.equal(await ask(`SELECT string_agg(DISTINCT extract(isodow FROM d)::text, ',') || string_agg(DISTINCT n::text, ',')
			FROM (SELECT min(day) AS d, count(*) AS n FROM special_day WHERE name = 'Summer holiday' GROUP BY extract(year FROM day)) y`), '110')
		assert.match((await site.settings()).HOLIDAYS, /^DE$/)
	})

	it('gets it once', async () => {
		const before = await state()
		assert.equal((await site.tool('down')).code, 0)
		const again = await site.tool('up')
		assert.equal(again.code, 0, again.stderr)
		assert.doesNotMatch(again.stdout, /evenings/)
		assert.equal(await state(), before)
	})
})
