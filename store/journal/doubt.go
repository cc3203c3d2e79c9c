package journal

import (
	"context"
	"errors"

	"github.com/understudy-ai/understudy/budget"
)

// doubt is about what the store has of a lease, when it was cut off in the middle of a write: no less than this gateway knows
// of. So nothing is spent twice, and another lease is begun. What nobody knows of is free again when all attempts that could
// spend of the lease before are in the store.
type doubt struct {
	is    bool
	last  int64 // attempt that has entered a lease
	since int64 // where the latest lease begins that was begun so; 0 for none
	left  int64 // likewise, while the one before it is not yet free
}

// errRenewed says that an attempt's number is from before a lease was begun anew.
var errRenewed = errors.New("the lease was begun anew")

// enter notes an attempt that will take from the lease of now, if its number allows it.
func (d *doubt) enter(attempt int64) bool {
	if attempt < d.since {
		return false
	}
	d.last = max(d.last, attempt)
	return true
}

// resolve begins another lease where there is doubt, and frees the one before. Whoever calls it draws nothing meanwhile.
func (l *leases) resolve(ctx context.Context) error {
	select {
	case <-l.swept:
	default:
		return nil // earlier starts come first
	}
	l.mu.Lock()
	is, left := l.doubt.is, l.doubt.left
	for attempt := range l.spent {
		if attempt < left {
			left = 0 // not yet
		}
	}
	l.mu.Unlock()
	switch {
	case left > 0:
		err := l.call(ctx, func(ctx context.Context) error { return l.store.Sweep(ctx, l.lease.Node, left-1) })
		if err != nil {
			return err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.doubt.left = 0
		return nil
	case is && l.doubt.left == 0:
		return l.renew(ctx)
	}
	return nil
}

// renew gives back what is free and begins another lease.
func (l *leases) renew(ctx context.Context) error {
	l.mu.Lock()
	for _, w := range l.windows {
		l.giveBack(w, w.free)
	}
	l.mu.Unlock()
	if err := l.pay(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	since := l.doubt.last + 1
	l.doubt = doubt{last: l.doubt.last, since: since, left: since}
	l.lease.Since = since
	l.windows = map[budget.Key]*window{}
	return nil
}
