//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// crashRuns is how often the gateway is killed: a few times, or UNDERSTUDY_CRASH_RUNS.
func crashRuns(t *testing.T) int {
	t.Helper()
	text := os.Getenv("UNDERSTUDY_CRASH_RUNS")
	if text == "" {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// priced is a config whose ledger has prices.
const priced = `
data: ./data
models:
  assistant: {lead: chat/small, understudies: [claude/small]}
  author: {lead: claude/small, understudies: [chat/small]}
`

// TestKilled kills the gateway at random moments, with streams running and vendors that fail, and holds its ledger against the
// vendors' own journals: no request that a vendor had is missing, and none is there twice (K1, I2, I15).
func TestKilled(t *testing.T) {
	t.Parallel()
	h := openHouse(t, priced)
	vendors := map[string]int{} // requests that the vendors had, by what the client calls them
	next := 0
	var starts []time.Duration
	for run := range crashRuns(t) {
		var clients sync.WaitGroup
		stop := make(chan struct{})
		for client := range 12 {
			clients.Go(func() { h.pester(run, client, stop) })
		}
		if err := h.chat.SetFault(map[bool]*fakeprovider.Fault{true: {Kind: "bad-gateway-502"}}[run%3 == 1]); err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			h.awaitSeen() // for a busy machine, which could be killed in vain each time
		}
		time.Sleep(time.Duration(rand.IntN(1200)) * time.Millisecond)
		_ = h.process.Kill()
		<-h.exited
		h.exited = nil
		close(stop)
		clients.Wait()
		h.collect(vendors)
		begun := time.Now()
		h.start()
		starts = append(starts, time.Since(begun))
		next++
	}
	h.stop()
	slices.Sort(starts)
	t.Logf("killed %d times; the vendors had %d requests; starts took %v, the slowest %v", next, len(vendors), starts[next/2], starts[next-1])
	if usual := starts[next/2]; usual > 2*time.Second {
		t.Errorf("got a start in %v, want it within 2s", usual)
	}
	h.wantBooks(vendors)
}

// wantBooks holds the ledger of a gateway that has ended to its invariants, and to what the vendors had: every request once.
func (h *house) wantBooks(vendors map[string]int) {
	h.t.Helper()
	if out := h.command("ledger", "verify"); !strings.Contains(out, "all invariants hold") {
		h.t.Errorf("ledger verify: got\n%s\nwant it to hold", out)
	}
	if len(vendors) == 0 {
		h.t.Fatal("got no request at the vendors, want some")
	}
	ledger := h.attempts()
	for tag, had := range vendors {
		if ledger[tag] < had {
			h.t.Errorf("%s: got %d attempts in the ledger, want the %d that vendors had", tag, ledger[tag], had)
		}
	}
	for tag, n := range ledger {
		if n > vendors[tag]+1 { // one may have been written down and not sent
			h.t.Errorf("%s: got %d attempts in the ledger, and vendors had %d", tag, n, vendors[tag])
		}
	}
}

// attempts counts what the ledger has, by tag.
func (h *house) attempts() map[string]int {
	h.t.Helper()
	var rows []struct {
		By       map[string]string
		Attempts int
	}
	if err := json.Unmarshal([]byte(h.command("usage", "--by", "tag", "--json")), &rows); err != nil {
		h.t.Fatal(err)
	}
	found := map[string]int{}
	for _, r := range rows {
		found[r.By["tag"]] = r.Attempts
	}
	return found
}

// pester sends streams and whole requests, each under a name of its own, until the gateway is gone.
func (h *house) pester(run, client int, stop chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		tag := fmt.Sprintf("run%d-%d-%d", run, client, i)
		model := []string{"assistant", "author", "chat/small+chunks-30+delay-10ms", "claude/small+chunks-30+delay-10ms"}[i%4]
		body := fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":500,"messages":[{"role":"user","content":"This is %s."}]}`, model, i%3 > 0, tag)
		a := h.post(chatPath, body, "X-Understudy-Tag", tag)
		if a.status == http.StatusServiceUnavailable {
			return
		}
		if a.err != nil {
			select {
			case <-stop:
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

// served sends requests until one is refused, and returns how many were not.
func (h *house) served(run, most int) int {
	h.t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	n, full := 0, false
	for client := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				tag := fmt.Sprintf("run%d-%d-%d", run, client, i)
				a := h.post(chatPath, taggedAsk("assistant", tag, false), "X-Understudy-Tag", tag)
				mu.Lock()
				if a.status == http.StatusOK {
					n++
				} else {
					full = true
				}
				ends := full || n >= most
				mu.Unlock()
				if ends {
					return
				}
			}
		})
	}
	all.Wait()
	return n
}

// collect takes what the vendors' journals have.
func (h *house) collect(into map[string]int) {
	h.t.Helper()
	for begun := time.Now(); !h.haveRead(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			h.t.Fatal("got a vendor that does not read the rest of a request, want it read")
		}
	}
	h.peek(into)
	for _, v := range []*fakeprovider.Server{h.chat, h.claude} {
		v.Forget()
	}
}

// haveRead reports whether the vendors have read all of the requests that they have.
func (h *house) haveRead() bool {
	for _, v := range []*fakeprovider.Server{h.chat, h.claude} {
		if slices.ContainsFunc(v.Requests(), func(s fakeprovider.Seen) bool { return s.Body == nil && s.Done.IsZero() }) {
			return false
		}
	}
	return true
}

// peek counts what the vendors' journals have.
func (h *house) peek(into map[string]int) {
	h.t.Helper()
	name := regexp.MustCompile(`This is (run[0-9-]+)\.`)
	for _, v := range []*fakeprovider.Server{h.chat, h.claude} {
		n := v.Count() // first, since more may come
		seen := v.Requests()
		if n > len(seen) {
			h.t.Fatalf("the vendor's journal has %d of %d requests, want all", len(seen), n)
		}
		for _, s := range seen {
			if found := name.FindSubmatch(s.Body); found != nil {
				into[string(found[1])]++
			}
		}
	}
}

// command runs understudy with the house's config.
func (h *house) command(args ...string) string {
	h.t.Helper()
	cmd := exec.Command("understudy", append(args, "--config", h.config)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TEST_KEY=" + canary}
	out, err := cmd.Output()
	if err != nil {
		h.t.Errorf("%v: got %v and\n%s", args, err, out)
	}
	return string(out)
}
