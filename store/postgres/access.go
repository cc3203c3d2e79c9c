package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/understudy-ai/understudy/access"
)

// KeysVersion is how often any key was changed.
func (d *DB) KeysVersion(ctx context.Context) (int64, error) {
	if err := d.prepare(ctx); err != nil {
		return 0, err
	}
	var version int64
	if err := d.pool.QueryRow(ctx, "SELECT version FROM access_version").Scan(&version); err != nil {
		return 0, fmt.Errorf("read the version of the keys: %w", err)
	}
	return version, nil
}

// Keys finds the keys that have changed.
func (d *DB) Keys(ctx context.Context, since int64, each func(text []byte) error) (version int64, err error) {
	if err := d.prepare(ctx); err != nil {
		return 0, err
	}
	// One statement, so that the version is that of what is read.
	rows, err := d.pool.Query(ctx, "SELECT v.version, k.body FROM access_version v LEFT JOIN access_key k ON k.version > $1", since)
	if err != nil {
		return 0, fmt.Errorf("read keys: %w", err)
	}
	var body *string // nil if there is no key
	_, err = pgx.ForEachRow(rows, []any{&version, &body}, func() error {
		if body == nil {
			return nil
		}
		return each([]byte(*body))
	})
	if err != nil {
		return 0, fmt.Errorf("read keys: %w", err)
	}
	return version, nil
}

// PutKey writes a key.
func (d *DB) PutKey(ctx context.Context, k *access.Key, from int64) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	body, err := k.Text()
	if err != nil {
		return err
	}
	return d.record(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// First what all writers want, so that they come one after the other.
		if _, err := tx.Exec(ctx, "UPDATE access_version SET version = version + 1"); err != nil {
			return fmt.Errorf("write the version of the keys: %w", err)
		}
		const version = "(SELECT version FROM access_version)"
		statement, args := "UPDATE access_key SET revision = $1, body = $2, version = "+version+" WHERE id = $3 AND revision = $4", []any{k.Revision, string(body), k.ID, from}
		if from == 0 {
			statement, args = "INSERT INTO access_key (revision, body, id, version) VALUES ($1, $2, $3, "+version+") ON CONFLICT DO NOTHING", args[:3]
		}
		done, err := tx.Exec(ctx, statement, args...)
		if err != nil {
			return fmt.Errorf("write a key: %w", err)
		}
		if done.RowsAffected() == 0 {
			return access.ErrChanged
		}
		return nil
	})
}

// AddChange writes down a change.
func (d *DB) AddChange(ctx context.Context, c *access.Change) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return addChange(ctx, d.pool, c)
}

func addChange(ctx context.Context, q interface {
	Exec(ctx context.Context, statement string, args ...any) (pgconn.CommandTag, error)
}, c *access.Change,
) error {
	_, err := q.Exec(ctx, "INSERT INTO change (at, by_whom, address, method, path, query, body, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		c.At.UnixMilli(), c.By, c.From, c.Method, c.Path, c.Query, c.Body, c.Outcome)
	if err != nil {
		return fmt.Errorf("write down a change: %w", err)
	}
	return nil
}

// record makes the change that the context is about, and writes it down in the same transaction.
func (d *DB) record(ctx context.Context, do func(ctx context.Context, tx pgx.Tx) error) error {
	c := access.ChangeOf(ctx)
	err := d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
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
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := d.pool.Query(ctx, "SELECT seq, at, by_whom, address, method, path, query, body, outcome FROM change WHERE seq < $1 ORDER BY seq DESC LIMIT $2", before, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c access.Change, err error) {
		var at int64
		err = row.Scan(&c.Seq, &at, &c.By, &c.From, &c.Method, &c.Path, &c.Query, &c.Body, &c.Outcome)
		c.At = time.UnixMilli(at).UTC()
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return found, nil
}
