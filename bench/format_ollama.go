package main

import (
	"bytes"
	"fmt"

	"github.com/understudy-ai/understudy/internal/frames"
)

func ollamaChat() *format {
	f := &format{
		name: "ollama-chat", path: "/api/chat", header: "Accept: application/x-ndjson",
		provider: `use: ollama, base_url: "http://{vendor}", only: {openai-chat: [none], openai-responses: [none], anthropic-messages: [none]}`,
		body: `{"model":{model},"stream":{stream},"options":{"num_predict":1024,"temperature":0.7},` +
			`"messages":[{"role":"user","content":{prompt}}]}`,
		framing: frames.NDJSON,
		finish:  "stop", end: []byte("}\n"), last: []byte(`"done":true`),
		read: readOllama, readStream: readOllamaStream,
	}
	line := func(i int, text, members string) []byte {
		return fmt.Appendf(nil, `{"model":"bench-1","created_at":"2026-01-01T00:00:00.%06dZ","message":{"role":"assistant","content":%s},%s}`,
			5003*i, quote(text), members)
	}
	done := fmt.Sprintf(`"done_reason":"stop","done":true,"total_duration":313801125,"load_duration":41717917,"prompt_eval_count":%d,`+
		`"prompt_eval_duration":27758541,"eval_count":%d,"eval_duration":243926334`, tokensIn, tokensOut)
	f.answer = line(0, answerText(), done)
	for i := range chunkCount {
		f.chunks = append(f.chunks, append(line(i, piece(i), `"done":false`), '\n'))
	}
	f.chunks = append(f.chunks, append(line(chunkCount, "", done), '\n'))
	f.stream = bytes.Join(f.chunks, nil)
	return f
}

func lines(body []byte) []event {
	var all []event
	for line := range bytes.Lines(body) {
		all = append(all, event{data: line})
	}
	return all
}

type ollamaBody struct {
	Message struct{ Content string }
	Done    bool
	Reason  string `json:"done_reason"`
	In      int    `json:"prompt_eval_count"`
	Out     int    `json:"eval_count"`
}

func readOllama(body []byte) (reply, error) { return readOllamaStream(lines(body)) }

func readOllamaStream(events []event) (reply, error) {
	return fold(events, func(r *reply, _ event, b *ollamaBody) error {
		if b.Done != (b.Reason != "") || r.finish != "" {
			return fmt.Errorf("got done %v and reason %q after %q, want both once, at the end", b.Done, b.Reason, r.finish)
		}
		r.text += b.Message.Content
		r.finish += b.Reason
		r.in, r.out = b.In, b.Out
		return nil
	})
}
