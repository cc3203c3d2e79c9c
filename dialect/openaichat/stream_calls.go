package openaichat

import (
	"slices"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// toolCalls reads the fragments of calls: a list, from one server a single object, or the old function_call.
func (r *streamReader) toolCalls(ch *openChoice, a *answer) error {
	switch a.toolCalls.Kind() {
	case jsontext.Array:
		err := a.toolCalls.Array(func(_ int, v jsontext.Value) error { return r.fragment(ch, v) })
		if err != nil {
			return jsontext.At("tool_calls", err)
		}
	case jsontext.Object:
		if err := r.fragment(ch, a.toolCalls); err != nil {
			return jsontext.At("tool_calls", err)
		}
	default:
	}
	if a.functionCall.Kind() != jsontext.Object {
		return nil
	}
	if len(ch.calls) == 0 {
		ch.calls = append(ch.calls, &openCall{})
	}
	return jsontext.At("function_call", r.add(ch, ch.calls[0], a.functionCall))
}

// fragment reads one piece of a call: openai.yaml, ChatCompletionMessageToolCallChunk.
func (r *streamReader) fragment(ch *openChoice, v jsontext.Value) error {
	var index, id, function jsontext.Value
	err := v.Object(func(key string, v jsontext.Value) error {
		switch key {
		case "index":
			index = v
		case "id":
			id = v
		case typeFunction:
			function = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	slot := int64(-1)
	if n, err := index.Int(); err == nil && n >= 0 {
		slot = n
	}
	c, err := ch.call(slot, scalar(id), function)
	if err != nil {
		return err
	}
	return r.add(ch, c, function)
}

// call finds the call that a fragment belongs to, or makes a new one. Servers leave out the index, repeat the id or
// send it empty, and give several calls one index with different ids.
func (ch *openChoice) call(slot int64, id string, function jsontext.Value) (*openCall, error) {
	var last *openCall
	for _, c := range ch.calls {
		if slot >= 0 && c.slot == slot || slot < 0 && (id == "" || c.id == id) {
			last = c
		}
	}
	switch {
	case last != nil && id != "" && last.id != "" && last.id != id:
		last = nil // another call with the same index
		for _, c := range ch.calls {
			if c.id == id {
				last = c
			}
		}
	case last != nil && slot < 0 && id == "" && scalar(function.Get("name")) != "":
		last = nil // a name begins a call where nothing else tells them apart
	}
	if last != nil {
		if last.id == "" && !last.started {
			last.id = id
		}
		return last, nil
	}
	if id == "" && scalar(function.Get("name")) == "" && slot < 0 {
		return nil, badAnswer("arguments of a tool call that was not begun")
	}
	c := &openCall{id: id, slot: slot}
	ch.calls = append(ch.calls, c)
	return c, nil
}

// add adds a fragment's name and arguments to a call.
func (r *streamReader) add(ch *openChoice, c *openCall, function jsontext.Value) error {
	if function.Kind() != jsontext.Object {
		return nil
	}
	var name, args jsontext.Value
	err := function.Object(func(key string, v jsontext.Value) error {
		switch key {
		case "name":
			name = v
		case "arguments":
			args = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.name == "" && !name.IsNull() {
		c.name = scalar(name)
	}
	if c.name != "" && !c.started {
		r.begin(ch, c)
	}
	switch args.Kind() {
	case jsontext.String:
		s, err := c.joiner.Text(args)
		if err != nil {
			return jsontext.At("arguments", err)
		}
		r.args(ch, c, s)
	case jsontext.Object:
		r.args(ch, c, argsOf(args))
	default:
	}
	return nil
}

// begin starts a call's part, and ends the text before it.
func (r *streamReader) begin(ch *openChoice, c *openCall) {
	r.endText(ch)
	c.started, c.part = true, ch.parts
	ch.parts++
	if c.id == "" {
		c.id = mintID(r.id, ch.index, slices.Index(ch.calls, c))
	}
	r.emit(llm.Event{
		Kind: llm.EventPartStart, Choice: ch.index, Index: c.part,
		Part: llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: c.id, Name: c.name}},
	})
	if early := c.seen.String(); early != "" {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: ch.index, Index: c.part, Delta: llm.Delta{Args: early}})
	}
}

// args passes on a piece of a call's arguments, or keeps it until the call has a name.
func (r *streamReader) args(ch *openChoice, c *openCall, s string) {
	if s == "" {
		return
	}
	c.seen.WriteString(s)
	if c.started {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: ch.index, Index: c.part, Delta: llm.Delta{Args: s}})
	}
}
