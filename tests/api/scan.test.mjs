// Questions that go through everybody's sequences: lib/domain/sequence_scan.c by tests/api/scan_client.c, and their turns and
// ends in takings-web by GET /path/analysis.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import http from 'node:http'
import path from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { binDir, cleanEnv, run, until } from '../lib/process.mjs'
import { parseMetrics, sample } from '../lib/prom.mjs'
import { dayOf, FIRST, GONE, sequenceSql } from '../lib/sequences.mjs'
import { postgres } from '../lib/servers.mjs'
import { batch, emptyCwd } from '../lib/shop.mjs'
import { OPEN, Web } from '../lib/web.mjs'

const program = path.join(binDir, 'obj/tests/api/scan_client')
const FROM = dayOf('2025-10-25'), TO = dayOf('2025-10-30') // with the 25 hours of 2025-10-26
const SITE = `UPDATE activity_site SET timezone = 'Europe/Berlin', cutoff_hours = 4, session_timeout_s = 3600, currency = 'EUR', version = 1,
	applied_at = now(), sequenced_from = '-infinity';`

async function openDatabase(sql) {
	const database = await (await postgres()).create()
	const done = await batch(['migrate'], { ANALYTICS_DATABASE_URL: database.url() })
	assert.equal(done.code, 0, done.stderr)
	await database.exec(SITE + sql)
	return database
}

// Parts of people 1 to 400, and what they add up to.
function history() {
	const sum = { people: new Set(), days: 0, first_days: 0, events: 0, types: 0, at: 0, sessions: 0, amount: 0, dims: 0 }
	const begins = { 0: '2025-10-25T02:00Z', 1: '2025-10-26T03:00Z', 2: '2025-10-27T03:00Z', 3: '2025-10-28T03:00Z', 4: '2025-10-29T03:00Z' }
	let seq = 0, sql = ''
	for (let d = 0; d < TO - FROM; d++) {
		const begin = Date.parse(begins[d]) * 1000
		for (let shard = 0; shard < 32; shard++) {
			for (const part of d % 2 ? [0, 1] : [0]) {
				const people = []
				for (let id = shard || 32; id <= 400; id += 32) {
					if ((id + d) % 3 === 0) continue
					const gone = id % 40 === 7, first = d === 1 && part === 0
					const events = [...Array(gone && part === 0 ? 0 : 1 + id % 3).keys()].map((k) => ({
						us: (3 - part) * 1000 + k * 7_000_000, type: 1 + (id + k) % 9, seq: ++seq, session: id * 1000, said: id % 2, amount: k ? seq : -1, dims: { 4: 1 + seq % 50, 9: id % 3 },
					}))
					people.push({ id, flags: (gone && part === 0 ? GONE : 0n) | (first ? FIRST : 0n), events })
					if (gone) continue
					sum.people.add(id)
					sum.first_days += first
					if (part === 0) sum.days++
					for (const e of events) {
						sum.events++
						sum.types += e.type
						sum.at += (begin + e.us) % 1000003
						sum.sessions += e.session % 1000003 + e.said
						sum.amount += Math.max(0, e.amount)
						sum.dims += e.dims[9] + 2 * e.dims[4]
					}
				}
				sql += sequenceSql(FROM + d, people)
			}
		}
	}
	const { people, ...sums } = sum
	return { sql, sums: { people: people.size, ids: [...people].reduce((a, b) => a + b, 0), ...sums, disorder: false } }
}

describe('going through sequences', () => {
	const { sql, sums } = history()
	let database

	const client = async (args, env = {}) => {
		const done = await run(program, args.map(String), { env: { ...cleanEnv, ANALYTICS_DATABASE_URL: database.url(), ...env }, cwd: emptyCwd() })
		assert.equal(done.stderr, '')
		return { code: done.code, ...JSON.parse(done.stdout) }
	}
	const sumsOf = ({ us, kb, code, ...rest }) => rest

	before(async () => { database = await openDatabase(sql) })

	for (const workers of [1, 2, 5])
		it(`gives each person once, to ${workers}`, async () => {
			assert.deepEqual(sumsOf(await client([workers, FROM, TO, 'esa94'])), sums)
		})

	it('reads no more than it is asked for', async () => {
		assert.deepEqual(sumsOf(await client([2, FROM, TO, 'e'])), { ...sums, sessions: 0, amount: 0, dims: 0 })
		assert.deepEqual(sumsOf(await client([2, FROM, TO, 'd'])), { ...sums, events: 0, types: 0, at: 0, sessions: 0, amount: 0, dims: 0 })
	})

	it('takes days that nobody has for none', async () => {
		assert.deepEqual(sumsOf(await client([2, -1_000_000, 3_000_000, 'esa94'])), sums)
		assert.equal((await client([2, TO, TO + 100, 'e'])).people, 0)
		assert.equal((await client([2, FROM, FROM, 'e'])).people, 0)
		assert.equal((await client([2, FROM + 1, FROM + 2, 'e'])).first_days, sums.first_days)
	})

	it('sees one snapshot with all connections', async () => {
		const last = await database.value('SELECT max(part_id) FROM activity_sequence')
		const more = [...Array(32).keys()].map((shard) => sequenceSql(FROM, [{ id: 10_000 * 32 + shard, events: [{ us: 1, type: 1, seq: 1e6 }] }])).join('')
		assert.deepEqual(sumsOf(await client([3, FROM, TO, 'esa94'], { MEANWHILE: more })), sums)
		assert.equal((await client([3, FROM, TO, 'e'])).people, sums.people + 32)
		await database.exec(`DELETE FROM activity_sequence WHERE part_id > ${last}`)
	})

	it('ends when its time is over', async () => {
		const begun = Date.now(), done = await client([2, FROM, TO, 'ez', 200, 150])
		assert.equal(done.code, 1)
		assert.equal(done.error, 'timeout')
		assert.ok(Date.now() - begun < 10_000) // all of it takes half a minute
	})

	it('ends when nobody waits for it', async () => {
		const child = spawn(program, [2, FROM, TO, 'ezw', 200].map(String), { env: { ...cleanEnv, ANALYTICS_DATABASE_URL: database.url() }, cwd: emptyCwd(), stdio: ['pipe', 'pipe', 'inherit'] })
		let text = ''
		child.stdout.on('data', (d) => { text += d })
		const ended = new Promise((resolve) => child.once('close', resolve))
		await until(() => database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'scan_client'").then((n) => n === 2))
		child.stdin.destroy()
		assert.equal(await ended, 1)
		assert.match(text, /"error": "interrupted", "text": "nobody waits for the answer"/)
	})

	it('tells of a damaged part', async () => {
		const other = await openDatabase(sql + sequenceSql(FROM, [{ id: 32, events: [{ us: 1, type: 1, seq: 1 }] }], { people: Buffer.alloc(7) }))
		const done = await run(program, ['2', FROM, TO, 'e'].map(String), { env: { ...cleanEnv, ANALYTICS_DATABASE_URL: other.url() }, cwd: emptyCwd() })
		assert.equal(done.code, 1)
		assert.match(done.stdout, /"error": "invalid", "text": "a part of the sequences of day 20386 is damaged: its people are no whole words"/)
		await other.drop()
	})

	it('fetches no column that is not asked for', async () => {
		const events = [...Array(2000).keys()].map((i) => ({ us: i * 40_000_000, type: 1, seq: i * 7919, session: i * 1000003, dims: { 3: i * 13 % 60000 } }))
		const other = await openDatabase(sequenceSql(FROM, [{ id: 1, events }]) + sequenceSql(FROM + 1, [{ id: 1, events }]))
		// Blocks of what is stored apart; the server counts them when a connection ends.
		const counts = () => other.one(`SELECT s.idx_scan, io.toast_blks_hit + io.toast_blks_read AS blocks FROM pg_stat_user_tables s JOIN pg_statio_user_tables io USING (relid)
			WHERE s.relname = 'activity_sequence'`)
		const blocks = async (wanted) => {
			const was = await counts()
			assert.equal(JSON.parse((await run(program, ['1', FROM, TO, wanted].map(String), { env: { ...cleanEnv, ANALYTICS_DATABASE_URL: other.url() }, cwd: emptyCwd() })).stdout).people, 1)
			return (await until(() => counts().then((is) => is.idx_scan > was.idx_scan && is))).blocks - was.blocks
		}
		const [days, some, more, most] = [await blocks('d'), await blocks('e'), await blocks('es'), await blocks('es3')]
		assert.equal(days, 0)
		assert.ok(some > 0 && more > some && most > more, `${some} ${more} ${most}`)
		await other.drop()
	})
})

describe('turns of such questions', () => {
	const TARGET = '/path/analysis?start_date=2025-10-25&end_date=2025-10-30'
	let database, web, holder

	const start = async (settings = {}) => Web.start({ ...OPEN, ANALYTICS_DATABASE_URL: database.url(), ...settings })
	const measure = async (name) => sample(parseMetrics((await web.get('/metrics')).text), name)
	// Statements that are held up.
	const atWork = () => database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'takings-web %' AND wait_event = 'PgSleep'")
	// A request whose client may go away.
	const ask = (target = TARGET) => {
		const asked = {}
		asked.answer = new Promise((resolve) => {
			asked.req = http.get({ host: '127.0.0.1', port: web.port, path: target }, (res) => {
				let text = ''
				res.on('data', (d) => { text += d })
				res.on('end', () => { asked.text = text; resolve(res.statusCode) })
			})
			asked.req.on('error', () => resolve(null))
		})
		return asked
	}
	// Who reads sequences waits as long as it is held, without a lock that would be waited for.
	const HELD = `ALTER TABLE activity_sequence RENAME TO kept;
		CREATE FUNCTION held() RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN
			WHILE NOT pg_try_advisory_xact_lock_shared(77) LOOP PERFORM pg_sleep(0.01); END LOOP;
			RETURN true;
		END $$;
		CREATE VIEW activity_sequence AS SELECT * FROM kept WHERE held();`
	const hold = async () => {
		holder = database.session()
		await holder.ask('SELECT pg_advisory_lock(77)')
	}
	const giveBack = () => holder.close()

	before(async () => {
		database = await openDatabase(history().sql + HELD)
		await database.exec("INSERT INTO activity_type (event_type, first_at, code) SELECT t, now(), n FROM unnest(ARRAY['product_view', 'add_to_cart', 'checkout_start', 'purchase']) WITH ORDINALITY x(t, n)")
		web = await start({ QUERY_TIMEOUT: '300' })
	})
	afterEach(() => holder?.close()) // also where a test failed: nobody shall wait for it
	after(() => web?.stop())

	it('are counted', async () => {
		assert.equal(await ask().answer, 200)
		assert.equal(await measure('takings_scan_running'), 0)
		assert.equal(await measure('takings_scan_waiting'), 0)
		assert.ok(await measure('takings_scans_total') >= 1)
		assert.ok(await measure('takings_scan_seconds_total') > 0)
		assert.equal(await measure('takings_scans_failed_total'), 0)
	})

	it('come one after the other, in order of arrival, and leave connections to others', async () => {
		await hold()
		const first = ask()
		await until(() => atWork().then((n) => n > 0))
		const others = []
		for (let i = 1; i <= 8; i++) {
			others.push(ask(`${TARGET}&depth=${i}`))
			await until(() => measure('takings_scan_waiting').then((n) => n === i))
		}
		assert.equal(await measure('takings_scan_running'), 1)
		assert.ok(await measure('takings_pool_used') <= 3) // two of four, and who asks
		assert.equal((await web.get('/health')).status, 200)
		await giveBack()
		assert.equal(await first.answer, 200)
		assert.deepEqual(await Promise.all(others.map((o) => o.answer)), Array(8).fill(200))
		const times = [first, ...others].map((o) => JSON.parse(o.text).as_of) // when each had its snapshot
		assert.deepEqual(times, [...times].sort())
		assert.equal(new Set(times).size, 9)
	})

	it('are over when their client goes away, waiting or at work', async () => {
		const failed = await measure('takings_scans_failed_total')
		await hold()
		const first = ask()
		await until(() => atWork().then((n) => n > 0))
		const second = ask(`${TARGET}&depth=9`)
		await until(() => measure('takings_scan_waiting').then((n) => n === 1))
		second.req.destroy()
		await until(() => measure('takings_scan_waiting').then((n) => n === 0))
		first.req.destroy()
		await until(() => atWork().then((n) => n === 0))
		await until(() => measure('takings_scan_running').then((n) => n === 0))
		await giveBack()
		assert.equal(await measure('takings_scans_failed_total'), failed + 1)
		assert.equal(await ask().answer, 200)
	})

	it('are answered 504 after QUERY_TIMEOUT, waiting or at work', async () => {
		await web.stop()
		web = await start({ QUERY_TIMEOUT: '3' })
		await hold()
		const first = ask()
		await until(() => atWork().then((n) => n > 0))
		const second = ask(`${TARGET}&depth=9`)
		assert.deepEqual([await first.answer, await second.answer], [504, 504])
		await until(() => measure('takings_scan_running').then((n) => n === 0))
		assert.equal(await atWork(), 0)
		await giveBack()
		assert.equal(await ask().answer, 200)
	})

	it('need no more than one connection', async () => {
		await web.stop()
		web = await start({ WORKER_THREADS: '1' })
		assert.deepEqual(await Promise.all([ask().answer, ask(`${TARGET}&depth=5`).answer, ask(`${TARGET}&depth=6`).answer]), [200, 200, 200])
	})
})
