package ollama

import (
	"errors"
	"fmt"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// decodeMessages reads the conversation. Consecutive tool messages become one.
func decodeMessages(v jsontext.Value) ([]llm.Message, error) {
	var c conversation
	if err := v.Array(c.message); err != nil {
		return nil, err
	}
	if len(c.list) == 0 {
		return nil, errors.New("at least one message is required")
	}
	return c.list, nil
}

// conversation reads messages and pairs calls with results, which need not have ids.
type conversation struct {
	list []llm.Message
	open dialect.Waiting[*llm.ToolCall] // without a result so far
	n    int                            // calls so far
}

// message is one message's members, to be made parts in the order in which the dialect means them.
type message struct {
	role, callID, toolName           string
	content, thinking, signed, calls jsontext.Value
	images                           jsontext.Value
	extra                            llm.Extra
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
	case "tool_name":
		m.toolName, err = v.Text()
	case "content":
		m.content = v
	case keyThinking:
		m.thinking = v
	case keySigned:
		m.signed = v
	case "tool_calls":
		m.calls = v
	case "images":
		m.images = v
	default:
		m.extra = m.extra.Add(self, key, v)
	}
	return err
}

func (c *conversation) message(_ int, v jsontext.Value) error {
	var m message
	if err := v.Object(m.member); err != nil {
		return err
	}
	text := ""
	if len(m.content) > 0 {
		var err error
		if text, err = m.content.Text(); err != nil {
			return jsontext.At("content", err)
		}
	}
	images, err := imagesOf(m.images)
	if err != nil {
		return jsontext.At("images", err)
	}
	out := llm.Message{Role: llm.Role(m.role), Extra: m.extra}
	switch out.Role {
	case llm.RoleSystem, llm.RoleUser:
		if text != "" || len(images) == 0 {
			out.Parts = append(out.Parts, llm.Text(text))
		}
		out.Parts = append(out.Parts, images...)
	case llm.RoleAssistant:
		if out.Parts, err = c.assistant(&m, text); err != nil {
			return err
		}
		out.Parts = append(out.Parts, images...)
	case llm.RoleTool:
		c.result(&m, text, images)
		return nil
	default:
		return jsontext.At("role", fmt.Errorf("%q is not one of system, user, assistant and tool", forms.Clip(m.role, 64)))
	}
	c.list = append(c.list, out)
	return nil
}

// assistant reads a turn of the model: thinking, text, calls.
func (c *conversation) assistant(m *message, text string) ([]llm.Part, error) {
	parts := signedThinking(m.signed)
	if len(parts) == 0 && len(m.thinking) > 0 {
		thought, err := m.thinking.Text()
		if err != nil {
			return nil, jsontext.At(keyThinking, err)
		}
		if thought != "" {
			parts = append(parts, llm.Part{Kind: llm.PartThinking, Text: thought, Thinking: &llm.Thinking{}})
		}
	}
	if text != "" || len(m.calls) == 0 && len(m.images) == 0 && len(parts) == 0 {
		parts = append(parts, llm.Text(text))
	}
	if len(m.calls) == 0 {
		return parts, nil
	}
	err := m.calls.Array(func(_ int, v jsontext.Value) error {
		call, err := callOf(v)
		if err != nil {
			return err
		}
		if call.ID == "" {
			call.ID = fmt.Sprintf("call_%d", c.n)
		}
		c.n++
		c.open.Add(call, "id "+call.ID, "name "+call.Name, "")
		parts = append(parts, llm.Part{Kind: llm.PartToolCall, Call: call})
		return nil
	})
	return parts, jsontext.At("tool_calls", err)
}

// callOf reads one of tool_calls [oll:ToolCall], whose id is optional.
func callOf(v jsontext.Value) (*llm.ToolCall, error) {
	call := &llm.ToolCall{ID: textOf(v.Get("id"))}
	f := v.Get(typeFunction)
	var err error
	if call.Name, err = f.Get("name").Text(); err == nil && call.Name == "" {
		err = errors.New("a name is required")
	}
	if err != nil {
		return nil, jsontext.At(typeFunction, jsontext.At("name", err))
	}
	if call.Args, err = argsOf(f.Get("arguments")); err != nil {
		return nil, jsontext.At(typeFunction, jsontext.At("arguments", err))
	}
	return call, nil
}

// result reads a message of role tool into the tool message that is being collected.
func (c *conversation) result(m *message, text string, images []llm.Part) {
	r := &llm.ToolResult{CallID: m.callID, Name: m.toolName}
	if call := c.answered(m); call != nil {
		r.CallID = call.ID
	}
	if text != "" {
		r.Parts = append(r.Parts, llm.Text(text))
	}
	r.Parts = append(r.Parts, images...)
	p := llm.Part{Kind: llm.PartToolResult, Result: r, Extra: m.extra}
	if n := len(c.list); n > 0 && c.list[n-1].Role == llm.RoleTool {
		c.list[n-1].Parts = append(c.list[n-1].Parts, p)
		return
	}
	c.list = append(c.list, llm.Message{Role: llm.RoleTool, Parts: []llm.Part{p}})
}

// answered finds the call that a result answers: by its id, else by the tool's name, else the first that waits.
func (c *conversation) answered(m *message) *llm.ToolCall {
	key := "" // of all
	switch {
	case m.callID != "":
		key = "id " + m.callID
	case m.toolName != "":
		key = "name " + m.toolName
	}
	call, _ := c.open.Take(key)
	return call
}

// imagesOf reads images: a list of base64.
func imagesOf(v jsontext.Value) (images []llm.Part, err error) {
	if len(v) == 0 {
		return nil, nil
	}
	err = v.Array(func(_ int, v jsontext.Value) error {
		s, err := v.Text()
		if err != nil {
			return err
		}
		media, err := mediaOf(s)
		images = append(images, llm.Part{Kind: llm.PartImage, Media: media})
		return err
	})
	return images, err
}

// signedThinking reads this gateway's own member: what other vendors signed or sealed.
func signedThinking(v jsontext.Value) (parts []llm.Part) {
	_ = v.Array(func(_ int, v jsontext.Value) error { // what is no list holds none
		t := llm.Thinking{Issuer: textOf(v.Get("issuer")), Signature: textOf(v.Get("signature")), Sealed: textOf(v.Get("sealed"))}
		if isSigned(&t) {
			parts = append(parts, llm.Part{Kind: llm.PartThinking, Text: textOf(v.Get("text")), Thinking: &t})
		}
		return nil
	})
	return parts
}

// isSigned reports whether somebody signed or sealed thinking. This dialect's servers sign none.
func isSigned(t *llm.Thinking) bool {
	return t != nil && t.Issuer != "" && (t.Signature != "" || t.Sealed != "")
}
