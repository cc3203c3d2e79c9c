package openairesponses

import (
	"bytes"
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewTap returns a tap for one answer. What it is asked for always comes.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{} }

var (
	_ dialect.Resumable = (*tap)(nil)
	_ dialect.Numbered  = (*tap)(nil)
)

// tap follows an answer that goes by. It holds a stream to the same grammar as the stream reader and sees content
// where that makes some, but makes none. An event that comes twice is kept from the client, who would add it up twice. As long as there is nothing but one text, it keeps what a writer must know to
// go on with it.
type tap struct {
	started, ended bool
	content        bool // some was seen
	usage          llm.Usage
	numbers        numbers
	like           *like // of a stream; it is large
	passing
}

// Next is the number of the event that would come next.
func (t *tap) Next() int64 { return t.numbers.next }

// Frame looks at one frame of a stream.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	if t.ended {
		return s, nil
	}
	if t.like == nil {
		t.like = new(like)
	}
	e, isRepeat := t.like.again(f)
	if !isRepeat {
		tree := jsontext.Borrow()
		defer tree.Return()
		var err error
		if e, err = readEvent(tree, f); err != nil {
			return s, err
		}
		t.like.learn(f, &e)
	}
	if e.kind != "" && t.numbers.isAgain(e.sequence, f.Data) {
		s.Hide = true
		return s, nil
	}
	if err := t.event(&e, &s); err != nil {
		return dialect.Signal{}, classed(err)
	}
	t.content = t.content || s.Content
	t.other = t.other || s.Other
	return s, nil
}

func (t *tap) event(e *eventText, s *dialect.Signal) error {
	if err := e.checkPiece(); err != nil {
		return err
	}
	switch e.kind {
	case eventTextDelta:
		t.textDelta(e, s)
	case eventArgsDelta, eventSummaryDelta, eventThoughtDelta, eventRefusalDelta, eventInputDelta:
		s.Content = isPiece(e.delta, nil)
		s.Other = s.Content
	case eventCreated, eventQueued, eventInProgress:
		return t.start(e.response, s)
	case eventItemAdded:
		t.itemAdded(e, s)
	case eventItemDone:
		t.itemDone(e, s)
	case eventPartDone:
		t.reach(e, stagePart)
	case eventTextDone, eventRefusalDone:
		s.Content = isPiece(e.text, e.logprobs)
		s.Other = s.Content && (!t.isOf(e) || len(e.logprobs) > len(`[]`))
		t.reach(e, stageText)
	case eventArgsDone, eventInputDone:
		s.Content, s.Other = true, true
	case eventAnnotation:
		s.Content, s.Other = t.content, true
	case eventCompleted, eventIncomplete, eventFailed:
		return t.end(e, s)
	default:
		// The vendor's own tools: what is shown of their work is content, how far they are is none.
		s.Content = strings.HasSuffix(e.kind, ".delta") || strings.HasSuffix(e.kind, ".partial_image")
		s.Other = s.Content
	}
	return nil
}

func (t *tap) start(n jsontext.Node, s *dialect.Signal) error {
	if t.started {
		return nil
	}
	t.started = true
	var r responseText
	if !n.IsNull() {
		if err := r.read(n); err != nil {
			return jsontext.At("response", err)
		}
	}
	t.response = responseHead{forms.Scalar(r.id), forms.Scalar(r.model), forms.Scalar(r.tier), r.seconds()}
	s.Model, s.Tier, s.Object = t.response.model, t.response.tier, t.response.id
	return nil
}

func (t *tap) textDelta(e *eventText, s *dialect.Signal) {
	if s.Content = isPiece(e.delta, e.logprobs); !s.Content {
		return
	}
	s.Other = len(e.logprobs) > len(`[]`) || !t.isOf(e) && t.text != nil
	if e.delta.Kind() == jsontext.String {
		s.Text = e.delta[1 : len(e.delta)-1]
	}
	if !s.Other && !t.other {
		t.say(e, s.Text)
	}
}

func (t *tap) itemAdded(e *eventText, s *dialect.Signal) {
	switch v := e.item.Value(); forms.Scalar(v.Get("type")) {
	case itemCall, itemCustomCall:
		s.Content, s.Other = true, true
	case itemMessage:
		if t.text == nil {
			t.item, t.output = forms.Scalar(v.Get("id")), indexOf(e.output, int64(len(t.before)))
		}
	}
}

func (t *tap) itemDone(e *eventText, s *dialect.Signal) {
	v := e.item.Value()
	has, err := hasContent(jsontext.Plain(v))
	has = has || err != nil // what is not understood is passed on all the same
	s.Content = has
	switch isText := is(v.Get("type"), itemMessage); {
	case isText && t.isOf(e):
		t.reach(e, stageItem)
		t.whole = bytes.Clone(v)
	case has:
		s.Other = true
	case !t.other:
		t.before = append(t.before, bytes.Clone(v))
	}
}

// isPiece reports whether there is a piece of text, or probabilities of one.
func isPiece(text, logprobs jsontext.Value) bool {
	return text.Kind() == jsontext.String && (len(text) > len(`""`) || len(logprobs) > len(`[]`))
}

// end ends a stream with the response as a whole.
func (t *tap) end(e *eventText, s *dialect.Signal) error {
	var r responseText
	if err := r.read(e.response); err != nil {
		return jsontext.At("response", err)
	}
	if err := r.failure(); err != nil {
		return err
	}
	if e.kind == eventFailed {
		return forms.ProviderError(llm.CodeServerError)
	}
	if !t.content {
		has, err := anyContent(r.output)
		if err != nil {
			return jsontext.At("response", err)
		}
		s.Content, s.Other = has, has
	}
	if model := forms.Scalar(r.model); model != t.response.model {
		s.Model = model
	}
	t.ended, s.Finish, s.End, s.Tier = true, true, true, forms.Scalar(r.tier)
	t.usage = usageOf(r.usage)
	return nil
}

// hasContent reports whether an item of an answer has anything that the client would see or act on.
func hasContent(n jsontext.Node) (bool, error) {
	if n.Kind() != jsontext.Object {
		return false, jsontext.Mismatch("object", n.Value())
	}
	has := false
	switch forms.Scalar(n.Get("type").Value()) {
	case itemMessage:
		content := n.Get("content")
		if content.IsNull() {
			return false, nil
		}
		err := content.Array(func(_ int, n jsontext.Node) error {
			_, key := contentKind(n)
			text := n.Get(key).Value()
			if text.IsNull() {
				return nil
			}
			if text.Kind() != jsontext.String {
				return jsontext.At(key, jsontext.Mismatch("string", text))
			}
			has = has || len(text) > len(`""`) || len(n.Get("logprobs").Value()) > len(`[]`)
			return nil
		})
		return has, jsontext.At("content", err)
	case itemReasoning:
		p, err := reasoningPart(n.Value())
		return p.Text != "" || p.Thinking.Sealed != "" || p.Thinking.Signature != "", err
	}
	return true, nil
}

// anyContent reports whether an output has any content.
func anyContent(output jsontext.Node) (has bool, err error) {
	if output.Kind() != jsontext.Array {
		return false, nil
	}
	err = output.Array(func(_ int, n jsontext.Node) error {
		if kind := n.Get("type").Value(); (is(kind, itemCall) || is(kind, itemCustomCall)) && !isNamed(n.Value()) {
			return errNoName
		}
		one, err := hasContent(n)
		has = has || one
		return err
	})
	return has, jsontext.At("output", err)
}

// Close ends the stream: nothing could be missing but the response's own end.
func (t *tap) Close() ([]byte, error) {
	if t.ended {
		return nil, nil
	}
	return nil, forms.Truncated("stream ended before the response did")
}

// Body reads a whole answer. One that the client shall fetch later is whole: it asked for it.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	r, err := readWhole(tree, body)
	if err != nil {
		return dialect.Signal{}, err
	}
	s := dialect.Signal{Model: forms.Scalar(r.model), Tier: forms.Scalar(r.tier), Object: forms.Scalar(r.id), Finish: true, End: true, Content: true}
	if !r.isUnfinished() {
		s.Content, err = anyContent(r.output)
	}
	if err != nil {
		var e *llm.Error
		if errors.As(err, &e) {
			return dialect.Signal{}, e
		}
		return dialect.Signal{}, forms.BadAnswer("read answer: %w", err)
	}
	t.usage = usageOf(r.usage)
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
