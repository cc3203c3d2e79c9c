package gateway

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// What a vendor calls itself is kept for as long as the config stands, and no vendor decides how much that is.
func TestNamedIsBounded(t *testing.T) {
	a := &attempt{target: route.Target{Provider: &provider.Provider{ID: "v"}, Model: "m"}}
	a.named("m-2025-04-14")
	if a.model != "m-2025-04-14" || a.other {
		t.Errorf("got %q, another %v, want the name, and the same model", a.model, a.other)
	}
	a.named(strings.Repeat("m", 1<<20))
	if len(a.model) != maxModelName+1 || isModelName(a.model) || !a.other {
		t.Errorf("got %d bytes of a name, that of another model %v, want one too long to be any model's", len(a.model), a.other)
	}
}

func TestIsSameModel(t *testing.T) {
	p := &provider.Provider{ID: "azure", Facts: provider.Facts{Models: []provider.Model{
		{ID: "my-deployment", SameAs: "openai/gpt-4o"}, {ID: "house-name", SameAs: "mistral/large"}, {ID: "big", SameAs: "mistral/large"},
	}}}
	for _, test := range []struct {
		asked, answered string
		same            bool
	}{
		{"gpt-4o", "gpt-4o-2024-08-06", true},
		{"gpt-4-0613", "gpt-4", true},
		{"GPT-4o", "gpt-4o", true},
		{"gpt-4o", "gpt-4o-mini", false},
		{"gpt-4o", "gpt-4o-mini-2024-07-18", false},
		{"gpt-5", "gpt-5-nano", false},
		{"claude-sonnet-4-5", "claude-sonnet-4-5-20250929", true},
		{"claude-sonnet-4-5", "claude-sonnet-4", false},
		{"claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", true},
		{"claude-sonnet-4-5@20250929", "claude-sonnet-4-5", true},
		{"models/gemini-3.5-flash", "gemini-3.5-flash-001", true},
		{"gemini-3.5-flash", "gemini-3.5-flash-lite", false},
		{"meta-llama/llama-3.3-70b-instruct:free", "llama-3.3-70b-instruct", true},
		{"gpt-3.5-turbo", "gpt-4", false},
		{"us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", true},
		{"gpt-4.1", "gpt-4.1-2025-04-14", true},
		{"gpt-4.1", "gpt-4.5", false},
		{"my-deployment", "gpt-4o-2024-11-20", true},
		{"my-deployment", "gpt-4o-mini", false},
		{"house-name", "big", true},
	} {
		if got := isSameModel(p, test.asked, test.answered); got != test.same {
			t.Errorf("%s answered by %s: got the same %v, want %v", test.asked, test.answered, got, test.same)
		}
	}
}
