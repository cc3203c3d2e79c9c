//go:build unix

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPanics is G9 through a binary that can be told to panic, for clients of three APIs: as a vendor is asked, whole and
// streamed, in a whole answer, amid a stream that the client has some of, and in an attempt beside another, which has
// a goroutine of its own. It costs that call alone: streams that run meanwhile go on, and the books have it all.
func TestPanics(t *testing.T) {
	t.Parallel()
	binary := withFailpoints(t)
	calm := startVendor(t)
	calm.Pause(true)
	config := fmt.Sprintf("  calm-chat: {use: openai, base_url: %q, key: env:TEST_KEY}\n  calm-claude: {use: anthropic, base_url: %q, key: env:TEST_KEY}\nmodels:\n", calm.RootURL()+"/v1", calm.RootURL())
	for _, c := range faultClients {
		for what, lead := range map[string]string{"asked": "panic-0", "read": "panic-1", "amid": "chunks-400+delay-10ms+panic-12"} {
			config += fmt.Sprintf("  %s-%s: {lead: %s/small+%s, understudies: [%s/small]}\n", c.name, what, c.lead, lead, c.understudy)
		}
		config += fmt.Sprintf("  %s-beside: {lead: %s/small+first-30s, understudies: [%s/small+panic-0], hedge: {after: 1s, most: 50%%}}\n", c.name, c.lead, c.understudy)
		config += fmt.Sprintf("  %s-calm: {lead: calm-%s/small}\n", c.name, c.lead)
	}
	h := buildHouse(t, config)
	h.binary = binary
	h.start()
	var calls sync.WaitGroup
	for _, c := range faultClients {
		calls.Go(func() {
			a := h.post(c.path, c.ask(c.name+"-calm", true))
			if a.err != nil || a.status != 200 || endOf(c.path, a.body) != "clean" || textOf(a.body, true) != saidOfTheSea {
				t.Errorf("%s: got %d, %v and %.300s of a stream beside panics, want it whole", c.name, a.status, a.err, a.body)
			}
		})
	}
	for begun := time.Now(); calm.OpenStreams() < len(faultClients) && time.Since(begun) < patience; {
		time.Sleep(time.Millisecond)
	}
	panics := 0
	var failing sync.WaitGroup
	for _, c := range faultClients {
		for _, what := range []struct {
			name   string
			stream bool
		}{{"asked", false}, {"asked", true}, {"read", false}, {"beside", true}} {
			panics++
			failing.Go(func() {
				h.wantError(c.name+", "+what.name, c.path, h.post(c.path, c.ask(c.name+"-"+what.name, what.stream)), 500)
			})
		}
		panics++
		failing.Go(func() {
			a := h.post(c.path, c.ask(c.name+"-amid", true))
			if a.err != nil || a.status != 200 || endOf(c.path, a.body) != "error" || !strings.HasPrefix(textOf(a.body, true), "word0 word1 ") {
				t.Errorf("%s, amid: got %d, %v and %.500s, want the beginning of a stream and an error", c.name, a.status, a.err, a.body)
			}
		})
	}
	failing.Wait()
	calm.Pause(false)
	calls.Wait()
	for _, c := range faultClients { // by the same process
		wantWhole(t, c.name, h.post(c.path, c.ask(c.lead+"/small", false)), saidOfTheSea)
	}
	h.wantUp("chat", "claude")
	h.stop()
	if got := strings.Count(h.log.all(), `"msg":"panic"`); got < panics {
		t.Errorf("got %d panics in the log, want %d", got, panics)
	}
	if want := 4 * len(faultClients); h.seen() != want { // for an answer, amid a stream, beside another, and the last
		t.Errorf("got %d requests at the vendors, want %d: no understudy is asked after a panic", h.seen(), want)
	}
	for _, line := range []string{"24 entries of 21 calls: 6 posted, 3 estimated, 15 uncertain", "all invariants hold"} {
		if out := h.command("ledger", "verify"); !strings.Contains(out, line) {
			t.Errorf("got\n%s\nwant %q in it", out, line)
		}
	}
}
