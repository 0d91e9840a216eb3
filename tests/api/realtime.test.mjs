// The answers of /realtime/... over tables that are filled by SQL, as they are once events took effect.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PASSWORD, SECRET } from '../lib/access.mjs'
import { activityInsert } from '../lib/activity.mjs'
import { applied, day, session, visitor } from '../lib/activity_now.mjs'
import { Live } from '../lib/live.mjs'
import { run, sleep, until } from '../lib/process.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'

// A number as it stands in the text: JSON.parse would take 12.5 for 12.50.
const literal = (text, name) => new RegExp(`"${name}":([^,}]*)`).exec(text)[1]
const SETTINGS = { AUTH_MODE: 'required', JWT_SECRET: SECRET, RATE_LIMIT_USERS: '0', RATE_LIMIT_ADDRESSES: '0', ACTIVE_USER_TIMEOUT: '1800', SESSION_TIMEOUT: '3600',
	REALTIME_WINDOW_SECONDS: '60' }


describe('/realtime', () => {
	let live
	const who = {}
	let told = 0 // when the tables last changed
	const exec = async (sql) => { await live.db.exec(sql); told = Date.now() }
	const get = async (path, name = 'analyst') => {
		await sleep(Math.max(0, told + 1050 - Date.now())) // what was kept is of a second ago at most
		return live.web.get(path, { headers: who[name] })
	}
	const takings = async (args, input) => (await run(program, args, { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd(), input })).stdout.trim()

	before(async () => {
		live = await Live.start(SETTINGS, { streaming: false })
		for (const role of ['viewer', 'analyst']) {
			await takings(['user', 'add', role, '--role', role], `${PASSWORD}\n`)
			who[role] = { Authorization: `Bearer ${await takings(['user', 'token', role])}` }
		}
	})
	after(() => live?.stop())

	it('is there before anything was tracked, and knows of no orders nobody tells of', async () => {
		const { status, json, text } = await get('/realtime/overview')
		assert.equal(status, 200, text)
		assert.deepEqual(Object.keys(json), ['timestamp', 'active_users', 'active_sessions', 'orders_today', 'revenue_today', 'cart_value_avg', 'conversion_rate'])
		assert.deepEqual(Object.values(json).slice(1), [0, 0, null, null, null, null])
		assert.ok(Math.abs(Date.parse(json.timestamp) - Date.now()) < 5000)
		assert.equal((await get('/realtime/active-users')).json.by_minute.length, 30)
		assert.deepEqual((await get('/realtime/sessions')).json.sessions, [])
		assert.deepEqual((await get('/realtime/conversions')).json.funnel.map((f) => f.sessions), [0, 0, 0, 0])
		assert.ok(!('activity' in (await get('/api/admin/analytics/live')).json))
	})

	it('counts who is there, their sessions and carts, and what came of today', async () => {
		await exec(`${applied};
			${visitor(1, 'user', 'anna', 10)}; ${visitor(2, 'anonymous', 'a-2', 1790)}; ${visitor(3, 'user', 'late', 1810)}; ${visitor(4, 'session', 's4', 290)};
			${session(1, 1, 10, { cart: '30.10', steps: 3, groups: '4:mobile,1:/a,1:/b', page: '/b' })}; ${session(2, 2, 3590, { cart: '10.11', unpriced: 2, steps: 1, groups: '4:mobile', heard: 1790 })};
			${session(3, 3, 3610, { cart: '99', steps: 15, heard: 1810 })}; ${session(4, 4, 290, { groups: '4:', steps: 8, agoStart: 300 })}; ${session(5, 1, 20, { ended: true, cart: 5, steps: 11 })};
			${session(6, 1, 5, { bot: true, cart: '1000', steps: 15 })};
			INSERT INTO activity_session_sum VALUES ('day', false, 0, ${day}, '', 3, 1, 0, 9, 90), ('day', true, 0, ${day}, '', 50, 50, 0, 9, 90), ('day', false, 4, ${day}, 'mobile', 9, 9, 0, 9, 90);
			INSERT INTO activity_sum VALUES ('day', false, 0, ${day}, 'purchase', '', 2), ('day', true, 0, ${day}, 'purchase', '', 70), ('day', false, 0, ${day}, 'product_view', '', 12)`)
		const { json, text } = await get('/realtime/overview')
		assert.deepEqual([json.active_users, json.active_sessions], [3, 3], text)
		assert.equal(literal(text, 'cart_value_avg'), '20.10') // 40.21 / 2 = 20.105: half to even
		assert.equal(literal(text, 'conversion_rate'), '33.3')
	})

	it('has sessions with who it is for those who may know', async () => {
		const { json, text } = await get('/realtime/sessions')
		assert.deepEqual([json.active_sessions, json.window_seconds, json.carts, json.carts_unpriced, json.bot_sessions, json.currency], [3, 3600, 2, 2, 1, 'EUR'])
		assert.equal(literal(text, 'cart_value_avg'), '20.10')
		assert.deepEqual(json.sessions.map((s) => [s.visitor, s.user_id, s.session_id]), [[1, 'anna', 's1'], [4, null, 's4'], [2, null, 's2']])
		const { visitor: _, started_at: from, last_seen_at: to, ...first } = json.sessions[0]
		assert.deepEqual(first, { user_id: 'anna', session_id: 's1', events: 3, page_views: 2, landing: '/', page: '/b', source: 'google.com', device: 'mobile', cart_value: 30.1, converted: false })
		assert.ok(Date.parse(from) <= Date.parse(to))
		const plain = (await get('/realtime/sessions', 'viewer'))
		assert.deepEqual(plain.json.sessions.map((s) => [s.visitor, s.user_id, s.session_id]), [[1, null, null], [4, null, null], [2, null, null]])
		assert.ok(!/anna|"s1"/.test(plain.text))
	})

	it('lists the 50 sessions that began last', async () => {
		await exec(Array.from({ length: 60 }, (_, n) => session(100 + n, 1, 1, { agoStart: 400 + n })).join(';'))
		const { json } = await get('/realtime/sessions')
		assert.deepEqual([json.active_sessions, json.sessions.length, json.sessions[1].session_id, json.sessions[49].session_id], [63, 50, 's4', 's147'])
		await exec('DELETE FROM activity_session WHERE session_key >= 100')
	})

	it('tells people apart by minute and dimension', async () => {
		const minute = Math.floor(Date.now() / 60_000) * 60_000
		const at = (n, more) => ({ at: minute - n * 60_000 + 1, type: 'page_view', ...more })
		await exec(activityInsert([at(0, { user_id: 'anna' }), at(0, { user_id: 'anna', anonymous_id: 'a-2' }), at(0, { anonymous_id: 'a-2' }), at(0, { session_id: 's4' }),
			at(0, { user_id: 'late', flags: 32 }), at(5, { user_id: 'anna' }), at(29, { anonymous_id: 'a-2' }), at(30, { user_id: 'anna' }),
			{ at: minute - 3 * 86_400_000, received_at: minute, user_id: 'anna' }]))
		const { json, text } = await get('/realtime/active-users')
		assert.deepEqual([json.active_users, json.window_seconds, json.active_users_5m, json.by_minute.length], [3, 1800, 2, 30], text)
		assert.ok(!('by_dimension' in json))
		const of = (n) => json.by_minute.find((m) => Date.parse(m.at) === minute - n * 60_000)?.active_users
		assert.deepEqual([of(0), of(1), of(5), of(29) ?? 1], [3, 0, 1, 1]) // a minute may have gone by
		assert.ok(json.by_minute.every((m, i, all) => i === 0 || Date.parse(m.at) - Date.parse(all[i - 1].at) === 60_000))
		assert.deepEqual((await get('/realtime/active-users?dimension=device')).json.by_dimension, [{ value: 'mobile', active_users: 2 }, { value: '(not set)', active_users: 1 }])
		assert.deepEqual((await get('/realtime/active-users?dimension=page')).json.by_dimension, [{ value: '/a', active_users: 1 }, { value: '/b', active_users: 1 }])
		const none = await get('/realtime/active-users?dimension=nose')
		assert.deepEqual([none.status, none.json.field ?? none.json.errors?.[0]?.field], [404, 'dimension'])
		assert.match(none.json.detail, /page, source, campaign/)
	})

	it('has purchases of the window and the day, and the steps on the way', async () => {
		await exec(activityInsert([1, 59, 61].flatMap((s) => [{ at: Date.now() - s * 1000 + 500, type: 'purchase', user_id: 'anna' }])
			.concat({ at: Date.now() - 1000, type: 'purchase', user_id: 'b', flags: 16 })))
		const { json } = await get('/realtime/conversions')
		const { funnel, ...rest } = json
		assert.deepEqual(rest, { window_seconds: 60, purchases_in_window: 2, purchases_today: 2, sessions_today: 3, converted_today: 1, conversion_rate: 33.3 })
		assert.deepEqual(funnel, [{ step: 'product_view', sessions: 4, events: 12 }, { step: 'add_to_cart', sessions: 3, events: 0 },
			{ step: 'checkout_start', sessions: 1, events: 0 }, { step: 'purchase', sessions: 1, events: 2 }])
	})

	it('has orders and revenue of the live figures, and no purchase in them', async () => {
		const { activity } = (await get('/api/admin/analytics/live')).json
		assert.deepEqual([activity.active_users, activity.active_users_5m, activity.active_sessions, activity.carts, activity.conversion_rate], [3, 2, 3, 2, 33.3])
		await live.startStream() // which makes its own figures of the events there are
		await exec('UPDATE live_site SET rules_id = (SELECT rules_id FROM site)')
		await live.put({ id: 'o1', total: 1250, customer: 'c' })
		await live.put({ id: 'o2', total: 1000, customer: 'c' })
		let text
		await until(async () => /orders_today":2/.test(text = (await get('/realtime/overview')).text), { what: 'two orders' })
		assert.deepEqual([literal(text, 'orders_today'), literal(text, 'revenue_today')], ['2', '22.50'])
		const { json } = await get('/api/admin/analytics/live')
		assert.deepEqual([json.today.orders, json.today.revenue], [2, 22.5])
		await live.endStream()
	})

	it('is not there where it is switched off', async () => {
		const other = await Live.start({ ENABLE_REALTIME_ANALYTICS: '0' }, { streaming: false })
		for (const path of ['overview', 'active-users', 'sessions', 'conversions']) {
			const { status, json } = await other.web.get(`/realtime/${path}`)
			assert.deepEqual([status, json.code], [404, 'feature_disabled'])
		}
		await other.stop()
	})
})
