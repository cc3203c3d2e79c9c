package gemini

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

func TestEmbed(t *testing.T) { dialecttest.RunOperation(t, NewEmbed(), "testdata/embed") }

func TestEmbedBatch(t *testing.T) {
	dialecttest.RunOperation(t, NewEmbedBatch(), "testdata/embed-batch")
}

// TestCorpusEmbed replays recorded exchanges.
func TestCorpusEmbed(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayEmbeddings(t, NewEmbed(), "gemini.embed", ":embedContent", 2)
}

// TestCorpusEmbedBatch replays recorded exchanges.
func TestCorpusEmbedBatch(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayEmbeddings(t, NewEmbedBatch(), "gemini.embed", ":batchEmbedContents", 20)
}

func FuzzDecodeEmbedRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"models/m","content":{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},"taskType":"SEMANTIC_SIMILARITY","output_dimensionality":3,"title":"t"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewEmbed(), body)
		}
	})
}

func FuzzDecodeEmbedResponse(f *testing.F) {
	for _, body := range []string{
		`{"embedding":{"values":[1,2]},"usageMetadata":{"promptTokenCount":3}}`,
		`{"error":{"code":429}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewEmbed(), body) })
}

func FuzzDecodeEmbedBatchRequest(f *testing.F) {
	for _, body := range []string{
		`{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"embedContentConfig":{"autoTruncate":false}}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jsontext.Check(body, jsontext.Limits{}) == nil {
			dialecttest.FuzzRequest(t, NewEmbedBatch(), body)
		}
	})
}

func FuzzDecodeEmbedBatchResponse(f *testing.F) {
	for _, body := range []string{
		`{"embeddings":[{"values":[1]},{"values":[2]}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewEmbedBatch(), body) })
}
