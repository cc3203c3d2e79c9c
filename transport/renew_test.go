package transport

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// renewing is something renewed whose fetches the test answers.
type renewing struct {
	renewed[string]
	mu      sync.Mutex
	fetches int
	take    time.Duration // each fetch takes so long
	lasts   time.Duration // and brings something that lasts so long; for ever if 0
	err     error
}

func newRenewing(t *testing.T) *renewing {
	t.Helper()
	c := &credentials{now: time.Now, held: map[string]*held{}, issuers: newIssuers(&Options{}, nil)}
	c.life, c.end = context.WithCancel(context.Background())
	t.Cleanup(c.close)
	r := &renewing{take: time.Second, lasts: time.Hour}
	r.owner = c
	r.fetch = func(ctx context.Context) (string, time.Time, error) {
		r.mu.Lock()
		r.fetches++
		n, take, lasts, err := r.fetches, r.take, r.lasts, r.err
		r.mu.Unlock()
		select {
		case <-time.After(take):
		case <-ctx.Done():
			return "", time.Time{}, ctx.Err()
		}
		ends := time.Time{}
		if lasts > 0 {
			ends = time.Now().Add(lasts)
		}
		return fmt.Sprint("token ", n), ends, err
	}
	return r
}

// want gets and holds the answer against what is wanted, and how many fetches there
// have been.
func (r *renewing) want(t *testing.T, when, want string, fetches int) {
	t.Helper()
	got, err := r.get(t.Context(), 5*time.Second)
	if err != nil {
		got = err.Error()
	}
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got != want || r.fetches != fetches {
		t.Errorf("%s: got %q after %d fetches, want %q after %d", when, got, r.fetches, want, fetches)
	}
}

// TestRenewed follows a token through its life.
func TestRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { _, _ = r.get(t.Context(), 5*time.Second) })
		}
		all.Wait()
		r.want(t, "all at once", "token 1", 1)
		time.Sleep(54 * time.Minute)
		r.want(t, "in its time", "token 1", 1)
		time.Sleep(2 * time.Minute)
		start := time.Now()
		r.want(t, "near its end", "token 1", 2) // nobody waits for the second
		if waited := time.Since(start); waited != 0 {
			t.Errorf("near its end: got a wait of %v, want none", waited)
		}
		time.Sleep(2 * time.Second)
		r.want(t, "renewed", "token 2", 2)
		time.Sleep(2 * time.Hour)
		r.want(t, "after its end", "token 3", 3)
	})
}

// TestRenewedFails keeps what is good while there is nothing new, and asks again after
// a pause.
func TestRenewedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.err = errors.New("refused")
		r.want(t, "at first", "refused", 1)
		r.want(t, "at once again", "refused", 1)
		time.Sleep(failurePause)
		r.err = nil
		r.want(t, "after a pause", "token 2", 2)
		time.Sleep(56 * time.Minute)
		r.err = errors.New("refused")
		r.want(t, "near its end", "token 2", 3)
		time.Sleep(2 * time.Second)
		r.want(t, "refused meanwhile", "token 2", 3)
		time.Sleep(failurePause)
		r.want(t, "after a pause", "token 2", 4)
		time.Sleep(5 * time.Minute)
		r.want(t, "after its end", "refused", 5)
	})
}

// TestRenewedWaits bounds what a caller waits, and what a fetch takes.
func TestRenewedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.take = 8 * time.Second
		r.want(t, "too slow for the first", "no credential within the time to connect, 5s", 1)
		r.want(t, "in time for the second", "token 1", 1)

		r = newRenewing(t)
		r.take = time.Hour
		r.want(t, "too slow for all", "no credential within the time to connect, 5s", 1)
		time.Sleep(fetchTime - 5*time.Second)
		synctest.Wait()
		r.want(t, "given up", errFetchTime.Error(), 1)

		r = newRenewing(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("the call is over"))
		defer cancel()
		if _, err := r.get(ctx, time.Second); err == nil || err.Error() != "the call is over" {
			t.Errorf("got %v, want the cause of the call's end", err)
		}
		r.want(t, "another call", "token 1", 1)
	})
}

// TestRenewedDoubted fetches anew what was refused, unless it is new itself.
func TestRenewedDoubted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.doubt() // there is nothing yet
		r.want(t, "at first", "token 1", 1)
		r.doubt()
		r.want(t, "new and refused", "token 1", 1)
		time.Sleep(2 * doubtAfter)
		r.want(t, "old", "token 1", 1)
		r.doubt()
		r.want(t, "old and refused", "token 1", 2) // the call behind it does not wait
		time.Sleep(2 * time.Second)
		r.want(t, "renewed", "token 2", 2)
	})
}

// TestRenewedForever reads again what does not run out, in case it was replaced.
func TestRenewedForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.lasts = 0
		r.want(t, "at first", "token 1", 1)
		time.Sleep(lookAgain)
		r.err = errors.New("the file is being written")
		r.want(t, "later", "token 1", 2)
		time.Sleep(24 * time.Hour)
		r.want(t, "much later", "token 1", 3)
	})
}

// TestRenewedClosed ends what is running and begins nothing.
func TestRenewedClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRenewing(t)
		r.take = time.Hour
		go r.owner.close()
		if _, err := r.get(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "stopping") && !strings.Contains(err.Error(), "canceled") {
			t.Errorf("got %v, want the end", err)
		}
		r.owner.close()
		time.Sleep(failurePause)
		r.want(t, "closed", "the gateway is stopping", r.fetches)
	})
}
