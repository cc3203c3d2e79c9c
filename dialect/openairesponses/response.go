package openairesponses

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// responseText is where a response says what: openai.yaml, Response.
type responseText struct {
	id, model, created, tier, status, fault, reason jsontext.Value

	usage, output jsontext.Node
}

func (r *responseText) read(n jsontext.Node) error { return n.Members(r.member) }

func (r *responseText) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "id":
		r.id = v
	case "model":
		r.model = v
	case "created_at":
		r.created = v
	case "service_tier":
		r.tier = v
	case "status":
		r.status = v
	case "error":
		r.fault = v
	case "incomplete_details":
		r.reason = v.Get("reason")
	case "usage":
		r.usage = n
	case "output":
		r.output = n
	}
	return nil
}

// failure is the error that a response holds instead of an answer, or nil.
func (r *responseText) failure() *llm.Error {
	if !r.fault.IsNull() && !is(r.fault, "") {
		var f forms.Fault
		f.Object(r.fault)
		return f.ToError(0)
	}
	if is(r.status, "failed") || is(r.status, "cancelled") {
		e := forms.ProviderError(llm.CodeServerError)
		e.VendorCode = forms.Identifier(forms.Scalar(r.status))
		return e
	}
	return nil
}

// isUnfinished reports whether the answer is to be fetched later.
func (r *responseText) isUnfinished() bool {
	return is(r.status, "queued") || is(r.status, "in_progress")
}

// seconds is when the response was made; some servers say it to fractions of a second.
func (r *responseText) seconds() int64 {
	f, err := r.created.Float()
	if err != nil || f < 0 || f > 1<<52 {
		return 0
	}
	return int64(f)
}

// readWhole reads the top of an answer's body, and throws the error that it may hold instead.
func readWhole(tree *jsontext.Tree, body []byte) (r responseText, err error) {
	root, err := tree.ParseLenient(body)
	if err != nil {
		return r, forms.BadAnswer("read answer: %w", err)
	}
	if root.Kind() != jsontext.Object {
		return r, forms.BadAnswer("answer is %s, not an object", root.Kind())
	}
	if err := r.read(root); err != nil {
		return r, forms.BadAnswer("read answer: %w", err)
	}
	if r.output.Kind() != jsontext.Array {
		if e := inBandError(root.Value()); e != nil {
			return r, e
		}
	}
	if e := r.failure(); e != nil {
		return r, e
	}
	switch {
	case r.isUnfinished():
	case r.output.Kind() != jsontext.Array:
		return r, forms.BadAnswer("answer has no output")
	case r.status.IsNull() && isEmpty(r.output):
		return r, forms.BadAnswer("answer has neither output nor a status")
	}
	return r, nil
}

func isEmpty(list jsontext.Node) bool {
	empty := true
	_ = list.Array(func(int, jsontext.Node) error { empty = false; return nil }) // it is a list, and the function returns no error
	return empty
}

// DecodeResponse reads a response.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	r, err := readWhole(tree, body)
	if err != nil {
		return nil, err
	}
	if r.isUnfinished() {
		return nil, forms.Truncated("answer is not finished: it is " + forms.Scalar(r.status))
	}
	a := answer{id: forms.Scalar(r.id)}
	err = r.output.Array(func(_ int, n jsontext.Node) error { return a.item(n) })
	var e *llm.Error
	switch {
	case errors.As(err, &e):
		return nil, e
	case err != nil:
		return nil, forms.BadAnswer("read answer: %w", jsontext.At("output", err))
	}
	return &llm.Response{
		ID: a.id, Model: forms.Scalar(r.model), Created: r.seconds(), Tier: forms.Scalar(r.tier), Usage: usageOf(r.usage),
		Choices: []llm.Choice{{
			Parts: a.parts, LogProbs: a.logprobs,
			Stop: stopOf(is(r.status, "incomplete"), forms.Scalar(r.reason), a.calls > 0, a.refused),
		}},
	}, nil
}

// stopOf is why an answer ended, given what it held: a call that the client shall run counts more than that it is
// complete, and a refusal is one.
func stopOf(incomplete bool, reason string, calls, refused bool) llm.Stop {
	s := llm.Stop{Reason: llm.StopEnd, Raw: "completed"}
	switch {
	case incomplete:
		s.Raw = reason
		switch {
		case reason == "max_output_tokens", reason == "max_tokens", reason == "length":
			s.Reason = llm.StopLength
		case reason == "content_filter" && refused:
			s.Reason = llm.StopRefusal
		case reason == "content_filter":
			s.Reason = llm.StopContentFilter
		default:
			s.Reason = llm.StopLength // it is cut, for whatever reason
		}
	case calls:
		s.Reason = llm.StopToolCalls
	case refused:
		s.Reason = llm.StopRefusal
	}
	return s
}

// answer collects the parts of an output's items.
type answer struct {
	id       string
	parts    []llm.Part
	logprobs []llm.TokenLogProb
	calls    int
	refused  bool
}

// item reads one item: openai.yaml, OutputItem. One of a type unknown here stays as it is.
func (a *answer) item(n jsontext.Node) error {
	v := n.Value()
	if n.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", v)
	}
	switch kind := forms.Scalar(n.Get("type").Value()); kind {
	case itemMessage:
		content := n.Get("content")
		if content.IsNull() {
			return nil
		}
		return jsontext.At("content", content.Array(func(_ int, n jsontext.Node) error { return a.content(n) }))
	case itemReasoning:
		p, err := reasoningPart(v)
		if err == nil && p.Text+p.Thinking.Sealed+p.Thinking.Signature != "" {
			p.Extra = nil
			a.parts = append(a.parts, p)
		}
		return err
	case itemCall, itemCustomCall:
		return a.call(kind, v)
	default:
		p, err := answeredItem(kind, v)
		a.parts = append(a.parts, p)
		return err
	}
}

// content reads a part of a message: openai.yaml, OutputMessageContent. Empty text is nothing.
func (a *answer) content(n jsontext.Node) error {
	kind, key := contentKind(n)
	text := n.Get(key).Value()
	if text.IsNull() {
		return nil // of a kind that carries none
	}
	p := llm.Part{Kind: kind}
	var err error
	if p.Text, err = text.Text(); err != nil {
		return jsontext.At(key, err)
	}
	a.logprobs = append(a.logprobs, logProbsOf(n.Get("logprobs").Value())...)
	if p.Text == "" {
		return nil
	}
	a.refused = a.refused || p.Kind == llm.PartRefusal
	_ = n.Get("annotations").Value().Array(func(_ int, v jsontext.Value) error { // not a list: none
		p.Citations = append(p.Citations, citationOf(v))
		return nil
	})
	a.parts = append(a.parts, p)
	return nil
}

// contentKind is what a content of a message is, and the member that its text is in.
func contentKind(n jsontext.Node) (llm.PartKind, string) {
	if is(n.Get("type").Value(), typeRefusal) {
		return llm.PartRefusal, typeRefusal
	}
	return llm.PartText, "text"
}

func (a *answer) call(kind string, v jsontext.Value) error {
	c := callOf(kind, v)
	if !isNamed(v) {
		return errNoName
	}
	if c.ID == "" {
		c.ID = mintID("call_", a.id, a.calls)
	}
	if kind == itemCustomCall {
		c.Args = customArgs(c.Args)
	}
	a.calls++
	a.parts = append(a.parts, llm.Part{Kind: llm.PartToolCall, Call: c})
	return nil
}

var errNoName = errors.New("call without a tool's name")

// isNamed reports whether a call names its tool.
func isNamed(v jsontext.Value) bool {
	name := v.Get("name")
	return name.Kind() == jsontext.String && !is(name, "")
}

// callOf reads a call. The arguments of one of a free-form tool are its input as it is.
func callOf(kind string, v jsontext.Value) *llm.ToolCall {
	c := &llm.ToolCall{ID: forms.Scalar(v.Get("call_id")), Name: forms.Scalar(v.Get("name"))}
	if c.ID == "" {
		c.ID = forms.Scalar(v.Get("id"))
	}
	if kind == itemCustomCall {
		c.Name, c.Args = customPrefix+c.Name, forms.Scalar(v.Get(customInput))
		return c
	}
	switch args := v.Get("arguments"); args.Kind() {
	case jsontext.Object: // as some servers have it
		c.Args = string(jsontext.Compact(nil, args))
	default:
		c.Args = forms.Scalar(args)
	}
	return c
}

// logProbsOf reads logprobs: openai.yaml, LogProb and ResponseLogProb. What is none is not read, and the answer is none
// the worse.
func logProbsOf(v jsontext.Value) []llm.TokenLogProb {
	list, err := forms.TokensOf(v, true)
	if err != nil {
		return nil
	}
	return list
}
