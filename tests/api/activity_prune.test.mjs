// What a night drops of tracked events, and takings-batch activity: what becomes of those that were kept apart.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { storeActivity } from '../lib/activity.mjs'
import { until } from '../lib/process.mjs'
import { openSmallShop } from '../lib/shop.mjs'

let shop, db
before(async () => {
	shop = await openSmallShop(2)
	db = shop.cache
	await shop.expectRun(0)
})
const night = async (settings) => {
	const done = await shop.batch(['run', '--force'], settings)
	assert.equal(done.code, 0, done.stderr)
	return done
}
const midnight = (ago) => new Date(Math.trunc(Date.now() / 86_400_000) * 86_400_000 - ago * 86_400_000)
const days = () => db.query("SELECT (current_date - substr(relname, 16)::date)::int AS ago FROM pg_class WHERE relname ~ '^activity_event_\\d{8}$' ORDER BY 1").then((rows) => rows.map((r) => r.ago))

describe('tracked events', () => {
	const fill = async () => {
		await db.exec('TRUNCATE activity_event, activity_id, activity_batch, activity_sum, activity_quarantine; UPDATE activity_site SET raw_from = DEFAULT')
		await storeActivity(db, [0, 99, 100, 101, 102, 200].map((ago) => ({ at: midnight(ago).toISOString(), user_id: `u${ago}` })))
		await db.exec("TRUNCATE activity_batch; INSERT INTO activity_sum VALUES ('day', false, 0, now() - interval '200 days', 'page_view', '', 5)")
	}

	it('go by whole days once each of a day is older than EVENT_RETENTION_DAYS, and figures stay', async () => {
		await fill()
		await night()
		assert.deepEqual(await days(), [0, 99, 100, 101, 102, 200], '0: for ever')
		const done = await night({ EVENT_RETENTION_DAYS: '100' })
		assert.deepEqual(await days(), [0, 99, 100], 'the last moment of day 101 is 100 days ago since midnight')
		assert.equal(await db.value('SELECT count(*)::int FROM activity_id'), 3)
		assert.equal(await db.value('SELECT sum(events)::int FROM activity_sum'), 5)
		assert.equal((await db.one("SELECT (raw_from AT TIME ZONE 'UTC')::date::text AS day FROM activity_site")).day, midnight(100).toISOString().slice(0, 10))
		assert.equal(done.events.find((e) => e.event === 'activity_dropped').days, 3)
		assert.equal((await night({ EVENT_RETENTION_DAYS: '100' })).events.find((e) => e.event === 'activity_dropped'), undefined)
	})

	it('are kept as long as one of their age may still come', async () => {
		await fill()
		await night({ EVENT_RETENTION_DAYS: '5', MAX_EVENT_AGE_DAYS: '101' })
		assert.deepEqual(await days(), [0, 99, 100, 101])
		assert.equal((await shop.warnings()).find((w) => w.code === 'retention_raised').text, 'EVENT_RETENTION_DAYS=5 is less than MAX_EVENT_AGE_DAYS: tracked events are kept for 101 days')
	})

	it('stay while they have not taken effect', async () => {
		await fill()
		await storeActivity(db, [{ at: midnight(102).toISOString(), user_id: 'late' }])
		await night({ EVENT_RETENTION_DAYS: '100' })
		assert.deepEqual(await days(), [0, 99, 100, 101, 102], 'the oldest go first, up to that one')
	})

	it('wait for who stores one of that day, and keep what it was told is stored', async () => {
		await fill()
		const at = midnight(102).toISOString()
		const store = db.exec(`BEGIN; INSERT INTO activity_event (seq, event_id, event_type, occurred_at, received_at, flags, user_id, session_key, dims, properties)
			VALUES (1::bigint << 40, gen_random_uuid(), 'page_view', '${at}', now(), 0, 'late', 1, '{}', '{}'); SELECT pg_sleep(1.5);
			INSERT INTO activity_batch (batch_id, events, from_at, to_at) VALUES (1 << 24, 1, '${at}', '${at}'); COMMIT`)
		await until(() => db.value("SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), { what: 'the event' })
		const dropped = await db.value(`SELECT activity_partition_drop('${at.slice(0, 10)}')`)
		await store
		assert.equal(dropped, false)
		assert.equal(await db.value("SELECT count(*)::int FROM activity_event WHERE user_id = 'late'"), 1)
	})

	it('wait for nobody for long', async () => {
		await fill()
		const reader = db.exec('BEGIN; SELECT count(*) FROM activity_event; SELECT pg_sleep(6); COMMIT')
		await night({ EVENT_RETENTION_DAYS: '100' })
		assert.equal((await shop.warnings()).find((w) => w.code === 'prune_failed')?.text.includes('lock timeout'), true)
		await reader
		assert.equal((await days()).length, 6)
	})

	it('kept apart and warned of go after 30 days', async () => {
		await db.exec(`TRUNCATE activity_quarantine, activity_warning;
			INSERT INTO activity_quarantine (received_at, source, event_type, reason, field, detail, payload) SELECT now() - d * interval '1 day', 'key:1', '', 'schema', d::text, '', '{}' FROM unnest(ARRAY[29, 31]) d;
			INSERT INTO activity_warning SELECT now() - d * interval '1 day', 'key:1', '', 'late', d::text, 1, '' FROM unnest(ARRAY[29, 31]) d`)
		await night()
		assert.deepEqual(await db.query('SELECT q.field AS apart, w.field AS warned FROM activity_quarantine q, activity_warning w'), [{ apart: '29', warned: '29' }])
	})

	it('and doctor says what waits, and for how long it was to be kept', async () => {
		await fill()
		assert.doesNotMatch((await shop.batch(['doctor'])).stdout, /tracked event/)
		await db.exec("INSERT INTO activity_batch (events, from_at, to_at, stored_at) VALUES (7, now(), now(), now() - interval '6 minutes'); INSERT INTO activity_quarantine (source, event_type, reason, field, detail, payload) SELECT 'key:1', '', 'schema', '', '', '{}' FROM generate_series(1, 200)")
		const { stdout } = await shop.batch(['doctor'], { EVENT_RETENTION_DAYS: '50', MAX_EVENT_AGE_DAYS: '90' })
		assert.match(stdout, /^warn {2}7 tracked event\(s\) have waited for over 5 minutes to take effect: does takings-stream run\?$/m)
		assert.match(stdout, /^note {2}\d+ tracked event\(s\) are kept apart: takings-batch activity list$/m)
		assert.match(stdout, /^warn {2}200 tracked event\(s\) of the last day were kept apart/m)
		assert.match(stdout, /^warn {2}EVENT_RETENTION_DAYS=50 is less than MAX_EVENT_AGE_DAYS=90: tracked events are kept for 90 days$/m)
		assert.match(stdout, /^warn {2}tracked events of 200 days ago are still there, EVENT_RETENTION_DAYS is 90: does takings-batch run each night\?$/m)
		await db.exec('TRUNCATE activity_batch, activity_quarantine')
	})

	it('and what is kept is measured', async () => {
		assert.deepEqual((await db.query('SELECT part FROM storage_day WHERE bytes > 0 ORDER BY 1')).map((r) => r.part), ['activity', 'bookings', 'events', 'figures', 'orders', 'other', 'sequences'])
	})
})

describe('takings-batch activity', () => {
	it('stores and drops by id, by reason and all', async (t) => {
		const { accessDatabase, startWeb, takings } = await import('../lib/access.mjs')
		const made = await accessDatabase('quarantine-pg')
		const web = await startWeb({ ...made.web, RATE_LIMIT_KEYS: '0', MAX_EVENT_AGE_DAYS: '1', STORAGE_LIMIT_GB: '1' })
		t.after(() => web.stop())
		const key = /tk_[\w-]+/.exec(await takings(made.settings, ['key', 'add', 'in', '--scope', 'ingest']))[0]
		const put = (n, more) => web.get('/events/track', { method: 'POST', params: { CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${key}` },
			body: JSON.stringify({ event_type: 'page_view', event_id: `00000000-0000-4000-8000-00000000000${n}`, user_id: `u-${n}`, timestamp: Date.now() - 5 * 86_400_000, ...more }) })
		for (const n of [1, 2, 3, 4]) await put(n)
		const q = (sql) => made.db.query(sql)
		assert.equal((await q('SELECT * FROM activity_quarantine WHERE decided_at IS NULL')).length, 4)
		const list = await takings(made.settings, ['activity', 'list'])
		assert.match(list, /too_old/)
		assert.match(list, /4 event\(s\) wait for a decision/)
		assert.doesNotMatch(list, /u-1/)
		assert.equal(await takings(made.settings, ['activity', 'store', '1']), '1 event(s) stored')
		assert.equal(await takings(made.settings, ['activity', 'drop', '2']), '1 event(s) dropped')
		await assert.rejects(takings(made.settings, ['activity', 'store', '2']), /somebody has decided on it before/)
		await assert.rejects(takings(made.settings, ['activity', 'store', '99']), /there is none like that/)
		assert.equal(await takings(made.settings, ['activity', 'store', '--reason', 'too_old']), '2 event(s) stored')
		assert.deepEqual(await q('SELECT user_id, (now() - occurred_at > interval \'4 days\') AS old FROM activity_event ORDER BY 1'), ['u-1', 'u-3', 'u-4'].map((user_id) => ({ user_id, old: true })))
		assert.deepEqual(await q('SELECT decision, count(*)::int AS n FROM activity_quarantine GROUP BY 1 ORDER BY 1'), [{ decision: 'dropped', n: 1 }, { decision: 'stored', n: 3 }])
		assert.deepEqual((await q("SELECT action || ' ' || object AS what FROM audit_log WHERE action LIKE 'quarantine%' ORDER BY audit_id")).map((r) => r.what),
			['quarantine_store quarantine:1', 'quarantine_drop quarantine:2', 'quarantine_store quarantine:reason'])
		assert.deepEqual(await q('SELECT source, received::int, stored::int FROM activity_account WHERE source = \'quarantine\''), [{ source: 'quarantine', received: 3, stored: 3 }])

		// all of it is in the measures, under the names that are agreed upon
		await put(7, { timestamp: Date.now() })
		await put(7, { timestamp: Date.now(), event_type: 'mine.own' })
		await put(8, { timestamp: Date.now(), event_type: 'mine.own' })
		await made.db.exec("INSERT INTO storage_day SELECT current_date - d, 'other', 1000000000 - d * 1000 FROM generate_series(0, 9) d")
		const text = (await web.get('/metrics')).text
		const value = (name) => Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1])
		assert.equal(value('analytics_events_total{type="page_view"}'), 1)
		assert.equal(value('analytics_events_total{type="other"}'), 1)
		assert.doesNotMatch(text, /mine\.own/, 'nothing a sender says makes a series')
		assert.deepEqual(['received', 'stored', 'duplicate', 'quarantined', 'refused'].map((n) => value(`analytics_events_${n}_total`)), [10, 5, 0, 4, 1])
		assert.ok(value('analytics_events_processed_per_second') > 0)
		for (const name of ['analytics_query_duration_seconds{quantile="0.5"}', 'analytics_queries_total', 'analytics_pipeline_lag_seconds{source="activity"}',
			'analytics_pipeline_success_total{stage="tracking"}', 'analytics_storage_bytes{part="events"}'])
			assert.ok(value(name) >= 0, `${name}: ${text}`)
		assert.equal(value('analytics_pipeline_failure_total{stage="tracking"}'), 5)
		assert.equal(value('analytics_storage_growth_bytes_per_day'), 1000)
		assert.ok(value('analytics_storage_days_to_full') > 0)
		const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1])
		assert.equal(new Set(families).size, families.length, 'each family is there once')

		// nothing that is by somebody who was erased
		await put(5)
		await takings(made.settings, ['person', 'erase', '--user', 'u-6', '--yes'])
		await put(6)
		await made.db.exec("UPDATE activity_quarantine SET payload = replace(payload, 'u-5', 'u-6') WHERE decided_at IS NULL")
		await assert.rejects(takings(made.settings, ['activity', 'store', '5']), /erased: it can only be dropped/)
		assert.equal(await takings(made.settings, ['activity', 'drop', '--all']), '1 event(s) dropped')
	})
})
