// feed.mjs: a producer that puts messages into a Redis Stream and repeats what was not answered, so that what it
// says comes at least once, whatever becomes of Redis.
import net from 'node:net'
import { sleep } from './process.mjs'

const command = (words) => `*${words.length}\r\n` + words.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')

export class Feed {
	// `where`: a socket's path or { host, port }. `limit` says how many may be out by now.
	constructor(where, stream, texts, { limit = Infinity, window = 500 } = {}) {
		Object.assign(this, { where, stream, texts, limit, window, next: 0, answered: 0, repeated: 0, waiting: [], closed: false })
		this.finished = this.run()
		this.finished.catch(() => {})
	}

	async run() {
		while (!this.closed && this.answered < this.texts.length) {
			await this.connection()
			await sleep(20)
		}
	}

	// One connection, to its end.
	connection() {
		return new Promise((done) => {
			const socket = net.connect(typeof this.where === 'string' ? { path: this.where } : this.where)
			let rest = ''
			socket.setEncoding('latin1')
			socket.on('error', () => {})
			socket.on('close', () => { this.socket = null; done() })
			socket.on('connect', () => {
				this.socket = socket
				this.repeated += this.waiting.length
				for (const i of this.waiting) this.send(i)
				this.more()
			})
			socket.on('data', (d) => {
				const lines = (rest + d).split('\r\n')
				rest = lines.pop()
				for (const line of lines) this.answer(line)
				if (this.answered === this.texts.length) socket.destroy()
				else this.more()
			})
		})
	}

	send(i) { this.socket.write(command(['XADD', this.stream, '*', 'data', this.texts[i]])) }

	// An id comes as its length and itself. While it loads its file Redis refuses: it is asked again.
	answer(line) {
		if (line.startsWith('$')) return
		if (line.startsWith('-')) {
			this.refused = line
			this.socket?.destroy()
			return
		}
		this.waiting.shift()
		this.answered++
	}

	more() {
		if (!this.socket) return
		this.socket.cork()
		while (this.next < Math.min(this.limit, this.texts.length) && this.waiting.length < this.window) {
			this.waiting.push(this.next)
			this.send(this.next++)
		}
		this.socket.uncork()
	}

	// So many may be out from now on.
	allow(limit) {
		this.limit = limit
		this.more()
	}

	close() {
		this.closed = true
		this.socket?.destroy()
		return this.finished
	}
}
