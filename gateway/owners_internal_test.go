package gateway

import (
	"testing"

	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestPin asks for an object with the key that made it, where a provider has several.
func TestPin(t *testing.T) {
	keys := make([]*provider.Provider, 2)
	for i, key := range []string{"one", "two"} {
		keys[i] = &provider.Provider{ID: "acme", Key: provider.NewSecret(key), Keys: keys, Slot: i}
	}
	other := &provider.Provider{ID: "other", Key: provider.NewSecret("one")}
	targets := []route.Target{{Provider: keys[0]}, {Provider: other}}
	pin(targets, provider.NewSecret("two").Fingerprint())
	if targets[0].Provider != keys[1] || !targets[0].Pinned || targets[1].Provider != other || targets[1].Pinned {
		t.Errorf("got %+v, want the first pinned to the second key, and no other", targets)
	}
	targets[0] = route.Target{Provider: keys[0]}
	pin(targets, "")
	if targets[0].Provider != keys[0] || targets[0].Pinned {
		t.Errorf("made with a key that is not known: got %+v, want any key", targets[0])
	}
}
