// Broken events: each is read or refused with its reason, nothing is read beyond its end, and what is read comes back as it
// was saved. With SAN=1 under the sanitizers. FAULTS=long: a million of them.
import assert from 'node:assert/strict'
import path from 'node:path'
import { it } from 'node:test'
import { binDir, run } from '../lib/process.mjs'

const COUNT = process.env.FAULTS === 'long' ? 1_000_000 : 100_000

it(`${COUNT} broken events are all read or refused`, async () => {
	const seed = Math.floor(Math.random() * 1e9)
	const { code, signal, stdout, stderr } = await run(path.join(binDir, 'obj/tests/api/activity_fuzz'), [String(COUNT), String(seed)], { limit: 3_000_000 })
	assert.deepEqual([code, signal], [0, null], `seed ${seed}: ${stderr.slice(0, 4000)}`)
	const said = JSON.parse(stdout)
	assert.equal(said.ok + said.nothing + said.invalid + said.malformed, COUNT)
	for (const outcome of ['ok', 'nothing', 'invalid', 'malformed']) assert.ok(said[outcome] > COUNT / 100, `${outcome}: ${stdout}`)
})
