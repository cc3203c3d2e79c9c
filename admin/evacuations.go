package admin

import (
	"strconv"

	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/llm"
)

// Evacuations are what the API starts, undoes and shows of evacuations.
type Evacuations interface {
	Plan(provider string) (evacuate.Plan, error)
	Start(provider string, rampSeconds float64) (evacuate.Status, error)
	Restore(provider string, rampSeconds float64) (evacuate.Status, error)
	Get(provider string) (evacuate.Status, error)
	// List has a status of every provider, by name.
	List() []evacuate.Status
}

var _ Evacuations = (*evacuate.Evacuations)(nil)

// Ramp is how an evacuation is to go about it.
type Ramp struct {
	Seconds float64 `json:"ramp_seconds" doc:"Over how many seconds the share falls; 0 is at once."`
}

func evacuationEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/evacuations", "Every provider, and how far its evacuation is.", (*api).listEvacuations)),
		read("/v1/evacuations/{provider}", "How far the evacuation of a provider is, and whether it holds.", (*api).getEvacuation),
		read("/v1/evacuations/{provider}/plan", "What an evacuation of the provider would move where, at what loss and cost, and what cannot move.", (*api).planEvacuation),
		write("PUT", "/v1/evacuations/{provider}", "Move all traffic off a provider.", (*api).startEvacuation),
		write("DELETE", "/v1/evacuations/{provider}", "Bring a provider back.", (*api).restore).with(
			query{name: "ramp_seconds", doc: "Over how many seconds its share grows; at once if not given.", schema: map[string]any{"type": "number", "minimum": 0}},
		),
	}
}

func (a *api) listEvacuations(r *request) (List[evacuate.Status], error) {
	return page(r, a.opts.Evacuations.List(), func(s evacuate.Status) string { return s.Provider })
}

func (a *api) getEvacuation(r *request) (evacuate.Status, error) {
	return a.opts.Evacuations.Get(r.PathValue("provider"))
}

func (a *api) planEvacuation(r *request) (evacuate.Plan, error) {
	return a.opts.Evacuations.Plan(r.PathValue("provider"))
}

func (a *api) startEvacuation(r *request, ramp Ramp) (evacuate.Status, error) {
	return a.opts.Evacuations.Start(r.PathValue("provider"), ramp.Seconds)
}

func (a *api) restore(r *request, _ None) (evacuate.Status, error) {
	seconds := 0.0
	if q := r.URL.Query(); q.Has("ramp_seconds") {
		var err error
		if seconds, err = strconv.ParseFloat(q.Get("ramp_seconds"), 64); err != nil {
			return evacuate.Status{}, llm.Invalid("ramp_seconds", "The parameter ramp_seconds must be a number.")
		}
	}
	return a.opts.Evacuations.Restore(r.PathValue("provider"), seconds)
}
