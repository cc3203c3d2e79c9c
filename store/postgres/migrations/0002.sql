-- What providers keep (files, batches, stored answers), and whose it is. Rows are removed when nobody has noted them
-- for long.
CREATE TABLE object (
	id         TEXT PRIMARY KEY CHECK (length(id) <= 256),
	provider   TEXT NOT NULL,
	credential TEXT NOT NULL, -- which of the provider's keys made it; empty if that is not known
	caller     TEXT NOT NULL, -- the id of the key whose holder made it; empty if anybody may have it
	answer     BOOLEAN NOT NULL,
	uncounted  BOOLEAN NOT NULL, -- what it used is yet to be counted
	at         BIGINT NOT NULL -- milliseconds since 1970
);
CREATE INDEX object_at ON object (at);
