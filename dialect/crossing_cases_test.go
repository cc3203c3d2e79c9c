package dialect_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/llm"
)

const msgUse = `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"get","input":{}}]}`

func msgResult(more string) string {
	return `{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}` + more + `]}`
}

// TestCasesToGemini are requests that Google's API wants otherwise.
func TestCasesToGemini(t *testing.T) {
	tool := func(schema string) string {
		return `"tools":[{"type":"function","function":{"name":"get","parameters":` + schema + `}}]`
	}
	for _, c := range []crossing{
		{name: "T031 calls of one turn, and their results", body: chat(hi+","+chatCall("null", "a", "b")+","+chatResult("a", "1")+","+chatResult("b", "2"), `"tools":[`+chatTool+`]`), has: []string{
			`{"functionCall":{"id":"b","name":"get","args":{"n":12345678901234567890}}}]},{"role":"user","parts":[{"functionResponse":{"id":"a","name":"get","response":{"output":"1"}}},{"functionResponse":{"id":"b"`,
		}},
		{name: "T032 a result's name is its call's", body: chat(hi+","+chatCall("null", "a")+","+chatResult("a", "1"), `"tools":[`+chatTool+`]`), has: []string{`"functionResponse":{"id":"a","name":"get"`}},
		{name: "T071 the placeholder stands on the first call alone", body: chat(hi+","+chatCall("null", "a", "b")+","+chatResult("a", "1")+","+chatResult("b", "2"), `"tools":[`+chatTool+`]`), has: []string{
			`"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"get","args":{"n":12345678901234567890}}}`,
		}},
		{name: "T104 a schema for the answer", body: chat(hi, `"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}}}`), has: []string{
			`"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`,
		}},
		{name: "T105 references and definitions", body: chat(hi, tool(`{"type":"object","$defs":{"c":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/c","description":"d"}}}`)), has: []string{
			`"$defs":{"c":{"type":"string"}}`, `"a":{"anyOf":[{"$ref":"#/$defs/c"}],"description":"d"}`,
		}},
		{name: "T106 an object that may be null", body: chat(hi, tool(`{"type":"object","properties":{"a":{"type":["object","null"],"properties":{"b":{"type":"string"}}}}}`)), has: []string{
			`"a":{"type":["object","null"],"properties":{"b":{"type":"string"}}}`,
		}},
		{name: "T107 a requirement of what there is not", body: chat(hi, tool(`{"type":"object","properties":{"a":{"type":"string"}},"required":["a","zz"]}`)), has: []string{`"required":["a"],"description":"Limits: required zz."`}, lost: "=approximated(tuning)"},
		{name: "T111 strict tools", body: chat(hi, strings.Replace(tool(`{"type":"object"}`), `"name":"get"`, `"name":"get","strict":true`, 1)), has: []string{`"functionCallingConfig":{"mode":"VALIDATED"}`}, not: []string{"strict"}},
		{name: "T132 a limit by its new name", body: chat(hi, `"max_completion_tokens":77`), has: []string{`"maxOutputTokens":77`}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, openaichat.New(), gemini.New()) })
	}
	t.Run("T024 one call at a time", func(t *testing.T) {
		c := crossing{
			body: message(hi, `"tools":[`+msgTool+`],"tool_choice":{"type":"any","disable_parallel_tool_use":true}`),
			has:  []string{`"functionCallingConfig":{"mode":"ANY"}`}, lost: "disable_parallel_tool_use=",
		}
		c.run(t, anthropic.New(), gemini.New())
	})
}

// TestCasesFromGemini is T042: Google's API as a client's.
func TestCasesFromGemini(t *testing.T) {
	crossing{
		body: `{"systemInstruction":{"role":"user","parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],` +
			`"tools":[{"functionDeclarations":[{"name":"get","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}}}]}],"generationConfig":{"maxOutputTokens":9}}`,
		has: []string{`"system":"Be brief."`, `"tools":[{"name":"get","input_schema":{"type":"object","properties":{"a":{"type":"string"}}}}]`, `"messages":[{"role":"user","content":"hi"}]`, `"max_tokens":9`},
	}.run(t, gemini.New(), anthropic.New())
}

// TestCasesToBedrock are requests that Converse wants otherwise.
func TestCasesToBedrock(t *testing.T) {
	tools := `"tools":[` + msgTool + `]`
	marked := `"cache_control":{"type":"ephemeral"}`
	for _, c := range []struct {
		crossing
		from *dialect.Dialect
	}{
		{crossing{name: "T027 a result is a block", body: chat(hi+","+chatCall("null", "a")+","+chatResult("a", "1"), `"tools":[`+chatTool+`]`), has: []string{`{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}}]}`}}, openaichat.New()},
		{crossing{name: "T028, T039 a system message in the list", body: message(hi+`,{"role":"system","content":"Be brief."},`+msgUse+","+msgResult(""), tools+`,"system":[{"type":"text","text":"first",`+marked+`}]`), has: []string{`"system":[{"text":"first"},{"cachePoint":{"type":"default"}}`, "Be brief.", `{"toolResult":{"toolUseId":"toolu_1","content":[{"text":"1"}]}}`}}, anthropic.New()},
		{crossing{name: "T030 results first, then what the user says", body: message(hi+","+msgUse+","+msgResult(`,{"type":"text","text":"and?"}`), tools), has: []string{`{"role":"user","content":[{"toolResult":{"toolUseId":"toolu_1","content":[{"text":"1"}]}},{"text":"and?"}]}`}}, anthropic.New()},
		{crossing{name: "T122 a file without a type is looked at", body: chat(`{"role":"user","content":[{"type":"text","text":"read"},{"type":"file","file":{"filename":"a.pdf","file_data":"`+pdfData+`"}}]}`, ""), has: []string{`{"document":{"format":"pdf"`}}, openaichat.New()},
		{crossing{name: "T122 a sheet is a sheet", body: chat(`{"role":"user","content":[{"type":"text","text":"read"},{"type":"file","file":{"filename":"a.xlsx","file_data":"data:application/vnd.openxmlformats-officedocument.spreadsheetml.sheet;base64,UEsDBA=="}}]}`, ""), has: []string{`{"document":{"format":"xlsx"`}}, openaichat.New()},
		{crossing{name: "T124 an image", body: items(`{"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,`+pngData+`"}]}`, ""), has: []string{`{"image":{"format":"png","source":{"bytes":"` + pngData + `"}}}`}}, openairesponses.New()},
		{
			crossing{
				name: "T125, T126 marks on a system, a tool, a text and a result are elements of their own",
				body: message(`{"role":"user","content":[{"type":"text","text":"a",`+marked+`}]},`+msgUse+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1",`+marked+`}]}`,
					`"system":[{"type":"text","text":"s",`+marked+`}],"tools":[{"name":"get","input_schema":{"type":"object","properties":{}},`+marked+`}]`),
				has: []string{
					`{"text":"s"},{"cachePoint":{"type":"default"}}`, `}}},{"cachePoint":{"type":"default"}}]`,
					`{"text":"a"},{"cachePoint":{"type":"default"}}`, `{"toolResult":{"toolUseId":"toolu_1","content":[{"text":"1"}]}},{"cachePoint":{"type":"default"}}`,
				},
			}, anthropic.New(),
		},
		{crossing{name: "T127 a mark for the whole prompt", body: message(hi, marked), not: []string{"cache_control"}, has: []string{`{"text":"hi"},{"cachePoint":{"type":"default"}}`}}, anthropic.New()},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, c.from, bedrock.New()) })
	}
}

// TestCasesToOpenAI are requests of others to OpenAI's two APIs, and of one of them to the other.
func TestCasesToOpenAI(t *testing.T) {
	thought := `{"role":"assistant","content":[{"type":"thinking","thinking":"private","signature":"c2ln"},{"type":"text","text":"so"}]}`
	for _, c := range []struct {
		crossing
		from, to *dialect.Dialect
	}{
		{crossing{name: "T022 tools in an item of the input", body: items(`{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"get"}]},`+hi+`,{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"get"}]}`, `"tools":[{"type":"function","name":"put"}]`), has: []string{`{"name":"put","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"get","parameters":{"type":"object","properties":{}}}}]`}, lost: "input[].additional_tools=emulated(harmless)"}, openairesponses.New(), openaichat.New()},
		{
			crossing{
				name: "T022 and in namespaces",
				body: items(hi+`,{"type":"function_call","call_id":"call_1","namespace":"crm","name":"get","arguments":"{}"},`+respResult,
					`"tools":[{"type":"namespace","name":"crm","description":"Customers.","tools":[{"type":"function","name":"get","description":"One."},{"type":"custom","name":"note"}]},{"type":"function","name":"get"}]`),
				has: []string{
					`{"name":"namespace_crm_get","description":"Customers.\n\nOne."`, `{"name":"custom_namespace_crm_note","description":"Customers."`, `{"name":"get",`,
					`{"type":"tool_use","id":"call_1","name":"namespace_crm_get"`,
				},
				lost: "tools[].namespace=emulated(harmless)",
			}, openairesponses.New(), anthropic.New(),
		},
		{crossing{name: "T022 a tool of the vendor's in an item is refused", body: items(`{"type":"additional_tools","role":"developer","tools":[{"type":"tool_search"}]},`+hi, ""), err: "cannot carry"}, openairesponses.New(), openaichat.New()},
		{crossing{name: "T033 results follow their call", body: items(hi+","+respCall+`,{"role":"assistant","content":"I looked."},`+respResult, `"tools":[`+respTool+`]`), has: []string{`12345678901234567890}"}}]},{"role":"tool","tool_call_id":"call_1","content":"1"}`}}, openairesponses.New(), openaichat.New()},
		{crossing{name: "T033 a comment with a phase is not between them", body: items(hi+","+respCall+`,{"role":"assistant","phase":"commentary","content":"I looked."},`+respResult, `"tools":[`+respTool+`]`), has: []string{`"content":"I looked.","tool_calls":[{"id":"call_1"`, `12345678901234567890}"}}]},{"role":"tool","tool_call_id":"call_1","content":"1"}`}, lost: "phase=dropped(harmless)"}, openairesponses.New(), openaichat.New()},
		{crossing{name: "T033 nor is what was said before the second result", body: items(hi+","+respCall+","+strings.ReplaceAll(respCall, "call_1", "call_2")+","+respResult+`,{"role":"assistant","content":"One."},`+strings.ReplaceAll(respResult, "call_1", "call_2")+","+hi, `"tools":[`+respTool+`]`), has: []string{`{"role":"tool","tool_call_id":"call_1","content":"1"},{"role":"tool","tool_call_id":"call_2","content":"1"},{"role":"assistant","content":"One."},`}}, openairesponses.New(), openaichat.New()},
		{crossing{name: "T041 nor an instruction or a question", body: items(hi+","+respCall+`,{"role":"developer","content":"Be brief."},`+hi+","+respResult, `"tools":[`+respTool+`]`), has: []string{`{"role":"tool","tool_call_id":"call_1","content":"1"},{"role":"`, `"Be brief."`}}, openairesponses.New(), openaichat.New()},
		{
			crossing{
				name: "T033 an empty text behind a call is nothing", not: []string{`"content":""`}, has: []string{`"type":"function_call"`, `"type":"function_call_output"`},
				body: `{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"get","args":{}}},{"text":""}]},` +
					`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"get","response":{"output":"1"}}}]}],"tools":[{"functionDeclarations":[{"name":"get"}]}]}`,
			}, gemini.New(), openairesponses.New(),
		},
		{crossing{name: "T040 a system message in the list", body: message(hi+`,{"role":"system","content":"Be brief."},`+hi, ""), has: []string{`{"role":"system","content":"Be brief."}`}}, anthropic.New(), openaichat.New()},
		{crossing{name: "T055 thinking never becomes text", body: message(hi+","+thought+","+hi, ""), not: []string{"private", "c2ln"}, lost: "=dropped(harmless)"}, anthropic.New(), openairesponses.New()},
		{crossing{name: "T138 items without types and ids", body: items(`{"role":"user","content":[{"type":"input_text","text":"a"}]},{"role":"assistant","content":[{"type":"output_text","text":"b"}]},{"role":"user","content":"c"}`, ""), has: []string{`{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}`}}, openairesponses.New(), openaichat.New()},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, c.from, c.to) })
	}
}

// TestCasesToMessages are requests of Chat Completions that name what Messages has otherwise or not.
func TestCasesToMessages(t *testing.T) {
	for _, c := range []crossing{
		{name: "T048 a long id is the same on both sides", body: chat(hi+","+chatCall("null", strings.Repeat("x", 90))+","+chatResult(strings.Repeat("x", 90), "1"), `"tools":[`+chatTool+`]`), has: []string{`"id":"` + strings.Repeat("x", 90) + `"`, `"tool_use_id":"` + strings.Repeat("x", 90) + `"`}},
		{name: "T113 a schema beside tools needs no tool of its own", body: chat(hi, `"tools":[`+chatTool+`],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}}`), has: []string{`"tools":[{"name":"get","input_schema":{"type":"object","properties":{}}}]`, `"format":{"type":"json_schema"`}, not: []string{"tool_choice"}},
		{name: "T135 what clients send by default", body: chat(hi, `"store":false,"metadata":{"a":"b"},"stream":true,"stream_options":{"include_usage":true},"user":"u","n":1,"logit_bias":{},"presence_penalty":0,"frequency_penalty":0,"response_format":{"type":"text"}`), has: []string{`"stream":true`}, not: []string{"store", "stream_options"}},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, openaichat.New(), anthropic.New()) })
	}
}

// generated frames chunks as a provider of Google's API does.
func generated(chunks ...string) string {
	return "data: " + strings.Join(chunks, "\n\ndata: ") + "\n\n"
}

// candidate is a chunk with these parts; a reason ends it.
func candidate(parts, reason string) string {
	content := `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]}`
	if reason == "" {
		return content + `}],"modelVersion":"m"}`
	}
	return content + `,"finishReason":"` + reason + `"}],"modelVersion":"m",` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":4,"totalTokenCount":17}}`
}

// TestCasesOfGeminiStreams are answers of Google's to a client of Chat Completions.
func TestCasesOfGeminiStreams(t *testing.T) {
	call := func(city string) string { return `{"functionCall":{"name":"get","args":{"city":"` + city + `"}}}` }
	long := strings.Repeat("QUJD", 60000)
	for _, c := range []struct {
		name, stream string
		order, not   []string
	}{
		{name: "T009, T010 calls in chunks of their own, and an end without content", stream: generated(candidate(call("a"), ""), candidate(call("b"), ""), candidate(`{"text":""}`, "STOP")), order: []string{`"index":0,"id":`, `"index":1,"id":`, `"finish_reason":"tool_calls"`}},
		{name: "T072 a signature in many pieces", stream: generated(candidate(`{"text":"so"},{"functionCall":{"name":"get","args":{}},"thoughtSignature":"`+long+`"}`, "STOP")), order: []string{`"content":"so"`, long, `"name":"get"`}, not: []string{"functionCall", "candidates"}},
		{name: "T089 an end at the limit, without content", stream: generated(candidate(`{"text":"so"}`, ""), `{"candidates":[{"finishReason":"MAX_TOKENS"}],"modelVersion":"m"}`), order: []string{`"content":"so"`, `"delta":{}`, `"finish_reason":"length"`, "[DONE]"}},
		{name: "T090, T158 usage at the end, thoughts among what was written", stream: generated(candidate(`{"text":"so"}`, "STOP")), order: []string{`"finish_reason":"stop"`, `"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17`, `"reasoning_tokens":4`, "[DONE]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := crossStream(gemini.New(), openaichat.New(), strings.NewReader(c.stream))
			if err != nil {
				t.Fatal(err)
			}
			inOrder(t, got, c.order)
			contains(t, got, nil, c.not)
			spelled(t, gemini.New(), openaichat.New(), c.stream, got)
		})
	}
}

// TestT159UsageOfACutAnswer reads what was counted from whatever event ends a stream.
func TestT159UsageOfACutAnswer(t *testing.T) {
	stream := events(
		`{"type":"response.created","response":{"id":"resp_1","model":"m","created_at":1}}`,
		`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"so"}`,
		`{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}}`,
	)
	got, err := crossStream(openairesponses.New(), openaichat.New(), strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, got, []string{`"content":"so"`, `"finish_reason":"length"`, `"prompt_tokens":10,"completion_tokens":5`, "[DONE]"})
}

// TestCasesOfOutputIndexes are T094 and T095: each item of a Responses answer has a place of its own and ends once,
// whatever the provider's indexes are.
func TestCasesOfOutputIndexes(t *testing.T) {
	const call = `{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"get","arguments":"{}"}}]}`
	converse := llm.Response{ID: "r", Model: "m", Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopToolCalls}, Parts: []llm.Part{
		{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{}},
		llm.Text("so"),
		{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "get", Args: "{}"}},
	}}}}
	var fromBedrock []byte
	w := openairesponses.New().Client.NewStreamWriter(dialect.StreamOptions{ID: "resp_0", Model: "m"})
	up := bedrock.New().Client.NewStreamWriter(dialect.StreamOptions{Framing: dialect.FramingEventStream})
	var sent []byte
	for _, e := range converse.Events() {
		sent = up.Write(sent, e)
	}
	for _, e := range readAll(t, spoken{bedrock.New(), "bedrock"}, sent) {
		fromBedrock = w.Write(fromBedrock, e)
	}
	fromChat, err := crossStream(openaichat.New(), openairesponses.New(), strings.NewReader(chunks(`{"role":"assistant","reasoning_content":"hm"}`, `{"content":"so"}`, call, "tool_calls")))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"T094 of Converse": string(fromBedrock), "T095 of Chat Completions": fromChat} {
		for _, index := range []string{"0", "1", "2"} {
			for _, event := range []string{"response.output_item.added", "response.output_item.done"} {
				n := 0
				for line := range strings.Lines(got) {
					if strings.Contains(line, `"type":"`+event+`"`) && strings.Contains(line, `"output_index":`+index+",") {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%s: got %d %s of item %s want one\n%s", name, n, event, index, got)
				}
			}
		}
	}
}

// TestCasesOfWholeAnswers are members that clients with types need.
func TestCasesOfWholeAnswers(t *testing.T) {
	got := crossAnswer(t, openaichat.New(), openairesponses.New(), `{"id":"c","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"so"},"finish_reason":"length"}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}`)
	contains(t, got, []string{`"object":"response"`, `"created_at":7`, `"incomplete_details":{"reason":"max_output_tokens"}`, `"error":null`, `"total_tokens":5`}, nil) // T096
	up := bedrock.New().Client.NewStreamWriter(dialect.StreamOptions{Framing: dialect.FramingEventStream})
	var sent, shown []byte
	for _, e := range (&llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{llm.Text("so")}, Stop: llm.Stop{Reason: llm.StopEnd}}}, Usage: llm.Usage{Known: true, InFresh: 2, OutVisible: 3}}).Events() {
		sent = up.Write(sent, e)
	}
	w := anthropic.New().Client.NewStreamWriter(dialect.StreamOptions{ID: "msg_1", Model: "m"})
	for _, e := range readAll(t, spoken{bedrock.New(), "bedrock"}, sent) {
		shown = w.Write(shown, e)
	}
	begun, _, _ := strings.Cut(string(shown), "\n\n")
	contains(t, begun, []string{"event: message_start", `"usage":{"input_tokens":0`, `"output_tokens":0`}, nil) // T091
}
