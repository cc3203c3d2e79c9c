//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// pointRuns is how often the gateway is killed at each named point: once, or a fiftieth of what is asked for at random moments.
func pointRuns(t *testing.T) int {
	t.Helper()
	return max(1, crashRuns(t)/50)
}

// withFailpoints is a binary that can be told where to die. It takes a while to build.
func withFailpoints(t *testing.T) string {
	t.Helper()
	if os.Getenv("UNDERSTUDY_CRASH_RUNS") == "" {
		t.Skip("skipped: it needs a binary of its own, which `.ci/run crash` builds")
	}
	path, err := buildFailpoints()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildFailpoints = sync.OnceValues(func() (string, error) {
	plain, err := exec.LookPath("understudy")
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(plain), "understudy-failpoints")
	if out, err := build(path, "-tags", "failpoints"); err != nil {
		return "", fmt.Errorf("build with failpoints: %w\n%s", err, out)
	}
	return path, nil
})

// wantStrace skips a test that tampers with syscalls where it is not asked for.
func wantStrace(t *testing.T) {
	t.Helper()
	if os.Getenv("UNDERSTUDY_CRASH_RUNS") == "" {
		t.Skip("skipped: it needs strace and takes a while: `.ci/run crash` runs it")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("got no strace, want it installed")
	}
}

// strace are the words that run a program under strace with the syscalls of one file tampered with.
func strace(file string, tamper ...string) []string {
	// -D keeps the program the child of the test.
	return append([]string{"strace", "-D", "-f", "-qq", "-o", os.DevNull, "-P", file}, tamper...)
}

// wantDead waits for the program to be killed.
func (h *house) wantDead() {
	h.t.Helper()
	select {
	case err := <-h.exited:
		h.exited = nil
		if err == nil {
			h.t.Errorf("got a gateway that ended by itself, want it killed; the log:\n%.3000s", h.log.all())
		}
	case <-time.After(patience):
		h.t.Fatalf("got a gateway that still runs, want it killed; the log:\n%.3000s", h.log.all())
	}
}

// clients are how many ask at a time.
const clients = 6

// busy sends requests of several clients until the program is dead, and notes what the vendors had. What is done meanwhile
// is done when a vendor has a request.
func (h *house) busy(run int, vendors map[string]int, meanwhile ...func()) {
	h.t.Helper()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for client := range clients {
		all.Go(func() { h.pester(run, client, stop) })
	}
	for _, do := range meanwhile {
		h.awaitSeen()
		do()
	}
	h.wantDead()
	close(stop)
	all.Wait()
	h.collect(vendors)
}

// TestKilledInTheJournal kills the gateway at each named point of the way from a reservation to the database (K2, I5).
func TestKilledInTheJournal(t *testing.T) {
	t.Parallel()
	binary := withFailpoints(t)
	for _, point := range []string{"held", "before write", "written", "flushed", "before store", "stored"} {
		t.Run(strings.ReplaceAll(point, " ", "-"), func(t *testing.T) {
			t.Parallel()
			config := priced
			if point == "held" {
				config += "budgets: [{account: \"key:anonymous\", period: ever, most: 500 USD, strict: true}]\n"
			}
			h := openHouse(t, config)
			vendors := map[string]int{}
			for run := range pointRuns(t) {
				h.stop()
				times := 2 + rand.IntN(40)
				if run == 0 {
					times += clients // one of them has had an answer then, so that there is something to look for
				}
				if strings.Contains(point, "store") { // twice a second at most
					times = 1 + rand.IntN(2)
				}
				h.binary, h.env = binary, []string{fmt.Sprintf("UNDERSTUDY_DIE_AT=%s:%d", point, times)}
				h.start()
				h.busy(run, vendors)
				h.binary, h.env = "", nil
				h.start()
			}
			h.stop()
			h.wantBooks(vendors)
		})
	}
}

// TestKilledInTheDatabase kills the gateway when SQLite makes certain syscalls: in the middle of a transaction, before it
// is durable, while the log is brought into the database, and at the end (K2).
func TestKilledInTheDatabase(t *testing.T) {
	wantStrace(t)
	t.Parallel()
	for _, tc := range []struct{ name, file, call, when string }{
		{"log-begun", "ledger.db-wal", "pwrite64", "1"},
		{"mid-transaction", "ledger.db-wal", "pwrite64", "3"},
		{"log-not-durable", "ledger.db-wal", "fdatasync,fsync", "1"},
		{"checkpoint", "ledger.db", "pwrite64", "1"},
		{"checkpoint-not-durable", "ledger.db", "fdatasync,fsync", "1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, priced)
			wrap := strace(filepath.Join(filepath.Dir(h.config), "data", tc.file), "-e", "trace="+tc.call, "-e", "inject="+tc.call+":signal=KILL:when="+tc.when)
			vendors := map[string]int{}
			for run := range pointRuns(t) {
				h.stop()
				h.launch(wrap...)
				h.wantServing()
				var meanwhile []func()
				if strings.HasPrefix(tc.name, "checkpoint") { // there is one in the end, of what was written
					meanwhile = append(meanwhile, func() {
						time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
						_ = h.process.Signal(syscall.SIGTERM)
					})
				}
				h.busy(run, vendors, meanwhile...)
				h.start()
			}
			h.stop()
			h.wantBooks(vendors)
		})
	}
}

// TestKilledWhileTheSchemaIsMade kills the gateway at its first start, at each write to the database (K2).
func TestKilledWhileTheSchemaIsMade(t *testing.T) {
	wantStrace(t)
	t.Parallel()
	h := openHouse(t, priced)
	h.stop()
	folder := filepath.Join(filepath.Dir(h.config), "data")
	vendors := map[string]int{}
	for run := range pointRuns(t) {
		for _, tc := range []struct{ file, when string }{
			{"ledger.db", "1"}, {"ledger.db-wal", "1"}, {"ledger.db-wal", fmt.Sprint(2 + rand.IntN(10))},
		} {
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
			h.launch(strace(filepath.Join(folder, tc.file), "-e", "trace=pwrite64", "-e", "inject=pwrite64:signal=KILL:when="+tc.when)...)
			h.wantDead()
			h.start()
			tag := fmt.Sprintf("run%d-0-0", run)
			wantWhole(t, tc.file, h.post(chatPath, taggedAsk("assistant", tag, false), "X-Understudy-Tag", tag), "run")
			clear(vendors)
			h.collect(vendors)
			h.stop()
			h.wantBooks(vendors)
		}
	}
}

// taggedAsk is a request that tells the vendors by what name the client knows it.
func taggedAsk(model, tag string, stream bool) string {
	body := fmt.Sprintf(`{"model":%q,"max_tokens":500,"messages":[{"role":"user","content":"This is %s."}]`, model, tag)
	if stream {
		body += `,"stream":true,"stream_options":{"include_usage":true}`
	}
	return body + "}"
}

// TestKilledOnTheWay kills the gateway at each point of one streamed call: when it has dialled, when the vendor has the
// request, has answered with headers, the client has the first words, some of them, and how much was used; and in the end,
// when it was told to stop and could not wait (K2, K14).
func TestKilledOnTheWay(t *testing.T) {
	t.Parallel()
	deaf, accepted := deafVendor(t)
	h := openHouse(t, `  deaf: {use: openai, base_url: "http://`+deaf+`/v1", key: env:TEST_KEY}
`+priced)
	vendors := map[string]int{}
	hang := func(kind string) func() {
		return func() {
			if err := h.chat.SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
	}
	const slow = "chat/small+chunks-30+delay-20ms"
	for run := range pointRuns(t) {
		for i, tc := range []struct {
			name, model string
			before      func()
			kill        func(lines <-chan string) // returns when it is time to
			term        bool
		}{
			{name: "dialled", model: "deaf/m", kill: func(<-chan string) { await(t, accepted) }},
			{name: "sent", model: slow, before: hang("hang"), kill: func(<-chan string) { h.awaitSeen() }},
			{name: "headers", model: slow, before: hang("silent"), kill: func(<-chan string) { h.awaitSeen() }},
			{name: "first delta", model: slow, kill: func(lines <-chan string) { until(t, lines, "content", 1) }},
			{name: "mid-stream", model: slow, kill: func(lines <-chan string) { until(t, lines, "content", 2+rand.IntN(20)) }},
			{name: "usage", model: slow, kill: func(lines <-chan string) { until(t, lines, `"prompt_tokens"`, 1) }},
			{name: "drain", model: slow, kill: func(lines <-chan string) { until(t, lines, "content", 3) }, term: true},
		} {
			tag := fmt.Sprintf("run%d-%d-0", run, i)
			if tc.before != nil {
				tc.before()
			}
			lines := h.stream(taggedAsk(tc.model, tag, true), tag)
			tc.kill(lines)
			if tc.term { // as whoever runs it does who does not wait
				h.signal(syscall.SIGTERM)
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			}
			_ = h.process.Kill()
			<-h.exited
			h.exited = nil
			for range lines { // to its end
			}
			if err := h.chat.SetFault(nil); err != nil {
				t.Fatal(err)
			}
			h.collect(vendors)
			if tc.model == "deaf/m" {
				vendors[tag]++
			}
			if vendors[tag] != 1 {
				t.Errorf("%s: got %d requests at the vendors, want one", tc.name, vendors[tag])
			}
			h.start()
		}
	}
	h.stop()
	h.wantBooks(vendors)
	for tag, n := range h.attempts() {
		if n != vendors[tag] {
			t.Errorf("%s: got %d attempts in the ledger, want exactly what the vendors had, %d", tag, n, vendors[tag])
		}
	}
}

// deafVendor takes connections, and says when it has one.
func deafVendor(t *testing.T) (address string, accepted <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	had := make(chan struct{}, 64)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			had <- struct{}{}
			defer conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String(), had
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("got nothing for a while, want it to happen")
	}
}

// awaitSeen waits until a vendor has a request, and a moment for what it answers.
func (h *house) awaitSeen() {
	h.t.Helper()
	for begun := time.Now(); h.seen() == 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			h.t.Fatal("got no request at the vendors, want one")
		}
	}
	time.Sleep(20 * time.Millisecond)
}

// until reads lines up to the n-th that has a word in it.
func until(t *testing.T, lines <-chan string, word string, n int) {
	t.Helper()
	for line := range lines {
		if strings.Contains(line, word) {
			if n--; n == 0 {
				return
			}
		}
	}
	t.Errorf("got the end of the stream, want %d more lines with %q", n, word)
}

// stream sends a request and returns the lines of its answer as they come.
func (h *house) stream(body, tag string, header ...string) <-chan string {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+chatPath, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Understudy-Tag", tag)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	lines := make(chan string, 1000) // more than there are
	go func() {
		defer close(lines)
		resp, err := h.client.Do(req)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}
