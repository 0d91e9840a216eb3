// shop.mjs: a shop's order_db, an analytics_db of its own, and takings-batch between them.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { binDir, cleanEnv, run } from './process.mjs'
import { postgres, scratch } from './servers.mjs'

export const program = path.join(binDir, 'takings-batch')

let emptyDir
// Where no .env lies about.
export function emptyCwd() {
	if (!emptyDir) mkdirSync((emptyDir = path.join(scratch(), 'cwd')), { recursive: true })
	return emptyDir
}

function events(stderr) {
	const found = []
	for (const line of stderr.split('\n')) {
		try {
			found.push(JSON.parse(line))
		} catch { /* progress, or a sanitizer */ }
	}
	return found
}

// takings-batch with exactly these settings: what `run` tells, and its log as `events`.
export async function batch(args, settings = {}, { cwd = emptyCwd(), limit, started } = {}) {
	const done = await run(program, args, { env: { ...cleanEnv, TZ: 'America/Caracas', ...settings }, cwd, limit, started })
	return { ...done, events: events(done.stderr) }
}

// The columns a cache table is compared by: all but who computed it and when.
const PASSING = ['run_id', 'computed_at']
const CACHE = ['daily_revenue_cache', 'hourly_order_cache', 'item_sales_cache', 'series']

export class Shop {
	constructor(orders, cache, settings) {
		this.orders = orders
		this.cache = cache
		this.settings = { DATABASE_URL: orders.url(), ANALYTICS_DATABASE_URL: cache.url(), ...settings }
	}

	static async open({ orders, cache, ...settings } = {}) {
		const server = await postgres()
		return new Shop(orders ?? await server.create(), cache ?? await server.create(), settings)
	}

	batch(args, settings, options) { return batch(args, { ...this.settings, ...settings }, options) }

	run(...args) { return this.batch(['run', ...args]) }

	// A run that must end with this exit code.
	async expectRun(code, ...args) {
		const done = await this.run(...args)
		if (done.code !== code)
			throw new Error(`run ${args.join(' ')}: exit ${done.code ?? done.signal} instead of ${code}\n${done.stdout}${done.stderr}`)
		return done
	}

	// Another analytics_db over the same orders.
	async fresh(settings) {
		const server = await postgres()
		const other = new Shop(this.orders, await server.create(), {})
		other.settings = { ...this.settings, ANALYTICS_DATABASE_URL: other.cache.url(), ...settings }
		return other
	}

	async warnings() {
		return (await this.cache.one('SELECT warnings FROM batch_run ORDER BY run_id DESC LIMIT 1')).warnings
	}

	lastRun() { return this.cache.one('SELECT * FROM batch_run ORDER BY run_id DESC LIMIT 1') }

	// The cache tables as text, row for row; `without` more columns.
	async dump(without = [], where = 'true') {
		let text = ''
		for (const table of CACHE) {
			const columns = (await this.cache.query(
				`SELECT column_name AS name FROM information_schema.columns WHERE table_name = '${table}' ORDER BY ordinal_position`))
				.map((c) => c.name).filter((c) => ![...PASSING, ...without].includes(c))
			const days = table === 'series' ? 'true' : where
			text += `${table}\n` + await this.cache.text(
				`SELECT ${columns} FROM ${table} WHERE ${days} ORDER BY (${table}.*)::text COLLATE "C"`)
		}
		return text
	}

	// Days in the cache and by which run: { '2024-05-01': 1, ... }
	async runOfDays() {
		const rows = await this.cache.query(
			'SELECT business_date::text AS day, max(run_id) AS run FROM daily_revenue_cache GROUP BY 1 ORDER BY 1')
		return Object.fromEntries(rows.map((r) => [r.day, r.run]))
	}

	day(day, columns = '*', more = 'true') {
		return this.cache.one(`SELECT ${columns} FROM daily_revenue_cache WHERE business_date = '${day}' AND ${more}`)
	}
}

// The two tables a shop must have, in the words of the server; `more`: further columns of orders.
export function orderTables(kind, { clock = 'timestamp', amount = 'numeric(12,2)', more = '', itemId = 'item_id',
	price = 'numeric(12,2)' } = {}) {
	const types = kind === 'mysql'
		? { clock: clock === 'timestamp' ? 'DATETIME(6)' : 'TIMESTAMP(6) NULL', text: 'VARCHAR(255)', big: 'BIGINT' }
		: { clock, text: 'text', big: 'bigint' }
	const my = (type) => (kind === 'mysql' && type === 'numeric' ? 'DECIMAL(30,10)' : type)
	return `
		CREATE TABLE orders (id ${types.big} PRIMARY KEY, status ${types.text} NOT NULL, total_amount ${my(amount)},
			created_at ${types.clock}${more ? `, ${more}` : ''});
		CREATE INDEX orders_created ON orders (created_at);
		CREATE TABLE order_items (id ${types.big} PRIMARY KEY, order_id ${types.big} NOT NULL, ${itemId} ${types.text},
			name ${types.text}, quantity ${my('numeric')}, unit_price ${my(price)});
		CREATE INDEX items_order ON order_items (order_id);`
}

// Orders of `days` business days up to `last`, eight a day around noon of `zone`, two items each; the
// fifth of each day is cancelled. Ids say which: 1003 is the third order of the tenth day... from 0.
export function someOrders(days, last, zone = noonZone()) {
	return `
		INSERT INTO orders (id, status, total_amount, created_at)
		SELECT d * 100 + n, CASE WHEN n = 5 THEN 'CANCELLED' ELSE 'SERVED' END, 10 + n + d * 0.25,
		       (date '${last}' - ${days - 1} + d + time '10:00' + n * interval '17 minutes') AT TIME ZONE '${zone}'
		FROM generate_series(0, ${days - 1}) d, generate_series(1, 8) n;
		INSERT INTO order_items (id, order_id, item_id, name, quantity, unit_price)
		SELECT o.id * 10 + i, o.id, 'dish' || (o.id + i) % 7, 'Dish ' || (o.id + i) % 7, i, 2.50
		FROM orders o, generate_series(1, 2) i;`
}

// A shop with such orders up to yesterday, in noonZone().
export async function openSmallShop(days, { more = '', ...settings } = {}) {
	const shop = await Shop.open({ BUSINESS_TIMEZONE: noonZone(), ...settings })
	await shop.orders.exec(orderTables('postgresql', { clock: 'timestamptz', more }) + someOrders(days, daysAgo(1)))
	return shop
}

// Copies the orders of a PostgreSQL database into a MariaDB one that has the same tables.
export async function copyOrders(from, to, tables = ['orders', 'order_items']) {
	for (const table of tables) await to.copyIn(table, await from.text(`SELECT * FROM ${table} ORDER BY 1`))
}

export function writeFile(name, text) {
	const file = path.join(scratch(), name)
	writeFileSync(file, text)
	return file
}

// A zone in which it is about noon, so that no business day ends while a test runs.
export function noonZone(now = new Date()) {
	const ahead = 12 - now.getUTCHours()
	return ahead === 0 ? 'Etc/UTC' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
}

// The business day that many days ago, where days are those of noonZone().
export function daysAgo(n, now = new Date()) {
	const local = new Date(now.getTime() + (12 - now.getUTCHours()) * 3600_000 - n * 86_400_000)
	return local.toISOString().slice(0, 10)
}
