package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
)

// ask sends a request with a key.
func (a *App) ask(t *testing.T, method, path, key, body string) (status int, text string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Api-Key", key)
	resp, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	read, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(read), resp.Header
}

func (a *App) key(t *testing.T, id string, models ...string) string {
	t.Helper()
	_, text, err := a.access.Create(t.Context(), id, access.Spec{Models: models})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAttackS22S24OtherTenants asks for what another key has made, by its id and in lists: it does not exist, and the
// vendor is not asked.
func TestAttackS22S24OtherTenants(t *testing.T) {
	var asked atomic.Int64
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/v1/files":
			fmt.Fprint(w, `{"object":"list","data":[{"id":"file-1","object":"file","filename":"mine.txt"}]}`)
		case strings.HasPrefix(r.URL.Path, "/v1/files"):
			fmt.Fprint(w, `{"id":"file-1","object":"file","filename":"mine.txt"}`)
		default:
			fmt.Fprint(w, `{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}`)
		}
	}))
	t.Cleanup(vendor.Close)
	a := start(t, parse(t, "providers: {v: {use: openai, base_url: "+vendor.URL+"/v1, key: env:TEST_KEY}}\naccess: {anonymous: false}", nil), io.Discard)
	mine, theirs := a.key(t, "mine", "*"), a.key(t, "theirs", "*")
	const answer = `{"model":"v/m","input":"hi"}`
	if status, text, _ := a.ask(t, "POST", "/v1/files", mine, "{}"); status != 200 {
		t.Fatalf("got status %d and %s, want a file", status, text)
	}
	if status, text, _ := a.ask(t, "POST", "/v1/responses", mine, answer); status != 200 {
		t.Fatalf("got status %d and %s, want an answer", status, text)
	}
	before := asked.Load()
	for _, tc := range []struct{ method, path, body string }{
		{"GET", "/v1/files/file-1", ""},
		{"GET", "/v1/files/file-1/content", ""},
		{"DELETE", "/v1/files/file-1", ""},
		{"POST", "/v1/batches", `{"input_file_id":"file-1","endpoint":"/v1/chat/completions","completion_window":"24h"}`},
		{"GET", "/v1/responses/resp_1", ""},
		{"DELETE", "/v1/responses/resp_1", ""},
		{"POST", "/v1/responses", `{"model":"v/m","input":"and?","previous_response_id":"resp_1"}`},
		{"POST", "/v1/responses", `{"model":"v/m","input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}`},
	} {
		if status, text, _ := a.ask(t, tc.method, tc.path, theirs, tc.body); status != http.StatusNotFound || strings.Contains(text, "mine.txt") {
			t.Errorf("%s %s of another key: got status %d and %s, want 404", tc.method, tc.path, status, text)
		}
	}
	if got := asked.Load(); got != before {
		t.Errorf("got %d requests to the vendor, want none", got-before)
	}
	if _, text, _ := a.ask(t, "GET", "/v1/files", theirs, ""); strings.Contains(text, "file-1") {
		t.Errorf("a list: got %s, want nothing of another key's", text)
	}
	if status, text, _ := a.ask(t, "GET", "/v1/files", mine, ""); status != 200 || !strings.Contains(text, "file-1") {
		t.Errorf("its maker's list: got status %d and %s, want the file", status, text)
	}
	if status, _, _ := a.ask(t, "GET", "/v1/responses/resp_1", mine, ""); status != 200 {
		t.Errorf("its maker's answer: got status %d, want 200", status)
	}
}

// TestAttackS27OwnRights has a client raise what its own key may do: there is no way to.
func TestAttackS27OwnRights(t *testing.T) {
	a := start(t, parse(t, `
providers: {v: {use: openai, base_url: "http://127.0.0.1:1/v1", key: env:TEST_KEY}}
access: {anonymous: false}`, nil), io.Discard)
	text := a.key(t, "web", "v/m")
	for _, address := range []string{a.Addr(), a.AdminAddr()} {
		for _, tc := range []struct{ method, path, body string }{
			{"PATCH", "/v1/keys/web", `{"models":["*"],"limits":{},"expires":""}`}, {"PUT", "/v1/keys/more", `{"models":["*"]}`}, {"GET", "/v1/keys", ""}, {"GET", "/v1/audit", ""},
		} {
			r, err := http.NewRequestWithContext(t.Context(), tc.method, "http://"+address+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+text)
			resp, err := newClient(t).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if want := map[bool]int{true: 404, false: 401}[address == a.Addr()]; resp.StatusCode != want {
				t.Errorf("%s %s at %s: got status %d, want %d", tc.method, tc.path, address, resp.StatusCode, want)
			}
		}
	}
	if keys := a.access.Keys("", 9); len(keys) != 1 || keys[0].Revision != 1 {
		t.Errorf("got %v, want the one key as it was", keys)
	}
}

// TestAttackS28OtherModels asks for models that a key may not use, by every name that they may be found under.
func TestAttackS28OtherModels(t *testing.T) {
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t), "W": newVendor(t)}
	a := start(t, parse(t, `
providers:
  v: {use: openai, base_url: $V/v1, key: env:TEST_KEY, models: [{id: small}, {id: large}]}
  w: {use: openai, base_url: $W/v1, key: env:TEST_KEY}
models: {cheap: {lead: v/small}, dear: {lead: v/large, understudies: [v/small]}}
access: {anonymous: false}`, vendors), io.Discard)
	text := a.key(t, "web", "cheap")
	const rest = `"messages":[{"role":"user","content":"hi"}]`
	for _, model := range []string{
		"dear", "DEAR", "Cheap", "large", "small", "v/large", "v/small", "V/small", "w/anything", "cheap*", "*", "che*", "nowhere", "v/ft:small:acme::1", "cheap/small",
	} {
		status, said, _ := a.ask(t, "POST", "/v1/chat/completions", text, `{"model":"`+model+`",`+rest+`}`)
		if status != http.StatusForbidden {
			t.Errorf("%s: got status %d and %s, want 403", model, status, said)
		}
	}
	for name, body := range map[string]string{
		"a trailing space": `{"model":"dear ",` + rest + `}`, "two members": `{"model":"cheap","Model":"dear",` + rest + `}`, "twice": `{"model":"cheap","model":"dear",` + rest + `}`,
	} {
		if status, said, _ := a.ask(t, "POST", "/v1/chat/completions", text, body); status != http.StatusBadRequest {
			t.Errorf("%s: got status %d and %s, want 400", name, status, said)
		}
	}
	for _, list := range []string{
		`"models":["cheap","dear"]`, `"models":["v/large"]`, `"models":["large"]`, `"models":"large"`, `"fallbacks":["cheap",{"model":"large"}]`, `"\u006dodels":["large"]`,
	} {
		if status, said, _ := a.ask(t, "POST", "/v1/chat/completions", text, `{"model":"cheap",`+list+`,`+rest+`}`); status != http.StatusForbidden {
			t.Errorf("%s: got status %d and %s, want 403", list, status, said)
		}
	}
	for path, body := range map[string]string{
		"/v1/batches":                                    `{"input_file_id":"file-1","endpoint":"/v1/chat/completions"}`,
		"/v1/messages/batches":                           `{"model":"cheap","requests":[{"custom_id":"1","params":{"model":"dear","max_tokens":1,` + rest + `}}]}`,
		"/v1/images/generations":                         `{"prompt":"a cat"}`,
		"/v1beta/models/dear:generateContent":            `{"model":"cheap","contents":[{"parts":[{"text":"hi"}]}]}`,
		"/openai/deployments/dear/chat/completions":      `{"model":"cheap",` + rest + `}`,
		"/v1/messages/count_tokens":                      `{"model":"dear",` + rest + `}`,
		"/openai/deployments/dear/embeddings":            `{"input":"hi"}`,
		"/v1beta/models/v%2Flarge:streamGenerateContent": `{"contents":[{"parts":[{"text":"hi"}]}]}`,
	} {
		if status, said, _ := a.ask(t, "POST", path, text, body); status != http.StatusForbidden {
			t.Errorf("%s: got status %d and %s, want 403", path, status, said)
		}
	}
	for _, v := range vendors {
		if n := v.Count(); n > 0 {
			t.Errorf("got %d requests to a vendor, want none", n)
		}
	}
	if status, said, _ := a.ask(t, "POST", "/v1/chat/completions", text, `{"model":"cheap",`+rest+`}`); status != 200 {
		t.Errorf("what it may: got status %d and %s, want 200", status, said)
	}
	status, said, _ := a.ask(t, "POST", "/v1/chat/completions", text, `{"model":"cheap","models":["small","cheap"],`+rest+`}`)
	if status != http.StatusBadRequest || !strings.Contains(said, "Unknown parameter: 'models'") { // this vendor has no such lists
		t.Errorf("a list of what it may: got status %d and %s, want it sent", status, said)
	}
}

// TestF14EveryKeyIsTried gives a provider more keys than a call has attempts: going through them is no retry (F14).
func TestF14EveryKeyIsTried(t *testing.T) {
	vendors := map[string]*fakeprovider.Server{"V": newVendor(t)}
	a := start(t, parse(t, `
providers:
  v:
    use: openai
    base_url: $V/v1
    keys: [{key: env:WEB_KEY, weight: 9}, {key: env:ACCESS_SECRET, weight: 8}, {key: env:KEY_3, weight: 7}, {key: env:KEY_4, weight: 6}, {key: env:TEST_KEY, weight: 0}]`, vendors), io.Discard)
	const ask = `{"model":"v/m","messages":[{"role":"user","content":"hi"}]}`
	for i, want := range []string{"5", "1"} {
		status, said, header := a.ask(t, "POST", "/v1/chat/completions", "", ask)
		if got := header.Get("X-Understudy-Attempts"); status != 200 || got != want {
			t.Errorf("call %d: got status %d after %s attempts and %s, want an answer after %s", i+1, status, got, said, want)
		}
	}
}
