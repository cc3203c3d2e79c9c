package forms

import (
	"bytes"
	"strings"

	"github.com/understudy-ai/understudy/llm"
)

// Once leaves out the members whose names come again, as they do when messages that each have one become one message: no
// reader would know which of them counts, and some tell no case apart. The first stays, and differ reports whether
// another has said something else.
func Once(list []llm.Member) (once []llm.Member, differ bool) {
	if len(list) < 2 {
		return list, false
	}
	seen := make(map[string][]byte, len(list))
	for _, m := range list {
		name := strings.ToLower(strings.ToUpper(m.Key))
		if first, again := seen[name]; again {
			differ = differ || !bytes.Equal(first, m.Raw)
			continue
		}
		seen[name] = m.Raw
		once = append(once, m)
	}
	return once, differ
}
