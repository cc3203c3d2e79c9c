package openaichat

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
const specFile = "../../../shared/specs/openai/openai.yaml"

// properties reads the names of a schema's own properties from the text of the description.
func properties(t *testing.T, spec, schema string) []string {
	t.Helper()
	_, body, ok := strings.Cut(spec, "\n    "+schema+":\n")
	if !ok {
		t.Fatalf("got no schema %s in the description", schema)
	}
	if end := regexp.MustCompile(`\n    \S`).FindStringIndex(body); end != nil {
		body = body[:end[0]]
	}
	var names []string
	for _, block := range regexp.MustCompile(`(?m)^( {6,10})properties:\n`).FindAllStringSubmatchIndex(body, -1) {
		indent := block[3] - block[2] + 2
		for _, line := range strings.Split(body[block[1]:], "\n") {
			depth := len(line) - len(strings.TrimLeft(line, " "))
			if line != "" && depth < indent {
				break
			}
			if depth == indent {
				name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
				names = append(names, name)
			}
		}
	}
	return names
}

func TestFieldsCoverTheDescription(t *testing.T) {
	b, err := os.ReadFile(specFile)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no description at %s", specFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, schema := range []string{"ModelResponseProperties", "CreateModelResponseProperties", "CreateChatCompletionRequest"} {
		names = append(names, properties(t, string(b), schema)...)
	}
	if len(names) < 35 || !slices.Contains(names, "logit_bias") || !slices.Contains(names, "safety_identifier") {
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
		{`"metadata":{"a":"b","c":7}`, "metadata[]=dropped(harmless)"},
		{`"store":true`, "store=dropped(harmless)"},
		{`"store":false`, ""},
		{`"prompt_cache_retention":"24h"`, "prompt_cache_retention=dropped(harmless)"},
		{`"prompt_cache_options":{"mode":"explicit"}`, "prompt_cache_options=dropped(harmless)"},
		{`"prediction":{"type":"content","content":"x"}`, "prediction=dropped(harmless)"},
		{`"modalities":["text","audio"]`, "modalities=refused(contract)"},
		{`"modalities":["text"]`, ""},
		{`"audio":{"voice":"a","format":"wav"}`, "audio=refused(contract)"},
		{`"moderation":{"model":"m"}`, "moderation=refused(contract)"},
		{`"web_search_options":{}`, "web_search_options=refused(contract)"},
		{`"min_p":0.1`, "min_p=dropped(tuning)"},
		{`"stream_options":{"include_obfuscation":false}`, ""},
		{`"stream_options":{"new":1}`, "stream_options.new=dropped(tuning)"},
		{`"store":null`, ""},
		{`"user":"u","safety_identifier":"s"`, ""},
		{`"user":"u","safety_identifier":"s","prompt_cache_key":"u"`, ""},
		{`"user":"u","safety_identifier":"s","prompt_cache_key":"k"`, "user=dropped(tuning)"},
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

// TestAbsoluteFieldsAreRefusedEverywhere names what no policy lets through.
func TestAbsoluteFieldsAreRefusedEverywhere(t *testing.T) {
	for _, f := range fields() {
		if f.Absolute && !llm.LossLenient.Refuses(dialect.FieldLoss(f)) {
			t.Errorf("%s: got it let through by lenient, want it refused", f.Path)
		}
	}
}
