package gemini

import (
	"cmp"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer for one stream.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	kind := frames.SSE
	if o.Framing == dialect.FramingArray {
		kind = frames.Array
	}
	s := &streamWriter{id: o.ID, model: o.Model, frames: frames.Writer{Kind: kind, Begun: o.Begun}}
	if before, ok := o.Resume.(sent); ok {
		s.frames.Begun = true
		s.id, s.model = before.id, before.model
		s.choice(0).parts = []writerPart{{part: llm.Text(""), open: true}}
	}
	return s
}

// streamWriter writes events as chunks of an answer. Texts and thoughts go out as they come, calls when they are whole.
// The reasons why the candidates ended stand in the last chunk, with the usage.
type streamWriter struct {
	id, model string
	frames    frames.Writer
	json      jsontext.Writer
	buf       []byte
	losses    lossList
	done      bool
	choices   []*writerChoice
	usage     llm.Usage
	tier      string
	extra     llm.Extra
}

// writerChoice is a candidate so far.
type writerChoice struct {
	index  int
	parts  []writerPart
	text   forms.Chars // all that was shown, which citations refer to
	cited  []textCitations
	onCall []string // signatures for the calls to come
	called bool     // a call was shown
	broken []*llm.ToolCall
	stop   llm.Stop
}

// writerPart is a part that has started.
type writerPart struct {
	part llm.Part
	base int // with which character its text begins
	args []byte
	open bool
	mark string // the signature on pieces of a thought
}

// Losses says what of the answer the dialect could not show.
func (s *streamWriter) Losses() []llm.Loss { return s.losses }

// Heartbeat appends a sign of life: an empty line, or white space between the elements of a list. The vendor's own
// clients take a comment for a broken chunk, and look for empty lines in twos.
func (s *streamWriter) Heartbeat(dst []byte) []byte {
	if s.frames.Kind == frames.Array {
		return append(dst, '\n')
	}
	return append(dst, "\n\n"...)
}

// Error appends the error that ends a broken stream.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	s.done = true
	_, body := encodeError(e)
	return s.frames.End(s.frames.Append(dst, "", body))
}

// Write appends the bytes for e to dst.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
	if s.done {
		return dst
	}
	for _, m := range e.Extra[self] {
		s.extra = s.extra.Add(self, m.Key, m.Raw)
	}
	switch e.Kind {
	case llm.EventStart:
		s.start(&e)
	case llm.EventPartStart:
		return s.partStart(dst, &e)
	case llm.EventPartDelta:
		c := s.choice(e.Choice)
		return s.delta(dst, c, c.part(e.Index), e.Delta)
	case llm.EventPartEnd:
		c := s.choice(e.Choice)
		return s.partEnd(dst, c, c.part(e.Index))
	case llm.EventLogProbs:
		s.choice(e.Choice)
		writeLogProbs(s.begin(e.Choice), e.LogProbs)
		return s.end(dst)
	case llm.EventFinish:
		s.tier = cmp.Or(e.Tier, s.tier)
		return s.finish(dst, s.choice(e.Choice), e.Stop)
	case llm.EventUsage:
		s.usage, s.tier = e.Usage, cmp.Or(e.Tier, s.tier)
	case llm.EventEnd:
		return s.last(dst)
	case llm.EventPing:
		return s.Heartbeat(dst)
	}
	return dst
}

func (s *streamWriter) start(e *llm.Event) {
	if e.ID != "" {
		s.id = e.ID
	}
	if e.Model != "" {
		s.model = e.Model
	}
	s.usage, s.tier = e.Usage, e.Tier
}

func (s *streamWriter) choice(index int) *writerChoice {
	for _, c := range s.choices {
		if c.index == index {
			return c
		}
	}
	c := &writerChoice{index: index}
	s.choices = append(s.choices, c)
	return c
}

// part returns a part that has started, or nil for one that is not shown.
func (c *writerChoice) part(index int) *writerPart {
	if index < 0 || index >= len(c.parts) || !c.parts[index].open {
		return nil
	}
	return &c.parts[index]
}

// begin starts a chunk, up to the inside of its candidate.
func (s *streamWriter) begin(index int) *jsontext.Writer {
	w := &s.json
	w.Reset(s.buf[:0])
	w.BeginObject()
	w.Key("candidates")
	w.BeginArray()
	w.BeginObject()
	w.IntField("index", int64(index))
	return w
}

// end ends a chunk that begin started.
func (s *streamWriter) end(dst []byte) []byte {
	s.json.EndObject()
	s.json.EndArray()
	return s.close(dst)
}

// close ends a chunk behind its candidates.
func (s *streamWriter) close(dst []byte) []byte {
	w := &s.json
	w.StringField("modelVersion", s.model)
	w.StringField("responseId", s.id)
	w.EndObject()
	s.buf = w.Bytes()
	return s.frames.Append(dst, "", s.buf)
}

// piece writes a chunk with one part, which f writes.
func (s *streamWriter) piece(dst []byte, c *writerChoice, f func(*jsontext.Writer)) []byte {
	w := s.begin(c.index)
	w.Key("content")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	f(w)
	w.EndArray()
	w.StringField("role", roleModel)
	w.EndObject()
	return s.end(dst)
}

func (s *streamWriter) text(dst []byte, c *writerChoice, text string, isThought bool, signature string) []byte {
	return s.piece(dst, c, func(w *jsontext.Writer) { writeTextPart(w, text, isThought, signature) })
}

func (s *streamWriter) partStart(dst []byte, e *llm.Event) []byte {
	c := s.choice(e.Choice)
	for len(c.parts) <= e.Index {
		c.parts = append(c.parts, writerPart{})
	}
	if isHidden(&e.Part) {
		s.losses.hide(&e.Part)
		return dst
	}
	c.parts[e.Index] = writerPart{part: e.Part, base: c.text.Count(), open: true}
	p := &c.parts[e.Index]
	d := llm.Delta{Text: e.Part.Text}
	switch e.Part.Kind {
	case llm.PartToolCall:
		d.Args = e.Part.Call.Args
	case llm.PartThinking:
		t := e.Part.Thinking
		if place, signature, ok := unsealed(&e.Part); ok {
			p.open = false
			if place == onCall {
				c.onCall = append(c.onCall, signature)
				return dst
			}
			return s.text(dst, c, "", false, signature)
		}
		if t.Issuer != self {
			p.mark = wrap(foreignNone, t.Issuer, "")
		}
		if t.Sealed != "" {
			return s.text(dst, c, "", true, shownSignature(t))
		}
		d.Signature = t.Signature
	case llm.PartText, llm.PartRefusal:
	default:
		return s.piece(dst, c, func(w *jsontext.Writer) { writeFilePart(w, &p.part) })
	}
	dst = s.delta(dst, c, p, d)
	for i := range e.Part.Citations {
		dst = s.delta(dst, c, p, llm.Delta{Citation: &e.Part.Citations[i]})
	}
	return dst
}

func (s *streamWriter) delta(dst []byte, c *writerChoice, p *writerPart, d llm.Delta) []byte {
	if p == nil {
		return dst
	}
	p.args = append(p.args, d.Args...)
	if d.Text != "" {
		if p.part.Kind == llm.PartThinking {
			dst = s.text(dst, c, d.Text, true, p.mark)
		} else {
			c.text.Add(d.Text)
			dst = s.text(dst, c, d.Text, false, "")
		}
	}
	if d.Signature != "" && p.part.Kind == llm.PartThinking {
		t := llm.Thinking{Issuer: p.part.Thinking.Issuer, Signature: d.Signature}
		dst = s.text(dst, c, "", true, shownSignature(&t))
	}
	if d.Citation != nil {
		c.cite(p, *d.Citation)
	}
	return dst
}

// cite notes a citation of a part, in terms of all the text that was shown.
func (c *writerChoice) cite(p *writerPart, citation llm.Citation) {
	size := c.text.Count()
	if citation.Start >= citation.End {
		citation.Start, citation.End = p.base, size
	} else {
		citation.Start, citation.End = min(p.base+citation.Start, size), min(p.base+citation.End, size)
	}
	c.cited = append(c.cited, textCitations{list: []llm.Citation{citation}})
}

func (s *streamWriter) partEnd(dst []byte, c *writerChoice, p *writerPart) []byte {
	if p == nil {
		return dst
	}
	p.open = false
	if p.part.Kind != llm.PartToolCall {
		return dst
	}
	args := forms.OrEmptyObject(string(p.args))
	p.args = nil
	if !forms.IsObject(args) {
		c.broken = append(c.broken, p.part.Call)
		return dst
	}
	return s.call(dst, c, p.part.Call, args)
}

func (s *streamWriter) call(dst []byte, c *writerChoice, call *llm.ToolCall, args string) []byte {
	signature := ""
	switch {
	case len(c.onCall) > 0:
		signature, c.onCall = c.onCall[0], c.onCall[1:]
	case !c.called:
		signature = unsigned
	}
	c.called = true
	return s.piece(dst, c, func(w *jsontext.Writer) { writeCallPart(w, call, args, signature) })
}

// finish keeps the reason for the last chunk. Calls whose arguments are no object can be shown only if the token limit
// cut them; the vendor has a reason for the others.
func (s *streamWriter) finish(dst []byte, c *writerChoice, stop llm.Stop) []byte {
	for i := range c.parts {
		dst = s.partEnd(dst, c, c.part(i))
	}
	c.stop = stop
	if len(c.broken) == 0 {
		return dst
	}
	if stop.Reason != llm.StopLength {
		s.losses.add("tool_arguments", llm.ActionDropped, llm.Tuning, "a call whose arguments are no JSON object")
		c.stop = llm.Stop{Reason: llm.StopMalformed, Detail: "Malformed function call: " + forms.Excerpt(c.broken[0].Name, 80)}
		return dst
	}
	s.losses.add("tool_arguments", llm.ActionApproximated, llm.Tuning, "arguments that the token limit cut are shown as {}")
	for _, call := range c.broken {
		dst = s.call(dst, c, call, "{}")
	}
	return dst
}

// last writes the chunk that ends the stream.
func (s *streamWriter) last(dst []byte) []byte {
	s.done = true
	if len(s.choices) == 0 {
		return s.Error(dst, truncated("it has no choice"))
	}
	w := &s.json
	w.Reset(s.buf[:0])
	w.BeginObject()
	w.Key("candidates")
	w.BeginArray()
	for _, c := range s.choices {
		if c.stop.Reason == "" {
			return s.Error(dst, truncated("it has no stop reason"))
		}
		s.lastOf(w, c)
	}
	w.EndArray()
	if s.usage.Known {
		writeUsage(w, s.usage, s.tier)
		s.losses.usage(s.usage)
	}
	return s.frames.End(s.close(dst))
}

func (s *streamWriter) lastOf(w *jsontext.Writer, c *writerChoice) {
	w.BeginObject()
	w.Key("content")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	writeTextPart(w, "", false, "")
	w.EndArray()
	w.StringField("role", roleModel)
	w.EndObject()
	writeFinish(w, c.stop)
	w.IntField("index", int64(c.index))
	for i := range c.cited {
		c.cited[i].text = &c.text
	}
	var extra llm.Extra
	if c.index == 0 {
		extra = s.extra
	}
	writeMetadata(w, c.cited, extra)
	w.EndObject()
}
