package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/provider"
)

// withEdits has chat2's facts list edits.
func withEdits(e provider.Edits) worldOption {
	return func(_ *gateway.Options, w *world) { w.edits = e }
}

// TestEditsAreReported holds edits to the promise that nothing is lost in silence:
// what a provider's facts take from a client's request is a loss like any other.
func TestEditsAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEdits(provider.Edits{
		Drop:   []string{"logprobs", "seed", "stop", "metadata", "vendor_knob", "stream_options", "messages[].name"},
		Rename: map[string]string{"max_completion_tokens": "max_tokens"},
		Cap:    map[string]float64{"temperature": 1, "n": 1},
		Set:    map[string]any{"store": false},
		Map:    map[string]map[string]string{"messages[].role": {"developer": "system"}},
	}))
	for _, tc := range []struct {
		name   string
		api    api
		stream bool
		sent   map[string]any
		want   string // in the order of the edits; empty: no loss
	}{
		{"nothing there", chatAPI, false, map[string]any{"temperature": 0.5, "n": 1}, ""},
		{"values that ask for nothing", chatAPI, false, map[string]any{"logprobs": false, "stop": nil, "seed": nil, "store": false}, ""},
		{"dropped", chatAPI, false, map[string]any{"logprobs": true, "seed": 1}, "logprobs=dropped(tuning), seed=dropped(tuning)"},
		{"dropped and harmless", chatAPI, false, map[string]any{"metadata": map[string]any{"a": "b"}}, "metadata=dropped(harmless)"},
		{"dropped and unknown", chatAPI, false, map[string]any{"vendor_knob": 7}, "vendor_knob=dropped(tuning)"},
		{"capped", chatAPI, false, map[string]any{"temperature": 1.5}, "temperature=approximated(tuning)"},
		{"set otherwise", chatAPI, false, map[string]any{"store": true}, "store=approximated(harmless)"},
		{"usage asked for by the client", chatAPI, true, map[string]any{"stream_options": map[string]any{"include_usage": true}}, ""},
		{"usage asked for by the gateway", chatAPI, true, nil, ""},
		{"translated", messagesAPI, true, map[string]any{"temperature": 1}, ""},
	} {
		got := w.post(tc.api, body("chat2", "Hello", tc.stream, tc.sent), nil)
		if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || loss != tc.want {
			t.Errorf("%s: got status %d, loss %q and %s, want %q", tc.name, got.status, loss, got.body, tc.want)
		}
	}
	said := []any{map[string]any{"role": "developer", "content": "Be brief."}, map[string]any{"role": "user", "content": "Hello"}}
	w.post(chatAPI, body("chat2", "", false, map[string]any{"messages": said}), nil)
	if got := string(w.sent("chat2")); strings.Contains(got, "developer") || !strings.Contains(got, `"role":"system"`) {
		t.Errorf("got %s sent, want the provider's own word for the role", got)
	}
	w.post(chatAPI, body("chat2", "Hello", true), nil)
	if got := w.sent("chat2"); got.Get("max_completion_tokens") != nil || got.Get("stream_options") != nil {
		t.Errorf("got %s sent, want it edited", got)
	}
}

// TestEditsMayBeRefused asks for what a provider cannot do: such a target is passed
// over, since code may depend on it.
func TestEditsMayBeRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withEdits(provider.Edits{
		Drop: []string{"stop"}, Rename: map[string]string{"max_completion_tokens": "max_tokens"}, Cap: map[string]float64{"n": 1},
	}))
	for name, sent := range map[string]map[string]any{
		"stop": {"stop": []string{"sea"}},
		"n":    {"n": 2},
	} {
		got := w.post(chatAPI, body("chat2>chat1", "Hello", false, sent), nil)
		if target := got.header.Get("X-Understudy-Target"); got.status != 200 || !strings.HasPrefix(target, "chat1/") {
			t.Errorf("%s: got status %d from %q, want the understudy's answer", name, got.status, target)
		}
	}
	if n := w.count("chat2"); n != 0 {
		t.Errorf("got %d requests at the provider that cannot, want none", n)
	}
	got := w.post(chatAPI, body("chat2", "Hello", false, map[string]any{"max_tokens": 5, "max_completion_tokens": 6}), nil)
	if got.status != 400 {
		t.Errorf("both names of one thing: got status %d, want 400", got.status)
	}
	if param := at(got.body, "error", "param"); jsontext.Value(param).IsNull() {
		t.Errorf("got %s, want the field named", got.body)
	}
}
