// How courses of a university really filled up in spring 2022, as messages: each seat taken is a booking, each seat
// given up a cancellation, each change of a section's size a changed capacity. At the end every figure is the one that
// was counted in the snapshots themselves, whether the messages came by Redis or by Kafka.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { allEvents, disagreements, exact } from '../lib/booking_sums.mjs'
import { golden, missing } from '../lib/data.mjs'
import { SET, ZONE, enrolment } from '../lib/enrolment.mjs'
import { Feed } from '../lib/feed.mjs'
import { until } from '../lib/process.mjs'
import { Redis } from '../lib/redis.mjs'
import { postgres } from '../lib/servers.mjs'
import { Kafka, Stream, liveShop } from '../lib/stream.mjs'
import { Web } from '../lib/web.mjs'

const RULES = { BUSINESS_TIMEZONE: ZONE, BUSINESS_DAY_CUTOFF: '0', DEFAULT_CURRENCY: 'USD' }
const CROWDED = '2022-05-05T12:00:00' // nine sections are over-booked then
const TABLES = { booking_state: '', event_state: '', event_capacity: 'digest', user_state: '', event_day: '', category_day: '', booking_day: '',
	booking_day_more: '', booking_hour: '', booking_lead: '', event_stats: '', top_events: 'id', system_metrics: '' }

const settled = (cache, rows) => until(() => cache.value(`SELECT (SELECT count(*) FROM event_log WHERE processed) = ${rows}
	AND (SELECT ranked_version = version FROM booking_site)`), { limit: 60_000, every: 50, what: `${rows} messages` })

// Everything that came of them, but for when and in which order: of each table its rows.
async function dump(cache) {
	const tables = {}
	for (const [table, without] of Object.entries(TABLES)) {
		const row = `to_jsonb(t) - '{updated_at${without && ','}${without}}'::text[]`
		tables[table] = (await cache.text(`SELECT ${row} FROM ${table} t ORDER BY (${row})::text COLLATE "C"`)).split('\n')
	}
	return tables
}

describe('enrolment in real courses', { skip: missing(SET) }, () => {
	let server, template

	before(async () => {
		server = await postgres()
		template = (await liveShop(RULES, { server })).cache
	})

	// A course's size is the sum of its sections': four that are not limited add up to another number that says so.
	for (const [what, file, word, unlimited] of [['sections', 'section_snapshots.csv.gz', 'section', 9999], ['courses', 'overall_snapshots.csv.gz', 'overall', 39996]])
		describe(what, () => {
			const rules = { ...RULES, CAPACITY_UNLIMITED: String(unlimited) }
			const told = {} // by each way, what is in the tables
			let said, figures, web, cache

			before(() => {
				said = enrolment(file)
				figures = golden(SET)[word]
			})

			after(() => web?.stop())

			it('come by Redis, and are seen full on the way', async (t) => {
				const redis = await Redis.start()
				cache = await server.create(template.name)
				const texts = said.messages.map((m) => m.text)
				const early = said.messages.filter((m) => m.time <= CROWDED).length
				const feed = new Feed(redis.socket, 'takings:events', texts, { limit: early })
				const stream = await Stream.start(cache, { ...rules, REDIS_URL: redis.url() })
				web = await Web.start({ ...rules, ANALYTICS_DATABASE_URL: cache.url() })
				t.after(async () => {
					await feed.close()
					await stream.stop()
					await redis.stop()
				})
				await settled(cache, early)
				assert.ok(said.full(CROWDED).length >= 5)
				const over = await cache.query('SELECT event_name FROM event_stats WHERE overbooked ORDER BY event_name COLLATE "C"')
				assert.deepEqual(over.map((e) => e.event_name), said.full(CROWDED))
				feed.allow(Infinity)
				await settled(cache, texts.length)
				told.redis = await dump(cache)
			})

			it('come to the figures that were counted', async () => {
				assert.equal(said.changes, figures.capacity_changes)
				const stats = await cache.query('SELECT *, capacity_utilization::text AS utilization FROM event_stats')
				assert.equal(stats.length, figures.series)
				for (const s of stats) {
					const g = figures.per_series[s.event_name]
					assert.deepEqual([s.confirmed_seats, s.total_capacity, s.total_bookings, s.cancelled_bookings, s.overbooked],
						[g.enrolled, g.total, g.first_enrolled + g.seats_taken_net_plus, g.seats_dropped_net_minus, g.total < 9999 && g.enrolled > g.total], s.event_name)
					assert.equal(s.unlimited, g.total === unlimited, s.event_name)
					assert.equal(s.utilization, g.total >= 9999 ? null : (Number(g.fill_rate_final) * 100).toFixed(2), s.event_name)
				}
				const sum = (name) => stats.reduce((n, s) => n + s[name], 0)
				const first = Object.values(figures.per_series).reduce((n, g) => n + g.first_enrolled, 0)
				assert.deepEqual([sum('total_bookings') - first, sum('cancelled_bookings'), sum('confirmed_seats')],
					[figures.sum_plus, figures.sum_minus, figures.final_enrolled])
				assert.deepEqual(stats.filter((s) => s.unlimited).map((s) => s.event_name).sort(), figures.series_with_capacity_9999_or_more)
			})

			it('have the means of those that are limited', async () => {
				const limited = Object.values(figures.per_series).filter((g) => g.total < 9999)
				const mean = limited.reduce((sum, g) => sum + g.enrolled / g.total, 0) / limited.length
				const of = await cache.one('SELECT avg_capacity_utilization AS mean, weighted_capacity_utilization AS weighted, total_events, total_bookings FROM system_metrics')
				assert.ok(Math.abs(of.mean - mean * 100) < 0.0051, `${of.mean}`)
				const seats = limited.reduce((n, g) => n + g.enrolled, 0)
				assert.ok(Math.abs(of.weighted - seats * 100 / figures.final_total_excluding_9999_series) < 0.0051, `${of.weighted}`)
				assert.equal(of.total_events, figures.series)
			})

			it('were taken on the days on which most were', async () => {
				// Seats that were taken when the snapshots began are bookings of their first moment.
				const first = new Map()
				for (const g of Object.values(figures.per_series)) first.set(g.first.slice(0, 10), (first.get(g.first.slice(0, 10)) ?? 0) + g.first_enrolled)
				const days = (await cache.query('SELECT business_date::text AS day, new_seats AS seats FROM booking_day'))
					.map((d) => [d.day, d.seats - (first.get(d.day) ?? 0)])
				assert.deepEqual(days.sort((a, b) => b[1] - a[1]).slice(0, 5), figures.seats_taken_per_day_top5)
			})

			it('are what the answers show', async () => {
				const events = await allEvents(web)
				assert.deepEqual(Object.fromEntries(events.map((e) => [e.event_name, [e.confirmed_seats, e.total_capacity, e.total_bookings, e.cancelled_bookings, e.capacity_utilization]])),
					Object.fromEntries(Object.entries(figures.per_series).map(([name, g]) => [name, [g.enrolled, g.total, g.first_enrolled + g.seats_taken_net_plus,
						g.seats_dropped_net_minus, g.total === unlimited ? null : (Number(g.fill_rate_final) * 100).toFixed(2)]])))
				assert.deepEqual(await disagreements(web, cache), [])
				assert.equal((await exact(web, '/api/v1/analytics/capacity')).unlimited_events, figures.series_with_capacity_9999_or_more.length)
			})

			it('come to the same by Kafka', async (t) => {
				const kafka = await Kafka.start({ 'booking.events': 4 })
				const other = await server.create(template.name)
				const stream = await Stream.start(other, { ...rules, ...kafka.settings({ KAFKA_TOPICS: 'booking.events' }) })
				t.after(async () => {
					await stream.stop()
					await kafka.stop()
				})
				// By the event's number, as applications do, and so each event's messages stay in order, and those of different ones do not.
				await kafka.putLines(said.messages.map((m) => {
					const id = JSON.parse(m.text).event_id
					return `put\tbooking.events\t${id % 4}\t${id}\t${m.text}\n`
				}).join(''))
				await kafka.flush()
				await settled(other, said.messages.length)
				for (const [table, lines] of Object.entries(await dump(other))) {
					assert.ok(lines.length > 1 || table === 'user_state', `${table} is empty`)
					assert.deepEqual(lines.find((line, i) => line !== told.redis[table][i]), undefined, table)
					assert.equal(lines.length, told.redis[table].length, table)
				}
			})
		})
})
