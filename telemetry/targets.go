package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Target is how a model of a provider's fares, or, where Model is empty, the provider itself.
type Target struct {
	Provider, Model string
	State           string // up, out, probing, cooling or ramping
	Posture         string // of its provider
	Share           float64
	Running         int // attempts
	Limit           int // attempts at a time; 0 if there is none
	// Latency is how long answers took of late, and FirstToken how long streams took to their first
	// content; 0 if there were none.
	Latency, FirstToken time.Duration
}

// targets collects what is known of targets when somebody asks.
type targets struct{ list func() []Target }

// Describe says nothing: which metrics there are depends on the targets.
func (targets) Describe(chan<- *prometheus.Desc) {}

// Collect lists the metrics of all targets. A value that is not known has no sample.
func (c targets) Collect(to chan<- prometheus.Metric) {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"provider", "model"}, labels...), nil)
	}
	state := describe("understudy_target_state", "1, with the state of the target and the posture of its provider.", "state", "posture")
	share := describe("understudy_target_share", "Share of its traffic that a target gets: less than 1 while it ramps up, is drained or is evacuated.")
	running := describe("understudy_target_running", "Attempts that run.")
	limit := describe("understudy_target_limit", "Attempts at a time, as far as the provider has let on.")
	latency := describe("understudy_target_latency_seconds", "How long whole answers took of late.")
	first := describe("understudy_target_first_token_seconds", "How long streams took of late to their first content.")
	for _, t := range c.list() {
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{t.Provider, t.Model}, labels...)...)
		}
		known := func(d *prometheus.Desc, value float64) {
			if value > 0 {
				gauge(d, value)
			}
		}
		gauge(state, 1, t.State, t.Posture)
		gauge(share, t.Share)
		gauge(running, float64(t.Running))
		known(limit, float64(t.Limit))
		known(latency, t.Latency.Seconds())
		known(first, t.FirstToken.Seconds())
	}
}
