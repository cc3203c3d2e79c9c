package route

import (
	"math"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// instant is a time, since the Health began.
type instant time.Duration

func (t instant) after(d time.Duration) instant { return t + instant(d) }

func (t instant) until(later instant) time.Duration { return time.Duration(later - t) }

// When a breaker opens, and for how long.
const (
	maxFails  = 5 // counted failures in a row, of a target that mostly does not fail
	maxSofts  = 3 // answers in a row in which there is nothing
	minSample = 20
	// openTime is how long a breaker stays open at least, and jitterShare how much longer at most:
	// breakers that opened together must not probe together.
	openTime    = 5 * time.Second
	jitterShare = 0.5
	// brokenTime is the same for what asking again does not mend; it doubles each time, up to the
	// longest.
	brokenTime    = time.Minute
	maxBrokenTime = 10 * time.Minute
	// maxLoneCool is how long a cooldown holds for the last target of a route.
	maxLoneCool = time.Minute
)

// rampStep is how long each share of the ramp lasts after an outage.
const rampStep = 5 * time.Second

// rampShares are the shares of its traffic that a target gets after an outage, step by step.
var rampShares = [...]float64{0.10, 0.25, 0.50}

// breaker keeps traffic from what fails: an endpoint, a model or a credential. It is closed, open,
// or, when its time is over, half open: one attempt at a time may find out. Its owner's lock
// guards it.
type breaker struct {
	open    bool
	probing bool // half open, and an attempt is finding out
	fails   int  // counted failures in a row
	softs   int
	broken  int // how many times in a row it was opened at once
	since   instant
	until   instant // when it is half open
	code    llm.Code
	window  window

	cooling    bool
	coolSince  instant
	coolUntil  instant
	coolStated bool

	ramping  bool
	rampFrom instant
}

// Reason says why a target is not tried, in one word.
type Reason string

// Reasons that come of a target's health.
const (
	ReasonOpen    Reason = "open"    // it failed too often, or in a way that asking again does not mend
	ReasonProbing Reason = "probing" // one attempt is finding out whether it is back
	ReasonCooling Reason = "cooling" // its vendor wants to be left alone for a while
	ReasonFull    Reason = "full"    // it has as many attempts as it takes at a time
)

// blocked says why no attempt may be made now, and when to ask again; lone that there is no other
// target.
func (b *breaker) blocked(now instant, lone bool) (Reason, time.Duration) {
	if b.cooling {
		until := b.coolUntil
		switch {
		case lone && !b.coolStated:
			until = now
		case lone:
			until = min(until, b.coolSince.after(maxLoneCool))
		}
		if now < until {
			return ReasonCooling, now.until(until)
		}
	}
	switch {
	case !b.open || lone:
		return "", 0
	case now < b.until:
		return ReasonOpen, now.until(b.until)
	case b.probing:
		return ReasonProbing, minCool
	}
	return "", 0
}

// enter admits an attempt that is not blocked, and reports whether it is the one that finds out.
func (b *breaker) enter(now instant) (probe bool) {
	if b.cooling && now >= b.coolUntil {
		b.cooling = false
	}
	if !b.open || b.probing || now < b.until {
		return false
	}
	b.probing = true
	return true
}

// outcome is a verdict and what it comes with.
type outcome struct {
	verdict Verdict
	code    llm.Code
	cool    time.Duration
	stated  bool
	// decides says that the attempt was made although the breaker was open, so that its success
	// closes it.
	decides bool
	random  float64 // 0 to 1
}

// leave takes an attempt's outcome into account and reports whether the breaker opened or closed,
// or its cooldown began.
func (b *breaker) leave(now instant, o outcome) (changed bool) {
	switch o.verdict {
	case Succeeded:
		b.fails, b.softs = 0, 0
		b.window.add(now, false)
		if b.open && o.decides {
			b.close(now)
			return true
		}
	case Soft:
		if b.softs++; b.softs >= maxSofts && !b.open {
			b.softs, b.ramping, b.rampFrom = 0, true, now
		}
	case Failed:
		b.fails++
		b.window.add(now, true)
		switch {
		case b.open && now < b.until: // it is known
		case b.open, b.fails >= maxFails && b.fails >= b.window.run(now, b.fails), b.window.isBad(now):
			return b.trip(now, openTime, o)
		}
	case Cooled:
		was := b.cooling && now < b.coolUntil
		if until := now.after(o.cool); !was || until > b.coolUntil {
			b.cooling, b.coolSince, b.coolUntil, b.coolStated = true, now, until, o.stated
		}
		b.code = o.code
		return !was
	case Broken:
		if b.open && now < b.until {
			return false
		}
		b.broken++
		return b.trip(now, min(brokenTime<<min(b.broken-1, 4), maxBrokenTime), o)
	case Uncounted:
	}
	return false
}

// trip opens the breaker, and reports whether it was closed.
func (b *breaker) trip(now instant, d time.Duration, o outcome) bool {
	was := b.open
	if !was {
		b.since = now
	}
	b.open, b.ramping, b.code = true, false, o.code
	b.until = now.after(d + time.Duration(o.random*jitterShare*float64(d)))
	return !was
}

// close lets traffic come back, step by step.
func (b *breaker) close(now instant) {
	*b = breaker{
		ramping: true, rampFrom: now, probing: b.probing, code: b.code,
		cooling: b.cooling, coolSince: b.coolSince, coolUntil: b.coolUntil, coolStated: b.coolStated,
	}
}

// share is the share of its traffic that there may be after an outage, 0 to 1.
func (b *breaker) share(now instant) float64 {
	if !b.ramping {
		return 1
	}
	step := int(b.rampFrom.until(now) / rampStep)
	if step >= len(rampShares) {
		b.ramping = false
		return 1
	}
	return rampShares[step]
}

// windowSeconds is the time over which a share of failures is looked at.
const windowSeconds = 10

// window counts attempts by the second.
type window struct {
	seconds [windowSeconds]struct {
		second      int64
		all, failed int32
	}
}

func (w *window) add(now instant, failed bool) {
	second := int64(time.Duration(now) / time.Second)
	s := &w.seconds[second%windowSeconds]
	if s.second != second {
		s.second, s.all, s.failed = second, 0, 0
	}
	s.all++
	if failed {
		s.failed++
	}
}

// run is how many failures in a row are no chance at the rate at which the target has failed before
// them: what fails now and then must not be taken for broken as soon as there is much traffic.
func (w *window) run(now instant, fails int) int {
	all, failed := w.counts(now)
	all, failed = all-int32(fails), failed-int32(fails)
	if all < minSample/2 || failed <= 0 || 2*failed >= all {
		return 0
	}
	chance := 1e-4 / float64(all) // each attempt may begin such a run
	return int(math.Ceil(math.Log(chance) / math.Log(float64(failed)/float64(all))))
}

// isBad reports whether at least half of enough attempts failed.
func (w *window) isBad(now instant) bool {
	all, failed := w.counts(now)
	return all >= minSample && 2*failed >= all
}

func (w *window) counts(now instant) (all, failed int32) {
	second := int64(time.Duration(now) / time.Second)
	for i := range w.seconds {
		if s := &w.seconds[i]; second-s.second < windowSeconds {
			all, failed = all+s.all, failed+s.failed
		}
	}
	return all, failed
}
