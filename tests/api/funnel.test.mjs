// Funnels from outside: people tracked over HTTP around a change of the clock, and what the oracle makes of the raw rows; funnels that
// are kept; who is behind a figure.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PASSWORD, SECRET } from '../lib/access.mjs'
import { BUILT_IN, activityApplied } from '../lib/activity.mjs'
import { figuresOf, groupsOf, waysOf } from '../lib/funnel_oracle.mjs'
import { Live } from '../lib/live.mjs'
import { cleanEnv, run, until } from '../lib/process.mjs'
import { random } from '../lib/series.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { Web } from '../lib/web.mjs'

const MINUTE = 60_000, HOUR = 3_600_000, DAY = 86_400_000
const FROM = Date.parse('2025-10-23T02:00:00Z') // the clock goes back on the 26th
const TYPES = ['page_view', 'product_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase', 'search', 'sign.up']
const SETTINGS = { AUTH_MODE: 'required', JWT_SECRET: SECRET, RATE_LIMIT_USERS: '0', RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0', MAX_EVENT_AGE_DAYS: '3650',
	BOT_EVENTS_PER_MINUTE: '0', ANALYTICS_CACHE_TTL: '300', SESSION_TIMEOUT: '1800', EVENT_BATCH_SIZE: '1000' }

// Six days of people, some of whom become known, with events at the same time and just at the limits.
function randomEvents(n) {
	const rnd = random(7), list = []
	for (let p = 0; p < n; p++) {
		let at = FROM + rnd.int(5 * 24) * HOUR
		const known = rnd.int(3)
		for (let i = 2 + rnd.int(14); i > 0; i--) {
			at += rnd.pick([0, 0, MINUTE, MINUTE, 10 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, 3 * HOUR, DAY])
			const properties = { page: rnd.pick(['/', '/a', '/pricing']) }
			if (rnd.int(2)) properties.category = rnd.pick(['shoes', 'hats', `c${rnd.int(40)}`])
			if (rnd.int(2)) Object.assign(properties, { price: `${rnd.int(90)}.${10 + rnd.int(90)}`, quantity: 1 + rnd.int(3), currency: rnd.pick(['EUR', 'EUR', 'USD']) })
			list.push({ event_type: rnd.pick(TYPES), timestamp: new Date(at).toISOString(), properties, ...known === 2 && rnd.int(2) ? { user_id: `u${p}` } : {},
				...known === 1 ? { user_id: `u${p}` } : { anonymous_id: `a${p}` }, ...p % 3 ? {} : { session_id: `s${p}.${rnd.int(2)}` } })
		}
	}
	return list.sort(() => rnd.uniform() - 0.5)
}

const RAW = `SELECT (extract(epoch FROM e.occurred_at) * 1000000)::bigint::text AS at, e.event_type AS type, e.session_key::text AS session, e.session_id IS NOT NULL AS said, e.dims,
	CASE WHEN coalesce(e.currency, 'EUR') = 'EUR' THEN (e.price * coalesce(e.quantity, 1) * 100)::bigint END::text AS amount, p.person_id::text AS person, o.kind, o.id
	FROM activity_event e JOIN activity_visitor p ON p.kind = CASE WHEN e.user_id IS NOT NULL THEN 'user' WHEN e.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END
	AND p.id = coalesce(e.user_id, e.anonymous_id, e.session_id) JOIN activity_visitor o ON o.visitor_id = p.person_id ORDER BY e.occurred_at, e.seq`

const CHECKOUT = ['product_view', 'add_to_cart', 'checkout_start', 'purchase'].map((type) => ({ type }))
const SOME = [{ type: 'page_view', filters: { page: ['/', '/a'] } }, { type: 'product_view', filters: { category: ['(not set)', 'shoes', 'never'] } }, { type: 'purchase' }]

describe('funnels', () => {
	let live, people, values
	const who = {}
	const takings = async (args, input) => (await run(program, args, { env: { ...cleanEnv, ...live.settings }, cwd: emptyCwd(), input })).stdout.trim()
	const get = (path, name = 'viewer', more = {}) => live.web.get(path, { headers: who[name], ...more })
	const send = (method, path, body, name = 'admin') => live.web.get(path, { method, headers: { ...who[name], ...body === undefined ? {} : { 'content-type': 'application/json' } },
		body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body) })
	const analysis = async (q) => {
		const answer = await get(`/funnel/analysis?${new URLSearchParams(q)}`)
		assert.equal(answer.status, 200, answer.text)
		return answer
	}

	before(async () => {
		live = await Live.start(SETTINGS, { tz: 'Europe/Berlin', cutoff: 4 })
		for (const role of ['viewer', 'analyst', 'admin']) {
			await takings(['user', 'add', role, '--role', role], `${PASSWORD}\n`)
			who[role] = { Authorization: `Bearer ${await takings(['user', 'token', role])}` }
		}
		const events = randomEvents(400)
		for (let i = 0; i < events.length; i += 700) {
			const answer = await send('POST', '/events/batch', { events: events.slice(i, i + 700) })
			assert.equal(answer.status, 200, answer.text.slice(0, 300))
		}
		await activityApplied(live.db, until)
		const rows = await live.db.query(RAW)
		assert.equal(rows.length, events.length)
		people = new Map()
		for (const r of rows) {
			const dims = Object.fromEntries(BUILT_IN.map((name, i) => [name, r.dims[i] ?? '(not set)']))
			people.set(r.person, [...(people.get(r.person) ?? []), { ...r, at: Number(r.at), amount: r.amount === null ? null : Number(r.amount), dims }])
		}
		values = ['(not set)', ...(await live.db.query("SELECT value FROM activity_value WHERE dimension_id = 6 AND value NOT IN ('', '(other)') ORDER BY code")).map((r) => r.value)]
	})
	after(() => live?.stop())

	// What the oracle says of the raw rows; `f`: order, unit, window (s), from, to, asOf (ms or ISO), steps, breakdown.
	const meant = (f) => ({ ...f, window: f.window * 1e6, from: Date.parse(f.from) * 1000, to: Date.parse(f.to) * 1000, asOf: f.asOf ? Date.parse(f.asOf) * 1000 : Date.now() * 1000, timeout: 1800e6 })
	const waysOfAll = (f) => [...people.values()].flatMap((events) => waysOf(f, events).map((w) => ({ ...w, person: events[0] })))
	const bare = (steps) => steps.map(({ step: _s, name: _n, event_type: _t, filters: _f, value, ...s }) => ({ ...s, value: Math.round(value * 100) }))
	const asked = (f) => ({ steps: JSON.stringify(f.steps.map((s) => ({ event_type: s.type, filters: s.filters }))), start_date: f.from, end_date: f.to, order: f.order, unit: f.unit,
		window_s: f.window, ...f.asOf ? { as_of: f.asOf } : {}, ...f.breakdown ? { breakdown: f.breakdown } : {} })

	for (const order of ['sequential', 'strict', 'any'])
		for (const unit of ['user', 'session'])
			it(`are what the raw rows say: ${order}, by ${unit}`, async () => {
				let reached = 0, open = 0
				for (const steps of [CHECKOUT, SOME])
					for (const window of [60, 1800, 259_200])
						for (const [from, to] of [['2025-10-23T00:00:00Z', '2025-11-05T00:00:00Z'], ['2025-10-25T02:00:00Z', '2025-10-26T03:00:00Z']])
							for (const asOf of [null, '2025-10-26T01:30:00Z', to])
								for (const breakdown of [null, 'category']) {
									const f = { order, unit, steps, window, from, to, asOf, breakdown }
									const { json } = await analysis(asked(f)), m = meant(f), ways = waysOfAll(m), what = JSON.stringify(f)
									const want = figuresOf(m, ways)
									assert.deepEqual(bare(json.steps), want, what)
									assert.deepEqual(json.groups.map((g) => ({ value: g.value, steps: bare(g.steps) })), breakdown ? groupsOf(m, ways, values) : [], what)
									if (asOf) assert.equal(json.as_of, asOf)
									reached += want[1].users
									open += want.at(-1).open
								}
				assert.ok(reached > 500 && open > 100, `${reached} reached, ${open} open`)
			})

	it('are about business days, 25 hours of them on the day the clock goes back, and about the days before', async () => {
		const { json } = await analysis({ start_date: '2025-10-25', end_date: '2025-10-27', compare: 'previous', unit: 'session' })
		assert.deepEqual(json.range, { from: '2025-10-25T02:00:00Z', to: '2025-10-27T03:00:00Z', tz: 'Europe/Berlin', cutoff: 4 })
		assert.deepEqual([json.previous.from, json.previous.to], ['2025-10-23T02:00:00Z', '2025-10-25T02:00:00Z'])
		for (const [part, from, to] of [[json, json.range.from, json.range.to], [json.previous, json.previous.from, json.previous.to]]) {
			const m = meant({ order: 'sequential', unit: 'session', steps: CHECKOUT, window: 604_800, from, to })
			assert.deepEqual(bare(part.steps), figuresOf(m, waysOfAll(m)))
		}
		assert.deepEqual([json.funnel_name, json.order, json.unit, json.window_s, json.currency, json.known_from, json.breakdown], ['checkout', 'sequential', 'session', 604_800, 'EUR', null, null])
		assert.deepEqual(json.steps.map((s) => [s.step, s.name, s.event_type, s.filters]), CHECKOUT.map(({ type }, i) => [i + 1, type, type, {}]))
		assert.equal((await analysis({})).json.steps[0].users, 0) // the last 30 days
	})

	it('say what is wrong with a question', async () => {
		const steps = (n, step = '"page_view"') => `[${Array(n).fill(step).join()}]`
		const refused = { 'steps=[': 'steps', [`steps=${steps(1)}`]: 'steps', [`steps=${steps(11)}`]: 'steps', [`steps=${steps(2, '"A"')}`]: 'steps[0].event_type',
			[`steps=${steps(2, '{"event_type":"a","x":1}')}`]: 'x', [`steps=${steps(2, '{"event_type":"a","filters":{"nothing":"x"}}')}`]: 'steps[0].filters.nothing',
			[`steps=${steps(2, '{"event_type":"a","filters":{"page":[]}}')}`]: 'steps[0].filters.page', [`steps=${steps(2, '{"event_type":"a","name":" "}')}`]: 'steps[0].name',
			[`steps=${steps(2)}&funnel_name=checkout`]: 'steps', 'order=backwards': 'order', 'unit=visit': 'unit', 'window_s=0': 'window_s', 'window_s=7776001': 'window_s', 'compare=year': 'compare',
			'breakdown=nothing': 'breakdown', 'as_of=yesterday': 'as_of', 'start_date=2025-11-01': 'end_date', 'end_date=2025-11-01': 'start_date', 'start_date=x&end_date=2025-11-01': 'start_date',
			'start_date=2025-11-02&end_date=2025-11-01': 'end_date', 'start_date=2025-11-01&end_date=2025-11-01': 'end_date', 'start_date=2000-01-01&end_date=2025-11-01': 'end_date' }
		for (const [query, field] of Object.entries(refused)) {
			const { status, json } = await get(`/funnel/analysis?${encodeURI(query)}`)
			assert.deepEqual([status, json.field], [422, field], query)
		}
		for (const query of [`steps=${steps(2)}`, `steps=${steps(10)}`, 'window_s=1', 'window_s=7776000'])
			assert.equal((await get(`/funnel/analysis?${encodeURI(query)}`)).status, 200, query)
		assert.deepEqual([(await get('/funnel/analysis?funnel_name=none')).status, (await get('/funnel/analysis?funnel_name=none')).json.field], [404, 'funnel_name'])
		const never = await analysis({ steps: '["never.sent","purchase"]', start_date: '2025-10-23', end_date: '2025-11-05' })
		assert.deepEqual(never.json.steps.map((s) => [s.users, s.rate]), [[0, null], [0, null]])
	})

	it('say of a type that is one too many that nobody can tell, and of one that only bots have sent that nobody has', async () => {
		const cohort = `/cohort/analysis?metric=retention&first_event=bots.only`, funnel = `/funnel/analysis?${new URLSearchParams({ steps: '["bots.only","purchase"]' })}`
		await live.db.exec("INSERT INTO activity_type (event_type, first_at, last_at) VALUES ('bots.only', now(), now())")
		const nobody = await get(cohort)
		assert.deepEqual([nobody.status, nobody.json.detail], [422, 'bots.only: nobody has done this yet'])
		assert.deepEqual((await get(funnel)).json.steps.map((s) => s.users), [0, 0])
		await live.db.exec("INSERT INTO activity_type (event_type, first_at, last_at, code) VALUES ('last', now(), now(), 65534)")
		for (const path of [cohort, `${funnel}&window_s=1`]) {
			const many = await get(path)
			assert.deepEqual([many.status, many.json.detail], [422, 'bots.only: there are too many types of events to tell this one apart'], path)
		}
		await live.db.exec("DELETE FROM activity_type WHERE event_type IN ('bots.only', 'last')")
	})

	it('can be kept under a name', async () => {
		const audit = async () => (await live.db.query('SELECT actor, action, object FROM audit_log ORDER BY audit_id')).map((r) => `${r.actor} ${r.action} ${r.object}`)
		const before = (await audit()).length
		const wanted = { steps: [{ event_type: 'page_view', filters: { page: ['/pricing'] }, name: 'Prices' }, { event_type: 'purchase', filters: {}, name: 'purchase' }], order: 'strict', window_s: 60, unit: 'session' }
		for (const name of ['viewer', 'analyst']) assert.equal((await send('PUT', '/funnels/prices', wanted, name)).status, 403)
		const made = await send('PUT', '/funnels/prices', { steps: [{ event_type: 'page_view', filters: { page: '/pricing' }, name: 'Prices' }, 'purchase'], order: 'strict', window_s: 60, unit: 'session' })
		assert.equal(made.status, 200, made.text)
		const { written_at: at, ...rest } = made.json
		assert.deepEqual(rest, { funnel_name: 'prices', ...wanted, built_in: false, written_by: 'user:admin' })
		assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000)
		assert.deepEqual((await get('/funnels/prices')).json, made.json)
		assert.equal((await send('PUT', '/funnels/prices', { ...wanted, order: 'any' })).status, 200)
		assert.deepEqual((await get('/funnels')).json.funnels.map((f) => [f.funnel_name, f.order, f.built_in, f.steps.length]), [['checkout', 'sequential', true, 4], ['prices', 'any', false, 2]])
		const q = { funnel_name: 'prices', start_date: '2025-10-23', end_date: '2025-11-05' }
		const f = meant({ order: 'any', unit: 'session', window: 60, from: '2025-10-23T02:00:00Z', to: '2025-11-05T03:00:00Z', steps: wanted.steps.map((s) => ({ type: s.event_type, filters: s.filters })) })
		assert.deepEqual(bare((await analysis(q)).json.steps), figuresOf(f, waysOfAll(f)))
		assert.equal((await analysis({ ...q, order: 'strict', unit: 'user', window_s: 61 })).json.window_s, 61)
		assert.equal((await send('DELETE', '/funnels/prices', undefined, 'analyst')).status, 403)
		assert.deepEqual((await send('DELETE', '/funnels/prices')).json, { funnel_name: 'prices', deleted: true })
		for (const [method, path] of [['DELETE', '/funnels/prices'], ['GET', '/funnels/prices']]) assert.equal((await send(method, path)).status, 404)
		assert.equal((await send('PUT', '/funnels/checkout', { steps: ['product_view', 'purchase'] })).status, 200)
		assert.equal((await analysis({ start_date: '2025-10-23', end_date: '2025-10-30' })).json.steps.length, 2)
		const refused = await send('DELETE', '/funnels/checkout')
		assert.deepEqual([refused.status, refused.json.field], [422, 'funnel_name'])
		assert.deepEqual((await audit()).slice(before), ['funnel_add funnel:prices', 'funnel_write funnel:prices', 'funnel_delete funnel:prices', 'funnel_write funnel:checkout'].map((line) => `user:admin ${line}`))
	})

	it('are refused where they are none, at each limit', async () => {
		const two = ['page_view', 'purchase'], step = (more) => ({ steps: [{ event_type: 'page_view', ...more }, 'purchase'] })
		const put = async (body, name = 'limit') => {
			const { status, json } = await send('PUT', `/funnels/${name}`, body)
			return status === 200 ? 'kept' : `${status} ${json.field}`
		}
		const cases = [
			[{ steps: ['page_view'] }, '422 steps'], [{ steps: two }, 'kept'], [{ steps: Array(10).fill('a') }, 'kept'], [{ steps: Array(11).fill('a') }, '422 steps'], [{}, '422 steps'], [[], '422 body'], ['{', '400 body'],
			[{ steps: two, x: 1 }, '422 x'], [{ steps: [1, 'a'] }, '422 steps[0].event_type'], [{ steps: ['a', ''] }, '422 steps[1].event_type'], [{ steps: ['a'.repeat(64), 'b'] }, 'kept'],
			[{ steps: ['a'.repeat(65), 'b'] }, '422 steps[0].event_type'], [step({ name: 'n'.repeat(100) }), 'kept'], [step({ name: 'n'.repeat(101) }), '422 steps[0].name'], [step({ name: '' }), '422 steps[0].name'],
			[step({ name: 'a\nb' }), '422 steps[0].name'], [step({ filters: { page: Array(100).fill('x') } }), 'kept'], [step({ filters: { page: Array(101).fill('x') } }), '422 steps[0].filters.page'],
			[step({ filters: { page: 'x'.repeat(200) } }), 'kept'], [step({ filters: { page: 'x'.repeat(201) } }), '422 steps[0].filters.page'], [step({ filters: { page: '' } }), '422 steps[0].filters.page'],
			[step({ filters: { nothing: 'x' } }), '422 steps[0].filters.nothing'], [step({ filters: [] }), '422 steps[0].filters'], [{ steps: two, order: 'x' }, '422 order'], [{ steps: two, order: 1 }, '422 order'],
			[{ steps: two, unit: 'x' }, '422 unit'], [{ steps: two, window_s: 0 }, '422 window_s'], [{ steps: two, window_s: 1 }, 'kept'], [{ steps: two, window_s: 7_776_000 }, 'kept'], [{ steps: two, window_s: 7_776_001 }, '422 window_s'],
			[{ steps: two, window_s: '60' }, '422 window_s'], [{ steps: two, window_s: 1.5 }, '422 window_s']]
		for (const [body, want] of cases) assert.equal(await put(body), want, JSON.stringify(body).slice(0, 200))
		for (const [name, want] of [['a'.repeat(64), 'kept'], ['a'.repeat(65), '422 funnel_name'], ['A', '422 funnel_name'], ['-a', '422 funnel_name'], ['a%20b', '422 funnel_name'], ['0-_', 'kept']])
			assert.equal(await put({ steps: two }, name), want, name)
		await live.db.exec('DELETE FROM activity_funnel')
		assert.equal(await put({ steps: two }, 'checkout'), 'kept') // does not count
		await live.db.exec("INSERT INTO activity_funnel SELECT 'f' || i, definition, 'x' FROM activity_funnels(), generate_series(1, 99) i WHERE funnel_name = 'checkout'")
		assert.deepEqual([await put({ steps: two }, 'f100'), await put({ steps: two }, 'f101'), await put({ steps: two }, 'f100'), await put({ steps: two }, 'checkout')], ['kept', '422 funnel_name', 'kept', 'kept'])
		assert.equal((await get('/funnels')).json.funnels.length, 101)
		await live.db.exec('DELETE FROM activity_funnel')
	})

	it('tell analysts who is behind a figure, page by page, and that they did', async () => {
		const f = meant({ order: 'sequential', unit: 'user', window: 86_400, from: '2025-10-23T02:00:00Z', to: '2025-11-05T03:00:00Z', asOf: '2025-10-26T01:30:00Z', steps: CHECKOUT })
		const is = { reached: (w, n) => w.served.length >= n, open: (w, n) => w.served.length < n && w.open, dropped: (w, n) => w.served.length === n - 1 && !w.open }
		const ways = waysOfAll(f), asOne = (p) => `${p.kind} ${p.id} ${p.reached}`
		for (const [step, state] of [[1, 'reached'], [2, 'reached'], [2, 'dropped'], [3, 'open']]) {
			const got = []
			for (let cursor = null, pages = 0; pages === 0 || cursor; pages++) {
				const answer = await get(`/funnel/people?${new URLSearchParams({ start_date: '2025-10-23', end_date: '2025-11-05', window_s: 86_400, as_of: '2025-10-26T01:30:00Z', step, state, limit: 7, ...cursor ? { cursor } : {} })}`, 'analyst')
				assert.equal(answer.status, 200, answer.text)
				assert.equal(answer.json.as_of, '2025-10-26T01:30:00Z')
				assert.ok(answer.json.people.length <= 7)
				got.push(...answer.json.people)
				cursor = answer.json.next
			}
			const want = ways.filter((w) => is[state](w, step)).map((w) => `${w.person.kind} ${w.person.id} ${w.served.length}`)
			assert.ok(want.length > 3, `${step} ${state}: ${want.length}`)
			assert.deepEqual(got.map(asOne).sort(), want.sort())
		}
		const some = await get('/funnel/people?start_date=2025-10-23&end_date=2025-11-05&unit=session&breakdown=category&step=3&limit=100', 'analyst')
		const m = { ...f, unit: 'session', window: 604_800e6, asOf: Date.now() * 1000, breakdown: 'category' }
		const sessions = waysOfAll(m).filter((w) => w.served.length > 2).map((w) => `${w.group} ${w.served[0].at} ${w.served.at(-1).at}`)
		assert.deepEqual([...some.json.people.map((p) => `${p.group} ${Date.parse(p.began_at) * 1000} ${Date.parse(p.reached_at) * 1000}`)].sort(), sessions.sort())
		const line = await live.db.one('SELECT actor, action, object, detail FROM audit_log ORDER BY audit_id DESC LIMIT 1')
		assert.deepEqual(line, { actor: 'user:analyst', action: 'funnel_people', object: 'funnel:checkout',
			detail: { from: '2025-10-23T02:00:00Z', to: '2025-11-05T03:00:00Z', step: 3, state: 'reached', people: sessions.length } })
		assert.equal((await get('/funnel/people')).status, 403)
		for (const [query, field] of Object.entries({ 'step=5': 'step', 'step=0': 'step', 'step=11': 'step', 'state=x': 'state', 'state=dropped': 'state', 'limit=101': 'limit', 'limit=0': 'limit', 'cursor=x': 'cursor', 'cursor=1.2': 'cursor' }))
			assert.deepEqual([query, (await get(`/funnel/people?${query}`, 'analyst')).json.field], [query, field])
		const [{ id }] = (await get('/funnel/people?start_date=2025-10-23&end_date=2025-11-05&limit=1', 'analyst')).json.people
		await live.db.exec(`UPDATE activity_visitor SET id = NULL WHERE id = '${id}'`) // as one who was erased
		assert.deepEqual(Object.entries((await get('/funnel/people?start_date=2025-10-23&end_date=2025-11-05&limit=1', 'analyst')).json.people[0]).slice(0, 2), [['kind', null], ['id', null]])
	})

	it('can be switched off', async () => {
		const web = await Web.start({ ...live.settings, ENABLE_FUNNEL_ANALYSIS: '0' })
		for (const [method, path] of [['GET', '/funnel/analysis'], ['GET', '/funnel/people'], ['GET', '/funnels'], ['PUT', '/funnels/x'], ['DELETE', '/funnels/x']]) {
			const { status, json } = await web.get(path, { method, headers: who.admin })
			assert.deepEqual([status, json.code], [404, 'feature_disabled'], `${method} ${path}`)
		}
		assert.equal((await web.get('/info')).json.modules.funnels, 'disabled')
		await web.stop()
	})

	it('are kept until events take effect', async () => {
		const q = { start_date: '2025-10-23', end_date: '2025-10-30' }
		const first = await analysis(q), again = await analysis(q)
		assert.deepEqual([again.headers['x-cache'].slice(0, 3), again.text], ['hit', first.text])
		assert.equal((await get(`/funnel/analysis?${new URLSearchParams(q)}`, 'viewer', { headers: { ...who.viewer, 'if-none-match': first.headers.etag } })).status, 304)
		assert.equal((await send('POST', '/events/batch', { events: [{ event_type: 'product_view', user_id: 'late', timestamp: '2025-10-24T12:00:00Z' }] })).status, 200)
		await until(async () => (await analysis(q)).json.steps[0].users === first.json.steps[0].users + 1, { what: 'the new event' })
		await live.db.exec("UPDATE activity_site SET sequenced_from = '2025-10-25'")
		assert.equal((await analysis({ ...q, window_s: 604_799 })).json.known_from, '2025-10-25T02:00:00Z')
		assert.equal((await analysis({ ...q, start_date: '2025-10-25' })).json.known_from, null)
		await live.db.exec("UPDATE activity_site SET sequenced_from = '-infinity'")
	})
})
