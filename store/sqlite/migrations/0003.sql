-- Of limits that are strict, each attempt asks here; of others a gateway leases parts.
ALTER TABLE spending_limit ADD COLUMN strict INTEGER NOT NULL DEFAULT 0 CHECK (strict IN (0, 1));

-- What a gateway may spend in a window without asking, since a start: the number of its first attempt. It is
-- part of what is pending in the window.
CREATE TABLE lease (
	since   INTEGER NOT NULL,
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   INTEGER NOT NULL,
	amount  INTEGER NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (since, account, period, start)
) STRICT, WITHOUT ROWID;
