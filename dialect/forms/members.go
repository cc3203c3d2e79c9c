package forms

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Once leaves out the members whose names come again, as they do when messages that each have one become one message: no
// reader would know which of them counts, and some tell no case apart. The first stays; that another has said something
// else is told to lose.
func Once(list []llm.Member, lose func(llm.Feature, llm.Action, llm.Severity, string)) []llm.Member {
	if len(list) < 2 {
		return list
	}
	var once []llm.Member
	seen := make(map[string][]byte, len(list))
	for _, m := range list {
		name := strings.ToLower(strings.ToUpper(m.Key))
		first, again := seen[name]
		switch {
		case !again:
			seen[name] = m.Raw
			once = append(once, m)
		case !bytes.Equal(first, m.Raw):
			lose("message_members", llm.ActionDropped, llm.Tuning, "messages that became one said different things of the same name")
		}
	}
	return once
}
