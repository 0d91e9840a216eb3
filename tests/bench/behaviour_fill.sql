-- behaviour_fill.sql: :events tracked events of :users people over 90 days up to yesterday, and who they are. A session has five events;
-- everybody has one, the others are whose Zipf's law (exponent 1) says. The same numbers make the same rows. The clock is UTC's.
SET timezone = 'UTC';
SET work_mem = '256MB';
SET synchronous_commit = off;
SET jit = off;

UPDATE activity_site SET timezone = 'UTC', cutoff_hours = 0, session_timeout_s = 3600, currency = 'EUR', version = 1, applied_at = now(), sequenced_from = '-infinity';
SELECT activity_partition_make(array_agg(d::date)) FROM generate_series(current_date - 92, current_date + 1, interval '1 day') d;

CREATE UNLOGGED TABLE fill_session AS
SELECT s, CASE WHEN s <= :users THEN s % :users ELSE floor(:users ^ (mod(s * 7919::numeric, 999983) / 999983))::int END AS u,
       (current_date - 90)::timestamptz + make_interval(secs => (s * 104729 % 7775000) + 0.001 * (s % 1000)) AS at
FROM generate_series(1::bigint, :events / 5) s;

INSERT INTO activity_event
SELECT (1 << 16) + s * 5 + k, gen_random_uuid(), (ARRAY['page_view', 'page_view', 'page_view', 'page_view', 'product_view', 'product_view', 'product_view', 'add_to_cart',
           'add_to_cart', 'checkout_start', 'purchase', 'search', 'filter'])[1 + (hashint8(s * 5 + k)::bigint & 1048575) % 13],
       at + k * make_interval(secs => 20 + s % 90), at, at + k * interval '1 minute' + interval '1 second', 0, 1, 'u' || u, NULL, 's' || s, hashtextextended('s' || s, 0),
       ARRAY['/p/' || (s * 5 + k) % 300, (ARRAY['google.com', NULL, 'newsletter', 'instagram.com'])[1 + s % 4], NULL, (ARRAY['mobile', 'desktop', 'tablet'])[1 + u % 3],
             (ARRAY['Chrome', 'Safari', 'Firefox'])[1 + u % 3], 'category ' || (s * 31 + k) % 12, ((s * 31 + k) % 500)::text, 'region ' || u % 5],
       10 + (s * 31 + k) % 90, 1, 'EUR', '{}'
FROM fill_session, generate_series(0, 4) k;

INSERT INTO activity_visitor (visitor_id, kind, id, person_id, first_at, first_day, last_at, last_received_at) OVERRIDING SYSTEM VALUE
SELECT u + 1, 'user', 'u' || u, u + 1, min(at), min(at)::date, max(at), max(at) FROM fill_session GROUP BY u;
SELECT setval('activity_visitor_visitor_id_seq', max(visitor_id)) FROM activity_visitor;
INSERT INTO activity_person_day SELECT DISTINCT (at + k * make_interval(secs => 20 + s % 90))::date, false, u + 1, '{}'::text[] FROM fill_session, generate_series(0, 4) k;
INSERT INTO activity_type (event_type, first_at, last_at, code)
SELECT event_type, min(occurred_at), max(occurred_at), row_number() OVER (ORDER BY event_type) FROM activity_event GROUP BY event_type;
DROP TABLE fill_session;
ANALYZE activity_event, activity_visitor;
