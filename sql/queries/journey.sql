-- journey.sql: what one person did, in order. docs/BEHAVIOUR.md, "Journeys". A person's events are found by way of the
-- sessions: those of the person and, by :keys, others' in which the sequences say that the person was, too; and in them the
-- events by one of the person's ids. LIMIT and OFFSET 0 keep look-ups look-ups.

-- name: journey_person
-- Whose an id is (:kind NULL: a user's, else a visitor's, else a session's), or a visitor's number. No row: nobody's, or erased.
SELECT p.visitor_id AS person_id, p.kind, p.id, p.kind = 'user' AS is_user, t.at AS as_of, t.at > now() AS is_future,
       booking_date(t.at, z.tz, z.cutoff_hours) AS as_of_day, z.tz, z.cutoff_hours, z.currency, booking_date(now(), z.tz, z.cutoff_hours) AS today,
       business_day_start(z.tz, z.cutoff_hours, booking_date(t.at, z.tz, z.cutoff_hours) - 29) AS look_at,
       to_char(t.at AT TIME ZONE z.tz, 'HH24:MI') AS as_of_time, (t.at AT TIME ZONE z.tz)::date AS as_of_date,
       p.first_at, p.last_at, p.first_day, i.ids_n, i.ids_n = 1 AS is_one_id,
       s.sessions_n, s.bot_sessions_n, s.bot_sessions_n > 0 AS has_bots, s.sessions_n = 1 AS is_one_session, nullif(a.raw_from, '-infinity') AS kept_from
FROM (SELECT v.person_id, k.n
      FROM unnest(ARRAY['user', 'anonymous', 'session']) WITH ORDINALITY k(kind, n) JOIN activity_visitor v ON v.kind = k.kind AND v.id = :id
      WHERE :kind::text IS NULL OR k.kind = :kind
      UNION ALL
      SELECT v.person_id, 0 FROM activity_visitor v WHERE v.visitor_id = :person_id::bigint
      ORDER BY n LIMIT 1) f
JOIN activity_visitor p ON p.visitor_id = f.person_id AND p.id IS NOT NULL
CROSS JOIN activity_site a
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours, activity_currency() AS currency) z
CROSS JOIN LATERAL (SELECT coalesce(timestamptz 'epoch' + :as_of_us::bigint * interval '1 microsecond', now()) AS at) t
CROSS JOIN LATERAL (SELECT count(*) AS ids_n FROM activity_visitor v WHERE v.person_id = p.visitor_id AND v.kind <> 'session' AND v.id IS NOT NULL) i
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE NOT x.bot) AS sessions_n, count(*) FILTER (WHERE x.bot) AS bot_sessions_n
                    FROM activity_session x WHERE x.person_id = p.visitor_id AND x.started_at <= t.at) s

-- name: journey_parts
-- Of the person's days the parts of sequences the person may be in: whose sessions the events are in.
SELECT q.people, q.sessions
FROM (SELECT DISTINCT d.business_date FROM activity_person_day d WHERE d.person_id = :person_id::bigint AND NOT d.bot) d
JOIN activity_sequence q ON q.shard = (:person_id::bigint % 32)::smallint AND q.business_date = d.business_date AND q.sessions IS NOT NULL

-- name: journey_touchpoints
-- The newest :page_rows before the cursor, in the order of time, session by session: sessions by their first one here. Where there
-- is none, one row without an event.
-- So many events are surely in the sessions that began since `reach`, and older ones that reach into that time.
WITH ids AS MATERIALIZED (
	SELECT kind, id FROM activity_visitor WHERE person_id = :person_id::bigint AND id IS NOT NULL
), upto AS MATERIALIZED (
	SELECT coalesce(timestamptz 'epoch' + :after_us::bigint * interval '1 microsecond', :as_of::timestamptz) AS at,
	       coalesce(:after_seq::bigint, 9223372036854775807) AS seq
), mine AS MATERIALIZED (
	SELECT s.* FROM journey_sessions(:person_id::bigint, :keys::bigint[]) s, upto u WHERE s.started_at <= u.at
), reach AS MATERIALIZED (
	SELECT CASE WHEN sum(w.events) > :page_rows::int THEN min(w.started_at) FILTER (WHERE w.newer <= :page_rows::int) ELSE '-infinity' END AS at
	FROM (SELECT m.started_at, m.events, sum(m.events) OVER (ORDER BY m.started_at DESC, m.activity_session_id DESC) - m.events AS newer
	      FROM mine m, upto u WHERE m.last_at < u.at) w
), page AS MATERIALIZED (
	SELECT e.*, m.activity_session_id, m.session_id AS said_id, m.bot, m.started_at, m.source AS came_from, m.device, m.landing,
	       row_number() OVER (ORDER BY e.occurred_at DESC, e.seq DESC) AS newest
	FROM mine m
	CROSS JOIN upto u
	CROSS JOIN reach r
	CROSS JOIN LATERAL (SELECT x.seq, x.event_id, x.event_type, x.occurred_at, x.flags, x.dims, x.price, x.quantity, x.currency
	                    FROM activity_event x
	                    WHERE x.session_key = m.session_key AND x.occurred_at >= greatest(m.started_at, r.at) AND x.occurred_at <= least(m.last_at, u.at)
	                      AND (x.flags & 112 <> 0) = m.bot AND (x.occurred_at, x.seq) < (u.at, u.seq)
	                      AND (CASE WHEN x.user_id IS NOT NULL THEN 'user' WHEN x.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END,
	                           coalesce(x.user_id, x.anonymous_id, x.session_id) COLLATE "C") IN (SELECT kind, id FROM ids)
	                    ORDER BY x.occurred_at DESC, x.seq DESC LIMIT :page_rows::int + 1) e
	WHERE m.last_at >= r.at
	ORDER BY e.occurred_at DESC, e.seq DESC LIMIT :page_rows::int + 1
), next AS (
	SELECT (extract(epoch FROM p.occurred_at) * 1000000)::bigint || '.' || p.seq AS cursor
	FROM page p WHERE p.newest = :page_rows::int AND (SELECT count(*) FROM page) > p.newest
	UNION ALL -- others' events were among those counted on
	SELECT (extract(epoch FROM r.at) * 1000000)::bigint || '.0' FROM reach r WHERE (SELECT count(*) FROM page) <= :page_rows::int AND r.at > '-infinity'
), placed AS (
	SELECT p.*, min(p.occurred_at) OVER s AS first_here, count(*) OVER s AS here_n, row_number() OVER (s ORDER BY p.occurred_at, p.seq) AS n
	FROM page p WHERE p.newest <= :page_rows::int WINDOW s AS (PARTITION BY p.activity_session_id)
)
SELECT p.activity_session_id, p.n = 1 AS begins, p.n = p.here_n AS ends, p.said_id AS session_id, p.bot, p.started_at, nullif(p.came_from, '') AS came_from, nullif(p.device, '') AS device,
       p.started_at < p.first_here OR p.activity_session_id IS NOT DISTINCT FROM (SELECT x.activity_session_id FROM page x WHERE x.newest = :page_rows::int + 1) AS is_cut, p.event_id, p.event_type, p.occurred_at, p.dims[1] AS page, p.dims[2] AS source, p.dims[3] AS campaign,
       p.dims[6] AS category, p.dims[7] AS product, p.dims[8] AS region, p.price, p.quantity, p.currency, p.price * coalesce(p.quantity, 1) AS amount,
       p.flags & 8 <> 0 AS is_late, p.event_type = 'purchase' AS is_purchase,
       (p.started_at AT TIME ZONE :tz)::date AS started_date, to_char(p.started_at AT TIME ZONE :tz, 'HH24:MI') AS started_time,
       (p.occurred_at AT TIME ZONE :tz)::date AS at_date, (p.occurred_at AT TIME ZONE :tz)::date <> (p.started_at AT TIME ZONE :tz)::date AS is_other_day,
       to_char(p.occurred_at AT TIME ZONE :tz, 'HH24:MI:SS') AS at_time, p.price * coalesce(p.quantity, 1) AS event_amount, p.price IS NOT NULL AS has_price,
       p.price AS event_price, p.quantity > 1 AS is_many,
       c.cursor AS next_cursor
FROM (SELECT (SELECT cursor FROM next) AS cursor) c LEFT JOIN placed p ON true
ORDER BY p.first_here, p.activity_session_id, p.n

-- name: journey_purchase
-- The last purchase.
WITH ids AS MATERIALIZED (
	SELECT kind, id FROM activity_visitor WHERE person_id = :person_id::bigint AND id IS NOT NULL
)
SELECT e.occurred_at, e.seq, :as_of_day::date - booking_date(e.occurred_at, :tz, :cutoff_hours::int) AS age
FROM journey_sessions(:person_id::bigint, :keys::bigint[]) m
CROSS JOIN LATERAL (SELECT x.occurred_at, x.seq FROM activity_event x
                    WHERE x.session_key = m.session_key AND x.occurred_at >= m.started_at AND x.occurred_at <= least(m.last_at, :as_of::timestamptz)
                      AND x.event_type = 'purchase' AND x.flags & 112 = 0
                      AND (CASE WHEN x.user_id IS NOT NULL THEN 'user' WHEN x.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END,
                           coalesce(x.user_id, x.anonymous_id, x.session_id) COLLATE "C") IN (SELECT kind, id FROM ids)
                    ORDER BY x.occurred_at DESC, x.seq DESC LIMIT 1) e
WHERE NOT m.bot AND m.steps & 8 <> 0 AND m.started_at <= :as_of::timestamptz
ORDER BY e.occurred_at DESC, e.seq DESC LIMIT 1

-- name: journey_counts
-- Events of the 30 business days by type and age, without bots'; `since`: some of them came after the last purchase.
WITH ids AS MATERIALIZED (
	SELECT kind, id FROM activity_visitor WHERE person_id = :person_id::bigint AND id IS NOT NULL
), day AS MATERIALIZED (
	SELECT :as_of_day::date - d.business_date AS age, d.starts_at, d.ends_at
	FROM business_days(:tz, :cutoff_hours::int, :as_of_day::date - 29, :as_of_day::date) d
)
SELECT d.age, e.event_type, count(*) AS events,
       bool_or((e.occurred_at, e.seq) > (coalesce(:bought_at::timestamptz, '-infinity'), coalesce(:bought_seq::bigint, 0))) AS since
FROM day d
JOIN journey_sessions(:person_id::bigint, :keys::bigint[]) m ON m.started_at < d.ends_at AND m.last_at >= d.starts_at
CROSS JOIN LATERAL (SELECT x.event_type, x.occurred_at, x.seq FROM activity_event x
                    WHERE x.session_key = m.session_key AND x.occurred_at >= greatest(m.started_at, d.starts_at) AND x.occurred_at < d.ends_at
                      AND x.occurred_at <= least(m.last_at, :as_of::timestamptz) AND x.flags & 112 = 0
                      AND (CASE WHEN x.user_id IS NOT NULL THEN 'user' WHEN x.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END,
                           coalesce(x.user_id, x.anonymous_id, x.session_id) COLLATE "C") IN (SELECT kind, id FROM ids)
                    OFFSET 0) e
WHERE NOT m.bot AND m.last_at >= :look_at::timestamptz
GROUP BY d.age, e.event_type
ORDER BY d.age DESC, e.event_type

-- name: journey_touches
-- The first and the last visit that name a source, as far as is known then. What its events do not say any more, the session does.
WITH ids AS MATERIALIZED (
	SELECT kind, id FROM activity_visitor WHERE person_id = :person_id::bigint AND id IS NOT NULL
), said AS MATERIALIZED ( -- of many those that may be it
	(SELECT * FROM activity_session WHERE person_id = :person_id::bigint AND NOT bot AND source <> '' AND started_at <= :as_of::timestamptz
	 ORDER BY started_at, activity_session_id LIMIT 50)
	UNION
	(SELECT * FROM activity_session WHERE person_id = :person_id::bigint AND NOT bot AND source <> '' AND started_at <= :as_of::timestamptz
	 ORDER BY started_at DESC, activity_session_id DESC LIMIT 50)
), touch AS MATERIALIZED (
	SELECT s.activity_session_id, s.started_at, s.last_at, coalesce(e.source, s.source) AS source, e.campaign, coalesce(e.occurred_at, s.started_at) AS at, e.source IS NOT NULL AS is_kept
	FROM said s
	LEFT JOIN LATERAL (SELECT x.dims[2] AS source, x.dims[3] AS campaign, x.occurred_at FROM activity_event x
	                   WHERE x.session_key = s.session_key AND x.occurred_at >= s.started_at AND x.occurred_at <= least(s.last_at, :as_of::timestamptz)
	                     AND x.flags & 112 = 0 AND x.dims[2] <> ''
	                     AND (CASE WHEN x.user_id IS NOT NULL THEN 'user' WHEN x.anonymous_id IS NOT NULL THEN 'anonymous' ELSE 'session' END,
	                          coalesce(x.user_id, x.anonymous_id, x.session_id) COLLATE "C") IN (SELECT kind, id FROM ids)
	                   ORDER BY x.occurred_at, x.seq LIMIT 1) e ON true
	WHERE e.source IS NOT NULL OR s.last_at < (SELECT raw_from FROM activity_site) AND s.last_at <= :as_of::timestamptz
)
SELECT t.which = 'first' AS is_first, t.source, t.campaign, t.at, (t.at AT TIME ZONE :tz)::date AS touch_date
FROM ((SELECT 'first' AS which, * FROM touch ORDER BY started_at, activity_session_id LIMIT 1)
      UNION ALL
      (SELECT 'last', * FROM touch ORDER BY started_at DESC, activity_session_id DESC LIMIT 1)) t
ORDER BY t.which

-- name: journey_model
-- The newest table that was there on the day, with what it says of a cell (none: NULL).
SELECT m.model_date, m.reason, m.from_day, m.to_day, m.days, c.n, c.converted, half_even(c.p, 4) AS p, m.brier, m.brier_base
FROM (SELECT * FROM conversion_model WHERE model_date < :as_of_day::date ORDER BY model_date DESC LIMIT 1) m
LEFT JOIN conversion_cell c ON c.model_date = m.model_date AND c.step = :step::int AND c.recency = :recency::int AND c.buyer = :buyer::boolean

-- name: conversion_quality
-- The newest table and how it did; always one row.
SELECT m.model_date, m.made_at, CASE WHEN m.model_date IS NULL THEN 'no table was made yet: takings-batch run makes one each night' ELSE m.reason END AS reason,
       m.from_day, m.to_day, coalesce(m.days, 0) AS days, coalesce(m.people, 0) AS people, coalesce(m.n, 0) AS n, coalesce(m.converted, 0) AS converted,
       m.judged_from, m.judged_n, m.judged_converted, m.brier, m.brier_base, m.base_rate, half_even(1 - m.brier / nullif(m.brier_base, 0), 4) AS skill,
       coalesce(m.deciles, '[]') AS deciles,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('step', c.step, 'recency', (ARRAY['0', '1', '2-3', '4-7', '8-14', '15-29'])[c.recency + 1], 'buyer', c.buyer,
                                                     'n', c.n, 'converted', c.converted, 'p', half_even(c.p, 4)) ORDER BY c.step, c.recency, c.buyer), '[]')
        FROM conversion_cell c WHERE c.model_date = m.model_date AND c.buyer IS NOT NULL) AS cells
FROM (SELECT) one LEFT JOIN LATERAL (SELECT * FROM conversion_model ORDER BY model_date DESC LIMIT 1) m ON true

-- name: conversion_page
-- The same for people; always one row.
SELECT m.model_date IS NOT NULL AND m.reason IS NULL AS has_table, m.brier IS NOT NULL AS is_judged, m.brier < m.brier_base AS is_better, m.model_date, m.made_at, m.reason, m.from_day, m.to_day, m.days,
       m.people, m.n, m.converted, m.judged_from, m.judged_n, m.judged_converted, half_even(m.brier, 4) AS brier, half_even(m.brier_base, 4) AS brier_base,
       half_even(100 * (1 - m.brier / nullif(m.brier_base, 0)), 1) AS skill, half_even(100 * m.base_rate, 1) AS base_share,
       CASE WHEN m.n > 0 THEN half_even(100.0 * m.converted / m.n, 1) END AS share, a.applied_at IS NOT NULL AS has_activity, z.tz, z.currency,
       to_char(m.made_at AT TIME ZONE z.tz, 'FMDD Mon, HH24:MI') AS made_words, booking_date(now(), z.tz, z.cutoff_hours) AS today,
       booking_date(now(), z.tz, z.cutoff_hours) - m.model_date > 2 AS is_old
FROM activity_site a
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours, activity_currency() AS currency) z
LEFT JOIN LATERAL (SELECT * FROM conversion_model ORDER BY model_date DESC LIMIT 1) m ON true

-- name: conversion_page_deciles
-- In percent, and as places in a square of 400, which is as high as what is said or came at most.
SELECT d.decile, d.n, d.converted, half_even(100 * d.said, 1) AS said, half_even(100 * d.came, 1) AS came,
       round(400 * d.said / t.top, 1) AS x, round(400 - 400 * d.came / t.top, 1) AS y, half_even(100 * t.top, 0) AS top_percent, d.decile = max(d.decile) OVER () AS top
FROM (SELECT * FROM conversion_model ORDER BY model_date DESC LIMIT 1) m
CROSS JOIN LATERAL jsonb_to_recordset(m.deciles) d(decile int, n bigint, converted bigint, said numeric, came numeric)
CROSS JOIN LATERAL (SELECT greatest(ceil(20 * max(greatest(x.said, x.came))) / 20, 0.05) AS top FROM jsonb_to_recordset(m.deciles) x(said numeric, came numeric)) t
ORDER BY d.decile

-- name: conversion_page_cells
-- Cells somebody was in, the likeliest first.
SELECT (ARRAY['no product', 'product', 'cart', 'checkout'])[c.step + 1] AS reached, (ARRAY['the same day', '1 day', '2 to 3 days', '4 to 7 days', '8 to 14 days', '15 to 29 days'])[c.recency + 1] AS seen,
       c.buyer AS is_buyer, c.n, c.converted, half_even(100 * c.p, 1) AS p
FROM conversion_cell c
WHERE c.model_date = (SELECT max(model_date) FROM conversion_model) AND c.buyer IS NOT NULL AND c.n > 0
ORDER BY c.p DESC, c.step, c.recency, c.buyer
