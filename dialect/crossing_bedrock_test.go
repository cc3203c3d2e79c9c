package dialect_test

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/llm"
)

// TestChatToConverse is about what Bedrock demands and Chat Completions does not.
func TestChatToConverse(t *testing.T) {
	const tool = `{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}`
	const call = `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"get_weather","arguments":"{}"}},` +
		`{"id":"b","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"}`
	for _, c := range []crossing{
		{
			name: "T016 tools reach the vendor", body: `{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[` + tool + `]}`,
			has: []string{`"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{"type":"object"}}}}]}`},
		},
		{
			name: "T026 results of parallel calls are one turn", body: `{"model":"m","messages":[{"role":"user","content":"a"},` + call + `,{"role":"user","content":"go on"}],"tools":[` + tool + `]}`,
			has: []string{`{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}},{"toolResult":{"toolUseId":"b","content":[{"text":"2"}]}},{"text":"go on"}]}`},
		},
		{
			name: "T029 tools of the history", body: `{"model":"m","messages":[{"role":"user","content":"a"},` + call + `]}`,
			has: []string{`"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather"`}, lost: "tool_definitions=emulated(harmless)",
		},
		{
			name: "T121 A50 a document without a text", has: []string{`"format":"txt","name":"page","source":{"text":"<p>"}`, `{"text":"(See the document.)"}`},
			body: `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"page.html","file_data":"data:text/html;base64,PHA+"}}]}]}`,
		},
		{
			name: "an image by URL", err: "takes no URLs",
			body: `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]}]}`,
		},
		{
			name: "A39 JSON mode", has: []string{"Answer with one JSON object"}, lost: "response_format.json_object=approximated(tuning)",
			body: `{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}`,
		},
		{
			name: "a schema is JSON in a string", has: []string{`"schema":"{\"type\":\"object\"}","name":"n"`},
			body: `{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}}`,
		},
		{
			name: "choice none without tools in the history", not: []string{"toolConfig"}, lost: "tool_choice=emulated(harmless)",
			body: `{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[` + tool + `],"tool_choice":"none"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, openaichat.New(), bedrock.New()) })
	}
}

// TestMessagesToConverse is about what both have.
func TestMessagesToConverse(t *testing.T) {
	for _, c := range []crossing{
		{
			name: "cache marks", has: []string{`"system":[{"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}}]`, `{"text":"a"},{"cachePoint":{"type":"default"}}`},
			body: `{"model":"m","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],` +
				`"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}`,
		},
		{
			name: "thinking", facts: llm.ModelFacts{Thinking: llm.ThinkingBudget}, has: []string{`"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2048}}`},
			body: `{"model":"m","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"user","content":"a"}]}`,
		},
		{
			name: "a result that failed", has: []string{`"content":[{"text":"no"}],"status":"error"`},
			body: `{"model":"m","max_tokens":9,"tools":[{"name":"f","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"a"},` +
				`{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"no"}]}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, anthropic.New(), bedrock.New()) })
	}
}

// TestConverseToOthers is about what only Bedrock has, and what others have, too.
func TestConverseToOthers(t *testing.T) {
	const turn = `"messages":[{"role":"user","content":[{"text":"a"},{"cachePoint":{"type":"default","ttl":"1h"}}]}]`
	for _, c := range []crossing{
		{name: "cache marks", body: `{` + turn + `}`, has: []string{`"cache_control":{"type":"ephemeral","ttl":"1h"}`}},
		{name: "top_k", body: `{` + turn + `,"additionalModelRequestFields":{"top_k":5}}`, has: []string{`"top_k":5`}},
		{name: "a guardrail", body: `{` + turn + `,"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1"}}`, err: "guardrailConfig"},
		{name: "guarded content", body: `{"messages":[{"role":"user","content":[{"guardContent":{"text":{"text":"a"}}}]}]}`, err: "guardContent"},
		{name: "a prompt that the vendor keeps", body: `{` + turn + `,"promptVariables":{"a":{"text":"b"}}}`, err: "promptVariables"},
		{name: "labels", body: `{` + turn + `,"requestMetadata":{"a":"b"}}`, lost: "requestMetadata=dropped(harmless)"},
		{
			name: "a search result is said in words", has: []string{"[t, s]\\nc"},
			body: `{"messages":[{"role":"user","content":[{"searchResult":{"source":"s","title":"t","content":[{"text":"c"}]}}]}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, bedrock.New(), anthropic.New()) })
	}
	t.Run("to Chat Completions", func(t *testing.T) {
		crossing{body: `{` + turn + `,"inferenceConfig":{"maxTokens":7}}`, has: []string{`"content":"a"`, `_tokens":7`}}.run(t, bedrock.New(), openaichat.New())
	})
}
