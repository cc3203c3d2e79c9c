package openairesponses

import (
	"errors"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	if err := jsontext.Check([]byte(body), jsontext.Limits{}); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	r, err := clientSide{}.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("DecodeRequest: %v\n%s", err, body)
	}
	return r
}

func encode(t *testing.T, r *llm.Request) (string, []llm.Loss) {
	t.Helper()
	enc, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m"})
	if err != nil {
		t.Fatalf("EncodeRequest: %v", err)
	}
	return string(enc.Body), enc.Losses
}

// TestKeptOnTheWayToTheSameDialect: what a request of this dialect says comes out again, unless it goes without saying.
func TestKeptOnTheWayToTheSameDialect(t *testing.T) {
	const question = `"input":[{"type":"message","role":"user","content":"hi"}]`
	for _, tc := range []struct{ name, in, want string }{
		{"a question", `"input":"hi"`, question + `,"store":false`},
		{"a message without a type", `"input":[{"role":"user","content":"hi"}]`, question + `,"store":false`},
		{"kept, if it says so", `"input":"hi","store":true`, question + `,"store":true`},
		{
			"a kept conversation", `"input":[{"type":"function_call_output","call_id":"c","output":"1"}],"previous_response_id":"resp_1"`,
			`"input":[{"type":"function_call_output","call_id":"c","output":"1"}],"store":false,"previous_response_id":"resp_1"`,
		},
		{"a kept prompt", `"prompt":{"id":"pmpt_1"}`, `"input":[],"store":false,"prompt":{"id":"pmpt_1"}`},
		{
			"references", `"input":[{"type":"item_reference","id":"fc_1"},{"type":"function_call_output","call_id":"c","output":"1"}]`,
			`"input":[{"type":"item_reference","id":"fc_1"},{"type":"function_call_output","call_id":"c","output":"1"}],"store":false`,
		},
		{
			"a tool of the vendor's", question + `,"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}`,
			question + `,"tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"},"store":false`,
		},
		{
			"a free-form tool", question + `,"tools":[{"type":"custom","name":"run","description":"d"}],"tool_choice":{"type":"custom","name":"run"}`,
			question + `,"tools":[{"type":"custom","name":"run","description":"d"}],"tool_choice":{"type":"custom","name":"run"},"store":false`,
		},
		{
			"its calls", `"input":[{"type":"custom_tool_call","call_id":"c","name":"run","input":"a \"b\""},{"type":"custom_tool_call_output","call_id":"c","output":"1"}]`,
			`"input":[{"type":"custom_tool_call","call_id":"c","name":"run","input":"a \"b\""},{"type":"custom_tool_call_output","call_id":"c","output":"1"}],"store":false`,
		},
		{
			"allowed tools", question + `,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}`,
			question + `,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]},"store":false`,
		},
		{
			"allowed tools of the vendor's", question + `,"tools":[{"type":"mcp","server_label":"s"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"s"}]}`,
			question + `,"tools":[{"type":"mcp","server_label":"s"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"s"}]},"store":false`,
		},
		{
			"reasoning", question + `,"reasoning":{"effort":"low","summary":"detailed","mode":"pro"}`,
			question + `,"reasoning":{"effort":"low","summary":"detailed","mode":"pro"},"include":["reasoning.encrypted_content"],"store":false`,
		},
		{
			"encrypted reasoning", `"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},{"type":"message","role":"assistant","content":"so"},{"type":"message","role":"user","content":"hi"}]`,
			`"input":[{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA"},{"type":"message","role":"assistant","content":"so"},{"type":"message","role":"user","content":"hi"}],"store":false`,
		},
		{
			"phases", `"input":[{"type":"message","role":"assistant","content":"so","phase":"commentary"},{"role":"user","content":"hi"}]`,
			`"input":[{"type":"message","role":"assistant","content":"so","phase":"commentary"},{"type":"message","role":"user","content":"hi"}],"store":false`,
		},
		{
			"an original image", `"input":[{"role":"user","content":[{"type":"input_image","file_id":"file_1","detail":"original"}]}]`,
			`"input":[{"type":"message","role":"user","content":[{"type":"input_image","file_id":"file_1","detail":"original"}]}],"store":false`,
		},
		{
			"content of an unknown type", `"input":[{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"video","url":"u"},{"type":"message","a":1}]}]`,
			`"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},{"type":"video","url":"u"},{"type":"message","a":1}]}],"store":false`,
		},
		{"unknown members", question + `,"text":{"verbosity":"low","new":1},"newer":{"a":2}`, question + `,"text":{"verbosity":"low","new":1},"store":false,"newer":{"a":2}`},
		{
			"what the vendor's tools did", `"input":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"role":"user","content":"hi"}]`,
			`"input":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},{"type":"message","role":"user","content":"hi"}],"store":false`,
		},
	} {
		got, losses := encode(t, decode(t, `{"model":"x",`+tc.in+`}`))
		if want := `{"model":"m",` + tc.want + `}`; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, want)
		}
		if len(losses) > 0 {
			t.Errorf("%s: got losses %v want none", tc.name, losses)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	for _, tc := range []struct{ body, param string }{
		{`{"input":"hi"}`, "model"},
		{`{"model":"m"}`, "input"},
		{`{"model":"m","input":7}`, "input"},
		{`{"model":"m","input":[7]}`, "input[0]"},
		{`{"model":"m","input":[{"role":"robot","content":"x"}]}`, "input[0].role"},
		{`{"model":"m","input":[{"role":"user"}]}`, "input[0].content"},
		{`{"model":"m","input":[{"role":"system","content":[{"type":"input_image","image_url":"https://a.example/b.png"}]}]}`, "input[0].content"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}`, "input[0].content[0]"},
		{`{"model":"m","input":[{"role":"user","content":[{"type":"input_file","filename":"a"}]}]}`, "input[0].content[0]"},
		{`{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}`, "input[0].call_id"},
		{`{"model":"m","input":[{"type":"function_call","call_id":"c","arguments":"{}"}]}`, "input[0].name"},
		{`{"model":"m","input":[{"type":"function_call_output","call_id":"c"}]}`, "input[0].output"},
		{`{"model":"m","input":"x","temperature":3}`, "temperature"},
		{`{"model":"m","input":"x","max_output_tokens":0}`, "max_output_tokens"},
		{`{"model":"m","input":"x","reasoning":{"effort":"much"}}`, "reasoning.effort"},
		{`{"model":"m","input":"x","text":{"format":{"type":"xml"}}}`, "text.format.type"},
		{`{"model":"m","input":"x","tools":[{"name":"f"}]}`, "tools[0].type"},
		{`{"model":"m","input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"function","name":"g"}}`, "tool_choice"},
	} {
		_, err := clientSide{}.DecodeRequest([]byte(tc.body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != tc.param {
			t.Errorf("%s: got %v (param %q) want an invalid request at %s", tc.body, err, e.Param, tc.param)
		}
	}
}

// TestA37CustomToolsAreFunctionsElsewhere is acceptance case A37, and T021, on the way there and on the way back.
func TestA37CustomToolsAreFunctionsElsewhere(t *testing.T) {
	r := decode(t, `{"model":"m","input":"go","tools":[{"type":"custom","name":"run","description":"Runs it"}],"tool_choice":{"type":"custom","name":"run"}}`)
	tool := r.Tools[0]
	if tool.Opaque != nil || tool.Name != "custom:run" || tool.Description != "Runs it" || !strings.Contains(string(tool.Schema), `"input"`) {
		t.Errorf("got tool %+v want a function with the argument input", tool)
	}
	if r.ToolChoice.Mode != llm.ChoiceNamed || r.ToolChoice.Names[0] != tool.Name {
		t.Errorf("got choice %+v want that tool", r.ToolChoice)
	}
	for args, input := range map[string]string{`{"input":"a\nb"}`: "a\nb", `{"command":"ls"}`: `{"command":"ls"}`, `ls -l`: "ls -l", ``: ""} {
		answer := &llm.Response{ID: "resp_1", Choices: []llm.Choice{{
			Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "c1", Name: "custom:run", Args: args}}},
			Stop:  llm.Stop{Reason: llm.StopToolCalls},
		}}}
		body, _, err := clientSide{}.EncodeResponse(answer)
		if err != nil {
			t.Fatal(err)
		}
		item := firstItem(t, body)
		if !is(item.Get("type"), "custom_tool_call") || textOf(item.Get("name")) != "run" || textOf(item.Get("input")) != input {
			t.Errorf("%s: got %s want a call of run with input %q", args, item, input)
		}
	}
}

func firstItem(t *testing.T, body []byte) jsontext.Value {
	t.Helper()
	var first jsontext.Value
	err := jsontext.Value(body).Get("output").Array(func(i int, v jsontext.Value) error {
		if i == 0 {
			first = v
		}
		return nil
	})
	if err != nil || first == nil {
		t.Fatalf("got no items: %v in %s", err, body)
	}
	return first
}

// TestForeignFunctionThatLooksCustom: a name is not enough to make a function of another dialect a free-form tool.
func TestForeignFunctionThatLooksCustom(t *testing.T) {
	body, losses := encode(t, &llm.Request{
		Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}},
		Tools:    []llm.Tool{{Name: "custom:x"}},
	})
	if !strings.Contains(body, `"type":"function","name":"custom_x"`) || len(losses) != 1 || losses[0].Feature != "tool_name" {
		t.Errorf("got %s, %v want a function with a legal name", body, losses)
	}
}

func TestVendorItemsInWords(t *testing.T) {
	for _, tc := range []struct {
		item, words string
		role        llm.Role
	}{
		{`{"type":"web_search_call","action":{"type":"search","query":"lighthouse","sources":[{"type":"url","url":"https://a.example"}]}}`, "[Searched the web for: lighthouse\nhttps://a.example]", llm.RoleAssistant},
		{`{"type":"web_search_call","action":{"type":"open_page","url":"https://a.example"}}`, "[Opened the page https://a.example]", llm.RoleAssistant},
		{`{"type":"file_search_call","queries":["a","b"],"results":[{"filename":"f.txt","text":"found"}]}`, "[Searched files for: a, b\nf.txt: found]", llm.RoleAssistant},
		{`{"type":"code_interpreter_call","code":"1+1","outputs":[{"type":"logs","logs":"2"},{"type":"image","url":"u"}]}`, "[Ran the code:\n1+1\nOutput: 2\nIt made an image.]", llm.RoleAssistant},
		{`{"type":"mcp_call","server_label":"s","name":"n","arguments":"{}","output":"o"}`, "[Called s.n with {}\nIt returned:\no]", llm.RoleAssistant},
		{`{"type":"shell_call","call_id":"c","action":{"commands":["ls","pwd"]}}`, "[Ran the commands:\nls\npwd]", llm.RoleAssistant},
		{`{"type":"shell_call_output","call_id":"c","output":[{"stdout":"a","stderr":""}]}`, "[Output of the commands:\na]", llm.RoleUser},
		{`{"type":"apply_patch_call","call_id":"c","operation":{"type":"create_file","path":"a","diff":"+x"}}`, "[Patch: create_file a\n+x]", llm.RoleAssistant},
		{`{"type":"item_reference","id":"rs_1"}`, "", llm.RoleUser},
		{`{"type":"compaction","encrypted_content":"x"}`, "", llm.RoleAssistant},
		{`{"type":"image_generation_call","result":"iVBO"}`, "", llm.RoleAssistant},
		{`{"type":"computer_call_output","call_id":"c","output":{}}`, "", llm.RoleUser},
		{`{"type":"some_new_item"}`, "", llm.RoleAssistant},
	} {
		r := decode(t, `{"model":"m","input":[`+tc.item+`,{"role":"user","content":"And?"}]}`)
		p := r.Messages[0].Parts[0]
		if p.Kind != llm.PartOpaque || p.Text != tc.words || r.Messages[0].Role != tc.role {
			t.Errorf("%s: got %s, %q want %s, %q", tc.item, r.Messages[0].Role, p.Text, tc.role, tc.words)
		}
		want := llm.FeatureVendorPart
		if tc.words != "" {
			want = llm.FeatureVendorPartText
		}
		losses := dialect.Contract(New(), &dialect.Dialect{Name: "other"}, r)
		refused, _ := llm.LossLenient.Apply(losses)
		if losses[0].Feature != want || (len(refused) > 0) != (tc.words == "") {
			t.Errorf("%s: got losses %v, refused %v want %s, refused only without words", tc.item, losses, refused, want)
		}
	}
}

// TestThinkingMovesAndComesBack carries thinking of another vendor through a client of this dialect (T063).
func TestThinkingMovesAndComesBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		part llm.Part
		want llm.Thinking
	}{
		{"signed", llm.Part{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{Issuer: "other", Signature: "c2ln"}}, llm.Thinking{Issuer: "other", Signature: "c2ln"}},
		{"sealed", llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: "other", Sealed: "a.signed.b"}}, llm.Thinking{Issuer: "other", Sealed: "a.signed.b"}},
		{"unsigned", llm.Part{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{}}, llm.Thinking{}},
		{"its own", llm.Part{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{Issuer: self, Signature: "rs_1/gA/B"}}, llm.Thinking{Issuer: self, Signature: "rs_1/gA/B"}},
	} {
		body, _, err := clientSide{}.EncodeResponse(&llm.Response{ID: "resp_1", Choices: []llm.Choice{{
			Parts: []llm.Part{tc.part, llm.Text("so")}, Stop: llm.Stop{Reason: llm.StopEnd},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		next := `{"model":"m","input":` + string(jsontext.Value(body).Get("output")) + `}`
		r := decode(t, next)
		p := r.Messages[0].Parts[0]
		if p.Kind != llm.PartThinking || p.Text != tc.part.Text || *p.Thinking != tc.want {
			t.Errorf("%s: got %q, %+v want %q, %+v", tc.name, p.Text, p.Thinking, tc.part.Text, tc.want)
		}
		stripped, losses, err := relay{}.Strip([]byte(next))
		if err != nil {
			t.Fatal(err)
		}
		if isOwn := tc.want.Issuer == self; strings.Contains(string(stripped), "reasoning") != isOwn || (len(losses) == 0) != isOwn {
			t.Errorf("%s: stripped: got %s, %v", tc.name, stripped, losses)
		}
		if !strings.Contains(string(stripped), `"text":"so"`) {
			t.Errorf("%s: stripped: got %s want the message kept", tc.name, stripped)
		}
	}
}

func TestEncodedRequests(t *testing.T) {
	user := llm.Message{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}
	limit := int64(5)
	for _, tc := range []struct {
		name   string
		edit   func(*llm.Request)
		facts  llm.ModelFacts
		has    string
		losses string
	}{
		{"the least limit", func(r *llm.Request) { r.MaxTokens = &limit }, llm.ModelFacts{}, `"max_output_tokens":16`, "max_tokens=approximated(tuning)"},
		{"the most that the model writes", func(r *llm.Request) { more := int64(64000); r.MaxTokens = &more }, llm.ModelFacts{MaxOutput: 32768}, `"max_output_tokens":32768`, "max_tokens=approximated(tuning)"},
		{"T073 an effort that the model lacks", func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Effort: "max"} }, llm.ModelFacts{Efforts: llm.EffortsOf([]string{"low", "high"})}, `"reasoning":{"effort":"high"}`, "reasoning_effort=approximated(tuning)"},
		{"T061 visible thinking", func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 2000} }, llm.ModelFacts{}, `"reasoning":{"effort":"low","summary":"auto"}`, ""},
		{"no thinking", func(r *llm.Request) { r.Reasoning = &llm.Reasoning{Effort: "high"} }, llm.ModelFacts{Thinking: llm.ThinkingNone}, `"content":"hi"}],"store":false}`, "reasoning_effort=dropped(tuning)"},
		{"a model known to reason", func(*llm.Request) {}, llm.ModelFacts{Thinking: llm.ThinkingEffort}, `"include":["reasoning.encrypted_content"]`, ""},
		{"no sampling", func(r *llm.Request) { half := 0.5; r.Temperature = &half }, llm.ModelFacts{NoSampling: true}, `"content":"hi"}],"store":false}`, "temperature=dropped(tuning)"},
		{"a long user id", func(r *llm.Request) { r.User = strings.Repeat("u", 65) }, llm.ModelFacts{}, `"safety_identifier":"3I8GqBhASmkqciS9ccptvj"`, "user=emulated(harmless)"},
	} {
		r := &llm.Request{Messages: []llm.Message{user}}
		tc.edit(r)
		enc, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m", Facts: tc.facts})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if got := llm.FormatLosses(enc.Losses, 1000); !strings.Contains(string(enc.Body), tc.has) || got != tc.losses {
			t.Errorf("%s: got %s, %q want %s, %q", tc.name, enc.Body, got, tc.has, tc.losses)
		}
	}
}

// TestReasoningIsGivenBackWithWhatCameOfIt: the vendor refuses it alone, and a model that does not reason has no use for it.
func TestReasoningIsGivenBackWithWhatCameOfIt(t *testing.T) {
	thought := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: self, Sealed: "rs_1/gAAA"}}
	question := llm.Message{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}
	for _, tc := range []struct {
		name  string
		parts []llm.Part
		facts llm.ModelFacts
		sent  bool
	}{
		{"with text", []llm.Part{thought, llm.Text("so")}, llm.ModelFacts{}, true},
		{"twice, with text", []llm.Part{thought, thought, llm.Text("so")}, llm.ModelFacts{}, true},
		{"after it", []llm.Part{llm.Text("so"), thought}, llm.ModelFacts{}, false},
		{"alone", []llm.Part{thought}, llm.ModelFacts{}, false},
		{"for a model that does not reason", []llm.Part{thought, llm.Text("so")}, llm.ModelFacts{Thinking: llm.ThinkingNone}, false},
	} {
		enc, err := providerSide{}.EncodeRequest(&llm.Request{
			Messages: []llm.Message{question, {Role: llm.RoleAssistant, Parts: tc.parts}, question},
		}, dialect.Target{Model: "m", Facts: tc.facts})
		if err != nil {
			t.Fatal(err)
		}
		if sent := strings.Contains(string(enc.Body), `"encrypted_content":"gAAA"`); sent != tc.sent || (len(enc.Losses) == 0) != tc.sent {
			t.Errorf("%s: got %s, losses %v want it sent: %v", tc.name, enc.Body, enc.Losses, tc.sent)
		}
	}
}

// TestT044LongIDs: a call and its result keep one id, of a length that the API takes.
func TestT044LongIDs(t *testing.T) {
	id := strings.Repeat("x", 65)
	body, losses := encode(t, &llm.Request{Messages: []llm.Message{
		{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: "f"}}}},
		{Role: llm.RoleTool, Parts: []llm.Part{{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id}}}},
	}})
	var ids []string
	_ = jsontext.Value(body).Get("input").Array(func(_ int, v jsontext.Value) error {
		ids = append(ids, textOf(v.Get("call_id")))
		return nil
	})
	if len(ids) != 2 || ids[0] != ids[1] || len(ids[0]) > maxIDLength || len(losses) != 1 {
		t.Errorf("got ids %q, losses %v want one short id, and that it was changed", ids, losses)
	}
}

func TestOrphansAreRefused(t *testing.T) {
	call := llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "c", Name: "f"}}
	result := llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "c"}}
	for name, list := range map[string][]llm.Message{
		"a result alone": {{Role: llm.RoleTool, Parts: []llm.Part{result}}},
		"a call alone":   {{Role: llm.RoleAssistant, Parts: []llm.Part{call}}, {Role: llm.RoleUser, Parts: []llm.Part{llm.Text("x")}}},
	} {
		if _, err := (providerSide{}).EncodeRequest(&llm.Request{Messages: list}, dialect.Target{Model: "m"}); err == nil {
			t.Errorf("%s: got it sent, want it refused", name)
		}
	}
	// The result may stand anywhere after the call.
	encode(t, &llm.Request{Messages: []llm.Message{
		{Role: llm.RoleAssistant, Parts: []llm.Part{call}}, {Role: llm.RoleUser, Parts: []llm.Part{llm.Text("x")}}, {Role: llm.RoleTool, Parts: []llm.Part{result}},
	}})
}

// TestNamespacesInAnswers: a call of a namespace's tool tells the client both names, as a call in its input does (T022).
func TestNamespacesInAnswers(t *testing.T) {
	decoded, err := clientSide{}.DecodeRequest([]byte(`{"model":"m","input":[{"role":"user","content":"hi"},` +
		`{"type":"additional_tools","role":"developer","tools":[{"type":"namespace","name":"crm","description":"Customers.","tools":[{"type":"function","name":"get"},{"type":"custom","name":"note"}]}]},` +
		`{"type":"function_call","call_id":"a","namespace":"crm","name":"get","arguments":"{}"},{"type":"custom_tool_call","call_id":"b","namespace":"crm","name":"note","input":"x"},` +
		`{"type":"function_call_output","call_id":"a","output":"1"},{"type":"custom_tool_call_output","call_id":"b","output":"2"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	answer := &llm.Response{Choices: []llm.Choice{{Stop: llm.Stop{Reason: llm.StopToolCalls}}}}
	for i, p := range decoded.Messages[1].Parts {
		if want := decoded.Tools[i].Name; p.Call.Name != want {
			t.Errorf("got a call of %q want %q", p.Call.Name, want)
		}
		answer.Choices[0].Parts = append(answer.Choices[0].Parts, p)
	}
	body, _, err := clientSide{}.EncodeResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"call_id":"a","name":"get","namespace":"crm","arguments":"{}"`, `"call_id":"b","name":"note","namespace":"crm","input":"x"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("got %s want %s in it", body, want)
		}
	}
	for _, name := range []string{"get", "namespace:", "namespace:crm", "namespace:crm:", "namespace::get", "crm:get"} {
		if space, bare := splitNamespace(name); space != "" || bare != name {
			t.Errorf("%s: got %q, %q want it whole", name, space, bare)
		}
	}
}
