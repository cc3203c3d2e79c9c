package app

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// webKey is a key that a config declares.
const webKey = "canary-web-0123456789abcdef0123456789abcdef"

// routesFile has a row for each way into the client APIs, with what becomes of everybody there: a status if they are
// refused for who they are, or a dash.
const routesFile = "testdata/routes.txt"

// principals are those that try each route, in the order of the table's columns.
var principals = []string{"nobody", "guess", "admin", "operator", "expired", "disabled", "revoked", "narrow", "wide"}

// walls are keys of all kinds, by principal, and the gateway that they are for.
func walls(t *testing.T) (a *App, keys map[string]string) {
	t.Helper()
	a = start(t, parse(t, `
providers: {acme: {use: openai, base_url: "http://127.0.0.1:1/v1", key: env:TEST_KEY}}
models: {assistant: {lead: acme/m, timeouts: {total: 5s}}}
access: {anonymous: false}`, nil), io.Discard)
	keys = map[string]string{"nobody": "", "guess": "us-" + strings.Repeat("a", 52), "admin": a.AdminToken()}
	for name, spec := range map[string]access.Spec{
		"expired": {Models: []string{"*"}, Expires: time.Now().Add(-time.Second)}, "disabled": {Models: []string{"*"}, Disabled: true}, "revoked": {Models: []string{"*"}},
		"narrow": {Models: []string{"another"}}, "wide": {Models: []string{"*"}},
	} {
		_, text, err := a.access.Create(t.Context(), name, spec)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = text
	}
	if _, err := a.access.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	_, token, err := a.access.AddAdministrator(t.Context(), "ada", access.AdministratorSpec{Role: access.Operator})
	if err != nil {
		t.Fatal(err)
	}
	keys["operator"] = token
	return a, keys
}

// TestAttackS20Matrix walks every route, by every method (S21) as everybody. A route without a row in the table fails, and so does a row without
// a route: what a new one lets in is decided by whoever adds it.
func TestAttackS20Matrix(t *testing.T) {
	a, keys := walls(t)
	text, err := os.ReadFile(routesFile)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if route, row, ok := strings.Cut(strings.TrimSpace(line), " | "); ok && !strings.HasPrefix(line, "#") {
			rows[route] = row
		}
	}
	seen := map[string]bool{}
	visits := 0
	for _, d := range append(dialects(), framed()...) {
		for _, e := range d.Endpoints {
			route := strings.Join(strings.Fields(e.Method+" "+e.Path+" "+e.Header+" "+e.Query), " ")
			if seen[route] {
				continue
			}
			seen[route] = true
			var got []string
			for _, who := range principals {
				visits++
				got = append(got, outcome(a.visit(e.Method, e, keys[who], visits)))
			}
			want, ok := rows[route]
			if got := strings.Join(got, " "); !ok {
				t.Errorf("%s has no row for:\n%s | %s", routesFile, route, got)
			} else if got != want {
				t.Errorf("%s: got %s, want %s, for %v", route, got, want, principals)
			}
			// Another method is no way around it.
			for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "PROPFIND"} {
				visits++
				if status := a.visit(method, e, "", visits); status < 400 {
					t.Errorf("%s %s as nobody: got status %d, want it refused", method, e.Path, status)
				}
			}
		}
	}
	for route := range rows {
		if !seen[route] {
			t.Errorf("%s has a row for %s, which is no route", routesFile, route)
		}
	}
}

var pathHole = regexp.MustCompile(`\{[a-z]+\}`)

// visit asks for a route with a key, from an address of its own, and returns the status.
func (a *App) visit(method string, e dialect.Endpoint, key string, n int) int {
	path := pathHole.ReplaceAllString(strings.ReplaceAll(e.Path, "{model}", "assistant"), "x1")
	if e.Query != "" {
		path += "?" + e.Query
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(`{"model":"assistant","instances":[{"content":"x"}]}`)
		if e.Operation == dialect.Files || e.Operation == dialect.Stored { // which run none
			body = strings.NewReader("{}")
		}
	}
	r := httptest.NewRequest(method, "http://gateway"+path, body)
	r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:1", n/256%256, n%256) // so that nobody is turned away for having tried too often
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Http-Method-Override", http.MethodGet)
	r.Header.Set(gateway.HeaderFallback, "off") // one attempt is enough, where nobody answers
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	switch {
	case e.Header == "X-Goog-Api-Key":
		r.Header.Set(e.Header, cmp.Or(key, "us-none"))
	case e.Header != "":
		r.Header.Set(e.Header, "2023-06-01")
	}
	w := httptest.NewRecorder()
	defer func() { _ = recover() }() // an answer that is broken off
	a.gateway.ServeHTTP(w, r)
	return w.Code
}

// outcome is a status that is about who asks; a dash for all others.
func outcome(status int) string {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return fmt.Sprint(status)
	}
	return "-"
}

// TestAttackS77Keys plants secrets, uses and misuses them, and looks for them wherever the gateway writes.
func TestAttackS77Keys(t *testing.T) {
	t.Parallel()
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	log := &lockedBuffer{}
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	a := start(t, parse(t, `
data: `+data+`
providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}
access:
  anonymous: false
  secret: env:ACCESS_SECRET
  keys: {web: {key: env:WEB_KEY, models: ["*"]}}
  administrators: {ada: {token: env:ADA_TOKEN, role: viewer}}`, vendors), log)
	_, bob, err := a.access.AddAdministrator(t.Context(), "bob", access.AdministratorSpec{Role: access.Operator})
	if err != nil {
		t.Fatal(err)
	}
	_, bobs, err := a.access.RotateAdministrator(t.Context(), "bob", "r", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, made, err := a.access.Create(t.Context(), "made", access.Spec{Models: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	_, rotated, err := a.access.Rotate(t.Context(), "made", "r", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	for _, key := range []string{webKey, made, rotated, made + "x", "us-canary-guess"} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/v1/files", "/nowhere"} {
			status, body := a.post(t, path, key)
			fmt.Fprintln(&shown, status, body)
		}
	}
	ada, _ := env("ADA_TOKEN")
	for _, token := range []string{a.AdminToken(), ada, bob, bobs, bob + "x", webKey} {
		for _, path := range []string{"/metrics", "/v1/keys", "/v1/administrators", "/v1/audit", "/v1/health", "/v1/openapi.json", "/nowhere"} {
			fmt.Fprintln(&shown, a.look(t, path, token))
		}
	}
	backup := filepath.Join(data, "backup.db")
	_, backupErr := BackUpLedger(t.Context(), a.current(), backup)
	if err := errors.Join(a.SyncLedger(t.Context()), a.Stop(t.Context()), backupErr); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"the log": log.String(), "answers": shown.String()}
	for _, name := range []string{"ledger.db", "ledger.db-wal", "node", "admin-token.json", secretFile, "objects", "backup.db"} {
		content, err := os.ReadFile(data + "/" + name)
		if err == nil {
			files[name] = string(content)
		}
	}
	if len(files["ledger.db"]) == 0 || len(files["backup.db"]) == 0 {
		t.Fatal("got no database, or no backup, want both")
	}
	secret, _ := env("ACCESS_SECRET")
	for name, content := range files {
		for _, planted := range []string{canary, webKey, made, rotated, "canary-guess", secret, a.AdminToken(), ada, bob, bobs, "canary-prompt"} {
			isEcho := name == "answers" && planted == "canary-prompt" // the simulated vendor says it again
			if strings.Contains(content, planted) && !isEcho {
				t.Errorf("%s: got %.12s… in it", name, planted)
			}
		}
	}
}

// TestAttackS16RevokedInAStream revokes a key while an answer comes: that one comes to its end, and no other begins.
func TestAttackS16RevokedInAStream(t *testing.T) {
	t.Parallel()
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	a := start(t, parse(t, `
providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}
access: {anonymous: false}`, vendors), io.Discard)
	_, text, err := a.access.Create(t.Context(), "web", access.Spec{Models: []string{"v/*"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+"/v1/chat/completions",
		strings.NewReader(`{"model":"v/m+chunks-10+delay-20ms","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Api-Key", text)
	resp, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := a.access.Revoke(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if status, body := a.post(t, "/v1/chat/completions", text); status != http.StatusUnauthorized {
		t.Errorf("after it was revoked: got status %d and %s, want 401", status, body)
	}
	rest, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the answer that was on its way: got %v and %s, want it whole", err, rest)
	}
}

// look asks the admin API for something, and returns all of the answer.
func (a *App) look(t *testing.T, path, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.AdminAddr()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, resp.Header, string(body))
}

func (a *App) post(t *testing.T, path, key string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.Addr()+path, strings.NewReader(`{"model":"v/m","max_tokens":9,"messages":[{"role":"user","content":"canary-prompt"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", key)
	client := newClient(t)
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text)
}

// TestSecretIsPrivate keeps what keys are hashed with from other users of the machine.
func TestSecretIsPrivate(t *testing.T) {
	data := t.TempDir()
	if err := os.Chmod(data, 0o700); err != nil { //nolint:gosec // a folder
		t.Fatal(err)
	}
	start(t, parse(t, "data: "+data+`
providers: {v: {use: openai, base_url: "http://127.0.0.1:1", key: env:TEST_KEY}}`, nil), io.Discard)
	info, err := os.Stat(data + "/" + secretFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want a file of mode 0600", info, err)
	}
}

// TestKeysOfSeveralGateways has two gateways with one database: what one revokes, the other refuses within a second.
func TestKeysOfSeveralGateways(t *testing.T) {
	url := os.Getenv("UNDERSTUDY_POSTGRES")
	if url == "" {
		t.Skip("skipped: no PostgreSQL server; its URL would be in UNDERSTUDY_POSTGRES, as `.ci/run store` sets it")
	}
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	var nodes [2]*App
	for i := range nodes {
		nodes[i] = start(t, parse(t, "data: ./data\nstore: "+url+`
providers: {v: {use: openai, base_url: $V/v1, key: env:TEST_KEY}}
access: {anonymous: false, secret: env:ACCESS_SECRET}`, vendors), &lockedBuffer{})
	}
	const most = time.Second
	took := best(most, func() time.Duration {
		id := fmt.Sprint("key", time.Now().UnixNano())
		_, text, err := nodes[0].access.Create(context.Background(), id, access.Spec{Models: []string{"*"}})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		eventually(t, "a key that another gateway made", func() bool {
			status, _ := nodes[1].post(t, "/v1/chat/completions", text)
			return status == http.StatusOK
		})
		made := time.Since(begun)
		if _, err := nodes[0].access.Revoke(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		begun = time.Now()
		eventually(t, "a key refused that another gateway revoked", func() bool {
			status, _ := nodes[1].post(t, "/v1/chat/completions", text)
			return status == http.StatusUnauthorized
		})
		return max(made, time.Since(begun))
	})
	if took > most {
		t.Errorf("got a key known or refused %v after another gateway made or revoked it, want %v at most", took, most)
	}
}
