package cohere

import (
	"errors"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// terminator is the data of a stream's last frame. It follows message-end, which alone makes a stream whole.
const terminator = "[DONE]"

// The types of events [coh:ChatStreamEventType].
const (
	messageStart  = "message-start"
	contentStart  = "content-start"
	contentDelta  = "content-delta"
	contentEnd    = "content-end"
	planDelta     = "tool-plan-delta"
	callStart     = "tool-call-start"
	callDelta     = "tool-call-delta"
	callEnd       = "tool-call-end"
	citationStart = "citation-start"
	citationEnd   = "citation-end"
	messageEnd    = "message-end"
)

// NewStreamReader returns a reader of chat events.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads one stream. Content and tool calls are numbered apart from each other. A text stays open after its
// end until something else begins, because citations of it may follow.
type streamReader struct {
	tree    jsontext.Tree
	repeat  repeat
	out     []llm.Event
	id      string
	usage   llm.Usage
	started bool
	stopped bool // message-end was there
	ended   bool

	parts    int
	contents int  // content-start events so far
	isOpen   bool // the last of them has had no content-end
	text     openText
	calls    []openCall
	slots    forms.Places[int64] // of the calls
}

// openText is the text, plan or thinking that is open. Kind 0 is none.
type openText struct {
	kind    llm.PartKind
	planned bool
	part    int
	slot    int64 // its index, which the vendor counts for each kind of content apart
	place   int   // its place among all contents, which citations mean
	joiner  jsontext.TextJoiner
	issuer  string // of thinking that another vendor signed, as this gateway shows it
}

// repeat recognises events that say what the latest did but for a piece of text, as most events of a stream do.
type repeat struct {
	jsontext.Repeat
	slot int64
	only jsontext.Value // while an event is read: the text, if it is all that the event says
}

// openCall is a tool call; ended is set when it is.
type openCall struct {
	slot   int64
	part   int
	ended  bool
	joiner jsontext.TextJoiner
}

// Read appends the events of one frame.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.frame(f.Data)
	dst, r.out = r.out, nil
	return dst, err
}

// Close ends a stream: whole if its message has ended.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	switch {
	case r.ended:
		return dst, nil
	case !r.stopped:
		return dst, forms.Truncated("stream ended before message-end")
	}
	r.ended = true
	return append(dst, llm.Event{Kind: llm.EventEnd}), nil
}

func (r *streamReader) emit(e llm.Event) { r.out = append(r.out, e) }

// streamText is where an event says what.
type streamText struct {
	kind, id, index, logprobs jsontext.Value
	message, usage            jsontext.Node
	reason, fault             jsontext.Value
}

func (t *streamText) member(name []byte, n jsontext.Node) error {
	switch string(name) {
	case "type":
		t.kind = n.Value()
	case "id":
		t.id = n.Value()
	case "index":
		t.index = n.Value()
	case "logprobs":
		t.logprobs = n.Value()
	case "delta":
		if n.Kind() == jsontext.Object {
			return n.Members(t.inDelta)
		}
	}
	return nil
}

func (t *streamText) inDelta(name []byte, n jsontext.Node) error {
	switch string(name) {
	case "message":
		t.message = n
	case "finish_reason":
		t.reason = n.Value()
	case "usage":
		t.usage = n
	case "error":
		t.fault = n.Value()
	}
	return nil
}

func (r *streamReader) frame(data []byte) error {
	if len(data) > 0 && data[0] != '{' && string(forms.Trim(data)) == terminator {
		if !r.stopped {
			return forms.BadAnswer("stream was terminated before message-end")
		}
		r.ended = true
		r.emit(llm.Event{Kind: llm.EventEnd})
		return nil
	}
	if strings, ok := r.repeat.Match(data); ok {
		if r.stopped {
			return nil
		}
		return failed(contentDelta, r.piece(llm.PartText, r.repeat.slot, strings[0]))
	}
	r.repeat.Forget()
	root, err := r.tree.ParseLenient(data)
	if err != nil {
		return forms.BadAnswer("read event: %w", err)
	}
	var t streamText
	if err := root.Members(t.member); err != nil {
		return forms.BadAnswer("read event: %w", err)
	}
	if len(t.kind) == 0 {
		if e := inBandError(root.Value()); e != nil {
			return e
		}
		return forms.BadAnswer("event without a type")
	}
	if r.stopped {
		return nil
	}
	r.repeat.only = nil
	if err := r.event(&t); err != nil {
		return failed(strings.Trim(string(t.kind), `"`), err)
	}
	if r.repeat.only != nil {
		r.repeat.Learn(data, r.repeat.only)
	}
	return nil
}

// failed is the error of an event that could not be read.
func failed(kind string, err error) error {
	if err == nil {
		return nil
	}
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return forms.BadAnswer("read %s: %w", kind, err)
}

// event reads one event. Types unknown here are ignored.
func (r *streamReader) event(t *streamText) error {
	if t.kind.Kind() != jsontext.String {
		return errors.New("its type is no string")
	}
	kind := t.kind[1 : len(t.kind)-1] // the types have no character that must be escaped
	switch string(kind) {
	case messageStart:
		r.id = textOf(t.id)
		r.start()
		return nil
	case contentStart, contentDelta, planDelta, callStart, callDelta, callEnd, citationStart, messageEnd:
		r.start() // where the first event is missing
	}
	switch string(kind) {
	case contentStart:
		return r.contentStart(t)
	case contentDelta:
		return r.contentDelta(t)
	case contentEnd:
		r.isOpen = false
	case planDelta:
		return r.plan(child(t.message, keyPlan))
	case callStart:
		return r.callStart(t)
	case callDelta:
		return r.callDelta(t)
	case callEnd:
		r.endCall(slotOf(t.index))
	case citationStart:
		r.citation(child(t.message, "citations").Value())
	case messageEnd:
		return r.messageEnd(t)
	}
	return nil
}

// start passes on that the answer has begun. The dialect does not tell the model.
func (r *streamReader) start() {
	if !r.started {
		r.started = true
		r.emit(llm.Event{Kind: llm.EventStart, ID: r.id})
	}
}

// child is a member of an object.
func child(n jsontext.Node, key string) (found jsontext.Node) {
	if n.Kind() != jsontext.Object {
		return found
	}
	_ = n.Members(func(name []byte, n jsontext.Node) error {
		if string(name) == key {
			found = n
		}
		return nil
	})
	return found
}

// slotOf reads an index; one that is missing is the first.
func slotOf(v jsontext.Value) int64 { return forms.Count(v) }

// contentText is what content of an event says.
type contentText struct{ kind, text, thinking, signed jsontext.Value }

func contentIn(t *streamText) (c contentText) {
	n := child(t.message, "content")
	if n.Kind() != jsontext.Object {
		return c
	}
	_ = n.Members(func(name []byte, n jsontext.Node) error {
		switch string(name) {
		case "type":
			c.kind = n.Value()
		case "text":
			c.text = n.Value()
		case typeThinking:
			c.thinking = n.Value()
		case keySigned:
			c.signed = n.Value()
		}
		return nil
	})
	return c
}

// contentStart waits for the text before it opens a part: an empty one is none.
func (r *streamReader) contentStart(t *streamText) error {
	r.endText()
	r.contents++
	r.isOpen = true
	return r.content(contentIn(t), slotOf(t.index))
}

func (r *streamReader) contentDelta(t *streamText) error {
	slot, c := slotOf(t.index), contentIn(t)
	if err := r.content(c, slot); err != nil {
		return err
	}
	if c.text.Kind() == jsontext.String && c.thinking.IsNull() && c.signed.IsNull() && t.logprobs == nil {
		r.repeat.slot, r.repeat.only = slot, c.text
	}
	if t.logprobs != nil {
		if list := logProbsOf(t.logprobs); len(list) > 0 {
			r.emit(llm.Event{Kind: llm.EventLogProbs, LogProbs: list})
		}
	}
	return nil
}

// content adds a piece to the open content of a slot, or opens one.
func (r *streamReader) content(c contentText, slot int64) error {
	if c.signed.Kind() == jsontext.Object {
		return r.signed(c, slot)
	}
	if c.thinking.Kind() == jsontext.String {
		return r.piece(llm.PartThinking, slot, c.thinking)
	}
	if c.text.Kind() == jsontext.String {
		return r.piece(llm.PartText, slot, c.text)
	}
	return nil
}

func (r *streamReader) piece(kind llm.PartKind, slot int64, v jsontext.Value) error {
	if string(v) == `""` {
		return nil
	}
	if r.text.kind != kind || r.text.slot != slot || r.text.planned {
		r.openText(openText{kind: kind, slot: slot, issuer: r.takeIssuer(kind)})
	}
	return r.addText(v)
}

// plan adds a piece to the plan, or opens it.
func (r *streamReader) plan(n jsontext.Node) error {
	v := n.Value()
	if v.Kind() != jsontext.String || string(v) == `""` {
		return nil
	}
	if !r.text.planned {
		r.openText(openText{kind: llm.PartText, planned: true})
	}
	return r.addText(v)
}

func (r *streamReader) openText(t openText) {
	r.endText()
	r.text, r.text.part, r.text.place = t, r.parts, r.contents-1
	r.parts++
	p := llm.Part{Kind: t.kind}
	if t.kind == llm.PartThinking {
		p.Thinking = &llm.Thinking{Issuer: t.issuer}
	}
	r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.text.part, Part: p})
}

func (r *streamReader) addText(v jsontext.Value) error {
	s, err := r.text.joiner.Text(v)
	if s != "" {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Text: s}})
	}
	return err
}

func (r *streamReader) endText() {
	if r.text.kind == 0 {
		r.text = openText{}
		return
	}
	if s := r.text.joiner.Flush(); s != "" {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Text: s}})
	}
	r.emit(llm.Event{Kind: llm.EventPartEnd, Index: r.text.part})
	r.text = openText{}
}

// takeIssuer is the issuer that was said of the thinking that begins.
func (r *streamReader) takeIssuer(kind llm.PartKind) string {
	if kind != llm.PartThinking || r.text.kind != 0 {
		return ""
	}
	return r.text.issuer
}

// signed reads this gateway's own member: the issuer as thinking begins, its signature as it ends, or all of what is
// sealed.
func (r *streamReader) signed(c contentText, slot int64) error {
	issuer := textOf(c.signed.Get("issuer"))
	whole := signedOf(c.signed)
	switch {
	case whole.Issuer == "":
		if r.text.kind == 0 {
			r.text.issuer = issuer
		}
	case whole.Sealed != "":
		r.endText()
		r.text = openText{kind: llm.PartThinking, part: r.parts, slot: slot}
		r.parts++
		r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.text.part, Part: llm.Part{Kind: llm.PartThinking, Thinking: &whole}})
		r.endText()
	default:
		if r.text.kind != llm.PartThinking {
			r.openText(openText{kind: llm.PartThinking, slot: slot, issuer: issuer})
		}
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Signature: whole.Signature}})
		r.endText()
	}
	return nil
}

// citation passes on a citation of the text that is open. One of anything else is a part of its own; of an earlier text
// it comes too late to be placed.
func (r *streamReader) citation(v jsontext.Value) {
	index, planned := placeOf(v)
	isOfOther := index >= 0 && int64(index) != r.text.slot && index != r.text.place
	if r.text.kind != llm.PartText || planned != r.text.planned || isOfOther && !planned {
		r.emit(llm.Event{Kind: llm.EventPartStart, Index: r.parts, Part: strayCitation(v)})
		r.emit(llm.Event{Kind: llm.EventPartEnd, Index: r.parts})
		r.parts++
		return
	}
	for _, c := range citationsOf(v) {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Index: r.text.part, Delta: llm.Delta{Citation: &c}})
	}
}

// messageEnd ends what is open and the answer.
func (r *streamReader) messageEnd(t *streamText) error {
	word := textOf(t.reason)
	r.usage = usageOf(t.usage)
	if e := failure(word, textOf(t.fault), r.usage.Known); e != nil {
		return e
	}
	r.endText()
	for i := range r.calls {
		if !r.calls[i].ended {
			r.endCall(r.calls[i].slot)
		}
	}
	r.stopped = true
	r.emit(llm.Event{Kind: llm.EventFinish, Stop: stopOf(word, len(r.calls) > 0)})
	if r.usage.IsTold() {
		r.emit(llm.Event{Kind: llm.EventUsage, Usage: r.usage})
	}
	return nil
}
