// trackers.mjs: clients that send tracked events, keep what they were answered, and send again what was not acknowledged;
// and what must be true of the tables when all of it was.
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { sleep } from './process.mjs'

export function generator(state) { // mulberry32
	return () => {
		state = (state + 0x6d2b79f5) | 0
		let t = Math.imul(state ^ (state >>> 15), 1 | state)
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296
	}
}

const TYPES = ['page_view', 'page_view', 'product_view', 'add_to_cart', 'search', 'custom.thing']

export class Tracker {
	// `sends`: how many events. `pace`: events a second at most. `most`: of one request.
	constructor({ port, key, name, sends, random, pace = Infinity, most = 100 }) {
		Object.assign(this, { port, key, name, sends, random, pace, most })
		this.history = [] // { id, n, acks: [status], sent } in the order in which they were made
		this.waiting = [] // of them, what was not acknowledged
		this.failures = { 'no answer': 0 } // by status
		this.requests = this.resent = 0
		this.strange = [] // answers that should never come
		this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
	}

	make() {
		const n = this.history.length
		const e = { id: randomUUID(), n, acks: [], sent: 0, user: `${this.name}-${Math.floor(n / 12) % 3000}`, type: TYPES[Math.floor(this.random() * TYPES.length)] }
		e.at = new Date(Date.now() - Math.floor(this.random() * 1000)).toISOString()
		this.history.push(e)
		return e
	}

	body(e) {
		return { event_type: e.type, event_id: e.id, user_id: e.user, session_id: `${e.user}-${Math.floor(e.n / 12)}`, timestamp: e.at, properties: { page: `/p/${e.n % 31}`, n: e.n } }
	}

	ask(path, body) {
		return new Promise((done) => {
			const req = http.request({ host: '127.0.0.1', port: this.port, path, method: 'POST', agent: this.agent,
				headers: { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' } }, (res) => {
				const parts = []
				res.on('data', (d) => parts.push(d))
				res.on('error', () => done({ status: 'no answer' }))
				res.on('aborted', () => done({ status: 'no answer' }))
				res.on('end', () => {
					const text = Buffer.concat(parts).toString()
					let json
					try { json = JSON.parse(text) } catch { /* nginx's page */ }
					done({ status: res.statusCode, text, json })
				})
			})
			req.on('error', () => done({ status: 'no answer' }))
			req.setTimeout(30_000, () => req.destroy())
			req.end(JSON.stringify(body))
		})
	}

	// What was not acknowledged, some that was, and new ones.
	take() {
		const batch = this.waiting.splice(0, this.most)
		const room = this.random() < 0.3 ? 1 : Math.ceil(this.random() * this.most)
		while (batch.length < room && this.history.length < this.sends) batch.push(this.make())
		if (this.random() < 0.1 && this.history.length)
			for (let i = 0; i < 3; i++) {
				const again = this.history[Math.floor(this.random() * this.history.length)]
				if (again.acks.length && !batch.includes(again)) batch.push(again)
			}
		for (const e of batch) this.resent += e.sent++ > 0
		return batch
	}

	async send(batch) {
		const single = batch.length === 1
		const answer = single ? await this.ask('/events/track', this.body(batch[0])) : await this.ask('/events/batch', batch.map((e) => this.body(e)))
		this.requests++
		if (answer.status === (single ? 202 : 200) && answer.json) {
			const said = single ? [answer.json] : answer.json.results
			for (const [i, e] of batch.entries())
				if (['accepted', 'duplicate'].includes(said[i]?.status) && said[i].event_id === e.id) e.acks.push(said[i].status)
				else this.strange.push(JSON.stringify(said[i]))
			return true
		}
		this.failures[answer.status] = (this.failures[answer.status] ?? 0) + 1
		if (![429, 502, 503, 504, 'no answer'].includes(answer.status)) this.strange.push(`${answer.status} ${answer.text?.slice(0, 300)}`)
		this.waiting.push(...batch.filter((e) => !e.acks.length && !this.waiting.includes(e)))
		return false
	}

	async run() {
		const begun = Date.now()
		while ((this.history.length < this.sends || this.waiting.length) && !this.stopped) {
			const due = begun + this.history.length / this.pace * 1000
			if (Date.now() < due) await sleep(due - Date.now())
			const batch = this.take()
			if (batch.length && !await this.send(batch)) await sleep(20 + this.random() * 150)
		}
		this.agent.destroy()
	}
}

// What the clients know against what is stored: { lost, twice, foreign, changed, accepted_twice, ... }, lists of what is wrong.
export async function verdict(cache, trackers, { once = true } = {}) {
	const events = new Map(trackers.flatMap((t) => t.history.map((e) => [e.id, { ...e, tracker: t }])))
	const rows = (await cache.text(`SELECT event_id, user_id, properties::jsonb ->> 'n', event_type, extract(epoch FROM occurred_at) FROM activity_event`)).trim().split('\n').filter(Boolean).map((line) => line.split('\t'))
	const seen = new Map()
	const wrong = { lost: [], twice: [], foreign: [], changed: [], acceptedTwice: [], unacknowledged: [], strange: trackers.flatMap((t) => t.strange) }
	for (const [id, user, n, type, at] of rows) {
		const e = events.get(id)
		if (!e) wrong.foreign.push(id)
		else if (e.user !== user || String(e.n) !== n || e.type !== type || Math.round(Number(at) * 1000) !== Date.parse(e.at)) wrong.changed.push([id, user, n, type, at])
		if (seen.has(id)) wrong.twice.push(id)
		seen.set(id, true)
	}
	for (const e of events.values()) {
		if (e.acks.length && !seen.has(e.id)) wrong.lost.push(e.id)
		if (!e.acks.length) wrong.unacknowledged.push(e.id)
		if (once && e.acks.filter((a) => a === 'accepted').length > 1) wrong.acceptedTwice.push(e.id)
	}
	const ids = await cache.value('SELECT count(*)::int FROM activity_id')
	return { wrong, rows: rows.length, ids, events: events.size }
}

export const FINE = { lost: [], twice: [], foreign: [], changed: [], acceptedTwice: [], unacknowledged: [], strange: [] }

// Accounts that do not add up, or do not say what is stored: none.
export const accountErrors = (cache) => cache.query(`
	SELECT * FROM (
		SELECT hour_at, coalesce(a.source, e.source) AS source, received, stored, duplicate, quarantined, refused, e.rows
		FROM activity_account a
		FULL JOIN (SELECT date_trunc('hour', received_at) AS hour_at, coalesce('key:' || key_id, '') AS source, count(*) AS rows FROM activity_event GROUP BY 1, 2) e USING (hour_at, source)) q
	WHERE received IS DISTINCT FROM stored + duplicate + quarantined + refused OR stored IS DISTINCT FROM coalesce(rows, 0)`)
export const account = (cache) => cache.one(`SELECT coalesce(sum(received), 0)::int AS received, coalesce(sum(stored), 0)::int AS stored, coalesce(sum(duplicate), 0)::int AS duplicate,
	coalesce(sum(quarantined), 0)::int AS quarantined, coalesce(sum(refused), 0)::int AS refused FROM activity_account`)

export const addUp = (trackers) => {
	const sum = (f) => trackers.reduce((n, t) => n + f(t), 0)
	const failures = {}
	for (const t of trackers) for (const [status, n] of Object.entries(t.failures)) failures[status] = (failures[status] ?? 0) + n
	return { events: sum((t) => t.history.length), requests: sum((t) => t.requests), resent: sum((t) => t.resent),
		duplicates: sum((t) => t.history.reduce((n, e) => n + e.acks.filter((a) => a === 'duplicate').length, 0)), failures }
}
