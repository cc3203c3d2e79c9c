package openairesponses

import (
	"errors"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader of a response's events.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads one stream. Items are told apart by their output_index alone: one server gives an item another id
// in each event. What an event repeats at the end of something is taken up where the pieces did not come.
type streamReader struct {
	out     []llm.Event
	numbers numbers
	like    like

	started, ended  bool
	id, model, tier string
	items           []*openItem
	places          forms.Places[int64] // of the items, by their index
	latest          int64               // the output_index last seen
	parts           int                 // how many parts have started
	calls           int
	refused         bool
}

// openItem is an item as far as it was read.
type openItem struct {
	index  int64
	kind   string
	parts  []*openPart
	places forms.Places[int64] // of the parts, by their index
	latest int64               // the content_index last seen
	done   bool
	source string // of reasoning: the events that its text comes from
	last   int64  // of reasoning: the summary_index last seen
	issuer string // of reasoning: who made it
}

// openPart is a part of an item: content of a message, or the item itself.
type openPart struct {
	content int64
	kind    llm.PartKind
	part    int // llm's index
	begun   bool
	ended   bool
	custom  bool // the arguments are the input of a free-form tool
	joiner  jsontext.TextJoiner
	hasText bool
	notes   bool // annotations have come
	probs   bool // logprobs have come
	early   string
}

// Read appends the events of one frame.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	e, isRepeat := r.like.again(f)
	if !isRepeat {
		tree := jsontext.Borrow()
		defer tree.Return()
		var err error
		if e, err = readEvent(tree, f); err != nil {
			return dst, err
		}
		r.like.learn(f, &e)
	}
	if e.kind != "" && r.numbers.isAgain(e.sequence, f.Data) {
		return dst, nil
	}
	r.out = dst
	err := r.event(&e)
	dst, r.out = r.out, nil
	return dst, classed(err)
}

// classed makes an error of its class: one with a path is one against the grammar.
func classed(err error) error {
	var e *llm.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return forms.BadAnswer("read event: %w", err)
}

// Close ends a stream. There is nothing between the last event and the end that could be missing.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	return dst, forms.Truncated("stream ended before the response did")
}

func (r *streamReader) event(e *eventText) error {
	if err := e.checkPiece(); err != nil {
		return err
	}
	switch e.kind {
	case eventTextDelta:
		return r.textDelta(e, llm.PartText)
	case eventArgsDelta, eventInputDelta:
		return r.argsDelta(e)
	case eventSummaryDelta, eventThoughtDelta:
		return r.thought(e)
	case eventRefusalDelta:
		return r.textDelta(e, llm.PartRefusal)
	case eventCreated, eventQueued, eventInProgress:
		return r.start(e.response)
	case eventItemAdded:
		return r.itemAdded(e)
	case eventTextDone, eventRefusalDone:
		return r.textDone(e)
	case eventAnnotation:
		r.annotation(e)
	case eventPartDone:
		return r.partDone(e)
	case eventArgsDone, eventInputDone:
		return r.argsDone(e)
	case eventItemDone:
		return r.itemDone(e)
	case eventCompleted, eventIncomplete, eventFailed:
		return r.end(e)
	case eventPartAdded, eventSummaryAdded, eventSummaryText, eventSummaryDone, eventThoughtDone: // what they say comes in others
	default: // new kinds mean nothing to those who do not know them, and the vendor is alive
		if r.started && e.kind != "" {
			r.emit(llm.Event{Kind: llm.EventPing})
		}
	}
	return nil
}

func (r *streamReader) emit(e llm.Event) { r.out = append(r.out, e) }

// start begins the stream with what the response says of itself.
func (r *streamReader) start(n jsontext.Node) error {
	if r.started {
		return nil
	}
	r.started = true
	var t responseText
	if !n.IsNull() {
		if err := t.read(n); err != nil {
			return jsontext.At("response", err)
		}
	}
	r.id, r.model, r.tier = forms.Scalar(t.id), forms.Scalar(t.model), forms.Scalar(t.tier)
	if r.tier == "auto" { // what was asked for; what came of it is said at the end
		r.tier = ""
	}
	r.emit(llm.Event{Kind: llm.EventStart, ID: r.id, Model: r.model, Created: t.seconds(), Tier: r.tier})
	return nil
}

// item is the item that an event is about.
func (r *streamReader) item(e *eventText) *openItem {
	if !r.started {
		_ = r.start(jsontext.Node{}) // without a response it cannot fail
	}
	r.latest = indexOf(e.output, r.latest)
	if at := r.places.Find(r.latest); at >= 0 {
		return r.items[at]
	}
	r.places.Add(r.latest)
	it := &openItem{index: r.latest, last: -1, issuer: self}
	r.items = append(r.items, it)
	return it
}

// place is the part of a message that an event is about.
func (it *openItem) place(e *eventText) *openPart {
	it.latest = indexOf(e.content, it.latest)
	return it.at(it.latest)
}

func (it *openItem) at(content int64) *openPart {
	if at := it.places.Find(content); at >= 0 {
		return it.parts[at]
	}
	it.places.Add(content)
	p := &openPart{content: content}
	it.parts = append(it.parts, p)
	return p
}

// begin starts a part.
func (r *streamReader) begin(p *openPart, part llm.Part) {
	p.begun, p.kind, p.part = true, part.Kind, r.parts
	r.parts++
	r.refused = r.refused || part.Kind == llm.PartRefusal
	r.emit(llm.Event{Kind: llm.EventPartStart, Index: p.part, Part: part})
}

func (r *streamReader) delta(p *openPart, d llm.Delta) {
	r.emit(llm.Event{Kind: llm.EventPartDelta, Index: p.part, Delta: d})
}

// finish ends a part.
func (r *streamReader) finish(p *openPart) {
	if !p.begun || p.ended {
		return
	}
	p.ended = true
	switch rest := p.joiner.Flush(); {
	case p.custom:
		r.delta(p, llm.Delta{Args: escaped(rest) + `"}`})
	case rest != "" && p.kind == llm.PartToolCall:
		r.delta(p, llm.Delta{Args: rest})
	case rest != "":
		r.delta(p, llm.Delta{Text: rest})
	}
	r.emit(llm.Event{Kind: llm.EventPartEnd, Index: p.part})
}

// escaped is text as it stands inside a JSON string.
func escaped(s string) string {
	quoted := jsontext.AppendString(nil, s)
	return string(quoted[1 : len(quoted)-1])
}

// text adds a piece to a part, and begins it with the first one that is not empty.
func (r *streamReader) text(p *openPart, part llm.Part, v jsontext.Value) error {
	if v.IsNull() || p.ended || len(v) == len(`""`) && v[0] == '"' {
		return nil
	}
	s, err := p.joiner.Text(v)
	if err != nil {
		return err
	}
	p.hasText = true
	if !p.begun {
		r.begin(p, part)
	}
	if s != "" {
		r.delta(p, llm.Delta{Text: s})
	}
	return nil
}

func (r *streamReader) textDelta(e *eventText, kind llm.PartKind) error {
	p := r.item(e).place(e)
	if err := r.text(p, llm.Part{Kind: kind}, e.delta); err != nil {
		return jsontext.At("delta", err)
	}
	if !e.logprobs.IsNull() {
		r.probs(p, e.logprobs)
	}
	return nil
}

func (r *streamReader) probs(p *openPart, v jsontext.Value) {
	if list := logProbsOf(v); len(list) > 0 {
		p.probs = true
		r.emit(llm.Event{Kind: llm.EventLogProbs, LogProbs: list})
	}
}

// textDone takes up a text that did not come in pieces.
func (r *streamReader) textDone(e *eventText) error {
	kind := llm.PartText
	if e.kind == eventRefusalDone {
		kind = llm.PartRefusal
	}
	p := r.item(e).place(e)
	if !p.hasText {
		if err := r.text(p, llm.Part{Kind: kind}, e.text); err != nil {
			return jsontext.At("text", err)
		}
	}
	if !p.probs {
		r.probs(p, e.logprobs)
	}
	return nil
}

func (r *streamReader) annotation(e *eventText) {
	p := r.item(e).place(e)
	if p.begun && !p.ended && p.kind == llm.PartText && e.annotation.Kind() == jsontext.Object {
		p.notes = true
		c := citationOf(e.annotation)
		r.delta(p, llm.Delta{Citation: &c})
	}
}

func (r *streamReader) partDone(e *eventText) error {
	it := r.item(e)
	if it.kind == itemReasoning {
		return nil
	}
	return r.contentDone(it.place(e), e.part.Value())
}

// contentDone takes up what of a content did not come before its end.
func (r *streamReader) contentDone(p *openPart, v jsontext.Value) error {
	if p.ended {
		return nil
	}
	kind, key := contentKind(jsontext.Plain(v))
	if !p.hasText {
		if err := r.text(p, llm.Part{Kind: kind}, v.Get(key)); err != nil {
			return jsontext.At(key, err)
		}
	}
	if !p.probs {
		r.probs(p, v.Get("logprobs"))
	}
	if p.begun && !p.notes && p.kind == llm.PartText {
		_ = v.Get("annotations").Array(func(_ int, v jsontext.Value) error { // not a list: none
			c := citationOf(v)
			r.delta(p, llm.Delta{Citation: &c})
			return nil
		})
	}
	r.finish(p)
	return nil
}
