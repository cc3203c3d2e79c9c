package openairesponses

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// shownItem is the item on the wire.
type shownItem struct {
	kind    string
	id      string
	content string // the type of the content that is open in a message; empty for none
	index   int    // of that content
	said    strings.Builder
	notes   []llm.Citation
	written int // how many of notes are on the wire
	probs   []llm.TokenLogProb
	before  [][]byte // contents that are done
	begun   bool     // a summary is
	ended   stage    // how far the end of the content was said already, by another

	call     llm.ToolCall
	custom   bool
	thinking llm.Thinking
	raw      []byte
}

// event begins the JSON of one event.
func (s *streamWriter) event(kind string) *jsontext.Writer {
	w := &s.json
	w.Reset(s.buf[:0])
	w.BeginObject()
	w.StringField("type", kind)
	w.IntField("sequence_number", s.sequence)
	return w
}

// sizeOf is how many bytes the elements of a list have.
func sizeOf(list [][]byte) int {
	n := 0
	for _, element := range list {
		n += len(element) + 1
	}
	return n
}

// send ends the event and frames it.
func (s *streamWriter) send(dst []byte, kind string) []byte {
	s.json.EndObject()
	s.buf = s.json.Bytes()
	s.sequence++
	return sse.Append(dst, kind, s.buf)
}

// itemEvent begins an event about the item on the wire.
func (s *streamWriter) itemEvent(kind string) *jsontext.Writer {
	w := s.event(kind)
	w.StringField("item_id", s.item.id)
	w.IntField("output_index", int64(len(s.items)))
	return w
}

// start begins the stream.
func (s *streamWriter) start(dst []byte, e *llm.Event) []byte {
	if s.started {
		return dst
	}
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
	o.ID = responseID(o.ID)
	s.tier, s.started = e.Tier, true
	if s.quiet {
		return dst
	}
	for _, kind := range [...]string{"response." + eventCreated, "response." + eventInProgress} {
		w := s.event(kind)
		w.Key("response")
		s.response(w, statusInProgress, "", nil)
		dst = s.send(dst, kind)
	}
	return dst
}

// begin starts a stream that did not say that it does.
func (s *streamWriter) begin(dst []byte) []byte {
	if s.started {
		return dst
	}
	return s.start(dst, &llm.Event{})
}

// responseID is an id as clients of the dialect know them.
func responseID(id string) string {
	const prefix = "resp_"
	if id == "" || strings.HasPrefix(id, prefix) {
		return id
	}
	return prefix + id
}

// response writes a response: openai.yaml, Response. What a request said is not repeated in it.
func (s *streamWriter) response(w *jsontext.Writer, status, reason string, e *llm.Error) {
	w.BeginObject()
	w.StringField("id", s.options.ID)
	w.StringField("object", "response")
	w.IntField("created_at", s.options.Created)
	w.StringField("status", status)
	w.Key("error")
	writeFailure(w, e)
	w.Key("incomplete_details")
	if reason != "" {
		w.BeginObject()
		w.StringField("reason", reason)
		w.EndObject()
	} else {
		w.Null()
	}
	w.NullField("instructions")
	w.RawField("metadata", []byte("{}"))
	w.StringField("model", s.options.Model)
	w.Key("output")
	w.BeginArray()
	for _, item := range s.items {
		w.Raw(item)
	}
	w.EndArray()
	w.BoolField("parallel_tool_calls", true)
	w.NullField("temperature")
	w.StringField("tool_choice", "auto")
	w.RawField("tools", []byte("[]"))
	w.NullField("top_p")
	if tier := forms.OpenAITier(s.tier); tier != "" { // clients check the word
		w.StringField("service_tier", tier)
	}
	w.Key("usage")
	if s.usage.Known && status != statusInProgress {
		writeUsage(w, s.usage)
	} else {
		w.Null()
	}
	w.EndObject()
}

// place gives a part that has got the wire its place: in the message that is open, or in a new item.
func (s *streamWriter) place(dst []byte, p *writerPart) []byte {
	p.begun = true
	if !isText(&p.part) || s.item.kind != itemMessage {
		dst = s.beginItem(dst, &p.part)
	}
	if isText(&p.part) {
		return s.beginContent(dst, p.part.Kind)
	}
	return dst
}

// beginItem writes that an item begins. What it begins with says all that is known of it.
func (s *streamWriter) beginItem(dst []byte, p *llm.Part) []byte {
	s.item = shownItem{}
	it := &s.item
	switch p.Kind {
	case llm.PartToolCall:
		it.kind, it.call = itemCall, llm.ToolCall{ID: callID(p.Call.ID), Name: p.Call.Name}
		if name, ok := isCustom(p.Call.Name); ok {
			it.kind, it.call.Name, it.custom = itemCustomCall, name, true
		}
		it.id = s.mint(it.kind)
	case llm.PartThinking:
		it.kind, it.thinking = itemReasoning, *p.Thinking
		if it.id, _ = wrap(p.Thinking); it.id == "" {
			it.id = s.mint(it.kind)
		}
	case llm.PartOpaque:
		it.kind, it.raw = p.Opaque.Type, p.Opaque.Raw
	default:
		it.kind, it.id = itemMessage, s.mint(itemMessage)
	}
	if s.quiet {
		return dst
	}
	const kind = "response." + eventItemAdded
	w := s.event(kind)
	w.IntField("output_index", int64(len(s.items)))
	w.Key("item")
	s.writeItem(w, statusInProgress)
	return s.send(dst, kind)
}

// mint makes an id for an item.
func (s *streamWriter) mint(kind string) string {
	prefix := "msg_"
	switch kind {
	case itemCall:
		prefix = "fc_"
	case itemCustomCall:
		prefix = "ctc_"
	case itemReasoning:
		prefix = "rs_"
	}
	return mintID(prefix, s.options.ID, len(s.items))
}

// callID is a call's id as the dialect takes it back.
func callID(id string) string {
	if id == "" || len(id) > maxIDLength {
		return "call_" + forms.Digest(id, 24)
	}
	return id
}

// writeItem writes the item on the wire as it is now.
func (s *streamWriter) writeItem(w *jsontext.Writer, status string) {
	it := &s.item
	if it.raw != nil {
		w.Raw(it.raw)
		return
	}
	inProgress := status == statusInProgress
	w.BeginObject()
	w.StringField("id", it.id)
	w.StringField("type", it.kind)
	if it.kind == itemReasoning {
		s.writeReasoning(w, inProgress)
		w.EndObject()
		return
	}
	w.StringField("status", status)
	switch it.kind {
	case itemMessage:
		w.StringField("role", string(llm.RoleAssistant))
		w.Key("content")
		w.BeginArray()
		for _, c := range it.before {
			w.Raw(c)
		}
		w.EndArray()
	default:
		w.StringField("call_id", it.call.ID)
		it.writeName(w)
		w.StringField(it.argsKey(), it.call.Args)
	}
	w.EndObject()
}

func (it *shownItem) argsKey() string {
	if it.custom {
		return customInput
	}
	return "arguments"
}

// writeName writes the name of a called tool, and of its namespace if it has one.
func (it *shownItem) writeName(w *jsontext.Writer) {
	space, name := splitNamespace(it.call.Name)
	w.StringField("name", name)
	if space != "" {
		w.StringField(typeNamespace, space)
	}
}

// writeReasoning writes the members of reasoning. Whose it is stands there from the beginning.
func (s *streamWriter) writeReasoning(w *jsontext.Writer, inProgress bool) {
	it := &s.item
	w.Key("summary")
	w.BeginArray()
	if text := it.said.String(); text != "" && !inProgress {
		writeSummary(w, text)
	}
	w.EndArray()
	_, encrypted := wrap(&it.thinking)
	switch {
	case !inProgress:
	case it.thinking.Issuer == self:
		return
	case it.thinking.Issuer != "":
		encrypted = marker + it.thinking.Issuer
	}
	if encrypted != "" {
		w.StringField("encrypted_content", encrypted)
	}
}

// arguments writes a piece of a call's arguments. The input of a free-form tool is inside of them, and is not known
// before they are whole.
func (s *streamWriter) arguments(dst []byte, args string) []byte {
	it := &s.item
	it.said.WriteString(args)
	if it.custom {
		return dst
	}
	return s.argsEvent(dst, "response."+eventArgsDelta, "delta", args)
}

func (s *streamWriter) argsEvent(dst []byte, kind, key, value string) []byte {
	if s.quiet {
		return dst
	}
	w := s.itemEvent(kind)
	if key == "arguments" {
		_, name := splitNamespace(s.item.call.Name)
		w.StringField("name", name)
	}
	w.StringField(key, value)
	return s.send(dst, kind)
}

// summary writes a piece of reasoning's text.
func (s *streamWriter) summary(dst []byte, text string) []byte {
	it := &s.item
	if !it.begun {
		it.begun = true
		dst = s.summaryPart(dst, eventSummaryAdded)
	}
	it.said.WriteString(text)
	return s.summaryEvent(dst, eventSummaryDelta, "delta", text)
}

func (s *streamWriter) summaryEvent(dst []byte, kind, key, text string) []byte {
	if s.quiet {
		return dst
	}
	kind = "response." + kind
	w := s.itemEvent(kind)
	w.IntField("summary_index", 0)
	w.StringField(key, text)
	return s.send(dst, kind)
}

func (s *streamWriter) summaryPart(dst []byte, kind string) []byte {
	if s.quiet {
		return dst
	}
	kind = "response." + kind
	w := s.itemEvent(kind)
	w.IntField("summary_index", 0)
	w.Key("part")
	writeSummary(w, s.item.said.String())
	return s.send(dst, kind)
}

// endContent ends what is open: the content of a message that goes on, or the item.
func (s *streamWriter) endContent(dst []byte, goesOn bool, status string) []byte {
	it := &s.item
	switch it.kind {
	case itemMessage:
		dst = s.endText(dst)
	case itemReasoning:
		if id, _ := wrap(&it.thinking); id != "" && s.quiet {
			it.id = id // in a stream it is said before it is known
		}
		if it.begun {
			dst = s.summaryEvent(dst, eventSummaryText, "text", it.said.String())
			dst = s.summaryPart(dst, eventSummaryDone)
		}
	case itemCall, itemCustomCall:
		dst = s.endCall(dst, status)
	}
	if goesOn {
		return dst
	}
	var w jsontext.Writer
	w.Reset(make([]byte, 0, 256+sizeOf(it.before)))
	s.writeItem(&w, status)
	done := w.Bytes()
	if !s.quiet {
		const kind = "response." + eventItemDone
		e := s.event(kind)
		e.IntField("output_index", int64(len(s.items)))
		e.RawField("item", done)
		dst = s.send(dst, kind)
	}
	s.items = append(s.items, done)
	s.item = shownItem{}
	return dst
}

// endCall ends a call. Arguments that are none are an empty object, which the next turn's vendor may insist on, unless
// the answer was cut: then they were not written yet, and the call must not look whole.
func (s *streamWriter) endCall(dst []byte, status string) []byte {
	it := &s.item
	args := it.said.String()
	if it.custom {
		it.call.Args = customInputOf(args)
		if it.call.Args != "" {
			dst = s.argsEvent(dst, "response."+eventInputDelta, "delta", it.call.Args)
		}
		return s.argsEvent(dst, "response."+eventInputDone, customInput, it.call.Args)
	}
	if strings.TrimSpace(args) == "" && status == statusCompleted {
		args = emptyArgs
		dst = s.argsEvent(dst, "response."+eventArgsDelta, "delta", args)
	}
	it.call.Args = args
	return s.argsEvent(dst, "response."+eventArgsDone, "arguments", args)
}
