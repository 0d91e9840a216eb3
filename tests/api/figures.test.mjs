// What the pages of figures ask, against plain SQL over the same tables; and the same as CSV.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startInstance } from '../lib/instance.mjs'

const API = '/api/admin/analytics'
let site, from, to, newest

const rows = async (sql) => JSON.parse(await site.psql('MIGRATE_DATABASE_URL', `SELECT coalesce(json_agg(r), '[]') FROM (${sql}) r`))
const sql = (text) => site.psql('MIGRATE_DATABASE_URL', text)
const get = async (name, query = {}) => {
	const answer = await site.get(`${API}/${name}?${new URLSearchParams({ from, to, ...query })}`)
	assert.equal(answer.status, 200, answer.text)
	return answer.json
}
const csv = async (target) => {
	const answer = await site.get(target)
	assert.equal(answer.status, 200, answer.text)
	return { ...answer, lines: answer.text.replace(/^\ufeff/, '').trimEnd().split('\r\n') }
}
const days = 'business_date BETWEEN \'FROM\' AND \'TO\''
const of = (text) => text.replaceAll('DAYS', days).replaceAll('FROM\'', `${from}'`).replaceAll('TO\'', `${to}'`)

before(async () => {
	site = await startInstance({ ANALYTICS_CACHE_TTL: '0' })
	newest = await sql('SELECT max(business_date) FROM daily_revenue_cache')
	;[from, to] = (await sql(`SELECT '${newest}'::date - 40 || ' ' || '${newest}'::date - 3`)).split(' ')
})
after(() => site?.destroy())

test('series: days, weeks and months add up to the same', async () => {
	const want = await rows(of(`SELECT business_date::text AS date, sum(revenue_minor)::float / 100 AS revenue, sum(served_count) AS orders,
		sum(item_qty) AS items_sold FROM daily_revenue_cache WHERE DAYS GROUP BY 1 ORDER BY 1 DESC`))
	const { series } = await get('series')
	assert.deepEqual(series.map(({ date, revenue, orders, items_sold }) => ({ date, revenue, orders, items_sold })), want)
	const cents = (list) => list.reduce((n, r) => n + Math.round(r.revenue * 100), 0)
	for (const step of ['week', 'month']) {
		const { series: units } = await get('series', { step })
		assert.equal(cents(units), cents(series), step)
		assert.equal(units.reduce((n, r) => n + r.days_n, 0), series.length)
		assert.deepEqual([units.at(-1).date, units[0].to_date], [from, to])
		for (const unit of units.slice(0, -1)) assert.match(unit.date, step === 'month' ? /-01$/ : /./)
	}
	const weeks = (await get('series', { step: 'week' })).series
	assert.ok(weeks.slice(0, -1).every((w) => new Date(w.date).getUTCDay() === 1), 'weeks begin on Monday')
})

for (const basis of ['order_date', 'transaction_date'])
	test(`bridge: every total is the sum of the lines since the one before it, by ${basis}`, async () => {
		const { bridge } = await get('bridge', { basis })
		assert.ok(bridge[0].is_total)
		let sum = Math.round(bridge[0].amount * 100)
		for (const line of bridge.slice(1)) {
			if (line.is_total) assert.equal(Math.round(line.amount * 100), sum, line.line)
			else sum += Math.round(line.amount * 100)
		}
		const total = (name) => Math.round(bridge.find((l) => l.line === name).amount * 100)
		const [shown, net] = (await sql(of(`SELECT sum(${basis === 'order_date' ? 'revenue' : 'booked'}_minor), sum(revenue_minor - tax_minor - shipping_minor)
			FROM daily_revenue_cache WHERE DAYS`))).split('|').map(Number)
		assert.equal(total('total_revenue'), shown)
		assert.equal(bridge.some((l) => l.line === 'net'), basis === 'order_date', 'tax is known by order date only')
		if (basis === 'order_date') assert.equal(total('net'), net)
	})

test('statuses: all orders placed, by their status', async () => {
	const { statuses } = await get('statuses')
	const want = await rows(of(`SELECT key AS status, sum(value::int) AS orders FROM daily_revenue_cache, jsonb_each_text(orders_by_status)
		WHERE DAYS GROUP BY 1 ORDER BY 2 DESC, 1`))
	assert.deepEqual(statuses.map(({ status, orders }) => ({ status, orders })), want)
	assert.equal(statuses.reduce((n, s) => n + s.orders, 0), Number(await sql(of('SELECT sum(order_count) FROM daily_revenue_cache WHERE DAYS'))))
	assert.ok(Math.abs(statuses.reduce((n, s) => n + s.orders_share, 0) - 100) < 0.05)
	const closed = await sql('SELECT max(business_date) FROM daily_revenue_cache WHERE order_count = 0')
	assert.deepEqual((await site.get(`${API}/statuses?date=${closed}`)).json.statuses, [], 'a closed day has none')
})

test('weekdays: means of all computed days', async () => {
	const { weekdays } = await get('weekdays')
	const want = await rows(of(`SELECT extract(isodow FROM business_date)::int AS weekday_n, count(*) AS days_n, sum(served_count) AS orders,
		round(sum(served_count) / count(*)::numeric, 4) AS mean, sum(revenue_minor)::float / 100 AS revenue FROM daily_revenue_cache WHERE DAYS GROUP BY 1 ORDER BY 1`))
	assert.deepEqual(weekdays.map(({ weekday_n, days_n, orders, revenue }) => ({ weekday_n, days_n, orders, revenue })), want.map(({ mean, ...r }) => r))
	for (const [i, w] of weekdays.entries()) assert.ok(Math.abs(w.orders_a_day - want[i].mean) <= 0.05, w.weekday)
	assert.deepEqual(weekdays.map((w) => w.weekday), ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])
})

test('heatmap: each hour counts with the time it had', async () => {
	const changed = await sql('SELECT max(business_date) FROM hourly_order_cache WHERE seconds <> 3600')
	const range = { from: await sql(`SELECT '${changed}'::date - 10`), to: await sql(`SELECT least('${changed}'::date + 10, '${newest}')`) }
	const { heatmap } = await get('heatmap', range)
	assert.equal(heatmap.length, 168)
	const want = await rows(`SELECT extract(isodow FROM business_date)::int AS weekday_n, hour, count(*) AS days_n, sum(served_count) AS orders,
		sum(revenue_minor)::float / 100 AS revenue, sum(seconds) AS seconds FROM hourly_order_cache
		WHERE business_date BETWEEN '${range.from}' AND '${range.to}' GROUP BY 1, 2 ORDER BY 1, 2`)
	const key = (c) => c.weekday_n * 100 + c.hour
	assert.deepEqual(heatmap.map(({ orders_an_hour, revenue_an_hour, ...c }) => c).sort((a, b) => key(a) - key(b)), want)
	for (const c of heatmap) {
		if (c.seconds === 0) assert.equal(c.orders_an_hour, null)
		else assert.ok(Math.abs(c.orders_an_hour - c.orders * 3600 / c.seconds) <= 0.005)
	}
	assert.ok(want.some((c) => c.seconds % 3600 === 0 && c.seconds !== c.days_n * 3600), 'the clock was changed in this range')
})

test('items: sorted, searched and paged over the whole list', async () => {
	const want = await rows(of(`SELECT item_id, sum(quantity) AS quantity, sum(revenue_minor)::float / 100 AS revenue, sum(order_count) AS orders
		FROM item_sales_cache WHERE DAYS GROUP BY 1`))
	const total = want.reduce((n, i) => n + i.revenue, 0)
	const all = (await get('items', { limit: '1000' })).items
	assert.equal(all.length, want.length)
	const byId = new Map(want.map((i) => [i.item_id, i]))
	for (const i of all) {
		const w = byId.get(i.item_id)
		assert.deepEqual([i.quantity, i.revenue, i.orders], [w.quantity, w.revenue, w.orders])
		assert.ok(Math.abs(i.share - i.revenue * 100 / total) <= 0.006)
	}
	const sorted = (list, pick, down) => list.every((x, k) => k === 0 || (down ? pick(list[k - 1]) >= pick(x) : pick(list[k - 1]) <= pick(x)))
	for (const measure of ['revenue', 'quantity', 'orders']) {
		assert.ok(sorted((await get('items', { sort: measure, limit: '1000' })).items, (i) => i[measure], true), measure)
		assert.ok(sorted((await get('items', { sort: `${measure}_up`, limit: '1000' })).items, (i) => i[measure], false), `${measure}_up`)
	}
	const names = (await get('items', { sort: 'name', limit: '1000' })).items
	assert.deepEqual((await get('items', { sort: 'name_down', limit: '1000' })).items.map((i) => i.name), names.map((i) => i.name).reverse())

	const paged = []
	for (let cursor = 0; ;) {
		const { items } = await get('items', { limit: '7', cursor: String(cursor) })
		if (!items.length) break
		paged.push(...items)
		cursor = items.at(-1).rank
	}
	assert.deepEqual(paged, all)

	const word = all[3].name.slice(1, 5).toUpperCase()
	const found = (await get('items', { q: word })).items
	assert.deepEqual(found.map((i) => i.item_id).sort(), all.filter((i) => i.name.toUpperCase().includes(word)).map((i) => i.item_id).sort())
	assert.equal(found.find((i) => i.item_id === all[3].item_id).share, all[3].share, 'a share is of all items, not of those found')
	assert.deepEqual((await get('items', { q: all[5].item_id })).items.filter((i) => i.item_id === all[5].item_id).length, 1)
	for (const q of ['%', '_', '\\', "'"])
		assert.ok((await get('items', { q })).items.every((i) => i.name.includes(q)), `${q} is no pattern`)
})

test('an item: its days, or 404', async () => {
	const [{ item_id }] = (await get('items', { limit: '1' })).items
	const { series, name } = await get(`items/${item_id}`)
	const want = new Map((await rows(of(`SELECT business_date::text AS date, sum(quantity) AS quantity FROM item_sales_cache WHERE DAYS AND item_id = '${item_id}' GROUP BY 1`)))
		.map((r) => [r.date, r.quantity]))
	assert.deepEqual(series.map((d) => d.quantity), series.map((d) => want.get(d.date) ?? 0))
	assert.equal(name, await sql(`SELECT name FROM item_sales_cache WHERE item_id = '${item_id}' ORDER BY business_date DESC LIMIT 1`))
	const missing = await site.get(`${API}/items/nothing`)
	assert.deepEqual([missing.status, missing.json.detail], [404, 'there is no such item'])
})

test('days that are not computed have no figures, and are no zeros', async () => {
	await sql(`CREATE TABLE kept AS SELECT * FROM daily_revenue_cache WHERE business_date = '${to}'`)
	await sql(`DELETE FROM daily_revenue_cache WHERE business_date = '${to}'`)
	try {
		assert.deepEqual([(await get('series')).series[0]].map(({ revenue, orders, avg_order_value }) => [revenue, orders, avg_order_value])[0], [null, null, null])
		const { items: [{ item_id }] } = await get('items', { limit: '1' })
		assert.equal((await get(`items/${item_id}`)).series[0].quantity, null)
	} finally {
		await sql('INSERT INTO daily_revenue_cache SELECT * FROM kept; DROP TABLE kept')
	}
})

// ---- CSV

test('CSV: the rows of the JSON, exact, with a name of ours', async () => {
	for (const [name, key] of [['daily', 'days'], ['series', 'series'], ['bridge', 'bridge'], ['statuses', 'statuses'], ['weekdays', 'weekdays'],
		['heatmap', 'heatmap'], ['items', 'items'], ['top-items', 'items'], ['locations', 'locations']]) {
		const json = (await get(name))[key]
		const { lines, headers, text } = await csv(`${API}/${name}?from=${from}&to=${to}&format=csv`)
		assert.equal(headers['content-type'], 'text/csv; charset=utf-8; header=present')
		assert.equal(headers['content-disposition'], `attachment; filename="takings-${key}-${from}-${to}.csv"`)
		assert.equal(headers['x-content-type-options'], 'nosniff')
		assert.equal(lines[0], Object.keys(json[0]).join(','))
		assert.equal(lines.length, json.length + 1)
		assert.ok(text.endsWith('\r\n'))
	}
	const { lines } = await csv(`${API}/series?from=${from}&to=${to}&format=csv`)
	const [row] = await rows(of(`SELECT sum(revenue_minor) AS minor FROM daily_revenue_cache WHERE business_date = 'TO'`))
	assert.equal(lines[1].split(',')[3], `${Math.floor(row.minor / 100)}.${String(row.minor % 100).padStart(2, '0')}`, 'the exact literal')
	const bridge = await csv(`${API}/bridge?from=${from}&to=${to}&format=csv`)
	assert.ok(bridge.lines.some((l) => /^refunds,-\d+\.\d\d,false$/.test(l)), 'a negative number is a number')
})

test('CSV: no text is taken for a formula, and none breaks a row', async () => {
	const names = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '＝1', '＋1', '－1', '＠1', 'a,b', 'say "x"', 'two\nlines', "it's"]
	for (const [i, name] of names.entries())
		await sql(`INSERT INTO item_sales_cache SELECT location_id, business_date, 'csv${i}', currency, E'${name.replaceAll("'", "''").replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r')}',
			1, ${90_000_000 - i}, 1, run_id, computed_at FROM item_sales_cache WHERE business_date = '${to}' LIMIT 1`)
	try {
		const { text } = await csv(`${API}/items?from=${from}&to=${to}&limit=${names.length}&format=csv`)
		const cells = [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,\r\n]*))/gm)].map((m) => (m[1] ?? m[2]).replaceAll('""', '"'))
		for (const name of names) {
			const risky = /^[=+\-@\t\r＝＋－＠]/.test(name)
			assert.ok(text.includes(`,"${risky ? "'" : ''}${name.replaceAll('"', '""')}",`), JSON.stringify(name))
			assert.ok(cells.length > names.length)
		}
	} finally {
		await sql(`DELETE FROM item_sales_cache WHERE item_id LIKE 'csv%'`)
	}
})

test('CSV: tables of the pages, what is wrong, and ETags', async () => {
	for (const [page, tables] of [['', ['days', 'items', 'by_hour', 'by_weekday']], ['revenue', ['days', 'bridge']], ['orders', ['days', 'statuses', 'by_weekday']],
		['items', ['items']], ['hours', ['heatmap', 'by_hour']]])
		for (const table of tables) {
			const { lines, headers } = await csv(`/admin/${page}?from=${from}&to=${to}&format=csv&table=${table}`)
			assert.ok(lines.length > 1, `${page} ${table}`)
			assert.equal(headers['content-disposition'], `attachment; filename="takings-${table}-${from}-${to}.csv"`)
		}
	assert.equal((await site.get(`/admin/revenue?format=csv`)).status, 422)
	assert.equal((await site.get(`/admin/revenue?format=csv&table=users`)).status, 422)
	assert.equal((await site.get(`/admin/revenue?format=csv&table=days&date=${to}`)).status, 404, 'one day has no list of days')
	assert.equal((await site.get(`${API}/daily?format=xml`)).status, 422)
	const first = await site.get(`${API}/statuses?from=${from}&to=${to}&format=csv`)
	const again = await site.get(`${API}/statuses?from=${from}&to=${to}&format=csv`, { headers: { 'if-none-match': first.headers.etag } })
	assert.equal(again.status, 304)
	const problem = await site.get(`${API}/daily?date=2030-01-01&format=csv`)
	assert.deepEqual([problem.status, problem.headers['content-type']], [404, 'application/problem+json'])
})
