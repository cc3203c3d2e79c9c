package evacuate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/route"
)

// Status is how far the evacuation of a provider is, and whether it holds.
type Status struct {
	Provider string    `json:"provider"`
	Phase    Phase     `json:"phase" doc:"none, evacuating, evacuated or restoring."`
	Share    float64   `json:"share" doc:"The share of its traffic that the provider gets, of what can be moved."`
	Begun    time.Time `json:"begun,omitzero" doc:"When the phase was asked for."`
	Seconds  float64   `json:"ramp_seconds"`
	Left     float64   `json:"left_seconds" doc:"Until the ramp is over."`
	// Running is how many requests the provider still works on.
	Running int `json:"running" doc:"Requests that the provider works on now."`
	// Calls are those of models that the provider serves, begun since the phase did.
	Calls  int `json:"calls" doc:"Calls of models that have the provider, begun since the phase did."`
	There  int `json:"there" doc:"How many of them it was asked for."`
	Failed int `json:"failed" doc:"How many of them ended in an error that was not the client's own."`
	// Recent and RecentThere are those of the last minute.
	Recent      int     `json:"recent" doc:"Calls of the last minute."`
	RecentThere int     `json:"recent_there" doc:"How many of them the provider was asked for."`
	Still       []Still `json:"still" doc:"What the provider was asked for since the phase began."`
}

// Still is traffic that a provider still gets.
type Still struct {
	Model     string `json:"model"`
	Operation string `json:"operation"`
	Calls     int    `json:"calls"`
	Why       string `json:"why"`
}

// counted is what came of calls since a phase began.
type counted struct {
	calls, there, failed int
	still                map[[2]string]int // calls by model and operation
	recent               [recentSlots]recentSlot
}

const (
	recentSlots = 12
	// slotTime is how long a slot counts; all of them are the last minute.
	slotTime = 5 * time.Second
)

// recentSlot counts the calls of a few seconds.
type recentSlot struct {
	at           int64 // its number
	calls, there int
}

// maxStill bounds what is told apart: clients choose the names of models.
const maxStill = 200

func (c *counted) add(now time.Time, model, operation string, isThere, hasFailed bool) {
	number := now.UnixNano() / int64(slotTime)
	slot := &c.recent[number%recentSlots]
	if slot.at != number {
		*slot = recentSlot{at: number}
	}
	c.calls++
	slot.calls++
	if hasFailed {
		c.failed++
	}
	if !isThere {
		return
	}
	c.there++
	slot.there++
	if c.still == nil {
		c.still = map[[2]string]int{}
	}
	key := [2]string{model, operation}
	if _, known := c.still[key]; known || len(c.still) < maxStill {
		c.still[key]++
	}
}

// lastMinute sums up the slots of the last minute.
func (c *counted) lastMinute(now time.Time) (calls, there int) {
	number := now.UnixNano() / int64(slotTime)
	for _, slot := range c.recent {
		if slot.at > number-recentSlots {
			calls += slot.calls
			there += slot.there
		}
	}
	return calls, there
}

// Get returns the status of a provider.
func (e *Evacuations) Get(id string) (Status, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all[id] == nil && !e.isKnown(id) {
		return Status{}, e.unknownProvider(id)
	}
	return e.status(id), nil
}

// List returns the status of every provider.
func (e *Evacuations) List() []Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := slices.Collect(maps.Keys(e.all))
	for _, p := range e.opts.Providers() {
		if e.all[p.ID] == nil {
			ids = append(ids, p.ID)
		}
	}
	slices.Sort(ids)
	all := make([]Status, len(ids))
	for i, id := range ids {
		all[i] = e.status(id)
	}
	return all
}

// status is Get for those that hold the lock.
func (e *Evacuations) status(id string) Status {
	s := Status{Provider: id, Phase: PhaseNone, Share: 1, Still: []Still{}}
	for _, t := range e.opts.Postures.Snapshot() {
		if t.Provider == id && t.Model == "" {
			s.Running = t.Running
		}
	}
	v := e.all[id]
	if v == nil {
		return s
	}
	now := e.opts.Now()
	s.Phase, s.Begun, s.Seconds = v.Phase, v.Begun, v.Seconds
	s.Share, _ = v.share(now)
	if v.Phase != PhaseEvacuated {
		s.Left = max(v.Seconds-now.Sub(v.Begun).Seconds(), 0)
	}
	c := &v.count
	s.Calls, s.There, s.Failed = c.calls, c.there, c.failed
	s.Recent, s.RecentThere = c.lastMinute(now)
	for key, n := range c.still {
		s.Still = append(s.Still, Still{Model: key[0], Operation: key[1], Calls: n, Why: e.whyStill(id, key[0], v.Phase)})
	}
	slices.SortFunc(s.Still, func(a, b Still) int {
		return cmp.Or(b.Calls-a.Calls, cmp.Compare(a.Model+" "+a.Operation, b.Model+" "+b.Operation))
	})
	return s
}

// whyStill words why a provider is still asked for a model.
func (e *Evacuations) whyStill(id, model string, p Phase) string {
	found, ok := e.opts.Pick(model)
	isLeft := func(t route.Target) bool {
		v := e.all[t.Provider.ID]
		return v == nil || v.Phase == PhaseRestoring
	}
	switch elsewhere := others(found.Targets, id); {
	case ok && len(elsewhere) == 0:
		return "no other provider serves it"
	case ok && !slices.ContainsFunc(elsewhere, isLeft):
		return "traffic moves off every other provider that serves it, too"
	case p != PhaseEvacuated:
		return "its share of the traffic"
	case ok:
		return "a request about what the provider keeps, or one that no other can take"
	}
	return "its route has changed"
}

// Call is what a call came to, as far as evacuations want to know it.
type Call struct {
	Model, Dialect, Operation string
	Code                      llm.Code
	Over                      time.Time // when it was
	Duration                  time.Duration
	Answered                  string   // the target that did, as provider/model; empty if none
	Asked                     []string // all that were asked; needed while IsActive
	Input, Output             int64    // tokens
}

// IsActive reports whether there are evacuations, which want to know all of a call.
func (e *Evacuations) IsActive() bool { return e.active.Load() }

// Observe takes in what a call came to. It is called for every call.
func (e *Evacuations) Observe(c *Call) {
	now := c.Over
	e.traffic.add(now, c)
	if !e.active.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, v := range e.all {
		if c.Over.Add(-c.Duration).Before(v.since) {
			continue // it got its place by the share of before
		}
		isThere := slices.ContainsFunc(c.Asked, func(t string) bool { return isOf(t, id) })
		if !isThere {
			found, ok := e.opts.Pick(c.Model)
			if !ok || len(others(found.Targets, id)) == len(found.Targets) {
				continue
			}
		}
		v.count.add(now, c.Model, c.Operation, isThere, isFailure(c.Code))
	}
}

// isFailure reports whether a client got an error that was not its own doing.
func isFailure(code llm.Code) bool {
	if code == "" {
		return false
	}
	return code == llm.CodeInternal || code == llm.CodeUnavailable || code.Info().Next != llm.GiveUp
}
