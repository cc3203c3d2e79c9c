package dialect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestNothingUnknownIsLostSilently puts a member that nobody knows into every object of every request that the fixtures
// have. Each other dialect is sent it, or its loss is reported, or the request is refused (A53).
func TestNothingUnknownIsLostSilently(t *testing.T) {
	for _, from := range everyDialect() {
		t.Run(string(from.Name), func(t *testing.T) {
			t.Parallel()
			files, err := filepath.Glob(filepath.Join(from.folder, "testdata", "*", "request.json"))
			if err != nil || len(files) < 20 {
				t.Fatalf("got %d requests (%v) want the fixtures", len(files), err)
			}
			told := map[string]bool{}
			for _, file := range files {
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				var doc any
				if err := json.Unmarshal(body, &doc); err != nil {
					t.Fatal(err)
				}
				eachObject(doc, "", func(path string, object map[string]any) {
					if inSchema.MatchString(path) || told[path] {
						return
					}
					for _, to := range everyDialect() {
						if to.Name != from.Name && swallows(t, from.Dialect, to.Dialect, doc, path, object) {
							told[path] = true
							t.Errorf("%s: got an unknown member of %s lost to %s without a word", file, path, to.Name)
						}
					}
				})
			}
		})
	}
}

// inSchema tells paths inside of schemas and of arguments, which are the client's own words, carried as they are.
var inSchema = regexp.MustCompile(`(?i)(parameters|schema|\.json|\.format|\.arguments|\.args|\.input|\.response|toolSpec\.inputSchema)($|\.(json|properties|items|anyOf|\$defs|definitions))`)

// eachObject calls f for the objects in v.
func eachObject(v any, path string, f func(string, map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(path, v)
		for key, inner := range v {
			eachObject(inner, path+"."+key, f)
		}
	case []any:
		for _, inner := range v {
			eachObject(inner, path+"[]", f)
		}
	}
}

// swallows reports whether a request is sent, with the same losses, as if the object had no unknown member.
func swallows(t *testing.T, from, to *dialect.Dialect, doc any, path string, object map[string]any) bool {
	t.Helper()
	send := func() string {
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		enc, losses, err := crossRequest(from, to, string(body), llm.ModelFacts{})
		if err != nil {
			return ""
		}
		for _, l := range losses { // what is lost whole is reported whole
			switch {
			case strings.HasPrefix(strings.TrimPrefix(path, "."), l.Name()),
				l.Feature == llm.FeatureThinkingHistory && (object["type"] == "thinking" || object["type"] == "redacted_thinking"),
				l.Feature == llm.FeatureCitationHistory && strings.HasSuffix(path, "annotations[]"):
				return ""
			}
		}
		slices.SortFunc(losses, func(a, b llm.Loss) int { return strings.Compare(a.String(), b.String()) })
		return fmt.Sprint(string(enc.Body), losses)
	}
	without := send()
	object["unheard_of"] = 7
	defer delete(object, "unheard_of")
	return without != "" && send() == without
}
