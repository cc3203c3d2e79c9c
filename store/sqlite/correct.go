package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/budget"
)

var _ budget.Corrector = (*DB)(nil)

// withCorrections is the first schema that has any.
const withCorrections = 4

// Find looks for an attempt. Only the body of an entry has the call's id, so all are looked at: it is asked for seldom.
func (d *DB) Find(ctx context.Context, call string, ordinal int64) (*budget.Found, error) {
	e, err := find(ctx, d.db, call, ordinal)
	if err != nil {
		return nil, err
	}
	f := &budget.Found{Entry: *e, Cost: e.Amount, Kind: e.Kind}
	last, err := lastCorrection(ctx, d.db, e.Attempt)
	if err == nil && last != nil {
		f.Cost, f.Kind = last.Cost, budget.Posted
	}
	return f, err
}

func find(ctx context.Context, q querier, call string, ordinal int64) (*budget.Entry, error) {
	rows, err := q.QueryContext(ctx, "SELECT body FROM entry WHERE instr(body, ?) > 0", []byte(call))
	if err != nil {
		return nil, fmt.Errorf("look for the attempt: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("look for the attempt: %w", err)
		}
		e, err := budget.ParseEntry(body)
		if err != nil {
			return nil, err
		}
		if e.Call == call && e.Ordinal == ordinal {
			return &e, nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for the attempt: %w", err)
	}
	return nil, budget.ErrNoAttempt
}

// one is what a single row can be asked of.
type one interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// lastCorrection is the latest of an attempt; nil if it has none.
func lastCorrection(ctx context.Context, q one, attempt int64) (*budget.Correction, error) {
	var body []byte
	err := q.QueryRowContext(ctx, "SELECT body FROM correction WHERE attempt = ? ORDER BY seq DESC LIMIT 1", attempt).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	return budget.ParseCorrection(body)
}

// Correct adds a correction.
func (d *DB) Correct(ctx context.Context, c *budget.Correction) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error { return correct(ctx, tx, c) })
}

func correct(ctx context.Context, tx *sql.Tx, c *budget.Correction) error {
	var was budget.Money
	err := tx.QueryRowContext(ctx, "SELECT amount FROM entry WHERE attempt = ?", c.Attempt).Scan(&was)
	if err != nil {
		return fmt.Errorf("look for the attempt: %w", err)
	}
	before, err := lastCorrection(ctx, tx, c.Attempt)
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
	err = tx.QueryRowContext(ctx, "SELECT seq, chain FROM correction ORDER BY seq DESC LIMIT 1").Scan(&last.Seq, &last.Chain)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read corrections: %w", err)
	}
	r := budget.NextCorrection(last, c)
	if _, err := tx.ExecContext(ctx, "INSERT INTO correction VALUES (?, ?, ?, ?)", r.Seq, c.Attempt, r.Body, r.Chain); err != nil {
		return fmt.Errorf("write the correction: %w", err)
	}
	for _, k := range c.Windows {
		done, err := tx.ExecContext(ctx, "UPDATE spending SET posted = posted + ?1, overrun = overrun + max(?1, 0) WHERE account = ?2 AND period = ?3 AND start = ?4",
			int64(c.Change()), k.Account, string(k.Period), k.Start)
		if err != nil {
			return fmt.Errorf("correct what %s has spent: %w", k.Account, err)
		}
		if n, err := done.RowsAffected(); err != nil {
			return fmt.Errorf("correct what %s has spent: %w", k.Account, err)
		} else if n != 1 {
			return fmt.Errorf("correct what %s has spent: got %d windows, want one", k.Account, n)
		}
	}
	return nil
}

// Corrections lists what operators have corrected.
func (r *Reader) Corrections(ctx context.Context) (found []budget.CorrectionRow, err error) {
	if r.version < withCorrections { // there were none yet
		return nil, nil
	}
	rows, err := r.tx.QueryContext(ctx, "SELECT seq, body, chain FROM correction ORDER BY seq")
	if err != nil {
		return nil, fmt.Errorf("read corrections: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	for rows.Next() {
		var c budget.CorrectionRow
		if err := rows.Scan(&c.Seq, &c.Body, &c.Chain); err != nil {
			return nil, fmt.Errorf("read corrections: %w", err)
		}
		found = append(found, c)
	}
	return found, rows.Err()
}
