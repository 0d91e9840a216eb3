-- apply.sql: the stream's rules and its one transaction.

-- name: rules_in_force
SELECT r.* FROM site s JOIN rules r USING (rules_id)

-- name: rules_clock
-- From UTC to the site's wall clock, as far as orders can lie: pieces that begin at from_s.
SELECT extract(epoch FROM clock_from AT TIME ZONE 'UTC')::bigint AS from_s, shift_s
FROM business_shifts(:timezone, :cutoff::int, 'UTC', '1999-12-30', current_date + 3660)
ORDER BY from_s

-- name: rules_order_clock
-- From the wall clock of order_db's times without zone to UTC: as AT TIME ZONE reads them, a time that
-- occurs twice means the later one, one that is left out is read with the offset before the jump.
SELECT start_s + offset_s AS from_s, -offset_s AS shift_s
FROM zone_stretches(:zone, extract(epoch FROM date '1999-12-30')::bigint, extract(epoch FROM current_date + 3660)::bigint)
ORDER BY from_s
