package gateway

import "sync"

// running is the calls that run, as a list through them.
type running struct {
	mu    sync.Mutex
	first *call
	n     int64
	over  error // why no call may run any more; nil while they may
}

func (r *running) add(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.next = r.first
	if r.first != nil {
		r.first.previous = c
	}
	r.first = c
	r.n++
	if r.over != nil {
		c.ctx.end(r.over)
	}
}

func (r *running) remove(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.previous == nil {
		r.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next != nil {
		c.next.previous = c.previous
	}
	r.n--
}

func (r *running) count() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// end ends all calls for a reason, and those that come later as they begin.
func (r *running) end(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = cause
	for c := r.first; c != nil; c = c.next {
		c.ctx.end(cause)
	}
}
