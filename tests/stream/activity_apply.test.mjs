// Tracked events take effect: whatever their order, however they are cut into batches, by one process or two, the same
// sessions and figures come out; and these are what docs/ACTIVITY.md says.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityApplied, activityInsert } from '../lib/activity.mjs'
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

// ---- random streams ------------------------------------------------------------------------

const pick = (rnd, list) => list[Math.floor(rnd() * list.length)]
const maybe = (rnd, p, value) => rnd() < p ? value : undefined

// Several days of a few visitors: gaps at the limit and beyond, long sessions, ids that become known, bots.
function randomEvents(rnd, site, { visitors = 6, n = 150 } = {}) {
	const types = ['page_view', 'page_view', 'product_view', 'add_to_cart', 'add_to_cart', 'remove_from_cart', 'checkout_start', 'purchase', 'search', 'session_end', 'my.own']
	const list = []
	for (let v = 0; v < visitors; v++) {
		let at = Date.parse(site.from) + Math.floor(rnd() * DAY)
		let session = 0
		const limit = site.timeout_s * 1000
		for (let i = 0; i < n / visitors; i++) {
			at += rnd() < 0.1 ? pick(rnd, [0, 20 * HOUR]) + Math.floor(rnd() * 6 * HOUR) : pick(rnd, [0, 1, MINUTE, 5 * MINUTE, limit, limit, limit, limit + 1, limit - 1])
			if (rnd() < 0.15) session++
			const known = maybe(rnd, 0.4, pick(rnd, [`u${v}`, `u${v}`, `u${(v + 1) % visitors}`]))
			const anonymous = known && rnd() < 0.5 ? undefined : `a${v}`
			const inSession = v % 3 === 0 ? `s${v}.${session}` : v % 3 === 1 ? maybe(rnd, 0.5, `s${v}.${session}`) : undefined
			list.push({ at, received_at: at + Math.floor(rnd() * HOUR), type: pick(rnd, types), user_id: known,
				anonymous_id: inSession && !known && rnd() < 0.3 ? undefined : anonymous, session_id: inSession, flags: rnd() < 0.1 ? pick(rnd, [16, 32, 65]) : pick(rnd, [0, 1, 8]),
				dims: { page: maybe(rnd, 0.8, `/p${Math.floor(rnd() * 5)}`), source: maybe(rnd, 0.3, pick(rnd, ['google.com', 'a:b'])), device: maybe(rnd, 0.7, 'mobile'),
					category: maybe(rnd, 0.5, pick(rnd, ['x', 'y'])), product: maybe(rnd, 0.5, `${Math.floor(rnd() * 4)}`) },
				price: maybe(rnd, 0.8, (rnd() * 100).toFixed(2)), quantity: maybe(rnd, 0.5, 1 + Math.floor(rnd() * 3)), currency: maybe(rnd, 0.5, pick(rnd, ['EUR', 'EUR', 'USD'])),
				properties: { n: i } })
		}
	}
	return list
}

function shuffled(rnd, list) {
	const out = [...list]
	for (let i = out.length - 1; i > 0; i--) {
		const j = Math.floor(rnd() * (i + 1))
		;[out[i], out[j]] = [out[j], out[i]]
	}
	return out
}

// In the order of time but for some that come late, and in that of nothing.
const late = (rnd, list) => list.map((e) => [e.at + (rnd() < 0.2 ? rnd() * 3 * DAY : 0), e]).sort((a, b) => a[0] - b[0]).map(([, e]) => e)

// ---- tests -----------------------------------------------------------------------------------

const reset = (database) => database.exec(`BEGIN; SELECT pg_advisory_xact_lock(activity_lock_key());
	TRUNCATE activity_batch, activity_event, activity_id, activity_visitor, activity_session, activity_person_day, activity_value, activity_sum,
		activity_session_sum, activity_user_sum, activity_product, activity_type, activity_property; COMMIT`)

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
