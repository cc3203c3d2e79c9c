package gateway_test

import (
	"math/rand"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-ai/understudy/budget"
	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/provider"
	"github.com/understudy-ai/understudy/route"
)

// wholeSweep makes tests that sweep over all of something go over the whole: .ci/run race. Without it they take a part
// in which everything has its turn once.
const wholeSweep = "UNDERSTUDY_SWEEP"

const pair = "chat1>claude1"

// storyline is a scenario of vendors as a whole, V1 to V10.
type storyline struct {
	name string
	play func(*testing.T)
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	playAll(t, []storyline{
		{"V1 a vendor is down for a minute", playDown},
		{"V2 a vendor fails three times in ten", playFlaky},
		{"V4 a vendor flaps", playFlapping},
		{"V7 a vendor dies under its streams", playStreams},
		{"V7 and the understudy takes a quarter of them", playStreamsInPart},
		{"V8 a key is revoked", playRevoked},
		{"V9 a vendor answers with a cheaper model", playCheaper},
		{"V10 prices and models are reloaded", playReload},
	})
}

// TestScenariosByTheClock are those in which answers must come at once, which a machine that has other work does not let them.
func TestScenariosByTheClock(t *testing.T) {
	all := []storyline{
		{"V3 a vendor is ten times as slow", playSlow},
		{"V5 the understudy takes half the load", playHalf},
		{"V6 every vendor is down", playAllDown},
	}
	if os.Getenv(fullLength) != "" {
		playAll(t, all)
		return
	}
	t.Parallel()
	for _, sc := range all {
		t.Run(sc.name, func(t *testing.T) { synctest.Test(t, sc.play) })
	}
}

func playAll(t *testing.T, all []storyline) {
	var beside together
	for _, sc := range all {
		beside.run(t, sc.name, sc.play)
	}
	beside.Wait()
}

func playDown(t *testing.T) {
	s := newScenario(t)
	s.wantAllWhole(s.during(10*time.Second, pair))
	s.fail("chat1", "unavailable-503")
	before := s.count("chat1")
	calls := s.during(60*time.Second, pair)
	s.wantAllWhole(calls)
	const concurrent = 8 // that were under way when the breaker opened
	if got := s.count("chat1") - before; got > 5+concurrent+60/5 {
		t.Errorf("got %d requests to the vendor in its outage, want 5, those under way and one every five seconds", got)
	}
	t.Logf("%d calls in the outage, %d requests to the vendor", len(calls), s.count("chat1")-before)
	s.mend("chat1")
	s.wantAllWhole(s.during(30*time.Second, pair))
	if got := share(s.during(10*time.Second, pair), isBy("chat1")); got < 0.99 {
		t.Errorf("got %.0f %% of the traffic back at the lead half a minute after, want all", 100*got)
	}
}

func playFlaky(t *testing.T) {
	s := newScenario(t)
	random := rand.New(rand.NewSource(7)) //nolint:gosec // the same each time
	var mu sync.Mutex
	s.script("chat1", func(fakeprovider.Ask) *fakeprovider.Reply {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() < 0.3 {
			return &fakeprovider.Reply{Error: &fakeprovider.Error{Status: 503, Type: "server_error", Message: "Busy."}}
		}
		return nil
	})
	calls := s.during(60*time.Second, pair)
	if got := share(calls, isWhole); got < 0.999 {
		t.Errorf("got %.2f %% of the calls answered, want 99.9 %%", 100*got)
	}
	if got := share(calls, isBy("chat1")); got < 0.6 {
		t.Errorf("got %.0f %% of the calls answered by the flaky lead, want its healthy share of 70 %%", 100*got)
	}
}

func playSlow(t *testing.T) {
	s := newScenarioByTheClock(t, withRoutes(func(r *route.Route) { r.Order = route.PolicyFastest }))
	var latency atomic.Int64
	latency.Store(int64(20 * time.Millisecond))
	s.script("chat1", func(fakeprovider.Ask) *fakeprovider.Reply {
		return &fakeprovider.Reply{Text: "Hi", Delay: time.Duration(latency.Load())}
	})
	s.script("claude1", func(fakeprovider.Ask) *fakeprovider.Reply {
		return &fakeprovider.Reply{Text: "Hi", Delay: 60 * time.Millisecond}
	})
	s.wantAllWhole(s.during(20*time.Second, pair))
	latency.Store(int64(600 * time.Millisecond))
	s.wantAllWhole(s.during(30*time.Second, pair))
	calls := s.during(60*time.Second, pair)
	s.wantAllWhole(calls)
	if got := share(calls, isBy("claude1")); got < 0.8 {
		t.Errorf("got %.0f %% of the calls at the other vendor half a minute later, want most", 100*got)
	}
	for i := 0; i+20 <= len(calls); i += 20 {
		if got := share(calls[i:i+20], isBy("chat1")); got > 0.5 {
			t.Errorf("got %.0f %% of twenty calls back at the slow vendor at once, want no herd", 100*got)
		}
	}
}

func playFlapping(t *testing.T) {
	s := newScenario(t)
	s.during(5*time.Second, pair)
	var calls []scenarioCall
	rounds := 6
	if s.speed == 1 {
		rounds = 30
	}
	for range rounds {
		s.fail("chat1", "unavailable-503")
		calls = append(calls, s.during(5*time.Second, pair)...)
		s.mend("chat1")
		calls = append(calls, s.during(5*time.Second, pair)...)
	}
	s.wantAllWhole(calls)
	if got := share(calls, func(c *scenarioCall) bool { return c.attempts > "2" }); got > 0.01 {
		t.Errorf("got more than one failover in %.1f %% of the calls, want at most 1 %%", 100*got)
	}
	if got := share(calls, isBy("claude1")); got < 0.6 {
		t.Errorf("got %.0f %% of the traffic at the steady vendor, want most of it to stay there", 100*got)
	}
}

func playHalf(t *testing.T) {
	const most = 4
	s := newScenarioByTheClock(t, func(_ *gateway.Options, w *world) { w.most = map[string]int{"claude1": most} })
	var mu sync.Mutex
	running, peak := 0, 0
	delay := time.Duration(float64(time.Second) * 2 * most / s.rate) // half of the load is as much as it takes
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		running += n
		peak = max(peak, running)
	}
	s.script("claude1", func(fakeprovider.Ask) *fakeprovider.Reply {
		count(1)
		defer count(-1) // before anybody hears of the answer
		time.Sleep(delay)
		return &fakeprovider.Reply{Text: "Hi"}
	})
	s.fail("chat1", "unavailable-503")
	for range 5 {
		s.hello(pair)
	}
	calls := s.during(20*time.Second, pair)
	var shed []time.Duration
	for i := range calls {
		c := &calls[i]
		if c.whole {
			continue
		}
		shed = append(shed, c.took)
		if c.status != http.StatusServiceUnavailable || c.got.header.Get("Retry-After") == "" {
			t.Errorf("got %v, want an answer, or one with when to come back", c.got)
			break
		}
	}
	slices.Sort(shed)
	if len(shed) == 0 || len(shed) == len(calls) {
		t.Fatalf("got %d of %d calls shed, want about half", len(shed), len(calls))
	}
	if got := shed[len(shed)/2]; got > 50*time.Millisecond { // on a machine that is busy with other tests
		t.Errorf("got %v until half of the calls were shed, want it at once", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if peak > most {
		t.Errorf("got %d requests at a time at the understudy, want at most %d", peak, most)
	}
	for _, state := range s.health.Snapshot() {
		if state.Provider == "claude1" && state.State != route.StateUp {
			t.Errorf("got the understudy %+v, want it up", state)
		}
	}
}

func playAllDown(t *testing.T) {
	l := &notebook{}
	s := newScenarioByTheClock(t, withLedger(l))
	s.fail("chat1", "unavailable-503")
	s.fail("claude1", "unavailable-503")
	s.during(10*time.Second, pair)
	calls := s.during(20*time.Second, pair)
	var took []time.Duration
	for i := range calls {
		took = append(took, calls[i].took)
		c := &calls[i]
		detail := c.got.header.Get("X-Understudy-Attempts-Detail")
		if c.whole || c.status != 503 || !strings.Contains(detail, "chat1/") || !strings.Contains(detail, "claude1/") {
			t.Errorf("got %v, want a failure with the reason of each target", c.got)
			break
		}
	}
	slices.Sort(took)
	if got := took[len(took)/2]; got > 50*time.Millisecond {
		t.Errorf("got %v until half of the calls were told, want at most 50ms", got)
	}
	l.mu.Lock()
	for n, settled := range l.settled {
		if settled[0].Outcome.Kind != budget.Void {
			t.Errorf("attempt %d: got it closed as %v, want it to cost nothing", n, settled[0].Outcome.Kind)
		}
	}
	l.mu.Unlock()
	s.mend("claude1")
	s.during(10*time.Second, pair)
	s.wantAllWhole(s.during(10*time.Second, pair))
}

func playStreams(t *testing.T) { endStreams(t, 0) }

// playStreamsInPart has an understudy that takes a quarter of the streams at a time: it gets no more than that, and the
// others end in an error.
func playStreamsInPart(t *testing.T) { endStreams(t, 0.25) }

// endStreams lets a vendor die under its streams, and the understudy take the given part of them at a time, 0 for all.
func endStreams(t *testing.T, part float64) {
	streams := 40
	if os.Getenv(fullLength) != "" {
		streams = 1000
	}
	most := int(part * float64(streams))
	s := newScenarioByTheClock(t, func(_ *gateway.Options, w *world) { w.most = map[string]int{"claude1": most} })
	s.script("chat1", func(fakeprovider.Ask) *fakeprovider.Reply {
		return &fakeprovider.Reply{Text: strings.Repeat("The sea is wide. ", 50), Delay: 100 * time.Millisecond}
	})
	var atOnce, peak atomic.Int64
	s.script("claude1", func(fakeprovider.Ask) *fakeprovider.Reply {
		n := atOnce.Add(1)
		defer atOnce.Add(-1) // before anybody hears of the answer
		for was := peak.Load(); n > was && !peak.CompareAndSwap(was, n); was = peak.Load() {
			continue
		}
		time.Sleep(200 * time.Millisecond)
		return nil
	})
	var ended, failed atomic.Int64
	var running sync.WaitGroup
	for range streams {
		running.Go(func() {
			got := s.post(chatAPI, body(pair, "Hello", true), nil)
			if got.whole() {
				ended.Add(1)
			} else if got.ended != "error" {
				failed.Add(1)
				t.Errorf("got %v, want a whole answer or the dialect's error", got)
			}
		})
	}
	eventually(t, "the streams to run", func() bool { return s.vendors["chat1"].OpenStreams() == streams })
	time.Sleep(time.Second)
	start := time.Now()
	s.vendors["chat1"].Close()
	running.Wait()
	want := 0.99
	if part > 0 {
		want = part
	}
	if got := float64(ended.Load()) / float64(streams); got < want || failed.Load() > 0 || time.Since(start) > 30*time.Second {
		t.Errorf("got %.1f %% of the streams ended whole within %v, want %.0f %% within 30s", 100*got, time.Since(start), 100*want)
	}
	if most > 0 && peak.Load() > int64(most) {
		t.Errorf("got %d streams at a time at the understudy, want at most the %d that it takes", peak.Load(), most)
	}
}

func playRevoked(t *testing.T) {
	s := newScenario(t)
	s.wantAllWhole(s.during(5*time.Second, pair))
	before := s.count("chat1")
	s.fail("chat1", "auth-401")
	if got := s.hello(pair); !got.whole() { // alone: those that run meanwhile cannot know
		t.Errorf("got %v, want the understudy's answer", got)
	}
	s.wantAllWhole(s.during(30*time.Second, pair))
	if got := s.count("chat1") - before; got > 2 {
		t.Errorf("got %d attempts with the revoked key, want at most 2", got)
	}
}

func playCheaper(t *testing.T) {
	l := &notebook{}
	s := newScenarioByTheClock(t, withLedger(l))
	s.wantAllWhole(s.during(5*time.Second, pair))
	for _, kind := range []string{"model-differs", "model-differs-stream"} {
		s.fail("chat1", kind)
		stream := kind != "model-differs"
		for range 20 {
			got := s.post(chatAPI, body(pair, "Hello", stream), nil)
			if name := got.header.Get(gateway.HeaderAnswered); !got.whole() || name != "cheap-model" {
				t.Fatalf("got %v with the model %q in its header, want the answer and cheap-model", got, name)
			}
			if a := s.record().Attempts[0]; !a.Other || a.Answered != "cheap-model" {
				t.Errorf("got the attempt %+v, want another model's", a)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	flagged := 0
	for _, settled := range l.settled {
		if settled[0].Flags.Has(budget.Other) {
			flagged++
		}
	}
	if flagged != 40 {
		t.Errorf("got %d attempts flagged in the books, want the 40 of the other model", flagged)
	}
}

func playReload(t *testing.T) {
	l := &notebook{}
	prices := [2]*provider.Price{{Input: 1, Output: 2}, {Input: 3, Output: 4}}
	priced := func(i int) worldOption {
		return func(_ *gateway.Options, w *world) {
			w.adjust = func(r *route.Route) {
				for j := range r.Targets {
					r.Targets[j].Price = prices[i]
				}
			}
		}
	}
	s := newScenario(t, withLedger(l), priced(0))
	routes := pairs{providers: s.providers, timeouts: s.timeouts}
	stop := make(chan struct{})
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			next := routes
			price := prices[i%2]
			next.adjust = func(r *route.Route) {
				for j := range r.Targets {
					r.Targets[j].Price = price
				}
			}
			s.gw.Reload(next)
		}
	})
	calls := s.during(30*time.Second, pair)
	close(stop)
	reloading.Wait()
	s.wantAllWhole(calls)
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]int{}
	for i := range l.reserved {
		seen[l.reserved[i].Line.Rates.Text()]++
	}
	for _, p := range prices {
		rates := budget.RatesOf(p)
		if seen[rates.Text()] == 0 {
			t.Errorf("got no attempt at the price %v", p)
		}
		delete(seen, rates.Text())
	}
	if len(seen) > 0 {
		t.Errorf("got attempts at prices %v, want each at one of the two", seen)
	}
}
