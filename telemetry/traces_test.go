package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
)

// collector takes spans, and keeps them by name.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	spans    map[string]span
	requests []*http.Request
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: map[string]span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				Resource   struct{ Attributes attributes }
				ScopeSpans []struct{ Spans []span }
			}
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 8<<20)).Decode(&body); err != nil {
			t.Errorf("got a request that is no JSON: %v", err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests = append(c.requests, r)
		for _, rs := range body.ResourceSpans {
			if v := rs.Resource.Attributes.get("service.name"); v != "understudy" {
				t.Errorf("got the service %v, want understudy", v)
			}
			for _, s := range rs.ScopeSpans[0].Spans {
				c.spans[s.Name] = s
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (a attributes) get(key string) any {
	for _, x := range a {
		if x.Key == key {
			for _, v := range x.Value {
				return v
			}
		}
	}
	return nil
}

func traces(t *testing.T, o TraceOptions) *Traces {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	made, err := NewTraces(o)
	if err != nil {
		t.Fatal(err)
	}
	made.Start()
	return made
}

func traced(rec *gateway.Record) *gateway.Record {
	rec.Start = time.Unix(1_800_000_000, 5)
	rec.Trace = gateway.Trace{ID: [16]byte{1, 15: 2}, Parent: [8]byte{3}, Span: [8]byte{4}, Sampled: true, State: "a=b"}
	for i := range rec.Attempts {
		rec.Attempts[i].Span, rec.Attempts[i].Start = [8]byte{5, byte(i)}, rec.Start
	}
	return rec
}

func TestTraces(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := traces(t, TraceOptions{Endpoint: c.URL, Headers: "X-Team=a%20b, Authorization=Bearer%20key"})
	unsampled := traced(rescued())
	unsampled.Model, unsampled.Trace.Sampled = "unsampled", false
	tr.Observe(unsampled)
	tr.Observe(traced(rescued()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tr.Close(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.requests) != 1 || c.requests[0].URL.Path != "/v1/traces" || c.requests[0].Header.Get("X-Team") != "a b" || c.requests[0].Header.Get("Authorization") != "Bearer key" {
		t.Fatalf("got requests %+v, want one to /v1/traces with the headers", c.requests)
	}
	if len(c.spans) != 3 {
		t.Fatalf("got spans %+v, want those of one call and two attempts", c.spans)
	}
	call, lead, next := c.spans["chat assistant"], c.spans["chat m"], c.spans["chat n/x"]
	const trace = "01000000000000000000000000000002"
	if call.TraceID != trace || call.SpanID != "0400000000000000" || call.ParentID != "0300000000000000" || call.State != "a=b" || call.Kind != kindServer || call.Status != nil {
		t.Errorf("got the call's span %+v, want it in the client's trace", call)
	}
	if call.Start != "1800000000000000005" || call.End != "1800000001500000005" {
		t.Errorf("got the call from %s to %s, want a second and a half", call.Start, call.End)
	}
	for name, s := range map[string]span{"lead": lead, "next": next} {
		if s.TraceID != trace || s.ParentID != call.SpanID || s.Kind != kindClient {
			t.Errorf("%s: got %+v, want it within the call's", name, s)
		}
	}
	if lead.Status == nil || lead.Status.Code != statusError || lead.Attributes.get("error.type") != "truncated" || lead.Attributes.get("gen_ai.provider.name") != "openai" || lead.Attributes.get("understudy.provider") != "lead" {
		t.Errorf("got the lead's span %+v, want the error truncated", lead)
	}
	for key, want := range map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "understudy.provider": "other", "gen_ai.request.model": "n/x", "gen_ai.usage.input_tokens": "100",
		"gen_ai.usage.output_tokens": "10", "gen_ai.usage.cache_read.input_tokens": "80", "gen_ai.usage.reasoning.output_tokens": "3",
		"gen_ai.response.time_to_first_chunk": 0.03, "understudy.rescue": true, "understudy.mode": "translate",
	} {
		if got := next.Attributes.get(key); got != want {
			t.Errorf("%s: got %v, want %v", key, got, want)
		}
	}
	if sent, failed, dropped := tr.Spans(); sent != 3 || failed != 0 || dropped != 0 {
		t.Errorf("got %d spans sent, %d failed and %d dropped, want 3 sent", sent, failed, dropped)
	}
}

// TestDeadCollector: one that takes nothing, or never answers, costs a call next to nothing, and
// memory no more than there is for it.
func TestDeadCollector(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	refuses := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(func() { close(release); hangs.Close(); refuses.Close() })
	for name, endpoint := range map[string]string{"hangs": hangs.URL, "refuses": refuses.URL, "is not there": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := traces(t, TraceOptions{Endpoint: endpoint})
			const n = 3 * maxWaiting
			rec := traced(rescued())
			const batches = 20
			each := time.Hour
			for range batches { // other work of the machine falls on some
				begun := time.Now()
				for range n / batches {
					tr.Observe(rec)
				}
				each = min(each, time.Since(begun)/(n/batches))
			}
			if each > 100*time.Microsecond {
				t.Errorf("got %v a call, want next to nothing", each)
			}
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			tr.Close(ctx)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("got an end after %v, want it soon", took)
			}
			if sent, failed, _ := tr.Spans(); sent != 0 || failed == 0 {
				t.Errorf("got %d sent and %d failed, want none sent", sent, failed)
			}
		})
	}
}

func TestTraceHeaders(t *testing.T) {
	if _, err := parseHeaders("secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error that does not say what it read", err)
	}
}
