// takings-batch demo --activity: believable visits to the demo's site, always the same ones, stored as tracked events.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { sleep } from '../lib/process.mjs'
import { Shop } from '../lib/shop.mjs'

const settings = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }

async function open(more = {}) {
	const shop = await Shop.open({ ...settings, ...more })
	shop.settings.DEMO_DATABASE_URL = shop.orders.url()
	await shop.batch(['migrate'])
	return shop
}
const visit = (shop, ...args) => shop.batch(['demo', '--activity', ...args])
const content = (shop, where = 'true') => shop.cache.text(`SELECT event_id, event_type, occurred_at, received_at, flags, user_id, anonymous_id, session_id, dims, price, quantity, properties FROM activity_event WHERE ${where} ORDER BY event_id`)
const account = (shop) => shop.cache.one(`SELECT sum(received)::int AS received, sum(stored)::int AS stored, sum(duplicate)::int AS duplicate, sum(quarantined)::int AS quarantined,
	sum(refused)::int AS refused, bool_and(received = stored + duplicate + quarantined + refused) AS equal, count(DISTINCT source)::int AS sources, min(source) AS source FROM activity_account`)

describe('demo --activity', () => {
	let shop, first
	before(async () => {
		shop = await open()
		first = await visit(shop)
		assert.equal(first.code, 0, first.stderr)
		await shop.batch(['demo', '--days', '100'])
	})
	const all = (query) => shop.cache.one(query)

	it('is 90 days of 60,000 to 100,000 events up to now, in a few seconds', async () => {
		const e = await all(`SELECT count(*)::int AS n, count(DISTINCT (occurred_at AT TIME ZONE 'Europe/Berlin')::date)::int AS days, max(received_at) <= now() AS past,
			min(occurred_at) > now() - interval '91 days' AS recent, count(DISTINCT event_type)::int AS types FROM activity_event`)
		assert.ok(e.n >= 60_000 && e.n <= 100_000 && e.past && e.recent && e.types === 9 && e.days >= 89 && e.days <= 91, JSON.stringify(e))
		assert.ok(first.ms < 10_000 * (process.env.SAN ? 6 : 1), `${first.ms} ms`)
		assert.match(first.stdout, /^\d+ events of \d+ visits, \d+ of which bought something, \d+ of them new, from seed 1, in \d+\.\d s; takings-stream reads them\.\n$/)
	})

	it('waits for the stream in pieces', async () => {
		const b = await all('SELECT count(*)::int AS n, sum(events)::int AS events, max(events) AS most, (SELECT count(*)::int FROM activity_event) AS rows, (SELECT count(*)::int FROM activity_id) AS ids FROM activity_batch')
		assert.ok(b.n >= 15 && b.most <= 4000 && b.events === b.rows && b.rows === b.ids, JSON.stringify(b))
	})

	it('has purchases that are orders of the demo, each once and at its time', async () => {
		const purchases = await shop.cache.query(`SELECT properties::jsonb->>'order_id' AS id, price::text AS price, occurred_at AS at FROM activity_event WHERE event_type = 'purchase' AND occurred_at > now() - interval '88 days'`)
		assert.ok(purchases.length > 700 && purchases.length < 2500, String(purchases.length))
		const orders = new Map((await shop.orders.query('SELECT id::text AS id, created_at AS at, location_id FROM orders')).map((o) => [o.id, o]))
		const strange = purchases.filter((p) => !orders.has(p.id) || Math.abs(new Date(p.at) - new Date(orders.get(p.id).at)) > 1000)
		assert.deepEqual(strange, [])
		assert.equal(new Set(purchases.map((p) => p.id)).size, purchases.length)
		// All that were delivered came over the site.
		const { delivered, online } = await shop.orders.one(`SELECT count(*)::int AS delivered, count(*) FILTER (WHERE id::text = ANY('{${purchases.map((p) => p.id)}}'))::int AS online
			FROM orders o WHERE created_at BETWEEN now() - interval '80 days' AND now() - interval '1 day' AND total_amount + discount - (SELECT sum(quantity * unit_price) FROM order_items i WHERE i.order_id = o.id) = 2.50`)
		assert.ok(delivered > 300 && online === delivered, `${online} of ${delivered}`)
	})

	it('looks at what is on the card, with its category and price', async () => {
		const items = new Set((await shop.orders.query('SELECT DISTINCT item_id::text AS id FROM order_items')).map((i) => i.id))
		const seen = await shop.cache.query(`SELECT dims[7] AS product, count(DISTINCT dims[6])::int AS categories, bool_and(price > 0 AND currency = 'EUR') AS priced FROM activity_event WHERE event_type IN ('product_view', 'add_to_cart') GROUP BY 1`)
		assert.ok(seen.length > 35 && seen.every((s) => s.categories === 1 && s.priced && items.has(s.product)), JSON.stringify(seen.filter((s) => s.categories !== 1 || !s.priced || !items.has(s.product))))
	})

	it('comes from somewhere, with something, by people who come again', async () => {
		const e = await all(`SELECT count(DISTINCT dims[2])::int AS sources, count(DISTINCT dims[3])::int AS campaigns, count(DISTINCT dims[4])::int AS devices, count(DISTINCT dims[5])::int AS browsers,
			count(DISTINCT dims[8])::int AS regions, count(DISTINCT user_id)::int AS users, count(*) FILTER (WHERE session_id IS NULL)::int AS loose FROM activity_event`)
		assert.ok(e.sources >= 6 && e.campaigns >= 3 && e.devices >= 3 && e.browsers >= 4 && e.regions === 5 && e.users > 300 && e.loose > 1000, JSON.stringify(e))
		const who = await all(`SELECT count(*) FILTER (WHERE days > 1)::int AS again, count(*) FILTER (WHERE named AND nameless)::int AS logged_in, count(*)::int AS visitors,
			(SELECT count(*)::int FROM (SELECT user_id FROM activity_event WHERE user_id IS NOT NULL GROUP BY 1 HAVING count(DISTINCT anonymous_id) > 1) two) AS two_devices
			FROM (SELECT anonymous_id, count(DISTINCT occurred_at::date) AS days, bool_or(user_id IS NOT NULL) AS named, bool_or(user_id IS NULL) AS nameless FROM activity_event GROUP BY 1) v`)
		assert.ok(who.again > 500 && who.logged_in > 300 && who.visitors > 4000 && who.two_devices > 10, JSON.stringify(who))
	})

	it('has bots, late ones, wrong clocks, and what data quality is about', async () => {
		const e = await all('SELECT count(*) FILTER (WHERE flags & 112 <> 0)::int AS bots, count(*) FILTER (WHERE flags & 8 <> 0)::int AS late, count(*) FILTER (WHERE flags & 4 <> 0)::int AS skewed FROM activity_event')
		assert.ok(e.bots > 300 && e.bots < 5000 && e.late > 100 && e.skewed > 100, JSON.stringify(e))
		const a = await account(shop)
		assert.ok(a.equal && a.source === 'demo' && a.sources === 1 && a.duplicate > 50 && a.quarantined > 0 && a.refused > 0, JSON.stringify(a))
		assert.equal(a.received, Number(/^(\d+) events/.exec(first.stdout)[1]))
	})

	it('changes nothing when it is made again', async () => {
		const before = await account(shop)
		const again = await visit(shop)
		assert.ok([0, 2].includes(again.code), again.stderr) // only what has happened in between may be new
		const added = Number(/, (\d+) of them new/.exec(again.stdout)[1])
		assert.ok(added <= 20, again.stdout)
		assert.equal((await account(shop)).received, before.received + added)
	})

	it('goes on behind the last one there is, and gives nothing back that was taken away', async () => {
		const before = await content(shop)
		const cut = `now() - interval '2 days'`
		await shop.cache.exec(`DELETE FROM activity_id WHERE event_id IN (SELECT event_id FROM activity_event WHERE received_at > ${cut} OR user_id = 'customer-5000');
			DELETE FROM activity_event WHERE received_at > ${cut} OR user_id = 'customer-5000'`)
		assert.equal((await visit(shop)).code, 0)
		const gone = new Set(before.split('\n').filter((line) => /\tcustomer-5000\t/.test(line)))
		const now = new Set((await content(shop)).split('\n'))
		const kept = before.split('\n').filter((line) => !gone.has(line))
		assert.ok(kept.every((line) => now.has(line)))
	})

	it('is the same for the same seed, and another for another', async () => {
		const [same, other] = [await open(), await open()]
		await visit(same, '--seed', '1')
		await visit(other, '--seed', '2')
		const past = `received_at < now() - interval '10 minutes' AND received_at > now() - interval '80 days' AND user_id IS DISTINCT FROM 'customer-5000'`
		assert.equal(await content(same, past), await content(shop, past))
		assert.notEqual(await content(other, past), await content(shop, past))
	})

	it('is of a demo only, one at a time, and refuses what it does not understand', async () => {
		const notDemo = await Shop.open(settings)
		await notDemo.batch(['migrate'])
		assert.match((await visit(notDemo)).stderr, /DEMO_DATABASE_URL is empty/)
		assert.match((await visit(shop, '--days', '3')).stderr, /is not understood; usage: takings-batch demo --activity/)
		const session = shop.cache.session()
		await session.ask(`SELECT pg_advisory_lock(hashtextextended('takings demo activity', 0))`)
		assert.equal((await visit(shop)).code, 3)
		await session.close()
	})

	it('in a currency without decimals, and in another zone', async () => {
		const tokyo = await open({ BUSINESS_TIMEZONE: 'Asia/Tokyo', DEFAULT_CURRENCY: 'JPY' })
		assert.equal((await visit(tokyo)).code, 0)
		assert.deepEqual(await tokyo.cache.one(`SELECT count(*) FILTER (WHERE price <> round(price))::int AS broken, count(DISTINCT currency)::int AS currencies FROM activity_event`), { broken: 0, currencies: 1 })
	})

	it('is played live, too: events of now', async () => {
		const before = await shop.cache.value('SELECT count(*)::int FROM activity_event')
		const since = await shop.cache.value('SELECT now()::text')
		const done = await shop.batch(['demo', '--live', '--rate', '30', '--seed', '4'], {}, { started: (child) => sleep(12_000).then(() => child.kill('SIGINT')) })
		assert.equal(done.code, 0, done.stderr)
		const live = await all(`SELECT count(*)::int AS n, count(DISTINCT anonymous_id)::int AS people, count(DISTINCT event_type)::int AS types FROM activity_event WHERE received_at > '${since}'
			AND occurred_at BETWEEN received_at - interval '1 second' AND received_at`)
		assert.equal(live.n, await shop.cache.value('SELECT count(*)::int FROM activity_event') - before)
		assert.equal(live.n, Number(/, (\d+) events of visits(?:, \d+ bookings)?, in \d+ s\n$/.exec(done.stdout)[1]))
		assert.ok(live.n > 20 && live.people > 5 && live.types >= 3, JSON.stringify(live))
	})
})
