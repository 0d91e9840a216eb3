// takings-batch demo --bookings: believable events and bookings, always the same ones, as messages in the inbox.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Shop } from '../lib/shop.mjs'

const settings = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }

async function open(more = {}) {
	const shop = await Shop.open({ ...settings, ...more })
	shop.settings.DEMO_DATABASE_URL = shop.orders.url()
	await shop.batch(['migrate'])
	return shop
}
const put = (shop, ...args) => shop.batch(['demo', '--bookings', ...args])
// What is in the inbox by what it says, however it got there.
const content = (shop, where = 'true') => shop.cache.text(`SELECT event_type, event_id, event_data FROM event_log WHERE ${where} ORDER BY event_data::jsonb->>'occurred_at', event_data`)

describe('demo --bookings', () => {
	let shop
	before(async () => {
		shop = await open()
		const done = await put(shop)
		assert.equal(done.code, 0, done.stderr)
		await shop.cache.exec(`CREATE TABLE m AS SELECT event_type AS t, event_data::jsonb AS d, event_data::jsonb->>'booking_id' AS booking, (event_data::jsonb->>'occurred_at')::timestamptz AS at FROM event_log;
			CREATE INDEX ON m (booking, t); ANALYZE m;
			CREATE TABLE e AS SELECT d->>'event_id' AS id, d->>'category' AS category, (d->>'capacity')::int AS capacity, (d->>'starts_at')::timestamptz AS starts, (d->>'sales_from')::timestamptz AS sales FROM m WHERE t = 'event.created';
			CREATE TABLE b AS SELECT c.booking AS id, c.d->>'event_id' AS event_id, (c.d->>'seats')::int AS seats, c.at, f.at AS confirmed, x.at AS cancelled, coalesce(c.d->>'status' = 'confirmed', false) OR f.at IS NOT NULL AS counts
				FROM m c LEFT JOIN m f ON f.t = 'booking.confirmed' AND f.booking = c.booking LEFT JOIN m x ON x.t = 'booking.cancelled' AND x.booking = c.booking WHERE c.t = 'booking.created'`)
	})
	const all = (query) => shop.cache.one(query)

	it('are messages that can all be read, each of the past', async () => {
		assert.deepEqual(await shop.cache.one(`SELECT count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead, count(*) FILTER (WHERE source <> 'demo')::int AS strange,
			count(*) FILTER (WHERE (event_data::jsonb->>'occurred_at')::timestamptz > now())::int AS future FROM event_log`), { dead: 0, strange: 0, future: 0 })
	})

	it('are about 40 events of the last four months and the next two', async () => {
		const e = await all(`SELECT count(*)::int AS n, count(DISTINCT category)::int AS categories, min(capacity) AS least, max(capacity) AS most, count(*) FILTER (WHERE capacity IS NULL)::int AS unlimited,
			min(starts) > now() - interval '130 days' AND min(starts) < now() - interval '100 days' AS early, max(starts) > now() + interval '40 days' AS late,
			(SELECT count(*)::int FROM m WHERE t = 'event.cancelled') AS cancelled, (SELECT count(*)::int FROM m WHERE t = 'event.updated') AS raised FROM e`)
		assert.ok(e.n >= 34 && e.n <= 44, JSON.stringify(e))
		assert.ok(e.categories >= 4 && e.least >= 12 && e.most <= 400 && e.least <= 40 && e.most >= 300, JSON.stringify(e))
		assert.ok(e.unlimited >= 1 && e.cancelled >= 1 && e.raised >= 1 && e.early && e.late, JSON.stringify(e))
	})

	it('are about 6,000 bookings of about 3,000 people, of whom 5 to 10 in a hundred are cancelled where the event is held', async () => {
		const b = await all(`SELECT count(*)::int AS n, count(*) FILTER (WHERE counts)::int AS confirmed, (SELECT count(DISTINCT d->>'user_id')::int FROM m) AS users,
			avg((cancelled IS NOT NULL)::int) FILTER (WHERE event_id NOT IN (SELECT d->>'event_id' FROM m WHERE t = 'event.cancelled'))::float AS rate,
			count(*) FILTER (WHERE b.at >= e.starts OR b.at < e.sales OR confirmed < b.at OR cancelled < b.at)::int AS odd FROM b JOIN e ON e.id = b.event_id`)
		assert.ok(b.n > 5000 && b.n < 7500, JSON.stringify(b))
		assert.ok(b.users > 1500 && b.users < 4500 && b.confirmed > b.n * 0.9, JSON.stringify(b))
		assert.ok(b.rate >= 0.05 && b.rate <= 0.10, JSON.stringify(b))
		assert.equal(b.odd, 0)
	})

	it('have an event that is overbooked, one that is full, and ones with seats left', async () => {
		const f = await all(`SELECT count(*) FILTER (WHERE fill > 100)::int AS over, count(*) FILTER (WHERE fill = 100)::int AS full, count(*) FILTER (WHERE fill < 99)::int AS less, max(fill)::float AS most
			FROM (SELECT e.id, sum(seats) FILTER (WHERE counts AND cancelled IS NULL) * 100.0 / coalesce((SELECT max((d->>'capacity')::int) FROM m WHERE t = 'event.updated' AND d->>'event_id' = e.id), max(capacity)) AS fill
			      FROM e JOIN b ON b.event_id = e.id WHERE capacity > 0 AND e.starts < now() GROUP BY e.id) q`)
		assert.ok(f.over >= 1 && f.full >= 1 && f.less >= 5 && f.most < 110, JSON.stringify(f))
	})

	it('come fast at first and again at the last minute', async () => {
		const c = await all(`SELECT avg((place < 0.13)::int)::float AS first, avg((place > 0.87)::int)::float AS last FROM (SELECT extract(epoch FROM b.at - e.sales) / extract(epoch FROM e.starts - e.sales) AS place
			FROM b JOIN e ON e.id = b.event_id WHERE e.starts < now() AND e.category = 'concert') q`)
		assert.ok(c.first > 0.3 && c.last > 0.15, JSON.stringify(c))
	})

	it('changes nothing when it is told again', async () => {
		const before = await content(shop)
		const again = await put(shop)
		// Only what has happened in between may be new.
		assert.ok([0, 2].includes(again.code), again.stderr)
		const added = Number(/, (\d+) of them new/.exec(again.stdout)[1])
		assert.ok(added <= 5, again.stdout)
		assert.equal((await content(shop)).split('\n').length, before.split('\n').length + added)
		assert.equal((await put(shop)).code, 2)
	})

	it('is the same for the same seed, and another for another', async () => {
		const [same, other] = [await open(), await open()]
		await put(same, '--seed', '1')
		await put(other, '--seed', '2')
		const past = `(event_data::jsonb->>'occurred_at')::timestamptz < now() - interval '10 minutes'`
		assert.equal(await content(same, past), await content(shop, past))
		assert.notEqual(await content(other, past), await content(shop, past))
	})

	it('never goes beside bookings of somebody else', async () => {
		const theirs = await open()
		await theirs.cache.exec(`INSERT INTO event_log (event_type, event_data, dedup_key, source) VALUES ('user.created', '{}', 'x', 'http')`)
		const done = await put(theirs)
		assert.equal(done.code, 1)
		assert.match(done.stderr, /messages that demo did not make/)
		assert.equal(await theirs.cache.value('SELECT count(*)::int FROM event_log'), 1)
		const notDemo = await Shop.open(settings)
		await notDemo.batch(['migrate'])
		assert.match((await put(notDemo)).stderr, /DEMO_DATABASE_URL is empty/)
		assert.match((await put(shop, '--days', '3')).stderr, /is not understood; usage: takings-batch demo --bookings/)
	})

	it('in a currency without decimals, and in another zone', async () => {
		const tokyo = await open({ BUSINESS_TIMEZONE: 'Asia/Tokyo', DEFAULT_CURRENCY: 'JPY' })
		assert.equal((await put(tokyo)).code, 0)
		assert.deepEqual(await tokyo.cache.one(`SELECT count(*) FILTER (WHERE event_data::jsonb->>'amount' LIKE '%.%')::int AS broken, count(*) FILTER (WHERE dead_at IS NOT NULL)::int AS dead,
			count(DISTINCT event_data::jsonb->>'currency') FILTER (WHERE event_type = 'booking.created')::int AS currencies FROM event_log`), { broken: 0, dead: 0, currencies: 1 })
	})
})
