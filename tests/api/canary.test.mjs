// Nothing secret stands in any log: passwords, tokens, cookies, tokens of forms, keys and the
// password of the database, after requests that go well and all kinds that do not.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { after, before, it } from 'node:test'
import { csrfOf } from '../lib/access.mjs'
import { batch, postForm } from '../lib/callers.mjs'
import { Web } from '../lib/fcgi.mjs'
import { startInstance } from '../lib/instance.mjs'
import { must, root, run, until } from '../lib/process.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { cleanEnv } from '../lib/process.mjs'

const canary = (name) => `Canary-${name}-7f3a9c51e2`
const secrets = new Map(['password', 'new password', 'wrong password', 'bearer', 'cookie', 'csrf', 'database', 'query', 'body'].map((n) => [n, canary(n.replace(' ', '-'))]))
secrets.set('api key', `tk_${canary('key')}`)
const secret = (name) => secrets.get(name)

let instance
const others = []
before(async () => {
	instance = await startInstance({ LOG_LEVEL: 'DEBUG', RATE_LIMIT_LOGIN: '0' })
})
after(() => instance?.destroy())

// Every file of the instance that is a log, and what other programs told.
function logs() {
	const found = new Map(others)
	const walk = (dir) => {
		for (const name of readdirSync(dir)) {
			const file = path.join(dir, name)
			const is = statSync(file)
			if (is.isDirectory()) { if (!['base', 'global', 'pg_wal', 'bin', 'static', 'node_modules'].includes(name)) walk(file) }
			else if (/\.log$|^log/.test(name) || /\/log\//.test(file)) found.set(file, readFileSync(file, 'latin1'))
		}
	}
	walk(instance.env.INSTANCE_DIR)
	return found
}

const cookieOf = (reply, name) => (reply.headers['set-cookie'] ?? []).map((c) => c.split(';')[0]).find((c) => c.startsWith(`${name}=`))

async function everythingWith(get) {
	const json = (body) => ({ method: 'POST', anonymous: true, headers: { 'content-type': 'application/json' }, body })
	const statuses = []
	const ask = async (...args) => { const reply = await get(...args); statuses.push(reply.status); return reply }
	for (const password of [secret('password'), secret('wrong password')])
		await ask('/auth/token', json(JSON.stringify({ username: 'canary', password })))
	await ask('/auth/token', json(`{"username": "canary", "password": "${secret('body')}"`))
	await ask('/auth/token', json(JSON.stringify({ username: 'canary', password: secret('body'), more: secret('body') })))
	await ask('/auth/token', json(JSON.stringify({ username: 'canary', password: `${secret('body')}${'x'.repeat(300)}` })))
	await ask('/auth/token', { ...json(`password=${secret('body')}`), headers: { 'content-type': 'text/plain' } })
	await ask('/auth/token', json(secret('body').repeat(4000)))
	const target = '/api/admin/analytics/summary'
	for (const headers of [{ authorization: `Bearer ${secret('bearer')}` }, { authorization: `Bearer ${secret('api key')}` }, { authorization: `Basic ${secret('bearer')}` },
		{ cookie: `sid=${secret('cookie')}; login=${secret('cookie')}` }, { authorization: `Bearer ${secret('bearer').repeat(300)}` }])
		await ask(target, { anonymous: true, headers })
	await ask(`${target}?token=${secret('query')}&password=${secret('query')}`)
	await ask(`/admin/login?next=/admin/&password=${secret('query')}`, { anonymous: true })
	await ask('/admin/account', { anonymous: true, headers: { cookie: `sid=${secret('cookie')}` } })
	return statuses
}

it('after requests of all kinds', async () => {
	const get = (...args) => instance.get(...args)
	const superuser = async (sql) => must(path.join(root, 'tools/instance.sh'), ['env'], { env: instance.env }).then((text) => {
		const url = /MIGRATE_DATABASE_URL='([^']*)'/.exec(text)[1].replace(/\/\/[^@]*@/, '//postgres@')
		return must('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((line) => ['-c', line]), url])
	})
	await superuser([`ALTER SYSTEM SET log_statement = 'all'`, 'ALTER SYSTEM SET log_min_duration_statement = 0', `ALTER SYSTEM SET log_error_verbosity = 'verbose'`,
		'ALTER SYSTEM SET log_parameter_max_length_on_error = -1', 'SELECT pg_reload_conf()'])

	await batch(instance, ['user', 'add', 'canary', '--role', 'admin'], `${secret('password')}\n`)
	const statuses = await everythingWith(get)
	for (const status of [200, 401, 400, 413, 415, 422, 303]) assert.ok(statuses.includes(status), `${status} in ${statuses.join(' ')}`)

	// What is really given out is as secret.
	const { json } = await get('/auth/token', { method: 'POST', anonymous: true, headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ username: 'canary', password: secret('password') }) })
	secrets.set('token', json.access_token.split('.')[2])
	const form = await get('/admin/login', { anonymous: true })
	const wrong = await postForm(instance, '/admin/login', { username: 'canary', password: secret('wrong password'), csrf: csrfOf(form.text), next: '' }, { cookie: cookieOf(form, 'login') })
	const forged = await postForm(instance, '/admin/login', { username: 'canary', password: secret('password'), csrf: secret('csrf'), next: '' }, { cookie: cookieOf(form, 'login') })
	const right = await postForm(instance, '/admin/login', { username: 'canary', password: secret('password'), csrf: csrfOf(form.text), next: '' }, { cookie: cookieOf(form, 'login') })
	assert.deepEqual([wrong.status, forged.status, right.status], [401, 403, 303])
	const cookie = cookieOf(right, 'sid')
	const page = await get('/admin/users', { anonymous: true, headers: { cookie } })
	secrets.set('session', cookie.slice(4))
	secrets.set('form', csrfOf(page.text))
	secrets.set('cookie of the form', cookieOf(form, 'login').slice(6))
	const made = await postForm(instance, '/admin/keys', { name: 'canary', scope: 'read', last_day: '', csrf: csrfOf(page.text) }, { cookie })
	secrets.set('new key', /tk_[\w-]{51}/.exec(made.text)[0])
	assert.equal((await get('/api/admin/analytics/summary', { anonymous: true, headers: { authorization: `Bearer ${secret('new key')}` } })).status, 200)
	const change = (current, password) => postForm(instance, '/admin/account/password', { current, password, again: password, csrf: csrfOf(page.text) }, { cookie })
	assert.equal((await change(secret('wrong password'), secret('new password'))).status, 422)

	// An error of the server in the middle of it, whose log may tell the statement with its parameters.
	await superuser(['REVOKE INSERT ON audit_log FROM analytics_web'])
	assert.equal((await change(secret('password'), secret('new password'))).status, 500)
	await superuser(['GRANT INSERT ON audit_log TO analytics_web'])
	assert.equal((await change(secret('password'), secret('new password'))).status, 303)

	// The password of the database: good, and where nothing listens.
	const { ANALYTICS_WEB_DATABASE_URL: webUrl, ANALYTICS_DATABASE_URL: batchUrl, JWT_SECRET_FILE } = await instance.settings()
	const withPassword = (url) => url.replace(/\/\/([^@]*)@/, `//$1:${secret('database')}@`)
	const nowhere = (url) => withPassword(url).replace(/port=\d+/, 'port=1')
	const settings = { JWT_SECRET: '', JWT_SECRET_FILE, AUTH_MODE: 'required', LOG_LEVEL: 'DEBUG' }
	for (const [name, url] of [['good', withPassword(webUrl)], ['nowhere', nowhere(webUrl)]]) {
		const web = await Web.start({ ...settings, ANALYTICS_DATABASE_URL: url })
		const reply = await web.get('/api/admin/analytics/summary', { params: { HTTP_AUTHORIZATION: `Bearer ${secret('new key')}` } })
		assert.equal(reply.status, name === 'good' ? 200 : 503)
		await web.get('/auth/token', { method: 'POST', body: JSON.stringify({ username: 'canary', password: secret('new password') }), params: { CONTENT_TYPE: 'application/json' } })
		await web.stop()
		others.push([`takings-web, database ${name}`, web.log])
	}
	for (const url of [withPassword(batchUrl), nowhere(batchUrl)])
		for (const args of [['doctor'], ['user', 'list'], ['run', '--dry-run']]) {
			const done = await run(program, args, { env: { ...cleanEnv, ...await instance.settings(), ANALYTICS_DATABASE_URL: url, LOG_LEVEL: 'DEBUG' }, cwd: emptyCwd() })
			others.push([`takings-batch ${args[0]} at ${url.slice(-10)}`, done.stdout + done.stderr])
		}

	// A crash in the middle of a request that carries them.
	const crashing = await Web.start({ ...settings, ANALYTICS_DATABASE_URL: withPassword(webUrl), TAKINGS_FAILPOINT: 'web_request=abort@2' })
	const request = () => crashing.get('/auth/token', { method: 'POST', body: JSON.stringify({ username: 'canary', password: secret('new password') }),
		params: { CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${secret('new key')}`, HTTP_COOKIE: cookie, QUERY_STRING: `token=${secret('query')}` } })
	await request()
	await assert.rejects(request())
	await until(() => crashing.log.includes('"crash"'), { what: 'the crash to be told' })
	others.push(['takings-web, crashed', crashing.log])

	await must(path.join(root, 'tools/instance.sh'), ['pg-stop', instance.env.INSTANCE_DIR], { env: instance.env })
	assert.ok((await everythingWith((target, options) => instance.get(target, { headers: { authorization: `Bearer ${secret('token')}` }, anonymous: true, ...options }))).includes(503))

	const all = logs()
	const names = [...all.keys()].map((n) => path.basename(n))
	for (const wanted of ['web.log', 'access.log', 'nginx.log', 'supervise.log']) assert.ok(names.includes(wanted), `${wanted} in ${names.join(', ')}`)
	const server = [...all].filter(([, text]) => /execute \S+:|parameters: \$1/.test(text))
	assert.ok(server.length > 0, `the server told its statements and their parameters: ${names.join(', ')}`)
	assert.ok(server.some(([, text]) => text.includes('login_failure') && text.includes("$1 = 'canary'")))
	const hits = []
	for (const [file, text] of all)
		for (const [name, value] of secrets) {
			// A refused query is no secret of ours, but belongs into no log either.
			const forms = [value, encodeURIComponent(value), Buffer.from(value).toString('base64').replace(/=+$/, ''), Buffer.from(value).toString('hex')]
			for (const form of forms) if (text.includes(form)) hits.push(`${name} in ${path.basename(file)}: ${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form) + 40)}`)
		}
	assert.deepEqual(hits, [])
})
