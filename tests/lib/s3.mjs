// s3.mjs: a bucket in memory that believes nothing: each request's signature is computed anew from the
// words of the S3 API reference, from what came over the wire, and every part must be as it says there.
// It shares no code with what it tests.
import { createHash, createHmac } from 'node:crypto'
import http from 'node:http'

const sha256 = (data) => createHash('sha256').update(data).digest('hex')
const hmac = (key, data) => createHmac('sha256', key).update(data).digest()

export const BUCKET = 'my-analytics-bucket'
export const KEYS = { AKTEST: { secret: 'wJalrXUtnFEMI/bPxRfiCYEXAMPLEKEY' } }

class Refusal extends Error {
	constructor(status, code) {
		super(code)
		this.status = status
		this.code = code
	}
}

const refuse = (status, code) => { throw new Refusal(status, code) }

// As "UriEncode()" of the reference: all but unreserved characters, in capitals.
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
const isCanonicalPath = (path) => path.split('/').map((word) => encode(decodeURIComponent(word))).join('/') === path

function canonicalQuery(raw) {
	if (!raw) return ''
	const pairs = raw.split('&').map((pair) => {
		if (!pair.includes('=')) refuse(403, 'SignatureDoesNotMatch')
		return pair.split(/=(.*)/s).slice(0, 2).map((word) => encode(decodeURIComponent(word)))
	})
	return pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : 1)).map((p) => p.join('=')).join('&')
}

// Throws what S3 would answer; `keys`: { ACCESS: { secret, token } }.
export function verify({ method, url, headers, body }, { keys, region, now = Date.now() }) {
	const auth = /^AWS4-HMAC-SHA256 Credential=([^/ ]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
		.exec(headers.authorization ?? refuse(403, 'AccessDenied')) ?? refuse(400, 'AuthorizationHeaderMalformed')
	const [, access, day, where, service, signedList, signature] = auth
	const key = keys[access] ?? refuse(403, 'InvalidAccessKeyId')
	if (where !== region || service !== 's3') refuse(400, 'AuthorizationHeaderMalformed')
	const date = headers['x-amz-date'] ?? refuse(403, 'AccessDenied')
	const at = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? refuse(403, 'AccessDenied')
	if (Math.abs(now - Date.UTC(at[1], at[2] - 1, ...at.slice(3).map(Number))) > 15 * 60_000) refuse(403, 'RequestTimeTooSkewed')
	if (day !== date.slice(0, 8)) refuse(400, 'AuthorizationHeaderMalformed')
	const hash = headers['x-amz-content-sha256'] ?? refuse(400, 'InvalidRequest')
	if (hash !== sha256(body)) refuse(400, 'XAmzContentSHA256Mismatch')

	const signed = signedList.split(';')
	if (signed.join() !== [...new Set(signed)].sort().join() || !signed.includes('host')) refuse(403, 'SignatureDoesNotMatch')
	for (const name of Object.keys(headers))
		if ((name.startsWith('x-amz-') || name === 'content-type' || name === 'content-md5') && !signed.includes(name)) refuse(403, 'AccessDenied')
	const lines = signed.map((name) => `${name}:${(headers[name] ?? refuse(403, 'SignatureDoesNotMatch')).trim().replace(/ +/g, ' ')}\n`)
	const [path, query] = url.split(/\?(.*)/s)
	const canonical = [method, isCanonicalPath(path) ? path : refuse(403, 'SignatureDoesNotMatch'), canonicalQuery(query), lines.join(''), signedList, hash].join('\n')
	const scope = `${day}/${region}/s3/aws4_request`
	const secret = ['aws4_request', 's3', region, day].reduceRight((k, word) => hmac(k, word), `AWS4${key.secret}`)
	if (hmac(secret, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex') !== signature) refuse(403, 'SignatureDoesNotMatch')
	if ((headers['x-amz-security-token'] ?? '') !== (key.token ?? '')) refuse(400, key.expired ? 'ExpiredToken' : 'InvalidToken')
	if (key.expired) refuse(400, 'ExpiredToken')
	return access
}

// How it behaves: a word, or a function of { method, key, n } (n counts requests) that says one.
//   ok · 500 · 503 (slow down, after 300 ms) · 403 · reset (nothing is stored, nothing answered) ·
//   lost (stored, but the answer never comes) · hang (reads, and says nothing) · wrong (200 of a web page) ·
//   skew (its clock is an hour ahead)
export class S3 {
	static async start({ keys = KEYS, region = 'us-east-1', bucket = BUCKET } = {}) {
		const s3 = new S3()
		Object.assign(s3, { keys, region, bucket, mode: 'ok', objects: new Map(), requests: [], stored: [], refusals: [], sockets: new Set() })
		s3.server = http.createServer((req, res) => {
			const parts = []
			req.on('data', (d) => parts.push(d))
			req.on('error', () => {})
			req.on('end', () => s3.#answer(req, res, Buffer.concat(parts)))
		})
		s3.server.on('connection', (socket) => { s3.sockets.add(socket); socket.on('close', () => s3.sockets.delete(socket)) })
		await new Promise((done) => s3.server.listen(0, '127.0.0.1', done))
		s3.url = `http://127.0.0.1:${s3.server.address().port}`
		return s3
	}

	// The settings with which takings-stream finds it.
	settings(more = {}) {
		const [[access, { secret, token }]] = Object.entries(this.keys)
		return { S3_BUCKET: this.bucket, S3_ENDPOINT: this.url, AWS_REGION: this.region, AWS_ACCESS_KEY_ID: access, AWS_SECRET_ACCESS_KEY: secret,
			...(token ? { AWS_SESSION_TOKEN: token } : {}), ...more }
	}

	#answer(req, res, body) {
		const request = { method: req.method, url: req.url, headers: req.headers, body }
		const key = decodeURIComponent(req.url.split('?')[0]).slice(this.bucket.length + 2)
		const n = this.requests.push({ ...request, key, at: Date.now() })
		const mode = typeof this.mode === 'function' ? this.mode({ method: req.method, key, n }) : this.mode
		const id = `REQ${String(n).padStart(13, '0')}`
		const say = (status, text = '', headers = {}) =>
			res.writeHead(status, { 'x-amz-request-id': id, 'content-type': 'application/xml', 'content-length': Buffer.byteLength(text), ...headers }).end(text)
		const error = (status, code) => say(status, `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message><RequestId>${id}</RequestId></Error>`)
		if (mode === 'reset') return req.socket.destroy()
		if (mode === 'hang') return undefined
		if (mode === '500') return error(500, 'InternalError')
		if (mode === '503') return setTimeout(() => error(503, 'SlowDown'), 300)
		if (mode === '403') return error(403, 'AccessDenied')
		if (mode === 'wrong') return say(200, '<html>Please log in</html>', { 'content-type': 'text/html' })
		try {
			verify(request, { ...this, now: Date.now() + (mode === 'skew' ? 3600_000 : 0) })
			this.#serve(req, key, body, mode, say)
		} catch (e) {
			if (!(e instanceof Refusal)) throw e
			this.refusals.push(e.code)
			error(e.status, e.code)
		}
		return undefined
	}

	// PutObject and ListObjectsV2; all else is forbidden.
	#serve(req, key, body, mode, say) {
		const [path, query] = req.url.split('?')
		const inBucket = path === `/${this.bucket}` || path.startsWith(`/${this.bucket}/`)
		if (!inBucket) refuse(404, 'NoSuchBucket')
		if (req.method === 'GET' && !key && new URLSearchParams(query).get('list-type') === '2') {
			const prefix = new URLSearchParams(query).get('prefix') ?? ''
			const names = [...this.objects.keys()].filter((name) => name.startsWith(prefix)).sort()
			say(200, `<?xml version="1.0"?><ListBucketResult>${names.map((name) => `<Contents><Key>${name}</Key></Contents>`).join('')}</ListBucketResult>`)
		} else if (req.method === 'PUT' && key && !query) {
			this.objects.set(key, body)
			this.stored.push({ key, body, at: Date.now(), type: req.headers['content-type'] })
			if (mode === 'lost') req.socket.destroy()
			else say(200, '', { etag: `"${createHash('md5').update(body).digest('hex')}"` })
		} else refuse(403, 'AccessDenied')
	}

	json(key) { return JSON.parse(this.objects.get(key)) }

	async stop() {
		for (const socket of this.sockets) socket.destroy()
		await new Promise((done) => this.server.close(done))
	}
}

// An HTTP server of one function: (req, body) => [status, text, headers] or text. `calls` are its requests.
export async function stub(answer) {
	const calls = []
	const server = http.createServer((req, res) => {
		let body = ''
		req.on('data', (d) => { body += d })
		req.on('end', () => {
			const call = { method: req.method, url: req.url, headers: req.headers, body, at: Date.now() }
			calls.push(call)
			const said = answer(call, calls.length)
			const [status, text, headers] = Array.isArray(said) ? said : [200, said]
			res.writeHead(status, headers).end(typeof text === 'string' ? text : JSON.stringify(text))
		})
	})
	await new Promise((done) => server.listen(0, '127.0.0.1', done))
	return { calls, url: `http://127.0.0.1:${server.address().port}`,
		stop: () => new Promise((done) => { server.close(done); server.closeAllConnections() }) }
}
