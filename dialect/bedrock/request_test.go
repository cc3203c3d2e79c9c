package bedrock

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
)

func ptr[T any](v T) *T { return &v }

func said(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func user(s string) llm.Message { return said(llm.RoleUser, llm.Text(s)) }

func assistant(parts ...llm.Part) llm.Message { return said(llm.RoleAssistant, parts...) }

func call(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name, Args: args}}
}

func result(id string, parts ...llm.Part) llm.Message {
	return said(llm.RoleTool, llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id, Parts: parts}})
}

func file(kind llm.PartKind, media, data, name string) llm.Part {
	p := llm.Part{Kind: kind, Media: &llm.Media{Type: media, Data: data}}
	if kind == llm.PartDocument {
		p.Document = &llm.Document{Name: name}
	}
	return p
}

// encoding is a request as it is sent to a model.
type encoding struct {
	name  string
	req   llm.Request
	model string
	facts llm.ModelFacts
	has   []string // in the body
	not   []string
	lost  string // the losses, as in a header; "-" for none
	err   string // in the error, for a request that is not sent
}

func (c encoding) run(t *testing.T) {
	t.Helper()
	enc, err := New().Provider.EncodeRequest(&c.req, dialect.Target{Model: c.model, Facts: c.facts})
	if c.err != "" {
		var e *llm.Error
		if !errors.As(err, &e) || !strings.Contains(e.Error(), c.err) {
			t.Errorf("%s: got %v want an error with %q", c.name, err, c.err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
		return
	}
	body := string(enc.Body)
	for _, s := range c.has {
		if !strings.Contains(body, s) {
			t.Errorf("%s: got\n%s\nwant %s in it", c.name, body, s)
		}
	}
	for _, s := range c.not {
		if strings.Contains(body, s) {
			t.Errorf("%s: got\n%s\nwant no %s in it", c.name, body, s)
		}
	}
	got := llm.FormatLosses(enc.Losses, 1000)
	if c.lost == "-" && got != "" || c.lost != "-" && !strings.Contains(got, c.lost) {
		t.Errorf("%s: losses: got %q want %q", c.name, got, c.lost)
	}
}

const aClaude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

// TestTurns is about the order of messages: rows T026, T029 and T121 of the list of bugs seen elsewhere among it.
func TestTurns(t *testing.T) {
	weather := []llm.Tool{{Name: "get_weather", Schema: []byte(`{"type":"object"}`)}}
	png := "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
	for _, c := range []encoding{
		{
			name: "one turn of several messages", lost: "-",
			req: llm.Request{Tools: weather, Messages: []llm.Message{
				user("a"), user("b"), assistant(call("c1", "get_weather", "{}"), call("c2", "get_weather", "")),
				result("c1", llm.Text("1")), result("c2", llm.Text("2")), user("go on"),
			}},
			has: []string{
				`{"role":"user","content":[{"text":"a"},{"text":"b"}]}`,
				`{"role":"user","content":[{"toolResult":{"toolUseId":"c1","content":[{"text":"1"}]}},{"toolResult":{"toolUseId":"c2","content":[{"text":"2"}]}},{"text":"go on"}]}`,
				`"toolUse":{"toolUseId":"c2","name":"get_weather","input":{}}`,
			},
		},
		{
			name: "the assistant speaks first", lost: "first_message=approximated(tuning)",
			req: llm.Request{Messages: []llm.Message{assistant(llm.Text("Hello.")), user("Hi")}},
			has: []string{`"messages":[{"role":"user","content":[{"text":"(The conversation begins here.)"}]},{"role":"assistant"`},
		},
		{
			name: "tools of the history", lost: "tool_definitions=emulated(harmless)",
			req: llm.Request{Messages: []llm.Message{user("a"), assistant(call("c1", "get_weather", "{}")), result("c1")}},
			has: []string{`"toolConfig":{"tools":[{"toolSpec":{"name":"get_weather","inputSchema":{"json":{"type":"object","properties":{}}}}}]}`, `"content":[{"json":{}}]`, `Do not call any tool`},
		},
		{
			name: "choice none with tools in the history", lost: "tool_choice=approximated(tuning)",
			req: llm.Request{Tools: weather, ToolChoice: llm.ToolChoice{Mode: llm.ChoiceNone}, Messages: []llm.Message{
				user("a"), assistant(call("c1", "get_weather", "{}")), result("c1"),
			}},
			has: []string{`"toolConfig":`, `Do not call any tool`}, not: []string{"toolChoice"},
		},
		{
			name: "a choice without tools", lost: "-", not: []string{"toolConfig"},
			req: llm.Request{ToolChoice: llm.ToolChoice{Mode: llm.ChoiceAuto}, Messages: []llm.Message{user("a")}},
		},
		{
			name: "a document alone", lost: "document_text=emulated(harmless)",
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, file(llm.PartDocument, "text/html", "PHA+", "page"))}},
			has: []string{`{"document":{"format":"html","name":"page","source":{"bytes":"PHA+"}}},{"text":"(See the document.)"}`},
		},
		{
			name: "blank texts", lost: "-", not: []string{`" "`, `""`},
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Text(" \n"), llm.Text("a"), llm.Text(""))}},
		},
		{
			name: "names of documents", lost: "document_name=repaired(harmless)",
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, llm.Text("read"),
				file(llm.PartDocument, "text/markdown; charset=utf-8", "YQ==", "a_b/../c.md"), file(llm.PartDocument, "text/csv", "YQ==", "a b c"),
				file(llm.PartDocument, "application/json", "YQ==", ""))}},
			has: []string{`"format":"md","name":"a b c"`, `"format":"csv","name":"a b c 2"`, `"format":"txt","name":"document"`},
		},
		{
			name: "an image of another type", lost: "media_type=repaired(harmless)", has: []string{`{"image":{"format":"png"`},
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, file(llm.PartImage, "image/jpeg", png, ""))}},
		},
		{
			name: "a file of a type that is not read", err: "does not read files of the type",
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, file(llm.PartImage, "image/tiff", "SUkq", ""))}},
		},
		{
			name: "a call without a result", err: "has no tool result",
			req: llm.Request{Messages: []llm.Message{user("a"), assistant(call("c1", "get_weather", "{}")), user("b")}},
		},
		{
			name: "a prefill that is refused", lost: "prefill=refused(contract)",
			req: llm.Request{Messages: []llm.Message{user("a"), assistant(llm.Text("b"))}},
		},
		{
			name: "a prefill", lost: "prefill=repaired(harmless)", facts: llm.ModelFacts{Prefill: true}, has: []string{`{"text":"b"}`},
			req: llm.Request{Messages: []llm.Message{user("a"), assistant(llm.Text("b "))}},
		},
		{
			name: "a system message later", lost: "-", facts: llm.ModelFacts{MidSystem: true}, has: []string{`{"role":"system","content":[{"text":"Be brief."}]}`},
			req: llm.Request{Messages: []llm.Message{user("a"), said(llm.RoleSystem, llm.Text("Be brief.")), user("b")}},
		},
		{
			name: "marks", lost: "cache_mark=dropped(harmless)", not: []string{`{"text":"m1"},{"cachePoint"`}, has: []string{`{"text":"m5"},{"cachePoint":{"type":"default","ttl":"1h"}}`},
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, marked("m1"), marked("m2"), marked("m3"), marked("m4"), marked("m5"))}},
		},
		{
			name: "marks for a model without a cache", model: "meta.llama3-8b-instruct-v1:0", lost: "cache_mark=dropped(harmless)", not: []string{"cachePoint"},
			req: llm.Request{Messages: []llm.Message{said(llm.RoleUser, marked("m1"))}},
		},
	} {
		c.run(t)
	}
}

func marked(s string) llm.Part {
	p := llm.Text(s)
	p.Cache = &llm.CacheMark{TTL: "1h"}
	return p
}

// TestToolNamesAndIDs makes them legal and maps names back.
func TestToolNamesAndIDs(t *testing.T) {
	long := strings.Repeat("x", 70)
	req := llm.Request{
		Tools: []llm.Tool{{Name: "mcp.files/read"}, {Name: "mcp_files_read"}, {Name: long}},
		Messages: []llm.Message{
			user("a"), assistant(call("call/1", "mcp.files/read", "{}"), call("call/1", long, "{'a'")),
			result("call/1", llm.Text("1")), result("call/1", llm.Text("2")),
		},
	}
	enc, err := New().Provider.EncodeRequest(&req, dialect.Target{Model: aClaude})
	if err != nil {
		t.Fatal(err)
	}
	if len(enc.ToolNames) != 2 {
		t.Errorf("got names %v want two that differ", enc.ToolNames)
	}
	for sent, name := range enc.ToolNames {
		if !isName(sent) || isName(name) {
			t.Errorf("got %q for %q want a legal name for an illegal one", sent, name)
		}
	}
	if strings.Contains(string(enc.Body), "call/1") || strings.Count(string(enc.Body), `"tooluse_`) != 4 {
		t.Errorf("got\n%s\nwant legal ids", enc.Body)
	}
	if got := llm.FormatLosses(enc.Losses, 1000); !strings.Contains(got, "tool_arguments=approximated(tuning)") {
		t.Errorf("got losses %s want the arguments that are no object", got)
	}
}

// TestFamilies is about what differs with the kind of model.
func TestFamilies(t *testing.T) {
	think := func(r llm.Reasoning) llm.Request {
		return llm.Request{Messages: []llm.Message{user("a")}, Reasoning: &r, MaxTokens: ptr(int64(4000))}
	}
	topK := llm.Request{Messages: []llm.Message{user("a")}, TopK: ptr(int64(40)), Temperature: ptr(1.5), TopP: ptr(0.9)}
	for _, c := range []encoding{
		{name: "top_k, Claude", req: topK, model: aClaude, has: []string{`"additionalModelRequestFields":{"top_k":40}`, `"topP":0.9`}, not: []string{"temperature"}, lost: "temperature=approximated(tuning)"},
		{name: "top_k, Nova", req: topK, model: "us.amazon.nova-lite-v1:0", has: []string{`"additionalModelRequestFields":{"inferenceConfig":{"topK":40}}`, `"temperature":1,"topP":0.9`}},
		{name: "top_k, Cohere", req: topK, model: "cohere.command-r-v1:0", has: []string{`{"k":40}`}},
		{name: "top_k, Llama", req: topK, model: "meta.llama3-8b-instruct-v1:0", not: []string{"additional"}, lost: "top_k=dropped(tuning)"},
		{name: "T136 top_k, in an ARN", req: topK, model: "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", has: []string{`"topK":40`}},
		{name: "no sampling", req: topK, model: aClaude, facts: llm.ModelFacts{NoSampling: true}, not: []string{"additional", "inferenceConfig"}, lost: "top_k=dropped(tuning)"},
		{
			name: "budget", req: think(llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 2000}), model: aClaude, facts: llm.ModelFacts{Thinking: llm.ThinkingBudget},
			has: []string{`"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}`}, lost: "-",
		},
		{
			name: "budget that does not fit", req: think(llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 9000}), model: aClaude, facts: llm.ModelFacts{Thinking: llm.ThinkingBudget},
			has: []string{`"budget_tokens":2000`}, lost: "thinking_budget=approximated(tuning)",
		},
		{
			name: "effort, Nova", req: think(llm.Reasoning{Effort: "xhigh"}), model: "us.amazon.nova-2-lite-v1:0",
			has: []string{`"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}`}, lost: "reasoning_effort=approximated(tuning)",
		},
		{name: "off, Nova", req: think(llm.Reasoning{Mode: llm.ReasoningOff}), model: "amazon.nova-2-lite-v1:0", has: []string{`{"reasoningConfig":{"type":"disabled"}}`}, lost: "-"},
		{name: "effort, gpt-oss", req: think(llm.Reasoning{Effort: "low"}), model: "openai.gpt-oss-120b-1:0", has: []string{`"additionalModelRequestFields":{"reasoning_effort":"low"}`}, lost: "-"},
		{name: "T073 an effort that the model lacks", req: think(llm.Reasoning{Effort: "max"}), model: "qwen.qwen3-32b-v1:0", facts: llm.ModelFacts{Efforts: llm.EffortsOf([]string{"low", "high"})}, has: []string{`"outputConfig":{"effort":"high"}`}, lost: "reasoning_effort=approximated(tuning)"},
		{name: "effort, others", req: think(llm.Reasoning{Effort: "minimal"}), model: "qwen.qwen3-32b-v1:0", has: []string{`"outputConfig":{"effort":"low"}`}, lost: "reasoning_effort=approximated(tuning)"},
		{name: "off, others", req: think(llm.Reasoning{Mode: llm.ReasoningOff}), model: "qwen.qwen3-32b-v1:0", lost: "thinking_off=dropped(tuning)"},
		{name: "none", req: think(llm.Reasoning{Effort: "high"}), model: "mistral.mistral-large-2407-v1:0", facts: llm.ModelFacts{Thinking: llm.ThinkingNone}, lost: "reasoning_effort=dropped(tuning)"},
		{name: "limit", req: think(llm.Reasoning{}), model: aClaude, facts: llm.ModelFacts{MaxOutput: 3000}, has: []string{`"maxTokens":3000`}, lost: "max_tokens=approximated(tuning)"},
		{name: "tier", req: llm.Request{Messages: []llm.Message{user("a")}, Tier: "flex"}, has: []string{`"serviceTier":{"type":"flex"}`}, lost: "-"},
	} {
		c.run(t)
	}
}

func TestFamilyOf(t *testing.T) {
	for model, want := range map[string]family{
		"anthropic.claude-3-haiku-20240307-v1:0": claude, "eu.anthropic.claude-sonnet-4-5-20250929-v1:0": claude,
		"global.amazon.nova-2-lite-v1:0": nova, "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0": claude,
		"arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-instruct-v1:0": other, "openai.gpt-oss-20b-1:0": gptOSS,
		"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6": unknown, "model-x": unknown, "": unknown,
	} {
		if got := familyOf(model); got != want {
			t.Errorf("%s: got %v want %v", model, got, want)
		}
	}
}

// TestThinkingComesHome carries thinking of another vendor through a client of this dialect and back.
func TestThinkingComesHome(t *testing.T) {
	for _, thought := range []llm.Thinking{
		{Issuer: "anthropic-messages", Signature: "c2ln.x=="}, {Issuer: "gemini-generate", Sealed: "c2VhbGVk"}, {}, {Issuer: issuer, Signature: "own"}, {Issuer: issuer, Sealed: "b3du"},
	} {
		p := llm.Part{Kind: llm.PartThinking, Text: "Hm.", Thinking: &thought}
		if thought.Sealed != "" {
			p.Text = ""
		}
		body, _, err := New().Client.EncodeResponse(&llm.Response{Choices: []llm.Choice{{Parts: []llm.Part{p, llm.Text("Yes.")}, Stop: llm.Stop{Reason: llm.StopEnd}}}})
		if err != nil {
			t.Fatal(err)
		}
		i, j := strings.Index(string(body), `"content":[`), strings.LastIndex(string(body), `]}},"stopReason"`)
		history := `{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"assistant",` + string(body[i:j]) + `]},{"role":"user","content":[{"text":"b"}]}]}`
		req, err := New().Client.DecodeRequest([]byte(history))
		if err != nil {
			t.Fatal(err)
		}
		if got := *req.Messages[1].Parts[0].Thinking; got != thought {
			t.Errorf("got %+v want %+v\n%s", got, thought, history)
		}
		enc, err := New().Provider.EncodeRequest(req, dialect.Target{Model: aClaude})
		if own := strings.Contains(string(enc.Body), "reasoningContent"); err != nil || own != (thought.Issuer == issuer) {
			t.Errorf("%+v: got %v, sent to the vendor: %v", thought, err, own)
		}
		stripped, losses, err := New().Relay.Strip([]byte(history))
		if err != nil || strings.Contains(string(stripped), "reasoningContent") != (thought.Issuer == issuer) || (len(losses) == 0) != (thought.Issuer == issuer) {
			t.Errorf("%+v: Strip: got %s, %v, %v", thought, stripped, losses, err)
		}
	}
}

// TestDecodeRequest reads what has no canonical form.
func TestDecodeRequest(t *testing.T) {
	req, err := New().Client.DecodeRequest([]byte(`{
		"messages":[
			{"role":"user","content":[{"cachePoint":{"type":"default"}},{"guardContent":{"text":{"text":"q"}}},{"searchResult":{"source":"s","title":"t","content":[{"text":"c"}]}},
				{"image":{"format":"png","source":{"s3Location":{"uri":"s3://b/k","bucketOwner":"123456789012"}}}}]},
			{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"It "},{"text":"did."}],"citations":[{"title":"T","location":{"documentPage":{"documentIndex":0,"start":1,"end":2}}}]}},
				{"toolUse":{"toolUseId":"c1","name":"f","input":{"n":12345678901234567890}}}]},
			{"role":"user","content":[{"text":"after"},{"toolResult":{"toolUseId":"c1","content":[{"json":{"a": 1}}],"status":"error"}}]}],
		"system":[{"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}}],
		"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"any":{}}},
		"inferenceConfig":{"maxTokens":10,"stopSequences":["x"]},
		"additionalModelRequestFields":{"top_k":3,"thinking":{"type":"enabled","budget_tokens":2000},"anthropic_beta":["x"]},
		"guardrailConfig":{"guardrailIdentifier":"g"},"requestMetadata":{"a":"b"},"serviceTier":{"type":"flex"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := req.Messages[0].Parts[0].Cache; got == nil || got.TTL != "" {
		t.Errorf("system: got mark %+v want that of the conversation's beginning", got)
	}
	first := req.Messages[1].Parts
	if first[0].Kind != llm.PartOpaque || first[0].Text != "" || first[1].Text != "[t, s]\nc" || first[2].Media.FileID != "s3://b/k" {
		t.Errorf("got %+v want guarded content, a search result in words, and a file", first)
	}
	if p := req.Messages[2].Parts[0]; p.Text != "It did." || p.Citations[0].Title != "T" {
		t.Errorf("got %+v want text with a citation", p)
	}
	if req.Messages[2].Parts[1].Call.Args != `{"n":12345678901234567890}` || !req.Messages[3].Parts[0].Result.Error || req.Messages[3].Parts[0].Result.Parts[0].Text != `{"a":1}` {
		t.Errorf("got %+v want the call and its result as they were", req.Messages[2:4])
	}
	if req.Messages[4].Role != llm.RoleUser || req.Messages[4].Parts[0].Text != "after" {
		t.Errorf("got %+v want what the user said after the result", req.Messages[4])
	}
	if req.Tools[0].Cache == nil || req.Tools[1].Opaque == nil || req.ToolChoice.Mode != llm.ChoiceRequired {
		t.Errorf("got tools %+v", req.Tools)
	}
	if *req.TopK != 3 || req.Reasoning.Budget != 2000 || req.Tier != "flex" {
		t.Errorf("got %+v want what the model's maker has names for", req)
	}
	refused, reported := llm.LossLenient.Apply(dialect.Contract(New(), &dialect.Dialect{Name: "other"}, req))
	if got := llm.FormatLosses(refused, 2000); !strings.Contains(got, "guardrailConfig=refused(contract)") {
		t.Errorf("got refused %s want the guardrail among them, whatever the policy", got)
	}
	if got := llm.FormatLosses(reported, 2000); !strings.Contains(got, "additionalModelRequestFields.anthropic_beta=dropped(tuning)") || !strings.Contains(got, "requestMetadata=dropped(harmless)") {
		t.Errorf("got reported %s want what only this dialect has", got)
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for body, param := range map[string]string{
		`{}`:              "messages",
		`{"messages":[]}`: "messages",
		`{"messages":[{"role":"bot","content":[]}]}`:                                                                                                              "messages[0].role",
		`{"messages":[{"role":"user"}]}`:                                                                                                                          "messages[0].content",
		`{"messages":[{"role":"user","content":"text"}]}`:                                                                                                         "messages[0].content",
		`{"messages":[{"role":"user","content":[{}]}]}`:                                                                                                           "messages[0].content[0]",
		`{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}`:                                                                                      "messages[0].content[0]",
		`{"messages":[{"role":"user","content":[{"text":7}]}]}`:                                                                                                   "messages[0].content[0].text",
		`{"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]}`:                                                                                   "messages[0].content[0].image.source",
		`{"messages":[{"role":"user","content":[{"document":{"name":"n","source":{"bytes":"YQ=="}}}]}]}`:                                                          "messages[0].content[0].document.format",
		`{"messages":[{"role":"user","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]}]}`:                                                          "messages[0].content",
		`{"messages":[{"role":"assistant","content":[{"toolResult":{"toolUseId":"a","content":[]}}]}]}`:                                                           "messages[0].content",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":0}}`:                                                               "inferenceConfig.maxTokens",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"temperature":1.5}}`:                                                           "inferenceConfig.temperature",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"f"}}]}}`:                                              "toolConfig.tools[0].toolSpec.inputSchema",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"toolConfig":{"toolChoice":{"none":{}}}}`:                                                         "toolConfig.toolChoice",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"system":[{"image":{"format":"png","source":{"bytes":"YQ=="}}}]}`:                                 "system",
		`{"messages":[{"role":"user","content":[{"text":"a"}]}],"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"no"}}}}}`: "outputConfig.textFormat.structure.jsonSchema.schema",
	} {
		_, err := New().Client.DecodeRequest([]byte(body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != param {
			t.Errorf("%s: got %+v want a fault at %s", body, err, param)
		}
	}
}
