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
	// Accounts is the chain of those who pay, the nearest first: a key, its team, its
	// organisation, the provider. Those without a limit cost nothing.
	Accounts []string
}

// Settlement closes an attempt.
type Settlement struct {
	Outcome Outcome
	At      time.Time
	// Line is another than the reserved one if another model answered; else nil.
	Line   *Line
	Flags  Flags // Wasted, Rescue and Hedge; the others follow from the rest
	Status int
	Code   llm.Code
}

// ErrUnavailable says that nothing can be reserved, because nothing can be written down.
var ErrUnavailable = errors.New("the ledger cannot be written")

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

// Store keeps entries. Its methods may be called concurrently.
type Store interface {
	// Mark is the place up to which a gateway's journal is in the store; zero at first.
	Mark(ctx context.Context, node string) (Mark, error)
	// Write adds a batch durably. A batch whose From is not the mark is ErrMark, and then
	// nothing has changed; after any other error the mark tells whether it has.
	Write(ctx context.Context, b *Batch) error
	// Hold reserves on accounts, in the windows of all their limits or in none, durably, and
	// returns those windows. The error is a *LimitError if it would go over a limit.
	Hold(ctx context.Context, node string, h Hold) ([]Key, error)
	// Sweep frees what is held by attempts of a gateway up to a number that were never made.
	Sweep(ctx context.Context, node string, upTo int64) error
}

// Hold is what an attempt reserves on accounts.
type Hold struct {
	Attempt  int64
	At       time.Time
	Amount   Money
	Accounts []string
}
