package postgres

import (
	"context"
	"errors"
	"fmt"
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
