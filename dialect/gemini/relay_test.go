package gemini

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

func TestPeek(t *testing.T) {
	for body, want := range map[string]dialect.Peeked{
		`{"contents":[]}`: {StreamUsage: true},
		` {"model":"models/x","generationConfig":{"maxOutputTokens":10,"candidateCount":3}}`: {StreamUsage: true, MaxTokens: 30, Choices: 3},
		`{"generationConfig":{"candidateCount":3}}`:                                          {StreamUsage: true, Choices: 3},
		`{"generation_config":{"max_output_tokens":10}}`:                                     {StreamUsage: true, MaxTokens: 10},
		`{"generationConfig":{"maxOutputTokens":"10"}}`:                                      {StreamUsage: true},
	} {
		if got, err := New().Relay.Peek([]byte(body)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v want %+v", body, got, err, want)
		}
	}
	if got, err := New().Relay.Peek([]byte(`[]`)); err == nil {
		t.Errorf("got %+v, want it refused", got)
	}
}

func TestSetModel(t *testing.T) {
	for body, want := range map[string]string{
		`{ "contents":[] }`:                           `{ "contents":[] }`,
		`{"model": "models/a", "contents":[]}`:        `{"model": "models/b", "contents":[]}`,
		`{"model":"projects/p/locations/l/models/a"}`: `{"model":"projects/p/locations/l/models/b"}`,
		`{"model":"a"}`:                               `{"model":"b"}`,
	} {
		if got, err := New().Relay.SetModel([]byte(body), "b", dialect.Ask{}); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v want %s", body, got, err, want)
		}
	}
}

func TestStripKeepsTheRest(t *testing.T) {
	const ours = `{"text":"hm","thought":true,"thoughtSignature":"dW5kZXJzdHVkeS52MS51Li4="}`
	for _, c := range []struct{ name, body, want string }{
		{"nothing of ours", `{ "contents" : [ ] }`, `{ "contents" : [ ] }`},
		{
			"a part", `{"b":1, "contents":[ ` + hi + ` , {"parts" : [ ` + ours + ` , {"text":"a","thoughtSignature":"c2ln"} ],"role":"model"} ] , "a":2}`,
			`{"b":1, "contents":[ ` + hi + ` , {"parts" : [ {"text":"a","thoughtSignature":"c2ln"} ],"role":"model"} ] , "a":2}`,
		},
		{"a content that held nothing else", `{"contents":[` + hi + `, {"role":"model","parts":[` + ours + `,` + ours + `]}, ` + hi + `]}`, `{"contents":[` + hi + `, ` + hi + `]}`},
		{"in the other spelling", `{"contents":[{"role":"model","parts":[{"text":"","thought":true,"thought_signature":"dW5kZXJzdHVkeS52MS51Li4="},{"text":"a"}]}]}`, `{"contents":[{"role":"model","parts":[{"text":"a"}]}]}`},
		{"a text that speaks of it", `{"contents":[{"parts":[{"text":"dW5kZXJzdHVkeS52"}]}]}`, `{"contents":[{"parts":[{"text":"dW5kZXJzdHVkeS52"}]}]}`},
	} {
		got, losses, err := New().Relay.Strip([]byte(c.body))
		if err != nil || string(got) != c.want || (len(losses) > 0) != (c.body != c.want) {
			t.Errorf("%s: got\n%s (%v, %v)\nwant\n%s", c.name, got, losses, err, c.want)
		}
	}
}

func TestTapSignals(t *testing.T) {
	tap := New().Relay.NewTap(dialect.Ask{})
	parts := func(parts, more string) string {
		return `{"candidates":[{"content":{"parts":[` + parts + `]}` + more + `}],"modelVersion":"m"}`
	}
	for _, c := range []struct {
		frame string
		want  dialect.Signal
		text  string
	}{
		{parts(`{"text":"a"},{"text":"\u00e9"}`, ""), dialect.Signal{Model: "m", Content: true}, `a\u00e9`},
		{parts(`{"text":""}`, ""), dialect.Signal{Model: "m"}, ""},
		{parts(`{"text":"hm","thought":true}`, ""), dialect.Signal{Model: "m", Content: true, Other: true}, ""},
		{parts(`{"text":"","thoughtSignature":"c2ln"}`, ""), dialect.Signal{Model: "m", Content: true, Other: true}, ""},
		{parts(`{"functionCall":{"name":"f"}}`, ""), dialect.Signal{Model: "m", Content: true, Other: true}, ""},
		{parts(`{"text":"b"}`, `,"index":1`), dialect.Signal{Model: "m", Content: true, Other: true}, "b"},
		{parts(``, `,"groundingMetadata":{}`), dialect.Signal{Model: "m", Other: true}, ""},
		{`{"usageMetadata":{"promptTokenCount":1}}`, dialect.Signal{}, ""},
		{parts(``, `,"finishReason":"STOP"`), dialect.Signal{Model: "m", Finish: true}, ""},
	} {
		got, err := tap.Frame(dialect.Frame{Data: []byte(c.frame)})
		text := string(got.Text)
		got.Text = nil
		if err != nil || text != c.text || got.Content != c.want.Content || got.Other != c.want.Other || got.Finish != c.want.Finish ||
			got.Model != c.want.Model || got.End || got.Hide || got.Data != nil {
			t.Errorf("%s: got %+v with text %q, %v want %+v with %q", c.frame, got, text, err, c.want, c.text)
		}
	}
	if _, err := tap.Close(); err == nil {
		t.Error("got a clean end, want candidate 1 missed")
	}
}
