// series.mjs: made-up series, and takings-batch's two jobs on files of them.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseCsv } from './data.mjs'
import { cleanEnv, run } from './process.mjs'
import { scratch } from './servers.mjs'
import { emptyCwd, program } from './shop.mjs'

export const DAY = 86400, HOUR = 3600

// A generator of its own (mulberry32), so that every machine sees the same series.
export function random(seed) {
	let a = seed >>> 0
	const uniform = () => {
		a = (a + 0x6d2b79f5) >>> 0
		let t = Math.imul(a ^ (a >>> 15), a | 1)
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
	return {
		uniform,
		int: (n) => Math.floor(uniform() * n),
		pick: (list) => list[Math.floor(uniform() * list.length)],
		normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
	}
}

export const WEEK_SHAPE = [60, 80, 90, 100, 140, 180, 120] // Monday first

// Days from a Monday on: a shop's week with some noise.
export function shopDays(n, seed = 1, noise = 0.05) {
	const r = random(seed)
	return Array.from({ length: n }, (_, i) => Math.round(100 * WEEK_SHAPE[i % 7] * (1 + noise * r.normal())) / 100)
}

export const MONDAY = Date.UTC(2023, 0, 2) / 1000

// "2023-01-02", or with the time of day
export function wallClock(s, step = DAY) {
	const text = new Date(s * 1000).toISOString()
	return step === DAY ? text.slice(0, 10) : text.slice(0, 19).replace('T', ' ')
}

// Lines "id,ds,y"; null: an empty y; undefined: no row.
export function dated(id, values, { start = MONDAY, step = DAY } = {}) {
	return values.map((y, i) => (y === undefined ? '' : `${id},${wallClock(start + i * step, step)},${y ?? ''}\n`)).join('')
}

export const file = (...parts) => 'id,ds,y\n' + parts.join('')

let n = 0
export const fresh = (name) => path.join(scratch(), `${++n}-${name}`)

export function write(text, name = 'series.csv') {
	const at = fresh(name)
	writeFileSync(at, text)
	return at
}

function events(stderr) {
	return stderr.split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l))
}

// Runs a job as it is called, in a folder without settings.
export async function job(args, { input, env, started, limit, bin = program } = {}) {
	const done = await run(bin, args, { input, started, limit, cwd: emptyCwd(), env: env ?? cleanEnv })
	return { ...done, events: events(done.stderr) }
}

// A job on this text, by files: what was said, and `rows` of the output, [] where there is none.
export async function work(name, text, args = [], options = {}) {
	const input = write(text), output = fresh('out.csv')
	const done = await job([name, '--input', input, '--output', output, ...args], options)
	const text_ = existsSync(output) ? readFileSync(output, 'utf8') : ''
	return { ...done, output, text: text_, rows: parseCsv(text_ || 'none\n') }
}

export const forecast = (text, horizon, args, options) => work('forecast', text, ['--horizon', String(horizon), ...(args ?? [])], options)
export const anomalies = (text, args, options) => work('anomalies', text, args, options)

// The points of one series' forecast.
export const points = (done, id) => done.rows.filter((r) => id === undefined || r.id === id).map((r) => Number(r.point))
