package evacuate

import (
	"math"
	"strings"
	"sync"
	"time"
)

// traffic counts the calls of the last hour, so that a plan can say how much moves.
type traffic struct {
	mu    sync.Mutex
	since time.Time
	flows map[flowKey]*flow
}

// flowKey tells traffic apart by what a client asks for, in which dialect, and who answered.
type flowKey struct{ model, dialect, operation, target string }

// flow is the traffic of an hour, by minute.
type flow struct {
	minutes [60]minute
}

type minute struct {
	at            int64 // its number
	calls         int64
	input, output int64
	took          time.Duration
}

// maxFlows bounds how many are told apart: clients choose the names of models. What is not
// in a flow is not in a plan's figures.
const maxFlows = 1000

func (t *traffic) add(now time.Time, c *Call) {
	if c.Answered == "" {
		return
	}
	key := flowKey{c.Model, c.Dialect, c.Operation, c.Answered}
	number := now.Unix() / 60
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flows == nil {
		t.flows, t.since = map[flowKey]*flow{}, now
	}
	f := t.flows[key]
	if f == nil {
		if len(t.flows) >= maxFlows {
			return
		}
		f = &flow{}
		t.flows[key] = f
	}
	m := &f.minutes[number%int64(len(f.minutes))]
	if m.at != number {
		*m = minute{at: number}
	}
	m.calls++
	m.input += c.Input
	m.output += c.Output
	m.took += c.Duration
}

// volume is traffic over a time.
type volume struct {
	calls, input, output int64
	took                 time.Duration
	over                 time.Duration // a minute at least, and at most an hour
}

func (v *volume) add(w volume) {
	v.calls += w.calls
	v.input += w.input
	v.output += w.output
	v.took += w.took
}

// part is a share of it.
func (v *volume) part(share float64) volume {
	of := func(n int64) int64 { return int64(math.Round(float64(n) * share)) }
	return volume{calls: of(v.calls), input: of(v.input), output: of(v.output), took: time.Duration(of(int64(v.took))), over: v.over}
}

// perMinute is the calls of a minute.
func (v *volume) perMinute() float64 {
	return float64(v.calls) / v.over.Minutes()
}

// atOnce is how many calls ran at a time, on average.
func (v *volume) atOnce() float64 {
	return v.took.Seconds() / v.over.Seconds()
}

// sum is the traffic of the last hour of which a flow is wanted, and the dialects of its clients.
func (t *traffic) sum(now time.Time, isWanted func(flowKey) bool) (v volume, dialects map[string]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dialects = map[string]int64{}
	v.over = time.Minute // a gateway that has just begun has little to go by
	if t.flows != nil {
		v.over = min(max(now.Sub(t.since), time.Minute), time.Hour)
	}
	for key, f := range t.flows {
		if !isWanted(key) {
			continue
		}
		for _, m := range f.minutes {
			if m.at > now.Unix()/60-int64(len(f.minutes)) {
				v.add(volume{calls: m.calls, input: m.input, output: m.output, took: m.took})
				dialects[key.dialect] += m.calls
			}
		}
	}
	return v, dialects
}

// models lists what was asked for in the last hour of which a flow is wanted.
func (t *traffic) models(now time.Time, isWanted func(flowKey) bool) map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]int64{}
	for key, f := range t.flows {
		if !isWanted(key) {
			continue
		}
		for _, m := range f.minutes {
			if m.at > now.Unix()/60-int64(len(f.minutes)) {
				found[key.model] += m.calls
			}
		}
	}
	return found
}

// isOf reports whether a target is a provider's.
func isOf(target, provider string) bool {
	return target == provider || strings.HasPrefix(target, provider+"/")
}
