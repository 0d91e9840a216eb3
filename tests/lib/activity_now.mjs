// activity_now.mjs: who is there now, as rows of the tables that takings-stream writes; of a site in UTC whose day begins at 0.

export const applied = "UPDATE activity_site SET timezone = 'UTC', cutoff_hours = 0, session_timeout_s = 3600, version = version + 1, applied_at = now()"
export const day = "business_day_start('UTC', 0, booking_date(now(), 'UTC', 0))"

// Somebody last heard of `s` seconds ago.
export const visitor = (n, kind, id, s) => `INSERT INTO activity_visitor (visitor_id, kind, id, person_id, first_at, first_day, last_at, last_received_at) OVERRIDING SYSTEM VALUE
	VALUES (${n}, '${kind}', '${id}', ${n}, now(), current_date, now(), now() - interval '${s} seconds')`

// A session with its last event `s` seconds ago.
export const session = (n, person, s, { cart = 0, unpriced = 0, ended = false, bot = false, steps = 0, groups = '', page = '/', agoStart = s, heard = s, id = `s${n}` } = {}) =>
	`INSERT INTO activity_session (session_key, session_id, bot, person_id, started_at, last_at, last_received_at, ended, business_date, hour_at, events, page_views, steps,
		landing, leaving, source, device, cart, cart_unpriced, groups)
	VALUES (${n}, '${id}', ${bot}, ${person}, now() - interval '${agoStart} seconds', now() - interval '${s} seconds', now() - interval '${heard} seconds', ${ended},
		booking_date(now(), 'UTC', 0), date_trunc('hour', now()), 3, 2, ${steps}, '/', '${page}', 'google.com', 'mobile', ${cart}, ${unpriced}, '{${groups}}')`
