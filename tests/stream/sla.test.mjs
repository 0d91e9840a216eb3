// What is booked is seen within a second: from when a message is sent, over HTTP or through Redis, until the answers
// over HTTP, which are kept, say it.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { sleep } from '../lib/process.mjs'
import { Redis } from '../lib/redis.mjs'
import { postgres } from '../lib/servers.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'
import { Web } from '../lib/web.mjs'

const RULES = { BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4' }
const TIMES = 10

describe('from a booking to the answer', () => {
	let cache, redis, stream, web, n = 0

	before(async () => {
		cache = (await liveShop(RULES, { server: await postgres() })).cache
		redis = await Redis.start()
		stream = await Stream.start(cache, { ...RULES, REDIS_URL: redis.url() })
		web = await Web.start({ ...RULES, ANALYTICS_DATABASE_URL: cache.url(), ANALYTICS_CACHE_TTL: '300' })
	})

	after(async () => {
		await web.stop()
		await stream.stop()
		await redis.stop()
	})

	const send = {
		'HTTP': async (text) => {
			const answer = await web.get('/api/v1/ingest', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: text })
			assert.equal(answer.status, 202, answer.text)
		},
		'Redis Streams': (text) => redis.ask('XADD', 'takings:events', '*', 'data', text),
	}
	const shown = async () => (await web.get('/api/v1/analytics/system')).json?.total_bookings ?? 0

	for (const [way, put] of Object.entries(send))
		it(`${way}: within a second`, async (t) => {
			const waits = []
			for (let i = 0; i < TIMES; i++) {
				const was = await shown(), begun = Date.now()
				await put(JSON.stringify({ type: 'booking.created', status: 'confirmed', booking_id: `s${++n}`, event_id: 1 + n % 3, amount: '10.00',
					occurred_at: new Date().toISOString() }))
				while (await shown() === was && Date.now() - begun < 10_000) await sleep(10)
				assert.equal(await shown(), was + 1)
				waits.push(Date.now() - begun)
				await sleep(100 + 50 * i) // another moment of its clock
			}
			waits.sort((a, b) => a - b)
			t.diagnostic(`${way}: median ${waits[TIMES / 2]} ms, longest ${waits.at(-1)} ms`)
			assert.ok(waits[TIMES / 2] < 1000, `${waits}`)
			assert.ok(waits.at(-1) < 3000, `${waits}`) // other tests share the machine
		})
})
