-- sequence_scan.sql: everybody's sequences of some business days (lib/domain/sequence_scan.c). Days are numbers since 1970-01-01.

-- name: sequence_scan_snapshot
SELECT pg_export_snapshot() AS snapshot

-- name: sequence_scan_days
-- When the days of a range begin, of those that may have sequences.
SELECT n.day, (extract(epoch FROM business_day_start(c.zone, c.cutoff, '1970-01-01'::date + n.day)) * 1000000)::bigint AS day_us
FROM activity_clock() c,
     (SELECT min(a.business_date) - '1970-01-01'::date AS first_day, max(z.business_date) - '1970-01-01'::date AS last_day
      FROM generate_series(0, 31) s(shard),
           LATERAL (SELECT business_date FROM activity_sequence WHERE shard = s.shard ORDER BY business_date LIMIT 1) a,
           LATERAL (SELECT business_date FROM activity_sequence WHERE shard = s.shard ORDER BY business_date DESC LIMIT 1) z) r,
     LATERAL generate_series(greatest(:from_day::int, r.first_day), least(:to_day::int - 1, r.last_day)) n(day)
ORDER BY n.day

-- name: sequence_scan_parts
-- The parts of a shard. What is not asked for is NULL, and not even read: a column that is stored apart is only fetched
-- where it is answered. seqs only where they are needed to know the order.
SELECT p.business_date - '1970-01-01'::date AS day, p.people,
       CASE WHEN :events::boolean THEN p.events END AS events,
       CASE WHEN :events::boolean AND count(*) OVER (PARTITION BY p.business_date) > 1 THEN p.seqs END AS seqs,
       CASE WHEN :sessions::boolean THEN p.sessions END AS sessions,
       CASE WHEN :amounts::boolean THEN p.amounts END AS amounts,
       CASE WHEN :x1::int IS NOT NULL THEN CASE :x1::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x1,
       CASE WHEN :x2::int IS NOT NULL THEN CASE :x2::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x2,
       CASE WHEN :x3::int IS NOT NULL THEN CASE :x3::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x3,
       CASE WHEN :x4::int IS NOT NULL THEN CASE :x4::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x4,
       CASE WHEN :x5::int IS NOT NULL THEN CASE :x5::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x5,
       CASE WHEN :x6::int IS NOT NULL THEN CASE :x6::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x6,
       CASE WHEN :x7::int IS NOT NULL THEN CASE :x7::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x7,
       CASE WHEN :x8::int IS NOT NULL THEN CASE :x8::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x8,
       CASE WHEN :x9::int IS NOT NULL THEN CASE :x9::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x9,
       CASE WHEN :x10::int IS NOT NULL THEN CASE :x10::int WHEN 1 THEN p.d1 WHEN 2 THEN p.d2 WHEN 3 THEN p.d3 WHEN 4 THEN p.d4 WHEN 5 THEN p.d5 WHEN 6 THEN p.d6
            WHEN 7 THEN p.d7 WHEN 8 THEN p.d8 WHEN 9 THEN p.d9 WHEN 10 THEN p.d10 WHEN 11 THEN p.d11
            WHEN 12 THEN p.d12 WHEN 13 THEN p.d13 WHEN 14 THEN p.d14 WHEN 15 THEN p.d15 WHEN 16 THEN p.d16 END END AS x10
FROM activity_sequence p
WHERE p.shard = :shard::smallint AND p.business_date >= '1970-01-01'::date + :from_day::int AND p.business_date < '1970-01-01'::date + :to_day::int
ORDER BY p.business_date, p.part_id

-- name: sequence_scan_site
-- What an answer needs to know, out of the same snapshot. sequenced_from: business days before it are not there yet.
SELECT c.zone, c.cutoff, business_date(now(), c.zone, c.cutoff) - '1970-01-01'::date AS today,
       (extract(epoch FROM now()) * 1000000)::bigint AS as_of_us,
       CASE a.sequenced_from WHEN '-infinity' THEN -2147483648 WHEN 'infinity' THEN 2147483647 ELSE a.sequenced_from - '1970-01-01'::date END::int AS sequenced_from,
       coalesce(a.session_timeout_s, :session_timeout_s::int) AS session_timeout_s, activity_currency() AS currency
FROM activity_clock() c, activity_site a
