package openaichat

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/llm"
)

func TestPeek(t *testing.T) {
	for _, tc := range []struct {
		body string
		want dialect.Peeked
		fail bool
	}{
		{`{"model":"m"}`, dialect.Peeked{Model: "m"}, false},
		{` {"stream":true,"stream_options":{"include_usage":true},"model":"m"}`, dialect.Peeked{Model: "m", Stream: true, StreamUsage: true}, false},
		{`{"stream":null,"stream_options":null,"model":"m"}`, dialect.Peeked{Model: "m"}, false},
		{`{"model":"m","max_tokens":5}`, dialect.Peeked{Model: "m", MaxTokens: 5}, false},
		{`{"model":"m","max_completion_tokens":6}`, dialect.Peeked{Model: "m", MaxTokens: 6}, false},
		// Which of the two a vendor follows is not known, and so the larger is reserved.
		{`{"model":"m","max_completion_tokens":600,"max_tokens":1}`, dialect.Peeked{Model: "m", MaxTokens: 600}, false},
		{`{"model":"m","max_tokens":600,"max_completion_tokens":1}`, dialect.Peeked{Model: "m", MaxTokens: 600}, false},
		{`{"model":"m","n":4}`, dialect.Peeked{Model: "m", Choices: 4}, false},
		{`{"stream":1,"model":"m"}`, dialect.Peeked{}, true},
		{`{"model":7}`, dialect.Peeked{}, true},
		{`{}`, dialect.Peeked{}, false}, // a path may name the model
		{`{"model":null}`, dialect.Peeked{}, false},
		{`[]`, dialect.Peeked{}, true},
	} {
		got, err := relay{}.Peek([]byte(tc.body))
		if got != tc.want || (err != nil) != tc.fail {
			t.Errorf("%s: got %+v, %v want %+v, error %v", tc.body, got, err, tc.want, tc.fail)
		}
	}
}

func TestA52SetModelKeepsAllElse(t *testing.T) {
	ask := dialect.Ask{StreamUsage: true}
	for _, tc := range []struct {
		body string
		ask  dialect.Ask
		want string
	}{
		{`{ "model" : "m", "new":[1.0,  2e5], "messages":[{"model":"x"}]}`, dialect.Ask{}, `{ "model" : "n", "new":[1.0,  2e5], "messages":[{"model":"x"}]}`},
		{`{ "messages":[{"model":"x"}] }`, dialect.Ask{}, `{ "messages":[{"model":"x"}],"model":"n" }`},
		{`{"model":null,"new":1}`, dialect.Ask{}, `{"model":"n","new":1}`},
		{`{"model":"m","stream":true}`, ask, `{"model":"n","stream":true,"stream_options":{"include_usage":true}}`},
		{`{"model":"m","stream_options":{"include_usage":false,"x":1}}`, ask, `{"model":"n","stream_options":{"include_usage":true,"x":1}}`},
		{`{"model":"m","stream_options":null}`, ask, `{"model":"n","stream_options":{"include_usage":true}}`},
	} {
		got, err := relay{}.SetModel([]byte(tc.body), "n", tc.ask)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s: got %s, %v want %s", tc.body, got, err, tc.want)
		}
	}
}

func TestA24StripRemovesOurThinking(t *testing.T) {
	const ours = `{"type":"understudy.thinking","issuer":"anthropic-messages","text":"a","signature":"s"}`
	const theirs = `{"type":"reasoning.text","text":"b"}`
	for _, tc := range []struct{ messages, want string }{
		{`[ {"role":"user","content":"understudy.thinking"} ]`, ``},
		{
			`[{"role":"assistant","content":"x", "reasoning_content":"a", "reasoning_details":[` + ours + `]} , {"role":"user","content":"y"}]`,
			`[{"role":"assistant","content":"x"} , {"role":"user","content":"y"}]`,
		},
		{
			`[{"reasoning_details":[` + ours + `, ` + theirs + `,` + ours + `],"content":"x","reasoning_content":"a"}]`,
			`[{"reasoning_details":[` + theirs + `],"content":"x"}]`,
		},
		{`[{"reasoning_details":[` + theirs + ` , ` + ours + `],"content":"x"}]`, `[{"reasoning_details":[` + theirs + `],"content":"x"}]`},
		{`[{"role":"assistant","content":null,"reasoning_content":"a","reasoning_details":[` + ours + `]}]`, `[{"role":"assistant","content":""}]`},
		{`[{"role":"assistant","content":null,"tool_calls":[],"reasoning_details":[` + ours + `]}]`, `[{"role":"assistant","content":null,"tool_calls":[]}]`},
		{`[{"reasoning_content":"kept","reasoning_details":[` + theirs + `]},{"content":"` + typeThinking + `"}]`, ``},
	} {
		body := []byte(`{ "model":"m","messages":` + tc.messages + `,"n":1 }`)
		want := `{ "model":"m","messages":` + tc.want + `,"n":1 }`
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
		if string(got) != want || lossNames(losses) != "messages[].reasoning_details=dropped(harmless)" {
			t.Errorf("%s: got %s, %v want %s", tc.messages, got, losses, want)
		}
	}
}

// TestTapCoversItsTraces asks for usage that the client did not.
func TestTapCoversItsTraces(t *testing.T) {
	const usage = `{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}`
	for _, tc := range []struct {
		data, changed string
		hide          bool
	}{
		{`{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":null}`, `{"choices":[{"index":0,"delta":{"content":"a"}}]}`, false},
		{`{"usage":null, "choices":[{"index":0,"delta":{"content":"\"usage\":null"}}]}`, `{"choices":[{"index":0,"delta":{"content":"\"usage\":null"}}]}`, false},
		{`{"choices":[{"index":0,"delta":{"content":"\"usage\""}}]}`, ``, false},
		{`{"choices":[{"index":0,"delta":{"content":"\"usage\":null}"}}] , "usage": null } `, `{"choices":[{"index":0,"delta":{"content":"\"usage\":null}"}}] } `, false},
		{`{"choices":[],"usage":` + usage + `}`, ``, true},
		{`{"choices":[ ],"usage":` + usage + `}`, ``, true},
		{`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":` + usage + `}`, ``, false},
		{`{"choices":[],"usage":null,"prompt_filter_results":[]}`, `{"choices":[],"prompt_filter_results":[]}`, false},
	} {
		for _, asked := range []bool{true, false} {
			tap := relay{}.NewTap(dialect.Ask{StreamUsage: asked})
			sig, err := tap.Frame(dialect.Frame{Data: []byte(tc.data)})
			if err != nil {
				t.Fatalf("%s: %v", tc.data, err)
			}
			changed, hide := tc.changed, tc.hide
			if !asked {
				changed, hide = "", false
			}
			if string(sig.Data) != changed || sig.Hide != hide {
				t.Errorf("%s, asked %v: got %q, hidden %v want %q, hidden %v", tc.data, asked, sig.Data, sig.Hide, changed, hide)
			}
		}
	}
	tap := relay{}.NewTap(dialect.Ask{StreamUsage: true})
	for _, f := range dialecttest.Frames(t, []byte(framed(chunk(`{"content":"a"}`, `"stop"`), `{"choices":[],"usage":`+usage+`}`, terminator))) {
		if _, err := tap.Frame(f); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := tap.Usage(), (llm.Usage{Known: true, InFresh: 3, OutVisible: 2}); got != want {
		t.Errorf("got usage %+v want %+v", got, want)
	}
}

func TestTapSignals(t *testing.T) {
	tap := relay{}.NewTap(noAsk)
	for _, tc := range []struct {
		data string
		want dialect.Signal
	}{
		{`{"choices":[],"prompt_filter_results":[]}`, dialect.Signal{}},
		{chunk(`{"role":"assistant","content":""}`, `null`), dialect.Signal{Model: "m"}},
		{chunk(`{"content":"a"}`, `null`), dialect.Signal{Content: true}},
		{chunk(`{"reasoning_content":"a"}`, `null`), dialect.Signal{Content: true}},
		{chunk(`{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}`, `null`), dialect.Signal{Content: true}},
		{chunk(`{}`, `"stop"`), dialect.Signal{Finish: true}},
		{`{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, dialect.Signal{}},
		{terminator, dialect.Signal{End: true}},
		{chunk(`{"content":"late"}`, `null`), dialect.Signal{}},
	} {
		got, err := tap.Frame(dialect.Frame{Data: []byte(tc.data)})
		if err != nil {
			t.Fatalf("%s: %v", tc.data, err)
		}
		if got.Data != nil || got.Content != tc.want.Content || got.Finish != tc.want.Finish || got.End != tc.want.End || got.Model != tc.want.Model || got.Hide {
			t.Errorf("%s: got %+v want %+v", tc.data, got, tc.want)
		}
	}
}
