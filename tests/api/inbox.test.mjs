// Messages that could not be read or put into effect: the pages, the forms and takings-batch inbox. What the
// stream would do with a message that is open again is done here by SQL.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Browser, accessDatabase, addUser, loggedIn, startWeb } from '../lib/access.mjs'
import { cleanEnv, run, sleep, until } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'

const BAD = '{"type": "booking.created", "booking_id": "B-1", "event_id": 17, "user_id": "u-secret-7", "seats": "two", "occurred_at": "2026-11-05T20:14:03Z"}'
const GOOD = BAD.replace('"two"', '2')
const STATES = 'NOT processed AND dead_at IS NOT NULL AS dead, NOT processed AND dead_at IS NULL AS open, processed, replaced_by::int, dropped_at IS NOT NULL AS dropped'

let db, settings, web, anna
before(async () => {
	const made = await accessDatabase('inbox-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0' })
	db = made.db
	settings = made.settings
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst'], ['vera', 'viewer']]) await addUser(settings, name, role)
	anna = await loggedIn(web, 'anna')
})
after(() => web?.stop())
beforeEach(() => db.exec('TRUNCATE event_log RESTART IDENTITY; TRUNCATE stream_status'))

const quoted = (text) => `'${text.replaceAll("'", "''")}'`
let serial = 0
// A row of the inbox; its id. `dead`: why, about the field `about`.
async function put({ text = BAD, type = 'booking.created', event = 17, source = 'redis_stream', position = 'takings:events/1-0', dead, about = '', raw, more = {} } = {}) {
	const columns = { event_type: quoted(type), event_id: event ?? 'NULL', event_data: raw ? 'NULL' : quoted(text), raw: raw ? `'\\x${raw.toString('hex')}'` : 'NULL',
		dedup_key: `sha256('${++serial}')`, source: quoted(source), source_position: quoted(position),
		...(dead ? { dead_at: 'now()', attempts: 8, last_error: quoted(dead), error_field: quoted(about) } : {}), ...more }
	await db.exec(`INSERT INTO event_log (${Object.keys(columns)}) VALUES (${Object.values(columns)})`)
	return db.value('SELECT max(id)::int FROM event_log')
}
const state = (id) => db.one(`SELECT ${STATES} FROM event_log WHERE id = ${id}`)
const OPEN = { dead: false, open: true, processed: false, replaced_by: null, dropped: false }
const DEAD = { ...OPEN, dead: true, open: false }
const audits = () => db.value('SELECT count(*)::int FROM audit_log')
const lastAudit = () => db.one('SELECT actor, action, object, detail FROM audit_log ORDER BY audit_id DESC LIMIT 1')
const alerts = (reply) => [...reply.text.matchAll(/role="alert"[^>]*>(.*?)<\/p>/g)].map((m) => m[1])
const said = async (reply) => /role="status">([^<]+)</.exec((await anna.ask(reply.headers.location[0])).text)?.[1]
const listed = (reply) => [...reply.text.matchAll(/data-message="(\d+)"/g)].map((m) => Number(m[1]))
const fact = (reply, name) => new RegExp(`data-fact="${name}"><dt>.*?</dt><dd[^>]*>(.*?)</dd>`, 's').exec(reply.text)?.[1]
const count = (reply, name) => Number(new RegExp(`data-count="${name}"><dt>.*?</dt><dd>(?:<a[^>]*>)?(\\d+)`, 's').exec(reply.text)?.[1])
const unescaped = (html) => html.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
const typed = (reply) => unescaped(/<textarea[^>]*>\n(.*?)<\/textarea>/s.exec(reply.text)?.[1] ?? '')

describe('the page of the inbox', () => {
	it('counts, and lists the newest first', async () => {
		const ids = [await put(), await put({ dead: 'no', about: 'seats' }), await put({ more: { processed: 'true', processed_at: 'now()' } }),
			await put({ more: { processed: 'true', processed_at: "now() - interval '2 days'" } }),
			await put({ more: { processed: 'true', processed_at: 'now()', dropped_at: 'now()' } })]
		const reply = await anna.ask('/admin/inbox')
		assert.equal(reply.status, 200)
		assert.deepEqual(['open', 'dead', 'done'].map((name) => count(reply, name)), [1, 1, 1])
		assert.deepEqual(listed(reply), ids.reverse())
		assert.doesNotMatch(reply.text, /u-secret-7/, 'what a message says is on its own page')
		assert.match(reply.text, /takings-stream is not at work/)
	})

	it('filters by state, type, event and source', async () => {
		const open = await put({ type: 'user.created', event: null, source: 'http' })
		const dead = await put({ dead: 'no', event: 18, source: 'kafka' })
		const done = await put({ source: 'demo', more: { processed: 'true', processed_at: 'now()' } })
		const of = async (query) => listed(await anna.ask(`/admin/inbox?${query}`))
		const cases = [['', [done, dead, open]], ['state=open', [open]], ['state=dead', [dead]], ['state=processed', [done]], ['type=user.created', [open]],
			['type=booking.created', [done, dead]], ['event=18', [dead]], ['event=17', [done]], ['source=kafka', [dead]], ['source=demo&state=processed&event=17&type=booking.created', [done]],
			['state=dead&event=17', []], ['state=open&type=booking.created', []], ['state=&type=&event=&source=', [done, dead, open]], ['event=18&type=user.created', []], ['type=x', []]]
		for (const [query, want] of cases) assert.deepEqual(await of(query), want, query)
		for (const bad of ['state=gone', 'event=x', 'source=mail', 'before=0', 'nothing=1'])
			assert.equal((await anna.ask(`/admin/inbox?${bad}`)).status, 422, bad)
	})

	it('goes on to older ones by a cursor that new ones do not move', async () => {
		await db.exec(`INSERT INTO event_log (event_type, dedup_key, source, event_data, dead_at)
			SELECT 'booking.created', sha256(('page' || n)::bytea), 'http', '{}', CASE WHEN n % 2 = 0 THEN now() END FROM generate_series(1, 230) n`)
		for (const [query, want] of [['', 230], ['state=dead', 115], ['type=booking.created', 230]]) {
			const seen = []
			let target = `/admin/inbox?${query}`
			for (let page = 0; target; page++) {
				const reply = await anna.ask(target)
				seen.push(...listed(reply))
				if (page === 1) await put()
				target = unescaped(/rel="next" href="([^"]+)"/.exec(reply.text)?.[1] ?? '')
			}
			assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => b - a), query)
			assert.equal(seen.filter((id) => id <= 230).length, want, query)
		}
	})

	it('is for admins only', async () => {
		const id = await put({ dead: 'no' })
		for (const name of ['vera', 'alan']) {
			const browser = await loggedIn(web, name)
			for (const target of ['/admin/inbox', `/admin/inbox/${id}`]) assert.equal((await browser.ask(target)).status, 403)
			for (const verb of ['replay', 'drop', 'fix'])
				assert.equal((await browser.submit('/admin/account', `/admin/inbox/${id}/${verb}`, { confirm: String(id), text: GOOD })).status, 403)
			assert.doesNotMatch((await browser.ask('/admin/account')).text, /\/admin\/inbox/)
		}
		assert.match((await anna.ask('/admin/account')).text, /href="\/admin\/inbox"/)
		assert.deepEqual(await state(id), DEAD)
	})
})

describe('the page of a message', () => {
	it('shows what it says, why it is dead, where it came from and what happened', async () => {
		const id = await put({ dead: 'seats must be a whole number', about: 'seats' })
		const reply = await anna.ask(`/admin/inbox/${id}`)
		assert.equal(reply.status, 200)
		assert.match(fact(reply, 'state'), /dead/)
		assert.equal(fact(reply, 'error'), 'seats must be a whole number')
		assert.equal(fact(reply, 'field'), '<code>seats</code>')
		assert.match(fact(reply, 'source'), /redis_stream.*takings:events\/1-0/)
		assert.equal(fact(reply, 'attempts'), '8')
		assert.match(reply.text, /<pre class="message"[^>]*>\{\n {2}&quot;type&quot;: &quot;booking.created&quot;,\n/)
		assert.deepEqual(JSON.parse(typed(reply)), JSON.parse(BAD))
		assert.match(reply.text, /came in from redis_stream takings:events\/1-0.*given up after 8 attempts/s)
		assert.equal((await anna.ask('/admin/inbox/999')).status, 404)
	})

	it('shows numbers as they were written, and texts as texts', async () => {
		const id = await put({ text: '{"b":{"x":[],"y":{ }},"amount":1e400,"z":12345678901234567890.10,"name":"a, b: {\\"<script>","list":[1,{"c":null}]}' })
		const { text } = await anna.ask(`/admin/inbox/${id}`)
		assert.equal(unescaped(/<pre[^>]*>(.*?)<\/pre>/s.exec(text)[1]),
			'{\n  "b": {\n    "x": [],\n    "y": {}\n  },\n  "amount": 1e400,\n  "z": 12345678901234567890.10,\n  "name": "a, b: {\\"<script>",\n  "list": [\n    1,\n    {\n      "c": null\n    }\n  ]\n}')
		assert.doesNotMatch(text, /<script>"/)
	})

	it('shows bytes that are no JSON', async () => {
		const id = await put({ type: '', event: null, raw: Buffer.from([0x7b, 0xff, 0x00, 0x3c, 0x62, 0x3e, 0xc3, 0xa9]), dead: 'this is no JSON' })
		const reply = await anna.ask(`/admin/inbox/${id}`)
		assert.match(reply.text, /<pre[^>]*>\{\ufffd\ufffd&lt;b&gt;é<\/pre>/)
		assert.match(reply.text, /Not JSON that can be read/)
	})

	it('sends what is too long for a form to the command line', async () => {
		const id = await put({ text: JSON.stringify({ type: 'booking.created', note: 'x'.repeat(30_000) }), dead: 'no' })
		const { text } = await anna.ask(`/admin/inbox/${id}`)
		assert.match(text, new RegExp(`takings-batch inbox fix ${id} FILE`))
		assert.doesNotMatch(text, /<textarea/)
	})
})

describe('a dead message', () => {
	it('is corrected: a new message takes its place, and the old one is kept as it came', async () => {
		const id = await put({ dead: 'no', about: 'seats' })
		const kept = await db.one(`SELECT event_data, last_error, error_field, attempts, dead_at, dedup_key::text, source, source_position FROM event_log WHERE id = ${id}`)
		const reply = await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/fix`, { text: GOOD })
		assert.equal(reply.status, 303, reply.text)
		const by = Number(/inbox\/(\d+)\?/.exec(reply.headers.location[0])[1])
		assert.notEqual(by, id)
		assert.match(await said(reply), /takes the message’s place/)
		assert.deepEqual(await state(id), { ...OPEN, open: false, processed: true, replaced_by: by })
		assert.deepEqual(await db.one(`SELECT event_data, last_error, error_field, attempts, dead_at, dedup_key::text, source, source_position FROM event_log WHERE id = ${id}`), kept)
		assert.deepEqual(await state(by), OPEN)
		assert.deepEqual(await db.one(`SELECT event_data::jsonb, source, source_position, event_type, event_id::int FROM event_log WHERE id = ${by}`),
			{ event_data: JSON.parse(GOOD), source: 'replay', source_position: String(id), event_type: 'booking.created', event_id: 17 })
		assert.deepEqual(await lastAudit(), { actor: 'user:anna', action: 'inbox_fix', object: `inbox:${id}`, detail: { replaced_by: by } })
		assert.match((await anna.ask(`/admin/inbox/${id}`)).text, new RegExp(`href="/admin/inbox/${by}".*replaced by message ${by}`, 's'))
		assert.match((await anna.ask(`/admin/inbox/${by}`)).text, new RegExp(`in the place of <a href="/admin/inbox/${id}"`))
		assert.equal((await anna.submit(`/admin/inbox/${by}`, `/admin/inbox/${id}/fix`, { text: GOOD })).status, 409)
	})

	it('is not corrected by what cannot be read either: the field is named, and what was typed stays', async () => {
		const id = await put({ dead: 'no', about: 'seats' }), n = await audits()
		const cases = [['{"type": "booking.created"', 422, /./], ['[]', 422, /./], [GOOD.replace('"2026-11-05T20:14:03Z"', '"soon"'), 422, /<code>occurred_at<\/code>/],
			[GOOD.replace('"seats": 2', '"seats": -2'), 422, /<code>seats<\/code>/], [GOOD.replace('booking.created', 'cake.baked'), 422, /<code>type<\/code>/]]
		for (const [text, status, words] of cases) {
			const reply = await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/fix`, { text })
			assert.equal(reply.status, status, text)
			assert.match(alerts(reply)[1] ?? '', words, text)
			assert.equal(typed(reply), text)
		}
		assert.deepEqual(await state(id), DEAD)
		assert.equal(await db.value('SELECT count(*)::int FROM event_log'), 1)
		assert.equal(await audits(), n)
		assert.equal((await anna.submit('/admin/inbox', '/admin/inbox/999/fix', { text: GOOD })).status, 404)
	})

	it('is corrected to what another message says: that one stands for it, and comes to life', async () => {
		const old = await put({ dead: 'no' })
		await anna.submit('/admin/inbox', `/admin/inbox/${old}/fix`, { text: GOOD })
		const by = (await state(old)).replaced_by
		for (const [was, becomes] of [['processed = true, processed_at = now()', { ...OPEN, open: false, processed: true }],
			['processed = true, processed_at = now(), dropped_at = now()', OPEN], ['processed = false, processed_at = NULL, dead_at = now()', OPEN]]) {
			await db.exec(`UPDATE event_log SET ${was} WHERE id = ${by}`)
			const id = await put({ dead: 'no' })
			assert.equal((await anna.submit('/admin/inbox', `/admin/inbox/${id}/fix`, { text: GOOD })).status, 303)
			assert.equal((await state(id)).replaced_by, by)
			assert.deepEqual(await state(by), becomes, was)
		}
		// Its own words again: no correction, but a replay.
		await db.exec(`UPDATE event_log SET dead_at = now() WHERE id = ${by}`)
		assert.equal((await anna.submit('/admin/inbox', `/admin/inbox/${by}/fix`, { text: ` ${GOOD}\n` })).status, 303)
		assert.deepEqual(await state(by), OPEN)
	})

	it('is replayed unchanged', async () => {
		const id = await put({ dead: 'no' })
		const reply = await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/replay`, {})
		assert.equal(reply.status, 303)
		assert.match(await said(reply), /read again/)
		assert.deepEqual(await state(id), OPEN)
		assert.equal(await db.value(`SELECT next_attempt_at <= now() AND attempts = 0 FROM event_log WHERE id = ${id}`), true)
		assert.deepEqual(await lastAudit(), { actor: 'user:anna', action: 'inbox_replay', object: `inbox:${id}`, detail: {} })
		assert.match((await anna.ask(`/admin/inbox/${id}`)).text, /replay asked for.*user:anna/s)
		const n = await audits()
		assert.equal((await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/replay`, {})).status, 404, 'it is open')
		assert.equal(await audits(), n)
	})

	it('is dropped by who types its number', async () => {
		const id = await put({ dead: 'no' })
		for (const confirm of ['', String(id + 1), `${id} `]) {
			const reply = await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/drop`, { confirm })
			assert.equal(reply.status, 422)
			assert.match(alerts(reply)[0], /not the message’s number/)
		}
		assert.deepEqual(await state(id), DEAD)
		const reply = await anna.submit(`/admin/inbox/${id}`, `/admin/inbox/${id}/drop`, { confirm: String(id) })
		assert.equal(reply.status, 303)
		assert.deepEqual(await state(id), { ...OPEN, open: false, processed: true, dropped: true })
		assert.equal(await db.value(`SELECT event_data FROM event_log WHERE id = ${id}`), BAD)
		assert.deepEqual(await lastAudit(), { actor: 'user:anna', action: 'inbox_drop', object: `inbox:${id}`, detail: {} })
	})

	it('is left alone by a form that is not ours', async () => {
		const id = await put({ dead: 'no' }), n = await audits()
		const forms = [[`/admin/inbox/${id}/fix`, { text: GOOD }], [`/admin/inbox/${id}/replay`, {}], [`/admin/inbox/${id}/drop`, { confirm: String(id) }],
			['/admin/reasons/replay', { field: '', error: 'no', until: String(id) }], ['/admin/reasons/drop', { field: '', error: 'no', until: String(id), confirm: '1' }]]
		for (const [target, fields] of forms) {
			assert.equal((await anna.post(target, { ...fields, csrf: 'x' })).status, 403, target)
			assert.equal((await anna.submit('/admin/inbox', target, fields, { 'sec-fetch-site': 'cross-site' })).status, 403, target)
			assert.equal((await new Browser(web).post(target, { ...fields, csrf: 'x' })).status, 401, target)
		}
		assert.deepEqual(await state(id), DEAD)
		assert.equal(await audits(), n)
	})

	it('is only changed while it is dead', async () => {
		const open = await put(), done = await put({ more: { processed: 'true', processed_at: 'now()' } })
		for (const id of [open, done]) {
			const was = await state(id)
			assert.doesNotMatch((await anna.ask(`/admin/inbox/${id}`)).text, /<textarea|name="confirm"/)
			assert.equal((await anna.submit('/admin/inbox', `/admin/inbox/${id}/fix`, { text: GOOD })).status, 409)
			assert.equal((await anna.submit('/admin/inbox', `/admin/inbox/${id}/replay`, {})).status, 404)
			assert.equal((await anna.submit('/admin/inbox', `/admin/inbox/${id}/drop`, { confirm: String(id) })).status, 404)
			assert.deepEqual(await state(id), was)
		}
	})
})

describe('all messages of one reason', () => {
	let ids, other
	beforeEach(async () => {
		ids = []
		for (let i = 0; i < 3; i++) ids.push(await put({ dead: 'seats must be <whole>', about: 'seats' }))
		other = await put({ dead: 'no event', about: 'event_id' })
	})
	const fields = (more) => ({ field: 'seats', error: 'seats must be <whole>', until: String(ids[2]), ...more })

	it('are replayed', async () => {
		const page = await anna.ask('/admin/inbox')
		assert.match(page.text, /<tr data-reason="seats">.*?data-label="Messages">3</s)
		assert.match(page.text, /name="error" value="seats must be &lt;whole&gt;"/)
		const late = await put({ dead: 'seats must be <whole>', about: 'seats' })
		const reply = await anna.submit('/admin/inbox', '/admin/reasons/replay', fields())
		assert.equal(reply.status, 303, reply.text)
		for (const id of ids) assert.deepEqual(await state(id), OPEN)
		for (const id of [other, late]) assert.deepEqual(await state(id), DEAD)
		assert.deepEqual(await lastAudit(), { actor: 'user:anna', action: 'inbox_replay', object: 'inbox:reason', detail: { messages: 3, field: 'seats', until: ids[2] } })
		assert.equal((await anna.submit('/admin/inbox', '/admin/reasons/replay', fields())).status, 404)
	})

	it('are dropped by who types how many they are', async () => {
		for (const confirm of ['', '2', '4', 'x']) assert.equal((await anna.submit('/admin/inbox', '/admin/reasons/drop', fields({ confirm }))).status, 422)
		for (const id of ids) assert.deepEqual(await state(id), DEAD)
		const n = await audits()
		assert.equal((await anna.submit('/admin/inbox', '/admin/reasons/drop', fields({ confirm: '3' }))).status, 303)
		for (const id of ids) assert.equal((await state(id)).dropped, true)
		assert.deepEqual(await state(other), DEAD)
		assert.equal(await audits(), n + 1)
		assert.deepEqual((await lastAudit()).detail, { messages: 3, field: 'seats', until: ids[2] })
	})
})

describe('takings-batch inbox', () => {
	const inbox = (args, options = {}) => run(program, ['inbox', ...args.map(String)], { env: { ...cleanEnv, ...settings }, cwd: emptyCwd(), ...options })
	const streamWorks = () => db.exec(`INSERT INTO stream_status (instance, started_at, at, status) VALUES ('test', now(), now() + interval '1 hour', 'ok')`)
	// Does what takings-stream would, as soon as the row is open.
	async function effect(where, change) {
		await until(() => db.value(`SELECT count(*)::int FROM event_log WHERE ${where} AND NOT processed AND dead_at IS NULL`).then((n) => n > 0), { what: 'an open message' })
		await sleep(300)
		await db.exec(`UPDATE event_log SET ${change} WHERE ${where}`)
	}

	it('lists', async () => {
		const open = await put({ type: 'user.created', event: null }), dead = await put({ dead: 'seats\u001b[2J bad', about: 'seats', event: 18 })
		const done = await put({ more: { processed: 'true', processed_at: 'now()' } })
		const of = async (...args) => [...(await inbox(['list', ...args])).stdout.matchAll(/^ *(\d+) {2}\d{4}-/gm)].map((m) => Number(m[1]))
		assert.deepEqual(await of(), [done, dead, open])
		assert.deepEqual(await of('--limit', '1'), [done])
		assert.deepEqual(await of('--dead'), [dead])
		assert.deepEqual(await of('--open'), [open])
		assert.deepEqual(await of('--type', 'booking.created'), [done, dead])
		assert.deepEqual(await of('--event', '18'), [dead])
		const { stdout } = await inbox(['list', '--dead'])
		assert.match(stdout, /^ +1 {2}dead {2}seats +seats\?\[2J bad/m)
		assert.doesNotMatch(stdout, /u-secret-7/)
		assert.match((await inbox(['list', '--event', '99'])).stdout, /no message is like that/)
	})

	it('shows one', async () => {
		const id = await put({ dead: 'no', about: 'seats' })
		const { code, stdout } = await inbox(['show', id])
		assert.equal(code, 0)
		assert.match(stdout, /^standing +dead$/m)
		assert.match(stdout, /^error_field +seats$/m)
		assert.match(stdout, /came in from redis_stream takings:events\/1-0\n.*given up after 8 attempts/)
		assert.deepEqual(JSON.parse(/\n(\{\n.*\})\n$/s.exec(stdout)[1]), JSON.parse(BAD))
		const none = await inbox(['show', 999])
		assert.equal(none.code, 1)
		assert.match(none.stderr, /no such message/)
	})

	it('corrects one from a file or from standard input, and waits for what comes of it', async () => {
		await streamWorks()
		const file = path.join(scratch(), 'fixed.json')
		writeFileSync(file, GOOD)
		for (const [words, input] of [[[file], ''], [['-'], GOOD.replace('B-1', 'B-2')]]) {
			const id = await put({ dead: 'no' })
			const [done] = await Promise.all([inbox(['fix', id, ...words], { input }), effect(`source_position = '${id}'`, 'processed = true, processed_at = now()')])
			assert.equal(done.code, 0, done.stderr)
			const { replaced_by: by } = await state(id)
			assert.match(done.stdout, new RegExp(`^message ${by} stands in its place\n1 accepted, 0 refused again`))
			assert.equal(await db.value(`SELECT event_data FROM event_log WHERE id = ${id}`), BAD)
			assert.deepEqual(await lastAudit(), { actor: 'command line', action: 'inbox_fix', object: `inbox:${id}`, detail: { replaced_by: by } })
		}
	})

	it('refuses a correction that cannot be read, and names the field', async () => {
		const id = await put({ dead: 'no' }), n = await audits()
		for (const [input, words] of [[GOOD.replace('"2026-11-05T20:14:03Z"', '"soon"'), /inbox: occurred_at: /], [BAD, /inbox: seats: /], ['{', /inbox: ./], ['', /inbox: ./],
			[GOOD.replace('booking.created', 'x'), /inbox: type: /], [`{"a": "${'x'.repeat(70_000)}"}`, /inbox: ./]]) {
			const done = await inbox(['fix', id, '-'], { input })
			assert.equal(done.code, 1, input.slice(0, 100))
			assert.match(done.stderr, words)
			assert.doesNotMatch(done.stderr, /u-secret-7/)
		}
		assert.equal((await inbox(['fix', id, '/nowhere/at.all'])).code, 1)
		assert.deepEqual(await state(id), DEAD)
		assert.equal(await db.value('SELECT count(*)::int FROM event_log'), 1)
		assert.equal(await audits(), n)
	})

	it('replays one, those of a reason, and all, and says what came of them', async () => {
		await streamWorks()
		const ids = []
		for (const [dead, about] of [['bad seats', 'seats'], ['other seats', 'seats'], ['no event', 'event_id']]) ids.push(await put({ dead, about }))
		const again = (args, where, change) => Promise.all([inbox(['replay', ...args]), effect(where, change)]).then(([done]) => done)
		const one = await again([ids[0]], `id = ${ids[0]}`, 'dead_at = now(), attempts = 1')
		assert.equal(one.code, 1)
		assert.match(one.stdout, /^0 accepted, 1 refused again/)
		assert.match(one.stderr, /see inbox list --dead/)
		assert.deepEqual([await state(ids[1]), await state(ids[2])], [DEAD, DEAD])
		const reason = await again(['--reason', 'seats'], `id IN (${ids[0]}, ${ids[1]})`, 'processed = true, processed_at = now()')
		assert.equal(reason.code, 0, reason.stderr)
		assert.match(reason.stdout, /^2 accepted/)
		assert.deepEqual(await lastAudit(), { actor: 'command line', action: 'inbox_replay', object: 'inbox:reason', detail: { messages: 2 } })
		const all = await again(['--all'], `id = ${ids[2]}`, 'attempts = 1, next_attempt_at = now() + interval \'1 minute\'')
		assert.equal(all.code, 0, all.stderr)
		assert.match(all.stdout, /^0 accepted, 0 refused again, 1 tried again later/)
		const none = await inbox(['replay', '--all'])
		assert.equal(none.code, 1)
		assert.match(none.stderr, /no such message/)
	})

	it('says when nobody reads them', async () => {
		const id = await put({ dead: 'no' })
		const done = await inbox(['replay', id])
		assert.equal(done.code, 1)
		assert.match(done.stderr, /takings-stream is not at work/)
		assert.deepEqual(await state(id), OPEN)
	})

	it('drops one', async () => {
		const id = await put({ dead: 'no' }), open = await put()
		const done = await inbox(['drop', id])
		assert.equal(done.code, 0, done.stderr)
		assert.equal((await state(id)).dropped, true)
		assert.equal(await db.value(`SELECT event_data FROM event_log WHERE id = ${id}`), BAD)
		assert.deepEqual(await lastAudit(), { actor: 'command line', action: 'inbox_drop', object: `inbox:${id}`, detail: {} })
		for (const no of [id, open, 999]) assert.equal((await inbox(['drop', no])).code, 1)
		assert.deepEqual(await state(open), OPEN)
	})

	it('refuses what it does not understand', async () => {
		const id = await put({ dead: 'no' })
		for (const args of [[], ['shout'], ['list', id], ['list', '--limit', '0'], ['list', '--all'], ['show'], ['show', 'x'], ['show', id, id], ['replay'], ['replay', id, '--all'], ['replay', '--reason'],
			['fix', id], ['fix', '-'], ['fix', id, '-', '-'], ['drop'], ['drop', '--all'], ['drop', '--reason', 'no'], ['drop', id, '--limit', '1']]) {
			const done = await inbox(args)
			assert.equal(done.code, 2, args.join(' '))
			assert.match(done.stderr, /inbox --help/)
		}
		assert.deepEqual(await state(id), DEAD)
		assert.match((await inbox(['--help'])).stdout, /inbox list .*fix ID FILE.*drop ID/s)
	})
})
