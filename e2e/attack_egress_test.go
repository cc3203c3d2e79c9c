//go:build unix

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAttackS31S32Images: whatever address a client gives for an image or a file, the gateway does not go there.
func TestAttackS31S32Images(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	h := openHouse(t, standard)
	for _, host := range []string{
		"127.0.0.1", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "017700000001", "127.1", "localhost",
		"169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192", "metadata.google.internal", "allowed@127.0.0.1",
	} {
		for _, scheme := range []string{"http", "https", "file", "gopher", "unix"} {
			url := scheme + "://" + host + ":" + port + "/x.png"
			for _, model := range []string{"chat/small", "claude/small"} {
				chat := fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":%q}}]}]}`, model, url)
				messages := fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":%q}},{"type":"document","source":{"type":"url","url":%q}}]}]}`, model, url, url)
				for path, body := range map[string]string{chatPath: chat, messagesPath: messages} {
					if a := h.post(path, body); a.err != nil || a.status >= 500 {
						t.Errorf("%s to %s from %s: got %d and %v, want an answer or a refusal", url, path, model, a.status, a.err)
					}
				}
			}
		}
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("got %d connections to the address of an image, want none", n)
	}
}

// TestAttackS40Proxies: what the environment puts between the gateway and its providers is told at the start, without
// what stands in it for the proxy alone.
func TestAttackS40Proxies(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "understudy.yaml")
	text := `listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers:
  far: {use: openai, base_url: "https://far.example.com/v1", key: env:TEST_KEY}
  near: {use: openai, base_url: "https://near.example.com/v1", key: env:TEST_KEY}
  here: {use: openai, base_url: "http://127.0.0.1:1/v1", key: env:TEST_KEY}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for environment, want := range map[string]string{
		"HTTPS_PROXY=http://user:" + otherKey + "@proxy.example:3128": `"provider":"far","proxy":"proxy.example:3128"`,
		"HTTPS_PROXY=http://user:" + otherKey + "@pro%zzxy:3128":      `"variable":"HTTPS_PROXY"`,
	} {
		cmd := exec.Command("understudy", "serve", "--log-format", "json", "--config", config)
		cmd.Env = []string{"HOME=" + filepath.Dir(config), "NO_PROXY=near.example.com", "TEST_KEY=" + canary, environment}
		log := &logReader{grown: make(chan struct{}, 1)}
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := log.find(`"msg":"serving"`); err != nil {
			t.Error(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		said := log.all()
		if !strings.Contains(said, want) {
			t.Errorf("%.20s: got %.500s in the log, want it told of %s", environment, said, want)
		}
		if strings.Contains(said, `"provider":"near"`) || strings.Contains(said, `"provider":"here"`) || strings.Contains(said, otherKey) {
			t.Errorf("%.20s: got %.500s in the log, want nothing of near and here, and no secret", environment, said)
		}
	}
}

// TestAttackS60Many opens as many connections as there may be by the dozen and says little on each, S67; meanwhile others
// are served, and in the end all are closed.
func TestAttackS60Many(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	const n = 2000
	var opened []net.Conn
	for i := range n {
		conn, err := net.Dial("tcp", h.address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		opened = append(opened, conn)
		_, _ = io.WriteString(conn, []string{"", "P", "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nX-A: ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}[i%4])
	}
	for range 20 {
		wantWhole(t, "meanwhile", h.post(chatPath, ask("assistant", false)), "Where is Ada?")
	}
	if peak := peakMemory(t, h); peak > 200<<20 {
		t.Errorf("got %d MiB of memory used for %d connections, want at most 200", peak>>20, n)
	}
	var all sync.WaitGroup
	var open atomic.Int64
	for i, conn := range opened {
		if i%4 == 3 {
			continue // HTTP/2 may be silent for the idle time
		}
		all.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
				open.Add(1)
			}
		})
	}
	if all.Wait(); open.Load() > 0 {
		t.Errorf("got %d of %d connections that stay open, want none", open.Load(), n)
	}
}

// TestAttackS61Deaf opens streams that nobody reads: each takes no more than its share of memory.
func TestAttackS61Deaf(t *testing.T) {
	t.Parallel()
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		begin, _ := streamParts(r.URL.Path)
		events := strings.SplitAfter(begin, "\n\n")
		again := strings.Repeat(events[len(events)-2], 100) // a piece of text
		for _, err := io.WriteString(w, begin); err == nil; {
			_, err = io.WriteString(w, again)
		}
	})
	wantWhole(t, "before", h.post(chatPath, ask("chat/small", false)), "Where is Ada?")
	n := swept[int64](200, 100)
	before := memory(t, h)
	for i := range n {
		conn, err := net.Dial("tcp", h.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(1 << 10)
		path, model := chatPath, []string{"evilchat/m", "evilclaude/m"}[i%2]
		if i%4 < 2 {
			path = messagesPath
		}
		body := strings.Replace(ask(model, true), "500", "1000000", 1)
		_, _ = io.WriteString(conn, request(path, "", body))
	}
	time.Sleep(2 * time.Second)
	each := (memory(t, h) - before) / n
	t.Logf("%d KiB each", each>>10)
	if each > 256<<10 {
		t.Errorf("got %d KiB of memory for each stream, want at most 256", each>>10)
	}
	for range 10 {
		wantWhole(t, "meanwhile", h.post(chatPath, ask("chat/small", false)), "Where is Ada?")
	}
}

// memory is what the gateway has now.
func memory(t *testing.T, h *house) int64 {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", h.process.Pid))
	if err != nil {
		t.Skip("the memory of a process is not to be had here")
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
}

// TestAttackS76ManyFailovers lets all calls lose their vendor at once.
func TestAttackS76ManyFailovers(t *testing.T) {
	alone(t)
	const n = 500
	var asked atomic.Int64
	release := make(chan struct{})
	h := evilHouse(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}, "  many: {lead: evilchat/m, understudies: [chat/small], timeouts: {answer: 30s}}\n") // never reached, however busy the machine is
	body := strings.Replace(ask("many", false), "Where is Ada?", "Where is Ada? "+strings.Repeat("x", 20<<10), 1)
	var all sync.WaitGroup
	var whole, shed, other atomic.Int64
	for range n {
		all.Go(func() {
			switch a := h.post(chatPath, body); {
			case a.status == 200 && strings.Contains(a.body, "Where is Ada?"):
				whole.Add(1)
			case a.status == 503 || a.status == 429:
				shed.Add(1)
			default:
				other.Add(1)
				t.Logf("got %d and %.200s (%v)", a.status, a.body, a.err)
			}
		})
	}
	for until := time.Now().Add(patience / 4); asked.Load()+shed.Load() < n && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d wait, %d shed", asked.Load(), shed.Load())
	close(release)
	all.Wait()
	t.Logf("%d answered, %d shed, at most %d MiB", whole.Load(), shed.Load(), peakMemory(t, h)>>20)
	if other.Load() > 0 || whole.Load() == 0 {
		t.Errorf("got %d answers, %d calls shed, %d of anything else; want answers, and some shed at most", whole.Load(), shed.Load(), other.Load())
	}
	if peak := peakMemory(t, h); peak > 300<<20 {
		t.Errorf("got %d MiB of memory used, want at most 300", peak>>20)
	}
}

// TestAttackS70Many asks for ten thousand of everything: it is refused, here or by the vendor, or bounded.
func TestAttackS70Many(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	stops := `"stop":[` + strings.TrimSuffix(strings.Repeat(`"stop",`, 10_000), ",") + "]"
	for _, model := range []string{"chat/small", "claude/small"} {
		for name, members := range map[string]string{
			"choices": `"n":10000`, "choices, huge": `"n":9223372036854775807`, "choices, none": `"n":0`, "choices, negative": `"n":-1`, "stops": stops,
			"logprobs": `"logprobs":true,"top_logprobs":10000`,
		} {
			before := h.seen()
			a := h.post(chatPath, withMembers(members, ask(model, false)))
			if a.status != 400 && (a.status != 200 || len(a.body) > 64<<10) || h.seen() > before+1 {
				t.Errorf("%s of %s: got %d, %d bytes and %d requests at the vendor; want 400, or one answer of bounded size", name, model, a.status, len(a.body), h.seen()-before)
			}
		}
	}
}
