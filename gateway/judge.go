package gateway

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// outcome is what an attempt means for the call.
type outcome uint8

const (
	delivered outcome = iota + 1 // the client has its answer, or as much as it will get
	again                        // the same target once more
	unsealed                     // likewise, without what it cannot read
	next                         // the next target
	giveUp                       // no target would do better
)

// judge decides what follows an attempt. here counts the attempts at its target;
// alone says that the route has no other.
func (c *call) judge(a *attempt, here int, alone bool) outcome {
	if a.err == nil || a.committed {
		return delivered
	}
	if a.refused != "" {
		return next
	}
	if c.ctx.Err() != nil || isShared(a.err) {
		return giveUp
	}
	room := here < maxAttemptsTarget
	if a.err.Sealed && room && !c.onlyOnce && a.holdsSealed() {
		return unsealed
	}
	mayRetry := room && !c.onlyOnce && !a.noRetry
	switch a.err.Code.Info().Next {
	case llm.RetryOnce:
		if mayRetry {
			return again
		}
		return next
	case llm.TryNext:
		if room && a.repeat || mayRetry && alone && transient(a.err) {
			return again
		}
		return next
	case llm.GiveUp:
		// An understudy's objection to what the lead was fit to take says more about the
		// understudy than about the request. What the gateway lacks, it lacks for all.
		if !a.lead && a.err.Code != llm.CodeUnavailable && a.err.Code != llm.CodeLedger {
			return next
		}
		if c.missed != nil && (a.err.Code == llm.CodeInvalidRequest || a.err.Code == llm.CodeNotImplemented) {
			return next // it is an understudy, though the first that was asked
		}
		if place := slices.Index(c.route.Targets, a.target); place >= 0 && a.err.Code == llm.CodeContextLength && c.after(place, a) < len(c.route.Targets) {
			return next
		}
		return giveUp
	}
	return giveUp
}

// after is the place of the target that is to be tried after an attempt at the one at place. A prompt that its
// vendor has found too long is given only to one that is known to take longer ones.
func (c *call) after(place int, a *attempt) int {
	for place++; place < len(c.route.Targets); place++ {
		room, more := a.target.MaxInput, c.route.Targets[place].MaxInput
		switch {
		case a.err.Code != llm.CodeContextLength, room > 0 && more > room, !a.lead && (room == 0 || more == 0):
			return place
		}
	}
	return place
}

// holdsSealed reports whether the attempt's request has something that its vendor once
// signed or sealed.
func (a *attempt) holdsSealed() bool {
	if a.unsealed || a.plan.dialect == nil || a.plan.dialect.Unseal == nil {
		return false
	}
	_, losses, err := a.plan.dialect.Unseal(a.body)
	return err == nil && len(losses) > 0
}

// transient reports whether the same target may well do better a moment later.
// Limits are not transient: asking again is what they forbid.
func transient(err *llm.Error) bool {
	if err.RetryAfter > 0 {
		return false // that is when it may do better
	}
	switch err.Code {
	case llm.CodeServerError, llm.CodeUnreachable, llm.CodeOverloaded, llm.CodeTruncated:
		return true
	default:
		return false
	}
}

// verdict is what the client is told when no target answered: the lead's cause,
// unless it is a limit that not all of them share, or the client can help it.
func (c *call) verdict() *llm.Error {
	if err := c.ended(); err != nil {
		return err
	}
	if len(c.attempts) == 0 {
		return c.refusal()
	}
	for _, a := range c.attempts { // with the whole conversation, the target could have answered
		if a.err.Code == llm.CodeUnsupported && c.dialect.Resends(a.err.Param) {
			return a.err
		}
	}
	cause := c.leadAttempt().err
	if len(c.attempts) == 1 && cause.Origin != llm.OriginProvider {
		return cause
	}
	e := *cause
	if e.HTTPStatus() == 429 {
		for _, a := range c.attempts {
			if a.err.HTTPStatus() != 429 {
				e = llm.Error{Code: llm.CodeOverloaded, Origin: llm.OriginProvider, RetryAfter: cause.RetryAfter}
				break
			}
		}
	}
	if e.RetryAfter == 0 && e.Code.Info().Next != llm.GiveUp {
		e.RetryAfter = c.comeBack()
	}
	if e.Message == "" || e.Code.Info().Next != llm.GiveUp {
		e.Message = summary(c.attempts)
	}
	return &e
}

// leadAttempt is the latest attempt at the lead, or at the first target that was asked if the lead was not.
func (c *call) leadAttempt() *attempt {
	lead := c.attempts[0]
	for _, a := range c.attempts[1:] {
		if a.lead || c.missed != nil && a.target.IsSame(*c.missed) {
			lead = a
		}
	}
	return lead
}

// summary words the attempts, by our classes and never in the vendors' words.
func summary(tried []*attempt) string {
	for _, a := range tried {
		if a.target != tried[0].target {
			return "Every target failed: " + detail(tried) + "."
		}
	}
	return "The provider failed: " + detail(tried) + "."
}

// detail lists attempts by class, as in X-Understudy-Attempts-Detail.
func detail(attempts []*attempt) string {
	var b strings.Builder
	for i, a := range attempts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.target.Name() + "=" + a.class())
	}
	return b.String()
}

// class is the attempt's outcome in one word.
func (a *attempt) class() string {
	if a.err == nil {
		return "ok"
	}
	if a.refused != "" {
		return string(a.refused)
	}
	return string(a.err.Code)
}

// vendorMessage finds the prose of an error body in the places where vendors put
// it, for rules that compare how it begins.
func vendorMessage(body []byte) string {
	v, err := jsontext.ParseLenient(body)
	if err != nil {
		return ""
	}
	for _, path := range [][]string{{"error", "message"}, {"message"}, {"error"}, {"detail"}} {
		if text, err := v.Get(path...).Text(); err == nil {
			return text
		}
	}
	return ""
}
