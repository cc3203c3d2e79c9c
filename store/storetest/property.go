package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
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
}

// testRandom reserves, posts, voids, changes limits and sweeps at random, and holds the store to the
// invariants, and to a model of accounts, after each step.
func testRandom(t *testing.T, s *stage) {
	l := line("random")
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		m := &model{map[string]budget.Money{}, map[string]budget.Money{}, map[string]budget.Money{}, map[string]budget.Money{}, nil}
		names := []string{fmt.Sprint("key", round), fmt.Sprint("team", round), fmt.Sprint("org", round)}
		r.Repeat(map[string]func(*rapid.T){
			"limit":  func(r *rapid.T) { s.setLimits(r, m, names) },
			"hold":   func(r *rapid.T) { s.hold(r, m, l, names) },
			"settle": func(r *rapid.T) { s.settle(r, m, l) },
			"":       func(r *rapid.T) { s.compare(r, m) },
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

// What a client does to one account, and what it is told.
type operation struct {
	kind   string // hold, settle or read
	amount budget.Money
	posted budget.Money
}

type answer struct {
	admitted        bool
	posted, pending budget.Money
}

type standing struct{ posted, pending budget.Money }

// testLinear has clients reserve, settle and read one account at once, and looks for an order of what
// they did that explains all they were told.
func testLinear(t *testing.T, s *stage) {
	const clients, steps, limit = 6, 12, 40
	l := line("linear")
	for round := range 8 {
		account := fmt.Sprint("linear", round)
		s.limits = []budget.Limit{{Account: account, Period: budget.Ever, Most: limit * 1e6}}
		var mu sync.Mutex
		var history []porcupine.Operation
		begun := time.Now()
		var all sync.WaitGroup
		for client := range clients {
			all.Go(func() {
				var open []budget.Entry
				for range steps {
					op := operation{kind: []string{"hold", "hold", "settle", "read"}[dice(4)], amount: budget.Money(dice(10)) * 1e6}
					call := time.Since(begun).Nanoseconds()
					out, did := s.step(&op, account, l, &open)
					if !did {
						continue
					}
					mu.Lock()
					history = append(history, porcupine.Operation{ClientId: client, Input: op, Call: call, Output: out, Return: time.Since(begun).Nanoseconds()})
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if got := porcupine.CheckOperationsTimeout(linear(limit*1e6), history, 20*time.Second); got != porcupine.Ok {
			t.Errorf("round %d: got a history of %d operations that is %s, want it linearizable", round, len(history), got)
		}
	}
	s.verify()
}

// step does one operation; not when there is nothing to do.
func (s *stage) step(op *operation, account string, l *budget.Line, open *[]budget.Entry) (answer, bool) {
	switch op.kind {
	case "hold":
		n, keys, err := s.try(noon, op.amount, account)
		if err == nil {
			*open = append(*open, budget.Entry{
				Attempt: n, Call: fmt.Sprintf("call_%d", n), Ordinal: 1, Line: l.ID(), Reserved: op.amount, At: noon.UnixMilli(), Windows: keys,
			})
		}
		return answer{admitted: err == nil}, true
	case "settle":
		if len(*open) == 0 {
			return answer{}, false
		}
		e := (*open)[0]
		*open = (*open)[1:]
		e.Kind, e.Tokens.Fresh = budget.Posted, int64(e.Reserved/1e6)
		e.Amount = e.Reserved
		op.amount, op.posted = e.Reserved, e.Amount
		if err := s.write([]*budget.Line{l}, e); err != nil {
			s.t.Errorf("settle: got %v, want it written", err)
		}
		return answer{}, true
	default:
		windows, err := s.store.Windows(s.ctx())
		if err != nil {
			s.t.Errorf("read: got %v, want how accounts stand", err)
		}
		for _, w := range windows {
			if w.Account == account {
				return answer{posted: w.Posted, pending: w.Pending}, true
			}
		}
		return answer{}, true
	}
}

// linear is an account with a limit, one operation after the other.
func linear(limit budget.Money) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return standing{} },
		Step: func(state, input, output any) (bool, any) {
			st, op, out := state.(standing), input.(operation), output.(answer) //nolint:forcetypeassert // they are no others
			switch op.kind {
			case "hold":
				if fits := st.posted+st.pending+op.amount <= limit; fits != out.admitted {
					return false, st
				}
				if out.admitted {
					st.pending += op.amount
				}
			case "settle":
				st.pending -= op.amount
				st.posted += op.posted
			default:
				return out.posted == st.posted && out.pending == st.pending, st
			}
			return true, st
		},
	}
}
