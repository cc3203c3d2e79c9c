package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/internal/frames"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// call is one client request from its opening to its settlement. It belongs to
// the goroutine that serves it; only reply is shared, with the heartbeat.
type call struct {
	g     *Gateway
	id    string
	r     *http.Request
	ctx   life        // ends with the request's context, or before
	stay  func() bool // lets the call outlive the request's context, once it is settled
	start time.Time

	next, previous *call // that run, see running

	dialect   *dialect.Dialect
	operation dialect.Operation
	endpoint  *endpoint
	otherwise *endpoint   // that of a body which endpoint's dialect does not know
	path      named       // what the path names
	framing   frames.Kind // of the client's stream
	caller    access.Caller
	grant     *access.Grant // what the caller may do; everything if nil

	inside   bool         // it has a place in the room,
	weight   atomic.Int64 // and that of its memory
	bodyLeft bool         // of the request, so that nothing may follow it on its connection
	body     []byte
	peeked   dialect.Peeked
	form     form // of an operation that is not translated
	// request is the body decoded, once, when the first translating attempt needs it.
	request *llm.Request

	route    route.Route
	policy   llm.LossPolicy
	deadline time.Time
	onlyOnce bool        // the client forbade every fallback
	hurried  bool        // the client gives the call less time than its route does
	tag      string      // what the client says that the call is for
	total    *time.Timer // ends the call at the deadline; nil before there is one

	trace     Trace // zero if the gateway does not trace
	attempts  []*attempt
	booked    int64                // how many are in the ledger: also one beside another that began too late to go out
	refused   []*attempt           // targets not asked, because they would lose what may not be lost
	place     access.Place         // among the calls of its key that run at once, if it has one
	charged   int64                // tokens that were taken of the key's for the prompt
	claimed   *Replay              // the request, if it must not be made twice
	denied    string               // which limit of the key refused the call
	skipped   []skipped            // targets that were not considered
	purse     purse                // what it has cost, where the route bounds that
	keysTried []*provider.Provider // with which a target was asked, and is to be asked with another
	tags      []string             // that the request requires of a provider
	session   uint64               // tells sessions apart, where that matters; 0 if it does not
	missed    *route.Target        // the lead, if its health keeps it from being the first that is asked
	firstLast int                  // from which of the route's targets on they are out, and tried if no other has answered
	estimated int64                // tokens, where nobody counted them
	reply     reply
	failure   *llm.Error // what the client was told, if not an answer
}

func (g *Gateway) newCall(w http.ResponseWriter, r *http.Request) *call {
	c := &call{g: g, id: g.opts.NewID(), r: r, start: g.opts.Now()}
	asked := r.Context()
	c.stay = transport.AfterFunc(asked, func() { c.ctx.end(context.Cause(asked)) })
	if g.opts.Trace {
		c.trace = traceOf(r.Header, g.opts.Sampled)
	}
	c.dialect = g.opts.Dialects[0] // until it is opened
	c.reply.init(c, w)
	return c
}

// ended says why the call cannot go on: its client left, its time is up, the
// gateway shuts down or has failed. It is nil while the call lives.
func (c *call) ended() *llm.Error {
	var failure *llm.Error
	switch cause := c.ctx.Err(); {
	case cause == nil:
		return nil
	case errors.Is(cause, errShutdown):
		return &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway, Message: "The gateway shuts down. Send the request again."}
	case errors.Is(cause, errTotal):
		return &llm.Error{
			Code: llm.CodeTimeout, Origin: llm.OriginGateway,
			Message: "The answer was not whole within the call's total time of " + c.route.Timeouts.Total.String() + ".",
		}
	case errors.As(cause, &failure):
		return failure
	default:
		return clientGone(cause)
	}
}

func clientGone(cause error) *llm.Error {
	return &llm.Error{Code: llm.CodeClientGone, Origin: llm.OriginClient, Message: "The client left.", Err: cause}
}

// fail tells the client why there is no answer, in its own dialect.
func (c *call) fail(err *llm.Error) {
	if c.failure == nil {
		c.failure = err
	}
	c.reply.fail(err)
}
