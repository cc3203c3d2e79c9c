package forms

import (
	"bytes"

	"github.com/understudy-ai/understudy/internal/jsontext"
)

// DropBlocks removes from a body the blocks that go, and the messages of which none is left, and reports whether there
// were any. The messages are the body's member list, their blocks the member content of each.
func DropBlocks(body []byte, list, content string, goes func(block jsontext.Value) bool) ([]byte, bool, error) {
	messages := jsontext.Value(bytes.TrimSpace(body)).Get(list)
	stripped, changed, err := jsontext.EditElements(messages, func(m jsontext.Value) ([]byte, error) {
		kept := 0
		blocks, changed, err := jsontext.EditElements(m.Get(content), func(block jsontext.Value) ([]byte, error) {
			if goes(block) {
				return nil, nil
			}
			kept++
			return block, nil
		})
		switch {
		case err != nil || !changed:
			return m, err
		case kept == 0:
			return nil, nil
		}
		return jsontext.Set(m, content, blocks)
	})
	if err != nil || !changed {
		return body, false, err
	}
	out, err := jsontext.Set(body, list, stripped)
	return out, err == nil, err
}
