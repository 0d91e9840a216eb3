// What will be, what came of it, what was unusual and where things go: the answers against plain SQL
// over the same tables. The tables of the night are filled here, with figures that are easy to tell.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { daysAgo, openSmallShop } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const DAYS = 200
const API = '/api/admin/analytics/forecast'
let shop, web

const sql = (text) => shop.cache.query(text)
const exec = (text) => shop.cache.exec(text)
const get = (target, query = {}) => web.get(`${target}?${new URLSearchParams(query)}`)
const ok = async (...args) => {
	const answer = await get(...args)
	assert.equal(answer.status, 200, answer.text)
	return answer.json
}
const post = (body, on = web) => on.get('/ml/forecast', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const made = async (body) => {
	const answer = await post(body)
	assert.equal(answer.status, 200, answer.text)
	return answer.json
}
async function refused(answer, status, field, words = /./) {
	const { status: got, json, text } = await answer
	assert.deepEqual([got, json?.field], [status, field], text)
	assert.match(json.detail, words)
}

// A shop that is closed on Mondays and at night, with a busy weekend; two places, and yen in one of them.
const FIGURES = `
	DELETE FROM daily_revenue_cache; DELETE FROM hourly_order_cache; DELETE FROM item_sales_cache; DELETE FROM series;
	INSERT INTO series VALUES (0, 'EUR', '${daysAgo(DAYS)}'), (2, 'EUR', '${daysAgo(10)}'), (2, 'JPY', '${daysAgo(10)}');
	CREATE TEMP TABLE f AS
	SELECT s.location_id, s.currency, d::date AS day, h AS hour,
	       CASE WHEN extract(isodow FROM d) = 1 OR h NOT BETWEEN 10 AND 21 THEN 0
	            ELSE 3 + extract(isodow FROM d)::int + (extract(day FROM d)::int * 7 + h * 5) % 4 + (d::date - s.first_date) / 20 END AS n
	FROM series s, generate_series(s.first_date::timestamp, '${daysAgo(1)}'::timestamp, '1 day') d, generate_series(0, 23) h;
	INSERT INTO hourly_order_cache SELECT location_id, day, hour, currency, n + 1, n, n * 1234, 3600, 1, now() FROM f;
	INSERT INTO daily_revenue_cache SELECT location_id, day, currency, sum(n) * 1234, sum(n) * 1234, sum(n) * 1234, 0, 0, 0, 0, 0, sum(n) + 24, sum(n), 12.34,
	       sum(n) * 2, sum(n) * 1234, '{}', NULL, NULL, '', (SELECT rules_id FROM site), 1, now() FROM f GROUP BY 1, 2, 3;
	INSERT INTO item_sales_cache SELECT location_id, day, 'dish', currency, 'Dish', sum(n), sum(n) * 500, sum(n), 1, now() FROM f WHERE n > 0 GROUP BY 1, 2, 4;
	UPDATE site SET data_version = data_version + 1;`

// One forecast of a night, made \`ago\` days ago of the days before: value = base 100 + season 18 + trend 2, on its second day
// Christmas Eve takes 40 % off; the naive says 110. Every third day was worth 100, the others 130.
let runs = 0
const night = ({ metric = 'revenue', granularity = 'day', horizon = 7, ago = 0, location = 'NULL', currency = 'EUR', unit = metric === 'revenue' ? 1234 : 1, closed = 'false' }) => {
	const hourly = granularity === 'hour'
	const n = ++runs
	return `
	WITH r AS (
		INSERT INTO forecast_run (origin, made_at, run_id, rules_id, data_version, metric, granularity, location_id, currency, horizon, status, first_target,
			train_from, train_to, train_n, model, weights, flags, folds, wape, mase, bias, coverage80, coverage95, naive_wape, naive_mase,
			total, total_lo80, total_hi80, total_lo95, total_hi95)
		SELECT 'night', now() - interval '${ago} days' + interval '${n} ms', 1, rules_id, data_version, '${metric}', '${granularity}', ${location}, '${currency}', ${horizon}, 'ready', '${daysAgo(ago)}',
			'${daysAgo(DAYS)}', '${daysAgo(ago + 1)}', ${DAYS - ago}, 'ensemble', '[{"model": "HWT", "weight": 0.75}, {"model": "mean of weekdays", "weight": 0.25}]', '["closed_slots"]',
			6, 0.08712, 0.7, -0.01, 0.8, 0.95, 0.11, 0.9, 700.5 * ${unit}, 600 * ${unit}, 800 * ${unit}, 500 * ${unit}, 900 * ${unit} FROM site
		RETURNING forecast_id)
	INSERT INTO forecast_history (forecast_id, lead, target_date, target_hour, value, lo80, hi80, lo95, hi95, naive, closed, base, season, trend, holiday, holiday_name, actual, error, filled_at)
	SELECT forecast_id, n, day, ${hourly ? '(n + 3) % 24' : -1}, v, v * 0.9, v * 1.1, v * 0.8, v * 1.2, v * 0 + ${unit} * 110, shut, b, b * 0.18, b * 0.02, b * 1.2 * (CASE WHEN eve THEN -0.4 ELSE 0 END),
	       CASE WHEN eve THEN 'Christmas Eve' END, actual, v - actual, CASE WHEN actual IS NOT NULL THEN now() END
	FROM r, generate_series(1, ${horizon}) n,
	     LATERAL (SELECT '${daysAgo(ago)}'::date + ${hourly ? '(n - 1) / 24' : 'n - 1'} AS day, ${closed} AS shut, ${hourly ? 'false' : 'n = 2'} AS eve) d,
	     LATERAL (SELECT CASE WHEN shut THEN 0 ELSE ${unit} * 100.0 END AS b) b, LATERAL (SELECT b * 1.2 * (CASE WHEN eve THEN 0.6 ELSE 1 END) AS v) v,
	     LATERAL (SELECT CASE WHEN day < '${daysAgo(0)}' THEN ${unit} * (CASE WHEN n % 3 = 0 THEN 100 ELSE 130 END) END AS actual) a;`
}
const SHUT_HOURS = '(n + 3) % 24 NOT BETWEEN 10 AND 21'
const anyNight = (horizon, ago) => night({ horizon, ago }) + night({ horizon, ago, metric: 'orders' })

before(async () => {
	shop = await openSmallShop(12, { BUSINESS_DAY_CUTOFF: '4' })
	await shop.expectRun(0)
	await exec('DELETE FROM anomaly; DELETE FROM expected_cache; ALTER TABLE forecast_history DISABLE TRIGGER USER; DELETE FROM forecast_history; DELETE FROM forecast_run; ALTER TABLE forecast_history ENABLE TRIGGER USER')
	await exec(FIGURES)
	web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), FORECAST_HORIZON_DAYS: '30' })
})
after(() => web?.stop())

describe('before the first forecast', () => {
	it('there is none, and that is said', async () => {
		await refused(get(`${API}/daily`), 404, undefined, /there is no forecast yet/)
		await refused(get(`${API}/hourly`), 404, undefined, /there is no forecast yet/)
		await refused(get('/ml/forecast/1'), 404, undefined, /no such forecast/)
	})

	it('of what nobody has figures of, the parameter is named', async () => {
		for (const target of [`${API}/daily`, `${API}/hourly`]) {
			await refused(get(target, { location_id: 77 }), 404, 'location_id')
			await refused(get(target, { currency: 'CHF' }), 404, 'currency')
		}
		await refused(get('/ml/trends', { location_id: 77 }), 404, 'location_id')
		await refused(post({ metric: 'revenue', location_id: 77 }), 404, 'location_id')
		await refused(post({ metric: 'revenue', currency: 'CHF' }), 404, 'currency')
		await refused(post({ metric: 'revenue', item_id: 'nobody' }), 404, 'item_id')
	})

	it('of a location that sells in another currency, or sells no more, there is none, and why', async () => {
		await exec(`INSERT INTO series VALUES (3, 'JPY', '${daysAgo(20)}'), (4, 'EUR', '${daysAgo(90)}')`)
		for (const target of [`${API}/daily`, `${API}/hourly`]) {
			await refused(get(target, { location_id: 3 }), 404, undefined, /location 3 has no figures in EUR/)
			await refused(get(target, { location_id: 3, currency: 'JPY' }), 404, undefined, /nothing was sold at location 3 in JPY within four weeks/)
			await refused(get(target, { location_id: 4 }), 404, undefined, /nothing was sold at location 4 in EUR within four weeks/)
			await refused(get(target, { location_id: 2 }), 404, undefined, /there is no forecast yet/)
		}
		const page = async (location) => (await get('/admin/forecast', { location_id: location })).text
		for (const location of [3, 4]) assert.match(await page(location), new RegExp(`Location ${location} sold nothing in EUR within four weeks`))
		assert.match(await page(2), /No forecast yet/)
		await exec('DELETE FROM series WHERE location_id > 2')
	})

	it('a refused one says why', async () => {
		await exec(`INSERT INTO forecast_run (origin, run_id, rules_id, data_version, metric, granularity, currency, horizon, status, reason, first_target)
			SELECT 'night', 1, rules_id, data_version, 'revenue', 'day', 'EUR', 30, 'refused', '30 days need 28 days of figures', '${daysAgo(1)}' FROM site`)
		await refused(get(`${API}/daily`, { days: 30 }), 404, undefined, /30 days need 28 days of figures/)
	})

	it('a forecast of days that are over is none, and that is said', async () => {
		await exec('DELETE FROM forecast_run')
		await exec(anyNight(7, 40))
		await refused(get(`${API}/daily`), 404, undefined, /speaks of no day that is still to come/)
	})
})

describe('the next days', () => {
	before(() => exec([30, 20, 10].map((ago) => anyNight(7, ago)).join('') + anyNight(7, 0) + anyNight(30, 0)))

	it('are seven, from today, with revenue and orders and both their bands', async () => {
		const answer = await get(`${API}/daily`)
		const { json, text } = answer
		assert.equal(answer.status, 200, text)
		assert.deepEqual([json.first_day, json.first_day_is, json.status, json.stale_reason, json.horizon, json.days_n], [daysAgo(0), 'today', 'ok', null, 7, 7])
		assert.deepEqual(json.days.map((d) => d.date), [0, 1, 2, 3, 4, 5, 6].map((n) => daysAgo(-n)))
		const { weekday, why, ...first } = json.days[0]
		assert.deepEqual(first, { date: daysAgo(0), lead: 1, closed: false, revenue: 1480.8, revenue_lo80: 1332.72, revenue_hi80: 1628.88,
			revenue_lo95: 1184.64, revenue_hi95: 1776.96, orders: 120, orders_lo80: 108, orders_hi80: 132, orders_lo95: 96, orders_hi95: 144,
			base: 1234, season_effect: 222.12, trend_effect: 24.68, holiday_effect: 0, holiday: null })
		assert.equal(weekday, new Date(daysAgo(0)).toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' }))
		assert.equal(why, `a usual ${weekday}, +18 % for the weekday, +2 % for the trend`)
		assert.match(text, /"revenue":1480\.80,"revenue_lo80":1332\.72/) // money has the digits of its currency
	})

	it('say what a named day takes away', async () => {
		const [, eve] = (await ok(`${API}/daily`)).days
		assert.equal(eve.holiday, 'Christmas Eve')
		assert.match(eve.why, /, Christmas Eve −40 %$/)
		assert.ok(Math.abs(eve.base + eve.season_effect + eve.trend_effect + eve.holiday_effect - eve.revenue) < 0.02)
	})

	it('name the model, what it learned from and how it would have gone before', async () => {
		const json = await ok(`${API}/daily`)
		assert.deepEqual([json.model, json.weights, json.flags, json.train_from, json.train_to, json.train_n], ['ensemble',
			[{ model: 'HWT', weight: 0.75 }, { model: 'mean of weekdays', weight: 0.25 }], ['closed_slots'], daysAgo(DAYS), daysAgo(1), DAYS])
		assert.deepEqual(json.backtest, { folds: 6, wape: 0.0871, mase: 0.7, bias: -0.01, coverage80: 0.8, coverage95: 0.95, naive_wape: 0.11, naive_mase: 0.9, naive_wins: false })
	})

	it('have a total of the whole forecast only, with bands of its own', async () => {
		const week = await ok(`${API}/daily`), three = await ok(`${API}/daily`, { days: 3 })
		assert.deepEqual([week.total, week.total_reason], [{ value: 8644.17, lo80: 7404, hi80: 9872, lo95: 6170, hi95: 11106 }, null])
		assert.equal(three.total, null)
		assert.match(three.total_reason, /all 7 days/)
	})

	it('of more than seven days are of the longer forecast', async () => {
		const month = await ok(`${API}/daily`, { days: 30 }), eight = await ok(`${API}/daily`, { days: 8 })
		assert.deepEqual([month.horizon, month.days.length, month.total !== null], [30, 30, true])
		assert.deepEqual([eight.horizon, eight.days.length, eight.total], [30, 8, null])
	})

	it('come with what came of earlier ones, a lead a row, and with the naive beside', async () => {
		const json = await ok(`${API}/daily`)
		const want = await sql(`SELECT lead, n, wape::float, naive_wape::float, bias::float, coverage80::float FROM forecast_accuracy('revenue', 'day', 'EUR', NULL, NULL, 91) WHERE lead <= 7 ORDER BY lead`)
		const round = (x) => Math.round(x * 1e4) / 1e4
		assert.ok(want.length === 7 && want[0].n >= 3)
		assert.deepEqual(json.track_record.map(({ lead, n, wape, naive_wape, bias, coverage80 }) => ({ lead, n, wape, naive_wape, bias, coverage80 })),
			want.map((w) => ({ lead: w.lead, n: w.n, wape: round(w.wape), naive_wape: round(w.naive_wape), bias: round(w.bias), coverage80: round(w.coverage80) })))
		for (const row of json.track_record) assert.equal(row.naive_wins, row.naive_wape < row.wape, JSON.stringify(row))
		assert.ok(json.track_record.some((r) => r.naive_wins) && json.track_record.some((r) => !r.naive_wins), 'both happen')
		assert.match(json.track.words, /^Over the last 91 days forecasts were off by [\d.]+ %; repeating the week before would have been off by [\d.]+ %: (the forecast was better|that would have been better)\.$/)
	})

	it('of orders have the parts and the errors of orders', async () => {
		const json = await ok(`${API}/daily`, { metric: 'orders' })
		assert.deepEqual([json.days[0].base, json.days[0].orders, json.days[0].revenue, json.total.value], [100, 120, 1480.8, 700.5])
	})

	it('of one location are of its own forecast, in its own currency with its digits', async () => {
		await refused(get(`${API}/daily`, { location_id: 2 }), 404, undefined, /no forecast yet/)
		await exec(night({ location: 2, currency: 'JPY' }))
		const { text, json } = await get(`${API}/daily`, { location_id: 2, currency: 'JPY' })
		assert.deepEqual([json.location_id, json.currency, json.days[0].orders], [2, 'JPY', null])
		assert.match(text, /"revenue":148080,"revenue_lo80":133272/)
	})

	it('of the only location of a shop are those of the shop', async () => {
		await refused(get(`${API}/daily`, { location_id: 0 }), 404, undefined, /no forecast yet/)
		await exec('CREATE TABLE others AS SELECT * FROM series WHERE location_id = 2; DELETE FROM series WHERE location_id = 2')
		const all = await ok(`${API}/daily`), one = await ok(`${API}/daily`, { location_id: 0 })
		await exec('INSERT INTO series SELECT * FROM others; DROP TABLE others')
		assert.deepEqual({ ...one, as_of: 0, location_id: null }, { ...all, as_of: 0 })
	})

	it('as CSV are the days', async () => {
		const { text, headers } = await get(`${API}/daily`, { format: 'csv' })
		assert.match(headers['content-disposition'], new RegExp(`takings-days-${daysAgo(0)}-${daysAgo(-6)}\\.csv`))
		assert.equal(text.trimEnd().split('\r\n').length, 8)
	})

	it('refuse other numbers of days, by name', async () => {
		for (const days of [1, 29, 30]) assert.equal((await ok(`${API}/daily`, { days })).days.length, days)
		for (const days of [0, 31, 90, 91, -1, '1.5', 'x', '']) await refused(get(`${API}/daily`, { days }), 422, 'days')
		await refused(get(`${API}/daily`, { metric: 'avg_order_value' }), 422, 'metric')
		await refused(get(`${API}/daily`, { horizon: 3 }), 422, 'horizon')
	})
})

describe('the next hours', () => {
	before(() => exec(night({ granularity: 'hour', horizon: 48, metric: 'orders', closed: SHUT_HOURS })))

	it('are 24 from the next full one, closed ones 0, each with its forecast', async () => {
		const json = await ok(`${API}/hourly`)
		assert.deepEqual([json.hours.length, json.hours_known, json.status, json.stale_reason], [24, 24, 'ok', null])
		const next = Math.floor(new Date(json.as_of) / 3600_000 + 1) * 3600_000
		assert.deepEqual(json.hours.map((h) => +new Date(h.starts_at)), json.hours.map((_, i) => next + i * 3600_000))
		assert.deepEqual([new Date(json.from).getTime(), new Date(json.to).getTime()], [next, next + 24 * 3600_000])
		for (const h of json.hours) {
			const isOpen = h.hour >= 10 && h.hour <= 21
			assert.deepEqual([h.closed, h.orders, h.orders_lo80, h.orders_hi95], isOpen ? [false, 120, 108, 144] : [true, 0, 0, 0], JSON.stringify(h))
			assert.match(h.why, isOpen ? /^a usual \w+ at \d\d:00, \+18 % for the hour, \+2 % for the trend$/ : /^closed at this hour$/)
		}
		assert.deepEqual(json.forecasts.map((f) => [f.hours_n, f.train_to]), [[24, daysAgo(1)]])
		assert.ok(json.hours.every((h) => h.forecast_id === json.forecasts[0].forecast_id))
	})

	it('come from an older forecast where the newest does not reach', async () => {
		await exec(night({ granularity: 'hour', horizon: 3, metric: 'orders', unit: 2 }) + 'ALTER TABLE forecast_history DISABLE TRIGGER USER')
		const before = await ok(`${API}/hourly`)
		const id = await shop.cache.value('SELECT max(forecast_id) FROM forecast_run')
		const [first, second] = before.hours
		await exec(`UPDATE forecast_history SET target_date = '${first.business_date}', target_hour = ${first.hour} WHERE forecast_id = ${id} AND lead = 1;
			UPDATE forecast_history SET target_date = '${second.business_date}', target_hour = ${second.hour} WHERE forecast_id = ${id} AND lead = 2;
			ALTER TABLE forecast_history ENABLE TRIGGER USER`)
		const { hours, forecasts } = await ok(`${API}/hourly`)
		assert.deepEqual(forecasts.map((f) => f.hours_n), [2, 22])
		assert.deepEqual(hours.map((h) => h.forecast_id === id), hours.map((_, i) => i < 2))
		await exec(`ALTER TABLE forecast_history DISABLE TRIGGER USER; DELETE FROM forecast_history WHERE forecast_id = ${id};
			ALTER TABLE forecast_history ENABLE TRIGGER USER; DELETE FROM forecast_run WHERE forecast_id = ${id}`)
	})

	it('of which the forecast does not reach all are null, and that is said', async () => {
		await exec('ALTER TABLE forecast_history DISABLE TRIGGER USER; UPDATE forecast_history SET target_date = target_date - 1 WHERE target_hour >= 0')
		const json = await ok(`${API}/hourly`)
		await exec('UPDATE forecast_history SET target_date = target_date + 1 WHERE target_hour >= 0; ALTER TABLE forecast_history ENABLE TRIGGER USER')
		assert.equal(json.status, 'stale')
		assert.match(json.stale_reason, /\d+ of the hours are beyond the newest forecast/)
		assert.equal(json.hours.filter((h) => h.orders !== null).length, json.hours_known)
		assert.ok(json.hours_known > 0 && json.hours_known < 24 && json.hours.at(-1).closed === null && json.hours.at(-1).why === null)
	})

	it('are 24 hours of time across changes of the clock', async () => {
		// Berlin: 2026-03-29 has no 02:00, 2026-10-25 has it twice. The day begins at 04:00.
		const hours = (at) => sql(`SELECT starts_at::text, business_date::text AS day, hour, part::float FROM hours_ahead('${at}', 'Europe/Berlin', 4, 24)`)
		const spring = await hours('2026-03-28 20:10:00+01'), autumn = await hours('2026-10-24 20:10:00+02')
		for (const list of [spring, autumn]) {
			assert.equal(list.length, 24)
			list.forEach((h, i) => assert.equal(+new Date(h.starts_at) - new Date(list[0].starts_at), i * 3600_000))
		}
		assert.deepEqual(spring.map((h) => h.hour), [21, 22, 23, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21])
		assert.deepEqual(autumn.map((h) => h.hour), [21, 22, 23, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
		assert.deepEqual(autumn.map((h) => h.part), autumn.map((h) => (h.hour === 2 ? 0.5 : 1)))
		assert.deepEqual(autumn.map((h) => h.day), autumn.map((_, i) => (i < 8 ? '2026-10-24' : '2026-10-25')))
		assert.deepEqual((await hours('2026-07-01 12:00:00+02')).map((h) => h.hour).slice(0, 2), [13, 14])
		const india = await sql(`SELECT starts_at::text FROM hours_ahead('2026-07-01 12:10:00+05:30', 'Asia/Kolkata', 4, 24) LIMIT 1`)
		assert.equal(+new Date(india[0].starts_at), Date.parse('2026-07-01T13:00:00+05:30'))
	})

	it('tell when today is over: after the last open hour the next days begin tomorrow', async () => {
		const first = (at) => sql(`SELECT first_day::text, reason FROM forecast_first_day('${daysAgo(0)} ${at}+00', '${daysAgo(0)}', 'UTC', 4, 'EUR', NULL)`)
		assert.deepEqual((await first('21:59'))[0].first_day, daysAgo(0))
		assert.deepEqual(await first('22:00'), [{ first_day: daysAgo(-1), reason: 'today is over: its last open hour was 21:00' }])
		const [nobody] = await sql(`SELECT first_day::text, reason FROM forecast_first_day('${daysAgo(0)} 23:30+00', '${daysAgo(0)}', 'UTC', 4, 'JPY', 2)`)
		assert.deepEqual(nobody, { first_day: daysAgo(0), reason: 'today is not over before 04:00' })
	})
})

describe('a forecast that is asked for', () => {
	const LIKE = { metric: 'revenue', horizon_days: 30, granularity: 'daily' }
	const stored = (id) => sql(`SELECT target_date::text AS date, round(value / 100, 2)::float AS value, round(lo80 / 100, 2)::float AS lo80, round(hi95 / 100, 2)::float AS hi95
		FROM forecast_history WHERE forecast_id = ${id} ORDER BY lead`)

	it('has points with both bands, what it learned from, and is what is stored', async () => {
		const json = await made(LIKE)
		assert.deepEqual([json.metric, json.granularity, json.horizon_days, json.points.length, json.status, json.origin, json.train_to, json.currency],
			['revenue', 'daily', 30, 30, 'ok', 'asked', daysAgo(1), 'EUR'])
		assert.deepEqual(json.points.map(({ date, value, lo80, hi95 }) => ({ date, value, lo80, hi95 })), await stored(json.forecast_id))
		assert.deepEqual(json.points.map((p) => [p.lead, p.date]), json.points.map((_, i) => [i + 1, daysAgo(-i)]))
		for (const p of json.points) assert.ok(p.lo95 <= p.lo80 && p.lo80 <= p.value && p.value <= p.hi80 && p.hi80 <= p.hi95, JSON.stringify(p))
		assert.ok(json.model && json.train_n > 100 && 'wape' in json.backtest)
		const again = await ok(`/ml/forecast/${json.forecast_id}`)
		assert.deepEqual({ ...again, as_of: 0 }, { ...json, as_of: 0 })
	})

	it('is the same one as long as figures are the same, and another one afterwards', async () => {
		const first = await made(LIKE)
		assert.equal((await made({ ...LIKE, currency: 'EUR' })).forecast_id, first.forecast_id)
		assert.notEqual((await made({ ...LIKE, horizon_days: 29 })).forecast_id, first.forecast_id)
		assert.notEqual((await made({ ...LIKE, location_id: 0 })).forecast_id, first.forecast_id)
		await exec('UPDATE site SET data_version = data_version + 1')
		const next = await made(LIKE)
		assert.notEqual(next.forecast_id, first.forecast_id)
		assert.deepEqual(next.points, first.points)
		await exec(`INSERT INTO special_day (day, name) VALUES ('${daysAgo(-3)}', 'Fair')`)
		assert.notEqual((await made(LIKE)).forecast_id, next.forecast_id)
		await exec('DELETE FROM special_day')
	})

	it('is stored once, however many ask at the same time', async () => {
		await exec('UPDATE site SET data_version = data_version + 1')
		const answers = await Promise.all(Array.from({ length: 8 }, () => made({ metric: 'orders', horizon_days: 14 })))
		assert.equal(new Set(answers.map((a) => a.forecast_id)).size, 1)
		assert.deepEqual(await sql(`SELECT count(*) AS n FROM forecast_run WHERE origin = 'asked' AND data_version = (SELECT data_version FROM site)`), [{ n: 1 }])
	})

	it('of many at once few are made and a few wait; the others are told to come back', async () => {
		const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
			post({ metric: ['orders', 'placed_orders', 'revenue'][i % 3], granularity: 'hourly', horizon_days: 1 + (i % 14) })))
		const told = answers.filter((a) => a.status === 503)
		assert.ok(answers.every((a) => a.status === 200 || a.status === 503), answers.map((a) => a.status).join())
		assert.ok(answers.length - told.length >= 2 && told.length > 0, `${told.length} told to come back`)
		for (const a of told) assert.match(`${a.json.code} ${a.headers['retry-after']}`, /^busy \d+$/)
	})

	it('is one of so many within 24 hours; what was made is still told', async () => {
		const n = Number((await sql(`SELECT count(*)::int AS n FROM forecast_run WHERE origin = 'asked'`))[0].n)
		const other = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), FORECAST_ASKED_DAILY: String(n + 1) })
		const first = { metric: 'revenue', horizon_days: 23 }, second = { metric: 'revenue', horizon_days: 22 }
		try {
			assert.equal((await post(first, other)).status, 200)
			const more = await post(second, other)
			await refused(more, 429, undefined, new RegExp(`^${n + 1} forecasts were made in 24 hours`))
			const wait = Number(more.headers['retry-after'])
			assert.ok(wait > 86000 && wait <= 86400, `wait ${wait} s`)
			assert.equal((await post(first, other)).status, 200)
			await exec(`UPDATE forecast_run SET made_at = made_at - interval '25 hours' WHERE forecast_id = (SELECT min(forecast_id) FROM forecast_run WHERE origin = 'asked')`)
			assert.equal((await post(second, other)).status, 200)
		} finally {
			await other.stop()
		}
	})

	it('takes every metric that adds up, and no other', async () => {
		for (const [metric, column] of [['orders', 'served_count'], ['placed_orders', 'order_count'], ['items_sold', 'item_qty']]) {
			const { points } = await made({ metric, horizon_days: 7 })
			const week = await sql(`SELECT sum(${column})::float AS n FROM daily_revenue_cache WHERE currency = 'EUR' AND business_date > '${daysAgo(8)}'`)
			const sum = points.reduce((n, p) => n + p.value, 0)
			assert.ok(sum > week[0].n * 0.6 && sum < week[0].n * 1.6, `${metric}: ${sum}, last week ${week[0].n}`)
		}
		for (const metric of ['avg_order_value', 'share', '', 'REVENUE']) await refused(post({ metric }), 422, 'metric')
		await refused(post({ horizon_days: 7 }), 422, 'metric', /missing/)
	})

	it('of an item is of the item', async () => {
		const { points, item_id, metric } = await made({ metric: 'items_sold', item_id: 'dish', horizon_days: 7 })
		const revenue = await made({ metric: 'revenue', item_id: 'dish', horizon_days: 7 })
		assert.deepEqual([item_id, metric], ['dish', 'items_sold'])
		assert.ok(Math.abs(revenue.points[3].naive - points[3].naive * 5) < 0.01) // five euros each
		await refused(post({ metric: 'placed_orders', item_id: 'dish' }), 422, 'metric')
		await refused(post({ metric: 'revenue', item_id: 'dish', granularity: 'hourly' }), 422, 'item_id')
		await refused(post({ metric: 'revenue', item_id: '' }), 422, 'item_id')
	})

	it('of hours goes by business days from the cutoff', async () => {
		const { points, horizon, horizon_days } = await made({ metric: 'orders', granularity: 'hourly', horizon_days: 2 })
		assert.deepEqual([points.length, horizon, horizon_days], [48, 48, 2])
		assert.deepEqual(points.slice(0, 24).map((p) => [p.date, p.hour]), Array.from({ length: 24 }, (_, i) => [daysAgo(0), (i + 4) % 24]))
		const [same] = await sql(`SELECT sum(served_count)::int AS n FROM hourly_order_cache WHERE currency = 'EUR' AND business_date = '${daysAgo(7)}' AND hour = 12`)
		assert.equal(points[8].naive, same.n)
		await refused(post({ metric: 'items_sold', granularity: 'hourly' }), 422, 'metric')
	})

	it('of weeks is of whole ones from Monday', async () => {
		const { points, horizon, horizon_days, train_to } = await made({ metric: 'revenue', granularity: 'weekly', horizon_days: 30 })
		assert.deepEqual([points.length, horizon, horizon_days], [4, 4, 28])
		for (const { date } of points) assert.equal(new Date(date).getUTCDay(), 1, date)
		assert.equal(new Date(train_to).getUTCDay(), 0)
		assert.ok(train_to <= daysAgo(1) && train_to > daysAgo(8) && points[0].date > train_to && points[0].date <= daysAgo(-1))
		const [last] = await sql(`SELECT (sum(revenue_minor) / 100)::float AS n FROM daily_revenue_cache WHERE currency = 'EUR' AND business_date BETWEEN '${train_to}'::date - 6 AND '${train_to}'`)
		assert.equal(points[0].naive, last.n)
	})

	it('takes as many days as the setting says, and no more', async () => {
		for (const [granularity, least, most] of [['daily', 1, 30], ['hourly', 1, 14], ['weekly', 7, 30]]) {
			for (const horizon_days of [least, least + 1, most - 1, most]) assert.equal((await post({ metric: 'revenue', granularity, horizon_days })).status, 200, `${granularity} ${horizon_days}`)
			for (const horizon_days of [least - 1, most + 1, -1, 91, '1.5', 'many']) await refused(post({ metric: 'revenue', granularity, horizon_days }), 422, 'horizon_days')
		}
		assert.equal((await made({ metric: 'revenue' })).horizon_days, 30)
		assert.equal((await made({ metric: 'revenue', granularity: 'hourly' })).horizon_days, 14)
		await refused(post({ metric: 'revenue', granularity: 'monthly' }), 422, 'granularity')
		await refused(post({ metric: 'revenue', days: 3 }), 422, 'days')
	})

	it('fills in what came of it', async () => {
		const { forecast_id: id } = await made({ metric: 'orders', horizon_days: 5 })
		await exec(`UPDATE forecast_history SET actual = 100, error = value - 100, filled_at = now() WHERE forecast_id = ${id} AND lead <= 2`)
		const json = await ok(`/ml/forecast/${id}`)
		assert.deepEqual(json.points.map((p) => p.actual), [100, 100, null, null, null])
		const off = json.points.slice(0, 2).map((p) => p.value - 100)
		json.points.slice(0, 2).forEach((p, i) => assert.ok(Math.abs(p.error - off[i]) < 0.01))
		assert.equal(json.errors.n, 2)
		assert.ok(Math.abs(json.errors.wape - (Math.abs(off[0]) + Math.abs(off[1])) / 200) < 0.001 && Math.abs(json.errors.bias - (off[0] + off[1]) / 200) < 0.001)
	})

	it('knows what came of each metric', async () => {
		const day = daysAgo(5)
		for (const [metric, item, table, column] of [['revenue', 'NULL', 'daily_revenue', 'revenue_minor'], ['orders', 'NULL', 'daily_revenue', 'served_count'],
			['placed_orders', 'NULL', 'daily_revenue', 'order_count'], ['items_sold', 'NULL', 'daily_revenue', 'item_qty'],
			['quantity', "'dish'", 'item_sales', 'quantity'], ['orders', "'dish'", 'item_sales', 'order_count']])
			for (const location of ['NULL', 0]) {
				const [row] = await sql(`SELECT forecast_actual('${metric}', 'day', 'EUR', ${location}, ${item}, '${day}', -1::smallint, 'restaurant')::float AS got,
					(SELECT coalesce(sum(${column}), 0)::float FROM ${table}_cache WHERE business_date = '${day}' AND currency = 'EUR' ${location === 0 ? 'AND location_id = 0' : ''}) AS want`)
				assert.equal(row.got, row.want, `${metric} ${item} ${location}`)
			}
		for (const [metric, column] of [['orders', 'served_count'], ['placed_orders', 'order_count'], ['revenue', 'revenue_minor']]) {
			const [row] = await sql(`SELECT forecast_actual('${metric}', 'hour', 'EUR', NULL, NULL, '${day}', 12::smallint, 'restaurant')::float AS got,
				(SELECT sum(${column})::float FROM hourly_order_cache WHERE business_date = '${day}' AND currency = 'EUR' AND hour = 12) AS want`)
			assert.equal(row.got, row.want, metric)
		}
	})

	it('is refused where there is too little to learn from, with the reason', async (t) => {
		// location 2 has ten days
		const answer = await post({ metric: 'revenue', location_id: 2, horizon_days: 30 })
		if (answer.status === 200) return t.skip('the engine does not refuse')
		await refused(answer, 422, 'horizon_days', /28|history|days/)
	})

	it('has an id that is a number', async () => {
		await refused(get('/ml/forecast/0'), 422, 'forecast_id')
		await refused(get('/ml/forecast/x'), 422, 'forecast_id')
		await refused(get('/ml/forecast/999999'), 404, undefined)
	})
})

describe('what was unusual', () => {
	const step = (day, hour, actual, expected, flagged = false, grain = 'hour') => `('orders', '${grain}', -1, 'EUR', '${day}', ${hour}, ${actual}, ${expected}, ${expected * 0.7}, ${expected * 1.3}, 0.5, 0.6, ${flagged}, 1)`

	it('of a time that nobody judged there is no data, which is not the same as nothing', async () => {
		const json = await ok('/ml/anomalies', { metric: 'orders', lookback_hours: 24 })
		assert.deepEqual([json.status, json.steps_judged, json.evaluated_from, json.incidents], ['no_data', 0, null, []])
		assert.match(json.reason, /nothing that ended since .* is judged; the newest computed day is/)
	})

	it('comes with what was expected, why, and what it is due to', async () => {
		await exec(`INSERT INTO expected_cache VALUES ${Array.from({ length: 24 }, (_, h) => step(daysAgo(1), h, h === 19 ? 12 : 32, 32, h === 19)).join()},
				${[3, 2, 1].map((n) => step(daysAgo(n), -1, n === 2 ? 0 : 500, 500, n === 2, 'day')).join()};
			INSERT INTO anomaly (metric, granularity, location_id, currency, first_date, first_hour, last_date, last_hour, worst_date, worst_hour, steps, kind, actual, expected, lo, hi, score, p, alert, contribution, special_name, run_id) VALUES
				('orders', 'hour', -1, 'EUR', '${daysAgo(1)}', 19, '${daysAgo(1)}', 20, '${daysAgo(1)}', 19, 2, 'drop', 12, 32, 24, 41, -7.123, 0.00002, true, '[{"dimension": "item", "id": "17", "name": "Soup", "actual": 2, "expected": 14.5, "share": 0.62}]', NULL, 1),
				('orders', 'day', -1, 'EUR', '${daysAgo(2)}', -1, '${daysAgo(2)}', -1, '${daysAgo(2)}', -1, 1, 'outage', 0, 500, 400, 600, -9, 0.000001, false, '[]', 'Christmas Eve', 1)`)
		const json = await ok('/ml/anomalies', { metric: 'orders', lookback_hours: 40 })
		assert.deepEqual([json.status, json.granularity, json.sensitivity, json.steps_flagged, json.incidents.length], ['ok', 'hourly', 0.95, 1, 1])
		const { from, to, noticed_at, anomaly_id, reason, ...drop } = json.incidents[0]
		assert.deepEqual(drop, { kind: 'drop', first_date: daysAgo(1), first_hour: 19, last_date: daysAgo(1), last_hour: 20, worst_date: daysAgo(1), worst_hour: 19, steps: 2,
			actual: 12, expected: 32, lo: 24, hi: 41, deviation: -62.5, score: -7.12, p: 0.00002, holiday: null, alert: true,
			contribution: { dimension: 'item', id: '17', name: 'Soup', actual: 2, expected: 14.5, share: 0.62 } })
		assert.equal(new Date(to) - new Date(from), 2 * 3600_000)
		assert.match(reason, /^Orders of \w+, \d+ \w+, 19:00: 12, where 32 was expected \(24 to 41\), −6[23] %$/)
		assert.ok(anomaly_id > 0 && noticed_at)
	})

	it('of revenue is money, and due to what explains most of it', async () => {
		await exec(`INSERT INTO expected_cache SELECT 'revenue', granularity, location_id, currency, target_date, target_hour, actual * 1000, expected * 1000, lo, hi, score, p, flagged, run_id FROM expected_cache WHERE granularity = 'day';
			INSERT INTO anomaly (metric, granularity, location_id, currency, first_date, last_date, worst_date, steps, kind, actual, expected, lo, hi, score, p, alert, contribution, run_id) VALUES
			('revenue', 'day', -1, 'EUR', '${daysAgo(2)}', '${daysAgo(2)}', '${daysAgo(2)}', 1, 'drop', 123456, 500050, 400000, 600000, -9, 0.00001, true,
			 '[{"dimension": "item", "id": "17", "name": "Soup", "actual": 2, "expected": 14, "share": 0.32}, {"dimension": "location", "id": 2, "name": null, "actual": 10050, "expected": 200000.55, "share": 0.5}]', 1)`)
		const { json, text } = await get('/ml/anomalies', { lookback_hours: 100, granularity: 'daily' })
		const [{ actual, expected, contribution }] = json.incidents
		assert.deepEqual([actual, expected], [1234.56, 5000.5])
		assert.deepEqual(contribution, { dimension: 'location', id: '2', name: null, actual: 100.5, expected: 2000.01, share: 0.5 })
		assert.match(text, /"actual":1234\.56,"expected":5000\.50,"lo":4000\.00/)
	})

	it('is looked for in steps that ended in the time asked for', async () => {
		const now = new Date(), steps = []
		for (const lookback_hours of [1, 10, 20, 40]) {
			const { steps_judged, evaluated_from, evaluated_to } = await ok('/ml/anomalies', { metric: 'orders', lookback_hours })
			steps.push(steps_judged)
			if (evaluated_to) assert.ok(new Date(evaluated_to) <= now && now - new Date(evaluated_from) < (lookback_hours + 1.1) * 3600_000)
		}
		assert.ok(steps[0] === 0 && steps[1] < steps[2] && steps[2] < steps[3] && steps[3] === 24, String(steps)) // yesterday ended about eight hours ago
		const daily = await ok('/ml/anomalies', { metric: 'orders', lookback_hours: 169 })
		assert.deepEqual([daily.granularity, daily.steps_judged, daily.incidents[0].kind, daily.incidents[0].first_hour, daily.incidents[0].holiday], ['daily', 3, 'outage', null, 'Christmas Eve'])
		assert.match(daily.incidents[0].reason, /−100 %, on Christmas Eve$/)
		assert.equal((await ok('/ml/anomalies', { metric: 'orders', lookback_hours: 24, granularity: 'daily' })).steps_judged, 1)
		const revenue = await ok('/ml/anomalies')
		assert.deepEqual([revenue.metric, revenue.granularity, revenue.status, revenue.steps_judged], ['revenue', 'daily', 'ok', 1])
		const hours = await ok('/ml/anomalies', { granularity: 'hourly', lookback_hours: 40 })
		assert.deepEqual([hours.status, hours.reason], ['no_data', 'hours are judged by their orders; ask for metric=orders, or granularity=daily'])
	})

	it('refuses what it does not know, by name', async () => {
		for (const lookback_hours of [1, 2, 8759, 8760]) await ok('/ml/anomalies', { lookback_hours })
		for (const lookback_hours of [0, 8761, 'x']) await refused(get('/ml/anomalies', { lookback_hours }), 422, 'lookback_hours')
		await refused(get('/ml/anomalies', { metric: 'items_sold' }), 422, 'metric')
		await refused(get('/ml/anomalies', { granularity: 'weekly' }), 422, 'granularity')
	})
})

describe('where things go', () => {
	it('over days and weeks', async () => {
		const days = await ok('/ml/trends', { metric: 'orders' }), weeks = await ok('/ml/trends', { metric: 'orders', granularity: 'weekly', days: 190 })
		assert.deepEqual([days.from_date, days.to_date, days.steps, days.granularity], [daysAgo(90), daysAgo(1), 90, 'daily'])
		assert.equal(new Date(weeks.from_date).getUTCDay(), 1)
		assert.equal(new Date(weeks.to_date).getUTCDay(), 0)
		assert.ok(weeks.steps >= 26 && weeks.steps <= 27, String(weeks.steps))
		for (const t of [days, weeks]) {
			assert.equal(t.direction === 'none', t.p >= 0.05)
			assert.match(t.words, t.direction === 'none' ? /^no clear trend$/ : new RegExp(`^${t.direction} by [\\d.]+ % a week$`))
		}
		const [{ mean }] = await sql(`SELECT round(avg(n), 2)::float AS mean FROM (SELECT sum(served_count) AS n FROM daily_revenue_cache WHERE currency = 'EUR' AND business_date >= '${daysAgo(90)}' GROUP BY business_date) d`)
		assert.equal(days.mean, mean)
	})

	it('finds that this shop grows', async (t) => {
		const json = await ok('/ml/trends', { metric: 'revenue', location_id: 0, days: 190 })
		if (json.p === 1) return t.skip('the engine finds no trend at all')
		assert.equal(json.direction, 'up')
		assert.ok(json.slope_lo <= json.slope && json.slope <= json.slope_hi && json.slope_lo > 0)
		assert.ok(Math.abs(json.slope_week - 7 * json.slope) < 0.07 && Math.abs(json.slope_week_percent - json.slope_week / json.mean * 100) < 0.02)
	})

	it('takes a range, and refuses others by name', async () => {
		const json = await ok('/ml/trends', { from: daysAgo(60), to: daysAgo(11) })
		assert.deepEqual([json.from_date, json.to_date, json.steps], [daysAgo(60), daysAgo(11), 50])
		await refused(get('/ml/trends', { days: 3 }), 422, 'days')
		await refused(get('/ml/trends', { from: daysAgo(3), to: daysAgo(1) }), 422, 'from')
		await refused(get('/ml/trends', { from: daysAgo(60), to: daysAgo(1), days: 60 }), 422, 'days')
		await refused(get('/ml/trends', { from: daysAgo(60) }), 422, 'to')
		await refused(get('/ml/trends', { from: '2190-01-01', to: '2190-02-01' }), 404, undefined)
		for (const days of [0, 4001]) await refused(get('/ml/trends', { days }), 422, 'days')
		await refused(get('/ml/trends', { metric: 'avg_order_value' }), 422, 'metric')
	})
})

describe('figures that are newer than the forecast', () => {
	it('make it stale, and that is said', async () => {
		await exec(`INSERT INTO daily_revenue_cache SELECT location_id, '${daysAgo(0)}', currency, revenue_minor, booked_minor, gross_minor, refund_minor, discount_minor, tax_minor, shipping_minor,
			tip_minor, order_count, served_count, aov, item_qty, item_minor, orders_by_status, first_order_at, last_order_at, source_hash, rules_id, run_id, computed_at FROM daily_revenue_cache WHERE business_date = '${daysAgo(1)}'`)
		for (const part of ['daily', 'hourly']) {
			const json = await ok(`${API}/${part}`)
			assert.deepEqual([json.status, json.stale_reason], ['stale', `it was made before the figures of ${daysAgo(0)} were there`])
		}
		await exec(`DELETE FROM daily_revenue_cache WHERE business_date IN ('${daysAgo(0)}', '${daysAgo(1)}', '${daysAgo(2)}', '${daysAgo(3)}')`)
		assert.equal((await ok(`${API}/daily`)).stale_reason, `the figures after ${daysAgo(4)} are not computed yet`)
	})
})

describe('a forecast of hours across a change of the clock', () => {
	// Five orders in every hour of a day that begins at 04:00 in Berlin, up to a day before the clock is changed at night.
	for (const [newest, night, times] of [['2026-03-27', '2026-03-28', 0], ['2025-10-24', '2025-10-25', 2]])
		it(`has ${times} times as much in an hour that occurs ${times} times`, async () => {
			await exec(`UPDATE rules SET timezone = 'Europe/Berlin', cutoff_hours = 4; UPDATE site SET data_version = data_version + 1;
				DELETE FROM daily_revenue_cache; DELETE FROM hourly_order_cache; UPDATE series SET first_date = '${newest}'::date - 60;
				INSERT INTO hourly_order_cache SELECT 0, business_date, hour, 'EUR', 5, 5, 500, seconds, 1, now() FROM business_hours('Europe/Berlin', 4, '${newest}'::date - 60, '${newest}');
				INSERT INTO daily_revenue_cache SELECT 0, business_date, 'EUR', 12000, 12000, 12000, 0, 0, 0, 0, 0, 120, 120, 1, 0, 0, '{}', NULL, NULL, '', (SELECT rules_id FROM site), 1, now()
				FROM hourly_order_cache WHERE hour = 12`)
			const { points } = await made({ metric: 'orders', granularity: 'hourly', horizon_days: 2 })
			assert.equal(points.length, 48)
			for (const p of points) {
				const n = p.date === night && p.hour === 2 ? 5 * times : 5
				assert.deepEqual([p.value, p.naive], [n, n], JSON.stringify(p))
			}
		})
})

describe('what is switched off', () => {
	it('is not there', async () => {
		const off = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), ENABLE_FORECASTING: '0', ENABLE_ANOMALY_DETECTION: '0' })
		const answers = [off.get(`${API}/daily`), off.get(`${API}/hourly`), off.get('/ml/forecast/1'), off.get('/ml/trends'), off.get('/ml/anomalies'), post({ metric: 'revenue' }, off)]
		for (const { status, json } of await Promise.all(answers)) assert.deepEqual([status, json.code], [404, 'feature_disabled'])
		await off.stop()
	})
})
