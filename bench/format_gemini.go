package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

func geminiGenerate() *format {
	f := &format{
		name: "gemini-generate", path: "/v1beta/models/{model}:generateContent",
		streamPath: "/v1beta/models/{model}:streamGenerateContent?alt=sse", header: "x-goog-api-key: bench",
		provider: `use: gemini, base_url: "http://{vendor}", key: "{key}"`,
		body: `{"contents":[{"role":"user","parts":[{"text":{prompt}}]}],` +
			`"generationConfig":{"maxOutputTokens":1024,"temperature":0.7}}`,
		finish: "STOP", end: []byte("\n"), last: []byte(`"finishReason"`),
		read: readGemini, readStream: readGeminiStream,
	}
	// The vendor writes spaces after colons, ends lines as HTTP does, and counts in every chunk.
	body := func(text, finish string, out int) []byte {
		return fmt.Appendf(nil, `{"candidates": [{"content": {"parts": [{"text": %s}],"role": "model"},%s"index": 0}],`+
			`"usageMetadata": {"promptTokenCount": %d,"candidatesTokenCount": %d,"totalTokenCount": %d,`+
			`"promptTokensDetails": [{"modality": "TEXT","tokenCount": %[3]d}]},"modelVersion": "bench-1","responseId": "4SawaBenchBenchBenchBen"}`,
			quote(text), finish, tokensIn, out, tokensIn+out)
	}
	const finish = `"finishReason": "STOP",`
	var indented bytes.Buffer
	if err := json.Indent(&indented, body(answerText(), finish, tokensOut), "", "  "); err != nil {
		panic("BUG: " + err.Error())
	}
	f.answer = append(indented.Bytes(), '\n')
	for i := range chunkCount {
		last := ""
		if i == chunkCount-1 {
			last = finish
		}
		f.chunks = append(f.chunks, fmt.Appendf(nil, "data: %s\r\n\r\n", body(piece(i), last, i+1)))
	}
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

type geminiBody struct {
	Candidates []struct {
		Content struct {
			Parts []struct {
				Text    string
				Thought bool
			}
		}
		Finish string `json:"finishReason"`
	}
	Usage *struct {
		In  int `json:"promptTokenCount"`
		Out int `json:"candidatesTokenCount"`
	} `json:"usageMetadata"`
}

func readGemini(body []byte) (reply, error) { return readGeminiStream([]event{{data: body}}) }

func readGeminiStream(events []event) (reply, error) {
	return fold(events, func(r *reply, _ event, b *geminiBody) error {
		if len(b.Candidates) != 1 || r.finish != "" {
			return fmt.Errorf("got %d candidates after finish %q, want 1 before it", len(b.Candidates), r.finish)
		}
		for _, p := range b.Candidates[0].Content.Parts {
			if p.Thought {
				return fmt.Errorf("got thought %q, want text", p.Text)
			}
			r.text += p.Text
		}
		r.finish = b.Candidates[0].Finish
		if b.Usage != nil {
			r.in, r.out = b.Usage.In, b.Usage.Out
		}
		return nil
	})
}
