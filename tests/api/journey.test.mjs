// GET /user/{user_id}/journey and the page of a person, against the events that were sent: whatever id they came by, page
// by page, as of any time.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { accessDatabase, addUser, loggedIn, startWeb, takings, tokenOf } from '../lib/access.mjs'
import { FLAG, activityApplied, storeActivity, uuid } from '../lib/activity.mjs'
import { until } from '../lib/process.mjs'
import { Stream } from '../lib/stream.mjs'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const TODAY = Math.floor(Date.now() / DAY) * DAY
const TYPES = ['page_view', 'page_view', 'search', 'product_view', 'add_to_cart', 'checkout_start', 'purchase', 'odd']
const WEIGHTS = { page_view: 1, search: 2, filter: 1, product_view: 2, add_to_cart: 5, checkout_start: 8, purchase: 15 }

let seed = 8
const random = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return Math.floor(seed / 4294967296 * n) }
let serial = 0
const event = (at, more) => ({ at, type: TYPES[random(TYPES.length)], event_id: uuid(`journey ${++serial}`), ...more })

let made, db, web, stream, anna, token
before(async () => {
	made = await accessDatabase('journey-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0', BUSINESS_TIMEZONE: 'UTC', BUSINESS_DAY_CUTOFF: '0' })
	db = made.db
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst'], ['vera', 'viewer']]) await addUser(made.settings, name, role)
	anna = await loggedIn(web, 'anna')
	token = JSON.parse((await tokenOf(web, 'alan')).text).access_token
	stream = await Stream.start(db, made.settings)
})
after(async () => {
	await stream?.kill()
	await web?.stop()
})

const store = async (events) => {
	await storeActivity(db, events)
	await activityApplied(db, until)
}
const ask = (id, query = '', bearer = token) => web.get(`/user/${encodeURIComponent(id)}/journey${query && `?${query}`}`, { params: { HTTP_AUTHORIZATION: `Bearer ${bearer}` } })
const got = async (id, query) => {
	const reply = await ask(id, query)
	assert.equal(reply.status, 200, reply.text)
	return JSON.parse(reply.text)
}
// All pages; sessions of the whole as lists of ids, the oldest page first.
async function walk(id, query = '', between = () => {}) {
	const pages = []
	for (let cursor = ''; cursor !== null && pages.length < 1000;) {
		const page = await got(id, `${query}${cursor && `&cursor=${cursor}`}`)
		pages.unshift(page)
		cursor = page.next_cursor
		await between()
	}
	return pages
}
const touchpoints = (pages) => pages.flatMap((p) => p.sessions.flatMap((s) => s.touchpoints))
const inOrder = (events) => events.map((e, i) => ({ ...e, i })).sort((a, b) => a.at - b.at || a.i - b.i)

describe('a person by several ids', () => {
	const mine = [], others = []
	before(async () => {
		const start = TODAY - 20 * DAY
		// an anonymous visitor, who becomes known, and is known by a session alone
		for (let day = 0; day < 20; day++) {
			const at = start + day * DAY + random(20) * HOUR
			const ids = [{ anonymous_id: 'a-1' }, { anonymous_id: 'a-2' }, { user_id: 'maria' }, { user_id: 'maria', session_id: `m-${day}` }][random(4)]
			for (let i = 0; i < 6; i++) mine.push(event(at + i * 60_000, { ...ids, dims: { page: `/p${i}`, source: day === 3 && i === 2 ? 'news.example' : day === 15 && i === 0 ? 'google.com' : undefined,
				campaign: day === 3 && i === 2 ? 'spring' : undefined } }))
			others.push(event(at, { user_id: 'john', dims: { source: 'elsewhere' } }), event(at, { anonymous_id: 'a-9' }))
		}
		mine.push(event(start + 5 * DAY, { user_id: 'maria', anonymous_id: 'a-1' }), event(start + 6 * DAY, { user_id: 'maria', anonymous_id: 'a-2' }))
		mine.push(event(start + 7 * DAY, { session_id: 's-7' }), event(start + 7 * DAY + 1000, { session_id: 's-7', user_id: 'maria' }))
		// two at once, and two in the same microsecond
		for (let i = 0; i < 5; i++) mine.push(event(start + 8 * DAY + i * 1000, { user_id: 'maria', session_id: i % 2 ? 'odd' : 'even' }))
		for (let i = 0; i < 4; i++) mine.push(event(start + 9 * DAY, { user_id: 'maria' }))
		// a bot by the same id
		for (let i = 0; i < 3; i++) mine.push(event(start + 10 * DAY + i * 1000, { user_id: 'maria', flags: FLAG.botName, dims: { source: 'bots.example' } }))
		await store([...mine, ...others])
	})

	it('has all of them, by whichever id is asked', async () => {
		const want = inOrder(mine).map((e) => e.event_id)
		for (const id of ['maria', 'a-1', 'a-2', 's-7', 'm-1', 'even']) {
			const reply = await ask(id)
			if (reply.status === 404) { assert.ok(!mine.some((e) => e.session_id === id)); continue }
			const pages = await walk(id, 'limit=500')
			assert.equal(pages[0].id, 'maria')
			assert.equal(pages[0].kind, 'user')
			assert.deepEqual(touchpoints(pages).map((t) => t.event_id).sort(), [...want].sort(), id)
		}
		assert.equal((await ask('maria', 'kind=anonymous')).status, 404)
	})

	it('groups them by session, the newest last', async () => {
		const [page] = await walk('maria', 'limit=500')
		const of = new Map(mine.map((e) => [e.event_id, e]))
		let before = 0
		for (const s of page.sessions) {
			const events = s.touchpoints.map((t) => of.get(t.event_id))
			assert.ok(events[0].at >= before, 'sessions by their first touchpoint')
			before = events[0].at
			assert.equal(new Set(events.map((e) => e.session_id)).size, 1)
			assert.equal(new Set(events.map((e) => !!e.flags)).size, 1)
			assert.equal(s.session_id, events[0].session_id ?? null)
			assert.equal(s.bot, !!events[0].flags)
			assert.equal(Date.parse(s.started_at), events[0].at)
			assert.equal(s.earlier, false)
			assert.deepEqual(events.map((e) => e.event_id), inOrder(mine).filter((e) => events.includes(of.get(e.event_id))).map((e) => e.event_id))
			for (const [i, t] of s.touchpoints.entries()) {
				assert.equal(t.event_type, events[i].type)
				assert.equal(Date.parse(t.occurred_at), events[i].at)
				assert.equal(t.page, events[i].dims?.page ?? null)
			}
		}
		assert.equal(page.bot_sessions_n, 1)
	})

	it('says the first and the last source, and not a bot\'s', async () => {
		const page = await got('maria')
		assert.equal(page.first_touch.source, 'news.example')
		assert.equal(page.first_touch.campaign, 'spring')
		assert.equal(page.last_touch.source, 'google.com')
		assert.equal(page.last_touch.campaign, null)
		const [first, last] = ['news.example', 'google.com'].map((s) => mine.find((e) => e.dims?.source === s))
		assert.equal(Date.parse(page.first_touch.at), first.at)
		const between = await got('maria', `as_of=${new Date(last.at - 1).toISOString()}`)
		assert.equal(between.last_touch.source, 'news.example')
		assert.equal((await got('maria', `as_of=${new Date(first.at - 1).toISOString()}`)).first_touch, null)
		assert.equal((await got('john')).first_touch.source, 'elsewhere')
	})

	it('comes page by page, whatever the size of a page, and whatever comes meanwhile', async () => {
		const want = inOrder(mine).map((e) => e.event_id)
		const as_of = new Date().toISOString()
		for (const limit of [1, 3, 7, 50]) {
			let late = 0
			const pages = await walk('maria', `limit=${limit}&as_of=${as_of}`, async () => {
				if (limit === 7 && late++ < 3) await store([event(Date.now(), { user_id: 'maria', session_id: `later-${late}` })])
			})
			const list = pages.map((p) => p.sessions.flatMap((s) => s.touchpoints.map((t) => t.event_id)))
			for (const ids of list.slice(1)) assert.equal(ids.length, limit, 'full pages')
			assert.deepEqual(list.flat().sort(), [...want].sort(), `limit ${limit}`)
			// page after page in the order of time
			const place = new Map(want.map((id, i) => [id, i]))
			let before = -1
			for (const ids of list) {
				assert.ok(Math.min(...ids.map((id) => place.get(id))) > before)
				before = Math.max(...ids.map((id) => place.get(id)))
			}
			const seen = new Set()
			for (const p of pages) for (const s of p.sessions) {
				assert.equal(s.earlier, seen.has(`${s.session_id} ${s.started_at} ${s.bot}`), 'says that it goes on')
				seen.add(`${s.session_id} ${s.started_at} ${s.bot}`)
			}
		}
	})

	it('is as it was at any time', async () => {
		for (let i = 0; i < 12; i++) {
			const at = TODAY - 20 * DAY + random(20 * 24) * HOUR + random(2)
			const query = `limit=500&as_of=${new Date(at).toISOString()}`
			const page = await got('maria', query)
			assert.deepEqual(touchpoints([page]).map((t) => t.event_id).sort(), mine.filter((e) => e.at <= at).map((e) => e.event_id).sort())
			assert.deepEqual(await got('maria', query), page)
			// engagement, by its definition
			const day = Math.floor(at / DAY)
			const counts = {}
			for (const e of mine.filter((x) => x.at <= at && !x.flags)) {
				const age = day - Math.floor(e.at / DAY)
				if (age < 30) ((counts[e.type] ??= {})[age] ??= []).push(e)
			}
			let sum = 0
			for (const [type, ages] of Object.entries(counts))
				for (const [age, list] of Object.entries(ages)) sum += (WEIGHTS[type] ?? 0) * Math.min(50, list.length) * 0.5 ** (age / 7)
			assert.ok(Math.abs(page.engagement.sum - sum) < 0.0001, `${page.engagement.sum}, ${sum}`)
			assert.ok(Math.abs(page.engagement.score - 100 * (1 - Math.exp(-sum / 40))) <= 0.05001)
			assert.deepEqual(Object.fromEntries(page.engagement.parts.map((p) => [p.event_type, p.events])),
				Object.fromEntries(Object.entries(counts).map(([type, ages]) => [type, Object.values(ages).flat().length])))
		}
	})
})

it('has what two people did in one session with each of them', async () => {
	const start = TODAY - 4 * DAY
	const by = (user, i, more) => event(start + i * 60_000, { user_id: user, session_id: 'shared', dims: { page: `/${user}/${i}` }, ...more })
	const of = { ann: [0, 1, 4].map((i) => by('ann', i)), ben: [2, 3, 5].map((i) => by('ben', i, { type: i === 3 ? 'purchase' : 'page_view' })) }
	of.ben.push(event(start + 10 * HOUR, { user_id: 'ben', type: 'add_to_cart' }))
	await store([...of.ann, ...of.ben])
	await until(async () => await db.value("SELECT sequenced_from = '-infinity' FROM activity_site"), { what: 'sequences' })
	for (const [who, events] of Object.entries(of)) {
		const page = await got(who)
		assert.deepEqual(touchpoints([page]).map((t) => t.event_id), inOrder(events).map((e) => e.event_id), who)
		assert.equal(page.engagement.parts.reduce((sum, p) => sum + p.events, 0), events.length)
	}
})

describe('who is asked for', () => {
	it('has to be known, and not erased', async () => {
		assert.equal((await ask('nobody')).status, 404)
		assert.equal(JSON.parse((await ask('nobody')).text).field, 'user_id')
		await store([event(Date.now() - DAY, { user_id: 'gone', anonymous_id: 'gone-a' }), event(Date.now() - DAY + 1, { anonymous_id: 'gone-a' })])
		const number = (await got('gone')).person_id
		assert.equal((await anna.ask(`/admin/person/${number}`)).status, 200)
		await takings(made.settings, ['person', 'erase', '--user', 'gone', '--yes'])
		for (const id of ['gone', 'gone-a']) assert.equal((await ask(id)).status, 404, id)
		assert.equal((await anna.ask(`/admin/person/${number}`)).status, 404)
	})

	it('leaves a line in the audit, without the id', async () => {
		const lines = () => db.value("SELECT count(*)::int FROM audit_log WHERE action = 'person_journey'")
		const n = await lines()
		const { person_id } = await got('maria')
		const { actor, object, detail } = await db.one("SELECT actor, object, detail FROM audit_log WHERE action = 'person_journey' ORDER BY audit_id DESC LIMIT 1")
		assert.equal(actor, 'user:alan')
		assert.match(object, /^person:/)
		assert.deepEqual(detail, { person_id })
		assert.doesNotMatch(object, /maria/)
		await anna.ask(`/admin/person/${person_id}`)
		assert.equal(await lines(), n + 2)
		assert.doesNotMatch(web.log ?? '', /maria/)
	})

	it('stands in no cache and in no log', async () => {
		const reply = await ask('maria')
		assert.match(String(reply.headers['cache-control']), /no-store/)
		assert.equal((await ask('maria-with-a-long-name')).status, 404)
		assert.doesNotMatch(web.stderr ?? web.log ?? '', /maria/)
	})

	it('has to be asked for well', async () => {
		const status = async (query) => (await ask('maria', query)).status
		assert.equal(await status('as_of=yesterday'), 422)
		assert.equal(await status('as_of=2025-11-01T12:00:00'), 422)
		assert.equal(await status(`as_of=${new Date(Date.now() + HOUR).toISOString()}`), 422)
		for (const cursor of ['1', '1.2', '1.2.', '1.2.x', '1.2.3.4', '-1.2.3', '..']) assert.equal(await status(`cursor=${cursor}`), 422, cursor)
		assert.equal(await status('as_of=2025-11-01T12:00:00Z&cursor=1.2.3'), 422)
		assert.equal(await status('limit=0'), 422)
		assert.equal(await status('limit=501'), 422)
		assert.equal(await status('more=1'), 422)
	})
})
