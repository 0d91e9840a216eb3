// Broken messages: each is read, of no interest, or refused with its reason, and nothing is read beyond its end.
// FAULTS=long: a million of them.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { folder } from '../lib/data.mjs'
import { binDir, run } from '../lib/process.mjs'

const long = process.env.FAULTS === 'long'
const COUNT = long ? 1_000_000 : 50_000
const samples = path.join(folder, 'debezium_cdc/samples.jsonl')

it(`${COUNT} broken messages are all understood or refused`, async () => {
	const seed = Math.floor(Math.random() * 1e9)
	const args = [String(COUNT), String(seed), ...(existsSync(samples) ? [samples] : [])]
	const { code, signal, stdout, stderr } = await run(path.join(binDir, 'obj/tests/stream/decode_fuzz'), args, { limit: long ? 3_000_000 : 200_000 })
	assert.deepEqual([code, signal], [0, null], `seed ${seed}: ${stderr.slice(0, 4000)}`)
	const said = JSON.parse(stdout)
	assert.equal(said.ok + said.nothing + said.invalid + said.malformed, COUNT + said.relations)
	for (const outcome of ['ok', 'nothing', 'invalid', 'malformed']) assert.ok(said[outcome] > COUNT / 100, `${outcome}: ${stdout}`)
})
