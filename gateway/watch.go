package gateway

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/route"
)

// watchdog ends an attempt that makes no progress. Its phases follow each other:
// waiting for the first content or for the answer, then for the next content. From
// the first content on a pace may be asked for, too.
type watchdog struct {
	mu      sync.Mutex
	timer   *time.Timer
	cancel  func(cause error)
	phase   string
	limit   time.Duration
	hurried bool      // that is short because the client is in a hurry
	last    time.Time // of the last progress
	held    time.Time // since when the vendor waits for the client; zero if it does not
	pace    pace
	stopped bool
}

// pace is the least that a stream must bring.
type pace struct {
	tokens int64 // in each window; 0 if it is not watched
	window time.Duration
	begun  time.Time // when the current window began
	got    int64     // tokens in it
}

// paceOf is the pace that a route asks for.
func paceOf(t route.Timeouts) pace {
	if t.MinRate <= 0 || t.RateWindow <= 0 {
		return pace{}
	}
	return pace{tokens: max(int64(math.Ceil(t.MinRate*t.RateWindow.Seconds())), 1), window: t.RateWindow}
}

// tokensOf estimates the tokens of a piece of content with so many bytes of text, to the
// vendor's favour: a piece is at least one token, and no token is longer than a word.
func tokensOf(text int) int64 { return max(int64(text)/4, 1) }

// lateError is the cause an attempt ends with when the watchdog ends it.
type lateError struct {
	phase   string
	limit   time.Duration
	hurried bool
	pace    pace // what it fell short of in phasePace
}

// Error names the deadline that was missed.
func (e *lateError) Error() string {
	if p := e.pace; e.phase == phasePace {
		return fmt.Sprintf("The provider was too slow: about %d tokens within %v, and not %d.", p.got, p.window, p.tokens)
	}
	return "The provider was too slow: no " + e.phase + " within " + e.limit.String() + "."
}

// cause tells a vendor that does not go on from one that goes on too slowly, and from one that was
// given little time.
func (e *lateError) cause() route.Cause {
	switch {
	case e.phase == phasePace:
		return route.CauseSlow
	case e.hurried:
		return route.CauseHurried
	}
	return route.CausePlain
}

const (
	phaseFirst  = "first content"
	phaseAnswer = "answer"
	phaseStall  = "progress"
	phasePace   = "pace"
)

// watch starts the clock of an attempt.
func (c *call) watch(a *attempt, cancel func(cause error)) *watchdog {
	t := c.route.Timeouts
	w := &a.clock
	w.cancel, w.phase, w.limit = cancel, phaseFirst, t.FirstToken
	if !c.peeked.Stream {
		w.phase, w.limit = phaseAnswer, t.Answer
	}
	// A limit that the call does not live to see would leave nothing to the targets behind this one.
	left, targets := time.Until(c.deadline), c.targetsLeft(a)
	if w.limit <= 0 || w.limit >= left && targets > 1 {
		w.limit, w.hurried = left/time.Duration(targets), c.hurried
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

// begun says that the answer has begun: from now on its progress is watched, and its
// pace if one is given.
func (w *watchdog) begun(limit time.Duration, p pace) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase, w.limit, w.hurried, w.last = phaseStall, limit, false, time.Now()
	w.pace, w.pace.begun = p, w.last
	if !w.stopped {
		w.timer.Reset(w.left())
	}
}

// hold stops the clock from now on while the client is written to: one that does not read
// keeps the vendor waiting, which is no fault of the vendor's. With progress, the current
// phase's time begins anew. It reports whether the window has as many tokens as the pace
// asks for. It is called for every event, so it leaves the timer alone: check looks at the
// time of the last one.
func (w *watchdog) hold(now time.Time, tokens int64, progress bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = now
	if progress {
		w.last = now
		w.pace.got += tokens
	}
	return w.pace.got >= w.pace.tokens
}

// resume lets the clock go on where hold stopped it.
func (w *watchdog) resume() {
	w.mu.Lock()
	waited := time.Since(w.held)
	w.last, w.pace.begun = w.last.Add(waited), w.pace.begun.Add(waited)
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
		w.timer.Reset(w.again())
		return
	}
	p := &w.pace
	switch {
	case time.Since(w.last) >= w.limit:
		w.cancel(&lateError{phase: w.phase, limit: w.limit, hurried: w.hurried})
		return
	case p.tokens == 0 || time.Since(p.begun) < p.window:
	case p.got < p.tokens:
		w.cancel(&lateError{phase: phasePace, limit: p.window, pace: *p})
		return
	default:
		p.begun, p.got = time.Now(), 0
	}
	w.timer.Reset(w.left())
}

// left is how long nothing can be missed.
func (w *watchdog) left() time.Duration {
	left := w.limit - time.Since(w.last)
	if w.pace.tokens > 0 {
		left = min(left, w.pace.window-time.Since(w.pace.begun))
	}
	return max(left, 0)
}

// again is when to look again after the client was found to keep the vendor waiting.
func (w *watchdog) again() time.Duration {
	if w.pace.tokens > 0 {
		return min(w.limit, w.pace.window)
	}
	return w.limit
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}
