package gateway

import (
	"slices"
	"testing"

	"github.com/understudy-ai/understudy/llm"
)

// TestCheckAnswer: an answer with a vector too few, or a document twice, is no answer.
func TestCheckAnswer(t *testing.T) {
	t.Parallel()
	req := &llm.Request{Embed: &llm.Embed{Inputs: make([]llm.EmbedInput, 2)}}
	one := []llm.Vector{{Numbers: []byte("[1]")}}
	for n, want := range map[int]bool{1: false, 2: true, 3: false} {
		answer := &llm.Response{Vectors: []llm.Vectors{{Kind: llm.VectorFloat, List: slices.Repeat(one, n)}}}
		if got := checkAnswer(req, answer) == nil; got != want {
			t.Errorf("%d vectors for 2 inputs: got them taken: %v want %v", n, got, want)
		}
	}
	req = &llm.Request{Rerank: &llm.Rerank{Documents: make([]llm.RankInput, 2)}}
	for _, tc := range []struct {
		at   []int
		want bool
	}{{[]int{1, 0}, true}, {[]int{1}, true}, {nil, false}, {[]int{2}, false}, {[]int{-1}, false}, {[]int{0, 0}, false}} {
		answer := &llm.Response{}
		for _, i := range tc.at {
			answer.Ranking = append(answer.Ranking, llm.Ranked{Index: i})
		}
		if got := checkAnswer(req, answer) == nil; got != tc.want {
			t.Errorf("documents %v of 2: got them taken: %v want %v", tc.at, got, tc.want)
		}
	}
}
