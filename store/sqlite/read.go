package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/understudy-ai/understudy/budget"
)

// newest is the newest schema that is known: how many migrations there are.
const newest = 7

// Reader reads a database that a gateway may be writing, as it was at one moment. Close it.
type Reader struct {
	db      *sql.DB
	tx      *sql.Tx
	version int // of the schema, which may be older than ours until the gateway starts
}

// OpenReader opens the database at a path to read it.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	db, err := sql.Open("sqlite", address(path, "mode=ro", "_pragma=busy_timeout(5000)", "_pragma=query_only(1)", "_pragma=cache_size(-16000)"))
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	r := &Reader{db: db}
	if err := r.begin(ctx); err != nil {
		_ = db.Close() // the error tells of more
		return nil, fmt.Errorf("read the ledger %s: %w", path, err)
	}
	return r, nil
}

func (r *Reader) begin(ctx context.Context) error {
	var err error
	if r.tx, err = r.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return err
	}
	var id int
	err = r.tx.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version)").Scan(&id, &r.version)
	switch {
	case err != nil:
		return err
	case id != applicationID:
		return errors.New("it is another program's database")
	case r.version > newest:
		return fmt.Errorf("schema %d: %w", r.version, ErrNewer)
	}
	_, err = markOf(ctx, r.tx, "") // the first read fixes the moment
	return err
}

// Backup writes what the database at a path has at one moment into a new file that only its owner can read. A gateway may
// be writing it meanwhile, and does not wait.
func Backup(ctx context.Context, path, to string) error {
	r, err := OpenReader(ctx, path)
	if err != nil {
		return err
	}
	if err := errors.Join(r.Close(), private(to)); err != nil {
		return fmt.Errorf("back up the ledger: %w", err)
	}
	db, err := sql.Open("sqlite", address(path, "mode=ro", "_pragma=busy_timeout(5000)"))
	if err != nil {
		return fmt.Errorf("back up the ledger: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("back up the ledger: %w", err)
	}
	return nil
}

// Mark is how far a gateway's journal is in the database.
func (r *Reader) Mark(ctx context.Context, node string) (budget.Mark, error) {
	return markOf(ctx, r.tx, node)
}

// Close ends reading.
func (r *Reader) Close() error {
	if err := errors.Join(r.tx.Rollback(), r.db.Close()); err != nil {
		return fmt.Errorf("close the ledger: %w", err)
	}
	return nil
}

// Last is the place of the last entry.
func (r *Reader) Last(ctx context.Context) (last int64, err error) {
	if err := r.tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM entry").Scan(&last); err != nil {
		return 0, fmt.Errorf("find the last entry: %w", err)
	}
	return last, nil
}

// Link is the first link of the chain at or behind a place.
func (r *Reader) Link(ctx context.Context, from int64) (at int64, chain []byte, err error) {
	err = r.tx.QueryRowContext(ctx, "SELECT seq, chain FROM entry WHERE seq >= ? AND chain IS NOT NULL ORDER BY seq LIMIT 1", from).Scan(&at, &chain)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, nil, fmt.Errorf("find a link of the chain: %w", err)
	}
	return at, chain, nil
}

// Rows calls f for entries in the order in which they were written. It reads on a connection of its own: entries never change,
// and so they are the same at any moment.
func (r *Reader) Rows(ctx context.Context, behind, upTo int64, f func(*budget.Row) error) error {
	rows, err := r.db.QueryContext(ctx, `SELECT seq, attempt, line, at, kind, flags, reserved, amount, input, output, body, chain FROM entry
		WHERE seq > ? AND seq <= ? ORDER BY seq`, behind, upTo)
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var e budget.Row
	var body, chain sql.RawBytes
	for rows.Next() {
		err := rows.Scan(&e.Seq, &e.Attempt, &e.Line, &e.At, &e.Kind, &e.Flags, &e.Reserved, &e.Amount, &e.Input, &e.Output, &body, &chain)
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		e.Body, e.Chain = body, chain
		if err := f(&e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Lines lists what entries have in common, by id.
func (r *Reader) Lines(ctx context.Context) (map[int64]*budget.Line, error) {
	owners := "key_id, user_name, team, organisation"
	if r.version < 2 { // there were none yet
		owners = "'', '', '', ''"
	}
	rows, err := r.tx.QueryContext(ctx, "SELECT id, provider, model, asked, operation, caller, tag, rates, "+owners+" FROM line")
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	found := map[int64]*budget.Line{}
	for rows.Next() {
		var id int64
		var l budget.Line
		var rates string
		if err := rows.Scan(&id, &l.Provider, &l.Model, &l.Asked, &l.Operation, &l.Caller, &l.Tag, &rates, &l.Key, &l.User, &l.Team, &l.Organisation); err != nil {
			return nil, fmt.Errorf("read lines: %w", err)
		}
		if l.Rates, err = budget.ParseRates(rates); err != nil {
			return nil, err
		}
		line := budget.NewLine(l)
		if line.ID() != id {
			return nil, fmt.Errorf("line %d was changed: what it holds has the id %d", id, line.ID())
		}
		found[id] = line
	}
	return found, rows.Err()
}

// Totals lists the sums that reports are made of.
func (r *Reader) Totals(ctx context.Context, from, to int64) ([]budget.Total, error) {
	lines, err := r.Lines(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := r.tx.QueryContext(ctx, "SELECT day, line, kind, flags, attempts, amount, input, output FROM usage WHERE day BETWEEN ? AND ?", from, to)
	if err != nil {
		return nil, fmt.Errorf("read sums: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	var found []budget.Total
	for rows.Next() {
		var t budget.Total
		var line int64
		if err := rows.Scan(&t.Day, &line, &t.Kind, &t.Flags, &t.Attempts, &t.Amount, &t.Input, &t.Output); err != nil {
			return nil, fmt.Errorf("read sums: %w", err)
		}
		if t.Line = lines[line]; t.Line == nil {
			return nil, fmt.Errorf("read sums: there is no line %d", line)
		}
		found = append(found, t)
	}
	return found, rows.Err()
}

// Holds lists how accounts stand, and what is held in their windows.
func (r *Reader) Holds(ctx context.Context) ([]budget.Window, map[budget.Key]budget.Money, error) {
	all, err := windows(ctx, r.tx)
	if err != nil {
		return nil, nil, err
	}
	pending := "hold"
	if r.version > 2 { // there are leases
		pending = "(SELECT account, period, start, amount FROM hold UNION ALL SELECT account, period, start, amount FROM lease)"
	}
	rows, err := r.tx.QueryContext(ctx, "SELECT account, period, start, sum(amount) FROM "+pending+" GROUP BY account, period, start")
	if err != nil {
		return nil, nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has it
	held := map[budget.Key]budget.Money{}
	for rows.Next() {
		var k budget.Key
		var m budget.Money
		if err := rows.Scan(&k.Account, &k.Period, &k.Start, &m); err != nil {
			return nil, nil, fmt.Errorf("read holds: %w", err)
		}
		held[k] = m
	}
	return all, held, rows.Err()
}
