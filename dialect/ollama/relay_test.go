package ollama

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
)

func TestPeek(t *testing.T) {
	for body, want := range map[string]dialect.Peeked{
		`{"model":"m"}`:                {Model: "m", Stream: true, StreamUsage: true},
		`{"stream":false,"model":"m"}`: {Model: "m"},
		`{"stream":null,"model":"a/b","options":{"num_predict":9}}`: {Model: "a/b", Stream: true, StreamUsage: true, MaxTokens: 9},
		`{"model":"m","options":{"num_predict":-1}}`:                {Model: "m", Stream: true, StreamUsage: true},
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
	for _, tc := range []struct{ messages, want string }{
		{`[ {"role":"user","content":"understudy_thinking"} ]`, ``},
		{`[{"role":"assistant","content":"a","thinking":"own"}]`, ``},
		{
			`[{"role":"assistant","content":"a", "thinking":"t", "understudy_thinking":[{"issuer":"i","signature":"s"}]} , {"role":"user","content":"y"}]`,
			`[{"role":"assistant","content":"a"} , {"role":"user","content":"y"}]`,
		},
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
