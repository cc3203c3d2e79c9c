package openaichat

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

// EncodeRequest writes a chat completion request. It returns an *llm.Error for a request that no loss policy makes
// legal here: a tool call without its result or the reverse, or content that cannot be said.
func (providerSide) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	messages, losses := dialect.Conversation(req)
	names, err := forms.OpenAINames(forms.ToolNamesOf(req.Tools, messages), maxNameLength)
	if err != nil {
		return dialect.Encoded{}, err
	}
	e := requestEncoder{req: req, facts: target.Facts, losses: losses, names: names, ids: forms.CallIDs{Most: maxIDLength}}
	e.w.Reset(make([]byte, 0, forms.SizeHint(req)))
	e.w.BeginObject()
	e.w.StringField("model", target.Model)
	if err := e.messages(messages); err != nil {
		return dialect.Encoded{}, err
	}
	e.tools()
	e.format()
	e.reasoning()
	e.sampling()
	e.limits()
	e.stream()
	writeExtra(&e.w, req.Extra, "")
	e.w.EndObject()
	if e.names.Changed() {
		e.lose(llm.Feature("tool_name"), llm.ActionRepaired, llm.Harmless, "names the target refuses are changed and mapped back")
	}
	if e.ids.Changed() {
		e.lose(llm.Feature("tool_call_id"), llm.ActionRepaired, llm.Harmless, "ids the target refuses are derived from the client's")
	}
	return dialect.Encoded{Body: e.w.Bytes(), Losses: e.losses, ToolNames: e.names.Client()}, nil
}

// requestEncoder writes one request.
type requestEncoder struct {
	req    *llm.Request
	facts  llm.ModelFacts
	w      jsontext.Writer
	names  forms.Names
	ids    forms.CallIDs
	losses []llm.Loss
}

func (e *requestEncoder) lose(f llm.Feature, a llm.Action, s llm.Severity, detail string) {
	for _, l := range e.losses {
		if l.Feature == f {
			return
		}
	}
	e.losses = append(e.losses, loss(f, a, s, detail))
}

// tools writes the tools, the choice among them, and whether one turn may call several.
func (e *requestEncoder) tools() {
	r, w := e.req, &e.w
	written := 0
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Opaque != nil && t.Opaque.Dialect != self {
			continue
		}
		if written++; written == 1 {
			w.Key("tools")
			w.BeginArray()
		}
		e.tool(t)
	}
	if written == 0 {
		return // a choice without tools is refused, and means nothing
	}
	w.EndArray()
	e.toolChoice()
	if r.ParallelCalls != nil {
		w.BoolField("parallel_tool_calls", *r.ParallelCalls)
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
	w.StringField("name", e.names.Sent(t.Name))
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	schema := e.parameters(t.Schema)
	w.RawField("parameters", schema)
	if t.Strict != nil {
		strict := *t.Strict
		if strict && !forms.FitsStrict(schema) {
			strict = false
			e.lose(llm.FeatureToolStrict, llm.ActionApproximated, llm.Tuning,
				"strict is for schemas whose objects are closed and whose properties are all required")
		}
		w.BoolField("strict", strict)
	}
	writeExtra(w, t.Extra, "function.")
	w.EndObject()
	writeExtra(w, t.Extra, "")
	w.EndObject()
}

// parameters is a tool's schema; a root object without properties, which the vendor refuses, gets none.
func (e *requestEncoder) parameters(schema []byte) []byte {
	v := forms.Trim(schema)
	if v.IsNull() {
		return []byte(emptySchema)
	}
	if string(v.Get("type")) != `"object"` || v.Get("properties") != nil || v.Get("$ref") != nil {
		return v
	}
	repaired, err := jsontext.Set(v, "properties", []byte("{}"))
	if err != nil {
		return v
	}
	e.lose(llm.Feature("tool_schema"), llm.ActionRepaired, llm.Harmless, "an object without properties is given an empty list of them")
	return repaired
}

func (e *requestEncoder) toolChoice() {
	w, c := &e.w, e.req.ToolChoice
	switch {
	case c.Mode == llm.ChoiceUnset && len(c.Names) == 0:
	case c.Mode == llm.ChoiceNamed && len(c.Names) > 0:
		w.Key("tool_choice")
		e.namedTool(c.Names[0])
	case len(c.Names) > 0 && c.Mode != llm.ChoiceNone:
		w.Key("tool_choice")
		w.BeginObject()
		w.StringField("type", "allowed_tools")
		w.Key("allowed_tools")
		w.BeginObject()
		mode := c.Mode
		if mode != llm.ChoiceRequired {
			mode = llm.ChoiceAuto
		}
		w.StringField("mode", string(mode))
		w.Key("tools")
		w.BeginArray()
		for _, name := range c.Names {
			e.namedTool(name)
		}
		w.EndArray()
		w.EndObject()
		w.EndObject()
	default:
		w.StringField("tool_choice", string(c.Mode))
	}
}

// namedTool writes a tool's name as a choice does.
func (e *requestEncoder) namedTool(name string) {
	kind := typeFunction
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Name == name && t.Opaque != nil && t.Opaque.Dialect == self {
			kind = t.Opaque.Type
		}
	}
	e.w.BeginObject()
	e.w.StringField("type", kind)
	e.w.Key(kind)
	e.w.BeginObject()
	e.w.StringField("name", e.names.Sent(name))
	e.w.EndObject()
	e.w.EndObject()
}

// format writes response_format.
func (e *requestEncoder) format() {
	w, f := &e.w, e.req.Format
	if f == nil {
		return
	}
	w.Key("response_format")
	w.BeginObject()
	if f.Kind == llm.FormatJSON {
		w.StringField("type", "json_object")
		w.EndObject()
		return
	}
	w.StringField("type", "json_schema")
	w.Key("json_schema")
	w.BeginObject()
	w.StringField("name", formatName(f.Name))
	if f.Description != "" {
		w.StringField("description", f.Description)
	}
	w.RawField("schema", forms.Trim(f.Schema))
	if f.Strict != nil {
		strict := *f.Strict
		if strict && !forms.FitsStrict(f.Schema) {
			strict = false
			e.lose(llm.FeatureJSONSchema, llm.ActionApproximated, llm.Tuning,
				"strict is for schemas whose objects are closed and whose properties are all required")
		}
		w.BoolField("strict", strict)
	}
	writeExtra(w, e.req.Extra, "response_format.")
	w.EndObject()
	w.EndObject()
}

func formatName(name string) string {
	if name == "" {
		return fallbackName
	}
	return forms.OpenAIName(name, maxNameLength)
}

// reasoning writes reasoning_effort.
func (e *requestEncoder) reasoning() {
	r := e.req.Reasoning
	if r == nil {
		return
	}
	effort := r.Effort
	switch r.Mode {
	case llm.ReasoningOff:
		effort = "none"
	case llm.ReasoningBudget:
		if effort == "" {
			effort = forms.OpenAIEffort(r.Budget)
		}
	case llm.ReasoningUnset, llm.ReasoningAdaptive:
	}
	if effort == "" {
		return
	}
	switch e.facts.Thinking {
	case llm.ThinkingNone:
		if effort != "none" {
			e.lose(llm.FeatureEffort, llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
		return
	case llm.ThinkingAlways:
		e.lose(llm.FeatureEffort, llm.ActionDropped, llm.Tuning, "the model always reasons, and takes no effort")
		return
	default:
	}
	effort, lost := forms.EffortTaken(e.facts.Efforts, effort)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	if effort != "" {
		e.w.StringField("reasoning_effort", effort)
	}
}

// sampling writes how the answer is drawn. A model that takes no sampling parameters takes the default alone.
func (e *requestEncoder) sampling() {
	r, w := e.req, &e.w
	fixed := func(f llm.Feature, set bool) bool {
		if set && e.facts.NoSampling {
			e.lose(f, llm.ActionDropped, llm.Tuning, "the model takes no sampling parameters")
			return false
		}
		return set
	}
	if r.Temperature != nil && (!e.facts.NoSampling || *r.Temperature != 1) && fixed(llm.FeatureTemperature, true) {
		w.FloatField("temperature", *r.Temperature)
	}
	if fixed(llm.FeatureTopP, r.TopP != nil) {
		w.FloatField("top_p", *r.TopP)
	}
	if fixed(llm.FeatureFrequencyPenalty, r.FrequencyPenalty != nil && *r.FrequencyPenalty != 0) {
		w.FloatField("frequency_penalty", *r.FrequencyPenalty)
	}
	if fixed(llm.FeaturePresencePenalty, r.PresencePenalty != nil && *r.PresencePenalty != 0) {
		w.FloatField("presence_penalty", *r.PresencePenalty)
	}
	if r.Seed != nil {
		w.IntField("seed", *r.Seed)
	}
	if r.N > 1 {
		w.IntField("n", int64(r.N))
	}
	if fixed(llm.FeatureLogProbs, r.LogProbs) {
		w.BoolField("logprobs", true)
		if r.TopLogProbs != nil {
			w.IntField("top_logprobs", min(*r.TopLogProbs, maxTopLogProbs))
		}
	}
	if fixed(llm.FeatureLogitBias, len(r.LogitBias) > 0) {
		w.RawField("logit_bias", forms.Trim(r.LogitBias))
	}
}

// limits writes where the answer ends, and what concerns the account.
func (e *requestEncoder) limits() {
	r, w := e.req, &e.w
	if r.MaxTokens != nil {
		limit := *r.MaxTokens
		if most := e.facts.MaxOutput; most > 0 && limit > most {
			limit = most
			e.lose(llm.FeatureMaxTokens, llm.ActionApproximated, llm.Tuning, "lowered to the model's limit")
		}
		w.IntField("max_completion_tokens", limit)
	}
	stops, lost := forms.StopsTaken(e.facts, r.Stop, maxStops)
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
	if r.Verbosity != "" {
		w.StringField("verbosity", r.Verbosity)
	}
	user := keyUser // which more servers know than its new name
	if e.keeps(keyUser) {
		user = "safety_identifier"
	}
	// Of answers that the vendor does not keep, it takes no labels.
	e.losses = forms.WriteOpenAIAccount(w, r, user, e.keeps(keyStore), e.losses)
}

// keeps reports whether the dialect's own client set a member that llm has no word for.
func (e *requestEncoder) keeps(key string) bool {
	return slices.ContainsFunc(e.req.Extra[self], func(m llm.Member) bool { return m.Key == key })
}

// stream asks for a stream, always with usage: the gateway counts, whether or not the client does.
func (e *requestEncoder) stream() {
	w := &e.w
	if !e.req.Stream {
		return
	}
	w.BoolField("stream", true)
	w.Key("stream_options")
	w.BeginObject()
	w.BoolField("include_usage", true)
	writeExtra(w, e.req.Extra, "stream_options.")
	w.EndObject()
}
