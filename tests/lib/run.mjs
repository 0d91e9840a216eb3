// run.mjs: runs the test programs and test files, and adds them up.
//
//   node tests/lib/run.mjs [--match PATTERN] [--jobs N] [--unit PROGRAM...]
//
// Each file is a process of its own with a time limit. They share one PostgreSQL and one MariaDB,
// which the first that asks starts. What a file leaves behind is stopped and removed, and a report of
// a sanitizer by any process makes the run fail.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { binDir, root } from './process.mjs'
import { sweep } from './servers.mjs'

const FOLDERS = ['tests/faults', 'tests/browser', 'tests/api', 'tests/stream', 'tests/lint']
const LONG = process.env.FAULTS === 'long'
const LIMIT_S = { unit: 300, api: LONG ? 3600 : 1800, browser: 1800, stream: 1800, faults: 3600, lint: 600 }
const slow = process.env.SAN ? 4 : 1

const args = process.argv.slice(2)
const option = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback)
const units = args.includes('--unit') ? args.slice(args.indexOf('--unit') + 1) : []
const pattern = new RegExp(option('--match', '') || '.')
const jobs = Number(option('--jobs', Math.max(2, Math.min(4, os.cpus().length))))

const dir = mkdtempSync(path.join(os.tmpdir(), 'tk-'))
chmodSync(dir, 0o755)
const reports = path.join(dir, 'reports')
mkdirSync(reports, { mode: 0o777 })
chmodSync(reports, 0o1777) // programs may run as another user

function sanitizerEnv() {
	const log = `log_path=${reports}/report:halt_on_error=1:exitcode=99`
	return {
		ASAN_OPTIONS: `${log}:detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1`,
		UBSAN_OPTIONS: `${log}:print_stacktrace=1`,
		LSAN_OPTIONS: `suppressions=${path.join(root, 'tests/lib/lsan.supp')}:print_suppressions=0`,
	}
}

// ---- one program or file --------------------------------------------------------

let serial = 0
function command(job) {
	const own = path.join(dir, String(++serial))
	mkdirSync(own)
	chmodSync(own, 0o755)
	const env = { ...process.env, ...sanitizerEnv(), TMPDIR: own, TAKINGS_TEST_DIR: dir, BIN_DIR: binDir }
	if (job.unit) return { own, tap: null, program: job.path, args: [], env }
	const tap = path.join(own, 'tap')
	return { own, tap, env, program: process.execPath, args: ['--test-reporter=spec', '--test-reporter-destination=stdout',
		'--test-reporter=tap', `--test-reporter-destination=${tap}`, job.path] }
}

function counts(job, tap, text) {
	if (job.unit) {
		const n = (word) => (text.split(/^\[=+\] \d+ test\(s\) run/m)[0].match(new RegExp(`^\\[ +${word} +\\] `, 'gm')) ?? []).length
		return { passed: n('OK'), failed: n('FAILED'), skipped: n('SKIPPED') }
	}
	const plan = existsSync(tap) ? readFileSync(tap, 'utf8') : ''
	const number = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(plan)?.[1] ?? 0)
	return { passed: number('pass'), failed: number('fail') + number('cancelled'), skipped: number('skipped') }
}

const live = new Set()

function runJob(job) {
	const c = command(job)
	const begun = Date.now()
	return new Promise((resolve) => {
		const child = spawn(c.program, c.args, { cwd: root, env: c.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
		const out = []
		let late = false
		live.add(child.pid)
		const timer = setTimeout(() => { late = true; killGroup(child.pid) }, LIMIT_S[job.kind] * 1000 * slow)
		child.stdout.on('data', (d) => out.push(d))
		child.stderr.on('data', (d) => out.push(d))
		child.on('close', (code, signal) => {
			clearTimeout(timer)
			killGroup(child.pid)
			live.delete(child.pid)
			const text = Buffer.concat(out).toString()
			const result = { job, text, seconds: (Date.now() - begun) / 1000, ...counts(job, c.tap, text) }
			result.why = late ? `not done after ${LIMIT_S[job.kind] * slow} s` : code !== 0 ? `exit ${code ?? signal}` : ''
			if (result.why && !result.failed) result.failed = 1
			// Older Node counts no test in a suite that is skipped as a whole.
			if (!result.passed && !result.skipped) result.skipped = (text.match(/# SKIP/g) ?? []).length
			if (!result.why && !result.passed && !result.skipped) Object.assign(result, { failed: 1, why: 'it ran no test' })
			sweep(c.own)
			resolve(result)
		})
	})
}

function killGroup(pid) {
	try { process.kill(-pid, 'SIGKILL') } catch { /* all gone */ }
}

// ---- all of them -----------------------------------------------------------------

function findJobs() {
	const found = units.map((file) => ({ path: file, name: path.relative(path.join(binDir, 'obj'), file), kind: 'unit', unit: true }))
	for (const folder of FOLDERS)
		for (const name of existsSync(path.join(root, folder)) ? readdirSync(path.join(root, folder)).sort() : [])
			if (name.endsWith('.test.mjs')) found.push({ path: path.join(folder, name), name: path.join(folder, name), kind: path.basename(folder) })
	return found.filter((job) => pattern.test(job.name))
}

function show(result) {
	const n = `${result.passed} passed${result.failed ? `, ${result.failed} failed` : ''}${result.skipped ? `, ${result.skipped} skipped` : ''}`
	console.log(`${result.failed ? 'FAILED' : 'ok    '} ${result.job.name}  ${n}, ${result.seconds.toFixed(1)} s${result.why ? ` (${result.why})` : ''}`)
	if (result.failed) console.log(result.text.replace(/^/gm, '    '))
	else for (const line of new Set(result.text.match(/SKIPPED: .*$/gm))) console.log(`       ${line}`)
}

function sanitizerReports() {
	const files = readdirSync(reports)
	for (const name of files) console.log(`SANITIZER REPORT ${name}\n${readFileSync(path.join(reports, name), 'utf8').replace(/^/gm, '    ')}`)
	return files.length
}

// The slowest of last time go first.
const timesFile = path.join(binDir, 'test-times.json')
function readTimes() {
	try { return JSON.parse(readFileSync(timesFile)) } catch { return {} }
}

async function main() {
	const times = readTimes()
	const queue = findJobs()
	if (queue.length === 0) throw new Error('no test matches')
	queue.sort((a, b) => (times[b.name] ?? 1e9) - (times[a.name] ?? 1e9))
	const total = { passed: 0, failed: 0, skipped: 0 }
	const worker = async () => {
		for (let job = queue.shift(); job; job = queue.shift()) {
			const result = await runJob(job)
			show(result)
			times[job.name] = result.seconds
			for (const word in total) total[word] += result[word]
		}
	}
	await Promise.all(Array.from({ length: jobs }, worker))
	total.failed += sanitizerReports()
	try { writeFileSync(timesFile, JSON.stringify(times)) } catch { /* only an order */ }
	return total
}

let cleaned = false
function clean() {
	if (cleaned) return
	cleaned = true
	for (const pid of live) killGroup(pid)
	for (const name of readdirSync(dir)) if (/^\d+$/.test(name)) sweep(path.join(dir, name))
	sweep(dir)
}
process.on('exit', clean)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))

const begun = Date.now()
const total = await main()
console.log(`(${((Date.now() - begun) / 1000).toFixed(0)} s)`)
clean()
if (total.skipped) console.log(`${total.skipped} skipped`)
console.log(`${total.passed} passed, ${total.failed} failed`)
rmSync(dir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 })
process.exitCode = total.failed ? 1 : 0
