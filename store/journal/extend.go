package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/understudy-ai/understudy/budget"
)

// Extend reserves more for an attempt that runs: as much as so many tokens cost in all, in all of its windows or in none.
// Under a limit that is strict, or one that the store does not answer for, there is no more. If the gateway dies, what was
// reserved before is what such an attempt is closed with.
func (j *Journal) Extend(ctx context.Context, attempt int64, most budget.Tokens) error {
	j.mu.Lock()
	e, runs := j.open[attempt]
	if !runs || len(e.Windows) == 0 {
		j.mu.Unlock()
		return nil
	}
	line, reserved := j.lines[e.Line], e.Reserved
	j.mu.Unlock()
	cost, err := line.Rates.Cost(most)
	if err != nil {
		return fmt.Errorf("price the attempt: %w", err)
	}
	more := cost - reserved
	if more <= 0 {
		return nil
	}
	if err := j.leases.extend(ctx, e, more); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Reserved += more
	return nil
}

// extend takes more in the windows of an attempt.
func (l *leases) extend(ctx context.Context, e *budget.Entry, more budget.Money) error {
	l.mu.Lock()
	leased := l.spent[e.Attempt]
	l.mu.Unlock()
	for _, k := range e.Windows {
		if !slices.ContainsFunc(leased, func(w *window) bool { return w.Key == k }) && !l.isSoft(k) {
			return k.Refusal()
		}
	}
	return l.take(ctx, leased, more)
}

// isSoft reports whether a window is of a limit that is only watched, or lifted meanwhile.
func (l *leases) isSoft(k budget.Key) bool {
	table := l.limits.Load()
	if table == nil {
		return true
	}
	for _, limit := range (*table)[k.Account] {
		if limit.Period == k.Period {
			return limit.Soft
		}
	}
	return true
}
