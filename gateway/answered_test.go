package gateway

import (
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

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
