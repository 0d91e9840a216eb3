// takings-batch forecast and anomalies as commands: what they read, refuse and leave behind.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, lstatSync, readFileSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { cleanEnv, must, run, until } from '../lib/process.mjs'
import { emptyCwd, program } from '../lib/shop.mjs'
import { HOUR, anomalies, dated, file, forecast, fresh, job, points, shopDays, write } from '../lib/series.mjs'

const HEADER = 'id,step,point,lo80,hi80,lo95,hi95,model'
const plain = (id, values, from = 1) => values.map((y, i) => `${id},${from + i},${y}\n`).join('')

// What lies beside an output file while it is not whole.
const unfinished = (output) => readdirSync(path.dirname(output)).filter((name) => name.startsWith(`${path.basename(output)}.`))

// The job must fail over this file, in these words, and leave what was there before.
async function refused(text, words, args = ['forecast', '--horizon', '3']) {
	const input = write(text), output = write('what was here before\n', 'out.csv')
	const done = await job([...args, '--input', input, '--output', output])
	assert.equal(done.code, 1, `${done.stdout}${done.stderr}`)
	const told = done.events.find((e) => e.event === 'series_failed')
	for (const word of words) assert.ok(told?.error.includes(word), `"${word}" is not in: ${done.stderr}`)
	assert.ok(words[0].startsWith('line') ? told.error.includes(input) : true)
	assert.equal(readFileSync(output, 'utf8'), 'what was here before\n')
	assert.deepEqual(unfinished(output), [])
}

describe('what is read', () => {
	const values = shopDays(60, 1)
	const want = async () => (await forecast(file(dated('a', values)), 7)).text.split('\n').slice(1).join('\n')

	it('the same series, however it is written', async () => {
		const lines = dated('a', values).trimEnd().split('\n').map((l) => l.split(','))
		const forms = {
			'other columns, another order': 'note,Y,x,ds,ID\n' + lines.map(([id, ds, y]) => `n,${y},7,${ds},${id}\n`).join(''),
			'quotes': '"id","ds","y","say ""so"""\n' + lines.map(([id, ds, y]) => `"${id}","${ds}","${y}","a, ""b""\nc"\n`).join(''),
			'CR LF and a byte order mark': '\uFEFFid,ds,y\r\n' + lines.map((l) => l.join(',') + '\r\n').join(''),
			'a mark before quotes': '\uFEFF"id",ds,y\n' + lines.map((l) => l.join(',') + '\n').join(''),
			'spaces and empty lines': 'id, ds, y\n\n' + lines.map(([id, ds, y]) => ` ${id} ,${ds}, ${y}\n\n`).join(''),
			'no line end at the end': 'id,ds,y\n' + lines.map((l) => l.join(',')).join('\n'),
			'times of the day': 'id,ds,y\n' + lines.map(([id, ds, y], i) => `${id},${ds}${[' 00:00:00', 'T00:00:00', ' 00:00', 'T00:00', ''][i % 5]},${y}\n`).join(''),
			'both t and ds': 'id,t,ds,y\n' + lines.map(([id, ds, y], i) => `${id},${500 + i},${ds},${y}\n`).join(''),
		}
		const expected = await want()
		assert.equal(expected.split('\n').length, 8)
		for (const [name, text] of Object.entries(forms)) {
			const done = await forecast(text, 7)
			assert.equal(done.code, 0, `${name}: ${done.stderr}`)
			assert.equal(done.text.split('\n').slice(1).join('\n'), expected, name)
		}
	})

	it('a file without ids is one series', async () => {
		const done = await forecast('t,y\n' + values.map((y, i) => `${i + 1},${y}\n`).join(''), 7, ['--period', '7'])
		assert.equal(done.code, 0, done.stderr)
		assert.equal(done.text.split('\n')[0], HEADER)
		assert.deepEqual(done.rows.map((r) => r.id), Array(7).fill(''))
	})

	it('every word for unknown is the same', async () => {
		const holes = [10, 11, 20, 30, 31]
		const text = (word) => file(dated('a', values.map((y, i) => (holes.includes(i) ? word : y))))
		const [first, ...others] = await Promise.all(['', 'NA', 'NaN', 'nan', 'null'].map((w) => forecast(text(w), 7)))
		assert.equal(first.rows.length, 7)
		for (const o of others) assert.equal(o.text, first.text)
		const left_out = await forecast(text(undefined).replace(/^.*undefined\n/gm, ''), 7)
		assert.equal(left_out.text, first.text)
	})

	it('ids stay as they are, and so does their order', async () => {
		const ids = ['zeta', 'a,b', 'say "x"', 'Größe', ' x'.trim(), '=1+1', '0012']
		const text = 'id,t,y\n' + ids.map((id) => plain(`"${id.replaceAll('"', '""')}"`, values)).join('')
		const done = await forecast(text, 2)
		assert.deepEqual(done.rows.filter((r) => r.step === '1').map((r) => r.id), ids)
		const judged = await anomalies(text)
		assert.deepEqual([...new Set(judged.rows.map((r) => r.id))], ids)
	})

	it('t may have holes and another step, days may have weeks between them', async () => {
		for (const text of ['id,t,y\n' + plain('a', [1, 2, 3, 4, 5]) + plain('a', [6, 7, 8], 9),
			'id,t,y\n' + [-20, -10, 0, 10, 20, 40].map((t) => `a,${t},1\n`).join(''),
			'ds,y\n2024-01-01,1\n2024-01-08,2\n2024-01-15,3\n2024-01-29,3\n',
			'ds,y\n' + ['01', '04', '08', '11', '15', '18', '22', '25'].map((d) => `2024-01-${d},5\n`).join('')]) {
			const done = await forecast(text, 3)
			assert.equal(done.code, 0, done.stderr)
			assert.equal(done.rows.length, 3)
		}
	})

	it('days that are there twice a week are days', async () => {
		const text = 'ds,y\n' + Array.from({ length: 40 }, (_, i) => {
			const at = new Date(Date.UTC(2024, 0, 1 + 7 * Math.floor(i / 2) + (i % 2 ? 3 : 0)))
			return `${at.toISOString().slice(0, 10)},5\n`
		}).join('')
		// the last row is a Thursday: Friday is the first to come
		assert.deepEqual(points(await forecast(text, 7)), [0, 0, 0, 5, 0, 0, 5])
	})

	it('a series that is refused does not hold up the others', async () => {
		const done = await forecast(file(dated('one', values), dated('empty', Array(30).fill(null)), dated('two', values)), 7)
		assert.equal(done.code, 0, done.stderr)
		assert.deepEqual([...new Set(done.rows.map((r) => r.id))], ['one', 'two'])
		const told = done.events.filter((e) => e.event === 'series_refused')
		assert.deepEqual(told.map((e) => e.id), ['empty'])
		assert.ok(told[0].error)
		const none = await forecast(file(dated('empty', Array(30).fill(null))), 7)
		assert.equal(none.code, 1)
		assert.ok(!existsSync(none.output))
	})

	it('anomalies say t and y as they came, one row a row', async () => {
		const text = file(dated('a', values.map((y, i) => (i === 20 ? null : i === 21 ? undefined : y))))
		const done = await anomalies(text)
		assert.equal(done.text.split('\n')[0], 'id,t,y,expected,lo,hi,score,anomaly')
		assert.deepEqual(done.rows.map((r) => `${r.id},${r.t},${r.y}`), text.trim().split('\n').slice(1))
		assert.equal(done.rows[20].anomaly, '0')
	})

	it('an outage and a rush are unusual, a usual week is not', async () => {
		const days = shopDays(26 * 7, 2)
		days[150] = 0
		days[165] *= 4
		const done = await anomalies(file(dated('a', days)))
		const found = done.rows.flatMap((r, i) => (r.anomaly === '1' ? [i] : []))
		assert.ok(found.includes(150) && found.includes(165), `found ${found}`)
		assert.ok(found.length <= 6, `found ${found}`)
	})
})

describe('what is refused', () => {
	const good = plain('a', [1, 2, 3])
	const cases = [
		['an empty file', '', ['line 1', 'header']],
		['no y', 'id,t\na,1\n', ['line 1, column y']],
		['neither t nor ds', 'id,y\na,1\n', ['line 1, column ds', 't']],
		['a column twice', 'id,t,y,Y\na,1,2,3\n', ['line 1, column y', 'twice']],
		['a header alone', 'id,t,y\n', ['no series']],
		['garbage for a number', `id,t,y\n${good}a,4,12abc\n`, ['line 5, column y', '12abc']],
		['hexadecimal', `id,t,y\n${good}a,4,0x10\n`, ['line 5, column y']],
		['a decimal comma', `id,t,y\n${good}a,4,"1,5"\n`, ['line 5, column y', '1,5']],
		['an infinite number', `id,t,y\n${good}a,4,-Infinity\n`, ['line 5, column y', 'finite']],
		['a number that is too large to be one', `id,t,y\n${good}a,4,1e999\n`, ['line 5, column y', 'finite']],
		['a number nobody can work with', `id,t,y\n${good}a,4,1.1e30\n`, ['line 5, column y', '1e+30']],
		['too few columns', `id,t,y\n${good}a,4\n`, ['line 5', '2 columns', '3']],
		['too many columns', `id,t,y\n${good}a,4,5,6\n`, ['line 5', '4 columns', '3']],
		['t that is no whole number', `id,t,y\n${good}a,4.5,5\n`, ['line 5, column t', '4.5']],
		['a day that does not exist', 'ds,y\n2023-02-28,1\n2023-02-29,2\n', ['line 3, column ds', '2023-02-29']],
		['an hour that does not exist', 'ds,y\n2023-02-28 23:00:00,1\n2023-02-28 24:00:00,2\n', ['line 3, column ds']],
		['a time with a zone', 'ds,y\n2023-02-28T23:00:00Z,1\n', ['line 2, column ds']],
		['an empty id', `id,t,y\n${good},1,2\n`, ['line 5, column id', 'empty']],
		['a series that comes back', `id,t,y\n${good}${plain('b', [1, 2])}a,4,4\n`, ['line 7, column id', '"a"']],
		['a t twice', `id,t,y\n${good}a,3,4\n`, ['line 5, column t', 'same']],
		['disorder', `id,t,y\n${good}a,2,4\n`, ['line 5, column t', 'before']],
		['t between two steps', 'id,t,y\na,10,1\na,20,1\na,30,1\na,35,1\n', ['line 5, column t', '5', '10']],
		['a day twice', 'ds,y\n2023-01-01,1\n2023-01-02,1\n2023-01-02,1\n', ['line 4, column ds', 'same']],
		['a day before', 'ds,y\n2023-01-01,1\n2023-01-03,1\n2023-01-02,1\n', ['line 4, column ds', 'before']],
		['months', 'ds,y\n2023-01-01,1\n2023-02-01,1\n2023-03-01,1\n2023-04-01,1\n', ['line 4, column ds', 'months']],
		['an hour three times', 'ds,y\n2023-10-29 01:00,1\n2023-10-29 02:00,1\n2023-10-29 02:00,1\n2023-10-29 02:00,1\n2023-10-29 03:00,1\n2023-10-29 04:00,1\n',
			['line 5, column ds', 'same']],
		['an hour twice every day', 'ds,y\n' + Array.from({ length: 48 }, (_, i) => `2023-10-${i < 24 ? 28 : 29} ${String(i % 24).padStart(2, '0')}:00,1\n`.repeat(i % 24 === 2 ? 2 : 1)).join(''),
			['line 30, column ds', 'same']],
		['a quote that does not end', 'id,t,y\na,1,"2\n', ['line 2', 'quoted']],
		['text behind a quote', 'id,t,y\na,1,"2"3\n', ['line 2', 'quoted']],
		['a NUL', `id,t,y\n${good}a,4,5\0\n`, ['line 5', 'NUL']],
		['a series of a thousand years', 'ds,y\n1000-01-01 00:00,1\n1000-01-01 01:00,1\n2000-01-01 00:00,1\n', ['line 2, column ds', '1000000']],
	]
	for (const [name, text, words] of cases) it(name, async () => {
		await refused(text, words)
		await refused(text, words, ['anomalies'])
	})

	it('a file that is not there, and one that cannot be written', async () => {
		const input = write('id,t,y\n' + plain('a', [1, 2, 3]))
		for (const [args, word] of [[['--input', `${input}.none`], 'No such file'], [['--input', '/tmp'], 'directory'],
			[['--input', input, '--output', '/nowhere/at/all.csv'], '/nowhere/at/all.csv'],
			[['--input', input, '--holidays', `${input}.none`], 'needs a column ds']]) {
			const done = await job(['forecast', '--horizon', '1', '--period', '1', ...args])
			assert.equal(done.code, 1)
			assert.ok(done.stderr.includes(word), done.stderr)
		}
	})

	it('holidays that cannot be read', async () => {
		const text = file(dated('a', shopDays(60)))
		for (const [holidays, words] of [['ds,holiday\n2023-13-01,X\n', ['line 2, column ds']], ['ds,holiday\n2023-12-01,\n', ['line 2, column holiday']],
			['day,holiday\n', ['column ds', 'neither ds nor date']], ['date,label\n', ['column holiday']], ['', ['header']]]) {
			const done = await forecast(text, 3, ['--holidays', write(holidays)])
			assert.equal(done.code, 1)
			for (const word of words) assert.ok(done.stderr.includes(word), done.stderr)
			assert.ok(!existsSync(done.output))
		}
	})
})

describe('the command line', () => {
	const input = write('id,t,y\n' + plain('a', shopDays(1100)))
	const of = (name, args) => job([name, '--input', input, ...(name === 'forecast' && !args.includes('--horizon') ? ['--horizon', '2'] : []), ...args])
	const limits = [
		['forecast', '--horizon', ['1', '999', '1000'], ['0', '1001', '-1', '1.5', 'ten', '', '99999999999999999999']],
		['forecast', '--period', ['1', '2', '7', '999', '1000', '24,168', '2,3', '7,1000'], ['0', '1001', '7,', ',7', '7,7', '7,6', '1,7', '7,1001', '7,14,21', 'week', '']],
		['forecast', '--threads', ['0', '1', '63', '64'], ['65', '-1', 'all']],
		['anomalies', '--sensitivity', ['0.5', '0.50001', '0.95', '0.9998', '0.9999'], ['0', '0.4999', '0.99991', '1', 'nan', '0x1', '']],
		['anomalies', '--window', ['0', '1', '28', '1000000'], ['-1', '1000001', 'x']],
	]
	for (const [name, option, good, bad] of limits)
		it(`${option} within its limits`, async () => {
			for (const value of good) {
				const done = await of(name, [option, value])
				assert.equal(done.code, 0, `${value}: ${done.stderr}`)
			}
			for (const value of bad) {
				const done = await of(name, [option, value])
				assert.equal(done.code, 2, `${value}: ${done.stdout.slice(0, 200)}`)
				assert.ok(done.stderr.includes(option) && done.stdout === '', done.stderr)
			}
		})

	it('what is missing, unknown or there twice is named', async () => {
		for (const [args, word] of [[['forecast', '--input', input], '--horizon'], [['forecast', '--horizon', '3'], '--input'], [['anomalies'], '--input'],
			[['forecast', '--input', input, '--horizon', '3', '--fast'], '--fast'], [['forecast', '--input', input, '--window', '3'], '--window'],
			[['anomalies', '--input', input, '--horizon', '3'], '--horizon'], [['forecast', '--input', input, '--horizon'], '--horizon'],
			[['forecast', '--input', input, '--horizon', '3', '--horizon', '4'], '--horizon'],
			[['forecast', '--input', '-', '--horizon', '3', '--holidays', '-'], '--holidays'], [['anomalies', 'now'], 'now']]) {
			const done = await job(args)
			assert.equal(done.code, 2, done.stderr)
			assert.ok(done.stderr.includes(word) && done.stderr.includes('usage: takings-batch'), done.stderr)
		}
	})

	it('--help says how', async () => {
		for (const name of ['forecast', 'anomalies']) {
			const done = await job([name, '--help'])
			assert.equal(done.code, 0)
			for (const word of ['--input', '--output', '--period', '--holidays']) assert.ok(done.stdout.includes(word))
		}
	})

	it('needs no settings, whatever they are', async () => {
		const env = { ...cleanEnv, BUSINESS_TIMEZONE: 'Nowhere/At/All', BATCH_DELAY: 'soon', DATABASE_URL: 'x', LC_ALL: 'de_DE.UTF-8', TZ: 'Asia/Tokyo' }
		const args = ['forecast', '--input', input, '--horizon', '3', '--period', '7']
		const [bare, set] = [await job(args), await job(args, { env })]
		assert.equal(set.code, 0, set.stderr)
		assert.equal(set.stdout, bare.stdout)
	})

	it('days and hours have seasons of their own', async () => {
		const days = file(dated('a', shopDays(140)))
		assert.equal((await forecast(days, 7)).text, (await forecast(days, 7, ['--period', '7'])).text)
		const hours = file(dated('a', shopDays(28 * 24), { step: HOUR }))
		assert.equal((await forecast(hours, 48)).text, (await forecast(hours, 48, ['--period', '24,168'])).text)
	})
})

describe('limits of a file', () => {
	const values = shopDays(30)

	it('an id has 255 bytes', async () => {
		for (const [n, fits] of [[254, true], [255, true], [256, false]]) {
			const done = await forecast('id,t,y\n' + plain('i'.repeat(n), values), 2)
			assert.equal(done.code, fits ? 0 : 1)
			if (!fits) assert.match(done.stderr, /line 2, column id/)
		}
	})

	it('a record has 65536 bytes, a header 256 columns', async () => {
		for (const [n, fits] of [[65535, true], [65536, true], [65537, false]]) {
			const done = await forecast(`id,t,y,note\na,1,2,${'x'.repeat(n - 6)}\na,2,3,\n`, 2)
			assert.equal(done.code, fits ? 0 : 1, `${n}: ${done.stderr}`)
			if (!fits) assert.match(done.stderr, /line 2: longer than 65536/)
		}
		for (const [n, fits] of [[255, true], [256, true], [257, false]]) {
			const more = ','.repeat(n - 3)
			assert.equal((await forecast(`id,t,y${more}\na,1,2${more}\na,2,3${more}\n`, 2)).code, fits ? 0 : 1)
		}
	})
})

describe('what is left behind', () => {
	it('standard input and output will do, and output may be the input', async () => {
		const text = 'id,t,y\n' + plain('a', shopDays(60)), at = write(text)
		const piped = await job(['forecast', '--input', '-', '--horizon', '3'], { input: text })
		const named = await job(['forecast', '--input', at, '--horizon', '3', '--output', '-'])
		const over = await job(['forecast', '--input', at, '--horizon', '3', '--output', at])
		assert.deepEqual([piped.code, named.code, over.code], [0, 0, 0])
		assert.equal(piped.stdout, named.stdout)
		assert.equal(readFileSync(at, 'utf8'), named.stdout)
		assert.equal(over.stdout, '')
	})

	it('what cannot be replaced is written to: a pipe, a device', async () => {
		// links of our own: nobody's /dev is to suffer where this fails
		const at = write('id,t,y\n' + plain('a', shopDays(60)))
		const to = (target) => {
			const link = fresh('link')
			symlinkSync(target, link)
			return job(['forecast', '--input', at, '--horizon', '3', '--output', link]).then((done) => {
				assert.ok(lstatSync(link).isSymbolicLink())
				assert.deepEqual(unfinished(link), [])
				return done
			})
		}
		const want = (await job(['forecast', '--input', at, '--horizon', '3'])).stdout
		const pipe = fresh('pipe')
		await must('mkfifo', [pipe])
		const [read, piped] = await Promise.all([run('cat', [pipe]), to(pipe)])
		assert.deepEqual([piped.code, read.stdout], [0, want])
		const full = await to('/dev/full')
		assert.equal(full.code, 1)
		assert.match(full.stderr, /cannot be written: No space left/)
		const file = write('before', 'out.csv')
		assert.equal((await to(file)).code, 0)
		assert.equal(readFileSync(file, 'utf8'), want)
	})

	it('a name like its own that lies in wait is left alone; who may read it stays as it was', async () => {
		const input = write('id,t,y\n' + plain('a', shopDays(60))), precious = write('precious', 'other')
		const output = write('before', 'out.csv')
		chmodSync(output, 0o640)
		symlinkSync(precious, `${output}.tmp`)
		assert.equal((await job(['forecast', '--input', input, '--horizon', '3', '--output', output])).code, 0)
		assert.equal(readFileSync(precious, 'utf8'), 'precious')
		assert.match(readFileSync(output, 'utf8'), /^id,step/)
		assert.equal(statSync(output).mode & 0o777, 0o640)
	})

	it('without standard error the log is not written into the output', async () => {
		const input = write('id,t,y\n' + plain('none', ['', '']) + plain('a', shopDays(60))), output = fresh('out.csv')
		const done = await run('sh', ['-c', '"$0" forecast --input - --horizon 3 --output "$2" <"$1" 2>&-', program, input, output], { cwd: emptyCwd() })
		assert.equal(done.code, 0)
		assert.match(readFileSync(output, 'utf8'), /^id,step[^{]*$/)
	})

	it('Ctrl-C leaves no file, while it works and while it waits', async () => {
		for (const endless of [true, false]) {
			const output = fresh('out.csv')
			let k = 0, child
			const source = new Readable({
				read() {
					if (k === 0) this.push('id,t,y\n')
					if (k < 200 || endless) this.push(plain(`s${k++}`, shopDays(400, k)))
				},
			})
			const ended = job(['forecast', '--input', '-', '--horizon', '7', '--period', '7', '--output', output], { input: source, started: (c) => { child = c } })
			await until(() => unfinished(output).length === 1 && k >= 150, { what: 'some series' })
			child.kill('SIGINT')
			const done = await ended
			source.destroy()
			assert.equal(done.code, 1, done.stderr)
			assert.ok(done.events.some((e) => e.code === 'interrupted'), done.stderr)
			assert.ok(!existsSync(output))
			assert.deepEqual(unfinished(output), [])
		}
	})

	it('10,000 series pass through 32 MB', { skip: process.env.SAN ? 'SKIPPED: the sanitizers need more' : false }, async () => {
		const N = 10_000, POINTS = 735
		// one in twenty is as real ones are, the others are quick to forecast
		const bodies = Array.from({ length: 20 }, (_, i) => plain('', i === 0 ? shopDays(POINTS, 3, 0.2) : Array(POINTS).fill(i)))
		let k = 0, peak = 0, pid
		const source = Readable.from((function* () {
			yield 'id,t,y\n'
			for (; k < N; k++) yield bodies[k % 20].replace(/^/gm, `s${k}`).slice(0, -`s${k}`.length)
		})())
		const look = setInterval(() => {
			try {
				peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0))
			} catch { /* it has ended */ }
		}, 20)
		const output = fresh('out.csv')
		const done = await job(['forecast', '--input', '-', '--horizon', '7', '--period', '7', '--output', output],
			{ input: source, limit: 200_000, started: (c) => { pid = c.pid } }).finally(() => clearInterval(look))
		assert.equal(done.code, 0, done.stderr)
		const lines = readFileSync(output, 'utf8').split('\n')
		assert.equal(lines.length, 1 + N * 7 + 1)
		assert.deepEqual([lines[1].split(',')[0], lines[N * 7].split(',')[0]], ['s0', `s${N - 1}`])
		assert.ok(peak > 1000, 'nothing was measured')
		assert.ok(peak <= 32 * 1024, `${peak} KiB`)
	})
})
