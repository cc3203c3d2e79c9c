package gateway

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/transport"
)

// skipped is a target that a call did not consider, and why, in one word.
type skipped struct {
	target, reason string
	wait           time.Duration // until it may be tried again; 0 if that is not known
}

// String is the form of logs and headers.
func (s skipped) String() string { return s.target + "=" + s.reason }

// order puts the targets in the order in which they are to be tried, without those that are not. A
// count of tokens is for the lead's model alone.
func (c *call) order() *llm.Error {
	c.firstLast = len(c.route.Targets)
	if c.operation == dialect.CountTokens {
		return nil
	}
	var buf [4]route.Choice
	choices := c.g.opts.Health.Order(buf[:0], &c.route, c.ask())
	n, asItWas := 0, true
	for i := range choices {
		s := &choices[i]
		if s.Skip == "" {
			n++
			asItWas = asItWas && s.Target == &c.route.Targets[i] && s.Provider == s.Target.Provider
		}
		out := cmp.Or(s.Skip, s.Last)
		if out != "" {
			c.firstLast = min(c.firstLast, i)
		}
		switch out {
		case route.ReasonOpen, route.ReasonProbing, route.ReasonCooling, route.ReasonFull:
			if s.Target == &c.route.Targets[0] {
				c.missed = s.Target
			}
		default:
		}
		if out = cmp.Or(out, s.Behind); out != "" {
			c.skipped = append(c.skipped, skipped{s.Target.Name(), string(out), s.Wait})
		}
	}
	if n == 0 {
		return notNow(choices)
	}
	if !asItWas || n < len(c.route.Targets) {
		targets := make([]route.Target, n)
		for i := range targets {
			targets[i] = *choices[i].Target
			targets[i].Provider = choices[i].Provider
		}
		c.route.Targets = targets
	}
	return nil
}

// isLast reports whether a target is out, and tried since no other has answered.
func (c *call) isLast(t route.Target) bool { return slices.Index(c.route.Targets, t) >= c.firstLast }

// isAlone reports whether no other target would do better than the one that is tried.
func (c *call) isAlone() bool { return len(c.route.Targets) == 1 || c.firstLast == 1 }

// notNow is the error of a call for which no target may be tried: when to come back, and why.
func notNow(choices []route.Choice) *llm.Error {
	e := &llm.Error{Code: llm.CodeRateLimit, Origin: llm.OriginGateway}
	reasons := make([]string, len(choices))
	never := 0
	for i := range choices {
		s := &choices[i]
		reasons[i] = s.Target.Name() + "=" + string(s.Skip)
		switch s.Skip {
		case route.ReasonTags:
			never++
		case route.ReasonCooling:
		default:
			e.Code = llm.CodeOverloaded
		}
		if s.Wait > 0 && (e.RetryAfter == 0 || s.Wait < e.RetryAfter) {
			e.RetryAfter = s.Wait
		}
	}
	if never == len(choices) {
		return &llm.Error{
			Code: llm.CodeUnsupported, Origin: llm.OriginClient, Param: HeaderRequire,
			Message: "No target of the model has all the tags that the request requires.",
		}
	}
	e.Message = "No target can take the request now: " + strings.Join(reasons, ", ") + "."
	return e
}

// comeBack is how long until a target that was not asked for its health may be; 0 if there is none.
func (c *call) comeBack() time.Duration {
	least := time.Duration(0)
	earlier := func(d time.Duration) {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	for _, s := range c.skipped {
		earlier(s.wait)
	}
	for _, a := range c.refused {
		if a.refused != "" {
			earlier(a.err.RetryAfter)
		}
	}
	return least
}

// enter asks the target's health for the leave to make an attempt.
func (c *call) enter(a *attempt) *llm.Error {
	n := len(c.attempts)
	pass, refusal := c.g.opts.Health.Enter(a.target, route.Entry{
		Retry: n > 0 && c.attempts[n-1].target == a.target,
		Last:  c.isLast(a.target),
	})
	a.pass, a.refused = pass, refusal.Reason
	if a.refused == "" {
		c.skipped = slices.DeleteFunc(c.skipped, func(s skipped) bool { return s.target == a.target.Name() })
		return nil
	}
	return notNow([]route.Choice{{Target: &a.target, Skip: refusal.Reason, Wait: refusal.Wait}})
}

// refusal is what the client is told when no target was asked: the reason of the first, or, if it
// was their health that let none be asked, when to come back.
func (c *call) refusal() *llm.Error {
	var choices []route.Choice
	for _, a := range c.refused {
		if a.refused == "" {
			return a.err
		}
		choices = append(choices, route.Choice{Target: &a.target, Skip: a.refused, Wait: a.err.RetryAfter})
	}
	return notNow(choices)
}

// mayRepeat turns the next try at the same target into one at the next where the target's budget of
// retries is used up. To send anew what a closed connection did not take is no retry.
func (c *call) mayRepeat(a *attempt, o outcome) outcome {
	isFree := a.repeat && a.idle
	if o == again && !isFree && !c.g.opts.Health.MayRetry(a.target) {
		return next
	}
	return o
}

// otherKey puts another of the provider's keys in the place of the one that was refused or has used up
// what it may; the target is then asked with that before the next one is. It reports whether there is
// another.
func (c *call) otherKey(a *attempt) bool {
	if len(a.target.Provider.Keys) == 0 || c.onlyOnce || a.refused == "" && !isOfKey(a.err.Code) {
		return false
	}
	place := slices.Index(c.route.Targets, a.target)
	c.keysTried = append(c.keysTried, a.target.Provider)
	other := c.g.opts.Health.OtherKey(a.target, c.keysTried)
	if place < 0 || other == nil {
		return false
	}
	c.route.Targets = slices.Clone(c.route.Targets) // they may be the route's own
	c.route.Targets[place].Provider = other
	return true
}

// isOfKey reports whether a failure is the key's, so that another may do better.
func isOfKey(code llm.Code) bool {
	switch code {
	case llm.CodeProviderAuth, llm.CodeQuota, llm.CodeRateLimit:
		return true
	default:
		return false
	}
}

// result is what an attempt says of its target's health.
func (c *call) result(a *attempt) route.Result {
	r := route.Result{Err: a.err, Status: a.status, Stream: c.peeked.Stream, Cause: a.cause}
	if a.err != nil && (a.err.Code == llm.CodeTruncated || a.err.Code == llm.CodeUnreachable) && transport.IsLost(a.err.Err) {
		r.Conn = a.conn
	}
	if a.err != nil && (a.err.Code == llm.CodeModelGone && c.isOfObject(a) || isOfModel(a) && c.isBeside(a)) {
		r.Cause = route.CauseObject
	}
	return r
}

// isOfObject reports whether what the vendor does not have may be something that the request names.
func (c *call) isOfObject(a *attempt) bool {
	return a.err.OfObject || c.operation.Keeps() || a.target.Model == "" || len(filesIn(c.body)) > 0 || namedContainer.Match(c.body)
}

// namedContainer is a container of a vendor's that a request goes on with, by its id alone or beside what else it has.
var namedContainer = regexp.MustCompile(`"container"\s*:\s*(?:"|\{(?:[^{}]*[{,\s])?"id"\s*:\s*")`)

// isOfModel reports whether an attempt failed since its vendor does not have the model, or not for this key.
func isOfModel(a *attempt) bool {
	return a.err.Code == llm.CodeModelGone || a.err.Code == llm.CodeProviderAuth && a.status == http.StatusForbidden && a.cause != route.CausePage
}

// isBeside reports whether the model was asked for something other than what it is for: that it does not
// do that says nothing of what others ask of it.
func (c *call) isBeside(a *attempt) bool {
	m, _ := a.target.Provider.Model(a.target.Model)
	return c.operation != cmp.Or(m.Operation, dialect.Generate)
}

// causeOf is what the transport knows of a failure. Asked anew on a fresh connection, a vendor that
// still does not begin has failed.
func causeOf(e *transport.SendError, fresh bool) route.Cause {
	switch {
	case e.Phase == transport.PhaseProxy:
		return route.CauseProxy
	case e.Untrusted():
		return route.CauseUntrusted
	case e.Calm():
		return route.CauseCalm
	case e.MayRepeat() && !fresh:
		return route.CauseUnseen
	default:
		return route.CausePlain
	}
}

// isPage reports whether an answer is a page for people.
func isPage(h http.Header) bool { return mediaOf(h) == "text/html" }
