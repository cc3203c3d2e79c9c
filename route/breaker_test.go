package route_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestOpens: five counted failures in a row open a breaker, and no fewer; so does half of twenty
// within ten seconds (F16).
func TestOpens(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for range 4 {
		w.try(w.a, down)
	}
	w.try(w.a, route.Result{})
	for range 4 {
		w.try(w.a, down)
	}
	w.wantOrder("a/m b/m")
	w.try(w.a, down)
	w.wantOrder("b/m a/m!open")
	if got := w.try(w.a, down); got != route.ReasonOpen {
		t.Errorf("got the reason %q for an attempt at what is out, want open", got)
	}

	w = newWard(t)
	for i := range 10 {
		w.try(w.a, down)
		w.try(w.a, route.Result{})
		if i < 9 {
			w.wantOrder("a/m b/m")
		}
	}
	w.try(w.a, down) // the 21st: 11 of 21
	w.wantOrder("b/m a/m!open")

	w = newWard(t)
	for range 30 { // as bad, but slower than the window
		w.try(w.a, down)
		w.try(w.a, route.Result{})
		w.clock.pass(1100 * time.Millisecond)
	}
	w.wantOrder("a/m b/m")
}

// TestFlaky: a target that fails three times in ten is not taken for broken when chance makes it fail
// five times in a row; when it goes down for good, it is soon.
func TestFlaky(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for range 20 {
		for i := range 10 {
			r := route.Result{}
			if i < 3 {
				r = down
			}
			w.try(w.a, r)
			w.clock.pass(5 * time.Millisecond)
		}
	}
	for range 6 {
		w.try(w.a, down)
	}
	w.wantOrder("a/m b/m")
	w.try(w.a, route.Result{})
	n := 0
	for w.try(w.a, down) == "" {
		n++
	}
	if n != 13 {
		t.Errorf("got it out after %d failures in a row, want 13", n)
	}
}

// TestFlakyAtRandom: nor is one that fails three times in ten at random, under much traffic, for a minute.
func TestFlakyAtRandom(t *testing.T) {
	t.Parallel()
	const rate, seconds, runs = 200, 60, 40
	asked, out := 0, 0
	for seed := range uint64(runs) {
		random := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // the same each time
		w := newWard(t)
		wasOut := false
		for range rate * seconds {
			r := route.Result{}
			if random.Float64() < 0.3 {
				r = down
			}
			isOut := w.try(w.a, r) != ""
			if !isOut {
				asked++
			}
			if isOut && !wasOut {
				out++
			}
			wasOut = isOut
			w.clock.pass(time.Second / rate)
		}
	}
	t.Logf("%d of %d calls went out, and the target was out %d times in %d minutes", asked, rate*seconds*runs, out, runs)
	if share := float64(asked) / (rate * seconds * runs); share < 0.97 {
		t.Errorf("got %.1f %% of the calls let through, want nearly all", 100*share)
	}
}

// TestHalfOpen: when its time is over one attempt at a time finds out; its failure opens the breaker
// again, its success lets traffic come back step by step (F13, F33).
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.breakDown(w.a)
	w.clock.pass(5 * time.Second)
	w.wantOrder("b/m a/m!open") // the jitter is its longest: 7.5s
	w.clock.pass(2500 * time.Millisecond)
	w.wantOrder("a/m b/m")
	probe, refusal := w.Enter(w.a, route.Entry{})
	if refusal.Reason != "" {
		t.Fatalf("got the probe refused: %s", refusal.Reason)
	}
	w.wantOrder("b/m a/m!probing")
	if got := w.try(w.a, down); got != route.ReasonProbing {
		t.Errorf("got %q for a second probe, want probing", got)
	}
	probe.Leave(down)
	w.wantOrder("b/m a/m!open")

	w.clock.pass(7500 * time.Millisecond)
	probe, _ = w.Enter(w.a, route.Entry{})
	probe.Leave(route.Result{Err: &llm.Error{Code: llm.CodeClientGone, Origin: llm.OriginClient}})
	w.wantOrder("a/m b/m") // it found nothing out, so the next one does
	w.try(w.a, route.Result{})
	for _, step := range []struct {
		share  float64
		random float64
		want   string
	}{
		{0.10, 0.05, "a/m b/m"},
		{0.10, 0.15, "b/m a/m"},
		{0.25, 0.20, "a/m b/m"},
		{0.25, 0.30, "b/m a/m"},
		{0.50, 0.45, "a/m b/m"},
		{0.50, 0.55, "b/m a/m"},
		{1.00, 0.999, "a/m b/m"},
		{1.00, 0.999, "a/m b/m"},
	} {
		w.random = step.random
		if got := w.order(route.Ask{}); got != step.want {
			t.Errorf("at %.0f %% with %v: got %q, want %q", 100*step.share, step.random, got, step.want)
		}
		w.clock.pass(2500 * time.Millisecond)
	}
}

// TestStreamProbe: a probe that streams has found out when its content begins, but is judged at its
// end (F18).
func TestStreamProbe(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.breakDown(w.a)
	w.clock.pass(8 * time.Second)
	probe, _ := w.Enter(w.a, route.Entry{})
	probe.Begun()
	w.random = 0
	w.wantOrder("a/m b/m")
	if got := w.try(w.a, route.Result{}); got != "" {
		t.Errorf("got %q after the probe's content began, want an attempt to be let through", got)
	}
	for range 4 {
		w.try(w.a, down)
	}
	probe.Leave(failure(llm.CodeTruncated, 200))
	w.wantOrder("b/m a/m!open") // the fifth failure in a row
}

// TestLastLive: what is left of a route is not ejected for having failed, and what hangs holds few
// calls.
func TestLastLive(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.breakDown(w.a)
	w.clock.pass(time.Second)
	w.breakDown(w.b)
	w.wantOrder("a/m!open b/m!open") // the first to come back
	var passes []route.Pass
	for range 8 {
		p, refusal := w.Enter(w.a, route.Entry{Last: true})
		if refusal.Reason != "" {
			t.Fatalf("got %s for a last resort, want it let through", refusal.Reason)
		}
		passes = append(passes, p)
	}
	w.wantOrder("b/m!open a/m=open")
	if _, refusal := w.Enter(w.a, route.Entry{Last: true}); refusal.Reason != route.ReasonFull {
		t.Errorf("got %q for the ninth at a time, want full", refusal.Reason)
	}
	for _, p := range passes[1:] {
		p.Leave(down)
	}
	passes[0].Leave(route.Result{})
	w.wantOrder("a/m b/m!open") // its success is as good as a probe's
}

// TestCooling: what the vendor says of when to come back is respected, and told: of several that
// cool, all. The last target is left alone for a minute at most (F16, F17).
func TestCooling(t *testing.T) {
	t.Parallel()
	limited := func(after time.Duration) route.Result {
		r := failure(llm.CodeRateLimit, 429)
		r.Err.RetryAfter = after
		return r
	}
	w := newWard(t)
	w.try(w.a, limited(20*time.Second))
	w.wantOrder("b/m a/m=cooling")
	w.try(w.b, limited(300*time.Second))
	choices := w.Order(nil, &w.route, route.Ask{})
	if choices[0].Skip != route.ReasonCooling || choices[0].Wait != 20*time.Second || choices[1].Wait != time.Minute {
		t.Errorf("got %+v, want both skipped, for 20s and for a minute", choices)
	}
	w.clock.pass(20 * time.Second)
	w.wantOrder("a/m b/m=cooling")

	for given, want := range map[time.Duration]time.Duration{time.Millisecond: time.Second, time.Hour: 10 * time.Minute} {
		w = newWard(t)
		w.try(w.a, limited(given))
		if got := w.Order(nil, &w.route, route.Ask{})[1].Wait; got != want {
			t.Errorf("%v: got a cooldown of %v, want %v", given, got, want)
		}
	}

	w = newWard(t)
	w.route.Targets = w.route.Targets[:1]
	w.try(w.a, limited(0))
	w.wantOrder("a/m!cooling") // nobody said when
}

// TestBroken: a key that is refused is out after one attempt, for longer each time, and back with
// another key.
func TestBroken(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.random = 0
	refused := failure(llm.CodeProviderAuth, 401)
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		if got := w.try(w.a, refused); got != "" {
			t.Fatalf("got %q, want the probe let through", got)
		}
		c := w.Order(nil, &w.route, route.Ask{})
		if c[1].Target.Name() != "a/m" || c[1].Wait != want {
			t.Errorf("got %s out for %v, want a/m for %v", c[1].Target.Name(), c[1].Wait, want)
		}
		w.clock.pass(want)
	}
	w.try(w.a, refused)
	w.Keep([]*provider.Provider{w.a.Provider, w.b.Provider})
	w.wantOrder("b/m a/m=open") // not even when the other fails
	alone := route.Route{Targets: []route.Target{w.a}}
	if c := w.Order(nil, &alone, route.Ask{}); c[0].Skip != "" || c[0].Last != route.ReasonOpen {
		t.Errorf("got %+v, want it tried where there is no other", c)
	}
	renewed := *w.a.Provider
	renewed.Key = provider.NewSecret("k2")
	w.Keep([]*provider.Provider{&renewed, w.b.Provider})
	w.wantOrder("a/m b/m")
}

// TestQuotaOfModel: where each model has a quota of its own, the account's others go on.
func TestQuotaOfModel(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	sibling := w.a
	sibling.Model = "n"
	w.route.Targets = []route.Target{w.a, sibling}
	spent := failure(llm.CodeQuota, 429)
	spent.Err.OfModel = true
	w.try(w.a, spent)
	w.wantOrder("a/n a/m=open")
	if got := w.try(sibling, route.Result{}); got != "" {
		t.Errorf("got %q, want the account's other model asked", got)
	}
	spent.Err.OfModel = false
	w.try(sibling, spent)
	for _, c := range w.Order(nil, &w.route, route.Ask{}) {
		if c.Last != route.ReasonOpen {
			t.Errorf("got %+v, want both out when the account is", c)
		}
	}
}

// TestShared: of many requests on one connection that breaks, one counts.
func TestShared(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	var passes []route.Pass
	for range 40 {
		p, _ := w.Enter(w.a, route.Entry{})
		passes = append(passes, p)
	}
	broken := failure(llm.CodeTruncated, 200)
	broken.Stream, broken.Conn = true, new(int)
	for _, p := range passes {
		p.Leave(broken)
	}
	w.wantOrder("a/m b/m")
	for range 3 {
		w.try(w.a, down)
	}
	w.wantOrder("a/m b/m")
	w.try(w.a, down)
	w.wantOrder("b/m a/m!open")
}

// TestSoft: three answers in a row in which there is nothing move most of the traffic away.
func TestSoft(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	empty := route.Result{Cause: route.CauseEmpty}
	for range 2 {
		w.try(w.a, empty)
	}
	w.try(w.a, route.Result{})
	for range 2 {
		w.try(w.a, empty)
	}
	w.wantOrder("a/m b/m")
	w.try(w.a, empty)
	w.wantOrder("b/m a/m")
}
