// Settings from outside: where they come from, what is refused, what is never shown.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { root } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'
import { batch, openSmallShop, writeFile } from '../lib/shop.mjs'

let n = 0
// A directory with this .env in it.
function folder(dotenv) {
	const dir = path.join(scratch(), `env${++n}`)
	mkdirSync(dir)
	if (dotenv !== undefined) writeFileSync(path.join(dir, '.env'), dotenv)
	return dir
}

async function config(env, dotenv) {
	const done = await batch(['config'], env, { cwd: folder(dotenv) })
	const values = Object.fromEntries([...done.stdout.matchAll(/^(\S+) +(.*?)  \((.*)\)$/gm)].map((m) => [m[1], [m[2], m[3]]]))
	return { ...done, values, told: done.events.find((e) => e.event === 'config_refused') }
}

describe('config', () => {
	it('shows defaults as such', async () => {
		const { code, values } = await config({})
		assert.equal(code, 0)
		assert.deepEqual(values.BUSINESS_TIMEZONE, ['UTC', 'default'])
		assert.deepEqual(values.BUSINESS_DAY_CUTOFF, ['0', 'default'])
		assert.deepEqual(values.ORDER_DATABASE__PASSWORD, ['***', 'default'])
	})

	it('shows which name set a value, and where', async () => {
		const secret = writeFile('password', 'x y\n')
		const { values } = await config({ BUSINESS_TIMEZONE: 'Europe/Berlin', ORDER_DB_HOST: 'shop', ORDER_DB_PASSWORD_FILE: secret },
			'BUSINESS_TIMEZONE=Asia/Tokyo\nexport CURRENCY = "JPY" \n# a comment\n\nBATCH_DELAY=30 # minutes\nDB_NAME=\'a b\'\n')
		assert.deepEqual(values.BUSINESS_TIMEZONE, ['Europe/Berlin', 'BUSINESS_TIMEZONE, environment'])
		assert.deepEqual(values.ORDER_DATABASE__HOST, ['shop', 'ORDER_DB_HOST, environment'])
		assert.deepEqual(values.DEFAULT_CURRENCY, ['JPY', 'CURRENCY, .env'])
		assert.deepEqual(values.BATCH_DELAY, ['30', 'BATCH_DELAY, .env'])
		assert.deepEqual(values.ANALYTICS_DATABASE__NAME, ['a b', 'DB_NAME, .env'])
		assert.deepEqual(values.ORDER_DATABASE__PASSWORD, ['***', `ORDER_DB_PASSWORD_FILE, ${secret}`])
	})

	it('takes another file with --env-file, which must exist', async () => {
		const file = writeFile('other.env', 'BATCH_DELAY=77\n')
		const done = await batch(['--env-file', file, 'config'])
		assert.match(done.stdout, /^BATCH_DELAY +77 /m)
		const none = await batch(['--env-file', `${file}.none`, 'config'])
		assert.equal(none.code, 1)
		assert.match(none.stderr, /other\.env\.none/)
	})

	it('takes two names with one value, an empty value as none', async () => {
		const { code, values } = await config({ ORDER_DB_HOST: 'shop', ORDER_DATABASE__HOST: 'shop', DB_HOST: '', ANALYTICS_DB_HOST: 'here' })
		assert.equal(code, 0)
		assert.equal(values.ORDER_DATABASE__HOST[0], 'shop')
		assert.equal(values.ANALYTICS_DATABASE__HOST[0], 'here')
	})

	const conflicts = [
		[{ ORDER_DB_HOST: 'a', ORDER_DATABASE__HOST: 'b' }, undefined, ['ORDER_DB_HOST', 'ORDER_DATABASE__HOST']],
		[{ DATABASE_URL: 'postgresql://a/b' }, 'ORDER_DATABASE_URL=mysql://a/b', ['DATABASE_URL', 'ORDER_DATABASE_URL', 'environment', '.env']],
		[{ DB_PORT: '1', ANALYTICS_DB_PORT: '2' }, undefined, ['DB_PORT', 'ANALYTICS_DB_PORT']],
		[{ DEFAULT_CURRENCY: 'EUR' }, 'CURRENCY=USD', ['DEFAULT_CURRENCY', 'CURRENCY', 'EUR', 'USD']],
	]
	for (const [env, dotenv, names] of conflicts)
		it(`refuses ${names.slice(0, 2).join(' against ')} and names both`, async () => {
			const { code, told } = await config(env, dotenv)
			assert.equal(code, 1)
			for (const name of names) assert.ok(told.error.includes(name), told.error)
		})

	it('never shows a secret, not even in a complaint', async () => {
		const word = 'hunter2hunter2'
		const shown = await config({ DATABASE_URL: `postgresql://me:${word}@shop/orders`, ANALYTICS_DATABASE_URL: `postgresql://me@here/db?password=${word}&sslmode=require`,
			DB_PASSWORD: word, ORDER_DB_PASSWORD: word, MIGRATE_DATABASE_URL: `postgresql://me:a:${word}@b@here/db` })
		assert.equal(shown.code, 0)
		assert.ok(!shown.stdout.includes(word) && !shown.stderr.includes(word), shown.stdout)
		assert.match(shown.stdout, /postgresql:\/\/me:\*\*\*@shop\/orders/)
		assert.match(shown.stdout, /password=\*\*\*&sslmode=require/)
		const odd = await config({ MIGRATE_DATABASE_URL: `host=h port=1 password = ${word}`, DEMO_DATABASE_URL: `postgresql:/u:${word}@h`,
			ANALYTICS_DATABASE_URL: `postgresql://u@h/x?pass%77ord=${word}` })
		assert.equal(odd.code, 0)
		assert.ok(!odd.stdout.includes(word) && !odd.stderr.includes(word), odd.stdout)
		for (const name of ['MIGRATE', 'DEMO', 'ANALYTICS']) assert.equal(odd.values[`${name}_DATABASE_URL`][0], '***')
		for (const env of [{ DB_PASSWORD: word, ANALYTICS_DB_PASSWORD: `${word}2` },
			{ DATABASE_URL: `postgresql://me:${word}@a/b`, ORDER_DATABASE_URL: `postgresql://me:${word}@a/c` }]) {
			const refused = await config(env)
			assert.equal(refused.code, 1)
			assert.ok(!refused.stderr.includes(word), refused.stderr)
		}
		for (const env of [{ DATABASE_URL: `postgresql://me:${word}@127.0.0.1:1/none` }, { DATABASE_URL: `mysql://me:${word}@127.0.0.1:1/none` }]) {
			const shop = await openSmallShop(1)
			for (const job of ['run', 'doctor']) {
				const done = await shop.batch([job], env)
				assert.equal(done.code, 1)
				assert.ok(!(done.stdout + done.stderr).includes(word), done.stdout + done.stderr)
			}
			assert.ok(!JSON.stringify(await shop.lastRun()).includes(word))
		}
	})

	it('warns of names in .env that are no settings', async () => {
		const { code, events } = await config({ MY_OWN_THING: 'x' }, 'BUSINESS_TIMEZON=Europe/Berlin\nQUERY_TIMEOUT=5\nBATCH_DELAY=1\n')
		assert.equal(code, 0)
		assert.deepEqual(events.filter((e) => e.event === 'setting_unknown').map((e) => [e.level, e.name, e.file]), [['WARNING', 'BUSINESS_TIMEZON', '.env']])
	})

	const wrong = [
		['BUSINESS_DAY_CUTOFF', '13'], ['BUSINESS_DAY_CUTOFF', '-1'], ['BUSINESS_DAY_CUTOFF', '4.5'], ['BUSINESS_DAY_CUTOFF', '4h'],
		['BATCH_DELAY', '1440'], ['BATCH_LOOKBACK_DAYS', '99999999999999999999'], ['DEV', '2'], ['LOG_LEVEL', 'LOUD'], ['REVENUE_PROFILE', 'hotel'],
		['HISTORY_FROM', '2024-02-30'], ['HISTORY_FROM', 'yesterday'], ['DB_PORT', '0'], ['ORDER_DB_PORT', '65536'], ['ORDER_DB_TYPE', 'oracle'],
		['ORDER_DATABASE__SSLMODE', 'yes'],
	]
	for (const [name, value] of wrong)
		it(`refuses ${name}=${value}`, async () => {
			const { code, told } = await config({ [name]: value })
			assert.equal(code, 1)
			assert.equal(told.field, name)
			assert.ok(told.error.includes(name) && told.error.includes(value), told.error)
		})

	it('refuses a secret file it cannot read, a broken line, an unknown failpoint', async () => {
		assert.match((await config({ ORDER_DB_PASSWORD_FILE: '/does/not/exist' })).told.error, /ORDER_DB_PASSWORD_FILE: cannot read/)
		assert.match((await config({}, 'BATCH_DELAY=1\nnonsense\n')).told.error, /\.env line 2/)
		for (const text of ['nothing=kill', 'run_locked', 'run_locked=explode', 'run_locked=kill@0', 'run_locked=kill@x'])
			assert.equal((await config({ TAKINGS_FAILPOINT: text })).told.field, 'TAKINGS_FAILPOINT')
	})

	it('refuses passwords that everybody knows, unless DEV=1', async () => {
		for (const env of [{ ORDER_DB_HOST: '127.0.0.1', ORDER_DB_PORT: '1', ORDER_DB_PASSWORD: 'root' }, { ORDER_DB_HOST: '127.0.0.1', ORDER_DB_PORT: '1' }]) {
			const shop = await openSmallShop(1)
			const refused = await shop.batch(['run'], { DATABASE_URL: '', ...env })
			assert.equal(refused.code, 1)
			assert.match(refused.stderr, /ORDER_DATABASE__PASSWORD/)
			assert.match(refused.stderr, /sample password/)
			const dev = await shop.batch(['run'], { DATABASE_URL: '', ...env, DEV: '1' })
			assert.doesNotMatch(dev.stderr, /sample password/)
			assert.match(dev.stderr, /connect/i) // it went on, to a server that is not there
		}
		const analytics = await batch(['migrate'], { ANALYTICS_DB_PASSWORD: 'postgres' })
		assert.equal(analytics.code, 1)
		assert.match(analytics.stderr, /ANALYTICS_DATABASE__PASSWORD/)
		for (const url of ['postgresql://me:password@127.0.0.1:1/a', 'postgresql://127.0.0.1:1/a?user=me&password=changeme', 'mysql://me:root@127.0.0.1:1/a']) {
			const { code, told } = await config({ DATABASE_URL: url })
			assert.equal(code, 1)
			assert.equal(told.field, 'DATABASE_URL')
			assert.equal((await config({ DATABASE_URL: url, DEV: '1' })).code, 0)
		}
	})

	it('refuses signing keys out of documentation, unless DEV=1, and never shows one', async () => {
		const good = 'kP3vX9sQ7mZ1tR5wY8uB2nC6dF4gH0jL+a/bE'
		for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']) {
			const shown = await config({ [name]: good })
			assert.equal(shown.code, 0)
			assert.deepEqual(shown.values[name], ['***', `${name}, environment`])
			assert.ok(!(shown.stdout + shown.stderr).includes(good))
			const file = writeFile('jwt', `${good}\n`)
			assert.deepEqual((await config({ [`${name}_FILE`]: file })).values[name], ['***', `${name}_FILE, ${file}`])
			for (const word of ['your-256-bit-secret-0123456789abcdef', 'please-CHANGE-ME-please-0123456789abc', 'my_Super-Secret_1234567890_qwertzuiopx', 'a'.repeat(64), '1234567'.repeat(6)]) {
				const { code, told } = await config({ [name]: word })
				assert.equal(code, 1, word)
				assert.equal(told.field, name)
				assert.ok(!told.error.includes(word), told.error)
				assert.equal((await config({ [name]: word, DEV: '1' })).code, 0)
			}
		}
		assert.equal((await config({ JWT_ALGORITHM: 'none' })).told.field, 'JWT_ALGORITHM')
		for (const [minutes, code] of [['0', 1], ['1', 0], ['720', 0], ['721', 1]]) assert.equal((await config({ JWT_EXPIRY_MINUTES: minutes })).code, code)
	})

	it('reaches both databases by their parts', async () => {
		const shop = await openSmallShop(2)
		const { PGHOST, PGPORT } = shop.orders.server.env
		const done = await shop.batch(['run'], { DATABASE_URL: '', ANALYTICS_DATABASE_URL: '', ORDER_DB_TYPE: 'postgresql', ORDER_DB_HOST: PGHOST, ORDER_DB_PORT: PGPORT,
			ORDER_DB_USER: 'postgres', ORDER_DB_PASSWORD: `it's \\ an odd one`, ORDER_DB_NAME: shop.orders.name, DB_HOST: PGHOST, DB_PORT: PGPORT, DB_USER: 'postgres',
			DB_PASSWORD: `it's \\ an odd one`, DB_NAME: shop.cache.name })
		assert.equal(done.code, 0, done.stderr)
	})
})

describe('files made from tables', () => {
	for (const [file, option] of [['docs/CONFIG.md', '--markdown'], ['docs/METRICS.md', '--metrics'], ['.env.example', '--env-example']])
		it(`${file} is what the program prints`, async () => {
			const done = await batch(['config', option])
			assert.equal(done.code, 0)
			assert.equal(readFileSync(path.join(root, file), 'utf8'), done.stdout, `${file} has drifted: make docs`)
		})

	it('.env.example, taken as it is or with every line enabled, is accepted', async () => {
		const text = readFileSync(path.join(root, '.env.example'), 'utf8')
		for (const dotenv of [text, text.replace(/^#(?=[A-Z_]+=)/gm, '')]) {
			const { code, events } = await config({}, dotenv)
			assert.equal(code, 0)
			assert.deepEqual(events.filter((e) => e.level !== 'INFO'), [])
		}
	})
})
