-- Whose key an attempt was made with.
ALTER TABLE line ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN user_name TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN team TEXT NOT NULL DEFAULT '';
ALTER TABLE line ADD COLUMN organisation TEXT NOT NULL DEFAULT '';

-- The keys of clients. body is all of a key, in JSON; of what clients show it holds an HMAC under a secret
-- that is kept elsewhere.
CREATE TABLE access_key (
	id       TEXT PRIMARY KEY,
	revision INTEGER NOT NULL CHECK (revision > 0),
	body     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How often any key was changed.
CREATE TABLE access_version (
	version INTEGER NOT NULL
) STRICT;
INSERT INTO access_version VALUES (0);

CREATE TRIGGER access_key_stays BEFORE DELETE ON access_key BEGIN SELECT RAISE(ABORT, 'keys are revoked, never removed'); END;

-- Who changed what by the admin API. at is in milliseconds since 1970.
CREATE TABLE change (
	seq     INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	by_whom TEXT NOT NULL,
	address TEXT NOT NULL,
	method  TEXT NOT NULL,
	path    TEXT NOT NULL,
	query   TEXT NOT NULL,
	body    TEXT NOT NULL,
	outcome TEXT NOT NULL
) STRICT;

CREATE TRIGGER change_is_final BEFORE UPDATE ON change BEGIN SELECT RAISE(ABORT, 'the log of changes is never changed'); END;
CREATE TRIGGER change_stays BEFORE DELETE ON change BEGIN SELECT RAISE(ABORT, 'the log of changes is never cut'); END;
