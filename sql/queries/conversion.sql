-- conversion.sql: the night's table of probabilities of a purchase (batch/conversion.c). Days are numbers since 1970-01-01.

-- name: conversion_state
-- The last closed business day, the first one whose events are kept, and whether the table of the day is there already. No
-- row: there is nothing to learn from yet, or sequences are still being made of earlier events.
SELECT z.last_day, f.first_day, EXISTS (SELECT FROM conversion_model m WHERE m.model_date = '1970-01-01'::date + z.last_day) AS is_made,
       '1970-01-01'::date + z.last_day AS model_date
FROM activity_clock() c
CROSS JOIN activity_site a
CROSS JOIN LATERAL (SELECT business_date(now(), c.zone, c.cutoff) - 1 - '1970-01-01'::date AS last_day) z
CROSS JOIN (SELECT min(p.business_date) - '1970-01-01'::date AS first_day
            FROM generate_series(0, 31) s(shard),
                 LATERAL (SELECT business_date FROM activity_sequence WHERE shard = s.shard AND events IS NOT NULL ORDER BY business_date LIMIT 1) p) f
WHERE a.sequenced_from = '-infinity' AND f.first_day <= z.last_day

-- name: conversion_days
-- When business days begin, the one after the last, too.
SELECT (extract(epoch FROM d.starts_at) * 1000000)::bigint AS starts_us
FROM activity_clock() c, business_days(c.zone, c.cutoff, '1970-01-01'::date + :first_day::int, '1970-01-01'::date + :last_day::int + 1) d
ORDER BY d.business_date

-- name: conversion_types
SELECT event_type, code FROM activity_type
WHERE event_type IN ('product_view', 'add_to_cart', 'checkout_start', 'purchase') AND code IS NOT NULL

-- name: conversion_drop
-- The one of the day, made again, and those nobody asks for any more.
DELETE FROM conversion_model WHERE model_date = '1970-01-01'::date + :last_day::int OR model_date < '1970-01-01'::date + :last_day::int - 400

-- name: conversion_write
INSERT INTO conversion_model (model_date, reason, from_day, to_day, days, people, n, converted, judged_from, judged_n, judged_converted,
                              brier, brier_base, base_rate, deciles)
SELECT '1970-01-01'::date + m.last_day, m.reason, '1970-01-01'::date + m.from_day, '1970-01-01'::date + m.to_day, m.days, m.people, m.n, m.converted,
       '1970-01-01'::date + m.judged_from, m.judged_n, m.judged_converted, m.brier, m.brier_base, m.base_rate, m.deciles
FROM jsonb_to_record(:model::jsonb) m(last_day int, reason text, from_day int, to_day int, days int, people bigint, n bigint, converted bigint,
                                      judged_from int, judged_n bigint, judged_converted bigint, brier numeric, brier_base numeric, base_rate numeric, deciles jsonb)

-- name: conversion_write_cells
INSERT INTO conversion_cell (model_date, step, recency, buyer, n, converted, p)
SELECT '1970-01-01'::date + :last_day::int, c.step, c.recency, c.buyer, c.n, c.converted, c.p
FROM jsonb_to_recordset(:model::jsonb -> 'cells') c(step smallint, recency smallint, buyer boolean, n bigint, converted bigint, p numeric)
