package gateway_test

import (
	"strings"
	"testing"

	"github.com/understudy-ai/understudy/dialect"
	"github.com/understudy-ai/understudy/dialect/anthropic"
	"github.com/understudy-ai/understudy/dialect/bedrock"
	"github.com/understudy-ai/understudy/dialect/cohere"
	"github.com/understudy-ai/understudy/dialect/gemini"
	"github.com/understudy-ai/understudy/dialect/ollama"
	"github.com/understudy-ai/understudy/llm"
)

// TestModelListsSayWhatIsKnown: each list says of a model what its form has a place for.
func TestModelListsSayWhatIsKnown(t *testing.T) {
	t.Parallel()
	chat := dialect.ModelEntry{ID: "m", Window: 200, MaxInput: 150, MaxOutput: 50, Known: true, Sees: true, Thinking: llm.ThinkingBoth}
	vectors := dialect.ModelEntry{ID: "m", Window: 512, Operation: dialect.Embed}
	ranks := dialect.ModelEntry{ID: "m", Operation: dialect.Rerank}
	for name, tc := range map[string]struct {
		lister dialect.ModelLister
		entry  dialect.ModelEntry
		want   []string
	}{
		"gemini":          {gemini.New().Models, chat, []string{`"inputTokenLimit":150`, `"outputTokenLimit":50`, `"generateContent","streamGenerateContent","countTokens"`, `"thinking":true`}},
		"gemini, vectors": {gemini.New().Models, vectors, []string{`"inputTokenLimit":512`, `["embedContent","batchEmbedContents"]`}},
		"gemini, ranks":   {gemini.New().Models, ranks, []string{`"supportedGenerationMethods":[]`}},
		"anthropic": {anthropic.New().Models, chat, []string{
			`"max_input_tokens":150`, `"max_tokens":50`,
			`"image_input":{"supported":true}`, `"pdf_input":{"supported":false}`,
			`"thinking":{"supported":true,"types":{"adaptive":{"supported":true},"enabled":{"supported":true}}}`,
		}},
		"anthropic, unknown": {anthropic.New().Models, dialect.ModelEntry{ID: "m"}, []string{`"capabilities":null`}},
		"cohere":             {cohere.New().Models, chat, []string{`"endpoints":["chat"]`, `"context_length":200`}},
		"cohere, vectors":    {cohere.New().Models, vectors, []string{`"endpoints":["embed"]`, `"context_length":512`}},
		"cohere, ranks":      {cohere.New().Models, ranks, []string{`"endpoints":["rerank"]`}},
		"bedrock":            {bedrock.New().Models, chat, []string{`"inputModalities":["TEXT","IMAGE"]`, `"outputModalities":["TEXT"]`, `"responseStreamingSupported":true`}},
		"bedrock, vectors":   {bedrock.New().Models, vectors, []string{`"outputModalities":["EMBEDDING"]`, `"responseStreamingSupported":false`}},
		"ollama":             {ollama.New().Models, chat, []string{`["completion","tools","vision","thinking"]`, `"model.context_length":200`}},
		"ollama, vectors":    {ollama.New().Models, vectors, []string{`["embedding"]`}},
	} {
		got := string(tc.lister.EncodeModel(tc.entry))
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got %s want %s in it", name, got, want)
			}
		}
	}
}
