package gateway

import (
	"context"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// keepModel narrows the targets of a call for vectors to those that are the lead's own
// model: vectors of two models cannot be compared, and whoever mixes them finds nothing
// and is told nothing.
func (c *call) keepModel() { c.route.Targets = c.sameModel(c.route.Targets) }

// sameModel leaves of the targets those that are the first one's model.
func (c *call) sameModel(targets []route.Target) []route.Target {
	kept := []route.Target{targets[0]}
	for _, t := range targets[1:] {
		if t.IsModelOf(targets[0]) {
			kept = append(kept, t)
		} else {
			c.skipped = append(c.skipped, skipped{target: t.Name(), reason: otherModel})
		}
	}
	return kept
}

// otherModel is the class of a target that is skipped for being another model.
const otherModel = "other_model"

// tried lists what was tried by class, as in X-Understudy-Attempts-Detail: the targets
// that were refused, those that were asked, and those that were skipped.
func (c *call) tried() string {
	list := detail(slices.Concat(c.refused, c.attempts))
	for _, s := range c.skipped {
		list += ", " + s.String()
	}
	return strings.TrimPrefix(list, ", ")
}

// checkAnswer finds an answer that does not fit its request: a vector missing would put
// all those behind it in the wrong place.
func checkAnswer(req *llm.Request, answer *llm.Response) *llm.Error {
	bad := &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: llm.CodeBadAnswer.Info().Doc}
	if req.Embed != nil {
		for _, v := range answer.Vectors {
			if len(v.List) != len(req.Embed.Inputs) {
				return bad
			}
		}
	}
	if req.Rerank != nil {
		seen := make([]bool, len(req.Rerank.Documents))
		if top := req.Rerank.TopN; len(answer.Ranking) == 0 && (top == nil || *top > 0) {
			return bad
		}
		for _, r := range answer.Ranking {
			if r.Index < 0 || r.Index >= len(seen) || seen[r.Index] {
				return bad
			}
			seen[r.Index] = true
		}
	}
	return nil
}

// Bounds of a request that goes out in pieces.
const (
	maxRequests    = 256
	maxRequestsNow = 8 // at the same time
)

// exchangePieces sends a request that the target takes only in pieces, and delivers one
// answer made of theirs. It is one attempt: all of them succeed, or it failed.
func (c *call) exchangePieces(ctx context.Context, a *attempt, w *watchdog) *llm.Error {
	bodies := append([][]byte{a.body}, a.encoded.More...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, pieces := make([]*llm.Response, len(bodies)), make([]attempt, len(bodies))
	var failed *attempt // the first
	var once sync.Once
	var wg sync.WaitGroup
	free := make(chan struct{}, maxRequestsNow)
	for i, body := range bodies {
		free <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		p := &pieces[i]
		*p = *a
		p.body = body
		wg.Go(func() {
			defer func() { <-free }()
			p.err = &llm.Error{Code: llm.CodeInternal, Origin: llm.OriginGateway, Message: llm.CodeInternal.Info().Doc}
			defer func() {
				if r := recover(); r != nil {
					c.g.opts.Log.Error("panic", "call", c.id, "panic", r, "stack", string(debug.Stack()))
				}
				if p.err != nil {
					once.Do(func() { failed = p })
					cancel()
				}
			}()
			answers[i], p.err = c.exchangePiece(ctx, p, w)
		})
	}
	wg.Wait()
	a.usage, a.unsent = usageOf(answers), areUnsent(pieces)
	switch {
	case failed != nil:
		a.status, a.answer, a.noRetry, a.shown = failed.status, failed.answer, failed.noRetry, failed.shown
		a.repeat, a.idle, a.cause, a.conn = failed.repeat, failed.idle, failed.cause, failed.conn
		return failed.err
	case slices.Contains(answers, nil): // the call ended in between
		return &llm.Error{Code: llm.CodeUnreachable, Origin: llm.OriginProvider, Message: llm.CodeUnreachable.Info().Doc}
	}
	a.status, a.shown = pieces[0].status, pieces[0].shown
	answer, ok := llm.JoinVectors(answers)
	if !ok {
		return &llm.Error{Code: llm.CodeBadAnswer, Origin: llm.OriginProvider, Message: llm.CodeBadAnswer.Info().Doc}
	}
	return c.deliverResponse(a, answer)
}

// areUnsent reports whether the vendor has had nothing of any piece that was begun.
func areUnsent(pieces []attempt) bool {
	for i := range pieces {
		if p := &pieces[i]; p.body != nil && !p.unsent {
			return false
		}
	}
	return true
}

// usageOf is what the answers that came have used, together.
func usageOf(answers []*llm.Response) (sum llm.Usage) {
	for _, answer := range answers {
		if answer != nil {
			sum = sum.Plus(answer.Usage)
		}
	}
	return sum
}

// exchangePiece sends one piece and reads its answer.
func (c *call) exchangePiece(ctx context.Context, a *attempt, w *watchdog) (*llm.Response, *llm.Error) {
	resp, err := c.g.opts.Sender.Send(ctx, c.upstream(a))
	if err != nil {
		return nil, c.sendError(a, err)
	}
	defer func() { _ = resp.Body.Close() }()
	a.status, a.shown, a.unsent = resp.Status, resp.Shown, resp.Unsent
	if err := c.checkStatus(a, resp); err != nil {
		return nil, err
	}
	body, readErr := c.readAnswer(resp, w)
	if readErr != nil {
		return nil, readErr
	}
	answer, err := a.plan.dialect.Provider.DecodeResponse(body)
	if err != nil {
		return nil, c.answerError(a, resp, body, err)
	}
	return answer, nil
}

// tooManyPieces is the error of a request that would be more requests than one may be.
func tooManyPieces(to dialect.Name) *llm.Error {
	return &llm.Error{
		Code: llm.CodeUnsupported, Origin: llm.OriginGateway,
		Message: "The target's API (" + string(to) + ") takes so few inputs at a time that this would be very many requests. Send fewer at a time.",
	}
}
