// Tracked events take effect: whatever their order, however they are cut into batches, by one process or two, the same
// sessions and figures come out; and these are what docs/ACTIVITY.md says.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityApplied, activityInsert } from '../lib/activity.mjs'
import { late, randomEvents, shuffled } from '../lib/activity_random.mjs'
import { activityOracle, activityTables, tableLines } from '../lib/activity_oracle.mjs'
import { cleanEnv, must, until } from '../lib/process.mjs'
import { random as drawer } from '../lib/series.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { Stream } from '../lib/stream.mjs'

const MINUTE = 60_000, HOUR = 3_600_000, DAY = 86_400_000
const BERLIN = { tz: 'Europe/Berlin', cutoff: 4, timeout_s: 3600 }

// Around a change of the clock each.
const SITES = [{ ...BERLIN, from: '2026-10-24T06:00:00Z' }, { ...BERLIN, from: '2026-03-28T06:00:00Z' },
	{ tz: 'America/Santiago', cutoff: 0, timeout_s: 1800, from: '2026-04-03T12:00:00Z' }, { tz: 'America/Santiago', cutoff: 3, timeout_s: 7200, from: '2026-09-04T12:00:00Z' },
	{ tz: 'Asia/Kathmandu', cutoff: 0, timeout_s: 3600, from: '2026-10-30T12:00:00Z' }]

const settings = ({ tz, cutoff, timeout_s }) => ({ BUSINESS_TIMEZONE: tz, BUSINESS_DAY_CUTOFF: String(cutoff), SESSION_TIMEOUT: String(timeout_s) })

let server
before(async () => { server = await postgres() })

async function freshDatabase() {
	const database = await server.create()
	await must(program, ['migrate'], { cwd: emptyCwd(), env: { ...cleanEnv, DATABASE_URL: database.url(), ANALYTICS_DATABASE_URL: database.url() } })
	return database
}

const same = (tables, wanted) => {
	const a = tableLines(tables), b = tableLines(wanted)
	for (const name of Object.keys(b)) {
		const only = (x, y) => { const has = new Set(y); return x.filter((line) => !has.has(line)).slice(0, 5) }
		assert.deepEqual({ rows: a[name].length, more: only(a[name], b[name]) }, { rows: b[name].length, more: [] }, `${name}: missing ${only(b[name], a[name])}`)
		assert.deepEqual(a[name], b[name], name)
	}
}

// ---- tests -----------------------------------------------------------------------------------

const reset = (database) => database.exec(`BEGIN; SELECT pg_advisory_xact_lock(activity_lock_key());
	TRUNCATE activity_batch, activity_event, activity_id, activity_visitor, activity_session, activity_person_day, activity_value, activity_sum,
		activity_session_sum, activity_user_sum, activity_product, activity_type, activity_property, activity_sequence; COMMIT`)

// Stores them batch by batch; `mixed`: batches with lower numbers after ones with higher that have taken effect.
// The events in their order of arrival.
async function store(database, rnd, events, { size, mixed }) {
	const cut = []
	for (let i = 0; i < events.length;) {
		const n = 1 + Math.floor(rnd() * size)
		cut.push(events.slice(i, i + n))
		i += n
	}
	const numbers = cut.map((_, i) => i + 1)
	const order = mixed ? shuffled(rnd, numbers) : numbers
	const arrival = [], session = database.session()
	for (const [i, list] of cut.entries()) {
		list.forEach((e, place) => { e.seq = order[i] * 65536 + place })
		arrival.push(...list)
		await session.ask(activityInsert(list, { batch: order[i] }))
		if (mixed) await until(async () => await session.ask('SELECT count(*) FROM activity_batch') === '0', { what: 'it to take effect', every: 10 })
	}
	await session.close()
	await activityApplied(database, until)
	return arrival
}

describe('a stream of events', () => {
	for (const [s, site] of SITES.entries())
		describe(`in ${site.tz} at ${site.cutoff} o'clock from ${site.from}`, () => {
			let database, streams
			before(async () => {
				database = await freshDatabase()
				streams = [await Stream.start(database, settings(site))]
				if (s === 0) streams.push(await Stream.start(database, settings(site)))
			})
			after(async () => {
				for (const stream of streams) assert.equal(await stream.stop(), 0)
				await database.drop()
			})

			for (const [round, [how, order, options]] of [['in order of time', (rnd, list) => list.sort((a, b) => a.at - b.at), { size: 40 }],
				['some of them late', late, { size: 12 }], ['in no order', shuffled, { size: 25 }],
				['in batches that overtake each other', late, { size: 12, mixed: true }]].entries())
				it(`${how}, is what it says; and the same made anew`, async () => {
					const rnd = drawer(100 * s + round + 1).uniform
					await reset(database)
					const arrival = await store(database, rnd, order(rnd, randomEvents(rnd, site)), options)
					const tables = await activityTables(database)
					same(tables, activityOracle(arrival, site))
					await database.exec('SELECT activity_rebuild()')
					same(await activityTables(database), tables)
				})
		})
})

// A database with a process at work.
async function atWork(site = BERLIN, more = {}, options = {}) {
	const database = await freshDatabase()
	const stream = await Stream.start(database, { ...settings(site), ...more }, options)
	if (options.ready !== false) await until(() => stream.events.some((e) => e.event === 'activity_rebuilt'), { what: 'the clock to be settled' })
	return { database, stream, end: async () => { await stream.stop(); await database.drop() } }
}

const T0 = Date.parse('2026-11-02T10:00:00Z')

describe('a session', () => {
	let work
	before(async () => { work = await atWork() })
	after(() => work.end())

	// [what, minutes after T0, sessions as their numbers of events]
	const cases = [['ends after an hour', [[0, 60, 121]], [2, 1]], ['ends one millisecond after an hour', [[0, 60 + 1 / MINUTE]], [1, 1]],
		['is of 24 hours at most', [Array.from({ length: 49 }, (_, i) => i * 30)], [49]],
		['and the next begins after them', [Array.from({ length: 60 }, (_, i) => i * 30)], [49, 11]],
		['and the next after that', [Array.from({ length: 50 }, (_, i) => i * 59.9)], [25, 25]],
		['is joined by what comes late', [[0, 100], [50]], [3]], ['is not joined by what is too far off', [[0, 200], [100]], [1, 1, 1]],
		['is cut elsewhere by what comes late', [Array.from({ length: 30 }, (_, i) => 10 + i * 60), [-40]], [25, 6]],
		['begins earlier by what comes late', [[0, 10], [-60]], [3]]]
	for (const [what, rounds, wanted] of cases)
		it(what, async () => {
			const { database } = work
			await reset(database)
			const arrival = []
			let batch = 1
			for (const minutes of rounds) {
				const list = minutes.map((m, place) => ({ at: T0 + Math.round(m * MINUTE), user_id: 'u', seq: batch * 65536 + place }))
				await database.exec(activityInsert(list, { batch: batch++ }))
				await activityApplied(database, until)
				arrival.push(...list)
			}
			assert.deepEqual((await database.query('SELECT events FROM activity_session ORDER BY started_at')).map((s) => s.events), wanted)
			same(await activityTables(database), activityOracle(arrival, BERLIN))
		})

	for (const [how, order, options] of [['in order', (rnd, list) => list, { size: 9 }], ['in no order', shuffled, { size: 9 }], ['late and overtaking', late, { size: 9, mixed: true }]])
		it(`of many days without a gap is cut every 24 hours, ${how}`, async () => {
			const { database } = work
			const rnd = drawer(how.length).uniform
			await reset(database)
			const events = []
			for (const who of ['x', 'y']) for (let at = T0; at < T0 + 4 * DAY; at += 20 * MINUTE + Math.floor(rnd() * 41 * MINUTE)) events.push({ at, user_id: who, type: 'page_view' })
			const arrival = await store(database, rnd, order(rnd, events), options)
			same(await activityTables(database), activityOracle(arrival, BERLIN))
		})

	it('of more than 20,000 events goes on, and takes no late ones', async () => {
		const { database } = work
		await reset(database)
		await database.exec(activityInsert(Array.from({ length: 20_001 }, (_, i) => ({ at: T0 + i, session_id: 's', type: 'my.own' }))))
		await activityApplied(database, until)
		for (const at of [T0 - 1, T0 + HOUR, T0 + 5]) {
			await database.exec(activityInsert([{ at, session_id: 's', type: 'my.own' }]))
			await activityApplied(database, until)
		}
		assert.equal(await database.value('SELECT events FROM activity_session'), 20_002)
		assert.equal(await database.value("SELECT events FROM activity_sum WHERE dimension_id = 0 AND grain = 'day'"), 20_004)
	})

	it('keeps its number while it grows', async () => {
		const { database } = work
		await reset(database)
		await database.exec(activityInsert([{ at: T0, session_id: 's', type: 'add_to_cart', price: '3.50', quantity: 2 }]))
		await activityApplied(database, until)
		const one = () => database.one('SELECT activity_session_id, events, cart::text FROM activity_session')
		const first = await one()
		assert.deepEqual([first.events, first.cart], [1, '7.00'])
		await database.exec(activityInsert([{ at: T0 - HOUR, session_id: 's' }, { at: T0 + 30 * HOUR, session_id: 's', type: 'purchase' }]))
		await activityApplied(database, until)
		assert.deepEqual(await one(), { activity_session_id: first.activity_session_id, events: 3, cart: '0' })
	})
})

describe('values', () => {
	it('beyond the first thousand of a dimension are (other), and a declared dimension counts from then on', async () => {
		const { database, end } = await atWork()
		const old = Array.from({ length: 1200 }, (_, i) => ({ at: T0 + i, user_id: `u${i % 7}`, dims: { page: `/p${i}`, product: `${i % 3}`, category: `c${i % 2}` }, seq: 65536 + i }))
		const dims = (page, ninth, tenth) => [page, null, null, null, null, null, null, null, ninth, tenth]
		const next = [{ at: T0 + 5000, user_id: 'u1', dims: dims('/p1', 'gold', 'x'), seq: 2 * 65536 }, { at: T0 + 6000, user_id: 'u1', dims: dims('/new', null, null), seq: 2 * 65536 + 1 },
			{ at: T0 + 7000, user_id: 'u1', dims: dims('(other)', 'gold', null), seq: 2 * 65536 + 2 }, { at: T0 - 1, user_id: 'u2', dims: { page: '/p1150' }, seq: 2 * 65536 + 3 }]
		await database.exec(activityInsert(old, { batch: 1 }))
		await activityApplied(database, until)
		await database.exec(activityInsert(next, { batch: 2 }))
		await activityApplied(database, until)
		const tables = await activityTables(database)
		same(tables, activityOracle([...old, ...next], BERLIN))
		assert.equal((await database.one("SELECT count(*) AS n FROM activity_value WHERE dimension_id = 1")).n, 1000)
		assert.equal((await database.one("SELECT sum(events)::int AS n FROM activity_sum WHERE grain = 'day' AND dimension_id = 1 AND value = '(other)'")).n, 203)
		await database.exec('SELECT activity_rebuild()')
		same(await activityTables(database), tables)
		await end()
	})
})

describe('the dictionary', () => {
	it('knows types, properties and their kinds', async () => {
		const { database, end } = await atWork()
		await database.exec(activityInsert([{ at: T0, user_id: 'u', type: 'search', properties: { q: 'x', n: 1, deep: { a: 1 }, list: [], no: null, yes: true } },
			{ at: T0 + 1000, user_id: 'u', type: 'search', properties: { q: 7 } }]))
		await activityApplied(database, until)
		assert.deepEqual((await database.query('SELECT event_type, property, kind, events FROM activity_property ORDER BY property, kind')).map((p) => Object.values(p).join(' ')),
			['search deep object 1', 'search list array 1', 'search n number 1', 'search no null 1', 'search q number 1', 'search q string 1', 'search yes boolean 1'])
		await end()
	})
})

describe('another clock', () => {
	it('makes everything anew, and the gap of sessions likewise', async () => {
		const { database, stream, end } = await atWork()
		const rnd = drawer(77).uniform
		const arrival = await store(database, rnd, late(rnd, randomEvents(rnd, SITES[0])), { size: 30 })
		same(await activityTables(database), activityOracle(arrival, BERLIN))
		assert.equal(await stream.stop(), 0)
		const other = { tz: 'Asia/Kathmandu', cutoff: 2, timeout_s: 600 }
		const next = await Stream.start(database, settings(other))
		await until(() => next.events.some((e) => e.event === 'activity_rebuilt'), { what: 'the rebuild' })
		same(await activityTables(database), activityOracle(arrival, other))
		assert.equal(await next.stop(), 0)
		await end()
	})

	it('leaves days alone of which raw events are gone, and sessions whatever comes late', async () => {
		const { database, end } = await atWork()
		const rnd = drawer(78).uniform
		const arrival = await store(database, rnd, late(rnd, randomEvents(rnd, SITES[0], { visitors: 9, n: 300 })), { size: 30 })
		const tables = await activityTables(database)
		same(tables, activityOracle(arrival, BERLIN))
		await database.exec(`DROP TABLE activity_event_20261024, activity_event_20261025; UPDATE activity_site SET raw_from = '2026-10-26T00:00:00Z'`)
		assert.ok(await database.value("SELECT count(*) FROM activity_session WHERE started_at < '2026-10-26T00:00:00Z' AND last_at > '2026-10-26T04:00:00Z'") > 0)
		await database.exec('SELECT activity_rebuild()')
		same(await activityTables(database), tables)

		const old = tables.activity_session.find((s) => s[1] !== null && s[3] < '2026-10-25' && Date.parse(s[4]) - Date.parse(s[3]) > 1000)
		const event = { at: Date.parse(old[3]) + 1, session_id: old[1], flags: old[2] ? 16 : 0, type: 'search', seq: 2 ** 40 }
		await database.exec(activityInsert([event]))
		await activityApplied(database, until)
		const now = await activityTables(database)
		assert.deepEqual(tableLines(now).activity_session, tableLines(tables).activity_session)
		assert.deepEqual(tableLines(now).activity_sum, tableLines(activityOracle([...arrival, event], BERLIN)).activity_sum)
		await end()
	})
})

describe('a batch that cannot take effect', () => {
	it('waits, and the others go on', async () => {
		const { database, stream, end } = await atWork()
		const list = (who) => [{ at: T0, user_id: who }, { at: T0 + 1, user_id: who }]
		const session = database.session()
		await session.ask('BEGIN; SELECT pg_advisory_xact_lock(activity_lock_key())')
		await database.exec(activityInsert(list('a'), { batch: 1 }))
		await database.exec(activityInsert(list('bad'), { batch: 2 }))
		await database.exec(activityInsert(list('c'), { batch: 3 }))
		await database.exec("UPDATE activity_event SET properties = 'no JSON' WHERE user_id = 'bad'")
		await until(async () => await stream.stat('activity_open') === 6 && await stream.stat('activity_lag_ms') > 500, { what: 'the lag to show' })
		await session.ask('COMMIT')
		await session.close()
		await until(async () => (await database.query('SELECT batch_id FROM activity_batch')).map((b) => b.batch_id).join() === '2', { what: 'the others to go on' })
		await until(async () => (await stream.status()).status === 'degraded', { what: 'that it says so' })
		assert.match((await stream.status()).detail, /^activity: events of batch 2 cannot take effect: .*json/)
		await database.exec(activityInsert(list('d'), { batch: 4 }))
		await until(async () => (await database.query("SELECT FROM activity_visitor WHERE id = 'd'")).length, { what: 'what comes after' })
		assert.equal((await database.query("SELECT FROM activity_visitor WHERE id = 'bad'")).length, 0)
		await end()
	})
})

describe('whoever listens', () => {
	it('is told the new version', async () => {
		const { database, end } = await atWork()
		const session = database.session()
		await session.ask('LISTEN takings_activity; LISTEN takings_live')
		await database.exec(activityInsert([{ at: T0, user_id: 'u' }]))
		const told = await until(async () => {
			const text = await session.ask('SELECT 1')
			return text.includes('"takings_activity"') && text
		}, { what: 'the news' })
		assert.match(told, new RegExp(`"takings_activity" with payload "${(await database.one('SELECT version FROM activity_site')).version}"`))
		assert.match(told, /"takings_live"/)
		await session.close()
		await end()
	})
})

describe('a death', () => {
	for (const place of ['claimed', 'people', 'sessions', 'sequences', 'figures', 'committing', 'committed'])
		it(`at ${place} loses nothing and doubles nothing`, async () => {
			const rnd = drawer(place.length * 11).uniform
			const events = late(rnd, randomEvents(rnd, SITES[0], { n: 120 }))
			const { database, stream } = await atWork(BERLIN, { TAKINGS_FAILPOINT: `stream_activity_${place}=kill@3` }, { ready: false })
			const arrival = []
			for (let batch = 1; events.length; batch++) {
				const list = events.splice(0, 10)
				list.forEach((e, i) => { e.seq = batch * 65536 + i })
				arrival.push(...list)
				await database.exec(activityInsert(list, { batch }))
				await until(async () => stream.ended() || (await database.one('SELECT count(*) AS n FROM activity_batch')).n === 0, { what: 'it to take effect, or not' })
			}
			assert.equal(await stream.program.ended, 'SIGKILL')
			const next = await Stream.start(database, settings(BERLIN))
			await activityApplied(database, until)
			same(await activityTables(database), activityOracle(arrival, BERLIN))
			assert.equal(await next.stop(), 0)
			await database.drop()
		})
})
