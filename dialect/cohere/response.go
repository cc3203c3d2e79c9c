package cohere

import (
	"errors"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// DecodeResponse reads a chat response [coh:ChatResponseV2].
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	v, err := tree.ParseLenient(body)
	if err != nil {
		return nil, forms.BadAnswer("read answer: %w", err)
	}
	m := v.Get("message")
	if m.Kind() != jsontext.Object {
		if e := inBandError(v.Value()); e != nil {
			return nil, e
		}
		return nil, forms.BadAnswer("answer has no message")
	}
	word := textOf(v.Get("finish_reason").Value())
	r := &llm.Response{ID: textOf(v.Get("id").Value()), Usage: usageOf(v.Get("usage").Value())}
	if e := failure(word, textOf(v.Get("error").Value()), r.Usage.Known); e != nil {
		return nil, e
	}
	var a answer
	if err := a.read(m, r.ID); err != nil {
		return nil, forms.BadAnswer("read answer: %w", jsontext.At("message", err))
	}
	if len(a.parts) == 0 && word == "" {
		return nil, forms.BadAnswer("answer has neither content nor a finish reason")
	}
	r.Choices = []llm.Choice{{Parts: a.parts, Stop: stopOf(word, a.calls > 0), LogProbs: logProbsOf(v.Get("logprobs").Value())}}
	return r, nil
}

// answer is the parts of a whole message: content, plan, calls.
type answer struct {
	parts []llm.Part
	calls int
}

// read reads [coh:AssistantMessageResponse].
func (a *answer) read(m jsontext.Node, id string) error {
	places, err := a.content(m.Get("content"))
	if err != nil {
		return jsontext.At("content", err)
	}
	plan := -1
	if text := textOf(m.Get(keyPlan).Value()); text != "" {
		plan = len(a.parts)
		a.parts = append(a.parts, llm.Text(text))
	}
	strays := cite(m.Get("citations").Value(), func(index int, planned bool) *llm.Part {
		switch {
		case planned && plan >= 0:
			return &a.parts[plan]
		case index >= 0 && index < len(places) && places[index] >= 0:
			if p := &a.parts[places[index]]; p.Kind == llm.PartText {
				return p
			}
			return nil
		}
		return firstText(a.parts)
	})
	a.parts = append(a.parts, strays...)
	calls := m.Get("tool_calls").Value()
	if calls.IsNull() {
		return nil
	}
	return jsontext.At("tool_calls", calls.Array(func(_ int, v jsontext.Value) error {
		c := &llm.ToolCall{ID: textOf(v.Get("id")), Name: textOf(v.Get(typeFunction, "name")), Args: argsOf(v.Get(typeFunction, "arguments"))}
		if c.Name == "" {
			return errors.New("tool call without a name")
		}
		if c.ID == "" {
			c.ID = mintID(id, a.calls)
		}
		a.calls++
		a.parts = append(a.parts, llm.Part{Kind: llm.PartToolCall, Call: c})
		return nil
	}))
}

// content reads the blocks of content, or a string, and returns which part each block is; -1 is none.
func (a *answer) content(n jsontext.Node) (places []int, err error) {
	switch n.Kind() {
	case jsontext.Invalid, jsontext.Null:
		return nil, nil
	case jsontext.String:
		if text := textOf(n.Value()); text != "" {
			a.parts = append(a.parts, llm.Text(text))
		}
		return []int{0}, nil
	default:
	}
	err = n.Array(func(_ int, n jsontext.Node) error {
		p := llm.Part{Kind: llm.PartText}
		var err error
		text := n.Get("text").Value()
		switch kind := textOf(n.Get("type").Value()); {
		case kind == typeThinking:
			p, err = thinkingOf(n.Value())
		case kind == typeText || text.Kind() == jsontext.String:
			p.Text, err = text.Text()
		case n.Kind() != jsontext.Object:
			return jsontext.Mismatch("object", n.Value())
		default:
			p = llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: kind, Raw: n.Value()}}
		}
		if err != nil {
			return jsontext.At("text", err)
		}
		if p.Text == "" && p.Opaque == nil && (p.Thinking == nil || *p.Thinking == llm.Thinking{}) {
			places = append(places, -1)
			return nil
		}
		places = append(places, len(a.parts))
		a.parts = append(a.parts, p)
		return nil
	})
	return places, err
}

// argsOf reads arguments: JSON in a string, or the object itself.
func argsOf(v jsontext.Value) string {
	switch v.Kind() {
	case jsontext.String:
		return textOf(v)
	case jsontext.Object:
		return string(jsontext.Compact(nil, v))
	default:
		return ""
	}
}

// mintID makes an id for a call that came without one: the same for the same place in the same answer.
func mintID(response string, n int) string {
	return "call_" + digest(response+"/"+string(jsontext.AppendInt(nil, int64(n))), 16)
}

// logProbsOf reads a list of [coh:LogprobItem], or one of a stream's.
func logProbsOf(v jsontext.Value) []llm.TokenLogProb {
	var list []llm.TokenLogProb
	item := func(v jsontext.Value) {
		t := llm.TokenLogProb{Token: textOf(v.Get("text"))}
		known := false
		_ = v.Get("logprobs").Array(func(_ int, v jsontext.Value) error {
			p, err := v.Float()
			t.LogProb += p // a chunk of several tokens is as likely as all of them
			known = known || err == nil
			return nil
		})
		if !known {
			return
		}
		if utf8.ValidString(t.Token) {
			t.Bytes = []byte(t.Token)
		}
		list = append(list, t)
	}
	if v.Kind() == jsontext.Object {
		item(v)
	}
	_ = v.Array(func(_ int, v jsontext.Value) error { item(v); return nil }) // what is no list holds none
	return list
}
