package route_test

import (
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestHedgeIsPricedInMoney: an understudy that costs twenty times as much is asked a twentieth as often.
func TestHedgeIsPricedInMoney(t *testing.T) {
	t.Parallel()
	h := route.NewHealth(route.HealthOptions{})
	r := route.Route{Model: "m", Hedge: route.Hedge{After: time.Millisecond, Most: 0.5}, Targets: []route.Target{{Provider: &provider.Provider{ID: "a"}}}}
	hedged := 0
	for range 200 {
		h.EarnHedge(&r)
		if _, refusal := h.Enter(r.Targets[0], route.Entry{}); refusal.Reason != "" {
			t.Fatal(refusal)
		}
		if h.MayHedge(&r, r.Targets[0], 20) {
			hedged++
		}
	}
	if hedged < 4 || hedged > 6 {
		t.Errorf("got %d of 200 calls hedged at 20 times the price and half the spend, want 5", hedged)
	}
}

// TestHedgeAtAPercentile: what is late is learned, and nothing is hedged before.
func TestHedgeAtAPercentile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	h := route.NewHealth(route.HealthOptions{Now: func() time.Time { return now }})
	target := route.Target{Provider: &provider.Provider{ID: "a"}, Model: "m"}
	g := route.Hedge{Percentile: 90, Most: 0.05}
	for i := range 100 {
		if got, known := h.HedgeAfter(target, false, g); known != (i >= 20) {
			t.Fatalf("got %v (%v) after %d answers, want it known from 20 on", got, known, i)
		}
		pass, _ := h.Enter(target, route.Entry{})
		now = now.Add(time.Duration(i+1) * 10 * time.Millisecond)
		pass.Leave(route.Result{})
	}
	got, known := h.HedgeAfter(target, false, g)
	if want := 910 * time.Millisecond; !known || got < want-20*time.Millisecond || got > want+20*time.Millisecond {
		t.Errorf("got %v, want about %v", got, want)
	}
	if _, known := h.HedgeAfter(target, true, g); known {
		t.Error("got a time for streams, of which there were none")
	}
}

// TestOutrunCountsAsLate: what another target was faster than would have taken longer still, so that hedges do not make a slow
// target look fast.
func TestOutrunCountsAsLate(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		now := time.Now()
		h := route.NewHealth(route.HealthOptions{Now: func() time.Time { return now }})
		target := route.Target{Provider: &provider.Provider{ID: "a"}, Model: "m"}
		for range 20 {
			pass, _ := h.Enter(target, route.Entry{})
			now = now.Add(2 * time.Second)
			pass.Leave(route.Result{Stream: stream, Err: &llm.Error{Code: llm.CodeOutrun, Origin: llm.OriginGateway}})
		}
		if got, known := h.HedgeAfter(target, stream, route.Hedge{Percentile: 50}); !known || got < 2*time.Second {
			t.Errorf("stream %v: got %v (%v), want two seconds at least", stream, got, known)
		}
	}
}
