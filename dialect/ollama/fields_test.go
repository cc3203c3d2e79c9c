package ollama

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

// specFile is the vendor's description, beside the repository where it is at all.
const specFile = "../../../shared/specs/ollama/ollama.openapi.yaml"

func TestFieldsCoverTheDescription(t *testing.T) {
	b, err := os.ReadFile(specFile)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no description at %s", specFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for schema, prefix := range map[string]string{"ChatRequest": "", "ModelOptions": "options.", "ChatMessage": "messages[]."} {
		_, body, ok := strings.Cut(string(b), "\n    "+schema+":\n")
		if !ok {
			t.Fatalf("got no schema %s in the description", schema)
		}
		if end := regexp.MustCompile(`\n    \S`).FindStringIndex(body); end != nil {
			body = body[:end[0]]
		}
		for _, m := range regexp.MustCompile(`(?m)^ {8}(\w+):`).FindAllStringSubmatch(body, -1) {
			names = append(names, prefix+m[1])
		}
	}
	if len(names) < 20 || !slices.Contains(names, "keep_alive") || !slices.Contains(names, "options.min_p") {
		t.Fatalf("got only %d fields from the description: %v", len(names), names)
	}
	rows := fields()
	for _, name := range names {
		if !slices.ContainsFunc(rows, func(f dialect.Field) bool { return f.Path == name }) {
			t.Errorf("field %s: got no row in the table", name)
		}
	}
}

// TestOwnFieldsAreReported sends each field that only this dialect has to another dialect.
func TestOwnFieldsAreReported(t *testing.T) {
	other := &dialect.Dialect{Name: "other", Carries: carries()}
	for _, tc := range []struct{ member, want string }{
		{`"keep_alive":"5m"`, "keep_alive=dropped(harmless)"},
		{`"keep_alive":null`, ""},
		{`"options":{"num_ctx":4096,"min_p":0.1,"new":1}`, "options.num_ctx=dropped(harmless), options.min_p=dropped(tuning), options.new=dropped(tuning)"},
		{`"truncate":false`, "truncate=dropped(tuning)"},
		{`"temperature":0.5`, "temperature=dropped(tuning)"}, // the option of that name is elsewhere
		{`"format":""`, ""},
		{`"options":{}`, ""},
	} {
		req := decode(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],`+tc.member+`}`)
		var got []string
		for _, l := range dialect.Contract(New(), other, req) {
			got = append(got, l.String())
		}
		if s := strings.Join(got, ", "); s != tc.want {
			t.Errorf("%s: got losses %q want %q", tc.member, s, tc.want)
		}
	}
}
