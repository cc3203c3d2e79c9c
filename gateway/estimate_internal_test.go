package gateway

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

// TestEstimateOfInputs counts what vectors and rankings are made of, whatever form it is in. A document is read with the
// query.
func TestEstimateOfInputs(t *testing.T) {
	t.Parallel()
	hundred := strings.Repeat("word ", 100)
	documents := []llm.RankInput{{Text: hundred}, {Raw: []byte(`{"text": "` + hundred + `"}`)}}
	for name, tc := range map[string]struct {
		request llm.Request
		want    int64
	}{
		"texts":     {llm.Request{Embed: &llm.Embed{Inputs: []llm.EmbedInput{{Text: hundred}, {Text: hundred}}}}, 200},
		"token ids": {llm.Request{Embed: &llm.Embed{Inputs: []llm.EmbedInput{{Tokens: []byte("[" + strings.Repeat("7,", 99) + "7]")}}}}, 100},
		"parts":     {llm.Request{Embed: &llm.Embed{Inputs: []llm.EmbedInput{{Parts: []llm.Part{llm.Text(hundred), llm.Text(hundred)}}}}}, 200},
		"documents": {llm.Request{Rerank: &llm.Rerank{Query: hundred, Documents: documents}}, 400},
	} {
		if got := estimateTokens(&tc.request); got < tc.want*9/10 || got > tc.want*6/5 {
			t.Errorf("%s: got %d tokens, want about %d", name, got, tc.want)
		}
	}
}
