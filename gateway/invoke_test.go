package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/provider"
)

// invokeWorld has a provider that serves Anthropic's dialect by InvokeModel, with the facts of Bedrock's own, and takes
// clients of InvokeModel.
func invokeWorld(t *testing.T) *world {
	t.Helper()
	known, _ := services.Facts("bedrock")
	const name = dialect.AnthropicMessages
	return newWorld(t, withTimeouts(patient()), withDialect(anthropic.NewInvoke(), known.Dialects[name], "aws1"), withFacts(func(f *provider.Facts) {
		f.Auth, f.Headers, f.Errors = "bearer", nil, known.Errors
		f.Streams, f.Framings, f.Edits = known.Streams, known.Framings, known.Edits
	}, "aws1"))
}

var invokeAPI = api{name: "invoke", read: readInvoked}

// readInvoked finds the text of an answer, and how a stream ended.
func readInvoked(o *answer) {
	if o.header.Get("Content-Type") != "application/vnd.amazon.eventstream" {
		return // which is Anthropic's own, or an error
	}
	o.ended = "cut"
	rd := frames.NewReader(frames.Chunks, bytes.NewReader(o.body))
	for {
		f, err := rd.Next()
		if err != nil {
			return
		}
		o.events = append(o.events, sseEvent{f.Name, string(f.Data)})
		var e struct {
			Type         string
			ContentBlock struct{ Name string } `json:"content_block"`
			Delta        struct{ Text string }
		}
		_ = json.Unmarshal(f.Data, &e) // what is no delta has no text
		o.text += e.Delta.Text
		o.body = append(o.body, e.ContentBlock.Name...)
		switch {
		case f.Exception:
			o.ended, o.errTyp = "error", f.Name
		case e.Type == "message_stop":
			o.ended = "clean"
		}
	}
}

func (w *world) invoke(model string, stream bool, body string, header map[string]string) *answer {
	w.t.Helper()
	a := invokeAPI
	a.path = "/model/" + url.PathEscape(model) + "/invoke"
	if stream {
		a.path += "-with-response-stream"
	}
	return w.post(a, []byte(body), header)
}

const invokeSea = `{"anthropic_version":"bedrock-2023-05-31","max_tokens":512,"messages":[{"role":"user","content":"the sea"}],"anthropic_beta":["beta-1","beta-2"]}`

// TestInvokeClients serves a client of InvokeModel from Bedrock, from Anthropic and from another vendor.
func TestInvokeClients(t *testing.T) {
	t.Parallel()
	w := invokeWorld(t)
	tools := strings.Replace(invokeSea, `"max_tokens"`, `"tools":[{"name":"get_weather","input_schema":{"type":"object"}}],"max_tokens"`, 1)
	for to, mode := range map[string]string{"aws1": "edit", "claude1": "relay", "chat1": "translate"} {
		for _, stream := range []bool{false, true} {
			got := w.invoke(to, stream, invokeSea, nil)
			if !got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Mode") != mode || got.header.Get("X-Amzn-Requestid") == "" {
				t.Errorf("%s, stream %v: got %v want it in mode %s", to, stream, got, mode)
			}
			if got = w.invoke(to, stream, tools, nil); !got.whole() || !bytes.Contains(got.body, []byte("get_weather")) {
				t.Errorf("%s, stream %v: got %v want a call", to, stream, got)
			}
		}
	}
	own, other := w.vendors["claude1"].Requests()[0], w.vendors["aws1"].Requests()[0]
	if own.Header.Get("Anthropic-Beta") != "beta-1,beta-2" || bytes.Contains(own.Body, []byte("anthropic_")) || !bytes.Contains(own.Body, []byte(`"model":"claude-sonnet-4-5"`)) {
		t.Errorf("Anthropic got %s %v want its own form", own.Body, own.Header)
	}
	want := `{"max_tokens":512,"messages":[{"role":"user","content":"the sea"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["beta-1","beta-2"]}`
	if string(other.Body) != want {
		t.Errorf("Bedrock got\n%s\nwant\n%s", other.Body, want)
	}
}

// TestInvokeProviders serves clients of Anthropic and of another vendor from InvokeModel: row T083 of the list of bugs
// seen elsewhere.
func TestInvokeProviders(t *testing.T) {
	t.Parallel()
	w := invokeWorld(t)
	for _, c := range []struct {
		from api
		mode string
	}{{messagesAPI, "edit"}, {chatAPI, "translate"}} {
		for _, stream := range []bool{false, true} {
			got := w.post(c.from, body("aws1", "the sea", stream), map[string]string{"Anthropic-Beta": "beta-1, beta-2"})
			if !got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Mode") != c.mode {
				t.Errorf("%s: got %v want it in mode %s", c.from.name, got, c.mode)
			}
			if c.from.name == messagesAPI.name && stream && got.events[0].name != "message_start" {
				t.Errorf("got first event %+v want its name, which SDKs go by", got.events[0])
			}
		}
	}
	if sent := w.vendors["aws1"].Requests()[0].Body; !bytes.Contains(sent, []byte(`"anthropic_beta":["beta-1","beta-2"]`)) {
		t.Errorf("got %s sent want the header's features in the body", sent)
	}
}

// TestInvokeErrors holds that each client gets errors in its own frame, whatever the provider's is.
func TestInvokeErrors(t *testing.T) {
	t.Parallel()
	w := invokeWorld(t)
	for _, to := range []string{"aws1", "claude1"} {
		w.fail(to, "invalid-400")
		got := w.invoke(to, false, invokeSea, nil)
		if got.status != 400 || got.header.Get("X-Amzn-Errortype") != "ValidationException" || !bytes.Contains(got.body, []byte(`"message":"messages.0.content`)) || bytes.Contains(got.body, []byte(`"error"`)) {
			t.Errorf("%s: got %v, %v want AWS's error", to, got, got.header)
		}
		if got = w.post(messagesAPI, body(to, "x", false), nil); got.status != 400 || got.errTyp != "invalid_request_error" {
			t.Errorf("%s: got %v want Anthropic's error", to, got)
		}
		w.fail(to, "overloaded-stream")
		if got = w.invoke(to, true, invokeSea, nil); got.ended != "error" || got.errTyp != "serviceUnavailableException" {
			t.Errorf("%s: got %v want an exception", to, got)
		}
		if got = w.post(messagesAPI, body(to, "x y z u", true), nil); got.ended != "error" || got.errTyp != "overloaded_error" {
			t.Errorf("%s: got %v want Anthropic's error event", to, got)
		}
		w.mend(to)
	}
	for body, header := range map[string]map[string]string{
		`{"inputText":"a"}`: nil,
		`{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":"x","messages":[]}`: nil,
		invokeSea: {"X-Amzn-Bedrock-GuardrailIdentifier": "g1"},
	} {
		if got := w.invoke("aws1", false, body, header); got.status != 400 || got.header.Get("X-Amzn-Errortype") != "ValidationException" {
			t.Errorf("%s: got %v want AWS's error", body, got)
		}
	}
}

// TestInvokeFailsOver leaves a retired model, and a missing terminator is made good in the client's frame.
func TestInvokeFailsOver(t *testing.T) {
	t.Parallel()
	w := invokeWorld(t)
	w.vendors["aws1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{Status: 400, Type: "ValidationException", Message: "The provided model identifier is invalid."}})
	if got := w.invoke("aws1>claude1", true, invokeSea, nil); !got.whole() || got.text != "You said: the sea" || w.record().Attempts[0].Code != "model_gone" {
		t.Errorf("got %v, %+v want the understudy's answer", got, w.record())
	}
	for _, to := range []string{"aws1", "claude1"} {
		w.fail(to, "no-done")
		if got := w.invoke(to, true, invokeSea, nil); !got.whole() {
			t.Errorf("%s: got %v want it ended", to, got)
		}
		if got := w.post(messagesAPI, body(to, "x", true), nil); !got.whole() {
			t.Errorf("%s: got %v want it ended", to, got)
		}
	}
}
