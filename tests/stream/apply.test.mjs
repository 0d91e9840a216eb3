// One transaction a batch: whatever the order in which changes come, however they are cut into batches and
// however often, the same rows come out, and these are what the changes add up to. FAULTS=long: in more orders.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { binDir, cleanEnv, must, root, sleep } from '../lib/process.mjs'
import { random as drawer } from '../lib/series.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { FIGURE_TABLES, ROW, STATE_TABLES, digestSql, figureSql, figures, makeChanges, shuffled } from './changes.mjs'

const ROUNDS = process.env.FAULTS === 'long' ? 80 : 25

const cli = path.join(binDir, 'obj/tests/stream/apply_cli')

// apply.c at work in a process of its own.
class Applier {
	constructor(database, settings = {}) {
		this.child = spawn(cli, [], { env: { ...cleanEnv, ANALYTICS_DATABASE_URL: database.url(), ...settings }, cwd: emptyCwd(), stdio: ['pipe', 'pipe', 'pipe'] })
		this.waiting = []
		this.log = ''
		this.child.stderr.on('data', (d) => { this.log += d })
		this.child.stdin.on('error', () => {})
		createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)))
		this.gone = new Promise((done) => this.child.once('close', (code, signal) => {
			for (const wake of this.waiting) wake({ rc: 'gone', signal })
			done({ code, signal })
		}))
	}

	ask(what) {
		return new Promise((done) => {
			this.waiting.push(done)
			this.child.stdin.write(JSON.stringify(what) + '\n')
		})
	}

	async end() {
		this.child.stdin.end()
		return this.gone
	}
}

// Lists of changes as batches of one partition, each moving on by one.
class Partition {
	constructor(number, next = -1) {
		this.at = ['kafka', 'orders', number]
		this.next = next
	}

	batch(changes) { return { changes, advances: [[...this.at, this.next, Math.max(this.next, 0) + 1]] } }

	// As the intake does it: what was refused in passing is tried again.
	async put(applier, changes) {
		for (let tries = 0; tries < 50; tries++) {
			const done = await applier.ask(this.batch(changes))
			if (done.rc === 'ok') {
				this.next = Math.max(this.next, 0) + 1
				return done
			}
			assert.equal(done.rc, 'timeout', JSON.stringify(done))
			await sleep(20)
		}
		throw new Error('refused 50 times')
	}
}

function cut(rnd, list) {
	const out = []
	const most = 1 + Math.floor(rnd() * list.length)
	for (let i = 0; i < list.length;) {
		const n = 1 + Math.floor(rnd() * most)
		out.push(list.slice(i, i + n))
		i += n
	}
	return out
}

let server, sql
async function freshDatabase({ timezone = 'Europe/Berlin', cutoff = 4, profile = 'commerce', counted = '' } = {}) {
	const database = await server.create()
	await must(program, ['migrate'], { cwd: emptyCwd(), env: { ...cleanEnv, DATABASE_URL: database.url(), ANALYTICS_DATABASE_URL: database.url() } })
	await setRules(database, { timezone, cutoff, profile, counted })
	return database
}

async function setRules(database, { timezone = 'Europe/Berlin', cutoff = 4, profile = 'commerce', counted = '' } = {}) {
	await database.exec(`WITH r AS (INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
		VALUES ('${timezone}', ${cutoff}, 'UTC', '${profile}', '${counted}', 'EUR', 0) RETURNING rules_id)
		INSERT INTO site (rules_id) SELECT rules_id FROM r ON CONFLICT (only_row) DO UPDATE SET rules_id = excluded.rules_id`)
}

const digest = async (database) => (await database.query(digestSql))[0].md5

async function figuresIn(database) {
	const out = Object.fromEntries(FIGURE_TABLES.map((name) => [name, []]))
	for (const { name, line } of await database.query(figureSql)) out[name].push(line)
	for (const name of FIGURE_TABLES) out[name].sort()
	return out
}

// Every row with where it stands and who wrote it.
async function rowsOf(database) {
	const tables = [...STATE_TABLES, ...FIGURE_TABLES, 'live_site']
	return database.text(tables.map((name) => `SELECT '${name}' AS t, x.ctid::text AS at, x.xmin::text AS by, x::text FROM ${name} x`)
		.join(' UNION ALL ') + ' ORDER BY 1, 2')
}

before(async () => { server = await postgres() })

describe('the bits of a change', () => {
	it('are the same in C and in SQL', async () => {
		const header = readFileSync(path.join(root, 'stream/change.h'), 'utf8')
		const bits = [...header.matchAll(/^\tHAS_([A-Z_]+) = 1 << (\d+)/gm)].map(([, name, bit]) => [name.toLowerCase(), 2 ** bit])
		const constant = (pattern) => Number(pattern.exec(header)[1])
		const database = await freshDatabase()
		const said = await database.query('SELECT f AS field, field_bit(f) AS bit FROM unnest(enum_range(NULL::change_field)) f')
		assert.deepEqual(said.map(({ field, bit }) => [field, bit]), bits)
		const bit = Object.fromEntries(bits)
		assert.deepEqual((await database.query(`SELECT change_fields(), status_fields(), writes_birth(), newer_birth(), newer_status(),
			version_row()::text`))[0], { change_fields: constant(/CHANGE_FIELDS = (\d+)/), status_fields: bit.status | bit.cancelled,
			writes_birth: constant(/WRITES_BIRTH = (\d+)/), newer_birth: 2 ** bits.length, newer_status: 2 ** (bits.length + 1),
			version_row: String(1n << BigInt(constant(/VERSION_ROW \(INT64_C\(1\) << (\d+)\)/))) })
		// A name costs nothing: the plan has the number.
		const { stdout: plan } = await database.psql(['-At', '-c', `EXPLAIN VERBOSE
			SELECT said & field_bit('status'), said & status_fields() FROM order_state`])
		assert.match(plan, new RegExp(`said & ${bit.status}\\).*said & ${bit.status | bit.cancelled}\\)`))
		assert.doesNotMatch(plan, /field_bit|status_fields/)
		await assert.rejects(() => database.query("SELECT field_bit('totl')"), /change_field/)
		await database.drop()
	})
})

describe('a set of changes', () => {
	let database, session
	before(async () => {
		database = await freshDatabase()
		session = database.session()
	})
	after(() => session.close())

	const reset = () => session.ask(`TRUNCATE ${[...STATE_TABLES, ...FIGURE_TABLES, 'stream_position'].join(', ')}`)

	for (const [seed, orders, n] of [[1, 4, 60], [2, 12, 160], [3, 30, 300]])
		it(`of ${orders} orders (${n} changes) comes to the same in any order and any batches`, async () => {
			const rnd = drawer(seed).uniform
			const changes = makeChanges(rnd, orders, n)
			const expected = figures(changes)
			const applier = new Applier(database)
			let first
			for (let round = 0; round < ROUNDS; round++) {
				await reset()
				const partition = new Partition(0)
				const again = changes.filter(() => rnd() < 0.2) // duplicates
				const list = round === 0 ? changes : shuffled(rnd, [...changes, ...again])
				const batches = round === 1 ? [list] : round === 2 ? list.map((c) => [c]) : cut(rnd, list)
				for (const batch of batches) await partition.put(applier, batch)
				const got = await session.ask(digestSql)
				if (round < 3) assert.deepEqual(await figuresIn(database), expected, `round ${round}`)
				first ??= got
				assert.equal(got, first, `round ${round}`)
			}
			assert.deepEqual(await figuresIn(database), expected)
			assert.deepEqual(await applier.end(), { code: 0, signal: null })
		})

	it('that is read once more changes not one row', async () => {
		await reset()
		const rnd = drawer(4).uniform
		const changes = makeChanges(rnd, 20, 250)
		const applier = new Applier(database)
		const partition = new Partition(0)
		for (const batch of cut(rnd, shuffled(rnd, changes))) await partition.put(applier, batch)
		const rows = await rowsOf(database)
		for (const batch of [changes, ...cut(rnd, shuffled(rnd, changes))]) {
			const done = await partition.put(applier, batch)
			assert.equal(done.orders + done.lines + done.refunds, 0)
			assert.ok(done.stale > 0 && done.stale <= batch.length)
		}
		assert.equal(await rowsOf(database), rows)
		await applier.end()
	})
})

describe('a batch', () => {
	const rnd = drawer(5).uniform
	const changes = makeChanges(rnd, 15, 200)
	let expected

	before(async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		await new Partition(0).put(applier, changes)
		assert.deepEqual(await figuresIn(database), figures(changes))
		expected = await digest(database)
		await applier.end()
	})

	it('of two processes at once that have to do with the same orders comes to the same', async () => {
		const database = await freshDatabase()
		const appliers = [new Applier(database), new Applier(database)]
		await appliers[0].ask({ rules: true })
		await Promise.all(appliers.map(async (applier, i) => {
			const own = drawer(20 + i).uniform
			const partition = new Partition(i)
			// Most changes come to both, as when a partition has moved.
			for (let round = 0; round < 4; round++)
				for (const batch of cut(own, shuffled(own, changes.filter(() => own() < 0.8)))) await partition.put(applier, batch)
		}))
		await new Partition(7).put(appliers[0], changes)
		assert.equal(await digest(database), expected)
		for (const applier of appliers) await applier.end()
	})

	it('is refused as a whole where a partition stands elsewhere', async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		const at = (partition, from, to) => ['kafka', 'orders', partition, from, to]
		assert.equal((await applier.ask({ position: ['kafka', 'orders', 0] })).next, -1)
		const made = await applier.ask({ changes: changes.slice(0, 9), advances: [at(0, -1, 5), at(1, -1, 7)] })
		assert.equal(made.rc, 'ok')
		const rows = await rowsOf(database)
		for (const advances of [[at(0, -1, 6)], [at(0, 4, 6)], [at(0, 5, 6), at(1, 5, 8)], [at(0, 5, 6), at(2, 3, 8)]]) {
			const done = await applier.ask({ changes, advances, dead: [['kafka', 'orders', 0, 5, 'bad']] })
			assert.equal(done.rc, 'locked', JSON.stringify(done))
		}
		assert.equal(await rowsOf(database), rows)
		assert.equal(await database.value('SELECT count(*) FROM dead_letter'), 0)
		for (const [partition, next] of [[0, 5], [1, 7], [2, -1]])
			assert.equal((await applier.ask({ position: ['kafka', 'orders', partition] })).next, next)
		await applier.end()
	})

	it('takes its dead letters along, each once', async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		const letter = (offset, text) => ['kafka', 'orders', 0, offset, text]
		await applier.ask({ changes: [], advances: [['kafka', 'orders', 0, -1, 3]], dead: [letter(1, 'why'), letter(2, 'a "\\ ü')] })
		await applier.ask({ changes: [], advances: [['kafka', 'orders', 0, 3, 4]], dead: [letter(2, 'again'), letter(3, 'more')] })
		assert.deepEqual(await database.query(`SELECT position, reason, field, detail, encode(payload, 'escape') AS payload FROM dead_letter ORDER BY 1`),
			[[1, 'why'], [2, 'a "\\ ü'], [3, 'more']].map(([position, detail]) =>
				({ position, reason: 'invalid', field: 'order_id', detail, payload: '{"\\\\' })))
		assert.equal(await database.value('SELECT live_version FROM live_site'), 1) // the first rules made it 1
		await applier.end()
	})

	it('tells that figures changed, and only then', async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		const partition = new Partition(0)
		await applier.ask({ rules: true })
		const session = database.session()
		await session.ask('LISTEN takings_live')
		const order = { kind: 'order', id: '1', birth: [0, 5], status: [0, 5], status_word: 'paid', currency: 'EUR', location: 1, total: 100,
			placed: 1750000000000000 }
		await partition.put(applier, [order])
		await partition.put(applier, [order])
		await partition.put(applier, [{ ...order, birth: [0, 6], status: [0, 6] }]) // newer, and the same
		await partition.put(applier, [{ ...order, birth: [0, 7], status: [0, 7], total: 101 }])
		assert.equal(await database.value('SELECT live_version FROM live_site'), 3)
		const told = await session.ask('SELECT 1')
		assert.deepEqual([...told.matchAll(/with payload "(\d+)"/g)].map((m) => m[1]), ['2', '3'])
		await session.close()
		await applier.end()
	})

	it('puts nothing into minutes that were dropped', async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		await database.exec(`UPDATE live_site SET minutes_from = '2025-06-01'`)
		await new Partition(0).put(applier, changes)
		const kept = figures(changes).live_minute.filter((line) => Number(line.split('|')[1]) >= Date.UTC(2025, 5, 1) / 1000)
		const got = await figuresIn(database)
		assert.ok(kept.length > 0)
		assert.deepEqual(got.live_minute, kept)
		assert.deepEqual(got.live_day, figures(changes).live_day)
		await applier.end()
	})

	it('under other rules is refused, and all figures are made anew', async () => {
		const database = await freshDatabase()
		const applier = new Applier(database)
		const partition = new Partition(0)
		await partition.put(applier, changes.slice(0, 150))
		const rules = { timezone: 'America/New_York', cutoff: 0, profile: 'commerce', counted: 'paid,Odd one,' }
		await setRules(database, rules)
		const rows = await rowsOf(database)
		assert.equal((await applier.ask(partition.batch(changes.slice(150)))).rc, 'busy')
		assert.equal(await rowsOf(database), rows)
		assert.equal((await applier.ask({ rules: true })).rc, 'ok')
		await partition.put(applier, changes.slice(150))
		const other = await freshDatabase(rules)
		const fresh = new Applier(other)
		await new Partition(0).put(fresh, changes)
		assert.equal(await digest(database), await digest(other))
		assert.notEqual(await digest(database), expected)
		await setRules(database)
		assert.equal((await applier.ask({ rules: true })).rc, 'ok')
		assert.equal(await digest(database), expected)
		for (const a of [applier, fresh]) await a.end()
	})

	for (const place of ['copied', 'fenced', 'state', 'figures', 'committing', 'committed'])
		it(`whose process is killed (stream_${place}) is applied once`, async () => {
			const database = await freshDatabase()
			const partition = new Partition(0)
			const victim = new Applier(database, { TAKINGS_FAILPOINT: `stream_${place}=kill@2` })
			await partition.put(victim, changes.slice(0, 100))
			assert.equal((await victim.ask(partition.batch(changes.slice(100)))).rc, 'gone')
			assert.equal((await victim.gone).signal, 'SIGKILL')
			const applier = new Applier(database)
			const { next } = await applier.ask({ position: partition.at })
			assert.equal(next, place === 'committed' ? 2 : 1)
			partition.next = next
			if (next === 1) await partition.put(applier, changes.slice(100))
			assert.equal(await digest(database), expected)
			await applier.end()
		})

	it('of a process that stands still is given up by the server, and another goes on', async () => {
		const database = await freshDatabase()
		const partition = new Partition(0)
		const sleeper = new Applier(database, { TAKINGS_FAILPOINT: 'stream_figures=pause@2' })
		await partition.put(sleeper, changes.slice(0, 100))
		const late = sleeper.ask(partition.batch(changes.slice(100)))
		while (!sleeper.log.includes('stream_figures')) await sleep(20)
		const applier = new Applier(database)
		const begun = Date.now()
		assert.equal((await applier.ask(partition.batch(changes.slice(100)))).rc, 'ok')
		assert.ok(Date.now() - begun < 20_000)
		assert.equal(await digest(database), expected)
		sleeper.child.kill('SIGKILL')
		assert.equal((await late).rc, 'gone')
		await applier.end()
	})
})
