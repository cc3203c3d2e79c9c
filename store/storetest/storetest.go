// Package storetest is the suite that every store of the ledger passes. It writes, breaks and
// races, and holds what is there to the ledger's invariants after each step. It knows no store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
)

// Store is what the suite is run on.
type Store interface {
	budget.Store
	budget.Limits
	budget.Corrector
	access.Store
}

// node is the gateway that writes.
const node = "here"

// Run runs the suite. open opens an empty store, and a function that reads it as it is at the
// moment; both are closed when the test ends.
func Run(t *testing.T, open func(t *testing.T) (s Store, read func(func(budget.Book) error) error)) {
	for name, test := range map[string]func(*testing.T, *stage){
		"batches":   testBatches,
		"twice":     testTwice,
		"admission": testAdmission,
		"windows":   testWindows,
		"sweep":     testSweep,
		"chain":     testAllOrNone,
		"limits":    testLimits,
		"lease":     testLease,
		"starts":    testStarts,
		"random":    testRandom,
		"order":     testOrder,
		"correct":   testCorrections,
		"keys":      testKeys,
		"changes":   testChanges,
		"with":      testChangeWith,
		"admins":    testAdministrators,
	} {
		t.Run(name, func(t *testing.T) {
			s, read := open(t)
			test(t, &stage{t: t, store: s, read: read})
		})
	}
	t.Run("races", func(t *testing.T) {
		const most = 250 // on one store: whoever reads one account reads all there are
		for begin, all := 0, histories(t); begin < all; begin += most {
			t.Run(fmt.Sprint(begin), func(t *testing.T) {
				s, read := open(t)
				testLinear(t, &stage{t: t, store: s, read: read}, min(most, all-begin))
			})
		}
	})
}

// stage is a store with what the suite does to it.
type stage struct {
	t     testing.TB
	store Store
	read  func(func(budget.Book) error) error

	limits  []budget.Limit
	mu      sync.Mutex
	mark    budget.Mark
	attempt atomic.Int64
}

func (s *stage) ctx() context.Context { return s.t.Context() }

// try reserves on accounts, in the windows of all their limits.
func (s *stage) try(at time.Time, amount budget.Money, accounts ...string) (int64, []budget.Key, error) {
	h := budget.Hold{Attempt: s.attempt.Add(1), At: at, Amount: amount}
	for _, l := range s.limits {
		if slices.Contains(accounts, l.Account) {
			h.Limits = append(h.Limits, l)
		}
	}
	keys, err := s.store.Hold(s.ctx(), node, h)
	return h.Attempt, keys, err
}

// noon is when everything happens, if nothing is said.
var noon = time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)

func line(model string) *budget.Line {
	return budget.NewLine(budget.Line{
		Provider: "acme", Model: model, Asked: "assistant", Operation: "generate", Caller: "Web", Key: "web", User: "ada", Team: "search", Organisation: "acme",
		Rates: budget.Rates{Input: 1e12, Output: 2e12}, // a micro-dollar for a token of the prompt, and two for one of the answer
	})
}

// entry is a closed attempt that had reserved more than it used.
func (s *stage) entry(l *budget.Line, out int64) budget.Entry {
	t := budget.Tokens{Fresh: 10, Output: out}
	cost, err := l.Rates.Cost(t)
	if err != nil {
		s.t.Fatal(err)
	}
	n := s.attempt.Add(1)
	return budget.Entry{
		Attempt: n, Call: fmt.Sprintf("call_%d", n), Ordinal: 1, Line: l.ID(), Reserved: 1000 * cost, At: noon.UnixMilli(), Took: 5,
		Kind: budget.Posted, Amount: cost, Tokens: t, Status: 200,
	}
}

// write adds entries as the next batch.
func (s *stage) write(lines []*budget.Line, entries ...budget.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &budget.Batch{Node: node, From: s.mark, To: budget.Mark{File: s.mark.File, Offset: s.mark.Offset + 1}, Lines: lines, Entries: entries}
	if err := s.store.Write(s.ctx(), b); err != nil {
		return err
	}
	s.mark = b.To
	return nil
}

// verify holds the store to the invariants and returns the report.
func (s *stage) verify() *budget.Report {
	s.t.Helper()
	var report *budget.Report
	err := s.read(func(b budget.Book) (err error) {
		report, err = budget.Verify(s.ctx(), b)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range report.Problems {
		s.t.Errorf("verify: got %s, want no problem", p)
	}
	return report
}

func testBatches(t *testing.T, s *stage) {
	a, b := line("a"), line("b")
	want := budget.Money(0)
	for i := range 3 {
		var entries []budget.Entry
		for j := range 70 { // more than are written at once, and no multiple of that
			l := a
			if j%2 == 0 {
				l = b
			}
			e := s.entry(l, int64(i*j))
			want += e.Amount
			entries = append(entries, e)
		}
		if err := s.write([]*budget.Line{a, b}, entries...); err != nil {
			t.Fatal(err)
		}
	}
	if mark, err := s.store.Mark(t.Context(), node); err != nil || mark != s.mark {
		t.Errorf("mark: got %v, %v, want %v", mark, err, s.mark)
	}
	if r := s.verify(); r.Entries != 210 || r.Amount != want {
		t.Errorf("got %d entries of %v, want 210 of %v", r.Entries, r.Amount, want)
	}
	err := s.read(func(b budget.Book) error {
		day := noon.Unix() / 86400
		for _, span := range []struct{ from, to, want int64 }{{day, day, 210}, {day + 1, day + 9, 0}, {day - 9, day - 1, 0}} {
			totals, err := b.Totals(t.Context(), span.from, span.to)
			if err != nil {
				return err
			}
			n := int64(0)
			for _, total := range totals {
				n += total.Attempts
			}
			if n != span.want {
				t.Errorf("totals from day %d to %d: got %d attempts, want %d", span.from, span.to, n, span.want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// testTwice writes a batch again, as after a commit whose answer was lost, and an attempt again.
func testTwice(t *testing.T, s *stage) {
	l := line("a")
	e := s.entry(l, 7)
	if err := s.write([]*budget.Line{l}, e); err != nil {
		t.Fatal(err)
	}
	again := &budget.Batch{Node: node, To: s.mark, Lines: []*budget.Line{l}, Entries: []budget.Entry{e}}
	if err := s.store.Write(t.Context(), again); !errors.Is(err, budget.ErrMark) {
		t.Errorf("the same batch: got %v, want %v", err, budget.ErrMark)
	}
	other := s.entry(l, 8)
	e.Kind, e.Amount, e.Tokens = budget.Void, 0, budget.Tokens{}
	if err := s.write([]*budget.Line{l}, other, e); err == nil {
		t.Errorf("an attempt closed twice: got no error, want it refused")
	}
	if mark, err := s.store.Mark(t.Context(), node); err != nil || mark != s.mark {
		t.Errorf("mark after a refused batch: got %v, %v, want %v", mark, err, s.mark)
	}
	if r := s.verify(); r.Entries != 1 {
		t.Errorf("got %d entries, want one: a batch is written whole or not at all", r.Entries)
	}
	if err := s.write([]*budget.Line{l}, other); err != nil {
		t.Errorf("the next batch: got %v, want it written", err)
	}
	s.verify()
}

// testAdmission has room for so many, and many more that want it at once.
func testAdmission(t *testing.T, s *stage) {
	const clients = 512
	rooms := []int64{1, 7, 100}
	for _, room := range rooms {
		s.limits = append(s.limits, budget.Limit{Account: fmt.Sprint("room", room), Period: budget.Month, Most: budget.Money(10*room + 9)})
	}
	for i, room := range rooms {
		var admitted, refused atomic.Int64
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				_, _, err := s.try(noon, 10, s.limits[i].Account)
				var over *budget.LimitError
				switch {
				case err == nil:
					admitted.Add(1)
				case errors.As(err, &over):
					refused.Add(1)
				default:
					t.Errorf("got %v, want a place or a refusal", err)
				}
			})
		}
		all.Wait()
		if admitted.Load() != room || refused.Load() != clients-room {
			t.Errorf("room for %d: got %d of %d admitted, want exactly as many", room, admitted.Load(), clients)
		}
	}
	s.verify()
}

// testWindows crosses midnight on the last of February, there and back again.
func testWindows(t *testing.T, s *stage) {
	s.limits = []budget.Limit{{Account: "a", Period: budget.Day, Most: 10}, {Account: "a", Period: budget.Month, Most: 25}}
	hold := func(at time.Time, want budget.Period) {
		t.Helper()
		_, _, err := s.try(at, 10, "a")
		var over *budget.LimitError
		if got := errors.As(err, &over); got != (want != "") || got && over.Period != want || err != nil && !got {
			t.Errorf("at %v: got %v, want it refused by the limit of %q", at, err, want)
		}
	}
	midnight := time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC)
	hold(midnight.Add(-time.Second), "")
	hold(midnight.Add(-time.Nanosecond), budget.Day)
	hold(midnight, "")
	hold(midnight.Add(-time.Hour), budget.Day) // the clock was set back: nothing begins anew
	hold(midnight.Add(25*time.Hour), "")
	hold(midnight.Add(50*time.Hour), budget.Month)
	hold(midnight.AddDate(0, 1, 0), "")
	s.verify()
}

// testSweep frees what attempts held that were never made.
func testSweep(t *testing.T, s *stage) {
	s.limits = []budget.Limit{{Account: "a", Period: budget.Ever, Most: 20}}
	hold := func(n int64) error {
		_, err := s.store.Hold(t.Context(), node, budget.Hold{Attempt: n, At: noon, Amount: 10, Limits: s.limits})
		return err
	}
	if err := errors.Join(hold(1), hold(2)); err != nil {
		t.Fatal(err)
	}
	if hold(3) == nil {
		t.Error("over the limit: got it admitted, want it refused")
	}
	if err := s.store.Sweep(t.Context(), node, 1); err != nil {
		t.Fatal(err)
	}
	s.verify()
	if err := hold(4); err != nil {
		t.Errorf("after one was freed: got %v, want room for another", err)
	}
	if hold(5) == nil {
		t.Error("after one took its place: got another admitted, want it refused")
	}
}

// testAllOrNone reserves on a chain of which one has no room.
func testAllOrNone(t *testing.T, s *stage) {
	s.limits = []budget.Limit{
		{Account: "key", Period: budget.Day, Most: 100}, {Account: "org", Period: budget.Ever, Most: 5}, {Account: "soft", Period: budget.Ever, Most: 1, Soft: true},
	}
	_, _, err := s.try(noon, 10, "key", "org")
	var over *budget.LimitError
	if !errors.As(err, &over) || over.Account != "org" {
		t.Errorf("got %v, want it refused by the limit of org", err)
	}
	_, keys, err := s.try(noon, 10, "soft", "key", "nobody")
	if err != nil || len(keys) != 2 {
		t.Errorf("got %v, %v, want windows of key and soft: a soft limit refuses nothing, and who has none needs none", keys, err)
	}
	windows, err := s.store.Windows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range windows {
		if want := map[string]budget.Money{"key": 10, "soft": 10}[w.Account]; w.Pending != want {
			t.Errorf("%s: got %v pending, want %v: a hold is taken whole or not at all", w.Account, w.Pending, want)
		}
	}
	s.verify()
}
