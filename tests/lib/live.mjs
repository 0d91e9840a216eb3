// live.mjs: takings-stream with its WebSockets and takings-web behind nginx, over an analytics_db in
// which the tests themselves write what a source would have written.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { binDir, cleanEnv, must, until } from './process.mjs'
import { emptyCwd, program } from './shop.mjs'
import { postgres } from './servers.mjs'
import { OPEN, Web } from './web.mjs'
import { Socket } from './ws.mjs'

const sql = (text) => (text === null ? 'NULL' : `'${String(text).replaceAll("'", "''")}'`)

export class Live {
	// `settings`: of both programs.
	static async start(settings = {}, { tz = 'UTC', cutoff = 0, streaming = true } = {}) {
		const live = new Live()
		live.db = await (await postgres()).create()
		live.settings = { ANALYTICS_DATABASE_URL: live.db.url(), MIGRATE_DATABASE_URL: live.db.url(), ...settings }
		await must(program, ['migrate'], { env: { ...cleanEnv, ...live.settings }, cwd: emptyCwd() })
		await live.db.exec(`INSERT INTO rules (timezone, cutoff_hours, order_db_timezone, revenue_profile, counted_statuses, default_currency, default_location_id)
			VALUES (${sql(tz)}, ${cutoff}, 'UTC', 'commerce', '', 'EUR', 0); INSERT INTO site (rules_id) SELECT rules_id FROM rules;
			INSERT INTO stream_position VALUES ('kafka', 'orders', 0, 1)`)
		live.tz = tz
		live.cutoff = cutoff
		live.web = await Web.start({ ...OPEN, ...live.settings })
		process.once('exit', () => live.child?.kill('SIGKILL'))
		if (streaming) await live.startStream()
		return live
	}

	get path() { return path.join(this.web.dir, 'stream.sock') }
	get port() { return this.web.port }

	async startStream(settings = {}) {
		const child = spawn(path.join(binDir, 'takings-stream'), [],
			{ cwd: emptyCwd(), env: { ...cleanEnv, ...this.settings, STREAM_SOCKET: this.path, ...settings }, stdio: ['ignore', 'ignore', 'pipe'] })
		child.text = ''
		child.stderr.on('data', (d) => { child.text += d })
		this.child = child
		await until(async () => {
			if (child.exitCode !== null) throw new Error(`takings-stream ended: ${child.text}`)
			const s = await Socket.open({ path: this.path }, '/').catch(() => null)
			s?.close()
			return s?.status === 101
		}, { what: 'takings-stream' })
		return child
	}

	async endStream(signal = 'SIGTERM', child = this.child) {
		const gone = new Promise((done) => child.once('close', (code, by) => done(code ?? by)))
		child.kill(signal)
		return gone
	}

	// One more order, as the stream would have counted it; placed `agoS` seconds ago.
	put({ id, total = 1000, status = 'completed', currency = 'EUR', customer = null, agoS = 0, item = '1', name = 'Soup', quantity = 1 }) {
		const at = `(now() - interval '${agoS} seconds')`, day = `business_date(${at}, ${sql(this.tz)}, ${this.cutoff})`
		return this.db.exec(`BEGIN;
			INSERT INTO order_state (order_id, born, status, counted, currency, location_id, customer_id, total_minor, placed_at)
			VALUES (${sql(id)}, true, ${sql(status)}, true, ${sql(currency)}, 0, ${sql(customer)}, ${total}, ${at});
			INSERT INTO live_day VALUES (0, ${day}, ${sql(currency)}, 1, 1, ${total}, 0, ${total}, 0, 0, 0, 0, now())
			ON CONFLICT (location_id, business_date, currency) DO UPDATE SET placed = live_day.placed + 1, counted = live_day.counted + 1,
			gross_minor = live_day.gross_minor + ${total}, booked_minor = live_day.booked_minor + ${total};
			INSERT INTO live_minute VALUES (0, date_trunc('minute', ${at}), ${sql(currency)}, 1, ${total}, 1, ${total})
			ON CONFLICT (location_id, minute_at, currency) DO UPDATE SET placed = live_minute.placed + 1, placed_minor = live_minute.placed_minor + ${total},
			counted = live_minute.counted + 1, counted_minor = live_minute.counted_minor + ${total};
			INSERT INTO live_status VALUES (0, ${day}, ${sql(currency)}, ${sql(status)}, 1)
			ON CONFLICT (location_id, business_date, currency, status) DO UPDATE SET orders = live_status.orders + 1;
			INSERT INTO live_item VALUES (0, ${day}, ${sql(currency)}, ${sql(item)}, ${quantity}, ${total} / 100.0, 1)
			ON CONFLICT (location_id, business_date, currency, item_id) DO UPDATE SET quantity = live_item.quantity + ${quantity},
			amount = live_item.amount + ${total} / 100.0, orders = live_item.orders + 1;
			INSERT INTO live_item_name VALUES (${sql(item)}, ${sql(name)}, 0, 0) ON CONFLICT DO NOTHING;
			NOTIFY takings_live, '1';
			COMMIT`)
	}

	// A WebSocket as it comes in from outside; `headers` say who.
	connect(headers = {}, query = '') { return Socket.open({ port: this.port }, `/ws/realtime${query}`, headers) }

	async stop() {
		if (this.child && this.child.exitCode === null && this.child.signalCode === null) await this.endStream()
		await this.web.stop()
	}
}
