// What a night makes of its days: forecasts, what came of them, and what was unusual.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Shop, daysAgo, noonZone, orderTables, writeFile } from '../lib/shop.mjs'

const DAYS = 120
// Closed every seventh day, counted from today: the first day back is open.
const isClosed = (ago) => ago % 7 === 6

// Two locations; twenty to forty orders a day in a weekly shape, from 10 to 17 o'clock, each with two of five dishes.
async function openShop({ days = DAYS, locations = 2, ...settings } = {}) {
	const shop = await Shop.open({ BUSINESS_TIMEZONE: noonZone(), ...settings })
	await shop.orders.exec(orderTables('postgresql', { clock: 'timestamptz', more: 'location_id int, updated_at timestamptz' }) + `
		INSERT INTO orders (id, status, total_amount, created_at, location_id, updated_at)
		SELECT ago * 1000 + n, CASE WHEN n % 10 = 0 THEN 'CANCELLED' ELSE 'SERVED' END, 10 + n % 7 + ago % 3,
		       (date '${daysAgo(0)}' - ago + time '10:00' + n * interval '10 minutes') AT TIME ZONE '${noonZone()}', 1 + n % ${locations}, NULL
		FROM generate_series(1, ${days}) ago, generate_series(1, 40) n
		WHERE ago % 7 <> 6 AND n <= 20 + 4 * (ago % 7) + (ago * 5 + n) % 3;
		INSERT INTO order_items (id, order_id, item_id, name, quantity, unit_price)
		SELECT o.id * 10 + i, o.id, 'dish' || (o.id + i) % 5, 'Dish ' || (o.id + i) % 5, i, 2.50 FROM orders o, generate_series(1, 2) i`)
	return shop
}

const RUNS = `metric, granularity, location_id, item_id, currency, horizon, status, reason, first_target, train_from, train_to, train_n, model,
	weights, flags, folds, wape, scale, total, total_lo80, total_hi95`
// All that nights said and judged, without when and by which run.
const said = async (db) => await db.text(`
	SELECT ${RUNS}, h.lead, h.target_date, h.target_hour, h.value, h.lo80, h.hi95, h.naive, h.closed, h.base, h.holiday_name, h.actual, h.error
	FROM forecast_run LEFT JOIN forecast_history h USING (forecast_id)
	ORDER BY made_at, metric, granularity, location_id, item_id, horizon, lead`)
	+ await db.text(`SELECT (to_jsonb(e) - 'run_id')::text FROM expected_cache e ORDER BY 1`)
	+ await db.text(`SELECT (to_jsonb(a) - '{anomaly_id,run_id,noticed_at}'::text[])::text FROM anomaly a ORDER BY 1`)

const count = (shop, table, where = 'true') => shop.cache.value(`SELECT count(*)::int FROM ${table} WHERE ${where}`)

describe('a night', () => {
	it('forecasts each scope, each item, once', async () => {
		const shop = await openShop()
		await shop.expectRun(0)
		const made = await shop.cache.query(`SELECT metric || ' ' || granularity || ' ' || horizon AS what, coalesce(location_id::text, 'all') AS place,
			count(*)::int AS n FROM forecast_run WHERE item_id IS NULL GROUP BY 1, 2 ORDER BY 1, 2`)
		const want = []
		for (const what of ['orders day 30', 'orders day 7', 'orders hour 48', 'revenue day 30', 'revenue day 7'])
			for (const place of ['1', '2', 'all']) want.push({ what, place, n: 1 })
		assert.deepEqual(made, want)
		assert.deepEqual(await shop.cache.query(`SELECT metric, array_agg(item_id ORDER BY item_id) AS items FROM forecast_run
			WHERE item_id IS NOT NULL AND granularity = 'day' AND horizon = 7 AND location_id IS NULL GROUP BY 1 ORDER BY 1`),
		['quantity', 'revenue'].map((metric) => ({ metric, items: [0, 1, 2, 3, 4].map((n) => `dish${n}`) })))
		assert.deepEqual(await shop.cache.query(`SELECT DISTINCT origin, status, first_target::text AS first, train_to::text AS last, currency FROM forecast_run`),
			[{ origin: 'night', status: 'ready', first: daysAgo(0), last: daysAgo(1), currency: 'EUR' }])
		assert.equal(await count(shop, 'forecast_history'), 6 * 30 + 6 * 7 + 3 * 48 + 10 * 7)
		// Cents are whole, counts have two decimals at most; the days and the wall-clock hours follow each other.
		assert.equal(await count(shop, 'forecast_history JOIN forecast_run USING (forecast_id)',
			`value <> round(value, CASE metric WHEN 'revenue' THEN 0 ELSE 2 END) OR hi95 <> round(hi95, CASE metric WHEN 'revenue' THEN 0 ELSE 2 END)`), 0)
		assert.equal(await count(shop, 'forecast_history JOIN forecast_run USING (forecast_id)', `(target_date, target_hour) IS DISTINCT FROM
			(first_target + CASE granularity WHEN 'day' THEN lead - 1 ELSE (lead - 1) / 24 END, CASE granularity WHEN 'day' THEN -1 ELSE (lead - 1) % 24 END)`), 0)
		// The seasonal naive is the figure of a week before, so the series were read right.
		for (const [metric, column, place] of [['revenue', 'revenue_minor', 'NULL'], ['orders', 'served_count', '2']])
			assert.equal(await shop.cache.value(`SELECT count(*)::int FROM forecast_history h JOIN forecast_run USING (forecast_id)
				WHERE metric = '${metric}' AND granularity = 'day' AND horizon = 7 AND item_id IS NULL AND location_id IS NOT DISTINCT FROM ${place}
				  AND naive = (SELECT sum(${column}) FROM daily_revenue_cache WHERE business_date = h.target_date - 7 AND (${place} IS NULL OR location_id = ${place}))`), 7)
		assert.equal((await shop.cache.query(`SELECT status, detail FROM heartbeat WHERE component = 'forecast'`))[0].status, 'ok')
		assert.deepEqual(await shop.warnings(), [])

		const before = await said(shop.cache)
		await shop.expectRun(2)
		await shop.expectRun(2, '--if-due')
		assert.equal(await said(shop.cache), before)
	})

	it('of another profile forecasts orders placed; of one location only the whole; of a short horizon one', async () => {
		const shop = await openShop({ days: 40, locations: 1, REVENUE_PROFILE: 'commerce', COUNTED_STATUSES: 'SERVED', FORECAST_HORIZON_DAYS: '7' })
		await shop.expectRun(0)
		assert.deepEqual(await shop.cache.query(`SELECT metric, granularity, horizon FROM forecast_run WHERE item_id IS NULL ORDER BY 1, 2`),
			[['orders', 'day', 7], ['orders', 'hour', 48], ['revenue', 'day', 7]].map(([metric, granularity, horizon]) => ({ metric, granularity, horizon })))
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM forecast_history h JOIN forecast_run USING (forecast_id)
			WHERE metric = 'orders' AND granularity = 'day' AND naive = (SELECT order_count FROM daily_revenue_cache WHERE business_date = h.target_date - 7)`), 7)
	})

	it('refuses what a short history does not carry, and says why', async () => {
		const shop = await openShop({ days: 20 })
		await shop.expectRun(0)
		const refused = await shop.cache.query(`SELECT DISTINCT horizon, status, reason <> '' AS said, total FROM forecast_run WHERE horizon = 30`)
		assert.deepEqual(refused, [{ horizon: 30, status: 'refused', said: true, total: null }])
		assert.equal(await count(shop, 'forecast_history JOIN forecast_run USING (forecast_id)', 'horizon = 30'), 0)
		assert.ok(await count(shop, 'forecast_run', `status = 'ready'`) > 0)
		assert.deepEqual(await shop.warnings(), [])
		assert.equal(await shop.cache.value(`SELECT status FROM heartbeat WHERE component = 'forecast'`), 'ok')
	})

	it('makes nothing that is switched off', async () => {
		const shop = await openShop({ days: 40 })
		const done = await shop.batch(['run'], { ENABLE_FORECASTING: '0' })
		assert.equal(done.code, 0)
		assert.equal(await count(shop, 'forecast_run'), 0)
		assert.ok(await count(shop, 'expected_cache') > 0)
		const other = await openShop({ days: 40 })
		assert.equal((await other.batch(['run'], { ENABLE_ANOMALY_DETECTION: '0' })).code, 0)
		assert.equal(await count(other, 'expected_cache'), 0)
		assert.ok(await count(other, 'forecast_run') > 0)
	})

	it('that fails takes no figure with it, and is tried again', async () => {
		const shop = await openShop({ days: 30 })
		await shop.batch(['migrate'])
		await shop.cache.exec(`ALTER TABLE forecast_run ADD CONSTRAINT no_night CHECK (metric <> 'orders')`)
		await shop.expectRun(0)
		assert.equal(Object.keys(await shop.runOfDays()).length, 30)
		assert.equal((await shop.lastRun()).status, 'ok')
		const [warning] = await shop.warnings()
		assert.equal(warning.code, 'forecast_failed')
		assert.match(warning.text, /no_night/)
		assert.equal(await shop.cache.value(`SELECT status FROM heartbeat WHERE component = 'forecast'`), 'degraded')
		assert.equal(await count(shop, 'forecast_history'), 0)
		await shop.expectRun(2, '--if-due') // not every ten minutes
		await shop.cache.exec('ALTER TABLE forecast_run DROP CONSTRAINT no_night')
		await shop.expectRun(0)
		assert.ok(await count(shop, 'forecast_history') > 0)
		assert.equal(await shop.cache.value(`SELECT status FROM heartbeat WHERE component = 'forecast'`), 'ok')
		await shop.expectRun(2)
	})

	it('killed amid its writing leaves nothing, and the next run the whole', async () => {
		const shop = await openShop()
		const whole = await shop.fresh()
		await whole.expectRun(0)
		const want = await said(whole.cache)
		for (const [place, again] of [['night_made', ['--if-due']], ['night_written', []], ['night_written@2', ['--if-due']]]) {
			const killed = await shop.fresh()
			const [name, pass = '1'] = place.split('@')
			const done = await killed.batch(['run'], { TAKINGS_FAILPOINT: `${name}=kill@${pass}` })
			assert.equal(done.signal, 'SIGKILL')
			assert.equal(await count(killed, 'forecast_run') > 0, pass === '2')
			assert.equal(await count(killed, 'expected_cache'), 0)
			await killed.expectRun(0, ...again)
			assert.equal(await said(killed.cache), want, place)
			await killed.expectRun(2)
		}
	})

	it('knows hours that the clock leaves out or repeats', async () => {
		const shop = await Shop.open({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '1' })
		await shop.orders.exec(orderTables('postgresql', { clock: 'timestamptz' }) + `
			INSERT INTO orders SELECT row_number() OVER (), 'SERVED', 10, h + n * interval '10 minutes'
			FROM generate_series(timestamptz '2025-02-10 00:00Z', '2025-11-10 00:00Z', interval '1 hour') h, generate_series(0, 2) n`)
		const night = async (to) => {
			await shop.expectRun(0, '--from', '2025-02-12', '--to', to)
			return await shop.cache.query(`SELECT target_hour AS hour, naive::float AS naive, closed, value::float AS value FROM forecast_history JOIN forecast_run USING (forecast_id)
				WHERE granularity = 'hour' AND train_to = '${to}' ORDER BY lead`)
		}
		const odd = (hours) => hours.map((r, i) => [i, r]).filter(([, r]) => r.naive !== 3).map(([i, r]) => [i < 24 ? 1 : 2, r.hour, r.naive])
		assert.deepEqual(odd(await night('2025-03-28')), [[2, 2, 0]]) // of the second day
		const spring = await night('2025-03-29')
		assert.deepEqual(spring.map((r) => r.hour), [...Array(48).keys()].map((n) => (n + 1) % 24))
		assert.deepEqual(spring.filter((r) => r.naive !== 3).map((r) => [r.hour, r.naive, r.value, r.closed]), [[2, 0, 0, true]])
		assert.deepEqual(odd(await night('2025-10-24')), [[2, 2, 6]])
		const autumn = await night('2025-10-25')
		assert.deepEqual(autumn.filter((r) => r.naive !== 3).map((r) => [r.hour, r.naive]), [[2, 6]])
		await shop.expectRun(0, '--from', '2025-03-30', '--to', '2025-10-26')
		assert.deepEqual(await shop.cache.query(`SELECT target_date::text AS day, actual::int AS actual FROM forecast_history JOIN forecast_run USING (forecast_id)
			WHERE granularity = 'hour' AND target_hour = 2 AND lead <= 24 AND train_to IN ('2025-03-29', '2025-10-25') AND actual IS NOT NULL ORDER BY 1`), [{ day: '2025-03-30', actual: 0 }, { day: '2025-10-26', actual: 6 }])
	})
})

describe('what came of forecasts', () => {
	const filled = (shop, more = 'true') => shop.cache.query(`SELECT target_date::text AS day, actual::int AS actual, error::float AS error, value::float AS value, filled_at IS NOT NULL AS at
		FROM forecast_history JOIN forecast_run r USING (forecast_id)
		WHERE metric = 'revenue' AND granularity = 'day' AND horizon = 7 AND item_id IS NULL AND location_id IS NULL
		  AND train_to = '${daysAgo(4)}' AND ${more} ORDER BY lead`)

	it('is filled in when days are over, and corrected when they are restated', async () => {
		const shop = await openShop()
		const day = (n) => shop.cache.value(`SELECT sum(revenue_minor)::int FROM daily_revenue_cache WHERE business_date = '${daysAgo(n)}'`)
		await shop.orders.exec(`INSERT INTO orders VALUES (1, 'SERVED', 99, now() - interval '1 hour', 1, NULL)`) // of today
		await shop.expectRun(0, '--from', daysAgo(DAYS), '--to', daysAgo(4))
		assert.ok((await filled(shop)).every((r) => r.actual === null && r.error === null && !r.at))
		const monday = await shop.cache.value(`SELECT date_trunc('week', date '${daysAgo(14)}')::date::text`)
		await shop.cache.exec(`WITH r AS (INSERT INTO forecast_run (origin, rules_id, data_version, metric, granularity, currency, horizon, status, first_target, train_from, model, total)
				SELECT 'asked', rules_id, 1, m, g, 'EUR', 1, 'ready', d::date, d::date, 'x', 1 FROM site, (VALUES ('orders', 'week', '${monday}'), ('revenue', 'week', '${daysAgo(3)}')) v(m, g, d) RETURNING *)
			INSERT INTO forecast_history (forecast_id, lead, target_date, value, lo80, hi80, lo95, hi95, naive, base, season, trend, holiday)
			SELECT forecast_id, 1, first_target, 5, 0, 0, 0, 0, 0, 5, 0, 0, 0 FROM r`)
		await shop.expectRun(0)
		const rows = await filled(shop)
		assert.deepEqual(rows.map((r) => r.day), [3, 2, 1, 0, -1, -2, -3].map((n) => daysAgo(n)))
		assert.deepEqual(rows.slice(0, 3).map((r) => r.actual), [await day(3), await day(2), await day(1)])
		for (const r of rows.slice(0, 3)) assert.equal(r.error, r.value - r.actual)
		assert.ok(rows.slice(3).every((r) => r.actual === null && r.error === null && !r.at), 'days that are not over')
		// A week counts when its seven days are over.
		const orders = await shop.cache.value(`SELECT sum(served_count)::int FROM daily_revenue_cache WHERE business_date BETWEEN '${monday}' AND date '${monday}' + 6`)
		assert.deepEqual(await shop.cache.query(`SELECT metric, actual::int AS actual FROM forecast_history JOIN forecast_run USING (forecast_id) WHERE origin = 'asked' ORDER BY 1`),
			[{ metric: 'orders', actual: orders }, { metric: 'revenue', actual: null }])
		const items = await shop.cache.one(`SELECT actual::int AS actual, (SELECT sum(quantity)::int FROM item_sales_cache WHERE item_id = 'dish2' AND business_date = h.target_date) AS want
			FROM forecast_history h JOIN forecast_run USING (forecast_id) WHERE metric = 'quantity' AND item_id = 'dish2' AND lead = 1 AND train_to = '${daysAgo(4)}'`)
		assert.equal(items.actual, items.want)
		assert.ok(items.actual > 0)
		const hours = await shop.cache.query(`SELECT location_id, sum(actual)::int AS orders FROM forecast_history JOIN forecast_run USING (forecast_id)
			WHERE granularity = 'hour' AND train_to = '${daysAgo(4)}' AND target_date = '${daysAgo(3)}' GROUP BY 1 ORDER BY 1`)
		assert.deepEqual(hours.map((r) => r.orders), [...(await shop.cache.query(`SELECT served_count::int AS n FROM daily_revenue_cache
			WHERE business_date = '${daysAgo(3)}' ORDER BY location_id`)).map((r) => r.n), hours[0].orders + hours[1].orders])

		await shop.orders.exec(`UPDATE orders SET total_amount = total_amount + 50, updated_at = now() WHERE id = 2001`)
		await shop.expectRun(0)
		const now = await filled(shop)
		assert.equal(now[1].actual, rows[1].actual + 5000)
		assert.equal(now[1].error, now[1].value - now[1].actual)
		assert.deepEqual([now[0], now[2]], [rows[0], rows[2]])
		// Two nights spoke of today: the newer one has the restated day in it.
		assert.equal(await shop.cache.value(`SELECT count(DISTINCT made_at)::int FROM forecast_run WHERE origin = 'night' AND train_to = '${daysAgo(1)}'`), 2)
	})

	it('is filled in after a run that died before it', async () => {
		const shop = await openShop({ days: 60 })
		await shop.expectRun(0, '--from', daysAgo(60), '--to', daysAgo(4))
		assert.equal((await shop.batch(['run'], { TAKINGS_FAILPOINT: 'days_done=kill' })).signal, 'SIGKILL')
		assert.ok((await filled(shop)).every((r) => r.actual === null))
		await shop.expectRun(0, '--if-due')
		assert.deepEqual((await filled(shop)).map((r) => r.actual !== null), [true, true, true, false, false, false, false])
	})

	it('is judged by lead, of what nights said', async () => {
		const shop = await openShop()
		for (const n of [6, 4, 1]) await shop.expectRun(0, '--from', daysAgo(n === 6 ? DAYS : n + 2), '--to', daysAgo(n))
		const rows = await shop.cache.query(`SELECT lead, n::int AS n, wape::float AS wape, bias::float AS bias, naive_wape::float AS naive, mase::float AS mase, coverage95::float AS cover, won
			FROM forecast_accuracy('revenue', 'day', 'EUR', NULL, NULL, 28)`)
		assert.deepEqual(rows.map((r) => [r.lead, r.n]), [[1, 2], [2, 2], [3, 2], [4, 1], [5, 1]])
		const points = await shop.cache.query(`SELECT lead, value::float AS value, naive::float AS naive, actual::float AS actual, scale::float AS scale, (actual BETWEEN lo95 AND hi95) AS inside, closed
			FROM forecast_history JOIN forecast_run USING (forecast_id)
			WHERE metric = 'revenue' AND granularity = 'day' AND horizon = 7 AND location_id IS NULL AND item_id IS NULL AND actual IS NOT NULL`)
		for (const row of rows) {
			const mine = points.filter((p) => p.lead === row.lead)
			const sum = (f) => mine.reduce((a, p) => a + f(p), 0)
			const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} ${b}`)
			if (sum((p) => p.actual) === 0) continue
			near(row.wape, sum((p) => Math.abs(p.value - p.actual)) / sum((p) => p.actual))
			near(row.bias, sum((p) => p.value - p.actual) / sum((p) => p.actual))
			near(row.naive, sum((p) => Math.abs(p.naive - p.actual)) / sum((p) => p.actual))
			near(row.mase, sum((p) => Math.abs(p.value - p.actual) / p.scale) / mine.length)
			assert.equal(row.won, row.wape < row.naive)
			const open = mine.filter((p) => !p.closed)
			if (open.length) near(row.cover, open.filter((p) => p.inside).length / open.length)
		}
		const all = await shop.cache.one(`SELECT n::int AS n, first_date::text AS a, last_date::text AS z FROM forecast_record('revenue', 'day', 'EUR', NULL, NULL, 28, 7)`)
		assert.deepEqual(all, { n: 8, a: daysAgo(5), z: daysAgo(1) })
		assert.equal((await shop.cache.one(`SELECT n::int AS n FROM forecast_record('revenue', 'day', 'EUR', 9, NULL, 28, 7)`)).n, 0)
	})

	it('stays as it was said', async () => {
		const shop = await openShop({ days: 30 })
		await shop.expectRun(0)
		const before = await said(shop.cache)
		for (const change of ['DELETE FROM forecast_history', 'TRUNCATE forecast_history', 'UPDATE forecast_history SET value = value + 1', 'UPDATE forecast_history SET lo95 = 0, actual = 1',
			`UPDATE forecast_history SET target_date = target_date + 1`, `UPDATE forecast_history SET holiday_name = 'x'`, 'UPDATE forecast_history SET naive = 0, base = 1', 'DELETE FROM forecast_run'])
			await assert.rejects(shop.cache.exec(change), /only grows|violates foreign key/, change)
		await shop.cache.exec('UPDATE forecast_history SET actual = 7, error = 12345 WHERE lead = 1')
		await shop.cache.exec('UPDATE forecast_history SET actual = NULL WHERE lead = 1')
		assert.equal(await count(shop, 'forecast_history', 'lead = 1 AND (actual IS DISTINCT FROM 7 OR error IS DISTINCT FROM value - 7)'), 0)
		assert.notEqual(await said(shop.cache), before)
	})
})

describe('unusual days', () => {
	const EXTRA = `INSERT INTO orders SELECT 900000 + n, 'SERVED', 12, (date '${daysAgo(4)}' + time '12:00' + n * interval '1 minute') AT TIME ZONE '${noonZone()}', 2, now() FROM generate_series(1, 90) n;
		INSERT INTO order_items SELECT 9000000 + n, 900000 + n, 'party', 'Party platter', 1, 12 FROM generate_series(1, 90) n;`
	const found = (shop, more = 'true') => shop.cache.query(`SELECT first_date::text AS day, kind, contribution, special_name AS special, actual::int AS actual, expected::float AS expected, noticed_at::text AS noticed
		FROM anomaly WHERE metric = 'orders' AND granularity = 'day' AND ${more} ORDER BY 1`)

	it('are found, with what moved most, and go when the day is restated', async () => {
		const shop = await openShop()
		await shop.orders.exec(`UPDATE orders SET created_at = created_at - interval '300 days' WHERE id / 1000 = 16; ${EXTRA}`) // a day without a sale, far from the closed ones
		const done = await shop.batch(['run'], { HISTORY_FROM: daysAgo(DAYS) })
		assert.equal(done.code, 0, done.stderr)
		const all = await found(shop, 'location_id = -1')
		assert.deepEqual(all.map((a) => [a.day, a.kind]), [[daysAgo(16), 'outage'], [daysAgo(4), 'spike']])
		const [item, location] = [all[1].contribution.find((c) => c.dimension === 'item'), all[1].contribution.find((c) => c.dimension === 'location')]
		assert.deepEqual([item.id, item.name, item.actual, item.expected], ['party', 'Party platter', 90, 0])
		assert.ok(item.share > 0.8 && item.share < 1.3, `${item.share}`)
		assert.equal(location.id, '2')
		assert.ok(location.share > 0.8, `${location.share}`)
		assert.ok(all[0].contribution.length > 2)
		assert.deepEqual((await found(shop, 'location_id = 1')).map((a) => [a.day, a.kind]), [[daysAgo(16), 'outage']])
		// Closed days are none, and every judged day says what was expected.
		const closed = [...Array(90).keys()].map((n) => n + 1).filter(isClosed).map((n) => daysAgo(n))
		assert.equal(await count(shop, 'expected_cache', `flagged AND granularity = 'day' AND target_date IN (${closed.map((d) => `'${d}'`)})`), 0)
		assert.equal(await count(shop, 'expected_cache', `metric = 'orders' AND granularity = 'day' AND location_id = -1 AND target_date > '${daysAgo(91)}'`), 90)
		assert.equal(await count(shop, 'expected_cache', `granularity = 'hour' AND location_id = -1`), 14 * 24)
		assert.ok(await count(shop, 'anomaly', `granularity = 'hour' AND first_date = '${daysAgo(4)}'`) > 0)

		await shop.orders.exec(`DELETE FROM order_items WHERE order_id > 900000; DELETE FROM orders WHERE id > 900000`)
		await shop.batch(['run'], { HISTORY_FROM: daysAgo(DAYS) })
		const left = await found(shop, 'location_id = -1')
		assert.deepEqual(left.map((a) => a.day), [daysAgo(16)])
		assert.equal(left[0].noticed, all[0].noticed)
		assert.deepEqual(left[0].contribution, all[0].contribution)
		assert.equal(await count(shop, 'anomaly', `first_date = '${daysAgo(4)}'`), 0)
	})

	it('bear the name of the day', async () => {
		const shop = await openShop()
		await shop.orders.exec(EXTRA)
		assert.equal((await shop.batch(['migrate'])).code, 0)
		assert.equal((await shop.batch(['holiday', 'add', daysAgo(4), 'Street fair', '--location', '2'])).code, 0)
		await shop.expectRun(0)
		assert.deepEqual(await shop.cache.query(`SELECT DISTINCT location_id, special_name FROM anomaly WHERE first_date = '${daysAgo(4)}' AND location_id IN (-1, 2) AND granularity = 'day' ORDER BY 1`),
			[{ location_id: -1, special_name: null }, { location_id: 2, special_name: 'Street fair' }])
	})
})

describe('hours of a named day', () => {
	it('go the way of their day', async () => {
		const shop = await openShop({ locations: 1 })
		// It was shut on the day of the count, fifty days ago and twenty, and will be when this night is over.
		for (const ago of [50, 20]) await shop.orders.exec(`DELETE FROM orders WHERE id / 1000 = ${ago}`)
		assert.equal((await shop.batch(['migrate'])).code, 0)
		for (const ago of [50, 20, 2]) assert.equal((await shop.batch(['holiday', 'add', daysAgo(ago), 'Stocktaking'])).code, 0)
		await shop.expectRun(0, '--from', daysAgo(DAYS), '--to', daysAgo(3))
		const of = (granularity, day) => shop.cache.query(`SELECT value::float8 AS value, hi95::float8 AS hi, closed, holiday_name AS name, (base + season + trend + holiday)::float8 AS parts
			FROM forecast_history JOIN forecast_run USING (forecast_id) WHERE metric = 'orders' AND granularity = '${granularity}' AND horizon IN (7, 48)
			AND location_id IS NULL AND item_id IS NULL AND target_date = '${daysAgo(day)}'`)
		assert.deepEqual((await of('day', 2)).map((r) => [r.value, r.hi, r.closed, r.name]), [[0, 0, true, 'Stocktaking']])
		const today = await of('hour', 2), tomorrow = await of('hour', 1)
		assert.deepEqual([today.length, tomorrow.length], [24, 24])
		for (const r of today) assert.deepEqual([r.value, r.hi, r.closed, r.name], [0, 0, true, 'Stocktaking'])
		for (const r of [...today, ...tomorrow]) assert.ok(Math.abs(r.parts - r.value) < 0.05, JSON.stringify(r))
		assert.ok(tomorrow.some((r) => r.value > 1) && tomorrow.every((r) => r.name === null))
	})
})

describe('takings-batch holiday', () => {
	it('lists public days with one\'s own, which are added, removed and imported once', async () => {
		const shop = await openShop({ days: 2, HOLIDAYS: 'DE, at' })
		await shop.batch(['migrate'])
		const holiday = (...args) => shop.batch(['holiday', ...args])
		const list = async () => (await holiday('list', '--year', '2026')).stdout.trim().split('\n')
		const open = await list()
		assert.equal(open[0], "2026-01-01  Thu  New Year's Day (Neujahr)")
		assert.ok(open.includes('2026-10-26  Mon  National Day (Nationalfeiertag)'))
		assert.equal((await holiday('add', '2026-05-02', 'Fair', '--until', '2026-05-04')).stdout, '3 day(s) added\n')
		assert.equal((await holiday('add', '2026-05-04', 'Fair', '--until', '2026-05-05')).stdout, '1 day(s) added\n')
		assert.equal((await holiday('add', '2026-05-04', 'Fair', '--location', '3')).stdout, '1 day(s) added\n')
		const file = writeFile('days.csv', '\ufeffds,holiday\r\n2026-06-01,"Music, and ""more"""\r\n2025-06-02,Music\r\n\r\n')
		assert.equal((await holiday('import', file)).stdout, '2 day(s) added\n')
		assert.equal((await holiday('import', file)).stdout, '0 day(s) added\n')
		assert.deepEqual((await list()).filter((l) => !open.includes(l)), ['2026-05-02  Sat  Fair  own', '2026-05-03  Sun  Fair  own', '2026-05-04  Mon  Fair  own',
			'2026-05-04  Mon  Fair  own, location 3', '2026-05-05  Tue  Fair  own', '2026-06-01  Mon  Music, and "more"  own'])
		assert.equal((await holiday('remove', '2026-05-02', 'Fair', '--until', '2026-12-31')).stdout, '4 day(s) removed\n')
		assert.equal((await holiday('remove', '2026-05-04', 'Fair')).code, 1)
		assert.deepEqual((await list()).filter((l) => !open.includes(l)), ['2026-05-04  Mon  Fair  own, location 3', '2026-06-01  Mon  Music, and "more"  own'])
	})

	it('refuses what it cannot mean', async () => {
		const shop = await openShop({ days: 2 })
		await shop.batch(['migrate'])
		for (const args of [[], ['add'], ['add', '2026-01-01'], ['list', '2026'], ['list', '--year', '26'], ['remove', '2026-01-01'], ['add', '2026-01-01', 'x', '--location', '-1'], ['import'], ['rename', 'a', 'b']])
			assert.equal((await shop.batch(['holiday', ...args])).code, 2, args.join(' '))
		for (const [args, said] of [[['add', '2026-02-30', 'x'], /2026-02-30/], [['add', '2026-02-03', ' '], /name/], [['add', '2026-02-03', 'x', '--until', '2027-02-04'], /367 days; at most 366/], [['add', '2026-02-03', 'x', '--until', '2026-02-01'], /before/],
			[['import', '/no/such/file'], /cannot read/], [['import', writeFile('a.csv', 'day,name\n')], /line 1/], [['import', writeFile('b.csv', 'ds,holiday\n2026-01-05,A\n2026-1-6,B\n')], /line 3/],
			[['import', writeFile('c.csv', 'ds,holiday\n2026-01-05\n')], /line 2/]]) {
			const done = await shop.batch(['holiday', ...args])
			assert.equal(done.code, 1, args.join(' '))
			assert.match(done.stderr, said)
		}
		assert.equal(await count(shop, 'special_day'), 0)
		for (const [name, value] of [['HOLIDAYS', 'DE,UK'], ['ANOMALY_SENSITIVITY', '1.5'], ['ANOMALY_SENSITIVITY', '95%']]) {
			const done = await shop.batch(['run'], { [name]: value })
			assert.equal(done.code, 1)
			assert.match(done.stderr, new RegExp(name))
			assert.match(done.stderr, new RegExp(value.slice(-2)))
		}
	})
})
