package gateway

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// maxHeld bounds what is held back before the first content. Start frames and
// signs of life are small; a vendor that sends more has lost its way.
const maxHeld = 1 << 20

// A stream of more pieces of content than maxPieces for each token that the client
// allowed, and some more, has lost its way: vendors send a piece for a token or for
// several, and none splits a token into so many.
const (
	maxPieces  = 8
	somePieces = 1000
)

// deliverStream hands over a streamed answer. Until the first content, or until it has
// shown that it keeps the route's pace, nothing of it goes to the client, so a fault
// costs only time; after it the client is committed to this target, and a fault ends in
// the dialect's error event, unless a rescue goes on with the text (afterCommit).
func (c *call) deliverStream(a *attempt, resp *transport.Response, w *watchdog) *llm.Error {
	body := &peekReader{r: resp.Body}
	if a.plan.framing == frames.SSE && looksWhole(resp, body) {
		return c.deliverAsStream(a, resp, body, w)
	}
	s := &stream{c: c, a: a, watch: w, frames: newFrames(a.plan.framing, body)}
	s.said.keep, s.said.room = c.mayRescue(a), &c.g.room
	a.stream = s
	defer c.tellAnswered(a)
	var err *llm.Error
	switch side := a.plan.dialect.Provider; {
	case a.rescue != nil:
		a.continued.reader = side.NewStreamReader()
		s.writer, s.held = a.rescue.writer, a.rescue.comment(a)
		err = s.translate(a.continued)
	case a.plan.mode == ModeTranslate:
		s.writer = c.newStreamWriter(false)
		err = s.translate(side.NewStreamReader())
	default:
		s.tap, s.said.raw = c.dialect.Relay.NewTap(a.ask), true
		err = s.relay(s.tap)
	}
	if err == nil {
		c.reply.finish()
		return nil
	}
	if s.batch.b != nil { // what was understood before the fault is the client's
		if passErr := s.send(nil, s.batch.tokens, s.batch.progress, true); passErr != nil {
			return passErr
		}
	}
	c.reply.brokeAt(s.tap)
	if err.Origin == llm.OriginProvider {
		c.applyRules(a, err, nil)
		a.hideKey(err)
	}
	return err
}

// stream is one streamed answer on its way through.
type stream struct {
	c      *call
	a      *attempt
	watch  *watchdog
	frames *frameReader
	held   []byte // not yet sent, because too little content has come
	batch  batch  // not yet sent, because more is at hand
	begun  bool   // content has come
	pieces int64  // of content so far
	tokens int64  // about how many that is
	said   said   // what the client has had
	// malformed says that the vendor calls what its model wrote so.
	malformed bool
	// The one that follows the stream, or the other that writes it.
	tap    dialect.Tap
	writer dialect.StreamWriter
}

// relay passes frames on as they were received.
func (s *stream) relay(tap dialect.Tap) *llm.Error {
	s.c.speak(s.a, nil)
	defer func() { s.a.usage = tap.Usage() }()
	out := &frames.Writer{Kind: s.c.framing}
	var framed []byte // a frame that is not passed on as it was received
	for {
		f, err := s.frames.next()
		if err != nil {
			return s.relayEnd(tap, out, err)
		}
		var seen dialect.Signal
		if f.HasData {
			if seen, err = tap.Frame(toCodec(f)); err != nil {
				return vendorError(err, llm.CodeBadAnswer)
			}
		}
		if seen.Model != "" {
			s.a.named(seen.Model)
			s.c.keeps(s.a, seen.Object)
		}
		s.a.serves(seen.Tier)
		b := f.Raw
		switch {
		case seen.Hide:
			b = nil
		case seen.Data != nil:
			framed = out.Append(framed[:0], f.Name, seen.Data)
			b = framed
		case s.a.plan.framing == out.Kind:
		case f.HasData:
			framed = out.Append(framed[:0], cmp.Or(f.Name, seen.Event), f.Data)
			b = framed
		default:
			b = nil
		}
		s.said.frame(&seen)
		var tokens int64
		if seen.Content {
			tokens = tokensOf(len(seen.Text))
		}
		if err := s.pass(b, tokens, seen.Content || seen.Finish || seen.End, seen.End); err != nil {
			return err
		}
		if seen.End {
			s.a.usage = tap.Usage()
			return s.release()
		}
	}
}

// relayEnd judges a stream whose body is over and whose terminator was not seen.
func (s *stream) relayEnd(tap dialect.Tap, out *frames.Writer, cause error) *llm.Error {
	terminator, err := tap.Close()
	if err != nil {
		return broken(cause, err)
	}
	switch {
	case s.a.plan.framing != out.Kind:
		terminator = out.End(terminator)
	case out.Kind == frames.Array && errors.Is(cause, errCut): // the answer is whole, its array is not
		terminator = append(terminator, ']')
	}
	if err := s.pass(terminator, 0, true, true); err != nil {
		return err
	}
	s.a.usage = tap.Usage()
	return s.release()
}

// translate passes on what the frames mean, in the client's dialect.
func (s *stream) translate(reader dialect.StreamReader) *llm.Error {
	writer := s.writer
	s.c.speak(s.a, writer)
	var beside besides
	defer func() { s.c.lostInAnswer(s.a, append(writer.Losses(), beside.losses()...)) }()
	var events []llm.Event
	var out []byte
	for {
		f, err := s.frames.next()
		over := err != nil
		switch {
		case !over && !f.HasData:
			events = events[:0] // what came before it may still wait to be flushed
		case !over:
			events, err = reader.Read(events[:0], toCodec(f))
			beside.note(s.a.plan.dialect, f.Data)
		default:
			cause := err
			if events, err = reader.Close(events[:0]); err != nil {
				err = broken(cause, err)
			}
		}
		// What was understood before the fault is the client's.
		out = out[:0]
		tokens, progress, end := int64(0), false, false
		for i := range events {
			e := &events[i]
			s.a.encoded.RestoreEvent(e)
			if e.IsContent() {
				tokens += tokensOf(len(e.Delta.Text) + len(e.Delta.Args))
			}
			progress = progress || e.Kind != llm.EventPing && e.Kind != llm.EventStart
			end = end || e.Kind == llm.EventEnd
			s.note(e)
			beside.hear(e)
			beside.kept(s.a.plan.dialect, s.c.dialect, e)
			s.said.event(e)
			out = writer.Write(out, *e)
		}
		if passErr := s.pass(out, tokens, progress, end); passErr != nil {
			return passErr
		}
		switch {
		case err != nil:
			return vendorError(err, llm.CodeBadAnswer)
		case end:
			return s.release()
		case over:
			return &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's stream ended before the answer did."}
		}
	}
}

// note takes down what an event says of the answer; a continuation has done so.
func (s *stream) note(e *llm.Event) {
	if s.a.rescue != nil {
		return
	}
	s.a.serves(e.Tier)
	switch e.Kind {
	case llm.EventStart:
		s.a.named(e.Model)
		s.a.usage.Hear(e.Usage)
	case llm.EventEnd:
		s.a.named(e.Model)
	case llm.EventUsage:
		s.a.usage = e.Usage
	case llm.EventFinish:
		s.malformed = s.malformed || e.Stop.Reason == llm.StopMalformed
	default:
	}
}

// pass sends bytes on, or holds them while there has been no content, or too little to
// tell whether the vendor keeps pace. tokens is what they hold of content.
func (s *stream) pass(b []byte, tokens int64, progress, last bool) *llm.Error {
	if tokens > 0 {
		s.pieces++
		s.tokens += tokens
		if limit := s.c.peeked.MaxTokens; limit > 0 && (s.pieces-somePieces)/maxPieces > limit {
			s.a.cause = route.CauseExcess
			return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider sends far more than the limit of the request allows."}
		}
		if s.tokens > s.a.most.Output {
			if err := s.c.extend(s.a, s.tokens); err != nil {
				return err
			}
		}
		if !s.begun {
			s.begun = true
			s.watch.begun(s.c.route.Timeouts.Stall, paceOf(s.c.route.Timeouts))
		}
	}
	if s.a.committed && !last && s.frames.more() && s.batch.add(b, tokens, progress) {
		return nil
	}
	return s.send(b, tokens+s.batch.tokens, progress || s.batch.progress, last)
}

// send is pass for what is not put into the batch, and for the batch.
func (s *stream) send(b []byte, tokens int64, progress, last bool) *llm.Error {
	now := time.Now()
	keepsPace := false
	if s.begun {
		keepsPace = s.watch.hold(now, tokens, progress) && progress
		defer s.watch.resume()
	}
	full := len(s.held)+len(b) > maxHeld
	if !s.a.committed && s.begun && (keepsPace || full || s.a.rescue != nil) {
		if err := s.c.commit(s.a); err != nil {
			return err
		}
	}
	if !s.a.committed {
		if full {
			return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider's stream does not come to its content."}
		}
		s.held = append(s.held, b...)
		return nil
	}
	if len(s.held) > 0 {
		b = append(s.held, b...)
		s.held = nil
	}
	b, done := s.batch.with(b)
	defer done()
	if err := s.c.reply.chunk(b, now, last || !s.frames.more()); err != nil {
		return clientGone(err)
	}
	return nil
}

// batch is what waits for what is at hand behind it, so that frames that came together go
// out together.
type batch struct {
	b        *[]byte
	tokens   int64
	progress bool
}

// batches are the buffers of batches, which only bursts need.
var batches = sync.Pool{New: func() any { b := make([]byte, 0, maxBatch); return &b }}

// maxBatch bounds a batch, in bytes.
const maxBatch = 8 << 10

// add puts a piece into the batch, if there is room.
func (t *batch) add(b []byte, tokens int64, progress bool) bool {
	if t.b == nil {
		if len(b) > maxBatch {
			return false
		}
		t.b = batches.Get().(*[]byte) //nolint:forcetypeassert // it holds nothing else
	}
	if len(*t.b)+len(b) > maxBatch {
		return false
	}
	*t.b = append(*t.b, b...)
	t.tokens, t.progress = t.tokens+tokens, t.progress || progress
	return true
}

// with empties the batch and returns its bytes with others behind them, which are good
// until done is called.
func (t *batch) with(b []byte) (all []byte, done func()) {
	buf := t.b
	if buf == nil {
		return b, func() {}
	}
	*t = batch{}
	*buf = append(*buf, b...)
	return *buf, func() {
		*buf = (*buf)[:0]
		batches.Put(buf)
	}
}

// commit binds the client to an attempt's target, unless another was faster.
func (c *call) commit(a *attempt) *llm.Error {
	if err := c.checkAnswered(a); err != nil {
		return err
	}
	if a.race != nil {
		if err := a.race.win(a); err != nil {
			return err
		}
		c.reply.use(a.writer)
	}
	a.committed = true
	a.firstContent = c.g.opts.Now()
	a.pass.Begun()
	c.answerHeaders(a)
	c.tellAnswered(a)
	c.reply.startStream()
	if a.rescue != nil {
		a.rescue.announce(a)
	}
	return nil
}

// speak makes w the writer of an attempt's stream, and of the error that the answer may end in.
func (c *call) speak(a *attempt, w dialect.StreamWriter) {
	if a.writer = w; a.race == nil {
		c.reply.use(w)
	}
}

// release ends a whole stream. One without any content is an answer too, unless
// the vendor counted output that never came, or calls it malformed.
func (s *stream) release() *llm.Error {
	if s.a.committed {
		return nil
	}
	if !s.begun && s.malformed {
		return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider says that what its model wrote is malformed."}
	}
	if !s.begun && s.a.rescue == nil && s.a.usage.Output() > 0 && s.c.hasNext(s.a) {
		return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: "The provider counted output and sent none."}
	}
	if !s.begun {
		s.a.cause = route.CauseEmpty
	}
	if err := s.c.commit(s.a); err != nil {
		return err
	}
	return s.pass(nil, 0, false, true)
}

// hasNext reports whether a target is left behind the attempt's.
func (c *call) hasNext(a *attempt) bool { return c.targetsLeft(a) > 1 && !c.onlyOnce }

// broken is a stream whose body is over though the answer is not: verdict is the
// codec's, cause is how the body ended.
func broken(cause, verdict error) *llm.Error {
	e := verdict
	switch {
	case errors.Is(cause, frames.ErrTooLong):
		e = &llm.Error{Code: llm.CodeBadAnswer, Message: "The provider sent an event larger than " + byteCount(frames.MaxFrame) + "."}
	case errors.Is(cause, frames.ErrCorrupt):
		e = &llm.Error{Code: llm.CodeBadAnswer, Message: "The provider's stream holds bytes that are no event.", Err: cause}
	case !errors.Is(cause, io.EOF):
		e = &llm.Error{Code: llm.CodeTruncated, Message: "The provider's stream broke off.", Err: cause}
	}
	return vendorError(e, llm.CodeTruncated)
}

// deliverAsStream streams an answer that came whole although a stream was asked
// for.
func (c *call) deliverAsStream(a *attempt, resp *transport.Response, body io.Reader, w *watchdog) *llm.Error {
	resp.Body = io.NopCloser(body)
	whole, err := c.readAnswer(resp, w)
	if err != nil {
		return err
	}
	a.whole = whole
	answer, decodeErr := a.plan.dialect.Provider.DecodeResponse(whole)
	if decodeErr != nil {
		return c.answerError(a, resp, whole, decodeErr)
	}
	c.complete(a, answer)
	writer, events := c.newStreamWriter(false), answer.Events()
	var out []byte
	if r := a.rescue; r != nil {
		writer, out = r.writer, r.comment(a)
		a.continued.events = events
		var failed error
		if events, failed = a.continued.pass(nil, nil); failed != nil {
			return vendorError(failed, llm.CodeBadAnswer)
		}
	}
	c.speak(a, writer)
	for _, e := range events {
		out = writer.Write(out, e)
	}
	a.losses = slices.Concat(a.losses, writer.Losses(), lostBeside(a.plan.dialect, whole), c.lostKept(a, answer))
	if jsontext.LostHalf(whole, out) {
		a.losses = append(a.losses, dialect.HalfLoss("answer."))
	}
	if err := c.commit(a); err != nil {
		return err
	}
	if err := c.reply.chunk(out, time.Now(), true); err != nil {
		return clientGone(err)
	}
	c.reply.finish()
	return nil
}

// peekReader lets the first bytes of a body be looked at before it is read.
type peekReader struct {
	r    io.Reader
	head []byte
}

func (p *peekReader) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	return p.r.Read(b) //nolint:wrapcheck // a reader passes its source's error on
}

// looksWhole reports whether the body of an answer is one JSON document rather
// than events. Its label decides when it says events; otherwise its first byte.
func looksWhole(resp *transport.Response, body *peekReader) bool {
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return false
	}
	head := make([]byte, 512)
	n, err := io.ReadAtLeast(body.r, head, 1)
	if n == 0 && err != nil {
		return false // nothing came; the stream's own end tells why
	}
	body.head = head[:n]
	return !sse.Sniff(body.head)
}
