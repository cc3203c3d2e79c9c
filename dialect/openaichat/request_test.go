package openaichat

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func decode(t *testing.T, body string) *llm.Request {
	t.Helper()
	r, err := clientSide{}.DecodeRequest([]byte(body))
	if err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return r
}

func encode(t *testing.T, r *llm.Request, facts llm.ModelFacts) (string, dialect.Encoded) {
	t.Helper()
	enc, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m", Facts: facts})
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(enc.Body), enc
}

func lossNames(losses []llm.Loss) string {
	var list []string
	for _, l := range losses {
		list = append(list, l.String())
	}
	return strings.Join(list, ", ")
}

// withMessages is a request of the given messages and other members.
func withMessages(messages string, members ...string) string {
	return `{"model":"m","messages":[` + messages + `]` + strings.Join(append([]string{""}, members...), ",") + `}`
}

const hello = `{"role":"user","content":"hi"}`

func TestToolChoices(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]`
	for _, tc := range []struct {
		choice string
		want   llm.ToolChoice
		sent   string
	}{
		{`"none"`, llm.ToolChoice{Mode: llm.ChoiceNone}, `"none"`},
		{`"auto"`, llm.ToolChoice{Mode: llm.ChoiceAuto}, `"auto"`},
		{`"required"`, llm.ToolChoice{Mode: llm.ChoiceRequired}, `"required"`},
		{`"any"`, llm.ToolChoice{Mode: llm.ChoiceRequired}, `"required"`},
		{`{"type":"function","function":{"name":"f"}}`, llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{"f"}}, `{"type":"function","function":{"name":"f"}}`},
		{`{"type":"custom","custom":{"name":"g"}}`, llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{"g"}}, `{"type":"custom","custom":{"name":"g"}}`},
		{
			`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}`,
			llm.ToolChoice{Mode: llm.ChoiceRequired, Names: []string{"f"}},
			`{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}`,
		},
	} {
		r := decode(t, withMessages(hello, tools, `"tool_choice":`+tc.choice))
		if r.ToolChoice.Mode != tc.want.Mode || !slices.Equal(r.ToolChoice.Names, tc.want.Names) {
			t.Errorf("%s: got %+v want %+v", tc.choice, r.ToolChoice, tc.want)
		}
		if body, _ := encode(t, r, llm.ModelFacts{}); !strings.Contains(body, `"tool_choice":`+tc.sent) {
			t.Errorf("%s: got %s want %s", tc.choice, body, tc.sent)
		}
	}
	r := decode(t, withMessages(hello, `"tool_choice":"none"`))
	if body, _ := encode(t, r, llm.ModelFacts{}); strings.Contains(body, "tool_choice") {
		t.Errorf("without tools: got %s, want no choice", body)
	}
}

func TestT035OrphansAreRefused(t *testing.T) {
	call := func(id string) llm.Part {
		return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: "f"}}
	}
	result := func(id string) llm.Part {
		return llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id}}
	}
	user := llm.Message{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}
	for name, list := range map[string][]llm.Message{
		"call without result":   {user, {Role: llm.RoleAssistant, Parts: []llm.Part{call("lost")}}, user},
		"one of two":            {user, {Role: llm.RoleAssistant, Parts: []llm.Part{call("a"), call("lost")}}, {Role: llm.RoleTool, Parts: []llm.Part{result("a")}}, user},
		"result without call":   {user, {Role: llm.RoleTool, Parts: []llm.Part{result("lost")}}},
		"result after the turn": {user, {Role: llm.RoleAssistant, Parts: []llm.Part{call("lost")}}, user, {Role: llm.RoleTool, Parts: []llm.Part{result("lost")}}},
		"result twice":          {user, {Role: llm.RoleAssistant, Parts: []llm.Part{call("lost")}}, {Role: llm.RoleTool, Parts: []llm.Part{result("lost"), result("lost")}}},
	} {
		_, err := providerSide{}.EncodeRequest(&llm.Request{Messages: list}, dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || !strings.Contains(e.Message, "'lost'") {
			t.Errorf("%s: got %v, want a refusal that names the id", name, err)
		}
	}
}

func TestT043LongIDsAreDerived(t *testing.T) {
	long, other := strings.Repeat("x", 41), strings.Repeat("x", 42)
	r := &llm.Request{Messages: []llm.Message{
		{Role: llm.RoleAssistant, Parts: []llm.Part{
			{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: long, Name: "f", Args: " "}},
			{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: other, Name: "f"}},
			{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "short", Name: "f"}},
		}},
		{Role: llm.RoleTool, Parts: []llm.Part{
			{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: long}},
			{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: other}},
			{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "short"}},
		}},
	}}
	body, enc := encode(t, r, llm.ModelFacts{})
	again := decode(t, body)
	ids := map[string]bool{}
	for i, p := range again.Messages[0].Parts {
		if got := again.Messages[1].Parts[i].Result.CallID; got != p.Call.ID || len(got) > maxIDLength {
			t.Errorf("call %d: got result for %q want %q, at most %d long", i, got, p.Call.ID, maxIDLength)
		}
		ids[p.Call.ID] = true
		if p.Call.Args != "{}" {
			t.Errorf("call %d: got arguments %q want {}", i, p.Call.Args)
		}
	}
	if len(ids) != 3 || !ids["short"] {
		t.Errorf("got ids %v, want three, the short one unchanged", ids)
	}
	if got := lossNames(enc.Losses); !strings.Contains(got, "tool_call_id=repaired(harmless)") {
		t.Errorf("got losses %s", got)
	}
}

func TestA35ToolNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	names := []string{"a.b", "a_b", "a/b", long, long + "x", "ünï", "plain"}
	r := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text("hi")}}}}
	for _, n := range names {
		r.Tools = append(r.Tools, llm.Tool{Name: n})
	}
	r.ToolChoice = llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{"a.b"}}
	body, enc := encode(t, r, llm.ModelFacts{})
	got := decode(t, body)
	seen := map[string]bool{}
	for i, tool := range got.Tools {
		back := tool.Name
		if name, ok := enc.ToolNames[tool.Name]; ok {
			back = name
		}
		if back != names[i] || !forms.IsOpenAIName(tool.Name, maxNameLength) || seen[tool.Name] {
			t.Errorf("%s: got %q sent, back to %q; want a legal name of its own", names[i], tool.Name, back)
		}
		seen[tool.Name] = true
	}
	if enc.ToolNames[got.ToolChoice.Names[0]] != "a.b" {
		t.Errorf("got choice %v, want the changed name", got.ToolChoice)
	}
	if !seen["a_b"] || !seen["plain"] || len(enc.ToolNames) != 5 {
		t.Errorf("got %v, want legal names unchanged and 5 mapped", enc.ToolNames)
	}
}

func TestReasoning(t *testing.T) {
	for _, tc := range []struct {
		r      llm.Reasoning
		facts  llm.ThinkingControl
		want   string
		losses string
	}{
		{llm.Reasoning{Effort: "high"}, "", `"reasoning_effort":"high"`, ""},
		{llm.Reasoning{Effort: "high"}, llm.ThinkingNone, "", "reasoning_effort=dropped(tuning)"},
		{llm.Reasoning{Effort: "high"}, llm.ThinkingAlways, "", "reasoning_effort=dropped(tuning)"},
		{llm.Reasoning{Effort: "high"}, llm.ThinkingToggle, "high", ""},
		{llm.Reasoning{Mode: llm.ReasoningOff}, "", `"reasoning_effort":"none"`, ""},
		{llm.Reasoning{Mode: llm.ReasoningOff}, llm.ThinkingNone, "", ""},
		{llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 1024}, "", `"reasoning_effort":"low"`, ""},
		{llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 4096}, "", `"reasoning_effort":"medium"`, ""},
		{llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 16384}, "", `"reasoning_effort":"high"`, ""},
		{llm.Reasoning{Mode: llm.ReasoningAdaptive}, "", "", ""},
		{llm.Reasoning{Mode: llm.ReasoningAdaptive, Effort: "low"}, "", `"reasoning_effort":"low"`, ""},
	} {
		r := decode(t, withMessages(hello))
		r.Reasoning = &tc.r
		body, enc := encode(t, r, llm.ModelFacts{Thinking: tc.facts})
		if tc.want == "" && strings.Contains(body, "reasoning_effort") || !strings.Contains(body, tc.want) {
			t.Errorf("%+v: got %s want %s", tc.r, body, tc.want)
		}
		if got := lossNames(enc.Losses); got != tc.losses {
			t.Errorf("%+v: got losses %q want %q", tc.r, got, tc.losses)
		}
	}
}

// TestUserIsWrittenOnce holds that what the dialect's own client said of who asks comes back as it was.
func TestUserIsWrittenOnce(t *testing.T) {
	const who = `"safety_identifier":"s","prompt_cache_key":"k","user":"u"`
	enc, err := providerSide{}.EncodeRequest(decode(t, withMessages(hello, who)), dialect.Target{Model: "m"})
	if err != nil || !strings.Contains(string(enc.Body), who) || jsontext.Check(enc.Body, jsontext.Limits{}) != nil {
		t.Errorf("got %s and %v, want %s in it, each once", enc.Body, err, who)
	}
}

func TestFactsWithoutSampling(t *testing.T) {
	r := decode(t, withMessages(hello, `"temperature":0.5,"top_p":0.5,"presence_penalty":1,"logprobs":true`))
	body, enc := encode(t, r, llm.ModelFacts{NoSampling: true})
	if strings.Contains(body, "temperature") || strings.Contains(body, "top_p") || strings.Contains(body, "penalty") || strings.Contains(body, "logprobs") {
		t.Errorf("got %s, want no sampling", body)
	}
	if got, want := lossNames(enc.Losses), "temperature=dropped(tuning), top_p=dropped(tuning), presence_penalty=dropped(tuning), logprobs=dropped(tuning)"; got != want {
		t.Errorf("got losses %s want %s", got, want)
	}
	r = decode(t, withMessages(hello, `"temperature":1`))
	if body, enc = encode(t, r, llm.ModelFacts{NoSampling: true}); strings.Contains(body, "temperature") || len(enc.Losses) > 0 {
		t.Errorf("temperature 1: got %s, %v, want it left out without a loss", body, enc.Losses)
	}
}

// TestLimitOfTheModel: the vendor refuses a longer answer than the model can write, so that a standby whose
// answers are shorter than the lead's would be none.
func TestLimitOfTheModel(t *testing.T) {
	r := decode(t, withMessages(hello, `"max_completion_tokens":64000`))
	for most, want := range map[int64]string{16384: `"max_completion_tokens":16384`, 64000: `"max_completion_tokens":64000`, 0: `"max_completion_tokens":64000`} {
		lost := ""
		if most == 16384 {
			lost = "max_tokens=approximated(tuning)"
		}
		if body, enc := encode(t, r, llm.ModelFacts{MaxOutput: most}); !strings.Contains(body, want) || lossNames(enc.Losses) != lost {
			t.Errorf("a model of %d: got %s, %v, want %s and %q", most, body, enc.Losses, want, lost)
		}
	}
}

// TestT073EffortsOfTheModel: the vendor refuses a word that the model does not know.
func TestT073EffortsOfTheModel(t *testing.T) {
	off, budget := llm.Reasoning{Mode: llm.ReasoningOff}, llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 20000}
	for _, tc := range []struct {
		asked        llm.Reasoning
		taken        []string
		want, losses string
	}{
		{llm.Reasoning{Effort: "max"}, []string{"none", "low", "high", "xhigh"}, `"reasoning_effort":"xhigh"`, "reasoning_effort=approximated(tuning)"},
		{llm.Reasoning{Effort: "minimal"}, []string{"none", "low", "high"}, `"reasoning_effort":"low"`, "reasoning_effort=approximated(tuning)"},
		{llm.Reasoning{Effort: "medium"}, []string{"low", "medium"}, `"reasoning_effort":"medium"`, ""},
		{llm.Reasoning{Effort: "low"}, []string{"none"}, "", "reasoning_effort=dropped(tuning)"},
		{budget, []string{"medium"}, `"reasoning_effort":"medium"`, "reasoning_effort=approximated(tuning)"},
		{off, []string{"minimal", "low"}, `"reasoning_effort":"minimal"`, "thinking_off=approximated(tuning)"},
		{off, []string{"none", "low"}, `"reasoning_effort":"none"`, ""},
		{off, nil, `"reasoning_effort":"none"`, ""},
	} {
		r := decode(t, withMessages(hello))
		r.Reasoning = &tc.asked
		body, enc := encode(t, r, llm.ModelFacts{Efforts: llm.EffortsOf(tc.taken)})
		if strings.Contains(body, "reasoning_effort") != (tc.want != "") || !strings.Contains(body, tc.want) || lossNames(enc.Losses) != tc.losses {
			t.Errorf("%+v of a model that takes %v: got %s, %v, want %s, %q", tc.asked, tc.taken, body, enc.Losses, tc.want, tc.losses)
		}
	}
}

func TestMoreStopsThanAllowed(t *testing.T) {
	r := decode(t, withMessages(hello))
	r.Stop = []string{"a", "b", "c", "d", "e"}
	body, enc := encode(t, r, llm.ModelFacts{})
	if !strings.Contains(body, `"stop":["a","b","c","d"]`) || lossNames(enc.Losses) != "stop=refused(contract)" {
		t.Errorf("got %s, %v, want four and a contract loss", body, enc.Losses)
	}
}

func TestT109StrictSchemas(t *testing.T) {
	for _, tc := range []struct {
		schema string
		strict bool
	}{
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`, true},
		{`{"type":"object","properties":{},"additionalProperties":false}`, true},
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, false},
		{`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`, false},
		{`{"type":"object","properties":{"a":{"type":["object","null"],"properties":{"b":{}}}},"required":["a"],"additionalProperties":false}`, false},
		{`{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"required":["a"],"additionalProperties":false,"$defs":{"x":{"type":"object"}}}`, false},
		{`{"type":"object","properties":{"a":{"allOf":[]}},"required":["a"],"additionalProperties":false}`, false},
		{`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}},"required":["a"],"additionalProperties":false}`, false},
		{`{"anyOf":[{"type":"string"}]}`, false},
		{`{"type":"object","properties":{"default":{"type":"string"}},"required":["default"],"additionalProperties":false}`, true},
	} {
		r := decode(t, withMessages(hello))
		yes := true
		r.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(tc.schema), Strict: &yes}
		body, enc := encode(t, r, llm.ModelFacts{})
		want := `"json_schema":{"name":"response","schema":` + tc.schema + `,"strict":`
		if !strings.Contains(body, want) || strings.Contains(body, `"strict":true`) != tc.strict {
			t.Errorf("%s: got %s, want strict %v and the schema's bytes as they are", tc.schema, body, tc.strict)
		}
		if lost := lossNames(enc.Losses) == "json_schema=approximated(tuning)"; lost == tc.strict {
			t.Errorf("%s: got losses %v", tc.schema, enc.Losses)
		}
	}
}

func TestT112SchemasKeepTheirBytes(t *testing.T) {
	const schema = `{"zeta": {"b": 1, "a": 2.0},  "type":"object", "properties": {"q": {"$ref":"#/$defs/x"}}, "$defs":{"x":{"const":1e2}}}`
	r := decode(t, withMessages(hello, `"tools":[{"type":"function","function":{"name":"f","parameters":`+schema+`}}]`))
	if body, enc := encode(t, r, llm.ModelFacts{}); !strings.Contains(body, `"parameters":`+schema) || len(enc.Losses) > 0 {
		t.Errorf("got %s, %v, want the schema unchanged", body, enc.Losses)
	}
	r = decode(t, withMessages(hello, `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g"}}]`))
	body, enc := encode(t, r, llm.ModelFacts{})
	if strings.Count(body, `"parameters":{"type":"object","properties":{}}`) != 2 || lossNames(enc.Losses) != "tool_schema=repaired(harmless)" {
		t.Errorf("got %s, %v, want an empty list of properties", body, enc.Losses)
	}
}

func TestT037NothingLeftIsNoMessage(t *testing.T) {
	r := decode(t, withMessages(hello))
	r.Messages = append(r.Messages, llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartThinking, Text: "hm", Thinking: &llm.Thinking{}}}}, r.Messages[0])
	if body, _ := encode(t, r, llm.ModelFacts{}); strings.Contains(body, "assistant") || strings.Contains(body, "hm") {
		t.Errorf("got %s, want no message of the assistant's", body)
	}
}

func TestT116ImagesFollowAllResults(t *testing.T) {
	image := llm.Part{Kind: llm.PartImage, Media: &llm.Media{URL: "https://a.example/x"}}
	r := &llm.Request{Messages: []llm.Message{
		{Role: llm.RoleAssistant, Parts: []llm.Part{
			{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f"}}, {Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "b", Name: "f"}},
		}},
		{Role: llm.RoleTool, Parts: []llm.Part{{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "a", Parts: []llm.Part{image}, Error: true}}}},
		{Role: llm.RoleTool, Parts: []llm.Part{{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "b", Parts: []llm.Part{llm.Text("ok"), image}}}}},
	}}
	body, _ := encode(t, r, llm.ModelFacts{})
	got := decode(t, body)
	if len(got.Messages) != 3 || got.Messages[2].Role != llm.RoleUser || len(got.Messages[2].Parts) != 4 {
		t.Fatalf("got %s, want both results, then one user message with both images", body)
	}
	if text := got.Messages[1].Parts[0].Result.Parts[0].Text; !strings.HasPrefix(text, errorPrefix) {
		t.Errorf("got %q, want it marked as an error", text)
	}
}

func TestEncodeRefusesWhatCannotBeSaid(t *testing.T) {
	for name, p := range map[string]llm.Part{
		"file id":                   {Kind: llm.PartImage, Media: &llm.Media{FileID: "f"}},
		"document url":              {Kind: llm.PartDocument, Media: &llm.Media{URL: "https://a.example"}},
		"a document that is no PDF": {Kind: llm.PartDocument, Media: &llm.Media{Type: "application/msword", Data: "AAAA"}},
		"document id":               {Kind: llm.PartDocument, Media: &llm.Media{FileID: "f"}},
		"audio":                     {Kind: llm.PartAudio, Media: &llm.Media{Type: "audio/ogg", Data: "AAAA"}},
		"opaque":                    {Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: "other"}},
	} {
		r := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{p}}}}
		_, err := providerSide{}.EncodeRequest(r, dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeUnsupported {
			t.Errorf("%s: got %v want %s", name, err, llm.CodeUnsupported)
		}
	}
}

func TestT128CacheMarksAreKept(t *testing.T) {
	r := decode(t, withMessages(`{"role":"system","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
		{"role":"user","content":[{"type":"text","text":"b","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"text","text":"c"}],"cache_control":{"type":"ephemeral"}},
		{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"x","content":"d","cache_control":{"type":"ephemeral"}}`,
		`"tools":[{"type":"function","cache_control":{"type":"ephemeral"},"function":{"name":"f"}},{"type":"function","function":{"name":"g","cache_control":{"type":"ephemeral"}}}]`))
	for name, mark := range map[string]*llm.CacheMark{
		"part": r.Messages[0].Parts[0].Cache, "breakpoint": r.Messages[1].Parts[0].Cache, "message": r.Messages[1].Parts[1].Cache,
		"result": r.Messages[3].Parts[0].Cache, "tool": r.Tools[0].Cache, "function": r.Tools[1].Cache,
	} {
		if mark == nil {
			t.Errorf("%s: got no mark", name)
		}
	}
	if ttl := r.Messages[0].Parts[0].Cache.TTL; ttl != "1h" {
		t.Errorf("got ttl %q want 1h", ttl)
	}
	if body, _ := encode(t, r, llm.ModelFacts{}); strings.Contains(body, "cache") {
		t.Errorf("got %s, want no mark sent", body)
	}
}

func TestFreeFormToolsStayInTheirDialect(t *testing.T) {
	const call = `{"id":"x","type":"custom","custom":{"name":"g","input":"free"}}`
	r := decode(t, withMessages(`{"role":"assistant","content":null,"tool_calls":[`+call+`]},`+hello, `"tools":[{"type":"custom","custom":{"name":"g"}}]`))
	body, _ := encode(t, r, llm.ModelFacts{})
	if !strings.Contains(body, `"tool_calls":[`+call+`]`) || !strings.Contains(body, `"tools":[{"type":"custom","custom":{"name":"g"}}]`) {
		t.Errorf("got %s, want the call and the tool as they were", body)
	}
	losses := lossNames(dialect.Contract(New(), &dialect.Dialect{Name: "other", Carries: carries()}, r))
	if losses != "messages[].content[]=refused(contract), tools[].custom=refused(contract)" {
		t.Errorf("got losses %s, want both refused elsewhere", losses)
	}
}

func TestUnknownPartsStayInTheirDialect(t *testing.T) {
	const part = `{"type":"video_url","video_url":{"url":"https://a.example"}}`
	r := decode(t, withMessages(`{"role":"user","content":[`+part+`,{"type":"refusal","refusal":"no"}]}`))
	if body, _ := encode(t, r, llm.ModelFacts{}); !strings.Contains(body, part) {
		t.Errorf("got %s, want the part as it was", body)
	}
	if got := dialect.Contract(New(), &dialect.Dialect{Name: "other", Carries: carries()}, r); len(got) == 0 || !got[0].Absolute {
		t.Errorf("got losses %v, want an absolute one", got)
	}
}

func TestDocumentsAsText(t *testing.T) {
	for _, tc := range []struct {
		doc  llm.Document
		want string
	}{
		{llm.Document{Text: "t"}, `"<document>\nt\n</document>"`},
		{llm.Document{Name: `a "b"`, Text: "t"}, `"<document title=\"a 'b'\">\nt\n</document>"`},
		{llm.Document{Name: "n", Parts: []llm.Part{llm.Text("p"), llm.Text("q")}}, `[{"type":"text","text":"<document title=\"n\">\n"},{"type":"text","text":"p"},{"type":"text","text":"q"},{"type":"text","text":"</document>"}]`},
	} {
		r := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{{Kind: llm.PartDocument, Document: &tc.doc}}}}}
		if body, _ := encode(t, r, llm.ModelFacts{}); !strings.Contains(body, tc.want) {
			t.Errorf("%+v: got %s want %s", tc.doc, body, tc.want)
		}
	}
	r := &llm.Request{Messages: []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{
		{Kind: llm.PartDocument, Media: &llm.Media{Type: "application/pdf", Data: "JVBERi0="}, Document: &llm.Document{Context: "c"}},
	}}}}
	body, _ := encode(t, r, llm.ModelFacts{})
	if !strings.Contains(body, `<document context=\"c\"/>`) || !strings.Contains(body, `"filename":"document.pdf","file_data":"data:application/pdf;base64,JVBERi0="`) {
		t.Errorf("got %s, want the context in words and a name", body)
	}
}
