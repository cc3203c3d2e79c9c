package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// withMost bounds what a call may cost on every route. Nothing has a price here: a token of the prompt counts as 10
// millionths of a dollar, and one of the answer as 50.
func withMost(most budget.Money) worldOption {
	return func(_ *gateway.Options, w *world) {
		adjust := w.adjust
		w.adjust = func(r *route.Route) {
			if adjust != nil {
				adjust(r)
			}
			r.Most = int64(most)
		}
	}
}

const cent = budget.USD / 100

// capped is a request whose answer may cost a cent, and its prompt two, reckoned as it is beforehand.
func capped(model string, stream bool) map[string]any {
	return body(model, strings.Repeat("Hello ", 640), stream, map[string]any{"max_tokens": 200})
}

// TestCallCostsNoMoreThanItMay: what failed and cost nothing leaves the purse whole, and a request that costs too much
// by itself goes nowhere. A ledger makes no difference.
func TestCallCostsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	for _, more := range [][]worldOption{nil, {withLedger(&notebook{})}} {
		for _, tc := range []struct {
			most   budget.Money
			status int
		}{{4 * cent, http.StatusOK}, {2 * cent, http.StatusTooManyRequests}} {
			w := newWorld(t, append([]worldOption{withMost(tc.most)}, more...)...)
			w.vendors["chat1"].Enqueue(fakeprovider.Reply{Error: &fakeprovider.Error{Status: 503, Type: "some_error", Message: "No."}})
			got := w.post(chatAPI, capped("chat1>claude1", false), nil)
			rec := w.record()
			switch {
			case got.status != tc.status:
				t.Errorf("most %v: got %v, want status %d", tc.most, got, tc.status)
			case tc.status == http.StatusOK:
				if len(rec.Attempts) != 2 || w.count("claude1") != 1 {
					t.Errorf("most %v: got attempts %+v, want one that cost nothing, and one that answered", tc.most, rec.Attempts)
				}
			default:
				want := " USD at chat1/gpt-4o, and a call of this model may cost 0.02 USD. Ask for fewer tokens at most."
				if rec.Code != llm.CodeQuota || len(rec.Attempts) != 0 || w.count("chat1")+w.count("claude1") != 0 || !strings.Contains(string(got.body), want) {
					t.Errorf("most %v: got %v and record %+v, want nobody asked and %q", tc.most, got, rec, want)
				}
			}
		}
	}
}

// TestRescueCostsNoMoreThanItMay: an answer is gone on with if the purse has enough for that, beside what the broken one
// cost.
func TestRescueCostsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		most    budget.Money
		rescues int
	}{{6 * cent, 1}, {cent * 7 / 2, 0}} {
		l := &notebook{}
		w := newWorld(t, withMost(tc.most), withLedger(l))
		w.fail("chat1", "eof-stream")
		got := w.post(chatAPI, capped("chat1>claude1|+chunks-12", true), nil)
		_, clean, failed, _ := ends(chatAPI, got.body)
		if clean != tc.rescues || failed != 1-tc.rescues || clean == 1 && got.text != words(12) || got.text == "" {
			t.Errorf("most %v: got %q with %d ends and %d errors, want %d rescues", tc.most, got.text, clean, failed, tc.rescues)
		}
		if n := w.count("claude1"); n != tc.rescues || len(l.reserved) != 1+n {
			t.Errorf("most %v: got %d requests at the understudy and %d reservations, want %d rescues", tc.most, n, len(l.reserved), tc.rescues)
		}
	}
}

// TestHedgeCostsNoMoreThanTheCallMay: beside an attempt that may cost what the call may, there is no other.
func TestHedgeCostsNoMoreThanTheCallMay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		most   budget.Money
		hedges int
	}{{7 * cent, 1}, {4 * cent, 0}} {
		opts := []worldOption{withMost(tc.most)}
		if tc.hedges > 0 {
			opts = append(opts, onCue(map[string]cue{"chat1": {after: asked("claude1")}}))
		}
		w, l := newHedgingWorld(t, opts...)
		if tc.hedges == 0 {
			w.vendors["chat1"].Enqueue(fakeprovider.Reply{FirstDelay: 3 * hedgeAfter, Text: "Here."})
		}
		got := w.post(chatAPI, capped("chat1>claude1", false), nil)
		if got.status != http.StatusOK || w.count("claude1") != tc.hedges || len(l.reserved) != 1+tc.hedges {
			t.Errorf("most %v: got %v, %d hedges and %d reservations, want %d hedges", tc.most, got, w.count("claude1"), len(l.reserved), tc.hedges)
		}
	}
}
