package gateway

import (
	"context"
	"sync"
	"time"
)

// watchdog ends an attempt that makes no progress. Its phases follow each other:
// waiting for the first content or for the answer, then for the next content.
type watchdog struct {
	mu      sync.Mutex
	timer   *time.Timer
	cancel  context.CancelCauseFunc
	phase   string
	limit   time.Duration
	last    time.Time // of the last progress
	held    time.Time // since when the vendor waits for the client; zero if it does not
	stopped bool
}

// lateError is the cause an attempt ends with when the watchdog ends it.
type lateError struct {
	phase string
	limit time.Duration
}

// Error names the deadline that was missed.
func (e *lateError) Error() string {
	return "The provider was too slow: no " + e.phase + " within " + e.limit.String() + "."
}

const (
	phaseFirst  = "first content"
	phaseAnswer = "answer"
	phaseStall  = "progress"
)

// watch starts the clock of an attempt.
func (c *call) watch(a *attempt, cancel context.CancelCauseFunc) *watchdog {
	t := c.route.Timeouts
	w := &watchdog{cancel: cancel, phase: phaseFirst, limit: t.FirstToken}
	if !c.peeked.Stream {
		w.phase, w.limit = phaseAnswer, t.Answer
		if w.limit <= 0 {
			w.limit = time.Until(c.deadline) / time.Duration(c.targetsLeft(a))
		}
	}
	w.last = time.Now()
	w.timer = time.AfterFunc(w.limit, w.check)
	return w
}

// targetsLeft counts the attempt's target and those behind it.
func (c *call) targetsLeft(a *attempt) int {
	for i, t := range c.route.Targets {
		if t == a.target {
			return len(c.route.Targets) - i
		}
	}
	return 1
}

// begun says that the answer has begun: from now on its progress is watched.
func (w *watchdog) begun(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase, w.limit, w.last = phaseStall, limit, time.Now()
	if !w.stopped {
		w.timer.Reset(limit)
	}
}

// progress begins the current phase's time anew. It is called for every event,
// so it leaves the timer alone: check looks at the time of the last one.
func (w *watchdog) progress() {
	w.mu.Lock()
	w.last = time.Now()
	w.mu.Unlock()
}

// hold stops the clock while the client is written to: one that does not read keeps
// the vendor waiting, which is no fault of the vendor's.
func (w *watchdog) hold() {
	w.mu.Lock()
	w.held = time.Now()
	w.mu.Unlock()
}

// resume lets the clock go on where hold stopped it.
func (w *watchdog) resume() {
	w.mu.Lock()
	w.last = w.last.Add(time.Since(w.held))
	w.held = time.Time{}
	w.mu.Unlock()
}

func (w *watchdog) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	if !w.held.IsZero() {
		w.timer.Reset(w.limit)
		return
	}
	if left := w.limit - time.Since(w.last); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.cancel(&lateError{phase: w.phase, limit: w.limit})
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
