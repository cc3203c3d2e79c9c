package transport

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/provider"
)

const entraScope = "https://cognitive.example/.default"

// tokened is a provider that is shown a token.
func tokened(auth, scope, key string) *provider.Provider {
	return &provider.Provider{ID: "tokened", Private: true, Key: provider.NewSecret(key), Facts: provider.Facts{Auth: auth, Scope: scope}}
}

// noAzure takes away whatever the machine that runs the test has of Azure.
func noAzure(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AZURE_") || strings.HasPrefix(name, "IDENTITY_") {
			t.Setenv(name, "")
		}
	}
}

// showsAuthorization is a provider that answers with what it was shown.
func showsAuthorization(t *testing.T) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Authorization")) })
}

func TestEntra(t *testing.T) {
	identity := func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() != nil || r.URL.Path != "/tenant/oauth2/v2.0/token" || r.Form.Get("scope") != entraScope ||
			r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("client_id") != "app" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Form.Get("client_secret") == "canary-secret":
			io.WriteString(w, `{"access_token":"token-by-secret","expires_in":3599,"token_type":"Bearer"}`)
		case r.Form.Get("client_assertion") == "canary-assertion" && r.Form.Get("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
			io.WriteString(w, `{"access_token":"token-by-assertion","expires_in":3599,"token_type":"Bearer"}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_client","error_description":"Invalid client secret provided: `+r.Form.Get("client_secret")+`"}`)
		}
	}
	platform := func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("resource") != "https://cognitive.example" || q.Get("api-version") != "2019-08-01" || r.Header.Get("X-Identity-Header") != "canary-header" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		io.WriteString(w, `{"access_token":"token-by-platform","expires_on":"4070908800"}`)
	}
	authority, own := serve(t, identity), serve(t, platform)
	file := filepath.Join(t.TempDir(), "assertion")
	if err := os.WriteFile(file, []byte("canary-assertion\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := showsAuthorization(t)
	app := map[string]string{"AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app", "AZURE_AUTHORITY_HOST": authority + "/"}
	for _, tc := range []struct {
		name    string
		env     map[string]string
		want    string // the token, or the error
		refused bool
	}{
		{"secret", map[string]string{"AZURE_CLIENT_SECRET": "canary-secret"}, "Bearer token-by-secret", false},
		{"workload identity", map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file}, "Bearer token-by-assertion", false},
		{"managed identity", map[string]string{"AZURE_TENANT_ID": "", "IDENTITY_ENDPOINT": own, "IDENTITY_HEADER": "canary-header"}, "Bearer token-by-platform", false},
		{"wrong secret", map[string]string{"AZURE_CLIENT_SECRET": "canary-other"}, " answered HTTP 401 invalid_client", true},
		{"no file", map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file + "2"}, "the file of AZURE_FEDERATED_TOKEN_FILE cannot be opened", true},
		{"no authority", map[string]string{"AZURE_CLIENT_SECRET": "canary-secret", "AZURE_AUTHORITY_HOST": "http://127.0.0.1:1"}, "no connection to 127.0.0.1:1", false},
		{"platform refuses", map[string]string{"AZURE_TENANT_ID": "", "IDENTITY_ENDPOINT": own, "IDENTITY_HEADER": "canary"}, "identity service answered HTTP 400", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			noAzure(t)
			for _, env := range []map[string]string{app, tc.env} {
				for name, value := range env {
					t.Setenv(name, value)
				}
			}
			resp, got, err := send(t, newTransport(t, Options{}), Request{Provider: tokened(provider.AuthEntra, entraScope, ""), URL: at})
			if !strings.HasPrefix(tc.want, "Bearer ") {
				checkNoCredential(t, err, tc.refused, tc.want)
			} else if err != nil || got != tc.want || "Bearer "+resp.Shown.Reveal() != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// TestTokenRefused shows another token after one was refused, to a request or as a WebSocket was to be opened.
func TestTokenRefused(t *testing.T) {
	noAzure(t)
	for name, ask := range map[string]func(*Transport, Request) (int, error){
		"request": func(tr *Transport, r Request) (int, error) {
			resp, _, err := send(t, tr, r)
			if err != nil {
				return 0, err
			}
			return resp.Status, nil
		},
		"upgrade": func(tr *Transport, r Request) (int, error) {
			_, resp, err := tr.Upgrade(t.Context(), r, nil)
			if err != nil {
				return 0, err
			}
			return resp.Status, resp.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) { holdTokenRefused(t, ask) })
	}
}

func holdTokenRefused(t *testing.T, send func(*Transport, Request) (int, error)) {
	t.Helper()
	fetches := 0
	authority := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fetches++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token %d","expires_in":3599,"token_type":"Bearer"}`, fetches)
	})
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer token 1" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for name, value := range map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "s", "AZURE_AUTHORITY_HOST": authority} {
		t.Setenv(name, value)
	}
	var late atomic.Bool
	tr := newTransport(t, Options{Now: func() time.Time {
		if late.Load() {
			return time.Now().Add(2 * doubtAfter)
		}
		return time.Now()
	}})
	ask := func() int {
		status, err := send(tr, Request{Provider: tokened(provider.AuthEntra, entraScope, ""), URL: at})
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := ask(); got != http.StatusUnauthorized {
		t.Fatalf("got %d, want the first token refused", got)
	}
	late.Store(true)
	ask() // tells that it is refused
	for deadline := time.Now().Add(patience); ask() != http.StatusOK; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got the first token shown after %d fetches, want another", fetches)
		}
	}
}
