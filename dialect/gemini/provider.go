package gemini

import (
	"math"
	"slices"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// providerSide is the dialect towards a provider.
type providerSide struct{}

var _ dialect.ProviderSide = providerSide{}

// maxStops is how many stop sequences a request may have [gem:GenerationConfig.stopSequences].
const maxStops = 5

// EncodeRequest writes the request for a target. The model and the wish for a stream are in the path.
func (providerSide) EncodeRequest(req *llm.Request, to dialect.Target) (dialect.Encoded, error) {
	e := encoder{req: req, to: to}
	e.names = newNames(append(forms.ToolNamesOf(req.Tools, req.Messages), req.ToolChoice.Names...))
	if e.names.Changed() {
		e.lose("tool_name", llm.ActionRepaired, llm.Harmless, "characters or length that the target does not take")
	}
	if err := e.arrange(); err != nil {
		return dialect.Encoded{}, err
	}
	e.chooseTools()
	e.w.Reset(make([]byte, 0, e.sizeHint()))
	e.body()
	if e.err != nil {
		return dialect.Encoded{}, e.err
	}
	return dialect.Encoded{Body: e.w.Bytes(), Losses: e.losses, ToolNames: e.names.Client()}, nil
}

// encoder writes one request: what depends on the whole of it is decided first, then the members are written in the
// order in which the vendor's prompt is put together, so that equal prefixes give equal bytes.
type encoder struct {
	w      jsontext.Writer
	req    *llm.Request
	to     dialect.Target
	losses []llm.Loss
	err    error // the first content found that cannot be sent

	names  forms.Names
	calls  calls
	system []llm.Part
	turns  []turn
	tools  []llm.Tool
	choice llm.ToolChoice
	follow []llm.Part // files of results that wait for the last of them
	// current is the first turn of those in which the vendor looks for signatures.
	current int
}

// lose reports a loss, each feature and action once.
func (e *encoder) lose(f llm.Feature, action llm.Action, severity llm.Severity, detail string) {
	for _, l := range e.losses {
		if l.Feature == f && l.Action == action {
			return
		}
	}
	e.losses = append(e.losses, llm.Loss{Feature: f, Action: action, Severity: severity, Detail: detail})
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) sizeHint() int {
	n := 512
	for _, t := range e.tools {
		n += 256 + len(t.Schema) + len(t.Description)
	}
	for i := range e.req.Messages {
		for j := range e.req.Messages[i].Parts {
			p := &e.req.Messages[i].Parts[j]
			n += 64 + len(p.Text)
			if p.Media != nil {
				n += len(p.Media.Data)
			}
		}
	}
	return n
}

func (e *encoder) body() {
	w := &e.w
	w.BeginObject()
	e.writeSystem()
	e.writeTools()
	w.Key("contents")
	w.BeginArray()
	for i := range e.turns {
		e.writeTurn(&e.turns[i], i >= e.current)
	}
	w.EndArray()
	e.writeConfig()
	e.writeTier()
	for _, m := range e.req.Extra[self] {
		if m.Key == "safetySettings[].threshold" {
			w.RawField("safetySettings", m.Raw)
		}
	}
	writeExtra(w, e.req.Extra, "")
	w.EndObject()
}

func (e *encoder) writeSystem() {
	if len(e.system) == 0 {
		return
	}
	w := &e.w
	w.Key("systemInstruction")
	w.BeginObject()
	w.Key("parts")
	w.BeginArray()
	for i := range e.system {
		w.BeginObject()
		w.StringField("text", e.system[i].Text)
		writeExtra(w, e.system[i].Extra, "")
		w.EndObject()
	}
	w.EndArray()
	w.EndObject()
}

// writeTier maps the other dialects' word for what is not paid extra [gem:GenerateContentRequest.serviceTier].
func (e *encoder) writeTier() {
	switch e.req.Tier {
	case "":
	case "standard", "flex", "priority":
		e.w.StringField("serviceTier", e.req.Tier)
	case "default", "standard_only":
		e.w.StringField("serviceTier", "standard")
	case "fast": // OpenAI's other word
		e.w.StringField("serviceTier", "priority")
	case "auto":
		e.lose(llm.FeatureTier, llm.ActionEmulated, llm.Harmless, "left to the target, as it is where nothing is said")
	default:
		e.lose(llm.FeatureTier, llm.ActionDropped, llm.Harmless, "a tier that the target does not have")
	}
}

// writeConfig writes generationConfig, if it has members.
func (e *encoder) writeConfig() {
	outer := e.w
	e.w = jsontext.Writer{}
	e.w.BeginObject()
	e.writeLimits()
	e.writeSampling()
	e.writeFormat()
	e.writeThinking()
	writeExtra(&e.w, e.req.Extra, "generationConfig.")
	e.w.EndObject()
	config := e.w.Bytes()
	e.w = outer
	if string(config) != "{}" {
		e.w.RawField("generationConfig", config)
	}
}

func (e *encoder) writeLimits() {
	w := &e.w
	if n := e.req.MaxTokens; n != nil {
		limit := *n
		if most := e.to.Facts.MaxOutput; most > 0 && limit > most {
			limit = most
			e.lose(llm.FeatureMaxTokens, llm.ActionApproximated, llm.Tuning, "lowered to the model's limit")
		}
		w.IntField("maxOutputTokens", limit)
	}
	if e.req.N > 1 {
		w.IntField("candidateCount", int64(e.req.N))
	}
	stops, lost := forms.StopsTaken(e.to.Facts, e.req.Stop, maxStops)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	if len(stops) > 0 {
		w.Key("stopSequences")
		w.BeginArray()
		for _, s := range stops {
			w.String(s)
		}
		w.EndArray()
	}
}

func (e *encoder) writeSampling() {
	w, r := &e.w, e.req
	for _, s := range [...]struct {
		key     string
		feature llm.Feature
		value   *float64
	}{{"temperature", llm.FeatureTemperature, r.Temperature}, {"topP", llm.FeatureTopP, r.TopP}} {
		switch {
		case s.value == nil:
		case !e.to.Facts.NoSampling:
			w.FloatField(s.key, *s.value)
		case *s.value != 1:
			e.lose(s.feature, llm.ActionDropped, llm.Tuning, "the model takes no sampling parameters")
		}
	}
	if r.TopK != nil {
		if e.to.Facts.NoSampling {
			e.lose(llm.FeatureTopK, llm.ActionDropped, llm.Tuning, "the model takes no sampling parameters")
		} else {
			w.IntField("topK", *r.TopK)
		}
	}
	if r.FrequencyPenalty != nil {
		w.FloatField("frequencyPenalty", *r.FrequencyPenalty)
	}
	if r.PresencePenalty != nil {
		w.FloatField("presencePenalty", *r.PresencePenalty)
	}
	if r.Seed != nil {
		seed := *r.Seed
		if seed < math.MinInt32 || seed > math.MaxInt32 {
			seed &= math.MaxInt32
			e.lose(llm.FeatureSeed, llm.ActionApproximated, llm.Tuning, "the target takes 32 bits of it")
		}
		w.IntField("seed", seed)
	}
	if r.LogProbs || r.TopLogProbs != nil && *r.TopLogProbs > 0 {
		w.BoolField("responseLogprobs", true)
		if r.TopLogProbs != nil {
			w.IntField("logprobs", *r.TopLogProbs)
		}
	}
}

// writeFormat asks for a structured answer. Models before the third generation take none beside functions.
func (e *encoder) writeFormat() {
	f := e.req.Format
	if f == nil {
		return
	}
	if len(e.tools) > 0 && e.choice.Mode != llm.ChoiceNone && !e.thinksByLevel() {
		feature := llm.FeatureJSONMode
		if f.Kind == llm.FormatSchema {
			feature = llm.FeatureJSONSchema
		}
		e.lose(feature, llm.ActionRefused, llm.Contract, "the model does not take it beside tools")
		return
	}
	e.w.StringField("responseMimeType", jsonMime)
	if f.Kind == llm.FormatSchema {
		e.w.RawField("responseJsonSchema", e.jsonSchema(forms.Described(f, e.lose), llm.FeatureJSONSchema))
	}
}

// chooseTools decides which tools are sent.
func (e *encoder) chooseTools() {
	e.choice = e.req.ToolChoice
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Opaque == nil || t.Opaque.Dialect == self {
			e.tools = append(e.tools, *t)
		}
	}
	if len(e.tools) == 0 {
		e.choice = llm.ToolChoice{}
	}
}

// writeTools writes the functions as one Tool, and each of the vendor's own as another.
func (e *encoder) writeTools() {
	if len(e.tools) > 0 {
		w := &e.w
		w.Key("tools")
		w.BeginArray()
		if slices.ContainsFunc(e.tools, isFunction) {
			w.BeginObject()
			w.Key("functionDeclarations")
			w.BeginArray()
			for i := range e.tools {
				if isFunction(e.tools[i]) {
					e.writeFunction(&e.tools[i])
				}
			}
			w.EndArray()
			w.EndObject()
		}
		for i := range e.tools {
			if o := e.tools[i].Opaque; o != nil {
				w.Raw(o.Raw)
			}
		}
		w.EndArray()
	}
	e.writeChoice()
}

func isFunction(t llm.Tool) bool { return t.Opaque == nil }

func (e *encoder) writeFunction(t *llm.Tool) {
	w := &e.w
	w.BeginObject()
	w.StringField("name", e.names.Sent(t.Name))
	if t.Description != "" {
		w.StringField("description", t.Description)
	}
	if schema := jsontext.Value(t.Schema); !schema.IsNull() {
		if schema.Get("type").IsNull() && schema.Get("$ref").IsNull() && schema.Kind() == jsontext.Object {
			if typed, err := jsontext.Set(schema, "type", []byte(`"object"`)); err == nil {
				schema = typed
			}
		}
		w.RawField("parametersJsonSchema", e.jsonSchema(schema, "tool_schema"))
	}
	writeExtra(w, t.Extra, "functionDeclarations[].")
	w.EndObject()
}

// writeChoice writes toolConfig. Where the model may choose freely, functions that are to be held to their schemas
// need the mode VALIDATED, and so does a choice among some of them.
func (e *encoder) writeChoice() {
	names := e.choice.Names
	mode := ""
	switch e.choice.Mode {
	case llm.ChoiceNone:
		mode, names = "NONE", nil
	case llm.ChoiceRequired, llm.ChoiceNamed:
		mode = "ANY"
	default:
		isStrict := func(t llm.Tool) bool { return t.Strict != nil && *t.Strict }
		switch {
		case len(names) > 0 || slices.ContainsFunc(e.tools, isStrict):
			mode = "VALIDATED"
		case e.choice.Mode == llm.ChoiceAuto:
			mode = "AUTO"
		}
	}
	if mode == "" && !hasExtra(e.req.Extra, "toolConfig.") {
		return
	}
	w := &e.w
	w.Key("toolConfig")
	w.BeginObject()
	if mode != "" || hasExtra(e.req.Extra, "toolConfig.functionCallingConfig.") {
		w.Key("functionCallingConfig")
		w.BeginObject()
		if mode != "" {
			w.StringField("mode", mode)
		}
		if len(names) > 0 {
			w.Key("allowedFunctionNames")
			w.BeginArray()
			for _, name := range names {
				w.String(e.names.Sent(name))
			}
			w.EndArray()
		}
		writeExtra(w, e.req.Extra, "toolConfig.functionCallingConfig.")
		w.EndObject()
	}
	writeExtra(w, e.req.Extra, "toolConfig.")
	w.EndObject()
}
