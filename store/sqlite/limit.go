package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/understudy-ai/understudy/budget"
)

// Limits lists the limits that are kept.
func (d *DB) Limits(ctx context.Context) (limits []budget.Limit, err error) {
	rows, err := d.db.QueryContext(ctx, "SELECT account, period, most, soft, strict FROM spending_limit ORDER BY account, period")
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var l budget.Limit
		if err := rows.Scan(&l.Account, &l.Period, &l.Most, &l.Soft, &l.Strict); err != nil {
			return nil, fmt.Errorf("read limits: %w", err)
		}
		limits = append(limits, l)
	}
	return limits, rows.Err()
}

// PutLimit keeps a limit.
func (d *DB) PutLimit(ctx context.Context, l budget.Limit) error {
	return d.change(ctx, `INSERT INTO spending_limit (account, period, most, soft, strict) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET most = excluded.most, soft = excluded.soft, strict = excluded.strict`,
		l.Account, string(l.Period), int64(l.Most), l.Soft, l.Strict)
}

// DropLimit forgets a limit.
func (d *DB) DropLimit(ctx context.Context, account string, p budget.Period) error {
	return d.change(ctx, "DELETE FROM spending_limit WHERE account = ? AND period = ?", account, string(p))
}

func (d *DB) change(ctx context.Context, statement string, args ...any) error {
	return d.record(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return fmt.Errorf("write to the ledger's store: %w", err)
		}
		return nil
	})
}

// Hold reserves in the windows of limits.
func (d *DB) Hold(ctx context.Context, _ string, h budget.Hold) (keys []budget.Key, err error) {
	err = d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, l := range h.Limits {
			k := l.Key(h.At)
			if slices.Contains(keys, k) {
				continue
			}
			if err := reserve(ctx, tx, k, l, h); err != nil {
				return err
			}
			keys = append(keys, k)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// openWindow makes a window, or notes that its limit is another.
func openWindow(ctx context.Context, tx *sql.Tx, k budget.Key, most budget.Money, soft bool) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO spending (account, period, start, ceiling, soft) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET ceiling = max(ceiling, excluded.ceiling), soft = max(soft, excluded.soft)`,
		k.Account, string(k.Period), k.Start, int64(most), soft)
	if err != nil {
		return fmt.Errorf("open a window of %s: %w", k.Account, err)
	}
	return nil
}

// reserve adds to what is pending in a window, if its limit allows it.
func reserve(ctx context.Context, tx *sql.Tx, k budget.Key, l budget.Limit, h budget.Hold) error {
	if err := openWindow(ctx, tx, k, l.Most, l.Soft); err != nil {
		return err
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
		return k.Refusal()
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO hold VALUES (?, ?, ?, ?, ?)", h.Attempt, k.Account, string(k.Period), k.Start, int64(h.Amount)); err != nil {
		return fmt.Errorf("hold on %s: %w", k.Account, err)
	}
	return nil
}

// Draw adds to what is leased of windows.
func (d *DB) Draw(ctx context.Context, l budget.Lease, draws []budget.Draw) (got []budget.Money, err error) {
	err = d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for i := range draws {
			draw := &draws[i]
			if err := openWindow(ctx, tx, draw.Key, draw.Most, false); err != nil {
				return err
			}
			var used budget.Money
			err := tx.QueryRowContext(ctx, "SELECT posted + pending FROM spending WHERE account = ? AND period = ? AND start = ?",
				draw.Account, string(draw.Period), draw.Start).Scan(&used)
			if err != nil {
				return fmt.Errorf("read what %s has left: %w", draw.Account, err)
			}
			amount, ok := draw.Grant(draw.Most - used)
			if !ok {
				return draw.Refusal()
			}
			if err := lease(ctx, tx, l, draw.Key, amount); err != nil {
				return err
			}
			got = append(got, amount)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// lease adds to a lease, and so to what is pending.
func lease(ctx context.Context, tx *sql.Tx, l budget.Lease, k budget.Key, amount budget.Money) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO lease VALUES (?, ?, ?, ?, ?5) ON CONFLICT DO UPDATE SET amount = amount + ?5",
		l.Since, k.Account, string(k.Period), k.Start, int64(amount))
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE spending SET pending = pending + ? WHERE account = ? AND period = ? AND start = ?",
			int64(amount), k.Account, string(k.Period), k.Start)
	}
	if err != nil {
		return fmt.Errorf("lease of %s: %w", k.Account, err)
	}
	return nil
}

// Return gives back of what was leased.
func (d *DB) Return(ctx context.Context, l budget.Lease, what map[budget.Key]budget.Money) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for k, amount := range what {
			if err := unlease(ctx, tx, l, k, amount); err != nil {
				return err
			}
		}
		return nil
	})
}

// unlease takes from a lease that has so much, and so from what is pending.
func unlease(ctx context.Context, tx *sql.Tx, l budget.Lease, k budget.Key, amount budget.Money) error {
	done, err := tx.ExecContext(ctx, "UPDATE lease SET amount = amount - ?1 WHERE since = ? AND account = ? AND period = ? AND start = ? AND amount >= ?1",
		int64(amount), l.Since, k.Account, string(k.Period), k.Start)
	var had int64
	if err == nil {
		had, err = done.RowsAffected()
	}
	if err == nil && had > 0 {
		_, err = tx.ExecContext(ctx, "UPDATE spending SET pending = pending - ? WHERE account = ? AND period = ? AND start = ?",
			int64(amount), k.Account, string(k.Period), k.Start)
	}
	if err != nil {
		return fmt.Errorf("give back of %s: %w", k.Account, err)
	}
	return nil
}

// settleWindows posts what entries cost in the windows that they were reserved in.
func settleWindows(ctx context.Context, tx *sql.Tx, entries []budget.Entry) error {
	if !slices.ContainsFunc(entries, func(e budget.Entry) bool { return len(e.Windows) > 0 }) {
		return nil
	}
	held := map[int64][]budget.Key{}
	for i := range entries {
		if e := &entries[i]; len(e.Windows) > 0 {
			if err := settleHolds(ctx, tx, e, held); err != nil {
				return err
			}
		}
	}
	leases, err := leasesOf(ctx, tx)
	if err != nil {
		return err
	}
	spent, err := budget.SpentOf(entries, leases, func(n int64, k budget.Key) bool { return slices.Contains(held[n], k) })
	if err != nil {
		return err
	}
	for i := range spent {
		if err := settleLease(ctx, tx, &spent[i]); err != nil {
			return err
		}
	}
	return nil
}

// settleHolds posts what an entry cost where it held something itself.
func settleHolds(ctx context.Context, tx *sql.Tx, e *budget.Entry, held map[int64][]budget.Key) error {
	rows, err := tx.QueryContext(ctx, "DELETE FROM hold WHERE attempt = ? RETURNING account, period, start", e.Attempt)
	if err != nil {
		return fmt.Errorf("let go of holds: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var k budget.Key
		if err := rows.Scan(&k.Account, &k.Period, &k.Start); err != nil {
			return fmt.Errorf("let go of holds: %w", err)
		}
		held[e.Attempt] = append(held[e.Attempt], k)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("let go of holds: %w", err)
	}
	for _, k := range held[e.Attempt] {
		_, err := tx.ExecContext(ctx, `UPDATE spending SET pending = pending - ?1, posted = posted + ?2, overrun = overrun + max(?2 - ?1, 0)
			WHERE account = ?3 AND period = ?4 AND start = ?5`, int64(e.Reserved), int64(e.Amount), k.Account, string(k.Period), k.Start)
		if err != nil {
			return fmt.Errorf("post to %s: %w", k.Account, err)
		}
	}
	return nil
}

// settleLease posts what was spent out of a lease.
func settleLease(ctx context.Context, tx *sql.Tx, s *budget.Spent) error {
	var left budget.Money
	err := tx.QueryRowContext(ctx, "SELECT amount FROM lease WHERE since = ? AND account = ? AND period = ? AND start = ?",
		s.Since, s.Account, string(s.Period), s.Start).Scan(&left)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the lease of %s: %w", s.Account, err)
	}
	take, uncovered := s.Take(left)
	if err := openWindow(ctx, tx, s.Key, 0, uncovered); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE spending SET pending = pending - ?, posted = posted + ?, overrun = overrun + ?
		WHERE account = ? AND period = ? AND start = ?`, int64(take), int64(s.Amount), int64(s.Overrun), s.Account, string(s.Period), s.Start)
	if err == nil && take > 0 {
		_, err = tx.ExecContext(ctx, "UPDATE lease SET amount = amount - ? WHERE since = ? AND account = ? AND period = ? AND start = ?",
			int64(take), s.Since, s.Account, string(s.Period), s.Start)
	}
	if err != nil {
		return fmt.Errorf("post to %s: %w", s.Account, err)
	}
	return nil
}

func leasesOf(ctx context.Context, tx *sql.Tx) (leases []int64, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT DISTINCT since FROM lease ORDER BY since")
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var since int64
		if err := rows.Scan(&since); err != nil {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		leases = append(leases, since)
	}
	return leases, rows.Err()
}

// Sweep frees what is held and leased by attempts that are over, or were never made.
func (d *DB) Sweep(ctx context.Context, _ string, upTo int64) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE spending SET pending = pending - held.amount
			FROM (SELECT account, period, start, sum(amount) AS amount FROM (
				SELECT account, period, start, amount FROM hold WHERE attempt <= ?1
				UNION ALL SELECT account, period, start, amount FROM lease WHERE since <= ?1
			) GROUP BY account, period, start) AS held
			WHERE spending.account = held.account AND spending.period = held.period AND spending.start = held.start`, upTo)
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM hold WHERE attempt <= ?", upTo)
		}
		if err == nil {
			_, err = tx.ExecContext(ctx, "DELETE FROM lease WHERE since <= ?", upTo)
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
