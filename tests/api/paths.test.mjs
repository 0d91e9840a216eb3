// GET /path/analysis from end to end: events are sent, take effect, and are answered as an oracle answers them.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SECRET } from '../lib/access.mjs'
import { activityApplied } from '../lib/activity.mjs'
import { siteClock } from '../lib/bookings.mjs'
import { percent } from '../lib/cohorts.mjs'
import { Live } from '../lib/live.mjs'
import { pathsOf } from '../lib/paths_oracle.mjs'
import { labels, makeWorld, sent } from '../lib/paths_world.mjs'
import { run, until } from '../lib/process.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'

const HOUR = 3_600_000, DAY = 24 * HOUR
const ZONE = { tz: 'Europe/Berlin', cutoff: 4 }
const SETTINGS = { AUTH_MODE: 'required', ANALYTICS_CACHE_TTL: '300', JWT_SECRET: SECRET, RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', SESSION_TIMEOUT: '3600', BOT_EVENTS_PER_MINUTE: '0', EVENT_BATCH_SIZE: '1000',
	BUSINESS_TIMEZONE: ZONE.tz, BUSINESS_DAY_CUTOFF: String(ZONE.cutoff) }
// From the start of today's day, not from now: at any time of the day the same sessions go over the end of one.
const CLOCK = siteClock(ZONE.tz, ZONE.cutoff)
const TO = CLOCK.start(CLOCK.day(Date.now())) - 30 * HOUR, FROM = TO - 6 * DAY

describe('GET /path/analysis', () => {
	let live, world, order, places
	const keys = {}
	const get = (query, key = 'read') => live.web.get(`/path/analysis${query}`, { headers: key ? { authorization: `Bearer ${keys[key]}` } : {} })
	const takings = (args) => run(program, args, { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd() })
	const post = (list) => live.web.get('/events/batch', { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${keys.ingest}` }, body: JSON.stringify(list) })

	before(async () => {
		live = await Live.start(SETTINGS, ZONE)
		for (const scope of ['ingest', 'read']) keys[scope] = /tk_[\w-]+/.exec((await takings(['key', 'add', scope, '--scope', scope])).stdout)[0]
		world = makeWorld({ seed: 20261122, people: 420, from: FROM - 40 * HOUR, to: TO + 20 * HOUR })
	})
	after(() => live?.stop())

	// An oracle's answer as the address has it.
	function wanted({ by = 'event', collapse = 'yes', start, end, depth = 5, top = 5, from = FROM, to = TO, asOf = Infinity }) {
		const read = world.filter((e) => e.at >= (from - DAY) * 1000 && e.at < (to + DAY) * 1000 && e.at <= asOf * 1000)
		const want = pathsOf({ events: read, from: from * 1000, to: to * 1000, timeout: 3_600_000_000, label: labels[by], collapse: collapse === 'yes', start, end,
			depth: Number(depth), top: Number(top), isOther: (l) => l === '(other)', order: (a, b) => order(a) - order(b) })
		const text = (node) => node.startsWith('=') ? node.slice(1) : node
		return { sessions: want.sessions,
			steps: want.steps.map((s, i) => ({ step: i + 1, sessions: s.sessions, nodes: [...s.top, '(other)', '(drop-off)'].map((l) => [l, s.nodes.get(l) ?? s.nodes.get(`=${l}`)]).filter(([, n]) => n) })),
			links: want.steps.flatMap((s, i) => [...new Set(s.links.keys())].map((k) => {
				const cut = [...s.nodes.keys()].find((n) => k.startsWith(`${n} `) && want.steps[i + 1].nodes.has(k.slice(n.length + 1)))
				return [i + 1, text(cut), text(k.slice(cut.length + 1)), s.links.get(k)]
			})).sort(),
			paths: want.paths.slice(0, 10).map((p) => [p.sessions, ...p.labels]) }
	}
	const answered = (json) => ({ sessions: json.sessions, steps: json.steps.map((s) => ({ step: s.step, sessions: s.sessions, nodes: s.nodes.map((n) => [n.label, n.sessions]) })),
		links: json.links.map((l) => [l.step, l.from, l.to, l.sessions]).sort(), paths: json.paths.map((p) => [p.sessions, ...p.labels]) })

	async function check(q) {
		const { from = FROM, to = TO, asOf, ...rest } = q
		const query = new URLSearchParams({ start_date: new Date(from).toISOString(), end_date: new Date(to).toISOString(), ...rest, ...asOf && { as_of: new Date(asOf).toISOString() } })
		const { status, json, text } = await get(`?${query}`)
		assert.equal(status, 200, `${query}\n${text}`)
		assert.deepEqual(answered(json), wanted(q), String(query))
		for (const part of [...json.steps.flatMap((s) => s.nodes), ...json.paths]) assert.equal(part.share, percent(part.sessions, json.sessions), String(query))
		assert.equal(json.paths_uncounted, 0)
		return json
	}

	it('is empty before anything was tracked', async () => {
		const { status, json, text } = await get('')
		assert.equal(status, 200, text)
		assert.deepEqual([json.sessions, json.steps, json.links, json.paths, json.depth, json.by, json.start], [0, [], [], [], 5, 'event', null])
	})

	it('counts sessions of hundreds of people who sent events in no order', async () => {
		const middle = Math.floor(world.length / 2)
		for (const part of [world.slice(0, middle), world.slice(middle)]) { // the second half comes after the first has taken effect
			for (let i = 0; i < part.length; i += 700) {
				const answer = await post(part.slice(i, i + 700).map(sent))
				assert.equal(answer.json?.accepted, Math.min(700, part.length - i), answer.text)
			}
			await activityApplied(live.db, until)
			await until(() => live.db.value(`SELECT sequenced_from = '-infinity' FROM activity_site`), { what: 'sequences', limit: 60_000 })
		}
		const codes = new Map()
		for (const r of await live.db.query('SELECT false AS t, value AS word, code FROM activity_value WHERE dimension_id = 1 UNION ALL SELECT true, event_type, code FROM activity_type'))
			codes.set(r.t || r.word.startsWith('/') ? r.word : `${r.word} (page)`, r.code + (r.t ? 65536 : 0))
		order = (label) => label === '(not set)' ? 0 : codes.get(label)
		const json = await check({})
		assert.ok(json.sessions > 300 && json.steps.length === 5, `${json.sessions} sessions`)
		assert.ok(world.some((e) => world.some((x) => x.session_id && x.session_id === e.session_id && CLOCK.day(x.at / 1000) !== CLOCK.day(e.at / 1000))), 'a session over the end of a day')
		assert.ok(world.some((e) => !e.said && e.user_id) && world.some((e) => e.user_id && !e.anonymous_id))
		assert.deepEqual(json.steps[0].nodes.at(-1).label, '(other)')
		places = json.steps.flatMap((s) => s.nodes.filter((n) => ['page', 'type'].includes(n.kind)).map((n) => n.label))
	})

	it('answers each question as the oracle does', async () => {
		for (const by of ['event', 'type', 'page']) for (const collapse of ['yes', 'no']) {
			await check({ by, collapse, depth: '10', top: '8' })
			await check({ by, collapse, depth: '3', start: by === 'type' ? 'product_view' : '/c/audio' })
			await check({ by, collapse, depth: '4', top: '2', end: by === 'page' ? '/cart' : 'purchase' })
		}
		for (const start of [...new Set(places)]) await check({ start })
		await check({ start: '(not set)' })
		await check({ start: 'start trial (page)', by: 'page' })
		for (const start of ['never', '/never', 'page_view']) assert.equal((await check({ start })).sessions, 0)
		assert.equal((await check({ start: 'purchase', by: 'page' })).sessions, 0)
	})

	it('knows the edges of the range, to the microsecond, and of what it knows', async () => {
		for (const e of world.filter((x) => x.at / 1000 > FROM && x.at / 1000 < TO).slice(0, 12)) {
			await check({ from: e.at / 1000, to: e.at / 1000 + 1 })
			await check({ from: e.at / 1000 + 1, to: e.at / 1000 + HOUR, depth: '10' })
		}
		for (const asOf of [FROM + 50 * HOUR, TO, FROM - HOUR]) await check({ asOf, depth: '10' })
		const noon = (n) => new Date(FROM + n * DAY).toISOString().slice(0, 10)
		const days = (await get(`?start_date=${noon(1)}&end_date=${noon(3)}`)).json
		assert.deepEqual(answered(days), wanted({ from: Date.parse(days.start_date), to: Date.parse(days.end_date) }))
		assert.match(days.start_date, /T0[23]:00:00/) // 04:00 in Berlin
		assert.equal(days.known_from, null)
		await live.db.exec(`UPDATE activity_site SET raw_from = '${days.start_date}'::timestamptz + interval '3 hours'`)
		const known = async (top) => (await get(`?start_date=${noon(1)}&end_date=${noon(3)}&top=${top}`)).json.known_from
		assert.equal(await known(1), new Date(Date.parse(days.start_date) + DAY).toISOString().replace('.000', ''))
		await live.db.exec(`UPDATE activity_site SET raw_from = '${days.start_date}'`)
		assert.equal(await known(2), null)
		await live.db.exec(`UPDATE activity_site SET raw_from = '-infinity'`)
	})

	it('refuses what is not asked well, at each limit', async () => {
		const refused = async (query, field, status = 422) => {
			const answer = await get(query)
			assert.equal(answer.status, status, `${query}\n${answer.text}`)
			assert.match(answer.text, new RegExp(field), query)
		}
		const fine = async (query) => assert.equal((await get(query)).status, 200, query)
		for (const [name, least, most] of [['depth', 1, 10], ['top', 1, 8]]) {
			for (const n of [least, least + 1, most - 1, most]) await fine(`?${name}=${n}`)
			for (const n of [least - 1, most + 1, 'x', '1.5']) await refused(`?${name}=${n}`, name)
		}
		for (const name of ['start', 'end']) {
			for (const n of [1, 206, 207]) await fine(`?${name}=${'x'.repeat(n)}`)
			for (const n of [0, 208]) await refused(`?${name}=${'x'.repeat(n)}`, name)
		}
		for (const n of [3699, 3700]) await fine(`?start_date=2016-01-01T00:00:00Z&end_date=${new Date(Date.UTC(2016, 0, 1 + n)).toISOString()}`)
		await refused(`?start_date=2016-01-01T00:00:00Z&end_date=${new Date(Date.UTC(2016, 0, 3701) + 1).toISOString()}`, 'end_date')
		await refused('?start_date=2026-11-02&end_date=2026-11-02', 'end_date')
		await refused('?start_date=2026-11-31', 'start_date')
		await refused('?start_date=0001-01-01T00:00:00Z', 'start_date')
		await refused('?as_of=yesterday', 'as_of')
		await refused('?start=/a&end=/b', 'end')
		await refused('?by=user', 'by')
		await refused('?collapse=maybe', 'collapse')
		await refused('?depht=3', 'depht')
	})

	it('is for those who may read', async () => {
		assert.equal((await get('', null)).status, 401)
		assert.equal((await get('', 'ingest')).status, 403)
	})

	it('changes as soon as somebody does more, and is kept while nobody does', async () => {
		const query = `?start_date=${new Date(FROM).toISOString()}&end_date=${new Date(TO).toISOString()}&start=purchase`
		await until(async () => /^hit/.test((await get(query)).headers['x-cache']), { what: 'an answer that is kept' })
		const first = await get(query), tag = first.headers.etag
		const again = await live.web.get(`/path/analysis${query}`, { headers: { authorization: `Bearer ${keys.read}`, 'if-none-match': tag } })
		assert.equal(again.status, 304)
		assert.equal((await post([{ event_type: 'purchase', anonymous_id: 'a-new', timestamp: new Date(FROM + HOUR).toISOString() }])).status, 200)
		await activityApplied(live.db, until)
		await until(async () => (await get(query)).json.sessions === first.json.sessions + 1, { what: 'the new session' })
	})
})
