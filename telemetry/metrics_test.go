package telemetry

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
)

func metrics(targets ...Target) *Metrics {
	return New(Options{
		Version: "1.2.3", Load: func() gateway.Load {
			return gateway.Load{Calls: 4, MaxCalls: 10, Memory: 1 << 20, MaxMemory: 1 << 30, ShedForCalls: 2, ShedForMemory: 3, Text: 1 << 16, MaxText: 1 << 28, Unkept: 6}
		}, LocalFaults: func() int64 { return 5 }, TurnedAway: func() int64 { return 10 },
		Spans:   func() (int64, int64, int64) { return 7, 8, 9 },
		Targets: func() []Target { return targets },
		Budgets: func() []Budget {
			return []Budget{{Account: "team:search", Period: "month", Most: 500, Spent: 1.5, Reserved: 0.25}}
		},
		Drill: func() (Drill, bool) {
			return Drill{Provider: "p", Struck: 5, StruckFailed: 1, Spared: 20, SparedFailed: 2}, true
		},
		Evacuations: func() []Evacuation { return []Evacuation{{"q", "evacuating", 0.25, 100, 30, 1}} },
	})
}

// page is what a monitoring system gets, without what is the Go runtime's and the process's.
func (m *Metrics) page(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("got %d %s, want a page of metrics", w.Code, w.Header().Get("Content-Type"))
	}
	return w.Body.String()
}

func want(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(page, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			got := ""
			for l := range strings.Lines(page) {
				if strings.HasPrefix(l, name) {
					got += l
				}
			}
			t.Errorf("got no line %s; of that name:\n%s", line, got)
		}
	}
}

// rescued is a streamed call whose lead broke off and whose understudy went on.
func rescued() *gateway.Record {
	lost := []llm.Loss{{Feature: llm.FeatureStop, Action: llm.ActionDropped, Severity: llm.Tuning}, {Path: "a.client's[].own", Action: llm.ActionDropped, Severity: llm.Harmless}}
	return &gateway.Record{
		Dialect: "openai-chat", Operation: "generate", Model: "assistant", Stream: true, Duration: 1500 * time.Millisecond, Status: 200,
		Attempts: []gateway.AttemptRecord{
			{Target: "lead/m", Vendor: "openai", Mode: gateway.ModeRelay, Committed: true, Duration: 900 * time.Millisecond, FirstContent: 50 * time.Millisecond, Code: llm.CodeTruncated},
			{
				Target: "other/n/x", Vendor: "aws.bedrock", Mode: gateway.ModeTranslate, Duration: 600 * time.Millisecond, FirstContent: 30 * time.Millisecond,
				Rescue: true, Losses: lost, Usage: llm.Usage{Known: true, InFresh: 20, InCacheRead: 80, OutVisible: 7, OutReasoning: 3},
			},
		},
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	m := metrics()
	m.Observe(rescued())
	m.Changed(Change{"p", "model", "open"})
	m.Observe(&gateway.Record{Dialect: "anthropic-messages", Operation: "count tokens", Duration: time.Second, Status: 404, Code: llm.CodeModelNotFound})
	want(t, m.page(t),
		`understudy_calls_total{code="",dialect="openai-chat",operation="generate",status="200",stream="true"} 1`,
		`understudy_calls_total{code="model_not_found",dialect="anthropic-messages",operation="count_tokens",status="404",stream="false"} 1`,
		`understudy_call_duration_seconds_sum{dialect="openai-chat",operation="generate",stream="true"} 1.5`,
		`understudy_attempts_total{code="truncated",mode="relay",model="m",provider="lead",rescue="false"} 1`,
		`understudy_attempts_total{code="",mode="translate",model="n/x",provider="other",rescue="true"} 1`,
		`understudy_rescues_total{model="m",provider="lead",whole="true"} 1`,
		`understudy_losses_total{action="dropped",feature="stop",severity="tuning"} 1`,
		`understudy_losses_total{action="dropped",feature="other",severity="harmless"} 1`,
		`gen_ai_client_operation_duration_seconds_bucket{error_type="truncated",gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="m",understudy_provider="lead",le="1.28"} 1`,
		`gen_ai_client_operation_time_to_first_chunk_seconds_sum{gen_ai_operation_name="chat",gen_ai_provider_name="aws.bedrock",gen_ai_request_model="n/x",understudy_provider="other"} 0.03`,
		`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="aws.bedrock",gen_ai_request_model="n/x",gen_ai_token_type="input",understudy_provider="other"} 100`,
		`gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="aws.bedrock",gen_ai_request_model="n/x",gen_ai_token_type="output",understudy_provider="other"} 10`,
		`understudy_spans_total{result="sent"} 7`, `understudy_spans_total{result="failed"} 8`, `understudy_spans_total{result="dropped"} 9`,
		`understudy_drill_running{provider="p"} 1`, `understudy_drill_calls{failed="true",group="struck",provider="p"} 1`, `understudy_drill_calls{failed="false",group="spared",provider="p"} 18`,
		`understudy_evacuation_share{phase="evacuating",provider="q"} 0.25`, `understudy_evacuation_calls{provider="q"} 100`,
		`understudy_evacuation_calls_there{provider="q"} 30`, `understudy_evacuation_calls_failed{provider="q"} 1`,
		`understudy_target_changes_total{provider="p",reason="open",scope="model"} 1`,
		`understudy_calls_running 4`, `understudy_calls_limit 10`, `understudy_calls_memory_bytes 1.048576e+06`, `understudy_calls_memory_limit_bytes 1.073741824e+09`,
		`understudy_rescue_text_bytes 65536`, `understudy_rescue_text_limit_bytes 2.68435456e+08`, `understudy_rescue_text_refused_total 6`,
		`understudy_calls_shed_total{limit="calls"} 2`, `understudy_calls_shed_total{limit="memory"} 3`, `understudy_local_faults_total 5`, `understudy_connections_turned_away_total 10`, `understudy_build_info{version="1.2.3"} 1`,
	)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	page := metrics(
		Target{Provider: "a", Model: "m", State: "cooling", Posture: "normal", Share: 1, Running: 2, Limit: 3, Latency: time.Second},
		Target{Provider: "a", State: "up", Posture: "draining", Share: 0.25},
	).page(t)
	want(t, page,
		`understudy_target_state{model="m",posture="normal",provider="a",state="cooling"} 1`,
		`understudy_target_share{model="",provider="a"} 0.25`,
		`understudy_target_running{model="m",provider="a"} 2`,
		`understudy_target_limit{model="m",provider="a"} 3`,
		`understudy_target_latency_seconds{model="m",provider="a"} 1`,
	)
	if strings.Contains(page, "understudy_target_first_token_seconds{") || strings.Contains(page, `understudy_target_limit{model=""`) {
		t.Error("got samples of what is not known, want none")
	}
}

// A client that asks for ever new models makes no more series than there is room for (S71).
func TestModelsAreBounded(t *testing.T) {
	t.Parallel()
	m := metrics()
	for i := range maxModels + 50 {
		rec := rescued()
		rec.Attempts = rec.Attempts[:1]
		rec.Attempts[0].Target = fmt.Sprintf("lead/m%d", i)
		m.Observe(rec)
	}
	page := m.page(t)
	want(t, page, `understudy_attempts_total{code="truncated",mode="relay",model="other",provider="lead",rescue="false"} 50`)
	if n := strings.Count(page, "\nunderstudy_attempts_total{"); n != maxModels+1 {
		t.Errorf("got %d series of attempts want %d", n, maxModels+1)
	}
}

func BenchmarkObserve(b *testing.B) {
	m, rec := metrics(), rescued()
	rec.Attempts = rec.Attempts[1:]
	rec.Attempts[0].Losses = nil
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(rec)
	}
}
