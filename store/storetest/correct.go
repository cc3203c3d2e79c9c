package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
)

// testCorrections corrects attempts: down, up, again, and from what they no longer cost.
func testCorrections(t *testing.T, s *stage) {
	l := line("correct")
	limits := []budget.Limit{{Account: "key", Period: budget.Ever, Most: 1e9, Strict: true}}
	var total budget.Money
	for range 3 {
		e := s.entry(l, 20)
		e.Reserved = e.Amount
		var err error
		if e.Windows, err = s.store.Hold(t.Context(), node, budget.Hold{Attempt: e.Attempt, At: noon, Amount: e.Reserved, Limits: limits}); err != nil {
			t.Fatal(err)
		}
		if err := s.write([]*budget.Line{l}, e); err != nil {
			t.Fatal(err)
		}
		total += e.Amount
	}
	s.wantUnmoved()
	for _, call := range []string{"call_", "call_4", "nobody's"} {
		if _, err := s.store.Find(t.Context(), call, 1); !errors.Is(err, budget.ErrNoAttempt) {
			t.Errorf("find %s: got %v, want %v", call, err, budget.ErrNoAttempt)
		}
	}
	stale, err := s.store.Find(t.Context(), "call_2", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, cost := range []budget.Money{0, 7, 1e9, 3} {
		f, err := s.store.Find(t.Context(), "call_2", 1)
		if err != nil {
			t.Fatal(err)
		}
		if f.Entry.Call != "call_2" || f.Entry.Ordinal != 1 {
			t.Errorf("got %s/%d, want call_2/1", f.Entry.Call, f.Entry.Ordinal)
		}
		if err := s.store.Correct(t.Context(), f.Correction(cost, "the invoice says so", "ada", 1)); err != nil {
			t.Fatal(err)
		}
		total += cost - f.Cost
		if r := s.verify(); r.Amount != total {
			t.Errorf("corrected to %v: got %v in all, want %v", cost, r.Amount, total)
		}
		windows, err := s.store.Windows(t.Context())
		if err != nil || len(windows) != 1 || windows[0].Posted != total {
			t.Errorf("corrected to %v: got %v, %v, want %v posted", cost, windows, err, total)
		}
	}
	if err := s.store.Correct(t.Context(), stale.Correction(1, "late", "ada", 1)); !errors.Is(err, budget.ErrCorrected) {
		t.Errorf("from what it no longer costs: got %v, want %v", err, budget.ErrCorrected)
	}
	if r := s.verify(); r.Corrections != 4 || r.Entries != 3 {
		t.Errorf("got %d corrections of %d entries, want 4 of 3", r.Corrections, r.Entries)
	}
	s.wantCorrected(l, total)
}

// wantUnmoved changes limits and keys, and finds that what was spent is as it was.
func (s *stage) wantUnmoved() {
	s.t.Helper()
	before, err := s.store.Windows(s.ctx())
	if err != nil || len(before) == 0 {
		s.t.Fatalf("got %v, %v, want windows", before, err)
	}
	limit := budget.Limit{Account: "key", Period: budget.Ever, Most: 1}
	_, _, keyErr := s.registry(access.NewSecret()).Create(s.ctx(), "key", access.Spec{Name: "Ada", Models: []string{"*"}})
	if err := errors.Join(keyErr, s.store.PutLimit(s.ctx(), limit), s.store.DropLimit(s.ctx(), limit.Account, limit.Period)); err != nil {
		s.t.Fatal(err)
	}
	if after, err := s.store.Windows(s.ctx()); err != nil || !slices.Equal(after, before) {
		s.t.Errorf("after changes of limits and keys: got %v, %v, want %v", after, err, before)
	}
}

// wantCorrected holds the report to a sum.
func (s *stage) wantCorrected(l *budget.Line, want budget.Money) {
	s.t.Helper()
	err := s.read(func(b budget.Book) error {
		day := noon.Unix() / 86400
		totals, err := b.Totals(s.ctx(), day, day)
		if err != nil {
			return err
		}
		rows, err := b.Corrections(s.ctx())
		if err != nil {
			return err
		}
		if totals, err = budget.Corrected(totals, rows, map[int64]*budget.Line{l.ID(): l}, day, day); err != nil {
			return err
		}
		report, err := budget.ReportBy(totals, []budget.Column{budget.ByModel})
		if err == nil && (len(report) != 1 || report[0].Cost != want || report[0].Attempts != 3) {
			s.t.Errorf("report: got %+v, want %v for three attempts", report, want)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
