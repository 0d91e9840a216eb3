// latency.mjs: how long after an order is committed in the shop it is seen. RATE (1000) orders a second,
// each with two lines in a commit of its own (pgbench), over SECONDS (60); takings-stream follows order_db by
// logical replication; Chromium has the page of live figures open, and beside it a plain WebSocket
// listens. Both come through nginx. The n-th order is seen when n orders are.
import { readFileSync, readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { launch } from '../browser/browser.mjs'
import { must, root, sleep, until } from '../lib/process.mjs'
import { ownPostgres, scratch } from '../lib/servers.mjs'
import { noonZone, writeFile } from '../lib/shop.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'
import { Web } from '../lib/web.mjs'
import { Socket } from '../lib/ws.mjs'

const RATE = Number(process.env.RATE ?? 1000), SECONDS = Number(process.env.SECONDS ?? 60), WARM_UP_S = 5, GOAL_MS = 1000

// Orders are as safe as in any shop: whoever is told of a commit will find it after a crash.
const server = await ownPostgres('bench', 'shared_buffers = 256MB\nmax_connections = 60\nmax_wal_size = 4GB\n')
const shop = await liveShop({ BUSINESS_TIMEZONE: noonZone() }, { server })
await shop.orders.exec('CREATE SEQUENCE order_ids CACHE 100; ALTER TABLE orders ALTER id SET DEFAULT nextval(\'order_ids\')')
await must('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', path.join(root, 'sql/order_db/replication.sql'), shop.orders.url()], { env: server.env })
const web = await Web.start(shop.settings)
const stream = await Stream.start(shop.cache, { ORDER_REPLICATION_URL: shop.orders.url('order_stream'), ORDER_REPLICATION_SLOT: 'bench',
	STREAM_SOCKET: path.join(web.dir, 'stream.sock') })
await until(() => stream.log.includes('"following"'), { what: 'the stream' })

// ---- who looks: [[ms since 1970, orders seen], ...]

const socket = await Socket.open({ port: web.port })
const heard = []
socket.onmessage = (m) => { if (m.data?.today) heard.push([Date.now(), m.data.today.placed_orders, Date.parse(m.as_of)]) }

const browser = await launch()
const page = await browser.newPage()
await page.goto(`http://127.0.0.1:${web.port}/admin/live`)
await page.waitForSelector('#state[data-state="live"]')
await page.evaluate(() => {
	const orders = document.querySelector('#orders')
	window.shown = []
	new MutationObserver(() => window.shown.push([Date.now(), Number(orders.value)])).observe(orders, { attributes: true, childList: true, characterData: true, subtree: true })
})

// ---- orders, and when the shop was told that each is there: pgbench's log

const script = writeFile('order.sql', `
	\\set dish random(1, 40)
	WITH o AS (INSERT INTO orders (status, total_amount, created_at) VALUES ('SERVED', 23.50, now() AT TIME ZONE 'UTC') RETURNING id)
	INSERT INTO order_items SELECT id * 10 + n, id, :dish + n, 'Dish ' || :dish + n, n, 7.5 FROM o, generate_series(1, 2) n;\n`)
const pgbench = (seconds, prefix) => must('pgbench', ['-n', '-M', 'prepared', '-f', script, '-c', '4', '-j', '1', '-R', String(RATE), '-T', String(seconds), '-l',
	`--log-prefix=${path.join(scratch(), prefix)}`, shop.orders.url()], { env: server.env, limit: (seconds + 60) * 1000 })

await pgbench(WARM_UP_S, 'warm')
const before = await shop.orders.value('SELECT count(*)::int FROM orders')
const worked = stream.cpu(), begun = performance.now(), load = os.loadavg()[0]
await pgbench(SECONDS, 'told')
const spent = (stream.cpu() - worked) / (performance.now() - begun) * 1e5
const told = readdirSync(scratch()).filter((name) => name.startsWith('told.')).flatMap((name) => readFileSync(path.join(scratch(), name), 'utf8').trim().split('\n'))
	.map((line) => line.split(' ')).map((w) => Number(w[4]) * 1000 + Number(w[5]) / 1000).sort((a, b) => a - b)
await until(() => heard.at(-1)?.[1] === before + told.length, { what: 'the last order at the socket' })
const shown = await until(async () => { const list = await page.evaluate(() => window.shown); return list.at(-1)?.[1] === before + told.length && list }, { what: 'the last order on the page' })

// ---- how long each of them took

function tell(what, seen) {
	const took = []
	for (let n = 0, at = 0; n < told.length; n++) {
		while (seen[at][1] < before + n + 1) at++
		took.push(seen[at][0] - told[n])
	}
	took.sort((a, b) => a - b)
	const part = (p) => Math.round(took[Math.min(took.length - 1, Math.floor(took.length * p))])
	console.log(`${what}  p50 ${part(0.5)}, p95 ${part(0.95)}, p99 ${part(0.99)}, most ${Math.round(took.at(-1))}`)
	return part(0.95)
}

const gaps = heard.filter(([at]) => at >= told[0] && at <= told.at(-1)).map(([at], i, all) => at - (all[i - 1]?.[0] ?? at)).slice(1)
console.log(`orders   ${told.length} in ${SECONDS} s, ${(told.length / SECONDS).toFixed(0)} a second; load of the machine ${load.toFixed(1)} before, ${os.loadavg()[0].toFixed(1)} after`)
console.log('from the answer to the commit in order_db, ms:')
tell('  to the database\'s answer to the stream', heard.map(([, n, asOf]) => [asOf, n]))
tell('  to a WebSocket through nginx           ', heard)
const p95 = tell('  to the page in Chromium, redrawn       ', shown)
console.log(`pictures ${gaps.length + 1}, ${Math.min(...gaps)} to ${Math.max(...gaps)} ms apart, ${(gaps.reduce((a, b) => a + b, 0) / gaps.length).toFixed(1)} in the mean`)
console.log(`takings-stream: ${spent.toFixed(0)} % of a processor, at most ${(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${stream.pid}/status`, 'utf8'))[1]) / 1024).toFixed(0)} MB`)
const ok = p95 < GOAL_MS && told.length >= RATE * SECONDS * 0.95
console.log(ok ? `ok: p95 at the page below ${GOAL_MS} ms` : `NOT ok: wanted is ${RATE} orders a second and a p95 at the page below ${GOAL_MS} ms`)
await browser.close()
await stream.stop()
await web.stop()
process.exit(ok ? 0 : 1)
