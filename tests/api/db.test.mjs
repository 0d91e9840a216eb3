// lib/db against a real server: batches of statements in one round trip, what ends them, and
// notifications. Each test is one of tests/api/db_client.c, in a process and a database of its own.
import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, it } from 'node:test'
import { binDir, cleanEnv, run } from '../lib/process.mjs'
import { Proxy } from '../lib/proxy.mjs'
import { postgres } from '../lib/servers.mjs'
import { emptyCwd } from '../lib/shop.mjs'

const program = path.join(binDir, 'obj/tests/api/db_client')

async function expectPass(name, settings = {}) {
	const database = await (await postgres()).create()
	const env = { ...cleanEnv, ANALYTICS_DATABASE_URL: database.url(), ...(process.env.SAN && { SAN: '1' }), ...settings }
	const done = await run(program, [name], { env, cwd: emptyCwd() })
	const told = done.stdout + done.stderr
	assert.equal(done.code, 0, told)
	assert.match(told, /^\[ +PASSED +\] 1 test/m, told)
}

describe('a batch of statements', () => {
	it('answers what each of them answers alone', () => expectPass('test_same'))
	it('leaves rows that outlive the connection', () => expectPass('test_rowset_lives_on'))
	it('sees one snapshot in a session of the web program', () => expectPass('test_snapshot'))
	it('fails as a whole and leaves the connection in order', () => expectPass('test_error'))
	it('ends at its deadline', () => expectPass('test_deadline'))
	it('leaves no cancel behind for the next one', () => expectPass('test_stray'))
	it('ends when nobody waits for it any more', () => expectPass('test_hang_up'))
	it('ends when the program is asked to stop', () => expectPass('test_interrupt'))
	it('shows the request it is of', () => expectPass('test_tag'))
	it('answers in bytes where that is asked', () => expectPass('test_binary'))
	it('tells that the connection is lost', () => expectPass('test_lost'))

	it('gives up a server that answers neither it nor its cancel', async () => {
		const { env } = await postgres()
		const proxy = await Proxy.before({ path: path.join(env.PGHOST, `.s.PGSQL.${env.PGPORT}`) })
		proxy.freezeAt = 'frozen_one'
		await expectPass('test_frozen', { PROXY_URL: `postgresql://postgres@127.0.0.1:${proxy.port}/postgres?sslmode=disable` })
		assert.equal(proxy.opened, 2) // the cancel came and was not answered either
		await proxy.close()
	})
})

describe('notifications', () => {
	it('are handed over as they come, and a lost connection is told', () => expectPass('test_notify'))
})
