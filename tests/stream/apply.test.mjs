// One transaction a batch: whatever the order in which changes come, however they are cut into batches and
// however often, the same rows come out, and these are what the changes add up to.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createInterface } from 'node:readline'
import { binDir, cleanEnv, must, sleep } from '../lib/process.mjs'
import { random as drawer } from '../lib/series.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { FIGURE_TABLES, ROW, STATE_TABLES, digestSql, figureSql, figures, makeChanges, shuffled } from './changes.mjs'

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
			for (let round = 0; round < 80; round++) {
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
