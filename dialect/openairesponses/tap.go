package openairesponses

import (
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewTap returns a tap for one answer. What it is asked for always comes.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{} }

// tap follows an answer that goes by. It holds a stream to the same grammar as the stream reader and sees content
// where that makes some, but makes none.
type tap struct {
	tree           jsontext.Tree
	started, ended bool
	content        bool // some was seen
	usage          llm.Usage
}

// Frame looks at one frame of a stream.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	if t.ended {
		return s, nil
	}
	e, err := readEvent(&t.tree, f)
	if err != nil {
		return s, err
	}
	if err := t.event(&e, &s); err != nil {
		return dialect.Signal{}, classed(err)
	}
	t.content = t.content || s.Content
	return s, nil
}

func (t *tap) event(e *eventText, s *dialect.Signal) (err error) {
	switch e.kind {
	case eventTextDelta, eventArgsDelta, eventSummaryDelta, eventThoughtDelta, eventRefusalDelta, eventInputDelta:
		s.Content, err = isPiece(e.delta, e.logprobs)
	case eventCreated, eventQueued, eventInProgress:
		if !t.started {
			t.started = true
			s.Model = scalar(e.response.Value().Get("model"))
		}
	case eventItemAdded:
		kind := scalar(e.item.Value().Get("type"))
		s.Content = kind == itemCall || kind == itemCustomCall
	case eventItemDone:
		s.Content, err = hasContent(e.item.Value())
		err = jsontext.At("item", err)
	case eventTextDone, eventRefusalDone:
		s.Content, err = isPiece(e.text, e.logprobs)
	case eventArgsDone, eventInputDone:
		s.Content = true
	case eventAnnotation:
		s.Content = t.content
	case eventCompleted, eventIncomplete, eventFailed:
		return t.end(e, s)
	default:
		// The vendor's own tools: what is shown of their work is content, how far they are is none.
		s.Content = strings.HasSuffix(e.kind, ".delta") || strings.HasSuffix(e.kind, ".partial_image")
	}
	return err
}

// isPiece reports whether there is a piece of text, or probabilities of one.
func isPiece(text, logprobs jsontext.Value) (bool, error) {
	switch text.Kind() {
	case jsontext.String:
		return len(text) > len(`""`) || len(logprobs) > len(`[]`), nil
	case jsontext.Invalid, jsontext.Null:
		return false, nil
	default:
		return false, jsontext.At("delta", jsontext.Mismatch("string", text))
	}
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
		return providerError(llm.CodeServerError)
	}
	if !t.content {
		has, err := anyContent(r.output)
		if err != nil {
			return jsontext.At("response", err)
		}
		s.Content = has
	}
	if !t.started {
		s.Model = scalar(r.model)
	}
	t.ended, s.Finish, s.End = true, true, true
	t.usage = usageOf(r.usage)
	return nil
}

// hasContent reports whether an item of an answer has anything that the client would see or act on.
func hasContent(v jsontext.Value) (bool, error) {
	if v.Kind() != jsontext.Object {
		return false, jsontext.Mismatch("object", v)
	}
	has := false
	switch scalar(v.Get("type")) {
	case itemMessage:
		content := v.Get("content")
		if content.IsNull() {
			return false, nil
		}
		err := content.Array(func(_ int, v jsontext.Value) error {
			_, key := contentKind(v)
			text := v.Get(key)
			if text.IsNull() {
				return nil
			}
			if text.Kind() != jsontext.String {
				return jsontext.At(key, jsontext.Mismatch("string", text))
			}
			has = has || len(text) > len(`""`) || len(v.Get("logprobs")) > len(`[]`)
			return nil
		})
		return has, jsontext.At("content", err)
	case itemReasoning:
		p, err := reasoningPart(v)
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
		one, err := hasContent(n.Value())
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
	return nil, truncated("stream ended before the response did")
}

// Body reads a whole answer. One that the client shall fetch later is whole: it asked for it.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	r, err := readWhole(&t.tree, body)
	if err != nil {
		return dialect.Signal{}, err
	}
	s := dialect.Signal{Model: scalar(r.model), Finish: true, End: true, Content: true}
	if !r.isUnfinished() {
		s.Content, err = anyContent(r.output)
	}
	var e *llm.Error
	switch {
	case errors.As(err, &e):
		return dialect.Signal{}, e
	case err != nil:
		return dialect.Signal{}, badAnswer("read answer: %w", err)
	}
	t.usage = usageOf(r.usage)
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
