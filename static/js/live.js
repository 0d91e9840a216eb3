/* live.js: keeps the page of live figures what the server says: over a WebSocket, by asking every
 * five seconds where there is none, and in any case saying how old it is. */
(function () {
	'use strict'

	const main = document.querySelector('[data-live]')
	if (!main) return
	const find = (selector) => document.querySelector(selector)
	const STALE_MS = 15000, POLL_MS = 5000, RETRY_MOST_MS = 30000, COME_AGAIN = 1012, FULL = 1013
	const state = find('#state'), words = find('#state-words')
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
		if (e.tagName === 'DATA') e.value = value
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
		source: (s) => find('#source').replaceChildren(...sourceWords(s)),
	}

	function take(members, asOf) {
		const told = Object.keys(show).filter((key) => members[key])
		Object.assign(picture, members)
		// Another business day has begun: its name stands in more places than figures do.
		if (picture.site && picture.site.date !== main.dataset.date) location.reload()
		if (told.includes('today') && !told.includes('before') && picture.before) told.push('before')
		const once = told.includes('minutes') ? told.filter((key) => key !== 'minute') : told
		for (const key of once) show[key](picture[key])
		seen(asOf)
		if (members.source) streamIsOff(Boolean(members.source.is_off))
	}

	// ---- how it is

	let heardAt = Date.now() // by this clock
	let way = 'connecting', madeAt = Date.parse(main.dataset.asOf), skew = null, said = ''

	function seen(asOf) {
		madeAt = Date.parse(asOf)
		heardAt = Date.now()
		// The two clocks need not agree: the least difference is that between them.
		skew = skew === null ? heardAt - madeAt : Math.min(skew, heardAt - madeAt)
		find('#clock').textContent = clock(madeAt)
		say()
	}

	// The figures are as old as their time, however lively the connection is.
	const age = () => Math.max(0, Date.now() - madeAt - (skew ?? 0))
	const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: picture.site?.tz })

	function say() {
		const stale = skew !== null ? age() > STALE_MS : Date.now() - heardAt > STALE_MS
		const text = stale ? `Stale since ${clock(madeAt)}` : { live: 'Live', polling: 'Polling every 5 s', away: 'Reconnecting …', connecting: 'Connecting …' }[way]
		state.classList.toggle('is-late', stale)
		state.classList.toggle('is-away', !stale && (way === 'away' || way === 'connecting'))
		main.classList.toggle('is-stale', stale)
		state.dataset.state = stale ? 'stale' : way
		if (text !== said) words.textContent = said = text
		find('#age').textContent = stale || skew === null ? '' : `${Math.floor(age() / 1000)} s ago`
	}

	function goes(by) {
		way = by
		say()
	}

	// ---- by WebSocket, else by asking

	let socket = null, dialledAt = 0, seq = null, failures = 0, retry = null, poll = null, etag = null

	async function ask() {
		try {
			const reply = await fetch('/api/admin/analytics/live', { headers: etag ? { 'If-None-Match': etag } : {}, cache: 'no-store', signal: AbortSignal.timeout(POLL_MS) })
			if (reply.status === 401) return location.reload() // to log in again
			if (reply.status === 304) seen(reply.headers.get('Date') ?? new Date().toISOString())
			if (reply.ok) {
				const { as_of: asOf, ...members } = await reply.json()
				etag = reply.headers.get('ETag')
				take(members, asOf)
			}
			if ((reply.ok || reply.status === 304) && !socket) goes('polling')
		} catch {
			say() // it is stale when it is
		}
	}

	function pollOn(on) {
		if (on === Boolean(poll)) return
		clearInterval(poll)
		poll = on ? setInterval(ask, POLL_MS) : null
		if (on) ask()
	}

	function lost() {
		failures++
		// Twice in a row is no hiccup.
		if (failures > 1) pollOn(true)
		if (!poll || way !== 'polling') goes('away')
		const most = Math.min(RETRY_MOST_MS, 500 * 2 ** failures)
		clearTimeout(retry)
		retry = setTimeout(connect, failures === 1 ? Math.random() * 400 : most * (0.5 + Math.random() / 2))
	}

	function hear({ type, seq: number, as_of: asOf, data }) {
		seq = number
		failures = 0
		pollOn(false)
		if (type === 'heartbeat') seen(asOf)
		else take(data, asOf)
		goes('live')
	}

	// Where no stream runs nobody is there to be dialled; asking says when one does.
	let off = main.hasAttribute('data-off')

	function streamIsOff(isOff) {
		if (off === isOff) return
		off = isOff
		if (!off && !socket) connect()
	}

	function connect() {
		clearTimeout(retry)
		if (off) return pollOn(true)
		if (socket) return
		const url = new URL('/ws/realtime', location.href)
		url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
		if (seq !== null) url.searchParams.set('since', seq)
		const mine = new WebSocket(url)
		socket = mine
		dialledAt = Date.now()
		mine.onmessage = (e) => { if (mine === socket) hear(JSON.parse(e.data)) }
		mine.onclose = ({ code }) => {
			if (mine !== socket) return
			socket = null
			if (code === COME_AGAIN) return connect()
			if (code === FULL) failures++ // it may take a while: ask meanwhile
			lost()
		}
	}

	// A socket that says nothing for longer than it ever should is none.
	function check() {
		say()
		if (socket && Date.now() - Math.max(heardAt, dialledAt) > STALE_MS) {
			const silent = socket
			socket = null
			silent.onclose = silent.onmessage = null
			silent.close()
			lost()
		}
	}

	function again() {
		failures = 0
		if (!socket || Date.now() - heardAt > POLL_MS * 2) {
			if (socket) socket.onclose = socket.onmessage = null
			socket?.close()
			socket = null
			connect()
		}
		check()
	}

	setInterval(check, 1000)
	addEventListener('online', again)
	addEventListener('offline', () => goes('away'))
	addEventListener('pageshow', (e) => { if (e.persisted) again() })
	document.addEventListener('visibilitychange', () => { if (!document.hidden) again() })
	connect()
})()
