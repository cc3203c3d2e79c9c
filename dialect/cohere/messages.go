package cohere

import (
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// decodeMessages reads the conversation [coh:ChatMessages]. Consecutive tool messages become one.
func decodeMessages(v jsontext.Value) ([]llm.Message, error) {
	var list []llm.Message
	err := v.Array(func(_ int, v jsontext.Value) (err error) {
		list, err = appendMessage(list, v)
		return err
	})
	if err == nil && len(list) == 0 {
		err = errors.New("at least one message is required")
	}
	return list, err
}

// message is one message's members, to be made parts in the order in which the dialect says them.
type message struct {
	role, callID         string
	content, plan, calls jsontext.Value
	citations            jsontext.Value
	extra                llm.Extra
}

func (m *message) member(key string, v jsontext.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	switch key {
	case "role":
		m.role, err = v.Text()
	case "tool_call_id":
		m.callID, err = v.Text()
	case "content":
		m.content = v
	case keyPlan:
		m.plan = v
	case "tool_calls":
		m.calls = v
	case "citations":
		m.citations = v
	default:
		m.extra = m.extra.Add(self, key, v)
	}
	return err
}

func appendMessage(list []llm.Message, v jsontext.Value) ([]llm.Message, error) {
	var m message
	if err := v.Object(m.member); err != nil {
		return list, err
	}
	out := llm.Message{Role: llm.Role(m.role), Extra: m.extra}
	var err error
	switch out.Role {
	case llm.RoleSystem, llm.RoleUser:
		if out.Parts, err = contentOf(m.content, out.Role); err == nil && len(m.content) == 0 {
			err = jsontext.At("content", errors.New("content is required"))
		}
	case llm.RoleAssistant:
		out.Parts, err = m.assistant()
	case llm.RoleTool:
		var p llm.Part
		if p, err = m.result(); err != nil {
			return list, err
		}
		if n := len(list); n > 0 && list[n-1].Role == llm.RoleTool {
			list[n-1].Parts = append(list[n-1].Parts, p)
			return list, nil
		}
		out.Parts, out.Extra = []llm.Part{p}, nil
	default:
		err = jsontext.At("role", fmt.Errorf("%q is not one of system, user, assistant and tool", forms.Clip(m.role, 64)))
	}
	return append(list, out), err
}

// assistant reads a turn of the model: its content, the plan, the calls.
func (m *message) assistant() ([]llm.Part, error) {
	parts, err := contentOf(m.content, llm.RoleAssistant)
	if err != nil {
		return nil, err
	}
	blocks := len(parts)
	if len(m.calls) > 0 && len(parts) == 1 && parts[0].Kind == llm.PartText && parts[0].Text == "" {
		parts = nil // beside calls, empty content says nothing
	}
	if len(m.plan) > 0 {
		text, err := m.plan.Text()
		if err != nil {
			return nil, jsontext.At(keyPlan, err)
		}
		if text != "" {
			parts = append(parts, llm.Text(text))
		}
	}
	_ = cite(m.citations, func(index int, planned bool) *llm.Part {
		switch {
		case planned && len(parts) > blocks:
			return &parts[blocks]
		case index >= 0 && index < len(parts):
			return &parts[index]
		}
		return firstText(parts)
	})
	if len(m.calls) > 0 {
		err := m.calls.Array(func(_ int, v jsontext.Value) error {
			p, err := callOf(v)
			parts = append(parts, p)
			return err
		})
		if err != nil {
			return nil, jsontext.At("tool_calls", err)
		}
	}
	return parts, nil
}

// callOf reads one of tool_calls [coh:ToolCallV2].
func callOf(v jsontext.Value) (llm.Part, error) {
	call := &llm.ToolCall{}
	var err error
	if call.ID, err = v.Get("id").Text(); err != nil {
		return llm.Part{}, jsontext.At("id", err)
	}
	f := v.Get(typeFunction)
	if call.Name, err = f.Get("name").Text(); err == nil && call.Name == "" {
		err = errors.New("a name is required")
	}
	if err != nil {
		return llm.Part{}, jsontext.At(typeFunction, jsontext.At("name", err))
	}
	if args := f.Get("arguments"); !args.IsNull() {
		if call.Args, err = args.Text(); err != nil {
			return llm.Part{}, jsontext.At(typeFunction, jsontext.At("arguments", err))
		}
	}
	return llm.Part{Kind: llm.PartToolCall, Call: call}, nil
}

// result reads a tool message [coh:ToolMessageV2].
func (m *message) result() (llm.Part, error) {
	r := &llm.ToolResult{CallID: m.callID}
	if r.CallID == "" {
		return llm.Part{}, jsontext.At("tool_call_id", errors.New("an id is required"))
	}
	parts, err := contentOf(m.content, llm.RoleTool)
	if err != nil {
		return llm.Part{}, err
	}
	if len(parts) != 1 || parts[0].Kind != llm.PartText || parts[0].Text != "" {
		r.Parts = parts
	}
	return llm.Part{Kind: llm.PartToolResult, Result: r, Extra: m.extra}, nil
}

// contentOf reads content: a string or a list of blocks.
func contentOf(v jsontext.Value, role llm.Role) ([]llm.Part, error) {
	switch v.Kind() {
	case jsontext.Invalid, jsontext.Null:
		return nil, nil
	case jsontext.String:
		s, err := v.Text()
		return []llm.Part{llm.Text(s)}, jsontext.At("content", err)
	default:
		var parts []llm.Part
		err := v.Array(func(_ int, v jsontext.Value) error {
			p, err := blockOf(v, role)
			parts = append(parts, p)
			return err
		})
		return parts, jsontext.At("content", err)
	}
}

// blockOf reads one block [coh:Content, coh:ToolContent, coh:ChatThinkingContent]. One of a type unknown here stays as
// it is.
func blockOf(v jsontext.Value, role llm.Role) (p llm.Part, err error) {
	kind, err := v.Get("type").Text()
	if err != nil {
		if v.Kind() != jsontext.Object {
			return p, jsontext.Mismatch("object", v)
		}
		return p, jsontext.At("type", err)
	}
	value := v.Get(kind)
	switch {
	case kind == typeText:
		p.Kind = llm.PartText
		p.Text, err = value.Text()
	case kind == typeThinking && role == llm.RoleAssistant:
		p, err = thinkingOf(v)
	case kind == typeImage && role == llm.RoleUser:
		p, err = imageOf(value)
	case kind == typeDocument && role == llm.RoleTool:
		p, err = documentOf(value, "")
	case kind == typeImage || kind == typeDocument || kind == typeThinking:
		return p, jsontext.At("type", fmt.Errorf("a message of role %s cannot hold a block of this type", role))
	default:
		return llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: v}}, nil
	}
	if err != nil {
		return p, jsontext.At(kind, err)
	}
	return p, v.Object(func(key string, v jsontext.Value) error {
		if key != "type" && key != kind && key != keySigned && !v.IsNull() {
			p.Extra = p.Extra.Add(self, key, v)
		}
		return nil
	})
}

// thinkingOf reads a block of thinking, with what its issuer signed or sealed where this gateway carried that.
func thinkingOf(v jsontext.Value) (llm.Part, error) {
	text, err := v.Get(typeThinking).Text()
	p := llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{}}
	if signed := v.Get(keySigned); signed.Kind() == jsontext.Object {
		*p.Thinking = signedOf(signed)
	}
	return p, err
}

// signedOf reads this gateway's own member. What is not whole is nothing.
func signedOf(v jsontext.Value) llm.Thinking {
	t := llm.Thinking{
		Issuer: textOf(v.Get("issuer")), Signature: textOf(v.Get("signature")), Sealed: textOf(v.Get("sealed")),
	}
	if t.Issuer == "" || t.Signature == "" && t.Sealed == "" {
		return llm.Thinking{}
	}
	return t
}

func imageOf(v jsontext.Value) (llm.Part, error) {
	url, err := v.Get("url").Text()
	if err != nil {
		return llm.Part{}, jsontext.At("url", err)
	}
	media, err := mediaOf(url)
	if err != nil {
		return llm.Part{}, jsontext.At("url", err)
	}
	if d := v.Get("detail"); !d.IsNull() {
		if media.Detail, err = oneOf(d, "auto", "low", "high"); err != nil {
			return llm.Part{}, jsontext.At("detail", err)
		}
	}
	return llm.Part{Kind: llm.PartImage, Media: media}, nil
}
