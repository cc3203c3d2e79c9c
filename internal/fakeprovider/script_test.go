package fakeprovider

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

const pngBytes = "\x89PNG\r\n\x1a\n and sixty more"

func TestAnswersByRule(t *testing.T) {
	s := start(t, Options{})
	png := base64.StdEncoding.EncodeToString([]byte(pngBytes))
	pdf := base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 short"))
	tool := `{"type":"object","properties":{"city":{"type":"string"},"unit":{"enum":["c","f"]}},"required":["city"]}`
	oaiTools := `"tools":[{"type":"function","function":{"name":"a","parameters":` + tool + `}},{"type":"function","function":{"name":"b"}},{"type":"function","function":{"name":"c"}}]`
	antTools := `"tools":[{"name":"a","input_schema":` + tool + `},{"name":"b","input_schema":{"type":"object"}}]`
	for _, tc := range []struct{ name, vendor, body, want string }{
		{"echo", Chat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "You said: hi"},
		{"echo", Messages, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`, "You said: hi"},
		{
			"image", Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + png + `"}}]}]}`,
			"I see image/png of 23 bytes. You said: look",
		},
		{
			"document", Chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + pdf + `"}}]}]}`,
			"I see application/pdf of 14 bytes.",
		},
		{
			"media", Messages, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + png + `"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + pdf + `"}},{"type":"text","text":"look"}]}]}`,
			"I see image/png of 23 bytes and application/pdf of 14 bytes. You said: look",
		},
		{"tools", Chat, `{"model":"m","messages":[{"role":"user","content":"go"}],` + oaiTools + `}`, `a{"city":"Oslo ☀","unit":"c"} b{}`},
		{"one tool", Chat, `{"model":"m","messages":[{"role":"user","content":"go"}],"parallel_tool_calls":false,` + oaiTools + `}`, `a{"city":"Oslo ☀","unit":"c"}`},
		{"named tool", Chat, `{"model":"m","messages":[{"role":"user","content":"go"}],"tool_choice":{"type":"function","function":{"name":"c"}},` + oaiTools + `}`, `c{}`},
		{"no tool", Chat, `{"model":"m","messages":[{"role":"user","content":"go"}],"tool_choice":"none",` + oaiTools + `}`, `You said: go`},
		{"tools", Messages, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"go"}],` + antTools + `}`, `a{"city":"Oslo ☀","unit":"c"} b{}`},
		{
			"results", Chat, `{"model":"m","messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"a","arguments":"{}"}}]},{"role":"tool","tool_call_id":"x","content":"3 degrees"}],` + oaiTools + `}`,
			"The tools said: 3 degrees.",
		},
		{
			"results", Messages, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"3 degrees"}]}]}],` + antTools + `}`,
			"The tools said: 3 degrees.",
		},
		{
			"another step", Chat, `{"model":"m+steps-2","messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"a","arguments":"{}"}}]},{"role":"tool","tool_call_id":"x","content":"3"}],` + oaiTools + `}`,
			`a{"city":"Oslo ☀","unit":"c"} b{}`,
		},
		{
			"schema", Chat, `{"model":"m","messages":[{"role":"user","content":"go"}],"response_format":{"type":"json_schema","json_schema":{"name":"r","strict":true,"schema":{"type":"object","properties":{"n":{"type":"integer","minimum":3},"l":{"type":"array","items":{"type":"boolean"}}},"required":["n","l"],"additionalProperties":false}}}}`,
			`{"l":[true],"n":3}`,
		},
		{
			"schema", Messages, `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"go"}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}},"$defs":{"n":{"enum":["one"]}},"additionalProperties":false}}}}`,
			`{"n":"one"}`,
		},
		{"max tokens", Chat, `{"model":"m","max_tokens":2,"messages":[{"role":"user","content":"go on"}]}`, "You said: |length"},
		{"max tokens", Messages, `{"model":"m","max_tokens":3,"messages":[{"role":"user","content":"go on"}]}`, "You said: go |max_tokens"},
		{"stop", Chat, `{"model":"m","stop":"go","messages":[{"role":"user","content":"go on"}]}`, "You said: |stop"},
		{"stop", Messages, `{"model":"m","max_tokens":9,"stop_sequences":["go"],"messages":[{"role":"user","content":"go on"}]}`, "You said: |stop_sequence"},
	} {
		t.Run(tc.vendor+"/"+tc.name, func(t *testing.T) {
			r := readUnary(tc.vendor, ask(t, s, tc.vendor, tc.body).body)
			got := strings.TrimRight(r.text, " ")
			if strings.Contains(tc.want, "|") {
				got = r.text + "|" + r.stop
			}
			names := callNames(t, s, tc.vendor, tc.body)
			for i, id := range r.order {
				got = strings.TrimPrefix(got+" "+names[i]+r.calls[id], " ")
			}
			if got != tc.want {
				t.Errorf("got %q want %q", got, tc.want)
			}
		})
	}
}

// callNames asks again and returns the names of the tools called.
func callNames(t *testing.T, s *Server, vendor, body string) []string {
	o, err := decode(ask(t, s, vendor, body).body)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	list, _ := at(o, "choices", 0, "message", "tool_calls").([]any)
	for _, c := range list {
		names = append(names, textAt(c, "function", "name"))
	}
	list, _ = at(o, "content").([]any)
	for _, c := range list {
		if name := textAt(c, "name"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func TestScriptedReplies(t *testing.T) {
	s := start(t, Options{
		Replies: map[string]Reply{"by-name": {Text: "named", Usage: &Usage{Input: 5, CacheRead: 40, CacheWrite: 10, Output: 30, Reasoning: 12}}},
		Script: func(a Ask) *Reply {
			if a.Model == "by-script" {
				return &Reply{Text: a.Dialect + " " + a.Text}
			}
			return nil
		},
	})
	s.Enqueue(Reply{Text: "queued"}, Reply{Error: &Error{Status: 418, Type: "odd", Message: "no"}})
	for _, want := range []string{"queued", "", "You said: Tell me something nice about Oslo please"} {
		h := send(t, client(t), s, Chat, bodyFor(Chat, "m", false), patience, nil)
		if got := readUnary(Chat, h.body); got.text != want || want == "" && (h.status != 418 || got.errorType != "odd") {
			t.Errorf("got %d %q want %q", h.status, h.body, want)
		}
	}
	if got := readUnary(Messages, ask(t, s, Messages, bodyFor(Messages, "by-script", false)).body).text; got != "anthropic-messages Tell me something nice about Oslo please" {
		t.Errorf("script: got %q", got)
	}
	o, _ := decode(ask(t, s, Chat, bodyFor(Chat, "by-name", false)).body)
	if got, want := compact(at(o, "usage", "prompt_tokens")), json.Number("55"); got != want.String() || intAt(o, "usage", "prompt_tokens_details", "cached_tokens") != 40 {
		t.Errorf("usage: got %s", compact(at(o, "usage")))
	}
	o, _ = decode(ask(t, s, Messages, bodyFor(Messages, "by-name", false)).body)
	if intAt(o, "usage", "input_tokens") != 5 || intAt(o, "usage", "cache_read_input_tokens") != 40 || intAt(o, "usage", "output_tokens_details", "thinking_tokens") != 12 {
		t.Errorf("usage: got %s", compact(at(o, "usage")))
	}
}

func TestThinkingComesBackOnlyAsItWas(t *testing.T) {
	s := start(t, Options{})
	o, _ := decode(ask(t, s, Messages, bodyFor(Messages, "m+think", false)).body)
	thinking, sig := textAt(o, "content", 0, "thinking"), textAt(o, "content", 0, "signature")
	back := func(text string) int {
		body := compact(object{"model": "m", "max_tokens": 9, "messages": []any{
			object{"role": "user", "content": "hi"},
			object{"role": "assistant", "content": []any{object{"type": "thinking", "thinking": text, "signature": sig}, object{"type": "text", "text": "yes"}}},
			object{"role": "user", "content": "and?"},
		}})
		return send(t, client(t), s, Messages, body, patience, nil).status
	}
	if got := back(thinking); got != 200 {
		t.Errorf("unchanged: got %d want 200", got)
	}
	if got := back(thinking + "!"); got != 400 {
		t.Errorf("changed: got %d want 400", got)
	}
}

func TestSplitModel(t *testing.T) {
	for in, want := range map[string]string{
		"gpt-4o": "gpt-4o map[]", "gpt-4o+think+chunks-3": `gpt-4o {"chunks":"3","think":""}`,
		"x-fault-overloaded-529": `x-fault-overloaded-529 {"fault":"overloaded-529"}`, "m+x-fault-stall=2": `m {"fault":"stall=2"}`,
	} {
		name, markers := splitModel(in)
		got := name + " " + compact(markers)
		if len(markers) == 0 {
			got = name + " map[]"
		}
		if got != want {
			t.Errorf("%s: got %s want %s", in, got, want)
		}
	}
}

func TestNewestModelsTakeSystemTurns(t *testing.T) {
	s := start(t, Options{})
	body := func(model string) string {
		return `{"model":"` + model + `","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"system","content":"be brief"},{"role":"user","content":"and?"}]}`
	}
	if got := readUnary(Messages, ask(t, s, Messages, body("claude-opus-5")).body).text; got != "You said: hi\nand?" {
		t.Errorf("got %q", got)
	}
	if h := send(t, client(t), s, Messages, body("claude-sonnet-4-5"), patience, nil); h.status != 400 {
		t.Errorf("older model: got %d want 400", h.status)
	}
}
