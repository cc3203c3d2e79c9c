package budget

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Period is how long a limit holds before it begins anew, in UTC.
type Period string

// The periods.
const (
	Day   Period = "day"
	Week  Period = "week" // from Monday
	Month Period = "month"
	Ever  Period = "ever"
)

// Periods lists them, the shortest first.
func Periods() []Period { return []Period{Day, Week, Month, Ever} }

// Window returns when the period that t is in began, and when it ends; zero times for Ever. A
// window is known by its beginning, so that none is ever reset: the next is another.
func (p Period) Window(t time.Time) (from, until time.Time) {
	t = t.UTC()
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch p {
	case Day:
		return day, day.AddDate(0, 0, 1)
	case Week:
		monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return monday, monday.AddDate(0, 0, 7)
	case Month:
		first := day.AddDate(0, 0, 1-day.Day())
		return first, first.AddDate(0, 1, 0)
	case Ever:
	}
	return time.Time{}, time.Time{}
}

// Start is the window's beginning as stores keep it: seconds since 1970, 0 for Ever.
func (p Period) Start(t time.Time) int64 {
	from, _ := p.Window(t)
	if from.IsZero() {
		return 0
	}
	return from.Unix()
}

// maxAccount bounds an account's name.
const maxAccount = 160

// CheckAccount finds what is wrong with an account's name.
func CheckAccount(account string) error {
	kind, id, _ := strings.Cut(account, ":")
	isPlain := !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) && strings.TrimSpace(id) == id
	if !slices.Contains(AccountKinds(), kind) || id == "" || !isPlain || len(account) > maxAccount {
		if len(account) > maxAccount {
			account = account[:maxAccount] + "…"
		}
		return fmt.Errorf("got %q, want %s: with a name behind it, such as team:search", account, strings.Join(AccountKinds(), ":, "))
	}
	return nil
}

// Limit is how much an account may spend in a period. A soft limit is counted and not enforced. A strict one is
// asked of the store for each attempt; of others a gateway leases parts.
type Limit struct {
	Account string
	Period  Period
	Most    Money
	Soft    bool
	Strict  bool
}

// Key names the limit's window at a time.
func (l *Limit) Key(t time.Time) Key { return Key{l.Account, l.Period, l.Period.Start(t)} }

// Key names a window: an account, and a period that began at a time.
type Key struct {
	Account string
	Period  Period
	Start   int64 // seconds since 1970; 0 for Ever
}

// Compare puts keys in the order in which all stores reserve in them.
func (k Key) Compare(other Key) int {
	return cmp.Or(strings.Compare(k.Account, other.Account), strings.Compare(string(k.Period), string(other.Period)), cmp.Compare(k.Start, other.Start))
}

// Window is how an account stands in one period. Pending is what attempts that run have reserved and gateways have
// leased; what attempts cost when they are over is Posted. Overrun is by how much some cost more than they
// had reserved.
type Window struct {
	Key
	Limit   Money
	Soft    bool
	Posted  Money
	Pending Money
	Overrun Money
}

// Limits keeps limits and reads how accounts stand.
type Limits interface {
	// Limits lists all that are kept, by account and period.
	Limits(ctx context.Context) ([]Limit, error)
	// PutLimit keeps a limit, in the place of one of the same account and period. Windows keep what was posted and
	// is pending in them. The change that the context is about, see access.WithChange, is written down with it.
	PutLimit(ctx context.Context, l Limit) error
	// DropLimit forgets the limit of an account in a period. The change is written down likewise.
	DropLimit(ctx context.Context, account string, p Period) error
	// Windows lists how accounts stand, by account, period and beginning.
	Windows(ctx context.Context) ([]Window, error)
}

// Spent is what closed entries cost in a window, out of a lease.
type Spent struct {
	Key
	Since   int64 // which lease; 0 for none
	Amount  Money
	Overrun Money
}

// Take is how much of it comes out of a lease that has so much left, and whether the rest was spent in no reserve
// at all, as where the limit was a soft one.
func (s *Spent) Take(lease Money) (take Money, uncovered bool) {
	return min(s.Amount, lease), s.Amount-s.Overrun > lease
}

// SpentOf sums up what entries cost in the windows that they were reserved in, in the order of keys, but for those
// in which they held something themselves. leases are those of their gateway, in order.
func SpentOf(entries []Entry, leases []int64, held func(attempt int64, k Key) bool) ([]Spent, error) {
	type place struct {
		Key
		since int64
	}
	sums := map[place]*Spent{}
	for i := range entries {
		e := &entries[i]
		since := int64(0)
		for _, l := range leases {
			if l <= e.Attempt {
				since = l
			}
		}
		for _, k := range e.Windows {
			if held(e.Attempt, k) {
				continue
			}
			s := sums[place{k, since}]
			if s == nil {
				s = &Spent{Key: k, Since: since}
				sums[place{k, since}] = s
			}
			var err error
			if s.Amount, err = s.Amount.Plus(e.Amount); err != nil {
				return nil, err
			}
			s.Overrun += max(e.Amount-e.Reserved, 0)
		}
	}
	list := make([]Spent, 0, len(sums))
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Spent) int { return cmp.Or(a.Compare(b.Key), cmp.Compare(a.Since, b.Since)) })
	return list, nil
}
