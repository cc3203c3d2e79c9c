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

// Snapshot lists every provider and model that was asked, by name.
func (h *Health) Snapshot() []TargetState {
	now := h.now()
	var all []TargetState
	for id, s := range *h.sites.Load() {
		at := h.standingOf(id)
		s.mu.Lock()
		site := TargetState{Provider: id, Posture: at.posture, Running: s.running, Share: at.share}
		site.take(now, []*breaker{&s.endpoint, &s.credential}, []Scope{ScopeEndpoint, ScopeCredential})
		all = append(all, site)
		for name, m := range s.models {
			if name == "" {
				continue // requests that name no model
			}
			t := TargetState{
				Provider: id, Model: name, Posture: at.posture, Running: m.running, Share: at.share, Limit: int(m.limit.most),
				Latency: time.Duration(m.whole.value), FirstToken: time.Duration(m.first.value),
			}
			t.take(now, []*breaker{&s.endpoint, &s.credential, &m.breaker}, []Scope{ScopeEndpoint, ScopeCredential, ScopeModel})
			all = append(all, t)
		}
		s.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b TargetState) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
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
