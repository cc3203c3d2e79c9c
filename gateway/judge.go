package gateway

import (
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// outcome is what an attempt means for the call.
type outcome uint8

const (
	delivered outcome = iota + 1 // the client has its answer, or as much as it will get
	again                        // the same target once more
	next                         // the next target
	giveUp                       // no target would do better
)

// judge decides what follows an attempt. here counts the attempts at its target;
// alone says that the route has no other.
func (c *call) judge(a *attempt, here int, alone bool) outcome {
	if a.err == nil || a.committed {
		return delivered
	}
	if c.ctx.Err() != nil {
		return giveUp
	}
	mayRepeat := here < maxAttemptsTarget && !c.onlyOnce
	switch a.err.Code.Info().Next {
	case llm.RetryOnce:
		if mayRepeat {
			return again
		}
		return next
	case llm.TryNext:
		if mayRepeat && (a.repeat || alone && transient(a.err.Code)) {
			return again
		}
		return next
	case llm.GiveUp:
		// An understudy's objection to what the lead was fit to take says more about the
		// understudy than about the request.
		if len(c.attempts) > 1 && a.err.Origin == llm.OriginProvider {
			return next
		}
		return giveUp
	}
	return giveUp
}

// transient reports whether the same target may well do better a moment later.
// Limits are not transient: asking again is what they forbid.
func transient(code llm.Code) bool {
	return code == llm.CodeServerError || code == llm.CodeUnreachable || code == llm.CodeOverloaded || code == llm.CodeTruncated
}

// verdict is what the client is told when no target answered: the lead's cause,
// unless it is a limit that not all of them share.
func (c *call) verdict() *llm.Error {
	if err := c.ended(); err != nil {
		return err
	}
	tried := c.attempts
	if len(tried) == 0 {
		tried = c.refused
	}
	first := tried[0].err
	if len(tried) == 1 && first.Origin != llm.OriginProvider {
		return first
	}
	e := *first
	if e.HTTPStatus() == 429 {
		for _, a := range tried {
			if a.err.HTTPStatus() != 429 {
				e = llm.Error{Code: llm.CodeOverloaded, Origin: llm.OriginProvider, RetryAfter: first.RetryAfter}
				break
			}
		}
	}
	if e.Message == "" || e.Code.Info().Next != llm.GiveUp {
		e.Message = summary(tried)
	}
	return &e
}

// summary words the attempts, by our classes and never in the vendors' words.
func summary(tried []*attempt) string {
	if len(tried) == 1 {
		return "The provider failed: " + detail(tried) + "."
	}
	return "Every target failed: " + detail(tried) + "."
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
