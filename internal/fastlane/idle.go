package fastlane

import (
	"cmp"
	"slices"
	"time"
)

const (
	// calm is how long a connection must have waited to be idle: a client that has just connected, or just had an
	// answer, may be sending a request.
	calm = farewell
	// lookAgain is how long after all idle connections are closed others are looked for, and mostWaiters how many are
	// found at once: to look costs as much as there are connections.
	lookAgain   = 10 * time.Millisecond
	mostWaiters = 256
)

// waiter is a connection that has waited since a time, in Unix nanoseconds.
type waiter struct {
	c     *conn
	since int64
}

// idle is what CloseIdle has found, those that have waited longest last.
type idle struct {
	found []waiter
	next  time.Time // before that nobody looks for others
}

// CloseIdle closes the connection that has waited longest for a request, and reports whether there was one. None of
// which so much as a byte of a request has been read is idle, nor is one that HTTP has.
func (s *Server) CloseIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if now := time.Now(); len(s.idle.found) == 0 && now.After(s.idle.next) {
			s.idle = idle{s.longest(now.Add(-calm).UnixNano()), now.Add(lookAgain)}
		}
		n := len(s.idle.found)
		if n == 0 {
			return false
		}
		oldest := s.idle.found[n-1]
		s.idle.found = s.idle.found[:n-1]
		if oldest.c.since.CompareAndSwap(oldest.since, 0) && oldest.c.state.CompareAndSwap(waiting, closing) {
			oldest.c.nc.Close()
			return true
		}
	}
}

// longest lists connections that have waited since before due, those that have for longest last.
func (s *Server) longest(due int64) []waiter {
	var all []waiter
	for c := range s.conns {
		if since := c.since.Load(); since != 0 && since < due {
			all = append(all, waiter{c, since})
		}
	}
	slices.SortFunc(all, func(a, b waiter) int { return cmp.Compare(b.since, a.since) })
	return slices.Clone(all[max(0, len(all)-mostWaiters):]) // others may have been used when their turn comes, and would be kept from the collector
}
