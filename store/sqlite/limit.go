package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/understudy-ai/understudy/budget"
)

// SetLimits replaces all limits.
func (d *DB) SetLimits(ctx context.Context, limits []budget.Limit) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM spending_limit"); err != nil {
			return fmt.Errorf("set limits: %w", err)
		}
		for _, l := range limits {
			if _, err := tx.ExecContext(ctx, "INSERT INTO spending_limit VALUES (?, ?, ?, ?)", l.Account, string(l.Period), int64(l.Most), l.Soft); err != nil {
				return fmt.Errorf("set the limit of %s: %w", l.Account, err)
			}
		}
		return nil
	})
}

// Hold reserves on accounts.
func (d *DB) Hold(ctx context.Context, _ string, h budget.Hold) (keys []budget.Key, err error) {
	err = d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		keys, err = hold(ctx, tx, h)
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func hold(ctx context.Context, tx *sql.Tx, h budget.Hold) ([]budget.Key, error) {
	var keys []budget.Key
	accounts := slices.Clone(h.Accounts)
	slices.Sort(accounts)
	for _, account := range slices.Compact(accounts) {
		limits, err := limitsOf(ctx, tx, account)
		if err != nil {
			return nil, err
		}
		for _, l := range limits {
			key := budget.Key{Account: account, Period: l.Period, Start: l.Period.Start(h.At)}
			if err := reserve(ctx, tx, key, l, h); err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// reserve adds to what is pending in a window, if its limit allows it.
func reserve(ctx context.Context, tx *sql.Tx, k budget.Key, l budget.Limit, h budget.Hold) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO spending (account, period, start, ceiling, soft) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET ceiling = max(ceiling, excluded.ceiling), soft = max(soft, excluded.soft)`,
		k.Account, string(k.Period), k.Start, int64(l.Most), l.Soft)
	if err != nil {
		return fmt.Errorf("open a window of %s: %w", k.Account, err)
	}
	done, err := tx.ExecContext(ctx, `UPDATE spending SET pending = pending + ?1
		WHERE account = ?2 AND period = ?3 AND start = ?4 AND (?5 OR posted + pending + ?1 <= ?6)`,
		int64(h.Amount), k.Account, string(k.Period), k.Start, l.Soft, int64(l.Most))
	if err != nil {
		return fmt.Errorf("reserve on %s: %w", k.Account, err)
	}
	if n, err := done.RowsAffected(); err != nil {
		return fmt.Errorf("reserve on %s: %w", k.Account, err)
	} else if n == 0 {
		_, ends := k.Period.Window(h.At)
		return &budget.LimitError{Account: k.Account, Period: k.Period, Ends: ends}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO hold VALUES (?, ?, ?, ?, ?)", h.Attempt, k.Account, string(k.Period), k.Start, int64(h.Amount)); err != nil {
		return fmt.Errorf("hold on %s: %w", k.Account, err)
	}
	return nil
}

func limitsOf(ctx context.Context, tx *sql.Tx, account string) (limits []budget.Limit, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT period, most, soft FROM spending_limit WHERE account = ? ORDER BY period", account)
	if err != nil {
		return nil, fmt.Errorf("read the limits of %s: %w", account, err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		l := budget.Limit{Account: account}
		if err := rows.Scan(&l.Period, &l.Most, &l.Soft); err != nil {
			return nil, fmt.Errorf("read the limits of %s: %w", account, err)
		}
		limits = append(limits, l)
	}
	return limits, rows.Err()
}

// settleHolds posts what entries cost in the windows that they were reserved in.
func settleHolds(ctx context.Context, tx *sql.Tx, entries []budget.Entry) error {
	for i := range entries {
		e := &entries[i]
		for _, k := range e.Windows {
			done, err := tx.ExecContext(ctx, `UPDATE spending SET pending = pending - ?1, posted = posted + ?2, overrun = overrun + max(?2 - ?1, 0)
				WHERE account = ?3 AND period = ?4 AND start = ?5`, int64(e.Reserved), int64(e.Amount), k.Account, string(k.Period), k.Start)
			if err == nil {
				err = oneRow(done)
			}
			if err != nil {
				return fmt.Errorf("post to %s: %w", k.Account, err)
			}
		}
		if len(e.Windows) > 0 {
			if _, err := tx.ExecContext(ctx, "DELETE FROM hold WHERE attempt = ?", e.Attempt); err != nil {
				return fmt.Errorf("let go of holds: %w", err)
			}
		}
	}
	return nil
}

func oneRow(done sql.Result) error {
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("got %d rows changed, want one: %w", n, err)
	}
	return nil
}

// Sweep frees what is held by attempts that were never made.
func (d *DB) Sweep(ctx context.Context, _ string, upTo int64) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE spending SET pending = pending - held.amount
			FROM (SELECT account, period, start, sum(amount) AS amount FROM hold WHERE attempt <= ? GROUP BY account, period, start) AS held
			WHERE spending.account = held.account AND spending.period = held.period AND spending.start = held.start`, upTo)
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM hold WHERE attempt <= ?", upTo)
		}
		if err != nil {
			return fmt.Errorf("free what nobody holds: %w", err)
		}
		return nil
	})
}

// Windows lists how accounts stand.
func (d *DB) Windows(ctx context.Context) ([]budget.Window, error) { return windows(ctx, d.db) }

func windows(ctx context.Context, q querier) (found []budget.Window, err error) {
	rows, err := q.QueryContext(ctx, "SELECT account, period, start, ceiling, soft, posted, pending, overrun FROM spending ORDER BY account, period, start")
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var w budget.Window
		if err := rows.Scan(&w.Account, &w.Period, &w.Start, &w.Limit, &w.Soft, &w.Posted, &w.Pending, &w.Overrun); err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		found = append(found, w)
	}
	return found, rows.Err()
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}
