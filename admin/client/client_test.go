package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve answers as h does, and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := New(strings.TrimPrefix(server.URL, "http://"), "the-token")
	t.Cleanup(c.Close)
	return c
}

func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
		token  bool
	}{
		"refused":       {400, `{"error":{"code":"invalid_request","message":"The share is wrong."}}`, "The share is wrong.", false},
		"token":         {401, `{"error":{"code":"authentication","message":"The token."}}`, "The token.", true},
		"not a gateway": {404, "404 page not found", "no gateway: HTTP 404", false},
		"another JSON":  {500, `{"message":"no"}`, "no gateway: HTTP 500", false},
		"broken":        {200, "{", "read the answer", false},
	} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
				t.Errorf("got authorization %q, want the token", got)
			}
			w.WriteHeader(tc.status)
			fmt.Fprint(w, tc.body)
		})
		_, err := c.Drill(t.Context(), "one")
		var refused *Error
		isRefused := errors.As(err, &refused)
		if err == nil || !strings.Contains(err.Error(), tc.want) || isRefused != (tc.status != 200) || isRefused && refused.IsTokenUnknown() != tc.token {
			t.Errorf("%s: got error %v, want %q", name, err, tc.want)
		}
	}
	closed := New("127.0.0.1:1", "the-token")
	var unreachable *UnreachableError
	if _, err := closed.Health(t.Context()); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "the-token") {
		t.Errorf("got error %v, want one that names the address", err)
	}
}

// TestListsReadAllPages follows the cursors.
func TestListsReadAllPages(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		next := map[string]string{"": "a b", "a b": "c", "c": ""}[r.URL.Query().Get("after")]
		_ = json.NewEncoder(w).Encode(map[string]any{"data": []any{map[string]any{"name": "x" + next}}, "next": next})
	})
	all, err := c.Faults(t.Context())
	if err != nil || len(all) != 3 || all[0].Name != "xa b" || all[2].Name != "x" {
		t.Errorf("got %v and error %v, want three pages", all, err)
	}
}

// TestRequests holds what is asked for against what was meant.
func TestRequests(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body any
		_ = json.NewDecoder(r.Body).Decode(&body)
		got = fmt.Sprint(r.Method, " ", r.RequestURI, " ", body)
		fmt.Fprint(w, "{}")
	})
	ctx := t.Context()
	for want, do := range map[string]func() error{
		"PUT /v1/evacuations/a%2Fb map[ramp_seconds:90]":     func() error { _, err := c.Evacuate(ctx, "a/b", 90*time.Second); return err },
		"DELETE /v1/evacuations/acme?ramp_seconds=0.5 <nil>": func() error { _, err := c.Restore(ctx, "acme", 500*time.Millisecond); return err },
		"GET /v1/evacuations/acme/plan <nil>":                func() error { _, err := c.PlanEvacuation(ctx, "acme"); return err },
		"POST /v1/drills/one/stop <nil>":                     func() error { _, err := c.StopDrill(ctx, "one"); return err },
		"POST /v1/health/acme/forget <nil>":                  func() error { _, err := c.Forget(ctx, "acme"); return err },
		"PUT /v1/drills/one map[fault:cut provider:a seconds:60]": func() error {
			_, err := c.StartDrill(ctx, "one", DrillSpec{Provider: "a", Fault: "cut", Seconds: 60})
			return err
		},
	} {
		if err := do(); err != nil || got != want {
			t.Errorf("got %q and error %v, want %q", got, err, want)
		}
	}
}
