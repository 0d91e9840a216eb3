-- inbox_page.sql: the inbox as people see it, in the browser and on the command line. Times are texts in the
-- site's zone (UTC before the first run), in lists of the command line UTC with a Z. What a message says is only in
-- inbox_text.

-- name: inbox_scope
-- What the filters say, and how many messages there are.
SELECT z.tz, :state AS state, :type AS type, :event::bigint AS event, :source AS source, :before::bigint IS NOT NULL AS is_older,
       :state <> '' OR :type <> '' OR :event::bigint IS NOT NULL OR :source <> '' AS is_filtered,
       (SELECT count(*) FROM event_log WHERE NOT processed AND dead_at IS NULL) AS open_n,
       (SELECT count(*) FROM event_log WHERE NOT processed AND dead_at IS NOT NULL) AS dead_n,
       (SELECT count(*) FROM event_log WHERE processed AND replaced_by IS NULL AND dropped_at IS NULL
          AND processed_at >= date_trunc('day', now() AT TIME ZONE z.tz) AT TIME ZONE z.tz) AS done_today_n,
       stream_works()
FROM (SELECT coalesce((SELECT timezone FROM booking_site), (SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z

-- name: inbox_page
-- Newest first. `is_last`: the last of a full page, where older ones follow. A branch for each index.
WITH found AS (
	(SELECT id FROM event_log
	 WHERE :state = 'dead' AND NOT processed AND dead_at IS NOT NULL AND (:before::bigint IS NULL OR id < :before::bigint)
	   AND (:type = '' OR event_type = :type) AND (:event::bigint IS NULL OR event_id = :event::bigint)
	   AND (:source = '' OR source = :source)
	 ORDER BY id DESC LIMIT :page_rows::int + 1)
	UNION ALL
	(SELECT id FROM event_log
	 WHERE :state = 'open' AND NOT processed AND dead_at IS NULL AND (:before::bigint IS NULL OR id < :before::bigint)
	   AND (:type = '' OR event_type = :type) AND (:event::bigint IS NULL OR event_id = :event::bigint)
	   AND (:source = '' OR source = :source)
	 ORDER BY id DESC LIMIT :page_rows::int + 1)
	UNION ALL
	(SELECT id FROM event_log
	 WHERE :state IN ('', 'processed') AND :event::bigint IS NOT NULL AND event_id = :event::bigint
	   AND (processed OR :state = '') AND (:before::bigint IS NULL OR id < :before::bigint)
	   AND (:type = '' OR event_type = :type) AND (:source = '' OR source = :source)
	 ORDER BY id DESC LIMIT :page_rows::int + 1)
	UNION ALL
	(SELECT id FROM event_log
	 WHERE :state IN ('', 'processed') AND :event::bigint IS NULL AND :type <> '' AND event_type = :type
	   AND (processed OR :state = '') AND (:before::bigint IS NULL OR id < :before::bigint)
	   AND (:source = '' OR source = :source)
	 ORDER BY id DESC LIMIT :page_rows::int + 1)
	UNION ALL
	(SELECT id FROM event_log
	 WHERE :state IN ('', 'processed') AND :event::bigint IS NULL AND :type = ''
	   AND (processed OR :state = '') AND (:before::bigint IS NULL OR id < :before::bigint)
	   AND (:source = '' OR source = :source)
	 ORDER BY id DESC LIMIT :page_rows::int + 1)
), page AS (
	SELECT e.*, z.tz, row_number() OVER (ORDER BY e.id DESC) AS n
	FROM found JOIN event_log e USING (id),
	     (SELECT coalesce((SELECT timezone FROM booking_site), (SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz) z
)
SELECT id, event_type, event_id AS event, source, left(source_position, 100) AS position, attempts, error_field, left(last_error, 300) AS last_error,
       to_char(created_at AT TIME ZONE tz, 'FMDD Mon YYYY, HH24:MI:SS') AS came_at,
       CASE WHEN dropped_at IS NOT NULL THEN 'dropped' WHEN replaced_by IS NOT NULL THEN 'replaced' WHEN processed THEN 'processed'
            WHEN dead_at IS NOT NULL THEN 'dead' WHEN attempts > 0 THEN 'tried again' ELSE 'open' END AS standing,
       NOT processed AND dead_at IS NOT NULL AS is_dead, NOT processed AND attempts > 0 AND dead_at IS NULL AS is_retried,
       n = :page_rows::int AND (SELECT count(*) FROM page) > n AS is_last
FROM page
WHERE n <= :page_rows::int
ORDER BY n

-- name: inbox_reasons
-- Why messages are dead, the most frequent first; `until`: the newest of them.
SELECT error_field, last_error, count(*) AS n, max(id) AS until,
       regexp_replace(error_field, '[[:cntrl:]]', '?', 'g') AS field_shown, regexp_replace(last_error, '[[:cntrl:]]', '?', 'g') AS error_shown,
       row_number() OVER (ORDER BY count(*) DESC, error_field, last_error) AS reason_n,
       (SELECT string_agg(DISTINCT t, ', ') FROM unnest((array_agg(DISTINCT nullif(event_type, '')))[1:5]) t) AS types,
       to_char(min(dead_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS first_at, to_char(max(dead_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_at
FROM event_log
WHERE NOT processed AND dead_at IS NOT NULL
GROUP BY error_field, last_error
ORDER BY n DESC, error_field, last_error
LIMIT 20

-- name: inbox_reason_count
-- How many are dead for this reason, up to the row `until`; they are held until the transaction ends.
SELECT count(*) AS n
FROM (SELECT FROM event_log
      WHERE NOT processed AND dead_at IS NOT NULL AND error_field = :field AND last_error = :error AND id <= :until::bigint
      ORDER BY id
      FOR UPDATE) held

-- name: inbox_message
SELECT e.id, event_type, event_id AS event, source, source_position AS position, attempts, last_error, error_field, replaced_by,
       CASE WHEN dropped_at IS NOT NULL THEN 'dropped' WHEN replaced_by IS NOT NULL THEN 'replaced' WHEN processed THEN 'processed'
            WHEN dead_at IS NOT NULL THEN 'dead' WHEN attempts > 0 THEN 'tried again' ELSE 'open' END AS standing,
       NOT processed AND dead_at IS NOT NULL AS is_dead, NOT processed AND dead_at IS NULL AS is_open,
       encode(dedup_key, 'hex') AS dedup_key, event_data IS NOT NULL AS is_json, coalesce(octet_length(event_data), octet_length(raw)) AS bytes,
       CASE WHEN source = 'replay' AND source_position ~ '^[0-9]{1,18}$' THEN source_position::bigint END AS replaces,
       stream_works()
FROM event_log e
WHERE e.id = :message_id::bigint

-- name: inbox_timeline
-- What happened to a message, from the first to the last.
WITH one AS (
	SELECT e.*, coalesce((SELECT timezone FROM booking_site), (SELECT timezone FROM site JOIN rules USING (rules_id)), 'UTC') AS tz
	FROM event_log e WHERE id = :message_id::bigint
), happened AS (
	SELECT created_at AS at, 1 AS rank, 'came in from ' || source || CASE source_position WHEN '' THEN '' ELSE ' ' || source_position END AS what, NULL AS who FROM one
	UNION ALL
	SELECT dead_at, 2, CASE attempts WHEN 0 THEN 'could not be read' WHEN 1 THEN 'given up after 1 attempt'
	                   ELSE 'given up after ' || attempts || ' attempts' END, NULL FROM one
	UNION ALL
	SELECT processed_at, 4, CASE WHEN dropped_at IS NOT NULL THEN 'dropped: it counts for nothing'
	                             WHEN replaced_by IS NOT NULL THEN 'replaced by message ' || replaced_by
	                             ELSE 'put into effect' END, NULL
	FROM one
	UNION ALL
	SELECT next_attempt_at, 5, 'tried again, at the earliest', NULL FROM one WHERE NOT processed AND dead_at IS NULL AND attempts > 0
	UNION ALL
	SELECT a.at, 3, CASE a.action WHEN 'inbox_replay' THEN 'replay asked for' WHEN 'inbox_fix' THEN 'corrected' WHEN 'inbox_drop' THEN 'drop asked for' ELSE a.action END, a.actor
	FROM audit_log a, one WHERE a.at >= one.created_at AND a.object = 'inbox:' || one.id
)
SELECT to_char(h.at AT TIME ZONE one.tz, 'FMDD Mon YYYY, HH24:MI:SS') AS happened_at, what, who
FROM happened h, one
WHERE h.at IS NOT NULL
ORDER BY h.at, h.rank

-- name: inbox_list
-- For the command line; what a terminal would obey is not shown.
SELECT id, event_type, coalesce(event_id::text, '-') AS event, source, attempts, to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS came_at,
       regexp_replace(error_field, '[[:cntrl:]]', '?', 'g') AS error_field, regexp_replace(last_error, '[[:cntrl:]]', '?', 'g') AS last_error,
       CASE WHEN dropped_at IS NOT NULL THEN 'dropped' WHEN replaced_by IS NOT NULL THEN 'replaced' WHEN processed THEN 'processed'
            WHEN dead_at IS NOT NULL THEN 'dead' WHEN attempts > 0 THEN 'retried' ELSE 'open' END AS standing
FROM event_log
WHERE (:state = '' OR NOT processed AND (dead_at IS NOT NULL) = (:state = 'dead'))
  AND (:type::text IS NULL OR event_type = :type)
  AND (:event::bigint IS NULL OR event_id = :event::bigint)
ORDER BY id DESC
LIMIT :limit::int
