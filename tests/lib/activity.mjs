// activity.mjs: tracked events as rows of the tables they are stored in, without the program that stores them.
import { createHash } from 'node:crypto'

const quoted = (text) => text === null || text === undefined ? 'NULL' : `'${String(text).replaceAll("'", "''")}'`
const textArray = (list) => `{${list.map((v) => v === null || v === undefined ? 'NULL' : `"${v.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
const hash64 = (text) => createHash('sha256').update(text).digest().readBigInt64BE()

export const BUILT_IN = ['page', 'source', 'campaign', 'device', 'browser', 'category', 'product', 'region']
export const FLAG = { trusted: 1, clamped: 2, skewed: 4, late: 8, botName: 16, botHeadless: 32, botRate: 64 }
export const isBot = (e) => ((e.flags ?? 0) & 112) !== 0

// A UUID for a number, or for a text.
export function uuid(of) {
	const hex = createHash('sha256').update(`event ${of}`).digest('hex')
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

// What the store would look a session up by.
export const sessionKey = (e) => hash64(e.session_id ? `s ${e.session_id}` : e.user_id ? `u ${e.user_id}` : `a ${e.anonymous_id}`)

// By dimension_id, from an object of names or from a list.
const dimsOf = (dims = {}) => Array.isArray(dims) ? dims : BUILT_IN.map((name) => dims[name] ?? null)

const iso = (at) => typeof at === 'number' ? new Date(at).toISOString() : at

let serial = 0

// SQL of one transaction as it is made when these events are stored, in this order. An event: { at (ms or ISO 8601), type,
// event_id, claimed_at, received_at (both as `at`; received: `at`), flags, key_id, user_id, anonymous_id, session_id,
// dims ({ page: '/a' }, or a list by dimension_id), price, quantity, currency, properties (an object) }: all but `at` and who
// may be left out. Ids are taken to be new. `batch`: the number of the batch, where it matters.
export function activityInsert(events, { batch } = {}) {
	const rows = events.map((e, place) => {
		const at = quoted(iso(e.at))
		return `(${place}, '${e.event_id ?? uuid(`${process.pid} ${++serial}`)}'::uuid, ${quoted(e.type ?? 'page_view')}, ${at}::timestamptz,
			${quoted(iso(e.claimed_at))}::timestamptz, ${quoted(iso(e.received_at ?? e.at))}::timestamptz, ${e.flags ?? 0}, ${e.key_id ?? 'NULL'}::bigint,
			${quoted(e.user_id)}, ${quoted(e.anonymous_id)}, ${quoted(e.session_id)}, ${sessionKey(e)}::bigint, ${quoted(textArray(dimsOf(e.dims)))}::text[],
			${quoted(e.price)}::numeric, ${e.quantity ?? 'NULL'}::int, ${quoted(e.currency)}, ${quoted(JSON.stringify(e.properties ?? {}))})`
	})
	return `BEGIN;
		CREATE TEMP TABLE came ON COMMIT DROP AS SELECT * FROM (VALUES ${rows.join(',\n')}) v(place, event_id, event_type, occurred_at, claimed_at,
			received_at, flags, key_id, user_id, anonymous_id, session_id, session_key, dims, price, quantity, currency, properties);
		SELECT activity_partition_make(array_agg(DISTINCT (occurred_at AT TIME ZONE 'UTC')::date)) FROM came;
		WITH batch AS (
			INSERT INTO activity_batch (batch_id, events, from_at, to_at)
			SELECT ${batch ?? "nextval('activity_batch_id')"}, count(*), min(occurred_at), max(occurred_at) FROM came RETURNING batch_id
		), ids AS (
			INSERT INTO activity_id SELECT event_id, batch_id << 16 | place, occurred_at, 0 FROM came, batch
		)
		INSERT INTO activity_event SELECT batch_id << 16 | place, event_id, event_type, occurred_at, claimed_at, received_at, flags, key_id,
			user_id, anonymous_id, session_id, session_key, dims, price, quantity, currency, properties FROM came, batch;
		NOTIFY takings_activity_stored;
		COMMIT;`
}

// Stores them, at most `size` in one transaction.
export async function storeActivity(database, events, { size = 65536 } = {}) {
	for (let i = 0; i < events.length; i += size) await database.exec(activityInsert(events.slice(i, i + size)))
}

// Waits until all that is stored has taken effect.
export async function activityApplied(database, until, limit = 60_000) {
	await until(async () => (await database.one('SELECT NOT EXISTS (SELECT FROM activity_batch) AS done')).done,
		{ what: 'activity to take effect', every: 30, limit })
}
