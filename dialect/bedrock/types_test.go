package bedrock

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// TestTypes: what is wrong of kind is refused whether a request is relayed or translated.
func TestTypes(t *testing.T) {
	t.Parallel()
	sound := `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`
	dialecttest.Types(t, New(), types, sound)
	dialecttest.Types(t, NewCount(), countTypes, `{"input":{"converse":`+sound+`}}`)
	dialecttest.Types(t, NewTitanEmbed(), titanTypes, `{"inputText":"hi"}`)
}
