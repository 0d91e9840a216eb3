// The pages of activity from outside: sessions, the event dictionary, data quality, and what their forms change. The
// tables are filled by SQL, as if events had taken effect.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { accessDatabase, addUser, loggedIn, startWeb, tokenOf } from '../lib/access.mjs'
import { activitySql } from '../lib/activity_tables.mjs'

let db, web, anna, alan, vera, token
before(async () => {
	const made = await accessDatabase('activity-pages-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0' })
	db = made.db
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst'], ['vera', 'viewer']]) await addUser(made.settings, name, role)
	;[anna, alan, vera] = [await loggedIn(web, 'anna'), await loggedIn(web, 'alan'), await loggedIn(web, 'vera')]
	token = JSON.parse((await tokenOf(web, 'vera')).text).access_token
})
after(() => web?.stop())

const unescaped = (html) => html.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
const listed = (reply, what) => [...reply.text.matchAll(new RegExp(`data-${what}="([^"]*)"`, 'g'))].map((m) => unescaped(m[1]))
const fact = (reply, name) => new RegExp(`data-fact="${name}"><dt>.*?</dt><dd[^>]*>(.*?)</dd>`, 's').exec(reply.text)?.[1]
const figure = (reply, id) => new RegExp(`<data id="${id}" value="([^"]*)"`).exec(reply.text)?.[1]
const measure = (reply, name) => /<dd>(.*?)<\/dd>/s.exec(reply.text.slice(reply.text.indexOf(`data-measure="${name}"`)))?.[1]
const alert = (reply) => /role="alert"[^>]*>([^<]+)</.exec(reply.text)?.[1]
const said = async (reply) => /role="status">([^<]+)</.exec((await anna.ask(reply.headers.location[0])).text)?.[1]
const audits = () => db.value('SELECT count(*)::int FROM audit_log')
const lastAudit = () => db.one('SELECT actor, action, object, detail FROM audit_log ORDER BY audit_id DESC LIMIT 1')
const PAGES = ['/admin/sessions', '/admin/dictionary', '/admin/quality']

describe('before the first event', () => {
	it('the pages say what to do, to everybody', async () => {
		for (const browser of [anna, alan, vera]) {
			const { text, status } = await browser.ask('/admin/sessions')
			assert.equal(status, 200)
			assert.match(unescaped(text), /<script defer src="http:\/\/takings\.test\/static\/tracker\.js"/)
			assert.match(unescaped(text), /curl .*http:\/\/takings\.test\/events\/track/)
			assert.match((await browser.ask('/admin/dictionary')).text, /No event came yet/)
			assert.match((await browser.ask('/admin/quality')).text, /Nothing came yet/)
			for (const target of PAGES) assert.match(text, new RegExp(`href="${target}"`), 'the navigation shows them')
		}
	})
})

describe('pages of activity', () => {
	beforeEach(() => db.exec(activitySql({ timezone: 'Europe/Berlin', cutoff: 4, days: 9, sessions: 40 })))

	describe('sessions', () => {
		const ids = (where) => db.value(`SELECT coalesce(array_agg(activity_session_id::text ORDER BY started_at DESC, activity_session_id DESC), '{}') FROM activity_session WHERE ${where}`)
		const IN_WEEK = `business_date > booking_date(now(), 'Europe/Berlin', 4) - 7`
		async function walk(browser, query) {
			const seen = []
			for (let target = `/admin/sessions?${query}`, pages = 0; target && pages < 20; pages++) {
				const reply = await browser.ask(target)
				assert.equal(reply.status, 200, reply.text.slice(0, 500))
				seen.push(...listed(reply, 'session'))
				const next = /rel="next" href="([^"]*cursor=[^"]*)"/.exec(reply.text)?.[1]
				target = next && `/admin/sessions${unescaped(next)}`
			}
			return seen
		}

		it('lists those of the days, newest first, page by page', async () => {
			const want = await ids(`${IN_WEEK} AND NOT bot`)
			assert.ok(want.length > 100)
			assert.deepEqual(await walk(anna, ''), want)
			assert.equal(figure(await anna.ask('/admin/sessions'), 'sessions'), String(want.length))
		})

		it('filters by source, device, purchase and bots, and its figures with it', async () => {
			const cases = [['source=google.com', `'2:google.com' = ANY (groups) AND NOT bot`], ['source=(not+set)', `'2:' = ANY (groups) AND NOT bot`], ['device=mobile', `'4:mobile' = ANY (groups) AND NOT bot`],
				['converted=yes', 'steps & 8 <> 0 AND NOT bot'], ['converted=no', 'steps & 8 = 0 AND NOT bot'], ['bots=only', 'bot'],
				['source=google.com&device=mobile', `'2:google.com' = ANY (groups) AND '4:mobile' = ANY (groups) AND NOT bot`],
				['source=newsletter&device=mobile&converted=yes', `'2:newsletter' = ANY (groups) AND '4:mobile' = ANY (groups) AND steps & 8 <> 0 AND NOT bot`]]
			for (const [query, where] of cases) {
				const want = await ids(`${IN_WEEK} AND ${where}`)
				assert.deepEqual(await walk(anna, query), want, query)
				const reply = await anna.ask(`/admin/sessions?${query}`)
				assert.equal(figure(reply, 'sessions'), String(want.length), query)
				const [converted, bounced] = await db.value(`SELECT ARRAY[round(100.0 * count(*) FILTER (WHERE steps & 8 <> 0) / nullif(count(*), 0), 1)::text, round(100.0 * count(*) FILTER (WHERE events = 1) / nullif(count(*), 0), 1)::text]
					FROM activity_session WHERE ${IN_WEEK} AND ${where}`)
				assert.ok(Math.abs(Number(figure(reply, 'converted')) - Number(converted)) < 0.11, query)
				assert.ok(Math.abs(Number(figure(reply, 'bounced')) - Number(bounced)) < 0.11, query)
			}
			assert.deepEqual(await walk(anna, 'source=nobody'), [])
			const day = await db.value(`SELECT (booking_date(now(), 'Europe/Berlin', 4) - 2)::text`)
			assert.deepEqual(await walk(anna, `date=${day}`), await ids(`business_date = '${day}' AND NOT bot`))
			for (const bad of ['converted=maybe', 'bots=both', 'cursor=x', 'cursor=1', 'cursor=1.x', 'cursor=-1.2', 'cursor=99999999999999999.1', 'source=', 'nothing=1'])
				assert.equal((await anna.ask(`/admin/sessions?${bad}`)).status, 422, bad)
		})

		it('keeps its place when sessions come in', async () => {
			const first = await anna.ask('/admin/sessions'), next = /rel="next" href="([^"]*)"><?[^O]*Older/.exec(first.text)?.[1] ?? /href="([^"]*cursor=[^"]*)"/.exec(first.text)[1]
			const want = listed(await anna.ask(`/admin/sessions${unescaped(next)}`), 'session')
			await db.exec(`INSERT INTO activity_session (session_key, bot, person_id, started_at, last_at, last_received_at, ended, business_date, hour_at, events, page_views, steps, landing, leaving, source, device, cart, cart_unpriced, groups)
				SELECT 99999, false, 1, now(), now(), now(), false, booking_date(now(), 'Europe/Berlin', 4), date_trunc('hour', now()), 1, 1, 0, '/', '/', '', '', 0, 0, '{}'`)
			assert.deepEqual(listed(await anna.ask(`/admin/sessions${unescaped(next)}`), 'session'), want)
		})

		it('show who it was to analysts, and not to viewers', async () => {
			const session = await db.one(`SELECT s.activity_session_id::text AS id, v.id AS person, s.person_id::text, s.session_id FROM activity_session s JOIN activity_visitor v ON v.visitor_id = s.person_id
				WHERE v.kind = 'user' AND NOT s.bot AND ${IN_WEEK} ORDER BY s.started_at DESC LIMIT 1`)
			for (const browser of [anna, alan]) {
				assert.ok((await browser.ask('/admin/sessions')).text.includes(`>${session.person}<`))
				const { text } = await browser.ask(`/admin/sessions/${session.id}`)
				assert.ok(text.includes(`>${session.person}<`) && text.includes(session.session_id) && text.includes('colour'))
			}
			const list = (await vera.ask('/admin/sessions')).text
			assert.doesNotMatch(list, /user_\d|>a-\d/)
			assert.match(list, new RegExp(`User ${session.person_id}<`))
			const reply = await vera.ask(`/admin/sessions/${session.id}`)
			assert.doesNotMatch(reply.text, new RegExp(`user_\\d|>a-\\d|${session.session_id}<|colour`))
			assert.match(fact(reply, 'person'), new RegExp(`User ${session.person_id}<`))
		})

		it('one that goes on is told from one whose old events came just now', async () => {
			const made = async (key, last, ended) => {
				await db.exec(`INSERT INTO activity_session (session_key, bot, person_id, started_at, last_at, last_received_at, ended, business_date, hour_at, events, page_views, steps, landing, leaving, source, device, cart, cart_unpriced, groups)
					SELECT ${key}, false, 1, x.at, x.at, now(), ${ended}, booking_date(x.at, 'Europe/Berlin', 4), date_trunc('hour', x.at), 1, 1, 0, '/', '/', '', '', 0, 0, '{}'
					FROM (SELECT now() - interval '${last}' AS at) x`)
				return db.value(`SELECT activity_session_id::text FROM activity_session WHERE session_key = ${key}`)
			}
			const isActive = async (id) => (await anna.ask(`/admin/sessions/${id}`)).text.includes('Active now')
			assert.deepEqual([await isActive(await made(1001, '10 minutes', false)), await isActive(await made(1002, '10 minutes', true)), await isActive(await made(1003, '2 hours', false))],
				[true, false, false])
			await db.exec('DELETE FROM activity_session WHERE session_key BETWEEN 1001 AND 1003')
		})

		it('one session shows its events in order', async () => {
			const id = await db.value(`SELECT activity_session_id::text FROM activity_session WHERE steps & 8 <> 0 AND NOT bot ORDER BY started_at DESC LIMIT 1`)
			const reply = await anna.ask(`/admin/sessions/${id}`)
			assert.equal(reply.status, 200)
			assert.deepEqual(listed(reply, 'event'), await db.value(`SELECT array_agg(e.event_id::text ORDER BY e.occurred_at, e.seq) FROM activity_event e JOIN activity_session s USING (session_key) WHERE s.activity_session_id = ${id}`))
			assert.deepEqual([...reply.text.matchAll(/class="timeline-type"[^>]*>([^<]*)</g)].map((m) => m[1]),
				['page_view', 'page_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase'])
			assert.match(fact(reply, 'reached'), /purchase/)
			assert.equal((await anna.ask('/admin/sessions/999999')).status, 404)
			assert.equal((await anna.ask('/admin/sessions/x')).status, 422)
		})

		it('says that events are gone, and that somebody was erased', async () => {
			const id = await db.value(`SELECT activity_session_id::text FROM activity_session WHERE NOT bot ORDER BY started_at DESC LIMIT 1`)
			await db.exec(`UPDATE activity_session SET session_key = 7777777, session_id = NULL WHERE activity_session_id = ${id};
				UPDATE activity_visitor SET id = NULL WHERE visitor_id = (SELECT person_id FROM activity_session WHERE activity_session_id = ${id})`)
			const reply = await anna.ask(`/admin/sessions/${id}`)
			assert.match(reply.text, /not kept any more/)
			assert.match(fact(reply, 'person'), /erased/)
		})
	})

	describe('the dictionary', () => {
		it('lists types by how often they came in 28 days, and what is unexpected', async () => {
			const reply = await vera.ask('/admin/dictionary')
			assert.deepEqual(listed(reply, 'type'), ['page_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase'])
			const row = (type) => new RegExp(`data-type="${type}".*?</tr>`, 's').exec(reply.text)[0]
			const n = await db.value(`SELECT count(*)::int FROM activity_event WHERE event_type = 'product_view' AND flags & 112 = 0`)
			assert.match(row('product_view'), new RegExp(`data-label="Events" data-value="${n}"`))
			assert.match(row('product_view'), /2 unexpected/)
			assert.doesNotMatch(row('page_view'), /unexpected/)
			const points = /points="([^"]*)"/.exec(row('page_view'))[1].split(' ')
			assert.equal(points.length, 28)
			assert.ok(points.slice(0, 18).every((p) => p.endsWith(',22.0')) && !points[22].endsWith(',22.0'), 'days before the first are 0')
			const csv = await vera.ask('/admin/dictionary?format=csv&table=types')
			assert.match(csv.text, new RegExp(`product_view,${n},`))
		})

		it('shows what a type carries, with what its schema says', async () => {
			const reply = await vera.ask('/admin/dictionary/types/product_view')
			const row = (name) => new RegExp(`data-property="${name}".*?</tr>`, 's').exec(reply.text)[0]
			assert.deepEqual(listed(reply, 'property').sort(), ['colour', 'page', 'price', 'product_id'])
			assert.match(row('colour'), /not in the schema/)
			assert.match(row('price'), /the schema says number/)
			assert.doesNotMatch(row('page'), /schema/)
			assert.doesNotMatch(reply.text, /<form[^>]*dictionary/, 'only admins describe it')
			assert.equal((await vera.ask('/admin/dictionary/types/nothing')).status, 404)
			// Kinds in a list, and whole numbers, which are numbers.
			await db.exec(`UPDATE activity_type SET schema = '{"properties": {"colour": {"type": ["string", "null"]}, "page": {}, "product_id": {"type": "string"}, "price": {"type": ["integer", "string"]}}}' WHERE event_type = 'product_view'`)
			assert.doesNotMatch((await vera.ask('/admin/dictionary/types/product_view')).text, /not in the schema|the schema says/)
		})

		it('is described by admins, with a line in the audit', async () => {
			const from = '/admin/dictionary/types/add_to_cart', n = await audits()
			const schema = '{"type": "object", "properties": {"price": {"type": "string"}}}'
			const reply = await anna.submit(from, from, { owner: 'Cart <b>team</b>', description: 'Put into the cart', schema, enforce: 'on' })
			assert.equal(reply.status, 303, reply.text.slice(0, 2000))
			assert.match(await said(reply), /^Written down/)
			assert.deepEqual(await db.one(`SELECT owner, description, schema, enforce FROM activity_type WHERE event_type = 'add_to_cart'`),
				{ owner: 'Cart <b>team</b>', description: 'Put into the cart', schema: JSON.parse(schema), enforce: true })
			assert.equal(await audits(), n + 1)
			const line = await lastAudit()
			assert.deepEqual([line.actor, line.action, line.object], ['user:anna', 'event_type', 'event_type:add_to_cart'])
			const shown = await anna.ask(from)
			assert.match(shown.text, /Cart &lt;b&gt;team&lt;\/b&gt;/)
			const gone = await anna.submit(from, from, { owner: '', description: '', schema: ' \n' })
			assert.equal(gone.status, 303)
			assert.equal(await db.value(`SELECT schema IS NULL AND NOT enforce FROM activity_type WHERE event_type = 'add_to_cart'`), true)
		})

		it('refuses what is no schema, and shows it again', async () => {
			const from = '/admin/dictionary/types/purchase', n = await audits()
			for (const schema of ['{', '[]', '{"type": "nothing"}', '{"pattern": "x"}', '"text"']) {
				const reply = await anna.submit(from, from, { owner: 'Me', description: '', schema })
				assert.equal(reply.status, 422, schema)
				assert.match(/id="schema-problem"[^>]*>([^<]+)</.exec(reply.text)[1], /cannot be kept/)
				assert.equal(unescaped(/<textarea[^>]*>\n(.*?)<\/textarea>/s.exec(reply.text)[1]), schema)
				assert.match(reply.text, /name="owner" value="Me"/)
			}
			assert.equal((await anna.submit(from, from, { owner: '', description: '', schema: '', enforce: 'on' })).status, 422)
			assert.equal((await anna.submit(from, '/admin/dictionary/types/nothing', { owner: '', description: '', schema: '' })).status, 404)
			assert.equal(await audits(), n)
			assert.equal(await db.value(`SELECT owner FROM activity_type WHERE event_type = 'purchase'`), 'Shop team')
		})

		it('takes a type before it is sent, once', async () => {
			const add = (fields) => anna.submit('/admin/dictionary', '/admin/dictionary/types', { owner: 'o', description: 'd', ...fields })
			const reply = await add({ event_type: 'wishlist.add' })
			assert.equal(reply.status, 303)
			assert.match(reply.headers.location[0], /^\/admin\/dictionary\/types\/wishlist\.add\?/)
			assert.match(await said(reply), /is in the dictionary/)
			const n = await audits()
			for (const [type, status] of [['wishlist.add', 409], ['page_view', 409], ['Page', 422], ['a b', 422], ['', 422], ['é', 422]]) {
				const refused = await add({ event_type: type })
				assert.equal(refused.status, status, type)
				if (type) assert.match(refused.text, /id="type-problem"/)
			}
			assert.equal(await audits(), n)
		})

		it('declares dimensions until all are taken', async () => {
			const declare = (name, property, meaning = '') => anna.submit('/admin/dictionary', '/admin/dictionary/dimensions', { name, property, meaning })
			const reply = await declare('plan', 'plan', 'What somebody pays')
			assert.equal(reply.status, 303, reply.text.slice(0, 2000))
			assert.match(await said(reply), /is declared/)
			assert.deepEqual(await db.one(`SELECT dimension_id::int, name, property, meaning, declared_by FROM activity_dimension WHERE dimension_id > 8`),
				{ dimension_id: 9, name: 'plan', property: 'plan', meaning: 'What somebody pays', declared_by: 'user:anna' })
			assert.deepEqual((({ action, object }) => [action, object])(await lastAudit()), ['dimension_add', 'dimension:plan'])
			for (const [name, property, status, why] of [['plan', 'other', 409, /this name/], ['other', 'plan', 409, /dimension plan/], ['page', 'x', 409, /this name/], ['Plan', 'x', 422, /begins with a letter/],
				['9a', 'x', 422, /begins/], ['ok', ' ', 422, /property/], ['bucket', 'x', 422, /another meaning/], ['new_users', 'x', 422, /another meaning/]]) {
				const refused = await declare(name, property)
				assert.equal(refused.status, status, name)
				assert.match(/id="dimension-problem"[^>]*>([^<]+)</.exec(refused.text)[1], why)
			}
			for (let i = 10; i <= 16; i++) assert.equal((await declare(`d${i}`, `p${i}`)).status, 303)
			assert.match((await declare('more', 'more')).text + (await anna.ask('/admin/dictionary')).text, /all 16 dimensions are taken/i)
			assert.equal(await db.value('SELECT count(*)::int FROM activity_dimension'), 16)
		})

		it('shows the share that fell into (other)', async () => {
			await db.exec(`INSERT INTO activity_sum SELECT grain, bot, dimension_id, bucket_at, event_type, '(other)', events FROM activity_sum WHERE grain = 'day' AND NOT bot AND dimension_id = 8 AND event_type = 'purchase'`)
			const { text } = await vera.ask('/admin/dictionary')
			const [part, whole] = await db.value(`SELECT ARRAY[sum(events) FILTER (WHERE event_type = 'purchase'), sum(events)]::int[] FROM activity_sum WHERE grain = 'day' AND NOT bot AND dimension_id = 0`)
			const shown = /data-dimension="region".*?In \(other\)">([\d.]+)/s.exec(text)[1]
			assert.ok(Math.abs(Number(shown) - 100 * part / whole) < 0.051)
		})

		it('changes nothing for who is no admin', async () => {
			for (const browser of [alan, vera])
				for (const target of ['/admin/dictionary/types', '/admin/dictionary/dimensions', '/admin/dictionary/types/purchase', '/admin/quarantine/1/drop', '/admin/quarantine/1/store', '/admin/quarantine/drop'])
					assert.equal((await browser.submit('/admin/account', target, { event_type: 'x', owner: '', description: '', name: 'x', property: 'x', meaning: '', schema: '' })).status, 403, target)
		})
	})

	describe('data quality', () => {
		const sums = (where = 'true') => db.one(`SELECT coalesce(sum(received), 0)::int AS received, coalesce(sum(stored), 0)::int AS stored, coalesce(sum(duplicate), 0)::int AS duplicate,
			coalesce(sum(quarantined), 0)::int AS quarantined, coalesce(sum(refused), 0)::int AS refused FROM activity_account WHERE ${where}`)
		const shown = (reply) => Object.fromEntries(['received', 'stored', 'duplicate', 'quarantined', 'refused'].map((id) => [id, Number(figure(reply, id))]))
		const ALL = '/admin/quality?period=all'

		it('shows that what came is what became of it, by source, day and hour', async () => {
			const reply = await vera.ask(ALL), whole = await sums()
			assert.equal(reply.status, 200)
			assert.deepEqual(shown(reply), whole)
			assert.equal(whole.received, whole.stored + whole.duplicate + whole.quarantined + whole.refused)
			assert.match(reply.text, /It adds up\./)
			assert.doesNotMatch(reply.text, /does not add up/)
			assert.deepEqual(listed(reply, 'source').sort(), ['key:1', 'key:2'])
			assert.deepEqual(shown(await vera.ask(`${ALL}&source=key:2`)), await sums(`source = 'key:2'`))
			const csv = (await vera.ask(`${ALL}&format=csv&table=days`)).text.trim().split(/\r?\n/).map((line) => line.split(','))
			assert.equal(csv.slice(1).reduce((n, line) => n + Number(line[2]), 0), whole.received)
			const day = await db.value(`SELECT (booking_date(now(), 'Europe/Berlin', 4) - 1)::text`)
			const hours = (await vera.ask(`/admin/quality?date=${day}&format=csv&table=days`)).text.trim().split(/\r?\n/).slice(1).map((line) => line.split(','))
			assert.equal(hours.length, await db.value(`SELECT count(*)::int FROM real_hours('Europe/Berlin', 4, '${day}', '${day}')`))
			const ofDay = await sums(`hour_at >= business_day_start('Europe/Berlin', 4, '${day}') AND hour_at < business_day_start('Europe/Berlin', 4, '${day}'::date + 1)`)
			assert.equal(hours.reduce((n, line) => n + Number(line[2]), 0), ofDay.received)
			assert.deepEqual(shown(await vera.ask(`/admin/quality?date=${day}`)), ofDay)
		})

		it('says where it does not add up', async () => {
			await db.exec(`UPDATE activity_account SET received = received + 3 WHERE (hour_at, source) = (SELECT hour_at, source FROM activity_account WHERE source = 'key:2' ORDER BY hour_at DESC LIMIT 1)`)
			const { text } = await vera.ask(ALL)
			assert.match(text, /does not add up<\/strong> in 1 hour of a source/)
			assert.match(/data-source="key:2".*?<\/tr>/s.exec(text)[0], /3 not accounted for/)
			assert.match(/data-source="key:1".*?<\/tr>/s.exec(text)[0], /adds up/)
			// Two wrongs that hide each other in the sum are still two.
			await db.exec(`UPDATE activity_account SET received = received - 3 WHERE (hour_at, source) = (SELECT hour_at, source FROM activity_account WHERE source = 'key:1' ORDER BY hour_at DESC LIMIT 1)`)
			assert.match((await vera.ask(ALL)).text, /does not add up<\/strong> in 2 hours of a source/)
		})

		it('measures how good it is', async () => {
			const reply = await vera.ask(ALL), whole = await sums()
			const warned = (what) => db.value(`SELECT coalesce(sum(events), 0)::int FROM activity_warning WHERE reason ${what}`)
			const near = async (name, part, of) => assert.ok(Math.abs(Number.parseFloat(measure(reply, name)) - 100 * part / of) < 0.06, `${name}: ${measure(reply, name)}, not ${100 * part / of}`)
			await near('rejected', whole.quarantined + whole.refused, whole.received)
			await near('duplicate', whole.duplicate, whole.received)
			await near('late', await warned(`= 'late'`), whole.stored)
			await near('bots', await warned(`LIKE 'bot%'`), whole.stored)
			await near('skewed', await warned(`= 'skewed'`), whole.stored)
			await near('nouser', await db.value('SELECT count(*)::int FROM activity_event WHERE user_id IS NULL'), await db.value('SELECT count(*)::int FROM activity_event'))
			assert.match(reply.text, /are off by 7 min at most/)
		})

		it('lists warnings, with one of them for analysts', async () => {
			for (const [browser, sees] of [[anna, true], [alan, true], [vera, false]]) {
				const { text } = await browser.ask(ALL)
				const row = /data-warning="invalid".*?<\/tr>/s.exec(text)[0]
				assert.match(row, /<code>properties\.price<\/code>/)
				assert.equal(row.includes('cheap'), sees)
			}
			const n = await db.value(`SELECT sum(events)::int FROM activity_warning WHERE reason = 'skewed' AND event_type = 'page_view'`)
			assert.match((await vera.ask(ALL)).text, new RegExp(`data-warning="skewed"(?:(?!</tr>).)*page_view(?:(?!</tr>).)*data-value="${n}"`, 's'))
		})

		const open = () => db.value(`SELECT coalesce(array_agg(quarantine_id::text ORDER BY quarantine_id DESC), '{}') FROM activity_quarantine WHERE decided_at IS NULL`)

		it('lists what is kept apart, newest first, page by page; what it says is for analysts', async () => {
			await db.exec(`INSERT INTO activity_quarantine (source, event_type, reason, field, detail, payload) SELECT 'kafka', '', 'malformed', '', 'it is no JSON', repeat('x', 5000) FROM generate_series(1, 30)`)
			const seen = []
			for (let target = '/admin/quality'; target;) {
				const reply = await anna.ask(target)
				seen.push(...listed(reply, 'kept'))
				const next = /rel="next" href="([^"]*before=[^"#]*)/.exec(reply.text)?.[1]
				target = next && `/admin/quality${unescaped(next)}`
			}
			assert.deepEqual(seen, await open())
			const before = '/admin/quality?before=10'
			assert.ok((await anna.ask(before)).text.includes('user_secret_1'))
			assert.ok((await alan.ask(before)).text.includes('user_secret_1'))
			assert.doesNotMatch((await alan.ask(before)).text, /quarantine\/\d+\/store/)
			assert.doesNotMatch((await vera.ask(before)).text, /user_secret|quarantine\/\d+\/store/)
		})

		it('drops one, once', async () => {
			const [id, ...others] = await open(), n = await audits()
			const drop = (what) => anna.submit('/admin/quality', `/admin/quarantine/${what}/drop`, {})
			const reply = await drop(id)
			assert.equal(reply.status, 303, reply.text.slice(0, 2000))
			assert.match(await said(reply), /dropped/)
			assert.deepEqual(await open(), others)
			assert.equal(await db.value(`SELECT decision FROM activity_quarantine WHERE quarantine_id = ${id}`), 'dropped')
			const line = await lastAudit()
			assert.deepEqual([line.actor, line.action, line.object], ['user:anna', 'quarantine_drop', `quarantine:${id}`])
			assert.deepEqual(listed(await anna.ask('/admin/quality'), 'decided'), [id])
			const again = await drop(id)
			assert.ok([404, 409].includes(again.status))
			assert.match(alert(again), /decided on already/)
			assert.equal((await drop(999999)).status, 404)
			assert.equal(await audits(), n + 1)
		})

		it('drops all of a reason, where somebody counted', async () => {
			const of = { reason: 'schema', field: 'properties.price', until: '99' }
			const drop = (fields) => anna.submit('/admin/quality', '/admin/quarantine/drop', { ...of, ...fields })
			assert.equal((await drop({ confirm: '5' })).status, 422)
			assert.equal((await open()).length, 9)
			const reply = await drop({ confirm: '6' })
			assert.equal(reply.status, 303, reply.text.slice(0, 2000))
			assert.equal((await open()).length, 3)
			assert.deepEqual((await lastAudit()).detail, { events: 6, until: 99, reason: 'schema', field: 'properties.price' })
			assert.equal((await drop({ confirm: '0' })).status, 404)
		})
	})

	describe('the explorer', () => {
		const ask = async (query = '', browser = vera) => {
			const reply = await browser.ask(`/admin/explorer?${query}`)
			assert.equal(reply.status, 200, reply.text.slice(0, 600))
			return reply
		}
		const tile = (reply, id) => /<data value="([^"]*)"/.exec(reply.text.slice(reply.text.indexOf(`data-metric="${id}"`)))?.[1]
		const lines = async (query) => (await ask(`${query}&format=csv`)).text.replace(/^\ufeff/, '').trim().split('\r\n').map((line) => line.split(','))
		const links = (reply) => [...reply.text.matchAll(/href="\/admin\/explorer(\?[^"]*)"/g)].map((m) => unescaped(m[1]))
		const DAY = (back) => db.value(`SELECT (booking_date(now(), 'Europe/Berlin', 4) - ${back})::text`)

		it('answers what it is asked without an address of its own', async () => {
			const reply = await ask('period=7d')
			const [sessions, converted, views] = await db.value(`SELECT ARRAY[count(*), count(*) FILTER (WHERE steps & 8 <> 0), sum(page_views)]::int[] FROM activity_session
				WHERE NOT bot AND business_date > booking_date(now(), 'Europe/Berlin', 4) - 7`)
			assert.equal(tile(reply, 'sessions'), String(sessions))
			assert.equal(tile(reply, 'conversion_rate'), (await db.value(`SELECT half_even(${converted} * 100::numeric / ${sessions}, 1)::text`)))
			assert.ok(Math.abs(Number(tile(reply, 'page_views')) - views) <= 3) // of sessions over the edge of the range
			assert.match(reply.text, /Distinct people with an event in the bucket/)
			assert.match(reply.text, /users: who was there on each day/)
		})

		it('says in its table what POST /dashboard/metrics says', async () => {
			const [from, to] = [await DAY(6), await DAY(1)]
			for (const [query, more] of [['metric=users,sessions', { metrics: ['users', 'sessions'], granularity: 'day' }],
				['metric=sessions&by=source', { metrics: ['sessions'], dimensions: ['source'], granularity: 'none' }],
				['metric=events,users&by=device,source&filter=device%3Dmobile&step=week', { metrics: ['events', 'users'], dimensions: ['device', 'source'], filters: { device: 'mobile' }, granularity: 'week' }],
				['metric=events&by=page&filter=event_type%3Dpage_view&bots=only', { metrics: ['events'], dimensions: ['page'], filters: { event_type: 'page_view' }, bots: 'only', granularity: 'none' }]]) {
				const end = await db.value(`SELECT business_day_start('Europe/Berlin', 4, '${to}'::date + 1)::text`)
				const start = await db.value(`SELECT business_day_start('Europe/Berlin', 4, '${from}')::text`)
				const body = JSON.stringify({ start_date: start, end_date: end, compare: 'previous', limit: 50, ...more })
				const told = JSON.parse((await web.get('/dashboard/metrics', { method: 'POST', body, params: { REMOTE_ADDR: '192.0.2.9', CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${token}` } })).text)
				const [head, ...rows] = await lines(`from=${from}&to=${to}&${query}`)
				assert.deepEqual(rows.map((row) => Object.fromEntries(row.map((value, i) => [head[i], value]))), told.rows.map(({ compare, ...row }) =>
					Object.fromEntries([...Object.entries(row), ...more.metrics.map((m) => [`base_${m}`, compare?.[m]])].map(([k, v]) => [k, v === null || v === undefined ? '' : String(v)]))), query)
				assert.ok(rows.length > 1, query)
			}
		})

		it('has links to questions that differ by one thing, and leads down', async () => {
			const reply = await ask('period=7d&metric=sessions&by=source,device&filter=page%3D%252F')
			const has = (link) => assert.ok(links(reply).includes(link), `${link}\n${links(reply).join('\n')}`)
			has('?metric=sessions,users&by=source%2Cdevice&filter=page%3D%252F&period=7d'.replace(/,/g, '%2C'))
			has('?metric=sessions&by=source&filter=page%3D%252F&period=7d')
			has('?metric=sessions&by=source%2Cdevice&period=7d')
			has('?metric=sessions&by=source%2Cdevice&filter=page%3D%252F&period=7d&compare=none')
			has('?metric=sessions&by=device&filter=page%3D%252F%26source%3Dgoogle.com&period=7d')
			const day = await DAY(2), days = await ask('period=7d&metric=sessions')
			assert.ok(links(days).includes(`?metric=sessions&date=${day}&step=hour`))
			const hours = await ask(`metric=sessions&date=${day}&step=hour`)
			assert.equal(tile(hours, 'sessions'), await db.value(`SELECT count(*)::text FROM activity_session WHERE NOT bot AND business_date = '${day}'`))
			// Every link of the page is a question that can be asked.
			for (const link of [...new Set(links(reply))]) assert.ok([200, 422].includes((await vera.ask(`/admin/explorer${link}`)).status), link)
		})

		it('adds a filter by a form, and takes it away by a link', async () => {
			const reply = await vera.ask('/admin/explorer?period=7d&metric=sessions&add=source&value=a%26b%3Dc+d')
			assert.equal(reply.status, 303)
			const there = reply.headers.location[0]
			const shown = await vera.ask(there)
			assert.equal(shown.status, 200)
			assert.match(unescaped(shown.text), /source: a&b=c d</)
			assert.equal(tile(shown, 'sessions'), '0')
			assert.ok(links(shown).includes('?metric=sessions&period=7d'))
		})

		it('says what speaks against a question where it can be changed', async () => {
			for (const [query, why] of [['metric=nothing', /There is no metric nothing/], ['by=nothing', /There is no dimension nothing/], ['metric=revenue&by=source', /cannot be told apart by source/],
				['metric=users,users', /twice/], ['period=all&from=', /must be a date/], ['filter=a', /there is no dimension|must be like/i], ['by=source,device,page,region', /at most 3/], ['from=2000-01-01&to=2020-01-01&step=hour', /at most/]]) {
				const reply = await vera.ask(`/admin/explorer?${query}`)
				assert.equal(reply.status, 422, query)
				assert.match(unescaped(reply.text), why, query)
			}
			assert.equal((await vera.ask('/admin/explorer?metric=nothing&format=csv')).status, 422)
		})

		describe('kept questions', () => {
			beforeEach(() => db.exec('TRUNCATE activity_question RESTART IDENTITY'))
			const keep = (browser, name, shared = 'nobody', query = 'metric=sessions&by=source') => browser.submit('/admin/explorer', '/admin/questions', { name, shared, ask: query })
			const seen = async (browser) => [...(await browser.ask('/admin/questions')).text.matchAll(/data-question="\d+".*?href="\/admin\/explorer\?([^"]*)">([^<]*)</gs)].map((m) => [unescaped(m[2]), unescaped(m[1])])

			it('are kept, seen by whom they are shared with, and lead to their question', async () => {
				const n = await audits()
				for (const [name, shared] of [['Mine <b>', 'nobody'], ['Ours', 'viewer'], ['Analysts', 'analyst'], ['Admins', 'admin']]) {
					const reply = await keep(anna, name, shared)
					assert.equal(reply.status, 303, reply.text.slice(0, 2000))
					assert.match(await said(reply), /is kept/)
				}
				assert.equal(await audits(), n + 4)
				const line = await lastAudit()
				assert.deepEqual([line.actor, line.action, line.object, line.detail], ['user:anna', 'question_add', 'question:4', { name: 'Admins', shared_with: 'admin' }])
				const names = async (browser) => (await seen(browser)).map(([name]) => name)
				assert.deepEqual(await names(anna), ['Admins', 'Analysts', 'Mine <b>'.replaceAll('<b>', '<b>'), 'Ours'])
				assert.deepEqual(await names(alan), ['Analysts', 'Ours'])
				assert.deepEqual(await names(vera), ['Ours'])
				const [[, query]] = await seen(vera)
				assert.equal((await ask(query)).status, 200)
			})

			it('are renamed and shared by whose they are, and nobody else', async () => {
				await keep(anna, 'A', 'viewer')
				await keep(anna, 'B')
				const write = (browser, id, name, shared) => browser.submit('/admin/questions', `/admin/questions/${id}`, { name, shared })
				assert.equal((await write(anna, 1, 'A2', 'analyst')).status, 303)
				assert.deepEqual(await db.one('SELECT name, shared_with FROM activity_question WHERE question_id = 1'), { name: 'A2', shared_with: 'analyst' })
				assert.equal((await write(anna, 1, 'B', 'nobody')).status, 422)
				for (const [browser, id] of [[alan, 1], [vera, 2], [anna, 99]]) assert.equal((await write(browser, id, 'X', 'viewer')).status, 404)
				assert.equal(await db.value(`SELECT string_agg(name, ',' ORDER BY question_id) FROM activity_question`), 'A2,B')
			})

			it('are deleted by whose they are, shared ones by admins, too', async () => {
				await keep(alan, 'shared', 'viewer')
				await keep(alan, 'private')
				await keep(anna, 'hers', 'viewer')
				const drop = (browser, id) => browser.submit('/admin/questions', `/admin/questions/${id}/delete`, {})
				assert.equal((await drop(vera, 1)).status, 404)
				assert.equal((await drop(alan, 3)).status, 404)
				assert.equal((await drop(anna, 2)).status, 404)
				assert.equal((await drop(anna, 1)).status, 303)
				assert.equal((await lastAudit()).action, 'question_delete')
				assert.equal((await drop(alan, 2)).status, 303)
				assert.equal(await db.value(`SELECT string_agg(name, ',') FROM activity_question`), 'hers')
			})

			it('have a name, and one name once', async () => {
				await keep(anna, 'A')
				const n = await audits()
				for (const [name, why] of [['A', /name already/], [' ', /needs a name/], ['a\u0001b', /printable/]]) {
					const reply = await keep(anna, name)
					assert.equal(reply.status, 422)
					assert.match(reply.text, why)
				}
				assert.equal((await keep(anna, 'evil', 'viewer', '"><script>')).status, 422)
				assert.equal((await keep(anna, 'evil', 'everyone')).status, 422)
				assert.equal(await audits(), n)
				assert.equal((await keep(alan, 'A')).status, 303)
			})
		})
	})
})
