// Rows of the inbox take effect: whatever their order, however they are cut into batches, by one process or two, the same
// tables come out; and these are what the messages come to.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { BOOKING_TABLES, Maker, bookingTables, inboxInsert, oracle, sortedLines } from '../lib/bookings.mjs'
import { cleanEnv, must, until } from '../lib/process.mjs'
import { random as drawer } from '../lib/series.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { Stream } from '../lib/stream.mjs'

const SITE = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }
const CLOCK = { tz: 'Europe/Berlin', cutoff: 4 }

let server
before(async () => { server = await postgres() })

async function freshDatabase() {
	const database = await server.create()
	await must(program, ['migrate'], { cwd: emptyCwd(), env: { ...cleanEnv, DATABASE_URL: database.url(), ANALYTICS_DATABASE_URL: database.url() } })
	return database
}

// All rows took effect, and the ranks are of all of them.
const settled = (database, what = 'the inbox to be empty') => until(async () => (await database.query(`
	SELECT NOT EXISTS (SELECT FROM event_log WHERE NOT processed AND dead_at IS NULL) AND s.ranked_version = s.version AND m.id IS NOT NULL AS done
	FROM booking_site s LEFT JOIN system_metrics m ON true`))[0].done, { what, every: 30 })

// As if nothing had ever come; while the processes run.
const reset = (database) => database.exec(`BEGIN; SELECT pg_advisory_xact_lock(booking_lock_key());
	TRUNCATE event_log, ${BOOKING_TABLES.join(', ')}; UPDATE booking_site SET days_from = NULL, days_to = NULL, version = version + 1; COMMIT`)

function shuffled(rnd, list) {
	const out = [...list]
	for (let i = out.length - 1; i > 0; i--) {
		const j = Math.floor(rnd() * (i + 1))
		;[out[i], out[j]] = [out[j], out[i]]
	}
	return out
}

function same(tables, wanted) {
	const a = sortedLines(tables), b = sortedLines(wanted)
	for (const name of Object.keys(a)) {
		const only = (x, y) => x.filter((line) => !y.includes(line))
		assert.deepEqual({ rows: a[name].length, more: only(a[name], b[name]) }, { rows: b[name].length, more: [] }, `${name}: missing ${only(b[name], a[name])}`)
	}
}

describe('a set of messages', () => {
	for (const [size, processes] of [[1, 1], [7, 1], [100, 1], [7, 2]])
		describe(`in batches of ${size}, ${processes} at work`, () => {
			let database, streams
			before(async () => {
				database = await freshDatabase()
				streams = await Promise.all(Array.from({ length: processes }, () => Stream.start(database, { ...SITE, EVENT_PROCESSING_BATCH_SIZE: String(size) })))
			})
			after(async () => {
				for (const stream of streams) assert.equal(await stream.stop(), 0)
				await database.drop()
			})

			for (const [seed, options, n] of [[1, { events: 2, bookings: 3 }, 40], [2, { events: 4, bookings: 12 }, 150], [3, { events: 6, bookings: 40 }, 300]])
				it(`${n} of ${options.events} events and ${options.bookings} bookings come to the same in any order`, async () => {
					const rnd = drawer(seed * 100 + size).uniform
					const messages = new Maker(rnd, options).messages(n)
					for (let round = 0; round < 3; round++) {
						await reset(database)
						await database.exec(inboxInsert(round ? shuffled(rnd, messages) : messages))
						await settled(database)
						const tables = await bookingTables(database)
						same(tables, oracle(messages, CLOCK))
						await database.exec('SELECT bookings_rebuild()')
						await settled(database)
						same(await bookingTables(database), tables)
					}
				})
		})
})
