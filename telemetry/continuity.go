package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Drill is how the drill fares that runs.
type Drill struct {
	Provider string
	// The calls that met its fault and the others of the same models, and how many of each failed.
	Struck, StruckFailed, Spared, SparedFailed int
}

// Evacuation is how far a provider has been left.
type Evacuation struct {
	Provider, Phase string
	Share           float64 // of its traffic that it gets
	// Calls of models that have the provider, since the phase began: all, those that it was asked for,
	// and those that failed.
	Calls, There, Failed int
}

// Change is what became of a target, or of a provider.
type Change struct {
	Provider, Scope string
	Reason          string // why it is out; empty if it is back
}

// Changed counts what became of a target.
func (m *Metrics) Changed(c Change) {
	m.changes.WithLabelValues(c.Provider, c.Scope, c.Reason).Inc()
}

// planned collects what operators have planned when somebody asks.
type planned struct {
	drill       func() (Drill, bool)
	evacuations func() []Evacuation
}

// Describe says nothing: which metrics there are depends on what goes on.
func (planned) Describe(chan<- *prometheus.Desc) {}

// Collect lists the drill that runs and the evacuations that there are.
func (p planned) Collect(to chan<- prometheus.Metric) {
	send := func(name, help string, value float64, labels ...string) {
		names, values := make([]string, 0, len(labels)/2), make([]string, 0, len(labels)/2)
		for i := 0; i < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, values...)
	}
	if d, ok := p.drill(); ok {
		const calls, help = "understudy_drill_calls", "Calls of the drill that runs, struck by its fault or spared, by whether the client got an error that was not its own."
		send("understudy_drill_running", "1, with the provider that a drill lets fail.", 1, "provider", d.Provider)
		send(calls, help, float64(d.Struck-d.StruckFailed), "provider", d.Provider, "group", "struck", "failed", "false")
		send(calls, help, float64(d.StruckFailed), "provider", d.Provider, "group", "struck", "failed", "true")
		send(calls, help, float64(d.Spared-d.SparedFailed), "provider", d.Provider, "group", "spared", "failed", "false")
		send(calls, help, float64(d.SparedFailed), "provider", d.Provider, "group", "spared", "failed", "true")
	}
	for _, e := range p.evacuations() {
		send("understudy_evacuation_share", "Share of its traffic that a provider gets that is evacuated or restored.", e.Share, "provider", e.Provider, "phase", e.Phase)
		send("understudy_evacuation_calls", "Calls of models that have an evacuated provider since the phase began.", float64(e.Calls), "provider", e.Provider)
		send("understudy_evacuation_calls_there", "How many of them the provider was still asked for.", float64(e.There), "provider", e.Provider)
		send("understudy_evacuation_calls_failed", "How many of them ended in an error that was not the client's own.", float64(e.Failed), "provider", e.Provider)
	}
}
