package cohere

import (
	"errors"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// whole is where a whole answer says what [coh:ChatResponseV2].
type whole struct {
	id, reason, fault, logprobs jsontext.Value
	message, usage              jsontext.Node

	word    string // the finish reason
	counted llm.Usage
}

func (w *whole) member(name []byte, n jsontext.Node) {
	switch string(name) {
	case "id":
		w.id = n.Value()
	case "message":
		w.message = n
	case "finish_reason":
		w.reason = n.Value()
	case "error":
		w.fault = n.Value()
	case "usage":
		w.usage = n
	case "logprobs":
		w.logprobs = n.Value()
	}
}

// readWhole reads the top of an answer's body, and throws the error that it may hold instead.
func readWhole(tree *jsontext.Tree, body []byte) (w whole, err error) {
	root, err := tree.ParseLenient(body)
	if err != nil {
		return w, forms.BadAnswer("read answer: %w", err)
	}
	root.Each(w.member)
	if w.message.Kind() != jsontext.Object {
		if e := inBandError(root.Value()); e != nil {
			return w, e
		}
		return w, forms.BadAnswer("answer has no message")
	}
	w.word, w.counted = textOf(w.reason), usageOf(w.usage)
	if e := failure(w.word, textOf(w.fault), w.counted.Known); e != nil {
		return w, e
	}
	return w, nil
}

// DecodeResponse reads a chat response.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	w, err := readWhole(tree, body)
	if err != nil {
		return nil, err
	}
	c, err := w.choice()
	if err != nil {
		return nil, err
	}
	return &llm.Response{ID: textOf(w.id), Usage: w.counted, Choices: []llm.Choice{c}}, nil
}

// choice reads the message, and what else there is of it.
func (w *whole) choice() (llm.Choice, error) {
	var a answer
	if err := a.read(w.message, textOf(w.id)); err != nil {
		return llm.Choice{}, forms.BadAnswer("read answer: %w", jsontext.At("message", err))
	}
	if len(a.parts) == 0 && w.word == "" {
		return llm.Choice{}, forms.BadAnswer("answer has neither content nor a finish reason")
	}
	return llm.Choice{Parts: a.parts, Stop: stopOf(w.word, a.calls > 0), LogProbs: logProbsOf(w.logprobs)}, nil
}

// hasOnlyText reports whether the message is text that says something and nothing else, as most are: there is nothing in
// it that could be wrong.
func (w *whole) hasOnlyText() bool {
	isText, saysAny := true, false
	w.message.Each(func(name []byte, n jsontext.Node) {
		switch string(name) {
		case "role":
		case "content":
			saysAny = false // of two, the last counts
			if n.Kind() != jsontext.Array {
				isText = false
				return
			}
			_ = n.Array(func(_ int, n jsontext.Node) error { // it is one, and the function returns no error
				text := n.Get("text").Value()
				isText = isText && string(n.Get("type").Value()) == `"`+typeText+`"` && text.Kind() == jsontext.String
				saysAny = saysAny || len(text) > len(`""`)
				return nil
			})
		default:
			isText = isText && n.IsNull()
		}
	})
	return isText && saysAny
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
