package budget

import (
	"context"
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// shelf is a book in memory.
type shelf struct {
	lines  map[int64]*Line
	rows   []Row
	totals map[TotalKey]*Total

	corrections []CorrectionRow
}

// newShelf has so many entries, in batches.
func newShelf(t *testing.T, n, batch int) *shelf {
	t.Helper()
	l := NewLine(Line{Provider: "acme", Model: "m", Operation: "generate", Rates: Rates{Input: 1e12}})
	s := &shelf{lines: map[int64]*Line{l.ID(): l}}
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{
			Attempt: int64(1000 + i), Ordinal: 1, Line: l.ID(), Kind: Posted, Tokens: Tokens{Fresh: int64(i % 7)}, Amount: Money(i%7) * 1e6, Reserved: 1e9,
		}
	}
	s.totals = Totals(entries)
	var chain []byte
	for from := 0; from < n; from += batch {
		h := sha256.New()
		h.Write(chain)
		for i := from; i < min(from+batch, n); i++ {
			r := RowOf(int64(i+1), &entries[i])
			h.Write(r.Body)
			s.rows = append(s.rows, r)
		}
		chain = h.Sum(nil)
		s.rows[len(s.rows)-1].Chain = chain
	}
	return s
}

// correct adds a correction.
func (s *shelf) correct(attempt int64, was, cost Money) {
	f := Found{Entry: Entry{Attempt: attempt, Ordinal: 1, Line: s.rows[0].Line}, Cost: was, Kind: Posted}
	s.corrections = append(s.corrections, NextCorrection(CorrectionRow{}, f.Correction(cost, "any", "ada", 1)))
}

func (s *shelf) Last(context.Context) (int64, error) { return s.rows[len(s.rows)-1].Seq, nil }

func (s *shelf) Link(_ context.Context, from int64) (int64, []byte, error) {
	for _, r := range s.rows {
		if r.Seq >= from && r.Chain != nil {
			return r.Seq, r.Chain, nil
		}
	}
	return 0, nil, nil
}

func (s *shelf) Rows(_ context.Context, behind, upTo int64, f func(*Row) error) error {
	for _, r := range s.rows {
		if r.Seq > behind && r.Seq <= upTo {
			if err := f(&r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Totals(context.Context, int64, int64) (list []Total, err error) {
	for key, t := range s.totals {
		t.Line = s.lines[key.Line]
		list = append(list, *t)
	}
	return list, nil
}

func (s *shelf) Corrections(context.Context) ([]CorrectionRow, error) { return s.corrections, nil }

func (s *shelf) Lines(context.Context) (map[int64]*Line, error) { return s.lines, nil }

func (s *shelf) Holds(context.Context) ([]Window, map[Key]Money, error) { return nil, nil, nil }

// TestVerifyInParts breaks a book that is read in parts, in each of them and where they meet.
func TestVerifyInParts(t *testing.T) {
	const n, batch = 2*minPart + 5000, 999
	whole := newShelf(t, n, batch)
	meet := slices.IndexFunc(whole.rows, func(r Row) bool { return r.Seq >= n/2 && r.Chain != nil })
	for _, tc := range []struct {
		name   string
		change func(s *shelf)
		want   string // "" if nothing is wrong
	}{
		{"whole", func(*shelf) {}, ""},
		{"changed early", func(s *shelf) { s.rows[10].Amount++ }, "row 11: its columns are not those"},
		{"changed late", func(s *shelf) { s.rows[n-10].Body = slices.Clone(s.rows[n-11].Body) }, "the chain is broken"},
		{"removed at the beginning", func(s *shelf) { s.rows = slices.Delete(s.rows, 0, 1) }, "row 2: want row 1 there"},
		{"removed where parts meet", func(s *shelf) { s.rows = slices.Delete(s.rows, meet, meet+1) }, "rows are missing"},
		{"removed behind where parts meet", func(s *shelf) { s.rows = slices.Delete(s.rows, meet+1, meet+2) }, "rows are missing"},
		{"cut off", func(s *shelf) { s.rows = s.rows[:n-1] }, "belong to no batch"},
		{"twice", func(s *shelf) { s.rows[n-1].Body = s.rows[0].Body }, "closed twice"},
		{"corrected", func(s *shelf) { s.correct(1005, 5e6, 9) }, ""},
		{"corrected from another cost", func(s *shelf) { s.correct(1005, 4e6, 9) }, "correction 1: got one of an attempt"},
		{"corrected and not there", func(s *shelf) { s.correct(7, 5e6, 9) }, "got some of 1 attempts, of which the ledger has 0"},
		{"corrected to less than nothing", func(s *shelf) { s.correct(1005, 5e6, -9) }, "want no less than nothing"},
		{"a link forged", func(s *shelf) { s.rows[meet].Chain = make([]byte, 32) }, "the chain is broken"},
	} {
		s := &shelf{lines: whole.lines, rows: slices.Clone(whole.rows), totals: whole.totals}
		tc.change(s)
		r, err := verify(t.Context(), s, 2)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(r.Problems, "\n")
		if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got problems %q, want %q in them", tc.name, got, tc.want)
		}
		if tc.want == "" && (r.Entries != n || r.Calls != n || r.ByKind[Posted] != n) {
			t.Errorf("got %d entries of %d calls and %v, want %d of each", r.Entries, r.Calls, r.ByKind, n)
		}
	}
}

// TestCorrected takes what was not sure, or had no price, from where it was, and adds what an operator knows to what is sure.
func TestCorrected(t *testing.T) {
	unpriced := NewLine(Line{Provider: "acme", Model: "m", Rates: Cap()})
	priced := NewLine(Line{Provider: "acme", Model: "n", Rates: Rates{Input: 1}})
	lines := map[int64]*Line{unpriced.ID(): unpriced, priced.ID(): priced}
	totals := []Total{
		{Day: 3, Line: unpriced, Kind: Posted, Attempts: 1, Amount: 100},
		{Day: 3, Line: priced, Kind: Uncertain, Flags: Orphan | Wasted, Attempts: 1, Amount: 50},
	}
	at := int64(3*86_400_000 + 5)
	first := Found{Entry: Entry{Attempt: 1, At: at, Line: unpriced.ID()}, Cost: 100, Kind: Posted}
	second := Found{Entry: Entry{Attempt: 2, At: at, Line: priced.ID(), Flags: Orphan | Wasted}, Cost: 50, Kind: Uncertain}
	var rows []CorrectionRow
	for _, c := range []*Correction{first.Correction(7, "invoice", "", 1), second.Correction(0, "invoice", "", 2)} {
		last := CorrectionRow{}
		if len(rows) > 0 {
			last = rows[len(rows)-1]
		}
		rows = append(rows, NextCorrection(last, c))
	}
	first.Cost = 7
	rows = append(rows, NextCorrection(rows[1], first.Correction(9, "another invoice", "", 3)))
	for _, tc := range []struct {
		from int64
		want Usage
	}{
		{3, Usage{Attempts: 2, Cost: 9}},
		{4, Usage{Attempts: 2, Cost: 50, Uncertain: 50, Wasted: 50, Unpriced: 100}}, // of other days
	} {
		corrected, err := Corrected(totals, rows, lines, tc.from, 9)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReportBy(corrected, nil)
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v, want one row", got, err)
		}
		got[0].Names = nil
		if !reflect.DeepEqual(got[0], &tc.want) {
			t.Errorf("from day %d: got %+v, want %+v", tc.from, got[0], tc.want)
		}
	}
}
