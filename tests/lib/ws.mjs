// ws.mjs: a WebSocket client over TCP or a unix socket, as small as the tests need it (RFC 6455):
// frames of text, ping and close, without extensions. It says what came and when.
import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'
import { until } from './process.mjs'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export function frame(opcode, payload = Buffer.alloc(0)) {
	const mask = randomBytes(4), n = payload.length
	const head = n < 126 ? Buffer.from([0x80 | opcode, 0x80 | n]) : n < 65536 ? Buffer.from([0x80 | opcode, 0xfe, n >> 8, n & 255])
		: Buffer.concat([Buffer.from([0x80 | opcode, 0xff]), (() => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b })()])
	return Buffer.concat([head, mask, Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]))])
}

export class Socket {
	// `at`: { port } or { path }. Resolves when it is open, or was refused: then `status` is not 101.
	static open(at, target = '/ws/realtime', headers = {}) {
		const s = new Socket()
		const key = randomBytes(16).toString('base64')
		s.accept = createHash('sha1').update(key + GUID).digest('base64')
		s.conn = net.connect(at.port ? { host: '127.0.0.1', port: at.port } : { path: at.path })
		const lines = { Host: at.port ? `127.0.0.1:${at.port}` : 'localhost', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Key': key,
			'Sec-WebSocket-Version': '13', ...headers }
		s.conn.on('connect', () => s.conn.write(`GET ${target} HTTP/1.1\r\n${Object.entries(lines).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`))
		s.conn.on('data', (d) => s.#take(d))
		s.conn.on('error', (e) => { s.error = e })
		s.conn.on('close', () => { s.closed = true; s.onclose?.(s); s.done?.() })
		return new Promise((resolve, reject) => {
			s.done = () => (s.status ? resolve(s) : reject(s.error ?? new Error('closed without an answer')))
		})
	}

	bytes = Buffer.alloc(0)
	messages = [] // { at, ...the JSON }
	pongs = 0

	#take(data) {
		this.bytes = this.bytes.length ? Buffer.concat([this.bytes, data]) : data
		if (!this.status && !this.#head()) return
		if (this.status !== 101) return
		while (this.#frame());
	}

	#head() {
		const end = this.bytes.indexOf('\r\n\r\n')
		if (end < 0) return false
		const head = this.bytes.subarray(0, end).toString()
		this.bytes = this.bytes.subarray(end + 4)
		this.status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1])
		this.head = head
		if (this.status === 101 && !head.includes(this.accept)) throw new Error('another key was accepted')
		if (this.status === 101) this.done()
		else this.conn.setTimeout(500, () => this.conn.destroy())
		return true
	}

	#frame() {
		const b = this.bytes
		if (b.length < 2) return false
		let n = b[1] & 127, from = 2
		if (n === 126) { if (b.length < 4) return false; n = b.readUInt16BE(2); from = 4 }
		else if (n === 127) { if (b.length < 10) return false; n = Number(b.readBigUInt64BE(2)); from = 10 }
		if (b.length < from + n) return false
		const payload = b.subarray(from, from + n), opcode = b[0] & 15
		this.bytes = b.subarray(from + n)
		if (opcode === 1) this.#hear(payload.toString())
		else if (opcode === 8) { this.code = n >= 2 ? payload.readUInt16BE(0) : 1005; this.conn.end(frame(8, payload)) }
		else if (opcode === 9) this.conn.write(frame(10, payload))
		else if (opcode === 10) this.pongs++
		else throw new Error(`frame of kind ${opcode}`)
		return true
	}

	#hear(text) {
		const message = { at: Date.now(), ...JSON.parse(text) }
		if (this.keeps !== false) this.messages.push(message)
		this.last = message
		this.onmessage?.(message)
	}

	send(text) { this.conn.write(frame(1, Buffer.from(text))) }
	ping() { this.conn.write(frame(9, Buffer.from('hello'))) }

	// The first message that fits, of those that came and those that come.
	wait(fits, what = 'a message', limit) {
		return until(() => this.messages.find(fits) ?? (this.closed ? Promise.reject(new Error(`closed with ${this.code}, waiting for ${what}`)) : null), { what, limit })
	}

	close() {
		this.conn.end(frame(8, Buffer.from([3, 232])))
		this.conn.destroySoon()
	}
}
