package demo

import "github.com/understudy-ai/understudy/internal/fakeprovider"

// fault is one way in which a vendor is broken.
type fault struct {
	kind  string // of package fakeprovider
	title string // in words, at most titleWidth characters
	// unary and stream say which answers it strikes.
	unary, stream bool
	slow          bool // noticed only by waiting
	// rescued says that it strikes streams after their first content: the understudy goes on with
	// what the lead began.
	rescued bool
	// planned says that no vendor is broken: its operator drills or evacuates it.
	planned bool
}

// titleWidth keeps the table of the results within 80 columns.
const titleWidth = 26

// script returns the faults of the show in their order.
func script() []fault {
	faults := []fault{
		{kind: "refused", title: "connection refused"},
		{kind: "reset", title: "connection reset"},
		{kind: "internal-500", title: "500 server error"},
		{kind: "unavailable-retry-503", title: "503 with Retry-After"},
		{kind: "overloaded-529", title: "529 overloaded"},
		{kind: "rate-429-seconds", title: "429 rate limit"},
		{kind: "quota-429", title: "429 quota spent"},
		{kind: "auth-401", title: "401 key revoked"},
		{kind: "hang", title: "hangs, no headers"},
		{kind: "pings-only", title: "pings, but no content"},
		{kind: "error-200", title: "200 with an error inside"},
		{kind: "html-200", title: "200 with an HTML page"},
		{kind: "invalid-json", title: "invalid JSON, not streamed"},
		{kind: "short-length", title: "answer cut, not streamed"},
		{kind: "eof-start", title: "stream ends before content"},
		{kind: "overloaded-start", title: "stream errs before content"},
		{kind: "reset-stream", title: "stream cut in the middle"},
		{kind: "overloaded-stream", title: "stream errs in the middle"},
		{kind: "stall", title: "stream hangs in the middle"},
	}
	known := map[string]fakeprovider.Info{}
	for _, info := range fakeprovider.Faults() {
		known[info.Kind] = info
	}
	for i := range faults {
		info, ok := known[faults[i].kind]
		if !ok {
			panic("BUG: no fault of kind " + faults[i].kind)
		}
		f := &faults[i]
		f.unary, f.stream, f.slow, f.rescued = info.Unary, info.Stream, info.Slow, info.Want == fakeprovider.Rescue
	}
	return faults
}

// strikes reports whether the answers an application waits for can be struck while its lead is
// broken this way.
func (f *fault) strikes(a *clientApp) bool {
	return a.stream && f.stream || !a.stream && f.unary
}
