package cohere

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

// types are the kinds of a request's members [coh:/v2/chat].
var types = forms.NewTypes(
	[2]string{"string", "model tool_choice safety_mode"},
	[2]string{"array", "messages tools documents stop_sequences"},
	[2]string{"boolean", "stream strict_tools logprobs"},
	[2]string{"integer", "max_tokens k seed"},
	[2]string{"number", "temperature p frequency_penalty presence_penalty"},
	[2]string{"object", "response_format thinking citation_options"},
)

// Peek reads the model and whether the answer shall be streamed; a stream always ends with its usage.
func (relay) Peek(body []byte) (dialect.Peeked, error) { return peek(body, types) }

func peek(body []byte, types *forms.Types) (dialect.Peeked, error) {
	var p dialect.Peeked
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return p, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	err := v.Members(func(name []byte, v jsontext.Value) error {
		err := types.Check(name, v)
		switch key := string(name); {
		case err != nil, v.IsNull():
		case key == "model":
			p.Model, err = v.Text()
		case key == "stream":
			p.Stream, err = v.Bool()
		case key == "max_tokens":
			p.MaxTokens, _ = v.Int() // whether it is legal is the vendor's to say
		}
		return err
	})
	if err != nil {
		return dialect.Peeked{}, invalid(err)
	}
	if p.Model == "" {
		return dialect.Peeked{}, llm.Invalid("model", "invalid request: a model is required.")
	}
	p.StreamUsage = p.Stream
	return p, nil
}

// SetModel replaces the model. Usage needs no asking for.
func (relay) SetModel(body []byte, model string, _ dialect.Ask) ([]byte, error) {
	return jsontext.SetTopString(body, "model", model)
}

// Strip removes the thinking that this gateway showed for other vendors from the messages that a client sends back.
func (relay) Strip(body []byte) ([]byte, []llm.Loss, error) {
	if !bytes.Contains(body, []byte(keySigned)) {
		return body, nil, nil
	}
	messages, changed, err := jsontext.EditElements(forms.Trim(body).Get("messages"), stripMessage)
	if err != nil || !changed {
		return body, nil, err
	}
	out, err := jsontext.Set(body, "messages", messages)
	if err != nil {
		return nil, nil, err
	}
	l := llm.Loss{
		Feature: llm.FeatureThinkingHistory, Path: "messages[].content[].thinking", Action: llm.ActionDropped,
		Severity: llm.Harmless, Detail: "thinking of another vendor, shown by this gateway",
	}
	return out, []llm.Loss{l}, nil
}

// stripMessage removes our blocks from a message's content; a message that held nothing else goes with them.
func stripMessage(m jsontext.Value) (out []byte, err error) {
	left := 0
	content, changed, err := jsontext.EditElements(m.Get("content"), func(v jsontext.Value) ([]byte, error) {
		if v.Get(keySigned) != nil {
			return nil, nil
		}
		left++
		return v, nil
	})
	switch {
	case err != nil || !changed:
		return m, err
	case left > 0:
		out, err = jsontext.Set(m, "content", content)
		return out, err
	case m.Get("tool_calls").IsNull() && m.Get(keyPlan).IsNull():
		return nil, nil
	}
	out, _, err = jsontext.Drop(m, "content")
	return out, err
}

var _ dialect.Resumable = (*tap)(nil)

// NewTap returns a tap for one answer. Nothing need be asked for, so nothing is hidden.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{} }

// tap follows an answer that goes by with the provider side's own reader, and so agrees with it.
type tap struct {
	reader *streamReader // of a stream; it is large
	events []llm.Event   // memory
	text   []byte        // likewise: of a frame
	usage  llm.Usage
}

func (t *tap) stream() *streamReader {
	if t.reader == nil {
		t.reader = new(streamReader)
	}
	return t.reader
}

// Frame looks at one event.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	var err error
	t.events, err = t.stream().Read(t.events[:0], f)
	if err != nil {
		return s, err
	}
	for i := range t.events {
		switch e := &t.events[i]; e.Kind {
		case llm.EventFinish:
			s.Finish = true
		case llm.EventUsage:
			t.usage = e.Usage
		case llm.EventEnd:
			s.End = true
		default:
			t.see(&s, e)
		}
	}
	return s, nil
}

// see says what an event is besides the end.
func (t *tap) see(s *dialect.Signal, e *llm.Event) {
	s.Content = s.Content || e.IsContent()
	open := &t.reader.text
	isText := open.kind == llm.PartText && !open.planned
	switch e.Kind {
	case llm.EventPartStart:
		s.Other = s.Other || !isText || e.Part.Kind != llm.PartText
	case llm.EventPartDelta:
		s.Other = s.Other || !isText || e.Delta.Citation != nil
		t.text = append(t.text[:0], s.Text...)
		t.text = jsontext.AppendString(t.text, e.Delta.Text)
		s.Text = inner(t.text, len(s.Text))
	case llm.EventLogProbs:
		s.Other = true
	default:
	}
}

// inner returns text without the quotes of the string that begins at a place and ends it.
func inner(text []byte, at int) []byte {
	n := copy(text[at:], text[at+1:len(text)-1])
	return text[:at+n]
}

// sent is how far the contents of a stream have come.
type sent struct {
	contents int  // how many have begun
	isOpen   bool // the last of them has not ended
}

// Sent says how far the contents have come.
func (t *tap) Sent() any {
	r := t.stream()
	if !r.started || r.stopped || r.text.joiner.Held() {
		return nil
	}
	return sent{r.contents, r.isOpen}
}

// Close ends the stream. A message that has ended is whole, with the terminator or without.
func (t *tap) Close() ([]byte, error) {
	_, err := t.stream().Close(nil)
	return nil, err
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	w, err := readWhole(tree, body)
	if err != nil {
		return dialect.Signal{}, err
	}
	hasContent := w.hasOnlyText()
	if !hasContent {
		c, err := w.choice()
		if err != nil {
			return dialect.Signal{}, err
		}
		hasContent = len(c.Parts) > 0 || len(c.LogProbs) > 0
	}
	t.usage = w.counted
	return dialect.Signal{Content: hasContent, Finish: true, End: true}, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
