package gateway

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

const (
	// maxRescues bounds how many understudies an answer may go through after commit.
	maxRescues = 2
	// maxSaid bounds the text that is kept for a rescue, in bytes; a longer answer has none.
	maxSaid = 256 << 10
	// maxQuoted is how much of the end of the text an understudy is quoted.
	maxQuoted = 200
)

// said is what a client has had of a streamed answer, as far as a rescue must know it.
type said struct {
	keep  bool  // otherwise nothing is kept, and there is no rescue
	room  *room // that the text of all streams shares
	raw   bool  // text is as it stands in JSON
	ended bool  // the answer has its finish reason
	text  []byte
	// tokens estimates what the client was sent.
	tokens int64
	// part is the index of the latest text, isOpen that it has not ended, and parts how many
	// have begun. They are known only where events are folded.
	part, parts int
	isOpen      bool
}

// frame folds a relayed frame.
func (s *said) frame(seen *dialect.Signal) {
	s.ended = s.ended || seen.Finish
	switch {
	case !s.keep:
	case seen.Other:
		s.drop()
	case s.hasRoom(len(seen.Text), seen.Content):
		s.text = append(s.text, seen.Text...)
	}
}

// event folds an event that was written for the client.
func (s *said) event(e *llm.Event) {
	if !s.keep {
		return
	}
	text := e.Delta.Text
	switch e.Kind {
	case llm.EventPartStart:
		if e.Part.Kind != llm.PartText || len(e.Part.Citations) > 0 {
			s.drop()
			return
		}
		s.part, s.isOpen = e.Index, true
		s.parts = max(s.parts, e.Index+1)
		text = e.Part.Text
	case llm.EventPartDelta:
		if e.Delta.Citation != nil || e.Delta.Args != "" || e.Delta.Signature != "" {
			s.drop()
			return
		}
	case llm.EventPartEnd:
		s.isOpen = s.isOpen && s.part != e.Index
	case llm.EventLogProbs:
		s.drop()
	case llm.EventFinish:
		s.ended = true
	default:
	}
	if e.Choice != 0 {
		s.drop()
	}
	if s.keep && s.hasRoom(len(text), text != "") {
		s.text = append(s.text, text...)
	}
}

// hasRoom counts a piece of n bytes, if it is content, and makes room for it, if there may
// be so many.
func (s *said) hasRoom(n int, isContent bool) bool {
	if isContent {
		s.tokens += tokensOf(n)
	}
	const usual = 1 << 10
	have, need := cap(s.text), len(s.text)+n
	switch {
	case need > maxSaid:
		s.drop()
	case need > have || s.text == nil:
		size := min(max(usual, 2*have, need), maxSaid)
		if !s.room.keepText(int64(size - have)) {
			s.drop()
			break
		}
		s.text = append(make([]byte, 0, size), s.text...)
	}
	return s.keep
}

// drop gives up what was kept, and the room it took.
func (s *said) drop() {
	if n := cap(s.text); n > 0 {
		s.room.text.Add(int64(-n))
	}
	s.keep, s.text = false, nil
}

// whole is the text, if it is all that the client has had, in whole characters.
func (s *said) whole() (string, bool) {
	if !s.keep || s.ended {
		return "", false
	}
	if !s.raw {
		return string(s.text), true
	}
	var j jsontext.TextJoiner
	text, err := j.Text(append(append([]byte{'"'}, s.text...), '"'))
	return text, err == nil && !j.Held()
}

// rescue goes on with an answer whose stream broke after the client had some of it. It
// outlives an understudy that fails, too.
type rescue struct {
	c      *call
	broken *attempt   // whose stream broke last
	cause  *llm.Error // what the client is told if nobody goes on
	text   []byte     // what the client has had
	writer dialect.StreamWriter
	part   int // the index of the text
	isOpen bool
	spent  llm.Usage // on what the client has had
	times  int       // how many understudies have gone on with the answer
}

// afterCommit settles what the client gets when it has had an answer, or some of it: the
// rest from another target, or the error.
func (c *call) afterCommit(a *attempt) *llm.Error {
	if a.err == nil {
		return nil
	}
	if r := c.newRescue(a); r != nil {
		return r.perform()
	}
	return a.err
}

// mayRescue reports whether an attempt's answer is kept for a rescue.
func (c *call) mayRescue(a *attempt) bool {
	return c.route.Rescue == llm.RescueText && c.targetsLeft(a) > 1
}

// newRescue returns nil where an answer must end in the error it broke with: it is not
// plain text, the request asks for more than that, or the stream ended in a way that leaves
// open what the client has.
func (c *call) newRescue(a *attempt) *rescue {
	s := a.stream
	if s == nil || c.ctx.Err() != nil || !leavesTextIntact(a.err) {
		return nil
	}
	text, ok := s.said.whole()
	if !ok {
		return nil
	}
	req, err := c.decoded()
	if err != nil || !c.asksForText(req) {
		return nil
	}
	r := &rescue{c: c, broken: a, cause: a.err, text: []byte(text), writer: s.writer, part: s.said.part, isOpen: s.said.isOpen}
	if !r.isOpen {
		r.part = s.said.parts
	}
	if s.said.raw {
		if r.writer = c.resumedWriter(s.tap); r.writer == nil {
			return nil
		}
		r.part, r.isOpen = 0, true
	}
	r.spend(a, s.said.tokens)
	return r
}

// leavesTextIntact reports whether a stream that ended in an error has said what it said.
// After one that was against the dialect's grammar, nobody knows.
func leavesTextIntact(err *llm.Error) bool {
	return err.Code != llm.CodeBadAnswer && err.Origin == llm.OriginProvider && err.Code.Info().Next != llm.GiveUp
}

// asksForText reports whether the answer to a request is plain text, which another model can
// go on with. With tools, one that was to come next would be lost.
func (c *call) asksForText(r *llm.Request) bool {
	for _, f := range c.dialect.Fields {
		isAsked := func(m llm.Member) bool { return m.Key == f.Path }
		if f.Form && slices.ContainsFunc(r.Extra[string(c.dialect.Name)], isAsked) {
			return false
		}
	}
	return len(r.Tools) == 0 && r.Format == nil && r.N <= 1 && !r.LogProbs && (r.TopLogProbs == nil || *r.TopLogProbs == 0)
}

// resumedWriter returns a writer for what follows a relayed stream; nil if the dialect has
// none.
func (c *call) resumedWriter(tap dialect.Tap) dialect.StreamWriter {
	t, ok := tap.(dialect.Resumable)
	if !ok {
		return nil
	}
	o := c.streamOptions()
	if o.Resume = t.Sent(); o.Resume == nil {
		return nil
	}
	return c.dialect.Client.NewStreamWriter(o)
}

// spend adds what an attempt has cost: what the vendor told, but at least what is known to
// have come of it.
func (r *rescue) spend(a *attempt, tokens int64) {
	u := a.usage
	u.Known = true
	u.OutVisible = max(u.OutVisible, tokens)
	r.spent = r.spent.Plus(u)
}

// perform asks the targets behind the one that broke, in order, to go on.
func (r *rescue) perform() *llm.Error {
	c := r.c
	place, here, how := len(c.route.Targets)-c.targetsLeft(r.broken)+1, 0, manner{}
	for place < len(c.route.Targets) && c.mayAttempt() {
		a := c.attempt(c.route.Targets[place], how, r)
		if a.sent() {
			here++
		} else {
			c.refused = append(c.refused, a)
		}
		switch verdict := c.mayRepeat(a, c.judge(a, here, false)); {
		case verdict == again && (a.repeat || c.pause()):
			how.fresh = a.repeat
			continue
		case verdict == unsealed:
			how.unsealed = true
			continue
		case verdict == delivered && a.err == nil:
			c.tellAttempts()
			return nil
		case verdict == delivered:
			r.broken, r.cause, r.times = a, a.err, r.times+1
			r.spend(a, a.continued.tokens)
			if r.times == maxRescues || len(r.text) > maxSaid || !leavesTextIntact(a.err) {
				return r.failed()
			}
		}
		place, here, how = place+1, 0, manner{}
	}
	return r.failed()
}

// failed is what the client is told when nobody goes on.
func (r *rescue) failed() *llm.Error {
	if err := r.c.ended(); err != nil {
		return err
	}
	return r.cause
}

// tellAttempts says in trailers what was tried.
func (c *call) tellAttempts() {
	c.reply.mu.Lock()
	defer c.reply.mu.Unlock()
	c.attemptHeaders(c.reply.w.Header(), http.TrailerPrefix)
}

// ask is the request that makes a target go on. A model that continues an assistant's message
// gets what was said as one. Any other gets it as history, and a turn of the user's that quotes
// its end and points on. That turn has no words: whatever the conversation's language is, it
// is not interrupted by another.
func (r *rescue) ask(a *attempt, from *llm.Request) *llm.Request {
	req := *from
	req.Reasoning = nil // that was for the beginning
	if from.MaxTokens != nil {
		left := max(*from.MaxTokens-r.spent.OutVisible, 1)
		req.MaxTokens = &left
	}
	text := string(r.text)
	shown := strings.TrimRightFunc(text, unicode.IsSpace)
	carried := a.plan.dialect.Carries[llm.FeaturePrefill].Action == llm.ActionMapped
	prefill := carried && a.target.Facts.Prefill && shown != ""
	if !prefill {
		shown = text
	}
	req.Messages = withAnswer(from.Messages, shown)
	join := newStrictSeam(text[len(shown):])
	if !prefill {
		req.Messages = append(req.Messages, llm.Message{Role: llm.RoleUser, Parts: []llm.Part{llm.Text(quote(shown))}})
		join = newSeam(text)
	}
	a.continued = &continuation{rescue: r, attempt: a, seam: join, prefill: prefill}
	return &req
}

// withAnswer returns the messages with the beginning of an answer at their end.
func withAnswer(messages []llm.Message, text string) []llm.Message {
	out := append(make([]llm.Message, 0, len(messages)+2), messages...)
	n := len(out)
	if n == 0 || out[n-1].Role != llm.RoleAssistant {
		return append(out, llm.Message{Role: llm.RoleAssistant, Parts: []llm.Part{llm.Text(text)}})
	}
	parts := out[n-1].Parts // the client itself began the answer
	out[n-1].Parts = append(parts[:len(parts):len(parts)], llm.Text(text))
	return out
}

// quote points on from the end of a text.
func quote(text string) string {
	from := max(len(text)-maxQuoted, 0)
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	if i := strings.IndexFunc(text[from:], unicode.IsSpace); from > 0 && i >= 0 && i < maxQuoted/2 {
		from += i + 1 // at a word
	}
	return "\"…" + text[from:] + "\" → \"…\""
}

// comment announces the rescue inside the stream, where its clients know comments.
func (r *rescue) comment(a *attempt) []byte {
	if r.c.framing != frames.SSE || r.c.dialect.NoComments {
		return nil
	}
	return sse.AppendComment(nil, "understudy rescue from="+r.broken.target.Name()+" to="+a.target.Name())
}

// announce tells the log.
func (r *rescue) announce(a *attempt) {
	r.c.g.opts.Log.LogAttrs(r.c.r.Context(), slog.LevelInfo, "rescue", slog.String("call", r.c.id),
		slog.String("from", r.broken.target.Name()), slog.String("to", a.target.Name()), slog.String("cause", string(r.cause.Code)),
		slog.Bool("prefill", a.continued.prefill), slog.Int("after", len(r.text)))
}
