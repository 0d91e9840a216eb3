// The files of deploy/ are what nginx and systemd take: with the paths of a test instead of a server's.
import assert from 'node:assert/strict'
import https from 'node:https'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { binDir, must, root, run, until } from '../lib/process.mjs'
import { freePort, scratch } from '../lib/servers.mjs'
import { batch, openSmallShop } from '../lib/shop.mjs'
import { Web, snippets } from '../lib/web.mjs'

const file = (name) => readFileSync(path.join(root, 'deploy', name), 'utf8')

describe('deploy/nginx.conf', () => {
	let dir, port, web, nginx
	const args = () => ['-p', dir, '-c', path.join(dir, 'main.conf'), '-e', path.join(dir, 'error.log')]

	before(async () => {
		const shop = await openSmallShop(2)
		await shop.expectRun(0)
		web = await Web.start({ ANALYTICS_DATABASE_URL: shop.cache.url(), AUTH_MODE: 'required', PUBLIC_ORIGIN: 'https://takings.example.com' })
		dir = path.join(scratch(), 'site')
		mkdirSync(path.join(dir, 'takings'), { recursive: true })
		snippets(path.join(dir, 'takings'))
		port = await freePort()
		const name = (n) => path.join(dir, n)
		await must('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1',
			'-subj', '/CN=takings.example.com', '-keyout', name('key.pem'), '-out', name('cert.pem')])
		const site = file('nginx.conf').replace(/ssl_certificate .*;/, `ssl_certificate ${name('cert.pem')};`)
			.replace(/ssl_certificate_key .*;/, `ssl_certificate_key ${name('key.pem')};`)
			.replace('/run/takings/web.sock', path.join(web.dir, 'web.sock')).replace('/var/log/nginx/takings.log', name('access.log'))
			.replace('root /usr/local/share/takings', `root ${root}`).replaceAll(/listen (\[::\]:)?443/g, (_, v6) => `listen ${v6 ? '[::1]' : '127.0.0.1'}:${port}`)
			.replaceAll(/listen (\[::\]:)?80;/g, `listen unix:${name('80.sock')};`).replace(`listen unix:${name('80.sock')};`, '')
			.replaceAll(/listen \[::1\].*\n/g, '') // not every machine has IPv6
		writeFileSync(name('main.conf'), `daemon off; pid ${name('pid')}; events {}\nhttp {\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
			.map((n) => `${n}_temp_path ${name(n)};`).join('\n')}\ninclude /etc/nginx/mime.types;\n${site}}\n`)
	})
	after(async () => {
		nginx?.kill('SIGTERM')
		await web?.stop()
	})

	const get = (target) => new Promise((resolve, reject) => {
		https.get({ host: '127.0.0.1', port, path: target, rejectUnauthorized: false, servername: 'takings.example.com' }, (res) => {
			res.resume()
			res.on('end', () => resolve({ status: res.statusCode, headers: res.headers }))
		}).on('error', reject)
	})

	it('is one nginx takes', async () => {
		const done = await run('/usr/sbin/nginx', ['-t', ...args()])
		assert.equal(done.code, 0, done.stderr)
		assert.doesNotMatch(done.stderr, /\[(warn|emerg)\](?!.*"user")/)
	})

	it('leads to the login, with every header, and lets the monitoring in', async () => {
		nginx = spawn('/usr/sbin/nginx', [...args(), ...(process.getuid() === 0 ? ['-g', 'user root;'] : [])], { stdio: 'ignore' })
		await until(async () => (await get('/health/live').catch(() => ({}))).status === 200, { what: 'nginx' })
		assert.equal((await get('/admin/')).status, 303)
		assert.equal((await get('/api/admin/analytics/summary')).status, 401)
		const page = await get('/admin/login')
		assert.equal(page.status, 200)
		const css = await get('/static/css/frame.css')
		assert.deepEqual([css.status, css.headers['content-type']], [200, 'text/css; charset=utf-8'])
		for (const { headers } of [page, css, await get('/static/nothing')]) {
			assert.match(headers['strict-transport-security'], /^max-age=\d+$/)
			assert.match(headers['content-security-policy'], /default-src 'none'/)
			assert.ok(headers['x-request-id'])
		}
	})
})

describe('deploy/*.service, *.socket, *.timer', () => {
	it('are units systemd takes', async (t) => {
		if ((await run('sh', ['-c', 'command -v systemd-analyze'])).code !== 0) return t.skip('no systemd here')
		const dir = path.join(scratch(), 'units')
		mkdirSync(dir)
		const units = readdirSync(path.join(root, 'deploy')).filter((name) => /\.(service|socket|timer)$/.test(name))
		assert.equal(units.length, 5)
		for (const name of units) writeFileSync(path.join(dir, name), file(name).replaceAll('/usr/local/bin', binDir))
		const done = await run('systemd-analyze', ['verify', '--man=no', ...units.map((name) => path.join(dir, name))])
		// What a machine's own units lack is none of ours.
		const ours = done.stderr.split('\n').filter((line) => line.includes('takings'))
		assert.deepEqual(ours, [])
	})
})

describe('deploy/*.env', () => {
	it('hold settings there are, for the program they are for', async () => {
		for (const name of ['web.env', 'batch.env', 'stream.env']) {
			const done = await batch(['--env-file', path.join(root, 'deploy', name), 'config'])
			assert.equal(done.code, 0, done.stderr)
			assert.deepEqual(done.events.filter((e) => e.event === 'setting_unknown'), [])
		}
		assert.doesNotMatch(file('web.env'), /^(ORDER_|DATABASE_URL|MIGRATE_)/m)
		assert.doesNotMatch(file('stream.env'), /^(DATABASE_URL|MIGRATE_|DEMO_)/m)
	})
})
