package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/budget"
)

// SetLimits replaces all limits.
func (d *DB) SetLimits(ctx context.Context, limits []budget.Limit) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM spending_limit"); err != nil {
			return fmt.Errorf("set limits: %w", err)
		}
		for _, l := range limits {
			if _, err := tx.Exec(ctx, "INSERT INTO spending_limit VALUES ($1, $2, $3, $4)", l.Account, string(l.Period), int64(l.Most), l.Soft); err != nil {
				return fmt.Errorf("set the limit of %s: %w", l.Account, err)
			}
		}
		return nil
	})
}

// Hold reserves on accounts.
func (d *DB) Hold(ctx context.Context, node string, h budget.Hold) ([]budget.Key, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	accounts := slices.Clone(h.Accounts)
	slices.Sort(accounts) // in one order for all, so that none wait for each other
	var keys []budget.Key
	err := d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		limits, err := limitsOf(ctx, tx, accounts)
		keys = nil
		for _, l := range limits {
			key := budget.Key{Account: l.Account, Period: l.Period, Start: l.Period.Start(h.At)}
			if err := reserve(ctx, tx, node, key, l, h); err != nil {
				return err
			}
			keys = append(keys, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

func limitsOf(ctx context.Context, tx pgx.Tx, accounts []string) ([]budget.Limit, error) {
	rows, err := tx.Query(ctx, "SELECT account, period, most, soft FROM spending_limit WHERE account = ANY($1) ORDER BY account, period", accounts)
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	limits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l budget.Limit, err error) {
		err = row.Scan(&l.Account, &l.Period, &l.Most, &l.Soft)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	return limits, nil
}

// reserve adds to what is pending in a window, if its limit allows it.
func reserve(ctx context.Context, tx pgx.Tx, node string, k budget.Key, l budget.Limit, h budget.Hold) error {
	_, err := tx.Exec(ctx, `INSERT INTO spending (account, period, start, ceiling, soft) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, period, start) DO UPDATE SET ceiling = greatest(spending.ceiling, excluded.ceiling), soft = spending.soft OR excluded.soft`,
		k.Account, string(k.Period), k.Start, int64(l.Most), l.Soft)
	if err != nil {
		return fmt.Errorf("open a window of %s: %w", k.Account, err)
	}
	done, err := tx.Exec(ctx, `UPDATE spending SET pending = pending + $1
		WHERE account = $2 AND period = $3 AND start = $4 AND ($5 OR posted + pending + $1 <= $6)`,
		int64(h.Amount), k.Account, string(k.Period), k.Start, l.Soft, int64(l.Most))
	if err != nil {
		return fmt.Errorf("reserve on %s: %w", k.Account, err)
	}
	if done.RowsAffected() == 0 {
		_, ends := k.Period.Window(h.At)
		return &budget.LimitError{Account: k.Account, Period: k.Period, Ends: ends}
	}
	if _, err := tx.Exec(ctx, "INSERT INTO hold VALUES ($1, $2, $3, $4, $5, $6)", node, h.Attempt, k.Account, string(k.Period), k.Start, int64(h.Amount)); err != nil {
		return fmt.Errorf("hold on %s: %w", k.Account, err)
	}
	return nil
}

// settleHolds posts what entries cost in the windows that they were reserved in.
func settleHolds(do *pgx.Batch, b *budget.Batch) {
	for i := range b.Entries {
		e := &b.Entries[i]
		windows := slices.Clone(e.Windows)
		for _, k := range windows {
			do.Queue(`UPDATE spending SET pending = pending - $1, posted = posted + $2, overrun = overrun + greatest($2 - $1, 0)
				WHERE account = $3 AND period = $4 AND start = $5`, int64(e.Reserved), int64(e.Amount), k.Account, string(k.Period), k.Start)
		}
		if len(windows) > 0 {
			do.Queue("DELETE FROM hold WHERE node = $1 AND attempt = $2", b.Node, e.Attempt)
		}
	}
}

// Sweep frees what is held by attempts that were never made.
func (d *DB) Sweep(ctx context.Context, node string, upTo int64) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE spending SET pending = pending - held.amount
			FROM (SELECT account, period, start, sum(amount)::bigint AS amount FROM hold WHERE node = $1 AND attempt <= $2 GROUP BY account, period, start) AS held
			WHERE spending.account = held.account AND spending.period = held.period AND spending.start = held.start`, node, upTo)
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM hold WHERE node = $1 AND attempt <= $2", node, upTo)
		}
		if err != nil {
			return fmt.Errorf("free what nobody holds: %w", err)
		}
		return nil
	})
}

// Windows lists how accounts stand.
func (d *DB) Windows(ctx context.Context) ([]budget.Window, error) { return windows(ctx, d.pool) }

type querier interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

func windows(ctx context.Context, q querier) ([]budget.Window, error) {
	rows, err := q.Query(ctx, "SELECT account, period, start, ceiling, soft, posted, pending, overrun FROM spending ORDER BY account, period, start")
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w budget.Window, err error) {
		err = row.Scan(&w.Account, &w.Period, &w.Start, &w.Limit, &w.Soft, &w.Posted, &w.Pending, &w.Overrun)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return found, nil
}
