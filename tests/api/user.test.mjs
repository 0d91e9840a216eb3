// Users and keys from outside: takings-batch user and key, and who may see or change what they made.
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import path from 'node:path'
import { spawnSync } from 'node:child_process'
import { after, before, beforeEach, describe, it } from 'node:test'
import { cleanEnv, must, root, run, until } from '../lib/process.mjs'
import { ownPostgres } from '../lib/servers.mjs'
import { batch, emptyCwd, program } from '../lib/shop.mjs'

const SECRET = 'kP3vX9sQ7mZ1tR5wY8uB2nC6dF4gH0jL'
const SECRETS = ['app_user', 'api_key', 'web_session', 'login_failure', 'audit_log', 'dead_letter']
const PASSWORD = 'A good one, ä'

let db, settings
before(async () => {
	const server = await ownPostgres('roles-access')
	await must('psql', ['-X', '-q', '-v', 'local=1', '-f', path.join(root, 'sql/roles.sql'), server.url('postgres')], { env: server.env })
	db = server.database('analytics_db')
	settings = { ANALYTICS_DATABASE_URL: db.url('analytics_rw'), MIGRATE_DATABASE_URL: db.url('analytics_owner'), JWT_SECRET: SECRET }
	const done = await batch(['migrate'], settings)
	assert.equal(done.code, 0, done.stderr)
})
// As nobody but a superuser can, and with the trigger away: each test begins with no one.
beforeEach(() => db.exec(`ALTER TABLE audit_log DISABLE TRIGGER audit_log_keep; TRUNCATE app_user, web_session, api_key, login_failure, audit_log;
	ALTER TABLE audit_log ENABLE TRIGGER audit_log_keep`))

const job = async (args, input = '', env = {}) => {
	const done = await run(program, args, { env: { ...cleanEnv, ...settings, ...env }, cwd: emptyCwd(), input })
	for (const word of [PASSWORD, 'Another one!']) assert.ok(!(done.stdout + done.stderr).includes(word), 'a password was shown')
	return done
}
const good = async (...args) => {
	const done = await job(...args)
	assert.equal(done.code, 0, done.stderr)
	return done
}
const add = (name, role = 'viewer') => good(['user', 'add', name, '--role', role], `${PASSWORD}\n`)
const user = (name) => db.one(`SELECT * FROM app_user WHERE username = '${name}'`)
const audit = () => db.query('SELECT actor, action, object, address, request_id, detail FROM audit_log ORDER BY audit_id')
const line = (action, object, detail = {}) => ({ actor: 'command line', action, object, address: null, request_id: null, detail })
const newSession = (name) => db.exec(`INSERT INTO web_session (token_hash, user_id, expires_at)
	SELECT sha256(random()::text::bytea), user_id, now() + interval '1 hour' FROM app_user WHERE username = '${name}'`)
const sessions = () => db.value('SELECT count(*)::int FROM web_session')

// A root made by chroot may have no /dev/pts.
const noTerminal = spawnSync('python3', ['-c', 'import pty; pty.openpty()']).status === 0 ? false : 'SKIPPED: this machine lends no terminals'

// What the terminal showed; `dialogue`: [prompt, answer].
const typed = (args, dialogue) => run('python3', [path.join(root, 'tests/lib/terminal.py'), program, ...args],
	{ env: { ...cleanEnv, ...settings }, cwd: emptyCwd(), input: dialogue.map((d) => d.join('\t')).join('\n') })

describe('user add', () => {
	it('keeps a slow hash, never the password, and writes it down', async () => {
		const done = await good(['user', 'add', 'Anna', '--role', 'admin'], `${PASSWORD}\n`)
		assert.equal(done.stdout, 'user anna: added\n')
		const row = await user('anna')
		assert.match(row.password_hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
		assert.deepEqual([row.role, row.enabled, row.last_login_at], ['admin', true, null])
		assert.ok(row.token_version > 0)
		assert.deepEqual(await audit(), [line('user_add', 'user:anna', { role: 'admin' })])
		assert.match((await good(['user', 'list'])).stdout, /^anna +admin +enabled .* last login never +0 session\(s\)\n$/)
	})

	it('prints a password it made, alone', async () => {
		const done = await good(['user', 'add', 'anna', '--generate', '--role', 'viewer'])
		assert.match(done.stdout, /^[A-Za-z0-9_-]{24}\n$/)
		assert.match(done.stderr, /user anna: added/)
		const other = await good(['user', 'password', 'anna', '--generate'])
		assert.match(other.stdout, /^[A-Za-z0-9_-]{24}\n$/)
		assert.notEqual(other.stdout, done.stdout)
	})

	it('refuses what is no name, no role, no password, and a name that is taken', async () => {
		await add('anna')
		const refused = [
			[['anna', '--role', 'viewer'], PASSWORD, /there is a user anna already/],
			[['ANNA', '--role', 'viewer'], PASSWORD, /there is a user anna already/],
			[['bert', '--role', 'root'], PASSWORD, /no role/],
			[['.bert', '--role', 'viewer'], PASSWORD, /no user name/],
			[['bért', '--role', 'viewer'], PASSWORD, /no user name/],
			[['be rt', '--role', 'viewer'], PASSWORD, /no user name/],
			[['', '--role', 'viewer'], PASSWORD, /no user name/],
			[['b'.repeat(65), '--role', 'viewer'], PASSWORD, /no user name/],
			[['bert', '--role', 'viewer'], 'too short', /10 to 256 bytes/],
			[['bert', '--role', 'viewer'], 'x'.repeat(257), /10 to 256 bytes/],
			[['bert', '--role', 'viewer'], 'x'.repeat(2000), /over 1024 bytes/],
			[['bert', '--role', 'viewer'], 'Password123', /first that anybody would try/],
			[['bertbertbert', '--role', 'viewer'], 'BertBertBert', /user's name/],
			[['bert', '--role', 'viewer'], Buffer.from('latin1 \xe4\xf6\xfc\xdf\n', 'latin1'), /UTF-8/],
			[['bert', '--role', 'viewer'], 'with\0a NUL in it', /UTF-8/],
			[['bert', '--role', 'viewer'], '', /no line/],
		]
		for (const [args, input, why] of refused) {
			const done = await job(['user', 'add', ...args], Buffer.isBuffer(input) || input === '' ? input : `${input}\n`)
			assert.equal(done.code, 1, args.join(' '))
			assert.match(done.stderr, why)
			assert.equal(done.stdout, '')
		}
		assert.equal(await db.value('SELECT count(*)::int FROM app_user'), 1)
		assert.equal((await audit()).length, 1)
		await add('b'.repeat(64))
	})

	it('asks twice on a terminal, and shows nothing', { skip: noTerminal }, async () => {
		const done = await typed(['user', 'add', 'anna', '--role', 'viewer'], [['Password: ', PASSWORD], ['again: ', PASSWORD]])
		assert.equal(done.code, 0, done.stdout)
		assert.match(done.stdout, /user anna: added/)
		assert.ok(!done.stdout.includes('good one'), done.stdout)
		const differ = await typed(['user', 'add', 'bert', '--role', 'viewer'], [['Password: ', PASSWORD], ['again: ', `${PASSWORD}.`]])
		assert.equal(differ.code, 1)
		assert.match(differ.stdout, /the two are not the same/)
		const stopped = await typed(['user', 'add', 'bert', '--role', 'viewer'], [['Password: ', '^C']])
		assert.equal(stopped.code, 1)
		assert.match(stopped.stdout, /stopped on request/)
		assert.equal(await db.value('SELECT count(*)::int FROM app_user'), 1)
	})
})

describe('user', () => {
	it('role changes the role, and no more', async () => {
		await add('anna')
		await newSession('anna')
		const before = await user('anna')
		assert.match((await good(['user', 'role', 'anna', 'analyst'])).stdout, /now analyst/)
		assert.deepEqual(await user('anna'), { ...before, role: 'analyst' })
		assert.equal(await sessions(), 1)
		assert.deepEqual((await audit()).at(-1), line('user_role', 'user:anna', { role: 'analyst' }))
	})

	const ending = { password: ['user_password', `Another one!\n`], disable: ['user_disable', ''], enable: ['user_enable', ''] }
	for (const [verb, [action, input]] of Object.entries(ending))
		it(`${verb} ends sessions and tokens of that user alone`, async () => {
			await add('anna')
			await add('bert')
			for (const name of ['anna', 'anna', 'bert']) await newSession(name)
			const [before, bert] = [await user('anna'), await user('bert')]
			await good(['user', verb, 'anna'], input)
			const now = await user('anna')
			assert.equal(now.token_version, before.token_version + 1)
			assert.equal(now.enabled, verb !== 'disable')
			assert.equal(now.password_hash !== before.password_hash, verb === 'password')
			assert.equal(now.password_changed_at !== before.password_changed_at, verb === 'password')
			assert.deepEqual(await user('bert'), bert)
			assert.equal(await sessions(), 1)
			assert.deepEqual((await audit()).at(-1), line(action, 'user:anna'))
		})

	it('delete asks first; a name given again is not the same user', { skip: noTerminal }, async () => {
		await add('anna')
		await newSession('anna')
		const first = await user('anna')
		const asked = await job(['user', 'delete', 'anna'], 'anna\n')
		assert.equal(asked.code, 1)
		assert.match(asked.stderr, /--yes/)
		const wrong = await typed(['user', 'delete', 'anna'], [['delete it: ', 'bert']])
		assert.equal(wrong.code, 1)
		assert.match(wrong.stdout, /nothing was deleted/)
		assert.equal(await sessions(), 1)
		assert.equal((await typed(['user', 'delete', 'anna'], [['delete it: ', 'anna']])).code, 0)
		assert.equal(await sessions(), 0)
		assert.equal(await db.value('SELECT count(*)::int FROM app_user'), 0)
		assert.deepEqual((await audit()).at(-1), line('user_delete', 'user:anna'))
		await until(async () => (await db.value('SELECT extract(epoch FROM clock_timestamp())::int')) > Date.parse(first.created_at) / 1000 + 1)
		await add('anna')
		assert.ok((await user('anna')).token_version > first.token_version)
		await good(['user', 'delete', 'anna', '--yes'])
	})

	it('token prints one for its version, signed as the settings say, and only for the enabled', async () => {
		await add('anna')
		for (const [alg, hash] of [['HS256', 'sha256'], ['HS384', 'sha384'], ['HS512', 'sha512']]) {
			const now = Date.now() / 1000
			const { stdout } = await good(['user', 'token', 'ANNA'], '', { JWT_ALGORITHM: alg, JWT_EXPIRY_MINUTES: '5' })
			const [head, body, mac] = stdout.trim().split('.')
			const part = (text) => JSON.parse(Buffer.from(text, 'base64url'))
			assert.deepEqual(part(head), { alg, typ: 'JWT' })
			const claims = part(body)
			assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sub', 'ver'])
			assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.ver], ['anna', 'takings', 'takings', (await user('anna')).token_version])
			assert.equal(claims.exp - claims.iat, 300)
			assert.ok(Math.abs(claims.iat - now) < 5)
			assert.equal(mac, createHmac(hash, SECRET).update(`${head}.${body}`).digest('base64url'))
		}
		assert.deepEqual((await audit()).at(-1), line('user_token', 'user:anna'))
		for (const [secret, why] of [['', /JWT_SECRET is not set/], ['k9Xv2Lq8Rz4Tn7Bw1Yc5Md3Fh6Jp0Sa', /JWT_SECRET is too short/]]) {
			const done = await job(['user', 'token', 'anna'], '', { JWT_SECRET: secret })
			assert.equal(done.code, 1)
			assert.match(done.stderr, why)
			assert.ok(!secret || !done.stderr.includes(secret))
		}
		await good(['user', 'disable', 'anna'])
		const off = await job(['user', 'token', 'anna'])
		assert.deepEqual([off.code, off.stdout], [1, ''])
		assert.match(off.stderr, /anna is disabled/)
	})

	it('names a user there is not', async () => {
		for (const args of [['role', 'anna', 'viewer'], ['password', 'anna', '--generate'], ['disable', 'anna'], ['enable', 'anna'], ['delete', 'anna', '--yes'], ['token', 'anna']]) {
			const done = await job(['user', ...args])
			assert.deepEqual([done.code, done.stdout], [1, ''])
			assert.match(done.stderr, /there is no user anna/)
		}
		assert.deepEqual(await audit(), [])
	})

	it('and key take no other words', async () => {
		for (const args of [[], ['sideways'], ['list', 'all'], ['add', 'anna'], ['add', '--role', 'viewer'], ['add', 'anna', 'viewer'], ['add', 'anna', '--role'],
			['add', 'anna', '--role', 'viewer', '--password', 'x'], ['role', 'anna'], ['role', 'anna', 'viewer', 'x'], ['role', 'anna', '--role', 'viewer'], ['delete'],
			['disable', 'anna', '--yes'], ['token', 'anna', 'bert']])
			assert.equal((await job(['user', ...args])).code, 2, args.join(' '))
		for (const args of [[], ['list', 'all'], ['add', 'x'], ['add', '--scope', 'read'], ['add', 'x', '--scope'], ['add', 'x', 'y', '--scope', 'read'], ['revoke'], ['revoke', 'x'],
			['revoke', '0'], ['revoke', '1', '2'], ['add', 'x', '--scope', 'read', '--scope', 'admin']])
			assert.equal((await job(['key', ...args])).code, 2, args.join(' '))
	})

	it('changes nothing without its line in the audit log', async () => {
		await add('anna')
		const before = await user('anna')
		await db.exec(`REVOKE INSERT ON audit_log FROM analytics_rw`)
		for (const args of [['user', 'role', 'anna', 'admin'], ['user', 'disable', 'anna'], ['user', 'delete', 'anna', '--yes'], ['user', 'add', 'bert', '--role', 'viewer', '--generate'],
			['user', 'token', 'anna'], ['key', 'add', 'till', '--scope', 'read']]) {
			const done = await job(args)
			assert.deepEqual([done.code, done.stdout], [1, ''], args.join(' '))
		}
		await db.exec('GRANT INSERT ON audit_log TO analytics_rw')
		assert.deepEqual(await db.query('SELECT * FROM app_user'), [before])
		assert.deepEqual(await db.query('SELECT * FROM api_key'), [])
	})
})

describe('key', () => {
	it('add prints it once and keeps its SHA-256', async () => {
		const done = await good(['key', 'add', 'the "till"', '--scope', 'ingest'])
		assert.match(done.stdout, /^tk_[A-Za-z0-9_-]{51}\n$/)
		const key = done.stdout.trim()
		const row = await db.one(`SELECT *, encode(key_hash, 'hex') AS hash FROM api_key`)
		assert.equal(row.hash, createHash('sha256').update(key).digest('hex'))
		assert.deepEqual([row.name, row.prefix, row.scope, row.created_by, row.expires_at, row.last_used_at, row.revoked_at],
			['the "till"', key.slice(0, 11), 'ingest', 'command line', null, null, null])
		assert.deepEqual(await audit(), [line('key_add', `key:${row.key_id}`, { name: 'the "till"', scope: 'ingest' })])
		const listed = await good(['key', 'list'])
		assert.ok(listed.stdout.includes(`${row.prefix}...`) && !listed.stdout.includes(key.slice(11)), listed.stdout)
		assert.match(listed.stdout, /ingest +good/)
		assert.notEqual((await good(['key', 'add', 'the "till"', '--scope', 'ingest'])).stdout.trim(), key)
	})

	it('expires at the end of its last day, which must be to come', async () => {
		const today = new Date().toISOString().slice(0, 10), yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
		await good(['key', 'add', 'a', '--scope', 'read', '--expires', '2199-12-31'])
		assert.equal(await db.value(`SELECT expires_at = '2200-01-01 00:00Z' FROM api_key`), true)
		assert.match((await good(['key', 'list'])).stdout, /until 2199-12-31/)
		await good(['key', 'add', 'b', '--expires', today, '--scope', 'admin'])
		for (const day of [yesterday, '2199-02-30', 'tomorrow']) assert.equal((await job(['key', 'add', 'c', '--scope', 'read', '--expires', day])).code, 1, day)
		for (const [name, scope] of [['', 'read'], ['x'.repeat(101), 'read'], ['a\nb', 'read'], ['c', 'write']])
			assert.equal((await job(['key', 'add', name, '--scope', scope])).code, 1, name)
		assert.equal(await db.value('SELECT count(*)::int FROM api_key'), 2)
		await db.exec(`UPDATE api_key SET expires_at = now() WHERE name = 'a'`)
		assert.match((await good(['key', 'list'])).stdout, /expired/)
	})

	it('revoke does so once', async () => {
		await good(['key', 'add', 'till', '--scope', 'read'])
		const { key_id: id } = await db.one('SELECT key_id FROM api_key')
		assert.match((await good(['key', 'revoke', String(id)])).stdout, /\(till\) is revoked/)
		assert.equal(await db.value('SELECT revoked_at IS NOT NULL FROM api_key'), true)
		assert.match((await good(['key', 'list'])).stdout, /revoked/)
		assert.deepEqual((await audit()).at(-1), line('key_revoke', `key:${id}`))
		for (const other of [String(id), '9223372036854775807']) {
			const done = await job(['key', 'revoke', other])
			assert.equal(done.code, 1)
			assert.match(done.stderr, /no key \d+ that could be revoked/)
		}
		assert.equal((await audit()).length, 2)
	})
})

describe('rights', () => {
	const sqlstate = async (user, sql) => {
		const done = await db.psql(['-v', 'VERBOSITY=sqlstate', '-c', `BEGIN READ WRITE; ${sql}; ROLLBACK`], { user })
		return done.code === 0 ? 'done' : /ERROR:\s+(\w+)/.exec(done.stderr)[1]
	}

	it('let reports see none of it', async () => {
		for (const table of SECRETS) {
			assert.equal(await sqlstate('analytics_ro', `SELECT 1 FROM ${table}`), '42501', table)
			assert.equal(await sqlstate('analytics_web', `SELECT 1 FROM ${table}`), 'done', table)
		}
	})

	it('let the web program change users, and make and delete none', async () => {
		const allowed = [`UPDATE app_user SET enabled = true, role = 'viewer', token_version = 2, password_hash = '', password_changed_at = now(), last_login_at = now()`,
			'DELETE FROM web_session', 'DELETE FROM login_failure', `INSERT INTO login_failure (username, address) VALUES ('x', 'y')`,
			`INSERT INTO audit_log (actor, action) VALUES ('x', 'y')`, 'UPDATE api_key SET revoked_at = now()',
			`INSERT INTO api_key (name, prefix, key_hash, scope, created_by) VALUES ('a', 'b', sha256('c'), 'read', 'd')`]
		const refused = [`INSERT INTO app_user (username, role, password_hash) VALUES ('x', 'admin', '')`, 'DELETE FROM app_user', `UPDATE app_user SET username = 'x'`,
			'UPDATE app_user SET user_id = DEFAULT', 'DELETE FROM api_key', `UPDATE audit_log SET actor = ''`, 'DELETE FROM audit_log',
			...SECRETS.map((t) => `TRUNCATE ${t} CASCADE`), ...SECRETS.map((t) => `DROP TABLE ${t} CASCADE`), 'ALTER TABLE audit_log DISABLE TRIGGER ALL']
		for (const sql of allowed) assert.equal(await sqlstate('analytics_web', sql), 'done', sql)
		for (const sql of refused) assert.equal(await sqlstate('analytics_web', sql), '42501', sql)
		for (const sql of [`UPDATE audit_log SET actor = ''`, 'DELETE FROM audit_log', 'UPDATE web_session SET expires_at = now()', 'DELETE FROM login_failure'])
			assert.equal(await sqlstate('analytics_rw', sql), '42501', sql)
	})

	it('let not even the owner rewrite the audit log', async () => {
		await add('anna')
		for (const owner of ['analytics_owner', 'postgres'])
			for (const sql of [`UPDATE audit_log SET actor = ''`, 'DELETE FROM audit_log', 'DELETE FROM audit_log WHERE false', 'TRUNCATE audit_log'])
				assert.equal(await sqlstate(owner, sql), '42501', `${owner}: ${sql}`)
		assert.equal((await audit()).length, 1)
	})

	it('come to roles that are made after the tables', async () => {
		await db.exec('DROP OWNED BY analytics_web')
		await db.exec('GRANT CONNECT ON DATABASE analytics_db TO analytics_web')
		assert.equal(await sqlstate('analytics_web', 'UPDATE app_user SET enabled = true'), '42501')
		assert.equal((await batch(['migrate'], settings)).code, 0)
		assert.equal(await sqlstate('analytics_web', 'UPDATE app_user SET enabled = true'), 'done')
	})
})

describe('takings_access', () => {
	let session
	before(async () => {
		session = db.session()
		await session.ask('LISTEN takings_access')
	})
	after(() => session.close())

	it('is notified of what changes who may do what, and of nothing else', async () => {
		await add('anna')
		await newSession('anna')
		await good(['key', 'add', 'till', '--scope', 'read'])
		const notified = async (sql) => {
			await session.ask('SELECT 1') // psql tells after a command what has come in: here what came before
			await db.exec(sql)
			return /takings_access/.test(await session.ask('SELECT 1'))
		}
		for (const sql of [`UPDATE app_user SET role = 'admin'`, 'UPDATE app_user SET enabled = false', 'UPDATE app_user SET token_version = 7', `UPDATE app_user SET password_hash = ''`,
			'UPDATE api_key SET revoked_at = now()', `UPDATE api_key SET scope = 'admin'`, 'UPDATE web_session SET expires_at = now()', 'DELETE FROM web_session', 'DELETE FROM api_key',
			'DELETE FROM app_user', `INSERT INTO app_user (username, role, password_hash) VALUES ('bert', 'viewer', '')`])
			assert.equal(await notified(sql), true, sql)
		await newSession('bert')
		for (const sql of ['UPDATE app_user SET last_login_at = now()', 'UPDATE web_session SET last_seen_at = now()', 'UPDATE api_key SET last_used_at = now()',
			`INSERT INTO web_session (token_hash, user_id, expires_at) SELECT sha256('x'), user_id, now() FROM app_user`,
			`INSERT INTO login_failure (username, address) VALUES ('x', 'y')`, `INSERT INTO audit_log (actor, action) VALUES ('x', 'y')`])
			assert.equal(await notified(sql), false, sql)
	})
})
