// Package telemetry shows what the gateway does to monitoring systems: metrics in
// Prometheus's format, named as OpenTelemetry's conventions for generative AI name
// them where they do (https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/,
// with underscores and units as Prometheus wants them), and understudy_* otherwise. It reads
// records that others make and changes nothing.
package telemetry

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
)

// Options is what Metrics are built from. Every function must be there.
type Options struct {
	Version string
	// Load is how much runs.
	Load func() gateway.Load
	// Spans is how many a collector took, how many it did not, and how many it was not sent; nil if
	// there is none.
	Spans func() (sent, failed, dropped int64)
	// LocalFaults is how many attempts failed for want of something on the gateway's own machine.
	LocalFaults func() int64
	// TurnedAway is how many connections of clients there was no room for.
	TurnedAway func() int64
	// Targets lists what was asked so far.
	Targets func() []Target
	// Budgets lists how every budget stands.
	Budgets func() []Budget
	// Drill is the drill that runs, if one does, and Evacuations lists the providers that are left.
	Drill       func() (Drill, bool)
	Evacuations func() []Evacuation
}

// Metrics are the counts of one process. Its methods may be called concurrently.
type Metrics struct {
	registry *prometheus.Registry

	calls        *prometheus.CounterVec
	callSeconds  *prometheus.HistogramVec
	attempts     *prometheus.CounterVec
	rescues      *prometheus.CounterVec
	hedges       *prometheus.CounterVec
	others       *prometheus.CounterVec
	rejected     *prometheus.CounterVec
	changes      *prometheus.CounterVec
	losses       *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	firstContent *prometheus.HistogramVec
	tokens       *prometheus.HistogramVec
	refusals     *prometheus.CounterVec
	denials      *prometheus.CounterVec

	// What calls and attempts of a kind count in, found once.
	mu            sync.RWMutex
	callSeries    map[callKind]*callSeries
	attemptSeries map[attemptKind]*attemptSeries
	models        modelNames
}

// The buckets that the conventions name: seconds, each twice the one before, and tokens, each four times.
func secondBuckets() []float64 { return prometheus.ExponentialBuckets(0.01, 2, 14) }
func tokenBuckets() []float64  { return prometheus.ExponentialBuckets(1, 4, 14) }

// New returns Metrics without counts.
func New(o Options) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		callSeries: map[callKind]*callSeries{}, attemptSeries: map[attemptKind]*attemptSeries{},
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_calls_total", Help: "Client calls that are over, by what the client got. code is empty for a whole answer.",
		}, []string{"dialect", "operation", "stream", "status", "code"}),
		callSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "understudy_call_duration_seconds", Help: "Time of client calls from the request to the end of the answer.", Buckets: secondBuckets(),
		}, []string{"dialect", "operation", "stream"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_attempts_total", Help: "Requests to providers. code is empty for those that succeeded; rescue says that one went on with another's answer.",
		}, []string{"provider", "model", "mode", "code", "rescue"}),
		rescues: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_rescues_total", Help: "Streams that broke after their first content and that another target was asked to go on with, by whether they were whole in the end.",
		}, []string{"provider", "model", "whole"}),
		hedges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_hedges_total", Help: "Requests to providers beside another that took long, by whether the client got their answer.",
		}, []string{"provider", "model", "won"}),
		others: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_other_model_total", Help: "Answers that the provider says are another model's than the one it was asked for.",
		}, []string{"provider", "model"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_usage_rejected_total", Help: "Answers of which the provider counted tokens that cannot be true, so that the gateway's own count stands.",
		}, []string{"provider", "model"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_target_changes_total", Help: "Changes of the health of endpoints, models and credentials. reason says why one is out, and is empty for one that is back.",
		}, []string{"provider", "scope", "reason"}),
		losses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_losses_total", Help: "What translations lost and reported, in attempts.",
		}, []string{"feature", "action", "severity"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gen_ai_client_operation_duration_seconds", Help: "Time of requests to providers.", Buckets: secondBuckets(),
		}, []string{"gen_ai_operation_name", "gen_ai_provider_name", "understudy_provider", "gen_ai_request_model", "error_type"}),
		firstContent: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gen_ai_client_operation_time_to_first_chunk_seconds", Help: "Time to the first content of streams from providers.", Buckets: secondBuckets(),
		}, []string{"gen_ai_operation_name", "gen_ai_provider_name", "understudy_provider", "gen_ai_request_model"}),
		tokens: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gen_ai_client_token_usage", Help: "Tokens of requests to providers, where the provider counted them.", Buckets: tokenBuckets(),
		}, []string{"gen_ai_operation_name", "gen_ai_provider_name", "understudy_provider", "gen_ai_request_model", "gen_ai_token_type"}),
		denials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_rate_refusals_total", Help: "Client calls that a limit of their key refused: requests or tokens by the minute, or concurrent.",
		}, []string{"limit"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "understudy_budget_refusals_total", Help: "Attempts that were not made since the account's budget had too little left.",
		}, []string{"account", "period"}),
	}
	m.registry.MustRegister(
		m.calls, m.callSeconds, m.attempts, m.rescues, m.hedges, m.others, m.rejected, m.changes, m.losses, m.seconds, m.firstContent, m.tokens, m.refusals, m.denials,
		targets{o.Targets}, budgets{o.Budgets}, planned{o.Drill, o.Evacuations},
		load{o.Load},
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "understudy_local_faults_total", Help: "Attempts that failed for want of something on this machine, which no provider is blamed for.",
		}, func() float64 { return float64(o.LocalFaults()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "understudy_connections_turned_away_total", Help: "Connections of clients that were told that there is no room for them.",
		}, func() float64 { return float64(o.TurnedAway()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "understudy_build_info", Help: "1, with the program's version.", ConstLabels: prometheus.Labels{"version": o.Version},
		}, func() float64 { return 1 }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if o.Spans != nil {
		m.registry.MustRegister(spans{o.Spans})
	}
	return m
}

// ServeHTTP answers with all metrics.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}).ServeHTTP(w, r)
}

// callKind is what calls are told apart by.
type callKind struct {
	dialect, operation string
	stream             bool
	status             int
	code               llm.Code
}

type callSeries struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

// attemptKind is what attempts are told apart by.
type attemptKind struct {
	target, vendor, operation string
	mode                      gateway.Mode
	code                      llm.Code
	rescue                    bool
}

type attemptSeries struct {
	count                                prometheus.Counter
	seconds, firstContent, input, output prometheus.Observer
}

// Observe counts a call that is over.
func (m *Metrics) Observe(rec *gateway.Record) {
	c := m.callsOf(callKind{string(rec.Dialect), string(rec.Operation), rec.Stream, rec.Status, rec.Code})
	c.count.Inc()
	c.seconds.Observe(rec.Duration.Seconds())
	for i := range rec.Attempts {
		m.observe(rec, i)
	}
	if rec.Denied != "" {
		m.denials.WithLabelValues(rec.Denied).Inc()
	}
	for _, over := range rec.Over {
		m.refusals.WithLabelValues(over.Account, string(over.Period)).Inc()
	}
}

func (m *Metrics) observe(rec *gateway.Record, i int) {
	a := &rec.Attempts[i]
	s := m.attemptsOf(attemptKind{a.Target, a.Vendor, string(rec.Operation), a.Mode, a.Code, a.Rescue})
	s.count.Inc()
	s.seconds.Observe(a.Duration.Seconds())
	if rec.Stream && a.FirstContent > 0 {
		s.firstContent.Observe(a.FirstContent.Seconds())
	}
	if a.Rejected {
		provider, model := m.models.of(a.Target)
		m.rejected.WithLabelValues(provider, model).Inc()
	} else if a.Usage.Known {
		s.input.Observe(float64(a.Usage.Input()))
		s.output.Observe(float64(a.Usage.Output()))
	}
	for _, l := range a.Losses {
		m.losses.WithLabelValues(featureOf(l), string(l.Action), string(l.Severity)).Inc()
	}
	if a.Other {
		provider, model := m.models.of(a.Target)
		m.others.WithLabelValues(provider, model).Inc()
	}
	if a.Hedge {
		provider, model := m.models.of(a.Target)
		m.hedges.WithLabelValues(provider, model, strconv.FormatBool(a.Code != llm.CodeOutrun && a.Committed)).Inc()
	}
	if broken := brokenBefore(rec, i); broken != nil {
		provider, model := m.models.of(broken.Target)
		m.rescues.WithLabelValues(provider, model, strconv.FormatBool(rec.Code == "")).Inc()
	}
}

// brokenBefore is the attempt whose answer the first rescue goes on with, if that is attempt i.
func brokenBefore(rec *gateway.Record, i int) *gateway.AttemptRecord {
	if !rec.Attempts[i].Rescue {
		return nil
	}
	for ; i > 0; i-- {
		if a := &rec.Attempts[i-1]; a.Rescue {
			return nil
		} else if a.Committed {
			return a
		}
	}
	return nil
}

// featureOf names what was lost. A path in a client's body is none of a few words.
func featureOf(l llm.Loss) string {
	if l.Feature == "" {
		return "other"
	}
	return string(l.Feature)
}

func (m *Metrics) callsOf(k callKind) *callSeries {
	m.mu.RLock()
	made := m.callSeries[k]
	m.mu.RUnlock()
	if made != nil {
		return made
	}
	stream, operation := strconv.FormatBool(k.stream), word(k.operation)
	made = &callSeries{
		count:   m.calls.WithLabelValues(k.dialect, operation, stream, strconv.Itoa(k.status), string(k.code)),
		seconds: m.callSeconds.WithLabelValues(k.dialect, operation, stream),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.callSeries[k] = made // another that is made meanwhile counts in the same
	return made
}

func (m *Metrics) attemptsOf(k attemptKind) *attemptSeries {
	m.mu.RLock()
	made := m.attemptSeries[k]
	m.mu.RUnlock()
	if made != nil {
		return made
	}
	provider, model := m.models.of(k.target)
	operation := conventional(k.operation)
	made = &attemptSeries{
		count:        m.attempts.WithLabelValues(provider, model, string(k.mode), string(k.code), strconv.FormatBool(k.rescue)),
		seconds:      m.seconds.WithLabelValues(operation, k.vendor, provider, model, string(k.code)),
		firstContent: m.firstContent.WithLabelValues(operation, k.vendor, provider, model),
		input:        m.tokens.WithLabelValues(operation, k.vendor, provider, model, "input"),
		output:       m.tokens.WithLabelValues(operation, k.vendor, provider, model, "output"),
	}
	if model == otherModels {
		return made // kept, it would be kept for each of them
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attemptSeries[k] = made
	return made
}

// conventional is the operation's name in OpenTelemetry's conventions.
func conventional(operation string) string {
	switch operation {
	case "generate":
		return "chat"
	case "embed":
		return "embeddings"
	case "completions":
		return "text_completion"
	default:
		return word(operation)
	}
}

func word(s string) string { return strings.ReplaceAll(s, " ", "_") }

// maxModels bounds the models that have series of their own, since clients may ask for any name.
const maxModels = 1000

// otherModels stands for those beyond.
const otherModels = "other"

// modelNames are the targets that have series.
type modelNames struct {
	mu   sync.Mutex
	seen map[string]bool
}

// of parts a target's name into provider and model.
func (n *modelNames) of(target string) (provider, model string) {
	provider, model, _ = strings.Cut(target, "/")
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	if !n.seen[target] && len(n.seen) >= maxModels {
		return provider, otherModels
	}
	n.seen[target] = true
	return provider, model
}
