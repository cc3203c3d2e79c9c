package ollama

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

// EncodeRequest writes a chat request. It returns an *llm.Error for a request that no loss policy makes legal here: a
// tool call without its result or the reverse, or content that cannot be said.
func (providerSide) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	e := requestEncoder{req: req, facts: target.Facts}
	e.w.Reset(make([]byte, 0, forms.SizeHint(req)))
	w := &e.w
	w.BeginObject()
	w.StringField("model", target.Model)
	if err := e.messages(); err != nil {
		return dialect.Encoded{}, err
	}
	e.tools()
	e.format()
	e.think()
	if req.LogProbs {
		w.BoolField("logprobs", true)
		if req.TopLogProbs != nil {
			w.IntField("top_logprobs", *req.TopLogProbs)
		}
	}
	e.options()
	w.BoolField("stream", req.Stream)
	writeExtra(w, req.Extra, "")
	w.EndObject()
	return dialect.Encoded{Body: w.Bytes(), Losses: e.losses}, nil
}

// requestEncoder writes one request.
type requestEncoder struct {
	req    *llm.Request
	facts  llm.ModelFacts
	w      jsontext.Writer
	calls  []*llm.ToolCall      // of the last turn of the model
	open   dialect.Waiting[int] // those of them that wait for their results, by id
	losses lossList
}

func (e *requestEncoder) lose(f llm.Feature, a llm.Action, s llm.Severity, detail string) {
	e.losses.add(f, a, s, detail)
}

// tools writes the tools that may be called. The dialect has no choice among them: those that may not be called are not
// sent, and that one must be called cannot be said.
func (e *requestEncoder) tools() {
	r, w, c := e.req, &e.w, e.req.ToolChoice
	if len(r.Tools) == 0 {
		return
	}
	switch c.Mode {
	case llm.ChoiceNone:
		e.lose(llm.FeatureTools, llm.ActionEmulated, llm.Harmless, "those that may not be called are not sent")
		return
	case llm.ChoiceRequired, llm.ChoiceNamed:
		e.lose(llm.FeatureToolChoice, llm.ActionRefused, llm.Contract, "a call cannot be forced")
	case llm.ChoiceUnset, llm.ChoiceAuto:
	}
	begun := false
	for i := range r.Tools {
		t := &r.Tools[i]
		isForeign := t.Opaque != nil && t.Opaque.Dialect != self
		if isForeign || len(c.Names) > 0 && c.Mode != llm.ChoiceNamed && !slices.Contains(c.Names, t.Name) {
			continue
		}
		if !begun {
			begun = true
			w.Key("tools")
			w.BeginArray()
		}
		e.tool(t)
	}
	if begun {
		w.EndArray()
	}
}

func (e *requestEncoder) tool(t *llm.Tool) {
	w := &e.w
	if t.Opaque != nil {
		w.Raw(t.Opaque.Raw)
		return
	}
	w.BeginObject()
	w.StringField("type", typeFunction)
	w.Key(typeFunction)
	w.BeginObject()
	w.StringField("name", t.Name)
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	if schema := forms.Trim(t.Schema); schema.IsNull() {
		w.RawField("parameters", []byte(emptySchema))
	} else {
		w.RawField("parameters", schema)
	}
	writeExtra(w, t.Extra, "function.")
	w.EndObject()
	writeExtra(w, t.Extra, "")
	w.EndObject()
}

func (e *requestEncoder) format() {
	switch f := e.req.Format; {
	case f == nil:
	case f.Kind == llm.FormatJSON:
		e.w.StringField("format", "json")
	default:
		e.w.RawField("format", forms.Trim(forms.Described(f, e.lose)))
	}
}

// think writes whether the model shall think, or how much. A model of which nothing is known takes both.
func (e *requestEncoder) think() {
	r := e.req.Reasoning
	if r == nil || r.Mode == llm.ReasoningUnset && r.Effort == "" {
		return
	}
	off := r.Mode == llm.ReasoningOff || r.Mode == llm.ReasoningUnset && r.Effort == "none"
	level := levelFor(r)
	switch e.facts.Thinking {
	case llm.ThinkingNone:
		if !off {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
		return
	case llm.ThinkingAlways:
		if off {
			e.lose(llm.FeatureThinkingOff, llm.ActionDropped, llm.Tuning, "the model always reasons")
		}
		return
	case llm.ThinkingToggle:
		if level != "" && !off {
			e.lose(forms.AskedReasoning(r), llm.ActionApproximated, llm.Tuning, "the model can only be told whether to reason")
		}
		level = ""
	default:
	}
	switch {
	case off:
		e.w.BoolField("think", false)
	case level == "":
		e.w.BoolField("think", true)
	default:
		if level != r.Effort && r.Mode != llm.ReasoningBudget {
			e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "the levels are low, medium, high and max")
		}
		if r.Mode == llm.ReasoningAdaptive {
			e.lose(llm.FeatureThinkingAdaptive, llm.ActionApproximated, llm.Tuning, "as the level alone")
		}
		e.w.StringField("think", level)
	}
}

// levelFor is the level that stands for an effort or a budget; empty is none.
func levelFor(r *llm.Reasoning) string {
	switch {
	case r.Effort == "minimal":
		return "low"
	case r.Effort == "xhigh":
		return "high"
	case r.Effort != "" && r.Effort != "none":
		return r.Effort
	case r.Mode != llm.ReasoningBudget:
		return ""
	case r.Budget < 4096:
		return "low"
	case r.Budget < 16384:
		return "medium"
	}
	return "high"
}

// options writes how the answer is drawn, and where it ends.
func (e *requestEncoder) options() {
	r := e.req
	var w jsontext.Writer
	w.BeginObject()
	if r.MaxTokens != nil {
		w.IntField("num_predict", *r.MaxTokens)
	}
	e.number(&w, "temperature", llm.FeatureTemperature, r.Temperature)
	e.number(&w, "top_p", llm.FeatureTopP, r.TopP)
	if r.TopK != nil && e.fixed(llm.FeatureTopK) {
		w.IntField("top_k", *r.TopK)
	}
	e.number(&w, "frequency_penalty", llm.FeatureFrequencyPenalty, r.FrequencyPenalty)
	e.number(&w, "presence_penalty", llm.FeaturePresencePenalty, r.PresencePenalty)
	if r.Seed != nil {
		w.IntField("seed", *r.Seed)
	}
	stops, lost := forms.StopsTaken(e.facts, r.Stop, 0)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	if len(stops) > 0 {
		w.Key("stop")
		w.BeginArray()
		for _, s := range stops {
			w.String(s)
		}
		w.EndArray()
	}
	writeExtra(&w, r.Extra, "options.")
	w.EndObject()
	if options := w.Bytes(); len(options) > len("{}") {
		e.w.RawField("options", options)
	}
}

func (e *requestEncoder) number(w *jsontext.Writer, key string, f llm.Feature, n *float64) {
	if n != nil && e.fixed(f) {
		w.FloatField(key, *n)
	}
}

// fixed reports whether the model takes sampling parameters, and records the loss of one if it does not.
func (e *requestEncoder) fixed(f llm.Feature) bool {
	if e.facts.NoSampling {
		e.lose(f, llm.ActionDropped, llm.Tuning, "the model takes no sampling parameters")
	}
	return !e.facts.NoSampling
}
