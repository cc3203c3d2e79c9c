//go:build unix

package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// atFullLength is the first where tests run at full length (make scenarios), else the second.
func atFullLength[T any](full, short T) T {
	if os.Getenv("UNDERSTUDY_SCENARIOS") != "" {
		return full
	}
	return short
}

// swept is the first where tests go over the whole of what they sweep (.ci/run sweep), else the second.
func swept[T any](whole, part T) T {
	if os.Getenv("UNDERSTUDY_SWEEP") != "" {
		return whole
	}
	return part
}

// alone skips a test that measures, or takes what there is, but where it has the machine for itself. It is not parallel.
func alone(t *testing.T) {
	t.Helper()
	if swept(false, true) && atFullLength(false, true) {
		t.Skip("skipped: it wants the machine for itself, as in `.ci/run sweep`")
	}
}

// metrics is the page of metrics, in HTTP/1.0: in HTTP/1.1 it comes in chunks, which end anywhere in a line.
func (h *house) metrics() string {
	h.t.Helper()
	page, _ := rawTo(h.t, h.admin, "GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n")
	return page
}

// metric is a number of the gateway's metrics.
func (h *house) metric(name string) float64 {
	h.t.Helper()
	_, rest, ok := strings.Cut(h.metrics(), "\n"+name+" ")
	number, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil {
		h.t.Fatalf("got no %s in the metrics (%v)", name, err)
	}
	return n
}

// openStream opens a stream, and returns what ends it.
func (h *house) openStream(ctx context.Context, client *http.Client, path, model, tag string) (io.ReadCloser, error) {
	body := strings.Replace(ask(model, true), `"max_tokens":500`, `"max_tokens":1000000`, 1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Understudy-Tag", tag)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return resp.Body, nil
}

// TestChurn opens streams all the time, each of which its client leaves after a while: afterwards no vendor streams to
// nobody, nothing is left over, and every one is in the ledger (L6).
func TestChurn(t *testing.T) {
	t.Parallel()
	rate, lasts, longest := atFullLength(500, 60), atFullLength(time.Minute, 2*time.Second), atFullLength(2*time.Second, time.Second)
	h := openHouse(t, standard)
	endless := func(i int) (path, model string) {
		path, model = chatPath, "chat/small"
		if i%2 == 0 {
			path = messagesPath
		}
		if i%4 < 2 {
			model = "claude/small"
		}
		return path, model + "+chunks-100+delay-100ms"
	}
	leave := func(i int, after time.Duration) error {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		ctx, cancel := context.WithTimeout(t.Context(), max(after, time.Millisecond))
		defer cancel()
		path, model := endless(i)
		body, err := h.openStream(ctx, client, path, model, "churn")
		if err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it left before there was an answer
			}
			return err
		}
		_, _ = io.Copy(io.Discard, body)
		return body.Close()
	}
	open := func() int { return h.chat.OpenStreams() + h.claude.OpenStreams() }
	for i := range 8 {
		if err := leave(i, 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	eventuallyIs(t, 10*time.Second, "streams at the vendors", 0, 0, open)
	number := func(name string) func() int { return func() int { return int(h.metric(name)) } }
	goroutines, files := number("go_goroutines"), number("process_open_fds")
	goroutinesBefore, filesBefore := goroutines(), files()
	var all sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	n := 0
	for begun := time.Now(); time.Since(begun) < lasts; n++ {
		<-tick.C
		i, after := n, time.Duration(rand.Int64N(int64(longest)))
		all.Go(func() {
			if err := leave(i, after); err != nil {
				t.Errorf("stream %d: got %v, want it to begin", i, err)
			}
		})
	}
	all.Wait()
	eventuallyIs(t, 5*time.Second, "streams at the vendors", 0, 0, open)
	eventuallyIs(t, 10*time.Second, "goroutines", goroutinesBefore, 5, goroutines)
	eventuallyIs(t, 10*time.Second, "open files", filesBefore, 5, files)
	t.Logf("%d streams, %d requests at the vendors", n, h.seen())
	h.client.CloseIdleConnections()
	h.stop()
	if out := h.command("ledger", "verify"); !strings.Contains(out, "all invariants hold") {
		t.Errorf("ledger verify: got\n%s\nwant it to hold", out)
	}
	// One that left at once may have been written down and not sent.
	if got, had := h.attempts()["churn"], h.seen(); got < had || got > n+8 {
		t.Errorf("got %d attempts in the ledger, want the %d of the vendors and at most one for each of %d streams", got, had, n+8)
	}
}

// eventuallyIs waits until a number is back to what it was, or near.
func eventuallyIs(t *testing.T, within time.Duration, what string, want, near int, now func() int) {
	t.Helper()
	for deadline := time.Now().Add(slack(within)); ; time.Sleep(20 * time.Millisecond) {
		got := now()
		if got <= want+near {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d %s after %v, want %d at most", got, what, slack(within), want+near)
		}
	}
}

// TestSlowReaders holds that clients who hardly read delay nobody else, and take no more memory for it, while their
// vendors send as fast as they are let, and have to wait, which is not held against them (L5, G6).
func TestSlowReaders(t *testing.T) {
	alone(t)
	fast, slow, lasts := atFullLength(500, 10), atFullLength(500, 16), atFullLength(30*time.Second, 500*time.Millisecond)
	var asked atomic.Int64
	h := openHouse(t, talker(t, &asked)+standard)
	var late string
	for range 3 { // others use the machine, too, and only make it worse
		if late = h.beside(fast, slow, lasts, &asked); late == "" || t.Failed() {
			break
		}
	}
	if late != "" {
		t.Error(late)
	}
	h.wantUp("chat", "flood")
}

// talker is a provider whose vendor says as much as it is let, and counts who asks.
func talker(t *testing.T, asked *atomic.Int64) string {
	text := fmt.Sprintf("data: {\"id\":\"x\",\"model\":\"small\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", strings.Repeat("word ", 800))
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		asked.Add(1)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
	}))
	t.Cleanup(func() {
		vendor.CloseClientConnections()
		vendor.Close()
	})
	return fmt.Sprintf("  flood: {base_url: \"%s\", key: env:TEST_KEY, auth: bearer, dialects: {openai-chat: /v1/chat/completions}}\n", vendor.URL)
}

// beside measures fast streams beside slow readers, and says what is wrong with them.
func (h *house) beside(fast, slow int, lasts time.Duration, asked *atomic.Int64) string {
	alone := newCadence(h.t, h, fast)
	time.Sleep(lasts)
	before := alone.stop()
	var cut atomic.Int64
	var all sync.WaitGroup
	over := make(chan struct{})
	for i := range slow {
		conn, err := net.Dial("tcp", h.address)
		if err != nil {
			h.t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		body := strings.Replace(ask("flood/small", true), `"max_tokens":500`, `"max_tokens":10000000`, 1)
		_, _ = io.WriteString(conn, request([]string{chatPath, messagesPath}[i%2], "", body))
		all.Go(func() {
			defer conn.Close()
			piece := make([]byte, 1<<8)
			for {
				select {
				case <-over:
					return
				case <-time.After(250 * time.Millisecond):
				}
				if _, err := io.ReadFull(conn, piece); err != nil {
					cut.Add(1)
					return
				}
			}
		})
	}
	h.full(int64(slow), asked)
	used := h.metric("process_resident_memory_bytes")
	others := newCadence(h.t, h, fast)
	direct := cadenceAt(h.t, h, fast, h.chat.RootURL(), "") // without the gateway, whatever else the machine does
	time.Sleep(lasts)
	noise := direct.stop()
	after, grown := others.stop(), int(h.metric("process_resident_memory_bytes")-used)
	close(over)
	all.Wait()
	h.t.Logf("pieces of fast streams late by %v at p99 alone, %v beside slow readers, %v of the vendor's own; %d MiB, %d KiB more at the end", before, after, noise, int(used)>>20, grown>>10)
	switch {
	case cut.Load() > 0:
		h.t.Errorf("got %d slow readers cut, want none", cut.Load())
	case grown > (fast+slow)*64<<10:
		return fmt.Sprintf("got %d KiB more of memory in the end, want it flat", grown>>10)
	case after > max(before, noise)+slack(5*time.Millisecond):
		return fmt.Sprintf("got pieces of fast streams late by %v at p99 beside slow readers, want the %v as alone, or the %v of the vendor's own", after, before, noise)
	}
	return ""
}

// full waits until the vendors of slow readers have to wait: what is between them and their clients is full.
func (h *house) full(slow int64, asked *atomic.Int64) {
	h.t.Helper()
	defer asked.Store(0)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		busy := h.metric("process_cpu_seconds_total")
		time.Sleep(300 * time.Millisecond)
		if asked.Load() == slow && h.metric("process_cpu_seconds_total")-busy < 0.1 {
			return
		}
	}
	h.t.Fatal("got vendors of slow readers that never have to wait, want them to")
}

// pieceDelay is between the pieces of streams that are to last.
func pieceDelay() string { return atFullLength("600ms", "60ms") }

// wholeStreams opens streams of so many pieces, pieceDelay apart, and returns what waits for them and wants them whole.
func (h *house) wholeStreams(n, pieces int) (wait func()) {
	h.t.Helper()
	var all, opening sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}}
	for i := range n {
		opening.Add(1)
		all.Go(func() {
			path, model := chatPath, "chat/small"
			if i%2 == 0 {
				path = messagesPath
			}
			if i%4 < 2 {
				model = "claude/small"
			}
			body, err := h.openStream(h.t.Context(), client, path, fmt.Sprintf("%s+chunks-%d+delay-%s", model, pieces, pieceDelay()), "whole")
			opening.Done()
			if err != nil {
				h.t.Errorf("stream %d: got %v, want it open", i, err)
				return
			}
			defer body.Close()
			text, err := io.ReadAll(body)
			if err != nil || endOf(path, string(text)) != "clean" || !strings.Contains(string(text), fmt.Sprintf("word%d ", pieces-1)) {
				h.t.Errorf("stream %d: got %d bytes that end with %.200q (%v), want it whole", i, len(text), text[max(0, len(text)-200):], err)
			}
		})
	}
	opening.Wait()
	return func() { all.Wait(); client.CloseIdleConnections() }
}

// TestVendorDiesUnderItsStreams lets a vendor die in one instant under all of its streams: they are rescued, at once, and
// while they are have twice the memory that an open stream may have (V7).
func TestVendorDiesUnderItsStreams(t *testing.T) {
	t.Parallel()
	streams := atFullLength(1000, 60)
	most := int64(streams)*2*80<<10 + 8<<20 // a gateway grows with its first calls
	var open atomic.Int64
	said := make(chan struct{})
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"x","model":"small","choices":[{"index":0,"delta":{"role":"assistant","content":"You asked"},"finish_reason":null}]}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
		if open.Add(1) == int64(streams) {
			close(said)
		}
		<-r.Context().Done()
	}))
	defer vendor.Close()
	h := openHouse(t, fmt.Sprintf("  mortal: {base_url: \"%s\", key: env:TEST_KEY, auth: bearer, dialects: {openai-chat: /v1/chat/completions}}\n", vendor.URL)+
		"models:\n  assistant: {lead: mortal/small, understudies: [claude/small]}\n  warm: {lead: claude/small}\n")
	wantWhole(t, "first", h.post(chatPath, ask("warm", true)), "Ada")
	before := peakMemory(t, h)
	h.client.Timeout = time.Minute
	var clients sync.WaitGroup
	var ended atomic.Int64
	for range streams {
		clients.Go(func() {
			a := h.post(chatPath, ask("assistant", true))
			switch end := endOf(chatPath, a.body); {
			case end == "clean" && strings.Contains(a.body, ": understudy rescue from=mortal/small to=claude/small"):
				ended.Add(1)
			case end != "error":
				t.Errorf("got %d, %v and %.300s, want a whole answer or an error", a.status, a.err, a.body)
			}
		})
	}
	select {
	case <-said:
	case <-time.After(30 * time.Second):
		t.Errorf("got %d of %d streams open, want all", open.Load(), streams)
	}
	time.Sleep(100 * time.Millisecond) // until clients have what was said
	died := time.Now()
	vendor.CloseClientConnections()
	clients.Wait()
	if got := ended.Load(); got < int64(streams)*99/100 || time.Since(died) > 30*time.Second {
		t.Errorf("got %d of %d streams ended whole within %v, want 99 %% within 30s", got, streams, time.Since(died))
	}
	if peak := peakMemory(t, h); peak > before+most {
		t.Errorf("got %d MiB of memory, %d MiB before, want at most %d MiB more", peak>>20, before>>20, most>>20)
	}
}
