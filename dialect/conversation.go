package dialect

import (
	"slices"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Conversation is what of a request's messages goes to a vendor that answers a last message of the assistant's instead
// of continuing it, and whose JSON mode wants to be spoken of: it refuses a conversation without the word.
func Conversation(req *llm.Request) ([]llm.Message, []llm.Loss) {
	list := req.Messages
	for n := len(list); n > 0 && list[n-1].Role == llm.RoleAssistant && !slices.ContainsFunc(list[n-1].Parts, isCall); n-- {
		list = list[:n-1]
	}
	if req.Format == nil || req.Format.Kind != llm.FormatJSON || slices.ContainsFunc(list, namesJSON) {
		return list, nil
	}
	// Before the last of the user's: between a call and its result nothing may stand.
	at := len(list) - 1
	for at >= 0 && list[at].Role != llm.RoleUser {
		at--
	}
	if at < 0 {
		return list, nil
	}
	order := llm.Message{Role: llm.RoleSystem, Parts: []llm.Part{llm.Text("Answer with one JSON object.")}}
	return slices.Insert(slices.Clone(list), at, order), []llm.Loss{{
		Feature: llm.FeatureJSONMode, Action: llm.ActionRepaired, Severity: llm.Harmless,
		Detail: "the target wants to be told of JSON, so it is",
	}}
}

func isCall(p llm.Part) bool { return p.Kind == llm.PartToolCall }

func namesJSON(m llm.Message) bool {
	return slices.ContainsFunc(m.Parts, func(p llm.Part) bool {
		return strings.Contains(strings.ToLower(p.Text), "json") || p.Result != nil && namesJSON(llm.Message{Parts: p.Result.Parts})
	})
}
