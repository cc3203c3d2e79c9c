package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// cloud is a gateway in front of a vendor that the test plays, with the facts that are
// shipped, and of an understudy that answers.
type cloud struct {
	t   *testing.T
	url string
	log *lockedBuffer
	// header is what the client sends, beside the kind of its body; a key if nil.
	header http.Header

	mu      sync.Mutex
	answer  http.HandlerFunc // of the vendor
	asked   *http.Request    // the latest request to it
	body    []byte           // and its body
	standby int              // requests to the understudy
}

const understudyAnswer = `{"id":"c","object":"chat.completion","created":1,"model":"u","choices":[{"index":0,"message":{"role":"assistant","content":"understudy"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

const understudyStream = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"u","choices":[{"index":0,"delta":{"role":"assistant","content":"understudy"},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"u","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: [DONE]

`

// newCloud builds it for a service; change adjusts its facts.
func newCloud(t *testing.T, service string, change func(*provider.Provider)) *cloud {
	t.Helper()
	c := &cloud{t: t, log: &lockedBuffer{}}
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.asked, c.body = r, body
		answer := c.answer
		c.mu.Unlock()
		answer(w, r)
	}))
	understudy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		c.standby++
		c.mu.Unlock()
		if bytes.Contains(body, []byte(`"stream":true`)) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, understudyStream)
			return
		}
		_, _ = io.WriteString(w, understudyAnswer)
	}))
	facts, ok := services.Facts(service)
	if !ok {
		t.Fatalf("got no facts of %s", service)
	}
	if service == "azure" && facts.BaseURL != "https://{resource}.openai.azure.com" { // T137
		t.Fatalf("got %s of a resource, want the address that the vendor documents", facts.BaseURL)
	}
	facts.BaseURL = strings.Replace(facts.BaseURL, "https://{resource}.openai.azure.com", vendor.URL, 1)
	facts.BaseURL = strings.Replace(facts.BaseURL, "https://{region}-aiplatform.googleapis.com", vendor.URL, 1)
	facts.Region, facts.Project = "europe-west1", "acme"
	facts.Complete()
	lead := &provider.Provider{ID: service, Facts: facts, Private: true}
	change(lead)
	second := &provider.Provider{ID: "second", Private: true, Facts: provider.Facts{
		BaseURL: understudy.URL, Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/v1/chat/completions"},
	}}
	tr := transport.New(transport.Options{})
	_, handler := forgetful(gateway.Options{
		Dialects: []*dialect.Dialect{openaichat.New(), anthropic.New(), openairesponses.New(), gemini.New(), bedrock.New()}, Routes: cloudRoutes{lead, second}, Sender: tr,
		Log: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: time.Now, NewID: func() string { return "call" },
	})
	gw := httptest.NewServer(handler)
	t.Cleanup(func() { gw.Close(); tr.Close(); vendor.Close(); understudy.Close() })
	c.url = gw.URL
	return c
}

// cloudRoutes serves every model by the lead, and by the understudy after "+".
type cloudRoutes struct{ lead, second *provider.Provider }

func (r cloudRoutes) Pick(model string) (route.Route, bool) {
	name, more := strings.CutSuffix(model, "+")
	facts := llm.ModelFacts{MaxOutput: 8192}
	picked := route.Route{
		Model: model, Timeouts: patient(), Loss: llm.LossReport,
		Targets: []route.Target{{Provider: r.lead, Model: name, Facts: facts}},
	}
	if more {
		picked.Targets = append(picked.Targets, route.Target{Provider: r.second, Model: "u", Facts: facts})
	}
	return picked, true
}

func (cloudRoutes) Entries() []dialect.ModelEntry { return []dialect.ModelEntry{{ID: "m"}} }

// ask sends a body to a path of the gateway, while the vendor answers so. Its header has what came after the body, too.
func (c *cloud) ask(path, body string, answer http.HandlerFunc) (status int, header http.Header, text string) {
	c.t.Helper()
	c.mu.Lock()
	c.answer, c.asked, c.body, c.standby = answer, nil, nil, 0
	c.mu.Unlock()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	if c.header == nil {
		req.Header = http.Header{"Api-Key": {"client-key"}}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	maps.Copy(resp.Header, resp.Trailer)
	return resp.StatusCode, resp.Header, string(all)
}

// sent is the latest request to the vendor: its address and a member of its body.
func (c *cloud) sent(member string) (address, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		return "", ""
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(c.body, &members)
	return c.asked.RequestURI, string(members[member])
}

func vendorSays(status int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func vendorStreams(frames string) http.HandlerFunc {
	return vendorSays(200, map[string]string{"Content-Type": "text/event-stream"}, frames)
}

const (
	chatAnswer = `{"id":"a","object":"chat.completion","created":1,"model":"gpt-5-2025-08-07","prompt_filter_results":[{"prompt_index":0}],` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"lead"},"finish_reason":"stop","content_filter_results":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`
	hi = `"messages":[{"role":"user","content":"hi"}]`

	filterChunk = `data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}

`
	contentChunk = `data: {"choices":[{"content_filter_results":{},"delta":{"content":"lead","role":"assistant"},"finish_reason":null,"index":0}],"created":1,"id":"a","model":"gpt-5-2025-08-07","object":"chat.completion.chunk"}

`
	endChunks = `data: {"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"stop","index":0}],"created":1,"id":"a","model":"gpt-5-2025-08-07","object":"chat.completion.chunk"}

data: [DONE]

`
)

const claudeAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"lead"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`

const claudeStream = `event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lead"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}

event: message_stop
data: {"type":"message_stop"}

`

// TestVertexClaude speaks Anthropic's API to Vertex about Claude, and about nothing else.
func TestVertexClaude(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	const base = "/v1/projects/acme/locations/europe-west1"
	const claude = base + "/publishers/anthropic/models/claude-sonnet-4-5%4020250929"
	for _, tc := range []struct {
		name, path, body, wantPath string
		answer                     http.HandlerFunc
	}{
		{"Anthropic's client", "/v1/messages", `"max_tokens":9`, claude + ":rawPredict", vendorSays(200, nil, claudeAnswer)},
		{"Anthropic's client, streaming", "/v1/messages", `"max_tokens":9,"stream":true`, claude + ":streamRawPredict", vendorStreams(claudeStream)},
		{"OpenAI's client", "/v1/chat/completions", `"max_tokens":9`, claude + ":rawPredict", vendorSays(200, nil, claudeAnswer)},
		{"OpenAI's client, streaming", "/v1/chat/completions", `"max_tokens":9,"stream":true`, claude + ":streamRawPredict", vendorStreams(claudeStream)},
	} {
		status, header, text := c.ask(tc.path, `{"model":"claude-sonnet-4-5@20250929",`+tc.body+`,`+hi+`}`, tc.answer)
		path, version := c.sent("anthropic_version")
		_, model := c.sent("model")
		if status != 200 || !strings.Contains(text, "lead") || path != tc.wantPath || version != `"vertex-2023-10-16"` || model != "" {
			t.Errorf("%s: got %d %s from %s, version %s, model %s; want the answer of %s without a model", tc.name, status, text, path, version, model, tc.wantPath)
		}
		if loss := header.Get("X-Understudy-Loss"); loss != "" {
			t.Errorf("%s: got loss %q, want none: the model is in the path", tc.name, loss)
		}
	}
	// T074: an effort and a schema go to Claude there as anywhere else.
	const output = `{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}`
	c.ask("/v1/messages", `{"model":"claude-sonnet-4-5@20250929","max_tokens":9,"output_config":`+output+`,`+hi+`}`, vendorSays(200, nil, claudeAnswer))
	if _, sent := c.sent("output_config"); sent != output {
		t.Errorf("got output_config %s sent want %s", sent, output)
	}
	if status, _, text := c.ask("/v1/messages", `{"model":"meta/llama-4-maas","max_tokens":9,`+hi+`}`, vendorSays(200, nil, chatAnswer)); status != 200 || !strings.Contains(text, "lead") {
		t.Errorf("an open model: got %d %s, want OpenAI's API spoken about it", status, text)
	} else if path, model := c.sent("model"); path != base+"/endpoints/openapi/chat/completions" || model != `"meta/llama-4-maas"` {
		t.Errorf("an open model: got %s about %s", path, model)
	}
	status, _, text := c.ask("/v1/messages", `{"model":"mistral-large","max_tokens":9,`+hi+`}`, vendorSays(200, nil, claudeAnswer))
	if path, _ := c.sent(""); status != 404 || path != "" {
		t.Errorf("a model of nobody's: got %d %s from %s, want nobody asked", status, text, path)
	}
	if status, _, text := c.ask("/v1/chat/completions", `{"model":"mistral-large+",`+hi+`}`, vendorSays(200, nil, chatAnswer)); status != 200 || !strings.Contains(text, "understudy") {
		t.Errorf("a model of nobody's with an understudy: got %d %s, want the understudy", status, text)
	}
}

const (
	geminiAnswer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"lead"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"gemini-2.5-pro"}`
	geminiAsk    = `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
)

// TestVertexGemini speaks Google's API to Vertex about Gemini, whoever the client is.
func TestVertexGemini(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	const model = "/v1/projects/acme/locations/europe-west1/publishers/google/models/gemini-2.5-pro"
	for _, tc := range []struct {
		name, path, body, wantPath string
		answer                     http.HandlerFunc
	}{
		{"Google's client", "/v1beta/models/gemini-2.5-pro:generateContent", `{` + geminiAsk + `}`, model + ":generateContent", vendorSays(200, nil, geminiAnswer)},
		{"Google's client, streaming", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", `{` + geminiAsk + `}`, model + ":streamGenerateContent?alt=sse", vendorStreams("data: " + geminiAnswer + "\n\n")},
		{"Anthropic's client", "/v1/messages", `{"model":"gemini-2.5-pro","max_tokens":9,` + hi + `}`, model + ":generateContent", vendorSays(200, nil, geminiAnswer)},
		{"OpenAI's client, streaming", "/v1/chat/completions", `{"model":"gemini-2.5-pro","stream":true,` + hi + `}`, model + ":streamGenerateContent?alt=sse", vendorStreams("data: " + geminiAnswer + "\n\n")},
	} {
		status, _, text := c.ask(tc.path, tc.body, tc.answer)
		if path, _ := c.sent(""); status != 200 || !strings.Contains(text, "lead") || path != tc.wantPath {
			t.Errorf("%s: got %d %s from %s, want the answer of %s", tc.name, status, text, path, tc.wantPath)
		}
	}
}

// TestVertexErrors reads Google's errors about Claude, which come before Anthropic's code
// has seen the request, and says them in Anthropic's words.
func TestVertexErrors(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	for _, tc := range []struct {
		name   string
		status int
		body   string
		next   bool
		want   string // the class, or in the answer
	}{
		{"a limit", 429, `{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}`, true, "rate_limit"},
		{"no permission", 403, `{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}`, true, "provider_auth"},
		{"an old token", 401, `[{"error":{"code":401,"message":"Request had invalid authentication credentials","status":"UNAUTHENTICATED"}}]`, true, "provider_auth"},
		{"no model", 404, `{"error":{"code":404,"message":"Publisher Model was not found","status":"NOT_FOUND"}}`, true, "model_gone"},
		{"overloaded", 503, `{"error":{"code":503,"message":"The service is currently unavailable","status":"UNAVAILABLE"}}`, true, "overloaded"},
		{"overloaded, by Anthropic", 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, true, "overloaded"},
		{"a bad request", 400, `{"error":{"code":400,"message":"max_tokens: Field required","status":"INVALID_ARGUMENT"}}`, false, `"type":"invalid_request_error"`},
		{"a bad request, by Anthropic", 400, `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: too large"}}`, false, "max_tokens: too large"},
	} {
		for _, model := range []string{"claude-x", "claude-x+"} {
			status, header, text := c.ask("/v1/messages", `{"model":"`+model+`","max_tokens":9,`+hi+`}`, vendorSays(tc.status, nil, tc.body))
			detail := header.Get(gateway.HeaderDetail)
			switch {
			case tc.next && model == "claude-x+" && (status != 200 || !strings.Contains(text, "understudy")),
				tc.next && model == "claude-x" && !strings.Contains(detail, "vertex/claude-x="+tc.want),
				!tc.next && (status != tc.status || !strings.Contains(text, tc.want) || !strings.Contains(text, `"type":"error"`) || c.standby != 0):
				t.Errorf("%s, %s: got %d %s, attempts %q, want %s", tc.name, model, status, text, detail, tc.want)
			}
		}
	}
}

// TestVertexCallIDs takes the ids of calls out, which version 1 of the API refuses.
func TestVertexCallIDs(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	body := `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","args":{"id":"kept"}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"id":"kept"}}}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`
	status, _, text := c.ask("/v1beta/models/gemini-2.5-pro:generateContent", body, vendorSays(200, nil, geminiAnswer))
	_, contents := c.sent("contents")
	if status != 200 || strings.Contains(contents, "c1") || strings.Count(contents, `"id":"kept"`) != 2 {
		t.Errorf("got %d %s for %s, want the calls' ids alone taken out", status, text, contents)
	}
}

// TestClientCredentials takes a client's key from wherever its SDK puts it, and tells
// nobody.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	const google, openai = "/v1beta/models/gemini-2.5-pro:generateContent", "/v1/chat/completions"
	for _, tc := range []struct {
		name, path, body string
		want             int
	}{
		{"the same in the address", google + "?key=client-key", `{` + geminiAsk + `}`, 200},
		{"another in the address", google + "?key=canary-key", `{` + geminiAsk + `}`, 400},
		{"two in the address", google + "?key=client-key&key=canary-key", `{` + geminiAsk + `}`, 400},
		{"a parameter of another dialect", openai + "?key=canary-key", `{"model":"gemini-2.5-pro",` + hi + `}`, 200},
	} {
		status, _, text := c.ask(tc.path, tc.body, vendorSays(200, nil, geminiAnswer))
		path, _ := c.sent("")
		if status != tc.want || strings.Contains(path+text, "canary") || (path == "") != (tc.want != 200) {
			t.Errorf("%s: got %d %s, %s asked, want %d", tc.name, status, text, path, tc.want)
		}
	}
	if strings.Contains(c.log.String(), "canary") {
		t.Error("got a client's key in the log")
	}
}

// TestSignedClient lets AWS's SDKs in, which sign, while nobody needs a key.
func TestSignedClient(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "vertex", func(p *provider.Provider) { p.Facts.Auth, p.Key = provider.AuthBearer, provider.NewSecret("token") })
	c.header = http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=CANARY/20261125/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=canary"}, "X-Amz-Security-Token": {"canary"}}
	status, _, text := c.ask("/model/gemini-2.5-pro/converse", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`, vendorSays(200, nil, geminiAnswer))
	if status != 200 || !strings.Contains(text, "lead") {
		t.Errorf("got %d %s, want the answer", status, text)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, values := range c.asked.Header {
		if strings.Contains(strings.ToLower(strings.Join(values, "")), "canary") {
			t.Errorf("got the client's %s sent on", name)
		}
	}
	if strings.Contains(strings.ToLower(c.log.String()), "canary") {
		t.Error("got the client's credential in the log")
	}
}

// TestNoCredential goes on to the next target where there is no credential for the first.
func TestNoCredential(t *testing.T) {
	refusing := httptest.NewServer(vendorSays(401, nil, `{"error":"invalid_client","error_description":"canary"}`))
	t.Cleanup(refusing.Close)
	t.Setenv("AZURE_TENANT_ID", "tenant")
	t.Setenv("AZURE_CLIENT_ID", "app")
	t.Setenv("AZURE_CLIENT_SECRET", "canary-secret")
	for authority, class := range map[string]string{refusing.URL: "provider_auth", "http://127.0.0.1:1": "unreachable"} {
		t.Setenv("AZURE_AUTHORITY_HOST", authority)
		c := newCloud(t, "azure", func(p *provider.Provider) { p.Facts.Auth = provider.AuthEntra })
		for _, stream := range []string{"false", "true"} {
			status, header, text := c.ask("/v1/chat/completions", `{"model":"m+","stream":`+stream+`,`+hi+`}`, vendorSays(500, nil, ""))
			if path, _ := c.sent(""); status != 200 || !strings.Contains(text, "understudy") || path != "" || header.Get(gateway.HeaderAttempts) != "2" {
				t.Errorf("%s: got %d %s, %s asked, want the understudy and nothing sent to the first", class, status, text, path)
			}
		}
		status, header, text := c.ask("/v1/chat/completions", `{"model":"m",`+hi+`}`, vendorSays(500, nil, ""))
		if detail := header.Get(gateway.HeaderDetail); status != 502 || !strings.Contains(detail, "azure/m="+class) {
			t.Errorf("got %d %s, attempts %q, want %s", status, text, detail, class)
		}
		if all := c.log.String() + text; strings.Contains(all, "canary") || !slices.Contains([]bool{strings.Contains(all, "invalid_client"), strings.Contains(all, "127.0.0.1:1")}, true) {
			t.Errorf("%s: got %s, want the reason and no secret", class, all)
		}
	}
}

// TestFetchedTokenIsHidden has a vendor quote the token that it was shown, which nobody
// else knows of: neither a client nor the log is told.
func TestFetchedTokenIsHidden(t *testing.T) {
	const token = "canary-made-out-by-the-authority"
	authority := httptest.NewServer(vendorSays(200, map[string]string{"Content-Type": "application/json"}, `{"access_token":"`+token+`","expires_in":3599,"token_type":"Bearer"}`))
	t.Cleanup(authority.Close)
	for name, value := range map[string]string{
		"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "canary-secret", "AZURE_AUTHORITY_HOST": authority.URL,
	} {
		t.Setenv(name, value)
	}
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Facts.Auth = provider.AuthEntra })
	for _, status := range []int{400, 401, 403, 500} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
			got, _, text := c.ask(path, `{"model":"m","max_tokens":9,`+hi+`}`, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"error":{"type":"invalid_request_error","message":"What is `+r.Header.Get("Authorization")+`?"}}`)
			})
			if strings.Contains(text, "canary") || got == 200 {
				t.Errorf("%d at %s: got %d %s, want the token hidden", status, path, got, text)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if shown := c.asked.Header.Get("Authorization"); shown != "Bearer "+token {
		t.Errorf("got %q shown to the vendor, want the token", shown)
	}
	if strings.Contains(c.log.String(), "canary") {
		t.Error("got a secret in the log")
	}
}
