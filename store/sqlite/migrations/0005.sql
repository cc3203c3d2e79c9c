-- Requests that clients may send again, for a day: id is the SHA-256 of who sent it and of the key that they chose, request that
-- of all that was asked. state: 0 it runs, 1 its answer is here, 2 its answer is not kept.
CREATE TABLE replay (
	id       BLOB PRIMARY KEY,
	request  BLOB NOT NULL,
	call     TEXT NOT NULL,
	process  TEXT NOT NULL, -- which start of which gateway
	at       INTEGER NOT NULL, -- milliseconds since 1970
	state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
	status   INTEGER NOT NULL DEFAULT 0,
	header   BLOB,
	body     BLOB,
	size     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_at ON replay (at, size);
