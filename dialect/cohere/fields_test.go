package cohere

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// specFile is the vendor's description, beside the repository where it is at all.
const specFile = "../../../shared/specs/cohere/cohere-v2.openapi.yaml"

func TestFieldsCoverTheDescription(t *testing.T) {
	b, err := os.ReadFile(specFile)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no description at %s", specFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "\n  /v2/chat:\n")
	body, _, _ = strings.Cut(body, "\n      responses:\n")
	_, body, _ = strings.Cut(body, "\n              properties:\n")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ {16}(\w+):`).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	if len(names) < 20 || !slices.Contains(names, "safety_mode") || !slices.Contains(names, "priority") {
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
		{`"safety_mode":"STRICT"`, "safety_mode=refused(contract)"},
		{`"safety_mode":"CONTEXTUAL"`, "safety_mode.usual=dropped(harmless)"},
		{`"safety_mode":"OFF"`, "safety_mode.usual=dropped(harmless)"},
		{`"priority":7`, "priority=dropped(harmless)"},
		{`"citation_options":{"mode":"FAST"}`, "citation_options.mode=dropped(tuning)"},
		{`"documents":[]`, ""},
		{`"documents":["a text"]`, ""},
		{`"seed":18446744073709551615`, "seed=dropped(tuning)"},
		{`"raw_prompting":true`, "raw_prompting=dropped(tuning)"},
		{`"strict_tools":false`, ""},
		{`"response_format":{"type":"text"}`, ""},
		{`"priority":null`, ""},
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

// TestDocumentsAreNeverLost holds that a dialect which carries no documents refuses those of a request.
func TestDocumentsAreNeverLost(t *testing.T) {
	other := &dialect.Dialect{Name: "other"}
	req := decode(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"documents":[{"data":{"title":"a","body":"b"}}]}`)
	refused, _ := llm.LossLenient.Apply(dialect.Contract(New(), other, req))
	if len(refused) != 1 || refused[0].Name() != "documents" {
		t.Errorf("got %v refused want documents", refused)
	}
}
