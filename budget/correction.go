package budget

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Correction says what an attempt really cost, where an operator knows better than the ledger: a row of its own beside the
// entry, which is never changed.
type Correction struct {
	Node    string `json:"node,omitempty"` // whose attempt it is, where there are several gateways
	Attempt int64  `json:"attempt"`
	Call    string `json:"call"`
	Ordinal int64  `json:"ordinal"`
	At      int64  `json:"at"`   // when the attempt was reserved, in milliseconds since 1970
	Made    int64  `json:"made"` // when it was corrected
	Line    int64  `json:"line"`
	Flags   Flags  `json:"flags,omitempty"`
	Kind    Kind   `json:"kind"` // how the attempt stood before,
	Was     Money  `json:"was"`  // and what it cost
	Cost    Money  `json:"cost"`
	Reason  string `json:"reason"`
	Maker   string `json:"maker,omitempty"`
	Windows []Key  `json:"windows,omitempty"` // in which the attempt was reserved
}

// Change is by how much the attempt costs more.
func (c *Correction) Change() Money { return c.Cost - c.Was }

// Body writes the correction, for ParseCorrection: the form that hashes are made of.
func (c *Correction) Body() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic("BUG: budget: a correction cannot be written: " + err.Error())
	}
	return b
}

// ParseCorrection reads what Body wrote.
func ParseCorrection(b []byte) (*Correction, error) {
	var c Correction
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("read a correction: %w", err)
	}
	return &c, nil
}

// CorrectionRow is a correction as a store has it.
type CorrectionRow struct {
	Seq         int64
	Body, Chain []byte
}

// NextCorrection is the row behind another one, or the first behind none.
func NextCorrection(last CorrectionRow, c *Correction) CorrectionRow {
	body := c.Body()
	return CorrectionRow{Seq: last.Seq + 1, Body: body, Chain: linkOf(last.Chain, body)}
}

func linkOf(before, body []byte) []byte {
	h := sha256.New()
	h.Write(before)
	h.Write(body)
	return h.Sum(nil)
}

// Found is an attempt as it stands, corrections included.
type Found struct {
	Node  string
	Entry Entry
	Cost  Money
	Kind  Kind
}

// ErrNoAttempt is an attempt that the ledger does not have.
var ErrNoAttempt = errors.New("the ledger has no such attempt that is closed")

// ErrCorrected says that an attempt does not cost what a correction is made from.
var ErrCorrected = errors.New("the attempt was corrected meanwhile")

// Corrector corrects what attempts cost.
type Corrector interface {
	// Find looks for an attempt by its call and its place among the call's attempts; ErrNoAttempt if there is none.
	Find(ctx context.Context, call string, ordinal int64) (*Found, error)
	// Correct adds a correction, durably, and changes what its windows have posted. The error is ErrCorrected if the
	// attempt does not cost what it was, and then nothing has changed.
	Correct(ctx context.Context, c *Correction) error
}

// Correction makes the correction of an attempt that was found.
func (f *Found) Correction(cost Money, reason, maker string, made int64) *Correction {
	e := &f.Entry
	return &Correction{
		Node: f.Node, Attempt: e.Attempt, Call: e.Call, Ordinal: e.Ordinal, At: e.At, Made: made, Line: e.Line, Flags: e.Flags,
		Kind: f.Kind, Was: f.Cost, Cost: cost, Reason: reason, Maker: maker, Windows: e.Windows,
	}
}

// Corrected adds to totals what corrections change of them, on the days of their attempts: what an attempt cost is taken
// away as what it was, and what it costs is sure, and has a price.
func Corrected(totals []Total, rows []CorrectionRow, lines map[int64]*Line, from, to int64) ([]Total, error) {
	again := map[attempts]bool{}
	for _, r := range rows {
		c, err := ParseCorrection(r.Body)
		if err != nil {
			return nil, err
		}
		e := Entry{At: c.At}
		day := e.Day()
		if day < from || day > to {
			continue
		}
		line := lines[c.Line]
		if line == nil {
			return nil, fmt.Errorf("correction %d: there is no line %d", r.Seq, c.Line)
		}
		priced := *line
		priced.Rates.Assumed = false
		was := line
		if key := (attempts{c.Node, c.Attempt}); again[key] {
			was = &priced
		} else {
			again[key] = true
		}
		totals = append(totals,
			Total{Day: day, Line: was, Kind: c.Kind, Flags: c.Flags, Amount: -c.Was},
			Total{Day: day, Line: &priced, Kind: Posted, Flags: c.Flags, Amount: c.Cost})
	}
	return totals, nil
}

// corrections holds corrections to the entries that they are of, as the rows come by.
type corrections struct {
	rows []CorrectionRow
	made []*Correction
	of   map[attempts][]int // which of them are of an attempt; page is its number here
}

// correctionsOf reads what a book has, and finds what is wrong with it by itself.
func correctionsOf(rows []CorrectionRow) (c *corrections, problems []string) {
	c = &corrections{rows: rows, of: map[attempts][]int{}}
	var chain []byte
	for i, r := range rows {
		if r.Seq != int64(i)+1 {
			problems = append(problems, fmt.Sprintf("correction %d: want correction %d there: some are missing", r.Seq, i+1))
		}
		if !bytes.Equal(linkOf(chain, r.Body), r.Chain) {
			problems = append(problems, fmt.Sprintf("correction %d: its chain is broken: one was changed, removed or put in", r.Seq))
		}
		chain = r.Chain
		made, err := ParseCorrection(r.Body)
		if err != nil {
			problems = append(problems, fmt.Sprintf("correction %d: %v", r.Seq, err))
			made = &Correction{}
		}
		if made.Cost < 0 || made.Reason == "" {
			problems = append(problems, fmt.Sprintf("correction %d: got a cost of %v for %q, want no less than nothing, and a reason", r.Seq, made.Cost, made.Reason))
		}
		c.made = append(c.made, made)
		key := attempts{made.Node, made.Attempt}
		c.of[key] = append(c.of[key], i)
	}
	return c, problems
}

// check holds the corrections of an entry to it.
func (c *corrections) check(of []int, e *Entry) (problems []string) {
	kind, cost := e.Kind, e.Amount
	for _, i := range of {
		m := c.made[i]
		if m.Was != cost || m.Kind != kind || m.Line != e.Line || m.At != e.At || m.Call != e.Call || m.Ordinal != e.Ordinal || !slices.Equal(m.Windows, e.Windows) {
			problems = append(problems, fmt.Sprintf("correction %d: got one of an attempt of %s/%d that was %v %v, want %s/%d, %v %v",
				c.rows[i].Seq, m.Call, m.Ordinal, m.Kind, m.Was, e.Call, e.Ordinal, kind, cost))
		}
		kind, cost = Posted, m.Cost
	}
	return problems
}
