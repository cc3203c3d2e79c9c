package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/understudy-ai/understudy/internal/frames/sse"
)

// api is a client dialect as an application uses it.
type api struct {
	name   string
	path   string
	header map[string]string
	own    []string // providers that speak it
	other  []string
	shape  func(map[string]any) // makes a minimal request one of the dialect, where it is not already
	read   func(*answer)        // finds the text and the end, where they are not where chat and messages have them
}

var chatAPI = api{name: "chat", path: "/v1/chat/completions", own: []string{"chat1", "chat2"}, other: []string{"claude1", "claude2"}}

var messagesAPI = api{
	name: "messages", path: "/v1/messages", header: map[string]string{"Anthropic-Version": "2023-06-01"},
	own: []string{"claude1", "claude2"}, other: []string{"chat1", "chat2"},
}

var apis = []api{chatAPI, messagesAPI}

// body is a minimal legal request in either dialect.
func body(model, text string, stream bool, extra ...map[string]any) map[string]any {
	b := map[string]any{
		"model": model, "max_tokens": 512, "stream": stream,
		"messages": []any{map[string]any{"role": "user", "content": text}},
	}
	for _, more := range extra {
		for k, v := range more {
			b[k] = v
		}
	}
	return b
}

// answer is what a client saw.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	events  []sseEvent
	text    string
	trailer http.Header
	ended   string // how a stream ended: "clean", "error" or "cut"
	errTyp  string
	err     error
}

type sseEvent struct {
	name string
	data string
}

func (w *world) post(a api, b any, header map[string]string) *answer {
	w.t.Helper()
	raw, ok := b.([]byte)
	if !ok {
		if m, isMap := b.(map[string]any); isMap && a.shape != nil {
			a.shape(m)
		}
		var err error
		if raw, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+a.path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range a.header {
		req.Header.Set(k, v)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := w.do(req)
	if err != nil {
		return &answer{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	out := &answer{status: resp.StatusCode, header: resp.Header}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		out.readStream(a, resp.Body)
		out.trailer = resp.Trailer
	} else {
		out.body, out.err = io.ReadAll(resp.Body)
		out.readWhole(a)
	}
	if a.read != nil {
		a.read(out)
	}
	return out
}

func (w *world) do(req *http.Request) (*http.Response, error) {
	if !w.direct {
		return http.DefaultClient.Do(req)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec.Result(), nil
}

func (o *answer) readWhole(a api) {
	var v struct {
		Choices []struct {
			Message struct{ Content string }
		}
		Content []struct{ Type, Text string }
		Error   struct{ Type, Message string }
	}
	_ = json.Unmarshal(o.body, &v)
	if a.name == "chat" && len(v.Choices) > 0 {
		o.text = v.Choices[0].Message.Content
	}
	for _, block := range v.Content {
		o.text += block.Text
	}
	o.errTyp = v.Error.Type
}

func (o *answer) readStream(a api, r io.Reader) {
	o.ended = "cut"
	reader := sse.NewReader(r, 0)
	var raw bytes.Buffer
	var text strings.Builder
	defer func() { o.body, o.text = raw.Bytes(), text.String() }()
	for {
		e, err := reader.Next()
		raw.Write(e.Raw)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				o.err = err
			}
			return
		}
		if !e.HasData {
			continue
		}
		o.events = append(o.events, sseEvent{e.Name, string(e.Data)})
		if a.name == "chat" && string(e.Data) == "[DONE]" {
			o.ended = "clean"
			continue
		}
		var v struct {
			Type    string
			Choices []struct{ Delta struct{ Content string } }
			Delta   struct{ Text string }
			Error   *struct{ Type, Message string }
		}
		_ = json.Unmarshal(e.Data, &v)
		for _, c := range v.Choices {
			text.WriteString(c.Delta.Content)
		}
		text.WriteString(v.Delta.Text)
		if v.Error != nil {
			o.ended, o.errTyp = "error", v.Error.Type
		}
		if v.Type == "message_stop" {
			o.ended = "clean"
		}
	}
}

// whole reports whether the answer came as a success, to its end.
func (o *answer) whole() bool {
	return o.err == nil && o.status == http.StatusOK && (o.ended == "" || o.ended == "clean")
}

func (o *answer) String() string {
	return fmt.Sprintf("status %d, ended %q, error type %q, target %q, attempts %q (%s), err %v, body %.600s",
		o.status, o.ended, o.errTyp, o.header.Get("X-Understudy-Target"), o.header.Get("X-Understudy-Attempts"),
		o.header.Get("X-Understudy-Attempts-Detail"), o.err, o.body)
}
