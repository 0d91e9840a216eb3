// takings-stream and Redis are killed anywhere while messages of bookings come in, and what they make of them is what
// the messages say, to the last row: nothing is lost, nothing counts twice, and all sums agree.
//
// FAULTS=long: 300,000 messages and 50 kills, some of them at a failpoint; else 15,000 and 8. SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Bookings, SETTINGS, differences, generator, inboxDifferences } from '../lib/booking_world.mjs'
import { disagreements } from '../lib/booking_sums.mjs'
import { Feed } from '../lib/feed.mjs'
import { sleep, until } from '../lib/process.mjs'
import { Redis } from '../lib/redis.mjs'
import { postgres } from '../lib/servers.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'
import { Web } from '../lib/web.mjs'

const long = process.env.FAULTS === 'long'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const STREAM = 'takings:events'
const POINTS = ['stream_redis_written', ...['claimed', 'states', 'figures', 'committing', 'committed', 'ranked'].map((w) => `stream_bookings_${w}`)]

// All is in: nothing is open, and ranks and metrics are of the newest figures.
const settled = (cache, rows) => cache.value(`SELECT (SELECT count(*) FROM event_log) >= ${rows}
	AND NOT EXISTS (SELECT FROM event_log WHERE NOT processed AND dead_at IS NULL)
	AND (SELECT ranked_version = version FROM booking_site)`)

describe(`bookings and kills (SEED=${seed})`, () => {
	let server, template

	before(async () => {
		server = await postgres()
		template = (await liveShop(SETTINGS, { server })).cache
	})

	it('the stream and Redis killed again and again', async (t) => {
		const messages = long ? 300_000 : 15_000, kills = long ? 50 : 8
		const random = generator(seed)
		const bookings = new Bookings({ seed, messages })
		const redis = await Redis.start()
		const cache = await server.create(template.name)
		const feed = new Feed(redis.socket, STREAM, bookings.texts, { limit: 0 })
		let stream, atPoint = false // it may die by itself
		t.after(async () => {
			await feed.close()
			await stream?.kill()
			await redis.stop()
			await cache.drop()
		})
		const start = async (more) => { stream = await Stream.start(cache, { ...SETTINGS, REDIS_URL: redis.url(), ...more }, { ready: !more }) }
		const done = () => cache.value('SELECT version FROM booking_site')
		const begun = Date.now()
		await start()
		for (let killed = 0; killed < kills; killed++) {
			const from = await done(), answered = feed.answered
			feed.allow(Math.ceil(bookings.texts.length * (killed + 1) / (kills + 1)))
			if (random() < 0.4) { // while it is being written to
				await until(() => feed.answered > answered, { limit: 60_000, every: 1, what: 'an answer of Redis' })
				await redis.kill()
				await sleep(random() * 300)
				await redis.restart()
			}
			await until(async () => stream.ended() || await done() > from, { limit: 60_000, every: 5, what: 'progress' })
			await sleep(random() * (long ? 2000 : 500))
			assert.equal(stream.ended() && !atPoint, false, stream.log)
			await stream.kill()
			atPoint = killed < kills - 1 && random() < 0.3
			await start(atPoint ? { TAKINGS_FAILPOINT: `${POINTS[Math.floor(random() * POINTS.length)]}=kill@${1 + Math.floor(random() * 20)}` } : undefined)
		}
		feed.allow(Infinity)
		await until(() => feed.answered === bookings.texts.length, { limit: long ? 1_800_000 : 90_000, every: 50, what: 'the producer' })
		await until(() => settled(cache, bookings.said.length + bookings.poison.size), { limit: long ? 1_800_000 : 90_000, every: 100, what: 'the end of the inbox' })
		const seconds = (Date.now() - begun) / 1000
		assert.deepEqual([...await differences(cache, bookings.said), ...await inboxDifferences(cache, bookings)], [])
		const web = await Web.start({ ...SETTINGS, ANALYTICS_DATABASE_URL: cache.url() })
		t.after(() => web.stop())
		assert.deepEqual(await disagreements(web, cache), [])
		assert.equal(await stream.stop(), 0)
		t.diagnostic(`${kills} kills, ${bookings.texts.length} messages, ${feed.repeated} of them repeated by the producer, ` +
			`${bookings.poison.size} dead; ${seconds.toFixed(0)} s, ${Math.round(bookings.texts.length / seconds)} a second`)
	})
})
