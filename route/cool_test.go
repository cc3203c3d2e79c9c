package route_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// limited is a vendor's refusal of a request too many, to be left alone for a while.
func limited(d time.Duration) route.Result {
	r := failure(llm.CodeRateLimit, 429)
	r.Err.RetryAfter = d
	return r
}

// TestCooldownIsNotCutShort: of two attempts that run, the one that ends last may have been told of a shorter time.
func TestCooldownIsNotCutShort(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	first, _ := w.Enter(w.a, route.Entry{})
	second, _ := w.Enter(w.a, route.Entry{})
	first.Leave(limited(time.Minute))
	second.Leave(limited(5 * time.Second))
	w.clock.pass(30 * time.Second)
	if got := w.try(w.a, route.Result{}); got != route.ReasonCooling {
		t.Errorf("got the reason %q half a minute into a minute's cooldown, want cooling", got)
	}
	w.clock.pass(31 * time.Second)
	if got := w.try(w.a, route.Result{}); got != "" {
		t.Errorf("got the reason %q after the cooldown, want none", got)
	}
}

// TestModelsThatAreOutAreRemembered: names that clients make up push nothing out that is to be known of a model.
func TestModelsThatAreOutAreRemembered(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.try(w.a, limited(5*time.Minute))
	for i := range 5000 {
		made := w.a
		made.Model = fmt.Sprint("made-up-", i)
		w.try(made, route.Result{})
	}
	if got := w.try(w.a, route.Result{}); got != route.ReasonCooling {
		t.Errorf("got the reason %q, want it cooling as before", got)
	}
}
