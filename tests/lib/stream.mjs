// stream.mjs: takings-stream over an analytics_db of the test's own, and brokers of Kafka in memory.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { binDir, cleanEnv, until } from './process.mjs'
import { postgres, scratch } from './servers.mjs'
import { Shop, emptyCwd, orderTables } from './shop.mjs'

const children = new Set()
process.once('exit', () => { for (const child of children) child.kill('SIGKILL') })

function start(program, args, env) {
	const child = spawn(program, args, { cwd: emptyCwd(), env, stdio: ['pipe', 'pipe', 'pipe'] })
	children.add(child)
	child.stdin.on('error', () => {}) // it may have ended
	child.ended = new Promise((done) => child.once('close', (code, signal) => { children.delete(child); done(code ?? signal) }))
	return child
}

// A shop with empty orders whose analytics_db has its tables, and the rules of these settings in force.
export async function liveShop(settings = {}, { server } = {}) {
	const own = server ?? await postgres()
	const shop = await Shop.open({ orders: await own.create(), cache: await own.create(), BUSINESS_TIMEZONE: 'Europe/Berlin', ...settings })
	await shop.orders.exec(orderTables('postgresql'))
	await shop.expectRun(0)
	return shop
}

let serial = 0

export class Stream {
	// `cache`: the analytics_db. Ready as soon as it has said for the first time how it is.
	static async start(cache, settings = {}, { ready = true } = {}) {
		const stream = new Stream()
		stream.cache = cache
		stream.log = ''
		stream.socket = path.join(scratch(), `stream${++serial}.sock`)
		stream.program = start(path.join(binDir, 'takings-stream'), [],
			{ ...cleanEnv, TZ: 'America/Caracas', ANALYTICS_DATABASE_URL: cache.url(), STREAM_SOCKET: stream.socket, ...settings })
		stream.pid = stream.program.pid
		stream.program.stdout.resume()
		stream.program.stderr.on('data', (d) => { stream.log += d })
		if (ready) await until(async () => stream.ended() || await stream.status(), { what: 'takings-stream' })
		if (ready && stream.ended()) throw new Error(`takings-stream ended: ${stream.log}`)
		return stream
	}

	ended() { return this.program.exitCode !== null || this.program.signalCode !== null }

	// The log as objects.
	get events() {
		const found = []
		for (const line of this.log.split('\n'))
			try {
				found.push(JSON.parse(line))
			} catch { /* a sanitizer's, or half a line */ }
		return found
	}

	// Its row of stream_status: { status, detail, stats, at, ... }, undefined where there is none yet.
	async status() {
		return (await this.cache.query(`SELECT * FROM stream_status WHERE split_part(instance, ':', 2) = '${this.pid}'`))[0]
	}

	async stat(name) { return (await this.status())?.stats[name] }

	// Seconds of processor time so far.
	cpu() {
		const words = readFileSync(`/proc/${this.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
		return (Number(words[11]) + Number(words[12])) / 100
	}

	// Whether it is stopped (SIGSTOP).
	asleep() { return /^T/.test(readFileSync(`/proc/${this.pid}/stat`, 'utf8').replace(/^.*\) /, '')) }

	signal(name) { process.kill(this.pid, name) }

	// How it ended: an exit code, or the name of a signal.
	async stop(signal = 'SIGTERM') {
		if (!this.ended()) this.program.kill(signal)
		return this.program.ended
	}

	kill() { return this.stop('SIGKILL') }
}

// Where the partitions stand: [{ source, topic, partition, next }].
export const positions = (cache) => cache.query('SELECT source, topic, partition, next FROM stream_position ORDER BY 1, 2, 3')

// Brokers in memory and a producer. A partition keeps 5 MiB: whoever puts more waits for its readers.
export class Kafka {
	// `topics`: { name: partitions }
	static async start(topics = {}, { brokers = 1 } = {}) {
		const kafka = new Kafka()
		kafka.answers = []
		kafka.waiting = []
		kafka.program = start(path.join(binDir, 'obj/tests/stream/broker'), [String(brokers)], cleanEnv)
		let rest = ''
		kafka.program.stdout.on('data', (d) => {
			const lines = (rest + d).split('\n')
			rest = lines.pop()
			for (const line of lines) kafka.waiting.shift()?.(line)
		})
		kafka.program.stderr.resume()
		kafka.servers = await new Promise((done) => kafka.waiting.push(done))
		for (const [name, partitions] of Object.entries(topics)) await kafka.ask('topic', name, partitions)
		return kafka
	}

	// The settings with which takings-stream finds them. A killed member is given up as soon as these
	// brokers can: they let the first member of a group wait for 3 s, and silence of that counts.
	settings(more = {}) {
		return { KAFKA_BOOTSTRAP_SERVERS: this.servers, KAFKA_SESSION_TIMEOUT_MS: '4000', ...more }
	}

	async ask(...words) {
		const answer = new Promise((done) => this.waiting.push(done))
		this.program.stdin.write(words.join('\t') + '\n')
		const said = await answer
		if (said !== 'ok') throw new Error(`broker: ${words.join(' ')}: ${said}`)
	}

	// `value`: text, an object, or null for a tombstone. `at`: ms since 1970, as a number or text; none: now.
	put(topic, partition, key, value, at) {
		const text = value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value)
		return this.program.stdin.write(`put\t${topic}\t${partition}\t${key ?? '-'}\t${text}${at ? `\t${at}` : ''}\n`)
	}

	// Lines as `put` writes them, waiting where the producer is behind.
	async putLines(text) {
		if (!this.program.stdin.write(text)) await new Promise((done) => this.program.stdin.once('drain', done))
	}

	// All that was put is in the brokers.
	flush() { return this.ask('flush') }

	async stop() {
		this.program.kill('SIGKILL')
		await this.program.ended
	}
}
