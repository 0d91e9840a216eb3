// takings-batch replay: what it lists, what it asks the stream for, and how it ends. The stream's part is in
// tests/stream/replay.test.mjs; here SQL plays it.
import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { until } from '../lib/process.mjs'
import { batch, daysAgo, openSmallShop } from '../lib/shop.mjs'

let shop
before(async () => {
	shop = await openSmallShop(2)
	await shop.expectRun(0)
})

const letters = (n, reason, more = {}) => shop.cache.exec(`
	INSERT INTO dead_letter (source, topic, partition, position, payload, reason, field, detail, received_at, replayed_at)
	SELECT 'kafka', '${more.topic ?? 'orders'}', 0, coalesce((SELECT max(position) FROM dead_letter), 0) + i, '{"a":1}', '${reason}', 'amount',
		${more.detail ?? `'number ' || i`}, now() - interval '${more.age ?? '1 hour'}', ${more.replayed ? `now() - interval '${more.replayed}'` : 'NULL'}
	FROM generate_series(1, ${n}) i`)
const wanted = () => shop.cache.value('SELECT count(*)::int FROM dead_letter WHERE replay_wanted_at IS NOT NULL')
const ids = async (where = 'true') => (await shop.cache.query(`SELECT dead_letter_id AS id FROM dead_letter WHERE ${where} ORDER BY 1`)).map((r) => r.id)
const stream = (at = 'now()') => shop.cache.exec(`DELETE FROM stream_status; INSERT INTO stream_status VALUES ('x:1:1', now(), ${at}, 'ok', '', '{}')`)
const replay = (...args) => shop.batch(['replay', ...args])
const refusal = (done) => done.events.find((e) => e.level === 'ERROR')?.error

beforeEach(() => shop.cache.exec('TRUNCATE dead_letter, stream_status'))

describe('replay', () => {
	it('lists what was refused, by reason, and the newest of it', async () => {
		assert.match((await replay('list')).stdout, /^no message was refused$/m)
		await letters(30, 'invalid')
		await letters(2, 'malformed', { topic: 'clicks', detail: `E'\\u001b[31mred' ` })
		await letters(5, 'invalid', { replayed: '1 minute' }) // accepted meanwhile
		const all = await replay('list')
		assert.equal(all.code, 0)
		assert.match(all.stdout, /^ +30 +invalid +amount +kafka orders /m)
		assert.match(all.stdout, /^ +2 +malformed +amount +kafka clicks /m)
		assert.equal(all.stdout.match(/number /g).length, 8) // ten in all
		assert.match(all.stdout, /malformed: \?\[31mred$/m)
		const some = await replay('list', '--reason', 'malformed')
		assert.doesNotMatch(some.stdout, /invalid/)
		assert.equal(some.stdout.match(/red$/gm).length, 2)
	})

	for (const args of [[], ['list', '--all'], ['list', '--id', '1'], ['--id'], ['--id', 'x'], ['--id', '0'], ['--id', '1', '--all'], ['--all', '--reason', 'invalid'], ['all'], ['--typo']])
		it(`does not understand ${JSON.stringify(args)}`, async () => {
			await letters(1, 'invalid')
			const done = await replay(...args)
			assert.equal(done.code, 2)
			assert.match(done.stderr, /--help/)
			assert.equal(await wanted(), 0)
		})

	it('says so where there is nothing to replay', async () => {
		await letters(1, 'invalid', { replayed: '1 day' })
		for (const args of [['--all'], ['--id', '77'], ['--id', String((await ids())[0])], ['--reason', 'gone']]) {
			const done = await replay(...args)
			assert.equal(done.code, 1)
			assert.match(refusal(done), /no such message/)
		}
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM audit_log WHERE action = 'dead_letter_replay'`), 0)
	})

	it('asks and does not wait where no stream is at work', async () => {
		await letters(3, 'invalid')
		await stream(`now() - interval '1 minute'`)
		const done = await replay('--all')
		assert.equal(done.code, 1)
		assert.match(refusal(done), /not at work/)
		assert.match(done.stdout, /^0 accepted, 0 refused again, 3 waiting$/m)
		assert.equal(await wanted(), 3)
	})

	it('waits for the verdicts, and notes who asked', async () => {
		await letters(3, 'invalid')
		await letters(2, 'malformed')
		await stream()
		const going = replay('--reason', 'invalid')
		await until(async () => await wanted() === 3, { what: 'three wanted' })
		const [a, b, c] = await ids(`reason = 'invalid'`)
		await shop.cache.exec(`
			UPDATE dead_letter SET replay_wanted_at = NULL, replayed_at = now() WHERE dead_letter_id IN (${a}, ${b});
			UPDATE dead_letter SET replay_wanted_at = NULL, reason = 'malformed' WHERE dead_letter_id = ${c}`)
		const done = await going
		assert.equal(done.code, 1)
		assert.match(done.stdout, /^2 accepted, 1 refused again, 0 waiting$/m)
		assert.match(refusal(done), /1 message\(s\) are refused as before/)
		assert.deepEqual(await shop.cache.query('SELECT actor, action, object, detail FROM audit_log ORDER BY at DESC LIMIT 1'),
			[{ actor: 'command line', action: 'dead_letter_replay', object: 'dead_letter:invalid', detail: { messages: 3 } }])
	})

	it('ends well where all are accepted', async () => {
		await letters(2, 'invalid')
		await stream()
		const [one] = await ids()
		const going = replay('--id', String(one))
		await until(async () => await wanted() === 1, { what: 'one wanted' })
		assert.deepEqual(await ids('replay_wanted_at IS NOT NULL'), [one])
		await shop.cache.exec('UPDATE dead_letter SET replay_wanted_at = NULL, replayed_at = now() WHERE replay_wanted_at IS NOT NULL')
		const done = await going
		assert.equal(done.code, 0)
		assert.match(done.stdout, /^1 accepted, 0 refused again, 0 waiting$/m)
	})

	it('is known to the program', async () => {
		assert.match((await batch(['--help'])).stdout, /^ {2}replay list/m)
	})
})

describe('a night drops', () => {
	it('minutes, accepted messages and processes of long ago, and nothing else', async () => {
		await letters(3, 'invalid', { replayed: '91 days', age: '92 days' })
		await letters(2, 'invalid', { replayed: '89 days', age: '92 days' })
		await letters(4, 'invalid', { age: '400 days' })
		await shop.cache.exec(`
			INSERT INTO live_minute SELECT 1, date_trunc('minute', now()) - d * interval '1 day', 'EUR', 1, 1, 1, 1 FROM generate_series(0, 60) d;
			INSERT INTO stream_status VALUES ('gone:1:1', now(), now() - interval '2 days', 'ok', '', '{}'), ('here:1:1', now(), now(), 'ok', '', '{}')`)
		await shop.expectRun(0, '--date', daysAgo(1))
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM dead_letter'), 6)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM dead_letter WHERE replayed_at IS NULL'), 4)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM live_minute'), 36)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM live_minute, live_site WHERE minute_at < minutes_from'), 0)
		assert.equal(await shop.cache.value(`SELECT minutes_from = date_trunc('day', now()) - interval '35 days' FROM live_site`), true)
		assert.deepEqual((await shop.cache.query('SELECT instance FROM stream_status')).map((r) => r.instance), ['here:1:1'])
		// What was dropped once stays dropped.
		await shop.cache.exec(`UPDATE live_site SET minutes_from = now() + interval '1 day'`)
		await shop.expectRun(0, '--date', daysAgo(1))
		assert.equal(await shop.cache.value('SELECT minutes_from > now() FROM live_site'), true)
	})

	it('nothing where that fails, and the figures stand', async () => {
		await shop.cache.exec('ALTER TABLE dead_letter RENAME TO away')
		try {
			await shop.expectRun(0, '--date', daysAgo(1))
			assert.ok((await shop.warnings()).some((w) => w.code === 'prune_failed'))
		} finally {
			await shop.cache.exec('ALTER TABLE away RENAME TO dead_letter')
		}
	})
})
