// What a night drops of the inbox and of what is written down about the system, and what it never drops.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { openSmallShop } from '../lib/shop.mjs'

describe('a night', () => {
	let shop
	before(async () => {
		shop = await openSmallShop(2)
		await shop.expectRun(0)
	})
	// Rows named by their type. Processed 500 days ago: old.
	const fill = () => shop.cache.exec(`TRUNCATE event_log;
		INSERT INTO event_log (event_type, dedup_key, source, created_at, processed, processed_at, dead_at, replaced_by, dropped_at)
		SELECT t, sha256((t || n)::bytea), 'http', now() - born * interval '1 day', done IS NOT NULL, now() - done * interval '1 day', now() - dead * interval '1 day', by, now() - dropped * interval '1 day'
		FROM generate_series(1, 2) n, (VALUES ('old', 500, 500, NULL, NULL::bigint, NULL), ('old replaced', 500, 499, 500, 1, NULL), ('old dropped', 500, 450, 500, NULL, 450),
			('settled late', 500, 10, 490, 1, NULL), ('young', 399, 399, NULL, NULL, NULL), ('open', 900, NULL, NULL, NULL, NULL), ('dead', 900, NULL, 900, NULL, NULL))
			AS v (t, born, done, dead, by, dropped)`)
	const left = () => shop.cache.query('SELECT event_type AS t, count(*)::int AS n FROM event_log GROUP BY 1 ORDER BY 1').then((rows) => rows.map((r) => `${r.n} ${r.t}`))
	const night = async (settings) => assert.equal((await shop.batch(['run', '--force'], settings)).code, 0)

	it('drops messages that were settled more than EVENT_LOG_DAYS ago, and none that are open or dead', async () => {
		await fill()
		await night()
		assert.deepEqual(await left(), ['2 dead', '2 open', '2 settled late', '2 young'])
		await night({ EVENT_LOG_DAYS: '5' })
		assert.deepEqual(await left(), ['2 dead', '2 open'])
	})

	it('drops none where they are kept for ever', async () => {
		await fill()
		await night({ EVENT_LOG_DAYS: '0' })
		assert.equal((await left()).length, 7)
	})

	it('drops any number of them', async () => {
		await shop.cache.exec(`TRUNCATE event_log; INSERT INTO event_log (event_type, dedup_key, source, created_at, processed, processed_at)
			SELECT 'old', sha256(n::text::bytea), 'http', now() - interval '2 years', true, now() - interval '2 years' FROM generate_series(1, 25000) n`)
		await night()
		assert.deepEqual(await left(), [])
	})

	it('drops minutes and gaps older than 400 days, but no gap that is not over', async () => {
		await shop.cache.exec(`INSERT INTO probe_minute (minute_at, up) SELECT date_trunc('minute', now()) - d * interval '1 day', true FROM unnest(ARRAY[500, 401, 399, 0]) d;
			INSERT INTO redis_gap (from_at, until_at, reason) VALUES (now() - interval '500 days', now() - interval '401 days', 'old'),
				(now() - interval '499 days', now() - interval '399 days', 'young'), (now() - interval '498 days', NULL, 'still')`)
		await night()
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM probe_minute'), 2)
		assert.deepEqual((await shop.cache.query('SELECT reason FROM redis_gap ORDER BY 1')).map((r) => r.reason), ['still', 'young'])
	})

	it('and doctor says what waits for somebody', async () => {
		await fill()
		const { stdout } = await shop.batch(['doctor'])
		assert.match(stdout, /^warn {2}2 message\(s\) about bookings could not be read .*takings-batch inbox list --dead$/m)
		assert.doesNotMatch(stdout, /have waited/, 'these are due only now')
		await shop.cache.exec(`UPDATE event_log SET next_attempt_at = now() - interval '6 minutes' WHERE event_type IN ('open', 'dead')`)
		assert.match((await shop.batch(['doctor'])).stdout, /^warn {2}2 message\(s\) about bookings have waited for over 5 minutes: does takings-stream run\?$/m)
		await shop.cache.exec('TRUNCATE event_log')
		assert.doesNotMatch((await shop.batch(['doctor'])).stdout, /message\(s\) about bookings/)
	})
})
