package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-ai/understudy/gateway"
)

// load collects how much runs when somebody asks.
type load struct{ now func() gateway.Load }

// Describe says nothing: whether there are limits depends on the config.
func (load) Describe(chan<- *prometheus.Desc) {}

// Collect lists what runs, what may, and what was shed.
func (l load) Collect(to chan<- prometheus.Metric) {
	now := l.now()
	send := func(kind prometheus.ValueType, name, help string, value int64) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), kind, float64(value))
	}
	send(prometheus.GaugeValue, "understudy_calls_running", "Client calls that run.", now.Calls)
	send(prometheus.GaugeValue, "understudy_calls_memory_bytes", "What the client calls that run take of memory, by estimate.", now.Memory)
	if now.MaxCalls > 0 {
		send(prometheus.GaugeValue, "understudy_calls_limit", "Client calls that may run at a time.", now.MaxCalls)
	}
	if now.MaxMemory > 0 {
		send(prometheus.GaugeValue, "understudy_calls_memory_limit_bytes", "What client calls may take of memory.", now.MaxMemory)
	}
	send(prometheus.GaugeValue, "understudy_rescue_text_bytes", "Text of running streams that is kept so that other targets can go on with them.", now.Text)
	send(prometheus.GaugeValue, "understudy_rescue_text_limit_bytes", "How much there may be.", now.MaxText)
	send(prometheus.CounterValue, "understudy_rescue_text_refused_total", "Streams that went on without rescue since there was no room for more text.", now.Unkept)
	shed := prometheus.NewDesc("understudy_calls_shed_total", "Client calls that were refused at once, by the limit that left no room for them.", []string{"limit"}, nil)
	to <- prometheus.MustNewConstMetric(shed, prometheus.CounterValue, float64(now.ShedForCalls), "calls")
	to <- prometheus.MustNewConstMetric(shed, prometheus.CounterValue, float64(now.ShedForMemory), "memory")
}

// spans collects what became of traces when somebody asks.
type spans struct {
	count func() (sent, failed, dropped int64)
}

// Describe says nothing: there are no others.
func (spans) Describe(chan<- *prometheus.Desc) {}

// Collect lists the spans by what became of them.
func (s spans) Collect(to chan<- prometheus.Metric) {
	sent, failed, dropped := s.count()
	desc := prometheus.NewDesc("understudy_spans_total", "Spans for the collector of traces, by what became of them.", []string{"result"}, nil)
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(sent), "sent")
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(failed), "failed")
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(dropped), "dropped")
}
