package dialect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/llm"
)

// wireFact is something that a vendor really sends, beyond its documentation, and what is read in it: the parts, why it
// stopped, and the tokens; or the class of error. Name begins with the place in the list of such facts.
type wireFact struct{ name, sent, want string }

// TestWireFactsOfStreams reads streams as vendors send them. Those of Bedrock are a line an event: its name and data.
func TestWireFactsOfStreams(t *testing.T) {
	t.Parallel()
	for _, group := range []struct {
		d     *dialect.Dialect
		facts []wireFact
	}{
		{openaichat.New(), chatFacts()},
		{openairesponses.New(), responsesFacts()},
		{anthropic.New(), messagesFacts()},
		{gemini.New(), geminiFacts()},
		{bedrock.New(), converseFacts()},
		{cohere.New(), cohereFacts()},
	} {
		for _, f := range group.facts {
			t.Run(f.name, func(t *testing.T) {
				got := saidIn(t, group.d, f.sent)
				if got != f.want {
					t.Errorf("of %s\ngot  %s\nwant %s", f.sent, got, f.want)
				}
			})
		}
	}
}

// saidIn reads a stream and says in short what was in it.
func saidIn(t *testing.T, d *dialect.Dialect, stream string) string {
	t.Helper()
	var list []dialect.Frame
	if d.Name == dialect.BedrockConverse {
		for line := range strings.Lines(stream) {
			event, data, _ := strings.Cut(strings.TrimSpace(line), " ")
			list = append(list, dialect.Frame{Event: event, Data: []byte(data), Exception: strings.HasSuffix(event, "Exception")})
		}
	} else {
		list = dialecttest.Frames(t, []byte(stream))
	}
	read, closed, err := dialecttest.ReadStream(d.Provider.NewStreamReader(), list)
	var e *llm.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	events := slices.Concat(read, closed)
	if err := dialecttest.CheckEvents(events); err != nil {
		t.Error(err)
	}
	return inShort(llm.Collect(events))
}

// inShort is what an answer's first choice says, why it ended and what it cost.
func inShort(r *llm.Response) string {
	var list []string
	for _, p := range r.Choices[0].Parts {
		s := p.Kind.String() + " " + p.Text
		if p.Call != nil {
			s = "call " + p.Call.Name + p.Call.Args
		}
		list = append(list, strings.TrimSpace(s))
	}
	s := strings.Join(list, ", ") + "; " + string(r.Choices[0].Stop.Reason)
	if r.Usage.Known {
		s += fmt.Sprintf("; %d+%d", r.Usage.Input(), r.Usage.Output())
		if r.Usage.InCacheRead > 0 {
			s += fmt.Sprintf(" cached %d", r.Usage.InCacheRead)
		}
	}
	return s
}

// eventsOf frames data as events without names.
func eventsOf(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		b.WriteString("data: " + d + "\n\n")
	}
	return b.String()
}

func chatFacts() []wireFact {
	piece := func(delta, finish, more string) string {
		return `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]` + more + `}`
	}
	const usage = `,"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}`
	a, stop, done := piece(`{"content":"a"}`, "null", ""), piece(`{}`, `"stop"`, ""), "[DONE]"
	call := func(calls string) string { return piece(`{"tool_calls":[`+calls+`]}`, "null", "") }
	return []wireFact{
		{"chat 1, no [DONE]", eventsOf(a, stop), "text a; stop"},
		{"chat 1, an error ends it", eventsOf(a, `{"error":{"message":"x","type":"server_error"}}`), "server_error"},
		{"chat 2, CRLF, message beside delta, citations in each", strings.ReplaceAll(eventsOf(
			`{"id":"c","model":"sonar","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"delta":{"role":"assistant","content":"a"},"finish_reason":null}],"citations":["https://a.test"],"search_results":[{"title":"A","url":"https://a.test"}]`+usage+`}`,
			`{"id":"c","model":"sonar","choices":[{"index":0,"message":{"role":"assistant","content":"ab"},"delta":{"content":"b"},"finish_reason":"stop"}],"citations":["https://a.test"],"search_results":[{"title":"A","url":"https://a.test"}]`+usage+`}`,
		), "\n", "\r\n"), "text ab; stop; 5+2"},
		{"chat 3, comments first", ": OPENROUTER PROCESSING\n\n: PROCESSING\n\n" + eventsOf(a, stop, done), "text a; stop"},
		{"chat 4, an error with a detail", eventsOf(`{"error":"oh no","detail":"internal"}`), "server_error"},
		{"chat 4, an error with a status", eventsOf(a, `{"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider returned error"}}`), "unreachable"},
		{"chat 4, nothing but an error", eventsOf(`{"error":{"code":429,"message":"slow"}}`), "rate_limit"},
		{"chat 4, an event that is an error", eventsOf(a) + "event: error\ndata: {\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"failed_generation\":\"<f>\",\"status_code\":400}}\n\n", "bad_answer"},
		{"chat 4, Azure's filter", eventsOf(a, piece(`{}`, `"content_filter"`, ""), done), "text a; content_filter"},
		{"chat 5, Azure's first chunk, no delta, the filter later", eventsOf(
			`{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`, a,
			`{"choices":[{"content_filter_offsets":{"check_offset":1,"start_offset":1,"end_offset":2},"content_filter_results":{},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}`,
			stop, done), "text a; stop"},
		{"chat 5, tool_call in the singular", eventsOf(call(`{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}`), piece(`{}`, `"tool_call"`, ""), done), "call f{}; tool_calls"},
		{"chat 6, no choices, padding, moderation", eventsOf(
			`{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","obfuscation":"xYz"}`, piece(`{"content":"a"}`, "null", `,"obfuscation":"aB"`),
			piece(`{}`, `"stop"`, `,"p":"abcdefgh"`), `{"id":"c","choices":[],"moderation":{"flagged":false}}`, done), "text a; stop"},
		{"chat 7, usage without choices", eventsOf(a, stop, `{"id":"c","choices":[]`+usage+`}`, done), "text a; stop; 5+2"},
		{"chat 7, usage in the last choice", eventsOf(a, piece(`{}`, `"stop"`, usage), done), "text a; stop; 5+2"},
		{"chat 7, usage in every chunk", eventsOf(piece(`{"content":"a"}`, "null", `,"usage":{"prompt_tokens":5,"completion_tokens":1}`), piece(`{}`, `"stop"`, usage), done), "text a; stop; 5+2"},
		{"chat 7, usage in x_groq", eventsOf(a, piece(`{}`, `"stop"`, `,"x_groq":{"id":"r","usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`), done), "text a; stop; 5+2"},
		{"chat 8, no index", eventsOf(call(`{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}`), stop, done), "call f{}; tool_calls"},
		{"chat 8, no id and finish stop", eventsOf(call(`{"index":0,"id":"","type":"function","function":{"name":"f","arguments":"{}"}}`), stop, done), "call f{}; tool_calls"},
		{"chat 8, all at index 0", eventsOf(call(`{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}`), call(`{"index":0,"id":"y","type":"function","function":{"name":"g","arguments":"{}"}}`), piece(`{}`, `"tool_calls"`, ""), done), "call f{}, call g{}; tool_calls"},
		{"chat 8, the id in each chunk", eventsOf(call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`), call(`{"index":0,"id":"x","function":{"name":"f","arguments":"}"}}`), piece(`{}`, `"tool_calls"`, ""), done), "call f{}; tool_calls"},
		{"chat 8, the id empty later", eventsOf(call(`{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}`), call(`{"index":0,"id":"","function":{"arguments":"}"}}`), piece(`{}`, `"tool_calls"`, ""), done), "call f{}; tool_calls"},
		{"chat 8, arguments null", eventsOf(call(`{"index":0,"id":"x","function":{"name":"f","arguments":null}}`), piece(`{}`, `"tool_calls"`, ""), done), "call f; tool_calls"},
		{"chat 8, arguments empty where it was cut", eventsOf(call(`{"index":0,"id":"x","function":{"name":"f","arguments":""}}`), piece(`{}`, `"length"`, ""), done), "call f; length"},
		{"chat 9, content as a list", eventsOf(piece(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}`, "null", ""), piece(`{"content":"a"}`, `"stop"`, ""), done), "thinking hm, text a; stop"},
		{"chat 9, content as an object", eventsOf(piece(`{"content":{"a":1}}`, `"stop"`, ""), done), `text {"a":1}; stop`},
		{"chat 9, finish and id empty", eventsOf(`{"id":"","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}`, stop, done), "text a; stop"},
		{"chat 9, eos", eventsOf(a, piece(`{}`, `"eos"`, ""), done), "text a; stop"},
		{"chat 9, end_turn", eventsOf(a, `{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"end_turn","native_finish_reason":"end_turn"}]}`, done), "text a; stop"},
		{"chat 10, reasoning_content", eventsOf(piece(`{"role":"assistant","reasoning_content":"hm"}`, "null", ""), piece(`{"role":"assistant","content":"a"}`, `"stop"`, ""), done), "thinking hm, text a; stop"},
		{"chat 10, reasoning in a channel", eventsOf(piece(`{"reasoning":"hm","channel":"analysis"}`, "null", ""), piece(`{"content":"a"}`, `"stop"`, ""), done), "thinking hm, text a; stop"},
		{"chat 10, reasoning_details", eventsOf(piece(`{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}`, "null", ""), piece(`{"content":"a"}`, `"stop"`, ""), done), "thinking hm, text a; stop"},
		{"chat 10, reasoning_encrypted beside it", eventsOf(piece(`{"reasoning":"hm","reasoning_encrypted":"abc"}`, "null", ""), piece(`{"content":"a"}`, `"stop"`, ""), done), "thinking hm, text a; stop"},
		{"chat 10, what the cache had", eventsOf(a, piece(`{}`, `"stop"`, `,"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":1}`), done), "text a; stop; 5+2 cached 4"},
	}
}

func responsesFacts() []wireFact {
	event := func(kind, more string) string { return `{"type":"` + kind + `","sequence_number":1` + more + `}` }
	const message = `{"id":"m","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a","annotations":[]}]}`
	response := func(status, output string) string {
		return `,"response":{"id":"r","object":"response","created_at":1,"model":"m","status":"` + status + `","output":[` + output + `],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}`
	}
	item := func(kind, more string) string { return event(kind, `,"output_index":0,"item_id":"m"`+more) }
	text := []string{
		item("response.output_item.added", `,"item":{"id":"m","type":"message","role":"assistant","status":"in_progress","content":[]}`),
		item("response.content_part.added", `,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}`),
		item("response.output_text.delta", `,"content_index":0,"delta":"a"`),
		item("response.output_text.done", `,"content_index":0,"text":"a"`),
		item("response.output_item.done", `,"item":`+message),
	}
	end := event("response.completed", response("completed", message))
	return []wireFact{
		{"responses, queued first, signs of life", eventsOf(slices.Concat([]string{event("response.queued", response("queued", "")), `{"type":"keepalive","sequence_number":3}`, event("response.created", response("in_progress", ""))}, text, []string{end})...), "text a; stop; 5+2"},
		{"responses, no names of events and [DONE]", eventsOf(slices.Concat([]string{event("response.created", response("in_progress", ""))}, text, []string{end, "[DONE]"})...), "text a; stop; 5+2"},
		{"responses, reasoning in the open", eventsOf(slices.Concat([]string{
			item("response.output_item.added", `,"item":{"id":"m","type":"reasoning","summary":[]}`),
			item("response.reasoning_text.delta", `,"content_index":0,"delta":"hm"`), item("response.reasoning_text.done", `,"content_index":0,"text":"hm"`),
			item("response.output_item.done", `,"item":{"id":"m","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}`),
		},
			[]string{event("response.completed", response("completed", `{"id":"m","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]}`))})...), "thinking hm; stop; 5+2"},
		{"responses, a refusal", eventsOf(
			item("response.output_item.added", `,"item":{"id":"m","type":"message","role":"assistant","status":"in_progress","content":[]}`),
			item("response.refusal.delta", `,"content_index":0,"delta":"no"`), item("response.refusal.done", `,"content_index":0,"refusal":"no"`),
			event("response.completed", response("completed", `{"id":"m","type":"message","role":"assistant","status":"completed","content":[{"type":"refusal","refusal":"no"}]}`))), "refusal no; refusal; 5+2"},
		{"responses, tools of the vendor's", eventsOf(slices.Concat([]string{
			event("response.output_item.added", `,"output_index":0,"item":{"id":"w","type":"mcp_call","name":"f","arguments":"","server_label":"s"}`),
			event("response.mcp_call_arguments.delta", `,"output_index":0,"item_id":"w","delta":"{}"`), event("response.mcp_call.completed", `,"output_index":0,"item_id":"w"`),
			event("response.code_interpreter_call_code.delta", `,"output_index":0,"item_id":"w","delta":"1"`),
		}, text, []string{end})...), "text a; stop; 5+2"},
		{"responses, a custom tool's input", eventsOf(
			event("response.output_item.added", `,"output_index":0,"item":{"id":"m","type":"custom_tool_call","call_id":"x","name":"f","input":""}`),
			item("response.custom_tool_call_input.delta", `,"delta":"go"`), item("response.custom_tool_call_input.done", `,"input":"go"`),
			event("response.completed", response("completed", `{"id":"m","type":"custom_tool_call","call_id":"x","name":"f","input":"go"}`))), "call custom:f{\"input\":\"go\"}; tool_calls; 5+2"},
	}
}

func messagesFacts() []wireFact {
	event := func(kind, more string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + more + "}   \n\n" // spaces behind the data, as the vendor sends them
	}
	start := event("message_start", `,"message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}`)
	ping := event("ping", "")
	text := event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`) + ping + event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"a"}`) + event("content_block_stop", `,"index":0`)
	end := func(reason, more string) string {
		return event("message_delta", `,"delta":{"stop_reason":"`+reason+`","stop_sequence":null`+more+`},"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2,"output_tokens_details":{"thinking_tokens":1},"iterations":[{"type":"message"}]}`) + event("message_stop", "")
	}
	blocks := func(list ...string) (s string) {
		for i, b := range list {
			at := fmt.Sprintf(`,"index":%d`, i+1)
			s += event("content_block_start", at+`,"content_block":`+b) + event("content_block_stop", at)
		}
		return s
	}
	return []wireFact{
		{"anthropic, pings anywhere, usage that repeats the input", ping + start + ping + text + ping + end("end_turn", ""), "text a; stop; 5+2"},
		{"anthropic, pause_turn", start + text + end("pause_turn", ""), "text a; pause; 5+2"},
		{"anthropic, a refusal without content", start + end("refusal", `,"stop_details":{"type":"refusal","category":"cyber"}`), "; refusal; 5+2"},
		{"anthropic, blocks beyond the documentation", start + text + blocks(`{"type":"compaction","content":"s"}`, `{"type":"fallback","from":"x"}`,
			`{"type":"advisor_tool_result","tool_use_id":"t","content":[]}`, `{"type":"container_upload","file_id":"f"}`, `{"type":"tool_addition"}`) + end("end_turn", ""), "text a, opaque s, opaque [Another model continued this answer.], opaque [advisor_tool_result: []], opaque, opaque; stop; 5+2"},
	}
}

func geminiFacts() []wireFact {
	chunk := func(candidate, more string) string {
		return `{"candidates":[{` + candidate + `}],"modelVersion":"m","usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}` + more + `}`
	}
	const a = `"content":{"role":"model","parts":[{"text":"a"}]}`
	return []wireFact{
		{"gemini, no content, no parts, usage in every chunk", eventsOf(chunk(a, ""), chunk(`"index":0`, ""), chunk(`"content":{"role":"model"}`, ""), chunk(`"content":{},"finishReason":"STOP"`, "")), "text a; stop; 5+2"},
		{"gemini, reasons as numbers", eventsOf(chunk(a+`,"finishReason":1`, "")), "text a; stop; 5+2"},
		{"gemini, an empty text with a signature", eventsOf(chunk(a, ""), chunk(`"content":{"role":"model","parts":[{"text":"","thoughtSignature":"c2ln"}]},"finishReason":"STOP"`, "")), "text a, thinking; stop; 5+2"},
		{"gemini, a prompt that was blocked", eventsOf(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"m"}`), "; content_filter; 5+0"},
		{"gemini, UNEXPECTED_TOOL_CALL", eventsOf(chunk(`"content":{},"finishReason":"UNEXPECTED_TOOL_CALL"`, "")), "; malformed; 5+2"},
		{"gemini, MALFORMED_FUNCTION_CALL", eventsOf(chunk(`"content":{},"finishReason":"MALFORMED_FUNCTION_CALL"`, "")), "; malformed; 5+2"},
		{"gemini, NO_IMAGE", eventsOf(chunk(a+`,"finishReason":"NO_IMAGE"`, "")), "text a; other; 5+2"},
		{"gemini, MODEL_ARMOR", eventsOf(chunk(a+`,"finishReason":"MODEL_ARMOR"`, "")), "text a; content_filter; 5+2"},
		{"gemini, a call without an id", eventsOf(chunk(`"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"`, "")), "call f{}; tool_calls; 5+2"},
		{"gemini, tools of the vendor's", eventsOf(chunk(`"content":{"role":"model","parts":[{"toolCall":{"id":"1","toolType":"X"}},{"toolResponse":{"id":"1"}},{"text":"a"}]},"finishReason":"STOP"`, "")), "opaque [X ], opaque [: ], text a; stop; 5+2"},
		{"gemini, an error in a stream", eventsOf(chunk(a, "")) + "data: {\"error\":{\"code\":503,\"message\":\"x\",\"status\":\"UNAVAILABLE\"}}\n\n", "overloaded"},
		{"gemini, an error that is no event", eventsOf(chunk(a, "")) + `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}` + "\n\n", "overloaded"},
	}
}

func converseFacts() []wireFact {
	const start = "messageStart {\"p\":\"abc\",\"role\":\"assistant\"}\n"
	const end = "messageStop {\"p\":\"ab\",\"stopReason\":\"end_turn\"}\nmetadata {\"metrics\":{\"latencyMs\":1},\"p\":\"a\",\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":7,\"cacheReadInputTokens\":4,\"cacheReadInputTokenCount\":4}}\n"
	text := func(i, s string) string {
		return `contentBlockDelta {"contentBlockIndex":` + i + `,"delta":{"text":"` + s + `"},"p":"abcdef"}` + "\n"
	}
	const stopped = "contentBlockStop {\"contentBlockIndex\":0,\"p\":\"abc\"}\n"
	return []wireFact{
		{"bedrock, padding, no starts of blocks, usage named twice", start + text("0", "a") + stopped + end, "text a; stop; 5+2 cached 4"},
		{"bedrock, a stop after every delta", start + text("0", "a") + stopped + text("0", "b") + stopped + end, "text a, text b; stop; 5+2 cached 4"},
		{"bedrock, an exception in mid-stream", start + text("0", "a") + `modelStreamErrorException {"message":"x","originalStatusCode":424}` + "\n", "server_error"},
		{"bedrock, tools of the vendor's", start + `contentBlockStart {"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"search","type":"server_tool_use"}}}` + "\n" + stopped +
			`contentBlockStart {"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"t","status":"success","type":"x"}}}` + "\n" + `contentBlockStop {"contentBlockIndex":1}` + "\n" + text("2", "a") + `contentBlockStop {"contentBlockIndex":2}` + "\n" + end, "opaque [search ], opaque [result: ], text a; stop; 5+2 cached 4"},
	}
}

func cohereFacts() []wireFact {
	event := func(kind, more string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + more + "}\n\n"
	}
	start := event("message-start", `,"id":"c","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`)
	text := event("content-start", `,"index":0,"delta":{"message":{"content":{"type":"text","text":""}}}`) + event("content-delta", `,"index":0,"delta":{"message":{"content":{"text":"a"}}}`) + event("content-end", `,"index":0`)
	end := func(reason, more string) string {
		return event("message-end", `,"delta":{"finish_reason":"`+reason+`"`+more+`}`) + "data: [DONE]\n\n"
	}
	const usage = `,"usage":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":5,"output_tokens":2}}`
	return []wireFact{
		{"cohere, [DONE] without a name", start + text + end("COMPLETE", usage), "text a; stop; 5+2"},
		{"cohere, calls are an object, after a plan", start + event("tool-plan-delta", `,"delta":{"message":{"tool_plan":"hm"}}`) +
			event("tool-call-start", `,"index":0,"delta":{"message":{"tool_calls":{"id":"x","type":"function","function":{"name":"f","arguments":""}}}}`) +
			event("tool-call-delta", `,"index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}`) + event("tool-call-end", `,"index":0`) + end("TOOL_CALL", usage), "text hm, call f{}; tool_calls; 5+2"},
		{"cohere, an error for a reason", start + end("ERROR", `,"error":"model failed","usage":{}`), "server_error"},
	}
}

// TestWireFactsOfErrors reads bodies of errors as vendors send them.
func TestWireFactsOfErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		d      *dialect.Dialect
		status int
		body   string
		want   llm.Code
	}{
		{"anthropic, no request id", anthropic.New(), 529, `{"type":"error","error":{"type":"overloaded_error","message":"x"},"request_id":null}`, llm.CodeOverloaded},
		{"gemini, exclusiveMinimum", gemini.New(), 400, `{"error":{"code":400,"message":"Unknown name \"exclusiveMinimum\"","status":"INVALID_ARGUMENT"}}`, llm.CodeInvalidRequest},
		{"bedrock, a message alone", bedrock.New(), 429, `{"message":"Too many requests"}`, llm.CodeRateLimit},
		{"cohere, no type", cohere.New(), 400, `{"id":"e","message":"bad"}`, llm.CodeInvalidRequest},
		{"cohere, error_type", cohere.New(), 429, `{"id":"e","message":"slow","error_type":"rate_limit"}`, llm.CodeRateLimit},
		{"errors, flat", openaichat.New(), 400, `{"object":"error","message":"bad","type":"invalid_request_error","param":null,"code":"3051"}`, llm.CodeInvalidRequest},
		{"errors, a list of details", openaichat.New(), 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`, llm.CodeInvalidRequest},
		{"errors, a detail", openaichat.New(), 401, `{"detail":"Unauthorized"}`, llm.CodeProviderAuth},
		{"errors, flat with a type", openaichat.New(), 429, `{"message":"slow","type":"too_many_requests_error","param":"quota","code":"request_quota_exceeded"}`, llm.CodeRateLimit},
		{"errors, plain text", openaichat.New(), 503, `upstream connect error or disconnect/reset before headers`, llm.CodeOverloaded},
		{"errors, HTML", openaichat.New(), 502, `<html><head><title>502 Bad Gateway</title></head></html>`, llm.CodeUnreachable},
		{"errors, HTML for a key", openaichat.New(), 401, `<html>401 Authorization Required</html>`, llm.CodeProviderAuth},
		{"errors, a text", openaichat.New(), 404, `{"error":"model not found"}`, llm.CodeModelGone},
		{"errors, a code that is a number", openaichat.New(), 500, `{"error":{"code":429,"message":"slow"}}`, llm.CodeRateLimit},
		{"errors, a code that is a text", openaichat.New(), 401, `{"error":{"code":"401","message":"Access denied"}}`, llm.CodeProviderAuth},
		{"errors, success false", openaichat.New(), 400, `{"success":false,"errors":[{"code":7003,"message":"bad"}]}`, llm.CodeInvalidRequest},
		{"errors, another vendor's inside", openaichat.New(), 429, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"slow\"}}","provider_name":"X"}}}`, llm.CodeRateLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if e := tc.d.Provider.DecodeError(tc.status, []byte(tc.body)); e.Code != tc.want {
				t.Errorf("%d %s: got %s, want %s", tc.status, tc.body, e.Code, tc.want)
			}
		})
	}
}

// TestWireFactsOfRequests reads requests as clients send them, beyond the documentation: none is refused, and what only
// the own vendor would understand goes back to it as it came.
func TestWireFactsOfRequests(t *testing.T) {
	t.Parallel()
	const hello = `{"role":"user","content":"hi"}`
	input := func(items string) string { return `{"model":"m","input":[` + items + `]}` }
	messages := func(list, more string) string {
		return `{"model":"m","max_tokens":2048,"messages":[` + list + `]` + more + `}`
	}
	for _, tc := range []struct {
		name string
		d    *dialect.Dialect
		body string
		has  []string
	}{
		{"chat 11, vectors in base64", openaichat.NewEmbeddings(), `{"model":"m","input":"hi","encoding_format":"base64"}`, []string{`"input":"hi"`}},
		{"responses, a message without a type", openairesponses.New(), input(hello), []string{`"hi"`}},
		{"responses, a reference", openairesponses.New(), input(hello + `,{"type":"item_reference","id":"rs_1"}`), []string{`{"type":"item_reference","id":"rs_1"}`}},
		{"responses, tools among the items", openairesponses.New(), input(`{"type":"additional_tools","tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]},` + hello), []string{`"f"`}},
		{"responses, a search for tools", openairesponses.New(), input(`{"type":"tool_search_call","id":"t","arguments":{}},` + hello), []string{`"tool_search_call"`}},
		{"responses, a program", openairesponses.New(), input(`{"type":"program","id":"p","code":"1"},` + hello), []string{`"program"`}},
		{"responses, a compaction", openairesponses.New(), input(`{"type":"compaction","id":"c","encrypted_content":"x"},` + hello), []string{`"compaction"`, `"encrypted_content":"x"`}},
		{"responses, a result that is a list", openairesponses.New(), input(hello + `,{"type":"function_call","call_id":"x","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"x","output":[{"type":"input_text","text":"done"}]}`), []string{`"done"`}},
		{"anthropic, a system message in the list", anthropic.New(), messages(hello+`,{"role":"system","content":"Be brief."},`+hello, ""), []string{"Be brief."}},
		{"anthropic, thinking that adapts, and how it is shown", anthropic.New(), messages(hello, `,"thinking":{"type":"adaptive","display":"summarized"}`), []string{`"thinking":{"type":"adaptive","display":"summarized"}`}},
		{
			"gemini, snake_case and the role function", gemini.New(), `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"function_call":{"name":"f","args":{}}}]},` +
				`{"role":"function","parts":[{"function_response":{"name":"f","response":{"a":1}}}]}],"generation_config":{"max_output_tokens":9},"system_instruction":{"parts":[{"text":"Be brief."}]}}`,
			[]string{`"maxOutputTokens":9`, "Be brief.", `"name":"f","response":{"a":1}`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := tc.d.Client.DecodeRequest([]byte(tc.body))
			if err != nil {
				t.Fatalf("%s: got %v, want it read", tc.body, err)
			}
			sent, err := tc.d.Provider.EncodeRequest(req, dialect.Target{Model: "m"})
			if err != nil {
				t.Fatalf("%s: got %v, want it written", tc.body, err)
			}
			for _, want := range tc.has {
				if !strings.Contains(string(sent.Body), want) {
					t.Errorf("%s:\ngot  %s\nwant %s in it", tc.body, sent.Body, want)
				}
			}
		})
	}
}
