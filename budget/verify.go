package budget

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Row is an entry as a store has it. Body is what was written, of which the other members are a
// copy for queries.
type Row struct {
	Node                   string // whose attempt it is, where there are several
	Seq, Attempt, Line, At int64
	Kind                   Kind
	Flags                  Flags
	Reserved, Amount       Money
	Input, Output          int64
	Body                   []byte // good until the next row
	Chain                  []byte // nil but in the last row of a batch; likewise
}

// RowOf is an entry's row, but for its chain.
func RowOf(seq int64, e *Entry) Row {
	const room = 128 // for nearly all
	return Row{
		Seq: seq, Attempt: e.Attempt, Line: e.Line, At: e.At, Kind: e.Kind, Flags: e.Flags,
		Reserved: e.Reserved, Amount: e.Amount, Input: e.Tokens.Input(), Output: e.Tokens.All(), Body: e.Append(make([]byte, 0, room)),
	}
}

// repeats reports whether the columns are those of the entry in the body.
func (r *Row) repeats(e *Entry) bool {
	return r.Attempt == e.Attempt && r.Line == e.Line && r.At == e.At && r.Kind == e.Kind && r.Flags == e.Flags &&
		r.Reserved == e.Reserved && r.Amount == e.Amount && r.Input == e.Tokens.Input() && r.Output == e.Tokens.All()
}

// Total sums up entries that are alike: of one day in UTC, line, kind and flags.
type Total struct {
	Day      int64 // counted from 1970
	Line     *Line
	Kind     Kind
	Flags    Flags
	Attempts int64
	Amount   Money
	Input    int64
	Output   int64
}

// Book is what a store has, as of one moment.
type Book interface {
	// Link is the first link of the chain at or behind a place, and its own place; 0 if there is none.
	Link(ctx context.Context, from int64) (at int64, chain []byte, err error)
	// Rows calls f for each entry behind one place and up to another, in the order in which they
	// were written. It may be called concurrently.
	Rows(ctx context.Context, behind, upTo int64, f func(*Row) error) error
	// Last is the place of the last entry; 0 if there is none.
	Last(ctx context.Context) (int64, error)
	// Totals lists the sums that reports are made of, from one day to another.
	Totals(ctx context.Context, from, to int64) ([]Total, error)
	// Corrections lists what operators have corrected, in the order in which they did.
	Corrections(ctx context.Context) ([]CorrectionRow, error)
	// Lines lists what entries have in common, by id.
	Lines(ctx context.Context) (map[int64]*Line, error)
	// Holds lists how accounts stand, and what is held in their windows.
	Holds(ctx context.Context) ([]Window, map[Key]Money, error)
}

// Report is what Verify found.
type Report struct {
	Entries int64
	Calls   int64
	ByKind  map[Kind]int64
	Amount  Money
	Chain   []byte // the last link: it stands for every entry
	// Corrections is how many there are; they are in Amount. CorrectionChain stands for all of them.
	Corrections     int64
	CorrectionChain []byte
	Problems        []string
}

// maxProblems bounds a report: a broken ledger is broken in many places.
const maxProblems = 100

// verifier holds what is found together.
type verifier struct {
	*part
	lines map[int64]*Line
}

// Verify reads every row of a store and holds it to the ledger's invariants: each attempt is closed
// once; its amount is that of its tokens at its pinned rates; no row was changed, removed or put in
// between; and every sum, limit and window is that of its rows, to the pico-dollar.
func Verify(ctx context.Context, b Book) (*Report, error) {
	return verify(ctx, b, runtime.GOMAXPROCS(0))
}

// VerifyBeside is Verify beside other work: it leaves that all processors but one.
func VerifyBeside(ctx context.Context, b Book) (*Report, error) { return verify(ctx, b, 1) }

func verify(ctx context.Context, b Book, processors int) (*Report, error) {
	v := &verifier{}
	var err error
	if v.lines, err = b.Lines(ctx); err != nil {
		return nil, err
	}
	rows, err := b.Corrections(ctx)
	if err != nil {
		return nil, err
	}
	corrected, problems := correctionsOf(rows)
	parts, err := v.parts(ctx, b, corrected, processors)
	if err != nil {
		return nil, err
	}
	failed := make([]error, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() { failed[i] = p.read(ctx, b) })
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	v.part = parts[0]
	for _, p := range parts[1:] {
		v.join(p)
	}
	for _, text := range problems {
		v.bad("%s", text)
	}
	v.corrections(corrected)
	const ever = 1 << 40
	totals, err := b.Totals(ctx, -ever, ever)
	if err != nil {
		return nil, err
	}
	v.sums(totals)
	windows, held, err := b.Holds(ctx)
	if err != nil {
		return nil, err
	}
	v.accounts(windows, held)
	v.report.Chain = v.chain
	return &v.report, nil
}

// corrections sums up what operators have corrected.
func (v *verifier) corrections(c *corrections) {
	if found := int64(len(c.of)); found != v.corrected {
		v.bad("corrections: got some of %d attempts, of which the ledger has %d", found, v.corrected)
	}
	for i, m := range c.made {
		var err error
		if v.report.Amount, err = v.report.Amount.Plus(m.Change()); err != nil {
			v.bad("correction %d: the sum of all amounts: %v", c.rows[i].Seq, err)
		}
		v.report.CorrectionChain = c.rows[i].Chain
	}
	v.report.Corrections = int64(len(c.made))
}

// sums compares the sums that reports show.
func (v *verifier) sums(totals []Total) {
	for _, t := range totals {
		key := TotalKey{t.Day, t.Line.ID(), t.Kind, t.Flags}
		want := v.totals[key]
		delete(v.totals, key)
		if want == nil {
			v.bad("usage of %s/%s on day %d: got %d attempts, want none by the rows", t.Line.Provider, t.Line.Model, t.Day, t.Attempts)
			continue
		}
		if t.Attempts != want.Attempts || t.Amount != want.Amount || t.Input != want.Input || t.Output != want.Output {
			v.bad("usage of %s/%s on day %d: got %d attempts, %v, %d and %d tokens, want %d, %v, %d and %d by the rows", t.Line.Provider, t.Line.Model,
				t.Day, t.Attempts, t.Amount, t.Input, t.Output, want.Attempts, want.Amount, want.Input, want.Output)
		}
	}
	for key, t := range v.totals {
		v.bad("usage of line %d on day %d: got nothing, want %d attempts by the rows", key.Line, key.Day, t.Attempts)
	}
}

// accounts compares how accounts stand.
func (v *verifier) accounts(windows []Window, held map[Key]Money) {
	for _, w := range windows {
		want := v.windows[w.Key]
		delete(v.windows, w.Key)
		if want == nil {
			want = &Window{}
		}
		if w.Posted != want.Posted || w.Overrun != want.Overrun {
			v.bad("account %s, %s from %d: got %v posted and %v overrun, want %v and %v by the rows",
				w.Account, w.Period, w.Start, w.Posted, w.Overrun, want.Posted, want.Overrun)
		}
		if w.Pending != held[w.Key] {
			v.bad("account %s, %s from %d: got %v pending, want %v by what is held", w.Account, w.Period, w.Start, w.Pending, held[w.Key])
		}
		if !w.Soft && w.Posted+w.Pending > w.Limit+w.Overrun {
			v.bad("account %s, %s from %d: got %v posted and %v pending, want no more than %v and %v overrun",
				w.Account, w.Period, w.Start, w.Posted, w.Pending, w.Limit, w.Overrun)
		}
		delete(held, w.Key)
	}
	missing := slices.Concat(slices.Collect(maps.Keys(v.windows)), slices.Collect(maps.Keys(held)))
	slices.SortFunc(missing, func(a, b Key) int { return strings.Compare(a.Account, b.Account) })
	for _, key := range missing {
		v.bad("account %s, %s from %d: got no window, want the one that entries name", key.Account, key.Period, key.Start)
	}
}
