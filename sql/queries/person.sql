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
