// Whatever order_db looks like: optional columns, types, zones, currencies, profiles. Most of it on
// both kinds of server, with the same outcome.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { copyLines } from '../lib/data.mjs'
import { mariadb, postgres } from '../lib/servers.mjs'
import { Shop, orderTables } from '../lib/shop.mjs'

const KINDS = ['postgresql', 'mysql']
const server = (kind) => (kind === 'mysql' ? mariadb() : postgres())

// A shop whose order_db is made by `ddl(kind)` and holds these rows: { orders: [[...]], ... }.
async function shopOn(kind, ddl, tables, settings = {}) {
	const orders = await (await server(kind)).create()
	await orders.exec(ddl(kind))
	for (const [table, rows] of Object.entries(tables)) await orders.copyIn(table, copyLines(rows))
	return Shop.open({ orders, ...settings })
}

const plain = (options) => (kind) => orderTables(kind, options)
const JULY = ['--from', '2024-07-01', '--to', '2024-07-31']

async function days(shop, columns, where = 'order_count > 0 OR booked_minor <> 0') {
	return (await shop.cache.query(`SELECT business_date::text AS day, ${columns} FROM daily_revenue_cache WHERE ${where} ORDER BY 1, location_id, currency`))
		.map(({ day, ...rest }) => [day, ...Object.values(rest)])
}

const codes = async (shop) => (await shop.warnings()).map((w) => w.code)

// ---- the ledger ------------------------------------------------------------------

const LEDGER = (kind) => {
	const clock = kind === 'mysql' ? 'TIMESTAMP(6) NULL' : 'timestamptz'
	return orderTables(kind, { clock: 'timestamptz', more: `updated_at ${clock}, cancelled_at ${clock}, discount numeric(12,2), tax numeric(12,2), shipping numeric(12,2), tip numeric(12,2)` }) +
		`CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,2), created_at ${clock});`
}

describe('refunds and cancellations', () => {
	const at = (day, time = '12:00:00') => `2024-07-${day} ${time}`
	const rows = {
		orders: [
			// id, status, total, created, updated, cancelled, discount, tax, shipping, tip
			[1, 'SERVED', '100.00', at('01'), at('01'), null, '5.00', '7.00', '3.00', '2.00'],
			[2, 'CANCELLED', '50.00', at('01'), at('02'), at('02'), '1.00', '1.00', '1.00', '1.00'],
			[3, 'SERVED', '20.00', at('02'), at('02'), null, null, null, null, null],
			[4, 'CANCELLED', '8.00', at('02'), at('02'), null, null, null, null, null], // nobody noted when
			[5, 'CANCELLED', '9.00', at('03'), at('03'), at('03', '13:00:00'), null, null, null, null],
			[6, 'SERVED', '11.00', at('04'), at('05'), at('05'), null, null, null, null], // cancelled, and taken back
		],
		order_refunds: [[1, 1, '30.00', at('03')], [2, 1, '10.00', at('04')], [3, 2, '50.00', at('05')], [4, 3, '20.00', at('02')]],
	}
	for (const kind of KINDS)
		it(`are booked on both bases, which agree in the end, on ${kind}`, async () => {
			const shop = await shopOn(kind, LEDGER, rows)
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor, booked_minor, gross_minor, refund_minor, order_count, served_count'), [
				['2024-07-01', 6000, 15000, 10000, 4000, 2, 1],
				['2024-07-02', 0, -5000, 2000, 2000, 2, 1],
				['2024-07-03', 0, -3000, 0, 0, 1, 0],
				['2024-07-04', 1100, 100, 1100, 0, 1, 1],
			])
			assert.deepEqual(await shop.cache.one('SELECT sum(revenue_minor)::int AS a, sum(booked_minor)::int AS b FROM daily_revenue_cache'), { a: 7100, b: 7100 })
			assert.deepEqual(await days(shop, 'discount_minor, tax_minor, shipping_minor, tip_minor', `business_date = '2024-07-01'`), [['2024-07-01', 500, 700, 300, 200]])
			assert.equal(await shop.cache.value(`SELECT aov::text FROM daily_revenue_cache WHERE business_date = '2024-07-01'`), '60.00')
		})

	for (const kind of KINDS)
		it(`of random orders sum up to the same on both bases, on ${kind}`, async () => {
			let x = 12345
			const rnd = (n) => { x = (x * 1103515245 + 12345) % 2147483648; return Math.floor(x / 65536) % n }
			const when = (d, extra = 0) => `2024-07-${String(Math.min(31, 1 + d + extra)).padStart(2, '0')} ${String(rnd(24)).padStart(2, '0')}:${String(rnd(60)).padStart(2, '0')}:00`
			const orders = [], refunds = []
			for (let id = 1; id <= 600; id++) {
				const day = rnd(25), cancelled = rnd(5) === 0
				const total = (rnd(100000) / 100).toFixed(2)
				orders.push([id, cancelled ? 'CANCELLED' : 'SERVED', total, when(day), when(day), cancelled && rnd(4) ? when(day, rnd(6)) : null, '0', '0', '0', '0'])
				if (rnd(4) === 0) refunds.push([id, id, (rnd(1000) / 100).toFixed(2), when(day, rnd(6))])
			}
			const shop = await shopOn(kind, LEDGER, { orders, order_refunds: refunds }, { BUSINESS_TIMEZONE: 'America/Santiago' })
			await shop.expectRun(0, '--from', '2024-06-30', '--to', '2024-08-01')
			const cents = (t) => Math.round(Number(t) * 100)
			const served = new Set(orders.filter((o) => o[1] === 'SERVED').map((o) => o[0]))
			const want = orders.filter((o) => served.has(o[0])).reduce((s, o) => s + cents(o[2]), 0) - refunds.filter((r) => served.has(r[1])).reduce((s, r) => s + cents(r[2]), 0)
			assert.deepEqual(await shop.cache.one('SELECT sum(revenue_minor)::int AS a, sum(booked_minor)::int AS b FROM daily_revenue_cache'), { a: want, b: want })
			assert.ok(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache WHERE revenue_minor <> booked_minor') > 10)
			assert.equal(await shop.cache.value('SELECT sum(revenue_minor)::int FROM hourly_order_cache'), want)
		})
})

describe('what happened at no date', () => {
	// As shops write "never" or "unknown".
	const NEVER = { postgresql: ['1970-01-01', '9999-12-31', 'infinity'], mysql: ['1970-01-01', '9999-12-31', '0000-00-00'] }
	for (const kind of KINDS)
		it(`is booked in neither direction, on ${kind}`, async () => {
			const clock = kind === 'mysql' ? 'DATETIME(6)' : 'timestamp'
			const orders = await (await server(kind)).create()
			const at = '2024-07-10 12:00:00'
			await orders.exec(`${kind === 'mysql' ? `SET sql_mode = '';` : ''}` + orderTables(kind, { more: `cancelled_at ${clock}` })
				+ `CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,2), created_at ${clock});`
				+ `INSERT INTO orders VALUES (1, 'SERVED', 5, '${at}', NULL), (2, 'CANCELLED', 40, '${at}', '${at}');`
				+ NEVER[kind].map((never, i) => `
					INSERT INTO orders VALUES (${10 + i}, 'NEW', 100, '${at}', '${never}'), (${20 + i}, 'CANCELLED', 40, '${at}', '${never}'),
						(${30 + i}, 'SERVED', 7, '${at}', '${never}'), (${40 + i}, 'CANCELLED', 70, '${never}', '${at}'), (${50 + i}, 'SERVED', 70, '${never}', NULL);
					INSERT INTO order_refunds VALUES (${i * 2}, 1, 2, '${never}'), (${i * 2 + 1}, ${50 + i}, 40, '${at}');`).join(''))
			const shop = await Shop.open({ orders })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor, booked_minor'), [['2024-07-10', 2600, 2600]])
			const told = Object.fromEntries((await shop.warnings()).map((w) => [w.code, Number.parseInt(w.text, 10)]))
			assert.equal(told.refund_date_missing, 3)
			assert.equal((told.date_broken ?? 0) + (told.date_missing ?? 0), kind === 'mysql' ? told.date_broken + (told.date_missing ?? 0) : 6)
		})

	it('of refunds is refused where the column itself is missing', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, (k) => orderTables(k) + 'CREATE TABLE order_refunds (id bigint PRIMARY KEY, order_id bigint, amount numeric(12,2));', {})
			assert.match((await shop.expectRun(1, ...JULY)).stderr, /order_refunds needs order_id, amount and created_at/)
		}
	})
})

// ---- types -----------------------------------------------------------------------

describe('types of columns', () => {
	const at = '2024-07-10 12:00:00'

	it('real keep the digits that they show', async () => {
		const shop = await shopOn('postgresql', plain({ amount: 'real', price: 'real' }), { orders: [[1, 'SERVED', '12345.67', at], [2, 'SERVED', '1234567.5', at]],
			order_items: [[1, 1, 'a', 'A', 1, '12345.67']] })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await days(shop, 'gross_minor, item_minor'), [['2024-07-10', 124691317, 1234567]])
	})

	it('integer do not limit what a line of an order may cost', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, (k) => orderTables(k, { amount: 'bigint', price: 'int' }).replace(/quantity (DECIMAL\(30,10\)|numeric)/, 'quantity int'),
				{ orders: [[1, 'SERVED', '3000000000', at]], order_items: [[1, 1, 'a', 'A', 1000, 3000000]] }, { DEFAULT_CURRENCY: 'VND' })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'gross_minor, item_minor'), [['2024-07-10', 3000000000, 3000000000]])
		}
	})

	it('of words may be enums, domains or texts without case', async () => {
		const shop = await shopOn('postgresql', () => `
			CREATE EXTENSION citext; CREATE TYPE cur AS ENUM ('EUR', 'JPY');
			${orderTables('postgresql', { more: 'currency cur' })}
			ALTER TABLE orders ALTER status TYPE citext; ALTER TABLE order_items ALTER name TYPE jsonb USING NULL;`,
			{ orders: [[1, 'SERVED', '5.00', at, 'EUR'], [2, 'Served', '7.00', at, 'EUR'], [3, 'SERVED', '9', at, 'JPY']], order_items: [[1, 1, 'a', '{"en": "A"}', 1, 5]] })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await days(shop, 'currency, gross_minor, served_count'), [['2024-07-10', 'EUR', 500, 1], ['2024-07-10', 'JPY', 9, 1]])
	})

	it('that cannot be joined, and names that differ in case, are told before anything is read', async () => {
		const text = await shopOn('postgresql', (k) => orderTables(k) + 'ALTER TABLE order_items ALTER order_id TYPE text', {})
		assert.match((await text.expectRun(1, ...JULY)).stderr, /order_id is of another type than orders\.id \(int8\)/)
		const name = await shopOn('postgresql', (k) => orderTables(k) + 'ALTER TABLE orders RENAME status TO "Status"', {})
		assert.match((await name.expectRun(1, ...JULY)).stderr, /orders\.status is missing/)
	})

	it('that hold what is no number are told by name and day', async () => {
		for (const amount of ['NaN', 'Infinity', '1e14']) {
			const order = await shopOn('postgresql', plain({ amount: 'numeric' }), { orders: [[1, 'SERVED', amount, at]] })
			assert.match((await order.expectRun(1, ...JULY)).stderr, /orders of 2024-07-10 have an amount that is not a number or is 10\^14 or more/)
			const item = await shopOn('postgresql', plain({ price: 'numeric' }), { orders: [[1, 'SERVED', 1, at]], order_items: [[1, 1, 'a', 'A', 1, amount]] })
			assert.match((await item.expectRun(1, ...JULY)).stderr, /item 'a' has, on 2024-07-10, a quantity or price/)
		}
		const most = await shopOn('postgresql', plain({ amount: 'numeric', price: 'numeric' }), { orders: [[1, 'SERVED', '99999999999999', at]], order_items: [[1, 1, 'a', 'A', 1, '99999999999999']] })
		await most.expectRun(0, ...JULY)
		assert.equal(await most.cache.value('SELECT sum(gross_minor)::text FROM daily_revenue_cache'), '9999999999999900')
	})

	it('date, with a cutoff, is warned of', async () => {
		const shop = await shopOn('postgresql', plain({ clock: 'date' }), { orders: [[1, 'SERVED', 1, '2024-07-10']] }, { BUSINESS_DAY_CUTOFF: '4' })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await codes(shop), ['date_without_time'])
	})
})

describe('COUNTED_STATUSES', () => {
	it('that occur in no order are warned of', async () => {
		const shop = await shopOn('postgresql', plain({}), { orders: [[1, 'SERVED', 1, '2024-07-10 12:00:00']] }, { COUNTED_STATUSES: 'SERVDE' })
		await shop.expectRun(0, ...JULY)
		assert.ok((await codes(shop)).includes('status_none_counted'))
	})
})

// ---- money -------------------------------------------------------------------------

describe('currencies', () => {
	const ddl = (kind) => orderTables(kind, { amount: 'numeric', more: 'currency char(5), location_id int' })
	const at = '2024-07-10 12:00:00'
	const amounts = [
		['EUR', '0.125', 12], ['EUR', '0.135', 14], ['EUR', '0.1250001', 13], ['EUR', '10', 1000], ['EUR', '-0.125', -12], ['eur', '1.00', 100],
		['JPY', '100.5', 100], ['JPY', '101.5', 102], ['JPY', '100.50001', 101], ['JPY', '100', 100], ['jpy', '102.5', 102], ['JPY', '-101.5', -102],
		['KWD', '1.0005', 1000], ['KWD', '1.0015', 1002], ['KWD', '1.234', 1234], ['CLF', '1.00005', 10000],
		[null, '3.333', 333], ['', '4.444', 444],
	]
	const rows = { orders: amounts.map(([currency, amount], i) => [i + 1, 'SERVED', amount, at, currency, 1]) }
	const want = {}
	for (const [currency, , minor] of amounts) want[(currency || 'USD').toUpperCase()] = (want[(currency || 'USD').toUpperCase()] ?? 0) + minor

	for (const kind of KINDS)
		it(`are kept apart, each order rounded once and half-even to its own digits, on ${kind}`, async () => {
			const shop = await shopOn(kind, ddl, rows, { DEFAULT_CURRENCY: 'USD' })
			await shop.expectRun(0, ...JULY)
			const got = await shop.cache.query('SELECT currency, revenue_minor FROM daily_revenue_cache WHERE order_count > 0')
			assert.deepEqual(Object.fromEntries(got.map((r) => [r.currency, r.revenue_minor]).sort()), Object.fromEntries(Object.entries(want).sort()))
			const told = (await shop.warnings()).find((w) => w.code === 'amount_rounded')
			assert.match(told.text, /^14 order\(s\)/)
			assert.equal(await shop.cache.value(`SELECT aov::text FROM daily_revenue_cache WHERE currency = 'KWD' AND order_count > 0`), '1.079')
			assert.equal(await shop.cache.value(`SELECT aov::text FROM daily_revenue_cache WHERE currency = 'JPY' AND order_count > 0`), '67')
		})

	// A column may be as fine as the currency, coarser or finer.
	for (const kind of KINDS)
		it(`keep the digits that the column has, on ${kind}`, async () => {
			const digits = [['EUR', 2], ['JPY', 0], ['KWD', 3], ['CLF', 4]]
			for (const scale of [0, 1, 2, 3, 4, 5]) {
				const amount = (1.23456).toFixed(scale)
				const shop = await shopOn(kind, (k) => orderTables(k, { amount: `numeric(14,${scale})`, more: 'currency char(5), location_id int' }),
					{ orders: digits.map(([currency], i) => [i + 1, 'SERVED', amount, at, currency, 1]) })
				await shop.expectRun(0, ...JULY)
				const got = await shop.cache.query('SELECT currency, gross_minor FROM daily_revenue_cache WHERE order_count > 0')
				assert.deepEqual(Object.fromEntries(got.map((r) => [r.currency, r.gross_minor])),
					Object.fromEntries(digits.map(([currency, n]) => [currency, Math.round(Number(amount) * 10 ** n)])), `scale ${scale}`)
			}
		})

	for (const kind of KINDS)
		it(`that are missing are the default in every respect, on ${kind}`, async () => {
			const yen = await shopOn(kind, ddl, { orders: [[1, 'SERVED', '100.5', at, null, 1], [2, 'SERVED', '0.5', at, null, 1], [3, 'SERVED', '1.5', at, '', 1], [4, 'SERVED', '2.5', at, ' jpy', 1]] },
				{ DEFAULT_CURRENCY: 'JPY' })
			await yen.expectRun(0, ...JULY)
			assert.deepEqual(await days(yen, 'currency, gross_minor'), [['2024-07-10', 'JPY', 104]])
			assert.match((await yen.warnings()).find((w) => w.code === 'amount_rounded').text, /^4 order/)
			const dinar = await shopOn(kind, (k) => orderTables(k, { amount: 'numeric(14,3)', more: 'currency char(5), location_id int' }),
				{ orders: [[1, 'SERVED', '1.234', at, null, 1], [2, 'SERVED', '1.234', at, 'kwd', 1], [3, 'SERVED', '1.234', at, 'KWD', 1]] }, { DEFAULT_CURRENCY: 'KWD' })
			await dinar.expectRun(0, ...JULY)
			assert.deepEqual(await days(dinar, 'currency, gross_minor'), [['2024-07-10', 'KWD', 3702]])
			assert.deepEqual(await codes(dinar), [])
		})

	it('that are none stop the run, which says where', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, ddl, { orders: [[1, 'SERVED', '1', at, 'EUR', 1], [2, 'SERVED', '1', at, 'EURO', 1]] })
			const done = await shop.expectRun(1, ...JULY)
			assert.match(done.stderr, /2024-07-10 have currency 'EURO'/)
			assert.equal(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache'), 0)
		}
	})

	it('and amounts that are none do too', async () => {
		const shop = await shopOn('postgresql', ddl, { orders: [[1, 'SERVED', 'NaN', at, 'EUR', 1]] })
		assert.match((await shop.expectRun(1, ...JULY)).stderr, /an amount that is not a number/)
		const huge = await shopOn('postgresql', ddl, { orders: [[1, 'SERVED', '1e25', at, 'EUR', 1], [2, 'SERVED', '1e25', at, 'EUR', 1]] })
		await huge.expectRun(1, ...JULY)
		assert.equal(await huge.cache.value('SELECT count(*)::int FROM daily_revenue_cache'), 0)
	})

	for (const kind of KINDS)
		it(`that are floating point are read as the decimals they show, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({ amount: 'double precision', price: 'double precision' }), {
				orders: [[1, 'SERVED', '0.1', at], [2, 'SERVED', '0.2', at], [3, 'SERVED', '19.99', at], [4, 'SERVED', '1234567.89', at]],
				order_items: [[1, 1, 'a', 'A', 3, '0.1'], [2, 3, 'b', 'B', 1, '19.99']],
			})
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor, item_minor'), [['2024-07-10', 123458818, 2029]])
			assert.match((await shop.batch(['doctor'])).stdout, /^warn +order_db: orders\.total_amount is floating point/m)
		})

	it('missing amounts count as nothing, with a warning', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, plain({}), { orders: [[1, 'SERVED', null, at], [2, 'SERVED', '2.00', at]] })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor, served_count'), [['2024-07-10', 200, 2]])
			assert.deepEqual(await codes(shop), ['amount_missing'])
		}
	})
})

describe('locations and currencies', () => {
	for (const kind of KINDS)
		it(`have a row for every day since their first order, on ${kind}`, async () => {
			const ddl = (k) => orderTables(k, { more: 'location_id int, currency char(3)' })
			const at = (d) => `2024-07-${d} 12:00:00`
			const shop = await shopOn(kind, ddl, { orders: [
				[1, 'SERVED', '1.00', at('05'), 1, 'EUR'], [2, 'SERVED', '2.00', at('20'), 1, 'EUR'], [3, 'CANCELLED', '3.00', at('10'), 2, 'EUR'],
				[4, 'SERVED', '4.00', at('15'), 1, 'CHF'], [5, 'SERVED', '5.00', at('25'), null, null]] })
			await shop.expectRun(0, ...JULY)
			const rows = await shop.cache.query(`SELECT location_id AS l, currency AS c, min(business_date)::text AS first, count(*)::int AS days FROM daily_revenue_cache GROUP BY 1, 2 ORDER BY 1, 2`)
			assert.deepEqual(rows.map((r) => Object.values(r)), [
				[0, 'EUR', '2024-07-01', 11], // before anything was sold (4 days), and from its own first order (7)
				[1, 'CHF', '2024-07-15', 17], [1, 'EUR', '2024-07-05', 27], [2, 'EUR', '2024-07-10', 22]])
			assert.deepEqual(await shop.cache.query(`SELECT d.location_id, d.business_date FROM daily_revenue_cache d WHERE 24 <> (SELECT count(*) FROM hourly_order_cache h
				WHERE (h.location_id, h.business_date, h.currency) = (d.location_id, d.business_date, d.currency))`), [])
			assert.deepEqual((await shop.cache.query('SELECT location_id AS l, currency AS c, first_date::text AS d FROM series ORDER BY 1, 2')).map((r) => Object.values(r)),
				[[0, 'EUR', '2024-07-25'], [1, 'CHF', '2024-07-15'], [1, 'EUR', '2024-07-05'], [2, 'EUR', '2024-07-10']])
		})
})

// ---- time ---------------------------------------------------------------------------

describe('clocks', () => {
	// Every 10 minutes around the clock changes of New York, read as its wall clock, counted in Berlin.
	const clocks = ['2024-03-09', '2024-03-10', '2024-03-11', '2024-03-30', '2024-03-31', '2024-11-02', '2024-11-03', '2024-11-04', '2024-10-26', '2024-10-27']
		.flatMap((day) => Array.from({ length: 144 }, (_, i) => `${day} ${String(Math.floor(i / 6)).padStart(2, '0')}:${i % 6}0:00`))
	const orders = clocks.map((clock, i) => [i + 1, 'SERVED', '1.00', clock])

	for (const kind of KINDS)
		for (const [zone, cutoff] of [['Europe/Berlin', '4'], ['America/New_York', '0'], ['Australia/Lord_Howe', '3'], ['Asia/Kathmandu', '12']])
			it(`without a zone are those of ORDER_DB_TIMEZONE: ${zone}, cutoff ${cutoff}, on ${kind}`, async () => {
				const shop = await shopOn(kind, plain({}), { orders },
					{ ORDER_DB_TIMEZONE: 'America/New_York', BUSINESS_TIMEZONE: zone, BUSINESS_DAY_CUTOFF: cutoff })
				await shop.expectRun(0, '--from', '2024-03-01', '--to', '2024-11-15')
				await shop.cache.exec('CREATE TABLE clock (clock timestamp)')
				await shop.cache.copyIn('clock', clocks.join('\n') + '\n')
				const want = await shop.cache.query(`
					SELECT business_date(t, '${zone}', ${cutoff})::text AS day, extract(hour FROM t AT TIME ZONE '${zone}')::int AS hour, count(*)::int AS n
					FROM (SELECT clock AT TIME ZONE 'America/New_York' AS t FROM clock) c GROUP BY 1, 2 ORDER BY 1, 2`)
				assert.deepEqual(await shop.cache.query(`SELECT business_date::text AS day, hour, order_count AS n FROM hourly_order_cache WHERE order_count > 0 ORDER BY 1, 2`), want)
			})

	for (const kind of KINDS)
		it(`put the last microsecond into the day that ends, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({}), { orders: [
				[1, 'SERVED', '1.00', '2024-07-10 03:59:59.999999'], [2, 'SERVED', '2.00', '2024-07-10 04:00:00'], [3, 'SERVED', '4.00', '2024-07-11 03:59:59.999999'],
				[4, 'SERVED', '8.00', '2024-07-11 04:00:00.000001']] }, { BUSINESS_DAY_CUTOFF: '4' })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor'), [['2024-07-09', 100], ['2024-07-10', 600], ['2024-07-11', 800]])
			assert.deepEqual((await shop.cache.query(`SELECT business_date::text AS d, hour FROM hourly_order_cache WHERE order_count > 0 ORDER BY 1, 2`)).map((r) => [r.d, r.hour]),
				[['2024-07-09', 3], ['2024-07-10', 3], ['2024-07-10', 4], ['2024-07-11', 4]])
		})

	it('that are broken are left out, with a warning', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, plain({}), { orders: [[1, 'SERVED', '1.00', '1970-01-01 00:00:01'], [2, 'SERVED', '2.00', '2024-07-10 12:00:00']] }, { BATCH_LOOKBACK_DAYS: '5' })
			await shop.expectRun(0)
			assert.equal(await shop.cache.value('SELECT min(business_date)::text FROM daily_revenue_cache'), '2024-07-10')
			assert.deepEqual(await codes(shop), ['date_broken'])
		}
	})

	it('that are missing are told by the doctor', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, plain({}), { orders: [[1, 'SERVED', '2.00', '2024-07-10 12:00:00'], [2, 'SERVED', '2.00', null], [3, 'SERVED', '2.00', null]] })
			assert.match((await shop.batch(['doctor'])).stdout, /^warn +order_db: 2 order\(s\) have no created_at and are in no figure$/m)
			await shop.orders.exec('DELETE FROM orders WHERE created_at IS NULL')
			if (kind === 'mysql') // a zero date is no missing one
				await shop.orders.exec(`SET sql_mode = ''; ALTER TABLE orders MODIFY created_at DATETIME NOT NULL; INSERT INTO orders VALUES (9, 'SERVED', 1, '0000-00-00')`)
			assert.doesNotMatch((await shop.batch(['doctor'])).stdout, /no created_at/)
		}
	})

	it('of MySQL may be the zero date, which is broken too', async () => {
		const shop = await shopOn('mysql', plain({}), { orders: [[1, 'SERVED', '2.00', '2024-07-10 12:00:00']] })
		await shop.orders.exec(`SET sql_mode = ''; INSERT INTO orders VALUES (2, 'SERVED', 1, '0000-00-00 00:00:00')`)
		await shop.expectRun(0, ...JULY)
		assert.equal(await shop.cache.value('SELECT sum(order_count)::int FROM daily_revenue_cache'), 1)
		assert.ok((await codes(shop)).includes('date_broken'))
	})

	it('of MySQL may have parts that no calendar has, which is broken too', async () => {
		const ledger = (kind) => LEDGER(kind).replaceAll('TIMESTAMP(6) NULL', 'DATETIME NULL')
		const whole = { orders: [[1, 'SERVED', '2.00', '2024-07-10 12:00:00', '2024-07-10 12:00:00', null, null, null, null, null], [2, 'SERVED', '4.00', '2024-03-02 12:00:00', '2024-03-02 12:00:00', null, null, null, null, null]],
			order_items: [[1, 1, 'a', 'A', 1, '2.00']], order_refunds: [[1, 1, '0.50', '2024-07-11 12:00:00']] }
		const broken = ['2024-07-00 00:00:00', '2024-00-15 10:00:00', '2024-02-31 01:00:00', '0000-00-00 00:00:00', '2024-07-00 23:59:59']
		const [plainShop, shop] = [await shopOn('mysql', ledger, whole), await shopOn('mysql', ledger, whole)]
		await shop.orders.exec(`SET sql_mode = 'ALLOW_INVALID_DATES';` + broken.map((at, i) => `
			INSERT INTO orders (id, status, total_amount, created_at, cancelled_at) VALUES (${10 + i}, 'SERVED', 1, '${at}', '${at}');
			INSERT INTO order_items VALUES (${10 + i}, ${10 + i}, 'a', 'A', 1, 1.00); INSERT INTO order_refunds VALUES (${10 + i}, 1, 7, '${at}');`).join(''))
		// A refund belongs to its order's day whatever its own date; on its own day it cannot be booked.
		await shop.orders.exec('DELETE FROM order_refunds WHERE id >= 10')
		for (const s of [plainShop, shop]) await s.expectRun(0, '--from', '2024-02-01', '--to', '2024-07-31')
		assert.deepEqual((await shop.warnings()).map((w) => [w.code, Number.parseInt(w.text, 10)]), [['date_broken', broken.length]])
		assert.equal(await shop.dump(), await plainShop.dump())
		const closed = await shop.fresh({ HISTORY_FROM: '' }) // the first day is that of the first order that has one
		await closed.expectRun(0)
		assert.equal(await closed.cache.value('SELECT min(business_date)::text FROM daily_revenue_cache'), '2024-03-02')
	})
})

// ---- what counts -----------------------------------------------------------------------

describe('profiles', () => {
	const at = '2024-07-10 12:00:00'
	const statuses = (...list) => ({ orders: list.map((s, i) => [i + 1, s, (2 ** i).toFixed(2), at]),
		order_items: list.map((s, i) => [i + 1, i + 1, `item ${s}`, s, 1, '1.00']) })
	const counted = async (shop) => ({
		served: await shop.cache.value(`SELECT sum(served_count)::int FROM daily_revenue_cache`),
		items: (await shop.cache.query('SELECT DISTINCT name FROM item_sales_cache ORDER BY 1')).map((r) => r.name),
		unknown: (await shop.warnings()).filter((w) => w.code === 'status_unknown').map((w) => /status '(.*?)'/.exec(w.text)[1]).sort(),
	})

	for (const kind of KINDS) {
		it(`restaurant: SERVED, letter for letter, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({}), statuses('SERVED', 'served', 'Served', 'SERVED ', 'CANCELLED', 'PREPARING', 'EATEN'))
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await counted(shop), { served: 1, items: ['SERVED'], unknown: ['EATEN', 'SERVED ', 'Served', 'served'] })
			assert.deepEqual(Object.keys(await shop.cache.value(`SELECT orders_by_status FROM daily_revenue_cache WHERE order_count > 0`)).sort(),
				['CANCELLED', 'EATEN', 'PREPARING', 'SERVED', 'SERVED ', 'Served', 'served'])
		})

		it(`commerce: all but cancelled and unpaid, in any case, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({}), statuses('completed', 'Processing', 'SHIPPED', 'refunded', 'cancelled', 'pending_payment', 'teleported'), { REVENUE_PROFILE: 'commerce' })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await counted(shop), { served: 4, items: ['Processing', 'SHIPPED', 'completed', 'refunded'], unknown: ['teleported'] })
		})
	}

	it('bookings: confirmed', async () => {
		const shop = await shopOn('postgresql', plain({}), statuses('confirmed', 'CONFIRMED', 'waitlisted', 'cancelled', 'dreamt'), { REVENUE_PROFILE: 'bookings' })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await counted(shop), { served: 2, items: ['CONFIRMED', 'confirmed'], unknown: ['dreamt'] })
	})

	it('COUNTED_STATUSES replaces the rule of the profile', async () => {
		const shop = await shopOn('postgresql', plain({}), statuses('SERVED', 'PAID', 'PICKED UP', "it's", 'x'), { COUNTED_STATUSES: "PAID, PICKED UP ,it's" })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await counted(shop), { served: 3, items: ['PAID', 'PICKED UP', "it's"], unknown: [] })
	})

	it('count nothing where nothing counts', async () => {
		for (const kind of KINDS) {
			const shop = await shopOn(kind, plain({}), statuses('CANCELLED'))
			await shop.expectRun(0, ...JULY)
			assert.deepEqual(await days(shop, 'revenue_minor, order_count, served_count, item_qty, aov::text'), [['2024-07-10', 0, 1, 0, 0, '0.00']])
		}
	})
})

// ---- items, names, types ------------------------------------------------------------------

describe('items', () => {
	const at = '2024-07-10 12:00:00'
	for (const kind of KINDS) {
		it(`may be called products, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({ itemId: 'product_id', price: 'numeric' }), { orders: [[1, 'SERVED', '5.00', at]], order_items: [[1, 1, 'p1', 'Soup', '0.5', '10.00'], [2, 1, 'p2', null, '2', '0.125']] })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual((await shop.cache.query('SELECT item_id, name, quantity::text, revenue_minor, order_count FROM item_sales_cache ORDER BY 1')).map((r) => Object.values(r)),
				[['p1', 'Soup', '0.5', 500, 1], ['p2', 'p2', '2', 25, 1]])
		})

		it(`an order with two lines of an item is one order, on ${kind}`, async () => {
			const shop = await shopOn(kind, plain({}), { orders: [[1, 'SERVED', '5.00', at], [2, 'SERVED', '5.00', at], [3, 'CANCELLED', '5.00', at]],
				order_items: [[1, 1, 'a', 'A', 1, '1.00'], [2, 1, 'a', 'A', 2, '1.50'], [3, 2, 'a', 'A', 4, '1.00'], [4, 3, 'a', 'A', 99, '1.00'], [5, 77, 'a', 'A', 50, '1.00']] })
			await shop.expectRun(0, ...JULY)
			assert.deepEqual((await shop.cache.query('SELECT item_id, quantity::int, revenue_minor, order_count FROM item_sales_cache')).map((r) => Object.values(r)), [['a', 7, 800, 2]])
		})
	}

	for (const kind of KINDS)
		it(`have item_id where they also have a product_id, whichever comes first, on ${kind}`, async () => {
			const type = kind === 'mysql' ? 'VARCHAR(20)' : 'text'
			for (const columns of ['product_id, item_id', 'item_id, product_id']) {
				const ddl = (k) => orderTables(k, {}) + `DROP TABLE order_items; CREATE TABLE order_items (order_id BIGINT, ${columns.replaceAll('_id', `_id ${type}`)}, name ${type}, quantity INT, unit_price DECIMAL(10,2));`
				const shop = await shopOn(kind, ddl, { orders: [[1, 'SERVED', '5.00', at]] })
				await shop.orders.exec(`INSERT INTO order_items (order_id, item_id, product_id, name, quantity, unit_price) VALUES (1, 'dish', 'product', 'Soup', 1, 5)`)
				await shop.expectRun(0, ...JULY)
				assert.deepEqual(await shop.cache.query('SELECT item_id FROM item_sales_cache'), [{ item_id: 'dish' }])
			}
		})

	it('and statuses with odd text arrive as they are, from both servers alike', async () => {
		const odd = ['tab\there', 'line\nbreak', 'back\\slash', `quote'"`, '<b>&amp;</b>', '=SUM(A1)', 'Ärger 🍕 日本', 'ﬁ', ' lead and trail ', 'Ａ', 'a', 'A', '\\N', '\\.', 'é', 'e\u0301']
		const rows = { orders: [[1, 'SERVED', '5.00', at], ...odd.map((s, i) => [i + 2, s, '1.00', at])], order_items: odd.map((s, i) => [i + 1, 1, s, s, 1, '1.00']) }
		const [a, b] = [await shopOn('postgresql', plain({}), rows), await shopOn('mysql', plain({}), rows)]
		for (const shop of [a, b]) await shop.expectRun(0, ...JULY)
		const names = (await a.cache.query('SELECT item_id, name FROM item_sales_cache')).map((r) => (assert.equal(r.item_id, r.name), r.name))
		assert.deepEqual(names.sort(), [...odd].sort())
		assert.equal(await b.dump(['source_hash']), await a.dump(['source_hash']))
	})
})

describe('types', () => {
	it('of PostgreSQL: enum, uuid, domain, views in a schema of their own', async () => {
		const orders = await (await postgres()).create()
		await orders.exec(`
			CREATE SCHEMA shop; CREATE SCHEMA takings;
			CREATE TYPE shop.state AS ENUM ('SERVED', 'CANCELLED');
			CREATE TABLE shop.sale (nr uuid PRIMARY KEY DEFAULT gen_random_uuid(), state shop.state, cents int, at timestamptz);
			CREATE TABLE shop.line (nr uuid, sale uuid, dish uuid, label varchar(20), n smallint, price money);
			INSERT INTO shop.sale (state, cents, at) VALUES ('SERVED', 1250, '2024-07-10 12:00Z'), ('CANCELLED', 1, '2024-07-10 12:00Z');
			INSERT INTO shop.line SELECT gen_random_uuid(), nr, gen_random_uuid(), 'Soup', 2, 6.25 FROM shop.sale;
			CREATE VIEW takings.orders AS SELECT nr AS id, state AS status, cents / 100.0 AS total_amount, at AS created_at FROM shop.sale;
			CREATE VIEW takings.order_items AS SELECT sale AS order_id, dish AS item_id, label AS name, n AS quantity, price::numeric AS unit_price FROM shop.line;`)
		const shop = await Shop.open({ orders, DATABASE_URL: `${orders.url()}&options=-csearch_path%3Dtakings` })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await days(shop, 'revenue_minor, order_count, served_count, item_minor'), [['2024-07-10', 1250, 2, 1, 1250]])
	})

	it('of MySQL: ENUM, UNSIGNED, capital column names, ids beyond 2^53, latin1', async () => {
		const orders = await (await mariadb()).create()
		await orders.exec(`
			CREATE TABLE orders (ID BIGINT UNSIGNED PRIMARY KEY, Status ENUM('CANCELLED', 'SERVED'), Total_Amount DECIMAL(10,2) UNSIGNED, Created_At DATETIME);
			CREATE TABLE order_items (id INT UNSIGNED, order_id BIGINT UNSIGNED, item_id BIGINT UNSIGNED, name VARCHAR(50) CHARACTER SET latin1, quantity SMALLINT UNSIGNED, unit_price DECIMAL(10,2));
			INSERT INTO orders VALUES (18446744073709551615, 'SERVED', 12.50, '2024-07-10 12:00:00'), (9007199254740993, 'CANCELLED', 1, '2024-07-10 12:00:00');
			INSERT INTO order_items VALUES (1, 18446744073709551615, 9007199254740993, 'Bärlauch', 3, 1.25);`)
		const shop = await Shop.open({ orders })
		await shop.expectRun(0, ...JULY)
		assert.deepEqual(await days(shop, 'revenue_minor, order_count, served_count'), [['2024-07-10', 1250, 2, 1]])
		assert.deepEqual(await shop.cache.query('SELECT item_id, name, quantity::int AS n FROM item_sales_cache'), [{ item_id: '9007199254740993', name: 'Bärlauch', n: 3 }])
	})
})

// ---- new rules ----------------------------------------------------------------------------

describe('new rules', () => {
	const orders = Array.from({ length: 2000 }, (_, i) => [i + 1, i % 7 ? 'SERVED' : 'PAID', '1.00',
		new Date(Date.UTC(2024, 5, 25) + i * 1733_000).toISOString().replace('T', ' ').slice(0, 19)])
	const items = orders.map(([id]) => [id, id, `i${id % 5}`, 'x', 1, '1.00'])
	const changes = [{ BUSINESS_TIMEZONE: 'Asia/Kathmandu' }, { BUSINESS_DAY_CUTOFF: '5' }, { COUNTED_STATUSES: 'SERVED,PAID' }, { REVENUE_PROFILE: 'commerce' },
		{ DEFAULT_CURRENCY: 'JPY' }, { DEFAULT_LOCATION_ID: '4' }, { ORDER_DB_TIMEZONE: 'America/New_York' }]
	for (const change of changes)
		it(`(${Object.entries(change).join().replace(',', '=')}) rebuild every day, all in one transaction`, async () => {
			const base = { BUSINESS_TIMEZONE: 'Europe/Berlin', ORDER_DB_TIMEZONE: 'Europe/Berlin' }
			const shop = await shopOn('postgresql', plain({}), { orders, order_items: items }, base)
			await shop.expectRun(0, '--from', '2024-06-25', '--to', '2024-08-03')
			const whole = await shop.fresh(change)
			assert.equal((await whole.run('--from', '2024-06-25', '--to', '2024-08-03')).code, 0)
			const days = 'md5(string_agg(d::text, $$ $$ ORDER BY d::text))'
			const look = `SELECT (SELECT ${days} FROM (SELECT location_id, business_date, currency, revenue_minor, order_count, served_count FROM daily_revenue_cache) d) AS daily,
				(SELECT ${days} FROM (SELECT location_id, business_date, hour, currency, order_count, served_count FROM hourly_order_cache) d) AS hourly,
				(SELECT timezone || cutoff_hours || counted_statuses || default_currency || order_db_timezone || revenue_profile || default_location_id FROM site JOIN rules USING (rules_id)) AS rules`
			const [old, now] = [await shop.cache.one(look), await whole.cache.one(look)]
			assert.notEqual(old.rules, now.rules)
			const session = shop.cache.session()
			let running = true, looks = 0
			const wrong = []
			const watching = (async () => {
				while (running) {
					const [seen] = await session.rows(look)
					looks++
					if (![old, now].some((s) => JSON.stringify(s) === JSON.stringify(seen))) wrong.push(seen)
				}
			})()
			// The change is found by the run of one day, and rebuilds all.
			const done = await shop.batch(['run', '--date', '2024-07-01'], change)
			running = false
			await watching
			await session.close()
			assert.equal(done.code, 0, done.stderr)
			assert.deepEqual(wrong, [])
			assert.ok(looks > 2)
			assert.equal(await shop.dump(['rules_id']), await whole.dump(['rules_id']))
			assert.equal(await shop.cache.value('SELECT count(*)::int FROM restatement'), 0)
			assert.equal((await shop.batch(['run', '--date', '2024-07-01'], change)).stdout.split(',')[0], '0 day(s) written')
		})

	it('leave days of which the orders are gone', async () => {
		const shop = await shopOn('postgresql', plain({}), { orders, order_items: items })
		await shop.expectRun(0, '--from', '2024-06-25', '--to', '2024-08-03')
		await shop.orders.exec(`DELETE FROM orders WHERE created_at < '2024-07-05'`)
		const old = await shop.cache.text(`SELECT business_date, revenue_minor, order_count FROM daily_revenue_cache WHERE business_date < '2024-07-05' ORDER BY 1`)
		const done = await shop.batch(['run', '--date', '2024-07-20'], { BUSINESS_DAY_CUTOFF: '5' })
		assert.equal(done.code, 0, done.stderr)
		assert.equal(await shop.cache.text(`SELECT business_date, revenue_minor, order_count FROM daily_revenue_cache WHERE business_date < '2024-07-05' ORDER BY 1`), old)
		assert.ok((await codes(shop)).includes('source_gone'))
	})
})
