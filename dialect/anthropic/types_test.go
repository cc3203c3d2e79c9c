package anthropic

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// TestTypes: what is wrong of kind is refused whether a request is relayed or translated.
func TestTypes(t *testing.T) {
	t.Parallel()
	sound := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	dialecttest.Types(t, New(), types, sound)
	dialecttest.Types(t, NewCount(), types, sound)
}
