package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/understudy-ai/understudy/budget"
)

// Reader reads a database that gateways may be writing, as it was at one moment. Close it.
type Reader struct {
	tx   pgx.Tx
	pool *pgxpool.Pool
}

// Read begins to read.
func (d *DB) Read(ctx context.Context) (*Reader, error) {
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	tx, err := d.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return &Reader{tx, d.pool}, nil
}

// Close ends reading.
func (r *Reader) Close(ctx context.Context) error {
	if err := r.tx.Rollback(ctx); err != nil {
		return fmt.Errorf("end reading the ledger: %w", err)
	}
	return nil
}

// Last is the place of the last entry.
func (r *Reader) Last(ctx context.Context) (last int64, err error) {
	if err := r.tx.QueryRow(ctx, "SELECT coalesce(max(seq), 0) FROM entry").Scan(&last); err != nil {
		return 0, fmt.Errorf("find the last entry: %w", err)
	}
	return last, nil
}

// Link is the first link of the chain at or behind a place.
func (r *Reader) Link(ctx context.Context, from int64) (at int64, chain []byte, err error) {
	err = r.tx.QueryRow(ctx, "SELECT seq, chain FROM entry WHERE seq >= $1 AND chain IS NOT NULL ORDER BY seq LIMIT 1", from).Scan(&at, &chain)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, fmt.Errorf("find a link of the chain: %w", err)
	}
	return at, chain, nil
}

// Rows calls f for entries in the order in which they were written. It reads on a connection of its own: entries never change,
// and so they are the same at any moment.
func (r *Reader) Rows(ctx context.Context, behind, upTo int64, f func(*budget.Row) error) error {
	rows, err := r.pool.Query(ctx, `SELECT node, seq, attempt, line, at, kind, flags, reserved, amount, input, output, body, chain FROM entry
		WHERE seq > $1 AND seq <= $2 ORDER BY seq`, behind, upTo)
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	var e budget.Row
	_, err = pgx.ForEachRow(rows, []any{
		&e.Node, &e.Seq, &e.Attempt, &e.Line, &e.At, &e.Kind, &e.Flags, &e.Reserved, &e.Amount, &e.Input, &e.Output, &e.Body, &e.Chain,
	}, func() error { return f(&e) })
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	return nil
}

// Lines lists what entries have in common, by id.
func (r *Reader) Lines(ctx context.Context) (map[int64]*budget.Line, error) {
	rows, err := r.tx.Query(ctx, "SELECT id, provider, model, asked, operation, caller, tag, rates, key_id, user_name, team, organisation FROM line")
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	found := map[int64]*budget.Line{}
	var id int64
	var l budget.Line
	var rates string
	_, err = pgx.ForEachRow(rows, []any{&id, &l.Provider, &l.Model, &l.Asked, &l.Operation, &l.Caller, &l.Tag, &rates, &l.Key, &l.User, &l.Team, &l.Organisation}, func() error {
		var err error
		if l.Rates, err = budget.ParseRates(rates); err != nil {
			return err
		}
		line := budget.NewLine(l)
		if line.ID() != id {
			return fmt.Errorf("line %d was changed: what it holds has the id %d", id, line.ID())
		}
		found[id] = line
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	return found, nil
}

// Totals lists the sums that reports are made of.
func (r *Reader) Totals(ctx context.Context, from, to int64) ([]budget.Total, error) {
	lines, err := r.Lines(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := r.tx.Query(ctx, "SELECT day, line, kind, flags, attempts, amount, input, output FROM usage WHERE day BETWEEN $1 AND $2", from, to)
	if err != nil {
		return nil, fmt.Errorf("read sums: %w", err)
	}
	var found []budget.Total
	var t budget.Total
	var line int64
	_, err = pgx.ForEachRow(rows, []any{&t.Day, &line, &t.Kind, &t.Flags, &t.Attempts, &t.Amount, &t.Input, &t.Output}, func() error {
		if t.Line = lines[line]; t.Line == nil {
			return errors.New("a line is missing")
		}
		found = append(found, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read sums: %w", err)
	}
	return found, nil
}

// Holds lists how accounts stand, and what is held in their windows.
func (r *Reader) Holds(ctx context.Context) ([]budget.Window, map[budget.Key]budget.Money, error) {
	all, err := windows(ctx, r.tx)
	if err != nil {
		return nil, nil, err
	}
	rows, err := r.tx.Query(ctx, `SELECT account, period, start, sum(amount)::bigint FROM (
		SELECT account, period, start, amount FROM hold UNION ALL SELECT account, period, start, amount FROM lease
	) AS part GROUP BY account, period, start`)
	if err != nil {
		return nil, nil, fmt.Errorf("read holds: %w", err)
	}
	held := map[budget.Key]budget.Money{}
	var k budget.Key
	var m budget.Money
	_, err = pgx.ForEachRow(rows, []any{&k.Account, &k.Period, &k.Start, &m}, func() error {
		held[k] = m
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read holds: %w", err)
	}
	return all, held, nil
}
