package cohere

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
	list, losses := dialect.Conversation(req)
	names, err := newNames(forms.ToolNamesOf(req.Tools, list))
	if err != nil {
		return dialect.Encoded{}, err
	}
	e := requestEncoder{req: req, facts: target.Facts, losses: losses, names: names}
	e.collectDocuments(list)
	e.w.Reset(make([]byte, 0, forms.SizeHint(req)))
	e.w.BeginObject()
	e.w.StringField("model", target.Model)
	if err := e.messages(list); err != nil {
		return dialect.Encoded{}, err
	}
	e.writeDocuments()
	e.tools()
	e.format()
	e.reasoning()
	e.sampling()
	e.limits()
	if req.Stream {
		e.w.BoolField("stream", true)
	}
	e.extra()
	e.w.EndObject()
	if e.names.Changed() {
		e.lose("tool_name", llm.ActionRepaired, llm.Harmless, "names the target refuses are changed and mapped back")
	}
	if e.calls.changed {
		e.lose("tool_call_id", llm.ActionRepaired, llm.Harmless, "ids that are empty or not the only one are changed")
	}
	return dialect.Encoded{Body: e.w.Bytes(), Losses: e.losses, ToolNames: e.names.Client()}, nil
}

// requestEncoder writes one request.
type requestEncoder struct {
	req       *llm.Request
	facts     llm.ModelFacts
	w         jsontext.Writer
	names     forms.Names
	calls     callIDs
	documents []*llm.Part // those that stand beside the conversation
	beside    map[*llm.Document]bool
	hasTools  bool
	begun     bool // a message is written that is not the system's
	losses    lossList
}

func (e *requestEncoder) lose(f llm.Feature, a llm.Action, s llm.Severity, detail string) {
	e.losses.add(f, a, s, detail)
}

func isCall(p llm.Part) bool { return p.Kind == llm.PartToolCall }

// extra writes what only this dialect said.
func (e *requestEncoder) extra() {
	writeExtra(&e.w, e.req.Extra, "")
	for _, m := range e.req.Extra[self] {
		if m.Key == keyUsualSafety {
			e.w.RawField("safety_mode", m.Raw)
		}
	}
}

// tools writes the tools that may be called, and the choice among them.
func (e *requestEncoder) tools() {
	r, w := e.req, &e.w
	strict, loose := 0, 0
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Opaque != nil && t.Opaque.Dialect != self || !e.allowed(t.Name) {
			continue
		}
		if !e.hasTools {
			e.hasTools = true
			w.Key("tools")
			w.BeginArray()
		}
		e.tool(t)
		switch {
		case t.Strict == nil || !*t.Strict:
			loose++
		case requiresNothing(t.Schema):
			loose++
			strict++
		default:
			strict++
		}
	}
	if !e.hasTools {
		return
	}
	w.EndArray()
	switch {
	case strict > 0 && loose == 0:
		w.BoolField("strict_tools", true)
	case strict > 0:
		e.lose(llm.FeatureToolStrict, llm.ActionDropped, llm.Tuning, "strict is for all tools at once, and each must require a parameter")
	}
	switch r.ToolChoice.Mode {
	case llm.ChoiceNone:
		w.StringField("tool_choice", "NONE")
	case llm.ChoiceRequired, llm.ChoiceNamed:
		w.StringField("tool_choice", "REQUIRED")
	case llm.ChoiceUnset, llm.ChoiceAuto:
	}
}

// allowed reports whether the choice leaves a tool to be called. Instead of naming those, the others are not sent.
func (e *requestEncoder) allowed(name string) bool {
	c := e.req.ToolChoice
	if c.Mode == llm.ChoiceNone || len(c.Names) == 0 || slices.Contains(c.Names, name) {
		return true
	}
	if c.Mode == llm.ChoiceNamed {
		e.lose(llm.FeatureToolChoice, llm.ActionEmulated, llm.Contract, "only the named tool is sent")
	}
	return false
}

func requiresNothing(schema []byte) bool {
	required := forms.Trim(schema).Get("required")
	return required.Kind() != jsontext.Array || string(jsontext.Compact(nil, required)) == "[]"
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
	w.StringField("name", e.names.Sent(t.Name))
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

// format writes response_format, which the vendor does not take beside tools.
func (e *requestEncoder) format() {
	w, f := &e.w, e.req.Format
	if f == nil {
		return
	}
	feature := llm.FeatureJSONMode
	if f.Kind == llm.FormatSchema {
		feature = llm.FeatureJSONSchema
	}
	if e.hasTools {
		e.lose(feature, llm.ActionRefused, llm.Contract, "not together with tools")
		return
	}
	w.Key("response_format")
	w.BeginObject()
	w.StringField("type", "json_object")
	if f.Kind == llm.FormatSchema {
		w.RawField("json_schema", forms.Trim(forms.Described(f, e.lose)))
	}
	w.EndObject()
}

// reasoning writes thinking.
func (e *requestEncoder) reasoning() {
	r := e.req.Reasoning
	if r == nil || r.Mode == llm.ReasoningUnset && r.Effort == "" {
		return
	}
	off := r.Mode == llm.ReasoningOff || r.Mode == llm.ReasoningUnset && r.Effort == "none"
	if e.facts.Thinking == llm.ThinkingNone {
		if !off {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
		return
	}
	if off && e.facts.Thinking == llm.ThinkingAlways {
		e.lose(llm.FeatureThinkingOff, llm.ActionDropped, llm.Tuning, "the model always reasons")
		return
	}
	budget := r.Budget
	if r.Mode != llm.ReasoningBudget {
		budget = budgetFor(r.Effort)
	}
	if budget > 0 && r.Mode == llm.ReasoningAdaptive {
		e.lose(llm.FeatureThinkingAdaptive, llm.ActionApproximated, llm.Tuning, "up to the number of tokens that stands for the effort")
	}
	if budget > 0 && e.facts.Thinking == llm.ThinkingToggle {
		e.lose(forms.AskedReasoning(r), llm.ActionApproximated, llm.Tuning, "the model can only be told whether to reason")
		budget = 0
	}
	w := &e.w
	w.Key(typeThinking)
	w.BeginObject()
	if off {
		w.StringField("type", "disabled")
	} else {
		w.StringField("type", "enabled")
		if budget > 0 {
			w.IntField("token_budget", budget)
		}
	}
	writeExtra(w, e.req.Extra, "thinking.")
	w.EndObject()
}

// budgetFor is the number of tokens that stands for an effort; 0 is no limit.
func budgetFor(effort string) int64 {
	switch effort {
	case "minimal", "low":
		return 1024
	case "medium":
		return 8192
	}
	return 0
}

// sampling writes how the answer is drawn. A model that takes no sampling parameters takes the default alone.
func (e *requestEncoder) sampling() {
	r, w := e.req, &e.w
	e.number("temperature", llm.FeatureTemperature, r.Temperature, [2]float64{0, 1})
	e.number("p", llm.FeatureTopP, r.TopP, [2]float64{minP, maxP})
	if r.TopK != nil && e.fixed(llm.FeatureTopK) {
		k := min(max(*r.TopK, 0), maxK)
		if k != *r.TopK {
			e.lose(llm.FeatureTopK, llm.ActionApproximated, llm.Tuning, "at most 500")
		}
		w.IntField("k", k)
	}
	e.penalty("frequency_penalty", llm.FeatureFrequencyPenalty, r.FrequencyPenalty)
	e.penalty("presence_penalty", llm.FeaturePresencePenalty, r.PresencePenalty)
	switch {
	case r.Seed == nil:
	case *r.Seed < 0:
		e.lose(llm.FeatureSeed, llm.ActionDropped, llm.Tuning, "a seed cannot be negative")
	default:
		w.IntField("seed", *r.Seed)
	}
	if r.LogProbs {
		w.BoolField("logprobs", true)
	}
	if r.TopLogProbs != nil && *r.TopLogProbs > 0 {
		e.lose(llm.FeatureLogProbs, llm.ActionApproximated, llm.Tuning, "without the likeliest others")
	}
}

// fixed reports whether the model takes sampling parameters, and records the loss of one if it does not.
func (e *requestEncoder) fixed(f llm.Feature) bool {
	if e.facts.NoSampling {
		e.lose(f, llm.ActionDropped, llm.Tuning, "the model takes no sampling parameters")
	}
	return !e.facts.NoSampling
}

// number writes a number, clamped to a range.
func (e *requestEncoder) number(key string, f llm.Feature, n *float64, between [2]float64) {
	if n == nil || !e.fixed(f) {
		return
	}
	v := min(max(*n, between[0]), between[1])
	if v != *n {
		e.lose(f, llm.ActionApproximated, llm.Tuning, "clamped to the target's range")
	}
	e.w.FloatField(key, v)
}

// penalty writes a penalty; the dialect has none that is negative.
func (e *requestEncoder) penalty(key string, f llm.Feature, n *float64) {
	switch {
	case n == nil || *n == 0:
	case *n < 0:
		e.lose(f, llm.ActionDropped, llm.Tuning, "there are no negative penalties")
	default:
		e.number(key, f, n, [2]float64{0, 1})
	}
}

// limits writes where the answer ends.
func (e *requestEncoder) limits() {
	r, w := e.req, &e.w
	if r.MaxTokens != nil {
		w.IntField("max_tokens", *r.MaxTokens)
	}
	stops, lost := forms.StopsTaken(e.facts, r.Stop, maxStops)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	if len(stops) == 0 {
		return
	}
	w.Key("stop_sequences")
	w.BeginArray()
	for _, s := range stops {
		w.String(s)
	}
	w.EndArray()
}
