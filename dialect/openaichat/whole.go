package openaichat

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// wholeText is where a whole answer says what: openai.yaml, CreateChatCompletionResponse.
type wholeText struct {
	id, model, created, tier, fault jsontext.Value
	usage, choices                  jsontext.Node
}

// readWhole reads the top of an answer's body, and throws the error that it may hold instead.
func readWhole(tree *jsontext.Tree, body []byte) (w wholeText, err error) {
	root, err := tree.ParseLenient(body)
	if err != nil {
		return w, forms.BadAnswer("read answer: %w", err)
	}
	if root.Kind() != jsontext.Object {
		return w, forms.BadAnswer("answer is %s, not an object", root.Kind())
	}
	if err := root.Members(w.member); err != nil {
		return w, forms.BadAnswer("read answer: %w", err)
	}
	if !w.fault.IsNull() || w.choices.Kind() == jsontext.Invalid {
		if e := inBandError(root.Value()); e != nil {
			return w, e
		}
	}
	if w.choices.Kind() != jsontext.Array {
		return w, forms.BadAnswer("answer has no choices")
	}
	return w, nil
}

func (w *wholeText) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "id":
		w.id = v
	case "model":
		w.model = v
	case "created":
		w.created = v
	case "service_tier":
		w.tier = v
	case "usage":
		w.usage = n
	case "error":
		w.fault = v
	case "choices":
		w.choices = n
	}
	return nil
}

// wholeChoice is where a choice of a whole answer says what.
type wholeChoice struct {
	choiceText
	fault jsontext.Value

	word   string // the finish reason
	answer answer
}

// eachChoice reads each choice into c and calls f, which returns whether there is anything in it. There must be a choice,
// and each must have something or a finish reason.
func (w *wholeText) eachChoice(c *wholeChoice, f func(i int) (bool, error)) error {
	hasChoice := false
	err := w.choices.Array(func(i int, n jsontext.Node) error {
		hasChoice = true
		*c = wholeChoice{}
		if err := c.read(n); err != nil {
			return err
		}
		hasContent, err := f(i)
		if err == nil && !hasContent && c.word == "" {
			err = forms.BadAnswer("choice %d has neither content nor a finish reason", indexOf(c.index, i))
		}
		return err
	})
	switch {
	case err != nil:
		var e *llm.Error
		if errors.As(err, &e) {
			return e
		}
		return forms.BadAnswer("read answer: %w", err)
	case !hasChoice:
		return forms.BadAnswer("answer has no choice")
	}
	return nil
}

func (c *wholeChoice) read(n jsontext.Node) error {
	if err := n.Members(c.member); err != nil {
		return err
	}
	if !c.fault.IsNull() { // one server answers with an error in the choice
		var f forms.Fault
		f.Read(n.Value())
		return f.ToError(0)
	}
	c.word = forms.Scalar(c.reason)
	if e := failedReason(c.word); e != nil {
		return e
	}
	if c.message.IsNull() {
		c.message = c.delta
	}
	if c.message.IsNull() {
		return nil
	}
	return c.answer.read(c.message)
}

func (c *wholeChoice) member(name []byte, n jsontext.Node) error {
	if string(name) == "error" {
		c.fault = n.Value()
		return nil
	}
	return c.choiceText.member(name, n)
}

// isSaid reports whether a value has a text as scalar reads it.
func isSaid(v jsontext.Value) bool {
	return v.Kind() == jsontext.Number || v.Kind() == jsontext.String && string(v) != `""`
}

// hasParts reports whether parts would make a part, and fails where it fails.
func (a *answer) hasParts() (has bool, err error) {
	err = eachText(a.content, func(_ llm.PartKind, v jsontext.Value) error {
		has = has || isSaid(v)
		return nil
	})
	if err != nil {
		return false, jsontext.At("content", err)
	}
	calls := 0
	err = a.eachCall(func(_, _ jsontext.Value) { calls++ })
	has = has || calls > 0 || len(a.audio) > 0 || a.refusal.Kind() == jsontext.String && isSaid(a.refusal)
	if !has && (len(a.reasoning) > 0 || len(a.detail) > 0) {
		a.thinking()
		has = len(a.list) > 0
	}
	return has, err
}

// eachCall calls f for tool_calls, which one server sends as a single object, or for function_call. A call without a
// function is one that only this dialect knows.
func (a *answer) eachCall(f func(call, function jsontext.Value)) error {
	hasFunction := false
	each := func(v jsontext.Value) error {
		function := v.Get(typeFunction)
		switch {
		case function.Kind() == jsontext.Object && isSaid(function.Get("name")):
			hasFunction = true
			f(v, function)
		case forms.Scalar(v.Get("type")) == typeCustom:
			f(v, nil)
		default:
			return errors.New("tool call without a function's name")
		}
		return nil
	}
	var err error
	switch a.toolCalls.Kind() {
	case jsontext.Array:
		err = a.toolCalls.Array(func(_ int, v jsontext.Value) error { return each(v) })
	case jsontext.Object:
		err = each(a.toolCalls)
	default:
	}
	if err == nil && a.functionCall.Kind() == jsontext.Object && !hasFunction {
		f(nil, a.functionCall)
	}
	return jsontext.At("tool_calls", err)
}
