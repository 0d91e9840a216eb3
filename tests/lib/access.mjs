// access.mjs: users, sessions and keys without a shop: an analytics_db with its roles, and
// takings-web asked as nginx asks it, from any address.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import path from 'node:path'
import { cleanEnv, must, root, run } from './process.mjs'
import { Web } from './fcgi.mjs'
import { ownPostgres } from './servers.mjs'
import { emptyCwd, program } from './shop.mjs'

export const SECRET = 'kP3vX9sQ7mZ1tR5wY8uB2nC6dF4gH0jL'
export const PASSWORD = 'a password of tests'

// { db, settings }: settings of both programs.
export async function accessDatabase(name, more = {}) {
	const server = await ownPostgres(name)
	await must('psql', ['-X', '-q', '-v', 'local=1', '-f', path.join(root, 'sql/roles.sql'), server.url('postgres')], { env: server.env })
	const db = server.database('analytics_db')
	const settings = { ANALYTICS_DATABASE_URL: db.url('analytics_rw'), MIGRATE_DATABASE_URL: db.url('analytics_owner'), JWT_SECRET: SECRET,
		AUTH_MODE: 'required', RATE_LIMIT_LOGIN: '0', ...more }
	await must(program, ['migrate'], { env: { ...cleanEnv, ...settings }, cwd: emptyCwd() })
	return { db, settings, web: { ...settings, ANALYTICS_DATABASE_URL: db.url('analytics_web') } }
}

export async function takings(settings, args, input = '') {
	const done = await run(program, args, { env: { ...cleanEnv, ...settings }, cwd: emptyCwd(), input })
	assert.equal(done.code, 0, `takings-batch ${args.join(' ')}: ${done.stderr}`)
	return done.stdout.trim()
}

export const addUser = (settings, name, role, password = PASSWORD) =>
	takings(settings, ['user', 'add', name, '--role', role], `${password}\n`)

export const startWeb = (settings) => Web.start(settings)

// The hidden field of a form of ours.
export const csrfOf = (html) => /name="csrf" value="([^"]+)"/.exec(html)?.[1]

// A browser: it keeps cookies, and says of its forms that they are of the same origin.
export class Browser {
	constructor(web, { address = '192.0.2.1', agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' } = {}) {
		Object.assign(this, { web, address, agent, cookies: new Map() })
	}

	async ask(target, { method = 'GET', headers = {}, form } = {}) {
		const sent = { 'user-agent': this.agent, ...(this.cookies.size ? { cookie: [...this.cookies].map(([n, v]) => `${n}=${v}`).join('; ') } : {}),
			...(form ? { 'sec-fetch-site': 'same-origin' } : {}), ...headers }
		const params = { REMOTE_ADDR: this.address, ...(form ? { CONTENT_TYPE: 'application/x-www-form-urlencoded' } : {}) }
		for (const [name, value] of Object.entries(sent))
			if (value !== null) params[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = value
		const reply = await this.web.get(target, { method, params, body: form ? new URLSearchParams(form).toString() : '' })
		for (const line of reply.headers['set-cookie'] ?? []) {
			const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
			if (/Max-Age=0/.test(line)) this.cookies.delete(name)
			else this.cookies.set(name, value)
		}
		return reply
	}

	post(target, form, headers) { return this.ask(target, { method: 'POST', form, headers }) }

	// Fills in a form of the page at `from`.
	async submit(from, target, fields, headers) {
		const page = await this.ask(from)
		return this.post(target, { csrf: csrfOf(page.text) ?? '', ...fields }, headers)
	}

	logIn(username, password = PASSWORD, next = '/admin/account') {
		return this.submit('/admin/login', '/admin/login', { username, password, next })
	}

	get session() { return this.cookies.get('sid') ?? this.cookies.get('__Host-sid') }
}

export async function loggedIn(web, name, options) {
	const browser = new Browser(web, options)
	const reply = await browser.logIn(name)
	assert.equal(reply.status, 303, reply.text)
	return browser
}

// As a program: JSON in, JSON out.
export const tokenOf = (web, username, password = PASSWORD, address = '192.0.2.2') =>
	web.get('/auth/token', { method: 'POST', body: JSON.stringify({ username, password }),
		params: { REMOTE_ADDR: address, CONTENT_TYPE: 'application/json' } })

export const asBearer = (web, token, target = '/api/admin/analytics/summary', address = '192.0.2.3') =>
	web.get(target, { params: { REMOTE_ADDR: address, HTTP_AUTHORIZATION: `Bearer ${token}` } })

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

// A token of any making; `secret` null: without a signature.
export function forge(claims, { secret = SECRET, header = { alg: 'HS256', typ: 'JWT' }, hash = 'sha256' } = {}) {
	const text = `${base64(header)}.${base64(claims)}`
	return `${text}.${secret === null ? '' : createHmac(hash, secret).update(text).digest('base64url')}`
}

export const readToken = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
