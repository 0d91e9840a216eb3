-- activity_page.sql: what the pages of activity ask: sessions, one session, the event dictionary. activity_page_scope comes
-- first on pages of days; its columns are the parameters of the statements after it. docs/ACTIVITY.md says what an
-- event, a session and a figure mean.

-- name: activity_page_scope
-- The days a page is about; always one row. They end with today, which is there as far as it is over.
SELECT s.applied_at IS NOT NULL AS has_activity, a.came_at IS NOT NULL AS has_events, p.from_day, p.to_day, p.last_day, p.days_n, p.newest_day, p.today, p.oldest_day AS first_day,
       z.tz, z.cutoff_hours, z.currency, s.version, CASE WHEN p.from_day = p.to_day THEN p.to_day END AS date, p.from_day AS "from", greatest(p.from_day, p.last_day) AS "to",
       p.from_day = p.to_day AS is_day, p.from_day <> p.to_day AS is_range, p.days_n > 0 AS has_days, p.last_day = p.today AND p.days_n > 0 AS so_far, false AS has_base,
       NULL::date AS base_from, NULL::date AS base_to, NULL::text AS base_words, p.from_day = p.to_day AND p.to_day = p.today AS is_today,
       business_day_start(z.tz, z.cutoff_hours, p.from_day) AS from_at, business_day_start(z.tz, z.cutoff_hours, greatest(p.from_day, p.last_day) + 1) AS until_at,
       least(business_day_start(z.tz, z.cutoff_hours, greatest(p.from_day, p.last_day) + 1),
             (SELECT min(h.hour_at) FROM real_hours(z.tz, z.cutoff_hours, a.today, a.today) h WHERE h.hour_at > now())) AS running_at,
       CASE WHEN :date::date IS NOT NULL OR :from::date IS NOT NULL THEN NULL
            WHEN :period = 'newest' THEN 'Today' WHEN :period = 'all' THEN 'All days' WHEN :period ~ 'd$' THEN 'Last ' || rtrim(:period, 'd') || ' days'
            WHEN :period IN ('week', 'month', 'year') THEN 'This ' || :period
            ELSE upper(left(:period, 1)) || replace(substr(:period, 2), '_', ' ') END AS period_words,
       CASE WHEN p.from_day > p.oldest_day THEN p.from_day - 1 END AS previous_day, CASE WHEN p.to_day < p.today THEN p.to_day + 1 END AS next_day,
       CASE WHEN p.from_day > p.oldest_day THEN p.from_day - (p.to_day - p.from_day + 1) END AS earlier_from, p.from_day - 1 AS earlier_to,
       CASE WHEN p.to_day < p.newest_day THEN p.to_day + 1 END AS later_from, p.to_day + (p.to_day - p.from_day + 1) AS later_to,
       to_char(make_interval(hours => z.cutoff_hours), 'HH24:MI') AS day_begins, to_char(now() AT TIME ZONE z.tz, 'HH24:MI') AS time_now
FROM activity_site s
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours, activity_currency() AS currency) z
CROSS JOIN LATERAL (SELECT booking_date(now(), z.tz, z.cutoff_hours) AS today, least((SELECT min(x.bucket_at) FROM activity_sum x WHERE x.grain = 'day' AND NOT x.bot AND x.dimension_id = 0),
                                                                                     (SELECT min(c.hour_at) FROM activity_account c)) AS came_at) a
CROSS JOIN LATERAL period_of(:period, :date::date, :from::date, :to::date, 'none', coalesce(booking_date(a.came_at, z.tz, z.cutoff_hours), a.today), a.today, a.today, 1) p

-- name: activity_page_session_totals
-- The sessions of the days together: out of the sums where at most one dimension is asked for.
SELECT f.sessions, CASE WHEN f.sessions > 0 THEN half_even(f.converted * 100.0 / f.sessions, 1) END AS converted_share,
       CASE WHEN f.sessions > 0 THEN half_even(f.bounced * 100.0 / f.sessions, 1) END AS bounced_share, f.converted, f.sessions = 1 AS is_one,
       CASE WHEN f.sessions > 0 THEN half_even(f.events / f.sessions, 1) END AS events_each,
       CASE WHEN f.seconds >= f.sessions * 3600 AND f.sessions > 0 THEN to_char(make_interval(secs => round(f.seconds / f.sessions)::int), 'FMHH24:MI:SS')
            WHEN f.sessions > 0 THEN to_char(make_interval(secs => round(f.seconds / f.sessions)::int), 'FMMI:SS') END AS duration
FROM (SELECT coalesce(sum(x.sessions), 0)::bigint AS sessions, coalesce(sum(x.converted), 0)::bigint AS converted, coalesce(sum(x.bounced), 0)::bigint AS bounced,
             coalesce(sum(x.events), 0) AS events, coalesce(sum(x.seconds), 0) AS seconds
      FROM (SELECT t.sessions, t.converted, t.bounced, t.events, t.seconds FROM activity_session_sum t
            WHERE (:source::text IS NULL OR :device::text IS NULL) AND :converted::text IS NULL AND t.grain = 'day' AND t.bot = (:bots = 'only')
              AND t.dimension_id = CASE WHEN :source::text IS NOT NULL THEN 2 WHEN :device::text IS NOT NULL THEN 4 ELSE 0 END
              AND t.value = CASE coalesce(:source::text, :device::text, '') WHEN '(not set)' THEN '' ELSE coalesce(:source::text, :device::text, '') END
              AND t.bucket_at >= :from_at::timestamptz AND t.bucket_at < :until_at::timestamptz
            UNION ALL
            SELECT 1, (s.steps & 8 <> 0)::int, (s.events = 1)::int, s.events, floor(extract(epoch FROM s.last_at - s.started_at))::bigint FROM activity_session s
            WHERE (:source::text IS NOT NULL AND :device::text IS NOT NULL OR :converted::text IS NOT NULL)
              AND s.business_date BETWEEN :from::date AND :to::date AND s.bot = (:bots = 'only')
              AND (:source::text IS NULL OR '2:' || CASE :source WHEN '(not set)' THEN '' ELSE :source END = ANY (s.groups))
              AND (:device::text IS NULL OR '4:' || CASE :device WHEN '(not set)' THEN '' ELSE :device END = ANY (s.groups))
              AND (:converted::text IS NULL OR (s.steps & 8 <> 0) = (:converted = 'yes'))) x) f

-- name: activity_page_session_choices
-- Sources and devices of the days, to choose from: those of the most sessions first, 12 at most.
SELECT kind = 'source' AS is_source, kind = 'device' AS is_device, value, value AS value_id, sessions, is_chosen
FROM (SELECT kind, value, sessions, value = CASE kind WHEN 'source' THEN :source::text ELSE :device::text END AS is_chosen,
             row_number() OVER (PARTITION BY kind ORDER BY sessions DESC, value) AS n
      FROM (SELECT CASE dimension_id WHEN 2 THEN 'source' ELSE 'device' END AS kind, coalesce(nullif(value, ''), '(not set)') AS value, sum(sessions)::bigint AS sessions
            FROM activity_session_sum
            WHERE grain = 'day' AND bot = (:bots = 'only') AND dimension_id IN (2, 4) AND bucket_at >= :from_at::timestamptz AND bucket_at < :until_at::timestamptz
            GROUP BY 1, 2) x) y
WHERE n <= 12
ORDER BY kind, n

-- name: activity_page_sessions
-- Newest first, after the one of the cursor. `is_last`: the last of a full page, where older ones follow. Whose a
-- session is stands there for those who may see it (:sees).
WITH after AS MATERIALIZED (
	SELECT timestamptz 'epoch' + :after_us::bigint * interval '1 microsecond' AS at
), page AS (
	SELECT x.*, row_number() OVER (ORDER BY x.started_at DESC, x.activity_session_id DESC) AS n
	FROM (SELECT s.* FROM activity_session s, after a
	      WHERE s.business_date BETWEEN :from::date AND least(:to::date, booking_date(a.at, :tz, :cutoff_hours::int)) AND s.bot = (:bots = 'only')
	        AND (:source::text IS NULL OR '2:' || CASE :source WHEN '(not set)' THEN '' ELSE :source END = ANY (s.groups))
	        AND (:device::text IS NULL OR '4:' || CASE :device WHEN '(not set)' THEN '' ELSE :device END = ANY (s.groups))
	        AND (:converted::text IS NULL OR (s.steps & 8 <> 0) = (:converted = 'yes'))
	        AND (a.at IS NULL OR (s.started_at, s.activity_session_id) < (a.at, :after_id::bigint))
	      ORDER BY s.business_date DESC, s.started_at DESC, s.activity_session_id DESC LIMIT :page_rows::int + 1) x
)
SELECT p.activity_session_id AS id, (p.started_at AT TIME ZONE :tz)::date AS started_date, to_char(p.started_at AT TIME ZONE :tz, 'HH24:MI:SS') AS started_time,
       p.events, p.events = 1 AS is_one, p.page_views, p.page_views = 1 AS is_one_page, nullif(p.landing, '') AS landing, nullif(p.leaving, '') AS leaving, p.landing <> p.leaving AND p.leaving <> '' AS moved,
       nullif(p.source, '') AS source, nullif(p.device, '') AS device, nullif(p.cart, 0) AS cart_value, p.steps & 8 <> 0 AS is_converted, p.events = 1 AS is_bounced, p.bot,
       CASE WHEN p.steps & 8 <> 0 THEN 'purchase' WHEN p.steps & 4 <> 0 THEN 'checkout' WHEN p.steps & 2 <> 0 THEN 'cart' WHEN p.steps & 1 <> 0 THEN 'product' END AS reached,
       CASE WHEN d.s >= 3600 THEN to_char(make_interval(secs => d.s), 'FMHH24:MI:SS') ELSE to_char(make_interval(secs => d.s), 'FMMI:SS') END AS duration,
       CASE WHEN :sees::boolean THEN v.id END AS person, v.kind = 'user' AS is_user, p.person_id, v.visitor_id IS NOT NULL AND v.id IS NULL AS is_erased,
       NOT p.ended AND p.last_at > now() - make_interval(secs => coalesce(a.session_timeout_s, 3600)) AND NOT p.bot AS is_active,
       p.n = :page_rows::int AND (SELECT count(*) FROM page) > p.n AS is_last, (extract(epoch FROM p.started_at) * 1000000)::bigint || '.' || p.activity_session_id AS cursor
FROM page p
CROSS JOIN activity_site a
LEFT JOIN activity_visitor v ON v.visitor_id = p.person_id
CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM p.last_at - p.started_at))::int AS s) d
WHERE p.n <= :page_rows::int
ORDER BY p.n

-- name: activity_page_session
-- One session, its facts.
SELECT s.activity_session_id AS id, s.session_key, s.bot, s.started_at, s.last_at, z.tz, z.currency, booking_date(now(), z.tz, z.cutoff_hours) AS today,
       (s.started_at AT TIME ZONE z.tz)::date AS started_date, to_char(s.started_at AT TIME ZONE z.tz, 'HH24:MI:SS') AS started_time,
       to_char(s.last_at AT TIME ZONE z.tz, 'HH24:MI:SS') AS ended_time, (s.last_at AT TIME ZONE z.tz)::date AS ended_date,
       (s.last_at AT TIME ZONE z.tz)::date <> (s.started_at AT TIME ZONE z.tz)::date AS ends_later, s.business_date,
       CASE WHEN d.s >= 3600 THEN to_char(make_interval(secs => d.s), 'FMHH24:MI:SS') ELSE to_char(make_interval(secs => d.s), 'FMMI:SS') END AS duration,
       s.events, s.events = 1 AS is_one, s.page_views, s.page_views = 1 AS is_one_page, nullif(s.landing, '') AS landing, nullif(s.leaving, '') AS leaving, nullif(s.source, '') AS source, nullif(s.device, '') AS device,
       nullif(s.cart, 0) AS cart_value, nullif(s.cart_unpriced, 0) AS cart_unpriced, s.steps & 8 <> 0 AS is_converted, s.events = 1 AS is_bounced, s.ended,
       CASE WHEN s.steps & 8 <> 0 THEN 'purchase' WHEN s.steps & 4 <> 0 THEN 'checkout' WHEN s.steps & 2 <> 0 THEN 'cart' WHEN s.steps & 1 <> 0 THEN 'product' END AS reached,
       NOT s.ended AND s.last_at > now() - make_interval(secs => coalesce(a.session_timeout_s, 3600)) AND NOT s.bot AS is_active,
       CASE WHEN :sees::boolean THEN v.id END AS person, v.kind = 'user' AS is_user, s.person_id, v.visitor_id IS NOT NULL AND v.id IS NULL AS is_erased,
       CASE WHEN :sees::boolean THEN s.session_id END AS session_id, s.session_id IS NULL AS by_gaps, coalesce(a.session_timeout_s, 3600) / 60 AS timeout_min,
       :sees::boolean AS sees, o.n AS others_n, o.n > 0 AS has_others, o.n > 1 AS has_more_others, o.earlier, o.later
FROM activity_session s
CROSS JOIN activity_site a
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours, activity_currency() AS currency) z
LEFT JOIN activity_visitor v ON v.visitor_id = s.person_id
CROSS JOIN LATERAL (SELECT floor(extract(epoch FROM s.last_at - s.started_at))::int AS s) d
CROSS JOIN LATERAL (SELECT (SELECT count(*) FROM activity_session x WHERE x.person_id = s.person_id AND x.bot = s.bot AND x.activity_session_id <> s.activity_session_id) AS n,
                           (SELECT x.activity_session_id FROM activity_session x WHERE x.person_id = s.person_id AND x.bot = s.bot AND (x.started_at, x.activity_session_id) < (s.started_at, s.activity_session_id)
                            ORDER BY x.started_at DESC, x.activity_session_id DESC LIMIT 1) AS earlier,
                           (SELECT x.activity_session_id FROM activity_session x WHERE x.person_id = s.person_id AND x.bot = s.bot AND (x.started_at, x.activity_session_id) > (s.started_at, s.activity_session_id)
                            ORDER BY x.started_at, x.activity_session_id LIMIT 1) AS later) o
WHERE s.activity_session_id = :activity_session_id::bigint

-- name: activity_page_session_events
-- Its events in their order, 1,000 at most. What tells who it was, and all properties, are for those who may see it.
SELECT n, n = 1 AS is_first, event_type, event_id, to_char(occurred_at AT TIME ZONE :tz, 'HH24:MI:SS') AS at_time,
       CASE WHEN gap >= 3600 THEN to_char(make_interval(secs => gap), 'FMHH24:MI:SS') ELSE to_char(make_interval(secs => gap), 'FMMI:SS') END AS gap, gap >= 60 AS is_pause,
       dims[1] AS page, dims[7] AS product, dims[6] AS category, quantity, e.currency, price AS event_price, price IS NOT NULL AS has_price, quantity > 1 AS is_many,
       CASE WHEN :sees::boolean THEN properties END AS properties, :sees::boolean AND properties <> '{}' AS has_properties, flags & 8 <> 0 AS is_late, flags & 2 <> 0 AS is_clamped, flags & 4 <> 0 AS is_skewed,
       event_type = 'purchase' AS is_purchase, n = 1000 AS is_cut
FROM (SELECT x.*, row_number() OVER (ORDER BY x.occurred_at, x.seq) AS n, floor(extract(epoch FROM x.occurred_at - lag(x.occurred_at) OVER (ORDER BY x.occurred_at, x.seq)))::int AS gap
      FROM activity_event x
      WHERE x.session_key = :session_key::bigint AND x.occurred_at >= :started_at::timestamptz AND x.occurred_at <= :last_at::timestamptz AND (x.flags & 112 <> 0) = :bot::boolean) e
WHERE n <= 1000
ORDER BY n

-- ---- the event dictionary ------------------------------------------------------------

-- name: activity_page_dictionary
-- Always one row.
SELECT a.applied_at IS NOT NULL AS has_activity, z.tz, ''::text AS currency, booking_date(now(), z.tz, z.cutoff_hours) AS today, booking_date(now(), z.tz, z.cutoff_hours) - 27 AS from_day, booking_date(now(), z.tz, z.cutoff_hours) AS to_day,
       z.cutoff_hours, d.n < 16 AS has_room, 16 - d.n AS room_n, t.n AS types_n, t.n = 1 AS is_one_type, t.n > 0 AS has_types
FROM activity_site a
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours) z
CROSS JOIN (SELECT count(*) AS n FROM activity_dimension) d
CROSS JOIN (SELECT count(*) AS n FROM activity_type) t

-- name: activity_page_types
-- Each type with what came of it in 28 days, today included, without bots; the line is 100 wide and 24 high. A property
-- is unexpected where there is a schema with properties and it is in none of them, or is of another kind.
WITH day AS MATERIALIZED (
	SELECT business_date, starts_at, row_number() OVER (ORDER BY business_date) - 1 AS at FROM business_days(:tz, :cutoff_hours::int, :from_day::date, :to_day::date)
), volume AS (
	SELECT event_type, d.at, s.events FROM day d JOIN activity_sum s ON s.grain = 'day' AND NOT s.bot AND s.dimension_id = 0 AND s.bucket_at = d.starts_at
), figure AS (
	SELECT t.event_type, d.at, coalesce(v.events, 0) AS events, max(coalesce(v.events, 0)) OVER (PARTITION BY t.event_type) AS most
	FROM activity_type t CROSS JOIN day d LEFT JOIN volume v ON v.event_type = t.event_type AND v.at = d.at
)
SELECT t.event_type, t.event_type AS event_type_id, f.events, f.points, f.events > 0 AS has_events, (t.first_at AT TIME ZONE :tz)::date AS first_date, (t.last_at AT TIME ZONE :tz)::date AS last_date,
       to_char(t.last_at AT TIME ZONE :tz, 'HH24:MI') AS last_time, t.last_at IS NULL AS is_unseen, nullif(t.owner, '') AS owner, nullif(t.description, '') AS description,
       t.schema IS NOT NULL AS has_schema, t.enforce, p.n AS properties_n, nullif(p.unexpected_n, 0) AS unexpected_n, p.unexpected_n = 1 AS is_one_unexpected,
       t.event_type IN ('page_view', 'product_view', 'add_to_cart', 'remove_from_cart', 'checkout_start', 'purchase', 'search', 'filter', 'session_end') AS is_built_in
FROM activity_type t
JOIN (SELECT event_type, sum(events)::bigint AS events,
             string_agg(round(at * 100.0 / 27, 1) || ',' || round(22 - 20.0 * events / greatest(most, 1), 1), ' ' ORDER BY at) AS points FROM figure GROUP BY 1) f USING (event_type)
CROSS JOIN LATERAL (
	SELECT count(DISTINCT x.property) AS n, count(DISTINCT x.property) FILTER (WHERE w.is_unknown OR w.is_other_kind) AS unexpected_n
	FROM activity_property x
	CROSS JOIN LATERAL (SELECT t.schema #> ARRAY['properties', split_part(x.property, '.', 1)] AS rule) r
	CROSS JOIN LATERAL (SELECT coalesce(t.schema ? 'properties' AND r.rule IS NULL, false) AS is_unknown,
	                           coalesce(strpos(x.property, '.') = 0 AND r.rule ? 'type' AND NOT (r.rule -> 'type' ? x.kind OR x.kind = 'number' AND r.rule -> 'type' ? 'integer'), false) AS is_other_kind) w
	WHERE x.event_type = t.event_type) p
ORDER BY f.events DESC, t.event_type

-- name: activity_page_dimensions
-- What events can be told apart by, with how many values and, of the events of 28 days, the share in (other).
SELECT d.dimension_id, d.name, nullif(d.property, '') AS property, nullif(d.meaning, '') AS meaning, nullif(d.declared_by, '') AS declared_by, d.dimension_id > 8 AS is_declared,
       (d.declared_at AT TIME ZONE :tz)::date AS declared_date, v.n AS values_n, v.n >= 1000 AS is_full, half_even(o.other * 100.0 / nullif(w.whole, 0), 1) AS other_share, o.other > 0 AS has_other
FROM activity_dimension d
CROSS JOIN LATERAL (SELECT count(*) AS n FROM activity_value x WHERE x.dimension_id = d.dimension_id AND x.value NOT IN ('', '(other)')) v
CROSS JOIN (SELECT coalesce(sum(s.events), 0) AS whole FROM activity_sum s WHERE s.grain = 'day' AND NOT s.bot AND s.dimension_id = 0
              AND s.bucket_at >= business_day_start(:tz, :cutoff_hours::int, :from_day::date)) w
CROSS JOIN LATERAL (SELECT coalesce(sum(s.events), 0) AS other FROM business_days(:tz, :cutoff_hours::int, :from_day::date, :to_day::date) b CROSS JOIN activity_type t
                    JOIN activity_sum s ON s.grain = 'day' AND NOT s.bot AND s.dimension_id = d.dimension_id AND s.bucket_at = b.starts_at AND s.event_type = t.event_type AND s.value = '(other)') o
ORDER BY d.dimension_id

-- name: activity_page_type
SELECT t.event_type, t.event_type AS event_type_id, z.tz, ''::text AS currency, booking_date(now(), z.tz, z.cutoff_hours) AS today, (t.first_at AT TIME ZONE z.tz)::date AS first_date, (t.last_at AT TIME ZONE z.tz)::date AS last_date,
       to_char(t.first_at AT TIME ZONE z.tz, 'HH24:MI') AS first_time, to_char(t.last_at AT TIME ZONE z.tz, 'HH24:MI') AS last_time, t.last_at IS NULL AS is_unseen,
       nullif(t.owner, '') AS owner, nullif(t.description, '') AS description, jsonb_pretty(t.schema) AS schema, t.schema IS NOT NULL AS has_schema, t.enforce,
       s.events, q.n AS quarantined_n, q.n > 0 AS has_quarantined, w.n AS warned_n, w.n > 0 AS has_warned,
       t.event_type IN ('page_view', 'product_view', 'add_to_cart', 'remove_from_cart', 'checkout_start', 'purchase', 'search', 'filter', 'session_end') AS is_built_in
FROM activity_type t
CROSS JOIN activity_site a
LEFT JOIN activity_clock() k ON true
CROSS JOIN LATERAL (SELECT coalesce(k.zone, 'UTC') AS tz, coalesce(k.cutoff, 0) AS cutoff_hours) z
CROSS JOIN LATERAL (SELECT coalesce(sum(x.events), 0)::bigint AS events FROM activity_sum x WHERE x.grain = 'day' AND NOT x.bot AND x.dimension_id = 0 AND x.event_type = t.event_type
                      AND x.bucket_at >= business_day_start(z.tz, z.cutoff_hours, booking_date(now(), z.tz, z.cutoff_hours) - 27)) s
CROSS JOIN LATERAL (SELECT count(*) AS n FROM activity_quarantine x WHERE x.event_type = t.event_type AND x.decided_at IS NULL) q
CROSS JOIN LATERAL (SELECT coalesce(sum(x.events), 0)::bigint AS n FROM activity_warning x WHERE x.event_type = t.event_type AND x.reason = 'schema' AND x.hour_at > now() - interval '28 days') w
WHERE t.event_type = :event_type

-- name: activity_page_properties
-- What its events carry, by how often, with the kinds of value each was seen with.
SELECT x.property, string_agg(x.kind, ', ' ORDER BY x.events DESC, x.kind) AS kinds, count(*) > 1 AS is_mixed, sum(x.events)::bigint AS events,
       (min(x.first_at) AT TIME ZONE :tz)::date AS first_date, (max(x.last_at) AT TIME ZONE :tz)::date AS last_date,
       bool_or(w.is_unknown) AS is_unknown, NOT bool_or(w.is_unknown) AND bool_or(w.is_other_kind) AS is_other_kind, max(w.wanted) AS wanted
FROM activity_property x
JOIN activity_type t USING (event_type)
CROSS JOIN LATERAL (SELECT t.schema #> ARRAY['properties', split_part(x.property, '.', 1)] AS rule) r
CROSS JOIN LATERAL (SELECT coalesce(t.schema ? 'properties' AND r.rule IS NULL, false) AS is_unknown,
                           coalesce(strpos(x.property, '.') = 0 AND r.rule ? 'type' AND NOT (r.rule -> 'type' ? x.kind OR x.kind = 'number' AND r.rule -> 'type' ? 'integer'), false) AS is_other_kind,
                           CASE jsonb_typeof(r.rule -> 'type') WHEN 'string' THEN r.rule ->> 'type'
                                WHEN 'array' THEN (SELECT string_agg(k, ' or ') FROM jsonb_array_elements_text(r.rule -> 'type') k) END AS wanted) w
WHERE x.event_type = :event_type
GROUP BY x.property
ORDER BY bool_or(w.is_unknown OR w.is_other_kind) DESC, sum(x.events) DESC, x.property

-- name: activity_page_type_write
-- Describes a type; `known` where it was there before.
INSERT INTO activity_type (event_type, owner, description, schema, enforce)
VALUES (:event_type, :owner, :description, :schema::jsonb, :enforce::boolean)
ON CONFLICT (event_type) DO UPDATE SET owner = excluded.owner, description = excluded.description, schema = excluded.schema, enforce = excluded.enforce
RETURNING xmax <> 0 AS known, pg_notify('takings_activity_rules', '')::text AS told

-- name: activity_page_type_known
SELECT FROM activity_type WHERE event_type = :event_type

-- name: activity_page_no_session
SELECT 'there is no such session: it may have become part of another, or be erased' AS detail, ''::text AS field

-- name: activity_page_no_type
SELECT 'there is no such type of event in the dictionary' AS detail, ''::text AS field

-- ---- questions that were kept ---------------------------------------------------------

-- name: questions
-- One's own, and those that others share with a role one has; :role is 1 viewer, 2 analyst, 3 admin.
SELECT q.question_id, q.name, q.question ->> 'query' AS query, q.owner = :actor AS is_own, regexp_replace(q.owner, '^user:', '') AS owner_name, q.shared_with,
       q.shared_with IS NULL AS is_private, q.shared_with = 'viewer' AS is_of_viewers, q.shared_with = 'analyst' AS is_of_analysts, q.shared_with = 'admin' AS is_of_admins,
       (q.made_at AT TIME ZONE coalesce((SELECT timezone FROM activity_site), 'UTC'))::date AS made_date, q.owner = :actor OR :role::int >= 3 AS may_delete
FROM activity_question q
WHERE q.owner = :actor OR array_position(ARRAY['viewer', 'analyst', 'admin'], q.shared_with) <= :role::int
ORDER BY q.owner <> :actor, lower(q.name), q.question_id

-- name: question_add
WITH made AS (
	INSERT INTO activity_question (name, owner, shared_with, question) VALUES (:name, :actor, :shared_with, :question::jsonb)
	ON CONFLICT (owner, name) DO NOTHING RETURNING question_id
)
SELECT (SELECT question_id FROM made) AS question_id, NOT EXISTS (SELECT FROM made) AS taken

-- name: question_write
-- No row where it is not the asker's.
WITH it AS (
	SELECT question_id, EXISTS (SELECT FROM activity_question o WHERE o.owner = q.owner AND o.name = :name AND o.question_id <> q.question_id) AS taken
	FROM activity_question q WHERE q.question_id = :question_id::bigint AND q.owner = :actor
), done AS (
	UPDATE activity_question q SET name = :name, shared_with = :shared_with FROM it WHERE q.question_id = it.question_id AND NOT it.taken
)
SELECT question_id, taken FROM it

-- name: question_delete
DELETE FROM activity_question
WHERE question_id = :question_id::bigint AND (owner = :actor OR :is_admin::boolean AND shared_with IS NOT NULL)
RETURNING question_id, false AS taken
