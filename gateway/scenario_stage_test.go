package gateway_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/internal/fakeprovider"
	"github.com/understudy-ai/understudy/route"
)

// fullLength makes the scenarios as long as they are written, at their full rate: make scenarios.
const fullLength = "UNDERSTUDY_SCENARIOS"

// scenario is what vendors go through while clients call. Its times are those of the gateway's health,
// whose clock runs faster where the scenario is shortened.
type scenario struct {
	*world
	speed float64 // of that clock
	rate  float64 // calls a second, by the real one
	began time.Time
	mu    sync.Mutex
	calls []scenarioCall

	scripts sync.Map // by the vendor's id
}

// scenarioCall is one call of a scenario.
type scenarioCall struct {
	at       time.Duration // since the scenario began, by the health's clock
	took     time.Duration // by the real one
	whole    bool
	status   int
	target   string // who answered
	attempts string
	got      *answer
}

func newScenario(t *testing.T, opts ...worldOption) *scenario {
	t.Helper()
	s := &scenario{speed: 10, rate: 40, began: time.Now()}
	if os.Getenv(fullLength) != "" {
		s.speed, s.rate = 1, 200
	}
	return s.open(t, opts...)
}

// newScenarioByTheClock is one whose clock stands still while anybody has something to do. It is as long as it is written.
func newScenarioByTheClock(t *testing.T, opts ...worldOption) *scenario {
	t.Helper()
	if os.Getenv(fullLength) != "" {
		return newScenario(t, opts...)
	}
	return (&scenario{speed: 1, rate: 10, began: time.Now()}).open(t, append(opts, withoutNetwork)...)
}

func (s *scenario) open(t *testing.T, opts ...worldOption) *scenario {
	t.Helper()
	h := route.NewHealth(route.HealthOptions{Now: func() time.Time {
		return s.began.Add(time.Duration(float64(time.Since(s.began)) * s.speed))
	}})
	s.world = newWorld(t, append([]worldOption{withTimeouts(patient()), withHealth(h), func(_ *gateway.Options, w *world) { w.script = s.answer }}, opts...)...)
	return s
}

// during lets clients call a route for a while, and returns what they got meanwhile.
func (s *scenario) during(d time.Duration, model string) []scenarioCall {
	s.t.Helper()
	before := len(s.calls)
	var running sync.WaitGroup
	ticker := time.NewTicker(time.Duration(float64(time.Second) / s.rate))
	defer ticker.Stop()
	for end := time.Now().Add(time.Duration(float64(d) / s.speed)); time.Now().Before(end); <-ticker.C {
		running.Go(func() {
			c := scenarioCall{at: time.Duration(float64(time.Since(s.began)) * s.speed)}
			start := time.Now()
			got := s.hello(model)
			c.took, c.whole, c.status, c.got = time.Since(start), got.whole(), got.status, got
			c.target, _, _ = strings.Cut(got.header.Get("X-Understudy-Target"), "/")
			c.attempts = got.header.Get("X-Understudy-Attempts")
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls = append(s.calls, c)
		})
	}
	running.Wait()
	return s.calls[before:]
}

func (s *scenario) hello(model string) *answer {
	return s.post(chatAPI, body(model, "Hello", false), nil)
}

// share is the share of calls that a condition holds for.
func share(calls []scenarioCall, holds func(*scenarioCall) bool) float64 {
	n := 0
	for i := range calls {
		if holds(&calls[i]) {
			n++
		}
	}
	return float64(n) / float64(max(len(calls), 1))
}

func isWhole(c *scenarioCall) bool { return c.whole }

func isBy(id string) func(*scenarioCall) bool {
	return func(c *scenarioCall) bool { return c.target == id }
}

// wantAllWhole holds every call to an answer.
func (s *scenario) wantAllWhole(calls []scenarioCall) {
	s.t.Helper()
	for i := range calls {
		if !calls[i].whole {
			s.t.Errorf("at %v: got %v, want an answer", calls[i].at.Round(100*time.Millisecond), calls[i].got)
			return
		}
	}
}

// script lets the test answer for a vendor from now on.
func (s *scenario) script(id string, answer func(fakeprovider.Ask) *fakeprovider.Reply) {
	s.scripts.Store(id, answer)
}

func (s *scenario) answer(id string, a fakeprovider.Ask) *fakeprovider.Reply {
	if f, ok := s.scripts.Load(id); ok {
		return f.(func(fakeprovider.Ask) *fakeprovider.Reply)(a) //nolint:forcetypeassert // script puts nothing else there
	}
	return nil
}
