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
