package route

import (
	"math"
	"time"
)

// limit is how many attempts a model takes at a time with one credential, as far as its vendor has
// let on: none is known until it says that there are too many. Then the limit is half of what there
// were, and grows by one each time that as many have succeeded.
type limit struct {
	most   float64 // 0 if none is known
	shrunk instant // when it last shrank
}

// forgetLimit is the time after which a limit that no vendor has confirmed is forgotten.
const forgetLimit = time.Minute

// minLimit is the least limit that is learned.
const minLimit = 2

// isFull reports whether no more than so many attempts may run.
func (l *limit) isFull(now instant, running int) bool {
	if l.most == 0 {
		return false
	}
	if l.shrunk.until(now) > forgetLimit {
		l.most = 0
		return false
	}
	return running >= int(l.most)
}

// shrink halves the limit. An attempt that began before it last shrank says nothing new.
func (l *limit) shrink(now, began instant, running int) {
	if l.most > 0 && began < l.shrunk {
		return
	}
	was := float64(running)
	if l.most > 0 {
		was = min(was, l.most)
	}
	l.most, l.shrunk = max(math.Floor(was/2), minLimit), now
}

func (l *limit) grow() {
	if l.most > 0 {
		l.most += 1 / l.most
	}
}

// The budget of retries: a tenth of a target's first attempts, and a few for one that has little to
// do. It holds no more than those few, so that a long time of peace pays for no storm.
const (
	retryShare = 0.1
	maxRetries = 5
	retryEvery = 15 * time.Second // one for a quiet target
)

// retries is what is left for asking a target again, shared by all calls.
type retries struct {
	left float64
	at   instant // when time was last paid for
}

func (r *retries) earn() { r.left = min(r.left+retryShare, maxRetries) }

func (r *retries) spend(now instant) bool {
	r.left = min(r.left+float64(r.at.until(now))/float64(retryEvery), maxRetries)
	r.at = now
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}

// averageTime is the time in which an average forgets.
const averageTime = 10 * time.Second

// average is of durations: one that is longer counts at once, shorter ones bit by bit. Without any,
// it forgets: a target that was slow is tried again.
type average struct {
	value float64 // nanoseconds
	at    instant
}

func (a *average) add(now instant, d time.Duration) {
	a.value = a.now(now)
	if v := float64(d); v > a.value {
		a.value = v
	} else {
		a.value += (v - a.value) * averageWeight
	}
	a.at = now
}

// averageWeight is that of one shorter duration.
const averageWeight = 0.1

func (a *average) now(now instant) float64 {
	if a.value == 0 || now <= a.at {
		return a.value
	}
	return a.value * math.Exp(-float64(now-a.at)/float64(averageTime))
}
