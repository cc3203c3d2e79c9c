package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/store/storetest"
)

// address is a server's, or the test is skipped.
func address(t *testing.T) string {
	t.Helper()
	url := os.Getenv("UNDERSTUDY_POSTGRES")
	if url == "" {
		t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
	}
	return url
}

// open opens an empty schema of its own.
func open(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), address(t), fmt.Sprintf("test_%d", time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStore(t *testing.T) {
	address(t)
	storetest.Run(t, func(t *testing.T) (storetest.Store, func(func(budget.Book) error) error) {
		d := open(t)
		return d, func(f func(budget.Book) error) error {
			r, err := d.Read(t.Context())
			if err != nil {
				return err
			}
			return errors.Join(f(r), r.Close(t.Context()))
		}
	})
}

// TestRowsAreFinal tries to change and remove what is written.
func TestRowsAreFinal(t *testing.T) {
	d := open(t)
	l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
	b := &budget.Batch{Node: "n", To: budget.Mark{File: 1, Offset: 1}, Lines: []*budget.Line{l}, Entries: []budget.Entry{{Attempt: 1, Ordinal: 1, Line: l.ID(), Kind: budget.Void}}}
	if err := d.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"UPDATE entry SET amount = 0", "DELETE FROM entry", "TRUNCATE entry", "UPDATE line SET rates = '{}'", "DELETE FROM line"} {
		if _, err := d.pool.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "never changed or removed") {
			t.Errorf("%s: got %v, want it refused", statement, err)
		}
	}
}

// TestNodes has two gateways with attempts of the same number.
func TestNodes(t *testing.T) {
	d := open(t)
	l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
	for _, node := range []string{"one", "two"} {
		b := &budget.Batch{Node: node, To: budget.Mark{File: 1, Offset: 1}, Lines: []*budget.Line{l}, Entries: []budget.Entry{{Attempt: 1, Ordinal: 1, Line: l.ID(), Kind: budget.Void}}}
		if err := d.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	r, err := d.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := budget.Verify(t.Context(), r)
	if err := errors.Join(err, r.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if report.Entries != 2 || len(report.Problems) > 0 {
		t.Errorf("got %d entries and problems %v, want two and none", report.Entries, report.Problems)
	}
}

func TestNewer(t *testing.T) {
	d := open(t)
	if _, err := d.pool.Exec(t.Context(), "INSERT INTO version VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), address(t), d.schema); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want %v", err, ErrNewer)
	}
}

// TestMigrates brings a schema of every earlier version up to date, with what that had written: nothing of it is lost.
func TestMigrates(t *testing.T) {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version <= len(steps); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			schema := earlier(t, steps[:version])
			d, err := Open(t.Context(), address(t), schema)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			r, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			report, err := budget.Verify(t.Context(), r)
			if err := errors.Join(err, r.Close(t.Context())); err != nil {
				t.Fatal(err)
			}
			if report.Entries != 3 || len(report.Problems) > 0 {
				t.Errorf("got %d entries and problems %v, want 3 and none", report.Entries, report.Problems)
			}
			keys := 0
			if _, err := d.Keys(t.Context(), 0, func([]byte) error { keys++; return nil }); err != nil || version >= 3 && keys != 1 {
				t.Errorf("got %d keys, %v, want the one there was", keys, err)
			}
			l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap(), Key: "web"})
			b := &budget.Batch{Node: "n", To: budget.Mark{File: 1, Offset: 1}, Lines: []*budget.Line{l}, Entries: []budget.Entry{{Attempt: 4, Ordinal: 1, Line: l.ID(), Kind: budget.Void}}}
			if err := d.Write(t.Context(), b); err != nil {
				t.Errorf("a batch on top: got %v, want it written", err)
			}
		})
	}
}

// earlier is a schema after some steps, with rows.
func earlier(t *testing.T, steps []string) (schema string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	schema = fmt.Sprintf("earlier_%d", time.Now().UnixNano())
	run("CREATE SCHEMA " + schema)
	run("SET search_path = " + schema)
	run("CREATE TABLE version (version INTEGER NOT NULL)")
	for i, step := range steps {
		text, err := migrations.ReadFile(step)
		if err != nil {
			t.Fatal(err)
		}
		run(string(text))
		run("INSERT INTO version VALUES ($1)", i+1)
		switch i {
		case 0:
			l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Rates: budget.Cap()})
			run("INSERT INTO line (id, provider, model, asked, operation, caller, tag, rates) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				l.ID(), l.Provider, l.Model, l.Asked, l.Operation, l.Caller, l.Tag, l.Rates.Text())
			h := sha256.New()
			for seq := int64(1); seq <= 3; seq++ {
				r := budget.RowOf(seq, &budget.Entry{Attempt: seq, Call: "call_x", Ordinal: seq, Line: l.ID(), Kind: budget.Void})
				h.Write(r.Body)
				var chain []byte
				if seq == 3 {
					chain = h.Sum(nil)
					run("UPDATE chain_end SET seq = 3, chain = $1", chain)
				}
				run("INSERT INTO entry (seq, node, attempt, line, at, kind, flags, reserved, amount, input, output, body, chain) VALUES ($1, 'n', $1, $2, 0, 4, 0, 0, 0, 0, 0, $3, $4)",
					seq, r.Line, r.Body, chain)
			}
			run("INSERT INTO usage VALUES (0, $1, 4, 0, 3, 0, 0, 0)", l.ID())
		case 2:
			run("INSERT INTO access_key (id, revision, body) VALUES ('web', 1, '{}')")
		}
	}
	return schema
}

// TestDeadlocks has two transactions that lock two rows in opposite orders, over and over, each its second when both have their
// first: the server ends one of two, which is tried again, and none is lost (K7).
func TestDeadlocks(t *testing.T) {
	d := open(t)
	const clients, rounds = 2, 15
	if _, err := d.pool.Exec(t.Context(), "CREATE TABLE pair (id INT PRIMARY KEY, n INT NOT NULL); INSERT INTO pair VALUES (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	here, left := make(chan struct{}), make(chan struct{})
	leave := sync.OnceFunc(func() { close(left) })
	meet := func() { // the other client, unless it is through
		select {
		case here <- struct{}{}:
		case <-here:
		case <-left:
		}
	}
	var tries atomic.Int64
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			defer leave()
			for range rounds {
				meet()
				first := true
				err := d.transact(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
					tries.Add(1)
					if _, err := tx.Exec(ctx, "SET LOCAL deadlock_timeout = '10ms'"); err != nil {
						return err
					}
					for i := range 2 {
						if _, err := tx.Exec(ctx, "UPDATE pair SET n = n + 1 WHERE id = $1", (client+i)%2+1); err != nil {
							return err
						}
						if first {
							first = false
							meet()
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("got %v, want it tried again", err)
					return
				}
			}
		})
	}
	all.Wait()
	var sum int
	if err := d.pool.QueryRow(t.Context(), "SELECT sum(n) FROM pair").Scan(&sum); err != nil || sum != 2*clients*rounds {
		t.Errorf("got %d, %v, want %d: each once", sum, err, 2*clients*rounds)
	}
	if got, want := tries.Load(), int64(clients*rounds+rounds); got < want {
		t.Errorf("got %d tries, want %d and more: one of two again in each round", got, want)
	}
}
