package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

func openAIChat() *format {
	f := &format{
		name: "openai-chat", path: "/v1/chat/completions", header: "Authorization: Bearer bench",
		provider: `use: openai, base_url: "http://{vendor}/v1", key: "{key}", only: {openai-responses: [none]}`,
		body: `{"model":{model},"max_tokens":1024,"temperature":0.7,"stream":{stream},{options}` +
			`"messages":[{"role":"user","content":{prompt}}]}`,
		options: `"stream_options":{"include_usage":true},`,
		finish:  "stop", end: []byte("data: [DONE]\n\n"),
		read: readOpenAIChat, readStream: readOpenAIChatStream,
	}
	usage := fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,`+
		`"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`, tokensIn, tokensOut, tokensIn+tokensOut)
	f.answer = []byte(fmt.Sprintf(`{"id":"chatcmpl-CrS0v3rBenchBenchBenchBench00","object":"chat.completion","created":%d,`+
		`"model":"bench-1-2026-01-01","choices":[{"index":0,"message":{"role":"assistant","content":%s,"refusal":null,`+
		`"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":%s,"service_tier":"default",`+
		`"system_fingerprint":"fp_0123456789"}`, created, quote(answerText()), usage))

	chunk := func(choices, usage string) []byte {
		return []byte(fmt.Sprintf(`data: {"id":"chatcmpl-CrS0v3rBenchBenchBenchBench00","object":"chat.completion.chunk",`+
			`"created":%d,"model":"bench-1-2026-01-01","service_tier":"default","system_fingerprint":"fp_0123456789",`+
			`"choices":[%s],"usage":%s,"obfuscation":"x7Qm2k"}`+"\n\n", created, choices, usage))
	}
	f.chunks = append(f.chunks, chunk(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}`, "null"))
	for i := range chunkCount {
		f.chunks = append(f.chunks, chunk(`{"index":0,"delta":{"content":`+quote(piece(i))+`},"logprobs":null,"finish_reason":null}`, "null"))
	}
	f.chunks = append(f.chunks,
		chunk(`{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, "null"), chunk("", usage), f.end)
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

type openAIBody struct {
	Choices []struct {
		Message struct{ Content string }
		Delta   struct{ Content string }
		Finish  string `json:"finish_reason"`
	}
	Usage struct {
		In  int `json:"prompt_tokens"`
		Out int `json:"completion_tokens"`
	}
}

func readOpenAIChat(body []byte) (reply, error) {
	var b openAIBody
	if err := json.Unmarshal(body, &b); err != nil || len(b.Choices) != 1 {
		return reply{}, fmt.Errorf("got %d choices (%w), want 1", len(b.Choices), err)
	}
	return reply{b.Choices[0].Message.Content, b.Choices[0].Finish, b.Usage.In, b.Usage.Out}, nil
}

func readOpenAIChatStream(events []event) (reply, error) {
	return fold(events[:len(events)-1], func(r *reply, _ event, b *openAIBody) error {
		for _, c := range b.Choices {
			r.text += c.Delta.Content
			r.finish += c.Finish
		}
		r.in, r.out = r.in+b.Usage.In, r.out+b.Usage.Out
		return nil
	})
}
