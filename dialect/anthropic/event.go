package anthropic

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

// eventText is where an event of a stream says what.
type eventText struct {
	all, kind, index, message, block, management, fault jsontext.Value

	delta, usage jsontext.Node
	frame        string // the frame's name
}

// readEvent reads the top of a frame that is not blank. Its kind is the member type, or else the name of the frame,
// which should say the same.
func readEvent(tree *jsontext.Tree, f dialect.Frame) (e eventText, err error) {
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return e, badAnswer("an event is not JSON", err)
	}
	if root.Kind() != jsontext.Object {
		return e, badAnswer("an event is no object", nil)
	}
	e.all, e.frame = root.Value(), f.Event
	if err := root.Members(e.member); err != nil {
		return e, badAnswer("an event is not what it should be", err)
	}
	if e.kind.IsNull() && f.Event != "" {
		e.kind = jsontext.AppendString(nil, f.Event)
	}
	return e, nil
}

func (e *eventText) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "type":
		e.kind = v
	case "index":
		e.index = v
	case "delta":
		e.delta = n
	case "message":
		e.message = v
	case "content_block":
		e.block = v
	case "usage":
		e.usage = n
	case "context_management":
		e.management = v
	case "error":
		e.fault = v
	}
	return nil
}

// deltaText is where the delta of a content block says what.
type deltaText struct{ kind, text, json, thinking, signature, citation jsontext.Value }

func readDelta(n jsontext.Node) (d deltaText) {
	if n.Kind() == jsontext.Object {
		_ = n.Members(d.member) // member returns no error
	}
	return d
}

func (d *deltaText) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "type":
		d.kind = v
	case "text":
		d.text = v
	case "partial_json":
		d.json = v
	case "thinking":
		d.thinking = v
	case "signature":
		d.signature = v
	case "citation":
		d.citation = v
	}
	return nil
}

// repeat recognises events that say what the latest did but for a piece of text, as most events of a stream do.
type repeat struct {
	jsontext.Repeat
	name  string // the frame's
	index int64  // of the block
}

// matches returns the text of an event that is such a repeat.
func (r *repeat) matches(f dialect.Frame) (text jsontext.Value, ok bool) {
	if f.Event != r.name {
		return nil, false
	}
	strings, ok := r.Match(f.Data)
	return strings[0], ok
}

// learn makes the event that was just read the one that others are compared with, if it is a piece of text.
func (r *repeat) learn(data []byte, e *eventText, d *deltaText) {
	r.Forget()
	if !is(d.kind, "text_delta") || d.text.Kind() != jsontext.String || e.index.IsNull() || !e.fault.IsNull() {
		return
	}
	var err error
	if r.index, err = e.index.Int(); err == nil {
		r.name = e.frame
		r.Learn(data, d.text)
	}
}

// isBlank reports whether a frame holds nothing to read: no data, or the terminator of another dialect, which some
// compatible servers send.
func isBlank(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) == 0 || string(data) == "[DONE]"
}

// indexOf reads the index of a block; without one, the latest is meant.
func (e *eventText) indexOf(latest int64) (int64, error) {
	if e.index.IsNull() {
		return latest, nil
	}
	n, err := e.index.Int()
	if err != nil {
		return 0, badAnswer("a block's index is no number", err)
	}
	return n, nil
}
