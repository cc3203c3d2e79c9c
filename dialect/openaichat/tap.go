package openaichat

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

var _ dialect.Resumable = (*tap)(nil)

// NewTap returns a tap for one answer.
func (relay) NewTap(ask dialect.Ask) dialect.Tap { return &tap{ask: ask} }

// tap follows an answer that goes by. It holds a stream to the same grammar as the stream reader and sees content
// where that makes some, but makes none: of what is said, it decodes only the arguments of calls, which must be whole
// at the end.
type tap struct {
	progress
	ask    dialect.Ask
	signal dialect.Signal
	// covered is the memory of a frame from which something was taken.
	covered []byte
}

// Frame looks at one chunk.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	if t.ended {
		return dialect.Signal{}, nil
	}
	t.signal = dialect.Signal{}
	if err := t.frame(f); err != nil {
		return dialect.Signal{}, err
	}
	return t.signal, nil
}

func (t *tap) frame(f dialect.Frame) error {
	if isTerminator(f.Data) {
		return t.end()
	}
	if text, ok := t.repeat.matches(f); ok {
		return t.again(text, f.Data)
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	before, late := t.renamed, t.late
	c, err := t.chunk(tree, f)
	if err != nil {
		return err
	}
	if err := c.eachChoice(t.choice); err != nil {
		return err
	}
	if t.renamed != before {
		t.signal.Model = t.renamed
	}
	if t.late != late {
		t.signal.Tier = t.late
	}
	t.repeat.learn(f.Data, &c)
	if t.ask.StreamUsage && c.usage != nil {
		return t.cover(&c, f.Data)
	}
	return nil
}

// again looks at a chunk that says what the one before did, but for its text.
func (t *tap) again(text jsontext.Value, data []byte) error {
	if err := t.text(t.open(t.repeat.choice), llm.PartText, text); err != nil {
		return forms.BadAnswer("read chunk: %w", jsontext.At("choices", err))
	}
	if t.ask.StreamUsage && t.repeat.usage != nil {
		return t.cover(&chunkText{usage: t.repeat.usage}, data)
	}
	return nil
}

// end ends a stream at its terminator.
func (t *tap) end() error {
	if err := t.complete(true); err != nil {
		return err
	}
	t.signal.End = true
	for _, ch := range t.choices {
		t.endText(ch)
		for _, c := range ch.calls {
			t.see(c.joiner.Held())
		}
		t.signal.Finish = t.signal.Finish || ch.word == ""
	}
	return nil
}

// see notes whether something is content.
func (t *tap) see(isContent bool) { t.signal.Content = t.signal.Content || isContent }

// other notes whether something that is no text is content.
func (t *tap) other(isContent bool) {
	t.see(isContent)
	t.signal.Other = t.signal.Other || isContent
}

// say notes a piece of text, which is a JSON string.
func (t *tap) say(ch *openChoice, kind llm.PartKind, v jsontext.Value) {
	piece := v[1 : len(v)-1]
	switch n := len(t.signal.Text); {
	case kind != llm.PartText || ch.index != 0:
		t.signal.Other = true
	case n == 0:
		t.signal.Text = piece
	default:
		t.signal.Text = append(t.signal.Text[:n:n], piece...) // into a copy: the first piece is the frame itself
	}
}

func (t *tap) choice(i int, n jsontext.Node) error {
	var c choiceText
	if err := c.read(n); err != nil {
		return err
	}
	if !t.started {
		t.started = true
		t.signal.Model, t.signal.Tier = t.model, t.tier
	}
	ch := t.open(indexOf(c.index, i))
	var a answer
	if !c.delta.IsNull() {
		if err := a.read(c.delta); err != nil {
			return jsontext.At("delta", err)
		}
	}
	t.repeat.says(ch.index, &c, &a)
	if err := t.delta(ch, &a); err != nil {
		return jsontext.At("delta", err)
	}
	if !c.logprobs.IsNull() {
		t.other(len(logProbsOf(c.logprobs)) > 0)
	}
	before := ch.word
	err := ch.finish(c.reason)
	t.signal.Finish = t.signal.Finish || ch.word != before
	return err
}

// delta looks at each of a delta's members as the stream reader does.
func (t *tap) delta(ch *openChoice, a *answer) error {
	if len(a.reasoning) > 0 || len(a.detail) > 0 {
		if err := t.thinking(ch, a); err != nil {
			return err
		}
	}
	err := eachText(a.content, func(kind llm.PartKind, v jsontext.Value) error { return t.text(ch, kind, v) })
	if err != nil {
		return jsontext.At("content", err)
	}
	if a.refusal.Kind() == jsontext.String {
		if err := t.text(ch, llm.PartRefusal, a.refusal); err != nil {
			return jsontext.At("refusal", err)
		}
	}
	if ch.text.kind == llm.PartText && len(a.notes) > 0 {
		_ = a.notes.Array(func(int, jsontext.Value) error { t.other(true); return nil })
	}
	if len(a.audio) > 0 {
		t.endText(ch)
		t.other(true)
	}
	return ch.toolCalls(a, func(c *openCall, args string) {
		t.signal.Other = true
		if c.name != "" && !c.started {
			c.started = true
			t.endText(ch)
			t.see(true)
		}
		c.seen.WriteString(args)
		t.see(c.started && args != "")
	})
}

// text looks at a piece of text. An empty piece is nothing.
func (t *tap) text(ch *openChoice, kind llm.PartKind, v jsontext.Value) error {
	if string(v) == `""` {
		return nil
	}
	if ch.text.kind != kind {
		t.endText(ch)
		ch.text.kind = kind
	}
	hasText, err := ch.text.joiner.Skip(v)
	if err != nil {
		return err
	}
	t.see(hasText)
	t.say(ch, kind, v)
	return nil
}

func (t *tap) endText(ch *openChoice) {
	t.see(ch.text.joiner.Held())
	ch.text = openText{}
}

// thinking looks at reasoning in a string and in reasoning_details.
func (t *tap) thinking(ch *openChoice, a *answer) error {
	hasWhole := false
	_ = a.detail.Array(func(_ int, v jsontext.Value) error {
		switch d, ours := readDetail(v); {
		case ours && d.isWhole():
			hasWhole = true
		case ours:
			t.endText(ch)
		}
		return nil
	})
	reasoning := a.reasoning
	if reasoning.Kind() != jsontext.String {
		reasoning = jsontext.AppendString(nil, reasoningText(nil, a.detail))
	}
	err := t.text(ch, llm.PartThinking, reasoning)
	if hasWhole {
		t.endText(ch)
		t.other(true)
	}
	return err
}

// cover keeps from the client what only the gateway asked for: the chunk with the usage, and the member that is null
// in all others.
func (t *tap) cover(c *chunkText, data []byte) error {
	switch {
	case c.usage.IsNull():
		if head, ok := bytes.CutSuffix(data, []byte(`,"usage":null}`)); ok { // where the vendor puts it, last in the object
			t.covered = append(append(t.covered[:0], head...), '}')
			t.signal.Data = t.covered
		} else if out, _, err := jsontext.Drop(data, "usage"); err == nil {
			t.signal.Data = out
		}
	case c.choices.Kind() == jsontext.Array:
		t.signal.Hide = true
		return c.choices.Array(func(int, jsontext.Node) error { t.signal.Hide = false; return nil })
	}
	return nil
}

// Close ends the stream: what terminates it, where only that is missing.
func (t *tap) Close() ([]byte, error) {
	if t.ended {
		return nil, nil
	}
	if err := t.complete(false); err != nil {
		return nil, err
	}
	return []byte("data: " + terminator + "\n\n"), nil
}

// sent is what every chunk of a stream repeats.
type sent struct {
	id, model, tier string
	created         int64
}

// Sent is what a writer must repeat to go on with the stream.
func (t *tap) Sent() any {
	if !t.started || t.ended {
		return nil
	}
	return sent{t.id, t.model, t.tier, t.created}
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	w, err := readWhole(tree, body)
	if err != nil {
		return dialect.Signal{}, err
	}
	s := dialect.Signal{Model: forms.Scalar(w.model), Tier: forms.Scalar(w.tier), Finish: true, End: true}
	var c wholeChoice
	err = w.eachChoice(&c, func(int) (bool, error) {
		has, err := c.answer.hasParts()
		s.Content = s.Content || has || len(logProbsOf(c.logprobs)) > 0
		return has, err
	})
	if err != nil {
		return dialect.Signal{}, err
	}
	t.usage = usageOf(w.usage)
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
