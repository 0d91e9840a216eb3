// The pages of administration from outside: what each form changes, what it refuses, and the line
// it leaves in the audit log.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Browser, PASSWORD, accessDatabase, addUser, asBearer, csrfOf, loggedIn, startWeb, takings, tokenOf } from '../lib/access.mjs'

let db, settings, web
before(async () => {
	const made = await accessDatabase('admin-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0' })
	db = made.db
	settings = made.settings
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['adam', 'admin'], ['vera', 'viewer']]) await addUser(settings, name, role)
})
after(() => web?.stop())
beforeEach(() => db.exec(`TRUNCATE login_failure; UPDATE app_user SET enabled = true;
	UPDATE app_user SET role = CASE username WHEN 'vera' THEN 'viewer' ELSE 'admin' END WHERE username IN ('anna', 'adam', 'vera')`))

const idOf = (name) => db.value(`SELECT user_id::int FROM app_user WHERE username = '${name}'`)
const user = (name) => db.one(`SELECT role, enabled, token_version, password_hash FROM app_user WHERE username = '${name}'`)
const lastAudit = () => db.one('SELECT actor, action, object, detail, address FROM audit_log ORDER BY audit_id DESC LIMIT 1')
const audits = () => db.value('SELECT count(*)::int FROM audit_log')
const alert = (reply) => /role="alert"[^>]*>([^<]+)</.exec(reply.text)?.[1]
const problem = (reply, field) => new RegExp(`id="${field}-problem"[^>]*>([^<]+)<`).exec(reply.text)?.[1]
const said = async (browser, reply) => /role="status">([^<]+)</.exec((await browser.ask(reply.headers.location[0])).text)?.[1]
const alive = async (browser) => (await browser.ask('/admin/account')).status === 200

// The form must change something and leave one line; what it leads to says so.
async function does(browser, from, target, fields, action, object, words) {
	const n = await audits()
	const reply = await browser.submit(from, target, fields)
	assert.equal(reply.status, 303, reply.text)
	assert.match(await said(browser, reply), words)
	assert.equal(await audits(), n + 1)
	const line = await lastAudit()
	assert.deepEqual([line.action, line.object, line.address], [action, object, browser.address])
	return line
}

async function refuses(browser, from, target, fields, status, words) {
	const n = await audits()
	const reply = await browser.submit(from, target, fields)
	assert.equal(reply.status, status, reply.text.slice(0, 3000))
	assert.match(alert(reply) ?? '', words)
	assert.equal(await audits(), n, 'what was not done is not written down')
	return reply
}

describe('the account', () => {
	it('lists one’s own sessions, and which is this one', async () => {
		await db.exec('DELETE FROM web_session')
		const phone = await loggedIn(web, 'vera', { address: '198.51.100.7', agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17.0 Mobile/15E148 Safari/604.1' })
		const curl = await loggedIn(web, 'vera', { agent: 'something <b>else</b>/1.0' })
		await loggedIn(web, 'anna')
		const browser = await loggedIn(web, 'vera')
		const { text } = await browser.ask('/admin/account')
		const rows = [...text.matchAll(/<th scope="row"[^>]*>(.*?)<\/th><td[^>]*>(.*?)<\/td>/g)].map((m) => [m[1], m[2]])
		assert.deepEqual(rows, [['Firefox on Linux <span class="tag">this one</span>', '192.0.2.1'],
			['<span class="name">something &lt;b&gt;else&lt;/b&gt;/1.0</span>', '192.0.2.1'], ['Safari on iPhone', '198.51.100.7']])
		const line = await does(browser, '/admin/account', /action="(\/admin\/account\/sessions\/\d+\/end)"/.exec(text)[1], {}, 'session_end', 'user:vera', /^The session has ended/)
		assert.equal(line.actor, 'user:vera')
		assert.deepEqual([await alive(curl), await alive(phone), await alive(browser)], [false, true, true])
		await does(browser, '/admin/account', '/admin/account/sessions/end', {}, 'sessions_end', 'user:vera', /^Every other session/)
		assert.deepEqual([await alive(phone), await alive(browser)], [false, true])
	})

	it('ends no session of somebody else', async () => {
		const anna = await loggedIn(web, 'anna'), vera = await loggedIn(web, 'vera')
		const id = await db.value(`SELECT max(session_id)::int FROM web_session s JOIN app_user USING (user_id) WHERE username = 'anna'`)
		await refuses(vera, '/admin/account', `/admin/account/sessions/${id}/end`, {}, 404, /ended already/)
		await vera.submit('/admin/account', '/admin/account/sessions/end', {})
		assert.ok(await alive(anna))
		for (const bad of ['0', '-1', 'x', '99999999999999999999'])
			assert.equal((await vera.submit('/admin/account', `/admin/account/sessions/${bad}/end`, {})).status, 422)
	})

	it('changes the password for who knows the one until now', async () => {
		await addUser(settings, 'pia', 'viewer')
		const other = await loggedIn(web, 'pia'), browser = await loggedIn(web, 'pia')
		const token = (await tokenOf(web, 'pia')).json.access_token
		const before = await user('pia'), sid = browser.session, fresh = 'correct horse battery'
		const change = (fields) => browser.submit('/admin/account', '/admin/account/password', { current: PASSWORD, password: fresh, again: fresh, ...fields })
		const refused = [[{ current: 'wrong' }, 'current', /^This is not your password/], [{ current: 'x'.repeat(300) }, 'current', /^This is not your password/],
			[{ password: 'short', again: 'short' }, 'password', /10 to 256 bytes/], [{ password: 'x'.repeat(257), again: 'x'.repeat(257) }, 'password', /10 to 256 bytes/],
			[{ password: 'Password123', again: 'Password123' }, 'password', /first that anybody would try/], [{ password: '', again: '' }, 'password', /10 to 256/],
			[{ again: `${fresh}!` }, 'again', /not the same/]]
		for (const [fields, field, words] of refused) {
			const reply = await change(fields)
			assert.equal(reply.status, 422, JSON.stringify(fields))
			assert.match(problem(reply, field) ?? '', words)
			assert.match(reply.text, new RegExp(`<input id="${field}"[^>]*aria-invalid="true"`))
			assert.ok(!reply.text.includes(fresh), 'a password is never repeated')
		}
		assert.deepEqual(await user('pia'), before)
		assert.ok(await alive(other))

		const reply = await change({})
		assert.equal(reply.status, 303)
		assert.match(await said(browser, reply), /^Your password is changed/)
		assert.deepEqual(await lastAudit(), { actor: 'user:pia', action: 'user_password', object: 'user:pia', detail: {}, address: '192.0.2.1' })
		const now = await user('pia')
		assert.equal(now.token_version, before.token_version + 1)
		assert.notEqual(browser.session, sid)
		assert.deepEqual([await alive(browser), await alive(other), (await asBearer(web, token)).status], [true, false, 401])
		browser.cookies.set('sid', sid)
		assert.equal(await alive(browser), false, 'the session from before has ended')
		assert.equal((await new Browser(web).logIn('pia')).status, 401)
		assert.equal((await new Browser(web).logIn('pia', fresh)).status, 303)
	})

	it('counts wrong passwords there like those of the login', async () => {
		const browser = await loggedIn(web, 'vera', { address: '198.51.100.99' })
		const change = (current) => browser.submit('/admin/account', '/admin/account/password', { current, password: 'correct horse', again: 'correct horse' })
		for (let i = 0; i < 5; i++) assert.equal((await change('wrong')).status, 422)
		const reply = await change(PASSWORD)
		assert.equal(reply.status, 429)
		assert.match(problem(reply, 'current'), /^Too many attempts: wait \d s/)
		assert.ok(Number(reply.headers['retry-after'][0]) >= 1)
	})
})

describe('users', () => {
	it('are listed, and made on the command line only', async () => {
		const anna = await loggedIn(web, 'anna')
		const { text } = await anna.ask('/admin/users')
		assert.match(text, /takings-batch user add NAME --role viewer/)
		assert.match(text, /<tr data-user="anna">.*?<span class="tag">you<\/span>/s)
		assert.doesNotMatch(text, /argon2/)
		assert.equal((await anna.submit('/admin/users', '/admin/users', { username: 'eve' })).status, 405)
	})

	it('get another role at once', async () => {
		const anna = await loggedIn(web, 'anna'), vera = await loggedIn(web, 'vera')
		assert.equal((await vera.ask('/admin/users')).status, 403)
		const line = await does(anna, '/admin/users', `/admin/users/${await idOf('vera')}/role`, { role: 'admin' }, 'user_role', 'user:vera', /^The role is changed/)
		assert.deepEqual([line.actor, line.detail], ['user:anna', { role: 'admin' }])
		assert.equal((await vera.ask('/admin/users')).status, 200)
		assert.equal((await anna.submit('/admin/users', `/admin/users/${await idOf('vera')}/role`, { role: 'root' })).status, 422)
	})

	it('are disabled by who types their name, and enabled again', async () => {
		const anna = await loggedIn(web, 'anna'), vera = await loggedIn(web, 'vera')
		const path = `/admin/users/${await idOf('vera')}`
		for (const confirm of ['', 'Vera', 'vera ', 'anna'])
			await refuses(anna, '/admin/users', `${path}/disable`, { confirm }, 422, /not the user’s name/)
		assert.ok(await alive(vera))
		await does(anna, '/admin/users', `${path}/disable`, { confirm: 'vera' }, 'user_disable', 'user:vera', /^The user is disabled/)
		assert.equal(await alive(vera), false)
		assert.match((await anna.ask('/admin/users')).text, /<tr data-user="vera">.*?disabled/s)
		await does(anna, '/admin/users', `${path}/enable`, {}, 'user_enable', 'user:vera', /^The user is enabled/)
		assert.equal(await alive(vera), false)
		assert.equal((await new Browser(web).logIn('vera')).status, 303)
	})

	it('lose their sessions, and nothing else', async () => {
		const anna = await loggedIn(web, 'anna'), vera = await loggedIn(web, 'vera')
		const before = await user('vera')
		await does(anna, '/admin/users', `/admin/users/${await idOf('vera')}/sessions/end`, {}, 'user_sessions_end', 'user:vera', /^Every session of the user/)
		assert.equal(await alive(vera), false)
		assert.deepEqual(await user('vera'), before)
	})

	it('do not change themselves', async () => {
		const anna = await loggedIn(web, 'anna')
		const path = `/admin/users/${await idOf('anna')}`
		for (const [verb, fields] of [['role', { role: 'viewer' }], ['disable', { confirm: 'anna' }], ['enable', {}], ['sessions/end', {}]])
			await refuses(anna, '/admin/users', `${path}/${verb}`, fields, 409, /Nobody changes their own rights/)
		assert.deepEqual([(await user('anna')).role, (await user('anna')).enabled], ['admin', true])
		await refuses(anna, '/admin/users', '/admin/users/999999/enable', {}, 404, /no such user/)
	})

	it('keep one enabled admin', async () => {
		// A token of an admin who is none any more cannot be: so the asking one is the open mode's.
		const open = await startWeb({ ...settings, ANALYTICS_DATABASE_URL: db.url('analytics_web'), AUTH_MODE: 'open' })
		const nobody = new Browser(open, { address: '127.0.0.1' })
		try {
			await db.exec(`UPDATE app_user SET enabled = false WHERE username = 'adam'`)
			const path = `/admin/users/${await idOf('anna')}`
			await refuses(nobody, '/admin/users', `${path}/role`, { role: 'analyst' }, 409, /last enabled admin/)
			await refuses(nobody, '/admin/users', `${path}/disable`, { confirm: 'anna' }, 409, /last enabled admin/)
			await does(nobody, '/admin/users', `${path}/role`, { role: 'admin' }, 'user_role', 'user:anna', /role is changed/)
			await does(nobody, '/admin/users', `/admin/users/${await idOf('adam')}/role`, { role: 'viewer' }, 'user_role', 'user:adam', /role is changed/)
			assert.equal((await user('anna')).role, 'admin')
		} finally {
			await open.stop()
		}
	})

	it('keep one when two admins take each other’s rights at the same moment', async () => {
		for (let round = 0; round < 10; round++) {
			await db.exec(`UPDATE app_user SET role = 'admin' WHERE username IN ('anna', 'adam')`)
			const [anna, adam] = [await loggedIn(web, 'anna'), await loggedIn(web, 'adam')]
			const [a, b] = [await idOf('anna'), await idOf('adam')]
			const [x, y] = await Promise.all([[anna, b], [adam, a]].map(async ([browser]) => csrfOf((await browser.ask('/admin/users')).text)))
			const replies = await Promise.all([anna.post(`/admin/users/${b}/role`, { csrf: x, role: 'viewer' }), adam.post(`/admin/users/${a}/role`, { csrf: y, role: 'viewer' })])
			assert.equal(await db.value(`SELECT count(*)::int FROM app_user WHERE role = 'admin' AND enabled`), 1)
			assert.equal(replies.filter((r) => r.status === 303).length, 1, replies.map((r) => r.status).join(' '))
		}
	})

	it('are not changed where that cannot be written down', async () => {
		const anna = await loggedIn(web, 'anna')
		await db.exec('REVOKE INSERT ON audit_log FROM analytics_web')
		try {
			const reply = await anna.submit('/admin/users', `/admin/users/${await idOf('vera')}/role`, { role: 'admin' })
			assert.equal(reply.status, 500)
			assert.match(reply.text, /This page failed/)
			assert.equal((await user('vera')).role, 'viewer')
			assert.equal((await anna.submit('/admin/users', '/admin/keys', { name: 'unwritten', scope: 'read', last_day: '' })).status, 500)
			assert.equal(await db.value(`SELECT count(*)::int FROM api_key WHERE name = 'unwritten'`), 0)
		} finally {
			await db.exec('GRANT INSERT ON audit_log TO analytics_web')
		}
	})
})

describe('keys', () => {
	const make = (browser, fields) => browser.submit('/admin/users', '/admin/keys', { name: 'till', scope: 'read', last_day: '', ...fields })

	it('are made and shown once', async () => {
		const anna = await loggedIn(web, 'anna')
		const n = await audits()
		const reply = await make(anna, { name: 'a "till" & <b>', last_day: '2199-12-31' })
		assert.equal(reply.status, 200)
		assert.equal(reply.headers['cache-control'][0], 'no-store')
		const key = /<code id="new-key">(tk_[\w-]{51})<\/code>/.exec(reply.text)[1]
		assert.match(reply.text, new RegExp(`curl -H &#39;Authorization: Bearer ${key}&#39; &#39;http://takings.test/api`))
		assert.ok(!(await anna.ask('/admin/users')).text.includes(key))
		assert.equal((await asBearer(web, key)).status, 404)
		const row = await db.one(`SELECT key_id, name, prefix, scope, created_by, expires_at::text, encode(key_hash, 'escape') AS hash FROM api_key ORDER BY key_id DESC LIMIT 1`)
		assert.deepEqual({ ...row, key_id: 0, hash: '' }, { key_id: 0, name: 'a "till" & <b>', prefix: key.slice(0, 11), scope: 'read', created_by: 'user:anna',
			expires_at: '2200-01-01 00:00:00+00', hash: '' })
		assert.ok(!row.hash.includes(key))
		assert.equal(await audits(), n + 1)
		const line = await lastAudit()
		assert.deepEqual([line.actor, line.action, line.object, line.detail], ['user:anna', 'key_add', `key:${row.key_id}`, { name: 'a "till" & <b>', scope: 'read' }])
	})

	it('need a name, a scope and a day to come', async () => {
		const anna = await loggedIn(web, 'anna')
		for (const [fields, words] of [[{ name: '' }, /needs a name/], [{ name: '   ' }, /needs a name/], [{ name: 'a\nb' }, /printable/], [{ last_day: '2020-01-01' }, /over already/]]) {
			const reply = await make(anna, fields)
			assert.equal(reply.status, 422, JSON.stringify(fields))
			assert.match(problem(reply, 'key'), words)
		}
		for (const fields of [{ scope: 'root' }, { name: 'x'.repeat(101) }, { last_day: 'tomorrow' }])
			assert.equal((await make(anna, fields)).status, 422, JSON.stringify(fields))
		assert.match((await make(anna, { name: '"kept"', last_day: '2020-01-01' })).text, /value="&quot;kept&quot;"/)
	})

	it('are revoked by who types their name', async () => {
		const anna = await loggedIn(web, 'anna')
		const key = /<code id="new-key">([^<]+)/.exec((await make(anna, { name: 'old till' })).text)[1]
		const id = await db.value('SELECT max(key_id)::int FROM api_key')
		const path = `/admin/keys/${id}/revoke`
		await refuses(anna, '/admin/users', path, { confirm: 'till' }, 422, /not the key’s name/)
		assert.equal((await asBearer(web, key)).status, 404)
		await does(anna, '/admin/users', path, { confirm: 'old till' }, 'key_revoke', `key:${id}`, /^The key is revoked/)
		assert.equal((await asBearer(web, key)).status, 401)
		await refuses(anna, '/admin/users', path, { confirm: 'old till' }, 404, /no such key/)
	})
})

describe('the audit log', () => {
	const rows = ({ text }) => [...text.matchAll(/<tr data-audit="(\d+)"[^>]*><th[^>]*>([^<]+)<\/th>/g)].map((m) => Number(m[1]))

	it('is paged from the newest on, each row once', async () => {
		const anna = await loggedIn(web, 'anna')
		await db.exec(`INSERT INTO audit_log (actor, action, object, detail) SELECT 'user:filler', 'filled', 'n' || n, '{"n": 1}' FROM generate_series(1, 125) n`)
		const seen = []
		let target = '/admin/audit?actor=filler', pages = 0
		for (; target; pages++) {
			const page = await anna.ask(target)
			assert.equal(page.status, 200)
			seen.push(...rows(page))
			target = /rel="next" href="([^"]+)"/.exec(page.text)?.[1].replaceAll('&amp;', '&')
		}
		assert.deepEqual([seen.length, new Set(seen).size, pages], [125, 125, 3])
		assert.deepEqual(seen, [...seen].sort((a, b) => b - a))
	})

	it('is filtered by who, what and when, in the site’s zone', async () => {
		const anna = await loggedIn(web, 'anna')
		await db.exec(`INSERT INTO audit_log (actor, action, object, at) VALUES ('user:late', 'probed', 'x', '2025-03-01 23:59:59+00'), ('user:late', 'probed', 'y', '2025-03-02 00:00:00+00'),
			('key:77', 'probed', 'z', '2025-03-02 12:00:00+00')`)
		const count = async (query) => rows(await anna.ask(`/admin/audit?${query}`)).length
		assert.equal(await count('action=probed'), 3)
		assert.equal(await count('actor=late&action='), 2)
		assert.equal(await count('actor=user:late&since=2025-03-02&until=2025-03-02'), 1)
		assert.equal(await count('actor=&action=probed&since=&until=2025-03-01'), 1)
		assert.equal(await count('actor=key:77'), 1)
		assert.equal(await count('since=2025-03-03&until=2025-03-04'), 0)
		const none = await anna.ask('/admin/audit?actor=nobody')
		assert.match(none.text, /Nothing like that was done/)
		const page = await anna.ask('/admin/audit?action=probed')
		assert.match(page.text, /Times in UTC/)
		assert.match(page.text, /1 Mar 2025, 23:59:59/)
		for (const query of ['since=yesterday', 'before=x', 'before=0', 'page_rows=1000', 'user_id=1'])
			assert.equal((await anna.ask(`/admin/audit?${query}`)).status, 422, query)
	})
})

describe('the system page', () => {
	it('says what does not work, since when, and what to do', async () => {
		const anna = await loggedIn(web, 'anna')
		const first = await anna.ask('/admin/system')
		assert.match(first.text, /<h1>Something needs attention<\/h1>/)
		assert.match(first.text, /data-check="batch".*?has never run: takings-batch run/s)
		await db.exec(`INSERT INTO heartbeat VALUES ('batch', 'down', '', now()), ('order_db', 'ok', '', now())
			ON CONFLICT (component) DO UPDATE SET status = excluded.status, at = excluded.at;
			INSERT INTO batch_run (started_at, finished_at, status, mode, warnings, error, code_version, server_version) VALUES
			('2025-03-01 02:00+00', '2025-03-01 02:00:09.5+00', 'ok', 'due', '[{"code": "x", "text": "3 orders have <no> items"}]', NULL, '1', '15'),
			('2025-03-02 02:00+00', '2025-03-02 02:01+00', 'failed', 'due', '[]', 'order_db <cannot> be reached', '1', '15'),
			('2025-03-03 02:00+00', '2025-03-03 02:01+00', 'failed', 'due', '[]', 'again', '1', '15')`)
		const { text } = await anna.ask('/admin/system')
		assert.match(text, /data-check="batch".*?the last run failed.*?, since 2 Mar 2025, 02:00/s)
		assert.match(text, /data-check="order_db"><dt>[^<]*<\/dt><dd><span class="is-good">works/)
		assert.match(text, /takings-batch doctor/)
		assert.match(text, /3 orders have &lt;no&gt; items/)
		assert.match(text, /order_db &lt;cannot&gt; be reached/)
		assert.match(text, />9\.5 s</)
		await db.exec(`DELETE FROM batch_run; UPDATE heartbeat SET status = 'ok'`)
		assert.match((await anna.ask('/admin/system')).text, /<h1>Everything works<\/h1>/)
	})
})

describe('pages that say no', () => {
	it('say so in words, and what to do', async () => {
		const vera = await loggedIn(web, 'vera')
		const forbidden = await vera.ask('/admin/users')
		assert.equal(forbidden.status, 403)
		assert.match(forbidden.text, /You are logged in as <strong>vera<\/strong>, viewer/)
		const old = await vera.post('/admin/account/sessions/end', { csrf: 'x' })
		assert.deepEqual([old.status, /Nothing was changed: go back/.test(old.text)], [403, true])
		const out = await new Browser(web).post('/admin/account/sessions/end', { csrf: 'x' })
		assert.deepEqual([out.status, /href="\/admin\/login">Log in/.test(out.text)], [401, true])
		const none = await vera.ask('/admin/nothing')
		assert.deepEqual([none.status, /there is nothing at this address/.test(none.text), /Another day/.test(none.text)], [404, true, false])
	})
})
