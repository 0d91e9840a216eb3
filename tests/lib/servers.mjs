// servers.mjs: private PostgreSQL and MariaDB servers, and databases in them.
//
// `make test` shares one server of each kind among all test files (TAKINGS_TEST_DIR says where);
// a file that is run alone gets its own and removes it at the end.
import { chmodSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { cleanEnv, must, root, run } from './process.mjs'

const instance = path.join(root, 'tools/instance.sh')

// What a server or machine prefers must not matter to Takings; the tests' own clients ask for UTC and ISO.
const ODD = "timezone = 'Asia/Kolkata'\ndatestyle = 'SQL, DMY'\nintervalstyle = 'sql_standard'\n"
const ODD_MARIA = '--default-time-zone=+05:30 --sql-mode=ANSI,PAD_CHAR_TO_FULL_LENGTH '

// Tests are about what is committed, not about the disk.
const FAST = 'fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nshared_buffers = 128MB\n' +
	'max_connections = 60\nautovacuum = off\n' + ODD
const FAST_MARIA = ODD_MARIA + '--innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=128M --skip-innodb-doublewrite ' +
	'--skip-log-bin --performance-schema=off --innodb-log-file-size=16M'

// A directory that is removed with everything in it when the test file is done, however it ends.
let ownDir
export function scratch() {
	if (!ownDir) {
		ownDir = mkdtempSync(path.join(os.tmpdir(), 'tk-'))
		chmodSync(ownDir, 0o755) // servers started by root run as another user
		process.once('exit', () => sweep(ownDir))
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))
	}
	return ownDir
}

// Stops whatever servers live below `dir`, then removes it.
export function sweep(dir) {
	const stop = (what, at) => spawnSync(instance, [what, at], { env: cleanEnv, stdio: 'inherit' })
	for (const name of existsSync(dir) ? readdirSync(dir) : []) {
		const at = path.join(dir, name)
		if (existsSync(path.join(at, 'pg/PG_VERSION'))) stop('pg-stop', at)
		if (existsSync(path.join(at, 'mariadb.pid'))) stop('maria-stop', at)
		if (existsSync(path.join(at, 'supervise.pid')))
			spawnSync(instance, ['down'], { env: { ...cleanEnv, INSTANCE_DIR: at }, stdio: 'inherit' })
	}
	rmSync(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 }) // a browser that was just killed may still write
}

const sharedDir = () => process.env.TAKINGS_TEST_DIR ?? scratch()

function facts(text) {
	return Object.fromEntries([...text.matchAll(/([A-Z_]+)='([^']*)'/g)].map((m) => [m[1], m[2]]))
}

// Below those which the system gives to clients: what is free stays free until a server listens. A port is given out once in a run.
export async function freePort() {
	const taken = path.join(sharedDir(), 'ports')
	mkdirSync(taken, { recursive: true, mode: 0o777 })
	for (;;) {
		const port = 12_000 + Math.floor(Math.random() * 20_000)
		const server = createServer()
		const free = await new Promise((done) => server.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true)))
		if (!free) continue
		await new Promise((done) => server.close(done))
		try {
			mkdirSync(path.join(taken, String(port)))
			return port
		} catch { /* another file has it */ }
	}
}

let serial = 0
const uniqueName = () => `t${process.pid}_${++serial}`

// ---- PostgreSQL ---------------------------------------------------------------

export class Postgres {
	constructor(dir, known) {
		this.dir = dir
		this.env = { ...cleanEnv, PGHOST: known.PGHOST, PGPORT: known.PGPORT, PGUSER: 'postgres', PGTZ: 'UTC', PGDATESTYLE: 'ISO',
			PGOPTIONS: '-c client_min_messages=warning', LC_ALL: 'C.UTF-8' }
	}

	url(database, user = 'postgres') {
		return `postgresql://${user}@/${database}?host=${this.env.PGHOST}&port=${this.env.PGPORT}`
	}

	async create(template = 'template0') {
		const name = uniqueName()
		await this.database('postgres').exec(`CREATE DATABASE ${name} TEMPLATE ${template}`)
		return this.database(name)
	}

	database(name) {
		return new PgDatabase(this, name)
	}

	stop() { return must(instance, ['pg-stop', this.dir]) }
	start() { return must(instance, ['pg-start', this.dir]) }
	crash() { return must(instance, ['pg-crash', this.dir]) }
}

class PgDatabase {
	kind = 'postgresql'

	constructor(server, name) {
		this.server = server
		this.name = name
	}

	url(user) { return this.server.url(this.name, user) }

	psql(args, { user = 'postgres', input, env } = {}) {
		return run('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', ...args, this.url(user)],
			{ env: { ...this.server.env, ...env }, input })
	}

	async exec(sql, options) {
		const done = await this.psql(['-f', '-'], { ...options, input: sql })
		if (done.code !== 0) throw new Error(`psql: ${done.stderr}\nin: ${sql.slice(0, 1000)}`)
	}

	// Rows as objects. JSON has no exact decimals: cast what must be exact to text.
	async query(sql, options) {
		const done = await this.psql(['-At', '-f', '-'],
			{ ...options, input: `SELECT coalesce(json_agg(q), '[]') FROM (${sql}\n) q` })
		if (done.code !== 0) throw new Error(`psql: ${done.stderr}\nin: ${sql.slice(0, 1000)}`)
		return JSON.parse(done.stdout)
	}

	async one(sql, options) {
		const rows = await this.query(sql, options)
		if (rows.length !== 1) throw new Error(`${rows.length} rows instead of one: ${sql.slice(0, 300)}`)
		return rows[0]
	}

	async value(sql, options) { return Object.values(await this.one(sql, options))[0] }

	// Rows as lines of COPY.
	async text(sql) {
		const done = await this.psql(['-c', `COPY (${sql}) TO STDOUT`])
		if (done.code !== 0) throw new Error(`psql: ${done.stderr}\nin: ${sql.slice(0, 1000)}`)
		return done.stdout
	}

	async copyIn(target, lines) {
		const input = typeof lines === 'string' ? lines : createReadStream(lines.file)
		const done = await this.psql(['-c', `COPY ${target} FROM STDIN`], { input })
		if (done.code !== 0) throw new Error(`psql: ${done.stderr}`)
	}

	// One connection that stays: for locks, polls and transactions a test holds open.
	session(options) { return new PgSession(this, options) }

	drop() { return this.server.database('postgres').exec(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`) }
}

class PgSession {
	constructor(database, { user = 'postgres' } = {}) {
		this.child = spawn('psql', ['-X', '-q', '-At', database.url(user)],
			{ env: database.server.env, stdio: ['pipe', 'pipe', 'pipe'] })
		this.text = ''
		this.errors = ''
		this.child.stdout.on('data', (d) => { this.text += d; this.wake?.() })
		this.child.stderr.on('data', (d) => { this.errors += d })
		this.child.on('close', () => { this.closed = true; this.wake?.() })
		this.child.stdin.on('error', () => {})
	}

	// The answer as text; an error is thrown.
	async ask(sql) {
		const mark = `mark-${++serial}`
		this.child.stdin.write(`${sql}\n;\n\\echo ${mark} :ERROR :LAST_ERROR_MESSAGE\n`)
		const end = new RegExp(`^${mark} (\\S+) (.*)\n`, 'm')
		while (!end.test(this.text)) {
			if (this.closed) throw new Error(`psql ended: ${this.errors}`)
			await new Promise((done) => { this.wake = done })
		}
		const found = end.exec(this.text)
		const answer = this.text.slice(0, found.index)
		this.text = this.text.slice(found.index + found[0].length)
		if (found[1] === 'true') throw new Error(found[2])
		return answer.trimEnd()
	}

	async rows(sql) { return JSON.parse(await this.ask(`SELECT coalesce(json_agg(q), '[]') FROM (${sql}) q`)) }

	async close() {
		if (this.closed) return
		const gone = new Promise((done) => this.child.once('close', done))
		this.child.stdin.end('\\q\n')
		await gone
	}
}

// ---- MariaDB --------------------------------------------------------------------

export class Maria {
	constructor(dir, socket) {
		this.dir = dir
		this.socket = socket
		this.args = ['--no-defaults', `--socket=${socket}`, '-u', 'root', '--batch', '--skip-column-names', '--default-character-set=utf8mb4',
			`--init-command=SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES'`]
	}

	async create() {
		const name = uniqueName()
		await this.database('').exec(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`)
		return this.database(name)
	}

	database(name) { return new MariaDatabase(this, name) }

	async port() { return Number(await this.database('').text('SELECT @@port')) }

	stop() { return must(instance, ['maria-stop', this.dir]) }
}

class MariaDatabase {
	kind = 'mysql'

	constructor(server, name) {
		this.server = server
		this.name = name
	}

	url(user = 'root') { return `mysql://${user}@localhost/${this.name}?socket=${this.server.socket}` }

	client(args, input) {
		return run('mariadb', [...this.server.args, ...args, ...(this.name ? [this.name] : [])], { input })
	}

	async exec(sql) {
		const done = await this.client([], sql)
		if (done.code !== 0) throw new Error(`mariadb: ${done.stderr}\nin: ${sql.slice(0, 1000)}`)
	}

	async text(sql) {
		const done = await this.client([], sql)
		if (done.code !== 0) throw new Error(`mariadb: ${done.stderr}\nin: ${sql.slice(0, 1000)}`)
		return done.stdout.trimEnd()
	}

	// Lines as PostgreSQL's COPY writes them.
	async copyIn(table, lines) {
		const file = path.join(scratch(), `${uniqueName()}.tsv`)
		writeFileSync(file, lines)
		const done = await this.client(['--local-infile=1'],
			`LOAD DATA LOCAL INFILE '${file}' INTO TABLE ${table} CHARACTER SET utf8mb4`)
		rmSync(file)
		if (done.code !== 0 || done.stderr) throw new Error(`mariadb: ${done.stderr}`)
	}

	drop() { return this.server.database('').exec(`DROP DATABASE IF EXISTS ${this.name}`) }
}

// ---- starting ---------------------------------------------------------------------

// One starts it, others wait and then find it running.
function startOnce(dir, args, env) {
	return must('flock', ['-o', `${dir}.lock`, instance, ...args], { env: { ...cleanEnv, ...env } })
}

export async function postgres() {
	const dir = path.join(sharedDir(), 'pg')
	return new Postgres(dir, facts(await startOnce(dir, ['pg-start', dir], { SERVER_CONF: FAST })))
}

export async function mariadb() {
	const dir = path.join(sharedDir(), 'maria')
	const port = String(await freePort())
	const known = facts(await startOnce(dir, ['maria-start', dir, port], { SERVER_OPTIONS: FAST_MARIA }))
	return new Maria(dir, known.MARIADB_SOCKET)
}

// A cluster of the test file's own: to crash it, or where the test is about roles.
export async function ownPostgres(name = 'own-pg', conf = FAST) {
	const dir = path.join(scratch(), name)
	return new Postgres(dir, facts(await must(instance, ['pg-start', dir], { env: { ...cleanEnv, SERVER_CONF: conf } })))
}
