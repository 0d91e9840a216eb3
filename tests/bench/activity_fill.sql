-- activity_fill.sql: :events tracked events of :users people over 90 days up to now, and all that is made of them, by sets:
-- people, sessions of five events, person days and figures. The same numbers make the same rows. The clock is UTC's.
SET timezone = 'UTC';
SET work_mem = '256MB';
SET synchronous_commit = off;
SET jit = off;

UPDATE activity_site SET timezone = 'UTC', cutoff_hours = 0, session_timeout_s = 3600, currency = 'EUR', version = 1, applied_at = now();
SELECT activity_partition_make(array_agg(d::date)) FROM generate_series(current_date - 91, current_date + 1, interval '1 day') d;

CREATE UNLOGGED TABLE fill_session AS
SELECT s, (s * 7919 % :users)::int AS u, date_trunc('second', now()) - interval '10 seconds' - make_interval(secs => 240 + (s * 104729 % 7775000)) AS at,
       (s % 33 = 0) AS buys, (s % 50 = 1) AS bot
FROM generate_series(1::bigint, :events / 5) s;

INSERT INTO activity_event
SELECT (1 << 16) + e.n, gen_random_uuid(), e.type, e.at, e.at, e.at + interval '1 second', CASE WHEN f.bot THEN 16 ELSE 0 END, 1,
       'u' || f.u, NULL, 's' || f.s, hashtextextended('s' || f.s, 0),
       ARRAY['/p/' || e.n % 300, (ARRAY['google.com', NULL, 'newsletter', 'instagram.com'])[1 + f.s % 4], NULL, (ARRAY['mobile', 'desktop', 'tablet'])[1 + f.u % 3],
             (ARRAY['Chrome', 'Safari', 'Firefox'])[1 + f.u % 3], 'category ' || e.product % 12, e.product::text, 'region ' || f.u % 5],
       10 + e.product % 90, 1, 'EUR', '{}'
FROM fill_session f,
     LATERAL (SELECT k, f.s * 5 + k AS n, f.at + k * interval '1 minute' AS at, (f.s * 31 + k) % 500 AS product,
                     CASE WHEN k = 4 AND f.buys THEN 'purchase' ELSE (ARRAY['page_view', 'product_view', 'product_view', 'add_to_cart', 'page_view'])[k + 1] END AS type
              FROM generate_series(0, 4) k) e;

INSERT INTO activity_visitor (visitor_id, kind, id, person_id, first_at, first_day, last_at, last_received_at) OVERRIDING SYSTEM VALUE
SELECT u + 1, 'user', 'u' || u, u + 1, min(at), min(at)::date, max(at) + interval '4 minutes', max(at) + interval '4 minutes'
FROM fill_session WHERE NOT bot GROUP BY u;
INSERT INTO activity_visitor (visitor_id, kind, id, person_id) OVERRIDING SYSTEM VALUE
SELECT DISTINCT u + 1, 'user', 'u' || u, u + 1 FROM fill_session WHERE bot ON CONFLICT DO NOTHING;

INSERT INTO activity_session (session_key, session_id, bot, person_id, started_at, last_at, last_received_at, ended, business_date, hour_at, events, page_views,
	steps, landing, leaving, source, device, cart, cart_unpriced, groups)
SELECT hashtextextended('s' || s, 0), 's' || s, bot, u + 1, at, at + interval '4 minutes', at + interval '4 minutes', false, at::date, date_trunc('hour', at), 5,
       CASE WHEN buys THEN 1 ELSE 2 END, CASE WHEN buys THEN 11 ELSE 3 END, '/p/' || s * 5 % 300, '/p/' || (s * 5 + 4) % 300,
       coalesce((ARRAY['google.com', NULL, 'newsletter', 'instagram.com'])[1 + s % 4], ''), (ARRAY['mobile', 'desktop', 'tablet'])[1 + u % 3],
       CASE WHEN buys THEN 0 ELSE 20 + s % 70 END, 0,
       (SELECT array_agg(DISTINCT '1:/p/' || (s * 5 + k) % 300) || array_agg(DISTINCT '6:category ' || (s * 31 + k) % 500 % 12) || array_agg(DISTINCT '7:' || (s * 31 + k) % 500)
        FROM generate_series(0, 4) k) || ARRAY['2:' || coalesce((ARRAY['google.com', NULL, 'newsletter', 'instagram.com'])[1 + s % 4], ''), '3:',
        '4:' || (ARRAY['mobile', 'desktop', 'tablet'])[1 + u % 3], '5:' || (ARRAY['Chrome', 'Safari', 'Firefox'])[1 + u % 3], '8:region ' || u % 5]
FROM fill_session;

INSERT INTO activity_person_day
SELECT (at + k * interval '1 minute')::date, bot, u + 1, array_agg(DISTINCT '6:category ' || (s * 31 + k) % 500 % 12) || ARRAY['8:region ' || u % 5]
FROM fill_session, generate_series(0, 4) k GROUP BY 1, 2, 3, u;

INSERT INTO activity_value SELECT 6, 'category ' || i FROM generate_series(0, 11) i;
INSERT INTO activity_value SELECT 7, i::text FROM generate_series(0, 499) i;
INSERT INTO activity_value SELECT 8, 'region ' || i FROM generate_series(0, 4) i;
INSERT INTO activity_value SELECT 1, '/p/' || i FROM generate_series(0, 299) i;

-- Figures of the whole and of the dimensions that are asked for here: hours first, days and months out of these.
INSERT INTO activity_sum
SELECT 'hour', flags & 112 <> 0, d, date_trunc('hour', occurred_at), event_type, CASE d WHEN 0 THEN '' ELSE coalesce(dims[d], '') END, count(*)
FROM activity_event, unnest(ARRAY[0, 4, 6, 8]) d GROUP BY 2, 3, 4, 5, 6;
INSERT INTO activity_session_sum
SELECT 'hour', bot, d, hour_at, v, count(*), count(*) FILTER (WHERE buys), 0, 5 * count(*), 240 * count(*)
FROM (SELECT f.bot, f.buys, date_trunc('hour', f.at) AS hour_at, 0 AS d, '' AS v FROM fill_session f
      UNION ALL
      SELECT f.bot, f.buys, date_trunc('hour', f.at), 6, c.v FROM fill_session f, LATERAL (SELECT DISTINCT 'category ' || (f.s * 31 + k) % 500 % 12 AS v FROM generate_series(0, 4) k) c
      UNION ALL
      SELECT f.bot, f.buys, date_trunc('hour', f.at), 8, 'region ' || f.u % 5 FROM fill_session f) x GROUP BY 2, 3, 4, 5;
INSERT INTO activity_sum SELECT 'day', bot, dimension_id, date_trunc('day', bucket_at), event_type, value, sum(events) FROM activity_sum WHERE grain = 'hour' GROUP BY 2, 3, 4, 5, 6;
INSERT INTO activity_sum SELECT 'month', bot, dimension_id, date_trunc('month', bucket_at), event_type, value, sum(events) FROM activity_sum WHERE grain = 'day' GROUP BY 2, 3, 4, 5, 6;
INSERT INTO activity_session_sum SELECT 'day', bot, dimension_id, date_trunc('day', bucket_at), value, sum(sessions), sum(converted), 0, sum(events), sum(seconds)
FROM activity_session_sum WHERE grain = 'hour' GROUP BY 2, 3, 4, 5;
INSERT INTO activity_session_sum SELECT 'month', bot, dimension_id, date_trunc('month', bucket_at), value, sum(sessions), sum(converted), 0, sum(events), sum(seconds)
FROM activity_session_sum WHERE grain = 'day' GROUP BY 2, 3, 4, 5;
INSERT INTO activity_user_sum SELECT bot, 0, business_date, '', count(*) FROM activity_person_day GROUP BY 1, 3;
INSERT INTO activity_user_sum SELECT bot, split_part(g, ':', 1)::smallint, business_date, substr(g, strpos(g, ':') + 1), count(*) FROM activity_person_day, unnest(groups) g
GROUP BY 1, 2, 3, 4;
DROP TABLE fill_session;

-- Codes, in the place of those the stream gives; it makes the sequences.
UPDATE activity_type t SET code = n.n FROM (SELECT event_type, row_number() OVER (ORDER BY event_type) AS n FROM activity_type) n
WHERE n.event_type = t.event_type;
UPDATE activity_value v SET code = n.n
FROM (SELECT dimension_id, value, row_number() OVER (PARTITION BY dimension_id ORDER BY value) AS n FROM activity_value) n
WHERE n.dimension_id = v.dimension_id AND n.value = v.value;
UPDATE activity_site SET sequenced_from = 'infinity';
