package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/store/journal"
	"github.com/understudy-ai/understudy/store/sqlite"
)

// desk is a ledger that is opened, killed and opened again, and what must be in it.
type desk struct {
	r       *rapid.T
	folder  string
	db      *sqlite.DB
	journal *journal.Journal
	line    *budget.Line
	now     time.Time
	clock   atomic.Pointer[time.Time] // the same, at which the journal looks by itself, too
	open    []int64
	closed  map[int64]budget.Outcome
	late    map[int64]bool // settled since the last start: a kill may have come before it was durable
	orphans map[int64]bool // of earlier starts
	kills   int
}

// TestBooksAtRandom reserves, settles by whatever vendors say they counted, moves the clock, stops and kills, and finds each
// attempt once, as it was closed, or as uncertain where nobody could close it. No count that cannot be true moves money (I7).
func TestBooksAtRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, walkBooks) // the ledger waits a lot, and time here does not
}

func walkBooks(t *testing.T) {
	top := t.TempDir()
	walk := 0
	// There are no deadlines here, and it may not ask for one.
	rapid.Check(struct{ rapid.TB }{t}, func(r *rapid.T) {
		walk++
		d := &desk{
			r: r, folder: filepath.Join(top, fmt.Sprint(walk)),
			closed: map[int64]budget.Outcome{}, late: map[int64]bool{}, orphans: map[int64]bool{},
			line: budget.NewLine(budget.Line{Provider: "acme", Model: "m", Operation: "generate", Caller: "anonymous", Rates: budget.Rates{Input: 1e12, Output: 2e12}}),
		}
		d.set(time.Date(2028, 2, 29, 23, 0, 0, 0, time.UTC))
		d.start()
		r.Repeat(map[string]func(*rapid.T){
			"reserve": func(*rapid.T) { d.reserve() },
			"settle":  func(*rapid.T) { d.settle() },
			"clock": func(r *rapid.T) {
				d.set(d.now.Add(time.Duration(rapid.Int64Range(-25, 25).Draw(r, "hours")) * time.Hour))
			},
			"stop": func(r *rapid.T) { d.again(r, false) },
			"kill": func(r *rapid.T) { d.again(r, true) },
		})
		d.stop()
		d.start()
		d.check()
		d.stop()
	})
}

func (d *desk) set(now time.Time) {
	d.now = now
	d.clock.Store(&now)
}

func (d *desk) start() {
	err := os.MkdirAll(d.folder, 0o700)
	if err == nil {
		d.db, err = sqlite.Open(context.Background(), filepath.Join(d.folder, ledgerFile))
	}
	if err == nil {
		d.journal, err = journal.Open(journal.Options{
			Folder: filepath.Join(d.folder, journalFolder), Node: nodeName, Store: d.db, Alone: true, FileSize: 64 << 10,
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return *d.clock.Load() },
		})
	}
	if err == nil {
		err = d.journal.SetLimits(context.Background(), []budget.Limit{{Account: "key:a", Period: budget.Day, Most: 40e6}, {Account: "key:b", Period: budget.Ever, Most: 60e6, Strict: true}})
	}
	if err != nil {
		d.r.Fatal(err)
	}
}

func (d *desk) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(d.journal.Close(ctx), d.db.Close()); err != nil {
		d.r.Fatal(err)
	}
	for _, n := range d.open {
		d.orphans[n] = true
	}
	d.open = nil
}

// again starts on what a stop or a kill has left, a few times in a walk.
func (d *desk) again(r *rapid.T, kill bool) {
	if d.kills++; d.kills > 2 {
		r.Skip("it takes a while")
	}
	if !kill {
		clear(d.late)
		d.stop()
		d.start()
		d.check()
		return
	}
	// What is copied is what a kill leaves; the database first, since the journal is ahead of it.
	to := d.folder + "k"
	for _, folder := range []string{"", journalFolder} {
		if err := os.MkdirAll(filepath.Join(to, folder), 0o700); err != nil {
			r.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(d.folder, folder, "*.*"))
		if err != nil {
			r.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if filepath.Ext(f) == ".db-shm" || errors.Is(err, os.ErrNotExist) { // SQLite makes it anew, or it was done with
				continue
			}
			if err := errors.Join(err, os.WriteFile(filepath.Join(to, folder, filepath.Base(f)), b, 0o600)); err != nil {
				r.Fatal(err)
			}
		}
	}
	d.stop() // the original, which is dead from now on
	d.folder = to
	d.start()
	d.check()
	clear(d.late)
}

func (d *desk) reserve() {
	payer := rapid.SampledFrom([]budget.Payer{{}, {Key: "a"}, {Key: "b"}}).Draw(d.r, "payer")
	n, err := d.journal.Reserve(context.Background(), &budget.Reservation{
		Call: "call_x", Ordinal: 1, Line: d.line, At: d.now, Payer: payer,
		Most: budget.Tokens{Fresh: rapid.Int64Range(0, 9).Draw(d.r, "in"), Output: rapid.Int64Range(0, 9).Draw(d.r, "out")},
	})
	var over *budget.LimitError
	switch {
	case err == nil:
		d.open = append(d.open, n)
	case !errors.As(err, &over) || payer == budget.Payer{}:
		d.r.Fatal(err)
	}
}

// settle closes an attempt by what a vendor says, which may be nothing that can be true.
func (d *desk) settle() {
	if len(d.open) == 0 {
		return
	}
	n := d.open[0]
	d.open = d.open[1:]
	count := rapid.SampledFrom([]int64{0, 1, 5, 12, -1, -5e9, 1e9, 1e18, math.MaxInt64, math.MinInt64})
	res := budget.Result{
		Sent: rapid.IntRange(0, 5).Draw(d.r, "sent") > 0, Status: rapid.SampledFrom([]int{200, 200, 200, 0, 429, 502}).Draw(d.r, "status"), Input: 4, Output: 3,
		Usage: llm.Usage{
			Known: rapid.Bool().Draw(d.r, "known"), InFresh: count.Draw(d.r, "fresh"), InCacheRead: count.Draw(d.r, "cached"), OutVisible: count.Draw(d.r, "visible"),
			OutReasoning: count.Draw(d.r, "reasoning"), InAudio: count.Draw(d.r, "audio"),
		},
	}
	res.Whole = res.Status == 200
	o := res.Outcome()
	const most = 11 * 200_000 // of a few tokens that passed through
	if o.Tokens.Input() < 0 || o.Tokens.All() < 0 || o.Tokens.Input() > most || o.Tokens.All() > most {
		d.r.Fatalf("%+v: got %+v, want what can be true", res, o)
	}
	d.journal.Settle(n, &budget.Settlement{Outcome: o, At: d.now, Status: res.Status})
	d.closed[n], d.late[n] = o, true
}

// check holds the ledger to its invariants, and every attempt to how it was closed.
func (d *desk) check() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.journal.Sync(ctx); err != nil {
		d.r.Fatal(err)
	}
	r, err := sqlite.OpenReader(ctx, filepath.Join(d.folder, ledgerFile))
	if err != nil {
		d.r.Fatal(err)
	}
	report, err := budget.Verify(ctx, r)
	found := map[int64]budget.Entry{}
	if err == nil {
		err = r.Rows(ctx, 0, math.MaxInt64, func(row *budget.Row) error {
			e, err := budget.ParseEntry(row.Body)
			found[e.Attempt] = e
			return err
		})
	}
	if err := errors.Join(err, r.Close()); err != nil {
		d.r.Fatal(err)
	}
	for _, p := range report.Problems {
		d.r.Errorf("verify: got %s, want no problem", p)
	}
	if len(found) != len(d.closed)+len(d.orphans) {
		d.r.Errorf("got %d attempts, want %d that were closed and %d that could not be", len(found), len(d.closed), len(d.orphans))
	}
	for n, o := range d.closed {
		e := found[n]
		if e.Flags.Has(budget.Orphan) && d.late[n] {
			delete(d.closed, n)
			d.orphans[n] = true
			continue
		}
		if e.Kind != o.Kind || e.Tokens != o.Tokens || e.Flags.Has(budget.Rejected) != o.Rejected {
			d.r.Errorf("attempt %d: got %v of %+v, want %v of %+v", n, e.Kind, e.Tokens, o.Kind, o.Tokens)
		}
	}
	for n := range d.orphans {
		if e := found[n]; e.Kind != budget.Uncertain || e.Amount != e.Reserved {
			d.r.Errorf("attempt %d, which nobody closed: got %v %v, want uncertain all of %v", n, e.Kind, e.Amount, e.Reserved)
		}
	}
}
