package transport

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// fetchTime bounds one fetch, whoever waits for it.
	fetchTime = 15 * time.Second
	// renewBefore is how long before its end something is fetched anew: a quarter of its
	// time if that is less.
	renewBefore = 5 * time.Minute
	// lastUse is how long before its end something is not used any more, so that it does
	// not run out on its way.
	lastUse = 5 * time.Second
	// lookAgain is how soon what has no end is fetched anew: files are replaced.
	lookAgain = 15 * time.Minute
	// doubtAfter is how long what has been fetched is above doubt.
	doubtAfter = time.Minute
	// failurePause is how long after a failure nothing is fetched: a call that has more
	// attempts would only hear the same, and those behind a refusal are locked out for
	// knocking too often.
	failurePause = 2 * time.Second
)

// errFetchTime is the cause when a fetch takes longer than it may.
var errFetchTime = errors.New("no answer within " + fetchTime.String())

// renewed is something that runs out. It is fetched once at a time, whoever asks,
// and while the old one still serves nobody waits for the new one.
type renewed[T any] struct {
	owner *credentials
	// fetch returns the thing and when it ends, a zero time if it does not. Its error is
	// a *CredentialError or ctx's.
	fetch func(ctx context.Context) (T, time.Time, error)

	mu      sync.Mutex
	latest  *fetched[T] // the latest that is good
	running *fetched[T]
	failure *fetched[T] // the latest, if it failed
}

// fetched is what came of a fetch; done is closed when it is there.
type fetched[T any] struct {
	done        chan struct{}
	value       T
	err         error
	at          time.Time
	renew, last time.Time // when to fetch again, and from when on not to use it; zero for never
}

// get returns what is good now, or waits for it at most so long.
func (r *renewed[T]) get(ctx context.Context, wait time.Duration) (T, error) {
	if wait <= 0 {
		wait = defaultConnect
	}
	f := r.current()
	select {
	case <-f.done:
		return f.value, f.err
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var none T
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-timer.C:
		return none, &CredentialError{Reason: "no credential within the time to connect, " + wait.String()}
	}
}

// current returns what serves now, or what is to be waited for, and begins a fetch
// when it is time.
func (r *renewed[T]) current() *fetched[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.owner.now()
	old := r.latest
	isGood := old != nil && (old.last.IsZero() || now.Before(old.last))
	if isGood && now.Before(old.renew) {
		return old
	}
	if r.failure != nil && now.Sub(r.failure.at) < failurePause {
		if isGood {
			return old
		}
		return r.failure
	}
	if r.running == nil {
		r.running = &fetched[T]{done: make(chan struct{})}
		if !r.owner.fetch(r.run) {
			r.running.err = &CredentialError{Reason: "the gateway is stopping"}
			close(r.running.done)
		}
	}
	if isGood {
		return old
	}
	return r.running
}

// doubt has it fetched anew when it is next needed, since whoever was shown it said no:
// what has not run out can have been withdrawn. It may as well be something else that
// was refused, so what is new is not doubted.
func (r *renewed[T]) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.owner.now(); r.latest != nil && now.Sub(r.latest.at) > doubtAfter {
		r.latest.renew = now
	}
}

// run fetches, on behalf of everybody who waits.
func (r *renewed[T]) run() {
	ctx, cancel := context.WithTimeoutCause(r.owner.life, fetchTime, errFetchTime)
	defer cancel()
	value, ends, err := r.fetch(ctx)
	if err != nil && ctx.Err() != nil {
		err = &CredentialError{Reason: context.Cause(ctx).Error()}
	}
	now := r.owner.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.running
	f.value, f.err, f.at = value, err, now
	f.renew = now.Add(lookAgain)
	if !ends.IsZero() {
		f.renew, f.last = ends.Add(-min(renewBefore, ends.Sub(now)/4)), ends.Add(-lastUse)
	}
	r.running, r.failure = nil, nil
	if err != nil {
		r.failure = f
	} else {
		r.latest = f
	}
	close(f.done)
}
