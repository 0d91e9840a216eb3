// clickhouse.mjs FILE DIR: ClickHouse (chdb) over the events of FILE, a CSV of person_id, session, at (microseconds), type. Then reads
// lines of {"name", "sql"} from stdin and answers each with {"ms", "rows"}; the table is `events`.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const [file, dir, modules] = process.argv.slice(2)
const { Session } = createRequire(modules + '/')('chdb')
const session = new Session(dir)
const ask = sql => String(session.query(sql, 'CSV')).trim()

ask('create database if not exists bench')
ask(`create table bench.events (person_id UInt64, session UInt64, time DateTime64(6, 'UTC'), type LowCardinality(String))
	engine = MergeTree order by (toDate(time), person_id, time)`)
ask(`insert into bench.events select person_id, session, fromUnixTimestamp64Micro(at, 'UTC'), type
	from file('${file}', 'CSV', 'person_id UInt64, session UInt64, at Int64, type String')`)
ask('optimize table bench.events final')
console.log(JSON.stringify({ version: ask('select version()'), rows: ask('select count() from bench.events') }))
for await (const line of createInterface({ input: process.stdin })) {
	const { sql } = JSON.parse(line)
	const begun = performance.now()
	const text = ask(sql)
	console.log(JSON.stringify({ ms: performance.now() - begun, rows: text }))
}
