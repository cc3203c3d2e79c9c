-- What attempts really cost, as an operator says: an entry is never changed. body is all of a correction; chain is the
-- SHA-256 of the one before it and the body.
CREATE TABLE correction (
	seq     BIGINT PRIMARY KEY,
	node    TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	body    BYTEA NOT NULL,
	chain   BYTEA NOT NULL CHECK (length(chain) = 32)
);
CREATE INDEX correction_attempt ON correction (node, attempt);

CREATE TRIGGER correction_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON correction EXECUTE FUNCTION refuse();
