-- Requests that clients may send again, for a day: id is the SHA-256 of who sent it and of the key that they chose, request that
-- of all that was asked. state: 0 it runs, 1 its answer is here, 2 its answer is not kept.
CREATE TABLE replay (
	id       BYTEA PRIMARY KEY,
	request  BYTEA NOT NULL,
	call     TEXT NOT NULL,
	process  TEXT NOT NULL, -- which start of which gateway
	at       BIGINT NOT NULL, -- milliseconds since 1970
	state    BIGINT NOT NULL CHECK (state BETWEEN 0 AND 2),
	status   BIGINT NOT NULL DEFAULT 0,
	header   BYTEA,
	body     BYTEA,
	size     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX replay_at ON replay (at, size);
