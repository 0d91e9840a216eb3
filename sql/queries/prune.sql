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
