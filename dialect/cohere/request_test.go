package cohere

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	if err := jsontext.Check([]byte(body), jsontext.Limits{}); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	req, err := clientSide{}.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return req
}

// encode writes a request and returns what it holds, decoded by other means than the dialect's.
func encode(t *testing.T, req *llm.Request) (map[string]any, dialect.Encoded) {
	t.Helper()
	enc, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(enc.Body, &body); err != nil {
		t.Fatalf("%s: %v", enc.Body, err)
	}
	return body, enc
}

func withMessages(messages, more string) string {
	if more != "" {
		more = "," + more
	}
	return `{"model":"m","messages":[` + messages + `]` + more + `}`
}

const hi = `{"role":"user","content":"hi"}`

func TestDecodeRequestRefuses(t *testing.T) {
	for _, tc := range []struct{ body, param string }{
		{`[]`, ""},
		{`{"messages":[]}`, "messages"},
		{`{"model":"m"}`, "messages"},
		{`{"model":7,"messages":[` + hi + `]}`, "model"},
		{withMessages(`{"content":"x"}`, ""), "messages[0].role"},
		{withMessages(`{"role":"user"}`, ""), "messages[0].content"},
		{withMessages(`{"role":"user","content":[{"type":"image_url","image_url":{"url":""}}]}`, ""), "messages[0].content[0].image_url.url"},
		{withMessages(`{"role":"user","content":[{"type":"thinking","thinking":"x"}]}`, ""), "messages[0].content[0].type"},
		{withMessages(`{"role":"tool","content":"x"}`, ""), "messages[0].tool_call_id"},
		{withMessages(`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{}}]}`, ""), "messages[0].tool_calls[0].function.name"},
		{withMessages(hi, `"temperature":1.1`), "temperature"},
		{withMessages(hi, `"k":501`), "k"},
		{withMessages(hi, `"stop_sequences":["1","2","3","4","5","6"]`), "stop_sequences"},
		{withMessages(hi, `"tool_choice":"auto"`), "tool_choice"},
		{withMessages(hi, `"tool_choice":{"type":"tool"}`), "tool_choice"},
		{withMessages(hi, `"thinking":{"type":"enabled","token_budget":0}`), "thinking.token_budget"},
		{withMessages(hi, `"response_format":{"type":"xml"}`), "response_format.type"},
		{withMessages(hi, `"tools":[{"type":"function","function":{"description":"x"}}]`), "tools[0].function.name"},
		{withMessages(`{"role":"system","content":"x"}`, `"documents":["a"]`), "documents"},
		{withMessages(hi, `"documents":[{"id":"a"}]`), "documents[0].data"},
	} {
		_, err := clientSide{}.DecodeRequest([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != tc.param {
			t.Errorf("%s: got %+v want an invalid request at %q", tc.body, e, tc.param)
		}
	}
}

func TestDocuments(t *testing.T) {
	req := decode(t, withMessages(`{"role":"user","content":"first"},{"role":"assistant","content":"ok"},{"role":"user","content":"second"}`,
		`"documents":["plain",{"id":"d1","data":{"title":"T","snippet":"S","year":1852}},{"data":{"title":"T2","snippet":"S2"}}],"citation_options":{"mode":"OFF"}`))
	if n := len(req.Messages[0].Parts); n != 1 {
		t.Errorf("first message: got %d parts want 1", n)
	}
	parts := req.Messages[2].Parts
	if len(parts) != 4 || parts[3].Text != "second" {
		t.Fatalf("got parts %+v want the documents before the text", parts)
	}
	for i, want := range []llm.Document{
		{Name: "doc:0", Text: "plain", Citations: new(false)},
		{Name: "d1", Text: "title: T\nsnippet: S\nyear: 1852", Citations: new(false)},
		{Name: "T2", Text: "S2", Citations: new(false)},
	} {
		if !reflect.DeepEqual(*parts[i].Document, want) {
			t.Errorf("document %d: got %+v want %+v", i, *parts[i].Document, want)
		}
	}
	body, _ := encode(t, req)
	if got := body["citation_options"]; !reflect.DeepEqual(got, map[string]any{"mode": "OFF"}) {
		t.Errorf("got citation options %v want mode OFF", got)
	}
	if docs, ok := body["documents"].([]any); !ok || len(docs) != 3 {
		t.Errorf("got documents %v want three", body["documents"])
	}
}

func TestDocumentsBesideAFormatAreText(t *testing.T) {
	req := decode(t, withMessages(`{"role":"user","content":"as JSON"}`, `"documents":["plain"]`))
	req.Format = &llm.Format{Kind: llm.FormatJSON}
	body, enc := encode(t, req)
	if body["documents"] != nil || !strings.Contains(string(enc.Body), `<document title=\"doc:0\">\nplain\n</document>`) {
		t.Errorf("got %s want the document as text", enc.Body)
	}
	if len(enc.Losses) != 1 || enc.Losses[0].Feature != llm.FeatureDocumentText {
		t.Errorf("got losses %v want that of the document", enc.Losses)
	}
}

func TestFormatBesideToolsIsRefused(t *testing.T) {
	req := decode(t, withMessages(hi, `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`))
	req.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`)}
	body, enc := encode(t, req)
	if body["response_format"] != nil || len(enc.Losses) != 1 || !llm.LossReport.Refuses(enc.Losses[0]) {
		t.Errorf("got %s, %v want no format and its refusal", enc.Body, enc.Losses)
	}
}

// TestNamesAndIDs holds that names and ids are made legal one to one: a hyphen, a digit at the beginning, length, and an
// id that another turn had.
func TestNamesAndIDs(t *testing.T) {
	long := strings.Repeat("x", 80)
	req := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}}}
	for _, name := range []string{"get-weather", "get_weather", "get.weather", "7up", long + "a", long + "b"} {
		req.Tools = append(req.Tools, llm.Tool{Name: name})
	}
	for range 2 {
		req.Messages = append(req.Messages,
			llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "call_0", Name: "get-weather"}}}},
			llm.Message{Role: llm.RoleTool, Parts: []llm.Part{{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "call_0"}}}})
	}
	body, enc := encode(t, req)
	seen := map[string]bool{}
	for i, tool := range body["tools"].([]any) {
		name := tool.(map[string]any)["function"].(map[string]any)["name"].(string)
		if !isLegalName(name) || seen[name] {
			t.Errorf("tool %d: got name %q, want a legal one of its own", i, name)
		}
		seen[name] = true
		want := req.Tools[i].Name
		if back, ok := enc.ToolNames[name]; ok && back != want || !ok && name != want {
			t.Errorf("tool %d: got %q mapped back to %q want %q", i, name, back, want)
		}
	}
	messages := body["messages"].([]any)
	id := func(i int) string {
		return messages[i].(map[string]any)["tool_calls"].([]any)[0].(map[string]any)["id"].(string)
	}
	result := func(i int) string { return messages[i].(map[string]any)["tool_call_id"].(string) }
	if id(1) != "call_0" || id(3) == id(1) || result(2) != id(1) || result(4) != id(3) {
		t.Errorf("got ids %s/%s and %s/%s want pairs that differ", id(1), result(2), id(3), result(4))
	}
}

func TestUnpairedCallsAreRefused(t *testing.T) {
	call := `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	result := `{"role":"tool","tool_call_id":"a","content":"x"}`
	for _, messages := range []string{call + "," + hi, hi + "," + call, result + "," + hi, hi + "," + call + "," + result + "," + result} {
		req := decode(t, withMessages(messages, ""))
		_, err := providerSide{}.EncodeRequest(req, dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest {
			t.Errorf("%s: got %v want it refused", messages, err)
		}
	}
}

// TestSystemBetweenCallAndResult holds that nothing comes between a call and its result.
func TestSystemBetweenCallAndResult(t *testing.T) {
	req := decode(t, withMessages(hi+`,{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f"}}]},`+
		`{"role":"system","content":"be kind"},{"role":"tool","tool_call_id":"a","content":"x"}`, ""))
	body, _ := encode(t, req)
	var roles []string
	for _, m := range body["messages"].([]any) {
		roles = append(roles, m.(map[string]any)["role"].(string))
	}
	if got := strings.Join(roles, " "); got != "user assistant tool user" {
		t.Errorf("got roles %q want the system's text after the result", got)
	}
}

func TestClampedValues(t *testing.T) {
	req := decode(t, withMessages(hi, ""))
	req.Temperature, req.TopP, req.TopK = new(1.5), new(1.0), new(int64(1000))
	req.FrequencyPenalty, req.Seed = new(1.5), new(int64(-1))
	req.Stop = []string{"1", "2", "3", "4", "5", "6"}
	body, enc := encode(t, req)
	for key, want := range map[string]any{"temperature": 1.0, "p": 0.99, "k": 500.0, "frequency_penalty": 1.0, "seed": nil} {
		if body[key] != want {
			t.Errorf("%s: got %v want %v", key, body[key], want)
		}
	}
	if len(enc.Losses) != 6 {
		t.Errorf("got losses %v want one for each", enc.Losses)
	}
}

// TestThinkingComesBack sends thinking of this vendor's and of another's back.
func TestThinkingComesBack(t *testing.T) {
	req := decode(t, withMessages(hi+`,{"role":"assistant","content":[{"type":"thinking","thinking":"own"},`+
		`{"type":"thinking","thinking":"foreign","understudy_thinking":{"issuer":"anthropic-messages","signature":"s"}},{"type":"text","text":"a"}]},`+hi, ""))
	if got := *req.Messages[1].Parts[1].Thinking; got != (llm.Thinking{Issuer: "anthropic-messages", Signature: "s"}) {
		t.Errorf("got %+v want the issuer and the signature", got)
	}
	_, enc := encode(t, req)
	if s := string(enc.Body); !strings.Contains(s, `"own"`) || strings.Contains(s, "foreign") || strings.Contains(s, keySigned) {
		t.Errorf("got %s want the vendor's own thinking only", s)
	}
}

// TestNoEmptyMessages holds that nothing empty is sent, which the vendor refuses, and that there is something.
func TestNoEmptyMessages(t *testing.T) {
	call := `{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for messages, want := range map[string]string{
		hi + `,{"role":"assistant","content":""},` + call + `,{"role":"tool","tool_call_id":"a","content":"1"}`: "user assistant tool",
		`{"role":"user","content":""},` + hi:    "user",
		`{"role":"system","content":"Answer."}`: "system user",
	} {
		body, enc := encode(t, decode(t, withMessages(messages, "")))
		var roles []string
		for _, m := range body["messages"].([]any) {
			roles = append(roles, m.(map[string]any)["role"].(string))
			if m.(map[string]any)["content"] == "" {
				t.Errorf("%s: got an empty message in %s", messages, enc.Body)
			}
		}
		if got := strings.Join(roles, " "); got != want {
			t.Errorf("%s: got %s want %s", messages, got, want)
		}
		if lost := len(enc.Losses) > 0; !lost && want != "user assistant tool" {
			t.Errorf("%s: got no loss, want one", messages)
		}
	}
}

// TestArgumentsThatAreNoObject holds that the vendor gets what it takes.
func TestArgumentsThatAreNoObject(t *testing.T) {
	for args, want := range map[string]string{`[]`: "{}", `Go`: "{}", ``: "{}", `{\"a\": 1}`: `{"a": 1}`} {
		_, enc := encode(t, decode(t, withMessages(hi+`,{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"`+args+`"}}]},`+
			`{"role":"tool","tool_call_id":"a","content":"1"}`, "")))
		if got := string(enc.Body); !strings.Contains(got, `"arguments":`+string(jsontext.AppendString(nil, want))) {
			t.Errorf("%s: got %s want %s", args, got, want)
		}
		if lost := len(enc.Losses) > 0; lost != (args == "[]" || args == "Go") {
			t.Errorf("%s: got losses %v", args, enc.Losses)
		}
	}
}
