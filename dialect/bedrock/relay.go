package bedrock

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

var _ dialect.Relay = relay{}

// types are the kinds of a request's members [bed:ConverseRequest].
var types = forms.NewTypes(
	[2]string{"array", "messages"},
	[2]string{"array of content blocks", "system"},
	[2]string{"object", inferenceConfig + " toolConfig serviceTier requestMetadata " + additionalFields + " " + outputConfig},
)

// Peek reads what routing needs. The model and whether to stream are in the path; a stream always tells its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return dialect.Peeked{}, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	p := dialect.Peeked{StreamUsage: true}
	err := doc.Members(func(name []byte, v jsontext.Value) error {
		switch string(name) {
		case inferenceConfig:
			p.MaxTokens, _ = v.Get("maxTokens").Int() // whether it is legal is the vendor's to say
		case "serviceTier":
			p.Tier = forms.TextOf(v.Get("type"))
		}
		return types.Check(name, v)
	})
	if err != nil {
		return dialect.Peeked{}, forms.Invalid(err)
	}
	return p, nil
}

// SetModel has nothing to do: the body does not name the model, and usage always comes.
func (relay) SetModel(body []byte, _ string, _ dialect.Ask) ([]byte, error) { return body, nil }

// Strip removes the thinking of the history that carries this gateway's own signature: the vendor did not make it,
// and would refuse it. A message that held nothing else goes with it.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(marker)) && !bytes.Contains(body, []byte(sealedMarker)) {
		return body, nil, nil
	}
	out, changed, err := forms.DropBlocks(body, "messages", "content", isOwn)
	if err != nil {
		return nil, nil, forms.Invalid(err)
	}
	if !changed {
		return body, nil, nil
	}
	return out, []llm.Loss{{
		Feature: llm.FeatureThinkingHistory, Action: llm.ActionDropped, Severity: llm.Harmless,
		Detail: "thinking of another vendor",
	}}, nil
}

// isOwn reports whether a block is thinking under this gateway's signature.
func isOwn(block jsontext.Value) bool {
	v := block.Get("reasoningContent")
	return bytes.HasPrefix(v.Get("reasoningText", "signature"), []byte(`"`+marker)) ||
		bytes.HasPrefix(v.Get("redactedContent"), []byte(`"`+sealedMarker))
}

// NewTap returns a tap for one answer.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{last: missing} }

var _ dialect.Resumable = (*tap)(nil)

// tap follows an answer that goes by. It holds a stream to the same grammar as streamReader and decodes nothing.
type tap struct {
	repeat                   repeat
	started, finished, ended bool
	usage                    llm.Usage
	open                     open[llm.PartKind]
	last                     int64 // index of the block that began last
}

// Frame looks at one frame of a stream.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	switch {
	case t.ended:
		return s, nil
	case f.Exception:
		return s, readException(f)
	case !isKnown(f.Event):
		return s, nil
	}
	if d, ok := t.repeat.matches(f); ok {
		return t.delta(t.repeat.index, &d)
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	e, err := readEvent(tree, f)
	if err != nil {
		return s, err
	}
	if !t.started && f.Event != eventMessageStart {
		return s, badAnswer("an event before messageStart", nil)
	}
	switch f.Event {
	case eventBlockDelta:
		d := readDelta(e.delta)
		if s, err = t.delta(e.index, &d); err == nil {
			t.repeat.learn(f.Data, &e, &d)
		}
	case eventBlockStart:
		s.Content, s.Other = true, true
		err = t.blockStart(&e)
	case eventBlockStop:
		t.open.end(e.index)
	case eventMessageStart:
		if t.started {
			err = badAnswer("a second messageStart", nil)
		}
		t.started = true
	case eventMessageStop:
		if t.open.n > 0 || t.finished || forms.TextOf(e.all.Get("stopReason")) == "" {
			err = badAnswer("the message ended inside a block, twice or without a reason", nil)
		}
		t.finished, s.Finish = true, true
	default:
		if !t.finished {
			return s, truncated("it has no stop reason")
		}
		t.usage = readUsage(jsontext.Plain(e.all.Get("usage")))
		s.Tier = forms.TextOf(e.all.Get("serviceTier", "type"))
		t.ended, s.End = true, true
	}
	if err != nil {
		return dialect.Signal{}, err
	}
	return s, nil
}

// blockStart begins a block of a kind that has a start.
func (t *tap) blockStart(e *eventText) error {
	if t.finished || e.index == missing || t.open.find(e.index) != nil {
		return badAnswer("a content block began twice, without its index or after the end", nil)
	}
	key, v, err := only(e.start)
	if err != nil {
		return badAnswer("a content block began as nothing", err)
	}
	kind := llm.PartOpaque
	if key == "toolUse" && !isVendorsCall(v) {
		kind = llm.PartToolCall
		if forms.TextOf(v.Get("name")) == "" {
			return badAnswer("a call of a tool without a name", nil)
		}
	} else if key == "image" {
		kind = llm.PartImage
	}
	t.begin(e.index, kind)
	return nil
}

func (t *tap) begin(index int64, kind llm.PartKind) {
	t.open.add(index, kind)
	t.last = index
}

// delta says what a piece of content adds that the client sees or acts on.
func (t *tap) delta(index int64, d *deltaText) (s dialect.Signal, err error) {
	if t.finished || index == missing {
		return s, badAnswer("a piece of content without its block or after the end", nil)
	}
	b := t.open.find(index)
	kind := d.kind()
	said := d.piece()
	switch {
	case kind == 0:
		return s, nil
	case b == nil && (kind == llm.PartText || kind == llm.PartThinking):
		if d.isEmpty() {
			return s, nil
		}
		t.begin(index, kind)
	case b == nil, *b != kind && (kind != llm.PartToolCall || *b != llm.PartOpaque), !d.redacted.IsNull():
		return s, misplaced("a piece of content")
	}
	switch {
	case said.IsNull(): // what is told whole
		s.Content, s.Other = true, true
	case said.Kind() != jsontext.String:
		return s, badAnswer("a piece of content is no text", nil)
	default:
		text := said[1 : len(said)-1]
		s.Content, s.Other = len(text) > 0, !d.hasText
		if d.hasText {
			s.Text = text
		}
	}
	return s, nil
}

// kind is the kind of the block that a delta belongs to; 0 for a delta that is not known or says nothing.
func (d *deltaText) kind() llm.PartKind {
	switch {
	case d.hasText, !d.citation.IsNull():
		return llm.PartText
	case d.hasCall:
		return llm.PartToolCall
	case !d.reasoning.IsNull(), !d.signature.IsNull(), !d.redacted.IsNull():
		return llm.PartThinking
	case d.hasResult:
		return llm.PartOpaque
	case !d.image.IsNull():
		return llm.PartImage
	}
	return 0
}

// piece is the text of a delta; nothing for one that is no text.
func (d *deltaText) piece() jsontext.Value {
	for _, v := range [...]jsontext.Value{d.text, d.input, d.redacted, d.signature, d.reasoning} {
		if !v.IsNull() {
			return v
		}
	}
	return nil
}

// isEmpty reports whether a delta begins no block: an empty piece of text.
func (d *deltaText) isEmpty() bool {
	return string(d.text) == `""` || d.signature.IsNull() && d.redacted.IsNull() && string(d.reasoning) == `""`
}

// Close has no terminator to add: a stream without its last event lacks only what is said of it.
func (t *tap) Close() ([]byte, error) {
	if !t.finished {
		return nil, truncated("the stream broke off")
	}
	t.ended = true
	return nil, nil
}

// sent is how far the blocks of a stream have come.
type sent struct {
	last   int64 // index of the block that began last; missing before the first
	isOpen bool  // it has not ended
}

// Sent says how far the blocks have come.
func (t *tap) Sent() any {
	if !t.started || t.finished || t.open.n > 1 || t.open.n == 1 && t.open.find(t.last) == nil {
		return nil
	}
	return sent{last: t.last, isOpen: t.open.n == 1}
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	var s dialect.Signal
	tree := jsontext.Borrow()
	defer tree.Return()
	doc, err := tree.ParseLenient(body)
	if err != nil {
		return s, badAnswer("it is not JSON", err)
	}
	a, err := readAnswer(doc)
	if err != nil {
		return s, err
	}
	err = a.content.Array(func(_ int, block jsontext.Node) error {
		key, member, err := onlyIn(block)
		if err != nil {
			return err
		}
		s.Content = s.Content || isContent(key, member)
		return nil
	})
	if err != nil {
		return dialect.Signal{}, badAnswer("its content is not what it should be", err)
	}
	s.Finish, s.End = !a.reason.IsNull(), true
	t.usage = readUsage(a.usage)
	s.Tier = forms.TextOf(a.tier.Get("type").Value())
	return s, nil
}

// isContent reports whether a block of a whole answer holds something.
func isContent(key string, v jsontext.Value) bool {
	switch key {
	case "text":
		return len(v) > len(`""`)
	case "reasoningContent":
		return string(v) != "{}"
	}
	return true
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
