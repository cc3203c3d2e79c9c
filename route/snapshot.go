package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/understudy-ai/understudy/llm"
)

// State is what a breaker, or the target it is about, is like in one word.
type State string

// The states.
const (
	StateUp      State = "up"
	StateOut     State = "out"     // nothing is sent there, but as a last resort
	StateProbing State = "probing" // one attempt may find out, or does
	StateCooling State = "cooling" // its vendor wants to be left alone
	StateRamping State = "ramping" // it comes back, step by step
)

// TargetState is how a target fares: a model of a provider's, or, where Model is empty, the
// provider itself.
type TargetState struct {
	Provider string
	Key      int // which of the provider's keys it is about, from 1; 0 if it is about all
	Model    string
	State    State
	Scope    Scope         // of the breaker that makes it so; empty if it is up
	Code     llm.Code      // why; empty if it is up
	Wait     time.Duration // until it is tried again; 0 if it is
	Share    float64       // of its traffic that it gets: less than 1 when ramping, or by its provider's posture
	Posture  Posture       // of its provider
	Running  int           // attempts
	Limit    int           // attempts at a time, as far as the vendor has let on; 0 if none is known
	// Latency is how long answers took of late, and FirstToken how long streams took to their
	// first content; 0 if there were none.
	Latency, FirstToken time.Duration
}

// Snapshot lists every provider and model that was asked, by name. One that can be asked with several
// keys is as it is with the best of them.
func (h *Health) Snapshot() []TargetState {
	var all []TargetState
	for _, t := range h.states() {
		if n := len(all); n > 0 && all[n-1].Provider == t.Provider && all[n-1].Model == t.Model {
			all[n-1].merge(&t)
			continue
		}
		t.Key = 0
		all = append(all, t)
	}
	return all
}

// merge takes in the same target with another key.
func (t *TargetState) merge(other *TargetState) {
	running := t.Running + other.Running
	if t.Model == "" {
		running = t.Running // it is counted once for all keys
	}
	limit := t.Limit + other.Limit
	if t.Limit == 0 || other.Limit == 0 { // one knows of none
		limit = 0
	}
	latency, first := max(t.Latency, other.Latency), max(t.FirstToken, other.FirstToken)
	if severity(other.State) < severity(t.State) {
		*t = *other
	}
	t.Key, t.Running, t.Limit, t.Latency, t.FirstToken = 0, running, limit, latency, first
}

// Keys lists how the keys of providers fare that have several, as far as they were used.
func (h *Health) Keys() []TargetState {
	return slices.DeleteFunc(h.states(), func(t TargetState) bool { return t.Key == 0 || t.Model != "" })
}

// states lists every provider and model with every key.
func (h *Health) states() []TargetState {
	now := h.now()
	var all []TargetState
	for _, s := range *h.sites.Load() {
		id, key := s.id, 0
		if s.several {
			key = s.slot + 1
		}
		at := h.standingOf(id)
		s.mu.Lock()
		site := TargetState{Provider: id, Key: key, Posture: at.posture, Running: s.running, Share: at.share}
		site.take(now, []*breaker{&s.endpoint, &s.credential}, []Scope{ScopeEndpoint, ScopeCredential})
		all = append(all, site)
		for name, m := range s.models {
			if name == "" {
				continue // requests that name no model
			}
			t := TargetState{
				Provider: id, Key: key, Model: name, Posture: at.posture, Running: m.running, Share: at.share, Limit: int(m.limit.most),
				Latency: time.Duration(m.whole.value), FirstToken: time.Duration(m.first.value),
			}
			t.take(now, []*breaker{&s.endpoint, &s.credential, &m.breaker}, []Scope{ScopeEndpoint, ScopeCredential, ScopeModel})
			all = append(all, t)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b TargetState) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// take makes the state that of the breaker that is worst off.
func (t *TargetState) take(now instant, breakers []*breaker, about []Scope) {
	t.State = StateUp
	share := 1.0
	for i, b := range breakers {
		state, wait := b.state(now)
		share = min(share, b.share(now))
		if severity(state) > severity(t.State) {
			t.State, t.Wait, t.Scope, t.Code = state, wait, about[i], b.code
		}
	}
	t.Share *= share
}

func (b *breaker) state(now instant) (State, time.Duration) {
	reason, wait := b.blocked(now, false)
	switch {
	case reason == ReasonOpen:
		return StateOut, wait
	case reason == ReasonCooling:
		return StateCooling, wait
	case b.open:
		return StateProbing, 0
	case b.share(now) < 1:
		return StateRamping, 0
	}
	return StateUp, 0
}

func severity(s State) int {
	return slices.Index([]State{StateUp, StateRamping, StateProbing, StateCooling, StateOut}, s)
}
