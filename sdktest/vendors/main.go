// Program vendors sets the stage for an application that uses a vendor's SDK: it starts simulated
// vendors (OpenAI, Anthropic, Gemini, Cohere, Bedrock and an Ollama) and a gateway in front of them (the
// program that $UNDERSTUDY names), prints one line of JSON with the addresses, and ends when its
// input does. The gateway's log is kept in the file that $GATEWAY_LOG names, if any.
//
// The models are openai-only, anthropic-only and so on for each vendor, openai-first and so on
// (OpenAI is everybody's understudy, Anthropic is OpenAI's), and every provider/model. OpenAI also
// serves what nobody translates: see [relayed].
//
// The control address moves the stage. All paths take and give JSON:
//
//	POST /reset                                        mend all vendors, forget what was said and seen, also in the gateway
//	POST /fault   {"vendor", "kind", "after", "once"}  break a vendor; once: for its next request only
//	POST /replies {"vendor", "replies": [...]}         what the vendor answers next (fakeprovider.Reply)
//	GET  /journal?vendor=openai                        what the vendor was asked
//
// It tests nothing itself.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

const startLimit = 15 * time.Second

// What the gateway says when it has started: where it listens to clients and to its operator, and what
// the operator shows.
var (
	serving = regexp.MustCompile(`"msg":"serving","listen":"([^"]+)","admin":"([^"]+)"`)
	token   = regexp.MustCompile(`The admin token, shown this once: (\S+)`)
)

// operator is the gateway's admin API.
type operator struct{ url, token string }

// addresses are those of a gateway that has started.
type addresses struct {
	clients string
	admin   operator
}

// names are the vendors.
func names() []string {
	return []string{"openai", "anthropic", "gemini", "cohere", "bedrock", "ollama"}
}

func keyOf(name string) string { return "vendor-secret-" + name }

// config is the gateway's, with names for the addresses. The models are real ones, so that their
// facts apply; a lead that hangs is given up after a heartbeat.
const config = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers:
  openai: {base_url: "http://$openai/v1", key: "env:STAGE_OPENAI_KEY"}
  anthropic: {base_url: "http://$anthropic", key: "env:STAGE_ANTHROPIC_KEY"}
  gemini: {base_url: "http://$gemini", key: "env:STAGE_GEMINI_KEY"}
  cohere: {base_url: "http://$cohere", key: "env:STAGE_COHERE_KEY"}
  bedrock: {base_url: "http://$bedrock", key: "env:STAGE_BEDROCK_KEY"}
  ollama: # in its own API, not in those that it has for the clients of others
    base_url: "http://$ollama"
    only: {openai-chat: ["!*"], openai-responses: ["!*"], anthropic-messages: ["!*"]}
models:
  openai-only: {lead: openai/gpt-4o}
  anthropic-only: {lead: anthropic/claude-sonnet-4-5}
  gemini-only: {lead: gemini/gemini-3-pro-preview}
  cohere-only: {lead: cohere/command-a-03-2025}
  bedrock-only: {lead: bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0}
  ollama-only: {lead: ollama/qwen3}
  openai-first:
    lead: openai/gpt-4o
    understudies: [anthropic/claude-sonnet-4-5]
    timeouts: {first_token: 1500ms, answer: 1500ms}
  anthropic-first:
    lead: anthropic/claude-sonnet-4-5
    understudies: [openai/gpt-4o]
    timeouts: {first_token: 1500ms, answer: 1500ms}
  gemini-first: {lead: gemini/gemini-3-pro-preview, understudies: [openai/gpt-4o]}
  cohere-first: {lead: cohere/command-a-03-2025, understudies: [openai/gpt-4o]}
  bedrock-first: {lead: bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0, understudies: [openai/gpt-4o]}
  ollama-first: {lead: ollama/qwen3, understudies: [openai/gpt-4o]}
limits: {heartbeat: 1s}
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "vendors:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	s := stage{}
	started := make(chan operator, 1)
	handlers := map[string]http.Handler{"control": s.control(started)}
	for _, name := range names() {
		s[name] = newVendor(keyOf(name))
		handlers[name] = s[name]
	}
	s["ollama"].key = "" // whoever reaches it may use it
	s["ollama"].reset()
	handlers["openai"] = relayed(s["openai"])
	vendorsAt := map[string]string{}
	for name, handler := range handlers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(l) }()
		vendorsAt[name] = l.Addr().String()
	}
	gateway, admin, wait, err := startGateway(ctx, vendorsAt)
	if err != nil {
		return err
	}
	started <- admin
	line, err := json.Marshal(map[string]string{"gateway": gateway, "control": "http://" + vendorsAt["control"]})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	return wait()
}

// startGateway runs the gateway until ctx is done. wait returns when it has ended.
func startGateway(ctx context.Context, vendorsAt map[string]string) (baseURL string, admin operator, wait func() error, err error) {
	program := os.Getenv("UNDERSTUDY")
	if program == "" {
		return "", operator{}, nil, errors.New("got no $UNDERSTUDY, want the path of the program to test")
	}
	dir, err := os.MkdirTemp("", "sdktest")
	if err != nil {
		return "", operator{}, nil, err
	}
	file := filepath.Join(dir, "understudy.yaml")
	text := os.Expand(config, func(name string) string { return vendorsAt[name] })
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", operator{}, nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--config", file)
	log := &gatewayLog{listens: make(chan addresses, 1)}
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = dir, log, 5*time.Second
	cmd.Stdout = struct{ io.Writer }{log} // not the same: the program prints no token where its log goes
	cmd.Env = os.Environ()
	for _, name := range names() {
		cmd.Env = append(cmd.Env, "STAGE_"+strings.ToUpper(name)+"_KEY="+keyOf(name))
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return "", operator{}, nil, fmt.Errorf("start %s: %w", program, err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		switch file := os.Getenv("GATEWAY_LOG"); {
		case ctx.Err() == nil:
			err = fmt.Errorf("gateway ended by itself: %w\n%s", err, &log.text)
		case file != "":
			err = os.WriteFile(file, log.text.Bytes(), 0o600)
		case errors.Is(err, context.Canceled):
			err = nil
		}
		_ = os.RemoveAll(dir)
		ended <- err
	}()
	wait = func() error { return <-ended }
	select {
	case at := <-log.listens:
		return at.clients, at.admin, wait, nil
	case err := <-ended:
		return "", operator{}, nil, err
	case <-time.After(startLimit):
		return "", operator{}, nil, errors.New("gateway did not listen in time")
	}
}

// gatewayLog keeps what the gateway logs, and tells where it listens once it does.
type gatewayLog struct {
	mu      sync.Mutex   // both outputs are written at once
	text    bytes.Buffer // read only after the program has ended
	listens chan addresses
	told    bool
}

func (l *gatewayLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.text.Write(b)
	if l.told {
		return n, err
	}
	at, shown := serving.FindSubmatch(l.text.Bytes()), token.FindSubmatch(l.text.Bytes())
	if at != nil && shown != nil {
		l.told = true
		l.listens <- addresses{"http://" + string(at[1]), operator{"http://" + string(at[2]), string(shown[1])}}
	}
	return n, err
}

// vendor is a simulated vendor that can be replaced by a fresh one at the same address.
type vendor struct {
	key string

	mu     sync.Mutex
	server *fakeprovider.Server
}

func newVendor(key string) *vendor {
	v := &vendor{key: key}
	v.reset()
	return v
}

func (v *vendor) reset() {
	v.mu.Lock()
	old := v.server
	v.server = fakeprovider.New(fakeprovider.Options{Key: v.key})
	v.mu.Unlock()
	if old != nil {
		old.Close()
	}
}

func (v *vendor) current() *fakeprovider.Server {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.server
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) { v.current().ServeHTTP(w, r) }

// stage is the vendors by name.
type stage map[string]*vendor

// order is a request to the control address.
type order struct {
	Vendor  string
	Kind    string
	After   int
	Once    bool
	Replies []fakeprovider.Reply
}

// control moves the stage, and the gateway, once that has started.
func (s stage) control(started <-chan operator) http.Handler {
	admin := sync.OnceValue(func() operator { return <-started })
	mux := http.NewServeMux()
	handle := func(pattern string, do func(*vendor, order) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			o := order{Vendor: r.URL.Query().Get("vendor")}
			if r.Method == http.MethodPost {
				if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
					http.Error(w, err.Error(), http.StatusBadRequest)
					return
				}
			}
			v := s[o.Vendor]
			if v == nil {
				http.Error(w, "no vendor "+o.Vendor, http.StatusNotFound)
				return
			}
			answer, err := do(v, o)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		for name, v := range s {
			v.reset()
			if err := admin().forget(name); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		_, _ = io.WriteString(w, "{}")
	})
	handle("POST /fault", breakVendor)
	handle("POST /replies", func(v *vendor, o order) (any, error) {
		v.current().Enqueue(o.Replies...)
		return nil, nil
	})
	handle("GET /journal", func(v *vendor, _ order) (any, error) { return entries(v.current().Requests()), nil })
	return mux
}

// forget makes the gateway try a vendor as if it had never failed.
func (o operator) forget(vendor string) error {
	req, err := http.NewRequest(http.MethodPost, o.url+"/v1/health/"+vendor+"/forget", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("forget the failures of %s: %s: %s", vendor, resp.Status, text)
	}
	return nil
}

func breakVendor(v *vendor, o order) (any, error) {
	known := false
	for _, f := range fakeprovider.Faults() {
		known = known || f.Kind == o.Kind && !f.ServerWide
	}
	switch f := (fakeprovider.Fault{Kind: o.Kind, After: o.After}); {
	case !known:
		return nil, fmt.Errorf("no fault %q", o.Kind)
	case o.Once:
		v.current().Queue(f)
		return nil, nil
	default:
		return nil, v.current().SetFault(&f)
	}
}

// entry is one request that a vendor got. Times are Unix milliseconds.
type entry struct {
	Model     string          `json:"model"`
	Stream    bool            `json:"stream"`
	Status    int             `json:"status"`
	Fault     string          `json:"fault"`
	Refused   string          `json:"refused"`
	Open      bool            `json:"open"`
	Cancelled int64           `json:"cancelled"` // 0 when the client stayed
	Body      json.RawMessage `json:"body"`
}

func entries(seen []fakeprovider.Seen) []entry {
	out := []entry{}
	for _, s := range seen {
		e := entry{Model: s.Model, Stream: s.Stream, Status: s.Status, Fault: s.Fault, Refused: s.Refused, Open: s.Done.IsZero(), Body: json.RawMessage("null")}
		if !s.Cancelled.IsZero() {
			e.Cancelled = s.Cancelled.UnixMilli()
		}
		if body := bytes.TrimSpace(s.Body); json.Valid(body) {
			e.Body = body
		}
		out = append(out, e)
	}
	return out
}
