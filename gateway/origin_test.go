package gateway_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOrigins: without a key nobody's web page spends the money of whoever reads it (S91).
func TestOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for origin, allowed := range map[string]bool{
		"": true, "http://localhost:3000": true, "http://127.0.0.1": true, "https://192.168.1.7:8443": true, "http://[::1]:5173": true,
		"http://intranet": true, "https://ui.example.internal": true, "chrome-extension://abcdef": true, "app://obsidian.md": true,
		"vscode-webview://x": true, "file://": true, "tauri://localhost": true,
		"http://evil.example": false, "https://evil.example": false, "null": false, "http://evil.example:8080": false, "http://8.8.8.8": false,
		"http://localhost.evil.example": false, "http://127.0.0.1.evil.example": false, "https://localhost@evil.example": false, "%zz": false, "//x": false,
		"http://": false, "https:": false, "http://EVIL.example": false,
	} {
		for _, a := range apis {
			before := w.count(a.own[0])
			header := map[string]string{"Content-Type": "text/plain"} // which browsers send without asking
			if origin != "" {
				header["Origin"] = origin
			}
			got := w.post(a, body(a.own[0], "Hello", false), header)
			if allowed != got.whole() {
				t.Errorf("%q: got status %d, want it allowed: %v", origin, got.status, allowed)
			}
			if !allowed {
				w.wantError(t, origin, a, got, http.StatusForbidden)
				if w.count(a.own[0]) != before || strings.Contains(string(got.body), "evil") {
					t.Errorf("%q: got %d vendors asked and %.200s, want nobody asked and the origin not echoed", origin, w.count(a.own[0])-before, got.body)
				}
			}
		}
	}
	// By TLS, as a proxy before the gateway has it, a page is the name's own; by plain HTTP the name may be bound anew.
	for origin, status := range map[string]int{"https://llm.example.com": 200, "http://llm.example.com": 403, "https://llm.example.com.evil.example": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "llm.example.com"
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s at llm.example.com: got status %d, want %d", origin, resp.StatusCode, status)
		}
	}
}
