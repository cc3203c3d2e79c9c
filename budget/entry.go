package budget

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Kind is how an attempt stands in the ledger.
type Kind uint8

// The kinds. An entry begins Open and becomes one of the others, once.
const (
	Open      Kind = iota // reserved; the attempt runs
	Posted                // by the vendor's count
	Estimated             // by the gateway's: the vendor gave none, or none that can be true; or at rates that are guessed
	Uncertain             // nobody knows whether the vendor ran it
	Void                  // the vendor has not run it
)

// Kinds lists those that an entry can end as, in order.
func Kinds() []Kind { return []Kind{Posted, Estimated, Uncertain, Void} }

// String names k as reports do.
func (k Kind) String() string {
	names := [...]string{"open", "posted", "estimated", "uncertain", "void"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Flags say more of an entry.
type Flags uint8

// The flags.
const (
	Wasted   Flags = 1 << iota // the client has had nothing of it
	Rescue                     // it went on with what another attempt began
	Overrun                    // it cost more than was reserved
	Rejected                   // the vendor's count was impossible
	Orphan                     // the gateway died while it ran
	Hedge                      // it was made beside another that took long
	Other                      // another model answered than was asked
)

// Has reports whether f has a flag.
func (f Flags) Has(flag Flags) bool { return f&flag != 0 }

// Line is what many entries have in common: who asked, for what, of whom, and at which price. It
// is never changed, so that an entry's price is the one that held when it was reserved. Make one
// by NewLine.
type Line struct {
	Provider, Model string // who was asked
	Asked           string // the model's name as the client has it
	Operation       string
	Caller, Tag     string
	// Key is the id of the caller's key, and the others are who it belongs to; empty where there is none.
	Key, User, Team, Organisation string
	Rates                         Rates

	id   int64
	text []byte
}

// NewLine completes a line.
func NewLine(l Line) *Line {
	for _, s := range []string{l.Provider, l.Model, l.Asked, l.Operation, l.Caller, l.Tag, l.Rates.Text()} {
		l.text = appendString(l.text, s)
	}
	if owners := [...]string{l.Key, l.User, l.Team, l.Organisation}; owners != [4]string{} { // without any, as ever
		for _, s := range owners {
			l.text = appendString(l.text, s)
		}
	}
	sum := sha256.Sum256(l.text)
	l.id = int64(binary.BigEndian.Uint64(sum[:]) >> 1) //nolint:gosec // shifted into the positive
	return &l
}

// ID names the line by what is in it.
func (l *Line) ID() int64 { return l.id }

// Append writes the line, for ParseLine.
func (l *Line) Append(b []byte) []byte { return append(b, l.text...) }

var errShort = errors.New("the record ends before it is whole")

// ParseLine reads what Append wrote.
func ParseLine(b []byte) (*Line, error) {
	var l Line
	var rates string
	for _, s := range []*string{&l.Provider, &l.Model, &l.Asked, &l.Operation, &l.Caller, &l.Tag, &rates} {
		var ok bool
		if *s, b, ok = cutString(b); !ok {
			return nil, errShort
		}
	}
	if len(b) > 0 {
		for _, s := range []*string{&l.Key, &l.User, &l.Team, &l.Organisation} {
			var ok bool
			if *s, b, ok = cutString(b); !ok {
				return nil, errShort
			}
		}
	}
	var err error
	if l.Rates, err = ParseRates(rates); err != nil {
		return nil, err
	}
	return NewLine(l), nil
}

// Entry is one attempt in the ledger: reserved when it is about to begin, closed when it is over.
type Entry struct {
	Attempt  int64  // its number, never used twice by one gateway
	Call     string // the id of the call that it was made for
	Ordinal  int64  // its place among the call's attempts, from 1
	Line     int64  // the id of its Line
	Reserved Money  // the most that it was thought to cost
	At       int64  // when it was reserved, in milliseconds since 1970
	Took     int64  // milliseconds until it was closed
	Kind     Kind
	Flags    Flags
	Amount   Money
	Tokens   Tokens
	Status   int64    // of the vendor's answer; 0 if none
	Code     llm.Code // why it failed; empty if it did not
	// Windows are those that it was reserved in, in order.
	Windows []Key
}

// Day is the entry's day in UTC, counted from 1970.
func (e *Entry) Day() int64 { return e.At / (24 * time.Hour).Milliseconds() }

// Append writes the entry, for ParseEntry: the form that journals keep and hashes are made of.
func (e *Entry) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.Attempt)) //nolint:gosec // its bits
	b = binary.BigEndian.AppendUint64(b, uint64(e.Line))    //nolint:gosec // its bits
	b = append(b, byte(e.Kind), byte(e.Flags))
	for _, n := range [...]int64{e.Ordinal, int64(e.Reserved), e.At, e.Took, int64(e.Amount), e.Status} {
		b = binary.AppendVarint(b, n)
	}
	for _, n := range e.Tokens.list() {
		b = binary.AppendVarint(b, n)
	}
	b = appendString(b, e.Call)
	b = appendString(b, string(e.Code))
	b = binary.AppendVarint(b, int64(len(e.Windows)))
	for _, w := range e.Windows {
		b = appendString(appendString(b, w.Account), string(w.Period))
		b = binary.AppendVarint(b, w.Start)
	}
	return b
}

// ParseClosed is ParseEntry, but that of an open entry it reads the kind alone.
func ParseClosed(b []byte) (Entry, error) {
	if len(b) >= 18 && Kind(b[16]) == Open {
		return Entry{Kind: Open}, nil
	}
	return ParseEntry(b)
}

// ParseEntry reads what Append wrote.
func ParseEntry(b []byte) (Entry, error) {
	var e Entry
	if len(b) < 18 {
		return e, errShort
	}
	e.Attempt = int64(binary.BigEndian.Uint64(b))  //nolint:gosec // its bits
	e.Line = int64(binary.BigEndian.Uint64(b[8:])) //nolint:gosec // its bits
	e.Kind, e.Flags = Kind(b[16]), Flags(b[17])
	b = b[18:]
	var reserved, amount, windows int64
	t := &e.Tokens
	for _, n := range [...]*int64{
		&e.Ordinal, &reserved, &e.At, &e.Took, &amount, &e.Status,
		&t.Fresh, &t.CacheRead, &t.CacheWrite, &t.Cache1h, &t.Output, &t.Reasoning, &t.AudioIn, &t.AudioOut,
	} {
		var ok bool
		if *n, b, ok = cutVarint(b); !ok {
			return e, errShort
		}
	}
	e.Reserved, e.Amount = Money(reserved), Money(amount)
	var code string
	var ok [3]bool
	e.Call, b, ok[0] = cutString(b)
	code, b, ok[1] = cutString(b)
	e.Code = llm.Code(code)
	windows, b, ok[2] = cutVarint(b)
	if ok != [3]bool{true, true, true} || windows < 0 || windows > int64(len(b)) {
		return e, errShort
	}
	for range windows {
		var w Key
		var period string
		w.Account, b, ok[0] = cutString(b)
		period, b, ok[1] = cutString(b)
		w.Start, b, ok[2] = cutVarint(b)
		if ok != [3]bool{true, true, true} {
			return e, errShort
		}
		w.Period = Period(period)
		e.Windows = append(e.Windows, w)
	}
	return e, nil
}

// Check finds what can be true of no closed entry of a line.
func (e *Entry) Check(l *Line) error {
	cost, err := l.Rates.Cost(e.Tokens)
	switch {
	case err != nil:
		return fmt.Errorf("attempt %d: tokens %+v: %w", e.Attempt, e.Tokens, err)
	case e.Kind == Open || e.Kind > Void:
		return fmt.Errorf("attempt %d: got %v, want it closed", e.Attempt, e.Kind)
	case e.Reserved < 0:
		return fmt.Errorf("attempt %d: got %v reserved, want no less than nothing", e.Attempt, e.Reserved)
	case e.Flags.Has(Orphan):
		if e.Amount != e.Reserved || e.Kind != Uncertain {
			return fmt.Errorf("attempt %d: got %v %v of an orphan, want uncertain what was reserved, %v", e.Attempt, e.Kind, e.Amount, e.Reserved)
		}
	case e.Kind == Void && (e.Amount != 0 || e.Tokens != Tokens{}):
		return fmt.Errorf("attempt %d: got %v of a void attempt, want nothing", e.Attempt, e.Amount)
	case e.Amount != cost:
		return fmt.Errorf("attempt %d: got amount %v, want %v by its tokens and pinned rates", e.Attempt, e.Amount, cost)
	}
	if e.Flags.Has(Overrun) != (e.Amount > e.Reserved) {
		return fmt.Errorf("attempt %d: got %v of %v reserved and overrun %v", e.Attempt, e.Amount, e.Reserved, e.Flags.Has(Overrun))
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutString(b []byte) (s string, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, false
	}
	end := size + int(n) //nolint:gosec // no more than b has
	return string(b[size:end]), b[end:], true
}

func cutVarint(b []byte) (n int64, rest []byte, ok bool) {
	n, size := binary.Varint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}
