// The pages of bookings: what they show, how soon after a message, and what they say when they cannot know.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inboxInsert } from '../lib/bookings.mjs'
import { Live } from '../lib/live.mjs'
import { until } from '../lib/process.mjs'
import { PHONE, WIDE, assertAccessible, assertNoSidewaysScroll, drawn, launch, openPage, signIn } from './browser.mjs'
import { HOSTILE, asSeen } from './xss.mjs'

const NNBSP = '\u202f', DAY = 86_400_000
const PAGES = ['/admin/bookings', '/admin/events', '/admin/events/1', '/admin/leaderboards']
const now = Date.now()
const iso = (days, minutes = 0) => new Date(now + days * DAY + minutes * 60_000).toISOString()

// Events of every kind, and their bookings over two months: more of them the nearer the event comes.
const EVENTS = [
	{ id: 1, name: 'Winter concert', category: 'music', capacity: 120, days: 9, bookings: 44 },
	{ id: 2, name: 'Pasta for beginners', category: 'course', capacity: 14, days: 3, bookings: 12 },
	{ id: 3, name: 'Wine & cheese', category: 'tasting', capacity: 24, days: 6, bookings: 9 },
	{ id: 4, name: 'Jazz in the courtyard', category: 'music', capacity: 80, days: -12, bookings: 30 },
	{ id: 5, name: 'City walk', category: 'tour', capacity: 9999, days: 2, bookings: 43 },
	{ id: 6, name: 'Open-air cinema', category: 'film', capacity: 200, days: 16, bookings: 8, cancelled: true },
	{ id: 7, name: 'London supper club', category: 'dinner', capacity: 30, days: 12, bookings: 9, currency: 'GBP' },
	{ id: 8, name: 'New Year’s Eve', category: 'dinner', capacity: 90, days: 40, bookings: 0, draft: true },
]

function messagesOf(e) {
	const about = { event_id: e.id, currency: e.currency ?? 'EUR' }, first = Math.min(e.days, 0) - 60
	const list = [{ type: 'event.created', ...about, occurred_at: iso(first), name: e.name, category: e.category, capacity: e.id === 1 ? 90 : e.capacity,
		starts_at: iso(e.days), ends_at: iso(e.days, 150), sales_from: iso(first), sales_until: iso(e.days, -90) }]
	if (!e.draft) list.push({ type: 'event.published', event_id: e.id, occurred_at: iso(first, 10) })
	if (e.id === 1) list.push({ type: 'event.updated', event_id: 1, occurred_at: iso(-20), capacity: 120 })
	for (let n = 1; n <= e.bookings; n++) {
		const at = Math.min(e.days, 0) - 55 * (1 - (n / (e.bookings + 1)) ** 0.6) - (n * 5 % 9) / 24
		const booking = { booking_id: `b${e.id}-${n}`, event_id: e.id, user_id: `u${n % 20}`, seats: 1 + n % 3, amount: `${(1 + n % 3) * 15}.50` }
		list.push({ type: 'booking.created', ...booking, occurred_at: iso(at) })
		if (n % 17) list.push({ type: 'booking.confirmed', booking_id: booking.booking_id, event_id: e.id, occurred_at: iso(at, 2) })
		if (n % 11 === 0) list.push({ type: 'booking.cancelled', booking_id: booking.booking_id, event_id: e.id, occurred_at: iso(Math.min(at + 2, -0.01)) })
	}
	if (e.cancelled) list.push({ type: 'event.cancelled', event_id: e.id, occurred_at: iso(-1) })
	return list
}

describe('pages of bookings', () => {
	let live, browser, origin, page

	const open = async (target, options) => {
		page = await openPage(browser, origin, options)
		page.reply = await page.goto(origin + target)
		return page
	}
	const close = async (allowed = /^$/) => {
		const troubles = page.troubles
		await page.context().close()
		assert.deepEqual(troubles.filter((t) => !allowed.test(t)), [])
	}
	const network = /WebSocket|Failed to load resource|net::/ // what the browser says of a loss
	const isSaid = (state, limit = 10_000) => page.waitForSelector(`#state[data-state="${state}"]`, { timeout: limit })
	const textOf = async (selector) => (await page.locator(selector).first().textContent()).replace(/\s+/g, ' ').trim()
	const row = (event, part) => `[data-part="${part}"] [data-key="${event}"]`
	const settled = () => until(async () => Number(await live.db.value('SELECT count(*) FROM event_log WHERE NOT processed AND dead_at IS NULL')) === 0
		&& await live.db.value('SELECT ranked_version = version FROM booking_site') === true, { what: 'messages to take effect', limit: 60_000 })
	const put = async (messages) => {
		for (let i = 0; i < messages.length; i += 200) await live.db.exec(inboxInsert(messages.slice(i, i + 200)))
		await live.db.exec(`NOTIFY takings_inbox, ''`)
		await settled()
	}
	const send = async (message) => {
		const reply = await live.web.get('/api/v1/ingest', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(message) })
		assert.equal(reply.status, 202, reply.text)
	}

	before(async () => {
		await signIn(null)
		live = await Live.start({ CAPACITY_UNLIMITED: '9999' })
		origin = `http://127.0.0.1:${live.port}`
		browser = await launch()
	})

	after(async () => {
		await browser?.close()
		await live?.stop()
	})

	it('say what to do where nothing was ever booked', async () => {
		for (const target of ['/admin/bookings', '/admin/events', '/admin/leaderboards']) {
			await open(target)
			assert.match(await textOf('main'), /No bookings yet.*api\/v1\/ingest/)
			await assertAccessible(page, target)
			await assertNoSidewaysScroll(page)
			await close()
		}
		await open('/admin/events/1')
		assert.equal(page.reply.status(), 404)
		await close(/404/)
	})

	it('show what came of the messages', async () => {
		await put(EVENTS.flatMap(messagesOf))
		await open('/admin/bookings')
		const period = await live.db.value(`SELECT coalesce(sum(new), 0) FROM booking_day WHERE business_date BETWEEN current_date - 28 AND current_date - 1`)
		assert.equal(Number(await page.getAttribute('#bookings', 'value')), period)
		const today = await live.db.value('SELECT coalesce(sum(new), 0) FROM booking_day WHERE business_date = current_date')
		assert.equal(Number(await page.getAttribute('#today-new', 'value')), today)
		assert.equal(await page.locator('[data-part="upcoming"] tr').count(), 6) // not the past one, not the cancelled one
		assert.match(await textOf('[data-part="alerts"]'), /Pasta for beginners.*overbooked/)
		await drawn(page)
		await close()

		await open('/admin/events/1')
		const [seats, filled] = (await live.db.value(`SELECT confirmed_seats || '|' || capacity_utilization FROM event_stats WHERE event_id = 1`)).split('|')
		assert.equal(await page.getAttribute('#seats', 'value'), seats)
		assert.match(await textOf('#filled'), new RegExp(`^${Number(filled).toFixed(1)}${NNBSP}?\\s?%, ${120 - Number(seats)} left$`))
		// The curve ends at what is held now; the capacity was 90 before it was 120.
		assert.equal(await page.getAttribute('[data-part="curve"] tr:first-child td:nth-child(3)', 'data-value'), seats)
		const capacities = await page.$$eval('[data-part="capacity"] td:nth-child(3)', (cells) => [...new Set(cells.map((c) => c.dataset.value))])
		assert.deepEqual(capacities, ['120', '90'])
		await drawn(page)
		await close()

		await open('/admin/events/5')
		assert.match(await textOf('#filled'), /not limited/)
		await drawn(page)
		await close()
		await open('/admin/events/6')
		assert.match(await textOf('[data-part="told"]'), /This event is cancelled.*are confirmed still/)
		await close()
		await open('/admin/events/2')
		assert.match(await textOf('[data-part="told"]'), /Overbooked by \d+ seats/)
		await close()
		await open('/admin/events/8')
		assert.match(await textOf('main'), /Nobody has booked it yet/)
		await close()
		await open('/admin/events/999')
		assert.equal(page.reply.status(), 404)
		await close(/404/)
	})

	it('filter, search, sort, page and save events', async () => {
		const names = () => page.$$eval('[data-part="events"] th a', (list) => list.map((a) => a.textContent))
		await open('/admin/events')
		assert.deepEqual((await names())[0], 'City walk') // the next one
		assert.deepEqual((await names()).at(-1), 'Jazz in the courtyard') // the one that is over
		await page.click('[data-menu="category"] summary')
		const categories = await page.$$eval('[data-menu="category"] li .name', (names) => names.map((name) => name.textContent))
		assert.deepEqual(categories, ['dinner', 'music', 'course', 'film', 'tasting', 'tour']) // the most events first
		await page.click('[data-menu="category"] a:has-text("music")')
		assert.deepEqual((await names()).sort(), ['Jazz in the courtyard', 'Winter concert'])
		await page.click('.filters a')
		await page.fill('#q', 'wine')
		await page.press('#q', 'Enter')
		await page.waitForURL(/q=wine/)
		assert.deepEqual(await names(), ['Wine & cheese'])
		await page.goto(`${origin}/admin/events?status=overbooked`)
		assert.deepEqual(await names(), ['Pasta for beginners'])
		await page.goto(`${origin}/admin/events?sort=bookings&limit=3`)
		assert.deepEqual(await names(), ['Winter concert', 'City walk', 'Jazz in the courtyard'])
		assert.equal(await page.getAttribute('th:has(a:text("Bookings"))', 'aria-sort'), 'descending')
		await page.click('.pager a')
		await page.waitForURL(/cursor=3/)
		assert.equal((await names())[0], 'Pasta for beginners')
		await page.goto(`${origin}/admin/events?q=nothing+like+it`)
		assert.match(await textOf('[data-part="events"]'), /No event is like this/)
		await close()
		const { text, headers } = await live.web.get('/admin/events?limit=10000&format=csv&table=events')
		assert.match(headers['content-type'], /csv/)
		assert.equal(text.trim().split('\n').length, EVENTS.length + 1)
	})

	it('free seats and move ranks on screen as soon as a booking is cancelled', async () => {
		const pages = {}
		for (const target of ['/admin/leaderboards', '/admin/events/1', '/admin/bookings', '/admin/live']) {
			await open(target)
			await isSaid('live')
			pages[target] = page
		}
		const [boards, event, bookings, happening] = Object.values(pages)
		const rankOf = (id) => boards.getAttribute(row(id, 'by-bookings'), 'data-rank')
		assert.deepEqual([await rankOf(1), await rankOf(5)], ['1', '2'])
		const seats = Number(await event.getAttribute('#seats', 'value')), cancelled = Number(await bookings.getAttribute('#today-cancelled', 'value'))
		const filled = await boards.getAttribute(`${row(1, 'by-filled')} td.n`, 'data-value')
		await event.focus('.top a')
		await event.click('details[data-of="curve"] summary')

		// Two more bookings bring the other event to the first place.
		for (const n of [1, 2]) await send({ type: 'booking.created', status: 'confirmed', booking_id: `more-${n}`, event_id: 5, seats: 1, amount: '9.00', occurred_at: iso(0, n / 60) })
		await boards.waitForSelector(`${row(1, 'by-bookings')}[data-rank="2"]`)
		assert.equal(await rankOf(5), '1')
		assert.equal(await boards.$eval('[data-part="by-bookings"] tr:first-child', (r) => r.dataset.key), '5')

		const begun = Date.now()
		await send({ type: 'booking.cancelled', booking_id: 'b1-3', event_id: 1, occurred_at: iso(0, 1) })
		await event.waitForFunction((was) => Number(document.querySelector('#seats').value) < was, seats, { polling: 20 })
		const took = Date.now() - begun
		assert.ok(took < 2500, `${took} ms`)
		assert.equal(Number(await event.getAttribute('#seats', 'value')), seats - 1)
		assert.match(await event.textContent('#filled'), new RegExp(`${120 - seats + 1} left`))
		// Tables that were open stay so, and the focus stays where it was.
		assert.ok(await event.$eval('details[data-of="curve"]', (d) => d.open))
		assert.equal(await event.getAttribute('[data-part="curve"] tr:first-child td:nth-child(3)', 'data-value'), String(seats - 1))
		await boards.waitForFunction(([selector, was]) => document.querySelector(selector).dataset.value !== was, [`${row(1, 'by-filled')} td.n`, filled])
		await bookings.waitForFunction((was) => Number(document.querySelector('#today-cancelled').value) === was + 1, cancelled)
		await happening.waitForSelector('#leaders tr[data-event="5"][data-rank="1"]')
		await happening.waitForFunction((want) => document.querySelector('#leaders tr[data-event="1"] td.n:last-child').dataset.value === want, String(seats - 1))
		for (const p of Object.values(pages)) {
			page = p
			await close()
		}
	})

	it('keep a row that has the focus focused when it moves', async () => {
		await open('/admin/leaderboards')
		await isSaid('live')
		await page.focus(`${row(7, 'by-bookings')} a`)
		const rank = await page.getAttribute(row(7, 'by-bookings'), 'data-rank')
		for (let n = 0; n < 5; n++) await send({ type: 'booking.created', booking_id: `moves-${n}`, event_id: 7, occurred_at: iso(0, n / 60) })
		await page.waitForFunction(([selector, was]) => document.querySelector(selector).dataset.rank !== was, [row(7, 'by-bookings'), rank])
		assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), '/admin/events/7')
		await close()
	})

	it('show the same with and without script', async () => {
		for (const target of PAGES) {
			const read = () => page.$$eval('[data-part]', (list) => list.filter((e) => !['today', 'title'].includes(e.dataset.part)).map((e) => e.textContent.replace(/\s+/g, ' ')))
			await open(target, { javaScriptEnabled: false })
			assert.equal(await page.locator('details.data:not([open])').count(), 0)
			const plain = await read()
			await close()
			await open(target)
			assert.deepEqual(await read(), plain)
			await close()
		}
	})

	for (const [size, viewport, colorScheme] of [['1440', WIDE, 'light'], ['1440', WIDE, 'dark'], ['390', PHONE, 'light'], ['390', PHONE, 'dark']])
		it(`are accessible and quiet at ${size} px, ${colorScheme}`, async () => {
			for (const target of [...PAGES, '/admin/events/6', '/admin/bookings?period=today', '/admin/events?category=music', '/admin/system']) {
				await open(target, { viewport, colorScheme, hasTouch: viewport === PHONE, reducedMotion: 'reduce' })
				if (await page.locator('#state').count()) await isSaid('live')
				await drawn(page)
				await assertNoSidewaysScroll(page)
				if (viewport === WIDE) await assertAccessible(page, target)
				await page.$$eval('details.data, details.sizes', (list) => list.forEach((d) => { d.open = true }))
				await assertAccessible(page, `${target}, unfolded`)
				await assertNoSidewaysScroll(page)
				if (viewport === PHONE) {
					const small = await page.$$eval('a:not(.skip), button, summary', (list) => list
						.filter((e) => e.offsetParent && e.getBoundingClientRect().height < 40 && !e.closest('.scroll')).map((e) => e.outerHTML))
					assert.deepEqual(small, [], target)
				}
				await close()
			}
		})

	it('are reached by their words and by the keyboard, and leave the bar of a phone as it was', async () => {
		await open('/admin/bookings')
		assert.equal(await textOf('.nav a[aria-current="page"]'), 'Bookings')
		await page.keyboard.press('1')
		await page.waitForURL(/period=7d/)
		await page.keyboard.press('/')
		await page.fill('#search-q', 'leader')
		await page.keyboard.press('Enter')
		await page.waitForURL(/leaderboards/)
		assert.equal(await textOf('.nav a[aria-current="page"]'), 'Leaderboards')
		await page.keyboard.press('/')
		await page.fill('#search-q', 'wine &')
		await page.waitForSelector('#search-list a:has-text("Wine & cheese")')
		await page.keyboard.press('Enter')
		await page.waitForURL(/events\/3$/)
		await close(/404/) // there are no items to suggest
		await open('/admin/events/1', { viewport: PHONE, hasTouch: true })
		assert.equal(await page.locator('.nav-first li').count(), 5)
		await page.click('.nav-more')
		assert.ok(await page.locator('.more a[aria-current="true"]:visible:text("Events")').count())
		await close()
	})

	it('show names as they are and run none of them', async () => {
		await put(HOSTILE.flatMap((text, i) => [
			{ type: 'event.published', event_id: 100 + i, occurred_at: iso(-1), name: text, category: text, capacity: 10, starts_at: iso(50 + i) },
			{ type: 'booking.created', booking_id: `${text} ${i}`, user_id: text, event_id: 100 + i, status: 'confirmed', seats: 11, occurred_at: iso(-0.5) }]))
		const targets = ['/admin/bookings', '/admin/live', '/admin/events?limit=200', '/admin/leaderboards?limit=200', ...HOSTILE.slice(0, 12).map((text, i) => `/admin/events/${100 + i}`),
			...HOSTILE.slice(0, 6).map((text) => `/admin/events?category=${encodeURIComponent(text)}&q=${encodeURIComponent(text)}`)]
		for (const target of targets) {
			await open(target)
			await isSaid('live')
			const seen = await page.evaluate(() => ({ pwned: typeof window.pwned, text: document.body.innerText, title: document.title,
				odd: document.querySelectorAll('main :is(script, link, style, math, img), iframe, base').length }))
			assert.deepEqual([seen.pwned, seen.odd], ['undefined', 0], target)
			if (target.includes('limit=')) assert.deepEqual(HOSTILE.filter((text) => !asSeen(seen.text).includes(asSeen(text))), [], target)
			await close()
		}
		// Also where they come by the socket.
		await open('/admin/leaderboards')
		await isSaid('live')
		const asked = page.waitForResponse((r) => r.url().endsWith('/admin/leaderboards'))
		await send({ type: 'booking.created', booking_id: 'one more', event_id: 100, occurred_at: iso(0, 3) })
		await asked
		await page.waitForTimeout(300)
		assert.deepEqual(await page.evaluate(() => [typeof window.pwned, document.querySelectorAll('main :is(script, img, svg[onload])').length]), ['undefined', 0])
		await close()
	})

	it('say what waits and what is dead', async () => {
		await live.db.exec(`INSERT INTO event_log (event_type, event_data, dedup_key, source) VALUES ('booking.created', '{"type":"booking.created"}', sha256('bad'), 'kafka'); NOTIFY takings_inbox, ''`)
		await settled()
		await open('/admin/bookings')
		assert.match(await textOf('[data-part="notice"]'), /One message could not be read.*Look at it/)
		await page.click('[data-part="notice"] a')
		assert.match(page.url(), /\/admin\/inbox/)
		await page.goto(`${origin}/admin/system`)
		assert.match(await textOf('#inbox-dead'), /^1 Look at it/)
		await close()
	})

	it('say since when they know nothing new, ask meanwhile, and heal', async () => {
		await open('/admin/events/1')
		await isSaid('live')
		await live.endStream('SIGKILL')
		await isSaid('polling', 15_000)
		await live.db.exec(`INSERT INTO event_log (event_type, event_data, dedup_key, source, created_at) VALUES ('user.created', '{"type":"user.created","user_id":"late","occurred_at":"2026-01-01"}',
			sha256('late'), 'http', now() - interval '5 minutes')`)
		await page.waitForFunction(() => /The figures are behind.*1 messages? wait/s.test(document.querySelector('[data-part="notice"]').textContent))
		await assertAccessible(page, 'behind')
		await live.startStream()
		await isSaid('live', 40_000)
		await page.waitForFunction(() => !/behind/.test(document.querySelector('[data-part="notice"]').textContent))
		await close(network)
	})
})

describe('a site with bookings only', () => {
	it('is live without any run of the batch', async () => {
		await signIn(null)
		const live = await Live.start({}, { streaming: false }), browser = await launch()
		try {
			await live.db.exec('DELETE FROM site; DELETE FROM rules')
			await live.startStream()
			const origin = `http://127.0.0.1:${live.port}`
			const send = (message) => live.web.get('/api/v1/ingest', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(message) })
			await send({ type: 'event.published', event_id: 1, name: 'First concert', capacity: 10, occurred_at: iso(-1) })
			await send({ type: 'booking.created', status: 'confirmed', booking_id: 'a', event_id: 1, seats: 2, occurred_at: iso(0) })
			await until(async () => await live.db.value('SELECT ranked_version = version AND timezone IS NOT NULL FROM booking_site') === true, { what: 'the first figures' })
			const page = await openPage(browser, origin)
			await page.goto(`${origin}/admin/events/1`)
			await page.waitForSelector('#state[data-state="live"]')
			assert.equal(await page.getAttribute('#seats', 'value'), '2')
			await send({ type: 'booking.cancelled', booking_id: 'a', event_id: 1, occurred_at: iso(0, 1) })
			await page.waitForFunction(() => document.querySelector('#seats').value === '0')
			await page.goto(`${origin}/admin/live`)
			assert.match(await page.textContent('#leaders'), /First concert/)
			assert.equal(await page.locator('#revenue').count(), 0)
			const reply = await live.web.get('/api/admin/analytics/live')
			assert.equal(reply.status, 404)
			assert.deepEqual(page.troubles, [])
		} finally {
			await browser.close()
			await live.stop()
		}
	})
})
