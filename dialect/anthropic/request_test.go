package anthropic

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

func ptr[T any](v T) *T { return &v }

// decode reads a request with these members besides model, max_tokens and one message, which it may replace.
func decode(t *testing.T, members string) (*llm.Request, error) {
	t.Helper()
	body := `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]`
	if strings.Contains(members, `"messages"`) {
		body = `{"model":"m","max_tokens":100`
	}
	if members != "" {
		body += "," + members
	}
	body += "}"
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

// conversation is a request of these messages.
func conversation(messages ...llm.Message) *llm.Request {
	return &llm.Request{Model: "m", MaxTokens: ptr(int64(4096)), Messages: messages}
}

func said(role llm.Role, parts ...llm.Part) llm.Message { return llm.Message{Role: role, Parts: parts} }

func user(text string) llm.Message { return said(llm.RoleUser, llm.Text(text)) }

func called(id, name, args string) llm.Part {
	return llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name, Args: args}}
}

func answered(id, text string) llm.Part {
	return llm.Part{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: id, Parts: []llm.Part{llm.Text(text)}}}
}

func TestMessagesBecomeTurns(t *testing.T) {
	system := func(s string) llm.Message { return said(llm.RoleSystem, llm.Text(s)) }
	for _, c := range []struct {
		name     string
		facts    llm.ModelFacts
		messages []llm.Message
		system   string
		want     string
		losses   string
	}{
		{
			name:     "A30, A31: leading system and developer messages are a block each",
			messages: []llm.Message{system("a"), said(llm.RoleDeveloper, llm.Text("b")), user("x")},
			system:   `[{"type":"text","text":"a"},{"type":"text","text":"b"}]`, want: `[{"role":"user","content":"x"}]`,
		},
		{
			name:     "T041: a system message between a call and its result comes after the result",
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, called("a", "n", "")), system("s"), said(llm.RoleTool, answered("a", "r"))},
			want: `[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"n","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"r"},{"type":"text","text":"<system_instruction>\ns\n</system_instruction>"}]}]`,
			losses: "tool_definitions=emulated(harmless) system_position=approximated(tuning)",
		},
		{
			name: "T041: and where the model takes system messages, too", facts: llm.ModelFacts{MidSystem: true},
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, called("a", "n", "")), system("s"), said(llm.RoleTool, answered("a", "r")), user("y")},
			want: `[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"n","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"r"}]},{"role":"system","content":"s"},{"role":"user","content":"y"}]`,
			losses: "tool_definitions=emulated(harmless)",
		},
		{
			name:     "T036, T037: empty texts and messages are left out",
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, llm.Text("")), said(llm.RoleUser), user("y")},
			want:     `[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}]`,
			losses:   "empty_message=dropped(harmless)",
		},
		{
			name:     "white space says nothing",
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, llm.Text("\n\n"), called("a", "n", "")), said(llm.RoleTool, answered("a", "r"))},
			want: `[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"n","input":{}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"r"}]}]`,
			losses: "tool_definitions=emulated(harmless)",
		},
		{
			name:     "no conversation",
			messages: []llm.Message{system("s")},
			system:   `"s"`, want: `[{"role":"user","content":"(The conversation begins here.)"}]`,
			losses: "first_message=approximated(tuning)",
		},
		{
			name:     "a prefill on a model that takes none",
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, llm.Text("y"))},
			want:     `[{"role":"user","content":"x"}]`,
			losses:   "prefill=refused(contract)",
		},
		{
			name: "a prefill that ends in white space", facts: llm.ModelFacts{Prefill: true},
			messages: []llm.Message{user("x"), said(llm.RoleAssistant, llm.Text("y \n"))},
			want:     `[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]`,
			losses:   "prefill=repaired(harmless)",
		},
	} {
		enc := encode(t, conversation(c.messages...), c.facts)
		t.Run(c.name, func(t *testing.T) {
			want(t, enc.Body, "messages", c.want)
			want(t, enc.Body, "system", c.system)
			got := strings.Fields(lossNames(enc.Losses))
			expected := strings.Fields(c.losses)
			slices.Sort(got)
			slices.Sort(expected)
			if !slices.Equal(got, expected) {
				t.Errorf("losses: got %q want %q", got, expected)
			}
		})
	}
}

func TestT035OrphansAreRefused(t *testing.T) {
	for name, messages := range map[string][]llm.Message{
		"toolu_lost": {user("x"), said(llm.RoleAssistant, called("toolu_lost", "n", "")), user("y"), said(llm.RoleAssistant, llm.Text("z")), user("w")},
		"toolu_end":  {user("x"), said(llm.RoleAssistant, called("toolu_end", "n", ""))},
		"toolu_none": {user("x"), said(llm.RoleTool, answered("toolu_none", "r"))},
		"toolu_two":  {user("x"), said(llm.RoleAssistant, called("toolu_two", "n", "")), said(llm.RoleTool, answered("toolu_two", "r"), answered("toolu_two", "r"))},
	} {
		_, err := New().Provider.EncodeRequest(conversation(messages...), dialect.Target{Model: "m"})
		var e *llm.Error
		if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || !strings.Contains(e.Message, name) {
			t.Errorf("%s: got %v, want the client told of that id", name, err)
		}
	}
}

func TestT045CallIDs(t *testing.T) {
	messages := []llm.Message{
		user("x"),
		said(llm.RoleAssistant, called("call:1", "n", ""), called("fine-1", "n", ""), called("", "n", "")),
		said(llm.RoleTool, answered("", "c"), answered("call:1", "a"), answered("fine-1", "b")),
		said(llm.RoleAssistant, called("fine-1", "n", "")),
		said(llm.RoleTool, answered("fine-1", "d")),
	}
	body := encode(t, conversation(messages...), llm.ModelFacts{}).Body
	again := encode(t, conversation(messages...), llm.ModelFacts{}).Body
	if string(body) != string(again) {
		t.Errorf("got two encodings of one request:\n%s\n%s", body, again)
	}
	sent := map[string]string{} // by the result's text
	seen := map[string]bool{}
	req := mustDecode(t, `"messages":`+string(jsontext.Value(body).Get("messages")))
	for _, m := range req.Messages {
		for _, p := range m.Parts {
			switch {
			case p.Call != nil && (seen[p.Call.ID] || !isWord(p.Call.ID, maxID)):
				t.Errorf("call id %q: got it twice or illegal", p.Call.ID)
			case p.Call != nil:
				seen[p.Call.ID] = true
			case p.Result != nil:
				sent[p.Result.Parts[0].Text] = p.Result.CallID
				if !seen[p.Result.CallID] {
					t.Errorf("result %q: got id %q of no call", p.Result.Parts[0].Text, p.Result.CallID)
				}
			}
		}
	}
	if sent["b"] != "fine-1" || sent["d"] == "fine-1" || len(sent) != 4 {
		t.Errorf("ids by result: got %v", sent)
	}
}

func TestT050ToolNames(t *testing.T) {
	long := strings.Repeat("n", 200)
	req := conversation(user("x"), said(llm.RoleAssistant, called("a", "my.tool", "{}")), said(llm.RoleTool, answered("a", "r")))
	for _, name := range []string{"my.tool", "my_tool", "my tool", long, long + "x"} {
		req.Tools = append(req.Tools, llm.Tool{Name: name})
	}
	req.ToolChoice = llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{"my.tool"}}
	enc := encode(t, req, llm.ModelFacts{})
	wantLosses(t, enc, "tool_name=repaired(harmless)")
	decoded := mustDecode(t, `"tools":`+string(jsontext.Value(enc.Body).Get("tools")))
	var sent []string
	for _, tool := range decoded.Tools {
		if !isWord(tool.Name, maxName) || slices.Contains(sent, tool.Name) {
			t.Errorf("got name %q, illegal or twice", tool.Name)
		}
		sent = append(sent, tool.Name)
	}
	if sent[1] != "my_tool" || enc.ToolNames[sent[0]] != "my.tool" || enc.ToolNames["my_tool"] != "" || len(enc.ToolNames) != 4 {
		t.Errorf("got names %q, map %v", sent, enc.ToolNames)
	}
	want(t, enc.Body, "tool_choice", `{"type":"tool","name":"`+sent[0]+`"}`)
	if !strings.Contains(string(enc.Body), `"name":"`+sent[0]+`","input":{}`) {
		t.Errorf("got another name in the history: %s", enc.Body)
	}
}

func TestT017CutArgumentsInHistory(t *testing.T) {
	req := conversation(user("x"), said(llm.RoleAssistant, called("a", "n", `{"city":"Os`)), said(llm.RoleTool, answered("a", "r")))
	req.Tools = []llm.Tool{{Name: "n"}}
	enc := encode(t, req, llm.ModelFacts{})
	wantLosses(t, enc, "tool_arguments=approximated(tuning)")
	if !strings.Contains(string(enc.Body), `"input":{}`) {
		t.Errorf("got %s, want empty arguments", enc.Body)
	}
}

func TestT023ToolChoice(t *testing.T) {
	no := false
	for _, c := range []struct {
		choice   llm.ToolChoice
		parallel *bool
		want     string
		tools    int
	}{
		{llm.ToolChoice{}, nil, "", 2},
		{llm.ToolChoice{}, &no, `{"type":"auto","disable_parallel_tool_use":true}`, 2},
		{llm.ToolChoice{Mode: llm.ChoiceAuto}, nil, `{"type":"auto"}`, 2},
		{llm.ToolChoice{Mode: llm.ChoiceNone}, &no, `{"type":"none"}`, 2},
		{llm.ToolChoice{Mode: llm.ChoiceRequired}, &no, `{"type":"any","disable_parallel_tool_use":true}`, 2},
		{llm.ToolChoice{Mode: llm.ChoiceNamed, Names: []string{"b"}}, nil, `{"type":"tool","name":"b"}`, 2},
		{llm.ToolChoice{Mode: llm.ChoiceRequired, Names: []string{"b"}}, nil, `{"type":"any"}`, 1},
	} {
		req := conversation(user("x"))
		req.Tools = []llm.Tool{{Name: "a"}, {Name: "b"}}
		req.ToolChoice, req.ParallelCalls = c.choice, c.parallel
		body := encode(t, req, llm.ModelFacts{}).Body
		want(t, body, "tool_choice", c.want)
		if n := strings.Count(string(body), `"input_schema"`); n != c.tools {
			t.Errorf("%+v: got %d tools want %d", c.choice, n, c.tools)
		}
		req.Tools = nil
		want(t, encode(t, req, llm.ModelFacts{}).Body, "tool_choice", "")
	}
}

func TestAllowedToolsThatAreNotDefined(t *testing.T) {
	req := conversation(user("x"))
	req.Tools = []llm.Tool{{Name: "a"}}
	req.ToolChoice = llm.ToolChoice{Mode: llm.ChoiceAuto, Names: []string{"b"}}
	_, err := New().Provider.EncodeRequest(req, dialect.Target{Model: "m"})
	var e *llm.Error
	if !errors.As(err, &e) || e.Code != llm.CodeInvalidRequest || e.Param != "tool_choice" {
		t.Errorf("got %v, want the client told of its tool_choice", err)
	}
}

func TestThinkingControl(t *testing.T) {
	budget := llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 10000}
	for _, c := range []struct {
		name             string
		reasoning        llm.Reasoning
		facts            llm.ModelFacts
		max              int64
		choice           llm.ChoiceMode
		thinking, effort string
		losses           string
	}{
		{"T073 effort, adaptive model", llm.Reasoning{Effort: "high"}, llm.ModelFacts{Thinking: llm.ThinkingAdaptive}, 0, "", `{"type":"adaptive"}`, `"high"`, "reasoning_effort=emulated(harmless)"},
		{"minimal effort", llm.Reasoning{Effort: "minimal"}, llm.ModelFacts{}, 0, "", `{"type":"adaptive"}`, `"low"`, "reasoning_effort=approximated(tuning) reasoning_effort=emulated(harmless)"},
		{"T073 an effort that the model lacks", llm.Reasoning{Effort: "xhigh"}, llm.ModelFacts{Efforts: llm.EffortsOf([]string{"low", "high", "max"})}, 0, "", `{"type":"adaptive"}`, `"high"`, "reasoning_effort=approximated(tuning) reasoning_effort=emulated(harmless)"},
		{"T073 effort, budget model", llm.Reasoning{Effort: "medium"}, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 0, "", `{"type":"enabled","budget_tokens":8192}`, "", "reasoning_effort=approximated(tuning)"},
		{"effort, no reasoning", llm.Reasoning{Effort: "high"}, llm.ModelFacts{Thinking: llm.ThinkingNone}, 0, "", "", "", "reasoning_effort=dropped(tuning)"},
		{"effort none", llm.Reasoning{Effort: "none"}, llm.ModelFacts{}, 0, "", `{"type":"disabled"}`, "", ""},
		{"off, with an effort too high", llm.Reasoning{Mode: llm.ReasoningOff, Effort: "max"}, llm.ModelFacts{}, 0, "", `{"type":"disabled"}`, "", "reasoning_effort=dropped(tuning)"},
		{"T075 budget, adaptive model", budget, llm.ModelFacts{Thinking: llm.ThinkingAdaptive}, 0, "", `{"type":"adaptive"}`, `"medium"`, "thinking_budget=approximated(tuning)"},
		{"budget, budget model", budget, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 0, "", `{"type":"enabled","budget_tokens":10000}`, "", ""},
		{"T076 budget above max_tokens", budget, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 6000, "", `{"type":"enabled","budget_tokens":3000}`, "", "thinking_budget=approximated(tuning)"},
		{"T076 no room", budget, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 800, "", "", "", "thinking_budget=dropped(tuning)"},
		{"forced tool", budget, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 0, llm.ChoiceRequired, "", "", "thinking_budget=dropped(tuning)"},
		{"adaptive, budget model", llm.Reasoning{Mode: llm.ReasoningAdaptive}, llm.ModelFacts{Thinking: llm.ThinkingBudget}, 0, "", `{"type":"enabled","budget_tokens":8192}`, "", "thinking_adaptive=approximated(tuning)"},
		{"display", llm.Reasoning{Mode: llm.ReasoningAdaptive, Display: "omitted"}, llm.ModelFacts{}, 0, "", `{"type":"adaptive","display":"omitted"}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := conversation(user("x"))
			req.MaxTokens = ptr(int64(50000))
			if c.max > 0 {
				req.MaxTokens = &c.max
			}
			req.Reasoning = &c.reasoning
			req.Tools, req.ToolChoice.Mode = []llm.Tool{{Name: "a"}}, c.choice
			enc := encode(t, req, c.facts)
			want(t, enc.Body, "thinking", c.thinking)
			want(t, enc.Body, "output_config.effort", c.effort)
			wantLosses(t, enc, c.losses)
		})
	}
}

func TestT051ThinkingInHistory(t *testing.T) {
	signed := llm.Part{Kind: llm.PartThinking, Text: "t", Thinking: &llm.Thinking{Issuer: issuer, Signature: "s"}}
	sealed := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: issuer, Sealed: "d"}}
	unsigned := llm.Part{Kind: llm.PartThinking, Text: "u", Thinking: &llm.Thinking{}}
	foreign := llm.Part{Kind: llm.PartThinking, Text: "f", Thinking: &llm.Thinking{Issuer: "gemini-generate", Signature: "s"}}
	loop := func(parts ...llm.Part) *llm.Request {
		req := conversation(user("x"), said(llm.RoleAssistant, append(parts, called("a", "n", "{}"))...), said(llm.RoleTool, answered("a", "r")))
		req.Tools = []llm.Tool{{Name: "n"}}
		req.Reasoning = &llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 1024}
		return req
	}
	facts := llm.ModelFacts{Thinking: llm.ThinkingBudget}
	enc := encode(t, loop(signed, sealed), facts)
	wantLosses(t, enc, "")
	if !strings.Contains(string(enc.Body), `"content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use"`) {
		t.Errorf("got %s, want the blocks first and unchanged", enc.Body)
	}
	enc = encode(t, loop(unsigned, foreign), facts)
	wantLosses(t, enc, "thinking_history=dropped(harmless) thinking_budget=dropped(tuning)")
	want(t, enc.Body, "thinking", "")
	if strings.Contains(string(enc.Body), `"u"`) || strings.Contains(string(enc.Body), `"f"`) {
		t.Errorf("T067: got %s, want no thinking that the vendor did not sign", enc.Body)
	}
}

func TestSampling(t *testing.T) {
	for _, c := range []struct {
		name       string
		temp, topP *float64
		facts      llm.ModelFacts
		thinks     bool
		t, p       string
		losses     string
	}{
		{"alone", ptr(0.5), nil, llm.ModelFacts{}, false, "0.5", "", ""},
		{"too high", ptr(1.4), nil, llm.ModelFacts{}, false, "1", "", "temperature=approximated(tuning)"},
		{"T134 both", ptr(0.5), ptr(0.9), llm.ModelFacts{}, false, "0.5", "", "top_p=dropped(tuning)"},
		{"both, one the default", ptr(0.5), ptr(1.0), llm.ModelFacts{}, false, "0.5", "", ""},
		{"both, the other the default", ptr(1.0), ptr(0.9), llm.ModelFacts{}, false, "", "0.9", ""},
		{"no sampling", ptr(0.5), ptr(0.9), llm.ModelFacts{NoSampling: true}, false, "", "", "temperature=dropped(tuning) top_p=dropped(tuning)"},
		{"no sampling, the default", ptr(1.0), nil, llm.ModelFacts{NoSampling: true}, false, "", "", ""},
		{"thinking", ptr(0.5), ptr(0.9), llm.ModelFacts{}, true, "", "", "temperature=dropped(tuning) top_p=dropped(tuning)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req := conversation(user("x"))
			req.Temperature, req.TopP = c.temp, c.topP
			if c.thinks {
				req.Reasoning = &llm.Reasoning{Mode: llm.ReasoningAdaptive}
			}
			enc := encode(t, req, c.facts)
			want(t, enc.Body, "temperature", c.t)
			want(t, enc.Body, "top_p", c.p)
			wantLosses(t, enc, c.losses)
		})
	}
}

func TestT131MaxTokens(t *testing.T) {
	for _, c := range []struct {
		asked  *int64
		limit  int64
		want   string
		losses string
	}{
		{nil, 0, "32000", ""},
		{nil, 64000, "64000", ""},
		{ptr(int64(100)), 64000, "100", ""},
		{ptr(int64(100000)), 64000, "64000", "max_tokens=approximated(tuning)"},
		{ptr(int64(100000)), 0, "100000", ""},
	} {
		req := conversation(user("x"))
		req.MaxTokens = c.asked
		enc := encode(t, req, llm.ModelFacts{MaxOutput: c.limit})
		want(t, enc.Body, "max_tokens", c.want)
		wantLosses(t, enc, c.losses)
	}
}

func TestCacheMarksKeepTheLastFour(t *testing.T) {
	mark := &llm.CacheMark{TTL: "5m"}
	result := answered("a", "r")
	result.Result.Parts[0].Cache = mark
	req := conversation(said(llm.RoleAssistant, called("a", "n", "")), said(llm.RoleTool, result), said(llm.RoleUser,
		llm.Part{Kind: llm.PartText, Text: "2", Cache: mark},
		llm.Part{Kind: llm.PartText, Text: "3", Cache: mark}, llm.Part{Kind: llm.PartText, Text: "4", Cache: mark}))
	req.Tools = []llm.Tool{{Name: "n", Cache: mark}}
	enc := encode(t, req, llm.ModelFacts{})
	wantLosses(t, enc, "cache_mark=dropped(harmless)")
	if n := strings.Count(string(enc.Body), "cache_control"); n != 4 || strings.Contains(string(jsontext.Value(enc.Body).Get("tools")), "cache") {
		t.Errorf("got %d marks in %s, want four, none on the tool", n, enc.Body)
	}
}

func TestEncodeRequestDoesNotDependOnUnknownFacts(t *testing.T) {
	req := conversation(user("x"))
	req.User = strings.Repeat("u", 600)
	req.Tier = "flex"
	req.Stop = []string{"\n", "END"}
	enc := encode(t, req, llm.ModelFacts{})
	want(t, enc.Body, "stop_sequences", `["END"]`)
	want(t, enc.Body, "metadata", `{"user_id":"sB7HHYsqbqWgaCr8FuLuje"}`)
	want(t, enc.Body, "service_tier", "")
	wantLosses(t, enc, "stop=refused(contract) user=emulated(harmless) service_tier=dropped(harmless)")
}

// TestUserIsNoPerson holds that the vendor is told no id that it refuses.
func TestUserIsNoPerson(t *testing.T) {
	for user, asIs := range map[string]bool{
		"user-7": true, "5f0c-11": true, "123456": true, "alice": true,
		"alice@example.com": false, "+49 (30) 123-4567": false, "15551234567": false,
	} {
		req := conversation(said(llm.RoleUser, llm.Text("x")))
		req.User = user
		enc := encode(t, req, llm.ModelFacts{})
		got := forms.TextOf(jsontext.Value(enc.Body).Get("metadata", "user_id"))
		if (got == user) != asIs || got == "" || strings.ContainsAny(got, "@+ ") || len(enc.Losses) > 0 == asIs {
			t.Errorf("%s: got %q and %v, want it as it is %v", user, got, enc.Losses, asIs)
		}
	}
}

// TestOneOfIsAnyOf holds that a choice between schemas is said in the word that the vendor has.
func TestOneOfIsAnyOf(t *testing.T) {
	req := conversation(user("x"))
	req.Format = &llm.Format{Kind: llm.FormatSchema, Schema: []byte(`{"oneOf":[{"type":"string"},{"oneOf":[{"type":"null"}],"anyOf":[{}]}]}`)}
	enc := encode(t, req, llm.ModelFacts{})
	want := `{"anyOf":[{"type":"string"},{"oneOf":[{"type":"null"}],"anyOf":[{}]}]}`
	if got := string(jsontext.Value(enc.Body).Get("output_config", "format", "schema")); got != want || len(enc.Losses) != 1 || enc.Losses[0].Action != llm.ActionApproximated {
		t.Errorf("got %s and %v want %s and the loss", got, enc.Losses, want)
	}
}
