// What a caller who means no good can make the web program spend: threads, memory, attempts.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { accessDatabase, addUser, asBearer, loggedIn, Browser, startWeb, tokenOf } from '../lib/access.mjs'

let settings, web, token

before(async () => {
	let program
	({ settings, web: program } = await accessDatabase('abuse-pg'))
	for (const [name, role] of [['anna', 'admin'], ['vera', 'viewer']]) await addUser(settings, name, role)
	web = await startWeb({ ...program, HTTP_THREADS: '8', RATE_LIMIT_LOGIN: '3' })
	const reply = await tokenOf(web, 'vera', undefined, '192.0.2.200')
	assert.equal(reply.status, 200, reply.text)
	token = reply.json.access_token
})
after(() => web?.stop())

describe('abuse', () => {
	it('waiting for a version that never comes leaves threads for others', async () => {
		const params = { HTTP_AUTHORIZATION: `Bearer ${token}`, HTTP_X_READ_AFTER: '9223372036854775807' }
		const waiting = Array.from({ length: 24 }, () => web.get('/api/admin/analytics/summary', { params }))
		const alive = await web.get('/health/live')
		assert.equal(alive.status, 200)
		assert.ok(alive.ms < 1500, `${alive.ms} ms`)
		const replies = await Promise.all(waiting)
		assert.deepEqual([...new Set(replies.map((r) => r.status))], [409])
		assert.equal(replies.filter((r) => r.ms > 1900).length, 2, 'a quarter of the threads waits its time')
	})

	it('no step cuts a range into more rows than 10 years have days', async () => {
		const targets = ['/api/admin/analytics/series', '/api/admin/analytics/items/1', '/admin/', '/admin/revenue', '/admin/orders', '/admin/items/1']
		const cases = [['day', '2010-01-01', '2021-01-01'], ['week', '1970-01-01', '2041-01-01'], ['day', '1970-01-01', '2199-12-31']]
		for (const target of targets)
			for (const [step, from, to] of cases) {
				const ask = (last) => asBearer(web, token, `${target}?step=${step}&from=${from}&to=${last}`)
				const over = await ask(to)
				assert.equal(over.status, 422, `${target} ${step}`)
				assert.match(over.text, new RegExp(`a step of a ${step} goes with`))
				assert.notEqual((await ask(`${Number(from.slice(0, 4)) + (step === 'day' ? 10 : 70)}-12-31`)).status, 422, `${target} ${step}`)
			}
		for (const query of ['step=month&', ''])
			assert.notEqual((await asBearer(web, token, `/admin/revenue?${query}from=1970-01-01&to=2199-12-31`)).status, 422, query)
	})

	it('attempts from one /64 of IPv6 count together, and those from others do not', async () => {
		const from = (address) => tokenOf(web, 'anna', 'wrong', address)
		for (let i = 1; i <= 3; i++) assert.equal((await from(`2001:db8:0:1::${i}`)).status, 401)
		assert.equal((await from('2001:db8:0:1:ffff:ffff:ffff:ffff')).status, 429)
		assert.equal((await from('2001:db8:0:2::1')).status, 401)
		for (const address of ['192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13']) assert.equal((await from(address)).status, 401, address)
	})

	it('a page to go on to that no header can hold is the first page', async () => {
		const browser = await loggedIn(web, 'anna', { address: '192.0.2.20' })
		for (const next of ['/admin/%09', '/admin/%01', '/admin/%7f', '/admin/%0d%0aX:1']) {
			const again = await browser.ask(`/admin/login?next=${next}`)
			assert.deepEqual([again.status, again.headers.location?.[0]], [303, '/admin/'], next)
		}
		const fresh = await new Browser(web, { address: '192.0.2.21' }).logIn('anna', undefined, '/admin/\t')
		assert.deepEqual([fresh.status, fresh.headers.location?.[0]], [303, '/admin/'])
		assert.equal((await browser.ask('/admin/login?next=/admin/items/%C3%A9')).headers.location[0], '/admin/items/\u00e9')
	})
})
