package ollama

import (
	"testing"

	"github.com/understudy-ai/understudy/dialect/dialecttest"
	"github.com/understudy-ai/understudy/internal/jsontext"
)

func TestEmbed(t *testing.T) { dialecttest.RunOperation(t, NewEmbed(), "testdata/embed") }

// TestCorpusEmbed replays recorded exchanges.
func TestCorpusEmbed(t *testing.T) {
	t.Parallel()
	dialecttest.ReplayEmbeddings(t, NewEmbed(), "ollama.embed", "/api/embed$", 5)
}

func FuzzDecodeEmbedRequest(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","input":["a","b"],"truncate":false,"dimensions":3,"options":{},"keep_alive":"5m"}`,
		`{"input":"a"}`,
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
		`{"model":"m","embeddings":[[1,2]],"prompt_eval_count":2}`,
		`{"error":"x"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { dialecttest.FuzzResponse(t, NewEmbed(), body) })
}
