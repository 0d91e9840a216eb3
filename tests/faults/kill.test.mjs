// The batch is killed anywhere; whoever reads meanwhile sees whole days only, and the next run leaves
// the tables as if nothing had happened.
//
// FAULTS=long: each failpoint at passes 1, 2 and a random one in every scenario, and 100 random kills.
// SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { Shop, batch, noonZone, program } from '../lib/shop.mjs'
import { must, sleep } from '../lib/process.mjs'
import { postgres } from '../lib/servers.mjs'

const long = process.env.FAULTS === 'long'
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const ZONE = noonZone()

function generator(state) { // mulberry32
	return () => {
		state = (state + 0x6d2b79f5) | 0
		let t = Math.imul(state ^ (state >>> 15), 1 | state)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
}

// Everything of each day, in one statement: what a reader could see of it.
const DAYS = `
	SELECT business_date::text AS day, md5(string_agg(t, E'\\n' ORDER BY t COLLATE "C")) AS hash FROM (
		SELECT business_date, 'day ' || (to_jsonb(d) - '{run_id,computed_at,rules_id}'::text[])::text AS t FROM daily_revenue_cache d
		UNION ALL SELECT business_date, 'hour ' || (to_jsonb(h) - '{run_id,computed_at}'::text[])::text FROM hourly_order_cache h
		UNION ALL SELECT business_date, 'item ' || (to_jsonb(i) - '{run_id,computed_at}'::text[])::text FROM item_sales_cache i
	) x GROUP BY 1`
// Days of which the parts do not fit together.
const TORN = `
	SELECT coalesce(d.business_date, h.business_date, i.business_date) FROM daily_revenue_cache d
	FULL JOIN (SELECT location_id, currency, business_date, count(*) AS n, sum(served_count) AS served, sum(order_count) AS placed,
	                  sum(revenue_minor) AS revenue FROM hourly_order_cache GROUP BY 1, 2, 3) h USING (location_id, currency, business_date)
	FULL JOIN (SELECT location_id, currency, business_date, sum(quantity) AS qty, sum(revenue_minor) AS minor
	           FROM item_sales_cache GROUP BY 1, 2, 3) i USING (location_id, currency, business_date)
	WHERE (n, served, placed, h.revenue) IS DISTINCT FROM (24, d.served_count, d.order_count, d.revenue_minor)
	   OR (coalesce(qty, 0), coalesce(minor, 0)) IS DISTINCT FROM (d.item_qty, d.item_minor)`

async function daysOf(db) {
	const { days } = await db.one(`SELECT coalesce(json_object_agg(day, hash), '{}') AS days FROM (${DAYS}) q`)
	return days
}

// Late edits of every kind, all over the days.
const EDITS = `
	UPDATE orders SET status = 'CANCELLED', cancelled_at = now(), updated_at = now() WHERE id % 17 = 3;
	UPDATE orders SET total_amount = total_amount + 1, updated_at = now() WHERE id % 23 = 5;
	DELETE FROM order_refunds WHERE order_id IN (SELECT id FROM orders WHERE id % 41 = 7);
	DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE id % 41 = 7);
	DELETE FROM orders WHERE id % 41 = 7;
	INSERT INTO orders (id, status, total_amount, created_at, updated_at, location_id, currency)
	SELECT -id, 'SERVED', 12.50, created_at, now(), 9, 'EUR' FROM orders WHERE id % 97 = 1;`

describe(`a killed batch (SEED=${seed})`, () => {
	const random = generator(seed)
	let server, orders, settings, names
	const scenarios = {} // name -> { template, settings, days, old, want, ms }

	const shopFrom = async (scenario) =>
		new Shop(orders, await server.create(scenario.template), { ...settings, ...scenario.settings })

	const wholeState = async (shop) => {
		const restated = await shop.cache.text(`
			SELECT location_id, business_date, currency, revenue_was_minor, revenue_now_minor, orders_was, orders_now, served_was, served_now
			FROM restatement ORDER BY 1, 2, 3, 4, 5`)
		return await shop.dump(['rules_id']) + restated
	}

	const measure = async (name, scenario) => {
		const shop = await shopFrom(scenario)
		scenario.old = scenario.template ? await daysOf(shop.cache) : {}
		const done = await shop.expectRun(0)
		Object.assign(scenario, { ms: done.ms, want: await wholeState(shop), days: await daysOf(shop.cache) })
		assert.deepEqual(await shop.cache.query(TORN), [])
		scenarios[name] = scenario
		return shop
	}

	before(async () => {
		server = await postgres()
		orders = await server.create()
		settings = { BUSINESS_TIMEZONE: ZONE, BUSINESS_DAY_CUTOFF: '4', BATCH_LOOKBACK_DAYS: '60' }
		const demo = await batch(['demo', '--seed', '7', '--days', '25'],
			{ ...settings, DEMO_DATABASE_URL: orders.url(), ANALYTICS_DATABASE_URL: orders.url() })
		assert.equal(demo.code, 0, demo.stderr)
		names = (await must(program, ['failpoints'])).trim().split('\n').filter((name) => !/^(web|stream)_/.test(name))

		await measure('from nothing', { settings: {} })
		const first = await shopFrom({})
		await first.expectRun(0)
		await orders.exec(EDITS)
		await measure('late edits', { template: first.cache.name, settings: {} })
		const second = await shopFrom({})
		await second.expectRun(0)
		await measure('new rules', { template: second.cache.name, settings: { BUSINESS_DAY_CUTOFF: '6' } })
		// The edits changed the orders since 'from nothing' was measured.
		await measure('from nothing', { settings: {} })
		assert.notDeepEqual(scenarios['late edits'].old, scenarios['late edits'].days)
		assert.notDeepEqual(scenarios['new rules'].old, scenarios['new rules'].days)
	})

	// Looks at all days in one statement, again and again, until told to stop.
	function reader(shop, name, scenario) {
		const seen = { looks: 0, wrong: [] }
		let stop = false
		const look = async (session) => {
			const rows = await session.rows(`SELECT (SELECT json_object_agg(day, hash) FROM (${DAYS}) d) AS days, (SELECT count(*) FROM (${TORN}) t) AS torn`)
			const days = rows[0].days ?? {}
			seen.looks++
			if (rows[0].torn) seen.wrong.push('torn')
			if (name === 'new rules') {
				const is = (which) => JSON.stringify(Object.entries(days).sort()) === JSON.stringify(Object.entries(which).sort())
				if (!is(scenario.old) && !is(scenario.days)) seen.wrong.push('mixed rules')
				return
			}
			for (const [day, hash] of Object.entries(days))
				if (hash !== scenario.old[day] && hash !== scenario.days[day] && !seen.wrong.includes(day)) seen.wrong.push(day)
			for (const day of Object.keys(scenario.old)) if (!days[day]) seen.wrong.push(`${day} vanished`)
		}
		const done = (async () => {
			const session = shop.cache.session()
			while (!stop) {
				// Until the first migration there is nothing to look at.
				await look(session).catch((e) => { if (!/does not exist/.test(e.message)) throw e })
				await sleep(2)
			}
			await session.close()
			return seen
		})()
		return { finish: () => { stop = true; return done } }
	}

	// Kills one run as told, runs again undisturbed, compares. True if the kill came before the end.
	async function round(name, kill) {
		const scenario = scenarios[name]
		const shop = await shopFrom(scenario)
		const watch = reader(shop, name, scenario)
		const killed = await kill(shop)
		const again = await shop.run()
		const seen = await watch.finish()
		assert.ok([0, 2].includes(again.code), `the run after it: exit ${again.code}\n${again.stderr}`)
		assert.deepEqual(seen.wrong, [], 'what a reader saw')
		assert.ok(seen.looks > 0)
		assert.equal(await wholeState(shop), scenario.want)
		assert.deepEqual(await daysOf(shop.cache), scenario.days)
		if (killed) {
			const open = await shop.cache.query(`SELECT status FROM batch_run WHERE status = 'running'`)
			assert.deepEqual(open, [], 'the killed run is still recorded as running')
		}
		await shop.cache.drop()
		return killed
	}

	const atFailpoint = (failpoint, pass) => async (shop) => {
		const done = await shop.batch(['run'], { TAKINGS_FAILPOINT: `${failpoint}=kill@${pass}` })
		return done.signal === 'SIGKILL'
	}
	const after = (ms) => async (shop) => {
		let timer
		const done = await shop.batch(['run'], {}, { started: (child) => { timer = setTimeout(() => child.kill('SIGKILL'), ms) } })
		clearTimeout(timer)
		return done.signal === 'SIGKILL'
	}

	// Where each failpoint is passed in the first place.
	const homeOf = (name) => (/^migration/.test(name) ? 'from nothing' : name === 'calendar_replaced' ? 'new rules' : 'late edits')

	it('recovers from a kill at every failpoint', async (t) => {
		assert.ok(names.length >= 20, names.join())
		for (const name of names) {
			const passes = long ? [1, 2, 3 + Math.floor(random() * 22)] : [1]
			for (const scenario of long ? Object.keys(scenarios) : [homeOf(name)])
				for (const pass of passes)
					await t.test(`${name}@${pass}, ${scenario}`, async () => {
						const killed = await round(scenario, atFailpoint(name, pass))
						if (scenario === homeOf(name) && pass === 1) assert.ok(killed, 'this failpoint was never passed')
					})
		}
	})

	it('recovers from a kill in the midst of the days', async (t) => {
		for (const name of ['day_daily_deleted', 'day_hourly_written', 'day_items_written', 'day_committed'])
			await t.test(`${name}@9`, async () => { assert.ok(await round('late edits', atFailpoint(name, 9))) })
	})

	it('recovers from kills at any time', async (t) => {
		const all = Object.keys(scenarios)
		for (let i = 0; i < (long ? 100 : 15); i++) {
			const scenario = all[Math.floor(random() * all.length)]
			const ms = random() * scenarios[scenario].ms
			await t.test(`after ${ms.toFixed(0)} ms, ${scenario}`, () => round(scenario, after(ms)))
		}
	})

	it('recovers from a kill of the run that recovers', async () => {
		for (const name of ['late edits', 'new rules', 'from nothing'])
			await round(name, async (shop) => {
				for (let i = 0; i < 4; i++) await after(random() * scenarios[name].ms)(shop)
				return false
			})
	})
})
