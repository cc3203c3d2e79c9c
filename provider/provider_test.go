package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestSecretStaysHidden prints a key, and what holds it, in every way there is.
func TestSecretStaysHidden(t *testing.T) {
	const key = "sk-canary-0123456789"
	secret := NewSecret(key)
	holder := Provider{ID: "p", Key: secret}
	within := struct{ key Secret }{secret} // fmt calls no methods of unexported fields
	var shown strings.Builder
	for _, verb := range strings.Split("v +v #v s q x X d t T p c U e b o", " ") {
		for _, v := range []any{secret, &secret, holder, &holder, []Secret{secret}, map[string]Secret{"k": secret}, within, &within} {
			fmt.Fprintf(&shown, "%"+verb+"\n", v)
		}
	}
	fmt.Fprintln(&shown, secret, secret.String(), secret.GoString(), fmt.Errorf("wrapped: %v", secret))
	for name, encode := range map[string]func(any) ([]byte, error){
		"json": json.Marshal, "yaml": yaml.Marshal,
	} {
		text, err := encode(struct{ Key Secret }{secret})
		if err != nil || !bytes.Contains(text, []byte(redacted)) {
			t.Errorf("%s: got %q, %v, want %s in it", name, text, err, redacted)
		}
		shown.Write(text)
	}
	for _, v := range []any{secret, holder, within} {
		slog.New(slog.NewTextHandler(&shown, nil)).Info("m", "v", v)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("m", "v", v)
	}
	for _, leak := range []string{key, "canary", fmt.Sprintf("%x", key), fmt.Sprintf("%X", key)} {
		if strings.Contains(shown.String(), leak) {
			t.Errorf("got %q shown, want it hidden:\n%s", leak, shown.String())
		}
	}
	if got := secret.Reveal(); got != key || secret.IsZero() || !(Secret{}).IsZero() || !NewSecret("").IsZero() {
		t.Errorf("Reveal: got %q, want the key", got)
	}
}

func TestJoinURL(t *testing.T) {
	for _, tc := range []struct{ base, path, want string }{
		{"https://h", "/v1/messages", "https://h/v1/messages"},
		{"https://h/", "/v1/messages", "https://h/v1/messages"},
		{"https://h/", "v1/messages", "https://h/v1/messages"},
		{"https://h/v1", "/chat/completions", "https://h/v1/chat/completions"},
		{"https://h/v1/", "/v1/chat/completions", "https://h/v1/chat/completions"},
		{"https://h/v1", "/v1", "https://h/v1/v1"},
		{"https://h/v1beta", "/v1/models", "https://h/v1beta/v1/models"},
		{"https://h/v1", "/v1beta/models", "https://h/v1/v1beta/models"},
		{"https://h/v2", "/v1/models", "https://h/v2/v1/models"},
		{"https://h/openai/v1", "/v1/models", "https://h/openai/v1/models"},
		{"https://h/openai", "/v1/models", "https://h/openai/v1/models"},
		{"https://h/v", "/v/models", "https://h/v/v/models"},
		{"https://v1", "/v1/models", "https://v1/v1/models"},
		{"https://h:8443", "/x", "https://h:8443/x"},
	} {
		if got := JoinURL(tc.base, tc.path); got != tc.want {
			t.Errorf("JoinURL(%q, %q): got %q, want %q", tc.base, tc.path, got, tc.want)
		}
	}
}
