// One person's data: shown, taken away, given to nobody; and that nothing brings back what was taken away.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { accessDatabase, addUser, csrfOf, loggedIn, startWeb, takings } from '../lib/access.mjs'
import { cleanEnv, must, run, until } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'
import { Kafka, Stream } from '../lib/stream.mjs'
import { emptyCwd, orderTables, program } from '../lib/shop.mjs'

const DAY = '2026-03-02'
const order = (id, customer, more) => ({ event_type: 'OrderCreatedEvent', order_id: id, status: 'SERVED', total_amount: '12.50', created_at: `${DAY}T12:00:00Z`,
	currency: 'EUR', customer_id: customer, ...more })
const booking = (id, user, more) => ({ type: 'booking.created', booking_id: id, event_id: 17, user_id: user, seats: 2, amount: '58.00', status: 'confirmed', occurred_at: `${DAY}T11:00:00Z`, ...more })

// All ways in which an id could stand somewhere.
function spellings(id) {
	const bytes = Buffer.from(id)
	const base64 = [0, 1, 2].map((skip) => Buffer.concat([Buffer.alloc(skip), bytes]).toString('base64').slice(skip ? 4 : 0).replace(/[=]+$/, '').slice(0, -1))
	return [id, encodeURIComponent(id), encodeURIComponent(id).toLowerCase(), JSON.stringify(id).slice(1, -1), bytes.toString('hex'), ...base64]
}

// Tables of figures, and what they hold.
const FIGURES = ['activity_sum', 'activity_session_sum', 'activity_user_sum', 'activity_person_day', 'live_day', 'live_status', 'live_hour', 'live_minute', 'live_item',
	'live_product', 'event_day', 'category_day', 'booking_day', 'booking_hour', 'booking_lead', 'event_stats']

let made, db, web, kafka, stream, reports, key
const env = () => ({ env: { ...cleanEnv, ...made.settings }, cwd: emptyCwd() })
before(async () => {
	made = await accessDatabase('person-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0', BUSINESS_TIMEZONE: 'Europe/Berlin' })
	db = made.db
	const orders = db.server.database('order_db')
	await orders.exec(orderTables('postgresql'))
	assert.equal((await run(program, ['run'], { ...env(), env: { ...env().env, DATABASE_URL: orders.url() } })).code, 0)
	kafka = await Kafka.start({ orders: 1 })
	reports = path.join(scratch(), 'person-reports')
	mkdirSync(reports)
	web = await startWeb({ ...made.web, RATE_LIMIT_KEYS: '0' })
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst']]) await addUser(made.settings, name, role)
	key = /tk_[\w-]+/.exec(await takings(made.settings, ['key', 'add', 'in', '--scope', 'ingest']))[0]
})
afterEach(async () => { if (process.env.LOUD) console.log(stream.log); await stream?.kill() })
after(async () => {
	await stream?.kill()
	await kafka?.stop()
	await web?.stop()
})

const start = async (more = {}) => { stream = await Stream.start(db, { ...made.settings, ...kafka.settings({ KAFKA_TOPICS: 'orders', REPORT_DIR: reports, FLUSH_INTERVAL: '1' }), ...more }) }
const send = (body) => web.get('/api/v1/ingest', { method: 'POST', body: JSON.stringify(body),
	params: { CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${key}` } })
const quiet = () => until(async () => await db.value('SELECT count(*)::int FROM event_log WHERE NOT processed AND dead_at IS NULL') === 0, { what: 'bookings' })
async function orders(list) {
	const were = await db.value('SELECT coalesce(max(next), 0)::int FROM stream_position WHERE topic = \'orders\'')
	for (const o of list) kafka.put('orders', 0, 'k', o)
	await kafka.flush()
	await until(async () => await db.value('SELECT coalesce(max(next), 0)::int FROM stream_position WHERE topic = \'orders\'') === were + list.length, { what: 'orders' })
}

// Two pages of a session; what became of each event.
const AT = Date.now() - 86_400_000
async function visit(user, anonymous, session, page) {
	const events = [0, 1].map((i) => ({ event_type: 'page_view', event_id: `00000000-0000-4000-8000-${Buffer.from(`${session}${i}`).toString('hex').slice(-12)}`, timestamp: AT + i * 60_000,
		user_id: user, anonymous_id: anonymous, session_id: session, properties: { page, note: `for ${user}`, [`of ${user}`]: 1, [`mail of ${user}`]: 1, product_id: user, category: `of ${user}` } }))
	events.push({ event_type: 'page_view', event_id: `00000000-0000-4000-8000-${Buffer.from(`${session}2`).toString('hex').slice(-12)}`, timestamp: AT + 120_000, anonymous_id: anonymous, properties: { page } },
		{ event_type: 'page_view', event_id: `00000000-0000-4000-8000-${Buffer.from(`${session}3`).toString('hex').slice(-12)}`, timestamp: AT + 130_000, session_id: session, properties: { page } })
	const reply = await web.get('/events/batch', { method: 'POST', body: JSON.stringify({ events }), params: { CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${key}` } })
	await until(async () => await db.value('SELECT count(*)::int FROM activity_batch') === 0, { what: 'activity to take effect' })
	return JSON.parse(reply.text)
}

// Bookings and orders of somebody, with some that cannot be read.
async function buy(user, session) {
	const replies = [await send(booking(`B-${session.length}`, user)), await send({ ...booking(`C-${session.length}`, user), seats: 'two' }), await send({ type: 'user.created', user_id: user, occurred_at: `${DAY}T09:00:00Z` })]
	await quiet()
	await orders([order(`o1-${session.length}`, user), order(`o2-${session.length}`, user, { total_amount: '7.00' }), order(`o3-${session.length}`, user, { total_amount: 'much' })])
	return replies.map((r) => r.status)
}

// Everything about somebody, in every place where it can come in.
async function live(user, { anonymous, session }) {
	assert.equal((await visit(user, anonymous, session, `/users/${user}/basket`)).accepted, 4)
	await db.exec(`INSERT INTO activity_quarantine (source, event_type, reason, field, detail, payload) VALUES ('key:1', 'page_view', 'too_old', 'timestamp', 'it is old',
		'{"event_type": "page_view", "user_id": ${JSON.stringify(user)}}'), ('key:1', 'page_view', 'too_old', 'timestamp', 'it is old', '{"session_id": "${session}"}'), ('key:1', 'page_view', 'too_old', 'timestamp', 'it is old', '{"user_id": "longer-than-that"}');
		INSERT INTO activity_warning VALUES (now(), 'key:1', 'page_view', 'late', 'timestamp', 1, '{"by": ${JSON.stringify(user)}}') ON CONFLICT DO NOTHING`)
	return buy(user, session)
}

// What is left of them anywhere: the whole database as pg_dump writes it, and the reports.
async function traces(ids) {
	const dump = (await must('pg_dump', ['--inserts', db.url()], { env: db.server.env }))
	const files = readdirSync(reports, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => [f.name, readFileSync(path.join(f.parentPath ?? f.path, f.name), 'utf8')])
	const found = []
	for (const id of ids)
		for (const spelling of spellings(id)) {
			for (const line of dump.split('\n')) if (line.includes(spelling)) found.push(`${spelling}: ${line.slice(0, 300)}`)
			for (const [name, text] of files) if (text.includes(spelling)) found.push(`${spelling}: ${name}`)
		}
	return found
}

// Rows of each table of figures, without the values' names where they could name somebody.
async function figures() {
	const all = {}
	for (const table of FIGURES)
		all[table] = (await db.query(`SELECT (to_jsonb(t) - 'value' - 'groups' - 'changed_at' - 'updated_at')::text AS row FROM ${table} t ORDER BY 1`)).map((r) => r.row)
	all.customers = (await db.query('SELECT currency, placed, counted, revenue_minor FROM live_customer ORDER BY 1, 2, 3, 4')).map((r) => JSON.stringify(r))
	all.users = await db.value('SELECT count(*)::int FROM user_state')
	all.metrics = (await db.query(`SELECT to_jsonb(m) - 'updated_at' AS row FROM system_metrics m`)).map((r) => JSON.stringify(r.row))
	return all
}

const person = async (...args) => {
	const done = await run(program, ['person', ...args], env())
	assert.equal(done.code, 0, done.stderr)
	return done.stdout
}

describe('erasing', () => {
	const who = { anonymous: 'anon-4c1b77e0', session: 'sess-99ab12cd' }
	for (const user of ['ms.erna+mail@example.org', 'user_8842_kappa'])
		it(`takes ${user} away, and nothing brings it back`, { timeout: 120_000 }, async () => {
			const ids = [user, `${who.anonymous}-${user.length}`, `${who.session}-${user.length}`]
			const [, anonymous, session] = ids
			await start()
			await visit(`else_${user.length}`, `anon-else-${user.length}`, `sess-else-${user.length}`, '/shared')
			assert.deepEqual(await live(user, { anonymous, session }), [202, 422, 202])
			await until(async () => readdirSync(reports, { recursive: true }).some((f) => /customer_metrics.*json/.test(f)), { what: 'reports' })
			assert.ok((await traces(ids)).length > 20, 'it was everywhere')
			const was = await figures()
			const others = await db.value("SELECT count(*)::int FROM activity_event WHERE user_id LIKE 'else_%'")

			const held = JSON.parse(await person('export', '--anonymous', anonymous))
			assert.deepEqual(held.ids.map((i) => i.id).sort(), [...ids].sort(), 'linked ids are the same person')
			for (const table of ['activity_event', 'activity_session', 'activity_person_day', 'activity_quarantine', 'booking_state', 'booking_message', 'user_state', 'event_log', 'order_state', 'live_customer', 'dead_letter'])
				assert.ok(held.held[table].length > 0, `${table} is exported`)
			assert.match(held.held.dead_letter[0].payload, /much/)

			const paper = JSON.parse(await person('erase', '--anonymous', anonymous, '--yes', '--json'))
			assert.deepEqual(paper.ids, { user: 1, anonymous: 1, session: 1 })
			assert.ok(paper.files.length > 0 && paper.files.every((f) => /^analytics\/customer_metrics\/\d{8}_\d{6}(_\d+)?\.json$/.test(f)))
			for (const file of paper.files) rmSync(path.join(reports, file))
			assert.deepEqual(await traces(ids), [])
			assert.deepEqual(await figures(), was)
			assert.equal(await db.value("SELECT count(*)::int FROM activity_event WHERE user_id LIKE 'else_%'"), others)
			assert.equal(await db.value('SELECT count(*)::int FROM activity_quarantine'), 1, 'that of somebody whose id is a longer one stays')

			// the same messages, orders and dead letters once more; the last of them from the first offset on
			await buy(user, session)
			assert.deepEqual((await visit(user, anonymous, session, `/users/${user}/basket`)).results.map((r) => r.reason), Array(4).fill('suppressed'))
			await db.exec('SELECT activity_rebuild()')
			await db.exec('UPDATE dead_letter SET replay_wanted_at = now()')
			await until(async () => await db.value('SELECT count(*)::int FROM dead_letter WHERE replay_wanted_at IS NOT NULL') === 0, { what: 'the second reading' })
			await stream.kill()
			await db.exec('DELETE FROM stream_position')
			await start()
			await until(async () => await db.value('SELECT coalesce(max(next), 0)::int FROM stream_position WHERE topic = \'orders\'') >= 6, { what: 'the topic, read again' })
			await send(booking(`D-${user}`, user, { booking_id: `N-${session.length}` }))
			await orders([order('o-new', user), order('o-bad', user, { total_amount: 'little' })])
			await quiet()
			assert.deepEqual(await traces(ids), [])
			assert.equal(await db.value("SELECT customer_id LIKE 'erased-%' FROM order_state WHERE order_id = 'o-new'"), true)

			// again: nothing is left to do
			const second = JSON.parse(await person('erase', '--user', user, '--yes', '--json'))
			assert.ok(second.tables.every((t) => t.rows === 0), JSON.stringify(second.tables.filter((t) => t.rows)))
			assert.equal(await db.value("SELECT count(*)::int FROM activity_erasure WHERE how = 'erase' AND certificate ->> 'subject' = encode(id_hash, 'hex')"), await db.value('SELECT count(*)::int FROM activity_erasure'))
			assert.deepEqual(await db.one("SELECT actor, action, object ~ '^person:[0-9a-f]{64}$' AS hashed FROM audit_log ORDER BY audit_id DESC LIMIT 1"), { actor: 'command line', action: 'person_erase', hashed: true })
			await stream.stop()
			await db.exec('TRUNCATE activity_quarantine, stream_position, order_state, live_customer, dead_letter, report_flush CASCADE')
			rmSync(reports, { recursive: true })
			mkdirSync(reports)
			await kafka.stop()
			kafka = await Kafka.start({ orders: 1 })
		})
})

describe('the page People', () => {
	const alerts = (reply) => [...reply.text.matchAll(/role="alert"[^>]*>(.*?)<\/p>/g)].map((m) => m[1])
	const held = (reply) => Object.fromEntries([...reply.text.matchAll(/data-held="(\w+)".*?data-label="Rows">(\d+)/gs)].map((m) => [m[1], Number(m[2])]))
	it('finds somebody by the exact id, hands out what is held, and erases with the id typed again', async () => {
		await db.exec(`INSERT INTO user_state VALUES ('page-person', now(), '${DAY}', NULL), ('page-person-2', now(), '${DAY}', NULL);
			INSERT INTO order_state (order_id, born, customer_id, total_minor, placed_at) VALUES ('p-1', true, 'page-person', 100, now()), ('p-2', true, 'page-person-2', 100, now())`)
		const anna = await loggedIn(web, 'anna')
		const alan = await loggedIn(web, 'alan')
		assert.equal((await alan.ask('/admin/people')).status, 403)
		const csrf = csrfOf((await anna.ask('/admin/people')).text)
		const who = { csrf, kind: 'user', id: 'page-person' }
		const found = await anna.post('/admin/people', who)
		assert.equal(found.status, 200, found.text)
		assert.deepEqual(held(found), { order_state: 1, user_state: 1 })
		assert.deepEqual(held(await anna.post('/admin/people', { ...who, id: 'page-perso' })), {})

		const file = await anna.post('/admin/people/export', who)
		assert.equal(file.headers['content-disposition'][0], 'attachment; filename="person.json"')
		assert.equal(JSON.parse(file.text).held.order_state[0].order_id, 'p-1')

		const wrong = await anna.post('/admin/people/erase', { ...who, confirm: 'page-person-2' })
		assert.equal(wrong.status, 422)
		assert.deepEqual(alerts(wrong), ['That is not the id, so nothing was changed.'])
		assert.equal(await db.value("SELECT count(*)::int FROM user_state WHERE user_id = 'page-person'"), 1)

		const done = await anna.post('/admin/people/erase', { ...who, confirm: 'page-person' })
		assert.equal(done.status, 303, done.text)
		assert.match(done.headers.location[0], /^\/admin\/people\/certificates\/\d+\?done=person_erase$/)
		const paper = await anna.ask(done.headers.location[0])
		assert.equal(paper.status, 200)
		assert.match(paper.text, /data-table="order_state".*?data-label="Rows">1</s)
		assert.match(paper.text, /data-fact="by"><dt>By<\/dt><dd class="name">user:anna</)
		assert.deepEqual(await db.query("SELECT customer_id LIKE 'erased-%' AS erased FROM order_state WHERE order_id IN ('p-1', 'p-2') ORDER BY order_id"), [{ erased: true }, { erased: false }])
		assert.equal(await db.value("SELECT count(*)::int FROM user_state WHERE user_id = 'page-person-2'"), 1)
		assert.deepEqual((await db.query("SELECT action FROM audit_log WHERE action LIKE 'person%' AND actor = 'user:anna' ORDER BY audit_id")).map((r) => r.action),
			['person_look', 'person_look', 'person_export', 'person_look', 'person_erase'])
		assert.deepEqual((await traces(['page-person'])).filter((line) => !/page-person-2/.test(line)), [])
		assert.equal((await anna.ask('/admin/people')).text.includes('data-certificate="'), true)
		assert.equal((await anna.ask('/admin/people/certificates/999999')).status, 404)
	})

	it('takes no word of others for an id: one of letters or digits alone is one where a name says so', async () => {
		const text = async (t, id) => (await db.one(`SELECT person_text($$${t}$$, ARRAY['${id}'], ARRAY['erased-1']) AS t`)).t
		const said = '{"page":"/page/7","product":"page 7","user_id":"ID","note":"u-ID"}'
		for (const id of ['page', '7']) {
			const t = said.replaceAll('ID', id)
			assert.equal(await text(t, id), t.replace(`"user_id":"${id}"`, '"user_id":"erased-1"'))
		}
		assert.equal(await text('{"page":"/u/page-7","user_id":"page-7"}', 'page-7'), '{"page":"/u/erased-1","user_id":"erased-1"}')
	})

	it('gives way to a backup: events are stored, and nobody is erased by halves', async () => {
		const reader = db.exec('BEGIN; SELECT count(*) FROM activity_suppressed; SELECT pg_sleep(5); COMMIT')
		await until(() => db.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), { what: 'the backup' })
		const erasing = run(program, ['person', 'erase', '--user', 'backed-up', '--yes'], env()), statuses = []
		let over = false
		erasing.then(() => { over = true })
		while (!over)
			statuses.push((await web.get('/events/track', { method: 'POST', body: JSON.stringify({ event_type: 'page_view', user_id: 'backed-up-2' }), params: { CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${key}` } })).status)
		const done = await erasing
		assert.notEqual(done.code, 0)
		assert.match(done.stderr, /lock timeout/)
		assert.deepEqual([...new Set(statuses)], [202])
		await reader
		await person('erase', '--user', 'backed-up', '--yes')
	})

	it('anonymises: the journey stays, the person is unknown', async () => {
		await start({ KAFKA_TOPICS: '' , KAFKA_BOOTSTRAP_SERVERS: '' })
		await visit('journey-person', 'journey-anon', 'journey-sess', '/a')
		const was = await figures()
		const paper = JSON.parse(await person('anonymise', '--user', 'journey-person', '--yes', '--json'))
		assert.equal(paper.how, 'anonymise')
		assert.deepEqual(await traces(['journey-person', 'journey-anon', 'journey-sess']), [])
		assert.deepEqual(await figures(), was)
		const events = await db.query("SELECT user_id LIKE 'erased-%' AS u, session_id LIKE 'erased-%' AS s FROM activity_event WHERE user_id LIKE 'erased-%'")
		assert.deepEqual(events.map((e) => [e.u, e.s]), [[true, true], [true, true]])
		assert.deepEqual(await db.one(`SELECT count(DISTINCT s.activity_session_id)::int AS sessions, count(*)::int AS events FROM activity_session s JOIN activity_visitor v ON v.visitor_id = s.person_id AND v.kind = 'user'
			JOIN activity_event e USING (session_key) WHERE v.id LIKE 'erased-%' AND s.session_id LIKE 'erased-%' AND e.session_id = s.session_id`), { sessions: 1, events: 3 })
		await db.exec('SELECT activity_rebuild()')
		assert.deepEqual((await figures()).activity_session_sum, was.activity_session_sum)
	})
})

describe('the list of columns', () => {
	const NAMED = /^(user_id|customer_id|customer|anonymous_id|visitor|session_id|username|payload|raw|body|message_key|sample|landing|properties|event_data|groups)$/
	it('knows every column that could hold an id of a person, and no other', async () => {
		const columns = (await db.query(`SELECT c.relname || '.' || a.attname AS name, c.relname AS tbl, a.attname AS col FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
			WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped`))
		const known = new Set((await db.query("SELECT tbl || '.' || col AS name FROM person_columns()")).map((r) => r.name))
		assert.deepEqual(columns.filter((c) => NAMED.test(c.col) && !known.has(c.name)).map((c) => c.name), [])
		const there = new Set(columns.map((c) => c.name))
		assert.deepEqual([...known].filter((name) => !there.has(name)), [])
		assert.ok(['app_user.username', 'activity_event.user_id', 'order_state.customer_id'].every((name) => known.has(name)))
	})

	it('is lent to those who need it: nobody else may erase', async () => {
		const state = async (user, sql) => /ERROR:\s+(\w+)/.exec((await db.psql(['-v', 'VERBOSITY=sqlstate', '-c', sql], { user })).stderr)?.[1] ?? 'done'
		assert.equal(await state('analytics_ro', "SELECT person_suppress('user', 'x')"), '42501')
		assert.equal(await state('analytics_web', "SELECT activity_partition_drop('2020-01-01')"), '42501')
		assert.equal(await state('analytics_web', "SET transaction_read_only = off; DELETE FROM activity_event"), '42501')
		assert.equal(await state('analytics_ro', 'SELECT * FROM activity_erasure'), '42501')
		assert.equal(await state('analytics_ro', "SET transaction_read_only = off; SELECT activity_partition_make('{2020-01-01}')"), '42501')
	})

	it('is in no report: those read figures, and no table of activity with ids, by whatever name', async () => {
		const parts = await db.query(`SELECT inhrelid::regclass::text AS tbl FROM pg_inherits WHERE inhparent = 'activity_event'::regclass`)
		assert.ok(parts.length > 0)
		assert.equal((await run(program, ['migrate'], env())).code, 0)
		const hidden = await db.query(`SELECT DISTINCT tbl FROM person_columns() WHERE tbl LIKE 'activity%' AND holds IN ('user', 'anonymous', 'session', 'visitor')`)
		for (const { tbl } of [...parts, ...hidden, { tbl: 'activity_id' }, { tbl: 'activity_quarantine' }, { tbl: 'activity_warning' }, { tbl: 'activity_question' }])
			assert.equal(await db.value(`SELECT has_any_column_privilege('analytics_ro', '${tbl}', 'SELECT')`), false, tbl)
		assert.equal(await db.value(`SELECT has_table_privilege('analytics_ro', 'activity_sum', 'SELECT')`), true)
	})
})
