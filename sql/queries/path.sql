-- path.sql: paths of sessions (docs/BEHAVIOUR.md, "Paths"), out of the snapshot in which sequences are read.

-- name: path_scope
-- The range that is meant (without days the last 30 business days with today), the business days that are read for it, and the codes
-- of what is asked for; edge_page '' is the page that is not set. known_us: some of what was before it in the range is not there.
SELECT (extract(epoch FROM t.from_at) * 1000000)::bigint AS from_us, (extract(epoch FROM t.to_at) * 1000000)::bigint AS to_us,
       (extract(epoch FROM t.as_of) * 1000000)::bigint AS as_of_us,
       business_date(t.from_at - interval '24 hours', c.zone, c.cutoff) - '1970-01-01'::date AS from_day,
       business_date(least(t.to_at + interval '24 hours', t.as_of), c.zone, c.cutoff) + 1 - '1970-01-01'::date AS to_day,
       coalesce((SELECT code FROM activity_type WHERE event_type = 'page_view'), 0) AS page_view,
       CASE WHEN :edge_page = '' THEN 0 ELSE (SELECT code FROM activity_value WHERE dimension_id = 1 AND value = :edge_page) END AS edge_page,
       (SELECT code FROM activity_type WHERE event_type = :edge_type) AS edge_type,
       (extract(epoch FROM k.known_from) * 1000000)::bigint AS known_us
FROM activity_clock() c, activity_site a,
     LATERAL (SELECT business_date(now(), c.zone, c.cutoff) AS today OFFSET 0) d,
     LATERAL (SELECT coalesce(:from_at::timestamptz, business_day_start(c.zone, c.cutoff, coalesce(:from_day::date, d.today - 29))) AS from_at,
                     coalesce(:to_at::timestamptz, business_day_start(c.zone, c.cutoff, coalesce(:to_day::date, d.today + 1))) AS to_at,
                     least(coalesce(:as_of::timestamptz, now()), now()) AS as_of OFFSET 0) t,
     LATERAL (SELECT max(at) AS known_from
              FROM (SELECT business_day_start(c.zone, c.cutoff, CASE WHEN a.sequenced_from = 'infinity' THEN d.today + 1 ELSE a.sequenced_from END) AS at
                    WHERE a.sequenced_from > '-infinity'
                    UNION ALL
                    SELECT business_day_start(c.zone, c.cutoff, business_date(a.raw_from - interval '1 microsecond', c.zone, c.cutoff) + 1)
                    WHERE a.raw_from > '-infinity') x
              WHERE at > t.from_at) k

-- name: path_words
-- What codes stand for.
SELECT false AS is_type, v.code, v.value AS word FROM activity_value v WHERE v.dimension_id = 1 AND v.code = ANY (:pages::int[])
UNION ALL
SELECT true, t.code, t.event_type FROM activity_type t WHERE t.code = ANY (:types::int[])
