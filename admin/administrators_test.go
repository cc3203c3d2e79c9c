package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/access"
)

// administrator asks for something about an administrator, and reads the answer.
func (w *world) administrator(t *testing.T, token string, status int, method, path, body string) ShownAdministrator {
	t.Helper()
	rec := w.ask(method, path, body, "Authorization", "Bearer "+token)
	var a ShownAdministrator
	if err := json.Unmarshal(rec.Body.Bytes(), &a); rec.Code != status || err != nil {
		t.Fatalf("%s %s: got status %d and %s, want %d", method, path, rec.Code, rec.Body, status)
	}
	return a
}

// TestAdministrators follows an administrator from the beginning to the end.
func TestAdministrators(t *testing.T) {
	w := newWorld(t)
	const ada = "/v1/administrators/ada"
	made := w.administrator(t, w.token, 200, "PUT", ada, `{"role":"operator"}`)
	if !strings.HasPrefix(made.Text, tokenPrefix) || made.State != "active" || made.Ending != made.Text[len(made.Text)-4:] {
		t.Fatalf("got %+v, want a token", made)
	}
	if again := w.administrator(t, w.token, 200, "PUT", ada, `{"role":"operator"}`); again.Text != "" {
		t.Errorf("asked for again: got %+v, want no text", again)
	}
	w.administrator(t, w.token, 409, "PUT", ada, `{"role":"admin"}`)
	w.administrator(t, made.Text, 403, "PATCH", ada, `{"role":"admin"}`) // S27: nobody raises themselves
	w.administrator(t, made.Text, 403, "PUT", "/v1/administrators/eve", `{"role":"viewer"}`)
	w.administrator(t, made.Text, 200, "PUT", "/v1/keys/web", `{"models":["*"]}`)
	w.administrator(t, w.token, 200, "PATCH", ada, `{"role":"viewer"}`)
	w.administrator(t, made.Text, 403, "DELETE", "/v1/keys/web", "")
	w.administrator(t, made.Text, 200, "GET", "/v1/keys/web", "")
	next := w.administrator(t, w.token, 200, "PUT", ada+"/rotations/one", `{"overlap_seconds":60}`)
	w.administrator(t, made.Text, 200, "GET", ada, "")
	w.now = w.now.Add(time.Minute)
	w.administrator(t, made.Text, 401, "GET", ada, "")
	w.administrator(t, next.Text, 200, "GET", ada, "")
	if a := w.administrator(t, w.token, 200, "PATCH", ada, `{"expires":"2026-08-01T13:00:00Z"}`); a.Expires.IsZero() {
		t.Errorf("got %+v, want it to end", a)
	}
	w.now = w.now.Add(time.Hour)
	w.administrator(t, next.Text, 401, "GET", ada, "")
	w.administrator(t, w.token, 200, "PATCH", ada, `{"expires":""}`)
	w.administrator(t, next.Text, 200, "GET", ada, "")
	if a := w.administrator(t, w.token, 200, "DELETE", ada, ""); a.State != "revoked" {
		t.Errorf("got %+v, want it revoked", a)
	}
	w.administrator(t, next.Text, 401, "GET", ada, "")
	w.administrator(t, w.token, 409, "PUT", ada, `{"role":"viewer"}`)
	w.administrator(t, w.token, 409, "PATCH", ada, `{"role":"viewer"}`)
	w.administrator(t, w.token, 409, "PUT", ada+"/rotations/two", `{}`)
	all := w.log.String()
	for _, path := range []string{ada, "/v1/administrators", "/v1/keys", "/v1/audit"} {
		all += w.ask("GET", path, "").Body.String()
	}
	for _, secret := range []string{made.Text, next.Text, made.Text[9:25], `"hash"`} {
		if strings.Contains(all, secret) {
			t.Errorf("got %.10s… in a log or a list", secret)
		}
	}
	if w.takes(next.Text) || strings.Contains(w.ask("GET", "/v1/keys", "").Body.String(), "admin:") {
		t.Error("got an administrator among the clients' keys")
	}
}

// TestAttackS26AdministratorFields gives administrators what is not the caller's to set.
func TestAttackS26AdministratorFields(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ method, path, body string }{
		{"PUT", "ada", `{"role":"root"}`},
		{"PUT", "ada", `{"role":""}`},
		{"PUT", "ada", `{"role":"Admin"}`},
		{"PUT", "ada", `{}`},
		{"PUT", "ada", `{"role":"viewer","token":"us-admin-mine"}`},
		{"PUT", "ada", `{"role":"viewer","role":"admin"}`},
		{"PUT", "ada", `{"role":"viewer","Role":"admin"}`},
		{"PUT", "ada", `{"role":"viewer","hash":"00"}`},
		{"PUT", "admin%20token", `{"role":"viewer"}`},
		{"PUT", "admin:ada", `{"role":"viewer"}`},
		{"PUT", strings.Repeat("a", 65), `{"role":"viewer"}`},
	} {
		if rec := w.ask(tc.method, "/v1/administrators/"+tc.path, tc.body); rec.Code != 400 {
			t.Errorf("%s %s %s: got status %d and %s, want 400", tc.method, tc.path, tc.body, rec.Code, rec.Body)
		}
	}
	for _, path := range []string{"/v1/keys/admin:ada", "/v1/keys/admin%3Aada"} {
		w.administrator(t, w.token, 200, "PUT", "/v1/administrators/ada", `{"role":"viewer"}`)
		for method, body := range map[string]string{"GET": "", "DELETE": "", "PATCH": `{"disabled":true}`} {
			if rec := w.ask(method, path, body); rec.Code != 404 {
				t.Errorf("%s %s: got status %d, want 404: an administrator is no key", method, path, rec.Code)
			}
		}
	}
	if got := w.keys.Administrators(); len(got) != 1 || got[0].Role != access.Viewer {
		t.Errorf("got %+v, want nothing made of what was refused", got)
	}
}

// faulty is an audit log that can be out.
type faulty struct {
	*access.Memory
	out    bool
	silent bool // nothing is answered
}

// answers waits as a store does that says nothing.
func (f *faulty) answers(ctx context.Context) error {
	if f.silent {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func (f *faulty) KeysVersion(ctx context.Context) (int64, error) {
	if err := f.answers(ctx); err != nil {
		return 0, err
	}
	return f.Memory.KeysVersion(ctx)
}

func (f *faulty) Changes(ctx context.Context, before int64, limit int) ([]access.Change, error) {
	if err := f.answers(ctx); err != nil {
		return nil, err
	}
	return f.Memory.Changes(ctx, before, limit)
}

// AddChange fails while the store is out.
func (f *faulty) AddChange(ctx context.Context, c *access.Change) error {
	if f.out {
		return errors.New("out")
	}
	if err := f.answers(ctx); err != nil {
		return err
	}
	return f.Memory.AddChange(ctx, c)
}

// TestStoreIsSilent asks for changes, and for those there were, while the store says nothing: there is an answer soon.
func TestStoreIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.audit.silent = true
		for _, tc := range []struct{ method, path, body string }{
			{"PUT", "/v1/keys/web", `{"models":["*"]}`},
			{"PUT", "/v1/administrators/ada", `{"role":"viewer"}`},
			{"GET", "/v1/audit", ""},
			{"GET", "/v1/usage", ""},
		} {
			begun := time.Now()
			rec := w.ask(tc.method, tc.path, tc.body)
			w.wantError(t, tc.path, http.StatusServiceUnavailable, rec.Code, rec.Body.String())
			if took := time.Since(begun); took > reportTime {
				t.Errorf("%s %s: got an answer after %v, want one within %v", tc.method, tc.path, took, reportTime)
			}
		}
		w.audit.silent = false
		if rec := w.ask("PUT", "/v1/keys/web", `{"models":["*"]}`); rec.Code != http.StatusOK {
			t.Errorf("when it speaks again: got status %d and %s, want 200", rec.Code, rec.Body)
		}
	})
}

// TestAuditOfWhom names who did what. A change in the store is there with its line, and no other change begins
// without one; a provider is evacuated all the same when nothing can be written.
func TestAuditOfWhom(t *testing.T) {
	w := newWorld(t)
	ada := w.administrator(t, w.token, 200, "PUT", "/v1/administrators/ada", `{"role":"operator"}`).Text
	w.audit.out = true // what has no line of its own to be written with is not in the audit log now
	w.administrator(t, ada, 200, "PUT", "/v1/keys/web", `{"models":["*"]}`)
	w.administrator(t, ada, 200, "PUT", "/v1/evacuations/acme", `{"ramp_seconds":0}`)
	w.audit.out = false
	w.administrator(t, ada, 200, "DELETE", "/v1/evacuations/acme", "")
	w.administrator(t, ada, 403, "DELETE", "/v1/administrators/ada", "")
	var got List[access.Change]
	if err := json.Unmarshal(w.ask("GET", "/v1/audit", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got.Data {
		lines = append(lines, fmt.Sprint(c.By, " ", c.Method, " ", c.Path, " ", c.Outcome))
	}
	want := []string{
		"ada DELETE /v1/administrators/ada permission",
		"ada DELETE /v1/evacuations/acme done",
		"ada DELETE /v1/evacuations/acme begun",
		"ada PUT /v1/keys/web done",
		"admin token PUT /v1/administrators/ada done",
	}
	if fmt.Sprint(lines) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(w.log.String(), "a change is not in the audit log"); n != 2 {
		t.Errorf("got %d lines in the log of what is not in the audit log, want 2", n)
	}
}

// TestAuditOfKeys: keys that somebody puts where none belongs are written down nowhere (S77).
func TestAuditOfKeys(t *testing.T) {
	w := newWorld(t)
	ours, vendors := "us-"+strings.Repeat("a1", 26), "sk-proj-"+strings.Repeat("b_2", 20)
	for path, body := range map[string]string{
		"/v1/keys/web":               `{"models":["*"],"key":"` + ours + `"}`,
		"/v1/keys/web/rotations/one": `{"overlap_seconds":60,"text":"` + w.token + `"}`,
		"/v1/keys/" + ours:           `{"models":[]}`,
		"/v1/keys/x?key=" + vendors:  `{"models":["*"]}`,
		"/v1/keys/y":                 `{"name":"` + strings.Repeat("n", 465) + " " + vendors + `"}`, // which is cut off in the middle of it
	} {
		if rec := w.ask("PUT", path, body); rec.Code != 400 || strings.Contains(rec.Body.String(), ours) {
			t.Errorf("%s: got status %d and %s, want 400 and no key", path, rec.Code, rec.Body)
		}
	}
	found, err := w.audit.Changes(t.Context(), 0, 9)
	if err != nil || len(found) != 5 {
		t.Fatalf("got %d lines, %v, want one for each", len(found), err)
	}
	for _, kept := range []string{fmt.Sprint(found), w.log.String()} {
		if n := strings.Count(kept, "[redacted]"); n != 5 || strings.Contains(kept, ours[:20]) || strings.Contains(kept, vendors[:20]) || strings.Contains(kept, w.token[:20]) {
			t.Errorf("got %s, want every key redacted", kept)
		}
	}
}

// TestAuditOfWhatIsNoText keeps what was asked in a form that every store takes (S47).
func TestAuditOfWhatIsNoText(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{
		"/v1/keys/%ff%00x":                           `{"models":["*"]}`,
		"/v1/keys/x" + strings.Repeat("%C3%A9", 300): `{"models":["*"]}`,
		"/v1/keys/web?%ff=%00":                       `{"models":["*"]}`,
		"/v1/keys/web":                               "{\"models\":[\"*\"],\"name\":\"\xff\"}",
	} {
		if rec := w.ask("PUT", path, body); rec.Code != 400 {
			t.Errorf("%s: got status %d, want 400", path, rec.Code)
		}
	}
	found, err := w.audit.Changes(t.Context(), 0, 9)
	if err != nil || len(found) != 4 {
		t.Fatalf("got %d lines, %v, want one for each", len(found), err)
	}
	for _, c := range found {
		if kept := c.Path + c.Query + c.Body; !utf8.ValidString(kept) || strings.Contains(kept, "\x00") {
			t.Errorf("got %q, want text", kept)
		}
	}
}
