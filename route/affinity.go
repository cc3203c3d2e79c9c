package route

import (
	"sync"
	"time"
)

// maxStays bounds the sessions that are remembered.
const maxStays = 1 << 16

// maxAffinity is how many times over a session that is never silent may stay where it is, so that
// what moved in an outage comes back.
const maxAffinity = 12

// affinity remembers which target a session was last answered by, so that its vendor's cache of the
// prompt stays warm.
type affinity struct {
	mu    sync.Mutex
	stays map[stayKey]stay
}

type stayKey struct {
	route   string
	session uint64
}

type stay struct {
	target       string
	until, limit instant
}

func (a *affinity) get(k stayKey, now instant) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stays[k]
	if now >= min(s.until, s.limit) {
		return ""
	}
	return s.target
}

func (a *affinity) put(k stayKey, target string, now instant, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.stays[k]
	if s.target != target || now >= min(s.until, s.limit) {
		s = stay{target: target, limit: now.after(maxAffinity * d)}
	}
	s.until = now.after(d)
	if a.stays == nil {
		a.stays = make(map[stayKey]stay)
	}
	if _, known := a.stays[k]; !known && len(a.stays) >= maxStays {
		a.forget(now)
	}
	a.stays[k] = s
}

// forget makes room: of a few sessions, as they come, all that are over, and one in any case.
func (a *affinity) forget(now instant) {
	const looked = 64
	n, dropped := 0, false
	for k, s := range a.stays {
		if now >= min(s.until, s.limit) || n == looked && !dropped {
			delete(a.stays, k)
			dropped = true
		}
		if n++; n > looked {
			return
		}
	}
}

// Stay remembers that a session of a route was answered by a target, for as long as the route's
// Affinity says.
func (h *Health) Stay(r *Route, session uint64, t Target) {
	if session != 0 && r.Affinity > 0 {
		h.affinity.put(stayKey{r.Model, session}, t.Name(), h.now(), r.Affinity)
	}
}
