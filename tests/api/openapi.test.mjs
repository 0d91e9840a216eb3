// The description of the API: well-formed, complete, and true of every answer.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import path from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import addFormats from 'ajv-formats'
import Ajv from 'ajv/dist/2020.js'
import { bookingSql, someBookings } from '../lib/booking_tables.mjs'
import { startInstance } from '../lib/instance.mjs'
import { LiveTables } from '../lib/live_tables.mjs'
import { binDir, must } from '../lib/process.mjs'

const METHODS = ['get', 'post', 'put', 'delete'] // in the order in which an example is read, made and taken away
let text, doc, ajv

const operations = () => Object.entries(doc.paths).flatMap(([target, item]) =>
	METHODS.filter((method) => item[method]).map((method) => ({ target, method, ...item[method] })))
const successOf = (o) => Number(Object.keys(o.responses)[0]) // 200 or 202
const isPublic = (o) => o.security.length === 0 || o.security.some((way) => Object.keys(way).length === 0)
const resolve = (x) => (x?.$ref ? x.$ref.split('/').slice(1).reduce((at, key) => at[key], doc) : x)
const validator = (schema) => ajv.compile(schema.$ref ? { $ref: `api.json${schema.$ref}` } : schema)

function assertValid(schema, value, what) {
	const check = validator(schema)
	assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value).slice(0, 600)}`)
}

before(async () => {
	text = await must(path.join(binDir, 'takings-web'), ['--openapi']) // no database, no settings
	doc = JSON.parse(text)
	ajv = new Ajv({ strict: false, allErrors: true })
	addFormats(ajv)
	ajv.addSchema(doc, 'api.json')
})

// Every schema of the document, with where it stands.
function* schemas(node, at = '') {
	if (!node || typeof node !== 'object') return
	if (!Array.isArray(node) && ('type' in node || '$ref' in node) && !at.endsWith('/properties')) yield [at, node]
	for (const key in node) if (key !== 'examples' && key !== 'example') yield* schemas(node[key], `${at}/${key}`)
}

describe('the document', () => {
	it('is what the strict rules of the linter ask for', async () => {
		const config = await createConfig({ extends: ['recommended-strict'], rules: { 'no-unused-components': 'error', 'spec-strict-refs': 'off' } })
		const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config })
		assert.deepEqual(problems.map((p) => `${p.severity} ${p.ruleId} ${p.location[0]?.pointer}: ${p.message}`), [])
	})

	it('names no key twice', () => {
		const keys = (node) => (!node || typeof node !== 'object' ? 0
			: Object.values(node).reduce((n, x) => n + keys(x), Array.isArray(node) ? 0 : Object.keys(node).length))
		assert.equal(keys(doc), text.match(/"(?:[^"\\]|\\.)*":/g).length)
	})

	it('has every route of the table that is no page', async () => {
		const rows = (await must(path.join(binDir, 'takings-web'), ['--routes'])).trim().split('\n')
			.map((line) => line.split('\t')).map(([method, target]) => [method.toLowerCase(), target])
		const isPage = (target) => ['/', '/docs', '/redoc', '/ws/auth'].includes(target) /* the last one is for nginx alone */ || target.startsWith('/admin/')
		assert.deepEqual(rows.filter(([, target]) => !isPage(target)).map(String).sort(), operations().map((o) => `${o.method},${o.target}`).sort())
	})

	it('lists every field of every object, and forbids others', () => {
		let n = 0
		for (const [at, schema] of schemas(doc)) {
			if (typeof schema.additionalProperties === 'object') continue // of any names
			if (schema.type !== 'object' || at.startsWith('/paths') && !schema.properties) continue // this document itself
			n++
			assert.equal(schema.additionalProperties, false, at)
			assert.ok(schema.properties && schema.required.every((name) => name in schema.properties), at)
		}
		assert.ok(n >= 15, String(n))
	})

	it('describes everything with examples that are valid', () => {
		let n = 0
		for (const [at, schema] of schemas(doc))
			for (const example of schema.examples ?? []) {
				n++
				assertValid(schema, example, at)
			}
		for (const o of operations())
			for (const p of o.parameters ?? [])
				if (p.example !== undefined) assertValid(p.schema, p.example, `${o.operationId} ${p.name}`)
		assert.ok(n > 100, String(n))
		for (const [name, schema] of Object.entries(doc.components.schemas))
			for (const [field, about] of Object.entries(schema.properties)) assert.ok(about.description, `${name}.${field}`)
	})
})

describe('the answers', () => {
	let site

	before(async () => {
		site = await startInstance()
		await site.psql('MIGRATE_DATABASE_URL', new LiveTables().touch()) // as if takings-stream ran
		await site.psql('MIGRATE_DATABASE_URL', bookingSql(someBookings()))
		await site.psql('MIGRATE_DATABASE_URL', "INSERT INTO activity_visitor (visitor_id, kind, id, person_id) OVERRIDING SYSTEM VALUE VALUES (900000001, 'user', 'user_123', 900000001)")
	})
	after(() => site?.destroy())

	// The request that the examples make; `more` is added to the query.
	function exampleRequest(o, more = {}) {
		const query = new URLSearchParams(more)
		let { target } = o
		for (const p of o.parameters ?? []) {
			if (p.required) assert.notEqual(p.example, undefined, `${o.operationId} ${p.name}: required, and without an example`)
			if (p.example === undefined || p.name in more) continue
			if (p.in === 'path') target = target.replace(`{${p.name}}`, encodeURIComponent(p.example))
			else query.append(p.name, p.example)
		}
		const [[type, media] = []] = Object.entries(o.requestBody?.content ?? {})
		const fields = Object.entries(media?.schema.properties ?? {}).filter(([, f]) => f.examples).map(([name, f]) => [name, f.examples[0]])
		const [whole] = media?.schema.examples ?? []
		const body = !type ? undefined : type.endsWith('json') ? JSON.stringify(whole ?? Object.fromEntries(fields)) : String(new URLSearchParams(fields))
		return [`${target}${query.size ? `?${query}` : ''}`,
			{ method: o.method.toUpperCase(), headers: type ? { 'content-type': type } : {}, body, anonymous: isPublic(o) }]
	}

	// The answer must be one that the operation documents.
	function assertDocumented(o, answer, what) {
		const response = resolve(o.responses[answer.status])
		assert.ok(response, `${o.operationId} ${what}: ${answer.status} is not documented`)
		const type = answer.headers['content-type'].split(';')[0]
		assert.ok(response.content[type], `${o.operationId} ${what}: ${type} is not documented`)
		if (/json/.test(type)) assertValid(response.content[type].schema, answer.json, `${o.operationId} ${what}`)
		if (response.headers?.['Retry-After']) assert.match(answer.headers['retry-after'], /^\d+$/)
	}

	it('over HTTP it is the same document', async () => {
		const answer = await site.get('/openapi.json')
		assert.equal(answer.text, text)
		assert.equal(answer.headers['content-type'], 'application/json')
	})

	// The example of a login is nobody's password, so what it answers is looked at below; what is deleted is so once.
	const callable = () => operations().filter((o) => o.operationId !== 'postAuthToken' && o.method !== 'delete')

	it('to deletions are as documented', async () => {
		for (const o of operations().filter((x) => x.method === 'delete')) {
			const [target, request] = exampleRequest(o)
			const made = await site.get(...exampleRequest({ ...o, ...doc.paths[o.target].put, method: 'put' }))
			assert.equal(made.status, 200, made.text)
			for (const status of [200, 404]) {
				const answer = await site.get(target, request)
				assert.equal(answer.status, status, answer.text)
				assertDocumented(o, answer, 'a deletion')
			}
		}
	})

	it('to the examples are as documented', async () => {
		for (const o of callable()) {
			const answer = await site.get(...exampleRequest(o))
			assert.equal(answer.status, successOf(o), `${o.operationId}: ${answer.text}`)
			assertDocumented(o, answer, 'example')
			const [target, request] = exampleRequest(o)
			const again = await site.get(target, { ...request, headers: { ...request.headers, 'if-none-match': answer.headers.etag ?? '"none"' } })
			const late = await site.get(target, { ...request, headers: { ...request.headers, 'x-read-after': '9007199254740991' } })
			const waits = '409' in o.responses && o.operationId !== 'postEventsTrack' // there it is an id that another event has
			assert.deepEqual([again.status, late.status], ['304' in o.responses ? 304 : successOf(o), waits ? 409 : successOf(o)], o.operationId)
			assertDocumented(o, late, 'figures that are not there yet')
		}
	})

	it('to requests without what may be left out are as documented, on a day and over a range', async () => {
		const { days } = site.truth()
		const dates = [{}, { date: days[0].date }, { from: days.at(-9).date, to: days.at(-2).date }, { basis: 'transaction_date' }]
		for (const o of callable())
			for (const query of dates) {
				const takes = (o.parameters ?? []).map((p) => p.name)
				if (!Object.keys(query).every((name) => takes.includes(name))) continue
				const target = `${o.target.replaceAll(/\{(\w+)\}/g, (_, name) => o.parameters.find((p) => p.name === name).example)}?${new URLSearchParams(query)}`
				const answer = await site.get(target, { method: o.method.toUpperCase() })
				assertDocumented(o, answer, JSON.stringify(query))
			}
	})

	it('to what is wrong are as documented', async () => {
		for (const o of callable()) {
			const unknown = await site.get(...exampleRequest(o, { no_such_parameter: '1' }))
			assert.equal(unknown.status, 422, o.operationId)
			assert.equal(unknown.json.field, 'no_such_parameter')
			assertDocumented(o, unknown, 'an unknown parameter')
			if (o.parameters?.some((p) => p.name === 'date')) {
				const missing = await site.get(`${o.target}?date=2199-01-01`)
				assert.equal(missing.status, 404, o.operationId)
				assertDocumented(o, missing, 'a day without figures')
			}
			if (isPublic(o)) continue
			const [target, request] = exampleRequest(o)
			for (const authorization of ['Bearer nonsense', 'Bearer tk_nonsense']) {
				const nobody = await site.get(target, { ...request, headers: { ...request.headers, authorization }, anonymous: true })
				assert.equal(nobody.status, 401, o.operationId)
				assertDocumented(o, nobody, authorization)
			}
		}
	})

	it('say who may ask: nobody needs a token for what is public, and all else needs one', async () => {
		for (const o of callable()) {
			assert.deepEqual(['401', '403'].filter((status) => status in o.responses), o.security.length ? ['401', '403'] : [], o.operationId)
			assert.equal('429' in o.responses, !isPublic(o), o.operationId)
			const [target, request] = exampleRequest(o)
			const answer = await site.get(target, { ...request, anonymous: true })
			assert.equal(answer.status, isPublic(o) ? successOf(o) : 401, o.operationId)
			assertDocumented(o, answer, 'without a token')
		}
	})

	it('to a login are as documented', async () => {
		const o = operations().find((x) => x.operationId === 'postAuthToken')
		const [target, request] = exampleRequest(o)
		const ask = (body, headers = request.headers) => site.get(target, { ...request, headers, body: JSON.stringify(body) })
		const right = { username: 'owner', password: site.password() }
		const answers = [[request.body && await site.get(target, request), 401], [await ask(right), 200], [await ask({ ...right, x: 1 }), 422],
			[await ask({ username: 'owner' }), 422], [await ask(right, { 'content-type': 'text/plain' }), 415], [await ask([]), 400]]
		for (const [answer, status] of answers) {
			assert.equal(answer.status, status, answer.text)
			assertDocumented(o, answer, `login ${status}`)
		}
	})

	it('of /info tell the build, the schema and the site, and nothing secret', async () => {
		const { json, text: info } = await site.get('/info', { anonymous: true })
		const newest = await site.psql('ANALYTICS_DATABASE_URL', 'SELECT max(version) FROM schema_migration')
		assert.equal(String(json.schema_version), newest)
		assert.deepEqual([json.name, json.version, json.currency], ['Takings', doc.info.version, 'EUR'])
		assert.match(json.git_sha, /^([0-9a-f]{12}(-dirty)?|unknown)$/)
		assert.equal(json.build.sanitized, Boolean(process.env.SAN))
		assert.equal(json.limits.page_size_max, Math.max(...operations().flatMap((o) => (o.parameters ?? []).filter((p) => p.name === 'limit').map((p) => p.schema.maximum))))
		for (const [name, value] of Object.entries(await site.settings()))
			if (/URL|SECRET|PASSWORD|SOCKET|DIR/.test(name) && value.length > 3) assert.ok(!info.includes(value), name)
		assert.deepEqual(Object.keys(json.modules), Object.keys(doc.components.schemas.Modules.properties))
		for (const [name, state] of Object.entries(json.modules))
			assert.equal(state, ['stream', 'redis', 'kafka', 's3'].includes(name) ? 'available' : 'enabled', name)
		assert.match(json.mapped_settings.CASSANDRA_HOSTS, /mapped to PostgreSQL/)
		assert.match(json.mapped_settings.KAFKA_BOOTSTRAP_SERVERS, /unless it is set/)
		for (const name of ['FastAPI', 'kafka-python', 'cassandra-driver', 'redis', 'uvicorn']) assert.ok(json.capabilities[name], name)
		assert.deepEqual(json.auth, ['bearer_token', 'api_key', 'session'])
		for (const target of [json.openapi_url, json.docs_url, json.redoc_url]) assert.equal((await site.get(target)).status, 200, target)
	})
})
