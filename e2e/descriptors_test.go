//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFewDescriptors leaves the gateway too few files for the connections that it needs: what it cannot serve is told to
// come back, a stream that runs goes on, and no vendor is blamed (A9).
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, "models: {assistant: {lead: chat/small+first-4s, understudies: [claude/small+first-4s]}}\n")
	h.launch("sh", "-c", `ulimit -n 60 && exec "$0" "$@"`)
	h.wantServing()
	lines := h.stream(ask("chat/small+chunks-100+delay-50ms", true), "running")
	until(t, lines, `"content":`, 2)
	var all sync.WaitGroup
	var served, short atomic.Int32
	for range 60 {
		all.Go(func() {
			a := h.postAlone(chatPath, ask("assistant", false))
			switch {
			case a.err == nil && a.status == 200:
				served.Add(1)
			case a.err != nil || a.status != 503 || a.header.Get("Retry-After") == "":
				t.Errorf("got %d, %v, %v and %.200s, want an answer, or 503 and when to come back", a.status, a.err, a.header, a.body)
			case strings.Contains(a.header.Get("X-Understudy-Attempts-Detail"), "chat/small+first-4s=unavailable"):
				short.Add(1) // others have no place for their own connection
			}
		})
	}
	all.Wait()
	if served.Load() == 0 || short.Load() == 0 {
		t.Errorf("got %d calls served and %d without a connection to a vendor, want some of each", served.Load(), short.Load())
	}
	until(t, lines, "[DONE]", 1)
	h.client.CloseIdleConnections()
	if got := h.metric("understudy_local_faults_total"); int32(got) != short.Load() {
		t.Errorf("got %v faults of this machine, want the %d calls without a connection", got, short.Load())
	}
	h.wantUp("chat", "claude")
}

// postAlone sends a body on a connection of its own, which it does not keep: one that is kept would keep others out. It
// hears what it is told before it has asked, too.
func (h *house) postAlone(path, body string) got {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		return got{err: err}
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return got{err: err}
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return got{resp.StatusCode, resp.Header, string(all), err}
}
