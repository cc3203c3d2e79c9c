package gateway_test

import (
	"bytes"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/route"
)

func thread(member string) map[string]any {
	if member == "" {
		return map[string]any{"thread": map[string]any{"type": "create"}}
	}
	return map[string]any{"thread": map[string]any{"type": "continue", "previous_message_id": member}}
}

// holdLost holds that a client learns, by the code that its SDK looks for, to send the conversation whole again.
func holdLost(t *testing.T, what string, got *answer) {
	t.Helper()
	if got.status != 404 || at(got.body, "error", "details", "error_code") != `"thread_not_found"` {
		t.Errorf("%s: got %v %s, want 404 thread_not_found", what, got, got.body)
	}
}

// TestThreadsAreNotForgotten: a conversation that the vendor keeps cannot be gone on with anywhere else, under no policy;
// one that is sent whole can.
func TestThreadsAreNotForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withTimeouts(patient()))
	for _, stream := range []bool{false, true} {
		got := w.post(messagesAPI, body("chat1", "one", stream, thread("")), map[string]string{"X-Understudy-Loss": "strict"})
		if !got.whole() || got.header.Get("X-Understudy-Loss") != "thread.type=dropped(harmless)" {
			t.Errorf("got %v and loss %q, want an answer, and that the thread is not kept", got, got.header.Get("X-Understudy-Loss"))
		}
		got = w.post(messagesAPI, body("chat1", "two", stream, thread("msg_1")), map[string]string{"X-Understudy-Loss": "lenient"})
		holdLost(t, "elsewhere", got)
		if w.count("chat1") != 1 {
			t.Errorf("got %d requests, want the part of a conversation not sent", w.count("chat1"))
		}
		w.vendors["chat1"].Forget()
	}

	w.fail("claude1", "overloaded-529")
	holdLost(t, "the lead is down", w.post(messagesAPI, body("claude1>chat1", "two", false, thread("msg_1")), nil))
	if got := w.post(messagesAPI, body("claude1>chat1", "two", false, thread("")), nil); !got.whole() || w.count("chat1") != 1 {
		t.Errorf("got %v, want the understudy's answer", got)
	}
}

// TestThreadsAreAnthropicsOwn: who speaks the dialect and keeps no conversations is not sent part of one, nor what it refuses.
func TestThreadsAreAnthropicsOwn(t *testing.T) {
	t.Parallel()
	w := invokeWorld(t)
	for _, stream := range []bool{false, true} {
		holdLost(t, "at Bedrock", w.post(messagesAPI, body("aws1", "two", stream, thread("msg_1")), nil))
		if w.count("aws1") != 0 {
			t.Errorf("got %d requests, want the part of a conversation not sent", w.count("aws1"))
		}
		got := w.post(messagesAPI, body("aws1", "one", stream, thread("")), nil)
		if !got.whole() || got.header.Get("X-Understudy-Loss") != "thread.type=dropped(harmless)" {
			t.Errorf("got %v and loss %q, want an answer, and that the thread is not kept", got, got.header.Get("X-Understudy-Loss"))
		}
		w.vendors["aws1"].Forget()
	}
}

// TestLostThreadsAreNobodysFault: that a thread is lost says nothing about the model, and no understudy has it.
func TestLostThreadsAreNobodysFault(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for range 3 {
		got := w.post(messagesAPI, body("claude1>chat1", "two", false, thread("msg_1")), nil)
		holdLost(t, "at its vendor", got)
		if !bytes.Contains(got.body, []byte("No usable thread")) {
			t.Errorf("got %s, want the vendor's own words", got.body)
		}
	}
	if s := w.state("claude1"); s.State != route.StateUp || w.count("claude1") != 3 || w.count("chat1") != 0 {
		t.Errorf("got %+v, %d and %d requests, want the model up, 3 and 0", s, w.count("claude1"), w.count("chat1"))
	}
}

// TestCompactionIsNoAnswer: a request for a summary is not answered by a vendor that would go on with the conversation.
func TestCompactionIsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, member := range []map[string]any{{"compaction": map[string]any{"type": "summarize"}}, {"billing_policy": map[string]any{"type": "billing_policy"}}} {
		if got := w.post(messagesAPI, body("chat1", "two", false, member), nil); got.status != 400 || w.count("chat1") != 0 {
			t.Errorf("%v: got %v, want it refused unsent", member, got)
		}
	}
}

// TestLostContainersAreNotTheModels: nor does a container that has expired.
func TestLostContainersAreNotTheModels(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.fail("claude1", "model-404")
	for _, container := range []any{"container_gone", map[string]any{"id": "container_gone"}, map[string]any{"expires": 1, "id": "container_gone"}} {
		got := w.post(messagesAPI, body("claude1>chat1", "Hello", false, map[string]any{"container": container}), nil)
		if got.status != 404 || w.state("claude1").State != route.StateUp {
			t.Errorf("%v: got %v and %+v, want 404 and the model up", container, got, w.state("claude1"))
		}
	}
	schema := map[string]any{"type": "object", "properties": map[string]any{"container": map[string]any{"type": "string"}}}
	tool := map[string]any{"tools": []any{map[string]any{"name": "ship", "description": "Ships.", "input_schema": schema}}}
	if got := w.post(messagesAPI, body("claude1>chat1", "Hello", false, tool), nil); !got.whole() || w.state("claude1").State != route.StateOut {
		t.Errorf("got %v and %+v, want the understudy's answer and the model out", got, w.state("claude1"))
	}
}

// TestLostFilesAreNotTheModels: a file that the vendor does not have, or not any more, does not take the model from
// everybody else.
func TestLostFilesAreNotTheModels(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.fail("claude1", "model-404")
	file := map[string]any{"messages": []any{map[string]any{"role": "user", "content": []any{
		map[string]any{"type": "document", "source": map[string]any{"type": "file", "file_id": "file_gone"}},
	}}}}
	if got := w.post(messagesAPI, body("claude1>chat1", "", false, file), nil); got.status != 404 || w.state("claude1").State != route.StateUp {
		t.Errorf("got %v and %+v, want 404 and the model up", got, w.state("claude1"))
	}
	if got := w.post(messagesAPI, body("claude1>chat1", "Hello", false), nil); !got.whole() || w.state("claude1").State != route.StateOut {
		t.Errorf("got %v and %+v, want the understudy's answer and the model out", got, w.state("claude1"))
	}
}

// TestWhatOneAsksForKeepsNobodyFromTheModel: a vendor that does not have what a request names, or whose model does not do what
// is asked of it, says nothing about the model. The refusals are the vendor's own.
func TestWhatOneAsksForKeepsNobodyFromTheModel(t *testing.T) {
	t.Parallel()
	refusal := func(message, param, code string) string {
		return `{"error":{"message":"` + message + `","type":"invalid_request_error","param":` + param + `,"code":` + code + `}}`
	}
	const chatPath = "/v1/chat/completions"
	for _, test := range []struct {
		path, body string
		status     int
		refusal    string
		isModels   bool // it is the model that is not there
	}{
		{"/v1/responses", `"input":[{"type":"item_reference","id":"rs_1"}]`, 404, refusal("Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.", `"input"`, `null`), false},
		{"/v1/responses", `"input":"Hello","conversation":"conv_1"`, 404, refusal("Conversation with id 'conv_1' not found.", `null`, `null`), false},
		{"/v1/completions", `"prompt":"Hello"`, 404, refusal("This is a chat model and not supported in the v1/completions endpoint.", `"model"`, `null`), false},
		{"/v1/audio/speech", `"input":"Hello","voice":"alloy"`, 404, refusal("The model `model-a` does not exist or you do not have access to it.", `null`, `"model_not_found"`), false},
		{"/v1/completions", `"prompt":"Hello"`, 403, refusal("You are not allowed to sample from this model", `null`, `null`), false},
		{chatPath, `"messages":[{"role":"user","content":"Hello"}]`, 404, refusal("The model `model-a` does not exist or you do not have access to it.", `null`, `"model_not_found"`), true},
		{chatPath, `"messages":[{"role":"user","content":"Hello"}]`, 404, refusal("This is not a chat model and thus not supported.", `"model"`, `null`), true},
	} {
		var isRefused atomic.Bool
		isRefused.Store(true)
		answer := tells("application/json", `{"id":"c","object":"chat.completion","created":1,"model":"model-a","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]}`)
		w := newRelayWorldOf(t, func(o *gateway.Options) { o.Health = route.NewHealth(route.HealthOptions{}) }, func(rw http.ResponseWriter, r *http.Request) {
			if isRefused.Load() {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(test.status)
				_, _ = rw.Write([]byte(test.refusal))
				return
			}
			answer(rw, r)
		}, answer)
		w.do(t, "POST", test.path, "application/json", `{"model":"both",`+test.body+`}`)
		isRefused.Store(false)
		resp, got := w.do(t, "POST", chatPath, "application/json", `{"model":"both","messages":[{"role":"user","content":"Hello"}]}`)
		want := "a/model-a"
		if test.isModels {
			want = "b/model-b"
		}
		if from := resp.Header.Get("X-Understudy-Target"); resp.StatusCode != 200 || from != want {
			t.Errorf("after %s was refused %d %s: got %d %s from %s, want the answer of %s", test.path, test.status, test.refusal, resp.StatusCode, got, from, want)
		}
	}
}
