// The schema of analytics_db: brought up to date once, by one, and never behind anybody's back.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { root, until } from '../lib/process.mjs'
import { postgres } from '../lib/servers.mjs'
import { Shop, batch, openSmallShop } from '../lib/shop.mjs'

const files = readdirSync(path.join(root, 'sql/migrations')).sort()

describe('migrate', () => {
	let server
	before(async () => { server = await postgres() })

	const migrate = (db, args = [], env = {}, options) => batch(['migrate', ...args], { ANALYTICS_DATABASE_URL: db.url(), ...env }, options)
	const applied = (db) => db.query('SELECT version, name FROM schema_migration ORDER BY 1')
	// Tables, columns, indexes, functions and rights.
	const schema = (db) => db.text(`
		SELECT 'column', table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT 'function', proname, prosrc, '', '', '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		UNION ALL SELECT 'right', relname, relacl::text, '', '', '' FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2, 3`)

	it('applies every file once, in order, and says so', async () => {
		const db = await server.create()
		const status = await migrate(db, ['status'])
		assert.equal(status.code, 0, status.stderr)
		assert.deepEqual(status.stdout.trim().split('\n'), files.map((name) => `${name}  missing`))
		const done = await migrate(db)
		assert.equal(done.code, 0, done.stderr)
		assert.match(done.stdout, new RegExp(`schema ${files.length} \\(${files.length} applied now\\)`))
		assert.deepEqual(await applied(db), files.map((name, i) => ({ version: i + 1, name })))
		const before = await schema(db)
		const again = await migrate(db)
		assert.equal(again.code, 0)
		assert.match(again.stdout, /\(0 applied now\)/)
		assert.equal(await schema(db), before)
		assert.equal((await migrate(db, ['verify'])).code, 0)
		const list = (await migrate(db, ['status'])).stdout.trim().split('\n')
		assert.deepEqual(list.map((l) => l.split(' ')[0]), files)
		assert.equal((await migrate(db, ['sideways'])).code, 2)
	})

	it('works when two or five start at once', async () => {
		for (const n of [2, 5]) {
			const db = await server.create()
			const all = await Promise.all(Array.from({ length: n }, () => migrate(db)))
			for (const done of all) assert.equal(done.code, 0, done.stderr)
			const times = all.map((d) => Number(/\((\d+) applied/.exec(d.stdout)[1]))
			assert.equal(times.reduce((a, b) => a + b), files.length)
			assert.deepEqual(await applied(db), files.map((name, i) => ({ version: i + 1, name })))
		}
	})

	it('waits for another one at work, and goes on after its death', async () => {
		const db = await server.create()
		let child
		const first = migrate(db, [], { TAKINGS_FAILPOINT: 'migration_applied=pause@2' }, { started: (c) => { child = c } })
		await until(async () => (await applied(db).catch(() => [])).length === 1)
		const second = migrate(db)
		await until(async () => Number(await db.value(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`)) > 0)
		child.kill('SIGKILL')
		await first
		assert.equal((await second).code, 0)
		const whole = await server.create()
		await migrate(whole)
		assert.equal(await schema(db), await schema(whole))
	})

	it('refuses a migration that was changed after it was applied', async () => {
		const shop = await openSmallShop(1)
		await shop.expectRun(0)
		await shop.cache.exec('UPDATE schema_migration SET checksum = md5(checksum) WHERE version = 2')
		for (const job of [['migrate'], ['migrate', 'verify'], ['run']]) {
			const done = await shop.batch(job)
			assert.equal(done.code, 1)
			assert.match(done.stderr, new RegExp(`migration ${files[1]} was changed after it was applied`))
		}
	})

	it('refuses a schema that is newer than the program, in every job', async () => {
		const shop = await openSmallShop(1)
		await shop.expectRun(0)
		const before = await shop.dump()
		await shop.cache.exec(`INSERT INTO schema_migration (version, name, checksum) VALUES (${files.length + 1}, '099_later.sql', 'x')`)
		for (const [job, env] of [[['migrate'], {}], [['run'], {}], [['run'], { AUTO_MIGRATE: '0' }], [['run', '--dry-run'], {}], [['doctor'], {}]]) {
			const done = await shop.batch(job, env)
			assert.equal(done.code, 1)
			assert.match(done.stdout + done.stderr, new RegExp(`schema ${files.length + 1}, newer than the ${files.length} this program knows`))
		}
		assert.equal(await shop.dump(), before)
	})

	it('refuses to run on an older schema where AUTO_MIGRATE=0', async () => {
		const shop = await openSmallShop(1, { AUTO_MIGRATE: '0' })
		await shop.batch(['migrate'], { TAKINGS_FAILPOINT: `migration_committed=kill@${files.length - 1}` })
		const done = await shop.run()
		assert.equal(done.code, 1)
		assert.match(done.stderr, new RegExp(`schema ${files.length - 1}, this program needs ${files.length}: run takings-batch migrate`))
		await shop.batch(['migrate'])
		await shop.expectRun(0)
	})

	it('numbers its files without a gap', () => {
		assert.deepEqual(files.map((f) => f.slice(0, 4)), files.map((_, i) => `${String(i + 1).padStart(3, '0')}_`))
	})
})

describe('the doctor', () => {
	it('names what is missing, and finds nothing wrong where nothing is', async () => {
		const shop = await openSmallShop(2)
		const first = await shop.batch(['doctor'])
		assert.doesNotMatch(first.stdout, /^FAIL +analytics_db/m)
		assert.match(first.stdout, /^note +analytics_db has no schema yet: .*AUTO_MIGRATE/m)
		const none = await shop.batch(['doctor'], { AUTO_MIGRATE: '0' })
		assert.equal(none.code, 1)
		assert.match(none.stdout, /^FAIL +analytics_db: analytics_db has no schema yet|^FAIL +analytics_db has no schema yet/m)
		await shop.batch(['migrate'])
		assert.match((await shop.batch(['doctor'])).stdout, /^warn +the batch has never run/m)
		await shop.expectRun(0)
		assert.match((await shop.batch(['doctor'])).stdout, /^ok +last run: ok at /m)
		await shop.orders.exec('DROP INDEX orders_created, items_order')
		const slow = await shop.batch(['doctor'])
		assert.match(slow.stdout, /^warn +order_db: no index on orders\(created_at\)/m)
		assert.match(slow.stdout, /^warn +order_db: no index on order_items\(order_id\)/m)
		for (const name of ['CET', 'posixrules', 'localtime', 'Factory']) {
			const zone = await shop.batch(['doctor'], { BUSINESS_TIMEZONE: name })
			assert.match(zone.stdout, new RegExp(`^FAIL +BUSINESS_TIMEZONE='${name}'`, 'm'))
		}
		assert.match((await shop.batch(['doctor'], { SERVER__HOST: '0.0.0.0' })).stdout, /^warn +SERVER__HOST=0\.0\.0\.0 is not heeded/m)
		const away = await shop.batch(['doctor'], { DATABASE_URL: shop.orders.server.url('nowhere') })
		assert.match(away.stdout, /^FAIL +order_db: .*nowhere/m)
		assert.match(slow.stdout, /^ok +order_db: understands every question of a run/m)
		// A view that has the columns but cannot be read.
		await shop.orders.exec(`ALTER TABLE order_items RENAME TO lines;
			CREATE VIEW order_items AS SELECT id, order_id, item_id, name, 1 / 0 AS quantity, unit_price FROM lines`)
		const view = await shop.batch(['doctor'])
		assert.match(view.stdout, /^FAIL +order_db cannot be asked for items: .*division by zero/m)
		await shop.orders.exec('ALTER TABLE orders DROP status')
		assert.match((await shop.batch(['doctor'])).stdout, /^FAIL +order_db: orders\.status is missing/m)
	})
})
