package openairesponses

import (
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

// EncodeRequest writes a request to create a response. It returns an *llm.Error for a request that no loss policy
// makes legal here: a tool call without its result or the reverse, or content that cannot be said.
func (providerSide) EncodeRequest(req *llm.Request, target dialect.Target) (dialect.Encoded, error) {
	messages, losses := dialect.Conversation(req)
	e := requestEncoder{req: req, facts: target.Facts, losses: losses, ids: forms.CallIDs{Most: maxIDLength}}
	var err error
	if e.names, err = forms.OpenAINames(e.functionNames(messages), maxNameLength); err != nil {
		return dialect.Encoded{}, err
	}
	w := &e.w
	w.Reset(make([]byte, 0, forms.SizeHint(req)))
	w.BeginObject()
	w.StringField("model", target.Model)
	if err := e.input(messages); err != nil {
		return dialect.Encoded{}, err
	}
	e.tools()
	e.text()
	e.reasoning()
	e.sampling()
	e.include()
	e.losses = forms.WriteOpenAIAccount(w, req, "safety_identifier", true, e.losses)
	if req.Stream {
		w.BoolField("stream", true)
	}
	e.nested("stream_options")
	if kept(req.Extra, "store") == nil {
		w.BoolField("store", false)
	}
	e.extra()
	w.EndObject()
	if e.names.Changed() {
		e.losses.add("tool_name", llm.ActionRepaired, harmless, "names the target refuses are changed and mapped back")
	}
	if e.ids.Changed() {
		e.losses.add("tool_call_id", llm.ActionRepaired, harmless, "ids the target refuses are derived from the client's")
	}
	return dialect.Encoded{Body: w.Bytes(), Losses: e.losses, ToolNames: e.names.Client()}, nil
}

// requestEncoder writes one request.
type requestEncoder struct {
	req    *llm.Request
	facts  llm.ModelFacts
	w      jsontext.Writer
	names  forms.Names
	ids    forms.CallIDs
	custom map[string]bool // the ids of calls of free-form tools
	losses lossList
}

// text writes the form of the answer's text.
func (e *requestEncoder) text() {
	r, w := e.req, &e.w
	begun := r.Format != nil || r.Verbosity != "" || hasUnder(r.Extra, "text.")
	if !begun {
		return
	}
	w.Key("text")
	w.BeginObject()
	if r.Format != nil {
		w.Key("format")
		e.format(r.Format)
	}
	if r.Verbosity != "" {
		w.StringField("verbosity", r.Verbosity)
	}
	writeExtra(w, r.Extra, "text.")
	w.EndObject()
}

func (e *requestEncoder) format(f *llm.Format) {
	w := &e.w
	w.BeginObject()
	if f.Kind == llm.FormatJSON {
		w.StringField("type", "json_object")
		w.EndObject()
		return
	}
	w.StringField("type", "json_schema")
	w.StringField("name", formatName(f.Name))
	if f.Description != "" {
		w.StringField("description", f.Description)
	}
	w.RawField("schema", forms.Trim(f.Schema))
	if f.Strict != nil {
		strict := *f.Strict
		if strict && !forms.FitsStrict(f.Schema) {
			strict = false
			e.losses.add(llm.FeatureJSONSchema, llm.ActionApproximated, tuning,
				"strict is for schemas whose objects are closed and whose properties are all required")
		}
		w.BoolField("strict", strict)
	}
	writeExtra(w, e.req.Extra, "text.format.")
	w.EndObject()
}

// functionNames are the names of all functions and of all their calls in history; custom tools have names of their own.
func (e *requestEncoder) functionNames(messages []llm.Message) []string {
	return slices.DeleteFunc(forms.ToolNamesOf(e.req.Tools, messages), func(name string) bool {
		return !forms.IsOpenAIName(name, maxNameLength) && e.isCustomTool(name)
	})
}

func formatName(name string) string {
	const longest = 64 // openai.yaml, TextResponseFormatJsonSchema.name
	if name == "" {
		return fallbackName
	}
	if name = forms.OpenAIName(name, maxNameLength); len(name) > longest {
		name = name[:longest]
	}
	return name
}

// hasUnder reports whether members are kept under a prefix.
func hasUnder(extra llm.Extra, prefix string) bool {
	for _, m := range extra[self] {
		if len(m.Key) > len(prefix) && m.Key[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// nested writes an object of which all members are this dialect's own.
func (e *requestEncoder) nested(key string) {
	if !hasUnder(e.req.Extra, key+".") {
		return
	}
	e.w.Key(key)
	e.w.BeginObject()
	writeExtra(&e.w, e.req.Extra, key+".")
	e.w.EndObject()
}

// extra writes the members of the request that only this dialect has, but those that are written in their place.
func (e *requestEncoder) extra() {
	for _, m := range e.req.Extra[self] {
		if m.Key != "include" && !isNested(m.Key) && !memberNames.IsVariant(m.Key) {
			e.w.RawField(m.Key, m.Raw)
		}
	}
}

// reasoning writes how the model shall reason, and whether it shall say so.
func (e *requestEncoder) reasoning() {
	r := e.req.Reasoning
	effort := ""
	if r != nil {
		effort = effortOf(r)
	}
	shown := r != nil && isShown(r)
	if e.facts.Thinking == llm.ThinkingNone {
		if effort != "" && effort != "none" {
			e.losses.add(llm.FeatureEffort, llm.ActionDropped, tuning, "the model does not reason")
		}
		return
	}
	effort, lost := forms.EffortTaken(e.facts.Efforts, effort)
	if lost.Feature != "" {
		e.losses.add(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	if effort == "" && !shown && !hasUnder(e.req.Extra, "reasoning.") {
		return
	}
	w := &e.w
	w.Key("reasoning")
	w.BeginObject()
	if effort != "" {
		w.StringField("effort", effort)
	}
	if shown {
		if length := kept(e.req.Extra, "reasoning.summary.length"); length != nil {
			w.RawField("summary", length)
		} else {
			w.StringField("summary", "auto")
		}
	}
	writeExtra(w, e.req.Extra, "reasoning.")
	w.EndObject()
}

// effortOf is the effort to ask for.
func effortOf(r *llm.Reasoning) string {
	switch {
	case r.Mode == llm.ReasoningOff:
		return "none"
	case r.Mode == llm.ReasoningBudget && r.Effort == "":
		return forms.OpenAIEffort(r.Budget)
	}
	return r.Effort
}

// isShown reports whether the client wants to see thinking. One that asks for thinking as dialects that show it have
// it does, unless it says otherwise.
func isShown(r *llm.Reasoning) bool {
	if r.Display == "" {
		return r.Mode == llm.ReasoningBudget || r.Mode == llm.ReasoningAdaptive
	}
	return r.Display != displayNone && r.Mode != llm.ReasoningOff
}

// sampling writes how the answer is drawn, and how long it may be. A model that takes no sampling parameters takes the
// default alone.
func (e *requestEncoder) sampling() {
	r, w := e.req, &e.w
	fixed := func(f llm.Feature, set bool) bool {
		if set && e.facts.NoSampling {
			e.losses.add(f, llm.ActionDropped, tuning, "the model takes no sampling parameters")
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
	if fixed(llm.FeatureLogProbs, r.LogProbs) && r.TopLogProbs != nil {
		w.IntField("top_logprobs", min(*r.TopLogProbs, maxTopLogProbs))
	}
	if r.MaxTokens != nil {
		limit := *r.MaxTokens
		if limit < minMaxTokens {
			limit = minMaxTokens
			e.losses.add(llm.FeatureMaxTokens, llm.ActionApproximated, tuning, "raised to 16, the target's least")
		}
		if most := e.facts.MaxOutput; most > 0 && limit > most {
			limit = most
			e.losses.add(llm.FeatureMaxTokens, llm.ActionApproximated, tuning, "lowered to the model's limit")
		}
		w.IntField("max_output_tokens", limit)
	}
}

// include asks for what the answer would not hold by itself. Encrypted reasoning is refused by models that do not
// reason, so that it is asked for only where reasoning is known of or asked for.
func (e *requestEncoder) include() {
	r, w := e.req, &e.w
	sealed := e.facts.Thinking != llm.ThinkingNone &&
		(e.facts.Thinking != llm.ThinkingUnknown || r.Reasoning != nil && effortOf(r.Reasoning) != "none")
	logprobs := r.LogProbs && !e.facts.NoSampling
	more := kept(r.Extra, "include")
	if !sealed && !logprobs && more == nil {
		return
	}
	w.Key("include")
	w.BeginArray()
	if sealed {
		w.String(includeSealed)
	}
	if logprobs {
		w.String(includeLogProbs)
	}
	_ = more.Array(func(_ int, v jsontext.Value) error { w.Raw(v); return nil }) // it is a list, or absent
	w.EndArray()
}
