package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// relayWorld is a gateway before two vendors, a and b, that a test writes itself.
type relayWorld struct {
	url    string
	mu     sync.Mutex
	asked  []string // "a GET /v1/files": what the vendors saw
	bodies []string
	settle chan gateway.Record
}

// newRelayWorld serves the handlers as vendors that serve all of OpenAI's and Anthropic's APIs; change adjusts their facts.
func newRelayWorld(t *testing.T, a, b http.HandlerFunc, change ...func(*provider.Facts)) *relayWorld {
	t.Helper()
	return newRelayWorldOf(t, func(*gateway.Options) {}, a, b, change...)
}

// newPaidRelayWorld is newRelayWorld with a ledger.
func newPaidRelayWorld(t *testing.T, ledger gateway.Ledger, a, b http.HandlerFunc, change ...func(*provider.Facts)) *relayWorld {
	t.Helper()
	return newRelayWorldOf(t, func(o *gateway.Options) { o.Ledger = ledger }, a, b, change...)
}

// newRelayWorldOf is newRelayWorld with options of the test's own.
func newRelayWorldOf(t *testing.T, adjust func(*gateway.Options), a, b http.HandlerFunc, change ...func(*provider.Facts)) *relayWorld {
	t.Helper()
	w := &relayWorld{settle: make(chan gateway.Record, 100)}
	var providers []*provider.Provider
	for name, h := range map[string]http.HandlerFunc{"a": a, "b": b} {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.mu.Lock()
			w.asked = append(w.asked, name+" "+r.Method+" "+r.URL.RequestURI())
			w.bodies = append(w.bodies, string(body))
			w.mu.Unlock()
			if got := r.Header.Get("Authorization"); got != "Bearer key-of-"+name {
				t.Errorf("%s: got authorization %q, want its own key", name, got)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			h(rw, r)
		}))
		t.Cleanup(server.Close)
		providers = append(providers, &provider.Provider{ID: name, Private: true, Key: provider.NewSecret("key-of-" + name), Facts: provider.Facts{
			BaseURL: server.URL + "/v1", Auth: "bearer",
			Dialects: map[dialect.Name]string{dialect.OpenAIChat: "/chat/completions", dialect.OpenAIResponses: "/responses"},
			Relays: map[dialect.Name][]dialect.Operation{
				dialect.OpenAIChat: dialect.RelayedOperations(), dialect.AnthropicMessages: {dialect.Batches, dialect.Files},
				dialect.OpenAIResponses: {dialect.Stored},
			},
		}})
		for _, f := range change {
			f(&providers[len(providers)-1].Facts)
		}
	}
	if providers[0].ID == "b" {
		providers[0], providers[1] = providers[1], providers[0]
	}
	times := patient()
	table := route.NewTable([]route.Route{{
		Model: "both", Loss: llm.LossReport, Timeouts: times,
		Targets: []route.Target{{Provider: providers[0], Model: "model-a", Price: relayPrice()}, {Provider: providers[1], Model: "model-b", Price: relayPrice()}},
	}}, providers, route.Route{Timeouts: times, Loss: llm.LossReport})
	tr := transport.New(transport.Options{})
	t.Cleanup(tr.Close)
	limits := gateway.DefaultLimits()
	limits.Heartbeat, limits.WriteTimeout = 50*time.Millisecond, time.Second
	o := gateway.Options{
		Dialects: []*dialect.Dialect{openaichat.New(), anthropic.New(), openairesponses.New(), bedrock.New(), anthropic.NewInvoke()}, Routes: relayRoutes{table}, Sender: tr, Limits: limits,
		Log: slog.New(slog.DiscardHandler), Now: time.Now, NewID: func() string { return "call_1" },
		Settle: func(r gateway.Record) { w.settle <- r },
	}
	adjust(&o)
	_, handler := forgetful(o)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// relayPrice is what models cost there.
func relayPrice() *provider.Price { return &provider.Price{Input: 1, Output: 10, AudioOutput: 100} }

type relayRoutes struct{ *route.Table }

func (relayRoutes) Entries() []dialect.ModelEntry { return nil }

func (w *relayWorld) do(t *testing.T, method, path, contentType, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp, string(answer)
}

func (w *relayWorld) saw(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.asked, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the vendors were asked %s, want %s", got, strings.Join(want, ", "))
	}
	w.asked, w.bodies = nil, nil
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error":{"message":"no","type":"server_error"}}`)
	}
}

func tells(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		fmt.Fprint(w, body)
	}
}

// An operation that is only relayed fails over as every other does (F03).
func TestRelayedJSON(t *testing.T) {
	t.Parallel()
	answer := `{"created": 1, "data":[{"b64_json":"aGk="}],"usage":{"input_tokens":7,"output_tokens":9}}`
	w := newRelayWorld(t, fails(500), tells("application/json", answer))
	resp, got := w.do(t, "POST", "/v1/images/generations", "application/json", `{ "model":"both","prompt":"a  cat", "x": 1.50}`)
	if resp.StatusCode != 200 || got != answer || resp.Header.Get("X-Understudy-Target") != "b/model-b" || resp.Header.Get("X-Understudy-Attempts") != "2" {
		t.Errorf("got %d %s from %s, want the understudy's answer as it was", resp.StatusCode, got, resp.Header.Get("X-Understudy-Target"))
	}
	w.mu.Lock()
	if want := `{ "model":"model-b","prompt":"a  cat", "x": 1.50}`; w.bodies[1] != want {
		t.Errorf("got body %s, want %s", w.bodies[1], want)
	}
	w.mu.Unlock()
	w.saw(t, "a POST /v1/images/generations", "b POST /v1/images/generations")
	if rec := <-w.settle; rec.Operation != dialect.Images || len(rec.Attempts) != 2 || rec.Attempts[1].Usage.Input() != 7 {
		t.Errorf("got %+v, want two attempts at images with what they used", rec)
	}
}

// TestRelayedWithoutABody: what asks for something says what; what is done to an object need not.
func TestRelayedWithoutABody(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, tells("application/json", `{"id":"x"}`), fails(500))
	for _, path := range []string{
		"/v1/images/generations", "/v1/audio/speech", "/v1/moderations", "/v1/completions", "/v1/files", "/v1/batches",
	} {
		resp, body := w.do(t, http.MethodPost, path, "application/json", "")
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, "no body") {
			t.Errorf("%s: got %d %s want it refused", path, resp.StatusCode, body)
		}
	}
	w.saw(t)
	if resp, body := w.do(t, http.MethodPost, "/v1/batches/batch_1/cancel", "", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d %s want an object cancelled without a body", resp.StatusCode, body)
	}
}

func TestRelayedForm(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, fails(503), tells("text/plain", "ahoj"))
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	file, _ := form.CreateFormFile("file", "a.wav")
	file.Write([]byte("RIFF\x00\xff\r\n--"))
	form.WriteField("model", "both")
	form.Close()
	body := b.String()
	resp, got := w.do(t, "POST", "/v1/audio/transcriptions", form.FormDataContentType(), body)
	if resp.StatusCode != 200 || got != "ahoj" || resp.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("got %d %q as %s, want the text as it was", resp.StatusCode, got, resp.Header.Get("Content-Type"))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if want := strings.Replace(body, "both", "model-b", 1); w.bodies[1] != want {
		t.Errorf("got form\n%q\nwant\n%q", w.bodies[1], want)
	}
}

// What breaks off after the client has had some of it is never passed off as whole.
func TestRelayedPieces(t *testing.T) {
	t.Parallel()
	half := func(contentType string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Transfer-Encoding", "chunked")
			fmt.Fprint(w, "data: {\"a\":1}\n\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	t.Run("audio", func(t *testing.T) {
		w := newRelayWorld(t, half("audio/mpeg"), tells("audio/mpeg", "x"))
		resp, err := http.Post(w.url+"/v1/audio/speech", "application/json", strings.NewReader(`{"model":"both","input":"hi"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("got %q and a clean end, want the connection broken off", got)
		}
		if rec := <-w.settle; rec.Code != llm.CodeTruncated {
			t.Errorf("got code %q, want %s", rec.Code, llm.CodeTruncated)
		}
	})
	t.Run("events", func(t *testing.T) {
		w := newRelayWorld(t, half("text/event-stream"), tells("audio/mpeg", "x"))
		_, got := w.do(t, "POST", "/v1/completions", "application/json", `{"model":"both","prompt":"hi","stream":true}`)
		if !strings.HasPrefix(got, "data: {\"a\":1}\n\n") || !strings.Contains(got, `"error"`) || strings.Contains(got, "[DONE]") {
			t.Errorf("got %q, want what came and an error", got)
		}
	})
	t.Run("within an event", func(t *testing.T) {
		w := newRelayWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"a\":1}\n\ndata: {\"b\":")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, tells("audio/mpeg", "x"))
		_, got := w.do(t, "POST", "/v1/completions", "application/json", `{"model":"both","prompt":"hi","stream":true}`)
		if !strings.HasPrefix(got, "data: {\"a\":1}\n\n") || !strings.Contains(got, `"error"`) || strings.Contains(got, `"b"`) {
			t.Errorf("got %q, want the whole event and an error", got)
		}
	})
	t.Run("silence within an event", func(t *testing.T) {
		heard := make(chan struct{}) // by the client: a sign of life
		w := newRelayWorld(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"a\":1}\n\ndata: {\"b\":")
			w.(http.Flusher).Flush()
			select {
			case <-heard:
				fmt.Fprint(w, "2}\n\n")
			case <-r.Context().Done():
			}
		}, tells("audio/mpeg", "x"))
		resp, err := http.Post(w.url+"/v1/completions", "application/json", strings.NewReader(`{"model":"both","prompt":"hi","stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got strings.Builder
		hear := sync.OnceFunc(func() { close(heard) })
		for lines := bufio.NewReader(resp.Body); err == nil; {
			var line string
			line, err = lines.ReadString('\n')
			got.WriteString(line)
			if strings.HasPrefix(line, ":") {
				hear()
			}
		}
		if !strings.Contains(got.String(), "data: {\"b\":2}\n\n") {
			t.Errorf("got %q, want whole events and signs of life between them", got.String())
		}
	})
	t.Run("whole though events were asked for", func(t *testing.T) {
		const whole = `{"data":[{"b64_json":"aGk="}]}`
		w := newRelayWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(200 * time.Millisecond)
			tells("application/json", whole)(w, nil)
		}, tells("audio/mpeg", "x"))
		resp, got := w.do(t, "POST", "/v1/images/generations", "application/json", `{"model":"both","prompt":"hi","stream":true}`)
		if got != whole || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %q, want the answer", resp.Header.Get("Content-Type"), got)
		}
	})
	t.Run("lines of JSON", func(t *testing.T) {
		const lines = "{\"a\":1}\n{\"b\":2}\n"
		for _, media := range []string{"application/jsonl", "application/json-seq"} {
			w := newRelayWorld(t, tells(media, lines), tells("audio/mpeg", "x"))
			if resp, got := w.do(t, "GET", "/v1/files/file-1/content", "", ""); got != lines || resp.StatusCode != 200 {
				t.Errorf("%s: got %d %q, want the file", media, resp.StatusCode, got)
			}
		}
	})
	t.Run("no content", func(t *testing.T) {
		w := newRelayWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, fails(500))
		if resp, got := w.do(t, "DELETE", "/v1/files/file-1", "", ""); resp.StatusCode != 204 || got != "" {
			t.Errorf("got %d %q, want 204", resp.StatusCode, got)
		}
		w.saw(t, "a DELETE /v1/files/file-1")
	})
	t.Run("before the first byte", func(t *testing.T) {
		w := newRelayWorld(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, tells("audio/mpeg", "sound"))
		if resp, got := w.do(t, "POST", "/v1/audio/speech", "application/json", `{"model":"both","input":"hi"}`); resp.StatusCode != 200 || got != "sound" {
			t.Errorf("got %d %q, want the understudy's", resp.StatusCode, got)
		}
	})
}

func TestRelayedErrors(t *testing.T) {
	t.Parallel()
	w := newRelayWorld(t, tells("application/json", "{}"), tells("application/json", "{}"))
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
	}{
		{"unknown model", "POST", "/v1/moderations", "application/json", `{"model":"nobody","input":"x"}`, 404},
		{"bad JSON", "POST", "/v1/moderations", "application/json", `{"model":`, 400},
		{"no object", "POST", "/v1/moderations", "application/json", `[1]`, 400},
		{"model that is no text", "POST", "/v1/moderations", "application/json", `{"model":5}`, 400},
		{"cut form", "POST", "/v1/audio/transcriptions", "multipart/form-data; boundary=b", "--b\r\nContent", 400},
		{"form without boundary", "POST", "/v1/audio/transcriptions", "multipart/form-data", "x", 400},
		{"wrong method", "PUT", "/v1/files", "", "", 405},
		{"bad query", "GET", "/v1/files?limit=10;after=x", "", "", 400},
		{"backslashes", "GET", "/v1/files/..%5C..%5Cadmin", "", "", 404},
		{"control characters", "GET", "/v1/files/a%0d%0ab", "", "", 404},
		{"no upgrade", "GET", "/v1/realtime?model=both", "", "", 400},
	} {
		resp, got := w.do(t, c.method, c.path, c.contentType, c.body)
		var e struct{ Error struct{ Message string } }
		if err := json.Unmarshal([]byte(got), &e); err != nil || e.Error.Message == "" || resp.StatusCode != c.status {
			t.Errorf("%s: got %d %s, want %d and an error in the client's dialect", c.name, resp.StatusCode, got, c.status)
		}
	}
	w.saw(t)
}

// TestRelayedMediaIsNotGuessed: what a vendor does not name is no page for a browser (S100).
func TestRelayedMediaIsNotGuessed(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "application/octet-stream", "image/" + strings.Repeat("x", 5000): "application/octet-stream", "audio/wav": "audio/wav"} {
		page := func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			if given != "" {
				w.Header().Set("Content-Type", given)
			}
			_, _ = io.WriteString(w, "<html><script>alert(1)</script>")
		}
		w := newRelayWorld(t, page, page)
		resp, got := w.do(t, "GET", "/v1/files/file-1/content", "", "")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != want || !strings.HasPrefix(got, "<html>") {
			t.Errorf("%.20q: got %d, %.50q and %q; want it as %s", given, resp.StatusCode, resp.Header.Get("Content-Type"), got, want)
		}
	}
}

// TestRelayedPathsAreWrittenAnew: however a path is escaped, a provider is asked for what was matched here (S7).
func TestRelayedPathsAreWrittenAnew(t *testing.T) {
	t.Parallel()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }
	w := newRelayWorld(t, ok, ok)
	for path, want := range map[string]string{
		"/v1/f%69les/file%2Dabc":       "/v1/files/file-abc",
		"/v1%2ffiles/a%41":             "/v1/files/aA",
		"/v1/files/%252e%252e%252fa":   "/v1/files/%252e%252e%252fa",
		"/v1/files/a%3fb%23c%25%3b%26": "/v1/files/a%3Fb%23c%25;&",
	} {
		w.mu.Lock()
		w.asked = nil
		w.mu.Unlock()
		if resp, got := w.do(t, "GET", path, "", ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d %s, want 200", path, resp.StatusCode, got)
		}
		w.saw(t, "a GET "+want)
	}
}

// TestRelayedStaysInPlace asks for objects whose ids are steps: a provider would go up (S7).
func TestRelayedStaysInPlace(t *testing.T) {
	t.Parallel()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }
	w := newRelayWorld(t, ok, ok)
	for _, path := range []string{"/v1/files/..", "/v1/files/%2e%2e", "/v1/files/.", "/v1/files/%2E./content", "/v1/batches/..%2f..%2fadmin"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound || len(w.asked) != 0 {
			t.Errorf("%s: got %d and %v asked, want 404 and nobody asked", path, resp.StatusCode, w.asked)
		}
	}
}
