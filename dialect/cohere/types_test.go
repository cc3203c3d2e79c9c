package cohere

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// TestTypes: what is wrong of kind is refused whether a request is relayed or translated.
func TestTypes(t *testing.T) {
	t.Parallel()
	dialecttest.Types(t, New(), types, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	dialecttest.Types(t, NewEmbed(), embedTypes, `{"model":"m","texts":["hi"]}`)
	dialecttest.Types(t, NewRerank(), rerankTypes, `{"model":"m","query":"q","documents":["d"]}`)
}
