// Random sessions, counted by lib/behaviour/paths.c and by plain JavaScript; FAULTS=long for more of them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { Chance } from '../lib/activity_questions.mjs'
import { pathsOf, sessionsOf } from '../lib/paths_oracle.mjs'
import { binDir } from '../lib/process.mjs'

const SESSIONS = process.env.FAULTS === 'long' ? 10_000 : 2_000 // of each mode
const SEED = Number(process.env.SEED ?? 20261122)
const PAGE_VIEW = 3, OTHER = 65535, TYPE = 65536, ANY = 131072, NODES = 10
const MINUTE = 60_000_000, FROM = 1_790_000_000_000_000, TO = FROM + 3 * 1440 * MINUTE

const MODES = ['event', 'type', 'page'].flatMap((by) => [true, false].flatMap((collapse) => ['', 'start', 'end'].map((edge) => ({ by, collapse, edge }))))

// What somebody did: sessions side by side, said and not, over the edges of the range, events at the same instant, gaps to the microsecond.
function makePerson(chance, person, timeout) {
	const events = []
	let at = FROM - 200 * MINUTE + chance.below(4800) * MINUTE
	for (let n = chance.below(30); n >= 0; n--) {
		at += chance.one([0, 0, 1, MINUTE, timeout - 1, timeout, timeout + 1, chance.below(50) * MINUTE, chance.below(400) * MINUTE])
		const type = chance.below(2) ? PAGE_VIEW : chance.one([1, 2, 4, 5, 6, 7, OTHER])
		events.push({ person, at, seq: events.length, type, page: type === PAGE_VIEW || chance.below(4) === 0 ? chance.one([0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, OTHER]) : 0,
			session: chance.below(3), said: chance.below(3) === 0 })
	}
	return events
}

function makeCase(chance, mode) {
	const timeout = chance.one([60, 1800, 3600]) * 1_000_000
	const events = []
	for (let p = chance.below(60); p >= 0; p--) events.push(...makePerson(chance, p, timeout))
	const type = (e) => e.type === OTHER ? OTHER : TYPE + e.type
	const page = (e) => e.type === PAGE_VIEW ? e.page : undefined
	const label = { event: (e) => page(e) ?? type(e), type, page }[mode.by]
	const edge = mode.edge && chance.below(20) ? chance.one(events.map(label).filter((l) => l !== undefined).concat(TYPE)) : TYPE
	return { events, from: FROM, to: TO, timeout, label, collapse: mode.collapse, start: mode.edge === 'start' ? edge : undefined, end: mode.edge === 'end' ? edge : undefined,
		depth: 1 + chance.below(10), top: 1 + chance.below(8), kept: chance.one([0, 0, 1, 5, 40]), workers: 1 + chance.below(3), isOther: (l) => l === OTHER, order: (a, b) => a - b }
}

function lines(q, by) {
	const out = [`q ${['event', 'type', 'page'].indexOf(by)} ${+q.collapse} ${q.start ?? ANY} ${q.end ?? ANY} ${q.depth} ${q.top} ${PAGE_VIEW} ${q.from} ${q.to} ${q.timeout / 1e6} ${q.kept} ${q.workers}`]
	let person
	for (const e of q.events) {
		if (e.person !== person) out.push('p')
		person = e.person
		out.push(`e ${e.at} ${e.type} ${e.page} ${e.session} ${+e.said}`)
	}
	return `${out.join('\n')}\n.\n`
}

// The oracle's answer as the program prints its own.
function printed(want) {
	const place = (step, node) => node === '(other)' ? NODES - 2 : node === '(drop-off)' ? NODES - 1 : step.top.indexOf(Number(node.slice(1)))
	return { sessions: want.sessions, steps: want.steps.map((s, i) => {
		const nodes = Array(NODES).fill(0), links = Array(NODES * NODES).fill(0)
		for (const [node, n] of s.nodes) nodes[place(s, node)] = n
		for (const [link, n] of s.links) links[place(s, link.split(' ')[0]) * NODES + place(want.steps[i + 1], link.split(' ')[1])] = n
		return { sessions: s.sessions, labels: s.top, nodes, links }
	}) }
}

function checkPaths(got, want, q, what) {
	const list = (paths) => paths.slice(0, 10).map((p) => [p.sessions, ...p.labels])
	if (got.uncounted === 0)
		return assert.deepEqual(got.paths, list(want.paths), what)
	assert.ok(q.kept > 0, what)
	const all = new Map(want.paths.map((p) => [String(p.labels), p.sessions]))
	for (const [n, ...labels] of got.paths) assert.ok(n <= all.get(String(labels)) && n >= all.get(String(labels)) - got.uncounted, what)
}

function ask(input) {
	return new Promise((resolve, reject) => {
		const child = spawn(path.join(binDir, 'obj/tests/api/paths_cli'), { stdio: ['pipe', 'pipe', 'inherit'] })
		const chunks = []
		child.stdout.on('data', (c) => chunks.push(c))
		child.on('error', reject)
		child.on('close', (code) => code === 0 ? resolve(Buffer.concat(chunks).toString().trim().split('\n').map(JSON.parse)) : reject(new Error(`paths_cli: ${code}`)))
		child.stdin.end(input)
	})
}

for (const [i, mode] of MODES.entries())
	test(`${SESSIONS} sessions by=${mode.by} collapse=${mode.collapse ? 'yes' : 'no'} ${mode.edge && `${mode.edge}=...`}`, async () => {
		const chance = new Chance(SEED + i)
		const cases = []
		for (let n = 0; n < SESSIONS;) {
			const q = makeCase(chance, mode)
			if (q.events.length === 0) continue
			cases.push(q)
			n += sessionsOf(q.events, q.timeout).filter((s) => s[0].at >= q.from && s[0].at < q.to).length
		}
		const answers = await ask(cases.map((q) => lines(q, mode.by)).join(''))
		assert.equal(answers.length, cases.length)
		let counted = 0, twice = 0, dropped = 0
		for (const [n, q] of cases.entries()) {
			const what = `case ${n} of seed ${SEED + i}`, got = answers[n], want = pathsOf(q), print = printed(want)
			assert.deepEqual({ sessions: got.sessions, steps: got.steps }, print, what)
			checkPaths(got, want, q, what)
			assert.equal(got.twice, got.uncounted > 0, what)
			counted += got.sessions
			twice += got.twice
			dropped += got.steps.filter((s) => s.nodes.at(-1) > 0).length
		}
		assert.ok(counted > SESSIONS / 20 && twice > 0 && twice < cases.length && dropped > 0, `${counted} sessions, ${twice} rounds, ${dropped} ends`)
	})
