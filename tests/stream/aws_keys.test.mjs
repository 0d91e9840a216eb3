// Where keys come from: each place played by an HTTP server of the test, and a bucket that checks what is
// signed with them. No secret is ever seen in a log or a table.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fillLive } from '../lib/fill.mjs'
import { sleep, until } from '../lib/process.mjs'
import { BUCKET, S3, stub } from '../lib/s3.mjs'
import { scratch } from '../lib/servers.mjs'
import { Stream, liveShop } from '../lib/stream.mjs'

const SECRETS = { environment: 'HUSHenv+/x', 1: 'HUSHone+/x', 2: 'HUSHtwo+/x', shown: 'HUSHshown', rotated: 'HUSHrotated' }
const TOKENS = { 1: 'HUSHsession1==', 2: 'HUSHsession2==' }

let shop, s3, stream, place
before(async () => { shop = await liveShop({ REVENUE_PROFILE: 'commerce' }) })
beforeEach(async () => {
	await shop.cache.exec('TRUNCATE report_outbox, report_flush, report_day; UPDATE live_site SET live_version = 0')
	s3 = await S3.start({ keys: { AKENV: { secret: SECRETS.environment }, AK1: { secret: SECRETS[1], token: TOKENS[1] }, AK2: { secret: SECRETS[2], token: TOKENS[2] } } })
})
afterEach(async () => {
	const ended = await stream?.stop()
	await Promise.all([s3.stop(), place?.stop()])
	place = undefined
	const said = (stream?.log ?? '') + JSON.stringify(await shop.cache.query('SELECT error FROM report_outbox UNION ALL SELECT detail FROM stream_status UNION ALL SELECT detail FROM heartbeat'))
	assert.doesNotMatch(said, /HUSH/)
	assert.equal(ended, 0)
	stream = undefined
})
after(() => shop.cache.drop())

let sold = 0
const sell = () => shop.cache.exec(fillLive([{ id: 1, day: '2025-01-15', currency: 'EUR', status: 'completed', counted: true, total: ++sold }]))
const base = () => ({ S3_BUCKET: BUCKET, S3_ENDPOINT: s3.url, FLUSH_INTERVAL: '1' })
const start = async (settings) => {
	await sell()
	stream = await Stream.start(shop.cache, { ...base(), ...settings })
}
const stored = (n = 5) => until(() => s3.stored.length >= n, { what: `${n} reports` })
const signers = () => [...new Set(s3.requests.map((r) => /Credential=(\w+)/.exec(r.headers.authorization)[1]))]
const file = (name, text) => { const at = path.join(scratch(), name); writeFileSync(at, text); return at }
const later = (seconds) => new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+/, '')
// What containers and machines answer; it ends in so many seconds.
const keys = (n, seconds = 3600) => ({ Code: 'Success', AccessKeyId: `AK${n}`, SecretAccessKey: SECRETS[n], Token: TOKENS[n], Expiration: later(seconds) })
const degraded = async () => (await until(async () => { const now = await stream.status(); return now.status === 'degraded' && now }, { what: 'the bad news' })).detail

describe('keys of the environment', () => {
	it('sign', async () => {
		await start({ AWS_ACCESS_KEY_ID: 'AKENV', AWS_SECRET_ACCESS_KEY: SECRETS.environment })
		await stored()
		assert.deepEqual(signers(), ['AKENV'])
		assert.ok(s3.requests.every((r) => r.headers['x-amz-security-token'] === undefined))
	})

	it('sign with their token', async () => {
		await start({ AWS_ACCESS_KEY_ID: 'AK1', AWS_SECRET_ACCESS_KEY: SECRETS[1], AWS_SESSION_TOKEN: TOKENS[1] })
		await stored()
		assert.deepEqual(s3.refusals, [])
	})

	it('may lie in files', async () => {
		await start({ AWS_ACCESS_KEY_ID: 'AKENV', AWS_SECRET_ACCESS_KEY_FILE: file('secret', `${SECRETS.environment}\n`) })
		await stored()
	})

	it('that are wrong are said', async () => {
		await start({ AWS_ACCESS_KEY_ID: 'AKENV', AWS_SECRET_ACCESS_KEY: 'HUSHwrong' })
		assert.match(await degraded(), /HTTP 403 SignatureDoesNotMatch/)
	})

	it('that are half are said', async () => {
		await start({ AWS_ACCESS_KEY_ID: 'AKENV' })
		assert.match(await degraded(), /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together/)
		assert.equal(s3.requests.length, 0)
	})
})

describe('keys of a web identity', () => {
	const role = 'arn:aws:iam::123456789012:role/takings+reports'
	const xml = (n, seconds) => `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
		<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials><SessionToken>${TOKENS[n]}</SessionToken>
		<SecretAccessKey>${SECRETS[n]}</SecretAccessKey><Expiration>${later(seconds)}</Expiration><AccessKeyId>AK${n}</AccessKeyId></Credentials>
		</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
	const json = (n, seconds) => ({ AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials: {
		AccessKeyId: `AK${n}`, SecretAccessKey: SECRETS[n], SessionToken: TOKENS[n], Expiration: Math.floor(Date.now() / 1000) + seconds } } } })

	for (const [name, answer] of Object.entries({ xml, json }))
		it(`come from STS in ${name}, the token read anew each time`, async () => {
			place = await stub((call, n) => answer(Math.min(n, 2), n === 1 ? 4 : 3600))
			const token = file('web-token', `${SECRETS.shown}\n`)
			await start({ AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ENDPOINT_URL_STS: place.url })
			await stored()
			const form = Object.fromEntries(new URLSearchParams(place.calls[0].body))
			assert.deepEqual(form, { Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: role, RoleSessionName: 'takings', WebIdentityToken: SECRETS.shown })
			assert.equal(place.calls[0].method, 'POST')
			assert.equal(place.calls[0].headers.authorization, undefined, 'that request is not signed')
			writeFileSync(token, SECRETS.rotated)
			await sleep(3200)
			await sell()
			await stored(10)
			assert.equal(new URLSearchParams(place.calls[1].body).get('WebIdentityToken'), SECRETS.rotated)
			assert.deepEqual(signers(), ['AK1', 'AK2'])
			assert.deepEqual(s3.refusals, [])
			assert.equal(place.calls.length, 2, 'not asked for each request')
		})

	it('that are refused are said with STS\'s word', async () => {
		place = await stub(() => [400, '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>HUSHmessage</Message></Error></ErrorResponse>'])
		await start({ AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file('t', SECRETS.shown), AWS_ENDPOINT_URL_STS: place.url })
		assert.match(await degraded(), /no AWS keys \(web identity\): HTTP 400 InvalidIdentityToken/)
		await sleep(3000)
		assert.ok(place.calls.length <= 4, `${place.calls.length} calls: failures back off`)
	})

	it('whose token is not there are said', async () => {
		await start({ AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token', AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:1' })
		assert.match(await degraded(), /AWS_WEB_IDENTITY_TOKEN_FILE: cannot read \/nowhere\/token/)
	})
})

describe('keys of a container', () => {
	it('come with the token of a file that is read anew each time and wins', async () => {
		place = await stub((call, n) => keys(Math.min(n, 2), n === 1 ? 4 : 3600))
		const token = file('pod-token', SECRETS.shown)
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/v1/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
			AWS_CONTAINER_AUTHORIZATION_TOKEN: 'HUSHother' })
		await stored()
		writeFileSync(token, `${SECRETS.rotated}\n`)
		await sleep(3200)
		await sell()
		await stored(10)
		assert.deepEqual(place.calls.map((c) => [c.method, c.url, c.headers.authorization]), [['GET', '/v1/credentials', SECRETS.shown], ['GET', '/v1/credentials', SECRETS.rotated]])
		assert.deepEqual(signers(), ['AK1', 'AK2'])
		assert.deepEqual(s3.refusals, [])
	})

	it('come with the token of a setting, or with none', async () => {
		place = await stub(() => keys(1))
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/c`, AWS_CONTAINER_AUTHORIZATION_TOKEN: SECRETS.shown })
		await stored()
		await stream.stop()
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/c` })
		await stored(10)
		assert.deepEqual(place.calls.map((c) => c.headers.authorization), [SECRETS.shown, undefined])
	})

	it('are not asked for without TLS where somebody could listen', async () => {
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://10.0.0.1/c', AWS_CONTAINER_AUTHORIZATION_TOKEN: SECRETS.shown })
		assert.match(await degraded(), /AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor at this machine/)
	})

	it('stay in use while new ones cannot be had, and are fetched once they can', async () => {
		let away = false
		place = await stub((call, n) => (away ? [500, 'HUSHtrouble'] : keys(n === 1 ? 1 : 2, 8)))
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/c` })
		await stored()
		away = true
		await sleep(6200)
		await sell()
		await stored(10)
		assert.deepEqual(signers(), ['AK1'])
		assert.ok(stream.events.some((e) => e.event === 'aws_keys_failed'))
		away = false
		await sleep(1500)
		await sell()
		await stored(15)
		assert.deepEqual(signers(), ['AK1', 'AK2'])
	})

	it('that were taken back early are asked for again', async () => {
		place = await stub((call, n) => keys(n === 1 ? 1 : 2))
		await start({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/c` })
		await stored()
		await sleep(10_000) // not more often than that
		s3.keys.AK1.expired = true
		await sell()
		await stored(10)
		assert.ok(s3.refusals.length <= 2)
		assert.equal(s3.refusals[0], 'ExpiredToken')
		assert.equal(place.calls.length, 2)
	})
})

describe('keys of the machine', () => {
	const machine = () => stub((call) => {
		if (call.method === 'PUT' && call.url === '/latest/api/token') return call.headers['x-aws-ec2-metadata-token-ttl-seconds'] ? 'HUSHmachine==' : [400, '']
		if (call.headers['x-aws-ec2-metadata-token'] !== 'HUSHmachine==') return [401, '']
		if (call.url === '/latest/meta-data/iam/security-credentials/') return 'takings-role'
		return call.url === '/latest/meta-data/iam/security-credentials/takings-role' ? keys(1) : [404, '']
	})

	it('come by way of a token', async () => {
		place = await machine()
		await start({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${place.url}/` })
		await stored()
		assert.deepEqual(place.calls.map((c) => c.method), ['PUT', 'GET', 'GET'])
		assert.deepEqual(s3.refusals, [])
	})

	it('are not sought where that is switched off', async () => {
		place = await machine()
		await start({ AWS_EC2_METADATA_SERVICE_ENDPOINT: place.url, AWS_EC2_METADATA_DISABLED: 'true' })
		assert.match(await degraded(), /AWS_EC2_METADATA_DISABLED forbids/)
		assert.equal(place.calls.length, 0)
	})

	it('are not sought where there is no bucket', async () => {
		place = await machine()
		await sell()
		stream = await Stream.start(shop.cache, { AWS_EC2_METADATA_SERVICE_ENDPOINT: place.url, REPORT_DIR: path.join(scratch(), 'none'), FLUSH_INTERVAL: '1' })
		await until(() => stream.events.some((e) => e.event === 'flush_ok'), { what: 'a flush' })
		assert.equal(place.calls.length, 0)
	})
})

describe('the place of the keys', () => {
	it('is the first that is set up', async () => {
		place = await stub(() => keys(1))
		await start({ AWS_ACCESS_KEY_ID: 'AKENV', AWS_SECRET_ACCESS_KEY: SECRETS.environment, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${place.url}/c` })
		await stored()
		assert.deepEqual(signers(), ['AKENV'])
		assert.equal(place.calls.length, 0)
	})
})
