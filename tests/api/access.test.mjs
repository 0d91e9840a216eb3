// access.test.mjs: every route, asked by everybody, with every method, against access.tsv.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { makeCallers } from '../lib/callers.mjs'
import { bookingSql, someBookings } from '../lib/booking_tables.mjs'
import { startInstance } from '../lib/instance.mjs'
import { LiveTables } from '../lib/live_tables.mjs'
import { binDir, must, root } from '../lib/process.mjs'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'BREW']

const lines = readFileSync(path.join(root, 'tests/api/access.tsv'), 'utf8').split('\n').filter((l) => l && !l.startsWith('#'))
const all = lines.map((line) => {
	const [method, target, ...words] = line.split('\t')
	return { method, target, words }
})
const table = all.filter(({ words }) => words[0] !== 'inside')
const NAMES = ['anonymous', 'viewer', 'analyst', 'admin', 'key:ingest', 'key:read', 'key:admin']

let site, callers

before(async () => {
	site = await startInstance()
	await site.psql('MIGRATE_DATABASE_URL', new LiveTables().touch()) // as if takings-stream ran
	await site.psql('MIGRATE_DATABASE_URL', bookingSql(someBookings()))
	callers = await makeCallers(site)
})

after(() => site?.destroy())

// A path of the table as it can be asked for.
const concrete = (target) => target.replace(/\{[^}]+\}/g, '1')

function word({ status, headers }) {
	if (status === 401 || (status === 303 && headers.location.startsWith('/admin/login?next='))) return 'login'
	return status === 403 ? 'no' : 'in'
}

const ask = (method, target, caller) => site.get(concrete(target), { method, headers: callers[caller], anonymous: true })

test('the table has every route, and no other', async () => {
	const routes = (await must(path.join(binDir, 'takings-web'), ['--routes'])).trim().split('\n')
		.map((line) => line.split('\t').slice(0, 2).join(' '))
	assert.deepEqual(all.map((r) => `${r.method} ${r.target}`).sort(), routes.sort())
})

test('what only nginx itself can ask is not there for anybody', async () => {
	for (const { target } of all.filter((r) => !table.includes(r)))
		for (const name of NAMES)
			for (const method of METHODS) {
				const reply = await ask(method, target, name)
				assert.ok([404, 405, 501].includes(reply.status), `${method} ${target} ${name}: ${reply.status}`)
			}
})

test('everybody comes in where the table says so, and nowhere else', async () => {
	const wrong = []
	for (const { method, target, words } of table)
		for (const [i, name] of NAMES.entries()) {
			const reply = await ask(method, target, name)
			if (word(reply) !== words[i] || reply.status >= 500) wrong.push(`${method} ${target} ${name}: ${word(reply)} (${reply.status}), not ${words[i]}`)
		}
	assert.deepEqual(wrong, [])
})

test('what comes in with GET is answered with 200', async () => {
	for (const { method, target, words } of table) {
		if (method !== 'GET' || target.includes('{')) continue
		const reply = await ask(method, target, NAMES[words.lastIndexOf('in')])
		assert.ok([200, 303].includes(reply.status), `${target}: ${reply.status}`)
	}
})

test('a browser with a session comes in like its user, and changes nothing without a form of ours', async () => {
	const cookies = callers.cookies
	for (const { method, target, words } of table)
		for (const [i, name] of ['viewer', 'analyst', 'admin'].entries()) {
			const reply = await site.get(concrete(target), { method, headers: { cookie: cookies[name] }, anonymous: true })
			if (method === 'GET') assert.equal(word(reply), words[i + 1], `${target} ${name}`)
			else if (words[0] === 'login') assert.notEqual(Math.floor(reply.status / 100), 2, `${method} ${target} ${name}: ${reply.status}`)
		}
})

test('other methods are refused, with the ones there are', async () => {
	const byPath = new Map()
	for (const r of table) byPath.set(r.target, [...(byPath.get(r.target) ?? []), r.method])
	for (const [target, methods] of byPath) {
		const has = methods.includes('GET') ? ['HEAD', ...methods] : methods
		for (const method of METHODS.filter((m) => !has.includes(m))) {
			const reply = await ask(method, target, 'admin')
			assert.equal(reply.status, 405, `${method} ${target}: ${reply.status}`)
			if (reply.headers.allow) assert.deepEqual(reply.headers.allow.split(', ').sort(), has.sort(), `${method} ${target}`)
		}
	}
})
