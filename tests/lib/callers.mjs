// callers.mjs: one of each kind of caller: users of every role, with token and session, and keys.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { PASSWORD, csrfOf } from './access.mjs'
import { binDir, cleanEnv } from './process.mjs'

// takings-batch of an instance; `input` goes to its standard input.
export async function batch(site, args, input = '') {
	const env = { ...cleanEnv, ...await site.settings() }
	const done = spawnSync(path.join(binDir, 'takings-batch'), args, { env, input, encoding: 'utf8', cwd: '/' })
	assert.equal(done.status, 0, `takings-batch ${args.join(' ')}: ${done.stderr}`)
	return done.stdout.trim()
}

const cookieOf = (reply, name) => (reply.headers['set-cookie'] ?? []).map((c) => c.split(';')[0]).find((c) => c.startsWith(`${name}=`))

export async function postForm(site, target, fields, headers = {}) {
	return site.get(target, { method: 'POST', anonymous: true, body: new URLSearchParams(fields).toString(),
		headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers } })
}

// Logs in through the page; the answer of the form, and the cookie of the session.
export async function logIn(site, username, password) {
	const page = await site.get('/admin/login', { anonymous: true })
	const cookie = cookieOf(page, 'login')
	const reply = await postForm(site, '/admin/login', { username, password, csrf: csrfOf(page.text), next: '/admin/' }, { cookie })
	return { reply, cookie: cookieOf(reply, 'sid') }
}

export async function makeCallers(site) {
	const callers = { anonymous: {}, cookies: {} }
	for (const role of ['viewer', 'analyst', 'admin']) {
		await batch(site, ['user', 'add', `test-${role}`, '--role', role], `${PASSWORD}\n`)
		callers[role] = { authorization: `Bearer ${await batch(site, ['user', 'token', `test-${role}`])}` }
		callers.cookies[role] = (await logIn(site, `test-${role}`, PASSWORD)).cookie
	}
	for (const scope of ['ingest', 'read', 'admin']) {
		const text = await batch(site, ['key', 'add', `test ${scope}`, '--scope', scope])
		callers[`key:${scope}`] = { authorization: `Bearer ${/tk_[\w-]+/.exec(text)[0]}` }
	}
	return callers
}
