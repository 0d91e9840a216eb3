// activity_random.mjs: tracked events of a few visitors, drawn.
const MINUTE = 60_000, HOUR = 3_600_000, DAY = 86_400_000

const pick = (rnd, list) => list[Math.floor(rnd() * list.length)]
const maybe = (rnd, p, value) => rnd() < p ? value : undefined

// Several days of a few visitors: gaps at the limit and beyond, long sessions, ids that become known, bots.
export function randomEvents(rnd, site, { visitors = 6, n = 150 } = {}) {
	const types = ['page_view', 'page_view', 'product_view', 'add_to_cart', 'add_to_cart', 'remove_from_cart', 'checkout_start', 'purchase', 'search', 'session_end', 'my.own']
	const list = []
	for (let v = 0; v < visitors; v++) {
		let at = Date.parse(site.from) + Math.floor(rnd() * DAY)
		let session = 0
		const limit = site.timeout_s * 1000
		for (let i = 0; i < n / visitors; i++) {
			at += rnd() < 0.1 ? pick(rnd, [0, 20 * HOUR]) + Math.floor(rnd() * 6 * HOUR) : pick(rnd, [0, 1, MINUTE, 5 * MINUTE, limit, limit, limit, limit + 1, limit - 1])
			if (rnd() < 0.15) session++
			const known = maybe(rnd, 0.4, pick(rnd, [`u${v}`, `u${v}`, `u${(v + 1) % visitors}`]))
			const anonymous = known && rnd() < 0.5 ? undefined : `a${v}`
			const inSession = v % 3 === 0 ? `s${v}.${session}` : v % 3 === 1 ? maybe(rnd, 0.5, `s${v}.${session}`) : undefined
			list.push({ at, received_at: at + Math.floor(rnd() * HOUR), type: pick(rnd, types), user_id: known,
				anonymous_id: inSession && !known && rnd() < 0.3 ? undefined : anonymous, session_id: inSession, flags: rnd() < 0.1 ? pick(rnd, [16, 32, 65]) : pick(rnd, [0, 1, 8]),
				dims: { page: maybe(rnd, 0.8, `/p${Math.floor(rnd() * 5)}`), source: maybe(rnd, 0.3, pick(rnd, ['google.com', 'a:b'])), device: maybe(rnd, 0.7, 'mobile'),
					category: maybe(rnd, 0.5, pick(rnd, ['x', 'y'])), product: maybe(rnd, 0.5, `${Math.floor(rnd() * 4)}`) },
				price: maybe(rnd, 0.8, (rnd() * 100).toFixed(2)), quantity: maybe(rnd, 0.5, 1 + Math.floor(rnd() * 3)), currency: maybe(rnd, 0.5, pick(rnd, ['EUR', 'EUR', 'USD'])),
				properties: { n: i } })
		}
	}
	return list
}

export function shuffled(rnd, list) {
	const out = [...list]
	for (let i = out.length - 1; i > 0; i--) {
		const j = Math.floor(rnd() * (i + 1))
		;[out[i], out[j]] = [out[j], out[i]]
	}
	return out
}

// In the order of time but for some that come late, and in that of nothing.
export const late = (rnd, list) => list.map((e) => [e.at + (rnd() < 0.2 ? rnd() * 3 * DAY : 0), e]).sort((a, b) => a[0] - b[0]).map(([, e]) => e)
