// Package route knows which targets to try for a model, and in what order. A Table
// says which there are; it never changes, and a reload builds a new one. A Health
// remembers how they fared and outlives the tables. The package sends nothing and
// reads no clock but the one it is given.
package route

import (
	"strings"
	"time"

	"github.com/understudy-ai/understudy/llm"
	"github.com/understudy-ai/understudy/provider"
)

// Target is a provider and one of its models: what one attempt is made at.
type Target struct {
	Provider *provider.Provider
	Model    string // the provider's name for it
	Facts    llm.ModelFacts
	// SameAs names the model, whoever serves it; empty if that is not known.
	SameAs string
	// MaxInput is how many tokens a prompt may have; 0 when unknown. Lacks is what the model is
	// known not to take, and Price what it costs, if that is known.
	MaxInput int64
	Lacks    Need
	Price    *provider.Price
	// Pinned says that no other of the provider's keys will do.
	Pinned bool
	// Weight is how often the target comes first, compared to the route's others.
	Weight float64
}

// IsModelOf reports whether two targets are known to be one model, served twice.
func (t Target) IsModelOf(other Target) bool {
	return t.SameAs != "" && t.SameAs == other.SameAs || t.Provider == other.Provider && t.Model == other.Model
}

// IsSame reports whether two targets are one, whichever of the provider's keys they are asked with.
func (t Target) IsSame(other Target) bool {
	return t.Provider.ID == other.Provider.ID && t.Model == other.Model
}

// Name is provider/model, as in headers and logs; the provider alone for a request that
// names no model.
func (t Target) Name() string {
	if t.Model == "" {
		return t.Provider.ID
	}
	return t.Provider.ID + "/" + t.Model
}

// Timeouts bound one call, phase by phase.
type Timeouts struct {
	// Connect bounds dialling and the TLS handshake of one attempt.
	Connect time.Duration
	// FirstToken bounds one attempt of a streamed call from its start to the first
	// content; signs of life are not content. If no less than what is left of Total, it is an equal
	// share of that where other targets are left, and so is Answer.
	FirstToken time.Duration
	// Answer bounds one attempt of a call that is not streamed. 0 gives each attempt
	// an equal share of what is left of Total.
	Answer time.Duration
	// Stall bounds the time without progress in a stream, and how long the body of
	// an answer may take once it has begun.
	Stall time.Duration
	// MinRate is the least number of tokens a second that a stream may bring, counted over
	// each RateWindow from its first content on. 0 lets it be as slow as Stall allows.
	MinRate    float64
	RateWindow time.Duration
	// Total bounds the whole call, all attempts together.
	Total time.Duration
}

// DefaultTimeouts fit models that think for a minute before they speak.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Connect: 2 * time.Second, FirstToken: 60 * time.Second,
		Stall: 30 * time.Second, RateWindow: 10 * time.Second, Total: 10 * time.Minute,
	}
}

// Route is how a model is served.
type Route struct {
	Model    string   // the name the client asked for
	IsDirect bool     // it is no model of the config's, but a provider's, by its own name
	Targets  []Target // the lead, then the understudies in order; never empty
	Timeouts Timeouts
	Loss     llm.LossPolicy
	Rescue   llm.RescuePolicy // RescueOff if empty
	Order    Policy           // PolicyOrdered if empty
	Hedge    Hedge
	Identity Identity // IdentityReport if empty
	// Affinity is how long a session stays with the target that answered it last; 0 if it does not.
	Affinity time.Duration
	// Most is what a call may cost, all its attempts together, in pico-dollars; 0 if that is not bounded.
	Most int64
}

// Identity says what becomes of an answer from another model than the one that was asked.
type Identity string

// The identities.
const (
	IdentityReport Identity = "report" // it is the client's, and told
	IdentityStrict Identity = "strict" // it is a failure of the target
)

// Table finds the route of a model. It is immutable.
type Table struct {
	routes map[string]Route
	names  []string // configured names, in the config's order
	// providers by ID, for names of the form provider/model
	providers map[string]*provider.Provider
	open      Route // of requests that name no model
	defaults  Route // timeouts, loss and rescue of models that the config does not name
	// bare maps a catalogued model's id to the one provider that has it.
	bare map[string]*provider.Provider
}

// NewTable builds a table. Routes are found by their Model; any model of a
// provider as provider/model; a catalogued model by its bare id where exactly
// one provider is known to have it. defaults gives the latter two all but Model and
// Targets.
func NewTable(routes []Route, providers []*provider.Provider, defaults Route) *Table {
	t := &Table{
		routes:    make(map[string]Route, len(routes)),
		providers: make(map[string]*provider.Provider, len(providers)),
		defaults:  defaults,
		open:      defaults,
		bare:      make(map[string]*provider.Provider),
	}
	for _, r := range routes {
		t.routes[r.Model] = r
		t.names = append(t.names, r.Model)
	}
	for _, p := range providers {
		t.providers[p.ID] = p
		t.open.Targets = append(t.open.Targets, Target{Provider: p})
		for _, m := range p.Facts.Models {
			if m.Assumed {
				continue
			}
			if _, taken := t.bare[m.ID]; taken {
				t.bare[m.ID] = nil // ambiguous: only provider/model tells
				continue
			}
			t.bare[m.ID] = p
		}
	}
	return t
}

// Pick returns the route of a model, or false when no name fits. An empty name is that of
// requests which name no model: their route is every provider, in order.
func (t *Table) Pick(model string) (Route, bool) {
	if model == "" {
		return t.open, len(t.open.Targets) > 0
	}
	if r, ok := t.routes[model]; ok {
		return r, true
	}
	if id, rest, ok := strings.Cut(model, "/"); ok && rest != "" {
		if p := t.providers[id]; p != nil {
			return t.single(model, p, p.OwnName(rest)), true
		}
	}
	if p := t.bare[model]; p != nil {
		return t.single(model, p, model), true
	}
	return Route{}, false
}

func (t *Table) single(name string, p *provider.Provider, model string) Route {
	facts, _ := p.Model(model)
	r := t.defaults
	r.Model, r.IsDirect = name, true
	r.Targets = []Target{{Provider: p, Model: model, Facts: facts.Facts(), Price: facts.Price}}
	return r // what else is known of the model matters where there is another
}

// Names lists the configured models in order.
func (t *Table) Names() []string { return t.names }
