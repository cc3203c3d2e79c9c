package route_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// first is the target that a call tries first.
func (w *ward) first(ask route.Ask) string { return strings.Fields(w.order(ask))[0] }

// spread draws lots evenly.
func (w *ward) spread() {
	n := 0.0
	w.Health = route.NewHealth(route.HealthOptions{Now: w.clock.now, Random: func() float64 {
		n++
		_, part := math.Modf(n * 0.6180339887)
		return part
	}})
}

// TestWeighted: each target comes first as often as its weight says, and the rest moves on in
// proportion when one is out.
func TestWeighted(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.spread()
	c := route.Target{Provider: &provider.Provider{ID: "c"}, Model: "m", Weight: 1}
	w.a.Weight, w.b.Weight = 5, 2
	w.route.Order, w.route.Targets = route.PolicyWeighted, []route.Target{w.a, w.b, c}
	count := func() map[string]float64 {
		got := map[string]float64{}
		for range 4000 {
			got[w.first(route.Ask{})] += 1.0 / 4000
		}
		return got
	}
	near := func(got map[string]float64, want map[string]float64) {
		t.Helper()
		for name, share := range want {
			if math.Abs(got[name]-share) > 0.04 {
				t.Errorf("got %.2f of the traffic at %s first, want %.2f", got[name], name, share)
			}
		}
	}
	near(count(), map[string]float64{"a/m": 5.0 / 8, "b/m": 2.0 / 8, "c/m": 1.0 / 8})
	w.breakDown(w.a)
	near(count(), map[string]float64{"a/m": 0, "b/m": 2.0 / 3, "c/m": 1.0 / 3})
}

// TestFastest: a target whose latency grows tenfold loses its traffic, and gets some of it back, not
// all at once, when it is tried again.
func TestFastest(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.route.Order = route.PolicyFastest
	answer := func(t route.Target, d time.Duration) {
		p, _ := w.Enter(t, route.Entry{})
		w.clock.pass(d)
		p.Leave(route.Result{})
	}
	for range 20 {
		answer(w.a, 300*time.Millisecond)
		answer(w.b, 500*time.Millisecond)
	}
	if got := w.first(route.Ask{}); got != "a/m" {
		t.Errorf("got %s first, want the faster one", got)
	}
	answer(w.a, 3*time.Second)
	if got := w.first(route.Ask{}); got != "b/m" {
		t.Errorf("got %s first after the other took ten times as long, want b/m", got)
	}
	for range 60 {
		answer(w.b, 500*time.Millisecond)
	}
	if got := w.first(route.Ask{}); got != "a/m" {
		t.Errorf("got %s first after half a minute, want the slow one tried again", got)
	}
	asked := map[string]int{}
	for range 40 { // none has answered yet
		name := w.first(route.Ask{})
		asked[name]++
		target := w.a
		if name == "b/m" {
			target = w.b
		}
		_, _ = w.Enter(target, route.Entry{})
	}
	if asked["a/m"] < 1 || asked["a/m"] > 10 {
		t.Errorf("got %v of 40 calls at once, want few at the one that was slow", asked)
	}
}

// TestCheapest: by what the request costs at each target, by tiers, and what has no price last.
func TestCheapest(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.a.Price = &provider.Price{Input: 1, Output: 10}
	w.b.Price = &provider.Price{Input: 3, Output: 3, Tiers: []provider.Tier{{Above: 100000, Input: 0.1, Output: 1}}}
	c := route.Target{Provider: &provider.Provider{ID: "c"}, Model: "m"}
	w.route.Order, w.route.Targets = route.PolicyCheapest, []route.Target{c, w.a, w.b}
	for _, test := range []struct {
		ask  route.Ask
		want string
	}{
		{route.Ask{Input: 10000, Output: 100}, "a/m b/m c/m"},
		{route.Ask{Input: 100, Output: 10000}, "b/m a/m c/m"},
		{route.Ask{Input: 200000, Output: 100}, "b/m a/m c/m"},
		{route.Ask{Input: 100}, "b/m a/m c/m"},
	} {
		if got := w.order(test.ask); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.ask, got, test.want)
		}
	}
}

// TestAffinity: a session stays with the target that answered it, while that is well, for its time,
// and not for ever (F29, F30).
func TestAffinity(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.route.Affinity = time.Minute
	w.Stay(&w.route, 7, w.b)
	mine, other := route.Ask{Session: 7}, route.Ask{Session: 8}
	if w.first(mine) != "b/m" || w.first(other) != "a/m" || w.first(route.Ask{}) != "a/m" {
		t.Errorf("got %s, %s and %s first; want b/m for the session alone", w.first(mine), w.first(other), w.first(route.Ask{}))
	}
	w.breakDown(w.b)
	if got := w.order(mine); got != "a/m b/m!open" {
		t.Errorf("got %q, want a session to move when its target is out", got)
	}
	w = newWard(t)
	w.route.Affinity = time.Minute
	w.Stay(&w.route, 7, w.b)
	for range 11 {
		w.clock.pass(59 * time.Second)
		if got := w.first(mine); got != "b/m" {
			t.Fatalf("got %s first while the session goes on, want b/m", got)
		}
		w.Stay(&w.route, 7, w.b)
	}
	w.clock.pass(time.Minute)
	if got := w.first(mine); got != "a/m" {
		t.Errorf("got %s first after a minute of silence, want the lead", got)
	}
	w.Stay(&w.route, 7, w.b)
	for range 14 {
		w.clock.pass(50 * time.Second)
		w.Stay(&w.route, 7, w.b)
	}
	w.clock.pass(30 * time.Second)
	if got := w.first(mine); got != "a/m" {
		t.Errorf("got %s first after more than twelve times its time, want the lead", got)
	}
}

// TestLacks: a target that does not take what is asked is skipped, and why; but not the only one, and
// not all: catalogs err (F21).
func TestLacks(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	w := newWard(t)
	w.a.Know(&provider.Model{
		ID: "m", Window: 1000, Tools: &no, Structured: &yes, Thinking: llm.ThinkingNone,
		Modalities: provider.Modalities{Input: []string{"text", "pdf"}},
	})
	w.b.Know(&provider.Model{ID: "m", MaxInput: 8000, Window: 9000, Thinking: llm.ThinkingEffort})
	w.route.Targets = []route.Target{w.a, w.b}
	for _, test := range []struct {
		ask  route.Ask
		want string
	}{
		{route.Ask{Needs: route.NeedTools}, "b/m a/m=no_tools"},
		{route.Ask{Needs: route.NeedImages}, "b/m a/m=no_image"},
		{route.Ask{Needs: route.NeedAudio}, "b/m a/m=no_audio"},
		{route.Ask{Needs: route.NeedFiles}, "a/m b/m"},
		{route.Ask{Needs: route.NeedSchema}, "a/m b/m"},
		{route.Ask{Tokens: 1001}, "b/m a/m=window"},
		{route.Ask{Tokens: 1000}, "a/m b/m"},
		{route.Ask{Tokens: 8001}, "a/m b/m"},
		{route.Ask{Needs: route.NeedThinking}, "b/m a/m~no_thinking"},
		{route.Ask{Needs: route.NeedThinking, Tokens: 8001}, "b/m a/m~no_thinking"},
		{route.Ask{Needs: route.NeedThinking | route.NeedTools}, "b/m a/m=no_tools"},
	} {
		if got := w.order(test.ask); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.ask, got, test.want)
		}
	}
	w.breakDown(w.b)
	if got := w.order(route.Ask{Needs: route.NeedTools}); got != "b/m!open a/m=no_tools" {
		t.Errorf("got %q, want what fits tried although it is out", got)
	}
	if got := w.order(route.Ask{Needs: route.NeedThinking}); got != "a/m b/m!open" {
		t.Errorf("got %q, want thinking given up for a target that is well", got)
	}
}

// TestTags: a provider that is not what the request requires is never tried.
func TestTags(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.b.Provider.Tags, w.a.Provider.Facts.Region = []string{"eu", "no-training"}, "us-east-1"
	for want, tags := range map[string][]string{
		"b/m a/m=tags":       {"eu"},
		"b/m  a/m=tags":      {"no-training", "eu"},
		"a/m b/m=tags":       {"us-east-1"},
		"a/m=tags b/m=tags":  {"eu", "us-east-1"},
		"a/m=tags  b/m=tags": {""},
	} {
		if got := w.order(route.Ask{Tags: tags}); got != strings.ReplaceAll(want, "  ", " ") {
			t.Errorf("%v: got %q, want %q", tags, got, want)
		}
	}
}
