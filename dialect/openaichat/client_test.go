package openaichat

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tc := range []struct{ body, param, message string }{
		{`[]`, "", "JSON object"},
		{`{"model":7,"messages":[]}`, "model", "want string, got number"},
		{`{"model":"m"}`, "messages", "Missing"},
		{`{"model":"m","messages":[]}`, "messages", "at least one message"},
		{`{"model":"m","messages":{}}`, "messages", "want array"},
		{withMessages(`7`), "messages[0]", "want object"},
		{withMessages(`{"content":"x"}`), "messages[0].role", "missing"},
		{withMessages(`{"role":"robot","content":"x"}`), "messages[0].role", "robot"},
		{withMessages(`{"role":"user"}`), "messages[0].content", "missing"},
		{withMessages(`{"role":"user","content":7}`), "messages[0].content", "got number"},
		{withMessages(`{"role":"user","content":[{"type":"text"}]}`), "messages[0].content[0].text", "want string"},
		{withMessages(`{"role":"user","content":[{"text":"x"}]}`), "messages[0].content[0].type", "want string"},
		{withMessages(`{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://a.example"}}]}`), "messages[0].content[0].type", "only be text"},
		{withMessages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}`), "messages[0].content[0].image_url.url", "data URI"},
		{withMessages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,%%%"}}]}`), "messages[0].content[0].image_url.url", "base64"},
		{withMessages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.example","detail":"huge"}}]}`), "messages[0].content[0].image_url.detail", "supported"},
		{withMessages(`{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"ogg"}}]}`), "messages[0].content[0].input_audio.format", "wav, mp3"},
		{withMessages(`{"role":"tool","content":"x"}`), "messages[0].tool_call_id", "missing"},
		{withMessages(`{"role":"function","name":"f","content":"x"}`), "messages[0].name", "no earlier"},
		{withMessages(`{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}`), "messages[0].tool_calls[0].id", "want string"},
		{withMessages(`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}]}`), "messages[0].tool_calls[0].function.arguments", "got object"},
		{withMessages(hello, `"temperature":2.5`), "temperature", "between 0 and 2"},
		{withMessages(hello, `"top_p":1.5`), "top_p", "between 0 and 1"},
		{withMessages(hello, `"presence_penalty":-3`), "presence_penalty", "between -2 and 2"},
		{withMessages(hello, `"max_tokens":0`), "max_tokens", "between 1"},
		{withMessages(hello, `"max_completion_tokens":-1`), "max_completion_tokens", "between 1"},
		{withMessages(hello, `"max_tokens":5,"max_completion_tokens":5`), "max_tokens", "same time"},
		{withMessages(hello, `"seed":5,"random_seed":5`), "random_seed", "same time"},
		{withMessages(hello, `"metadata":["a"]`), "metadata", "want object"},
		{withMessages(hello, `"n":0`), "n", "between 1 and 128"},
		{withMessages(hello, `"n":1.5`), "n", "fraction"},
		{withMessages(hello, `"stop":["a","b","c","d","e"]`), "stop", "at most 4"},
		{withMessages(hello, `"stop":7`), "stop", "got number"},
		{withMessages(hello, `"logprobs":true,"top_logprobs":21`), "top_logprobs", "between 0 and 20"},
		{withMessages(hello, `"top_logprobs":2`), "top_logprobs", "logprobs"},
		{withMessages(hello, `"logit_bias":[]`), "logit_bias", "want object"},
		{withMessages(hello, `"reasoning_effort":"huge"`), "reasoning_effort", "supported values"},
		{withMessages(hello, `"verbosity":"loud"`), "verbosity", "supported values"},
		{withMessages(hello, `"stream":"yes"`), "stream", "want boolean"},
		{withMessages(hello, `"stream_options":{"include_usage":1}`), "stream_options.include_usage", "want boolean"},
		{withMessages(hello, `"response_format":{"type":"xml"}`), "response_format.type", "json_schema"},
		{withMessages(hello, `"response_format":{"type":"json_schema","json_schema":{"name":"x"}}`), "response_format.json_schema.schema", "missing"},
		{withMessages(hello, `"tool_choice":"maybe"`), "tool_choice", "maybe"},
		{withMessages(hello, `"tool_choice":{"type":"function"}`), "tool_choice.function.name", "want string"},
		{withMessages(hello, `"tool_choice":"required"`), "tool_choice", "has none"},
		{withMessages(hello, `"tools":[],"tool_choice":{"type":"function","function":{"name":"f"}}`), "tool_choice", "has none"},
		{withMessages(hello, `"function_call":{"name":"f"}`), "function_call", "no 'functions'"},
		{withMessages(hello, `"tools":[{"type":"function"}]`), "tools[0].function", "missing"},
		{withMessages(hello, `"tools":[{"type":"function","function":{"parameters":{}}}]`), "tools[0].function.name", "missing"},
		{withMessages(hello, `"tools":[{"type":"function","function":{"name":"f","parameters":[]}}]`), "tools[0].function.parameters", "want object"},
		{withMessages(hello, `"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}}`), "tool_choice", "not among"},
		{withMessages(hello, `"tools":[],"functions":[{"name":"f"}]`), "functions", "not allowed"},
	} {
		_, err := clientSide{}.DecodeRequest([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *llm.Error", tc.body, err)
			continue
		}
		if e.Code != llm.CodeInvalidRequest || e.Origin != llm.OriginClient || e.Param != tc.param || !strings.Contains(e.Message, tc.message) {
			t.Errorf("%s: got %s at %q: %s; want %q at %q", tc.body, e.Code, e.Param, e.Message, tc.message, tc.param)
		}
	}
}

func TestT139StopAsString(t *testing.T) {
	if got := decode(t, withMessages(hello, `"stop":"END"`)).Stop; !slices.Equal(got, []string{"END"}) {
		t.Errorf("got %q want [END]", got)
	}
}

func TestDecodeTakesNullForUnset(t *testing.T) {
	r := decode(t, withMessages(hello, `"temperature":null,"stop":null,"tools":null,"n":null,"response_format":null,"metadata":null,"stream":null`))
	if r.Temperature != nil || r.Stop != nil || r.Tools != nil || r.N != 0 || r.Format != nil || r.Extra != nil || r.Stream {
		t.Errorf("got %+v, want nothing set", r)
	}
}

func TestT025ToolMessagesAreOneTurn(t *testing.T) {
	r := decode(t, withMessages(`{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
		{"id":"b","type":"function","function":{"name":"f","arguments":""}}]},
		{"role":"tool","tool_call_id":"b","content":"2"},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"1"}]},`+hello))
	if len(r.Messages) != 3 || r.Messages[1].Role != llm.RoleTool || len(r.Messages[1].Parts) != 2 {
		t.Fatalf("got %+v, want the two results in one tool message", r.Messages)
	}
	if got := r.Messages[1].Parts[0].Result.CallID + r.Messages[1].Parts[1].Result.CallID; got != "ba" {
		t.Errorf("got results in the order %s want ba", got)
	}
	if parts := r.Messages[0].Parts; len(parts) != 2 || parts[0].Kind != llm.PartToolCall { // T036: no empty text
		t.Errorf("got parts %+v, want the calls alone", parts)
	}
}

func TestT034LegacyFunctionsShareAnID(t *testing.T) {
	r := decode(t, withMessages(`{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
		{"role":"function","name":"f","content":"1"},
		{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
		{"role":"function","name":"f","content":"2"}`, `"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}`))
	first, second := r.Messages[0].Parts[0].Call.ID, r.Messages[2].Parts[0].Call.ID
	if first == "" || first == second {
		t.Errorf("got ids %q and %q, want two", first, second)
	}
	if r.Messages[1].Parts[0].Result.CallID != first || r.Messages[3].Parts[0].Result.CallID != second {
		t.Errorf("got results for %q and %q want %q and %q", r.Messages[1].Parts[0].Result.CallID, r.Messages[3].Parts[0].Result.CallID, first, second)
	}
	if len(r.Tools) != 1 || r.ToolChoice.Mode != llm.ChoiceNamed || r.ToolChoice.Names[0] != "f" {
		t.Errorf("got tools %+v, choice %+v, want f, named", r.Tools, r.ToolChoice)
	}
	if body, _ := encode(t, r, llm.ModelFacts{}); strings.Contains(body, `"functions"`) || !strings.Contains(body, `"tool_call_id":"`+second+`"`) {
		t.Errorf("got %s, want it as tools", body)
	}
}

// TestOldCallsInAnswers: who asked with functions is answered with a function_call, whole and streamed, and of two calls
// with the first.
func TestOldCallsInAnswers(t *testing.T) {
	r := decode(t, withMessages(`{"role":"user","content":"go"}`, `"functions":[{"name":"f","parameters":{"type":"object"}}]`))
	encoded := dialect.Encoded{OldCalls: r.OldCalls}
	for _, tc := range []struct {
		calls []string
		lost  int
	}{{[]string{`{"a":1}`}, 0}, {[]string{``}, 0}, {[]string{`{"a":1}`, `{"a":2}`}, 1}} {
		answer := &llm.Response{ID: "r", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopToolCalls}}}}
		for _, args := range tc.calls {
			answer.Choices[0].Parts = append(answer.Choices[0].Parts, llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "c", Name: "f", Args: args}})
		}
		encoded.RestoreResponse(answer)
		body, losses, err := clientSide{}.EncodeResponse(answer)
		if err != nil {
			t.Fatal(err)
		}
		w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "r", Model: "m"})
		var stream []byte
		for _, e := range answer.Events() {
			encoded.RestoreEvent(&e)
			stream = w.Write(stream, e)
		}
		if len(losses) != tc.lost || len(w.Losses()) != tc.lost {
			t.Errorf("%q: got %v, streamed %v, want %d losses", tc.calls, losses, w.Losses(), tc.lost)
		}
		args := cmp.Or(tc.calls[0], "{}")
		if want := `"function_call":{"name":"f","arguments":` + strconv.Quote(args) + `}`; !strings.Contains(string(body), want) {
			t.Errorf("%q: got %s want %s in it", tc.calls, body, want)
		}
		if want := `"function_call":{"name":"f","arguments":`; strings.Count(string(stream), want) != 1 || !strings.Contains(string(stream), strconv.Quote(args)) {
			t.Errorf("%q: got %s want %s once, and %s", tc.calls, stream, want, args)
		}
		for _, b := range [][]byte{body, stream} {
			if strings.Contains(string(b), "tool_calls") || !strings.Contains(string(b), `"finish_reason":"function_call"`) {
				t.Errorf("%q: got %s want nothing of the new form", tc.calls, b)
			}
		}
	}
}

// TestA27ThinkingBetweenCalls: what a vendor thought between two calls comes back to it between them, though the dialect
// has one place for all thinking.
func TestA27ThinkingBetweenCalls(t *testing.T) {
	thought := func(text, signature, sealed string) llm.Part {
		return llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{Issuer: "x", Signature: signature, Sealed: sealed}}
	}
	call := func(id string) llm.Part {
		return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: "f", Args: "{}"}}
	}
	want := []llm.Part{thought("a", "1", ""), llm.Text("so"), call("c1"), thought("", "2", ""), thought("", "", "3"), call("c2"), call("c3"), thought("", "", "4")}
	answer := &llm.Response{ID: "r", Choices: []llm.Choice{{Parts: want, Stop: llm.Stop{Reason: llm.StopToolCalls}}}}
	body, _, err := clientSide{}.EncodeResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsontext.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	var message jsontext.Value
	_ = v.Get("choices").Array(func(_ int, v jsontext.Value) error {
		message = v.Get("message")
		return nil
	})
	got := decode(t, withMessages(string(message)+`,{"role":"tool","tool_call_id":"c1","content":"1"},{"role":"tool","tool_call_id":"c2","content":"2"},{"role":"tool","tool_call_id":"c3","content":"3"}`)).Messages[0].Parts
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v want %+v", got, want)
	}
	w := clientSide{}.NewStreamWriter(dialect.StreamOptions{ID: "r", Model: "m"})
	var stream []byte
	for _, e := range answer.Events() {
		stream = w.Write(stream, e)
	}
	for _, entry := range []string{`"signature":"1"}`, `"signature":"2","after":1}`, `"data":"3","after":1}`, `"data":"4","after":3}`} {
		if !strings.Contains(string(stream), entry) || !strings.Contains(string(body), entry) {
			t.Errorf("got %s, streamed %s, want %s in them", body, stream, entry)
		}
	}
}

func TestT123PDFInsideImageURL(t *testing.T) {
	r := decode(t, withMessages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:application/pdf;base64,JVBERi0xLjQK"}},
		{"type":"file","file":{"filename":"a.png","file_data":"data:image/png;base64,iVBORw0KGgo="}},
		{"type":"file","file":{"filename":"b.pdf","file_data":"JVBERi0xLjQK"}},
		{"type":"file","file":{"filename":"c.txt","file_data":"data:text/plain;charset=utf-8;base64,aGVsbG8="}},
		{"type":"file","file":{"file_id":"file-1"}},
		{"type":"image_url","image_url":"https://a.example/x"}]}`))
	p := r.Messages[0].Parts
	if p[0].Kind != llm.PartDocument || p[0].Media.Type != "application/pdf" {
		t.Errorf("got %+v, want a document", p[0])
	}
	if p[1].Kind != llm.PartImage || p[1].Media.Type != "image/png" {
		t.Errorf("got %+v, want an image", p[1])
	}
	if p[2].Kind != llm.PartDocument || p[2].Media.Type != "application/pdf" || p[2].Document.Name != "b.pdf" {
		t.Errorf("got %+v, want a PDF by its first bytes", p[2])
	}
	if p[3].Kind != llm.PartDocument || p[3].Media != nil || p[3].Document.Text != "hello" {
		t.Errorf("got %+v, want a document of text", p[3])
	}
	if p[4].Media.FileID != "file-1" || p[4].Media.Issuer != self {
		t.Errorf("got %+v, want the vendor's file", p[4].Media)
	}
	if p[5].Media.URL != "https://a.example/x" {
		t.Errorf("got %+v, want the URL", p[5].Media)
	}
}

func TestUnknownMembersAreKept(t *testing.T) {
	body := withMessages(`{"role":"user","content":[{"type":"text","text":"hi","p":1}],"m":{"x":[1, 2]}}`, `"top_k":5`,
		`"tools":[{"type":"function","x":1,"function":{"name":"f","y":2}}]`, `"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"z":3}}`)
	r := decode(t, body)
	got, _ := encode(t, r, llm.ModelFacts{})
	for _, want := range []string{`"p":1`, `"m":{"x":[1, 2]}`, `"top_k":5`, `"y":2},"x":1}`, `"z":3}}`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s in it", got, want)
		}
	}
}

func TestCarriedThinkingIsRestored(t *testing.T) {
	r := decode(t, withMessages(hello+`,{"role":"assistant","content":"x","reasoning_content":"shown","reasoning_details":[
		{"type":"understudy.thinking","issuer":"anthropic-messages"},
		{"type":"understudy.thinking","issuer":"anthropic-messages","text":"signed","signature":"c2ln"},
		{"type":"understudy.thinking","issuer":"anthropic-messages","data":"c2Vh"}]},
		{"role":"assistant","content":"y","reasoning":"plain","reasoning_details":[{"type":"reasoning.text","text":"plain"}]}`))
	p := r.Messages[1].Parts
	if len(p) != 3 || p[0].Text != "signed" || p[0].Thinking.Signature != "c2ln" || p[0].Thinking.Issuer != "anthropic-messages" || p[1].Thinking.Sealed != "c2Vh" {
		t.Errorf("got %+v, want the signed block, the sealed one and the text", p)
	}
	p = r.Messages[2].Parts
	if len(p) != 2 || p[0].Text != "plain" || p[0].Thinking.Issuer != "" || len(r.Messages[2].Extra[self]) != 1 {
		t.Errorf("got %+v, want unsigned thinking and the others' details kept", r.Messages[2])
	}
}
