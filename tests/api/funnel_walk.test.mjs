// Random people through funnel.c (tests/api/funnel_cli.c) and through the oracle: no difference.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { figuresOf, groupsOf, waysOf } from '../lib/funnel_oracle.mjs'
import { binDir } from '../lib/process.mjs'

const PEOPLE = 10_000, EACH = 100 // people asked the same
const ORDERS = ['sequential', 'strict', 'any'], NAMES = ['d0', 'd1'], MINUTE = 60_000_000, DAY = 1440 * MINUTE

// Numbers that are the same each time.
function dice(seed) {
	let x = seed
	const next = () => {
		x = (x + 0x6d2b79f5) | 0
		let t = Math.imul(x ^ (x >>> 15), 1 | x)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
	return { upTo: (n) => Math.floor(next() * n), chance: (p) => next() < p, one: (list) => list[Math.floor(next() * list.length)] }
}

const say = (code) => code === 0 ? '(not set)' : code
const times = (n, of) => Array.from({ length: n }, (_, i) => of(i))

function someFunnel(d, order, unit) {
	const window = d.one([1_000_000, MINUTE, 10 * MINUTE, 3 * DAY, 3 * DAY]), from = 10 * DAY, to = from + d.one([1, MINUTE, 30 * MINUTE, 2 * DAY, 2 * DAY])
	const filters = () => Object.fromEntries(NAMES.filter(() => d.chance(0.15)).map((name) => [name, times(1 + d.upTo(4), () => say(d.upTo(4)))]))
	return {
		order, unit, window, from, to, asOf: d.one([to - 1, to, to + window, from + d.upTo(40) * MINUTE, to + 90 * DAY]), timeout: d.one([MINUTE, 20 * MINUTE]),
		breakdown: d.one([null, 'd0', 'd1']), steps: times(d.one([2, 2, 3, 4, 10]), () => ({ type: 1 + d.upTo(3), filters: filters() }))
	}
}

// Times lie on a grid that windows, ranges and sessions have their edges on, some a microsecond beside it.
function somePerson(d, f) {
	const step = d.one([1_000_000, MINUTE, 10 * MINUTE, DAY / 4]), begin = d.one([f.from, f.from, f.from - 3 * step, f.to - step, f.from - DAY])
	const at = times(d.one([1, 3, 8, 20, 60]), () => begin + d.upTo(40) * step + d.one([0, 0, 0, 1, -1])).sort((a, b) => a - b)
	const many = d.chance(0.5)
	return at.map((us) => {
		const said = d.chance(0.5)
		return { at: us, type: 1 + d.upTo(4), session: d.upTo(said ? 3 : 2), said, amount: d.chance(0.3) ? null : d.upTo(10_000),
			dims: { d0: say(d.upTo(4)), d1: say(d.chance(0.5) ? 0 : d.upTo(many ? 60 : 5)) } }
	})
}

const code = (value) => value === '(not set)' ? 0 : value
const encoded = (f, people) => JSON.stringify({
	order: ORDERS.indexOf(f.order), sessions: f.unit === 'session', window: f.window, from: f.from, to: f.to, as_of: f.asOf, timeout_s: f.timeout / 1e6,
	breakdown: NAMES.indexOf(f.breakdown),
	steps: f.steps.map((s) => ({ type: s.type, filters: Object.entries(s.filters).map(([name, values]) => [NAMES.indexOf(name), values.map(code)]) })),
	people: people.map((events) => events.map((e) => [e.at, e.type, e.session, e.said, e.amount ?? -1, code(e.dims.d0), code(e.dims.d1)]))
})

const milli = (seconds) => seconds === null ? -1 : Math.round(seconds * 1000), permille = (rate) => rate === null ? -1 : Math.round(rate * 10)
const listed = (steps) => steps.map((s) => [s.users, permille(s.rate), permille(s.from_previous), milli(s.median_seconds), milli(s.p90_seconds), s.open,
	permille(s.rate_closed), s.value, s.unpriced])

function walked(lines) {
	const r = spawnSync(path.join(binDir, 'obj/tests/api/funnel_cli'), { input: lines.join('\n'), maxBuffer: 1 << 30 })
	assert.equal(r.status, 0, String(r.stderr))
	return String(r.stdout).trim().split('\n').map((line) => JSON.parse(line))
}

function expected(f, people) {
	const ways = people.map((events) => waysOf(f, events)), all = ways.flat()
	const values = times(100, say)
	return {
		ways: ways.map((list, i) => list.map((w) => ({ open: w.open, pending: w.pending, group: f.breakdown ? code(w.group) : 0, events: w.served.map((e) => people[i].indexOf(e)) }))),
		all: listed(figuresOf(f, all)),
		groups: f.breakdown ? groupsOf(f, all, values).map((g) => [g.value === '(other groups)' ? -1 : code(g.value), listed(g.steps)]) : []
	}
}

describe('ways through a funnel', () => {
	for (const order of ORDERS)
		for (const unit of ['user', 'session'])
			it(`${PEOPLE} people, ${order}, by ${unit}`, () => {
				const d = dice(ORDERS.indexOf(order) * 2 + (unit === 'user')), cases = []
				for (let i = 0; i < PEOPLE / EACH; i++) {
					const f = someFunnel(d, order, unit)
					cases.push({ f, people: times(EACH, () => somePerson(d, f)) })
				}
				const got = walked(cases.map((c) => encoded(c.f, c.people)))
				let reached = 0, open = 0, others = 0
				cases.forEach(({ f, people }, i) => {
					const want = expected(f, people)
					assert.deepEqual(got[i], want, JSON.stringify(f))
					reached += want.all[1][0]
					open += want.all.at(-1)[5]
					others += want.groups.length > 20
				})
				assert.ok(reached > PEOPLE / 20 && open > PEOPLE / 50 && others, `the dice tell something: ${reached} reached step 2, ${open} open, ${others} with other groups`)
			})

	it('a person with 20,000 events is walked at once, whatever the order', () => {
		const events = times(20_000, (i) => ({ at: 10 * DAY + i, type: 1 + (i % 2), session: 0, said: true, amount: null, dims: { d0: '(not set)', d1: '(not set)' } }))
		for (const order of ORDERS) {
			const steps = [1, 2, 1, 2, 1, 2, 1, 2, 1, 9].map((type) => ({ type, filters: {} }))
			const f = { order, unit: 'session', window: 90 * DAY, from: 10 * DAY, to: 11 * DAY, asOf: 200 * DAY, timeout: MINUTE, breakdown: null, steps }
			const begun = performance.now()
			const [{ ways }] = walked([encoded(f, [events])])
			assert.equal(ways[0][0].events.length, 9)
			assert.ok(performance.now() - begun < 2000, `${order}: ${performance.now() - begun} ms`)
		}
	})
})
