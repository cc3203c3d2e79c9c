package gemini

import (
	"bytes"
	"errors"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// chunk is a GenerateContentResponse, whole or a part of a stream, by its members.
type chunk struct {
	id, model, feedback, created, fault jsontext.Value

	candidates, usage jsontext.Node
	hasAny            bool // there is a member that an answer has

	candidate candidate // the latest
	count     int       // of those seen
}

// errNoObject is the cause of a frame that is none.
var errNoObject = errors.New("want an object")

// isBlank reports whether a frame holds nothing to read: no data, or the terminator of another dialect, which some
// compatible servers send.
func isBlank(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) == 0 || string(data) == "[DONE]"
}

// read reads the top of a document in the place of the one before. An *llm.Error is what the vendor said instead of an
// answer.
func (c *chunk) read(root jsontext.Node) error {
	*c = chunk{}
	if root.Kind() != jsontext.Object {
		return badAnswer("it is no object", errNoObject)
	}
	if err := root.Members(c.member); err != nil {
		return badAnswer("it is not what it should be", err)
	}
	if !c.fault.IsNull() {
		return readError(0, root.Value())
	}
	if k := c.candidates.Kind(); k != jsontext.Array && k != jsontext.Invalid && k != jsontext.Null {
		return badAnswer("its candidates are no list", nil)
	}
	if !c.hasAny {
		return badAnswer("it has neither candidates nor anything else that an answer has", nil)
	}
	return nil
}

func (c *chunk) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "candidates":
		c.candidates = n
	case "usageMetadata":
		c.usage = n
	case "promptFeedback":
		c.feedback = v
	case "modelVersion":
		c.model = v
	case "responseId":
		c.id = v
	case "createTime":
		c.created = v
	case "error":
		c.fault = v
		return nil
	default:
		return nil
	}
	c.hasAny = true
	return nil
}

// blocked is why the prompt was refused; not ok if it was not.
func (c *chunk) blocked() (stop llm.Stop, ok bool) {
	reason := c.feedback.Get("blockReason")
	if reason.IsNull() || is(reason, "BLOCK_REASON_UNSPECIFIED") {
		return llm.Stop{}, false
	}
	raw := forms.TextOf(reason)
	if raw == "" {
		raw = string(reason)
	}
	return llm.Stop{Reason: llm.StopContentFilter, Raw: raw, Detail: forms.TextOf(c.feedback.Get("blockReasonMessage"))}, true
}

// eachCandidate calls f for every candidate. One that is null is none.
func (c *chunk) eachCandidate(f func(*candidate) error) error {
	if c.candidates.IsNull() {
		return nil
	}
	return c.candidates.Array(func(i int, n jsontext.Node) error {
		if n.IsNull() {
			return nil
		}
		if n.Kind() != jsontext.Object {
			return jsontext.Mismatch("object", n.Value())
		}
		c.count++
		a := &c.candidate
		*a = candidate{index: i}
		if err := n.Members(a.member); err != nil {
			return err
		}
		return f(a)
	})
}

// candidate is one of the answers, by its members.
type candidate struct {
	index                     int
	parts                     jsontext.Node
	finish, message, logprobs jsontext.Value
	grounding, citation       jsontext.Value
	kept                      []llm.Member // what only this dialect has, for the way back

	piece piece // the latest
	count int   // of those seen
}

// maxCandidates is how many answers are told apart.
const maxCandidates = 128

func (a *candidate) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "index":
		if i, err := v.Int(); err == nil && i >= 0 && i < maxCandidates {
			a.index = int(i)
		}
	case "content":
		return a.content(n)
	case "finishReason":
		a.finish = v
	case "finishMessage":
		a.message = v
	case "logprobsResult":
		a.logprobs = v
	case "groundingMetadata":
		a.grounding = v
		a.keep(name, v)
	case "citationMetadata":
		a.citation = v
		a.keep(name, v)
	case "safetyRatings", "urlContextMetadata", "avgLogprobs":
		a.keep(name, v)
	}
	return nil
}

func (a *candidate) keep(name []byte, v jsontext.Value) {
	if !v.IsNull() {
		a.kept = append(a.kept, llm.Member{Key: string(name), Raw: v})
	}
}

// content finds the parts. Content may be missing, and so may its parts.
func (a *candidate) content(n jsontext.Node) error {
	if n.IsNull() {
		return nil
	}
	if n.Kind() != jsontext.Object {
		return jsontext.Mismatch("object", n.Value())
	}
	return n.Members(func(name []byte, n jsontext.Node) error {
		if string(name) == "parts" {
			a.parts = n
		}
		return nil
	})
}

// eachPart calls f for every part.
func (a *candidate) eachPart(f func(*piece) error) error {
	if a.parts.IsNull() {
		return nil
	}
	return a.parts.Array(func(_ int, n jsontext.Node) error {
		if n.IsNull() {
			return nil
		}
		a.count++
		if err := a.piece.findNode(n); err != nil {
			return err
		}
		return f(&a.piece)
	})
}

// repeat recognises chunks that say what the latest did but for a piece of text and the counts that grow with it, as
// many chunks of a stream do.
type repeat struct {
	jsontext.Repeat
	counts counts // the latest chunk's
}

// matches returns the text of a chunk that is such a repeat.
func (r *repeat) matches(data []byte) (text jsontext.Value, ok bool) {
	values, ok := r.Match(data)
	if !ok {
		return nil, false
	}
	isCount := func(to *int64, v jsontext.Value) bool { return v == nil || r.counts.take(to, v) }
	return values[0], isCount(&r.counts.candidates, values[1]) && isCount(&r.counts.total, values[2])
}

// learn makes the chunk that was just read the one that others are compared with, if there is nothing in it but a piece
// of the first candidate's text and what is the same in all of them.
func (r *repeat) learn(data []byte, c *chunk) {
	r.Forget()
	a := &c.candidate
	if c.count != 1 || a.index != 0 || a.count != 1 || !c.feedback.IsNull() {
		return
	}
	if a.finish != nil || a.logprobs != nil || a.grounding != nil || a.citation != nil || len(a.kept) > 0 {
		return
	}
	p := &a.piece
	if p.text == nil || p.thought || p.signature != nil || len(p.rest) > 0 {
		return
	}
	r.counts = countsOf(c.usage)
	r.Learn(data, p.text, r.counts.atCandidates, r.counts.atTotal)
	r.counts.atCandidates, r.counts.atTotal = nil, nil // they belong to the frame
}
