package app

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-ai/understudy/config"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/provider"
)

func TestMain(m *testing.M) {
	// Each starts gateways over and over, and waits for flushes. What is parallel waits for most of its time.
	if err := errors.Join(flag.Set("rapid.checks", "5"), flag.Set("test.parallel", "6")); err != nil {
		panic("BUG: " + err.Error())
	}
	goleak.VerifyTestMain(m)
}

// TestReloadUnderLoad reloads while calls run, every fifth time with a config that
// is no good. No call fails, and each is served wholly by one version: the version
// with route one never reaches vendor two.
func TestReloadUnderLoad(t *testing.T) {
	vendors := map[string]*fakeprovider.Server{"ONE": newVendor(t), "TWO": newVendor(t)}
	versions := []*config.Config{
		parse(t, "providers: {one: {use: openai, base_url: $ONE/v1, key: env:TEST_KEY}}\nmodels: {m: {lead: one/a, understudies: [one/b]}}", vendors),
		parse(t, "providers: {two: {use: anthropic, base_url: $TWO, key: env:TEST_KEY}}\nmodels: {m: {lead: two/a, understudies: [two/b]}}", vendors),
	}
	bad := parse(t, "providers: {one: {use: openai, base_url: $ONE/v1, key: env:NOT_SET}}\nmodels: {m: {lead: one/a}}", vendors)
	a := start(t, versions[0], io.Discard)
	client := newClient(t)

	stop := make(chan struct{})
	var callers sync.WaitGroup
	var answered atomic.Int64
	targets := make([]map[string]int, 4)
	for i := range targets {
		targets[i] = map[string]int{}
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				body := `{"model": "m", "messages": [{"role": "user", "content": "hi"}]}`
				resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("got %v, want an answer", err)
					return
				}
				answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("got status %d: %s, want 200", resp.StatusCode, answer)
					return
				}
				targets[i][resp.Header.Get("X-Understudy-Target")+" of "+resp.Header.Get("X-Understudy-Attempts")]++
				answered.Add(1)
			}
		})
	}
	for i := range 100 {
		if i%5 == 4 {
			var problems config.Problems
			if err := a.Reload(t.Context(), bad); !errors.As(err, &problems) || problems[0].Line == 0 || !strings.Contains(err.Error(), "NOT_SET") {
				t.Errorf("got %v, want a problem with its line", err)
			}
			continue
		}
		if err := a.Reload(t.Context(), versions[i%2]); err != nil {
			t.Error(err)
		}
		since := answered.Load() // the next one but those that run is served by this version
		eventually(t, "calls answered", func() bool { return t.Failed() || answered.Load() > since+int64(len(targets)) })
	}
	close(stop)
	callers.Wait()
	seen := map[string]int{}
	for _, m := range targets {
		for target, n := range m {
			seen[target] += n
		}
	}
	if len(seen) != 2 || seen["one/a of 1"] == 0 || seen["two/a of 1"] == 0 {
		t.Errorf("got targets %v, want one/a and two/a, at the first attempt", seen)
	}
}

func TestKeys(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const credentials = "{\n  \"type\": \"service_account\"\n}"
	results := map[config.Key]printed{}
	said := func(program, text string, err error) config.Key {
		k := config.Key{Command: config.Command(program + "\x00canary\x00"), Timeout: time.Second}
		results[k] = printed{text: provider.NewSecret(text), err: err}
		return k
	}
	for _, tc := range []struct {
		name string
		key  config.Key
		want string // the key, or what the error begins with
		auth string
	}{
		{"env", config.Key{Env: "TEST_KEY"}, canary, ""},
		{"env optional", config.Key{Env: "NOT_SET", Optional: true}, "", provider.AuthAWS},
		{"env optional and empty", config.Key{Env: "EMPTY_KEY", Optional: true}, "", provider.AuthAWS},
		{"env optional and set", config.Key{Env: "TEST_KEY", Optional: true}, canary, provider.AuthAWS},
		{"file of credentials", config.Key{File: file("credentials", credentials+"\n")}, credentials, provider.AuthGoogle},
		{"key for credentials", config.Key{Env: "TEST_KEY"}, "env:TEST_KEY holds something else than a file of credentials", provider.AuthGoogle},
		{"credentials for a key", config.Key{File: file("credentials2", credentials)}, "file:" + filepath.Join(folder, "credentials2") + " holds something else", ""},
		{"file", config.Key{File: file("good", canary+"\n")}, canary, ""},
		{"none", config.Key{None: true}, "", ""},
		{"env not set", config.Key{Env: "NOT_SET"}, "the variable NOT_SET is not set", ""},
		{"env empty", config.Key{Env: "EMPTY_KEY"}, "env:EMPTY_KEY is empty", ""},
		{"env two lines", config.Key{Env: "TWO_LINES"}, "env:TWO_LINES holds something else than a key", ""},
		{"file absent", config.Key{File: filepath.Join(folder, "absent")}, "the key file " + filepath.Join(folder, "absent") + " cannot be opened", ""},
		{"file empty", config.Key{File: file("empty", "\n")}, "file:" + filepath.Join(folder, "empty") + " is empty", ""},
		{"command", said("good", "\n"+canary+"\n", nil), canary, ""},
		{"command for credentials", said("credentials", credentials, nil), credentials, provider.AuthGoogle},
		{"command without words", said("silent", " \n", nil), "what command silent printed is empty", ""},
		{"command of two lines", said("two", canary+"\n"+canary, nil), "what command two printed holds something else than a key", ""},
		{"command that fails", said("bad", canary, errors.New("command bad ended")), "command bad ended", ""},
		{"file large", config.Key{File: file("large", strings.Repeat(canary, 2000))}, "file:" + filepath.Join(folder, "large") + " holds something else", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			secret, err := resolve(config.Provider{Key: tc.key, Facts: provider.Facts{Auth: cmp.Or(tc.auth, provider.AuthBearer)}}, sources{env, results})
			switch {
			case err == nil && secret.Reveal() != tc.want:
				t.Errorf("got %q, want %q", secret.Reveal(), tc.want)
			case err != nil && (tc.want == "" || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "canary")):
				t.Errorf("got %q, want it to begin with %q", err, tc.want)
			}
		})
	}
}

// TestNoSecretInLog serves, fails and reloads at the level that tells most (S79).
func TestNoSecretInLog(t *testing.T) {
	t.Parallel()
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	c := parse(t, "providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", vendors)
	var log lockedBuffer
	a, err := New(Options{Config: c, Env: env, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	for _, kind := range []string{"", "auth-401", "reset-early"} {
		if kind != "" && vendors["V"].SetFault(&fakeprovider.Fault{Kind: kind}) != nil {
			t.Fatalf("no fault %s", kind)
		}
		resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json",
			strings.NewReader(`{"model": "v/m", "messages": [{"role": "user", "content": "hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		if strings.Contains(string(answer)+fmt.Sprint(resp.Header), "canary") {
			t.Errorf("got the key in an answer: %s", answer)
		}
	}
	client.CloseIdleConnections()
	fmt.Fprintf(&log, "%v %+v %#v", a.config, a.config.Providers, a.config)
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Contains(text, "canary") || !strings.Contains(text, "attempt failed") {
		t.Errorf("got a log without failures or with the key:\n%s", text)
	}
}

// TestFrontDoor is what net/http is set to refuse on behalf of the gateway.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	vendor := newVendor(t)
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", map[string]*fakeprovider.Server{"V": vendor}), io.Discard)
	for _, tc := range []struct{ name, text, want string }{
		{"header of 2 MiB", "GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", "431"},
		{"10,000 headers", "GET /v1/models HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Many: a\r\n", 10_000) + "\r\n", "431"},
		{"two lengths", "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"},
		{"no host", "GET /v1/models HTTP/1.1\r\n\r\n", "400"},
	} {
		if got := raw(t, a.Addr(), tc.text); !strings.Contains(got, " "+tc.want+" ") {
			t.Errorf("%s: got %q, want %s", tc.name, got, tc.want)
		}
	}
	if n := vendor.Count(); n != 0 {
		t.Errorf("got %d requests at the vendor, want none", n)
	}
	for _, s := range []*server{a.clients, a.operators} {
		if s.http.ReadHeaderTimeout != 10*time.Second || s.http.MaxHeaderBytes != 32<<10 || s.http.IdleTimeout == 0 || s.http.WriteTimeout != 0 {
			t.Errorf("got limits %v %v %v %v, want 10s, 32 KiB, some and none", s.http.ReadHeaderTimeout, s.http.MaxHeaderBytes, s.http.IdleTimeout, s.http.WriteTimeout)
		}
	}
}

// TestHTTP2 speaks HTTP/2 without TLS and without asking first, as AWS's SDK for JavaScript does.
func TestHTTP2(t *testing.T) {
	vendor := newVendor(t)
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", map[string]*fakeprovider.Server{"V": vendor}), io.Discard)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := newClient(t)
	client.Transport.(*http.Transport).Protocols = &protocols
	for _, stream := range []string{"false", "true"} {
		body := `{"model":"v/m","stream":` + stream + `,"messages":[{"role":"user","content":"the sea"}]}`
		resp, err := client.Post("http://"+a.Addr()+"/v1/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil || resp.ProtoMajor != 2 || !strings.Contains(string(got), "sea") {
			t.Errorf("stream %s: got %s, %s, %v want an answer by HTTP/2", stream, resp.Proto, got, err)
		}
	}
}

// TestHTTP2Refused: what is refused before its body is read costs its own stream of HTTP/2 and not the connection, which
// has other calls, and which some clients (curl 7.88) give up before they have read the answer.
func TestHTTP2Refused(t *testing.T) {
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}", map[string]*fakeprovider.Server{"V": newVendor(t)}), io.Discard)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := newClient(t)
	client.Transport.(*http.Transport).Protocols = &protocols
	for i := range 4 {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { reused = got.Reused }})
		body := `{"model":"v/m","messages":[{"role":"user","content":"` + strings.Repeat("sea ", 20<<10) + `"}]}`
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer one")
		r.Header.Set("X-Api-Key", "two")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != 400 || !strings.Contains(string(got), "two credentials") {
			t.Errorf("request %d: got %s, %d, %s, %v want 400 by HTTP/2", i, resp.Proto, resp.StatusCode, got, err)
		}
		if i > 0 && !reused {
			t.Errorf("request %d: got another connection, want the one of the request before", i)
		}
	}
}

// TestTooManyConnections keeps connections open until there is no room, and makes
// room again (S67).
func TestTooManyConnections(t *testing.T) {
	c := parse(t, "providers: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}", nil)
	a, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	a.clients.most = 3
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	const request = "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
	var kept []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request[:1]); err != nil { // or it would be closed to make room
			t.Fatal(err)
		}
		kept = append(kept, conn)
	}
	if got := raw(t, a.Addr(), request); !strings.Contains(got, " 503 ") {
		t.Errorf("with no room: got %q, want 503", got)
	}
	kept[0].Close()
	eventually(t, "a client served with room again", func() bool { return strings.Contains(raw(t, a.Addr(), request), " 200 ") })
}

func TestStartTwice(t *testing.T) {
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}", nil), io.Discard)
	c, err := config.Parse("f", []byte("listen: "+a.Addr()+"\nadmin: 127.0.0.1:0\ndata: none\nproviders: {v: {base_url: http://127.0.0.1:1, key: none, auth: none, dialects: {openai-chat: /c}}}"), provider.Known())
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "listen on "+a.Addr()+": ") {
		t.Errorf("got %v, want the address that is taken", err)
	}
}

// TestTokenOfAFailedStart: a token that nobody was shown is not kept, and the next start makes another.
func TestTokenOfAFailedStart(t *testing.T) {
	taken := start(t, parse(t, "providers: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}", nil), io.Discard)
	folder := filepath.Join(t.TempDir(), "data")
	text := "data: " + folder + "\nproviders: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}"
	c := parse(t, text, nil)
	c.Listen = taken.Addr()
	failed, err := New(Options{Config: c, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := failed.Start(t.Context()); err == nil {
		t.Fatal("got a start at an address that is taken")
	}
	a := start(t, parse(t, text, nil), io.Discard)
	if a.AdminToken() == "" {
		t.Error("got no token shown, want one")
	}
	if _, err := os.Stat(filepath.Join(folder, "admin-token.json")); err != nil {
		t.Errorf("got error %v, want the token's hash kept", err)
	}
}

func TestEntries(t *testing.T) {
	c := parse(t, `
providers:
  openai: {key: env:TEST_KEY}
  mine: {use: openai, base_url: http://127.0.0.1:1, key: none, models: [{id: gpt-4o}, {id: small, context: 8192, max_output: 512, released: 2026-01-31}]}
models:
  assistant: {lead: mine/small, understudies: [openai/gpt-5]}
  small: {lead: openai/gpt-5}`, nil)
	r, err := buildRoutes(c, sources{env: env})
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, e := range r.Entries() {
		if _, twice := at[e.ID]; twice {
			t.Errorf("got %s twice, want each name once", e.ID)
		}
		at[e.ID] = i
		if _, ok := r.Pick(e.ID); !ok {
			t.Errorf("got %s listed, and not to be had", e.ID)
		}
	}
	if at["assistant"] != 0 || at["small"] != 1 {
		t.Errorf("got places %d and %d of the configured models, want 0 and 1", at["assistant"], at["small"])
	}
	got, _ := json.Marshal(r.Entries()[0])
	if want := `{"ID":"assistant","Owner":"mine","Created":1769817600,"Window":8192,"MaxInput":0,"MaxOutput":512,"Operation":"","Known":false,"Sees":false,"Reads":false,"Structured":false,"NoTools":false,"Thinking":""}`; string(got) != want {
		t.Errorf("got entry %s, want %s", got, want)
	}
	for name, want := range map[string]bool{
		"openai/gpt-5": true, "gpt-5": true, "mine/small": true,
		"mine/gpt-5": false, // it is not known to have it
		"gpt-4o":     false, // two have it
	} {
		if _, listed := at[name]; listed != want {
			t.Errorf("%s: got listed %v, want %v", name, listed, want)
		}
	}
	if r, ok := r.Pick("mine/gpt-5"); !ok || r.Targets[0].Facts.Window == 0 {
		t.Errorf("mine/gpt-5: got %+v, want it to be had, with the facts of the service's", r)
	}
}

func TestTimeouts(t *testing.T) {
	c := parse(t, `
providers: {v: {use: openai, base_url: http://127.0.0.1:1, key: none}}
models:
  default: {lead: v/m}
  short: {lead: v/m, timeouts: {total: 5s}}
  all: {lead: v/m, timeouts: {connect: 1s, first_token: 2s, answer: 3s, stall: 4s, min_rate: 0.5, rate_window: 3s, total: 5s}, loss: lenient, rescue: off}`, nil)
	models, err := Models(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []config.Timeouts{
		{Connect: 2 * time.Second, FirstToken: time.Minute, Stall: 30 * time.Second, RateWindow: 10 * time.Second, Total: 10 * time.Minute},
		{Connect: 2 * time.Second, FirstToken: 5 * time.Second, Stall: 5 * time.Second, RateWindow: 5 * time.Second, Total: 5 * time.Second},
		{Connect: time.Second, FirstToken: 2 * time.Second, Answer: 3 * time.Second, Stall: 4 * time.Second, MinRate: 0.5, RateWindow: 3 * time.Second, Total: 5 * time.Second},
	} {
		if models[i].Timeouts != want {
			t.Errorf("%s: got %+v, want %+v", models[i].Name, models[i].Timeouts, want)
		}
	}
	if models[0].Loss != "report" || models[2].Loss != "lenient" {
		t.Errorf("got loss %s and %s, want report and lenient", models[0].Loss, models[2].Loss)
	}
	if models[0].Rescue != "text" || models[2].Rescue != "off" {
		t.Errorf("got rescue %s and %s, want text and off", models[0].Rescue, models[2].Rescue)
	}
}

func TestNothingEnabled(t *testing.T) {
	c, err := Load("", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{Config: c, Env: env})
	for _, want := range []string{"no provider is enabled", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "understudy.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
