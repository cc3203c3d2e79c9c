package anthropic

import (
	"bytes"
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

var _ dialect.Relay = relay{}

// types are the kinds of a request's members [asdk:MessageCreateParams].
var types = forms.NewTypes(
	[2]string{"string", "model service_tier"},
	[2]string{"array", "messages tools stop_sequences"},
	[2]string{"string or array of content blocks", "system"},
	[2]string{"boolean", "stream"},
	[2]string{"integer", "max_tokens top_k"},
	[2]string{"number", "temperature top_p"},
	[2]string{"object", "tool_choice thinking output_config output_format cache_control metadata thread"},
)

// Peek reads what routing needs. A stream of this dialect always tells its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) {
	doc := jsontext.Value(bytes.TrimSpace(body))
	if doc.Kind() != jsontext.Object {
		return dialect.Peeked{}, forms.Invalid(jsontext.Mismatch("object", doc))
	}
	var p dialect.Peeked
	var tier, speed, place jsontext.Value
	err := doc.Members(func(name []byte, v jsontext.Value) error {
		err := types.Check(name, v)
		switch key := string(name); {
		case err != nil, v.IsNull():
		case key == "model":
			p.Model, err = v.Text()
		case key == "stream":
			p.Stream, err = v.Bool()
		case key == "max_tokens":
			p.MaxTokens, _ = v.Int() // whether it is legal is the vendor's to say
		case key == "service_tier":
			tier = v
		case key == "speed":
			speed = v
		case key == "inference_geo":
			place = v
		}
		return err
	})
	p.Tier = servedAt(tier, speed, place)
	switch {
	case err != nil:
		return dialect.Peeked{}, forms.Invalid(err)
	case p.Model == "":
		return dialect.Peeked{}, llm.Invalid("model", "model: want the name of a model")
	}
	p.StreamUsage = p.Stream
	return p, nil
}

// SetModel replaces the model's name. There is nothing to ask for: usage always comes.
func (relay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	return jsontext.SetTopString(body, "model", model)
}

// Strip removes the thinking blocks of the history that carry this gateway's own signature: the vendor did not make
// them and would refuse them. A message that held nothing else goes with them.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(marker)) {
		return body, nil, nil
	}
	return dropThinking(body, isOwn, "thinking of another vendor")
}

// withoutSealed removes all thinking of the history, whose signatures the vendor does not accept. In a round of tools nothing
// may be thought then: the vendor wants the thinking that led to the calls.
func withoutSealed(body []byte) ([]byte, []llm.Loss, error) {
	out, losses, err := dropThinking(body, func(block jsontext.Value) bool {
		return is(block.Get("type"), blockThinking) || is(block.Get("type"), blockRedacted)
	}, "thinking whose signature the target does not accept")
	if err != nil || len(losses) == 0 || !is(jsontext.Value(out).Get("thinking", "type"), "enabled") || !endsInResults(out) {
		return out, losses, err
	}
	if out, _, err = jsontext.Drop(out, "thinking"); err != nil {
		return nil, nil, forms.Invalid(err)
	}
	return out, append(losses, llm.Loss{
		Feature: llm.FeatureThinkingBudget, Path: "thinking", Action: llm.ActionDropped, Severity: llm.Tuning,
		Detail: "the calls that are answered lost their thinking",
	}), nil
}

// endsInResults reports whether the last message answers calls.
func endsInResults(body []byte) bool {
	var last jsontext.Value
	_ = jsontext.Value(body).Get("messages").Array(func(_ int, m jsontext.Value) error { // the function returns no error
		last = m
		return nil
	})
	found := false
	_ = last.Get("content").Array(func(_ int, block jsontext.Value) error { // a string has none
		found = found || is(block.Get("type"), blockToolResult)
		return nil
	})
	return found
}

// dropThinking takes blocks of thinking out of the history. A message that held nothing else goes with them.
func dropThinking(body []byte, goes func(jsontext.Value) bool, why string) ([]byte, []llm.Loss, error) {
	out, changed, err := forms.DropBlocks(body, "messages", "content", goes)
	if err != nil {
		return nil, nil, forms.Invalid(err)
	}
	if !changed {
		return body, nil, nil
	}
	return out, []llm.Loss{{
		Feature: llm.FeatureThinkingHistory, Action: llm.ActionDropped, Severity: llm.Harmless,
		Detail: why,
	}}, nil
}

// isOwn reports whether a block is thinking under this gateway's signature.
func isOwn(block jsontext.Value) bool {
	var sign jsontext.Value
	switch kind := block.Get("type"); {
	case is(kind, blockThinking):
		sign = block.Get("signature")
	case is(kind, blockRedacted):
		sign = block.Get("data")
	}
	return bytes.HasPrefix(sign, []byte(`"`+marker))
}

var _ dialect.Resumable = (*tap)(nil)

// NewTap returns a tap for one answer.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{counts: noCounts()} }

// tap follows an answer that goes by. It holds a stream to the same grammar as streamReader and decodes nothing.
type tap struct {
	repeat                   repeat
	started, finished, ended bool
	id                       string
	counts                   counts
	begun                    []begun             // the blocks
	places                   forms.Places[int64] // of these, by their index
	open                     int                 // how many of them are
}

// begun is a block that has begun.
type begun struct {
	index  int64
	isOpen bool
}

// Frame looks at one frame of a stream.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	if f.Exception && !t.ended {
		return s, readException(f)
	}
	if t.ended || isBlank(f.Data) {
		return s, nil
	}
	if text, ok := t.repeat.matches(f); ok {
		if _, err := t.openIndex(t.repeat.index); err != nil {
			return dialect.Signal{}, err
		}
		s = ofText(text)
		if f.Event == "" {
			s.Event = "content_block_delta"
		}
		return s, nil
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	e, err := readEvent(tree, f)
	if err != nil {
		return s, err
	}
	switch {
	case is(e.kind, "content_block_delta"):
		d := readDelta(e.delta)
		s = d.piece()
		_, err = t.openBlock(&e)
		t.repeat.learn(f.Data, &e, &d)
	case is(e.kind, "content_block_start"):
		s = beginning(e.block)
		err = t.blockStart(&e)
	case is(e.kind, "content_block_stop"):
		err = t.blockStop(&e)
	case is(e.kind, "message_start"):
		s.Model, s.Tier, err = t.start(e.message)
	case is(e.kind, "message_delta"):
		s.Finish, err = t.messageDelta(&e)
	case is(e.kind, "message_stop"):
		if !t.finished {
			return s, truncated("it has no stop reason")
		}
		t.ended, s.End = true, true
	case is(e.kind, "ping"):
	case is(e.kind, "error"), f.Event == "error", !e.fault.IsNull():
		return s, readError(0, e.all)
	}
	if err != nil {
		return dialect.Signal{}, err
	}
	if f.Event == "" {
		s.Event = forms.TextOf(e.kind)
	}
	return s, nil
}

// start returns the model that answers, and at which tier.
func (t *tap) start(message jsontext.Value) (model, tier string, err error) {
	id := forms.TextOf(message.Get("id"))
	if t.started && (id != t.id || len(t.begun) > 0) {
		return "", "", badAnswer("a second message_start", nil)
	}
	t.started, t.id = true, id
	tier = t.counts.merge(jsontext.Plain(message.Get("usage")))
	return forms.TextOf(message.Get("model")), tier, nil
}

// piece says what a delta adds that the client would see or act on.
func (d *deltaText) piece() (s dialect.Signal) {
	if d.text.Kind() == jsontext.String {
		return ofText(d.text)
	}
	s.Other = true
	for _, v := range [...]jsontext.Value{d.json, d.thinking, d.signature} {
		if v.Kind() == jsontext.String {
			s.Content = len(v) > len(`""`)
			return s
		}
	}
	s.Content = !d.citation.IsNull()
	return s
}

// ofText is a piece of text, which is a JSON string.
func ofText(v jsontext.Value) dialect.Signal {
	text := v[1 : len(v)-1]
	return dialect.Signal{Content: len(text) > 0, Text: text}
}

// beginning says what a block begins with.
func beginning(block jsontext.Value) dialect.Signal {
	if text := block.Get("text"); is(block.Get("type"), blockText) && text.Kind() == jsontext.String {
		s := ofText(text)
		s.Other = !block.Get("citations").IsNull() && string(block.Get("citations")) != "[]"
		return s
	}
	return dialect.Signal{Content: isContent(jsontext.Plain(block)), Other: true}
}

// isContent reports whether a block's beginning is already something: a call, a text that does not begin empty, or
// a block that comes whole.
func isContent(block jsontext.Node) bool {
	kind := block.Get("type").Value()
	switch {
	case is(kind, blockText):
		return len(block.Get("text").Value()) > len(`""`)
	case is(kind, blockThinking):
		return len(block.Get("thinking").Value()) > len(`""`)
	}
	return true
}

func (t *tap) blockStart(e *eventText) error {
	if !t.started || t.finished {
		return badAnswer("a content block outside of the message", nil)
	}
	index, err := e.indexOf(int64(len(t.begun)))
	if err != nil {
		return err
	}
	if t.places.Find(index) >= 0 {
		return badAnswer("a content block began twice", nil)
	}
	t.begun = append(t.begun, begun{index, true})
	t.places.Add(index)
	t.open++
	return nil
}

// openBlock returns the place of the block that an event is about.
func (t *tap) openBlock(e *eventText) (int, error) {
	latest := int64(missing)
	if n := len(t.begun); n > 0 {
		latest = t.begun[n-1].index
	}
	index, err := e.indexOf(latest)
	if err != nil {
		return 0, err
	}
	return t.openIndex(index)
}

func (t *tap) openIndex(index int64) (int, error) {
	i := t.places.Find(index)
	if i < 0 || !t.begun[i].isOpen {
		return 0, badAnswer("an event for content block "+strconv.FormatInt(index, 10)+", which is not open", nil)
	}
	return i, nil
}

func (t *tap) blockStop(e *eventText) error {
	i, err := t.openBlock(e)
	if err == nil {
		t.begun[i].isOpen = false
		t.open--
	}
	return err
}

func (t *tap) messageDelta(e *eventText) (finish bool, err error) {
	if !t.started {
		return false, badAnswer("a message_delta before message_start", nil)
	}
	t.counts.merge(e.usage)
	if e.delta.Value().Get("stop_reason").IsNull() || t.finished {
		return false, nil
	}
	if t.open > 0 {
		return false, badAnswer("the message finished inside a content block", nil)
	}
	t.finished = true
	return true, nil
}

// lastEvent is the data of a stream's terminator.
const lastEvent = `{"type":"message_stop"}`

// Close returns the terminator where only that is missing.
func (t *tap) Close() ([]byte, error) {
	switch {
	case t.ended:
		return nil, nil
	case t.finished:
		t.ended = true
		return []byte("event: message_stop\ndata: " + lastEvent + "\n\n"), nil
	}
	return nil, truncated("the stream broke off")
}

// sent is how far the blocks of a stream have come.
type sent struct {
	blocks int  // how many have begun
	isOpen bool // the last of them has not ended
}

// Sent says how far the blocks have come. They must be numbered as a writer numbers them.
func (t *tap) Sent() any {
	n := len(t.begun)
	if !t.started || t.finished || t.open > 1 || n > 0 && t.begun[n-1].index != int64(n-1) {
		return nil
	}
	if t.open == 1 && !t.begun[n-1].isOpen {
		return nil
	}
	return sent{blocks: n, isOpen: t.open == 1}
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	var s dialect.Signal
	tree := jsontext.Borrow()
	defer tree.Return()
	_, m, err := readMessage(tree, body)
	if err != nil {
		return s, err
	}
	err = m.content.Array(func(_ int, block jsontext.Node) error {
		if block.Kind() != jsontext.Object {
			return jsontext.Mismatch("content block", block.Value())
		}
		s.Content = s.Content || isContent(block) || is(block.Get("type").Value(), blockThinking) && len(block.Get("signature").Value()) > len(`""`)
		return nil
	})
	if err != nil {
		return dialect.Signal{}, badAnswer("its content is not what it should be", err)
	}
	s.Finish = !m.reason.IsNull()
	if !s.Content && !s.Finish {
		return dialect.Signal{}, badAnswer("it is empty and has no stop reason", nil)
	}
	s.End = true
	s.Model = forms.TextOf(m.model)
	s.Tier = t.counts.merge(m.usage)
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.counts.usage() }
