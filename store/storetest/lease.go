package storetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/understudy-ai/understudy/budget"
)

// testLimits keeps limits, changes one and forgets one.
func testLimits(t *testing.T, s *stage) {
	put := func(l budget.Limit) {
		t.Helper()
		if err := s.store.PutLimit(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	put(budget.Limit{Account: "b", Period: budget.Day, Most: 5})
	put(budget.Limit{Account: "a", Period: budget.Month, Most: 7, Strict: true})
	put(budget.Limit{Account: "a", Period: budget.Day, Most: 3})
	put(budget.Limit{Account: "a", Period: budget.Day, Most: 4, Soft: true})
	if err := errors.Join(s.store.DropLimit(t.Context(), "b", budget.Day), s.store.DropLimit(t.Context(), "b", budget.Day)); err != nil {
		t.Fatal(err)
	}
	got, err := s.store.Limits(t.Context())
	want := []budget.Limit{{Account: "a", Period: budget.Day, Most: 4, Soft: true}, {Account: "a", Period: budget.Month, Most: 7, Strict: true}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// leased is a window and the lease of the gateway that writes.
var leased = budget.Key{Account: "team:a", Period: budget.Ever}

func (s *stage) draw(since int64, need budget.Money, share int64) (budget.Money, error) {
	const most = 100
	got, err := s.store.Draw(s.ctx(), budget.Lease{Node: node, Since: since}, []budget.Draw{{Key: leased, Most: most, Need: need, Share: share}})
	if err != nil {
		return 0, err
	}
	return got[0], nil
}

// spend writes an entry that was reserved in the leased window.
func (s *stage) spend(attempt int64, reserved, amount budget.Money) {
	s.t.Helper()
	l := budget.NewLine(budget.Line{Provider: "acme", Model: "m", Asked: "m", Operation: "generate", Rates: budget.Rates{Input: 1e6}}) // one for a token
	e := budget.Entry{
		Attempt: attempt, Call: "call_x", Ordinal: 1, Line: l.ID(), Reserved: reserved, At: noon.UnixMilli(), Kind: budget.Posted,
		Amount: amount, Tokens: budget.Tokens{Fresh: int64(amount)}, Windows: []budget.Key{leased},
	}
	if amount > reserved {
		e.Flags |= budget.Overrun
	}
	if err := s.write([]*budget.Line{l}, e); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) stands(posted, pending, overrun budget.Money) {
	s.t.Helper()
	windows, err := s.store.Windows(s.ctx())
	if err != nil || len(windows) != 1 {
		s.t.Fatalf("got %+v, %v, want one window", windows, err)
	}
	if w := windows[0]; w.Posted != posted || w.Pending != pending || w.Overrun != overrun || w.Soft {
		s.t.Errorf("got %+v, want %d posted, %d pending and %d overrun under a limit that holds", w, posted, pending, overrun)
	}
	s.verify()
}

// testLease draws, spends, returns and draws all that is left.
func testLease(t *testing.T, s *stage) {
	draw := func(need budget.Money, share int64, want budget.Money) {
		t.Helper()
		got, err := s.draw(1, need, share)
		if (err == nil) != (want > 0) || got != want {
			t.Errorf("need %d of a share of 1/%d: got %d, %v, want %d", need, share, got, err, want)
		}
	}
	draw(10, 2, 50)
	draw(20, 10, 20)
	draw(31, 1, 0)
	s.stands(0, 70, 0)
	s.spend(1, 10, 4)
	s.spend(2, 10, 15)
	s.stands(19, 51, 5)
	if err := s.store.Return(t.Context(), budget.Lease{Node: node, Since: 1}, map[budget.Key]budget.Money{leased: 41}); err != nil {
		t.Fatal(err)
	}
	s.stands(19, 10, 5)
	s.spend(3, 10, 12) // more than there is
	s.stands(31, 0, 7)
	draw(70, 1, 0)
	draw(1, 1, 69)
	s.stands(31, 69, 7)

	var admitted atomic.Int64
	var all sync.WaitGroup
	if err := s.store.Return(t.Context(), budget.Lease{Node: node, Since: 1}, map[budget.Key]budget.Money{leased: 69}); err != nil {
		t.Fatal(err)
	}
	for range 64 {
		all.Go(func() {
			if got, err := s.draw(1, 7, 64); err == nil {
				admitted.Add(int64(got))
			}
		})
	}
	all.Wait()
	if got := admitted.Load(); got != 63 {
		t.Errorf("got %d leased of 69 in parts of 7, want 63", got)
	}
	s.stands(31, 63, 7)
}

// testStarts spends out of the leases of two starts, and frees what the first has left.
func testStarts(t *testing.T, s *stage) {
	for _, since := range []int64{10, 20} {
		if got, err := s.draw(since, 30, 4); err != nil || got != 30 {
			t.Fatalf("got %d, %v, want 30", got, err)
		}
	}
	s.spend(19, 5, 5)
	s.spend(20, 6, 6)
	s.stands(11, 49, 0)
	if err := s.store.Sweep(t.Context(), node, 19); err != nil {
		t.Fatal(err)
	}
	s.stands(11, 24, 0)
	for since, amount := range map[int64]budget.Money{10: 5, 20: 25} { // what is not leased, or not so much, is not given back
		if err := s.store.Return(t.Context(), budget.Lease{Node: node, Since: since}, map[budget.Key]budget.Money{leased: amount}); err != nil {
			t.Fatal(err)
		}
	}
	s.stands(11, 24, 0)
	if got, err := s.draw(20, 65, 1); err != nil || got != 65 {
		t.Errorf("got %d, %v, want all that is left", got, err)
	}
	s.stands(11, 89, 0)
}
