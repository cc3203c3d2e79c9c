package gateway

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
)

// Response headers that say how an answer came about.
const (
	HeaderCall     = "X-Understudy-Call"
	HeaderTarget   = "X-Understudy-Target"
	HeaderAttempts = "X-Understudy-Attempts"
	HeaderMode     = "X-Understudy-Mode"
	HeaderDetail   = "X-Understudy-Attempts-Detail"
)

// maxHeader bounds the headers whose length the request decides.
const maxHeader = 2 << 10

// reply is what the client gets. The serving goroutine writes it, and so does the
// heartbeat of a stream that has fallen silent.
type reply struct {
	c       *call
	control http.ResponseController

	mu        sync.Mutex
	w         http.ResponseWriter
	begun     bool                 // status and headers are out
	streaming bool                 // they were those of a stream
	cut       bool                 // the connection is to be broken off: nothing else says that an answer is not whole
	relayed   bool                 // and events of it
	next      int64                // the number of what follows a relayed stream
	closed    bool                 // nothing may follow
	writer    dialect.StreamWriter // of the attempt that is being delivered; nil before one and when relaying
	silence   *time.Timer
	spoke     time.Time     // when the client last heard from us
	extended  time.Time     // when the write deadline was last moved
	keep      *bytes.Buffer // what has been written, if it may be asked for again
	err       error         // of the first write that failed: the client is gone
	status    int
	values    []string // of the header; room is for as many as there mostly are
	room      [8]string
}

// init makes p the reply to a call.
func (p *reply) init(c *call, w http.ResponseWriter) {
	p.c, p.w, p.control = c, w, *http.NewResponseController(w)
	p.put(HeaderCall, c.id)
}

// list adds an attempt to those of the call, which the headers of an answer that is begun meanwhile count.
func (p *reply) list(a *attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.c.attempts = append(p.c.attempts, a)
}

// put sets a field of the header whose name is written as HTTP's are.
func (p *reply) put(name, value string) {
	if p.values == nil {
		p.values = p.room[:0]
	}
	p.values = append(p.values, value)
	n := len(p.values)
	p.w.Header()[name] = p.values[n-1 : n : n]
}

// header is the header of the answer, until it has begun.
func (p *reply) header() http.Header { return p.w.Header() }

// send gives a whole JSON answer.
func (p *reply) send(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun || p.closed {
		return
	}
	p.put("Content-Type", "application/json")
	p.put("Content-Length", strconv.Itoa(len(body)))
	p.begin(http.StatusOK)
	p.write(body)
	p.closed = true
}

// sendAs gives a whole answer as a provider gave it.
func (p *reply) sendAs(status int, header http.Header, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun || p.closed {
		return
	}
	h := p.w.Header()
	maps.Copy(h, header)
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.begin(status)
	p.write(body)
	p.closed = true
}

// startAs puts out the headers of an answer that comes in pieces, as a provider has them.
// Only then is it known whether signs of life can stand in it.
func (p *reply) startAs(status int, header http.Header, isEvents bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return
	}
	maps.Copy(p.w.Header(), header)
	p.streaming = isEvents
	p.begin(status)
	if isEvents && !p.closed {
		p.spoke = time.Now()
		p.silence = time.AfterFunc(p.c.g.opts.Limits.Heartbeat, p.beat)
	}
}

// keepAlive lets a streaming client hear from the gateway while no target has
// anything to say. The first sign of life puts the stream's headers out; another
// target can still be tried after it, since no content has been sent.
func (p *reply) keepAlive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spoke = time.Now()
	p.silence = time.AfterFunc(p.c.g.opts.Limits.Heartbeat, p.beat)
}

// beat has a goroutine of its own, whose panic ends the call.
func (p *reply) beat() {
	defer func() {
		if r := recover(); r != nil {
			p.c.ctx.end(p.c.panicked(r))
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.err != nil {
		return
	}
	every := p.c.g.opts.Limits.Heartbeat
	if left := every - time.Since(p.spoke); left > 0 {
		p.silence.Reset(left)
		return
	}
	if !p.begun {
		p.beginStream()
	}
	// By a writer of its own: that of the attempt is in use meanwhile, and may have
	// written a start that is still held.
	p.write(p.c.newStreamWriter(true).Heartbeat(nil))
	p.flush()
	p.silence.Reset(every)
}

// startStream puts out the headers of a stream, unless a heartbeat already has.
func (p *reply) startStream() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.beginStream()
	}
}

func (p *reply) beginStream() {
	h := p.w.Header()
	media := p.c.framing.ContentType()
	if p.c.framing == frames.SSE {
		media += "; charset=utf-8"
	}
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies in front must not collect events
	p.streaming = true
	p.begin(http.StatusOK)
}

// chunk sends a piece of a stream; flush says that nothing more is at hand.
func (p *reply) chunk(b []byte, now time.Time, flush bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.err != nil {
		return p.err
	}
	p.spoke = now
	p.relayed = true
	p.writeAt(now, b)
	if flush {
		p.flush()
	}
	return p.err
}

// fail ends the answer with an error: as a status while nothing is out, as the
// dialect's error event in a stream, never as a clean end.
func (p *reply) fail(err *llm.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	if p.begun {
		if p.streaming {
			p.c.attemptHeaders(p.w.Header(), http.TrailerPrefix)
			p.write(p.errorEvent(err))
			p.flush()
		}
		p.cut = !p.streaming
		return
	}
	status, body := p.c.errorBody(err)
	h := p.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	p.c.errorHeaders(h, err)
	if named := p.c.dialect.ErrorType; named != nil {
		h.Set(named(err))
	}
	p.begin(status)
	p.write(body)
}

// finish marks the answer as whole.
func (p *reply) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// stop ends the heartbeat.
func (p *reply) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.silence != nil {
		p.silence.Stop()
	}
}

// errorEvent is how a stream that has begun ends in an error.
func (p *reply) errorEvent(err *llm.Error) []byte {
	w := p.writer
	if w == nil {
		w = p.c.newStreamWriter(p.relayed)
	}
	return w.Error(nil, err)
}

// brokeAt notes where a relayed stream broke off, for the error that it ends in.
func (p *reply) brokeAt(tap dialect.Tap) {
	if t, ok := tap.(dialect.Numbered); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.next = t.Next()
	}
}

// use makes w the writer of the error that the stream may end in: a dialect may
// number its events.
func (p *reply) use(w dialect.StreamWriter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writer = w
}

func (p *reply) begin(status int) {
	p.begun, p.status = true, status
	h := p.w.Header()
	if p.c.bodyLeft && p.c.r.ProtoMajor == 1 { // HTTP/2 ends the stream alone: others go on beside it
		p.put("Connection", "close")
	}
	if name := p.c.dialect.RequestIDHeader; name != "" {
		h.Set(name, p.c.id)
	}
	p.w.WriteHeader(status)
}

// maxWrite is how much is written at a time: a client that reads slowly may take
// longer for a large answer than it may refuse to read.
const maxWrite = 16 << 10

// write moves the client's deadline as it goes, and notices when the client is gone.
func (p *reply) write(b []byte) { p.writeAt(time.Now(), b) }

func (p *reply) writeAt(now time.Time, b []byte) {
	p.remember(b)
	limit := p.c.g.opts.Limits.WriteTimeout
	for ; len(b) > 0 && p.err == nil; now = time.Now() {
		if now.Sub(p.extended) > min(time.Second, limit/4) {
			p.extended = now
			_ = p.control.SetWriteDeadline(now.Add(limit))
		}
		n := min(len(b), maxWrite)
		if _, err := p.w.Write(b[:n]); err != nil {
			p.lost(err)
		}
		if b = b[n:]; len(b) == 0 {
			return
		}
	}
}

func (p *reply) flush() {
	if p.err != nil {
		return
	}
	if err := p.control.Flush(); err != nil {
		p.lost(err)
	}
}

func (p *reply) lost(err error) {
	p.err = err
	p.c.ctx.end(err)
}

// errorBody is the error in the client's dialect: as the vendor wrote it when it
// speaks the same dialect and its words can be shown, else in ours.
func (c *call) errorBody(err *llm.Error) (status int, body []byte) {
	status, body = c.dialect.Client.EncodeError(err, c.id)
	if len(c.attempts) == 0 || err.Origin != llm.OriginProvider {
		return status, body
	}
	lead := c.leadAttempt()
	if lead.err == nil || lead.err.Code != err.Code || !c.canRelayError(lead) {
		return status, body
	}
	return lead.status, lead.answer
}

// canRelayError reports whether an attempt's error answer may be shown as it was
// received.
func (c *call) canRelayError(a *attempt) bool {
	if a.plan.mode == ModeTranslate || a.status < 400 || len(a.answer) == 0 {
		return false
	}
	if (a.plan.framing == frames.Chunks) != (c.framing == frames.Chunks) {
		return false // one end has the errors of another frame
	}
	if a.err.Code == llm.CodeProviderAuth || a.err.Code == llm.CodeQuota {
		return false // about the gateway's own account, which is not the client's business
	}
	if !isJSONObject(a.answer) || c.dialect.IsError != nil && !c.dialect.IsError(a.answer) {
		return false
	}
	return !mentions(unescaped(a.answer), a.shown)
}

// errorHeaders says when to come back and whether the client's SDK should try by
// itself: after every target was tried, it should not.
func (c *call) errorHeaders(h http.Header, err *llm.Error) {
	c.attemptHeaders(h, "")
	if err.RetryAfter > 0 {
		seconds := int64((err.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	shed := err.Origin == llm.OriginGateway && err.Code == llm.CodeOverloaded // whoever comes back by itself makes it worse
	if n := len(c.attempts); n > 1 || n == 1 && c.attempts[0].noRetry || shed || err.Code == llm.CodeProviderAuth || err.Code == llm.CodeQuota {
		h.Set("X-Should-Retry", "false")
	}
}

// attemptHeaders says what was tried.
func (c *call) attemptHeaders(h http.Header, prefix string) {
	h.Set(prefix+HeaderAttempts, strconv.Itoa(len(c.attempts)))
	if d := c.tried(); d != "" {
		h.Set(prefix+HeaderDetail, d[:min(len(d), maxHeader)])
	}
}

// answerHeaders says how the answer came about: in headers, or in trailers when a
// heartbeat has put the headers out.
func (c *call) answerHeaders(a *attempt) {
	c.reply.mu.Lock()
	defer c.reply.mu.Unlock()
	prefix := ""
	if c.reply.begun {
		prefix = http.TrailerPrefix
	}
	c.reply.put(prefix+HeaderTarget, a.name)
	c.reply.put(prefix+HeaderAttempts, strconv.Itoa(len(c.attempts)))
	c.reply.put(prefix+HeaderMode, string(a.plan.mode))
	if len(a.losses) > 0 {
		c.reply.w.Header().Set(prefix+HeaderLoss, llm.FormatLosses(a.losses, maxHeader))
	}
}

// lostInAnswer reports what of a streamed answer the client's dialect could not
// show. The headers are out by then, so it comes as a trailer.
func (c *call) lostInAnswer(a *attempt, losses []llm.Loss) {
	if len(losses) == 0 {
		return
	}
	a.losses = append(a.losses, losses...)
	if a.committed {
		c.reply.mu.Lock()
		defer c.reply.mu.Unlock()
		c.reply.w.Header().Set(http.TrailerPrefix+HeaderLoss, llm.FormatLosses(a.losses, maxHeader))
	}
}

// newStreamWriter writes the client's stream; begun says that events are out already.
func (c *call) newStreamWriter(begun bool) dialect.StreamWriter {
	o := c.streamOptions()
	if o.Begun = begun; begun {
		o.Next = c.reply.next
	}
	return c.dialect.Client.NewStreamWriter(o)
}

func (c *call) streamOptions() dialect.StreamOptions {
	return dialect.StreamOptions{
		ID: c.id, Model: c.peeked.Model, Created: c.start.Unix(), Usage: c.peeked.StreamUsage,
		Framing: dialect.Framing(c.framing),
	}
}
