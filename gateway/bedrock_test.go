package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/provider"
)

var converseAPI = api{name: "converse", own: []string{"aws1", "aws2"}, other: []string{"chat1", "chat2"}, read: readConverse}

// bedrockWorld has two providers that speak Converse, with the facts of Bedrock's own.
func bedrockWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	known, _ := services.Facts("bedrock")
	return newWorld(t, append(opts, withDialect(bedrock.New(), known.Dialects[dialect.BedrockConverse], converseAPI.own...), withFacts(func(f *provider.Facts) {
		f.Streams, f.Errors = known.Streams, known.Errors
	}, converseAPI.own...))...)
}

// readConverse finds the text of an answer, and how a stream ended. Events are listed by their names.
func readConverse(o *answer) {
	if o.header.Get("Content-Type") != "application/vnd.amazon.eventstream" {
		var whole struct {
			Output struct {
				Message struct{ Content []struct{ Text string } }
			}
		}
		_ = json.Unmarshal(o.body, &whole) // an error has no output
		for _, b := range whole.Output.Message.Content {
			o.text += b.Text
		}
		return
	}
	o.ended = "cut"
	rd := frames.NewReader(frames.EventStream, bytes.NewReader(o.body))
	for {
		f, err := rd.Next()
		if err != nil {
			return
		}
		o.events = append(o.events, sseEvent{f.Name, string(f.Data)})
		var e struct{ Delta struct{ Text string } }
		_ = json.Unmarshal(f.Data, &e) // what is no delta has no text
		o.text += e.Delta.Text
		switch {
		case f.Exception:
			o.ended, o.errTyp = "error", f.Name
		case f.Name == "metadata":
			o.ended = "clean"
		}
	}
}

// converse asks in the dialect, whole or streamed.
func (w *world) converse(model string, stream bool, body string) *answer {
	w.t.Helper()
	a := converseAPI
	a.path = "/model/" + url.PathEscape(model) + "/converse"
	if stream {
		a.path += "-stream"
	}
	return w.post(a, []byte(body), nil)
}

const (
	converseSea   = `{"messages":[{"role":"user","content":[{"text":"the sea"}]}],"inferenceConfig":{"maxTokens":512}}`
	converseTools = `{"messages":[{"role":"user","content":[{"text":"Weather?"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather",` +
		`"inputSchema":{"json":{"type":"object","properties":{"city":{"type":"string"}}}}}}]}}`
)

// TestConverseIsRelayed holds that bytes are the client's and the vendor's, and that the path names the model.
func TestConverseIsRelayed(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t, withTimeouts(patient()))
	for _, stream := range []bool{false, true} {
		sent := `{ "messages" : [ {"role":"user","content":[{"text":"sea  "}]} ], "inferenceConfig":{"topP":1.0}, "requestMetadata":{"a":"b"} }`
		got := w.converse("aws1|+think", stream, sent)
		if !got.whole() || got.text != "You said: sea  " || got.header.Get("X-Understudy-Mode") != "relay" || got.header.Get("X-Amzn-Requestid") == "" {
			t.Fatalf("got %v want it relayed", got)
		}
		seen := w.vendors["aws1"].Requests()
		last := seen[len(seen)-1]
		if string(last.Body) != sent || last.Stream != stream || last.Path != "/model/gpt-4o+think/converse"+map[bool]string{true: "-stream"}[stream] {
			t.Errorf("got %s %s sent want the client's bytes", last.Path, last.Body)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.OutVisible == 0 {
			t.Errorf("got usage %+v counted", u)
		}
	}
}

// TestConverseIsTranslated asks each vendor in each client's dialect, whole and streamed, for a text and for calls.
func TestConverseIsTranslated(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t, withTimeouts(patient()))
	check := func(what string, got *answer, text string) {
		t.Helper()
		if !got.whole() || text != "" && got.text != text || text == "" && !bytes.Contains(got.body, []byte("get_weather")) || got.header.Get("X-Understudy-Mode") != "translate" {
			t.Errorf("%s: got %v want %q, or a call", what, got, text)
		}
	}
	for _, stream := range []bool{false, true} {
		for _, a := range []api{chatAPI, messagesAPI} {
			check(a.name, w.post(a, body("aws1", "the sea", stream), nil), "You said: the sea")
			check(a.name, w.post(a, body("aws1", "Weather?", stream, map[string]any{"tools": []any{weatherTool(a)}}), nil), "")
		}
		for _, to := range []string{"chat1", "claude1"} {
			check(to, w.converse(to, stream, converseSea), "You said: the sea")
			check(to, w.converse(to, stream, converseTools), "")
		}
	}
}

// TestA57ConverseErrors is row A57 of the acceptance list: AWS's exceptions, in a header and in a stream.
func TestA57ConverseErrors(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t, withTimeouts(patient()))
	got := w.converse("nobody", true, converseSea)
	if got.status != 404 || got.header.Get("X-Amzn-Errortype") != "ResourceNotFoundException" || !bytes.Contains(got.body, []byte(`"message":`)) {
		t.Errorf("unknown model: got %v, %v want AWS's error", got, got.header)
	}
	w.fail("chat1", "reset-stream")
	if got = w.converse("chat1", true, converseSea); got.ended != "error" || got.errTyp != "modelStreamErrorException" {
		t.Errorf("broken stream: got %v want an exception", got)
	}
	w.mend("chat1")
	w.fail("aws1", "invalid-400")
	if got = w.converse("aws1", false, converseSea); got.status != 400 || got.header.Get("X-Amzn-Errortype") != "ValidationException" {
		t.Errorf("the vendor's error: got %v, %v want it with its type", got, got.header)
	}
}

// TestA21ConverseModelGone is row A21: a model that was retired, in the vendor's two forms, is no fault of the request's.
func TestA21ConverseModelGone(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t, withTimeouts(patient()))
	for _, e := range []fakeprovider.Error{
		{Status: 404, Type: "ResourceNotFoundException", Message: "This model version has reached the end of its life."},
		{Status: 400, Type: "ValidationException", Message: "The provided model identifier is invalid."},
		{Status: 403, Type: "AccessDeniedException", Message: "You don't have access to the model with the specified model ID."},
	} {
		w.vendors["aws1"].Enqueue(fakeprovider.Reply{Error: &e})
		got := w.converse("aws1>chat1", false, converseSea)
		if !got.whole() || got.text != "You said: the sea" {
			t.Errorf("%s: got %v want the understudy's answer", e.Type, got)
		}
		if code := w.record().Attempts[0].Code; code != "model_gone" {
			t.Errorf("%s: got class %s want model_gone", e.Type, code)
		}
	}
}

// TestConverseModels lists what can be asked for, as the control plane does.
func TestConverseModels(t *testing.T) {
	t.Parallel()
	w := bedrockWorld(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/foundation-models", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var list struct {
		ModelSummaries []struct{ ModelID string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.ModelSummaries) != 1 || list.ModelSummaries[0].ModelID != "chat1>claude1" {
		t.Errorf("got %+v, %v want the world's model", list, err)
	}
}

// TestConverseFaults breaks a lead that speaks the dialect by every fault that it has a form for.
func TestConverseFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		if isAlikeInAll(f) || !f.Exists(fakeprovider.Converse) {
			continue
		}
		busy <- struct{}{}
		wg.Go(func() {
			defer func() { <-busy }()
			w := bedrockWorld(t, withTimeouts(patient()))
			defer w.close()
			for _, stream := range []bool{false, true} {
				if stream && f.Stream || !stream && f.Unary {
					w.holdFault(f, chatAPI, "aws1", "chat2", stream)
				}
			}
		})
	}
	wg.Wait()
}
