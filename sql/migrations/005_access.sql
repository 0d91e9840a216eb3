-- Who may come in: users and their sessions, keys of programs, and a record of what
-- was done. Nothing here can be used to log in: passwords are hashed slowly, tokens
-- and keys are random enough for a plain SHA-256.

CREATE TABLE app_user (
	user_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	username text NOT NULL UNIQUE CHECK (username ~ '^[a-z0-9][a-z0-9._@+-]{0,63}$'),
	role text NOT NULL CHECK (role IN ('admin', 'analyst', 'viewer')),
	password_hash text NOT NULL,             -- argon2id with its salt and costs
	enabled boolean NOT NULL DEFAULT true,
	-- Stands in each token; raising it ends them all. It begins with the seconds since 2026, so
	-- that a user made anew under an old name does not inherit the tokens of the old one.
	token_version integer NOT NULL
		DEFAULT (extract(epoch FROM clock_timestamp()) - 1767225600)::integer CHECK (token_version > 0),
	created_at timestamptz NOT NULL DEFAULT now(),
	password_changed_at timestamptz NOT NULL DEFAULT now(),
	last_login_at timestamptz
);

CREATE TABLE web_session (
	session_id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- to name it in lists and logs
	token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32), -- SHA-256 of the cookie's value
	user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
	created_at timestamptz NOT NULL DEFAULT now(),
	last_seen_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,         -- whatever happens until then
	address text NOT NULL DEFAULT '',
	agent text NOT NULL DEFAULT ''
);
CREATE INDEX web_session_user ON web_session (user_id);

CREATE TABLE api_key (
	key_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL CHECK (name <> '' AND length(name) <= 100),
	prefix text NOT NULL,                    -- how the key begins, to recognise it by
	key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32), -- SHA-256 of the whole key
	scope text NOT NULL CHECK (scope IN ('ingest', 'read', 'admin')),
	created_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz,
	last_used_at timestamptz,
	revoked_at timestamptz
);

-- Wrong passwords, counted for a name together with an address: nobody can lock a
-- user out from elsewhere.
CREATE TABLE login_failure (
	username text NOT NULL,                  -- as it was tried: there may be no such user
	address text NOT NULL,
	failures integer NOT NULL DEFAULT 1,
	last_at timestamptz NOT NULL DEFAULT now(),
	blocked_until timestamptz,
	PRIMARY KEY (username, address)
);

-- Written in the transaction of what it tells of.
CREATE TABLE audit_log (
	audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now(),
	actor text NOT NULL,                     -- user:anna, key:3, command line
	action text NOT NULL,                    -- user_add, key_revoke, ...
	object text NOT NULL DEFAULT '',         -- user:anna, key:3
	address text,
	request_id text,
	detail jsonb NOT NULL DEFAULT '{}'
);

-- Rights forbid it to the programs; this forbids it to a slip of the owner's as well.
CREATE FUNCTION audit_log_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'audit_log only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_log_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
	FOR EACH STATEMENT EXECUTE FUNCTION audit_log_keep();

-- The web program remembers for a while who may do what; this makes it forget at once.
-- That somebody was seen again is no reason, so those columns are not in the lists.
CREATE FUNCTION access_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('takings_access', '');
	RETURN NULL;
END
$$;
CREATE TRIGGER access_changed
	AFTER INSERT OR DELETE OR TRUNCATE OR
	      UPDATE OF username, role, password_hash, enabled, token_version, password_changed_at ON app_user
	FOR EACH STATEMENT EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_changed
	AFTER DELETE OR TRUNCATE OR UPDATE OF token_hash, user_id, expires_at ON web_session
	FOR EACH STATEMENT EXECUTE FUNCTION access_changed();
CREATE TRIGGER access_changed
	AFTER INSERT OR DELETE OR TRUNCATE OR
	      UPDATE OF name, key_hash, scope, expires_at, revoked_at ON api_key
	FOR EACH STATEMENT EXECUTE FUNCTION access_changed();
