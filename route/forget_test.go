package route_test

import (
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// TestForget: a provider whose key was refused is out for a minute; mended and forgotten, it is asked at once.
func TestForget(t *testing.T) {
	now := time.Now()
	h := route.NewHealth(route.HealthOptions{Now: func() time.Time { return now }})
	acme, other := &provider.Provider{ID: "acme"}, &provider.Provider{ID: "other"}
	r := route.Route{Targets: []route.Target{{Provider: acme, Model: "m"}, {Provider: other, Model: "m"}}}
	h.SetPosture("other", route.PostureDraining, 0.5)
	pass, _ := h.Enter(r.Targets[0], route.Entry{})
	late, _ := h.Enter(r.Targets[0], route.Entry{})
	pass.Leave(route.Result{Err: &llm.Error{Code: llm.CodeProviderAuth, Origin: llm.OriginProvider}, Status: 401})
	if first := h.Order(nil, &r, route.Ask{})[0].Target.Provider; first != other {
		t.Fatalf("got %s first, want the one with the refused key out", first.ID)
	}
	if !h.Forget("acme") || h.Forget("nobody") {
		t.Error("got it otherwise, want it said whether there was anything to forget")
	}
	late.Leave(route.Result{Err: &llm.Error{Code: llm.CodeProviderAuth, Origin: llm.OriginProvider}, Status: 401})
	if first := h.Order(nil, &r, route.Ask{})[0].Target.Provider; first != acme {
		t.Errorf("got %s first, want the one that was mended", first.ID)
	}
	if p, share := h.Posture("other"); p != route.PostureDraining || share != 0.5 {
		t.Errorf("got the posture %s of %v, want it as it was", p, share)
	}
}
