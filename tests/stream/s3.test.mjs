// The tests' own S3, judged by a signer of others (aws4 of npm): what that signs is let in, and nothing else.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import http from 'node:http'
import aws4 from 'aws4'
import { BUCKET, KEYS, S3 } from '../lib/s3.mjs'

const [[accessKeyId, { secret: secretAccessKey }]] = Object.entries(KEYS)

function send(url, { method, path, headers, body }) {
	return new Promise((resolve, reject) => {
		const req = http.request(url, { method, path, headers, setHost: false }, (res) => {
			let text = ''
			res.on('data', (d) => { text += d })
			res.on('end', () => resolve({ status: res.statusCode, code: /<Code>(.*)<\/Code>/.exec(text)?.[1], text }))
		})
		req.on('error', reject)
		req.end(body)
	})
}

describe('the S3 of the tests', () => {
	let s3
	before(async () => { s3 = await S3.start() })
	after(() => s3.stop())

	const signed = (request, keys = {}) => aws4.sign(
		{ host: new URL(s3.url).host, service: 's3', region: 'us-east-1', method: 'PUT', path: `/${BUCKET}/analytics/a.json`, body: '{"a":1}', ...request },
		{ accessKeyId, secretAccessKey, ...keys })
	const ask = (request) => send(s3.url, request)

	it('lets in what another program signed', async () => {
		assert.equal((await ask(signed({}))).status, 200)
		assert.equal((await ask(signed({ headers: { 'Content-Type': 'application/json' } }))).status, 200)
		assert.equal((await ask(signed({ path: `/${BUCKET}/a%20b/%C3%A9%2B%3D.json` }))).status, 200)
		const list = await ask(signed({ method: 'GET', body: undefined, path: `/${BUCKET}/?list-type=2&max-keys=1&prefix=analytics%2F` }))
		assert.equal(list.status, 200)
		assert.match(list.text, /<Key>analytics\/a\.json<\/Key>/)
		assert.deepEqual([...s3.objects.keys()], ['analytics/a.json', 'a b/é+=.json'])
	})

	const old = () => new Date(Date.now() - 16 * 60_000).toISOString().replace(/[-:]|\.\d+/g, '')
	const wrong = {
		'a wrong secret': [() => signed({}, { secretAccessKey: 'other' }), 403, 'SignatureDoesNotMatch'],
		'an unknown key': [() => signed({}, { accessKeyId: 'AKOTHER' }), 403, 'InvalidAccessKeyId'],
		'another body': [() => ({ ...signed({}), body: '{"a":2}' }), 400, 'XAmzContentSHA256Mismatch'],
		'another path': [() => ({ ...signed({}), path: `/${BUCKET}/analytics/b.json` }), 403, 'SignatureDoesNotMatch'],
		'another method': [() => ({ ...signed({ body: '' }), method: 'GET', body: undefined }), 403, 'SignatureDoesNotMatch'],
		'another region': [() => signed({ region: 'eu-central-1' }), 400, 'AuthorizationHeaderMalformed'],
		'an old date': [() => signed({ headers: { 'X-Amz-Date': old() } }), 403, 'RequestTimeTooSkewed'],
		'a token nobody gave': [() => signed({}, { sessionToken: 'T' }), 400, 'InvalidToken'],
		'a header that is not signed': [() => { const r = signed({}); r.headers['x-amz-acl'] = 'public-read'; return r }, 403, 'AccessDenied'],
		'no signature': [() => { const r = signed({}); delete r.headers.Authorization; return r }, 403, 'AccessDenied'],
		'a deletion': [() => signed({ method: 'DELETE', body: undefined }), 403, 'AccessDenied'],
		'a read': [() => signed({ method: 'GET', body: undefined }), 403, 'AccessDenied'],
	}
	for (const [name, [make, status, code]] of Object.entries(wrong))
		it(`refuses ${name}`, async () => {
			const before = s3.stored.length
			const got = await ask(make())
			assert.deepEqual([got.status, got.code], [status, code])
			assert.equal(s3.stored.length, before)
		})
})
