package cohere

import (
	"errors"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// callStart begins a call [coh:ChatToolCallStartEvent]: here tool_calls is one object.
func (r *streamReader) callStart(t *streamText) error {
	v := child(t.message, "tool_calls").Value()
	name := textOf(v.Get(typeFunction, "name"))
	if name == "" {
		return errors.New("tool call without a name")
	}
	r.endText()
	slot := slotOf(t.index)
	r.endCall(slot)
	id := textOf(v.Get("id"))
	if id == "" {
		id = mintID(r.id, len(r.calls))
	}
	r.calls = append(r.calls, openCall{slot: slot, part: r.parts})
	r.slots.Add(slot)
	r.parts++
	c := &r.calls[len(r.calls)-1]
	r.emit(llm.Event{
		Kind: llm.EventPartStart, Index: c.part,
		Part: llm.Part{Kind: llm.PartToolCall, Call: &llm.ToolCall{ID: id, Name: name}},
	})
	return r.args(c, v.Get(typeFunction, "arguments"))
}

func (r *streamReader) callDelta(t *streamText) error {
	c := r.call(slotOf(t.index))
	if c == nil {
		return errors.New("arguments of a tool call that was not begun")
	}
	return r.args(c, child(t.message, "tool_calls").Value().Get(typeFunction, "arguments"))
}

// call is the open call of a slot.
func (r *streamReader) call(slot int64) *openCall {
	if at := r.slots.Find(slot); at >= 0 && !r.calls[at].ended {
		return &r.calls[at]
	}
	return nil
}

func (r *streamReader) args(c *openCall, v jsontext.Value) error {
	if v.Kind() != jsontext.String {
		return nil
	}
	s, err := c.joiner.Text(v)
	r.addArgs(c, s)
	return err
}

func (r *streamReader) addArgs(c *openCall, s string) {
	if s != "" {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: c.part, Delta: llm.Delta{Args: s}})
	}
}

func (r *streamReader) endCall(slot int64) {
	if c := r.call(slot); c != nil {
		r.addArgs(c, c.joiner.Flush())
		r.emit(llm.Event{Kind: llm.EventPartEnd, Index: c.part})
		c.ended = true
	}
}
