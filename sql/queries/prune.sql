-- prune.sql: what a night drops because nobody looks at it any more.

-- name: prune_minutes_from
-- Behind apply_alone: no batch stands between this and the deletion.
UPDATE live_site SET minutes_from = greatest(minutes_from, date_trunc('day', now()) - interval '35 days')

-- name: prune_minutes
DELETE FROM live_minute WHERE minute_at < (SELECT minutes_from FROM live_site)

-- name: prune_dead_letters
-- Those accepted long ago; what was never accepted stays until somebody looks at it.
DELETE FROM dead_letter WHERE replayed_at < now() - interval '90 days'

-- name: prune_stream_status
DELETE FROM stream_status WHERE at < now() - interval '1 day'

-- name: prune_event_log
-- What has taken effect, or was replaced or dropped, long ago: a piece at a time. Never what is open or dead.
DELETE FROM event_log
WHERE id IN (SELECT id FROM event_log
             WHERE processed AND created_at < now() - make_interval(days => :days::int)
               AND processed_at < now() - make_interval(days => :days::int)
             ORDER BY id LIMIT :piece::int)

-- name: prune_probe_minutes
DELETE FROM probe_minute
WHERE minute_at IN (SELECT minute_at FROM probe_minute WHERE minute_at < now() - interval '400 days'
                    ORDER BY minute_at LIMIT :piece::int)

-- name: prune_redis_gaps
-- One that is not over stays.
DELETE FROM redis_gap WHERE until_at < now() - interval '400 days'

-- name: prune_activity_days
-- Partitions of which every event is older than :days, the oldest first.
SELECT c.relname AS part, substr(c.relname, 16)::date::text AS day
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'activity_event'::regclass AND c.relname ~ '^activity_event_\d{8}$'
  AND (substr(c.relname, 16)::date + 1)::timestamp AT TIME ZONE 'UTC' <= now() - make_interval(days => :days::int)
ORDER BY 1

-- name: prune_activity_day
-- Who looks at it is waited for, for a moment: then another night has to do it.
SELECT activity_partition_drop(:day::date) AS dropped
FROM (SELECT set_config('lock_timeout', '2s', true) OFFSET 0) s

-- name: prune_activity_ids
DELETE FROM activity_id
WHERE event_id IN (SELECT event_id FROM activity_id
                   WHERE occurred_at < (SELECT raw_from FROM activity_site) LIMIT :piece::int)

-- name: prune_activity_quarantine
DELETE FROM activity_quarantine
WHERE quarantine_id IN (SELECT quarantine_id FROM activity_quarantine
                        WHERE received_at < now() - make_interval(days => :days::int) ORDER BY quarantine_id LIMIT :piece::int)

-- name: prune_activity_warning
DELETE FROM activity_warning
WHERE ctid IN (SELECT ctid FROM activity_warning WHERE hour_at < now() - make_interval(days => :days::int) LIMIT :piece::int)

-- name: prune_storage_note
INSERT INTO storage_day (day, part, bytes) SELECT current_date, part, bytes FROM storage_now()
ON CONFLICT (day, part) DO UPDATE SET bytes = excluded.bytes

-- name: prune_storage
DELETE FROM storage_day WHERE day < current_date - 400
