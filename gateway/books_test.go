package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/transport"
)

// notebook is a ledger in memory.
type notebook struct {
	mu       sync.Mutex
	reserved []budget.Reservation
	at       []time.Time // when each was promised
	settled  map[int64][]budget.Settlement
	refuse   error
}

func (l *notebook) Reserve(_ context.Context, r *budget.Reservation) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return 0, l.refuse
	}
	l.reserved, l.at = append(l.reserved, *r), append(l.at, time.Now())
	return int64(len(l.reserved)), nil
}

func (l *notebook) Extend(context.Context, int64, budget.Tokens) error { return nil }

func (l *notebook) Settle(n int64, s *budget.Settlement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.settled == nil {
		l.settled = map[int64][]budget.Settlement{}
	}
	l.settled[n] = append(l.settled[n], *s)
}

func withLedger(l *notebook) worldOption { return func(o *gateway.Options, _ *world) { o.Ledger = l } }

// books checks that every attempt of the latest call is in the ledger once, and returns how each was closed.
func (w *world) books(l *notebook) []budget.Settlement {
	w.t.Helper()
	rec := w.record()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.reserved) != len(rec.Attempts) {
		w.t.Errorf("got %d reservations, want one for each of %d attempts", len(l.reserved), len(rec.Attempts))
	}
	var all []budget.Settlement
	for i := range l.reserved {
		s := l.settled[int64(i+1)]
		if len(s) != 1 {
			w.t.Fatalf("attempt %d: got %d settlements, want one", i+1, len(s))
		}
		if got := l.reserved[i].Ordinal; got != int64(i+1) {
			w.t.Errorf("attempt %d: got ordinal %d", i+1, got)
		}
		all = append(all, s[0])
	}
	return all
}

// vendorsHad is how many requests the vendors saw; none before it was promised.
func (w *world) vendorsHad(l *notebook) int {
	w.t.Helper()
	n := 0
	for id, v := range w.vendors {
		for _, seen := range v.Requests() {
			n++
			first := -1
			for i := range l.reserved {
				if l.reserved[i].Line.Provider == id {
					first = i
					break
				}
			}
			if first < 0 || seen.Time.Before(l.at[first]) {
				w.t.Errorf("%s had a request at %v, want none before its reservation is durable", id, seen.Time)
			}
		}
	}
	return n
}

// TestMoney holds faults to the money column of the table of faults: what the first attempt is closed as (A69).
func TestMoney(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for _, tc := range []struct {
		fault  string
		stream bool
		want   budget.Kind
	}{
		{"", false, budget.Posted},
		{"", true, budget.Posted},
		{"refused", false, budget.Void},
		{"reset-early", false, budget.Uncertain},
		{"redirect-307", false, budget.Void},
		{"invalid-400", false, budget.Void},
		{"auth-401", false, budget.Void},
		{"model-404", false, budget.Void},
		{"timeout-408", false, budget.Uncertain},
		{"conflict-409", false, budget.Void},
		{"quota-429", false, budget.Void},
		{"closed-499", false, budget.Uncertain},
		{"internal-500", false, budget.Void},
		{"bad-gateway-502", false, budget.Uncertain},
		{"unavailable-503", false, budget.Void},
		{"gateway-timeout-504", false, budget.Uncertain},
		{"overloaded-529", false, budget.Void},
		{"drop-stream", true, budget.Estimated},
		{"reset-stream", true, budget.Estimated},
		{"eof-stream", true, budget.Estimated},
		{"eof-utf8", true, budget.Estimated},
		{"stall", true, budget.Estimated},
		{"pings-only", true, budget.Uncertain},
		{"usage-twice", true, budget.Posted},
		{"done-twice", true, budget.Posted},
		{"lost", true, budget.Posted},
	} {
		if tc.fault != "" && !hasFault(tc.fault) {
			continue
		}
		beside.run(t, strings.TrimSuffix(fmt.Sprintf("%s-%v", tc.fault, map[bool]string{true: "stream", false: "whole"}[tc.stream]), "-"), func(t *testing.T) {
			l := &notebook{}
			w := newWorld(t, withLedger(l), withTimeouts(impatient()))
			if tc.fault != "" {
				w.fail("chat1", tc.fault)
			}
			w.post(chatAPI, body("chat1>claude1", "Who is there?", tc.stream), nil)
			all := w.books(l)
			first := all[0]
			if first.Outcome.Kind != tc.want {
				t.Errorf("got %v %+v (status %d, code %q), want %v", first.Outcome.Kind, first.Outcome.Tokens, first.Status, first.Code, tc.want)
			}
			if in := first.Outcome.Tokens.Fresh; (in > 0) != (tc.want != budget.Void) {
				t.Errorf("got %d tokens of the prompt in an attempt that is %v", in, tc.want)
			}
			if tc.want == budget.Estimated && first.Outcome.Tokens.Output == 0 {
				t.Errorf("got no tokens of the answer, want what the client had")
			}
			sent := 0
			for _, s := range all {
				if s.Outcome.Kind != budget.Void || s.Status > 0 {
					sent++
				}
			}
			if had := w.vendorsHad(l); had != sent {
				t.Errorf("got %d requests at the vendors, want the %d that the ledger has", had, sent)
			}
		})
	}
}

// TestMoneyOfUntrueCounts has a vendor leave its count out, or count what cannot be true: the gateway's own count of the whole
// answer stands, and what cannot be true is told of (C18, C19, S82, S104).
func TestMoneyOfUntrueCounts(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for _, tc := range []struct {
		name, fault string
		usage       *fakeprovider.Usage
		want        bool // it is told of
	}{
		{name: "missing", fault: "no-usage"},
		{name: "negative", fault: "usage-negative", want: true},
		{name: "zeros", fault: "usage-zero", want: true},
		{name: "1e18", fault: "usage-huge", want: true},
		{name: "far too many", usage: &fakeprovider.Usage{Input: 9, Output: 300_000}, want: true},
		{name: "nothing for an answer", usage: &fakeprovider.Usage{Input: 9}, want: true},
	} {
		for _, how := range []struct {
			id     string // one is relayed, the other translated
			stream bool
		}{{"chat1", false}, {"claude1", false}, {"chat1", true}, {"claude1", true}} {
			id := how.id
			beside.run(t, fmt.Sprintf("%s-%s-%t", tc.name, id, how.stream), func(t *testing.T) {
				l := &notebook{}
				w := newWorld(t, withLedger(l), func(_ *gateway.Options, w *world) {
					w.script = func(string, fakeprovider.Ask) *fakeprovider.Reply {
						return &fakeprovider.Reply{Text: "You said: Who is there? That is all.", Usage: tc.usage}
					}
				})
				if tc.fault != "" {
					w.fail(id, tc.fault)
				}
				got := w.post(chatAPI, body(id, "Who is there?", how.stream), nil)
				o := w.books(l)[0].Outcome
				if got.status != http.StatusOK || o.Kind != budget.Estimated || o.Rejected != tc.want {
					t.Errorf("got status %d, %v and rejected %v, want an answer of an estimated cost", got.status, o.Kind, o.Rejected)
				}
				if in, out := o.Tokens.Fresh, o.Tokens.Output; in < 5 || in > 40 || out < 8 || out > 16 {
					t.Errorf("got %d tokens of the prompt and %d of the answer %s, want about as many as there are", in, out, got.body)
				}
				told, noted := strings.Contains(w.log.String(), "cannot be true"), w.record().Attempts[0].Rejected
				if told != tc.want || noted != tc.want {
					t.Errorf("got it told: %v, and in the record: %v; want %v", told, noted, tc.want)
				}
			})
		}
	}
}

// made answers in a provider's place, without asking it.
type made struct {
	gateway.Sender
	provider, body string
	status         int
}

func (m made) Send(ctx context.Context, r transport.Request) (*transport.Response, error) {
	if r.Provider.ID != m.provider {
		return m.Sender.Send(ctx, r)
	}
	return &transport.Response{
		Status: m.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(m.body)), Unsent: true,
	}, nil
}

// TestMadeUpCostsNothing: an answer that somebody before the transport makes up is no vendor's, whatever it looks
// like, and comes with the purpose of the request.
func TestMadeUpCostsNothing(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		stream bool
	}{{502, "<html>", false}, {504, "", true}, {200, `{"choices": [`, false}, {200, "{", true}, {429, "{}", false}} {
		l := &notebook{}
		w := newWorld(t, withLedger(l), func(o *gateway.Options, _ *world) { o.Sender = made{o.Sender, "chat1", tc.body, tc.status} })
		got := w.post(chatAPI, body("chat1>claude1", "Who is there?", tc.stream), nil)
		all := w.books(l)
		if got.status != 200 || all[0].Outcome.Kind != budget.Void || all[len(all)-1].Outcome.Kind != budget.Posted {
			t.Errorf("%d %q: got status %d and %v, want the made-up answer void and the understudy's posted", tc.status, tc.body, got.status, all)
		}
	}
}

func hasFault(kind string) bool {
	for _, f := range fakeprovider.Faults() {
		if f.Kind == kind {
			return true
		}
	}
	return false
}

// A69: TestA69WastedIsCountedOnce tells what no client has had from what one has, and marks a rescue.
func TestA69WastedIsCountedOnce(t *testing.T) {
	l := &notebook{}
	w := newWorld(t, withLedger(l))
	w.fail("chat1", "bad-gateway-502")
	w.post(chatAPI, body("chat1>claude1", "Who is there?", false), nil)
	all := w.books(l)
	if last := len(all) - 1; !all[0].Flags.Has(budget.Wasted) || all[last].Flags.Has(budget.Wasted) {
		t.Errorf("got flags %v, want the first wasted and the last not", all)
	}

	l = &notebook{}
	w = newWorld(t, withLedger(l))
	w.fail("chat1", "reset-stream")
	w.post(chatAPI, body("chat1>claude1", "Who is there?", true), nil)
	all = w.books(l)
	if len(all) != 2 || all[0].Flags != 0 || all[1].Flags != budget.Rescue {
		t.Errorf("got %+v, want a broken attempt that the client had some of, and a rescue", all)
	}
}

// TestLedgerRefuses sends nothing that could not be written down (I5).
func TestLedgerRefuses(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		want   string
	}{
		{budget.ErrUnavailable, http.StatusServiceUnavailable, "ledger"},
		{&budget.LimitError{Account: "team:a", Period: budget.Day}, http.StatusTooManyRequests, "The budget of team:a by the day"},
	} {
		l := &notebook{refuse: tc.err}
		w := newWorld(t, withLedger(l))
		got := w.post(chatAPI, body("chat1>claude1", "Who is there?", false), nil)
		if got.status != tc.status || !strings.Contains(string(got.body), tc.want) {
			t.Errorf("%v: got status %d and %s, want %d and %q", tc.err, got.status, got.body, tc.status, tc.want)
		}
		if n := w.vendorsHad(l); n != 0 {
			t.Errorf("%v: got %d requests at the vendors, want none", tc.err, n)
		}
	}
}

// TestReservation says what is reserved, of whom, and at which price.
func TestReservation(t *testing.T) {
	l := &notebook{}
	w := newWorld(t, withLedger(l))
	got := w.post(chatAPI, body("chat1", "Who is there?", false), map[string]string{gateway.HeaderTag: "nightly"})
	w.books(l)
	r := l.reserved[0]
	if r.Line.Provider != "chat1" || r.Line.Model != "gpt-4o" || r.Line.Asked != "chat1" || r.Line.Caller != "anonymous" || r.Line.Tag != "nightly" || r.Line.Operation != "generate" {
		t.Errorf("got line %+v, want that of the call", r.Line)
	}
	if !r.Line.Rates.Assumed || r.Most.Output != 512 || r.Most.Fresh < 20 {
		t.Errorf("got %+v at %+v reserved, want the limit of the request at the cap", r.Most, r.Line.Rates)
	}
	if r.Call != got.header.Get(gateway.HeaderCall) {
		t.Errorf("got call %s, want %s", r.Call, got.header.Get(gateway.HeaderCall))
	}
	for _, tag := range []string{strings.Repeat("x", 65), "ä"} {
		if got := w.post(chatAPI, body("chat1", "Who is there?", false), map[string]string{gateway.HeaderTag: tag}); got.status != http.StatusBadRequest {
			t.Errorf("tag %q: got status %d, want 400", tag, got.status)
		}
	}
}

// TestClientLeaves settles an attempt whose client is gone (I9, S81).
func TestClientLeaves(t *testing.T) {
	l := &notebook{}
	w := newWorld(t, withLedger(l), withTimeouts(patient()))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+chatAPI.path,
		strings.NewReader(`{"model":"chat1|+chunks-200+delay-20ms","stream":true,"messages":[{"role":"user","content":"Go on."}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resp.Body.Read(make([]byte, 200)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = resp.Body.Close()
	all := w.books(l)
	if s := all[0]; s.Outcome.Kind != budget.Estimated || s.Outcome.Tokens.Output == 0 || s.Outcome.Tokens.Output > 200 {
		t.Errorf("got %v of %+v, want what the client had, estimated", s.Outcome.Kind, s.Outcome.Tokens)
	}
}

// TestPriceOfWhoAnswered takes the price of the model that answered, where it has one of its own.
func TestPriceOfWhoAnswered(t *testing.T) {
	l := &notebook{}
	w := newWorld(t, withLedger(l), withFacts(func(f *provider.Facts) {
		f.Models = []provider.Model{{ID: "cheap-model", Price: &provider.Price{Input: 1, Output: 2}}}
	}, "chat1"))
	w.fail("chat1", "model-differs")
	w.post(chatAPI, body("chat1", "Who is there?", false), nil)
	s := w.books(l)[0]
	if s.Line == nil || s.Line.Model != "cheap-model" || s.Line.Rates.Input != 1e12 {
		t.Errorf("got line %+v, want that of the model that answered", s.Line)
	}
}

// TestModelThatChanges passes on a stream whose vendor names another model in the middle of it (D31): told in the
// trailer, flagged, and at the price of the one named last.
func TestModelThatChanges(t *testing.T) {
	t.Parallel()
	l := &notebook{}
	priced := func(f *provider.Facts) {
		f.Models = []provider.Model{{ID: "other-model", Price: &provider.Price{Input: 1, Output: 2}}}
	}
	w := newWorld(t, withTimeouts(patient()), withLedger(l), withDialect(openairesponses.New(), "/v1/responses", "resp1", "resp2"), withFacts(priced, "chat1", "resp1"))
	for _, lead := range []string{"chat1", "resp1"} {
		w.fail(lead, "model-change")
		for _, a := range []api{chatAPI, messagesAPI, responsesAPI} {
			got := w.post(a, body(lead+">claude1", "Who is there?", true), nil)
			if !got.whole() || got.header.Get(gateway.HeaderAnswered) != "" || got.trailer.Get(gateway.HeaderAnswered) != "other-model" {
				t.Errorf("%s to %s: got %v, trailer %v, want a whole answer and the model in its trailer", lead, a.name, got, got.trailer)
			}
			if r := w.record().Attempts[0]; !r.Other || r.Answered != "other-model" {
				t.Errorf("%s to %s: got the attempt %+v, want another model's", lead, a.name, r)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.reserved {
		s := l.settled[int64(i+1)][0]
		if s.Line == nil || s.Line.Model != "other-model" || s.Line.Rates.Input != 1e12 || !s.Flags.Has(budget.Other) {
			t.Errorf("got flags %v and line %+v, want the model flagged that was named last, at its price", s.Flags, s.Line)
		}
	}
}

// TestMoneyOfWhatIsNotCounted estimates the texts that vectors are made of, and an answer that comes whole where a stream was
// asked for.
func TestMoneyOfWhatIsNotCounted(t *testing.T) {
	t.Parallel()
	l, text := &notebook{}, strings.Repeat("many words ", 100)
	w := embedWorld(t, withLedger(l), func(o *gateway.Options, _ *world) {
		o.Sender = always("application/json", `{"object":"list","model":"gpt-4o","data":[{"object":"embedding","index":0,"embedding":[1,2]}]}`)
	})
	openai := embedAPIs()[0]
	w.embed(openai, openai.id(), []string{text})
	if o := w.books(l)[0].Outcome; o.Kind != budget.Estimated || o.Tokens.Fresh < 150 || o.Tokens.Fresh > 300 {
		t.Errorf("got %+v, want about the 200 words of the text", o)
	}
	l = &notebook{}
	w = newWorld(t, withLedger(l), func(o *gateway.Options, _ *world) {
		o.Sender = always("application/json", `{"id":"x","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"`+text+`"},"finish_reason":"stop"}]}`)
	})
	got := w.post(chatAPI, body("chat1", "Hello", true), nil)
	if o := w.books(l)[0].Outcome; !got.whole() || o.Kind != budget.Estimated || o.Tokens.Output < 150 || o.Tokens.Output > 300 {
		t.Errorf("got %v and %+v, want an answer of about 200 words", got, o)
	}
}
