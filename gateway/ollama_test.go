package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

var ollamaAPI = api{
	name: "ollama", path: "/api/chat", own: []string{"ollama1", "ollama2"}, other: []string{"chat1", "chat2"},
	read: readOllama,
	shape: func(b map[string]any) {
		b["options"] = map[string]any{"num_predict": b["max_tokens"]}
		delete(b, "max_tokens")
	},
}

// readOllama finds the text of an answer, and how a stream ended.
func readOllama(o *answer) {
	if o.status != http.StatusOK {
		return
	}
	isStream := strings.HasPrefix(o.header.Get("Content-Type"), "application/x-ndjson")
	if isStream {
		o.ended = "cut"
	}
	for _, line := range bytes.Split(bytes.TrimSuffix(o.body, []byte("\n")), []byte("\n")) {
		var v struct {
			Message struct{ Content string }
			Done    bool
			Error   string
		}
		if err := json.Unmarshal(line, &v); err != nil {
			o.err = err // clients read every line
		}
		o.text += v.Message.Content
		switch {
		case v.Error != "":
			o.ended = "error"
		case v.Done && isStream:
			o.ended = "clean"
		}
	}
}

func ollamaWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	return newWorld(t, append(opts, withDialect(ollama.New(), ollamaAPI.path, ollamaAPI.own...))...)
}

// TestOllamaIsRelayed holds that bytes are the client's and the vendor's, and that a request gets a stream unless it
// says otherwise.
func TestOllamaIsRelayed(t *testing.T) {
	t.Parallel()
	w := ollamaWorld(t, withTimeouts(patient()))
	for stream, kind := range map[string]string{"": "application/x-ndjson", `,"stream":false`: "application/json"} {
		sent := `{ "model" : "ollama1", "messages":[ {"role":"user","content":"sea  "} ]` + stream + `, "keep_alive": "5m" }`
		got := w.post(ollamaAPI, []byte(sent), nil)
		if !got.whole() || got.text != "You said: sea  " || got.header.Get("X-Understudy-Mode") != "relay" || got.header.Get("Content-Type") != kind {
			t.Fatalf("got %v, %s want it relayed as %s", got, got.header.Get("Content-Type"), kind)
		}
		seen := w.vendors["ollama1"].Requests()
		if last, want := seen[len(seen)-1].Body, strings.Replace(sent, `"ollama1"`, `"gpt-4o"`, 1); string(last) != want {
			t.Errorf("got %s sent want %s", last, want)
		}
		if u := w.record().Attempts[0].Usage; !u.Known || u.OutVisible == 0 {
			t.Errorf("got usage %+v counted", u)
		}
	}
}

// TestOllamaIsTranslated asks each vendor in each client's dialect, whole and streamed, for a text and for calls.
func TestOllamaIsTranslated(t *testing.T) {
	t.Parallel()
	w := ollamaWorld(t, withTimeouts(patient()))
	for _, c := range []struct {
		from api
		to   string
	}{{chatAPI, "ollama1"}, {messagesAPI, "ollama1"}, {ollamaAPI, "chat1"}, {ollamaAPI, "claude1"}} {
		for _, stream := range []bool{false, true} {
			got := w.post(c.from, body(c.to, "the sea", stream), nil)
			if !got.whole() || got.text != "You said: the sea" || got.header.Get("X-Understudy-Mode") != "translate" {
				t.Errorf("%s to %s: got %v want a translated echo", c.from.name, c.to, got)
			}
			got = w.post(c.from, body(c.to, "Weather?", stream, map[string]any{"tools": []any{weatherTool(c.from)}}), nil)
			if !got.whole() || !bytes.Contains(got.body, []byte("get_weather")) {
				t.Errorf("%s to %s: got %v want a call", c.from.name, c.to, got)
			}
		}
	}
	got := w.post(ollamaAPI, body("nobody", "x", false), nil)
	if got.status != 404 || !bytes.HasPrefix(got.body, []byte(`{"error":`)) {
		t.Errorf("got %v want the dialect's own 404", got)
	}
	forced := w.post(chatAPI, body("ollama1", "Weather?", false, map[string]any{"tools": []any{weatherTool(chatAPI)}, "tool_choice": "required"}), nil)
	if forced.status != 400 {
		t.Errorf("got %v want a forced call refused", forced)
	}
}

// TestOllamaModels lists the models, and looks one up by the body.
func TestOllamaModels(t *testing.T) {
	t.Parallel()
	w := ollamaWorld(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/api/tags", "", 200, `{"models":[{"name":"chat1>claude1","model":"chat1>claude1"`},
		{"POST", "/api/show", `{"model":"chat1>claude1"}`, 200, `"general.basename":"chat1>claude1"`},
		{"POST", "/api/show", `{"model":"x"}`, 404, `{"error":`},
		{"POST", "/api/show", `{}`, 400, `{"error":"model is required"}`},
		{"GET", "/api/show", ``, 405, `{"error":`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(got), c.want) {
			t.Errorf("%s %s %s: got %d %s want %d with %s", c.method, c.path, c.body, resp.StatusCode, got, c.status, c.want)
		}
	}
}

// TestOllamaFaults breaks a lead that speaks the dialect by every fault that it has a form for.
func TestOllamaFaults(t *testing.T) {
	t.Parallel()
	busy := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for _, f := range fakeprovider.Faults() {
		if isAlikeInAll(f) {
			continue
		}
		for _, a := range []api{ollamaAPI, chatAPI} {
			busy <- struct{}{}
			wg.Go(func() {
				defer func() { <-busy }()
				w := ollamaWorld(t, withTimeouts(patient()))
				defer w.close()
				for _, stream := range []bool{false, true} {
					if stream && f.Stream || !stream && f.Unary {
						w.holdFault(f, a, "ollama1", "chat2", stream)
					}
				}
			})
		}
	}
	wg.Wait()
}
