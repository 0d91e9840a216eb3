// customers.mjs: cohorts of customers worked out of the orders themselves, and orders to try it with.
import { siteClock } from './bookings.mjs'
import { PERIODS } from './cohorts.mjs'
import { randomOf } from './histories.mjs'

export const DIGITS = { EUR: 2, JPY: 0, KWD: 3 }
const LAST = 90 // what comes later stands in this period

// orders: { at (ms), status, currency, customer, minor, refunds (minor) }. Cells by type, currency, cohort and period; what is nobody's.
export function customerCohorts(orders, { zone, cutoff, through, counted }) {
	const clock = siteClock(zone, cutoff)
	const list = orders.filter((o) => counted.includes(o.status)).map((o) => ({ ...o, day: clock.day(o.at), money: o.minor - o.refunds })).filter((o) => o.day <= through)
	const cells = {}, nobody = {}
	for (const o of list.filter((x) => !x.customer)) {
		const n = nobody[o.currency] ??= { orders: 0, revenue_minor: 0 }
		n.orders++
		n.revenue_minor += o.money
	}
	for (const [type, { of, next }] of Object.entries(PERIODS))
		for (const currency of new Set(list.map((o) => o.currency))) {
			const own = list.filter((o) => o.customer && o.currency === currency)
			for (const customer of new Set(own.map((o) => o.customer))) {
				const theirs = own.filter((o) => o.customer === customer)
				const cohort = of(Math.min(...theirs.map((o) => o.day))), seen = new Set()
				for (const o of theirs) {
					let k = 0
					for (let p = next(cohort); p <= o.day && k < LAST; p = next(p)) k++
					const cell = cells[`${type} ${currency} ${cohort} ${k}`] ??= { customers: 0, orders: 0, revenue_minor: 0 }
					cell.orders++
					cell.revenue_minor += o.money
					if (!seen.has(k)) cell.customers++
					seen.add(k)
				}
			}
		}
	return { cells, nobody, first: Math.min(...list.map((o) => o.day)) }
}

// Orders of `days` days before `end` (ms), of people who come back, in three currencies, some of nobody, some refunded or not counted.
export function makeOrders({ seed, count, days, end }) {
	const random = randomOf(seed), int = (n) => Math.floor(random() * n)
	return Array.from({ length: count }, (_, i) => {
		const currency = ['EUR', 'EUR', 'JPY', 'KWD'][int(4)], minor = 100 + int(9000)
		const who = int(10), customer = who === 0 ? null : who === 1 ? '' : `c${int(Math.max(3, count / 12))}`
		const hours = int(days * 24)
		return { id: i + 1, at: end - hours * 3_600_000 + (random() < 0.3 ? 0 : int(3_600_000) - 3_600_000), status: ['SERVED', 'SERVED', 'SERVED', 'SERVED', 'CANCELLED', 'PLACED'][int(6)], currency, customer,
			minor, refunds: random() < 0.15 ? 1 + int(minor) : 0 }
	})
}
