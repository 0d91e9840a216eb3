// funnel_oracle.mjs: docs/BEHAVIOUR.md, "Funnels", word by word and without any cleverness. Events: { at (microseconds), type, session,
// said, amount (minor units; null: not said), dims: { name: value } }, in order. A funnel: { steps: [{ type, filters: { name: [values] } }],
// order, unit, window, from, to, asOf, breakdown, timeout }, times in microseconds.
import { percent } from './cohorts.mjs'

const DAY = 86_400_000_000

const fits = (step, e) => step.type === e.type && Object.entries(step.filters ?? {}).every(([name, values]) => values.includes(e.dims[name]))

// What is a session: by what the client said, else gaps of one id of at most the timeout, and 24 hours in all; from 24 hours before the range on.
function sessionsOf(f, events) {
	const all = []
	for (const e of events) {
		const s = all.findLast((o) => o.said === e.said && o.key === e.session)
		if (s && (e.said || (e.at - s.events.at(-1).at <= f.timeout && e.at - s.events[0].at <= DAY))) s.events.push(e)
		else all.push({ key: e.session, said: e.said, events: [e] })
	}
	return all.map((s) => s.events)
}

function attempt(f, events, start) {
	const end = events[start].at + f.window, served = [], left = [...f.steps]
	let ended = false
	for (let i = start; i < events.length && events[i].at <= end && left.length && !ended; i++) {
		const step = f.order === 'any' ? left.findIndex((s) => fits(s, events[i])) : fits(left[0], events[i]) ? 0 : -1
		if (step >= 0) {
			served.push(events[i])
			left.splice(step, 1)
		} else if (f.order === 'strict') ended = true
	}
	return { served, over: end <= f.asOf, ended }
}

// The best attempt of some events; null: none.
export function wayOf(f, whole) {
	const events = whole.filter((e) => e.at <= f.asOf)
	const begins = f.order === 'any' ? f.steps : f.steps.slice(0, 1)
	const all = events.flatMap((e, i) => e.at >= f.from && e.at < f.to && begins.some((s) => fits(s, e)) ? [attempt(f, events, i)] : [])
	if (!all.length) return null
	const most = Math.max(...all.map((a) => a.served.length))
	const { served } = all.find((a) => a.served.length === most)
	const first = events.indexOf(served[0])
	const says = f.breakdown && events.slice(0, first + 1).findLast((e) => e.dims[f.breakdown] !== '(not set)' && e.at >= served[0].at - DAY)
	return { served, pending: all.some((a) => !a.over), open: all.some((a) => !a.over && !a.ended), group: says ? says.dims[f.breakdown] : '(not set)' }
}

// Of a person: one, or one for each session.
export const waysOf = (f, events) => (f.unit === 'session' ? sessionsOf(f, events.filter((e) => e.at >= f.from - DAY)) : [events]).map((u) => wayOf(f, u)).filter(Boolean)

const sum = (list) => list.reduce((a, b) => a + b, 0)

export function figuresOf(f, ways) {
	const at = (list, k) => list.filter((w) => w.served.length > k)
	const closed = ways.filter((w) => !w.pending)
	return f.steps.map((_, k) => {
		const here = at(ways, k), events = here.map((w) => w.served[k])
		const times = k ? here.map((w) => w.served[k].at - w.served[k - 1].at).sort((a, b) => a - b) : []
		const n = times.length, seconds = (us) => Math.round(us / 1000) / 1000
		return {
			users: here.length, rate: percent(here.length, ways.length), from_previous: k ? percent(here.length, at(ways, k - 1).length) : null,
			median_seconds: n ? seconds((times[Math.floor((n - 1) / 2)] + times[Math.floor(n / 2)]) / 2) : null,
			p90_seconds: n ? seconds(times[Math.ceil(n * 9 / 10) - 1]) : null,
			open: ways.filter((w) => w.served.length <= k && w.open).length, rate_closed: percent(at(closed, k).length, closed.length),
			value: sum(events.map((e) => e.amount ?? 0)), unpriced: events.filter((e) => e.amount === null).length
		}
	})
}

// Groups by beginners, as many: in the order of `values`.
export function groupsOf(f, ways, values) {
	const by = new Map()
	for (const w of ways) by.set(w.group, [...(by.get(w.group) ?? []), w])
	const all = [...by].sort((a, b) => b[1].length - a[1].length || values.indexOf(a[0]) - values.indexOf(b[0]))
	const rest = all.slice(20).flatMap(([, list]) => list)
	return [...all.slice(0, 20), ...rest.length ? [['(other groups)', rest]] : []].map(([value, list]) => ({ value, steps: figuresOf(f, list) }))
}
