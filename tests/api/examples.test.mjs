// The examples of docs/ACTIVITY.md as they stand there, against the program.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Live } from '../lib/live.mjs'
import { root, run } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'

const text = readFileSync(path.join(root, 'docs/ACTIVITY.md'), 'utf8')
const block = (language) => [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].filter(([, l, code]) => l === language && code.includes('TAKINGS_URL')).map(([, , code]) => code)
const WAYS = [['sh', 'bash', 'sh'], ['python', 'python3', 'py'], ['php', 'php', 'php'], ['mjs', process.execPath, 'mjs']]

describe('examples of sending events', () => {
	let live, key

	before(async () => {
		live = await Live.start({ AUTH_MODE: 'required', RATE_LIMIT_ADDRESSES: '0' }, { streaming: false })
		const made = await run(program, ['key', 'add', 'backend', '--scope', 'ingest'], { env: { PATH: process.env.PATH, ...live.settings }, cwd: emptyCwd() })
		key = /tk_[\w-]+/.exec(made.stdout)[0]
	})
	after(() => live?.stop())

	for (const [language, tool, ending] of WAYS)
		it(`${language}: is stored as it says`, { skip: spawnSync(tool, ['--version']).error ? `SKIPPED: ${tool} is not installed` : false }, async () => {
			const [code, ...more] = block(language)
			assert.ok(code && more.length === 0, 'one example')
			const file = path.join(scratch(), `example.${ending}`)
			writeFileSync(file, code)
			const env = { PATH: process.env.PATH, TAKINGS_URL: `http://127.0.0.1:${live.port}` }
			const done = await run(tool, [file], { env: { ...env, TAKINGS_KEY: key } })
			assert.equal(done.code, 0, done.stderr)
			const { event_id: id, status } = JSON.parse(done.stdout)
			assert.equal(status, 'accepted')
			assert.deepEqual(await live.db.one(`SELECT event_type, user_id, dims[7] AS product, price::text, quantity, currency FROM activity_event WHERE event_id = '${id}'`),
				{ event_type: 'purchase', user_id: 'user_123', product: '401', price: '89.90', quantity: 1, currency: 'EUR' })
			const refused = await run(tool, [file], { env: { ...env, TAKINGS_KEY: `${key}x` } })
			assert.notEqual(refused.code, 0)
		})
})
