package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/budget"
)

// job is something to do in the writer's next transaction; what it did is undone if it fails.
type job struct {
	do   func(ctx context.Context, tx *sql.Tx) error
	done chan error
}

// maxJobs is how many jobs may be in one transaction.
const maxJobs = 512

// errClosed is a database that takes no more.
var errClosed = errors.New("the ledger is closed")

// perform does a job in the writer's next transaction, and returns when that is durable.
func (d *DB) perform(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	j := &job{do: do, done: make(chan error, 1)}
	select {
	case d.jobs <- j:
	case <-d.stop:
		return errClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-j.done:
		return err
	case <-d.stop:
		return errClosed
	}
}

// write performs jobs, those that have come together in one transaction, until the database is closed.
func (d *DB) write() {
	for {
		select {
		case j := <-d.jobs:
			group := append(make([]*job, 0, 1), j)
			for len(group) < maxJobs && len(d.jobs) > 0 {
				group = append(group, <-d.jobs)
			}
			d.transact(group)
		case <-d.stop:
			return
		}
	}
}

// writeLimit bounds a transaction.
const writeLimit = 30 * time.Second

func (d *DB) transact(group []*job) {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	before := d.last
	errs, err := d.transaction(ctx, group)
	if err != nil {
		d.last = before
		clear(d.lines) // some were perhaps only in this transaction
	}
	for i, j := range group {
		if err != nil {
			j.done <- err
		} else {
			j.done <- errs[i]
		}
	}
}

func (d *DB) transaction(ctx context.Context, group []*job) ([]error, error) {
	tx, err := d.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it is committed, or the error tells of more
	errs := make([]error, len(group))
	for i, j := range group {
		before := d.last
		if len(group) == 1 { // undoing it is undoing the transaction; a savepoint has its price
			if err := j.do(ctx, tx); err != nil {
				return nil, err
			}
			break
		}
		if _, err := tx.ExecContext(ctx, "SAVEPOINT job"); err != nil {
			return nil, err
		}
		if errs[i] = j.do(ctx, tx); errs[i] != nil {
			d.last = before
			clear(d.lines)
			if _, err := tx.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
				return nil, err
			}
		}
		if _, err := tx.ExecContext(ctx, "RELEASE job"); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return errs, nil
}

// link is where the chain ends.
type link struct {
	seq   int64
	chain []byte
}

func lastLink(ctx context.Context, q *sql.Conn) (link, error) {
	var l link
	err := q.QueryRowContext(ctx, "SELECT seq, chain FROM entry ORDER BY seq DESC LIMIT 1").Scan(&l.seq, &l.chain)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return link{}, err
	}
	return l, nil
}

// Mark is how far a gateway's journal is in the database.
func (d *DB) Mark(ctx context.Context, node string) (budget.Mark, error) {
	return markOf(ctx, d.db, node)
}

func markOf(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, node string,
) (budget.Mark, error) {
	var m budget.Mark
	err := q.QueryRowContext(ctx, "SELECT file, off FROM mark WHERE node = ?", node).Scan(&m.File, &m.Offset)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("read the mark: %w", err)
	}
	return m, nil
}

// Write adds a batch.
func (d *DB) Write(ctx context.Context, b *budget.Batch) error {
	return d.perform(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.add(ctx, tx, b) })
}

func (d *DB) add(ctx context.Context, tx *sql.Tx, b *budget.Batch) error {
	mark, err := markOf(ctx, tx, b.Node)
	if err != nil {
		return err
	}
	if mark != b.From {
		return fmt.Errorf("got a batch from %v, want it from %v: %w", b.From, mark, budget.ErrMark)
	}
	for _, l := range b.Lines {
		if d.lines[l.ID()] {
			continue
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			l.ID(), l.Provider, l.Model, l.Asked, l.Operation, l.Caller, l.Tag, l.Rates.Text(), l.Key, l.User, l.Team, l.Organisation); err != nil {
			return fmt.Errorf("write a line: %w", err)
		}
		d.lines[l.ID()] = true
	}
	if err := d.addEntries(ctx, b.Entries); err != nil {
		return err
	}
	if err := addTotals(ctx, tx, b.Entries); err != nil {
		return err
	}
	if err := settleWindows(ctx, tx, b.Entries); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO mark VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET file = excluded.file, off = excluded.off",
		b.Node, b.To.File, b.To.Offset)
	if err != nil {
		return fmt.Errorf("write the mark: %w", err)
	}
	return nil
}

// rowsAtOnce is how many rows one statement inserts: it halves what a row costs.
const rowsAtOnce = 32

// columns of an entry, but for its link of the chain.
const columns = 11

// insertion is a statement that adds entries, with what there is for the chain in the last of them.
func insertion(rows int, chain string) string {
	one := "(" + strings.Repeat("?,", columns)
	return "INSERT INTO entry VALUES " + strings.Repeat(one+"NULL),", rows-1) + one + chain + ")"
}

// driverConn is what a connection of SQLite's driver can do.
type driverConn interface {
	driver.ConnPrepareContext
	driver.ExecerContext
}

// addEntries asks the driver itself: what database/sql does about an argument costs as much as what SQLite does.
func (d *DB) addEntries(ctx context.Context, entries []budget.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	err := d.conn.Raw(func(conn any) error {
		if err := ctx.Err(); err != nil { // the transaction may be over; while this runs nothing ends it
			return err
		}
		return d.insert(context.WithoutCancel(ctx), conn.(driverConn), entries)
	})
	if err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	return nil
}

func (d *DB) insert(ctx context.Context, conn driverConn, entries []budget.Entry) error {
	many, err := conn.PrepareContext(ctx, insertion(rowsAtOnce, "NULL"))
	if err != nil {
		return err
	}
	defer many.Close() //nolint:errcheck // it was used, or the error tells of more
	h := sha256.New()
	h.Write(d.last.chain)
	args := make([]driver.NamedValue, 0, columns*rowsAtOnce+1)
	for len(entries) > 0 {
		rows := min(len(entries), rowsAtOnce)
		args = args[:0]
		for i := range rows {
			d.last.seq++
			r := budget.RowOf(d.last.seq, &entries[i])
			h.Write(r.Body)
			for _, v := range [columns]any{
				r.Seq, r.Attempt, r.Line, r.At, int64(r.Kind), int64(r.Flags), int64(r.Reserved), int64(r.Amount), r.Input, r.Output, r.Body,
			} {
				args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
			}
		}
		if entries = entries[rows:]; len(entries) > 0 {
			_, err = many.(driver.StmtExecContext).ExecContext(ctx, args)
		} else {
			d.last.chain = h.Sum(nil)
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: d.last.chain})
			_, err = conn.ExecContext(ctx, insertion(rows, "?"), args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addTotals(ctx context.Context, tx *sql.Tx, entries []budget.Entry) error {
	for key, t := range budget.Totals(entries) {
		_, err := tx.ExecContext(ctx, `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
			attempts = attempts + excluded.attempts, amount = amount + excluded.amount, input = input + excluded.input, output = output + excluded.output`,
			key.Day, key.Line, int64(key.Kind), int64(key.Flags), t.Attempts, int64(t.Amount), t.Input, t.Output)
		if err != nil {
			return fmt.Errorf("write sums: %w", err)
		}
	}
	return nil
}
