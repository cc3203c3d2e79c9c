package gemini

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// TestTypes: what is wrong of kind is refused whether a request is relayed or translated.
func TestTypes(t *testing.T) {
	t.Parallel()
	sound := `{"contents":[{"parts":[{"text":"hi"}]}]}`
	dialecttest.Types(t, New(), types, sound)
	dialecttest.Types(t, NewCount(), types, sound)
	dialecttest.Types(t, NewEmbed(), embedTypes, `{"content":{"parts":[{"text":"hi"}]}}`)
	dialecttest.Types(t, NewEmbedBatch(), batchTypes, `{"requests":[{"content":{"parts":[{"text":"hi"}]}}]}`)
	dialecttest.Types(t, NewPredict(), predictTypes, `{"instances":[{"content":"hi"}]}`)
}
