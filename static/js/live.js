/* live.js: keeps the page of live figures what the server says (feed.js brings it). */
(function () {
	'use strict'

	const main = document.querySelector('[data-live]')
	if (!main) return
	const find = (selector) => document.querySelector(selector)
	const POLL_MS = 5000
	const showsCustomers = Boolean(find('.recent thead .is-second'))
	const picture = {} // the members as last told

	// ---- as lib/domain/format.c writes them

	const NARROW = '\u202f', MINUS = '\u2212', DASH = '–'
	const SIGNS = { EUR: '€', USD: '$', GBP: '£', JPY: '¥', INR: '₹' }
	const currency = () => picture.site?.currency ?? 'EUR'
	const grouped = (n, digits) => Math.abs(n).toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits })
	const number = (n, digits) => (n === null ? DASH : `${n < 0 ? MINUS : ''}${grouped(n, digits ?? (Number.isInteger(n) ? 0 : String(n).split('.')[1].length))}`)
	const digitsOf = (code) => new Intl.NumberFormat('en-GB', { style: 'currency', currency: code }).resolvedOptions().maximumFractionDigits
	function money(n, code = currency()) {
		if (n === null) return DASH
		const digits = code === picture.site?.currency ? picture.site.currency_digits : digitsOf(code)
		return `${n < 0 ? MINUS : ''}${SIGNS[code] ?? code}${NARROW}${grouped(n, digits)}`
	}
	const change = (n) => `${n < 0 ? MINUS : n > 0 ? '+' : ''}${grouped(n, 1)}${NARROW}%`

	// ---- elements

	function element(tag, { text, ...attributes } = {}, ...children) {
		const e = document.createElement(tag)
		for (const [name, value] of Object.entries(attributes)) if (value !== undefined) e.setAttribute(name, value)
		e.append(...(text === undefined ? children : [text]))
		return e
	}

	function tell(id, value, text) {
		const e = find(`#${id}`)
		if (e.textContent !== text) e.textContent = text
		if (e.tagName === 'DATA') e.value = value ?? ''
	}

	const figure = (value, text) => element('td', { class: 'n', 'data-value': value ?? undefined, text })
	const rowHead = (text, name) => element('th', { scope: 'row', class: name, text })
	const nothing = (columns, text) => [element('tr', {}, element('td', { colspan: columns, class: 'soft', text }))]
	const fill = (id, rows) => find(`#${id}`).replaceChildren(...rows)

	// ---- the members

	function compareWords(b) {
		if (!b.known) return [element('span', { class: 'soft', text: `no figures for ${b.words}` })]
		if (b.is_new) return [element('span', { class: 'change', text: 'new' }), `: no revenue ${b.words} by this time`]
		if (!b.has_revenue_change) return []
		const way = b.revenue_change > 0 ? 'up' : b.revenue_change < 0 ? 'down' : 'flat'
		return [element('span', { class: `change is-${way}`, text: change(b.revenue_change) }),
			` on ${b.words} at ${b.exact ? '' : 'about '}the same time (${money(b.base_revenue)})`]
	}

	const minuteRow = (m, partial) => element('tr', { 'data-partial': partial }, rowHead(m.clock), figure(m.orders, number(m.orders)), figure(m.revenue, money(m.revenue)))

	function orderRow(o, known) {
		const row = element('tr', { 'data-order': o.order_id, class: known.size && !known.has(o.order_id) ? 'is-new' : undefined },
			element('td', { text: o.clock }), rowHead(o.order_id, 'name'), element('td', { class: 'name', text: o.status }))
		if (showsCustomers) row.append(element('td', { class: 'name is-second', text: o.customer_id ?? '' }))
		row.append(figure(o.total, o.currency ? money(o.total, o.currency) : DASH))
		return row
	}

	function productRow(p) {
		const link = element('a', { class: 'name', href: `/admin/items/${encodeURIComponent(p.product_id)}`, text: p.name })
		return element('tr', { 'data-item': p.product_id }, element('th', { scope: 'row' }, link), figure(p.quantity, number(p.quantity)), figure(p.revenue, money(p.revenue)))
	}

	function leaderRow(e, was) {
		const seats = figure(e.seats, number(e.seats)), id = String(e.event_id), moved = was.size && was.get(id) !== String(e.rank)
		if (e.capacity !== null) seats.append(element('span', { class: 'soft', text: ` / ${number(e.capacity)}` }))
		if (e.overbooked) seats.append(' ', element('strong', { class: 'is-over', text: 'overbooked' }))
		return element('tr', { 'data-event': id, 'data-rank': e.rank, class: moved ? 'is-new' : undefined }, element('td', { class: 'place', text: String(e.rank) }),
			element('th', { scope: 'row' }, element('a', { class: 'name', href: `/admin/events/${id}`, text: e.name })), figure(e.bookings, number(e.bookings)), seats)
	}

	const percent = (n) => (n === null ? DASH : `${grouped(n, 1)}${NARROW}%`)

	// When it was, seen from now.
	function ago(at) {
		const s = Math.max(0, Math.floor((Date.now() - Date.parse(at)) / 1000))
		return s < 60 ? `${s} s ago` : s < 3600 ? `${Math.floor(s / 60)} min ago` : `${Math.floor(s / 3600)} h ago`
	}

	function tick() {
		for (const t of document.querySelectorAll('#feed time')) if (t.textContent !== ago(t.dateTime)) t.textContent = ago(t.dateTime)
	}

	function feedRow(e, known) {
		const row = element('tr', { 'data-entry': e.entry, class: known.size && !known.has(e.entry) ? 'is-new' : undefined },
			element('td', {}, element('time', { datetime: e.at, text: ago(e.at) })), rowHead(e.event_type, 'name'), element('td', { class: 'name', text: e.product ?? e.page ?? '' }))
		if (find('.feed thead .is-second')) row.append(element('td', { class: 'name is-second', text: e.who ?? '' }))
		return row
	}

	function sourceWords(s) {
		const notice = (warn, title, ...rest) => [element('div', { class: `notice${warn ? ' is-warn' : ''}` }, element('p', {}, element('strong', { text: title }), ...rest))]
		const doctor = () => element('code', { text: 'takings-batch doctor' })
		if (s.is_off) return notice(true, 'No stream runs.', ' Nothing here moves until it does; on the server, ', doctor(), ' says what is in the way.')
		if (s.is_waiting) return notice(false, 'Waiting for the first order.', ' The stream runs and has read nothing yet. If orders were placed since, ', doctor(), ' says what is in the way.')
		if (s.is_bad) return notice(true, 'The stream is not well.', ' ', element('span', { class: 'name', text: s.detail }), '. Figures may be behind; none is lost.')
		return s.lag_s ? notice(false, 'Catching up.', ` The figures are ${number(s.lag_s)} s behind the newest order.`) : []
	}

	function showMinutes() {
		fill('minutes', [...(picture.minutes ?? []).map((m) => minuteRow(m)), ...(picture.minute ? [minuteRow(picture.minute, 'so far')] : [])])
		setTimeout(() => document.dispatchEvent(new Event('figureschange'))) // figures do not wait for their chart
	}

	const show = {
		today(t) {
			tell('revenue', t.revenue, money(t.revenue))
			tell('orders', t.orders, number(t.orders))
			tell('average', t.avg_order_value, money(t.avg_order_value))
		},
		before(b) {
			find('#compare').replaceChildren(...compareWords(b))
			tell('orders-before', null, b.known ? `${number(b.base_orders)} ${b.words} by now` : `${number(picture.today.placed_orders)} placed`)
		},
		rates(r) {
			tell('rate', r.orders_per_minute, number(r.orders_per_minute, 1))
			tell('rate-revenue', r.revenue_per_minute, money(r.revenue_per_minute))
			tell('rate-cancelled', r.cancelled_per_minute, number(r.cancelled_per_minute, 1))
		},
		minutes: showMinutes,
		minute: showMinutes,
		top_products: (list) => fill('products', list.length ? list.map(productRow) : nothing(3, 'Nothing sold yet today.')),
		statuses: (list) => fill('statuses', list.length ? list.map((s) => element('tr', {}, rowHead(s.status, 'name'), figure(s.orders, number(s.orders)))) : nothing(2, 'No orders yet today.')),
		recent_orders(list) {
			const known = new Set([...document.querySelectorAll('#recent [data-order]')].map((r) => r.dataset.order))
			fill('recent', list.length ? list.map((o) => orderRow(o, known)) : nothing(5, 'No orders yet.'))
		},
		bookings(b) {
			if (!find('#leaders')) return location.reload() // the first ones
			tell('bookings-new', b.new_bookings, number(b.new_bookings))
			tell('bookings-cancelled', b.cancelled_bookings, number(b.cancelled_bookings))
			tell('bookings-seats', b.seats_sold, number(b.seats_sold))
			tell('bookings-revenue', b.booking_revenue, money(b.booking_revenue, b.currency))
			const was = new Map([...document.querySelectorAll('#leaders [data-event]')].map((r) => [r.dataset.event, r.dataset.rank]))
			fill('leaders', b.leaders.length ? b.leaders.map((e) => leaderRow(e, was)) : nothing(4, 'Nothing is booked yet.'))
		},
		activity(a) {
			tell('active-users', a.active_users, number(a.active_users))
			tell('active-users-5m', null, number(a.active_users_5m))
			tell('active-sessions', a.active_sessions, number(a.active_sessions))
			tell('sessions-today', null, number(a.sessions_today))
			tell('cart', a.cart_value_avg, money(a.cart_value_avg, a.currency))
			tell('carts', null, number(a.carts))
			tell('conversion', a.conversion_rate, percent(a.conversion_rate))
		},
		activity_pages: (list) => fill('pages', list.length ? list.map((p) => element('tr', {}, rowHead(p.page, 'name'), figure(p.users, number(p.users)))) : nothing(2, 'Nobody is on a page.')),
		activity_feed(list) {
			const known = new Set([...document.querySelectorAll('#feed [data-entry]')].map((r) => r.dataset.entry))
			fill('feed', list.length ? list.map((e) => feedRow(e, known)) : nothing(4, 'Nothing within a day.'))
		},
		source: (s) => find('#source').replaceChildren(...sourceWords(s)),
	}

	function take(members) {
		const told = Object.keys(show).filter((key) => members[key])
		if (members.site && !find('#revenue')) return location.reload() // the batch has run for the first time
		if (members.activity && !find('#feed')) return location.reload() // the first events
		Object.assign(picture, members)
		// Another business day has begun: its name stands in more places than figures do.
		if (picture.site && picture.site.date !== main.dataset.date) location.reload()
		if (told.includes('today') && !told.includes('before') && picture.before) told.push('before')
		const once = told.includes('minutes') ? told.filter((key) => key !== 'minute') : told
		for (const key of once) show[key](picture[key])
		if (members.source) feed.streamIsOff(Boolean(members.source.is_off))
	}

	// ---- asking

	let etag = null

	// Gives when the figures were read, or null where they did not come.
	async function ask() {
		const reply = await fetch('/api/admin/analytics/live', { headers: etag ? { 'If-None-Match': etag } : {}, cache: 'no-store', signal: AbortSignal.timeout(POLL_MS) })
		if (reply.status === 401) location.reload() // to log in again
		if (reply.status === 304) return reply.headers.get('Date') ?? new Date().toISOString()
		if (!reply.ok) return null
		const { as_of: asOf, ...members } = await reply.json()
		etag = reply.headers.get('ETag')
		take(members)
		return asOf
	}

	const feed = takingsFeed({ main, take, ask, zone: () => picture.site?.tz, off: main.hasAttribute('data-off') })
	feed.connect()
	tick()
	setInterval(tick, 1000)
})()
