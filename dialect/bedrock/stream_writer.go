package bedrock

import (
	"cmp"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer for one stream.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := &streamWriter{open: none}
	if before, ok := o.Resume.(sent); ok {
		s.started, s.blocks = true, int(before.last)+1
		s.parts = []writerPart{{part: llm.Part{Kind: llm.PartText}, begun: before.isOpen}}
		if before.isOpen {
			s.open = 0
		}
	}
	return s
}

// none is no part.
const none = -1

// streamWriter writes events as the dialect's stream, in which blocks never overlap. One part at a time holds the
// wire. Text yields it to a part that comes later and goes on in a new block; a call holds it to its end, and what
// comes meanwhile waits.
type streamWriter struct {
	json   jsontext.Writer
	buf    []byte
	losses lossList
	ids    shownIDs

	started bool
	done    bool
	open    int // index of the part that holds the wire
	blocks  int // how many blocks have begun on the wire
	parts   []writerPart
	usage   llm.Usage
	tier    string
	stop    llm.Stop
	extra   llm.Extra
}

// writerPart is a part that has started and not ended, or waits.
type writerPart struct {
	index int
	part  llm.Part
	// waits is set while the part has something to show and another holds the wire; waiting is what came meanwhile.
	waits   bool
	waiting []llm.Delta
	ended   bool
	begun   bool // a block of it is on the wire
	// signature is held back to the end of a thinking block.
	signature string
}

// Losses says what of the answer the dialect could not show.
func (s *streamWriter) Losses() []llm.Loss { return s.losses }

// Write appends the bytes for e to dst.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
	if s.done {
		return dst
	}
	if e.Kind == llm.EventStart {
		s.usage, s.tier = e.Usage, e.Tier
		s.keep(e.Extra)
		return s.start(dst)
	}
	if e.Choice != 0 {
		s.losses.add(llm.FeatureChoices, llm.Contract, "the dialect has one choice")
		return dst
	}
	switch e.Kind {
	case llm.EventPartStart:
		return s.partStart(dst, e)
	case llm.EventPartDelta:
		return s.partDelta(dst, e.Index, e.Delta)
	case llm.EventPartEnd:
		return s.partEnd(dst, e.Index)
	case llm.EventLogProbs:
		s.losses.add(llm.FeatureLogProbs, llm.Tuning, "the dialect has none")
	case llm.EventFinish:
		s.tier = cmp.Or(e.Tier, s.tier)
		return s.finish(dst, e)
	case llm.EventUsage:
		s.usage, s.tier = e.Usage, cmp.Or(e.Tier, s.tier)
		s.keep(e.Extra)
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	default:
	}
	return dst
}

// keep keeps what the dialect's own vendor said of the answer.
func (s *streamWriter) keep(extra llm.Extra) {
	for _, m := range extra[issuer] {
		s.extra = s.extra.Add(issuer, m.Key, m.Raw)
	}
}

// event frames what the JSON writer holds.
func (s *streamWriter) event(dst []byte, name string) []byte {
	s.json.EndObject()
	s.buf = s.json.Bytes()
	return frames.AppendMessage(dst, frames.Message{Event: name, Payload: s.buf})
}

// begin starts the JSON of one event.
func (s *streamWriter) begin() *jsontext.Writer {
	s.json.Reset(s.buf[:0])
	s.json.BeginObject()
	return &s.json
}

// pingEvent is an event that no client knows, and so ignores.
const pingEvent = "ping"

// Heartbeat appends a sign of life.
func (s *streamWriter) Heartbeat(dst []byte) []byte {
	return frames.AppendMessage(dst, frames.Message{Event: pingEvent, Payload: []byte("{}")})
}

// Error appends the dialect's terminal error: an exception.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	s.done = true
	return frames.AppendMessage(dst, frames.Message{Exception: dialect.StreamExceptionOf(e.Code), Payload: errorBody(e, "")})
}

func (s *streamWriter) start(dst []byte) []byte {
	if s.started {
		return dst
	}
	s.started = true
	s.begin().StringField("role", roleAssistant)
	return s.event(dst, eventMessageStart)
}

func (s *streamWriter) find(index int) *writerPart {
	for i := range s.parts {
		if s.parts[i].index == index {
			return &s.parts[i]
		}
	}
	return nil
}

func (s *streamWriter) partStart(dst []byte, e llm.Event) []byte {
	dst = s.start(dst)
	if isHidden(&e.Part) {
		s.losses.hide(&e.Part)
		return dst
	}
	s.parts = append(s.parts, writerPart{index: e.Index, part: e.Part})
	p := &s.parts[len(s.parts)-1]
	d := llm.Delta{Text: e.Part.Text}
	switch e.Part.Kind {
	case llm.PartToolCall:
		d.Args = e.Part.Call.Args
	case llm.PartThinking:
		d.Signature = e.Part.Thinking.Signature
	case llm.PartOpaque:
		d.Text = "" // what the block says in words is for others
	case llm.PartImage:
		d.Text = ""
	default:
	}
	if isShownAtStart(&p.part) {
		if s.acquire(&dst, p) {
			dst = s.beginBlock(dst, p)
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

// isShownAtStart reports whether a part is shown though nothing of it has come yet. Texts and thinking begin with
// their first piece: the dialect has no empty ones.
func isShownAtStart(p *llm.Part) bool {
	switch p.Kind {
	case llm.PartToolCall, llm.PartOpaque, llm.PartImage:
		return true
	case llm.PartThinking:
		return p.Thinking.Sealed != ""
	default:
		return false
	}
}

// acquire gives the wire to p if nobody holds it, or if who holds it can go on in another block. Nobody waits
// while a part that yields holds the wire.
func (s *streamWriter) acquire(dst *[]byte, p *writerPart) bool {
	if s.open == p.index {
		return true
	}
	if s.open != none {
		holder := s.find(s.open)
		if !yields(holder) {
			return false
		}
		*dst = s.endBlock(*dst, holder)
	}
	s.open = p.index
	return true
}

// yields reports whether a part can be cut into two blocks: text, and thinking that nobody signs.
func yields(p *writerPart) bool {
	switch p.part.Kind {
	case llm.PartText, llm.PartRefusal:
		return true
	case llm.PartThinking:
		return p.part.Thinking.Issuer == "" && p.part.Thinking.Sealed == ""
	default:
		return false
	}
}

func (s *streamWriter) partDelta(dst []byte, index int, d llm.Delta) []byte {
	p := s.find(index)
	if p == nil {
		return dst
	}
	if d.Citation != nil {
		s.losses.citation(d.Citation)
	}
	if d.Signature != "" {
		p.signature = d.Signature
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
	if !s.holds(p) {
		dst = s.beginBlock(dst, p)
	}
	switch {
	case d.Args != "":
		dst = s.deltaIn(dst, "toolUse", "input", d.Args)
	case d.Text != "" && p.part.Kind == llm.PartThinking:
		dst = s.deltaIn(dst, "reasoningContent", "text", d.Text)
	case d.Text != "":
		s.beginDelta().StringField("text", d.Text)
		dst = s.endDelta(dst)
	}
	if d.Citation != nil {
		w := s.beginDelta()
		w.Key("citation")
		writeCitation(w, d.Citation)
		dst = s.endDelta(dst)
	}
	return dst
}

// holds reports whether a block of p is open on the wire.
func (s *streamWriter) holds(p *writerPart) bool { return s.open == p.index && p.begun }

func (s *streamWriter) beginDelta() *jsontext.Writer {
	w := s.begin()
	w.IntField("contentBlockIndex", int64(s.blocks-1))
	w.Key("delta")
	w.BeginObject()
	return w
}

func (s *streamWriter) endDelta(dst []byte) []byte {
	s.json.EndObject()
	return s.event(dst, eventBlockDelta)
}

func (s *streamWriter) deltaIn(dst []byte, member, key, value string) []byte {
	w := s.beginDelta()
	w.Key(member)
	w.BeginObject()
	w.StringField(key, value)
	w.EndObject()
	return s.endDelta(dst)
}

// beginBlock opens a block for the part that has got the wire. Text and thinking have no start of their own.
func (s *streamWriter) beginBlock(dst []byte, p *writerPart) []byte {
	p.begun = true
	s.blocks++
	switch p.part.Kind {
	case llm.PartToolCall:
		w := s.beginStart("toolUse")
		w.StringField("toolUseId", s.ids.show(p.part.Call.ID))
		w.StringField("name", p.part.Call.Name)
		return s.endStart(dst)
	case llm.PartImage:
		s.beginStart("image").StringField("format", imageFormat(p.part.Media.Type))
		dst = s.endStart(dst)
		w := s.beginDelta()
		w.Key("image")
		w.BeginObject()
		w.Key("source")
		w.BeginObject()
		w.StringField("bytes", p.part.Media.Data)
		w.EndObject()
		w.EndObject()
		return s.endDelta(dst)
	case llm.PartOpaque:
		return s.opaque(dst, p.part.Opaque)
	case llm.PartThinking:
		if t := p.part.Thinking; t.Sealed != "" {
			dst = s.deltaIn(dst, "reasoningContent", "redactedContent", wrapSealed(t.Issuer, t.Sealed))
		}
	default:
	}
	return dst
}

func (s *streamWriter) beginStart(kind string) *jsontext.Writer {
	w := s.begin()
	w.IntField("contentBlockIndex", int64(s.blocks-1))
	w.Key("start")
	w.BeginObject()
	w.Key(kind)
	w.BeginObject()
	return w
}

func (s *streamWriter) endStart(dst []byte) []byte {
	s.json.EndObject()
	s.json.EndObject()
	return s.event(dst, eventBlockStart)
}

// opaque writes a call of a tool that the vendor runs, or its result, as it was.
func (s *streamWriter) opaque(dst []byte, o *llm.Opaque) []byte {
	v := jsontext.Value(o.Raw).Get(o.Type)
	w := s.beginStart(o.Type)
	_ = v.Object(func(key string, m jsontext.Value) error { // the function returns no error
		if key != "input" && key != "content" {
			w.RawField(key, m)
		}
		return nil
	})
	dst = s.endStart(dst)
	if input := v.Get("input"); !input.IsNull() {
		dst = s.deltaIn(dst, "toolUse", "input", string(jsontext.Compact(nil, input)))
	}
	if content := v.Get("content"); !content.IsNull() {
		s.beginDelta().RawField("toolResult", content)
		dst = s.endDelta(dst)
	}
	return dst
}

// endBlock closes the block on the wire, which is of p.
func (s *streamWriter) endBlock(dst []byte, p *writerPart) []byte {
	s.open = none
	if !p.begun {
		return dst
	}
	p.begun = false
	if t := p.part.Thinking; t != nil && t.Sealed == "" {
		dst = s.deltaIn(dst, "reasoningContent", "signature", wrap(t.Issuer, p.signature))
	}
	s.begin().IntField("contentBlockIndex", int64(s.blocks-1))
	return s.event(dst, eventBlockStop)
}

func (s *streamWriter) partEnd(dst []byte, index int) []byte {
	p := s.find(index)
	if p == nil {
		return dst
	}
	p.ended = true
	if s.open == index {
		dst = s.endBlock(dst, p)
	}
	return s.next(dst)
}

// next gives the free wire to the parts that wait, in their order, and forgets those that are done.
func (s *streamWriter) next(dst []byte) []byte {
	for i := range s.parts {
		p := &s.parts[i]
		if !p.waits || s.open != none {
			continue
		}
		s.open, p.waits = p.index, false
		if !p.begun {
			dst = s.beginBlock(dst, p)
		}
		for _, d := range p.waiting {
			dst = s.piece(dst, p, d)
		}
		p.waiting = nil
		if p.ended || yields(p) && s.anyWaits() {
			dst = s.endBlock(dst, p)
		}
	}
	s.parts = slices.DeleteFunc(s.parts, func(p writerPart) bool { return p.ended && !p.waits })
	return dst
}

func (s *streamWriter) anyWaits() bool {
	return slices.ContainsFunc(s.parts, func(p writerPart) bool { return p.waits })
}

// finish ends what is still open and keeps the reason for the last event.
func (s *streamWriter) finish(dst []byte, e llm.Event) []byte {
	dst = s.start(dst)
	for i := range s.parts {
		s.parts[i].ended = true
	}
	if s.open != none {
		dst = s.endBlock(dst, s.find(s.open))
	}
	dst = s.next(dst)
	if e.Stop.Reason == "" {
		return s.Error(dst, truncated("it has no stop reason"))
	}
	s.losses.stop(e.Stop)
	s.stop = e.Stop
	s.keep(e.Extra)
	return dst
}

// end writes the reason, and in the last event the usage of the whole answer.
func (s *streamWriter) end(dst []byte) []byte {
	if s.stop.Reason == "" {
		return s.Error(dst, truncated("it has no stop reason"))
	}
	s.losses.usage(s.usage)
	writeStop(s.begin(), s.stop, s.extra)
	dst = s.event(dst, eventMessageStop)
	w := s.begin()
	writeUsage(w, s.usage)
	writeAccount(w, s.extra, s.tier)
	s.done = true
	return s.event(dst, eventMetadata)
}
