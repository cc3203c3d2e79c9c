package fastlane

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// life is the context of a request: it ends when the client leaves or the handler returns. It costs less
// than the standard library's, above all if nobody waits for its end but by context.AfterFunc.
type life struct {
	c *conn

	mu    sync.Mutex
	over  bool
	done  chan struct{} // made when somebody first waits
	after []hook
	room  [1]hook // as many as there mostly are
	hooks int     // so far
}

// hook is what is to be called, and which one it is.
type hook struct {
	f      func()
	number int
}

var _ context.Context = (*life)(nil)

func (l *life) end() {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.over = true
	if l.done != nil {
		close(l.done)
	}
	after := l.after
	l.after = nil
	l.mu.Unlock()
	for _, h := range after {
		go h.f()
	}
}

// AfterFunc is context.AfterFunc's own hook: it calls f in a goroutine of its own once l is over. stop prevents
// that, and reports whether it could.
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		go f()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = l.room[:0]
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

// Done is closed when l is over.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.over {
			close(l.done)
		}
	}
	return l.done
}

// Err is context.Canceled once l is over.
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return context.Canceled
	}
	return nil
}

// Deadline says that there is none that is known beforehand.
func (l *life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns what net/http's requests have.
func (l *life) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return l.c.s.HTTP
	case http.LocalAddrContextKey:
		return l.c.nc.LocalAddr()
	default:
		return nil
	}
}
