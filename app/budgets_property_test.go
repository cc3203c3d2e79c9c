package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/llm"
)

// TestBudgetsAtRandom reserves and settles at random, by vendors that say anything of what was used, under clocks that
// jump, budgets that change and gateways that end and start again, and holds the ledger to its invariants after each
// start: no budget is passed, but by what attempts cost beyond what they had reserved (S83).
func TestBudgetsAtRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		folder := t.TempDir()
		s := &shop{
			t: r, config: &config.Config{Data: folder}, now: time.Date(2028, 2, 28, 23, 59, 58, 0, time.UTC), running: map[int64]bool{},
			line: budget.NewLine(budget.Line{Provider: "acme", Model: "m", Asked: "m", Operation: "generate", Rates: budget.Rates{Input: 1e6, Output: 2e6}}),
		}
		s.open()
		r.Repeat(map[string]func(*rapid.T){
			"reserve": s.reserve,
			"settle":  s.settle,
			"limit":   s.limit,
			"clock":   s.clock,
			"restart": func(*rapid.T) { s.close(); s.open() },
		})
		for n := range s.running {
			s.end(n, budget.Outcome{Kind: budget.Void})
		}
		s.close()
		for _, w := range s.verify() {
			if w.Pending != 0 {
				r.Fatalf("got %+v when the gateway has ended, want nothing pending", w)
			}
		}
	})
}

// shop is the books of a gateway and what happens to them.
type shop struct {
	t       *rapid.T
	config  *config.Config
	books   *books
	line    *budget.Line
	now     time.Time
	limits  []budget.Limit
	running map[int64]bool
}

func (s *shop) open() {
	o := Options{}
	o.complete()
	s.books = &books{}
	if err := s.books.open(s.config, &o); err != nil {
		s.t.Fatal(err)
	}
	s.enforce()
}

func (s *shop) enforce() {
	if err := s.books.journal.SetLimits(s.t.Context(), s.limits); err != nil {
		s.t.Fatal(err)
	}
}

// close ends the gateway, with attempts that run: the next start closes these.
func (s *shop) close() {
	if err := s.books.close(); err != nil {
		s.t.Fatal(err)
	}
	clear(s.running)
	s.verify()
}

func (s *shop) reserve(r *rapid.T) {
	payer := budget.Payer{Key: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "key"), Team: "x", Provider: "acme"}
	most := budget.Tokens{Fresh: rapid.Int64Range(0, 30).Draw(r, "in"), Output: rapid.Int64Range(0, 30).Draw(r, "out")}
	n, err := s.books.Reserve(r.Context(), &budget.Reservation{Call: "call_x", Ordinal: 1, Line: s.line, At: s.now, Most: most, Payer: payer})
	var over *budget.LimitError
	switch {
	case err == nil:
		s.running[n] = true
	case !errors.As(err, &over):
		r.Fatal(err)
	case !s.isLimited(over):
		r.Fatalf("got %v, want no refusal by a budget that there is not", err)
	}
}

func (s *shop) isLimited(over *budget.LimitError) bool {
	for _, l := range s.limits {
		if l.Account == over.Account && l.Period == over.Period && !l.Soft {
			return true
		}
	}
	return false
}

func (s *shop) settle(r *rapid.T) {
	for n := range s.running {
		count := func(name string) int64 {
			return rapid.OneOf(rapid.Int64Range(0, 40), rapid.SampledFrom([]int64{-1, -1 << 62, 1 << 62, 1 << 40})).Draw(r, name)
		}
		res := budget.Result{
			Sent: rapid.Bool().Draw(r, "sent"), Status: rapid.SampledFrom([]int{0, 200, 429, 502}).Draw(r, "status"), Whole: rapid.Bool().Draw(r, "whole"),
			Begun: rapid.Bool().Draw(r, "begun"), Usage: llm.Usage{Known: rapid.Bool().Draw(r, "known"), InFresh: count("fresh"), OutVisible: count("visible"), OutReasoning: count("reasoning")},
			Input: 5, Output: 5,
		}
		s.end(n, res.Outcome())
		return
	}
}

func (s *shop) end(n int64, o budget.Outcome) {
	delete(s.running, n)
	s.books.Settle(n, &budget.Settlement{Outcome: o, At: s.now})
}

func (s *shop) limit(r *rapid.T) {
	s.limits = nil
	for _, account := range []string{"key:a", "key:b", "team:x", "provider:acme"} {
		for _, p := range budget.Periods() {
			if rapid.IntRange(0, 3).Draw(r, fmt.Sprint(account, p)) > 0 {
				continue
			}
			l := budget.Limit{Account: account, Period: p, Most: budget.Money(rapid.Int64Range(0, 300).Draw(r, "most"))}
			l.Strict = rapid.IntRange(0, 3).Draw(r, "strict") == 0
			l.Soft = !l.Strict && rapid.IntRange(0, 5).Draw(r, "soft") == 0
			s.limits = append(s.limits, l)
		}
	}
	s.enforce()
}

func (s *shop) clock(r *rapid.T) {
	s.now = s.now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, 3 * time.Second}).Draw(r, "jump"))
}

// verify holds the ledger to its invariants, and returns how accounts stand.
func (s *shop) verify() []budget.Window {
	var windows []budget.Window
	err := ReadLedger(s.t.Context(), s.config, func(b budget.Book) error {
		report, err := budget.Verify(s.t.Context(), b)
		if err != nil {
			return err
		}
		if len(report.Problems) > 0 {
			s.t.Fatalf("got %v, want no problem", report.Problems)
		}
		windows, _, err = b.Holds(s.t.Context())
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return windows
}
