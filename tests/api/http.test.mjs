// The answers over HTTP: through nginx, from a whole instance with demo data.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startInstance } from '../lib/instance.mjs'
import { root, run, until } from '../lib/process.mjs'

const API = '/api/admin/analytics'
let site, truth

before(async () => {
	site = await startInstance({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4', ANALYTICS_CACHE_TTL: '0' })
	truth = site.truth()
})
after(() => site?.destroy())

// Decimals of JSON, read as whole cents; the digits are looked at in the text elsewhere.
const cents = (x) => Math.round(x * 100)
const lastOpenDay = () => truth.days.filter((d) => d.served > 0).at(-1)

test('summary: a day as the generator of the data knows it', async () => {
	const day = lastOpenDay()
	const { status, json, text } = await site.get(`${API}/summary?date=${day.date}`)
	assert.equal(status, 200)
	assert.equal(json.date, day.date)
	assert.equal(cents(json.total_revenue), day.revenue_minor)
	assert.equal(json.total_orders, day.served)
	assert.equal(json.placed_orders, day.placed)
	assert.equal(cents(json.refunds), day.refund_minor)
	assert.match(text, /"total_revenue":\d+\.\d\d,/) // an exact literal, never 5435.1
	assert.equal(cents(json.avg_order_value), Math.round(day.revenue_minor / day.served))
	const most = Math.max(...day.hours.map((h) => h.served))
	assert.equal(json.peak_hour, day.hours.filter((h) => h.served === most).sort((a, b) => a.hour - b.hour)[0].hour)
	assert.deepEqual({ tz: json.tz, cutoff: json.cutoff, currency: json.currency, basis: json.basis },
		{ tz: 'Europe/Berlin', cutoff: 4, currency: 'EUR', basis: 'order_date' })
	assert.equal(json.range.complete, true)
	assert.equal(json.today.partial, true)
})

test('summary: comparisons with the day before and the same weekday', async () => {
	const at = truth.days.findLastIndex((d, i) => i >= 7 && d.served && truth.days[i - 1].served && truth.days[i - 7].served)
	const [day, before1, week] = [truth.days[at], truth.days[at - 1], truth.days[at - 7]]
	const { json } = await site.get(`${API}/summary?date=${day.date}`)
	const growth = (base) => Math.round((day.revenue_minor - base.revenue_minor) / base.revenue_minor * 10000) / 100
	assert.ok(Math.abs(json.vs_previous_day - growth(before1)) < 0.011)
	assert.ok(Math.abs(json.vs_same_weekday - growth(week)) < 0.011)
	assert.equal(cents(json.previous_day.total_revenue), before1.revenue_minor)
	assert.equal(json.same_weekday.from_date, week.date)
})

test('summary: no percentage without a base', async () => {
	const first = truth.days.find((d) => d.placed > 0)
	const { json } = await site.get(`${API}/summary?date=${first.date}`)
	assert.equal(json.vs_previous_day, null)
	assert.equal(json.vs_previous_day_status, 'no_base')
	const at = truth.days.findIndex((d, i) => i > 0 && d.served > 0 && truth.days[i - 1].placed === 0)
	const { json: after } = await site.get(`${API}/summary?date=${truth.days[at].date}`)
	assert.equal(after.vs_previous_day, null)
	assert.equal(after.vs_previous_day_status, 'new')
})

test('summary: a range is the sum of its days, both bases', async () => {
	const days = truth.days.slice(-60, -20)
	const [from, to] = [days[0].date, days.at(-1).date]
	const { json } = await site.get(`${API}/summary?from=${from}&to=${to}`)
	assert.equal(json.date, null)
	assert.equal(cents(json.total_revenue), days.reduce((s, d) => s + d.revenue_minor, 0))
	assert.equal(json.total_orders, days.reduce((s, d) => s + d.served, 0))
	const { json: booked } = await site.get(`${API}/summary?from=${from}&to=${to}&basis=transaction_date`)
	assert.equal(booked.basis, 'transaction_date')
	assert.equal(json.by_order_date, null)
	for (const name of booked.by_order_date) assert.equal(booked[name], json[name], name)
	for (const name of ['gross', 'refunds']) assert.ok(booked.by_order_date.includes(name), name)
	const sql = await site.psql('ANALYTICS_DATABASE_URL',
		`SELECT sum(booked_minor) FROM daily_revenue_cache WHERE business_date BETWEEN '${from}' AND '${to}'`)
	assert.equal(cents(booked.total_revenue), Number(sql))
})

test('hourly: 24 hours that add up to the day', async () => {
	const day = lastOpenDay()
	const { json } = await site.get(`${API}/hourly?date=${day.date}`)
	assert.deepEqual(json.hours.map((h) => h.hour), [...Array(24).keys()])
	for (const h of day.hours) {
		assert.equal(json.hours[h.hour].orders, h.served, `hour ${h.hour}`)
		assert.equal(json.hours[h.hour].placed, h.placed)
		assert.equal(cents(json.hours[h.hour].revenue), h.revenue_minor)
	}
	assert.equal(json.hours.reduce((s, h) => s + h.seconds, 0), 86400)
})

test('hourly: the hour that is lived twice has 7200 seconds, the one left out none', async () => {
	const seconds = await site.psql('ANALYTICS_DATABASE_URL',
		`SELECT json_agg(json_build_object('d', business_date, 'h', hour, 's', seconds) ORDER BY business_date)
		 FROM hourly_order_cache WHERE seconds <> 3600`)
	const odd = JSON.parse(seconds)
	assert.ok(odd.length >= 2, 'the demo data covers both changes of the clock')
	for (const { d, h, s } of odd) {
		const { json } = await site.get(`${API}/hourly?date=${d}`)
		assert.equal(json.hours[h].seconds, s)
		const day = truth.days.find((x) => x.date === d)
		assert.equal(json.hours[h].orders, day.hours.find((x) => x.hour === h).served)
		if (s === 0) assert.equal(json.hours[h].placed, 0)
		else assert.ok(json.hours[h].placed > 0, 'orders in the repeated hour')
	}
})

test('top-items: order, share, remainder and reconciliation to the cent', async () => {
	const { json } = await site.get(`${API}/top-items`)
	assert.equal(json.items.length, 10)
	for (let i = 1; i < 10; i++) assert.ok(json.items[i - 1].revenue >= json.items[i].revenue)
	const listed = json.items.reduce((s, i) => s + cents(i.revenue), 0)
	assert.equal(listed + cents(json.others.revenue), cents(json.item_sales))
	assert.equal(cents(json.item_sales) + cents(json.unallocated), cents(json.total_revenue))
	const { json: summary } = await site.get(`${API}/summary?from=${json.range.from_date}&to=${json.range.to_date}`)
	assert.equal(cents(summary.total_revenue), cents(json.total_revenue))
	const { json: quantity } = await site.get(`${API}/top-items?by=quantity&limit=5`)
	assert.deepEqual(quantity.items.map((i) => i.quantity), [...quantity.items.map((i) => i.quantity)].sort((a, b) => b - a))
	assert.equal(Date.parse(json.range.to_date) - Date.parse(json.range.from_date), 29 * 86400_000) // 30 days
})

test('top-items: over all days as the generator knows them, newest name', async () => {
	const [from, to] = [truth.days[0].date, truth.days.at(-1).date]
	const { json } = await site.get(`${API}/top-items?from=${from}&to=${to}&limit=100`)
	const known = new Map(truth.items.map((i) => [String(i.item_id), i]))
	assert.equal(json.items.length, known.size)
	for (const item of json.items) {
		const want = known.get(item.item_id)
		assert.deepEqual([item.name, item.quantity, cents(item.revenue), item.orders],
			[want.name, want.quantity, want.revenue_minor, want.orders])
	}
})

test('parameters: what is wrong is named', async () => {
	const cases = [
		['/summary?dat=2025-01-01', 'dat'], ['/summary?date=2025-02-29', 'date'], ['/summary?date=', 'date'],
		['/summary?date=1969-12-31', 'date'], ['/summary?date=2200-01-01', 'date'],
		['/summary?from=2025-01-01', 'to'], ['/summary?to=2025-01-01', 'from'],
		['/summary?from=2025-01-02&to=2025-01-01', 'to'], ['/summary?date=2025-01-01&from=2025-01-01&to=2025-01-02', 'date'],
		['/summary?location_id=-1', 'location_id'], ['/summary?location_id=2147483648', 'location_id'],
		['/summary?location_id=1%00', 'location_id'], ['/summary?currency=eur', 'currency'], ['/summary?basis=cash', 'basis'],
		['/top-items?limit=0', 'limit'], ['/top-items?limit=101', 'limit'], ['/top-items?limit=1e1', 'limit'],
		['/top-items?limit=%201', 'limit'], ['/top-items?by=price', 'by'], ['/hourly?from=2025-01-01&to=2025-01-01', 'from'],
		['/summary?days=9', 'days'], ["/top-items?by=revenue'--", 'by'],
	]
	for (const [target, field] of cases) {
		const { status, json, headers } = await site.get(API + target)
		assert.ok(status === 422 || status === 400, `${target}: ${status}`)
		assert.equal(json.field, field, target)
		assert.match(headers['content-type'], /problem\+json/)
		assert.ok(json.request_id && json.request_id === headers['x-request-id'])
	}
	for (const fine of ['/top-items?limit=1', '/top-items?limit=100', '/summary?location_id=0', '/summary?currency=EUR'])
		assert.equal((await site.get(API + fine)).status, 200, fine)
})

test('parameters: a query string of 4096 bytes is read, one more is refused', async () => {
	const pad = (n) => `${API}/summary?x=${'a'.repeat(n - 2)}`
	assert.equal((await site.get(pad(4096))).json.field, 'x') // read, and refused for its name
	assert.equal((await site.get(pad(4097))).status, 414)
})

test('addresses and methods that are not there', async () => {
	assert.equal((await site.get(`${API}/nothing`)).status, 404)
	assert.equal((await site.get(`${API}/summary?date=2030-01-01`)).json.code, 'not_found')
	for (const target of ['summary', 'top-items', 'hourly'])
		for (const [query, field] of [['date=2030-01-01'], ['currency=USD', 'currency'], ['location_id=99', 'location_id'], ['location_id=99&currency=USD', 'currency']]) {
			const { status, json } = await site.get(`${API}/${target}?${query}`)
			assert.deepEqual([status, json.field], [404, field], `${target}?${query}`)
		}
	const post = await site.get(`${API}/summary`, { method: 'POST' })
	assert.equal(post.status, 405)
	assert.equal(post.headers.allow, 'GET, HEAD')
	assert.ok((await site.get('/api/../admin/%2e%2e/secret')).status >= 400)
	const home = await site.get('/')
	assert.deepEqual([home.status, home.headers.location], [303, '/admin/'])
})

test('the text of an answer: instants of one length, no blanks between keys and values', async () => {
	for (let i = 0; i < 30; i++) { // one instant in ten ends in a zero
		const { json, text } = await site.get(`${API}/summary`)
		assert.match(json.as_of, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
		assert.equal(text.trim(), text.trim().replace(/("(?:[^"\\]|\\.)*")|\s+/g, '$1'))
	}
})

test('HEAD has the headers of GET and no body', async () => {
	const get = await site.get(`${API}/hourly`), head = await site.get(`${API}/hourly`, { method: 'HEAD' })
	assert.equal(head.status, 200)
	assert.equal(head.text, '')
	assert.equal(head.headers['content-type'], get.headers['content-type'])
})

test('every answer carries the security headers', async () => {
	for (const target of ['/health', `${API}/summary`, `${API}/nothing`, `${API}/summary?x=1`, '/admin/', '/']) {
		const { headers } = await site.get(target)
		assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/, target)
		assert.equal(headers['x-content-type-options'], 'nosniff', target)
		assert.ok(headers['referrer-policy'] && headers['x-request-id'], target)
		assert.doesNotMatch(headers['server'] ?? '', /\d/)
	}
})

test('health: every part by name', async () => {
	const { status, json } = await site.get('/health')
	assert.equal(status, 200)
	assert.equal(json.status, 'ok')
	assert.deepEqual(Object.keys(json.checks), ['analytics_db', 'order_db', 'redis', 'ingest', 'stream', 'batch'])
	assert.ok(json.uptime_s >= 0 && json.version && json.connections.web <= json.connections.server_limit)
	assert.deepEqual([json.connections.breaker, json.cache.listening], ['closed', true])
	assert.ok(json.schema_version >= 4 && json.web_heartbeat_age_s < 30)
	assert.equal((await site.get('/health/live')).status, 200)
	assert.equal((await site.get('/health/ready')).status, 200)
})

test('the web program was given no way into order_db', async () => {
	const pids = site.pids('takings-web')
	assert.equal(pids.length, 1)
	for (const pid of pids) assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'latin1'), /order_db|order_ro|order_owner/)
})

test('nginx listens on loopback only', async () => {
	const { stdout } = await run('ss', ['-Hltn', `sport = :${site.port}`])
	assert.deepEqual(stdout.trim().split('\n').map((line) => line.split(/\s+/)[3]), [`127.0.0.1:${site.port}`])
})

test('two hundred requests at once are all answered', async () => {
	const answers = await Promise.all([...Array(200).keys()].map((i) => site.get(`${API}/hourly?date=${truth.days.at(-1 - i % 30).date}`)))
	assert.deepEqual([...new Set(answers.map((a) => a.status))], [200])
})

test('killed, the web program comes back', async () => {
	const [pid] = site.pids('takings-web')
	process.kill(pid, 'SIGKILL')
	await until(() => site.pids('takings-web').some((p) => p !== pid), { what: 'another process' })
	await until(async () => (await site.get(`${API}/summary`)).status === 200, { what: 'the web program' })
})

test('a database that is away: 503 with Retry-After, then right again', async () => {
	const pg = (command) => run(path.join(root, 'tools/instance.sh'),
		[command, site.env.INSTANCE_DIR], { env: site.env })
	const want = (await site.get(`${API}/hourly`)).json.hours
	await pg('pg-crash')
	// Sessions outlive a killed server for a moment; what they answer is still right.
	const away = await until(async () => {
		const answer = await site.get(`${API}/hourly`)
		if (answer.status === 200) assert.deepEqual(answer.json.hours, want)
		return answer.status !== 200 && answer
	}, { what: 'the database to be gone' })
	assert.equal(away.status, 503)
	assert.match(away.headers['retry-after'], /^[1-5]$/)
	assert.doesNotMatch(away.text, /sock|connection to server/) // no inner workings
	const health = await site.get('/health')
	assert.deepEqual([health.status, health.json.status, health.json.checks.analytics_db.status], [503, 'down', 'down'])
	assert.equal((await site.get('/health/live')).status, 200)
	assert.equal((await site.get('/health/ready')).status, 503)
	const page = await site.get('/admin/')
	assert.equal(page.status, 503)
	assert.match(page.headers['content-type'], /text\/html/)
	assert.equal((await pg('pg-start')).code, 0)
	await until(async () => (await site.get(`${API}/hourly`)).status === 200, { what: 'the answer' })
	assert.deepEqual((await site.get(`${API}/hourly`)).json.hours, want)
})

test('a second start of the same instance says so and harms nothing', async () => {
	const again = await site.tool('up')
	assert.match(again.stdout + again.stderr, /already|runs/i)
	assert.equal((await site.get('/health')).status, 200)
})
