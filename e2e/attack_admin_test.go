//go:build unix

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttackAdminAPI is the rows of the list that concern the admin API, at the running program. What each part of
// it refuses is tested where it is.
func TestAttackAdminAPI(t *testing.T) {
	t.Parallel()
	h := openHouse(t, standard)
	token := h.token()
	get := func(path string, header ...string) got {
		t.Helper()
		return h.asOperator("GET", path, "", token, header...)
	}

	// S94: it has a listener of its own, and the clients' has nothing of it.
	for _, path := range []string{"/v1/health", "/v1/drills", "/v1/evacuations", "/v1/openapi.json", "/v1/faults"} {
		if a := get(path); a.status != http.StatusOK || strings.Contains(a.body, canary) || strings.Contains(a.body, token) {
			t.Errorf("%s: got status %d and %.300s, want 200 and no secret", path, a.status, a.body)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, http.NoBody)
		req.Header.Set("Authorization", "Bearer "+token)
		if a := h.do(req); a.status != http.StatusNotFound {
			t.Errorf("%s at the clients' listener: got status %d, want 404", path, a.status)
		}
		if a := h.asOperator("GET", path, "", "us-admin-guess"); a.status != http.StatusUnauthorized || strings.Contains(a.body, "chat") {
			t.Errorf("%s without the token: got status %d and %s, want 401 and nothing more", path, a.status, a.body)
		}
	}
	// S91: pages of other sites, by whatever name.
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		if a := get("/v1/health", header...); a.status != http.StatusForbidden {
			t.Errorf("%v: got status %d, want 403", header, a.status)
		}
	}
	raw := func(head string) string {
		t.Helper()
		answer, _ := rawTo(t, h.admin, head)
		return answer
	}
	bearer := "Authorization: Bearer " + token + "\r\nConnection: close\r\n"
	if answer := raw("GET /v1/health HTTP/1.1\r\nHost: evil.example\r\n" + bearer + "\r\n"); status(answer) != 403 {
		t.Errorf("a name that was bound anew: got %.80q, want 403", answer)
	}
	// S1 to S6, S10, S62: framing and sizes.
	for name, tc := range map[string]struct {
		request  string
		statuses []int
	}{
		"two lengths":    {"POST /v1/drills/x/stop HTTP/1.1\r\nHost: localhost\r\n" + bearer + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}", []int{400}},
		"no host":        {"GET /v1/health HTTP/1.1\r\n" + bearer + "\r\n", []int{400}},
		"another host":   {"GET http://evil.example/v1/health HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n", []int{403}},
		"a long token":   {"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + strings.Repeat("a", 1<<20) + "\r\n\r\n", []int{431, 400}},
		"a long body":    {fmt.Sprintf("PUT /v1/drills/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", bearer, 1<<20, strings.Repeat("a", 1<<20)), []int{413}},
		"a climb":        {"GET /v1/drills/..%2f..%2fadmin-token HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n", []int{404}},
		"a broken chunk": {"PUT /v1/drills/x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + bearer + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", []int{400, 413}},
	} {
		answer := raw(tc.request)
		ok := false
		for _, want := range tc.statuses {
			ok = ok || status(answer) == want
		}
		if !ok {
			t.Errorf("%s: got %.120q, want %v", name, answer, tc.statuses)
		}
	}
	// S95: nothing is open that tells of what is configured.
	for _, path := range []string{"/debug/pprof/", "/debug/vars", "/health?verbose", "/config"} {
		if a := h.asOperator("GET", path, "", "none"); a.status == http.StatusOK {
			t.Errorf("%s: got status 200 and %.100s, want nothing there", path, a.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := h.asOperator("GET", path, "", "none"); a.status != http.StatusOK || strings.Contains(a.body, "chat") {
			t.Errorf("%s: got status %d and %q, want 200 and no vendor's name", path, a.status, a.body)
		}
	}
	// S29, S77, S96: the token is kept nowhere, and shown once.
	folder := filepath.Join(filepath.Dir(h.config), "data")
	kept, err := os.ReadFile(filepath.Join(folder, "admin-token.json"))
	if err != nil || strings.Contains(string(kept), token) {
		t.Errorf("got %q kept and error %v, want a hash", kept, err)
	}
	info, err := os.Stat(filepath.Join(folder, "admin-token.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v and error %v, want a file for its owner alone", info, err)
	}
	h.stop()
	if n := strings.Count(h.told.all()+h.log.all(), token); n != 1 {
		t.Errorf("got the token %d times in what the program wrote, want once", n)
	}
}
