package fastlane

import (
	"errors"
	"os"
	"sync"
	"time"
)

// patience is how long a request runs before it is watched whether its client leaves: most have an
// answer by then, and are spared what that costs.
const patience = 10 * time.Millisecond

// watch looks after the requests that run, until they are watched each.
type watch struct {
	mu          sync.Mutex
	first, last *exchange // from the oldest on
	timer       *time.Timer
	looking     bool // the timer runs
}

// watching is what there is to one exchange.
type watching struct {
	next, previous *exchange
	listed         bool
	since          time.Time

	mu       sync.Mutex
	due      bool // it runs for long enough
	bodyOver bool // what is read next is none of the request's
	ended    bool
	done     chan struct{} // of the goroutine that reads; nil if there is none
}

// enter is called as an exchange begins.
func (w *watch) enter(x *exchange) {
	x.watching.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	x.watching.previous, x.watching.listed = w.last, true
	if w.last == nil {
		w.first = x
	} else {
		w.last.watching.next = x
	}
	w.last = x
	switch {
	case w.looking:
	case w.timer == nil:
		w.looking, w.timer = true, time.AfterFunc(patience, w.look)
	default:
		w.looking = true
		w.timer.Reset(patience)
	}
}

// look has those watched that run for long enough.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.first != nil {
		x := w.first
		if left := patience - time.Since(x.watching.since); left > 0 {
			w.timer.Reset(left)
			return
		}
		w.remove(x)
		x.due()
	}
	w.looking = false
}

func (w *watch) remove(x *exchange) {
	t := &x.watching
	if t.previous == nil {
		w.first = t.next
	} else {
		t.previous.watching.next = t.next
	}
	if t.next == nil {
		w.last = t.previous
	} else {
		t.next.watching.previous = t.previous
	}
	t.next, t.previous, t.listed = nil, nil, false
}

// leave is called when an exchange is over: from then on nobody else reads from its connection.
func (w *watch) leave(x *exchange) {
	w.mu.Lock()
	if x.watching.listed {
		w.remove(x)
	}
	w.mu.Unlock()
	t := &x.watching
	t.mu.Lock()
	t.ended = true
	done := t.done
	t.mu.Unlock()
	if done == nil {
		return
	}
	x.c.reads.stop()
	<-done
	x.c.reads.over()
}

// due has the connection watched once the body is over.
func (x *exchange) due() {
	t := &x.watching
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = true
	x.start()
}

// bodyOver is called when the body has been read to its end.
func (x *exchange) bodyOver() {
	t := &x.watching
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bodyOver = true
	x.start()
}

func (x *exchange) start() {
	t := &x.watching
	if !t.due || !t.bodyOver || t.ended || t.done != nil {
		return
	}
	t.done = make(chan struct{})
	go x.read()
}

// read reads on, until the client leaves or the exchange is over. What comes is the next request.
func (x *exchange) read() {
	defer close(x.watching.done)
	c := x.c
	if c.reads.open() != nil {
		return
	}
	c.narrow()
	defer c.widen()
	for {
		if c.end == len(c.few) {
			c.widen()
		}
		if c.end == len(c.in) { // enough for now
			return
		}
		n, err := c.nc.Read(c.in[c.end:])
		c.end += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // by stop
		}
		if err != nil {
			c.readErr = err
			x.life.end()
			return
		}
	}
}
