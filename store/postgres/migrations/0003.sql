-- Whose key an attempt was made with.
ALTER TABLE line
	ADD COLUMN key_id TEXT NOT NULL DEFAULT '',
	ADD COLUMN user_name TEXT NOT NULL DEFAULT '',
	ADD COLUMN team TEXT NOT NULL DEFAULT '',
	ADD COLUMN organisation TEXT NOT NULL DEFAULT '';

-- The keys of clients. body is all of a key, in JSON; of what clients show it holds an HMAC under a secret
-- that is kept elsewhere.
CREATE TABLE access_key (
	id       TEXT PRIMARY KEY,
	revision BIGINT NOT NULL CHECK (revision > 0),
	body     TEXT NOT NULL
);

-- How often any key was changed.
CREATE TABLE access_version (
	version BIGINT NOT NULL
);
INSERT INTO access_version VALUES (0);

CREATE TRIGGER access_key_stays BEFORE DELETE OR TRUNCATE ON access_key EXECUTE FUNCTION refuse();

-- Who changed what by the admin API. at is in milliseconds since 1970.
CREATE TABLE change (
	seq     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at      BIGINT NOT NULL,
	by_whom TEXT NOT NULL,
	address TEXT NOT NULL,
	method  TEXT NOT NULL,
	path    TEXT NOT NULL,
	query   TEXT NOT NULL,
	body    TEXT NOT NULL,
	outcome TEXT NOT NULL
);

CREATE TRIGGER change_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON change EXECUTE FUNCTION refuse();
