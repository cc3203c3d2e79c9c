package route_test

import (
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// TestShrinks: when a vendor says that there is too much at a time, half as much is let through, and
// a burst of such answers counts once; then one more each time that all have succeeded.
func TestShrinks(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	var passes []route.Pass
	for range 20 {
		p, _ := w.Enter(w.a, route.Entry{})
		passes = append(passes, p)
	}
	w.clock.pass(time.Second)
	limited := failure(llm.CodeRateLimit, 429)
	for _, p := range passes {
		p.Leave(limited)
	}
	w.clock.pass(10 * time.Second)
	enter := func() (n int, open []route.Pass) {
		for {
			p, refusal := w.Enter(w.a, route.Entry{})
			if refusal.Reason != "" {
				if refusal.Reason != route.ReasonFull {
					t.Errorf("got the reason %s, want full", refusal.Reason)
				}
				return n, open
			}
			n, open = n+1, append(open, p)
		}
	}
	n, open := enter()
	if n != 10 {
		t.Errorf("got %d at a time after 20 were too many, want 10", n)
	}
	w.wantOrder("b/m a/m=full")
	for _, p := range open {
		p.Leave(route.Result{})
	}
	n, open = enter()
	if n != 10 && n != 11 {
		t.Errorf("got %d at a time after 10 succeeded, want one more", n)
	}
	for _, p := range open {
		p.Leave(route.Result{})
	}
	w.clock.pass(11 * time.Minute)
	for range 100 {
		if _, refusal := w.Enter(w.a, route.Entry{}); refusal.Reason != "" {
			t.Fatalf("got %s, want the limit forgotten", refusal.Reason)
		}
	}
}

// TestConcurrency: a limit that the config gives holds for the provider's models together.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.a.Provider.Concurrency = 2
	other := route.Target{Provider: w.a.Provider, Model: "other"}
	_, _ = w.Enter(w.a, route.Entry{})
	p, _ := w.Enter(other, route.Entry{})
	w.wantOrder("b/m a/m=full")
	p.Leave(route.Result{})
	w.wantOrder("a/m b/m")
}

// TestRetries: asking again is paid for by a tenth of the first attempts; a quiet target has a few.
func TestRetries(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	attempts, firsts := 0, 12000
	for range firsts { // 60s at 200 a second
		w.try(w.b, route.Result{})
		attempts++
		for range 2 {
			if w.MayRetry(w.b) {
				p, _ := w.Enter(w.b, route.Entry{Retry: true})
				p.Leave(route.Result{})
				attempts++
			}
		}
		w.clock.pass(5 * time.Millisecond)
	}
	if most := firsts + firsts/10 + 10; attempts > most || attempts < firsts+firsts/10 {
		t.Errorf("got %d attempts for %d first ones, want a tenth more and at most 10: %d", attempts, firsts, most)
	}
	w.clock.pass(time.Hour)
	n := 0
	for w.MayRetry(w.b) {
		n++
	}
	if n != 5 {
		t.Errorf("got %d retries after an hour of silence, want 5", n)
	}
}
