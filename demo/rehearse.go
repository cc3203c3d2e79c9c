package demo

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// rehearsals are the requests of each user; the first opens connections and does not count.
	rehearsals = 6
	// A healthy vendor behind a loaded machine must never be taken for one that hangs: the limit is
	// so many times the longest wait of the rehearsal, within bounds.
	limitFactor = 15
	leastLimit  = 400 * time.Millisecond
	mostLimit   = 4 * time.Second
)

// rehearse lets the applications make a few requests while all is well, and returns how long the
// gateway shall wait for a silent vendor on a machine as fast as this one is now.
func rehearse(ctx context.Context, apps []*clientApp) (limit time.Duration, err error) {
	var (
		mu      sync.Mutex
		longest time.Duration
		running sync.WaitGroup
	)
	for _, a := range apps {
		for range workers {
			running.Go(func() {
				for i := range rehearsals {
					got, askErr := a.ask(ctx, "a rehearsal")
					mu.Lock()
					if i > 0 {
						longest = max(longest, got.waited)
					}
					if askErr != nil {
						err = fmt.Errorf("rehearse %s: %w", a.title, askErr)
					}
					mu.Unlock()
				}
			})
		}
	}
	running.Wait()
	limit = (longest * limitFactor).Round(100 * time.Millisecond)
	return min(max(limit, leastLimit), mostLimit), err
}
