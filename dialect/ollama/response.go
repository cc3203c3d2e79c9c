package ollama

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// chunk is where an answer, or one line of a stream, says what [oll:ChatResponse, oll:ChatStreamEvent].
type chunk struct {
	model, created, done, reason, prompt, eval jsontext.Value
	logprobs, fault                            jsontext.Value
	message                                    jsontext.Node
	content, thinking, signed, calls           jsontext.Value
}

// read finds the members of a line, or throws the error that it may hold instead.
func (c *chunk) read(tree *jsontext.Tree, data []byte) error {
	root, err := tree.ParseLenient(data)
	if err != nil {
		return forms.BadAnswer("read answer: %w", err)
	}
	if root.Kind() != jsontext.Object {
		return forms.BadAnswer("answer is %s, not an object", root.Kind())
	}
	if err := root.Members(c.member); err != nil {
		return forms.BadAnswer("read answer: %w", err)
	}
	if !c.fault.IsNull() {
		return errorOf(0, messageOf(root.Value()))
	}
	if c.message.Kind() != jsontext.Object {
		return forms.BadAnswer("answer has no message")
	}
	if err := c.message.Members(c.inMessage); err != nil {
		return forms.BadAnswer("read answer: %w", err)
	}
	return nil
}

func (c *chunk) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "model":
		c.model = v
	case "created_at":
		c.created = v
	case "message":
		c.message = n
	case "done":
		c.done = v
	case "done_reason":
		c.reason = v
	case "prompt_eval_count":
		c.prompt = v
	case "eval_count":
		c.eval = v
	case "logprobs":
		c.logprobs = v
	case "error":
		c.fault = v
	}
	return nil
}

func (c *chunk) inMessage(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "content":
		c.content = v
	case keyThinking:
		c.thinking = v
	case keySigned:
		c.signed = v
	case "tool_calls":
		c.calls = v
	}
	return nil
}

func (c *chunk) isDone() bool { return string(c.done) == "true" }

// eachCall calls f for each of tool_calls; one without an id gets one.
func (c *chunk) eachCall(n int, f func(*llm.ToolCall)) error {
	if c.calls.IsNull() {
		return nil
	}
	err := c.calls.Array(func(_ int, v jsontext.Value) error {
		call := &llm.ToolCall{ID: textOf(v.Get("id")), Name: textOf(v.Get(typeFunction, "name"))}
		if call.Name == "" {
			return errors.New("tool call without a name")
		}
		var err error
		if call.Args, err = argsOf(v.Get(typeFunction, "arguments")); err != nil {
			return jsontext.At("arguments", err)
		}
		if call.ID == "" {
			call.ID = mintID(textOf(c.created), n)
		}
		n++
		f(call)
		return nil
	})
	if err != nil {
		return forms.BadAnswer("read answer: %w", jsontext.At("tool_calls", err))
	}
	return nil
}

// readWhole finds the members of a whole chat response.
func (c *chunk) readWhole(tree *jsontext.Tree, body []byte) error {
	err := c.read(tree, body)
	if err == nil && !c.isDone() {
		err = forms.BadAnswer("answer is not done")
	}
	return err
}

// DecodeResponse reads a whole chat response.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	var c chunk
	tree := jsontext.Borrow()
	defer tree.Return()
	if err := c.readWhole(tree, body); err != nil {
		return nil, err
	}
	choice, err := c.choice()
	if err != nil {
		return nil, err
	}
	return &llm.Response{
		Model: textOf(c.model), Created: createdOf(textOf(c.created)), Usage: usageOf(c.prompt, c.eval), Choices: []llm.Choice{choice},
	}, nil
}

// choice reads the message, and what else there is of it.
func (c *chunk) choice() (llm.Choice, error) {
	parts := signedThinking(c.signed)
	if text := textOf(c.thinking); len(parts) == 0 && text != "" {
		parts = append(parts, llm.Part{Kind: llm.PartThinking, Text: text, Thinking: &llm.Thinking{}})
	}
	if text := textOf(c.content); text != "" {
		parts = append(parts, llm.Text(text))
	}
	calls := 0
	err := c.eachCall(0, func(call *llm.ToolCall) {
		calls++
		parts = append(parts, llm.Part{Kind: llm.PartToolCall, Call: call})
	})
	if err != nil {
		return llm.Choice{}, err
	}
	return llm.Choice{Parts: parts, Stop: stopOf(textOf(c.reason), calls > 0), LogProbs: logProbsOf(c.logprobs)}, nil
}

// logProbsOf reads a list of [oll:Logprob]. What has another shape is not read, and the answer is none the worse.
func logProbsOf(v jsontext.Value) []llm.TokenLogProb {
	if v.Kind() != jsontext.Array {
		return nil
	}
	list, err := tokensOf(v, true)
	if err != nil {
		return nil
	}
	return list
}

func tokensOf(v jsontext.Value, withTop bool) (list []llm.TokenLogProb, err error) {
	err = v.Array(func(_ int, v jsontext.Value) error {
		t := llm.TokenLogProb{Token: textOf(v.Get("token"))}
		var err error
		if t.LogProb, err = v.Get("logprob").Float(); err != nil {
			return jsontext.At("logprob", err)
		}
		if b := v.Get("bytes"); !b.IsNull() {
			err = b.Array(func(_ int, v jsontext.Value) error {
				n, err := v.Int()
				t.Bytes = append(t.Bytes, byte(n))
				return err
			})
		}
		if top := v.Get("top_logprobs"); err == nil && withTop && !top.IsNull() {
			t.Top, err = tokensOf(top, false)
		}
		list = append(list, t)
		return err
	})
	return list, err
}
