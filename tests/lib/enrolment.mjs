// enrolment.mjs: real snapshots of how courses filled up, as messages of bookable events and bookings.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import path from 'node:path'
import { folder } from './data.mjs'

export const SET = 'ucsd_enrollment', ZONE = 'America/Los_Angeles'

const clock = new Intl.DateTimeFormat('en-US', { timeZone: ZONE, timeZoneName: 'longOffset' })
// A wall clock's text with the offset it had.
function withOffset(text) {
	const offset = (at) => clock.formatToParts(at).find((p) => p.type === 'timeZoneName').value.slice(3) || '+00:00'
	const near = offset(new Date(`${text}Z`))
	return `${text}${offset(new Date(`${text}${near}`))}`
}

// Each line of the file as [series, time, enrolled, total].
function* snapshots(file) {
	const text = gunzipSync(readFileSync(path.join(folder, SET, file))).toString('utf8')
	for (let from = text.indexOf('\n') + 1; from < text.length; ) {
		const to = text.indexOf('\n', from)
		const [series, time, enrolled, , , total] = text.slice(from, to).trimEnd().split(',')
		yield [series, time, Number(enrolled), Number(total)]
		from = to + 1
	}
}

// { messages: [{ time, text }] in the order of time, events: { series: id }, changes, full(time): who is over-booked then }
export function enrolment(file) {
	const open = new Map(), messages = [], history = []
	let changes = 0
	for (const [series, time, enrolled, total] of snapshots(file)) {
		const known = open.get(series)
		const s = known ?? { id: open.size + 1, n: 0, held: [], total }
		if (known && s.total === total && s.held.length === enrolled) continue
		const at = withOffset(time)
		const say = (type, more) => messages.push({ time, text: JSON.stringify({ type, event_id: s.id, occurred_at: at, ...more }) })
		if (!known) {
			open.set(series, s)
			say('event.created', { name: series, category: series.split(' ')[0], capacity: total, status: 'published' })
		} else if (s.total !== total) {
			changes++
			say('event.updated', { capacity: total })
		}
		s.total = total
		while (s.held.length < enrolled) {
			const booking = `${series}#${++s.n}`
			s.held.push(booking)
			say('booking.created', { booking_id: booking })
			say('booking.confirmed', { booking_id: booking })
		}
		while (s.held.length > enrolled) say('booking.cancelled', { booking_id: s.held.pop() })
		history.push({ series, time, over: total > 0 && enrolled > total }) // of none there is no limit
	}
	const full = (time) => {
		const last = new Map()
		for (const h of history) if (h.time <= time) last.set(h.series, h.over)
		return [...last].filter(([, over]) => over).map(([series]) => series).sort()
	}
	messages.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)) // stable
	return { messages, changes, full, events: Object.fromEntries([...open].map(([series, s]) => [series, s.id])) }
}
