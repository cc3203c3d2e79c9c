package transport

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/provider"
)

const googleScope = "https://auth.example/cloud"

// noGoogle takes away whatever the machine that runs the test has of Google.
func noGoogle(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST"} {
		t.Setenv(name, "")
	}
	t.Setenv("CLOUDSDK_CONFIG", folder)
	return folder
}

// serviceAccount is a file of credentials for the token service at address.
func serviceAccount(t *testing.T, address string) (text string, key *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "app@acme.example", "private_key_id": "k1", "token_uri": address,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data), key
}

func TestGoogle(t *testing.T) {
	issuer := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/sa":
			if r.ParseForm() != nil || claims(r.Form.Get("assertion"))["scope"] != googleScope || claims(r.Form.Get("assertion"))["iss"] != "app@acme.example" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			io.WriteString(w, `{"access_token":"token-of-account","expires_in":3599,"token_type":"Bearer"}`)
		case "/refused":
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"invalid_grant","error_description":"canary"}`)
		case "/computeMetadata/v1/instance/service-accounts/default/token":
			if r.Header.Get("Metadata-Flavor") != "Google" || r.URL.Query().Get("scopes") != googleScope {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			io.WriteString(w, `{"access_token":"token-of-machine","expires_in":3599,"token_type":"Bearer"}`)
		}
	})
	account, _ := serviceAccount(t, issuer+"/sa")
	refused, _ := serviceAccount(t, issuer+"/refused")
	lost, _ := serviceAccount(t, "http://127.0.0.1:1/")
	at := showsAuthorization(t)
	for _, tc := range []struct {
		name       string
		key        string
		env        map[string]string
		file, text string // below the folder of the gcloud tool
		want       string // the token, or the error
		isRefused  bool
	}{
		{"a key file", account, nil, "", "", "Bearer token-of-account", false},
		{"a file in the environment", "", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "sa.json"}, "sa.json", account, "Bearer token-of-account", false},
		{"gcloud's file", "", nil, "application_default_credentials.json", account, "Bearer token-of-account", false},
		{"the machine's", "", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(issuer, "http://")}, "", "", "Bearer token-of-machine", false},
		{"refused", refused, nil, "", "", " answered HTTP 400 invalid_grant", true},
		{"not reached", lost, nil, "", "", "no connection to 127.0.0.1:1", false},
		{"another type", `{"type":"canary type"}`, nil, "", "", "has the type something else, want service_account", true},
		{"no key in it", `{"type":"service_account","private_key":"canary"}`, nil, "", "", "something is missing in them or malformed", true},
		{"no such file", "", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "absent.json"}, "", "", "the file absent.json cannot be opened", true},
		{"no metadata service", "", map[string]string{"GCE_METADATA_HOST": "127.0.0.1:1"}, "", "", "no connection to 127.0.0.1:1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(noGoogle(t))
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			if tc.file != "" {
				if err := os.WriteFile(filepath.Join(os.Getenv("CLOUDSDK_CONFIG"), tc.file), []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			resp, got, err := send(t, newTransport(t, Options{}), Request{Provider: tokened(provider.AuthGoogle, googleScope, tc.key), URL: at})
			if !strings.HasPrefix(tc.want, "Bearer ") {
				checkNoCredential(t, err, tc.isRefused, tc.want)
			} else if err != nil || got != tc.want || "Bearer "+resp.Shown.Reveal() != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// claims reads a JSON web token without a look at its signature.
func claims(token string) map[string]any {
	var c map[string]any
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(text, &c)
		}
	}
	return c
}
