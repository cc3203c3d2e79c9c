// Package budget is money: what an attempt at a provider may cost, what it did cost, and who may
// still spend how much. Amounts are whole pico-dollars and never floats; one function prices
// everything. An attempt is an Entry, reserved before it begins and closed once when it is over.
// Stores keep entries; what they must do is said here, and done elsewhere. The package does no
// input or output.
package budget

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Reservation is what is reserved for an attempt before its first byte goes out.
type Reservation struct {
	Call    string
	Ordinal int64
	Line    *Line
	At      time.Time
	// Most is the most tokens that the attempt can use, as far as can be told.
	Most Tokens
	// Payer is who pays. Those without a limit cost nothing.
	Payer Payer
}

// Payer is the chain of those who pay for an attempt; empty are those that there are not.
type Payer struct{ Key, User, Team, Organisation, Provider string }

// Kinds of accounts: what stands before the colon of their names.
const (
	OfKey          = "key"
	OfUser         = "user"
	OfTeam         = "team"
	OfOrganisation = "organisation"
	OfProvider     = "provider"
)

// AccountKinds lists them, the nearest to the caller first.
func AccountKinds() []string { return []string{OfKey, OfUser, OfTeam, OfOrganisation, OfProvider} }

// Accounts names the accounts of those who pay, the nearest first: "key:ID", "provider:ID".
func (p *Payer) Accounts() []string {
	names := make([]string, 0, len(AccountKinds()))
	for i, id := range [...]string{p.Key, p.User, p.Team, p.Organisation, p.Provider} {
		if id != "" {
			names = append(names, AccountKinds()[i]+":"+id)
		}
	}
	return names
}

// Settlement closes an attempt.
type Settlement struct {
	Outcome Outcome
	At      time.Time
	// Line is another than the reserved one if another model answered; else nil.
	Line   *Line
	Flags  Flags // Wasted, Rescue, Hedge and Other; the others follow from the rest
	Status int
	Code   llm.Code
}

// ErrUnavailable says that nothing can be reserved, because nothing can be written down.
var ErrUnavailable = errors.New("the ledger cannot be written")

// ErrInDoubt says that a store may have done what it was asked, and may yet.
var ErrInDoubt = errors.New("whether it was written is not known")

// LimitError says that a reservation would go over a limit.
type LimitError struct {
	Account string
	Period  Period
	Ends    time.Time // when the account's window does; zero for one without an end
}

// Error says which limit it is.
func (e *LimitError) Error() string {
	return fmt.Sprintf("the budget of %s (%s) does not allow it", e.Account, e.Period)
}

// Mark is a place in a gateway's journal: all before it is in the store.
type Mark struct{ File, Offset int64 }

// Before reports whether m is in front of n.
func (m Mark) Before(n Mark) bool { return m.File < n.File || m.File == n.File && m.Offset < n.Offset }

// Batch is what is added to a store, whole or not at all.
type Batch struct {
	Node     string // the gateway whose journal it comes from
	From, To Mark   // the store's mark for that gateway, before and after
	Lines    []*Line
	Entries  []Entry // closed, each for the first time
}

// ErrMark says that a batch does not begin where the store has come to: it has it already, or
// another process writes for the same gateway.
var ErrMark = errors.New("the batch does not follow the last one")

// Store keeps entries. Its methods may be called concurrently. After an error that is ErrInDoubt nobody knows whether there
// was a change; after any other there was none, but for one of Write.
type Store interface {
	// Mark is the place up to which a gateway's journal is in the store; zero at first.
	Mark(ctx context.Context, node string) (Mark, error)
	// Write adds a batch durably. A batch whose From is not the mark is ErrMark, and then
	// nothing has changed; after any other error the mark tells whether it has.
	Write(ctx context.Context, b *Batch) error
	// Hold reserves in the windows of limits, in all or in none, durably, and returns those windows. The error is
	// a *LimitError if it would go over a limit.
	Hold(ctx context.Context, node string, h Hold) ([]Key, error)
	// Draw adds to what a gateway has leased of windows, durably, to all or to none: what is left in each, or a
	// part of it, but no less than the gateway needs. It returns how much was added to each; a *LimitError if one
	// has not so much left.
	Draw(ctx context.Context, l Lease, draws []Draw) ([]Money, error)
	// Return gives back of what was leased. What a lease has not is not taken from it.
	Return(ctx context.Context, l Lease, what map[Key]Money) error
	// Sweep frees what is held and leased by a gateway's attempts up to a number: they are closed, or were never
	// made.
	Sweep(ctx context.Context, node string, upTo int64) error
}

// Hold is what an attempt reserves in the windows of limits.
type Hold struct {
	Attempt int64
	At      time.Time
	Amount  Money
	Limits  []Limit
}

// Lease is whose a lease is: that of a gateway since a start, known by the number of its first attempt. What its
// attempts from there on cost is taken from it as long as it lasts.
type Lease struct {
	Node  string
	Since int64
}

// Draw asks for more of a window.
type Draw struct {
	Key
	Most Money // the limit that is in force
	Need Money
	// Share says how much of what is left is wanted, if that is more than is needed: all of it, or a half, or …
	Share int64
}

// Grant is how much is added to a lease where so much is left.
func (d *Draw) Grant(left Money) (Money, bool) {
	if left < d.Need {
		return 0, false
	}
	return max(d.Need, left/Money(d.Share)), true
}

// Refusal is the error for a window that has too little left.
func (k Key) Refusal() *LimitError {
	e := &LimitError{Account: k.Account, Period: k.Period}
	if k.Period != Ever {
		_, e.Ends = k.Period.Window(time.Unix(k.Start, 0))
	}
	return e
}
