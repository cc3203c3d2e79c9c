package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// invokes are the facts of a service that has Bedrock's runtime.
func invokes(f *provider.Facts) {
	known, _ := provider.Known().Facts("bedrock")
	f.BaseURL = strings.TrimSuffix(f.BaseURL, "/v1")
	f.Dialects, f.Relays = known.Dialects, known.Relays
}

// TestInvokeIsRelayed: a body that only its own model knows goes to that model as it is, and to no other.
func TestInvokeIsRelayed(t *testing.T) {
	t.Parallel()
	const body, answer = `{ "inputText":"the  sea", "model":"mine"}`, `{"results":[{"outputText":"gulls"}]}`
	counted := func(media, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amzn-Bedrock-Input-Token-Count", "7")
			w.Header().Set("X-Amzn-Bedrock-Output-Token-Count", "9")
			tells(media, text)(w, r)
		}
	}
	for _, tc := range []struct{ path, media, asked string }{
		{"/model/both/invoke", "application/json", "/model/model-a/invoke"},
		{"/model/a%2Famazon.nova-lite-v1%3A0/invoke", "application/json", "/model/amazon.nova-lite-v1%3A0/invoke"},
		{"/model/both/invoke-with-response-stream", "application/vnd.amazon.eventstream", "/model/model-a/invoke-with-response-stream"},
	} {
		w := newRelayWorld(t, counted(tc.media, answer), fails(500), invokes)
		resp, got := w.do(t, "POST", tc.path, "application/json", body)
		if resp.StatusCode != 200 || got != answer || resp.Header.Get("Content-Type") != tc.media {
			t.Errorf("%s: got %d %s %q want the answer as it was", tc.path, resp.StatusCode, resp.Header.Get("Content-Type"), got)
		}
		w.mu.Lock()
		if w.bodies[0] != body {
			t.Errorf("%s: got body %s want the client's", tc.path, w.bodies[0])
		}
		w.mu.Unlock()
		w.saw(t, "a POST "+tc.asked)
		if rec := <-w.settle; rec.Operation != dialect.Invoke || rec.Attempts[0].Usage != (llm.Usage{Known: true, InFresh: 7, OutVisible: 9}) {
			t.Errorf("%s: got %+v want the tokens that the headers say", tc.path, rec)
		}
	}
	w := newRelayWorld(t, fails(503), counted("application/json", answer), invokes)
	resp, got := w.do(t, "POST", "/model/both/invoke", "application/json", body)
	if resp.StatusCode < 500 || !strings.Contains(resp.Header.Get("X-Understudy-Attempts-Detail"), "b/model-b=other_model") {
		t.Errorf("got %d %s (%s) want another model not asked", resp.StatusCode, got, resp.Header.Get("X-Understudy-Attempts-Detail"))
	}
	if resp.Header.Get("X-Amzn-Errortype") == "" {
		t.Errorf("got headers %v want the error in AWS's words", resp.Header)
	}
}

// TestInvokeIsRefused: where nobody knows the body, the client is told which are understood; what is no JSON is wrong anywhere.
func TestInvokeIsRefused(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, tells("application/json", "{}"), tells("application/json", "{}"))
	if resp, got := w.do(t, "POST", "/model/both/invoke", "application/json", `{"inputText":"x"}`); resp.StatusCode != 400 || !strings.Contains(got, "Claude") {
		t.Errorf("got %d %s want what is understood", resp.StatusCode, got)
	}
	w.saw(t)
	w = newRelayWorld(t, tells("application/json", "{}"), tells("application/json", "{}"), invokes)
	for path, body := range map[string]string{
		"/model/both/invoke": `{"a"`, "/model/nobody/invoke": `{"a":1}`, "/model/a%2F..%2F../invoke": `{"a":1}`,
	} {
		if resp, got := w.do(t, "POST", path, "application/json", body); resp.StatusCode < 400 || !strings.Contains(got, `"message"`) {
			t.Errorf("%s %s: got %d %s want it refused", path, body, resp.StatusCode, got)
		}
	}
	w.saw(t)
}

// TestInvokeGuardrail: the headers of InvokeModel go with a body that is relayed.
func TestInvokeGuardrail(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	w := newRelayWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("X-Amzn-Bedrock-Guardrailidentifier")
		tells("application/json", "{}")(rw, r)
	}, fails(500), invokes)
	req := httptest.NewRequest(http.MethodPost, w.url+"/model/both/invoke", strings.NewReader(`{"inputText":"x"}`))
	req.RequestURI = ""
	req.Header.Set("X-Amzn-Bedrock-GuardrailIdentifier", "gr-1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := <-seen; got != "gr-1" {
		t.Errorf("got guardrail %q want the client's", got)
	}
}
