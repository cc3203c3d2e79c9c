//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestTraces: a client's trace is gone on with, the provider is told of it only where the config says
// so, and nothing of what was said, and no key, is in what the collector gets.
func TestTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all strings.Builder
	spans := map[string]string{} // parents by span
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		var v struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []struct{ TraceID, SpanID, ParentSpanID string }
				}
			}
		}
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("got %.200q, want JSON: %v", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		all.Write(body)
		for _, r := range v.ResourceSpans {
			for _, s := range r.ScopeSpans[0].Spans {
				spans[s.SpanID] = s.ParentSpanID
				if s.TraceID != "0af7651916cd43dd8448eb211c80319c" {
					t.Errorf("got a span of the trace %s, want the client's", s.TraceID)
				}
			}
		}
	}))
	defer collector.Close()
	h := openHouse(t, fmt.Sprintf(`  told: {use: openai, base_url: "$CHAT/v1", key: env:TEST_KEY, traceparent: true}
telemetry: {otlp: %q}
models:
  assistant: {lead: claude/small, understudies: [told/small]}
`, collector.URL))
	if err := h.claude.SetFault(&fakeprovider.Fault{Kind: "overloaded-529"}); err != nil {
		t.Fatal(err)
	}
	const client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a := h.post(chatPath, ask("assistant", false), "Traceparent", client)
	wantWhole(t, "a traced call", a, "Where is Ada?")
	if got := h.claude.Requests()[0].Header.Get("Traceparent"); got != "" {
		t.Errorf("got traceparent %q at a provider that is not to be told, want none", got)
	}
	told := h.chat.Requests()[0].Header.Get("Traceparent")
	deadline := time.Now().Add(patience)
	for n := 0; n < 3; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		n = len(spans)
		mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("got %d spans, want the call's and two attempts'", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	parts := strings.Split(told, "-")
	if len(parts) != 4 || parts[1] != "0af7651916cd43dd8448eb211c80319c" {
		t.Fatalf("got traceparent %q at the provider, want one of the client's trace", told)
	}
	if call, ok := spans[parts[2]]; !ok || spans[call] != "b7ad6b7169203331" {
		t.Errorf("got traceparent %q and spans %v, want the attempt's span within the call's within the client's", told, spans)
	}
	for _, secret := range []string{"Where is Ada", canary} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("got %q in the traces", secret)
		}
	}
	for _, want := range []string{`"stringValue":"overloaded"`, `"gen_ai.usage.input_tokens"`, `"stringValue":"told"`} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("got no %s in the traces: %.2000s", want, all.String())
		}
	}
}
