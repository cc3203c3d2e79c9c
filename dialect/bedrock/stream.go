package bedrock

import (
	"encoding/base64"
	"strconv"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader for one stream.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// streamReader turns the vendor's events into llm's. Only blocks of some kinds have a start: one of text or thinking
// begins with its first delta, also when a block of the same index has ended before.
type streamReader struct {
	repeat   repeat
	started  bool
	finished bool
	ended    bool
	blocks   open[block]
	parts    int  // how many parts have started
	hasCall  bool // the client is to run something
}

// block is a content block that is open.
type block struct {
	part   int // llm's index
	kind   llm.PartKind
	joiner jsontext.TextJoiner
	// signature is held back until the block ends: it comes once and last.
	signature string
	issuer    string // whose thinking it began as
	// hasArgs is set once a fragment of a call's arguments has come.
	hasArgs bool
	// start is what began a block that is told whole, at its end: an image, or a tool that the vendor runs. The rest
	// is what came for it.
	start    jsontext.Value
	data     []byte
	contents []jsontext.Value
}

// Read appends the events of one frame to dst.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	switch {
	case r.ended:
		return dst, nil
	case f.Exception:
		return dst, readException(f)
	case !isKnown(f.Event):
		return dst, nil
	}
	if d, ok := r.repeat.matches(f); ok {
		return r.delta(dst, r.repeat.index, &d)
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	e, err := readEvent(tree, f)
	if err != nil {
		return dst, err
	}
	if !r.started && f.Event != eventMessageStart {
		return dst, badAnswer("an event before messageStart", nil)
	}
	switch f.Event {
	case eventBlockDelta:
		d := readDelta(e.delta)
		if dst, err = r.delta(dst, e.index, &d); err == nil {
			r.repeat.learn(f.Data, &e, &d)
		}
		return dst, err
	case eventBlockStart:
		return r.blockStart(dst, &e)
	case eventBlockStop:
		return r.blockStop(dst, &e)
	case eventMessageStart:
		if r.started {
			return dst, badAnswer("a second messageStart", nil)
		}
		r.started = true
		return append(dst, llm.Event{Kind: llm.EventStart}), nil
	case eventMessageStop:
		return r.messageStop(dst, e.all)
	default:
		return r.metadata(dst, e.all)
	}
}

// readException is the error that a stream says in place of an event.
func readException(f dialect.Frame) *llm.Error {
	doc, err := jsontext.ParseLenient(f.Data)
	if err != nil {
		doc = nil // the name alone tells
	}
	return readError(0, f.Event, doc)
}

// begin opens a block and starts its part.
func (r *streamReader) begin(dst *[]llm.Event, wire int64, p llm.Part) *block {
	b := r.blocks.add(wire, block{part: r.parts, kind: p.Kind})
	if p.Thinking != nil {
		b.issuer = p.Thinking.Issuer
	}
	r.parts++
	*dst = append(*dst, llm.Event{Kind: llm.EventPartStart, Index: b.part, Part: p})
	return b
}

func (r *streamReader) blockStart(dst []llm.Event, e *eventText) ([]llm.Event, error) {
	if r.finished || e.index == missing || r.blocks.find(e.index) != nil {
		return dst, badAnswer("a content block began twice, without its index or after the end", nil)
	}
	key, v, err := only(e.start)
	switch {
	case err != nil:
		return dst, badAnswer("a content block began as nothing", err)
	case key == "toolUse" && !isVendorsCall(v):
		call := &llm.ToolCall{ID: mintID(forms.TextOf(v.Get("toolUseId")), r.parts), Name: forms.TextOf(v.Get("name"))}
		if call.Name == "" {
			return dst, badAnswer("a call of a tool without a name", nil)
		}
		r.hasCall = true
		r.begin(&dst, e.index, llm.Part{Kind: llm.PartToolCall, Call: call})
	case key == "image":
		r.blocks.add(e.index, block{kind: llm.PartImage, start: clone(e.start)}) // which gets its part at its end
	default:
		r.blocks.add(e.index, block{kind: llm.PartOpaque, start: clone(e.start)})
	}
	return dst, nil
}

func partDelta(b *block, d llm.Delta) llm.Event {
	return llm.Event{Kind: llm.EventPartDelta, Index: b.part, Delta: d}
}

func (r *streamReader) delta(dst []llm.Event, index int64, d *deltaText) ([]llm.Event, error) {
	if r.finished || index == missing {
		return dst, badAnswer("a piece of content without its block or after the end", nil)
	}
	b := r.blocks.find(index)
	switch {
	case d.hasText:
		return r.text(dst, b, index, llm.PartText, d.text)
	case d.hasCall:
		return r.args(dst, b, d.input)
	case d.hasReasoning:
		return r.thought(dst, b, index, d)
	case !d.citation.IsNull():
		if b == nil {
			b = r.begin(&dst, index, llm.Text(""))
		}
		if b.kind != llm.PartText {
			return dst, misplaced("a citation")
		}
		citation := readCitation(d.citation)
		return append(dst, partDelta(b, llm.Delta{Citation: &citation})), nil
	case d.hasResult:
		if b == nil || b.kind != llm.PartOpaque {
			return dst, misplaced("a piece of a result")
		}
		return dst, asBadAnswer(d.result.Array(func(_ int, v jsontext.Value) error {
			b.contents = append(b.contents, clone(v))
			return nil
		}))
	case !d.image.IsNull():
		return dst, r.image(b, d.image)
	}
	return dst, nil // unknown kinds are ignored like unknown events
}

func misplaced(what string) error { return badAnswer(what+" in a block of another kind", nil) }

func asBadAnswer(err error) error {
	if err == nil {
		return nil
	}
	return badAnswer("a piece of content is not what it should be", err)
}

// text appends a piece of text, or of thinking, to its block.
func (r *streamReader) text(dst []llm.Event, b *block, wire int64, want llm.PartKind, v jsontext.Value) ([]llm.Event, error) {
	if b == nil {
		if string(v) == `""` {
			return dst, nil
		}
		p := llm.Part{Kind: want}
		if want == llm.PartThinking {
			p.Thinking = &llm.Thinking{Issuer: issuer}
		}
		b = r.begin(&dst, wire, p)
	}
	if b.kind != want {
		return dst, misplaced("a piece of " + want.String())
	}
	s, err := b.joiner.Text(v)
	if err != nil {
		return dst, asBadAnswer(err)
	}
	if s != "" {
		dst = append(dst, partDelta(b, llm.Delta{Text: s}))
	}
	return dst, nil
}

// thought reads a piece of thinking: its text, its signature, or sealed thinking, which comes whole.
func (r *streamReader) thought(dst []llm.Event, b *block, wire int64, d *deltaText) ([]llm.Event, error) {
	switch {
	case !d.redacted.IsNull():
		data, err := d.redacted.Text()
		if err != nil {
			return dst, asBadAnswer(err)
		}
		if b != nil {
			return dst, misplaced("sealed thinking")
		}
		p := llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{}}
		p.Thinking.Issuer, p.Thinking.Sealed = unwrapSealed(data)
		r.begin(&dst, wire, p)
		return dst, nil
	case !d.signature.IsNull():
		s, err := d.signature.Text()
		if err != nil {
			return dst, asBadAnswer(err)
		}
		if b == nil {
			by, _ := unwrap(s)
			b = r.begin(&dst, wire, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: by}})
		}
		if b.kind != llm.PartThinking {
			return dst, misplaced("a signature")
		}
		b.signature += s
		return dst, nil
	case !d.reasoning.IsNull():
		return r.text(dst, b, wire, llm.PartThinking, d.reasoning)
	}
	return dst, nil
}

// args appends a fragment of a call's arguments. The vendor's own calls are told whole, at their end.
func (r *streamReader) args(dst []llm.Event, b *block, v jsontext.Value) ([]llm.Event, error) {
	if b == nil || b.kind != llm.PartToolCall && b.kind != llm.PartOpaque {
		return dst, misplaced("a fragment of arguments")
	}
	if v.IsNull() {
		return dst, nil
	}
	s, err := b.joiner.Text(v)
	switch {
	case err != nil:
		return dst, asBadAnswer(err)
	case s == "":
	case b.kind == llm.PartOpaque:
		b.data = append(b.data, s...)
	default:
		b.hasArgs = true
		dst = append(dst, partDelta(b, llm.Delta{Args: s}))
	}
	return dst, nil
}

// image appends bytes of an image, which come in pieces of base64.
func (r *streamReader) image(b *block, v jsontext.Value) error {
	if b == nil || b.kind != llm.PartImage {
		return misplaced("a piece of an image")
	}
	piece := forms.TextOf(v.Get("source", "bytes"))
	data, err := base64.StdEncoding.AppendDecode(b.data, []byte(piece))
	if err != nil {
		return asBadAnswer(err)
	}
	b.data = data
	return nil
}

// blockStop ends a block. One of which nothing came was never begun, and is no part of the answer.
func (r *streamReader) blockStop(dst []llm.Event, e *eventText) ([]llm.Event, error) {
	b := r.blocks.find(e.index)
	if b == nil {
		return dst, nil
	}
	rest := b.joiner.Flush()
	switch b.kind {
	case llm.PartToolCall:
		if !b.hasArgs && rest == "" {
			rest = "{}"
		}
		if rest != "" {
			dst = append(dst, partDelta(b, llm.Delta{Args: rest}))
		}
	case llm.PartOpaque, llm.PartImage:
		dst = r.whole(dst, b)
	default:
		if rest != "" {
			dst = append(dst, partDelta(b, llm.Delta{Text: rest}))
		}
		if by, signature := unwrap(b.signature); signature != "" && by == b.issuer {
			dst = append(dst, partDelta(b, llm.Delta{Signature: signature}))
		}
	}
	dst = append(dst, llm.Event{Kind: llm.EventPartEnd, Index: b.part})
	r.blocks.end(e.index)
	return dst, nil
}

// whole tells a block that has come in pieces and has no pieces in llm.
func (r *streamReader) whole(dst []llm.Event, b *block) []llm.Event {
	b.part = r.parts
	r.parts++
	key, v, _ := only(b.start) // it was read when the block began
	var p llm.Part
	if b.kind == llm.PartImage {
		p = llm.Part{Kind: llm.PartImage, Media: &llm.Media{
			Type: imageType(forms.TextOf(v.Get("format"))), Data: base64.StdEncoding.EncodeToString(b.data),
		}}
	} else {
		inner := withMember(v, "input", b.data)
		if len(b.contents) > 0 {
			var w jsontext.Writer
			w.BeginArray()
			for _, c := range b.contents {
				w.Raw(c)
			}
			w.EndArray()
			inner = withMember(inner, "content", w.Bytes())
		}
		var w jsontext.Writer
		w.BeginObject()
		w.RawField(key, inner)
		w.EndObject()
		p = opaqueBlock(key, inner, w.Bytes())
	}
	return append(dst, llm.Event{Kind: llm.EventPartStart, Index: b.part, Part: p})
}

// withMember sets a member of an object to a JSON text, if it is one.
func withMember(object jsontext.Value, key string, value []byte) jsontext.Value {
	if v, err := jsontext.ParseLenient(value); err == nil {
		if whole, err := jsontext.Set(object, key, v); err == nil {
			return whole
		}
	}
	return object
}

func (r *streamReader) messageStop(dst []llm.Event, all jsontext.Value) ([]llm.Event, error) {
	stop := readStop(jsontext.Plain(all))
	switch {
	case stop.Reason == "" || r.finished:
		return dst, badAnswer("the message ended twice or without a reason", nil)
	case r.blocks.n > 0:
		return dst, badAnswer("the message finished inside content block "+strconv.FormatInt(r.blocks.first(), 10), nil)
	}
	r.finished = true
	return append(dst, llm.Event{
		Kind: llm.EventFinish, Stop: forms.Agree(stop, r.hasCall),
		Extra: keep(nil, jsontext.Plain(all), "additionalModelResponseFields"),
	}), nil
}

// metadata is the last event: usage, and how the answer came about.
func (r *streamReader) metadata(dst []llm.Event, all jsontext.Value) ([]llm.Event, error) {
	if !r.finished {
		return dst, truncated("it has no stop reason")
	}
	u := llm.Event{
		Kind: llm.EventUsage, Usage: readUsage(jsontext.Plain(all.Get("usage"))), Tier: forms.TextOf(all.Get("serviceTier", "type")),
		Extra: keep(nil, jsontext.Plain(all), "metrics", "trace", "performanceConfig"),
	}
	if u.Usage.IsTold() || len(u.Extra) > 0 || u.Tier != "" {
		dst = append(dst, u)
	}
	r.ended = true
	return append(dst, llm.Event{Kind: llm.EventEnd}), nil
}

// Close completes a stream that lacks only its last event.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	switch {
	case r.ended:
		return dst, nil
	case r.finished:
		r.ended = true
		return append(dst, llm.Event{Kind: llm.EventEnd}), nil
	}
	return dst, truncated("the stream broke off")
}
