package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/understudy-ai/understudy/budget"
)

// TestMigrates opens databases of every earlier schema, as an earlier version left them when it was killed: between two steps of
// bringing them up to date, with what it wrote still in the log (K11).
func TestMigrates(t *testing.T) {
	t.Parallel()
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(steps) != newest {
		t.Fatalf("got %d migrations, %v, want as many as the newest schema's number, %d", len(steps), err, newest)
	}
	for version := 1; version <= newest; version++ {
		path := earlier(t, steps[:version])
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
			t.Fatalf("got %v, %v, want a log that is in use", info, err)
		}
		d := open(t, path)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		err := read(t, path, func(b budget.Book) error {
			r, err := budget.Verify(t.Context(), b)
			if err == nil && (r.Entries != 3 || len(r.Problems) > 0) {
				t.Errorf("from schema %d: got %d entries and problems %v, want 3 and none", version, r.Entries, r.Problems)
			}
			return err
		})
		if err != nil {
			t.Errorf("from schema %d: %v", version, err)
		}
	}
}

// earlier is a database after some steps, with rows, copied while it was in use.
func earlier(t *testing.T, steps []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sql.Open("sqlite", address(path, "_pragma=journal_mode(WAL)", "_pragma=wal_autocheckpoint(0)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	for i, step := range steps {
		text, err := migrations.ReadFile(step)
		if err != nil {
			t.Fatal(err)
		}
		run(fmt.Sprintf("BEGIN;\n%s\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\nCOMMIT;", text, applicationID, i+1))
		if i > 0 {
			continue
		}
		l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
		run("INSERT INTO line (id, provider, model, asked, operation, caller, tag, rates) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			l.ID(), l.Provider, l.Model, l.Asked, l.Operation, l.Caller, l.Tag, l.Rates.Text())
		h := sha256.New()
		for seq := int64(1); seq <= 3; seq++ {
			r := budget.RowOf(seq, &budget.Entry{Attempt: seq, Call: "call_x", Ordinal: seq, Line: l.ID(), Kind: budget.Void})
			h.Write(r.Body)
			var chain any
			if seq == 3 {
				chain = h.Sum(nil)
			}
			run("INSERT INTO entry (seq, attempt, line, at, kind, flags, reserved, amount, input, output, body, chain) VALUES (?, ?, ?, 0, 4, 0, 0, 0, 0, 0, ?, ?)",
				r.Seq, r.Attempt, r.Line, r.Body, chain)
		}
		run("INSERT INTO usage VALUES (0, ?, 4, 0, 3, 0, 0, 0)", l.ID())
	}
	to := filepath.Join(t.TempDir(), "ledger.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err := errors.Join(err, os.WriteFile(to+suffix, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}
