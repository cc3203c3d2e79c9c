package gemini

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func ptr[T any](v T) *T { return &v }

const hi = `{"role":"user","parts":[{"text":"hi"}]}`

// decode reads a request with these members besides one content, which they may replace.
func decode(t *testing.T, members string) (*llm.Request, error) {
	t.Helper()
	body := "{" + members + "}"
	if !strings.Contains(members, `"contents"`) {
		body = `{"contents":[` + hi + `]`
		if members != "" {
			body += "," + members
		}
		body += "}"
	}
	if err := jsontext.Check([]byte(body), jsontext.Limits{}); err != nil {
		t.Fatalf("the test's own body: %v\n%s", err, body)
	}
	return New().Client.DecodeRequest([]byte(body))
}

func mustDecode(t *testing.T, members string) *llm.Request {
	t.Helper()
	req, err := decode(t, members)
	if err != nil {
		t.Fatalf("DecodeRequest(%s): %v", members, err)
	}
	return req
}

// encode writes req for a model with facts.
func encode(t *testing.T, req *llm.Request, facts llm.ModelFacts) dialect.Encoded {
	t.Helper()
	enc, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m", Facts: facts})
	if err != nil {
		t.Fatalf("EncodeRequest: %v", err)
	}
	if err := jsontext.Check(enc.Body, jsontext.Limits{}); err != nil {
		t.Fatalf("EncodeRequest wrote what is no request: %v\n%s", err, enc.Body)
	}
	return enc
}

// want compares a member of a body.
func want(t *testing.T, body []byte, key, expected string) {
	t.Helper()
	if got := string(jsontext.Value(body).Get(strings.Split(key, ".")...)); got != expected {
		t.Errorf("%s: got %s want %s\nin %s", key, got, expected, body)
	}
}

func lossNames(losses []llm.Loss) string {
	list := make([]string, len(losses))
	for i, l := range losses {
		list[i] = l.String()
	}
	return strings.Join(list, " ")
}

func wantLosses(t *testing.T, enc dialect.Encoded, expected string) {
	t.Helper()
	if got := lossNames(enc.Losses); got != expected {
		t.Errorf("losses: got %q want %q", got, expected)
	}
}

func said(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func user(s string) llm.Message { return said(llm.RoleUser, llm.Text(s)) }

func call(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name, Args: args}}
}

func result(id string, parts ...llm.Part) llm.Part {
	return llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id, Parts: parts}}
}

func conversation(list ...llm.Message) *llm.Request { return &llm.Request{Model: "m", Messages: list} }

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// TestIDs pairs calls and results that have ids, have none, or have them on one side only.
func TestIDs(t *testing.T) {
	calls := func(ids ...string) string {
		var list []string
		for _, id := range ids {
			list = append(list, `{"functionCall":{"name":"`+strings.Fields(id)[0]+`","args":{}`+idMember(id)+`}}`)
		}
		return `{"role":"model","parts":[` + strings.Join(list, ",") + `]}`
	}
	results := func(ids ...string) string {
		var list []string
		for i, id := range ids {
			list = append(list, `{"functionResponse":{"name":"`+strings.Fields(id)[0]+`","response":{"output":"`+string(rune('0'+i))+`"}`+idMember(id)+`}}`)
		}
		return `{"role":"user","parts":[` + strings.Join(list, ",") + `]}`
	}
	for _, c := range []struct{ name, calls, results, want string }{
		{"by id, in another order", calls("f a", "f b"), results("f b", "f a"), "0→1 1→0"},
		{"by name and order", calls("f", "g", "f"), results("g", "f", "f"), "0→1 1→0 2→2"},
		{"ids on the calls only", calls("f a", "f b"), results("f", "f"), "0→0 1→1"},
		{"ids on the results only", calls("f", "f"), results("f x", "f y"), "0→0 1→1"},
	} {
		req := mustDecode(t, `"contents":[`+hi+`,`+c.calls+`,`+c.results+`]`)
		var ids []string
		for _, p := range req.Messages[1].Parts {
			ids = append(ids, p.Call.ID)
		}
		var got []string
		for i, p := range req.Messages[2].Parts {
			got = append(got, string(rune('0'+i))+"→"+string(rune('0'+slices.Index(ids, p.Result.CallID))))
		}
		if strings.Join(got, " ") != c.want || slices.Contains(ids, "") {
			t.Errorf("%s: got %v for ids %q want %s", c.name, got, ids, c.want)
		}
		if again := mustDecode(t, `"contents":[`+hi+`,`+c.calls+`,`+c.results+`,`+hi+`]`); again.Messages[1].Parts[0].Call.ID != ids[0] {
			t.Errorf("%s: got another id when the conversation goes on", c.name)
		}
	}
}

func idMember(id string) string {
	if f := strings.Fields(id); len(f) > 1 {
		return `,"id":"` + f[1] + `"`
	}
	return ""
}

func TestResults(t *testing.T) {
	for _, c := range []struct {
		response, text string
		failed         bool
	}{
		{`{"output":"a"}`, "a", false},
		{`{"error":"no"}`, "no", true},
		{`{"error":{"code":7}}`, `{"error":{"code":7}}`, true},
		{`{"result":{"b": 12345678901234567890,"a":1}}`, `{"result":{"b":12345678901234567890,"a":1}}`, false},
		{`{"output":"a","error":"b"}`, `{"output":"a","error":"b"}`, false},
		{`{}`, "", false},
	} {
		req := mustDecode(t, `"contents":[`+hi+`,{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"name":"f","response":`+c.response+`}},{"text":"and?"}]}]`)
		r := req.Messages[2].Parts[0].Result
		text := ""
		for _, p := range r.Parts {
			text += p.Text
		}
		if text != c.text || r.Error != c.failed {
			t.Errorf("%s: got %q, failed %v want %q, %v", c.response, text, r.Error, c.text, c.failed)
		}
		if len(req.Messages) != 4 || req.Messages[3].Parts[0].Text != "and?" {
			t.Errorf("%s: got %d messages, want the text after the result", c.response, len(req.Messages))
		}
		body := encode(t, req, llm.ModelFacts{}).Body
		if !strings.Contains(string(body), `"response":`+c.response) {
			t.Errorf("got %s, want the client's own %s", body, c.response)
		}
	}
}

func TestT031ParallelCallsAreOneTurn(t *testing.T) {
	enc := encode(t, conversation(user("hi"), said(llm.RoleAssistant, call("a", "f", `{"n":1}`)), said(llm.RoleAssistant, call("b", "f", `{"n":2}`)),
		said(llm.RoleTool, result("b", llm.Text("2"))), said(llm.RoleTool, result("a", llm.Text("1"))), user("so?")), llm.ModelFacts{})
	want(t, enc.Body, "contents", `[{"role":"user","parts":[{"text":"hi"}]},`+
		`{"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{"n":1}}},{"functionCall":{"id":"b","name":"f","args":{"n":2}}}]},`+
		`{"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{"output":"1"}}},{"functionResponse":{"id":"b","name":"f","response":{"output":"2"}}}]},`+
		`{"role":"user","parts":[{"text":"so?"}]}]`)
}

// TestSignatures holds where signatures are put: A28, T069, T071.
func TestSignatures(t *testing.T) {
	own := func(place string) llm.Part { return sealed(place, "c2ln") }
	foreign := llm.Part{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{Issuer: "anthropic-messages", Signature: "claude"}}
	tool := said(llm.RoleTool, result("a", llm.Text("1")))
	for _, c := range []struct {
		name   string
		facts  llm.ModelFacts
		parts  []llm.Part
		parts2 string
		losses string
	}{
		{
			"the vendor's own is back on its call",
			llm.ModelFacts{},
			[]llm.Part{own(onCall), call("a", "f", "{}")},
			`[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2ln"}]`, "",
		},
		{
			"moved to the front by another dialect",
			llm.ModelFacts{},
			[]llm.Part{own(onCall), llm.Text("x"), call("a", "f", "{}")},
			`[{"text":"x"},{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2ln"}]`, "",
		},
		{
			"on a text",
			llm.ModelFacts{},
			[]llm.Part{llm.Text("x"), own(onText), own(onCall), call("a", "f", "{}")},
			`[{"text":"x","thoughtSignature":"c2ln"},{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"c2ln"}]`, "",
		},
		{
			"on an empty text",
			llm.ModelFacts{Thinking: llm.ThinkingBudget},
			[]llm.Part{call("a", "f", "{}"), own(onEmpty)},
			`[{"functionCall":{"id":"a","name":"f","args":{}}},{"text":"","thoughtSignature":"c2ln"}]`, "",
		},
		{
			"another vendor's is not sent, the first call gets the placeholder",
			llm.ModelFacts{},
			[]llm.Part{foreign, call("a", "f", "{}"), call("b", "f", "{}")},
			`[{"functionCall":{"id":"a","name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"id":"b","name":"f","args":{}}}]`,
			"thinking_history=dropped(harmless) thought_signature=approximated(harmless)",
		},
		{
			"older models want none",
			llm.ModelFacts{Thinking: llm.ThinkingBudget},
			[]llm.Part{foreign, call("a", "f", "{}")},
			`[{"functionCall":{"id":"a","name":"f","args":{}}}]`, "thinking_history=dropped(harmless)",
		},
		{
			"a signed thought",
			llm.ModelFacts{Thinking: llm.ThinkingBudget},
			[]llm.Part{{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{Issuer: self, Signature: "c2ln"}}, call("a", "f", "{}")},
			`[{"text":"hm","thought":true,"thoughtSignature":"c2ln"},{"functionCall":{"id":"a","name":"f","args":{}}}]`, "",
		},
	} {
		results := tool
		if strings.Contains(c.parts2, `"b"`) {
			results = said(llm.RoleTool, result("a", llm.Text("1")), result("b", llm.Text("2")))
		}
		enc := encode(t, conversation(user("hi"), said(llm.RoleAssistant, c.parts...), results), c.facts)
		if got := string(jsontext.Value(enc.Body).Get("contents")); !strings.Contains(got, `{"role":"model","parts":`+c.parts2) {
			t.Errorf("%s: got %s want %s", c.name, got, c.parts2)
		}
		if got := lossNames(enc.Losses); got != c.losses {
			t.Errorf("%s: got losses %q want %q", c.name, got, c.losses)
		}
	}
	// In an earlier turn nothing is looked for.
	enc := encode(t, conversation(user("hi"), said(llm.RoleAssistant, call("a", "f", "{}")), tool, user("and?")), llm.ModelFacts{})
	if strings.Contains(string(enc.Body), placeholder) {
		t.Errorf("got %s, want no placeholder in an earlier turn", enc.Body)
	}
	// The placeholder is nobody's signature.
	req := mustDecode(t, `"contents":[`+hi+`,{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"`+placeholder+`"}]},{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]`)
	if len(req.Messages[1].Parts) != 1 {
		t.Errorf("got %+v, want the call alone", req.Messages[1].Parts)
	}
}

// TestForeignThoughtsComeBack shows thinking of another vendor and reads it again.
func TestForeignThoughtsComeBack(t *testing.T) {
	for _, thinking := range []llm.Thinking{
		{Issuer: "anthropic-messages", Signature: "Ev.erything/+="}, {Issuer: "openai-responses", Sealed: "x.y"}, {},
	} {
		text := "hm"
		if thinking.Sealed != "" {
			text = ""
		}
		resp := &llm.Response{ID: "r", Model: "m", Choices: []llm.Choice{{
			Parts: []llm.Part{{Kind: llm.PartThinking, Text: text, Thinking: &thinking}, llm.Text("yes")},
			Stop:  llm.Stop{Reason: llm.StopEnd},
		}}}
		body, losses, err := New().Client.EncodeResponse(resp)
		if err != nil || len(losses) > 0 {
			t.Fatalf("got %v, %v", losses, err)
		}
		content := eachPartOf(body)
		req := mustDecode(t, `"contents":[`+hi+`,`+content+`,`+hi+`]`)
		got := req.Messages[1].Parts[0]
		if got.Kind != llm.PartThinking || got.Text != text || *got.Thinking != thinking {
			t.Errorf("got %+v with %+v want %+v", got, got.Thinking, thinking)
		}
		stripped, lost, err := New().Relay.Strip([]byte(`{"contents":[` + hi + `,` + content + `,` + hi + `]}`))
		if err != nil || len(lost) != 1 || strings.Contains(string(stripped), "thought") || !strings.Contains(string(stripped), "yes") {
			t.Errorf("Strip: got %s, %v, %v, want the thought gone and the text left", stripped, lost, err)
		}
	}
}

// eachPartOf is the content of an answer's only candidate.
func eachPartOf(body []byte) string {
	content := ""
	_ = jsontext.Value(body).Get("candidates").Array(func(_ int, v jsontext.Value) error {
		content = string(v.Get("content"))
		return nil
	})
	return content
}

func TestThinking(t *testing.T) {
	for _, c := range []struct {
		name    string
		control llm.ThinkingControl
		r       llm.Reasoning
		want    string
		losses  string
	}{
		{"effort by level", llm.ThinkingEffort, llm.Reasoning{Effort: "medium"}, `{"thinkingLevel":"MEDIUM"}`, ""},
		{"a level that some models lack", llm.ThinkingEffort, llm.Reasoning{Effort: "minimal"}, `{"thinkingLevel":"LOW"}`, "reasoning_effort=approximated(tuning)"},
		{"a model that can only be switched", llm.ThinkingToggle, llm.Reasoning{Effort: "high"}, ``, "reasoning_effort=dropped(tuning)"},
		{"a model that can only be switched, off", llm.ThinkingToggle, llm.Reasoning{Mode: llm.ReasoningOff}, `{"thinkingBudget":0}`, ""},
		{"a model that always reasons", llm.ThinkingAlways, llm.Reasoning{Mode: llm.ReasoningOff}, ``, "thinking_off=approximated(tuning)"},
		{"effort above the highest level", llm.ThinkingEffort, llm.Reasoning{Effort: "max"}, `{"thinkingLevel":"HIGH"}`, "reasoning_effort=approximated(tuning)"},
		{"effort by budget", llm.ThinkingBudget, llm.Reasoning{Effort: "medium"}, `{"thinkingBudget":8192}`, "reasoning_effort=approximated(tuning)"},
		{"effort none by budget", llm.ThinkingBudget, llm.Reasoning{Effort: "none"}, `{"thinkingBudget":0}`, ""},
		{"effort none by level", llm.ThinkingEffort, llm.Reasoning{Effort: "none"}, `{"thinkingLevel":"LOW"}`, "reasoning_effort=approximated(tuning)"},
		{"a budget", llm.ThinkingBudget, llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 5000, Display: "omitted"}, `{"thinkingBudget":5000,"includeThoughts":false}`, ""},
		{"a budget by level", llm.ThinkingEffort, llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 5000}, `{"thinkingLevel":"MEDIUM","includeThoughts":true}`, "thinking_budget=approximated(tuning)"},
		{"never both", llm.ThinkingBoth, llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 5000, Effort: "low"}, `{"thinkingBudget":5000,"includeThoughts":true}`, "reasoning_effort=dropped(tuning)"},
		{"adaptive by budget", llm.ThinkingBudget, llm.Reasoning{Mode: llm.ReasoningAdaptive}, `{"thinkingBudget":-1,"includeThoughts":true}`, ""},
		{"off", llm.ThinkingBudget, llm.Reasoning{Mode: llm.ReasoningOff}, `{"thinkingBudget":0}`, ""},
		{"a model that does not reason", llm.ThinkingNone, llm.Reasoning{Effort: "high"}, ``, "reasoning_effort=dropped(tuning)"},
		{"off, of a model that does not reason", llm.ThinkingNone, llm.Reasoning{Mode: llm.ReasoningOff}, ``, ""},
	} {
		req := conversation(user("hi"))
		req.Reasoning = &c.r
		enc := encode(t, req, llm.ModelFacts{Thinking: c.control})
		want(t, enc.Body, "generationConfig.thinkingConfig", c.want)
		if got := lossNames(enc.Losses); got != c.losses {
			t.Errorf("%s: got losses %q want %q", c.name, got, c.losses)
		}
	}
}

func TestT049NamesAreLegal(t *testing.T) {
	names := []string{"get weather", "std::sort", "7up", "-x", strings.Repeat("long", 20), strings.Repeat("long", 20) + "2", "get_weather", "a.b", "ä", ""}
	req := conversation(user("hi"))
	for _, n := range names {
		req.Tools = append(req.Tools, llm.Tool{Name: n})
	}
	enc := encode(t, req, llm.ModelFacts{})
	wantLosses(t, enc, "tool_name=repaired(harmless)")
	seen := map[string]bool{}
	_ = jsontext.Value(enc.Body).Get("tools").Array(func(_ int, v jsontext.Value) error {
		return v.Get("functionDeclarations").Array(func(i int, v jsontext.Value) error {
			sent := forms.TextOf(v.Get("name"))
			if !isName(sent) || seen[sent] {
				t.Errorf("%q: got %q, want a legal name of its own", names[i], sent)
			}
			seen[sent] = true
			if back, changed := enc.ToolNames[sent]; changed && back != names[i] || !changed && sent != names[i] {
				t.Errorf("%q: got %q back from %q", names[i], back, sent)
			}
			return nil
		})
	})
}

func TestFormats(t *testing.T) {
	f := &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"type":"object"}`), Strict: ptr(true)}
	req := conversation(user("hi"))
	req.Format, req.Tools = f, []llm.Tool{{Name: "f"}}
	wantLosses(t, encode(t, req, llm.ModelFacts{Thinking: llm.ThinkingBudget}), "json_schema=refused(contract)")
	want(t, encode(t, req, llm.ModelFacts{Thinking: llm.ThinkingEffort}).Body, "generationConfig", `{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}`)
	got := mustDecode(t, `"generationConfig":{"responseFormat":{"text":{"mimeType":"APPLICATION_JSON","schema":{"type":"array"}}}}`)
	if got.Format == nil || string(got.Format.Schema) != `{"type":"array"}` || !*got.Format.Strict {
		t.Errorf("responseFormat: got %+v", got.Format)
	}
	got = mustDecode(t, `"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a","b"]}}`)
	if got.Format != nil || !hasExtra(got.Extra, "generationConfig.responseMimeType") {
		t.Errorf("text/x.enum: got %+v, want it kept for the vendor alone", got)
	}
}

func TestMedia(t *testing.T) {
	req := mustDecode(t, `"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"`+strings.TrimRight(png, "=")+`"}},`+
		`{"inlineData":{"mimeType":"text/plain","data":"aGk="}},{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}},`+
		`{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/x","mimeType":"application/pdf"}},`+
		`{"fileData":{"fileUri":"https://images.example/a.jpg?x=1"}},{"fileData":{"fileUri":"https://www.youtube.com/watch?v=x"}}]}]`)
	parts := req.Messages[0].Parts
	kinds := make([]llm.PartKind, len(parts))
	for i := range parts {
		kinds[i] = parts[i].Kind
	}
	if !slices.Equal(kinds, []llm.PartKind{llm.PartImage, llm.PartDocument, llm.PartOpaque, llm.PartDocument, llm.PartImage, llm.PartOpaque}) {
		t.Fatalf("got kinds %v", kinds)
	}
	if parts[0].Media.Data != png || parts[1].Document.Text != "hi" || parts[3].Media.Issuer != self || parts[4].Media.URL == "" {
		t.Errorf("got %+v, %+v, %+v, %+v", parts[0].Media, parts[1].Document, parts[3].Media, parts[4].Media)
	}
	wrong := conversation(said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: &llm.Media{Type: "image/jpeg", Data: png}}))
	enc := encode(t, wrong, llm.ModelFacts{})
	wantLosses(t, enc, "media_type=repaired(harmless)")
	want(t, enc.Body, "contents", `[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"`+png+`"}}]}]`)
}

func TestFilesOfResults(t *testing.T) {
	picture := llm.Part{Kind: llm.PartImage, Media: &llm.Media{Type: "image/png", Data: png}}
	req := conversation(user("hi"), said(llm.RoleAssistant, call("a", "f", "")), said(llm.RoleTool, result("a", picture)), user("so?"))
	enc := encode(t, req, llm.ModelFacts{Thinking: llm.ThinkingBudget})
	wantLosses(t, enc, "tool_result_image=approximated(tuning)")
	if got := string(enc.Body); !strings.Contains(got, `"response":{}}}]},{"role":"user","parts":[{"text":"[Files of the tool result a.]"},{"inlineData":`) {
		t.Errorf("got %s, want the image in the user's turn after the result", got)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, req := range map[string]*llm.Request{
		"a call without a result":   conversation(user("hi"), said(llm.RoleAssistant, call("a", "f", "{}")), user("so?")),
		"a result without a call":   conversation(user("hi"), said(llm.RoleTool, result("a", llm.Text("1")))),
		"a file of another vendor":  conversation(said(llm.RoleUser, llm.Part{Kind: llm.PartImage, Media: &llm.Media{FileID: "file-1", Issuer: "openai-chat"}})),
		"an image among the system": conversation(said(llm.RoleSystem, llm.Part{Kind: llm.PartImage, Media: &llm.Media{Type: "image/png", Data: png}}), user("hi")),
		"a file of unknown type":    conversation(said(llm.RoleUser, llm.Part{Kind: llm.PartDocument, Media: &llm.Media{Data: "AAAA"}})),
	} {
		_, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	enc := encode(t, conversation(said(llm.RoleSystem, llm.Text("s"))), llm.ModelFacts{})
	wantLosses(t, enc, "first_message=approximated(tuning)")
	req := conversation(user("hi"))
	req.Stop = []string{"1", "2", "3", "4", "5", "6"}
	wantLosses(t, encode(t, req, llm.ModelFacts{}), "stop=refused(contract)")
}

// Chunks of a stream come back as contents of their own from an SDK that keeps the conversation.
func TestContentsOfOneTurn(t *testing.T) {
	req := mustDecode(t, `"contents":[`+hi+`,
		{"role":"model","parts":[{"text":"First ","thought":true}]},{"role":"model","parts":[{"text":"I think.","thought":true}]},
		{"role":"model","parts":[{"text":"I look."}]},
		{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c2ln"}]},{"role":"model","parts":[{"functionCall":{"name":"g","args":{}}}]},
		{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"x"}}},{"functionResponse":{"name":"g","response":{"output":"y"}}}]}]`)
	got := [][]llm.PartKind{}
	for _, m := range req.Messages {
		kinds := []llm.PartKind{}
		for _, p := range m.Parts {
			kinds = append(kinds, p.Kind)
		}
		got = append(got, kinds)
	}
	want := [][]llm.PartKind{
		{llm.PartText}, {llm.PartThinking, llm.PartText, llm.PartThinking, llm.PartToolCall, llm.PartToolCall}, {llm.PartToolResult, llm.PartToolResult},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got kinds of parts %v want %v", got, want)
	}
	if thought := req.Messages[1].Parts[0].Text; thought != "First I think." {
		t.Errorf("got thought %q want both pieces of it", thought)
	}
}
