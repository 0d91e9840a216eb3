// live.mjs: how fast many WebSockets hear of an order, and what takings-stream needs for it: CLIENTS
// (5000) of them (tests/stream/ws_load.c) straight at its socket, and as many through nginx, a message a
// second for SECONDS (20).
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Live } from '../lib/live.mjs'
import { binDir, sleep } from '../lib/process.mjs'

const CLIENTS = Number(process.env.CLIENTS ?? 5000), SECONDS = Number(process.env.SECONDS ?? 20)

const live = await Live.start({}, { streaming: false })
await live.startStream({ LIVE_CLIENTS: String(CLIENTS + 10) })
const memory = () => Object.fromEntries([...readFileSync(`/proc/${live.child.pid}/status`, 'utf8').matchAll(/^(VmRSS|VmHWM):\s+(\d+) kB/gm)].map((m) => [m[1], Number(m[2]) / 1024]))
// Seconds of a processor, in all.
const work = () => readFileSync(`/proc/${live.child.pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).reduce((n, t) => n + Number(t), 0) / 100
const idle = memory()

let serial = 0
const order = () => live.put({ id: `b${serial++}`, total: 1234, item: String(serial % 20), name: `Dish ${serial % 20}` })
for (let i = 0; i < 20; i++) await order() // so that the lists are full

// What ws_load tells, while orders come; `at`: the socket or the port. With it the processor's time a picture took.
async function listen(at) {
	const load = spawn(path.join(binDir, 'obj/tests/stream/ws_load'), [at, String(CLIENTS), String(SECONDS)], { stdio: ['ignore', 'pipe', 'inherit'] })
	let text = '', ended = false, begun = 0
	load.stdout.on('data', (d) => { text += d; begun ||= work() })
	load.once('close', () => { ended = true })
	while (!ended) {
		if (text.includes('open')) await order()
		await sleep(300)
	}
	const got = JSON.parse(text.split('\n')[1])
	console.log(`  clients  ${got.open} of ${CLIENTS}`)
	console.log(`  pictures ${got.pictures} in ${SECONDS} s, each delivered to ${got.fewest} or more`)
	console.log(`  from the database's answer to the client, ms: p50 ${got.p50}, p99 ${got.p99}, most ${got.most}`)
	console.log(`  work of takings-stream: ${((work() - begun) / (got.pictures + 2) * 1000).toFixed(0)} ms of a processor for a picture`)
	return got
}

console.log('straight at the socket')
const straight = await listen(live.path), used = memory()
console.log('through nginx')
const far = await listen(String(live.port))
console.log(`memory of takings-stream, MB: ${idle.VmRSS.toFixed(1)} idle, ${used.VmRSS.toFixed(1)} with all of them, ${memory().VmHWM.toFixed(1)} at most`)
const ok = [straight, far].every((got) => got.open === CLIENTS && got.fewest === CLIENTS) && straight.p99 <= 300 && memory().VmHWM <= 64
console.log(`${ok ? 'ok' : 'NOT ok: wanted is'}: all delivered, p99 at the socket within 300 ms, memory within 64 MB`)
await live.stop()
process.exit(ok ? 0 : 1)
