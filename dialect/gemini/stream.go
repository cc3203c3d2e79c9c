package gemini

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// NewStreamReader returns a reader for one stream.
func (providerSide) NewStreamReader() dialect.StreamReader { return &streamReader{} }

// DecodeResponse reads the body of a successful answer: it is a stream of one chunk, or a list of them.
func (providerSide) DecodeResponse(body []byte) (*llm.Response, error) {
	tree := jsontext.Borrow()
	defer tree.Return()
	root, err := tree.ParseLenient(body)
	if err != nil {
		return nil, badAnswer("it is not JSON", err)
	}
	var r streamReader
	var fold llm.Collector
	var few [8]llm.Event // as many as a plain answer makes; they are large
	add := func(events []llm.Event) {
		for i := range events {
			fold.Add(events[i])
		}
	}
	read := func(n jsontext.Node) error {
		events, err := r.chunk(few[:0], n)
		add(events)
		return err
	}
	if root.Kind() == jsontext.Array {
		if err := root.Array(func(_ int, n jsontext.Node) error { return read(n) }); err != nil {
			return nil, asError(err)
		}
	} else if err := read(root); err != nil {
		return nil, err
	}
	if len(r.choices) == 0 && r.blocked == nil {
		return nil, badAnswer("it has no candidate", nil)
	}
	events, err := r.Close(few[:0])
	if err != nil {
		return nil, err
	}
	add(events)
	return fold.Response(), nil
}

// streamReader turns the vendor's chunks into llm's events. A stream has no last chunk, and what belongs to an answer
// may follow its finish reason: its end is the body's.
type streamReader struct {
	latest         chunk
	repeat         repeat
	started, ended bool
	id             string
	model, renamed string // that the start named, and a later chunk
	tier, late     string // the tier, and where the start did not say it
	usage          llm.Usage
	choices        []*choice
	blocked        *llm.Stop
	extra          llm.Extra
}

// choice is a candidate so far.
type choice struct {
	index, parts int
	finished     bool
	stop         llm.Stop
	extra        llm.Extra
	hasCall      bool
	ids          forms.Places[string] // of calls that came with one

	open   llm.PartKind // text or thinking, while pieces of it may come
	issuer string       // of the open thinking
	joiner jsontext.TextJoiner
	cites  citer
	args   *partialCall
}

// Read appends the events of one frame to dst.
func (r *streamReader) Read(dst []llm.Event, f dialect.Frame) ([]llm.Event, error) {
	if r.ended || isBlank(f.Data) {
		return dst, nil
	}
	if text, ok := r.repeat.matches(f.Data); ok {
		return r.again(dst, text)
	}
	r.repeat.Forget()
	tree := jsontext.Borrow()
	defer tree.Return()
	root, err := tree.ParseLenient(f.Data)
	if err != nil {
		return dst, badAnswer("a chunk is not JSON", err)
	}
	if root.Kind() == jsontext.Array { // an error, in the form of the other framing
		err := root.Array(func(_ int, n jsontext.Node) (err error) {
			dst, err = r.chunk(dst, n)
			return err
		})
		return dst, asError(err)
	}
	if dst, err = r.chunk(dst, root); err == nil {
		r.repeat.learn(f.Data, &r.latest)
	}
	return dst, err
}

// again reads a chunk that says what the latest did but for its text and counts.
func (r *streamReader) again(dst []llm.Event, text jsontext.Value) ([]llm.Event, error) {
	r.usage.Hear(r.repeat.counts.usage())
	c := r.choice(0)
	c.cites.begin()
	dst, err := c.text(dst, &piece{text: text, hasAny: true})
	c.cites.wire()
	return dst, asError(err)
}

func (r *streamReader) chunk(dst []llm.Event, n jsontext.Node) ([]llm.Event, error) {
	c := &r.latest
	if err := c.read(n); err != nil {
		return dst, err
	}
	u := usageOf(c.usage)
	r.usage.Hear(u)
	if !r.started {
		r.started, r.id, r.model, r.tier = true, forms.TextOf(c.id), forms.TextOf(c.model), c.tier()
		dst = append(dst, llm.Event{
			Kind: llm.EventStart, ID: r.id, Model: r.model, Created: unixOf(c.created),
			Tier: r.tier, Usage: u,
		})
	} else {
		r.renamed = forms.Renamed(r.model, r.renamed, c.model)
	}
	if stop, ok := c.blocked(); ok {
		r.blocked = &stop
	}
	if !c.feedback.IsNull() {
		r.extra = r.extra.Add(self, "promptFeedback", clone(c.feedback))
	}
	err := c.eachCandidate(func(a *candidate) (err error) {
		dst, err = r.candidate(dst, a)
		return err
	})
	if r.tier == "" && slices.ContainsFunc(r.choices, func(c *choice) bool { return c.finished }) {
		r.tier = c.tier()
		r.late = r.tier
	}
	return dst, asError(err)
}

// tier is the tier, which most streams tell in their last chunk alone.
func (c *chunk) tier() string { return forms.TextOf(c.usage.Get("serviceTier").Value()) }

// asError makes an *llm.Error of what was found wrong with a chunk.
func asError(err error) error {
	if err == nil {
		return nil
	}
	var e *llm.Error
	if errors.As(err, &e) {
		return e
	}
	return badAnswer("a chunk is not what it should be", err)
}

// unixOf reads a time; 0 for none.
func unixOf(v jsontext.Value) int64 {
	if v.IsNull() {
		return 0
	}
	t, err := time.Parse(time.RFC3339, forms.TextOf(v))
	if err != nil || t.Unix() < 0 {
		return 0
	}
	return t.Unix()
}

func (r *streamReader) candidate(dst []llm.Event, a *candidate) ([]llm.Event, error) {
	c := r.choice(a.index)
	c.cites.begin()
	err := a.eachPart(func(p *piece) (err error) {
		dst, err = r.part(dst, c, p)
		c.cites.wire()
		return err
	})
	if err != nil {
		return dst, err
	}
	if probs := logProbsOf(a.logprobs); len(probs) > 0 {
		dst = append(dst, llm.Event{Kind: llm.EventLogProbs, Choice: c.index, LogProbs: probs})
	}
	if c.open == llm.PartText {
		for _, citation := range c.cites.read(a.grounding, a.citation) {
			dst = append(dst, c.delta(llm.Delta{Citation: &citation}))
		}
	}
	for _, m := range a.kept {
		c.extra = replace(c.extra, m)
	}
	if isFinish(a.finish) && !c.finished {
		c.finished = true
		raw := finishWord(a.finish)
		c.stop = llm.Stop{Reason: stopReason(raw), Raw: raw, Detail: forms.TextOf(a.message)}
	}
	return dst, nil
}

// replace keeps a member in the place of an earlier one of its name.
func replace(extra llm.Extra, m llm.Member) llm.Extra {
	for i := range extra[self] {
		if extra[self][i].Key == m.Key {
			extra[self][i].Raw = clone(m.Raw)
			return extra
		}
	}
	return extra.Add(self, m.Key, clone(m.Raw))
}

func (r *streamReader) choice(index int) *choice {
	for _, c := range r.choices {
		if c.index == index {
			return c
		}
	}
	c := &choice{index: index}
	r.choices = append(r.choices, c)
	return c
}

// part turns one of the vendor's parts into events.
func (r *streamReader) part(dst []llm.Event, c *choice, p *piece) ([]llm.Event, error) {
	if c.args != nil && p.call == nil && p.hasAny {
		dst = r.endArgs(dst, c)
	}
	switch {
	case p.text != nil && p.thought:
		return c.thought(dst, p)
	case p.text != nil:
		return c.text(dst, p)
	case p.call != nil:
		return r.call(dst, c, p)
	case p.inline != nil, p.file != nil:
		part, err := p.media()
		if err != nil {
			return dst, err
		}
		return c.whole(dst, part), nil
	case p.response != nil:
		p.kind = "functionResponse"
	case p.other != nil:
	case p.signature != nil:
		if signature := signedBy(p.signature); signature != "" {
			dst = c.whole(dst, sealed(onEmpty, signature))
		}
		return dst, nil
	case len(p.rest) == 0:
		return dst, nil // it says nothing
	}
	return c.whole(dst, p.opaque()), nil
}

func (c *choice) delta(d llm.Delta) llm.Event {
	return llm.Event{Kind: llm.EventPartDelta, Choice: c.index, Index: c.parts - 1, Delta: d}
}

// begin starts a part, and ends what was open.
func (c *choice) begin(dst []llm.Event, p llm.Part) []llm.Event {
	dst = c.end(dst)
	c.parts++
	return append(dst, llm.Event{Kind: llm.EventPartStart, Choice: c.index, Index: c.parts - 1, Part: p})
}

// whole adds a part that came at once.
func (c *choice) whole(dst []llm.Event, p llm.Part) []llm.Event {
	dst = c.begin(dst, p)
	return append(dst, llm.Event{Kind: llm.EventPartEnd, Choice: c.index, Index: c.parts - 1})
}

// end ends the open part, if any.
func (c *choice) end(dst []llm.Event) []llm.Event {
	if c.open == 0 {
		return dst
	}
	if rest := c.joiner.Flush(); rest != "" {
		dst = append(dst, c.delta(llm.Delta{Text: rest}))
	}
	c.open = 0
	return append(dst, llm.Event{Kind: llm.EventPartEnd, Choice: c.index, Index: c.parts - 1})
}

// text adds a piece of text. One that is signed ends the part: no other may be joined to it.
func (c *choice) text(dst []llm.Event, p *piece) ([]llm.Event, error) {
	signature := signedBy(p.signature)
	isEmpty := len(p.text) == len(`""`)
	if !isEmpty {
		if c.open != llm.PartText {
			dst = c.begin(dst, llm.Part{Kind: llm.PartText, Extra: p.extra()})
			c.open = llm.PartText
			c.cites.reset()
		}
		s, err := c.joiner.Text(p.text)
		if err != nil {
			return dst, err
		}
		if s != "" {
			c.cites.text.Add(s)
			dst = append(dst, c.delta(llm.Delta{Text: s}))
		}
	}
	switch {
	case signature == "":
		return dst, nil
	case isEmpty:
		return c.whole(dst, sealed(onEmpty, signature)), nil
	default:
		return c.whole(dst, sealed(onText, signature)), nil
	}
}

// thought adds a piece of thinking, which its signature ends.
func (c *choice) thought(dst []llm.Event, p *piece) ([]llm.Event, error) {
	signed := &llm.Thinking{Issuer: self, Signature: signedBy(p.signature)}
	issuer := self
	if foreign, by, ok := unwrap(forms.TextOf(p.signature)); ok {
		signed, issuer = foreign, by
	}
	if signed.Sealed != "" {
		return c.whole(dst, llm.Part{Kind: llm.PartThinking, Thinking: signed}), nil
	}
	if c.open != llm.PartThinking || c.issuer != issuer {
		dst = c.begin(dst, llm.Part{Kind: llm.PartThinking, Thinking: &llm.Thinking{Issuer: issuer}})
		c.open, c.issuer = llm.PartThinking, issuer
	}
	s, err := c.joiner.Text(p.text)
	if err != nil {
		return dst, err
	}
	if s != "" {
		dst = append(dst, c.delta(llm.Delta{Text: s}))
	}
	if signed.Signature == "" {
		return dst, nil
	}
	if rest := c.joiner.Flush(); rest != "" {
		dst = append(dst, c.delta(llm.Delta{Text: rest}))
	}
	return c.end(append(dst, c.delta(llm.Delta{Signature: signed.Signature}))), nil
}

// call adds a function call. One that comes in pieces is told when it is whole. A call whose id came before is said
// twice, as some servers do without its signature the second time.
func (r *streamReader) call(dst []llm.Event, c *choice, p *piece) ([]llm.Event, error) {
	if c.args != nil || string(p.call.Get("willContinue")) == "true" || p.call.Get("partialArgs") != nil {
		return r.partialArgs(dst, c, p)
	}
	call, err := callOf(p.call)
	if err != nil {
		return dst, err
	}
	return r.wholeCall(dst, c, call, signedBy(p.signature)), nil
}

func (r *streamReader) wholeCall(dst []llm.Event, c *choice, call *llm.ToolCall, signature string) []llm.Event {
	if call.ID != "" {
		if c.ids.Find(call.ID) >= 0 {
			return dst
		}
		c.ids.Add(call.ID)
	}
	if signature != "" {
		dst = c.whole(dst, sealed(onCall, signature))
	}
	c.hasCall = true
	args := call.Args
	call.Args = ""
	dst = c.begin(dst, llm.Part{Kind: llm.PartToolCall, Call: call})
	if call.ID == "" {
		call.ID = callPrefix + forms.Hashed(r.id+"/"+strconv.Itoa(c.index)+"/"+strconv.Itoa(c.parts), idSize)
	}
	dst = append(dst, c.delta(llm.Delta{Args: args}))
	return append(dst, llm.Event{Kind: llm.EventPartEnd, Choice: c.index, Index: c.parts - 1})
}

// Close ends a stream whose candidates have all finished, or whose prompt was refused.
func (r *streamReader) Close(dst []llm.Event) ([]llm.Event, error) {
	if r.ended {
		return dst, nil
	}
	if r.blocked != nil && len(r.choices) == 0 {
		c := r.choice(0)
		c.finished, c.stop = true, *r.blocked
	}
	if len(r.choices) == 0 {
		return dst, truncated("it has no candidate")
	}
	for _, c := range r.choices {
		if !c.finished {
			return dst, truncated("it has no finish reason")
		}
	}
	r.ended = true
	slices.SortStableFunc(r.choices, func(a, b *choice) int { return a.index - b.index })
	for _, c := range r.choices {
		if c.args != nil {
			dst = r.endArgs(dst, c)
		}
		dst = c.end(dst)
		finish := llm.Event{Kind: llm.EventFinish, Choice: c.index, Stop: agree(c.stop, c.hasCall), Tier: r.late}
		if c.index == 0 {
			finish.Extra = c.extra
		}
		dst = append(dst, finish)
	}
	if r.usage.IsTold() {
		dst = append(dst, llm.Event{Kind: llm.EventUsage, Usage: r.usage})
	}
	return append(dst, llm.Event{Kind: llm.EventEnd, Model: r.renamed, Extra: r.extra}), nil
}
