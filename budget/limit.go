package budget

import (
	"context"
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

// Limit is how much an account may spend in a period. A soft limit is counted and not enforced.
type Limit struct {
	Account string
	Period  Period
	Most    Money
	Soft    bool
}

// Key names a window: an account, and a period that began at a time.
type Key struct {
	Account string
	Period  Period
	Start   int64 // seconds since 1970; 0 for Ever
}

// Window is how an account stands in one period. Pending is what attempts that run have reserved;
// what they cost when they are over is Posted. Overrun is by how much some cost more than they
// had reserved.
type Window struct {
	Key
	Limit   Money
	Soft    bool
	Posted  Money
	Pending Money
	Overrun Money
}

// Limits sets limits in a store and reads how accounts stand.
type Limits interface {
	// SetLimits replaces all limits. Windows keep what was posted and is pending in them.
	SetLimits(ctx context.Context, limits []Limit) error
	// Windows lists how accounts stand, by account, period and beginning.
	Windows(ctx context.Context) ([]Window, error)
}
