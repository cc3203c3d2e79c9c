package openairesponses

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
	for _, schema := range []string{"ModelResponseProperties", "CreateModelResponseProperties", "ResponseProperties", "CreateResponse"} {
		names = append(names, properties(t, string(b), schema)...)
	}
	if len(names) < 30 || !slices.Contains(names, "previous_response_id") || !slices.Contains(names, "safety_identifier") {
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
		{`"metadata":{"a":"b","c":null}`, "metadata[]=dropped(harmless)"},
		{`"store":true`, "store=dropped(tuning)"},
		{`"store":false`, ""},
		{`"background":false`, ""},
		{`"background":true`, "background=refused(contract)"},
		{`"previous_response_id":"resp_1"`, "previous_response_id=refused(contract)"},
		{`"conversation":"conv_1"`, "conversation=refused(contract)"},
		{`"prompt":{"id":"pmpt_1"}`, "prompt=refused(contract)"},
		{`"moderation":{"model":"m"}`, "moderation=refused(contract)"},
		{`"truncation":"auto"`, "truncation=dropped(tuning)"},
		{`"truncation":"disabled"`, ""},
		{`"prompt_cache_retention":"24h"`, "prompt_cache_retention=dropped(harmless)"},
		{`"prompt_cache_options":{"mode":"explicit"}`, "prompt_cache_options=dropped(harmless)"},
		{`"include":["reasoning.encrypted_content"]`, ""},
		{`"include":["web_search_call.results"]`, "include=dropped(harmless)"},
		{`"reasoning":{"effort":"low","mode":"pro"}`, "reasoning.mode=dropped(tuning)"},
		{`"reasoning":{"summary":"detailed"}`, "reasoning.summary=emulated(tuning), reasoning.summary.length=dropped(harmless)"},
		{`"stream_options":{"include_obfuscation":false}`, ""},
		{`"stream_options":{"new":1}`, "stream_options.new=dropped(tuning)"},
		{`"tools":[{"type":"custom","name":"run"}]`, "tools[].custom=emulated(harmless)"},
		{`"tools":[{"type":"custom","name":"run","format":{"type":"grammar","syntax":"lark","definition":"x"}}]`, "tools[].type=refused(contract)"},
		{`"tools":[{"type":"web_search"}]`, "tools[].type=refused(contract)"},
		{`"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}`, "tools[].type=refused(contract), tool_choice.type=refused(contract)"},
		{`"tools":[{"type":"function","name":"f","defer_loading":true}]`, "tools[].defer_loading=dropped(harmless)"},
		{`"user":"u","safety_identifier":"s"`, ""},
		{`"user":"u","safety_identifier":"s","prompt_cache_key":"u"`, ""},
		{`"user":"u","safety_identifier":"s","prompt_cache_key":"k"`, "user=dropped(tuning)"},
		{`"min_p":0.1`, "min_p=dropped(tuning)"},
		{`"store":null`, ""},
	} {
		req := decode(t, `{"model":"m","input":"hi",`+tc.member+`}`)
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
