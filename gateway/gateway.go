// Package gateway is a request's life: it opens a call, admits it, tries targets
// until one answers, delivers the answer and settles the account. The files
// stand for the steps and are named for them:
//
//	open      endpoint → dialect, operation; the body read once
//	admit     who is calling, and may they; is there room for them (shed)
//	targets   the route, narrowed by what the request allows
//	attempt   per target: plan → prepare → send → judge
//	deliver   commit on the first content; relay or translate to the end
//	rescue    text that broke after that, gone on with by another target
//	settle    usage and outcome, recorded once
//
// Operations that nobody translates read and pick targets in files of their own
// (relayed, realtime) and share the attempts.
//
// It decides when another target is tried and never how a vendor is spoken to:
// that is the dialects', the provider facts' and the transport's business.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/understudy-ai/understudy/access"
	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// Options is what a Gateway is built from.
type Options struct {
	Dialects []*dialect.Dialect
	// Routes finds the targets of a model; Reload replaces it.
	Routes Routes
	Sender Sender
	// Access knows the callers; nil lets everybody call.
	Access *access.Registry
	// Health remembers how targets fare; one of the gateway's own if nil.
	Health *route.Health
	// Ledger has every attempt; nil keeps no books.
	Ledger Ledger
	// Objects remembers which provider keeps what; until the program ends if nil.
	Objects Objects
	// Rates counts what callers have by the minute and at once; in memory if nil.
	Rates Rates
	// Replays remembers requests that must not be made twice; nil refuses them.
	Replays Replays
	// Settle is called once for each call, when it is over.
	Settle func(Record)
	Log    *slog.Logger
	Limits Limits
	// Trace says that calls have a trace, and Sampled which share is recorded of those that begin one.
	Trace   bool
	Sampled float64
	// Now and NewID are the clock and the source of call ids.
	Now   func() time.Time
	NewID func() string
}

// Routes finds a model's route. It is immutable and used concurrently.
type Routes interface {
	// Pick returns the route of a model; of an empty name that of requests which name no
	// model: every provider, in order.
	Pick(model string) (route.Route, bool)
	// Entries lists what a client may ask for, in order.
	Entries() []dialect.ModelEntry
}

// Sender sends one request to a provider. An error is a *transport.SendError or
// the context's.
type Sender interface {
	Send(ctx context.Context, r transport.Request) (*transport.Response, error)
}

// Ledger keeps the books. It may be used concurrently.
type Ledger interface {
	// Reserve writes down that an attempt is about to begin, and returns its number when that
	// is durable. An error is a *budget.LimitError, or wraps budget.ErrUnavailable: then the
	// attempt must not begin.
	Reserve(ctx context.Context, r *budget.Reservation) (attempt int64, err error)
	// Extend reserves more for an attempt that runs: as much as so many tokens cost in all. An error is as that of
	// Reserve: then the attempt must end.
	Extend(ctx context.Context, attempt int64, most budget.Tokens) error
	// Settle closes an attempt that was reserved. It is called once for each, and does not wait.
	Settle(attempt int64, s *budget.Settlement)
}

// Rates counts what callers have by the minute, and how many of their calls run. It may be used concurrently.
type Rates interface {
	Draw(ctx context.Context, d access.Draw) access.Level
	// Enter takes a place among the calls of a key, of which so many may run at once, and reports whether there was
	// one. Leave gives it back.
	Enter(key string, most int64) (access.Place, bool)
	Leave(p access.Place)
}

// Limits bound what one client may cost.
type Limits struct {
	Body        int64         // bytes of a request's body
	BodyTimeout time.Duration // for the body to arrive
	// Heartbeat is the silence after which a streaming client is sent a sign of
	// life, before the first content and between contents.
	Heartbeat time.Duration
	// WriteTimeout is how long a client may refuse to read.
	WriteTimeout time.Duration
	// Calls is how many may run at a time, and Memory how many bytes they may take together, by
	// estimate. What is more is shed. 0 is no limit.
	Calls, Memory int64
	// Text is how many bytes of running streams may be kept together so that other targets can go
	// on with them. A stream that finds no room goes on without. 0 is no limit.
	Text int64
}

// DefaultLimits returns the limits that hold when the config says nothing.
func DefaultLimits() Limits {
	return Limits{Body: 64 << 20, BodyTimeout: 60 * time.Second, Heartbeat: 10 * time.Second, WriteTimeout: 3 * time.Minute, Text: 256 << 20}
}

// Gateway serves the client APIs of all its dialects.
type Gateway struct {
	opts     Options
	claims   claims
	paths    map[string][]*endpoint // endpoints whose paths have no holes
	patterns map[string][]*endpoint // the others, by the first step of their paths, in which none has a hole
	objects  Objects
	lines    lines
	plans    memo[planKey, plan]
	routes   atomic.Pointer[Routes]
	running  running
	room     room
	denials  denials
}

// errShutdown is the cause by which the last calls end when the time to drain is
// over.
var errShutdown = errors.New("the gateway shuts down")

// New builds a gateway. The options must be complete; zero Limits mean
// DefaultLimits.
func New(opts Options) *Gateway {
	if opts.Limits == (Limits{}) {
		opts.Limits = DefaultLimits()
	}
	if opts.Rates == nil {
		opts.Rates = &access.Rates{}
	}
	if opts.Health == nil {
		opts.Health = route.NewHealth(route.HealthOptions{Now: opts.Now, Log: opts.Log})
	}
	g := &Gateway{opts: opts, objects: opts.Objects}
	if g.objects == nil {
		g.objects = &ObjectTable{}
	}
	g.room.maxCalls, g.room.maxMemory, g.room.maxText = opts.Limits.Calls, opts.Limits.Memory, opts.Limits.Text
	g.routes.Store(&opts.Routes)
	g.registerEndpoints()
	return g
}

// Reload replaces the routes for calls that open from now on.
func (g *Gateway) Reload(r Routes) {
	g.routes.Store(&r)
	g.plans.forget() // and the providers that were before
	g.lines.asked.forget()
	g.lines.answers.forget()
}

// Abort ends the calls that still run: streams with an error event, the rest
// with an error answer. Serve no more requests after it.
func (g *Gateway) Abort() { g.running.end(errShutdown) }

// Running is how many calls run. net/http does not count those that are realtime sessions.
func (g *Gateway) Running() int64 { return g.running.count() }

// ServeHTTP serves one client request. A panic below costs only this call.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := g.newCall(w, r)
	g.running.add(c)
	defer g.running.remove(c)
	defer c.settle()
	if err := c.guard(c.serve); err != nil {
		if r.ProtoMajor == 2 { // a stream whose body is left is reset, which some clients (curl 7.88) take for no answer
			c.skipSmallBody()
		}
		c.fail(err)
	}
	if c.reply.cut {
		panic(http.ErrAbortHandler) // net/http's way to break off an answer
	}
}

// guard makes an error of a panic.
func (c *call) guard(serve func() *llm.Error) (err *llm.Error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
			panic(p)
		}
		err = c.panicked(p)
	}()
	return serve()
}

// panicked is the error that a panic of any of the call's goroutines costs it.
func (c *call) panicked(p any) *llm.Error {
	c.g.opts.Log.Error("panic", "call", c.id, "panic", p, "stack", string(debug.Stack()))
	return &llm.Error{Code: llm.CodeInternal, Origin: llm.OriginGateway, Message: "The gateway failed on this request."}
}

// serve is the call's life, in order.
func (c *call) serve() *llm.Error {
	c.boundBody()
	if err := c.open(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	if err := c.checkOrigin(); err != nil {
		return err
	}
	if err := c.enterRates(); err != nil {
		return err
	}
	if err := c.enterRoom(); err != nil {
		return err
	}
	switch {
	case c.operation == dialect.ListModels || c.operation == dialect.GetModel:
		return c.listModels()
	case c.operation == dialect.GetVersion:
		c.reply.send([]byte(c.dialect.Version))
		return nil
	case c.operation == dialect.Realtime:
		return c.serveRealtime()
	case c.operation.IsRelayed():
		return c.serveRelayed()
	}
	if err := c.read(); err != nil {
		return c.relayOther(err)
	}
	if answered, err := c.claim(); answered || err != nil {
		return err
	}
	if err := c.chargePrompt(); err != nil {
		return err
	}
	if err := c.pickTargets(); err != nil {
		return err
	}
	if c.operation == dialect.CountTokens {
		return c.countTokens()
	}
	return c.attemptAll()
}
