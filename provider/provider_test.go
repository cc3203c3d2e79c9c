package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/understudy-ai/understudy/dialect"
)

// TestSecretStaysHidden prints a key, and what holds it, in every way there is (S79).
func TestSecretStaysHidden(t *testing.T) {
	const key = "sk-canary-0123456789"
	secret := NewSecret(key)
	holder := Provider{ID: "p", Key: secret}
	within := struct{ key Secret }{secret} // fmt calls no methods of unexported fields
	var shown strings.Builder
	for _, verb := range strings.Split("v +v #v s q x X d t T p c U e b o", " ") {
		for _, v := range []any{secret, &secret, holder, &holder, []Secret{secret}, map[string]Secret{"k": secret}, within, &within} {
			fmt.Fprintf(&shown, "%"+verb+"\n", v)
		}
	}
	fmt.Fprintln(&shown, secret, secret.String(), secret.GoString(), fmt.Errorf("wrapped: %v", secret))
	for name, encode := range map[string]func(any) ([]byte, error){
		"json": json.Marshal, "yaml": yaml.Marshal,
	} {
		text, err := encode(struct{ Key Secret }{secret})
		if err != nil || !bytes.Contains(text, []byte(redacted)) {
			t.Errorf("%s: got %q, %v, want %s in it", name, text, err, redacted)
		}
		shown.Write(text)
	}
	for _, v := range []any{secret, holder, within} {
		slog.New(slog.NewTextHandler(&shown, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("m", "v", v)
	}
	for _, leak := range []string{key, "canary", fmt.Sprintf("%x", key), fmt.Sprintf("%X", key)} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("got %q shown, want it hidden:\n%s", leak, shown.String())
		}
	}
	if got := secret.Reveal(); got != key || secret.IsZero() || !(Secret{}).IsZero() || !NewSecret("").IsZero() {
		t.Errorf("Reveal: got %q, want the key", got)
	}
}

func TestJoinURL(t *testing.T) {
	for _, tc := range []struct{ base, path, want string }{
		{"https://h", "/v1/messages", "https://h/v1/messages"},
		{"https://h/", "/v1/messages", "https://h/v1/messages"},
		{"https://h/", "v1/messages", "https://h/v1/messages"},
		{"https://h/v1", "/chat/completions", "https://h/v1/chat/completions"},
		{"https://h/v1/", "/v1/chat/completions", "https://h/v1/chat/completions"},
		{"https://h/v1", "/v1", "https://h/v1/v1"},
		{"https://h/v1beta", "/v1/models", "https://h/v1beta/v1/models"},
		{"https://h/v1", "/v1beta/models", "https://h/v1/v1beta/models"},
		{"https://h/v2", "/v1/models", "https://h/v2/v1/models"},
		{"https://h/openai/v1", "/v1/models", "https://h/openai/v1/models"},
		{"https://h/openai", "/v1/models", "https://h/openai/v1/models"},
		{"https://h/v", "/v/models", "https://h/v/v/models"},
		{"https://v1", "/v1/models", "https://v1/v1/models"},
		{"https://h:8443", "/x", "https://h:8443/x"},
	} {
		if got := joinURL(tc.base, tc.path); got != tc.want {
			t.Errorf("joinURL(%q, %q): got %q, want %q", tc.base, tc.path, got, tc.want)
		}
	}
}

// TestModelInPath puts names of models into a path, where they stay (T136).
func TestModelInPath(t *testing.T) {
	p := &Provider{Facts: Facts{BaseURL: "https://h", Dialects: map[dialect.Name]string{
		dialect.OpenAIChat: "/deployments/{model}/chat?v=1", dialect.AnthropicMessages: "/messages",
	}}}
	for _, tc := range []struct{ model, want string }{
		{"gpt-5", "https://h/deployments/gpt-5/chat?v=1"},
		{"meta/llama", "https://h/deployments/meta%2Fllama/chat?v=1"},
		{"claude-4@2025", "https://h/deployments/claude-4%402025/chat?v=1"},
		{"a.b-v1:0", "https://h/deployments/a.b-v1%3A0/chat?v=1"},
		{"..a/b..", "https://h/deployments/..a%2Fb../chat?v=1"},
		{"x?y#z", "https://h/deployments/x%3Fy%23z/chat?v=1"},
		{"{model}", "https://h/deployments/%7Bmodel%7D/chat?v=1"},
		{"%2e%2e", "https://h/deployments/%252e%252e/chat?v=1"},
		{"..", ""},
		{".", ""},
		{"../x", ""},
		{"x/..", ""},
		{"x/../../y", ""},
		{`x\..`, ""},
		{"./x", ""},
	} {
		if got, ok := p.URL(dialect.OpenAIChat, tc.model, false); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tc.model, got, ok, tc.want)
		}
		if got, ok := p.URL(dialect.AnthropicMessages, tc.model, false); !ok || got != "https://h/messages" {
			t.Errorf("%s, not in the path: got %q, %v", tc.model, got, ok)
		}
	}
}

func TestSpeaks(t *testing.T) {
	f := Facts{
		Dialects: map[dialect.Name]string{dialect.BedrockConverse: "/a", dialect.AnthropicMessages: "/b", dialect.GeminiGenerate: "/c", dialect.OpenAIResponses: "/d", dialect.CohereChat: "/e"},
		Only:     map[dialect.Name][]string{dialect.AnthropicMessages: {"claude-*", "*anthropic.claude*"}, dialect.GeminiGenerate: {"gemini-2.5-pro"}, dialect.OpenAIResponses: {"!*-pro", "gpt-6-pro"}, dialect.CohereChat: {"a*", "!ab*"}},
	}
	for _, tc := range []struct {
		dialect dialect.Name
		model   string
		want    bool
	}{
		{dialect.BedrockConverse, "anything", true},
		{dialect.OpenAIChat, "anything", false},
		{dialect.AnthropicMessages, "claude-sonnet-5", true},
		{dialect.AnthropicMessages, "anthropic.claude-sonnet-5-v1:0", true},
		{dialect.AnthropicMessages, "us.anthropic.claude-sonnet-5-v1:0", true},
		{dialect.AnthropicMessages, "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-5-v1:0", true},
		{dialect.AnthropicMessages, "not-claude-sonnet-5", false},
		{dialect.AnthropicMessages, "amazon.nova-pro-v1:0", false},
		{dialect.GeminiGenerate, "gemini-2.5-pro", true},
		{dialect.GeminiGenerate, "gemini-2.5-pro-x", false},
		{dialect.OpenAIResponses, "gpt-6", true},
		{dialect.OpenAIResponses, "gpt-5-pro", false},
		{dialect.OpenAIResponses, "gpt-6-pro", true},
		{dialect.CohereChat, "ac", true},
		{dialect.CohereChat, "abc", false},
		{dialect.CohereChat, "b", false},
	} {
		if got := f.Speaks(tc.dialect, tc.model); got != tc.want {
			t.Errorf("%s about %s: got %v, want %v", tc.dialect, tc.model, got, tc.want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"*", "a/b", true},
		{"a*", "a", true},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*b*", "abc", true},
		{"*b*", "ac", false},
		{"a*b*c", "axbxc", true},
		{"a*b*c", "axc", false},
		{"*ab", "aab", true},
		{"a*bc*c", "abcc", true},
		{"a*bc*c", "abc", false},
	} {
		if got := matches(tc.pattern, tc.name); got != tc.want {
			t.Errorf("matches(%q, %q): got %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}

// TestIdentity: a model is known again where another service has it, and only there.
func TestIdentity(t *testing.T) {
	known := Known()
	identity := func(service, id string) string {
		f, _ := known.Facts(service)
		m, _ := (&Provider{ID: service, Facts: f}).Model(id)
		return m.Identity(service)
	}
	for _, tc := range []struct {
		service, id, other, otherID string
		same                        bool
	}{
		{"openai", "text-embedding-3-small", "azure", "text-embedding-3-small", true},
		{"openai", "text-embedding-3-small", "openrouter", "openai/text-embedding-3-small", true},
		{"openai", "text-embedding-3-small", "openai", "text-embedding-3-large", false},
		{"openai", "text-embedding-3-small", "alibaba", "text-embedding-v4", false},
		{"deepinfra", "BAAI/bge-m3", "openrouter", "baai/bge-m3", true},
		{"deepinfra", "Qwen/Qwen3-Embedding-8B", "fireworks", "accounts/fireworks/models/qwen3-embedding-8b", true},
		{"vllm", "nomic", "vllm", "nomic", true},
		{"vllm", "nomic", "lmstudio", "nomic", false},
	} {
		a, b := identity(tc.service, tc.id), identity(tc.other, tc.otherID)
		if (a == b) != tc.same {
			t.Errorf("%s/%s and %s/%s: got %s and %s, want them the same: %v", tc.service, tc.id, tc.other, tc.otherID, a, b, tc.same)
		}
	}
	if got := (Model{ID: "m"}).Identity(""); got != "" {
		t.Errorf("got %q for a server nobody knows, want nothing", got)
	}
}
