package anthropic

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader for one stream.
func (providerSide) NewStreamReader() dialect.StreamReader {
	return &streamReader{counts: noCounts()}
}

// streamReader turns the vendor's events into llm's.
type streamReader struct {
	repeat   repeat
	id       string
	started  bool
	finished bool
	ended    bool
	counts   counts
	blocks   []block // in the order they started
	places   forms.Places[int64]
	parts    int  // how many parts have started
	hasCall  bool // the client is to run something
}

// block is a content block that has started.
type block struct {
	wire   int64 // the vendor's index
	part   int   // llm's index
	kind   llm.PartKind
	open   bool
	joiner jsontext.TextJoiner
	// signature is held back until the block ends: it comes once and last.
	signature string
	// input is what a call's start said; it stands if no fragments follow.
	input string
	// hasArgs is set once a fragment of a call's arguments has come.
	hasArgs bool
	// raw is an opaque block; fragments are the input that follows it.
	raw       []byte
	rawKind   string
	fragments []byte
}

// Read appends the events of one frame to dst.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if f.Exception && !r.ended {
		return dst, readException(f)
	}
	if r.ended || isBlank(f.Data) {
		return dst, nil
	}
	if text, ok := r.repeat.matches(f); ok {
		b, err := r.openIndex(r.repeat.index)
		if err != nil {
			return dst, err
		}
		return r.text(dst, b, llm.PartText, text)
	}
	tree := jsontext.Borrow()
	defer tree.Return()
	e, err := readEvent(tree, f)
	if err != nil {
		return dst, err
	}
	switch {
	case is(e.kind, "content_block_delta"):
		d := readDelta(e.delta)
		r.repeat.learn(f.Data, &e, &d)
		return r.delta(dst, &e, &d)
	case is(e.kind, "ping"):
		return r.ping(dst), nil
	case is(e.kind, "message_start"):
		return r.start(dst, e.message)
	case is(e.kind, "content_block_start"):
		return r.blockStart(dst, &e)
	case is(e.kind, "content_block_stop"):
		return r.blockStop(dst, &e)
	case is(e.kind, "message_delta"):
		return r.messageDelta(dst, &e)
	case is(e.kind, "message_stop"):
		return r.stop(dst)
	case is(e.kind, "error"), f.Event == "error", !e.fault.IsNull():
		return dst, readError(0, e.all)
	}
	return dst, nil // by the vendor's rule for versions, unknown events mean nothing to those who do not know them
}

func (r *streamReader) ping(dst []llm.Event) []llm.Event {
	if !r.started {
		return dst
	}
	return append(dst, llm.Event{Kind: llm.EventPing})
}

func (r *streamReader) start(dst []llm.Event, message jsontext.Value) ([]llm.Event, error) {
	id := forms.TextOf(message.Get("id"))
	if r.started {
		if id == r.id && len(r.blocks) == 0 {
			return dst, nil // said twice
		}
		return dst, badAnswer("a second message_start", nil)
	}
	r.started, r.id = true, id
	tier := r.counts.merge(jsontext.Plain(message.Get("usage")))
	return append(dst, llm.Event{
		Kind: llm.EventStart, ID: r.id, Model: forms.TextOf(message.Get("model")),
		Tier: cmp.Or(tier, forms.TextOf(message.Get("usage", "service_tier"))), Usage: r.counts.usage(),
	}), nil
}

func (r *streamReader) blockStart(dst []llm.Event, e *eventText) ([]llm.Event, error) {
	if !r.started || r.finished {
		return dst, badAnswer("a content block outside of the message", nil)
	}
	index, err := e.indexOf(int64(len(r.blocks)))
	if err != nil {
		return dst, err
	}
	if r.find(index) != nil {
		return dst, badAnswer("a content block began twice", nil)
	}
	content := e.block
	kind := content.Get("type")
	b := block{wire: index, open: true}
	switch {
	case is(kind, blockToolUse), is(kind, blockText), is(kind, blockThinking), is(kind, blockRedacted):
		p, err := readBlock(content)
		if err != nil {
			return dst, badAnswer("a content block is not what it should be", err)
		}
		dst = r.known(dst, &b, p)
	default:
		b.kind, b.rawKind, b.raw = llm.PartOpaque, forms.TextOf(kind), clone(content)
	}
	r.blocks = append(r.blocks, b)
	r.places.Add(index)
	return dst, nil
}

// known starts a part that llm has a word for.
func (r *streamReader) known(dst []llm.Event, b *block, p llm.Part) []llm.Event {
	b.kind, b.part = p.Kind, r.parts
	r.parts++
	said := p.Text
	citations := p.Citations
	p.Text, p.Citations = "", nil
	switch p.Kind {
	case llm.PartToolCall:
		r.hasCall = true
		p.Call.ID = mintID(p.Call.ID, r.id, b.part)
		b.input, p.Call.Args = p.Call.Args, ""
	case llm.PartThinking:
		b.signature, p.Thinking.Signature = p.Thinking.Signature, ""
		p.Thinking.Issuer = issuer
	default:
	}
	dst = append(dst, llm.Event{Kind: llm.EventPartStart, Index: b.part, Part: p})
	if said != "" {
		dst = append(dst, r.partDelta(b, llm.Delta{Text: said}))
	}
	for i := range citations {
		dst = append(dst, r.partDelta(b, llm.Delta{Citation: &citations[i]}))
	}
	return dst
}

func (r *streamReader) partDelta(b *block, d llm.Delta) llm.Event {
	return llm.Event{Kind: llm.EventPartDelta, Index: b.part, Delta: d}
}

func (r *streamReader) find(index int64) *block {
	at := r.places.Find(index)
	if at < 0 {
		return nil
	}
	return &r.blocks[at]
}

// openBlock returns the block that an event is about.
func (r *streamReader) openBlock(e *eventText) (*block, error) {
	latest := int64(missing)
	if n := len(r.blocks); n > 0 {
		latest = r.blocks[n-1].wire
	}
	index, err := e.indexOf(latest)
	if err != nil {
		return nil, err
	}
	return r.openIndex(index)
}

func (r *streamReader) openIndex(index int64) (*block, error) {
	b := r.find(index)
	if b == nil || !b.open {
		return nil, badAnswer("an event for content block "+strconv.FormatInt(index, 10)+", which is not open", nil)
	}
	return b, nil
}

func (r *streamReader) delta(dst []llm.Event, e *eventText, d *deltaText) ([]llm.Event, error) {
	b, err := r.openBlock(e)
	if err != nil {
		return dst, err
	}
	switch {
	case is(d.kind, "text_delta"):
		return r.text(dst, b, llm.PartText, d.text)
	case is(d.kind, "input_json_delta"):
		return r.args(dst, b, d.json)
	case is(d.kind, "thinking_delta"):
		return r.text(dst, b, llm.PartThinking, d.thinking)
	case is(d.kind, "signature_delta"):
		if b.kind != llm.PartThinking {
			return dst, misplaced(d.kind)
		}
		b.signature += forms.TextOf(d.signature)
	case is(d.kind, "citations_delta"):
		if b.kind != llm.PartText {
			return dst, misplaced(d.kind)
		}
		citation := readCitation(d.citation)
		dst = append(dst, r.partDelta(b, llm.Delta{Citation: &citation}))
	}
	return dst, nil // unknown kinds are ignored like unknown events
}

func misplaced(kind jsontext.Value) error {
	return badAnswer("a "+forms.Excerpt(forms.TextOf(kind), 40)+" in a block of another type", nil)
}

// text appends a piece of text, or of thinking, to its block.
func (r *streamReader) text(dst []llm.Event, b *block, want llm.PartKind, v jsontext.Value) ([]llm.Event, error) {
	if b.kind != want {
		return dst, badAnswer("a piece of "+want.String()+" in a block of another type", nil)
	}
	if v.IsNull() {
		return dst, nil
	}
	s, err := b.joiner.Text(v)
	if err != nil {
		return dst, badAnswer("a piece of text is none", err)
	}
	if s != "" {
		dst = append(dst, r.partDelta(b, llm.Delta{Text: s}))
	}
	return dst, nil
}

// args appends a fragment of a call's arguments. The vendor's own calls are told whole, at their end.
func (r *streamReader) args(dst []llm.Event, b *block, v jsontext.Value) ([]llm.Event, error) {
	if b.kind != llm.PartToolCall && b.kind != llm.PartOpaque {
		return dst, badAnswer("a fragment of arguments in a block of another type", nil)
	}
	if v.IsNull() {
		return dst, nil
	}
	s, err := b.joiner.Text(v)
	switch {
	case err != nil:
		return dst, badAnswer("a fragment of arguments is no text", err)
	case s == "":
	case b.kind == llm.PartOpaque:
		b.fragments = append(b.fragments, s...)
	default:
		b.hasArgs = true
		dst = append(dst, r.partDelta(b, llm.Delta{Args: s}))
	}
	return dst, nil
}

func (r *streamReader) blockStop(dst []llm.Event, e *eventText) ([]llm.Event, error) {
	b, err := r.openBlock(e)
	if err != nil {
		return dst, err
	}
	b.open = false
	rest := b.joiner.Flush()
	switch b.kind {
	case llm.PartToolCall:
		if !b.hasArgs && rest == "" {
			rest = forms.OrEmptyObject(b.input)
		}
		if rest != "" {
			dst = append(dst, r.partDelta(b, llm.Delta{Args: rest}))
		}
	case llm.PartOpaque:
		return r.opaque(dst, b), nil
	default:
		if rest != "" {
			dst = append(dst, r.partDelta(b, llm.Delta{Text: rest}))
		}
		if b.signature != "" && !strings.HasPrefix(b.signature, marker) {
			dst = append(dst, r.partDelta(b, llm.Delta{Signature: b.signature}))
		}
	}
	return append(dst, llm.Event{Kind: llm.EventPartEnd, Index: b.part}), nil
}

// opaque tells a block that only this dialect knows, now that it is whole.
func (r *streamReader) opaque(dst []llm.Event, b *block) []llm.Event {
	raw := b.raw
	if input, err := jsontext.ParseLenient(b.fragments); err == nil {
		if whole, err := jsontext.Set(raw, "input", input); err == nil {
			raw = whole
		}
	}
	b.part = r.parts
	r.parts++
	return append(dst,
		llm.Event{Kind: llm.EventPartStart, Index: b.part, Part: opaqueBlock(b.rawKind, raw)},
		llm.Event{Kind: llm.EventPartEnd, Index: b.part})
}

func (r *streamReader) messageDelta(dst []llm.Event, e *eventText) ([]llm.Event, error) {
	if !r.started {
		return dst, badAnswer("a message_delta before message_start", nil)
	}
	r.counts.merge(e.usage)
	if e.delta.Get("stop_reason").IsNull() || r.finished {
		return dst, nil
	}
	for i := range r.blocks {
		if r.blocks[i].open {
			return dst, badAnswer("the message finished inside a content block", nil)
		}
	}
	r.finished = true
	finish := llm.Event{Kind: llm.EventFinish, Stop: forms.Agree(readStop(e.delta), r.hasCall), Extra: keepStop(nil, e.delta)}
	if !e.management.IsNull() {
		finish.Extra = finish.Extra.Add(issuer, "context_management", clone(e.management))
	}
	return append(dst, finish), nil
}

func (r *streamReader) stop(dst []llm.Event) ([]llm.Event, error) {
	if !r.finished {
		return dst, truncated("it has no stop reason")
	}
	return r.end(dst), nil
}

func (r *streamReader) end(dst []llm.Event) []llm.Event {
	r.ended = true
	if u := r.counts.usage(); u.IsTold() {
		dst = append(dst, llm.Event{Kind: llm.EventUsage, Usage: u})
	}
	return append(dst, llm.Event{Kind: llm.EventEnd})
}

// Close completes a stream that lacks only its last event.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	switch {
	case r.ended:
		return dst, nil
	case r.finished:
		return r.end(dst), nil
	}
	return dst, truncated("the stream broke off")
}
