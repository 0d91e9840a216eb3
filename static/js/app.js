/* app.js: what every page does beyond its HTML: theme, keys, folding of the tables under charts. */
(function () {
	'use strict'

	const root = document.documentElement
	const find = (selector) => document.querySelector(selector)

	// ---- theme: auto, light, dark; charts redraw on 'themechange'

	const names = ['auto', 'light', 'dark']
	const system = matchMedia('(prefers-color-scheme: dark)')
	const announce = () => document.dispatchEvent(new Event('themechange'))

	function remember(theme) {
		try {
			if (theme === 'auto') localStorage.removeItem('theme')
			else localStorage.setItem('theme', theme)
		} catch { /* it holds for this page */ }
	}

	function setTheme(theme) {
		if (theme === 'auto') delete root.dataset.theme
		else root.dataset.theme = theme
		const name = find('[data-theme-name]')
		if (name) name.textContent = theme
		announce()
	}

	const tools = find('[data-tools]')
	if (tools) {
		tools.hidden = false
		find('[data-theme-name]').textContent = root.dataset.theme || 'auto'
		find('[data-theme-switch]').addEventListener('click', () => {
			const next = names[(names.indexOf(root.dataset.theme || 'auto') + 1) % names.length]
			setTheme(next)
			remember(next)
		})
	}
	system.addEventListener('change', announce)
	matchMedia('print').addEventListener('change', announce)

	// ---- tables under charts

	for (const details of document.querySelectorAll('details.data')) {
		details.open = 'keep' in details.dataset
		details.dataset.ready = ''
	}
	const printed = []
	addEventListener('beforeprint', () => {
		for (const details of document.querySelectorAll('details.data:not([open])')) {
			if (find(`[data-chart="${details.dataset.of}"]`)?.classList.contains('is-off')) printed.push(details)
			details.open = details.open || printed.includes(details)
		}
	})
	addEventListener('afterprint', () => { for (const details of printed.splice(0)) details.open = false })

	// ---- saving what is seen

	function save(name, url) {
		const link = document.createElement('a')
		link.href = url
		link.download = name
		link.click()
		setTimeout(() => URL.revokeObjectURL(url), 1000)
	}

	function button(label, act) {
		const b = document.createElement('button')
		b.type = 'button'
		b.textContent = label
		b.addEventListener('click', act)
		return b
	}

	for (const details of document.querySelectorAll('details.data')) {
		const name = `takings-${details.dataset.of}-${find('main').dataset.days ?? ''}.png`
		const line = details.querySelector('.save')
		line?.append(button('Save as PNG', () =>
			document.dispatchEvent(new CustomEvent('savechart', { detail: { chart: details.dataset.of, save: (url) => save(name, url) } }))))
	}

	// The longest share bar fills its column; without script a bar is its share of the whole.
	const bars = [...document.querySelectorAll('svg.share')]
	const most = Math.max(...bars.map((b) => Number(b.dataset.share)))
	if (most > 0) for (const b of bars) b.setAttribute('viewBox', `0 0 ${most} 1`)

	// ---- menus: one open at a time, closed by Escape and by a click elsewhere

	const menus = [...document.querySelectorAll('details.menu')]
	const closeMenus = (but) => menus.forEach((m) => { if (m !== but) m.open = false })
	for (const menu of menus) menu.addEventListener('toggle', () => { if (menu.open) closeMenus(menu) })
	document.addEventListener('click', (e) => closeMenus(e.target.closest?.('details.menu')))

	// ---- keys

	const dialog = find('#keys'), search = find('#search')
	if (!dialog) return // a page without the frame
	for (const box of [dialog, search]) box.addEventListener('click', (e) => { if (e.target === box) box.close() })
	find('[data-keys-open]').addEventListener('click', () => dialog.showModal())
	find('[data-search-open]').addEventListener('click', () => openSearch())

	const follow = (selector) => {
		const link = find(selector)
		if (link) location.assign(link.href)
	}
	const chooseDays = () => {
		const menu = find('[data-menu="period"]')
		if (!menu) return
		menu.open = true
		find('#date').focus()
	}
	const keys = {
		ArrowLeft: () => follow('a[rel="prev"]'),
		'[': () => follow('a[rel="prev"]'),
		ArrowRight: () => follow('a[rel="next"]'),
		']': () => follow('a[rel="next"]'),
		d: chooseDays,
		'/': () => openSearch(),
		'?': () => dialog.showModal(),
	}
	for (const link of document.querySelectorAll('a[data-key]')) keys[link.dataset.key] = () => location.assign(link.href)

	document.addEventListener('keydown', (e) => {
		if (e.key === 'Escape') {
			if (e.target.matches?.('.term button')) e.target.blur()
			const menu = e.target.closest?.('details.menu[open]') ?? menus.find((m) => m.open)
			closeMenus()
			menu?.querySelector('summary').focus()
		}
		// [ ] and ? need AltGr (Ctrl + Alt) on some keyboards.
		const modified = (e.ctrlKey !== e.altKey) || e.metaKey || (e.shiftKey && e.key.startsWith('Arrow'))
		if (e.defaultPrevented || modified || dialog.open || search.open) return
		if (e.target.closest?.('input, select, textarea, [role="region"]')) return
		const act = Object.hasOwn(keys, e.key) ? keys[e.key] : null
		if (!act) return
		e.preventDefault()
		act()
	})

	// ---- going to a page or an item by its name

	const field = find('#search-q'), list = find('#search-list')
	const pages = [...document.querySelectorAll('.nav li a')].map((a) => ({ text: a.textContent, href: a.href, kind: 'Page' }))
	let items = null, asked = 0, at = 0

	function openSearch() {
		field.value = ''
		tell([])
		search.showModal()
		suggest()
	}

	function tell(found) {
		at = 0
		list.replaceChildren(...found.map(({ text, href, kind }, i) => {
			const row = document.createElement('li'), link = document.createElement('a'), what = document.createElement('span')
			link.href = href
			link.textContent = text
			what.className = 'soft'
			what.textContent = kind
			link.append(what)
			if (i === 0) link.setAttribute('aria-current', 'true')
			row.append(link)
			return row
		}))
	}

	// By the page of events, for whoever has it: it knows them all.
	async function events(words) {
		if (!find('.nav a[href="/admin/events"]')) return []
		const text = await fetch(`/admin/events?limit=5&q=${encodeURIComponent(words)}`).then((r) => (r.ok ? r.text() : '')).catch(() => '')
		const found = new DOMParser().parseFromString(text, 'text/html').querySelectorAll('[data-part="events"] th a')
		return [...found].map((a) => ({ text: a.textContent, href: a.getAttribute('href'), kind: 'Event' }))
	}

	async function suggest() {
		const words = field.value.trim().toLowerCase(), turn = ++asked
		const fits = ({ text }) => text.toLowerCase().includes(words)
		tell(pages.filter(fits))
		if (!words) return
		items ??= fetch('/api/admin/analytics/top-items?limit=100').then((r) => (r.ok ? r.json() : { items: [] })).catch(() => ({ items: [] }))
		const sold = (await items).items.map((i) => ({ text: i.name, href: `/admin/items/${encodeURIComponent(i.item_id)}`, kind: 'Item' }))
		const booked = await events(words)
		if (turn === asked) tell([...pages.filter(fits), ...sold.filter(fits), ...booked].slice(0, 9))
	}

	field.addEventListener('input', suggest)
	field.addEventListener('keydown', (e) => {
		const links = [...list.querySelectorAll('a')]
		const step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
		if (step && links.length) {
			e.preventDefault()
			links[at]?.removeAttribute('aria-current')
			at = (at + step + links.length) % links.length
			links[at].setAttribute('aria-current', 'true')
		}
		if (e.key === 'Enter' && links[at]) {
			e.preventDefault()
			location.assign(links[at].href)
		}
	})
})()
