// activity_tables.mjs: the tables of activity, filled by SQL as if events had come and taken effect: some weeks of
// sessions of a shop, what was refused and kept apart, and the figures of all that.

// As SQL. `days` of about `sessions` each, the last of which is today; the same every time but for when it is.
export function activitySql({ timezone = 'Europe/Berlin', cutoff = 4, days = 35, sessions = 24 } = {}) {
	return `BEGIN;
TRUNCATE activity_batch, activity_event, activity_id, activity_quarantine, activity_account, activity_warning, activity_type, activity_property,
	activity_visitor, activity_session, activity_person_day, activity_value, activity_sum, activity_session_sum, activity_user_sum, activity_product RESTART IDENTITY;
DELETE FROM activity_dimension WHERE dimension_id > 8;
UPDATE activity_site SET timezone = '${timezone}', cutoff_hours = ${cutoff}, session_timeout_s = 3600, version = version + 1, applied_at = now();
CREATE TEMP TABLE raw ON COMMIT DROP AS
WITH session AS (
	SELECT d, s, (d * 7919 + s * 104729) % 1000 AS r, row_number() OVER (ORDER BY d DESC, s) AS n,
	       now() - make_interval(days => d, mins => (s * 37 + d * 11) % 700) - interval '3 minutes' AS at
	FROM generate_series(0, ${days - 1}) d, generate_series(1, ${sessions}) s WHERE (d * 31 + s) % 7 > (d % 7 = 3)::int
), step AS (
	SELECT n, d, at, r, k, (ARRAY['page_view', 'page_view', 'product_view', 'add_to_cart', 'checkout_start', 'purchase'])[k] AS event_type
	FROM session, generate_series(1, CASE WHEN r < 280 THEN 1 WHEN r < 520 THEN 3 WHEN r < 760 THEN 4 WHEN r < 900 THEN 5 ELSE 6 END) k
)
SELECT n, k, event_type, r % 37 = 5 AS bot, at + make_interval(secs => (k - 1) * (20 + r % 90)) AS at, r,
       CASE WHEN r % 3 = 0 THEN 'user_' || r % 120 END AS user_id, 'a-' || (n * 17) % 400 AS anonymous_id, 's-' || n AS session_id,
       ARRAY[(ARRAY['/', '/c/audio', '/p/' || r % 12, '/p/' || r % 12, '/checkout', '/thanks'])[k],
             (ARRAY[NULL, 'google.com', 'newsletter', 'instagram.com', NULL])[1 + r % 5], (ARRAY['winter', NULL, NULL])[1 + r % 3],
             (ARRAY['desktop', 'mobile', 'mobile', 'tablet'])[1 + r % 4], (ARRAY['Firefox', 'Chrome', 'Safari'])[1 + r % 3],
             CASE WHEN k BETWEEN 3 AND 4 THEN (ARRAY['audio', 'cameras', 'books'])[1 + r % 3] END, CASE WHEN k BETWEEN 3 AND 4 THEN (400 + r % 12)::text END, NULL] AS dims,
       CASE WHEN k BETWEEN 3 AND 4 THEN (r % 12) * 10 + 9.90 END AS price
FROM step WHERE at < now();
SELECT activity_partition_make(array_agg(DISTINCT (at AT TIME ZONE 'UTC')::date)) FROM raw;
INSERT INTO activity_event (seq, event_id, event_type, occurred_at, claimed_at, received_at, flags, user_id, anonymous_id, session_id, session_key, dims, price, quantity, currency, properties)
SELECT row_number() OVER (ORDER BY at, n, k), gen_random_uuid(), event_type, at, at - make_interval(secs => CASE WHEN r % 20 = 4 THEN 400 ELSE 0 END), at + interval '2 seconds',
       CASE WHEN bot THEN 16 ELSE 0 END + CASE WHEN r % 20 = 4 THEN 4 ELSE 0 END, user_id, anonymous_id, session_id, n, dims, price, CASE WHEN price IS NOT NULL THEN 1 END,
       CASE WHEN price IS NOT NULL THEN 'EUR' END, json_build_object('page', dims[1], 'product_id', dims[7], 'colour', 'red')
FROM raw;
INSERT INTO activity_visitor (kind, id, person_id, first_at, first_day, last_at, last_received_at) OVERRIDING USER VALUE
SELECT CASE WHEN user_id IS NULL THEN 'anonymous' ELSE 'user' END, coalesce(user_id, anonymous_id), 0, min(at), booking_date(min(at), '${timezone}', ${cutoff}), max(at), max(at)
FROM raw GROUP BY 1, 2;
UPDATE activity_visitor SET person_id = visitor_id;
INSERT INTO activity_session (session_key, session_id, bot, person_id, started_at, last_at, last_received_at, ended, business_date, hour_at, events, page_views, steps,
	landing, leaving, source, device, cart, cart_unpriced, groups)
SELECT n, max(session_id), bool_or(bot), (SELECT visitor_id FROM activity_visitor v WHERE v.id = coalesce(max(user_id), max(anonymous_id))), min(at), max(at), max(at), false,
       booking_date(min(at), '${timezone}', ${cutoff}), date_trunc('hour', min(at)), count(*), count(*) FILTER (WHERE event_type = 'page_view'),
       bit_or(CASE event_type WHEN 'product_view' THEN 1 WHEN 'add_to_cart' THEN 2 WHEN 'checkout_start' THEN 4 WHEN 'purchase' THEN 8 ELSE 0 END),
       (array_agg(dims[1] ORDER BY k))[1], (array_agg(dims[1] ORDER BY k DESC))[1], coalesce(max(dims[2]), ''), max(dims[4]),
       CASE WHEN bool_or(event_type = 'purchase') THEN 0 ELSE coalesce(sum(price) FILTER (WHERE event_type = 'add_to_cart'), 0) END, 0,
       (SELECT array_agg(DISTINCT i || ':' || coalesce(r2.dims[i], '')) FROM raw r2, generate_series(1, 8) i WHERE r2.n = raw.n)
FROM raw GROUP BY n;
INSERT INTO activity_person_day SELECT s.business_date, s.bot, s.person_id, array_agg(DISTINCT g) FROM activity_session s, unnest(s.groups) g GROUP BY 1, 2, 3;
INSERT INTO activity_value (dimension_id, value) SELECT DISTINCT i, dims[i] FROM raw, generate_series(1, 8) i WHERE dims[i] IS NOT NULL;
INSERT INTO activity_sum SELECT g, bot, i, CASE g WHEN 'hour' THEN date_trunc('hour', at) WHEN 'day' THEN business_day_start('${timezone}', ${cutoff}, day)
		ELSE business_day_start('${timezone}', ${cutoff}, date_trunc('month', day)::date) END, event_type, CASE WHEN i > 0 THEN coalesce(dims[i], '') ELSE '' END, count(*)
FROM (SELECT *, booking_date(at, '${timezone}', ${cutoff}) AS day FROM raw) r, generate_series(0, 8) i, unnest(enum_range(NULL::activity_grain)) g
GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO activity_session_sum SELECT g, s.bot, i, CASE g WHEN 'hour' THEN s.hour_at WHEN 'day' THEN business_day_start('${timezone}', ${cutoff}, s.business_date)
		ELSE business_day_start('${timezone}', ${cutoff}, date_trunc('month', s.business_date)::date) END, v, count(*), count(*) FILTER (WHERE s.steps & 8 <> 0),
		count(*) FILTER (WHERE s.events = 1), sum(s.events), sum(floor(extract(epoch FROM s.last_at - s.started_at)))
FROM activity_session s CROSS JOIN LATERAL (SELECT 0 AS i, '' AS v UNION ALL SELECT split_part(x, ':', 1)::int, substr(x, strpos(x, ':') + 1) FROM unnest(s.groups) x) x,
	unnest(enum_range(NULL::activity_grain)) g
GROUP BY 1, 2, 3, 4, 5;
INSERT INTO activity_user_sum SELECT p.bot, i, p.business_date, v, count(*) FROM activity_person_day p
	CROSS JOIN LATERAL (SELECT 0 AS i, '' AS v UNION ALL SELECT split_part(x, ':', 1)::int, substr(x, strpos(x, ':') + 1) FROM unnest(p.groups) x) x GROUP BY 1, 2, 3, 4;
INSERT INTO activity_type (event_type, first_at, last_at, owner, description)
SELECT event_type, min(at), max(at), CASE event_type WHEN 'purchase' THEN 'Shop team' ELSE '' END, CASE event_type WHEN 'purchase' THEN 'An order was placed and paid' ELSE '' END
FROM raw GROUP BY 1;
UPDATE activity_type SET schema = '{"type": "object", "properties": {"page": {"type": "string"}, "product_id": {"type": "string"}, "price": {"type": "number"}}}' WHERE event_type = 'product_view';
INSERT INTO activity_property SELECT event_type, p, kind, min(at), max(at), count(*) FROM raw,
	(VALUES ('page', 'string'), ('product_id', 'string'), ('price', 'string'), ('colour', 'string'), ('colour', 'null')) p (p, kind)
WHERE (p = 'page' OR price IS NOT NULL) AND (kind <> 'null' OR r % 9 = 0) GROUP BY 1, 2, 3;
INSERT INTO activity_account SELECT date_trunc('hour', at), CASE WHEN r % 4 = 0 THEN 'key:2' ELSE 'key:1' END, count(*) + count(*) FILTER (WHERE r % 50 = 1) + count(*) FILTER (WHERE r % 90 = 2) + count(*) FILTER (WHERE r % 70 = 3),
	count(*), count(*) FILTER (WHERE r % 50 = 1), count(*) FILTER (WHERE r % 90 = 2), count(*) FILTER (WHERE r % 70 = 3) FROM raw GROUP BY 1, 2;
INSERT INTO activity_warning SELECT date_trunc('hour', at), 'key:1', event_type, w.reason, w.field, count(*), w.sample FROM raw,
	(VALUES (1, 'late', '', ''), (2, 'skewed', 'timestamp', '{"timestamp": "2026-11-20T18:04:05Z"}'), (3, 'bot_name', '', ''), (4, 'invalid', 'properties.price', '{"event_type": "product_view", "properties": {"price": "cheap"}}'),
	        (5, 'dropped', 'properties.email', '')) w (i, reason, field, sample)
WHERE r % 40 = i * 3 GROUP BY 1, 3, 4, 5, 7;
INSERT INTO activity_quarantine (received_at, source, event_id, event_type, reason, field, detail, payload)
SELECT now() - make_interval(hours => i * 5), 'key:1', gen_random_uuid(), 'product_view', CASE WHEN i % 3 = 0 THEN 'too_old' ELSE 'schema' END, CASE WHEN i % 3 = 0 THEN 'timestamp' ELSE 'properties.price' END,
	CASE WHEN i % 3 = 0 THEN 'it happened 120 days ago' ELSE 'properties.price must be a number' END, '{"event_type": "product_view", "user_id": "user_secret_' || i || '", "properties": {"price": "cheap"}}'
FROM generate_series(9, 1, -1) i;
COMMIT;`
}
