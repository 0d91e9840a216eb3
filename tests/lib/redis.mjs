// redis.mjs: private Redis servers, and a client that knows enough of their protocol.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { cleanEnv, until } from './process.mjs'
import { freePort, scratch } from './servers.mjs'

const children = new Set()
process.once('exit', () => { for (const child of children) child.kill('SIGKILL') })

let serial = 0

export class Redis {
	// `options`: more words for the server, such as ['--requirepass', 'x'].
	static async start(options = []) {
		const redis = new Redis()
		redis.dir = path.join(scratch(), `redis${++serial}`)
		mkdirSync(redis.dir)
		chmodSync(redis.dir, 0o755)
		redis.socket = path.join(redis.dir, 'redis.sock')
		redis.port = await freePort()
		redis.options = options
		await redis.restart()
		return redis
	}

	// What was acknowledged is on the disk.
	async restart() {
		this.program = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--unixsocket', this.socket,
			'--unixsocketperm', '777', '--dir', this.dir, '--save', '', '--appendonly', 'yes', '--appendfsync', 'always', ...this.options],
		{ env: cleanEnv, stdio: ['ignore', 'pipe', 'pipe'] })
		children.add(this.program)
		this.log = ''
		this.program.stdout.on('data', (d) => { this.log += d })
		this.program.stderr.on('data', (d) => { this.log += d })
		this.program.ended = new Promise((done) => this.program.once('close', () => { children.delete(this.program); done() }))
		this.client?.close()
		this.client = new RedisClient(this.socket)
		await until(async () => {
			if (this.program.exitCode !== null) throw new Error(`redis-server: ${this.log}`)
			try {
				return await this.ask('PING')
			} catch (e) {
				return /NOAUTH/.test(e.message)
			}
		}, { what: 'redis-server' })
	}

	url(more = '') { return `redis://127.0.0.1:${this.port}${more}` }

	// The answer: text, number, null or a list; an error is thrown.
	ask(...words) { return this.client.ask(...words) }

	signal(name) { this.program.kill(name) }

	async kill() {
		this.program.kill('SIGKILL')
		await this.program.ended
	}

	async stop() {
		this.client.close()
		await this.kill()
	}
}

// One connection, made anew when it was lost. `where`: a socket's path, or { host, port }.
export class RedisClient {
	constructor(where) {
		this.where = where
		this.waiting = []
	}

	open() {
		if (this.socket) return
		const socket = net.connect(this.where)
		this.socket = socket
		this.rest = Buffer.alloc(0)
		const over = (e) => {
			if (this.socket !== socket) return
			this.socket = undefined
			for (const w of this.waiting.splice(0)) w.reject(e ?? new Error('closed'))
		}
		socket.on('data', (d) => this.take(d))
		socket.on('error', over)
		socket.on('close', () => over())
	}

	take(data) {
		this.rest = Buffer.concat([this.rest, data])
		for (;;) {
			const found = parse(this.rest, 0)
			if (!found) return
			this.rest = this.rest.subarray(found.at)
			const w = this.waiting.shift()
			if (found.value instanceof Error) w?.reject(found.value)
			else w?.resolve(found.value)
		}
	}

	ask(...words) {
		this.open()
		const parts = [Buffer.from(`*${words.length}\r\n`)]
		for (const word of words) {
			const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word))
			parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
		}
		return new Promise((resolve, reject) => {
			this.waiting.push({ resolve, reject })
			this.socket.write(Buffer.concat(parts))
		})
	}

	close() { this.socket?.destroy() }
}

// { value, at }: the answer that begins at `at`, and where the next does; undefined: not all of it is there.
function parse(bytes, at) {
	const end = bytes.indexOf('\r\n', at)
	if (end < 0) return undefined
	const kind = String.fromCharCode(bytes[at]), line = bytes.toString('utf8', at + 1, end), next = end + 2
	if (kind === '+') return { value: line, at: next }
	if (kind === '-') return { value: new Error(line), at: next }
	if (kind === ':') return { value: Number(line), at: next }
	const n = Number(line)
	if (n < 0) return { value: null, at: next }
	if (kind === '$') return bytes.length < next + n + 2 ? undefined : { value: bytes.toString('utf8', next, next + n), at: next + n + 2 }
	const list = []
	let from = next
	for (let i = 0; i < n; i++) {
		const one = parse(bytes, from)
		if (!one) return undefined
		list.push(one.value)
		from = one.at
	}
	return { value: list, at: from }
}
