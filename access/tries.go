package access

import (
	"net"
	"sync"
	"time"
)

// Bounds of wrong credentials: so many at once from one address, then one every TryEvery. The
// right one is never refused.
const (
	TryEvery = time.Second
	tryBurst = 20
	tryFrom  = 1024 // addresses that are remembered
)

// Tries counts wrong credentials by address. Its memory is bounded: when it is full, all is
// forgotten, and everybody has a burst again.
type Tries struct {
	mu   sync.Mutex
	full map[string]time.Time // when the address will have used up nothing
}

// Allow counts one, and reports whether it was not one too many.
func (t *Tries) Allow(address string, now time.Time) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full == nil || len(t.full) >= tryFrom {
		t.full = map[string]time.Time{}
	}
	from := t.full[host]
	if from.Before(now) {
		from = now
	}
	if from.Sub(now) > (tryBurst-1)*TryEvery {
		return false
	}
	t.full[host] = from.Add(TryEvery)
	return true
}
