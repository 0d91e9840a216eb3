// The probability of a purchase: cells, counts, smoothing and its quality against an oracle, on random people.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { it } from 'node:test'
import { addCounts, cellAt, countsOf, probability, quality } from '../lib/conversion_oracle.mjs'

const cases = path.join(process.env.BIN_DIR ?? 'build', 'obj/tests/api/conversion_cases')

let seed = 20261122
const random = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return Math.floor(seed / 4294967296 * n) }

// Some do much, most little; many on the edges of the days.
function person() {
	const [from, days] = [20000 + random(40), 1 + random(90)]
	const list = Array.from({ length: random(3) ? random(8) : random(60) }, () => ({ day: from - 45 + random(days + 60), kind: [0, 0, 1, 1, 2, 3, 4][random(7)] }))
	if (!random(3)) for (const edge of [from - 30, from - 29, from, from + 7, from + 8]) if (!random(3)) list.push({ day: edge, kind: random(5) })
	return { from, to: from + days - 1, events: list.sort((a, b) => a.day - b.day) }
}

const near = (a, b, what) => assert.ok(Math.abs(a - b) < 1e-9, `${what}: ${a}, ${b}`)

it('is what the definition says, for 2,000 people', () => {
	const people = Array.from({ length: 2000 }, person)
	const input = people.map((p) => `${p.from} ${p.to} ${p.events.map((e) => `${e.day} ${e.kind}`).join(' ')}`).join('\n') + '\n'
	const run = spawnSync(cases, { input, encoding: 'utf8', maxBuffer: 1 << 28 })
	assert.equal(run.status, 0, run.stderr)
	const lines = run.stdout.trim().split('\n')
	const all = {}
	let at = 0
	for (const p of people) {
		const want = countsOf(p.events, p.from, p.to)
		assert.equal(lines[at++], `person ${Object.keys(want).length ? 1 : 0}`)
		const got = {}
		while (!lines[at].startsWith('cell')) {
			const [s, r, b, n, c] = lines[at++].split(' ')
			got[`${s} ${r} ${b}`] = [Number(n), Number(c)]
		}
		assert.deepEqual(got, want, JSON.stringify(p))
		assert.equal(lines[at++], `cell ${cellAt(p.events, p.to) ?? 'none'}`, JSON.stringify(p))
		addCounts(all, want)
	}
	const [n, c] = Object.values(all).reduce(([a, b], [m, d]) => [a + m, b + d], [0, 0])
	assert.ok(n > 20_000 && c > 1000 && Object.keys(all).length === 48, 'every cell has somebody')
	near(Number(lines[at++].split(' ')[1]), c / n, 'all')
	for (let i = 0; i < 48; i++) {
		const [, s, r, b, p] = lines[at++].split(' ')
		near(Number(p), probability(all, `${s} ${r} ${b}`), `${s} ${r} ${b}`)
	}
	const want = quality(all, all)
	const got = lines[at++].split(' ').slice(1).map(Number)
	assert.deepEqual(got.slice(0, 2), [want.n, want.converted])
	for (const [i, key] of ['brier', 'brier_base', 'base_rate'].entries()) near(got[i + 2], want[key], key)
	const deciles = lines.slice(at).map((line) => line.split(' ').slice(1).map(Number))
	assert.deepEqual(deciles.map((d) => d.slice(0, 3)), want.deciles.map((d) => [d.decile, d.n, d.converted]))
	deciles.forEach((d, i) => near(d[3], want.deciles[i].said, 'said'))
})
