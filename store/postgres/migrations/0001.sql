-- What many entries have in common. Its id is made of what is in it.
CREATE TABLE line (
	id        BIGINT PRIMARY KEY,
	provider  TEXT NOT NULL,
	model     TEXT NOT NULL,
	asked     TEXT NOT NULL,
	operation TEXT NOT NULL,
	caller    TEXT NOT NULL,
	tag       TEXT NOT NULL,
	rates     TEXT NOT NULL
);

-- One row for each attempt, written when it is over. body is all of the entry; the other columns
-- repeat of it what is asked for most. Amounts are in pico-dollars, times in milliseconds since 1970.
-- chain, in the last row of each batch, is the SHA-256 of the one before it and the bodies since.
CREATE TABLE entry (
	seq      BIGINT PRIMARY KEY,
	node     TEXT NOT NULL, -- the gateway whose attempt it is
	attempt  BIGINT NOT NULL,
	line     BIGINT NOT NULL REFERENCES line (id),
	at       BIGINT NOT NULL,
	kind     BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 4), -- posted, estimated, uncertain, void
	flags    BIGINT NOT NULL, -- 1 wasted, 2 rescue, 4 overrun, 8 rejected, 16 orphan, 32 hedge, 64 other model
	reserved BIGINT NOT NULL CHECK (reserved >= 0),
	amount   BIGINT NOT NULL CHECK (amount >= 0),
	input    BIGINT NOT NULL CHECK (input >= 0),
	output   BIGINT NOT NULL CHECK (output >= 0),
	body     BYTEA NOT NULL,
	chain    BYTEA CHECK (chain IS NULL OR length(chain) = 32),
	CHECK (kind <> 4 OR amount = 0),
	CHECK (amount <= reserved OR flags & 4 <> 0),
	UNIQUE (node, attempt)
);

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME; END $$;
CREATE TRIGGER line_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON line EXECUTE FUNCTION refuse();
CREATE TRIGGER entry_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON entry EXECUTE FUNCTION refuse();

-- Where the chain ends. Whoever writes holds this row, so that batches of several gateways come one after the other.
CREATE TABLE chain_end (
	seq   BIGINT NOT NULL,
	chain BYTEA
);
INSERT INTO chain_end VALUES (0, NULL);

-- The entries, summed up for reports. A day is counted from 1970, in UTC.
CREATE TABLE usage (
	day      BIGINT NOT NULL,
	line     BIGINT NOT NULL REFERENCES line (id),
	kind     BIGINT NOT NULL,
	flags    BIGINT NOT NULL,
	attempts BIGINT NOT NULL CHECK (attempts > 0),
	amount   BIGINT NOT NULL CHECK (amount >= 0),
	input    BIGINT NOT NULL,
	output   BIGINT NOT NULL,
	PRIMARY KEY (day, line, kind, flags)
);

CREATE TABLE spending_limit (
	account TEXT NOT NULL,
	period  TEXT NOT NULL CHECK (period IN ('day', 'week', 'month', 'ever')),
	most    BIGINT NOT NULL CHECK (most >= 0),
	soft    BOOLEAN NOT NULL,
	PRIMARY KEY (account, period)
);

-- An account in one period that began at start, in seconds since 1970. A lower limit stands in
-- spending_limit at once; ceiling is the highest that was in force.
CREATE TABLE spending (
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   BIGINT NOT NULL,
	ceiling BIGINT NOT NULL,
	soft    BOOLEAN NOT NULL, -- true if it was at any time
	posted  BIGINT NOT NULL DEFAULT 0 CHECK (posted >= 0),
	pending BIGINT NOT NULL DEFAULT 0 CHECK (pending >= 0),
	overrun BIGINT NOT NULL DEFAULT 0 CHECK (overrun >= 0),
	PRIMARY KEY (account, period, start),
	CHECK (soft OR posted + pending <= ceiling + overrun)
);

-- What attempts that run hold.
CREATE TABLE hold (
	node    TEXT NOT NULL,
	attempt BIGINT NOT NULL,
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   BIGINT NOT NULL,
	amount  BIGINT NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (node, attempt, account, period)
);

-- How far a gateway's journal is in here.
CREATE TABLE mark (
	node TEXT PRIMARY KEY,
	file BIGINT NOT NULL,
	off  BIGINT NOT NULL
);
