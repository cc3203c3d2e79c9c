package gateway_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// A24, A25: thinking signed by one vendor never goes to another, and comes back to
// its own as it was.
func TestA24SignedThinkingStaysWithItsIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const signature = "c2lnbmVkLWJ5LWNsYXVkZQ"
	w.vendors["claude1"].Enqueue(fakeprovider.Reply{Thinking: "Hm.", Signature: signature, Text: "Five."})
	thinking := map[string]any{"thinking": map[string]any{"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096}
	first := w.post(messagesAPI, body("claude1", "2+3?", false, thinking), nil)
	var reply struct{ Content []any }
	if err := json.Unmarshal(first.body, &reply); err != nil || !bytes.Contains(first.body, []byte(signature)) {
		t.Fatalf("got %v (%v), want the signed block", first, err)
	}
	history := map[string]any{"messages": []any{
		map[string]any{"role": "user", "content": "2+3?"},
		map[string]any{"role": "assistant", "content": reply.Content},
		map[string]any{"role": "user", "content": "And 4?"},
	}}
	moved := w.post(messagesAPI, body("chat1", "", false, thinking, history), nil)
	if seen := w.vendors["chat1"].Last().Body; !moved.whole() || bytes.Contains(seen, []byte(signature)) || bytes.Contains(seen, []byte("Hm.")) {
		t.Errorf("got %v with body %s, want the thinking stripped", moved, seen)
	}
	if loss := moved.header.Get("X-Understudy-Loss"); !strings.Contains(loss, "thinking") {
		t.Errorf("got loss %q, want the thinking in it", loss)
	}
	back := w.post(messagesAPI, body("claude1", "", false, thinking, history), nil)
	if seen := w.vendors["claude1"].Last().Body; !back.whole() || !bytes.Contains(seen, []byte(signature)) {
		t.Errorf("A25: got %v with body %s, want the signature back", back, seen)
	}
}

// A26: thinking of an Anthropic model reaches a Chat client as text.
func TestA26ThinkingReachesChatClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["claude1"].Enqueue(fakeprovider.Reply{Thinking: "Let me count the waves.", Text: "Seven."})
	got := w.post(chatAPI, body("claude1", "Hello", true, map[string]any{"reasoning_effort": "low", "max_tokens": 4096}), nil)
	var reasoning string
	for _, e := range got.events {
		var chunk struct {
			Choices []struct {
				Delta struct {
					Reasoning string `json:"reasoning_content"`
				}
			}
		}
		_ = json.Unmarshal([]byte(e.data), &chunk)
		for _, c := range chunk.Choices {
			reasoning += c.Delta.Reasoning
		}
	}
	if !got.whole() || reasoning != "Let me count the waves." {
		t.Errorf("got reasoning %q, %v; want the thinking", reasoning, got)
	}
}

// A52: unknown fields of the same dialect reach the vendor untouched.
func TestA52UnknownFieldsAreRelayed(t *testing.T) {
	t.Parallel()
	for _, a := range apis {
		w := newWorld(t)
		raw := []byte("{ \"model\" : \"" + a.own[0] + "\",\n\t\"future_field\": {\"b\":1.50, \"a\":[ ]}, \"max_tokens\":64," +
			" \"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo\",\"x\":null}] }")
		w.post(a, raw, nil)
		want := bytes.Replace(raw, []byte("\""+a.own[0]+"\""), []byte(`"`+upstreamModel(a)+`"`), 1)
		if got := w.vendors[a.own[0]].Last().Body; !bytes.Equal(got, want) {
			t.Errorf("%s: got upstream body\n%s\nwant\n%s", a.name, got, want)
		}
	}
}

func upstreamModel(a api) string {
	if a.name == messagesAPI.name {
		return "claude-sonnet-4-5"
	}
	return "gpt-4o"
}

// A53: unknown fields that another dialect cannot have are reported, and refused
// when the client is strict.
func TestA53UnknownFieldsAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, a := range apis {
		extra := map[string]any{"future_field": true}
		got := w.post(a, body(a.other[0], "Hello", false, extra), nil)
		if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "future_field=dropped(tuning)") {
			t.Errorf("%s: got loss %q, %v; want future_field=dropped(tuning)", a.name, loss, got)
		}
		before := w.count(a.other[0])
		strict := w.post(a, body(a.other[0], "Hello", false, extra), map[string]string{"X-Understudy-Loss": "strict"})
		if strict.status != 400 || !bytes.Contains(strict.body, []byte("future_field")) || w.count(a.other[0]) != before {
			t.Errorf("%s: got %v, want a 400 that names the field, and nothing sent", a.name, strict)
		}
	}
}

// A54: log probabilities are reported lost, and refused when the client is strict.
func TestA54LogprobsAreReportedLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	extra := map[string]any{"logprobs": true}
	got := w.post(chatAPI, body("claude1", "Hello", false, extra), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "logprobs=dropped(tuning)") {
		t.Errorf("got loss %q, want logprobs=dropped(tuning)", loss)
	}
	if got := w.post(chatAPI, body("claude1", "Hello", false, extra), map[string]string{"X-Understudy-Loss": "strict"}); got.status != 400 {
		t.Errorf("strict: got %v, want 400", got)
	}
}

// A55: several choices, which one target lacks, go to a target that has them.
func TestA55ChoicesGoWhereTheyAreCarried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	extra := map[string]any{"n": 2}
	if got := w.post(chatAPI, body("claude1", "Hello", false, extra), nil); got.status != 400 || w.count("claude1") != 0 {
		t.Errorf("got %v, want a refusal and nothing sent", got)
	}
	if got := w.post(chatAPI, body("claude1>chat1", "Hello", false, extra), nil); !got.whole() || got.header.Get("X-Understudy-Attempts-Detail") != "" && got.header.Get("X-Understudy-Target") == "" {
		t.Errorf("got %v, want the target that has choices", got)
	}
}
