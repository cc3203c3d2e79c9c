package gemini

import (
	"strings"

	"github.com/understudy-ai/understudy/dialect/forms"
	"github.com/understudy-ai/understudy/llm"
)

// thinksByLevel reports whether the model is of the third generation or later: it takes a level of thinking, wants
// its signatures back, and takes files in results. A model of which nothing is known is taken for one.
func (e *encoder) thinksByLevel() bool {
	switch e.to.Facts.Thinking {
	case llm.ThinkingBudget, llm.ThinkingNone, llm.ThinkingToggle, llm.ThinkingAlways:
		return false
	default:
		return true
	}
}

// takesBudget reports whether the model takes a number of tokens to think with; one that can only be switched takes 0.
func (e *encoder) takesBudget() bool {
	switch e.to.Facts.Thinking {
	case llm.ThinkingBudget, llm.ThinkingBoth, llm.ThinkingToggle:
		return true
	default:
		return false
	}
}

// thinking is what thinkingConfig says: a budget or a level, never both.
type thinking struct {
	budget  *int64
	level   string
	include *bool
}

// writeThinking writes thinkingConfig [gem:ThinkingConfig].
func (e *encoder) writeThinking() {
	t := e.think()
	const prefix = "generationConfig.thinkingConfig."
	if t == (thinking{}) && !hasExtra(e.req.Extra, prefix) {
		return
	}
	w := &e.w
	w.Key("thinkingConfig")
	w.BeginObject()
	if t.budget != nil {
		w.IntField("thinkingBudget", *t.budget)
	}
	if t.level != "" {
		w.StringField("thinkingLevel", t.level)
	}
	if t.include != nil {
		w.BoolField("includeThoughts", *t.include)
	}
	writeExtra(w, e.req.Extra, prefix)
	w.EndObject()
}

// think decides how the model is told to reason.
func (e *encoder) think() thinking {
	r := e.req.Reasoning
	if r == nil {
		return thinking{}
	}
	effort := r.Effort
	off := r.Mode == llm.ReasoningOff || r.Mode == llm.ReasoningUnset && effort == "none"
	if effort == "none" {
		effort = ""
	}
	var t thinking
	switch {
	case e.to.Facts.Thinking == llm.ThinkingNone:
		if !off && (r.Mode != llm.ReasoningUnset || effort != "") {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "the model does not reason")
		}
		return thinking{}
	case off:
		e.thinkNot(&t, r)
		return t
	case e.to.Facts.Thinking == llm.ThinkingToggle, e.to.Facts.Thinking == llm.ThinkingAlways:
		if r.Mode == llm.ReasoningBudget || effort != "" {
			e.lose(forms.AskedReasoning(r), llm.ActionDropped, llm.Tuning, "how much the model reasons cannot be said")
		}
	case e.to.Facts.Thinking == llm.ThinkingBudget, e.takesBudget() && r.Mode == llm.ReasoningBudget:
		e.thinkBudget(&t, r, effort)
	default:
		e.thinkLevel(&t, r, effort)
	}
	// Whoever asks for thinking in these ways gets to see it, unless it was said otherwise.
	shown := r.Mode == llm.ReasoningBudget || r.Mode == llm.ReasoningAdaptive
	if r.Display != "" {
		shown = r.Display != "omitted"
	}
	if shown || r.Display != "" {
		t.include = &shown
	}
	return t
}

// lowest is the least level that every model which takes levels has. Some have MINIMAL too, and others refuse it.
const lowest = "LOW"

// thinkNot switches thinking off, as far as the model can be.
func (e *encoder) thinkNot(t *thinking, r *llm.Reasoning) {
	if e.takesBudget() {
		t.budget = new(int64)
		return
	}
	feature := llm.FeatureThinkingOff
	if r.Mode != llm.ReasoningOff {
		feature = llm.FeatureEffort
	}
	if e.to.Facts.Thinking != llm.ThinkingAlways {
		t.level = lowest
	}
	e.lose(feature, llm.ActionApproximated, llm.Tuning, "the model cannot be told not to think")
}

func (e *encoder) thinkBudget(t *thinking, r *llm.Reasoning, effort string) {
	var budget int64
	switch {
	case r.Mode == llm.ReasoningBudget:
		budget = r.Budget
		if effort != "" {
			e.lose(llm.FeatureEffort, llm.ActionDropped, llm.Tuning, "the model takes a number of tokens, not an effort")
		}
	case effort != "":
		budget = budgetFor(effort)
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "the model takes a number of tokens, not an effort")
	case r.Mode == llm.ReasoningAdaptive:
		budget = -1 // as much as the model finds right
	default:
		return
	}
	t.budget = &budget
}

// budgetFor is the budget that comes near an effort: what the vendor's own layer for other APIs gives. A model whose
// limit is lower takes that for it.
func budgetFor(effort string) int64 {
	switch effort {
	case "minimal", "low":
		return 1024
	case "medium":
		return 8192
	}
	return 24576
}

func (e *encoder) thinkLevel(t *thinking, r *llm.Reasoning, effort string) {
	switch {
	case effort == "xhigh" || effort == "max":
		t.level = "HIGH"
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, effort+" became high, the target's highest")
	case effort == "minimal":
		t.level = lowest
		e.lose(llm.FeatureEffort, llm.ActionApproximated, llm.Tuning, "minimal became low, the lowest that every model takes")
	case effort != "":
		t.level = strings.ToUpper(effort)
	case r.Mode == llm.ReasoningBudget:
		t.level = levelFor(r.Budget)
	}
	if r.Mode == llm.ReasoningBudget {
		e.lose(llm.FeatureThinkingBudget, llm.ActionApproximated, llm.Tuning, "the model takes a level, not a number of tokens")
	}
}

// levelFor is the level that comes near a budget.
func levelFor(budget int64) string {
	switch {
	case budget < 4096:
		return "LOW"
	case budget < 16384:
		return "MEDIUM"
	}
	return "HIGH"
}
