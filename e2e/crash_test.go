//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/store/sqlite"
	"github.com/understudy-ai/understudy/store/storetest"
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
// vendors' own journals: no request that a vendor had is missing, and none is there twice (K1, I2, I15). Where it is killed
// often, its ledger has a million rows.
func TestKilled(t *testing.T) {
	t.Parallel()
	h := openHouse(t, priced)
	if os.Getenv("UNDERSTUDY_CRASH_RUNS") != "" {
		h.fill(1_000_000)
	}
	killAtRandom(t, crashRuns(t), h)
}

// TestKilledWithADatabase kills two gateways that share a database and a budget, one at a time, while the other goes on.
func TestKilledWithADatabase(t *testing.T) {
	t.Parallel()
	server := os.Getenv("UNDERSTUDY_POSTGRES")
	if server == "" {
		t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
	}
	more := "store: " + emptyDatabase(t, server) + `
budgets: [{account: "key:anonymous", period: ever, most: 5000 USD}]
` + priced
	killAtRandom(t, 2*crashRuns(t), openHouse(t, more), openHouse(t, more))
}

// emptyDatabase makes one on the server of a URL, and returns its own.
func emptyDatabase(t *testing.T, server string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	name := fmt.Sprint("killed", time.Now().UnixNano())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// fill gives the ledger rows of other times.
func (h *house) fill(rows int) {
	h.t.Helper()
	h.stop()
	db, err := sqlite.Open(h.t.Context(), filepath.Join(filepath.Dir(h.config), "data", "ledger.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	storetest.Fill(h.t, db, rows)
	if err := db.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.filled = rows
	h.start()
}

// price says what the models that are asked for most cost.
func (h *house) price() {
	h.t.Helper()
	text, err := os.ReadFile(h.config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.stop()
	priced := strings.ReplaceAll(string(text), "key: env:TEST_KEY}", "key: env:TEST_KEY, models: [{id: small, price: {input: 1, output: 2}}]}")
	if err := os.WriteFile(h.config, []byte(priced), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.start()
}

// killAtRandom kills gateways one after the other, and starts them again.
func killAtRandom(t *testing.T, runs int, houses ...*house) {
	t.Helper()
	const most = 12 // clients
	for _, h := range houses {
		h.price()
	}
	vendors := map[string]int{} // requests that the vendors had, by what the client calls them
	var starts []time.Duration
	for run := range runs {
		var clients sync.WaitGroup
		stop := make(chan struct{})
		for client := range most {
			clients.Go(func() { houses[client%len(houses)].pester(run, client, stop) })
		}
		for _, h := range houses {
			if err := h.chat.SetFault(map[bool]*fakeprovider.Fault{true: {Kind: "bad-gateway-502"}}[run%3 == 1]); err != nil {
				t.Fatal(err)
			}
			if run == 0 {
				h.awaitSeen() // for a busy machine, which could be killed in vain each time
			}
		}
		time.Sleep(time.Duration(rand.IntN(1200)) * time.Millisecond)
		h := houses[run%len(houses)]
		_ = h.process.Kill()
		<-h.exited
		h.exited = nil
		close(stop)
		clients.Wait()
		for _, h := range houses {
			h.collect(vendors)
		}
		begun := time.Now()
		h.start()
		starts = append(starts, time.Since(begun))
	}
	for _, h := range houses {
		h.stop()
	}
	slices.Sort(starts)
	t.Logf("killed %d times; the vendors had %d requests; starts took %v, the slowest %v", runs, len(vendors), starts[runs/2], starts[runs-1])
	if usual := starts[runs/2]; usual > 2*time.Second {
		t.Errorf("got a start in %v, want it within 2s", usual)
	}
	houses[0].wantUncertain(vendors)
	if unsent := houses[0].wantBooks(vendors); unsent > runs*most {
		t.Errorf("got %d attempts in the ledger that no vendor had, want one at most for each client and time that a gateway was killed, %d", unsent, runs*most)
	}
}

// wantBooks holds the ledger of a gateway that has ended to its invariants, and to what the vendors had: every request once. It
// returns how many attempts were written down that no vendor had.
func (h *house) wantBooks(vendors map[string]int) (unsent int) {
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
		unsent += max(n-vendors[tag], 0)
	}
	return unsent
}

// wantUncertain holds what no vendor has had to cost nothing, or nothing that is sure.
func (h *house) wantUncertain(vendors map[string]int) {
	h.t.Helper()
	var rows []struct {
		By        map[string]string
		Cost      string `json:"cost_usd"`
		Uncertain string `json:"uncertain_usd"`
	}
	if err := json.Unmarshal([]byte(h.command("usage", "--by", "tag", "--json")), &rows); err != nil {
		h.t.Fatal(err)
	}
	sure := 0
	for _, r := range rows {
		switch tag := r.By["tag"]; {
		case tag != "" && vendors[tag] == 0 && r.Cost != r.Uncertain:
			h.t.Errorf("%s: got a cost of %s, of which %s is not sure, want nothing sure: no vendor had it", tag, r.Cost, r.Uncertain)
		case vendors[tag] > 0 && r.Cost != r.Uncertain:
			sure++
		}
	}
	if sure == 0 {
		h.t.Error("got no cost that is sure, want those of most requests")
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
	if found[""] -= h.filled; found[""] == 0 {
		delete(found, "")
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
