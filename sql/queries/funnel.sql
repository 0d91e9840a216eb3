-- funnel.sql: what a question about a funnel takes besides the sequences themselves; times in microseconds since 1970.

-- name: funnel_scope
-- The range, and the one it is compared with. Days are their beginnings; without any the last 30 business days with today. No row
-- before anything is known.
SELECT (extract(epoch FROM t.from_at) * 1000000)::bigint AS from_us, (extract(epoch FROM t.to_at) * 1000000)::bigint AS to_us,
       (extract(epoch FROM b.base_from) * 1000000)::bigint AS base_from_us, (extract(epoch FROM b.base_to) * 1000000)::bigint AS base_to_us,
       c.zone, c.cutoff
FROM activity_clock() c,
     LATERAL (SELECT business_date(now(), c.zone, c.cutoff) AS today OFFSET 0) d,
     LATERAL (SELECT coalesce(:from_at::timestamptz, business_day_start(c.zone, c.cutoff, coalesce(:from_day::date, d.today - 29))) AS from_at,
                     coalesce(:to_at::timestamptz, business_day_start(c.zone, c.cutoff, coalesce(:to_day::date, d.today + 1))) AS to_at OFFSET 0) t
     LEFT JOIN LATERAL (SELECT * FROM activity_base(t.from_at, t.to_at, 'previous', 'none', c.zone, c.cutoff) WHERE t.from_at < t.to_at) b ON true

-- name: funnel_days
-- The business days (days since 1970) in which events from first_us to last_us may be, as of when, and since when all is known: NULL
-- where that is from the beginning.
SELECT a.as_of_us, business_date(t.first_at, c.zone, c.cutoff) - date '1970-01-01' AS from_day,
       business_date(t.last_at, c.zone, c.cutoff) - date '1970-01-01' + 1 AS to_day,
       (extract(epoch FROM k.known_from) * 1000000)::bigint AS known_from_us, money_exponent(:currency) AS exponent
FROM activity_site s, activity_clock() c,
     LATERAL (SELECT least((extract(epoch FROM now()) * 1000000)::bigint, :as_of_us::bigint) AS as_of_us) a,
     LATERAL (SELECT timestamptz 'epoch' + :first_us::bigint * interval '1 microsecond' AS first_at,
                     timestamptz 'epoch' + greatest(:first_us::bigint, least(a.as_of_us, :last_us::bigint)) * interval '1 microsecond' AS last_at) t,
     LATERAL (SELECT max(at) AS known_from
              FROM (SELECT business_day_start(c.zone, c.cutoff, CASE WHEN s.sequenced_from = 'infinity' THEN business_date(now(), c.zone, c.cutoff) + 1
                                                                     ELSE s.sequenced_from END) AS at
                    WHERE s.sequenced_from > '-infinity'
                    UNION ALL
                    SELECT business_day_start(c.zone, c.cutoff, business_date(s.raw_from - interval '1 microsecond', c.zone, c.cutoff) + 1)
                    WHERE s.raw_from > '-infinity') l) k

-- name: funnel_types
-- The code of each of a list of types; 0 of one that nobody has sent, be it that bots have. NULL: there are too many to tell it apart.
SELECT CASE WHEN k.code IS NULL AND (k.event_type IS NULL OR (SELECT coalesce(max(code), 0) FROM activity_type) < 65534) THEN 0 ELSE k.code END AS code
FROM json_array_elements_text(:types::json) WITH ORDINALITY t(event_type, n)
LEFT JOIN activity_type k ON k.event_type = t.event_type ORDER BY t.n

-- name: funnel_values
-- The code of each of a list of [dimension_id, value]; NULL of one that nobody has sent.
SELECT CASE v.v ->> 1 WHEN '(not set)' THEN 0 WHEN '(other)' THEN 65535 ELSE k.code END AS code
FROM json_array_elements(:values::json) WITH ORDINALITY v(v, n)
LEFT JOIN activity_value k ON k.dimension_id = (v.v ->> 0)::int AND k.value = v.v ->> 1 ORDER BY v.n

-- name: funnel_labels
-- The values of codes of a dimension.
SELECT v.code, v.value FROM activity_value v WHERE v.dimension_id = :dimension_id::int AND v.code = ANY (:codes::int[])

-- name: funnel_list
-- Kept ones, by name.
SELECT funnel_name, definition ->> 'order' AS "order", definition ->> 'unit' AS unit, (definition ->> 'window_s')::int AS window_s,
       definition -> 'steps' AS steps, built_in, written_by, written_at, definition
FROM activity_funnels() WHERE :funnel_name::text IS NULL OR funnel_name = :funnel_name ORDER BY funnel_name

-- name: funnel_one
SELECT funnel_name, definition ->> 'order' AS "order", definition ->> 'unit' AS unit, (definition ->> 'window_s')::int AS window_s,
       definition -> 'steps' AS steps, built_in, written_by, written_at
FROM activity_funnels() WHERE funnel_name = :funnel_name

-- name: funnel_lock
SELECT pg_advisory_xact_lock(hashtext('takings'), hashtext('funnels'))

-- name: funnel_write
-- `done` is false where there are as many as there may be; checkout does not count. Answers that were kept count no longer.
WITH now AS (
	SELECT EXISTS (SELECT FROM activity_funnel WHERE funnel_name = :funnel_name) OR :funnel_name = 'checkout' AS known,
	       (SELECT count(*) FROM activity_funnel WHERE funnel_name <> 'checkout') AS n
), done AS (
	INSERT INTO activity_funnel (funnel_name, definition, written_by)
	SELECT :funnel_name, :definition::jsonb, :actor FROM now WHERE known OR n < :most::int
	ON CONFLICT (funnel_name) DO UPDATE SET definition = excluded.definition, written_by = excluded.written_by, written_at = now() RETURNING 1
)
SELECT known, EXISTS (SELECT FROM done) AS done, pg_notify('takings_activity', (SELECT version::text FROM activity_site)) FROM now

-- name: funnel_delete
DELETE FROM activity_funnel WHERE funnel_name = :funnel_name AND funnel_name <> 'checkout'
RETURNING funnel_name, pg_notify('takings_activity', (SELECT version::text FROM activity_site))

-- name: funnel_persons
-- Whose ids people are known by; none of those who were erased.
SELECT visitor_id AS person_id, kind, id FROM activity_visitor WHERE visitor_id = ANY (:people::bigint[]) AND id IS NOT NULL
