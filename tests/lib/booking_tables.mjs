// booking_tables.mjs: the tables of events and bookings, filled by SQL: messages take effect by the functions
// that the stream uses, without an inbox.

export const KIND = { created: 0, confirmed: 1, cancelled: 2, event: 3, updated: 4, user: 7 }

// As SQL. `messages`: { kind, at (ISO 8601), event_id, booking_id, user_id, seats, amount, confirmed, currency,
// fields }. `clear`: what was there before goes.
export function bookingSql(messages, { timezone = 'UTC', cutoff = 0, currency = 'EUR', clear = true } = {}) {
	const list = messages.map((m, i) => ({ version: 0, seq: i, digest: i, created_at: m.at, ...m }))
	return `BEGIN;
		${clear ? `TRUNCATE booking_message, booking_state, event_field, event_state, event_capacity, user_state, event_day, category_day,
			booking_day, booking_day_more, booking_hour, booking_lead, event_stats, top_events, system_metrics;
			UPDATE booking_site SET days_from = NULL, days_to = NULL;` : ''}
		UPDATE booking_site SET timezone = '${timezone}', cutoff_hours = ${cutoff}, currency = '${currency}', capacity_unlimited = 9999,
			processed_at = now();
		SELECT booking_figures_take(booking_states_take($messages$${JSON.stringify(list)}$messages$));
		SELECT booking_ranks_make();
		SELECT pg_notify('takings_bookings', version::text) FROM booking_site;
		COMMIT;`
}

// A few events and bookings, so that every answer has something to say.
export const someBookings = (now = Date.now()) => {
	const at = (days) => new Date(now + days * 86400_000).toISOString()
	return [
		{ kind: KIND.event, event_id: 17, at: at(-40), fields: { name: 'Winter concert', category: 'music', capacity: '4', starts_at: at(20), ends_at: at(20.1), status: 'published', published_at: at(-40) } },
		{ kind: KIND.event, event_id: 18, at: at(-40), fields: { name: 'Open day', status: 'published' } },
		{ kind: KIND.created, booking_id: 'b1', event_id: 17, user_id: 'u1', at: at(-9), seats: 5, amount: '50.00', confirmed: true },
		{ kind: KIND.created, booking_id: 'b2', event_id: 17, user_id: 'u2', at: at(-3), seats: 1, amount: '10.00', confirmed: true },
		{ kind: KIND.cancelled, booking_id: 'b2', event_id: 17, at: at(-2) },
		{ kind: KIND.created, booking_id: 'b3', event_id: 18, at: at(0), seats: 1, amount: '5.00', currency: 'USD', confirmed: true },
		{ kind: KIND.created, booking_id: 'b4', event_id: 18, at: at(0), seats: 1, amount: '5.00' },
	]
}
