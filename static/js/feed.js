/* feed.js: what happens, told over a WebSocket, by asking every five seconds where there is none; and
 * in any case how old it is: #state of the page says so.
 *
 * take(members) is given what the server tells; ask() gives when the figures it brought were
 * read, or null; zone() is the site's time zone; off: no stream runs that could be dialled. */
window.takingsFeed = function (page) {
	'use strict'

	const { main, take, ask, zone } = page
	let off = page.off
	const find = (selector) => document.querySelector(selector)
	const STALE_MS = 15000, POLL_MS = 5000, RETRY_MOST_MS = 30000, COME_AGAIN = 1012, FULL = 1013
	const state = find('#state'), words = find('#state-words')

	// ---- how it is

	let heardAt = Date.now() // by this clock
	let way = 'connecting', madeAt = Date.parse(main.dataset.asOf), skew = null, said = ''

	function seen(asOf) {
		madeAt = Date.parse(asOf)
		heardAt = Date.now()
		// The two clocks need not agree: the least difference is that between them.
		skew = skew === null ? heardAt - madeAt : Math.min(skew, heardAt - madeAt)
		const at = find('#clock')
		if (at) at.textContent = clock(madeAt)
		say()
	}

	// The figures are as old as their time, however lively the connection is.
	const age = () => Math.max(0, Date.now() - madeAt - (skew ?? 0))
	const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: zone() })

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

	let socket = null, dialledAt = 0, seq = null, failures = 0, retry = null, poll = null

	async function askOnce() {
		try {
			const asOf = await ask()
			if (asOf) seen(asOf)
			if (asOf && !socket) goes('polling')
		} catch {
			say() // it is stale when it is
		}
	}

	function pollOn(on) {
		if (on === Boolean(poll)) return
		clearInterval(poll)
		poll = on ? setInterval(askOnce, POLL_MS) : null
		if (on) askOnce()
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
		if (type !== 'heartbeat') take(data)
		seen(asOf)
		goes('live')
	}

	// Where no stream runs nobody is there to be dialled; asking says when one does.
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
	return { connect, streamIsOff }
}
