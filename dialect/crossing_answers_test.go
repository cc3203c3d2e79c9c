package dialect_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// crossStream takes a provider's stream to a client's dialect. An error ends it as it would end the client's.
func crossStream(from, to *dialect.Dialect, stream io.Reader) (string, error) {
	frames := sse.NewReader(stream, 0)
	reader := from.Provider.NewStreamReader()
	writer := to.Client.NewStreamWriter(dialect.StreamOptions{ID: "gw_1", Model: "gw", Created: 1767225600, Usage: true})
	var out []byte
	var events []llm.Event
	for {
		frame, err := frames.Next()
		var partial *sse.PartialError
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &partial):
			events, err = reader.Close(events[:0])
			return finished(out, writer, events, err)
		case err != nil:
			return string(out), err
		case !frame.HasData:
			continue
		}
		events, err = reader.Read(events[:0], dialect.Frame{Event: frame.Name, Data: frame.Data})
		if err != nil {
			return finished(out, writer, events, err)
		}
		for _, e := range events {
			out = writer.Write(out, e)
		}
	}
}

func finished(out []byte, w dialect.StreamWriter, events []llm.Event, err error) (string, error) {
	for _, e := range events {
		out = w.Write(out, e)
	}
	var e *llm.Error
	if errors.As(err, &e) {
		out = w.Error(out, e)
	}
	return string(out), err
}

// crossAnswer takes a provider's whole answer to a client's dialect.
func crossAnswer(t *testing.T, from, to *dialect.Dialect, body string) string {
	t.Helper()
	resp, err := from.Provider.DecodeResponse([]byte(body))
	if err != nil {
		t.Fatalf("DecodeResponse: %v\n%s", err, body)
	}
	out, _, err := to.Client.EncodeResponse(resp)
	if err != nil {
		t.Fatalf("EncodeResponse: %v\n%s", err, body)
	}
	return string(out)
}

// events frames data as a provider of Messages does.
func events(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		kind, _ := jsontext.Value(d).Get("type").Text()
		b.WriteString("event: " + kind + "\ndata: " + d + "\n\n")
	}
	return b.String()
}

// chunks frames deltas as a provider of Chat Completions does. One that begins with { is a delta; other texts
// are finish reasons.
func chunks(deltas ...string) string {
	var b strings.Builder
	for _, d := range deltas {
		choice := `{"index":0,"delta":` + d + `,"finish_reason":null}`
		if !strings.HasPrefix(d, "{") {
			choice = `{"index":0,"delta":{},"finish_reason":"` + d + `"}`
		}
		b.WriteString(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[` + choice + "]}\n\n")
	}
	return b.String() + "data: [DONE]\n\n"
}

const (
	unaryTool = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"so"},` +
		`{"type":"tool_use","id":"toolu_1","name":"get","input":{}}],"stop_reason":"tool_use","stop_sequence":null,` +
		`"usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":5,` +
		`"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":1},"output_tokens":8,"output_tokens_details":{"thinking_tokens":2}}}`
	begin    = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":3,"output_tokens":1}}}`
	stopText = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":8}}`
	stopTool = `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":8}}`
	end      = `{"type":"message_stop"}`
)

// block is a content block's events.
func block(index, start string, deltas ...string) []string {
	list := []string{`{"type":"content_block_start","index":` + index + `,"content_block":` + start + `}`}
	for _, d := range deltas {
		list = append(list, `{"type":"content_block_delta","index":`+index+`,"delta":`+d+`}`)
	}
	return append(list, `{"type":"content_block_stop","index":`+index+`}`)
}

func textBlock(index, s string) []string {
	return block(index, `{"type":"text","text":""}`, `{"type":"text_delta","text":"`+s+`"}`)
}

func toolBlock(index, id string, fragments ...string) []string {
	deltas := make([]string, len(fragments))
	for i, f := range fragments {
		deltas[i] = `{"type":"input_json_delta","partial_json":"` + f + `"}`
	}
	return block(index, `{"type":"tool_use","id":"`+id+`","name":"get","input":{}}`, deltas...)
}

func thinkingBlock(index, s string) []string {
	return block(index, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking_delta","thinking":"`+s+`"}`, `{"type":"signature_delta","signature":"c2ln"}`)
}

func join(groups ...[]string) string {
	all := []string{begin}
	for _, g := range groups {
		all = append(all, g...)
	}
	return events(all...)
}

func TestMessagesStreamsToChat(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		has, not     []string
		order        []string // these stand in this order
	}{
		{
			name:   "T001, T015 thinking, text and two calls",
			stream: join(thinkingBlock("0", "hm"), textBlock("1", "so"), toolBlock("2", "toolu_a", `{\"a\":`, `1}`), toolBlock("3", "toolu_b", `{}`), []string{stopTool, end}),
			order: []string{
				`"role":"assistant"`, `"reasoning_content":"hm"`, `"content":"so"`, `"index":0,"id":"toolu_a"`, `"arguments":"1}"`,
				`"index":1,"id":"toolu_b"`, `"finish_reason":"tool_calls"`, `"usage":{"prompt_tokens":13`, "[DONE]",
			},
		},
		{name: "T007 a call without arguments", stream: join(toolBlock("0", "toolu_a", ""), []string{stopTool, end}), has: []string{`"arguments":"{}"`}},
		{name: "T008 the placeholder is not a fragment", stream: join(toolBlock("0", "toolu_a", "", `{\"a\":1}`), []string{stopTool, end}), has: []string{`"arguments":"{\"a\":1}"`}, not: []string{`"arguments":"{}`}},
		{name: "T013 no call, no tool_calls", stream: join(textBlock("0", "so"), []string{stopTool, end}), has: []string{`"finish_reason":"stop"`}, not: []string{"tool_use", "tool_calls"}},
		{name: "T017 a cut call stays, as cut", stream: join(toolBlock("0", "toolu_a", `{\"a\":`), []string{strings.Replace(stopTool, "tool_use", "max_tokens", 1), end}), has: []string{`"arguments":"{\"a\":"`, `"finish_reason":"length"`}},
		{name: "T038 several texts", stream: join(textBlock("0", "one "), textBlock("1", "sentence"), []string{stopText, end}), order: []string{`"content":"one "`, `"content":"sentence"`, `"finish_reason":"stop"`}},
		{name: "T057, T059 thinking is a string, its signature apart and after it", stream: join(thinkingBlock("0", "hm"), textBlock("1", "so"), []string{stopText, end}), order: []string{`"reasoning_content":"hm"`, `"type":"understudy.thinking","issuer":"anthropic-messages","text":"hm","signature":"c2ln"`, `"content":"so"`}},
		{name: "T060 think, answer, think", stream: join(thinkingBlock("0", "a"), textBlock("1", "b"), thinkingBlock("2", "c"), textBlock("3", "d"), []string{stopText, end}), order: []string{`"reasoning_content":"a"`, `"content":"b"`, `"reasoning_content":"c"`, `"content":"d"`}},
		{name: "T088 every chunk is whole", stream: join(textBlock("0", "so"), []string{stopText, end}), has: []string{`"object":"chat.completion.chunk"`, `"created":1767225600`, `"model":"m"`, `"choices":[]`}, not: []string{`"choices":null`, `"cached_tokens":null`}},
		{name: "T150 a refusal", stream: join([]string{`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":"bio","explanation":"It asks for a weapon."}},"usage":{"output_tokens":2}}`, end}), has: []string{`"finish_reason":"content_filter"`, `"refusal":"It asks for a weapon."`}},
		{name: "T152 a pause", stream: join(textBlock("0", "so"), []string{strings.Replace(stopText, "end_turn", "pause_turn", 1), end}), has: []string{`"finish_reason":"stop"`}},
		{name: "T152 a full window", stream: join(textBlock("0", "so"), []string{strings.Replace(stopText, "end_turn", "model_context_window_exceeded", 1), end}), has: []string{`"finish_reason":"length"`}},
		{name: "T155 usage is cumulative", stream: join(textBlock("0", "so"), []string{strings.Replace(stopText, `{"output_tokens":8}`, `{"input_tokens":12,"output_tokens":8}`, 1), end}), has: []string{`"prompt_tokens":15`, `"completion_tokens":8`, `"total_tokens":23`}},
		{name: "T161 zero is a number", stream: join(textBlock("0", "so"), []string{strings.Replace(stopText, `{"output_tokens":8}`, `{"cache_read_input_tokens":0,"output_tokens":0}`, 1), end}), has: []string{`"prompt_tokens":10`, `"completion_tokens":0`}},
		{name: "A02, A04 an error ends without the terminator", stream: join(textBlock("0", "so"), []string{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}), has: []string{`"error":{`}, not: []string{"[DONE]", `"finish_reason":"stop"`}},
		{name: "A04 a stream that breaks off", stream: join([]string{`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"so"}}`}), has: []string{`"error":{`}, not: []string{"[DONE]", `"finish_reason":"stop"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := crossStream(anthropic.New(), openaichat.New(), strings.NewReader(c.stream))
			contains(t, got, c.has, c.not)
			inOrder(t, got, c.order)
			spelled(t, anthropic.New(), openaichat.New(), c.stream, got)
		})
	}
}

// inOrder asserts that the words stand in got one after the other.
func inOrder(t *testing.T, got string, words []string) {
	t.Helper()
	rest := got
	for _, word := range words {
		_, after, ok := strings.Cut(rest, word)
		if !ok {
			t.Errorf("got\n%s\nwant %s in it, after what stands before it", got, word)
			return
		}
		rest = after
	}
}

// spelled asserts T078 to T080: the same stream without spaces, with other line ends, or in single bytes is the
// same to the client.
func spelled(t *testing.T, from, to *dialect.Dialect, stream, want string) {
	t.Helper()
	for name, r := range map[string]io.Reader{
		"T078 no space after the colon": strings.NewReader(strings.ReplaceAll(stream, "\ndata: ", "\ndata:")),
		"T079 single bytes":             iotest.OneByteReader(strings.NewReader(stream)),
		"CRLF":                          strings.NewReader(strings.ReplaceAll(stream, "\n", "\r\n")),
	} {
		if got, _ := crossStream(from, to, r); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestT080CharactersSplitBetweenReads(t *testing.T) {
	const said = "狐狸 🦊 — ça va"
	for name, c := range map[string]struct {
		from, to *dialect.Dialect
		stream   string
	}{
		"to chat":     {anthropic.New(), openaichat.New(), join(textBlock("0", said), []string{stopText, end})},
		"to messages": {openaichat.New(), anthropic.New(), chunks(`{"role":"assistant","content":"`+said+`"}`, "stop")},
	} {
		got, err := crossStream(c.from, c.to, iotest.OneByteReader(strings.NewReader(c.stream)))
		if err != nil || !strings.Contains(got, said) {
			t.Errorf("%s: got %v\n%s\nwant %s in it", name, err, got, said)
		}
	}
}

func TestChatStreamsToMessages(t *testing.T) {
	call := func(index, id, args string) string {
		if id != "" {
			id = `"id":"` + id + `","type":"function",`
		}
		name := ""
		if id != "" {
			name = `"name":"get",`
		}
		return `{"index":` + index + `,` + id + `"function":{` + name + `"arguments":"` + args + `"}}`
	}
	calls := func(list ...string) string { return `{"tool_calls":[` + strings.Join(list, ",") + `]}` }
	for _, c := range []struct {
		name, stream string
		has, not     []string
		shape        string // the events, without message_start, message_delta and message_stop
	}{
		{
			name:   "T003, A36 interleaved calls",
			stream: chunks(calls(call("0", "a", "{")), calls(call("1", "b", "[")), calls(call("0", "", "}")), calls(call("1", "", "]")), "tool_calls"),
			shape:  "start:tool_use delta delta stop start:tool_use delta delta stop", has: []string{`"id":"toolu_a"`, `"id":"toolu_b"`, `"stop_reason":"tool_use"`},
		},
		{
			name:   "T004 calls alone, one without arguments",
			stream: chunks(calls(call("0", "a", "")), calls(call("1", "b", `{}`)), "tool_calls"),
			has:    []string{`"index":0,"content_block":{"type":"tool_use"`, `"index":1,"content_block":{"type":"tool_use"`, `"stop_reason":"tool_use"`}, not: []string{`"type":"text"`},
		},
		{
			name:   "T005 text and a call in one chunk",
			stream: chunks(`{"role":"assistant","content":"so","tool_calls":[`+call("0", "a", "{}")+`]}`, "tool_calls"),
			shape:  "start:text delta stop start:tool_use delta stop", has: []string{`"text":"so"`, `"name":"get"`},
		},
		{
			name:   "T006 empty texts between fragments",
			stream: chunks(`{"role":"assistant","content":""}`, calls(call("0", "a", "{")), `{"content":""}`, calls(call("0", "", "}")), "tool_calls"),
			shape:  "start:tool_use delta delta stop",
		},
		{
			name:   "T056, T061 reasoning in an answer",
			stream: chunks(`{"role":"assistant","reasoning_content":"h"}`, `{"reasoning_content":"m"}`, `{"content":"so"}`, "stop"),
			shape:  "start:thinking delta delta delta stop start:text delta stop", has: []string{`"thinking_delta","thinking":"h"`, `"signature_delta","signature":"understudy.v1.`},
		},
		{name: "T047 ids of other vendors", stream: chunks(calls(call("0", "chatcmpl-tool-1", "{}")), "tool_calls"), has: []string{`"id":"toolu_chatcmpl-tool-1"`}},
		{name: "T151, A44 content_filter", stream: chunks(`{"content":"so"}`, "content_filter"), has: []string{`"stop_reason":"refusal"`}},
		{name: "T154 a reason nobody knows", stream: chunks(`{"content":"so"}`, "dreamt"), has: []string{`"stop_reason":"end_turn"`, "event: message_stop"}},
		{
			name: "T156 cached tokens are taken out",
			stream: strings.Replace(chunks(`{"content":"so"}`, "stop"), "data: [DONE]",
				`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":15}}}`+"\n\ndata: [DONE]", 1),
			has: []string{`"input_tokens":5`, `"cache_read_input_tokens":15`, `"output_tokens":9`},
		},
		{name: "A04 a stream that breaks off", stream: strings.Replace(chunks(`{"content":"so"}`), "data: [DONE]\n\n", "", 1), has: []string{"event: error"}, not: []string{"message_stop", `"stop_reason":"end_turn"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := crossStream(openaichat.New(), anthropic.New(), strings.NewReader(c.stream))
			contains(t, got, c.has, c.not)
			if n := strings.Count(got, "event: message_start\n"); n != 1 {
				t.Errorf("got %d message_start want one\n%s", n, got)
			}
			if s := shapeOf(got); c.shape != "" && s != "message_start "+c.shape+" message_delta message_stop" {
				t.Errorf("got  %s\nwant message_start %s message_delta message_stop\n%s", s, c.shape, got)
			}
			spelled(t, openaichat.New(), anthropic.New(), c.stream, got)
		})
	}
}

// shapeOf is a stream of Messages in short.
func shapeOf(stream string) string {
	var words []string
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		event := jsontext.Value(strings.TrimSpace(data))
		kind, _ := event.Get("type").Text()
		word := strings.TrimPrefix(kind, "content_block_")
		if block, _ := event.Get("content_block", "type").Text(); block != "" {
			word += ":" + block
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestMessagesAnswersToChat(t *testing.T) {
	contains(t, crossAnswer(t, anthropic.New(), openaichat.New(), unaryTool), []string{
		`"content":"so"`, `"id":"toolu_1"`, `"arguments":"{}"`, `"finish_reason":"tool_calls"`, // T007, T013
		`"prompt_tokens":18`, `"cached_tokens":3`, `"cache_write_tokens":5`, `"completion_tokens":8`, `"reasoning_tokens":2`, `"total_tokens":26`, // T157
	}, []string{"tool_use"})
	thought := strings.Replace(unaryTool, `{"type":"text","text":"so"}`, `{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"one "},{"type":"text","text":"sentence"}`, 1)
	contains(t, crossAnswer(t, anthropic.New(), openaichat.New(), thought), []string{
		`"content":"one sentence"`, `"reasoning_content":"hm"`, `"signature":"c2ln"`, // T038, T057
	}, nil)
	refused := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"No weapons."},"usage":{"input_tokens":1,"output_tokens":1}}`
	contains(t, crossAnswer(t, anthropic.New(), openaichat.New(), refused), []string{`"finish_reason":"content_filter"`, `"refusal":"No weapons."`}, nil) // T150
}

func TestChatAnswersToMessages(t *testing.T) {
	answer := func(message, reason string) string {
		return `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":` + message + `,"finish_reason":"` + reason + `"}],` +
			`"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":15}}}`
	}
	got := crossAnswer(t, openaichat.New(), anthropic.New(), answer(`{"role":"assistant","content":"so","reasoning_content":"hm","tool_calls":[`+
		`{"id":"call_1","type":"function","function":{"name":"get","arguments":"{\"n\":12345678901234567890}"}},`+
		`{"id":"call_2","type":"function","function":{"name":"get","arguments":""}}]}`, "tool_calls"))
	contains(t, got, []string{
		`"type":"thinking","thinking":"hm","signature":"understudy.v1.`, // T056
		`"text":"so"`, `"id":"toolu_call_1"`, `"input":{"n":12345678901234567890}`, `"id":"toolu_call_2"`, `"input":{}`, `"stop_reason":"tool_use"`, // T014
		`"input_tokens":5`, `"cache_read_input_tokens":15`, `"output_tokens":9`, // T156
	}, nil)
	got = crossAnswer(t, openaichat.New(), anthropic.New(), answer(`{"role":"assistant","content":"so"}`, "content_filter"))
	contains(t, got, []string{`"stop_reason":"refusal"`, `"text":"so"`}, nil) // T151
	got = crossAnswer(t, openaichat.New(), anthropic.New(), answer(`{"role":"assistant","content":null,"refusal":"No."}`, "stop"))
	contains(t, got, []string{`"stop_reason":"refusal"`, `"text":"No."`}, nil) // A45
}

// TestACallCountsMoreThanTheWord reads answers with a call for the client to run that end for a reason which is none: a
// client told only that reason would not run it.
func TestACallCountsMoreThanTheWord(t *testing.T) {
	for _, tc := range []struct {
		from  *dialect.Dialect
		body  string // with a hole for the word
		words []string
	}{
		{openaichat.New(), `{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"@"}]}`, []string{"stop", "stop_sequence", "brand_new"}},
		{anthropic.New(), `{"type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"c","name":"f","input":{}}],"stop_reason":"@"}`, []string{"end_turn", "stop_sequence", "brand_new"}},
		{bedrock.New(), `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"f","input":{}}}]}},"stopReason":"@"}`, []string{"end_turn", "stop_sequence", "brand_new"}},
		{bedrock.New(), `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"c","name":"f","input":{},"type":"tool_use"}}]}},"stopReason":"@"}`, []string{"tool_use"}},
		{gemini.New(), `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"@"}]}`, []string{"STOP", "OTHER", "BRAND_NEW"}},
		{cohere.New(), `{"message":{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"@"}`, []string{"COMPLETE", "STOP_SEQUENCE", "BRAND_NEW"}},
		{ollama.New(), `{"model":"m","message":{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":true,"done_reason":"@"}`, []string{"stop", "brand_new"}},
	} {
		for _, word := range tc.words {
			body := strings.ReplaceAll(tc.body, "@", word)
			if got := crossAnswer(t, tc.from, openaichat.New(), body); !strings.Contains(got, `"name":"f"`) || !strings.Contains(got, `"finish_reason":"tool_calls"`) {
				t.Errorf("%s, %s: got %s want the call and tool_calls", tc.from.Name, word, got)
			}
		}
	}
}

// TestTheWordForCallsNeedsOne reads answers that are said to end for a call and hold none: a client would wait for it.
func TestTheWordForCallsNeedsOne(t *testing.T) {
	for _, tc := range []struct {
		from *dialect.Dialect
		body string
	}{
		{openaichat.New(), `{"choices":[{"message":{"content":"a"},"finish_reason":"tool_calls"}]}`},
		{anthropic.New(), `{"type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a"}],"stop_reason":"tool_use"}`},
		{bedrock.New(), `{"output":{"message":{"role":"assistant","content":[{"text":"a"}]}},"stopReason":"tool_use"}`},
		{cohere.New(), `{"message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"finish_reason":"TOOL_CALL"}`},
	} {
		if got := crossAnswer(t, tc.from, openaichat.New(), tc.body); !strings.Contains(got, `"finish_reason":"stop"`) {
			t.Errorf("%s: got %s want stop", tc.from.Name, got)
		}
	}
}

// TestToolLoops goes through a tool loop of a client on the other dialect's provider: what the answer said is in
// the next request again, as the provider wrote it.
func TestToolLoops(t *testing.T) {
	t.Run("T051, A25 a chat client with signed thinking", func(t *testing.T) {
		answer := strings.Replace(unaryTool, `{"type":"text","text":"so"}`,
			`{"type":"thinking","thinking":"hm \u2028 <&>","signature":"c2ln"},{"type":"redacted_thinking","data":"c2VhbGVk"},{"type":"text","text":"so"}`, 1)
		shown := jsontext.Value(crossAnswer(t, anthropic.New(), openaichat.New(), answer))
		said := messageOf(t, shown)
		enc, _, err := crossRequest(openaichat.New(), anthropic.New(), chat(hi+","+string(said)+","+chatResult("toolu_1", "1"), `"tools":[`+chatTool+`]`), llm.ModelFacts{})
		if err != nil {
			t.Fatal(err)
		}
		sent := contentOf(t, enc.Body, 1)
		if want := jsontext.Value(answer).Get("content"); !jsontext.Equal(sent, want) {
			t.Errorf("got %s want %s", sent, want)
		}
	})
	t.Run("T047, T067 a messages client with thinking nobody signed", func(t *testing.T) {
		answer := `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"so","reasoning_content":"hm",` +
			`"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`
		content := jsontext.Value(crossAnswer(t, openaichat.New(), anthropic.New(), answer)).Get("content")
		body := message(hi+`,{"role":"assistant","content":`+string(content)+`},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_call_1","content":"1"}]}`, `"tools":[`+msgTool+`]`)
		enc, _, err := crossRequest(anthropic.New(), openaichat.New(), body, llm.ModelFacts{})
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(enc.Body), []string{`"id":"toolu_call_1"`, `"tool_call_id":"toolu_call_1"`, `"arguments":"{\"a\":1}"`}, []string{"understudy", "hm"})
		stripped, losses, err := anthropic.New().Relay.Strip([]byte(body))
		if err != nil || len(losses) != 1 || bytes.Contains(stripped, []byte("understudy")) || !bytes.Contains(stripped, []byte("toolu_call_1")) {
			t.Errorf("Strip: got %s (%v, %v), want the thinking gone and the call there", stripped, losses, err)
		}
		if enc, _, err = crossRequest(anthropic.New(), anthropic.New(), body, llm.ModelFacts{}); err != nil {
			t.Fatal(err)
		}
		contains(t, string(enc.Body), []string{`"toolu_call_1"`}, []string{"understudy", "hm"})
	})
	t.Run("T003 to T015 a stream says what the whole answer says", func(t *testing.T) {
		stream := join(thinkingBlock("0", "hm"), textBlock("1", "so"), toolBlock("2", "toolu_1", `{\"a\":1}`), []string{stopTool, end})
		reader := anthropic.New().Provider.NewStreamReader()
		var all []llm.Event
		frames := sse.NewReader(strings.NewReader(stream), 0)
		for {
			frame, err := frames.Next()
			if err != nil {
				break
			}
			if all, err = reader.Read(all, dialect.Frame{Event: frame.Name, Data: bytes.Clone(frame.Data)}); err != nil {
				t.Fatal(err)
			}
		}
		whole, _, err := openaichat.New().Client.EncodeResponse(llm.Collect(all))
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(whole), []string{`"content":"so"`, `"reasoning_content":"hm"`, `"arguments":"{\"a\":1}"`, `"finish_reason":"tool_calls"`}, nil)
	})
}

// messageOf is the message of a whole answer of Chat Completions.
func messageOf(t *testing.T, answer jsontext.Value) jsontext.Value {
	t.Helper()
	var message jsontext.Value
	err := answer.Get("choices").Array(func(_ int, choice jsontext.Value) error {
		message = choice.Get("message")
		return nil
	})
	if err != nil || message == nil {
		t.Fatalf("got no message in %s (%v)", answer, err)
	}
	return message
}

// contentOf is the content of one message of a request.
func contentOf(t *testing.T, body jsontext.Value, at int) jsontext.Value {
	t.Helper()
	var content jsontext.Value
	err := body.Get("messages").Array(func(i int, m jsontext.Value) error {
		if i == at {
			content = m.Get("content")
		}
		return nil
	})
	if err != nil || content == nil {
		t.Fatalf("got no message %d in %s (%v)", at, body, err)
	}
	return content
}
