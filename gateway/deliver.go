package gateway

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/internal/frames/sse"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/transport"
)

// maxAnswer bounds a whole answer in memory: images and audio come as base64.
const maxAnswer = 64 << 20

// deliverWhole hands over an answer that is not streamed. Nothing goes to the
// client before the body is whole and understood, so every fault of it can still
// be mended by another target.
func (c *call) deliverWhole(a *attempt, resp *transport.Response, w *watchdog) *llm.Error {
	body, err := c.readAnswer(resp, w)
	if err != nil {
		return err
	}
	a.whole = body
	if a.plan.framing == frames.SSE && jsontext.Value(bytes.TrimSpace(body)).Kind() != jsontext.Object && sse.Sniff(body) {
		return c.deliverCollected(a, resp, body)
	}
	if a.plan.mode == ModeTranslate {
		return c.deliverDecoded(a, resp, body)
	}
	tap := c.dialect.Relay.NewTap(a.ask)
	seen, tapErr := tap.Body(body)
	a.usage = tap.Usage()
	a.named(seen.Model)
	a.serves(seen.Tier)
	c.keeps(a, seen.Object)
	if tapErr != nil {
		return c.answerError(a, resp, body, tapErr)
	}
	return c.sendAnswer(a, body)
}

// deliverDecoded carries a whole answer over to the client's dialect.
func (c *call) deliverDecoded(a *attempt, resp *transport.Response, body []byte) *llm.Error {
	answer, err := a.plan.dialect.Provider.DecodeResponse(body)
	if err != nil {
		return c.answerError(a, resp, body, err)
	}
	a.losses = append(a.losses, lostBeside(a.plan.dialect, body)...)
	return c.deliverResponse(a, answer)
}

// lostBeside is what of a whole answer its dialect has and does not read.
func lostBeside(d *dialect.Dialect, body []byte) []llm.Loss {
	if d.Beside == nil {
		return nil
	}
	return dialect.BesideLosses(d.Beside(body))
}

// lostKept is what of a whole answer its dialect keeps for its own clients.
func (c *call) lostKept(a *attempt, answer *llm.Response) []llm.Loss {
	return dialect.BesideLosses(dialect.KeptPaths(a.plan.dialect, c.dialect, answer.Extra))
}

// besides are the paths of that in a stream, each once.
type besides struct {
	paths  []string
	shapes []uint64 // of frames that were looked at
	latest []byte   // one of them

	half, lostHalf bool // whether half a surrogate pair came in a frame, and became U+FFFD
}

// Bounds of what is kept of frames, to know others by, and of the paths, which may be a vendor's very many own.
const (
	maxBeside = 64
	maxShapes = 32
	maxLatest = 4 << 10 // bytes
)

// note looks at a frame, unless it is like one that was looked at, as nearly all are.
func (b *besides) note(d *dialect.Dialect, frame []byte) {
	b.half = b.half || jsontext.HasHalf(frame)
	if d.Beside == nil || jsontext.IsAlike(b.latest, frame) {
		return
	}
	if shape := jsontext.Shape(frame); !slices.Contains(b.shapes, shape) {
		for _, path := range d.Beside(frame) {
			if len(b.paths) < maxBeside && !slices.Contains(b.paths, path) {
				b.paths = append(b.paths, path)
			}
		}
		if len(b.shapes) == maxShapes {
			return
		}
		b.shapes = append(b.shapes, shape)
	}
	if b.latest = b.latest[:0]; len(frame) <= maxLatest {
		b.latest = append(b.latest, frame...)
	}
}

// kept adds what an event keeps for clients of other APIs than to.
func (b *besides) kept(from, to *dialect.Dialect, e *llm.Event) {
	if len(e.Extra) > 0 {
		b.paths = append(b.paths, dialect.KeptPaths(from, to, e.Extra)...)
	}
}

// hear looks for U+FFFD in what was read, where half a surrogate pair came: the other half may have come in time.
func (b *besides) hear(e *llm.Event) {
	if !b.half || b.lostHalf {
		return
	}
	texts := []string{e.Delta.Text, e.Delta.Args, e.Part.Text}
	if e.Part.Call != nil {
		texts = append(texts, e.Part.Call.Args)
	}
	b.lostHalf = slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "\uFFFD") })
}

func (b *besides) losses() []llm.Loss {
	losses := dialect.BesideLosses(b.paths)
	if b.lostHalf {
		losses = append(losses, dialect.HalfLoss("answer."))
	}
	return losses
}

func (c *call) deliverResponse(a *attempt, answer *llm.Response) *llm.Error {
	c.complete(a, answer)
	if c.operation != dialect.Generate {
		answer.Asked = c.request
		if err := checkAnswer(c.request, answer); err != nil {
			return err
		}
	}
	a.losses = append(a.losses, c.lostKept(a, answer)...)
	body, losses, err := c.dialect.Client.EncodeResponse(answer)
	if err != nil {
		return asError(err, llm.CodeBadAnswer)
	}
	a.losses = append(a.losses, losses...)
	if jsontext.LostHalf(a.whole, body) {
		a.losses = append(a.losses, dialect.HalfLoss("answer."))
	}
	return c.sendAnswer(a, body)
}

// complete gives an answer what a stream's writer is given beforehand: what the client's
// dialect has and the provider's lacks.
func (c *call) complete(a *attempt, answer *llm.Response) {
	a.encoded.RestoreResponse(answer)
	a.usage = answer.Usage
	a.named(answer.Model)
	a.serves(answer.Tier)
	answer.ID, answer.Model = cmp.Or(answer.ID, c.id), cmp.Or(answer.Model, c.peeked.Model)
	answer.Created = cmp.Or(answer.Created, c.start.Unix())
}

// deliverCollected makes one answer of a stream that nobody asked for.
func (c *call) deliverCollected(a *attempt, resp *transport.Response, body []byte) *llm.Error {
	source := newFrames(a.plan.framing, bytes.NewReader(body))
	reader := a.plan.dialect.Provider.NewStreamReader()
	var fold llm.Collector
	var events []llm.Event
	var beside besides
	for {
		f, err := source.next()
		if err != nil {
			break
		}
		if events, err = reader.Read(events[:0], toCodec(f)); err != nil {
			return c.answerError(a, resp, f.Data, err)
		}
		beside.note(a.plan.dialect, f.Data)
		addAll(&fold, events)
	}
	a.losses = append(a.losses, beside.losses()...)
	events, err := reader.Close(events[:0])
	if err != nil {
		return vendorError(err, llm.CodeTruncated)
	}
	addAll(&fold, events)
	a.collected = fold.Response()
	return c.deliverResponse(a, a.collected)
}

func addAll(fold *llm.Collector, events []llm.Event) {
	for _, e := range events {
		fold.Add(e)
	}
}

func (c *call) sendAnswer(a *attempt, body []byte) *llm.Error {
	if err := c.checkAnswered(a); err != nil {
		return err
	}
	if err := a.race.win(a); err != nil {
		return err
	}
	a.firstContent = c.g.opts.Now()
	a.committed = true
	c.answerHeaders(a)
	c.tellAnswered(a)
	c.reply.send(body)
	return nil
}

// readAnswer reads a whole body, never an empty one. Once it has begun it must come within the stall
// limit: what drips is treated as what hangs.
func (c *call) readAnswer(resp *transport.Response, w *watchdog) ([]byte, *llm.Error) {
	first := &firstByte{r: resp.Body, w: w, stall: c.route.Timeouts.Stall}
	promised, _ := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
	c.hold(min(promised, maxAnswer))
	body, err := readAll(first, maxAnswer, promised)
	if promised <= 0 {
		c.hold(int64(len(body)))
	}
	if err != nil {
		e := &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's answer broke off.", Err: err}
		if errors.Is(err, errTooLarge) || errors.Is(err, transport.ErrTooLarge) {
			e.Code, e.Message = llm.CodeBadAnswer, "The provider's answer is larger than "+byteCount(maxAnswer)+"."
		}
		return nil, e
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &llm.Error{Code: llm.CodeTruncated, Origin: llm.OriginProvider, Message: "The provider's answer is empty."}
	}
	return body, nil
}

// firstByte tells the watchdog when the first byte that is not white space arrives: some
// services send spaces to keep a connection open while they think.
type firstByte struct {
	r     io.Reader
	w     *watchdog
	stall time.Duration
	seen  bool
}

func (f *firstByte) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if !f.seen && len(bytes.TrimSpace(b[:n])) > 0 {
		f.seen = true
		f.w.begun(f.stall, pace{})
	}
	return n, err //nolint:wrapcheck // a reader passes its source's error on
}

// vendorError is what a codec found wrong with an answer.
func vendorError(err error, otherwise llm.Code) *llm.Error {
	e := asError(err, otherwise)
	e.Origin = llm.OriginProvider
	return e
}

// answerError completes what a codec found wrong with a successful answer: an
// error inside it is classified as if it had come with its own status.
func (c *call) answerError(a *attempt, resp *transport.Response, body []byte, err error) *llm.Error {
	e := vendorError(err, llm.CodeBadAnswer)
	c.applyRules(a, e, body)
	a.hideKey(e)
	if e.RetryAfter == 0 && e.Code == llm.CodeRateLimit {
		e.RetryAfter, _ = transport.RetryAfter(resp.Header, body, resp.Date())
	}
	return e
}

func isJSONObject(b []byte) bool {
	v, err := jsontext.ParseLenient(b)
	return err == nil && v.Kind() == jsontext.Object
}

// since is a duration for logs, in milliseconds.
func since(start, end time.Time) int64 {
	if start.IsZero() || end.IsZero() {
		return 0
	}
	return end.Sub(start).Milliseconds()
}
