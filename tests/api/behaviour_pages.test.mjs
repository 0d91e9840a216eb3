// The pages of funnels and cohorts from outside: their figures are those of the JSON, and what their forms change.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { accessDatabase, addUser, asBearer, csrfOf, loggedIn, startWeb, tokenOf } from '../lib/access.mjs'
import { behaviourSql } from '../lib/behaviour_tables.mjs'

let db, web, anna, alan, vera, token
before(async () => {
	const made = await accessDatabase('behaviour-pages-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0' })
	db = made.db
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst'], ['vera', 'viewer']]) await addUser(made.settings, name, role)
	;[anna, alan, vera] = [await loggedIn(web, 'anna'), await loggedIn(web, 'alan'), await loggedIn(web, 'vera')]
	token = JSON.parse((await tokenOf(web, 'vera')).text).access_token
})
after(() => web?.stop())

const unescaped = (html) => html.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&#x60;', '`').replaceAll('&amp;', '&')
const words = (html) => unescaped(html.replace(/<span class="hidden">.*?<\/span>/g, '').replace(/<[^>]+>/g, ' ')).replace(/[\s\u202f]+/g, ' ').trim()
const json = async (target) => {
	const reply = await asBearer(web, token, target)
	assert.equal(reply.status, 200, reply.text)
	return JSON.parse(reply.text)
}
const page = async (target, browser = anna) => {
	const reply = await browser.ask(target)
	assert.equal(reply.status, 200, reply.text.slice(0, 2000))
	return reply.text
}
// Rows of the table `id`: lists of the words of their cells.
function tableOf(html, id) {
	const table = new RegExp(`<table[^>]* id="${id}".*?</table>`, 's').exec(html)?.[0]
	assert.ok(table, `there is a table ${id}`)
	return [...table.matchAll(/<tr[ >].*?<\/tr>/gs)].map(([row]) => [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => words(cell)))
}
const csv = (reply) => reply.text.replace(/^\ufeff/, '').trim().split('\r\n').map((line) => line.split(','))
const percent = (rate) => (rate === null ? '–' : `${rate.toFixed(1)} %`)
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ',')
const alert = (reply) => unescaped(/role="alert"[^>]*>([^<]+)</.exec(reply.text)?.[1] ?? '')
const said = async (reply) => /role="status">([^<]+)</.exec(await page(reply.headers.location[0]))?.[1]
const lastAudit = () => db.one('SELECT actor, action, object FROM audit_log ORDER BY audit_id DESC LIMIT 1')
const audits = () => db.value('SELECT count(*)::int FROM audit_log')

describe('before the first event', () => {
	it('the pages say what to do, to everybody', async () => {
		for (const browser of [anna, vera])
			for (const target of ['/admin/funnel', '/admin/cohorts']) {
				const text = unescaped(await page(target, browser))
				assert.match(text, /<script defer src="http:\/\/takings\.test\/static\/tracker\.js"/)
				assert.match(text, /curl .*http:\/\/takings\.test\/events\/track/)
				for (const other of ['/admin/funnel', '/admin/cohorts']) assert.match(text, new RegExp(`href="${other}"`), 'the navigation shows it')
			}
	})

	it('customers are told apart from people', async () => {
		const text = words(await page('/admin/cohorts?metric=ltv', vera))
		assert.match(text, /takings-batch run/)
		assert.doesNotMatch(text, /No events yet/)
	})
})

describe('pages of behaviour', () => {
	let from, to
	before(async () => {
		await db.exec(behaviourSql({ days: 40, sessions: 40 }))
		;({ from, to } = await db.one(`SELECT (booking_date(now(), 'Europe/Berlin', 4) - 27)::text AS from, (booking_date(now(), 'Europe/Berlin', 4) - 14)::text AS to`))
	})
	const after1 = (day) => new Date(Date.parse(day) + 86400_000).toISOString().slice(0, 10)

	describe('funnel', () => {
		it('has the figures of GET /funnel/analysis', async () => {
			for (const [asked, query] of [['', ''], ['&unit=session', '&unit=session'], ['&order=any&window=3600', '&order=any&window_s=3600'], ['&order=strict', '&order=strict']]) {
				const { steps } = await json(`/funnel/analysis?start_date=${from}&end_date=${after1(to)}${query}`)
				assert.ok(steps[0].users > 50 && steps[3].users > 0 && steps[3].users < steps[0].users)
				const html = await page(`/admin/funnel?from=${from}&to=${to}&compare=none${asked}`)
				const rows = tableOf(html, 'steps').slice(1)
				assert.deepEqual(rows.map((r) => [r[1], r[2], r[3]]), steps.map((s, i) => [grouped(s.users), percent(s.rate), i ? percent(s.from_previous) : '']), asked)
				assert.equal(/<data id="conversion" value="([^"]*)"/.exec(html)[1], steps[3].rate.toFixed(1))
				const saved = csv(await anna.ask(`/admin/funnel?from=${from}&to=${to}&compare=none${asked}&format=csv&table=steps`))
				assert.deepEqual(saved.slice(1).map((r) => [r[1], ...r.slice(2).map((v) => (v === '' ? null : Number(v)))]),
					steps.map((s) => [s.name, s.users, s.rate, s.from_previous ?? null, s.median_seconds, s.p90_seconds, s.open, s.rate_closed, Number(s.value), s.unpriced]))
			}
		})

		it('says of each step who went on, who still may and who did not: together those of the step before', async () => {
			const html = await page('/admin/funnel?period=7d')
			const users = [...html.matchAll(/<li class="funnel-step".*?<data value="(\d+)"/gs)].map((m) => Number(m[1]))
			const ways = [...html.matchAll(/<div class="funnel-way">(.*?)<\/div>/gs)].map(([, way]) => words(way))
			assert.equal(ways.length, users.length - 1)
			const count = (way, what) => Number(new RegExp(`([\\d,]+) ${what}`).exec(way)?.[1].replaceAll(',', '') ?? 0)
			for (const [i, way] of ways.entries()) {
				assert.equal(count(way, 'went on'), users[i + 1])
				assert.equal(count(way, 'went on') + count(way, 'still may') + count(way, 'did not'), users[i], way)
			}
			assert.ok(ways.some((way) => count(way, 'still may') > 0), 'the last days are open yet')
		})

		it('is compared with the range before, and told apart by groups', async () => {
			const { steps, previous, groups } = await json(`/funnel/analysis?start_date=${from}&end_date=${after1(to)}&compare=previous&breakdown=source`)
			const html = await page(`/admin/funnel?from=${from}&to=${to}&by=source`)
			assert.deepEqual(tableOf(html, 'steps').slice(1).map((r) => [r[1], r[2]]), steps.map((s, i) => [grouped(s.users), grouped(previous.steps[i].users)]))
			assert.deepEqual(tableOf(html, 'groups').slice(1).map((r) => [r[0], r[1], r.at(-1)]), groups.map((g) => [g.value, grouped(g.steps[0].users), percent(g.steps[3].rate)]))
			const saved = csv(await anna.ask(`/admin/funnel?from=${from}&to=${to}&by=source&format=csv&table=groups`))
			assert.equal(saved[0][0], 'source')
			assert.equal(saved.length - 1, groups.length * steps.length)
		})

		it('refuses what cannot be asked where it can be changed', async () => {
			const reply = await anna.ask('/admin/funnel?by=nothing_like_it')
			assert.equal(reply.status, 422)
			assert.match(alert(reply), /nothing_like_it/)
			assert.equal((await anna.ask('/admin/funnel?by=nothing_like_it&format=csv')).status, 422)
			assert.equal((await anna.ask('/admin/funnel?funnel=unheard_of')).status, 404)
		})

		it('leads analysts to the people behind a figure, viewers not, and that leaves a line in the audit', async () => {
			const target = `/admin/funnel?from=${from}&to=${to}&compare=none`
			assert.doesNotMatch(await page(target, vera), /funnel\/people/)
			const html = await page(target, alan)
			const links = [...html.matchAll(/<a href="(\/admin\/funnel\/people\?[^"]*)">(?:<data[^>]*>)?([\d,]+)/g)].map(([, href, n]) => [unescaped(href), Number(n.replaceAll(',', ''))])
			assert.ok(links.length >= 7)
			for (const [href, n] of links.filter(([h]) => /step=[34]/.test(h))) {
				const listed = []
				for (let next = href; next;) {
					const list = await page(next, alan)
					listed.push(...[...list.matchAll(/data-person="(\d+)"/g)].map((m) => m[1]))
					const more = /rel="next" href="([^"]*)"/.exec(list)?.[1]
					next = more && `/admin/funnel/people${unescaped(more)}`
				}
				assert.equal(listed.length, n, href)
				assert.equal(new Set(listed).size, n)
			}
			assert.equal((await lastAudit()).actor, 'user:alan')
			assert.match((await page(links[0][0], alan)), /href="\/admin\/person\/\d+"/)
			assert.equal((await vera.ask(links[0][0])).status, 403)
		})
	})

	describe('kept funnels', () => {
		const form = (more) => ({ unit: 'user', order: 'sequential', window: '7', window_unit: 'days', type_1: 'page_view', where_1: '', name_1: '', type_2: 'purchase', where_2: '', name_2: '', ...more })
		const add = (more, browser = anna) => browser.submit('/admin/funnels', '/admin/funnels', form(more))

		it('are added with conditions, changed, and deleted by their name', async () => {
			const reply = await add({ funnel_name: 'signup', where_1: 'page=/|/c/audio & source=google.com', name_1: 'Front page', type_3: '', type_4: 'add_to_cart', window: '36', window_unit: 'hours', unit: 'session', order: 'any' })
			assert.equal(reply.status, 303, alert(reply))
			assert.match(await said(reply), /kept/)
			assert.deepEqual(await lastAudit(), { actor: 'user:anna', action: 'funnel_add', object: 'funnel:signup' })
			const kept = await json('/funnels/signup')
			assert.deepEqual(kept.steps, [{ event_type: 'page_view', filters: { page: ['/', '/c/audio'], source: ['google.com'] }, name: 'Front page' },
				{ event_type: 'purchase', filters: {}, name: 'purchase' }, { event_type: 'add_to_cart', filters: {}, name: 'add_to_cart' }])
			assert.deepEqual([kept.order, kept.unit, kept.window_s], ['any', 'session', 36 * 3600])
			assert.match(words(await page('/admin/funnel?funnel=signup&period=28d')), /Front page/)

			const html = await page('/admin/funnels/signup')
			assert.match(unescaped(html), /name="where_1" value="page=\/\|\/c\/audio & source=google.com"/)
			const changed = await anna.submit('/admin/funnels/signup', '/admin/funnels/signup', form({ name_2: 'Bought', window: '90', window_unit: 'minutes' }))
			assert.equal(changed.status, 303, alert(changed))
			assert.deepEqual((await json('/funnels/signup')).steps.map((s) => s.name), ['page_view', 'Bought'])
			assert.equal((await lastAudit()).action, 'funnel_write')

			const kept2 = await anna.submit('/admin/funnels/signup', '/admin/funnels/signup/delete', { confirm: 'sign' })
			assert.equal(kept2.status, 422)
			assert.match(alert(kept2), /not its name/)
			const gone = await anna.submit('/admin/funnels/signup', '/admin/funnels/signup/delete', { confirm: 'signup' })
			assert.equal(gone.status, 303)
			assert.equal((await lastAudit()).action, 'funnel_delete')
			assert.equal((await anna.ask('/admin/funnels/signup')).status, 404)
		})

		it('keep what means something elsewhere as it is', async () => {
			const values = ['a&b', 'c|d', 'e=f', 'g\\h', '"<i>\'', 'ü 100 %+x', '-']
			const where = `source=${values.map((v) => v.replace(/[\\&|=]/g, '\\$&')).join('|')}`
			assert.equal((await add({ funnel_name: 'strange', where_2: where })).status, 303)
			const { steps } = await json('/funnels/strange')
			assert.deepEqual(steps[1].filters, { source: values })
			const html = await page('/admin/funnels/strange')
			const shown = unescaped(/name="where_2" value="([^"]*)"/.exec(html)[1])
			assert.equal((await anna.submit('/admin/funnels/strange', '/admin/funnels/strange', form({ where_2: shown }))).status, 303)
			assert.deepEqual((await json('/funnels/strange')).steps, steps)
		})

		it('are refused with the reason, and what was typed stands there again', async () => {
			const n = await audits()
			const cases = [[{ funnel_name: 'Sign Up' }, /a-z/, 422], [{ funnel_name: 'strange' }, /already/, 409], [{ funnel_name: 'x', type_2: '' }, /2 to 10/, 422],
				[{ funnel_name: 'x', where_3: 'page=/' }, /Step 3 needs a type/, 422], [{ funnel_name: 'x', where_1: 'page' }, /Step 1: a condition/, 422],
				[{ funnel_name: 'x', where_1: 'colour=red' }, /no dimension colour/, 422], [{ funnel_name: 'x', window: '91' }, /7,?776,?000|90 days/, 422]]
			for (const [more, why, status] of cases) {
				const reply = await add({ name_1: 'As "typed"', ...more })
				assert.equal(reply.status, status, JSON.stringify(more))
				assert.match(alert(reply), why)
				assert.match(unescaped(reply.text), /value="As "typed""/)
			}
			assert.equal(await audits(), n, 'nothing was changed')
			assert.equal((await anna.post('/admin/funnels', { csrf: 'not one of ours', ...form({ funnel_name: 'x' }) })).status, 403, 'without the token of the form')
		})

		it('are for admins to change; everybody sees them; checkout stays', async () => {
			for (const browser of [alan, vera]) {
				const html = await page('/admin/funnels', browser)
				assert.match(html, /data-funnel="strange"/)
				assert.doesNotMatch(html, /<form[^>]*action="\/admin\/funnels/)
				assert.equal((await browser.ask('/admin/funnels/strange')).status, 403)
				const csrf = csrfOf(await page('/admin/account', browser))
				assert.equal((await browser.post('/admin/funnels', { csrf, ...form({ funnel_name: 'x' }) })).status, 403)
				assert.equal((await browser.post('/admin/funnels/strange/delete', { csrf, confirm: 'strange' })).status, 403)
			}
			assert.doesNotMatch(await page('/admin/funnels/checkout'), /funnels\/checkout\/delete/)
			const reply = await anna.submit('/admin/funnels/checkout', '/admin/funnels/checkout/delete', { confirm: 'checkout' })
			assert.equal(reply.status, 422)
			assert.match(alert(reply), /always there/)
		})

		it('take ten steps, and no script', async () => {
			const steps = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [[`type_${i + 1}`, 'product_view'], [`where_${i + 1}`, `page=/p/${i}`], [`name_${i + 1}`, `Page ${i}`]]).flat())
			const reply = await add({ funnel_name: 'long', ...steps })
			assert.equal(reply.status, 303, alert(reply))
			assert.equal((await json('/funnels/long')).steps.length, 10)
			assert.match(await page('/admin/funnels/long'), /<details class="more-steps" open>/)
			assert.match(words(await page('/admin/funnel?funnel=long&order=any')), /Page 9/)
		})
	})

	describe('cohorts', () => {
		it('have the values of GET /cohort/analysis', async () => {
			for (const query of ['', 'cohort_type=acquisition_day&periods=8', 'mode=on_or_after', 'mode=rolling24h&cohort_type=acquisition_day', 'first_event=page_view&return_event=purchase', 'cohort_type=acquisition_month&show=people']) {
				const html = await page(`/admin/cohorts?from=${from}&to=${to}&${query}`)
				const asked = new URLSearchParams(`start_date=${from}&end_date=${after1(to)}&periods=13&metric=retention&cohort_type=acquisition_week`)
				for (const [name, value] of new URLSearchParams(query)) if (name !== 'show') asked.set(name, value)
				const { cohorts, average } = await json(`/cohort/analysis?${asked}`)
				const rows = tableOf(html, 'cohorts').slice(1)
				assert.ok(cohorts.length > 0)
				assert.equal(rows.length, cohorts.length + 1)
				for (const [i, c] of cohorts.entries()) {
					const cells = (query.includes('show=people') ? c.counts.map(grouped) : c.values.map((v) => (v === null ? '–' : v.toFixed(1))))
					assert.deepEqual(rows[i].slice(1).filter((v) => v !== ''), [grouped(c.size), ...cells], `${query} ${c.cohort}`)
				}
				assert.deepEqual(rows.at(-1).slice(2), average.slice(0, Math.max(...cohorts.map((c) => c.values.length))).map((v) => (v === null ? '–' : query.includes('show=people') ? percent(v) : v.toFixed(1))), query)
				const open = (html.match(/class="[^"]*is-open/g) ?? []).length
				assert.equal(open, cohorts.flatMap((c) => c.complete.filter((over, k) => !over && c.values[k] !== null)).length, 'what is not over is marked')
			}
		})

		it('are saved as CSV, and refused where they cannot be', async () => {
			const saved = csv(await anna.ask(`/admin/cohorts?from=${from}&to=${to}&format=csv`))
			const { cohorts } = await json(`/cohort/analysis?start_date=${from}&end_date=${after1(to)}&periods=13&cohort_type=acquisition_week&metric=retention`)
			assert.deepEqual(saved[0], ['cohort', 'size', 'period', 'count', 'value', 'complete'])
			assert.deepEqual(saved.slice(1), cohorts.flatMap((c) => c.counts.map((n, k) => [c.cohort, String(c.size), String(k), String(n), c.values[k] === null ? '' : c.values[k].toFixed(1), String(c.complete[k])])))
			const reply = await anna.ask('/admin/cohorts?mode=rolling24h&cohort_type=acquisition_month')
			assert.equal(reply.status, 422)
			assert.match(alert(reply), /Months/)
		})
	})
})
