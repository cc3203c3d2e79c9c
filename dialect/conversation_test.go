package dialect

import (
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

// TestConversation holds what a vendor is sent that continues nothing and wants JSON spoken of.
func TestConversation(t *testing.T) {
	said := func(role llm.Role, text string) llm.Message {
		return llm.Message{Role: role, Parts: []llm.Part{llm.Text(text)}}
	}
	call := llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: "a", Name: "f"}}}}
	result := llm.Message{Role: llm.RoleTool, Parts: []llm.Part{{Kind: llm.PartToolResult, Result: &llm.ToolResult{CallID: "a", Parts: []llm.Part{llm.Text("1")}}}}}
	user := said(llm.RoleUser, "two primes")
	for name, tc := range map[string]struct {
		list   []llm.Message
		format llm.FormatKind
		want   []llm.Role
	}{
		"a prefill":           {[]llm.Message{user, said(llm.RoleAssistant, "{")}, "", []llm.Role{llm.RoleUser}},
		"a last call":         {[]llm.Message{user, call}, "", []llm.Role{llm.RoleUser, llm.RoleAssistant}},
		"JSON unspoken":       {[]llm.Message{user, call, result}, llm.FormatJSON, []llm.Role{llm.RoleSystem, llm.RoleUser, llm.RoleAssistant, llm.RoleTool}},
		"JSON spoken of":      {[]llm.Message{said(llm.RoleUser, "as Json")}, llm.FormatJSON, []llm.Role{llm.RoleUser}},
		"a schema":            {[]llm.Message{user}, llm.FormatSchema, []llm.Role{llm.RoleUser}},
		"nobody who would be": {nil, llm.FormatJSON, nil},
	} {
		req := &llm.Request{Messages: tc.list}
		if tc.format != "" {
			req.Format = &llm.Format{Kind: tc.format}
		}
		list, losses := Conversation(req)
		var roles []llm.Role
		for _, m := range list {
			roles = append(roles, m.Role)
		}
		if !slices.Equal(roles, tc.want) || (len(losses) > 0) != slices.Contains(roles, llm.RoleSystem) {
			t.Errorf("%s: got %v and losses %v want %v, and a loss for what is added", name, roles, losses, tc.want)
		}
		if len(req.Messages) != len(tc.list) {
			t.Errorf("%s: got the request changed", name)
		}
	}
}
