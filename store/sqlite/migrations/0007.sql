-- At which version of the keys each was last changed, so that only these are read again. Those of before are of version 1 at most.
ALTER TABLE access_key ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX access_key_version ON access_key (version);
