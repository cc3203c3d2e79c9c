package route_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestKeep: a reload keeps what is known by name and forgets providers that are gone.
func TestKeep(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.breakDown(w.a)
	w.breakDown(w.b)
	w.Keep([]*provider.Provider{{ID: "a", Key: provider.NewSecret("k1")}})
	w.wantOrder("b/m a/m!open")
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
	for tenths := 1; tenths < 10; tenths++ { // a ramp has hundreds
		w.SetPosture("b", route.PostureDraining, float64(tenths)/10)
	}
	w.SetPosture("b", route.PostureNormal, 1)
	if n, lines := len(w.changes), strings.Count(w.log.String(), "\n"); n != 13 || lines != 4 {
		t.Errorf("got %d changes and %d lines in the log after a ramp, want 13 and 4:\n%s", n, lines, w.log.String())
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
