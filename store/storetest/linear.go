package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/understudy-ai/understudy/budget"
)

// What a client does to one account, and what it is told.
type operation struct {
	kind     string // hold, settle or read
	reserved budget.Money
	amount   budget.Money // that is posted; nothing if it is void
}

type answer struct {
	admitted        bool
	unknown         bool // the client left before it was told
	posted, pending budget.Money
}

type standing struct{ posted, pending budget.Money }

// histories is how many are looked at: some, or UNDERSTUDY_HISTORIES.
func histories(t *testing.T) int {
	t.Helper()
	text := os.Getenv("UNDERSTUDY_HISTORIES")
	if text == "" {
		return 8
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// testLinear has clients reserve, settle and read one account at once, and looks for an order of what
// they did that explains all they were told. Some leave before they are told anything, as when the gateway dies.
func testLinear(t *testing.T, s *stage, histories int) {
	const clients, steps, limit = 8, 10, 40
	l := line("linear")
	for round := range histories {
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
					op := operation{kind: []string{"hold", "hold", "gone", "settle", "settle", "read"}[dice(6)], reserved: budget.Money(dice(10)) * 1e6}
					call := time.Since(begun).Nanoseconds()
					out, did := s.step(&op, account, l, &open)
					if !did {
						continue
					}
					end := time.Since(begun).Nanoseconds()
					if out.unknown { // it may yet happen
						end = math.MaxInt64
					}
					mu.Lock()
					history = append(history, porcupine.Operation{ClientId: client, Input: op, Call: call, Output: out, Return: end})
					mu.Unlock()
					if out.unknown {
						return // a client that left does nothing more
					}
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
	case "hold", "gone":
		ctx := s.ctx()
		if op.kind == "gone" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(dice(2000))*time.Microsecond)
			defer cancel()
			op.kind = "hold"
		}
		h := budget.Hold{Attempt: s.attempt.Add(1), At: noon, Amount: op.reserved, Limits: s.limits}
		keys, err := s.store.Hold(ctx, node, h)
		var over *budget.LimitError
		if err != nil && !errors.As(err, &over) {
			if ctx.Err() == nil {
				s.t.Errorf("hold: got %v, want it admitted or refused", err)
			}
			return answer{unknown: true}, true
		}
		if err == nil {
			*open = append(*open, budget.Entry{
				Attempt: h.Attempt, Call: fmt.Sprintf("call_%d", h.Attempt), Ordinal: 1, Line: l.ID(), Reserved: op.reserved, At: noon.UnixMilli(), Windows: keys,
			})
		}
		return answer{admitted: err == nil}, true
	case "settle":
		if len(*open) == 0 {
			return answer{}, false
		}
		e := (*open)[0]
		*open = (*open)[1:]
		if e.Kind = budget.Void; dice(4) > 0 {
			e.Kind, e.Tokens.Fresh = budget.Posted, int64(dice(12))
			e.Amount = budget.Money(e.Tokens.Fresh) * 1e6
		}
		if e.Amount > e.Reserved {
			e.Flags |= budget.Overrun
		}
		op.reserved, op.amount = e.Reserved, e.Amount
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
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{standing{}} },
		Step: func(state, input, output any) []any {
			st, op, out := state.(standing), input.(operation), output.(answer) //nolint:forcetypeassert // they are no others
			switch op.kind {
			case "hold":
				fits := st.posted+st.pending+op.reserved <= limit
				held := standing{st.posted, st.pending + op.reserved}
				switch {
				case out.unknown && fits:
					return []any{st, held}
				case out.unknown || !fits && !out.admitted:
					return []any{st}
				case fits && out.admitted:
					return []any{held}
				}
				return nil
			case "settle":
				return []any{standing{st.posted + op.amount, st.pending - op.reserved}}
			default:
				if out.posted != st.posted || out.pending != st.pending {
					return nil
				}
				return []any{st}
			}
		},
	}
	return model.ToModel()
}
