package cohere

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer of chat events.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := &streamWriter{options: o, begun: o.Begun, open: -1}
	if before, ok := o.Resume.(sent); ok {
		s.begun, s.contents, s.open = true, before.contents, 0
		s.part = shownPart{kind: llm.PartText, slot: before.contents - 1, later: !before.isOpen, resumed: true}
	}
	return s
}

// streamWriter writes one stream. In this dialect no content and no call begins before the last one has ended: what
// comes of others in the meantime waits. A content ends only when something else begins, since the probabilities of its
// tokens may follow.
type streamWriter struct {
	options  dialect.StreamOptions
	w        jsontext.Writer
	begun    bool
	usage    llm.Usage
	stop     llm.Stop
	finished bool
	contents int
	calls    int
	cited    int
	refused  bool

	open    int // the index of the part that is open, or -1
	part    shownPart
	waiting []llm.Event // of other parts
	shown   shown
}

// shownPart is the open part.
type shownPart struct {
	kind     llm.PartKind
	slot     int  // its index among contents or calls
	ended    bool // its end was there, and is not written yet
	begun    bool // arguments were there
	later    bool // its content begins with its next text
	resumed  bool // its beginning is not known, so that nothing of it can be quoted
	thinking llm.Thinking
	text     forms.Chars    // of a text: its citations quote it
	whole    []llm.Citation // of the whole text, whose end is not known yet
}

// Write appends the events for one of llm's.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
	if e.Choice != 0 {
		s.shown.choices()
		return dst
	}
	switch e.Kind {
	case llm.EventStart:
		if e.ID != "" {
			s.options.ID = e.ID
		}
		if e.Usage.Known {
			s.usage = e.Usage
		}
	case llm.EventPartStart, llm.EventPartDelta, llm.EventPartEnd:
		return s.partEvent(dst, &e)
	case llm.EventLogProbs:
		return s.logProbs(dst, e.LogProbs)
	case llm.EventFinish:
		s.stop, s.finished = e.Stop, true
	case llm.EventUsage:
		s.usage = e.Usage
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	}
	return dst
}

// event begins an event: its type, and whatever fields write up to the message of its delta.
func (s *streamWriter) event(dst []byte, kind string) {
	if !s.begun {
		s.begun = true
		dst = append(dst, "event: "+messageStart+"\ndata: {\"type\":\""+messageStart+"\",\"id\":"...)
		dst = jsontext.AppendString(dst, s.options.ID)
		dst = append(dst, ",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n"...)
	}
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: "...)
	s.w.Reset(dst)
	s.w.BeginObject()
	s.w.StringField("type", kind)
}

// indexed begins an event with an index.
func (s *streamWriter) indexed(dst []byte, kind string, index int) {
	s.event(dst, kind)
	s.w.IntField("index", int64(index))
}

// message begins the delta of an event, its message, and a member of that.
func (s *streamWriter) message(key string) {
	s.w.Key("delta")
	s.w.BeginObject()
	s.w.Key("message")
	s.w.BeginObject()
	s.w.Key(key)
}

// endMessage ends what message began.
func (s *streamWriter) endMessage() {
	s.w.EndObject()
	s.w.EndObject()
}

// send ends an event.
func (s *streamWriter) send() []byte {
	s.w.EndObject()
	return append(s.w.Bytes(), "\n\n"...)
}

// partEvent writes an event of a part, or lets it wait for the part that is open.
func (s *streamWriter) partEvent(dst []byte, e *llm.Event) []byte {
	switch {
	case e.Kind == llm.EventPartStart && (s.open < 0 || s.part.ended):
		dst = s.close(dst)
		return s.partStart(dst, e)
	case e.Kind == llm.EventPartStart || e.Index != s.open || s.part.ended:
		s.waiting = append(s.waiting, *e)
		return dst
	case e.Kind == llm.EventPartDelta:
		return s.delta(dst, &e.Delta)
	}
	s.part.ended = true
	if s.part.kind == llm.PartToolCall {
		dst = s.close(dst)
	}
	return s.release(dst)
}

// release writes what waited, as far as it now may.
func (s *streamWriter) release(dst []byte) []byte {
	if len(s.waiting) == 0 || s.waiting[0].Kind != llm.EventPartStart {
		return dst
	}
	waiting := s.waiting
	s.waiting = nil
	for i := range waiting {
		dst = s.partEvent(dst, &waiting[i])
	}
	return dst
}

func (s *streamWriter) partStart(dst []byte, e *llm.Event) []byte {
	s.open = e.Index
	s.part = shownPart{kind: e.Part.Kind}
	p := &s.part
	switch p.kind {
	case llm.PartText, llm.PartRefusal, llm.PartThinking:
		s.refused = s.refused || p.kind == llm.PartRefusal
		p.slot = s.contents
		s.contents++
		if e.Part.Thinking != nil {
			p.thinking = *e.Part.Thinking
		}
		return s.contentStart(dst, e.Part.Text)
	case llm.PartToolCall:
		p.slot = s.calls
		s.calls++
		s.indexed(dst, callStart, p.slot)
		s.message("tool_calls")
		p.begun = strings.TrimSpace(e.Part.Call.Args) != ""
		writeCall(&s.w, e.Part.Call.ID, e.Part.Call.Name, e.Part.Call.Args)
		s.endMessage()
		return s.send()
	default:
		s.shown.part(&e.Part)
		return dst
	}
}

// contentStart begins a content. Thinking that somebody will have signed names its issuer.
func (s *streamWriter) contentStart(dst []byte, text string) []byte {
	p := &s.part
	s.indexed(dst, contentStart, p.slot)
	s.message("content")
	s.w.BeginObject()
	key := typeText
	if p.kind == llm.PartThinking {
		key = typeThinking
	}
	s.w.StringField("type", key)
	s.w.StringField(key, "")
	if p.thinking.Issuer != "" {
		t := p.thinking
		t.Signature = ""
		writeSigned(&s.w, &t)
	}
	s.w.EndObject()
	s.endMessage()
	dst = s.send()
	if text != "" {
		dst = s.delta(dst, &llm.Delta{Text: text})
	}
	return dst
}

func (s *streamWriter) delta(dst []byte, d *llm.Delta) []byte {
	p := &s.part
	switch p.kind {
	case llm.PartText, llm.PartRefusal, llm.PartThinking:
		if d.Text != "" {
			dst = s.text(dst, d.Text)
		}
		if d.Signature != "" {
			p.thinking.Signature = d.Signature
		}
		if c := d.Citation; c != nil && p.resumed {
			s.shown.losses.add(llm.FeatureCitationHistory, llm.ActionDropped, llm.Harmless, "another target began the text")
		} else if c != nil && s.shown.citation(c) {
			if c.Start == 0 && c.End == 0 {
				p.whole = append(p.whole, *c)
			} else {
				dst = s.citation(dst, c)
			}
		}
	case llm.PartToolCall:
		if d.Args != "" {
			p.begun = p.begun || strings.TrimSpace(d.Args) != ""
			dst = s.args(dst, d.Args)
		}
	default:
	}
	return dst
}

func (s *streamWriter) text(dst []byte, text string) []byte {
	p := &s.part
	if p.later {
		p.later, p.slot = false, s.contents
		s.contents++
		dst = s.contentStart(dst, "")
	}
	key := typeText
	if p.kind == llm.PartThinking {
		key = typeThinking
	} else {
		p.text.Add(text)
	}
	s.indexed(dst, contentDelta, p.slot)
	s.message("content")
	s.w.BeginObject()
	s.w.StringField(key, text)
	s.w.EndObject()
	s.endMessage()
	return s.send()
}

func (s *streamWriter) args(dst []byte, args string) []byte {
	s.indexed(dst, callDelta, s.part.slot)
	s.message("tool_calls")
	s.w.BeginObject()
	s.w.Key(typeFunction)
	s.w.BeginObject()
	s.w.StringField("arguments", args)
	s.w.EndObject()
	s.w.EndObject()
	s.endMessage()
	return s.send()
}

func (s *streamWriter) citation(dst []byte, c *llm.Citation) []byte {
	s.indexed(dst, citationStart, s.cited)
	s.message("citations")
	writeCitation(&s.w, c, &s.part.text, s.part.slot)
	s.endMessage()
	dst = s.send()
	s.indexed(dst, citationEnd, s.cited)
	s.cited++
	return s.send()
}

// logProbs writes the probabilities of tokens of the content that is open, with no more text.
func (s *streamWriter) logProbs(dst []byte, list []llm.TokenLogProb) []byte {
	if s.open < 0 || s.part.kind != llm.PartText {
		s.shown.losses.add(llm.FeatureLogProbs, llm.ActionDropped, llm.Tuning, "they come only with text")
		return dst
	}
	for i := range list {
		s.shown.logProb(&list[i])
		s.indexed(dst, contentDelta, s.part.slot)
		s.message("content")
		s.w.BeginObject()
		s.w.StringField("text", "")
		s.w.EndObject()
		s.endMessage()
		s.w.Key("logprobs")
		writeLogProb(&s.w, &list[i])
		dst = s.send()
	}
	return dst
}

// close ends the open part: with what can be said only then.
func (s *streamWriter) close(dst []byte) []byte {
	if s.open < 0 {
		return dst
	}
	p := &s.part
	s.open = -1
	if p.later {
		return dst
	}
	switch p.kind {
	case llm.PartText, llm.PartRefusal, llm.PartThinking:
		for i := range p.whole {
			dst = s.citation(dst, &p.whole[i])
		}
		if p.thinking.Issuer != "" && p.thinking.Signature != "" {
			s.indexed(dst, contentDelta, p.slot)
			s.message("content")
			s.w.BeginObject()
			s.w.StringField(typeThinking, "")
			writeSigned(&s.w, &p.thinking)
			s.w.EndObject()
			s.endMessage()
			dst = s.send()
		}
		s.indexed(dst, contentEnd, p.slot)
		return s.send()
	case llm.PartToolCall:
		if !p.begun && p.ended {
			dst = s.args(dst, emptyArgs)
		}
		s.indexed(dst, callEnd, p.slot)
		return s.send()
	default:
		return dst
	}
}

// end writes message-end, after what could not be said before: the explanation of a refusal that came without words,
// and a content for an answer without any.
func (s *streamWriter) end(dst []byte) []byte {
	explained := isRefusal(s.stop.Reason) && s.stop.Detail != "" && !s.refused
	if !explained && s.stop.Detail != "" {
		s.shown.detail()
	}
	if explained || s.contents+s.calls == 0 {
		text := ""
		if explained {
			text = s.stop.Detail
		}
		dst = s.close(dst)
		dst = s.partStart(dst, &llm.Event{Part: llm.Part{Kind: llm.PartText, Text: text}})
	}
	dst = s.close(dst)
	s.shown.stop(s.stop)
	s.event(dst, messageEnd)
	s.w.Key("delta")
	s.w.BeginObject()
	s.w.StringField("finish_reason", wordOf(s.stop.Reason))
	s.w.Key("usage")
	writeUsage(&s.w, s.usage)
	s.w.EndObject()
	return sse.Append(s.send(), "", []byte(terminator))
}

// Error appends the message-end of a broken stream. The terminator never follows it.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	word := wordError
	if e.Code == llm.CodeTimeout {
		word = wordTimeout
	}
	s.event(dst, messageEnd)
	s.w.Key("delta")
	s.w.BeginObject()
	s.w.StringField("finish_reason", word)
	s.w.Key("usage")
	writeUsage(&s.w, llm.Usage{})
	s.w.StringField("error", forms.Clip(messageFor(e), maxMessage))
	s.w.EndObject()
	return s.send()
}

// Heartbeat appends a comment.
func (s *streamWriter) Heartbeat(dst []byte) []byte { return sse.AppendComment(dst, "keep-alive") }

// Losses says what of the answer was not shown.
func (s *streamWriter) Losses() []llm.Loss { return s.shown.losses }
