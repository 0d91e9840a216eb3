/* bookings.js: keeps a page of bookings what the server says: when feed.js tells that figures have
 * changed, the page is asked for again and its parts, the elements with data-part, become what they
 * are there. What has the focus keeps it, open tables stay open, and charts are drawn anew. */
(function () {
	'use strict'

	const main = document.querySelector('[data-bookings]')
	if (!main || !document.querySelector('#state')) return
	const AGAIN_MS = 5000, APART_MS = 1000, WAIT_MS = 10_000

	// ---- one element becomes another

	const keyOf = (e) => (e.nodeType === Node.ELEMENT_NODE ? e.dataset?.key ?? e.dataset?.date : undefined)

	function become(old, now) {
		if (old.isEqualNode(now)) return old
		if (old.nodeName !== now.nodeName || keyOf(old) !== keyOf(now)) {
			old.replaceWith(now)
			return now
		}
		if (old.nodeType !== Node.ELEMENT_NODE) {
			old.data = now.data
			return old
		}
		const moved = old.dataset.rank !== undefined && old.dataset.rank !== now.dataset.rank
		for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name)
		for (const { name, value } of [...now.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value)
		becomeChildren(old, [...now.childNodes])
		if (moved) old.classList.add('is-new')
		return old
	}

	// Rows with a key go along with it.
	function becomeChildren(old, list) {
		const known = new Map([...old.children].filter(keyOf).map((e) => [keyOf(e), e]))
		let at = old.firstChild
		for (const now of list) {
			const mine = known.get(keyOf(now)) ?? (at && !keyOf(at) ? at : null)
			if (!mine) {
				old.insertBefore(now, at)
				if (known.size) now.classList?.add('is-new')
				continue
			}
			if (mine !== at) old.insertBefore(mine, at)
			at = become(mine, now).nextSibling
		}
		while (at) {
			const next = at.nextSibling
			at.remove()
			at = next
		}
	}

	// ---- the page again

	const partsOf = (node) => [...node.querySelectorAll('[data-part]')]
	const names = (parts) => parts.map((e) => e.dataset.part).join()

	function becomePage(text) {
		const page = new DOMParser().parseFromString(text, 'text/html'), now = page.querySelector('main')
		const mine = partsOf(main), theirs = partsOf(now)
		// Another shape of page: the first booking, or an event that got a limit.
		if (names(mine) !== names(theirs) || columnsOf(main) !== columnsOf(now)) return location.reload()
		const focused = document.activeElement
		mine.forEach((part, i) => become(part, document.adoptNode(theirs[i])))
		if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true })
		for (const name of ['version', 'asOf', 'clock']) main.dataset[name] = now.dataset[name]
		document.dispatchEvent(new Event('figureschange'))
	}

	const columnsOf = (node) => [...node.querySelectorAll('table')].map((t) => t.tHead?.rows[0].cells.length ?? 0).join()

	let version = Number(main.dataset.version), busy = null, later = null

	async function fetchPage() {
		const reply = await fetch(location.href, { cache: 'no-store', headers: { Accept: 'text/html' }, signal: AbortSignal.timeout(WAIT_MS) })
		if (reply.redirected) return location.reload() // to log in again
		if (reply.status === 404) return location.reload()
		if (!reply.ok) throw new Error(reply.statusText)
		becomePage(await reply.text())
	}

	// One at a time, and at once where the last one is a while ago.
	function refresh() {
		if (busy) return busy
		clearTimeout(later)
		busy = fetchPage().then(() => true, () => false).then(async (well) => {
			later = setTimeout(() => {
				busy = null
				if (!document.hidden && Number(main.dataset.version) < version) refresh()
			}, well ? APART_MS : AGAIN_MS)
			return well
		})
		return busy
	}

	function take({ bookings }) {
		if (!bookings) return
		version = Math.max(version, bookings.version)
		if (!document.hidden && Number(main.dataset.version) < version) refresh()
	}

	const ask = async () => ((await refresh()) ? main.dataset.asOf : null)
	document.addEventListener('visibilitychange', () => { if (!document.hidden && Number(main.dataset.version) < version) refresh() })
	takingsFeed({ main, take, ask, zone: () => main.dataset.tz || undefined, off: false }).connect()
})()
