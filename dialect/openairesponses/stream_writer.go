package openairesponses

import (
	"cmp"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer of a response's events.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := newWriter(o)
	if b, ok := o.Resume.(sent); ok {
		s.resume(b)
	}
	return s
}

func newWriter(o dialect.StreamOptions) *streamWriter {
	return &streamWriter{options: o, sequence: o.Next, open: none}
}

// none is no part.
const none = -1

// streamWriter writes events as the dialect's stream, in which items never overlap. One part at a time holds the wire.
// Text yields it to a part that comes later and goes on in a new item; a call holds it to its end, and what comes
// meanwhile waits. An item ends when another begins or the answer does: until then it may still be given logprobs,
// and nobody knows whether it was cut.
type streamWriter struct {
	options dialect.StreamOptions
	json    jsontext.Writer
	buf     []byte
	quiet   bool // a whole answer is written: no events
	losses  lossList

	sequence int64
	started  bool
	done     bool
	tier     string
	open     int // index of the part that holds the wire
	parts    []writerPart
	item     shownItem
	items    [][]byte // those that are done
	probs    []llm.TokenLogProb
	usage    llm.Usage
	stop     llm.Stop
	refused  bool
	failed   *llm.Error
}

// writerPart is a part that has started and not ended, or waits.
type writerPart struct {
	index int
	part  llm.Part
	// waits is set while the part has something to show and another holds the wire; waiting is what came meanwhile.
	waits   bool
	waiting []llm.Delta
	ended   bool
	begun   bool // it has a place in the item on the wire
}

// Losses says what of the answer the dialect could not show.
func (s *streamWriter) Losses() []llm.Loss { return s.losses }

// Write appends the bytes for e to dst.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
	if s.done {
		return dst
	}
	if e.Kind == llm.EventStart {
		return s.start(dst, &e)
	}
	if e.Choice != 0 {
		s.losses.add(llm.FeatureChoices, llm.ActionDropped, contract, "the dialect has one choice")
		return dst
	}
	switch e.Kind {
	case llm.EventPartStart:
		return s.partStart(dst, &e)
	case llm.EventPartDelta:
		return s.partDelta(dst, e.Index, e.Delta)
	case llm.EventPartEnd:
		return s.partEnd(dst, e.Index)
	case llm.EventLogProbs:
		return s.logProbs(dst, e.LogProbs)
	case llm.EventFinish:
		s.tier = cmp.Or(e.Tier, s.tier)
		return s.finish(dst, e.Stop)
	case llm.EventUsage:
		s.usage, s.tier = e.Usage, cmp.Or(e.Tier, s.tier)
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	default:
	}
	return dst
}

// Heartbeat appends a comment.
func (s *streamWriter) Heartbeat(dst []byte) []byte {
	if s.quiet {
		return dst
	}
	return sse.AppendComment(dst, "keep-alive")
}

func (s *streamWriter) find(index int) *writerPart {
	for i := range s.parts {
		if s.parts[i].index == index {
			return &s.parts[i]
		}
	}
	return nil
}

func (s *streamWriter) partStart(dst []byte, e *llm.Event) []byte {
	dst = s.begin(dst)
	if isHidden(&e.Part) {
		s.hide(&e.Part)
		return dst
	}
	s.parts = append(s.parts, writerPart{index: e.Index, part: e.Part})
	p := &s.parts[len(s.parts)-1]
	d := llm.Delta{Text: e.Part.Text}
	switch e.Part.Kind {
	case llm.PartToolCall:
		d.Args = e.Part.Call.Args
	case llm.PartThinking:
		p.part.Thinking = copyThinking(e.Part.Thinking)
		d.Signature = p.part.Thinking.Signature
	case llm.PartOpaque:
		d.Text = "" // what the item says in words is for others
	case llm.PartRefusal:
		s.refused = true
	default:
	}
	if isShownAtStart(&p.part) {
		if s.acquire(&dst, p) {
			dst = s.place(dst, p)
		} else {
			p.waits = true
		}
	}
	dst = s.partDelta(dst, e.Index, d)
	for i := range e.Part.Citations {
		dst = s.partDelta(dst, e.Index, llm.Delta{Citation: &e.Part.Citations[i]})
	}
	return dst
}

func copyThinking(t *llm.Thinking) *llm.Thinking {
	if t == nil {
		return &llm.Thinking{}
	}
	c := *t
	return &c
}

// isHidden reports whether the dialect has no place for a part of an answer.
func isHidden(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartText, llm.PartRefusal, llm.PartToolCall, llm.PartThinking:
		return false
	case llm.PartOpaque:
		return p.Opaque == nil || p.Opaque.Dialect != self
	default:
		return true
	}
}

// hide records a part that is not shown.
func (s *streamWriter) hide(p *llm.Part) {
	switch {
	case p.Kind == llm.PartOpaque && p.Text != "":
		s.losses.add(llm.FeatureVendorPartText, llm.ActionDropped, tuning, "content that only another dialect knows")
	case p.Kind == llm.PartOpaque:
		s.losses.add(llm.FeatureVendorPart, llm.ActionDropped, contract, "content that only another dialect knows")
	default:
		s.losses.add(llm.Feature(p.Kind.String()), llm.ActionDropped, contract, "answers of the dialect hold none")
	}
}

// isShownAtStart reports whether a part is shown though nothing of it has come yet.
func isShownAtStart(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartToolCall, llm.PartOpaque:
		return true
	case llm.PartThinking:
		return p.Thinking.Sealed != ""
	default:
		return false
	}
}

// acquire gives the wire to p if nobody holds it, or if who holds it has ended or can go on in another item. Nobody
// waits while a part that yields holds the wire.
func (s *streamWriter) acquire(dst *[]byte, p *writerPart) bool {
	if s.open == p.index {
		return true
	}
	if s.open != none {
		holder := s.find(s.open)
		if !holder.ended && !yields(holder) {
			return false
		}
		*dst = s.release(*dst, holder, isText(&p.part))
	}
	s.open = p.index
	return true
}

func isText(p *llm.Part) bool { return p.Kind == llm.PartText || p.Kind == llm.PartRefusal }

// yields reports whether a part can be cut into two items: text, and thinking that nobody signs.
func yields(p *writerPart) bool {
	return isText(&p.part) || p.part.Kind == llm.PartThinking && p.part.Thinking.Issuer == ""
}

func (s *streamWriter) partDelta(dst []byte, index int, d llm.Delta) []byte {
	p := s.find(index)
	if p == nil {
		return dst
	}
	if d.Citation != nil && !hasAnnotation(d.Citation) {
		s.losses.add(llm.FeatureCitationHistory, llm.ActionDropped, harmless, "only citations of URLs have a form in this dialect")
		d.Citation = nil
	}
	if d == (llm.Delta{}) {
		return dst
	}
	if !s.acquire(&dst, p) {
		p.waits, p.waiting = true, append(p.waiting, d)
		return dst
	}
	return s.piece(dst, p, d)
}

// piece writes a delta of the part that holds the wire.
func (s *streamWriter) piece(dst []byte, p *writerPart, d llm.Delta) []byte {
	if !p.begun {
		dst = s.place(dst, p)
	}
	it := &s.item
	if d.Signature != "" && p.part.Kind == llm.PartThinking {
		it.thinking.Signature = d.Signature
	}
	switch {
	case d.Args != "" && p.part.Kind == llm.PartToolCall:
		dst = s.arguments(dst, d.Args)
	case d.Text != "" && p.part.Kind == llm.PartThinking:
		dst = s.summary(dst, d.Text)
	case d.Text != "" && isText(&p.part):
		dst = s.text(dst, d.Text, nil)
	}
	if d.Citation != nil && p.part.Kind == llm.PartText {
		dst = s.annotate(dst, d.Citation)
	}
	return dst
}

func (s *streamWriter) partEnd(dst []byte, index int) []byte {
	p := s.find(index)
	if p == nil {
		return dst
	}
	p.ended = true
	if s.open == index && s.anyWaits() {
		dst = s.release(dst, p, false)
	}
	if s.open == none {
		dst = s.next(dst)
	}
	s.forget()
	return dst
}

// release takes the wire from a part. A message goes on if another text follows.
func (s *streamWriter) release(dst []byte, p *writerPart, goesOn bool) []byte {
	s.open = none
	if !p.begun {
		return dst
	}
	p.begun = false
	return s.endContent(dst, goesOn && s.item.kind == itemMessage, statusCompleted)
}

// next gives the free wire to the parts that wait, in their order.
func (s *streamWriter) next(dst []byte) []byte {
	for i := range s.parts {
		p := &s.parts[i]
		if !p.waits || !s.acquire(&dst, p) {
			continue
		}
		p.waits = false
		if !p.begun {
			dst = s.place(dst, p)
		}
		for _, d := range p.waiting {
			dst = s.piece(dst, p, d)
		}
		p.waiting = nil
	}
	return dst
}

// forget drops the parts that are done.
func (s *streamWriter) forget() {
	s.parts = slices.DeleteFunc(s.parts, func(p writerPart) bool { return p.ended && !p.waits && s.open != p.index })
}

func (s *streamWriter) anyWaits() bool {
	return slices.ContainsFunc(s.parts, func(p writerPart) bool { return p.waits })
}

// logProbs adds to the text on the wire, or waits for one.
func (s *streamWriter) logProbs(dst []byte, list []llm.TokenLogProb) []byte {
	if s.open != none && s.item.kind == itemMessage && s.item.content != "" {
		return s.text(dst, "", list)
	}
	s.probs = append(s.probs, list...)
	return dst
}

// finish ends what is still open and keeps the reason for the last event. An explanation of a refusal that came
// without words is said as one.
func (s *streamWriter) finish(dst []byte, stop llm.Stop) []byte {
	dst = s.begin(dst)
	s.stop = stop
	for i := range s.parts {
		s.parts[i].ended = true
	}
	dst = s.next(dst)
	switch {
	case stop.Detail == "":
	case (stop.Reason == llm.StopRefusal || stop.Reason == llm.StopContentFilter) && !s.refused:
		dst = s.partStart(dst, &llm.Event{Index: -2, Part: llm.Part{Kind: llm.PartRefusal, Text: stop.Detail}})
		s.refused = false // the vendor's word, not the model's
	default:
		s.losses.add("stop_detail", llm.ActionDropped, tuning, "why the answer ended, in words, where that is no refusal without any")
	}
	if s.open != none {
		p := s.find(s.open)
		s.open = none
		if p.begun {
			status, _ := s.statusOf()
			dst = s.endContent(dst, false, status)
		}
	}
	s.parts = nil
	if len(s.probs) > 0 {
		s.losses.add(llm.FeatureLogProbs, llm.ActionDropped, tuning, "there is no text that they are of")
	}
	switch stop.Reason {
	case llm.StopPause:
		s.losses.add("stop_reason", llm.ActionApproximated, tuning, "the vendor paused the turn and would go on; said as completed")
	case llm.StopMalformed:
		if len(s.items) == 0 {
			s.failed = forms.BadAnswer("the model's output is malformed: %s", stop.Raw)
		}
	default:
	}
	return dst
}

// The statuses of responses and of items.
const (
	statusCompleted  = "completed"
	statusIncomplete = "incomplete"
	statusInProgress = "in_progress"
	statusFailed     = "failed"
)

// statusOf is the response's status, and why it is incomplete if it is.
func (s *streamWriter) statusOf() (status, reason string) {
	switch s.stop.Reason {
	case llm.StopLength, llm.StopContextFull:
		return statusIncomplete, "max_output_tokens"
	case llm.StopContentFilter:
		return statusIncomplete, "content_filter"
	case llm.StopRefusal:
		if !s.refused { // cut by the vendor; what the model refuses itself is a whole answer
			return statusIncomplete, "content_filter"
		}
	default:
	}
	return statusCompleted, ""
}

// end writes the response as a whole.
func (s *streamWriter) end(dst []byte) []byte {
	switch {
	case s.stop.Reason == "":
		s.failed = forms.Truncated("it has no stop reason")
	case !s.usage.Known:
		s.losses.add("usage", llm.ActionDropped, harmless, "the provider told none; null stands for it")
	}
	if s.failed != nil {
		return s.Error(dst, s.failed)
	}
	s.done = true
	if s.quiet {
		return dst
	}
	status, reason := s.statusOf()
	w := s.event("response." + status)
	w.Key("response")
	s.response(w, status, reason, nil)
	return s.send(dst, "response."+status)
}

// Error appends the error that ends a broken stream: the failed response, if it was begun here.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	s.done, s.failed = true, e
	if s.quiet {
		return dst
	}
	const failed = "response." + statusFailed
	if !s.started || s.options.Begun {
		return sse.Append(dst, "error", errorEvent(e, s.sequence))
	}
	w := s.event(failed)
	w.Key("response")
	s.response(w, statusFailed, "", e)
	return s.send(dst, failed)
}

// EncodeResponse writes a response: the last event of its stream. An error means that the answer is not legal in this
// dialect.
func (clientSide) EncodeResponse(r *llm.Response) ([]byte, []llm.Loss, error) {
	s := newWriter(dialect.StreamOptions{})
	s.quiet = true
	s.start(nil, &llm.Event{ID: r.ID, Model: r.Model, Created: r.Created, Tier: r.Tier, Usage: r.Usage})
	for i := range r.Choices {
		s.choice(i, &r.Choices[i])
	}
	s.end(nil)
	if s.failed != nil {
		return nil, nil, s.failed
	}
	status, reason := s.statusOf()
	w := &s.json
	w.Reset(make([]byte, 0, 512+sizeOf(s.items)))
	s.response(w, status, reason, nil)
	return w.Bytes(), s.losses, nil
}

// choice writes a whole choice; the dialect has one. Its first text takes the logprobs.
func (s *streamWriter) choice(at int, c *llm.Choice) {
	if at > 0 {
		s.losses.add(llm.FeatureChoices, llm.ActionDropped, contract, "the dialect has one choice")
		return
	}
	s.probs = slices.Clone(c.LogProbs)
	for i := range c.Parts {
		s.partStart(nil, &llm.Event{Index: i, Part: c.Parts[i]})
		s.partEnd(nil, i)
	}
	s.finish(nil, c.Stop)
}
