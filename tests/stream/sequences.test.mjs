// Sequences are what raw events say, however they came in: appended, moved, merged, made anew; and a death changes nothing of that.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityApplied, activityInsert } from '../lib/activity.mjs'
import { late, randomEvents, shuffled } from '../lib/activity_random.mjs'
import { cleanEnv, must, until } from '../lib/process.mjs'
import { sequenceLines, sequenceOracle, sequenceParts, sessionKeys } from '../lib/sequence_parts.mjs'
import { random as drawer } from '../lib/series.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { Stream } from '../lib/stream.mjs'

const DAY = 86_400_000
const BERLIN = { tz: 'Europe/Berlin', cutoff: 4, timeout_s: 3600, from: '2026-10-24T06:00:00Z' } // the clock changes on the 25th
const SITES = [BERLIN, { ...BERLIN, from: '2026-03-28T06:00:00Z' }, { tz: 'America/Santiago', cutoff: 0, timeout_s: 1800, from: '2026-04-03T12:00:00Z' }]
const settings = ({ tz, cutoff, timeout_s }) => ({ BUSINESS_TIMEZONE: tz, BUSINESS_DAY_CUTOFF: String(cutoff), SESSION_TIMEOUT: String(timeout_s) })

let server
before(async () => { server = await postgres() })

async function freshDatabase() {
	const database = await server.create()
	await must(program, ['migrate'], { cwd: emptyCwd(), env: { ...cleanEnv, DATABASE_URL: database.url(), ANALYTICS_DATABASE_URL: database.url() } })
	return database
}

const caughtUp = (database) => until(async () => (await database.value('SELECT sequenced_from::text FROM activity_site')) === '-infinity', { what: 'all days to be made', every: 20 })

async function atWork(site = BERLIN, more = {}) {
	const database = await freshDatabase()
	const stream = await Stream.start(database, { ...settings(site), ...more })
	await until(() => stream.events.some((e) => e.event === 'activity_rebuilt'), { what: 'the clock to be settled' })
	await caughtUp(database)
	return { database, stream, end: async (last = stream) => { assert.equal(await last.stop(), 0); await database.drop() } }
}

const same = (lines, wanted, what) => {
	const a = new Set(lines), b = new Set(wanted)
	assert.deepEqual({ n: lines.length, more: lines.filter((x) => !b.has(x)).slice(0, 5), missing: wanted.filter((x) => !a.has(x)).slice(0, 5) }, { n: wanted.length, more: [], missing: [] }, what)
}

// Events in batches of up to `size`, one after the other has taken effect. In their order of arrival.
async function store(database, rnd, events, { size = 20, from = 1, alive = () => true } = {}) {
	const arrival = []
	for (let i = 0, batch = from; i < events.length && alive(); batch++) {
		const list = events.slice(i, i + 1 + Math.floor(rnd() * size))
		list.forEach((e, place) => { e.seq = batch * 65536 + place })
		await database.exec(activityInsert(list, { batch }))
		await until(async () => !alive() || (await database.one('SELECT NOT EXISTS (SELECT FROM activity_batch) AS done')).done, { what: 'it to take effect', every: 5 })
		arrival.push(...list)
		i += list.length
	}
	return arrival
}

// Each day by the definition: activity_sequences_make().
async function makeAll(database) {
	const days = await database.query('SELECT DISTINCT business_date AS day FROM activity_person_day ORDER BY 1')
	await database.exec(days.map(({ day }) => `SELECT activity_sequences_make('${day}');`).join('\n'))
}

const counts = (database) => database.query('SELECT shard, business_date, count(*)::int AS n FROM activity_sequence GROUP BY 1, 2')

describe('a random stream', () => {
	for (const [s, site] of SITES.entries())
		for (const [how, order] of [['late', late], ['in no order', shuffled]])
			it(`in ${site.tz} from ${site.from}, ${how}, is what raw events say; so are days made anew, merged, and caught up with`, async () => {
				const { database, stream } = await atWork(site)
				const rnd = drawer(31 * s + how.length).uniform
				const arrival = await store(database, rnd, order(rnd, randomEvents(rnd, site, { visitors: 9, n: 240 })), { size: 12 })
				const wanted = sequenceOracle(arrival, site, await sessionKeys(database))
				same(await sequenceLines(database), wanted, 'appended')
				await makeAll(database)
				same(await sequenceLines(database), wanted, 'made anew')
				assert.ok((await counts(database)).every((c) => c.n === 1))
				await database.exec('SELECT activity_rebuild()')
				await caughtUp(database)
				same(await sequenceLines(database), wanted, 'caught up')
				assert.equal(await stream.stop(), 0)
				await database.drop()
			})
})

describe('parts that are many', () => {
	it('become one as events come, and all of them when nothing has come for an hour', async () => {
		const { database, stream } = await atWork()
		const rnd = drawer(5).uniform
		const events = late(rnd, randomEvents(rnd, { ...BERLIN, from: '2026-10-25T00:00:00Z' }, { visitors: 12, n: 200 }))
		const arrival = await store(database, rnd, events, { size: 6 })
		const wanted = sequenceOracle(arrival, BERLIN, await sessionKeys(database))
		same(await sequenceLines(database), wanted, 'appended')
		assert.equal(await stream.stop(), 0)
		// as many parts again, of one event each, of one person
		await database.exec("UPDATE activity_sequence SET made_at = now() - interval '30 minutes'")
		const next = await Stream.start(database, settings(BERLIN))
		const one = Array.from({ length: 80 }, (_, i) => ({ at: Date.parse('2026-10-27T10:00:00Z') + i % 7, user_id: 'many', dims: { page: `/${i}` } }))
		const more = await store(database, rnd, one, { size: 1, from: 10_000 })
		await until(async () => (await counts(database)).every((c) => c.n < 64), { what: 'parts to become fewer' })
		const all = sequenceOracle([...arrival, ...more], BERLIN, await sessionKeys(database))
		same(await sequenceLines(database), all, 'merged once')
		const ids = (await sequenceParts(database)).filter((p) => p.people.length === 1 && p.people[0] & 64n).map((p) => p.part_id)
		assert.ok(ids.length, 'many events of one person in one part')
		assert.equal(await next.stop(), 0)

		await database.exec("UPDATE activity_sequence SET made_at = now() - interval '2 hours'")
		const last = await Stream.start(database, settings(BERLIN))
		await until(async () => (await counts(database)).every((c) => c.n === 1), { what: 'one part of each' })
		same(await sequenceLines(database), all, 'merged')
		for (const part of await sequenceParts(database)) for (const word of part.people) assert.equal(word & (3n << 21n), 0n, 'nothing is taken back any more')
		const merged = await sequenceParts(database)
		await makeAll(database)
		const bytes = (parts) => parts.map((p) => JSON.stringify({ ...p, part_id: 0, business_date: p.business_date }, (_, v) => typeof v === 'bigint' ? String(v) : v))
		assert.deepEqual(bytes(merged), bytes(await sequenceParts(database)), 'and is what would be made, word for word')
		assert.equal(await last.stop(), 0)
		await database.drop()
	})
})

describe('a death', () => {
	for (const [place, nth] of [['activity_sequences', 3], ['activity_sequences', 20], ['sequence_day', 2], ['sequence_merged', 2]])
		it(`at stream_${place}, the ${nth}., loses nothing and doubles nothing`, async () => {
			const { database, stream } = await atWork()
			const rnd = drawer(place.length + nth).uniform
			const events = late(rnd, randomEvents(rnd, BERLIN, { n: 200 }))
			let arrival = await store(database, rnd, events.splice(0, 120), { size: 10 })
			assert.equal(await stream.stop(), 0)
			if (place === 'sequence_day') await database.exec('SELECT activity_rebuild()')
			if (place === 'sequence_merged') await database.exec("UPDATE activity_sequence SET made_at = now() - interval '2 hours'")
			const dying = await Stream.start(database, { ...settings(BERLIN), TAKINGS_FAILPOINT: `stream_${place}=kill@${nth}` }, { ready: false })
			const rest = await store(database, rnd, events, { size: 2, from: 1000, alive: () => !dying.ended() })
			arrival = [...arrival, ...rest]
			assert.equal(await dying.program.ended, 'SIGKILL')
			const next = await Stream.start(database, settings(BERLIN))
			await activityApplied(database, until)
			await caughtUp(database)
			same(await sequenceLines(database), sequenceOracle(arrival, BERLIN, await sessionKeys(database)))
			assert.equal(await next.stop(), 0)
			await database.drop()
		})
})

describe('codes', () => {
	it('of values beyond the first thousand and of types beyond the last code say (other); declared dimensions have theirs', async () => {
		const { database, end } = await atWork()
		const at = Date.parse('2026-11-02T10:00:00Z')
		await database.exec("INSERT INTO activity_dimension (dimension_id, name, property) VALUES (9, 'plan', 'plan'), (16, 'last', 'last')")
		const dims = (page, ninth, last) => [page, null, null, null, null, null, null, null, ninth, null, null, null, null, null, null, last]
		const list = Array.from({ length: 1100 }, (_, i) => ({ at: at + i, user_id: `u${i % 40}`, dims: dims(`/p${i}`, i % 5 ? null : 'gold', i % 2 ? 'x' : null), seq: 65536 + i }))
		await database.exec(activityInsert(list, { batch: 1 }))
		await activityApplied(database, until)
		await database.exec("UPDATE activity_type SET code = 65533 WHERE event_type = 'page_view'; INSERT INTO activity_type (event_type, description) VALUES ('t3', 'described')")
		await database.exec("SELECT activity_sequences_make('2026-11-02')")
		const types = ['t1', 't2', 't3', 'page_view'].map((type, i) => ({ at: at + i, type, user_id: 'v', price: ['99999999999999', '1.005', '1.015', undefined][i],
			quantity: [1_000_000, 1, undefined, 3][i], dims: dims('/new', null, null), seq: 2 * 65536 + i }))
		await database.exec(activityInsert(types, { batch: 2 }))
		await activityApplied(database, until)
		const keys = await sessionKeys(database)
		const wanted = (e) => sequenceOracle([...list, ...types.map(e)], BERLIN, keys)
		// half-even, and too much is not said
		const exact = (e) => ({ ...e, type: ['t2', 't3'].includes(e.type) ? '(other)' : e.type, price: { t1: undefined, t2: '1.00', t3: '1.02' }[e.type] })
		same(await sequenceLines(database), wanted(exact))
		await database.exec("SELECT activity_sequences_make('2026-11-02')")
		same(await sequenceLines(database), wanted(exact))
		assert.deepEqual(await database.query("SELECT event_type, code FROM activity_type ORDER BY 1"),
			[{ event_type: 'page_view', code: 65533 }, { event_type: 't1', code: 65534 }, { event_type: 't2', code: null }, { event_type: 't3', code: null }])
		await end()
	})
})

describe('raw events that go', () => {
	it('by age leave who was there, and the day goes on so', async () => {
		const { database, end } = await atWork()
		const rnd = drawer(9).uniform
		const arrival = await store(database, rnd, late(rnd, randomEvents(rnd, BERLIN, { visitors: 9, n: 200 })), { size: 20 })
		const keys = await sessionKeys(database)
		await database.exec("SELECT activity_partition_drop('2026-10-24'), activity_partition_drop('2026-10-25')")
		const prunedTo = Date.parse('2026-10-26T00:00:00Z')
		same(await sequenceLines(database), sequenceOracle(arrival, BERLIN, keys, { prunedTo }))
		assert.equal(await database.value("SELECT count(*) FROM activity_sequence WHERE business_date <= '2026-10-25' AND (events IS NOT NULL OR d1 IS NOT NULL OR sessions IS NOT NULL)"), 0)
		// what comes late, also for who becomes somebody else
		const more = [{ at: Date.parse('2026-10-25T12:00:00Z'), user_id: 'late', anonymous_id: 'a1' }, { at: Date.parse('2026-10-25T12:00:01Z'), user_id: 'late' }, { at: Date.parse('2026-10-27T12:00:01Z'), user_id: 'late' }]
		const all = [...arrival, ...await store(database, rnd, more, { size: 1, from: 5000 })]
		const wanted = sequenceOracle(all, BERLIN, new Map([...keys, ...await sessionKeys(database)]), { prunedTo })
		same(await sequenceLines(database), wanted)
		await makeAll(database)
		same(await sequenceLines(database), wanted)
		await database.exec('SELECT activity_rebuild()')
		await caughtUp(database)
		same(await sequenceLines(database), wanted)
		await end()
	})

	for (const how of ['erase', 'anonymise'])
		it(`because somebody is forgotten (${how}) take what tells of them along`, async () => {
			const { database, stream } = await atWork()
			const rnd = drawer(10).uniform
			await store(database, rnd, late(rnd, randomEvents(rnd, BERLIN, { visitors: 4, n: 150 })), { size: 20 })
			const before = await sequenceLines(database)
			const keys = new Set(await database.query("SELECT DISTINCT session_key::text AS key FROM activity_event WHERE user_id = 'u1' OR user_id IS NULL AND anonymous_id = 'a1'").then((r) => r.map((x) => x.key)))
			await database.exec("SELECT person_suppress('user', 'u1'); SELECT person_forget('user', 'u1', '" + how + "', 'test', '', '')")
			const now = await sequenceLines(database)
			await makeAll(database)
			same(await sequenceLines(database), now, 'as made anew')
			if (how === 'erase') assert.ok(now.length < before.length)
			else {
				assert.equal(now.length, before.length)
				const used = new Set((await sequenceParts(database)).flatMap((p) => p.sessions ?? []).map((k) => String(BigInt.asIntN(64, k))))
				const shared = new Set(await database.query('SELECT DISTINCT session_key::text AS key FROM activity_event').then((r) => r.map((x) => x.key)))
				for (const key of keys) assert.equal(used.has(key), shared.has(key))
				assert.ok([...keys].some((key) => !used.has(key)))
			}
			assert.equal(await stream.stop(), 0)
			await database.drop()
		})
})
