package gemini

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewTap returns a tap for one answer.
func (relay) NewTap(dialect.Ask) dialect.Tap { return &tap{} }

// tap follows an answer that goes by. It holds a stream to the same grammar as streamReader and decodes nothing.
type tap struct {
	latest  chunk
	repeat  *repeat // of a stream; it is large
	model   string  // that the latest chunk names
	tier    string  // likewise
	usage   llm.Usage
	blocked bool
	choices []tapChoice
	sent    sent
}

type tapChoice struct {
	index    int
	finished bool
}

// Frame looks at one frame of a stream, which has no last one.
func (t *tap) Frame(f dialect.Frame) (dialect.Signal, error) {
	var s dialect.Signal
	if isBlank(f.Data) {
		return s, nil
	}
	if t.repeat == nil {
		t.repeat = new(repeat)
	}
	if text, ok := t.repeat.matches(f.Data); ok {
		t.usage.Hear(t.repeat.counts.usage())
		s.Model, s.Tier = t.model, t.tier
		t.part(&s, &piece{text: text, hasAny: true})
		return s, nil
	}
	t.repeat.Forget()
	tree := jsontext.Borrow()
	defer tree.Return()
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return s, badAnswer("a chunk is not JSON", err)
	}
	if s, err = t.look(root); err == nil && root.Kind() == jsontext.Object {
		t.repeat.learn(f.Data, &t.latest)
	}
	return s, err
}

// look looks at a chunk, or at a list of them.
func (t *tap) look(root jsontext.Node) (s dialect.Signal, err error) {
	if root.Kind() == jsontext.Array {
		err = root.Array(func(_ int, n jsontext.Node) error { return t.chunk(&s, n) })
	} else {
		err = t.chunk(&s, root)
	}
	if err != nil {
		return dialect.Signal{}, asError(err)
	}
	return s, nil
}

// sent is what has been sent of a relayed stream.
type sent struct{ id, model string }

var _ dialect.Resumable = (*tap)(nil)

// Sent says whose stream it is: the pieces of a text are numbered by nothing.
func (t *tap) Sent() any { return t.sent }

func (t *tap) chunk(s *dialect.Signal, n jsontext.Node) error {
	c := &t.latest
	if err := c.read(n); err != nil {
		return err
	}
	if id := forms.TextOf(c.id); id != "" {
		t.sent.id = id
	}
	t.usage.Hear(usageOf(c.usage))
	if t.tier = c.tier(); t.tier != "" {
		s.Tier = t.tier
	}
	if t.model = forms.TextOf(c.model); t.model != "" {
		s.Model, t.sent.model = t.model, t.model
	}
	if _, ok := c.blocked(); ok {
		t.blocked, s.Finish = true, true
	}
	return c.eachCandidate(func(a *candidate) error {
		choice := t.choice(a.index)
		if isFinish(a.finish) {
			choice.finished, s.Finish = true, true
		}
		if a.logprobs.Get("chosenCandidates") != nil {
			s.Content, s.Other = true, true
		}
		s.Other = s.Other || a.index != 0 || !a.grounding.IsNull() || !a.citation.IsNull()
		return a.eachPart(func(p *piece) error {
			t.part(s, p)
			return nil
		})
	})
}

// part looks at a part: whether it is more of a text, and otherwise whether it is anything.
func (t *tap) part(s *dialect.Signal, p *piece) {
	if p.text != nil && !p.thought && signedBy(p.signature) == "" {
		more := p.text[1 : len(p.text)-1]
		s.Content = s.Content || len(more) > 0
		if s.Text == nil {
			s.Text = more
		} else {
			s.Text = append(s.Text[:len(s.Text):len(s.Text)], more...)
		}
		return
	}
	s.Other = true
	s.Content = s.Content || isContent(p)
}

// isContent reports whether a part other than plain text is something that the client would see or act on.
func isContent(p *piece) bool {
	if p.text != nil && p.thought {
		return len(p.text) > len(`""`) || signs(p.signature)
	}
	return p.hasAny || len(p.rest) > 0
}

// signs reports whether a signature signs something: not one of ours on a thought that nobody signed.
func signs(v jsontext.Value) bool {
	if t, _, ok := unwrap(forms.TextOf(v)); ok {
		return t.Signature != "" || t.Sealed != ""
	}
	return signedBy(v) != ""
}

func (t *tap) choice(index int) *tapChoice {
	for i := range t.choices {
		if t.choices[i].index == index {
			return &t.choices[i]
		}
	}
	t.choices = append(t.choices, tapChoice{index: index})
	return &t.choices[len(t.choices)-1]
}

// Close says whether the answer was whole: there is no terminator to add.
func (t *tap) Close() ([]byte, error) {
	if len(t.choices) == 0 && !t.blocked {
		return nil, truncated("it has no candidate")
	}
	for _, c := range t.choices {
		if !c.finished {
			return nil, truncated("it has no finish reason")
		}
	}
	return nil, nil
}

// Body reads a whole answer.
func (t *tap) Body(body []byte) (dialect.Signal, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	root, err := tree.ParseLenient(body)
	if err != nil {
		return dialect.Signal{}, badAnswer("it is not JSON", err)
	}
	s, err := t.look(root)
	if err != nil {
		return s, err
	}
	if len(t.choices) == 0 && !t.blocked {
		return dialect.Signal{}, badAnswer("it has no candidate", nil)
	}
	if _, err := t.Close(); err != nil {
		return dialect.Signal{}, err
	}
	s.End = true
	return s, nil
}

// Usage is what has been counted so far.
func (t *tap) Usage() llm.Usage { return t.usage }
