// process.mjs: running programs and waiting for things, without surprises.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
export const binDir = path.resolve(root, process.env.BIN_DIR ?? 'build')

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

// What every child may see; nothing else of the caller's environment reaches a program under test.
export const cleanEnv = Object.fromEntries(
	Object.entries(process.env).filter(([name]) =>
		/^(PATH|HOME|TMPDIR|USER|LOGNAME|RUN_AS|[AUL]+B?SAN_OPTIONS)$/.test(name)))

// Runs a program to its end: { code, signal, stdout, stderr, ms }. `input` may be text or a stream.
// A program that is not done after `limit` ms is killed and the promise rejected.
export function run(program, args, { env = cleanEnv, cwd = root, input, limit = 120_000, started } = {}) {
	return new Promise((resolve, reject) => {
		const begun = Date.now()
		const child = spawn(program, args, { env, cwd, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
		const out = [], err = []
		let late = false
		const timer = setTimeout(() => { late = true; child.kill('SIGKILL') }, limit)
		child.stdout.on('data', (d) => out.push(d))
		child.stderr.on('data', (d) => err.push(d))
		child.on('error', (e) => { clearTimeout(timer); reject(e) })
		child.on('close', (code, signal) => {
			clearTimeout(timer)
			const done = { code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(),
				ms: Date.now() - begun }
			if (late) reject(new Error(`${program} ${args.join(' ')}: not done after ${limit} ms\n${done.stderr}`))
			else resolve(done)
		})
		if (input !== undefined) {
			child.stdin.on('error', () => {}) // it may end without reading all
			if (typeof input === 'string' || Buffer.isBuffer(input)) child.stdin.end(input)
			else input.pipe(child.stdin)
		}
		started?.(child)
	})
}

// The same for programs that must succeed: their standard output.
export async function must(program, args, options) {
	const done = await run(program, args, options)
	if (done.code !== 0)
		throw new Error(`${path.basename(program)} ${args.join(' ').slice(0, 500)}: exit ${done.code ?? done.signal}\n${done.stderr}${done.stdout.slice(-2000)}`)
	return done.stdout
}

// Waits until `probe` returns something truthy, and returns that. The limit is for what never comes: how soon it should
// come is measured by benches, for a machine may be slow, or stand still for a while.
export async function until(probe, { limit = 60_000, every = 20, what = 'it' } = {}) {
	for (const deadline = performance.now() + limit; ; await sleep(every)) {
		const late = performance.now() > deadline
		const got = await probe()
		if (got) return got
		if (late) throw new Error(`waited ${limit} ms for ${what}`)
	}
}
