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
	FROM booking_site s LEFT JOIN system_metrics m ON true`))[0].done, { what, every: 30, limit: 60_000 })

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

			for (const [seed, options, n] of [[1, { events: 2, bookings: 3 }, 40], [2, { events: 4, bookings: 12 }, 120], [3, { events: 6, bookings: 40 }, 200]])
				it(`${n} of ${options.events} events and ${options.bookings} bookings come to the same in any order`, async () => {
					const rnd = drawer(seed * 100 + size).uniform
					const messages = new Maker(rnd, options).messages(n)
					for (let round = 0; round < 3; round++) {
						await reset(database)
						await database.exec(inboxInsert(round ? shuffled(rnd, messages) : messages))
						await settled(database)
						const tables = await bookingTables(database)
						same(tables, oracle(messages, CLOCK))
					}
					const tables = await bookingTables(database)
					await database.exec('SELECT bookings_rebuild(); NOTIFY takings_inbox')
					await settled(database)
					same(await bookingTables(database), tables)
				})
		})
})

// A database with a process at work; every batch of 7.
async function atWork(settings = {}, options = {}) {
	const database = await freshDatabase()
	const stream = await Stream.start(database, { ...SITE, EVENT_PROCESSING_BATCH_SIZE: '7', ...settings }, options)
	return { database, stream, end: async () => { await stream.stop(); await database.drop() } }
}

const put = (database, messages) => database.exec(inboxInsert(messages))
const rows = (database, where) => database.query(`SELECT id, processed, attempts, last_error, error_field, dead_at IS NOT NULL AS dead,
	extract(epoch FROM next_attempt_at - now()) AS wait_s FROM event_log WHERE ${where} ORDER BY id`)

const at = (minute) => new Date(Date.UTC(2026, 10, 2, 10, minute)).toISOString()
const event = (event_id, more = {}) => ({ type: 'event.created', event_id, occurred_at: at(0), ...more })
const booking = (booking_id, event_id, more = {}) => ({ type: 'booking.created', booking_id, event_id, occurred_at: at(1), status: 'confirmed', ...more })
const cancelled = (booking_id, minute = 2) => ({ type: 'booking.cancelled', booking_id, occurred_at: at(minute) })

describe('a row that cannot take effect', () => {
	let work
	before(async () => { work = await atWork() })
	after(() => work.end())

	it('is found among the others, tried 8 times, each later, and then dead; corrected it takes effect', async () => {
		const { database, stream } = work
		// Nine of these are what 64 bits hold of a day's revenue.
		const huge = Array.from({ length: 10 }, (_, i) => booking(`huge${i}`, 1, { amount: '99999999999999', currency: 'CLF' }))
		const others = Array.from({ length: 11 }, (_, i) => booking(`b${i}`, 2, { amount: '10' }))
		await put(database, [...huge, ...others])
		const [row] = await until(async () => {
			const open = await rows(database, 'NOT processed')
			return open.length === 1 && open[0].attempts > 0 && open
		}, { what: 'the others to go through' })
		assert.match(row.last_error, /out of range/)
		for (let tries = row.attempts + 1, now = row; !now.dead; tries = now.attempts + 1) {
			await database.exec(`UPDATE event_log SET next_attempt_at = now() WHERE id = ${row.id}; NOTIFY takings_inbox`)
			now = await until(async () => {
				const found = await rows(database, `id = ${row.id}`)
				return found[0].attempts >= tries && found[0]
			}, { what: `try ${tries}` })
			assert.equal(now.dead, now.attempts === 8)
			const most = 0.5 * 2 ** (now.attempts - 1) * 1.25
			assert.ok(now.wait_s <= most && now.wait_s > most * 0.6 - 5, `try ${now.attempts} waits ${now.wait_s} s`)
		}
		const tables = await bookingTables(database, ['booking_day', 'event_stats'])
		assert.equal(tables.event_stats.find((s) => s.event_id === 2).confirmed_bookings, 11)
		assert.equal(tables.event_stats.find((s) => s.event_id === 1).confirmed_bookings, 9)
		await until(async () => await stream.stat('inbox_dead') === 1 && (await stream.status()).status === 'degraded', { what: 'that it says so' })
		assert.equal(await stream.stat('inbox_retries_total'), 7)
		assert.match((await stream.status()).detail, /^bookings: a message cannot take effect: .*out of range/)

		await put(database, [cancelled('huge0'), cancelled('huge1')])
		await database.exec(`UPDATE event_log SET dead_at = NULL, attempts = 0, next_attempt_at = now() WHERE id = ${row.id}; NOTIFY takings_inbox`)
		await settled(database)
		same(await bookingTables(database, ['user_state', 'booking_hour']), Object.fromEntries(Object.entries(
			oracle([...huge, ...others, cancelled('huge0'), cancelled('huge1')], CLOCK)).filter(([name]) => name === 'user_state' || name === 'booking_hour')))
	})

	it('is dead at once where it cannot be read, with its reason', async () => {
		const { database } = work
		const bad = [['booking.created', '{"type":"booking.created","booking_id":"x","event_id":1,"occurred_at":"2026-11-02T10:00:00Z","seats":-1}', 'seats'],
			['', '{"type":"booking.moved"}', 'type'], ['booking.created', '[1]', '']]
		for (const [type, text, field] of bad) {
			await database.exec(`INSERT INTO event_log (event_type, event_data, dedup_key, source) VALUES ('${type}', '${text}', sha256('${text}'), 'http'); NOTIFY takings_inbox`)
			const [row] = await until(async () => {
				const found = await rows(database, `event_data = '${text}' AND dead_at IS NOT NULL`)
				return found.length && found
			}, { what: `${text} to be dead` })
			assert.deepEqual([row.attempts, row.error_field, row.processed], [0, field, false])
			assert.notEqual(row.last_error, '')
		}
	})
})

describe('what passes by itself', () => {
	it('is waited for, and counts as no attempt', async () => {
		const { database, stream, end } = await atWork()
		await until(() => stream.events.some((e) => e.event === 'bookings_rebuilt'), { what: 'its clock to be settled' }) // which waits for this lock
		const session = database.session()
		await session.ask('BEGIN; SELECT pg_advisory_xact_lock(booking_lock_key())')
		const messages = new Maker(drawer(5).uniform).messages(30)
		await put(database, messages)
		await until(async () => (await stream.stat('inbox_lag_ms')) > 500, { what: 'the lag to show' })
		assert.equal((await database.one('SELECT count(*) AS n FROM event_log WHERE processed')).n, 0)
		await session.ask('COMMIT')
		await session.close()
		await database.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'takings-stream bookings' AND datname = current_database()")
		await settled(database)
		same(await bookingTables(database), oracle(messages, CLOCK))
		assert.equal((await database.one('SELECT max(attempts) AS n FROM event_log')).n, 0)
		await until(async () => (await stream.stat('inbox_open')) === 0 && (await stream.stat('inbox_lag_ms')) === 0, { what: 'the lag to go' })
		await end()
	})
})

describe('a death', () => {
	for (const place of ['claimed', 'states', 'figures', 'committing', 'committed', 'ranked'])
		it(`at ${place} loses nothing and doubles nothing`, async () => {
			const rnd = drawer(place.length * 7).uniform
			const messages = new Maker(rnd).messages(60)
			const { database, stream } = await atWork({ TAKINGS_FAILPOINT: `stream_bookings_${place}=kill@${place === 'ranked' ? 1 : 2}` }, { ready: false })
			await put(database, messages)
			assert.equal(await stream.program.ended, 'SIGKILL')
			const next = await Stream.start(database, { ...SITE, EVENT_PROCESSING_BATCH_SIZE: '7' })
			await settled(database)
			same(await bookingTables(database), oracle(messages, CLOCK))
			await next.stop()
			await database.drop()
		})
})

describe('the day of an instant', () => {
	it('is that of the calendar, near changes of clocks, too', async () => {
		const database = await freshDatabase()
		const differ = await database.query(`SELECT zone, at, cutoff
			FROM unnest(ARRAY['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/Havana', 'Asia/Beirut']) zone,
			     unnest(ARRAY[0, 1, 2, 4]) cutoff,
			     (SELECT timestamptz '2011-12-29 00:00Z' + i * interval '71 minutes' FROM generate_series(0, 60) i
			      UNION ALL SELECT timestamptz '2024-10-26 12:00Z' + i * interval '31 minutes' FROM generate_series(0, 50) i
			      UNION ALL SELECT timestamptz '2024-11-02 22:00Z' + i * interval '23 minutes' FROM generate_series(0, 30) i
			      UNION ALL SELECT timestamptz '2024-04-06 10:00Z' + i * interval '29 minutes' FROM generate_series(0, 30) i) t(at)
			WHERE booking_date(at, zone, cutoff) IS DISTINCT FROM business_date(at, zone, cutoff)`)
		assert.deepEqual(differ, [])
		await database.drop()
	})
})

describe('the clock and the currency', () => {
	it('make all figures anew when they change', async () => {
		const { database, stream } = await atWork()
		const messages = new Maker(drawer(11).uniform).messages(120)
		await put(database, messages)
		await settled(database)
		await stream.stop()
		const with_ = async (settings, clock) => {
			const again = await Stream.start(database, settings)
			await until(async () => again.events.some((e) => e.event === 'bookings_rebuilt'), { what: 'the rebuild' })
			await settled(database)
			same(await bookingTables(database), oracle(messages, clock))
			await again.stop()
		}
		await with_({ BUSINESS_TIMEZONE: 'America/St_Johns', BUSINESS_DAY_CUTOFF: '2' }, { tz: 'America/St_Johns', cutoff: 2 })
		await with_({ ...SITE, DEFAULT_CURRENCY: 'JPY', CAPACITY_UNLIMITED: '10' }, { ...CLOCK, currency: 'JPY', unlimited: 10 })
		// The rules in force win over settings.
		await database.exec(`WITH r AS (INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
			VALUES ('Asia/Kathmandu', 1, 'UTC', 'bookings', '', 'USD', 0) RETURNING rules_id) INSERT INTO site (rules_id) SELECT rules_id FROM r`)
		await with_(SITE, { tz: 'Asia/Kathmandu', cutoff: 1, currency: 'USD' })
		await database.drop()
	})
})

describe('a new day', () => {
	it('comes without a message: its active events, and what is recent', async () => {
		const { database, end } = await atWork()
		const messages = new Maker(drawer(21).uniform, { events: 8 }).messages(150)
		await put(database, messages)
		await settled(database)
		const today = oracle(messages, CLOCK)
		same(await bookingTables(database), today)
		assert.ok(today.booking_day_more.at(-1).active_events > 0)
		const { version } = await database.one('SELECT version FROM booking_site')
		await database.exec(`BEGIN; SELECT pg_advisory_xact_lock(booking_lock_key());
			UPDATE booking_site SET days_to = days_to - 1; UPDATE system_metrics SET today = today - 1, recent_bookings = 0;
			UPDATE booking_day_more SET active_events = 0 WHERE business_date > (SELECT days_to FROM booking_site);
			DELETE FROM booking_day_more WHERE active_events = 0 AND new_users = 0; COMMIT`)
		await until(async () => (await database.one('SELECT version FROM booking_site')).version > version, { what: 'the new day' })
		same(await bookingTables(database), today)
		await end()
	})
})

describe('events that were on sale for decades', () => {
	it('cost no more than others, also when the first booking of all turns out to be as old', async () => {
		const { database, end } = await atWork({ EVENT_PROCESSING_BATCH_SIZE: '500' })
		const events = Array.from({ length: 1000 }, (_, i) => ({ type: 'event.published', event_id: i + 1, occurred_at: at(0), starts_at: '1970-01-10T12:00:00Z',
			sales_from: '1970-02-01T12:00:00Z', sales_until: '2000-01-01T12:00:00Z' }))
		const active = async () => Object.fromEntries((await database.query(`SELECT business_date::text AS day, active_events AS n FROM booking_day_more
			WHERE active_events > 0 AND (business_date < '1970-02-04' OR business_date > '1999-12-31')`)).map(({ day, n }) => [day, n]))
		try {
			await put(database, [...events, booking('late', 1)])
			await settled(database)
			await put(database, [booking('early', 1, { occurred_at: '1970-01-05T12:00:00Z' })])
			await settled(database)
			const days = { '1970-01-10': 1000, '1970-02-01': 1000, '1970-02-02': 1000, '1970-02-03': 1000, '2000-01-01': 1000 }
			assert.deepEqual(await active(), days)
			await put(database, events.map(({ event_id: id }) => ({ type: 'event.updated', event_id: id, occurred_at: at(1), name: `No ${id}`,
				...(id > 600 && { sales_until: '1970-02-02T12:00:00Z' }) })))
			await settled(database)
			assert.deepEqual(await active(), { ...days, '1970-02-03': 600, '2000-01-01': 600 })
			const tables = await bookingTables(database, ['booking_day_more'])
			await database.exec('SELECT bookings_rebuild(); NOTIFY takings_inbox')
			await settled(database)
			same(await bookingTables(database, ['booking_day_more']), tables)
		} finally {
			await end()
		}
	})
})

describe('figures at their edges', () => {
	let work, tables
	const messages = [
		event(1, { capacity: 0 }), event(2, { capacity: null }), event(3, { capacity: 9999 }), event(4, { capacity: 3 }), event(5, { capacity: 8 }), event(6),
		...[1, 2, 3, 4].map((n) => booking(`a${n}`, n, { seats: 4, amount: '10.005' })), booking('b1', 5, { seats: 1 }), booking('b2', 5, { seats: 2, amount: '3' }),
		cancelled('b1'), booking('c1', 7, { status: 'pending', seats: 5 }),
		booking('d1', 4, { amount: '5', currency: 'USD' }),
	]
	const of = (id) => tables.event_stats.find((s) => s.event_id === id)
	before(async () => {
		work = await atWork()
		await put(work.database, messages)
		await settled(work.database)
		tables = await bookingTables(work.database)
	})
	after(() => work.end())

	it('are what the messages come to', () => same(tables, oracle(messages, CLOCK)))

	it('have no utilization without a limit, and more than 100 % where too much is sold', () => {
		for (const id of [1, 2, 3, 6, 7]) assert.deepEqual([of(id).unlimited, of(id).capacity_utilization, of(id).overbooked], [true, null, false], `event ${id}`)
		assert.deepEqual([of(4).capacity_utilization, of(4).overbooked], [166.67, true])
		assert.deepEqual([of(5).capacity_utilization, of(5).overbooked], [25, false])
		const [system] = tables.system_metrics
		assert.deepEqual([system.avg_capacity_utilization, system.weighted_capacity_utilization], [95.83, 63.64])
	})

	it('have no rate of cancellation without a booking', () => {
		assert.deepEqual([of(6).total_bookings, of(6).cancellation_rate, of(6).first_booking], [0, null, null])
		assert.deepEqual([of(5).cancellation_rate, of(7).cancellation_rate], [50, 0])
		assert.equal(tables.top_events.length, 6)
		const [system] = tables.system_metrics
		assert.deepEqual([system.avg_cancellation_rate, system.weighted_cancellation_rate], [8.33, 12.5])
	})

	it('round money half-even, and add no two currencies', () => {
		assert.equal(of(1).revenue_minor, 1000)
		assert.deepEqual([of(4).revenue_minor, of(4).other_money], [1000, { USD: { counted: 1, revenue_minor: 500 } }])
		assert.deepEqual(Object.keys(tables.system_metrics[0].money), ['EUR', 'USD'])
	})

	it('agree with one another', async () => {
		const sums = await work.database.one(`SELECT (SELECT sum(total_bookings) FROM event_stats) AS a, (SELECT sum(new) FROM booking_day) AS b,
			(SELECT total_bookings FROM system_metrics) AS c, (SELECT sum(revenue_minor) FROM event_stats WHERE currency = 'EUR') AS ra,
			(SELECT sum(revenue_minor) FROM booking_day WHERE currency = 'EUR') AS rb, (SELECT (money -> 'EUR' ->> 'total_minor')::int FROM system_metrics) AS rc,
			(SELECT sum(booked_minor) FROM booking_day WHERE currency = 'EUR') AS rd, (SELECT sum(revenue_minor) FROM category_day WHERE currency = 'EUR') AS re`)
		assert.deepEqual([sums.a, sums.b, sums.c], [8, 8, 8])
		assert.deepEqual([sums.ra, sums.rb, sums.rc, sums.rd, sums.re], [4300, 4300, 4300, 4300, 4300])
	})

	it('are told to those who listen, and ranks are not written where nothing changed', async () => {
		const { database } = work
		const before = await database.text('SELECT event_id, xmin::text FROM top_events ORDER BY 1')
		const { version } = await database.one('SELECT version FROM booking_site')
		await put(database, [booking('a1', 1, { seats: 4, amount: '10.005', version: 1 }), { type: 'user.created', user_id: 'new', occurred_at: at(1) }])
		await until(async () => (await database.one('SELECT total_users AS n FROM system_metrics')).n === 1, { what: 'the user' })
		assert.ok((await database.one('SELECT version FROM booking_site')).version > version)
		assert.equal(await database.text('SELECT event_id, xmin::text FROM top_events ORDER BY 1'), before)
	})
})

describe('a batch', () => {
	it('costs what is in it, not what there is: plans made while all was empty hold', async () => {
		const { database, end } = await atWork({ EVENT_PROCESSING_BATCH_SIZE: '100' })
		const maker = new Maker(drawer(31).uniform, { events: 400, bookings: 3000, users: 1000 })
		const read = async () => (await database.one('SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS n FROM pg_stat_user_tables WHERE relname = ANY (ARRAY[' +
			BOOKING_TABLES.filter((name) => !['top_events', 'system_metrics'].includes(name)).map((name) => `'${name}'`).join(', ') + ']::text[])')).n
		// Statistics are written a second after a transaction at the earliest: a look when they rest.
		const rest = async () => {
			let last = -1
			return until(async () => {
				const n = await read()
				const same_ = n === last
				last = n
				return same_ && n > 0 && { n }
			}, { every: 2500, limit: 60_000, what: 'statistics to rest' })
		}
		await put(database, maker.messages(100))
		await settled(database)
		for (let i = 0; i < 20; i++) await put(database, maker.messages(200))
		await settled(database)
		const { n: a } = await rest()
		for (let i = 0; i < 5; i++) await put(database, Array.from({ length: 100 }, () => maker.booking()))
		await settled(database)
		const { n: b } = await rest()
		const states = (await database.one('SELECT (SELECT count(*) FROM booking_state) + (SELECT count(*) FROM event_day) AS n')).n
		assert.ok(states > 2500, `${states} rows`)
		assert.ok(b - a < 60_000, `${b - a} rows were read for 500 messages`)
		await end()
	})
})
