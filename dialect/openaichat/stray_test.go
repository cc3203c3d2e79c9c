package openaichat

import (
	"fmt"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

// TestCitationsOfNoOpenText: citations that come before the text are the text's, also where they count beyond it; in an
// answer without any they cite nothing, which is reported, even in an answer of this dialect that is written anew.
func TestCitationsOfNoOpenText(t *testing.T) {
	const notes = `"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":1,"url":"https://a.example","title":"t"}},` +
		`{"type":"url_citation","url_citation":{"start_index":900,"end_index":901,"url":"https://b.example","title":"t"}}]`
	const lost = "choices[].message.annotations"
	const call = `"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]`
	for name, tc := range map[string]struct {
		deltas []string
		whole  string
		cited  int
	}{
		"before": {[]string{`"role":"assistant","content":"",` + notes, `"content":"ab"`}, `"content":"ab",` + notes, 2},
		"beside": {[]string{`"content":"ab",` + notes}, `"content":"ab",` + notes, 2},
		"alone":  {[]string{notes}, `"content":null,` + notes, 0},
		"calls":  {[]string{call, notes}, `"content":null,` + call + `,` + notes, 0},
	} {
		r := providerSide{}.NewStreamReader()
		var events []llm.Event
		read := func(data string) {
			var err error
			if events, err = r.Read(events, dialect.Frame{Data: []byte(data)}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for _, d := range tc.deltas {
			read(`{"id":"r","model":"m","choices":[{"index":0,"delta":{` + d + `},"finish_reason":null}]}`)
		}
		read(`{"id":"r","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
		read(terminator)
		whole, err := providerSide{}.DecodeResponse([]byte(`{"id":"r","model":"m","choices":[{"index":0,"message":{"role":"assistant",` + tc.whole + `},"finish_reason":"stop"}]}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for how, r := range map[string]*llm.Response{"streamed": llm.Collect(events), "whole": whole} {
			cited := 0
			for _, p := range r.Choices[0].Parts {
				cited += len(p.Citations)
			}
			if cited != tc.cited {
				t.Errorf("%s, %s: got %d citations of the text, want %d", name, how, cited, tc.cited)
			}
			want, wantAnew := "[]", "[]"
			if tc.cited == 0 {
				want, wantAnew = "["+lost+"]", "[answer."+lost+"=dropped(tuning)]"
			}
			if got := fmt.Sprint(dialect.KeptPaths(New(), &dialect.Dialect{Name: dialect.AnthropicMessages}, r.Extra)); got != want {
				t.Errorf("%s, %s: got %s kept for this dialect's clients, want %s", name, how, got, want)
			}
			if _, losses, err := (clientSide{}).EncodeResponse(r); err != nil || fmt.Sprint(losses) != wantAnew {
				t.Errorf("%s, %s: got losses %v, %v want %s", name, how, losses, err, wantAnew)
			}
			w := New().Client.NewStreamWriter(dialect.StreamOptions{})
			for _, e := range events {
				w.Write(nil, e)
			}
			if how == "streamed" && fmt.Sprint(w.Losses()) != wantAnew {
				t.Errorf("%s, streamed again: got losses %v want %s", name, w.Losses(), wantAnew)
			}
		}
	}
}
