// Four ways of the same orders to the same figures: order events, Debezium, logical replication, and the
// nightly batch; in any order and twice. And what a run says where one of them was told less. SEED=n repeats it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { envelopesOf, eventOf, histories, randomOf, shuffled, snapshotOf, sqlOf, TABLES } from '../lib/histories.mjs'
import { root, until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { Shop } from '../lib/shop.mjs'
import { Kafka, Stream, positions } from '../lib/stream.mjs'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const SETTINGS = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4', DEFAULT_CURRENCY: 'EUR' }
// The days on which the clocks change, and those around them.
const RANGES = [[Date.UTC(2024, 2, 30), Date.UTC(2024, 3, 1, 12)], [Date.UTC(2024, 9, 26), Date.UTC(2024, 9, 28, 12)]]
const DAYS = [['2024-03-29', '2024-04-20'], ['2024-10-25', '2024-11-20']]
const PARTITIONS = 3
const CONF = 'wal_level = logical\nfsync = off\nsynchronous_commit = off\nshared_buffers = 64MB\nmax_connections = 80\nautovacuum = off\n'

const FIGURES = {
	live_day: 'location_id, business_date, currency, placed, counted, gross_minor, refund_minor, booked_minor, discount_minor, tax_minor, shipping_minor, tip_minor',
	live_status: '*',
	live_hour: 'location_id, hour_at, currency, business_date, hour, placed, counted, gross_minor, refund_minor',
	live_minute: '*',
	live_item: 'location_id, business_date, currency, item_id, trim_scale(quantity) AS quantity, trim_scale(amount) AS amount, orders',
	live_product: 'currency, item_id, trim_scale(quantity) AS quantity, trim_scale(amount) AS amount, orders',
	live_customer: '*',
}

async function figures(cache) {
	let text = ''
	for (const [table, columns] of Object.entries(FIGURES))
		text += `${table}\n` + await cache.text(`SELECT * FROM (SELECT ${columns} FROM ${table}) t ORDER BY t::text COLLATE "C"`)
	return text
}

let server, kafka, orders
const streams = []
let topics = 0

before(async () => {
	server = await ownPostgres('ways-pg', CONF)
	orders = await newOrders()
	kafka = await Kafka.start()
})
after(async () => {
	for (const s of streams) await s.stop()
	await kafka?.stop()
})

async function newOrders() {
	const db = await server.create()
	await db.exec(TABLES)
	return db
}

// An analytics_db over the orders with rules in force.
async function newShop(from = orders) {
	const shop = await Shop.open({ orders: from, cache: await server.create(), ...SETTINGS })
	await shop.expectRun(0, '--date', DAYS[0][0])
	return shop
}

// A stream into a new analytics_db that reads these topics; put(messages) waits until all of them are figures.
async function byKafka(tables, shop) {
	const prefix = `ways${++topics}`
	const own = Object.fromEntries(tables.map((t) => [t, `${prefix}.public.${t}`]))
	for (const topic of Object.values(own)) await kafka.ask('topic', topic, PARTITIONS)
	const stream = await Stream.start(shop.cache, kafka.settings({ KAFKA_TOPICS: Object.values(own).join(','), KAFKA_GROUP_ID: prefix }))
	streams.push(stream)
	let sent = 0
	const put = async (messages, random) => {
		for (const { table, key, value } of messages)
			kafka.put(own[table], Math.floor(random() * PARTITIONS), JSON.stringify(key), value)
		await kafka.flush()
		sent += messages.length
		await until(async () => (await positions(shop.cache)).reduce((n, p) => n + p.next, 0) === sent, { what: `${sent} messages read`, limit: 120_000 })
	}
	return { shop, stream, put }
}

// A stream that follows order_db by a slot of its own.
async function byReplication(shop) {
	const publish = await shop.orders.psql(['-f', path.join(root, 'sql/order_db/replication.sql')])
	assert.equal(publish.code, 0, publish.stderr)
	const stream = await Stream.start(shop.cache, { ORDER_REPLICATION_URL: shop.orders.url(), ORDER_REPLICATION_SLOT: `ways${++topics}` })
	streams.push(stream)
	return { shop, stream }
}

const asEvents = (steps) => steps.filter((s) => s.kind !== 'refund').map((s) => ({ table: 'orders', ...eventOf(s) }))
const asEnvelopes = (steps) => steps.flatMap((s, i) => envelopesOf(s, 1000 + i * 100))

// Disorder, and every tenth message twice.
function disturbed(messages, random) {
	return shuffled([...messages, ...messages.filter(() => random() < 0.1)], random)
}

async function runAll(shop) {
	for (const [from, to] of DAYS) await shop.expectRun(0, '--from', from, '--to', to)
}

const differing = (shop) => shop.cache.query(`SELECT business_date::text AS day, status FROM reconciliation WHERE status <> 'equal' ORDER BY 1`)
const named = (shop) => shop.cache.query('SELECT order_id AS id, reason, business_date::text AS day FROM reconciliation_order ORDER BY 1, 3')

async function assertReconciled(shop) {
	assert.deepEqual(await named(shop), [])
	assert.deepEqual(await differing(shop), [])
	const [a, b] = DAYS.map(([from, to]) => (new Date(to) - new Date(from)) / 86_400_000 + 1)
	assert.equal(await shop.cache.value('SELECT count(*)::int FROM reconciliation'), a + b)
}

// Row by row, not by what the run itself thinks of it.
async function assertBatchIsSame(shop) {
	const both = async (cached, live) => assert.equal(await shop.cache.text(live), await shop.cache.text(cached))
	const order = 'ORDER BY 1, 2, 3, 4, 5'
	await both(
		`SELECT location_id, business_date, currency, order_count, served_count, gross_minor, refund_minor, booked_minor, tax_minor FROM daily_revenue_cache
		 WHERE (order_count, revenue_minor, booked_minor) <> (0, 0, 0) ${order}`,
		`SELECT location_id, business_date, currency, placed, counted, gross_minor, refund_minor, booked_minor, tax_minor FROM live_day ${order}`)
	await both(
		`SELECT location_id, business_date, currency, key, value::bigint FROM daily_revenue_cache, jsonb_each_text(orders_by_status) ${order}`,
		`SELECT location_id, business_date, currency, status, orders FROM live_status ${order}`)
	await both(
		`SELECT location_id, business_date, currency, hour, order_count, served_count, revenue_minor FROM hourly_order_cache WHERE order_count > 0 ${order}`,
		`SELECT location_id, business_date, currency, hour, sum(placed), sum(counted), sum(gross_minor - refund_minor) FROM live_hour GROUP BY 1, 2, 3, 4 ${order}`)
	await both(
		`SELECT location_id, business_date, currency, item_id, order_count, trim_scale(quantity), revenue_minor FROM item_sales_cache ${order}`,
		`SELECT location_id, business_date, currency, item_id, orders, trim_scale(quantity), money_minor(amount, currency) FROM live_item ${order}`)
}

describe(`four ways to the same figures (SEED=${seed})`, () => {
	const random = randomOf(seed)
	const steps = histories({ seed, count: 400, ranges: RANGES })
	let events, changes, slot

	it('order events, Debezium and logical replication', async () => {
		events = await byKafka(['orders'], await newShop())
		changes = await byKafka(['orders', 'order_items'], await newShop())
		// Half of it is there before the slot's first copy, half comes while it follows.
		const half = Math.floor(steps.length / 2)
		const slotShop = await newShop()
		await orders.exec(steps.slice(0, half).map(sqlOf).join(''))
		slot = await byReplication(slotShop)
		await orders.exec(steps.slice(half).map(sqlOf).join(''))
		await events.put(disturbed(asEvents(steps), random), random)
		await changes.put(disturbed(asEnvelopes(steps), random), random)
		const expected = await figures(events.shop.cache)
		assert.ok(expected.split('\n').length > 300)
		assert.equal(await figures(changes.shop.cache), expected)
		await until(async () => await figures(slot.shop.cache) === expected, { what: 'the slot', limit: 60_000 }).catch(() => {})
		assert.equal(await figures(slot.shop.cache), expected)
		for (const way of [events, changes, slot]) assert.equal(await way.shop.cache.value('SELECT count(*)::int FROM dead_letter'), 0)
	})

	it('and the batch, which says so', async () => {
		for (const way of [events, changes, slot]) {
			await runAll(way.shop)
			await assertBatchIsSame(way.shop)
			await assertReconciled(way.shop)
		}
	})

	it('in another order and all of it twice, too', async () => {
		const expected = await figures(events.shop.cache)
		await events.put(shuffled(asEvents(steps), random), random)
		await changes.put(shuffled(asEnvelopes(steps), random), random)
		assert.equal(await figures(events.shop.cache), expected)
		assert.equal(await figures(changes.shop.cache), expected)
		const again = await byKafka(['orders'], await newShop())
		await again.put(shuffled([...asEvents(steps), ...asEvents(steps)], random), random)
		assert.equal(await figures(again.shop.cache), expected)
	})
})

describe(`what a run says of a stream that was told less (SEED=${seed})`, () => {
	const random = randomOf(seed + 1)
	const steps = histories({ seed: seed + 1, count: 300, ranges: RANGES, refunds: true })
	const lastOf = new Map(steps.map((s) => [(s.now ?? s.was).id, s]))
	let way, db

	before(async () => {
		db = await newOrders()
		await db.exec(steps.map(sqlOf).join(''))
		way = await byKafka(['orders', 'order_items', 'order_refunds'], await newShop(db))
	})

	it('names exactly the orders whose events were withheld, and why', async () => {
		// Of each kind of last step a few: those messages come later.
		const withheld = new Map() // id -> reason
		const take = (n, reason, fits) => {
			for (const [id, s] of shuffled([...lastOf], random)) if (n > 0 && !withheld.has(id) && fits(s)) { withheld.set(id, reason); n-- }
			assert.equal(n, 0, `too few orders for ${reason}`)
		}
		take(3, 'status', (s) => s.kind === 'status')
		take(2, 'status', (s) => s.kind === 'cancel')
		take(2, 'refunds', (s) => s.kind === 'refund' && s.now.status === 'SERVED' && Number(s.now.refunds[0].amount) > 0)
		take(2, 'missing_in_order_db', (s) => s.kind === 'delete')
		const silent = new Set()
		take(4, 'missing_in_stream', (s) => s.now && s.kind !== 'create')
		for (const [id, reason] of withheld) if (reason === 'missing_in_stream') silent.add(id)
		const isHeld = (s) => { const { id } = s.now ?? s.was; return silent.has(id) || (withheld.has(id) && s === lastOf.get(id)) }
		const numbered = steps.map((s, i) => [s, envelopesOf(s, 1000 + i * 100)])
		const sent = numbered.filter(([s]) => !isHeld(s)).flatMap(([, m]) => m)
		const held = numbered.filter(([s]) => isHeld(s)).flatMap(([, m]) => m)
		await way.put(disturbed(sent, random), random)
		await runAll(way.shop)
		const found = new Map((await named(way.shop)).map((r) => [Number(r.id), r.reason]))
		assert.deepEqual([...found].sort(), [...withheld].sort())
		assert.equal(await way.shop.cache.value('SELECT count(*)::int FROM batch_run WHERE warnings::text LIKE $$%stream_differs%$$') > 0, true)

		await way.put(disturbed(held, random), random)
		await runAll(way.shop)
		await assertBatchIsSame(way.shop)
		await assertReconciled(way.shop)
	})

	it('finds what was deleted while nobody listened, which a fresh snapshot does not tell', async () => {
		const expected = await figures(way.shop.cache)
		await way.put(shuffled(snapshotOf(steps, 1e9, Date.UTC(2024, 11, 1)), random), random)
		assert.equal(await figures(way.shop.cache), expected) // a snapshot of what is known changes nothing
		// Not the oldest: a day before the first that order_db still holds is kept as it was.
		const there = [...lastOf.values()].filter((s) => s.now)
		const oldest = Math.min(...there.map((s) => s.now.placed))
		const gone = shuffled(there.filter((s) => s.now.placed > oldest + 2 * 86_400_000), random).slice(0, 7).map((s) => s.now.id)
		await db.exec(`DELETE FROM order_items WHERE order_id IN (${gone}); DELETE FROM order_refunds WHERE order_id IN (${gone}); DELETE FROM orders WHERE id IN (${gone})`)
		const left = steps.filter((s) => !gone.includes((s.now ?? s.was).id))
		await way.put(snapshotOf(left, 2e9, Date.UTC(2024, 11, 2)), random)
		assert.equal(await figures(way.shop.cache), expected)
		await runAll(way.shop)
		const found = await named(way.shop)
		assert.deepEqual([...new Set(found.map((r) => Number(r.id)))].sort(), gone.sort())
		assert.ok(found.every((r) => r.reason === 'missing_in_order_db'))
	})
})
