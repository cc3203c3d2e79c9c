package dialect_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// items is a request of Responses.
func items(input, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"model":"m","input":[` + input + `]` + members + `}`
}

const (
	respTool   = `{"type":"function","name":"get","parameters":{"type":"object","properties":{}}}`
	respCall   = `{"type":"function_call","call_id":"call_1","name":"get","arguments":"{\"n\":12345678901234567890}"}`
	respResult = `{"type":"function_call_output","call_id":"call_1","output":"1"}`
)

func TestResponsesRequestsToOthers(t *testing.T) {
	sealed := `{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"}`
	theirs := `{"type":"reasoning","id":"rs_2","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"understudy.anthropic-messages.signed.c2ln"}`
	search := `{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"lamps"}}`
	for _, c := range []struct {
		crossing
		to *dialect.Dialect
	}{
		{crossing{name: "instructions", body: items(hi, `"instructions":"Be brief."`), has: []string{`{"role":"system","content":"Be brief."}`}}, openaichat.New()},
		{crossing{name: "a tool loop", body: items(hi+","+respCall+","+respResult, `"tools":[`+respTool+`]`), has: []string{`"tool_calls":[{"id":"call_1"`, `12345678901234567890`, `{"role":"tool","tool_call_id":"call_1","content":"1"}`}}, openaichat.New()},
		{crossing{name: "a tool loop", body: items(hi+","+respCall+","+respResult, `"tools":[`+respTool+`]`), has: []string{`{"type":"tool_use","id":"call_1","name":"get","input":{"n":12345678901234567890}}`, `{"type":"tool_result","tool_use_id":"call_1","content":"1"}`}}, anthropic.New()},
		{crossing{name: "A37 a free-form tool", body: items(hi, `"tools":[{"type":"custom","name":"patch"}],"tool_choice":{"type":"custom","name":"patch"}`), has: []string{`"name":"custom_patch"`, `"required":["input"]`, `"tool_choice":{"type":"function","function":{"name":"custom_patch"}}`}}, openaichat.New()},
		{crossing{name: "A37 a grammar", body: items(hi, `"tools":[{"type":"custom","name":"patch","format":{"type":"grammar","syntax":"lark","definition":"x"}}]`), err: "tools[].type"}, openaichat.New()},
		{crossing{name: "T063 sealed for its own vendor", body: items(hi+","+sealed+","+respCall+","+respResult, `"tools":[`+respTool+`]`), not: []string{"gAAA", "hm"}}, anthropic.New()},
		{crossing{name: "T063 signed by the target's vendor", body: items(hi+","+theirs+","+respCall+","+respResult, `"tools":[`+respTool+`]`), has: []string{`{"type":"thinking","thinking":"hm","signature":"c2ln"}`}}, anthropic.New()},
		{crossing{name: "a search in words", body: items(search+`,{"role":"assistant","content":"Found."},`+hi, ""), has: []string{"[Searched the web for: lamps]"}}, openaichat.New()},
		{crossing{name: "a reference", body: items(`{"type":"item_reference","id":"msg_1"},`+hi, ""), err: "cannot carry"}, openaichat.New()},
		{crossing{name: "a kept conversation", body: items(hi, `"previous_response_id":"resp_1"`), err: "previous_response_id"}, anthropic.New()},
		{crossing{name: "schema and effort", body: items(hi, `"text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object","properties":{},"required":[],"additionalProperties":false}}},"reasoning":{"effort":"low"}`), has: []string{`"response_format":{"type":"json_schema","json_schema":{"name":"n"`, `"reasoning_effort":"low"`}}, openaichat.New()},
		{crossing{name: "T116 an image in a result", body: items(hi+","+respCall+`,{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_image","image_url":"data:image/png;base64,`+pngData+`"}]}`, `"tools":[`+respTool+`]`), has: []string{`"tool_use_id":"call_1","content":[{"type":"image"`}}, anthropic.New()},
	} {
		t.Run(c.name+" to "+string(c.to.Name), func(t *testing.T) { c.run(t, openairesponses.New(), c.to) })
	}
}

func TestRequestsToResponses(t *testing.T) {
	image := `{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pngData + `"}}]}`
	use := `{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"get","input":{}}]}`
	for _, c := range []struct {
		crossing
		from *dialect.Dialect
	}{
		{crossing{name: "system", body: chat(`{"role":"system","content":"Be brief."},`+hi, ""), has: []string{`"instructions":"Be brief."`, `"store":false`}}, openaichat.New()},
		{crossing{name: "A41 stop sequences", body: chat(hi, `"stop":["x"]`), err: "stop"}, openaichat.New()},
		{crossing{name: "T061 thinking", body: message(hi, `"thinking":{"type":"adaptive"}`), has: []string{`"reasoning":{"summary":"auto"}`, `"include":["reasoning.encrypted_content"]`}}, anthropic.New()},
		{crossing{name: "T116 an image in a result", body: message(hi+","+use+`,{"role":"user","content":[`+image+`]}`, `"tools":[`+msgTool+`]`), has: []string{`"type":"function_call_output","call_id":"toolu_1","output":[{"type":"input_image"`}}, anthropic.New()},
		{crossing{name: "names", body: chat(hi, `"tools":[{"type":"function","function":{"name":"my.tool"}}]`), has: []string{`"name":"my_tool"`}}, openaichat.New()},
		{crossing{name: "two choices", body: chat(hi, `"n":2`), err: "n"}, openaichat.New()},
	} {
		t.Run(c.name+" from "+string(c.from.Name), func(t *testing.T) { c.run(t, c.from, openairesponses.New()) })
	}
}

// responsesStream is a stream of a Responses provider: the events between its beginning and its end.
func responsesStream(data ...string) string {
	all := append([]string{`{"type":"response.created","response":{"id":"resp_1","model":"m","created_at":1}}`}, data...)
	return events(append(all, `{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}}}`)...)
}

func respCallEvents(index, id string) []string {
	return []string{
		`{"type":"response.output_item.added","output_index":` + index + `,"item":{"type":"function_call","call_id":"` + id + `","name":"get","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","output_index":` + index + `,"delta":"{}"}`,
		`{"type":"response.output_item.done","output_index":` + index + `,"item":{"type":"function_call","call_id":"` + id + `","name":"get","arguments":"{}"}}`,
	}
}

func TestResponsesStreamsToOthers(t *testing.T) {
	thought := []string{
		`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"}}`,
	}
	calls := responsesStream(append(append(thought, respCallEvents("1", "call_a")...), respCallEvents("2", "call_b")...)...)
	got, err := crossStream(openairesponses.New(), openaichat.New(), strings.NewReader(calls))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, got, []string{ // T002: parallel calls have places of their own
		`"reasoning_content":"hm"`, `"issuer":"openai-responses","text":"hm","signature":"rs_1/gAAA"`, `"index":0,"id":"call_a"`, `"index":1,"id":"call_b"`,
		`"finish_reason":"tool_calls"`, `"prompt_tokens":10`, `"cached_tokens":4`, `"reasoning_tokens":2`,
	})
	got, err = crossStream(openairesponses.New(), anthropic.New(), strings.NewReader(calls))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, got, []string{
		`"type":"thinking"`, `"thinking":"hm"`, `"signature":"understudy.v1.openai-responses.rs_1/gAAA"`, `"type":"tool_use","id":"toolu_call_a"`, `"type":"tool_use","id":"toolu_call_b"`,
		`"stop_reason":"tool_use"`, `"input_tokens":6`, `"cache_read_input_tokens":4`,
	})
}

// TestAnswersToResponses holds what its clients get of other vendors' thinking, calls and refusals (T062, T063, A44, A45).
func TestAnswersToResponses(t *testing.T) {
	got, err := crossStream(anthropic.New(), openairesponses.New(), strings.NewReader(join(thinkingBlock("0", "hm"), textBlock("1", "so"), toolBlock("2", "toolu_a", `{\"a\":`, `1}`), []string{stopTool, end})))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, got, []string{
		"event: response.created", "event: response.reasoning_summary_text.delta", `"encrypted_content":"understudy.anthropic-messages.signed.c2ln"`,
		`"type":"response.output_text.delta"`, `"type":"function_call","status":"in_progress","call_id":"toolu_a"`, `"arguments":"{\"a\":1}"`, "event: response.completed",
		`"input_tokens":13`,
	})
	contains(t, got, nil, []string{`"delta":""`})
	for _, c := range []struct{ body, want string }{
		{`{"id":"c","model":"m","choices":[{"index":0,"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}`, `"status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"No."}]`},
		{`{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"First"},"finish_reason":"content_filter"}]}`, `"incomplete_details":{"reason":"content_filter"}`},
		{`{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"First"},"finish_reason":"length"}]}`, `"incomplete_details":{"reason":"max_output_tokens"}`},
	} {
		if answer := crossAnswer(t, openaichat.New(), openairesponses.New(), c.body); !strings.Contains(answer, c.want) || !strings.Contains(answer, `"id":"resp_c"`) {
			t.Errorf("%s: got %s want %s", c.body, answer, c.want)
		}
	}
}

// TestThinkingOfResponsesThroughChat moves encrypted reasoning through a client that knows none, and back.
func TestThinkingOfResponsesThroughChat(t *testing.T) {
	answer := crossAnswer(t, openairesponses.New(), openaichat.New(), `{"id":"resp_1","model":"m","status":"completed","output":[`+
		`{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA/+="},`+respCall+`]}`)
	turn := messageOf(t, jsontext.Value(answer))
	body := chat(hi+","+string(turn)+","+chatResult("call_1", "1"), `"tools":[`+chatTool+`]`)
	enc, _, err := crossRequest(openaichat.New(), openairesponses.New(), body, llm.ModelFacts{})
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, string(enc.Body), []string{`{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA/+="}`, `"type":"function_call","call_id":"call_1"`, `"type":"function_call_output"`})
}
