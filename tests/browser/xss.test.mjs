// Texts from outside are texts on every page: names of items and keys, user agents, the audit log,
// what a run has to say, and what stands in the address.
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { batch } from '../lib/callers.mjs'
import { startInstance } from '../lib/instance.mjs'
import { binDir, must } from '../lib/process.mjs'
import { PHONE, launch, openPage, signIn } from './browser.mjs'
import { HOSTILE, asSeen } from './xss.mjs'

const quoted = (text) => `'${text.replaceAll("'", "''")}'`
const A_DAY = 10 // as many names as the shortest list of items shows

describe('hostile texts', () => {
	let instance, browser, days, pages
	const chunks = []

	before(async () => {
		instance = await startInstance({ RATE_LIMIT_USERS: '0' })
		browser = await launch()
		const sql = (text) => instance.psql('MIGRATE_DATABASE_URL', text)
		for (let i = 0; i < HOSTILE.length; i += A_DAY) chunks.push(HOSTILE.slice(i, i + A_DAY))
		days = (await sql(`SELECT business_date FROM daily_revenue_cache WHERE served_count > 0 ORDER BY 1 DESC LIMIT ${chunks.length}`)).split('\n').filter(Boolean)
		await sellHostile()
		for (const day of days) await batch(instance, ['run', '--date', day])
		for (const text of HOSTILE.slice(0, 3)) await batch(instance, ['key', 'add', text, '--scope', 'read'])
		await sql(HOSTILE.slice(3).map((text, i) => `INSERT INTO api_key (name, prefix, key_hash, scope, created_by)
			VALUES (${quoted(text)}, ${quoted(text)}, sha256('${i}'), 'read', ${quoted(text)})`).join(';\n'))
		await signIn(instance)
		const owner = await sql(`SELECT user_id FROM app_user WHERE username = 'owner'`)
		await sql(HOSTILE.map((text, i) => `INSERT INTO web_session (token_hash, user_id, expires_at, agent, address)
			VALUES (sha256('${i}'), ${owner}, now() + interval '1 hour', ${quoted(text)}, ${quoted(text)})`).join(';\n'))
		await sql(HOSTILE.map((text) => `INSERT INTO audit_log (actor, action, object, address, request_id, detail) VALUES (${Array(5).fill(quoted(text))},
			jsonb_build_object(${quoted(text)}::text, ${quoted(text)}::text))`).join(';\n'))
		await sql(HOSTILE.slice(0, 20).map((text) => `INSERT INTO batch_run (started_at, finished_at, status, mode, warnings, error, code_version, server_version)
			VALUES (now(), now(), 'failed', ${quoted(text)}, jsonb_build_array(jsonb_build_object('text', ${quoted(text)}::text)), ${quoted(text)}, ${quoted(text)}, '15')`).join(';\n'))
		pages = (await must(path.join(binDir, 'takings-web'), ['--routes'])).trim().split('\n').map((line) => line.split('\t'))
			.filter(([method, target]) => method === 'GET' && target.startsWith('/admin/')).map(([, target]) => target)
	})

	after(async () => {
		await browser?.close()
		await instance?.destroy()
	})

	// On each day some items of these names outsell all others.
	async function sellHostile() {
		const shop = (text) => instance.psql('DEMO_DATABASE_URL', text)
		await shop('ALTER TABLE order_items ALTER item_id TYPE text')
		let [order, item] = (await shop('SELECT (SELECT max(id) FROM orders), (SELECT max(id) FROM order_items)')).split('|').map(Number)
		for (const [i, names] of chunks.entries())
			for (const [j, name] of names.entries()) {
				const price = 900_000 + j
				await shop(`INSERT INTO orders (id, status, total_amount, created_at, updated_at, currency)
					VALUES (${++order}, 'SERVED', ${price}, '${days[i]} 10:00:00+00', now(), 'EUR');
					INSERT INTO order_items (id, order_id, item_id, name, quantity, unit_price) VALUES (${++item}, ${order}, ${quoted(name)}, ${quoted(name)}, 1, ${price})`)
			}
	}

	// One page goes from place to place; `viewport` or who asks changes with a new one.
	let page, kept
	async function pageOf(viewport) {
		if (page && kept === viewport) return page
		await page?.context().close()
		kept = viewport
		page = await openPage(browser, instance.url(''), viewport ? { viewport } : {})
		return page
	}
	async function becomes(who) {
		await page?.context().close()
		page = undefined
		await signIn(who)
	}

	// Opens a page, unfolds what can be, and looks for what ran.
	async function look(target, status = 200, viewport = undefined) {
		const { troubles } = await pageOf(viewport)
		troubles.length = 0
		const reply = await page.goto(instance.url(target))
		assert.equal(reply.status(), status, target)
		const seen = await page.evaluate(async () => {
			for (const details of document.querySelectorAll('details')) details.open = true
			await new Promise((done) => setTimeout(done, 30))
			const runs = (e) => [...e.attributes].some((a) => /^on/i.test(a.name) ||
				(['href', 'src', 'action', 'xlink:href'].includes(a.name) && /^\s*javascript:/i.test(a.value)))
			return { pwned: typeof window.pwned, text: document.body.innerText, wild: [...document.querySelectorAll('*')].filter(runs).map((e) => e.outerHTML),
				odd: document.querySelectorAll('main :is(script, link, style, math, img), iframe, base').length,
				values: [...document.querySelectorAll('main :is(input, option)')].map((e) => e.value).join('\n') }
		})
		// What is no page has no icon either, and the browser looks for one.
		const isPage = /html/.test(reply.headers()['content-type'])
		const wrong = troubles.filter((t) => !(status >= 400 && (t.includes(`status of ${status}`) || (!isPage && t.includes('status of 404')))))
		assert.deepEqual([seen.pwned, seen.odd, seen.wild, wrong], ['undefined', 0, [], []], target)
		return { text: asSeen(seen.text), values: asSeen(seen.values) }
	}

	const shows = (text, wanted, where) =>
		assert.deepEqual(wanted.filter((w) => !text.includes(asSeen(w))), [], `${where} does not show them as they are`)

	it('run on no page there is', async () => {
		assert.ok(pages.includes('/admin/users') && pages.includes('/admin/'))
		for (const target of pages) {
			if (target === '/admin/login') continue
			if (target.includes('{')) for (const text of HOSTILE.slice(0, 10)) {
				const reply = await instance.get(target.replace(/\{[^}]+\}/g, encodeURIComponent(text)))
				await look(target.replace(/\{[^}]+\}/g, encodeURIComponent(text)), reply.status)
			}
			else await look(target)
		}
	})

	it('are names of items like others', async () => {
		for (const [i, names] of chunks.entries()) {
			for (const target of ['/admin/', '/admin/items'].filter((t) => pages.includes(t))) {
				const { text } = await look(`${target}?date=${days[i]}`)
				if (target === '/admin/') shows(text, names, target)
			}
			const { json } = await instance.get(`/api/admin/analytics/top-items?date=${days[i]}&limit=${A_DAY}`)
			assert.deepEqual(json.items.map((item) => item.name).slice(0, names.length).sort(), [...names].sort())
			assert.deepEqual(json.items.map((item) => item.item_id).slice(0, names.length).sort(), [...names].sort())
		}
	})

	it('are names of keys, user agents, and lines of the log', async () => {
		shows((await look('/admin/users')).text, HOSTILE, 'users')
		// A program that is not known is shown as what it says it is.
		shows((await look('/admin/account')).text, HOSTILE, 'account')
		shows((await look('/admin/system')).text, HOSTILE.slice(0, 20), 'system')
		for (const target of ['/admin/audit', '/admin/users', '/admin/account', '/admin/system']) await look(target, 200, PHONE)
	})

	it('are filters of the audit log', async () => {
		for (const text of HOSTILE) {
			const { text: seen, values } = await look(`/admin/audit?actor=${encodeURIComponent(text)}`)
			shows(values, [text], 'the filter')
			shows(seen, [text], 'the log')
			assert.match(seen, /\d\d:\d\d:\d\d/)
		}
	})

	it('in the address are refused or shown as text', async () => {
		for (const text of HOSTILE) {
			const value = encodeURIComponent(text)
			await look(`/admin/?date=${value}`, 422)
			await look(`/admin/${value}`, (await instance.get(`/admin/${value}`)).status)
		}
		await becomes(null)
		for (const text of HOSTILE.slice(0, 12)) assert.match((await look(`/admin/login?next=${encodeURIComponent(text)}`)).text, /Log in/)
		await becomes(instance)
	})
})
