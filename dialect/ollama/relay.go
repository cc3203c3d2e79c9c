package ollama

import (
	"bytes"
	"cmp"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// relay is the dialect towards a provider that speaks it too.
type relay struct{}

// types are the kinds of a request's members [oll:ChatRequest].
var types = forms.NewTypes(
	[2]string{"string", "model"},
	[2]string{"array", "messages tools"},
	[2]string{"boolean", "stream logprobs"},
	[2]string{"integer", "top_logprobs"},
	[2]string{"object", "options"},
	[2]string{"string or object", "format"},
	[2]string{"boolean or string", "think"},
)

// Peek reads the model and whether the answer shall be streamed: it shall, unless the request says otherwise.
func (relay) Peek(body []byte) (dialect.Peeked, error) { return peek(body, types) }

func peek(body []byte, types *forms.Types) (dialect.Peeked, error) {
	p := dialect.Peeked{Stream: true}
	v := forms.Trim(body)
	if v.Kind() != jsontext.Object {
		return dialect.Peeked{}, llm.Invalid("", "The request's body must be a JSON object, but it is: %s.", v.Kind())
	}
	err := v.Members(func(name []byte, v jsontext.Value) error {
		err := types.Check(name, v)
		switch key := string(name); {
		case err != nil, v.IsNull():
		case key == "model":
			p.Model, err = v.Text()
		case key == "stream":
			p.Stream, err = v.Bool()
		case key == "options":
			n, _ := v.Get("num_predict").Int() // whether it is legal is the server's to say
			p.MaxTokens = max(n, 0)
		}
		return err
	})
	if err != nil {
		return dialect.Peeked{}, invalid(err)
	}
	if p.Model == "" {
		return dialect.Peeked{}, llm.Invalid("model", "model is required")
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
	messages, changed, err := jsontext.EditElements(forms.Trim(body).Get("messages"), func(m jsontext.Value) ([]byte, error) {
		if m.Get(keySigned) == nil {
			return m, nil
		}
		out, _, err := jsontext.Drop(m, keySigned)
		if err == nil {
			out, _, err = jsontext.Drop(out, keyThinking)
		}
		return out, err
	})
	if err != nil || !changed {
		return body, nil, err
	}
	out, err := jsontext.Set(body, "messages", messages)
	if err != nil {
		return nil, nil, err
	}
	l := llm.Loss{
		Feature: llm.FeatureThinkingHistory, Path: "messages[].thinking", Action: llm.ActionDropped,
		Severity: llm.Harmless, Detail: "thinking of another vendor, shown by this gateway",
	}
	return out, []llm.Loss{l}, nil
}

var _ dialect.Resumable = (*tap)(nil)

// NewTap returns a tap for one answer. Nothing need be asked for, so nothing is hidden.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{} }

// tap follows an answer that goes by with the provider side's own reader, and so agrees with it.
type tap struct {
	reader *streamReader // of a stream; it is large
	events []llm.Event   // memory
	text   []byte        // likewise
	usage  llm.Usage
}

func (t *tap) stream() *streamReader {
	if t.reader == nil {
		t.reader = new(streamReader)
	}
	return t.reader
}

// Frame looks at one line.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	var err error
	t.events, err = t.stream().Read(t.events[:0], f)
	if err != nil {
		return s, err
	}
	t.text = t.text[:0]
	for i := range t.events {
		switch e := &t.events[i]; e.Kind {
		case llm.EventStart:
			s.Model = e.Model
		case llm.EventFinish:
			s.Finish = true
		case llm.EventUsage:
			t.usage = e.Usage
		case llm.EventEnd:
			s.End, s.Model = true, cmp.Or(e.Model, s.Model)
		default:
			s.Content = s.Content || e.IsContent()
			t.see(&s, e)
		}
	}
	s.Text = t.text
	return s, nil
}

// see tells the text of an only part from everything else.
func (t *tap) see(s *dialect.Signal, e *llm.Event) {
	switch {
	case e.Index > 0, e.Kind == llm.EventLogProbs, e.Kind == llm.EventPartStart && e.Part.Kind != llm.PartText:
		s.Other = true
	case e.Kind != llm.EventPartDelta:
	case e.Delta.Text == "":
		s.Other = true
	case !s.Other:
		quoted := jsontext.AppendString(nil, e.Delta.Text)
		t.text = append(t.text, quoted[1:len(quoted)-1]...)
	}
}

// Close ends the stream, which has no terminator but its last line.
func (t *tap) Close() ([]byte, error) {
	_, err := t.stream().Close(nil)
	return nil, err
}

// sent is what a writer must repeat to go on with a stream.
type sent struct {
	model   string
	created int64
}

// Sent is what the client has of the stream, while its text is open.
func (t *tap) Sent() any {
	r := t.stream()
	if r.ended || r.text.kind != llm.PartText || r.text.joiner.Held() {
		return nil
	}
	return r.sent
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	var c chunk
	tree := jsontext.Borrow()
	defer tree.Return()
	if err := c.readWhole(tree, body); err != nil {
		return dialect.Signal{}, err
	}
	s := dialect.Signal{Finish: true, End: true, Model: textOf(c.model)}
	s.Content = c.calls.IsNull() && c.content.Kind() == jsontext.String && len(c.content) > len(`""`)
	if !s.Content { // there is more to be read than a text
		choice, err := c.choice()
		if err != nil {
			return dialect.Signal{}, err
		}
		s.Content = len(choice.Parts) > 0 || len(choice.LogProbs) > 0
	}
	t.usage = usageOf(c.prompt, c.eval)
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
