package app

import "github.com/understudy-ai/understudy/telemetry"

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
