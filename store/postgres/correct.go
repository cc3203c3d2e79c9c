package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/budget"
)

var _ budget.Corrector = (*DB)(nil)

// Find looks for an attempt. Only the body of an entry has the call's id, so all are looked at: it is asked for seldom.
func (d *DB) Find(ctx context.Context, call string, ordinal int64) (*budget.Found, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	rows, err := d.pool.Query(ctx, "SELECT node, body FROM entry WHERE position($1::bytea IN body) > 0", []byte(call))
	if err != nil {
		return nil, fmt.Errorf("look for the attempt: %w", err)
	}
	var f *budget.Found
	var node string
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&node, &body}, func() error {
		e, err := budget.ParseEntry(body)
		if err == nil && e.Call == call && e.Ordinal == ordinal {
			f = &budget.Found{Node: node, Entry: e, Cost: e.Amount, Kind: e.Kind}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for the attempt: %w", err)
	}
	if f == nil {
		return nil, budget.ErrNoAttempt
	}
	last, err := lastCorrection(ctx, d.pool, node, f.Entry.Attempt)
	if err == nil && last != nil {
		f.Cost, f.Kind = last.Cost, budget.Posted
	}
	return f, err
}

// one is what a single row can be asked of.
type one interface {
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// lastCorrection is the latest of an attempt; nil if it has none.
func lastCorrection(ctx context.Context, q one, node string, attempt int64) (*budget.Correction, error) {
	var body []byte
	err := q.QueryRow(ctx, "SELECT body FROM correction WHERE node = $1 AND attempt = $2 ORDER BY seq DESC LIMIT 1", node, attempt).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	return budget.ParseCorrection(body)
}

// Correct adds a correction.
func (d *DB) Correct(ctx context.Context, c *budget.Correction) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error { return correct(ctx, tx, c) })
}

func correct(ctx context.Context, tx pgx.Tx, c *budget.Correction) error {
	// As whoever writes entries does, so that one comes after the other.
	if _, err := tx.Exec(ctx, "SELECT seq FROM chain_end FOR UPDATE"); err != nil {
		return fmt.Errorf("find the end of the chain: %w", err)
	}
	var was budget.Money
	if err := tx.QueryRow(ctx, "SELECT amount FROM entry WHERE node = $1 AND attempt = $2", c.Node, c.Attempt).Scan(&was); err != nil {
		return fmt.Errorf("look for the attempt: %w", err)
	}
	before, err := lastCorrection(ctx, tx, c.Node, c.Attempt)
	if err != nil {
		return err
	}
	if before != nil {
		was = before.Cost
	}
	if was != c.Was {
		return budget.ErrCorrected
	}
	var last budget.CorrectionRow
	err = tx.QueryRow(ctx, "SELECT seq, chain FROM correction ORDER BY seq DESC LIMIT 1").Scan(&last.Seq, &last.Chain)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read corrections: %w", err)
	}
	r := budget.NextCorrection(last, c)
	if _, err := tx.Exec(ctx, "INSERT INTO correction VALUES ($1, $2, $3, $4, $5)", r.Seq, c.Node, c.Attempt, r.Body, r.Chain); err != nil {
		return fmt.Errorf("write the correction: %w", err)
	}
	for _, k := range c.Windows {
		done, err := tx.Exec(ctx, "UPDATE spending SET posted = posted + $1, overrun = overrun + greatest($1, 0) WHERE account = $2 AND period = $3 AND start = $4",
			int64(c.Change()), k.Account, string(k.Period), k.Start)
		if err != nil {
			return fmt.Errorf("correct what %s has spent: %w", k.Account, err)
		}
		if n := done.RowsAffected(); n != 1 {
			return fmt.Errorf("correct what %s has spent: got %d windows, want one", k.Account, n)
		}
	}
	return nil
}

// Corrections lists what operators have corrected.
func (r *Reader) Corrections(ctx context.Context) ([]budget.CorrectionRow, error) {
	rows, err := r.tx.Query(ctx, "SELECT seq, body, chain FROM correction ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c budget.CorrectionRow, err error) {
		err = row.Scan(&c.Seq, &c.Body, &c.Chain)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	return found, nil
}
