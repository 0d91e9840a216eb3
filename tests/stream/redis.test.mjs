// Messages of Redis: Streams, of which nothing is lost, and pub/sub, of which it is told what may be.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { cleanEnv, must, root, sleep, until } from '../lib/process.mjs'
import { Redis, RedisClient } from '../lib/redis.mjs'
import { freePort, ownPostgres, scratch } from '../lib/servers.mjs'
import { liveShop, Stream } from '../lib/stream.mjs'

const STREAM = 'takings:events'
const GROUP = 'takings'
const AT = '2026-03-01T12:00:00Z'
const user = (id) => JSON.stringify({ type: 'user.created', user_id: id, occurred_at: AT })

let server, shop, redis
const streams = []

before(async () => { server = await ownPostgres('redis-pg') })
beforeEach(async () => {
	shop = await liveShop({}, { server })
	redis = await Redis.start()
})
afterEach(async () => {
	for (const s of streams.splice(0)) await s.stop('SIGKILL')
	await redis.stop()
	await shop.cache.drop()
})
after(() => server?.stop())

async function start(settings = {}, options) {
	const s = await Stream.start(shop.cache, { REDIS_URL: redis.url(), ...settings }, options)
	streams.push(s)
	return s
}

const log = (where = 'true') => shop.cache.query(`SELECT event_type, event_id::int, event_data, encode(raw, 'escape') AS raw, source, source_position AS at,
	last_error AS error, dead_at IS NOT NULL AS dead FROM event_log WHERE ${where} ORDER BY id`)
const rows = (n, options) => until(async () => {
	const found = await shop.cache.value('SELECT count(*)::int FROM event_log')
	assert.ok(found <= n, `${found} rows instead of ${n}`)
	return found === n
}, { what: `${n} rows`, every: 50, ...options })
const gaps = () => shop.cache.query('SELECT from_at, until_at, reason FROM redis_gap ORDER BY from_at')
const pending = async () => (await redis.ask('XPENDING', STREAM, GROUP))[0]
const health = () => shop.cache.query(`SELECT status, detail FROM heartbeat WHERE component = 'redis'`).then((r) => r[0])
const add = (...fields) => redis.ask('XADD', STREAM, '*', ...fields)

// As many processes listen.
const listened = (n = 1) => until(async () => (await redis.ask('CLIENT', 'LIST', 'TYPE', 'pubsub')).match(/psub=3/g)?.length === n, { what: `${n} listeners` })

describe('Redis Streams', () => {
	const alone = { REDIS_CHANNELS: '' }

	it('takes entries with the message in a field and entries that are one, acknowledges them, and puts what it cannot read aside', async () => {
		await add('data', user('before')) // before anybody knew the group
		await start(alone)
		await add('type', 'user.created', 'payload', JSON.stringify({ user_id: 'hinted', occurred_at: AT }))
		await add('message', JSON.stringify({ type: 'event.created', event_id: 17, occurred_at: AT, name: 'Grüße "x" \u0001' }))
		await add('type', 'booking.created', 'booking_id', 'b-1', 'event_id', '17', 'seats', '2', 'amount', '58.00', 'occurred_at', AT)
		await add('data', '{"broken')
		await add('data', JSON.stringify({ type: 'booking.created', occurred_at: AT }))
		await add('data', Buffer.from([0xff, 0x00, 0x22]))
		await add('data', JSON.stringify({ type: 'order.placed', order_id: 1 })) // not ours
		await add('data', user('last'))
		await rows(8)
		const found = await log()
		const sorted = found.map((r) => `${r.event_type} ${r.event_id} ${r.dead ? 'dead' : ''}`).sort()
		assert.deepEqual(sorted, [' null dead', ' null dead', 'booking.created 17 ', 'booking.created null dead', 'event.created 17 ', 'user.created null ', 'user.created null ', 'user.created null '])
		const flat = found.find((r) => r.event_type === 'booking.created' && !r.dead)
		assert.deepEqual(JSON.parse(flat.event_data), { type: 'booking.created', booking_id: 'b-1', event_id: '17', seats: '2', amount: '58.00', occurred_at: AT })
		assert.match(flat.at, /^takings:events\/\d+-\d+$/)
		assert.ok(found.every((r) => r.source === 'redis_stream'))
		assert.ok(found.every((r) => r.dead === (r.error !== '')))
		await until(async () => await pending() === 0, { what: 'nothing pending' })
		const stats = (await until(async () => ((await streams[0].status()).stats.redis_messages_total === 9 ? await streams[0].status() : null))).stats
		assert.equal(stats.stream_messages_ignored_total, 1)
		assert.equal(await streams[0].stop(), 0)
	})

	it('reads several streams, in a group of a given name, once between two processes', async () => {
		const settings = { ...alone, REDIS_STREAMS: 'one, two', REDIS_GROUP: 'g' }
		await Promise.all([start(settings), start(settings)])
		const all = []
		for (let i = 0; i < 3000; i++) all.push(redis.ask('XADD', i % 2 ? 'one' : 'two', '*', 'data', user(`u${i}`)))
		await Promise.all(all)
		await rows(3000)
		await until(async () => (await redis.ask('XPENDING', 'one', 'g'))[0] + (await redis.ask('XPENDING', 'two', 'g'))[0] === 0)
		const read = await Promise.all(streams.map((s) => until(async () => (await s.status())?.stats.redis_messages_total)))
		await until(async () => (await Promise.all(streams.map((s) => s.stat('redis_messages_total')))).reduce((a, b) => a + b) === 3000, { what: `3000 read, not ${read}` })
	})

	it('reads again what a killed process had not acknowledged, and it is there once', async () => {
		const first = await start({ ...alone, TAKINGS_FAILPOINT: 'stream_redis_written=kill' })
		await add('data', user('a'))
		assert.equal(await first.program.ended, 'SIGKILL')
		await rows(1) // it was written, and nobody was told
		assert.equal(await pending(), 1)
		const [id, consumer] = (await redis.ask('XPENDING', STREAM, GROUP, '-', '+', '10'))[0]
		// Given to it, and never written.
		await add('data', user('b'))
		await redis.ask('XREADGROUP', 'GROUP', GROUP, consumer, 'STREAMS', STREAM, '>')
		await start(alone)
		await sleep(2500)
		assert.equal(await pending(), 2, 'what another has had for a moment is left to it')
		await streams[1].kill()
		for (const [given] of await redis.ask('XPENDING', STREAM, GROUP, '-', '+', '10'))
			await redis.ask('XCLAIM', STREAM, GROUP, consumer, '0', given, 'IDLE', '31000', 'JUSTID')
		await start(alone)
		await rows(2)
		await until(async () => await pending() === 0, { what: 'all of it acknowledged' })
		assert.ok(id)
	})

	it('leaves everything where it is while the database is away', async () => {
		const s = await start(alone)
		await add('data', user('a'))
		await rows(1)
		await server.stop()
		for (let i = 0; i < 50; i++) await add('data', user(`while${i}`))
		await sleep(2500)
		const group = (await redis.ask('XINFO', 'GROUPS', STREAM))[0]
		const unread = group[group.indexOf('lag') + 1], given = group[group.indexOf('pending') + 1]
		assert.equal(unread + given, 50, 'nothing is acknowledged')
		assert.ok(!s.ended())
		await server.start()
		await rows(51)
		await until(async () => await pending() === 0)
	})

	it('goes on after kill -9 of Redis: what was acknowledged to its sender comes', async () => {
		await start(alone)
		let sent = 0
		const sending = (async () => {
			for (; sent < 100_000; sent++) await add('data', user(`u${sent}`))
		})().catch(() => {})
		await until(async () => await shop.cache.value('SELECT count(*)::int FROM event_log') > 200)
		await redis.kill()
		await sending
		await until(async () => (await health()).status === 'degraded', { what: 'a word of it' })
		assert.match((await health()).detail, /^Redis cannot be reached: Connection refused$/)
		await redis.restart()
		const kept = await redis.ask('XLEN', STREAM)
		assert.ok(kept >= sent, `${kept} of ${sent}`)
		await rows(kept)
		await until(async () => (await health()).status === 'ok', { what: 'health' })
		await until(async () => await pending() === 0)
	})

	it('makes its group again when it or the stream is gone, and says so', async () => {
		const s = await start(alone)
		await add('data', user('a'))
		await rows(1)
		await redis.ask('XGROUP', 'DESTROY', STREAM, GROUP)
		await add('data', user('b'))
		await rows(2)
		await redis.ask('DEL', STREAM)
		await sleep(1500)
		await add('data', user('c'))
		await rows(3)
		await until(() => s.events.filter((e) => e.event === 'redis_group_made').length >= 3 && s.events.some((e) => e.event === 'redis_group_gone'))
		assert.equal(await s.stop(), 0)
	})

	it('survives an entry of any size, and reads what is around it', async () => {
		const s = await start(alone)
		await add('data', user('a'))
		await add('data', 'x'.repeat(40 << 20))
		for (let i = 0; i < 30; i++) await add('data', `"${'y'.repeat(2 << 20)}"`)
		await add('data', user('z'))
		await until(async () => (await log(`event_data LIKE '%"z"%'`)).length === 1, { limit: 60_000, what: 'the last one' })
		await until(async () => await pending() === 0)
		const [large] = await log(`raw IS NOT NULL AND encode(raw, 'escape') LIKE 'entry%'`)
		assert.match(large.raw, /^entry \d+-0 of stream takings:events is larger than 32 MiB$/)
		assert.ok(large.dead)
		assert.ok(!s.ended())
		const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${s.pid}/status`, 'utf8'))[1])
		if (!process.env.SAN) assert.ok(peak < 400_000, `${peak} kB`)
	})

	it('says of a key that is no stream which one', async () => {
		await redis.ask('SET', STREAM, 'text')
		const s = await start(alone)
		await until(async () => /WRONGTYPE/.test((await health())?.detail ?? ''), { what: 'the reason' })
		await redis.ask('DEL', STREAM)
		await add('data', user('a'))
		await rows(1)
		assert.ok(!s.ended())
	})
})

describe('Redis pub/sub', () => {
	const alone = { REDIS_STREAMS: '' }

	it('takes messages whose channel says what they are; what came by a stream too is there once; a first start is no gap', async () => {
		await start()
		await listened()
		await add('data', user('both'))
		await rows(1)
		await redis.ask('PUBLISH', 'user.created', user('both'))
		await redis.ask('PUBLISH', 'user.created', JSON.stringify({ user_id: 'hinted', occurred_at: AT }))
		await redis.ask('PUBLISH', 'elsewhere', user('unheard'))
		await redis.ask('PUBLISH', 'booking.created', 'rubbish')
		await rows(3)
		assert.deepEqual((await log()).map((r) => [r.source, r.event_type, r.dead, r.at.replace(/\d+-0/, 'ID')]).sort((a, b) => a[2] - b[2]), [['redis_stream', 'user.created', false, 'takings:events/ID'],
			['redis_pubsub', 'user.created', false, 'user.created'], ['redis_pubsub', '', true, 'booking.created']])
		await sleep(4500)
		assert.deepEqual(await gaps(), [])
	})

	it('keeps in memory what comes while the database is away, without a gap', async () => {
		await start(alone)
		await listened()
		await server.stop()
		for (let i = 0; i < 200; i++) await redis.ask('PUBLISH', 'user.created', user(`u${i}`))
		await sleep(1000)
		await server.start()
		await rows(200)
		await sleep(4500)
		assert.deepEqual(await gaps(), [])
	})

	it('shows a gap where more came than it may keep', async () => {
		await start({ ...alone, BUFFER_MAX_EVENTS: '5' })
		await listened()
		await server.stop()
		const from = Date.now()
		for (let i = 0; i < 20; i++) await redis.ask('PUBLISH', 'user.created', user(`u${i}`))
		await sleep(1000)
		await server.start()
		await until(async () => (await gaps())[0]?.until_at, { what: 'a gap that is over' })
		const [gap, more] = await gaps()
		assert.equal(more, undefined)
		assert.match(gap.reason, /BUFFER_MAX_EVENTS/)
		assert.ok(Date.parse(gap.from_at) >= from - 5000 && Date.parse(gap.until_at) >= from + 1000, JSON.stringify(gap))
		assert.equal((await log()).length, 5)
		await redis.ask('PUBLISH', 'user.created', user('after'))
		await rows(6)
	})

	it('shows when Redis was away, from the last moment it was heard of until it is listened to again', async () => {
		await start(alone)
		await listened()
		await sleep(2500)
		const from = Date.now()
		await redis.kill()
		const open = await until(async () => (await gaps())[0], { what: 'the gap' })
		assert.equal(open.until_at, null)
		assert.match(open.reason, /^the connection to Redis is lost/)
		assert.ok(Date.parse(open.from_at) <= from && Date.parse(open.from_at) > from - 5000)
		await redis.restart()
		await listened()
		const to = Date.now()
		const gap = await until(async () => (await gaps())[0].until_at && (await gaps())[0], { what: 'its end' })
		assert.equal(gap.from_at, open.from_at)
		assert.ok(Math.abs(Date.parse(gap.until_at) - to) < 3000)
		await until(async () => await streams[0].stat('redis_gaps_total') === 1, { what: 'the measure' })
	})

	it('notices within 15 s that a connection is dead that says nothing', async () => {
		await start()
		await listened()
		await sleep(500)
		redis.signal('SIGSTOP')
		const since = Date.now()
		await until(async () => (await gaps()).length, { what: 'the gap' })
		assert.ok(Date.now() - since < 15_000, `${Date.now() - since} ms`)
		assert.equal((await until(health)).status, 'degraded')
		redis.signal('SIGCONT')
		await until(async () => (await gaps())[0].until_at, { what: 'its end' })
		await until(async () => (await health()).status === 'ok', { what: 'health' })
	})

	it('shows a gap after kill -9 and after a stop, and none while another process listens', async () => {
		const [first, second] = [await start(alone), await start(alone)]
		await listened(2)
		await sleep(2500)
		await first.kill()
		await sleep(20_000)
		assert.deepEqual(await gaps(), [], 'the other one listens')
		const killed = Date.now()
		await second.kill()
		await redis.ask('PUBLISH', 'user.created', user('missed'))
		await sleep(1000)
		const third = await start(alone)
		await listened()
		const back = Date.now()
		const gap = await until(async () => (await gaps())[0], { what: 'the gap' })
		assert.match(gap.reason, /without a word/)
		assert.ok(Date.parse(gap.from_at) <= killed && Date.parse(gap.from_at) > killed - 6000, JSON.stringify(gap))
		assert.ok(Date.parse(gap.until_at) > killed && Date.parse(gap.until_at) < back + 1000, JSON.stringify(gap))
		assert.equal(await third.stop(), 0)
		assert.deepEqual((await gaps()).map((g) => [g.reason, g.until_at !== null]), [[gap.reason, true], ['takings-stream was stopped', false]])
		assert.equal((await log()).length, 0)
	})

	it('does not take a process for gone that was only silent', async () => {
		const s = await start(alone)
		await listened()
		await sleep(2500)
		s.signal('SIGSTOP')
		await sleep(17_000)
		await redis.ask('PUBLISH', 'user.created', user('kept by the kernel'))
		const other = await start(alone)
		await until(async () => (await gaps()).length, { what: 'it seems gone' })
		await other.stop()
		s.signal('SIGCONT')
		await rows(1)
		await until(async () => (await gaps()).every((g) => g.until_at), { what: 'no open gap' })
	})
})

describe('the documentation', () => {
	it('shows commands that do what it says', async () => {
		const text = readFileSync(path.join(root, 'docs/BOOKINGS.md'), 'utf8').split('## From Redis')[1]
		const commands = [...text.matchAll(/^redis-cli (.*)$/gm)].map((m) => m[1])
		assert.equal(commands.length, 6)
		await start()
		await listened()
		for (const command of commands) await must('bash', ['-c', `redis-cli -e -s '${redis.socket}' ${command}`])
		await rows(4)
		assert.deepEqual((await log()).map((r) => `${r.event_type} ${r.event_id} ${r.error}`).sort(),
			['booking.confirmed 17 ', 'booking.created 17 ', 'event.created 17 ', 'event.published 17 '])
		const [, gapsAsked] = /^psql -c "(.*)"/m.exec(text)
		assert.deepEqual(await shop.cache.query(gapsAsked), [])
	})
})

describe('how Redis is reached', () => {
	it('says who it is and chooses the database', async () => {
		const operations = readFileSync(path.join(root, 'docs/OPERATIONS.md'), 'utf8')
		const acl = /redis-cli (ACL SETUSER takings [^`]+)/.exec(operations)[1].replaceAll(/['\\\n]/g, '').replace('>secret', '>s3cret@/:%')
		await redis.ask(...acl.trim().split(/\s+/))
		await redis.ask('SELECT', '3')
		await start({ REDIS_URL: `redis://takings:${encodeURIComponent('s3cret@/:%')}@127.0.0.1:${redis.port}/3` })
		await listened()
		await add('data', user('a'))
		await rows(1)
		await redis.ask('CONFIG', 'SET', 'requirepass', 'alone')
		await start({ REDIS_URL: `unix://${redis.socket}?db=3`, REDIS_PASSWORD: 'alone', REDIS_GROUP: 'b' })
		await start({ REDIS_URL: '', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), REDIS_PASSWORD: 'alone' })
		await listened(3)
		await until(async () => (await redis.ask('XINFO', 'GROUPS', STREAM)).length === 2, { what: 'both groups' })
	})

	it('says that a password is wrong or missing, and never which', async () => {
		await redis.ask('CONFIG', 'SET', 'requirepass', 'right-one')
		const said = async (settings, pattern) => {
			const s = await start(settings)
			await until(async () => pattern.test((await health())?.detail ?? ''), { what: String(pattern) })
			await until(async () => (await s.status()).status === 'degraded', { what: 'the same of the stream' })
			await s.stop()
			assert.doesNotMatch(s.log, /wrong-one|127\.0\.0\.1/)
			assert.doesNotMatch(JSON.stringify(await shop.cache.query('SELECT * FROM stream_status')) + JSON.stringify(await health()), /wrong-one/)
		}
		await said({ REDIS_PASSWORD: 'wrong-one' }, /^Redis refuses the password/)
		await said({}, /^Redis wants a password/)
		await redis.ask('CONFIG', 'SET', 'requirepass', '')
		await said({ REDIS_PASSWORD: 'wrong-one' }, /^Redis refuses AUTH/)
		await said({ REDIS_URL: `redis://127.0.0.1:${redis.port}/99` }, /DB index is out of range/)
	})

	it('refuses URLs it cannot read and places where TLS would not be spoken, and shows nothing of them', async () => {
		for (const [settings, pattern] of [[{ REDIS_URL: 'http://secretive' }, /^REDIS_URL: it is no URL of Redis/], [{ REDIS_URL: 'redis://secretive:0/' }, /its port is none/],
			[{ REDIS_URL: 'redis://h/secretive' }, /number of a database/], [{ REDIS_URL: 'redis://u:%zzsecretive@h' }, /cannot be read/],
			[{ REDIS_URL: 'rediss://:secretive@redis.example.com' }, /^REDIS_USE_TLS: the host must be/],
			[{ REDIS_URL: '', REDIS_HOST: 'redis.example.com', REDIS_USE_TLS: '1' }, /^REDIS_USE_TLS: the host must be/]]) {
			const s = await start(settings)
			await until(async () => pattern.test((await health())?.detail ?? ''), { what: String(pattern) })
			await s.stop()
			assert.doesNotMatch(s.log, /secretive/)
		}
	})

	it('works without: nothing of Redis is said where none is set', async () => {
		const s = await start({ REDIS_URL: '' })
		assert.equal(await health(), undefined)
		assert.equal((await s.status()).status, 'ok')
	})
})

describe('TLS by nginx', () => {
	const openssl = (...args) => must('openssl', args)

	// An authority, and a certificate of this name by it.
	async function certificates(dir, name) {
		const at = (file) => path.join(dir, file)
		await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=Test CA', '-keyout', at('ca.key'), '-out', at('ca.crt'))
		await openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', at('redis.key'), '-out', at('redis.csr'))
		writeFileSync(at('ext'), `subjectAltName=DNS:${name}\n`)
		await openssl('x509', '-req', '-in', at('redis.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('ext'), '-out', at('redis.crt'))
	}

	it('goes through the block that ships, which checks whom it speaks to', async () => {
		const dir = path.join(scratch(), 'tls')
		mkdirSync(dir)
		chmodSync(dir, 0o777)
		await certificates(dir, 'redis.test')
		const [tlsPort, port] = [await freePort(), await freePort()]
		const far = await Redis.start(['--tls-port', String(tlsPort), '--tls-cert-file', `${dir}/redis.crt`, '--tls-key-file', `${dir}/redis.key`,
			'--tls-ca-cert-file', `${dir}/ca.crt`, '--tls-auth-clients', 'no', '--requirepass', 'sesame'])
		const block = (name) => readFileSync(path.join(root, 'nginx/redis-tls.conf'), 'utf8')
			.replace('redis.example.com:6379', `127.0.0.1:${tlsPort}`).replace('127.0.0.1:6390', `127.0.0.1:${port}`)
			.replace('proxy_ssl_name redis.example.com', `proxy_ssl_name ${name}`).replace('/etc/ssl/certs/ca-certificates.crt', `${dir}/ca.crt`)
		const proxy = async (name) => {
			writeFileSync(`${dir}/nginx.conf`, `load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\npid ${dir}/nginx.pid;\nerror_log ${dir}/error.log;\nevents {}\n${block(name)}`)
			const nginx = spawn('/usr/sbin/nginx', ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`], { env: cleanEnv, stdio: 'ignore' })
			process.once('exit', () => nginx.kill('SIGKILL'))
			nginx.over = new Promise((done) => nginx.once('close', done))
			await until(() => new RedisClient({ host: '127.0.0.1', port }).ask('PING').catch((e) => e.code !== 'ECONNREFUSED'), { what: 'nginx' }) // it listens, whatever it says
			return nginx
		}
		const settings = { REDIS_URL: '', REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port), REDIS_PASSWORD: 'sesame', REDIS_USE_TLS: '1' }
		let nginx
		try {
			nginx = await proxy('someone.else')
			await start(settings)
			await until(async () => (await health())?.status === 'degraded', { what: 'a refusal' })
			assert.match(readFileSync(`${dir}/error.log`, 'utf8'), /upstream SSL certificate does not match "someone.else"/)
			nginx.kill('SIGTERM')
			await nginx.over
			nginx = await proxy('redis.test')
			await far.client.close()
			const client = new RedisClient({ host: '127.0.0.1', port })
			await client.ask('AUTH', 'sesame')
			await until(async () => await client.ask('PUBSUB', 'NUMPAT') === 3, { what: 'a listener' }) // it tries again after 10 s at most
			await client.ask('XADD', STREAM, '*', 'data', user('through TLS'))
			await client.ask('PUBLISH', 'user.created', user('through TLS, too'))
			await rows(2)
			await until(async () => (await health()).status === 'ok', { what: 'health' })
			client.close()
		} finally {
			nginx?.kill('SIGKILL')
			await far.stop()
		}
	})
})
