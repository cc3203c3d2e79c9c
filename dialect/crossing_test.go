package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// A crossing is a client of one dialect on a provider of another, as the gateway makes it: the contract, then both
// codecs. The names of the tests are those of the cases that went wrong elsewhere.

// crossRequest takes a client's request to the provider's dialect, and says what was lost.
func crossRequest(from, to *dialect.Dialect, body string, facts llm.ModelFacts) (dialect.Encoded, []llm.Loss, error) {
	req, err := from.Client.DecodeRequest([]byte(body))
	if err != nil {
		return dialect.Encoded{}, nil, err
	}
	losses := dialect.Contract(from, to, req)
	enc, err := to.Provider.EncodeRequest(req, dialect.Target{Model: "target", Facts: facts})
	losses = append(losses, enc.Losses...)
	if err != nil {
		return enc, losses, err
	}
	if refused, _ := llm.LossReport.Apply(losses); len(refused) > 0 {
		return enc, losses, errors.New(dialect.RefusalMessage(refused, to.Name))
	}
	return enc, losses, nil
}

// crossing is a case of a request.
type crossing struct {
	name  string
	body  string
	facts llm.ModelFacts
	has   []string // in the body that is sent
	not   []string
	lost  string // a loss that is reported
	err   string // in the error, for a request that is not sent
}

func (c crossing) run(t *testing.T, from, to *dialect.Dialect) {
	t.Helper()
	if err := jsontext.Check([]byte(c.body), jsontext.Limits{}); err != nil {
		t.Fatalf("the test's own body: %v\n%s", err, c.body)
	}
	enc, losses, err := crossRequest(from, to, c.body, c.facts)
	if c.err != "" {
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("got error %v want one with %q", err, c.err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(enc.Body), c.has, c.not)
	if reported := llm.FormatLosses(losses, 1000); !strings.Contains(reported, c.lost) {
		t.Errorf("losses: got %q want %q", reported, c.lost)
	}
}

func contains(t *testing.T, got string, has, not []string) {
	t.Helper()
	for _, s := range has {
		if !strings.Contains(got, s) {
			t.Errorf("got\n%s\nwant %s in it", got, s)
		}
	}
	for _, s := range not {
		if strings.Contains(got, s) {
			t.Errorf("got\n%s\nwant no %s in it", got, s)
		}
	}
}

// chat is a request of Chat Completions with these messages and further members.
func chat(messages, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"model":"m","messages":[` + messages + `]` + members + `}`
}

// message is a request of Messages.
func message(messages, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"model":"m","max_tokens":4000,"messages":[` + messages + `]` + members + `}`
}

const (
	hi       = `{"role":"user","content":"hi"}`
	pngData  = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	pdfData  = "JVBERi0xLjQKJcOkw7zDtsOfCjEgMCBvYmoKPDwvVHlwZS9DYXRhbG9nPj4KZW5kb2JqCnRyYWlsZXI8PC9Sb290IDEgMCBSPj4KJSVFT0YK"
	chatTool = `{"type":"function","function":{"name":"get","parameters":{"type":"object","properties":{}}}}`
	msgTool  = `{"name":"get","input_schema":{"type":"object","properties":{}}}`
)

// chatCall is an assistant's message with tool calls of these ids.
func chatCall(content string, ids ...string) string {
	calls := make([]string, len(ids))
	for i, id := range ids {
		calls[i] = `{"id":"` + id + `","type":"function","function":{"name":"get","arguments":"{\"n\":12345678901234567890}"}}`
	}
	return `{"role":"assistant","content":` + content + `,"tool_calls":[` + strings.Join(calls, ",") + `]}`
}

func chatResult(id, text string) string {
	return `{"role":"tool","tool_call_id":"` + id + `","content":"` + text + `"}`
}

func TestChatRequestsToMessages(t *testing.T) {
	tools := `"tools":[` + chatTool + `]`
	image := func(url string) string {
		return `{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"` + url + `"}}]}`
	}
	pdf := func(file string) string {
		return `{"role":"user","content":[{"type":"text","text":"read"},{"type":"file","file":` + file + `}]}`
	}
	schema := func(schema, strict string) string {
		return `"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":` + strict + `,"schema":` + schema + `}}`
	}
	thoughts := `{"role":"assistant","content":null,"reasoning_content":"hm","reasoning_details":[` +
		`{"type":"understudy.thinking","issuer":"anthropic-messages","text":"hm","signature":"c2ln"},` +
		`{"type":"understudy.thinking","issuer":"anthropic-messages","data":"c2VhbGVk"}],` +
		`"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"get","arguments":"{}"}}]}`
	for _, c := range []crossing{
		{
			name: "T018 tools", body: chat(hi, tools), has: []string{`"tools":[{"name":"get","input_schema":{"type":"object","properties":{}}}]`},
		},
		{name: "T019 a tool without its definition", body: chat(hi, `"tools":[{"type":"function"}]`), err: "tools[0]"},
		{name: "T019 a tool of another type", body: chat(hi, `"tools":[{"type":"custom","custom":{"name":"patch"}}]`), err: "tools"},
		{name: "T023 required", body: chat(hi, tools+`,"tool_choice":"required","parallel_tool_calls":false`), has: []string{`"tool_choice":{"type":"any","disable_parallel_tool_use":true}`}},
		{name: "T023 none", body: chat(hi, tools+`,"tool_choice":"none"`), has: []string{`"tool_choice":{"type":"none"}`}},
		{name: "T023 named", body: chat(hi, tools+`,"tool_choice":{"type":"function","function":{"name":"get"}}`), has: []string{`"tool_choice":{"type":"tool","name":"get"}`}},
		{
			name: "T023 allowed",
			body: chat(hi, `"tools":[`+chatTool+`,`+strings.Replace(chatTool, "get", "put", 1)+`],`+
				`"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"put"}}]}}`),
			has: []string{`"name":"put"`, `"tool_choice":{"type":"auto"}`}, not: []string{`"name":"get"`},
		},
		{
			name: "T025 results of one turn are one turn",
			body: chat(hi+","+chatCall("null", "a", "b")+","+chatResult("b", "2")+","+chatResult("a", "1")+","+hi, tools),
			has: []string{
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"b","content":"2"},{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"hi"}]}`,
				`"input":{"n":12345678901234567890}`,
			},
		},
		{
			name: "T034 a function call of old",
			body: chat(hi+`,{"role":"assistant","content":null,"function_call":{"name":"get","arguments":"{}"}},{"role":"function","name":"get","content":"1"}`,
				`"functions":[{"name":"get","parameters":{"type":"object","properties":{}}}]`),
			has: []string{`"type":"tool_use"`, `"type":"tool_result"`, `"content":"1"`, `"tools":[{"name":"get"`},
		},
		{name: "T035 a call without its result", body: chat(hi+","+chatCall("null", "lost")+","+hi, tools), err: "lost"},
		{name: "T035 a result without its call", body: chat(hi+","+chatResult("lost", "1"), tools), err: "lost"},
		{name: "T036 an empty text beside a call", body: chat(hi+","+chatCall(`""`, "a")+","+chatResult("a", "1"), tools), not: []string{`"text":""`}},
		{name: "T037 an empty message", body: chat(hi+`,{"role":"assistant","content":""},`+hi, ""), not: []string{"null", `"content":[]`, `"role":"assistant"`}},
		{
			name: "T041 a developer's message in mid-conversation",
			body: chat(hi+","+chatCall("null", "a")+`,{"role":"developer","content":"Be brief."},`+chatResult("a", "1"), tools),
			has:  []string{`"content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"<system_instruction>\nBe brief.\n</system_instruction>"}]`},
			lost: "=approximated(tuning)",
		},
		{name: "T051, T052 signed thinking goes back first and unchanged", body: chat(hi+","+thoughts+","+chatResult("toolu_1", "1"), tools), has: []string{`"content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"c2VhbGVk"},{"type":"tool_use"`}},
		{
			name: "T067 unsigned thinking is never sent",
			body: chat(hi+`,{"role":"assistant","content":"ok","reasoning_content":"hm"},`+hi, ""),
			not:  []string{"thinking", "hm"}, lost: "=dropped(harmless)",
		},
		{name: "T073 an effort", body: chat(hi, `"reasoning_effort":"high"`), has: []string{`"thinking":{"type":"adaptive"}`, `"output_config":{"effort":"high"}`}},
		{
			name: "T051 signed thinking that was streamed, its parts put together by index",
			body: chat(hi+","+strings.Replace(thoughts, `"reasoning_details":[`, `"reasoning_details":[{"index":0,"type":"understudy.thinking","issuer":"anthropic-messages"},`, 1)+","+chatResult("toolu_1", "1"), tools),
			has:  []string{`"content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"c2VhbGVk"},{"type":"tool_use"`},
		},
		{
			name: "T073, T076 an effort for a model that takes a budget", body: chat(hi, `"reasoning_effort":"high","max_completion_tokens":8000`),
			facts: llm.ModelFacts{Thinking: llm.ThinkingBudget}, has: []string{`"thinking":{"type":"enabled","budget_tokens":4000}`, `"max_tokens":8000`}, lost: "=approximated(tuning)",
		},
		{name: "T077 a schema together with reasoning", body: chat(hi, `"reasoning_effort":"low",`+schema(`{"type":"object","properties":{},"additionalProperties":false}`, "true")), has: []string{`"thinking"`, `"output_config":{"effort":"low","format":{"type":"json_schema"`}, not: []string{`"tools"`}},
		{
			name: "T108, T112 a schema keeps its definitions and its order",
			body: chat(hi, schema(`{"type":"object","properties":{"z":{"$ref":"#/$defs/n"},"a":{"type":"integer"}},"$defs":{"n":{"type":"string"}},"required":["z","a"],"additionalProperties":false}`, "true")),
			has:  []string{`"schema":{"type":"object","properties":{"z":{"$ref":"#/$defs/n"},"a":{"type":"integer"}},"$defs":{"n":{"type":"string"}},"required":["z","a"],"additionalProperties":false}`},
		},
		{name: "T110 an open object is closed", body: chat(hi, schema(`{"type":"object","properties":{}}`, "false")), has: []string{`"schema":{"type":"object","properties":{},"additionalProperties":false}`}, lost: "=approximated(tuning)"},
		{name: "T118 an image by URL", body: chat(image("https://images.example/a.png"), ""), has: []string{`[{"type":"text","text":"look"},{"type":"image","source":{"type":"url","url":"https://images.example/a.png"}}]`}},
		{name: "T118 an image as data, its type wrong", body: chat(image("data:image/jpeg;base64,"+pngData), ""), has: []string{`{"type":"base64","media_type":"image/png","data":"` + pngData + `"}`}},
		{name: "T119 an image that is none", body: chat(image("data:image/svg+xml;base64,PHN2Zy8+"), ""), err: "svg"},
		{name: "T120 a PDF as a data URI", body: chat(pdf(`{"filename":"a.pdf","file_data":"data:application/pdf;base64,`+pdfData+`"}`), ""), has: []string{`"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + pdfData + `"},"title":"a.pdf"`}},
		{name: "T120 a PDF as plain base64", body: chat(pdf(`{"filename":"a.pdf","file_data":"`+pdfData+`"}`), ""), has: []string{`"media_type":"application/pdf","data":"` + pdfData + `"`}},
		{name: "T120 a file of the vendor's", body: chat(pdf(`{"file_id":"file-1"}`), ""), err: "file"},
		{name: "T123 a PDF called an image", body: chat(image("data:application/pdf;base64,"+pdfData), ""), has: []string{`"type":"document"`}, not: []string{`"type":"image"`}},
		{name: "T131 no limit, model unknown", body: chat(hi, ""), has: []string{`"max_tokens":32000`}},
		{name: "T131 no limit, model known", body: chat(hi, ""), facts: llm.ModelFacts{MaxOutput: 64000}, has: []string{`"max_tokens":64000`}},
		{name: "T134 temperature and top_p", body: chat(hi, `"temperature":0.5,"top_p":0.9`), has: []string{`"temperature":0.5`}, not: []string{"top_p"}, lost: "top_p=dropped(tuning)"},
		{name: "T134 seed", body: chat(hi, `"seed":7`), not: []string{"seed"}, lost: "seed=dropped(tuning)"},
		{name: "T134 n", body: chat(hi, `"n":2`), err: "n"},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, openaichat.New(), anthropic.New()) })
	}
}

func TestMessagesRequestsToChat(t *testing.T) {
	call := `{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"x"},` +
		`{"type":"text","text":"so"},{"type":"tool_use","id":"toolu_1","name":"get","input":{}}]}`
	image := `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pngData + `"}}`
	for _, c := range []crossing{
		{name: "T020 a tool without a type", body: message(hi, `"tools":[`+msgTool+`]`), has: []string{`"type":"function"`, `"name":"get"`, `"parameters":{"type":"object","properties":{}}`}},
		{
			name: "T053, A24 thinking in the history", body: message(hi+","+call+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1"}]}`, `"tools":[`+msgTool+`]`),
			has: []string{`"tool_calls":[{"id":"toolu_1"`, `"tool_call_id":"toolu_1"`}, not: []string{"hm", "c2ln", "redacted"}, lost: "=dropped(harmless)",
		},
		{
			name: "T116 an image in a tool's result",
			body: message(hi+","+call+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"shot"},`+image+`]},{"type":"text","text":"and?"}]}`, `"tools":[`+msgTool+`]`),
			has:  []string{`"role":"tool"`, `"type":"image_url"`, "data:image/png;base64," + pngData, "and?"}, lost: "=approximated(tuning)",
		},
		{name: "T117 an image", body: message(`{"role":"user","content":[`+image+`,{"type":"image","source":{"type":"url","url":"https://images.example/a.png"}}]}`, ""), has: []string{`"url":"data:image/png;base64,` + pngData + `"`, `"url":"https://images.example/a.png"`}},
		{name: "T149 names are told apart by case", body: `{"model":"m","max_tokens":10,"messages":[` + hi + `],"Temperature":0.3}`, not: []string{`"temperature"`}, lost: "Temperature=dropped(tuning)"},
		{
			name: "T017 arguments of a call", body: message(hi+","+call+`,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"1","is_error":true}]}`, `"tools":[`+msgTool+`]`),
			has: []string{`"arguments":"{}"`, "Error: 1"}, lost: "=approximated(tuning)",
		},
		{name: "A43 top_k", body: message(hi, `"top_k":40`), not: []string{"top_k"}, lost: "top_k=dropped(tuning)"},
		{name: "a prefill", body: message(hi+`,{"role":"assistant","content":"{"}`, ""), err: "not continued"},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, anthropic.New(), openaichat.New()) })
	}
}

func TestT045T050IDsAndNamesAreMappedEverywhere(t *testing.T) {
	body := chat(hi+`,{"role":"assistant","content":null,"tool_calls":[{"id":"call:1","type":"function","function":{"name":"my.tool","arguments":"{}"}}]},`+
		`{"role":"tool","tool_call_id":"call:1","content":"1"}`,
		`"tools":[{"type":"function","function":{"name":"my_tool"}}],"tool_choice":"auto"`)
	enc, _, err := crossRequest(openaichat.New(), anthropic.New(), body, llm.ModelFacts{})
	if err != nil {
		t.Fatal(err)
	}
	sent := jsontext.Value(enc.Body)
	if strings.Contains(string(sent), "call:1") || strings.Contains(string(sent), "my.tool") {
		t.Errorf("got %s, want legal names and ids", sent)
	}
	var name string
	for legal, client := range enc.ToolNames {
		name = legal
		if client != "my.tool" || legal == "my_tool" {
			t.Errorf("got %s for %s", legal, client)
		}
	}
	answer := strings.Replace(strings.Replace(unaryTool, `"name":"get"`, `"name":"`+name+`"`, 1), "{}", `{"a":1}`, 1)
	resp, err := anthropic.New().Provider.DecodeResponse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	enc.RestoreResponse(resp)
	out, _, err := openaichat.New().Client.EncodeResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(out), []string{`"name":"my.tool"`}, nil)
}

// TestModelsWithoutStops: a model that refuses stop sequences is sent none in any dialect, and that is a loss of the
// contract as it is where the dialect has none.
func TestModelsWithoutStops(t *testing.T) {
	t.Parallel()
	from := anthropic.New()
	for _, to := range everyDialect() {
		for _, stops := range []string{`["THE END"]`, `["THE END","a","b","c","d","e","f"]`} {
			body := `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}],"stop_sequences":` + stops + `}`
			enc, losses, err := crossRequest(from, to.Dialect, body, llm.ModelFacts{NoStop: true})
			if err == nil || !strings.Contains(err.Error(), "cannot carry: stop") || strings.Contains(string(enc.Body), "THE END") {
				t.Errorf("%s: got %s, %v and %v, want stop sequences refused", to.Name, enc.Body, losses, err)
			}
			if refused, told := llm.LossLenient.Apply(losses); len(refused) > 0 || len(told) != 1 || told[0].Feature != llm.FeatureStop {
				t.Errorf("%s: got %v told to who takes any loss, want it once", to.Name, told)
			}
		}
		body := `{"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}`
		if _, losses, err := crossRequest(from, to.Dialect, body, llm.ModelFacts{NoStop: true}); err != nil || len(losses) > 0 {
			t.Errorf("%s: got %v and %v of a request without stop sequences, want no loss", to.Name, losses, err)
		}
	}
}
