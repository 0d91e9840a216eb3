// Our own rules about the source hold, and the checker of them finds what breaks them.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { root, run } from '../lib/process.mjs'
import { scratch } from '../lib/servers.mjs'

const check = (dir) => run(path.join(root, 'tools/checksrc.sh'), dir ? [dir] : [])

function tree(files) {
	const dir = mkdtempSync(path.join(scratch(), 'src-'))
	for (const [name, text] of Object.entries(files)) {
		mkdirSync(path.join(dir, path.dirname(name)), { recursive: true })
		writeFileSync(path.join(dir, name), text)
	}
	return dir
}

describe('checksrc', () => {
	it('finds nothing in the project', async () => {
		const done = await check()
		assert.equal(done.stdout, '')
		assert.equal(done.code, 0)
	})

	const bad = [
		...['strcpy', 'strcat', 'sprintf', 'vsprintf', 'strncpy', 'strtok', 'gets', 'atoi', 'atol', 'atof', 'sscanf', 'gmtime', 'localtime',
			'asctime', 'ctime', 'strerror', 'system', 'popen', 'alloca', 'rand', 'srand', 'setlocale', 'tmpnam', 'mktemp', 'json_real',
			'PQescapeString', 'PQexec'].map((f) => [`banned function`, 'batch/a.c', `int f(void)\n{\n\treturn (int)${f} (x);\n}\n`]),
		['lib/base stands on nothing', 'lib/base/a.c', '#include "db/db.h"\n'],
		['lib/db stands on base alone', 'lib/db/a.c', '#include "domain/format.h"\n'],
		['lib/domain stands on', 'lib/domain/a.c', '#include "web/json.h"\n'],
		['stands on base alone', 'lib/web/a.c', '#include "db/db.h"\n'],
		['stands on base alone', 'lib/forecast/a.h', '#  include "domain/format.h"\n'],
		['knows no order_db', 'cgi-bin/a.c', '#include "db/source.h"\n'],
		['knows no order_db', 'cgi-bin/a.c', '#include "batch/run.h"\n'],
		['libpq belongs to lib/db', 'batch/a.c', '#include <libpq-fe.h>\n'],
		['libmariadb belongs to', 'lib/db/a.c', '#include <mysql.h>\n'],
		['libfcgi belongs to', 'cgi-bin/a.c', '#include <fcgiapp.h>\n'],
		['over 700 lines', 'stream/a.c', '\n'.repeat(701)],
		['over 700 lines', 'tests/api/a.test.mjs', '\n'.repeat(701)],
		['path of a machine', 'docs/a.md', `see /${'home'}/anna/notes\n`],
		['path of a machine', 'tools/a.sh', `cd /${'root'}/src\n`],
		['left by a merge', 'sql/migrations/a.sql', `SELECT 1;\n${'<'.repeat(7)} HEAD\n`],
	]
	for (const [rule, file, text] of bad)
		it(`finds: ${rule} in ${file}: ${text.trim().split('\n').at(-1) === '}' ? text.trim().split('\n')[2].trim() : text.trim().slice(0, 40)}`, async () => {
			const done = await check(tree({ [file]: text }))
			assert.equal(done.code, 1)
			assert.ok(done.stdout.split('\n').some((l) => l.startsWith(`${file}:`) && l.includes(rule)), done.stdout)
		})

	it('finds statements that nobody asks for, and those that are asked for and not there', async () => {
		const dir = tree({ 'sql/queries/a.sql': '-- a.sql: x\n\n-- name: used\nSELECT 1\n\n-- name: in_a_table\nSELECT 2\n\n-- name: lonely\nSELECT 3\n',
			'batch/a.c': 'static const char *const t[] = {"in_a_table"};\n\nint f(void)\n{\n\trc = db_query(\n\t\tr->db, "used", x);\n\treturn db_script(db, "absent", eb);\n}\n',
			'cgi-bin/r.c': 'x = {.statement = "gone"};\n' })
		const done = await check(dir)
		assert.deepEqual(done.stdout.trim().split('\n'), ['batch/a.c:7: there is no statement absent', 'cgi-bin/r.c:1: there is no statement gone', 'sql/queries/a.sql:9: statement lonely is used nowhere'])
	})

	it('finds two migrations of one number, and two statements of one name', async () => {
		const done = await check(tree({ 'sql/migrations/007_a.sql': '', 'sql/migrations/007_b.sql': '', 'sql/migrations/008_b.sql': '',
			'sql/queries/a.sql': '-- name: one\nSELECT 1\n', 'sql/queries/b.sql': '-- name: one\nSELECT 2\n', 'batch/a.c': 'db_query(db, "one", p);\n' }))
		assert.deepEqual(done.stdout.trim().split('\n'), ['sql/migrations/007_b.sql:1: there is another migration 007', 'sql/queries/b.sql:1: statement one is there twice'])
	})

	it('takes no comment, string or longer name for an offence', async () => {
		const dir = tree({ 'batch/a.c': `/* strcpy(a, b)\n * system("x") */\nstatic const char *s = "atoi(1) /* ";\n// rand()\nint my_strcpy(void), strtok_r(void), gmtime_r(void);\nint f(struct x *p) { return p->system(1) + PQexecParams(0) + '"' + operand(2); }\n`,
			'batch/b.c': '#include "db/source.h"\n#include "domain/format.h"\n', 'lib/db/source_mysql.c': '#include <mysql.h>\n', 'stream/a.c': '\n'.repeat(700),
			'docs/a.md': 'https://example.com/home/anna/ and x/root/y\n' })
		const done = await check(dir)
		assert.equal(done.stdout, '')
		assert.equal(done.code, 0)
	})
})
