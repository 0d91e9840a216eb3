// sequence_parts.mjs: sequences as sql/migrations/018_sequences.sql says they lie, read without the program that reads them; and what they
// should be, from raw events alone.
import assert from 'node:assert/strict'
import { activityClock, by, groupsOf, links } from './activity_oracle.mjs'
import { isBot } from './activity.mjs'

const FIRST = 1n << 23n, NOT_FIRST = 1n << 22n, GONE = 1n << 21n, COUNT = GONE - 1n
const COLUMNS = ['people', 'events', 'seqs', 'sessions', 'amounts', ...Array.from({ length: 16 }, (_, i) => `d${i + 1}`)]

const words = (hex) => hex === null ? null : (hex.match(/.{16}/g) ?? []).map((w) => BigInt(`0x${w}`))
const codes = (hex) => hex === null ? null : (hex.match(/.{4}/g) ?? []).map((w) => parseInt(w, 16))

// The parts there are, with columns as lists of numbers.
export async function sequenceParts(database, where = 'true') {
	const rows = await database.query(`SELECT shard, business_date, part_id, ${COLUMNS.map((c) => `encode(${c}, 'hex') AS ${c}`).join(', ')}
		FROM activity_sequence WHERE ${where} ORDER BY shard, business_date, part_id`)
	return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, v]) => [name, /^d\d/.test(name) ? codes(v) : COLUMNS.includes(name) ? words(v) : v])))
}

// A part says nothing that cannot be.
function check(part) {
	const n = part.people.reduce((sum, w) => sum + Number(w & COUNT), 0)
	for (const [i, word] of part.people.entries()) {
		assert.equal(Number(word >> 24n) % 32, part.shard)
		if (i) assert.ok(part.people[i - 1] >> 24n < word >> 24n, 'people are in order, each once')
	}
	for (const c of COLUMNS.slice(1)) if (part[c]) assert.equal(part[c].length, part.events === null ? -1 : n, `${c} of ${part.business_date}`)
	if (n && part.events) assert.ok(part.seqs && part.sessions && part.amounts)
}

// What the parts say: lines of text, one for each event, and one for each person and day; people as 'kind id'.
export async function sequenceLines(database, where) {
	const parts = await sequenceParts(database, where)
	const people = new Map((await database.query("SELECT visitor_id, kind || ' ' || coalesce(id, '-') AS id FROM activity_visitor")).map((v) => [String(v.visitor_id), v.id]))
	const types = new Map((await database.query('SELECT code, event_type FROM activity_type WHERE code IS NOT NULL')).map((t) => [t.code, t.event_type]))
	const values = new Map((await database.query('SELECT dimension_id, code, value FROM activity_value WHERE code IS NOT NULL')).map((v) => [`${v.dimension_id} ${v.code}`, v.value]))
	const days = new Map() // of a person and day
	const gone = new Set()
	for (const part of parts) {
		check(part)
		let at = 0
		for (const word of part.people) {
			const key = `${part.business_date} ${word >> 24n}`
			if (!days.has(key)) days.set(key, { date: part.business_date, person: people.get(String(word >> 24n)), first: false, not: false, events: [], n: 0 })
			const day = days.get(key), count = Number(word & COUNT)
			if (word & GONE) gone.add(key)
			day.first ||= (word & FIRST) !== 0n
			day.not ||= (word & NOT_FIRST) !== 0n
			day.n += count
			day.kept = part.events !== null
			const own = []
			for (let i = at; part.events && i < at + count; i++)
				own.push({ us: part.events[i] >> 24n, seq: part.seqs[i], said: (part.events[i] >> 16n & 1n) === 1n, type: types.get(Number(part.events[i] & 65535n)) ?? '(other)',
					session: BigInt.asIntN(64, part.sessions[i]), amount: BigInt.asIntN(64, part.amounts[i]),
					dims: Array.from({ length: 16 }, (_, d) => { const code = part[`d${d + 1}`]?.[i] ?? 0; return code === 0 ? '' : code === 65535 ? '(other)' : values.get(`${d + 1} ${code}`) }) })
			for (const [i, e] of own.entries()) if (i) assert.ok(own[i - 1].us < e.us || own[i - 1].us === e.us && own[i - 1].seq < e.seq, 'events are in order')
			day.events.push(...own)
			at += count
		}
	}
	return [...days].filter(([key, day]) => !gone.has(key) && (day.n || day.first && !day.not))
		.flatMap(([, day]) => [`${day.date} ${day.person} first ${day.first && !day.not} ${day.kept ? `events ${day.n}` : 'was there'}`,
			...day.events.map((e) => `${day.date} ${day.person} ${e.us} ${e.seq} ${e.said} ${e.type} ${e.session} ${e.amount} ${e.dims.join('|')}`)]).sort()
}

const minor = (e, currency) => e.price === undefined || (e.currency ?? currency) !== currency ? -1n
	: BigInt(Math.round(Number(e.price) * 100)) * BigInt(e.quantity ?? 1) < 10n ** 17n ? BigInt(Math.round(Number(e.price) * 100)) * BigInt(e.quantity ?? 1) : -1n

// The same of raw events in their order of arrival, as activityInsert() takes them; `keys`: session_key by seq. `prunedTo`: when the first
// raw event may be.
export function sequenceOracle(events, { tz, cutoff, currency = 'EUR' }, keys, { prunedTo = -Infinity } = {}) {
	const clock = activityClock(tz, cutoff)
	const { person } = links(events)
	const groups = groupsOf(events)
	const lines = [], first = new Map(), days = new Map()
	const dateOf = (ms) => new Date(clock.day(ms) * 86_400_000).toISOString().slice(0, 10)
	for (const e of events.filter((e) => !isBot(e))) {
		const who = person(by(e)), date = dateOf(e.at)
		if (!first.has(who) || date < first.get(who)) first.set(who, date)
		const begins = clock.buckets(e.at)[1][1], key = `${date} ${who}`
		if (!days.has(key)) days.set(key, { who, date, begins, n: 0 })
		days.get(key).n++
		if (begins < prunedTo) continue
		const dims = Array(16).fill('')
		for (const g of groups.get(e)) dims[Number(g.slice(0, g.indexOf(':'))) - 1] = g.slice(g.indexOf(':') + 1)
		lines.push(`${date} ${who} ${BigInt(e.at - begins) * 1000n} ${e.seq} ${e.session_id !== undefined} ${e.type ?? 'page_view'} ${keys.get(String(e.seq))} ${minor(e, currency)} ${dims.join('|')}`)
	}
	for (const { who, date, begins, n } of days.values()) lines.push(`${date} ${who} first ${first.get(who) === date} ${begins < prunedTo ? 'was there' : `events ${n}`}`)
	return lines.sort()
}

// session_key of all raw events by seq.
export const sessionKeys = async (database) => new Map((await database.query('SELECT seq::text, session_key::text AS key FROM activity_event')).map((e) => [e.seq, e.key]))
