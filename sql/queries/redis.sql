-- redis.sql: when somebody listened to Redis's pub/sub, and when nobody did.

-- name: redis_listening_put
INSERT INTO redis_listening (instance, since, until_at, ended)
VALUES (:instance, to_timestamp(0) + :since_us::bigint * interval '1 microsecond',
        to_timestamp(0) + :until_us::bigint * interval '1 microsecond', :ended)
ON CONFLICT (instance, since) DO UPDATE SET until_at = excluded.until_at, ended = excluded.ended

-- name: redis_gap_find
-- The gaps that are new or changed. A spell that did not end, and of which was heard within 15 s, goes on. A gap
-- begins where the spell ends that reaches farthest, and goes on until the next begins; one that was open and is none,
-- as a process that was silent for a while had listened all the time, is taken back. Before the first spell is none.
-- Of spells older than a day only what is needed is kept.
WITH old AS (
	DELETE FROM redis_listening l
	WHERE until_at < now() - interval '1 day'
	  AND EXISTS (SELECT FROM redis_listening x WHERE x.since > l.since AND x.since < now() - interval '1 hour')
), spell AS (
	SELECT since, ended,
	       CASE WHEN ended = '' AND until_at > now() - interval '15 seconds' THEN greatest(until_at, now())
	            ELSE until_at END AS until_at
	FROM redis_listening
), hole AS (
	SELECT heard AS from_at, since AS until_at
	FROM (SELECT since, max(until_at) OVER (ORDER BY since, until_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS heard
	      FROM spell) s
	WHERE since > heard
	UNION ALL
	SELECT max(until_at), NULL FROM spell HAVING max(until_at) < now()
), none AS (
	DELETE FROM redis_gap g WHERE until_at IS NULL AND NOT EXISTS (SELECT FROM hole h WHERE h.from_at = g.from_at)
)
INSERT INTO redis_gap (from_at, until_at, reason)
SELECT from_at, until_at,
       coalesce((SELECT nullif(ended, '') FROM spell s WHERE s.until_at = h.from_at ORDER BY ended DESC LIMIT 1),
                'takings-stream ended without a word')
FROM hole h
ON CONFLICT (from_at) DO UPDATE SET until_at = excluded.until_at
WHERE redis_gap.until_at IS DISTINCT FROM excluded.until_at
RETURNING from_at, until_at, reason, xmax = 0 AS is_new
