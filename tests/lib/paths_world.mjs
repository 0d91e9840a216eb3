// paths_world.mjs: what people of a shop do, as events to be sent: sessions that were said and such as gaps make, over midnight,
// visitors who turn out to be users.
import { activityInsert } from './activity.mjs'
import { Chance } from './activity_questions.mjs'

const NEXT = { // where people go from where they are, and how often of 100
	'/': [['/c/audio', 25], ['/c/cameras', 20], ['/search', 15], ['/pricing', 10], ['/', 4], ['end', 26]],
	'/search': [['search', 40], ['/p/*', 30], ['/', 10], ['end', 20]],
	search: [['/p/*', 55], ['search', 15], ['end', 30]],
	'/c/audio': [['/p/*', 55], ['/c/cameras', 10], ['/', 5], ['end', 30]],
	'/c/cameras': [['/p/*', 50], ['/c/audio', 10], ['filter', 15], ['end', 25]],
	filter: [['/p/*', 60], ['/c/cameras', 10], ['end', 30]],
	'/p/*': [['product_view', 60], ['/p/*', 15], ['end', 25]],
	product_view: [['add_to_cart', 35], ['/p/*', 20], ['/c/audio', 10], ['end', 35]],
	add_to_cart: [['/cart', 60], ['/p/*', 15], ['end', 25]],
	'/cart': [['checkout_start', 55], ['remove_from_cart', 10], ['/', 10], ['end', 25]],
	remove_from_cart: [['/cart', 40], ['end', 60]],
	checkout_start: [['purchase', 65], ['/cart', 10], ['end', 25]],
	purchase: [['/thanks', 70], ['end', 30]],
	'/thanks': [['/', 10], ['end', 90]],
	'/pricing': [['/', 20], ['start trial (page)', 10], ['end', 70]],
	'start trial (page)': [['end', 100]],
}
const LANDINGS = [['/', 45], ['/c/audio', 15], ['/p/*', 20], ['/pricing', 8], ['/search', 7], ['', 5]]

function draw(chance, list) {
	let n = chance.below(100)
	return list.find(([, weight]) => (n -= weight) < 0)?.[0] ?? 'end'
}

// { events, links }: events in order of arrival, { person, at (microseconds), seq, type, page, session, said, user_id, anonymous_id,
// session_id }. `from`, `to`: milliseconds between which sessions begin.
export function makeWorld({ seed, people, from, to }) {
	const chance = new Chance(seed)
	const events = []
	for (let person = 0; person < people; person++) {
		const becomesKnown = chance.is(40), says = chance.is(60)
		let at = from + chance.below((to - from) / 1000) * 1000, known = false
		for (let visit = 0; visit < 1 + chance.below(4) && at < to; visit++) {
			let step = draw(chance, LANDINGS)
			for (let n = 0; step !== 'end' && n < 14; n++) {
				known ||= becomesKnown && step === 'checkout_start'
				const isPage = step === '' || step.startsWith('/') || step.endsWith(' (page)')
				const e = { person, at: at * 1000, type: isPage ? 'page_view' : step, page: isPage ? step.replace('*', chance.below(chance.below(40) + 1)).replace(' (page)', '') : undefined,
					anonymous_id: `a-${person}`, user_id: known ? `user-${person}` : undefined, session_id: says && !chance.is(3) ? `s-${person}-${visit}` : undefined }
				if (known && chance.is(30)) delete e.anonymous_id
				e.said = Boolean(e.session_id)
				e.session = e.session_id ?? e.user_id ?? e.anonymous_id
				events.push(e)
				at += chance.one([0, 1000, 20_000, 40_000, 120_000, chance.is(5) ? 3_600_000 : 30_000, chance.is(5) ? 3_600_001 : 60_000])
				step = draw(chance, NEXT[step.startsWith('/p/') ? '/p/*' : step] ?? [['end', 100]])
			}
			at += chance.one([2, 5, 23, 24, 25, 70]) * 3_600_000 + chance.below(60_000)
		}
	}
	const linked = new Set(events.filter((e) => e.user_id && e.anonymous_id).map((e) => e.person)) // without such an event these are two people
	return chance.some(events, events.length).map((e, seq) => ({ ...e, seq, person: e.anonymous_id || linked.has(e.person) ? e.person : e.user_id }))
}

// What an event is sent as.
export const sent = (e) => ({ event_type: e.type, timestamp: new Date(e.at / 1000).toISOString(), user_id: e.user_id, anonymous_id: e.anonymous_id, session_id: e.session_id,
	properties: e.page === undefined ? {} : { page: e.page || undefined } })

const pageLabel = (page) => page === '' ? '(not set)' : page.startsWith('/') ? page : `${page} (page)`
const ofPage = (e) => e.type === 'page_view' ? pageLabel(e.page) : undefined
export const labels = { event: (e) => ofPage(e) ?? e.type, type: (e) => e.type, page: ofPage }

// SQL that makes the tables what they are once these events took effect, as far as sequences need them.
export const worldSql = (world, { timezone = 'Europe/Berlin', cutoff = 4 } = {}) => `
	UPDATE activity_site SET timezone = '${timezone}', cutoff_hours = ${cutoff}, session_timeout_s = 3600, currency = 'EUR', version = version + 1, applied_at = now(), sequenced_from = '-infinity';
	${activityInsert(world.map((e) => ({ at: e.at / 1000, type: e.type, user_id: e.user_id, anonymous_id: e.anonymous_id, session_id: e.session_id, dims: { page: e.page || undefined } })))}
	BEGIN;
	DELETE FROM activity_batch;
	INSERT INTO activity_visitor (kind, id, person_id, first_at, first_day, last_at, last_received_at) OVERRIDING USER VALUE
	SELECT CASE WHEN user_id IS NULL THEN 'anonymous' ELSE 'user' END, coalesce(user_id, anonymous_id), 0, min(occurred_at), business_date(min(occurred_at), '${timezone}', ${cutoff}),
	       max(occurred_at), max(occurred_at) FROM activity_event GROUP BY 1, 2;
	UPDATE activity_visitor v SET person_id = coalesce((SELECT u.visitor_id FROM activity_event e JOIN activity_visitor u ON u.kind = 'user' AND u.id = e.user_id
		WHERE v.kind = 'anonymous' AND e.anonymous_id = v.id LIMIT 1), v.visitor_id);
	INSERT INTO activity_value (dimension_id, value, code) SELECT 1, page, row_number() OVER (ORDER BY page) FROM (SELECT DISTINCT dims[1] AS page FROM activity_event WHERE dims[1] <> '') p;
	INSERT INTO activity_type (event_type, first_at, last_at, code) SELECT event_type, min(occurred_at), max(occurred_at), row_number() OVER (ORDER BY event_type) FROM activity_event GROUP BY 1;
	INSERT INTO activity_sum SELECT 'day', false, 0, business_day_start('${timezone}', ${cutoff}, business_date(occurred_at, '${timezone}', ${cutoff})), event_type, '', count(*)
	FROM activity_event GROUP BY 4, 5;
	SELECT activity_sequences_make(day) FROM (SELECT DISTINCT business_date(occurred_at, '${timezone}', ${cutoff}) AS day FROM activity_event) d;
	COMMIT;`
