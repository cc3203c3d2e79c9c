package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/access"
)

// Tests are named for the rows of the project's list of attacks.

func (w *world) wantError(t *testing.T, name string, status, got int, body string) {
	t.Helper()
	var e errorBody
	if err := json.Unmarshal([]byte(body), &e); got != status || err != nil || e.Error.Code == "" || e.Error.Message == "" || len(body) > 1<<10 {
		t.Errorf("%s: got status %d and %.300s, want %d and a short error", name, got, body, status)
	}
}

func TestAttackS10ToS14Credentials(t *testing.T) {
	w := newWorld(t)
	flipped := w.token[:len(w.token)-1] + string(w.token[len(w.token)-1]^1)
	for _, tc := range []struct {
		name   string
		status int
		header []string
	}{
		{"none", 401, []string{"X-None", "1"}},
		{"empty bearer", 401, []string{"Authorization", "Bearer "}},
		{"spaces", 401, []string{"Authorization", "Bearer    "}},
		{"another scheme", 401, []string{"Authorization", "Basic " + w.token}},
		{"control characters", 401, []string{"Authorization", "Bearer a\tb"}},
		{"64 KiB", 401, []string{"Authorization", "Bearer " + strings.Repeat("a", 64<<10)}},
		{"SQL", 401, []string{"Authorization", "Bearer ' OR 1=1--"}},
		{"last character changed", 401, []string{"Authorization", "Bearer " + flipped}},
		{"case changed", 401, []string{"Authorization", "Bearer " + strings.ToUpper(w.token)}},
		{"prefix", 401, []string{"Authorization", "Bearer " + w.token[:20]}},
		{"longer", 401, []string{"Authorization", "Bearer " + w.token + "a"}},
		{"the hash itself", 401, []string{"Authorization", "Bearer " + strings.Repeat("0", 64)}},
		{"two that differ", 400, []string{"Authorization", "Bearer " + w.token, "X-Api-Key", "other"}},
		{"two headers that differ", 400, []string{"Authorization", "Bearer " + w.token, "Authorization", "Bearer other"}},
	} {
		w.now = w.now.Add(time.Minute) // so that nobody is turned away for having tried too often
		rec := w.ask("GET", "/v1/drills", "", tc.header...)
		w.wantError(t, tc.name, tc.status, rec.Code, rec.Body.String())
		if strings.Contains(rec.Body.String(), "drill") {
			t.Errorf("%s: got %s, want nothing of what there is", tc.name, rec.Body)
		}
	}
	for _, header := range [][]string{{"Authorization", "bearer " + w.token}, {"X-Api-Key", w.token}, {"Api-Key", w.token}, {"X-Goog-Api-Key", w.token}} {
		if rec := w.ask("GET", "/v1/drills", "", header...); rec.Code != 200 {
			t.Errorf("%s: got status %d, want 200", header[0], rec.Code)
		}
	}
	if rec := w.ask("GET", "/v1/drills?key="+w.token, "", "X-None", "1"); rec.Code != 401 {
		t.Errorf("in the address: got status %d, want 401", rec.Code)
	}
	if strings.Contains(w.log.String(), w.token) {
		t.Error("got the token in the log")
	}
}

// tryBurst is how many wrong tokens an address may show at once.
const tryBurst = 20

func TestAttackS18Guessing(t *testing.T) {
	w := newWorld(t)
	refused := 0
	for range 200 {
		if rec := w.ask("GET", "/v1/drills", "", "Authorization", "Bearer guess"); rec.Code == http.StatusTooManyRequests {
			refused++
			if rec.Header().Get("Retry-After") == "" {
				t.Fatal("got no Retry-After, want one")
			}
		}
	}
	if refused != 200-tryBurst {
		t.Errorf("got %d of 200 guesses turned away, want %d", refused, 200-tryBurst)
	}
	if n := strings.Count(w.log.String(), "admin refused"); n != tryBurst {
		t.Errorf("got %d lines in the log, want %d", n, tryBurst)
	}
	if rec := w.ask("GET", "/v1/drills", ""); rec.Code != 200 {
		t.Errorf("the right token from the same address: got status %d, want 200", rec.Code)
	}
	w.now = w.now.Add(access.TryEvery)
	if rec := w.ask("GET", "/v1/drills", "", "Authorization", "Bearer guess"); rec.Code != 401 {
		t.Errorf("a second later: got status %d, want 401", rec.Code)
	}
}

func TestAttackS91OtherSites(t *testing.T) {
	w := newWorld(t)
	token := []string{"Authorization", "Bearer " + w.token}
	for _, tc := range []struct {
		name   string
		status int
		header []string
	}{
		{"a program", 200, nil},
		{"the same origin", 200, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8081"}},
		{"typed in", 200, []string{"Sec-Fetch-Site", "none"}},
		{"localhost", 200, []string{"Host", "localhost:8081"}},
		{"IPv6", 200, []string{"Host", "[::1]:8081"}},
		{"another site", 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"a sibling", 403, []string{"Sec-Fetch-Site", "same-site"}},
		{"another origin", 403, []string{"Origin", "https://evil.example"}},
		{"another port", 403, []string{"Origin", "http://127.0.0.1:9000"}},
		{"no origin at all", 403, []string{"Origin", "null"}},
		{"a name that was bound anew", 403, []string{"Host", "evil.example:8081", "Origin", "http://evil.example:8081"}},
		{"likewise, without a port", 403, []string{"Host", "evil.example"}},
	} {
		rec := w.ask("GET", "/v1/drills", "", append(token[:2:2], tc.header...)...)
		if rec.Code != tc.status {
			t.Errorf("%s: got status %d and %s, want %d", tc.name, rec.Code, rec.Body, tc.status)
		}
		if rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got an answer that other sites may read", tc.name)
		}
	}
}

// needs is the least role for each row of the API. One that is not here fails.
var needs = map[string]access.Role{
	"GET /v1/openapi.json":                               access.Viewer,
	"GET /v1/health":                                     access.Viewer,
	"POST /v1/health/{provider}/forget":                  access.Operator,
	"GET /v1/faults":                                     access.Viewer,
	"GET /v1/drills":                                     access.Viewer,
	"GET /v1/drills/{id}":                                access.Viewer,
	"PUT /v1/drills/{id}":                                access.Operator,
	"POST /v1/drills/{id}/stop":                          access.Operator,
	"GET /v1/evacuations":                                access.Viewer,
	"GET /v1/evacuations/{provider}":                     access.Viewer,
	"GET /v1/evacuations/{provider}/plan":                access.Viewer,
	"PUT /v1/evacuations/{provider}":                     access.Operator,
	"DELETE /v1/evacuations/{provider}":                  access.Operator,
	"GET /v1/keys":                                       access.Viewer,
	"GET /v1/keys/{id}":                                  access.Viewer,
	"PUT /v1/keys/{id}":                                  access.Operator,
	"PATCH /v1/keys/{id}":                                access.Operator,
	"DELETE /v1/keys/{id}":                               access.Operator,
	"PUT /v1/keys/{id}/rotations/{rotation}":             access.Operator,
	"GET /v1/administrators":                             access.Viewer,
	"GET /v1/administrators/{name}":                      access.Viewer,
	"PUT /v1/administrators/{name}":                      access.Admin,
	"PATCH /v1/administrators/{name}":                    access.Admin,
	"DELETE /v1/administrators/{name}":                   access.Admin,
	"PUT /v1/administrators/{name}/rotations/{rotation}": access.Admin,
	"GET /v1/audit":                                      access.Viewer,
	"GET /v1/usage":                                      access.Viewer,
	"GET /v1/ledger/verification":                        access.Viewer,
	"GET /v1/budgets":                                    access.Viewer,
	"PUT /v1/budgets/{account}/{period}":                 access.Operator,
	"DELETE /v1/budgets/{account}/{period}":              access.Operator,
}

// everybody has the token of each kind of caller, and the role that it is good for; nobody's if that is empty.
func (w *world) everybody(t *testing.T) map[string]struct {
	token string
	role  access.Role
} {
	t.Helper()
	_, client, err := w.keys.Create(t.Context(), "web", access.Spec{Models: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]struct {
		token string
		role  access.Role
	}{"nobody": {}, "a guess": {token: "us-admin-guess"}, "a client": {token: client}, "the gateway's own": {w.token, access.Admin}}
	add := func(name string, s access.AdministratorSpec) string {
		_, token, err := w.keys.AddAdministrator(t.Context(), name, s)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, role := range access.Roles() {
		all[string(role)] = struct {
			token string
			role  access.Role
		}{add(string(role), access.AdministratorSpec{Role: role}), role}
	}
	expired := all["nobody"]
	expired.token = add("expired", access.AdministratorSpec{Role: access.Admin, Expires: w.now.Add(-time.Second)})
	revoked := all["nobody"]
	revoked.token = add("revoked", access.AdministratorSpec{Role: access.Admin})
	if _, err := w.keys.RevokeAdministrator(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	all["expired"], all["revoked"] = expired, revoked
	return all
}

// TestAttackS20Matrix asks for every row of the API as everybody, by its method and by others (S21).
func TestAttackS20Matrix(t *testing.T) {
	w := newWorld(t)
	all := w.everybody(t)
	for _, e := range endpoints() {
		row := e.method + " " + e.path
		least, known := needs[row]
		if !known {
			t.Errorf("%s: got no row in the table of this test, want one", row)
		}
		path := hole.ReplaceAllString(e.path, "x")
		for name, who := range all {
			w.now = w.now.Add(time.Minute)
			for _, method := range []string{e.method, "HEAD", "OPTIONS", "TRACE", "PROPFIND"} {
				header := []string{"Authorization", "Bearer " + who.token}
				if who.token == "" {
					header = []string{"X-None", "1"}
				}
				code := w.ask(method, path, "", header...).Code
				switch {
				case who.role == "":
					if code != 401 {
						t.Errorf("%s, %s %s: got status %d, want 401", name, method, path, code)
					}
				case method != e.method:
					if code < 400 && method != "HEAD" {
						t.Errorf("%s, %s %s: got status %d, want it refused", name, method, path, code)
					}
				case (code == 403) == who.role.Covers(least):
					t.Errorf("%s, %s: got status %d, want 403 for less than the role %s and for nobody else", name, row, code, least)
				}
			}
		}
		if rec := w.ask("PROPFIND", path, ""); rec.Code != 405 || rec.Header().Get("Allow") == "" {
			t.Errorf("PROPFIND %s: got status %d, want 405 that says what there is", path, rec.Code)
		}
		if rec := w.ask("GET", path, "", "Authorization", "Bearer "+w.token, "X-HTTP-Method-Override", "DELETE"); rec.Code == 405 && e.method == "GET" {
			t.Errorf("GET %s: got a method changed by a header", path)
		}
	}
	for row := range needs {
		if !slices.ContainsFunc(endpoints(), func(e endpoint) bool { return e.method+" "+e.path == row }) {
			t.Errorf("%s: got a row in the table of this test that the API has not", row)
		}
	}
}

func TestAttackS7Paths(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"//v1/drills", "/v1//drills", "/v1/../v1/drills", "/v1/%2e%2e/v1/drills", "/v1/drills/", "/V1/drills", "/v1/drills;x", "/v1/drills%00",
		"/v1/drills%2f", "/v1/drills/a%2fb", "/v1/drills/..%2f..%2fadmin-token", "/v1/drills/%2e%2e",
	} {
		if rec := w.ask("GET", path, "", "X-None", "1"); rec.Code == 200 {
			t.Errorf("%s without a token: got status 200", path)
		}
		if rec := w.ask("GET", path, ""); rec.Code == 200 {
			t.Errorf("%s: got status %d and %s, want nothing there", path, rec.Code, rec.Body)
		}
	}
}

func TestAttackS26Bodies(t *testing.T) {
	w := newWorld(t)
	good := `{"provider":"acme","fault":"reset","seconds":60}`
	for _, tc := range []struct {
		name, body, kind string
		status           int
	}{
		{"none", "", "application/json", 400},
		{"a form", "provider=acme", "application/x-www-form-urlencoded", 415},
		{"plain text", good, "text/plain", 415},
		{"an unknown field", `{"provider":"acme","fault":"reset","seconds":60,"role":"root"}`, "application/json", 400},
		{"a field twice", `{"provider":"acme","provider":"other","fault":"reset","seconds":60}`, "application/json", 400},
		{"a field in two cases", `{"provider":"acme","Provider":"other","fault":"reset","seconds":60}`, "application/json", 400},
		{"two documents", good + good, "application/json", 400},
		{"a list", "[]", "application/json", 400},
		{"null", "null", "application/json", 400},
		{"a number too large", `{"provider":"acme","fault":"reset","seconds":1e308}`, "application/json", 400},
		{"not a number", `{"provider":"acme","fault":"reset","seconds":NaN}`, "application/json", 400},
		{"negative", `{"provider":"acme","fault":"reset","seconds":-1}`, "application/json", 400},
		{"a share above all", `{"provider":"acme","fault":"reset","seconds":1,"share":2}`, "application/json", 400},
		{"deep", strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200), "application/json", 400},
		{"large", `{"provider":"` + strings.Repeat("a", maxBody) + `"}`, "application/json", 413},
		{"an unknown provider", `{"provider":"<script>","fault":"reset","seconds":60}`, "application/json", 400},
	} {
		rec := w.ask("PUT", "/v1/drills/one", tc.body, "Authorization", "Bearer "+w.token, "Content-Type", tc.kind)
		w.wantError(t, tc.name, tc.status, rec.Code, rec.Body.String())
	}
	if got, _ := w.drills.Current(); got != "" {
		t.Errorf("got the drill %q, want none", got)
	}
	for _, q := range []string{"limit=0", "limit=-1", "limit=x", "sort=secret", "after=gone", "limit=5&team=other", "limit=", "limit=5&limit=6"} {
		if rec := w.ask("GET", "/v1/drills?"+q, ""); rec.Code != 400 {
			t.Errorf("%s: got status %d, want 400", q, rec.Code)
		}
	}
	// What would be taken for something that was not said is refused, and nothing is done.
	for _, tc := range []struct{ method, path, body string }{
		{"PUT", "/v1/evacuations/acme", "{}"},
		{"PUT", "/v1/evacuations/acme", `{"ramp_seconds":null}`},
		{"PUT", "/v1/evacuations/acme", "null"},
		{"DELETE", "/v1/evacuations/acme?ramp_seconds=", ""},
		{"DELETE", "/v1/evacuations/acme?ramp_seconds=60&ramp_seconds=0", ""},
		{"PUT", "/v1/keys/none", "null"},
		{"PATCH", "/v1/keys/none", "null"},
		{"PUT", "/v1/keys/none/rotations/one", "null"},
		{"PUT", "/v1/budgets/team:none/day", "{}"},
		{"PUT", "/v1/administrators/none", "{}"},
	} {
		rec := w.ask(tc.method, tc.path, tc.body)
		w.wantError(t, tc.method+" "+tc.path+" "+tc.body, 400, rec.Code, rec.Body.String())
	}
	if rec := w.ask("GET", "/v1/drills?limit=1000000000", ""); rec.Code != 200 {
		t.Errorf("a large limit: got status %d, want it capped", rec.Code)
	}
}
