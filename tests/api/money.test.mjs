// The money functions as the answers use them against their definitions, which the schema began with.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { root } from '../lib/process.mjs'
import { postgres } from '../lib/servers.mjs'
import { batch } from '../lib/shop.mjs'

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)

// As text: a figure must have the same digits, not only the same value.
const RESULTS = `id, money(minor, code)::text AS money, money_ratio(minor, n, code)::text AS ratio,
	half_even(fine, digits)::text AS even, money_exponent(code) AS exponent, money_minor(fine, code) AS back`

describe(`money (SEED=${seed})`, () => {
	let db
	before(async () => {
		db = await (await postgres()).create()
		assert.equal((await batch(['migrate'], { ANALYTICS_DATABASE_URL: db.url() })).code, 0)
		// Small numbers meet ties and zeros, large ones the limits; some are NULL.
		await db.exec(`SELECT setseed(${seed} / 1000000.0);
			CREATE TABLE sample AS
			SELECT id, nullif(sign(random() - 0.3)::numeric * trunc((10 ^ (random() * size))::numeric), 7) AS minor,
			       nullif(trunc((10 ^ (random() * size / 2))::numeric) - 1, 11) AS n,
			       (round((random() - 0.5)::numeric * 2000) * 5 / 10::numeric ^ (id % 7)) AS fine, (id % 5)::int AS digits,
			       (SELECT code FROM (SELECT array_agg(currency ORDER BY currency) || '{EUR,USD,GBP,XXX,eur,"",NULL}' AS codes
			                          FROM currency_exponent) c, LATERAL (SELECT codes[1 + id % cardinality(codes)] AS code) x) AS code
			FROM generate_series(1, 20000) id, LATERAL (SELECT 1 + id % 16 AS size) s;
			CREATE SCHEMA was;
			SET search_path = was;
			${readFileSync(path.join(root, 'sql/migrations/002_money.sql'), 'utf8')}
			SET search_path = was, public;
			CREATE TABLE was.result AS SELECT ${RESULTS} FROM sample;
			SET search_path = public;
			CREATE TABLE result AS SELECT ${RESULTS} FROM sample;
			ANALYZE sample, was.result, result;`)
	})

	it('has samples that tell one way of rounding from another', async () => {
		const [row] = await db.query(`SELECT count(*) FILTER (WHERE round(fine, digits)::text <> even)::int AS ties,
			count(*) FILTER (WHERE n = 0)::int AS zeros, count(*) FILTER (WHERE minor IS NULL OR n IS NULL OR code IS NULL)::int AS nulls,
			count(DISTINCT exponent)::int AS exponents FROM sample JOIN result USING (id)`)
		assert.ok(row.ties > 200 && row.zeros > 200 && row.nulls > 200 && row.exponents === 4, JSON.stringify(row))
	})

	it('gives the figures of the definitions, digit for digit', async () => {
		assert.deepEqual(await db.query(`SELECT s.*, w.*, r.money AS got_money, r.ratio AS got_ratio, r.even AS got_even
			FROM sample s JOIN was.result w USING (id) JOIN result r USING (id)
			WHERE r IS DISTINCT FROM ROW(w.id, w.money, w.ratio, w.even, w.exponent, w.back)::result LIMIT 10`), [])
	})

	it('has one list of currencies in two places', async () => {
		assert.deepEqual(await db.query('SELECT * FROM currency_exponent WHERE exponent <> money_exponent(currency)'), [])
		assert.deepEqual(await db.query(`SELECT code FROM (SELECT DISTINCT code FROM sample) s
			WHERE money_exponent(code) <> 2 AND code NOT IN (SELECT currency FROM currency_exponent)`), [])
	})

	it('costs an answer nothing to speak of: the planner takes them in', async () => {
		const plan = await db.psql(['-At', '-c', `EXPLAIN VERBOSE SELECT money(sum(minor), code), money_ratio(sum(minor), sum(n), code),
			half_even(sum(fine) * 100 / sum(n), 2) FROM sample GROUP BY code`])
		assert.doesNotMatch(plan.stdout, /money|half_even/)
	})
})
