package ollama

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer of lines.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := &streamWriter{options: o, parts: make(map[int]*shownPart, 2)}
	if before, ok := o.Resume.(sent); ok {
		s.start(&llm.Event{Model: before.model, Created: before.created})
		s.parts[0] = &shownPart{kind: llm.PartText, begun: true}
		s.shownText = true
	}
	return s
}

// streamWriter writes one stream: a line for each addition, and one that is done. Calls come whole, when they have ended.
type streamWriter struct {
	options   dialect.StreamOptions
	w         jsontext.Writer
	head      []byte // how every line begins
	usage     llm.Usage
	stop      llm.Stop
	parts     map[int]*shownPart
	broken    []*shownPart // calls whose arguments are no object
	calls     int
	apart     bool // a call was shown since the last text
	shownText bool
	refused   bool
	shown     shown
}

// shownPart is an open part.
type shownPart struct {
	kind     llm.PartKind
	begun    bool
	call     llm.ToolCall
	args     strings.Builder
	thinking llm.Thinking
	text     strings.Builder // of thinking that has an issuer: its signature's entry repeats it
}

// Write appends the lines for one event.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
	if e.Choice != 0 {
		s.shown.choices()
		return dst
	}
	switch e.Kind {
	case llm.EventStart:
		s.start(&e)
	case llm.EventPartStart:
		return s.partStart(dst, &e)
	case llm.EventPartDelta:
		return s.delta(dst, &e)
	case llm.EventPartEnd:
		return s.partEnd(dst, &e)
	case llm.EventLogProbs:
		return s.logProbs(dst, e.LogProbs)
	case llm.EventFinish:
		s.stop = e.Stop
	case llm.EventUsage:
		s.usage = e.Usage
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	}
	return dst
}

func (s *streamWriter) start(e *llm.Event) {
	if e.Model != "" {
		s.options.Model = e.Model
	}
	if e.Created != 0 {
		s.options.Created = e.Created
	}
	if e.Usage.Known {
		s.usage = e.Usage
	}
	s.head = nil
}

// open begins a line and its message, with a piece of content.
func (s *streamWriter) open(dst []byte, content string) {
	if s.head == nil {
		s.head = append(s.head, `{"model":`...)
		s.head = jsontext.AppendString(s.head, s.options.Model)
		s.head = append(append(append(s.head, `,"created_at":"`...), createdAt(s.options.Created)...), `","message":`...)
	}
	s.w.Reset(append(dst, s.head...))
	s.w.BeginObject()
	s.w.StringField("role", "assistant")
	s.w.StringField("content", content)
}

// close ends the message and its line.
func (s *streamWriter) close() []byte {
	s.w.EndObject()
	return append(s.w.Bytes(), ",\"done\":false}\n"...)
}

func (s *streamWriter) logProbs(dst []byte, list []llm.TokenLogProb) []byte {
	s.open(dst, "")
	s.w.EndObject()
	s.w.Reset(append(s.w.Bytes(), ",\"logprobs\":"...))
	writeLogProbs(&s.w, list, true)
	return append(s.w.Bytes(), ",\"done\":false}\n"...)
}

func (s *streamWriter) partStart(dst []byte, e *llm.Event) []byte {
	p := &shownPart{kind: e.Part.Kind}
	s.parts[e.Index] = p
	switch p.kind {
	case llm.PartText:
	case llm.PartRefusal:
		s.refused = true
	case llm.PartThinking:
		if e.Part.Thinking != nil {
			p.thinking = *e.Part.Thinking
		}
	case llm.PartToolCall:
		p.call = *e.Part.Call
		p.args.WriteString(p.call.Args)
	default:
		s.shown.part(&e.Part)
		delete(s.parts, e.Index)
		return dst
	}
	if e.Part.Text != "" {
		return s.text(dst, p, e.Part.Text)
	}
	return dst
}

func (s *streamWriter) delta(dst []byte, e *llm.Event) []byte {
	p := s.parts[e.Index]
	if p == nil {
		return dst
	}
	if e.Delta.Text != "" {
		dst = s.text(dst, p, e.Delta.Text)
	}
	if e.Delta.Signature != "" {
		p.thinking.Signature = e.Delta.Signature
	}
	if e.Delta.Citation != nil {
		s.shown.citation()
	}
	p.args.WriteString(e.Delta.Args)
	return dst
}

func (s *streamWriter) text(dst []byte, p *shownPart, text string) []byte {
	if p.kind == llm.PartThinking {
		s.open(dst, "")
		s.w.StringField(keyThinking, text)
		if p.thinking.Issuer != "" {
			if !p.begun {
				s.signed("", &llm.Thinking{Issuer: p.thinking.Issuer})
			}
			p.text.WriteString(text)
		}
	} else {
		if !p.begun && s.apart && s.shownText {
			text = "\n\n" + text
		}
		s.apart, s.shownText = false, true
		s.open(dst, text)
	}
	p.begun = true
	return s.close()
}

// signed writes this gateway's own member with one entry. One without a signature only names the issuer.
func (s *streamWriter) signed(text string, t *llm.Thinking) {
	s.w.Key(keySigned)
	s.w.BeginArray()
	if t.Signature == "" && t.Sealed == "" {
		s.w.BeginObject()
		s.w.StringField("issuer", t.Issuer)
		s.w.EndObject()
	} else {
		writeSigned(&s.w, text, t)
	}
	s.w.EndArray()
}

func (s *streamWriter) partEnd(dst []byte, e *llm.Event) []byte {
	p := s.parts[e.Index]
	if p == nil {
		return dst
	}
	delete(s.parts, e.Index)
	switch {
	case p.kind == llm.PartThinking && isSigned(&p.thinking):
		s.open(dst, "")
		s.signed(p.text.String(), &p.thinking)
		return s.close()
	case p.kind == llm.PartToolCall:
		args, ok := argsText(p.args.String())
		if !ok {
			s.broken = append(s.broken, p)
			return dst
		}
		return s.call(dst, p, args)
	}
	return dst
}

func (s *streamWriter) call(dst []byte, p *shownPart, args []byte) []byte {
	s.apart = true
	s.open(dst, "")
	s.w.Key("tool_calls")
	s.w.BeginArray()
	writeCall(&s.w, p.call.ID, p.call.Name, s.calls, args)
	s.calls++
	s.w.EndArray()
	return s.close()
}

// end writes the line that is done, after what could not be said before: calls whose arguments are no object, unless the
// token limit cut them, and the explanation of a refusal that came without words.
func (s *streamWriter) end(dst []byte) []byte {
	for _, p := range s.broken {
		if s.stop.Reason == llm.StopLength {
			s.shown.cutCall()
			continue
		}
		dst = s.call(dst, p, jsontext.AppendString(nil, p.args.String()))
	}
	s.shown.stop(s.stop)
	switch {
	case s.stop.Detail == "":
	case isRefusal(s.stop.Reason) && !s.refused:
		s.open(dst, s.stop.Detail)
		dst = s.close()
	default:
		s.shown.detail()
	}
	s.open(dst, "")
	s.w.EndObject()
	dst = append(s.w.Bytes(), ",\"done\":true,\"done_reason\":\""...)
	dst = append(append(dst, wordOf(s.stop.Reason)...), '"')
	if s.usage.Known {
		dst = jsontext.AppendInt(append(dst, ",\"prompt_eval_count\":"...), s.usage.Input())
		dst = jsontext.AppendInt(append(dst, ",\"eval_count\":"...), s.usage.Output())
	}
	return append(dst, "}\n"...)
}

// Error appends the line with the error that ends a broken stream.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	return append(appendError(dst, e), '\n')
}

// Heartbeat appends a line that adds nothing.
func (s *streamWriter) Heartbeat(dst []byte) []byte {
	s.open(dst, "")
	return s.close()
}

// Losses says what of the answer was not shown.
func (s *streamWriter) Losses() []llm.Loss { return s.shown.losses }
