package gateway

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// Record is what a call came to. Attempts lists every request that went out to a
// provider, in order.
type Record struct {
	Call      string
	Caller    string
	Dialect   dialect.Name
	Operation dialect.Operation
	Model     string // as the client asked
	Stream    bool
	Start     time.Time
	Duration  time.Duration
	Status    int      // HTTP status the client got, or would have if it had not left
	Code      llm.Code // why there was no whole answer; empty if there was
	Trace     Trace    // zero if the gateway does not trace
	Attempts  []AttemptRecord
	// Refused lists the targets that were not asked, because they would have lost what may not be lost.
	Refused []RefusedTarget
	// Denied names the limit of the caller's key that refused the call: requests, tokens or concurrent.
	Denied string
	// Over lists the budgets that had too little left for an attempt.
	Over []*budget.LimitError
}

// Last is the attempt that decided what became of the call: the last that no other was faster than.
// It is nil if there was none.
func (r *Record) Last() *AttemptRecord {
	for i := len(r.Attempts) - 1; i >= 0; i-- {
		if r.Attempts[i].Code != llm.CodeOutrun {
			return &r.Attempts[i]
		}
	}
	return nil
}

// RefusedTarget is a target that was not asked.
type RefusedTarget struct {
	Target string // provider/model
	Code   llm.Code
	Param  string // what of the request is at fault, where known
}

// AttemptRecord is one request to a provider.
type AttemptRecord struct {
	Target       string // provider/model
	Vendor       string // the provider's, as OpenTelemetry's conventions name it
	Answered     string // the model that the vendor says answered
	Other        bool   // which is not the one that was asked
	Mode         Mode
	Start        time.Time
	Duration     time.Duration
	FirstContent time.Duration // since Start; 0 if none came
	Status       int           // the vendor's HTTP status; 0 if none
	Code         llm.Code      // why it failed; empty if it did not
	Committed    bool          // the client has had content from it
	Hedge        bool          // it was asked beside another that took long
	Rescue       bool          // it was asked to go on with what another attempt began
	Usage        llm.Usage
	ServiceTier  string // of the vendor's service, at which it was served; empty for the usual one
	Rejected     bool   // that cannot be true: the ledger has the gateway's own count
	Losses       []llm.Loss
	Span         [8]byte // in the call's trace
}

// settle ends the call: whatever became of it, it is recorded once.
func (c *call) settle() {
	c.reply.stop()
	if c.total != nil {
		c.total.Stop()
	}
	c.stay()
	c.ctx.end(nil)
	c.leaveRoom()
	c.leaveRates()
	c.settleClaim()
	for _, a := range c.attempts {
		c.counted(a)
	}
	rec := c.record()
	if c.denied == "" || c.g.denials.isSample(c.caller.Key, rec.Start) {
		c.logRecord(rec)
	}
	if c.g.opts.Settle != nil {
		c.g.opts.Settle(rec)
	}
}

func (c *call) record() Record {
	now := c.g.opts.Now()
	rec := Record{
		Call: c.id, Caller: c.caller.Name, Dialect: c.dialect.Name, Operation: c.operation,
		Model: c.peeked.Model, Stream: c.peeked.Stream, Start: c.start, Duration: now.Sub(c.start),
		Status: c.reply.status, Over: c.over(), Denied: c.denied, Trace: c.trace,
	}
	switch {
	case c.failure != nil:
		rec.Code = c.failure.Code
	case c.reply.err != nil:
		rec.Code = llm.CodeClientGone
	}
	for _, a := range c.attempts {
		r := AttemptRecord{
			Target: a.name, Vendor: cmp.Or(a.target.Provider.Facts.Vendor, a.target.Provider.ID), Answered: a.model, Other: a.other, Mode: a.plan.mode, Start: a.start,
			Duration: a.end.Sub(a.start), Status: a.status, Committed: a.committed, Hedge: a.hedge, Rescue: a.rescue != nil, Usage: a.usage, ServiceTier: a.servedTier(), Rejected: a.outcome.Rejected,
			Losses: a.losses, Span: a.span,
		}
		if !a.firstContent.IsZero() {
			r.FirstContent = a.firstContent.Sub(a.start)
		}
		if a.err != nil {
			r.Code = a.err.Code
		}
		rec.Attempts = append(rec.Attempts, r)
	}
	for _, a := range c.refused {
		rec.Refused = append(rec.Refused, RefusedTarget{a.name, a.err.Code, a.err.Param})
	}
	return rec
}

// over lists the budgets that had too little left for an attempt, or for all of its answer.
func (c *call) over() (all []*budget.LimitError) {
	for _, list := range [][]*attempt{c.refused, c.attempts} {
		for _, a := range list {
			if a.err == nil {
				continue
			}
			var over *budget.LimitError
			if errors.As(a.err.Err, &over) {
				all = append(all, over)
			}
		}
	}
	return all
}

// keyAttr says with which of its provider's keys a target was asked, from 1; nothing if there is one.
func keyAttr(t route.Target) slog.Attr {
	if len(t.Provider.Keys) == 0 {
		return slog.Attr{}
	}
	return slog.Int("key", t.Provider.Slot+1)
}

// attemptAttrs are what the line of an attempt says.
func (c *call) attemptAttrs(i int) []slog.Attr {
	a := c.attempts[i]
	code, cause := slog.Attr{}, slog.Attr{}
	if a.err != nil {
		code, cause = slog.String("code", string(a.err.Code)), slog.Any("cause", a.err.Err)
		if a.err.Err != nil && mentions(a.err.Err.Error(), a.shown) {
			cause = slog.String("cause", "[redacted]")
		}
	}
	return []slog.Attr{
		slog.String("call", c.id), slog.Int("attempt", i+1), slog.String("provider", a.target.Provider.ID), slog.String("model", a.target.Model),
		slog.String("mode", string(a.plan.mode)), code, slog.Int("status", a.status),
		slog.Int64("ms", since(a.start, a.end)), slog.Bool("committed", a.committed), cause, keyAttr(a.target),
	}
}

// logRecord writes a line for the call and one for each attempt. That of a call's only attempt, if it succeeded, is for
// who debugs: the call's line says as much. No body and no key is ever in them.
func (c *call) logRecord(rec Record) {
	ctx, log := c.r.Context(), c.g.opts.Log
	well := slog.LevelInfo
	if len(c.attempts) == 1 {
		well = slog.LevelDebug
	}
	for i, a := range c.attempts {
		if a.guessed {
			log.LogAttrs(ctx, slog.LevelWarn, "nobody knows what the service tier costs, and a multiple of the usual price stands", slog.String("call", c.id),
				slog.Int("attempt", i+1), slog.String("provider", a.target.Provider.ID), slog.String("model", a.target.Model),
				slog.String("tier", a.servedTier()))
		}
		if a.outcome.Rejected {
			log.LogAttrs(ctx, slog.LevelWarn, "the provider's count of tokens cannot be true, and the gateway's own stands", slog.String("call", c.id),
				slog.Int("attempt", i+1), slog.String("provider", a.target.Provider.ID), slog.String("model", a.target.Model),
				slog.Int64("input", a.usage.Input()), slog.Int64("output", a.usage.Output()))
		}
		switch {
		case a.err == nil:
			if log.Enabled(ctx, well) {
				log.LogAttrs(ctx, well, "attempt", c.attemptAttrs(i)...)
			}
		case a.err.Code == llm.CodeOutrun: // as it was meant
			log.LogAttrs(ctx, slog.LevelInfo, "attempt failed", c.attemptAttrs(i)...)
		default:
			log.LogAttrs(ctx, slog.LevelWarn, "attempt failed", c.attemptAttrs(i)...)
		}
	}
	level, code := slog.LevelInfo, string(rec.Code)
	if rec.Code != "" && rec.Code.Info().Status >= 500 {
		level = slog.LevelWarn
	}
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 16),
		slog.String("call", c.id), slog.String("caller", rec.Caller), slog.String("dialect", string(rec.Dialect)),
		slog.String("operation", string(rec.Operation)), slog.String("model", rec.Model), slog.Bool("stream", rec.Stream),
		slog.Int("status", rec.Status), slog.Int64("ms", rec.Duration.Milliseconds()), slog.Int("attempts", len(rec.Attempts)))
	if code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	if last := rec.Last(); last != nil {
		attrs = append(attrs, slog.String("target", last.Target), slog.String("mode", string(last.Mode)),
			slog.Int64("in", last.Usage.Input()), slog.Int64("out", last.Usage.Output()))
		if last.ServiceTier != "" {
			attrs = append(attrs, slog.String("tier", last.ServiceTier))
		}
		if last.Other {
			attrs = append(attrs, slog.String("answered", last.Answered))
		}
		if len(last.Losses) > 0 {
			attrs = append(attrs, slog.String("loss", llm.FormatLosses(last.Losses, maxHeader)))
		}
	}
	if len(c.refused) > 0 {
		attrs = append(attrs, slog.String("refused", detail(c.refused)))
	}
	if c.estimated > 0 {
		attrs = append(attrs, slog.Int64("estimated", c.estimated))
	}
	for _, s := range c.skipped {
		attrs = append(attrs, slog.String("skipped", s.String()))
	}
	// Not by the logger, which would find out on every call which line this is.
	line := slog.NewRecord(rec.Start.Add(rec.Duration), level, "call", 0)
	line.AddAttrs(attrs...)
	_ = log.Handler().Handle(ctx, line) // nobody is there to hear that a log cannot be written
}
