//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// canary is the vendors' key: it begins and ends in what nothing else holds.
const canary = "sk-canary0Zq7Lw3Xv9Tn5Rb1Hd8Kf2Mj6Pc4Ys"

// house is a running gateway with two simulated vendors behind it.
type house struct {
	t            *testing.T
	chat, claude *fakeprovider.Server
	url, address string // of the client APIs
	admin        string // address
	config       string // the file
	log          *logReader
	told         *logReader // what whoever started it is told
	binary       string     // understudy, if not given
	env          []string   // more of it
	files        []*os.File // that it is handed, from descriptor 3 on
	filled       int        // rows of its ledger that are of other times
	process      *os.Process
	exited       chan error
	client       *http.Client
}

// standard is the config of most tests: a lead and an understudy of the other
// vendor's dialect, and the reverse.
const standard = `
models:
  assistant: {lead: chat/small, understudies: [claude/small]}
  author: {lead: claude/small, understudies: [chat/small]}
`

// drainTime is what a gateway has for the calls that run when it is told to stop.
const drainTime = 20 * time.Second

// openHouse starts the vendors and the binary; more is added to the config, in
// which $CHAT and $CLAUDE are the vendors' addresses, and env to its environment.
func openHouse(t *testing.T, more string, env ...string) *house {
	t.Helper()
	h := buildHouse(t, more, env...)
	h.start()
	return h
}

// buildHouse is openHouse without starting the binary.
func buildHouse(t *testing.T, more string, env ...string) *house {
	t.Helper()
	h := &house{t: t, chat: startVendor(t), claude: startVendor(t), env: env}
	text := `listen: 127.0.0.1:0
admin: 127.0.0.1:0
drain: ` + drainTime.String() + `
providers:
  chat: {use: openai, base_url: "$CHAT/v1", key: env:TEST_KEY}
  claude: {use: anthropic, base_url: "$CLAUDE", key: env:TEST_KEY}
` + more
	text = strings.NewReplacer("$CHAT", h.chat.RootURL(), "$CLAUDE", h.claude.RootURL()).Replace(text)
	h.config = filepath.Join(t.TempDir(), "understudy.yaml")
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func startVendor(t *testing.T) *fakeprovider.Server {
	t.Helper()
	v := fakeprovider.New(fakeprovider.Options{Key: canary})
	if _, err := v.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func (h *house) start() {
	h.t.Helper()
	h.launch()
	h.wantServing()
}

// launch starts the program, after the words of wrap if there are any.
func (h *house) launch(wrap ...string) {
	h.t.Helper()
	args := append(wrap, cmp.Or(h.binary, "understudy"), "serve", "--log-level", "debug", "--log-format", "json", "--config", h.config)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(h.config), "NO_PROXY=*", "TEST_KEY=" + canary}, h.env...)
	h.log = &logReader{grown: make(chan struct{}, 1)}
	h.told = &logReader{grown: make(chan struct{}, 1)}
	cmd.ExtraFiles = h.files
	cmd.Stdout, cmd.Stderr = h.told, h.log
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	exited := make(chan error, 1)
	h.process, h.exited = cmd.Process, exited
	go func() { exited <- cmd.Wait() }()
	h.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
	h.t.Cleanup(func() {
		h.client.CloseIdleConnections()
		_ = h.process.Kill()
		if h.exited != nil {
			<-h.exited
			h.exited = nil // it may have been started more than once
		}
	})
}

// wantServing waits until the program serves, and notes where.
func (h *house) wantServing() {
	h.t.Helper()
	line, err := h.log.find(`"msg":"serving"`)
	if err != nil {
		h.t.Fatal(err)
	}
	var serving struct{ Listen, Admin string }
	if err := json.Unmarshal([]byte(line), &serving); err != nil {
		h.t.Fatal(err)
	}
	h.address, h.url, h.admin = serving.Listen, "http://"+serving.Listen, serving.Admin
}

// stop sends SIGTERM and waits for a clean end.
func (h *house) stop() {
	h.t.Helper()
	h.client.CloseIdleConnections() // the gateway waits five seconds for one that was never used
	h.signal(syscall.SIGTERM)
	h.wantEnd(patience)
}

func (h *house) signal(s syscall.Signal) {
	h.t.Helper()
	if err := h.process.Signal(s); err != nil {
		h.t.Fatal(err)
	}
}

// wantEnd waits for the program to end with code 0.
func (h *house) wantEnd(within time.Duration) {
	h.t.Helper()
	select {
	case err := <-h.exited:
		h.exited = nil
		if err != nil {
			h.t.Errorf("got %v, want exit code 0; the log:\n%.3000s", err, h.log.all())
		}
	case <-time.After(within):
		h.t.Errorf("got a gateway that still runs after %v, want it ended; the log:\n%.3000s", within, h.log.all())
	}
}

// wantStopped waits for the program to end, with whatever code.
func (h *house) wantStopped(within time.Duration) {
	h.t.Helper()
	select {
	case <-h.exited:
		h.exited = nil
	case <-time.After(within):
		h.t.Errorf("got a gateway that still runs after %v, want it ended; the log:\n%.3000s", within, h.log.all())
	}
}

// best measures what must take no longer than most, a few times if it does: other work of the machine makes some
// measurements long, and not all of them.
func best(most time.Duration, measure func() time.Duration) time.Duration {
	took := measure()
	for again := 0; again < 4 && took > most; again++ {
		took = min(took, measure())
	}
	return took
}

// seen counts what the vendors were asked.
func (h *house) seen() int { return h.chat.Count() + h.claude.Count() }

// Paths of the two APIs.
const (
	chatPath     = "/v1/chat/completions"
	messagesPath = "/v1/messages"
)

// ask is a request body that both APIs take.
func ask(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":500,"messages":[{"role":"user","content":"Where is Ada?"}]}`, model, stream)
}

// got is an answer to its end.
type got struct {
	status int
	header http.Header
	body   string
	err    error // of the body
}

// post sends a body; header is names and values in turn.
func (h *house) post(path, body string, header ...string) got {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Content-Type" {
			req.Header.Del(header[i])
		}
		req.Header.Add(header[i], header[i+1])
	}
	return h.do(req)
}

func (h *house) do(req *http.Request) got {
	resp, err := h.client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	return got{resp.StatusCode, resp.Header, string(body), err}
}

// wantError checks that an answer is an error of the API that path belongs to:
// short, with the call's id, in one of the statuses.
func (h *house) wantError(name, path string, a got, statuses ...int) {
	h.t.Helper()
	var shape struct {
		Type  string
		Error struct{ Type, Message string }
	}
	err := json.Unmarshal([]byte(a.body), &shape)
	switch {
	case a.err != nil:
		h.t.Errorf("%s: got %v, want an answer", name, a.err)
	case !slices.Contains(statuses, a.status):
		h.t.Errorf("%s: got status %d and %.200s, want %v", name, a.status, a.body, statuses)
	case err != nil || shape.Error.Type == "" || shape.Error.Message == "":
		h.t.Errorf("%s: got %.300s, want an error in the API's form", name, a.body)
	case path == messagesPath && shape.Type != "error":
		h.t.Errorf("%s: got %.300s, want Anthropic's form", name, a.body)
	case a.header.Get("X-Understudy-Call") == "":
		h.t.Errorf("%s: got no call id", name)
	case len(a.body) > 1<<10:
		h.t.Errorf("%s: got an error of %d bytes, want at most 1 KiB", name, len(a.body))
	}
}

// wantWhole checks that an answer is a success and has text.
func wantWhole(t *testing.T, name string, a got, text string) {
	t.Helper()
	if a.err != nil || a.status != http.StatusOK || !strings.Contains(a.body, text) {
		t.Errorf("%s: got status %d, error %v and %.300s, want 200 with %q", name, a.status, a.err, a.body, text)
	}
}

// wantNothingSent checks that no vendor has been asked anything.
func (h *house) wantNothingSent() {
	h.t.Helper()
	if n := h.seen(); n != 0 {
		h.t.Errorf("got %d requests at the vendors, want none", n)
	}
}

// raw sends bytes as they are and returns all that comes back until the other side closes.
func (h *house) raw(text string) (answer string, closed bool) {
	h.t.Helper()
	return rawTo(h.t, h.address, text)
}

func rawTo(t *testing.T, address, text string) (answer string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return rawOn(t, conn, conn, text)
}

// rawAfter is raw on a connection that has begun as those of good clients do, with a call that was answered.
func (h *house) rawAfter(text string) (answer string, closed bool) {
	h.t.Helper()
	conn, r := h.begun()
	return rawOn(h.t, conn, r, text)
}

// rawTime is within what an odd request has its answer, and its connection an end.
const rawTime = 3 * time.Second

// first sends bytes as they are, and returns the status of what is answered first: the connection may stay open.
func first(t *testing.T, conn net.Conn, r *bufio.Reader, text string) int {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(rawTime))
	_, _ = io.WriteString(conn, text) // it need not be read to its end
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// begun is a connection on which one call was made and answered, as it is without anything odd, and its reader.
func (h *house) begun() (net.Conn, *bufio.Reader) {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, strings.Replace(request(chatPath, "", ask("chat/small", false)), "Connection: close\r\n", "", 1))
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	wantWhole(h.t, "plain", got{resp.StatusCode, resp.Header, string(body), err}, "Where is Ada?")
	return conn, r
}

func rawOn(t *testing.T, conn net.Conn, r io.Reader, text string) (answer string, closed bool) {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(rawTime))
	if _, err := io.WriteString(conn, text); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err := io.Copy(&out, io.LimitReader(r, 8<<20))
	return out.String(), !errors.Is(err, os.ErrDeadlineExceeded)
}

// request is an HTTP/1.1 request with a JSON body, as text.
func request(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s", path, len(body), headers, body)
}

// status is the status of a raw answer; 0 if it is none.
func status(answer string) int {
	var minor, code int
	if _, err := fmt.Sscanf(answer, "HTTP/1.%d %d", &minor, &code); err != nil {
		return 0
	}
	return code
}
