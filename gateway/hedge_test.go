package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/dialect/openairesponses"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

const (
	hedgeAfter = 150 * time.Millisecond
	tooLong    = 40 * time.Second // so long that no machine is as slow, and nobody waits
)

// withHedge lets every route hedge as often as it wants.
func withHedge(h route.Hedge) worldOption {
	return func(_ *gateway.Options, w *world) { w.adjust = func(r *route.Route) { r.Hedge = h } }
}

// newHedgingWorld is one in which a target may take its time. What a call may not end by is a deadline.
func newHedgingWorld(t *testing.T, opts ...worldOption) (*world, *notebook) {
	t.Helper()
	l := &notebook{}
	return newWorld(t, append([]worldOption{withHedge(route.Hedge{After: hedgeAfter, Most: 1}), withTimeouts(patient()), withLedger(l)}, opts...)...), l
}

// cue is when a vendor answers, and what: as it would by itself if reply is nil.
type cue struct {
	reply *fakeprovider.Reply
	after moment // at once if nil
}

// moment is something that comes about in a world, whenever that is on a busy machine.
type moment func(*world, *notebook) bool

// asked is when a vendor has a request.
func asked(id string) moment { return func(w *world, _ *notebook) bool { return w.count(id) > 0 } }

// closed is when the attempt at a provider is closed in the books.
func closed(provider string) moment {
	return func(_ *world, l *notebook) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range l.reserved {
			if l.reserved[i].Line.Provider == provider && len(l.settled[int64(i+1)]) > 0 {
				return true
			}
		}
		return false
	}
}

// onCue has vendors answer when their moment has come.
func onCue(cues map[string]cue) worldOption {
	return func(o *gateway.Options, w *world) {
		l, _ := o.Ledger.(*notebook)
		w.script = func(id string, _ fakeprovider.Ask) *fakeprovider.Reply {
			c := cues[id]
			for c.after != nil && w.t.Context().Err() == nil && !c.after(w, l) {
				time.Sleep(time.Millisecond)
			}
			return c.reply
		}
	}
}

// wantCancelled waits until a vendor has noticed that its only request was given up, within a second.
func (w *world) wantCancelled(id string, since time.Time) {
	w.t.Helper()
	eventually(w.t, id+" to be left", func() bool {
		seen := w.vendors[id].Requests()
		return len(seen) == 1 && !seen[0].Cancelled.IsZero()
	})
	if took := w.vendors[id].Requests()[0].Cancelled.Sub(since); took > 2*time.Second {
		w.t.Errorf("%s: got its request given up after %v, want a second at most", id, took)
	}
}

// TestHedgeWins: where the lead takes long, the client gets the answer of the next target, the lead is
// left, and both are in the books once.
func TestHedgeWins(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for _, a := range apis {
		for _, order := range [][2]string{{a.own[0], a.other[0]}, {a.other[0], a.own[0]}, {a.own[0], a.own[1]}} {
			for _, stream := range []bool{false, true} {
				beside.run(t, fmt.Sprintf("%s %s stream %v", a.name, order, stream), func(t *testing.T) {
					w, l := newHedgingWorld(t, onCue(map[string]cue{order[1]: {after: asked(order[0])}}))
					w.vendors[order[0]].Enqueue(fakeprovider.Reply{FirstDelay: tooLong, Text: "Too late."})
					begun := time.Now()
					got := w.post(a, body(order[0]+">"+order[1], "Where is Ada?", stream), nil)
					took := time.Since(begun)
					if !got.whole() || !strings.Contains(got.text, "Where is Ada?") || took > 4*time.Second {
						t.Fatalf("got %v after %v, want the understudy's answer", got, took)
					}
					w.wantCancelled(order[0], begun.Add(took))
					rec := w.record()
					if n := len(rec.Attempts); n != 2 || rec.Code != "" {
						t.Fatalf("got %d attempts and %q, want two and an answer", n, rec.Code)
					}
					lead, hedge := rec.Attempts[0], rec.Attempts[1]
					if lead.Code != llm.CodeOutrun || lead.Committed || lead.Hedge {
						t.Errorf("lead: got %+v, want it outrun", lead)
					}
					if hedge.Code != "" || !hedge.Committed || !hedge.Hedge {
						t.Errorf("understudy: got %+v, want a hedge that answered", hedge)
					}
					if name := got.header.Get(gateway.HeaderTarget); !strings.HasPrefix(name, order[1]) || got.header.Get(gateway.HeaderAttempts) != "2" {
						t.Errorf("got target %q after %s attempts in the headers, want %s after 2", name, got.header.Get(gateway.HeaderAttempts), order[1])
					}
					books := w.books(l)
					if b := books[0]; b.Outcome.Kind != budget.Uncertain || b.Flags != budget.Wasted {
						t.Errorf("lead: got it in the books as %v with flags %b, want uncertain and wasted", b.Outcome.Kind, b.Flags)
					}
					if b := books[1]; b.Outcome.Kind != budget.Posted || b.Flags != budget.Hedge {
						t.Errorf("understudy: got it in the books as %v with flags %b, want posted and a hedge", b.Outcome.Kind, b.Flags)
					}
				})
			}
		}
	}
}

// TestHedgeLoses: a lead that is slow, but faster, is who answers, and the other is left.
func TestHedgeLoses(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	for _, a := range apis {
		for _, stream := range []bool{false, true} {
			beside.run(t, fmt.Sprintf("%s stream %v", a.name, stream), func(t *testing.T) {
				late := fakeprovider.Reply{FirstDelay: hedgeAfter, Text: "Ada is here."}
				w, l := newHedgingWorld(t, onCue(map[string]cue{a.own[0]: {&late, asked(a.other[0])}}))
				w.vendors[a.other[0]].Enqueue(fakeprovider.Reply{FirstDelay: tooLong, Text: "Too late."})
				got := w.post(a, body(a.own[0]+">"+a.other[0], "Where is Ada?", stream), nil)
				if !got.whole() || got.text != "Ada is here." {
					t.Fatalf("got %v, want the lead's answer", got)
				}
				w.wantCancelled(a.other[0], time.Now())
				rec := w.record()
				if len(rec.Attempts) != 2 || rec.Attempts[0].Code != "" || rec.Attempts[1].Code != llm.CodeOutrun || !rec.Attempts[1].Hedge {
					t.Errorf("got attempts %+v, want the lead's and a hedge that was outrun", rec.Attempts)
				}
				if last := rec.Last(); last != &rec.Attempts[0] {
					t.Errorf("got %+v as the attempt that decided, want the lead's", last)
				}
				books := w.books(l)
				if books[0].Outcome.Kind != budget.Posted || books[0].Flags != 0 || books[1].Flags != budget.Wasted|budget.Hedge {
					t.Errorf("got %v with flags %b and %v with %b in the books, want the lead posted and the hedge wasted", books[0].Outcome.Kind, books[0].Flags, books[1].Outcome.Kind, books[1].Flags)
				}
			})
		}
	}
}

// TestHedgeBesideFailures: what one of the two fails with is judged as if it were alone.
func TestHedgeBesideFailures(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	says := func(text string) *fakeprovider.Reply { return &fakeprovider.Reply{Text: text} }
	fails := func(status int) *fakeprovider.Reply {
		return &fakeprovider.Reply{Error: &fakeprovider.Error{Status: status, Type: "some_error", Message: "No."}}
	}
	for _, test := range []struct {
		name        string
		lead, hedge cue
		whole       bool
		status      int
		attempts    []llm.Code
	}{
		{"the lead fails at once", cue{fails(503), nil}, cue{says("Here."), nil}, true, 200, []llm.Code{llm.CodeOverloaded, ""}},
		{"the lead fails beside the hedge", cue{fails(503), asked("claude1")}, cue{says("Here."), closed("chat1")}, true, 200, []llm.Code{llm.CodeOverloaded, ""}},
		{"the lead refuses what is wrong with the request", cue{fails(400), asked("claude1")}, cue{&fakeprovider.Reply{FirstDelay: tooLong}, nil}, false, 400, []llm.Code{llm.CodeInvalidRequest, llm.CodeOutrun}},
		{"the hedge fails", cue{says("Here."), closed("claude1")}, cue{fails(500), nil}, true, 200, []llm.Code{"", llm.CodeServerError}},
		{"the hedge refuses the request", cue{says("Here."), closed("claude1")}, cue{fails(400), nil}, true, 200, []llm.Code{"", llm.CodeInvalidRequest}},
		{"both fail", cue{fails(503), asked("claude1")}, cue{fails(503), nil}, false, 503, []llm.Code{llm.CodeOverloaded, llm.CodeOverloaded}},
	} {
		for _, stream := range []bool{false, true} {
			beside.run(t, fmt.Sprintf("%s stream %v", test.name, stream), func(t *testing.T) {
				w, l := newHedgingWorld(t, onCue(map[string]cue{"chat1": test.lead, "claude1": test.hedge}))
				got := w.post(chatAPI, body("chat1>claude1", "Where is Ada?", stream), nil)
				if got.whole() != test.whole || got.status != test.status || test.whole && got.text != "Here." {
					t.Errorf("got %v, want status %d and an answer: %v", got, test.status, test.whole)
				}
				var codes []llm.Code
				for _, a := range w.record().Attempts {
					codes = append(codes, a.Code)
				}
				if fmt.Sprint(codes) != fmt.Sprint(test.attempts) {
					t.Errorf("got attempts %q, want %q", codes, test.attempts)
				}
				w.books(l)
				if n := w.count("chat1") + w.count("claude1"); n != len(codes) {
					t.Errorf("got %d requests at the vendors, want the %d attempts", n, len(codes))
				}
			})
		}
	}
}

// TestHedgeCostsNoMoreThanItMay: of calls that all take long, as many are hedged as their share is.
func TestHedgeCostsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	const calls = 60
	l := &notebook{}
	// A lead that is outrun before it has its request is not in the vendor's count.
	allAsked := func(w *world, _ *notebook) bool { return int64(w.count("chat1")) >= w.calls.Load() }
	w := newWorld(t, withHedge(route.Hedge{After: 20 * time.Millisecond, Most: 0.05}), withTimeouts(patient()), withLedger(l), withHealth(route.NewHealth(route.HealthOptions{})),
		onCue(map[string]cue{"claude1": {after: allAsked}}))
	for range calls {
		w.vendors["chat1"].Enqueue(fakeprovider.Reply{FirstDelay: 300 * time.Millisecond, Text: "Late."})
	}
	var all sync.WaitGroup
	room := make(chan struct{}, 20)
	for range calls {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if got := w.post(chatAPI, body("chat1>claude1", "Where is Ada?", false), nil); !got.whole() {
				t.Errorf("got %v, want an answer", got)
			}
		})
	}
	all.Wait()
	if n := w.count("claude1"); n < 1 || n > calls/20+1 {
		t.Errorf("got %d of %d calls hedged, want a twentieth", n, calls)
	}
	if n := w.count("chat1"); n != calls {
		t.Errorf("got %d requests at the lead, want %d", n, calls)
	}
}

// TestNoHedge: what leans on a vendor's store or has it run tools is asked of one target.
func TestNoHedge(t *testing.T) {
	t.Parallel()
	var beside together
	defer beside.Wait()
	hosted := map[string]any{"tools": []any{map[string]any{"type": "web_search_20250305", "name": "web_search"}}}
	background := map[string]any{"background": true}
	for _, test := range []struct {
		name   string
		api    api
		model  string
		extra  map[string]any
		header map[string]string
	}{
		{"no fallback", chatAPI, "chat1>chat2", nil, map[string]string{gateway.HeaderFallback: "off"}},
		{"a tool that the vendor runs", messagesAPI, "claude1>claude2", hosted, nil},
		{"an answer in the background", responsesAPI, "resp1>resp2", background, nil},
		{"no understudy", chatAPI, "chat1", nil, nil},
	} {
		beside.run(t, test.name, func(t *testing.T) {
			w, _ := newHedgingWorld(t, withDialect(openairesponses.New(), "/v1/responses", "resp1", "resp2"))
			lead, next, _ := strings.Cut(test.model, ">")
			w.vendors[lead].Enqueue(fakeprovider.Reply{FirstDelay: 4 * hedgeAfter, Text: "Late."})
			w.post(test.api, body(test.model, "Where is Ada?", false, test.extra), test.header)
			if n := len(w.record().Attempts); n != 1 || next != "" && w.count(next) != 0 {
				t.Errorf("got %d attempts, want the lead's", n)
			}
		})
	}
}

// TestHedgeAndAClientThatLeaves: both attempts are given up, and both are in the books.
func TestHedgeAndAClientThatLeaves(t *testing.T) {
	t.Parallel()
	w, l := newHedgingWorld(t)
	for _, id := range []string{"chat1", "claude1"} {
		w.vendors[id].Enqueue(fakeprovider.Reply{FirstDelay: tooLong, Text: "Too late."})
	}
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+chatAPI.path, strings.NewReader(`{"model":"chat1>claude1","stream":true,"messages":[{"role":"user","content":"Where is Ada?"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for (w.count("chat1") == 0 || w.count("claude1") == 0) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		leave()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	left := time.Now()
	w.wantCancelled("chat1", left)
	w.wantCancelled("claude1", left)
	for i, a := range w.record().Attempts {
		if a.Code != llm.CodeClientGone {
			t.Errorf("attempt %d: got %q, want %q", i+1, a.Code, llm.CodeClientGone)
		}
	}
	w.books(l)
}

// TestHedgeThatBreaksIsRescued: the winner of a race breaks off, and another target goes on with its text.
func TestHedgeThatBreaksIsRescued(t *testing.T) {
	t.Parallel()
	w, l := newHedgingWorld(t)
	w.vendors["chat1"].Enqueue(fakeprovider.Reply{FirstDelay: tooLong, Text: "Too late."})
	if err := w.vendors["claude1"].SetFault(&fakeprovider.Fault{Kind: "reset-stream", After: 6}); err != nil {
		t.Fatal(err)
	}
	const text = "Ada is in the garden behind the house and reads a book about engines."
	got := w.post(chatAPI, body("chat1>claude1>chat2", text, true), nil)
	if !got.whole() || strings.Count(got.text, "garden behind the house") != 1 || !strings.Contains(got.text, text) {
		t.Errorf("got %v, want the text once, to its end", got)
	}
	var codes []llm.Code
	for _, a := range w.record().Attempts {
		codes = append(codes, a.Code)
	}
	if want := []llm.Code{llm.CodeOutrun, llm.CodeTruncated, ""}; fmt.Sprint(codes) != fmt.Sprint(want) {
		t.Errorf("got attempts %q, want %q", codes, want)
	}
	w.books(l)
}

// heldLedger holds up the second reservation, that of a hedge, until it is let go.
type heldLedger struct {
	*notebook
	n         atomic.Int64
	held, let chan struct{}
}

func (l *heldLedger) Reserve(ctx context.Context, r *budget.Reservation) (int64, error) {
	if l.n.Add(1) == 2 {
		close(l.held)
		<-l.let
	}
	return l.notebook.Reserve(ctx, r)
}

// TestHedgeThatComesTooLate: a hedge whose reservation takes so long that the lead answers meanwhile is closed in the books,
// where its place is no other attempt's: neither its own nor that of the rescue of the answer.
func TestHedgeThatComesTooLate(t *testing.T) {
	t.Parallel()
	l := &heldLedger{notebook: &notebook{}, held: make(chan struct{}), let: make(chan struct{})}
	w, _ := newHedgingWorld(t, func(o *gateway.Options, _ *world) { o.Ledger = l }, func(_ *gateway.Options, w *world) {
		w.script = func(id string, _ fakeprovider.Ask) *fakeprovider.Reply {
			if id == "chat1" {
				<-l.held
			}
			return nil
		}
	})
	if err := w.vendors["chat1"].SetFault(&fakeprovider.Fault{Kind: "reset-stream", After: 6}); err != nil {
		t.Fatal(err)
	}
	const text = "Ada is in the garden behind the house and reads a book about engines."
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+chatAPI.path, strings.NewReader(`{"model":"chat1>claude1","stream":true,"messages":[{"role":"user","content":"`+text+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	close(l.let) // the client has some of the lead's answer
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), "[DONE]") {
		t.Errorf("got %s, %v want a whole answer", b, err)
	}
	if n := len(w.record().Attempts); n != 2 {
		t.Errorf("got %d attempts that went out, want the lead's and the rescue", n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var booked []string
	for i, r := range l.reserved {
		booked = append(booked, fmt.Sprintf("%d %v", r.Ordinal, l.settled[int64(i+1)][0].Outcome.Kind))
	}
	if want := []string{"1 estimated", "2 void", "3 posted"}; fmt.Sprint(booked) != fmt.Sprint(want) {
		t.Errorf("got %q in the books, want %q", booked, want)
	}
}
