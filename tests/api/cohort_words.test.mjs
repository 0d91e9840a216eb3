// lib/behaviour/retention.c against cohorts as docs/BEHAVIOUR.md defines them, on random people: PEOPLE=10000 of each mode, cohort and
// types for more of them, SEED=n for others.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { siteClock } from '../lib/bookings.mjs'
import { PERIODS, cohorts, percent, periodsOf } from '../lib/cohorts.mjs'
import { randomOf } from '../lib/histories.mjs'
import { binDir } from '../lib/process.mjs'

const PEOPLE = Number(process.env.PEOPLE ?? (process.env.FAULTS === 'long' ? 10000 : 2000))
const SEED = Number(process.env.SEED ?? 20261122)
const DAY_MS = 86_400_000
const TYPES = ['acquisition_day', 'acquisition_week', 'acquisition_month'], MODES = ['on', 'on_or_after', 'rolling24h']
// Around a leap day, changes of the clock either way, the end of a year.
const PLACES = [['Europe/Berlin', 4, '2024-02-29'], ['Europe/Berlin', 0, '2025-03-30'], ['America/New_York', 2, '2025-11-02'], ['Australia/Lord_Howe', 12, '2025-04-06'],
	['Asia/Kolkata', 0, '2024-12-31'], ['Pacific/Auckland', 6, '2025-01-31']]

const run = (input) => new Promise((resolve, reject) => {
	const child = spawn(path.join(binDir, 'obj/tests/api/cohort_client'), { stdio: ['pipe', 'pipe', 'inherit'] })
	let text = ''
	child.stdout.setEncoding('utf8').on('data', (part) => { text += part })
	child.on('error', reject).on('close', (code) => (code === 0 ? resolve(text.split('\n').slice(0, -1)) : reject(new Error(`exit ${code}`))))
	child.stdin.end(input)
})

// A clock that remembers: business days begin at whole quarters of an hour.
const clocks = new Map()
function clockOf(zone, cutoff) {
	const key = `${zone} ${cutoff}`
	if (!clocks.has(key)) {
		const clock = siteClock(zone, cutoff), days = new Map(), begins = new Map()
		const kept = (map, at, make) => map.get(at) ?? map.set(at, make(at)).get(at)
		clocks.set(key, { day: (ms) => kept(days, Math.floor(ms / 900_000) * 900_000, clock.day), start: (day) => kept(begins, day, clock.start) })
	}
	return clocks.get(key)
}

function makePerson(random, clock, from, length) {
	const events = [], int = (n) => Math.floor(random() * n)
	let ms = from + int(length * 6 * DAY_MS)
	for (let n = 1 + int(14); n > 0; n--) {
		const us = ms * 1000 + (random() < 0.2 ? 0 : int(1000))
		events.push({ us, day: clock.day(ms), type: 1 + int(3) })
		if (random() < 0.15) continue // another at the same time
		const leap = random()
		ms = leap < 0.1 ? clock.start(clock.day(ms) + int(5)) - int(2) // where a day begins, or just before
			: leap < 0.3 ? ms + DAY_MS * length * (1 + int(4)) - int(2) // lengths later, to the millisecond
				: ms + int(leap < 0.5 ? 3_600_000 : 3 * length * DAY_MS)
	}
	return events.sort((a, b) => a.us - b.us)
}

function makeQuestion(random, asked) {
	const int = (n) => Math.floor(random() * n)
	const [zone, cutoff, date] = PLACES[int(PLACES.length)]
	const clock = clockOf(zone, cutoff), middle = Date.parse(`${date}T12:00:00Z`) / DAY_MS | 0
	const begin = (day) => clock.start(day) * 1000
	const length = { acquisition_day: 1, acquisition_week: 7, acquisition_month: 30 }[asked.cohort_type]
	const start = middle - int(length * 4), end = start + 1 + int(length * 6)
	const cut = random() < 0.5
	// Now and then a cell's last moment exactly, or just before or after.
	const as_of = random() < 0.5 ? begin(start + int(length * 8)) + (int(3) - 1) : begin(start) + int(length * 10 * DAY_MS) * 1000
	const known_from = random() < 0.3 ? PERIODS[asked.cohort_type].of(start) + int(length * 2) : PERIODS[asked.cohort_type].of(start)
	const ask = { ...asked, start, end, periods: 1 + int(12), as_of, today: clock.day(Math.floor(as_of / 1000)), cut, known_from, begin }
	return { ask, people: Array.from({ length: 50 }, () => makePerson(random, clock, clock.start(start) - DAY_MS * length, length)) }
}

const number = (list, value) => list.indexOf(value)
function questionText({ ask, people }) {
	const from = Math.min(ask.known_from, PERIODS[ask.cohort_type].of(ask.start)), days = ask.today - from + 1
	const words = [number(TYPES, ask.cohort_type), number(MODES, ask.mode), ask.first_event ?? 0, ask.return_event ?? 0, ask.start,
		periodsOf(ask.cohort_type, ask.start, ask.end).length, ask.periods, ask.as_of, ask.cut ? 1 : 0, from, days]
	for (let i = 0; i <= days; i++) words.push(ask.begin(from + i))
	words.push(people.length)
	for (const person of people) {
		const first = Math.min(...person.map((e) => e.day)), events = person.filter((e) => e.day >= ask.known_from)
		const all = [...new Set(events.map((e) => e.day))].sort((a, b) => a - b)
		words.push(first < ask.known_from ? -2147483648 : first, all.length, ...all, events.length, ...events.flatMap((e) => [e.us, e.type]))
	}
	return words.join(' ')
}

for (const cohort_type of TYPES)
	for (const mode of MODES)
		if (mode !== 'rolling24h' || cohort_type !== 'acquisition_month')
			for (const [first_event, return_event] of [[], [1], [undefined, 2], [1, 1], [1, 2]])
				test(`${PEOPLE} people: ${cohort_type}, ${mode}, first ${first_event ?? 'any'}, return ${return_event ?? 'any'}`, async () => {
					const random = randomOf(SEED + number(TYPES, cohort_type) * 1000 + number(MODES, mode) * 100 + (first_event ?? 0) * 10 + (return_event ?? 0))
					const questions = []
					while (questions.length < PEOPLE / 50) {
						const q = makeQuestion(random, { cohort_type, mode, first_event, return_event })
						if (q.ask.today >= q.ask.start) questions.push(q)
					}
					const lines = await run(`${questions.length}\n${questions.map(questionText).join('\n')}\n`)
					let at = 0, members = 0, back = 0
					questions.forEach((q, i) => {
						for (const row of cohorts(q.people, q.ask)) {
							const want = [row.size, ...row.counts.map((n, k) => `${n}/${row.complete[k] ? 1 : 0}/${row.size ? Math.round(percent(n, row.size) * 10) : -1}`)].join(' ')
							assert.equal(lines[at++], want, `question ${i} of seed ${SEED}, cohort ${row.cohort}: ${JSON.stringify(q.ask)}`)
							members += row.size
							back += row.counts.slice(1).reduce((a, b) => a + b, 0)
						}
					})
					assert.equal(at, lines.length)
					assert.ok(members > PEOPLE / 8 && back > members / 8, `${members} members, ${back} back`)
				})

test('percents are rounded half-even, exactly', () => {
	assert.deepEqual([percent(1, 2000), percent(3, 2000), percent(1, 3), percent(2, 3), percent(0, 5), percent(5, 5), percent(1, 0)], [0, 0.2, 33.3, 66.7, 0, 100, null])
})
