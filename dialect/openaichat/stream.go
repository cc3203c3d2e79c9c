package openaichat

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// terminator is the data of a stream's last frame.
const terminator = "[DONE]"

// NewStreamReader returns a reader of chat completion chunks.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader reads one stream. Its first event waits for the first choice: what comes before names no model yet.
// And its choices finish when the stream ends: one server sends the last of the text after the finish reason.
type streamReader struct {
	out     []llm.Event
	choices []*openChoice

	id, model, tier string
	created         int64
	usage           llm.Usage
	told            llm.Usage // the usage last passed on

	started, ended bool
}

// openChoice is one choice of the stream as far as it was read.
type openChoice struct {
	index   int
	parts   int
	length  int // characters of content so far
	text    openText
	calls   []*openCall
	refused bool
	word    string // the finish reason, once it was there
	blank   bool   // a finish reason was there and empty
}

// openText is the part that plain text goes to: text, refusal or thinking. Kind 0 is none.
type openText struct {
	kind   llm.PartKind
	index  int
	offset int // where it begins in the choice's content, in characters
	joiner jsontext.TextJoiner
	issuer string          // of thinking: who will have signed it
	seen   strings.Builder // of thinking with an issuer: its text
}

// openCall is a tool call. It starts when its name is known.
type openCall struct {
	id, name string
	slot     int64 // its index in the stream, or -1
	part     int
	started  bool
	seen     strings.Builder // the arguments so far
	joiner   jsontext.TextJoiner
}

// Read appends the events of one chunk.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.frame(f)
	dst, r.out = r.out, nil
	return dst, err
}

// Close ends a stream: whole if all of its choices have finished.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	r.out = dst
	err := r.complete(false)
	dst, r.out = r.out, nil
	return dst, err
}

func (r *streamReader) frame(f dialect.Frame) error {
	data := bytes.Trim(f.Data, " \t\r\n")
	if string(data) == terminator {
		return r.complete(true)
	}
	v, err := jsontext.ParseLenient(data)
	if err != nil {
		return badAnswer("read chunk: %w", err)
	}
	if f.Event == "error" {
		var said fault
		said.read(v)
		return said.toError(0)
	}
	if v.Kind() != jsontext.Object {
		return badAnswer("chunk is %s, not an object", v.Kind())
	}
	if err := r.chunk(v); err != nil {
		var e *llm.Error
		if errors.As(err, &e) {
			return e
		}
		return badAnswer("read chunk: %w", err)
	}
	return nil
}

// complete ends the stream, at its terminator or at the end of the body.
func (r *streamReader) complete(terminated bool) error {
	switch {
	case !r.started && terminated:
		return badAnswer("stream has no choices")
	case !r.started:
		return truncated("stream ended before the first choice")
	}
	for _, ch := range r.choices {
		if ch.word == "" && (!terminated || !r.mayEnd(ch)) {
			return truncated("stream ended before a finish reason")
		}
	}
	for _, ch := range r.choices {
		if err := r.finish(ch); err != nil {
			return err
		}
	}
	r.ended = true
	r.emit(llm.Event{Kind: llm.EventEnd})
	return nil
}

// mayEnd reports whether a choice without a finish reason is whole once the terminator has come. Some servers send an
// empty reason, some none; these have at least counted the tokens, which one that broke off has not.
func (r *streamReader) mayEnd(ch *openChoice) bool {
	for _, c := range ch.calls {
		if !c.started || jsontext.Check([]byte(c.seen.String()), jsontext.Limits{AllowDuplicates: true}) != nil {
			return false
		}
	}
	return ch.blank || r.usage.Known
}

func (r *streamReader) emit(e llm.Event) { r.out = append(r.out, e) }

// chunk reads one chunk: openai.yaml, CreateChatCompletionStreamResponse.
func (r *streamReader) chunk(v jsontext.Value) error {
	var choices, usage, failure jsontext.Value
	err := v.Object(func(key string, v jsontext.Value) error {
		switch key {
		case "choices":
			choices = v
		case "usage":
			if !v.IsNull() {
				usage = v
			}
		case "x_groq": // one server's place for usage
			if u := v.Get("usage"); !u.IsNull() {
				usage = u
			}
		case "error":
			failure = v
		case "id", "model", "created", "service_tier":
			if !r.started {
				r.learn(key, v)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !failure.IsNull() || choices == nil {
		if e := inBandError(v); e != nil {
			return e
		}
	}
	if usage != nil {
		if u := usageOf(usage); u.Known {
			r.usage = u
		}
	}
	if choices.Kind() == jsontext.Array {
		if err := choices.Array(r.choice); err != nil {
			return jsontext.At("choices", err)
		}
	}
	if r.started && r.usage != r.told {
		r.told = r.usage
		r.emit(llm.Event{Kind: llm.EventUsage, Usage: r.usage})
	}
	return nil
}

// learn remembers what the stream's start will say. Some servers leave it out of the first chunk.
func (r *streamReader) learn(key string, v jsontext.Value) {
	switch s := scalar(v); {
	case key == "created":
		r.created = count(v)
	case s == "":
	case key == "id":
		r.id = s
	case key == "model":
		r.model = s
	default:
		r.tier = s
	}
}

// choice reads one choice of a chunk.
func (r *streamReader) choice(i int, v jsontext.Value) error {
	var index, delta, message, reason, logprobs jsontext.Value
	err := v.Object(func(key string, v jsontext.Value) error {
		switch key {
		case "index":
			index = v
		case "delta":
			delta = v
		case "message":
			message = v
		case "finish_reason":
			reason = v
		case "logprobs":
			logprobs = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !r.started {
		r.started = true
		r.emit(llm.Event{Kind: llm.EventStart, ID: r.id, Model: r.model, Created: r.created, Tier: r.tier})
	}
	ch := r.open(indexOf(index, i))
	if delta.IsNull() {
		delta = message // a whole message where a piece was due
	}
	if !delta.IsNull() {
		if err := r.delta(ch, delta); err != nil {
			return jsontext.At("delta", err)
		}
	}
	if !logprobs.IsNull() {
		if list := logProbsOf(logprobs); len(list) > 0 {
			r.emit(llm.Event{Kind: llm.EventLogProbs, Choice: ch.index, LogProbs: list})
		}
	}
	if reason.Kind() != jsontext.String {
		return nil
	}
	word := scalar(reason)
	if e := failedReason(word); e != nil {
		return e
	}
	if ch.word == "" {
		ch.word, ch.blank = word, word == ""
	}
	return nil
}

func (r *streamReader) open(index int) *openChoice {
	for _, ch := range r.choices {
		if ch.index == index {
			return ch
		}
	}
	ch := &openChoice{index: index}
	r.choices = append(r.choices, ch)
	return ch
}

// finish ends a choice and what is open of it.
func (r *streamReader) finish(ch *openChoice) error {
	r.endText(ch)
	for _, c := range ch.calls {
		if !c.started {
			return badAnswer("tool call without a name")
		}
		if rest := c.joiner.Flush(); rest != "" {
			r.args(ch, c, rest)
		}
		r.emit(llm.Event{Kind: llm.EventPartEnd, Choice: ch.index, Index: c.part})
	}
	r.emit(llm.Event{Kind: llm.EventFinish, Choice: ch.index, Stop: stopOf(ch.word, len(ch.calls) > 0, ch.refused)})
	return nil
}

// delta reads a delta, each of its members, in the order in which the dialect says them.
func (r *streamReader) delta(ch *openChoice, v jsontext.Value) error {
	var a answer
	if err := v.Object(a.member); err != nil {
		return err
	}
	if len(a.reasoning) > 0 || len(a.detail) > 0 {
		if err := r.thinking(ch, &a); err != nil {
			return err
		}
	}
	if a.content.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartText, a.content); err != nil {
			return jsontext.At("content", err)
		}
	} else {
		err := eachText(a.content, func(kind llm.PartKind, v jsontext.Value) error { return r.text(ch, kind, v) })
		if err != nil {
			return jsontext.At("content", err)
		}
	}
	if a.refusal.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartRefusal, a.refusal); err != nil {
			return jsontext.At("refusal", err)
		}
	}
	r.annotations(ch, a.notes)
	if len(a.audio) > 0 {
		r.audio(ch, a.audio)
	}
	return r.toolCalls(ch, &a)
}

// text adds a piece to the open text, or opens one of the piece's kind. An empty piece is nothing.
func (r *streamReader) text(ch *openChoice, kind llm.PartKind, v jsontext.Value) error {
	if string(v) == `""` {
		return nil
	}
	if ch.text.kind != kind {
		r.endText(ch)
		r.beginText(ch, kind)
	}
	s, err := ch.text.joiner.Text(v)
	if err != nil {
		return err
	}
	r.addText(ch, s)
	return nil
}

func (r *streamReader) beginText(ch *openChoice, kind llm.PartKind) {
	ch.text.kind, ch.text.index, ch.text.offset = kind, ch.parts, ch.length
	ch.parts++
	p := llm.Part{Kind: kind}
	switch kind {
	case llm.PartThinking:
		p.Thinking = &llm.Thinking{Issuer: ch.text.issuer}
	case llm.PartRefusal:
		ch.refused, ch.text.issuer = true, ""
	default:
		ch.text.issuer = ""
	}
	r.emit(llm.Event{Kind: llm.EventPartStart, Choice: ch.index, Index: ch.text.index, Part: p})
}

func (r *streamReader) addText(ch *openChoice, s string) {
	if s == "" {
		return
	}
	switch {
	case ch.text.issuer != "":
		ch.text.seen.WriteString(s)
	case ch.text.kind == llm.PartText:
		ch.length += utf8.RuneCountInString(s)
	}
	r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: ch.index, Index: ch.text.index, Delta: llm.Delta{Text: s}})
}

func (r *streamReader) endText(ch *openChoice) {
	if ch.text.kind == 0 {
		return
	}
	r.addText(ch, ch.text.joiner.Flush())
	r.emit(llm.Event{Kind: llm.EventPartEnd, Choice: ch.index, Index: ch.text.index})
	ch.text = openText{}
}

// thinking reads reasoning in a string and in reasoning_details. An entry of ours names the issuer of the block that
// begins, or is the whole of the block that ends.
func (r *streamReader) thinking(ch *openChoice, a *answer) error {
	var whole []detail
	if a.detail.Kind() == jsontext.Array {
		_ = a.detail.Array(func(_ int, v jsontext.Value) error {
			switch d, ours := readDetail(v); {
			case ours && d.isWhole():
				whole = append(whole, d)
			case ours && ch.text.kind != llm.PartThinking:
				r.endText(ch)
				ch.text.issuer = d.issuer
			}
			return nil
		})
	}
	if a.reasoning.Kind() == jsontext.String {
		if err := r.text(ch, llm.PartThinking, a.reasoning); err != nil {
			return jsontext.At(keyReasoning, err)
		}
	} else if s := reasoningText(nil, a.detail); s != "" {
		if err := r.text(ch, llm.PartThinking, jsontext.AppendString(nil, s)); err != nil {
			return jsontext.At(keyDetails, err)
		}
	}
	for _, d := range whole {
		r.signed(ch, d)
	}
	return nil
}

// signed ends the open thinking with the signature that an entry gives it, or makes a part of the entry where it is
// no thinking that was streamed.
func (r *streamReader) signed(ch *openChoice, d detail) {
	t := &ch.text
	if t.kind == llm.PartThinking && d.signature != "" && t.issuer == d.issuer && t.seen.String() == d.text {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: ch.index, Index: t.index, Delta: llm.Delta{Signature: d.signature}})
		r.endText(ch)
		return
	}
	r.endText(ch)
	p := d.part()
	delta := llm.Delta{Text: p.Text, Signature: d.signature}
	p.Text, p.Thinking.Signature = "", ""
	e := llm.Event{Choice: ch.index, Index: ch.parts}
	ch.parts++
	e.Kind, e.Part = llm.EventPartStart, p
	r.emit(e)
	if delta != (llm.Delta{}) {
		r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: e.Choice, Index: e.Index, Delta: delta})
	}
	r.emit(llm.Event{Kind: llm.EventPartEnd, Choice: e.Choice, Index: e.Index})
}

// audio passes on a piece of an answer in audio, which only this dialect knows.
func (r *streamReader) audio(ch *openChoice, v jsontext.Value) {
	r.endText(ch)
	p := llm.Part{Kind: llm.PartOpaque, Opaque: &llm.Opaque{Dialect: self, Type: "audio", Raw: bytes.Clone(v)}}
	r.emit(llm.Event{Kind: llm.EventPartStart, Choice: ch.index, Index: ch.parts, Part: p})
	r.emit(llm.Event{Kind: llm.EventPartEnd, Choice: ch.index, Index: ch.parts})
	ch.parts++
}

// annotations reads citations of the open text; their spans are over the whole content.
func (r *streamReader) annotations(ch *openChoice, v jsontext.Value) {
	if ch.text.kind != llm.PartText {
		return
	}
	_ = v.Array(func(_ int, v jsontext.Value) error {
		c := citationOf(v)
		c.Start, c.End = max(c.Start-ch.text.offset, 0), max(c.End-ch.text.offset, 0)
		r.emit(llm.Event{Kind: llm.EventPartDelta, Choice: ch.index, Index: ch.text.index, Delta: llm.Delta{Citation: &c}})
		return nil
	})
}
