package gateway_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// sent is the last body a vendor got.
func (w *world) sent(id string) jsontext.Value { return jsontext.Value(w.vendors[id].Last().Body) }

// at reads a member of a JSON body as compact text.
func at(body []byte, keys ...string) string {
	return string(jsontext.Compact(nil, jsontext.Value(body).Get(keys...)))
}

// first is the first element of a list.
func first(list jsontext.Value) jsontext.Value {
	var v jsontext.Value
	_ = list.Array(func(i int, e jsontext.Value) error {
		if i == 0 {
			v = e
		}
		return nil
	})
	return v
}

func messages(list ...any) map[string]any { return map[string]any{"messages": list} }

func says(role string, content any) map[string]any {
	return map[string]any{"role": role, "content": content}
}

// A25: thinking signed by one vendor comes back to it through a client whose own
// API has no place for signatures.
func TestA25SignatureSurvivesAChatClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const signature = "c2lnbmVkLWJ5LWNsYXVkZQ"
	think := map[string]any{"reasoning_effort": "low", "max_tokens": 4096}
	w.vendors["claude1"].Enqueue(fakeprovider.Reply{Thinking: "Hm.", Signature: signature, Text: "Five."})
	got := w.post(chatAPI, body("claude1", "2+3?", false, think), nil)
	var reply struct {
		Choices []struct{ Message map[string]any }
	}
	if err := json.Unmarshal(got.body, &reply); err != nil || len(reply.Choices) != 1 {
		t.Fatalf("got %v (%v), want an answer", got, err)
	}
	history := messages(says("user", "2+3?"), reply.Choices[0].Message, says("user", "And 4?"))
	again := w.post(chatAPI, body("claude1", "", false, think, history), nil)
	if !again.whole() || !bytes.Contains(w.sent("claude1"), []byte(signature)) {
		t.Errorf("got %v and upstream %s, want the signature back", again, w.sent("claude1"))
	}
}

// A27: thinking, text and calls keep their order and indexes on the way.
func TestA27OrderOfThinkingAndCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reply := fakeprovider.Reply{Thinking: "Two cities.", Text: "Looking.", ToolCalls: []fakeprovider.ToolCall{
		{ID: "call_a", Name: "get_weather", Arguments: `{"city":"Oslo"}`}, {ID: "call_b", Name: "get_weather", Arguments: `{"city":"Bergen"}`},
	}}
	w.vendors["chat1"].Enqueue(reply)
	got := w.post(messagesAPI, body("chat1", "Weather?", true, map[string]any{"tools": []any{weatherTool(messagesAPI)}}), nil)
	var kinds []string
	for _, e := range got.events {
		if e.name == "content_block_start" {
			kinds = append(kinds, at([]byte(e.data), "index")+at([]byte(e.data), "content_block", "type"))
		}
	}
	if want := `0"thinking" 1"text" 2"tool_use" 3"tool_use"`; !got.whole() || strings.Join(kinds, " ") != want {
		t.Errorf("got blocks %v, %v; want %s", kinds, got, want)
	}
}

// A29: reasoning that a compatible server wants back is not touched.
func TestA29ReasoningContentIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	turn := map[string]any{"role": "assistant", "content": "Five.", "reasoning_content": "2+3 is 5."}
	w.post(chatAPI, body("chat1", "", false, messages(says("user", "2+3?"), turn, says("user", "And 4?"))), nil)
	if sent := w.sent("chat1"); !bytes.Contains(sent, []byte(`"reasoning_content":"2+3 is 5."`)) {
		t.Errorf("got upstream %s, want the reasoning in it", sent)
	}
}

// T034: an application that asks with functions is answered with a function_call, whoever serves it.
func TestT034FunctionsAreAnsweredAsSuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := map[string]any{"functions": []any{map[string]any{"name": "get_weather", "parameters": map[string]any{"type": "object", "properties": map[string]any{}}}}}
	for _, stream := range []bool{false, true} {
		w.vendors["claude1"].Enqueue(fakeprovider.Reply{ToolCalls: []fakeprovider.ToolCall{{ID: "call_a", Name: "get_weather", Arguments: `{"city":"Oslo"}`}}})
		got := w.post(chatAPI, body("claude1", "Weather?", stream, asked), nil)
		if !got.whole() || !bytes.Contains(got.body, []byte(`"function_call":{"name":"get_weather"`)) || bytes.Contains(got.body, []byte("tool_calls")) {
			t.Errorf("streamed %v: got %v want a function_call", stream, got)
		}
	}
}

// A30, A31: several system and developer messages are all kept, in order.
func TestA30SeveralSystemMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.post(chatAPI, body("claude1", "", false, messages(
		says("system", "One."), says("developer", "Two."), says("system", "Three."), says("user", "Hi"))), nil)
	system := at(w.sent("claude1"), "system")
	one, two, three := strings.Index(system, "One."), strings.Index(system, "Two."), strings.Index(system, "Three.")
	if !got.whole() || one < 0 || two < one || three < two {
		t.Errorf("got system %s, %v; want all three in order", system, got)
	}
}

// A31: a developer's message after the conversation began is not lost, and said to
// be placed elsewhere.
func TestA31DeveloperMessageInMidConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.post(chatAPI, body("claude1", "", false, messages(
		says("user", "Hi"), says("assistant", "Hello."), says("developer", "Be brief."), says("user", "Who?"))), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !bytes.Contains(w.sent("claude1"), []byte("Be brief.")) || loss == "" {
		t.Errorf("got %v with loss %q and upstream %s, want the message there and its place reported", got, loss, w.sent("claude1"))
	}
}

// A32: being told to call no tool, any tool or one tool means the same everywhere.
func TestA32ToolChoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, test := range []struct {
		a      api
		choice any
		want   string
	}{
		{chatAPI, "none", `{"type":"none"}`},
		{chatAPI, "auto", `{"type":"auto"}`},
		{chatAPI, "required", `{"type":"any"}`},
		{chatAPI, map[string]any{"type": "function", "function": map[string]any{"name": "get_weather"}}, `{"type":"tool","name":"get_weather"}`},
		{messagesAPI, map[string]any{"type": "none"}, `"none"`},
		{messagesAPI, map[string]any{"type": "auto"}, `"auto"`},
		{messagesAPI, map[string]any{"type": "any"}, `"required"`},
		{messagesAPI, map[string]any{"type": "tool", "name": "get_weather"}, `{"type":"function","function":{"name":"get_weather"}}`},
	} {
		extra := map[string]any{"tools": []any{weatherTool(test.a)}, "tool_choice": test.choice}
		got := w.post(test.a, body(test.a.other[0], "Weather?", false, extra), nil)
		if choice := at(w.sent(test.a.other[0]), "tool_choice"); !got.whole() || !jsontext.Equal([]byte(choice), []byte(test.want)) {
			t.Errorf("%s %v: got %s, %v; want %s", test.a.name, test.choice, choice, got, test.want)
		}
	}
}

// A33: schemas with all their keywords are carried as they are written.
func TestA33SchemaKeywords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schema := json.RawMessage(`{"$defs":{"c":{"type":"string"}},"type":"object","additionalProperties":false,` +
		`"properties":{"z":{"$ref":"#/$defs/c"},"a":{"anyOf":[{"type":"null"},{"enum":["x","y"]}]},"any":{}}}`)
	for _, a := range apis {
		tool := weatherTool(a)
		if a.name == chatAPI.name {
			tool["function"].(map[string]any)["parameters"] = schema
		} else {
			tool["input_schema"] = schema
		}
		got := w.post(a, body(a.other[0], "Weather?", false, map[string]any{"tools": []any{tool}}), nil)
		if !got.whole() || !bytes.Contains(w.sent(a.other[0]), schema) {
			t.Errorf("%s: got %v and upstream %s, want the schema byte for byte", a.name, got, w.sent(a.other[0]))
		}
	}
}

// A34: what a model wrote as arguments reaches the client, even if it is no JSON.
func TestA34MalformedArguments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const args = `{"city": "Oslo`
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{ToolCalls: []fakeprovider.ToolCall{{Name: "get_weather", Arguments: args}}})
	got := w.post(messagesAPI, body("chat1", "Weather?", true, map[string]any{"tools": []any{weatherTool(messagesAPI)}}), nil)
	var joined string
	for _, e := range got.events {
		piece, _ := jsontext.Value(e.data).Get("delta", "partial_json").Text()
		joined += piece
	}
	if !got.whole() || joined != args {
		t.Errorf("got arguments %q, %v; want %q", joined, got, args)
	}
}

// A35: a tool's name that the target forbids is changed there and nowhere else.
func TestA35IllegalToolNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := strings.Repeat("get_weather_", 8) // 96 letters: legal here, too long there
	tool := weatherTool(messagesAPI)
	tool["name"] = name
	for _, stream := range []bool{false, true} {
		got := w.post(messagesAPI, body("chat1", "Weather?", stream, map[string]any{"tools": []any{tool}}), nil)
		sentName, _ := first(w.sent("chat1").Get("tools")).Get("function", "name").Text()
		if !got.whole() || len(sentName) > 64 || sentName == "" || !bytes.Contains(got.body, []byte(`"name":"`+name+`"`)) {
			t.Errorf("stream %v: got name %q upstream and %v, want a short one there and the client's own here", stream, sentName, got)
		}
	}
}

// A39, T115: JSON mode is emulated where a dialect has none, and refused when the client
// is strict.
func TestA39JSONMode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	extra := map[string]any{"response_format": map[string]any{"type": "json_object"}}
	got := w.post(chatAPI, body("claude1", "Answer in JSON.", false, extra), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "response_format") || !strings.Contains(at(w.sent("claude1"), "system"), "JSON") {
		t.Errorf("got loss %q, system %s, %v; want an instruction, and it reported", loss, at(w.sent("claude1"), "system"), got)
	}
	if got := w.post(chatAPI, body("claude1", "Answer in JSON.", false, extra), map[string]string{"X-Understudy-Loss": "strict"}); got.status != 400 {
		t.Errorf("strict: got %v, want a refusal", got)
	}
}

// A40: a schema keyword that the target does not enforce is reported, and refused
// when the client is strict.
func TestA40SchemaKeywordsNotEnforced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	schema := map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"code"},
		"properties": map[string]any{"code": map[string]any{"type": "string", "minLength": 3}},
	}
	extra := map[string]any{"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "x", "strict": true, "schema": schema}}}
	got := w.post(chatAPI, body("claude1", "A code.", false, extra), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "json_schema=approximated(tuning)") {
		t.Errorf("got loss %q, %v; want json_schema=approximated(tuning)", loss, got)
	}
	if got := w.post(chatAPI, body("claude1", "A code.", false, extra), map[string]string{"X-Understudy-Loss": "strict"}); got.status != 400 {
		t.Errorf("strict: got %v, want a refusal", got)
	}
}

// A42: the stop sequence that was hit is told where the client's API can.
func TestA42StopSequence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := map[string]any{"stop_sequences": []string{"sea"}}
	got := w.post(messagesAPI, body("claude1", "the sea and more", false, stop), nil)
	if at(got.body, "stop_reason") != `"stop_sequence"` || at(got.body, "stop_sequence") != `"sea"` {
		t.Errorf("got %v, want the sequence told", got)
	}
	if got := w.post(messagesAPI, body("chat1", "the sea and more", false, stop), nil); at(got.body, "stop_reason") != `"end_turn"` || strings.Contains(got.text, "sea") {
		t.Errorf("got %v, want it applied though the provider cannot tell", got)
	}
	if got := w.post(chatAPI, body("claude1", "the sea and more", false, map[string]any{"stop": "sea"}), nil); !strings.Contains(string(got.body), `"finish_reason":"stop"`) {
		t.Errorf("got %v, want stop", got)
	}
}

// A43: top_k is reported lost where there is none.
func TestA43TopK(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.post(messagesAPI, body("chat1", "Hello", false, map[string]any{"top_k": 5}), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "top_k=dropped(tuning)") {
		t.Errorf("got loss %q, want top_k=dropped(tuning)", loss)
	}
}

// A44: a content filter's stop is a refusal to an Anthropic client.
func TestA44ContentFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Text: "I was about", Stop: "content_filter"})
	if got := w.post(messagesAPI, body("chat1", "Hello", false), nil); at(got.body, "stop_reason") != `"refusal"` {
		t.Errorf("got %v, want stop reason refusal", got)
	}
}

// A45: a refusal's words reach the client, marked as what they are.
func TestA45Refusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const words = "I can't help with that."
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Refusal: words})
	got := w.post(messagesAPI, body("chat1", "Hello", false), nil)
	if at(got.body, "stop_reason") != `"refusal"` || got.text != words {
		t.Errorf("got %v, want the words and stop reason refusal", got)
	}
}

// A48: cache marks are kept where they mean something and reported elsewhere.
func TestA48CacheMarks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mark := map[string]any{"type": "ephemeral", "ttl": "1h"}
	marked := messages(says("user", []any{map[string]any{"type": "text", "text": "Long.", "cache_control": mark}}))
	if got := w.post(messagesAPI, body("claude1", "", false, marked), nil); !got.whole() || !bytes.Contains(w.sent("claude1"), []byte(`"ttl":"1h"`)) {
		t.Errorf("got upstream %s, want the mark", w.sent("claude1"))
	}
	got := w.post(messagesAPI, body("chat1", "", false, marked), nil)
	if loss := got.header.Get("X-Understudy-Loss"); !got.whole() || !strings.Contains(loss, "cache_control=dropped(harmless)") {
		t.Errorf("got loss %q, %v; want cache_control=dropped(harmless)", loss, got)
	}
}

// A49: a token is in one bucket, and the sums are the vendor's in every dialect.
func TestA49Usage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	usage := &fakeprovider.Usage{Input: 100, CacheRead: 40, CacheWrite: 10, Output: 30, Reasoning: 12}
	w.vendors["claude1"].Enqueue(fakeprovider.Reply{Text: "Hi", Usage: usage})
	got := w.post(chatAPI, body("claude1", "Hello", false), nil)
	if u := jsontext.Value(got.body).Get("usage"); at(u, "prompt_tokens") != "150" || at(u, "completion_tokens") != "30" ||
		at(u, "total_tokens") != "180" || at(u, "prompt_tokens_details", "cached_tokens") != "40" {
		t.Errorf("got usage %s, want 150 in, 40 of them cached, 30 out", u)
	}
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{Text: "Hi", Usage: usage})
	got = w.post(messagesAPI, body("chat1", "Hello", false), nil)
	if u := jsontext.Value(got.body).Get("usage"); at(u, "input_tokens") != "100" || at(u, "cache_read_input_tokens") != "40" ||
		at(u, "cache_creation_input_tokens") != "10" || at(u, "output_tokens") != "30" {
		t.Errorf("got usage %s, want 100 fresh, 40 read, 10 written, 30 out", u)
	}
	if rec := w.record().Attempts[0].Usage; rec.Input() != 150 || rec.Output() != 30 {
		t.Errorf("got %+v in the record, want 150 in and 30 out", rec)
	}
}

// A51: a PDF crosses as bytes, and is refused where only a reference could.
func TestA51Documents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const pdf = "JVBERi0xLjQKJcOkw7zDtsOfCg==" // the beginning of a PDF
	chatFile := func(file map[string]any) map[string]any {
		return messages(says("user", []any{map[string]any{"type": "text", "text": "What is it?"}, map[string]any{"type": "file", "file": file}}))
	}
	document := func(source map[string]any) map[string]any {
		return messages(says("user", []any{map[string]any{"type": "document", "source": source}, map[string]any{"type": "text", "text": "What is it?"}}))
	}
	for name, test := range map[string]struct {
		a     api
		extra map[string]any
		whole bool
	}{
		"chat, bytes":       {chatAPI, chatFile(map[string]any{"filename": "a.pdf", "file_data": "data:application/pdf;base64," + pdf}), true},
		"chat, file id":     {chatAPI, chatFile(map[string]any{"file_id": "file-123"}), false},
		"messages, bytes":   {messagesAPI, document(map[string]any{"type": "base64", "media_type": "application/pdf", "data": pdf}), true},
		"messages, URL":     {messagesAPI, document(map[string]any{"type": "url", "url": "https://example.com/a.pdf"}), false},
		"messages, file id": {messagesAPI, document(map[string]any{"type": "file", "file_id": "file_123"}), false},
	} {
		to := test.a.other[0]
		before := w.count(to)
		got := w.post(test.a, body(to, "", false, test.extra), nil)
		switch {
		case test.whole && (!got.whole() || !strings.Contains(got.text, "application/pdf")):
			t.Errorf("%s: got %v, want the PDF seen", name, got)
		case !test.whole && (got.status != 400 || w.count(to) != before):
			t.Errorf("%s: got %v, want a refusal and nothing sent", name, got)
		}
	}
}
