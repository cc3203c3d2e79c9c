package gateway

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// race is two attempts of one call, of which the client gets the first that has an answer. The
// goroutine of the call begins and ends both; each runs in one of its own, where it may write to
// the client only after it has won.
type race struct {
	mu     sync.Mutex
	winner *attempt
	in     [2]*attempt
	n      int
}

var errOutrun = errors.New("another target was faster")

func outrun() *llm.Error {
	return &llm.Error{Code: llm.CodeOutrun, Origin: llm.OriginGateway, Message: llm.CodeOutrun.Info().Doc, Err: errOutrun}
}

// join lets an attempt take part, unless the race is over. A nil race has one attempt only.
func (r *race) join(a *attempt) *llm.Error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return outrun()
	}
	r.in[r.n] = a
	r.n++
	return nil
}

// win is called before the first byte of an attempt goes to the client. It ends the other attempt,
// or says that that one was faster.
func (r *race) win(a *attempt) *llm.Error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return outrun()
	}
	r.winner = a
	for _, other := range r.in[:r.n] {
		if other != a {
			other.life.end(errOutrun)
		}
	}
	return nil
}

// mayHedge reports whether the call's first attempt may have another beside it: it generates, leans on
// nothing that one vendor keeps, and has another target that is well.
func (c *call) mayHedge() bool {
	return c.route.Hedge.IsOn() && c.operation == dialect.Generate && c.peeked.Object == "" && !c.onlyOnce &&
		c.firstLast > 1 && len(c.attempts) == 0
}

// repeatable reports whether it does no harm to have the request done twice. What the vendor runs for
// the model may have effects, and a member that no other vendor can have leans on this one's store.
func (c *call) repeatable() bool {
	req, err := c.decoded()
	if err != nil || slices.ContainsFunc(req.Tools, func(t llm.Tool) bool { return t.Opaque != nil }) {
		return false
	}
	own := req.Extra[string(c.dialect.Name)]
	for _, f := range c.dialect.Fields {
		isAsked := func(m llm.Member) bool { return m.Key == f.Path }
		if f.Absolute && slices.ContainsFunc(own, isAsked) {
			return false
		}
	}
	return true
}

// attemptTwo makes the attempt at a target and, if that takes long, another at the next one. It
// returns the one that decides how the call goes on, and where in the route its target is.
func (c *call) attemptTwo(first int) (decides *attempt, at int) {
	h := c.g.opts.Health
	h.EarnHedge(&c.route)
	after, ok := h.HedgeAfter(c.route.Targets[first], c.peeked.Stream, c.route.Hedge)
	if !ok {
		return c.attempt(c.route.Targets[first], manner{}, nil), first
	}
	lead := c.newAttempt(c.route.Targets[first], manner{}, nil)
	if lead.err != nil {
		return lead, first
	}
	lead.race = &race{}
	if !c.begin(lead) {
		c.end(lead)
		return lead, first
	}
	b := &both{c: c, lead: lead, at: first, done: make(chan finished, 2)}
	b.start(lead)
	b.wait(after)
	if b.panic != nil {
		panic(b.panic)
	}
	return b.decides()
}

// both is the two attempts of a race, as the goroutine of the call sees them.
type both struct {
	c           *call
	lead, hedge *attempt
	at, hedgeAt int // where in the route
	running     int
	done        chan finished
	panic       any
}

// finished is an attempt that is over, and what it panicked with.
type finished struct {
	a     *attempt
	panic any
}

func (b *both) start(a *attempt) {
	b.running++
	go func() {
		f := finished{a: a}
		defer func() {
			if f.panic = recover(); f.panic != nil && f.panic != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				_ = b.c.panicked(f.panic)
			}
			b.done <- f
		}()
		b.c.run(a)
	}()
}

// wait returns when no attempt runs any more.
func (b *both) wait(after time.Duration) {
	timer := time.NewTimer(after)
	defer timer.Stop()
	for b.running > 0 {
		select {
		case <-timer.C:
			if a, at := b.c.newHedge(b.lead, b.at); a != nil {
				b.hedge, b.hedgeAt = a, at
				b.start(a)
			}
		case f := <-b.done:
			timer.Stop() // a lead that failed has no other beside it, but the next after it
			b.running--
			b.over(f)
		}
	}
}

// over closes an attempt at once, though the other goes on. A lead that failed for what no other
// target mends ends that one, too.
func (b *both) over(f finished) {
	b.c.end(f.a)
	if f.panic != nil {
		b.panic = f.panic
		b.endOther(f.a)
		return
	}
	if f.a == b.lead && !f.a.committed && f.a.err != nil && f.a.err.Code != llm.CodeOutrun && b.c.judge(f.a, 1, false) == giveUp {
		b.endOther(f.a)
	}
}

func (b *both) endOther(a *attempt) {
	for _, other := range []*attempt{b.lead, b.hedge} {
		if other != nil && other != a {
			other.life.end(errOutrun)
		}
	}
}

// decides is the attempt by which the call goes on: the one that the client has had something of, or
// a lead that failed for all, or the last that failed.
func (b *both) decides() (a *attempt, at int) {
	switch {
	case b.hedge == nil, b.lead.committed, b.lead.err == nil:
		return b.lead, b.at
	case b.hedge.committed, b.hedge.err == nil, b.lead.err.Code == llm.CodeOutrun:
		return b.hedge, b.hedgeAt
	case b.c.judge(b.lead, 1, false) == next, b.c.judge(b.lead, 1, false) == again:
		return b.hedge, b.hedgeAt
	}
	return b.lead, b.at
}

// newHedge begins an attempt at the next target that can take the request, if another is allowed.
func (c *call) newHedge(lead *attempt, at int) (a *attempt, place int) {
	if !c.mayAttempt() || !c.repeatable() {
		return nil, 0
	}
	for i := at + 1; i < c.firstLast && i < len(c.route.Targets); i++ {
		t := c.route.Targets[i]
		made := c.newAttempt(t, manner{}, nil)
		if made.err != nil {
			continue
		}
		made.race, made.hedge = lead.race, true
		if c.g.opts.Health.MayHedge(&c.route, lead.target, c.costBeside(made, lead)) && c.begin(made) {
			return made, i
		}
		if made.err == nil {
			made.err, made.cause = outrun(), route.CauseUnseen // nothing is left to pay for it
		}
		c.end(made)
		return nil, 0
	}
	return nil, 0
}

// costBeside is what an attempt may cost, measured by another; 1 where that is not known.
func (c *call) costBeside(a, lead *attempt) float64 {
	cost := func(a *attempt) float64 {
		if a.target.Price == nil {
			return 0
		}
		rates := budget.RatesAt(&a.target.Provider.Facts, a.target.Price, a.tier)
		usd, err := rates.Cost(c.most(a))
		if err != nil {
			return 0
		}
		return float64(usd)
	}
	one, other := cost(a), cost(lead)
	if one == 0 || other == 0 {
		return 1
	}
	return one / other
}
