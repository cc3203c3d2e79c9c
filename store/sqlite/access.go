package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// KeysVersion is how often any key was changed.
func (d *DB) KeysVersion(ctx context.Context) (int64, error) {
	var version int64
	if err := d.db.QueryRowContext(ctx, "SELECT version FROM access_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the version of the keys: %w", err)
	}
	return version, nil
}

// Keys finds the keys that have changed.
func (d *DB) Keys(ctx context.Context, since int64, each func(text []byte) error) (version int64, err error) {
	// One statement, so that the version is that of what is read.
	rows, err := d.db.QueryContext(ctx, "SELECT v.version, k.body FROM access_version v LEFT JOIN access_key k ON k.version > ?", since)
	if err != nil {
		return 0, fmt.Errorf("read keys: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&version, &body); err != nil {
			return 0, fmt.Errorf("read keys: %w", err)
		}
		if body == nil {
			continue // there is none
		}
		if err := each(body); err != nil {
			return 0, err
		}
	}
	return version, rows.Err()
}

// PutKey writes a key.
func (d *DB) PutKey(ctx context.Context, k *access.Key, from int64) error {
	body, err := k.Text()
	if err != nil {
		return err
	}
	return d.record(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE access_version SET version = version + 1"); err != nil {
			return fmt.Errorf("write the version of the keys: %w", err)
		}
		const version = "(SELECT version FROM access_version)"
		statement, args := "UPDATE access_key SET revision = ?, body = ?, version = "+version+" WHERE id = ? AND revision = ?", []any{k.Revision, string(body), k.ID, from}
		if from == 0 {
			statement, args = "INSERT INTO access_key (revision, body, id, version) VALUES (?, ?, ?, "+version+") ON CONFLICT DO NOTHING", args[:3]
		}
		done, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return fmt.Errorf("write a key: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil {
			return fmt.Errorf("write a key: %w", err)
		} else if n == 0 {
			return access.ErrChanged
		}
		return nil
	})
}

// AddChange writes down a change.
func (d *DB) AddChange(ctx context.Context, c *access.Change) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error { return addChange(ctx, tx, c) })
}

func addChange(ctx context.Context, tx *sql.Tx, c *access.Change) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO change (at, by_whom, address, method, path, query, body, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		c.At.UnixMilli(), c.By, c.From, c.Method, c.Path, c.Query, c.Body, c.Outcome)
	if err != nil {
		return fmt.Errorf("write down a change: %w", err)
	}
	return nil
}

// record makes the change that the context is about, and writes it down in the same transaction.
func (d *DB) record(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	c := access.ChangeOf(ctx)
	err := d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := do(ctx, tx); err != nil || c == nil {
			return err
		}
		return addChange(ctx, tx, c)
	})
	if err == nil {
		c.Keep()
	}
	return err
}

// Changes lists changes, the latest first.
func (d *DB) Changes(ctx context.Context, before int64, limit int) ([]access.Change, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := d.db.QueryContext(ctx, "SELECT seq, at, by_whom, address, method, path, query, body, outcome FROM change WHERE seq < ? ORDER BY seq DESC LIMIT ?", before, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var found []access.Change
	for rows.Next() {
		var c access.Change
		var at int64
		if err := rows.Scan(&c.Seq, &at, &c.By, &c.From, &c.Method, &c.Path, &c.Query, &c.Body, &c.Outcome); err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		c.At = time.UnixMilli(at).UTC()
		found = append(found, c)
	}
	return found, rows.Err()
}
