package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	ready := true
	h := Handler(func() bool { return ready })
	check := func(method, path string, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		if w.Code != status || (body != "" && w.Body.String() != body) {
			t.Errorf("%s %s: got %d %q, want %d %q", method, path, w.Code, w.Body, status, body)
		}
	}
	check("GET", "/healthz", 200, "ok\n")
	check("GET", "/readyz", 200, "ready\n")
	ready = false
	check("GET", "/readyz", 503, "stopping\n")
	check("GET", "/healthz", 200, "ok\n")
	// What operators of other programs expose by mistake.
	for _, path := range []string{"/", "/debug/pprof/", "/metrics", "/v1/models", "/v1/chat/completions"} {
		check("GET", path, 404, "")
	}
	check("POST", "/healthz", 405, "")
}
