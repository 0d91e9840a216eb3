// GET /cohort/analysis, from what was tracked over HTTP to its answer, beside the raw events as docs/BEHAVIOUR.md counts them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { activityApplied } from '../lib/activity.mjs'
import { siteClock } from '../lib/bookings.mjs'
import { average, cohorts, dateOf, dayOf, percent } from '../lib/cohorts.mjs'
import { randomOf } from '../lib/histories.mjs'
import { Live } from '../lib/live.mjs'
import { until } from '../lib/process.mjs'

const ZONE = 'Europe/Berlin', CUTOFF = 4, DAY_MS = 86_400_000, SEED = Number(process.env.SEED ?? 5)
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const clock = siteClock(ZONE, CUTOFF)
const random = randomOf(SEED), int = (n) => Math.floor(random() * n)
const now = Date.now()

let live, told = '' // answers so far
before(async () => {
	live = await Live.start({ MAX_EVENT_AGE_DAYS: '3650', RATE_LIMIT_USERS: '0' }, { tz: ZONE, cutoff: CUTOFF })
})
after(() => live?.stop())

async function track(events) {
	for (let i = 0; i < events.length; i += 100) {
		const answer = await live.web.get('/events/batch', { method: 'POST', headers: { 'Content-Type': 'application/json', 'User-Agent': BROWSER },
			body: JSON.stringify({ events: events.slice(i, i + 100) }) })
		assert.ok(answer.status < 300, answer.text)
	}
	await activityApplied(live.db, until)
	await until(async () => (await live.db.one(`SELECT sequenced_from = '-infinity' AS all FROM activity_site`)).all, { what: 'all sequences' })
}

const ask = (query) => live.web.get(`/cohort/analysis?${new URLSearchParams(query)}`)

// Everybody's events, by who the tables say they are.
async function people() {
	const rows = await live.db.query(`
		SELECT v.person_id AS id, (extract(epoch FROM e.occurred_at) * 1000000)::float AS us, e.event_type AS type, e.flags FROM activity_event e
		JOIN activity_visitor v ON (v.kind, v.id) = (CASE WHEN e.user_id <> '' THEN 'user' WHEN e.anonymous_id <> '' THEN 'anonymous' ELSE 'session' END,
			coalesce(nullif(e.user_id, ''), nullif(e.anonymous_id, ''), e.session_id))`)
	assert.equal(rows.filter((r) => r.flags & 16).length, 0)
	const all = new Map()
	for (const { id, us, type } of rows) all.set(id, [...all.get(id) ?? [], { us, type, day: clock.day(Math.floor(us / 1000)) }])
	return [...all.values()]
}

const QUESTIONS = []
for (const [cohort_type, back] of [['acquisition_day', 40], ['acquisition_week', 120], ['acquisition_month', 220]])
	for (const mode of ['on', 'on_or_after', 'rolling24h'])
		for (const types of [{}, { first_event: 'purchase' }, { return_event: 'purchase' }, { first_event: 'product_view', return_event: 'product_view' }])
			if (mode !== 'rolling24h' || cohort_type !== 'acquisition_month')
				for (const as_of of [undefined, new Date(now - int(60 * DAY_MS)).toISOString()])
					QUESTIONS.push({ cohort_type, mode, ...types, ...(as_of ? { as_of } : {}), start_date: dateOf(clock.day(now) - back), ...(random() < 0.4 ? { end_date: dateOf(clock.day(now) - 3) } : {}),
						periods: String(3 + int(12)) })

async function compareAll() {
	const everybody = await people()
	let members = 0, texts = ''
	for (const q of QUESTIONS) {
		const answer = await ask(q)
		const what = JSON.stringify(q)
		if (q.as_of && dayOf(q.start_date) > clock.day(Date.parse(q.as_of))) {
			assert.equal(answer.status, 422, what)
			continue
		}
		assert.equal(answer.status, 200, `${what}: ${answer.text}`)
		const as_of = q.as_of ? Date.parse(q.as_of) : Date.parse(answer.json.as_of), today = clock.day(as_of)
		const want = cohorts(everybody, { ...q, periods: Number(q.periods), start: dayOf(q.start_date), end: q.end_date ? dayOf(q.end_date) : today + 1, as_of: as_of * 1000, today,
			cut: q.as_of !== undefined, known_from: -Infinity, begin: (day) => clock.start(day) * 1000 })
		assert.deepEqual(answer.json.cohorts.map(({ cohort, size, counts, complete }) => ({ cohort, size, counts, complete })),
			want.map(({ cohort, size, counts, complete }) => ({ cohort: dateOf(cohort), size, counts, complete })), what)
		assert.deepEqual(answer.json.cohorts.map((c) => c.values), want.map((c) => c.counts.map((n) => percent(n, c.size))), what)
		assert.deepEqual(answer.json.average, average(want, Number(q.periods)), what)
		members += want.reduce((n, c) => n + c.size, 0)
		texts += JSON.stringify(answer.json.cohorts)
	}
	assert.ok(members > 50 * QUESTIONS.length / 3, String(members))
	return texts
}

const TYPES = ['page_view', 'page_view', 'product_view', 'purchase']
const event = (who, ms) => ({ event_type: TYPES[int(4)], timestamp: new Date(ms).toISOString(), ...who, properties: { page: '/', price: 1, product_id: 'p' } })

// Some hundred days of somebody.
function life(who) {
	const list = []
	for (let ms = now - int(200 * DAY_MS), n = 1 + int(12); n > 0 && ms < now - 1000; n--) {
		list.push(event(who, ms))
		ms = random() < 0.2 ? clock.start(clock.day(ms) + 1) - int(2) : ms + (random() < 0.4 ? int(3_600_000) : int(30 * DAY_MS))
	}
	return list
}

describe('cohorts of people', () => {
	it('are none before anything was tracked', async () => {
		const answer = await ask({})
		assert.ok(answer.status === 404 || answer.json.cohorts.every((c) => c.size === 0), answer.text)
	})

	it('are those of the raw events', async () => {
		const events = Array.from({ length: 300 }, (_, i) => life(i % 3 ? { user_id: `u${i}` } : { anonymous_id: `a${i}` })).flat()
			.sort((a, b) => a.timestamp.localeCompare(b.timestamp))
		await track(events)
		told = await compareAll()
	})

	it('follow events that come late, and move a first day', async () => {
		await track(Array.from({ length: 80 }, (_, i) => event(i * 4 % 3 ? { user_id: `u${i * 4 % 300}` } : { anonymous_id: `a${i * 4 % 300}` }, now - int(220 * DAY_MS))))
		const was = told
		assert.notEqual(told = await compareAll(), was)
	})

	it('follow visitors who turn out to be somebody', async () => {
		// Of a user who is known already, and of one who is new.
		await track(Array.from({ length: 40 }, (_, i) => event({ anonymous_id: `a${i * 3}`, user_id: i % 2 ? `u${i * 3 + 1}` : `new${i}` }, now - int(30 * DAY_MS))))
		const was = told
		assert.notEqual(told = await compareAll(), was)
	})

	it('say what was asked, and what is meant where nothing was', async () => {
		const { json } = await ask({})
		const today = dateOf(clock.day(Date.parse(json.as_of)))
		assert.deepEqual([json.metric, json.cohort_type, json.mode, json.unit, json.currency, json.periods, json.tz, json.cutoff, json.through, json.known_from],
			['retention', 'acquisition_month', 'on', 'percent', null, 12, ZONE, CUTOFF, today, null])
		assert.equal(json.cohorts.length, 12)
		assert.equal(json.cohorts.at(-1).cohort, `${today.slice(0, 7)}-01`)
		assert.deepEqual(json.cohorts.at(-1).values.length, 1)
		assert.equal(json.cohorts[0].values.length, 12)
	})
})

describe('questions that cannot be answered', () => {
	const refused = async (query, field, status = 422) => {
		const { json, status: got, text } = await ask(query)
		assert.deepEqual([got, json.field ?? json.errors?.[0]?.field], [status, field], `${JSON.stringify(query)}: ${text}`)
	}
	const answered = async (query) => { const { status, text } = await ask(query); assert.equal(status, 200, `${JSON.stringify(query)}: ${text}`) }
	const back = (days) => dateOf(clock.day(Date.now()) + 1 - days)

	it('have too many columns, cells or days', async () => {
		for (const periods of ['89', '90']) await answered({ cohort_type: 'acquisition_day', periods })
		await refused({ cohort_type: 'acquisition_day', periods: '91' }, 'periods')
		for (const days of [399, 400]) await answered({ cohort_type: 'acquisition_day', periods: '50', start_date: back(days) })
		await refused({ cohort_type: 'acquisition_day', periods: '50', start_date: back(401) }, 'periods')
		for (const days of [3699, 3700]) await answered({ start_date: back(days) })
		await refused({ start_date: back(3701) }, 'end_date')
	})

	it('are of days to come, or end before they begin', async () => {
		await refused({ start_date: '2025-01-02', end_date: '2025-01-02' }, 'end_date')
		await answered({ start_date: '2025-01-02', end_date: '2025-01-03' })
		await answered({ start_date: back(1) })
		await refused({ start_date: back(0), end_date: back(-9) }, 'start_date')
		await refused({ as_of: new Date(Date.now() + 3_600_000).toISOString() }, 'as_of')
		await refused({ as_of: 'yesterday' }, 'as_of')
		await refused({ start_date: '2025-02-29' }, 'start_date')
	})

	it('do not fit together', async () => {
		await refused({ mode: 'rolling24h', cohort_type: 'acquisition_month' }, 'mode')
		await refused({ currency: 'EUR' }, 'currency')
		await refused({ first_event: 'never_heard_of' }, 'first_event')
		await refused({ return_event: 'never_heard_of' }, 'return_event')
		for (const [name, value] of [['first_event', 'purchase'], ['return_event', 'purchase'], ['as_of', '2025-01-01T00:00:00Z'], ['mode', 'on_or_after']])
			await refused({ metric: 'revenue', [name]: value }, name)
	})

	it('are about customers where the night has not run', async () => {
		await refused({ metric: 'revenue' }, 'metric', 404)
	})
})
