-- activity_quality.sql: what became of everything that came: the page of data quality. Of days by when events were
-- received, by the accounts that are kept in the transaction that stores them.

-- name: quality_totals
-- The days together; always one row. received = stored + duplicate + quarantined + refused is looked at for each hour
-- and source: `off_n` are those of which it does not hold.
SELECT t.received, t.stored, t.duplicate, t.quarantined, t.refused, t.off_n, t.off_n = 0 AS adds_up, t.off_n = 1 AS is_one_off, t.received > 0 AS has_received,
       half_even(t.stored * 100.0 / nullif(t.received, 0), 2) AS stored_share, half_even(t.duplicate * 100.0 / nullif(t.received, 0), 2) AS duplicate_share,
       half_even(t.quarantined * 100.0 / nullif(t.received, 0), 2) AS quarantined_share, half_even(t.refused * 100.0 / nullif(t.received, 0), 2) AS refused_share,
       half_even((t.quarantined + t.refused) * 100.0 / nullif(t.received, 0), 2) AS rejected_share, half_even(w.late * 100.0 / nullif(t.stored, 0), 2) AS late_share,
       half_even(w.skewed * 100.0 / nullif(t.stored, 0), 2) AS skewed_share, half_even(w.bot * 100.0 / nullif(t.stored, 0), 2) AS bot_share, w.late, w.skewed, w.clamped, w.bot, w.clamped > 0 AS has_clamped
FROM (SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
             coalesce(sum(quarantined), 0)::bigint AS quarantined, coalesce(sum(refused), 0)::bigint AS refused,
             count(*) FILTER (WHERE received <> stored + duplicate + quarantined + refused) AS off_n
      FROM activity_account WHERE hour_at >= :from_at::timestamptz AND hour_at < :until_at::timestamptz AND (:source::text IS NULL OR source = :source)) t,
     (SELECT coalesce(sum(events) FILTER (WHERE reason = 'late'), 0)::bigint AS late, coalesce(sum(events) FILTER (WHERE reason = 'skewed'), 0)::bigint AS skewed,
             coalesce(sum(events) FILTER (WHERE reason = 'clamped'), 0)::bigint AS clamped, coalesce(sum(events) FILTER (WHERE reason ~ '^bot'), 0)::bigint AS bot
      FROM activity_warning WHERE hour_at >= :from_at::timestamptz AND hour_at < :until_at::timestamptz AND (:source::text IS NULL OR source = :source)) w

-- name: quality_sample
-- Of the newest 10,000 events that were stored, whatever the days: who they are by, and by how much clocks were off;
-- and what is stored and has not taken effect yet.
SELECT y.*, CASE WHEN y.skew_s < 100 THEN round(y.skew_s) || ' s' WHEN y.skew_s < 6000 THEN round(y.skew_s / 60) || ' min' ELSE round(y.skew_s / 3600) || ' h' END AS skew,
       w.n AS waiting, w.n > 0 AS has_waiting, w.s > 30 AS is_behind,
       CASE WHEN w.s < 100 THEN w.s || ' s' WHEN w.s < 6000 THEN w.s / 60 || ' min' ELSE w.s / 3600 || ' h' END AS waits
FROM (SELECT count(*) AS sampled, count(*) > 0 AS has_sampled, half_even(count(*) FILTER (WHERE x.user_id IS NULL) * 100.0 / nullif(count(*), 0), 1) AS no_user_share,
             count(*) FILTER (WHERE x.claimed_at IS NOT NULL) > 0 AS has_skew,
             (percentile_cont(0.95) WITHIN GROUP (ORDER BY abs(extract(epoch FROM x.occurred_at - x.claimed_at))))::numeric AS skew_s
      FROM (SELECT user_id, occurred_at, claimed_at FROM activity_event ORDER BY seq DESC LIMIT 10000) x) y,
     (SELECT coalesce(sum(events), 0)::bigint AS n, coalesce(extract(epoch FROM now() - min(stored_at)), 0)::bigint AS s FROM activity_batch) w

-- name: quality_days
-- What came on each day, or in each hour of one day, newest first; those without anything are there with 0.
WITH unit AS (
	SELECT b.business_date AS date, b.starts_at, b.ends_at, NULL::text AS hour_words
	FROM business_days(:tz, :cutoff_hours::int, :from::date, :to::date) b WHERE NOT :is_day::boolean
	UNION ALL
	SELECT h.business_date, h.hour_at, coalesce(lead(h.hour_at) OVER (ORDER BY h.hour_at), :until_at::timestamptz), to_char(h.hour_at AT TIME ZONE :tz, 'HH24:MI')
	FROM real_hours(:tz, :cutoff_hours::int, :from::date, :from::date) h WHERE :is_day::boolean
)
SELECT u.date, u.hour_words, a.received, a.stored, a.duplicate, a.quarantined, a.refused, a.received = a.stored + a.duplicate + a.quarantined + a.refused AS adds_up,
       u.date = :today::date AND u.ends_at > now() AS is_running
FROM unit u
CROSS JOIN LATERAL (SELECT coalesce(sum(x.received), 0)::bigint AS received, coalesce(sum(x.stored), 0)::bigint AS stored, coalesce(sum(x.duplicate), 0)::bigint AS duplicate,
                           coalesce(sum(x.quarantined), 0)::bigint AS quarantined, coalesce(sum(x.refused), 0)::bigint AS refused
                    FROM activity_account x WHERE x.hour_at >= u.starts_at AND x.hour_at < u.ends_at AND (:source::text IS NULL OR x.source = :source)) a
WHERE u.starts_at <= now()
ORDER BY u.starts_at DESC

-- name: quality_sources
-- Each source of the days. A key is called by its name where that is still known.
SELECT a.source, k.name AS key_name, a.received, a.stored, a.duplicate, a.quarantined, a.refused, half_even((a.quarantined + a.refused) * 100.0 / nullif(a.received, 0), 2) AS rejected_share,
       a.received = a.stored + a.duplicate + a.quarantined + a.refused AS adds_up, a.received - a.stored - a.duplicate - a.quarantined - a.refused AS off,
       (a.last_at AT TIME ZONE :tz)::date AS last_date, to_char(a.last_at AT TIME ZONE :tz, 'HH24:MI') AS last_hour, a.source = :source::text AS is_chosen, a.source AS source_id
FROM (SELECT source, sum(received)::bigint AS received, sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate, sum(quarantined)::bigint AS quarantined, sum(refused)::bigint AS refused,
             max(hour_at) AS last_at
      FROM activity_account WHERE hour_at >= :from_at::timestamptz AND hour_at < :until_at::timestamptz GROUP BY source) a
LEFT JOIN api_key k ON a.source = 'key:' || k.key_id
ORDER BY a.received DESC, a.source
LIMIT 200

-- name: quality_warnings
-- Why events were refused or kept apart, and what was strange about stored ones, the most frequent first.
SELECT w.reason, nullif(w.field, '') AS field, nullif(w.event_type, '') AS event_type, w.event_type AS event_type_id, w.events, w.sources_n, w.source, w.sources_n > 1 AS is_of_many,
       (w.last_at AT TIME ZONE :tz)::date AS last_date, to_char(w.last_at AT TIME ZONE :tz, 'HH24:MI') AS last_hour,
       CASE WHEN :sees::boolean THEN nullif(w.sample, '') END AS sample, EXISTS (SELECT FROM activity_type t WHERE t.event_type = w.event_type) AS is_known_type,
       (w.reason IN ('late', 'clamped', 'skewed') OR w.reason ~ '^bot') AS is_stored, row_number() OVER (ORDER BY w.events DESC, w.reason, w.field, w.event_type) = 50 AS is_cut
FROM (SELECT reason, field, event_type, sum(events)::bigint AS events, count(DISTINCT source) AS sources_n, min(source) AS source, max(hour_at) AS last_at,
             (array_agg(sample ORDER BY hour_at DESC))[1] AS sample
      FROM activity_warning WHERE hour_at >= :from_at::timestamptz AND hour_at < :until_at::timestamptz AND (:source::text IS NULL OR source = :source)
      GROUP BY reason, field, event_type) w
ORDER BY w.events DESC, w.reason, w.field, w.event_type
LIMIT 50

-- name: quality_reasons
-- What is kept apart and undecided, whatever the days, by why; `until`: the newest of them.
SELECT q.reason, q.field, q.n, q.n = 1 AS is_one, q.until, q.types, q.detail, (q.first_at AT TIME ZONE :tz)::date AS first_date, row_number() OVER (ORDER BY q.n DESC, q.reason, q.field) AS reason_n
FROM (SELECT reason, field, count(*) AS n, max(quarantine_id) AS until, min(received_at) AS first_at, (array_agg(detail ORDER BY quarantine_id DESC))[1] AS detail,
             (SELECT string_agg(t, ', ') FROM unnest((array_agg(DISTINCT nullif(event_type, '')))[1:5]) t) AS types
      FROM activity_quarantine WHERE decided_at IS NULL GROUP BY reason, field) q
ORDER BY q.n DESC, q.reason, q.field
LIMIT 20

-- name: quality_quarantine
-- What is kept apart and undecided, newest first, older ones by the cursor `before`. What an event says is for those
-- who may see it, and 4,000 bytes of it at most.
WITH page AS (
	SELECT q.*, row_number() OVER (ORDER BY q.quarantine_id DESC) AS n
	FROM (SELECT * FROM activity_quarantine WHERE decided_at IS NULL AND (:before::bigint IS NULL OR quarantine_id < :before::bigint)
	      ORDER BY quarantine_id DESC LIMIT :page_rows::int + 1) q
)
SELECT quarantine_id AS id, (received_at AT TIME ZONE :tz)::date AS received_date, to_char(received_at AT TIME ZONE :tz, 'HH24:MI:SS') AS received_time, source, event_id,
       nullif(event_type, '') AS event_type, reason, nullif(field, '') AS field, detail, CASE WHEN :sees::boolean THEN left(payload, 4000) END AS payload, octet_length(payload) > 4000 AS is_long,
       n = :page_rows::int AND (SELECT count(*) FROM page) > n AS is_last
FROM page
WHERE n <= :page_rows::int
ORDER BY n

-- name: quality_decided
-- What was decided in the last 28 days, newest first.
SELECT quarantine_id AS id, nullif(event_type, '') AS event_type, reason, nullif(field, '') AS field, decision, n = 1 AS is_first, n = (SELECT least(count(*), 20) FROM activity_quarantine q WHERE q.decided_at > now() - interval '28 days') AS is_last,
       (decided_at AT TIME ZONE :tz)::date AS decided_date, to_char(decided_at AT TIME ZONE :tz, 'HH24:MI') AS decided_time
FROM (SELECT *, row_number() OVER (ORDER BY decided_at DESC, quarantine_id DESC) AS n FROM activity_quarantine WHERE decided_at > now() - interval '28 days') d
WHERE n <= 20
ORDER BY n

-- name: quality_reason_count
-- How many of one reason are undecided, up to the row `until`; they are held until the transaction ends.
SELECT count(*) AS n
FROM (SELECT FROM activity_quarantine
      WHERE decided_at IS NULL AND reason = :reason AND field = :field AND quarantine_id <= :until::bigint
      ORDER BY quarantine_id
      FOR UPDATE) held
