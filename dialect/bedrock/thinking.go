package bedrock

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// minBudget is the least number of tokens that a Claude model can be told to think with.
const minBudget = 1024

// The members of additionalModelRequestFields in which makers have their switches for reasoning.
const (
	thinkingMember = "thinking"         // of Anthropic's models
	novaMember     = "reasoningConfig"  // of Amazon's
	openaiMember   = "reasoning_effort" // of OpenAI's open models
)

// thinking is what is said of reasoning: a member among the maker's own parameters, if any, and the dialect's own
// outputConfig.effort.
type thinking struct {
	member  string
	mode    llm.ReasoningMode
	budget  int64
	display string
	level   string // an effort in the maker's own member
	effort  string // one in outputConfig
}

// on reports whether the model is told to think.
func (t *thinking) on() bool {
	return t.member != "" && (t.mode == llm.ReasoningBudget || t.mode == llm.ReasoningAdaptive)
}

// control is how the model is told to reason. One of which nothing is known is taken for one of the newest of its
// maker's.
func (e *encoder) control() llm.ThinkingControl {
	switch {
	case e.to.Facts.Thinking != llm.ThinkingUnknown:
		return e.to.Facts.Thinking
	case e.isClaude():
		return llm.ThinkingAdaptive
	default:
		return llm.ThinkingEffort
	}
}

// think decides how the model is told to reason.
func (e *encoder) think() {
	r := e.req.Reasoning
	if r == nil {
		return
	}
	effort := r.Effort
	off := r.Mode == llm.ReasoningOff || r.Mode == llm.ReasoningUnset && effort == "none"
	if effort == "none" {
		effort = ""
	}
	control := e.control()
	switch {
	case control == llm.ThinkingNone:
		if !off && (r.Mode != llm.ReasoningUnset || effort != "") {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
	case control == llm.ThinkingAlways || control == llm.ThinkingToggle:
		if off {
			e.lose(llm.FeatureThinkingOff, llm.ActionDropped, llm.Tuning, "the model has no switch for it")
		} else if r.Mode != llm.ReasoningUnset || effort != "" {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model reasons as it finds right")
		}
	case off:
		e.thinkNot(effort, control)
	case r.Mode == llm.ReasoningUnset && effort == "":
		if r.Display == "summarized" {
			e.lose(llm.FeatureThinkingDisplay, llm.ActionDropped, llm.Tuning, "the target shows thinking only where it is asked to think")
		}
	case control == llm.ThinkingEffort:
		e.thinkEffort(r, effort)
	case control == llm.ThinkingBudget || control == llm.ThinkingBoth && r.Mode == llm.ReasoningBudget:
		e.thinkBudget(r, effort, control)
		e.checkThinking(r)
	default:
		e.thinkAdaptive(r, effort)
	}
}

// thinkNot switches thinking off. An effort still steers the answer's length, but the vendor refuses the highest
// ones without thinking [bed:OutputConfig.effort].
func (e *encoder) thinkNot(effort string, control llm.ThinkingControl) {
	switch {
	case control != llm.ThinkingEffort:
		e.thinking.member, e.thinking.mode = thinkingMember, llm.ReasoningOff
	case e.family == nova:
		e.thinking.member, e.thinking.mode = novaMember, llm.ReasoningOff
		return
	default:
		e.lose(llm.FeatureThinkingOff, llm.ActionDropped, llm.Tuning, "the model has no switch for it")
	}
	switch {
	case effort == "":
	case effort == "xhigh" || effort == "max" || control == llm.ThinkingBudget:
		e.lose(llm.FeatureEffort, llm.ActionDropped, llm.Tuning, "the target does not take it without thinking")
	default:
		e.thinking.effort = e.effort(effort)
	}
}

// effort is an effort in the target's words.
func (e *encoder) effort(effort string) string {
	if effort == "minimal" {
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "minimal became low, the target's lowest")
		effort = "low"
	}
	effort, lost := forms.EffortTaken(e.to.Facts.Efforts, effort)
	if lost.Feature != "" {
		e.lose(lost.Feature, lost.Action, lost.Severity, lost.Detail)
	}
	return effort
}

// thinkEffort is for models that are told how hard to think, and no more.
func (e *encoder) thinkEffort(r *llm.Reasoning, effort string) {
	if r.Mode == llm.ReasoningBudget {
		if effort == "" {
			effort = forms.EffortFor(r.Budget)
		}
		e.lose(llm.FeatureThinkingBudget, llm.ActionApproximated, llm.Tuning, "the model takes an effort, not a number of tokens")
	}
	if r.Mode == llm.ReasoningAdaptive {
		e.lose(llm.FeatureThinkingAdaptive, llm.ActionEmulated, llm.Harmless, "the model decides by itself")
	}
	if r.Display != "" {
		e.lose(llm.FeatureThinkingDisplay, llm.ActionDropped, llm.Tuning, "the model has no switch for it")
	}
	if effort == "" {
		return
	}
	effort = e.effort(effort)
	switch e.family {
	case nova:
		e.thinking.member = novaMember
	case gptOSS:
		e.thinking.member = openaiMember
	default:
		e.thinking.effort = effort
		return
	}
	if effort == "xhigh" || effort == "max" {
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "lowered to high, the model's highest")
		effort = "high"
	}
	e.thinking.level = effort
}

func (e *encoder) thinkAdaptive(r *llm.Reasoning, effort string) {
	t := &e.thinking
	t.member, t.mode, t.display = thinkingMember, llm.ReasoningAdaptive, r.Display
	t.effort = e.effort(effort)
	if r.Mode == llm.ReasoningUnset {
		e.lose(llm.FeatureEffort, llm.ActionEmulated, llm.Harmless, "by adaptive thinking with that effort")
	}
	if r.Mode == llm.ReasoningBudget {
		if effort == "" {
			t.effort = forms.EffortFor(r.Budget)
		}
		e.lose(llm.FeatureThinkingBudget, llm.ActionApproximated, llm.Tuning, "the model takes an effort, not a number of tokens")
	}
}

func (e *encoder) thinkBudget(r *llm.Reasoning, effort string, control llm.ThinkingControl) {
	t := &e.thinking
	t.member, t.mode, t.display = thinkingMember, llm.ReasoningBudget, r.Display
	if r.Mode == llm.ReasoningBudget {
		t.budget = max(r.Budget, minBudget)
	} else {
		t.budget = e.budgetFor(effort)
	}
	if r.Mode == llm.ReasoningAdaptive {
		e.lose(llm.FeatureThinkingAdaptive, llm.ActionApproximated, llm.Tuning, "the model takes a number of tokens only")
	}
	switch {
	case effort == "":
	case r.Mode != llm.ReasoningBudget:
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "the model takes a number of tokens, not an effort")
	case control == llm.ThinkingBoth:
		t.effort = effort
	default:
		e.lose(llm.FeatureEffort, llm.ActionDropped, llm.Tuning, "the model takes a number of tokens, not an effort")
	}
}

// budgetFor is the budget that comes near an effort.
func (e *encoder) budgetFor(effort string) int64 {
	switch effort {
	case "minimal", "low":
		return minBudget
	case "high":
		return 24576
	case "xhigh":
		return 32768
	case "max":
		if most := e.to.Facts.MaxOutput; most > 0 {
			return max(most/2, minBudget)
		}
		return 32768
	}
	return 8192
}

// checkThinking takes back a budget that the model would refuse beside the rest of the request. Without a limit on
// the answer, the model's own holds, which leaves room.
func (e *encoder) checkThinking(r *llm.Reasoning) {
	t := &e.thinking
	limit := e.limit
	if limit == 0 {
		limit = e.to.Facts.MaxOutput
	}
	why := ""
	switch {
	case e.choice.IsForced():
		why = "the target does not take it together with a forced tool call"
	case e.loopUnsigned():
		why = "the thinking before the tool calls that are being answered is not the target's own"
	case limit > 0 && t.budget >= limit && limit <= minBudget:
		why = "the limit of tokens leaves no room for it"
	}
	if why != "" {
		*t = thinking{effort: t.effort}
		e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, why)
		return
	}
	if limit > 0 && t.budget >= limit {
		t.budget = max(limit/2, minBudget)
		e.lose(forms.AskedReasoning(r), llm.ActionApproximated, llm.Tuning, "lowered to fit the limit of tokens")
	}
}

// loopUnsigned reports whether the request answers tool calls of a turn that does not begin with thinking: with a
// budget the vendor refuses that.
func (e *encoder) loopUnsigned() bool {
	n := len(e.turns)
	if n < 2 || len(e.turns[n-1].results) == 0 || e.turns[n-2].role != roleAssistant {
		return false
	}
	return e.turns[n-2].parts[0].Kind != llm.PartThinking
}

// writeThinking writes the maker's own switch.
func (e *encoder) writeThinking() {
	t := &e.thinking
	w := &e.w
	switch t.member {
	case thinkingMember:
		w.Key(thinkingMember)
		w.BeginObject()
		switch t.mode {
		case llm.ReasoningOff:
			w.StringField("type", "disabled")
		case llm.ReasoningBudget:
			w.StringField("type", "enabled")
			w.IntField("budget_tokens", t.budget)
		default:
			w.StringField("type", "adaptive")
		}
		if t.display != "" && t.on() {
			w.StringField("display", t.display)
		}
		writeExtra(w, e.req.Extra, additionalFields+"."+thinkingMember+".")
		w.EndObject()
	case novaMember:
		w.Key(novaMember)
		w.BeginObject()
		if t.mode == llm.ReasoningOff {
			w.StringField("type", "disabled")
		} else {
			w.StringField("type", "enabled")
			w.StringField("maxReasoningEffort", t.level)
		}
		writeExtra(w, e.req.Extra, additionalFields+"."+novaMember+".")
		w.EndObject()
	case openaiMember:
		w.StringField(openaiMember, t.level)
	}
}

// writeOutputConfig writes the effort and the answer's schema, which is JSON in a string [bed:OutputConfig].
func (e *encoder) writeOutputConfig() {
	f := e.req.Format
	hasSchema := f != nil && f.Kind == llm.FormatSchema
	if e.thinking.effort == "" && !hasSchema && !hasExtra(e.req.Extra, outputConfig+".") {
		return
	}
	w := &e.w
	w.Key(outputConfig)
	w.BeginObject()
	if hasSchema {
		w.Key("textFormat")
		w.BeginObject()
		w.StringField("type", "json_schema")
		w.Key("structure")
		w.BeginObject()
		w.Key("jsonSchema")
		w.BeginObject()
		w.StringField("schema", string(jsontext.Compact(nil, f.Schema)))
		if f.Name != "" {
			w.StringField("name", f.Name)
		}
		if f.Description != "" {
			w.StringField("description", f.Description)
		}
		w.EndObject()
		w.EndObject()
		w.EndObject()
	}
	if e.thinking.effort != "" {
		w.StringField("effort", e.thinking.effort)
	}
	writeExtra(w, e.req.Extra, outputConfig+".")
	w.EndObject()
}
