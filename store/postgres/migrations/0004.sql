-- Of limits that are strict, each attempt asks here; of others a gateway leases parts.
ALTER TABLE spending_limit ADD COLUMN strict BOOLEAN NOT NULL DEFAULT false;

-- What a gateway may spend in a window without asking, since a start: the number of its first attempt. It is
-- part of what is pending in the window.
CREATE TABLE lease (
	node    TEXT NOT NULL,
	since   BIGINT NOT NULL,
	account TEXT NOT NULL,
	period  TEXT NOT NULL,
	start   BIGINT NOT NULL,
	amount  BIGINT NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (node, since, account, period, start)
);
