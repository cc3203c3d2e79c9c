package gateway_test

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/route"
)

// ward is a world whose health has a clock of the test's own, and draws lots evenly.
type ward struct {
	*world
	later atomic.Int64
	drawn atomic.Int64
}

func newWard(t *testing.T, opts ...worldOption) *ward {
	t.Helper()
	w := &ward{}
	began := time.Now()
	h := route.NewHealth(route.HealthOptions{
		Now: func() time.Time { return began.Add(time.Duration(w.later.Load())) },
		Random: func() float64 {
			_, part := math.Modf(float64(w.drawn.Add(1)) * 0.6180339887)
			return part
		},
	})
	w.world = newWorld(t, append([]worldOption{withTimeouts(patient()), withHealth(h)}, opts...)...)
	return w
}

func (w *ward) pass(d time.Duration) { w.later.Add(int64(d)) }

func (w *ward) hello(model string) *answer {
	w.t.Helper()
	return w.post(chatAPI, body(model, "Hello", false), nil)
}

// state is that of a model at a provider; of the only one that was asked there.
func (w *ward) state(id string) route.TargetState {
	for _, s := range w.health.Snapshot() {
		if s.Provider == id && s.Model != "" {
			return s
		}
	}
	return route.TargetState{}
}

// TestOutage: when a vendor is down, calls soon go to the understudy without touching it; then one
// probe at a time, and its traffic comes back step by step (F19, F25, F33).
func TestOutage(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.fail("chat1", "unavailable-503")
	for i := range 20 {
		if got := w.hello("chat1>claude1"); !got.whole() || i >= 5 && got.header.Get("X-Understudy-Attempts") != "1" {
			t.Fatalf("call %d: got %v, want the understudy's answer, and its alone once the breaker is open", i, got)
		}
	}
	if got := w.count("chat1"); got != 5 {
		t.Errorf("got %d requests to the lead in 20 calls, want 5", got)
	}
	w.record()
	if !strings.Contains(w.log.String(), `skipped="chat1/gpt-4o=open"`) {
		t.Error("got nothing in the log about the lead that was skipped")
	}

	w.pass(8 * time.Second)
	if err := w.vendors["chat1"].SetFault(&fakeprovider.Fault{Kind: "hang", Hold: 300 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { w.hello("chat1>claude1") })
	}
	wg.Wait()
	if got := w.count("chat1"); got != 6 {
		t.Errorf("got %d requests to the lead by ten calls at once, want one probe more than 5", got)
	}
	w.mend("chat1")
	w.pass(8 * time.Second)
	w.hello("chat1>claude1")
	if got := w.state("chat1").State; got != route.StateRamping {
		t.Fatalf("got the lead %s after a probe that succeeded, want it ramping", got)
	}
	const calls = 60
	for _, share := range []float64{0.10, 0.25, 0.50, 1} {
		before := w.count("chat1")
		for range calls {
			w.hello("chat1>claude1")
		}
		if got, want := float64(w.count("chat1")-before)/calls, share; math.Abs(got-want) > 0.05 {
			t.Errorf("got %.0f %% of the traffic at the lead on its way back, want %.0f %%", 100*got, 100*want)
		}
		w.pass(5 * time.Second)
	}
}

// TestEffects: what each fault of the catalogue does to its target's health: rows A to D of the
// table of faults (F11, F15, F34).
func TestEffects(t *testing.T) {
	t.Parallel()
	const (
		never  = 0
		atOnce = 1
		fifth  = 5
	)
	type effect struct {
		scope route.Scope
		after int
		state route.State
	}
	endpoint := effect{route.ScopeEndpoint, fifth, route.StateOut}
	model := effect{route.ScopeModel, fifth, route.StateOut}
	gone := effect{route.ScopeModel, atOnce, route.StateOut}
	credential := effect{route.ScopeCredential, atOnce, route.StateOut}
	cooling := effect{route.ScopeModel, atOnce, route.StateCooling}
	siteCooling := effect{route.ScopeEndpoint, atOnce, route.StateCooling}
	nothing := effect{"", never, route.StateUp}
	quick := newWard(t)
	slow := newWard(t, withTimeouts(route.Timeouts{Connect: time.Minute, FirstToken: 150 * time.Millisecond, Stall: 150 * time.Millisecond, Total: time.Minute}))
	for kind, want := range map[string]effect{
		"reset-early": endpoint, "close-early": endpoint, "huge-headers": endpoint,
		"invalid-400": nothing, "spend-limit-400": credential, "context-400": nothing, "content-filter-400": nothing,
		"unsupported-400": nothing, "auth-401": credential, "billing-402": credential, "permission-403": gone,
		"model-404": gone, "gone-410": gone, "method-405": nothing, "timeout-408": endpoint, "conflict-409": nothing,
		"large-413": nothing, "unprocessable-422": nothing, "early-425": endpoint, "quota-429": credential,
		"concurrency-429": cooling, "rate-429-seconds": cooling, "closed-499": endpoint, "internal-500": endpoint,
		"not-implemented-501": nothing, "gateway-timeout-504": endpoint, "unavailable-503": endpoint,
		"unavailable-retry-503": siteCooling, "overloaded-529": cooling, "teapot-418": nothing, "unknown-599": endpoint,
		"reset-stream": endpoint, "eof-stream": endpoint, "overloaded-stream": endpoint, "rate-stream": cooling, "quota-stream": credential,
		"stall": model, "hang": endpoint, "silent": model, "pings-only": model, "eof-event": endpoint, "tool-cut": endpoint,
	} {
		var info fakeprovider.Info
		for _, f := range fakeprovider.Faults() {
			if f.Kind == kind {
				info = f
			}
		}
		if info.Kind == "" {
			t.Errorf("%s: got no such fault", kind)
			continue
		}
		w := quick
		if info.Slow {
			w = slow
		}
		w.health.Keep(nil)
		w.fail("chat1", kind)
		got := nothing
		for i := range fifth {
			w.post(chatAPI, body("chat1>claude1", "Hello", info.Stream && (info.Slow || !info.Unary)), nil)
			w.record()
			if s := w.state("chat1"); s.State != route.StateUp {
				got = effect{s.Scope, i + 1, s.State}
				break
			}
		}
		if got != want {
			t.Errorf("%s %v: got %+v, want %+v", kind, info.Rows, got, want)
		}
	}
}

// TestComeBack: however a vendor words when to come back, its target cools for so long, and when no
// target is left the client is told (F10, F11).
func TestComeBack(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for _, test := range []struct {
		kind        string
		least, most time.Duration
	}{
		{"seconds", 7 * time.Second, 7 * time.Second},
		{"fraction", time.Second, time.Second},
		{"date", 6 * time.Second, 7 * time.Second},
		{"past-date", time.Second, time.Second},
		{"skewed-date", 6 * time.Second, 7 * time.Second},
		{"ms", time.Second, time.Second},
		{"x-ms", time.Second, time.Second},
		{"reset-tokens", 6 * time.Minute, 6 * time.Minute},
		{"reset-long", 10 * time.Minute, 10 * time.Minute},
		{"text", 20 * time.Second, 20 * time.Second},
		{"disagree", 9 * time.Second, 9 * time.Second},
		{"day", 10 * time.Minute, 10 * time.Minute},
		{"none", 2 * time.Second, 5 * time.Second},
		{"negative", 2 * time.Second, 5 * time.Second},
		{"nan", 2 * time.Second, 5 * time.Second},
		{"exponent", 2 * time.Second, 5 * time.Second},
		{"overflow", 2 * time.Second, 5 * time.Second},
		{"empty", 2 * time.Second, 5 * time.Second},
		{"list", 2 * time.Second, 5 * time.Second},
		{"retryinfo", 30 * time.Second, 40 * time.Second},
	} {
		w.health.Keep(nil)
		w.fail("chat1", "rate-429-"+test.kind)
		before := w.count("chat1")
		if got := w.hello("chat1>claude1"); !got.whole() {
			t.Errorf("%s: got %v, want the understudy's answer at once", test.kind, got)
		}
		w.record()
		s := w.state("chat1")
		if s.State != route.StateCooling || s.Wait < test.least || s.Wait > test.most {
			t.Errorf("%s: got the lead %s for %v, want it cooling for %v to %v", test.kind, s.State, s.Wait, test.least, test.most)
		}
		if test.least <= 5*time.Second {
			continue // for as long as nobody has said, the last target is asked
		}
		got := w.hello("chat1")
		seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
		want := min(test.most, time.Minute) // of the last target more is not believed
		if got.status != http.StatusTooManyRequests || err != nil || time.Duration(seconds)*time.Second > want || w.count("chat1") != before+1 {
			t.Errorf("%s: got %v, Retry-After %d, want 429 without another request and at most %v", test.kind, got, seconds, want)
		}
		if got.header.Get("X-Should-Retry") != "" {
			t.Errorf("%s: got X-Should-Retry %q, want the client's SDK to come back at the vendor's time", test.kind, got.header.Get("X-Should-Retry"))
		}
	}
}

// TestObjectionOfAStandIn: what an understudy objects to is not the request's fault while the lead is left alone
// either, so that a target that is well is asked before the client is told. A refusal of its content policy is told.
func TestObjectionOfAStandIn(t *testing.T) {
	t.Parallel()
	for kind, heard := range map[string]bool{"invalid-400": false, "unsupported-400": false, "unprocessable-422": false, "method-405": false, "content-filter-400": true} {
		w := newWard(t)
		w.fail("chat1", "rate-429-seconds")
		w.fail("claude1", kind)
		for call, leads := range []int{1, 1} {
			got := w.hello("chat1>claude1>chat2")
			switch {
			case call == 0 && kind == "content-filter-400": // the lead was asked, and the next target is
			case got.whole() == heard:
				t.Errorf("%s, call %d: got %v, want an answer: %t", kind, call, got, !heard)
			}
			if w.count("chat1") != leads {
				t.Errorf("%s, call %d: got %d requests to the lead, want %d", kind, call, w.count("chat1"), leads)
			}
		}
		if heard != (w.count("chat2") < 2) {
			t.Errorf("%s: got %d requests to the last target, want it asked in both calls: %t", kind, w.count("chat2"), !heard)
		}
		w.close()
	}
}

// TestLeadsFailureBeforeAStandInsObjection: a lead that is out is asked after an understudy that objects, and it is its
// failure that the client is told.
func TestLeadsFailureBeforeAStandInsObjection(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.fail("chat1", "overloaded-529")
	w.fail("claude1", "invalid-400")
	for call := range 2 {
		if got := w.hello("chat1>claude1"); got.status != 529 || w.count("chat1") < call+1 {
			t.Errorf("call %d: got %v after %d requests to the lead, want the lead's failure", call, got, w.count("chat1"))
		}
	}
}

// TestAmplification: a vendor that fails for everybody gets at most a tenth of its first attempts
// again, a client's call at most two at one target, and what it sees is what the records say (F12).
func TestAmplification(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.fail("chat1", "internal-500")
	const calls = 200
	var wg sync.WaitGroup
	busy := make(chan struct{}, 8) // as many as a last resort takes at a time
	for range calls {
		busy <- struct{}{}
		wg.Go(func() {
			defer func() { <-busy }()
			w.hello("chat1")
		})
	}
	wg.Wait()
	w.record()
	attempts := 0
	for _, r := range w.records {
		attempts += len(r.Attempts)
		if len(r.Attempts) > 2 {
			t.Errorf("got %d attempts of one call at one target, want at most 2", len(r.Attempts))
		}
	}
	if got := w.count("chat1"); got > calls*11/10+10 || got < calls {
		t.Errorf("got %d requests for %d calls, want at most a tenth more and ten", got, calls)
	}
	if got := w.count("chat1"); got != attempts {
		t.Errorf("got %d attempts in the records, want as many as the vendor saw: %d", attempts, got)
	}
}

// TestNobodyLeft: with every vendor hanging, few calls wait and the others get a fast answer with the
// reason of each target, which no SDK repeats by itself (F17).
func TestNobodyLeft(t *testing.T) {
	t.Parallel()
	const calls, most = 40, 8 // as many as a last resort takes at a time, each of the two
	var hanging atomic.Bool   // until goOn, and no deadline ends it
	goOn := make(chan struct{})
	times := patient()
	times.Answer = 300 * time.Millisecond
	w := newWard(t, withTimeouts(times), withRoutes(func(r *route.Route) {
		if hanging.Load() {
			r.Timeouts = patient()
		}
	}), func(_ *gateway.Options, w *world) {
		w.script = func(string, fakeprovider.Ask) *fakeprovider.Reply {
			if hanging.Load() {
				<-goOn
			}
			return nil
		}
	})
	w.fail("chat1", "hang")
	w.fail("claude1", "hang")
	for range 5 {
		w.hello("chat1>claude1")
	}
	hanging.Store(true)
	w.fail("chat1", "unavailable-503")
	w.fail("claude1", "unavailable-503")
	before := [2]int{w.count("chat1"), w.count("claude1")}
	var fast, slow atomic.Int64
	var wg sync.WaitGroup
	defer wg.Wait()
	end := sync.OnceFunc(func() { close(goOn) })
	defer end()
	for range calls {
		wg.Go(func() {
			got := w.hello("chat1>claude1")
			if got.header.Get("X-Understudy-Attempts") != "0" {
				slow.Add(1)
				return
			}
			fast.Add(1)
			if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.header.Get("X-Should-Retry") != "false" ||
				!strings.Contains(got.header.Get("X-Understudy-Attempts-Detail"), "chat1/gpt-4o=") {
				t.Errorf("got %v, Retry-After %q, X-Should-Retry %q; want 503 with the reasons, not to be repeated",
					got, got.header.Get("Retry-After"), got.header.Get("X-Should-Retry"))
			}
		})
	}
	eventually(t, "an answer for all that none of the two takes, while the others hang", func() bool { return fast.Load() == calls-2*most })
	eventually(t, "the others at the vendors", func() bool {
		return w.count("chat1")-before[0] == most && w.count("claude1")-before[1] == most
	})
	if n := slow.Load(); n != 0 {
		t.Errorf("got %d calls that tried answered before the vendors went on, want 0", n)
	}
	end()
	wg.Wait()
	if fast.Load() != calls-2*most || slow.Load() != 2*most {
		t.Errorf("got %d calls answered at once and %d that tried, want %d and %d", fast.Load(), slow.Load(), calls-2*most, 2*most)
	}
	w.mend("claude1")
	w.mend("chat1")
	eventually(t, "an answer after the vendors came back", func() bool {
		w.pass(8 * time.Second)
		return w.hello("chat1>claude1").whole()
	})
}

// TestRevoked: a key that is revoked fails at most two attempts before it is out.
func TestRevoked(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.hello("chat1>claude1")
	before := w.count("chat1")
	w.fail("chat1", "auth-401")
	for range 30 {
		if got := w.hello("chat1>claude1"); !got.whole() {
			t.Fatalf("got %v, want the understudy's answer", got)
		}
	}
	if got := w.count("chat1") - before; got > 2 {
		t.Errorf("got %d attempts with the revoked key, want at most 2", got)
	}
}

// TestHurriedClient: who gives vendors no time says nothing of their health, and takes them from nobody else.
func TestHurriedClient(t *testing.T) {
	t.Parallel()
	w := newWard(t, withTimeouts(route.DefaultTimeouts()))
	w.fail("chat1", "hang")
	w.fail("claude1", "hang")
	for _, model := range []string{"chat1", "chat1>claude1"} {
		for _, stream := range []bool{false, true} {
			for range 6 {
				if got := w.post(chatAPI, body(model, "Hello", stream), map[string]string{gateway.HeaderTimeout: "10ms"}); got.whole() {
					t.Fatalf("got %v, want no answer", got)
				}
			}
		}
	}
	for _, s := range w.health.Snapshot() {
		if s.State != route.StateUp {
			t.Errorf("got %s/%s %s (%s), want it up", s.Provider, s.Model, s.State, s.Code)
		}
	}
}

// TestFull: an understudy that takes less than the lead's load is not asked for more, and what it
// does not take is shed at once, with when to come back. It is none the worse for it.
func TestFull(t *testing.T) {
	t.Parallel()
	const most = 4
	var full atomic.Bool
	goOn := make(chan struct{})
	w := newWard(t, func(_ *gateway.Options, w *world) {
		w.most = map[string]int{"claude1": most}
		w.script = func(string, fakeprovider.Ask) *fakeprovider.Reply {
			if full.Load() {
				<-goOn
			}
			return nil
		}
	})
	end := sync.OnceFunc(func() { close(goOn) })
	defer end()
	w.fail("chat1", "unavailable-503")
	for range 5 {
		w.hello("chat1>claude1")
	}
	full.Store(true)
	before := w.count("claude1")
	var served, shed atomic.Int64
	var wg sync.WaitGroup
	for range most {
		wg.Go(func() {
			if w.hello("chat1>claude1").whole() {
				served.Add(1)
			}
		})
	}
	eventually(t, "the understudy to have its fill", func() bool { return w.count("claude1")-before == most })
	for range 10 {
		got := w.hello("chat1>claude1")
		if got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") == "1" && got.header.Get("X-Should-Retry") == "false" {
			shed.Add(1)
		} else {
			t.Errorf("got %v, want it shed", got)
		}
	}
	end()
	wg.Wait()
	if served.Load() != most || shed.Load() != 10 || w.count("claude1")-before != most {
		t.Errorf("got %d served, %d shed and %d requests to the understudy; want %d, 10 and %d", served.Load(), shed.Load(), w.count("claude1")-before, most, most)
	}
	if s := w.state("claude1"); s.State != route.StateUp {
		t.Errorf("got the understudy %s, want it up", s.State)
	}
}
