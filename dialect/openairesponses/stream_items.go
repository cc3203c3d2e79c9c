package openairesponses

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// itemAdded begins an item. A call begins with its name; the others begin with what they say.
func (r *streamReader) itemAdded(e *eventText) error {
	it := r.item(e)
	v := e.item.Value()
	it.kind = forms.Scalar(v.Get("type"))
	if it.kind == itemReasoning {
		it.issuer = issuerOf(textOf(v.Get("encrypted_content")))
	}
	if it.kind != itemCall && it.kind != itemCustomCall {
		return nil
	}
	p := it.at(0)
	c := callOf(it.kind, v)
	args := c.Args
	c.Args = ""
	if c.Name != "" && c.Name != customPrefix {
		r.beginCall(it, p, c)
	}
	if args != "" {
		return r.args(p, jsontext.AppendString(nil, args))
	}
	return nil
}

// beginCall starts a call's part, with the arguments that came before its name.
func (r *streamReader) beginCall(it *openItem, p *openPart, c *llm.ToolCall) {
	if p.begun {
		return
	}
	if c.ID == "" {
		c.ID = mintID("call_", r.id, r.calls)
	}
	r.calls++
	p.custom = it.kind == itemCustomCall
	r.begin(p, llm.Part{Kind: llm.PartToolCall, Call: c})
	if p.custom {
		r.delta(p, llm.Delta{Args: `{"` + customInput + `":"`})
	}
	if p.early != "" {
		r.fragment(p, p.early)
	}
}

func (r *streamReader) argsDelta(e *eventText) error {
	return jsontext.At("delta", r.args(r.item(e).at(0), e.delta))
}

// args adds a piece to a call's arguments, or keeps it until the call has a name.
func (r *streamReader) args(p *openPart, v jsontext.Value) error {
	if v.IsNull() || p.ended {
		return nil
	}
	s, err := p.joiner.Text(v)
	if err != nil {
		return err
	}
	p.hasText = p.hasText || len(v) > len(`""`)
	switch {
	case s == "":
	case !p.begun:
		p.early += s
	default:
		r.fragment(p, s)
	}
	return nil
}

func (r *streamReader) fragment(p *openPart, s string) {
	if p.custom {
		s = escaped(s)
	}
	r.delta(p, llm.Delta{Args: s})
}

// argsDone takes up arguments that did not come in pieces.
func (r *streamReader) argsDone(e *eventText) error {
	it := r.item(e)
	p := it.at(0)
	if !p.begun && !e.name.IsNull() {
		if it.kind == "" {
			it.kind = itemCall
		}
		r.beginCall(it, p, &llm.ToolCall{Name: forms.Scalar(e.name)})
	}
	if p.hasText {
		return nil
	}
	if e.kind == eventInputDone {
		return jsontext.At(customInput, r.args(p, e.text))
	}
	if e.args.Kind() == jsontext.Object { // as some servers have it
		return r.args(p, jsontext.AppendString(nil, string(jsontext.Compact(nil, e.args))))
	}
	return jsontext.At("arguments", r.args(p, e.args))
}

// thought adds a piece of reasoning: of its summary, or of itself where a server shows that. Of an item that has both,
// the one that came first is taken.
func (r *streamReader) thought(e *eventText) error {
	it := r.item(e)
	if it.source == "" {
		it.source = e.kind
	}
	if it.source != e.kind {
		return nil
	}
	p := it.at(0)
	index := e.summary
	if e.kind == eventThoughtDelta {
		index = e.content
	}
	part := indexOf(index, max(it.last, 0))
	if len(e.delta) > len(`""`) && it.last >= 0 && part != it.last && p.begun && !p.ended {
		if rest := p.joiner.Flush(); rest != "" {
			r.delta(p, llm.Delta{Text: rest})
		}
		r.delta(p, llm.Delta{Text: betweenSummaries})
	}
	if len(e.delta) > len(`""`) {
		it.last = part
	}
	return jsontext.At("delta", r.text(p, it.thinking(), e.delta))
}

// thinking is a part of thinking as it begins.
func (it *openItem) thinking() llm.Part {
	return llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: it.issuer}}
}

// itemDone ends an item, and takes up what of it did not come before.
func (r *streamReader) itemDone(e *eventText) error {
	it := r.item(e)
	if it.done {
		return nil
	}
	it.done = true
	v := e.item.Value()
	if v.Kind() != jsontext.Object {
		return jsontext.At("item", jsontext.Mismatch("object", v))
	}
	if kind := forms.Scalar(v.Get("type")); kind != "" {
		it.kind = kind
	}
	return jsontext.At("item", r.whole(it, v))
}

// whole reads an item that is there in full.
func (r *streamReader) whole(it *openItem, v jsontext.Value) error {
	switch it.kind {
	case itemMessage:
		if content := v.Get("content"); !content.IsNull() {
			err := content.Array(func(i int, v jsontext.Value) error { return r.contentDone(it.at(int64(i)), v) })
			if err != nil {
				return jsontext.At("content", err)
			}
		}
		r.endParts(it)
	case itemReasoning:
		return r.reasoningDone(it, v)
	case itemCall, itemCustomCall:
		p := it.at(0)
		if !p.begun && !isNamed(v) {
			return errNoName
		}
		c := callOf(it.kind, v)
		args := c.Args
		c.Args = ""
		r.beginCall(it, p, c)
		if !p.hasText && args != "" {
			if err := r.args(p, jsontext.AppendString(nil, args)); err != nil {
				return err
			}
		}
		r.finish(p)
	default:
		item, err := answeredItem(it.kind, v)
		if err != nil {
			return err
		}
		p := &openPart{}
		r.begin(p, item)
		r.finish(p)
	}
	return nil
}

// reasoningDone ends reasoning. What is encrypted comes whole and last; that of the item's beginning may be a part of it.
func (r *streamReader) reasoningDone(it *openItem, v jsontext.Value) error {
	whole, err := reasoningPart(v)
	if err != nil {
		return err
	}
	p := it.at(0)
	if !p.begun {
		it.issuer = whole.Thinking.Issuer
	}
	if !p.begun && whole.Text != "" {
		if err := r.text(p, it.thinking(), jsontext.AppendString(nil, whole.Text)); err != nil {
			return err
		}
	}
	t := *whole.Thinking
	switch {
	case !p.begun && t.Sealed != "":
		whole.Extra = nil
		r.begin(p, whole)
	case !p.begun && t.Signature != "": // text that is none once it is here: another gateway's
		r.begin(p, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: t.Issuer}})
		r.delta(p, llm.Delta{Signature: t.Signature})
	case p.begun && t.Issuer == it.issuer && t.Signature+t.Sealed != "":
		r.delta(p, llm.Delta{Signature: t.Signature + t.Sealed})
	}
	r.finish(p)
	return nil
}

func (r *streamReader) endParts(it *openItem) {
	for _, p := range it.parts {
		r.finish(p)
	}
}

// end ends the stream with the response as a whole: why it ended, and what it used.
func (r *streamReader) end(e *eventText) error {
	var t responseText
	if err := t.read(e.response); err != nil {
		return jsontext.At("response", err)
	}
	if err := t.failure(); err != nil {
		return err
	}
	if e.kind == eventFailed {
		return forms.ProviderError(llm.CodeServerError)
	}
	if err := r.start(e.response); err != nil {
		return err
	}
	if err := r.missed(&t); err != nil {
		return jsontext.At("response", jsontext.At("output", err))
	}
	for _, it := range r.items {
		r.endParts(it)
	}
	r.ended = true
	incomplete := e.kind == eventIncomplete || is(t.status, eventIncomplete)
	finish := llm.Event{Kind: llm.EventFinish, Stop: stopOf(incomplete, forms.Scalar(t.reason), r.calls > 0, r.refused)}
	if tier := forms.Scalar(t.tier); tier != r.tier {
		finish.Tier = tier
	}
	r.emit(finish)
	if u := usageOf(t.usage); u.IsTold() {
		r.emit(llm.Event{Kind: llm.EventUsage, Usage: u})
	}
	end := llm.Event{Kind: llm.EventEnd}
	if model := forms.Scalar(t.model); model != r.model {
		end.Model = model
	}
	r.emit(end)
	return nil
}

// missed takes up items that did not come before the end, as some servers send them.
func (r *streamReader) missed(t *responseText) error {
	if r.parts > 0 || t.output.Kind() != jsontext.Array {
		return nil
	}
	return t.output.Array(func(i int, n jsontext.Node) error {
		if n.Kind() != jsontext.Object {
			return jsontext.Mismatch("object", n.Value())
		}
		it := &openItem{index: int64(i), kind: forms.Scalar(n.Value().Get("type")), last: -1}
		r.items = append(r.items, it)
		r.places.Add(it.index)
		return r.whole(it, n.Value())
	})
}
