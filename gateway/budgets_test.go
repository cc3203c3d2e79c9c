package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect/openaichat"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// purse is a ledger in which an account has nothing left.
type purse struct {
	notebook
	empty string
}

func (p *purse) Reserve(ctx context.Context, r *budget.Reservation) (int64, error) {
	for _, account := range r.Payer.Accounts() {
		if account == p.empty {
			return 0, &budget.LimitError{Account: account, Period: budget.Month, Ends: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
		}
	}
	return p.notebook.Reserve(ctx, r)
}

// TestBudgetIsUsedUp refuses in each dialect's own words, which its SDKs do not try again, and asks nobody else what
// the same account would pay; it costs nothing, and the call's record has it (I13).
func TestBudgetIsUsedUp(t *testing.T) {
	for _, tc := range []struct {
		api    api
		route  string
		status int
		want   string
	}{
		{chatAPI, "chat1>claude1", http.StatusTooManyRequests, `"insufficient_quota"`},
		{messagesAPI, "claude1>chat1", http.StatusPaymentRequired, `"billing_error"`},
	} {
		for _, stream := range []bool{false, true} {
			l := &purse{empty: "key:anonymous"}
			w := newWorld(t, func(o *gateway.Options, _ *world) { o.Ledger = l })
			got := w.post(tc.api, body(tc.route, "Who is there?", stream), nil)
			if got.status != tc.status || !strings.Contains(string(got.body), tc.want) || !strings.Contains(string(got.body), "begins anew at 2026-12-01T00:00:00Z") {
				t.Errorf("%s: got status %d and %s, want %d with %s and when it begins anew", tc.api.name, got.status, got.body, tc.status, tc.want)
			}
			if retry := got.header.Get("X-Should-Retry"); retry != "false" {
				t.Errorf("%s: got X-Should-Retry %q, want false", tc.api.name, retry)
			}
			rec := w.record()
			if len(rec.Attempts) != 0 || rec.Code != llm.CodeQuota || len(rec.Over) != 1 || rec.Over[0].Account != "key:anonymous" {
				t.Errorf("%s: got %d attempts, code %q and %v, want none, and the budget recorded once", tc.api.name, len(rec.Attempts), rec.Code, rec.Over)
			}
		}
	}
}

// TestBudgetOfAProvider goes to the next target.
func TestBudgetOfAProvider(t *testing.T) {
	l := &purse{empty: "provider:chat1"}
	w := newWorld(t, func(o *gateway.Options, _ *world) { o.Ledger = l })
	got := w.post(chatAPI, body("chat1>claude1", "Who is there?", false), nil)
	if got.status != http.StatusOK {
		t.Errorf("got status %d and %s, want an answer of the understudy", got.status, got.body)
	}
	if rec := w.record(); len(rec.Attempts) != 1 || !strings.HasPrefix(rec.Attempts[0].Target, "claude1/") || len(rec.Over) != 1 {
		t.Errorf("got attempts %v and %v, want one at the understudy", rec.Attempts, rec.Over)
	}
	got = w.post(chatAPI, body("chat1", "Who is there?", false), nil)
	if got.status != http.StatusTooManyRequests || !strings.Contains(string(got.body), "provider:chat1") {
		t.Errorf("got status %d and %s, want the budget's refusal", got.status, got.body)
	}
}

// short is a ledger in which there is never more than was reserved.
type short struct{ notebook }

func (*short) Extend(context.Context, int64, budget.Tokens) error {
	return &budget.LimitError{Account: "key:anonymous", Period: budget.Month}
}

// TestBudgetRunsOutInAStream ends the answer that a budget has no more for. No other target goes on with it, and the
// provider, whose answer was fine, is asked by whoever comes next.
func TestBudgetRunsOutInAStream(t *testing.T) {
	t.Parallel()
	for _, lead := range []string{"chat1", "claude1"} { // one is relayed, the other translated
		for _, said := range [][]string{{"so ", "much "}, nil} {
			l := &short{}
			h := route.NewHealth(route.HealthOptions{})
			w := newWorld(t, withHealth(h), func(o *gateway.Options, _ *world) { o.Ledger = l })
			w.vendors[lead].Enqueue(fakeprovider.Reply{Parts: append(said, strings.Repeat("more", 20))})
			got := w.post(chatAPI, body(lead+">chat2", "Hello", true, map[string]any{"max_tokens": 5}), nil)
			if _, clean, failed, _ := ends(chatAPI, got.body); said != nil && (clean != 0 || failed != 1 || got.text != "so much ") ||
				!strings.Contains(string(got.body), `"insufficient_quota"`) || !strings.Contains(string(got.body), "The budget of key:anonymous by the month") {
				t.Errorf("%s: got %s, want what it said, and the budget's error", lead, got.body)
			}
			rec := w.record()
			if len(rec.Attempts) != 1 || rec.Code != llm.CodeQuota || w.count("chat2") != 0 || len(rec.Over) == 0 || rec.Over[0].Account != "key:anonymous" {
				t.Errorf("%s: got %+v, want one attempt and nobody else asked", lead, rec)
			}
			for _, s := range h.Snapshot() {
				if s.State != route.StateUp {
					t.Errorf("%s: got %+v, want the provider not blamed", lead, s)
				}
			}
		}
	}
}

// TestReservesTheDearest reserves what an answer costs that is all thinking or all sound, and a prompt that a cache keeps:
// none that keeps to the request's limit costs more than was reserved (P9).
func TestReservesTheDearest(t *testing.T) {
	l := &notebook{}
	w := newWorld(t, withLedger(l), func(_ *gateway.Options, w *world) {
		w.adjust = func(r *route.Route) {
			r.Targets[0].Price = &provider.Price{Input: 3, Output: 10, CacheWrite: 4, CacheWrite1h: 6, Reasoning: 20, AudioOutput: 80}
		}
	})
	const prompt = 400 // tokens, of two letters each
	words := strings.Repeat("7 ", prompt)
	kept := func(ttl string) map[string]any {
		return map[string]any{"messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "text", "text": words, "cache_control": map[string]any{"type": "ephemeral", "ttl": ttl}},
		}}}}
	}
	for _, tc := range []struct {
		name  string
		api   api
		route string
		more  map[string]any
		want  budget.Tokens
	}{
		{"thinking", chatAPI, "chat1", map[string]any{}, budget.Tokens{Fresh: prompt, Reasoning: 50}},
		{"sound", chatAPI, "chat1", map[string]any{"modalities": []string{"text", "audio"}}, budget.Tokens{Fresh: prompt, Output: 50, AudioOut: 50}},
		{"a prompt that is kept", messagesAPI, "claude1", kept("5m"), budget.Tokens{CacheWrite: prompt, Reasoning: 50}},
		{"a prompt that is kept for an hour", messagesAPI, "claude1", kept("1h"), budget.Tokens{Cache1h: prompt, Reasoning: 50}},
	} {
		tc.more["max_tokens"] = 50
		if got := w.post(tc.api, body(tc.route, words, false, tc.more), nil); got.status != http.StatusOK {
			t.Fatalf("%s: got %v, want an answer", tc.name, got)
		}
		r := l.reserved[len(l.reserved)-1]
		cost := func(most budget.Tokens) budget.Money {
			m, err := r.Line.Rates.Cost(most)
			if err != nil {
				t.Errorf("%s: got %+v reserved: %v", tc.name, most, err)
			}
			return m
		}
		answer := func(of budget.Tokens) budget.Tokens {
			return budget.Tokens{Output: of.Output, Reasoning: of.Reasoning, AudioOut: of.AudioOut}
		}
		if got, want := cost(answer(r.Most)), cost(answer(tc.want)); got != want {
			t.Errorf("%s: got %v reserved for the answer, want %v", tc.name, got, want)
		}
		if got, want := cost(r.Most)-cost(answer(r.Most)), cost(tc.want)-cost(answer(tc.want)); got < want {
			t.Errorf("%s: got %v reserved for the prompt, want no less than %v", tc.name, got, want)
		}
	}
}

// TestReservesForAll reserves for as many answers as a request asks for, and for a query with each document.
func TestReservesForAll(t *testing.T) {
	answers := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"created":1,"data":[],"usage":{"input_tokens":10,"output_tokens":1000,"total_tokens":1010}}`)
	}
	l := &notebook{}
	w := newPaidRelayWorld(t, l, answers, fails(503))
	form := strings.ReplaceAll("--b\nContent-Disposition: form-data; name=\"model\"\n\nboth\n--b\nContent-Disposition: form-data; name=\"n\"\n\n4\n--b--\n", "\n", "\r\n")
	const one = 16384 // as where nothing is known of the model
	for _, tc := range []struct {
		path, media, body string
		want              int64
	}{
		{"/v1/images/generations", "application/json", `{"model":"both","prompt":"a boat"}`, 1},
		{"/v1/images/generations", "application/json", `{"model":"both","prompt":"a boat","n":4}`, 4},
		{"/v1/images/edits", "multipart/form-data; boundary=b", form, 4},
		{"/v1/completions", "application/json", `{"model":"both","prompt":["a","b","c"],"n":1,"best_of":5}`, 15},
		{"/v1/completions", "application/json", `{"model":"both","prompt":[101,102,103],"n":2}`, 2},
		{"/v1/completions", "application/json", `{"model":"both","prompt":"a","n":3.0}`, 3},
		{"/v1/completions", "application/json", `{"model":"both","prompt":"a","n":1e18}`, 1000},
	} {
		resp, text := w.do(t, http.MethodPost, tc.path, tc.media, tc.body)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: got status %d and %s, want an answer", tc.body, resp.StatusCode, text)
		}
		<-w.settle
		if got := l.reserved[len(l.reserved)-1].Most.Output; got != tc.want*one {
			t.Errorf("%s: got %d tokens reserved for the answers, want %d times %d", tc.body, got, tc.want, one)
		}
	}

	l = &notebook{}
	ranks := newWorld(t, withLedger(l), withDialect(openaichat.NewRerank(), "/v1/rerank", "jina1", "jina2"))
	query := strings.Repeat("gulls ", 100)
	if got := ranks.post(rerankAPIs[0], rerankBody("jina1", map[string]any{"query": query}), nil); got.status != http.StatusOK {
		t.Fatalf("got %v, want a ranking", got)
	}
	if got := l.reserved[0].Most.Input(); got < 4*100 {
		t.Errorf("got %d tokens reserved for a query of a hundred words with each of four documents, want no less than 400", got)
	}
}
