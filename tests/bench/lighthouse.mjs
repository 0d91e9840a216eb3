// lighthouse.mjs: what Lighthouse (desktop) says of the overview: performance, accessibility, best
// practices, the medians of three looks. Lighthouse is large, so it is fetched here and not with the tests.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { startInstance } from '../lib/instance.mjs'
import { root } from '../lib/process.mjs'

const VERSION = '12.8.2', LEAST = 0.95, LOOKS = 3
const CATEGORIES = ['performance', 'accessibility', 'best-practices']
const dir = path.join(root, 'build/bench/lighthouse')

function must(command, args, options) {
	const done = spawnSync(command, args, { encoding: 'utf8', ...options })
	if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stderr || done.error}`)
}

function fetchIt() {
	const found = path.join(dir, 'node_modules/lighthouse/package.json')
	if (existsSync(found) && JSON.parse(readFileSync(found)).version === VERSION) return
	mkdirSync(dir, { recursive: true })
	must('npm', ['install', '--prefix', dir, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', `lighthouse@${VERSION}`])
}

function look(url) {
	const report = path.join(dir, 'report.json')
	must(process.execPath, [path.join(dir, 'node_modules/lighthouse/cli/index.js'), url, '--preset=desktop', '--quiet',
		`--only-categories=${CATEGORIES.join(',')}`, '--chrome-flags=--headless --no-sandbox --disable-gpu', '--output=json', `--output-path=${report}`],
	{ env: { ...process.env, CHROME_PATH: process.env.CHROMIUM ?? '/usr/bin/chromium', HOME: dir } })
	const { categories } = JSON.parse(readFileSync(report))
	return CATEGORIES.map((c) => categories[c].score)
}

fetchIt()
const site = await startInstance({ AUTH_MODE: 'open' })
try {
	const looks = Array.from({ length: LOOKS }, () => look(site.url('/admin/')))
	const medians = CATEGORIES.map((_, i) => looks.map((l) => l[i]).sort((a, b) => a - b)[Math.floor(LOOKS / 2)])
	CATEGORIES.forEach((name, i) => console.log(`lighthouse ${name}: ${Math.round(medians[i] * 100)} (goal ${LEAST * 100})`))
	process.exitCode = medians.every((m) => m >= LEAST) ? 0 : 1
} finally {
	await site.destroy()
}
