package bedrock

import (
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// The events of a stream [bed:ConverseStreamOutput].
const (
	eventMessageStart = "messageStart"
	eventBlockStart   = "contentBlockStart"
	eventBlockDelta   = "contentBlockDelta"
	eventBlockStop    = "contentBlockStop"
	eventMessageStop  = "messageStop"
	eventMetadata     = "metadata"
)

// isKnown reports whether an event is one that has a meaning. The rule for versions is that others have none.
func isKnown(event string) bool {
	switch event {
	case eventMessageStart, eventBlockStart, eventBlockDelta, eventBlockStop, eventMessageStop, eventMetadata:
		return true
	}
	return false
}

// eventText is where an event of a stream says what.
type eventText struct {
	all     jsontext.Value
	index   int64
	start   jsontext.Value
	delta   jsontext.Node
	padding jsontext.Value // the vendor's, so that sizes tell nothing
}

// missing stands for an index that is not given.
const missing = -1

// readEvent reads the payload of an event that is known.
func readEvent(tree *jsontext.Tree, f dialect.Frame) (e eventText, err error) {
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return e, badAnswer("an event is not JSON", err)
	}
	if root.Kind() != jsontext.Object {
		return e, badAnswer("an event is no object", nil)
	}
	e.all, e.index = root.Value(), missing
	if err := root.Members(e.member); err != nil {
		return e, badAnswer("an event is not what it should be", err)
	}
	return e, nil
}

func (e *eventText) member(name []byte, n jsontext.Node) (err error) {
	switch string(name) {
	case "contentBlockIndex":
		if !n.IsNull() {
			e.index, err = n.Value().Int()
		}
	case "start":
		e.start = n.Value()
	case "delta":
		e.delta = n
	case "p":
		e.padding = n.Value()
	}
	return err
}

// deltaText is where the delta of a content block says what.
type deltaText struct {
	text, input                               jsontext.Value
	reasoning, signature, redacted            jsontext.Value
	citation, result, image                   jsontext.Value
	hasText, hasCall, hasReasoning, hasResult bool
}

func readDelta(n jsontext.Node) (d deltaText) {
	if n.Kind() == jsontext.Object {
		_ = n.Members(d.member) // member returns no error
	}
	return d
}

func (d *deltaText) member(name []byte, n jsontext.Node) error {
	if n.IsNull() {
		return nil
	}
	switch string(name) {
	case "text":
		d.text, d.hasText = n.Value(), true
	case "toolUse":
		d.input, d.hasCall = n.Value().Get("input"), true
	case "reasoningContent":
		d.hasReasoning = true
		if n.Kind() == jsontext.Object {
			_ = n.Members(d.thought) // thought returns no error
		}
	case "citation":
		d.citation = n.Value()
	case "toolResult":
		d.result, d.hasResult = n.Value(), true
	case "image":
		d.image = n.Value()
	}
	return nil
}

func (d *deltaText) thought(name []byte, n jsontext.Node) error {
	switch string(name) {
	case "text":
		d.reasoning = n.Value()
	case "signature":
		d.signature = n.Value()
	case "redactedContent":
		d.redacted = n.Value()
	}
	return nil
}

// repeat recognises deltas that say what the latest did but for a piece of text and the padding, as most events of a
// stream do.
type repeat struct {
	jsontext.Repeat
	index int64 // of the block
}

// matches returns what a delta that is such a repeat says.
func (r *repeat) matches(f dialect.Frame) (d deltaText, ok bool) {
	if f.Event != eventBlockDelta {
		return d, false
	}
	strings, ok := r.Match(f.Data)
	return deltaText{text: strings[0], hasText: true}, ok
}

// learn makes the delta that was just read the one that others are compared with, if it is a piece of text.
func (r *repeat) learn(data []byte, e *eventText, d *deltaText) {
	r.Forget()
	if d.text.Kind() != jsontext.String || d.hasCall || d.hasReasoning || d.hasResult || !d.citation.IsNull() || !d.image.IsNull() {
		return
	}
	padding := e.padding
	if padding.Kind() != jsontext.String {
		padding = nil
	}
	r.index = e.index
	r.Learn(data, d.text, padding)
}
