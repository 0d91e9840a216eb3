// takings-batch run from outside: exit codes, options, what is due, who may work.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, it } from 'node:test'
import { Shop, batch, daysAgo, noonZone, openSmallShop, orderTables, program } from '../lib/shop.mjs'
import { run, sleep, until } from '../lib/process.mjs'

const slow = process.env.SAN ? 5 : 1

// Every row of every table of the database, and the tables themselves.
async function everything(db) {
	const tables = await db.query(`
		SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`)
	const hash = createHash('sha256')
	for (const { name } of tables) hash.update(`${name}\n${await db.text(`SELECT * FROM ${name} t ORDER BY t::text`)}`)
	return hash.digest('hex')
}

const refusal = (done) => done.events.find((e) => e.level === 'ERROR')

describe('run: options', () => {
	let shop
	before(async () => { shop = await openSmallShop(3) })

	const wrong = [
		[['--date'], '--date', /needs a date/],
		[['--date', '2024-02-30'], '--date', /2024-02-30/],
		[['--date', '24-02-03'], '--date', /24-02-03/],
		[['--from', '2024-01-01'], '--to', /go together/],
		[['--to', '2024-01-01'], '--from', /go together/],
		[['--from', '2024-01-02', '--to', '2024-01-01'], '--to', /before --from/],
		[['--date', '2024-01-01', '--from', '2024-01-01', '--to', '2024-01-01'], '--date', /stands alone/],
		[['--if-due', '--date', '2024-01-01'], '--if-due', /finds the day itself/],
		[['--all'], 'run', /--all/],
		[['2024-01-01'], 'run', /2024-01-01/],
	]
	for (const [args, field, why] of wrong)
		it(`refuses ${args.join(' ')}`, async () => {
			const done = await shop.run(...args)
			assert.equal(done.code, 1)
			const told = refusal(done)
			assert.equal(told.field, field)
			assert.match(told.error, why)
		})

	it('computes no day before 2000, which no order can be of', async () => {
		const done = await shop.run('--from', '1999-12-31', '--to', '2000-01-02')
		assert.equal(done.code, 1)
		assert.equal(refusal(done).field, '--from')
		assert.match(refusal(done).error, /1999-12-31 is before 2000-01-01/)
		await shop.expectRun(0, '--dry-run', '--from', '2000-01-01', '--to', '2000-01-02')
		await shop.expectRun(0, '--dry-run', '--from', '2000-01-02', '--to', '2000-01-02')
	})

	it('refuses a day that is not over', async () => {
		for (const args of [['--date', daysAgo(0)], ['--from', daysAgo(1), '--to', daysAgo(0)], ['--date', daysAgo(-400)]]) {
			const done = await shop.run(...args)
			assert.equal(done.code, 1)
			assert.match(refusal(done).error, /not over yet; the last closed day is/)
			assert.ok(refusal(done).error.includes(daysAgo(1)), refusal(done).error)
		}
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache'), 0)
	})

	it('knows its jobs', async () => {
		const help = await batch(['--help'])
		assert.equal(help.code, 0)
		for (const job of ['run', 'migrate', 'doctor', 'config', 'demo']) assert.match(help.stdout, new RegExp(`^  ${job}`, 'm'))
		assert.match((await batch(['--version'])).stdout, /^takings-batch \d+\.\d+\.\d+$/m)
		const unknown = await batch(['cook'])
		assert.equal(unknown.code, 1)
		assert.match(unknown.stderr, /no job 'cook'/)
	})

	it('tells of each job what it takes', async () => {
		for (const job of ['run', 'migrate', 'doctor', 'config', 'demo', 'failpoints'])
			for (const args of [[job, '--help'], [job, '-h'], [job, '--nothing', '--help']]) {
				const help = await batch(args, { BUSINESS_DAY_CUTOFF: 'nonsense' }) // before any setting is read
				assert.equal(help.code, 0, help.stderr)
				assert.match(help.stdout, new RegExp(`^usage: takings-batch \\[--env-file FILE\\] ${job}`))
			}
	})

	const odd = [['config', '--typo'], ['config', '--markdown', 'more'], ['config', ''], ['doctor', 'order_db'], ['migrate', 'sideways'], ['migrate', 'up', 'down'], ['failpoints', 'x']]
	for (const args of odd)
		it(`refuses ${args.join(' ')}, without doing anything`, async () => {
			const done = await batch(args)
			assert.equal(done.code, 2)
			assert.equal(done.stdout, '')
			assert.ok(done.stderr.startsWith(`takings-batch ${args[0]}: there is no argument '${args.at(-1)}' here\n`), done.stderr)
		})
})

describe('run: exit codes', () => {
	it('is 0 when days were written, 2 when there was nothing to do', async () => {
		const shop = await openSmallShop(5)
		const first = await shop.expectRun(0)
		assert.match(first.stdout, /^5 day\(s\) written/m)
		assert.ok(first.events.some((e) => e.event === 'run_done' && e.days_written === 5 && e.orders_read === 40))
		assert.equal((await shop.lastRun()).status, 'ok')
		const second = await shop.expectRun(2)
		assert.match(second.stdout, /nothing to do/)
		assert.equal((await shop.lastRun()).status, 'nothing')
		assert.deepEqual(await shop.cache.query('SELECT DISTINCT run_id FROM daily_revenue_cache'), [{ run_id: 1 }])
	})

	it('is 0 for days that were asked for, written or not', async () => {
		const shop = await openSmallShop(5)
		await shop.expectRun(0, '--date', daysAgo(2))
		assert.deepEqual(Object.keys(await shop.runOfDays()), [daysAgo(2)])
		const again = await shop.expectRun(0, '--date', daysAgo(2))
		assert.match(again.stdout, /^0 day\(s\) written, 1 unchanged/m)
	})

	it('is 1 when order_db is away, which is written down', async () => {
		const shop = await openSmallShop(2)
		const done = await shop.batch(['run'], { DATABASE_URL: shop.orders.server.url('no_such_db') })
		assert.equal(done.code, 1)
		assert.match(refusal(done).error, /no_such_db/)
		const { status, error } = await shop.lastRun()
		assert.equal(status, 'failed')
		assert.match(error, /no_such_db/)
		assert.deepEqual(await shop.cache.query('SELECT component, status FROM heartbeat ORDER BY 1'),
			[{ component: 'batch', status: 'degraded' }, { component: 'order_db', status: 'down' }])
		await shop.expectRun(0)
		assert.deepEqual(await shop.cache.query('SELECT component, status FROM heartbeat ORDER BY 1'),
			[{ component: 'batch', status: 'ok' }, { component: 'forecast', status: 'ok' }, { component: 'order_db', status: 'ok' }])
	})

	it('is 1 when analytics_db is away', async () => {
		const shop = await openSmallShop(2)
		const done = await shop.batch(['run'], { ANALYTICS_DATABASE_URL: shop.orders.server.url('no_such_db') })
		assert.equal(done.code, 1)
		assert.match(refusal(done).error, /no_such_db/)
	})

	it('is 1 and names what order_db lacks', async () => {
		const shop = await openSmallShop(2)
		await shop.orders.exec('ALTER TABLE orders RENAME total_amount TO total; ALTER TABLE order_items ALTER quantity TYPE text')
		const done = await shop.run()
		assert.equal(done.code, 1)
		assert.match(refusal(done).error, /orders\.total_amount is missing/)
		assert.match(refusal(done).error, /order_items\.quantity has type text/)
		await shop.orders.exec('DROP TABLE order_items')
		assert.match(refusal(await shop.run()).error, /order_items\.order_id is missing/)
	})

	for (const [name, value] of [['BUSINESS_TIMEZONE', 'Mars/Olympus'], ['BUSINESS_TIMEZONE', '+02:00'], ['BUSINESS_TIMEZONE', 'CET'], ['BUSINESS_TIMEZONE', 'EST'],
		['BUSINESS_TIMEZONE', 'europe/berlin'], ['ORDER_DB_TIMEZONE', 'CEST-2'],
		['DEFAULT_CURRENCY', 'Euro']])
		it(`is 1 for ${name}=${value}`, async () => {
			const shop = await openSmallShop(2)
			const done = await shop.batch(['run'], { [name]: value })
			assert.equal(done.code, 1)
			assert.equal(refusal(done).field, name)
			assert.ok(refusal(done).error.includes(value))
			assert.equal(await shop.cache.value('SELECT count(*)::int FROM rules'), 0)
		})

	for (const zone of ['UTC', 'GMT', 'Etc/UTC', 'Europe/Berlin', 'Asia/Kathmandu'])
		it(`takes the zone ${zone}`, async () => {
			const shop = await openSmallShop(2)
			assert.equal((await shop.batch(['run'], { BUSINESS_TIMEZONE: zone })).code, 0)
		})

	it('computes zeros where there are no orders at all', async () => {
		const shop = await Shop.open({ BUSINESS_TIMEZONE: noonZone() })
		await shop.orders.exec(orderTables('postgresql'))
		await shop.expectRun(0)
		const { aov, ...day } = await shop.day(daysAgo(1), 'location_id, currency, revenue_minor, order_count, served_count, orders_by_status, first_order_at, aov::text AS aov')
		assert.deepEqual(day, { location_id: 0, currency: 'EUR', revenue_minor: 0, order_count: 0, served_count: 0, orders_by_status: {}, first_order_at: null })
		assert.equal(aov, '0.00')
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM hourly_order_cache'), 24)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM series'), 0)
		await shop.expectRun(2)
	})
})

describe('run --dry-run', () => {
	it('writes nothing and prints what would change', async () => {
		const shop = await openSmallShop(5)
		await shop.expectRun(0)
		await shop.orders.exec(`UPDATE orders SET total_amount = 99.75 WHERE id = 301; UPDATE orders SET status = 'CANCELLED' WHERE id = 102`)
		const before = await everything(shop.cache)
		const dry = await shop.expectRun(0, '--dry-run')
		assert.equal(await everything(shop.cache), before)
		const lines = dry.stdout.split('\n').filter((l) => /^\d{4}-/.test(l))
		assert.equal(lines.length, 2, dry.stdout)
		assert.match(lines[0], new RegExp(`^${daysAgo(4)} +location 0 +look-back +revenue 102\\.75 -> 90\\.50 EUR +counted 7 -> 6 +placed 8 -> 8`))
		assert.match(lines[1], new RegExp(`^${daysAgo(2)} .* revenue 106\\.25 -> 194\\.25 EUR`))
		await shop.expectRun(0)
		assert.equal(await shop.cache.value(`SELECT money(revenue_minor, 'EUR')::text FROM daily_revenue_cache WHERE business_date = '${daysAgo(2)}'`), '194.25')
		assert.match((await shop.expectRun(0, '--dry-run')).stdout, /5 unchanged/)
	})

	it('writes nothing before the first run, and for new rules', async () => {
		const shop = await openSmallShop(3)
		assert.match(refusal(await shop.expectRun(1, '--dry-run')).error, /no schema yet/)
		assert.equal(await shop.cache.value(`SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`), 0)
		await shop.batch(['migrate'])
		const empty = await everything(shop.cache)
		const dry = await shop.expectRun(0, '--dry-run')
		assert.match(dry.stdout, new RegExp(`^${daysAgo(1)} .*revenue - -> `, 'm'))
		assert.equal(await everything(shop.cache), empty)
		await shop.expectRun(0)
		const full = await everything(shop.cache)
		const rules = await shop.batch(['run', '--dry-run'], { BUSINESS_DAY_CUTOFF: '11' })
		assert.equal(rules.code, 0, rules.stderr)
		assert.match(rules.stdout, /^4 day\(s\) looked at, 0 unchanged, 0 kept/)
		assert.match(rules.stdout, new RegExp(`^${daysAgo(1)} .* counted 7 -> 4 `, 'm'))
		assert.equal(await everything(shop.cache), full)
	})
})

describe('run --if-due', () => {
	// It is noon: yesterday ended 12 to 13 hours ago.
	it('waits for BATCH_DELAY, then computes the day', async () => {
		const shop = await openSmallShop(4)
		await shop.expectRun(0, '--from', daysAgo(4), '--to', daysAgo(2))
		const early = await shop.batch(['run', '--if-due'], { BATCH_DELAY: '1000', DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
		assert.equal(early.code, 2, early.stderr)
		assert.match(early.stdout, new RegExp(`nothing to do: ${daysAgo(2)} is closed and computed`))
		const due = await shop.batch(['run', '--if-due'], { BATCH_DELAY: '600' })
		assert.equal(due.code, 0, due.stderr)
		assert.deepEqual(Object.keys(await shop.runOfDays()), [4, 3, 2, 1].map((n) => daysAgo(n)))
		await shop.expectRun(2, '--if-due')
		// Asking is not written down, 144 times a day; what was done is.
		assert.deepEqual(await shop.cache.query('SELECT mode, status FROM batch_run ORDER BY run_id'),
			[{ mode: `${daysAgo(4)} to ${daysAgo(2)}`, status: 'ok' }, { mode: 'due', status: 'ok' }])
	})

	it('catches up on days that were missed', async () => {
		const shop = await openSmallShop(9)
		await shop.expectRun(0, '--from', daysAgo(9), '--to', daysAgo(6))
		const late = await shop.expectRun(0, '--if-due')
		assert.match(late.stdout, /^5 day\(s\) written, 4 unchanged/m)
		const whole = await shop.fresh()
		await whole.expectRun(0)
		assert.equal(await shop.dump(), await whole.dump())
	})

	it('fills a hole in the middle', async () => {
		const shop = await openSmallShop(60)
		await shop.expectRun(0)
		const want = await shop.dump()
		for (const table of ['daily_revenue_cache', 'hourly_order_cache', 'item_sales_cache'])
			await shop.cache.exec(`DELETE FROM ${table} WHERE business_date = '${daysAgo(50)}'`)
		await shop.expectRun(0)
		assert.equal(await shop.dump(), want)
	})

	it('tries again after a failure', async () => {
		const shop = await openSmallShop(3)
		const down = await shop.batch(['run', '--if-due'], { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' })
		assert.equal(down.code, 1)
		await shop.expectRun(0, '--if-due')
	})

	it('begins at HISTORY_FROM where that is set', async () => {
		const shop = await openSmallShop(9)
		const done = await shop.batch(['run'], { HISTORY_FROM: daysAgo(3) })
		assert.equal(done.code, 0, done.stderr)
		assert.deepEqual(Object.keys(await shop.runOfDays()), [3, 2, 1].map((n) => daysAgo(n)))
	})
})

describe('several runs at once', () => {
	it('let one work and send the others away with 3', async () => {
		const shop = await openSmallShop(6)
		const whole = await shop.fresh()
		await whole.expectRun(0)
		const want = await whole.dump()
		for (const place of ['run_locked', 'stage_orders', 'day_hourly_deleted', 'days_done']) {
			const round = await shop.fresh()
			await round.batch(['migrate'])
			let child
			const first = round.batch(['run'], { TAKINGS_FAILPOINT: `${place}=pause` }, { started: (c) => { child = c } })
			let seen = ''
			child.stderr.on('data', (d) => { seen += d })
			await until(() => seen.includes('"failpoint"'), { what: place })
			const others = await Promise.all([1, 2, 3, 4].map(() => round.run()))
			for (const other of others) {
				assert.equal(other.code, 3, other.stderr)
				assert.ok(other.ms < 1000 * slow, `took ${other.ms} ms`)
				assert.ok(other.events.some((e) => e.event === 'run_locked'))
			}
			const recorded = place === 'run_locked' ? 0 : 1
			assert.equal(await round.cache.value('SELECT count(*)::int FROM batch_run'), recorded, 'only the one at work is recorded')
			child.kill('SIGKILL')
			await first
			const next = await until(async () => {
				const done = await round.run()
				return done.code === 3 ? null : done // the server notices the death a moment later
			}, { what: 'the lock' })
			assert.ok([0, 2].includes(next.code), next.stderr)
			assert.equal(await round.dump(), want)
		}
	})

	it('end with the right tables, whoever wins', async () => {
		const shop = await openSmallShop(6)
		const all = await Promise.all([1, 2, 3, 4, 5].map(() => shop.run()))
		const codes = all.map((r) => r.code).sort()
		assert.equal(codes.filter((c) => c === 0).length, 1, all.map((r) => r.code + r.stderr).join('\n'))
		assert.ok(codes.every((c) => [0, 2, 3].includes(c)), codes.join())
		const whole = await shop.fresh()
		await whole.expectRun(0)
		assert.equal(await shop.dump(), await whole.dump())
	})
})

describe('a run that is told to stop', () => {
	for (const signal of ['SIGTERM', 'SIGINT'])
		it(`ends soon on ${signal}, is recorded, and leaves whole days`, async () => {
			const shop = await openSmallShop(6)
			await shop.batch(['migrate'])
			const blocker = shop.cache.session()
			await blocker.ask('BEGIN; LOCK TABLE item_sales_cache IN ACCESS EXCLUSIVE MODE')
			let child
			const running = shop.batch(['run'], {}, { started: (c) => { child = c } })
			await until(async () => Number(await shop.cache.value(`SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)) > 0)
			// The record of the run can be written only a moment later: it must not be cancelled as well.
			const holder = shop.cache.session()
			await holder.ask('BEGIN; SELECT FROM batch_run FOR UPDATE')
			const told = Date.now()
			child.kill(signal)
			await sleep(400)
			await holder.close()
			const done = await running
			assert.ok(Date.now() - told < 3000 * slow)
			await blocker.close()
			assert.equal(done.code, 1)
			assert.equal((await shop.lastRun()).status, 'interrupted')
			assert.equal(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache'), 0)
			await shop.expectRun(0)
		})

	it('says nothing to a terminal that is not there', async () => {
		const shop = await openSmallShop(2)
		const done = await shop.expectRun(0)
		for (const line of done.stderr.trim().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line)
		assert.ok(!/\x1b/.test(done.stdout))
	})

	it('survives a closed pipe', async () => {
		const shop = await openSmallShop(2)
		const done = await run('bash', ['-c', '"$0" run | true; exit ${PIPESTATUS[0]}', program], { env: { ...process.env, ...shop.settings } })
		assert.notEqual(done.code, 141)
		assert.equal(await shop.cache.value('SELECT count(*)::int FROM daily_revenue_cache'), 2)
	})
})
