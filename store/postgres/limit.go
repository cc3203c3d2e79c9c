package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/budget"
)

// Limits lists the limits that are kept.
func (d *DB) Limits(ctx context.Context) ([]budget.Limit, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := d.pool.Query(ctx, "SELECT account, period, most, soft, strict FROM spending_limit ORDER BY account, period")
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	limits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l budget.Limit, err error) {
		err = row.Scan(&l.Account, &l.Period, &l.Most, &l.Soft, &l.Strict)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	return limits, nil
}

// PutLimit keeps a limit.
func (d *DB) PutLimit(ctx context.Context, l budget.Limit) error {
	return d.change(ctx, `INSERT INTO spending_limit (account, period, most, soft, strict) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, period) DO UPDATE SET most = excluded.most, soft = excluded.soft, strict = excluded.strict`,
		l.Account, string(l.Period), int64(l.Most), l.Soft, l.Strict)
}

// DropLimit forgets a limit.
func (d *DB) DropLimit(ctx context.Context, account string, p budget.Period) error {
	return d.change(ctx, "DELETE FROM spending_limit WHERE account = $1 AND period = $2", account, string(p))
}

func (d *DB) change(ctx context.Context, statement string, args ...any) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.record(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement, args...); err != nil {
			return fmt.Errorf("write to the ledger's store: %w", err)
		}
		return nil
	})
}

// Hold reserves in the windows of limits.
func (d *DB) Hold(ctx context.Context, node string, h budget.Hold) ([]budget.Key, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	limits := map[budget.Key]budget.Limit{}
	for _, l := range h.Limits {
		limits[l.Key(h.At)] = l
	}
	keys := slices.SortedFunc(maps.Keys(limits), budget.Key.Compare) // in one order for all, so that none wait for each other
	err := d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, k := range keys {
			if err := reserve(ctx, tx, node, k, limits[k], h); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// openWindow makes a window, or notes that its limit is another.
func openWindow(ctx context.Context, tx pgx.Tx, k budget.Key, most budget.Money, soft bool) error {
	_, err := tx.Exec(ctx, `INSERT INTO spending (account, period, start, ceiling, soft) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, period, start) DO UPDATE SET ceiling = greatest(spending.ceiling, excluded.ceiling), soft = spending.soft OR excluded.soft`,
		k.Account, string(k.Period), k.Start, int64(most), soft)
	if err != nil {
		return fmt.Errorf("open a window of %s: %w", k.Account, err)
	}
	return nil
}

// reserve adds to what is pending in a window, if its limit allows it, in one statement: all that want something of the
// window wait for its row meanwhile.
func reserve(ctx context.Context, tx pgx.Tx, node string, k budget.Key, l budget.Limit, h budget.Hold) error {
	done, err := tx.Exec(ctx, `WITH taken AS (
			INSERT INTO spending (account, period, start, ceiling, soft, pending)
			SELECT $1::text, $2::text, $3::bigint, $4::bigint, $5::boolean, $6::bigint WHERE $5 OR $6 <= $4
			ON CONFLICT (account, period, start) DO UPDATE SET
				ceiling = greatest(spending.ceiling, excluded.ceiling), soft = spending.soft OR excluded.soft, pending = spending.pending + excluded.pending
			WHERE $5 OR spending.posted + spending.pending + $6 <= $4
			RETURNING 1
		) INSERT INTO hold SELECT $7::text, $8::bigint, $1, $2, $3, $6 FROM taken`,
		k.Account, string(k.Period), k.Start, int64(l.Most), l.Soft, int64(h.Amount), node, h.Attempt)
	if err != nil {
		return fmt.Errorf("reserve on %s: %w", k.Account, err)
	}
	if done.RowsAffected() == 0 {
		return k.Refusal()
	}
	return nil
}

// Draw adds to what is leased of windows.
func (d *DB) Draw(ctx context.Context, l budget.Lease, draws []budget.Draw) ([]budget.Money, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	var got []budget.Money
	err := d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		got = nil
		for i := range draws {
			draw := &draws[i]
			if err := openWindow(ctx, tx, draw.Key, draw.Most, false); err != nil { // which locks it, too
				return err
			}
			var used budget.Money
			err := tx.QueryRow(ctx, "SELECT posted + pending FROM spending WHERE account = $1 AND period = $2 AND start = $3",
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
func lease(ctx context.Context, tx pgx.Tx, l budget.Lease, k budget.Key, amount budget.Money) error {
	_, err := tx.Exec(ctx, "UPDATE spending SET pending = pending + $1 WHERE account = $2 AND period = $3 AND start = $4",
		int64(amount), k.Account, string(k.Period), k.Start)
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO lease VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (node, since, account, period, start) DO UPDATE SET amount = lease.amount + excluded.amount`,
			l.Node, l.Since, k.Account, string(k.Period), k.Start, int64(amount))
	}
	if err != nil {
		return fmt.Errorf("lease of %s: %w", k.Account, err)
	}
	return nil
}

// Return gives back of what was leased.
func (d *DB) Return(ctx context.Context, l budget.Lease, what map[budget.Key]budget.Money) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		for _, k := range slices.SortedFunc(maps.Keys(what), budget.Key.Compare) {
			if err := unlease(ctx, tx, l, k, what[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

// unlease takes from a lease that has so much, and so from what is pending. The window is locked before the lease, as in Draw.
func unlease(ctx context.Context, tx pgx.Tx, l budget.Lease, k budget.Key, amount budget.Money) error {
	_, err := tx.Exec(ctx, "SELECT 1 FROM spending WHERE account = $1 AND period = $2 AND start = $3 FOR UPDATE", k.Account, string(k.Period), k.Start)
	if err == nil {
		_, err = tx.Exec(ctx, `WITH given AS (
				UPDATE lease SET amount = amount - $1 WHERE node = $2 AND since = $3 AND account = $4 AND period = $5 AND start = $6 AND amount >= $1 RETURNING 1
			) UPDATE spending SET pending = pending - $1 FROM given WHERE account = $4 AND period = $5 AND start = $6`,
			int64(amount), l.Node, l.Since, k.Account, string(k.Period), k.Start)
	}
	if err != nil {
		return fmt.Errorf("give back of %s: %w", k.Account, err)
	}
	return nil
}

// settleWindows posts what entries cost in the windows that they were reserved in.
func settleWindows(ctx context.Context, tx pgx.Tx, b *budget.Batch) error {
	byAttempt := map[int64]*budget.Entry{}
	var attempts []int64
	for i := range b.Entries {
		if e := &b.Entries[i]; len(e.Windows) > 0 {
			byAttempt[e.Attempt] = e
			attempts = append(attempts, e.Attempt)
		}
	}
	if len(attempts) == 0 {
		return nil
	}
	held, err := settleHolds(ctx, tx, b.Node, attempts, byAttempt)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT DISTINCT since FROM lease WHERE node = $1 ORDER BY since", b.Node)
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	leases, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	spent, err := budget.SpentOf(b.Entries, leases, func(n int64, k budget.Key) bool { return held[holding{n, k}] })
	if err != nil {
		return err
	}
	for i := range spent {
		if err := settleLease(ctx, tx, b.Node, &spent[i]); err != nil {
			return err
		}
	}
	return nil
}

// holding is a window in which an attempt holds something itself.
type holding struct {
	attempt int64
	key     budget.Key
}

// settleHolds posts what entries cost where they held something themselves.
func settleHolds(ctx context.Context, tx pgx.Tx, node string, attempts []int64, entries map[int64]*budget.Entry) (map[holding]bool, error) {
	rows, err := tx.Query(ctx, "DELETE FROM hold WHERE node = $1 AND attempt = ANY($2) RETURNING attempt, account, period, start", node, attempts)
	if err != nil {
		return nil, fmt.Errorf("let go of holds: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h holding, err error) {
		err = row.Scan(&h.attempt, &h.key.Account, &h.key.Period, &h.key.Start)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("let go of holds: %w", err)
	}
	slices.SortFunc(found, func(a, b holding) int { return a.key.Compare(b.key) })
	held := make(map[holding]bool, len(found))
	var do pgx.Batch
	for _, h := range found {
		held[h] = true
		e := entries[h.attempt]
		do.Queue(`UPDATE spending SET pending = pending - $1, posted = posted + $2, overrun = overrun + greatest($2::bigint - $1::bigint, 0)
			WHERE account = $3 AND period = $4 AND start = $5`, int64(e.Reserved), int64(e.Amount), h.key.Account, string(h.key.Period), h.key.Start)
	}
	if err := tx.SendBatch(ctx, &do).Close(); err != nil {
		return nil, fmt.Errorf("post to accounts: %w", err)
	}
	return held, nil
}

// settleLease posts what was spent out of a lease. The window is locked before the lease, as in Draw.
func settleLease(ctx context.Context, tx pgx.Tx, node string, s *budget.Spent) error {
	if err := openWindow(ctx, tx, s.Key, 0, false); err != nil {
		return err
	}
	var left budget.Money
	err := tx.QueryRow(ctx, "SELECT amount FROM lease WHERE node = $1 AND since = $2 AND account = $3 AND period = $4 AND start = $5",
		node, s.Since, s.Account, string(s.Period), s.Start).Scan(&left)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read the lease of %s: %w", s.Account, err)
	}
	take, uncovered := s.Take(left)
	_, err = tx.Exec(ctx, `UPDATE spending SET pending = pending - $1, posted = posted + $2, overrun = overrun + $3, soft = soft OR $4
		WHERE account = $5 AND period = $6 AND start = $7`,
		int64(take), int64(s.Amount), int64(s.Overrun), uncovered, s.Account, string(s.Period), s.Start)
	if err == nil && take > 0 {
		_, err = tx.Exec(ctx, "UPDATE lease SET amount = amount - $1 WHERE node = $2 AND since = $3 AND account = $4 AND period = $5 AND start = $6",
			int64(take), node, s.Since, s.Account, string(s.Period), s.Start)
	}
	if err != nil {
		return fmt.Errorf("post to %s: %w", s.Account, err)
	}
	return nil
}

// Sweep frees what is held and leased by attempts that are over, or were never made.
func (d *DB) Sweep(ctx context.Context, node string, upTo int64) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE spending SET pending = pending - held.amount
			FROM (SELECT account, period, start, sum(amount)::bigint AS amount FROM (
				SELECT account, period, start, amount FROM hold WHERE node = $1 AND attempt <= $2
				UNION ALL SELECT account, period, start, amount FROM lease WHERE node = $1 AND since <= $2
			) AS part GROUP BY account, period, start) AS held
			WHERE spending.account = held.account AND spending.period = held.period AND spending.start = held.start`, node, upTo)
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM hold WHERE node = $1 AND attempt <= $2", node, upTo)
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM lease WHERE node = $1 AND since <= $2", node, upTo)
		}
		if err != nil {
			return fmt.Errorf("free what nobody holds: %w", err)
		}
		return nil
	})
}

// Windows lists how accounts stand.
func (d *DB) Windows(ctx context.Context) ([]budget.Window, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	return windows(ctx, d.pool)
}

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
