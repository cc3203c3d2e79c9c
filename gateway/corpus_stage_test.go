package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// stage is a gateway without a network: every model is served by one target, and the vendor is a function.
type stage struct {
	t      *testing.T
	gw     http.Handler
	target route.Target
	vendor func(transport.Request) *transport.Response
	record gateway.Record // of the latest call

	mu   sync.Mutex
	sent [][]byte // in the latest call
}

// newStage makes a stage whose target speaks d as the provider with the id home does.
func newStage(t *testing.T, d *dialect.Dialect, home string) *stage {
	t.Helper()
	facts, ok := services.Facts(home)
	if _, speaks := facts.Dialects[d.Name]; !ok || !speaks {
		t.Fatalf("%s: got no facts about %s, want those of a provider that speaks it", home, d.Name)
	}
	facts.Dialects, facts.Only = map[dialect.Name]string{d.Name: facts.Dialects[d.Name]}, nil
	s := newFactsStage(t, home, facts)
	s.target.Facts = llm.ModelFacts{MaxOutput: 8192, Thinking: llm.ThinkingNone}
	switch d.Name {
	case dialect.AnthropicMessages:
		s.target.Facts.Thinking = llm.ThinkingBudget
	case dialect.GeminiGenerate:
		s.target.Facts.Thinking = llm.ThinkingEffort
	default:
	}
	return s
}

// changeFacts makes the target's provider another, of changed facts: those of one never change.
func (s *stage) changeFacts(change func(*provider.Facts)) {
	p := *s.target.Provider
	change(&p.Facts)
	s.target.Provider = &p
}

// newFactsStage makes a stage whose target is a provider of these facts.
func newFactsStage(t *testing.T, id string, facts provider.Facts) *stage {
	t.Helper()
	_, address, _ := strings.Cut(facts.BaseURL, "://")
	_, path, _ := strings.Cut(address, "/")
	facts.BaseURL, facts.Auth = "http://vendor.invalid/"+path, "none"
	s := &stage{t: t, target: route.Target{Provider: &provider.Provider{ID: id, Facts: facts}}}
	o := gateway.Options{
		Routes: s, Sender: s, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		NewID: func() string { return "call-1" }, Settle: func(r gateway.Record) { s.record = r },
	}
	for _, r := range recordedDialects() {
		o.Dialects = append(o.Dialects, r.dialect)
	}
	_, s.gw = forgetful(o)
	return s
}

// Pick routes every model to the one target.
func (s *stage) Pick(model string) (route.Route, bool) {
	target := s.target
	target.Model = cmp.Or(target.Model, model)
	return route.Route{
		Model: model, Targets: []route.Target{target}, Loss: llm.LossReport,
		Timeouts: route.Timeouts{FirstToken: time.Minute, Stall: time.Minute, Total: time.Minute},
	}, true
}

// Entries lists nothing.
func (*stage) Entries() []dialect.ModelEntry { return nil }

// Send is the vendor's answer.
func (s *stage) Send(_ context.Context, r transport.Request) (*transport.Response, error) {
	s.mu.Lock()
	s.sent = append(s.sent, r.Body)
	s.mu.Unlock()
	return s.vendor(r), nil
}

// serve is a request of a client of d, and what it is answered.
func (s *stage) serve(d *dialect.Dialect, path string, body []byte) *httptest.ResponseRecorder {
	s.sent = nil
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://understudy.invalid"+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(gateway.HeaderFallback, "off") // nothing would do better, and asking again waits
	if d.ErrorHeader != "" {
		r.Header.Set(d.ErrorHeader, "2023-06-01")
	}
	rec := httptest.NewRecorder()
	s.gw.ServeHTTP(rec, r)
	return rec
}

// recordedPath is where clients of d ask for a model, whole or in a stream of the framing.
func recordedPath(d *dialect.Dialect, model string, stream bool, framing dialect.Framing) string {
	for _, e := range d.Endpoints {
		byPath := strings.Contains(e.Path, "{model}")
		framed := cmp.Or(e.Framing, d.Framing, dialect.FramingSSE)
		if e.Operation != d.Does() || byPath && (e.Stream != stream || stream && framed != framing) {
			continue
		}
		path := strings.Replace(e.Path, "{model}", url.PathEscape(strings.TrimPrefix(model, "models/")), 1)
		if e.Query != "" {
			path += "?" + e.Query
		}
		return path
	}
	return ""
}

// isStreamed reports whether the client of an exchange asked for a stream.
func isStreamed(x *dialecttest.Exchange) bool {
	switch x.ResponseKind {
	case "sse", "ndjson", "jsonl", "eventstream":
		return true
	}
	return strings.HasSuffix(x.API, "stream")
}

// framingOf is how the events of the exchange are told apart. Those of which the recorder has removed the framing have
// the dialect's.
func framingOf(d *dialect.Dialect, x *dialecttest.Exchange) dialect.Framing {
	if d.Name == dialect.GeminiGenerate && x.ResponseKind == "json" {
		return dialect.FramingArray
	}
	return cmp.Or(d.Framing, dialect.FramingSSE)
}

// wireBytes is the recorded answer as its vendor sent it.
func wireBytes(t *testing.T, d *dialect.Dialect, x *dialecttest.Exchange) []byte {
	t.Helper()
	if x.ResponseKind != "jsonl" {
		return x.Answer(t)
	}
	kind := frames.Kind(framingOf(d, x))
	var b bytes.Buffer
	for _, f := range x.Frames(t, "") {
		if kind == frames.NDJSON {
			b.Write(append(f.Data, '\n'))
			continue
		}
		if name := eventName(f.Data); name != "" {
			b.WriteString("event: " + name + "\n")
		}
		b.WriteString("data: " + string(f.Data) + "\n\n")
	}
	return b.Bytes()
}

// recordedAnswer is a recorded exchange's answer.
func recordedAnswer(t *testing.T, d *dialect.Dialect, x *dialecttest.Exchange) *transport.Response {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if isStreamed(x) && x.Status < 400 {
		header.Set("Content-Type", frames.Kind(framingOf(d, x)).ContentType())
	}
	for name, value := range x.Header {
		if http.CanonicalHeaderKey(name) != "Content-Type" {
			header.Set(name, value)
		}
	}
	return &transport.Response{Status: max(x.Status, 200), Header: header, Body: io.NopCloser(bytes.NewReader(wireBytes(t, d, x)))}
}
