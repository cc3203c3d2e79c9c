package gateway

import (
	"context"
	"slices"
	"sync"
	"time"
)

// life is how long a call goes on, or one attempt of it: a context that keeps why it ended.
// Contexts of the standard library do the same for four times the cost, which every request
// would pay: a call has a life for itself, one for each attempt, and others that wait for its
// end. It carries no values. Its Err is the cause itself, and so is what context.Cause says of it.
type life struct {
	mu    sync.Mutex
	cause error         // nil while it lasts
	done  chan struct{} // made when somebody first waits
	// At its end, after are called and within end with it.
	after  []hook
	within []*life
	roomA  [1]hook // as many as there mostly are
	roomW  [1]*life
	hooks  int   // so far
	around *life // what it is within
}

// hook is what is to be called, and which one it is.
type hook struct {
	f      func()
	number int
}

var _ context.Context = (*life)(nil)

// end ends l, and all lives within it, for a reason; the first reason stays.
func (l *life) end(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	l.mu.Lock()
	if l.cause != nil {
		l.mu.Unlock()
		return
	}
	l.cause = cause
	if l.done != nil {
		close(l.done)
	}
	after, within := l.after, l.within
	l.after, l.within = nil, nil
	l.mu.Unlock()
	for _, w := range within {
		w.end(cause)
	}
	for _, h := range after {
		go h.f()
	}
}

// begin begins a life within l, which is new. Its over is to be called.
func (l *life) begin(within *life) {
	within.around = l
	l.mu.Lock()
	cause := l.cause
	if cause == nil {
		if l.within == nil {
			l.within = l.roomW[:0]
		}
		l.within = append(l.within, within)
	}
	l.mu.Unlock()
	if cause != nil {
		within.end(cause)
	}
}

// over ends by itself a life that is within another.
func (l *life) over() {
	l.around.mu.Lock()
	l.around.within = without(l.around.within, l)
	l.around.mu.Unlock()
	l.end(nil)
}

// AfterFunc calls f in a goroutine of its own once l is over. stop prevents that, and reports
// whether it could. It is context.AfterFunc's own hook.
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		go f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = l.roomA[:0]
	}
	l.hooks++
	number := l.hooks
	l.after = append(l.after, hook{f, number})
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		n := len(l.after)
		l.after = slices.DeleteFunc(l.after, func(h hook) bool { return h.number == number })
		return len(l.after) < n
	}
}

// without removes one item; the order does not matter.
func without(list []*life, item *life) []*life {
	for i, x := range list {
		if x == item {
			last := len(list) - 1
			list[i] = list[last]
			clear(list[last:])
			return list[:last]
		}
	}
	return list
}

// Done is closed when l is over.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.cause != nil {
			close(l.done)
		}
	}
	return l.done
}

// Err says why l is over; nil while it lasts.
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Deadline says that there is none that is known beforehand.
func (l *life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns nil. The request's values are of no use to a provider.
func (l *life) Value(any) any { return nil }
