package route_test

import (
	"slices"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

func table() *route.Table {
	one := &provider.Provider{ID: "one", Facts: provider.Facts{Models: []provider.Model{{ID: "shared"}, {ID: "only-one", Window: 1000}}}}
	two := &provider.Provider{ID: "two", Facts: provider.Facts{Models: []provider.Model{{ID: "shared"}, {ID: "assistant"}, {ID: "deep/name"}, {ID: "two/self"}}}}
	configured := route.Route{
		Model: "assistant", Loss: llm.LossStrict, Timeouts: route.Timeouts{Total: time.Minute},
		Targets: []route.Target{{Provider: two, Model: "x"}, {Provider: one, Model: "y"}},
	}
	defaults := route.Route{Loss: llm.LossReport, Timeouts: route.DefaultTimeouts()}
	return route.NewTable([]route.Route{configured}, []*provider.Provider{one, two}, defaults)
}

func TestPick(t *testing.T) {
	t.Parallel()
	for model, want := range map[string][]string{
		"assistant":     {"two/x", "one/y"}, // the config's name comes before a provider's model
		"one/only-one":  {"one/only-one"},
		"one/unlisted":  {"one/unlisted"}, // models appear before catalogs know them
		"two/deep/name": {"two/deep/name"},
		"two/self":      {"two/two/self"}, // its own name begins with the vendor's
		"two/two/self":  {"two/two/self"},
		"only-one":      {"one/only-one"},
		"deep/name":     {"two/deep/name"},
		"shared":        nil, // two providers have it
		"nobody":        nil,
		"three/x":       nil,
		"one/":          nil,
		"":              {"one", "two"},
	} {
		r, ok := table().Pick(model)
		var got []string
		for _, target := range r.Targets {
			got = append(got, target.Name())
		}
		if ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%q: got %v (%v) want %v", model, got, ok, want)
		}
		if ok && r.Model != model {
			t.Errorf("%q: got a route named %q, want the name that was asked for", model, r.Model)
		}
	}
}

// A model that the config does not name gets the defaults and its facts.
func TestPickFillsIn(t *testing.T) {
	t.Parallel()
	r, _ := table().Pick("only-one")
	if r.Loss != llm.LossReport || r.Timeouts != route.DefaultTimeouts() || r.Targets[0].Facts.Window != 1000 {
		t.Errorf("got %+v, want the defaults and the model's facts", r)
	}
	if r, _ := table().Pick("assistant"); r.Loss != llm.LossStrict || r.Timeouts.Total != time.Minute {
		t.Errorf("got %+v, want the config's own", r)
	}
}
