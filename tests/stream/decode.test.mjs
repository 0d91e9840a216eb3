// What Debezium really sent: 53 messages of its own documents and tests and of other readers' tests, with what they
// mean. Each goes through the decoder in a process of its own (tests/stream/decode_cli.c).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { folder, golden, missing } from '../lib/data.mjs'
import { binDir, root, run } from '../lib/process.mjs'

const SET = 'debezium_cdc'
const cli = path.join(binDir, 'obj/tests/stream/decode_cli')

async function decode(what, messages, ...options) {
	const { code, stdout, stderr } = await run(cli, [what, ...options], { input: messages.map((m) => (typeof m === 'string' ? m : JSON.stringify(m)) + '\n').join('') })
	assert.equal(code, 0, stderr)
	return stdout.trimEnd().split('\n').map((line) => JSON.parse(line.replace(/"lsn":(\d+)/, '"lsn":"$1"')))
}

const payload = (v) => (v && typeof v === 'object' && 'payload' in v && 'schema' in v ? v.payload : v)
const texts = (values) => Object.fromEntries(Object.entries(values).map(([name, v]) => [name, v.text]))

// The position as the source says it, worked out apart.
function position(source) {
	if (source?.lsn != null) return String(source.lsn)
	if (!source?.file) return '0'
	return String((BigInt(source.file.split('.')[1]) << 42n) | (BigInt(source.pos) << 10n) | BigInt(source.row))
}

describe('messages of Debezium', { skip: missing(SET) }, () => {
	let lines, samples, rows, want
	before(async () => {
		lines = readFileSync(path.join(folder, SET, 'samples.jsonl'), 'utf8').trimEnd().split('\n')
		samples = lines.map((line) => JSON.parse(line))
		rows = await decode('row', lines) // as they were written: their numbers are greater than JavaScript's
		want = golden(SET)
	})

	it('are all read: operation, table, key and position', () => {
		assert.equal(rows.length, want.samples)
		samples.forEach((sample, i) => {
			const row = rows[i], value = payload(sample.value), at = `sample ${sample.n} (${sample.note})`
			const op = sample.value == null ? '\0' : value.op ?? 'x'
			assert.equal(row.error, undefined, at)
			assert.equal(row.op, op === '\0' ? '' : op, at)
			assert.equal(row.table, sample.table ?? '', at)
			const key = payload(sample.key) ?? {}
			assert.deepEqual(texts(row.key), Object.fromEntries(Object.entries(key).map(([k, v]) => [k, String(v)])), at)
			assert.equal(row.lsn, sample.value == null ? '0' : position(value.source), at)
			if (value?.source?.ts_ms > 0) assert.equal(Math.trunc(row.time_us / 1000), value.source.ts_ms, at)
			const image = value?.op === 'd' ? value.before : value?.after
			assert.deepEqual(Object.keys(row.columns), Object.keys(image ?? {}), at)
		})
	})

	it('have the values their schemas give them', () => {
		const inserted = rows[0].columns, snapshot = rows.find((r, i) => samples[i].group === 'pg_all_types_snapshot').columns
		let compared = 0
		for (const [what, value] of Object.entries(want.decoded_pg_all_types_insert)) {
			const [name, ...about] = what.split(' ')
			const got = (about.join(' ').includes('snapshot') ? snapshot : inserted)[name].text
			if (name === 'timestamp1') assert.equal(got, value, what)
			else assert.equal(got, String(value), what)
			compared++
		}
		assert.ok(compared >= 14)
	})

	it('leave out what did not change', () => {
		const kept = samples.filter((s, i) => Object.values(rows[i].columns).some((v) => v.kind === 'kept')).map((s) => s.n)
		assert.deepEqual(kept, want.unavailable_value_placeholder)
	})

	it('mean the same amounts in each way of sending decimals', async () => {
		const source = { table: 'orders', lsn: 1 }, base = { id: 1, status: 'paid', created_at: null }
		const modes = want.decimal_handling_modes
		const field = (mode) => ({
			precise: { type: 'bytes', name: 'org.apache.kafka.connect.data.Decimal', parameters: { scale: '2' } },
			double: { type: 'double' }, string: { type: 'string' } }[mode])
		for (const mode of ['precise', 'double', 'string']) {
			const message = (schema) => ({ value: {
				...(schema && { schema: { type: 'struct', fields: [{ type: 'struct', field: 'after', fields: [{ ...field(mode), field: 'total_amount' }] }] } }),
				payload: { after: { total_amount: modes[mode].money_, ...base }, source, op: 'c' } } })
			const bare = { value: message(false).value.payload }
			const [typed, untyped] = await decode('change', [message(true), bare], 'scale=2', `floats=${mode === 'double' ? 1 : 0}`)
			assert.deepEqual([typed[0].total, untyped[0].total], [9998, 9998], mode)
			if (mode !== 'double') continue
			const [refused] = await decode('change', [message(true)])
			assert.deepEqual([refused.error, refused.field], ['invalid', 'total_amount'])
		}
	})

	// Each row takes what has the greatest position; in whatever order it comes.
	function replay(group, id, order) {
		const state = new Map()
		const list = samples.map((sample, i) => ({ sample, row: rows[i] })).filter(({ sample }) => sample.group === group)
		if (order) list.sort(order)
		for (const { row } of list) {
			if (!'curd'.includes(row.op) || !row.op) continue
			const key = (row.key[id] ?? row.columns[id]).text, known = state.get(key)
			if (known && BigInt(known.lsn) > BigInt(row.lsn)) continue
			state.set(key, { lsn: row.lsn, columns: row.op === 'd' ? null : row.columns })
		}
		return Object.fromEntries([...state].filter(([, s]) => s.columns).map(([key, s]) => [key,
			Object.fromEntries(Object.entries(s.columns).map(([n, v]) => [n, v.kind === 'number' ? Number(v.text) : v.text]))]))
	}

	it('end in the state that is known, in any order', () => {
		for (const [what, expected] of Object.entries(want.final_state_after_replay)) {
			const [, group, id] = /^(\w+)(?: \w+)* \(pk (\w+)\)/.exec(what.replace(' rows left', ''))
			for (const order of [undefined, () => -1, (a, b) => a.row.time_us % 7 - b.row.time_us % 7])
				assert.deepEqual(replay(group, id, order), Array.isArray(expected) ? {} : expected, what)
		}
	})
})

describe('the decoder', () => {
	it('understands every message of the documentation', async () => {
		const text = readFileSync(path.join(root, 'docs/STREAM.md'), 'utf8')
		const examples = [...text.matchAll(/^```json\n([^]*?)^```$/gm)].map(([, value]) => value)
		assert.equal(examples.length, 8)
		const means = await decode('change', examples.map((value_text) => ({ value_text, key: { id: 5 } })), 'orders')
		means.forEach((m, i) => assert.ok(Array.isArray(m), `${examples[i]}: ${m.text}`))
		const one = (i, kind) => means[i].find((c) => c.kind === kind)
		assert.deepEqual([one(0, 'order').total, one(0, 'order').currency, one(0, 'line').price], [3249975, 'USD', '1299.99'])
		assert.deepEqual([one(1, 'order').status, one(2, 'order').status, one(3, 'order').deleted], ['completed', 'cancelled', true])
		assert.deepEqual([one(4, 'order').total, one(5, 'line').price, one(5, 'line').id, one(6, 'order').deleted, one(7, 'order').total], [1250, '123.67', '5', true, 1250])
	})

	it('reads amounts that JavaScript could not', async () => {
		const [[order]] = await decode('change', ['{"value_text":"{\\"type\\":\\"OrderCreated\\",\\"order_id\\":9007199254740993,\\"total\\":90071992547409.93,\\"created_at\\":1736937000}"}'])
		assert.equal(order.id, '9007199254740993')
		assert.equal(order.total, 9007199254740993)
	})
})
