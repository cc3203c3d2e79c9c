package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/provider"
)

// TestVertexClients: an SDK that takes the gateway for Claude at Vertex AI is served by Claude there, at Anthropic, and by
// others, in Anthropic's answers and errors.
func TestVertexClients(t *testing.T) {
	t.Parallel()
	known, _ := services.Facts("vertex")
	const name, place = dialect.AnthropicMessages, "/v1/projects/p/locations/l"
	w := newWorld(t, withTimeouts(patient()), withDialect(anthropic.NewVertex(), place+known.Dialects[name], "vertex1"), withFacts(func(f *provider.Facts) {
		f.Auth, f.Headers, f.Edits = "bearer", nil, map[dialect.Name]provider.Edits{name: known.Edits[name]}
		f.Streams = map[dialect.Name]string{name: place + known.Streams[name]}
	}, "vertex1"))
	const body = `{"anthropic_version":"vertex-2023-10-16","max_tokens":64,"messages":[{"role":"user","content":"Guten Tag"}]`
	for _, tc := range []struct{ model, mode string }{
		{"vertex1", string(gateway.ModeEdit)}, {"claude1", string(gateway.ModeRelay)}, {"chat1", string(gateway.ModeTranslate)}, {"chat1>vertex1", string(gateway.ModeTranslate)},
	} {
		at := api{name: "messages", path: place + "/publishers/anthropic/models/" + tc.model}
		whole, streamed := at, at
		whole.path += ":rawPredict"
		streamed.path += ":streamRawPredict"
		got := w.post(whole, []byte(body+"}"), nil)
		if got.status != 200 || !strings.Contains(got.text, "Guten Tag") || got.header.Get(gateway.HeaderMode) != tc.mode {
			t.Errorf("%s: got %v in mode %s want an answer in %s", tc.model, got, got.header.Get(gateway.HeaderMode), tc.mode)
		}
		got = w.post(streamed, []byte(body+`,"stream":true}`), nil)
		if got.status != 200 || !strings.Contains(string(got.body), "event: message_stop") {
			t.Errorf("%s, streamed: got %v want a whole stream of Anthropic's", tc.model, got)
		}
	}
	at := api{name: "messages", path: place + "/publishers/anthropic/models/vertex1:rawPredict"}
	if got := w.post(at, []byte(body+`,"anthropic_beta":["context-1m-2025-08-07"]}`), nil); got.status != 200 {
		t.Errorf("got %v want the beta feature passed on", got)
	}
	seen := w.vendors["vertex1"].Requests()
	if got := seen[len(seen)-1].Header.Get("Anthropic-Beta"); got != "context-1m-2025-08-07" {
		t.Errorf("got beta header %q want the client's", got)
	}
	w.fail("vertex1", "overloaded-529")
	if got := w.post(at, []byte(body+"}"), nil); got.status < 500 || got.errTyp != "overloaded_error" {
		t.Errorf("got %v want the error in Anthropic's words", got)
	}
}
