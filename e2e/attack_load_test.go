//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// TestAttackS77Canaries plants secrets in all that a client and an operator hand
// over, lets requests fail and succeed, and looks for them in all that comes out.
func TestAttackS77Canaries(t *testing.T) {
	t.Parallel()
	h := openHouse(t, `  other: {use: openai, base_url: "$CHAT/v1", key: "file:`+keyFile(t)+`"}
models:
  assistant: {lead: chat/small, understudies: [claude/small], timeouts: {answer: 300ms, first_token: 300ms, stall: 300ms, total: 2s}}
  author: {lead: claude/small, understudies: [chat/small], timeouts: {answer: 300ms, first_token: 300ms, stall: 300ms, total: 2s}}
`)
	// These must not be in what is logged; the vendors' keys in nothing at all.
	var planted []string
	plant := func(kind string) string {
		s := fmt.Sprintf("cnry%02d%s8Zq7Lw3Xv", len(planted), kind)
		planted = append(planted, s)
		return s
	}
	headers := []string{
		"Authorization", "Bearer " + plant("bearer"), "Cookie", "session=" + plant("cookie"), "X-Forwarded-For", plant("forwarded"), "Referer", "http://" + plant("referer"),
		"User-Agent", plant("agent"), "X-Request-Id", plant("request"), "Idempotency-Key", plant("idempotency"), "Proxy-Authorization", "Basic " + plant("proxy"),
	}
	query := "?key=" + plant("query") + "&api_key=" + plant("apikey")
	body := func(model string, stream bool) string {
		return fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":50,"user":%q,"store":true,"metadata":{"user_id":%q},"tools":[{"type":"function","function":{"name":"f","description":%q,"parameters":{"type":"object"}}}],
"messages":[{"role":"system","content":%q},{"role":"user","content":%q},{"role":"assistant","content":%q},{"role":"user","content":%q}]}`,
			model, stream, plant("user"), plant("metadata"), plant("tool"), plant("system"), plant("first"), plant("reply"), plant("second"))
	}
	faults := []string{"", "auth-401", "permission-403", "invalid-400", "quota-429", "rate-429-seconds", "internal-500", "overloaded-529", "html-403", "bad-gateway-502", "reset", "close", "invalid-json", "error-200", "redirect-307", "half-headers", "hang", "reset-stream", "not-json"}
	out := func(a got) string { return fmt.Sprint(a.header) + a.body }
	var all strings.Builder
	for i := range 200 {
		kind := faults[i%len(faults)]
		for _, v := range []*fakeprovider.Server{h.chat, h.claude} {
			var f *fakeprovider.Fault
			if kind != "" {
				f = &fakeprovider.Fault{Kind: kind}
			}
			if kind == "hang" && i > 60 {
				f = nil // it takes its time
			}
			if err := v.SetFault(f); err != nil {
				t.Fatal(err)
			}
		}
		path := []string{chatPath, messagesPath, "/v1/nothing", "/v1/models"}[i/2%4]
		b := body([]string{"assistant", "author", "other/m", "nobody"}[i/3%4], i%2 == 0)
		if i%7 == 0 {
			b = b[:len(b)/2] // not JSON
		}
		h.post(path+query, b, headers...)
		all.WriteString(out(h.post(path, b, "Authorization", "Bearer "+plant("second"))))
		all.WriteString(out(h.post(path, b, "X-Api-Key", plant("one"), "Api-Key", plant("two"))))
	}
	for _, path := range []string{"/healthz", "/readyz", "/debug/pprof/heap?debug=1", "/metrics", "/debug/vars", "/"} {
		answer, _ := rawTo(t, h.admin, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		all.WriteString(answer)
	}
	h.signal(syscall.SIGHUP)
	if _, err := h.log.find("config reloaded"); err != nil {
		t.Error(err)
	}
	h.stop()
	log := h.log.all()
	for _, s := range planted {
		if i := strings.Index(log, s); i >= 0 {
			t.Errorf("got %s in the log: %.300q", s, log[max(0, i-150):])
		}
	}
	for _, key := range []string{canary, otherKey} {
		if strings.Contains(log+all.String(), key[:12]) || strings.Contains(log+all.String(), key[len(key)-8:]) {
			t.Errorf("got the key %s... in what comes out", key[:12])
		}
	}
	if n := strings.Count(log, `"msg":"call"`); n < 500 {
		t.Errorf("got %d calls in the log, want them all", n)
	}
}

// otherKey is a vendors' key in a file.
const otherKey = "sk-otherKey5Gh8Jk2Wq6Rt4Yp"

func keyFile(t *testing.T) string {
	t.Helper()
	file := t.TempDir() + "/key"
	if err := os.WriteFile(file, []byte(otherKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAttackS69LargeBodies sends 50 bodies of 2 MiB at once.
func TestAttackS69LargeBodies(t *testing.T) {
	alone(t)
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, wholeAnswer(r.URL.Path))
	})
	const n, size = 50, 2 << 20
	body := strings.Replace(ask("evilclaude/m", false), "Where is Ada?", strings.Repeat("x", size), 1)
	var failed atomic.Int64
	var first sync.Once
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			a := h.post(chatPath, body)
			if a.err != nil || a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
				failed.Add(1)
				first.Do(func() { t.Errorf("got %d and %.200s (%v), want 200 or 503", a.status, a.body, a.err) })
			}
		})
	}
	all.Wait()
	if failed.Load() > 0 {
		t.Errorf("got %d of %d calls failed, want none", failed.Load(), n)
	}
	peak := peakMemory(t, h)
	t.Logf("at most %d MiB", peak>>20)
	if peak > 6*n*size {
		t.Errorf("got %d MiB of memory used for %d MiB of bodies, want at most six times as much", peak>>20, n*size>>20)
	}
	wantWhole(t, "afterwards", h.post(chatPath, ask("chat/small", false)), "Where is Ada?")
}

// TestReloadUnderLoad changes the config 20 times or, at full length, 100 times, spoils it every fifth time and takes it
// away, while calls run and streams are open: none fails, and none is cut (L8).
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	text, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var calls atomic.Int64
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				path, model := chatPath, "assistant"
				if worker%2 == 0 {
					path, model = messagesPath, "author"
				}
				a := h.post(path, ask(model, worker%3 == 0))
				if calls.Add(1); a.status != 200 || a.err != nil || !strings.Contains(a.body, "Ada") {
					t.Errorf("got %d and %.300s (%v), want an answer", a.status, a.body, a.err)
					return
				}
			}
		})
	}
	opened := atFullLength(1000, 20)
	streams := h.wholeStreams(opened, atFullLength(150, 40))
	write := func(text string) {
		if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
		h.signal(syscall.SIGHUP)
	}
	wait := func(pattern string) {
		if _, err := h.log.find(pattern); err != nil {
			t.Errorf("got no line %q", pattern)
		}
	}
	for i := range atFullLength(100, 20) {
		if i%5 == 4 {
			write("providers: {}}")
			wait("config not reloaded.*understudy.yaml:1:14")
			continue
		}
		leads := []string{"chat/small", "claude/small"}
		write(strings.Replace(string(text), "assistant: {lead: chat/small, understudies: [claude/small]}",
			fmt.Sprintf("assistant: {lead: %s, understudies: [%s]}", leads[i%2], leads[1-i%2]), 1))
		wait("config reloaded")
	}
	write("providers: {}}")
	wait("config not reloaded")
	if err := os.Remove(h.config); err != nil {
		t.Error(err)
	}
	h.signal(syscall.SIGHUP)
	wait("config not reloaded")
	if err := os.Mkdir(h.config, 0o700); err != nil {
		t.Error(err)
	}
	h.signal(syscall.SIGHUP)
	wait("config not reloaded")
	if err := os.Remove(h.config); err != nil {
		t.Error(err)
	}
	if err := syscall.Mkfifo(h.config, 0o600); err != nil { // nobody ever writes to it
		t.Error(err)
	}
	h.signal(syscall.SIGHUP)
	wait("config not reloaded.*is a pipe")
	if err := os.WriteFile(h.config+".new", text, 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Rename(h.config+".new", h.config); err != nil { // found without a signal
		t.Error(err)
	}
	wantWhole(t, "afterwards", h.post(chatPath, ask("assistant", false)), "Ada")
	for until := time.Now().Add(patience); calls.Load() < 100 && time.Now().Before(until) && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	all.Wait()
	streams()
	if calls.Load() < 100 {
		t.Errorf("got %d calls, want traffic", calls.Load())
	}
	t.Logf("%d reloads, one in five refused: %d calls and %d open streams", atFullLength(100, 20), calls.Load(), opened)
	h.stop()
}

// TestStopCutsNoStream: SIGTERM lets 50 streams end, or at full length 1,000 that need a minute; the second one ends them
// at once, in an error event (F35, F36, L7).
func TestStopCutsNoStream(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		t.Run(fmt.Sprintf("twice %v", twice), func(t *testing.T) {
			t.Parallel()
			h := openHouse(t, standard)
			if full := atFullLength(2*time.Minute, 0); full > 0 && !twice { // what the streams need
				text, err := os.ReadFile(h.config)
				if err != nil {
					t.Fatal(err)
				}
				changed := strings.Replace(string(text), "drain: "+drainTime.String(), "drain: "+full.String(), 1)
				if err := os.WriteFile(h.config, []byte(changed), 0o600); err != nil {
					t.Fatal(err)
				}
				h.signal(syscall.SIGHUP)
				if _, err := h.log.find("config reloaded"); err != nil {
					t.Fatal(err)
				}
				h.client.Timeout = full
			}
			n, chunks := atFullLength(1000, 50), atFullLength(100, 25)
			if twice {
				chunks = 4_000 // more than there is time for
			}
			type stream struct {
				path string
				body io.ReadCloser
			}
			streams := make([]stream, n)
			var opening sync.WaitGroup
			for i := range n {
				opening.Go(func() {
					path, model := chatPath, "chat"
					if i%2 == 0 {
						path = messagesPath
					}
					if i%4 < 2 {
						model = "claude"
					}
					body := strings.Replace(ask(fmt.Sprintf("%s/small+chunks-%d+delay-%s", model, chunks, pieceDelay()), true), `"max_tokens":500`, `"max_tokens":100000`, 1)
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := h.client.Do(req)
					if err != nil || resp.StatusCode != 200 {
						t.Errorf("got %v and %v, want a stream", resp, err)
						return
					}
					streams[i] = stream{path, resp.Body}
				})
			}
			if opening.Wait(); t.Failed() {
				t.FailNow()
			}
			// One more client does not read.
			deaf, err := net.Dial("tcp", h.address)
			if err != nil {
				t.Fatal(err)
			}
			defer deaf.Close()
			_ = deaf.(*net.TCPConn).SetReadBuffer(1 << 10)
			_, _ = io.WriteString(deaf, request(chatPath, "", ask("chat/small+chunks-100000", true)))
			h.client.CloseIdleConnections()
			h.signal(syscall.SIGTERM)
			if _, err := h.log.find(`"msg":"stopping"`); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if twice {
				h.signal(syscall.SIGTERM)
			} else {
				deaf.Close()
			}
			for _, s := range streams {
				r := bufio.NewReader(io.LimitReader(s.body, 8<<20))
				text, err := io.ReadAll(r)
				s.body.Close()
				clean := strings.Contains(string(text), "data: [DONE]") || strings.Contains(string(text), "event: message_stop")
				failed := strings.Contains(string(text), "\ndata: {\"error\":") || strings.Contains(string(text), "event: error\n")
				if err != nil || clean == twice || failed != twice {
					t.Fatalf("%s: got a stream that ends with %.300q (%v), want an error event: %v", s.path, text[max(0, len(text)-300):], err, twice)
				}
			}
			t.Logf("%d streams over %v after the signal", n, time.Since(begin).Round(time.Second))
			if !twice {
				h.wantEnd(patience)
				return
			}
			h.wantStopped(5*time.Second - time.Since(begin))
		})
	}
}
