package dialect_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/llm"
)

// TestRefusedToolsAreNamed: who sends several tools must learn which of them is in the way.
func TestRefusedToolsAreNamed(t *testing.T) {
	body := `{"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]},{"fileSearch":{}},{"urlContext":{}},{"fileSearch":{}}]}`
	_, _, err := crossRequest(gemini.New(), openaichat.New(), body, llm.ModelFacts{})
	if want := "cannot carry: tools[] (fileSearch, urlContext)."; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v want %q in it", err, want)
	}
}

// TestEditLoss finds what it means that facts take a field away: by the field's own row,
// by that of what it is part of, and as something unknown.
func TestEditLoss(t *testing.T) {
	d := &dialect.Dialect{Fields: []dialect.Field{
		{Path: "model", Feature: llm.FeatureCommon},
		{Path: "stop", Feature: llm.FeatureStop},
		{Path: "seed", Feature: llm.FeatureSeed},
		{Path: "store", Severity: llm.Harmless},
		{Path: "audio", Severity: llm.Contract, Absolute: true},
	}}
	for _, tc := range []struct {
		path   string
		action llm.Action
		want   string // empty: no loss
	}{
		{"model", llm.ActionDropped, ""},
		{"stop", llm.ActionDropped, "stop=refused(contract)"},
		{"stop", llm.ActionApproximated, "stop=approximated(contract)"},
		{"seed", llm.ActionDropped, "seed=dropped(tuning)"},
		{"store", llm.ActionApproximated, "store=approximated(harmless)"},
		{"audio.voice", llm.ActionDropped, "audio.voice=refused(contract)"},
		{"vendor_knob", llm.ActionDropped, "vendor_knob=dropped(tuning)"},
	} {
		got := ""
		if l, lost := d.EditLoss(tc.path, tc.action); lost {
			got = l.String()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.path, got, tc.want)
		}
	}
}
