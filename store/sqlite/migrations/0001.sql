-- What many entries have in common. Its id is made of what is in it.
CREATE TABLE line (
	id        INTEGER PRIMARY KEY,
	provider  TEXT NOT NULL,
	model     TEXT NOT NULL,
	asked     TEXT NOT NULL,
	operation TEXT NOT NULL,
	caller    TEXT NOT NULL,
	tag       TEXT NOT NULL,
	rates     TEXT NOT NULL
) STRICT;

-- One row for each attempt, written when it is over. body is all of the entry; the other columns
-- repeat of it what is asked for most. Amounts are in pico-dollars, times in milliseconds since 1970.
-- chain, in the last row of each batch, is the SHA-256 of the one before it and the bodies since.
CREATE TABLE entry (
	seq      INTEGER PRIMARY KEY,
	attempt  INTEGER NOT NULL UNIQUE,
	line     INTEGER NOT NULL REFERENCES line (id),
	at       INTEGER NOT NULL,
	kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4), -- posted, estimated, uncertain, void
	flags    INTEGER NOT NULL, -- 1 wasted, 2 rescue, 4 overrun, 8 rejected, 16 orphan, 32 hedge, 64 other model
	reserved INTEGER NOT NULL CHECK (reserved >= 0),
	amount   INTEGER NOT NULL CHECK (amount >= 0),
	input    INTEGER NOT NULL CHECK (input >= 0),
	output   INTEGER NOT NULL CHECK (output >= 0),
	body     BLOB NOT NULL,
	chain    BLOB CHECK (chain IS NULL OR length(chain) = 32),
	CHECK (kind <> 4 OR amount = 0),
	CHECK (amount <= reserved OR flags & 4)
) STRICT;

CREATE TRIGGER line_is_final BEFORE UPDATE ON line BEGIN SELECT RAISE(ABORT, 'lines are never changed'); END;
CREATE TRIGGER line_stays BEFORE DELETE ON line BEGIN SELECT RAISE(ABORT, 'lines are never removed'); END;
CREATE TRIGGER entry_is_final BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entry_stays BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never removed'); END;

-- The entries, summed up for reports. A day is counted from 1970, in UTC.
CREATE TABLE usage (
	day      INTEGER NOT NULL,
	line     INTEGER NOT NULL REFERENCES line (id),
	kind     INTEGER NOT NULL,
	flags    INTEGER NOT NULL,
	attempts INTEGER NOT NULL CHECK (attempts > 0),
	amount   INTEGER NOT NULL CHECK (amount >= 0),
	input    INTEGER NOT NULL,
	output   INTEGER NOT NULL,
	PRIMARY KEY (day, line, kind, flags)
) STRICT, WITHOUT ROWID;

CREATE TABLE spending_limit (
	account TEXT NOT NULL,
	period  TEXT NOT NULL CHECK (period IN ('day', 'week', 'month', 'ever')),
	most    INTEGER NOT NULL CHECK (most >= 0),
	soft    INTEGER NOT NULL CHECK (soft IN (0, 1)),
	PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;

-- An account in one period that began at start, in seconds since 1970. A lower limit stands in
-- spending_limit at once; ceiling is the highest that was in force.
CREATE TABLE spending (
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   INTEGER NOT NULL,
	ceiling INTEGER NOT NULL,
	soft    INTEGER NOT NULL CHECK (soft IN (0, 1)), -- 1 if it was at any time
	posted  INTEGER NOT NULL DEFAULT 0 CHECK (posted >= 0),
	pending INTEGER NOT NULL DEFAULT 0 CHECK (pending >= 0),
	overrun INTEGER NOT NULL DEFAULT 0 CHECK (overrun >= 0),
	PRIMARY KEY (account, period, start),
	CHECK (soft = 1 OR posted + pending <= ceiling + overrun)
) STRICT, WITHOUT ROWID;

-- What attempts that run hold.
CREATE TABLE hold (
	attempt INTEGER NOT NULL,
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   INTEGER NOT NULL,
	amount  INTEGER NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (attempt, account, period)
) STRICT, WITHOUT ROWID;

-- How far a gateway's journal is in here.
CREATE TABLE mark (
	node TEXT PRIMARY KEY,
	file INTEGER NOT NULL,
	off  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
