package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

var update = flag.Bool("update", false, "write the problems found into testdata/*.bad.yaml")

// catalog knows four services.
type catalog struct{}

func (catalog) IDs() []string { return []string{"openai", "anthropic", "cloud", "own"} }

func (catalog) Usual() []string { return []string{"openai", "anthropic"} }

func (c catalog) KeyEnv(id string) string {
	facts, _ := c.Facts(id)
	return facts.KeyEnv
}

func (catalog) Facts(id string) (provider.Facts, bool) {
	switch id {
	case "openai":
		return provider.Facts{
			Name: "OpenAI", KeyEnv: "OPENAI_API_KEY", Auth: "bearer", BaseURL: "https://api.openai.com/v1",
			Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat/completions"},
			Models: []provider.Model{
				{ID: "gpt-5", Window: 400000, Price: &provider.Price{Input: 1.25, Output: 10}, Thinking: llm.ThinkingEffort},
				{ID: "gpt-4o", Window: 128000},
			},
		}, true
	case "anthropic":
		return provider.Facts{
			Name: "Anthropic", KeyEnv: "ANTHROPIC_API_KEY", Auth: "x-api-key", BaseURL: "https://api.anthropic.com",
			Dialects: map[dialect.Name]string{dialect.AnthropicMessages: "/v1/messages"},
			Headers:  map[string]string{"anthropic-version": "2023-06-01"},
		}, true
	case "cloud":
		return provider.Facts{
			KeyEnv: "CLOUD_KEY", Auth: provider.AuthAWS, Scope: "cloud", BaseURL: "https://run.{region}.cloud.example/{project}",
			Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat"},
		}, true
	case "own":
		return provider.Facts{
			KeyEnv: "OWN_KEY", Auth: provider.AuthAPIKey, Scope: "own/.default", BaseURL: "https://{resource}.own.example",
			Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat"}, Models: []provider.Model{{ID: "m"}},
		}, true
	}
	return provider.Facts{}, false
}

// TestCredentials says where the key is and what the address, for each way to authenticate.
func TestCredentials(t *testing.T) {
	c, err := Load("testdata/credentials.good.yaml", catalog{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "sa.json")
	for _, tc := range []struct {
		name    string
		key     Key
		address string
		region  string
	}{
		{"cloud", Key{Env: "CLOUD_KEY", Optional: true}, "https://run.eu-central-1.cloud.example/acme", "eu-central-1"},
		{"cloud-chain", Key{None: true}, "https://run.eu-central-1.cloud.example/acme", "eu-central-1"},
		{"cloud-vpc", Key{Env: "CLOUD_KEY", Optional: true}, "https://vpce.run.us-east-1.cloud.example", "us-east-1"},
		{"cloud-key", Key{Env: "MY_KEY"}, "http://127.0.0.1:9000", ""},
		{"own", Key{Env: "OWN_KEY"}, "https://acme.own.example", ""},
		{"own-entra", Key{None: true}, "https://acme.own.example", ""},
		{"tokens", Key{File: file}, "https://tokens.example", ""},
		{"tokens-default", Key{None: true}, "https://tokens.example", ""},
	} {
		p, ok := c.Provider(tc.name)
		if !ok || p.Key != tc.key || p.Facts.BaseURL != tc.address || p.Facts.Region != tc.region {
			t.Errorf("%s: got key %+v at %s in %q, want %+v at %s in %q", tc.name, p.Key, p.Facts.BaseURL, p.Facts.Region, tc.key, tc.address, tc.region)
		}
	}
	if p, _ := c.Provider("own"); len(p.Facts.Models) != 1 || !p.Facts.Models[0].Assumed {
		t.Errorf("models at an address of one's own: got %+v, want them known and offered to nobody", p.Facts.Models)
	}
}

func TestGood(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := Load(file, catalog{}); err != nil {
				t.Errorf("got problems, want none:\n%v", err)
			}
		})
	}
}

// TestBad holds each bad file against the problems that its first lines name, all
// of them and in order: "# want 3:5: message (hint)".
func TestBad(t *testing.T) {
	for _, file := range glob(t, "testdata/*.bad.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			rest := string(data)
			for {
				line, after, _ := strings.Cut(rest, "\n")
				expected, ok := strings.CutPrefix(line, "# want ")
				if !ok {
					break
				}
				want, rest = append(want, expected), after
			}
			// The problems' lines are those of the file without its expectations, so that
			// one more of them moves nothing.
			_, err = Parse("f", []byte(rest), catalog{})
			var got []string
			if err != nil {
				got = strings.Split(strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n"), "\n")[1:]
			}
			if *update {
				head := ""
				for _, line := range got {
					head += "# want " + line + "\n"
				}
				if err := os.WriteFile(file, []byte(head+rest), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(want) == 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("got no files %s (%v), want some", pattern, err)
	}
	return files
}

// TestEveryKey reads a file with every key there is and looks at what became of
// it; a key that the structs gain and the file lacks fails it.
func TestEveryKey(t *testing.T) {
	c, err := Load("testdata/every-key.good.yaml", catalog{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Listen+" "+c.Admin, "127.0.0.1:9000 [::1]:9001"; got != want {
		t.Errorf("listeners: got %s, want %s", got, want)
	}
	if got, want := c.DataFolder(), filepath.Join("testdata", "books"); got != want {
		t.Errorf("data: got %s, want %s", got, want)
	}
	if want := "postgres://understudy@db.internal/ledger"; c.Store != want {
		t.Errorf("store: got %s, want %s", c.Store, want)
	}
	if want := "redis://cache.internal:6379/1"; c.Redis != want {
		t.Errorf("redis: got %s, want %s", c.Redis, want)
	}
	if c.Drain != 2*time.Minute {
		t.Errorf("drain: got %v, want 2m", c.Drain)
	}
	if want := (Limits{Body: 32 << 20, BodyTimeout: 30 * time.Second, Heartbeat: 5 * time.Second, WriteTimeout: 15 * time.Second, Memory: 2 << 30, Calls: 5000, Rescue: 64 << 20}); c.Limits != want {
		t.Errorf("limits: got %+v, want %+v", c.Limits, want)
	}
	wantAccess := Access{
		Anonymous: true, Secret: Key{File: filepath.Join("testdata", "access.secret")},
		Teams: []Team{{Name: "search", Organisation: "acme", Models: []string{"assistant", "acme/*"}, Providers: []string{"acme"}, Regions: []string{"eu-1"}, Disabled: true}},
		Keys: []ClientKey{{
			ID: "web", Key: Key{File: filepath.Join("testdata", "web.key")}, Name: "The web", User: "ada", Team: "search", Organisation: "acme",
			Models: []string{"*"}, Providers: []string{"acme", "openai"}, Regions: []string{"eu-1"}, Tags: []string{"nightly"},
			Expires: Time{time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}, Disabled: true,
			Limits: KeyLimits{RequestsPerMinute: 60, TokensPerMinute: 100_000, Concurrent: 8},
		}},
		Administrators: []Administrator{{
			Name: "ada", Token: Key{File: filepath.Join("testdata", "ada.token")}, Role: "operator", Expires: Time{time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)},
		}},
	}
	if !reflect.DeepEqual(c.Access, wantAccess) {
		t.Errorf("access: got %+v, want %+v", c.Access, wantAccess)
	}
	wantBudgets := []budget.Limit{
		{Account: "team:search", Period: budget.Month, Most: 500 * budget.USD, Strict: true},
		{Account: "provider:acme", Period: budget.Day, Most: 1, Soft: true},
	}
	if got := c.SpendingLimits(); !reflect.DeepEqual(got, wantBudgets) {
		t.Errorf("budgets: got %+v, want %+v", got, wantBudgets)
	}
	if want := (Telemetry{OTLP: "https://otel.example:4318", Share: 0.1}); c.Telemetry != want {
		t.Errorf("telemetry: got %+v, want %+v", c.Telemetry, want)
	}
	affinity, half := 2*time.Minute, Amount(budget.USD/2)
	wantModel := Model{
		Name: "assistant", Lead: Target{"acme", "large"}, Understudies: []Target{{"openai", "gpt-5"}},
		Order: "weighted", Weights: []float64{3, 0.5}, Affinity: &affinity, Require: []string{"eu"},
		Timeouts: Timeouts{time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 0.5, 5 * time.Second, time.Minute},
		Identity: "strict", Hedge: &Hedge{After: After{Percentile: 95}, Most: 0.025}, Most: &half,
		Loss: llm.LossStrict, Rescue: llm.RescueOff,
	}
	if !reflect.DeepEqual(c.Models, []Model{wantModel}) {
		t.Errorf("models: got %+v, want %+v", c.Models, wantModel)
	}
	yes, no := true, false
	three := 3.0
	wantKeys := []ProviderKey{
		{Key: Key{Env: "OPENAI_API_KEY"}, Weight: &three},
		{Key: Key{File: filepath.Join("testdata", "other.key")}},
		{Key: Key{Command: "op\x00read\x00op://vault/a key\x00", Every: 45 * time.Minute, Timeout: 30 * time.Second}},
	}
	if p, _ := c.Provider("openai"); !reflect.DeepEqual(p.Keys, wantKeys) || p.Key != wantKeys[0].Key {
		t.Errorf("keys: got %+v and %v, want %+v and the first", p.Keys, p.Key, wantKeys)
	}
	p, ok := c.Provider("acme")
	wantProvider := Provider{Name: "acme", Key: Key{File: filepath.Join("testdata", "acme.key")}, PrivateNet: true, Concurrency: 50, ServiceTier: "fast", Traceparent: true, Tags: []string{"eu", "no-training"}, Facts: provider.Facts{
		Name: "Acme", Vendor: "acme.ai", Docs: "https://docs.acme.example", Checked: "2026-08-20", KeyEnv: "ACME_API_KEY", Auth: "bearer",
		Scope: "https://acme.example/.default", Region: "eu-1", Project: "acme-prod",
		BaseURL: "https://api.acme.example/v1", Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat/completions", dialect.BedrockCount: "/{model}/count"},
		Bare:       map[dialect.Name][]string{dialect.BedrockCount: {"us."}},
		Streams:    map[dialect.Name]string{dialect.OpenAIChat: "/chat/completions?stream=yes"},
		Framings:   map[dialect.Name]dialect.Framing{dialect.OpenAIChat: dialect.FramingNDJSON},
		Prefer:     dialect.OpenAIChat,
		Relays:     map[dialect.Name][]dialect.Operation{dialect.OpenAIChat: {dialect.Files, dialect.Realtime}},
		Only:       map[dialect.Name][]string{dialect.OpenAIChat: {"lar*"}},
		ModelsPath: "/models", Headers: map[string]string{"x-acme-version": "7"}, ServiceTiers: map[string]float64{"flex": 0.5, "priority": 1.8},
		Edits: map[dialect.Name]provider.Edits{dialect.OpenAIChat: {
			Drop: []string{"logprobs"}, Rename: map[string]string{"max_completion_tokens": "max_tokens"},
			Set:        map[string]any{"store": false, "nested": map[string]any{"list": []any{int64(1), 2.5, "x"}}},
			Cap:        map[string]float64{"temperature": 1},
			FromHeader: map[string]string{"beta": "X-Beta"},
			Map:        map[string]map[string]string{"messages[].role": {"developer": "system"}},
		}},
		Errors: []provider.ErrorRule{{Status: 418, Type: "t", Code: "c", Prefix: "p", Class: llm.CodeOverloaded}},
		Models: []provider.Model{{
			ID: "large", SameAs: "openai/gpt-5", Window: 131072, MaxInput: 100000, MaxOutput: 4096,
			Modalities: provider.Modalities{Input: []string{"text", "image"}, Output: []string{"text"}},
			Price: &provider.Price{
				Input: 0.5, Output: 1.5, CacheRead: 0.05, CacheWrite: 0.6, CacheWrite1h: 0.8, Reasoning: 2, AudioInput: 3, AudioOutput: 6,
				Tiers: []provider.Tier{{Above: 64000, Input: 1, Output: 3, CacheRead: 0.1, CacheWrite: 1.2}},
				ServiceTiers: []provider.ServiceTier{{Name: "flex", Times: 0.4}, {
					Name: "fast", Input: 1, Output: 3, CacheRead: 0.1, CacheWrite: 1.2, CacheWrite1h: 1.6, AudioInput: 6, AudioOutput: 12,
				}},
			},
			Released: "2026-01-31", Retires: "2027-01", Status: "beta", Tools: &yes, ParallelTools: &no, Structured: &yes, NoSampling: true, NoStop: true, Prefill: true, MidSystem: true, Thinking: llm.ThinkingEffort, Efforts: []string{"low", "medium", "high"},
		}, {ID: "vectors", Operation: dialect.Embed, Dimensions: 1024}},
	}}
	if !ok || !reflect.DeepEqual(*p, wantProvider) {
		t.Errorf("provider acme: got %+v, want %+v", p, wantProvider)
	}
	text, err := os.ReadFile("testdata/every-key.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keysOf(reflect.ValueOf(c).Elem()) {
		if !strings.Contains(string(text), key+":") {
			t.Errorf("testdata/every-key.good.yaml: got no key %s, want every one", key)
		}
	}
	if !p.Private() {
		t.Error("private: got public, want what the file says")
	}
}

// keysOf lists the keys that the file can have, at every level.
func keysOf(v reflect.Value) []string {
	var found []string
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fieldsOf(v) {
			found = append(append(found, f.name), keysOf(f.value)...)
		}
	case reflect.Slice, reflect.Map, reflect.Pointer:
		found = keysOf(reflect.New(v.Type().Elem()).Elem())
	default:
	}
	return found
}

// TestBuildsOn shows what a provider has from the service it names.
func TestBuildsOn(t *testing.T) {
	c, err := Parse("f.yaml", []byte(`
providers:
  openai: {}
  anthropic: {key: none, headers: {anthropic-beta: x}}
  backup:
    use: openai
    base_url: http://10.0.0.7:8000/v1
    models:
      - {id: gpt-5, price: {input: 0}, thinking: none}
      - {id: mine}
`), catalog{})
	if err != nil {
		t.Fatal(err)
	}
	p := func(name string) *Provider { found, _ := c.Provider(name); return found }
	check := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	check("key by default", p("openai").Key, Key{Env: "OPENAI_API_KEY"})
	check("key none", p("anthropic").Key, Key{None: true})
	check("headers merged", p("anthropic").Facts.Headers, map[string]string{"anthropic-version": "2023-06-01", "anthropic-beta": "x"})
	check("private", []bool{p("openai").Private(), p("backup").Private()}, []bool{false, true})
	check("dialects kept", p("backup").Facts.Dialects, map[dialect.Name]string{dialect.OpenAIChat: "/chat/completions"})
	check("models laid over", p("backup").Facts.Models, []provider.Model{
		{ID: "gpt-5", Window: 400000, Price: &provider.Price{Input: 0, Output: 10}, Thinking: llm.ThinkingNone},
		{ID: "gpt-4o", Window: 128000, Assumed: true},
		{ID: "mine"},
	})
	check("models of the other untouched", p("openai").Facts.Models[0].Price.Input, 1.25)
}

func TestDefault(t *testing.T) {
	env := map[string]string{"ANTHROPIC_API_KEY": "x", "OPENAI_API_KEY": " "}
	c := Default(catalog{}, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if len(c.Providers) != 1 || c.Providers[0].Name != "anthropic" || c.Providers[0].Key != (Key{Env: "ANTHROPIC_API_KEY"}) {
		t.Errorf("got %+v, want anthropic alone", c.Providers)
	}
	if c.DataFolder() != "data" {
		t.Errorf("data: got %q, want the folder data where the gateway is started", c.DataFolder())
	}
	if c.Listen != "127.0.0.1:8080" || c.Admin != "127.0.0.1:8081" || c.Drain != 15*time.Minute || !c.Access.Anonymous {
		t.Errorf("got %+v, want the documented defaults", c)
	}
}

// clouds knows one more service, whose address depends on whose account it is.
type clouds struct{}

func (clouds) IDs() []string { return []string{"cloud"} }

func (clouds) Usual() []string { return nil }

func (clouds) KeyEnv(string) string { return "CLOUD_KEY" }

func (clouds) Facts(string) (provider.Facts, bool) {
	return provider.Facts{KeyEnv: "CLOUD_KEY", BaseURL: "https://{resource}.cloud.example"}, true
}

func TestDefaultNeedsAnAddress(t *testing.T) {
	c := Default(clouds{}, func(string) (string, bool) { return "x", true })
	if len(c.Providers) != 0 {
		t.Errorf("got %+v, want none: the address is not known", c.Providers)
	}
}

// TestReadme reads the config that the README shows.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "```yaml\n")
	example, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("README.md: got no YAML example, want one")
	}
	c, err := Parse("README.md", []byte(example), catalog{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Models) == 0 || len(c.Models[0].Understudies) == 0 {
		t.Errorf("README.md: got models %+v, want one with understudies", c.Models)
	}
}

// TestCommand says what is run for a key, and when.
func TestCommand(t *testing.T) {
	for text, want := range map[string]Key{
		`{command: [op]}`: {Command: "op\x00", Timeout: 10 * time.Second},
		`{command: [op, read, op://vault/item/key]}`:                       {Command: "op\x00read\x00op://vault/item/key\x00", Timeout: 10 * time.Second},
		`{every: 1h, command: ["op", "", "a b", "$HOME; ` + "`id`" + `"]}`: {Command: "op\x00\x00a b\x00$HOME; `id`\x00", Every: time.Hour, Timeout: 10 * time.Second},
	} {
		c, err := Parse("f", []byte("providers: {openai: {key: "+text+"}}"), catalog{})
		if err != nil {
			t.Errorf("%s: got %v, want it taken", text, err)
			continue
		}
		got := c.Providers[0].Key
		if got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
		if words := got.Command.Words(); strings.Join(words, "\x00")+"\x00" != string(want.Command) || words[0] != "op" {
			t.Errorf("%s: got words %q, want those of the file", text, words)
		}
		if s := got.String(); s != "command op" {
			t.Errorf("%s: got it told as %q, want the program alone", text, s)
		}
	}
}
