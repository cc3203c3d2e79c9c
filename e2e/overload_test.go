//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// percentile is what share of the durations are not longer than.
func percentile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// TestOverloadIsShed offers four times as many calls as may run, beside streams that are open: what
// there is no room for is refused at once, in the client's dialect, and the rest goes on as before.
func TestOverloadIsShed(t *testing.T) {
	alone(t)
	h := openHouse(t, fmt.Sprintf("limits: {calls: %d}\n", openStreams+openRoom)+standard)
	var late []string
	for range 3 { // others use the machine, too, and only make it worse
		if late = h.overload(); len(late) == 0 || t.Failed() {
			break
		}
	}
	for _, text := range late {
		t.Error(text)
	}
	wantWhole(t, "afterwards", h.post(chatPath, ask("chat/small", false)), "Where is Ada?")
}

const (
	openStreams, openRoom = 20, 10
	openAnswer            = 200 * time.Millisecond
)

// overload lasts three seconds, and returns what took too long.
func (h *house) overload() (late []string) {
	const lasts = 3 * time.Second
	cadence := newCadence(h.t, h, openStreams)
	direct := cadenceAt(h.t, h, openStreams, h.chat.RootURL(), "") // without the gateway, whatever else the machine does
	before, known := h.cpu()
	var mu sync.Mutex
	var shed []time.Duration
	var whole, took atomic.Int64
	var all sync.WaitGroup
	shapes := map[string]string{chatPath: `"type":"server_error"`, messagesPath: `"type":"overloaded_error"`, responsesPath: `"code":"overloaded"`}
	paths := []string{chatPath, messagesPath, responsesPath}
	every := time.NewTicker(openAnswer / openRoom / 4)
	defer every.Stop()
	for begin, i := time.Now(), 0; time.Since(begin) < lasts; i++ {
		<-every.C
		all.Go(func() {
			path := paths[i%len(paths)]
			asked := time.Now()
			a := h.post(path, askAt(path, "chat/small+delay-"+openAnswer.String()))
			after := time.Since(asked)
			switch {
			case a.err != nil:
				h.t.Errorf("%s: got %v, want an answer", path, a.err)
			case a.status == http.StatusOK:
				whole.Add(1)
				took.Add(int64(after))
			case a.status != 503 && a.status != 529 || a.header.Get("Retry-After") != "1" || a.header.Get("X-Should-Retry") != "false" || !strings.Contains(a.body, shapes[path]):
				h.t.Errorf("%s: got %d, Retry-After %q, X-Should-Retry %q and %.300s, want 503 or 529 in the client's dialect with %s, and when to come back",
					path, a.status, a.header.Get("Retry-After"), a.header.Get("X-Should-Retry"), a.body, shapes[path])
			default:
				mu.Lock()
				shed = append(shed, after)
				mu.Unlock()
			}
		})
	}
	for _, path := range []string{"/readyz", "/metrics"} { // while it lasts
		if answer, _ := rawTo(h.t, h.admin, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); status(answer) != 200 {
			h.t.Errorf("%s: got %.100q, want 200", path, answer)
		} else if path == "/metrics" && !strings.Contains(answer, `understudy_calls_shed_total{limit="calls"} `) {
			h.t.Error("got no count of calls that were shed in the metrics")
		}
	}
	all.Wait()
	goodput := float64(whole.Load()) / lasts.Seconds()
	peak := openRoom / time.Duration(took.Load()/max(whole.Load(), 1)).Seconds() // on a busy machine answers take longer, and fewer fit in
	spent, _ := h.cpu()
	p99, pieces, noise := percentile(shed, 0.99), cadence.stop(), direct.stop()
	h.t.Logf("goodput %.0f of %.0f/s; %d shed, p99 %v; open streams late by %v at p99, the vendor's own by %v; %v of CPU",
		goodput, peak, len(shed), p99, pieces, noise, spent-before)
	if spent -= before; !known || spent > lasts/3 { // it may be the gateway that makes all late
		noise = 0
	}
	if goodput < 0.9*peak {
		late = append(late, fmt.Sprintf("got %.1f whole answers a second, want nine tenths of %.1f", goodput, peak))
	}
	if want := slack(10*time.Millisecond) + noise; p99 > want {
		late = append(late, fmt.Sprintf("got refusals within %v at p99, want %v", p99, want))
	}
	if want := slack(20*time.Millisecond) + noise; pieces > want {
		late = append(late, fmt.Sprintf("got pieces of open streams that were %v late at p99, want %v", pieces, want))
	}
	return late
}

// slack is a limit of time on a machine that others use, too.
func slack(d time.Duration) time.Duration { return 5 * d }

// responsesPath is that of OpenAI's other API.
const responsesPath = "/v1/responses"

// askAt is a request for a short answer in the dialect of a path.
func askAt(path, model string) string {
	if path == responsesPath {
		return fmt.Sprintf(`{"model":%q,"input":"Where is Ada?","max_output_tokens":500}`, model)
	}
	return ask(model, false)
}

// cadence watches open streams, whose vendor sends a piece every 50 ms.
type cadence struct {
	mu   sync.Mutex
	late []time.Duration
	all  sync.WaitGroup
	end  []io.Closer
}

func newCadence(t *testing.T, h *house, n int) *cadence {
	t.Helper()
	return cadenceAt(t, h, n, h.url, "chat/")
}

// cadenceAt opens n streams at a URL, where the name of a model begins as told: the gateway's, or the vendor's own.
func cadenceAt(t *testing.T, h *house, n int, url, prefix string) *cadence {
	t.Helper()
	const pause = 50 * time.Millisecond
	c := &cadence{}
	body := strings.Replace(ask(prefix+"small+chunks-2000+delay-50ms", true), "500", "100000", 1)
	for deadline := time.Now().Add(patience); len(c.end) < n; {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+chatPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if url != h.url {
			req.Header.Set("Authorization", "Bearer "+canary)
		}
		resp, err := h.client.Do(req)
		if err == nil && resp.StatusCode == http.StatusServiceUnavailable && time.Now().Before(deadline) {
			resp.Body.Close() // those that were closed before still have their place
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %v (%v), want an open stream", resp, err)
		}
		c.end = append(c.end, resp.Body)
		c.all.Go(func() {
			lines := bufio.NewScanner(resp.Body)
			last := time.Now()
			for lines.Scan() {
				if !strings.HasPrefix(lines.Text(), "data:") {
					continue
				}
				now := time.Now()
				c.mu.Lock()
				c.late = append(c.late, max(now.Sub(last)-pause, 0))
				c.mu.Unlock()
				last = now
			}
		})
	}
	return c
}

// stop ends the streams and says how late their pieces were at p99.
func (c *cadence) stop() time.Duration {
	for _, body := range c.end {
		_ = body.Close() // they are endless
	}
	c.all.Wait()
	return percentile(c.late, 0.99)
}

// TestOverloadOfMemory sends 400 MiB of bodies at once to a gateway that may take less.
func TestOverloadOfMemory(t *testing.T) {
	alone(t)
	const n, size, limit = 200, 2 << 20, 320 << 20
	h := openHouse(t, "limits: {memory: 320MiB}\n"+standard)
	body := strings.Replace(ask("claude/small", false), "Where is Ada?", strings.Repeat("Where is Ada? ", size/14), 1)
	var whole, shed atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var from io.Reader = strings.NewReader(body)
			if i%4 == 0 {
				from = io.MultiReader(from) // of a length that is not told
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+chatPath, from)
			if err != nil {
				t.Error(err)
				return
			}
			switch a := h.do(req); {
			case a.status == http.StatusOK:
				whole.Add(1)
			case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
				shed.Add(1)
			case a.err != nil: // the refusal came while the client still wrote
				shed.Add(1)
			default:
				t.Errorf("got %d and %.200s (%v), want 200, or 503 with Retry-After", a.status, a.body, a.err)
			}
		})
	}
	all.Wait()
	peak := peakMemory(t, h)
	t.Logf("%d whole, %d shed, at most %d MiB", whole.Load(), shed.Load(), peak>>20)
	if whole.Load() == 0 || shed.Load() == 0 {
		t.Errorf("got %d whole answers and %d refusals, want some of both", whole.Load(), shed.Load())
	}
	if peak > limit {
		t.Errorf("got %d MiB of memory, want at most %d", peak>>20, limit>>20)
	}
	wantWhole(t, "afterwards", h.post(chatPath, ask("chat/small", false)), "Where is Ada?")
}
