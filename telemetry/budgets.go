package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Budget is how an account stands in the period that runs, in dollars.
type Budget struct {
	Account, Period       string
	Soft                  bool
	Most, Spent, Reserved float64
}

// budgets collects how accounts stand when somebody asks.
type budgets struct{ list func() []Budget }

// Describe says nothing: which metrics there are depends on the budgets.
func (budgets) Describe(chan<- *prometheus.Desc) {}

// Collect lists the metrics of all budgets.
func (c budgets) Collect(to chan<- prometheus.Metric) {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"account", "period", "kind"}, nil)
	}
	most := describe("understudy_budget_limit_usd", "The most that the account may spend in the period; kind is hard or soft.")
	spent := describe("understudy_budget_spent_usd", "What the account has spent in the period that runs.")
	reserved := describe("understudy_budget_reserved_usd", "What calls that run may cost the account, and what other gateways have leased.")
	for _, b := range c.list() {
		kind := "hard"
		if b.Soft {
			kind = "soft"
		}
		for _, g := range []struct {
			desc  *prometheus.Desc
			value float64
		}{{most, b.Most}, {spent, b.Spent}, {reserved, b.Reserved}} {
			to <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value, b.Account, b.Period, kind)
		}
	}
}
