//go:build unix

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// vault plants secrets, by what they are, and looks for them.
type vault struct {
	t       *testing.T
	secrets map[string]string
}

// plant makes a secret of 52 letters and digits behind a prefix.
func (v *vault) plant(kind, prefix string) string {
	s := prefix + fmt.Sprintf("c4n4ry%02dz", len(v.secrets)) + strings.Repeat(fmt.Sprintf("q%dx7", len(v.secrets)), 12)
	v.secrets[kind] = s[:len(prefix)+52]
	return v.secrets[kind]
}

// search looks for what was planted, whole or the most of it.
func (v *vault) search(where, text string) {
	v.t.Helper()
	for kind, s := range v.secrets {
		if i := strings.Index(text, s[len(s)-52:][:30]); i >= 0 {
			v.t.Errorf("%s: got the %s in it: %.200q", where, kind, text[max(0, i-100):])
		}
	}
}

// searchFolder looks into every file.
func (v *vault) searchFolder(where, folder string) (files []string) {
	v.t.Helper()
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) { // SQLite and the journal remove some
			return nil
		}
		files = append(files, filepath.Base(path))
		v.search(where+" "+filepath.Base(path), string(text))
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return files
}

// TestAttackS77Everywhere plants a secret wherever the gateway takes one, uses them, well and wrongly, and looks for them in all
// that comes out: the log at the level that tells most, metrics, traces, answers, the admin API, what commands print, all files of the
// data folder while the gateway runs and when it has ended, a backup, and what Go prints of a program that dies (P15).
func TestAttackS77Everywhere(t *testing.T) {
	t.Parallel()
	v := &vault{t, map[string]string{}}
	var mu sync.Mutex
	var traces strings.Builder
	sawHeader := false
	traced := v.plant("header of the collector of traces", "")
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		mu.Lock()
		defer mu.Unlock()
		traces.Write(body)
		sawHeader = sawHeader || r.Header.Get("X-Collector") == traced
	}))
	defer collector.Close()

	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := v.plant("provider's key", "sk-")
	start := func() *fakeprovider.Server {
		s := fakeprovider.New(fakeprovider.Options{Key: good})
		if _, err := s.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	h := &house{t: t, chat: start(), claude: start(), config: filepath.Join(dir, "understudy.yaml")}
	web, app := v.plant("declared key", "us-"), v.plant("declared key of a file", "us-")
	viewer, ops := v.plant("declared token", "us-admin-"), v.plant("declared token of a file", "us-admin-")
	h.env = []string{
		"TEST_KEY=" + good, "WRONG_KEY=" + v.plant("provider's key that is refused", "sk-"), "DEAD_KEY=" + v.plant("key of a provider that is gone", "sk-ant-"),
		"WEB_KEY=" + web, "VIEWER_TOKEN=" + viewer, "ACCESS_SECRET=" + v.plant("secret of the hash", ""),
		"REDIS=redis://ada:" + v.plant("password of Redis", "") + "@127.0.0.1:1", "STORE=postgres://ada:" + v.plant("password of PostgreSQL", "") + "@127.0.0.1:1/books",
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + v.plant("secret of AWS", ""), "AWS_SESSION_TOKEN=" + v.plant("session of AWS", ""),
		"AZURE_TENANT_ID=tenant", "AZURE_CLIENT_ID=app", "AZURE_AUTHORITY_HOST=http://127.0.0.1:1", "AZURE_CLIENT_SECRET=" + v.plant("secret of Azure", ""),
		"OTEL_EXPORTER_OTLP_HEADERS=X-Collector=" + traced, "HTTPS_PROXY=http://ada:" + v.plant("password of a proxy", "") + "@127.0.0.1:1", "NO_PROXY=127.0.0.1",
	}
	config := fmt.Sprintf(`listen: 127.0.0.1:0
admin: 127.0.0.1:0
data: ./data
redis: env:REDIS
telemetry: {otlp: %q}
providers:
  chat: {use: openai, base_url: "%s/v1", key: env:TEST_KEY, models: [{id: small, price: {input: 1, output: 2}}]}
  claude: {use: anthropic, base_url: "%s", keys: [{key: env:WRONG_KEY}, {key: file:%s}]}
  printed: {use: openai, base_url: "%s/v1", key: {command: [sh, -c, "echo $1 >&2; cat printed.key", sh, %s], every: 1s}}
  failed: {use: openai, base_url: "%s/v1", keys: [{key: env:TEST_KEY, weight: 0}, {key: {command: [sh, -c, "cat later.key", %s]}}]}
  gone: {use: openai, base_url: "http://127.0.0.1:1/v1", key: env:DEAD_KEY}
  aws: {use: bedrock, base_url: "%s", region: eu-central-1}
  azure: {base_url: "%s", auth: entra}
  vertex: {base_url: "%s", project: acme, region: europe-west1, key: file:%s}
models:
  assistant: {lead: claude/small, understudies: [gone/small, chat/small]}
budgets: [{account: key:web, period: ever, most: 1 USD}]
access:
  secret: env:ACCESS_SECRET
  keys: {web: {key: env:WEB_KEY, models: ["*"]}, app: {key: file:%s, models: ["*"]}}
  administrators: {cert: {token: env:VIEWER_TOKEN, role: viewer}, ops: {token: file:%s, role: operator}}
`, collector.URL, h.chat.RootURL(), h.claude.RootURL(), file("wrong.key", v.plant("provider's key of a file", "sk-")+"\n"),
		h.chat.RootURL(), v.plant("what a command says of an error, and is told", ""), h.chat.RootURL(), v.plant("what a command is told", ""),
		h.chat.RootURL(), h.chat.RootURL(), h.chat.RootURL(),
		file("google.json", `{"type":"service_account","client_email":"a@b","token_uri":"http://127.0.0.1:1/token","private_key":"-----BEGIN PRIVATE KEY-----\n`+v.plant("key of Google", "")+`\n-----END PRIVATE KEY-----\n"}`),
		file("app.key", app), file("ops.token", ops))
	file("understudy.yaml", config)
	file("printed.key", v.plant("provider's key of a command", "sk-")+"\n")
	file("later.key", v.plant("one of several keys, of a command", "sk-")+"\n")
	h.start()
	root := h.token()
	file("printed.key", v.plant("provider's key of a command, later", "sk-")+"\n")
	if _, err := h.log.find("its command has printed another"); err != nil {
		t.Error(err)
	}
	v.secrets["admin token"] = root

	// What is made while it runs is secret from its answer on.
	var all strings.Builder
	made := func(kind, method, path, body string) string {
		t.Helper()
		a := h.asOperator(method, path, body, root)
		_, text, _ := strings.Cut(a.body, `"us-`)
		text, _, ok := strings.Cut(text, `"`)
		if a.status != http.StatusOK || !ok || len(text) < 52 {
			t.Fatalf("%s: got status %d and %s, want it made", path, a.status, a.body)
		}
		v.secrets[kind] = "us-" + text
		return "us-" + text
	}
	one := made("made key", "PUT", "/v1/keys/one", `{"models":["*"]}`)
	two := made("rotated key", "PUT", "/v1/keys/one/rotations/a", `{"overlap_seconds":600}`)
	ada := made("made token", "PUT", "/v1/administrators/ada", `{"role":"operator"}`)
	adas := made("rotated token", "PUT", "/v1/administrators/ada/rotations/a", `{"overlap_seconds":600}`)
	guess := v.plant("wrong key", "us-")
	prompt := v.plant("prompt", "")
	ask := func(model string, stream bool) string {
		return fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":50,"messages":[{"role":"user","content":"%s"}]}`, model, stream, prompt)
	}
	answered := 0
	for i, key := range []string{web, app, one, two, guess, good, root, one[:20], strings.ToUpper(one)} {
		for j, model := range []string{"assistant", "chat/small", "claude/small", "gone/small", "printed/small", "failed/small", "aws/amazon.nova-pro-v1:0", "azure/m", "vertex/gemini-2.5-pro", "nobody/m"} {
			for _, path := range []string{chatPath, messagesPath} {
				header := []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"}[j%4]
				shown := key
				if header == "Authorization" {
					shown = "Bearer " + key
				}
				a := h.post(path, ask(model, (i+j)%2 == 0), header, shown)
				if a.status == http.StatusOK {
					answered++ // which says the prompt again
					a.body = strings.ReplaceAll(a.body, prompt, "")
				}
				all.WriteString(fmt.Sprint(a.header) + a.body)
			}
		}
	}
	for _, kind := range []string{"auth-401", "bad-gateway-502", "invalid-json", "reset", "html-403"} {
		if err := h.chat.SetFault(&fakeprovider.Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		a := h.post(chatPath, ask("chat/small", false), "Authorization", "Bearer "+web)
		all.WriteString(fmt.Sprint(a.header) + a.body)
	}
	if err := h.chat.SetFault(nil); err != nil {
		t.Fatal(err)
	}
	a := h.post(chatPath+"?key="+two, ask("chat/small", false)[:40], "Authorization", "Bearer "+web)
	all.WriteString(fmt.Sprint(a.header) + a.body)
	for _, token := range []string{root, viewer, ops, ada, adas, web, guess} {
		for _, path := range []string{
			"/metrics", "/v1/keys", "/v1/administrators", "/v1/audit", "/v1/health", "/v1/openapi.json", "/v1/budgets", "/v1/usage?by=key", "/v1/ledger/verification",
			"/debug/pprof/heap?debug=1", "/debug/pprof/goroutine?debug=2", "/healthz", "/readyz", "/v1/keys?after=" + two,
		} {
			a := h.asOperator("GET", path, "", token)
			if strings.Contains(path, "pprof") && a.status < 400 {
				t.Errorf("%s: got status %d, want no profiles", path, a.status)
			}
			all.WriteString(fmt.Sprint(a.header) + a.body)
		}
		for _, body := range []string{`{"models":["*"],"key":"` + two + `"}`, `{"models":["*"],"name":"` + good + `\n"}`} { // which is no place for it
			a := h.asOperator("PUT", "/v1/keys/mistaken", body, token)
			all.WriteString(fmt.Sprint(a.header) + a.body)
		}
	}
	// A command that fails with what may be a key is not quoted, nor what is none.
	for _, text := range []string{v.plant("first of two words of a command", "sk-") + " " + v.plant("second of two words of a command", "sk-") + "\n", strings.Repeat(v.plant("too much of a command", "sk-"), 400)} {
		file("later.key", text)
		h.signal(syscall.SIGHUP)
		if _, err := h.log.find("config not reloaded.*providers.failed.keys.1.key: .*command sh printed"); err != nil {
			t.Error(err)
		}
	}
	file("later.key", v.plant("one of several keys, of a command, later", "sk-"))
	// A file in which somebody has written a key is not taken.
	file("understudy.yaml", strings.Replace(config, "env:DEAD_KEY", good, 1))
	h.signal(syscall.SIGHUP)
	if _, err := h.log.find("config not reloaded"); err != nil {
		t.Error(err)
	}
	file("understudy.yaml", config)
	backup := filepath.Join(t.TempDir(), "backup.db")
	for _, args := range [][]string{
		{"check"},
		{"check", "--live"},
		{"models"},
		{"usage", "--by", "key,caller"},
		{"ledger", "verify"},
		{"ledger", "backup", backup},
		{"keys", "list", "--json", "--admin", h.admin},
		{"keys", "show", "one", "--admin", h.admin},
		{"admins", "list", "--admin", h.admin},
		{"health", "--admin", h.admin},
	} {
		cmd := exec.Command("understudy", append(args, "--config", h.config)...)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "UNDERSTUDY_ADMIN_TOKEN=" + root}, h.env...)
		out, err := cmd.CombinedOutput()
		if err != nil && args[0] != "check" {
			t.Errorf("%v: got %v and %s", args, err, out)
		}
		all.Write(out)
	}
	running := v.searchFolder("the data folder of a running gateway:", filepath.Join(dir, "data"))

	// It dies in the middle of calls, as by a panic: Go prints every stack.
	if err := h.chat.SetFault(&fakeprovider.Fault{Kind: "hang"}); err != nil {
		t.Fatal(err)
	}
	h.chat.Forget()
	h.claude.Forget()
	lines := make(chan got)
	for _, key := range []string{web, one} {
		go func() { lines <- h.post(chatPath, ask("chat/small", true), "Authorization", "Bearer "+key) }()
	}
	h.awaitSeen()
	h.signal(syscall.SIGQUIT)
	h.wantStopped(patience)
	for range 2 {
		<-lines
	}
	if err := h.chat.SetFault(nil); err != nil {
		t.Fatal(err)
	}
	log := h.log.all()
	if answered < 16 {
		t.Errorf("got %d answers, want those of four keys", answered)
	}
	for _, want := range []string{`"provider":"claude"`, `"provider":"gone"`, `"provider":"printed"`, `"provider":"failed"`, `"target":"aws/amazon.nova`, `"provider":"azure"`, `"provider":"vertex"`, "SIGQUIT: quit", "\ngoroutine 1 "} {
		if !strings.Contains(log, want) {
			t.Errorf("got no %s in the log, want calls at every provider, and every stack in the end", want)
		}
	}

	// Its database, and one that is not within reach.
	file("understudy.yaml", strings.Replace(config, "redis: env:REDIS", "redis: env:REDIS\nstore: env:STORE", 1))
	h.start()
	a = h.post(chatPath, ask("gone/small", false), "Authorization", "Bearer "+web)
	all.WriteString(fmt.Sprint(a.header) + a.body)
	time.Sleep(time.Second) // for what is tried again
	h.stop()
	if text := h.log.all(); !strings.Contains(text, "127.0.0.1:1") {
		t.Errorf("got the log\n%.3000s\nwant it to tell of a database that is gone", text)
	}

	ended := v.searchFolder("the data folder:", filepath.Join(dir, "data"))
	for _, name := range []string{"ledger.db", "ledger.db-wal", "admin-token.json"} {
		if !slices.Contains(running, name) {
			t.Errorf("got files %v, want %s among them", running, name)
		}
	}
	if len(ended) < 4 {
		t.Errorf("got files %v, want those of a gateway", ended)
	}
	v.searchFolder("the backup:", filepath.Dir(backup))
	mu.Lock()
	defer mu.Unlock()
	if !sawHeader || !strings.Contains(traces.String(), "understudy.call") {
		t.Errorf("got a collector that was told %.300s, want traces, with the header", traces.String())
	}
	v.search("the traces", traces.String())
	v.search("the log", log)
	v.search("the log without a database", h.log.all())
	v.search("what comes out", all.String())
	if len(v.secrets) < 20 {
		t.Errorf("got %d secrets planted, want 20", len(v.secrets))
	}
}
