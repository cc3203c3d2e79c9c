-- What attempts really cost, as an operator says: an entry is never changed. body is all of a correction; chain is the
-- SHA-256 of the one before it and the body.
CREATE TABLE correction (
	seq     INTEGER PRIMARY KEY,
	attempt INTEGER NOT NULL REFERENCES entry (attempt),
	body    BLOB NOT NULL,
	chain   BLOB NOT NULL CHECK (length(chain) = 32)
) STRICT;
CREATE INDEX correction_attempt ON correction (attempt);

CREATE TRIGGER correction_is_final BEFORE UPDATE ON correction BEGIN SELECT RAISE(ABORT, 'corrections are never changed'); END;
CREATE TRIGGER correction_stays BEFORE DELETE ON correction BEGIN SELECT RAISE(ABORT, 'corrections are never removed'); END;
