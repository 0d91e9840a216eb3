// The stream in /health and /metrics, and who may see who bought.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { makeCallers } from '../lib/callers.mjs'
import { startInstance } from '../lib/instance.mjs'
import { LiveTables } from '../lib/live_tables.mjs'

describe('the stream', () => {
	let site, live, callers
	const sql = (text) => site.psql('MIGRATE_DATABASE_URL', text)
	before(async () => {
		site = await startInstance()
		callers = await makeCallers(site)
		live = new LiveTables({ exec: sql })
	})
	after(() => site?.destroy())
	const health = async () => (await site.get('/health')).json
	const as = (name, target) => site.get(target, { headers: callers[name], anonymous: true })

	it('is not switched on where it never ran', async () => {
		assert.deepEqual((await health()).checks.stream, { status: 'disabled' })
		assert.match((await site.get('/metrics')).text, /^analytics_stream_instances 0$/m)
	})

	it('is well as long as it says so, and degraded 15 s after its last sign', async () => {
		await sql(live.touch())
		assert.deepEqual((await health()).checks.stream, { status: 'ok' })
		await sql(live.beat(12))
		assert.deepEqual((await health()).checks.stream, { status: 'ok' })
		await sql(live.beat(18))
		const late = await site.get('/health')
		assert.deepEqual([late.status, late.json.status, late.json.checks.stream.status], [200, 'degraded', 'degraded'])
		assert.match(late.json.checks.stream.detail, /not been heard of/)
		await sql(live.beat(0, 'down'))
		const bad = await site.get('/health')
		assert.deepEqual([bad.status, bad.json.checks.stream.status], [200, 'degraded']) // the pages work
		assert.doesNotMatch(bad.text, /secret/)
		await sql(live.beat())
	})

	it('counts in /metrics: all that live together, each number with its meaning', async () => {
		await sql(`INSERT INTO stream_status VALUES
			('a', now(), now(), 'ok', '', '{"buffer_events": 3, "buffer_bytes": 100, "stream_messages_total": 1000, "stream_lag_ms": 40, "stream_lag_messages": -1, "other": 1}'),
			('b', now(), now(), 'ok', '', '{"buffer_events": 4, "buffer_bytes": 200, "stream_messages_total": 5, "stream_lag_ms": 900, "stream_lag_messages": -1, "live_clients": "x"}'),
			('gone', now(), now() - interval '16 seconds', 'ok', '', '{"buffer_events": 10000}')`)
		const { text } = await site.get('/metrics')
		for (const line of ['# TYPE analytics_buffer_events gauge', 'analytics_buffer_events 7', 'analytics_buffer_bytes 300', '# TYPE analytics_stream_messages_total counter',
			'analytics_stream_messages_total 1005', 'analytics_stream_lag_ms 900', 'analytics_stream_lag_messages -1', 'analytics_stream_instances 2'])
			assert.ok(text.split('\n').includes(line), line)
		assert.match(text, /^# HELP analytics_buffer_events \w/m)
		assert.doesNotMatch(text, /analytics_other|analytics_live_clients/)
	})

	it('names customers to analysts and administrators alone', async () => {
		await sql(`INSERT INTO order_state (order_id, born, status, counted, currency, location_id, customer_id, total_minor, placed_at)
				VALUES ('o1', true, 'paid', true, 'EUR', 0, 'customer-7', 100, now());
			TRUNCATE reconciliation CASCADE;
			INSERT INTO reconciliation VALUES ('2026-01-01', 'different', 1, 0, '{}', 1, 1, now());
			INSERT INTO reconciliation_order VALUES ('2026-01-01', 'o1', 'amount', '{"status": "paid", "customer_id": "customer-7"}', '{"customer_id": "customer-7"}');
			${live.touch()}`)
		for (const [name, sees] of [['viewer', false], ['admin', true], ['key:read', false], ['viewer', false], ['analyst', true], ['key:admin', true]]) {
			const now = await as(name, '/metrics/realtime')
			assert.deepEqual([now.status, now.json.recent_orders[0].order_id, now.json.recent_orders[0].customer_id], [200, 'o1', sees ? 'customer-7' : null], name)
			assert.equal(now.json.active_users, 1, name)
			assert.equal(now.text.includes('customer-7'), sees, name)
			const compared = await as(name, '/reconciliation?date=2026-01-01')
			assert.deepEqual([compared.status, compared.json.orders[0].batch.status, compared.text.includes('customer-7')], [200, 'paid', sees], name)
		}
	})
})
