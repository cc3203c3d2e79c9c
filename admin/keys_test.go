package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// key asks for something about a key, and reads the answer.
func (w *world) key(t *testing.T, status int, method, path, body string) ShownKey {
	t.Helper()
	rec := w.ask(method, path, body)
	var k ShownKey
	if err := json.Unmarshal(rec.Body.Bytes(), &k); rec.Code != status || err != nil {
		t.Fatalf("%s %s: got status %d and %s, want %d", method, path, rec.Code, rec.Body, status)
	}
	return k
}

// takes reports whether clients can show a text.
func (w *world) takes(text string) bool {
	_, err := w.keys.Check(http.Header{"Authorization": {"Bearer " + text}}, "")
	return err == nil
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	const spec = `{"name":"The web","models":["assistant"],"limits":{"concurrent":3}}`
	made := w.key(t, 200, "PUT", "/v1/keys/web", spec)
	if !w.takes(made.Text) || made.State != "active" || made.Ending != made.Text[len(made.Text)-4:] {
		t.Fatalf("got %+v, want a key that is taken", made)
	}
	if again := w.key(t, 200, "PUT", "/v1/keys/web", spec); again.Text != "" || again.Revision != 1 {
		t.Errorf("asked for again: got %+v, want the same key and no text", again)
	}
	w.key(t, 409, "PUT", "/v1/keys/web", `{"models":["*"]}`)
	if k := w.key(t, 200, "PATCH", "/v1/keys/web", `{"user":"ada","expires":"2026-08-02T00:00:00Z"}`); k.User != "ada" || k.Name != "The web" || k.Limits.Concurrent != 3 || k.Expires.IsZero() {
		t.Errorf("changed: got %+v, want only that changed", k)
	}
	if k := w.key(t, 200, "PATCH", "/v1/keys/web", `{"expires":""}`); !k.Expires.IsZero() {
		t.Errorf("without an end: got %v", k.Expires)
	}
	next := w.key(t, 200, "PUT", "/v1/keys/web/rotations/one", `{"overlap_seconds":60}`)
	if !w.takes(next.Text) || !w.takes(made.Text) {
		t.Error("rotated: got one of both refused")
	}
	w.now = w.now.Add(time.Minute)
	if w.takes(made.Text) || !w.takes(next.Text) {
		t.Error("after the overlap: got the old one taken, or the new one refused")
	}
	if k := w.key(t, 200, "DELETE", "/v1/keys/web", ""); k.State != "revoked" || w.takes(next.Text) {
		t.Errorf("got %+v, want it revoked and refused", k)
	}
	w.key(t, 409, "PATCH", "/v1/keys/web", `{"disabled":true}`)
	all := w.log.String()
	for _, path := range []string{"/v1/keys", "/v1/keys/web", "/v1/audit"} {
		all += w.ask("GET", path, "").Body.String()
	}
	for _, secret := range []string{made.Text, next.Text, made.Text[3:20], `"hash"`} {
		if strings.Contains(all, secret) {
			t.Errorf("got %.10s… in a log or a list", secret)
		}
	}
}

// TestAttackS23Lists asks for pages of keys in every way: nothing searches, and no page is longer than the longest (S74).
func TestAttackS23Lists(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		if _, _, err := w.keys.Create(t.Context(), fmt.Sprint("key", i), access.Spec{Models: []string{"*"}}); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for after := ""; ; {
		var got List[ShownKey]
		if err := json.Unmarshal(w.ask("GET", "/v1/keys?limit=2&after="+after, "").Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, k := range got.Data {
			seen = append(seen, k.ID)
		}
		if after = got.Next; after == "" {
			break
		}
	}
	if got, want := fmt.Sprint(seen), "[key0 key1 key2 key3 key4]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, q := range []string{"team_id=other", "sort=secret", "after=%25", "limit=-1"} {
		if rec := w.ask("GET", "/v1/keys?"+q, ""); rec.Code != 400 {
			t.Errorf("%s: got status %d, want 400", q, rec.Code)
		}
	}
}

// TestAttackS26KeyFields gives keys fields that are not the caller's to set.
func TestAttackS26KeyFields(t *testing.T) {
	w := newWorld(t)
	w.key(t, 200, "PUT", "/v1/keys/web", `{"models":["*"]}`)
	for _, tc := range []struct{ method, body string }{
		{"PUT", `{"models":["*"],"role":"root"}`},
		{"PUT", `{"models":["*"],"hash":"00"}`},
		{"PUT", `{"models":["*"],"created":"2026-01-01T00:00:00Z"}`},
		{"PUT", `{"models":["*"],"key":"us-mine"}`},
		{"PUT", `{"models":[]}`},
		{"PUT", `{"models":["a*b"]}`},
		{"PUT", `{"models":["*"],"name":"a\nb"}`},
		{"PUT", `{"models":["*"],"name":"<b>\u202e"}`},
		{"PUT", `{"models":["*"],"limits":{"concurrent":-1}}`},
		{"PUT", `{"models":["*"],"limits":{"concurrent":9223372036854775808}}`},
		{"PATCH", `{"id":"other"}`},
		{"PATCH", `{"revision":9}`},
		{"PATCH", `{"revoked":""}`},
		{"PATCH", `{"expires":"tomorrow"}`},
		{"PATCH", `{"models":[]}`},
	} {
		if rec := w.ask(tc.method, "/v1/keys/web", tc.body); rec.Code != 400 {
			t.Errorf("%s %s: got status %d and %s, want 400", tc.method, tc.body, rec.Code, rec.Body)
		}
	}
	for _, path := range []string{"/v1/keys/-a", "/v1/keys/a%20b", "/v1/keys/" + strings.Repeat("a", 65)} {
		if rec := w.ask("PUT", path, `{"models":["*"]}`); rec.Code != 400 {
			t.Errorf("%s: got status %d, want 400", path, rec.Code)
		}
	}
	for _, body := range []string{`{"overlap_seconds":-1}`, `{"overlap_seconds":1e300}`, `{"overlap_seconds":99999999}`} {
		if rec := w.ask("PUT", "/v1/keys/web/rotations/one", body); rec.Code != 400 {
			t.Errorf("%s: got status %d, want 400", body, rec.Code)
		}
	}
	if k := w.key(t, 200, "GET", "/v1/keys/web", ""); k.Revision != 1 {
		t.Errorf("got %+v, want nothing changed", k)
	}
}

// TestAudit finds each change in the audit log, refused ones too, and no look.
func TestAudit(t *testing.T) {
	w := newWorld(t)
	w.key(t, 200, "PUT", "/v1/keys/web", `{"models":["*"]}`)
	w.key(t, 200, "GET", "/v1/keys/web", "")
	w.key(t, 400, "PATCH", "/v1/keys/web", `{"models":[]}`)
	var got List[access.Change]
	if err := json.Unmarshal(w.ask("GET", "/v1/audit", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := "PATCH /v1/keys/web {\"models\":[]} invalid_request, PUT /v1/keys/web {\"models\":[\"*\"]} done"
	var lines []string
	for _, c := range got.Data {
		lines = append(lines, fmt.Sprint(c.Method, " ", c.Path, " ", c.Body, " ", c.Outcome))
	}
	if shown := strings.Join(lines, ", "); shown != want {
		t.Errorf("got %s, want %s", shown, want)
	}
}

// TestAttackS95Metrics wants the token for metrics where others reach the listener.
func TestAttackS95Metrics(t *testing.T) {
	token, text := newToken()
	h := Handler(Options{IsReady: func() bool { return true }, Token: token, GuardMetrics: true, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, "metrics")
	})})
	w := &world{handler: h, token: text}
	if rec := w.ask("GET", "/metrics", "", "X-None", "1"); rec.Code != 401 || strings.Contains(rec.Body.String(), "metrics") {
		t.Errorf("without a token: got status %d and %s, want 401", rec.Code, rec.Body)
	}
	if rec := w.ask("GET", "/metrics", ""); rec.Code != 200 {
		t.Errorf("with the token: got status %d, want 200", rec.Code)
	}
	if rec := w.ask("GET", "/healthz", "", "X-None", "1"); rec.Code != 200 {
		t.Errorf("whether it lives: got status %d, want 200 for everybody", rec.Code)
	}
}
