// booking_sums.mjs: whether all that is said of bookings adds up to the same: in the answers, as somebody sees them who
// asks from outside, and in the tables.

// An answer with its decimals as texts: money is never a float.
export async function exact(web, target) {
	const { status, text } = await web.get(target)
	if (status !== 200) throw new Error(`${target}: ${status} ${text.slice(0, 300)}`)
	return JSON.parse(text.replace(/(":\s*)(-?\d+\.\d+)(?=\s*[,}\]])/g, '$1"$2"'))
}

// Whole minor units of an amount that is written with all its digits.
const minor = (amount) => BigInt(String(amount ?? 0).replace('.', ''))
const total = (list, name) => list.reduce((n, row) => n + row[name], 0)
const money = (list, name = 'total_revenue') => list.reduce((n, row) => n + minor(row[name]), 0n)

// Every event of the list, over all its pages.
export async function allEvents(web) {
	const list = []
	for (let after = ''; after !== null; ) {
		const page = await exact(web, `/api/v1/analytics/events?limit=200${after && `&cursor=${encodeURIComponent(after)}`}`)
		list.push(...page.events)
		after = page.next_cursor
		if (list.length > page.total) throw new Error(`${list.length} events of ${page.total}`)
	}
	return list
}

// The days of all bookings, asked for in pieces.
async function allDays(web, cache, query) {
	const [range] = await cache.query('SELECT min(business_date)::text AS first, max(business_date)::text AS last FROM booking_day')
	const list = [], DAY = 86_400_000
	for (let from = Date.parse(range.first); from <= Date.parse(range.last); from += 300 * DAY) {
		const text = (ms) => new Date(ms).toISOString().slice(0, 10)
		list.push(...(await exact(web, `/api/v1/analytics/daily?from=${text(from)}&to=${text(Math.min(from + 299 * DAY, Date.parse(range.last)))}${query}`)).days)
	}
	return list
}

// What does not agree, in words; [] where all does.
export async function disagreements(web, cache) {
	const found = []
	const same = (what, ...values) => { if (new Set(values.map(String)).size !== 1) found.push(`${what}: ${values.join(', ')}`) }
	const events = await allEvents(web), others = []
	for (const e of events) others.push(...(await exact(web, `/api/v1/analytics/events/${e.event_id}`)).other_currencies)
	const sums = await cache.query(`SELECT d.currency, sum(d.revenue_minor)::text AS days, sum(d.booked_minor)::text AS booked, sum(c.revenue_minor)::text AS of_events,
			(SELECT money -> d.currency ->> 'total_minor' FROM system_metrics) AS system, (SELECT sum(revenue_minor) FROM category_day k WHERE k.currency = d.currency)::text AS categories,
			(SELECT coalesce(sum(s.revenue_minor) FILTER (WHERE s.currency = d.currency), 0) + coalesce(sum((s.other_money -> d.currency ->> 'revenue_minor')::bigint), 0)
			 FROM event_stats s)::text AS stats
		FROM booking_day d LEFT JOIN LATERAL (SELECT sum(e.revenue_minor) AS revenue_minor FROM event_day e
			WHERE e.business_date = d.business_date AND e.currency = d.currency) c ON true GROUP BY d.currency ORDER BY 1`)
	for (const s of sums) {
		same(`revenue in ${s.currency}, tables`, s.days, s.booked, s.of_events, s.system, s.categories, s.stats)
		const query = `currency=${s.currency}`
		const system = await exact(web, `/api/v1/analytics/system?${query}`)
		const days = await allDays(web, cache, `&${query}`), booked = await allDays(web, cache, `&${query}&basis=transaction_date`)
		const own = money(events.filter((e) => e.currency === s.currency))
		const other = money(others.filter((o) => o.currency === s.currency))
		same(`revenue in ${s.currency}, answers`, own + other, money(days), money(booked), minor(system.total_revenue), s.days)
		same('bookings', total(events, 'total_bookings'), total(days, 'new_bookings'), system.total_bookings)
		same('users', total(days, 'new_users'), system.total_users)
		same('confirmed bookings', total(events, 'confirmed_bookings'), system.confirmed_bookings)
		same('cancelled bookings', total(events, 'cancelled_bookings'), system.cancelled_bookings)
	}
	if (sums.length === 0) found.push('there is nothing')
	return found
}
