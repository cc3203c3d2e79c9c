package route_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// clock is a time that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// ward is a Health with a clock of its own and a route of two targets.
type ward struct {
	*route.Health
	t       *testing.T
	clock   *clock
	random  float64
	log     bytes.Buffer
	changes []route.Change
	a, b    route.Target
	route   route.Route
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t: t, clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, random: 0.999}
	w.Health = route.NewHealth(route.HealthOptions{
		Now: w.clock.now, Random: func() float64 { return w.random },
		Log:     slog.New(slog.NewTextHandler(&w.log, nil)),
		Changed: func(c route.Change) { w.changes = append(w.changes, c) },
	})
	w.a = route.Target{Provider: &provider.Provider{ID: "a", Key: provider.NewSecret("k1")}, Model: "m"}
	w.b = route.Target{Provider: &provider.Provider{ID: "b"}, Model: "m"}
	w.route = route.Route{Model: "assistant", Targets: []route.Target{w.a, w.b}}
	return w
}

// failure is the result of an attempt that the vendor failed.
func failure(code llm.Code, status int) route.Result {
	return route.Result{Err: &llm.Error{Code: code, Origin: llm.OriginProvider, Status: status}, Status: status}
}

var down = failure(llm.CodeOverloaded, 503)

// try makes one attempt and reports why it was refused.
func (w *ward) try(t route.Target, r route.Result) route.Reason {
	w.t.Helper()
	p, refusal := w.Enter(t, route.Entry{})
	if refusal.Reason == "" {
		p.Leave(r)
	}
	return refusal.Reason
}

// order lists a route's targets as "a/m b/m!open".
func (w *ward) order(ask route.Ask) string {
	var parts []string
	for _, c := range w.Order(nil, &w.route, ask) {
		s := c.Target.Name()
		if c.Skip != "" {
			s += "=" + string(c.Skip)
		}
		if c.Last != "" {
			s += "!" + string(c.Last)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func (w *ward) wantOrder(want string) {
	w.t.Helper()
	if got := w.order(route.Ask{}); got != want {
		w.t.Errorf("got the order %q, want %q", got, want)
	}
}

// breakDown opens the breaker of a target's endpoint.
func (w *ward) breakDown(t route.Target) {
	w.t.Helper()
	for range 5 {
		if reason := w.try(t, down); reason != "" {
			w.t.Fatalf("got %s while breaking %s down", reason, t.Name())
		}
	}
}

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

// TestKeep: a reload keeps what is known by name and forgets providers that are gone.
func TestKeep(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.breakDown(w.a)
	w.breakDown(w.b)
	w.Keep([]*provider.Provider{{ID: "a", Key: provider.NewSecret("k1")}})
	w.wantOrder("b/m a/m!open")
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

// TestPostures: a drained provider is tried when nothing else is left, an evacuated one only where a
// route has no other, and either gets the share it is given.
func TestPostures(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.SetPosture("a", route.PostureDraining, 0)
	w.wantOrder("b/m a/m")
	w.breakDown(w.b)
	w.wantOrder("a/m b/m!open")
	w.SetPosture("a", route.PostureEvacuated, 0)
	w.wantOrder("b/m!open a/m=evacuated")
	w.SetPosture("a", route.PostureEvacuated, 0.25)
	w.random = 0.2
	w.wantOrder("a/m b/m!open")
	w.SetPosture("b", route.PostureEvacuated, 0)
	w.random = 0.9
	w.wantOrder("a/m b/m!open") // nowhere to go
	if p, share := w.Posture("a"); p != route.PostureEvacuated || share != 0.25 {
		t.Errorf("got the posture %s with %v, want evacuated with 0.25", p, share)
	}
	w.SetPosture("a", route.PostureNormal, 0)
	if p, share := w.Posture("a"); p != route.PostureNormal || share != 1 {
		t.Errorf("got the posture %s with %v, want normal with all", p, share)
	}
}

// TestSession: of a session the same is drawn each time.
func TestSession(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.SetPosture("a", route.PostureDraining, 0.5)
	lead := 0
	for session := uint64(1); session <= 1000; session++ {
		first := w.order(route.Ask{Session: session})
		if again := w.order(route.Ask{Session: session}); again != first {
			t.Fatalf("session %d: got %q, then %q", session, first, again)
		}
		if first == "a/m b/m" {
			lead++
		}
	}
	if lead < 450 || lead > 550 {
		t.Errorf("got %d of 1000 sessions at half of the traffic, want about 500", lead)
	}
}

// TestTold: the log and the hook hear of changes, each once, and of nothing else.
func TestTold(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.try(w.a, route.Result{})
	w.breakDown(w.a)
	w.clock.pass(8 * time.Second)
	w.try(w.a, down)
	w.clock.pass(8 * time.Second)
	w.try(w.a, route.Result{})
	w.SetPosture("b", route.PostureDraining, 0)
	w.SetPosture("b", route.PostureDraining, 0)
	var got []string
	for _, c := range w.changes {
		got = append(got, fmt.Sprintf("%s %s %s %s", c.Provider, c.Scope, c.Reason, c.Posture))
	}
	want := "a endpoint open \na endpoint  \nb   draining"
	if strings.Join(got, "\n") != want {
		t.Errorf("got the changes\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if n := strings.Count(w.log.String(), "\n"); n != 3 {
		t.Errorf("got %d lines in the log, want 3:\n%s", n, w.log.String())
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	p, _ := w.Enter(w.b, route.Entry{})
	w.clock.pass(300 * time.Millisecond)
	p.Begun()
	p.Leave(route.Result{Stream: true})
	w.breakDown(w.a)
	got := w.Snapshot()
	if len(got) != 4 {
		t.Fatalf("got %d states, want those of two providers and their models: %+v", len(got), got)
	}
	if s := got[1]; s.Provider != "a" || s.Model != "m" || s.State != route.StateOut || s.Scope != route.ScopeEndpoint ||
		s.Code != llm.CodeOverloaded || s.Wait <= 0 {
		t.Errorf("got %+v, want a/m out for its endpoint", s)
	}
	if s := got[3]; s.State != route.StateUp || s.FirstToken != 300*time.Millisecond || s.Share != 1 || s.Posture != route.PostureNormal {
		t.Errorf("got %+v, want b/m up, with its first token after 300ms", s)
	}
}

// TestUnbounded: the names that clients think of take a bounded place (S71).
func TestUnbounded(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for i := range 5000 {
		t := w.a
		t.Model = fmt.Sprint("name", i)
		w.try(t, failure(llm.CodeModelGone, 404))
	}
	if n := len(w.Snapshot()); n > 1100 {
		t.Errorf("got %d states, want about a thousand at most", n)
	}
}

// TestRace is for the race detector.
func TestRace(t *testing.T) {
	t.Parallel()
	h := route.NewHealth(route.HealthOptions{})
	w := newWard(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				h.Order(nil, &w.route, route.Ask{Session: uint64(i)})
				p, refusal := h.Enter(w.a, route.Entry{Last: i%7 == 0})
				if refusal.Reason == "" {
					p.Begun()
					p.Leave(map[bool]route.Result{true: down, false: {}}[i%5 == 0])
				}
				if i%50 == 0 {
					h.Snapshot()
					h.SetPosture("a", route.PostureDraining, 0.5)
					h.Keep([]*provider.Provider{w.a.Provider})
				}
			}
		})
	}
	wg.Wait()
	for _, s := range h.Snapshot() {
		if s.Running != 0 {
			t.Errorf("%s/%s: got %d attempts running at the end, want none", s.Provider, s.Model, s.Running)
		}
	}
}

func BenchmarkEnterLeave(b *testing.B) {
	h := route.NewHealth(route.HealthOptions{})
	t := route.Target{Provider: &provider.Provider{ID: "a"}, Model: "m"}
	b.ReportAllocs()
	for b.Loop() {
		p, _ := h.Enter(t, route.Entry{})
		p.Leave(route.Result{})
	}
}

func BenchmarkOrder(b *testing.B) {
	h := route.NewHealth(route.HealthOptions{})
	r := route.Route{Targets: []route.Target{
		{Provider: &provider.Provider{ID: "a"}, Model: "m"}, {Provider: &provider.Provider{ID: "b"}, Model: "m"},
	}}
	var buf [4]route.Choice
	b.ReportAllocs()
	for b.Loop() {
		h.Order(buf[:0], &r, route.Ask{})
	}
}
