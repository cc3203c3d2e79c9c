package openairesponses

import (
	"errors"
	"fmt"
	"slices"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// decodeInput reads input: a question, or a list of items. Consecutive items of one turn become one message. The tools
// are those of items.
func decodeInput(v jsontext.Value) ([]llm.Message, []llm.Tool, error) {
	if v.Kind() == jsontext.String {
		s, err := v.Text()
		return []llm.Message{{Role: llm.RoleUser, Parts: []llm.Part{llm.Text(s)}}}, nil, err
	}
	if v.Kind() != jsontext.Array {
		return nil, nil, jsontext.Mismatch("string or array of items", v)
	}
	var c conversation
	err := v.Array(func(_ int, v jsontext.Value) error { return c.item(v) })
	return c.messages(), c.tools, err
}

// conversation collects items into messages. Outputs may come any time after their call, behind other items, too; other
// dialects have them right after it, and so they stand here.
type conversation struct {
	list    []llm.Message
	calls   map[string]int     // the message that last had a call of an id
	outputs map[int][]llm.Part // of the calls in a message
	tools   []llm.Tool
}

// messages is the conversation with the outputs in their places.
func (c *conversation) messages() []llm.Message {
	if len(c.outputs) == 0 {
		return c.list
	}
	list := make([]llm.Message, 0, len(c.list)+len(c.outputs))
	for i, m := range c.list {
		list = append(list, m)
		if parts := c.outputs[i]; parts != nil {
			list = append(list, llm.Message{Role: llm.RoleTool, Parts: parts})
		}
	}
	return list
}

// item reads one item: openai.yaml, InputItem. One of a type unknown here stays as it is.
func (c *conversation) item(v jsontext.Value) error {
	if v.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	kind := itemMessage
	if k := v.Get("type"); !k.IsNull() {
		var err error
		if kind, err = k.Text(); err != nil {
			return jsontext.At("type", err)
		}
	} else if v.Get("role").IsNull() && !v.Get("id").IsNull() {
		kind = itemReference
	}
	switch kind {
	case itemMessage:
		return c.message(v)
	case itemReasoning:
		p, err := reasoningPart(v)
		c.add(llm.RoleAssistant, p)
		return err
	case itemCall, itemCustomCall:
		p, err := callPart(kind, v)
		c.add(llm.RoleAssistant, p)
		if c.calls == nil {
			c.calls = make(map[string]int)
		}
		c.calls[p.Call.ID] = len(c.list) - 1
		return err
	case itemOutput, itemCustomOutput:
		p, err := resultPart(v)
		c.output(p)
		return err
	case itemTools:
		tools, err := decodeTools(v.Get("tools"))
		c.tools = append(c.tools, tools...)
		return jsontext.At("tools", err)
	}
	c.add(roleOf(kind), opaqueItem(kind, v))
	return nil
}

// add puts a part at the end of the last message, if that is of the role and goes on, or in a new one.
func (c *conversation) add(role llm.Role, p llm.Part) {
	if last := c.last(role); last != nil {
		last.Parts = append(last.Parts, p)
		return
	}
	c.list = append(c.list, llm.Message{Role: role, Parts: []llm.Part{p}})
}

// last is the last message, if it is of the role and none of its calls has an output yet.
func (c *conversation) last(role llm.Role) *llm.Message {
	n := len(c.list) - 1
	if n < 0 || c.list[n].Role != role || c.outputs[n] != nil {
		return nil
	}
	return &c.list[n]
}

// output puts an output behind the message with its call. One whose call is not there stays where it is.
func (c *conversation) output(p llm.Part) {
	at, ok := c.calls[p.Result.CallID]
	if !ok {
		c.add(llm.RoleTool, p)
		return
	}
	if c.outputs == nil {
		c.outputs = make(map[int][]llm.Part)
	}
	c.outputs[at] = append(c.outputs[at], p)
}

// message reads openai.yaml, EasyInputMessage, InputMessage and OutputMessage.
func (c *conversation) message(v jsontext.Value) error {
	m := llm.Message{}
	var content jsontext.Value
	err := v.Object(func(key string, v jsontext.Value) error {
		switch {
		case v.IsNull() || key == "type" || key == "id" || key == "status":
		case key == "role":
			role, err := v.Text()
			m.Role = llm.Role(role)
			return err
		case key == "content":
			content = v
		default:
			m.Extra = m.Extra.Add(self, key, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch m.Role {
	case llm.RoleUser, llm.RoleAssistant, llm.RoleSystem, llm.RoleDeveloper:
	case "":
		return jsontext.At("role", errors.New("missing required parameter"))
	default:
		return jsontext.At("role", fmt.Errorf("%q is not one of user, assistant, system and developer", clip(string(m.Role))))
	}
	if content == nil {
		return jsontext.At("content", errors.New("missing required parameter"))
	}
	m.Parts, err = contentOf(content)
	if err != nil {
		return jsontext.At("content", err)
	}
	if err := onlyText(&m); err != nil {
		return err
	}
	last := c.last(llm.RoleAssistant)
	if m.Role != llm.RoleAssistant || last == nil || m.Extra != nil && !isBare(last) {
		c.list = append(c.list, m)
		return nil
	}
	last.Parts = append(last.Parts, m.Parts...)
	if m.Extra != nil {
		last.Extra = m.Extra
	}
	return nil
}

// isBare reports whether a message holds calls and thinking only, so that what a message of the turn says of itself is
// said of its text.
func isBare(m *llm.Message) bool {
	return m.Extra == nil && !slices.ContainsFunc(m.Parts, func(p llm.Part) bool {
		return p.Kind != llm.PartToolCall && p.Kind != llm.PartThinking
	})
}

// onlyText refuses files where the dialect has none: in the words of others than the user.
func onlyText(m *llm.Message) error {
	for i := range m.Parts {
		if p := &m.Parts[i]; m.Role != llm.RoleUser && (p.Media != nil || p.Document != nil) {
			return jsontext.At("content", errors.New("this role's content may only be text"))
		}
	}
	return nil
}

// callPart reads openai.yaml, FunctionToolCall and CustomToolCall.
func callPart(kind string, v jsontext.Value) (llm.Part, error) {
	call := &llm.ToolCall{}
	p := llm.Part{Kind: llm.PartToolCall, Call: call}
	hasID, space := false, ""
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull() || key == "type" || key == "id" || key == "status":
		case key == "call_id":
			hasID = true
			call.ID, err = v.Text()
		case key == "name":
			call.Name, err = v.Text()
		case key == typeNamespace:
			space, err = v.Text()
		case key == "arguments" && kind == itemCall:
			call.Args, err = v.Text()
		case key == customInput && kind == itemCustomCall:
			call.Args, err = v.Text()
		default:
			p.Extra = p.Extra.Add(self, key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return p, err
	case !hasID:
		return p, jsontext.At("call_id", errors.New("missing required parameter"))
	case call.Name == "":
		return p, jsontext.At("name", errors.New("missing required parameter"))
	}
	if kind == itemCustomCall {
		call.Name, call.Args = customPrefix+call.Name, customArgs(call.Args)
	}
	call.Name = inNamespace(space, call.Name)
	return p, nil
}

// resultPart reads openai.yaml, FunctionCallOutputItemParam and CustomToolCallOutput.
func resultPart(v jsontext.Value) (llm.Part, error) {
	r := &llm.ToolResult{}
	p := llm.Part{Kind: llm.PartToolResult, Result: r}
	hasID, hasOutput, space := false, false, ""
	err := v.Object(func(key string, v jsontext.Value) (err error) {
		switch {
		case v.IsNull() || key == "type" || key == "id" || key == "status":
		case key == "call_id":
			hasID = true
			r.CallID, err = v.Text()
		case key == "name":
			r.Name, err = v.Text()
		case key == typeNamespace:
			space, err = v.Text()
		case key == "output":
			hasOutput = true
			r.Parts, err = contentOf(v)
		default:
			p.Extra = p.Extra.Add(self, key, v)
		}
		return err
	})
	switch {
	case err != nil:
		return p, err
	case !hasID:
		return p, jsontext.At("call_id", errors.New("missing required parameter"))
	case !hasOutput:
		return p, jsontext.At("output", errors.New("missing required parameter"))
	}
	if r.Name != "" {
		r.Name = inNamespace(space, r.Name)
	}
	if len(r.Parts) == 1 && r.Parts[0].Kind == llm.PartText && r.Parts[0].Text == "" {
		r.Parts = nil
	}
	return p, nil
}
