package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

func testTarget(id string) route.Target {
	return route.Target{Provider: &provider.Provider{ID: id}, Model: "m"}
}

func failed(code llm.Code) *llm.Error {
	return &llm.Error{Code: code, Origin: llm.OriginProvider, Message: "vendor " + string(code)}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	ours := &llm.Error{Code: llm.CodeInvalidRequest, Origin: llm.OriginClient}
	local := &llm.Error{Code: llm.CodeUnavailable, Origin: llm.OriginGateway}
	later := failed(llm.CodeOverloaded)
	later.RetryAfter = time.Minute
	for _, test := range []struct {
		name  string
		a     attempt
		here  int // attempts at the target, this one included
		alone bool
		once  bool // the client forbade fallbacks
		gone  bool
		want  outcome
	}{
		{"success", attempt{lead: true}, 1, false, false, false, delivered},
		{"broken after commit", attempt{lead: true, committed: true, err: failed(llm.CodeTruncated)}, 1, false, false, false, delivered},
		{"client gone", attempt{lead: true, err: failed(llm.CodeServerError)}, 1, false, false, true, giveUp},
		{"server error", attempt{lead: true, err: failed(llm.CodeServerError)}, 1, false, false, false, next},
		{"server error, alone", attempt{lead: true, err: failed(llm.CodeServerError)}, 1, true, false, false, again},
		{"server error, alone, twice", attempt{lead: true, err: failed(llm.CodeServerError)}, 2, true, false, false, next},
		{"server error, alone, no fallback", attempt{lead: true, err: failed(llm.CodeServerError)}, 1, true, true, false, next},
		{"server error, alone, not to be retried", attempt{lead: true, noRetry: true, err: failed(llm.CodeServerError)}, 1, true, false, false, next},
		{"overloaded for a minute, alone", attempt{lead: true, err: later}, 1, true, false, false, next},
		{"limit, alone", attempt{lead: true, err: failed(llm.CodeRateLimit)}, 1, true, false, false, next},
		{"stale connection", attempt{lead: true, repeat: true, err: failed(llm.CodeUnreachable)}, 1, false, false, false, again},
		{"stale connection, no fallback", attempt{lead: true, repeat: true, err: failed(llm.CodeUnreachable)}, 1, true, true, false, again},
		{"stale connection, twice", attempt{lead: true, repeat: true, err: failed(llm.CodeUnreachable)}, 2, false, false, false, next},
		{"conflict", attempt{lead: true, err: failed(llm.CodeConflict)}, 1, false, false, false, again},
		{"conflict, twice", attempt{lead: true, err: failed(llm.CodeConflict)}, 2, false, false, false, next},
		{"conflict, no fallback", attempt{lead: true, err: failed(llm.CodeConflict)}, 1, true, true, false, next},
		{"conflict, not to be retried", attempt{lead: true, noRetry: true, err: failed(llm.CodeConflict)}, 1, false, false, false, next},
		{"the lead's objection", attempt{lead: true, err: failed(llm.CodeInvalidRequest)}, 1, false, false, false, giveUp},
		{"the lead's objection at the second try", attempt{lead: true, err: failed(llm.CodeInvalidRequest)}, 2, false, false, false, giveUp},
		{"an understudy's objection", attempt{err: failed(llm.CodeInvalidRequest)}, 1, false, false, false, next},
		{"what only an understudy's translation cannot read", attempt{err: ours}, 0, false, false, false, next},
		{"what the lead's translation cannot read", attempt{lead: true, err: ours}, 0, false, false, false, giveUp},
		{"losses", attempt{lead: true, err: failed(llm.CodeUnsupported)}, 0, false, false, false, next},
		{"no files left", attempt{err: local}, 1, false, false, false, giveUp},
	} {
		c := &call{onlyOnce: test.once}
		if test.gone {
			c.ctx.end(nil)
		}
		if got := c.judge(&test.a, test.here, test.alone); got != test.want {
			t.Errorf("%s: got outcome %d, want %d", test.name, got, test.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	lead := func(code llm.Code) *attempt { return &attempt{target: testTarget("a"), lead: true, err: failed(code)} }
	other := func(code llm.Code) *attempt { return &attempt{target: testTarget("b"), err: failed(code)} }
	unfit := func(id string) *attempt {
		return &attempt{target: testTarget(id), err: &llm.Error{Code: llm.CodeUnsupported, Origin: llm.OriginGateway, Message: id + " cannot carry: n"}}
	}
	for _, test := range []struct {
		name           string
		tried, refused []*attempt
		want           llm.Code
		message        string // a part of it
	}{
		{"one", []*attempt{lead(llm.CodeServerError)}, nil, llm.CodeServerError, "a/m=server_error"},
		{"the lead's cause", []*attempt{lead(llm.CodeOverloaded), other(llm.CodeServerError)}, nil, llm.CodeOverloaded, "b/m=server_error"},
		{"the lead's latest cause", []*attempt{lead(llm.CodeUnreachable), lead(llm.CodeInvalidRequest)}, nil, llm.CodeInvalidRequest, "vendor invalid_request"},
		{"never the understudy's objection", []*attempt{lead(llm.CodeServerError), other(llm.CodeInvalidRequest)}, nil, llm.CodeServerError, "b/m=invalid_request"},
		{"limits everywhere", []*attempt{lead(llm.CodeRateLimit), other(llm.CodeRateLimit)}, nil, llm.CodeRateLimit, ""},
		{"limit and spent quota", []*attempt{lead(llm.CodeRateLimit), other(llm.CodeQuota)}, nil, llm.CodeRateLimit, ""},
		{"a limit and a failure", []*attempt{lead(llm.CodeRateLimit), other(llm.CodeServerError)}, nil, llm.CodeOverloaded, "a/m=rate_limit"},
		{"unfit lead, failing understudy", []*attempt{other(llm.CodeServerError)}, []*attempt{unfit("a")}, llm.CodeServerError, "b/m=server_error"},
		{"failing lead, unfit understudy", []*attempt{lead(llm.CodeRateLimit)}, []*attempt{unfit("b")}, llm.CodeRateLimit, "a/m=rate_limit"},
		{"all unfit", nil, []*attempt{unfit("a"), unfit("b")}, llm.CodeUnsupported, "a cannot carry: n"},
	} {
		c := &call{attempts: test.tried, refused: test.refused}
		if got := c.verdict(); got.Code != test.want || !strings.Contains(got.Message, test.message) {
			t.Errorf("%s: got %v, want %s with %q", test.name, got, test.want, test.message)
		}
	}
}
