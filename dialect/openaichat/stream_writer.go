package openaichat

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamWriter returns a writer of chat completion chunks.
func (clientSide) NewStreamWriter(o dialect.StreamOptions) dialect.StreamWriter {
	s := &streamWriter{options: o, choices: make(map[int]*shownChoice, 1)}
	if before, ok := o.Resume.(sent); ok {
		s.start(&llm.Event{ID: before.id, Model: before.model, Created: before.created, Tier: before.tier})
		ch := s.choice(0)
		ch.begun = true
		ch.parts[0] = &shownPart{kind: llm.PartText, begun: true}
	}
	return s
}

// streamWriter writes one stream: a chunk with the role first, then one for each addition, one with the finish
// reason for each choice, the usage if the client asked for it, and the terminator.
type streamWriter struct {
	options dialect.StreamOptions
	w       jsontext.Writer
	head    []byte // how every chunk begins
	tail    []byte // how every chunk ends
	usage   llm.Usage
	choices map[int]*shownChoice
	shown   shown
}

// shownChoice is what has been written of a choice.
type shownChoice struct {
	parts   map[int]*shownPart
	begun   bool
	calls   int
	old     bool // they are shown in the old form, which has one
	details int  // entries of reasoning_details so far
	notes   int  // annotations so far
	length  int  // characters of content so far
	apart   bool // a call was begun since the last text
	refused bool
	empty   []int // the indexes of calls that ended without arguments
}

// shownPart is an open part.
type shownPart struct {
	kind     llm.PartKind
	call     int // the call's index among the choice's calls
	begun    bool
	offset   int // where its text begins in the content, in characters
	size     int // characters of its text so far
	thinking llm.Thinking
	text     strings.Builder // of thinking that has an issuer: it is repeated with its signature
	waiting  []llm.Citation  // of the whole part, whose end is not known yet
}

// Write appends the chunks for one event.
func (s *streamWriter) Write(dst []byte, e llm.Event) []byte {
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
		s.open(dst, e.Choice)
		s.w.EndObject()
		writeLogProbs(&s.w, e.LogProbs)
		s.w.NullField("finish_reason")
		return s.send()
	case llm.EventFinish:
		s.retier(e.Tier)
		return s.finish(dst, &e)
	case llm.EventUsage:
		s.retier(e.Tier)
		s.usage = e.Usage
	case llm.EventPing:
		return s.Heartbeat(dst)
	case llm.EventEnd:
		return s.end(dst)
	}
	return dst
}

// start settles what every chunk says.
func (s *streamWriter) start(e *llm.Event) {
	o := &s.options
	if e.ID != "" {
		o.ID = e.ID
	}
	if e.Model != "" {
		o.Model = e.Model
	}
	if e.Created != 0 {
		o.Created = e.Created
	}
	if e.Usage.Known {
		s.usage = e.Usage
	}
	s.frame(e.Tier)
}

// retier changes what further chunks say of the tier, where it is known only now.
func (s *streamWriter) retier(tier string) {
	if tier != "" {
		s.frame(tier)
	}
}

// frame makes the beginning and the end of every chunk.
func (s *streamWriter) frame(tier string) {
	w := &s.w
	w.Reset(nil)
	w.BeginObject()
	w.StringField("id", s.options.ID)
	w.StringField("object", "chat.completion.chunk")
	w.IntField("created", s.options.Created)
	w.StringField("model", s.options.Model)
	writeTier(w, tier)
	w.EndObject()
	head := w.Bytes()
	s.head = append(append([]byte("data: "), head[:len(head)-1]...), `,"choices":[`...)
	s.tail = []byte("]}\n\n")
	if s.options.Usage {
		s.tail = []byte("],\"usage\":null}\n\n")
	}
}

func (s *streamWriter) choice(index int) *shownChoice {
	ch := s.choices[index]
	if ch == nil {
		ch = &shownChoice{parts: make(map[int]*shownPart, 2)}
		s.choices[index] = ch
	}
	return ch
}

// open begins a chunk with a choice and its delta. The first one of a choice is preceded by the chunk with the role.
func (s *streamWriter) open(dst []byte, index int) {
	if ch := s.choice(index); !ch.begun {
		ch.begun = true
		s.openChunk(dst, index)
		s.w.StringField("role", "assistant")
		s.w.StringField("content", "")
		s.w.NullField("refusal")
		dst = s.close()
	}
	s.openChunk(dst, index)
}

func (s *streamWriter) openChunk(dst []byte, index int) {
	if s.head == nil {
		s.frame("")
	}
	s.w.Reset(append(dst, s.head...))
	s.w.BeginObject()
	s.w.IntField("index", int64(index))
	s.w.Key("delta")
	s.w.BeginObject()
}

// close ends the delta, its choice and the chunk.
func (s *streamWriter) close() []byte {
	s.w.EndObject()
	s.w.NullField("logprobs")
	s.w.NullField("finish_reason")
	return s.send()
}

// send ends the choice and the chunk.
func (s *streamWriter) send() []byte {
	s.w.EndObject()
	return append(s.w.Bytes(), s.tail...)
}

func (s *streamWriter) partStart(dst []byte, e *llm.Event) []byte {
	ch := s.choice(e.Choice)
	p := &shownPart{kind: e.Part.Kind}
	ch.parts[e.Index] = p
	switch p.kind {
	case llm.PartText:
		p.offset = ch.length
	case llm.PartRefusal:
		ch.refused = true
	case llm.PartThinking:
		if e.Part.Thinking != nil {
			p.thinking = *e.Part.Thinking
		}
	case llm.PartToolCall:
		ch.apart, ch.old = true, e.Part.Call.Old
		p.call = ch.calls
		ch.calls++
		if ch.old && p.call > 0 {
			s.shown.oldCalls()
			delete(ch.parts, e.Index)
			return dst
		}
		p.begun = strings.TrimSpace(e.Part.Call.Args) != ""
		return s.fragment(dst, e.Choice, p.call, e.Part.Call)
	default:
		s.shown.part(&e.Part)
		delete(ch.parts, e.Index)
		return dst
	}
	if e.Part.Text != "" {
		return s.addText(dst, e.Choice, p, e.Part.Text)
	}
	return dst
}

// fragment writes a chunk with a piece of a call; its id and name come once.
func (s *streamWriter) fragment(dst []byte, choice, index int, c *llm.ToolCall) []byte {
	s.open(dst, choice)
	if s.choice(choice).old {
		s.w.Key(keyOldCall)
		s.function(c)
		return s.close()
	}
	s.w.Key("tool_calls")
	s.w.BeginArray()
	s.w.BeginObject()
	s.w.IntField("index", int64(index))
	if c.Name != "" {
		s.w.StringField("id", c.ID)
		s.w.StringField("type", typeFunction)
	}
	s.w.Key(typeFunction)
	s.function(c)
	s.w.EndObject()
	s.w.EndArray()
	return s.close()
}

func (s *streamWriter) function(c *llm.ToolCall) {
	s.w.BeginObject()
	if c.Name != "" {
		s.w.StringField("name", c.Name)
	}
	s.w.StringField("arguments", c.Args)
	s.w.EndObject()
}

func (s *streamWriter) delta(dst []byte, e *llm.Event) []byte {
	p := s.choice(e.Choice).parts[e.Index]
	if p == nil {
		return dst
	}
	if e.Delta.Text != "" {
		dst = s.addText(dst, e.Choice, p, e.Delta.Text)
	}
	if e.Delta.Args != "" && p.kind == llm.PartToolCall {
		p.begun = p.begun || strings.TrimSpace(e.Delta.Args) != ""
		dst = s.fragment(dst, e.Choice, p.call, &llm.ToolCall{Args: e.Delta.Args})
	}
	if e.Delta.Signature != "" {
		p.thinking.Signature = e.Delta.Signature
	}
	if c := e.Delta.Citation; c != nil && p.kind == llm.PartText && s.shown.citation(c) {
		if c.Start == 0 && c.End == 0 {
			p.waiting = append(p.waiting, *c)
		} else {
			dst = s.citations(dst, e.Choice, p, []llm.Citation{*c})
		}
	}
	return dst
}

// addText writes a piece of text, refusal or thinking.
func (s *streamWriter) addText(dst []byte, choice int, p *shownPart, text string) []byte {
	ch := s.choice(choice)
	s.open(dst, choice)
	switch p.kind {
	case llm.PartRefusal:
		s.w.StringField("refusal", text)
	case llm.PartThinking:
		s.w.StringField(keyReasoning, text)
		if !p.begun {
			s.detail(ch, detail{issuer: cmp.Or(p.thinking.Issuer, nobody)})
		}
		if p.thinking.Issuer != "" {
			p.text.WriteString(text)
		}
	default:
		if !p.begun && ch.apart && ch.length > 0 {
			const between = "\n\n"
			text = between + text
			ch.length += len(between)
			p.offset, p.size = ch.length, -len(between)
		}
		ch.apart = false
		size := utf8.RuneCountInString(text)
		p.size += size
		ch.length = p.offset + p.size
		s.w.StringField("content", text)
	}
	p.begun = true
	return s.close()
}

// detail writes reasoning_details with one entry. It has an index because SDKs that collect a stream cannot append to a
// list without one.
func (s *streamWriter) detail(ch *shownChoice, d detail) {
	s.w.Key(keyDetails)
	s.w.BeginArray()
	s.w.BeginObject()
	s.w.IntField("index", int64(ch.details))
	writeDetail(&s.w, d)
	s.w.EndObject()
	s.w.EndArray()
	ch.details++
}

func (s *streamWriter) citations(dst []byte, choice int, p *shownPart, list []llm.Citation) []byte {
	s.open(dst, choice)
	s.w.Key(keyNotes)
	s.w.BeginArray()
	ch := s.choice(choice)
	for i := range list {
		s.w.BeginObject()
		s.w.IntField("index", int64(ch.notes)) // as in detail
		writeCitation(&s.w, &list[i], p.offset, p.size)
		s.w.EndObject()
		ch.notes++
	}
	s.w.EndArray()
	return s.close()
}

// partEnd writes what can only be said at a part's end: what was signed, and citations of the whole part.
func (s *streamWriter) partEnd(dst []byte, e *llm.Event) []byte {
	ch := s.choice(e.Choice)
	p := ch.parts[e.Index]
	if p == nil {
		return dst
	}
	delete(ch.parts, e.Index)
	switch {
	case p.kind == llm.PartToolCall && !p.begun:
		ch.empty = append(ch.empty, p.call)
	case p.kind == llm.PartThinking && isSigned(&p.thinking):
		s.open(dst, e.Choice)
		s.detail(ch, detail{p.thinking.Issuer, p.text.String(), p.thinking.Signature, p.thinking.Sealed, int64(ch.calls)})
		return s.close()
	case len(p.waiting) > 0:
		return s.citations(dst, e.Choice, p, p.waiting)
	}
	return dst
}

// finish writes the chunk with a choice's finish reason, after what could not be said before: the explanation of a
// refusal that came without words, and the empty arguments of calls that are whole.
func (s *streamWriter) finish(dst []byte, e *llm.Event) []byte {
	ch := s.choice(e.Choice)
	switch {
	case e.Stop.Detail == "":
	case isRefusal(e.Stop.Reason) && !ch.refused:
		s.open(dst, e.Choice)
		s.w.StringField("refusal", e.Stop.Detail)
		dst = s.close()
	default:
		s.shown.detail()
	}
	if isWhole(e.Stop.Reason) {
		for _, call := range ch.empty {
			dst = s.fragment(dst, e.Choice, call, &llm.ToolCall{Args: emptyArgs})
		}
	}
	s.shown.stop(e.Stop)
	s.shown.kept(e.Extra)
	s.open(dst, e.Choice)
	s.w.EndObject()
	s.w.NullField("logprobs")
	s.w.StringField("finish_reason", finishWord(e.Stop.Reason, ch.old))
	return s.send()
}

// end writes the usage, if the client asked for it and it is known, and the terminator.
func (s *streamWriter) end(dst []byte) []byte {
	if s.options.Usage && s.usage.Known {
		if s.head == nil {
			s.frame("")
		}
		dst = append(append(dst, s.head...), `],"usage":`...)
		s.w.Reset(dst)
		writeUsage(&s.w, s.usage)
		dst = append(s.w.Bytes(), "}\n\n"...)
	}
	return sse.Append(dst, "", []byte(terminator))
}

// Error appends the error that ends a broken stream. The terminator never follows it.
func (s *streamWriter) Error(dst []byte, e *llm.Error) []byte {
	return append(forms.AppendOpenAIError(append(dst, "data: "...), e), "\n\n"...)
}

// Heartbeat appends a comment.
func (s *streamWriter) Heartbeat(dst []byte) []byte { return sse.AppendComment(dst, "keep-alive") }

// Losses says what of the answer was not shown.
func (s *streamWriter) Losses() []llm.Loss { return s.shown.list }
