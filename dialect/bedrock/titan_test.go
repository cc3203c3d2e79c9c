package bedrock

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

func TestTitanEmbed(t *testing.T) { dialecttest.RunOperation(t, NewTitanEmbed(), "testdata/titan") }

// TestCorpusTitanEmbed replays recorded exchanges.
func TestCorpusTitanEmbed(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayEmbeddings(t, NewTitanEmbed(), "bedrock.invoke", "titan-embed", 5)
}

func FuzzDecodeTitanEmbedRequest(f *testing.F) {
	for _, body := range []string{
		`{"inputText":"a","dimensions":256,"normalize":true,"embeddingTypes":["float","binary"]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewTitanEmbed(), body)
		}
	})
}

func FuzzDecodeTitanEmbedResponse(f *testing.F) {
	for _, body := range []string{
		`{"embedding":[1,2],"embeddingsByType":{"float":[1,2],"binary":[0]},"inputTextTokenCount":3}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewTitanEmbed(), body) })
}
