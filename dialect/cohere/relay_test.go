package cohere

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

func TestPeek(t *testing.T) {
	for body, want := range map[string]dialect.Peeked{
		`{"model":"m"}`: {Model: "m"},
		` {"stream":true,"max_tokens":9,"model":"a/b","x":{"model":1}}`: {Model: "a/b", Stream: true, StreamUsage: true, MaxTokens: 9},
		`{"stream":null,"model":"m"}`:                                   {Model: "m"},
	} {
		if got, err := (relay{}).Peek([]byte(body)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v want %+v", body, got, err, want)
		}
	}
	for _, body := range []string{`{}`, `{"model":""}`, `{"model":7}`, `{"model":"m","stream":1}`, `[]`} {
		if got, err := (relay{}).Peek([]byte(body)); err == nil {
			t.Errorf("%s: got %+v, want it refused", body, got)
		}
	}
}

func TestSetModelKeepsAllElse(t *testing.T) {
	got, err := relay{}.SetModel([]byte(`{ "model" : "m", "new":[1.0,  2e5]}`), "n", dialect.Ask{StreamUsage: true})
	if want := `{ "model" : "n", "new":[1.0,  2e5]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v want %s", got, err, want)
	}
}

func TestStripRemovesOurThinking(t *testing.T) {
	const ours = `{"type":"thinking","thinking":"a","understudy_thinking":{"issuer":"i","signature":"s"}}`
	const theirs = `{"type":"thinking","thinking":"b"}`
	for _, tc := range []struct{ messages, want string }{
		{`[ {"role":"user","content":"understudy_thinking"} ]`, ``},
		{`[{"role":"assistant","content":[` + theirs + `]}]`, ``},
		{`[{"content":[` + ours + ` , ` + theirs + `]} , {"role":"user","content":"y"}]`, `[{"content":[` + theirs + `]} , {"role":"user","content":"y"}]`},
		{`[{"role":"user","content":"x"}, {"role":"assistant","content":[` + ours + `]}, {"role":"user","content":"y"}]`, `[{"role":"user","content":"x"}, {"role":"user","content":"y"}]`},
		{`[{"role":"assistant","content":[` + ours + `],"tool_calls":[1]}]`, `[{"role":"assistant","tool_calls":[1]}]`},
	} {
		body := []byte(`{ "model":"m","messages":` + tc.messages + `,"n":1 }`)
		got, losses, err := relay{}.Strip(body)
		if err != nil {
			t.Fatalf("%s: %v", tc.messages, err)
		}
		if tc.want == "" {
			if &got[0] != &body[0] || len(losses) > 0 {
				t.Errorf("%s: got %s, %v, want the body itself", tc.messages, got, losses)
			}
			continue
		}
		if want := `{ "model":"m","messages":` + tc.want + `,"n":1 }`; string(got) != want || len(losses) != 1 {
			t.Errorf("%s: got %s, %v want %s", tc.messages, got, losses, want)
		}
	}
}

func TestTapClosesWithoutATerminator(t *testing.T) {
	tap := relay{}.NewTap(dialect.Ask{})
	for _, e := range []string{msgStart, textStart, textDelta("x"), textEnd, msgEnd} {
		if _, err := tap.Frame(dialect.Frame{Data: []byte(e)}); err != nil {
			t.Fatal(err)
		}
	}
	if terminator, err := tap.Close(); err != nil || terminator != nil {
		t.Errorf("got %q, %v want nothing to add", terminator, err)
	}
}
