package budget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
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
	return Row{
		Seq: seq, Attempt: e.Attempt, Line: e.Line, At: e.At, Kind: e.Kind, Flags: e.Flags,
		Reserved: e.Reserved, Amount: e.Amount, Input: e.Tokens.Input(), Output: e.Tokens.All(), Body: e.Append(nil),
	}
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
	// Rows calls f for each entry, in the order in which they were written.
	Rows(ctx context.Context, f func(*Row) error) error
	// Totals lists the sums that reports are made of, from one day to another.
	Totals(ctx context.Context, from, to int64) ([]Total, error)
	// Lines lists what entries have in common, by id.
	Lines(ctx context.Context) (map[int64]*Line, error)
	// Holds lists how accounts stand, and what is held in their windows.
	Holds(ctx context.Context) ([]Window, map[Key]Money, error)
}

// Report is what Verify found.
type Report struct {
	Entries  int64
	Calls    int64
	ByKind   map[Kind]int64
	Amount   Money
	Chain    []byte // the last link: it stands for every entry
	Problems []string
}

// maxProblems bounds a report: a broken ledger is broken in many places.
const maxProblems = 100

// verifier goes through the rows once.
type verifier struct {
	report  Report
	lines   map[int64]*Line
	chain   []byte
	since   hash.Hash
	open    bool // rows have come since the last link
	seen    map[attempts]*[1 << 10]uint64
	totals  map[TotalKey]*Total
	windows map[Key]*Window
	next    int64
}

// Verify reads every row of a store and holds it to the ledger's invariants: each attempt is closed
// once; its amount is that of its tokens at its pinned rates; no row was changed, removed or put in
// between; and every sum, limit and window is that of its rows, to the pico-dollar.
func Verify(ctx context.Context, b Book) (*Report, error) {
	v := &verifier{
		report: Report{ByKind: map[Kind]int64{}}, seen: map[attempts]*[1 << 10]uint64{},
		totals: map[TotalKey]*Total{}, windows: map[Key]*Window{}, next: 1,
	}
	var err error
	if v.lines, err = b.Lines(ctx); err != nil {
		return nil, err
	}
	v.link(nil)
	if err := b.Rows(ctx, v.row); err != nil {
		return nil, err
	}
	if v.open {
		v.bad("the last rows belong to no batch: got no link of the chain behind them")
	}
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

func (v *verifier) bad(format string, args ...any) {
	if len(v.report.Problems) < maxProblems {
		v.report.Problems = append(v.report.Problems, fmt.Sprintf(format, args...))
	}
}

// link begins the next part of the chain.
func (v *verifier) link(chain []byte) {
	v.chain, v.since, v.open = bytes.Clone(chain), sha256.New(), false
	v.since.Write(v.chain)
}

func (v *verifier) row(r *Row) error {
	v.report.Entries++
	if r.Seq != v.next {
		v.bad("row %d: want row %d there: rows are missing", r.Seq, v.next)
	}
	v.next = r.Seq + 1
	v.since.Write(r.Body)
	v.open = true
	if r.Chain != nil {
		if !bytes.Equal(v.since.Sum(nil), r.Chain) {
			v.bad("row %d: the chain is broken: a row was changed, removed or put in since the link before", r.Seq)
		}
		v.link(r.Chain)
	}
	e, err := ParseEntry(r.Body)
	if err != nil {
		v.bad("row %d: %v", r.Seq, err)
		return nil
	}
	if c := RowOf(r.Seq, &e); c.Attempt != r.Attempt || c.Line != r.Line || c.At != r.At || c.Kind != r.Kind || c.Flags != r.Flags ||
		c.Reserved != r.Reserved || c.Amount != r.Amount || c.Input != r.Input || c.Output != r.Output {
		v.bad("row %d: its columns are not those of its body", r.Seq)
	}
	v.once(r.Seq, r.Node, e.Attempt)
	v.entry(r.Seq, &e)
	return nil
}

// attempts are those of a gateway whose numbers begin alike.
type attempts struct {
	node string
	page int64
}

// once notes an attempt, which must not have been there yet.
func (v *verifier) once(seq int64, node string, attempt int64) {
	page, bit := attempts{node, attempt >> 16}, attempt&(1<<16-1)
	bits := v.seen[page]
	if bits == nil {
		bits = new([1 << 10]uint64)
		v.seen[page] = bits
	}
	if bits[bit/64]&(1<<(bit%64)) != 0 {
		v.bad("row %d: attempt %d is closed twice", seq, attempt)
	}
	bits[bit/64] |= 1 << (bit % 64)
}

func (v *verifier) entry(seq int64, e *Entry) {
	line := v.lines[e.Line]
	if line == nil {
		v.bad("row %d: there is no line %d", seq, e.Line)
		return
	}
	if err := e.Check(line); err != nil {
		v.bad("row %d: %v", seq, err)
	}
	v.report.ByKind[e.Kind]++
	if e.Ordinal == 1 {
		v.report.Calls++
	}
	var err error
	if v.report.Amount, err = v.report.Amount.Plus(e.Amount); err != nil {
		v.bad("row %d: the sum of all amounts: %v", seq, err)
	}
	addTo(v.totals, e)
	for _, w := range e.Windows {
		sum := v.windows[w]
		if sum == nil {
			sum = &Window{}
			v.windows[w] = sum
		}
		sum.Posted += e.Amount
		sum.Overrun += max(e.Amount-e.Reserved, 0)
	}
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
