package dialect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/llm"
)

// TestManyUnknownMembers: a request may be made of nothing else, and still costs
// little and is answered with little.
func TestManyUnknownMembers(t *testing.T) {
	t.Parallel()
	const members = 100_000
	var b strings.Builder
	b.WriteString(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]`)
	for i := range members {
		fmt.Fprintf(&b, `,"unknown%d":1`, i)
	}
	b.WriteString(`}`)
	chat, messages := openaichat.New(), anthropic.New()
	for _, pair := range [][2]*dialect.Dialect{{chat, messages}, {messages, chat}} {
		start := time.Now()
		req, err := pair[0].Client.DecodeRequest([]byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		losses := dialect.Contract(pair[0], pair[1], req)
		message := dialect.RefusalMessage(losses, pair[1].Name)
		if took := time.Since(start); len(losses) < members || took > 5*time.Second {
			t.Errorf("%s: got %d losses in %v, want %d at once", pair[0].Name, len(losses), took, members)
		}
		if len(message) > 2<<10 || !strings.Contains(message, "and more") {
			t.Errorf("%s: got a message of %d bytes, want a short one", pair[0].Name, len(message))
		}
	}
}

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
