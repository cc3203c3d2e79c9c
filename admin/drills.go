package admin

import (
	"context"

	"github.com/understudy-ai/understudy/continuity/drill"
)

// Drills are what the API starts, stops and shows of drills.
type Drills interface {
	Start(id string, s drill.Spec) (drill.Report, error)
	// Stop returns the report as it is when the drill's last calls are over, or a little later.
	Stop(ctx context.Context, id string) (drill.Report, error)
	Get(id string) (drill.Report, error)
	// IDs lists the drills, the latest id first.
	IDs() ([]string, error)
	// Current returns the drill that runs, and the provider that seems to fail.
	Current() (id, provider string)
}

var _ Drills = (*drill.Drills)(nil)

func drillEndpoints() []endpoint {
	return []endpoint{
		paged(read("/v1/faults", "The faults that a drill can put in the way.", (*api).listFaults)),
		paged(read("/v1/drills", "The drills there were, and the one that runs: the latest id first.", (*api).listDrills)),
		read("/v1/drills/{id}", "A drill's report, as far as it has come.", (*api).getDrill),
		write("PUT", "/v1/drills/{id}", "Start a drill, under an id of your choice.", (*api).startDrill),
		write("POST", "/v1/drills/{id}/stop", "End a drill.", (*api).stopDrill),
	}
}

func (a *api) listFaults(r *request) (List[drill.Fault], error) {
	return page(r, drill.Faults(), func(f drill.Fault) string { return f.Name })
}

func (a *api) listDrills(r *request) (List[drill.Report], error) {
	ids, err := a.opts.Drills.IDs()
	if err != nil {
		return List[drill.Report]{}, err
	}
	some, err := page(r, ids, func(id string) string { return id })
	if err != nil {
		return List[drill.Report]{}, err
	}
	reports := List[drill.Report]{Data: []drill.Report{}, Next: some.Next}
	for _, id := range some.Data {
		rep, err := a.opts.Drills.Get(id)
		if err != nil {
			return List[drill.Report]{}, err
		}
		reports.Data = append(reports.Data, rep)
	}
	return reports, nil
}

func (a *api) getDrill(r *request) (drill.Report, error) { return a.opts.Drills.Get(r.PathValue("id")) }

func (a *api) startDrill(r *request, s drill.Spec) (drill.Report, error) {
	return a.opts.Drills.Start(r.PathValue("id"), s)
}

func (a *api) stopDrill(r *request, _ None) (drill.Report, error) {
	return a.opts.Drills.Stop(r.Context(), r.PathValue("id"))
}
