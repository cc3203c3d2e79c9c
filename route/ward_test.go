package route_test

import (
	"bytes"
	"log/slog"
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
		if c.Behind != "" {
			s += "~" + string(c.Behind)
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
