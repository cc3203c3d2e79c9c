package app

import (
	"github.com/understudy-ai/understudy/admin"
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
