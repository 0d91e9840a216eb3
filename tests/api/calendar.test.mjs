// The calendar functions of analytics_db against an independent one (tests/lib/calendar.py), for every
// zone of the tz database. SEED=n repeats the random part.
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { must, root } from '../lib/process.mjs'
import { postgres, scratch } from '../lib/servers.mjs'
import { batch } from '../lib/shop.mjs'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

describe(`calendar (SEED=${seed})`, () => {
	let db
	before(async () => {
		db = await (await postgres()).create()
		assert.equal((await batch(['migrate'], { ANALYTICS_DATABASE_URL: db.url() })).code, 0)
		const folder = mkdtempSync(path.join(scratch(), 'calendar-'))
		await must('python3', [path.join(root, 'tests/lib/calendar.py'), folder, String(seed)])
		await db.exec(`
			CREATE TABLE span (zone text, cutoff int, from_day date, to_day date);
			CREATE TABLE day (zone text, cutoff int, day date, start_s bigint, end_s bigint);
			CREATE TABLE hour (zone text, cutoff int, day date, hour int, seconds int);
			CREATE TABLE instant (zone text, cutoff int, clock_zone text, clock timestamp, day date, hour int);`)
		for (const table of ['span', 'day', 'hour', 'instant']) await db.copyIn(table, { file: path.join(folder, `${table}.tsv`) })
		// PostgreSQL takes some names for abbreviations, without summer time: runs refuse them.
		for (const table of ['span', 'day', 'hour', 'instant'])
			await db.exec(`DELETE FROM ${table} WHERE zone IN (SELECT abbrev FROM pg_timezone_abbrevs); ANALYZE ${table}`)
	})

	const same = async (got, want) => {
		const rows = await db.query(`(SELECT 'got' AS what, * FROM (${got}) g EXCEPT SELECT 'got', * FROM (${want}) w) UNION ALL
			(SELECT 'wanted' AS what, * FROM (${want}) w EXCEPT SELECT 'wanted', * FROM (${got}) g) ORDER BY 2, 3, 4, 1 LIMIT 20`)
		assert.deepEqual(rows, [])
	}

	// A few days of every zone, most of them around a change of its clock.
	const some = `(SELECT DISTINCT ON (zone) * FROM span ORDER BY zone, md5(concat(cutoff, from_day, ${seed}))) sample`

	it('asks about every zone that PostgreSQL knows', async () => {
		assert.deepEqual(await db.query(`
			SELECT name FROM pg_timezone_names
			WHERE name !~ '^(posix|right)/' AND name NOT IN ('localtime', 'posixrules', 'Factory')
			  AND name NOT IN (SELECT zone FROM span UNION SELECT abbrev FROM pg_timezone_abbrevs)`), [])
		assert.ok(await db.value('SELECT count(DISTINCT zone)::int FROM span') > 550)
		assert.ok(await db.value('SELECT count(*)::int FROM hour WHERE seconds NOT IN (3600, 0, 7200)') > 20, 'no zone by halves')
		assert.ok(await db.value('SELECT count(*)::int FROM day WHERE start_s = end_s') > 0, 'no day that was left out')
	})

	it('starts and ends the days where the definition does', async () => {
		await same(`SELECT zone, cutoff, business_date, extract(epoch FROM starts_at)::bigint, extract(epoch FROM ends_at)::bigint
		            FROM span, business_days(zone, cutoff, from_day, to_day)`, 'SELECT * FROM day')
	})

	// The quick way is taken two days away from a change of the clock: so these days reach further.
	it('starts one day alone where it starts among others', async () => {
		await same(`SELECT zone, cutoff, d::date, business_day_start(zone, cutoff, d::date)
		            FROM ${some}, generate_series(from_day - 3, to_day + 3, interval '1 day') d`,
			`SELECT zone, cutoff, business_date, starts_at FROM ${some}, business_days(zone, cutoff, from_day - 3, to_day + 3)`)
		assert.deepEqual(await db.query("SELECT business_day_start('Europe/Berlin', 4, NULL) AS none"), [{ none: null }])
	})

	it('counts the seconds of 24 hours', async () => {
		await same('SELECT zone, cutoff, business_date, hour, seconds FROM span, business_hours(zone, cutoff, from_day, to_day)', 'SELECT * FROM hour')
	})

	it('puts an instant into its day', async () => {
		await same(`SELECT zone, cutoff, clock, business_date(clock AT TIME ZONE clock_zone, zone, cutoff) FROM instant`,
			'SELECT zone, cutoff, clock, day FROM instant')
	})

	it('puts the first and the last second of a day into it', async () => {
		const days = `(SELECT day.* FROM ${some} JOIN day USING (zone, cutoff) WHERE day BETWEEN from_day AND to_day AND start_s < end_s) d`
		await same(`SELECT zone, cutoff, day, business_date(to_timestamp(s), zone, cutoff) FROM ${days}, unnest(ARRAY[start_s, end_s - 1]) s`,
			`SELECT zone, cutoff, day, day FROM ${days}`)
	})

	it('gives shifts that turn a clock of order_db into day and hour', async () => {
		await same(`SELECT zone, cutoff, clock_zone, clock, (clock + make_interval(secs => shift_s - cutoff * 3600))::date,
		                   extract(hour FROM clock + make_interval(secs => shift_s))::int
		            FROM instant, business_shifts(zone, cutoff, clock_zone, day - 1, day + 1)
		            WHERE clock >= clock_from AND clock < clock_to`,
			'SELECT * FROM instant')
	})

	// Every minute around a change of clocks, those included that a wall clock leaves out but a table may hold.
	it('gives every wall-clock time of a day its shift, also when that day is asked for alone', async () => {
		const turns = [['Antarctica/Casey', 4, '2020-10-04'], ['America/St_Johns', 2, '2006-04-02'], ['America/St_Johns', 0, '2006-04-02'],
			['Pacific/Apia', 0, '2011-12-31'], ['Pacific/Apia', 0, '2011-12-29'], ['Europe/Berlin', 2, '2024-03-31'], ['Europe/Berlin', 3, '2024-10-27'],
			['Australia/Lord_Howe', 2, '2024-10-06']]
		const values = turns.map(([zone, cutoff, day]) => `('${zone}', ${cutoff}, date '${day}')`).join()
		const clocks = `(SELECT t.*, c AS clock, business_date(c AT TIME ZONE zone, zone, cutoff) AS day
			FROM (VALUES ${values}) t(zone, cutoff, turn), generate_series(turn - interval '1 day', turn + interval '2 days', interval '7 minutes') c
			OFFSET 0)` // so that the day is worked out once
		assert.deepEqual(await db.query(`
			SELECT k.zone, k.cutoff, k.clock::text, k.day::text, (SELECT (clock + make_interval(secs => shift_s - cutoff * 3600))::date::text
				FROM business_shifts(zone, cutoff, zone, day, day) WHERE clock >= clock_from AND clock < clock_to) AS got
			FROM ${clocks} k
			WHERE (SELECT (clock + make_interval(secs => shift_s - cutoff * 3600))::date
			       FROM business_shifts(zone, cutoff, zone, day, day) WHERE clock >= clock_from AND clock < clock_to) IS DISTINCT FROM day LIMIT 10`), [])
	})

	// A wall clock has times that do not exist; reading them may leave a gap behind, as in Casey in 2020.
	it('gives shifts in order, and without gaps where the clock has none', async () => {
		assert.deepEqual(await db.query(`
			SELECT * FROM (
				SELECT i.zone, i.cutoff, clock_zone, day, clock_from, clock_to, lag(clock_to) OVER w AS before
				FROM (SELECT DISTINCT zone, cutoff, clock_zone, day FROM instant) i, business_shifts(zone, cutoff, clock_zone, day - 1, day + 1)
				WINDOW w AS (PARTITION BY i.zone, i.cutoff, clock_zone, day ORDER BY clock_from)) s
			WHERE clock_from >= clock_to OR before > clock_from OR (clock_zone = 'UTC' AND before <> clock_from) LIMIT 5`), [])
	})

	it('agrees with itself over long ranges', async () => {
		// One call over years gives what many short ones give.
		for (const zone of ['Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Casablanca', 'America/St_Johns', 'Pacific/Apia'])
			await same(`SELECT zone, cutoff, d.* FROM (SELECT DISTINCT zone, cutoff FROM span WHERE zone = '${zone}' AND cutoff IN (0, 4)) z,
			                   business_days(zone, cutoff, '2004-01-01', '2012-12-31') d WHERE (zone, cutoff, business_date) IN (SELECT zone, cutoff, day FROM day)`,
			`SELECT zone, cutoff, day, to_timestamp(start_s), to_timestamp(end_s) FROM day WHERE zone = '${zone}' AND cutoff IN (0, 4) AND day BETWEEN '2004-01-01' AND '2012-12-31'`)
	})
})
