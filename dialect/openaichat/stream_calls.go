package openaichat

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// openCall is a tool call. It starts when its name is known.
type openCall struct {
	id, name string
	slot     int64 // its index in the stream, or -1
	part     int
	place    int // among the choice's calls
	started  bool
	seen     strings.Builder // the arguments so far
	joiner   jsontext.TextJoiner
}

// toolCalls reads the fragments of calls: a list, from one server a single object, or the old function_call. It calls
// f for each with the arguments in it.
func (ch *openChoice) toolCalls(a *answer, f func(c *openCall, args string)) error {
	switch a.toolCalls.Kind() {
	case jsontext.Array:
		err := a.toolCalls.Array(func(_ int, v jsontext.Value) error { return ch.fragment(v, f) })
		if err != nil {
			return jsontext.At("tool_calls", err)
		}
	case jsontext.Object:
		if err := ch.fragment(a.toolCalls, f); err != nil {
			return jsontext.At("tool_calls", err)
		}
	default:
	}
	if a.functionCall.Kind() != jsontext.Object {
		return nil
	}
	if len(ch.calls) == 0 {
		ch.add(&openCall{})
	}
	return jsontext.At("function_call", ch.calls[0].add(a.functionCall, f))
}

// fragment reads one piece of a call: openai.yaml, ChatCompletionMessageToolCallChunk.
func (ch *openChoice) fragment(v jsontext.Value, f func(c *openCall, args string)) error {
	var index, id, function jsontext.Value
	err := v.Members(func(name []byte, v jsontext.Value) error {
		switch string(name) {
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
	c, err := ch.call(slot, forms.Scalar(id), function)
	if err != nil {
		return err
	}
	return c.add(function, f)
}

// call finds the call that a fragment belongs to, or makes a new one. Servers leave out the index, repeat the id or
// send it empty, and give several calls one index with different ids.
func (ch *openChoice) call(slot int64, id string, function jsontext.Value) (*openCall, error) {
	var last *openCall
	switch n := len(ch.calls); {
	case slot >= 0:
		last = ch.at(ch.slots.Find(slot))
	case id != "":
		last = ch.at(ch.ids.Find(id))
	case n > 0:
		last = ch.calls[n-1]
	}
	switch {
	case last != nil && id != "" && last.id != "" && last.id != id:
		last = ch.at(ch.ids.Find(id)) // another call with the same index
	case last != nil && slot < 0 && id == "" && forms.Scalar(function.Get("name")) != "":
		last = nil // a name begins a call where nothing else tells them apart
	}
	if last != nil {
		if last.id == "" && !last.started && id != "" {
			last.id = id
			ch.ids.Set(last.place, id)
		}
		return last, nil
	}
	if id == "" && forms.Scalar(function.Get("name")) == "" && slot < 0 {
		return nil, forms.BadAnswer("arguments of a tool call that was not begun")
	}
	c := &openCall{id: id, slot: slot}
	ch.add(c)
	return c, nil
}

// at is the call at a place; nil if that is none.
func (ch *openChoice) at(place int) *openCall {
	if place < 0 {
		return nil
	}
	return ch.calls[place]
}

func (ch *openChoice) add(c *openCall) {
	c.place = len(ch.calls)
	ch.calls = append(ch.calls, c)
	ch.slots.Add(c.slot)
	ch.ids.Add(c.id)
}

// add takes up a fragment's name, and calls f with its arguments.
func (c *openCall) add(function jsontext.Value, f func(c *openCall, args string)) error {
	if function.Kind() != jsontext.Object {
		return nil
	}
	var name, args jsontext.Value
	err := function.Members(func(key []byte, v jsontext.Value) error {
		switch string(key) {
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
		c.name = forms.Scalar(name)
	}
	text := ""
	switch args.Kind() {
	case jsontext.String:
		if text, err = c.joiner.Text(args); err != nil {
			return jsontext.At("arguments", err)
		}
	case jsontext.Object:
		text = argsOf(args)
	default:
	}
	f(c, text)
	return nil
}

// begin starts a call's part, and ends the text before it.
func (r *streamReader) begin(ch *openChoice, c *openCall) {
	r.endText(ch)
	c.started, c.part = true, ch.parts
	ch.parts++
	if c.id == "" {
		c.id = mintID(r.id, ch.index, c.place)
	}
	p := &r.emit(llm.EventPartStart, ch.index, c.part).Part
	p.Kind, p.Call = llm.PartToolCall, &llm.ToolCall{ID: c.id, Name: c.name}
	if early := c.seen.String(); early != "" {
		r.emit(llm.EventPartDelta, ch.index, c.part).Delta.Args = early
	}
}

// args passes on a piece of a call's arguments, or keeps it until the call has a name.
func (r *streamReader) args(ch *openChoice, c *openCall, s string) {
	if s == "" || s == noArgs && c.seen.Len() == 0 {
		return
	}
	c.seen.WriteString(s)
	if c.started {
		r.emit(llm.EventPartDelta, ch.index, c.part).Delta.Args = s
	}
}
