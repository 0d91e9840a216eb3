// conversion_oracle.mjs: the probability of a purchase by its definition (docs/BEHAVIOUR.md, "Journeys"), the slow way:
// each day of each person is looked at by itself. Events: [{ day, kind }] in order; kinds: 0 other, 1 product_view,
// 2 add_to_cart, 3 checkout_start, 4 purchase.
const RECENT = [[0, 0], [1, 1], [2, 3], [4, 7], [8, 14], [15, 29]]

// 'step recency buyer', or null.
export function cellAt(events, day) {
	const known = events.filter((e) => e.day <= day)
	const recent = known.filter((e) => e.day > day - 30)
	if (!recent.length) return null
	const last = known.findLastIndex((e) => e.kind === 4)
	const since = known.slice(last + 1).filter((e) => e.day > day - 30)
	const step = Math.max(0, ...since.map((e) => e.kind))
	const ago = day - Math.max(...recent.map((e) => e.day))
	return `${step} ${RECENT.findIndex(([from, to]) => ago >= from && ago <= to)} ${last >= 0 ? 1 : 0}`
}

// { 'step recency buyer': [n, converted] } of one person.
export function countsOf(events, from, to) {
	const counts = {}
	for (let day = from; day <= to; day++) {
		const cell = cellAt(events, day)
		if (cell === null) continue
		counts[cell] ??= [0, 0]
		counts[cell][0]++
		if (events.some((e) => e.kind === 4 && e.day > day && e.day <= day + 7)) counts[cell][1]++
	}
	return counts
}

export function addCounts(to, more) {
	for (const [cell, [n, converted]] of Object.entries(more)) {
		to[cell] ??= [0, 0]
		to[cell][0] += n
		to[cell][1] += converted
	}
	return to
}

// The probability of a cell.
export function probability(counts, cell) {
	const props = cell.split(' ')
	const rate = (depth) => {
		let [n, c] = [0, 0]
		for (const [other, [m, d]] of Object.entries(counts))
			if (props.slice(0, depth).every((p, i) => other.split(' ')[i] === p)) [n, c] = [n + m, c + d]
		return depth === 0 ? (n ? c / n : 0) : (c + 20 * rate(depth - 1)) / (n + 20)
	}
	return rate(3)
}

// How a table made of `earlier` does on `later`.
export function quality(earlier, later) {
	const base = probabilityOfAll(earlier)
	const cells = Object.entries(later).map(([cell, [n, c]]) => ({ cell, n, c, p: probability(earlier, cell) }))
		.sort((a, b) => a.p - b.p || (a.cell < b.cell ? -1 : 1))
	const n = cells.reduce((sum, x) => sum + x.n, 0)
	const brier = (p) => cells.reduce((sum, x) => sum + x.c * (1 - p(x)) ** 2 + (x.n - x.c) * p(x) ** 2, 0) / n
	const deciles = new Map()
	let before = 0
	for (const x of cells) {
		const decile = 1 + Math.floor(10 * (before + x.n / 2) / n)
		before += x.n
		const d = deciles.get(decile) ?? { decile, n: 0, converted: 0, said: 0 }
		deciles.set(decile, { decile, n: d.n + x.n, converted: d.converted + x.c, said: d.said + x.n * x.p })
	}
	return { n, converted: cells.reduce((sum, x) => sum + x.c, 0), brier: brier((x) => x.p), brier_base: brier(() => base), base_rate: base,
		deciles: [...deciles.values()].map((d) => ({ ...d, said: d.said / d.n })) }
}

function probabilityOfAll(counts) {
	const [n, c] = Object.values(counts).reduce(([a, b], [m, d]) => [a + m, b + d], [0, 0])
	return n ? c / n : 0
}
