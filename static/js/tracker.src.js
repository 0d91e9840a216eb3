// tracker.src.js: what a page loads to say what people do on it (docs/ACTIVITY.md, "From a page"). The makefile makes
// static/tracker.js of it, without comments and spaces: under 2 kB, so that a page hardly notices; names are short for that.
//
// An event waits in localStorage until the server has it: a page that is left, a server that is away or a train in a
// tunnel loses none, and as each has an id of its own none counts twice. Where the browser says that its user does not
// want to be tracked, nothing is sent and nothing is stored.
((w, d, n, l, u) => {
	let me = d.currentScript, url = me.src.replace(/static.tracker.*/, 'events/batch?key=' + me.dataset.key)
	// Whether nothing is sent; what is under way, the next look, whether the last one went badly, the page last told of.
	let off = n.doNotTrack == 1 || w.doNotTrack == 1 || n.globalPrivacyControl, early = w.takings?.q || [], on = [], t, bad, seen, mem = {}
	// What is stored under a key, or storing it. Storage may be forbidden, or full.
	let kv = (k, v) => {
		try {
			let area = k == 's' ? sessionStorage : localStorage
			k = 'takings_' + k
			if (v === u) return JSON.parse(area[k])
			area[k] = JSON.stringify(v)
		} catch {}
		return v === u ? mem[k] : mem[k] = v
	}
	// crypto.randomUUID is there with https only.
	let uuid = () => '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, c => (c ^ crypto.getRandomValues(new Uint8Array(1))[0] & 15 >> c / 4).toString(16))
	// The events that wait, and those of them that are not under way.
	let all = () => kv('q') || []
	let rest = () => all().filter(e => !on.some(b => b.event_id == e.event_id))
	let body = a => JSON.stringify(a.map(e => ({ ...e, sent_at: Date.now() })))
	let plan = ms => t ||= setTimeout(send, ms)
	let send = () => {
		t = clearTimeout(t)
		if (off || on[0] || !(on = all().slice(0, 20))[0]) return
		let b = body(on)
		// More than 64 KiB is never sent with keepalive: it would wait for ever, and all that comes behind it.
		fetch(url, { method: 'POST', body: b, keepalive: b.length < 2e4, credentials: 'omit' }).catch(e => e).then(({ status: c }) => {
			// A key that is refused is refused for the whole page.
			off ||= c == 401 || c == 403
			// What the server refuses it will never take.
			bad = !(c < 500) || c == 429
			bad || kv('q', rest())
			on = []
			all()[0] && plan(bad ? 2e4 : 0)
		})
	}
	let track = (type, more) => {
		if (off) return
		let now = Date.now(), s = kv('s')
		s = kv('s', [s && now - s[1] < 18e5 ? s[0] : uuid(), now])
		kv('q', [...all(), {
			event_type: type, event_id: uuid(), timestamp: now, session_id: s[0], user_id: kv('user') || u,
			anonymous_id: kv('id') || kv('id', uuid()), properties: { page: l.pathname + l.search, ...more }
		}].slice(-100))
		plan(50)
	}
	let view = () => {
		let page = l.pathname + l.search, utm = k => new URLSearchParams(l.search).get('utm_' + k) || u
		page != seen && track('page_view', { referrer: !seen && d.referrer || u, utm_source: utm('source'), utm_campaign: utm('campaign') })
		seen = page
	}
	w.takings = track
	track.identify = id => off || kv('user', id)
	for (let k of ['pushState', 'replaceState']) {
		let was = history[k]
		history[k] = (...a) => { was.apply(history, a); view() }
	}
	addEventListener('popstate', view)
	addEventListener('online', send)
	// What is under way arrives, too, in most cases: it is sent with keepalive. It waits on: once more it counts no more.
	addEventListener('pagehide', () => {
		let a = rest()
		if (!off && !bad && n.onLine && (!a[0] || n.sendBeacon(url, body(a)))) kv('q', on)
	})
	view()
	for (let call of early) track(...call)
})(window, document, navigator, location)
