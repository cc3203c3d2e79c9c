package route_test

import (
	"strconv"
	"testing"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// withKeys gives a target's provider keys of these weights.
func withKeys(t *route.Target, weights ...float64) []*provider.Provider {
	keys := make([]*provider.Provider, len(weights))
	for i, weight := range weights {
		keys[i] = &provider.Provider{ID: t.Provider.ID, Key: provider.NewSecret("key" + strconv.Itoa(i)), Keys: keys, Slot: i, Weight: weight}
	}
	t.Provider = keys[0]
	return keys
}

// chosen counts with which key the lead is to be asked, over many calls.
func (w *ward) chosen(calls int) map[int]int {
	found := map[int]int{}
	for i := range calls {
		w.random = (float64(i) + 0.5) / float64(calls)
		choices := w.Order(nil, &w.route, route.Ask{})
		if choices[0].Provider.ID != "a" {
			w.t.Fatalf("got %s first, want the lead, whose keys are not all out", choices[0].Target.Name())
		}
		found[choices[0].Provider.Slot]++
	}
	return found
}

// leave makes an attempt with a key that ends in an error, or in none if code is empty.
func (w *ward) leave(t route.Target, p *provider.Provider, code llm.Code, status int) {
	w.t.Helper()
	t.Provider = p
	pass, refusal := w.Enter(t, route.Entry{})
	if refusal.Reason != "" {
		w.t.Fatalf("got the key %d refused (%s), want it let pass", p.Slot, refusal.Reason)
	}
	r := route.Result{Status: status}
	if code != "" {
		r.Err = &llm.Error{Code: code, Origin: llm.OriginProvider, Status: status}
	}
	pass.Leave(r)
}

// TestKeyWeights uses each key as often as its weight says, and one of no weight when the others are out.
func TestKeyWeights(t *testing.T) {
	w := newWard(t)
	keys := withKeys(&w.route.Targets[0], 3, 1, 0)
	target := w.route.Targets[0]
	if got := w.chosen(4000); got[0] < 2800 || got[0] > 3200 || got[2] > 0 {
		t.Errorf("got %v, want three of four with the first key, the rest with the second", got)
	}
	w.leave(target, keys[0], llm.CodeProviderAuth, 401)
	if got := w.chosen(100); got[1] != 100 {
		t.Errorf("the first key is refused: got %v, want the second", got)
	}
	if other := w.OtherKey(route.Target{Provider: keys[1], Model: "m"}, []*provider.Provider{keys[1]}); other != keys[2] {
		t.Errorf("got %v, want the third key where the first is out and the second was tried", other)
	}
	w.leave(target, keys[1], llm.CodeProviderAuth, 401)
	if got := w.chosen(100); got[2] != 100 {
		t.Errorf("both are refused: got %v, want the third", got)
	}
	if s := w.Snapshot(); len(s) == 0 || s[0].Provider != "a" || s[0].State != route.StateUp || s[0].Key != 0 {
		t.Errorf("got %+v, want the provider up as long as one of its keys is", s)
	}
	if keys := w.Keys(); len(keys) < 2 || keys[0].Key != 1 || keys[0].State != route.StateOut || keys[0].Scope != route.ScopeCredential {
		t.Errorf("got %+v, want the first key out", keys)
	}
	pinned := w.route.Targets[0]
	pinned.Provider, pinned.Pinned = keys[0], true
	w.route.Targets[0] = pinned
	if c := w.Order(nil, &w.route, route.Ask{}); c[0].Target.Provider.ID != "b" {
		t.Errorf("pinned to a key that is out: got %s first, want the understudy", c[0].Target.Name())
	}
}

// TestKeysShareTheirEndpoint takes an endpoint out for all keys at once.
func TestKeysShareTheirEndpoint(t *testing.T) {
	w := newWard(t)
	keys := withKeys(&w.route.Targets[0], 1, 1)
	target := w.route.Targets[0]
	for i := 0; w.Order(nil, &w.route, route.Ask{})[0].Target.Provider.ID == "a"; i++ {
		if i == 20 {
			t.Fatal("got the endpoint not out after 20 failures")
		}
		w.leave(target, keys[0], llm.CodeUnreachable, 0)
	}
	if other := w.OtherKey(target, []*provider.Provider{keys[0]}); other != nil {
		t.Errorf("got the key %d, want none: what is down is down for all", other.Slot)
	}
}

// TestKeysOfAReload begins anew when keys change, and not when they do not.
func TestKeysOfAReload(t *testing.T) {
	w := newWard(t)
	keys := withKeys(&w.route.Targets[0], 1, 1)
	target := w.route.Targets[0]
	w.leave(target, keys[0], llm.CodeProviderAuth, 401)
	w.leave(target, keys[1], "", 200)
	w.Keep([]*provider.Provider{keys[0]})
	if got := w.chosen(50); got[1] != 50 {
		t.Errorf("the same keys: got %v, want the first still out", got)
	}
	again := withKeys(&w.route.Targets[0], 1, 1)
	again[0].Key = provider.NewSecret("mended")
	w.Keep([]*provider.Provider{again[0]})
	if got := w.chosen(50); got[0] == 0 {
		t.Errorf("another key: got %v, want it tried", got)
	}
}
