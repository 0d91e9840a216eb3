-- person.sql: what is held about a person, and its end. 016_activity_privacy.sql does it.

-- name: person_holdings
-- Only what there is.
SELECT tbl, held FROM person_holdings(:kind, :id) WHERE held > 0

-- name: person_known
-- How many ids are linked; whether the id was erased before.
SELECT (SELECT count(*) FROM person_ids(:kind, :id)) AS ids, person_mark(:kind, :id) IS NOT NULL AS erased

-- name: person_export
SELECT jsonb_pretty(person_export(:kind, :id)) AS held

-- name: person_suppress
-- It waits for transactions that have read the list; whoever comes meanwhile waits for this.
SELECT person_suppress(:kind, :id)
FROM (SELECT set_config('lock_timeout', '5s', true) OFFSET 0) s

-- name: person_forget
SELECT jsonb_pretty(person_forget(:kind, :id, :how, :actor, :address, :request_id)) AS certificate
FROM (SELECT set_config('lock_timeout', '30s', true) OFFSET 0) s

-- name: person_subject
-- As the audit log names it, without saying who it is. The key is made by the first who is forgotten: until then nobody is named.
SELECT 'person:' || coalesce((SELECT encode(person_hash(key, :kind, :id), 'hex') FROM activity_secret), '') AS subject

-- name: people_certificates
SELECT erasure_id, to_char(at AT TIME ZONE z.tz, 'FMDD Mon YYYY HH24:MI') AS done_at, actor, how, left(encode(id_hash, 'hex'), 16) AS subject
FROM activity_erasure, (SELECT coalesce((SELECT r.timezone FROM site JOIN rules r USING (rules_id)), 'UTC') AS tz) z
ORDER BY erasure_id DESC LIMIT 50

-- name: people_certificate
SELECT erasure_id, certificate ->> 'at' AS done_at, actor, how, encode(id_hash, 'hex') AS subject, certificate ->> 'note' AS note,
       certificate -> 'ids' ->> 'user' AS users_n, certificate -> 'ids' ->> 'anonymous' AS anonymous_n,
       certificate -> 'ids' ->> 'session' AS sessions_n
FROM activity_erasure WHERE erasure_id = :certificate::bigint

-- name: people_certificate_tables
SELECT t."table" AS tbl, t.rows AS rows_n, t.what
FROM activity_erasure, jsonb_to_recordset(certificate -> 'tables') t("table" text, rows bigint, what text)
WHERE erasure_id = :certificate::bigint AND t.rows > 0

-- name: people_certificate_files
SELECT f.name, n = 1 AS is_first, n = count(*) OVER () AS is_last
FROM activity_erasure, jsonb_array_elements_text(certificate -> 'files') WITH ORDINALITY f(name, n)
WHERE erasure_id = :certificate::bigint ORDER BY n

-- name: people_no_certificate
SELECT 'certificate' AS field, 'there is no such certificate' AS detail
