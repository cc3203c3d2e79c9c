package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/budget"
)

// Mark is how far a gateway's journal is in the database.
func (d *DB) Mark(ctx context.Context, node string) (budget.Mark, error) {
	var m budget.Mark
	if err := d.prepare(ctx); err != nil {
		return m, err
	}
	err := d.pool.QueryRow(ctx, "SELECT file, off FROM mark WHERE node = $1", node).Scan(&m.File, &m.Offset)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return m, fmt.Errorf("read the mark: %w", err)
	}
	return m, nil
}

// Write adds a batch.
func (d *DB) Write(ctx context.Context, b *budget.Batch) error {
	return d.transact(ctx, func(ctx context.Context, tx pgx.Tx) error { return add(ctx, tx, b) })
}

func add(ctx context.Context, tx pgx.Tx, b *budget.Batch) error {
	var seq int64
	var chain []byte
	if err := tx.QueryRow(ctx, "SELECT seq, chain FROM chain_end FOR UPDATE").Scan(&seq, &chain); err != nil {
		return fmt.Errorf("find the end of the chain: %w", err)
	}
	var mark budget.Mark
	err := tx.QueryRow(ctx, "SELECT file, off FROM mark WHERE node = $1", b.Node).Scan(&mark.File, &mark.Offset)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("read the mark: %w", err)
	}
	if mark != b.From {
		return fmt.Errorf("got a batch from %v, want it from %v: %w", b.From, mark, budget.ErrMark)
	}
	var do pgx.Batch
	for _, l := range b.Lines {
		do.Queue("INSERT INTO line VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
			l.ID(), l.Provider, l.Model, l.Asked, l.Operation, l.Caller, l.Tag, l.Rates.Text(), l.Key, l.User, l.Team, l.Organisation)
	}
	for key, t := range budget.Totals(b.Entries) {
		do.Queue(`INSERT INTO usage VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (day, line, kind, flags) DO UPDATE SET
			attempts = usage.attempts + excluded.attempts, amount = usage.amount + excluded.amount,
			input = usage.input + excluded.input, output = usage.output + excluded.output`,
			key.Day, key.Line, int64(key.Kind), int64(key.Flags), t.Attempts, int64(t.Amount), t.Input, t.Output)
	}
	do.Queue("INSERT INTO mark VALUES ($1, $2, $3) ON CONFLICT (node) DO UPDATE SET file = excluded.file, off = excluded.off", b.Node, b.To.File, b.To.Offset)
	if err := tx.SendBatch(ctx, &do).Close(); err != nil {
		return fmt.Errorf("write lines and sums: %w", err)
	}
	if err := settleWindows(ctx, tx, b); err != nil {
		return err
	}
	return addEntries(ctx, tx, b, seq, chain)
}

func addEntries(ctx context.Context, tx pgx.Tx, b *budget.Batch, seq int64, chain []byte) error {
	if len(b.Entries) == 0 {
		return nil
	}
	h := sha256.New()
	h.Write(chain)
	columns := []string{"seq", "node", "attempt", "line", "at", "kind", "flags", "reserved", "amount", "input", "output", "body", "chain"}
	rows := make([][]any, len(b.Entries))
	for i := range b.Entries {
		seq++
		r := budget.RowOf(seq, &b.Entries[i])
		h.Write(r.Body)
		rows[i] = []any{
			r.Seq, b.Node, r.Attempt, r.Line, r.At, int64(r.Kind), int64(r.Flags), int64(r.Reserved), int64(r.Amount), r.Input, r.Output, r.Body, nil,
		}
	}
	chain = h.Sum(nil)
	rows[len(rows)-1][len(columns)-1] = chain
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"entry"}, columns, pgx.CopyFromRows(rows)); err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	if _, err := tx.Exec(ctx, "UPDATE chain_end SET seq = $1, chain = $2", seq, chain); err != nil {
		return fmt.Errorf("write the end of the chain: %w", err)
	}
	return nil
}
