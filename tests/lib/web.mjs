// web.mjs: takings-web behind nginx over an analytics_db of the test's own: no demo data, so that a
// test says itself what is in the tables, and what is wrong with the database.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { request } from './instance.mjs'
import { binDir, cleanEnv, root, run, until } from './process.mjs'
import { freePort, scratch } from './servers.mjs'

// No login, nothing kept: a test changes tables behind the program's back.
export const OPEN = { JWT_SECRET: randomBytes(32).toString('hex'), AUTH_MODE: 'open', ANALYTICS_CACHE_TTL: '0' }

let serial = 0

// What the files of nginx/ and deploy/ include as takings/*.conf.
export function snippets(dir) {
	for (const name of readdirSync(path.join(root, 'nginx'))) if (name.endsWith('.conf')) copyFileSync(path.join(root, 'nginx', name), path.join(dir, name))
}

export class Web {
	// `settings`: environment of takings-web. `limited`: nginx counts the test's own requests too.
	static async start(settings, { limited = false } = {}) {
		const web = new Web()
		web.port = await freePort()
		web.dir = path.join(scratch(), `web${++serial}`)
		for (const name of ['', 'log', 'tmp', 'takings']) mkdirSync(path.join(web.dir, name))
		snippets(path.join(web.dir, 'takings'))
		symlinkSync(path.join(root, 'static'), path.join(web.dir, 'static'))
		const conf = readFileSync(path.join(root, 'nginx/local.conf.in'), 'utf8')
		writeFileSync(path.join(web.dir, 'nginx.conf'), conf.replaceAll('@DIR@', web.dir).replaceAll('@PORT@', web.port)
			.replaceAll('@LIMIT_LOOPBACK@', limited ? '1' : '0'))
		web.log = ''
		web.settings = settings
		web.startProgram()
		web.startNginx()
		process.once('exit', () => { web.program.kill('SIGKILL'); web.nginx.kill('SIGTERM') })
		await until(async () => {
			if (web.program.exitCode !== null) {
				web.nginx.kill('SIGTERM')
				throw new Error(`takings-web ended: ${web.log}`)
			}
			return (await web.get('/health/live').catch(() => ({}))).status === 200
		}, { what: 'takings-web' })
		return web
	}

	// Again, after it was killed, as a supervisor does.
	startProgram() {
		this.program = spawn(path.join(binDir, 'takings-web'), [],
			{ cwd: this.dir, env: { ...cleanEnv, ...OPEN, WEB_SOCKET: path.join(this.dir, 'web.sock'), ...this.settings }, stdio: ['ignore', 'ignore', 'pipe'] })
		this.program.stderr.on('data', (d) => { this.log += d })
	}

	startNginx() {
		// Only root may, and must, say as whom its workers run: they have to reach the socket.
		const user = process.getuid() === 0 ? ['-g', 'user root;'] : []
		this.nginx = spawn('/usr/sbin/nginx', ['-p', this.dir, '-c', 'nginx.conf', '-e', 'log/nginx.log', ...user], { stdio: 'ignore' })
	}

	get(target, options) { return request(this.port, target, options) }

	// The log as objects.
	get events() { return this.log.split('\n').filter(Boolean).map((line) => JSON.parse(line)) }

	async stop() {
		for (const child of [this.program, this.nginx]) {
			const gone = new Promise((done) => child.once('close', done))
			if (child.exitCode !== null || child.signalCode !== null) continue
			child.kill('SIGTERM')
			await gone
		}
	}
}

// takings-web that is expected to refuse its settings: what `run` tells.
export const refusedStart = (settings, cwd) =>
	run(path.join(binDir, 'takings-web'), [], { cwd, env: { ...cleanEnv, ...OPEN, WEB_SOCKET: path.join(scratch(), 'none.sock'), ...settings } })
