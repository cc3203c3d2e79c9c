package anthropic

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

func TestDecodeRequestRefuses(t *testing.T) {
	for _, c := range []struct{ body, param, message string }{
		{`{"max_tokens":1,"messages":[]}`, "model", "required"},
		{`{"model":7,"max_tokens":1,"messages":[]}`, "model", "want string, got number"},
		{`{"model":"m","messages":[{"role":"user","content":"x"}]}`, "max_tokens", "required"},
		{`{"model":"m","max_tokens":-1,"messages":[]}`, "max_tokens", "0 or more"},
		{`{"model":"m","max_tokens":1.5,"messages":[]}`, "max_tokens", "integer"},
		{`{"model":"m","max_tokens":1,"messages":[]}`, "messages", "at least one"},
		{`{"model":"m","max_tokens":1,"messages":null}`, "messages", "want array, got null"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]}`, "messages[0].role", "user, assistant"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}`, "messages[0].content", "want it"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":7}]}`, "messages[0].content", "got number"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "messages[0].content[0].type", "got nothing"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"tape"}}]}]}`, "messages[0].content[0].source.type", "tape"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}`, "messages[0].content[0].source", "got nothing"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","id":"a","name":"n","input":{}}]}]}`, "messages[0].content", "assistant"},
		{`{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`, "messages[0].content", "user"},
		{`{"model":"m","max_tokens":1,"temperature":1.5,"messages":[]}`, "temperature", "0 to 1"},
		{`{"model":"m","max_tokens":1,"stream":"yes","messages":[]}`, "stream", "boolean"},
		{`{"model":"m","max_tokens":1,"tools":[{"name":"n"}],"messages":[]}`, "tools[0].input_schema", "schema"},
		{`{"model":"m","max_tokens":1,"tools":[{"input_schema":{}}],"messages":[]}`, "tools[0].name", "name"},
		{`{"model":"m","max_tokens":1,"tool_choice":{"type":"some"},"messages":[]}`, "tool_choice.type", "some"},
		{`{"model":"m","max_tokens":1,"tool_choice":{"type":"any"},"messages":[{"role":"user","content":"x"}]}`, "tool_choice", "has none"},
		{`{"model":"m","max_tokens":1,"tools":[],"tool_choice":{"type":"tool","name":"n"},"messages":[{"role":"user","content":"x"}]}`, "tool_choice", "has none"},
		{`{"model":"m","max_tokens":1,"thinking":{"type":"enabled","budget_tokens":100},"messages":[{"role":"user","content":"x"}]}`, "thinking.budget_tokens", "1024"},
		{`{"model":"m","max_tokens":1,"output_config":{"format":{"type":"json_schema"}},"messages":[]}`, "output_config.format.schema", "object"},
		{`[]`, "", "object"},
	} {
		_, err := New().Client.DecodeRequest([]byte(c.body))
		var e *llm.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *llm.Error", c.body, err)
			continue
		}
		if e.Code != llm.CodeInvalidRequest || e.Origin != llm.OriginClient || e.Param != c.param ||
			!strings.Contains(strings.ToLower(e.Message), c.message) {
			t.Errorf("%s: got %+v want param %q and a message with %q", c.body, e, c.param, c.message)
		}
	}
}

func TestDecodeRequestMembers(t *testing.T) {
	req := mustDecode(t, `"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b"}],`+
		`"thinking":{"type":"enabled","budget_tokens":2048,"display":"omitted"},"output_config":{"effort":"low","task_budget":{"t":1}},`+
		`"tool_choice":{"type":"any","disable_parallel_tool_use":true},"metadata":{"user_id":"u","team":"x"},`+
		`"tools":[{"name":"n","input_schema":{"b":1, "a":2}},{"type":"web_search_20250305","name":"web_search"}],"top_k":-1,"speed":"fast","thread":{"type":"continue","previous_message_id":"msg_1"}`)
	if got := req.Messages[0]; got.Role != llm.RoleSystem || len(got.Parts) != 2 || got.Parts[0].Cache.TTL != "1h" {
		t.Errorf("system: got %+v", got)
	}
	if got := *req.Reasoning; got != (llm.Reasoning{Mode: llm.ReasoningBudget, Budget: 2048, Display: "omitted", Effort: "low"}) {
		t.Errorf("reasoning: got %+v", got)
	}
	if req.ToolChoice.Mode != llm.ChoiceRequired || req.ParallelCalls == nil || *req.ParallelCalls {
		t.Errorf("tool choice: got %+v, parallel %v", req.ToolChoice, req.ParallelCalls)
	}
	if string(req.Tools[0].Schema) != `{"b":1, "a":2}` {
		t.Errorf("T112: schema: got %s, want its bytes", req.Tools[0].Schema)
	}
	if o := req.Tools[1].Opaque; o == nil || o.Type != "web_search_20250305" {
		t.Errorf("the vendor's tool: got %+v", req.Tools[1])
	}
	if req.User != "u" || req.TopK != nil {
		t.Errorf("got user %q, top_k %v", req.User, req.TopK)
	}
	var kept []string
	for _, m := range req.Extra[issuer] {
		kept = append(kept, m.Key)
	}
	if !slices.Equal(kept, []string{"output_config.task_budget", "metadata.team", "speed", "thread.type", "thread.previous_message_id"}) {
		t.Errorf("kept: got %q", kept)
	}
	body := encode(t, req, llm.ModelFacts{Thinking: llm.ThinkingBoth}).Body
	want(t, body, "output_config", `{"effort":"low","task_budget":{"t":1}}`)
	want(t, body, "metadata", `{"user_id":"u","team":"x"}`)
	want(t, body, "speed", `"fast"`)
	want(t, body, "thread", `{"type":"continue","previous_message_id":"msg_1"}`)
}

func TestDecodeUserTurnWithResults(t *testing.T) {
	req := mustDecode(t, `"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"n","input":{ "x" : 12345678901234567890 }}]},`+
		`{"role":"user","content":[{"type":"text","text":"before"},{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"r"}],"is_error":true},`+
		`{"type":"mid_conv_system","content":[{"type":"text","text":"s"}]},{"type":"text","text":"after"}]}]`)
	var roles []string
	for _, m := range req.Messages {
		roles = append(roles, string(m.Role))
	}
	if !slices.Equal(roles, []string{"assistant", "tool", "user", "system", "user"}) {
		t.Errorf("roles: got %q", roles)
	}
	if got := req.Messages[0].Parts[0].Call.Args; got != `{"x":12345678901234567890}` {
		t.Errorf("arguments: got %s", got)
	}
	if r := req.Messages[1].Parts[0].Result; !r.Error || r.Parts[0].Text != "r" {
		t.Errorf("result: got %+v", r)
	}
}

func TestDecodeVendorBlocksInWords(t *testing.T) {
	for block, words := range map[string]string{
		`{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"sky"}}`:                                                                                         "[web_search: sky]",
		`{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"T","url":"https://t.example","encrypted_content":"zzz"}]}`:            "[Web search results:\n- T: https://t.example]",
		`{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}`:                                  "[The web search failed: max_uses_exceeded]",
		`{"type":"code_execution_tool_result","tool_use_id":"s","content":{"type":"code_execution_result","stdout":"4","stderr":"","return_code":0,"content":[]}}`:                "[Output of the code, exit status 0:\n4]",
		`{"type":"search_result","title":"T","source":"S","content":[{"type":"text","text":"x"}]}`:                                                                                "[T, S]\nx",
		`{"type":"web_fetch_tool_result","tool_use_id":"s","content":{"type":"web_fetch_result","url":"u","content":{"type":"document","source":{"type":"text","data":"page"}}}}`: "[Fetched u:\npage]",
		`{"type":"container_upload","file_id":"f"}`: "",
		`{"type":"hologram","data":"d"}`:            "",
	} {
		p, err := readBlock(jsontext.Value(block))
		if err != nil || p.Kind != llm.PartOpaque || p.Text != words || string(p.Opaque.Raw) != block {
			t.Errorf("%s: got %+v, %v want the words %q", block, p, err, words)
		}
	}
}
