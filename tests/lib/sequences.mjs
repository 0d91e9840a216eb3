// sequences.mjs: sequences as rows of activity_sequence, without the events they are of.

const word = (n) => { const b = Buffer.alloc(8); b.writeBigInt64BE(BigInt.asIntN(64, BigInt(n))); return b }
const code = (n) => { const b = Buffer.alloc(2); b.writeUInt16BE(n); return b }

export const DAY_US = 86_400_000_000n
export const [FIRST, NOT_FIRST, GONE] = [1n << 23n, 1n << 22n, 1n << 21n]

// 2025-11-01 is 20393.
export const dayOf = (date) => Math.round(Date.parse(`${date}T00:00:00Z`) / 86_400_000)

// people: [{ id, flags, events: [{ us, type, seq, session, said, amount, dims: { 1: code } }] }] of one shard and day.
export function sequenceSql(day, people, { people: damaged } = {}) {
	const events = people.flatMap((p) => p.events ?? [])
	const dims = [...new Set(events.flatMap((e) => Object.keys(e.dims ?? {})))]
	const columns = {
		people: damaged ?? Buffer.concat(people.map((p) => word(BigInt(p.id) << 24n | (p.flags ?? 0n) | BigInt(p.events?.length ?? 0)))),
		events: Buffer.concat(events.map((e) => word(BigInt(e.us) << 24n | (e.said ? 65536n : 0n) | BigInt(e.type)))),
		seqs: Buffer.concat(events.map((e) => word(e.seq))),
		sessions: Buffer.concat(events.map((e) => word(e.session ?? 0))),
		amounts: Buffer.concat(events.map((e) => word(e.amount ?? -1))),
		...Object.fromEntries(dims.map((d) => [`d${d}`, Buffer.concat(events.map((e) => code(e.dims?.[d] ?? 0)))])),
	}
	return `INSERT INTO activity_sequence (shard, business_date, ${Object.keys(columns).join(', ')})
		VALUES (${people[0].id % 32}, date '1970-01-01' + ${day}, ${Object.values(columns).map((b) => `'\\x${b.toString('hex')}'`).join(', ')});`
}
