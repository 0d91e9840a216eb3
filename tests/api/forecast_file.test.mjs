// takings-batch forecast on hard series: what holds for any engine that is good.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { binDir, must, root, run } from '../lib/process.mjs'
import { DAY, HOUR, MONDAY, WEEK_SHAPE, anomalies, dated, file, forecast, fresh, job, points, random, shopDays, wallClock,
	write } from '../lib/series.mjs'

const BANDS = ['lo95', 'lo80', 'point', 'hi80', 'hi95']
const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length

// Every number is one, the bands are around each other, and steps count from 1 to the horizon.
function checkRows(rows, horizon) {
	const steps = new Map()
	for (const row of rows) {
		const numbers = BANDS.map((c) => {
			assert.match(row[c], /^-?\d+(\.\d+)?(e[+-]?\d+)?$/, `${row.id} ${row.step} ${c}`)
			return Number(row[c])
		})
		for (let i = 1; i < numbers.length; i++) assert.ok(numbers[i - 1] <= numbers[i], `${row.id}: ${BANDS[i]} ${JSON.stringify(row)}`)
		assert.ok(row.model.length > 0)
		const step = (steps.get(row.id) ?? 0) + 1
		assert.equal(row.step, String(step))
		steps.set(row.id, step)
	}
	for (const [id, n] of steps) assert.equal(n, horizon, id)
	return steps.size
}

async function forecastOne(values, horizon, args, options) {
	const done = await forecast(file(dated('a', values, options)), horizon, args)
	assert.equal(done.code, 0, done.stderr)
	assert.equal(checkRows(done.rows, horizon), 1)
	return done
}

describe('hard series', () => {
	it('a constant stays what it is', async () => {
		for (const c of [5, 0.1, 12345.67]) {
			const got = points(await forecastOne(Array(60).fill(c), 14))
			for (const p of got) assert.ok(Math.abs(p - c) <= 1e-9 * c, `${p} instead of ${c}`)
		}
	})

	it('nothing stays nothing', async () => {
		const done = await forecastOne(Array(90).fill(0), 14)
		for (const row of done.rows) for (const c of BANDS) assert.equal(row[c], '0')
	})

	it('too little is refused with the reason, or answered with what there is', async () => {
		for (const values of [[42], [42, 44, 40, 41, 43, 45]]) {
			const done = await forecast(file(dated('few', values)), 7)
			if (done.code === 0) {
				checkRows(done.rows, 7)
				for (const p of points(done)) assert.ok(p >= 38 && p <= 48, p)
			} else {
				assert.equal(done.code, 1)
				const told = done.events.find((e) => e.event === 'series_refused')
				assert.equal(told?.id, 'few')
				assert.ok(told.error.length > 10)
			}
		}
	})

	it('Mondays that are always closed stay closed', async () => {
		const open = shopDays(20 * 7, 3)
		const zero = open.map((v, i) => (i % 7 === 0 ? 0 : v))
		const left_out = open.map((v, i) => (i % 7 === 0 ? undefined : v))
		// the one that leaves its Mondays out begins on a Tuesday: the first step to come is a Monday
		const done = await forecast(file(dated('zero', zero), dated('left out', left_out)), 14)
		checkRows(done.rows, 14)
		for (const id of ['zero', 'left out'])
			points(done, id).forEach((p, i) => {
				if (i % 7 === 0) assert.equal(p, 0, `${id}, Monday`)
				else assert.ok(p > 0.6 * 0.9 * WEEK_SHAPE[i % 7] && p < 1.4 * WEEK_SHAPE[i % 7], `${id}, ${i % 7}: ${p}`)
			})
	})

	it('a level that doubled last week is followed', async () => {
		const values = shopDays(20 * 7 + 7, 4).map((v, i) => (i >= 20 * 7 ? 2 * v : v))
		const ratio = mean(points(await forecastOne(values, 7))) / mean(WEEK_SHAPE)
		assert.ok(ratio > 1.15 && ratio < 2.4, `${ratio} times the old level`)
	})

	it('one value of a thousand times is none to go by', async () => {
		for (const ago of [1, 3, 10]) {
			const values = shopDays(20 * 7, 5)
			values[values.length - ago] *= 1000
			const got = points(await forecastOne(values, 7))
			got.forEach((p, i) => assert.ok(p < 3 * WEEK_SHAPE[i % 7] && p > WEEK_SHAPE[i % 7] / 3, `${ago} days ago, ${i}: ${p}`))
		}
	})

	it('weeks that are missing are unknown, not nothing', async () => {
		const whole = shopDays(30 * 7, 6)
		for (const absent of [null, undefined]) {
			const values = whole.map((v, i) => (i >= 15 * 7 && i < 18 * 7 ? absent : v))
			const got = points(await forecastOne(values, 14))
			got.forEach((p, i) => assert.ok(Math.abs(p / WEEK_SHAPE[i % 7] - 1) < 0.25, `${absent}, ${i}: ${p}`))
		}
	})

	it('what may be negative is not clipped, what never was is', async () => {
		const r = random(7)
		const below = shopDays(140, 7).map((v) => -v)
		const done = await forecastOne(below, 14)
		points(done).forEach((p, i) => assert.ok(p < -0.5 * WEEK_SHAPE[i % 7], p))
		assert.ok(done.rows.every((row) => Number(row.lo95) < Number(row.point)))
		const few = Array.from({ length: 200 }, () => (r.uniform() < 0.7 ? 0 : r.int(5)))
		for (const row of (await forecastOne(few, 28)).rows) for (const c of BANDS) assert.ok(Number(row[c]) >= 0)
	})

	it('what grows past all bounds on the way is left out', async () => {
		for (const seed of [164, 210, 240]) {
			const r = random(seed)
			await forecastOne(Array.from({ length: 100 }, () => r.normal() * 10 ** (40 * r.uniform() - 20)), 1000)
		}
	})

	it('30 days ahead need 28 days', async () => {
		for (const [n, fits] of [[20, false], [27, false], [28, true], [29, true]]) {
			const done = await forecast(file(dated('young', shopDays(n, 8))), 30)
			assert.equal(done.code, fits ? 0 : 1, `${n}: ${done.stderr}`)
			assert.equal(done.rows.length, fits ? 30 : 0)
			if (fits) continue
			const told = done.events.find((e) => e.event === 'series_refused')
			assert.equal(told.id, 'young')
			assert.match(told.error, /28/)
		}
	})

	it('a named day that moves is known when it comes again', async () => {
		const values = shopDays(2 * 364, 9), fairs = [40, 131, 205, 300, 389, 480, 566, 655]
		for (const day of fairs) values[day] *= 3
		const holidays = write('ds,holiday,note\n' + [...fairs, 732].map((d) => `${wallClock(MONDAY + d * DAY)},Fair,x\n`).join(''))
		const got = points(await forecastOne(values, 7, ['--holidays', holidays]))
		assert.ok(got[4] > 1.8 * WEEK_SHAPE[4], `on the day of the fair ${got[4]}, without it ${WEEK_SHAPE[4]}`)
		assert.ok(got[3] < 1.3 * WEEK_SHAPE[3], `the day before ${got[3]}`)
		// for another series only
		const others = write(`date,name,id\n${[...fairs, 732].map((d) => `${wallClock(MONDAY + d * DAY)},Fair,b\n`).join('')}`)
		const without = points(await forecastOne(values, 7, ['--holidays', others]))
		assert.ok(without[4] < 1.5 * WEEK_SHAPE[4], `${without[4]}`)
	})
})

describe('wall clocks', () => {
	const SHAPE = [2, 1, 1, 1, 1, 2, 5, 12, 25, 30, 35, 50, 70, 60, 40, 35, 40, 55, 80, 90, 70, 40, 15, 5]
	const start = Date.UTC(2023, 8, 4) / 1000 // a Monday in September
	const hours = (n) => Array.from({ length: n }, (_, i) => SHAPE[i % 24])

	it('an hour that is there twice is the mean of both, and moves nothing', async () => {
		const n = 70 * 24, at = 55 * 24 + 2
		const lines = dated('a', hours(n), { start, step: HOUR }).split(/(?<=\n)/)
		lines.splice(at, 1, `a,${wallClock(start + at * HOUR, HOUR)},4\n`, `a,${wallClock(start + at * HOUR, HOUR)},10\n`)
		const judged = await anomalies(file(...lines))
		assert.equal(judged.rows.length, n)
		assert.deepEqual(judged.rows.filter((r) => r.y === '7').map((r) => r.t), [wallClock(start + at * HOUR, HOUR)])
		const done = await forecast(file(...lines), 48)
		points(done).forEach((p, i) => assert.ok(Math.abs(p - SHAPE[i % 24]) <= 0.15 * SHAPE[i % 24] + 1, `${i}: ${p}`))
	})

	it('an hour that was skipped is unknown', async () => {
		const n = 70 * 24, at = 55 * 24 + 2
		const values = hours(n)
		values[at] = undefined
		const done = await forecast(file(dated('a', values, { start, step: HOUR })), 48)
		points(done).forEach((p, i) => assert.ok(Math.abs(p - SHAPE[i % 24]) <= 0.15 * SHAPE[i % 24] + 1, `${i}: ${p}`))
	})

	it('a quarter of an hour can be put back too', async () => {
		const n = 30 * 96, at = 20 * 96 + 12, step = 900
		const lines = dated('a', Array.from({ length: n }, (_, i) => SHAPE[Math.floor(i / 4) % 24]), { start, step }).split(/(?<=\n)/)
		const again = lines.slice(at - 4, at)
		lines.splice(at, 0, ...again)
		const done = await forecast(file(...lines), 96)
		assert.equal(done.code, 0, done.stderr)
		points(done).forEach((p, i) => assert.ok(Math.abs(p - SHAPE[Math.floor(i / 4)]) <= 0.2 * SHAPE[Math.floor(i / 4)] + 2, `${i}: ${p}`))
	})

	it('night hours that are left out are 0', async () => {
		const values = hours(60 * 24).map((v, i) => (i % 24 < 6 ? undefined : v))
		const done = await forecast(file(dated('a', values, { start, step: HOUR })), 24)
		// the last row is at 23:00
		points(done).forEach((p, i) => (i < 6 ? assert.equal(p, 0) : assert.ok(p > 0)))
	})
})

// Series as nobody wants them; each of another kind, all from the seed.
function ugly(r, longest) {
	const n = 1 + r.int(longest)
	const scale = r.pick([1e-9, 1e-3, 1, 1, 1, 100, 1e6, 1e12])
	const kinds = [
		() => r.normal(),
		() => Math.abs(r.normal()),
		() => Math.exp(4 * r.normal()),
		(i) => (i % 7 < 2 ? 0 : 1 + r.uniform()),
		() => (r.uniform() < 0.95 ? 0 : r.int(9)),
		(i) => (i % 2 ? 1 : -1),
		(i) => i * i,
		(i) => 1.03 ** i,
		(i) => 0.9 ** i,
		(i) => (i < n / 2 ? 1 : 1000),
		() => 3,
		(i) => (i === n - 1 ? 1e6 : 1),
		(i) => (i === 0 ? 1 : 0),
		(i) => Math.sin(i / 3) + 1,
		(i) => 10 + i % 7 + 0.01 * r.normal(),
	]
	const of = r.pick(kinds), holes = r.pick([0, 0, 0, 0.1, 0.5, 0.9])
	const values = Array.from({ length: n }, (_, i) => (r.uniform() < holes ? null : of(i) * scale))
	if (r.uniform() < 0.3) values[r.int(n)] = 1e5 * scale
	if (r.uniform() < 0.2) for (let i = r.int(n), to = Math.min(n, i + r.int(40)); i < to; i++) values[i] = null
	return values
}

describe('ugly series', () => {
	const of = (seed, count, longest, step) => {
		const r = random(seed), all = new Map()
		for (let k = 0; k < count; k++) all.set(`u${k}`, ugly(r, longest))
		return { all, text: file(...[...all].map(([id, values]) => dated(id, values, { step }))) }
	}
	const cases = [['days', 11, 300, 500, DAY, 7], ['days, far', 12, 40, 1200, DAY, 365], ['hours', 13, 60, 900, HOUR, 48]]
	for (const [name, seed, count, longest, step, horizon] of cases) {
		it(`${name}: every number is one, and none below 0 comes of none below 0`, async () => {
			const { all, text } = of(seed, count, longest, step)
			const done = await forecast(text, horizon)
			assert.equal(done.code, 0, done.stderr)
			const refused = new Set(done.events.filter((e) => e.event === 'series_refused').map((e) => e.id))
			const n = checkRows(done.rows, horizon)
			assert.equal(n + refused.size, count)
			assert.ok(n > count / 4, `only ${n} of ${count} were forecast`)
			for (const row of done.rows)
				if (all.get(row.id).every((v) => v === null || v >= 0))
					for (const c of BANDS) assert.ok(Number(row[c]) >= 0, JSON.stringify(row))
		})

		it(`${name}: what is unusual is said in numbers`, async () => {
			const { text } = of(seed + 100, Math.min(count, 100), longest, step)
			const done = await anomalies(text)
			assert.equal(done.code, 0, done.stderr)
			for (const row of done.rows) {
				for (const c of ['expected', 'lo', 'hi', 'score', 'y']) assert.match(row[c], /^(-?\d+(\.\d+)?(e[+-]?\d+)?)?$/, JSON.stringify(row))
				assert.match(row.anomaly, /^[01]$/)
				assert.equal(row.expected === '', row.lo === '')
				if (row.lo !== '') assert.ok(Number(row.lo) <= Number(row.expected) && Number(row.expected) <= Number(row.hi), JSON.stringify(row))
			}
		})
	}

	it('the same bytes whatever the number of threads', async () => {
		const { text } = of(14, 120, 300, DAY)
		const input = write(text)
		for (const args of [['forecast', '--horizon', '14'], ['anomalies']]) {
			const outputs = []
			for (const threads of [1, 2, 8]) outputs.push((await job([...args, '--input', input, '--threads', String(threads)])).stdout)
			assert.ok(outputs[0].length > 10_000)
			assert.ok(outputs.every((o) => o === outputs[0]))
		}
	})

	it('the same bytes whatever the compiler', { skip: process.env.SAN ? 'SKIPPED: the sanitizers have programs of their own' : false }, async (t) => {
		const there = await run('clang', ['--version']).catch(() => ({ code: 1 }))
		if (there.code !== 0) return t.skip('SKIPPED: no clang here')
		const build = path.relative(root, path.join(binDir, 'clang'))
		await must('make', ['-s', '-j2', 'CC=clang', `B=${build}`, `${build}/takings-batch`])
		const { text } = of(15, 60, 500, DAY), input = write(text), output = fresh('clang.csv')
		for (const args of [['forecast', '--horizon', '28'], ['anomalies']]) {
			const gcc = await job([...args, '--input', input])
			assert.equal((await job([...args, '--input', input, '--output', output], { bin: path.join(root, build, 'takings-batch') })).code, 0)
			assert.ok(gcc.stdout.length > 10_000)
			assert.ok(readFileSync(output, 'utf8') === gcc.stdout)
		}
	})
})
