package openairesponses

import (
	"bytes"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// eventText is where an event of a stream says what: openai.yaml, ResponseStreamEvent.
type eventText struct {
	kind string // its type without "response."
	all  jsontext.Value

	sequence, output, content, summary  jsontext.Value
	delta, text, args, name, annotation jsontext.Value
	logprobs, fault, padding            jsontext.Value
	response, item, part                jsontext.Node
	named                               jsontext.Value // its type
}

// readEvent reads the top of a frame, and throws the error that one may hold instead. An event of no kind is nothing.
func readEvent(tree *jsontext.Tree, f dialect.Frame) (e eventText, err error) {
	if isBlank(f.Data) {
		return e, nil
	}
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return e, forms.BadAnswer("read event: %w", err)
	}
	if root.Kind() != jsontext.Object {
		return e, forms.BadAnswer("event is %s, not an object", root.Kind())
	}
	e.all = root.Value()
	if err := root.Members(e.member); err != nil {
		return e, forms.BadAnswer("read event: %w", err)
	}
	e.kind = kindOf(e.named, f.Event)
	if e.kind == "error" || f.Event == "error" {
		return e, streamError(e.all)
	}
	if e.kind == "" {
		if err := inBandError(e.all); err != nil {
			return e, err
		}
	}
	return e, nil
}

// isBlank reports whether a frame holds nothing to read: no data, or the terminator of another dialect, with which
// some servers end.
func isBlank(data []byte) bool {
	if len(data) > 0 && data[0] == '{' { // as nearly all are
		return false
	}
	data = forms.Trim(data)
	return len(data) == 0 || string(data) == "[DONE]"
}

// kindOf is an event's type; one that is missing is the frame's name.
func kindOf(named jsontext.Value, frame string) string {
	const prefix = "response."
	if n := len(named); n > 2 && named[0] == '"' {
		name := bytes.TrimPrefix(named[1:n-1], []byte(prefix))
		for _, known := range knownKinds {
			if string(name) == known {
				return known // without allocating
			}
		}
		return string(name)
	}
	if len(frame) > len(prefix) && frame[:len(prefix)] == prefix {
		return frame[len(prefix):]
	}
	return frame
}

// The events that a stream consists of, less "response.".
const (
	eventCreated      = "created"
	eventQueued       = "queued"
	eventInProgress   = "in_progress"
	eventItemAdded    = "output_item.added"
	eventItemDone     = "output_item.done"
	eventPartAdded    = "content_part.added"
	eventPartDone     = "content_part.done"
	eventTextDelta    = "output_text.delta"
	eventTextDone     = "output_text.done"
	eventAnnotation   = "output_text.annotation.added"
	eventRefusalDelta = "refusal.delta"
	eventRefusalDone  = "refusal.done"
	eventSummaryAdded = "reasoning_summary_part.added"
	eventSummaryDone  = "reasoning_summary_part.done"
	eventSummaryDelta = "reasoning_summary_text.delta"
	eventSummaryText  = "reasoning_summary_text.done"
	eventThoughtDelta = "reasoning_text.delta"
	eventThoughtDone  = "reasoning_text.done"
	eventArgsDelta    = "function_call_arguments.delta"
	eventArgsDone     = "function_call_arguments.done"
	eventInputDelta   = "custom_tool_call_input.delta"
	eventInputDone    = "custom_tool_call_input.done"
	eventCompleted    = "completed"
	eventIncomplete   = "incomplete"
	eventFailed       = "failed"
)

// knownKinds are those that come often, the most frequent first; it is never changed.
var knownKinds = [...]string{eventTextDelta, eventArgsDelta, eventSummaryDelta, eventThoughtDelta}

func (e *eventText) member(name []byte, n jsontext.Node) error {
	v := n.Value()
	switch string(name) {
	case "type":
		e.named = v
	case "sequence_number":
		e.sequence = v
	case "output_index":
		e.output = v
	case "content_index":
		e.content = v
	case "summary_index":
		e.summary = v
	case "delta":
		e.delta = v
	case "text", "refusal", "input":
		e.text = v
	case "arguments":
		e.args = v
	case "name":
		e.name = v
	case "annotation":
		e.annotation = v
	case "logprobs":
		e.logprobs = v
	case "obfuscation":
		e.padding = v
	case "error":
		e.fault = v
	case "response":
		e.response = n
	case "item":
		e.item = n
	case "part":
		e.part = n
	}
	return nil
}

// checkPiece holds what an event brings of a text to be one, whether or not there is still a place for it.
func (e *eventText) checkPiece() error {
	switch e.kind {
	case eventTextDelta, eventArgsDelta, eventSummaryDelta, eventThoughtDelta, eventRefusalDelta, eventInputDelta:
		return jsontext.At("delta", textOrNone(e.delta))
	case eventTextDone, eventRefusalDone:
		return jsontext.At("text", textOrNone(e.text))
	}
	return nil
}

func textOrNone(v jsontext.Value) error {
	if v.IsNull() || v.Kind() == jsontext.String {
		return nil
	}
	return jsontext.Mismatch("string", v)
}

// streamError is the error of an event: flat as the description has it, or in a member as the API sends it.
func streamError(v jsontext.Value) *llm.Error {
	var f forms.Fault
	f.Read(v)
	if f.Kind == "error" {
		f.Kind = ""
	}
	return f.ToError(0)
}

// indexOf reads an index; one that is missing is the last.
func indexOf(v jsontext.Value, last int64) int64 {
	n, err := v.Int()
	if err != nil || n < 0 {
		return last
	}
	return n
}

// like recognises events that say what an earlier one did but for the piece, its number and the vendor's padding, as
// most events of a stream do.
type like struct {
	repeat jsontext.Repeat
	frame  string
	event  eventText
}

// again returns the event of a frame that is such a repeat.
func (l *like) again(f dialect.Frame) (e eventText, ok bool) {
	if f.Event != l.frame {
		return e, false
	}
	values, ok := l.repeat.Match(f.Data)
	if !ok {
		return e, false
	}
	e = l.event
	e.delta, e.sequence = values[0], values[1]
	return e, true
}

// learn makes an event that was just read the one that others are compared with, if it says nothing but a piece.
func (l *like) learn(f dialect.Frame, e *eventText) {
	switch e.kind {
	case eventTextDelta, eventArgsDelta, eventSummaryDelta, eventThoughtDelta, eventInputDelta:
	default:
		return
	}
	if e.delta.Kind() != jsontext.String || len(e.logprobs) > len(`[]`) {
		return
	}
	padding := e.padding
	if padding.Kind() != jsontext.String {
		padding = nil
	}
	sequence := e.sequence
	if sequence.Kind() != jsontext.Number {
		sequence = nil
	}
	l.repeat.Learn(f.Data, e.delta, sequence, padding)
	l.frame = f.Event
	l.event = eventText{kind: e.kind, output: bytes.Clone(e.output), content: bytes.Clone(e.content), summary: bytes.Clone(e.summary)}
}
