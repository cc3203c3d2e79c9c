package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/understudy-ai/understudy/budget"
)

// model is how accounts must stand.
type model struct {
	limits  map[string]budget.Money
	posted  map[string]budget.Money
	overrun map[string]budget.Money
	pending map[string]budget.Money
	open    []budget.Entry
	closed  []budget.Entry
}

// testRandom reserves, posts, voids, changes limits and sweeps at random, and holds the store to the
// invariants, and to a model of accounts, after each step.
func testRandom(t *testing.T, s *stage) {
	l := line("random")
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		m := &model{map[string]budget.Money{}, map[string]budget.Money{}, map[string]budget.Money{}, map[string]budget.Money{}, nil, nil}
		names := []string{fmt.Sprint("key", round), fmt.Sprint("team", round), fmt.Sprint("org", round)}
		r.Repeat(map[string]func(*rapid.T){
			"limit":   func(r *rapid.T) { s.setLimits(r, m, names) },
			"hold":    func(r *rapid.T) { s.hold(r, m, l, names) },
			"settle":  func(r *rapid.T) { s.settle(r, m, l) },
			"correct": func(r *rapid.T) { s.correct(r, m) },
			"":        func(r *rapid.T) { s.compare(r, m) },
		})
		for len(m.open) > 0 { // rounds share the store
			s.settle(r, m, l)
		}
	})
	s.verify()
}

func (s *stage) setLimits(r *rapid.T, m *model, names []string) {
	s.limits = nil
	clear(m.limits)
	for _, name := range names {
		if rapid.Bool().Draw(r, "has") {
			m.limits[name] = budget.Money(rapid.Int64Range(0, 60).Draw(r, "limit")) * 1e6
			s.limits = append(s.limits, budget.Limit{Account: name, Period: budget.Ever, Most: m.limits[name]})
		}
	}
}

func (s *stage) hold(r *rapid.T, m *model, l *budget.Line, names []string) {
	accounts := names[:rapid.IntRange(0, len(names)).Draw(r, "accounts")]
	most, err := l.Rates.Cost(budget.Tokens{Fresh: rapid.Int64Range(0, 10).Draw(r, "in"), Output: rapid.Int64Range(0, 10).Draw(r, "out")})
	if err != nil {
		r.Fatal(err)
	}
	fits := true
	for _, a := range accounts {
		limit, has := m.limits[a]
		fits = fits && (!has || m.posted[a]+m.pending[a]+most <= limit)
	}
	n, keys, err := s.try(noon, most, accounts...)
	var over *budget.LimitError
	switch {
	case err != nil && !errors.As(err, &over):
		r.Fatal(err)
	case (err == nil) != fits:
		r.Fatalf("hold of %v on %v: got %v, want admitted: %v", most, accounts, err, fits)
	case err != nil:
		return
	}
	for _, k := range keys {
		m.pending[k.Account] += most
	}
	m.open = append(m.open, budget.Entry{
		Attempt: n, Call: fmt.Sprintf("call_%d", n), Ordinal: 1, Line: l.ID(), Reserved: most, At: noon.UnixMilli(), Windows: keys,
	})
}

func (s *stage) settle(r *rapid.T, m *model, l *budget.Line) {
	if len(m.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(r, "which")
	e := m.open[i]
	m.open = slices.Delete(m.open, i, i+1)
	e.Kind = rapid.SampledFrom(budget.Kinds()).Draw(r, "kind")
	if e.Kind != budget.Void {
		e.Tokens = budget.Tokens{Fresh: rapid.Int64Range(0, 12).Draw(r, "in"), Output: rapid.Int64Range(0, 12).Draw(r, "out")}
	}
	var err error
	if e.Amount, err = l.Rates.Cost(e.Tokens); err != nil {
		r.Fatal(err)
	}
	if e.Amount > e.Reserved {
		e.Flags |= budget.Overrun
	}
	if err := s.write([]*budget.Line{l}, e); err != nil {
		r.Fatal(err)
	}
	for _, k := range e.Windows {
		m.pending[k.Account] -= e.Reserved
		m.posted[k.Account] += e.Amount
		m.overrun[k.Account] += max(e.Amount-e.Reserved, 0)
	}
	m.closed = append(m.closed, e)
}

// correct gives a closed attempt another cost.
func (s *stage) correct(r *rapid.T, m *model) {
	if len(m.closed) == 0 {
		return
	}
	e := m.closed[rapid.IntRange(0, len(m.closed)-1).Draw(r, "which")]
	f, err := s.store.Find(s.ctx(), e.Call, 1)
	if err != nil {
		r.Fatal(err)
	}
	cost := budget.Money(rapid.Int64Range(0, 30).Draw(r, "cost")) * 1e6
	if err := s.store.Correct(s.ctx(), f.Correction(cost, "drawn", "", 0)); err != nil {
		r.Fatal(err)
	}
	for _, k := range f.Entry.Windows {
		m.posted[k.Account] += cost - f.Cost
		m.overrun[k.Account] += max(cost-f.Cost, 0)
	}
}

// compare holds every account to the model.
func (s *stage) compare(r *rapid.T, m *model) {
	windows, err := s.store.Windows(s.ctx())
	if err != nil {
		r.Fatal(err)
	}
	seen := 0
	for _, w := range windows {
		a := w.Account
		if _, is := m.pending[a]; !is {
			continue // of another round
		}
		seen++
		if w.Posted != m.posted[a] || w.Pending != m.pending[a] || w.Overrun != m.overrun[a] {
			r.Fatalf("%s: got %v posted, %v pending, %v overrun, want %v, %v, %v", a, w.Posted, w.Pending, w.Overrun, m.posted[a], m.pending[a], m.overrun[a])
		}
	}
	if seen != len(m.pending) {
		r.Fatalf("got %d windows, want %d", seen, len(m.pending))
	}
}

// testOrder writes the same entries in another order, in other batches, and expects the same sums.
func testOrder(t *testing.T, s *stage) {
	l := line("order")
	var entries []budget.Entry
	want := budget.Money(0)
	for i := range 40 {
		e := s.entry(l, int64(i))
		want += e.Amount
		entries = append(entries, e)
	}
	shuffle(entries)
	for len(entries) > 0 {
		n := min(1+dice(9), len(entries))
		if err := s.write([]*budget.Line{l}, entries[:n]...); err != nil {
			t.Fatal(err)
		}
		entries = entries[n:]
	}
	if r := s.verify(); r.Amount != want || r.Entries != 40 {
		t.Errorf("got %d entries of %v, want 40 of %v", r.Entries, r.Amount, want)
	}
}
