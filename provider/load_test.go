package provider

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestKnown holds every shipped file to more than a user's entry: who reads it has
// nobody to ask.
func TestKnown(t *testing.T) {
	files, err := filepath.Glob("*/provider.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want files", files, err)
	}
	known := Known()
	if got := len(known.IDs()); got != len(files) {
		t.Fatalf("got %d services, want one for each of %v", got, files)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(data, file); err != nil {
				t.Fatal(err)
			}
			f, ok := known.Facts(filepath.Dir(file))
			if !ok {
				t.Fatalf("got no facts for the folder, want its file's")
			}
			for what, text := range map[string]string{"name": f.Name, "docs": f.Docs, "checked": f.Checked} {
				if text == "" {
					t.Errorf("%s: got none, want it filled in", what)
				}
			}
			if use := KeyUseOf(f.Auth); (f.KeyEnv == "") != (use == KeyUnused || use == KeyFile) {
				t.Errorf("key_env: got %q with auth %q, want one where there is a key", f.KeyEnv, f.Auth)
			}
			shippedModels(t, f.Models)
		})
	}
}

func shippedModels(t *testing.T, models []Model) {
	t.Helper()
	for _, m := range models {
		if m.Operation == dialect.Embed && (m.Dimensions == 0 || m.MaxOutput != 0) {
			t.Errorf("%s: got %d dimensions and replies of %d tokens, want an embedding model's", m.ID, m.Dimensions, m.MaxOutput)
		}
		if m.Operation == "" && m.Window > 0 && m.MaxOutput == 0 && m.Price != nil && m.Released == "" {
			t.Errorf("%s: got neither max_output nor released, want what the catalog says", m.ID)
		}
		if p := m.Price; p != nil && (p.CacheRead > p.Input || p.CacheWrite1h > 0 && p.CacheWrite1h != 2*p.Input) {
			t.Errorf("%s: got price %+v, want one that can be true", m.ID, *p)
		}
	}
}

func factsOf(t *testing.T, c *Catalog, id string) Facts {
	t.Helper()
	f, ok := c.Facts(id)
	if !ok {
		t.Fatalf("%s: got no facts, want them", id)
	}
	return f
}

// TestUsual: examples are of services that most have heard of, and each is enabled by a key alone.
func TestUsual(t *testing.T) {
	c := Known()
	usual := c.Usual()
	if want := []string{"openai", "anthropic", "gemini"}; !slices.Equal(usual[:min(len(usual), len(want))], want) {
		t.Errorf("got %q want %q first", usual, want)
	}
	for _, id := range usual {
		if c.KeyEnv(id) == "" {
			t.Errorf("%s: got a usual service without a key's variable", id)
		}
	}
}

// TestFacts spot-checks what codecs depend on.
func TestFacts(t *testing.T) {
	known := Known()
	takes := func(words ...string) llm.EffortSet { return llm.EffortsOf(words) }
	for _, tc := range []struct {
		provider, model string
		want            llm.ModelFacts
	}{
		{"openai", "gpt-4o", llm.ModelFacts{Window: 128000, MaxOutput: 16384, Thinking: llm.ThinkingNone}},
		{"openai", "gpt-5", llm.ModelFacts{Window: 400000, MaxOutput: 128000, NoSampling: true, NoStop: true, Thinking: llm.ThinkingEffort, Efforts: takes("minimal", "low", "medium", "high")}},
		{"openai", "gpt-5-chat-latest", llm.ModelFacts{Window: 400000, MaxOutput: 128000, Thinking: llm.ThinkingNone}},
		{"openai", "o4-mini", llm.ModelFacts{Window: 200000, MaxOutput: 100000, NoSampling: true, NoStop: true, Thinking: llm.ThinkingEffort, Efforts: takes("low", "medium", "high")}},
		{"openai", "o3-mini", llm.ModelFacts{Window: 200000, MaxOutput: 100000, NoSampling: true, Thinking: llm.ThinkingEffort, Efforts: takes("low", "medium", "high")}},
		{"azure", "gpt-5-chat", llm.ModelFacts{Window: 128000, MaxOutput: 16384, NoSampling: true, Thinking: llm.ThinkingNone}},
		{"azure", "o1-mini", llm.ModelFacts{Window: 128000, MaxOutput: 65536, NoSampling: true, NoStop: true, Thinking: llm.ThinkingAlways}},
		{"anthropic", "claude-haiku-4-5", llm.ModelFacts{Window: 200000, MaxOutput: 64000, Prefill: true, Thinking: llm.ThinkingBudget}},
		{"anthropic", "claude-sonnet-4-6", llm.ModelFacts{Window: 1000000, MaxOutput: 64000, Thinking: llm.ThinkingBoth, Efforts: takes("none", "low", "medium", "high", "max")}},
		{"anthropic", "claude-sonnet-5", llm.ModelFacts{Window: 1000000, MaxOutput: 128000, NoSampling: true, Thinking: llm.ThinkingAdaptive, Efforts: takes("none", "low", "medium", "high", "xhigh", "max")}},
		{"anthropic", "claude-opus-5", llm.ModelFacts{MaxOutput: 128000, NoSampling: true, MidSystem: true, Thinking: llm.ThinkingAdaptive}},
		{"anthropic", "claude-9", llm.ModelFacts{}},
		{"cohere", "command-r7b-12-2024", llm.ModelFacts{Window: 128000, MaxOutput: 4000, Thinking: llm.ThinkingNone}},
		{"cohere", "command-a-reasoning-08-2025", llm.ModelFacts{Window: 256000, MaxOutput: 32000, Thinking: llm.ThinkingBudget}},
	} {
		p := &Provider{ID: tc.provider, Facts: factsOf(t, known, tc.provider)}
		m, ok := p.Model(tc.model)
		if got := m.Facts(); got != tc.want || ok != (tc.want != llm.ModelFacts{}) || m.ID != tc.model {
			t.Errorf("%s/%s: got %+v, %v, want %+v", tc.provider, tc.model, got, ok, tc.want)
		}
	}
}

// TestResponsesOnly finds models that a vendor does not chat with in its older API.
func TestResponsesOnly(t *testing.T) {
	known := Known()
	for _, id := range []string{"openai", "azure"} {
		f := factsOf(t, known, id)
		for model, chats := range map[string]bool{"gpt-5": true, "gpt-5-mini": true, "gpt-5-codex": false, "gpt-5.3-codex": false, "gpt-5.4": true, "gpt-5.4-pro": false} {
			if got := f.Speaks(dialect.OpenAIChat, model); got != chats || !f.Speaks(dialect.OpenAIResponses, model) {
				t.Errorf("%s/%s: got %v for Chat Completions, want %v, and Responses always", id, model, got, chats)
			}
		}
	}
}

// TestProfilesAreCountedAsModels asks a counter for the model behind a profile of several regions, and an answer of the
// profile itself.
func TestProfilesAreCountedAsModels(t *testing.T) {
	p := Provider{ID: "bedrock", Facts: factsOf(t, Known(), "bedrock")}
	p.Facts.BaseURL = "https://aws.test"
	for model, want := range map[string]string{
		"anthropic.claude-opus-4-6-v1":        "/model/anthropic.claude-opus-4-6-v1/count-tokens",
		"us.anthropic.claude-opus-4-6-v1":     "/model/anthropic.claude-opus-4-6-v1/count-tokens",
		"us-gov.anthropic.claude-opus-4-6-v1": "/model/anthropic.claude-opus-4-6-v1/count-tokens",
		"global.anthropic.claude-opus-4-6-v1": "/model/anthropic.claude-opus-4-6-v1/count-tokens",
		"us.amazon.nova-pro-v1:0":             "",
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/us.anthropic.claude-x": "",
	} {
		got, _ := p.URL(dialect.BedrockCount, model, false)
		got = strings.TrimPrefix(got, "https://aws.test")
		if got != want {
			t.Errorf("%s: got counted at %q, want %q", model, got, want)
		}
		if at, ok := p.URL(dialect.BedrockConverse, model, false); !ok || !strings.Contains(at, EscapeModel(model)) {
			t.Errorf("%s: got asked at %q, want its own name in it", model, at)
		}
	}
}

// TestErrorRules shows each rule what it is for, and its neighbours.
func TestErrorRules(t *testing.T) {
	known := Known()
	for _, tc := range []struct {
		provider string
		err      llm.Error
		message  string
		want     llm.Code
	}{
		{"openai", llm.Error{Status: 400, VendorCode: "billing_hard_limit_reached"}, "Billing hard limit has been reached", llm.CodeQuota},
		{"openai", llm.Error{Status: 429, VendorCode: "billing_not_active"}, "Your account is not active", llm.CodeQuota},
		{"openai", llm.Error{Status: 429, VendorCode: "rate_limit_exceeded"}, "", ""},
		{"anthropic", llm.Error{Status: 400, Type: "invalid_request_error"}, "Your credit balance is too low to access the API.", llm.CodeQuota},
		{"anthropic", llm.Error{Status: 400, Type: "invalid_request_error"}, "You have reached your specified API usage limits. You will", llm.CodeQuota},
		{"anthropic", llm.Error{Status: 400, Type: "invalid_request_error"}, "You have reached your specified workspace API usage limits.", llm.CodeQuota},
		{"anthropic", llm.Error{Status: 400, Type: "invalid_request_error"}, `messages.0: "Your credit balance is too low" is not allowed`, ""},
		{"gemini", llm.Error{Status: 403, Type: "PERMISSION_DENIED"}, "You do not have permission to access the File abc or it may not exist.", llm.CodeInvalidRequest},
		{"gemini", llm.Error{Status: 403, Type: "PERMISSION_DENIED"}, "CachedContent not found (or permission denied)", llm.CodeInvalidRequest},
		{"gemini", llm.Error{Status: 403, Type: "PERMISSION_DENIED"}, "The caller does not have permission", ""},
		{"cohere", llm.Error{Status: 429}, "You are using a Trial key, which is limited to 1000 API calls / month. You can", llm.CodeQuota},
		{"cohere", llm.Error{Status: 429}, "You are using a Trial key, which is limited to 20 API calls / minute. You can", ""},
		{"anthropic", llm.Error{Status: 429, Type: "rate_limit_error", VendorCode: "enforced_spend_limit_reached"}, "", llm.CodeQuota},
		{"anthropic", llm.Error{Status: 429, Type: "rate_limit_error"}, "", ""},
		{"alibaba", llm.Error{Status: 429, VendorCode: "insufficient_quota"}, "Allocated quota exceeded", llm.CodeRateLimit},
		{"alibaba", llm.Error{Status: 400, VendorCode: "Arrearage", Type: "Arrearage"}, "Access denied", llm.CodeQuota},
		{"fireworks", llm.Error{Status: 412}, "Account acme is suspended", llm.CodeQuota},
		{"groq", llm.Error{Status: 498}, "", llm.CodeOverloaded},
		{"lmstudio", llm.Error{Status: 400}, "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 2 >= n_ctx: 1).", llm.CodeContextLength},
		{"minimax", llm.Error{Status: 400}, "invalid params, context window exceeds limit (2013)", llm.CodeContextLength},
		{"mistral", llm.Error{Status: 400, Type: "invalid_request_error", VendorCode: "3051"}, "Prompt contains 40046 tokens and 0 draft tokens, too large for model with 32768 maximum context length", llm.CodeContextLength},
		{"mistral", llm.Error{Status: 503, Type: "invalid_request_error"}, "Service tier capacity exceeded for this model.", llm.CodeOverloaded},
		{"moonshot", llm.Error{Status: 429, Type: "exceeded_current_quota_error"}, "", llm.CodeQuota},
		{"moonshot", llm.Error{Status: 400, Type: "invalid_request_error"}, "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)", llm.CodeContextLength},
		{"openrouter", llm.Error{Status: 400}, "This endpoint's maximum context length is 16384 tokens. However, you requested about 26265 tokens", llm.CodeContextLength},
		{"together", llm.Error{Status: 403, Type: "invalid_request_error"}, "", llm.CodeContextLength},
		{"xai", llm.Error{Status: 400, VendorCode: "invalid-argument"}, "This model's maximum prompt length is 131072 but the request contains 149617 tokens.", llm.CodeContextLength},
		{"zai", llm.Error{Status: 429, VendorCode: "1113"}, "", llm.CodeQuota},
		{"zai", llm.Error{Status: 429, VendorCode: "1302"}, "", ""},
		{"zai", llm.Error{Status: 400, VendorCode: "1301"}, "", llm.CodeContentPolicy},
	} {
		var got llm.Code
		for _, r := range factsOf(t, known, tc.provider).Errors {
			if r.Matches(&tc.err, tc.message) {
				got = r.Class
				break
			}
		}
		if got != tc.want {
			t.Errorf("%s %+v %q: got class %q, want %q", tc.provider, tc.err, tc.message, got, tc.want)
		}
	}
}

const acme = `name: Acme
checked: 2026-08-20
key_env: ACME_API_KEY
auth: bearer
base_url: https://api.acme.example
dialects: {openai-chat: /v1/chat/completions}
headers: {x-acme: "1"}
edits:
  openai-chat:
    drop: [logprobs, "messages[].name"]
    rename: {max_completion_tokens: max_tokens}
    set: {stream_options.include_usage: true}
    cap: {temperature: 1.5}
errors:
  - {status: 418, class: overloaded}
models:
  - id: acme-large
    context: 131072
    price: {input: 0.5, output: 1.5}
`

func TestParse(t *testing.T) {
	f, err := Parse([]byte(acme), "acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Edits[dialect.OpenAIChat]; got.Drop[1] != "messages[].name" || got.Set["stream_options.include_usage"] != true ||
		got.Cap["temperature"] != 1.5 || got.IsZero() || !(Edits{}).IsZero() {
		t.Errorf("edits: got %+v, want what the file says", got)
	}
	if got, ok := f.Models[0].Price, f.Models[0].Window == 131072; !ok || got.Output != 1.5 {
		t.Errorf("model: got %+v, want what the file says", f.Models[0])
	}
	p := &Provider{ID: "acme", Facts: f}
	if got, ok := p.URL(dialect.OpenAIChat, "m", true); !ok || got != "https://api.acme.example/v1/chat/completions" {
		t.Errorf("URL: got %q, %v, want the dialect's path under the base", got, ok)
	}
	if got, ok := p.URL(dialect.AnthropicMessages, "m", true); ok {
		t.Errorf("URL of a dialect not spoken: got %q, want none", got)
	}
}

// TestParseProblems changes one line of a good file.
func TestParseProblems(t *testing.T) {
	for _, tc := range []struct{ old, new, want string }{
		{"auth: bearer", "auht: bearer", `a.yaml:4: unknown field "auht" (did you mean "auth"?)`},
		{"    context: 131072", "    contxt: 131072", `a.yaml:18: unknown field "contxt" (did you mean "context"?)`},
		{"auth: bearer", "zzzzzzzzz: 1", `unknown field "zzzzzzzzz"`},
		{"auth: bearer", "nam: 1", `unknown field "nam" (did you mean "name"?)`},
		{"auth: bearer", "auth: basic", `a.yaml:4: auth: got "basic", want one of bearer, x-api-key, x-goog-api-key, api-key, aws, entra, google, none`},
		{"auth: bearer", "auth: [bearer]", "a.yaml:4:"},
		{"auth: bearer", "auth: bearer\nauth: none", "a.yaml:5:"},
		{"name: Acme", "\tname: Acme", "a.yaml:"},
		{"key_env: ACME_API_KEY", "key_env: sk-1234", "a.yaml:3: key_env:"},
		{"2026-08-20", "20.8.2026", "a.yaml:2: checked:"},
		{"https://api.acme", "http://api.acme", "a.yaml:5: base_url: got an address that is not https"},
		{"https://api.acme", "ftp://api.acme", "a.yaml:5: base_url: got an address that is not https"},
		{"https://api.acme", "https://u:secret@api.acme", "a.yaml:5: base_url: got something else"},
		{"https://api.acme.example", "https://api.acme.example?key=secret", "a.yaml:5: base_url: got something else"},
		{"https://api.acme.example", `""`, "a.yaml:5: base_url: got none"},
		{"https://api.acme.example", "https://{}.acme.example", "a.yaml:5: base_url: got something else"},
		{"auth: bearer", "models_path: 'https://u:secret@h'", "a.yaml:4: models_path: got something else"},
		{"auth: bearer", "models_path: http://h.example/m", "a.yaml:4: models_path: got"},
		{"auth: bearer", "region: EU", `a.yaml:4: region: got "EU"`},
		{"auth: bearer", "project: a/b", `a.yaml:4: project: got "a/b"`},
		{"auth: bearer", "scope: a b", `a.yaml:4: scope: got "a b"`},
		{"/v1/chat/completions", "/v1?a=%zz", "a.yaml:6: dialects.openai-chat: got"},
		{"/v1/chat/completions", "'/v1?a=b#c'", "a.yaml:6: dialects.openai-chat: got"},
		{"dialects: {openai-chat:", "dialects: {openai-chta:", `a.yaml:6: dialects.openai-chta: got dialect "openai-chta"`},
		{"/v1/chat/completions", "https://other.example/v1", "a.yaml:6: dialects.openai-chat: got"},
		{"auth: bearer", "only: {gemini-generate: [m]}", "a.yaml:4: only.gemini-generate: got models of a dialect"},
		{"auth: bearer", "only: {openai-chat: []}", "a.yaml:4: only.openai-chat: got none"},
		{"{openai-chat: /v1/chat/completions}", "{}", "a.yaml:6: dialects: got none"},
		{`{x-acme: "1"}`, `{"x acme": "1"}`, `a.yaml:7: headers: got "x acme"`},
		{`{x-acme: "1"}`, `{x-acme: "1\n2"}`, "a.yaml:7: headers.x-acme: got a control character"},
		{"  openai-chat:\n    drop", "  anthropic-messages:\n    drop", "a.yaml:9: edits.anthropic-messages: got edits of a dialect"},
		{"[logprobs,", "[logprobs.,", `a.yaml:9: edits.openai-chat: got path "logprobs."`},
		{"max_completion_tokens: max_tokens", "max_completion_tokens: a.b", `a.yaml:11: edits.openai-chat.rename: got "a.b"`},
		{"    cap: {", "    from_header: {a: x y}\n    cap: {", "a.yaml:13: edits.openai-chat.from_header: got \"x y\" for a"},
		{"temperature: 1.5", "temperature: .inf", "a.yaml:13: edits.openai-chat.cap: got +Inf"},
		{"class: overloaded", "class: overload", `a.yaml:15: errors.0.class: got "overload"`},
		{"status: 418, ", "", "a.yaml:15: errors.0: got a rule that every error matches"},
		{"status: 418", "status: 99", "a.yaml:15: errors.0.status: got 99"},
		{"id: acme-large", "id: acme large", `a.yaml:17: models.0.id: got "acme large"`},
		{"models:\n", "models:\n  - id: acme-large\n", `a.yaml:18: models.1.id: got "acme-large" again`},
		{"context: 131072", "context: -1", "a.yaml:18: models.0.context: got -1"},
		{"context: 131072", "context: 10\n    max_output: 11", "a.yaml:19: models.0.max_output: got 11"},
		{"context: 131072", "thinking: much", `a.yaml:18: models.0.thinking: got "much"`},
		{"context: 131072", "same_as: acme-large", "a.yaml:18: models.0.same_as:"},
		{"context: 131072", "released: yesterday", "a.yaml:18: models.0.released:"},
		{"output: 1.5}", "output: -1.5}", "a.yaml:19: models.0.price: got -1.5"},
		{acme, "", "documents, want one"},
	} {
		text := strings.Replace(acme, tc.old, tc.new, 1)
		if text == acme {
			t.Fatalf("%q: not in the file", tc.old)
		}
		_, err := Parse([]byte(text), "a.yaml")
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: got error %v, want %q", tc.new, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got a secret in the error %v", tc.new, err)
		}
	}
}

func TestIsPrivateHost(t *testing.T) {
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "fd12::1", "ollama", "vllm.internal", "a.b.svc", "BOX.LOCAL."} {
		if !IsPrivateHost(host) {
			t.Errorf("%s: got public, want private", host)
		}
	}
	for _, host := range []string{"", "api.example.com", "8.8.8.8", "169.254.169.254", "2606:4700::1111", "localhost.example.com", "internal.example"} {
		if IsPrivateHost(host) {
			t.Errorf("%s: got private, want public", host)
		}
	}
}

func TestModelsURL(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		{"", ""},
		{"/models", "https://run.eu.h/v1/models"},
		{"https://control.{region}.h/models", "https://control.eu.h/models"},
	} {
		f := Facts{BaseURL: "https://run.{region}.h/v1", Region: "eu", ModelsPath: tc.path}
		f.Complete()
		if got := f.ModelsURL(); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.path, got, tc.want)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct {
		name                   string
		facts                  Facts
		address, region, empty string
	}{
		{"an address", Facts{BaseURL: "https://h"}, "https://h", "", ""},
		{"filled", Facts{BaseURL: "https://{region}.h/{project}/{region}", Region: "r", Project: "p"}, "https://r.h/p/r", "r", ""},
		{"half filled", Facts{BaseURL: "https://{region}.h/{project}", Region: "r"}, "https://r.h/{project}", "r", "project"},
		{"one's own", Facts{BaseURL: "https://{resource}.h", Region: "r", Project: "p"}, "https://{resource}.h", "r", "resource"},
		{"a region found", Facts{Auth: AuthAWS, BaseURL: "https://s.eu-central-1.h"}, "https://s.eu-central-1.h", "eu-central-1", ""},
		{"of another partition", Facts{Auth: AuthAWS, BaseURL: "https://s.us-gov-west-1.h"}, "https://s.us-gov-west-1.h", "us-gov-west-1", ""},
		{"a region of another address", Facts{Auth: AuthAWS, BaseURL: "https://s.eu-central-1.h", Region: "r"}, "https://s.eu-central-1.h", "eu-central-1", ""},
		{"a region given", Facts{Auth: AuthAWS, BaseURL: "http://127.0.0.1:1", Region: "r"}, "http://127.0.0.1:1", "r", ""},
		{"a host like a region", Facts{Auth: AuthAWS, BaseURL: "http://my-proxy-1.local"}, "http://my-proxy-1.local", "", ""},
		{"no region to find", Facts{Auth: AuthAWS, BaseURL: "http://127.0.0.1:1"}, "http://127.0.0.1:1", "", ""},
		{"not signed for", Facts{Auth: AuthBearer, BaseURL: "https://s.eu-central-1.h"}, "https://s.eu-central-1.h", "", ""},
	} {
		f := tc.facts
		f.Complete()
		if f.BaseURL != tc.address || f.Region != tc.region || f.Hole() != tc.empty {
			t.Errorf("%s: got %s in %q with hole %q, want %s in %q with hole %q", tc.name, f.BaseURL, f.Region, f.Hole(), tc.address, tc.region, tc.empty)
		}
	}
}
