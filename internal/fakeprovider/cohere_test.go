package fakeprovider

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// postTo sends a body to a path of a server.
func postTo(t *testing.T, s *Server, path, body string) (status int, answer string) {
	t.Helper()
	h := send(t, client(t), s, Chat, body, patience, func(r *http.Request) { r.URL.Path = path })
	if h.err != nil {
		t.Fatal(h.err)
	}
	return h.status, h.body
}

const cohereHi = `"model":"m","messages":[{"role":"user","content":"hi"}]`

func TestCohereValidates(t *testing.T) {
	s := start(t, Options{Models: []string{"m"}})
	call := `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{`{` + cohereHi + `}`, 200, `"finish_reason":"COMPLETE"`},
		{`{`, 400, "not JSON"},
		{`{"model":"n","messages":[{"role":"user","content":"hi"}]}`, 404, "model 'n' not found"},
		{`{` + cohereHi + `,"top_p":1}`, 400, "unknown field: parameter 'top_p' is not a valid field"},
		{`{` + cohereHi + `,"p":1}`, 400, "p must be between 0.01 and 0.99 inclusive"},
		{`{` + cohereHi + `,"tools":[{"type":"function","function":{"name":"a-b","parameters":{}}}]}`, 400, `tool name \"a-b\" is not valid`},
		{`{` + cohereHi + `,"strict_tools":true,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`, 400, "strict tools"},
		{`{` + cohereHi + `,"response_format":{"type":"json_object"},"documents":["a"]}`, 400, "not supported with RAG"},
		{`{` + cohereHi + `,"tool_choice":"auto"}`, 400, "tool_choice"},
		{`{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"system","content":"x"}]}`, 400, "system turn must be the first"},
		{`{"model":"m","messages":[{"role":"user","content":""}]}`, 400, "must not be empty"},
		{`{"model":"m","messages":[{"role":"user","content":"hi"},` + call + `]}`, 400, "last message"},
		{`{"model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"x"}]}`, 400, "not found in previous tool calls"},
		{`{"model":"m","messages":[` + call + `,{"role":"tool","tool_call_id":"a","content":"sunny"}]}`, 200, "The tools said: sunny."},
	} {
		if status, got := postTo(t, s, "/v2/chat", tc.body); status != tc.status || !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %d %s want %d with %q", tc.body, status, got, tc.status, tc.want)
		}
	}
	locked := start(t, Options{Key: "other"})
	if status, got := postTo(t, locked, "/v2/chat", `{}`); status != 401 || !strings.Contains(got, "invalid api token") {
		t.Errorf("got %d %s want 401", status, got)
	}
}

// TestCohereStreamsAndUnaryAnswersAgree joins the pieces of streams.
func TestCohereStreamsAndUnaryAnswersAgree(t *testing.T) {
	type message struct {
		Content []struct{ Text, Thinking string }
		Plan    string `json:"tool_plan"`
		Calls   []struct {
			Function struct{ Name, Arguments string }
		} `json:"tool_calls"`
	}
	s := start(t, Options{})
	for _, model := range answers {
		body := `{"model":"` + model + `","messages":[{"role":"user","content":"Tell me something nice"}]`
		_, whole := postTo(t, s, "/v2/chat", body+`}`)
		var one struct {
			Message message
			Reason  string `json:"finish_reason"`
		}
		if err := json.Unmarshal([]byte(whole), &one); err != nil {
			t.Fatal(err)
		}
		want := one.Message.Plan + one.Reason
		for _, c := range one.Message.Content {
			want += c.Text + c.Thinking
		}
		for _, c := range one.Message.Calls {
			want += c.Function.Name + c.Function.Arguments
		}
		_, stream := postTo(t, s, "/v2/chat", body+`,"stream":true}`)
		got := ""
		for _, block := range strings.Split(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
			_, data, _ := strings.Cut(block, "data: ")
			var e struct {
				Delta struct {
					Message struct {
						Content struct{ Text, Thinking string }
						Plan    string `json:"tool_plan"`
						Calls   struct {
							Function struct{ Name, Arguments string }
						} `json:"tool_calls"`
					}
					Reason string `json:"finish_reason"`
				}
			}
			if data == "[DONE]" {
				continue
			}
			_ = json.Unmarshal([]byte(data), &e) // the first event has lists where the others have objects
			m := e.Delta.Message
			got += m.Plan + m.Content.Text + m.Content.Thinking + m.Calls.Function.Name + m.Calls.Function.Arguments + e.Delta.Reason
		}
		if sorted(got) != sorted(want) {
			t.Errorf("%s: streamed %q want %q", model, got, want)
		}
		if !strings.HasSuffix(stream, "data: [DONE]\n\n") {
			t.Errorf("%s: got no terminator", model)
		}
	}
}

// sorted is a text's bytes in order: streams say the same in another one.
func sorted(s string) string {
	count := [256]int{}
	for i := range len(s) {
		count[s[i]]++
	}
	var b strings.Builder
	for c, n := range count {
		b.WriteString(strings.Repeat(string(rune(c)), n))
	}
	return b.String()
}
