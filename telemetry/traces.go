package telemetry

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/understudy-ai/understudy/gateway"
	"github.com/understudy-ai/understudy/llm"
)

// The kinds of spans and the status of those that failed, as OpenTelemetry's protocol numbers them.
const (
	kindServer  = 2
	kindClient  = 3
	statusError = 2
)

// span is one of OpenTelemetry's, in the JSON of its protocol
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
type span struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	ParentID   string      `json:"parentSpanId,omitempty"`
	State      string      `json:"traceState,omitempty"`
	Name       string      `json:"name"`
	Kind       int         `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes attributes  `json:"attributes,omitempty"`
	Status     *spanStatus `json:"status,omitempty"`
}

type spanStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

type attribute struct {
	Key   string         `json:"key"`
	Value map[string]any `json:"value"`
}

type attributes []attribute

// text, number, seconds and truth add an attribute; one that says nothing is left out.
func (a *attributes) text(key, v string) {
	if v != "" {
		*a = append(*a, attribute{key, map[string]any{"stringValue": v}})
	}
}

func (a *attributes) number(key string, v int64) {
	if v != 0 {
		*a = append(*a, attribute{key, map[string]any{"intValue": strconv.FormatInt(v, 10)}}) // as the protocol's JSON has 64 bits
	}
}

func (a *attributes) seconds(key string, d time.Duration) {
	if d > 0 {
		*a = append(*a, attribute{key, map[string]any{"doubleValue": d.Seconds()}})
	}
}

func (a *attributes) truth(key string, v bool) {
	if v {
		*a = append(*a, attribute{key, map[string]any{"boolValue": true}})
	}
}

// spansOf makes the spans of a call that is over: one for itself and one for each attempt, named as
// the conventions for generative AI have them. Nothing of what was asked and answered is in them.
func spansOf(dst []span, rec *gateway.Record) []span {
	operation := conventional(string(rec.Operation))
	call := newSpan(rec, rec.Trace.Span, rec.Start, rec.Duration)
	call.Name, call.Kind = spanName(operation, rec.Model), kindServer
	if rec.Trace.Parent != [8]byte{} {
		call.ParentID = hex.EncodeToString(rec.Trace.Parent[:])
	}
	a := &call.Attributes
	a.text("gen_ai.operation.name", operation)
	a.text("gen_ai.request.model", rec.Model)
	a.truth("gen_ai.request.stream", rec.Stream)
	a.number("http.response.status_code", int64(rec.Status))
	a.text("error.type", string(rec.Code))
	a.text("understudy.call", rec.Call)
	a.text("understudy.caller", rec.Caller)
	a.text("understudy.dialect", string(rec.Dialect))
	a.number("understudy.attempts", int64(len(rec.Attempts)))
	if last := rec.Last(); last != nil && last.Code == "" {
		a.text("understudy.target", last.Target)
	}
	if rec.Code != "" && rec.Code.Info().Status >= 500 { // others are the client's
		call.Status = &spanStatus{statusError, string(rec.Code)}
	}
	dst = append(dst, call)
	for i := range rec.Attempts {
		dst = append(dst, attemptSpan(rec, &rec.Attempts[i], operation))
	}
	return dst
}

func attemptSpan(rec *gateway.Record, of *gateway.AttemptRecord, operation string) span {
	provider, model, _ := strings.Cut(of.Target, "/")
	s := newSpan(rec, of.Span, of.Start, of.Duration)
	s.Name, s.Kind, s.ParentID = spanName(operation, model), kindClient, hex.EncodeToString(rec.Trace.Span[:])
	a := &s.Attributes
	a.text("gen_ai.operation.name", operation)
	a.text("gen_ai.provider.name", of.Vendor)
	a.text("understudy.provider", provider)
	a.text("gen_ai.request.model", model)
	a.text("gen_ai.response.model", of.Answered)
	a.truth("gen_ai.request.stream", rec.Stream)
	if rec.Stream {
		a.seconds("gen_ai.response.time_to_first_chunk", of.FirstContent)
	}
	if u := of.Usage; u.Known {
		a.number("gen_ai.usage.input_tokens", u.Input())
		a.number("gen_ai.usage.output_tokens", u.Output())
		a.number("gen_ai.usage.cache_read.input_tokens", u.InCacheRead)
		a.number("gen_ai.usage.reasoning.output_tokens", u.OutReasoning)
	}
	a.number("http.response.status_code", int64(of.Status))
	a.text("error.type", string(of.Code))
	a.text("understudy.mode", string(of.Mode))
	a.truth("understudy.committed", of.Committed)
	a.truth("understudy.rescue", of.Rescue)
	a.truth("understudy.hedge", of.Hedge)
	if len(of.Losses) > 0 {
		const longest = 1024
		a.text("understudy.loss", llm.FormatLosses(of.Losses, longest))
	}
	if of.Code != "" && of.Code != llm.CodeOutrun && of.Code != llm.CodeClientGone {
		s.Status = &spanStatus{statusError, string(of.Code)}
	}
	return s
}

func newSpan(rec *gateway.Record, id [8]byte, start time.Time, d time.Duration) span {
	return span{
		TraceID: hex.EncodeToString(rec.Trace.ID[:]), SpanID: hex.EncodeToString(id[:]), State: rec.Trace.State,
		Start: strconv.FormatInt(start.UnixNano(), 10), End: strconv.FormatInt(start.Add(d).UnixNano(), 10),
	}
}

func spanName(operation, model string) string { return strings.TrimSpace(operation + " " + model) }
