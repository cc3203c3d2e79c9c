package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// attempt is one try at one target.
type attempt struct {
	target route.Target
	name   string // the target's
	plan   plan
	lead   bool // the target is the first that was asked
	manner
	// rescue is the answer that the attempt goes on with; nil for one from the beginning.
	rescue    *rescue
	continued *continuation // what of that the target was asked

	ask     dialect.Ask
	encoded dialect.Encoded
	body    []byte
	losses  []llm.Loss

	start, firstContent, end time.Time

	shown     provider.Secret // the secret that the vendor was shown
	status    int             // the vendor's HTTP status; 0 before headers
	answer    []byte          // the vendor's error body as received
	err       *llm.Error
	repeat    bool // the vendor cannot have seen it: the same target may be asked again at once
	idle      bool // that is since a connection that was kept had been closed
	noRetry   bool // the vendor says that asking again is of no use
	model     string
	other     bool   // that, or one named before, is another than was asked
	told      string // the client was, of which model
	tier      string // of the service, that is asked for; empty for the usual one
	served    string // the tier that the vendor says it serves, in its own word
	object    Object // the answer, if the vendor keeps it
	usage     llm.Usage
	committed bool // the client has had content from here
	pass      route.Pass
	refused   route.Reason  // why the target's health did not let it be asked
	cause     route.Cause   // what is known of the end beside err
	conn      any           // the connection, if other attempts may be on it
	unsent    bool          // the vendor has had nothing of it
	whole     []byte        // a whole answer's body
	collected *llm.Response // what is in it, if it came as a stream that nobody asked for
	outcome   budget.Outcome
	// race is what the attempt takes part in, if another is made beside it, or may be; and hedge
	// says that it is that other.
	race  *race
	hedge bool
	// guessed says that what it cost was, since nobody knows what its tier of the service costs.
	guessed bool
	writer  dialect.StreamWriter // of its stream
	span    [8]byte              // in the call's trace
	*lifetime
	// number and line are the attempt's in the ledger.
	number int64
	most   budget.Tokens // that were reserved
	line   *budget.Line
	cost   budget.Money // what it may cost, or did, of the call's purse
	// stream is the answer on its way, once it streams.
	stream *stream
}

// lifetime is how long an attempt goes on, and the clock that may end it.
type lifetime struct {
	life  life
	clock watchdog
}

// manner is how a target is asked.
type manner struct {
	fresh    bool // on a connection of its own
	unsealed bool // without what the vendor signed or sealed, which it could not read
}

// Attempts a call may make: in all (or as many as there are targets), and at one
// target.
const (
	maxAttempts       = 3
	maxAttemptsTarget = 2
)

// attemptAll tries targets in order until one has answered, and says why when none
// did.
func (c *call) attemptAll() *llm.Error {
	if c.peeked.Stream && !c.operation.IsRelayed() { // whether those are answered in events, only the provider knows
		c.reply.keepAlive()
	}
	target, here := 0, 0
	var how manner
	for c.mayAttempt() && target < len(c.route.Targets) {
		var a *attempt
		if target == 0 && here == 0 && c.mayHedge() {
			a, target = c.attemptTwo(target)
		} else {
			a = c.attempt(c.route.Targets[target], how, nil)
		}
		if a.sent() {
			here++
		} else {
			c.refused = append(c.refused, a)
		}
		switch c.mayRepeat(a, c.judge(a, here, c.isAlone())) {
		case delivered: // whole, or broken after its first content: then a rescue may go on
			if a.err == nil {
				c.g.opts.Health.Stay(&c.route, c.session, a.target)
			}
			return c.afterCommit(a)
		case again:
			how.fresh = a.repeat
			if !a.repeat && !c.pause() {
				return c.ended()
			}
		case unsealed:
			how.unsealed = true
		case next:
			if !c.otherKey(a) {
				target = c.after(target, a)
			}
			here, how = 0, manner{}
		case giveUp:
			return c.verdict()
		}
	}
	return c.verdict()
}

// mayAttempt reports whether another attempt can be made.
func (c *call) mayAttempt() bool {
	return len(c.attempts) < max(maxAttempts, len(c.route.Targets))+len(c.keysTried) && c.ctx.Err() == nil
}

// sent reports whether the attempt went out: one that was refused for its losses
// did not, and is not in the count.
func (a *attempt) sent() bool { return !a.start.IsZero() }

// attempt makes one try: plan, prepare, send, and deliver what comes; r is the answer to
// go on with, if it is a rescue.
func (c *call) attempt(t route.Target, how manner, r *rescue) *attempt {
	a := c.newAttempt(t, how, r)
	if a.err != nil {
		return a
	}
	defer c.end(a)
	if c.begin(a) {
		c.run(a)
	}
	return a
}

// newAttempt plans and prepares a try, and asks the target's health for leave. What stands in the
// way is its err; otherwise end is to be called.
func (c *call) newAttempt(t route.Target, how manner, r *rescue) *attempt {
	a := &attempt{target: t, manner: how, rescue: r, lead: len(c.attempts) == 0 || c.attempts[0].target.IsSame(t)}
	p, ok := c.plan(t)
	if !ok {
		a.name = t.Name()
		a.err = &llm.Error{Code: llm.CodeModelGone, Origin: llm.OriginGateway, Message: "The provider speaks no dialect of this gateway about this model in which it could be asked to " + string(c.operation) + "."}
		return a
	}
	a.plan, a.name = p, p.target
	if r != nil {
		a.plan.mode = ModeTranslate // the request is not the client's
	}
	if a.err = c.prepare(a); a.err != nil {
		return a
	}
	a.tier = c.tierOf(a)
	a.err = c.enter(a)
	return a
}

// begin writes the attempt down in the ledger. It is false where that cannot be, or it is too late.
func (c *call) begin(a *attempt) bool {
	// From here on a panic leaves it as a failure of ours.
	ours := &llm.Error{Code: llm.CodeInternal, Origin: llm.OriginGateway, Message: llm.CodeInternal.Info().Doc}
	a.err = ours
	a.lifetime = &lifetime{}
	c.ctx.begin(&a.life)
	if a.err = c.reserve(&a.life, a); a.err != nil {
		return false
	}
	if a.err = a.race.join(a); a.err != nil {
		a.unsent, a.cause = true, route.CauseUnseen
		a.end = c.g.opts.Now()
		return false
	}
	a.err = ours
	a.start = c.g.opts.Now()
	if c.g.opts.Trace {
		a.span = newSpan()
	}
	c.reply.list(a)
	return true
}

// run makes an attempt that has begun. It may do so beside another.
func (c *call) run(a *attempt) {
	w := c.watch(a, a.life.end)
	defer w.stop()
	a.err = c.blame(&a.life, a, c.exchange(&a.life, a, w))
}

// end closes an attempt, whatever became of it.
func (c *call) end(a *attempt) {
	if a.sent() {
		a.end = c.g.opts.Now()
	}
	c.account(a)
	if a.lifetime != nil {
		a.life.over()
	}
	a.pass.Leave(c.result(a))
}

func (c *call) plan(t route.Target) (plan, bool) {
	if c.operation.IsRelayed() {
		return c.relayPlan(t)
	}
	return c.g.planOf(c.dialect, c.peeked.Stream, t)
}

// exchange sends an attempt's request and delivers what comes.
func (c *call) exchange(ctx context.Context, a *attempt, w *watchdog) *llm.Error {
	if c.operation == dialect.Realtime {
		return c.exchangeRealtime(ctx, a, w)
	}
	if len(a.encoded.More) > 0 {
		return c.exchangePieces(ctx, a, w)
	}
	resp, err := c.g.opts.Sender.Send(ctx, c.upstream(a))
	if err != nil {
		return c.sendError(a, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.shown, a.conn, a.unsent = resp.Status, resp.Shown, resp.Conn, resp.Unsent
	if err := c.checkStatus(a, resp); err != nil {
		return err
	}
	if a.plan.raw {
		return c.deliverRaw(a, resp, w)
	}
	if !c.peeked.Stream {
		return c.deliverWhole(a, resp, w)
	}
	if err := c.deliverStream(a, resp, w); err != nil {
		return err
	}
	// Read to its end, the body leaves its connection to the next request; the client
	// has all of its answer already.
	w.begun(maxTailTime, pace{})
	_, _ = io.CopyN(io.Discard, resp.Body, maxTail)
	return nil
}

// What may come after a stream is whole: the end of the body, mostly a moment later.
const (
	maxTail     = 4 << 10
	maxTailTime = 50 * time.Millisecond
)

// sendError classifies a failure before any answer.
func (c *call) sendError(a *attempt, err error) *llm.Error {
	var send *transport.SendError
	e := &llm.Error{Code: llm.CodeUnreachable, Origin: llm.OriginProvider, Message: "The provider could not be reached.", Err: err}
	if errors.As(err, &send) {
		a.repeat, a.idle, a.cause, a.conn = send.MayRepeat(), send.Reused, causeOf(send, a.fresh), send.Conn
		a.unsent = a.repeat || !send.MayHaveArrived()
		if send.Local {
			e.Code, e.Origin, e.RetryAfter = llm.CodeUnavailable, llm.OriginGateway, shedRetryAfter
			e.Message = "The gateway has no resources for another connection now."
		}
	}
	var credential *transport.CredentialError
	if errors.As(err, &credential) {
		a.unsent = true
		e.Message, a.cause = "There is no credential for the provider.", route.CauseCredential
		if credential.Refused {
			e.Code = llm.CodeProviderAuth
		}
	}
	return e
}

// blame puts an error down to what ended the attempt, if something did: a deadline
// that the vendor missed, or the end of the call, which is not the vendor's fault.
func (c *call) blame(ctx context.Context, a *attempt, err *llm.Error) *llm.Error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if context.Cause(ctx) == errOutrun { //nolint:errorlint // it is never wrapped
		return outrun()
	}
	var late *lateError
	if errors.As(context.Cause(ctx), &late) {
		a.cause = late.cause()
		return &llm.Error{Code: llm.CodeTimeout, Origin: llm.OriginProvider, Message: late.Error(), Err: err}
	}
	if ended := c.ended(); ended != nil && err.Status == 0 { // a status is the vendor's own word
		return ended
	}
	return err
}

// maxErrorBody bounds what is read of an error answer.
const maxErrorBody = 64 << 10

// checkStatus lets only a plain success through.
func (c *call) checkStatus(a *attempt, resp *transport.Response) *llm.Error {
	if resp.Status == http.StatusOK || a.plan.raw && resp.Status < 300 {
		return nil
	}
	if resp.Status < 400 {
		return &llm.Error{
			Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Status: resp.Status,
			Message: "The provider answered with a status that is neither success nor error.",
		}
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	a.answer = body
	return c.classify(a, resp, body)
}

// classify names an error answer: by the dialect's codes, then by the rules in the
// provider's facts, and with the vendor's word on when to come back.
func (c *call) classify(a *attempt, resp *transport.Response, body []byte) *llm.Error {
	e := a.plan.dialect.Provider.DecodeError(resp.Status, withKind(body, resp.Header.Get(a.plan.dialect.ErrorTypeHeader)))
	e.Origin = llm.OriginProvider
	c.applyRules(a, e, body)
	a.hideKey(e)
	if !isJSONObject(body) && isPage(resp.Header) {
		a.cause = route.CausePage
	}
	a.noRetry = resp.Header.Get("X-Should-Retry") == "false"
	if wait, ok := transport.RetryAfter(resp.Header, body, resp.Date()); ok {
		e.RetryAfter = wait
	}
	return e
}

// withKind puts the kind of an error, which a header names, where codecs look for it: into the
// body. One that is no object says nothing that would be lost.
func withKind(body []byte, kind string) []byte {
	if kind == "" {
		return body
	}
	doc, err := jsontext.ParseLenient(body)
	if err != nil || doc.Kind() != jsontext.Object {
		doc = jsontext.Value("{}")
	}
	named, err := jsontext.Set(doc, dialect.ExceptionMember, jsontext.AppendString(nil, kind))
	if err != nil {
		return body
	}
	return named
}

func (c *call) applyRules(a *attempt, e *llm.Error, body []byte) {
	rules := a.target.Provider.Facts.Errors
	if len(rules) == 0 {
		return
	}
	message := vendorMessage(body)
	for _, rule := range rules {
		if rule.Matches(e, message) {
			e.Code = rule.Class
			return
		}
	}
}
