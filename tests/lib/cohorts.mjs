// cohorts.mjs: cohorts as docs/BEHAVIOUR.md defines them, of raw events, without a thought of how Takings does it.
const DAY_MS = 86_400_000

// Periods by their first day, days since 1970-01-01.
export const PERIODS = {
	acquisition_day: { of: (day) => day, next: (first) => first + 1 },
	acquisition_week: { of: (day) => { while (new Date(day * DAY_MS).getUTCDay() !== 1) day--; return day }, next: (first) => first + 7 },
	acquisition_month: {
		of: (day) => { while (new Date(day * DAY_MS).getUTCDate() !== 1) day--; return day },
		next: (first) => { const d = new Date(first * DAY_MS); return Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 1) / DAY_MS },
	},
}

export const dateOf = (day) => new Date(day * DAY_MS).toISOString().slice(0, 10)
export const dayOf = (date) => Date.parse(`${date}T00:00:00Z`) / DAY_MS

// Tenths, half-even, of exact numbers.
export function percent(part, whole) {
	if (!whole) return null
	const n = Math.floor(part * 1000 / whole), rest = part * 1000 - n * whole
	return (n + (rest * 2 > whole || (rest * 2 === whole && n % 2 === 1) ? 1 : 0)) / 10
}

// The periods that have a day from `start` up to `end`, the day that is not included any more.
export function periodsOf(type, start, end) {
	const list = []
	for (let p = PERIODS[type].of(start); p < end; p = PERIODS[type].next(p)) list.push(p)
	return list
}

// people: lists of events { us, day, type }, us since 1970. ask: cohort_type, mode, first_event, return_event, start, end (days), periods, as_of
// (us), today (its business day), cut (whether as_of was asked for), known_from (a day), begin(day) in us.
export function cohorts(people, ask) {
	const { next, of } = PERIODS[ask.cohort_type]
	const rolling = ask.mode === 'rolling24h'
	const length = (ask.cohort_type === 'acquisition_week' ? 7 : 1) * DAY_MS * 1000
	const fits = (type) => (e) => type === undefined || e.type === type
	const table = new Map(periodsOf(ask.cohort_type, ask.start, ask.end).map((p) => [p, { cohort: p, size: 0, counts: [], complete: [] }]))
	for (const row of table.values()) {
		let from = row.cohort, to = next(row.cohort)
		for (let k = 0; k < ask.periods; k++, from = to, to = next(to)) {
			if (rolling ? ask.begin(row.cohort) + k * length > ask.as_of : from > ask.today) break
			row.counts.push(0)
			row.complete.push(rolling ? ask.begin(next(row.cohort)) + (k + 1) * length <= ask.as_of : to <= ask.today)
		}
	}
	for (const all of people) {
		const known = all.filter((e) => (ask.cut ? e.us <= ask.as_of : e.day <= ask.today))
		const first = known.filter(fits(ask.first_event)).filter((e) => ask.first_event === undefined || e.day >= ask.known_from)
			.reduce((a, e) => (!a || e.us < a.us ? e : a), undefined)
		const row = first && first.day >= ask.known_from && table.get(of(first.day))
		if (!row) continue
		row.size++
		const back = known.filter(fits(ask.return_event))
		let from = row.cohort, to = next(row.cohort)
		for (let k = 0; k < row.counts.length; k++, from = to, to = next(to)) {
			const is = k === 0 || back.some((e) => (rolling ? e.us >= first.us + k * length && e.us < first.us + (k + 1) * length
				: ask.mode === 'on' ? e.day >= from && e.day < to : e.day >= from))
			if (is) row.counts[k]++
		}
	}
	return [...table.values()]
}

export function average(rows, periods) {
	return Array.from({ length: periods }, (_, k) => {
		const over = rows.filter((r) => r.complete[k])
		return percent(over.reduce((n, r) => n + r.counts[k], 0), over.reduce((n, r) => n + r.size, 0))
	})
}
