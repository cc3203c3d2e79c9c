package openaichat

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader of chat completion chunks.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads one stream. Its first event waits for the first choice: what comes before names no model yet.
// And its choices finish when the stream ends: one server sends the last of the text after the finish reason.
type streamReader struct {
	progress
	out  []llm.Event
	told llm.Usage // the usage last passed on
}

// Read appends the events of one chunk.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.frame(f)
	dst, r.out = r.out, nil
	return dst, err
}

// Close ends a stream: whole if all of its choices have finished.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.end(false)
	dst, r.out = r.out, nil
	return dst, err
}

func (r *streamReader) frame(f dialect.Frame) error {
	if isTerminator(f.Data) {
		return r.end(true)
	}
	if text, ok := r.repeat.matches(f); ok {
		if err := r.text(r.open(r.repeat.choice), llm.PartText, text); err != nil {
			return forms.BadAnswer("read chunk: %w", jsontext.At("choices", err))
		}
		return nil
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	c, err := r.chunk(tree, f)
	if err != nil {
		return err
	}
	if err := c.eachChoice(r.choice); err != nil {
		return err
	}
	r.repeat.learn(f.Data, &c)
	if r.started && r.usage != r.told {
		r.told = r.usage
		r.emit(llm.EventUsage, 0, 0).Usage = r.usage
	}
	return nil
}

// end ends the stream, at its terminator or at the end of the body.
func (r *streamReader) end(terminated bool) error {
	if err := r.complete(terminated); err != nil {
		return err
	}
	for _, ch := range r.choices {
		r.finish(ch)
	}
	r.emit(llm.EventEnd, 0, 0).Model = r.renamed
	return nil
}

// emit adds an event and returns it, to be filled in: one that is passed by value takes half a kilobyte of stack in
// every function on the way, and a stream that waits for its vendor keeps its stack.
func (r *streamReader) emit(kind llm.EventKind, choice, index int) *llm.Event {
	n := len(r.out)
	r.out = slices.Grow(r.out, 1)[:n+1]
	e := &r.out[n]
	*e = llm.Event{}
	e.Kind, e.Choice, e.Index = kind, choice, index
	return e
}

// choice reads one choice of a chunk.
func (r *streamReader) choice(i int, n jsontext.Node) error {
	var c choiceText
	if err := c.read(n); err != nil {
		return err
	}
	if !r.started {
		r.started = true
		e := r.emit(llm.EventStart, 0, 0)
		e.ID, e.Model, e.Created, e.Tier = r.id, r.model, r.created, r.tier
	}
	ch := r.open(indexOf(c.index, i))
	var a answer
	if !c.delta.IsNull() {
		if err := a.read(c.delta); err != nil {
			return jsontext.At("delta", err)
		}
	}
	r.repeat.says(ch.index, &c, &a)
	if err := r.delta(ch, &a); err != nil {
		return jsontext.At("delta", err)
	}
	if !c.logprobs.IsNull() {
		if list := logProbsOf(c.logprobs); len(list) > 0 {
			r.emit(llm.EventLogProbs, ch.index, 0).LogProbs = list
		}
	}
	return ch.finish(c.reason)
}

// finish ends a choice and what is open of it.
func (r *streamReader) finish(ch *openChoice) {
	r.endText(ch)
	for _, c := range ch.calls {
		r.args(ch, c, c.joiner.Flush())
		r.emit(llm.EventPartEnd, ch.index, c.part)
	}
	e := r.emit(llm.EventFinish, ch.index, 0)
	e.Stop, e.Tier = stopOf(ch.word, len(ch.calls) > 0, ch.refused), r.late
	if len(ch.notes) > 0 {
		e.Extra = keepNotes(nil, ch.notes)
	}
}

// delta reads a delta, each of its members, in the order in which the dialect says them.
func (r *streamReader) delta(ch *openChoice, a *answer) error {
	if len(a.reasoning) > 0 || len(a.detail) > 0 {
		if err := r.thinking(ch, a); err != nil {
			return err
		}
	}
	if a.content.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartText, a.content); err != nil {
			return jsontext.At("content", err)
		}
	} else {
		err := eachText(a.content, func(kind llm.PartKind, v jsontext.Value) error { return r.text(ch, kind, v) })
		if err != nil {
			return jsontext.At("content", err)
		}
	}
	if a.refusal.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartRefusal, a.refusal); err != nil {
			return jsontext.At("refusal", err)
		}
	}
	r.annotations(ch, a.notes)
	if len(a.audio) > 0 {
		r.audio(ch, a.audio)
	}
	return ch.toolCalls(a, func(c *openCall, args string) {
		if c.name != "" && !c.started {
			r.begin(ch, c)
		}
		r.args(ch, c, args)
	})
}

// text adds a piece to the open text, or opens one of the piece's kind. An empty piece is nothing.
func (r *streamReader) text(ch *openChoice, kind llm.PartKind, v jsontext.Value) error {
	if string(v) == `""` {
		return nil
	}
	if ch.text.kind != kind {
		r.endText(ch)
		r.beginText(ch, kind)
	}
	s, err := ch.text.joiner.Text(v)
	if err != nil {
		return err
	}
	r.addText(ch, s)
	return nil
}

func (r *streamReader) beginText(ch *openChoice, kind llm.PartKind) {
	ch.text.kind, ch.text.index, ch.text.offset = kind, ch.parts, ch.length
	ch.parts++
	p := &r.emit(llm.EventPartStart, ch.index, ch.text.index).Part
	p.Kind = kind
	switch kind {
	case llm.PartThinking:
		p.Thinking = &llm.Thinking{Issuer: ch.text.issuer}
	case llm.PartRefusal:
		ch.refused, ch.text.issuer = true, ""
	default:
		ch.text.issuer = ""
		early := ch.notes
		ch.notes = nil
		for _, v := range early {
			r.annotation(ch, v)
		}
	}
}

func (r *streamReader) addText(ch *openChoice, s string) {
	if s == "" {
		return
	}
	switch {
	case ch.text.issuer != "":
		ch.text.seen.WriteString(s)
	case ch.text.kind == llm.PartText:
		ch.length += utf8.RuneCountInString(s)
	}
	r.emit(llm.EventPartDelta, ch.index, ch.text.index).Delta.Text = s
}

func (r *streamReader) endText(ch *openChoice) {
	if ch.text.kind == 0 {
		return
	}
	r.addText(ch, ch.text.joiner.Flush())
	r.emit(llm.EventPartEnd, ch.index, ch.text.index)
	ch.text = openText{}
}

// thinking reads reasoning in a string and in reasoning_details. An entry of ours names the issuer of the block that
// begins, or is the whole of the block that ends.
func (r *streamReader) thinking(ch *openChoice, a *answer) error {
	var whole []detail
	if a.detail.Kind() == jsontext.Array {
		_ = a.detail.Array(func(_ int, v jsontext.Value) error {
			switch d, ours := readDetail(v); {
			case ours && d.isWhole():
				whole = append(whole, d)
			case ours:
				r.endText(ch)
				ch.text.issuer = d.issuer
			}
			return nil
		})
	}
	if a.reasoning.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartThinking, a.reasoning); err != nil {
			return jsontext.At(keyReasoning, err)
		}
	} else if s := reasoningText(nil, a.detail); s != "" {
		if err := r.text(ch, llm.PartThinking, jsontext.AppendString(nil, s)); err != nil {
			return jsontext.At(keyDetails, err)
		}
	}
	for _, d := range whole {
		r.signed(ch, d)
	}
	return nil
}

// signed ends the open thinking with the signature that an entry gives it, or makes a part of the entry where it is
// no thinking that was streamed.
func (r *streamReader) signed(ch *openChoice, d detail) {
	t := &ch.text
	if t.kind == llm.PartThinking && d.signature != "" && t.issuer == d.issuer && t.seen.String() == d.text {
		r.emit(llm.EventPartDelta, ch.index, t.index).Delta.Signature = d.signature
		r.endText(ch)
		return
	}
	r.endText(ch)
	p := d.part()
	delta := llm.Delta{Text: p.Text, Signature: d.signature}
	p.Text, p.Thinking.Signature = "", ""
	r.emit(llm.EventPartStart, ch.index, ch.parts).Part = p
	if delta != (llm.Delta{}) {
		r.emit(llm.EventPartDelta, ch.index, ch.parts).Delta = delta
	}
	r.emit(llm.EventPartEnd, ch.index, ch.parts)
	ch.parts++
}

// audio passes on a piece of an answer in audio, which only this dialect knows.
func (r *streamReader) audio(ch *openChoice, v jsontext.Value) {
	r.endText(ch)
	p := llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: "audio", Raw: bytes.Clone(v)}}
	r.emit(llm.EventPartStart, ch.index, ch.parts).Part = p
	r.emit(llm.EventPartEnd, ch.index, ch.parts)
	ch.parts++
}

// annotations reads citations of the open text; their spans are over the whole content. Those that come while none is open
// are of the next one.
func (r *streamReader) annotations(ch *openChoice, v jsontext.Value) {
	_ = v.Array(func(_ int, v jsontext.Value) error {
		if ch.text.kind != llm.PartText {
			ch.notes = append(ch.notes, bytes.Clone(v))
			return nil
		}
		r.annotation(ch, v)
		return nil
	})
}

func (r *streamReader) annotation(ch *openChoice, v jsontext.Value) {
	c := citationOf(v)
	c.Start, c.End = max(c.Start-ch.text.offset, 0), max(c.End-ch.text.offset, 0)
	r.emit(llm.EventPartDelta, ch.index, ch.text.index).Delta.Citation = &c
}
