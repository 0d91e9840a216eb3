// paths_oracle.mjs: paths by docs/BEHAVIOUR.md, "Paths", worked out list by list. Events are {person, at (microseconds), seq, type,
// page, session, said}; a label is any text, and `label` says that of an event (undefined: none).

// The sessions of events: those that were said, and those that gaps make of what one id did.
export function sessionsOf(events, timeoutUs) {
	const keys = new Map()
	for (const e of [...events].sort((a, b) => a.at - b.at || a.seq - b.seq)) {
		const key = JSON.stringify([e.person, e.session, e.said])
		const list = keys.get(key) ?? keys.set(key, []).get(key), last = list.at(-1)
		if (last && (e.said || (e.at - last.at(-1).at <= timeoutUs && e.at - last[0].at <= 86_400_000_000))) last.push(e)
		else list.push([e])
	}
	return [...keys.values()].flat()
}

// The list of a session, or undefined where it has none.
export function listOf(session, { label, collapse, start, end, depth }) {
	let list = session.map(label).filter((l) => l !== undefined)
	if (collapse) list = list.filter((l, i) => l !== list[i - 1])
	if (end !== undefined) list = list.slice(0, list.lastIndexOf(end) + 1).reverse()
	if (start !== undefined) list = list.includes(start) ? list.slice(list.indexOf(start)) : []
	return list.length ? list.slice(0, depth) : undefined
}

const sum = (counts) => [...counts.values()].reduce((a, b) => a + b, 0)
const add = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1)

// {events, from, to, timeout, label, collapse, start, end, depth, top, isOther, order}: order compares labels with as many sessions.
export function pathsOf(q) {
	const lists = sessionsOf(q.events, q.timeout).filter((s) => s[0].at >= q.from && s[0].at < q.to).map((s) => listOf(s, q)).filter(Boolean)
	const steps = []
	for (let i = 0; i < q.depth && lists.some((l) => l.length >= i); i++) {
		if (lists.length === 0) break
		const counts = new Map()
		for (const l of lists) if (l.length > i) add(counts, l[i])
		const top = [...counts.keys()].filter((l) => !q.isOther(l)).sort((a, b) => counts.get(b) - counts.get(a) || q.order(a, b)).slice(0, q.top)
		const node = (l) => l.length <= i ? '(drop-off)' : top.includes(l[i]) ? `=${l[i]}` : '(other)'
		const nodes = new Map(), links = new Map()
		for (const l of lists) if (l.length >= i) add(nodes, node(l))
		steps.push({ sessions: sum(counts), top, nodes, node, links })
	}
	for (const [i, s] of steps.entries()) if (steps[i + 1])
		for (const l of lists) if (l.length > i) add(s.links, `${s.node(l)} ${steps[i + 1].node(l)}`)
	const whole = new Map()
	for (const l of lists) add(whole, JSON.stringify(l))
	const byOrder = (a, b) => {
		const at = a.findIndex((l, i) => i >= b.length || l !== b[i])
		return at < 0 ? a.length - b.length : at >= b.length ? 1 : q.order(a[at], b[at])
	}
	const paths = [...whole].map(([l, n]) => ({ labels: JSON.parse(l), sessions: n })).sort((a, b) => b.sessions - a.sessions || byOrder(a.labels, b.labels))
	return { sessions: lists.length, steps, paths }
}
