package openaichat

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/dialecttest"
)

// TestTypes: what is wrong of kind is refused whether a request is relayed or translated.
func TestTypes(t *testing.T) {
	t.Parallel()
	dialecttest.Types(t, New(), types, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	dialecttest.Types(t, NewEmbeddings(), embedTypes, `{"model":"m","input":"hi"}`)
	for _, d := range []*dialect.Dialect{NewVoyageEmbed(), NewJinaEmbed()} {
		dialecttest.Types(t, d, d.Relay.(wholeRelay).types, `{"model":"m","input":"hi"}`)
	}
	for _, d := range []*dialect.Dialect{NewRerank(), NewVoyageRerank()} {
		dialecttest.Types(t, d, d.Relay.(wholeRelay).types, `{"model":"m","query":"q","documents":["d"]}`)
	}
}
