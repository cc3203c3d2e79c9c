package budget

import "github.com/understudy-ai/understudy/llm"

// Result is what became of an attempt, as far as money goes.
type Result struct {
	// Sent says that the vendor may have had the request.
	Sent   bool
	Status int // of the vendor's answer; 0 if none came
	// Whole says that the answer ended as it should.
	Whole bool
	// Begun says that content came, and Streamed that the answer was a stream of events.
	Begun, Streamed bool
	Code            llm.Code // why it failed; empty if it did not
	Usage           llm.Usage
	// Input and Output are the gateway's own counts of the prompt and of what it saw of the
	// answer.
	Input, Output int64
}

// Outcome is what the ledger says of an attempt: how sure the tokens are, and how many.
type Outcome struct {
	Kind   Kind
	Tokens Tokens
	// Rejected says that the vendor's own count was impossible, so that the gateway's stands.
	Rejected bool
}

// Outcome finds what a result costs. It is the money column of the table of faults: nothing for
// what the vendor has not run, its own count for a whole answer, the gateway's where the vendor
// gave none or none that can be true, and an uncertain one where nobody knows what it did.
func (r *Result) Outcome() Outcome {
	switch {
	case !r.Sent:
		return Outcome{Kind: Void}
	case r.Whole:
		return r.counted()
	case r.Status == 0:
		return r.guessed(Uncertain)
	case r.Status == 200 && r.Begun:
		return r.guessed(Estimated)
	case r.Status == 200:
		return r.silent()
	case isUncertain(r.Status):
		return r.guessed(Uncertain)
	default:
		return Outcome{Kind: Void}
	}
}

// silent is a success that came to no content.
func (r *Result) silent() Outcome {
	switch {
	case r.Streamed && r.Code != llm.CodeTimeout && r.Code != llm.CodeClientGone && r.Code != llm.CodeOutrun:
		return r.guessed(Estimated)
	case r.Code == llm.CodeTimeout, r.Code == llm.CodeClientGone, r.Code == llm.CodeOutrun, r.Code == llm.CodeTruncated,
		r.Code == llm.CodeBadAnswer, r.Code == llm.CodeInternal, r.Code == llm.CodeUnavailable:
		return r.guessed(Uncertain)
	default: // an error in the place of an answer, as if it had a status of its own
		return Outcome{Kind: Void}
	}
}

// isUncertain reports whether a status leaves open whether the vendor ran the request: a time-out
// or a break behind a proxy, or a success without an answer.
func isUncertain(status int) bool {
	switch status {
	case 101, 201, 202, 203, 204, 205, 206, 408, 499, 502, 504, 524:
		return true
	}
	return false
}

// counted is a whole answer: by the vendor's count, if it can be true. What that leaves out of the prompt is the gateway's.
func (r *Result) counted() Outcome {
	t, kind := TokensOf(r.Usage), Posted
	if r.Usage.InUntold {
		t.Fresh, kind = clamp(r.Input), Estimated
	}
	switch {
	case !r.Usage.Known:
		o := r.guessed(Estimated)
		o.Rejected = r.Usage.Absurd && r.Output > 0
		return o
	case !t.isSane() || r.isAbsurd(t):
		o := r.guessed(Estimated)
		o.Rejected = true
		return o
	}
	return Outcome{Kind: kind, Tokens: t}
}

// Bounds of what a vendor may count of what the gateway sees otherwise: ten times as much, and
// some more, since thinking, tools and instructions of the vendor's own are not seen.
const (
	absurdTimes = 10
	absurdMore  = 200_000
)

// isAbsurd reports whether the vendor's count has little to do with what passed through.
func (r *Result) isAbsurd(t Tokens) bool {
	return t.Input() > r.Input*absurdTimes+absurdMore || t.All() > r.Output*absurdTimes+absurdMore ||
		t.All() == 0 && r.Output > 0 || t.Input() == 0 && r.Input > 0
}

// guessed is by the gateway's own count, or by the vendor's where that was higher and can be
// true: it may have told of the prompt before it broke off.
func (r *Result) guessed(kind Kind) Outcome {
	t := Tokens{Fresh: clamp(r.Input), Output: clamp(r.Output)}
	told := TokensOf(r.Usage)
	if r.Usage.Known && told.isSane() && !r.isAbsurd(told) {
		if told.Input() > 0 {
			out := t.Output
			t = told
			t.Output = max(told.Output, out-told.Reasoning, 0)
		}
	}
	return Outcome{Kind: kind, Tokens: t}
}

func clamp(n int64) int64 { return min(max(n, 0), MaxTokens) }
