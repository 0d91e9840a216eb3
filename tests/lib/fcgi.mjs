// fcgi.mjs: takings-web alone, without nginx: a socket, and requests in FastCGI.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { binDir, cleanEnv, until } from './process.mjs'
import { emptyCwd } from './shop.mjs'
import { scratch } from './servers.mjs'
import { OPEN } from './web.mjs'

const BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6

function record(type, body) {
	const head = Buffer.from([1, type, 0, 1, body.length >> 8, body.length & 255, 0, 0])
	return Buffer.concat([head, body])
}

// A value may be bytes: headers need not be text.
function param(name, value) {
	const [n, v] = [Buffer.from(name), Buffer.from(value)]
	const length = (b) => (b.length < 128 ? Buffer.from([b.length]) : Buffer.from([0x80, 0, b.length >> 8, b.length & 255]))
	return Buffer.concat([length(n), length(v), n, v])
}

// What came back on stdout, once its end is there; null before.
function answerOf(bytes) {
	let text = ''
	for (let at = 0; at + 8 <= bytes.length;) {
		const type = bytes[at + 1], n = bytes.readUInt16BE(at + 4)
		if (type === END) return text
		if (type === STDOUT) text += bytes.toString('utf8', at + 8, at + 8 + n)
		at += 8 + n + bytes[at + 6]
	}
	return null
}

let serial = 0

export class Web {
	static async start(settings) {
		const web = new Web()
		web.socket = path.join(scratch(), `web${++serial}.sock`)
		web.log = ''
		web.child = spawn(path.join(binDir, 'takings-web'), [], { cwd: emptyCwd(), stdio: ['ignore', 'ignore', 'pipe'],
			env: { ...cleanEnv, ...OPEN, ...settings,
				WEB_SOCKET: web.socket } })
		web.child.stderr.on('data', (d) => { web.log += d })
		await until(() => existsSync(web.socket) && web.log.includes('"serving"'), { what: 'takings-web' })
		return web
	}

	// { status, headers, text, json, ms }; `params` are CGI parameters besides, `body` what is posted.
	get(target, { method = 'GET', params: more = {}, body = '' } = {}) {
		const [uri, query = ''] = target.split('?')
		const begun = Date.now()
		return new Promise((resolve, reject) => {
			let bytes = Buffer.alloc(0)
			const socket = net.connect(this.socket)
			socket.on('error', reject)
			socket.on('data', (d) => {
				bytes = Buffer.concat([bytes, d])
				const text = answerOf(bytes)
				if (text === null) return
				socket.destroy()
				const at = text.indexOf('\r\n\r\n'), answer = text.slice(at + 4)
				const headers = {}
				for (const [, name, value] of text.slice(0, at).matchAll(/^([\w-]+): (.*?)\r?$/gm))
					(headers[name.toLowerCase()] ??= []).push(value)
				const isJson = /json/.test(headers['content-type']?.[0]) && answer
				resolve({ status: Number(headers.status?.[0] ?? 200), headers, text: answer, json: isJson ? JSON.parse(answer) : undefined,
					ms: Date.now() - begun })
			})
			socket.on('close', () => reject(new Error(`${target}: no answer\n${this.log}`)))
			const given = { REQUEST_METHOD: method, DOCUMENT_URI: uri, QUERY_STRING: query, REMOTE_ADDR: '127.0.0.1',
				SERVER_ADDR: '127.0.0.1', CONTENT_LENGTH: String(Buffer.byteLength(body)), ...more }
			const params = Object.entries(given).map(([n, v]) => param(n, v))
			socket.write(Buffer.concat([record(BEGIN, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])), record(PARAMS, Buffer.concat(params)),
				record(PARAMS, Buffer.alloc(0)), ...(body ? [record(STDIN, Buffer.from(body))] : []), record(STDIN, Buffer.alloc(0))]))
		})
	}

	async stop() {
		const gone = new Promise((done) => this.child.once('close', done))
		this.child.kill('SIGTERM')
		await gone
	}
}
