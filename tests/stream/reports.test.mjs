// The five reports: what they say, where they lie, when they are made. takings-stream itself over live tables
// filled by hand, and a bucket that checks every signature.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import S3rver from 's3rver'
import { fillLive, numbers } from '../lib/fill.mjs'
import { sleep, until } from '../lib/process.mjs'
import { S3 } from '../lib/s3.mjs'
import { freePort, scratch } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop } from '../lib/stream.mjs'

const FOLDERS = ['daily_sales', 'product_sales', 'customer_metrics', 'order_status', 'summary']
const order = (id, more = {}) => ({ id, day: '2025-01-15', currency: 'EUR', status: 'completed', counted: true, total: 1000, customer: 'c1', items: [['p1', '1', '10.00']], ...more })

// Numbers as they stand in the text: { "12.50" } and not 12.5.
const exact = (text) => JSON.parse(text.replace(/([[:,]\s*)(-?\d+(?:\.\d+)?)(?=\s*[,}\]])/g, '$1"$2"'))
const plain = (text) => JSON.parse(text)
const minor = (amount) => BigInt(amount.replace('.', ''))

let shop, s3, stream
before(async () => { shop = await liveShop({ REVENUE_PROFILE: 'commerce', DEFAULT_CURRENCY: 'EUR' }) })
beforeEach(async () => {
	await shop.cache.exec('TRUNCATE report_outbox, report_flush, report_day, live_day, live_status, live_customer, live_product, stream_position')
	s3 = await S3.start()
})
afterEach(async () => {
	await stream?.kill()
	stream = undefined
	await s3.stop()
	assert.deepEqual(s3.refusals, [], 'every request was signed as it must be, and none asked for more than it needs')
})
after(() => shop.cache.drop())

const live = (orders) => shop.cache.exec(fillLive(orders))
const start = async (settings = {}) => { stream = await Stream.start(shop.cache, s3.settings({ FLUSH_INTERVAL: '1', ...settings })); return stream }
const stamps = () => [...s3.objects.keys()].filter((key) => key.startsWith('analytics/summary/')).map((key) => /(\w+)\.json$/.exec(key)[1]).sort()
const flushes = (n) => until(() => stamps().length >= n, { what: `${n} flushes` })
const text = (folder, stamp = stamps().at(-1)) => String(s3.objects.get(`analytics/${folder}/${stamp}.json`))
const report = (folder, stamp) => exact(text(folder, stamp))

// Makes one set of these orders' reports, with these settings.
async function flushed(orders, settings) {
	await live(orders)
	const n = stamps().length
	await start(settings)
	await flushes(n + 1)
	assert.equal(await stream.stop(), 0)
	return Object.fromEntries(FOLDERS.map((folder) => [folder, report(folder)]))
}

describe('the reports', () => {
	it('have the documented shapes, names and figures', async () => {
		const orders = [
			order(1, { total: 1542000, customer: '1001', items: [['123', '25', '32499.75'], ['9', '1', '0.05']] }),
			order(2, { total: 50, refund: 25, status: 'pending', customer: '1002' , items: [] }),
			order(3, { total: 999, counted: false, status: 'cancelled', customer: '1001' }),
			order(4, { day: '2025-01-16', total: 100, status: 'processing', customer: undefined, items: [['9', '0.5', '1.00']] }),
		]
		await shop.cache.exec("INSERT INTO stream_position (source, topic, partition, next) VALUES ('kafka', 'orders', 0, 17)")
		await flushed(orders)
		const [stamp] = stamps()
		assert.match(stamp, /^\d{8}_\d{6}$/)
		assert.deepEqual([...s3.objects.keys()], FOLDERS.map((folder) => `analytics/${folder}/${stamp}.json`))
		const at = stamp.replace(/(....)(..)(..)_(..)(..)(..)/, '$1-$2-$3T$4:$5:$6')
		assert.ok(Math.abs(Date.parse(`${at}Z`) - Date.now()) < 60_000, 'the name is of now, in UTC')
		const envelope = { generated_at: at, generated_at_utc: `${at}Z`, tz: 'Europe/Berlin', basis: 'order_date', currency: 'EUR', by_currency: {},
			window: { from: null, to: `${at}Z`, orders: 4, revenue: 15421.25, by_currency: {} },
			source_position: [{ source: 'kafka', topic: 'orders', partition: 0, next: 17 }] }
		const figures = {
			daily_sales: { report_type: 'daily_sales', data: { '2025-01-15': { total_amount: 15420.25, order_count: 3 }, '2025-01-16': { total_amount: 1, order_count: 1 } } },
			product_sales: { report_type: 'product_sales', data: { 123: { quantity_sold: 25, total_revenue: 32499.75 }, 9: { quantity_sold: 1.5, total_revenue: 1.05 } },
				others: { count: 0, quantity_sold: 0, total_revenue: 0 } },
			customer_metrics: { report_type: 'customer_metrics', data: { 1001: { order_count: 2, total_spent: 15420 }, 1002: { order_count: 1, total_spent: 0.25 } },
				others: { count: 0, order_count: 0, total_spent: 0 }, unknown: { order_count: 1, total_spent: 1 } },
			order_status: { report_type: 'order_status_distribution', data: { cancelled: 1, completed: 1, pending: 1, processing: 1 } },
			summary: { report_type: 'summary', metrics: { total_orders: 4, total_revenue: 15421.25, unique_customers: 2, unique_products_sold: 2,
				order_status_breakdown: { cancelled: 1, completed: 1, pending: 1, processing: 1 } } },
		}
		for (const folder of FOLDERS) assert.deepEqual(plain(text(folder)), { ...envelope, ...figures[folder] }, folder)
		for (const folder of FOLDERS) assert.match(text(folder), /^\{"report_type":"\w+","generated_at":"[^"]+","(data|metrics)"/, 'the promised part comes first')
		assert.ok(s3.stored.every((put) => put.type === 'application/json'))
		assert.match(text('daily_sales'), /"total_amount" : 15420\.25,/)
		assert.match(text('customer_metrics'), /"total_spent" : 15420\.00\}/, 'with the digits of the currency')
		const done = stream.events.find((e) => e.event === 'flush_ok')
		assert.equal(done.reports, 5)
		assert.equal(done.bytes, [...s3.objects.values()].reduce((n, body) => n + body.length, 0))
		assert.ok(done.ms >= 0 && done.ms < 15000)
		assert.deepEqual(done.keys.split(' '), [...s3.objects.keys()])
	})

	it('agree with each other to the cent, whatever the orders', async () => {
		const random = numbers(7)
		const orders = Array.from({ length: 3000 }, (_, id) => {
			const counted = random(10) > 1
			return order(id, { day: `2025-02-${String(1 + random(28)).padStart(2, '0')}`, location: random(3), counted, total: random(100_000_000_000),
				refund: counted ? random(1000) : 0, status: counted ? ['completed', 'pending'][random(2)] : 'cancelled', customer: random(20) ? `c${random(400)}` : undefined,
				items: Array.from({ length: random(4) }, () => [`p${random(300)}`, String(random(9) / 2), `${random(100000)}.${String(random(10000)).padStart(4, '0')}`]) })
		})
		const all = await flushed(orders)
		const spent = (rows) => rows.reduce((n, row) => n + minor(row.total_spent ?? row.total_amount), 0n)
		const counts = (rows) => rows.reduce((n, row) => n + Number(row.order_count), 0)
		const counted = orders.filter((o) => o.counted)
		const revenue = counted.reduce((n, o) => n + BigInt(o.total - o.refund), 0n)
		const { metrics } = all.summary
		assert.equal(minor(metrics.total_revenue), revenue)
		assert.equal(spent(Object.values(all.daily_sales.data)), revenue)
		const customers = [...Object.values(all.customer_metrics.data), all.customer_metrics.others, all.customer_metrics.unknown]
		assert.equal(spent(customers), revenue)
		assert.equal(Number(metrics.total_orders), 3000)
		assert.equal(counts(Object.values(all.daily_sales.data)), 3000)
		assert.equal(counts(customers), 3000)
		for (const map of [all.order_status.data, metrics.order_status_breakdown])
			assert.equal(Object.values(map).reduce((n, v) => n + Number(v), 0), 3000)
		assert.equal(Object.keys(all.customer_metrics.data).length, 100)
		assert.equal(100 + Number(all.customer_metrics.others.count), Number(metrics.unique_customers))
		assert.equal(Object.keys(all.product_sales.data).length + Number(all.product_sales.others.count), Number(metrics.unique_products_sold))
	})

	it('leave out what is below TOP_N, and say how much that is', async () => {
		// The first two have the same revenue: quantity, then the id decide.
		const items = [['b', '1', '5.00'], ['a', '1', '5.00'], ['c', '2', '5.00'], ['d', '9', '0.125'], ['e', '1', '7.00']]
		const rank = ['e', 'c', 'a', 'b', 'd']
		const customers = items.map(([id, quantity, amount], i) => Array.from({ length: Number(quantity) }, (_, n) =>
			order(i * 100 + n, { customer: id, total: n ? 0 : Math.round(Number(amount) * 100), items: n ? [] : [[id, quantity, amount]] }))).flat()
		const whole = await flushed(customers, { TOP_N: '100' })
		assert.deepEqual(whole.product_sales.data.d, { quantity_sold: '9', total_revenue: '0.12' }, 'half a cent goes to the even one')
		for (const n of [1, 4, 5, 6]) {
			const all = await flushed(customers, { TOP_N: String(n) })
			const shown = rank.slice(0, n)
			for (const [folder, count, money] of [['product_sales', 'quantity_sold', 'total_revenue'], ['customer_metrics', 'order_count', 'total_spent']]) {
				const { data, others } = all[folder]
				assert.deepEqual(Object.keys(data), shown, `${folder}, top ${n}`)
				for (const id of shown) assert.deepEqual(data[id], whole[folder].data[id])
				const rest = rank.slice(n).map((id) => whole[folder].data[id])
				assert.equal(others.count, String(rest.length))
				assert.equal(Number(others[count]), rest.reduce((all, row) => all + Number(row[count]), 0))
				assert.equal(minor(others[money]), rest.reduce((all, row) => all + minor(row[money]), 0n))
			}
		}
	})

	it('tell again only the days that changed, with all of them; one that is gone as zeros', async () => {
		const first = [order(1), order(2, { day: '2025-01-16' }), order(3, { day: '2025-01-17' })]
		await flushed(first)
		const second = await flushed([order(1), order(4, { total: 5, customer: 'c2' }), order(2, { day: '2025-01-16' })])
		assert.deepEqual(second.daily_sales.data, { '2025-01-15': { total_amount: '10.05', order_count: '2' }, '2025-01-17': { total_amount: '0.00', order_count: '0' } })
		assert.deepEqual(second.summary.window.orders, '0')
		assert.equal(second.summary.window.revenue, '-9.95')
		const [before, now] = stamps().map((stamp) => report('summary', stamp))
		assert.equal(now.window.from, before.generated_at_utc)
		assert.equal(now.window.to, now.generated_at_utc)
		assert.equal(now.metrics.total_orders, '3')
		const third = await flushed([order(1), order(4, { total: 5, customer: 'c2' }), order(2, { day: '2025-01-16', status: 'pending' })])
		assert.deepEqual(third.daily_sales.data, {}, 'a status alone moves no day')
		assert.deepEqual(third.order_status.data, { completed: '2', pending: '1' })
	})

	it('never add two currencies', async () => {
		const all = await flushed([order(1), order(2, { currency: 'JPY', total: 500, items: [['p1', '1', '500']] }), order(3, { currency: 'KWD', total: 1234, status: 'pending' })])
		assert.equal(all.summary.metrics.total_revenue, '10.00')
		assert.equal(all.summary.metrics.total_orders, '1')
		assert.deepEqual(Object.keys(all.summary.by_currency), ['JPY', 'KWD'])
		assert.equal(all.summary.by_currency.JPY.metrics.total_revenue, '500')
		assert.deepEqual(all.summary.by_currency.KWD.metrics.order_status_breakdown, { pending: '1' })
		assert.deepEqual(all.daily_sales.by_currency, { JPY: { data: { '2025-01-15': { total_amount: '500', order_count: '1' } } },
			KWD: { data: { '2025-01-15': { total_amount: '1.234', order_count: '1' } } } })
		assert.equal(all.product_sales.by_currency.JPY.data.p1.total_revenue, '500')
		assert.equal(all.customer_metrics.by_currency.KWD.data.c1.total_spent, '1.234')
		assert.equal(all.summary.window.by_currency.JPY.revenue, '500')
	})

	it('keep any name whole', async () => {
		const odd = 'a"b\\c\u2028</script>\n\t é 🍕 \' : {[,]}'
		const all = await flushed([order(1, { customer: odd, status: odd, items: [[odd, '1', '1.00']] })])
		for (const [folder, name] of [['product_sales', 'data'], ['customer_metrics', 'data'], ['order_status', 'data']])
			assert.deepEqual(Object.keys(plain(text(folder))[name]), [odd], folder)
		assert.ok(all)
	})
})

describe('a flush', () => {
	it('is made only where something changed, unless FLUSH_EMPTY', async () => {
		await live([order(1)])
		await start()
		await flushes(1)
		await sleep(2500)
		assert.equal(stamps().length, 1)
		await live([order(1), order(2)])
		await flushes(2)
		await stream.stop()
		assert.equal(stamps().length, 2, 'nothing new at the end, either')
		await start({ FLUSH_EMPTY: '1' })
		await flushes(4)
		assert.deepEqual(report('daily_sales').data, {})
		assert.equal(report('summary').metrics.total_orders, '2')
		assert.equal(report('summary').window.orders, '0')
	})

	it('is made at the end, and the interval goes on over a restart', async () => {
		await live([order(1)])
		await start({ FLUSH_INTERVAL: '3600' })
		await flushes(1)
		await live([order(1), order(2)])
		await sleep(1500)
		assert.equal(stamps().length, 1, 'not before its time')
		assert.equal(await stream.stop(), 0)
		assert.equal(stamps().length, 2)
		assert.equal(report('summary').metrics.total_orders, '2')
		await live([order(1), order(2), order(3)])
		await start({ FLUSH_INTERVAL: '3600' })
		await sleep(1500)
		assert.equal(stamps().length, 2)
		assert.equal(await stream.stop('SIGINT'), 0)
		assert.equal(report('summary').metrics.total_orders, '3')
	})

	it('in a second that was taken gets a number', async () => {
		await live([order(1)])
		const taken = Array.from({ length: 20 }, (_, n) => `(now() + interval '${n} s')`)
		await shop.cache.exec(`INSERT INTO report_flush (stamp, made_at, live_version, totals, done_at)
			SELECT to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS') || s, at - interval '1 day', -1, '{}', now()
			FROM unnest(ARRAY[${taken}]) at, unnest(ARRAY['', '_001']) s`)
		await start()
		await flushes(1)
		assert.match(stamps()[0], /^\d{8}_\d{6}_002$/)
		assert.deepEqual([...s3.objects.keys()], FOLDERS.map((folder) => `analytics/${folder}/${stamps()[0]}.json`))
	})

	it('is one for all processes, and another takes over', async () => {
		await live([order(1)])
		const others = [await Stream.start(shop.cache, s3.settings({ FLUSH_INTERVAL: '1' })), await Stream.start(shop.cache, s3.settings({ FLUSH_INTERVAL: '1' }))]
		try {
			for (let n = 2; n < 7; n++) {
				await flushes(n - 1)
				await live(Array.from({ length: n }, (_, i) => order(i)))
			}
			await flushes(6)
			const leads = (s) => s.events.some((e) => e.event === 'reports_begin')
			assert.equal(others.filter(leads).length, 1)
			assert.equal(new Set(s3.stored.map((put) => put.key)).size, s3.stored.length, 'each report was stored once')
			const [leader, follower] = leads(others[0]) ? others : [others[1], others[0]]
			await leader.kill()
			await live([order(1)])
			await until(() => leads(follower), { what: 'the other one' })
			await flushes(7)
		} finally {
			await Promise.all(others.map((s) => s.kill()))
		}
	})

	it('before the batch has ever run is none', async () => {
		await shop.cache.exec('UPDATE live_site SET rules_id = NULL, live_version = live_version + 1')
		await start({ FLUSH_EMPTY: '1' })
		await sleep(1500)
		assert.equal((await stream.status()).status, 'ok')
		assert.equal(await stream.stop(), 0)
		assert.equal(s3.objects.size, 0)
	})

	it('forgets old ones, but not what it compares with', async () => {
		await shop.cache.exec(`INSERT INTO report_flush (stamp, made_at, live_version, totals, done_at)
			SELECT 'old' || n, now() - interval '9 days', 0, '{}', CASE WHEN n > 1 THEN now() - interval '9 days' END FROM generate_series(1, 3) n`)
		await flushed([order(1)])
		assert.deepEqual((await shop.cache.query('SELECT stamp FROM report_flush ORDER BY 1')).map((r) => r.stamp), [stamps()[0], 'old1'])
	})
})

describe('what a source has read', () => {
	it('is in the last reports of a process that is told to stop', async () => {
		const kafka = await Kafka.start({ orders: 2 })
		try {
			await start({ ...kafka.settings(), KAFKA_TOPICS: 'orders', FLUSH_INTERVAL: '3600' })
			const put = (n, type, more) => kafka.put('orders', n % 2, `o${n}`, { event_type: type, event_id: `${type}${n}`, order_id: `o${n}`, ...more })
			for (let n = 0; n < 3000; n++)
				put(n, 'OrderCreatedEvent', { created_at: '2025-01-15T10:00:00Z', status: 'pending', currency: 'EUR', total_amount: '10.10', customer_id: `c${n % 7}`,
					items: [{ product_id: `p${n % 3}`, quantity: 2, unit_price: '5.05' }] })
			for (let n = 0; n < 3000; n += 3)
				put(n, 'OrderCancelledEvent', { occurred_at: '2025-01-15T11:00:00Z', reason: 'no' })
			await kafka.flush()
			await until(async () => (await shop.cache.value('SELECT count(*) FROM order_state')) > 0, { what: 'the first orders' })
			assert.equal(await stream.stop(), 0)
			const read = await shop.cache.one("SELECT count(*) AS orders, count(*) FILTER (WHERE counted) AS counted FROM order_state WHERE born")
			const { metrics, source_position: at } = plain(text('summary'))
			assert.equal(metrics.total_orders, read.orders)
			assert.equal(minor(report('summary').metrics.total_revenue), BigInt(read.counted) * 1010n)
			assert.deepEqual(at, await shop.cache.query("SELECT source, topic, partition, next FROM stream_position ORDER BY 1, 2, 3"))
			await start({ ...kafka.settings(), KAFKA_TOPICS: 'orders' })
			await until(() => plain(text('order_status')).data.CANCELLED === 1000 || plain(text('order_status')).data.cancelled === 1000, { what: 'all of it' })
			await stream.stop()
			const all = Object.fromEntries(FOLDERS.map((folder) => [folder, report(folder)]))
			assert.equal(all.summary.metrics.total_orders, '3000')
			assert.equal(all.summary.metrics.total_revenue, '20200.00')
			assert.equal(all.summary.metrics.unique_customers, '7')
			assert.equal(Object.values(all.product_sales.data).reduce((n, row) => n + minor(row.total_revenue), 0n), 2020000n)
			assert.equal(Object.values(all.customer_metrics.data).reduce((n, row) => n + minor(row.total_spent), 0n), 2020000n)
		} finally {
			await kafka.stop()
		}
	})
})

describe('reports in a directory', () => {
	it('lie as in the bucket', async () => {
		const dir = path.join(scratch(), 'reports', 'deep')
		await live([order(1)])
		stream = await Stream.start(shop.cache, { REPORT_DIR: dir, FLUSH_INTERVAL: '1' })
		await until(async () => stream.events.some((e) => e.event === 'flush_ok'), { what: 'a flush' })
		assert.equal(await stream.stop(), 0)
		const [name] = readdirSync(path.join(dir, 'analytics/summary'))
		assert.match(name, /^\d{8}_\d{6}\.json$/)
		assert.deepEqual(readdirSync(path.join(dir, 'analytics')).sort(), [...FOLDERS].sort())
		for (const folder of FOLDERS) {
			assert.deepEqual(readdirSync(path.join(dir, 'analytics', folder)), [name], 'and nothing half')
			const file = path.join(dir, 'analytics', folder, name)
			assert.equal(statSync(file).mode & 0o777, 0o644)
			assert.ok(plain(readFileSync(file, 'utf8')).report_type)
		}
	})

	it('wait until they can be written', async () => {
		const dir = path.join(scratch(), 'blocked')
		writeFileSync(dir, 'a file')
		await live([order(1)])
		stream = await Stream.start(shop.cache, { REPORT_DIR: dir, FLUSH_INTERVAL: '1' })
		await until(async () => (await stream.status()).status === 'degraded', { what: 'the bad news' })
		assert.match((await stream.status()).detail, /^reports: .*blocked.*directory/i)
		const { rm } = await import('node:fs/promises')
		await rm(dir)
		mkdirSync(dir)
		await until(async () => (await stream.status()).status === 'ok' && stream.events.some((e) => e.event === 'flush_ok'), { what: 'the reports' })
	})

	it('are not made where neither is set', async () => {
		await live([order(1)])
		stream = await Stream.start(shop.cache, { FLUSH_INTERVAL: '1' })
		assert.equal(await stream.stop(), 0)
		assert.equal(await shop.cache.value('SELECT count(*) FROM report_flush'), 0)
	})
})

describe('another store that speaks S3', () => {
	it('takes them, too', async () => {
		const port = await freePort()
		const directory = path.join(scratch(), 's3rver')
		const server = new S3rver({ address: '127.0.0.1', port, directory, silent: true, configureBuckets: [{ name: 'reports' }] })
		await server.run()
		try {
			await live([order(1)])
			stream = await Stream.start(shop.cache, { S3_BUCKET: 'reports', S3_ENDPOINT: `http://127.0.0.1:${port}/`, AWS_ACCESS_KEY_ID: 'S3RVER',
				AWS_SECRET_ACCESS_KEY: 'S3RVER', FLUSH_INTERVAL: '1' })
			await until(() => stream.events.some((e) => e.event === 'flush_ok'), { what: 'a flush' })
			assert.equal(await stream.stop(), 0)
			const keys = stream.events.find((e) => e.event === 'flush_ok').keys.split(' ')
			assert.equal(keys.length, 5)
			for (const key of keys) {
				const body = await (await fetch(`http://127.0.0.1:${port}/reports/${key}`)).json()
				assert.ok(body.report_type)
			}
		} finally {
			await server.close()
		}
	})
})
