package budget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
)

// part goes through the rows between two links of the chain.
type part struct {
	behind, upTo int64
	report       Report
	lines        map[int64]*Line
	corrections  *corrections
	corrected    int64 // attempts of this part that have some
	chain        []byte
	since        hash.Hash
	open         bool // rows have come since the last link
	seen         map[attempts]*[1 << 10]uint64
	page         attempts // the one looked at last,
	bits         *[1 << 10]uint64
	totals       map[TotalKey]*Total
	windows      map[Key]*Window
	next         int64
}

// minPart is how many rows are worth a part of their own.
const minPart = 50_000

// parts divides the rows among processors, at links, so that each part of the chain can be followed by itself.
func (v *verifier) parts(ctx context.Context, b Book, c *corrections, processors int) ([]*part, error) {
	last, err := b.Last(ctx)
	if err != nil {
		return nil, err
	}
	most := min(int64(processors), 1+last/minPart)
	parts := []*part{newPart(0, nil, v.lines, c)}
	for i := int64(1); i < most; i++ {
		end := parts[len(parts)-1]
		at, chain, err := b.Link(ctx, max(last/most*i, end.behind+1))
		if err != nil {
			return nil, err
		}
		if at == 0 || at >= last {
			break
		}
		end.upTo = at
		parts = append(parts, newPart(at, chain, v.lines, c))
	}
	parts[len(parts)-1].upTo = last
	return parts, nil
}

func newPart(behind int64, chain []byte, lines map[int64]*Line, c *corrections) *part {
	p := &part{
		behind: behind, lines: lines, corrections: c, next: behind + 1, report: Report{ByKind: map[Kind]int64{}}, since: sha256.New(),
		seen: map[attempts]*[1 << 10]uint64{}, totals: map[TotalKey]*Total{}, windows: map[Key]*Window{},
	}
	p.link(chain)
	return p
}

func (p *part) read(ctx context.Context, b Book) error {
	if p.upTo == 0 { // there is nothing
		return nil
	}
	if err := b.Rows(ctx, p.behind, p.upTo, p.row); err != nil {
		return err
	}
	if p.open {
		p.bad("the last rows belong to no batch: got no link of the chain behind them")
	}
	if p.next != p.upTo+1 {
		p.bad("row %d: got nothing from there to row %d: rows are missing", p.next, p.upTo)
	}
	return nil
}

// join adds what was found in the part behind this one.
func (p *part) join(q *part) {
	p.chain = q.chain
	p.corrected += q.corrected
	p.report.Entries += q.report.Entries
	p.report.Calls += q.report.Calls
	for k, n := range q.report.ByKind {
		p.report.ByKind[k] += n
	}
	for _, text := range q.report.Problems {
		p.bad("%s", text)
	}
	var err error
	if p.report.Amount, err = p.report.Amount.Plus(q.report.Amount); err != nil {
		p.bad("the sum of all amounts: %v", err)
	}
	for page, bits := range q.seen {
		before := p.seen[page]
		if before == nil {
			p.seen[page] = bits
			continue
		}
		for i := range bits {
			if twice := before[i] & bits[i]; twice != 0 {
				p.bad("some of the attempts from %d on are closed twice, before row %d and behind it", page.page<<16+int64(i)*64, q.behind)
			}
			before[i] |= bits[i]
		}
	}
	for key, t := range q.totals {
		if sum := p.totals[key]; sum != nil {
			sum.add(t)
		} else {
			p.totals[key] = t
		}
	}
	for key, w := range q.windows {
		if sum := p.windows[key]; sum != nil {
			sum.Posted += w.Posted
			sum.Overrun += w.Overrun
		} else {
			p.windows[key] = w
		}
	}
}

func (p *part) bad(format string, args ...any) {
	if len(p.report.Problems) < maxProblems {
		p.report.Problems = append(p.report.Problems, fmt.Sprintf(format, args...))
	}
}

// link begins the next part of the chain.
func (p *part) link(chain []byte) {
	p.chain, p.since, p.open = bytes.Clone(chain), sha256.New(), false
	p.since.Write(p.chain)
}

func (p *part) row(r *Row) error {
	p.report.Entries++
	if r.Seq != p.next {
		p.bad("row %d: want row %d there: rows are missing", r.Seq, p.next)
	}
	p.next = r.Seq + 1
	p.since.Write(r.Body)
	p.open = true
	if r.Chain != nil {
		if !bytes.Equal(p.since.Sum(nil), r.Chain) {
			p.bad("row %d: the chain is broken: a row was changed, removed or put in since the link before", r.Seq)
		}
		p.link(r.Chain)
	}
	e, err := ParseEntry(r.Body)
	if err != nil {
		p.bad("row %d: %v", r.Seq, err)
		return nil
	}
	if !r.repeats(&e) {
		p.bad("row %d: its columns are not those of its body", r.Seq)
	}
	p.once(r.Seq, r.Node, e.Attempt)
	p.entry(r.Seq, &e)
	if of := p.corrections.of[attempts{r.Node, e.Attempt}]; len(of) > 0 {
		p.correct(of, &e)
	}
	return nil
}

// attempts are those of a gateway whose numbers begin alike.
type attempts struct {
	node string
	page int64
}

// once notes an attempt, which must not have been there yet.
func (p *part) once(seq int64, node string, attempt int64) {
	page, bit := attempts{node, attempt >> 16}, attempt&(1<<16-1)
	if p.bits == nil || p.page != page {
		p.page, p.bits = page, p.seen[page]
		if p.bits == nil {
			p.bits = new([1 << 10]uint64)
			p.seen[page] = p.bits
		}
	}
	bits := p.bits
	if bits[bit/64]&(1<<(bit%64)) != 0 {
		p.bad("row %d: attempt %d is closed twice", seq, attempt)
	}
	bits[bit/64] |= 1 << (bit % 64)
}

func (p *part) entry(seq int64, e *Entry) {
	line := p.lines[e.Line]
	if line == nil {
		p.bad("row %d: there is no line %d", seq, e.Line)
		return
	}
	if err := e.Check(line); err != nil {
		p.bad("row %d: %v", seq, err)
	}
	p.report.ByKind[e.Kind]++
	if e.Ordinal == 1 {
		p.report.Calls++
	}
	var err error
	if p.report.Amount, err = p.report.Amount.Plus(e.Amount); err != nil {
		p.bad("row %d: the sum of all amounts: %v", seq, err)
	}
	addTo(p.totals, e)
	for _, w := range e.Windows {
		sum := p.windows[w]
		if sum == nil {
			sum = &Window{}
			p.windows[w] = sum
		}
		sum.Posted += e.Amount
		sum.Overrun += max(e.Amount-e.Reserved, 0)
	}
}

// correct holds an entry's corrections to it, and notes what they change in its windows.
func (p *part) correct(of []int, e *Entry) {
	p.corrected++
	for _, text := range p.corrections.check(of, e) {
		p.bad("%s", text)
	}
	for _, w := range e.Windows {
		for _, i := range of {
			change := p.corrections.made[i].Change()
			p.windows[w].Posted += change
			p.windows[w].Overrun += max(change, 0)
		}
	}
}
