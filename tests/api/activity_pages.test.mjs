// The pages of activity from outside: sessions, the event dictionary, data quality, and what their forms change. The
// tables are filled by SQL, as if events had taken effect.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { accessDatabase, addUser, loggedIn, startWeb } from '../lib/access.mjs'
import { activitySql } from '../lib/activity_tables.mjs'

let db, web, anna, alan, vera
before(async () => {
	const made = await accessDatabase('activity-pages-pg', { PUBLIC_ORIGIN: 'http://takings.test', RATE_LIMIT_USERS: '0' })
	db = made.db
	web = await startWeb(made.web)
	for (const [name, role] of [['anna', 'admin'], ['alan', 'analyst'], ['vera', 'viewer']]) await addUser(made.settings, name, role)
	;[anna, alan, vera] = [await loggedIn(web, 'anna'), await loggedIn(web, 'alan'), await loggedIn(web, 'vera')]
}, { timeout: 120_000 })
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
			assert.ok(points.slice(0, 19).every((p) => p.endsWith(',22.0')) && !points[22].endsWith(',22.0'), 'days before the first are 0')
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
				['9a', 'x', 422, /begins/], ['ok', ' ', 422, /property/]]) {
				const refused = await declare(name, property)
				assert.equal(refused.status, status, name)
				assert.match(/id="dimension-problem"[^>]*>([^<]+)</.exec(refused.text)[1], why)
			}
			for (let i = 10; i <= 16; i++) assert.equal((await declare(`d${i}`, `p${i}`)).status, 303)
			assert.match((await declare('more', 'more')).text + (await anna.ask('/admin/dictionary')).text, /All 16 dimensions are taken/)
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
})
