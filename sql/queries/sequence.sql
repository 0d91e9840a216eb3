-- sequence.sql: sequences as the stream keeps them right (migration 018). All of it is asked under activity_lock_key().

-- name: sequence_moves
-- Who moves, and the days that go along.
SELECT shard, business_date, old_id, new_id FROM activity_sequences_moved()

-- name: sequence_people
SELECT part_id, people FROM activity_sequence WHERE shard = :shard::smallint AND business_date = :day::date

-- name: sequence_move
SELECT activity_sequences_move(:shards::smallint[], :days::date[], :parts::bigint[], :offsets::int[], :counts::int[], :people::bigint[])

-- name: sequence_take
SELECT activity_sequences_take()

-- name: sequence_behind
-- Whether there are days that are still to be made.
SELECT sequenced_from > '-infinity' AS behind FROM activity_site

-- name: sequence_catch
-- The latest of them; NULL: there is none any more.
SELECT activity_sequences_catch() AS day

-- name: sequence_many
-- Where parts are to become one: there are many, or nothing has been added to several for an hour.
SELECT shard, business_date FROM activity_sequence
GROUP BY shard, business_date HAVING count(*) >= 64 OR count(*) > 1 AND max(made_at) < now() - interval '1 hour'
ORDER BY count(*) DESC, business_date DESC, shard

-- name: sequence_parts
-- Those that do. As long as more may come, large ones that are more than all smaller ones together are left alone, and written anew
-- each time those have grown as large: not each time. whole: it is all of them.
WITH sized AS (
	SELECT part_id, octet_length(people) + coalesce(octet_length(events), 0) AS bytes, max(made_at) OVER () < now() - interval '1 hour' AS settled
	FROM activity_sequence WHERE shard = :shard::smallint AND business_date = :day::date
), placed AS (
	SELECT part_id, settled, bytes, sum(bytes) OVER s - bytes AS smaller, row_number() OVER s AS place
	FROM sized WINDOW s AS (ORDER BY bytes, part_id)
), chosen AS (
	SELECT part_id, NOT settled AND bool_and(bytes > smaller AND place > 2) OVER (ORDER BY place DESC) AS alone FROM placed
)
SELECT p.part_id, (SELECT NOT bool_or(alone) FROM chosen)::int AS whole, s.people, s.events, s.seqs, s.sessions, s.amounts, s.d1, s.d2, s.d3, s.d4, s.d5, s.d6, s.d7, s.d8,
       s.d9, s.d10, s.d11, s.d12, s.d13, s.d14, s.d15, s.d16
FROM chosen p JOIN activity_sequence s ON s.shard = :shard::smallint AND s.business_date = :day::date AND s.part_id = p.part_id AND NOT p.alone
ORDER BY p.part_id

-- name: sequence_drop
DELETE FROM activity_sequence WHERE shard = :shard::smallint AND business_date = :day::date AND part_id = ANY (:parts::bigint[])

-- name: sequence_put
INSERT INTO activity_sequence (shard, business_date, people, events, seqs, sessions, amounts, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15, d16)
VALUES (:shard::smallint, :day::date, :people::bytea, :events::bytea, :seqs::bytea, :sessions::bytea, :amounts::bytea, :d1::bytea, :d2::bytea, :d3::bytea, :d4::bytea, :d5::bytea,
        :d6::bytea, :d7::bytea, :d8::bytea, :d9::bytea, :d10::bytea, :d11::bytea, :d12::bytea, :d13::bytea, :d14::bytea, :d15::bytea, :d16::bytea)
