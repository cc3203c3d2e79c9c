package fakeprovider

import (
	"encoding/json"
	"strings"
	"testing"
)

const ollamaHi = `"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false`

func TestOllamaValidates(t *testing.T) {
	s := start(t, Options{Models: []string{"m"}})
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{`{` + ollamaHi + `}`, 200, `"done_reason":"stop"`},
		{`{"model":"n","messages":[]}`, 404, "model 'n' not found"},
		{`{` + ollamaHi + `,"temperature":1}`, 400, "unknown field"},
		{`{` + ollamaHi + `,"options":{"top_logprobs":1}}`, 400, "unknown field"},
		{`{` + ollamaHi + `,"options":{"top_k":"1"}}`, 400, "must be of type number"},
		{`{` + ollamaHi + `,"options":{"top_k":null}}`, 200, `"done_reason":"stop"`},
		{`{` + ollamaHi + `,"think":"hard"}`, 400, "invalid think value"},
		{`{` + ollamaHi + `,"format":"xml"}`, 400, "invalid format"},
		{`{"model":"m","messages":[{"role":"user","content":["hi"]}]}`, 400, "cannot unmarshal"},
		{`{"model":"m","messages":[{"role":"user","content":"","images":["R0lGODlh"]}]}`, 500, "unknown format"},
		{`{"model":"m","messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]}`, 400, "arguments"},
		{`{"model":"m","stream":false,"messages":[{"role":"tool","content":"sunny","tool_name":"f"}]}`, 200, "The tools said: sunny."},
	} {
		if status, got := postTo(t, s, "/api/chat", tc.body); status != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %d %s want %d with %q", tc.body, status, got, tc.status, tc.want)
		}
	}
}

// TestOllamaStreamsAndUnaryAnswersAgree joins the lines of streams.
func TestOllamaStreamsAndUnaryAnswersAgree(t *testing.T) {
	s := start(t, Options{})
	read := func(lines string) string {
		all := ""
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			var a struct {
				Message struct {
					Content, Thinking string
					Calls             []json.RawMessage `json:"tool_calls"`
				}
				Done   bool
				Reason string `json:"done_reason"`
			}
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			all += a.Message.Content + a.Message.Thinking + a.Reason
			for _, c := range a.Message.Calls {
				all += string(c)
			}
		}
		return all
	}
	for _, model := range answers {
		body := `{"model":"` + model + `","messages":[{"role":"user","content":"Tell me something nice"}]`
		_, whole := postTo(t, s, "/api/chat", body+`,"stream":false}`)
		_, stream := postTo(t, s, "/api/chat", body+`}`)
		if got, want := read(stream), read(whole); sorted(got) != sorted(want) || strings.Count(stream, "\n") < 2 {
			t.Errorf("%s: streamed %q want %q", model, got, want)
		}
	}
}
