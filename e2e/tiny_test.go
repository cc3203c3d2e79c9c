//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// TestTinyEvents streams very many tiny events to clients that let them wait: each comes through, in order, and the
// gateway takes no more memory for them (D23).
func TestTinyEvents(t *testing.T) {
	t.Parallel()
	count, most := 30_000, int64(48<<20)
	if os.Getenv("UNDERSTUDY_SCENARIOS") != "" {
		count = 1_000_000
	}
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		out := bufio.NewWriter(w)
		for n := range count {
			fmt.Fprintf(out, "data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d;\"},\"finish_reason\":null}]}\n\n", n%10)
		}
		_, _ = out.WriteString("data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		_ = out.Flush()
	}))
	defer vendor.Close()
	h := openHouse(t, fmt.Sprintf("  tiny: {base_url: \"%s\", key: env:TEST_KEY, auth: bearer, dialects: {openai-chat: /v1/chat/completions}}\n", vendor.URL)+standard)
	wantWhole(t, "first", h.post(chatPath, ask("chat/small", true)), "Ada")
	before := peakMemory(t, h)
	h.client.Timeout = time.Minute
	for _, path := range []string{chatPath, messagesPath} {
		body := strings.Replace(ask("tiny/small", true), `"max_tokens":500`, `"max_tokens":10000000`, 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.client.Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %v, %v, want a stream", path, resp, err)
		}
		got, whole := 0, false
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			line := lines.Text()
			if strings.Contains(line, fmt.Sprintf("%d;\"", got%10)) && strings.HasPrefix(line, "data: ") {
				if got++; got%(count/3) == 0 {
					time.Sleep(200 * time.Millisecond) // the vendor is kept waiting
				}
			}
			whole = whole || line == "data: [DONE]" || strings.Contains(line, `"type":"message_stop"`)
		}
		resp.Body.Close()
		if got != count || !whole {
			t.Errorf("%s: got %d events in order, whole %v, want %d", path, got, whole, count)
		}
	}
	if peak := peakMemory(t, h); peak > before+most {
		t.Errorf("got %d MiB of memory, %d MiB before, want at most %d MiB more", peak>>20, before>>20, most>>20)
	}
}
