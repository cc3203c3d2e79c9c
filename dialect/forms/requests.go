package forms

import (
	"strings"

	"github.com/understudy-ai/understudy/internal/jsontext"
	"github.com/understudy-ai/understudy/llm"
)

// SizeHint is about how many bytes the request will have.
func SizeHint(req *llm.Request) int {
	n := 512
	for i := range req.Messages {
		for j := range req.Messages[i].Parts {
			p := &req.Messages[i].Parts[j]
			n += len(p.Text) + 64
			if p.Media != nil {
				n += len(p.Media.Data)
			}
		}
	}
	for i := range req.Tools {
		n += len(req.Tools[i].Schema) + len(req.Tools[i].Description) + 64
	}
	return n + n/8
}

// AnswerSize is about how many bytes a whole answer will have.
func AnswerSize(r *llm.Response) int {
	n := 512
	for i := range r.Choices {
		for j := range r.Choices[i].Parts {
			p := &r.Choices[i].Parts[j]
			n += len(p.Text) + 64
			if p.Call != nil {
				n += len(p.Call.Args) + 64
			}
		}
	}
	return n + n/8
}

// AskedReasoning is the feature by which a request asks for reasoning.
func AskedReasoning(r *llm.Reasoning) llm.Feature {
	switch r.Mode {
	case llm.ReasoningBudget:
		return llm.FeatureThinkingBudget
	case llm.ReasoningAdaptive:
		return llm.FeatureThinkingAdaptive
	default:
		return llm.FeatureEffort
	}
}

// Attribute writes ` name="value"`, or nothing for no value.
func Attribute(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + `="` + strings.ReplaceAll(value, `"`, "'") + `"`
}

// EffortFor is the effort that comes near a budget.
func EffortFor(budget int64) string {
	switch {
	case budget < 4096:
		return "low"
	case budget < 16384:
		return "medium"
	case budget < 32768:
		return "high"
	}
	return "xhigh"
}

// Described is the schema of a format for a target that has no description beside it: the format's stands in the
// schema, if that has none. What became of it is said to lose.
func Described(f *llm.Format, lose func(llm.Feature, llm.Action, llm.Severity, string)) []byte {
	if f.Description == "" {
		return f.Schema
	}
	if own := jsontext.Value(f.Schema).Get("description"); !own.IsNull() {
		if TextOf(own) != f.Description {
			lose(llm.FeatureJSONSchema, llm.ActionApproximated, llm.Tuning, "the format's description is left out: the schema has one of its own")
		}
		return f.Schema
	}
	out, err := jsontext.Set(f.Schema, "description", jsontext.AppendString(nil, f.Description))
	if err != nil {
		lose(llm.FeatureJSONSchema, llm.ActionApproximated, llm.Tuning, "the format's description is left out")
		return f.Schema
	}
	lose(llm.FeatureJSONSchema, llm.ActionRepaired, llm.Harmless, "the format's description stands in its schema")
	return out
}
