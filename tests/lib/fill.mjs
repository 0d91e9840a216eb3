// fill.mjs: the stream's live tables filled by hand, for tests of what reads them.

// { id, day, currency, status, counted, total, refund, customer, items: [[id, quantity, amount]], location }
// Money is in minor units, but for items: there amounts are decimal texts.
const sum = (rows, field) => rows.reduce((all, row) => all + BigInt(field(row)), 0n)
const unique = (words) => [...new Set(words)]
const quote = (value) => `'${String(value).replaceAll("'", "''")}'`

function groups(rows, key) {
	const found = new Map()
	for (const row of rows) {
		const at = JSON.stringify(key(row))
		found.set(at, [...(found.get(at) ?? []), row])
	}
	return [...found].map(([at, group]) => [JSON.parse(at), group])
}

const gross = (orders) => sum(orders.filter((o) => o.counted), (o) => o.total)
const refunds = (orders) => sum(orders.filter((o) => o.counted), (o) => o.refund ?? 0)

function lines(orders) {
	return orders.filter((o) => o.counted).flatMap((o) => (o.items ?? []).map(([item, quantity, amount]) => ({ ...o, item, quantity, amount })))
}

const insert = (table, rows) => (rows.length ? `INSERT INTO ${table} VALUES\n${rows.map((r) => `(${r.join(', ')})`).join(',\n')};\n` : '')
const all = (group, field) => group.map((line) => `${field(line)}::numeric`).join(' + ')

// All tables that reports read, for these orders, as one transaction that moves live_version on.
export function fillLive(orders) {
	const at = (o) => [o.location ?? 0, o.day, o.currency]
	const days = groups(orders, at).map(([[location, day, currency], group]) => [location, quote(day), quote(currency), group.length,
		group.filter((o) => o.counted).length, gross(group), refunds(group), gross(group) - refunds(group), 0, 0, 0, 0, 'now()'])
	const statuses = groups(orders, (o) => [...at(o), o.status]).map(([[location, day, currency, status], group]) =>
		[location, quote(day), quote(currency), quote(status), group.length])
	const known = orders.filter((o) => o.customer !== undefined)
	const customers = groups(known, (o) => [o.currency, o.customer]).map(([[currency, customer], group]) =>
		[quote(currency), quote(customer), group.length, group.filter((o) => o.counted).length, gross(group) - refunds(group)])
	const products = groups(lines(orders), (l) => [l.currency, l.item]).map(([[currency, item], group]) =>
		[quote(currency), quote(item), all(group, (l) => l.quantity), all(group, (l) => l.amount), unique(group.map((l) => l.id)).length])
	return `BEGIN; DELETE FROM live_day; DELETE FROM live_status; DELETE FROM live_customer; DELETE FROM live_product;
		${insert('live_day', days)}${insert('live_status', statuses)}${insert('live_customer', customers)}${insert('live_product', products)}
		UPDATE live_site SET live_version = live_version + 1, rules_id = (SELECT rules_id FROM site), changed_at = now(); COMMIT;`
}

// Whole numbers below n, the same ones for the same seed (mulberry32).
export function numbers(seed) {
	let at = seed
	return (n) => {
		at = (at + 0x6d2b79f5) | 0
		let x = Math.imul(at ^ (at >>> 15), 1 | at)
		x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
		return Math.floor(((x ^ (x >>> 14)) >>> 0) / 4294967296 * n)
	}
}
