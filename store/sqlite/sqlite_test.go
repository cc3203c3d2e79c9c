package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/store/storetest"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStore is the suite of all stores: sums and windows are those of the rows at each step (I1, I4), an attempt is closed once,
// by the schema and not by code (I3), and nothing but money changes what was spent (I12).
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (storetest.Store, func(func(budget.Book) error) error) {
		path := filepath.Join(t.TempDir(), "ledger.db")
		d := open(t, path)
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		return d, func(f func(budget.Book) error) error { return read(t, path, f) }
	})
}

func read(t *testing.T, path string, f func(budget.Book) error) error {
	t.Helper()
	r, err := OpenReader(t.Context(), path)
	if err != nil {
		return err
	}
	return errors.Join(f(r), r.Close())
}

// filled makes a database with a few entries.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	d := open(t, path)
	l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
	b := &budget.Batch{Node: "n", To: budget.Mark{File: 1, Offset: 1}, Lines: []*budget.Line{l}}
	for n := range int64(5) {
		e := budget.Entry{Attempt: n + 1, Ordinal: 1, Line: l.ID(), Kind: budget.Posted, Tokens: budget.Tokens{Fresh: n}, Reserved: 1e9}
		var err error
		if e.Amount, err = l.Rates.Cost(e.Tokens); err != nil {
			t.Fatal(err)
		}
		b.Entries = append(b.Entries, e)
	}
	err := d.Write(t.Context(), b)
	for _, cost := range []budget.Money{5, 7} {
		c := &budget.Found{Entry: b.Entries[2], Cost: 0, Kind: budget.Posted}
		c.Cost = map[budget.Money]budget.Money{5: c.Entry.Amount, 7: 5}[cost]
		err = errors.Join(err, d.Correct(t.Context(), c.Correction(cost, "honest", "ada", 1)))
	}
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRowsAreFinal tries to change and remove what is written, then does it behind the triggers' back: it is found (I6).
func TestRowsAreFinal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, statement, trigger, want string }{
		{"changed", "UPDATE entry SET amount = 0 WHERE seq = 3", "entry_is_final", "columns are not those of its body"},
		{"forged", "UPDATE entry SET body = (SELECT body FROM entry WHERE seq = 2), line = 1 WHERE seq = 3", "entry_is_final", "chain is broken"},
		{"removed", "DELETE FROM entry WHERE seq = 3", "entry_stays", "rows are missing"},
		{"cut", "DELETE FROM entry WHERE seq = 5", "entry_stays", "belong to no batch"},
		{"recorrected", "UPDATE correction SET body = CAST(replace(CAST(body AS TEXT), 'honest', 'forged') AS BLOB)", "correction_is_final", "correction 1: its chain is broken"},
		{"uncorrected", "DELETE FROM correction WHERE seq = 1", "correction_stays", "want correction 1 there: some are missing"},
		{"dearer", "UPDATE line SET rates = '{}'", "line_is_final", "was changed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filled(t)
			db, err := sql.Open("sqlite", address(path))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), tc.statement); err == nil {
				t.Errorf("%s: got it done, want it refused", tc.statement)
			}
			if _, err := db.ExecContext(t.Context(), "DROP TRIGGER "+tc.trigger+"; "+tc.statement); err != nil {
				t.Fatal(err)
			}
			var got string
			err = read(t, path, func(b budget.Book) error {
				r, err := budget.Verify(t.Context(), b)
				if err == nil {
					got = strings.Join(r.Problems, "\n")
				}
				return err
			})
			if err != nil {
				got += err.Error()
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("verify: got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// TestSumsAreThoseOfTheRows changes what is summed up of the rows, and how accounts stand: it is found (I1, I4, I8).
func TestSumsAreThoseOfTheRows(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, statement, want string }{
		{"as it is", "SELECT 1", ""},
		{"a sum", "UPDATE usage SET amount = amount + 1", "usage of acme/m on day 0: got"},
		{"a count", "UPDATE usage SET attempts = attempts + 1", "usage of acme/m on day 0: got"},
		{"no sum", "DELETE FROM usage", "got nothing, want"},
		{"a sum of nothing", "INSERT INTO usage SELECT day + 1, line, kind, flags, attempts, amount, input, output FROM usage", "want none by the rows"},
		{"spent", "UPDATE spending SET posted = posted - 1", "by the rows"},
		{"beyond what was reserved", "UPDATE spending SET overrun = overrun + 1", "by the rows"},
		{"reserved", "UPDATE spending SET pending = pending + 1", "by what is held"},
		{"nothing held", "DELETE FROM hold", "want 0.00 by what is held"},
		{"no account", "DELETE FROM spending", "got no window, want the one that entries name"},
		{"over the limit", "UPDATE spending SET ceiling = posted + pending - 1", "want no more than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filled(t)
			d := open(t, path)
			limits := []budget.Limit{{Account: "key:a", Period: budget.Ever, Most: budget.USD}}
			l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
			e := budget.Entry{Attempt: 11, Ordinal: 1, Line: l.ID(), Kind: budget.Posted, Tokens: budget.Tokens{Fresh: 3}, Reserved: 1e9}
			var err error
			if e.Amount, err = l.Rates.Cost(e.Tokens); err != nil {
				t.Fatal(err)
			}
			e.Windows, err = d.Hold(t.Context(), "n", budget.Hold{Attempt: 11, Amount: e.Reserved, Limits: limits})
			_, still := d.Hold(t.Context(), "n", budget.Hold{Attempt: 12, Amount: e.Reserved, Limits: limits})
			written := d.Write(t.Context(), &budget.Batch{
				Node: "n", From: budget.Mark{File: 1, Offset: 1}, To: budget.Mark{File: 1, Offset: 2}, Lines: []*budget.Line{l}, Entries: []budget.Entry{e},
			})
			if err := errors.Join(err, still, written, d.Close()); err != nil {
				t.Fatal(err)
			}
			db, err := sql.Open("sqlite", address(path))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "PRAGMA ignore_check_constraints = 1; "+tc.statement); err != nil {
				t.Fatal(err)
			}
			var got string
			if err := read(t, path, func(b budget.Book) error {
				r, err := budget.Verify(t.Context(), b)
				if err == nil {
					got = strings.Join(r.Problems, "\n")
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("verify: got %q, want %q in it", got, tc.want)
			}
		})
	}
}

// TestRefused opens neither what a newer version has written nor what another program has (K11).
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, statement string
		want            string
	}{
		{"newer", "PRAGMA user_version = 99", ErrNewer.Error()},
		{"another's", "PRAGMA application_id = 1", "another program's"},
	} {
		path := filled(t)
		db, err := sql.Open("sqlite", address(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), tc.statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q in it", tc.name, err, tc.want)
		}
		if _, err := OpenReader(t.Context(), path); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s, to read: got %v, want %q in it", tc.name, err, tc.want)
		}
	}
}

// TestNoDatabase says what to do about a file that is something else.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("junk"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "\nhint: understudy ledger restore FILE") {
		t.Errorf("got %v, want the file and what to do", err)
	}
}

// TestMode refuses a file that others can read (K10, S96).
func TestMode(t *testing.T) {
	t.Parallel()
	path := filled(t)
	if err := os.Chmod(path, 0o640); err != nil { //nolint:gosec // a file that is too open is what is tested
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "got mode 0640, want 0600") {
		t.Errorf("got %v, want a file that others can read refused", err)
	}
}

// TestFull fills the disk, as far as SQLite can tell: nothing is written by halves, and it goes on when there is room (K4).
func TestFull(t *testing.T) {
	t.Parallel()
	path := filled(t)
	d := open(t, path)
	limit := func(pages int) {
		if _, err := d.conn.ExecContext(t.Context(), "PRAGMA max_page_count = "+map[bool]string{true: "1", false: "1000000"}[pages == 1]); err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	l := budget.NewLine(budget.Line{Provider: "acme", Model: strings.Repeat("m", 8000), Operation: "generate"})
	b := &budget.Batch{Node: "n", From: budget.Mark{File: 1, Offset: 1}, To: budget.Mark{File: 1, Offset: 2}, Lines: []*budget.Line{l}}
	for n := range int64(500) {
		b.Entries = append(b.Entries, budget.Entry{Attempt: 100 + n, Ordinal: 1, Line: l.ID(), Kind: budget.Void})
	}
	if err := d.Write(t.Context(), b); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("got %v, want it told that the disk is full", err)
	}
	limit(0)
	if err := d.Write(t.Context(), b); err != nil {
		t.Errorf("with room again: got %v, want the same batch written", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	err := read(t, path, func(b budget.Book) error {
		r, err := budget.Verify(t.Context(), b)
		if err == nil && (r.Entries != 505 || len(r.Problems) > 0) {
			t.Errorf("got %d entries and problems %v, want 505 and none", r.Entries, r.Problems)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOutOfTime adds entries when their transaction has been taken back because time was up: outside of one they would stay.
func TestOutOfTime(t *testing.T) {
	t.Parallel()
	d := open(t, filled(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := d.transaction(ctx, []*job{{do: func(ctx context.Context, tx *sql.Tx) error {
		cancel()
		for {
			if _, err := tx.ExecContext(t.Context(), "SELECT 1"); errors.Is(err, sql.ErrTxDone) {
				break
			}
		}
		var line int64
		if err := d.conn.QueryRowContext(t.Context(), "SELECT id FROM line").Scan(&line); err != nil {
			return err
		}
		return d.addEntries(ctx, []budget.Entry{{Attempt: 6, Ordinal: 1, Line: line, Kind: budget.Void}})
	}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it told that time was up", err)
	}
	if l, err := lastLink(t.Context(), d.conn); err != nil || l.seq != 5 {
		t.Errorf("got %d entries and %v, want the 5 of before", l.seq, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
