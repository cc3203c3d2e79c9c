package route

import (
	"net/http"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// Result is how an attempt ended, as far as it says something about its target.
type Result struct {
	// Err is nil for an answer that came whole.
	Err    *llm.Error
	Status int  // the vendor's HTTP status; 0 if no headers came
	Stream bool // the answer was to be streamed
	Cause  Cause
	// Conn tells apart the connections that several requests share: of those that fail with
	// one, the first counts. It is nil for a connection that only this attempt had.
	Conn any
}

// Cause is what is known of an end beyond its code.
type Cause uint8

// The causes.
const (
	CausePlain      Cause = iota // the code says it all
	CauseUnseen                  // the vendor cannot have begun with the request
	CauseUntrusted               // an address or a certificate that cannot be the vendor's
	CauseProxy                   // the proxy on the way, not the vendor
	CauseCredential              // who gives out the credential could not be asked
	CausePage                    // the answer is a page for people, as those in front of vendors send
	CauseSlow                    // it came, but below the route's pace
	CauseExcess                  // far more came than was asked for
	CauseEmpty                   // an answer in which there is nothing
	CauseCalm                    // the vendor asks, in HTTP/2's words, for fewer requests
	CauseObject                  // what the vendor does not have is not the model, but an object or a use that the request is about
	CauseHurried                 // the client gave it less time than the route does
)

// Verdict is what a result means for one breaker.
type Verdict uint8

// The verdicts.
const (
	Uncounted Verdict = iota
	Succeeded
	Soft   // a success that is not worth much: several in a row move traffic away
	Failed // counted: several in a row, or too large a share, open the breaker
	Cooled // not a failure: the vendor wants to be left alone for a while
	Broken // opens at once: asking again can do no better
)

// Effect is what a result means for each of the three breakers an attempt is under.
type Effect struct {
	Endpoint, Model, Credential Verdict
	// Cool is how long what Cooled is left alone: from the first to the second, at random.
	Cool [2]time.Duration
	// Stated says that Cool is the vendor's own word.
	Stated bool
	// Shrink says that the vendor was asked too much at a time.
	Shrink bool
	// Local says that the gateway's own machine failed.
	Local bool
}

// Bounds of a cooldown: less is no pause, and more is not believed without asking again.
const (
	minCool = time.Second
	maxCool = 10 * time.Minute
)

// Cooldowns where the vendor does not say for how long.
var (
	coolLimit    = [2]time.Duration{2 * time.Second, 5 * time.Second}
	coolOverload = [2]time.Duration{5 * time.Second, 30 * time.Second}
)

// EffectOf is the table of what the ends of attempts mean. A client's own error, its leave and
// the gateway's own deadline mean nothing.
func EffectOf(r Result) Effect {
	switch {
	case r.Err == nil && (r.Cause == CauseEmpty || r.Cause == CauseSlow):
		return Effect{Endpoint: Succeeded, Model: Soft, Credential: Succeeded}
	case r.Err == nil:
		return Effect{Endpoint: Succeeded, Model: Succeeded, Credential: Succeeded}
	case r.Err.Code == llm.CodeInternal, r.Err.Code == llm.CodeUnavailable, r.Cause == CauseProxy:
		return Effect{Local: true}
	case r.Err.Origin != llm.OriginProvider:
		return Effect{}
	}
	switch r.Cause {
	case CauseUnseen, CauseObject, CauseHurried:
		return Effect{}
	case CauseUntrusted:
		return Effect{Endpoint: Broken}
	case CauseSlow:
		return Effect{Model: Soft}
	case CauseExcess:
		return Effect{Model: Failed}
	case CauseCalm:
		return cooled(Effect{Model: Cooled, Shrink: true}, r.Err, coolLimit)
	case CauseCredential:
		if r.Err.Code != llm.CodeProviderAuth {
			return Effect{Credential: Failed}
		}
	default:
	}
	return effectOfCode(r)
}

// effectOfCode is EffectOf for what a vendor's failure is named.
func effectOfCode(r Result) Effect {
	switch r.Err.Code {
	case llm.CodeRateLimit:
		e := Effect{Model: Cooled, Shrink: true}
		if r.Cause == CausePage {
			e = Effect{Endpoint: Cooled}
		}
		return cooled(e, r.Err, coolLimit)
	case llm.CodeQuota:
		if r.Err.OfModel {
			return Effect{Model: Broken}
		}
		return Effect{Credential: Broken}
	case llm.CodeProviderAuth:
		switch {
		case r.Status == http.StatusForbidden && r.Cause == CausePage:
			return Effect{Endpoint: Failed}
		case r.Status == http.StatusForbidden: // the key is good for something, perhaps for other models
			return Effect{Model: Broken}
		}
		return Effect{Credential: Broken}
	case llm.CodeModelGone:
		return Effect{Model: Broken}
	case llm.CodeOverloaded:
		const siteOverloaded = 529
		switch {
		case r.Err.Status == http.StatusTooManyRequests:
			return cooled(Effect{Model: Cooled, Shrink: true}, r.Err, coolOverload)
		case r.Err.Status == siteOverloaded || r.Err.Status < 400: // the latter are said inside of a stream
			return cooled(Effect{Endpoint: Failed, Model: Cooled}, r.Err, coolOverload)
		case r.Err.RetryAfter > 0:
			e := cooled(Effect{Endpoint: Cooled}, r.Err, coolOverload)
			e.Stated = false // a limit is known to the second, the end of a fault is a guess
			return e
		}
		return Effect{Endpoint: Failed}
	case llm.CodeServerError:
		if r.Err.Status == http.StatusInternalServerError {
			return Effect{Endpoint: Failed, Model: Failed}
		}
		return Effect{Endpoint: Failed}
	case llm.CodeTimeout:
		return effectOfTimeout(r)
	case llm.CodeOtherModel:
		return Effect{Endpoint: Succeeded, Model: Failed, Credential: Succeeded}
	case llm.CodeUnreachable, llm.CodeBadAnswer, llm.CodeTruncated:
		return Effect{Endpoint: Failed}
	default:
		return Effect{}
	}
}

// effectOfTimeout tells a vendor that does not answer from a model that does not go on.
func effectOfTimeout(r Result) Effect {
	switch {
	case r.Err.Status >= 400: // somebody in front of the vendor said so
		return Effect{Endpoint: Failed}
	case r.Status == 0:
		return Effect{Endpoint: Failed, Model: Failed}
	case r.Stream:
		return Effect{Model: Failed}
	}
	return Effect{Endpoint: Failed}
}

// cooled says for how long: as the vendor does, within bounds, or as is usual.
func cooled(e Effect, err *llm.Error, usual [2]time.Duration) Effect {
	e.Cool = usual
	if err.RetryAfter > 0 {
		d := min(max(err.RetryAfter, minCool), maxCool)
		e.Cool, e.Stated = [2]time.Duration{d, d}, true
	}
	return e
}
