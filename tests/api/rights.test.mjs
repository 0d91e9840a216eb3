// Nobody who only has to read may write: the roles of sql/, as the programs and as anybody meets them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { must, root, run } from '../lib/process.mjs'
import { mariadb, ownPostgres } from '../lib/servers.mjs'
import { Shop, daysAgo, noonZone, orderTables, someOrders } from '../lib/shop.mjs'

const sqlFile = (name) => path.join(root, 'sql', name)

describe('rights on PostgreSQL', () => {
	let server, orders, analytics, shop, settings
	before(async () => {
		server = await ownPostgres('roles-pg')
		const env = server.env
		for (let i = 0; i < 2; i++) // safe to run again
			await must('psql', ['-X', '-q', '-v', 'local=1', '-f', sqlFile('roles.sql'), server.url('postgres')], { env })
		orders = server.database('order_db')
		analytics = server.database('analytics_db')
		await orders.exec(orderTables('postgresql', { clock: 'timestamptz' }) + 'CREATE TABLE customers (id int);' + someOrders(5, daysAgo(1)), { user: 'order_owner' })
		for (let i = 0; i < 2; i++)
			await must('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', sqlFile('order_db/grants.sql'), orders.url('order_owner')], { env })
		settings = { BUSINESS_TIMEZONE: noonZone(), DATABASE_URL: orders.url('order_ro'), ANALYTICS_DATABASE_URL: analytics.url('analytics_rw'),
			MIGRATE_DATABASE_URL: analytics.url('analytics_owner') }
		shop = new Shop(orders, analytics, settings)
	})

	const sqlstate = async (db, user, ...sql) => {
		const done = await db.psql(['-v', 'VERBOSITY=sqlstate', ...sql.flatMap((s) => ['-c', s])], { user })
		return done.code === 0 ? 'done' : /ERROR:\s+(\w+)/.exec(done.stderr)[1]
	}

	it('suffice for the batch', async () => {
		await shop.expectRun(0)
		await shop.expectRun(2)
		assert.equal(await analytics.value('SELECT sum(order_count)::int FROM daily_revenue_cache', { user: 'analytics_ro' }), 40)
		const done = await shop.batch(['doctor'])
		assert.equal(done.code, 0, done.stdout + done.stderr)
		assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
		assert.match(done.stdout, /^ok +order_db: our role has no right to write$/m)
		assert.match(done.stdout, /^ok +analytics_db: analytics_rw may write rows and cannot change tables$/m)
		assert.match(done.stdout, /^0 failure\(s\), /m)
	})

	it('too great are refused by the session and named by the doctor', async () => {
		for (const user of ['order_owner', 'postgres']) {
			const done = await shop.batch(['doctor'], { DATABASE_URL: orders.url(user) })
			assert.equal(done.code, 1)
			assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
			assert.match(done.stdout, /^FAIL +order_db: our role may write; /m)
		}
		const done = await shop.batch(['doctor'], { ANALYTICS_DATABASE_URL: analytics.url('postgres') })
		assert.match(done.stdout, /^warn +analytics_db: postgres is a superuser/m)
	})

	it('to write anything at all are found by the doctor, and named', async () => {
		for (const [right, named] of [['INSERT ON orders', 'INSERT on orders'], ['DELETE ON order_items', 'DELETE on order_items'], ['TRUNCATE ON orders', 'TRUNCATE on orders'],
			['UPDATE (quantity) ON order_items', 'UPDATE on order_items'], ['INSERT, UPDATE ON orders, order_items', 'INSERT on orders, UPDATE on orders, INSERT on order_items, UPDATE on order_items']]) {
			await orders.exec(`GRANT ${right} TO order_ro`, { user: 'order_owner' })
			const done = await shop.batch(['doctor'])
			await orders.exec(`REVOKE ${right} FROM order_ro`, { user: 'order_owner' })
			assert.equal(done.code, 1)
			assert.ok(done.stdout.includes(`our role may write; it has ${named}: give it SELECT only`), done.stdout)
			assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
		}
		assert.equal((await shop.batch(['doctor'])).code, 0)
	})

	it('cannot be tested on views nobody can write to, which the doctor says', async () => {
		await orders.exec(`CREATE SCHEMA joined AUTHORIZATION order_ro; CREATE VIEW joined.orders AS SELECT DISTINCT * FROM public.orders;
			GRANT SELECT ON joined.orders TO order_ro`)
		const done = await shop.batch(['doctor'], { DATABASE_URL: `${orders.url('order_ro')}&options=-csearch_path%3Djoined,public` })
		assert.match(done.stdout, /^warn +order_db: could not be tested whether our session refuses to write: cannot update view/m)
		assert.match(done.stdout, /^ok +order_db: our role has no right to write$/m)
	})

	const WRITES = ['UPDATE orders SET status = status', 'DELETE FROM orders', 'INSERT INTO orders (id, status) VALUES (-1, \'x\')',
		'TRUNCATE orders', 'CREATE TABLE mine (a int)', 'DROP TABLE orders', 'ALTER TABLE orders ADD extra int', 'UPDATE order_items SET quantity = 1']

	it('of order_ro let nobody write to order_db, in any kind of transaction', async () => {
		for (const sql of WRITES) {
			assert.equal(await sqlstate(orders, 'order_ro', sql), '25006', sql)
			assert.equal(await sqlstate(orders, 'order_ro', `BEGIN READ WRITE; ${sql}; COMMIT`), '42501', sql)
			assert.equal(await sqlstate(orders, 'order_ro', 'SET default_transaction_read_only = off', sql), '42501', sql)
		}
		assert.equal(await sqlstate(orders, 'order_ro', 'SELECT count(*) FROM orders'), 'done')
		assert.equal(await sqlstate(orders, 'order_ro', 'SELECT * FROM customers'), '42501')
		assert.equal(await orders.value('SELECT count(*)::int FROM orders'), 40)
	})

	it('of order_stream let it follow and copy the orders, and nobody write', async () => {
		const file = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', sqlFile('order_db/replication.sql')]
		for (let i = 0; i < 2; i++) await must('psql', [...file, orders.url()], { env: server.env })
		for (const sql of WRITES) {
			assert.equal(await sqlstate(orders, 'order_stream', sql), '25006', sql)
			assert.equal(await sqlstate(orders, 'order_stream', `BEGIN READ WRITE; ${sql}; COMMIT`), '42501', sql)
			assert.equal(await sqlstate(orders, 'order_stream', 'SET default_transaction_read_only = off', sql), '42501', sql)
		}
		assert.equal(await sqlstate(orders, 'order_stream', 'SELECT * FROM orders, order_items'), 'done')
		assert.equal(await sqlstate(orders, 'order_stream', 'SELECT * FROM customers'), '42501')
		assert.equal(await sqlstate(orders, 'order_stream', 'BEGIN READ WRITE; ALTER PUBLICATION takings ADD TABLE customers; COMMIT'), '42501')
		assert.deepEqual(await orders.query(`SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = 'order_stream'`),
			[{ rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolbypassrls: false, rolreplication: true }])
	})

	it('and settings for following are looked at by the doctor', async () => {
		const follow = { ORDER_REPLICATION_URL: orders.url('order_stream') }
		const expect = async (code, ...lines) => {
			const done = await shop.batch(['doctor'], follow)
			assert.equal(done.code, code, done.stdout)
			for (const line of lines) assert.match(done.stdout, line)
		}
		await expect(0, /^ok +replication: order_stream has no right to write$/m, /^warn +replication: there is no slot takings yet/m)
		const admin = server.database('postgres')
		await orders.exec(`SELECT pg_create_logical_replication_slot('takings', 'pgoutput')`)
		await expect(0, /^warn +replication: nobody follows the slot takings, for which 0 MB/m)
		await admin.exec(`ALTER SYSTEM SET max_slot_wal_keep_size = -1`)
		await admin.exec('SELECT pg_reload_conf()')
		await orders.exec(`GRANT UPDATE (quantity) ON order_items TO order_stream; ALTER PUBLICATION takings DROP TABLE order_items;
			ALTER TABLE orders REPLICA IDENTITY NOTHING`)
		await expect(1, /^warn +replication: max_slot_wal_keep_size = -1/m, /^FAIL +replication: order_stream may write to order_items/m,
			/^FAIL +replication: the publication leaves out order_items/m, /^FAIL +replication: orders has no primary key/m)
		await admin.exec('ALTER SYSTEM RESET max_slot_wal_keep_size')
		await admin.exec('SELECT pg_reload_conf()')
		await orders.exec(`REVOKE ALL ON order_items FROM order_stream; ALTER TABLE orders REPLICA IDENTITY DEFAULT; DROP PUBLICATION takings;
			SELECT pg_drop_replication_slot('takings')`)
		await expect(1, /^FAIL +replication: there is no publication takings; sql\/order_db\/replication.sql makes it/m)
		await must('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', sqlFile('order_db/replication.sql'), orders.url()], { env: server.env })
		await expect(0)
	})

	it('of an owner are refused by the options of our session', async () => {
		for (const sql of WRITES) {
			const done = await orders.psql(['-v', 'VERBOSITY=sqlstate', '-c', sql],
				{ user: 'order_owner', env: { PGOPTIONS: '-c default_transaction_read_only=on' } })
			assert.match(done.stderr, /25006/, sql)
		}
	})

	it('are so that reports only read, the web program writes what is its own, and the batch changes no table', async () => {
		for (const user of ['analytics_ro', 'analytics_web'])
			for (const sql of ['DELETE FROM daily_revenue_cache', 'UPDATE site SET data_version = 0', 'CREATE TABLE mine (a int)']) {
				assert.equal(await sqlstate(analytics, user, sql), '25006', sql)
				assert.equal(await sqlstate(analytics, user, `BEGIN READ WRITE; ${sql}; COMMIT`), '42501', sql)
				assert.equal(await sqlstate(analytics, user, 'SELECT * FROM daily_revenue_cache, site, batch_run'), 'done')
			}
		const beat = `INSERT INTO heartbeat VALUES ('web', 'ok', '', now())`
		assert.equal(await sqlstate(analytics, 'analytics_ro', `BEGIN READ WRITE; ${beat}; COMMIT`), '42501')
		assert.equal(await sqlstate(analytics, 'analytics_web', beat), '25006')
		assert.equal(await sqlstate(analytics, 'analytics_web', `BEGIN READ WRITE; ${beat}; ROLLBACK`), 'done')
		for (const sql of ['CREATE TABLE mine (a int)', 'DROP TABLE daily_revenue_cache', 'ALTER TABLE site ADD extra int', 'TRUNCATE daily_revenue_cache',
			'DELETE FROM schema_migration', `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`])
			assert.equal(await sqlstate(analytics, 'analytics_rw', sql), '42501', sql)
		assert.equal(await sqlstate(server.database('order_db'), 'analytics_rw', 'SELECT 1').catch(() => 'refused'), 'refused')
	})

	it('lacking are said: no migration, no temporary tables', async () => {
		const other = await server.create()
		const done = await shop.batch(['run'], { ANALYTICS_DATABASE_URL: other.url('analytics_rw'), MIGRATE_DATABASE_URL: '' })
		assert.equal(done.code, 1)
		assert.match(done.stderr, /permission denied/)
		const off = await shop.batch(['run'], { ANALYTICS_DATABASE_URL: other.url('analytics_rw'), AUTO_MIGRATE: '0' })
		assert.equal(off.code, 1)
		assert.match(off.stderr, /no schema yet: run takings-batch migrate/)
		await analytics.exec('REVOKE TEMPORARY ON DATABASE analytics_db FROM analytics_rw')
		assert.match((await shop.batch(['doctor'])).stdout, /^FAIL +analytics_db: analytics_rw may not create temporary tables/m)
		await analytics.exec('GRANT TEMPORARY ON DATABASE analytics_db TO analytics_rw')
	})
})

describe('rights on MariaDB', () => {
	let server, orders, shop
	before(async () => {
		server = await mariadb()
		orders = await server.create()
		await orders.exec(orderTables('mysql') + `
			CREATE TABLE customers (id INT);
			INSERT INTO orders VALUES (1, 'SERVED', 12.50, UTC_TIMESTAMP() - INTERVAL 1 DAY);
			CREATE USER IF NOT EXISTS 'order_ro'@'%'; CREATE USER IF NOT EXISTS 'order_owner'@'%'; GRANT ALL ON ${orders.name}.* TO 'order_owner'@'%';`)
		for (let i = 0; i < 2; i++) await orders.exec(readFileSync(sqlFile('order_db/mysql_grants.sql'), 'utf8'))
		shop = await Shop.open({ orders, BUSINESS_TIMEZONE: noonZone() })
		shop.settings.DATABASE_URL = orders.url('order_ro')
	})

	const as = async (user, sql) => {
		const done = await run('mariadb', ['--no-defaults', `--socket=${server.socket}`, '-u', user, orders.name], { input: sql })
		return done.code === 0 ? 'done' : /ERROR (\d+)/.exec(done.stderr)[1]
	}

	it('suffice for the batch, over the socket and over TCP', async () => {
		await shop.expectRun(0)
		assert.equal(await shop.cache.value('SELECT sum(revenue_minor)::int FROM daily_revenue_cache'), 1250)
		const tcp = await shop.batch(['run', '--date', daysAgo(1)], { DATABASE_URL: `mysql://order_ro@127.0.0.1:${await server.port()}/${orders.name}` })
		assert.equal(tcp.code, 0, tcp.stderr)
		const done = await shop.batch(['doctor'])
		assert.equal(done.code, 0, done.stdout + done.stderr)
		assert.match(done.stdout, /^ok +order_db: reached, MariaDB \d+\.\d+/m)
		assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
		assert.match(done.stdout, /^ok +order_db: our role has no right to write$/m)
	})

	it('too great are refused by the session and named by the doctor', async () => {
		for (const user of ['order_owner', 'root']) {
			const done = await shop.batch(['doctor'], { DATABASE_URL: orders.url(user) })
			assert.equal(done.code, 1)
			assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
			assert.match(done.stdout, /^FAIL +order_db: our role may write; /m)
		}
	})

	it('to write anything at all are found by the doctor, and named', async () => {
		for (const [right, named] of [['INSERT ON orders', 'INSERT on orders'], ['DELETE ON order_items', 'DELETE on order_items'], ['UPDATE ON order_items', 'UPDATE on order_items']]) {
			const [words, table] = right.split(' ON ')
			await orders.exec(`GRANT ${words} ON ${orders.name}.${table} TO 'order_ro'@'%'`)
			const done = await shop.batch(['doctor'])
			await orders.exec(`REVOKE ${words} ON ${orders.name}.${table} FROM 'order_ro'@'%'`)
			assert.equal(done.code, 1, done.stdout)
			assert.ok(done.stdout.includes(`our role may write; it has ${named}: give it SELECT only`), done.stdout)
			assert.match(done.stdout, /^ok +order_db: our session refuses to write$/m)
		}
		assert.equal(await orders.text('SELECT count(*) FROM orders'), '1')
	})

	it('cannot be tested on views nobody can write to, which the doctor says', async () => {
		const views = await server.create()
		await views.exec(['orders', 'order_items'].map((t) => `CREATE VIEW ${t} AS SELECT DISTINCT * FROM ${orders.name}.${t};`).join('\n'))
		const done = await shop.batch(['doctor'], { DATABASE_URL: views.url('root') })
		assert.match(done.stdout, /^warn +order_db: could not be tested whether our role may write: .*MySQL error 1\d\d\d/m)
	})

	it('of order_ro let nobody write', async () => {
		for (const sql of ['UPDATE orders SET status = status', 'DELETE FROM orders', `INSERT INTO orders VALUES (2, 'x', 1, NULL)`, 'TRUNCATE orders',
			'CREATE TABLE mine (a INT)', 'DROP TABLE orders', 'ALTER TABLE orders ADD extra INT'])
			assert.match(await as('order_ro', sql), /^1142$/, sql)
		assert.equal(await as('order_ro', 'SELECT * FROM customers'), '1142')
		assert.equal(await as('order_ro', 'SELECT * FROM orders'), 'done')
		const session = 'SET SESSION TRANSACTION READ ONLY;'
		assert.equal(await as('order_owner', `${session} UPDATE orders SET status = status`), '1792')
	})
})
