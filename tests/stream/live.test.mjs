// live.test.mjs: /ws/realtime from outside: who comes in, what they are told, and what a loss costs. FAULTS=long: 20
// kills instead of five.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PASSWORD, SECRET, csrfOf, forge } from '../lib/access.mjs'
import { activityInsert } from '../lib/activity.mjs'
import { Live } from '../lib/live.mjs'
import { must, run, sleep, until } from '../lib/process.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { Socket, frame } from '../lib/ws.mjs'

const SETTINGS = { AUTH_MODE: 'required', JWT_SECRET: SECRET, RATE_LIMIT_LOGIN: '0', RATE_LIMIT_USERS: '0', RATE_LIMIT_KEYS: '0', RATE_LIMIT_ADDRESSES: '0' }
const MEMBERS = ['site', 'rates', 'today', 'before', 'minutes', 'minute', 'top_products', 'statuses', 'recent_orders', 'source']

const KILLS = process.env.FAULTS === 'long' ? 20 : 5

let live, serial = 0
const who = {} // headers by name

const takings = async (args, input) => {
	const done = await run(program, args, { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd(), input })
	assert.equal(done.code, 0, done.stderr)
	return done.stdout.trim()
}
const own = () => `http://127.0.0.1:${live.port}`
const bearer = (token) => ({ Authorization: `Bearer ${token}` })
const order = (more) => live.put({ id: `o${++serial}`, customer: 'c1', ...more })

async function logIn(username) {
	const page = await live.web.get('/admin/login')
	const cookie = (reply) => (reply.headers['set-cookie'] ?? []).map((c) => c.split(';')[0])
	const reply = await live.web.get('/admin/login', { method: 'POST', body: new URLSearchParams({ username, password: PASSWORD, csrf: csrfOf(page.text), next: '/admin/' }).toString(),
		headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', cookie: cookie(page)[0] } })
	assert.equal(reply.status, 303)
	return cookie(reply).find((c) => c.startsWith('sid='))
}

// Opens, takes the status, closes.
async function knock(headers, query) {
	const s = await live.connect(headers, query)
	s.close()
	return s.status
}

before(async () => {
	live = await Live.start(SETTINGS)
	for (const role of ['viewer', 'analyst']) {
		await takings(['user', 'add', role, '--role', role], `${PASSWORD}\n`)
		who[role] = bearer(await takings(['user', 'token', role]))
	}
	for (const scope of ['ingest', 'read', 'admin']) who[scope] = bearer(/tk_[\w-]+/.exec(await takings(['key', 'add', scope, '--scope', scope]))[0])
	who.cookie = { Cookie: await logIn('viewer') }
})

after(() => live?.stop())

const ticket = async (headers = who.viewer) => (await live.web.get('/ws/ticket', { method: 'POST', headers })).json?.ticket

// ---- who comes in

test('nobody comes in without a login, and a browser from a page of ours only', async () => {
	assert.equal(await knock({}), 401)
	assert.equal(await knock({ Origin: own() }), 401)
	assert.equal(await knock({ ...who.cookie, Origin: own() }), 101)
	assert.equal(await knock(who.cookie), 403)
	for (const origin of ['http://evil.example', `${own()}.evil.example`, 'null', own().replace('http', 'https'), 'http://127.0.0.1'])
		assert.equal(await knock({ ...who.cookie, Origin: origin }), 403, origin)
	assert.equal(await knock({ Cookie: 'sid=nothing', Origin: own() }), 401)
})

test('a token or key comes in by its rights, from anywhere', async () => {
	for (const [name, status] of [['viewer', 101], ['analyst', 101], ['read', 101], ['admin', 101], ['ingest', 403]])
		assert.equal(await knock({ ...who[name], Origin: 'http://elsewhere.example' }), status, name)
	assert.equal(await knock(bearer('nonsense')), 401)
})

test('a ticket comes in for a minute, and nowhere else', async () => {
	const good = await ticket()
	assert.equal(await knock({}, `?ticket=${good}`), 101)
	assert.equal((await live.web.get('/api/admin/analytics/live', { headers: bearer(good) })).status, 401) // no bearer token
	assert.equal(await knock({}, `?ticket=${who.viewer.Authorization.slice(7)}`), 401) // nor the other way round
	const [head, claims] = good.split('.').map((p, i) => (i < 2 ? JSON.parse(Buffer.from(p, 'base64url')) : p))
	assert.equal(claims.exp - claims.iat, 60)
	assert.equal(head.alg, 'HS256')
	const now = Math.floor(Date.now() / 1000)
	assert.equal(await knock({}, `?ticket=${forge({ ...claims, jti: 'x' })}`), 101) // the forger knows the secret
	assert.equal(await knock({}, `?ticket=${forge({ ...claims, iat: now - 61, exp: now - 1 })}`), 401)
	assert.equal(await knock({}, `?ticket=${forge({ ...claims, aud: 'takings' })}`), 401)
	assert.equal(await knock({}, `?ticket=${forge(claims, { secret: `${SECRET}x` })}`), 401)
	assert.equal(await knock({}, '?ticket='), 401)
	assert.equal(await knock({}, '?ticket=a%0d%0ab'), 401)
	const from = async (headers) => (await live.web.get('/ws/ticket', { method: 'POST', headers })).status
	assert.equal(await from({}), 401)
	assert.equal(await from(who.read), 403)
	assert.equal(await from(who.cookie), 403) // without the token of our own pages
})

test('who is disabled is out with the next connection', async () => {
	await takings(['user', 'add', 'gone', '--role', 'viewer'], `${PASSWORD}\n`)
	const headers = bearer(await takings(['user', 'token', 'gone']))
	const pass = await ticket(headers)
	assert.equal(await knock(headers), 101)
	await takings(['user', 'disable', 'gone'])
	await until(async () => (await knock(headers)) === 401, { what: 'the door to close' })
	assert.equal(await knock({}, `?ticket=${pass}`), 401)
})

test('nobody reaches the door itself, and what is no WebSocket is told so', async () => {
	for (const headers of [{}, who.admin]) assert.equal((await live.web.get('/ws/auth', { headers })).status, 404)
	const plain = await live.web.get('/ws/realtime', { headers: who.viewer })
	assert.equal(plain.status, 426)
	assert.equal(plain.json.status, 426)
})

// ---- what they are told

test('a snapshot of everything first, then what has changed, with numbers that grow', async () => {
	const s = await live.connect(who.analyst)
	const first = await s.wait((m) => m.type === 'snapshot')
	assert.deepEqual(Object.keys(first.data), MEMBERS)
	assert.equal(s.messages[0], first)
	const id = `o${serial + 1}`, orders = first.data.today.placed_orders, revenue = first.data.today.revenue
	await order({ total: 1234, name: 'Tiramisu', item: '77' })
	const put = Date.now()
	const news = await s.wait((m) => m.data?.recent_orders?.[0]?.order_id === id, 'the order')
	assert.ok(news.at - put < 2000, `${news.at - put} ms`)
	assert.equal(news.type, 'delta')
	assert.equal(news.data.today.placed_orders, orders + 1)
	assert.equal(Math.round((news.data.today.revenue - revenue) * 100), 1234)
	assert.equal(news.data.recent_orders[0].total, 12.34)
	assert.ok(news.data.top_products.some((p) => p.product_id === '77' && p.name === 'Tiramisu' && p.revenue === 12.34))
	assert.equal(news.data.site, undefined) // did not change
	await s.wait((m) => m.seq > news.seq && !m.data?.recent_orders, 'one without orders')
	for (let i = 1; i < s.messages.length; i++) // a heartbeat says the number there is
		assert.ok(s.messages[i].seq - s.messages[i - 1].seq >= (s.messages[i].type === 'heartbeat' ? 0 : 1), `${i}`)
	s.close()
})

test('at least every 5 s, a heartbeat every 15 s, and no more than one a second', async () => {
	const s = await live.connect(who.viewer)
	await s.wait((m) => m.type === 'snapshot')
	const busy = Date.now() + 5000 // orders ten times a second
	while (Date.now() < busy) { await order(); await sleep(20) }
	const [one, two] = await until(() => { const beats = s.messages.filter((m) => m.type === 'heartbeat'); return beats.length >= 2 && beats }, { what: 'two heartbeats' })
	assert.ok(Math.abs(two.at - one.at - 15000) < 1500, `${two.at - one.at} ms`)
	const pictures = s.messages.filter((m) => m.type !== 'heartbeat'), gaps = pictures.slice(1).map((m, i) => m.at - pictures[i].at)
	const deltas = pictures.slice(1), apart = `${deltas.map((m) => m.at - deltas[0].at)}`
	// What comes late does not put off the next: any number of them takes a second each, and while orders come no longer.
	for (let i = 0; i < deltas.length; i++) for (let k = i + 1; k < deltas.length; k++)
		assert.ok(deltas[k].at - deltas[i].at >= (k - i) * 1000 - 500, apart)
	const lively = deltas.filter((m) => m.at < busy - 100)
	assert.ok(lively.at(-1).at - lively[0].at <= (lively.length - 1) * 1000 + 500, apart)
	assert.ok(Math.max(...gaps) < 6500, `${gaps}`)
	assert.ok(gaps.filter((g) => g < 2000).length >= 3, `${gaps}`) // as often as it may while orders come
	assert.equal(two.data, undefined)
	s.close()
})

test('the figures of the socket are those of the address, and the rows of the tables', async () => {
	await order({ total: 500, currency: 'USD', customer: 'c2' })
	const s = await live.connect(who.analyst)
	const snapshot = await s.wait((m) => m.data?.today?.other_currencies.length)
	const json = (await live.web.get('/api/admin/analytics/live', { headers: who.analyst })).json
	for (const member of ['today', 'top_products', 'statuses', 'recent_orders', 'before', 'site']) assert.deepEqual(snapshot.data[member] ?? json[member], json[member], member)
	const { placed, minor } = await live.db.one(`SELECT sum(placed)::int AS placed, sum(gross_minor - refund_minor)::int AS minor FROM live_day WHERE currency = 'EUR' AND business_date = current_date`)
	assert.equal(json.today.placed_orders, placed)
	assert.equal(Math.round(json.today.revenue * 100), minor)
	assert.deepEqual(json.today.other_currencies, [{ currency: 'USD', placed_orders: 1, revenue: 5 }])
	assert.equal(json.recent_orders[0].currency, 'USD')
	assert.equal(json.minutes.length, 59)
	assert.equal([...json.minutes, json.minute].reduce((n, m) => n + m.orders, 0), placed)
	s.close()
})

test('rates are of the window, a minute, and cancellations stand apart', async () => {
	const minute = await live.db.value(`SELECT count(*)::int FROM order_state WHERE placed_at > now() - interval '60 seconds'`)
	await order({ agoS: 3000 })
	await live.db.exec(`UPDATE order_state SET cancelled_at = now() WHERE order_id IN ('o1', 'o2'); NOTIFY takings_live`)
	const told = await until(async () => {
		const { rates } = (await live.web.get('/api/admin/analytics/live', { headers: who.read })).json
		return rates.cancelled_per_minute === 2 && rates
	}, { what: 'two cancellations' })
	assert.ok(Math.abs(told.orders_per_minute - minute) <= minute, `${told.orders_per_minute} ${minute}`)
	assert.ok(told.revenue_per_minute >= 0)
	await live.db.exec(`UPDATE order_state SET cancelled_at = NULL; NOTIFY takings_live`)
})

test('ids of customers are for analysts, admins and their keys', async () => {
	for (const [name, seen] of [['viewer', false], ['read', false], ['analyst', true], ['admin', true]]) {
		const s = await live.connect({ ...who[name], 'X-Takings-Live': 'full' }) // what a client says is not heard
		const { data } = await s.wait((m) => m.type === 'snapshot')
		assert.equal(data.recent_orders.some((o) => o.customer_id !== null), seen, name)
		await order()
		const { data: next } = await s.wait((m) => m.type === 'delta' && m.data.recent_orders)
		assert.equal(next.recent_orders.some((o) => o.customer_id !== null), seen, name)
		const { json } = await live.web.get('/api/admin/analytics/live', { headers: who[name] })
		assert.equal(json.recent_orders.some((o) => o.customer_id !== null), seen, name)
		s.close()
	}
})

test('activity is for everybody, who did it for those who may see customers, and no member before there is any', async () => {
	const of = async (name) => {
		const s = await live.connect(who[name])
		const { data } = await s.wait((m) => m.type === 'snapshot')
		s.close()
		return data
	}
	assert.ok(!('activity' in await of('analyst')) && !('activity_feed' in await of('analyst')))
	await live.db.exec(activityInsert([{ at: Date.now(), type: 'add_to_cart', user_id: 'anna', dims: { page: '/shoes', product: '7' } }]))
	const told = await until(async () => { const data = await of('analyst'); return data.activity && data }, { what: 'activity in the picture' })
	assert.deepEqual([told.activity.active_users, told.activity.active_users_5m, told.activity.active_sessions, told.activity.conversion_rate], [1, 1, 1, 0])
	assert.deepEqual(told.activity_pages, [{ page: '/shoes', users: 1 }])
	for (const [name, id] of [['analyst', 'anna'], ['admin', 'anna'], ['viewer', null], ['read', null]]) {
		const { activity_feed: [{ event_type: type, product, page, who: by }] } = await of(name)
		assert.deepEqual([type, product, page, by], ['add_to_cart', '7', '/shoes', id], name)
	}
	await takings(['user', 'add', 'chief', '--role', 'admin'], `${PASSWORD}\n`)
	// How long that takes is measured of what came after the first picture and has taken effect.
	const delay = async () => Number(/^analytics_live_delay_ms (\S+)$/m.exec((await live.web.get('/metrics')).text)?.[1])
	await live.db.exec(activityInsert([{ at: Date.now() - 5000, user_id: 'anna' }]))
	const ms = await until(async () => { const n = await delay(); return n > 4000 && n }, { what: 'the delay' })
	assert.ok(ms < 9000, `${ms} ms`)
	assert.match((await live.web.get('/admin/system', { headers: { Cookie: await logIn('chief') } })).text, /id="live-delay">[\d,\u202f]+ ms/)
})

test('bookings are for whoever may read their figures, and are no member before there are any', async () => {
	const snapshot = async (name, headers = {}) => {
		const s = await live.connect({ ...who[name], ...headers })
		const { data } = await s.wait((m) => m.type === 'snapshot')
		s.close()
		return data
	}
	assert.ok(!('bookings' in await snapshot('admin')))
	const message = (more) => JSON.stringify({ occurred_at: new Date().toISOString(), event_id: 5, ...more })
	for (const body of [message({ type: 'event.published', name: 'Concert', capacity: 10 }), message({ type: 'booking.created', booking_id: 'b', seats: 3, status: 'confirmed', amount: '30.00' })])
		assert.equal((await live.web.get('/api/v1/ingest', { method: 'POST', headers: { ...who.ingest, 'content-type': 'application/json' }, body })).status, 202)
	const told = await until(async () => { const { bookings } = await snapshot('admin'); return bookings?.leaders.length && bookings }, { what: 'bookings in the picture' }) // ranks follow
	assert.deepEqual(told.leaders, [{ rank: 1, event_id: 5, name: 'Concert', bookings: 1, seats: 3, capacity: 10, filled: 30, overbooked: false }])
	assert.deepEqual([told.new_bookings, told.seats_sold, told.booking_revenue, told.changed.length], [1, 3, 30, 1])
	for (const name of ['viewer', 'analyst', 'read']) {
		const data = await snapshot(name, { 'X-Takings-Live': 'full bookings' })
		assert.ok(data.today && !('bookings' in data), name)
	}
	// What is cancelled is told within a second or so.
	const s = await live.connect(who.admin)
	await s.wait((m) => m.type === 'snapshot')
	const begun = Date.now()
	await live.web.get('/api/v1/ingest', { method: 'POST', headers: { ...who.ingest, 'content-type': 'application/json' }, body: message({ type: 'booking.cancelled', booking_id: 'b' }) })
	const { data } = await s.wait((m) => m.data?.bookings?.leaders[0].seats === 0)
	assert.ok(Date.now() - begun < 3000, `${Date.now() - begun} ms`)
	assert.ok(data.bookings.version > told.version)
	s.close()
})

test('the address has an ETag that stays while nothing changes', async () => {
	// The window of the rates and the minutes move with the clock.
	const same = await until(async () => {
		const one = await live.web.get('/api/admin/analytics/live', { headers: who.viewer })
		const two = await live.web.get('/api/admin/analytics/live', { headers: { ...who.viewer, 'If-None-Match': one.headers.etag } })
		return two.status === 304 && one
	}, { what: 'a 304' })
	assert.match(same.headers.etag, /^(W\/)?"[0-9a-f]{32}"$/)
	await order()
	await sleep(1100)
	const now = await live.web.get('/api/admin/analytics/live', { headers: { ...who.viewer, 'If-None-Match': same.headers.etag } })
	assert.equal(now.status, 200)
})

// ---- coming again

test('who comes again with a number gets what was missed, with one nobody knows everything', async () => {
	const s = await live.connect(who.viewer)
	const { seq } = await s.wait((m) => m.type === 'snapshot')
	s.close()
	await order({ status: 'brand-new' })
	await sleep(2500)
	const again = await live.connect(who.viewer, `?since=${seq}`)
	const first = await again.wait(() => true)
	assert.equal(first.type, 'delta')
	assert.ok(first.seq > seq)
	assert.ok(first.data.statuses.some((x) => x.status === 'brand-new'))
	assert.equal(first.data.site, undefined)
	again.close()
	for (const odd of ['0', String(seq - 1_000_000), String(seq + 1_000_000), '', '-1', 'x', '99999999999999999999', '1%20HTTP']) {
		const other = await live.connect(who.viewer, `?since=${odd}`)
		assert.equal((await other.wait(() => true)).type, 'snapshot', odd)
		other.close()
	}
})

test('what a client sends is not read, and not taken in at any length', async () => {
	const s = await live.connect(who.viewer)
	await s.wait(() => true)
	for (let i = 0; i < 50; i++) s.send('{"type":"subscribe"}')
	s.ping()
	await until(() => s.pongs, { what: 'a pong' })
	await s.wait((m) => m.type === 'delta')
	s.send('x'.repeat(5000))
	await until(() => s.closed, { what: 'the close' })
	assert.equal(s.code, 1009)
	const odd = await live.connect(who.viewer)
	odd.conn.write(Buffer.from([0x81, 0x05, 1, 2, 3, 4, 5])) // not masked: no client may do so
	odd.conn.write(frame(3))
	await until(() => odd.closed, { what: 'the end of one that speaks otherwise' })
	assert.equal(await knock(who.viewer), 101)
})

test('a stop says goodbye, what comes meanwhile hears that it is away, and numbers never go back', async () => {
	const s = await live.connect(who.viewer)
	const { seq } = await s.wait((m) => m.type === 'snapshot')
	assert.equal(await live.endStream(), 0)
	await until(() => s.closed, { what: 'the close' })
	assert.equal(s.code, 1001)
	assert.equal(await knock(who.viewer), 503)
	assert.equal((await live.web.get('/api/admin/analytics/live', { headers: who.viewer })).status, 200)
	await live.startStream()
	const again = await live.connect(who.viewer, `?since=${s.last.seq}`)
	const first = await again.wait(() => true)
	assert.equal(first.type, 'snapshot')
	assert.ok(first.seq > seq && first.seq > s.last.seq)
	again.close()
})

test('a successor takes the socket over and the one before keeps its clients until it goes', async () => {
	const s = await live.connect(who.viewer)
	await s.wait(() => true)
	const old = live.child
	await live.startStream()
	await order({ status: 'taken-over' })
	await s.wait((m) => m.data?.statuses?.some((x) => x.status === 'taken-over'), 'news from the one before')
	assert.equal(await live.endStream('SIGTERM', old), 0)
	await until(() => s.closed)
	assert.equal(await knock(who.viewer), 101)
})

test(`killed ${KILLS} times under 200 clients: each is back with right figures`, async () => {
	const clients = [], state = { running: true }
	const keep = async (i) => {
		const c = clients[i] = { seq: null, snapshots: 0, data: {} }
		while (state.running) {
			try {
				const s = await Socket.open({ port: live.port }, `/ws/realtime${c.seq ? `?since=${c.seq}` : ''}`, who.viewer)
				if (s.status !== 101) throw new Error(String(s.status))
				s.keeps = false
				c.socket = s
				await new Promise((done) => {
					s.onclose = done
					if (s.closed) done()
					s.onmessage = (m) => {
						assert.ok(c.seq === null || m.seq >= c.seq)
						c.seq = m.seq
						if (m.type === 'snapshot') { c.data = m.data; c.snapshots++ } else Object.assign(c.data, m.data)
						c.upAt = Date.now()
					}
					for (const m of s.messages.splice(0)) s.onmessage(m) // what came along with the handshake
				})
			} catch { /* again */ }
			await sleep(100 + Math.random() * 400)
		}
	}
	const loops = Array.from({ length: 200 }, (_, i) => keep(i))
	after(() => { state.running = false; for (const c of clients) c.socket?.close() })
	await until(() => clients.every((c) => c.snapshots), { what: 'all clients' })
	for (let round = 0; round < KILLS; round++) {
		await live.endStream('SIGKILL')
		const id = `k${round}`
		await live.put({ id })
		await live.startStream()
		const backAt = Date.now(), total = await live.db.value(`SELECT placed::int FROM live_day WHERE business_date = current_date AND currency = 'EUR'`)
		await until(() => clients.every((c) => c.data.recent_orders?.some((o) => o.order_id === id) && c.data.today.placed_orders === total && c.upAt > backAt - 1000),
			{ what: `all clients of round ${round}` })
	}
	assert.ok(clients.every((c) => c.snapshots > KILLS), 'another process begins with everything')
	state.running = false
	for (const c of clients) c.socket?.close()
	await Promise.all(loops)
})

test('LIVE_CLIENTS is how many there may be: one more is told to come later', async () => {
	await live.endStream()
	await live.startStream({ LIVE_CLIENTS: '3' })
	await sleep(300) // the one that looked whether it is up is gone
	const open = []
	for (let i = 0; i < 3; i++) {
		open.push(await live.connect(who.viewer))
		await open[i].wait((m) => m.type === 'snapshot')
	}
	const over = await live.connect(who.viewer)
	await until(() => over.closed, { what: 'the refusal' })
	assert.equal(over.code, 1013)
	assert.equal(over.messages.length, 0)
	open[0].close()
	await until(async () => {
		const s = await live.connect(who.viewer)
		const first = await s.wait(() => true).catch(() => null)
		s.close()
		return first?.type === 'snapshot'
	}, { what: 'a place' })
	assert.ok(open.slice(1).every((s) => !s.closed))
	await live.endStream()
	await live.startStream()
})

test('with the database away clients stay, and the figures go on when it is back', async () => {
	const s = await live.connect(who.viewer)
	await s.wait((m) => m.type === 'snapshot')
	await must('psql', ['-X', '-q', '-c', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'takings-stream%' AND datname = current_database()`, live.db.url()])
	await order({ status: 'after-a-loss' })
	await s.wait((m) => m.data?.statuses?.some((x) => x.status === 'after-a-loss'), 'news after the loss')
	assert.ok(!s.closed)
	s.close()
})
