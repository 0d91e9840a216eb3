// instance.mjs: a whole Takings of the test's own, beside any other: its directory, its port.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { binDir, cleanEnv, must, root, run } from './process.mjs'
import { freePort } from './servers.mjs'

const tool = path.join(root, 'tools/instance.sh')

// { status, headers, text, json, ms } of one request; `json` only where the body is JSON.
export function request(port, target, { method = 'GET', headers = {}, body } = {}) {
	return new Promise((resolve, reject) => {
		const begun = Date.now()
		const req = http.request({ host: '127.0.0.1', port, path: target, method, headers }, (res) => {
			const parts = []
			res.on('data', (d) => parts.push(d))
			res.on('error', reject)
			res.on('end', () => {
				const text = Buffer.concat(parts).toString()
				const isJson = /json/.test(res.headers['content-type'] ?? '') && text
				resolve({ status: res.statusCode, headers: res.headers, text, json: isJson ? JSON.parse(text) : undefined, ms: Date.now() - begun })
			})
		})
		req.on('error', reject)
		req.setTimeout(60_000, () => req.destroy(new Error(`${target}: no answer in a minute`)))
		req.end(body)
	})
}

// Tests ask more in a minute than people do in an hour.
const NO_LIMITS = { RATE_LIMIT_KEYS: '0', RATE_LIMIT_USERS: '0', RATE_LIMIT_ADDRESSES: '0' }

// One run and no holidays, whatever the day, unless a test wants them.
const NO_PAST = { DEMO_EVENINGS: '0', HOLIDAYS: '' }

// Most tests are about what the batch made; STREAM: '1' for those of the stream.
const NO_STREAM = { STREAM: '0' }

export class Instance {
	// `settings`: environment of the programs, such as BUSINESS_TIMEZONE.
	constructor(dir, port, settings) {
		this.dir = dir
		this.port = port
		this.env = { ...cleanEnv, BIN_DIR: binDir, ...NO_LIMITS, ...NO_PAST, ...NO_STREAM, ...settings, INSTANCE_DIR: path.join(dir, 'i'), PORT: String(port) }
	}

	url(target) { return `http://127.0.0.1:${this.port}${target}` }

	tool(command) { return run(tool, [command], { env: this.env }) }

	// The exported settings, as `make env` prints them.
	async settings() {
		const text = await must(tool, ['env'], { env: this.env })
		return Object.fromEntries([...text.matchAll(/^export ([A-Z_]+)='([^']*)'/gm)].map((m) => [m[1], m[2]]))
	}

	async psql(setting, sql) {
		const { [setting]: url } = await this.settings()
		return (await must('psql', ['-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', sql, url])).trimEnd()
	}

	// Processes of this name that work in the instance's directory.
	pids(name) {
		return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).map(Number).filter((pid) => {
			try {
				return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name && readlinkSync(`/proc/${pid}/cwd`) === this.env.INSTANCE_DIR
			} catch {
				return false // it ended meanwhile
			}
		})
	}

	truth() { return JSON.parse(readFileSync(path.join(this.env.INSTANCE_DIR, 'demo-truth.json'), 'utf8')) }

	// A bearer token of the user `owner`; the same one for ten minutes.
	token() {
		if (!(Date.now() - this.tokenAt < 600_000)) {
			this.tokenAt = Date.now()
			this.tokenText = must(tool, ['token'], { env: this.env }).then((text) => text.trim())
			this.tokenText.catch(() => { this.tokenAt = 0 })
		}
		return this.tokenText
	}

	// The password of `owner`.
	password() { return readFileSync(path.join(this.env.INSTANCE_DIR, 'owner-password'), 'utf8').trim() }

	// A request as `owner`; with `anonymous` as nobody.
	async get(target, { anonymous = false, headers = {}, ...options } = {}) {
		const who = anonymous ? {} : { Authorization: `Bearer ${await this.token()}` }
		return request(this.port, target, { headers: { ...who, ...headers }, ...options })
	}

	async destroy() {
		await this.tool('destroy')
		rmSync(this.dir, { recursive: true, force: true })
	}
}

export async function startInstance(settings = {}) {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'takings-i-'))
	chmodSync(dir, 0o755)
	const instance = new Instance(dir, await freePort(), settings)
	try {
		await must(tool, ['up'], { env: instance.env })
	} catch (e) {
		await instance.destroy()
		throw e
	}
	return instance
}
