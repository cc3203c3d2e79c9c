package anthropic

import (
	"crypto/sha256"
	"hash"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer for one stream.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := &streamWriter{options: o, open: none}
	if before, ok := o.Resume.(sent); ok {
		s.started, s.blocks = true, before.blocks
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
	options dialect.StreamOptions
	json    jsontext.Writer
	buf     []byte
	losses  lossList
	ids     shownIDs

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
	// signature is held back to the end of a thinking block; sum is of its text, for a signature of our own.
	signature string
	sum       hash.Hash
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
		return s.start(dst, e.ID, e.Model)
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
		return s.finish(dst, e)
	case llm.EventUsage:
		s.usage = e.Usage
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	default:
	}
	return dst
}

// event frames what the JSON writer holds.
func (s *streamWriter) event(dst []byte, name string) []byte {
	s.buf = s.json.Bytes()
	return s.framed(dst, name, s.buf)
}

// framed adds an event in the frame that the client has asked for.
func (s *streamWriter) framed(dst []byte, name string, data []byte) []byte {
	if s.options.Framing != dialect.FramingChunks {
		return sse.Append(dst, name, data)
	}
	w := frames.Writer{Kind: frames.Chunks}
	return w.Append(dst, name, data)
}

// begin starts the JSON of one event.
func (s *streamWriter) begin(name string) *jsontext.Writer {
	w := &s.json
	w.Reset(s.buf[:0])
	w.BeginObject()
	w.StringField("type", name)
	return w
}

// Heartbeat appends a sign of life: a ping, or a comment while a ping would come before the start.
func (s *streamWriter) Heartbeat(dst []byte) []byte {
	if !s.started && s.options.Framing == dialect.FramingChunks {
		return frames.AppendMessage(dst, frames.Message{Event: "ping", Payload: []byte("{}")}) // which no client knows
	}
	if !s.started {
		return sse.AppendComment(dst, "ping")
	}
	s.begin("ping").EndObject()
	return s.event(dst, "ping")
}

// Error appends the dialect's terminal error.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	s.done = true
	if s.options.Framing == dialect.FramingChunks {
		return frames.AppendMessage(dst, frames.Message{Exception: dialect.StreamExceptionOf(e.Code), Payload: exceptionBody(e, "")})
	}
	_, kind := errorWords(e.Code)
	return sse.Append(dst, "error", errorBody(e, kind, ""))
}

func (s *streamWriter) start(dst []byte, id, model string) []byte {
	if s.started {
		return dst
	}
	s.started = true
	if id == "" {
		id = s.options.ID
	}
	if model == "" {
		model = s.options.Model
	}
	w := s.begin("message_start")
	w.Key("message")
	w.BeginObject()
	w.StringField("id", id)
	w.StringField("type", "message")
	w.StringField("role", roleAssistant)
	w.StringField("model", model)
	w.Key("content")
	w.BeginArray()
	w.EndArray()
	w.NullField("stop_reason")
	w.NullField("stop_sequence")
	w.Key("usage")
	writeUsage(w, s.usage, s.tier)
	w.EndObject()
	w.EndObject()
	return s.event(dst, "message_start")
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
	dst = s.start(dst, "", "")
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
	case llm.PartToolCall, llm.PartOpaque:
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
	if d.Citation != nil && (d.Citation.Opaque == nil || d.Citation.Opaque.Dialect != issuer) {
		s.losses.add(llm.FeatureCitationHistory, llm.Tuning, "citations of another vendor")
		d.Citation = nil
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
		dst = s.deltaEvent(dst, "input_json_delta", "partial_json", d.Args)
	case d.Text != "" && p.part.Kind == llm.PartThinking:
		if p.sum != nil {
			p.sum.Write([]byte(d.Text))
		}
		dst = s.deltaEvent(dst, "thinking_delta", "thinking", d.Text)
	case d.Text != "":
		dst = s.deltaEvent(dst, "text_delta", "text", d.Text)
	}
	if d.Citation != nil {
		w := s.beginDelta("citations_delta")
		w.RawField("citation", d.Citation.Opaque.Raw)
		dst = s.endDelta(dst)
	}
	return dst
}

// holds reports whether a block of p is open on the wire.
func (s *streamWriter) holds(p *writerPart) bool { return s.open == p.index && p.begun }

func (s *streamWriter) beginDelta(kind string) *jsontext.Writer {
	w := s.begin("content_block_delta")
	w.IntField("index", int64(s.blocks-1))
	w.Key("delta")
	w.BeginObject()
	w.StringField("type", kind)
	return w
}

func (s *streamWriter) endDelta(dst []byte) []byte {
	s.json.EndObject()
	s.json.EndObject()
	return s.event(dst, "content_block_delta")
}

func (s *streamWriter) deltaEvent(dst []byte, kind, key, value string) []byte {
	s.beginDelta(kind).StringField(key, value)
	return s.endDelta(dst)
}

// beginBlock opens a block for the part that has got the wire.
func (s *streamWriter) beginBlock(dst []byte, p *writerPart) []byte {
	p.begun = true
	w := s.begin("content_block_start")
	w.IntField("index", int64(s.blocks))
	s.blocks++
	w.Key("content_block")
	switch p.part.Kind {
	case llm.PartToolCall:
		w.BeginObject()
		w.StringField("type", blockToolUse)
		w.StringField("id", s.ids.show(p.part.Call.ID))
		w.StringField("name", p.part.Call.Name)
		w.Key("input")
		w.BeginObject()
		w.EndObject()
		writeExtra(w, p.part.Extra, "")
		w.EndObject()
	case llm.PartThinking:
		if p.part.Thinking.Issuer == "" {
			p.sum = sha256.New()
		}
		writeThinkingBlock(w, "", "", shownSealed(p.part.Thinking))
	case llm.PartOpaque:
		w.Raw(p.part.Opaque.Raw)
	default:
		w.BeginObject()
		w.StringField("type", blockText)
		w.StringField("text", "")
		w.EndObject()
	}
	w.EndObject()
	return s.event(dst, "content_block_start")
}

// endBlock closes the block on the wire, which is of p.
func (s *streamWriter) endBlock(dst []byte, p *writerPart) []byte {
	s.open = none
	if !p.begun {
		return dst
	}
	p.begun = false
	if t := p.part.Thinking; t != nil && t.Sealed == "" {
		signature := p.signature
		if t.Issuer != issuer || signature == "" {
			signature = shownSignature(t.Issuer, signature, p.sum)
		}
		dst = s.deltaEvent(dst, "signature_delta", "signature", signature)
	}
	w := s.begin("content_block_stop")
	w.IntField("index", int64(s.blocks-1))
	w.EndObject()
	return s.event(dst, "content_block_stop")
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
	dst = s.start(dst, "", "")
	for i := range s.parts {
		s.parts[i].ended = true
	}
	if s.open != none {
		dst = s.endBlock(dst, s.find(s.open))
	}
	dst = s.next(dst)
	if stopWord(e.Stop.Reason) == "" {
		return s.Error(dst, malformed())
	}
	s.stop, s.extra = e.Stop, e.Extra
	return dst
}

// malformed is the error for an answer that its own vendor calls broken.
func malformed() *llm.Error {
	return badAnswer("the vendor says that the model wrote something malformed", nil)
}

// end writes the reason, the usage of the whole answer and the last event.
func (s *streamWriter) end(dst []byte) []byte {
	if s.stop.Reason == "" {
		return s.Error(dst, truncated("it has no stop reason"))
	}
	if !s.usage.Known {
		s.losses.add("usage", llm.Harmless, "the provider told none; zeros stand for it")
	}
	w := s.begin("message_delta")
	w.Key("delta")
	w.BeginObject()
	writeStop(w, s.stop, s.extra)
	writeKept(w, s.extra, "container")
	w.EndObject()
	w.Key("usage")
	writeDeltaUsage(w, s.usage)
	writeKept(w, s.extra, "context_management")
	w.EndObject()
	dst = s.event(dst, "message_delta")
	s.begin("message_stop").EndObject()
	s.done = true
	return s.event(dst, "message_stop")
}
