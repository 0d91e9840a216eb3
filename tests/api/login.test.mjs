// Coming in and going out: the login page, sessions, tokens and keys, over two web programs that
// share a database, so that what one does is seen to hold in the other.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Browser, PASSWORD, SECRET, accessDatabase, addUser, asBearer, csrfOf, forge, loggedIn, readToken, startWeb, takings, tokenOf } from '../lib/access.mjs'
import { sleep, until } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'

const API = '/api/admin/analytics/summary'
const NOTHING = 404 // the answer to who may ask: nothing is computed here

let db, settings, webSettings, one, two
const webs = []
const start = async (more) => {
	const web = await startWeb({ ...webSettings, ...more })
	webs.push(web)
	return web
}

before(async () => {
	({ db, settings, web: webSettings } = await accessDatabase('login-pg'))
	for (const [name, role] of [['anna', 'admin'], ['vera', 'viewer'], ['alan', 'analyst']]) await addUser(settings, name, role)
	one = await start({})
	two = await start({})
})
after(() => Promise.all(webs.map((web) => web.stop())))

let serial = 0
const address = () => `198.51.100.${++serial}`
const setCookie = (reply, name) => (reply.headers['set-cookie'] ?? []).find((line) => line.startsWith(`${name}=`))
const hasSession = async (web, sid, target = '/admin/account') => {
	const reply = await web.get(target, { params: { REMOTE_ADDR: address(), HTTP_COOKIE: `sid=${sid}` } })
	return reply.status === 200
}
const within = (probe, what) => until(probe, { every: 10, what })

// Who was remembered there is forgotten within a second.
const forgotten = (sid, what, webs = [one, two]) =>
	Promise.all(webs.map((web) => within(async () => !await hasSession(web, sid), what)))

describe('the login page', () => {
	it('gives a session to name and password, in any case of the name', async () => {
		let browser
		for (const name of ['anna', 'ANNA']) {
			browser = new Browser(one)
			const reply = await browser.logIn(name)
			assert.equal(reply.status, 303)
			assert.equal(reply.headers.location[0], '/admin/account')
			assert.match(setCookie(reply, 'sid'), /^sid=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
			assert.equal(reply.headers['cache-control'][0], 'no-store')
		}
		const page = await browser.ask('/admin/account')
		assert.equal(page.status, 200)
		assert.match(page.text, /anna<\/strong>, admin/)
		assert.match(await db.value('SELECT encode(token_hash, \'hex\') FROM web_session ORDER BY session_id DESC LIMIT 1'), /^[0-9a-f]{64}$/)
		assert.equal(await db.value(`SELECT count(*)::int FROM web_session WHERE encode(token_hash, 'escape') LIKE '%${browser.session}%'`), 0)
		assert.deepEqual(await db.one(`SELECT actor, action, address FROM audit_log ORDER BY audit_id DESC LIMIT 1`),
			{ actor: 'user:anna', action: 'login', address: '192.0.2.1' })
	})

	it('refuses what is no form of ours', async () => {
		const good = { username: 'anna', password: PASSWORD }
		const cases = {
			'no token': [{ csrf: '' }, {}],
			'no such token': [{ csrf: 'A'.repeat(64) }, {}],
			'another browser’s token': [{ csrf: csrfOf((await new Browser(one).ask('/admin/login')).text) }, {}],
			'cross-site': [{}, { 'sec-fetch-site': 'cross-site' }],
			'same-site, another host': [{}, { 'sec-fetch-site': 'same-site' }],
			'no header that says from where': [{}, { 'sec-fetch-site': null }],
			'another origin': [{}, { 'sec-fetch-site': null, origin: 'https://evil.example' }],
			'the origin null': [{}, { 'sec-fetch-site': null, origin: 'null' }],
			'no cookie of the form': [{}, { cookie: null }],
		}
		for (const [name, [fields, headers]] of Object.entries(cases)) {
			const browser = new Browser(one)
			const reply = await browser.submit('/admin/login', '/admin/login', { ...good, ...fields }, headers)
			assert.equal(reply.status, 403, name)
			assert.equal(setCookie(reply, 'sid'), undefined, name)
			assert.match(reply.text, /The form was too old/)
		}
		const before = await db.value('SELECT count(*)::int FROM login_failure')
		assert.equal(before, 0, 'a form that is not ours counts as no attempt')
		const missing = await new Browser(one).post('/admin/login', good)
		assert.equal(missing.status, 422)
		const json = await one.get('/admin/login', { method: 'POST', body: JSON.stringify(good), params: { CONTENT_TYPE: 'application/json' } })
		assert.equal(json.status, 415)
	})

	it('takes Origin where a browser sends no Sec-Fetch-Site', async () => {
		const web = await start({ PUBLIC_ORIGIN: 'https://takings.example.com,http://localhost:8087' })
		for (const [origin, status] of [['https://takings.example.com', 303], ['http://localhost:8087', 303], ['https://takings.example.com.evil.example', 403],
			['http://takings.example.com', 403]]) {
			const reply = await new Browser(web).submit('/admin/login', '/admin/login', { username: 'anna', password: PASSWORD }, { 'sec-fetch-site': null, origin })
			assert.equal(reply.status, status, origin)
		}
	})

	it('names its cookies __Host- and Secure behind https', async () => {
		const web = await start({ PUBLIC_ORIGIN: 'https://takings.example.com' })
		const browser = new Browser(web)
		const form = await browser.ask('/admin/login')
		assert.match(setCookie(form, 'login'), /^login=[\w-]{43}; Path=\/admin\/login; HttpOnly; SameSite=Strict; Secure$/)
		const reply = await browser.post('/admin/login', { csrf: csrfOf(form.text), username: 'anna', password: PASSWORD })
		assert.match(setCookie(reply, '__Host-sid'), /^__Host-sid=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
		assert.equal((await browser.ask('/admin/account')).status, 200)
		const plain = await web.get('/admin/account', { params: { HTTP_COOKIE: `sid=${browser.session}` } })
		assert.equal(plain.status, 303, 'a cookie of the plain name is none')
		const out = await browser.submit('/admin/account', '/admin/logout', {})
		assert.match(setCookie(out, '__Host-sid'), /Max-Age=0.*; Secure/)
	})

	it('lets no cookie from before the login live on', async () => {
		const browser = new Browser(one)
		browser.cookies.set('sid', 'planted-by-somebody-else-000000000000000000')
		const form = await browser.ask('/admin/login')
		const before = browser.cookies.get('login')
		const reply = await browser.post('/admin/login', { csrf: csrfOf(form.text), username: 'anna', password: PASSWORD })
		assert.equal(reply.status, 303)
		const first = browser.session
		assert.ok(!first.startsWith('planted'))
		assert.notEqual(first, before)
		assert.match(setCookie(reply, 'login'), /^login=;.*Max-Age=0/)
		assert.ok(!await hasSession(one, before) && !await hasSession(one, 'planted-by-somebody-else-000000000000000000'))
		// And a session that was there ends when its browser logs in once more.
		const again = new Browser(one)
		const page = await again.ask('/admin/login')
		again.cookies.set('sid', first)
		const second = await again.post('/admin/login', { csrf: csrfOf(page.text), username: 'vera', password: PASSWORD })
		assert.equal(second.status, 303)
		assert.notEqual(again.session, first)
		await forgotten(first, 'the former session to end')
	})

	it('leads on to pages of ours only', async () => {
		const kept = ['/admin/', '/admin/users', '/admin/audit?actor=anna&before=3']
		const others = ['https://evil.example/', '//evil.example/admin/', '/\\evil.example', '/admin/\\..\\', '\\admin', 'admin/users', '/admin//evil.example',
			'/admin/\r\nSet-Cookie: x=1', 'javascript:alert(1)', '/admin/../../evil', '/health', '/%2f%2fevil.example', 'https:/admin/', ' /admin/', '/admin',
			'data:text/html,<script>alert(1)</script>', 'x'.repeat(500)]
		for (const next of [...kept, ...others]) {
			const reply = await new Browser(one).logIn('anna', PASSWORD, next)
			assert.equal(reply.status, 303, next)
			const location = reply.headers.location[0]
			if (kept.includes(next)) assert.equal(location, next)
			const url = new URL(location, 'http://takings.invalid/')
			assert.ok(url.origin === 'http://takings.invalid' && location.startsWith('/admin/'), `${next} led to ${location}`)
		}
		const asked = await one.get(`/admin/login?next=${encodeURIComponent('//evil.example')}`)
		assert.match(asked.text, /name="next" value="\/admin\/"/)
		const sent = await one.get('/admin/users')
		assert.deepEqual([sent.status, sent.headers.location[0]], [303, '/admin/login?next=/admin/users'])
	})

	it('says no more than that name or password are not right', async () => {
		const bodies = []
		for (const [name, password] of [['anna', 'wrong'], ['nobody', 'wrong'], ['anna\' OR 1=1 --', PASSWORD], ['anna', `${PASSWORD} `]]) {
			const browser = new Browser(one, { address: address() })
			const reply = await browser.logIn(name, password)
			assert.equal(reply.status, 401)
			assert.equal(setCookie(reply, 'sid'), undefined)
			bodies.push(reply.text.replace(/value="[^"]*"/g, '').replace(/<code>\w{32}<\/code>/, ''))
		}
		assert.equal(new Set(bodies).size, 1)
		assert.match(bodies[0], /role="alert"[^>]*>Name or password are not right\./)
		await db.exec('TRUNCATE login_failure')
	})

	it('takes passwords of up to 256 bytes', async () => {
		await addUser(settings, 'long', 'viewer', 'ä'.repeat(128))
		assert.equal((await new Browser(one).logIn('long', 'ä'.repeat(128))).status, 303)
		assert.equal((await new Browser(one).logIn('long', `${'ä'.repeat(128)}x`)).status, 422)
		assert.equal((await tokenOf(one, 'long', 'ä'.repeat(128))).status, 200)
		const over = await tokenOf(one, 'long', 'x'.repeat(257))
		assert.deepEqual([over.status, over.json.field ?? over.json.errors?.[0]?.field], [422, 'password'])
		assert.ok(!over.text.includes('xxx'))
		await db.exec('TRUNCATE login_failure')
	})

	it('keeps user agents of any bytes', async () => {
		for (const agent of [`What/1 ${'\u00e4'.repeat(300)}`, Buffer.from('What/2 \xff\xfe {{user.name}} <b>', 'latin1'), Buffer.from('What/3 \x01\x7f\xc3', 'latin1'), '']) {
			const browser = new Browser(one, { agent })
			assert.equal((await browser.logIn('vera')).status, 303)
			const page = await browser.ask('/admin/account')
			assert.match(page.text, agent.length ? /What\/\d/ : /Unknown program/)
			assert.doesNotMatch(page.text, /<b>/)
		}
	})
})

describe('a session', () => {
	it('ends everywhere within a second of logging out', async () => {
		const browser = await loggedIn(one, 'anna'), sid = browser.session
		for (const web of [one, two]) assert.ok(await hasSession(web, sid))
		const reply = await browser.submit('/admin/account', '/admin/logout', {})
		assert.deepEqual([reply.status, reply.headers.location[0]], [303, '/admin/login'])
		assert.match(reply.headers['clear-site-data'][0], /"cookies"/)
		assert.equal(browser.session, undefined)
		assert.equal(await hasSession(one, sid), false, 'at once where it was asked for')
		await forgotten(sid, 'the stolen cookie to be refused')
	})

	it('changes nothing without the token of a form, or from another site', async () => {
		const browser = await loggedIn(one, 'anna')
		const csrf = csrfOf((await browser.ask('/admin/account')).text)
		const other = csrfOf((await (await loggedIn(one, 'anna')).ask('/admin/account')).text)
		const cases = [[{}, {}, 422], [{ csrf: '' }, {}, 403], [{ csrf: other }, {}, 403], [{ csrf: csrf.slice(0, -1) + (csrf.endsWith('A') ? 'B' : 'A') }, {}, 403],
			[{ csrf }, { 'sec-fetch-site': 'cross-site' }, 403], [{ csrf }, { 'sec-fetch-site': null }, 403],
			[{ csrf }, { 'sec-fetch-site': null, origin: 'http://evil.example' }, 403]]
		for (const [form, headers, status] of cases)
			assert.equal((await browser.post('/admin/logout', form, headers)).status, status, JSON.stringify([form, headers]))
		assert.ok(await hasSession(one, browser.session))
		assert.equal((await browser.ask(`/admin/logout?csrf=${csrf}`)).status, 405)
		assert.equal((await browser.post('/admin/logout', { csrf })).status, 303)
	})

	it('has tokens of forms that differ each time and are all good', async () => {
		const browser = await loggedIn(one, 'anna')
		const tokens = []
		for (let i = 0; i < 3; i++) tokens.push(csrfOf((await browser.ask('/admin/account')).text))
		assert.equal(new Set(tokens).size, 3)
		const bad = await browser.post('/admin/account/sessions/999999/end', { csrf: tokens[0] })
		assert.equal(bad.status, 404)
	})

	it('ends when it idles, and after its hours whatever it does', async () => {
		for (const [column, value] of [['last_seen_at', `now() - interval '31 minutes'`], ['expires_at', `now() - interval '1 second'`]]) {
			const browser = await loggedIn(one, 'anna'), sid = browser.session
			assert.ok(await hasSession(one, sid) && await hasSession(two, sid))
			const last = await db.value('SELECT max(session_id)::int FROM web_session')
			await db.exec(`UPDATE web_session SET ${column} = ${value} WHERE session_id = ${last}`)
			// That somebody idles is no change that is told of: who never asked there is not remembered.
			if (column === 'last_seen_at') assert.equal(await hasSession(await start({}), sid), false)
			else await forgotten(sid, 'the session to be over')
		}
		await loggedIn(one, 'anna')
		const hours = await db.value(`SELECT round(extract(epoch FROM expires_at - created_at) / 3600)::int FROM web_session ORDER BY session_id DESC LIMIT 1`)
		assert.equal(hours, 12)
	})

	it('of a user ends within a second when the user is disabled', async () => {
		await addUser(settings, 'dora', 'admin')
		const browser = await loggedIn(one, 'dora'), sid = browser.session
		const { access_token: token } = (await tokenOf(one, 'dora')).json
		for (const web of [one, two]) {
			assert.ok(await hasSession(web, sid))
			assert.equal((await asBearer(web, token)).status, NOTHING)
		}
		await takings(settings, ['user', 'disable', 'dora'])
		await forgotten(sid, 'dora to be out')
		for (const web of [one, two]) await within(async () => (await asBearer(web, token)).status === 401, 'the token to be refused')
		assert.equal((await new Browser(one).logIn('dora')).status, 401)
		await takings(settings, ['user', 'enable', 'dora'])
		assert.equal(await hasSession(one, sid), false)
		assert.equal((await asBearer(one, token)).status, 401, 'tokens from before stay out')
		await db.exec('TRUNCATE login_failure')
	})

	it('has another role within a second', async () => {
		await addUser(settings, 'rosa', 'admin')
		const { session: sid } = await loggedIn(one, 'rosa')
		const { access_token: token } = (await tokenOf(one, 'rosa')).json
		for (const web of [one, two]) assert.ok(await hasSession(web, sid, '/admin/users'))
		await takings(settings, ['user', 'role', 'rosa', 'viewer'])
		for (const web of [one, two]) {
			await within(async () => !await hasSession(web, sid, '/admin/users'), 'the admin to be a viewer')
			assert.ok(await hasSession(web, sid))
			const reply = await web.get('/admin/users', { params: { HTTP_AUTHORIZATION: `Bearer ${token}` } })
			assert.equal(reply.status, 403)
			assert.match(reply.text, /<h1[^>]*>this needs more rights than yours/)
		}
	})

	it('of everybody ends when the password is set on the command line', async () => {
		await addUser(settings, 'paul', 'viewer')
		const { session: sid } = await loggedIn(one, 'paul')
		const { access_token: token } = (await tokenOf(two, 'paul')).json
		assert.ok(await hasSession(two, sid))
		await takings(settings, ['user', 'password', 'paul'], 'quite another one\n')
		await forgotten(sid, 'paul to be out')
		for (const web of [one, two]) await within(async () => (await asBearer(web, token)).status === 401, 'the token to be refused')
	})
})

describe('wrong passwords', () => {
	it('make a name wait at an address from the fifth on, and nobody else', async () => {
		const [here, there] = [address(), address()]
		const waits = []
		for (let i = 0; i < 5; i++) assert.equal((await tokenOf(one, 'alan', 'wrong', here)).status, 401, `try ${i + 1}`)
		for (let i = 0; i < 3; i++) {
			const reply = await tokenOf(two, 'alan', PASSWORD, here)
			assert.equal(reply.status, 429, 'the right one is not looked at')
			assert.equal(reply.json.code ?? reply.json.type, 'too_many_requests')
			waits.push(Number(reply.headers['retry-after'][0]))
			const page = await new Browser(one, { address: here }).logIn('alan')
			assert.equal(page.status, 429)
			assert.match(page.text, /role="alert"[^>]*>Too many attempts: wait \d+ s\./)
			assert.ok(Number(page.headers['retry-after'][0]) >= 1)
			await db.exec(`UPDATE login_failure SET blocked_until = now() WHERE username = 'alan'`)
			assert.equal((await tokenOf(one, 'alan', 'wrong', here)).status, 401)
		}
		assert.deepEqual(waits, [1, 2, 4])
		assert.equal((await tokenOf(one, 'alan', PASSWORD, there)).status, 200, 'from elsewhere it is let in')
		assert.equal((await tokenOf(one, 'vera', PASSWORD, here)).status, 200, 'others are let in from here')
		await db.exec(`UPDATE login_failure SET failures = 1000, blocked_until = now() WHERE username = 'alan'`)
		assert.equal((await tokenOf(one, 'alan', 'wrong', here)).status, 401)
		const longest = await tokenOf(one, 'alan', PASSWORD, here)
		assert.ok(Math.abs(Number(longest.headers['retry-after'][0]) - 900) <= 1)
		await db.exec(`UPDATE login_failure SET blocked_until = now() WHERE username = 'alan'`)
		assert.equal((await tokenOf(one, 'alan', PASSWORD, here)).status, 200)
		assert.equal(await db.value(`SELECT count(*)::int FROM login_failure WHERE username = 'alan'`), 0, 'the right one forgets them')
	})

	it('count for a name there is not as for one there is', async () => {
		const from = address()
		for (let i = 0; i < 5; i++) assert.equal((await tokenOf(one, 'nobody', 'wrong', from)).status, 401)
		assert.equal((await tokenOf(one, 'nobody', 'wrong', from)).status, 429)
	})

	it('of all names from an address are limited by the minute', async () => {
		const web = await start({ RATE_LIMIT_LOGIN: '3' })
		const from = address()
		for (let i = 0; i < 3; i++) assert.equal((await tokenOf(web, `somebody${i}`, 'wrong', from)).status, 401)
		const over = await tokenOf(web, 'vera', PASSWORD, from)
		assert.equal(over.status, 429)
		assert.ok(Number(over.headers['retry-after'][0]) >= 1 && Number(over.headers['retry-after'][0]) <= 60)
		const page = await new Browser(web, { address: from }).logIn('vera')
		assert.equal(page.status, 429)
		assert.equal((await tokenOf(web, 'vera', PASSWORD, address())).status, 200)
	})
})

describe('a bearer token', () => {
	it('comes as OAuth has it, and says no more than it must', async () => {
		const reply = await tokenOf(one, 'Vera')
		assert.equal(reply.status, 200)
		assert.deepEqual(Object.keys(reply.json), ['access_token', 'token_type', 'expires_in'])
		assert.deepEqual([reply.json.token_type, reply.json.expires_in, reply.headers['cache-control'][0]], ['bearer', 1800, 'no-store'])
		const claims = readToken(reply.json.access_token)
		assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.exp - claims.iat], ['vera', 'takings', 'takings', 1800])
		assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sub', 'ver'])
		assert.equal((await asBearer(two, reply.json.access_token)).status, NOTHING)
		assert.equal(reply.headers['set-cookie'], undefined)
		const wrong = await tokenOf(one, 'vera', 'wrong')
		assert.deepEqual([wrong.status, wrong.headers['www-authenticate'][0]], [401, 'Bearer realm="takings"'])
		await db.exec('TRUNCATE login_failure')
	})

	it('needs no token of a form, and a cookie beside it is not looked at', async () => {
		const token = (await tokenOf(one, 'vera')).json.access_token
		const { session: sid } = await loggedIn(one, 'anna')
		const reply = await one.get('/admin/users', { params: { HTTP_AUTHORIZATION: `Bearer ${token}`, HTTP_COOKIE: `sid=${sid}` } })
		assert.equal(reply.status, 403)
	})

	it('that was forged or changed is refused', async () => {
		const token = (await tokenOf(one, 'anna')).json.access_token
		const claims = readToken(token)
		assert.equal((await asBearer(one, forge(claims))).status, NOTHING, 'the forge itself works')
		const forged = [forge(claims, { secret: null, header: { alg: 'none', typ: 'JWT' } }), forge(claims, { secret: '' }), forge(claims, { secret: 'x'.repeat(32) }),
			forge(claims, { header: { alg: 'HS512', typ: 'JWT' }, hash: 'sha512' }), forge({ ...claims, ver: claims.ver + 1 }), forge({ ...claims, sub: 'nobody' }),
			forge({ ...claims, exp: claims.iat - 1 }), forge({ ...claims, exp: undefined }), forge({ ...claims, aud: 'other' }), forge({ ...claims, iss: 'other' }),
			forge({ ...claims, iat: claims.iat + 3600, exp: claims.exp + 3600 }), `${token}.x`, token.slice(0, -1), '', 'x', '..', `tk_${'A'.repeat(51)}`]
		for (const text of forged) {
			const reply = await asBearer(one, text)
			assert.equal(reply.status, 401, text)
			assert.doesNotMatch(reply.text, /signature|expired|alg/i, 'why is nobody’s business')
		}
	})

	it('is refused in each of 2,000 mutations', async () => {
		const web = await start({ RATE_LIMIT_ADDRESSES: '0' })
		const token = (await tokenOf(one, 'anna')).json.access_token
		const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~ '
		let seed = 42
		const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 65536) % n }
		const mutate = () => {
			const at = random(token.length), letter = letters[random(letters.length)]
			return [token.slice(0, at) + letter + token.slice(at + 1), token.slice(0, at) + token.slice(at + 1),
				token.slice(0, at) + letter + token.slice(at), token.slice(0, at)][random(4)]
		}
		const good = []
		for (let done = 0; done < 2000; done += 50)
			await Promise.all(Array.from({ length: 50 }, async () => {
				const text = mutate()
				// Blanks at the end are not part of it: the header ends there.
				if (text.trim() !== token && (await asBearer(web, text)).status !== 401) good.push(text)
			}))
		assert.deepEqual(good, [])
		assert.equal((await asBearer(web, token)).status, NOTHING)
	})

	it('outlives a change of the secret as long as the former one is kept', async () => {
		const file = path.join(scratch(), 'jwt'), previous = path.join(scratch(), 'jwt-previous')
		const other = 'another-secret-of-32-bytes-or-more'
		writeFileSync(file, SECRET)
		writeFileSync(previous, '')
		const web = await start({ JWT_SECRET: '', JWT_SECRET_FILE: file, JWT_SECRET_PREVIOUS_FILE: previous, RATE_LIMIT_ADDRESSES: '0' })
		const reload = async () => {
			const n = web.log.split('"reloaded"').length
			web.child.kill('SIGHUP')
			await until(() => web.log.split('"reloaded"').length > n, { what: 'the new settings' })
		}
		const old = (await tokenOf(web, 'vera')).json.access_token
		assert.equal((await asBearer(web, old)).status, NOTHING)
		writeFileSync(file, other)
		writeFileSync(previous, SECRET)
		await reload()
		assert.equal((await asBearer(web, old)).status, NOTHING, 'good under the former one')
		const fresh = (await tokenOf(web, 'vera')).json.access_token
		assert.equal((await asBearer(web, fresh)).status, NOTHING)
		assert.equal((await asBearer(two, fresh)).status, 401, 'signed with the new one')
		writeFileSync(previous, '')
		await reload()
		assert.equal((await asBearer(web, old)).status, 401, 'not remembered either')
		assert.equal((await asBearer(web, fresh)).status, NOTHING)
	})
})

describe('an API key', () => {
	const make = async (name, scope, ...more) => /tk_[\w-]+/.exec(await takings(settings, ['key', 'add', name, '--scope', scope, ...more]))[0]
	const idOf = (key) => db.value(`SELECT key_id::int FROM api_key WHERE prefix = '${key.slice(0, 11)}'`)

	it('may what its scope says', async () => {
		for (const [scope, status] of [['ingest', 403], ['read', NOTHING], ['admin', NOTHING]]) {
			const key = await make(`scope ${scope}`, scope)
			assert.equal((await asBearer(one, key)).status, status, scope)
			assert.equal((await asBearer(one, key, '/admin/users')).status, 403, 'pages are for people')
			assert.equal((await asBearer(one, `${key}x`)).status, 401)
			assert.equal((await asBearer(one, key.slice(0, -1))).status, 401)
		}
	})

	it('is refused within a second when it is revoked or over, and says when it was used', async () => {
		const key = await make('to be revoked', 'read')
		const id = await idOf(key)
		assert.equal(await db.value(`SELECT last_used_at FROM api_key WHERE key_id = ${id}`), null)
		for (const web of [one, two]) assert.equal((await asBearer(web, key)).status, NOTHING)
		assert.ok(await db.value(`SELECT now() - last_used_at < interval '1 minute' FROM api_key WHERE key_id = ${id}`))
		await takings(settings, ['key', 'revoke', String(id)])
		for (const web of [one, two]) await within(async () => (await asBearer(web, key)).status === 401, 'the key to be refused')

		const late = await make('to be over', 'read', '--expires', '2199-01-01')
		for (const web of [one, two]) assert.equal((await asBearer(web, late)).status, NOTHING)
		await db.exec(`UPDATE api_key SET expires_at = now() WHERE key_id = ${await idOf(late)}`)
		for (const web of [one, two]) await within(async () => (await asBearer(web, late)).status === 401, 'the key to be over')
	})
})

describe('limits', () => {
	it('are told in headers, and 429 comes one after the last', async () => {
		const web = await start({ RATE_LIMIT_KEYS: '60', RATE_LIMIT_USERS: '60', RATE_LIMIT_BURST: '3', RATE_LIMIT_ADDRESSES: '60' })
		const key = /tk_[\w-]+/.exec(await takings(settings, ['key', 'add', 'limited', '--scope', 'read']))[0]
		const token = (await tokenOf(web, 'vera')).json.access_token
		for (const [who, ask] of [['key', () => asBearer(web, key)], ['user', () => asBearer(web, token)],
			['nobody', () => web.get(API, { params: { REMOTE_ADDR: '203.0.113.9' } })]]) {
			for (let left = 2; left >= 0; left--) {
				const reply = await ask()
				assert.equal(reply.status, who === 'nobody' ? 401 : NOTHING, who)
				assert.deepEqual([reply.headers['x-ratelimit-limit'][0], reply.headers['x-ratelimit-remaining'][0]], ['60', String(left)], who)
			}
			const over = await ask()
			assert.equal(over.status, 429, who)
			assert.equal(over.headers['x-ratelimit-remaining'][0], '0')
			assert.ok(Number(over.headers['x-ratelimit-reset'][0]) >= Number(over.headers['retry-after'][0]))
			const wait = Number(over.headers['retry-after'][0])
			assert.ok(wait >= 1 && wait <= 60, `${who}: ${wait}`)
		}
		assert.equal((await web.get(API, { params: { REMOTE_ADDR: '203.0.113.10' } })).status, 401, 'each address has its own')
	})
})

describe('AUTH_MODE=open', () => {
	it('lets in who sits at the machine, and nobody who came through another', async () => {
		const web = await start({ AUTH_MODE: 'open' })
		const ask = (params) => web.get(API, { params })
		assert.equal((await ask({})).status, NOTHING)
		assert.equal((await ask({ REMOTE_ADDR: '::1', SERVER_ADDR: '::1' })).status, NOTHING)
		for (const params of [{ REMOTE_ADDR: '192.0.2.1' }, { SERVER_ADDR: '192.0.2.1' }, { REMOTE_ADDR: '' }, { SERVER_ADDR: '' },
			{ HTTP_X_FORWARDED_FOR: '192.0.2.1' }, { HTTP_X_FORWARDED_FOR: '127.0.0.1' }, { HTTP_FORWARDED: 'for=127.0.0.1' },
			{ HTTP_X_REAL_IP: '127.0.0.1' }, { HTTP_X_FORWARDED_HOST: 'localhost' }, { HTTP_X_FORWARDED_PROTO: 'http' }, { HTTP_VIA: '1.1 p' }])
			assert.equal((await ask(params)).status, 401, JSON.stringify(params))
		const shown = await ask({ HTTP_AUTHORIZATION: 'Bearer x' })
		assert.equal(shown.status, 401, 'who shows something is asked for it')
	})

	it('takes no form of another site', async () => {
		const web = await start({ AUTH_MODE: 'open' })
		const post = (more) => web.get('/admin/keys', { method: 'POST', body: 'csrf=&name=open&scope=read&last_day=',
			params: { CONTENT_TYPE: 'application/x-www-form-urlencoded', ...more } })
		for (const params of [{ HTTP_SEC_FETCH_SITE: 'cross-site' }, { HTTP_SEC_FETCH_SITE: 'same-site' }, { HTTP_ORIGIN: 'http://evil.example' }])
			assert.equal((await post(params)).status, 403, JSON.stringify(params))
		assert.equal(await db.value(`SELECT count(*)::int FROM api_key WHERE name = 'open'`), 0)
		assert.equal((await post({ HTTP_SEC_FETCH_SITE: 'same-origin' })).status, 200)
		assert.equal((await post({})).status, 200, 'curl says nothing of sites')
		assert.deepEqual(await db.query(`SELECT DISTINCT created_by FROM api_key WHERE name = 'open'`), [{ created_by: 'open' }])
	})
})

describe('one hash at a time', () => {
	it('keeps answering while many passwords are looked at', async () => {
		const tries = Array.from({ length: 30 }, (_, i) => tokenOf(one, `crowd${i}`, 'wrong', address()))
		await sleep(20)
		assert.equal((await one.get('/health/live')).status, 200)
		const statuses = (await Promise.all(tries)).map((r) => r.status)
		assert.ok(statuses.every((s) => s === 401 || s === 503), statuses.join(' '))
		assert.ok(statuses.includes(401))
	})
})
