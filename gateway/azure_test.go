package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/provider"
)

// TestAzure speaks to Azure in both of its forms, and as a client of it does.
func TestAzure(t *testing.T) {
	t.Parallel()
	const key = "canary-azure-key"
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret(key) })
	old := newCloud(t, "azure", func(p *provider.Provider) {
		p.Key = provider.NewSecret(key)
		p.Facts.Dialects = map[dialect.Name]string{dialect.OpenAIChat: "/openai/deployments/{model}/chat/completions?api-version=2024-10-21"}
	})
	const v1, deployment = "/openai/v1/chat/completions", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
	for _, tc := range []struct {
		name, path, body, wantPath, wantModel string
		cloud                                 *cloud
	}{
		{"OpenAI's client", "/v1/chat/completions", `{"model":"my-gpt",` + hi + `}`, v1, `"my-gpt"`, c},
		{"version 1", "/openai/v1/chat/completions", `{"model":"my-gpt",` + hi + `}`, v1, `"my-gpt"`, c},
		{"a deployment", deployment, `{` + hi + `}`, v1, `"my-gpt"`, c},
		{"a deployment and another model", deployment, `{"model":"gpt-5",` + hi + `}`, v1, `"my-gpt"`, c},
		{"a deployment, to a deployment", deployment, `{` + hi + `}`, deployment, `"my-gpt"`, old},
		{"to a deployment with an odd name", "/v1/chat/completions", `{"model":"a/b",` + hi + `}`, strings.Replace(deployment, "my-gpt", "a%2Fb", 1), `"a/b"`, old},
		{"Anthropic's client", "/v1/messages", `{"model":"my-gpt","max_tokens":9,` + hi + `}`, v1, `"my-gpt"`, c},
	} {
		status, _, text := tc.cloud.ask(tc.path, tc.body, vendorSays(200, nil, chatAnswer))
		path, model := tc.cloud.sent("model")
		if status != 200 || !strings.Contains(text, "lead") || path != tc.wantPath || model != tc.wantModel {
			t.Errorf("%s: got %d %s from %s about %s, want the answer of %s about %s", tc.name, status, text, path, model, tc.wantPath, tc.wantModel)
		}
		if h := tc.cloud.asked.Header; h.Get("Api-Key") != key || h.Get("Authorization") != "" {
			t.Errorf("%s: got headers %v, want the provider's key in its own header", tc.name, h)
		}
	}
	if status, _, text := c.ask("/openai/v1/chat/completions", `{`+hi+`}`, vendorSays(200, nil, chatAnswer)); status != 400 || !strings.Contains(text, `"param":"model"`) {
		t.Errorf("no model anywhere: got %d %s, want it missed", status, text)
	}
	resp, err := http.Get(c.url + "/openai/v1/models")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("models: got %v, %v, want a list", resp, err)
	}
	_ = resp.Body.Close()
	if strings.Contains(c.log.String()+old.log.String(), "canary") {
		t.Error("got the key in the log")
	}
}

// TestAzureErrors goes on, or does not, by what Azure's errors say.
func TestAzureErrors(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	for _, tc := range []struct {
		name, body string
		status     int
		header     map[string]string
		next       bool
		want       string // in the answer, or how the attempt failed
	}{
		{
			"a filtered prompt", `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt",` +
				`"code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}`,
			400, nil, false, "content_filter",
		},
		{"no deployment", `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, 404, nil, true, "model_gone"},
		{"no resource", `{"statusCode":404,"message":"Resource not found"}`, 404, nil, true, "model_gone"},
		{"a wrong key", `{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}`, 401, nil, true, "provider_auth"},
		{"a limit", `{"error":{"code":"429","message":"Requests have exceeded call rate limit of your current pricing tier."}}`, 429, map[string]string{"Retry-After-Ms": "1500"}, true, "rate_limit"},
		{"no capacity", `{"error":{"code":"NoCapacity","message":"The system is currently experiencing high demand."}}`, 429, nil, true, "overloaded"},
		{"a bad request", `{"error":{"code":"unsupported_value","message":"Unsupported value.","param":"temperature","type":"invalid_request_error"}}`, 400, nil, false, "unsupported_value"},
	} {
		for _, stream := range []string{"false", "true"} {
			status, _, text := c.ask("/v1/chat/completions", `{"model":"m+","stream":`+stream+`,`+hi+`}`, vendorSays(tc.status, tc.header, tc.body))
			switch {
			case tc.next && (status != 200 || !strings.Contains(text, "understudy")):
				t.Errorf("%s, stream %s: got %d %s, want the understudy", tc.name, stream, status, text)
			case !tc.next && (status != tc.status || !strings.Contains(text, tc.want) || c.standby != 0):
				t.Errorf("%s, stream %s: got %d %s after %d requests to the understudy, want %q at once", tc.name, stream, status, text, c.standby, tc.want)
			}
			if !tc.next {
				continue
			}
			status, header, text := c.ask("/v1/chat/completions", `{"model":"m","stream":`+stream+`,`+hi+`}`, vendorSays(tc.status, tc.header, tc.body))
			if detail := header.Get(gateway.HeaderDetail); !strings.Contains(detail, "azure/m="+tc.want) {
				t.Errorf("%s, stream %s: got %d %s, attempts %q, want %s", tc.name, stream, status, text, detail, tc.want)
			}
			if after := header.Get("Retry-After"); tc.header != nil && after != "2" {
				t.Errorf("%s: got Retry-After %q, want the vendor's 1500 ms", tc.name, after)
			}
		}
	}
}

// TestAzureStream holds back the frame before the content: it commits the client to
// nobody.
func TestAzureStream(t *testing.T) {
	t.Parallel()
	c := newCloud(t, "azure", func(p *provider.Provider) { p.Key = provider.NewSecret("key") })
	ask := `{"model":"m+","stream":true,` + hi + `}`
	status, _, text := c.ask("/v1/chat/completions", ask, vendorStreams(filterChunk+contentChunk+endChunks))
	if status != 200 || text != filterChunk+contentChunk+endChunks {
		t.Errorf("got %d %s, want Azure's stream as it is", status, text)
	}
	for name, broken := range map[string]string{
		"cut":   filterChunk,
		"error": filterChunk + "data: {\"error\":{\"code\":\"500\",\"message\":\"failed\"}}\n\n",
	} {
		if status, _, text := c.ask("/v1/chat/completions", ask, vendorStreams(broken)); status != 200 || text != understudyStream {
			t.Errorf("%s: got %d %s, want the understudy's stream alone", name, status, text)
		}
	}
	status, _, text = c.ask("/v1/messages", `{"model":"m","max_tokens":9,"stream":true,`+hi+`}`, vendorStreams(filterChunk+contentChunk+endChunks))
	if status != 200 || !strings.Contains(text, `"text":"lead"`) || !strings.Contains(text, "message_stop") {
		t.Errorf("Anthropic's client: got %d %s, want the answer", status, text)
	}
}
