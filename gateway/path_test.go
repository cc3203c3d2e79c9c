package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
)

// TestUnknownPaths: an error for a path that nobody serves is worded as the API that it looks like.
func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withDialect(bedrock.New(), "/b"), withDialect(cohere.New(), "/c"), withDialect(gemini.New(), "/g"), withDialect(ollama.New(), "/o"))
	for _, tc := range []struct {
		path, header string
		where        []string // the error's text in the body
		member       string   // what else there is beside it
	}{
		{"/api/generate", "", []string{"error"}, ""},
		{"/api", "", []string{"error"}, ""},
		{"/v2/classify", "", []string{"message"}, ""},
		{"/v1beta/cachedContents", "", []string{"error", "message"}, `"status"`},
		{"/v1/projects/p/locations/l/publishers/google/models/m:predict", "", []string{"error", "message"}, `"status"`},
		{"/model/m/invoke-backwards", "", []string{"message"}, ""},
		{"/v1/messages/m/n", "", []string{"error", "message"}, `"request_id"`},
		{"/v1/nothing", "", []string{"error", "message"}, `"param"`},
		{"/v1/nothing", "Anthropic-Version", []string{"error", "message"}, `"request_id"`},
		{"/", "", []string{"error", "message"}, `"param"`},
		{"/nothing", "", []string{"error", "message"}, `"param"`},
	} {
		header := map[string]string{}
		if tc.header != "" {
			header[tc.header] = "2023-06-01"
		}
		got := w.post(api{path: tc.path}, map[string]any{}, header)
		var doc any
		_ = json.Unmarshal(got.body, &doc)
		for _, key := range tc.where {
			m, _ := doc.(map[string]any)
			doc = m[key]
		}
		if text, _ := doc.(string); got.status != http.StatusNotFound || !strings.Contains(text, "Nothing is served") || !strings.Contains(string(got.body), tc.member) {
			t.Errorf("%s %s: got %v want 404 with the words at %v and %s", tc.path, tc.header, got, tc.where, tc.member)
		}
	}
}

// TestVersion: Ollama's clients ask for a version, with or without anything behind the gateway.
func TestVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withDialect(ollama.New(), "/o"))
	resp, err := http.Get(w.url + "/api/version")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v struct{ Version string }
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.StatusCode != 200 || strings.Count(v.Version, ".") != 2 {
		t.Errorf("got %d %+v %v, want 200 and a version", resp.StatusCode, v, err)
	}
	if rec := w.record(); rec.Code != "" || len(rec.Attempts) != 0 {
		t.Errorf("got record %+v, want no attempt and no failure", rec)
	}
}
