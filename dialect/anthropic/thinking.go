package anthropic

import (
	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// minBudget is the least thinking.budget_tokens [ant:ThinkingConfigEnabled.budget_tokens].
const minBudget = 1024

// thinking is what is said of reasoning: the member thinking, if any, and output_config.effort.
type thinking struct {
	mode    llm.ReasoningMode // unset for no member
	budget  int64
	display string
	effort  string
}

// on reports whether the model is told to think.
func (t *thinking) on() bool {
	return t.mode == llm.ReasoningBudget || t.mode == llm.ReasoningAdaptive
}

// think decides how the model is told to reason. Older models take a budget, newer ones adaptive thinking and an
// effort; a model of which nothing is known is taken for one of the newest.
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
	switch {
	case e.to.Facts.Thinking == llm.ThinkingNone:
		if !off && (r.Mode != llm.ReasoningUnset || effort != "") {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
		return
	case off:
		e.thinkNot(effort)
		return
	case r.Mode == llm.ReasoningUnset && effort == "":
		if r.Display == "summarized" {
			e.lose(llm.FeatureThinkingDisplay, llm.ActionDropped, llm.Tuning, "the target shows thinking only where it is asked to think")
		}
		return
	}
	e.thinking.display = r.Display
	if e.to.Facts.Thinking == llm.ThinkingBudget || e.to.Facts.Thinking == llm.ThinkingBoth && r.Mode == llm.ReasoningBudget {
		e.thinkBudget(r, effort)
	} else {
		e.thinkAdaptive(r, effort)
	}
	e.checkThinking(r)
}

// thinkNot switches thinking off. An effort still steers the answer's length, but the vendor refuses the highest
// ones without thinking.
func (e *encoder) thinkNot(effort string) {
	e.thinking.mode = llm.ReasoningOff
	switch {
	case effort == "":
	case effort == "xhigh" || effort == "max" || e.to.Facts.Thinking == llm.ThinkingBudget:
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

func (e *encoder) thinkAdaptive(r *llm.Reasoning, effort string) {
	t := &e.thinking
	t.mode = llm.ReasoningAdaptive
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

func (e *encoder) thinkBudget(r *llm.Reasoning, effort string) {
	t := &e.thinking
	t.mode = llm.ReasoningBudget
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
	case e.to.Facts.Thinking == llm.ThinkingBoth:
		t.effort = e.effort(effort)
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
		if e.to.Facts.MaxOutput > 0 {
			return max(e.to.Facts.MaxOutput/2, minBudget)
		}
		return 32768
	}
	return 8192
}

// checkThinking takes back a budget that the vendor would refuse beside the rest of the request.
func (e *encoder) checkThinking(r *llm.Reasoning) {
	t := &e.thinking
	if t.mode != llm.ReasoningBudget {
		return
	}
	why := ""
	switch {
	case e.choice.IsForced():
		why = "the target does not take it together with a forced tool call"
	case e.loopUnsigned():
		why = "the thinking before the tool calls that are being answered is not the target's own"
	case t.budget >= e.limit && e.limit <= minBudget:
		why = "max_tokens leaves no room for it"
	}
	if why != "" {
		effort := t.effort
		*t = thinking{effort: effort}
		e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, why)
		return
	}
	if t.budget >= e.limit {
		t.budget = max(e.limit/2, minBudget)
		e.lose(forms.AskedReasoning(r), llm.ActionApproximated, llm.Tuning, "lowered to fit max_tokens")
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

func (e *encoder) writeThinking() {
	t := &e.thinking
	if t.mode == llm.ReasoningUnset {
		return
	}
	w := &e.w
	w.Key("thinking")
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
	writeExtra(w, e.req.Extra, "thinking.")
	w.EndObject()
}

// writeOutputConfig writes the effort and the answer's schema.
func (e *encoder) writeOutputConfig() {
	f := e.req.Format
	hasSchema := f != nil && f.Kind == llm.FormatSchema
	if e.thinking.effort == "" && !hasSchema && !hasExtra(e.req.Extra, "output_config.") {
		return
	}
	w := &e.w
	w.Key("output_config")
	w.BeginObject()
	if e.thinking.effort != "" {
		w.StringField("effort", e.thinking.effort)
	}
	if hasSchema {
		w.Key("format")
		w.BeginObject()
		w.StringField("type", "json_schema")
		w.RawField("schema", e.answerSchema(f))
		w.EndObject()
	}
	writeExtra(w, e.req.Extra, "output_config.")
	w.EndObject()
}
