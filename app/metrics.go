package app

import (
	"github.com/understudy-ai/understudy/admin"
	"github.com/understudy-ai/understudy/continuity/evacuate"
	"github.com/understudy-ai/understudy/route"
	"github.com/understudy-ai/understudy/telemetry"
)

// budgets is how every budget stands, for the metrics.
func (a *App) budgets() []telemetry.Budget {
	if a.data == nil {
		return nil
	}
	return a.books.budgets.metrics()
}

// budgetsOf are what the admin API shows and changes.
func (a *App) budgetsOf() admin.Budgets {
	if a.data == nil {
		return noBudgets{}
	}
	return a.books.budgets
}

// targets is how those fare that were asked, for the metrics.
func (a *App) targets() []telemetry.Target {
	snapshot := a.health.Snapshot()
	list := make([]telemetry.Target, len(snapshot))
	for i, t := range snapshot {
		list[i] = telemetry.Target{
			Provider: t.Provider, Model: t.Model, State: string(t.State), Posture: string(t.Posture), Share: t.Share,
			Running: t.Running, Limit: t.Limit, Latency: t.Latency, FirstToken: t.FirstToken,
		}
	}
	return list
}

// drill is the one that runs, for the metrics.
func (a *App) drill() (telemetry.Drill, bool) {
	id, provider := a.drills.Current()
	if id == "" {
		return telemetry.Drill{}, false
	}
	r, err := a.drills.Get(id)
	if err != nil { // it is over
		return telemetry.Drill{}, false
	}
	return telemetry.Drill{
		Provider: provider, Struck: r.Struck.Calls, StruckFailed: r.Struck.Failed, Spared: r.Spared.Calls, SparedFailed: r.Spared.Failed,
	}, true
}

// evacuated lists the providers that are evacuated or restored, likewise.
func (a *App) evacuated() []telemetry.Evacuation {
	var list []telemetry.Evacuation
	for _, s := range a.evacuations.List() {
		if s.Phase != evacuate.PhaseNone {
			list = append(list, telemetry.Evacuation{
				Provider: s.Provider, Phase: string(s.Phase), Share: s.Share, Calls: s.Calls, There: s.There, Failed: s.Failed,
			})
		}
	}
	return list
}

// changed counts what became of a target. Postures are in what is known of targets.
func (a *App) changed(c route.Change) {
	if c.Scope != "" {
		a.metrics.Changed(telemetry.Change{Provider: c.Provider, Scope: string(c.Scope), Reason: string(c.Reason)})
	}
}
