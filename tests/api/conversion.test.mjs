// The probability of a purchase from end to end: visits to the demo, a night, and the table against an oracle that reads
// the events.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { addUser, startWeb, tokenOf } from '../lib/access.mjs'
import { activityApplied } from '../lib/activity.mjs'
import { addCounts, cellAt, countsOf, probability, quality } from '../lib/conversion_oracle.mjs'
import { until } from '../lib/process.mjs'
import { Shop } from '../lib/shop.mjs'
import { Stream } from '../lib/stream.mjs'

const KINDS = { product_view: 1, add_to_cart: 2, checkout_start: 3, purchase: 4 }
const ZONE = "'Europe/Berlin', 4"
const near = (a, b, what, by = 1e-6) => assert.ok(Math.abs(a - b) <= by, `${what}: ${a}, ${b}`)

let shop, stream, web, token
before(async () => {
	shop = await Shop.open({ BUSINESS_TIMEZONE: 'Europe/Berlin', BUSINESS_DAY_CUTOFF: '4', JWT_SECRET: 'kP3vX9sQ7mZ1tR5wY8uB2nC6dF4gH0jL', AUTH_MODE: 'required' })
	shop.settings.DEMO_DATABASE_URL = shop.orders.url()
	await shop.batch(['migrate'])
	await shop.batch(['demo', '--days', '3'])
	stream = await Stream.start(shop.cache, shop.settings)
	await addUser(shop.settings, 'alan', 'analyst')
	web = await startWeb(shop.settings)
	token = JSON.parse((await tokenOf(web, 'alan')).text).access_token
})
after(async () => {
	await web?.stop()
	await stream?.kill()
})

const get = async (target) => JSON.parse((await web.get(target, { params: { HTTP_AUTHORIZATION: `Bearer ${token}` } })).text)
const night = async () => { const done = await shop.batch(['run']); assert.ok([0, 2].includes(done.code), done.stderr); return done }

it('says that there is nothing to learn from', async () => {
	await night()
	const q = await get('/conversion/quality')
	assert.equal(q.model_date, null)
	assert.match(q.reason, /no table was made yet/)
	assert.deepEqual(q.cells, [])
})

describe('after 90 days of visits', () => {
	const people = new Map()
	let last, first, from, to, all, later, model
	before(async () => {
		await shop.batch(['demo', '--activity'])
		await activityApplied(shop.cache, until, 120_000).catch((error) => { throw new Error(`${error.message}: ${stream.log.slice(-1500)}`) })
		await until(async () => await shop.cache.value("SELECT sequenced_from = '-infinity' FROM activity_site"), { what: 'sequences', limit: 60_000 })
		await night()
		last = await shop.cache.value(`SELECT business_date(now(), ${ZONE}) - 1 - '1970-01-01'::date`)
		for (const e of await shop.cache.query(`SELECT coalesce(v.person_id, a.person_id, s.person_id)::text AS who, booking_date(e.occurred_at, ${ZONE}) - '1970-01-01'::date AS day, e.event_type AS type
				FROM activity_event e
				LEFT JOIN activity_visitor v ON v.kind = 'user' AND v.id = e.user_id
				LEFT JOIN activity_visitor a ON a.kind = 'anonymous' AND a.id = e.anonymous_id
				LEFT JOIN activity_visitor s ON s.kind = 'session' AND s.id = e.session_id
				WHERE e.flags & 112 = 0 ORDER BY e.occurred_at, e.seq`)) {
			if (e.day > last) continue
			first = Math.min(first ?? e.day, e.day)
			if (!people.has(e.who)) people.set(e.who, [])
			people.get(e.who).push({ day: e.day, kind: KINDS[e.type] ?? 0 })
		}
		to = last - 7
		from = Math.max(first + 29, to - 89)
		later = to - Math.floor((to - from + 1) / 3) + 1
		all = {}
		for (const events of people.values()) addCounts(all, countsOf(events, from, to))
		model = await get('/conversion/quality')
	})
	const day = (n) => new Date(n * 86_400_000).toISOString().slice(0, 10)

	it('has the days and the people', () => {
		assert.equal(model.reason, null)
		assert.equal(model.model_date, day(last))
		assert.equal(model.from_day, day(from))
		assert.equal(model.to_day, day(to))
		assert.equal(model.days, to - from + 1)
		assert.ok(model.days > 40)
		assert.equal(model.people, [...people.values()].filter((e) => Object.keys(countsOf(e, from, to)).length).length)
	})

	it('has the counts and probabilities of the oracle, cell by cell', () => {
		assert.equal(model.cells.length, 48)
		const RECENCY = ['0', '1', '2-3', '4-7', '8-14', '15-29']
		for (const c of model.cells) {
			const cell = `${c.step} ${RECENCY.indexOf(c.recency)} ${Number(c.buyer)}`
			assert.deepEqual([c.n, c.converted], all[cell] ?? [0, 0], cell)
			near(c.p, probability(all, cell), cell, 0.0000501)
		}
	})

	it('did better than the base rate on the later days', () => {
		const [a, b] = [{}, {}]
		for (const events of people.values()) {
			addCounts(a, countsOf(events, from, later - 1))
			addCounts(b, countsOf(events, later, to))
		}
		const want = quality(a, b)
		assert.equal(model.judged_from, day(later))
		assert.deepEqual([model.judged_n, model.judged_converted], [want.n, want.converted])
		for (const key of ['brier', 'brier_base', 'base_rate']) near(model[key], want[key], key)
		assert.deepEqual(model.deciles.map((d) => [d.decile, d.n, d.converted]), want.deciles.map((d) => [d.decile, d.n, d.converted]))
		model.deciles.forEach((d, i) => near(d.said, want.deciles[i].said, 'said', 0.0000501))
		if (process.env.LOUD) console.log(`Brier ${model.brier}, base rate ${model.brier_base}; ${JSON.stringify(model.deciles)}`)
		assert.ok(model.brier < model.brier_base)
		near(model.skill, 1 - model.brier / model.brier_base, 'skill', 0.0001)
	})

	it('is the same when it is made again, and is made once a day', async () => {
		const before = await shop.cache.text('SELECT * FROM conversion_cell ORDER BY step, recency, buyer')
		const made = await shop.cache.value('SELECT made_at::text FROM conversion_model')
		await night()
		assert.equal(await shop.cache.value('SELECT made_at::text FROM conversion_model'), made)
		await shop.cache.exec('DELETE FROM conversion_model')
		await night()
		assert.deepEqual(await shop.cache.text('SELECT * FROM conversion_cell ORDER BY step, recency, buyer'), before)
		assert.notEqual(await shop.cache.value('SELECT made_at::text FROM conversion_model'), made)
	})

	it('tells of a person by the cell the night would have', async () => {
		const some = await shop.cache.query(`SELECT v.person_id::text AS who, v.id, v.kind FROM activity_visitor v WHERE v.visitor_id = v.person_id AND v.first_at IS NOT NULL AND v.id IS NOT NULL
			AND v.kind <> 'session' ORDER BY md5(v.id) LIMIT 60`)
		const end = await shop.cache.value(`SELECT (business_day_start(${ZONE}, (business_date(now(), ${ZONE}))) - interval '1 microsecond')::text`)
		// as of the end of the last closed day with the table of the day before, which the night did not make: it is put there
		await shop.cache.exec(`INSERT INTO conversion_model (model_date, from_day, to_day, days, people, n, converted) SELECT model_date - 1, from_day, to_day, days, people, n, converted FROM conversion_model;
			INSERT INTO conversion_cell SELECT model_date - 1, step, recency, buyer, n, converted, p FROM conversion_cell`)
		const RECENCY = ['0', '1', '2-3', '4-7', '8-14', '15-29']
		let cells = 0
		for (const { who, id, kind } of some) {
			const j = await get(`/user/${encodeURIComponent(id)}/journey?kind=${kind}&limit=1&as_of=${encodeURIComponent(end.replace(' ', 'T'))}`)
			const cell = cellAt(people.get(who) ?? [], last)
			if (!cell) {
				assert.equal(j.conversion, null)
				assert.match(j.conversion_reason, /nothing was seen/)
				continue
			}
			cells++
			assert.equal(`${j.conversion.cell.step} ${RECENCY.indexOf(j.conversion.cell.recency)} ${Number(j.conversion.cell.buyer)}`, cell, id)
			near(j.conversion.p, probability(all, cell), id, 0.0000501)
			assert.equal(j.conversion.n, all[cell]?.[0] ?? 0)
			assert.equal(j.conversion.model_date, day(last - 1))
			assert.equal(j.conversion.reasons.length, 4)
		}
		assert.ok(cells > 10)
		const [{ id }] = some
		const early = await get(`/user/${encodeURIComponent(id)}/journey?as_of=${day(last - 3)}T12:00:00Z`)
		assert.equal(early.conversion, null)
	})

	it('says what there is too little of', async () => {
		await shop.cache.exec("DELETE FROM conversion_model; DELETE FROM activity_sequence WHERE business_date < current_date - 30")
		await night()
		const q = await get('/conversion/quality')
		assert.match(q.reason, /^there are events of (29|30) business days, and it takes 37$/)
		assert.deepEqual([q.cells, q.deciles, q.days], [[], [], 0])
	})
})
